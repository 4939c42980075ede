//! Answers of checks that are not submitted yet.

use ruhu_survey::change::{DocumentKind, Value};
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::field_table::Source;
use ruhu_survey::id::CheckId;
use rusqlite::{Connection, params};

use crate::error::Error;

/// One answer of a draft, in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftAnswer {
    /// Where it goes when the check is submitted: into the check, or into the household's register.
    pub target: DocumentKind,
    /// The field's key.
    pub key: String,
    /// The value in clear; `Null` withdraws.
    pub value: Value,
    /// Where it comes from.
    pub source: Option<Source>,
    /// Why it was written; empty when nothing was said.
    pub reason: String,
    /// When it was entered last, milliseconds since 1970 by the device's clock.
    pub at_ms: i64,
}

/// Keeps an answer; a second one of the same key takes its place.
pub(crate) fn put(connection: &Connection, check: CheckId, answer: &DraftAnswer) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO draft (check_id, target, key, value, source, reason, at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (check_id, target, key) DO UPDATE SET value = excluded.value,
                 source = excluded.source, reason = excluded.reason, at_ms = excluded.at_ms",
        )?
        .execute(params![
            check.as_bytes(),
            i64::from(answer.target.code()),
            answer.key,
            to_bytes(&answer.value),
            answer.source.map_or("", Source::code),
            answer.reason,
            answer.at_ms
        ])?;
    Ok(())
}

/// The answers of a draft, by key; those of the household first.
pub(crate) fn all(connection: &Connection, check: CheckId) -> Result<Vec<DraftAnswer>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT target, key, value, source, reason, at_ms FROM draft WHERE check_id = ?1 ORDER BY target, key",
    )?;
    let mut rows = statement.query([check.as_bytes()])?;
    let mut answers = Vec::new();
    while let Some(row) = rows.next()? {
        let target = DocumentKind::from_code(row.get(0)?).unwrap_or(DocumentKind::Check);
        let value = from_bytes(&row.get::<_, Vec<u8>>(2)?).map_err(Error::stored("answer"))?;
        answers.push(DraftAnswer {
            target,
            key: row.get(1)?,
            value,
            source: Source::from_code(&row.get::<_, String>(3)?),
            reason: row.get(4)?,
            at_ms: row.get(5)?,
        });
    }
    Ok(answers)
}

/// Takes one answer out.
pub(crate) fn remove(connection: &Connection, check: CheckId, key: &str) -> Result<(), Error> {
    connection
        .prepare_cached("DELETE FROM draft WHERE check_id = ?1 AND key = ?2")?
        .execute(params![check.as_bytes(), key])?;
    Ok(())
}

/// The keys of all answers of all drafts.
pub(crate) fn keys(connection: &Connection) -> Result<Vec<(CheckId, String)>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT check_id, key FROM draft ORDER BY check_id, key")?;
    let rows = statement.query_map([], |row| Ok((CheckId::from_bytes(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Moves an answer to another key, unless that one is answered.
pub(crate) fn rename(connection: &Connection, check: CheckId, from: &str, to: &str) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE OR IGNORE draft SET key = ?3 WHERE check_id = ?1 AND key = ?2")?
        .execute(params![check.as_bytes(), from, to])?;
    Ok(())
}

/// Takes all answers out: they have become changes.
pub(crate) fn remove_all(connection: &Connection, check: CheckId) -> Result<(), Error> {
    connection.prepare_cached("DELETE FROM draft WHERE check_id = ?1")?.execute([check.as_bytes()])?;
    Ok(())
}

fn to_bytes(value: &Value) -> Vec<u8> {
    let mut writer = Writer::new();
    match value {
        Value::Null => writer.u8(0),
        Value::Bool(false) => writer.u8(1),
        Value::Bool(true) => writer.u8(2),
        Value::Int(number) => writer.u8(3).i64(*number),
        Value::Text(text) => writer.u8(4).raw(text.as_bytes()),
        Value::Bytes(bytes) => writer.u8(5).raw(bytes),
    };
    writer.finish()
}

fn from_bytes(bytes: &[u8]) -> Result<Value, CodecError> {
    let mut reader = Reader::new(bytes);
    match reader.u8()? {
        0 => Ok(Value::Null),
        1 => Ok(Value::Bool(false)),
        2 => Ok(Value::Bool(true)),
        3 => Ok(Value::Int(reader.i64()?)),
        4 => {
            let text = std::str::from_utf8(reader.raw(reader.left())?).map_err(|_| CodecError::Text)?;
            Ok(Value::Text(text.to_owned()))
        }
        5 => Ok(Value::Bytes(reader.raw(reader.left())?.to_vec())),
        _ => Err(CodecError::Unknown("the type of a value")),
    }
}
