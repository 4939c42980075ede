//! Writing a change anew (重写) after one that it stood on, or its device, was not accepted.
//!
//! The new change says the same by another actor, so what derives from operations gets another name: the
//! ids of entries and of new members, and the hashes of changes written anew before it. [`Renamed`] keeps
//! those names over one run. It ends with an entry that cites what it replaces.

use std::collections::BTreeMap;

use crate::change::{Change, ChangeHash, Put, Value};
use crate::check::{self, SubmitError};
use crate::entry::{Entry, InvalidEntry, Replaces};
use crate::register::{ChangeBuilder, derived_id};

/// What is called otherwise in the changes written anew.
#[derive(Debug, Clone, Default)]
pub struct Renamed {
    /// Ids of entries and members, the old before the new.
    pub ids: BTreeMap<String, String>,
    /// Changes, the replaced before the one in its place.
    pub changes: BTreeMap<ChangeHash, ChangeHash>,
    /// The devices whose changes are written anew, and the device that writes, as texts.
    pub devices: BTreeMap<String, String>,
}

impl Renamed {
    /// Learns what is called otherwise in a change that was written in the place of another.
    pub fn learn(&mut self, (old_hash, old): (ChangeHash, &Change), (new_hash, new): (ChangeHash, &Change)) {
        self.changes.insert(old_hash, new_hash);
        let pairs = born(old).zip(born(new));
        self.ids.extend(pairs.filter_map(|(old, new)| Some((old?, new?))));
    }

    /// A key with every id in it as it is called now.
    #[must_use]
    pub fn key(&self, key: &str) -> String {
        let parts = key.split('/').map(|part| self.ids.get(part).map_or(part, String::as_str));
        parts.collect::<Vec<_>>().join("/")
    }

    fn text(&self, text: &str) -> String {
        let now = self.ids.get(text).or_else(|| self.devices.get(text));
        now.map_or(text, String::as_str).to_owned()
    }

    fn hash(&self, text: &str) -> String {
        let found = self.changes.iter().find(|(old, _)| old.to_string() == text);
        found.map_or_else(|| text.to_owned(), |(_, new)| new.to_string())
    }

    /// Notes what the entries and members that come into being with `change` will be called in `builder`,
    /// which holds no put yet: its puts will stand in the same order.
    fn expect(&mut self, change: &Change, builder: &ChangeBuilder<'_>) {
        let mut next = builder.next_op();
        for (index, put) in change.puts.iter().enumerate() {
            let old = derived_id(change.op_id(index));
            if put.key.split('/').any(|part| part == old) {
                self.ids.insert(old, derived_id(next));
            }
            next.counter = next.counter.saturating_add(1);
        }
    }
}

/// For each put of a change, the id of the entry or member that it brought into being.
fn born(change: &Change) -> impl Iterator<Item = Option<String>> {
    change.puts.iter().enumerate().map(|(at, put)| {
        let id = derived_id(change.op_id(at));
        put.key.contains(&id).then_some(id)
    })
}

/// Why a change cannot be written anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRewritten {
    /// It holds an entry that is none.
    #[error(transparent)]
    Entry(#[from] InvalidEntry),
    /// The check was submitted meanwhile.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A private value moves to another key and does not open.
    #[error("{0} does not open with the household's key")]
    Closed(String),
}

/// Gives the bytes of a private value that stood at the first key for the second; nothing when it does not open.
pub type Reseal<'a> = dyn Fn(&str, &str, &[u8]) -> Option<Vec<u8>> + 'a;

/// What is written anew, and why.
#[derive(Debug, Clone, Copy)]
pub struct Replaced<'a> {
    /// The change that was not accepted.
    pub change: &'a Change,
    /// Its name.
    pub hash: ChangeHash,
    /// The rule by which it was not accepted.
    pub rule: &'a str,
}

impl Replaced<'_> {
    /// Puts the same keys, values, sources, reasons and entries, and cites the change. `reseal` gives the
    /// bytes of a private value that stood at the first key for the second.
    ///
    /// # Errors
    /// [`NotRewritten`]; the builder is of no use then.
    pub fn write(
        &self,
        builder: &mut ChangeBuilder<'_>,
        renamed: &mut Renamed,
        reseal: &Reseal<'_>,
    ) -> Result<(), NotRewritten> {
        renamed.expect(self.change, builder);
        for put in &self.change.puts {
            if put.key.starts_with("event/") {
                write_entry(builder, put, renamed)?;
                continue;
            }
            let key = renamed.key(&put.key);
            let value = match &put.value {
                Value::Text(text) => Value::Text(renamed.text(text)),
                Value::Bytes(sealed) if key != put.key => {
                    let moved = reseal(&put.key, &key, sealed);
                    Value::Bytes(moved.ok_or_else(|| NotRewritten::Closed(put.key.clone()))?)
                }
                other => other.clone(),
            };
            builder.put(key, value);
        }
        self.cite(builder);
        Ok(())
    }

    /// Puts only the visit that the change told of, where the rest of it broke a rule; nothing when it told
    /// of none.
    ///
    /// # Errors
    /// Never for a change that was a visit when it was written.
    pub fn write_visit(
        &self,
        builder: &mut ChangeBuilder<'_>,
        renamed: &Renamed,
    ) -> Result<(), NotRewritten> {
        let visits = |put: &&Put| matches!(Entry::from_value(&put.value), Ok(Entry::Visit(_)));
        for put in self.change.puts.iter().filter(|put| put.key.starts_with("event/")).filter(visits) {
            write_entry(builder, put, renamed)?;
        }
        if !builder.is_empty() {
            self.cite(builder);
        }
        Ok(())
    }

    fn cite(&self, builder: &mut ChangeBuilder<'_>) {
        let (change, rule) = (self.hash.to_string(), self.rule.to_owned());
        Entry::Replaces(Replaces { change, rule }).put(builder);
    }
}

/// An entry on what the builder's register holds: what it names as seen is what is to be seen there.
fn write_entry(builder: &mut ChangeBuilder<'_>, put: &Put, renamed: &Renamed) -> Result<(), NotRewritten> {
    let mut entry = Entry::from_value(&put.value)?;
    let register = builder.register();
    match &mut entry {
        Entry::Submit(submit) => {
            check::submit(builder, &submit.result)?;
            return Ok(());
        }
        Entry::Visit(visit) => {
            visit.head = renamed.hash(&visit.head);
            visit.confirmed = visit.confirmed.iter().map(|key| renamed.key(key)).collect();
            visit.confirmed.sort();
        }
        Entry::Settle(settle) => {
            *settle = crate::shown::settlement(register, &renamed.key(&settle.field), &settle.reason);
            if settle.settled.is_empty() {
                // Nothing is left of what it settled; the chosen value is put like any other.
                return Ok(());
            }
        }
        Entry::Correct(correct) => correct.field = renamed.key(&correct.field),
        Entry::Unlink(unlink) => unlink.link = renamed.text(&unlink.link),
        Entry::CloseoutRequest(request) => request.seen = crate::issue::seen(register),
        Entry::CloseoutSignoff(signoff) => signoff.seen = crate::issue::seen(register),
        Entry::Link(_)
        | Entry::Progress(_)
        | Entry::Reopen(_)
        | Entry::Extend(_)
        | Entry::Assign(_)
        | Entry::Replaces(_) => {}
    }
    entry.put(builder);
    Ok(())
}

#[cfg(test)]
mod tests;
