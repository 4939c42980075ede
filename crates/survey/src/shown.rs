//! Which value of a key is shown, and which keys wait for a decision (冲突待裁定).
//!
//! Values that were written without sight of each other are all kept. One is shown, by a rule that every
//! reader uses (list, prefill, report, table, API) and that depends on no clock and no order of arrival:
//!
//! 1. more settlements: a settled value stays shown until the next settlement, or until a write that has
//!    seen it, however late an older edit arrives;
//! 2. the stronger source ([`Source`]);
//! 3. the smaller change hash, which nobody can steer to good purpose and everybody computes alike.
//!
//! Claimed time is no part of it: a clock can be set, and the later edit need not be the better one.

use crate::change::{ChangeHash, DocumentKind, Value};
use crate::entry::{Entry, Settle};
use crate::field_table::{FieldKey, Merge, Part, Source, field};
use crate::register::{ChangeBuilder, LiveOp, Register};

/// The value of a key that readers show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown<'a> {
    /// The put that wrote it.
    pub op: &'a LiveOp,
    /// Whether another, unequal value stands beside it.
    pub open: bool,
}

/// A key with unequal concurrent values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The key.
    pub key: String,
    /// The value that is shown.
    pub shown: LiveOp,
    /// The other values, ascending by op id; equal to the shown one or not.
    pub others: Vec<LiveOp>,
    /// Whether a named person is asked: not where the field table says that the rule may pick silently.
    pub asks: bool,
}

/// The value of a key that readers show, or nothing when nobody wrote it. Null is a value: withdrawn.
#[must_use]
pub fn shown<'a>(register: &'a Register, kind: DocumentKind, key: &str) -> Option<Shown<'a>> {
    let live = register.live(key);
    let op = match live {
        [only] => only,
        _ => live.iter().min_by_key(|op| rank(register, key, op))?,
    };
    let open = live.iter().any(|other| other.value != op.value) && is_value(kind, key);
    Some(Shown { op, open })
}

fn rank(register: &Register, key: &str, op: &LiveOp) -> (std::cmp::Reverse<u32>, Source, ChangeHash) {
    (std::cmp::Reverse(op.settled), source_of(register, key, op.change), op.change)
}

fn is_value(kind: DocumentKind, key: &str) -> bool {
    field(kind, key).is_some_and(|found| found.part == Part::Value && !found.field.is_entry())
}

/// Where the value that `change` wrote at `key` comes from.
#[must_use]
pub fn source_of(register: &Register, key: &str, change: ChangeHash) -> Source {
    companion(register, key, "source", change).and_then(Source::from_code).unwrap_or_default()
}

/// Why `change` wrote its value at `key`.
#[must_use]
pub fn reason_of<'a>(register: &'a Register, key: &str, change: ChangeHash) -> Option<&'a str> {
    companion(register, key, "reason", change)
}

/// The companion (`source`, `reason`, `mask`, `tag`) that `change` wrote beside its value at `key`.
///
/// Companions are read by change, never by the rule above: a shown value must not stand beside the mask
/// of another.
#[must_use]
pub fn companion<'a>(register: &'a Register, key: &str, name: &str, change: ChangeHash) -> Option<&'a str> {
    let live = register.live(&format!("{key}/{name}"));
    live.iter().find(|op| op.change == change).and_then(|op| match &op.value {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    })
}

/// Every value key of a document with its shown value, ascending by key; entries and companions are left
/// out, and so are keys that this program's field table does not know.
pub fn all_shown(register: &Register, kind: DocumentKind) -> impl Iterator<Item = (FieldKey<'_>, Shown<'_>)> {
    register.keys().filter_map(move |(key, _)| {
        let found = field(kind, key)?;
        let plain = found.part == Part::Value && !found.field.is_entry();
        Some((plain.then_some(found)?, shown(register, kind, key)?))
    })
}

/// Every key with unequal concurrent values, ascending by key.
#[must_use]
pub fn conflicts(register: &Register, kind: DocumentKind) -> Vec<Conflict> {
    let open = register.keys().filter(|(_, live)| live.len() > 1);
    open.filter_map(|(key, live)| {
        let found = field(kind, key)?;
        let shown = shown(register, kind, key).filter(|shown| shown.open)?;
        Some(Conflict {
            key: key.to_owned(),
            shown: shown.op.clone(),
            others: live.iter().filter(|op| op.id != shown.op.id).cloned().collect(),
            asks: found.field.merge != Merge::Silent,
        })
    })
    .collect()
}

/// A conflict that cannot be settled so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettleError {
    /// The key has no live value.
    #[error("{0} has no value to settle")]
    NothingThere(String),
    /// The chosen change wrote none of the values.
    #[error("{0} has no value by the chosen change")]
    NoSuchValue(String),
    /// A settlement says why.
    #[error("a settlement needs a reason")]
    NoReason,
}

/// Settles a key: puts the value that `chosen` wrote there, in the place of all, with its source, mask
/// and tag, and the entry that says so. Returns the entry's id.
///
/// # Errors
/// When the key has no value by `chosen`, or the reason is empty.
pub fn settle(
    builder: &mut ChangeBuilder<'_>,
    key: &str,
    chosen: ChangeHash,
    reason: &str,
) -> Result<String, SettleError> {
    let register = builder.register();
    let live = register.live(key);
    if live.is_empty() {
        return Err(SettleError::NothingThere(key.to_owned()));
    }
    if reason.trim().is_empty() {
        return Err(SettleError::NoReason);
    }
    let op = live.iter().find(|op| op.change == chosen);
    let op = op.ok_or_else(|| SettleError::NoSuchValue(key.to_owned()))?;
    builder.put(key, op.value.clone());
    for name in ["source", "mask", "tag"] {
        if let Some(text) = companion(register, key, name, chosen) {
            builder.put(format!("{key}/{name}"), Value::Text(text.to_owned()));
        }
    }
    if op.value == Value::Null {
        let short: String = reason.trim().chars().take(200).collect();
        builder.put(format!("{key}/reason"), Value::Text(short));
    }
    Ok(Entry::Settle(settlement(register, key, reason)).put(builder))
}

/// The settle entry of a key as it stands; the change that holds it must put the key as well.
#[must_use]
pub fn settlement(register: &Register, key: &str, reason: &str) -> Settle {
    let mut settled: Vec<String> = register.live(key).iter().map(|op| op.change.to_string()).collect();
    settled.sort();
    settled.dedup();
    Settle { field: key.to_owned(), settled, reason: reason.trim().to_owned() }
}

#[cfg(test)]
pub(crate) mod kit;

#[cfg(test)]
mod tests;
