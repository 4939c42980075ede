//! Random honest histories of one document: a few openings that write, exchange and reopen.

use std::collections::BTreeSet;
use std::sync::Arc;

use ruhu_survey::change::{ActorId, Change, ChangeHash, Value};
use ruhu_survey::register::{ChangeBuilder, Register};

/// A small generator (xorshift64*): the same seed gives the same numbers everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Self((seed ^ 0x9e37_79b9_7f4a_7c15).max(1));
        for _ in 0..8 {
            rng.next();
        }
        rng
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`, which is at least 1.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from((self.next() >> 16) % limit as u64).unwrap()
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn actor(&mut self) -> ActorId {
        let mut actor = [0; 16];
        actor[..8].copy_from_slice(&self.next().to_be_bytes());
        actor[8..].copy_from_slice(&self.next().to_be_bytes());
        ActorId(actor)
    }
}

/// One change as its author wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) hash: ChangeHash,
    pub(crate) change: Arc<Change>,
    pub(crate) bytes: Vec<u8>,
    /// The register its author saw.
    pub(crate) before: Register,
}

/// One store of the document.
#[derive(Debug, Clone)]
pub(crate) struct Replica {
    pub(crate) actor: ActorId,
    pub(crate) register: Register,
    /// Places in [`History::written`], in the order of arrival.
    pub(crate) has: Vec<usize>,
}

/// Some replicas and all that they wrote, each change after those it stands on.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) replicas: Vec<Replica>,
    pub(crate) written: Vec<Written>,
    keys: usize,
}

impl History {
    /// Two to five replicas, all empty, over 3, 8 or 40 keys.
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let count = 2 + rng.below(4);
        let replica =
            |rng: &mut Rng| Replica { actor: rng.actor(), register: Register::default(), has: vec![] };
        let replicas = (0..count).map(|_| replica(rng)).collect();
        Self { replicas, written: vec![], keys: [3, 8, 40][rng.below(3)] }
    }

    /// One of them writes, receives what another has, or opens its store again.
    pub(crate) fn step(&mut self, rng: &mut Rng) {
        let replica = rng.below(self.replicas.len());
        if rng.chance(60) {
            let next = self.draft(rng, replica);
            let chosen = &mut self.replicas[replica];
            chosen.register.apply(&next.change, next.hash);
            chosen.has.push(self.written.len());
            self.written.push(next);
        } else if rng.chance(10) {
            self.replicas[replica].actor = rng.actor();
        } else {
            let other = rng.below(self.replicas.len());
            self.receive(rng, replica, other);
        }
    }

    /// What a replica could write next; it is not yet part of the history.
    pub(crate) fn draft(&self, rng: &mut Rng, replica: usize) -> Written {
        let Replica { actor, register, .. } = &self.replicas[replica];
        let mut builder = ChangeBuilder::new(register, *actor, 1_790_000_000 + rng.below(1_000_000) as i64);
        let most = if rng.chance(10) { 30 } else { 4 };
        for _ in 0..=rng.below(most) {
            let key = self.key(rng);
            let value = value(rng, register, &key);
            builder.put(key, value);
        }
        if rng.chance(5) {
            let id = ruhu_survey::register::derived_id(builder.next_op());
            let field = self.key(rng);
            builder
                .put(format!("event/{id}"), Value::Text(format!(r#"{{"field":"{field}","kind":"settle"}}"#)));
            let value = value(rng, register, &field);
            builder.put(field, value);
        }
        let (change, encoded) = builder.finish().unwrap();
        Written {
            hash: encoded.hash,
            change: Arc::new(change),
            bytes: encoded.bytes,
            before: register.clone(),
        }
    }

    fn key(&self, rng: &mut Rng) -> String {
        let number = rng.below(self.keys);
        if number.is_multiple_of(3) { format!("member/{number}/姓名") } else { format!("room_{number}") }
    }

    /// All or a beginning of what `from` has and `to` has not, in the order in which `from` got it.
    fn receive(&mut self, rng: &mut Rng, to: usize, from: usize) {
        let known: BTreeSet<usize> = self.replicas[to].has.iter().copied().collect();
        let mut fresh: Vec<usize> =
            self.replicas[from].has.iter().copied().filter(|place| !known.contains(place)).collect();
        if rng.chance(30) {
            fresh.truncate(rng.below(fresh.len() + 1));
        }
        let receiver = &mut self.replicas[to];
        for place in fresh {
            let written = &self.written[place];
            receiver.register.apply(&written.change, written.hash);
            receiver.has.push(place);
        }
    }
}

/// A value; often one that the key already has.
fn value(rng: &mut Rng, register: &Register, key: &str) -> Value {
    let live = register.live(key);
    if !live.is_empty() && rng.chance(25) {
        return live[rng.below(live.len())].value.clone();
    }
    match rng.below(8) {
        0 => Value::Null,
        1 => Value::Bool(rng.chance(50)),
        2 => Value::Int((rng.next() >> rng.below(64)).cast_signed()),
        3 => Value::Int(-(rng.below(200) as i64)),
        4 => Value::Bytes((0..rng.below(40)).map(|place| place as u8).collect()),
        5 => Value::Text("~refused".to_owned()),
        _ => Value::Text("屋顶漏雨，已报镇里".repeat(rng.below(4))),
    }
}
