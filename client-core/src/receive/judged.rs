//! What the server decided about changes: the verdicts of receipts, and decisions given later.

use ruhu_ledger::decision::SignedDecision;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ChangeHash, DocumentId};
use ruhu_sync::response::RelayedDecision;
use rusqlite::{OptionalExtension, params};

use super::{OTHER_EPOCH, Receiver};
use crate::error::Error;
use crate::peer::NEEDS;
use crate::reauthor::OF_THE_KEY;
use crate::store::batch;
use crate::store::document::{self, ChangeState};
use crate::store::village;
use crate::workbench::{NotApplied, Rights, name};

/// Where a verdict puts a change, and by which rule. What is kept apart for the key alone stays in view on its
/// own device unless it was written anew: its person goes on working, and it counts once the device is
/// enrolled again.
fn stands(verdict: &Verdict, may_stay: bool) -> (ChangeState, String) {
    match ChangeState::of(verdict) {
        (ChangeState::Quarantined, rule) if may_stay && OF_THE_KEY.contains(&rule.as_str()) => {
            (ChangeState::Own, rule)
        }
        other => other,
    }
}

impl Receiver<'_> {
    /// Settles a batch of this device, or one that it carries.
    pub(crate) fn received(
        &mut self,
        known: &batch::Known,
        receipt: &SignedReceipt,
        sequence: Option<u64>,
    ) -> Result<(), Error> {
        batch::keep_receipt(self.tx, known.row, receipt, sequence)?;
        for (position, verdict) in receipt.statement.verdicts.iter().enumerate() {
            self.verdict(known, position, verdict)?;
        }
        self.taken.receipts += u64::from(known.own);
        self.taken.carried += u64::from(!known.own);
        Ok(())
    }

    /// What became of one change that had no verdict.
    pub(super) fn verdict(
        &mut self,
        known: &batch::Known,
        position: usize,
        verdict: &Verdict,
    ) -> Result<(), Error> {
        let Some((id, hash, state)) = self.change_at(known.row, position)? else { return Ok(()) };
        let row = self.bench.row(known.village, id)?;
        match state {
            ChangeState::Own => {}
            // It is another's, and was not applied for a reason that the server does not share.
            ChangeState::Held if *verdict == Verdict::Accepted => {
                return document::set_state(self.tx, row, hash, ChangeState::Held, NEEDS);
            }
            ChangeState::Held => {}
            _ => return self.judged_again(known, hash, state, verdict),
        }
        // A held change of one's own stays in view: it only waits at the server.
        let waiting = if state == ChangeState::Own { ChangeState::Own } else { ChangeState::Held };
        let replaced = document::replaced(self.tx, row)?.contains_key(&hash);
        let (state, rule) = match verdict {
            Verdict::Held { .. } => (waiting, "held".to_owned()),
            _ => stands(verdict, known.own && !replaced),
        };
        document::set_state(self.tx, row, hash, state, &rule)?;
        let not_accepted = matches!(verdict, Verdict::Quarantined { .. } | Verdict::Refused { .. });
        self.taken.not_accepted += u64::from(known.own && not_accepted);
        if matches!(state, ChangeState::Quarantined | ChangeState::Refused) {
            self.bench.rebuild(known.village, id)?;
        } else if state == ChangeState::Accepted && replaced {
            // It was written anew meanwhile, and what it stands on was adopted before it arrived.
            self.bench.rebuild(known.village, id)?;
        }
        Ok(())
    }

    /// A restored server judged a change anew that it had judged before.
    pub(super) fn judged_again(
        &mut self,
        known: &batch::Known,
        hash: ChangeHash,
        state: ChangeState,
        verdict: &Verdict,
    ) -> Result<(), Error> {
        let same = match verdict {
            Verdict::Accepted => state == ChangeState::Accepted,
            Verdict::Held { .. } => state == ChangeState::Held,
            Verdict::Quarantined { .. } => state == ChangeState::Quarantined,
            Verdict::Refused { .. } => state == ChangeState::Refused,
        };
        if same || state == ChangeState::SetAside { Ok(()) } else { self.decide(known, hash, verdict) }
    }

    pub(super) fn change_at(
        &self,
        batch: i64,
        position: usize,
    ) -> Result<Option<(DocumentId, ChangeHash, ChangeState)>, Error> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT document, hash, state FROM change WHERE batch = ?1 AND position = ?2")?;
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        let found = statement
            .query_row(params![batch, position], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?, row.get::<_, i64>(2)?))
            })
            .optional()?;
        let Some((row, hash, state)) = found else { return Ok(None) };
        let id = document::id_of(self.tx, row)?;
        Ok(Some((id, ChangeHash(hash), document::read_state(state)?)))
    }

    /// Whether a decision is by our server, in this epoch or in one before it.
    pub(crate) fn check_decision(&self, signed: &SignedDecision) -> Result<(), &'static str> {
        let key = self.lineage.key(signed.statement.epoch).ok_or(OTHER_EPOCH)?;
        signed.verify(&key).map_err(|_| "signature")
    }

    pub(super) fn decision(&mut self, relayed: &RelayedDecision) -> Result<(), Error> {
        let said = &relayed.decision.statement;
        let (subject, bytes) = (said.change.to_string(), relayed.decision.to_bytes());
        if let Err(code) = self.check_decision(&relayed.decision) {
            return self.put_aside("decision", code, &subject, &bytes);
        }
        let is_new = village::keep_decision(self.tx, relayed)?;
        let Some(known) = batch::find(self.tx, &said.batch)? else {
            return self.put_aside("decision", "unknown_batch", &subject, &bytes);
        };
        // Another device may have brought a later one on the same change already.
        if !is_new || village::is_overtaken(self.tx, relayed)? {
            return Ok(());
        }
        self.decide(&known, said.change, &said.verdict)
    }

    pub(crate) fn decide(
        &mut self,
        known: &batch::Known,
        hash: ChangeHash,
        verdict: &Verdict,
    ) -> Result<(), Error> {
        let Some(change) = document::of_batch(self.tx, known.row, hash)? else { return Ok(()) };
        if *verdict == Verdict::Accepted {
            return self.accept_late(known, &change);
        }
        let replaced = document::replaced(self.tx, change.document)?.contains_key(&hash);
        let (state, rule) = stands(verdict, known.own && !replaced);
        document::set_state(self.tx, change.document, hash, state, &rule)?;
        self.taken.not_accepted += u64::from(known.own);
        self.bench.rebuild(known.village, change.id)
    }

    /// A change that was held or kept apart is part of its document after all.
    pub(super) fn accept_late(
        &mut self,
        known: &batch::Known,
        change: &document::OfBatch,
    ) -> Result<(), Error> {
        let rights = match change.state {
            ChangeState::Own => {
                return document::set_state(self.tx, change.document, change.hash, ChangeState::Accepted, "");
            }
            ChangeState::Accepted => return Ok(()),
            ChangeState::Held => Rights::AsAccepted,
            ChangeState::Quarantined | ChangeState::Refused | ChangeState::SetAside => Rights::Adopted,
        };
        let bytes = batch::bytes_of_row(self.tx, known.row)?;
        if bytes.is_empty() {
            // Only a snapshot told of the batch: the server's word stands for the author's.
            return self.accept_vouched(known, change);
        }
        let batch = batch::read(&bytes)?;
        let received_ms = batch::received_ms(self.tx, known.row)?;
        let Some(author) = self.author(&batch, received_ms)? else { return Ok(()) };
        let openings = batch.open().map(|body| body.openings).unwrap_or_default();
        let applied =
            self.bench.apply(known.village, change.id, &change.bytes, &author, rights, &openings)?;
        self.settle_late(change, applied)
    }

    pub(super) fn accept_vouched(
        &mut self,
        known: &batch::Known,
        change: &document::OfBatch,
    ) -> Result<(), Error> {
        let applied = self.bench.apply_vouched(known.village, change.id, &change.bytes)?;
        self.settle_late(change, applied)
    }

    pub(super) fn settle_late(
        &mut self,
        change: &document::OfBatch,
        applied: Result<(), NotApplied>,
    ) -> Result<(), Error> {
        let (state, rule) = match applied {
            Ok(()) => (ChangeState::Accepted, String::new()),
            Err(NotApplied { code }) => {
                self.put_aside("change", &code, &name(change.id, change.hash), &change.bytes)?;
                (ChangeState::SetAside, code)
            }
        };
        document::set_state(self.tx, change.document, change.hash, state, &rule)
    }
}
