//! What both sides of a stream of batches remember: keys, values, documents, chains and openings named
//! before, so that each is spelled out once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    CHAINS_HELD_MAX, DOCUMENTS_HELD_MAX, DocumentRef, HELD_BYTES_MAX, KEYS_HELD_MAX, OPENINGS_HELD_MAX,
    VALUES_HELD_MAX, VALUES_PER_KEY_MAX,
};
use crate::id::DeviceId;

/// The memory of one stream.
///
/// It depends on nothing but what was written or read, in order, so sender and receiver agree.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    keys: Vec<Key>,
    key_places: BTreeMap<Arc<str>, usize>,
    /// Which key came after which, the last time; before the first of a change, nothing.
    next: BTreeMap<(u8, Option<usize>), usize>,
    values: usize,
    documents: Vec<DocumentRef>,
    document_places: BTreeMap<DocumentRef, usize>,
    chains: Vec<DeviceId>,
    openings: Vec<[u8; 8]>,
    /// The number of the document founded last.
    pub(super) founded: u64,
    /// The time of the change before.
    pub(super) claimed_at: i64,
}

/// One key of the tables.
#[derive(Debug, Clone)]
struct Key {
    text: Arc<str>,
    /// The most frequent first.
    values: Vec<(HeldValue, u32)>,
}

/// A value that the tables hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HeldValue {
    Int(i64),
    Text(Arc<str>),
}

impl Tables {
    /// The tables at the beginning of a stream whose first chain is that of `device`.
    #[must_use]
    pub fn new(device: DeviceId) -> Self {
        Self { chains: vec![device], ..Self::default() }
    }

    /// The tables of a new stream that begins with the keys and values of this one.
    #[must_use]
    pub fn primed(&self, device: DeviceId) -> Self {
        let Self { keys, key_places, next, values, .. } = self.clone();
        Self { keys, key_places, next, values, ..Self::new(device) }
    }

    pub(super) fn key(&self, place: usize) -> Option<&Arc<str>> {
        self.keys.get(place).map(|key| &key.text)
    }

    pub(super) fn key_place(&self, text: &str) -> Option<usize> {
        self.key_places.get(text).copied()
    }

    /// The place of a key, new or not; nothing when the tables are full.
    pub(super) fn keep_key(&mut self, text: &Arc<str>) -> Option<usize> {
        if let Some(place) = self.key_place(text) {
            return Some(place);
        }
        if self.keys.len() >= KEYS_HELD_MAX || text.len() > HELD_BYTES_MAX {
            return None;
        }
        self.keys.push(Key { text: Arc::clone(text), values: Vec::new() });
        self.key_places.insert(Arc::clone(text), self.keys.len() - 1);
        Some(self.keys.len() - 1)
    }

    /// The key that came after `before` the last time.
    pub(super) fn expected(&self, class: u8, before: Option<usize>) -> Option<usize> {
        self.next.get(&(class, before)).copied()
    }

    /// Takes note that `key` came after `before`.
    pub(super) fn follow(&mut self, class: u8, before: Option<usize>, key: Option<usize>) {
        if let Some(key) = key {
            self.next.insert((class, before), key);
        }
    }

    pub(super) fn value(&self, key: Option<usize>, rank: usize) -> Option<&HeldValue> {
        self.keys.get(key?)?.values.get(rank).map(|(value, _)| value)
    }

    pub(super) fn value_rank(&self, key: Option<usize>, value: &HeldValue) -> Option<usize> {
        self.keys.get(key?)?.values.iter().position(|(held, _)| held == value)
    }

    /// Counts a value that is held, and moves it before those that were less frequent.
    pub(super) fn count_value(&mut self, key: Option<usize>, rank: usize) {
        let Some(values) = key.and_then(|key| self.keys.get_mut(key)).map(|key| &mut key.values) else {
            return;
        };
        let Some((_, count)) = values.get_mut(rank) else { return };
        *count = count.saturating_add(1);
        let count = *count;
        let before = values.get(..rank).unwrap_or_default();
        let first = before.partition_point(|(_, other)| *other >= count);
        if let Some(moved) = values.get_mut(first..=rank) {
            moved.rotate_right(1);
        }
    }

    /// Keeps a new value, in the place of the least frequent one where a key has no room.
    pub(super) fn keep_value(&mut self, key: Option<usize>, value: HeldValue) {
        let long = matches!(&value, HeldValue::Text(text) if text.len() > HELD_BYTES_MAX);
        let Some(key) = key.and_then(|key| self.keys.get_mut(key)) else { return };
        if long {
            return;
        }
        if key.values.len() >= VALUES_PER_KEY_MAX {
            key.values.pop();
        } else if self.values >= VALUES_HELD_MAX {
            return;
        } else {
            self.values += 1;
        }
        key.values.push((value, 1));
    }

    pub(super) fn document(&self, place: usize) -> Option<DocumentRef> {
        self.documents.get(place).copied()
    }

    pub(super) fn document_place(&self, document: &DocumentRef) -> Option<usize> {
        self.document_places.get(document).copied()
    }

    pub(super) fn keep_document(&mut self, document: DocumentRef) {
        if self.documents.len() < DOCUMENTS_HELD_MAX && !self.document_places.contains_key(&document) {
            self.document_places.insert(document, self.documents.len());
            self.documents.push(document);
        }
    }

    /// The chain at a place.
    #[must_use]
    pub fn chain(&self, place: usize) -> Option<DeviceId> {
        self.chains.get(place).copied()
    }

    /// How many chains are held.
    #[must_use]
    pub fn chain_count(&self) -> usize {
        self.chains.len()
    }

    /// Where a chain is; one above all when it is new.
    #[must_use]
    pub fn chain_place(&self, device: DeviceId) -> usize {
        self.chains.iter().position(|known| *known == device).unwrap_or(self.chains.len())
    }

    /// Keeps a chain that was not named before; `false` when there is no room.
    pub fn keep_chain(&mut self, device: DeviceId) -> bool {
        let room = self.chains.len() < CHAINS_HELD_MAX;
        if room {
            self.chains.push(device);
        }
        room
    }

    pub(super) fn opening(&self, place: usize) -> Option<[u8; 8]> {
        self.openings.get(place).copied()
    }

    pub(super) fn opening_place(&self, opening: [u8; 8]) -> Option<usize> {
        self.openings.iter().position(|known| *known == opening)
    }

    pub(super) fn keep_opening(&mut self, opening: [u8; 8]) {
        if self.openings.len() < OPENINGS_HELD_MAX {
            self.openings.push(opening);
        }
    }
}
