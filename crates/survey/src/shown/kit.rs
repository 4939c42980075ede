//! Devices in memory, for the tests of this crate: each writes onto what it has seen, and takes from others.

use std::sync::Arc;

use proptest::prelude::*;

use super::settle;
use crate::change::{ActorId, Change, ChangeHash, Value};
use crate::field_table::Source;
use crate::history::{Attribution, Recorded};
use crate::id::{DeviceId, UserId};
use crate::register::{ChangeBuilder, Register};

/// The time of the first write, seconds since 1970.
pub(crate) const NOW: i64 = 1_790_000_000;

/// One device's copy of a document.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) number: u8,
    pub(crate) register: Register,
    /// In the order in which they were written or taken.
    pub(crate) changes: Vec<Recorded>,
}

impl Desk {
    pub(crate) fn new(number: u8) -> Self {
        Self { number, register: Register::default(), changes: Vec::new() }
    }

    pub(crate) fn device(&self) -> DeviceId {
        DeviceId::from_bytes([self.number; 16])
    }

    pub(crate) fn builder(&self) -> ChangeBuilder<'_> {
        ChangeBuilder::new(&self.register, ActorId([self.number; 16]), self.clock())
    }

    fn clock(&self) -> i64 {
        NOW + i64::try_from(self.changes.len()).unwrap()
    }

    /// Writes one change and keeps it.
    pub(crate) fn write(&mut self, puts: impl FnOnce(&mut ChangeBuilder<'_>)) -> ChangeHash {
        let register = self.register.clone();
        let at = self.clock();
        let mut builder = ChangeBuilder::new(&register, ActorId([self.number; 16]), at);
        puts(&mut builder);
        let (change, encoded) = builder.finish().unwrap();
        self.keep(Arc::new(change), encoded.hash, self.number);
        encoded.hash
    }

    /// Puts a text, with its source if there is one.
    pub(crate) fn put(&mut self, key: &str, value: &str, source: Option<Source>) -> ChangeHash {
        self.write(|builder| {
            builder.put(key, Value::Text(value.to_owned()));
            if let Some(source) = source {
                builder.put(format!("{key}/source"), Value::Text(source.code().to_owned()));
            }
        })
    }

    /// Settles a key on the value that `chosen` wrote.
    pub(crate) fn settle(&mut self, key: &str, chosen: ChangeHash) -> ChangeHash {
        self.write(|builder| {
            settle(builder, key, chosen, "看过房产证").unwrap();
        })
    }

    /// Takes every change that another has.
    pub(crate) fn take(&mut self, other: &Self) {
        for recorded in &other.changes {
            if !self.changes.iter().any(|mine| mine.hash == recorded.hash) {
                self.register.apply(&recorded.change, recorded.hash);
                self.changes.push(recorded.clone());
            }
        }
    }

    fn keep(&mut self, change: Arc<Change>, hash: ChangeHash, number: u8) {
        self.register.apply(&change, hash);
        let by = Attribution {
            device: DeviceId::from_bytes([number; 16]),
            user: UserId::from_bytes([number + 100; 16]),
            batch: [number; 32],
            not_before_ms: Some((NOW - 60) * 1_000),
            not_after_ms: Some((NOW + 3_600) * 1_000),
        };
        self.changes.push(Recorded { hash, change, by });
    }
}

/// One step of a random history.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Put { desk: usize, key: usize, value: usize, source: Option<usize> },
    Settle { desk: usize, key: usize, choice: usize },
    Take { to: usize, from: usize },
}

pub(crate) const KEYS: [&str; 3] = ["group_name", "dwelling_address", "main_cause"];
pub(crate) const VALUES: [&str; 3] = ["illness", "disability", "schooling"];

/// Steps of three devices that write, settle and meet at random.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let put = (0..3_usize, 0..3_usize, 0..3_usize, prop::option::of(0..6_usize))
        .prop_map(|(desk, key, value, source)| Step::Put { desk, key, value, source });
    let settle = (0..3_usize, 0..3_usize, 0..4_usize).prop_map(|(desk, key, choice)| Step::Settle {
        desk,
        key,
        choice,
    });
    let take = (0..3_usize, 0..3_usize).prop_map(|(to, from)| Step::Take { to, from });
    prop::collection::vec(prop_oneof![4 => put, 1 => settle, 3 => take], 1..40)
}

/// Three devices after the steps.
pub(crate) fn play(steps: &[Step]) -> Vec<Desk> {
    let mut desks = vec![Desk::new(1), Desk::new(2), Desk::new(3)];
    for step in steps {
        match *step {
            Step::Put { desk, key, value, source } => {
                let source = source.map(|source| Source::ALL[source]);
                desks[desk].put(KEYS[key], VALUES[value], source);
            }
            Step::Settle { desk, key, choice } => {
                let live = desks[desk].register.live(KEYS[key]).to_vec();
                if !live.is_empty() {
                    desks[desk].settle(KEYS[key], live[choice % live.len()].change);
                }
            }
            Step::Take { to, from } => {
                let other = desks[from].clone();
                desks[to].take(&other);
            }
        }
    }
    desks
}

/// A device that took everything.
pub(crate) fn gathered(desks: &[Desk], order: &[usize]) -> Desk {
    let mut all = Desk::new(9);
    order.iter().for_each(|index| all.take(&desks[*index]));
    all
}
