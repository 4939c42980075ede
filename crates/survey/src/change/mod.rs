//! A flat change: what one person wrote into one document at one moment.
//!
//! A document is one map from path keys to scalar values. A change is a list of puts into it, named by
//! the SHA-256 hash of its bytes, in the format that Automerge stores
//! (<https://automerge.org/automerge-binary-format-spec/>). A change is a pure function of the fields
//! of [`Change`], so a receiver can rebuild it and compare bytes: that is the admission gate.

mod columns;
mod encode;
mod leb;
mod parse;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use encode::{Encoded, encode};
pub use parse::{Malformed, actor_of, parse};

use crate::id::{CheckId, DeviceId, HouseholdId, IssueId, VillageId};

/// The SHA-256 hash that names a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeHash(pub [u8; 32]);

/// One opening of one device's store: no two devices, and no two openings, share one.
///
/// The first 16 bytes of SHA-256("ruhu/actor/1" ‖ device id ‖ opening), where the opening is 8 random
/// bytes drawn when the store is opened. A restored or cloned phone therefore cannot collide with itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(pub [u8; 16]);

impl ActorId {
    /// The actor of a device's store opening.
    #[must_use]
    pub fn derive(device: DeviceId, opening: [u8; 8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"ruhu/actor/1");
        hash.update(device.as_bytes());
        hash.update(opening);
        let digest: [u8; 32] = hash.finalize().into();
        let mut actor = [0; 16];
        actor.copy_from_slice(digest.split_at(16).0);
        Self(actor)
    }
}

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// The register of one household (建档立卡户籍资料).
    Household,
    /// One visit (入户排查).
    Check,
    /// One issue (问题).
    Issue,
    /// A village: meetings, notices, attendance.
    Village,
}

impl DocumentKind {
    /// The byte that stands for the kind in every binary format.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Household => 1,
            Self::Check => 2,
            Self::Issue => 3,
            Self::Village => 4,
        }
    }

    /// The kind that a byte stands for.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Household),
            2 => Some(Self::Check),
            3 => Some(Self::Issue),
            4 => Some(Self::Village),
            _ => None,
        }
    }

    /// The name in file names, messages and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Household => "household",
            Self::Check => "check",
            Self::Issue => "issue",
            Self::Village => "village",
        }
    }
}

/// A document inside its village; the pair (village, document id) names it everywhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId {
    /// What it is about.
    pub kind: DocumentKind,
    /// The household's, check's, issue's or village's own id.
    pub id: [u8; 16],
}

impl From<HouseholdId> for DocumentId {
    fn from(id: HouseholdId) -> Self {
        Self { kind: DocumentKind::Household, id: *id.as_bytes() }
    }
}

impl From<CheckId> for DocumentId {
    fn from(id: CheckId) -> Self {
        Self { kind: DocumentKind::Check, id: *id.as_bytes() }
    }
}

impl From<IssueId> for DocumentId {
    fn from(id: IssueId) -> Self {
        Self { kind: DocumentKind::Issue, id: *id.as_bytes() }
    }
}

impl From<VillageId> for DocumentId {
    fn from(id: VillageId) -> Self {
        Self { kind: DocumentKind::Village, id: *id.as_bytes() }
    }
}

/// A value of a key. Money is integer fen, area integer hundredths, dates are `YYYY-MM-DD` texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Withdrawn: there was a value and it holds no longer.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number, in the unit that the field table states.
    Int(i64),
    /// A text, a code, a date, or (beginning with `~`) an answer state such as `~refused`.
    Text(String),
    /// A sealed private value.
    Bytes(Vec<u8>),
}

/// Names one put: its actor, and its number among all operations of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId {
    /// One above the highest number the author had seen, and so on for each put of a change.
    pub counter: u64,
    /// Who wrote it.
    pub actor: ActorId,
}

/// One key set to one value, in the place of every value its author could see there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The path key, such as `member/7k3q/relation_to_head`.
    pub key: String,
    /// The new value.
    pub value: Value,
    /// The puts it takes the place of, ascending.
    pub predecessors: Vec<OpId>,
}

/// One change of one document, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The changes it stands on: the heads the author saw, and the actor's own last change; ascending.
    pub dependencies: Vec<ChangeHash>,
    /// The store opening that wrote it.
    pub actor: ActorId,
    /// Its number among the actor's changes of this document, from 1.
    pub sequence: u64,
    /// The counter of its first put.
    pub start_op: u64,
    /// The author's clock, seconds since 1970. A claim.
    pub claimed_at: i64,
    /// The puts, each key once, in the order they were written.
    pub puts: Vec<Put>,
}

impl Change {
    /// The id of the put at `index`.
    #[must_use]
    pub fn op_id(&self, index: usize) -> OpId {
        OpId { counter: self.start_op + index as u64, actor: self.actor }
    }

    /// The counter of the last put.
    #[must_use]
    pub fn max_op(&self) -> u64 {
        self.start_op + (self.puts.len() as u64).saturating_sub(1)
    }
}

/// A text that is not a change hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a change hash: expected 64 lower-case hexadecimal digits")]
pub struct InvalidHash(String);

impl std::str::FromStr for ChangeHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok();
        let hash = bytes.and_then(|bytes| bytes.try_into().ok());
        hash.map(Self).ok_or_else(|| InvalidHash(text.to_owned()))
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for ChangeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for ChangeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(self.0.split_at(8).0, f)
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(self.0.split_at(4).0, f)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), uuid::Uuid::from_bytes(self.id))
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
