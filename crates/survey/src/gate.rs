//! The gate: whether a stranger's bytes are a change that an honest author of this document could have
//! written, decided without ever loading a document into Automerge.
//!
//! Automerge must not be fed foreign bytes: 64 of them expand to a million operations, and one hostile
//! change can make a document unloadable for ever. So the bytes are parsed strictly, the register at the
//! change's dependencies is found, the change is built anew on it from nothing but its actor, claimed
//! time, keys and values, and everything compared. What passes is, by construction, what [`ChangeBuilder`]
//! would have written there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::change::{Change, ChangeHash, Malformed, parse};
use crate::limits::{CHANGES_PER_DOCUMENT_MAX, HEADS_MAX};
use crate::register::{ChangeBuilder, Register};

/// The admitted changes of one document.
pub trait Past {
    /// The change of that hash, if it was admitted to this document.
    fn change(&self, hash: &ChangeHash) -> Option<Arc<Change>>;

    /// Whether the change of that hash was admitted. A store answers this without reading the change.
    fn contains(&self, hash: &ChangeHash) -> bool {
        self.change(hash).is_some()
    }

    /// The register at all that `change` stands on, where that is at hand and need not be replayed.
    fn seen_by(&self, _change: &Change) -> Option<Register> {
        None
    }
}

impl Past for BTreeMap<ChangeHash, Arc<Change>> {
    fn change(&self, hash: &ChangeHash) -> Option<Arc<Change>> {
        self.get(hash).map(Arc::clone)
    }
}

/// Why a change is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are not a change in canonical form. For ever: resending does not help.
    #[error("the bytes are not a change")]
    Malformed(#[from] Malformed),
    /// It stands on changes that this document does not have yet. To be held until they arrive.
    #[error("{} changes it stands on are missing", .0.len())]
    Needs(Vec<ChangeHash>),
    /// This document has it already. Nothing to do.
    #[error("the change is already there")]
    Duplicate,
    /// Its number is not the actor's next: a copied store, or somebody else under its actor.
    #[error("change {found} of its actor, where change {expected} is next")]
    Sequence {
        /// The number it bears.
        found: u64,
        /// The number that is next.
        expected: u64,
    },
    /// An honest author who saw what it stands on would have written something else.
    #[error("the {0} are not what its author had to write")]
    NotAsBuilt(&'static str),
    /// The document has as many changes as it may.
    #[error("the document has {CHANGES_PER_DOCUMENT_MAX} changes, which is the limit")]
    TooManyChanges,
}

/// A change that the gate let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The change, taken apart.
    pub change: Change,
    /// Its hash.
    pub hash: ChangeHash,
    /// The register at its dependencies, where that is not the current one.
    pub before: Option<Register>,
}

/// Judges one change against the document's current register and its past.
///
/// # Errors
/// A [`Refusal`]. Whose device the actor is, and whether its author may write these keys, is not judged
/// here.
pub fn admit(bytes: &[u8], current: &Register, past: &dyn Past) -> Result<Admitted, Refusal> {
    let (change, hash) = parse(bytes)?;
    admit_parsed(change, hash, current, past)
}

/// As [`admit`], for a change whose bytes went through [`parse`] already.
///
/// # Errors
/// As [`admit`], but never [`Refusal::Malformed`].
pub fn admit_parsed(
    change: Change,
    hash: ChangeHash,
    current: &Register,
    past: &dyn Past,
) -> Result<Admitted, Refusal> {
    let last = current.last_change(change.actor);
    let known =
        |hash: &ChangeHash| current.heads().contains(hash) || last == Some(*hash) || past.contains(hash);
    if known(&hash) {
        return Err(Refusal::Duplicate);
    }
    let missing: Vec<ChangeHash> = change.dependencies.iter().copied().filter(|hash| !known(hash)).collect();
    if !missing.is_empty() {
        return Err(Refusal::Needs(missing));
    }
    if current.change_count() >= CHANGES_PER_DOCUMENT_MAX as u64 {
        return Err(Refusal::TooManyChanges);
    }
    let expected = current.sequence(change.actor) + 1;
    if change.sequence != expected {
        return Err(Refusal::Sequence { found: change.sequence, expected });
    }
    let before = if stands_on_heads(&change, current) { None } else { Some(at(&change, past)?) };
    compare(&change, before.as_ref().unwrap_or(current))?;
    Ok(Admitted { change, hash, before })
}

/// Whether the document would have more than [`HEADS_MAX`] heads with this change.
///
/// For the server to ask, in the order of its log. Devices must not: beside what the server accepted they
/// hold their own.
#[must_use]
pub fn crowds(change: &Change, current: &Register) -> bool {
    let left = current.heads().iter().filter(|head| change.dependencies.binary_search(head).is_err());
    left.count() + 1 > HEADS_MAX
}

/// Whether the current register is the one at the change's dependencies.
fn stands_on_heads(change: &Change, current: &Register) -> bool {
    current.heads().iter().all(|head| change.dependencies.binary_search(head).is_ok())
}

fn at(change: &Change, past: &dyn Past) -> Result<Register, Refusal> {
    past.seen_by(change).map_or_else(|| register_at(&change.dependencies, past), Ok)
}

/// The register at `dependencies`: all that they stand on, replayed.
///
/// # Errors
/// [`Refusal::Needs`] when a change is not in the past, [`Refusal::TooManyChanges`] when more would have
/// to be replayed than a document may have.
pub fn register_at(dependencies: &[ChangeHash], past: &dyn Past) -> Result<Register, Refusal> {
    let mut seen: BTreeSet<ChangeHash> = dependencies.iter().copied().collect();
    let mut waiting: Vec<ChangeHash> = dependencies.to_vec();
    let mut closure = Vec::new();
    while let Some(hash) = waiting.pop() {
        let change = past.change(&hash).ok_or_else(|| Refusal::Needs(vec![hash]))?;
        waiting.extend(change.dependencies.iter().filter(|dependency| seen.insert(**dependency)));
        closure.push((change.start_op, hash, change));
        if closure.len() > CHANGES_PER_DOCUMENT_MAX {
            return Err(Refusal::TooManyChanges);
        }
    }
    // A change's first operation number is above all that it stands on.
    closure.sort_unstable_by_key(|(start_op, hash, _)| (*start_op, *hash));
    let mut register = Register::default();
    for (_, hash, change) in &closure {
        register.apply(change, *hash);
    }
    Ok(register)
}

/// Builds the change anew on `register` and compares everything.
///
/// The parser has seen that the bytes are those of `change`, so the same change is the same bytes.
fn compare(change: &Change, register: &Register) -> Result<(), Refusal> {
    let mut builder = ChangeBuilder::new(register, change.actor, change.claimed_at);
    for put in &change.puts {
        builder.put(put.key.as_str(), put.value.clone());
    }
    let built = builder.into_change();
    if built == *change {
        return Ok(());
    }
    Err(Refusal::NotAsBuilt(if built.dependencies != change.dependencies {
        "dependencies"
    } else if (built.sequence, built.start_op) != (change.sequence, change.start_op) {
        "operation numbers"
    } else {
        "predecessors"
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{ActorId, Encoded, Value, encode};

    const ZHANG: ActorId = ActorId([1; 16]);
    const LI: ActorId = ActorId([2; 16]);

    #[derive(Default)]
    struct Document {
        register: Register,
        past: BTreeMap<ChangeHash, Arc<Change>>,
    }

    impl Document {
        fn receive(&mut self, encoded: &Encoded) -> Result<Admitted, Refusal> {
            let admitted = admit(&encoded.bytes, &self.register, &self.past)?;
            self.register.apply(&admitted.change, admitted.hash);
            self.past.insert(admitted.hash, Arc::new(admitted.change.clone()));
            Ok(admitted)
        }
    }

    fn write(register: &Register, actor: ActorId, rooms: i64) -> Encoded {
        let mut builder = ChangeBuilder::new(register, actor, 1_790_000_000);
        builder.put("room_count", Value::Int(rooms));
        builder.finish().unwrap().1
    }

    #[test]
    fn a_change_on_the_heads_is_admitted_without_replaying() {
        let mut document = Document::default();
        assert_eq!(document.receive(&write(&Register::default(), ZHANG, 3)).unwrap().before, None);
        let next = write(&document.register, LI, 4);
        assert_eq!(document.receive(&next).unwrap().before, None);
        assert_eq!(document.register.live("room_count").len(), 1);
    }

    #[test]
    fn a_change_on_older_ones_is_admitted_with_the_register_its_author_saw() {
        let mut document = Document::default();
        document.receive(&write(&Register::default(), ZHANG, 3)).unwrap();
        let seen = document.register.clone();
        document.receive(&write(&seen, ZHANG, 4)).unwrap();
        let concurrent = document.receive(&write(&seen, LI, 5)).unwrap();
        assert_eq!(concurrent.before, Some(seen));
        assert_eq!(document.register.live("room_count").len(), 2);
    }

    #[test]
    fn a_second_root_is_admitted_on_the_empty_register() {
        let mut document = Document::default();
        document.receive(&write(&Register::default(), ZHANG, 3)).unwrap();
        let root = document.receive(&write(&Register::default(), LI, 4)).unwrap();
        assert_eq!(root.before, Some(Register::default()));
        assert_eq!(document.register.heads().len(), 2);
    }

    #[test]
    fn a_change_that_comes_twice_is_a_duplicate() {
        let mut document = Document::default();
        let first = write(&Register::default(), ZHANG, 3);
        document.receive(&first).unwrap();
        assert_eq!(document.receive(&first), Err(Refusal::Duplicate));
        document.receive(&write(&document.register, ZHANG, 4)).unwrap();
        assert_eq!(document.receive(&first), Err(Refusal::Duplicate), "also when it is no longer a head");
    }

    #[test]
    fn a_change_that_comes_early_names_what_it_needs() {
        let mut author = Document::default();
        let first = write(&Register::default(), ZHANG, 3);
        author.receive(&first).unwrap();
        let second = write(&author.register, LI, 4);
        let mut receiver = Document::default();
        assert_eq!(receiver.receive(&second), Err(Refusal::Needs(vec![first.hash])));
        receiver.receive(&first).unwrap();
        receiver.receive(&second).unwrap();
    }

    #[test]
    fn a_copied_store_that_writes_the_same_number_again_is_refused() {
        let mut document = Document::default();
        document.receive(&write(&Register::default(), ZHANG, 3)).unwrap();
        let copied = document.register.clone();
        document.receive(&write(&copied, ZHANG, 4)).unwrap();
        let fork = write(&copied, ZHANG, 5);
        assert_eq!(document.receive(&fork), Err(Refusal::Sequence { found: 2, expected: 3 }));
        let root = write(&Register::default(), ZHANG, 6);
        assert_eq!(document.receive(&root), Err(Refusal::Sequence { found: 1, expected: 3 }));
    }

    #[test]
    fn a_dependency_that_another_stands_on_is_refused() {
        let mut document = Document::default();
        let first = write(&Register::default(), ZHANG, 3);
        document.receive(&first).unwrap();
        document.receive(&write(&document.register, LI, 4)).unwrap();
        let (mut change, _) = parse(&write(&document.register, ActorId([3; 16]), 5).bytes).unwrap();
        change.dependencies.push(first.hash);
        change.dependencies.sort_unstable();
        assert_eq!(document.receive(&encode(&change)), Err(Refusal::NotAsBuilt("dependencies")));
    }

    #[test]
    fn an_own_last_change_that_is_no_head_must_be_named() {
        let mut document = Document::default();
        document.receive(&write(&Register::default(), ZHANG, 3)).unwrap();
        document.receive(&write(&document.register, LI, 4)).unwrap();
        let honest = write(&document.register, ZHANG, 5);
        let (mut change, _) = parse(&honest.bytes).unwrap();
        assert_eq!(change.dependencies.len(), 2);
        change.dependencies.retain(|hash| document.register.heads().contains(hash));
        assert_eq!(document.receive(&encode(&change)), Err(Refusal::NotAsBuilt("dependencies")));
        assert_eq!(document.receive(&honest).unwrap().before, None);
    }

    #[test]
    fn a_register_at_unknown_changes_says_which() {
        let missing = ChangeHash([4; 32]);
        assert_eq!(register_at(&[missing], &BTreeMap::new()), Err(Refusal::Needs(vec![missing])));
        assert_eq!(register_at(&[], &BTreeMap::new()), Ok(Register::default()));
    }
}
