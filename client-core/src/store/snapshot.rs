//! Snapshots as they came, and what they left out.

use ruhu_ledger::snapshot::SignedSnapshot;
use ruhu_survey::codec::CodecError;
use ruhu_survey::id::{HouseholdId, VillageId};
use ruhu_sync::DocumentToken;
use ruhu_sync::snapshot::{BatchLine, LeftOut};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Error;
use crate::store::batch::{BatchState, number};

/// How a snapshot ended; state 0 is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SnapshotState {
    TakenIn,
    SetAside,
    Dropped,
}

impl SnapshotState {
    const fn code(self) -> i64 {
        match self {
            Self::TakenIn => 1,
            Self::SetAside => 2,
            Self::Dropped => 3,
        }
    }
}

/// A snapshot on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnItsWay {
    pub(crate) row: i64,
    pub(crate) statement: SignedSnapshot,
    /// The bytes that have come.
    pub(crate) packed: Vec<u8>,
}

/// The snapshot of a village that is on its way, with all that has come of it.
pub(crate) fn on_its_way(connection: &Connection, village: VillageId) -> Result<Option<OnItsWay>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT snapshot, statement FROM snapshot WHERE village = ?1 AND state = 0 ORDER BY snapshot DESC LIMIT 1",
    )?;
    let found: Option<(i64, Vec<u8>)> =
        statement.query_row([village.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((row, bytes)) = found else { return Ok(None) };
    let unreadable = |_| Error::stored("snapshot")(CodecError::Unknown("snapshot"));
    let statement = SignedSnapshot::from_bytes(&bytes).map_err(unreadable)?;
    Ok(Some(OnItsWay { row, statement, packed: packed(connection, row)? }))
}

fn packed(connection: &Connection, row: i64) -> Result<Vec<u8>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT bytes FROM snapshot_part WHERE snapshot = ?1 ORDER BY start")?;
    let parts = statement.query_map([row], |row| row.get::<_, Vec<u8>>(0))?;
    let mut packed = Vec::new();
    for part in parts {
        packed.extend(part?);
    }
    Ok(packed)
}

/// Begins a snapshot, or goes on with one that the server gave before.
pub(crate) fn begin(
    connection: &Connection,
    village: VillageId,
    statement: &SignedSnapshot,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO snapshot (village, id, statement, state) VALUES (?1, ?2, ?3, 0)
             ON CONFLICT (id) DO UPDATE SET state = 0 WHERE state = 3",
        )?
        .execute(params![village.as_bytes(), statement.statement.id(), statement.to_bytes()])?;
    Ok(())
}

/// Keeps the next bytes of a snapshot.
pub(crate) fn append(connection: &Connection, row: i64, start: usize, bytes: &[u8]) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT INTO snapshot_part (snapshot, start, bytes) VALUES (?1, ?2, ?3)")?
        .execute(params![row, i64::try_from(start).unwrap_or(i64::MAX), bytes])?;
    Ok(())
}

/// Ends a snapshot one way or the other; its bytes stay.
pub(crate) fn settle(connection: &Connection, row: i64, state: SnapshotState) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE snapshot SET state = ?2 WHERE snapshot = ?1")?
        .execute(params![row, state.code()])?;
    Ok(())
}

/// Adds a batch of which only the snapshot tells; the number on this device. One that is here already stays.
pub(crate) fn insert_batch(
    connection: &Connection,
    village: VillageId,
    line: &BatchLine,
    own: bool,
) -> Result<i64, Error> {
    connection
        .prepare_cached(
            "INSERT INTO batch (id, village, device, user_id, number, previous, own, bytes, state, sequence,
                 not_before_ms, received_ms, inside, roots)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, x'', ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            line.id.0,
            village.as_bytes(),
            line.device.as_bytes(),
            line.user.as_bytes(),
            i64::try_from(line.number).unwrap_or(i64::MAX),
            line.previous.map(|id| id.0),
            own,
            BatchState::Received.code(),
            i64::try_from(line.sequence).unwrap_or(i64::MAX),
            line.anchor_ms,
            line.received_ms,
            !line.tip,
            i64::try_from(line.roots_after()).unwrap_or(i64::MAX)
        ])?;
    let mut statement = connection.prepare_cached("SELECT batch FROM batch WHERE id = ?1")?;
    Ok(statement.query_row([line.id.0], |row| row.get(0))?)
}

/// Notes a document that the snapshot left out.
pub(crate) fn add_left_out(connection: &Connection, village: VillageId, left: &LeftOut) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO left_out (village, token, household, sum) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (village, token) DO NOTHING",
        )?
        .execute(params![
            village.as_bytes(),
            left.token.0,
            left.household.as_bytes(),
            i64::from_be_bytes(left.sum.to_be_bytes())
        ])?;
    Ok(())
}

/// Every document of a village that is left out, as the snapshot knew it.
pub(crate) fn left_out(connection: &Connection, village: VillageId) -> Result<Vec<DocumentToken>, Error> {
    let mut statement = connection.prepare_cached("SELECT token FROM left_out WHERE village = ?1")?;
    let rows = statement.query_map([village.as_bytes()], |row| Ok(DocumentToken(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is left out adds so much to the village's fingerprint.
pub(crate) fn left_out_sum(connection: &Connection, village: VillageId) -> Result<u64, Error> {
    let mut statement = connection.prepare_cached("SELECT sum FROM left_out WHERE village = ?1")?;
    let rows = statement.query_map([village.as_bytes()], |row| row.get::<_, i64>(0))?;
    let mut sum = 0_u64;
    for part in rows {
        sum = sum.wrapping_add(u64::from_be_bytes(part?.to_be_bytes()));
    }
    Ok(sum)
}

/// Strikes a document off what is left out: it is here now, or no longer stands so.
pub(crate) fn strike_out(
    connection: &Connection,
    village: VillageId,
    token: DocumentToken,
) -> Result<bool, Error> {
    let struck = connection
        .prepare_cached("DELETE FROM left_out WHERE village = ?1 AND token = ?2")?
        .execute(params![village.as_bytes(), token.0])?;
    Ok(struck > 0)
}

/// How many earlier checks of a household are on the server only.
pub(crate) fn left_out_of(connection: &Connection, household: HouseholdId) -> Result<u64, Error> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM left_out WHERE household = ?1")?;
    Ok(number(statement.query_row([household.as_bytes()], |row| row.get(0))?))
}
