//! A batch's changes as columns: what their author decided, and nothing that a receiver can work out.
//!
//! Sequence numbers, operation numbers, predecessors, derived ids and hashes are left out; the receiver
//! finds the register that the author saw and writes the change anew with
//! [`ChangeBuilder`](crate::register::ChangeBuilder). Whether it is the same change, the signature over
//! the batch's root says: nothing here is believed.
//!
//! The sender [spells](spell) a batch in [`Spelling`]s, [`Tables::write`] lays them out in columns,
//! [`Tables::read`] takes them back, and [`build`] makes changes of them. The tables live as long as the
//! stream of batches. They depend on its bytes alone, so a batch that a receiver cannot build does not
//! disturb the ones after it. `schemas/wire/replay.md` is the byte table.

mod build;
mod columns;
mod read;
mod spell;
mod tables;
mod template;
mod write;

pub use build::{Built, Library, NotBuilt, build};
pub use spell::{NotSpelled, Sender, spell};
pub use tables::Tables;
pub use template::Text;

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{ActorId, DocumentId, DocumentKind};
use crate::id::DeviceId;

/// Changes of one batch: `CHANGES_PER_BATCH_MAX` of the ledger.
pub const CHANGES_MAX: usize = 100;
/// Store openings of one batch: `OPENINGS_PER_BATCH_MAX` of the ledger.
pub const OPENINGS_MAX: usize = 100;
/// Puts of all changes of one batch together; a batch of more travels raw.
pub const PUTS_MAX: usize = 65_536;
/// Bytes of keys and values of one batch once its references are expanded.
pub const EXPANDED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Changes of the past that building one batch may replay.
pub const REPLAYED_MAX: usize = 50_000;
/// Keys that a stream's tables hold.
pub const KEYS_HELD_MAX: usize = 4_096;
/// Values that a stream's tables hold, of all keys together.
pub const VALUES_HELD_MAX: usize = 8_192;
/// Values that a stream's tables hold of one key: as many as one byte can name.
pub const VALUES_PER_KEY_MAX: usize = 224;
/// Bytes of the longest text that the tables hold.
pub const HELD_BYTES_MAX: usize = 255;
/// Documents that a stream's tables hold.
pub const DOCUMENTS_HELD_MAX: usize = 16_384;
/// Chains that a stream's tables hold.
pub const CHAINS_HELD_MAX: usize = 1_024;
/// Store openings that a stream's tables hold.
pub const OPENINGS_HELD_MAX: usize = 4_096;
/// Documents of one opening whose id a sender tries to derive.
const FOUNDED_TRIED: u64 = 1_024;

/// The short name of a document: its first root in a chain of batches.
///
/// A root is a change without dependencies. The roots of a chain are counted from 0 in the order of its
/// batches, whatever their verdicts, so both sides know every name from the batches alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Whose chain in the village.
    pub device: DeviceId,
    /// The number of the root in it.
    pub number: u64,
}

/// How a document is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DocumentRef {
    /// By its whole id.
    Whole(DocumentId),
    /// By whoever founded it: its id is derived ([`founded_id`]).
    Founded {
        /// What it is about.
        kind: DocumentKind,
        /// The opening that founded it.
        actor: ActorId,
        /// Its number among those the opening founded.
        number: u64,
    },
    /// The village itself.
    Village,
    /// By a root of it.
    Named(Name),
}

/// How a dependency is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DependencyRef {
    /// The change before in this batch that is of the same document.
    Before,
    /// The beginning of its hash.
    Beginning(Vec<u8>),
}

/// A value of which a receiver may have to work out a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpelledValue {
    /// Withdrawn.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text with holes.
    Text(Text),
    /// A text as it stands.
    Literal(String),
    /// A sealed value.
    Bytes(Vec<u8>),
}

/// A put of which a receiver may have to work out a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpelledPut {
    /// The key.
    pub key: Text,
    /// The value.
    pub value: SpelledValue,
}

/// A change without all that a receiver can work out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpelledChange {
    /// Its document.
    pub document: DocumentRef,
    /// Which of the batch's openings wrote it.
    pub opening: usize,
    /// The author's clock, seconds since 1970.
    pub claimed_at: i64,
    /// What it stands on.
    pub dependencies: Vec<DependencyRef>,
    /// Its puts, in the order they were written.
    pub puts: Vec<SpelledPut>,
}

/// The changes of a batch without all that a receiver can work out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// Whose changes they are.
    pub device: DeviceId,
    /// The store openings that the actors derive from.
    pub openings: Vec<[u8; 8]>,
    /// The changes in their order.
    pub changes: Vec<SpelledChange>,
}

/// The id of a document that an opening of a store founds: the first 16 bytes of
/// SHA-256("ruhu/document/1" ‖ actor ‖ number), as a UUID of version 8 (RFC 9562).
///
/// It collides with nobody's and costs nothing on the wire.
#[must_use]
pub fn founded_id(actor: ActorId, number: u64) -> [u8; 16] {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    hash.update(b"ruhu/document/1");
    hash.update(actor.0);
    hash.update(number.to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut id = [0; 16];
    id.copy_from_slice(digest.split_at(16).0);
    uuid::Builder::from_custom_bytes(id).into_uuid().into_bytes()
}

/// The founder and the number of those of `documents`, each with the actor of its first change, whose ids derive so
/// ([`founded_id`]).
///
/// Of each actor the numbers below 16 for each of its documents here, and 256 more, are tried: it founded others,
/// which are not here.
#[must_use]
pub fn founders(
    documents: impl IntoIterator<Item = ([u8; 16], ActorId)>,
) -> BTreeMap<[u8; 16], (ActorId, u64)> {
    let mut by_actor: BTreeMap<ActorId, BTreeSet<[u8; 16]>> = BTreeMap::new();
    for (document, actor) in documents {
        by_actor.entry(actor).or_default().insert(document);
    }
    let mut found = BTreeMap::new();
    for (actor, documents) in by_actor {
        let tried = (documents.len() as u64).saturating_mul(16).saturating_add(256);
        let founded = (0..tried).map(|number| (founded_id(actor, number), (actor, number)));
        found.extend(founded.filter(|(id, _)| documents.contains(id)));
    }
    found
}

impl Spelling {
    /// The actors that the openings stand for.
    fn actors(&self) -> Vec<ActorId> {
        self.openings.iter().map(|opening| ActorId::derive(self.device, *opening)).collect()
    }
}

impl DocumentRef {
    /// What the document's keys are expected by: what both sides know of it without looking it up.
    const fn class(&self) -> u8 {
        match self {
            Self::Whole(document) => document.kind.code(),
            Self::Founded { kind, .. } => kind.code(),
            Self::Village => DocumentKind::Village.code(),
            Self::Named(_) => 0,
        }
    }
}

/// Small numbers for small steps in both directions.
const fn zigzag(step: i64) -> u64 {
    (step << 1 ^ step >> 63).cast_unsigned()
}

/// What [`zigzag`] was given.
const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_founded_document_is_told_by_its_founder_and_number() {
        let (one, other) = (ActorId([1; 16]), ActorId([2; 16]));
        let documents = [
            (founded_id(one, 3), one),
            (founded_id(other, 271), other),
            (founded_id(other, 5_000), other),
            (founded_id(one, 4), other),
            ([9; 16], one),
        ];
        let found = founders(documents);
        assert_eq!(found.get(&documents[0].0), Some(&(one, 3)));
        assert_eq!(found.get(&documents[1].0), Some(&(other, 271)));
        assert_eq!(found.len(), 2, "a number too high, somebody else's, and a random one are not told");
    }
}
