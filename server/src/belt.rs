//! The belt: Automerge shows that it can load what the gate let through, before anybody is given it.
//!
//! A receipt does not wait for the belt; a relay and a read do. A document that fails goes back to its
//! last good change, and the change that broke it goes into quarantine by a signed decision. What is
//! pending is kept in the store, so a process that ends on the way begins again where it was.

use ruhu_ledger::signature::SecretKey;
use ruhu_survey::belt;
use ruhu_survey::change::{ChangeHash, DocumentId};
use ruhu_survey::id::VillageId;

use crate::store::{LedgerStore, StoreError};

/// Whether the changes of one document load; [`ruhu_survey::belt::survives`] outside of tests.
pub type Survives<'a> = &'a dyn Fn(&[&[u8]]) -> bool;

/// A document whose newest changes were not yet shown to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its village.
    pub village: VillageId,
    /// The document.
    pub document: DocumentId,
    /// Its accepted changes, in the order they were accepted.
    pub changes: Vec<(ChangeHash, Vec<u8>)>,
    /// How many of them were shown to load before.
    pub good: usize,
    /// The feed number up to which `changes` reaches.
    pub through: u64,
}

/// What the belt found about one pending document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its village.
    pub village: VillageId,
    /// The document.
    pub document: DocumentId,
    /// The feed number that the finding reaches.
    pub through: u64,
    /// The changes that do not load; empty when all is well.
    pub offenders: Vec<ChangeHash>,
}

/// What one settling did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Documents shown to load.
    pub documents: usize,
    /// Changes put into quarantine.
    pub quarantined: usize,
}

/// Puts every pending document through the belt, until none is pending.
///
/// # Errors
/// When the store fails; what was settled before stays settled.
pub fn settle_belt(store: &dyn LedgerStore, now_ms: i64, key: &SecretKey) -> Result<Settled, StoreError> {
    settle_belt_with(store, now_ms, key, &|changes| belt::survives(changes).is_ok())
}

/// As [`settle_belt`], with another judge.
///
/// # Errors
/// As [`settle_belt`].
pub fn settle_belt_with(
    store: &dyn LedgerStore,
    now_ms: i64,
    key: &SecretKey,
    survives: Survives<'_>,
) -> Result<Settled, StoreError> {
    let mut settled = Settled::default();
    loop {
        let pending = store.belt_pending()?;
        if pending.is_empty() {
            return Ok(settled);
        }
        let found: Vec<Found> = pending.iter().map(|one| examine(one, survives)).collect();
        settled.documents += found.len();
        settled.quarantined += store.belt_settle(&found, now_ms, key)?;
    }
}

/// Finds the changes of one document that do not load.
#[must_use]
pub fn examine(pending: &Pending, survives: Survives<'_>) -> Found {
    let Pending { village, document, through, .. } = *pending;
    let all: Vec<&[u8]> = pending.changes.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    let offenders = if survives(&all) { Vec::new() } else { offenders(pending, survives) };
    Found { village, document, through, offenders }
}

/// Adds change after change to what loaded before, leaving out each that breaks it.
fn offenders(pending: &Pending, survives: Survives<'_>) -> Vec<ChangeHash> {
    let (before, new) = pending.changes.split_at(pending.good.min(pending.changes.len()));
    let mut good: Vec<&[u8]> = before.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    let mut offenders = Vec::new();
    for (hash, bytes) in new {
        good.push(bytes);
        if !survives(&good) {
            good.pop();
            offenders.push(*hash);
        }
    }
    offenders
}
