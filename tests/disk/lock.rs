//! Who holds which lock of a file, and the shared memory of its write-ahead log.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sqlite_vfs::LockKind;
use sqlite_vfs::wip::WalIndexLock;

/// The size of one region of the shared memory, as SQLite maps it.
pub(super) const REGION: usize = 32_768;
const WORD: usize = 4;

/// The locks of one file. All of it is memory: nothing outlives the processes.
#[derive(Default)]
pub(super) struct FileLocks {
    held: BTreeMap<u64, LockKind>,
    slots: BTreeMap<u8, Slot>,
    regions: BTreeMap<u32, Box<[u8; REGION]>>,
}

#[derive(Default)]
struct Slot {
    exclusive: Option<u64>,
    shared: BTreeSet<u64>,
}

impl FileLocks {
    /// The lock a handle holds.
    pub(super) fn of(&self, handle: u64) -> LockKind {
        self.held.get(&handle).copied().unwrap_or_default()
    }

    /// Whether anybody means to write.
    pub(super) fn reserved(&self) -> bool {
        self.held.values().any(|lock| *lock >= LockKind::Reserved)
    }

    /// Raises a handle's lock, if the others let it.
    pub(super) fn raise(&mut self, handle: u64, wanted: LockKind) -> bool {
        let held = self.of(handle);
        if wanted <= held {
            return true;
        }
        let others = || self.held.iter().filter(|(other, _)| **other != handle).map(|(_, lock)| *lock);
        let allowed = match wanted {
            LockKind::None | LockKind::Shared => others().all(|lock| lock < LockKind::Pending),
            LockKind::Reserved => others().all(|lock| lock < LockKind::Reserved),
            LockKind::Pending | LockKind::Exclusive => others().all(|lock| lock == LockKind::None),
        };
        let waits = wanted == LockKind::Exclusive && others().all(|lock| lock <= LockKind::Shared);
        if allowed {
            self.held.insert(handle, wanted);
        } else if waits {
            // Keeps new readers out until those inside have gone.
            self.held.insert(handle, LockKind::Pending);
        }
        allowed
    }

    /// Lowers a handle's lock.
    pub(super) fn lower(&mut self, handle: u64, lock: LockKind) {
        if lock < self.of(handle) {
            self.held.insert(handle, lock);
        }
    }

    /// A handle is gone. Whether any other is left.
    pub(super) fn leave(&mut self, handle: u64) -> bool {
        self.held.remove(&handle);
        self.unlock_slots(handle, 0..u8::MAX);
        !self.held.is_empty()
    }

    /// A handle is there, without a lock.
    pub(super) fn enter(&mut self, handle: u64) {
        self.held.insert(handle, LockKind::None);
    }

    /// Locks or unlocks slots of the shared memory, all or none.
    pub(super) fn slots(&mut self, handle: u64, slots: Range<u8>, lock: WalIndexLock) -> bool {
        let free = |slot: &Slot| match lock {
            WalIndexLock::None => true,
            WalIndexLock::Shared => slot.exclusive.is_none_or(|holder| holder == handle),
            WalIndexLock::Exclusive => {
                slot.exclusive.is_none_or(|holder| holder == handle)
                    && slot.shared.iter().all(|holder| *holder == handle)
            }
        };
        if !slots.clone().all(|slot| self.slots.get(&slot).is_none_or(free)) {
            return false;
        }
        self.unlock_slots(handle, slots.clone());
        for slot in slots.clone() {
            let slot = self.slots.entry(slot).or_default();
            match lock {
                WalIndexLock::None => {}
                WalIndexLock::Shared => drop(slot.shared.insert(handle)),
                WalIndexLock::Exclusive => slot.exclusive = Some(handle),
            }
        }
        true
    }

    fn unlock_slots(&mut self, handle: u64, slots: Range<u8>) {
        for (_, slot) in self.slots.range_mut(slots) {
            slot.shared.remove(&handle);
            slot.exclusive = slot.exclusive.filter(|holder| *holder != handle);
        }
    }

    /// A region of the shared memory as it is now.
    pub(super) fn region(&mut self, number: u32) -> &[u8; REGION] {
        self.regions.entry(number).or_insert_with(|| Box::new([0; REGION]))
    }

    /// Takes over the words that a handle changed in its copy of a region since it took the copy. The others may
    /// have been changed by somebody else meanwhile: each word is written under a lock of its own.
    pub(super) fn merge(&mut self, number: u32, taken: &[u8; REGION], changed: &[u8; REGION]) {
        let region = self.regions.entry(number).or_insert_with(|| Box::new([0; REGION]));
        let words =
            region.chunks_exact_mut(WORD).zip(taken.chunks_exact(WORD)).zip(changed.chunks_exact(WORD));
        for ((now, taken), changed) in words {
            if taken != changed {
                now.copy_from_slice(changed);
            }
        }
    }

    /// The shared memory is given up.
    pub(super) fn forget_regions(&mut self) {
        self.regions.clear();
    }
}
