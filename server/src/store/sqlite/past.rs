//! Accepted changes kept in memory, parsed: judging a change that stands on older ones walks through the past.
//!
//! What is kept is true for as long as nothing takes an accepted change out of its document. Only the belt and a
//! rebuild do that, and they [`Pasts::forget`]; another process that writes to the file is noticed by SQLite's
//! `data_version`. An accepted change that is not kept is read from the file, so new ones need no notice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ruhu_survey::change::{Change, ChangeHash, DocumentId};
use ruhu_survey::id::VillageId;

use crate::limits::CHANGES_IN_MEMORY_MAX;

/// A document of a village.
type At = (VillageId, DocumentId);

/// What is kept of one document.
#[derive(Debug, Default)]
struct Known {
    changes: BTreeMap<ChangeHash, Arc<Change>>,
    /// Whether all were read once.
    all: bool,
}

/// What is kept of a change that was asked for.
#[derive(Debug)]
pub(super) enum Looked {
    /// The change.
    Found(Arc<Change>),
    /// Nothing was read of its document yet.
    Unread,
    /// Others were read of its document, but not all.
    Partly,
    /// All were read once, and it was not among them.
    Newer,
}

/// The documents whose past was walked through lately, in two generations.
#[derive(Debug, Default)]
struct Generations {
    young: BTreeMap<At, Known>,
    old: BTreeMap<At, Known>,
    /// Changes in the young generation.
    count: usize,
    /// `data_version` of the file when the last transaction began.
    version: i64,
}

/// The parsed accepted changes of some documents, at most [`CHANGES_IN_MEMORY_MAX`] or one document's.
#[derive(Debug, Default)]
pub(super) struct Pasts(Mutex<Generations>);

impl Pasts {
    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything unless `version`, the file's `data_version`, is the one seen last.
    pub(super) fn at_version(&self, version: i64) {
        let mut generations = self.lock();
        if generations.version != version {
            *generations = Generations { version, ..Generations::default() };
        }
    }

    /// Forgets everything: an accepted change was taken out of its document.
    pub(super) fn forget(&self) {
        let mut generations = self.lock();
        *generations = Generations { version: generations.version, ..Generations::default() };
    }

    pub(super) fn look(&self, at: At, hash: &ChangeHash) -> Looked {
        let mut generations = self.lock();
        generations.rejuvenate(at);
        match generations.young.get(&at) {
            None => Looked::Unread,
            Some(known) => match known.changes.get(hash) {
                Some(change) => Looked::Found(Arc::clone(change)),
                None if known.all => Looked::Newer,
                None => Looked::Partly,
            },
        }
    }

    /// Keeps changes of a document; `all` when they are all that it has.
    pub(super) fn keep(&self, at: At, changes: impl Iterator<Item = (ChangeHash, Arc<Change>)>, all: bool) {
        let mut generations = self.lock();
        generations.rejuvenate(at);
        let known = generations.young.entry(at).or_default();
        let before = known.changes.len();
        known.changes.extend(changes);
        known.all |= all;
        let more = known.changes.len().saturating_sub(before);
        generations.count += more;
        if generations.count > CHANGES_IN_MEMORY_MAX / 2 {
            let kept = generations.young.remove_entry(&at);
            generations.old = std::mem::take(&mut generations.young);
            generations.count = kept.as_ref().map_or(0, |(_, known)| known.changes.len());
            generations.young.extend(kept);
        }
    }
}

impl Generations {
    fn rejuvenate(&mut self, at: At) {
        if let Some(known) = self.old.remove(&at) {
            self.count += known.changes.len();
            self.young.insert(at, known);
        }
    }
}

#[cfg(test)]
mod tests {
    use ruhu_survey::change::ActorId;
    use ruhu_survey::id::HouseholdId;

    use super::*;

    fn at(index: usize) -> At {
        let household = HouseholdId::v7(index as u64, [0; 10]);
        (VillageId::from_bytes([1; 16]), household.into())
    }

    fn change(index: u8) -> (ChangeHash, Arc<Change>) {
        let change = Change {
            dependencies: Vec::new(),
            actor: ActorId([index; 16]),
            sequence: 1,
            start_op: 1,
            claimed_at: 0,
            puts: Vec::new(),
        };
        (ChangeHash([index; 32]), Arc::new(change))
    }

    #[test]
    fn what_was_kept_is_found_and_what_was_not_is_said_to_be_unread_partly_or_newer() {
        let pasts = Pasts::default();
        let (first, second) = (change(1), change(2));
        assert!(matches!(pasts.look(at(1), &first.0), Looked::Unread));
        pasts.keep(at(1), [first.clone()].into_iter(), false);
        assert!(matches!(pasts.look(at(1), &first.0), Looked::Found(found) if found == first.1));
        assert!(matches!(pasts.look(at(1), &second.0), Looked::Partly));
        pasts.keep(at(1), [first].into_iter(), true);
        assert!(matches!(pasts.look(at(1), &second.0), Looked::Newer));
    }

    #[test]
    fn another_version_of_the_file_or_a_quarantine_forgets_everything() {
        let pasts = Pasts::default();
        let first = change(1);
        for forget in [&(|pasts: &Pasts| pasts.at_version(9)) as &dyn Fn(&Pasts), &Pasts::forget] {
            pasts.keep(at(1), [first.clone()].into_iter(), true);
            let version = pasts.lock().version;
            pasts.at_version(version);
            assert!(matches!(pasts.look(at(1), &first.0), Looked::Found(_)));
            forget(&pasts);
            assert!(matches!(pasts.look(at(1), &first.0), Looked::Unread));
        }
    }

    #[test]
    fn no_more_is_kept_than_the_limit_and_what_is_used_stays() {
        let pasts = Pasts::default();
        let used = change(1);
        for index in 0..CHANGES_IN_MEMORY_MAX {
            pasts.keep(at(index), [change(2)].into_iter(), true);
            pasts.keep(at(usize::MAX), [used.clone()].into_iter(), true);
        }
        let generations = pasts.lock();
        let kept: usize = generations.young.len() + generations.old.len();
        assert!(kept <= CHANGES_IN_MEMORY_MAX, "{kept}");
        assert!(generations.young.contains_key(&at(usize::MAX)));
        assert!(!generations.young.contains_key(&at(0)) && !generations.old.contains_key(&at(0)));
    }
}
