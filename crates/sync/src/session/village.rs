//! One village during a session.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::batch::BatchId;
use ruhu_survey::id::{EpochId, HouseholdId, VillageId};

use super::report::{Missing, Report};
use super::{RequestPlan, UnsentBatch, VillageCommit, VillageSummary};
use crate::limits::{BATCH_BYTES_MAX, TIPS_PER_VILLAGE};
use crate::response::{BatchProblem, ProblemOutcome, VillageKeys};
use crate::vector::{ChainTip, Cursor};

/// What became of a batch so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BatchState {
    Waiting,
    Received,
    Rejected,
    Staged { expected: u64 },
}

/// What became of a household key so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyState {
    Waiting,
    /// A whole answer came and did not confirm it: not offered again in this session.
    Offered,
    Held,
}

#[derive(Debug, Clone)]
pub(super) struct Village {
    id: VillageId,
    cursor: Option<Cursor>,
    keys_given: u64,
    /// Every tip.
    vector: BTreeSet<ChainTip>,
    /// Those that the cursor does not stand for.
    above: BTreeSet<ChainTip>,
    batches: Vec<(UnsentBatch, BatchState)>,
    /// Batches that the server did not understand in a replay stream.
    raw: BTreeSet<BatchId>,
    keys: BTreeMap<HouseholdId, KeyState>,
    caught_up: bool,
}

impl Village {
    pub(super) fn new(summary: VillageSummary) -> Self {
        let begin = |unsent: UnsentBatch| match unsent.bytes <= BATCH_BYTES_MAX as u64 {
            true => (unsent, BatchState::Waiting),
            false => (unsent, BatchState::Rejected),
        };
        Self {
            id: summary.village,
            cursor: summary.cursor,
            keys_given: summary.keys_given,
            vector: summary.vector,
            above: summary.above,
            batches: summary.unsent.into_iter().map(begin).collect(),
            raw: BTreeSet::new(),
            keys: summary.keys.into_iter().map(|household| (household, KeyState::Waiting)).collect(),
            caught_up: false,
        }
    }

    pub(super) fn id(&self) -> VillageId {
        self.id
    }

    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// The number of the last key given; without a cursor it says nothing.
    pub(super) fn last_key(&self) -> u64 {
        self.cursor.map_or(0, |_| self.keys_given)
    }

    /// The vector as it is sent beside the cursor. A tip left out only costs bytes.
    pub(super) fn vector(&self) -> BTreeSet<ChainTip> {
        let tips = if self.cursor.is_some() { &self.above } else { &self.vector };
        tips.iter().copied().take(TIPS_PER_VILLAGE).collect()
    }

    pub(super) fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    pub(super) fn batches_waiting(&self) -> impl Iterator<Item = &UnsentBatch> {
        self.batches.iter().filter(|(_, state)| *state == BatchState::Waiting).map(|(unsent, _)| unsent)
    }

    pub(super) fn keys_waiting(&self) -> impl Iterator<Item = HouseholdId> {
        self.keys.iter().filter(|(_, state)| **state == KeyState::Waiting).map(|(household, _)| *household)
    }

    pub(super) fn raw_wanted(&self) -> &BTreeSet<BatchId> {
        &self.raw
    }

    pub(super) fn bytes_of(&self, batches: &[BatchId]) -> u64 {
        self.batches
            .iter()
            .filter(|(unsent, _)| batches.contains(&unsent.batch))
            .map(|(unsent, _)| unsent.bytes)
            .sum()
    }

    /// Takes note of a receipt; whether it is news.
    pub(super) fn receipted(&mut self, batch: &BatchId) -> bool {
        let is_news = |state: &BatchState| *state != BatchState::Received;
        let Some((unsent, state)) =
            self.batches.iter_mut().find(|(unsent, state)| unsent.batch == *batch && is_news(state))
        else {
            return false;
        };
        *state = BatchState::Received;
        let unsent = *unsent;
        self.hold(&unsent);
        self.unstage(&unsent);
        true
    }

    /// Moves the vector on: the server has receipted this batch. Only from a tip it holds to the end,
    /// for a tip speaks of everything before it.
    fn hold(&mut self, unsent: &UnsentBatch) {
        let tip = ChainTip::at(unsent.device, unsent.number, &unsent.batch);
        let held = match (unsent.previous, unsent.number.checked_sub(1)) {
            (None, _) => true,
            (Some(previous), Some(number)) => {
                let before = ChainTip::at(unsent.device, number, &previous);
                self.above.remove(&before);
                self.vector.remove(&before)
            }
            (Some(_), None) => false,
        };
        if held {
            self.vector.insert(tip);
            self.above.insert(tip);
        }
    }

    /// What waited at the server for this batch may be sent again.
    fn unstage(&mut self, received: &UnsentBatch) {
        for (unsent, state) in &mut self.batches {
            let waited = *state == BatchState::Staged { expected: received.number };
            if waited && unsent.device == received.device {
                *state = BatchState::Waiting;
            }
        }
    }

    /// Takes note of a problem; whether it is news.
    pub(super) fn problem(&mut self, problem: &BatchProblem) -> bool {
        let found = self.batches.iter_mut().find(|(unsent, _)| unsent.batch == problem.batch);
        let Some((_, state)) = found.filter(|(_, state)| *state == BatchState::Waiting) else { return false };
        *state = match problem.outcome {
            ProblemOutcome::Staged { expected } => BatchState::Staged { expected },
            ProblemOutcome::Rejected => BatchState::Rejected,
            ProblemOutcome::RawWanted { .. } => return self.raw.insert(problem.batch),
        };
        true
    }

    /// Takes note that keys are durable at the server; whether it is news.
    pub(super) fn keys_held(&mut self, households: &BTreeSet<HouseholdId>) -> bool {
        let news =
            self.keys.iter_mut().filter(|(key, state)| households.contains(key) && **state != KeyState::Held);
        news.map(|(_, state)| *state = KeyState::Held).count() > 0
    }

    /// Takes note that a request was answered to its end.
    pub(super) fn keys_offered(&mut self, asked: &RequestPlan) {
        let Some(part) = asked.villages.iter().find(|part| part.village == self.id) else { return };
        for household in &part.keys {
            if let Some(state @ KeyState::Waiting) = self.keys.get_mut(household) {
                *state = KeyState::Offered;
            }
        }
    }

    /// Takes note of how far the feed was given; whether that is news.
    pub(super) fn given(&mut self, part: &VillageCommit) -> bool {
        if part.village != self.id {
            return false;
        }
        let before = (self.cursor, self.caught_up);
        self.cursor = Some(part.cursor);
        if let Some(done) = part.done {
            self.caught_up = !done.more;
            if !done.more {
                // Everything receipted so far is in the feed, and the feed was given to its end.
                self.above.clear();
            }
        }
        before != (self.cursor, self.caught_up)
    }

    /// Takes note of how many keys were given; whether that is news.
    ///
    /// On a first sync keys come before anything else of the feed: the cursor stands before its beginning.
    pub(super) fn keys_given(&mut self, keys: &VillageKeys, epoch: Option<EpochId>) -> bool {
        let Some(epoch) = epoch.filter(|_| keys.village == self.id) else { return false };
        let before = (self.cursor, self.keys_given);
        if self.cursor.is_none_or(|cursor| cursor.epoch != epoch) {
            self.cursor = Some(Cursor { epoch, number: 0 });
            self.above = self.vector.clone();
        }
        self.keys_given = keys.given;
        before != (self.cursor, self.keys_given)
    }

    /// Takes note that the cursor means nothing to the server; whether that is news.
    pub(super) fn vector_wanted(&mut self, village: VillageId) -> bool {
        let news = village == self.id && self.cursor.is_some();
        if news {
            self.cursor = None;
            self.keys_given = 0;
            self.above = self.vector.clone();
        }
        news
    }

    pub(super) fn report(&self, report: &mut Report) {
        for (unsent, state) in &self.batches {
            match *state {
                BatchState::Waiting => report.waiting += 1,
                BatchState::Received => report.received += 1,
                BatchState::Rejected => report.rejected += 1,
                BatchState::Staged { expected } => {
                    report.staged += 1;
                    self.report_missing(unsent, expected, report);
                }
            }
        }
        report.keys_waiting += self.keys.values().filter(|state| **state != KeyState::Held).count() as u64;
    }

    /// Names a gap in a chain, unless this session was given what belongs there.
    fn report_missing(&self, staged: &UnsentBatch, expected: u64, report: &mut Report) {
        let given = |(unsent, _): &(UnsentBatch, BatchState)| {
            unsent.device == staged.device && unsent.number == expected
        };
        let missing = Missing { village: self.id, device: staged.device, expected };
        if !self.batches.iter().any(given) && !report.missing.contains(&missing) {
            report.missing.push(missing);
        }
    }
}
