//! The disks as the few file operations see them that are not SQLite's.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};

use ruhu_client_core::{Files, Profile};

use super::image::Op;
use super::live::{Call, Live};
use super::{Shared, name_of};

/// The files of one device.
pub(super) struct DiskFiles {
    pub(super) live: Shared,
    pub(super) profile: Profile,
}

impl fmt::Debug for DiskFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskFiles").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl DiskFiles {
    fn call(&self, call: Call) -> io::Result<MutexGuard<'_, Live>> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.call(call)?;
        Ok(live)
    }
}

fn name(path: &Path) -> &str {
    name_of(path.to_str().unwrap_or_default())
}

impl Files for DiskFiles {
    /// Folders are not kept apart from the names of the files in them.
    fn make_folder(&self, _: &Path) -> io::Result<()> {
        self.call(Call::NeedsRoom).map(drop)
    }

    fn exists(&self, path: &Path) -> bool {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.image.file(name(path)).is_some()
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let live = self.call(Call::Plain)?;
        let file = live.image.file(name(path)).ok_or(ErrorKind::NotFound)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(live.image.bytes(file).iter().take(limit).copied().collect())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut live = self.call(Call::NeedsRoom)?;
        let file = match live.image.file(name(path)) {
            Some(file) => {
                live.act(Op::Truncate { file, length: 0 });
                file
            }
            None => live.create(name(path), false),
        };
        drop(live);
        self.call(Call::NeedsRoom)?.write(file, 0, bytes);
        self.call(Call::Plain)?.act(Op::Sync { file });
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut live = self.call(Call::Plain)?;
        live.image.file(name(from)).ok_or(ErrorKind::NotFound)?;
        live.act(Op::Rename { from: name(from).to_owned(), to: name(to).to_owned() });
        drop(live);
        self.call(Call::Plain)?.act(Op::SyncNames);
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let live = self.call(Call::Plain)?;
        let below = format!("{}/", name(folder));
        Ok(live
            .image
            .names()
            .filter_map(|name| name.strip_prefix(&below))
            .map(|name| folder.join(name))
            .collect())
    }

    fn profile(&self) -> Profile {
        self.profile
    }
}
