//! The server's receipt for a batch: it is durable here, and this became of each change.

use ruhu_survey::codec::{Reader, Writer};
use ruhu_survey::id::EpochId;

use crate::batch::{BatchHeader, BatchId};
use crate::error::FormatError;
use crate::leaf::Leaf;
use crate::limits::CHANGES_PER_BATCH_MAX;
use crate::statement::{
    Signed, Statement, read_counter, read_opening, read_presence, read_time, write_opening, write_optional,
};
use crate::verdict::{Verdict, write_all};

const VERSION: u8 = 1;

/// What the server says about a batch it holds durably: proof of "not after".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The life of the log that the leaf is in; its key signs.
    pub epoch: EpochId,
    /// The batch.
    pub batch: BatchId,
    /// Where its leaf is in the log, from 0.
    pub leaf_index: u64,
    /// When it arrived, milliseconds since 1970, by the server's clock.
    pub received_ms: i64,
    /// When the log reached the size that the batch's anchor names, milliseconds since 1970, by the
    /// server's log: the batch was not sealed before. `None` when this log never had that size and root.
    pub anchor_ms: Option<i64>,
    /// What became of each change, in the batch's order.
    pub verdicts: Vec<Verdict>,
}

impl Receipt {
    /// The leaf that the receipt promises is in the log.
    #[must_use]
    pub fn leaf(&self, header: &BatchHeader) -> Leaf {
        Leaf::batch(header, self.received_ms, &self.verdicts)
    }
}

impl Statement for Receipt {
    const DOMAIN: &'static str = "ruhu/receipt/1";

    fn write(&self, writer: &mut Writer) {
        write_opening(writer, VERSION);
        writer.raw(self.epoch.as_bytes()).raw(&self.batch.0).u64(self.leaf_index).i64(self.received_ms);
        write_optional(writer, self.anchor_ms.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        write_all(writer, &self.verdicts);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        read_opening(reader, "receipt", VERSION)?;
        Ok(Self {
            epoch: EpochId::from_bytes(reader.array()?),
            batch: BatchId(reader.array()?),
            leaf_index: read_counter(reader, "leaf_index")?,
            received_ms: read_time(reader, "received_ms")?,
            anchor_ms: match read_presence(reader, "anchor_ms")? {
                true => Some(read_time(reader, "anchor_ms")?),
                false => None,
            },
            verdicts: read_verdicts(reader)?,
        })
    }
}

fn read_verdicts(reader: &mut Reader<'_>) -> Result<Vec<Verdict>, FormatError> {
    let count = reader.count("verdicts", CHANGES_PER_BATCH_MAX)?;
    if count == 0 {
        return Err(FormatError::Contradiction("the receipt holds no verdict"));
    }
    (0..count).map(|_| Verdict::read(reader)).collect()
}

/// A receipt with the signature of the epoch's server key.
pub type SignedReceipt = Signed<Receipt>;
