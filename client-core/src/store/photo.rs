//! Photos on this device: their rows, and the bytes of their sealed files.

use ruhu_survey::id::{CheckId, EpochId, HouseholdId, VillageId};
use ruhu_survey::photo::{PhotoAddress, PhotoKind};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::error::Error;
use crate::store::batch::number;

/// Pages of 4 KiB that a photo leaves free in the database's file, so that a full disk refuses photos first and text
/// last.
const RESERVE_PAGES: i64 = 64;

/// A photo on this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredPhoto {
    pub(crate) row: i64,
    pub(crate) address: PhotoAddress,
    pub(crate) village: VillageId,
    pub(crate) household: HouseholdId,
    /// The check it was taken in; none when another device took it.
    pub(crate) check: Option<CheckId>,
    pub(crate) kind: PhotoKind,
    /// Milliseconds since 1970, by the clock of the device that took it.
    pub(crate) taken_ms: i64,
    /// Bytes of the file.
    pub(crate) total: u64,
    /// How many of them the server is known to hold.
    pub(crate) sent: u64,
    /// When the server said that it has all of it, and in which epoch.
    pub(crate) received: Option<(i64, EpochId)>,
}

const COLUMNS: &str =
    "photo, address, village, household, check_id, kind, taken_ms, total, sent, received_ms, epoch";

fn read(row: &Row<'_>) -> rusqlite::Result<StoredPhoto> {
    let received: (Option<i64>, Option<[u8; 16]>) = (row.get(9)?, row.get(10)?);
    Ok(StoredPhoto {
        row: row.get(0)?,
        address: PhotoAddress(row.get(1)?),
        village: VillageId::from_bytes(row.get(2)?),
        household: HouseholdId::from_bytes(row.get(3)?),
        check: row.get::<_, Option<[u8; 16]>>(4)?.map(CheckId::from_bytes),
        kind: PhotoKind::from_code(row.get(5)?).unwrap_or(PhotoKind::Photo),
        taken_ms: row.get(6)?,
        total: number(row.get(7)?),
        sent: number(row.get(8)?),
        received: received.0.zip(received.1.map(EpochId::from_bytes)),
    })
}

/// A photo to keep.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewRow {
    pub(crate) address: PhotoAddress,
    pub(crate) village: VillageId,
    pub(crate) household: HouseholdId,
    pub(crate) check: Option<CheckId>,
    pub(crate) kind: PhotoKind,
    pub(crate) taken_ms: i64,
    pub(crate) total: usize,
}

/// Makes a photo's row; its number on this device. One that is here already, as a photo of another device or from
/// before, stays as it is, and belongs to this check from now on if it was nobody's here.
pub(crate) fn put(connection: &Connection, photo: &NewRow) -> Result<i64, Error> {
    connection
        .prepare_cached(
            "INSERT INTO photo (address, village, household, check_id, kind, taken_ms, total)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (address) DO UPDATE SET check_id = coalesce(check_id, excluded.check_id)",
        )?
        .execute(params![
            photo.address.0,
            photo.village.as_bytes(),
            photo.household.as_bytes(),
            photo.check.as_ref().map(CheckId::as_bytes),
            photo.kind.code(),
            photo.taken_ms,
            sql(photo.total)
        ])?;
    let mut select = connection.prepare_cached("SELECT photo FROM photo WHERE address = ?1")?;
    Ok(select.query_row([photo.address.0], |row| row.get(0))?)
}

/// Keeps bytes of a file that follow those that are here.
pub(crate) fn append(connection: &Connection, row: i64, start: usize, bytes: &[u8]) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO photo_part (photo, start, bytes) VALUES (?1, ?2, ?3)")?
        .execute(params![row, sql(start), bytes])?;
    Ok(())
}

/// Takes the place of all bytes of a file; its head is a part of its own, so that a list reads no more than that.
pub(crate) fn put_file(connection: &Connection, row: i64, file: &[u8], head_end: usize) -> Result<(), Error> {
    connection.prepare_cached("DELETE FROM photo_part WHERE photo = ?1")?.execute([row])?;
    let (head, rest) = file.split_at(head_end.min(file.len()));
    append(connection, row, 0, head)?;
    append(connection, row, head.len(), rest)
}

/// The first part of a file that is here; it holds the head.
pub(crate) fn first_part(connection: &Connection, row: i64) -> Result<Vec<u8>, Error> {
    let mut select =
        connection.prepare_cached("SELECT bytes FROM photo_part WHERE photo = ?1 AND start = 0")?;
    Ok(select.query_row([row], |row| row.get(0)).optional()?.unwrap_or_default())
}

/// The bytes of a file that are here, from its beginning.
pub(crate) fn bytes(connection: &Connection, row: i64) -> Result<Vec<u8>, Error> {
    let mut select =
        connection.prepare_cached("SELECT bytes FROM photo_part WHERE photo = ?1 ORDER BY start")?;
    let parts = select.query_map([row], |row| row.get::<_, Vec<u8>>(0))?;
    Ok(parts.collect::<Result<Vec<_>, _>>()?.concat())
}

/// How many bytes of a file are here.
pub(crate) fn bytes_here(connection: &Connection, row: i64) -> Result<u64, Error> {
    let mut select = connection
        .prepare_cached("SELECT coalesce(sum(length(bytes)), 0) FROM photo_part WHERE photo = ?1")?;
    Ok(number(select.query_row([row], |row| row.get(0))?))
}

/// The photo of this name.
pub(crate) fn find(connection: &Connection, address: &PhotoAddress) -> Result<Option<StoredPhoto>, Error> {
    let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM photo WHERE address = ?1"))?;
    Ok(select.query_row([address.0], read).optional()?)
}

/// The photo taken here that is to be sent next, after the one with this number: of a check that was submitted,
/// and not known to be on the server in its present epoch. The oldest comes first.
pub(crate) fn next_to_send(
    connection: &Connection,
    epoch: EpochId,
    after: i64,
) -> Result<Option<StoredPhoto>, Error> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM photo WHERE photo > ?2 AND {TO_SEND} ORDER BY photo LIMIT 1"
    ))?;
    Ok(select.query_row(params![epoch.as_bytes(), after], read).optional()?)
}

/// What makes a photo one to be sent; parameter 1 is the present epoch.
const TO_SEND: &str = "epoch IS NOT ?1
    AND EXISTS (SELECT 1 FROM check_row AS c WHERE c.check_id = photo.check_id AND c.state = 1)";

/// Whether text of a granted village waits to be sent: a change that is not sealed, or a batch without a receipt.
pub(crate) fn text_waits(connection: &Connection) -> Result<bool, Error> {
    let mut select = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM change AS c JOIN document AS d ON d.document = c.document
                    JOIN village AS v ON v.village = d.village WHERE c.batch IS NULL AND v.granted = 1)
             OR EXISTS (SELECT 1 FROM batch AS b JOIN village AS v ON v.village = b.village
                    WHERE b.own = 1 AND b.state IN (0, 1) AND v.granted = 1)",
    )?;
    Ok(select.query_row([], |row| row.get(0))?)
}

/// How many photos are to be sent, and how many of their bytes the server is not known to hold.
pub(crate) fn to_send(connection: &Connection, epoch: EpochId) -> Result<(u64, u64), Error> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT count(*), coalesce(sum(total - sent), 0) FROM photo WHERE {TO_SEND}"
    ))?;
    Ok(select.query_row([epoch.as_bytes()], |row| Ok((number(row.get(0)?), number(row.get(1)?))))?)
}

/// The server holds so many bytes of a photo from its beginning.
pub(crate) fn mark_sent(connection: &Connection, row: i64, sent: u64) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE photo SET sent = ?2, received_ms = NULL, epoch = NULL WHERE photo = ?1")?
        .execute(params![row, i64::try_from(sent).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// The server holds all of a photo.
pub(crate) fn mark_received(
    connection: &Connection,
    row: i64,
    epoch: EpochId,
    now_ms: i64,
) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE photo SET sent = total, received_ms = ?2, epoch = ?3 WHERE photo = ?1")?
        .execute(params![row, now_ms, epoch.as_bytes()])?;
    Ok(())
}

/// Forgets a photo of a draft, or one whose bytes turned out to be others.
pub(crate) fn forget(connection: &Connection, row: i64) -> Result<(), Error> {
    connection.prepare_cached("DELETE FROM photo_part WHERE photo = ?1")?.execute([row])?;
    connection.prepare_cached("DELETE FROM photo WHERE photo = ?1")?.execute([row])?;
    Ok(())
}

/// Sees to it that the database's file keeps some free pages for text: where the disk has no room for them, the
/// photo of this transaction, which has this row, has none either.
pub(crate) fn keep_reserve(tx: &Transaction<'_>, row: i64) -> Result<(), Error> {
    let free: i64 = tx.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    if free >= RESERVE_PAGES {
        return Ok(());
    }
    // What is written and taken away again leaves its pages to the file.
    tx.execute(
        "INSERT INTO photo_part (photo, start, bytes) VALUES (?1, -1, zeroblob(?2 * 4096))",
        [row, RESERVE_PAGES],
    )?;
    tx.execute("DELETE FROM photo_part WHERE photo = ?1 AND start = -1", [row])?;
    Ok(())
}

fn sql(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
