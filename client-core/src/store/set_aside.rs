//! What came and could not be used: kept as evidence, counted, and in nobody's way.

use rusqlite::{Connection, params};

use crate::error::Error;

/// One thing to set aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    /// What kind of thing it is, such as `batch`.
    pub(crate) kind: &'a str,
    /// Why, a stable code.
    pub(crate) code: &'a str,
    /// The id of what it is about, as text.
    pub(crate) subject: &'a str,
    /// As it came.
    pub(crate) bytes: &'a [u8],
}

/// Keeps one thing; `false` when it is kept already.
pub(crate) fn keep(connection: &Connection, at_ms: i64, item: Item<'_>) -> Result<bool, Error> {
    let mut same = connection.prepare_cached(
        "SELECT 1 FROM set_aside WHERE kind = ?1 AND code = ?2 AND subject = ?3 AND bytes = ?4",
    )?;
    if same.exists(params![item.kind, item.code, item.subject, item.bytes])? {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "INSERT INTO set_aside (at_ms, kind, code, subject, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![at_ms, item.kind, item.code, item.subject, item.bytes])?;
    Ok(true)
}

/// What was set aside, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// When, milliseconds since 1970 by the device's clock.
    pub at_ms: i64,
    /// What kind of thing it is: `batch`, `change`, `certificate`, `receipt`, `checkpoint` …
    pub kind: String,
    /// Why, a stable code.
    pub code: String,
    /// The id of what it is about.
    pub subject: String,
}

/// Everything set aside, the newest first.
pub(crate) fn all(connection: &Connection) -> Result<Vec<SetAside>, Error> {
    let mut statement = connection
        .prepare_cached("SELECT at_ms, kind, code, subject FROM set_aside ORDER BY set_aside DESC")?;
    let rows = statement.query_map([], |row| {
        Ok(SetAside { at_ms: row.get(0)?, kind: row.get(1)?, code: row.get(2)?, subject: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many things were set aside.
pub(crate) fn count(connection: &Connection) -> Result<u64, Error> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM set_aside")?;
    let count: i64 = statement.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
