//! Small costs of the domain: admitting a change at the heads and one step behind, writing one, reading a register.
//!
//! `cargo bench -p ruhu-survey`; `cargo xtask bench` runs it too.
#![expect(clippy::unwrap_used, reason = "a benchmark may end at the first surprise")]

use std::collections::BTreeMap;
use std::sync::Arc;

use divan::Bencher;
use ruhu_survey::change::{ActorId, Change, ChangeHash, Encoded, Value};
use ruhu_survey::gate::admit;
use ruhu_survey::register::{ChangeBuilder, Register};

const ZHANG: ActorId = ActorId([1; 16]);
const LI: ActorId = ActorId([2; 16]);

fn main() {
    divan::main();
}

/// A household of about 73 keys, written onto in so many changes of four puts.
struct Document {
    register: Register,
    before_last: Register,
    past: BTreeMap<ChangeHash, Arc<Change>>,
}

fn document(changes: usize) -> Document {
    let (mut register, mut past) = (Register::default(), BTreeMap::new());
    let mut before_last = Register::default();
    for round in 0..changes {
        before_last = register.clone();
        let mut builder = ChangeBuilder::new(&before_last, ZHANG, 1_790_000_000);
        for key in 0..if round == 0 { 73 } else { 4 } {
            builder.put(format!("key/{}", (round * 3 + key) % 73), Value::Int(i64::try_from(round).unwrap()));
        }
        let (change, encoded) = builder.finish().unwrap();
        register.apply(&change, encoded.hash);
        past.insert(encoded.hash, Arc::new(change));
    }
    Document { register, before_last, past }
}

fn next(register: &Register) -> Encoded {
    let mut builder = ChangeBuilder::new(register, LI, 1_790_000_100);
    for key in 0..4 {
        builder.put(format!("key/{key}"), Value::Text("二组".to_owned()));
    }
    builder.finish().unwrap().1
}

/// Aim: 10 µs.
#[divan::bench(args = [50, 1_000])]
fn admit_at_the_heads(bencher: Bencher<'_, '_>, changes: usize) {
    let document = document(changes);
    let bytes = next(&document.register).bytes;
    bencher.bench(|| admit(&bytes, &document.register, &document.past).unwrap());
}

/// Aim: 1 ms at 1,000 changes.
#[divan::bench(args = [50, 1_000, 10_000 - 1])]
fn admit_one_step_behind(bencher: Bencher<'_, '_>, changes: usize) {
    let document = document(changes);
    let bytes = next(&document.before_last).bytes;
    bencher.bench(|| admit(&bytes, &document.register, &document.past).unwrap());
}

#[divan::bench]
fn write_a_change_of_four_puts(bencher: Bencher<'_, '_>) {
    let document = document(50);
    bencher.bench(|| next(&document.register));
}

#[divan::bench]
fn read_a_register_of_73_keys(bencher: Bencher<'_, '_>) {
    let bytes = document(50).register.to_bytes();
    bencher.bench(|| Register::from_bytes(&bytes).unwrap());
}
