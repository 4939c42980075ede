//! What the server asks of a database: one blocking, object-safe trait, domain types in and out.
//!
//! One call is one transaction, and every call may block. [`Store`] is the sum of seven parts, so that
//! each can be read on its own: the ledger, the epochs, the people, the reads, the copies, the photos, the announcements.

pub mod announcements;
pub mod copies;
pub mod epochs;
pub mod ledger;
pub mod people;
pub mod photos;
pub mod reads;
pub mod sqlite;

/// Runs every case of a conformance suite on each database.
#[cfg(test)]
macro_rules! suite {
    ($($case:ident)+) => {
        mod sqlite {
            $(
                #[test]
                fn $case() {
                    let folder = tempfile::tempdir().unwrap();
                    let path = folder.path().join("ruhu.db");
                    super::$case(&crate::store::SqliteStore::open(&path, None).unwrap());
                }
            )+
        }
    };
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod conformance_announcements;
#[cfg(test)]
mod conformance_photos;
#[cfg(test)]
mod conformance_quarantine;
#[cfg(test)]
mod conformance_reads;
#[cfg(test)]
pub(crate) mod world;

use ruhu_survey::codec::CodecError;

pub use announcements::AnnouncementStore;
pub use copies::CopyStore;
pub use epochs::EpochStore;
pub use ledger::LedgerStore;
pub use people::{PeopleStore, PlaceStore, RosterStore};
pub use photos::PhotoStore;
pub use reads::ReadStore;
pub use sqlite::SqliteStore;

/// Everything the server keeps.
pub trait Store:
    LedgerStore + EpochStore + PeopleStore + ReadStore + CopyStore + PhotoStore + AnnouncementStore
{
}

impl<T> Store for T where
    T: LedgerStore + EpochStore + PeopleStore + ReadStore + CopyStore + PhotoStore + AnnouncementStore
{
}

/// Why a call on the store did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The named thing is not there.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The named thing is already there, or changed since it was read; nothing was written.
    #[error("{0} is already there or has changed")]
    Conflict(&'static str),
    /// The disk is full; nothing was written, and the same call may be made again.
    #[error("the disk is full")]
    DiskFull,
    /// What the database holds contradicts itself; `verify` names the position.
    #[error("{table} holds bytes that do not read back at {key}: {what}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// The file could not be opened or migrated.
    #[error("the database could not be opened")]
    Open(#[from] ruhu_sqlite::OpenError),
    /// The database refused or failed.
    #[error("the database failed")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A thread panicked while it wrote; the process should be started again.
    #[error("an earlier call ended in a panic")]
    Poisoned,
}

impl StoreError {
    /// A row whose bytes do not decode.
    pub(crate) fn corrupt(table: &'static str, key: impl ToString, what: impl ToString) -> Self {
        Self::Corrupt { table, key: key.to_string(), what: what.to_string() }
    }

    /// For `map_err` on decoding a column of `table`.
    pub(crate) fn undecodable(table: &'static str, key: impl ToString) -> impl FnOnce(CodecError) -> Self {
        move |error| Self::corrupt(table, key, error)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            _ => Self::Database(Box::new(error)),
        }
    }
}
