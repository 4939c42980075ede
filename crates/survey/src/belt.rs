//! The belt: Automerge itself applies, saves and reloads a document's changes, inside a panic boundary.
//!
//! The gate admits only what an honest author could have written, so the belt should never tear. It is
//! there for the day when it does: before a batch is relayed, and before a read or a snapshot is derived
//! from it, a document that Automerge cannot carry is found here.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ObjId, ROOT, ReadDoc, ScalarValue};

use crate::change::{Change, ChangeHash, Malformed, Value, parse};
use crate::register::{LiveOp, Register};

/// What Automerge was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Applying the changes to an empty document.
    Apply,
    /// Loading the saved document.
    Load,
    /// Putting one more value on the loaded document, saving and loading it again.
    Edit,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Apply => "applying the changes",
            Self::Load => "saving and loading",
            Self::Edit => "editing what was loaded",
        })
    }
}

/// Why a document must not be used.
#[derive(Debug, thiserror::Error)]
pub enum BeltFailure {
    /// A change is not one that the gate admits.
    #[error("change {index} is malformed")]
    Malformed {
        /// Its place among the raw changes.
        index: usize,
        /// What is wrong with it.
        source: Malformed,
    },
    /// Automerge cannot read a change.
    #[error("Automerge cannot read change {hash}")]
    Unreadable {
        /// The change.
        hash: ChangeHash,
        /// What Automerge says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Automerge returned an error.
    #[error("Automerge failed while {step}")]
    Failed {
        /// What it was doing.
        step: Step,
        /// What it says.
        source: Box<AutomergeError>,
    },
    /// Automerge panicked.
    #[error("Automerge panicked while {0}")]
    Panicked(Step),
    /// The heads are not the register's.
    #[error("after {0}, the heads are not the register's")]
    Heads(Step),
    /// The number of keys is not the register's.
    #[error("after {0}, the number of keys is not the register's")]
    Keys(Step),
    /// A key's values are not the register's.
    #[error("after {step}, the values of {key:?} are not the register's")]
    Values {
        /// After what.
        step: Step,
        /// The key.
        key: String,
    },
    /// The edit is not there after saving and loading once more.
    #[error("an edit is lost by saving and loading")]
    EditLost,
}

/// Whether Automerge carries a document of these changes, given in any order and all of them.
///
/// It applies them in one go, saves and reloads, compares heads and every live value with the
/// [`Register`]'s, and can put one more value and do so again.
///
/// # Errors
/// A [`BeltFailure`] when it does not; a panic of Automerge's is one.
pub fn survives(raw_changes: &[&[u8]]) -> Result<(), BeltFailure> {
    let changes = parse_all(raw_changes)?;
    let mut register = Register::default();
    for ((_, hash), (change, _)) in &changes {
        register.apply(change, *hash);
    }
    let step = Cell::new(Step::Apply);
    let outcome = catch_unwind(AssertUnwindSafe(|| wear(&changes, &register, &step)));
    outcome.unwrap_or_else(|_| Err(BeltFailure::Panicked(step.get())))
}

/// The changes in causal order: a change's first operation number is above all that it stands on.
type Ordered<'a> = BTreeMap<(u64, ChangeHash), (Change, &'a [u8])>;

fn parse_all<'a>(raw_changes: &[&'a [u8]]) -> Result<Ordered<'a>, BeltFailure> {
    let parsed = raw_changes.iter().enumerate().map(|(index, bytes)| {
        let (change, hash) = parse(bytes).map_err(|source| BeltFailure::Malformed { index, source })?;
        Ok(((change.start_op, hash), (change, *bytes)))
    });
    parsed.collect()
}

fn wear(changes: &Ordered<'_>, register: &Register, step: &Cell<Step>) -> Result<(), BeltFailure> {
    let failed = |source| BeltFailure::Failed { step: step.get(), source: Box::new(source) };
    let mut applied = Automerge::new();
    applied.apply_changes(read_all(changes)?).map_err(failed)?;
    compare(&applied, register, step.get())?;
    step.set(Step::Load);
    let mut loaded = Automerge::load(&applied.save()).map_err(failed)?;
    compare(&loaded, register, step.get())?;
    step.set(Step::Edit);
    edit(&mut loaded).map_err(failed)?;
    let again = Automerge::load(&loaded.save()).map_err(failed)?;
    let kept = again.get(ROOT, PROBE_KEY).map_err(failed)?.is_some();
    if kept && again.get_heads() == loaded.get_heads() { Ok(()) } else { Err(BeltFailure::EditLost) }
}

fn read_all(changes: &Ordered<'_>) -> Result<Vec<automerge::Change>, BeltFailure> {
    let read = changes.iter().map(|((_, hash), (_, bytes))| {
        automerge::Change::from_bytes(bytes.to_vec())
            .map_err(|error| BeltFailure::Unreadable { hash: *hash, source: Box::new(error) })
    });
    read.collect()
}

/// The key of the one more value; no document has such a key.
const PROBE_KEY: &str = "~belt";

fn edit(document: &mut Automerge) -> Result<(), AutomergeError> {
    document.set_actor(automerge::ActorId::from(&[0xbe; 16]));
    document
        .transact(|transaction| transaction.put(ROOT, PROBE_KEY, 1))
        .map(|_| ())
        .map_err(|failure| failure.error)
}

fn compare(document: &Automerge, register: &Register, step: Step) -> Result<(), BeltFailure> {
    let mut heads: Vec<[u8; 32]> = document.get_heads().iter().map(|head| head.0).collect();
    heads.sort_unstable();
    if !heads.iter().eq(register.heads().iter().map(|head| &head.0)) {
        return Err(BeltFailure::Heads(step));
    }
    if document.length(ROOT) != register.keys().count() {
        return Err(BeltFailure::Keys(step));
    }
    for (key, live) in register.keys() {
        let values = document
            .get_all(ROOT, key)
            .map_err(|source| BeltFailure::Failed { step, source: Box::new(source) })?;
        let same = values.len() == live.len()
            && values.iter().zip(live).all(|((value, id), op)| same_op(value, id, op));
        if !same {
            return Err(BeltFailure::Values { step, key: key.to_owned() });
        }
    }
    Ok(())
}

fn same_op(value: &automerge::Value<'_>, id: &ObjId, op: &LiveOp) -> bool {
    let same_id = matches!(id, ObjId::Id(counter, actor, _)
        if *counter == op.id.counter && actor.to_bytes() == op.id.actor.0);
    same_id && same_value(value, &op.value)
}

fn same_value(value: &automerge::Value<'_>, ours: &Value) -> bool {
    let automerge::Value::Scalar(scalar) = value else { return false };
    match (Cow::as_ref(scalar), ours) {
        (ScalarValue::Null, Value::Null) => true,
        (ScalarValue::Boolean(theirs), Value::Bool(ours)) => theirs == ours,
        (ScalarValue::Int(theirs), Value::Int(ours)) => theirs == ours,
        (ScalarValue::Str(theirs), Value::Text(ours)) => theirs.as_str() == ours,
        (ScalarValue::Bytes(theirs), Value::Bytes(ours)) => theirs == ours,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::ActorId;
    use crate::register::ChangeBuilder;

    fn write(register: &mut Register, actor: u8, key: &str, value: i64) -> Vec<u8> {
        let mut builder = ChangeBuilder::new(register, ActorId([actor; 16]), 1_790_000_000);
        builder.put(key, Value::Int(value));
        let (change, encoded) = builder.finish().unwrap();
        register.apply(&change, encoded.hash);
        encoded.bytes
    }

    #[test]
    fn a_document_with_a_conflict_survives_in_any_order_of_its_changes() {
        let mut register = Register::default();
        let first = write(&mut register, 1, "room_count", 3);
        let mut other = register.clone();
        let second = write(&mut register, 1, "room_count", 4);
        let third = write(&mut other, 2, "room_count", 5);
        survives(&[&third, &first, &second]).unwrap();
        survives(&[]).unwrap();
    }

    #[test]
    fn a_document_with_a_missing_change_does_not_survive() {
        let mut register = Register::default();
        let _first = write(&mut register, 1, "room_count", 3);
        let second = write(&mut register, 1, "room_count", 4);
        let failure = survives(&[&second]).unwrap_err();
        assert!(matches!(failure, BeltFailure::Heads(Step::Apply)), "{failure}");
    }

    #[test]
    fn a_malformed_change_is_named_by_its_place() {
        let mut register = Register::default();
        let first = write(&mut register, 1, "room_count", 3);
        let failure = survives(&[&first, b"not a change"]).unwrap_err();
        assert!(matches!(failure, BeltFailure::Malformed { index: 1, .. }), "{failure}");
    }
}
