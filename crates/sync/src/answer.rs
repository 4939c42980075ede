//! The server's side: what of a village's feed to relay to a device. Pure; the caller reads the feed.
//!
//! A feed is every batch, decision, certificate and revocation of one village in the order in which the
//! server accepted them, numbered from 1 within an epoch. The cursor says where to start and the vector
//! what to leave out. With a cursor the vector names only what the cursor does not stand for, so a cursor
//! that means nothing here is answered with a wish for the whole vector ([`Start::VectorWanted`]); without
//! a cursor the feed starts at the beginning, and the vector leaves out what the device has.
//!
//! A vector is read by ancestry, not by number: a tip covers the batch it names and those before it on
//! the same branch. After a fork (a cloned phone) a device that holds one branch is therefore given the
//! other. A tip that the server does not know covers nothing; the worst it costs is bytes.

use std::collections::BTreeSet;

use ruhu_ledger::batch::BatchId;
use ruhu_survey::id::{DeviceId, EpochId};

use crate::vector::{ChainTip, Cursor};

/// One item of a village's feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedItem {
    /// Its number in the feed, from 1.
    pub sequence: u64,
    /// The bytes it takes in an answer, about.
    pub bytes: u64,
    /// What it is.
    pub content: FeedContent,
}

/// What an item of a feed is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedContent {
    /// A batch.
    Batch {
        /// Whose chain it is in.
        device: DeviceId,
        /// Its number in the chain.
        number: u64,
        /// Its id.
        batch: BatchId,
        /// The batch before it in the chain; it has a smaller sequence number.
        previous: Option<BatchId>,
    },
    /// A decision, certificate or revocation: no vector covers it.
    Notice,
}

/// What a device holds already, besides everything at or below its cursor.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// The vector of its request.
    pub vector: &'a BTreeSet<ChainTip>,
    /// The batches that came in this request. They cover themselves, not what is before them: a device
    /// may carry a single batch of another.
    pub sent: &'a BTreeSet<BatchId>,
}

/// What to relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The sequence numbers to send, ascending.
    pub send: Vec<u64>,
    /// The cursor to give for them.
    pub cursor: Cursor,
    /// Whether the feed goes on after it.
    pub more: bool,
}

impl Answer {
    /// Nothing, before the beginning of the feed.
    #[must_use]
    pub const fn nothing(epoch: EpochId) -> Self {
        Self { send: Vec::new(), cursor: Cursor { epoch, number: 0 }, more: false }
    }
}

/// Where to start in a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Items above this number are to be looked at.
    Above(u64),
    /// The cursor stands for nothing here, so neither does the difference from it: the device is to ask
    /// again without it, with its whole vector.
    VectorWanted,
}

/// Where to start in a feed of `epoch` that ends at `end`.
///
/// A cursor of another epoch or beyond the end (the server was restored or moved) is never an error, and
/// never a reason to send everything.
#[must_use]
pub fn start(cursor: Option<Cursor>, epoch: EpochId, end: u64) -> Start {
    match cursor {
        None => Start::Above(0),
        Some(cursor) if cursor.epoch == epoch && cursor.number <= end => Start::Above(cursor.number),
        Some(_) => Start::VectorWanted,
    }
}

/// Above which number to send of what is numbered in a village beside the feed, its keys and its announcements, which
/// end at `end`: all of it to a device whose cursor is of another epoch, or that was given more than there is.
#[must_use]
pub fn given_start(cursor: Option<Cursor>, given: u64, epoch: EpochId, end: u64) -> u64 {
    match cursor {
        Some(cursor) if cursor.epoch == epoch && given <= end => given,
        _ => 0,
    }
}

/// Decides what to send of `items`: all items of the feed above [`start`], ascending.
///
/// Stops before the item that would make the answer longer than `bytes_max`, but sends at least one.
/// `start` and `epoch` make the cursor when there is nothing to look at.
#[must_use]
pub fn to_send(epoch: EpochId, start: u64, items: &[FeedItem], held: Held<'_>, bytes_max: u64) -> Answer {
    let covered = covered(items, held);
    let mut answer = Answer { cursor: Cursor { epoch, number: start }, ..Answer::nothing(epoch) };
    let mut bytes = 0_u64;
    for item in items {
        if !covered.contains(&item.sequence) {
            bytes = bytes.saturating_add(item.bytes);
            if bytes > bytes_max && !answer.send.is_empty() {
                answer.more = true;
                break;
            }
            answer.send.push(item.sequence);
        }
        answer.cursor.number = item.sequence;
    }
    answer
}

/// The sequence numbers of the batches that the device holds. Walks backwards: a batch comes after the
/// one before it in its chain.
fn covered(items: &[FeedItem], held: Held<'_>) -> BTreeSet<u64> {
    let mut ancestors: BTreeSet<BatchId> = BTreeSet::new();
    let mut covered = BTreeSet::new();
    for item in items.iter().rev() {
        let FeedContent::Batch { device, number, batch, previous } = &item.content else { continue };
        let is_tip = held.vector.contains(&ChainTip::at(*device, *number, batch));
        let is_ancestor = ancestors.contains(batch);
        if is_tip || is_ancestor {
            ancestors.extend(previous);
        }
        if is_tip || is_ancestor || held.sent.contains(batch) {
            covered.insert(item.sequence);
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: EpochId = EpochId::from_bytes([1; 16]);
    const OTHER_EPOCH: EpochId = EpochId::from_bytes([2; 16]);
    const NOTHING_SENT: BTreeSet<BatchId> = BTreeSet::new();

    fn device(index: u8) -> DeviceId {
        DeviceId::from_bytes([index; 16])
    }

    fn id(index: u8) -> BatchId {
        BatchId([index; 32])
    }

    /// A batch of device 1 or 2 whose id is made of one byte.
    fn batch(sequence: u64, owner: u8, number: u64, index: u8, previous: Option<u8>) -> FeedItem {
        let content = FeedContent::Batch {
            device: device(owner),
            number,
            batch: id(index),
            previous: previous.map(id),
        };
        FeedItem { sequence, bytes: 100, content }
    }

    fn notice(sequence: u64) -> FeedItem {
        FeedItem { sequence, bytes: 10, content: FeedContent::Notice }
    }

    /// Two batches of device 1, one of device 2, a decision, and then device 1 forks at its second.
    fn feed() -> Vec<FeedItem> {
        vec![
            batch(1, 1, 1, 11, None),
            batch(2, 1, 2, 12, Some(11)),
            batch(3, 2, 1, 21, None),
            notice(4),
            batch(5, 1, 2, 112, Some(11)),
            batch(6, 1, 3, 113, Some(112)),
        ]
    }

    fn vector(tips: &[(u8, u64, u8)]) -> BTreeSet<ChainTip> {
        tips.iter().map(|(owner, number, index)| ChainTip::at(device(*owner), *number, &id(*index))).collect()
    }

    fn ask(cursor: Option<u64>, tips: &[(u8, u64, u8)], bytes_max: u64) -> Answer {
        let cursor = cursor.map(|number| Cursor { epoch: EPOCH, number });
        let Start::Above(start) = start(cursor, EPOCH, 6) else { panic!("the cursor is known") };
        let items: Vec<_> = feed().into_iter().filter(|item| item.sequence > start).collect();
        let vector = vector(tips);
        to_send(EPOCH, start, &items, Held { vector: &vector, sent: &NOTHING_SENT }, bytes_max)
    }

    #[test]
    fn a_device_with_nothing_gets_everything_in_order() {
        let answer = ask(None, &[], 10_000);
        assert_eq!(answer.send, [1, 2, 3, 4, 5, 6]);
        assert_eq!((answer.cursor.number, answer.more), (6, false));
    }

    #[test]
    fn what_is_at_or_below_the_cursor_is_not_sent() {
        assert_eq!(ask(Some(4), &[], 10_000).send, [5, 6]);
        let nothing = ask(Some(6), &[], 10_000);
        assert!(nothing.send.is_empty());
        assert_eq!((nothing.cursor.number, nothing.more), (6, false));
    }

    #[test]
    fn a_tip_covers_its_batch_and_those_before_it_but_no_decision() {
        assert_eq!(ask(None, &[(1, 2, 12), (2, 1, 21)], 10_000).send, [4, 5, 6]);
    }

    #[test]
    fn a_device_that_holds_one_branch_of_a_fork_is_given_the_other() {
        assert_eq!(ask(None, &[(1, 3, 113)], 10_000).send, [2, 3, 4]);
        assert_eq!(ask(None, &[(1, 3, 113), (1, 2, 12)], 10_000).send, [3, 4]);
    }

    #[test]
    fn a_tip_the_server_does_not_know_covers_nothing() {
        assert_eq!(ask(None, &[(1, 9, 99)], 10_000).send, [1, 2, 3, 4, 5, 6]);
        let other_number = ask(None, &[(1, 7, 12)], 10_000);
        assert_eq!(other_number.send, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_batch_of_this_request_is_not_sent_back() {
        let vector = vector(&[(1, 2, 12)]);
        let sent = BTreeSet::from([id(113)]);
        let answer = to_send(EPOCH, 0, &feed(), Held { vector: &vector, sent: &sent }, 10_000);
        assert_eq!(answer.send, [3, 4, 5], "it says nothing about those before it");
        assert_eq!(answer.cursor.number, 6, "the cursor passes what was left out");
    }

    #[test]
    fn a_cursor_that_means_nothing_here_asks_for_the_whole_vector() {
        let at = |epoch, number| start(Some(Cursor { epoch, number }), EPOCH, 6);
        assert_eq!(at(EPOCH, 6), Start::Above(6));
        assert_eq!(at(EPOCH, 7), Start::VectorWanted);
        assert_eq!(at(OTHER_EPOCH, 3), Start::VectorWanted);
        assert_eq!(start(None, EPOCH, 6), Start::Above(0));
    }

    #[test]
    fn a_difference_from_the_cursor_covers_like_the_whole_vector() {
        // Device 1 holds its own branch up to 113; everything up to 4 was given to it.
        assert_eq!(ask(Some(4), &[(1, 3, 113)], 10_000).send, [] as [u64; 0]);
        // The clone that wrote 12 holds nothing above the cursor, and is given the other branch.
        assert_eq!(ask(Some(4), &[], 10_000).send, [5, 6]);
    }

    #[test]
    fn keys_go_on_from_the_last_one_given_in_this_epoch() {
        let at = |epoch, given| given_start(Some(Cursor { epoch, number: 0 }), given, EPOCH, 9);
        assert_eq!(at(EPOCH, 9), 9);
        assert_eq!(at(EPOCH, 10), 0, "more than there are: another numbering");
        assert_eq!(at(OTHER_EPOCH, 3), 0);
        assert_eq!(given_start(None, 3, EPOCH, 9), 0);
    }

    #[test]
    fn the_byte_budget_ends_an_answer_that_can_be_continued() {
        let first = ask(None, &[], 200);
        assert_eq!(first.send, [1, 2]);
        assert_eq!((first.cursor.number, first.more), (2, true));
        let second = ask(Some(first.cursor.number), &[], 210);
        assert_eq!(second.send, [3, 4, 5]);
        assert!(second.more);
        let third = ask(Some(second.cursor.number), &[], 210);
        assert_eq!((third.send, third.more), (vec![6], false));
    }

    #[test]
    fn an_item_larger_than_the_budget_is_sent_alone() {
        let answer = ask(Some(4), &[], 1);
        assert_eq!(answer.send, [5]);
        assert_eq!((answer.cursor.number, answer.more), (5, true));
    }

    #[test]
    fn the_cursor_stops_before_what_did_not_fit_but_passes_what_is_held() {
        let answer = ask(None, &[(2, 1, 21)], 210);
        assert_eq!(answer.send, [1, 2, 4]);
        assert_eq!((answer.cursor.number, answer.more), (4, true));
    }
}
