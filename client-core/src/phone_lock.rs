//! A second way into the store: a key that the phone's own lock gives out, by fingerprint, face or its code
//! (the `prf` extension of Web Authentication, level 3). The passphrase opens the store as before.
//!
//! The file beside the key file, in the canonical binary of [`ruhu_survey::codec`]: the magic `ruhu-phone`, a
//! version byte 1, the 16-byte salt that the database file begins with, the 32 bytes that the phone is asked
//! with, the credential's id (LEB128 length and bytes), a 24-byte nonce, the database's key sealed with
//! XChaCha20-Poly1305 under the 32 bytes that the phone answered (48 bytes; everything before the nonce is
//! associated data), and the SHA-256 of all that. Those 32 bytes are uniform and made for this input alone, so
//! nothing stretches them. A file without a byte says that the way is shut.

use ruhu_survey::codec::{CodecError, Reader, Writer};

use crate::env::{Environment, random};
use crate::error::Error;
use crate::key_file::{DatabaseKey, SEALED_BYTES, checked, seal, unseal, with_checksum};

const MAGIC: &[u8] = b"ruhu-phone";
const VERSION: u8 = 1;
/// The longest id of a credential, bytes (Web Authentication, level 3, 5.1).
const CREDENTIAL_BYTES_MAX: usize = 1_023;

/// What the phone is asked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneLock {
    /// The id of the credential that the phone made.
    pub credential: Vec<u8>,
    /// The input of its function.
    pub input: [u8; 32],
}

/// The file taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhoneLockFile {
    pub(crate) lock: PhoneLock,
    database_salt: [u8; 16],
    nonce: [u8; 24],
    sealed: [u8; SEALED_BYTES],
}

impl PhoneLockFile {
    /// Wraps the database's key under what the phone answered.
    ///
    /// # Errors
    /// [`Error::PhoneLock`] when the credential's id is none, [`Error::NoRandomness`].
    pub(crate) fn wrap(
        key: &DatabaseKey,
        database_salt: [u8; 16],
        lock: PhoneLock,
        secret: &[u8; 32],
        environment: &dyn Environment,
    ) -> Result<Self, Error> {
        if lock.credential.is_empty() || lock.credential.len() > CREDENTIAL_BYTES_MAX {
            return Err(Error::PhoneLock);
        }
        let nonce = random(environment)?;
        let mut file = Self { lock, database_salt, nonce, sealed: [0; SEALED_BYTES] };
        file.sealed = seal(key, secret, nonce, &file.associated()).ok_or(Error::PhoneLock)?;
        Ok(file)
    }

    /// The key, when the phone answered as it did then and the database is the same.
    ///
    /// # Errors
    /// [`Error::PhoneLock`]: the passphrase is needed.
    pub(crate) fn unwrap_key(
        &self,
        secret: &[u8; 32],
        database_salt: [u8; 16],
    ) -> Result<DatabaseKey, Error> {
        if self.database_salt != database_salt {
            return Err(Error::PhoneLock);
        }
        unseal(&self.sealed, secret, self.nonce, &self.associated()).ok_or(Error::PhoneLock)
    }

    /// The file's bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(&self.associated()).raw(&self.nonce).raw(&self.sealed);
        with_checksum(writer.finish())
    }

    /// Takes a file's bytes apart; `None` for one that is damaged, newer, or shut.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::read(checked(bytes)?).ok()
    }

    fn read(body: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(body);
        if reader.raw(MAGIC.len())? != MAGIC || reader.u8()? != VERSION {
            return Err(CodecError::Unknown("phone lock"));
        }
        let database_salt = reader.array()?;
        let input = reader.array()?;
        let credential = reader.bytes("credential", CREDENTIAL_BYTES_MAX)?.to_vec();
        let lock = PhoneLock { credential, input };
        let file = Self { lock, database_salt, nonce: reader.array()?, sealed: reader.array()? };
        reader.end()?;
        Ok(file)
    }

    /// Everything before the nonce: bound to the sealed key as associated data.
    fn associated(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(MAGIC).u8(VERSION).raw(&self.database_salt).raw(&self.lock.input);
        writer.bytes(&self.lock.credential);
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::env::by_hand::HandEnvironment;

    const SECRET: [u8; 32] = [5; 32];
    const SALT: [u8; 16] = [3; 16];

    fn wrapped() -> PhoneLockFile {
        let lock = PhoneLock { credential: vec![0xc4; 64], input: [9; 32] };
        let key = Zeroizing::new([7; 32]);
        PhoneLockFile::wrap(&key, SALT, lock, &SECRET, &HandEnvironment::new(1)).unwrap()
    }

    #[test]
    fn what_the_phone_answered_gives_the_key_back() {
        let file = PhoneLockFile::from_bytes(&wrapped().to_bytes()).unwrap();
        assert_eq!(file, wrapped());
        assert_eq!(*file.unwrap_key(&SECRET, SALT).unwrap(), [7; 32]);
    }

    #[test]
    fn another_answer_and_another_database_give_nothing() {
        let file = wrapped();
        for (secret, salt) in [([6; 32], SALT), (SECRET, [4; 16])] {
            assert!(matches!(file.unwrap_key(&secret, salt), Err(Error::PhoneLock)));
        }
    }

    #[test]
    fn what_the_phone_is_asked_with_cannot_be_exchanged() {
        let mut file = wrapped();
        file.lock.input = [8; 32];
        assert!(matches!(file.unwrap_key(&SECRET, SALT), Err(Error::PhoneLock)));
    }

    #[test]
    fn every_flipped_bit_and_every_shorter_file_is_none() {
        let bytes = wrapped().to_bytes();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert_eq!(PhoneLockFile::from_bytes(&flipped), None, "byte {at}");
            assert_eq!(PhoneLockFile::from_bytes(&bytes[..at]), None, "length {at}");
        }
    }

    #[test]
    fn an_id_that_no_phone_makes_is_refused() {
        for credential in [Vec::new(), vec![1; CREDENTIAL_BYTES_MAX + 1]] {
            let lock = PhoneLock { credential, input: [9; 32] };
            let wrapped =
                PhoneLockFile::wrap(&Zeroizing::new([7; 32]), SALT, lock, &SECRET, &HandEnvironment::new(1));
            assert!(matches!(wrapped, Err(Error::PhoneLock)));
        }
    }
}
