//! Taking in what the server sent: everything is verified, what passes is stored, what fails is set aside.
//!
//! One answer's commits are one transaction. Only a log that contradicts what was seen before stops it.

use std::collections::BTreeMap;

use ruhu_ledger::batch::{Anchor, Batch, BatchBody, BatchHeader, change_hash};
use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::checkpoint::{Checkpoint, NoteKey};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::replay::{Previous, ReplayBatch, ReplayReader};
use ruhu_ledger::succession::EpochLink;
use ruhu_ledger::tree::verify_consistency;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::authorise::Author;
use ruhu_survey::change::DocumentId;
use ruhu_survey::id::VillageId;
use ruhu_sync::response::{
    BatchProblem, CheckpointFrame, ProblemOutcome, Relayed, RelayedReplay, VillageKeys, Welcome,
};
use ruhu_sync::session::{Commit, PartDone, VillageCommit};
use ruhu_sync::{Cursor, Fingerprint};
use rusqlite::Transaction;

mod judged;
mod restored;

pub use self::restored::Restored;

use crate::error::Error;
use crate::identity::Identity;
use crate::peer::NEEDS;
use crate::replay;
use crate::store::batch::{self, BatchState};
use crate::store::document::{self, Arrived, ChangeState};
use crate::store::epoch::{self, Lineage};
use crate::store::meta::{self, Fact};
use crate::store::set_aside::{self, Item};
use crate::store::{announcement, certificate, snapshot, village};
use crate::workbench::{NotApplied, Rights, Workbench, name};

/// The code of a receipt of an epoch that is not known here, or of what its end lost.
pub(crate) const OTHER_EPOCH: &str = "other_epoch";

/// What one answer brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Own batches that are now known to be received.
    pub(crate) receipts: u64,
    /// Relayed batches that were new.
    pub(crate) relayed: u64,
    /// Own changes that the server did not accept.
    pub(crate) not_accepted: u64,
    /// Own changes written anew in the place of some that were not accepted.
    pub(crate) rewritten: u64,
    /// Things set aside.
    pub(crate) set_aside: u64,
    /// Batches carried for others that are now known to be received.
    pub(crate) carried: u64,
    /// Batches that had waited for the one before them and can be sent now.
    pub(crate) freed: u64,
    /// Villages that are caught up now.
    pub(crate) caught_up: Vec<VillageId>,
    /// The first feed number of each village that was not understood in the replay stream: it and what
    /// follows it were left, to be asked for again.
    pub(crate) raw_wanted: BTreeMap<VillageId, u64>,
    /// The server was restored from a backup since the last answer.
    pub(crate) restored: Option<Restored>,
}

/// The taking in of one answer.
pub(crate) struct Receiver<'a> {
    pub(crate) tx: &'a Transaction<'a>,
    pub(crate) identity: Identity,
    lineage: Lineage,
    /// How the server says its epochs followed one another.
    links: Vec<EpochLink>,
    /// The newest checkpoint of the epoch that ended with this answer.
    before: Option<Anchor>,
    now_ms: i64,
    pub(crate) bench: Workbench<'a>,
    stream: ReplayReader,
    pub(crate) taken: Taken,
}

impl<'a> Receiver<'a> {
    pub(crate) fn new(tx: &'a Transaction<'a>, identity: &Identity, now_ms: i64) -> Result<Self, Error> {
        Ok(Self {
            tx,
            identity: identity.clone(),
            lineage: Lineage::of(tx, identity.epoch)?,
            links: Vec::new(),
            before: None,
            now_ms,
            bench: Workbench::new(tx),
            stream: ReplayReader::new(replay::start(tx, identity)?),
            taken: Taken::default(),
        })
    }

    /// Takes in all commits of one answer.
    ///
    /// # Errors
    /// [`Error::LogInconsistent`], [`Error::NewEpoch`], or that the store fails; nothing is kept then.
    pub(crate) fn take(mut self, commits: &[Commit]) -> Result<Taken, Error> {
        // An answer cut off right after its welcome says nothing yet.
        if matches!(commits, [Commit::Welcome(_)]) {
            return Ok(self.taken);
        }
        let fingerprints = commits.iter().filter_map(|commit| match commit {
            Commit::Village(part) => Some(part),
            _ => None,
        });
        let parts: Vec<&VillageCommit> = fingerprints.collect();
        for commit in commits {
            self.one(commit)?;
        }
        self.retry_needing()?;
        self.bench.finish()?;
        for part in parts {
            let left = self.taken.raw_wanted.get(&part.village).copied();
            village_part(self.tx, part, left, self.now_ms, &mut self.taken)?;
        }
        Ok(self.taken)
    }

    fn one(&mut self, commit: &Commit) -> Result<(), Error> {
        match commit {
            Commit::Succession(link) => {
                self.links.push(link.as_ref().clone());
                Ok(())
            }
            Commit::Welcome(welcome) => self.welcome(welcome),
            Commit::Receipt(receipt) => self.receipt(receipt),
            Commit::Problem(problem) => self.problem(problem),
            Commit::KeysHeld(households) => {
                households.iter().try_for_each(|household| village::key_held(self.tx, *household))
            }
            Commit::Certificate(certificate) => self.certificate(certificate),
            Commit::Revocation(revocation) => self.revocation(revocation),
            Commit::Keys(keys) => self.keys(keys),
            Commit::Relayed(relayed) if self.is_left(relayed.village, relayed.sequence) => Ok(()),
            Commit::Relayed(relayed) => self.relayed(relayed),
            Commit::Replay(relayed) => self.replayed(relayed),
            Commit::Decision(decision) if self.is_left(decision.village, decision.sequence) => Ok(()),
            Commit::Decision(decision) => self.decision(decision),
            Commit::Fork(fork) if fork.device == self.identity.device() => {
                note_copied(self.tx, fork.village, fork.number)
            }
            Commit::Fork(_) => Ok(()),
            Commit::Checkpoint(checkpoint) => self.checkpoint(checkpoint),
            Commit::VectorWanted(village) => village::forget_cursor(self.tx, *village),
            Commit::Watermark(watermark) => self.watermark(watermark),
            Commit::Announcements(told) => announcement::keep(self.tx, self.identity.epoch, told),
            Commit::Village(_) => Ok(()),
        }
    }

    pub(crate) fn put_aside(
        &mut self,
        kind: &str,
        code: &str,
        subject: &str,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let new = set_aside::keep(self.tx, self.now_ms, Item { kind, code, subject, bytes })?;
        self.taken.set_aside += u64::from(new);
        Ok(())
    }

    fn welcome(&mut self, welcome: &Welcome) -> Result<(), Error> {
        self.follow(welcome.epoch)?;
        let ahead = self.now_ms.saturating_sub(welcome.server_time_ms);
        meta::set(self.tx, Fact::ClockAhead, &ahead.to_be_bytes())
    }

    /// A receipt for a batch of this device, or of one that it carries.
    fn receipt(&mut self, receipt: &SignedReceipt) -> Result<(), Error> {
        let id = receipt.statement.batch;
        let known = match batch::find(self.tx, &id)? {
            // A store that was taken back to an earlier day, and something on the way that repeats what it was
            // once answered: the receipt comes again with its batch.
            None => return Ok(()),
            Some(known) if known.received => return Ok(()),
            Some(known) => known,
        };
        let held = batch::read(&batch::bytes(self.tx, &id)?)?;
        match self.check_receipt(receipt, &held.header) {
            Ok(()) => self.received(&known, receipt, None),
            Err(code) => self.put_aside("receipt", code, &id.to_string(), &receipt.to_bytes()),
        }
    }

    /// Whether a receipt is by our server, speaks of this batch, and of what the present log holds.
    pub(crate) fn check_receipt(
        &self,
        receipt: &SignedReceipt,
        header: &BatchHeader,
    ) -> Result<(), &'static str> {
        self.check_former_receipt(receipt, header)?;
        let said = &receipt.statement;
        if self.lineage.holds(said.epoch, said.leaf_index) { Ok(()) } else { Err(OTHER_EPOCH) }
    }

    /// Whether a receipt is by our server and speaks of this batch, in this epoch or in one before it.
    pub(crate) fn check_former_receipt(
        &self,
        receipt: &SignedReceipt,
        header: &BatchHeader,
    ) -> Result<(), &'static str> {
        let said = &receipt.statement;
        let Some(key) = self.lineage.key(said.epoch) else { return Err(OTHER_EPOCH) };
        if receipt.verify(&key).is_err() {
            Err("signature")
        } else if said.batch != header.id() {
            Err("other_batch")
        } else if said.verdicts.len() != usize::from(header.count) {
            Err("verdict_count")
        } else {
            Ok(())
        }
    }

    fn problem(&mut self, problem: &BatchProblem) -> Result<(), Error> {
        let state = match problem.outcome {
            ProblemOutcome::Staged { .. } => BatchState::Sent,
            ProblemOutcome::Rejected => BatchState::TurnedAway,
            // It names no batch: the session sends it again, raw.
            ProblemOutcome::RawWanted { .. } => return Ok(()),
        };
        if state == BatchState::TurnedAway {
            self.turned_away(&problem.batch, &problem.code)?;
        }
        batch::mark_problem(self.tx, &problem.batch, &problem.code, state)
    }

    pub(crate) fn certificate(&mut self, signed: &SignedCertificate) -> Result<(), Error> {
        let statement = &signed.statement;
        let subject = statement.device().to_string();
        if !self.is_ours(signed)? {
            return self.put_aside("certificate", "signature", &subject, &signed.to_bytes());
        }
        if statement.deployment != self.identity.certificate.deployment {
            return self.put_aside("certificate", "other_deployment", &subject, &signed.to_bytes());
        }
        certificate::put(self.tx, signed)?;
        let own = &self.identity.certificate;
        if statement.key == own.key && statement.serial > own.serial && statement.user == own.user {
            meta::set(self.tx, Fact::Certificate, &signed.to_bytes())?;
            village::grant(self.tx, &statement.villages)?;
        }
        Ok(())
    }

    pub(crate) fn revocation(&mut self, signed: &SignedRevocation) -> Result<(), Error> {
        let statement = &signed.statement;
        let subject = statement.device.to_string();
        if !self.is_ours(signed)? {
            return self.put_aside("revocation", "signature", &subject, &signed.to_bytes());
        }
        if statement.deployment != self.identity.certificate.deployment {
            return self.put_aside("revocation", "other_deployment", &subject, &signed.to_bytes());
        }
        certificate::revoke(self.tx, signed)
    }

    fn keys(&mut self, keys: &VillageKeys) -> Result<(), Error> {
        if !village::is_known(self.tx, keys.village)? {
            return self.put_aside("keys", "unknown_village", &keys.village.to_string(), &[]);
        }
        if let Some(search_key) = &keys.search_key {
            village::keep_search_key(self.tx, keys.village, &search_key.0)?;
        }
        for (household, key) in &keys.households {
            if !village::keep_key(self.tx, keys.village, *household, &key.0)? {
                self.put_aside("keys", "other_key", &household.to_string(), &[])?;
            }
        }
        village::move_keys(self.tx, keys.village, self.identity.epoch, keys.given)
    }

    fn relayed(&mut self, relayed: &Relayed) -> Result<(), Error> {
        match self.open_relayed(relayed) {
            Ok(opened) => self.store_relayed(relayed, &opened),
            Err(Aside::Store(error)) => Err(error),
            Err(Aside::Code(code)) => {
                let subject = relayed.receipt.statement.batch.to_string();
                self.put_aside("batch", code, &subject, &relayed.batch)
            }
        }
    }

    /// Whether something of a village's feed comes after what was left in the replay stream.
    fn is_left(&self, village: VillageId, sequence: u64) -> bool {
        self.taken.raw_wanted.get(&village).is_some_and(|left| *left <= sequence)
    }

    /// Takes in a batch of the replay stream, or leaves it and all that follows it in the feed.
    ///
    /// What is put together is taken in as if it had come raw; only where nothing fits is it left.
    fn replayed(&mut self, relayed: &RelayedReplay) -> Result<(), Error> {
        let read = self.stream.batch(&relayed.bytes, true).ok();
        if self.is_left(relayed.village, relayed.sequence) {
            return Ok(());
        }
        let whole = match read {
            Some(read) => self.whole(relayed, &read)?,
            None => None,
        };
        match whole {
            Some(whole) => self.relayed(&whole),
            None => {
                self.taken.raw_wanted.insert(relayed.village, relayed.sequence);
                Ok(())
            }
        }
    }

    /// The batch and its receipt as they would have come raw, when they verify.
    fn whole(&self, relayed: &RelayedReplay, read: &ReplayBatch) -> Result<Option<Relayed>, Error> {
        let (village, sequence) = (relayed.village, relayed.sequence);
        let place = (village, Previous::Held);
        let Ok(batch) = replay::put_together(self.tx, &self.bench, &self.identity, place, read)? else {
            return Ok(None);
        };
        let Some(receipt) = &read.receipt else { return Ok(None) };
        let receipt = receipt.complete(batch.id(), usize::from(batch.header.count));
        let genuine = self.check_former_receipt(&receipt, &batch.header).is_ok();
        Ok(genuine.then(|| Relayed { village, sequence, batch: batch.to_bytes(), receipt }))
    }

    /// Verifies a relayed batch: the server's receipt, the author's certificate, the signature, the body.
    pub(crate) fn open_relayed(&self, relayed: &Relayed) -> Result<Opened, Aside> {
        let batch = Batch::from_bytes(&relayed.batch).map_err(|_| Aside::Code("malformed"))?;
        self.check_receipt(&relayed.receipt, &batch.header).map_err(Aside::Code)?;
        if batch.header.village != relayed.village || !village::is_known(self.tx, relayed.village)? {
            return Err(Aside::Code("other_village"));
        }
        let said = &relayed.receipt.statement;
        let author = self.author(&batch, said.received_ms)?.ok_or(Aside::Code("author"))?;
        let body = batch.open().map_err(|_| Aside::Code("body"))?;
        let revoked = certificate::revoked_ms(self.tx, batch.header.device)?;
        if revoked.is_some_and(|at_ms| at_ms < said.received_ms)
            && self.brings_accepted(relayed.village, &body, &said.verdicts)?
        {
            return Err(Aside::Code("revoked"));
        }
        Ok(Opened { batch, body, author })
    }

    /// Whether a batch brings an accepted change that is not here yet. A copy of a device can seal anew what
    /// had been accepted before its key was revoked.
    fn brings_accepted(
        &self,
        village: VillageId,
        body: &BatchBody,
        verdicts: &[Verdict],
    ) -> Result<bool, Error> {
        for ((id, bytes), verdict) in body.changes.iter().zip(verdicts) {
            let stored = document::load(self.tx, village, *id)?;
            let state = match stored.zip(change_hash(bytes)) {
                Some((stored, hash)) => document::state_of(self.tx, stored.row, hash)?,
                None => None,
            };
            let is_here = matches!(state, Some((ChangeState::Own | ChangeState::Accepted, _)));
            if *verdict == Verdict::Accepted && !is_here {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn store_relayed(&mut self, relayed: &Relayed, opened: &Opened) -> Result<(), Error> {
        let Opened { batch, body, author } = opened;
        if let Some(known) = batch::find(self.tx, &batch.id())? {
            return match known.received {
                true => Ok(()),
                false => self.received(&known, &relayed.receipt, Some(relayed.sequence)),
            };
        }
        if batch.header.device == self.identity.device() {
            // This store never wrote it: another one goes on under the same key.
            note_copied(self.tx, relayed.village, batch.header.number)?;
        }
        let row = batch::insert(self.tx, batch, 0, BatchState::Received)?;
        batch::keep_receipt(self.tx, row, &relayed.receipt, Some(relayed.sequence))?;
        let verdicts = &relayed.receipt.statement.verdicts;
        for (position, ((id, bytes), verdict)) in body.changes.iter().zip(verdicts).enumerate() {
            let arriving = Arriving { row, position, id: *id, bytes, verdict };
            self.arrive(relayed.village, arriving, author, &body.openings)?;
        }
        self.taken.relayed += 1;
        self.unstage_after(&batch.id())
    }

    /// Who a batch's changes are by: the certificate that its signature and village fit, and of several
    /// the last that began before the server received it.
    pub(crate) fn author(&self, batch: &Batch, received_ms: i64) -> Result<Option<Author>, Error> {
        let known = certificate::of(self.tx, batch.header.device)?;
        let fitting: Vec<_> = known.into_iter().filter(|held| batch.verify(held).is_ok()).collect();
        let held = fitting.iter().find(|held| held.from_ms <= received_ms).or_else(|| fitting.last());
        let Some(held) = held else { return Ok(None) };
        Ok(Some(Author { device: batch.header.device, role: held.role, user: batch.header.user }))
    }

    fn arrive(
        &mut self,
        village: VillageId,
        arriving: Arriving<'_>,
        author: &Author,
        openings: &[[u8; 8]],
    ) -> Result<(), Error> {
        let Arriving { row, position, id, bytes, verdict } = arriving;
        let Some(hash) = change_hash(bytes) else { return Ok(()) };
        let (mut state, mut rule) = ChangeState::of(verdict);
        let document = self.bench.row(village, id)?;
        if document::state_of(self.tx, document, hash)?.is_some() {
            return Ok(());
        }
        if state == ChangeState::Accepted {
            let mut applied = self.bench.apply(village, id, bytes, author, Rights::AsAccepted, openings)?;
            if matches!(&applied, Err(NotApplied { code }) if code == NEEDS) {
                // It may stand on what another device handed over, and that on what came just before.
                self.retry_needing()?;
                applied = self.bench.apply(village, id, bytes, author, Rights::AsAccepted, openings)?;
            }
            if let Err(NotApplied { code }) = applied {
                // What a snapshot left out is fetched by the repair that follows.
                if code != NEEDS || snapshot::left_out(self.tx, village)?.is_empty() {
                    self.put_aside("change", &code, &name(id, hash), bytes)?;
                }
                (state, rule) = (ChangeState::SetAside, code);
            }
        }
        document::add_arrived(
            self.tx,
            &Arrived { document, hash, bytes, batch: row, position, state, rule: &rule },
        )?;
        Ok(())
    }

    /// A newer checkpoint: signed, and an extension of the one held.
    fn checkpoint(&mut self, frame: &CheckpointFrame) -> Result<(), Error> {
        let (deployment, epoch) = (self.identity.certificate.deployment, self.identity.epoch);
        let server_key = self.identity.server_key;
        let key = match epoch::link(self.tx, epoch)? {
            None => NoteKey::of_log(deployment, server_key),
            Some(_) => NoteKey::of_epoch(deployment, epoch, server_key),
        };
        let Ok(new) = Checkpoint::open(&frame.note, &key) else {
            return self.put_aside("checkpoint", "signature", "", frame.note.as_bytes());
        };
        let held = match self.before {
            // What the restored log goes on from must be what this device has seen of the old one.
            Some(before)
                if frame.from_size == before.size && before.size <= self.lineage.below(before.epoch) =>
            {
                before
            }
            _ => batch::anchor(self.tx, epoch)?,
        };
        if !continues(&held, &new, &frame.consistency) {
            return Err(Error::LogInconsistent);
        }
        village::keep_checkpoint(self.tx, epoch, &new, &frame.note, self.now_ms)
    }
}

/// Notes that this store was copied or restored; the first place where it was seen stays.
fn note_copied(tx: &Transaction<'_>, village: VillageId, number: u64) -> Result<(), Error> {
    if meta::present(tx, Fact::Copied)?.is_some() {
        return Ok(());
    }
    let place = [village.as_bytes().as_slice(), &number.to_be_bytes()].concat();
    meta::set(tx, Fact::Copied, &place)
}

/// Whether the log of `new` begins with the whole log of `held`.
fn continues(held: &Anchor, new: &Checkpoint, proof: &[[u8; 32]]) -> bool {
    match new.size.cmp(&held.size) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => new.root == held.root,
        std::cmp::Ordering::Greater if held.size == 0 => true,
        std::cmp::Ordering::Greater => {
            verify_consistency(held.size, &held.root, new.size, &new.root, proof).is_ok()
        }
    }
}

/// Moves a village's cursor, not beyond what was left, and compares fingerprints where the feed is given to its end.
fn village_part(
    tx: &Transaction<'_>,
    part: &VillageCommit,
    left: Option<u64>,
    now_ms: i64,
    taken: &mut Taken,
) -> Result<(), Error> {
    let last = left.map_or(u64::MAX, |left| left.saturating_sub(1));
    let cursor = Cursor { number: part.cursor.number.min(last), ..part.cursor };
    village::move_cursor(tx, part.village, cursor)?;
    if left.is_some() {
        return Ok(());
    }
    let Some(PartDone { fingerprint, more: false }) = part.done else { return Ok(()) };
    let mut own = Fingerprint::from_value(snapshot::left_out_sum(tx, part.village)?);
    document::accepted(tx, part.village)?.iter().for_each(|hash| own.add(hash));
    village::caught_up(tx, part.village, now_ms, own.value() == fingerprint)?;
    taken.caught_up.push(part.village);
    Ok(())
}

/// One change on its way in.
struct Arriving<'a> {
    row: i64,
    position: usize,
    id: DocumentId,
    bytes: &'a [u8],
    verdict: &'a Verdict,
}

/// A relayed batch that was verified.
pub(crate) struct Opened {
    pub(crate) batch: Batch,
    pub(crate) body: BatchBody,
    pub(crate) author: Author,
}

/// Why a relayed batch is not stored.
pub(crate) enum Aside {
    Code(&'static str),
    Store(Error),
}

impl From<Error> for Aside {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}
