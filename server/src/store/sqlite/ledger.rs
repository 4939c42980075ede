//! Taking in a batch: what is read for the decision, and what the decision writes.

use ruhu_ledger::batch::{Anchor, Batch, BatchHeader, BatchId, UnsealedHeader};
use ruhu_ledger::certificate::Certificate;
use ruhu_ledger::receipt::{Receipt, SignedReceipt};
use ruhu_ledger::signature::SecretKey;
use ruhu_survey::authorise::Author;
use ruhu_survey::change::ActorId;
use ruhu_survey::id::{DeviceId, VillageId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::SqliteStore;
use super::append::{Desk, Opened, write_plan};
use super::column::{from_sql, to_sql};
use super::former;
use super::log::{Certified, certificate_of, latest_checkpoint};
use super::past::Pasts;
use super::shelf::{SqlShelf, documents_at_hand};
use crate::former::device_rule;
use crate::ingest::{self, Chain, Incoming, Ingested, Outcome, Place, Plan, Rejection, Standing};
use crate::limits::{
    HELD_PER_DEVICE_MAX, STAGED_AGAIN_BYTES_PER_DEVICE_MAX, STAGED_AGAIN_PER_DEVICE_MAX,
    STAGED_BYTES_PER_DEVICE_MAX, STAGED_PER_DEVICE_MAX,
};
use crate::store::StoreError;
use crate::store::ledger::{OwnBatch, Tip};

pub(super) fn ingest(
    store: &SqliteStore,
    bytes: &[u8],
    shown: Option<Shown<'_>>,
    now_ms: i64,
    key: &SecretKey,
) -> Result<Ingested, StoreError> {
    let batch = match Batch::from_bytes(bytes) {
        Ok(batch) => batch,
        Err(error) => return Ok(unread(Rejection::new("malformed_batch", error))),
    };
    let id = batch.header.id();
    if let Some(Shown { receipt, by }) = shown {
        // It proves itself, so it is kept whatever becomes of the batch, and found again when a staged one is taken in.
        store.write(|tx| former::keep_receipt(tx, receipt, &batch.header, by, now_ms))?;
    }
    let outcome = take(store, &batch, bytes, now_ms, key)?;
    let mut released = Vec::new();
    if matches!(outcome, Outcome::Received(_) | Outcome::Repeated(_)) {
        release(store, id, now_ms, key, &mut released)?;
    }
    Ok(Ingested { batch: Some(id), outcome, released })
}

/// The receipt of an epoch that ended for a batch, and the device that brings both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) receipt: &'a SignedReceipt,
    pub(super) by: DeviceId,
}

fn unread(rejection: Rejection) -> Ingested {
    Ingested { batch: None, outcome: Outcome::Rejected(rejection), released: Vec::new() }
}

/// Takes in the batches that waited for `id`, and those that waited for them.
fn release(
    store: &SqliteStore,
    id: BatchId,
    now_ms: i64,
    key: &SecretKey,
    released: &mut Vec<(BatchId, SignedReceipt)>,
) -> Result<(), StoreError> {
    let mut ends = vec![id];
    while let Some(end) = ends.pop() {
        for bytes in store.read(|conn| staged_after(conn, end))? {
            let batch =
                Batch::from_bytes(&bytes).map_err(|error| StoreError::corrupt("staged_batch", end, error))?;
            let next = batch.header.id();
            match take(store, &batch, &bytes, now_ms, key)? {
                Outcome::Received(receipt) => {
                    released.push((next, *receipt));
                    ends.push(next);
                }
                _ => store.write(|tx| {
                    unstage(tx, next)?;
                    super::gap::filled_in_chain(tx, &batch.header, now_ms)
                })?,
            }
        }
    }
    Ok(())
}

/// Verifies and opens outside of the transaction, decides and writes inside.
fn take(
    store: &SqliteStore,
    batch: &Batch,
    bytes: &[u8],
    now_ms: i64,
    key: &SecretKey,
) -> Result<Outcome, StoreError> {
    let device = batch.header.device;
    let (former, certified) = store.read(|conn| {
        let former = former::receipt_of(conn, batch.header.id())?.map(|signed| signed.statement);
        let certified = certified_for(conn, batch, former.as_ref())?;
        Ok((former, certified))
    })?;
    let Some(certified) = certified else {
        return Ok(Outcome::Rejected(Rejection::new("unknown_device", device)));
    };
    if let Err(error) = batch.verify(&certified.signed.statement) {
        return Ok(Outcome::Rejected(ingest::not_verified(&error)));
    }
    let body = match batch.open() {
        Ok(body) => body,
        Err(error) => return Ok(Outcome::Rejected(Rejection::new("bad_payload", error))),
    };
    let verified_by = certified.signed;
    let opened = Opened { id: batch.header.id(), batch, bytes, body, verified_by, former };
    store.write(|tx| receive(&Desk::new(tx, now_ms, key)?, &opened, store.pasts(tx)?))
}

/// The certificate that a batch is judged by: the device's newest, or the one of then when an epoch that
/// ended had received the batch.
fn certified_for(
    conn: &Connection,
    batch: &Batch,
    former: Option<&Receipt>,
) -> Result<Option<Certified>, StoreError> {
    let newest = certificate_of(conn, batch.header.device)?;
    let (Some(newest), Some(former)) = (&newest, former) else { return Ok(newest) };
    let then = former::certificate_then(conn, batch, former.received_ms)?;
    let signed = then.unwrap_or_else(|| newest.signed.clone());
    Ok(Some(Certified { signed, revoked_ms: newest.revoked_ms }))
}

/// The whole of one transaction: place in the chain, verdicts, rows, leaf, receipt.
fn receive(desk: &Desk<'_>, opened: &Opened<'_>, pasts: &Pasts) -> Result<Outcome, StoreError> {
    let (tx, header) = (desk.tx, &opened.batch.header);
    if let Some(receipt) = receipt_of(tx, opened.id)? {
        return Ok(Outcome::Repeated(Box::new(receipt)));
    }
    let certified = certified_for(tx, opened.batch, opened.former.as_ref())?;
    let certified = certified.ok_or(StoreError::NotFound("certificate"))?;
    let certificate = &certified.signed.statement;
    if certified.signed != opened.verified_by
        && let Err(error) = opened.batch.verify(certificate)
    {
        return Ok(Outcome::Rejected(ingest::not_verified(&error)));
    }
    match ingest::place(header, &chain_of(tx, header)?) {
        Place::Follows => {}
        Place::Gap { expected } => return stage(desk, opened, expected),
        Place::Wrong(rejection) => return Ok(Outcome::Rejected(rejection)),
    }
    let incoming = incoming(desk, opened, certificate, certified.revoked_ms);
    let shelf = SqlShelf::new(tx, header.village, pasts);
    let at_hand = documents_at_hand(tx, header.village, &opened.body, pasts)?;
    let plan = ingest::plan(&incoming, at_hand, &shelf);
    let plan = shelf.checked(plan)?;
    if let Some(rejection) = too_much_held(tx, header.device, &plan)? {
        return Ok(Outcome::Rejected(rejection));
    }
    let receipt = write_plan(desk, opened, plan, pasts)?;
    Ok(Outcome::Received(Box::new(receipt)))
}

fn incoming<'a>(
    desk: &Desk<'_>,
    opened: &'a Opened<'_>,
    certificate: &Certificate,
    revoked_ms: Option<i64>,
) -> Incoming<'a> {
    let header = &opened.batch.header;
    let author = Author { device: header.device, role: certificate.role, user: header.user };
    let actors =
        opened.body.openings.iter().map(|opening| ActorId::derive(header.device, *opening)).collect();
    let blanket = match &opened.former {
        None => ingest::blanket_rule(certificate, revoked_ms.is_some(), desk.now_ms),
        // As of then: a revocation counts from its moment on, and what was kept apart stays apart.
        Some(former) => {
            let revoked = revoked_ms.is_some_and(|at_ms| at_ms <= former.received_ms);
            let rule = ingest::blanket_rule(certificate, revoked, former.received_ms);
            rule.or_else(|| device_rule(former))
        }
    };
    Incoming { village: header.village, author, actors, blanket, changes: &opened.body.changes }
}

pub(super) fn receipt_of(conn: &Connection, id: BatchId) -> Result<Option<SignedReceipt>, StoreError> {
    let bytes: Option<Vec<u8>> = conn
        .prepare_cached("SELECT receipt FROM batch WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))
        .optional()?;
    bytes
        .map(|bytes| {
            SignedReceipt::from_bytes(&bytes).map_err(|error| StoreError::corrupt("batch", id, error))
        })
        .transpose()
}

fn chain_of(tx: &Transaction<'_>, header: &BatchHeader) -> Result<Chain, StoreError> {
    let whose = params![header.village.as_bytes(), header.device.as_bytes()];
    let highest: i64 = tx
        .prepare_cached("SELECT coalesce(max(number), 0) FROM batch WHERE village = ?1 AND device = ?2")?
        .query_row(whose, |row| row.get(0))?;
    let mut tips = tx.prepare_cached("SELECT id FROM chain_tip WHERE village = ?1 AND device = ?2")?;
    let tips = tips.query_map(whose, |row| row.get(0))?.collect::<Result<Vec<[u8; 32]>, _>>()?;
    let previous = header.previous.map(|previous| previous.0);
    let previous_number: Option<i64> = tx
        .prepare_cached("SELECT number FROM batch WHERE id = ?3 AND village = ?1 AND device = ?2")?
        .query_row(params![header.village.as_bytes(), header.device.as_bytes(), previous], |row| row.get(0))
        .optional()?;
    Ok(Chain {
        previous_number: previous_number.map(from_sql),
        highest: from_sql(highest),
        branches: tips.len(),
        previous_is_tip: previous.is_some_and(|previous| tips.contains(&previous)),
    })
}

/// Keeps a batch for later, within the device's bounds.
fn stage(desk: &Desk<'_>, opened: &Opened<'_>, expected: u64) -> Result<Outcome, StoreError> {
    let (tx, header) = (desk.tx, &opened.batch.header);
    let known: bool =
        tx.query_row("SELECT EXISTS (SELECT 1 FROM staged_batch WHERE id = ?1)", [opened.id.0], |row| {
            row.get(0)
        })?;
    if known {
        return Ok(Outcome::Staged { expected });
    }
    let bounds = if opened.former.is_some() { STAGED_AGAIN_MAX } else { STAGED_MAX };
    let (count, bytes): (i64, i64) = tx.query_row(
        "SELECT count(*), coalesce(sum(length(bytes)), 0) FROM staged_batch WHERE device = ?1",
        [header.device.as_bytes()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let bytes = from_sql(bytes).saturating_add(opened.bytes.len() as u64);
    if from_sql(count) >= bounds.0 || bytes > bounds.1 {
        let detail = format!("send batch {expected} of the chain first");
        return Ok(Outcome::Rejected(Rejection::new("too_many_staged", detail)));
    }
    let Some(previous) = header.previous else { return Ok(Outcome::Staged { expected }) };
    super::gap::found_in_chain(tx, header, expected, carrier(tx, opened)?, desk.now_ms)?;
    tx.execute(
        "INSERT INTO staged_batch (id, device, village, number, previous, bytes, received_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            opened.id.0,
            header.device.as_bytes(),
            header.village.as_bytes(),
            to_sql(header.number),
            previous.0,
            opened.bytes,
            desk.now_ms
        ],
    )?;
    Ok(Outcome::Staged { expected })
}

/// Batches and bytes of one device that may wait for their predecessors.
const STAGED_MAX: (u64, u64) = (STAGED_PER_DEVICE_MAX, STAGED_BYTES_PER_DEVICE_MAX);
/// As [`STAGED_MAX`], of batches that an epoch that ended had received.
const STAGED_AGAIN_MAX: (u64, u64) = (STAGED_AGAIN_PER_DEVICE_MAX, STAGED_AGAIN_BYTES_PER_DEVICE_MAX);

/// The device that brought a batch: who showed its old receipt, else its author.
fn carrier(tx: &Transaction<'_>, opened: &Opened<'_>) -> Result<DeviceId, StoreError> {
    let shown_by: Option<[u8; 16]> = tx
        .prepare_cached("SELECT shown_by FROM former_receipt WHERE batch = ?1")?
        .query_row([opened.id.0], |row| row.get(0))
        .optional()?;
    Ok(shown_by.map_or(opened.batch.header.device, DeviceId::from_bytes))
}

pub(super) fn unstage(tx: &Transaction<'_>, id: BatchId) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM staged_batch WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

fn staged_after(conn: &Connection, previous: BatchId) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut select = conn.prepare_cached("SELECT bytes FROM staged_batch WHERE previous = ?1 ORDER BY id")?;
    let rows = select.query_map([previous.0], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn too_much_held(
    tx: &Transaction<'_>,
    device: DeviceId,
    plan: &Plan,
) -> Result<Option<Rejection>, StoreError> {
    let new = plan.changes.iter().filter(|decided| decided.standing == Standing::Held).count() as u64;
    if new == 0 {
        return Ok(None);
    }
    let held: i64 = tx.query_row(
        "SELECT count(*) FROM change INNER JOIN batch USING (sequence)
         WHERE change.standing = 2 AND batch.device = ?1",
        [device.as_bytes()],
        |row| row.get(0),
    )?;
    let over = from_sql(held).saturating_add(new) > HELD_PER_DEVICE_MAX;
    let detail = "too many changes wait for others that are not here";
    Ok(over.then(|| Rejection::new("too_many_held", detail)))
}

/// The end of the longest branch of a chain; of equals the one received first.
pub(super) fn longest_tip(
    conn: &Connection,
    village: VillageId,
    device: DeviceId,
) -> Result<Option<Tip>, StoreError> {
    let found = conn
        .prepare_cached(
            "SELECT id, number FROM chain_tip WHERE village = ?1 AND device = ?2
             ORDER BY number DESC, sequence LIMIT 1",
        )?
        .query_row(params![village.as_bytes(), device.as_bytes()], |row| {
            Ok(Tip { batch: BatchId(row.get(0)?), number: from_sql(row.get(1)?) })
        })
        .optional()?;
    Ok(found)
}

/// Seals the server's own changes onto the end of its chain and takes them in.
pub(super) fn author(desk: &Desk<'_>, own: &OwnBatch<'_>, pasts: &Pasts) -> Result<Outcome, StoreError> {
    let device = own.device_key.public().device_id();
    let Some(certified) = certificate_of(desk.tx, device)? else {
        return Ok(Outcome::Rejected(Rejection::new("unknown_device", device)));
    };
    let tip = longest_tip(desk.tx, own.village, device)?;
    let unsealed = UnsealedHeader {
        deployment: desk.epoch.deployment,
        device,
        user: own.user,
        village: own.village,
        number: tip.map_or(1, |tip| tip.number + 1),
        previous: tip.map(|tip| tip.batch),
        anchor: own_anchor(desk)?,
        schema: own.schema,
        wall_ms: desk.now_ms,
        monotonic_ms: 0,
    };
    let batch = match Batch::seal(own.device_key, unsealed, &own.body) {
        Ok(batch) => batch,
        Err(error) => return Ok(Outcome::Rejected(Rejection::new("not_sealed", error))),
    };
    if let Err(error) = batch.verify(&certified.signed.statement) {
        return Ok(Outcome::Rejected(ingest::not_verified(&error)));
    }
    let (id, bytes, body) = (batch.id(), batch.to_bytes(), own.body.clone());
    let verified_by = certified.signed;
    let opened = Opened { id, batch: &batch, bytes: &bytes, body, verified_by, former: None };
    receive(desk, &opened, pasts)
}

/// The newest checkpoint of the present epoch.
fn own_anchor(desk: &Desk<'_>) -> Result<Anchor, StoreError> {
    let epoch = desk.epoch.epoch;
    let begins: i64 = desk
        .tx
        .prepare_cached("SELECT leaf_index FROM epoch WHERE id = ?1")?
        .query_row([epoch.as_bytes()], |row| row.get(0))?;
    let latest = latest_checkpoint(desk.tx)?.filter(|latest| latest.size > from_sql(begins));
    Ok(latest.map_or(Anchor::start(epoch), |latest| Anchor { epoch, size: latest.size, root: latest.root }))
}
