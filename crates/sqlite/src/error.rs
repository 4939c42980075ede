//! Why a database file could not be used, in terms of what the caller can do about it.

use rusqlite::{Error, ErrorCode};

/// A file could not be opened or brought up to date. The file is as it was before.
///
/// SQLCipher answers `SQLITE_NOTADB` both for a wrong key and for a damaged first page, and SQLite answers it for an
/// encrypted file opened without a key. Nothing in the file tells these apart, so the variants say what *this crate*
/// can see, and the caller adds what it knows: one that unwrapped the key with an authenticated cipher knows the key
/// to be right, and reads [`OpenError::WrongKey`] as damage; one that got the key from configuration does not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file is whole pages of what looks like ciphertext, and the key does not open it: another key is needed,
    /// or the first page is damaged.
    #[error("the key does not open the file, or its first page is damaged")]
    WrongKey,
    /// No key was given and the file is no plain SQLite file: it is encrypted, or no database at all.
    #[error("the file is encrypted or is not a database")]
    NotADatabase,
    /// A key was given and the file is a plain SQLite file.
    #[error("a key was given but the file is not encrypted")]
    NotEncrypted,
    /// The file is a database, or was one, and is damaged: cut off, overwritten with zeros, or with a broken page.
    #[error("the database file is damaged")]
    Corrupt,
    /// The file is a readable database that no migration of ours ever touched: it holds tables at version 0.
    #[error("the file is a database of another program")]
    Foreign,
    /// A newer version of the program wrote the file. Nothing in it was changed.
    #[error("the file has schema version {found}, this program knows {known}: upgrade this program")]
    Newer {
        /// The schema version of the file.
        found: u32,
        /// The newest schema version this program can use.
        known: u32,
    },
    /// The disk, or the quota of the process, is full. Free space and try again.
    #[error("the disk is full")]
    DiskFull,
    /// Another process holds the file longer than the busy timeout.
    #[error("another process is using the file")]
    Busy,
    /// The file system refused: no such folder, no permission, read only, or a failing device.
    #[error("the file could not be read or written")]
    Io(#[source] Error),
    /// The file system cannot hold the journal that durability rests on (seen on network shares).
    #[error("the file system gives journal mode {found}, {wanted} is needed")]
    JournalMode {
        /// What SQLite fell back to.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// The statements of a migration failed. Its transaction was rolled back; earlier ones stay applied.
    #[error("migration {name} failed")]
    Migration {
        /// The migration's name, as in its file name.
        name: &'static str,
        /// What SQLite said.
        #[source]
        source: Error,
    },
    /// A migration left rows that point to rows which do not exist. It was rolled back.
    #[error("migration {name} leaves {count} broken references")]
    BrokenReferences {
        /// The migration's name, as in its file name.
        name: &'static str,
        /// How many references are broken.
        count: usize,
    },
    /// SQLite refused for a reason that has no name above.
    #[error("the database refused")]
    Sqlite(#[source] Error),
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt,
            Some(ErrorCode::NotADatabase) => Self::NotADatabase,
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::NoLargeFileSupport
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Io(error),
            _ => Self::Sqlite(error),
        }
    }
}

/// Whether a write failed because the disk, or the page limit of the file, is full. The transaction is rolled back,
/// so freeing space and writing again is safe.
pub fn is_full(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Whether a statement gave up waiting for another connection.
pub fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether a statement met a damaged page. SQLCipher reports a page whose authentication fails as one of these.
pub fn is_corrupt(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

#[cfg(test)]
mod tests {
    use rusqlite::{Error, ffi};

    use super::{OpenError, is_busy, is_corrupt, is_full};

    fn failure(code: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn codes_of_sqlite_become_what_the_caller_can_do() {
        assert!(matches!(OpenError::from(failure(ffi::SQLITE_FULL)), OpenError::DiskFull));
        assert!(matches!(OpenError::from(failure(ffi::SQLITE_BUSY)), OpenError::Busy));
        assert!(matches!(OpenError::from(failure(ffi::SQLITE_CORRUPT)), OpenError::Corrupt));
        assert!(matches!(OpenError::from(failure(ffi::SQLITE_CANTOPEN)), OpenError::Io(_)));
        assert!(matches!(OpenError::from(failure(ffi::SQLITE_IOERR)), OpenError::Io(_)));
        assert!(matches!(OpenError::from(failure(ffi::SQLITE_MISUSE)), OpenError::Sqlite(_)));
    }

    #[test]
    fn the_questions_answer_no_for_other_failures() {
        let other = failure(ffi::SQLITE_CONSTRAINT);
        assert!(!is_full(&other) && !is_busy(&other) && !is_corrupt(&other));
        assert!(!is_full(&Error::QueryReturnedNoRows));
        assert!(is_full(&failure(ffi::SQLITE_FULL)));
        assert!(is_busy(&failure(ffi::SQLITE_BUSY)));
        assert!(is_corrupt(&failure(ffi::SQLITE_NOTADB)));
    }
}
