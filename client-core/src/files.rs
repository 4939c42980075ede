//! The door to files: the few things a store does to files that are not SQLite's doing.
//!
//! SQLite has a file system of its own (its VFS), and the two must show the same files. On an ordinary machine
//! both are the operating system's. A browser has no file system that `std::fs` could speak to: the page brings
//! its own [`Files`] for the private file system that SQLite is given there. Tests bring a disk in memory.

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

use ruhu_sqlite::Profile;

/// The files of one device. Every operation that changes something is durable when it returns.
pub trait Files: Debug + Send + Sync {
    /// Makes the folder and those above it if they are not there, readable by its owner alone.
    ///
    /// # Errors
    /// What the file system says.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Whether there is a file of this name.
    fn exists(&self, path: &Path) -> bool;

    /// The first bytes of a file, at most `limit` of them.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or what the file system says.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// Writes a file anew, readable by its owner alone. A cut may leave it half written.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`], or what the file system says.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Gives a file another name inside its folder, in place of a file that had it. A cut leaves the old state
    /// or the new one.
    ///
    /// # Errors
    /// What the file system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// The files of a folder, in no particular order.
    ///
    /// # Errors
    /// What the file system says.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;

    /// What SQLite calls the database that the store calls `path`. They differ where SQLite's file system cannot
    /// rename: there [`Files::rename`] rewrites a record of which file stands for which name.
    fn database(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }

    /// How SQLite is to open a database here.
    fn profile(&self) -> Profile;
}

#[cfg(not(target_arch = "wasm32"))]
pub use system::SystemFiles;

#[cfg(not(target_arch = "wasm32"))]
mod system {
    //! The operating system's files.

    use std::fs::{self, File};
    use std::io::{self, Read as _, Write as _};
    use std::path::{Path, PathBuf};

    use ruhu_sqlite::Profile;

    use super::Files;

    /// The files of the operating system.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct SystemFiles;

    impl Files for SystemFiles {
        fn make_folder(&self, path: &Path) -> io::Result<()> {
            fs::create_dir_all(path)?;
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
            }
            Ok(())
        }

        fn exists(&self, path: &Path) -> bool {
            path.exists()
        }

        fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            File::open(path)?.take(limit).read_to_end(&mut bytes)?;
            Ok(bytes)
        }

        fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            {
                use std::os::unix::fs::OpenOptionsExt;
                options.mode(0o600);
            }
            let mut file = options.open(path)?;
            file.write_all(bytes)?;
            file.sync_all()
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            fs::rename(from, to)?;
            let folder = to.parent().unwrap_or(to);
            File::open(folder).and_then(|folder| folder.sync_all())
        }

        fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
            fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
        }

        fn profile(&self) -> Profile {
            Profile::Device
        }
    }
}
