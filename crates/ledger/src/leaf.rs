//! The leaves of the log: 98 bytes each, naming what was appended, when, and with what verdicts.

use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::DeviceId;
use serde::{Deserialize, Serialize};

use crate::batch::BatchHeader;
use crate::certificate::{SignedCertificate, SignedRevocation};
use crate::decision::SignedDecision;
use crate::epoch::SignedEpochStart;
use crate::error::FormatError;
use crate::statement::{read_counter, read_time};
use crate::tree::{Hash, leaf_hash};
use crate::verdict::{self, Verdict};
use crate::watermark::SignedWatermark;

const VERSION: u8 = 1;
/// Stands where a leaf has no device.
const NO_DEVICE: DeviceId = DeviceId::from_bytes([0; 16]);
/// Stands where a leaf has no verdicts.
const NO_VERDICTS: Hash = [0; 32];

/// What a leaf is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeafKind {
    /// The beginning of an epoch.
    Epoch,
    /// A certificate.
    Certificate,
    /// A revocation.
    Revocation,
    /// A batch that became durable.
    Batch,
    /// A decision on a held or quarantined change.
    Decision,
    /// A watermark: a verified backup holds the log up to a size.
    Watermark,
}

impl LeafKind {
    /// The byte that stands for the kind.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Epoch => 1,
            Self::Certificate => 2,
            Self::Revocation => 3,
            Self::Batch => 4,
            Self::Decision => 5,
            Self::Watermark => 6,
        }
    }

    /// The kind that a byte stands for.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Epoch),
            2 => Some(Self::Certificate),
            3 => Some(Self::Revocation),
            4 => Some(Self::Batch),
            5 => Some(Self::Decision),
            6 => Some(Self::Watermark),
            _ => None,
        }
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// What it is about.
    pub kind: LeafKind,
    /// When it was appended, milliseconds since 1970, by the server's clock.
    pub time_ms: i64,
    /// The batch's id, or SHA-256 of the signed object's bytes with its signature.
    pub subject: Hash,
    /// The device of a batch, certificate or revocation; zero for the others.
    pub device: DeviceId,
    /// A batch's number in its chain, a certificate's serial; zero for the others.
    pub number: u64,
    /// [`verdict::digest`] of a batch's or decision's verdicts; zero for the others.
    pub verdicts: Hash,
}

impl Leaf {
    /// The leaf of a batch received at `received_ms` with these verdicts.
    #[must_use]
    pub fn batch(header: &BatchHeader, received_ms: i64, verdicts: &[Verdict]) -> Self {
        Self {
            kind: LeafKind::Batch,
            time_ms: received_ms,
            subject: header.id().0,
            device: header.device,
            number: header.number,
            verdicts: verdict::digest(verdicts),
        }
    }

    /// The leaf of a certificate issued at `issued_ms`.
    #[must_use]
    pub fn certificate(signed: &SignedCertificate, issued_ms: i64) -> Self {
        Self {
            device: signed.statement.device(),
            number: signed.statement.serial,
            ..Self::plain(LeafKind::Certificate, issued_ms, signed.hash())
        }
    }

    /// The leaf of a revocation.
    #[must_use]
    pub fn revocation(signed: &SignedRevocation) -> Self {
        Self {
            device: signed.statement.device,
            ..Self::plain(LeafKind::Revocation, signed.statement.at_ms, signed.hash())
        }
    }

    /// The leaf of a decision.
    #[must_use]
    pub fn decision(signed: &SignedDecision) -> Self {
        Self {
            verdicts: verdict::digest(std::slice::from_ref(&signed.statement.verdict)),
            ..Self::plain(LeafKind::Decision, signed.statement.decided_ms, signed.hash())
        }
    }

    /// The leaf of an epoch's beginning: the first of its log.
    #[must_use]
    pub fn epoch(signed: &SignedEpochStart) -> Self {
        Self::plain(LeafKind::Epoch, signed.statement.started_ms, signed.hash())
    }

    /// The leaf of a watermark.
    #[must_use]
    pub fn watermark(signed: &SignedWatermark) -> Self {
        Self::plain(LeafKind::Watermark, signed.statement.verified_ms, signed.hash())
    }

    fn plain(kind: LeafKind, time_ms: i64, subject: Hash) -> Self {
        Self { kind, time_ms, subject, device: NO_DEVICE, number: 0, verdicts: NO_VERDICTS }
    }

    /// The canonical form: what the tree is built over.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION).u8(self.kind.code()).i64(self.time_ms).raw(&self.subject);
        writer.raw(self.device.as_bytes()).u64(self.number).raw(&self.verdicts);
        writer.finish()
    }

    /// The leaf of these bytes.
    ///
    /// # Errors
    /// [`FormatError`] when they are not exactly one canonical form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(bytes);
        let found = reader.u8()?;
        if found != VERSION {
            return Err(FormatError::Version { what: "leaf", found });
        }
        let leaf = Self {
            kind: LeafKind::from_code(reader.u8()?).ok_or(CodecError::Unknown("leaf kind"))?,
            time_ms: read_time(&mut reader, "time_ms")?,
            subject: reader.array()?,
            device: DeviceId::from_bytes(reader.array()?),
            number: read_counter(&mut reader, "number")?,
            verdicts: reader.array()?,
        };
        reader.end()?;
        leaf.check()
    }

    /// Fields that a kind does not have must be zero.
    fn check(self) -> Result<Self, FormatError> {
        use LeafKind::{Batch, Certificate, Decision, Revocation};
        let device = matches!(self.kind, Batch | Certificate | Revocation) || self.device == NO_DEVICE;
        let number = matches!(self.kind, Batch | Certificate) || self.number == 0;
        let verdicts = matches!(self.kind, Batch | Decision) || self.verdicts == NO_VERDICTS;
        if device && number && verdicts {
            Ok(self)
        } else {
            Err(FormatError::Contradiction("the leaf has a field that its kind does not have"))
        }
    }

    /// The RFC 6962 leaf hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        leaf_hash(&self.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::statement::Signed;

    #[test]
    fn a_leaf_says_what_its_receipt_says() {
        let batch = example::batch();
        let receipt = example::receipt();
        let leaf = receipt.leaf(&batch.header);
        assert_eq!(leaf.subject, batch.id().0);
        assert_eq!((leaf.device, leaf.number), (batch.header.device, 1));
        assert_eq!(leaf.verdicts, verdict::digest(&receipt.verdicts));
        assert_ne!(leaf.verdicts, verdict::digest(&[Verdict::Accepted]));
        assert_eq!(leaf.hash(), leaf_hash(&leaf.to_bytes()));
    }

    #[test]
    fn a_leaf_names_a_signed_object_with_its_signature() {
        let own = Signed::sign(example::certificate(), &example::server_key()).unwrap();
        let foreign = Signed::sign(example::certificate(), &example::device_key()).unwrap();
        assert_ne!(Leaf::certificate(&own, 1).hash(), Leaf::certificate(&foreign, 1).hash());
        assert_ne!(Leaf::certificate(&own, 1).hash(), Leaf::certificate(&own, 2).hash());
    }

    #[test]
    fn a_field_that_the_kind_does_not_have_is_zero() {
        let epoch = Leaf::epoch(&Signed::sign(example::epoch_start(), &example::server_key()).unwrap());
        let device = DeviceId::from_bytes([1; 16]);
        let wrong = [
            Leaf { device, ..epoch.clone() },
            Leaf { number: 1, ..epoch.clone() },
            Leaf { verdicts: [1; 32], ..epoch.clone() },
        ];
        assert_eq!(Leaf::from_bytes(&epoch.to_bytes()), Ok(epoch));
        for leaf in wrong {
            let refusal = Leaf::from_bytes(&leaf.to_bytes());
            assert!(matches!(refusal, Err(FormatError::Contradiction(_))), "{leaf:?}");
        }
    }

    #[test]
    fn an_unknown_version_or_kind_is_refused() {
        let mut bytes = example::receipt().leaf(&example::batch().header).to_bytes();
        bytes[1] = 7;
        let refusal = FormatError::Codec(CodecError::Unknown("leaf kind"));
        assert_eq!(Leaf::from_bytes(&bytes), Err(refusal));
        bytes[0] = 2;
        assert_eq!(Leaf::from_bytes(&bytes), Err(FormatError::Version { what: "leaf", found: 2 }));
    }
}
