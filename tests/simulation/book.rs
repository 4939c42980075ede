//! The book: every change that anybody wrote, and every edit that a person asked for, kept outside the product.
//!
//! When a world has come to rest, each line of the book must be found where it belongs.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_survey::change::{ChangeHash, DocumentId, Value, parse};
use ruhu_survey::id::DeviceId;

/// An edit that a person asked for: the key, and the value where it is stored in clear.
pub type Asked = (String, Option<Value>);

/// What must become of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// It is live, or replaced and in the history.
    Accepted,
    /// It was written with rights that did not hold, or by a copy of a device.
    AcceptedOrKeptApart(Vec<&'static str>),
    /// A modified program wrote it: the server keeps it apart under this rule.
    Quarantined(&'static str),
    /// A modified program wrote it: it is no change that its author could have built.
    Refused,
    /// Its device's disk was lost before the server had it.
    Lost,
}

/// One change in the book.
#[derive(Debug, Clone)]
pub struct Line {
    /// Who wrote it.
    pub node: usize,
    /// What became of it must be this.
    pub expected: Expected,
    /// What a person asked for and it holds.
    pub asked: Vec<Asked>,
    /// Whether a device showed it as received.
    pub received: bool,
    /// Whether its device's disk came back without it: nobody there can write it anew.
    pub forgotten: bool,
}

/// Every change of a world.
#[derive(Debug, Default)]
pub struct Book {
    /// By document and hash.
    pub lines: BTreeMap<(DocumentId, ChangeHash), Line>,
    /// What was found missing while the world went on.
    pub violations: Vec<String>,
    /// Whether the server came back from an old backup.
    pub server_restored: bool,
    /// Devices whose store was taken back to an earlier day, or copied.
    pub parted: BTreeSet<DeviceId>,
}

impl Book {
    /// Enters what one call wrote: the changes found on the disk, and what the person had asked for. An
    /// edit that none of the changes holds is a violation.
    pub fn enter(
        &mut self,
        node: usize,
        expected: &Expected,
        found: &[(DocumentId, ChangeHash, Vec<u8>)],
        mut asked: Vec<Asked>,
    ) {
        for (document, hash, bytes) in found {
            let puts = parse(bytes).map(|(change, _)| change.puts).unwrap_or_default();
            let holds = |(key, value): &Asked| {
                puts.iter()
                    .any(|put| put.key == *key && value.as_ref().is_none_or(|value| put.value == *value))
            };
            let (held, rest) = asked.into_iter().partition(holds);
            asked = rest;
            let line =
                Line { node, expected: expected.clone(), asked: held, received: false, forgotten: false };
            self.lines.insert((*document, *hash), line);
        }
        for (key, _) in asked {
            self.violations.push(format!("node {node}: the edit of {key} is in no change of its device"));
        }
    }

    /// Enters a change that the server wrote itself.
    pub fn enter_from_elsewhere(&mut self, document: DocumentId, hash: ChangeHash, asked: Vec<Asked>) {
        let line =
            Line { node: usize::MAX, expected: Expected::Accepted, asked, received: true, forgotten: false };
        self.lines.insert((document, hash), line);
    }

    /// Notes that a device shows a change as received.
    pub fn receive(&mut self, document: DocumentId, hash: ChangeHash) {
        if let Some(line) = self.lines.get_mut(&(document, hash)) {
            line.received = true;
        }
    }

    /// Notes that a device's disk was lost: of its changes, those remain that `kept` names or that were
    /// received.
    pub fn lose(&mut self, node: usize, kept: &[(DocumentId, ChangeHash)]) {
        for (place, line) in &mut self.lines {
            if line.node == node && !kept.contains(place) {
                line.forgotten = true;
                if !line.received {
                    line.expected = Expected::Lost;
                }
            }
        }
    }

    /// How many edits of persons are in the book.
    #[must_use]
    pub fn edits(&self) -> usize {
        self.lines.values().map(|line| line.asked.len()).sum()
    }
}
