//! How far the log is safe elsewhere: a backup holds it and was read back.

use ruhu_survey::codec::{Reader, Writer};
use ruhu_survey::id::{DeploymentId, EpochId};

use crate::error::FormatError;
use crate::statement::{Signed, Statement, read_counter, read_opening, read_time, write_opening};
use crate::tree::Hash;

const VERSION: u8 = 1;

/// The server's word that a verified backup holds the beginning of its log. Until a watermark has passed a
/// batch's leaf, a device keeps the batch's bytes: it may be the only one that has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// The installation.
    pub deployment: DeploymentId,
    /// The present life of the log.
    pub epoch: EpochId,
    /// How many leaves the backup holds.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Hash,
    /// When the backup had been read back, milliseconds since 1970, by the server's clock.
    pub verified_ms: i64,
}

impl Statement for Watermark {
    const DOMAIN: &'static str = "ruhu/watermark/1";

    fn write(&self, writer: &mut Writer) {
        write_opening(writer, VERSION);
        writer.raw(self.deployment.as_bytes()).raw(self.epoch.as_bytes());
        writer.u64(self.size).raw(&self.root).i64(self.verified_ms);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        read_opening(reader, "watermark", VERSION)?;
        Ok(Self {
            deployment: DeploymentId::from_bytes(reader.array()?),
            epoch: EpochId::from_bytes(reader.array()?),
            size: read_counter(reader, "size")?,
            root: reader.array()?,
            verified_ms: read_time(reader, "verified_ms")?,
        })
    }
}

/// A watermark with the signature of the epoch's server key.
pub type SignedWatermark = Signed<Watermark>;
