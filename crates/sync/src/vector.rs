//! What a device says it holds of a village: a cursor into the server's feed, and a version vector.

use std::collections::BTreeSet;

use ruhu_ledger::batch::BatchId;
use ruhu_survey::codec::{Reader, Writer};
use ruhu_survey::id::{DeviceId, EpochId};

use crate::frame::PayloadError;
use crate::limits::TIPS_PER_VILLAGE;

/// A place in a server's feed of one village: everything at or below it has been given.
///
/// A number, never a time. It means something only within its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// The life of the log in which the number counts.
    pub epoch: EpochId,
    /// The sequence number of the last item given; 0 before the first.
    pub number: u64,
}

impl Cursor {
    pub(crate) fn write(self, writer: &mut Writer) {
        writer.raw(self.epoch.as_bytes()).varint(self.number);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        Ok(Self { epoch: EpochId::from_bytes(reader.array()?), number: reader.varint()? })
    }
}

/// One tip of one device's chain of batches in a village: "I hold this batch and all before it".
///
/// A chain that forked has several tips. A vector speaks only of batches that the server has receipted
/// (a tip that the server does not know covers nothing), and never of a batch with a gap before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainTip {
    /// Whose chain.
    pub device: DeviceId,
    /// One above the number of the last batch held.
    pub next: u64,
    /// The first four bytes of that batch's id.
    pub tip: [u8; 4],
}

impl ChainTip {
    /// The tip that stands for holding `batch`, the batch with `number` of `device`, and all before it.
    #[must_use]
    pub fn at(device: DeviceId, number: u64, batch: &BatchId) -> Self {
        let mut tip = [0; 4];
        tip.copy_from_slice(batch.0.split_at(4).0);
        Self { device, next: number.saturating_add(1), tip }
    }
}

pub(crate) fn write_vector(writer: &mut Writer, vector: &BTreeSet<ChainTip>) {
    writer.varint(vector.len() as u64);
    for tip in vector {
        writer.raw(tip.device.as_bytes()).varint(tip.next).raw(&tip.tip);
    }
}

pub(crate) fn read_vector(reader: &mut Reader<'_>) -> Result<BTreeSet<ChainTip>, PayloadError> {
    let count = reader.count("tips of a vector", TIPS_PER_VILLAGE)?;
    let mut vector = BTreeSet::new();
    for _ in 0..count {
        let device = DeviceId::from_bytes(reader.array()?);
        let tip = ChainTip { device, next: reader.varint()?, tip: reader.array()? };
        if vector.last() >= Some(&tip) {
            return Err(PayloadError::NotAscending("tips of a vector"));
        }
        vector.insert(tip);
    }
    Ok(vector)
}
