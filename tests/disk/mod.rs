//! Disks in memory for whole devices and servers, with the power in the test's hand.
//!
//! A [`Disk`] stands under SQLite (as the process's default VFS) and under the few file operations that are not
//! SQLite's ([`ruhu_client_core::Files`]), so a store that is opened by a path of [`Disk::path`] lives on it with
//! no hook in the product. What was written and not yet synced is kept apart from what is durable:
//!
//! - [`Disk::kill`] ends the processes that use the disk. The machine runs on, so all they wrote is there when
//!   the store is opened again.
//! - [`Disk::cut`] is a power cut. Unsynced writes are lost, kept, or torn at sectors, in any combination, and so
//!   are files made, renamed and removed; the seed decides.
//! - [`Disk::fail_at`] makes the n-th call fail with an I/O error or a full disk.
//! - A [`Tape`] records every operation, so that one run of a session gives the disk at each of its moments.
//!
//! Any number of disks are independent in one process, as are the machines of a simulated world: one for each
//! device and one for the server. Handles of before a kill or a cut fail for ever; open the same path again.
//! A sync costs nothing here. A program that wants to use disks calls [`install`] first, or makes a [`Disk`].

mod files;
mod image;
mod live;
mod lock;
mod tape;
mod vfs;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use ruhu_client_core::{Files, Profile};
use ruhu_sample::Random;

pub(crate) use image::{Damage, Image};
pub(crate) use live::Failure;
pub(crate) use tape::Tape;

use files::DiskFiles;
use live::Live;

/// Paths below here lie on a disk in memory.
const ROOT: &str = "/ruhu-disk/";

static DISKS: Mutex<BTreeMap<u64, Shared>> = Mutex::new(BTreeMap::new());

type Shared = Arc<Mutex<Live>>;

/// Makes the disks the process's default file system for SQLite. From then on SQLite opens nothing else.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| sqlite_vfs::register("ruhu-disk", vfs::Disks, true).unwrap());
}

/// The disk of one machine; it goes away with this value.
pub(crate) struct Disk {
    number: u64,
    live: Shared,
}

impl Disk {
    /// An empty disk.
    pub(crate) fn new() -> Self {
        Self::mount(Image::default())
    }

    /// A disk that holds this.
    pub(crate) fn mount(image: Image) -> Self {
        install();
        let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        let number = disks.last_key_value().map_or(1, |(number, _)| number + 1);
        let live = Arc::new(Mutex::new(Live::new(image)));
        disks.insert(number, Arc::clone(&live));
        Self { number, live }
    }

    /// The path of a file or folder on this disk.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("{ROOT}{}/{name}", self.number))
    }

    /// What an [`Environment`](ruhu_client_core::Environment) gives a device that lives on this disk. The profile
    /// decides which journal SQLite keeps: a native app's write-ahead log, or a browser's rollback journal.
    pub(crate) fn files(&self, profile: Profile) -> Arc<dyn Files> {
        Arc::new(DiskFiles { live: Arc::clone(&self.live), profile })
    }

    /// Records every operation from now on.
    pub(crate) fn record(&self, tape: &Tape) {
        self.live().tape = Some(tape.track());
    }

    /// What is on the disk now, with what is not yet durable.
    pub(crate) fn image(&self) -> Image {
        self.live().image.clone()
    }

    /// Ends every process that uses the disk; what they wrote stays.
    pub(crate) fn kill(&self) {
        let mut live = self.live();
        let image = live.image.clone();
        live.restart(image);
    }

    /// Cuts the power.
    pub(crate) fn cut(&self, damage: Damage, seed: u64) {
        let mut live = self.live();
        let image = live.image.cut(damage, &mut Random::new(seed));
        live.restart(image);
    }

    /// How many calls were made so far.
    pub(crate) fn calls(&self) -> u64 {
        self.live().calls
    }

    /// Makes the call with this number fail, counted as [`Disk::calls`] does; a full disk fails the first call
    /// from there on that needs room. With `lasting`, every such call after it fails too.
    pub(crate) fn fail_at(&self, call: u64, failure: Failure, lasting: bool) {
        self.live().fail_at(call, failure, lasting);
    }

    /// No call fails any more. Whether one did.
    pub(crate) fn mend(&self) -> bool {
        self.live().mend()
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        DISKS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

/// The disk that a path lies on, and the file's name there.
fn locate(path: &str) -> Option<(Shared, &str)> {
    let (number, name) = path.strip_prefix(ROOT)?.split_once('/')?;
    let disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    Some((Arc::clone(disks.get(&number.parse().ok()?)?), name))
}

/// A file's name on its disk.
fn name_of(path: &str) -> &str {
    path.strip_prefix(ROOT).and_then(|rest| rest.split_once('/')).map_or(path, |(_, name)| name)
}
