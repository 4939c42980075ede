//! Who changed what, when, from which value to which: a pure fold over changes and batch headers.
//!
//! Nothing is left out: values that lost stay in the list with what became of them. The list does not
//! depend on the order in which changes arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::change::{Change, ChangeHash, DocumentKind, OpId, Value};
use crate::entry::Entry;
use crate::field_table::{Part, Source, field};
use crate::id::{DeviceId, UserId};
use crate::register::{Register, settled_fields};
use crate::shown::shown;

/// How far a clock may be off before a claim counts as outside its window, milliseconds.
pub const CLOCK_TOLERANCE_MS: i64 = 10 * 60 * 1_000;

/// Who made a change, by the signed header of its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// The device.
    pub device: DeviceId,
    /// The person.
    pub user: UserId,
    /// The batch.
    pub batch: [u8; 32],
    /// The change was not made before this (the batch names a checkpoint of that time), ms since 1970.
    pub not_before_ms: Option<i64>,
    /// The change was made before this (the server's receipt), ms since 1970.
    pub not_after_ms: Option<i64>,
}

/// A change and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The change's hash.
    pub hash: ChangeHash,
    /// The change.
    pub change: Arc<Change>,
    /// Who made it.
    pub by: Attribution,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is the value that is shown.
    Shown,
    /// It stands beside the value that is shown, and equals it or waits for a decision.
    Beside,
    /// A later write that had seen it took its place.
    Replaced {
        /// The change that wrote it.
        by: ChangeHash,
    },
    /// A settlement chose another value.
    SettledAway {
        /// The change that settled.
        by: ChangeHash,
    },
}

impl Fate {
    /// The stable word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Beside => "beside",
            Self::Replaced { .. } => "replaced",
            Self::SettledAway { .. } => "settled_away",
        }
    }
}

/// One value written at one key, or one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldEvent {
    /// The key.
    pub key: String,
    /// The put.
    pub op: OpId,
    /// The change that holds it.
    pub change: ChangeHash,
    /// Who made it.
    pub by: Attribution,
    /// The author's clock, seconds since 1970. A claim.
    pub claimed_at: i64,
    /// The values that it took the place of, ascending by op id; more than one ends a conflict.
    pub old: Vec<(OpId, Value)>,
    /// The new value; null is a withdrawal.
    pub new: Value,
    /// Why.
    pub reason: Option<String>,
    /// Where the value comes from, where it is said.
    pub source: Option<Source>,
    /// The puts of the key that neither had seen nor were seen by this one, ascending.
    pub concurrent_with: Vec<OpId>,
    /// Whether it was the value shown as soon as it was there, in the order of the list.
    pub shown_after: bool,
    /// What became of it.
    pub fate: Fate,
    /// Whether it is the choice of a settlement; the reason is then the settlement's.
    pub settles: bool,
    /// Whether the claimed time is outside the proved window, by more than [`CLOCK_TOLERANCE_MS`].
    pub outside_window: bool,
}

/// The history of a document: every value and every entry, in an order where each comes after all that
/// its author had seen, and otherwise in the order in which the server received them.
#[must_use]
pub fn history(kind: DocumentKind, changes: &[Recorded]) -> Vec<FieldEvent> {
    let mut fold = Fold { kind, register: Register::default(), events: Vec::new(), places: BTreeMap::new() };
    for recorded in in_causal_order(changes) {
        fold.apply(recorded);
    }
    fold.finish()
}

struct Fold {
    kind: DocumentKind,
    register: Register,
    events: Vec<FieldEvent>,
    /// Where the event of a put is.
    places: BTreeMap<OpId, usize>,
}

impl Fold {
    fn apply(&mut self, recorded: &Recorded) {
        let settles = settled_fields(&recorded.change);
        let first = self.events.len();
        for (index, put) in recorded.change.puts.iter().enumerate() {
            let value = field(self.kind, &put.key).is_none_or(|found| found.part == Part::Value);
            if value {
                self.event(recorded, index, settles.contains(&put.key));
            }
        }
        self.register.apply(&recorded.change, recorded.hash);
        for event in self.events.iter_mut().skip(first) {
            let shown = shown(&self.register, self.kind, &event.key);
            event.shown_after = shown.is_some_and(|shown| shown.op.id == event.op);
        }
    }

    fn event(&mut self, recorded: &Recorded, index: usize, settles: bool) {
        let change = &recorded.change;
        let Some(put) = change.puts.get(index) else { return };
        let op = change.op_id(index);
        let mut old = Vec::new();
        for id in &put.predecessors {
            let Some(event) = self.places.get(id).and_then(|place| self.events.get_mut(*place)) else {
                continue;
            };
            let lost = settles && event.new != put.value;
            let fate = if lost {
                Fate::SettledAway { by: recorded.hash }
            } else {
                Fate::Replaced { by: recorded.hash }
            };
            if event.fate == Fate::Beside || lost {
                event.fate = fate;
            }
            old.push((*id, event.new.clone()));
        }
        self.places.insert(op, self.events.len());
        self.events.push(FieldEvent {
            key: put.key.clone(),
            op,
            change: recorded.hash,
            by: recorded.by.clone(),
            claimed_at: change.claimed_at,
            old,
            new: put.value.clone(),
            reason: reason(change, &put.key, settles),
            source: text(change, &format!("{}/source", put.key)).and_then(Source::from_code),
            concurrent_with: Vec::new(),
            shown_after: false,
            fate: Fate::Beside,
            settles,
            outside_window: is_outside(change.claimed_at, &recorded.by),
        });
    }

    fn finish(mut self) -> Vec<FieldEvent> {
        let mut keys: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, event) in self.events.iter().enumerate() {
            keys.entry(event.key.clone()).or_default().push(index);
        }
        for (key, places) in keys {
            self.mark_concurrent(&places);
            if let Some(shown) = shown(&self.register, self.kind, &key) {
                let place = self.places.get(&shown.op.id).copied();
                if let Some(event) = place.and_then(|place| self.events.get_mut(place)) {
                    event.fate = Fate::Shown;
                }
            }
        }
        self.events
    }

    /// Each put of a key names every value that its author could see there, so what it had seen is what
    /// is reached over predecessors; no look at the whole document is needed.
    fn mark_concurrent(&mut self, places: &[usize]) {
        if places.len() < 2 {
            return;
        }
        let ops: Vec<OpId> = places.iter().filter_map(|place| Some(self.events.get(*place)?.op)).collect();
        let index_of: BTreeMap<OpId, usize> =
            ops.iter().enumerate().map(|(index, op)| (*op, index)).collect();
        let mut saw: Vec<Bits> = Vec::with_capacity(ops.len());
        for place in places {
            let mut bits = Bits::new(ops.len());
            for (old, _) in self.events.get(*place).map_or(&[][..], |event| &event.old) {
                let Some(index) = index_of.get(old) else { continue };
                bits.set(*index);
                saw.get(*index).into_iter().for_each(|earlier| bits.join(earlier));
            }
            saw.push(bits);
        }
        for (index, place) in places.iter().enumerate() {
            let unseen = |other: &usize| {
                let before = saw.get(index).is_some_and(|bits| bits.has(*other));
                let after = saw.get(*other).is_some_and(|bits| bits.has(index));
                *other != index && !before && !after
            };
            let mut concurrent: Vec<OpId> =
                (0..ops.len()).filter(unseen).filter_map(|other| ops.get(other).copied()).collect();
            concurrent.sort_unstable();
            if let Some(event) = self.events.get_mut(*place) {
                event.concurrent_with = concurrent;
            }
        }
    }
}

/// A set of small numbers.
struct Bits(Vec<u64>);

impl Bits {
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn set(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    fn has(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
    }
}

fn text<'a>(change: &'a Change, key: &str) -> Option<&'a str> {
    let put = change.puts.iter().find(|put| put.key == key)?;
    match &put.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// The settlement's reason where there is one, or the companion's.
fn reason(change: &Change, key: &str, settles: bool) -> Option<String> {
    let companion = || text(change, &format!("{key}/reason")).map(str::to_owned);
    if !settles {
        return companion();
    }
    let settlement = change.puts.iter().find_map(|put| match Entry::from_value(&put.value) {
        Ok(Entry::Settle(settle)) if settle.field == key => Some(settle.reason),
        _ => None,
    });
    settlement.or_else(companion)
}

fn is_outside(claimed_at: i64, by: &Attribution) -> bool {
    let claimed = claimed_at.saturating_mul(1_000);
    let early = by.not_before_ms.is_some_and(|at| claimed < at.saturating_sub(CLOCK_TOLERANCE_MS));
    let late = by.not_after_ms.is_some_and(|at| claimed > at.saturating_add(CLOCK_TOLERANCE_MS));
    early || late
}

/// The changes, each once and after all of its dependencies that are there; otherwise in the order in
/// which the server received them, those that it has not received last, and then by hash.
fn in_causal_order(changes: &[Recorded]) -> Vec<&Recorded> {
    let known: BTreeMap<ChangeHash, &Recorded> =
        changes.iter().map(|recorded| (recorded.hash, recorded)).collect();
    let mut waits: BTreeMap<ChangeHash, usize> = BTreeMap::new();
    let mut followers: BTreeMap<ChangeHash, Vec<ChangeHash>> = BTreeMap::new();
    for (hash, recorded) in &known {
        let there = recorded.change.dependencies.iter().filter(|dependency| known.contains_key(*dependency));
        waits.insert(*hash, there.clone().count());
        for dependency in there {
            followers.entry(*dependency).or_default().push(*hash);
        }
    }
    let place = |hash: ChangeHash| {
        let received = known.get(&hash).and_then(|recorded| recorded.by.not_after_ms);
        (received.unwrap_or(i64::MAX), hash)
    };
    let mut ready: BTreeSet<(i64, ChangeHash)> =
        waits.iter().filter(|(_, count)| **count == 0).map(|(hash, _)| place(*hash)).collect();
    let mut ordered = Vec::with_capacity(known.len());
    while let Some((_, hash)) = ready.pop_first() {
        ordered.extend(known.get(&hash));
        for follower in followers.remove(&hash).unwrap_or_default() {
            let Some(count) = waits.get_mut(&follower) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                ready.insert(place(follower));
            }
        }
    }
    ordered
}

/// The document as it stood with `at` as its heads: what those changes stand on, and themselves.
#[must_use]
pub fn as_of(changes: &[Recorded], at: &[ChangeHash]) -> Register {
    let known: BTreeMap<ChangeHash, &Recorded> =
        changes.iter().map(|recorded| (recorded.hash, recorded)).collect();
    let mut wanted = BTreeSet::new();
    let mut open = at.to_vec();
    while let Some(hash) = open.pop() {
        let Some(recorded) = known.get(&hash) else { continue };
        if wanted.insert(hash) {
            open.extend(&recorded.change.dependencies);
        }
    }
    let mut register = Register::default();
    for recorded in in_causal_order(changes).into_iter().filter(|recorded| wanted.contains(&recorded.hash)) {
        register.apply(&recorded.change, recorded.hash);
    }
    register
}

/// A key whose shown value differs between two states of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDifference {
    /// The key.
    pub key: String,
    /// The value shown in the first state; nothing where nobody had written it.
    pub before: Option<Value>,
    /// The value shown in the second.
    pub after: Option<Value>,
}

/// The values and entries that differ between two states of a document, ascending by key.
#[must_use]
pub fn difference(kind: DocumentKind, a: &Register, b: &Register) -> Vec<FieldDifference> {
    let keys: BTreeSet<&str> = a.keys().chain(b.keys()).map(|(key, _)| key).collect();
    let value =
        |register: &Register, key: &str| shown(register, kind, key).map(|shown| shown.op.value.clone());
    keys.into_iter()
        .filter(|key| field(kind, key).is_none_or(|found| found.part == Part::Value))
        .map(|key| FieldDifference { key: key.to_owned(), before: value(a, key), after: value(b, key) })
        .filter(|difference| difference.before != difference.after)
        .collect()
}

#[cfg(test)]
mod tests;
