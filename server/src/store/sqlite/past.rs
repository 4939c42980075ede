//! Accepted changes kept in memory, parsed, and the registers that they make: judging a change needs the document
//! at its heads, and one that stands on older changes walks through the past.
//!
//! What is kept of the past is true for as long as nothing takes an accepted change out of its document. Only the
//! belt and a rebuild do that, and they [`Pasts::forget`]; another process that writes to the file is noticed by
//! SQLite's `data_version`. An accepted change that is not kept is read from the file, so new ones need no notice.
//!
//! A register is true until the next accepted change. Whoever writes one takes it out ([`Pasts::take_register`])
//! and gives back the next, all inside the one transaction that may write; when that does not commit, everything is
//! forgotten before another one begins.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ruhu_survey::change::{Change, ChangeHash, DocumentId};
use ruhu_survey::id::VillageId;
use ruhu_survey::register::{Recent, Register};

use crate::limits::CHANGES_IN_MEMORY_MAX;

/// A document of a village.
type At = (VillageId, DocumentId);

/// What is kept of one document.
#[derive(Debug, Default)]
struct Known {
    changes: BTreeMap<ChangeHash, Arc<Change>>,
    /// Whether all were read once.
    all: bool,
    /// The register at the heads.
    register: Option<Recent>,
}

impl Known {
    /// What it takes, in changes: a key of a register takes less than a change.
    fn weight(&self) -> usize {
        self.changes.len() + self.register.as_ref().map_or(0, |recent| recent.register().key_count())
    }
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
    /// The weight of the young generation.
    weight: usize,
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
        self.lock().change(at, |known| {
            known.changes.extend(changes);
            known.all |= all;
        });
    }

    /// Takes the register of a document at its heads out of memory, for the transaction that may write.
    pub(super) fn take_register(&self, at: At) -> Option<Recent> {
        let mut register = None;
        let mut generations = self.lock();
        if generations.young.contains_key(&at) || generations.old.contains_key(&at) {
            generations.change(at, |known| register = known.register.take());
        }
        register
    }

    /// Keeps the register of a document at its heads, for the transaction that may write.
    pub(super) fn keep_register(&self, at: At, register: Recent) {
        self.lock().change(at, |known| known.register = Some(register));
    }

    /// The register of a document as the transaction that may write has it just now.
    pub(super) fn peek_register(&self, at: At) -> Option<Register> {
        let mut generations = self.lock();
        generations.rejuvenate(at);
        Some(generations.young.get(&at)?.register.as_ref()?.register().clone())
    }
}

impl Generations {
    fn rejuvenate(&mut self, at: At) {
        if let Some(known) = self.old.remove(&at) {
            self.weight += known.weight();
            self.young.insert(at, known);
        }
    }

    /// Changes what is kept of one document, and lets go of the old generation when the young one is full.
    fn change(&mut self, at: At, change: impl FnOnce(&mut Known)) {
        self.rejuvenate(at);
        let known = self.young.entry(at).or_default();
        let before = known.weight();
        change(known);
        self.weight = (self.weight + known.weight()).saturating_sub(before);
        if self.weight > CHANGES_IN_MEMORY_MAX / 2 {
            let kept = self.young.remove_entry(&at);
            self.old = std::mem::take(&mut self.young);
            self.weight = kept.as_ref().map_or(0, |(_, known)| known.weight());
            self.young.extend(kept);
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
    fn a_register_is_given_out_once_until_the_next_is_kept() {
        let (pasts, mut register) = (Pasts::default(), Recent::default());
        assert_eq!(pasts.take_register(at(1)), None);
        let (hash, first) = change(1);
        register.apply(&first, hash);
        pasts.keep_register(at(1), register.clone());
        assert_eq!(pasts.peek_register(at(1)), Some(register.register().clone()));
        assert_eq!(pasts.take_register(at(1)), Some(register.clone()));
        assert_eq!(pasts.take_register(at(1)), None, "its next one is being written");
        pasts.keep_register(at(1), register);
        pasts.forget();
        assert_eq!(pasts.take_register(at(1)), None);
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
