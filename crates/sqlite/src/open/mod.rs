//! Opening a file: the key first, then one readable look at it, then the settings durability rests on.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;
use crate::key::Key32;

/// The first bytes of every SQLite file that is not encrypted.
const PLAIN_HEADER: &[u8; 16] = b"SQLite format 3\0";
/// Page size of every file SQLCipher 4 makes; a file that is no multiple of it was cut off.
const PAGE_BYTES: u64 = 4_096;

/// Who opens the file. The settings durability and privacy rest on are the same for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// One person's phone or terminal: small memory, nobody else at the file for long.
    Device,
    /// One person's browser: as [`Profile::Device`], on a file system without shared memory.
    Browser,
    /// A server: more memory, and maintenance commands that may hold the file for seconds.
    Server,
}

impl Profile {
    /// How long a statement waits for another connection. A phone's screen must answer; a server may wait for a
    /// maintenance command to finish its transaction.
    const fn busy_timeout(self) -> Duration {
        match self {
            Self::Device | Self::Browser => Duration::from_secs(5),
            Self::Server => Duration::from_secs(30),
        }
    }

    /// Size of the page cache in KiB. Decrypting a page again costs more than keeping it.
    const fn cache_kib(self) -> u32 {
        match self {
            Self::Device | Self::Browser => 8 * 1_024,
            Self::Server => 64 * 1_024,
        }
    }

    /// Pages of the write-ahead log after which they are moved into the file. The same pages are written again and
    /// again where many devices send; moving them seldom writes each once. The log is then as long as
    /// `journal_size_limit`.
    const fn checkpoint_pages(self) -> u32 {
        match self {
            Self::Device | Self::Browser => 1_000,
            Self::Server => 4_000,
        }
    }

    /// Where a transaction is kept until it is whole. With a write-ahead log a long reader never blocks the save
    /// button, and a commit is one append and one sync. The log needs shared memory, which a browser's private file
    /// system does not have; `TRUNCATE` is as durable there, with one connection.
    const fn journal_mode(self) -> &'static str {
        match self {
            Self::Device | Self::Server => "wal",
            Self::Browser => "truncate",
        }
    }
}

/// Opens or creates a database file for reading and writing.
///
/// With a key the file is encrypted by SQLCipher (format 4, raw key); without one it is plain SQLite.
///
/// # Errors
/// [`OpenError`] says why, as far as SQLite lets one tell. A file that exists is never changed by a failed opening.
pub fn open(path: &Path, key: Option<&Key32>, profile: Profile) -> Result<Connection, OpenError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, key, profile, flags)?;
    refuse_foreign(&connection)?;
    journal(&connection, profile.journal_mode())?;
    Ok(connection)
}

/// Opens an existing file of ours for reading only, beside the connection that writes.
///
/// # Errors
/// As [`open`]; a missing file is [`OpenError::Io`].
pub fn open_reader(path: &Path, key: Option<&Key32>, profile: Profile) -> Result<Connection, OpenError> {
    // Not SQLITE_OPEN_READ_ONLY: the first reader after a crash must be able to recover the write-ahead log.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, key, profile, flags)?;
    connection.execute_batch("PRAGMA query_only = ON;")?;
    Ok(connection)
}

fn connect(
    path: &Path,
    key: Option<&Key32>,
    profile: Profile,
    flags: OpenFlags,
) -> Result<Connection, OpenError> {
    let before = Before::look(path);
    if key.is_some() && before.is_some_and(|file| file.is_plain()) {
        return Err(OpenError::NotEncrypted);
    }
    let connection = Connection::open_with_flags(path, flags)?;
    if let Some(key) = key {
        connection.execute_batch(&key.statement())?;
        // The format is pinned: a later SQLCipher must not choose other parameters for old files or new ones.
        connection.execute_batch("PRAGMA cipher_compatibility = 4;")?;
        // SQLCipher would write a line to standard error for every page it cannot read; the caller hears it from us.
        connection.execute_batch("PRAGMA cipher_log_level = NONE;")?;
        // Wiping and locking every allocation of SQLite costs several times the speed, while the same values pass
        // through this program's own memory unlocked; SQLCipher wipes its key buffers in either case.
        connection.execute_batch("PRAGMA cipher_memory_security = OFF;")?;
    }
    connection.busy_timeout(profile.busy_timeout())?;
    first_read(&connection).map_err(|error| explain(error, key.is_some(), before))?;
    settings(&connection, profile)?;
    Ok(connection)
}

/// Reads the schema: the first statement that touches a page, so the one that meets a wrong key or a damaged file.
fn first_read(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map(drop)
}

/// Refuses a readable database that no migration of ours touched, before anything is written to it.
fn refuse_foreign(connection: &Connection) -> Result<(), OpenError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if version < 0 || (version == 0 && objects > 0) { Err(OpenError::Foreign) } else { Ok(()) }
}

fn settings(connection: &Connection, profile: Profile) -> Result<(), OpenError> {
    connection.execute_batch(
        "
        -- A saved visit stays saved through a power cut: every commit reaches the disk before it returns.
        PRAGMA synchronous = FULL;
        -- On Apple systems an ordinary fsync stops at the drive's cache. No effect elsewhere.
        PRAGMA fullfsync = ON;
        PRAGMA checkpoint_fullfsync = ON;
        -- References are promises; SQLite checks them only when asked.
        PRAGMA foreign_keys = ON;
        -- Android gives an app no temporary folder, and a temporary file would hold rows outside the encryption.
        PRAGMA temp_store = MEMORY;
        -- Erasure of a person's data is forgetting a household key: the deleted row must not survive in a free
        -- page. Little else is ever deleted, so the price is small.
        PRAGMA secure_delete = ON;
        -- A damaged page is found when it is read, not when its rows come out wrong.
        PRAGMA cell_size_check = ON;
        -- A file from elsewhere may carry a schema with surprises; no function runs from inside it.
        PRAGMA trusted_schema = OFF;
        -- One large import must not leave a large log on a small phone for ever.
        PRAGMA journal_size_limit = 16777216;
        ",
    )?;
    connection.pragma_update(None, "cache_size", -i64::from(profile.cache_kib()))?;
    // Answers with the value.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", profile.checkpoint_pages(), |_| Ok(()))?;
    // A misspelt column in double quotes is an error, not a string.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // No statement of ours writes to the schema table or switches the journal off.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(())
}

fn journal(connection: &Connection, wanted: &'static str) -> Result<(), OpenError> {
    let found: String = connection.pragma_update_and_check(None, "journal_mode", wanted, |row| row.get(0))?;
    if found == wanted { Ok(()) } else { Err(OpenError::JournalMode { found, wanted }) }
}

/// What the file looked like before SQLite opened it. Absent where there is no file, or no file system to ask.
#[derive(Clone, Copy)]
struct Before {
    header: [u8; 16],
    bytes: u64,
}

impl Before {
    fn look(path: &Path) -> Option<Self> {
        let mut file = File::open(path).ok()?;
        let bytes = file.metadata().ok()?.len();
        let mut header = [0; 16];
        file.read_exact(&mut header).ok()?;
        Some(Self { header, bytes })
    }

    fn is_plain(self) -> bool {
        &self.header == PLAIN_HEADER
    }

    /// A file of SQLCipher starts with 16 random bytes and is whole pages long; zeros are what some file systems
    /// leave of a file whose blocks never reached the disk.
    fn is_visibly_damaged(self) -> bool {
        !self.bytes.is_multiple_of(PAGE_BYTES) || self.header == [0; 16]
    }
}

/// Turns "not a database" into what can be told from the key and the look at the file.
fn explain(error: rusqlite::Error, keyed: bool, before: Option<Before>) -> OpenError {
    match OpenError::from(error) {
        OpenError::NotADatabase if before.is_some_and(Before::is_visibly_damaged) && keyed => {
            OpenError::Corrupt
        }
        OpenError::NotADatabase if keyed => OpenError::WrongKey,
        OpenError::NotADatabase if before.is_some_and(Before::is_plain) => OpenError::Corrupt,
        other => other,
    }
}

#[cfg(test)]
mod tests;
