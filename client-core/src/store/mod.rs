//! The device's store: one encrypted SQLite file and its key file in one folder.
//!
//! The database key is random and never changes; the key file holds it wrapped under the passphrase. A
//! database that cannot be used is left as it is and named in the error; only
//! [`Store::open_aside`] moves it, and nothing deletes it.

pub(crate) mod announcement;
pub(crate) mod batch;
pub(crate) mod certificate;
pub(crate) mod document;
pub(crate) mod draft;
pub(crate) mod epoch;
pub(crate) mod meta;
pub(crate) mod names;
pub(crate) mod photo;
pub(crate) mod repair;
pub(crate) mod rows;
pub(crate) mod set_aside;
pub(crate) mod snapshot;
pub(crate) mod staged;
pub(crate) mod village;

use std::path::{Path, PathBuf};

use ruhu_sqlite::{Key32, Migrations, OpenError};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use zeroize::Zeroizing;

use crate::env::{Environment, random};
use crate::error::Error;
use crate::folder::Folder;
use crate::key_file::{Cost, DatabaseKey, KeyFile};
use crate::phone_lock::{PhoneLock, PhoneLockFile};

const MIGRATIONS: Migrations = Migrations(&[
    ("001_device", include_str!("../../../schemas/sql/client/001_device.sql")),
    ("002_thrift", include_str!("../../../schemas/sql/client/002_thrift.sql")),
    ("003_staged", include_str!("../../../schemas/sql/client/003_staged.sql")),
    ("004_snapshots", include_str!("../../../schemas/sql/client/004_snapshots.sql")),
    ("005_replay", include_str!("../../../schemas/sql/client/005_replay.sql")),
    ("006_replaced", include_str!("../../../schemas/sql/client/006_replaced.sql")),
    ("007_epoch", include_str!("../../../schemas/sql/client/007_epoch.sql")),
    ("008_form", include_str!("../../../schemas/sql/client/008_form.sql")),
    ("009_photos", include_str!("../../../schemas/sql/client/009_photos.sql")),
    ("010_announcements", include_str!("../../../schemas/sql/client/010_announcements.sql")),
]);

/// What was found when a store was opened, besides the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Databases in the folder that were set aside, now or earlier; they are kept with their keys.
    pub aside: Vec<PathBuf>,
    /// Whether this opening set one aside and began an empty store.
    pub began_anew: bool,
}

/// The open database.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    folder: Folder,
}

impl Store {
    /// Makes a new store in an empty folder.
    pub(crate) fn create(
        folder: &Path,
        passphrase: &str,
        cost: Cost,
        environment: &dyn Environment,
    ) -> Result<Self, Error> {
        let folder = Folder::new(folder, environment.files());
        folder.make()?;
        if folder.exists(&folder.key()) || folder.exists(&folder.database()) {
            return Err(Error::StoreExists(folder.path().to_owned()));
        }
        if folder.exists(&folder.unfinished()) {
            // A creation was cut off before its key reached the disk.
            folder.set_aside()?;
        }
        let key: DatabaseKey = Zeroizing::new(random(environment)?);
        let unfinished = folder.unfinished();
        let connection = open_database(&folder, &unfinished, &key)?;
        // Closing folds the log in too, but keeps silent when it fails, and a log does not follow a rename.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))?;
        drop(connection);
        let salt = folder.salt_of(&unfinished)?.ok_or_else(|| Error::DatabaseDamaged(unfinished.clone()))?;
        folder.write_key(&KeyFile::wrap(&key, salt, passphrase, cost, environment)?)?;
        folder.rename(&unfinished, &folder.database())?;
        let connection = open_database(&folder, &folder.database(), &key)?;
        Ok(Self { connection, folder })
    }

    /// Opens the folder's store.
    pub(crate) fn open(
        folder: &Path,
        passphrase: &str,
        environment: &dyn Environment,
    ) -> Result<(Self, OpenReport), Error> {
        Self::open_by(folder, environment, |folder, key_file| {
            key_file.unwrap_key(passphrase).map_err(|why| folder.locked(why))
        })
    }

    /// Opens it with what the phone's lock answered.
    pub(crate) fn open_by_phone(
        folder: &Path,
        secret: &[u8; 32],
        environment: &dyn Environment,
    ) -> Result<(Self, OpenReport), Error> {
        Self::open_by(folder, environment, |folder, key_file| {
            folder.phone_lock().ok_or(Error::PhoneLock)?.unwrap_key(secret, key_file.database_salt)
        })
    }

    fn open_by(
        folder: &Path,
        environment: &dyn Environment,
        unwrap: impl FnOnce(&Folder, &KeyFile) -> Result<DatabaseKey, Error>,
    ) -> Result<(Self, OpenReport), Error> {
        let folder = Folder::new(folder, environment.files());
        let key_file = folder.read_key()?;
        let key = unwrap(&folder, &key_file)?;
        let database = folder.database();
        if !folder.exists(&database) {
            // The key was written and the program killed before the last step of creation.
            if !folder.exists(&folder.unfinished()) {
                return Err(Error::DatabaseMissing(database));
            }
            folder.rename(&folder.unfinished(), &database)?;
        }
        match folder.salt_of(&database)? {
            None => return Err(Error::DatabaseDamaged(database)),
            Some(salt) if salt != key_file.database_salt => {
                return Err(Error::DatabaseOfAnotherKey(database));
            }
            Some(_) => {}
        }
        let connection = open_database(&folder, &database, &key)?;
        if !ruhu_sqlite::quick_check(&connection)?.is_empty() {
            return Err(Error::DatabaseDamaged(database));
        }
        let report = OpenReport { aside: folder.aside()?, began_anew: false };
        Ok((Self { connection, folder }, report))
    }

    /// Sets what is in the folder aside, under names that keep database and key together, and makes a
    /// new store.
    pub(crate) fn open_aside(
        folder: &Path,
        passphrase: &str,
        cost: Cost,
        environment: &dyn Environment,
    ) -> Result<(Self, OpenReport), Error> {
        Folder::new(folder, environment.files()).set_aside()?;
        let store = Self::create(folder, passphrase, cost, environment)?;
        let report = OpenReport { aside: store.folder.aside()?, began_anew: true };
        Ok((store, report))
    }

    /// Wraps the key under another passphrase; the database is not touched. The way in by the phone's lock is shut:
    /// who changes a passphrase may do so because somebody else got in.
    pub(crate) fn change_passphrase(
        &self,
        old: &str,
        new: &str,
        cost: Cost,
        environment: &dyn Environment,
    ) -> Result<(), Error> {
        let file = self.folder.read_key()?;
        let key = file.unwrap_key(old).map_err(|why| self.folder.locked(why))?;
        let wrapped = KeyFile::wrap(&key, file.database_salt, new, cost, environment)?;
        self.folder.keep_phone_lock(None)?;
        self.folder.write_key(&wrapped)
    }

    /// Opens the way in by the phone's lock.
    pub(crate) fn set_phone_lock(
        &self,
        passphrase: &str,
        lock: PhoneLock,
        secret: &[u8; 32],
        environment: &dyn Environment,
    ) -> Result<(), Error> {
        let file = self.folder.read_key()?;
        let key = file.unwrap_key(passphrase).map_err(|why| self.folder.locked(why))?;
        let wrapped = PhoneLockFile::wrap(&key, file.database_salt, lock, secret, environment)?;
        self.folder.keep_phone_lock(Some(&wrapped))
    }

    /// Shuts it.
    pub(crate) fn remove_phone_lock(&self) -> Result<(), Error> {
        self.folder.keep_phone_lock(None)
    }

    /// The connection, to read.
    pub(crate) fn read(&self) -> &Connection {
        &self.connection
    }

    /// One transaction: all of `work` or nothing.
    pub(crate) fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }
}

fn open_database(folder: &Folder, path: &Path, key: &DatabaseKey) -> Result<Connection, Error> {
    let explain = |error: OpenError| match error {
        // The key was unwrapped by an authenticated cipher and the file begins as it should: it is damage.
        OpenError::WrongKey | OpenError::NotADatabase | OpenError::Corrupt => {
            Error::DatabaseDamaged(path.to_owned())
        }
        OpenError::NotEncrypted | OpenError::Foreign => Error::DatabaseOfAnotherKey(path.to_owned()),
        OpenError::Newer { found, known } => Error::DatabaseNewer { path: path.to_owned(), found, known },
        OpenError::DiskFull => Error::DiskFull,
        OpenError::Busy => Error::Busy,
        other => Error::Open(other),
    };
    let key = Key32::new(**key);
    let (name, profile) = folder.for_sqlite(path);
    let mut connection = ruhu_sqlite::open(&name, Some(&key), profile).map_err(explain)?;
    ruhu_sqlite::migrate(&mut connection, &MIGRATIONS).map_err(explain)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

#[cfg(test)]
mod tests;
