//! A later decision on a change that a receipt left open: held → accepted, quarantined → adopted or refused.

use ruhu_survey::change::ChangeHash;
use ruhu_survey::codec::{Reader, Writer};
use ruhu_survey::id::{EpochId, UserId};

use crate::batch::BatchId;
use crate::error::FormatError;
use crate::statement::{Signed, Statement, read_opening, read_time, write_opening};
use crate::verdict::Verdict;

const VERSION: u8 = 1;

/// The verdict that takes the place of the receipt's, for one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The life of the log it was made in; its key signs.
    pub epoch: EpochId,
    /// The batch that brought the change.
    pub batch: BatchId,
    /// The change.
    pub change: ChangeHash,
    /// What becomes of it now.
    pub verdict: Verdict,
    /// When, milliseconds since 1970, by the server's clock.
    pub decided_ms: i64,
    /// Who decided; for a change that was only held, the server's own user.
    pub by: UserId,
}

impl Statement for Decision {
    const DOMAIN: &'static str = "ruhu/decision/1";

    fn write(&self, writer: &mut Writer) {
        write_opening(writer, VERSION);
        writer.raw(self.epoch.as_bytes()).raw(&self.batch.0).raw(&self.change.0);
        self.verdict.write(writer);
        writer.i64(self.decided_ms).raw(self.by.as_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        read_opening(reader, "decision", VERSION)?;
        Ok(Self {
            epoch: EpochId::from_bytes(reader.array()?),
            batch: BatchId(reader.array()?),
            change: ChangeHash(reader.array()?),
            verdict: Verdict::read(reader)?,
            decided_ms: read_time(reader, "decided_ms")?,
            by: UserId::from_bytes(reader.array()?),
        })
    }
}

/// A decision with the signature of the epoch's server key.
pub type SignedDecision = Signed<Decision>;
