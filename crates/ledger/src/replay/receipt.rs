//! The receipt of a relayed batch without what its receiver knows.

use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::EpochId;

use super::StreamStart;
use crate::batch::BatchId;
use crate::limits::CHANGES_PER_BATCH_MAX;
use crate::receipt::{Receipt, SignedReceipt};
use crate::signature::Signature;
use crate::statement::Signed;
use crate::verdict::Verdict;

/// The epoch is written out.
const EPOCH: u8 = 1;
/// The anchor's time is known.
const ANCHORED: u8 = 2;
/// The verdicts are written out: not all are `accepted`.
const VERDICTS: u8 = 4;

/// A receipt without its batch; no verdicts stand for `accepted` all through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayReceipt {
    epoch: EpochId,
    leaf_index: u64,
    received_ms: i64,
    anchor_ms: Option<i64>,
    verdicts: Option<Vec<Verdict>>,
    signature: Signature,
}

/// What the receipts before it in the stream say.
#[derive(Debug, Clone)]
pub(super) struct ReceiptMemory {
    epoch: EpochId,
    leaf_index: u64,
    received_ms: i64,
}

impl ReceiptMemory {
    pub(super) fn new(start: &StreamStart) -> Self {
        Self { epoch: start.anchor.epoch, leaf_index: 0, received_ms: 0 }
    }

    pub(super) fn write(&mut self, signed: &SignedReceipt, writer: &mut Writer) {
        let receipt = &signed.statement;
        let other_epoch = receipt.epoch != self.epoch;
        let all_accepted = receipt.verdicts.iter().all(|verdict| *verdict == Verdict::Accepted);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        writer.u8(flag(other_epoch, EPOCH)
            | flag(receipt.anchor_ms.is_some(), ANCHORED)
            | flag(!all_accepted, VERDICTS));
        if other_epoch {
            writer.raw(receipt.epoch.as_bytes());
        }
        writer.zigzag(receipt.leaf_index.wrapping_sub(self.leaf_index).cast_signed());
        writer.zigzag(receipt.received_ms.wrapping_sub(self.received_ms));
        if let Some(anchor_ms) = receipt.anchor_ms {
            writer.zigzag(receipt.received_ms.wrapping_sub(anchor_ms));
        }
        if !all_accepted {
            writer.varint(receipt.verdicts.len() as u64);
            receipt.verdicts.iter().for_each(|verdict| verdict.write(writer));
        }
        writer.raw(&signed.signature.0);
        self.remember(receipt.epoch, receipt.leaf_index, receipt.received_ms);
    }

    pub(super) fn read(&mut self, reader: &mut Reader<'_>) -> Result<ReplayReceipt, CodecError> {
        let flags = reader.u8()?;
        if flags & !(EPOCH | ANCHORED | VERDICTS) != 0 {
            return Err(CodecError::Unknown("a flag of a receipt"));
        }
        let epoch = if flags & EPOCH != 0 { EpochId::from_bytes(reader.array()?) } else { self.epoch };
        let leaf_index = self.leaf_index.wrapping_add(reader.zigzag()?.cast_unsigned());
        let received_ms = self.received_ms.wrapping_add(reader.zigzag()?);
        let anchor_ms = match flags & ANCHORED != 0 {
            true => Some(received_ms.wrapping_sub(reader.zigzag()?)),
            false => None,
        };
        let verdicts = match flags & VERDICTS != 0 {
            true => Some(read_verdicts(reader)?),
            false => None,
        };
        let signature = Signature(reader.array()?);
        self.remember(epoch, leaf_index, received_ms);
        Ok(ReplayReceipt { epoch, leaf_index, received_ms, anchor_ms, verdicts, signature })
    }

    fn remember(&mut self, epoch: EpochId, leaf_index: u64, received_ms: i64) {
        *self = Self { epoch, leaf_index, received_ms };
    }
}

fn read_verdicts(reader: &mut Reader<'_>) -> Result<Vec<Verdict>, CodecError> {
    let count = reader.count("verdicts", CHANGES_PER_BATCH_MAX)?;
    let verdict = |_| Verdict::read(reader).map_err(|_| CodecError::Unknown("a verdict"));
    (0..count).map(verdict).collect()
}

impl ReplayReceipt {
    /// The receipt, for the batch and the number of changes that it came with. Its signature is not verified.
    #[must_use]
    pub fn complete(&self, batch: BatchId, changes: usize) -> SignedReceipt {
        let verdicts = self.verdicts.clone().unwrap_or_else(|| vec![Verdict::Accepted; changes]);
        let Self { epoch, leaf_index, received_ms, anchor_ms, signature, .. } = *self;
        Signed {
            statement: Receipt { epoch, batch, leaf_index, received_ms, anchor_ms, verdicts },
            signature,
        }
    }
}
