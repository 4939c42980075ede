//! Taking in what another device handed on: verified like what the server relays, and judged here as the
//! server will judge it, until the server's receipt says what became of it.

use std::collections::VecDeque;

use ruhu_ledger::batch::{Batch, BatchBody, BatchId, change_hash};
use ruhu_ledger::certificate::{Certificate, CertificateKind};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::replay::Previous;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::authorise::Author;
use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind};
use ruhu_survey::id::VillageId;
use ruhu_sync::peer::{CarriedBatch, CarriedReceipt, CarriedReplay, HouseholdKeys, PeerFrame, PieceReader};
use ruhu_sync::response::RelayedDecision;

use crate::error::Error;
use crate::receive::{OTHER_EPOCH, Receiver};
use crate::replay;
use crate::store::batch::{self, BatchState};
use crate::store::document::{self, Arrived, ChangeState};
use crate::store::{certificate, staged, village};
use crate::workbench::{NotApplied, Rights, name};

/// What a handing over brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// Batches that were new here.
    pub batches: u64,
    /// Of these, how many the server has received.
    pub received: u64,
    /// Of the new ones, how many wait for a batch before them; they are not applied.
    pub staged: u64,
    /// Own batches that are now known to be received.
    pub receipts: u64,
    /// Batches of others, held here before, that are now known to be received.
    pub receipts_of_others: u64,
    /// Decisions that were new here.
    pub decisions: u64,
    /// Keys of households that were new here.
    pub keys: u64,
    /// Things that could not be verified and were set aside.
    pub set_aside: u64,
    /// Batches that came without what this device was taken to hold, such as their author's certificate, and could
    /// not be put together or judged: they are not here.
    pub not_built: u64,
}

impl Carried {
    /// Adds another count.
    pub(crate) fn add(&mut self, other: &Self) {
        self.batches += other.batches;
        self.received += other.received;
        self.staged += other.staged;
        self.receipts += other.receipts;
        self.receipts_of_others += other.receipts_of_others;
        self.decisions += other.decisions;
        self.keys += other.keys;
        self.set_aside += other.set_aside;
        self.not_built += other.not_built;
    }
}

/// The author's certificate has not come here yet.
const UNKNOWN_AUTHOR: &str = "unknown_author";

/// What a receipt that another device handed on is worth.
#[derive(Debug, Clone, Copy)]
enum Worth<'r> {
    /// The server has the batch.
    Received(&'r SignedReceipt),
    /// The server had it before it was restored: it takes the batch as of then.
    Former(&'r SignedReceipt),
    /// There is none, or none by a server that is known here.
    Nothing,
}

impl<'r> Worth<'r> {
    fn received(self) -> Option<&'r SignedReceipt> {
        match self {
            Self::Received(receipt) => Some(receipt),
            Self::Former(_) | Self::Nothing => None,
        }
    }
}

/// A batch of somebody else's that was verified.
pub(crate) struct Verified {
    batch: Batch,
    body: BatchBody,
    author: Author,
    certificate: Certificate,
}

impl Receiver<'_> {
    /// Takes in what another device handed on, in its order.
    ///
    /// # Errors
    /// That the store fails; nothing is kept then.
    pub(crate) fn take_carried(
        mut self,
        frames: &[PeerFrame],
        pieces: &mut PieceReader,
    ) -> Result<Carried, Error> {
        let mut carried = Carried::default();
        for frame in frames {
            match frame {
                PeerFrame::Certificate(signed) => self.certificate(signed)?,
                PeerFrame::Revocation(signed) => self.revocation(signed)?,
                PeerFrame::Keys(keys) => carried.keys += self.carried_keys(keys)?,
                PeerFrame::Batch(batch) => self.carried_batch(batch, &mut carried)?,
                PeerFrame::Replay(piece) => self.carried_piece(piece, pieces, &mut carried)?,
                PeerFrame::Receipt(receipt) => self.carried_receipt(receipt, &mut carried)?,
                PeerFrame::Decision(decision) => {
                    carried.decisions += u64::from(self.carried_decision(decision)?);
                }
                PeerFrame::Holding(_) | PeerFrame::End => {}
            }
        }
        self.retry_needing()?;
        carried.receipts = self.taken.receipts;
        carried.set_aside = self.taken.set_aside;
        self.bench.finish()?;
        Ok(carried)
    }

    fn carried_keys(&mut self, keys: &HouseholdKeys) -> Result<u64, Error> {
        if !village::is_granted(self.tx, keys.village)? {
            return Ok(0);
        }
        let known = village::carried_keys(self.tx, keys.village)?;
        for (household, (at_server, key)) in &keys.households {
            if !village::carry_key(self.tx, keys.village, *household, &key.0, *at_server)? {
                self.put_aside("keys", "other_key", &household.to_string(), &[])?;
            }
        }
        Ok(keys.households.keys().filter(|household| !known.contains_key(household)).count() as u64)
    }

    /// Takes in a batch of a replay stream. Nothing can be asked for again: what cannot be put together and
    /// verified is as if it had not come, and is counted.
    fn carried_piece(
        &mut self,
        piece: &CarriedReplay,
        pieces: &mut PieceReader,
        counts: &mut Carried,
    ) -> Result<(), Error> {
        let read = pieces.read(piece);
        let place = (piece.village, Previous::Named(piece.previous));
        let built = match read {
            Ok(read) if village::is_granted(self.tx, piece.village)? => {
                replay::put_together(self.tx, &self.bench, &self.identity, place, &read)?.ok()
            }
            _ => None,
        };
        let carried = |batch: Batch| CarriedBatch { batch: batch.to_bytes(), sequence: 0, receipt: None };
        if let Some(carried) = built.map(carried)
            && self.verify_carried(&carried)?.is_ok()
        {
            return self.carried_batch(&carried, counts);
        }
        counts.not_built += 1;
        Ok(())
    }

    fn carried_batch(&mut self, carried: &CarriedBatch, counts: &mut Carried) -> Result<(), Error> {
        let mut queue = VecDeque::from([(carried.clone(), Origin::Peer)]);
        while let Some((next, origin)) = queue.pop_front() {
            let Some(stored) = self.one_batch(&next, origin, counts)? else { continue };
            let following = staged::following(self.tx, &stored)?;
            queue.extend(following.into_iter().map(|staged| (staged, Origin::Staged)));
        }
        Ok(())
    }

    /// Stores one batch; its id when it stands in its chain now.
    fn one_batch(
        &mut self,
        carried: &CarriedBatch,
        origin: Origin,
        counts: &mut Carried,
    ) -> Result<Option<BatchId>, Error> {
        let verified = match self.verify_carried(carried)? {
            Ok(verified) => verified,
            // As when the part of a stick with the author's certificate is damaged: whoever brings that brings this.
            Err(UNKNOWN_AUTHOR) => {
                counts.not_built += 1;
                return Ok(None);
            }
            Err(code) => {
                let id = Batch::from_bytes(&carried.batch).map(|batch| batch.id().to_string());
                self.put_aside("batch", code, &id.unwrap_or_default(), &carried.batch)?;
                return Ok(None);
            }
        };
        let id = verified.batch.id();
        let worth = self.worth(carried.receipt.as_ref(), &verified.batch)?;
        if let Some(known) = batch::find(self.tx, &id)? {
            self.receipted(&known, worth, carried.sequence, counts)?;
            return Ok(None);
        }
        if let Some(previous) = self.lacking_before(&verified.batch)? {
            let is_new = staged::get(self.tx, &id)?.is_none();
            staged::put(self.tx, &verified.batch, &previous, carried)?;
            counts.batches += u64::from(is_new);
            counts.staged += u64::from(is_new);
            return Ok(None);
        }
        staged::settled(self.tx, &id)?;
        let receipt = worth.received();
        let row = self.store_carried(&verified, receipt, carried.sequence)?;
        if let Worth::Former(former) = worth {
            batch::keep_former_receipt(self.tx, row, former)?;
        }
        if origin == Origin::Peer {
            counts.batches += 1;
            counts.received += u64::from(receipt.is_some());
        }
        self.taken.freed += u64::from(origin == Origin::Staged);
        Ok(Some(id))
    }

    /// A receipt for a batch that is here.
    fn receipted(
        &mut self,
        known: &batch::Known,
        worth: Worth<'_>,
        feed: u64,
        counts: &mut Carried,
    ) -> Result<(), Error> {
        match worth {
            Worth::Received(receipt) if !known.received => {
                counts.receipts_of_others += u64::from(!known.own);
                self.received(known, receipt, sequence(feed))
            }
            Worth::Former(former) => batch::keep_former_receipt(self.tx, known.row, former),
            Worth::Received(_) | Worth::Nothing => Ok(()),
        }
    }

    /// The batch before this one in its chain, when it is not here.
    fn lacking_before(&self, batch: &Batch) -> Result<Option<BatchId>, Error> {
        let Some(previous) = batch.header.previous else { return Ok(None) };
        Ok(batch::find(self.tx, &previous)?.is_none().then_some(previous))
    }

    /// Verifies a batch by itself: the author's certificate, the signature, the body.
    fn verify_carried(&self, carried: &CarriedBatch) -> Result<Result<Verified, &'static str>, Error> {
        let Ok(batch) = Batch::from_bytes(&carried.batch) else { return Ok(Err("malformed")) };
        if !village::is_granted(self.tx, batch.header.village)? {
            return Ok(Err("other_village"));
        }
        let known = certificate::of(self.tx, batch.header.device)?;
        if known.is_empty() {
            return Ok(Err(UNKNOWN_AUTHOR));
        }
        // The newest that fits: what the server will judge by, as far as is known here.
        let Some(certificate) = known.into_iter().find(|held| batch.verify(held).is_ok()) else {
            return Ok(Err("author"));
        };
        let Ok(body) = batch.open() else { return Ok(Err("body")) };
        let author = Author { device: batch.header.device, role: certificate.role, user: batch.header.user };
        Ok(Ok(Verified { batch, body, author, certificate }))
    }

    /// What a receipt that came with a batch is worth here.
    fn worth<'r>(&mut self, receipt: Option<&'r SignedReceipt>, batch: &Batch) -> Result<Worth<'r>, Error> {
        let Some(receipt) = receipt else { return Ok(Worth::Nothing) };
        match self.check_receipt(receipt, &batch.header) {
            Ok(()) => Ok(Worth::Received(receipt)),
            Err(OTHER_EPOCH) if self.check_former_receipt(receipt, &batch.header).is_ok() => {
                Ok(Worth::Former(receipt))
            }
            Err(OTHER_EPOCH) => Ok(Worth::Nothing),
            Err(code) => {
                self.put_aside("receipt", code, &batch.id().to_string(), &receipt.to_bytes())?;
                Ok(Worth::Nothing)
            }
        }
    }

    fn store_carried(
        &mut self,
        verified: &Verified,
        receipt: Option<&SignedReceipt>,
        feed: u64,
    ) -> Result<i64, Error> {
        let Verified { batch, body, .. } = verified;
        let row = batch::insert(self.tx, batch, 0, BatchState::Sealed)?;
        if let Some(receipt) = receipt {
            batch::keep_receipt(self.tx, row, receipt, sequence(feed))?;
        }
        let village = batch.header.village;
        for (position, (id, bytes)) in body.changes.iter().enumerate() {
            let Some(hash) = change_hash(bytes) else { continue };
            let document = self.bench.row(village, *id)?;
            if document::state_of(self.tx, document, hash)?.is_some() {
                continue;
            }
            let verdict = receipt.and_then(|receipt| receipt.statement.verdicts.get(position));
            let (state, rule) = match verdict {
                None => self.foresee(verified, *id, bytes)?,
                Some(Verdict::Accepted) => self.accept_carried(verified, *id, hash, bytes)?,
                Some(verdict) => standing(verdict),
            };
            let arrived = Arrived { document, hash, bytes, batch: row, position, state, rule: &rule };
            document::add_arrived(self.tx, &arrived)?;
        }
        Ok(row)
    }

    /// What the server will most likely say of a change that it has not seen.
    fn foresee(
        &mut self,
        verified: &Verified,
        id: DocumentId,
        bytes: &[u8],
    ) -> Result<(ChangeState, String), Error> {
        let village = verified.batch.header.village;
        if let Some(rule) = self.blanket(&verified.certificate)? {
            return Ok((ChangeState::Held, rule.to_owned()));
        }
        if id.kind == DocumentKind::Village && id.id != *village.as_bytes() {
            return Ok((ChangeState::Held, "foreign_document".to_owned()));
        }
        let openings = &verified.body.openings;
        let applied = self.bench.apply(village, id, bytes, &verified.author, Rights::Judged, openings)?;
        Ok(match applied {
            Ok(()) => (ChangeState::Own, String::new()),
            Err(NotApplied { code }) => (ChangeState::Held, code),
        })
    }

    /// Why the server will keep everything by a device apart, as far as is known here.
    fn blanket(&self, certificate: &Certificate) -> Result<Option<&'static str>, Error> {
        if certificate::revoked_ms(self.tx, certificate.device())?.is_some() {
            return Ok(Some("device_revoked"));
        }
        Ok((certificate.kind == CertificateKind::Provisional).then_some("device_provisional"))
    }

    /// A change that the server accepted; what it stands on may come later.
    fn accept_carried(
        &mut self,
        verified: &Verified,
        id: DocumentId,
        hash: ChangeHash,
        bytes: &[u8],
    ) -> Result<(ChangeState, String), Error> {
        let (village, openings) = (verified.batch.header.village, &verified.body.openings);
        let applied = self.bench.apply(village, id, bytes, &verified.author, Rights::AsAccepted, openings)?;
        match applied {
            Ok(()) => Ok((ChangeState::Accepted, String::new())),
            Err(NotApplied { code }) if code == NEEDS => Ok((ChangeState::Held, code)),
            Err(NotApplied { code }) => {
                self.put_aside("change", &code, &name(id, hash), bytes)?;
                Ok((ChangeState::SetAside, code))
            }
        }
    }

    fn carried_receipt(&mut self, carried: &CarriedReceipt, counts: &mut Carried) -> Result<(), Error> {
        let receipt = &carried.receipt;
        let id = receipt.statement.batch;
        match batch::find(self.tx, &id)? {
            Some(known) if known.received => Ok(()),
            Some(known) => {
                let held = batch::read(&batch::bytes_of_row(self.tx, known.row)?)?;
                let worth = self.worth(Some(receipt), &held)?;
                self.receipted(&known, worth, carried.sequence, counts)
            }
            None if receipt.statement.epoch != self.identity.epoch => Ok(()),
            // It is looked at when the batch leaves the stage. One for a batch that is not here is of no use.
            None => staged::keep_receipt(self.tx, receipt).map(drop),
        }
    }

    /// A decision that another device has from the server; whether it was new.
    fn carried_decision(&mut self, relayed: &RelayedDecision) -> Result<bool, Error> {
        let said = &relayed.decision.statement;
        if said.epoch != self.identity.epoch || !village::is_granted(self.tx, relayed.village)? {
            return Ok(false);
        }
        if let Err(code) = self.check_decision(&relayed.decision) {
            let subject = said.change.to_string();
            self.put_aside("decision", code, &subject, &relayed.decision.to_bytes())?;
            return Ok(false);
        }
        // Without its batch it would be lost here: whoever brings the batch brings it again.
        let Some(known) = batch::find(self.tx, &said.batch)?.filter(|known| known.received) else {
            return Ok(false);
        };
        if village::has_decision(self.tx, relayed)? || !village::carry_decision(self.tx, relayed)? {
            return Ok(false);
        }
        if !village::is_overtaken(self.tx, relayed)? {
            self.decide(&known, said.change, &said.verdict)?;
        }
        Ok(true)
    }

    /// What was staged behind a batch that has come by another way stands in its chain now.
    pub(crate) fn unstage_after(&mut self, id: &BatchId) -> Result<(), Error> {
        staged::settled(self.tx, id)?;
        for following in staged::following(self.tx, id)? {
            self.carried_batch(&following, &mut Carried::default())?;
            self.taken.freed += 1;
        }
        Ok(())
    }

    /// Tries again the changes of others that waited for what they stand on, until nothing more is freed.
    pub(crate) fn retry_needing(&mut self) -> Result<(), Error> {
        loop {
            let mut freed = false;
            for needing in document::needing(self.tx)? {
                freed |= self.retry(&needing)?;
            }
            if !freed {
                return Ok(());
            }
        }
    }

    fn retry(&mut self, needing: &document::Needing) -> Result<bool, Error> {
        let batch = batch::read(&batch::bytes_of_row(self.tx, needing.batch)?)?;
        let Some(author) = self.author(&batch, i64::MAX)? else { return Ok(false) };
        let openings = batch.open().map(|body| body.openings).unwrap_or_default();
        let (village, id) = (batch.header.village, document::id_of(self.tx, needing.document)?);
        let rights = if needing.received { Rights::AsAccepted } else { Rights::Judged };
        let applied = self.bench.apply(village, id, &needing.bytes, &author, rights, &openings)?;
        let (state, rule) = match applied {
            Ok(()) if needing.received => (ChangeState::Accepted, String::new()),
            Ok(()) => (ChangeState::Own, String::new()),
            Err(NotApplied { code }) if code == NEEDS => return Ok(false),
            Err(NotApplied { code }) if needing.received => {
                self.put_aside("change", &code, &name(id, needing.hash), &needing.bytes)?;
                (ChangeState::SetAside, code)
            }
            Err(NotApplied { code }) => (ChangeState::Held, code),
        };
        document::set_state(self.tx, needing.document, needing.hash, state, &rule)?;
        Ok(true)
    }

    /// Takes the changes of a batch that the server turned away out of view: nobody else will see them.
    pub(crate) fn turned_away(&mut self, id: &BatchId, code: &str) -> Result<(), Error> {
        let Some(known) = batch::find(self.tx, id)?.filter(|known| !known.own && !known.received) else {
            return Ok(());
        };
        for (document, hash) in document::hashes_of_batch(self.tx, known.row)? {
            document::set_state(self.tx, document, hash, ChangeState::Refused, code)?;
            let id = document::id_of(self.tx, document)?;
            self.rebuild_document(known.village, id)?;
        }
        Ok(())
    }

    fn rebuild_document(&mut self, village: VillageId, id: DocumentId) -> Result<(), Error> {
        self.bench.rebuild(village, id)
    }
}

/// The code of a change that stands on one that is not here.
pub(crate) const NEEDS: &str = "needs";

/// Where a batch comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Peer,
    Staged,
}

fn sequence(carried: u64) -> Option<u64> {
    (carried > 0).then_some(carried)
}

/// How a change stands by a verdict other than accepted.
fn standing(verdict: &Verdict) -> (ChangeState, String) {
    match verdict {
        Verdict::Accepted => (ChangeState::Accepted, String::new()),
        Verdict::Held { .. } => (ChangeState::Held, "held".to_owned()),
        Verdict::Quarantined { rule, .. } => (ChangeState::Quarantined, rule.clone()),
        Verdict::Refused { reason } => (ChangeState::Refused, reason.clone()),
    }
}
