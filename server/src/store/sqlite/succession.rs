//! Epochs in SQL: how one follows another, whose keys signed when, and how far backups hold the log.

use ruhu_ledger::certificate::SignedCertificate;
use ruhu_ledger::epoch::SignedEpochStart;
use ruhu_ledger::leaf::Leaf;
use ruhu_ledger::signature::{PublicKey, SecretKey};
use ruhu_ledger::succession::EpochLink;
use ruhu_ledger::tree::Hash;
use ruhu_ledger::watermark::{SignedWatermark, Watermark};
use ruhu_survey::id::EpochId;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::append::Desk;
use super::column::{from_sql, to_sql};
use super::log::{append_leaf, begin_epoch, log_size, present_epoch, root_at};
use super::people::certify;
use crate::store::StoreError;
use crate::store::epochs::Extent;

pub(super) fn extent(conn: &Connection) -> Result<Extent, StoreError> {
    let size = log_size(conn)?;
    let end: Option<i64> = conn.query_row("SELECT max(sequence) FROM feed", [], |row| row.get(0))?;
    Ok(Extent {
        epoch: present_epoch(conn)?.epoch,
        size,
        root: root_at(conn, size)?,
        feed_end: end.map_or(0, from_sql),
    })
}

pub(super) fn succeed(
    tx: &Transaction<'_>,
    link: &EpochLink,
    certificate: &SignedCertificate,
    watermark: &SignedWatermark,
) -> Result<(), StoreError> {
    let said = &link.succession.statement;
    let extent = extent(tx)?;
    if (said.previous, said.size, said.root) != (extent.epoch, extent.size, extent.root) {
        return Err(StoreError::Conflict("log"));
    }
    begin_epoch(tx, &link.start)?;
    let started_ms = link.start.statement.started_ms;
    put_link(tx, link, started_ms)?;
    certify(tx, certificate, started_ms)?;
    put_watermark(tx, watermark)
}

/// Keeps a link; `false` when it is here already.
pub(super) fn put_link(tx: &Transaction<'_>, link: &EpochLink, now_ms: i64) -> Result<bool, StoreError> {
    let (epoch, previous) = (link.epoch(), link.succession.statement.previous);
    let written = tx.execute(
        "INSERT INTO epoch_link (epoch, previous, known_ms, bytes) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        params![epoch.as_bytes(), previous.as_bytes(), now_ms, link.to_bytes()],
    )?;
    Ok(written > 0)
}

/// The links of this file's own history, oldest first.
pub(super) fn links(conn: &Connection) -> Result<Vec<EpochLink>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT epoch_link.bytes FROM epoch INNER JOIN epoch_link ON epoch_link.epoch = epoch.id
         ORDER BY epoch.number",
    )?;
    let rows = select.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|bytes| read_link(&bytes?)).collect()
}

pub(super) fn read_link(bytes: &[u8]) -> Result<EpochLink, StoreError> {
    EpochLink::from_bytes(bytes).map_err(|error| StoreError::corrupt("epoch_link", "a link", error))
}

/// The key of an epoch that is not the present one, if the epoch is known here.
pub(super) fn former_key(conn: &Connection, epoch: EpochId) -> Result<Option<PublicKey>, StoreError> {
    let own: Option<Vec<u8>> = conn
        .prepare_cached("SELECT bytes FROM epoch WHERE id = ?1 AND number < (SELECT max(number) FROM epoch)")?
        .query_row([epoch.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(bytes) = own {
        let signed = SignedEpochStart::from_bytes(&bytes)
            .map_err(|error| StoreError::corrupt("epoch", epoch, error))?;
        return Ok(Some(signed.statement.server_key));
    }
    let link: Option<Vec<u8>> = conn
        .prepare_cached(
            "SELECT bytes FROM epoch_link WHERE epoch = ?1 AND epoch NOT IN (SELECT id FROM epoch)",
        )?
        .query_row([epoch.as_bytes()], |row| row.get(0))
        .optional()?;
    link.map(|bytes| Ok(read_link(&bytes)?.start.statement.server_key)).transpose()
}

/// Every epoch that ended, with its key.
pub(super) fn former_keys(conn: &Connection) -> Result<Vec<(EpochId, PublicKey)>, StoreError> {
    let mut select = conn.prepare_cached("SELECT id FROM epoch UNION SELECT epoch FROM epoch_link")?;
    let ids = select.query_map([], |row| row.get(0))?.collect::<Result<Vec<[u8; 16]>, _>>()?;
    let mut keys = Vec::new();
    for epoch in ids.into_iter().map(EpochId::from_bytes) {
        keys.extend(former_key(conn, epoch)?.map(|key| (epoch, key)));
    }
    Ok(keys)
}

/// The first number for certificates of this epoch: two servers restored from one backup, and the lost end
/// of the epoch before them, must not give one number to two devices.
pub(super) fn serial_floor(conn: &Connection) -> Result<u64, StoreError> {
    let restored: bool = conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM epoch_link INNER JOIN epoch ON epoch.id = epoch_link.epoch)",
        [],
        |row| row.get(0),
    )?;
    let started_ms = if restored { present_epoch(conn)?.started_ms } else { 0 };
    Ok(from_sql(started_ms / 1_000))
}

/// Signs a watermark over leaves that a verified backup holds, and appends it.
pub(super) fn advance(desk: &Desk<'_>, size: u64, root: &Hash) -> Result<SignedWatermark, StoreError> {
    if size > log_size(desk.tx)? || root_at(desk.tx, size)? != *root {
        return Err(StoreError::Conflict("log"));
    }
    let watermark = Watermark {
        deployment: desk.epoch.deployment,
        epoch: desk.epoch.epoch,
        size,
        root: *root,
        verified_ms: desk.now_ms,
    };
    let signed = sign(watermark, desk.key)?;
    put_watermark(desk.tx, &signed)?;
    Ok(signed)
}

fn sign(watermark: Watermark, key: &SecretKey) -> Result<SignedWatermark, StoreError> {
    let size = watermark.size;
    SignedWatermark::sign(watermark, key).map_err(|error| StoreError::corrupt("watermark", size, error))
}

fn put_watermark(tx: &Transaction<'_>, signed: &SignedWatermark) -> Result<(), StoreError> {
    let leaf_index = append_leaf(tx, &Leaf::watermark(signed))?;
    tx.execute(
        "INSERT INTO watermark (leaf_index, size, bytes) VALUES (?1, ?2, ?3)",
        params![to_sql(leaf_index), to_sql(signed.statement.size), signed.to_bytes()],
    )?;
    Ok(())
}

/// The newest watermark and its leaf.
pub(super) fn watermark(conn: &Connection) -> Result<Option<(u64, SignedWatermark)>, StoreError> {
    let found: Option<(i64, Vec<u8>)> = conn
        .prepare_cached("SELECT leaf_index, bytes FROM watermark ORDER BY leaf_index DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((leaf, bytes)) = found else { return Ok(None) };
    let signed =
        SignedWatermark::from_bytes(&bytes).map_err(|error| StoreError::corrupt("watermark", leaf, error))?;
    Ok(Some((from_sql(leaf), signed)))
}
