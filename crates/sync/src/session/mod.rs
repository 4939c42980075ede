//! The device's side of a sync as a state machine: it says what to send and what to store, and is told
//! what happened. It does no I/O, never waits, reads no clock, and never looks inside a batch.
//!
//! The owner asks [`Session::step`] and does it: send the planned request and report the answer with
//! [`Session::received`] or [`Session::failed`]; store the commits, in one transaction, and report with
//! [`Session::stored`]. Nothing counts before it is stored, and a batch only counts on its receipt, so a
//! session can be dropped at any moment and the next one continues.
//!
//! On a bad link each request that is cut and brought nothing halves how many batches the next one carries,
//! and each that succeeds doubles it. What arrived before a cut is stored and counts: the receipts, and the
//! feed up to the last item. A request that the owner resumes where it was cut is not reported as cut.

mod plan;
mod report;
mod village;

use std::collections::BTreeSet;

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::succession::EpochLink;
use ruhu_ledger::watermark::SignedWatermark;
use ruhu_survey::id::{DeviceId, EpochId, HouseholdId, VillageId};

pub use plan::{RequestPlan, VillagePlan};
pub use report::{Missing, Outcome, Report, TransportError};

use crate::announce::Announcements;
use crate::limits::{BATCHES_PER_REQUEST, FAILURES_MAX, ROUNDS_MAX};
use crate::response::{
    BatchProblem, CheckpointFrame, ForkTold, ProblemOutcome, Relayed, RelayedDecision, RelayedReplay,
    ResponseFrame, VillageKeys, Welcome,
};
use crate::vector::{ChainTip, Cursor};
use village::Village;

/// What a device has to sync: the state of its store when the session begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The villages to sync, the most urgent first.
    pub villages: Vec<VillageSummary>,
}

/// What a device has to sync in one village.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VillageSummary {
    /// The village.
    pub village: VillageId,
    /// How far it has been given the server's feed; `None` for a first sync.
    pub cursor: Option<Cursor>,
    /// The number of the last of the village's keys it was given in the cursor's epoch; 0 for none.
    pub keys_given: u64,
    /// The tips of the chains it holds, as far as the server of this epoch has receipted them and
    /// nothing is missing before them.
    pub vector: BTreeSet<ChainTip>,
    /// The tips among the batches that the cursor is not known to stand for: what a request with the
    /// cursor carries instead of the vector. One too many costs its bytes, one too few those of a batch.
    pub above: BTreeSet<ChainTip>,
    /// The batches without a receipt of this epoch, in the order to send them: by number in each chain.
    pub unsent: Vec<UnsentBatch>,
    /// Households that this device founded and whose keys the server has not confirmed.
    pub keys: BTreeSet<HouseholdId>,
}

/// A batch that the server has not receipted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnsentBatch {
    /// Its id.
    pub batch: BatchId,
    /// Whose chain it is in; another device's when this one carries it.
    pub device: DeviceId,
    /// Its number in the chain.
    pub number: u64,
    /// The batch before it in the chain; `None` for the first.
    pub previous: Option<BatchId>,
    /// Its size on the wire.
    pub bytes: u64,
}

/// What the owner of a session is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this request, and report the answer.
    Send(RequestPlan),
    /// Verify and store these in their order, in one transaction, and report that it is done.
    Store(Vec<Commit>),
    /// It is over.
    Done(Report),
}

/// Something to store. The order of the variants is the order in which they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// How one epoch followed another: before the welcome that it explains.
    Succession(Box<EpochLink>),
    /// Who the server is today.
    Welcome(Welcome),
    /// A batch is durable at the server.
    Receipt(SignedReceipt),
    /// A batch got no receipt.
    Problem(BatchProblem),
    /// The keys of these households are durable at the server.
    KeysHeld(BTreeSet<HouseholdId>),
    /// A certificate.
    Certificate(SignedCertificate),
    /// A revocation.
    Revocation(SignedRevocation),
    /// Keys of a village.
    Keys(VillageKeys),
    /// A batch that the device lacked, or already has: storing it again changes nothing.
    Relayed(Relayed),
    /// The same in the answer's replay stream. One that is not understood is to be named with
    /// [`Session::want_raw`] before what came is reported as stored.
    Replay(RelayedReplay),
    /// A decision about a change.
    Decision(RelayedDecision),
    /// The device's own chain has a branch that it does not know.
    Fork(ForkTold),
    /// A checkpoint, to be checked against the one stored.
    Checkpoint(CheckpointFrame),
    /// The cursor of this village means nothing to the server: forget it, and how many keys were given.
    VectorWanted(VillageId),
    /// How far the log is safe in a verified backup.
    Watermark(SignedWatermark),
    /// What other devices announced as unsent.
    Announcements(Announcements),
    /// How far the feed of a village has been given.
    Village(VillageCommit),
}

/// How far the feed of a village has been given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VillageCommit {
    /// The village.
    pub village: VillageId,
    /// The cursor for the next request.
    pub cursor: Cursor,
    /// What the server said at the end of its part about the village; `None` after a cut.
    pub done: Option<PartDone>,
}

/// The end of the server's part about a village.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartDone {
    /// The fingerprint at the cursor.
    pub fingerprint: u64,
    /// Whether the feed goes on.
    pub more: bool,
}

/// How a request ended, kept until what came with it is stored.
#[derive(Debug, Clone)]
enum Ended {
    Whole,
    Failed(TransportError),
}

/// One sync of one device with one server.
#[derive(Debug, Clone)]
pub struct Session {
    villages: Vec<Village>,
    step: Step,
    asked: RequestPlan,
    ended: Ended,
    /// The server's, once it has answered.
    epoch: Option<EpochId>,
    /// How many batches the next request may carry.
    allowance: usize,
    /// Whether answers may hold a replay stream.
    replay: bool,
    /// How many requests in a row brought nothing.
    failures: u32,
    counts: Report,
}

impl Session {
    /// A session at its first step.
    #[must_use]
    pub fn new(summary: Summary) -> Self {
        let mut session = Self {
            villages: summary.villages.into_iter().map(Village::new).collect(),
            step: Step::Store(Vec::new()),
            asked: RequestPlan::default(),
            ended: Ended::Whole,
            epoch: None,
            allowance: BATCHES_PER_REQUEST,
            replay: true,
            failures: 0,
            counts: Report::default(),
        };
        session.plan();
        session
    }

    /// What to do next. Asking again gives the same step until something is reported.
    #[must_use]
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// Reports the whole answer to the request last planned. An answer without its last frame counts
    /// as cut. Ignored when no request is awaited.
    pub fn received(&mut self, frames: Vec<ResponseFrame>) {
        let whole = matches!(frames.last(), Some(ResponseFrame::Bye | ResponseFrame::Refused(_)));
        let ended = if whole { Ended::Whole } else { Ended::Failed(TransportError::Cut) };
        self.take(frames, ended);
    }

    /// Reports the frames that arrived of an answer before it failed.
    pub fn failed_after(&mut self, frames: Vec<ResponseFrame>, error: TransportError) {
        self.take(frames, Ended::Failed(error));
    }

    /// Reports that the request last planned got no answer.
    pub fn failed(&mut self, error: TransportError) {
        self.take(Vec::new(), Ended::Failed(error));
    }

    /// Reports that everything of the last [`Step::Store`] is durable. Ignored at any other step.
    ///
    /// When it cannot be stored, or does not verify, the session is to be dropped instead.
    pub fn stored(&mut self) {
        let Step::Store(commits) = &self.step else { return };
        let commits = commits.clone();
        let mut moved = false;
        for commit in &commits {
            moved |= self.apply(commit);
        }
        self.settle(moved);
    }

    /// Reports, before [`Session::stored`], that the relayed batch with this number was not understood in the
    /// replay stream, and that neither it nor what follows it in the feed was stored: it is asked for
    /// again, raw.
    pub fn want_raw(&mut self, village: VillageId, sequence: u64) {
        let Step::Store(commits) = &mut self.step else { return };
        self.replay = false;
        for commit in commits {
            if let Commit::Village(part) = commit
                && part.village == village
            {
                part.cursor.number = part.cursor.number.min(sequence.saturating_sub(1));
                part.done = None;
            }
        }
    }

    fn take(&mut self, frames: Vec<ResponseFrame>, ended: Ended) {
        if !matches!(self.step, Step::Send(_)) {
            return;
        }
        self.counts.rounds += 1;
        self.ended = ended;
        if let Some(ResponseFrame::Refused(refused)) = frames.last() {
            let refused = refused.clone();
            return self.finish(Outcome::Refused(refused));
        }
        let commits = commits(frames);
        if commits.is_empty() {
            self.settle(false);
        } else {
            self.step = Step::Store(commits);
        }
    }

    /// Takes note of a commit that is stored; whether it moved anything.
    fn apply(&mut self, commit: &Commit) -> bool {
        match commit {
            Commit::Receipt(receipt) => self.each(|village| village.receipted(&receipt.statement.batch)),
            Commit::Problem(problem) => self.problem(problem),
            Commit::KeysHeld(households) => self.each(|village| village.keys_held(households)),
            Commit::Relayed(relayed) => {
                self.counts.relayed += 1;
                self.counts.bytes_down += relayed.batch.len() as u64;
                self.each(|village| village.receipted(&relayed.receipt.statement.batch))
            }
            // Which batch it is cannot be seen here; one of this device's own comes with its receipt.
            Commit::Replay(relayed) => {
                self.counts.relayed += 1;
                self.counts.bytes_down += relayed.bytes.len() as u64;
                false
            }
            Commit::Decision(_) => {
                self.counts.decisions += 1;
                false
            }
            Commit::Village(part) => self.each(|village| village.given(part)),
            Commit::VectorWanted(wanted) => self.each(|village| village.vector_wanted(*wanted)),
            Commit::Keys(keys) => {
                let epoch = self.epoch;
                self.each(|village| village.keys_given(keys, epoch))
            }
            Commit::Welcome(welcome) => {
                self.epoch = Some(welcome.epoch);
                false
            }
            Commit::Succession(_)
            | Commit::Watermark(_)
            | Commit::Announcements(_)
            | Commit::Certificate(_)
            | Commit::Revocation(_)
            | Commit::Fork(_)
            | Commit::Checkpoint(_) => false,
        }
    }

    /// Takes note of a problem; one about a replay stream names the batch by its place in the request.
    fn problem(&mut self, problem: &BatchProblem) -> bool {
        let mut problem = problem.clone();
        if let ProblemOutcome::RawWanted { place } = problem.outcome {
            let Some(batch) = self.asked.batch_at(place) else { return false };
            problem.batch = batch;
        }
        self.each(|village| village.problem(&problem))
    }

    /// Tells every village; whether it was news to any.
    fn each(&mut self, mut tell: impl FnMut(&mut Village) -> bool) -> bool {
        let mut news = false;
        for village in &mut self.villages {
            news |= tell(village);
        }
        news
    }

    /// Ends a round: adapts the size of the next request, or gives up.
    fn settle(&mut self, moved: bool) {
        let ended = std::mem::replace(&mut self.ended, Ended::Whole);
        let error = match ended {
            Ended::Whole => {
                self.allowance = self.allowance.saturating_mul(2).min(BATCHES_PER_REQUEST);
                self.villages.iter_mut().for_each(|village| village.keys_offered(&self.asked));
                if moved {
                    self.failures = 0;
                    return self.plan();
                }
                TransportError::Stalled
            }
            Ended::Failed(error) => error,
        };
        if error.shrinks() && !moved {
            self.allowance = match self.asked.batch_count() {
                0 => self.allowance,
                sent => (sent.min(self.allowance) / 2).max(1),
            };
        }
        self.counts.retries += 1;
        self.failures = if moved { 0 } else { self.failures + 1 };
        match error {
            TransportError::Refused(refused) => self.finish(Outcome::Refused(refused)),
            error if error.is_final() || self.failures >= FAILURES_MAX => self.finish(Outcome::GaveUp(error)),
            _ => self.plan(),
        }
    }

    /// Plans the next request, or ends the session.
    fn plan(&mut self) {
        let plan = plan::next(&self.villages, self.allowance, self.failures, self.replay);
        if plan.villages.is_empty() {
            return self.finish(Outcome::Complete);
        }
        if self.counts.rounds >= ROUNDS_MAX {
            return self.finish(Outcome::Paused);
        }
        self.counts.sent += plan.batch_count() as u64;
        self.counts.bytes_up += plan.bytes;
        self.asked = plan.clone();
        self.step = Step::Send(plan);
    }

    fn finish(&mut self, outcome: Outcome) {
        let mut report = self.counts.clone();
        report.outcome = outcome;
        self.villages.iter().for_each(|village| village.report(&mut report));
        self.step = Step::Done(report);
    }
}

/// What to store of a response, in order: see [`Commit`].
fn commits(frames: Vec<ResponseFrame>) -> Vec<Commit> {
    let parts = parts(&frames);
    let mut commits: Vec<Commit> = frames.into_iter().filter_map(commit).collect();
    commits.sort_by_key(rank);
    commits.extend(parts.into_iter().map(Commit::Village));
    commits
}

/// How far a response gives the feed of each village: to the end of the part about it, or to the last
/// item before a cut. An item counts only after the welcome that tells its epoch.
fn parts(frames: &[ResponseFrame]) -> Vec<VillageCommit> {
    let mut epoch: Option<EpochId> = None;
    let mut parts: Vec<VillageCommit> = Vec::new();
    for frame in frames {
        let part = match frame {
            ResponseFrame::Welcome(welcome) => {
                epoch = Some(welcome.epoch);
                continue;
            }
            ResponseFrame::Relayed(item) => at(epoch, item.village, item.sequence),
            ResponseFrame::Replay(item) => at(epoch, item.village, item.sequence),
            ResponseFrame::Decision(item) => at(epoch, item.village, item.sequence),
            ResponseFrame::VillageDone(done) => Some(VillageCommit {
                village: done.village,
                cursor: done.cursor,
                done: Some(PartDone { fingerprint: done.fingerprint, more: done.more }),
            }),
            _ => None,
        };
        let Some(part) = part else { continue };
        match parts.iter_mut().find(|known| known.village == part.village) {
            Some(known) if known.done.is_none() => *known = part,
            Some(_) => {}
            None => parts.push(part),
        }
    }
    parts
}

fn at(epoch: Option<EpochId>, village: VillageId, number: u64) -> Option<VillageCommit> {
    epoch.map(|epoch| VillageCommit { village, cursor: Cursor { epoch, number }, done: None })
}

fn commit(frame: ResponseFrame) -> Option<Commit> {
    Some(match frame {
        ResponseFrame::Welcome(welcome) => Commit::Welcome(welcome),
        ResponseFrame::Receipt(receipt) => Commit::Receipt(receipt),
        ResponseFrame::BatchProblem(problem) => Commit::Problem(problem),
        ResponseFrame::KeysHeld(households) => Commit::KeysHeld(households),
        ResponseFrame::Certificate(certificate) => Commit::Certificate(certificate),
        ResponseFrame::Revocation(revocation) => Commit::Revocation(revocation),
        ResponseFrame::VillageKeys(keys) => Commit::Keys(keys),
        ResponseFrame::FoundedKeys(founded) => Commit::Keys(founded.keys),
        ResponseFrame::Announcements(told) => Commit::Announcements(told),
        ResponseFrame::Relayed(relayed) => Commit::Relayed(relayed),
        ResponseFrame::Replay(relayed) => Commit::Replay(relayed),
        ResponseFrame::Decision(decision) => Commit::Decision(decision),
        ResponseFrame::ForkTold(fork) => Commit::Fork(fork),
        ResponseFrame::Checkpoint(checkpoint) => Commit::Checkpoint(checkpoint),
        ResponseFrame::VectorWanted(village) => Commit::VectorWanted(village),
        ResponseFrame::Succession(link) => Commit::Succession(link),
        ResponseFrame::Watermark(watermark) => Commit::Watermark(watermark),
        ResponseFrame::Refused(_) | ResponseFrame::VillageDone(_) | ResponseFrame::Bye => return None,
    })
}

/// The place of a commit in the order of storing.
fn rank(commit: &Commit) -> u8 {
    match commit {
        Commit::Succession(_) => 0,
        Commit::Welcome(_) => 1,
        Commit::Receipt(_) => 2,
        Commit::Problem(_) => 3,
        Commit::KeysHeld(_) => 4,
        Commit::Certificate(_) => 5,
        Commit::Revocation(_) => 6,
        Commit::Keys(_) => 7,
        Commit::Relayed(_) | Commit::Replay(_) => 8,
        Commit::Decision(_) => 9,
        Commit::Fork(_) => 10,
        Commit::Checkpoint(_) => 11,
        Commit::Watermark(_) => 12,
        Commit::VectorWanted(_) => 13,
        Commit::Announcements(_) => 14,
        Commit::Village(_) => 15,
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
