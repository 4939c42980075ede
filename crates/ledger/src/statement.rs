//! What the ledger signs: canonical bytes with a purpose, and the signature beside them.
//!
//! Every statement opens with its version and the signature algorithm, so that a reader knows both
//! before it reads on. Nothing is signed that would not read back as the same statement.

use std::fmt;

use ruhu_survey::codec::{CodecError, Reader, Writer};
use sha2::{Digest, Sha256};

use crate::error::{FormatError, VerifyError};
use crate::limits::{COUNTER_MAX, TIME_MS_MAX};
use crate::signature::{ALGORITHM_ED25519, PublicKey, SecretKey, Signature};

/// A statement with one canonical form, signed for one purpose.
pub trait Statement: Sized + PartialEq {
    /// What its signature is for; part of the signed message.
    const DOMAIN: &'static str;

    /// Appends the canonical form.
    fn write(&self, writer: &mut Writer);

    /// Takes the canonical form off, refusing every other.
    ///
    /// # Errors
    /// [`FormatError`] saying which field is wrong.
    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError>;

    /// The canonical form.
    #[must_use]
    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.write(&mut writer);
        writer.finish()
    }

    /// The statement of these bytes.
    ///
    /// # Errors
    /// [`FormatError`] when they are not exactly one canonical form.
    fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(bytes);
        let statement = Self::read(&mut reader)?;
        reader.end()?;
        Ok(statement)
    }

    /// SHA-256 of the canonical form: what is signed.
    #[must_use]
    fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.to_bytes()).into()
    }
}

/// A statement and the signature over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<T> {
    /// What is said.
    pub statement: T,
    /// Who says it, for [`Statement::DOMAIN`] over [`Statement::digest`].
    pub signature: Signature,
}

impl<T: Statement + fmt::Debug> Signed<T> {
    /// Signs a statement.
    ///
    /// # Errors
    /// [`FormatError`] when a field is above its limit, so that the statement would not read back.
    pub fn sign(statement: T, key: &SecretKey) -> Result<Self, FormatError> {
        let bytes = statement.to_bytes();
        if T::from_bytes(&bytes)? != statement {
            return Err(FormatError::Contradiction("the statement does not read back as itself"));
        }
        let signature = key.sign(T::DOMAIN, &Sha256::digest(&bytes).into());
        Ok(Self { statement, signature })
    }

    /// Verifies that `key` signed this statement.
    ///
    /// # Errors
    /// [`VerifyError::Key`] or [`VerifyError::Signature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), VerifyError> {
        key.verify_strict(T::DOMAIN, &self.statement.digest(), &self.signature)
    }

    /// The canonical form and the 64 bytes of the signature.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.statement.write(&mut writer);
        writer.raw(&self.signature.0);
        writer.finish()
    }

    /// The signed statement of these bytes; the signature is not verified.
    ///
    /// # Errors
    /// [`FormatError`] when they are not exactly one canonical form and a signature.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(bytes);
        let statement = T::read(&mut reader)?;
        let signature = Signature(reader.array()?);
        reader.end()?;
        Ok(Self { statement, signature })
    }

    /// SHA-256 of [`Signed::to_bytes`]: names this signed statement in the log.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.to_bytes()).into()
    }
}

/// Writes the two bytes that open every statement.
pub(crate) fn write_opening(writer: &mut Writer, version: u8) {
    writer.u8(version).u8(ALGORITHM_ED25519);
}

/// Reads the two bytes that open every statement; `what` names its format.
pub(crate) fn read_opening(
    reader: &mut Reader<'_>,
    what: &'static str,
    version: u8,
) -> Result<(), FormatError> {
    let found = reader.u8()?;
    if found != version {
        return Err(FormatError::Version { what, found });
    }
    read_algorithm(reader)
}

/// Reads an algorithm byte.
pub(crate) fn read_algorithm(reader: &mut Reader<'_>) -> Result<(), FormatError> {
    match reader.u8()? {
        ALGORITHM_ED25519 => Ok(()),
        other => Err(FormatError::Algorithm(other)),
    }
}

/// Reads a time in milliseconds since 1970.
pub(crate) fn read_time(reader: &mut Reader<'_>, what: &'static str) -> Result<i64, FormatError> {
    let found = reader.i64()?;
    if (0..=TIME_MS_MAX).contains(&found) { Ok(found) } else { Err(FormatError::Time { what, found }) }
}

/// Reads a number of at most [`COUNTER_MAX`].
pub(crate) fn read_counter(reader: &mut Reader<'_>, what: &'static str) -> Result<u64, FormatError> {
    let found = reader.u64()?;
    if found > COUNTER_MAX {
        return Err(CodecError::TooLong { what, found, limit: COUNTER_MAX }.into());
    }
    Ok(found)
}

/// Writes whether there is a field, then the field.
pub(crate) fn write_optional(writer: &mut Writer, field: Option<&[u8]>) {
    match field {
        None => writer.u8(0),
        Some(bytes) => writer.u8(1).raw(bytes),
    };
}

/// Reads whether a field follows; `what` names it.
pub(crate) fn read_presence(reader: &mut Reader<'_>, what: &'static str) -> Result<bool, FormatError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(CodecError::Unknown(what).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::EpochStart;
    use crate::example;
    use crate::receipt::Receipt;

    #[test]
    fn a_statement_verifies_under_its_signers_key_only() {
        let signed = Signed::sign(example::receipt(), &example::server_key()).unwrap();
        assert_eq!(signed.verify(&example::server_key().public()), Ok(()));
        assert_eq!(signed.verify(&example::device_key().public()), Err(VerifyError::Signature));
        let statement = Receipt { leaf_index: 42, ..example::receipt() };
        let altered = Signed { statement, ..signed };
        assert_eq!(altered.verify(&example::server_key().public()), Err(VerifyError::Signature));
    }

    #[test]
    fn every_altered_byte_of_a_signed_statement_is_noticed() {
        let key = example::server_key();
        let bytes = Signed::sign(example::receipt(), &key).unwrap().to_bytes();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            let Ok(read) = Signed::<Receipt>::from_bytes(&altered) else { continue };
            assert_eq!(read.verify(&key.public()), Err(VerifyError::Signature), "byte {at}");
        }
    }

    #[test]
    fn a_newer_version_and_another_algorithm_are_told_apart() {
        let mut bytes = example::receipt().to_bytes();
        bytes[0] = 2;
        let refusal = Receipt::from_bytes(&bytes);
        assert_eq!(refusal, Err(FormatError::Version { what: "receipt", found: 2 }));
        bytes[0] = 1;
        bytes[1] = 2;
        assert_eq!(Receipt::from_bytes(&bytes), Err(FormatError::Algorithm(2)));
    }

    #[test]
    fn an_epoch_is_signed_by_the_key_it_names() {
        let signed = Signed::sign(example::epoch_start(), &example::server_key()).unwrap();
        assert_eq!(signed.verify_own(), Ok(()));
        let foreign = Signed::sign(example::epoch_start(), &example::device_key()).unwrap();
        assert_eq!(foreign.verify_own(), Err(VerifyError::Signature));
        let own = EpochStart { previous: Some(example::epoch()), ..example::epoch_start() };
        assert!(Signed::sign(own, &example::server_key()).is_err());
    }

    #[test]
    fn a_presence_byte_is_nought_or_one() {
        let mut bytes = example::epoch_start().to_bytes();
        let at = bytes.len() - 17;
        assert_eq!(bytes[at], 1);
        bytes[at] = 2;
        let refusal = EpochStart::from_bytes(&bytes);
        assert_eq!(refusal, Err(FormatError::Codec(CodecError::Unknown("previous"))));
    }
}
