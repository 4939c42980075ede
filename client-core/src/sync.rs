//! Driving a sync: the session decides, this file carries its requests to the server and its commits to
//! the store.
//!
//! No statement of the database is open while a request is under way. Whatever an answer brought is one
//! transaction, so a kill between any two steps loses nothing and repeats little.

mod report;

use ruhu_ledger::certificate::CertificateKind;
use ruhu_survey::limits::CLAIMED_AT_MAX;
use ruhu_sync::frame::WireError;
use ruhu_sync::limits::{OFFER_BYTES_PER_REQUEST, OFFERS_PER_REQUEST};
use ruhu_sync::request::Hello;
use ruhu_sync::session::{self, Commit, Outcome, RequestPlan, Session, Step, Summary, VillageSummary};
use ruhu_sync::{FrameReader, KeyBytes, PROTOCOL_VERSION, RequestFrame, ResponseFrame, encode_all};
use rusqlite::{Connection, Transaction, params};

use crate::author::Pen;
use crate::client::Client;
use crate::env::{now_s, random};
use crate::error::Error;
use crate::exchange::{Moved, nonce_is_unknown};
use crate::identity::Identity;
use crate::problem::{code, refusal};
use crate::reauthor;
use crate::receive::{Receiver, Taken};
use crate::replay::Outgoing;
use crate::store::announcement;
use crate::store::batch::{self, DOCUMENT_SCHEMA, Seal};
use crate::store::epoch;
use crate::store::meta::{self, Fact};
use crate::store::set_aside::{self, Item};
use crate::store::village;
use crate::transport::{HttpResponse, Transport, TransportError};

pub(crate) use self::report::Tally;
pub use self::report::{Progress, SyncOutcome, SyncReport};

const SYNC_PATH: &str = "/v1/sync";
/// The problem code of a server that does not know this device: it may come from a backup that is older.
const DEVICE_UNKNOWN: &str = "device_unknown";
/// Sessions of one sync: one more after a restore, and one for each load of what is offered.
pub(crate) const SESSIONS_MAX: usize = 64;

/// The refusal of a device whose key another copy of its store gave up.
const KEY_COPIED: &str = "key_copied";
/// The refusal of a device that a person has to enrol again: what it sends is kept apart.
const DEVICE_PROVISIONAL: &str = "device_provisional";

/// How often a sync sends what it made this device write anew: that may be refused in its turn.
pub(crate) const REWRITES_MAX: usize = 4;

/// What came of one request.
pub(crate) enum Answered {
    /// Frames, and why the answer ended early.
    Frames(Vec<ResponseFrame>, Option<session::TransportError>),
    /// No answer, or none to be used.
    Failed(session::TransportError),
}

impl Client {
    /// Syncs every granted village with the server: sends what the server has not receipted, takes in
    /// what others wrote, and checks all of it.
    ///
    /// `progress` is called after each stored step. Dropping the future at any moment is safe.
    ///
    /// # Errors
    /// [`Error::NotEnrolled`]; [`Error::LogInconsistent`], after which no sync is possible until the
    /// device is enrolled again; [`Error::NewEpoch`]; [`Error::Refused`] when the server does not take
    /// this device or request; [`Error::Upgrade`]; or that the store fails. A failing link is no error
    /// but an outcome.
    pub async fn sync(
        &mut self,
        transport: &impl Transport,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<SyncReport, Error> {
        self.refuse_halted()?;
        let log = self.begin_sync()?;
        let mut tally = Tally::default();
        let mut ended = loop {
            let freed = tally.freed;
            let ended = self.run(transport, progress, &mut tally).await;
            // A batch that got its predecessor in this session was not among those it set out to send.
            if tally.freed == freed || !matches!(ended, Ok(SyncOutcome::Complete)) {
                break ended;
            }
        };
        if let Some(outcome) = self.settle_key(transport, &ended).await {
            ended = outcome;
        }
        let outcome = match &ended {
            Ok(SyncOutcome::Complete) => "complete".to_owned(),
            Ok(SyncOutcome::Paused) => "paused".to_owned(),
            Ok(SyncOutcome::Interrupted(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        self.end_sync(log, &outcome, &tally)?;
        let outcome = ended?;
        let villages = self.villages()?;
        let mismatched = villages.iter().filter(|village| village.mismatch_ms.is_some());
        Ok(SyncReport {
            outcome,
            progress: tally.progress,
            not_accepted: tally.not_accepted,
            rewritten: tally.rewritten,
            provisional: self.identity()?.certificate.kind == CertificateKind::Provisional,
            set_aside: tally.set_aside,
            waiting: self.waiting()?,
            requests: tally.requests,
            resumed: tally.resumed,
            sent_bytes: tally.sent_bytes,
            got_bytes: tally.got_bytes,
            snapshots: tally.snapshots,
            repairs: tally.repairs,
            mismatched: mismatched.map(|village| village.id).collect(),
            restored: tally.restored,
        })
    }

    /// Gives the key up when this store was found to be in two places; what a server says that keeps a
    /// device apart is not a failure then. `None` leaves the outcome as it is.
    async fn settle_key(
        &mut self,
        transport: &impl Transport,
        ended: &Result<SyncOutcome, Error>,
    ) -> Option<Result<SyncOutcome, Error>> {
        match ended {
            Ok(SyncOutcome::Complete) => {}
            Err(Error::Refused { code, .. }) if code == KEY_COPIED => {
                if let Err(error) = self.store.write(note_key_given_up) {
                    return Some(Err(error));
                }
            }
            Err(Error::Refused { code, .. }) if code == DEVICE_PROVISIONAL => {
                return Some(Ok(SyncOutcome::Complete));
            }
            _ => return None,
        }
        match self.must_give_up_its_key() {
            Ok(false) => None,
            Ok(true) => {
                match self.give_up_key(transport).await {
                    // A failing link is an outcome here too, and so is a log-in page; the next sync tries
                    // again with the same new key.
                    Err(Error::Transport(error)) => Some(Ok(SyncOutcome::Interrupted(error))),
                    Err(Error::Answer(_)) => Some(Ok(SyncOutcome::Interrupted(TransportError::Unclear))),
                    given_up => Some(given_up.map(|()| SyncOutcome::Complete)),
                }
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Takes new villages over in one piece, syncs, and mends what turned out to differ.
    async fn run(
        &mut self,
        transport: &impl Transport,
        progress: &mut dyn FnMut(Progress),
        tally: &mut Tally,
    ) -> Result<SyncOutcome, Error> {
        if let Some(error) = self.take_snapshots(transport, tally).await? {
            // What waits to be sent does not wait for a village that is still on its way.
            if self.waiting()? == 0 {
                return Ok(SyncOutcome::Interrupted(error));
            }
        }
        let outcome = self.run_sessions(transport, progress, tally).await?;
        if outcome != SyncOutcome::Complete || !self.repair_all(transport, tally).await? {
            return Ok(outcome);
        }
        let outcome = self.run_sessions(transport, progress, tally).await?;
        self.conclude_repairs(outcome == SyncOutcome::Complete, tally)?;
        Ok(outcome)
    }

    /// Sessions until nothing new was written anew: what a verdict made this device write goes out at once.
    async fn run_sessions(
        &mut self,
        transport: &impl Transport,
        progress: &mut dyn FnMut(Progress),
        tally: &mut Tally,
    ) -> Result<SyncOutcome, Error> {
        let mut outcome = SyncOutcome::Paused;
        for _ in 0..REWRITES_MAX {
            let before = tally.rewritten;
            outcome = self.session(transport, progress, tally).await?;
            if tally.rewritten == before || outcome != SyncOutcome::Complete {
                break;
            }
            outcome = SyncOutcome::Paused;
        }
        Ok(outcome)
    }

    async fn session(
        &mut self,
        transport: &impl Transport,
        progress: &mut dyn FnMut(Progress),
        tally: &mut Tally,
    ) -> Result<SyncOutcome, Error> {
        let summary = self.seal_and_sum_up()?;
        tally.progress.villages = summary.villages.len() as u64;
        tally.progress.villages_done = 0;
        let device = self.identity()?.device();
        let unsent = summary.villages.iter().flat_map(|village| &village.unsent);
        tally.progress.to_send =
            tally.progress.receipts + unsent.filter(|unsent| unsent.device == device).count() as u64;
        progress(tally.progress);
        let mut session = Session::new(summary);
        loop {
            match session.step().clone() {
                Step::Send(plan) => match self.request(transport, &plan, tally).await? {
                    Answered::Frames(frames, None) => session.received(frames),
                    Answered::Frames(frames, Some(error)) => session.failed_after(frames, error),
                    Answered::Failed(error) => session.failed(error),
                },
                Step::Store(commits) => {
                    let taken = self.take_in(&commits)?;
                    tally.add(&taken);
                    for (village, sequence) in &taken.raw_wanted {
                        session.want_raw(*village, *sequence);
                    }
                    progress(tally.progress);
                    if taken.restored.is_some() {
                        // What there is to send is another thing now.
                        session = self.session_again(tally)?;
                    } else {
                        session.stored();
                    }
                }
                Step::Done(report) => {
                    let more = report.outcome == Outcome::Complete && tally.sessions < SESSIONS_MAX;
                    if more && epoch::offers_left(self.store.read())? > 0 {
                        tally.sessions += 1;
                        session = self.session_again(tally)?;
                    } else {
                        return self.conclude(report, tally);
                    }
                }
            }
        }
    }

    /// Another session, over what there is to sync now.
    fn session_again(&mut self, tally: &mut Tally) -> Result<Session, Error> {
        let summary = self.seal_and_sum_up()?;
        let to_send: u64 = summary.villages.iter().map(|village| village.unsent.len() as u64).sum();
        tally.progress.to_send = tally.progress.receipts + to_send;
        Ok(Session::new(summary))
    }

    /// Seals what waits, and says what there is to sync.
    fn seal_and_sum_up(&mut self) -> Result<Summary, Error> {
        let identity = self.identity()?.clone();
        let (store, environment) = self.store_and_environment();
        store.write(|tx| {
            let mut villages = Vec::new();
            for village in village::all(tx)?.into_iter().filter(|village| village.granted) {
                batch::seal(tx, &identity, village.id, environment, Seal::All)?;
                villages.push(VillageSummary {
                    village: village.id,
                    cursor: village::cursor(tx, village.id)?,
                    keys_given: village::keys_given(tx, village.id)?,
                    vector: batch::tips(tx, village.id)?,
                    above: batch::tips_above(tx, village.id)?,
                    unsent: batch::unsent(tx, village.id)?,
                    keys: village::keys_waiting(tx, village.id)?,
                });
            }
            // A village with something to send comes before one that only has to be asked about.
            villages.sort_by_key(|village| village.unsent.is_empty());
            Ok(Summary { villages })
        })
    }

    /// Sends one request and reads the answer as far as it arrived.
    async fn request(
        &mut self,
        transport: &impl Transport,
        plan: &RequestPlan,
        tally: &mut Tally,
    ) -> Result<Answered, Error> {
        let body = self.body(plan, tally)?;
        let mut moved = Moved::default();
        let batches = plan.batch_count();
        let is_enough = |response: &HttpResponse| has_settled(response, batches);
        let answer = self.exchange(transport, SYNC_PATH, &body, is_enough, &mut moved).await;
        tally.requests += moved.requests;
        tally.sent_bytes += moved.sent_bytes;
        tally.resumed += moved.resumed;
        let response = match answer? {
            Ok(response) => response,
            Err(error) => return Ok(Answered::Failed(session_error(&error))),
        };
        tally.got_bytes += response.body.len() as u64;
        match response.status {
            200 => {
                let answered = read_frames(&response);
                if let Answered::Frames(frames, None) = &answered
                    && matches!(frames.last(), Some(ResponseFrame::Bye))
                {
                    let offered = std::mem::take(&mut tally.offered);
                    self.store.write(|tx| epoch::offered(tx, &offered))?;
                }
                Ok(answered)
            }
            401 if code(&response).as_deref() == Some(DEVICE_UNKNOWN) && !tally.introduced => {
                tally.introduced = true;
                let present = self.identity()?.epoch;
                self.store.write(|tx| epoch::offer_all(tx, present))?;
                tally.busy = Some(refusal(&response));
                Ok(Answered::Failed(session::TransportError::Busy))
            }
            // A refusal that was cut off says nothing.
            _ if !response.whole => Ok(Answered::Failed(session::TransportError::Cut)),
            // It forgets faster than this device can sign, as when it is started again and again.
            401 if nonce_is_unknown(&response) => {
                tally.busy = None;
                Ok(Answered::Failed(session::TransportError::Busy))
            }
            // A stalled request and a full disk lose nothing: the same may be sent again.
            408 | 429 | 500 | 502 | 503 | 504 | 507 => {
                // What does not explain itself is not the server but something before it.
                tally.busy = code(&response).map(|_| refusal(&response));
                Ok(Answered::Failed(session::TransportError::Busy))
            }
            _ => Err(refusal(&response)),
        }
    }

    /// The request's frames; its batches are marked as sent before they leave.
    fn body(&mut self, plan: &RequestPlan, tally: &mut Tally) -> Result<Vec<u8>, Error> {
        let identity = self.identity()?.clone();
        self.store.write(|tx| {
            let anchor = batch::anchor(tx, identity.epoch)?;
            let hello = Hello {
                protocol: PROTOCOL_VERSION,
                deployment: identity.certificate.deployment,
                device: identity.device(),
                schema: DOCUMENT_SCHEMA,
                replay: plan.replay,
                checkpoint_size: anchor.size,
            };
            let announcement = |village| announcement::own(tx, &identity, village);
            let key = |household| village::key_bytes(tx, household).map(KeyBytes);
            let mut outgoing = Outgoing::new(tx, &identity)?;
            let frame = |id, raw| {
                batch::mark_sent(tx, &id)?;
                outgoing.frame(id, raw)
            };
            let old_receipt = |id| batch::old_receipt(tx, &id, identity.epoch);
            let mut frames = plan.frames(hello, announcement, key, frame, old_receipt)?;
            let offers = epoch::offers(tx, OFFERS_PER_REQUEST, OFFER_BYTES_PER_REQUEST)?;
            tally.offered = offers.iter().map(|(id, _)| *id).collect();
            frames.splice(1..1, offers.into_iter().map(|(_, offer)| RequestFrame::Offer(offer)));
            Ok(encode_all(&frames))
        })
    }

    /// Takes in the commits of one answer in one transaction.
    fn take_in(&mut self, commits: &[Commit]) -> Result<Taken, Error> {
        let identity = self.identity()?.clone();
        let now_ms = self.environment().now_ms();
        let claimed_at = now_s(self.environment()).clamp(0, CLAIMED_AT_MAX);
        // Whatever is written anew is by a fresh actor: it must not stand on what was not accepted.
        let opening = random(self.environment())?;
        let (store, environment) = self.store_and_environment();
        let taken = store.write(|tx| {
            if commits.iter().any(|commit| matches!(commit, Commit::Checkpoint(_))) {
                // What was written under the old checkpoint is sealed under it.
                for village in village::all(tx)?.into_iter().filter(|village| village.granted) {
                    batch::seal(tx, &identity, village.id, environment, Seal::All)?;
                }
            }
            let mut taken = Receiver::new(tx, &identity, now_ms)?.take(commits)?;
            let identity = Identity::load(tx)?.ok_or(Error::NotEnrolled)?;
            let pen = Pen { tx, identity: &identity, opening, claimed_at };
            taken.rewritten = reauthor::run(&pen)?;
            Ok(taken)
        });
        if let Err(Error::LogInconsistent) = &taken {
            self.halt(commits, now_ms)?;
        }
        let taken = taken?;
        if taken.rewritten > 0 {
            self.opening = opening;
        }
        self.reload_identity()?;
        Ok(taken)
    }

    /// Keeps the evidence of a log that contradicts itself, and takes nothing more from this server.
    fn halt(&mut self, commits: &[Commit], now_ms: i64) -> Result<(), Error> {
        let epoch = self.identity()?.epoch;
        self.store.write(|tx| {
            for commit in commits {
                let Commit::Checkpoint(frame) = commit else { continue };
                let held = held_note(tx, epoch)?;
                let evidence = format!("{}\n---\n{held}\n---\n{:?}\n", frame.note, frame.consistency);
                let item = Item {
                    kind: "checkpoint",
                    code: "log_inconsistent",
                    subject: &epoch.to_string(),
                    bytes: evidence.as_bytes(),
                };
                set_aside::keep(tx, now_ms, item)?;
            }
            meta::set(tx, Fact::Halted, &now_ms.to_be_bytes())
        })
    }

    pub(crate) fn refuse_halted(&self) -> Result<(), Error> {
        self.identity()?;
        match meta::get(self.store.read(), Fact::Halted)? {
            Some(halted) if !halted.is_empty() => Err(Error::LogInconsistent),
            _ => Ok(()),
        }
    }

    fn conclude(&mut self, report: session::Report, tally: &mut Tally) -> Result<SyncOutcome, Error> {
        for missing in &report.missing {
            self.store
                .write(|tx| batch::queue_again(tx, missing.village, missing.device, missing.expected))?;
        }
        match report.outcome {
            Outcome::Complete => Ok(SyncOutcome::Complete),
            Outcome::Paused => Ok(SyncOutcome::Paused),
            Outcome::Refused(refused) => Err(match refused.upgrade {
                Some(side) => Error::Upgrade(side),
                None => refused_inside(refused),
            }),
            Outcome::GaveUp(error) => match (error, tally.busy.take()) {
                (session::TransportError::Refused(refused), _) => Err(match refused.upgrade {
                    Some(side) => Error::Upgrade(side),
                    None => refused_inside(refused),
                }),
                (session::TransportError::Busy, Some(refusal)) => Err(refusal),
                (error, _) => Ok(SyncOutcome::Interrupted(transport_error(&error))),
            },
        }
    }

    fn begin_sync(&mut self) -> Result<i64, Error> {
        let now_ms = self.environment().now_ms();
        self.store.write(|tx| {
            tx.execute("INSERT INTO sync_log (started_ms) VALUES (?1)", [now_ms])?;
            Ok(tx.last_insert_rowid())
        })
    }

    fn end_sync(&mut self, log: i64, outcome: &str, tally: &Tally) -> Result<(), Error> {
        let now_ms = self.environment().now_ms();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.store.write(|tx| {
            tx.execute(
                "UPDATE sync_log SET ended_ms = ?2, outcome = ?3, requests = ?4, sent_bytes = ?5, got_bytes = ?6,
                     receipts = ?7, batches = ?8 WHERE sync_log = ?1",
                params![
                    log,
                    now_ms,
                    outcome,
                    number(tally.requests),
                    number(tally.sent_bytes),
                    number(tally.got_bytes),
                    number(tally.progress.receipts),
                    number(tally.progress.relayed)
                ],
            )?;
            Ok(())
        })
    }
}

/// Notes that another copy of this store gave the key up; where the two parted is not known.
fn note_key_given_up(tx: &Transaction<'_>) -> Result<(), Error> {
    if meta::present(tx, Fact::Copied)?.is_none() {
        meta::set(tx, Fact::Copied, &[0; 24])?;
    }
    Ok(())
}

fn held_note(connection: &Connection, epoch: ruhu_survey::id::EpochId) -> Result<String, Error> {
    let mut statement = connection.prepare_cached("SELECT note FROM checkpoint WHERE epoch = ?1")?;
    Ok(statement.query_row([epoch.as_bytes()], |row| row.get(0))?)
}

/// Whether an answer that was cut says of each batch of its request what became of it: what follows is given
/// again for the asking, and the cursor moves with it.
fn has_settled(response: &HttpResponse, batches: usize) -> bool {
    let Answered::Frames(frames, _) = read_frames(response) else { return false };
    let settles =
        |frame: &&ResponseFrame| matches!(frame, ResponseFrame::Receipt(_) | ResponseFrame::BatchProblem(_));
    frames.iter().filter(settles).count() >= batches && frames.len() > batches
}

/// The frames of an answer as far as they can be read.
pub(crate) fn read_frames(response: &HttpResponse) -> Answered {
    let mut reader = FrameReader::<ResponseFrame>::new();
    let (mut rest, mut frames) = (response.body.as_slice(), Vec::new());
    let ended: Result<(), WireError> = loop {
        match reader.read(&mut rest) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => break reader.finish(),
            Err(error) => break Err(error),
        }
    };
    match ended {
        Ok(()) if response.whole => Answered::Frames(frames, None),
        Ok(()) => Answered::Frames(frames, Some(session::TransportError::Cut)),
        Err(error) => Answered::Frames(frames, Some(error.into())),
    }
}

fn session_error(error: &TransportError) -> session::TransportError {
    match error {
        TransportError::Unreachable | TransportError::Insecure(_) | TransportError::Address(_) => {
            session::TransportError::Unreachable
        }
        TransportError::Cut => session::TransportError::Cut,
        TransportError::Stalled => session::TransportError::Timeout,
        TransportError::TooLarge | TransportError::Unclear => session::TransportError::Malformed,
    }
}

fn transport_error(error: &session::TransportError) -> TransportError {
    match error {
        session::TransportError::Timeout => TransportError::Stalled,
        session::TransportError::Cut => TransportError::Cut,
        session::TransportError::Malformed | session::TransportError::Stalled => TransportError::Unclear,
        _ => TransportError::Unreachable,
    }
}

fn refused_inside(refused: ruhu_sync::Refused) -> Error {
    Error::Refused { code: refused.code, status: 200, title: refused.detail.clone(), detail: refused.detail }
}
