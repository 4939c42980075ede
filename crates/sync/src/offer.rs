//! What a device brings back to a server that was restored: records that the server itself once signed.
//!
//! Each proves itself by the key of the epoch in which it was signed, so it does not matter who brings it.

use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::decision::SignedDecision;
use ruhu_ledger::succession::EpochLink;
use ruhu_ledger::watermark::SignedWatermark;
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::EpochId;

use crate::frame::PayloadError;
use crate::limits::NOTE_BYTES_MAX;

/// A record of an epoch that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// A certificate: perhaps of a device that enrolled after the backup was made.
    Certificate(SignedCertificate),
    /// A revocation.
    Revocation(SignedRevocation),
    /// A link of an epoch that the server may not know: it lived between the backup and the restore.
    Link(Box<EpochLink>),
    /// A decision.
    Decision(SignedDecision),
    /// The newest checkpoint seen of an epoch: proves how long its log was.
    Checkpoint {
        /// The epoch.
        epoch: EpochId,
        /// The C2SP signed note.
        note: String,
    },
    /// A watermark.
    Watermark(SignedWatermark),
}

impl Offer {
    /// The byte that stands for the kind.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Certificate(_) => 1,
            Self::Revocation(_) => 2,
            Self::Link(_) => 3,
            Self::Decision(_) => 4,
            Self::Checkpoint { .. } => 5,
            Self::Watermark(_) => 6,
        }
    }

    /// The record with its kind before it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.write(&mut writer);
        writer.finish()
    }

    /// The offer of these bytes.
    ///
    /// # Errors
    /// [`PayloadError`] when they are not exactly one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(bytes);
        let offer = Self::read(&mut reader)?;
        reader.end()?;
        Ok(offer)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.u8(self.code());
        match self {
            Self::Certificate(signed) => writer.raw(&signed.to_bytes()),
            Self::Revocation(signed) => writer.raw(&signed.to_bytes()),
            Self::Link(link) => writer.raw(&link.to_bytes()),
            Self::Decision(signed) => writer.raw(&signed.to_bytes()),
            Self::Watermark(signed) => writer.raw(&signed.to_bytes()),
            Self::Checkpoint { epoch, note } => writer.raw(epoch.as_bytes()).text(note),
        };
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let code = reader.u8()?;
        if code == 5 {
            let epoch = EpochId::from_bytes(reader.array()?);
            return Ok(Self::Checkpoint { epoch, note: reader.text("a note", NOTE_BYTES_MAX)?.to_owned() });
        }
        let rest = reader.raw(reader.left())?;
        Ok(match code {
            1 => Self::Certificate(SignedCertificate::from_bytes(rest)?),
            2 => Self::Revocation(SignedRevocation::from_bytes(rest)?),
            3 => Self::Link(Box::new(EpochLink::from_bytes(rest)?)),
            4 => Self::Decision(SignedDecision::from_bytes(rest)?),
            6 => Self::Watermark(SignedWatermark::from_bytes(rest)?),
            _ => return Err(CodecError::Unknown("the kind of an offer").into()),
        })
    }
}
