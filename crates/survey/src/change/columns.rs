//! The columns of a change: each field of its puts in a run-length coded string of its own.
//!
//! Run-length coding: a run of two or more equal values is its length (signed, positive) and the value;
//! values between runs follow their negated count. Null runs, which Automerge also knows, never occur.

use super::encode::actor_index;
use super::leb::{read_signed, write_signed, write_unsigned};
use super::{ActorId, Change, Malformed, OpId, Value};
use crate::codec::Reader;

/// Keys, as texts.
pub(super) const KEY: u64 = 0x15;
/// Whether the operation inserts into a list: never.
pub(super) const INSERT: u64 = 0x34;
/// What the operation does: always a put.
pub(super) const ACTION: u64 = 0x42;
/// Length and type of each value.
pub(super) const VALUE_META: u64 = 0x56;
/// The values themselves.
pub(super) const VALUE: u64 = 0x57;
/// How many predecessors each put has.
pub(super) const PREDECESSOR_COUNT: u64 = 0x70;
/// The actors of the predecessors.
pub(super) const PREDECESSOR_ACTOR: u64 = 0x71;
/// The counters of the predecessors, each as its difference from the one before.
pub(super) const PREDECESSOR_COUNTER: u64 = 0x73;

/// The columns that may occur, in the order in which they must.
pub(super) const KNOWN: [u64; 8] =
    [KEY, INSERT, ACTION, VALUE_META, VALUE, PREDECESSOR_COUNT, PREDECESSOR_ACTOR, PREDECESSOR_COUNTER];

/// The code of a put in [`ACTION`].
pub(super) const ACTION_PUT: u64 = 1;

/// The content of every column, in the order of [`KNOWN`].
#[derive(Debug, Default)]
pub(super) struct Columns([Vec<u8>; 8]);

impl Columns {
    /// Lays out the puts of a change; `others` is its table of other actors, ascending.
    pub(super) fn of(change: &Change, others: &[ActorId]) -> Self {
        let puts = &change.puts;
        let mut insert = Vec::new();
        write_unsigned(&mut insert, puts.len() as u64);
        let mut values = Vec::new();
        let meta = runs(puts.iter().map(|put| write_value(&mut values, &put.value)), write_number);
        let predecessors = || puts.iter().flat_map(|put| &put.predecessors);
        let actors = predecessors().map(|id| actor_index(change.actor, others, id.actor));
        Self([
            runs(puts.iter().map(|put| put.key.as_str()), write_text),
            insert,
            runs(puts.iter().map(|_| ACTION_PUT), write_number),
            meta,
            values,
            runs(puts.iter().map(|put| put.predecessors.len() as u64), write_number),
            runs(actors, write_number),
            runs(differences(predecessors()), |bytes, step| write_signed(bytes, *step)),
        ])
    }

    /// Bytes of all columns together.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// Appends the table of columns and the columns, leaving out the empty ones.
    pub(super) fn write(&self, body: &mut Vec<u8>) {
        let present = || KNOWN.iter().zip(&self.0).filter(|(_, column)| !column.is_empty());
        write_unsigned(body, present().count() as u64);
        for (specification, column) in present() {
            write_unsigned(body, *specification);
            write_unsigned(body, column.len() as u64);
        }
        for (_, column) in present() {
            body.extend_from_slice(column);
        }
    }
}

fn write_number(bytes: &mut Vec<u8>, number: &u64) {
    write_unsigned(bytes, *number);
}

fn write_text(bytes: &mut Vec<u8>, text: &&str) {
    write_unsigned(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// Run-length codes `values`.
fn runs<T: PartialEq>(values: impl Iterator<Item = T>, write: impl Fn(&mut Vec<u8>, &T)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut literal = Vec::new();
    let mut literals = 0_i64;
    let mut values = values.peekable();
    while let Some(value) = values.next() {
        let mut length = 1_i64;
        while values.next_if(|next| *next == value).is_some() {
            length += 1;
        }
        if length == 1 {
            literals += 1;
            write(&mut literal, &value);
            continue;
        }
        flush(&mut bytes, &mut literal, &mut literals);
        write_signed(&mut bytes, length);
        write(&mut bytes, &value);
    }
    flush(&mut bytes, &mut literal, &mut literals);
    bytes
}

fn flush(bytes: &mut Vec<u8>, literal: &mut Vec<u8>, literals: &mut i64) {
    if *literals > 0 {
        write_signed(bytes, -*literals);
        bytes.append(literal);
        *literals = 0;
    }
}

/// The counters of `ids`, each as its difference from the one before, the first from 0.
fn differences<'a>(ids: impl Iterator<Item = &'a OpId>) -> impl Iterator<Item = i64> {
    let mut previous = 0_u64;
    ids.map(move |id| {
        let step = id.counter.cast_signed().wrapping_sub(previous.cast_signed());
        previous = id.counter;
        step
    })
}

/// Appends a value and returns its length and type, as [`VALUE_META`] holds them.
fn write_value(bytes: &mut Vec<u8>, value: &Value) -> u64 {
    let before = bytes.len();
    let kind = match value {
        Value::Null => 0,
        Value::Bool(false) => 1,
        Value::Bool(true) => 2,
        Value::Int(number) => {
            write_signed(bytes, *number);
            4
        }
        Value::Text(text) => {
            bytes.extend_from_slice(text.as_bytes());
            6
        }
        Value::Bytes(sealed) => {
            bytes.extend_from_slice(sealed);
            7
        }
    };
    ((bytes.len() - before) as u64) << 4 | kind
}

/// Takes a value of the length and type that `meta` states off the value column.
///
/// # Errors
/// When the type is not one of [`Value`]'s, or the length does not suit it or is above `limit`.
pub(super) fn read_value(reader: &mut Reader<'_>, meta: u64, limit: usize) -> Result<Value, Malformed> {
    let found = meta >> 4;
    let too_long = || Malformed::TooLong { what: "a value", found, limit: limit as u64 };
    let length = usize::try_from(found).map_err(|_| too_long())?;
    if length > limit {
        return Err(too_long());
    }
    let content = reader.raw(length)?;
    match meta & 0xf {
        0 if length == 0 => Ok(Value::Null),
        1 if length == 0 => Ok(Value::Bool(false)),
        2 if length == 0 => Ok(Value::Bool(true)),
        4 => {
            let mut reader = Reader::new(content);
            let number = read_signed(&mut reader)?;
            reader.end()?;
            Ok(Value::Int(number))
        }
        6 => Ok(Value::Text(std::str::from_utf8(content).map_err(|_| Malformed::Text)?.to_owned())),
        7 => Ok(Value::Bytes(content.to_vec())),
        kind => Err(Malformed::ValueType(kind)),
    }
}

/// Reads a run-length coded column that must hold exactly `count` values.
///
/// A run is compared with what is still missing before it is expanded.
///
/// # Errors
/// When it holds more or fewer, a null run, or a value that `read` refuses.
pub(super) fn read_runs<'a, T: Clone>(
    column: &'a [u8],
    count: usize,
    what: &'static str,
    read: impl Fn(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut reader = Reader::new(column);
    let mut values = Vec::with_capacity(count);
    while reader.left() > 0 {
        let length = read_signed(&mut reader)?;
        let missing = (count - values.len()) as u64;
        if length == 0 || length.unsigned_abs() > missing {
            return Err(Malformed::ColumnLength(what));
        }
        if length > 0 {
            let value = read(&mut reader)?;
            values.extend((0..length).map(|_| value.clone()));
        } else {
            for _ in 0..length.unsigned_abs() {
                values.push(read(&mut reader)?);
            }
        }
    }
    if values.len() == count { Ok(values) } else { Err(Malformed::ColumnLength(what)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(reader: &mut Reader<'_>) -> Result<u64, Malformed> {
        Ok(reader.varint()?)
    }

    #[test]
    fn a_run_longer_than_the_column_may_be_is_refused_before_it_is_expanded() {
        let mut column = Vec::new();
        write_signed(&mut column, 1_000_000_000_000);
        column.push(1);
        assert_eq!(read_runs(&column, 3, "a column", number), Err(Malformed::ColumnLength("a column")));
    }

    #[test]
    fn a_null_run_and_a_short_column_are_refused() {
        assert_eq!(read_runs(&[0, 3], 3, "a column", number), Err(Malformed::ColumnLength("a column")));
        assert_eq!(read_runs(&[2, 1], 3, "a column", number), Err(Malformed::ColumnLength("a column")));
        assert_eq!(read_runs(&[3], 3, "a column", number), Err(Malformed::Short));
    }

    proptest! {
        #[test]
        fn runs_read_back(values in proptest::collection::vec(0_u64..3, 0..40)) {
            let column = runs(values.iter().copied(), write_number);
            prop_assert_eq!(read_runs(&column, values.len(), "a column", number), Ok(values));
        }
    }
}
