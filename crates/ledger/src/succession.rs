//! How one epoch follows another: the server was restored from a backup, by a named person.
//!
//! Two signatures make two kinds of trust. The new key's own signature vouches for the key before it: who
//! trusts the new epoch can verify what the old one signed. The old key's countersignature vouches for the
//! new one: who trusts the old epoch may follow. Without it (the old key was lost) nobody follows unseen.

use ruhu_survey::codec::{Reader, Writer};
use ruhu_survey::id::{DeploymentId, EpochId};

use crate::epoch::{EpochStart, SignedEpochStart};
use crate::error::{FormatError, VerifyError};
use crate::limits::NAME_BYTES_MAX;
use crate::signature::{ALGORITHM_ED25519, PublicKey, SecretKey, Signature};
use crate::statement::{
    Signed, Statement, read_algorithm, read_counter, read_opening, read_presence, read_time, write_opening,
    write_optional,
};
use crate::tree::Hash;

const VERSION: u8 = 1;
/// The most bytes of a signed beginning or succession inside a link.
const PART_BYTES_MAX: usize = 1_024;

/// What a restore says about the epoch it ends and the log it goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// The installation.
    pub deployment: DeploymentId,
    /// The epoch that ended.
    pub previous: EpochId,
    /// The key that signed in it.
    pub previous_key: PublicKey,
    /// SHA-256 of the signed beginning of the epoch that follows.
    pub start: Hash,
    /// How many leaves of the ended epoch's log the backup holds: the new epoch goes on after them, and
    /// what lay behind them is lost until devices bring it back.
    pub size: u64,
    /// The RFC 6962 root over those leaves.
    pub root: Hash,
    /// When the backup was made, milliseconds since 1970, by the server's clock.
    pub backup_ms: i64,
    /// Who restored the server.
    pub by: String,
}

impl Statement for Succession {
    const DOMAIN: &'static str = "ruhu/succession/1";

    fn write(&self, writer: &mut Writer) {
        write_opening(writer, VERSION);
        writer.raw(self.deployment.as_bytes()).raw(self.previous.as_bytes());
        writer.u8(ALGORITHM_ED25519).raw(&self.previous_key.0).raw(&self.start);
        writer.u64(self.size).raw(&self.root).i64(self.backup_ms).text(&self.by);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        read_opening(reader, "succession", VERSION)?;
        let deployment = DeploymentId::from_bytes(reader.array()?);
        let previous = EpochId::from_bytes(reader.array()?);
        read_algorithm(reader)?;
        Ok(Self {
            deployment,
            previous,
            previous_key: PublicKey(reader.array()?),
            start: reader.array()?,
            size: read_counter(reader, "size")?,
            root: reader.array()?,
            backup_ms: read_time(reader, "backup_ms")?,
            by: reader.text("by", NAME_BYTES_MAX)?.to_owned(),
        })
    }
}

/// A succession with the signature of the new epoch's key.
pub type SignedSuccession = Signed<Succession>;

/// Everything that joins an epoch to the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochLink {
    /// The beginning of the new epoch.
    pub start: SignedEpochStart,
    /// What it goes on from, signed by the new epoch's key.
    pub succession: SignedSuccession,
    /// The old epoch's key's signature over the same succession; `None` when that key was lost.
    pub countersignature: Option<Signature>,
}

impl EpochLink {
    /// Signs the beginning of an epoch and what it goes on from; `says` is given the hash of the beginning.
    ///
    /// # Errors
    /// [`FormatError`] when a field is above its limit.
    pub fn sign(
        start: EpochStart,
        says: impl FnOnce(Hash) -> Succession,
        key: &SecretKey,
        previous_key: Option<&SecretKey>,
    ) -> Result<Self, FormatError> {
        let start = SignedEpochStart::sign(start, key)?;
        let succession = SignedSuccession::sign(says(start.hash()), key)?;
        let digest = succession.statement.digest();
        let countersignature = previous_key.map(|key| key.sign(Succession::DOMAIN, &digest));
        Ok(Self { start, succession, countersignature })
    }

    /// The epoch that begins.
    #[must_use]
    pub fn epoch(&self) -> EpochId {
        self.start.statement.epoch
    }

    /// Verifies that the new epoch's key signed both halves and that they speak of one another.
    ///
    /// # Errors
    /// [`VerifyError::Key`], [`VerifyError::Signature`], [`VerifyError::Deployment`] or
    /// [`VerifyError::Format`].
    pub fn verify(&self) -> Result<(), VerifyError> {
        let (start, said) = (&self.start.statement, &self.succession.statement);
        self.start.verify_own()?;
        self.succession.verify(&start.server_key)?;
        if start.deployment != said.deployment {
            return Err(VerifyError::Deployment);
        }
        if said.start != self.start.hash() || start.previous != Some(said.previous) {
            return Err(FormatError::Contradiction("the succession is of another epoch").into());
        }
        Ok(())
    }

    /// Verifies that the old epoch's key agreed.
    ///
    /// # Errors
    /// [`VerifyError::NotSigned`] without a countersignature, [`VerifyError::Key`] or
    /// [`VerifyError::Signature`].
    pub fn verify_countersigned(&self) -> Result<(), VerifyError> {
        let said = &self.succession.statement;
        let signature = self.countersignature.as_ref().ok_or(VerifyError::NotSigned)?;
        said.previous_key.verify_strict(Succession::DOMAIN, &said.digest(), signature)
    }

    /// The canonical form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.bytes(&self.start.to_bytes()).bytes(&self.succession.to_bytes());
        write_optional(&mut writer, self.countersignature.as_ref().map(|signature| signature.0.as_slice()));
        writer.finish()
    }

    /// The link of these bytes; no signature is verified.
    ///
    /// # Errors
    /// [`FormatError`] when they are not exactly one canonical form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(bytes);
        let link = Self {
            start: SignedEpochStart::from_bytes(reader.bytes("the beginning of an epoch", PART_BYTES_MAX)?)?,
            succession: SignedSuccession::from_bytes(reader.bytes("a succession", PART_BYTES_MAX)?)?,
            countersignature: match read_presence(&mut reader, "countersignature")? {
                true => Some(Signature(reader.array()?)),
                false => None,
            },
        };
        reader.end()?;
        Ok(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_link_is_believed_forwards_by_its_countersignature_and_backwards_by_its_own() {
        let link = example::epoch_link();
        assert_eq!((link.verify(), link.verify_countersigned()), (Ok(()), Ok(())));
        let lost = EpochLink { countersignature: None, ..link.clone() };
        assert_eq!((lost.verify(), lost.verify_countersigned()), (Ok(()), Err(VerifyError::NotSigned)));
        let forged = example::device_key().sign(Succession::DOMAIN, &link.succession.statement.digest());
        let forged = EpochLink { countersignature: Some(forged), ..link };
        assert_eq!(forged.verify_countersigned(), Err(VerifyError::Signature));
    }

    #[test]
    fn the_halves_of_two_links_do_not_make_a_third() {
        let link = example::epoch_link();
        let mut start = link.start.statement.clone();
        start.epoch = EpochId::from_bytes([0xe3; 16]);
        let start = SignedEpochStart::sign(start, &example::next_server_key()).unwrap();
        let mixed = EpochLink { start, ..link.clone() };
        assert!(matches!(mixed.verify(), Err(VerifyError::Format(FormatError::Contradiction(_)))));
        let mut said = link.succession.statement.clone();
        said.deployment = DeploymentId::from_bytes([0xd1; 16]);
        let succession = SignedSuccession::sign(said, &example::next_server_key()).unwrap();
        assert_eq!(EpochLink { succession, ..link }.verify(), Err(VerifyError::Deployment));
    }

    #[test]
    fn a_link_reads_back_and_nothing_else_does() {
        for link in [example::epoch_link(), EpochLink { countersignature: None, ..example::epoch_link() }] {
            let bytes = link.to_bytes();
            assert_eq!(EpochLink::from_bytes(&bytes), Ok(link));
            for cut in 0..bytes.len() {
                assert!(EpochLink::from_bytes(&bytes[..cut]).is_err(), "{cut}");
            }
            assert!(EpochLink::from_bytes(&[bytes, vec![0]].concat()).is_err());
        }
    }
}
