//! The disk of one node of a world: in memory, under SQLite and under the program's own files.
//!
//! A program is killed between any two operations of its disk, or the power is cut and takes what was not synced.
//! A copy is what a backup or a cloned tablet has.

#[expect(dead_code, reason = "the tests of power cuts use more of the disks than a world")]
#[path = "../disk/mod.rs"]
mod memory;

use std::path::PathBuf;
use std::sync::Arc;

use ruhu_client_core::{Files, Profile};

use self::memory::{Damage, Disk, Failure, Image};
use crate::dice::Dice;

/// The folder of a program on its disk.
const FOLDER: &str = "ruhu";

/// How a program ends with its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Only the program ends.
    Killed,
    /// The power is cut.
    PowerCut,
}

/// What a disk held at some moment.
pub struct Copy(Image);

impl std::fmt::Debug for Copy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Copy").finish_non_exhaustive()
    }
}

/// The disk of one node.
pub struct Place(Disk);

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

impl Place {
    /// An empty disk.
    #[must_use]
    pub fn empty() -> Self {
        Self(Disk::new())
    }

    /// A disk that holds a copy.
    #[must_use]
    pub fn holding(copy: &Copy) -> Self {
        Self(Disk::mount(copy.0.clone()))
    }

    /// What it holds now.
    #[must_use]
    pub fn copy(&self) -> Copy {
        Copy(self.0.image())
    }

    /// The folder that the node's program is told.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.0.path(FOLDER)
    }

    /// What the program's environment gives it to reach its files by.
    #[must_use]
    pub fn files(&self, profile: Profile) -> Arc<dyn Files> {
        self.0.files(profile)
    }

    /// Lets the program die at one of its next operations.
    pub fn doom(&self, operations: usize) {
        let at = self.0.calls() + operations as u64;
        self.0.fail_at(at, Failure::Io, true);
    }

    /// The program lives on, unless it died; whether it did.
    pub fn spare(&self) -> bool {
        self.0.mend()
    }

    /// Ends the program. Handles of before are dead; open it again.
    pub fn end(&self, end: End, dice: &mut Dice) {
        self.0.mend();
        match end {
            End::Killed => self.0.kill(),
            End::PowerCut => {
                let damage = *dice.pick(&Damage::ALL);
                self.0.cut(damage, u64::from_be_bytes(dice.bytes()));
            }
        }
    }
}
