//! Every limit from both sides: what just fits is taken, one more is refused.
#![expect(clippy::cast_possible_truncation, reason = "small numbers")]

use std::collections::BTreeMap;
use std::sync::Arc;

use ruhu_survey::change::{ActorId, Change, ChangeHash, Malformed, OpId, Put, Value, encode, parse};
use ruhu_survey::gate::{Refusal, admit, crowds, register_at};
use ruhu_survey::limits::{
    ACTORS_MAX, CHANGE_BYTES_MAX, CHANGES_PER_DOCUMENT_MAX, CLAIMED_AT_MAX, DEPENDENCIES_MAX, HEADS_MAX,
    KEY_BYTES_MAX, OP_COUNTER_MAX, OPS_MAX, PREDECESSORS_MAX, VALUE_BYTES_MAX,
};
use ruhu_survey::register::{ChangeBuilder, Register};

fn put(key: impl Into<String>, value: Value) -> Put {
    Put { key: key.into(), value, predecessors: vec![] }
}

fn change(puts: Vec<Put>) -> Change {
    Change {
        dependencies: vec![],
        actor: ActorId([0; 16]),
        sequence: 1,
        start_op: 1,
        claimed_at: 1_790_000_000,
        puts,
    }
}

fn taken(change: &Change) {
    let encoded = encode(change);
    assert_eq!(parse(&encoded.bytes), Ok((change.clone(), encoded.hash)));
}

fn too_long(change: &Change) -> &'static str {
    match parse(&encode(change).bytes) {
        Err(Malformed::TooLong { what, found, limit }) if found == limit + 1 => what,
        other => panic!("expected one too many, got {other:?}"),
    }
}

fn text(length: usize) -> Value {
    Value::Text("x".repeat(length))
}

fn actor(number: usize) -> ActorId {
    let mut bytes = [1; 16];
    bytes[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    ActorId(bytes)
}

#[test]
fn the_bytes_of_a_change() {
    let sized = |last: usize| {
        let mut puts: Vec<Put> = (0..8).map(|place| put(format!("k{place}"), text(8_000))).collect();
        puts.push(put("last", text(last)));
        change(puts)
    };
    let rest = CHANGE_BYTES_MAX - encode(&sized(1_100)).bytes.len() + 1_100;
    assert_eq!(encode(&sized(rest)).bytes.len(), CHANGE_BYTES_MAX);
    taken(&sized(rest));
    assert_eq!(too_long(&sized(rest + 1)), "a change");
}

#[test]
fn the_puts_of_a_change() {
    let many = |count: usize| change((0..count).map(|place| put(format!("k{place}"), Value::Null)).collect());
    taken(&many(1));
    taken(&many(OPS_MAX));
    assert_eq!(too_long(&many(OPS_MAX + 1)), "the puts");
    assert_eq!(parse(&encode(&many(0)).bytes), Err(Malformed::NoPuts));
}

#[test]
fn the_dependencies_of_a_change() {
    let many = |count: usize| {
        let mut change = change(vec![put("roof", Value::Null)]);
        change.dependencies = (0..count).map(|place| ChangeHash([place as u8; 32])).collect();
        change
    };
    taken(&many(DEPENDENCIES_MAX));
    assert_eq!(too_long(&many(DEPENDENCIES_MAX + 1)), "the dependencies");
}

#[test]
fn the_other_actors_of_a_change() {
    let many = |count: usize| {
        let mut change = change(vec![put("roof", Value::Null)]);
        change.start_op = 10;
        change.puts[0].predecessors =
            (0..count).map(|place| OpId { counter: 1, actor: actor(place) }).collect();
        change
    };
    taken(&many(ACTORS_MAX));
    assert_eq!(too_long(&many(ACTORS_MAX + 1)), "the actors");
}

#[test]
fn the_predecessors_of_a_change() {
    let many = |count: u64| {
        let mut change = change(vec![put("roof", Value::Null)]);
        change.start_op = 10_000;
        let id = |counter| OpId { counter, actor: actor(1) };
        change.puts[0].predecessors = (1..=count).map(id).collect();
        change
    };
    taken(&many(PREDECESSORS_MAX as u64));
    assert_eq!(too_long(&many(PREDECESSORS_MAX as u64 + 1)), "the predecessors");
}

#[test]
fn the_bytes_of_a_key() {
    taken(&change(vec![put("k".repeat(KEY_BYTES_MAX), Value::Null)]));
    assert_eq!(too_long(&change(vec![put("k".repeat(KEY_BYTES_MAX + 1), Value::Null)])), "a key");
    taken(&change(vec![put("k", Value::Null)]));
    assert_eq!(parse(&encode(&change(vec![put("", Value::Null)])).bytes), Err(Malformed::EmptyKey));
}

#[test]
fn the_bytes_of_a_value() {
    for value in [text, |length| Value::Bytes(vec![7; length])] {
        taken(&change(vec![put("note", value(0))]));
        taken(&change(vec![put("note", value(VALUE_BYTES_MAX))]));
        assert_eq!(too_long(&change(vec![put("note", value(VALUE_BYTES_MAX + 1))])), "a value");
    }
}

#[test]
fn the_claimed_time() {
    let at = |claimed_at| Change { claimed_at, ..change(vec![put("roof", Value::Null)]) };
    for time in [0, CLAIMED_AT_MAX] {
        taken(&at(time));
    }
    for time in [i64::MIN, -1, CLAIMED_AT_MAX + 1, i64::MAX] {
        assert_eq!(parse(&encode(&at(time)).bytes), Err(Malformed::ClaimedAt(time)));
    }
}

#[test]
fn the_operation_numbers() {
    let two = vec![put("roof", Value::Null), put("wall", Value::Null)];
    let at = |start_op| Change { start_op, ..change(two.clone()) };
    taken(&at(1));
    taken(&at(OP_COUNTER_MAX - 1));
    assert_eq!(too_long(&at(OP_COUNTER_MAX)), "the last operation number");
    assert_eq!(too_long(&at(OP_COUNTER_MAX + 1)), "the first operation number");
    assert_eq!(parse(&encode(&at(0)).bytes), Err(Malformed::Zero("the first operation number")));
    let naming = |counter| {
        let mut change = change(vec![put("roof", Value::Null)]);
        change.puts[0].predecessors = vec![OpId { counter, actor: actor(1) }];
        change
    };
    taken(&naming(1));
    taken(&naming(OP_COUNTER_MAX));
    for counter in [0, OP_COUNTER_MAX + 1, u64::MAX] {
        assert_eq!(parse(&encode(&naming(counter)).bytes), Err(Malformed::Predecessor));
    }
}

#[test]
fn the_sequence_number() {
    let at = |sequence| Change { sequence, ..change(vec![put("roof", Value::Null)]) };
    taken(&at(CHANGES_PER_DOCUMENT_MAX as u64));
    assert_eq!(too_long(&at(CHANGES_PER_DOCUMENT_MAX as u64 + 1)), "the sequence number");
    assert_eq!(parse(&encode(&at(0)).bytes), Err(Malformed::Zero("the sequence number")));
}

#[test]
fn the_heads_of_a_document() {
    let (empty, mut register) = (Register::default(), Register::default());
    let root = |place: usize| {
        let mut builder = ChangeBuilder::new(&empty, actor(place), 1_790_000_000);
        builder.put("roof", Value::Null);
        builder.finish().unwrap()
    };
    for place in 0..HEADS_MAX {
        let (change, encoded) = root(place);
        assert!(!crowds(&change, &register));
        register.apply(&change, encoded.hash);
    }
    assert!(crowds(&root(HEADS_MAX).0, &register));
    let mut merging = ChangeBuilder::new(&register, actor(0), 1_790_000_000);
    merging.put("roof", Value::Null);
    assert!(!crowds(&merging.finish().unwrap().0, &register));
}

#[test]
fn the_changes_of_a_document() {
    let (mut register, mut past) = (Register::default(), BTreeMap::new());
    let next = |register: &Register| {
        let number = register.change_count() as usize;
        let mut builder = ChangeBuilder::new(register, actor(number / 500), 1_790_000_000);
        builder.put(format!("k{}", number % 40), Value::Bool(true));
        builder.finish().unwrap()
    };
    for number in 1..=CHANGES_PER_DOCUMENT_MAX {
        let (change, encoded) = next(&register);
        if number == CHANGES_PER_DOCUMENT_MAX {
            admit(&encoded.bytes, &register, &past).unwrap();
        }
        register.apply(&change, encoded.hash);
        past.insert(encoded.hash, Arc::new(change));
    }
    let heads: Vec<ChangeHash> = register.heads().iter().copied().collect();
    assert_eq!(register_at(&heads, &past), Ok(register.clone()));

    let (change, encoded) = next(&register);
    assert_eq!(admit(&encoded.bytes, &register, &past), Err(Refusal::TooManyChanges));
    past.insert(encoded.hash, Arc::new(change));
    assert_eq!(register_at(&[encoded.hash], &past), Err(Refusal::TooManyChanges));
}
