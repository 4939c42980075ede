//! Villages, their cursors and keys, and the server's log as far as it was seen.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::checkpoint::Checkpoint;
use ruhu_survey::id::{EpochId, HouseholdId, VillageId};
use ruhu_survey::sealed::HouseholdKey;
use ruhu_sync::response::RelayedDecision;
use ruhu_sync::{Cursor, KeyBytes};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::store::batch::number;

/// A village of this device (行政村).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Village {
    /// Its id.
    pub id: VillageId,
    /// Its official 12-digit code today; empty when it is not known yet.
    pub code: String,
    /// Its name; empty when it is not known yet.
    pub name: String,
    /// Whether the present certificate names it.
    pub granted: bool,
    /// Households on this device.
    pub households: u64,
    /// When it was last synced to the end, milliseconds since 1970 by the device's clock.
    pub synced_ms: Option<i64>,
    /// When its changes were last found to differ from the server's; `None` when they agree.
    pub mismatch_ms: Option<i64>,
}

/// Every village, by code.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Village>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT village, code, name, granted, synced_ms, mismatch_ms,
             (SELECT count(*) FROM household_row h WHERE h.village = v.village)
         FROM village v ORDER BY code, village",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Village {
            id: VillageId::from_bytes(row.get(0)?),
            code: row.get(1)?,
            name: row.get(2)?,
            granted: row.get::<_, i64>(3)? == 1,
            synced_ms: row.get(4)?,
            mismatch_ms: row.get(5)?,
            households: number(row.get(6)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn is_known(connection: &Connection, village: VillageId) -> Result<bool, Error> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM village WHERE village = ?1")?;
    Ok(statement.exists([village.as_bytes()])?)
}

/// Whether the present certificate names the village.
pub(crate) fn is_granted(connection: &Connection, village: VillageId) -> Result<bool, Error> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM village WHERE village = ?1 AND granted = 1")?;
    Ok(statement.exists([village.as_bytes()])?)
}

/// Takes over the villages of a new certificate.
pub(crate) fn grant(connection: &Connection, villages: &BTreeSet<VillageId>) -> Result<(), Error> {
    connection.execute("UPDATE village SET granted = 0", [])?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO village (village) VALUES (?1) ON CONFLICT (village) DO UPDATE SET granted = 1",
    )?;
    for village in villages {
        statement.execute([village.as_bytes()])?;
    }
    Ok(())
}

/// How far the feed of a village has been given.
pub(crate) fn cursor(connection: &Connection, village: VillageId) -> Result<Option<Cursor>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT cursor_epoch, cursor FROM village WHERE village = ?1")?;
    let found = statement
        .query_row([village.as_bytes()], |row| Ok((row.get::<_, Option<[u8; 16]>>(0)?, row.get(1)?)))
        .optional()?;
    let cursor = |(epoch, at): (Option<[u8; 16]>, i64)| {
        epoch.map(|epoch| Cursor { epoch: EpochId::from_bytes(epoch), number: number(at) })
    };
    Ok(found.and_then(cursor))
}

/// The number of the last of a village's keys that was given; it counts only beside a cursor.
pub(crate) fn keys_given(connection: &Connection, village: VillageId) -> Result<u64, Error> {
    let mut statement = connection.prepare_cached("SELECT keys_given FROM village WHERE village = ?1")?;
    let found = statement.query_row([village.as_bytes()], |row| row.get(0)).optional()?;
    Ok(found.map_or(0, number))
}

/// Notes that the keys of a village up to a number were given. On a first sync they come before anything
/// else of the feed, so the cursor stands before its beginning.
pub(crate) fn move_keys(
    connection: &Connection,
    village: VillageId,
    epoch: EpochId,
    given: u64,
) -> Result<(), Error> {
    if cursor(connection, village)?.is_none_or(|cursor| cursor.epoch != epoch) {
        move_cursor(connection, village, Cursor { epoch, number: 0 })?;
    }
    connection
        .prepare_cached("UPDATE village SET keys_given = ?2 WHERE village = ?1")?
        .execute(params![village.as_bytes(), i64::try_from(given).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// Moves the cursor; it stands for the relayed batches up to its number.
pub(crate) fn move_cursor(connection: &Connection, village: VillageId, cursor: Cursor) -> Result<(), Error> {
    let at = i64::try_from(cursor.number).unwrap_or(i64::MAX);
    connection
        .prepare_cached("UPDATE village SET cursor_epoch = ?2, cursor = ?3 WHERE village = ?1")?
        .execute(params![village.as_bytes(), cursor.epoch.as_bytes(), at])?;
    connection
        .prepare_cached(
            "UPDATE batch SET above_cursor = 0 WHERE village = ?1 AND above_cursor = 1 AND sequence <= ?2",
        )?
        .execute(params![village.as_bytes(), at])?;
    Ok(())
}

/// Forgets a cursor that means nothing to the server: the next request carries the whole vector.
pub(crate) fn forget_cursor(connection: &Connection, village: VillageId) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE village SET cursor_epoch = NULL, cursor = 0, keys_given = 0 WHERE village = ?1",
        )?
        .execute([village.as_bytes()])?;
    connection
        .prepare_cached("UPDATE batch SET above_cursor = 1 WHERE village = ?1")?
        .execute([village.as_bytes()])?;
    Ok(())
}

/// Notes that the feed of a village was given to its end, and whether the fingerprints agree. The cursor
/// stands for every batch that has a receipt by now.
pub(crate) fn caught_up(
    connection: &Connection,
    village: VillageId,
    now_ms: i64,
    agrees: bool,
) -> Result<(), Error> {
    let mismatch = (!agrees).then_some(now_ms);
    connection
        .prepare_cached("UPDATE village SET synced_ms = ?2, mismatch_ms = ?3 WHERE village = ?1")?
        .execute(params![village.as_bytes(), now_ms, mismatch])?;
    connection
        .prepare_cached(
            "UPDATE batch SET above_cursor = 0 WHERE village = ?1 AND above_cursor = 1 AND state = 2",
        )?
        .execute([village.as_bytes()])?;
    Ok(())
}

/// The key of a village's search tags.
pub(crate) fn search_key(
    connection: &Connection,
    village: VillageId,
) -> Result<Option<Zeroizing<[u8; 32]>>, Error> {
    let mut statement = connection.prepare_cached("SELECT search_key FROM village WHERE village = ?1")?;
    let found: Option<Option<[u8; 32]>> =
        statement.query_row([village.as_bytes()], |row| row.get(0)).optional()?;
    Ok(found.flatten().map(Zeroizing::new))
}

/// Keeps the key of a village's search tags.
pub(crate) fn keep_search_key(
    connection: &Connection,
    village: VillageId,
    key: &[u8; 32],
) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE village SET search_key = ?2 WHERE village = ?1")?
        .execute(params![village.as_bytes(), key])?;
    Ok(())
}

/// The key of a household's private values.
pub(crate) fn household_key(
    connection: &Connection,
    household: HouseholdId,
) -> Result<Option<HouseholdKey>, Error> {
    let mut statement = connection.prepare_cached("SELECT key FROM household_key WHERE household = ?1")?;
    let found: Option<[u8; 64]> = statement.query_row([household.as_bytes()], |row| row.get(0)).optional()?;
    Ok(found.map(HouseholdKey::from_bytes))
}

/// Keeps the key of a household founded here, until the server has it.
pub(crate) fn found_key(
    connection: &Connection,
    village: VillageId,
    household: HouseholdId,
    key: &[u8; 64],
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO household_key (household, village, key, founded, uploaded) VALUES (?1, ?2, ?3, 1, 0)",
        )?
        .execute(params![household.as_bytes(), village.as_bytes(), key])?;
    Ok(())
}

/// Keeps a key that the server gave; `false` when another key of that household is held already.
pub(crate) fn keep_key(
    connection: &Connection,
    village: VillageId,
    household: HouseholdId,
    key: &[u8; 64],
) -> Result<bool, Error> {
    connection
        .prepare_cached(
            "INSERT INTO household_key (household, village, key) VALUES (?1, ?2, ?3)
             ON CONFLICT (household) DO UPDATE SET uploaded = 1 WHERE key = excluded.key",
        )?
        .execute(params![household.as_bytes(), village.as_bytes(), key])?;
    let mut statement =
        connection.prepare_cached("SELECT key = ?2 FROM household_key WHERE household = ?1")?;
    Ok(statement.query_row(params![household.as_bytes(), key], |row| row.get(0))?)
}

/// Keeps a key that another device gave; `false` when another key of that household is held already. Unless
/// the other knows that the server has it, this device offers it there.
pub(crate) fn carry_key(
    connection: &Connection,
    village: VillageId,
    household: HouseholdId,
    key: &[u8; 64],
    at_server: bool,
) -> Result<bool, Error> {
    connection
        .prepare_cached(
            "INSERT INTO household_key (household, village, key, uploaded) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (household) DO NOTHING",
        )?
        .execute(params![household.as_bytes(), village.as_bytes(), key, i64::from(at_server)])?;
    let mut statement =
        connection.prepare_cached("SELECT key = ?2 FROM household_key WHERE household = ?1")?;
    Ok(statement.query_row(params![household.as_bytes(), key], |row| row.get(0))?)
}

/// The keys of a village, each with whether the server is known to have it.
pub(crate) fn carried_keys(
    connection: &Connection,
    village: VillageId,
) -> Result<BTreeMap<HouseholdId, (bool, KeyBytes<64>)>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT household, uploaded, key FROM household_key WHERE village = ?1")?;
    let rows = statement.query_map([village.as_bytes()], |row| {
        Ok((HouseholdId::from_bytes(row.get(0)?), (row.get(1)?, KeyBytes(row.get(2)?))))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The households of a village whose keys the server has not confirmed.
pub(crate) fn keys_waiting(
    connection: &Connection,
    village: VillageId,
) -> Result<BTreeSet<HouseholdId>, Error> {
    let mut statement = connection
        .prepare_cached("SELECT household FROM household_key WHERE village = ?1 AND uploaded = 0")?;
    let rows = statement.query_map([village.as_bytes()], |row| Ok(HouseholdId::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The bytes of a household's key, to send it.
pub(crate) fn key_bytes(connection: &Connection, household: HouseholdId) -> Result<[u8; 64], Error> {
    let mut statement = connection.prepare_cached("SELECT key FROM household_key WHERE household = ?1")?;
    Ok(statement.query_row([household.as_bytes()], |row| row.get(0))?)
}

/// Notes that the server has a household's key.
pub(crate) fn key_held(connection: &Connection, household: HouseholdId) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE household_key SET uploaded = 1 WHERE household = ?1")?
        .execute([household.as_bytes()])?;
    Ok(())
}

/// The numbers of the decisions held above a number of the server's feed.
pub(crate) fn decision_numbers(
    connection: &Connection,
    village: VillageId,
    above: u64,
) -> Result<BTreeSet<u64>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT sequence FROM decision WHERE village = ?1 AND sequence > ?2")?;
    let above = i64::try_from(above).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![village.as_bytes(), above], |row| Ok(number(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a later decision on the same change is held.
pub(crate) fn is_overtaken(connection: &Connection, relayed: &RelayedDecision) -> Result<bool, Error> {
    let said = &relayed.decision.statement;
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM decision WHERE batch = ?1 AND hash = ?2 AND (decided_ms, sequence) > (?3, ?4)",
    )?;
    let sequence = i64::try_from(relayed.sequence).unwrap_or(i64::MAX);
    Ok(statement.exists(params![said.batch.0, said.change.0, said.decided_ms, sequence])?)
}

/// Whether this very decision is held, under whatever number.
pub(crate) fn has_decision(connection: &Connection, relayed: &RelayedDecision) -> Result<bool, Error> {
    let said = &relayed.decision.statement;
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM decision WHERE batch = ?1 AND hash = ?2 AND bytes = ?3")?;
    Ok(statement.exists(params![said.batch.0, said.change.0, relayed.decision.to_bytes()])?)
}

/// Keeps a verified decision that another device gave, if its number is free: only the server's word says
/// which number a decision has.
pub(crate) fn carry_decision(connection: &Connection, relayed: &RelayedDecision) -> Result<bool, Error> {
    let taken = connection
        .prepare_cached("SELECT 1 FROM decision WHERE village = ?1 AND sequence = ?2")?
        .exists(params![relayed.village.as_bytes(), i64::try_from(relayed.sequence).unwrap_or(i64::MAX)])?;
    Ok(!taken && keep_decision(connection, relayed)?)
}

/// Keeps a verified decision in its place in the server's feed; `false` when it was there already. Another
/// in its place came from a device that named the wrong number.
pub(crate) fn keep_decision(connection: &Connection, relayed: &RelayedDecision) -> Result<bool, Error> {
    let said = &relayed.decision.statement;
    let added = connection
        .prepare_cached(
            "INSERT INTO decision (village, sequence, batch, hash, decided_ms, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (village, sequence) DO UPDATE SET batch = excluded.batch, hash = excluded.hash,
                 decided_ms = excluded.decided_ms, bytes = excluded.bytes WHERE bytes <> excluded.bytes",
        )?
        .execute(params![
            relayed.village.as_bytes(),
            i64::try_from(relayed.sequence).unwrap_or(i64::MAX),
            said.batch.0,
            said.change.0,
            said.decided_ms,
            relayed.decision.to_bytes()
        ])?;
    Ok(added > 0)
}

/// Keeps a verified checkpoint that extends the one held.
pub(crate) fn keep_checkpoint(
    connection: &Connection,
    epoch: EpochId,
    checkpoint: &Checkpoint,
    note: &str,
    now_ms: i64,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO checkpoint (epoch, size, root, note, seen_ms) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (epoch) DO UPDATE SET size = excluded.size, root = excluded.root,
                 note = excluded.note, seen_ms = excluded.seen_ms",
        )?
        .execute(params![
            epoch.as_bytes(),
            i64::try_from(checkpoint.size).unwrap_or(i64::MAX),
            checkpoint.root,
            note,
            now_ms
        ])?;
    Ok(())
}
