//! What devices bring back of epochs that ended: old receipts, certificates, revocations, decisions.

use ruhu_ledger::batch::{Batch, BatchHeader, BatchId};
use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::checkpoint::{Checkpoint, NoteKey};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::signature::PublicKey;
use ruhu_ledger::statement::{Signed, Statement};
use ruhu_ledger::succession::EpochLink;
use ruhu_survey::id::{DeviceId, EpochId};
use ruhu_sync::Offer;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sha2::{Digest as _, Sha256};

use super::column::to_sql;
use super::gap::settle_log;
use super::log::{certificate_of, deployment_of, record_revocation};
use super::people::certify;
use super::succession::{former_key, former_keys, put_link};
use crate::former;
use crate::store::StoreError;
use crate::store::epochs::Offered;

/// `former_record.kind` of a certificate, as in the offer.
pub(super) const CERTIFICATE: u8 = 1;
/// `former_record.kind` of a revocation.
pub(super) const REVOCATION: u8 = 2;
/// `former_record.kind` of a decision.
pub(super) const DECISION: u8 = 4;
/// `former_record.kind` of a checkpoint note.
pub(super) const CHECKPOINT: u8 = 5;
/// `former_record.kind` of a watermark.
pub(super) const WATERMARK: u8 = 6;

/// Keeps the receipt of an epoch that ended, if that epoch's key signed it for this batch.
pub(super) fn keep_receipt(
    tx: &Transaction<'_>,
    receipt: &SignedReceipt,
    header: &BatchHeader,
    by: DeviceId,
    now_ms: i64,
) -> Result<(), StoreError> {
    let said = &receipt.statement;
    let Some(key) = former_key(tx, said.epoch)? else { return Ok(()) };
    if former::check(receipt, &key, header).is_err() {
        return Ok(());
    }
    tx.prepare_cached(
        "INSERT INTO former_receipt (batch, epoch, leaf_index, received_ms, bytes, shown_by, shown_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        said.batch.0,
        said.epoch.as_bytes(),
        to_sql(said.leaf_index),
        said.received_ms,
        receipt.to_bytes(),
        by.as_bytes(),
        now_ms
    ])?;
    settle_log(tx, said.epoch, by, now_ms)
}

/// The receipt of an epoch that ended for a batch, verified when it came.
pub(super) fn receipt_of(conn: &Connection, batch: BatchId) -> Result<Option<SignedReceipt>, StoreError> {
    let bytes: Option<Vec<u8>> = conn
        .prepare_cached("SELECT bytes FROM former_receipt WHERE batch = ?1")?
        .query_row([batch.0], |row| row.get(0))
        .optional()?;
    let read = |bytes: Vec<u8>| {
        SignedReceipt::from_bytes(&bytes).map_err(|error| StoreError::corrupt("former_receipt", batch, error))
    };
    bytes.map(read).transpose()
}

/// The certificate that a batch brought back was written under: of those that fit, the last that began
/// before the batch was received.
pub(super) fn certificate_then(
    conn: &Connection,
    batch: &Batch,
    received_ms: i64,
) -> Result<Option<SignedCertificate>, StoreError> {
    let mut select =
        conn.prepare_cached("SELECT bytes FROM certificate WHERE device = ?1 ORDER BY serial DESC")?;
    let rows = select.query_map([batch.header.device.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
    let mut fitting = Vec::new();
    for bytes in rows {
        let signed = SignedCertificate::from_bytes(&bytes?)
            .map_err(|error| StoreError::corrupt("certificate", batch.header.device, error))?;
        if batch.verify(&signed.statement).is_ok() {
            fitting.push(signed);
        }
    }
    let then = fitting.iter().position(|signed| signed.statement.from_ms <= received_ms);
    Ok(then.map(|place| fitting.swap_remove(place)))
}

pub(super) fn offered(
    tx: &Transaction<'_>,
    offer: &Offer,
    by: DeviceId,
    now_ms: i64,
) -> Result<Offered, StoreError> {
    let shown = Shown { tx, by, now_ms };
    match offer {
        Offer::Certificate(signed) => shown.certificate(signed),
        Offer::Revocation(signed) => shown.revocation(signed),
        Offer::Link(link) => shown.link(link),
        Offer::Decision(signed) => {
            let known = holds(tx, "SELECT 1 FROM decision WHERE bytes = ?1", &signed.to_bytes())?;
            shown.record(DECISION, signed, known)
        }
        Offer::Watermark(signed) => {
            let known = holds(tx, "SELECT 1 FROM watermark WHERE bytes = ?1", &signed.to_bytes())?;
            shown.record(WATERMARK, signed, known)
        }
        Offer::Checkpoint { epoch, note } => shown.checkpoint(*epoch, note),
    }
}

fn holds(tx: &Transaction<'_>, sql: &str, bytes: &[u8]) -> Result<bool, StoreError> {
    Ok(tx.prepare_cached(sql)?.exists([bytes])?)
}

/// Something that a device shows.
struct Shown<'a> {
    tx: &'a Transaction<'a>,
    by: DeviceId,
    now_ms: i64,
}

impl Shown<'_> {
    /// A certificate that is not here gets a leaf of its own and goes into the feeds of its villages.
    fn certificate(&self, signed: &SignedCertificate) -> Result<Offered, StoreError> {
        if deployment_of(self.tx)? != Some(signed.statement.deployment) {
            return Ok(Offered::Unproved);
        }
        let serial = to_sql(signed.statement.serial);
        let taken =
            self.tx.prepare_cached("SELECT 1 FROM certificate WHERE serial = ?1")?.exists([serial])?;
        let offered = self.record(CERTIFICATE, signed, taken)?;
        if offered == Offered::Kept {
            certify(self.tx, signed, self.now_ms)?;
        }
        Ok(offered)
    }

    /// A revocation that is not here takes effect again.
    fn revocation(&self, signed: &SignedRevocation) -> Result<Offered, StoreError> {
        let device = signed.statement.device;
        if deployment_of(self.tx)? != Some(signed.statement.deployment)
            || certificate_of(self.tx, device)?.is_none()
        {
            return Ok(Offered::Unproved);
        }
        let known = self
            .tx
            .prepare_cached("SELECT 1 FROM revocation WHERE device = ?1")?
            .exists([device.as_bytes()])?;
        let offered = self.record(REVOCATION, signed, known)?;
        if offered == Offered::Kept {
            record_revocation(self.tx, signed)?;
        }
        Ok(offered)
    }

    /// A link of an epoch that lived between the backup and the restore: the key of an epoch known here
    /// countersigned it.
    fn link(&self, link: &EpochLink) -> Result<Offered, StoreError> {
        let known = self
            .tx
            .prepare_cached("SELECT 1 FROM epoch_link WHERE epoch = ?1")?
            .exists([link.epoch().as_bytes()])?;
        if known {
            return Ok(Offered::Known);
        }
        let said = &link.succession.statement;
        let trusted = former_key(self.tx, said.previous)? == Some(said.previous_key)
            && link.verify().is_ok()
            && link.verify_countersigned().is_ok();
        if !trusted {
            return Ok(Offered::Unproved);
        }
        put_link(self.tx, link, self.now_ms)?;
        Ok(Offered::Kept)
    }

    fn checkpoint(&self, epoch: EpochId, note: &str) -> Result<Offered, StoreError> {
        let (Some(key), Some(deployment)) = (former_key(self.tx, epoch)?, deployment_of(self.tx)?) else {
            return Ok(Offered::Unproved);
        };
        let first = NoteKey::of_log(deployment, key);
        let later = NoteKey::of_epoch(deployment, epoch, key);
        if Checkpoint::open(note, &first).or_else(|_| Checkpoint::open(note, &later)).is_err() {
            return Ok(Offered::Unproved);
        }
        self.keep(CHECKPOINT, epoch, note.as_bytes())
    }

    /// Keeps a signed record of an epoch that ended, unless it is known.
    fn record<T>(&self, kind: u8, signed: &Signed<T>, known: bool) -> Result<Offered, StoreError>
    where
        T: Statement + std::fmt::Debug,
    {
        if known {
            return Ok(Offered::Known);
        }
        let keys: Vec<(EpochId, PublicKey)> = former_keys(self.tx)?;
        match keys.into_iter().find(|(_, key)| signed.verify(key).is_ok()) {
            Some((epoch, _)) => self.keep(kind, epoch, &signed.to_bytes()),
            None => Ok(Offered::Unproved),
        }
    }

    fn keep(&self, kind: u8, epoch: EpochId, bytes: &[u8]) -> Result<Offered, StoreError> {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        let written = self
            .tx
            .prepare_cached(
                "INSERT INTO former_record (hash, kind, epoch, bytes, shown_by, shown_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            )?
            .execute(params![hash, kind, epoch.as_bytes(), bytes, self.by.as_bytes(), self.now_ms])?;
        settle_log(self.tx, epoch, self.by, self.now_ms)?;
        Ok(if written > 0 { Offered::Kept } else { Offered::Known })
    }
}
