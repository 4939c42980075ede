//! The log in SQL: leaves, tree nodes, checkpoints, and the signed records that have a leaf of their own.
//!
//! Every function takes the caller's transaction, so a record and its leaf become durable together.

use std::cell::RefCell;
use std::collections::BTreeSet;

use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::checkpoint::Checkpoint;
use ruhu_ledger::epoch::{EpochStart, SignedEpochStart};
use ruhu_ledger::leaf::Leaf;
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::tree::{self, Hash, Node, Nodes, TreeError};
use ruhu_survey::id::{DeploymentId, DeviceId, VillageId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::append::{FEED_CERTIFICATE, FEED_REVOCATION, Totals};
use super::column::{from_sql, to_sql};
use super::succession::serial_floor;
use crate::store::StoreError;
use crate::store::ledger::{Included, StoredCheckpoint};

/// The tree's nodes as the database holds them. [`Nodes`] cannot fail, so a failure is kept and taken up
/// with [`SqlNodes::checked`].
pub(crate) struct SqlNodes<'a> {
    conn: &'a Connection,
    failure: RefCell<Option<rusqlite::Error>>,
}

impl<'a> SqlNodes<'a> {
    pub(crate) fn new(conn: &'a Connection) -> Self {
        Self { conn, failure: RefCell::new(None) }
    }

    /// What was computed over these nodes, unless reading one failed.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a node is lacking that should be there.
    pub(crate) fn checked<T>(self, computed: Result<T, TreeError>) -> Result<T, StoreError> {
        match self.failure.into_inner() {
            Some(error) => Err(error.into()),
            None => computed.map_err(|error| StoreError::corrupt("log_node", "a subtree", error)),
        }
    }

    fn read(&self, level: u8, index: u64) -> rusqlite::Result<Option<Hash>> {
        self.conn
            .prepare_cached("SELECT hash FROM log_node WHERE level = ?1 AND node_index = ?2")?
            .query_row(params![level, to_sql(index)], |row| row.get(0))
            .optional()
    }
}

impl Nodes for SqlNodes<'_> {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.read(level, index).unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            None
        })
    }
}

/// How many leaves the log has.
pub(crate) fn log_size(conn: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> =
        conn.prepare_cached("SELECT max(leaf_index) FROM log_leaf")?.query_row([], |row| row.get(0))?;
    Ok(last.map_or(0, |last| from_sql(last) + 1))
}

/// Appends a leaf and the tree nodes that it completes; returns its index.
pub(crate) fn append_leaf(tx: &Transaction<'_>, leaf: &Leaf) -> Result<u64, StoreError> {
    let size = log_size(tx)?;
    tx.prepare_cached("INSERT INTO log_leaf (leaf_index, time_ms, bytes) VALUES (?1, ?2, ?3)")?
        .execute(params![to_sql(size), leaf.time_ms, leaf.to_bytes()])?;
    let nodes = SqlNodes::new(tx);
    let fresh = tree::append(size, leaf.hash(), &nodes);
    let fresh = nodes.checked(fresh)?;
    let mut insert =
        tx.prepare_cached("INSERT INTO log_node (level, node_index, hash) VALUES (?1, ?2, ?3)")?;
    for Node { level, index, hash } in fresh {
        insert.execute(params![level, to_sql(index), hash])?;
    }
    Ok(size)
}

/// The root of the log's first `size` leaves.
pub(crate) fn root_at(conn: &Connection, size: u64) -> Result<Hash, StoreError> {
    let nodes = SqlNodes::new(conn);
    let root = tree::root(size, &nodes);
    nodes.checked(root)
}

/// Writes the deployment, its epoch and the epoch's leaf.
///
/// # Errors
/// [`StoreError::Conflict`] when the file belongs to another deployment or has the epoch already.
pub(crate) fn begin_epoch(tx: &Transaction<'_>, start: &SignedEpochStart) -> Result<u64, StoreError> {
    let EpochStart { deployment, epoch, .. } = &start.statement;
    match deployment_of(tx)? {
        Some(found) if found != *deployment => return Err(StoreError::Conflict("deployment")),
        Some(_) => {}
        None => {
            tx.execute("INSERT INTO deployment (only_row, id) VALUES (1, ?1)", [deployment.as_bytes()])?;
        }
    }
    let known: bool =
        tx.query_row("SELECT EXISTS (SELECT 1 FROM epoch WHERE id = ?1)", [epoch.as_bytes()], |row| {
            row.get(0)
        })?;
    if known {
        return Err(StoreError::Conflict("epoch"));
    }
    let leaf_index = append_leaf(tx, &Leaf::epoch(start))?;
    tx.execute(
        "INSERT INTO epoch (number, id, leaf_index, bytes)
         VALUES ((SELECT coalesce(max(number), 0) + 1 FROM epoch), ?1, ?2, ?3)",
        params![epoch.as_bytes(), to_sql(leaf_index), start.to_bytes()],
    )?;
    Ok(leaf_index)
}

/// The deployment this file belongs to.
pub(crate) fn deployment_of(conn: &Connection) -> Result<Option<DeploymentId>, StoreError> {
    let found: Option<[u8; 16]> =
        conn.prepare_cached("SELECT id FROM deployment")?.query_row([], |row| row.get(0)).optional()?;
    Ok(found.map(DeploymentId::from_bytes))
}

/// The present life of the log.
///
/// # Errors
/// [`StoreError::NotFound`] before `init`.
pub(crate) fn present_epoch(conn: &Connection) -> Result<EpochStart, StoreError> {
    let bytes: Option<Vec<u8>> = conn
        .prepare_cached("SELECT bytes FROM epoch ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let bytes = bytes.ok_or(StoreError::NotFound("epoch"))?;
    let signed = SignedEpochStart::from_bytes(&bytes)
        .map_err(|error| StoreError::corrupt("epoch", "the present one", error))?;
    Ok(signed.statement)
}

/// The number for the next certificate.
pub(crate) fn next_serial(conn: &Connection) -> Result<u64, StoreError> {
    let last: i64 =
        conn.query_row("SELECT coalesce(max(serial), 0) FROM certificate", [], |row| row.get(0))?;
    Ok(from_sql(last).max(serial_floor(conn)?) + 1)
}

/// Writes a certificate, its leaf, and its entry in the feed of each of its villages; returns the leaf's
/// index.
///
/// # Errors
/// [`StoreError::Conflict`] when its serial is taken.
pub(crate) fn record_certificate(
    tx: &Transaction<'_>,
    signed: &SignedCertificate,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let serial = to_sql(signed.statement.serial);
    let taken: bool =
        tx.query_row("SELECT EXISTS (SELECT 1 FROM certificate WHERE serial = ?1)", [serial], |row| {
            row.get(0)
        })?;
    if taken {
        return Err(StoreError::Conflict("certificate"));
    }
    let leaf_index = append_leaf(tx, &Leaf::certificate(signed, now_ms))?;
    tx.execute(
        "INSERT INTO certificate (device, serial, leaf_index, issued_ms, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![signed.statement.device().as_bytes(), serial, to_sql(leaf_index), now_ms, signed.to_bytes()],
    )?;
    announce(tx, &signed.statement.villages, FEED_CERTIFICATE, leaf_index)?;
    Ok(leaf_index)
}

/// Puts a record into the feed of every village that it concerns.
fn announce(
    tx: &Transaction<'_>,
    villages: &BTreeSet<VillageId>,
    kind: u8,
    leaf_index: u64,
) -> Result<(), StoreError> {
    for village in villages {
        Totals::of(tx, *village)?.next_entry(tx, kind, leaf_index)?;
    }
    Ok(())
}

/// Every village that a device was ever certified for.
fn villages_of(tx: &Transaction<'_>, device: DeviceId) -> Result<BTreeSet<VillageId>, StoreError> {
    let mut select = tx.prepare_cached("SELECT bytes FROM certificate WHERE device = ?1")?;
    let mut rows = select.query([device.as_bytes()])?;
    let mut villages = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(0)?;
        let signed = SignedCertificate::from_bytes(&bytes)
            .map_err(|error| StoreError::corrupt("certificate", device, error))?;
        villages.extend(signed.statement.villages);
    }
    Ok(villages)
}

/// Writes a revocation, its leaf, and its entry in the feed of each village of the device; returns the
/// leaf's index.
///
/// # Errors
/// [`StoreError::Conflict`] when the device was revoked before.
pub(crate) fn record_revocation(tx: &Transaction<'_>, signed: &SignedRevocation) -> Result<u64, StoreError> {
    let device = signed.statement.device;
    let before: bool = tx.query_row(
        "SELECT EXISTS (SELECT 1 FROM revocation WHERE device = ?1)",
        [device.as_bytes()],
        |row| row.get(0),
    )?;
    if before {
        return Err(StoreError::Conflict("revocation"));
    }
    let leaf_index = append_leaf(tx, &Leaf::revocation(signed))?;
    tx.execute(
        "INSERT INTO revocation (device, revoked_ms, leaf_index, bytes) VALUES (?1, ?2, ?3, ?4)",
        params![device.as_bytes(), signed.statement.at_ms, to_sql(leaf_index), signed.to_bytes()],
    )?;
    announce(tx, &villages_of(tx, device)?, FEED_REVOCATION, leaf_index)?;
    Ok(leaf_index)
}

/// A device's newest certificate, and since when its key holds no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certified {
    pub(crate) signed: SignedCertificate,
    pub(crate) revoked_ms: Option<i64>,
}

/// What is known of a device's key.
pub(crate) fn certificate_of(conn: &Connection, device: DeviceId) -> Result<Option<Certified>, StoreError> {
    let found: Option<(Vec<u8>, Option<i64>)> = conn
        .prepare_cached(
            "SELECT bytes, (SELECT revoked_ms FROM revocation WHERE revocation.device = certificate.device)
             FROM certificate WHERE device = ?1 ORDER BY serial DESC LIMIT 1",
        )?
        .query_row([device.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((bytes, revoked_ms)) = found else { return Ok(None) };
    let signed = SignedCertificate::from_bytes(&bytes)
        .map_err(|error| StoreError::corrupt("certificate", device, error))?;
    Ok(Some(Certified { signed, revoked_ms }))
}

/// Signs the log as it stands, unless the newest checkpoint covers it already.
pub(crate) fn sign_checkpoint(
    tx: &Transaction<'_>,
    now_ms: i64,
    key: &SecretKey,
) -> Result<StoredCheckpoint, StoreError> {
    let EpochStart { deployment, epoch, server_key, previous, .. } = present_epoch(tx)?;
    if server_key != key.public() {
        return Err(StoreError::Conflict("server key"));
    }
    let size = log_size(tx)?;
    if let Some(latest) = latest_checkpoint(tx)?.filter(|latest| latest.size == size) {
        return Ok(latest);
    }
    let root = root_at(tx, size)?;
    let checkpoint = match previous {
        None => Checkpoint::new(deployment, size, root),
        Some(_) => Checkpoint::of_epoch(deployment, epoch, size, root),
    };
    let note = checkpoint.sign(key).map_err(|error| StoreError::corrupt("checkpoint", size, error))?;
    tx.execute(
        "INSERT INTO checkpoint (size, root, signed_ms, note) VALUES (?1, ?2, ?3, ?4)",
        params![to_sql(size), root, now_ms, note],
    )?;
    Ok(StoredCheckpoint { size, root, note })
}

/// The newest checkpoint.
pub(crate) fn latest_checkpoint(conn: &Connection) -> Result<Option<StoredCheckpoint>, StoreError> {
    let found = conn
        .prepare_cached("SELECT size, root, note FROM checkpoint ORDER BY size DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(StoredCheckpoint { size: from_sql(row.get(0)?), root: row.get(1)?, note: row.get(2)? })
        })
        .optional()?;
    Ok(found)
}

/// The proof that the log at `to` continues the log at `from`.
pub(crate) fn consistency(conn: &Connection, from: u64, to: u64) -> Result<Option<Vec<Hash>>, StoreError> {
    if from > to || to > log_size(conn)? {
        return Ok(None);
    }
    let nodes = SqlNodes::new(conn);
    let proof = tree::consistency_proof(from, to, &nodes);
    nodes.checked(proof).map(Some)
}

/// A leaf, and the proof that it is in the log of `size` leaves.
pub(crate) fn inclusion(conn: &Connection, leaf: u64, size: u64) -> Result<Option<Included>, StoreError> {
    if leaf >= size || size > log_size(conn)? {
        return Ok(None);
    }
    let bytes = conn
        .prepare_cached("SELECT bytes FROM log_leaf WHERE leaf_index = ?1")?
        .query_row([to_sql(leaf)], |row| row.get(0))?;
    let nodes = SqlNodes::new(conn);
    let proof = tree::inclusion_proof(leaf, size, &nodes);
    Ok(Some((bytes, nodes.checked(proof)?)))
}
