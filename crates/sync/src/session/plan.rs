//! What the next request holds.

use std::collections::BTreeSet;

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_survey::id::{HouseholdId, VillageId};

use super::village::Village;
use crate::announce::Announcement;
use crate::key_bytes::KeyBytes;
use crate::limits::{BYTES_PER_REQUEST, KEYS_PER_REQUEST, VILLAGES_PER_REQUEST};
use crate::request::{Hello, HouseholdKeyFrame, RequestFrame, VillageQuery};
use crate::vector::{ChainTip, Cursor};

/// The bytes of a key's frame.
const KEY_FRAME_BYTES: u64 = 82;

/// What one request is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestPlan {
    /// The villages to ask about, in order.
    pub villages: Vec<VillagePlan>,
    /// The bytes of batches and keys.
    pub bytes: u64,
    /// Whether the answer may hold a replay stream; not any more once a batch of one was not understood.
    pub replay: bool,
    /// How many requests in a row have failed before this one: wait the longer, the more.
    pub attempt: u32,
}

/// What one request is to say about one village.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VillagePlan {
    /// The village.
    pub village: VillageId,
    /// How far its feed has been given.
    pub cursor: Option<Cursor>,
    /// The number of the last of its keys given.
    pub keys_given: u64,
    /// The tips of the chains held, as far as the cursor does not stand for them.
    pub vector: BTreeSet<ChainTip>,
    /// The households whose keys to send.
    pub keys: BTreeSet<HouseholdId>,
    /// The batches to send, in order.
    pub batches: Vec<BatchId>,
    /// Those of them that have to be sent raw.
    pub raw: BTreeSet<BatchId>,
}

impl RequestPlan {
    /// How many batches the request holds.
    #[must_use]
    pub fn batch_count(&self) -> usize {
        self.villages.iter().map(|village| village.batches.len()).sum()
    }

    /// The batch at that place of the request.
    pub(super) fn batch_at(&self, place: u64) -> Option<BatchId> {
        let place = usize::try_from(place).ok()?;
        self.villages.iter().flat_map(|village| &village.batches).nth(place).copied()
    }

    /// The frames of the request; `announcement`, `key`, `batch` and `old_receipt` read the store. `batch` is told whether the
    /// batch has to be sent raw, and gives its frame. A batch that a restored server lacks has the receipt of
    /// an epoch that ended, and is sent raw behind it.
    ///
    /// # Errors
    /// The first error of those that read the store.
    pub fn frames<E>(
        &self,
        hello: Hello,
        mut announcement: impl FnMut(VillageId) -> Result<Announcement, E>,
        mut key: impl FnMut(HouseholdId) -> Result<KeyBytes<64>, E>,
        mut batch: impl FnMut(BatchId, bool) -> Result<RequestFrame, E>,
        mut old_receipt: impl FnMut(BatchId) -> Result<Option<SignedReceipt>, E>,
    ) -> Result<Vec<RequestFrame>, E> {
        let mut frames = vec![RequestFrame::Hello(hello)];
        for part in &self.villages {
            let VillagePlan { village, cursor, keys_given, vector, .. } = part.clone();
            frames.push(RequestFrame::Village(VillageQuery { village, cursor, keys_given, vector }));
            frames.push(RequestFrame::Announcement(announcement(village)?));
            for household in part.keys.iter().copied() {
                frames.push(RequestFrame::Key(HouseholdKeyFrame { household, key: key(household)? }));
            }
            for id in part.batches.iter().copied() {
                let receipt = old_receipt(id)?.map(RequestFrame::OldReceipt);
                let raw = receipt.is_some() || part.raw.contains(&id);
                frames.extend(receipt);
                frames.push(batch(id, raw)?);
            }
        }
        Ok(frames)
    }
}

/// What is left of a request's room.
struct Room {
    batches: usize,
    keys: usize,
    bytes: u64,
    empty: bool,
}

impl Room {
    /// Takes room for a batch; the first one always fits.
    fn takes_batch(&mut self, bytes: u64) -> bool {
        let fits = self.batches > 0 && (self.empty || bytes <= self.bytes);
        if fits {
            self.batches -= 1;
            self.bytes = self.bytes.saturating_sub(bytes);
            self.empty = false;
        }
        fits
    }

    fn takes_key(&mut self) -> bool {
        let fits = self.keys > 0 && KEY_FRAME_BYTES <= self.bytes;
        if fits {
            self.keys -= 1;
            self.bytes -= KEY_FRAME_BYTES;
        }
        fits
    }
}

/// The next request: everything that waits, as far as there is room, and a question about every village
/// that the server has not finished with. No village when there is nothing left to do.
pub(super) fn next(villages: &[Village], batches: usize, attempt: u32, replay: bool) -> RequestPlan {
    let mut room = Room { batches, keys: KEYS_PER_REQUEST, bytes: BYTES_PER_REQUEST, empty: true };
    let mut plan = RequestPlan { attempt, replay, ..RequestPlan::default() };
    for village in villages {
        let part = VillagePlan {
            village: village.id(),
            cursor: village.cursor(),
            keys_given: village.last_key(),
            vector: village.vector(),
            keys: village.keys_waiting().take_while(|_| room.takes_key()).collect(),
            batches: village
                .batches_waiting()
                .take_while(|unsent| room.takes_batch(unsent.bytes))
                .map(|unsent| unsent.batch)
                .collect(),
            raw: village.raw_wanted().clone(),
        };
        if part.keys.is_empty() && part.batches.is_empty() && village.is_caught_up() {
            continue;
        }
        let bytes: u64 = village.bytes_of(&part.batches);
        plan.bytes += bytes + KEY_FRAME_BYTES * part.keys.len() as u64;
        plan.villages.push(part);
        if plan.villages.len() >= VILLAGES_PER_REQUEST {
            break;
        }
    }
    plan
}
