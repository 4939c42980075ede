//! Gaps in SQL: numbers of a chain that a later batch proves, and leaves of an ended epoch's log that a
//! receipt or checkpoint proves.

use ruhu_ledger::batch::{BatchHeader, BatchId};
use ruhu_ledger::checkpoint::Checkpoint;
use ruhu_survey::id::{DeviceId, EpochId, UserId, VillageId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::column::{from_sql, to_sql};
use super::former::{CHECKPOINT, receipt_of};
use super::succession::read_link;
use crate::store::StoreError;
use crate::store::epochs::{Gap, GapPlace};

const CHAIN: u8 = 1;
const LOG: u8 = 2;

/// Notes that a staged batch's predecessor is not here, and that whatever waited for this batch is no
/// longer what proves the gap.
pub(super) fn found_in_chain(
    tx: &Transaction<'_>,
    header: &BatchHeader,
    expected: u64,
    by: DeviceId,
    now_ms: i64,
) -> Result<(), StoreError> {
    let id = header.id();
    tx.prepare_cached(
        "UPDATE gap SET filled_ms = ?2, missing = 0 WHERE kind = 1 AND filled_ms IS NULL
             AND proof IN (SELECT id FROM staged_batch WHERE previous = ?1)",
    )?
    .execute(params![id.0, now_ms])?;
    let Some(previous) = header.previous else { return Ok(()) };
    if tx.prepare_cached("SELECT 1 FROM staged_batch WHERE id = ?1")?.exists([previous.0])? {
        return Ok(());
    }
    let last = header.number.saturating_sub(1);
    let first = expected.min(last);
    tx.prepare_cached(
        "INSERT INTO gap (kind, village, device, person, proof, first_number, last_number, missing, shown_by, found_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (kind, proof) DO UPDATE SET filled_ms = NULL, missing = excluded.missing",
    )?
    .execute(params![
        CHAIN,
        header.village.as_bytes(),
        header.device.as_bytes(),
        header.user.as_bytes(),
        id.0,
        to_sql(first),
        to_sql(last),
        to_sql(last - first + 1),
        by.as_bytes(),
        now_ms
    ])?;
    Ok(())
}

/// Notes that a batch was received: the gap that it proved is filled, and those further up its chain are
/// smaller.
pub(super) fn filled_in_chain(
    tx: &Transaction<'_>,
    header: &BatchHeader,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE gap SET filled_ms = ?2, missing = 0 WHERE kind = 1 AND proof = ?1 AND filled_ms IS NULL",
    )?
    .execute(params![header.id().0, now_ms])?;
    tx.prepare_cached(
        "UPDATE gap SET missing = max(last_number - ?3, 0)
         WHERE kind = 1 AND filled_ms IS NULL AND village = ?1 AND device = ?2
             AND ?3 BETWEEN first_number AND last_number AND missing > last_number - ?3",
    )?
    .execute(params![header.village.as_bytes(), header.device.as_bytes(), to_sql(header.number)])?;
    Ok(())
}

/// Counts what is missing of the log of an epoch that this file went on from.
pub(super) fn settle_log(
    tx: &Transaction<'_>,
    epoch: EpochId,
    by: DeviceId,
    now_ms: i64,
) -> Result<(), StoreError> {
    let Some(restored) = restored_size(tx, epoch)? else { return Ok(()) };
    let reached = proved_size(tx, epoch)?;
    if reached <= restored {
        return Ok(());
    }
    let brought = brought(tx, epoch, restored)?;
    let missing = (reached - restored).saturating_sub(brought);
    tx.prepare_cached(
        "INSERT INTO gap (kind, proof, first_number, last_number, missing, shown_by, found_ms, filled_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, iif(?5 = 0, ?7, NULL))
         ON CONFLICT (kind, proof) DO UPDATE SET
             shown_by = iif(excluded.last_number > last_number, excluded.shown_by, shown_by),
             last_number = max(last_number, excluded.last_number), missing = excluded.missing,
             filled_ms = iif(excluded.missing = 0, coalesce(filled_ms, excluded.found_ms), NULL)",
    )?
    .execute(params![
        LOG,
        epoch.as_bytes(),
        to_sql(restored),
        to_sql(reached - 1),
        to_sql(missing),
        by.as_bytes(),
        now_ms
    ])?;
    Ok(())
}

/// How much of an epoch's log this file holds, if it went on from there.
fn restored_size(conn: &Connection, epoch: EpochId) -> Result<Option<u64>, StoreError> {
    let link: Option<Vec<u8>> = conn
        .prepare_cached(
            "SELECT bytes FROM epoch_link WHERE previous = ?1 AND epoch IN (SELECT id FROM epoch)",
        )?
        .query_row([epoch.as_bytes()], |row| row.get(0))
        .optional()?;
    link.map(|bytes| Ok(read_link(&bytes)?.succession.statement.size)).transpose()
}

/// How long the epoch's log was at least.
fn proved_size(conn: &Connection, epoch: EpochId) -> Result<u64, StoreError> {
    let leaf: Option<i64> = conn
        .prepare_cached("SELECT max(leaf_index) FROM former_receipt WHERE epoch = ?1")?
        .query_row([epoch.as_bytes()], |row| row.get(0))?;
    let mut reached = leaf.map_or(0, |leaf| from_sql(leaf) + 1);
    let mut select = conn.prepare_cached("SELECT bytes FROM former_record WHERE epoch = ?1 AND kind = ?2")?;
    let notes = select.query_map(params![epoch.as_bytes(), CHECKPOINT], |row| row.get::<_, Vec<u8>>(0))?;
    for note in notes {
        let note = String::from_utf8(note?).unwrap_or_default();
        let text = note.split_once("\n\n").map(|(text, _)| format!("{text}\n"));
        // Verified when it came.
        let checkpoint = text.and_then(|text| Checkpoint::parse_text(&text).ok());
        reached = reached.max(checkpoint.map_or(0, |checkpoint| checkpoint.size));
    }
    Ok(reached)
}

/// How many leaves of the lost end of an epoch's log devices have brought back.
fn brought(conn: &Connection, epoch: EpochId, restored: u64) -> Result<u64, StoreError> {
    let count: i64 = conn
        .prepare_cached(
            "SELECT (SELECT count(*) FROM former_receipt INNER JOIN batch ON batch.id = former_receipt.batch
                     WHERE former_receipt.epoch = ?1 AND former_receipt.leaf_index >= ?2)
                  + (SELECT count(*) FROM former_record WHERE epoch = ?1 AND kind <> ?3)",
        )?
        .query_row(params![epoch.as_bytes(), to_sql(restored), CHECKPOINT], |row| row.get(0))?;
    Ok(from_sql(count))
}

/// Counts again after a batch was received, if an epoch that ended had received it before.
pub(super) fn settle_log_of(tx: &Transaction<'_>, batch: BatchId, now_ms: i64) -> Result<(), StoreError> {
    let Some(receipt) = receipt_of(tx, batch)? else { return Ok(()) };
    let by: [u8; 16] = tx
        .prepare_cached("SELECT shown_by FROM former_receipt WHERE batch = ?1")?
        .query_row([batch.0], |row| row.get(0))?;
    settle_log(tx, receipt.statement.epoch, DeviceId::from_bytes(by), now_ms)
}

pub(super) fn all(conn: &Connection) -> Result<Vec<Gap>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT kind, village, device, person, proof, first_number, last_number, missing, shown_by, found_ms, filled_ms
         FROM gap ORDER BY filled_ms IS NOT NULL, kind, village, device, first_number, gap",
    )?;
    let mut rows = select.query([])?;
    let mut gaps = Vec::new();
    while let Some(row) = rows.next()? {
        gaps.push(read(row)?);
    }
    Ok(gaps)
}

fn read(row: &Row<'_>) -> Result<Gap, StoreError> {
    let place = match row.get(0)? {
        CHAIN => GapPlace::Chain {
            village: VillageId::from_bytes(row.get(1)?),
            device: DeviceId::from_bytes(row.get(2)?),
            person: UserId::from_bytes(row.get(3)?),
            proof: BatchId(row.get(4)?),
        },
        _ => GapPlace::Log { epoch: EpochId::from_bytes(row.get(4)?) },
    };
    Ok(Gap {
        place,
        first: from_sql(row.get(5)?),
        last: from_sql(row.get(6)?),
        missing: from_sql(row.get(7)?),
        shown_by: DeviceId::from_bytes(row.get(8)?),
        found_ms: row.get(9)?,
        filled_ms: row.get(10)?,
    })
}
