//! What a device holds of a village, told to a peer, and the choice of what the peer is given.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::batch::BatchId;
use ruhu_survey::codec::{Reader, Writer};
use ruhu_survey::id::{DeviceId, HouseholdId, VillageId};

use super::frame::PeerFrame;
use crate::frame::PayloadError;
use crate::limits::{HOLDING_ITEMS_MAX, TIPS_PER_VILLAGE};
use crate::vector::{ChainTip, read_vector, write_vector};

/// What somebody holds of one village: a device, or a bundle file.
///
/// Whatever is left out of it costs bytes and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The village.
    pub village: VillageId,
    /// The tips of chains held with receipts, to their beginning.
    pub tips: BTreeSet<ChainTip>,
    /// Batches held that no tip speaks of, each with whether its receipt is held.
    pub batches: BTreeMap<BatchId, bool>,
    /// Every decision at or below this number of the server's feed is held.
    pub decided_to: u64,
    /// The numbers of the decisions held above it.
    pub decisions: BTreeSet<u64>,
    /// The serial numbers of the certificates held.
    pub certificates: BTreeSet<u64>,
    /// The devices whose revocations are held.
    pub revocations: BTreeSet<DeviceId>,
    /// The households whose keys are held.
    pub keys: BTreeSet<HouseholdId>,
}

impl Holding {
    /// Somebody who holds nothing of a village.
    #[must_use]
    pub const fn nothing(village: VillageId) -> Self {
        Self {
            village,
            tips: BTreeSet::new(),
            batches: BTreeMap::new(),
            decided_to: 0,
            decisions: BTreeSet::new(),
            certificates: BTreeSet::new(),
            revocations: BTreeSet::new(),
            keys: BTreeSet::new(),
        }
    }

    /// Adds what a frame brings.
    pub fn note(&mut self, frame: &PeerFrame) {
        match frame {
            PeerFrame::Certificate(signed) => drop(self.certificates.insert(signed.statement.serial)),
            PeerFrame::Revocation(signed) => drop(self.revocations.insert(signed.statement.device)),
            PeerFrame::Keys(keys) => self.keys.extend(keys.households.keys()),
            PeerFrame::Decision(relayed) => drop(self.decisions.insert(relayed.sequence)),
            PeerFrame::Batch(carried) => {
                if let Some(id) = frame.batch_id() {
                    *self.batches.entry(id).or_default() |= carried.receipt.is_some();
                }
            }
            PeerFrame::Receipt(carried) => drop(self.batches.insert(carried.receipt.statement.batch, true)),
            // Whether it can be put together by whoever reads the file is not known: the batch still lacks.
            PeerFrame::Replay(_) | PeerFrame::Holding(_) | PeerFrame::End => {}
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.raw(self.village.as_bytes());
        let tips = self.tips.iter().copied().take(TIPS_PER_VILLAGE).collect();
        write_vector(writer, &tips);
        writer.varint(self.batches.len().min(HOLDING_ITEMS_MAX) as u64);
        for (batch, receipted) in self.batches.iter().take(HOLDING_ITEMS_MAX) {
            writer.raw(&batch.0).u8(u8::from(*receipted));
        }
        writer.varint(self.decided_to);
        write_numbers(writer, &self.decisions);
        write_numbers(writer, &self.certificates);
        write_ids(writer, self.revocations.iter().map(DeviceId::as_bytes));
        write_ids(writer, self.keys.iter().map(HouseholdId::as_bytes));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let village = VillageId::from_bytes(reader.array()?);
        let tips = read_vector(reader)?;
        let mut batches = BTreeMap::new();
        for _ in 0..reader.count("batches held", HOLDING_ITEMS_MAX)? {
            let batch = BatchId(reader.array()?);
            if batches.last_key_value().is_some_and(|(last, _)| *last >= batch) {
                return Err(PayloadError::NotAscending("batches held"));
            }
            batches.insert(batch, reader.u8()? == 1);
        }
        Ok(Self {
            village,
            tips,
            batches,
            decided_to: reader.varint()?,
            decisions: read_numbers(reader)?,
            certificates: read_numbers(reader)?,
            revocations: read_ids(reader)?.into_iter().map(DeviceId::from_bytes).collect(),
            keys: read_ids(reader)?.into_iter().map(HouseholdId::from_bytes).collect(),
        })
    }
}

fn write_numbers(writer: &mut Writer, numbers: &BTreeSet<u64>) {
    writer.varint(numbers.len().min(HOLDING_ITEMS_MAX) as u64);
    numbers.iter().take(HOLDING_ITEMS_MAX).for_each(|number| {
        writer.varint(*number);
    });
}

fn read_numbers(reader: &mut Reader<'_>) -> Result<BTreeSet<u64>, PayloadError> {
    let mut numbers = BTreeSet::new();
    for _ in 0..reader.count("numbers", HOLDING_ITEMS_MAX)? {
        let number = reader.varint()?;
        if numbers.last() >= Some(&number) {
            return Err(PayloadError::NotAscending("numbers"));
        }
        numbers.insert(number);
    }
    Ok(numbers)
}

fn write_ids<'a>(writer: &mut Writer, ids: impl ExactSizeIterator<Item = &'a [u8; 16]>) {
    writer.varint(ids.len().min(HOLDING_ITEMS_MAX) as u64);
    ids.take(HOLDING_ITEMS_MAX).for_each(|id| {
        writer.raw(id);
    });
}

fn read_ids(reader: &mut Reader<'_>) -> Result<BTreeSet<[u8; 16]>, PayloadError> {
    let mut ids = BTreeSet::new();
    for _ in 0..reader.count("ids", HOLDING_ITEMS_MAX)? {
        let id = reader.array()?;
        if ids.last() >= Some(&id) {
            return Err(PayloadError::NotAscending("ids"));
        }
        ids.insert(id);
    }
    Ok(ids)
}

/// A batch that could be given, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The batch.
    pub batch: BatchId,
    /// Whose chain it is in.
    pub device: DeviceId,
    /// Its number in the chain.
    pub number: u64,
    /// The batch before it in the chain; `None` for the first.
    pub previous: Option<BatchId>,
    /// Whether its receipt is held.
    pub receipted: bool,
}

/// What to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Give {
    /// The batch, with its receipt where there is one.
    Batch(BatchId),
    /// Only the receipt: the other holds the batch.
    Receipt(BatchId),
}

/// Chooses what the other lacks of `items`, which are in the order in which they came, and keeps that
/// order: what a batch stands on is given before it.
#[must_use]
pub fn to_give(items: &[Item], held: &Holding) -> Vec<Give> {
    let covered = covered(items, &held.tips);
    let choose = |item: &Item| match held.batches.get(&item.batch) {
        _ if covered.contains(&item.batch) => None,
        Some(true) => None,
        Some(false) => item.receipted.then_some(Give::Receipt(item.batch)),
        None => Some(Give::Batch(item.batch)),
    };
    items.iter().filter_map(choose).collect()
}

/// The batches that tips speak of. Walks backwards: a batch comes after the one before it in its chain.
fn covered(items: &[Item], tips: &BTreeSet<ChainTip>) -> BTreeSet<BatchId> {
    let mut covered = BTreeSet::new();
    for item in items.iter().rev() {
        let is_tip = tips.contains(&ChainTip::at(item.device, item.number, &item.batch));
        if is_tip || covered.contains(&item.batch) {
            covered.insert(item.batch);
            covered.extend(item.previous);
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{VILLAGE, batch_id, device};

    fn item(owner: u8, number: u64, index: u8, previous: Option<u8>, receipted: bool) -> Item {
        let previous = previous.map(batch_id);
        Item { batch: batch_id(index), device: device(owner), number, previous, receipted }
    }

    fn items() -> Vec<Item> {
        vec![
            item(1, 1, 11, None, true),
            item(1, 2, 12, Some(11), true),
            item(2, 1, 21, None, true),
            item(1, 3, 13, Some(12), false),
            item(1, 2, 112, Some(11), false),
        ]
    }

    #[test]
    fn who_holds_nothing_is_given_everything_in_order() {
        let given = to_give(&items(), &Holding::nothing(VILLAGE));
        assert_eq!(given, [11, 12, 21, 13, 112].map(|index| Give::Batch(batch_id(index))));
    }

    #[test]
    fn a_tip_speaks_of_its_branch_and_of_no_other() {
        let tips = BTreeSet::from([ChainTip::at(device(1), 2, &batch_id(12))]);
        let held = Holding { tips, ..Holding::nothing(VILLAGE) };
        assert_eq!(to_give(&items(), &held), [21, 13, 112].map(|index| Give::Batch(batch_id(index))));
    }

    #[test]
    fn who_holds_a_batch_without_its_receipt_is_given_the_receipt_alone() {
        let batches = BTreeMap::from([(batch_id(21), false), (batch_id(13), false), (batch_id(11), true)]);
        let held = Holding { batches, ..Holding::nothing(VILLAGE) };
        let expected = [Give::Batch(batch_id(12)), Give::Receipt(batch_id(21)), Give::Batch(batch_id(112))];
        assert_eq!(to_give(&items(), &held), expected);
    }

    #[test]
    fn a_tip_that_is_not_known_here_speaks_of_nothing() {
        let tips = BTreeSet::from([ChainTip::at(device(1), 9, &batch_id(99))]);
        let held = Holding { tips, ..Holding::nothing(VILLAGE) };
        assert_eq!(to_give(&items(), &held).len(), 5);
    }
}
