//! What the decision over a batch writes: rows, leaves, receipts, decisions, running totals.

use ruhu_ledger::batch::{Batch, BatchBody, BatchHeader, BatchId};
use ruhu_ledger::certificate::SignedCertificate;
use ruhu_ledger::decision::{Decision, People, SignedDecision};
use ruhu_ledger::epoch::EpochStart;
use ruhu_ledger::leaf::Leaf;
use ruhu_ledger::receipt::{Receipt, SignedReceipt};
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::statement::Statement;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ChangeHash, DocumentId};
use ruhu_survey::id::{UserId, VillageId};
use ruhu_survey::register::Register;
use ruhu_sync::Fingerprint;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::column::{bits_from_sql, bits_to_sql, from_sql, to_sql};
use super::log::{append_leaf, present_epoch, root_at};
use super::names::name_roots;
use super::past::Pasts;
use crate::ingest::{Decided, Plan, Standing};
use crate::store::StoreError;

/// `feed.kind` of a batch.
pub(super) const FEED_BATCH: u8 = 1;
/// `feed.kind` of a decision.
pub(super) const FEED_DECISION: u8 = 2;
/// `feed.kind` of a certificate.
pub(super) const FEED_CERTIFICATE: u8 = 3;
/// `feed.kind` of a revocation.
pub(super) const FEED_REVOCATION: u8 = 4;

/// Who decides when no person does: the server, by rule.
pub(crate) const BY_RULE: UserId = UserId::from_bytes([0; 16]);

/// The number that stands for a standing in `change.standing`.
pub(super) const fn standing_code(standing: Standing) -> u8 {
    match standing {
        Standing::Refused => 0,
        Standing::Accepted => 1,
        Standing::Held => 2,
        Standing::Quarantined => 3,
        Standing::Repeat => 4,
    }
}

pub(super) const fn standing_from(code: u8) -> Option<Standing> {
    match code {
        0 => Some(Standing::Refused),
        1 => Some(Standing::Accepted),
        2 => Some(Standing::Held),
        3 => Some(Standing::Quarantined),
        4 => Some(Standing::Repeat),
        _ => None,
    }
}

/// A batch whose signature was verified and whose body was opened.
pub(super) struct Opened<'a> {
    pub(super) id: BatchId,
    pub(super) batch: &'a Batch,
    pub(super) bytes: &'a [u8],
    pub(super) body: BatchBody,
    /// The certificate its signature and grant were checked against.
    pub(super) verified_by: SignedCertificate,
    /// What an epoch that ended had said of it, when a device brings it back.
    pub(super) former: Option<Receipt>,
}

impl Opened<'_> {
    /// When it became durable first; never later than now.
    fn received_ms(&self, now_ms: i64) -> i64 {
        self.former.as_ref().map_or(now_ms, |former| former.received_ms.min(now_ms))
    }
}

/// What every receipt and decision of one transaction shares.
pub(super) struct Desk<'a> {
    pub(super) tx: &'a Transaction<'a>,
    pub(super) now_ms: i64,
    pub(super) key: &'a SecretKey,
    pub(super) epoch: EpochStart,
}

impl<'a> Desk<'a> {
    /// # Errors
    /// [`StoreError::Conflict`] when the key is not the present epoch's.
    pub(super) fn new(tx: &'a Transaction<'a>, now_ms: i64, key: &'a SecretKey) -> Result<Self, StoreError> {
        let epoch = present_epoch(tx)?;
        if epoch.server_key != key.public() {
            return Err(StoreError::Conflict("server key"));
        }
        Ok(Self { tx, now_ms, key, epoch })
    }
}

/// A village's running totals, moved along while one transaction writes.
pub(super) struct Totals {
    village: VillageId,
    fingerprint: u64,
    accepted: u64,
}

impl Totals {
    pub(super) fn of(conn: &Connection, village: VillageId) -> Result<Self, StoreError> {
        let found: Option<(i64, i64)> = conn
            .prepare_cached("SELECT fingerprint, accepted FROM village_state WHERE village = ?1")?
            .query_row([village.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (fingerprint, accepted) = found.unwrap_or((0, 0));
        Ok(Self { village, fingerprint: bits_from_sql(fingerprint), accepted: from_sql(accepted) })
    }

    pub(super) fn add(&mut self, hash: &ChangeHash) {
        let part = Fingerprint::from_iter([hash]).value();
        self.fingerprint = self.fingerprint.wrapping_add(part);
        self.accepted += 1;
    }

    pub(super) fn take_away(&mut self, hash: &ChangeHash) {
        let part = Fingerprint::from_iter([hash]).value();
        self.fingerprint = self.fingerprint.wrapping_sub(part);
        self.accepted = self.accepted.saturating_sub(1);
    }

    /// Writes the next feed entry, about the record with log leaf `leaf`, at these totals; returns its
    /// sequence.
    pub(super) fn next_entry(&self, tx: &Transaction<'_>, kind: u8, leaf: u64) -> Result<u64, StoreError> {
        tx.prepare_cached("INSERT INTO feed (village, kind, subject, fingerprint) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![self.village.as_bytes(), kind, to_sql(leaf), bits_to_sql(self.fingerprint)])?;
        let sequence = tx.last_insert_rowid();
        tx.prepare_cached(
            "INSERT INTO village_state (village, fingerprint, accepted, sequence) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (village) DO UPDATE
             SET fingerprint = excluded.fingerprint, accepted = excluded.accepted, sequence = excluded.sequence",
        )?
        .execute(params![
            self.village.as_bytes(),
            bits_to_sql(self.fingerprint),
            to_sql(self.accepted),
            sequence
        ])?;
        Ok(from_sql(sequence))
    }
}

/// Writes all that was decided over a batch. Registers are not written: until the belt has been there, a document's
/// is what its accepted changes make, and `pasts` keeps it at hand.
pub(super) fn write_plan(
    desk: &Desk<'_>,
    opened: &Opened<'_>,
    plan: Plan,
    pasts: &Pasts,
) -> Result<SignedReceipt, StoreError> {
    let (tx, header) = (desk.tx, &opened.batch.header);
    let mut totals = Totals::of(tx, header.village)?;
    for decided in plan.changes.iter().filter(|decided| decided.standing == Standing::Accepted) {
        decided.hash.iter().for_each(|hash| totals.add(hash));
    }
    let verdicts: Vec<Verdict> = plan.changes.iter().map(|decided| decided.verdict.clone()).collect();
    let received_ms = opened.received_ms(desk.now_ms);
    let leaf = append_leaf(tx, &Leaf::batch(header, received_ms, &verdicts))?;
    let sequence = totals.next_entry(tx, FEED_BATCH, leaf)?;
    let receipt = write_batch(desk, opened, verdicts, leaf, sequence)?;
    write_changes(tx, opened, &plan, sequence)?;
    let roots = plan.roots.iter().filter_map(|place| opened.body.changes.get(*place));
    name_roots(tx, header, sequence, roots.map(|(document, _)| *document))?;
    move_tip(tx, header, opened.id, sequence)?;
    super::ledger::unstage(tx, opened.id)?;
    super::gap::filled_in_chain(tx, header, desk.now_ms)?;
    super::gap::settle_log_of(tx, opened.id, desk.now_ms)?;
    for (place, decided) in &plan.later {
        write_decision(desk, &mut totals, *place, decided)?;
    }
    for document in plan.registers.keys() {
        mark_pending(tx, header.village, *document, sequence)?;
    }
    for (document, register) in plan.registers.into_iter().chain(plan.untouched) {
        pasts.keep_register((header.village, document), register);
    }
    Ok(receipt)
}

fn write_batch(
    desk: &Desk<'_>,
    opened: &Opened<'_>,
    verdicts: Vec<Verdict>,
    leaf_index: u64,
    sequence: u64,
) -> Result<SignedReceipt, StoreError> {
    let header = &opened.batch.header;
    let anchor_ms = match &opened.former {
        Some(former) => former.anchor_ms,
        None => anchor_time(desk, header)?,
    };
    let (epoch, received_ms) = (desk.epoch.epoch, opened.received_ms(desk.now_ms));
    let receipt = Receipt { epoch, batch: opened.id, leaf_index, received_ms, anchor_ms, verdicts };
    let receipt = SignedReceipt::sign(receipt, desk.key)
        .map_err(|error| StoreError::corrupt("batch", opened.id, error))?;
    desk.tx
        .prepare_cached(
            "INSERT INTO batch (sequence, id, village, device, user, number, previous, header, signature, payload,
                                received_ms, anchor_ms, leaf_index, receipt)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            to_sql(sequence),
            opened.id.0,
            header.village.as_bytes(),
            header.device.as_bytes(),
            header.user.as_bytes(),
            to_sql(header.number),
            header.previous.map(|previous| previous.0),
            header.to_bytes(),
            opened.batch.signature.0,
            opened.batch.payload,
            received_ms,
            anchor_ms,
            to_sql(leaf_index),
            receipt.to_bytes()
        ])?;
    Ok(receipt)
}

/// When this log reached the size that the header is anchored to, if it ever had that root there.
fn anchor_time(desk: &Desk<'_>, header: &BatchHeader) -> Result<Option<i64>, StoreError> {
    let anchor = &header.anchor;
    if anchor.epoch != desk.epoch.epoch || anchor.size == 0 {
        return Ok(None);
    }
    let time_ms: Option<i64> = desk
        .tx
        .prepare_cached("SELECT time_ms FROM log_leaf WHERE leaf_index = ?1")?
        .query_row([to_sql(anchor.size - 1)], |row| row.get(0))
        .optional()?;
    match time_ms {
        Some(_) if root_at(desk.tx, anchor.size)? == anchor.root => Ok(time_ms),
        _ => Ok(None),
    }
}

fn write_changes(
    tx: &Transaction<'_>,
    opened: &Opened<'_>,
    plan: &Plan,
    sequence: u64,
) -> Result<(), StoreError> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO change (sequence, position, village, kind, document, hash, bytes, standing, admitted,
                             rule, detail, because)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for (position, (decided, (document, bytes))) in plan.changes.iter().zip(&opened.body.changes).enumerate()
    {
        let admitted = (decided.standing == Standing::Accepted).then_some(to_sql(sequence));
        let (rule, because) = reasons(&decided.verdict);
        insert.execute(params![
            to_sql(sequence),
            to_sql(position as u64),
            opened.batch.header.village.as_bytes(),
            document.kind.code(),
            document.id,
            decided.hash.map(|hash| hash.0),
            bytes,
            standing_code(decided.standing),
            admitted,
            rule,
            decided.detail,
            because.map(|hash| hash.0),
        ])?;
    }
    Ok(())
}

/// The rule or reason of a verdict, and the change it stands on.
pub(super) fn reasons(verdict: &Verdict) -> (Option<&str>, Option<ChangeHash>) {
    match verdict {
        Verdict::Quarantined { rule, because } => (Some(rule), *because),
        Verdict::Refused { reason } => (Some(reason), None),
        Verdict::Accepted | Verdict::Held { .. } => (None, None),
    }
}

fn move_tip(
    tx: &Transaction<'_>,
    header: &BatchHeader,
    id: BatchId,
    sequence: u64,
) -> Result<(), StoreError> {
    let (village, device) = (header.village.as_bytes(), header.device.as_bytes());
    if let Some(previous) = header.previous {
        tx.prepare_cached("DELETE FROM chain_tip WHERE village = ?1 AND device = ?2 AND id = ?3")?
            .execute(params![village, device, previous.0])?;
    }
    tx.prepare_cached(
        "INSERT INTO chain_tip (village, device, id, number, sequence) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![village, device, id.0, to_sql(header.number), to_sql(sequence)])?;
    Ok(())
}

/// Who decides.
pub(super) struct By {
    pub(super) user: UserId,
    pub(super) people: Option<People>,
}

/// Gives a change another standing by rule: see [`write_decision_by`].
pub(super) fn write_decision(
    desk: &Desk<'_>,
    totals: &mut Totals,
    place: (u64, u32),
    decided: &Decided,
) -> Result<(), StoreError> {
    write_decision_by(desk, totals, place, decided, By { user: BY_RULE, people: None }).map(drop)
}

/// Gives a change another standing by a signed decision with its own leaf and feed entry; returns it and
/// the number of the entry, or nothing when the change has no name.
pub(super) fn write_decision_by(
    desk: &Desk<'_>,
    totals: &mut Totals,
    (batch, position): (u64, u32),
    decided: &Decided,
    by: By,
) -> Result<Option<(SignedDecision, u64)>, StoreError> {
    let Some(change) = decided.hash else { return Ok(None) };
    let id: [u8; 32] = desk
        .tx
        .prepare_cached("SELECT id FROM batch WHERE sequence = ?1")?
        .query_row([to_sql(batch)], |row| row.get(0))?;
    let decision = Decision {
        epoch: desk.epoch.epoch,
        batch: BatchId(id),
        change,
        verdict: decided.verdict.clone(),
        decided_ms: desk.now_ms,
        by: by.user,
        people: by.people,
    };
    let signed = SignedDecision::sign(decision, desk.key)
        .map_err(|error| StoreError::corrupt("decision", change, error))?;
    if decided.standing == Standing::Accepted {
        totals.add(&change);
    }
    let leaf_index = append_leaf(desk.tx, &Leaf::decision(&signed))?;
    let sequence = totals.next_entry(desk.tx, FEED_DECISION, leaf_index)?;
    let admitted = (decided.standing == Standing::Accepted).then_some(to_sql(sequence));
    let (rule, because) = reasons(&decided.verdict);
    desk.tx
        .prepare_cached(
            "UPDATE change SET standing = ?3, admitted = ?4, rule = ?5, detail = ?6, because = ?7
             WHERE sequence = ?1 AND position = ?2",
        )?
        .execute(params![
            to_sql(batch),
            position,
            standing_code(decided.standing),
            admitted,
            rule,
            decided.detail,
            because.map(|hash| hash.0)
        ])?;
    desk.tx
        .prepare_cached(
            "INSERT INTO decision (sequence, batch, position, decided_ms, leaf_index, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            to_sql(sequence),
            to_sql(batch),
            position,
            desk.now_ms,
            to_sql(leaf_index),
            signed.to_bytes()
        ])?;
    Ok(Some((signed, sequence)))
}

/// Writes a document as the belt found it.
pub(super) fn write_document(
    tx: &Transaction<'_>,
    village: VillageId,
    document: DocumentId,
    register: &Register,
    history: &[u8],
) -> Result<(), StoreError> {
    if register.is_empty() {
        tx.prepare_cached("DELETE FROM document WHERE village = ?1 AND kind = ?2 AND document = ?3")?
            .execute(params![village.as_bytes(), document.kind.code(), document.id])?;
        return Ok(());
    }
    tx.prepare_cached(
        "INSERT INTO document (village, kind, document, register, changes, history)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (village, kind, document) DO UPDATE
         SET register = excluded.register, changes = excluded.changes, history = excluded.history",
    )?
    .execute(params![
        village.as_bytes(),
        document.kind.code(),
        document.id,
        register.to_bytes(),
        to_sql(register.change_count()),
        history
    ])?;
    Ok(())
}

/// Notes that the belt has to see a document's changes from feed entry `since` on.
pub(super) fn mark_pending(
    tx: &Transaction<'_>,
    village: VillageId,
    document: DocumentId,
    since: u64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO belt_pending (village, kind, document, since) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (village, kind, document) DO UPDATE SET since = min(since, excluded.since)",
    )?
    .execute(params![village.as_bytes(), document.kind.code(), document.id, to_sql(since)])?;
    Ok(())
}
