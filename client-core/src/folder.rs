//! The folder a store lives in: its file names, and the few operations on files.
//!
//! Nothing here deletes a database. What cannot be used is renamed beside the rest.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ruhu_sqlite::Profile;

use crate::error::Error;
use crate::files::Files;
use crate::key_file::{KeyFile, Locked};
use crate::phone_lock::PhoneLockFile;

const DATABASE: &str = "ruhu.db";
const DATABASE_UNFINISHED: &str = "ruhu.db.new";
const KEY: &str = "ruhu.key";
const PHONE_LOCK: &str = "ruhu.phone";
/// What SQLite keeps beside a database; a database set aside takes them along.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];
const ASIDE_MAX: u32 = 10_000;
/// Many times what a key file holds; a longer one is damaged.
const KEY_BYTES_MAX: u64 = 64 * 1_024;

/// The folder of one store.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
    files: Arc<dyn Files>,
}

impl Folder {
    pub(crate) fn new(path: &Path, files: Arc<dyn Files>) -> Self {
        Self { path: path.to_owned(), files }
    }

    /// Makes the folder if it is not there, readable by its owner alone.
    pub(crate) fn make(&self) -> Result<(), Error> {
        self.files.make_folder(&self.path).map_err(|source| Error::io(&self.path, source))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Where a new database is made, before its key is on disk.
    pub(crate) fn unfinished(&self) -> PathBuf {
        self.path.join(DATABASE_UNFINISHED)
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.path.join(KEY)
    }

    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.files.exists(path)
    }

    /// What SQLite calls a database of this folder, and how it is to open it.
    pub(crate) fn for_sqlite(&self, database: &Path) -> (PathBuf, Profile) {
        (self.files.database(database), self.files.profile())
    }

    pub(crate) fn read_key(&self) -> Result<KeyFile, Error> {
        let path = self.key();
        let bytes = match self.files.read(&path, KEY_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(if self.exists(&self.database()) {
                    Error::KeyFileMissing(path)
                } else {
                    Error::StoreMissing(self.path.clone())
                });
            }
            Err(source) => return Err(Error::io(&path, source)),
        };
        KeyFile::from_bytes(&bytes).map_err(|why| self.locked(why))
    }

    /// The public error for a key file that gave no key.
    pub(crate) fn locked(&self, why: Locked) -> Error {
        match why {
            Locked::Damaged => Error::KeyFileDamaged(self.key()),
            Locked::Newer(found) => Error::KeyFileNewer { path: self.key(), found },
            Locked::WrongPassphrase => Error::WrongPassphrase,
        }
    }

    /// Puts the key file in place in one step: a kill leaves the old one or the new one, whole.
    pub(crate) fn write_key(&self, key: &KeyFile) -> Result<(), Error> {
        let temporary = self.path.join(format!("{KEY}.new"));
        let written = self.files.write(&temporary, &key.to_bytes());
        written.map_err(|source| Error::io(&temporary, source))?;
        self.rename(&temporary, &self.key())
    }

    /// The way in by the phone's own lock, where one was opened and can be read.
    pub(crate) fn phone_lock(&self) -> Option<PhoneLockFile> {
        let bytes = self.files.read(&self.path.join(PHONE_LOCK), KEY_BYTES_MAX).ok()?;
        PhoneLockFile::from_bytes(&bytes)
    }

    /// Opens the way in by the phone's lock, or shuts it. A cut on the way leaves it shut.
    pub(crate) fn keep_phone_lock(&self, file: Option<&PhoneLockFile>) -> Result<(), Error> {
        let path = self.path.join(PHONE_LOCK);
        if file.is_none() && !self.exists(&path) {
            return Ok(());
        }
        let bytes = file.map(PhoneLockFile::to_bytes).unwrap_or_default();
        self.files.write(&path, &bytes).map_err(|source| Error::io(&path, source))
    }

    /// Renames inside the folder, durably.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), Error> {
        self.files.rename(from, to).map_err(|source| Error::io(to, source))
    }

    /// The 16 bytes a database file begins with; `None` when it is shorter.
    pub(crate) fn salt_of(&self, path: &Path) -> Result<Option<[u8; 16]>, Error> {
        let bytes = self.files.read(path, 16).map_err(|source| Error::io(path, source))?;
        Ok(bytes.try_into().ok())
    }

    /// Renames the database, what SQLite keeps beside it and the key file to `….aside-N`.
    pub(crate) fn set_aside(&self) -> Result<Vec<PathBuf>, Error> {
        let number = self.free_aside()?;
        let mut moved = Vec::new();
        let companions = COMPANIONS.map(|suffix| format!("{DATABASE}{suffix}"));
        let names =
            companions.iter().map(String::as_str).chain([DATABASE, DATABASE_UNFINISHED, KEY, PHONE_LOCK]);
        for name in names {
            let from = self.path.join(name);
            if self.exists(&from) {
                let to = self.path.join(aside_name(name, number));
                self.rename(&from, &to)?;
                moved.push(to);
            }
        }
        Ok(moved)
    }

    /// The databases set aside in this folder so far, by name.
    pub(crate) fn aside(&self) -> Result<Vec<PathBuf>, Error> {
        let entries = self.files.list(&self.path).map_err(|source| Error::io(&self.path, source))?;
        let prefix = format!("{DATABASE}.aside-");
        let mut found = Vec::new();
        for path in entries {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let number = name.strip_prefix(&prefix).unwrap_or_default();
            if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    fn free_aside(&self) -> Result<u32, Error> {
        let taken = |number: &u32| {
            [DATABASE, KEY].iter().any(|name| self.exists(&self.path.join(aside_name(name, *number))))
        };
        let full = || io::Error::new(io::ErrorKind::AlreadyExists, "too many databases were set aside");
        (1..ASIDE_MAX).find(|number| !taken(number)).ok_or_else(|| Error::io(&self.path, full()))
    }
}

/// `ruhu.db-wal` becomes `ruhu.db.aside-1-wal`, so that SQLite still finds it beside `ruhu.db.aside-1`.
fn aside_name(name: &str, number: u32) -> String {
    let suffix = COMPANIONS.iter().find(|suffix| name == format!("{DATABASE}{suffix}"));
    match suffix {
        Some(suffix) => format!("{DATABASE}.aside-{number}{suffix}"),
        None => format!("{name}.aside-{number}"),
    }
}
