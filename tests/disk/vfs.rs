//! The disks as SQLite sees them.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use sqlite_vfs::wip::{WalIndex, WalIndexLock};
use sqlite_vfs::{DatabaseHandle, LockKind, OpenAccess, OpenKind, OpenOptions, Vfs};

use super::image::{FileId, Op};
use super::live::{Call, Live};
use super::lock::REGION;
use super::{Shared, locate};

/// All disks of the process.
pub(super) struct Disks;

impl Vfs for Disks {
    type Handle = Handle;

    fn open(&self, path: &str, options: OpenOptions) -> io::Result<Handle> {
        let (shared, name) = locate(path).ok_or(ErrorKind::NotFound)?;
        let mut live = lock(&shared);
        live.call(Call::Plain)?;
        let file = match (live.image.file(name), options.access) {
            (Some(_), OpenAccess::CreateNew) => return Err(ErrorKind::AlreadyExists.into()),
            (Some(file), _) => file,
            (None, OpenAccess::Create | OpenAccess::CreateNew) => {
                live.call(Call::NeedsRoom).map_err(full)?;
                let journal = matches!(options.kind, OpenKind::MainJournal | OpenKind::Wal);
                live.create(name, journal)
            }
            (None, OpenAccess::Read | OpenAccess::Write) => return Err(ErrorKind::NotFound.into()),
        };
        let (handle, life) = (live.handle(), live.life);
        live.locks.entry(file).or_default().enter(handle);
        drop(live);
        Ok(Handle { place: Place { shared, file, handle, life } })
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        let (shared, name) = locate(path).ok_or(ErrorKind::NotFound)?;
        let mut live = lock(&shared);
        live.call(Call::Plain)?;
        live.image.file(name).ok_or(ErrorKind::NotFound)?;
        live.act(Op::Remove { name: name.to_owned() });
        Ok(())
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        let Some((shared, name)) = locate(path) else { return Ok(false) };
        let mut live = lock(&shared);
        live.call(Call::Plain)?;
        Ok(live.image.file(name).is_some())
    }

    /// Temporary files are kept in memory by every connection of ours; this lies on no disk.
    fn temporary_name(&self) -> String {
        "no-temporary-files".to_owned()
    }

    fn random(&self, buffer: &mut [i8]) {
        buffer.fill(0);
    }

    fn sleep(&self, duration: Duration) -> Duration {
        // One thread waits for another's lock, in real time.
        std::thread::sleep(duration);
        duration
    }
}

/// One opening of a file.
#[derive(Clone)]
struct Place {
    shared: Shared,
    file: FileId,
    handle: u64,
    life: u64,
}

impl Place {
    /// The disk, while the process that opened the file lives, and the call counted.
    fn call(&self, call: Call) -> io::Result<MutexGuard<'_, Live>> {
        let mut live = lock(&self.shared);
        if live.life != self.life {
            return Err(io::Error::other("the process that opened this file is gone"));
        }
        live.call(call)?;
        Ok(live)
    }
}

/// An open file.
pub(super) struct Handle {
    place: Place,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut live = lock(&self.place.shared);
        if live.life == self.place.life {
            let locks = live.locks.entry(self.place.file).or_default();
            if !locks.leave(self.place.handle) {
                live.locks.remove(&self.place.file);
            }
        }
    }
}

impl DatabaseHandle for Handle {
    type WalIndex = Index;

    fn size(&self) -> io::Result<u64> {
        let live = self.place.call(Call::Plain)?;
        Ok(live.image.bytes(self.place.file).len() as u64)
    }

    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let live = self.place.call(Call::Plain)?;
        let bytes = live.image.bytes(self.place.file);
        let from = index(offset).min(bytes.len());
        let there = (bytes.len() - from).min(buffer.len());
        buffer[..there].copy_from_slice(&bytes[from..from + there]);
        buffer[there..].fill(0);
        if there == buffer.len() { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut live = self.place.call(Call::NeedsRoom).map_err(full)?;
        live.write(self.place.file, index(offset), bytes);
        Ok(())
    }

    fn sync(&mut self, _: bool) -> io::Result<()> {
        let mut live = self.place.call(Call::Plain)?;
        live.act(Op::Sync { file: self.place.file });
        Ok(())
    }

    /// A longer length is a hint of what will be written, and not followed: so does SQLite's own file system.
    fn set_len(&mut self, length: u64) -> io::Result<()> {
        let mut live = self.place.call(Call::Plain)?;
        let length = index(length);
        if length < live.image.bytes(self.place.file).len() {
            live.act(Op::Truncate { file: self.place.file, length });
        }
        Ok(())
    }

    fn lock(&mut self, wanted: LockKind) -> io::Result<bool> {
        let (file, handle) = (self.place.file, self.place.handle);
        Ok(self.place.call(Call::Plain)?.locks.entry(file).or_default().raise(handle, wanted))
    }

    fn unlock(&mut self, wanted: LockKind) -> io::Result<bool> {
        let (file, handle) = (self.place.file, self.place.handle);
        self.place.call(Call::Plain)?.locks.entry(file).or_default().lower(handle, wanted);
        Ok(true)
    }

    fn reserved(&mut self) -> io::Result<bool> {
        let live = self.place.call(Call::Plain)?;
        Ok(live.locks.get(&self.place.file).is_some_and(|locks| locks.reserved()))
    }

    fn current_lock(&self) -> io::Result<LockKind> {
        let live = self.place.call(Call::Plain)?;
        Ok(live.locks.get(&self.place.file).map_or(LockKind::None, |locks| locks.of(self.place.handle)))
    }

    fn wal_index(&self, _: bool) -> io::Result<Index> {
        Ok(Index { place: self.place.clone(), taken: BTreeMap::new() })
    }
}

/// One handle's view of the shared memory of a write-ahead log: copies, and what they were when they were taken.
pub(super) struct Index {
    place: Place,
    taken: BTreeMap<u32, Box<[u8; REGION]>>,
}

impl WalIndex for Index {
    fn map(&mut self, region: u32) -> io::Result<[u8; REGION]> {
        let mut live = self.place.call(Call::Plain)?;
        let bytes = *live.locks.entry(self.place.file).or_default().region(region);
        self.taken.insert(region, Box::new(bytes));
        Ok(bytes)
    }

    fn lock(&mut self, slots: Range<u8>, wanted: WalIndexLock) -> io::Result<bool> {
        let (file, handle) = (self.place.file, self.place.handle);
        Ok(self.place.call(Call::Plain)?.locks.entry(file).or_default().slots(handle, slots, wanted))
    }

    fn delete(self) -> io::Result<()> {
        self.place.call(Call::Plain)?.locks.entry(self.place.file).or_default().forget_regions();
        Ok(())
    }

    // Memory neither fails nor counts as a call: the two below say nothing to the disk.

    fn pull(&mut self, region: u32, data: &mut [u8; REGION]) -> io::Result<()> {
        let mut live = lock(&self.place.shared);
        if live.life == self.place.life {
            data.copy_from_slice(live.locks.entry(self.place.file).or_default().region(region));
            self.taken.insert(region, Box::new(*data));
        }
        Ok(())
    }

    fn push(&mut self, region: u32, data: &[u8; REGION]) -> io::Result<()> {
        let mut live = lock(&self.place.shared);
        if live.life == self.place.life {
            let taken = self.taken.entry(region).or_insert_with(|| Box::new([0; REGION]));
            let locks = live.locks.entry(self.place.file).or_default();
            locks.merge(region, taken, data);
            taken.copy_from_slice(data);
        }
        Ok(())
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Live> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

/// What makes the crate between say "disk full" to SQLite.
fn full(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::StorageFull { ErrorKind::WriteZero.into() } else { error }
}
