//! The promise to whoever worked with a key that ended: what was kept apart for the key alone is written anew.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_survey::change::{ChangeHash, Value, parse};

use crate::book::{Asked, Line};
use crate::node::Node;

/// Rules that keep apart what is not wrong in itself: the key's, and that of what stands on such a change.
pub const NOT_WRONG_ITSELF: [&str; 3] = ["device_revoked", "device_provisional", "depends_on_quarantined"];

/// What one device says of what was kept apart.
#[derive(Debug)]
pub struct Anew {
    /// By the change that does not count: those in its place, with their bytes.
    written: BTreeMap<ChangeHash, Vec<(ChangeHash, Vec<u8>)>>,
    /// What the device names to its person as not accepted.
    named: BTreeSet<ChangeHash>,
}

impl Anew {
    /// What a device holds and says.
    #[must_use]
    pub fn of(node: &mut Node) -> Self {
        let written = node.replica().written_anew();
        let refused = node.client().refused().unwrap_or_default();
        // One that has another in its place is no longer the person's to look at.
        let open = refused.into_iter().filter(|one| one.replaced_by.is_none());
        Self { written, named: open.map(|one| one.change).collect() }
    }

    /// What is wrong about a change that was kept apart: each value that its person asked for is to be in an
    /// accepted change in its place, or in one in the place of that, or the device still names the change.
    #[must_use]
    pub fn misses(
        &self,
        hash: ChangeHash,
        line: &Line,
        accepted: &dyn Fn(ChangeHash) -> bool,
    ) -> Option<String> {
        let (mut open, mut seen) = (vec![hash], BTreeSet::new());
        while let Some(hash) = open.pop().filter(|hash| seen.insert(*hash)) {
            if self.named.contains(&hash) {
                return None;
            }
            for (new, bytes) in self.written.get(&hash).into_iter().flatten() {
                if accepted(*new) {
                    return lacks(bytes, &line.asked);
                }
                open.push(*new);
            }
        }
        Some("was kept apart for its key alone, and was not written anew".to_owned())
    }
}

/// The first value asked for that a change does not hold. What is born with a change has another id in the
/// one in its place; the rest of the key stays.
fn lacks(bytes: &[u8], asked: &[Asked]) -> Option<String> {
    let puts = parse(bytes).map(|(change, _)| change.puts).unwrap_or_default();
    let holds = |key: &str, value: Option<&Value>| {
        puts.iter().any(|put| field(&put.key) == field(key) && value.is_none_or(|value| put.value == *value))
    };
    let missing = asked.iter().find(|(key, value)| !holds(key, value.as_ref()));
    missing.map(|(key, _)| format!("was written anew without its value of {key}"))
}

/// A key without the id of a member.
fn field(key: &str) -> (&str, &str) {
    match key.strip_prefix("member/").and_then(|rest| rest.split_once('/')) {
        Some((_, rest)) => ("member", rest),
        None => ("", key),
    }
}
