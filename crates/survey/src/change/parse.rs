//! Reads the bytes of a change from a stranger.
//!
//! A chunk is refused by its type before anything is inflated, every count is compared with its limit
//! before anything is expanded, and at the end the change is encoded again and every byte compared: that
//! leaves one byte string for each change, and refuses padded numbers, split runs, unused actors, unknown
//! columns and wrong checksums alike.

use std::collections::BTreeSet;

use super::columns::{self, KNOWN};
use super::encode::{CHUNK_CHANGE, MAGIC, encode};
use super::leb::read_signed;
use super::{ActorId, Change, ChangeHash, OpId, Put, Value};
use crate::codec::{CodecError, Reader};
use crate::limits::{
    ACTORS_MAX, CHANGE_BYTES_MAX, CHANGES_PER_DOCUMENT_MAX, CLAIMED_AT_MAX, DEPENDENCIES_MAX, KEY_BYTES_MAX,
    OP_COUNTER_MAX, OPS_MAX, PREDECESSORS_MAX, VALUE_BYTES_MAX,
};

/// Why bytes are not a change that our encoder could have written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A size or count is above its limit.
    #[error("{what} is {found}, the limit is {limit}")]
    TooLong {
        /// What is counted.
        what: &'static str,
        /// What the bytes state.
        found: u64,
        /// The limit, from [`crate::limits`].
        limit: u64,
    },
    /// The bytes do not begin as a chunk does.
    #[error("the bytes are not a chunk")]
    Magic,
    /// The chunk is of another type: 0 a document, 2 a compressed change, 3 a bundle.
    #[error("chunk type {0} is not accepted, only type 1")]
    ChunkType(u8),
    /// The bytes end inside a field.
    #[error("the bytes end too early")]
    Short,
    /// Bytes are left over after a field or after the change.
    #[error("{0} bytes are left over")]
    Trailing(usize),
    /// A number is written longer than it need be, or does not fit.
    #[error("a number is not in its shortest form")]
    Number,
    /// An actor is not sixteen bytes long.
    #[error("an actor has {0} bytes, not 16")]
    ActorLength(u64),
    /// Items that must be ascending, each once, are not.
    #[error("{0} are not ascending")]
    Order(&'static str),
    /// The sequence number or the first operation number is 0.
    #[error("{0} begins at 1")]
    Zero(&'static str),
    /// The claimed time is before 1970 or after [`CLAIMED_AT_MAX`].
    #[error("the claimed time {0} is out of range")]
    ClaimedAt(i64),
    /// A column that a flat change does not have: an object, a list, a mark, or a wrong type.
    #[error("column {0:#x} does not belong to a flat change")]
    Column(u64),
    /// A column holds more or fewer values than the change has puts or predecessors.
    #[error("{0} does not hold as many values as it must")]
    ColumnLength(&'static str),
    /// An operation is not a put.
    #[error("action {0} is not a put")]
    Action(u64),
    /// A value is of a type that documents do not hold, or its length does not suit its type.
    #[error("value type {0} is not accepted")]
    ValueType(u64),
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// The change holds no put.
    #[error("the change holds no put")]
    NoPuts,
    /// A key is empty.
    #[error("a key is empty")]
    EmptyKey,
    /// A key is put twice.
    #[error("a key is put twice")]
    KeyTwice,
    /// A predecessor's actor is not in the table.
    #[error("a predecessor's actor is not in the table")]
    UnknownActor,
    /// A predecessor's number is out of range.
    #[error("a predecessor's number is out of range")]
    Predecessor,
    /// Encoding the change again gives other bytes.
    #[error("the bytes are not the canonical form of their change")]
    NotCanonical,
}

impl From<CodecError> for Malformed {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Short => Self::Short,
            CodecError::Trailing(count) => Self::Trailing(count),
            CodecError::Number => Self::Number,
            CodecError::TooLong { what, found, limit } => Self::TooLong { what, found, limit },
            CodecError::Unknown(_) => Self::NotCanonical,
            CodecError::Text => Self::Text,
        }
    }
}

/// Parses one change and computes its hash.
///
/// Accepts exactly the byte strings that [`encode`] gives for changes within [`crate::limits`].
/// Whether the change fits its document is for [`crate::gate::admit`] to say.
///
/// # Errors
/// [`Malformed`], saying the first thing found wrong.
pub fn parse(bytes: &[u8]) -> Result<(Change, ChangeHash), Malformed> {
    let change = read(bytes)?;
    let again = encode(&change);
    if again.bytes == bytes { Ok((change, again.hash)) } else { Err(Malformed::NotCanonical) }
}

/// The actor of a change that went through [`parse`] before, without reading the rest of it.
///
/// # Errors
/// [`Malformed`] when the bytes do not begin as a change does.
pub fn actor_of(bytes: &[u8]) -> Result<ActorId, Malformed> {
    let mut body = open(bytes)?;
    read_dependencies(&mut body)?;
    read_actor(&mut body)
}

/// What is in the one chunk of these bytes.
fn open(bytes: &[u8]) -> Result<Reader<'_>, Malformed> {
    limit("a change", bytes.len(), CHANGE_BYTES_MAX)?;
    let mut reader = Reader::new(bytes);
    if reader.array()? != MAGIC {
        return Err(Malformed::Magic);
    }
    reader.raw(4)?; // the checksum: compared with all other bytes at the end
    match reader.u8()? {
        CHUNK_CHANGE => {}
        other => return Err(Malformed::ChunkType(other)),
    }
    let length = reader.count("a change", CHANGE_BYTES_MAX)?;
    let body = reader.raw(length)?;
    reader.end()?;
    Ok(Reader::new(body))
}

fn read(bytes: &[u8]) -> Result<Change, Malformed> {
    let mut body = open(bytes)?;
    let dependencies = read_dependencies(&mut body)?;
    let actor = read_actor(&mut body)?;
    let sequence = read_ordinal(&mut body, "the sequence number", CHANGES_PER_DOCUMENT_MAX as u64)?;
    let start_op = read_ordinal(&mut body, "the first operation number", OP_COUNTER_MAX)?;
    let claimed_at = read_signed(&mut body)?;
    if !(0..=CLAIMED_AT_MAX).contains(&claimed_at) {
        return Err(Malformed::ClaimedAt(claimed_at));
    }
    body.count("the message", 0)?;
    let actors = read_actors(&mut body, actor)?;
    let puts = read_puts(&read_columns(&mut body)?, &actors, start_op)?;
    body.end()?;
    Ok(Change { dependencies, actor, sequence, start_op, claimed_at, puts })
}

fn limit(what: &'static str, found: usize, limit: usize) -> Result<(), Malformed> {
    if found > limit {
        return Err(Malformed::TooLong { what, found: found as u64, limit: limit as u64 });
    }
    Ok(())
}

fn ascending<T: PartialOrd>(what: &'static str, items: &[T]) -> Result<(), Malformed> {
    if items.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(Malformed::Order(what)) }
}

fn read_ordinal(body: &mut Reader<'_>, what: &'static str, limit: u64) -> Result<u64, Malformed> {
    match body.varint()? {
        0 => Err(Malformed::Zero(what)),
        found if found > limit => Err(Malformed::TooLong { what, found, limit }),
        found => Ok(found),
    }
}

fn read_dependencies(body: &mut Reader<'_>) -> Result<Vec<ChangeHash>, Malformed> {
    let count = body.count("the dependencies", DEPENDENCIES_MAX)?;
    let dependencies =
        (0..count).map(|_| body.array().map(ChangeHash)).collect::<Result<Vec<_>, CodecError>>()?;
    ascending("the dependencies", &dependencies)?;
    Ok(dependencies)
}

fn read_actor(body: &mut Reader<'_>) -> Result<ActorId, Malformed> {
    match body.varint()? {
        16 => Ok(ActorId(body.array()?)),
        length => Err(Malformed::ActorLength(length)),
    }
}

/// The change's own actor, then the table of the others.
fn read_actors(body: &mut Reader<'_>, own: ActorId) -> Result<Vec<ActorId>, Malformed> {
    let count = body.count("the actors", ACTORS_MAX)?;
    let mut actors = vec![own];
    for _ in 0..count {
        actors.push(read_actor(body)?);
    }
    ascending("the actors", actors.split_first().map_or(&[], |(_, others)| others))?;
    Ok(actors)
}

/// The content of each column, in the order of [`KNOWN`]; an absent one is empty.
fn read_columns<'a>(body: &mut Reader<'a>) -> Result<[&'a [u8]; 8], Malformed> {
    let count = body.count("the columns", body.left())?; // no more than eight get past `places`
    let mut lengths = [0_usize; 8];
    let mut places = KNOWN.iter().zip(&mut lengths);
    for _ in 0..count {
        let specification = body.varint()?;
        let (_, length) = places
            .by_ref()
            .find(|(known, _)| **known == specification)
            .ok_or(Malformed::Column(specification))?;
        *length = body.count("a column", CHANGE_BYTES_MAX)?;
    }
    let mut columns: [&[u8]; 8] = [&[]; 8];
    for (column, length) in columns.iter_mut().zip(lengths) {
        *column = body.raw(length)?;
    }
    Ok(columns)
}

fn read_puts(columns: &[&[u8]; 8], actors: &[ActorId], start_op: u64) -> Result<Vec<Put>, Malformed> {
    let [keys, insert, action, value_meta, value, counts, pred_actors, pred_counters] = *columns;
    let count = read_count(insert, start_op)?;
    let keys = read_keys(keys, count)?;
    for action in columns::read_runs(action, count, "the action column", number)? {
        if action != columns::ACTION_PUT {
            return Err(Malformed::Action(action));
        }
    }
    let values = read_values(value_meta, value, count)?;
    let counts = columns::read_runs(counts, count, "the predecessor count column", number)?;
    let mut ids = read_predecessors(&counts, pred_actors, pred_counters, actors)?.into_iter();
    keys.into_iter()
        .zip(values)
        .zip(counts)
        .map(|((key, value), count)| {
            let count = usize::try_from(count).map_err(|_| Malformed::Predecessor)?;
            let predecessors: Vec<OpId> = ids.by_ref().take(count).collect();
            ascending("the predecessors", &predecessors)?;
            Ok(Put { key: key.to_owned(), value, predecessors })
        })
        .collect()
}

fn number(reader: &mut Reader<'_>) -> Result<u64, Malformed> {
    Ok(reader.varint()?)
}

/// The number of puts: the length of the one run of the insert column.
fn read_count(insert: &[u8], start_op: u64) -> Result<usize, Malformed> {
    if insert.is_empty() {
        return Err(Malformed::NoPuts);
    }
    let mut insert = Reader::new(insert);
    let count = insert.count("the puts", OPS_MAX)?;
    insert.end()?;
    match start_op + count as u64 {
        _ if count == 0 => Err(Malformed::NoPuts),
        after if after > OP_COUNTER_MAX + 1 => Err(Malformed::TooLong {
            what: "the last operation number",
            found: after - 1,
            limit: OP_COUNTER_MAX,
        }),
        _ => Ok(count),
    }
}

fn read_keys(column: &[u8], count: usize) -> Result<Vec<&str>, Malformed> {
    let keys = columns::read_runs(column, count, "the key column", |reader| {
        Ok(reader.text("a key", KEY_BYTES_MAX)?)
    })?;
    if keys.iter().any(|key| key.is_empty()) {
        return Err(Malformed::EmptyKey);
    }
    let distinct: BTreeSet<&str> = keys.iter().copied().collect();
    if distinct.len() == count { Ok(keys) } else { Err(Malformed::KeyTwice) }
}

fn read_values(meta: &[u8], content: &[u8], count: usize) -> Result<Vec<Value>, Malformed> {
    let mut content = Reader::new(content);
    let values = columns::read_runs(meta, count, "the value column", number)?
        .into_iter()
        .map(|meta| columns::read_value(&mut content, meta, VALUE_BYTES_MAX))
        .collect::<Result<Vec<_>, _>>()?;
    content.end()?;
    Ok(values)
}

/// The predecessors of all puts, one after the other.
fn read_predecessors(
    counts: &[u64],
    actor_column: &[u8],
    counter_column: &[u8],
    actors: &[ActorId],
) -> Result<Vec<OpId>, Malformed> {
    let sum = counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let total = usize::try_from(sum).unwrap_or(usize::MAX);
    limit("the predecessors", total, PREDECESSORS_MAX)?;
    let indices = columns::read_runs(actor_column, total, "the predecessor actor column", number)?;
    let steps = columns::read_runs(counter_column, total, "the predecessor counter column", |reader| {
        Ok(read_signed(reader)?)
    })?;
    let mut counter = 0_i64;
    indices
        .into_iter()
        .zip(steps)
        .map(|(index, step)| {
            counter = counter.checked_add(step).ok_or(Malformed::Predecessor)?;
            let place = usize::try_from(index).map_err(|_| Malformed::UnknownActor)?;
            let actor = *actors.get(place).ok_or(Malformed::UnknownActor)?;
            match u64::try_from(counter) {
                Ok(counter @ 1..=OP_COUNTER_MAX) => Ok(OpId { counter, actor }),
                _ => Err(Malformed::Predecessor),
            }
        })
        .collect()
}
