//! Hostile changes made from honest ones, and the loop that feeds them to the gate.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ruhu_survey::belt;
use ruhu_survey::change::{Change, ChangeHash, OpId, Put, Value, encode, parse};
use ruhu_survey::codec::{Reader, Writer};
use ruhu_survey::gate::{Refusal, admit};
use ruhu_survey::limits::{OP_COUNTER_MAX, VALUE_BYTES_MAX};
use ruhu_survey::register::Register;
use sha2::{Digest, Sha256};

use crate::history::{History, Rng};
use crate::timing::timed;

/// A chunk of this type around `body`, with the right length and checksum.
pub(crate) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut hashed = Writer::new();
    hashed.u8(kind).bytes(body);
    let hashed = hashed.finish();
    let checksum = Sha256::digest(&hashed);
    [&[0x85, 0x6f, 0x4a, 0x83], &checksum[..4], &hashed].concat()
}

/// The body of a chunk, without its frame.
fn body(bytes: &[u8]) -> &[u8] {
    Reader::new(&bytes[9..]).bytes("a body", usize::MAX).unwrap()
}

/// A change cut into what precedes its columns, and the columns.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) header: Vec<u8>,
    pub(crate) columns: Vec<(u64, Vec<u8>)>,
}

impl Chunk {
    /// Cuts an honest change.
    pub(crate) fn split(bytes: &[u8]) -> Self {
        let body = body(bytes);
        let mut reader = Reader::new(body);
        let dependencies = reader.varint().unwrap();
        reader.raw(32 * usize::try_from(dependencies).unwrap()).unwrap();
        reader.bytes("the actor", 16).unwrap();
        reader.varint().unwrap();
        reader.varint().unwrap();
        while reader.u8().unwrap() & 0x80 != 0 {} // the claimed time
        reader.bytes("the message", 0).unwrap();
        for _ in 0..reader.varint().unwrap() {
            reader.bytes("an actor", 16).unwrap();
        }
        let header = body[..body.len() - reader.left()].to_vec();
        let table: Vec<(u64, u64)> = (0..reader.varint().unwrap())
            .map(|_| (reader.varint().unwrap(), reader.varint().unwrap()))
            .collect();
        let columns = table.into_iter().map(|(specification, length)| {
            (specification, reader.raw(usize::try_from(length).unwrap()).unwrap().to_vec())
        });
        Self { header, columns: columns.collect() }
    }

    /// The change as bytes, with the right length and checksum.
    pub(crate) fn join(&self) -> Vec<u8> {
        let mut body = Writer::new();
        body.raw(&self.header).varint(self.columns.len() as u64);
        for (specification, column) in &self.columns {
            body.varint(*specification).varint(column.len() as u64);
        }
        for (_, column) in &self.columns {
            body.raw(column);
        }
        frame(1, &body.finish())
    }
}

/// A document as a receiver holds it, and honest changes that could come next.
struct Target {
    register: Register,
    past: BTreeMap<ChangeHash, Arc<Change>>,
    raw: Vec<Vec<u8>>,
    ids: Vec<OpId>,
    seeds: Vec<Vec<u8>>,
}

impl Target {
    fn random(rng: &mut Rng) -> Self {
        let mut history = History::new(rng);
        for _ in 0..15 + rng.below(50) {
            history.step(rng);
        }
        let seeds = (0..24).map(|_| {
            let replica = rng.below(history.replicas.len());
            history.draft(rng, replica).bytes
        });
        let seeds = seeds.collect();
        let (mut register, mut past, mut ids) = (Register::default(), BTreeMap::new(), vec![]);
        for written in &history.written {
            register.apply(&written.change, written.hash);
            past.insert(written.hash, Arc::clone(&written.change));
            ids.extend((0..written.change.puts.len()).map(|place| written.change.op_id(place)));
        }
        let raw = history.written.into_iter().map(|written| written.bytes).collect();
        Self { register, past, raw, ids, seeds }
    }

    fn known_hash(&self, rng: &mut Rng) -> ChangeHash {
        let place = rng.below(self.past.len().max(1));
        self.past.keys().nth(place).copied().unwrap_or(ChangeHash([7; 32]))
    }

    fn known_id(&self, rng: &mut Rng) -> OpId {
        let random = OpId { counter: rng.next() >> rng.below(64), actor: rng.actor() };
        if self.ids.is_empty() || rng.chance(5) { random } else { self.ids[rng.below(self.ids.len())] }
    }

    /// One hostile relative of an honest change.
    fn mutant(&self, rng: &mut Rng, seed: &[u8]) -> Vec<u8> {
        match rng.below(20) {
            0 if !self.raw.is_empty() => self.raw[rng.below(self.raw.len())].clone(),
            1 if !self.raw.is_empty() => {
                let known = &self.raw[rng.below(self.raw.len())];
                self.structural(rng, known)
            }
            2..11 => self.structural(rng, seed),
            11..15 => columns(rng, seed),
            _ => bytes(rng, seed),
        }
    }

    /// Takes the change apart, spoils one to three fields and encodes it again.
    fn structural(&self, rng: &mut Rng, seed: &[u8]) -> Vec<u8> {
        let (mut change, _) = parse(seed).unwrap();
        for _ in 0..=rng.below(3) {
            match rng.below(4) {
                0 => self.spoil_dependencies(rng, &mut change.dependencies),
                1 => self.spoil_numbers(rng, &mut change),
                _ if change.puts.is_empty() => {}
                2 => {
                    let place = rng.below(change.puts.len());
                    self.spoil_predecessors(rng, &mut change.puts[place].predecessors);
                }
                _ => self.spoil_puts(rng, &mut change.puts),
            }
        }
        encode(&change).bytes
    }

    fn spoil_dependencies(&self, rng: &mut Rng, dependencies: &mut Vec<ChangeHash>) {
        let place = rng.below(dependencies.len().max(1));
        match rng.below(6) {
            0 => dependencies.clear(),
            1 => dependencies.truncate(place),
            2 if !dependencies.is_empty() => dependencies.push(dependencies[place]),
            3 => dependencies.reverse(),
            4 => dependencies.push(ChangeHash(std::array::from_fn(|_| rng.next().to_be_bytes()[0]))),
            _ => {
                dependencies.push(self.known_hash(rng));
                dependencies.sort_unstable();
            }
        }
    }

    fn spoil_numbers(&self, rng: &mut Rng, change: &mut Change) {
        let extremes = [0, 1, u64::from(u32::MAX), OP_COUNTER_MAX, i64::MAX.unsigned_abs(), u64::MAX];
        match rng.below(8) {
            0 => change.sequence = change.sequence.wrapping_add(1),
            1 => change.sequence = change.sequence.wrapping_sub(1),
            2 => change.sequence = extremes[rng.below(6)],
            3 => change.start_op = change.start_op.wrapping_add(1).wrapping_sub(2 * (rng.next() & 1)),
            4 => change.start_op = extremes[rng.below(6)],
            5 => change.actor = self.known_id(rng).actor,
            6 => change.actor = rng.actor(),
            _ => change.claimed_at = (rng.next() >> rng.below(64)).cast_signed(),
        }
    }

    fn spoil_predecessors(&self, rng: &mut Rng, ids: &mut Vec<OpId>) {
        let place = rng.below(ids.len().max(1));
        match rng.below(6) {
            0 => ids.clear(),
            1 => ids.truncate(place),
            2 if !ids.is_empty() => ids.push(ids[place]),
            3 => ids.reverse(),
            4 if !ids.is_empty() => ids[place].counter ^= 1 << rng.below(64),
            _ => {
                ids.push(self.known_id(rng));
                ids.sort_unstable();
            }
        }
    }

    fn spoil_puts(&self, rng: &mut Rng, puts: &mut Vec<Put>) {
        let (place, other) = (rng.below(puts.len()), rng.below(puts.len()));
        match rng.below(9) {
            0 => {
                puts.remove(place);
            }
            1 => puts.push(puts[place].clone()),
            2 => puts.swap(place, other),
            3 => puts[place].key = puts[other].key.clone(),
            4 => puts[place].key = "k".repeat([0, 1, 200, 201][rng.below(4)]),
            5 => puts[place].value = Value::Text("x".repeat(VALUE_BYTES_MAX + rng.below(2))),
            6 => puts[place].value = Value::Int(rng.next().cast_signed()),
            7 => puts[place].value = Value::Bytes(vec![0xff; rng.below(300)]),
            _ => {
                let keys: Vec<(&str, Vec<OpId>)> = self
                    .register
                    .keys()
                    .map(|(key, live)| (key, live.iter().map(|op| op.id).collect()))
                    .collect();
                let (key, predecessors) =
                    keys.get(rng.below(keys.len().max(1))).cloned().unwrap_or(("room_1", vec![]));
                puts.push(Put { key: key.to_owned(), value: Value::Null, predecessors });
            }
        }
    }
}

/// Spoils one column: its type, its content, its place, or adds one.
fn columns(rng: &mut Rng, seed: &[u8]) -> Vec<u8> {
    let mut chunk = Chunk::split(seed);
    let types = [0x01, 0x02, 0x11, 0x13, 0x15, 0x34, 0x42, 0x56, 0x57, 0x70, 0x71, 0x72, 0x73, 0x94, 0xa5];
    let specification = types[rng.below(types.len())];
    let place = rng.below(chunk.columns.len());
    match rng.below(6) {
        0 => chunk.columns[place].0 = specification,
        1 => {
            chunk.columns.remove(place);
        }
        2 => chunk.columns.insert(place, (specification, vec![0x02, 0x00])),
        3 => {
            let other = rng.below(chunk.columns.len());
            chunk.columns.swap(place, other);
        }
        4 => chunk.columns[place].1.insert(0, 0x01),
        _ => {
            let column = &mut chunk.columns[place].1;
            let at = rng.below(column.len());
            column[at] = rng.next().to_be_bytes()[0];
        }
    }
    chunk.join()
}

/// Spoils one to four bytes; in 95 % of the cases length and checksum are right again.
fn bytes(rng: &mut Rng, seed: &[u8]) -> Vec<u8> {
    let repaired = rng.chance(95);
    let mut bytes = if repaired { body(seed).to_vec() } else { seed.to_vec() };
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match rng.below(6) {
            _ if bytes.is_empty() => {}
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = rng.next().to_be_bytes()[0],
            2 => bytes.insert(at, rng.next().to_be_bytes()[0]),
            3 => {
                bytes.remove(at);
            }
            4 => bytes[at] = [0x00, 0x7f, 0x80, 0xff][rng.below(4)],
            _ => bytes.truncate(at),
        }
    }
    if repaired { frame(1, &bytes) } else { bytes }
}

/// What became of the mutants.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cases: u64,
    pub(crate) identical: u64,
    pub(crate) accepted: u64,
    pub(crate) refused: BTreeMap<&'static str, u64>,
    pub(crate) belt_failures: Vec<String>,
    pub(crate) panics: u64,
    pub(crate) total: Duration,
    pub(crate) worst: Duration,
}

fn kind(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed(_) => "malformed",
        Refusal::Needs(_) => "needs",
        Refusal::Duplicate => "duplicate",
        Refusal::Sequence { .. } => "sequence",
        Refusal::NotAsBuilt(_) => "not as built",
        Refusal::TooManyChanges => "too many changes",
    }
}

/// Feeds `cases` mutants to the gate, a fresh document every 2,000; each one accepted is worn by the belt.
pub(crate) fn hostile(cases: u64, seed: u64) -> Tally {
    let mut rng = Rng::new(seed);
    let mut target = Target::random(&mut rng);
    let mut tally = Tally::default();
    while tally.cases < cases {
        tally.cases += 1;
        if tally.cases % 2_000 == 0 {
            target = Target::random(&mut rng);
        }
        let honest = &target.seeds[rng.below(target.seeds.len())];
        let mutant = target.mutant(&mut rng, honest);
        if mutant == *honest {
            tally.identical += 1;
            continue;
        }
        let (outcome, took) = timed(tally.worst, || {
            catch_unwind(AssertUnwindSafe(|| admit(&mutant, &target.register, &target.past)))
        });
        tally.total += took;
        tally.worst = tally.worst.max(took);
        match outcome {
            Err(_) => tally.panics += 1,
            Ok(Err(refusal)) => *tally.refused.entry(kind(&refusal)).or_default() += 1,
            Ok(Ok(_)) => {
                tally.accepted += 1;
                let raw: Vec<&[u8]> =
                    target.raw.iter().chain([&mutant]).map(|bytes| bytes.as_slice()).collect();
                tally.belt_failures.extend(belt::survives(&raw).err().map(|failure| failure.to_string()));
            }
        }
    }
    tally
}

/// What became of honest changes; one is refused, too, where the gate finds another register before it than
/// its author saw.
#[derive(Debug, Default)]
pub(crate) struct Honest {
    pub(crate) changes: u64,
    pub(crate) refused: u64,
    pub(crate) at_older: u64,
    /// The time taken for those that stand on the heads.
    pub(crate) on_heads_total: Duration,
    /// The time taken for those that stand on older ones, so that the past is replayed.
    pub(crate) at_older_total: Duration,
    pub(crate) worst: Duration,
}

/// Feeds at least `changes` honest changes to the gate, many of them standing on older ones than the heads.
pub(crate) fn honest(changes: u64, seed: u64) -> Honest {
    let mut rng = Rng::new(seed);
    let mut tally = Honest::default();
    while tally.changes < changes {
        let mut history = History::new(&mut rng);
        for _ in 0..20 + rng.below(60) {
            history.step(&mut rng);
        }
        let (mut register, mut past) = (Register::default(), BTreeMap::new());
        for written in &history.written {
            let (outcome, took) = timed(tally.worst, || admit(&written.bytes, &register, &past));
            tally.changes += 1;
            tally.worst = tally.worst.max(took);
            if outcome.as_ref().is_ok_and(|admitted| admitted.before.is_some()) {
                tally.at_older += 1;
                tally.at_older_total += took;
            } else {
                tally.on_heads_total += took;
            }
            let seen = outcome
                .is_ok_and(|admitted| admitted.before.as_ref().unwrap_or(&register) == &written.before);
            tally.refused += u64::from(!seen);
            register.apply(&written.change, written.hash);
            past.insert(written.hash, Arc::clone(&written.change));
        }
    }
    tally
}
