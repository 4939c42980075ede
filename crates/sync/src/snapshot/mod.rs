//! A village in one piece, for a device that has nothing of it or has long been away.
//!
//! The server signs a statement ([`ruhu_ledger::snapshot::Snapshot`]) about the packed content and gives
//! the content from any byte on. The columns of the content hold what a history cannot be rebuilt
//! from; hashes, predecessors and operation numbers are found by building every change anew.
//! `schemas/wire/snapshot.md` is the byte table.

pub mod content;
mod decode;
mod encode;
mod key;
mod pack;

#[cfg(test)]
pub(crate) mod example;
#[cfg(test)]
mod tests;

use ruhu_ledger::error::{FormatError, VerifyError};
use ruhu_survey::change::{ChangeHash, DocumentId};
use ruhu_survey::codec::CodecError;

pub use content::{BatchLine, ChangeLine, Content, DocumentPart, LeftOut};
pub use pack::{About, Sealed, check_piece, open, piece_count, seal};

/// Why a snapshot cannot be made or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// A field cannot be read, or is above its limit.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A signed statement inside cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The server's key did not sign it.
    #[error("the server did not sign it")]
    Unsigned(#[from] VerifyError),
    /// The content has a version that this program does not know: upgrade this program.
    #[error("version {0} of the content of a snapshot is not known")]
    Version(u8),
    /// A list is not strictly ascending.
    #[error("the {0} are not in ascending order, each once")]
    Order(&'static str),
    /// The content is written in another form than the only one.
    #[error("the content is not in its only form")]
    NotCanonical,
    /// A change is none that its document could have.
    #[error("a change of {0} is none that it could have")]
    Change(DocumentId),
    /// The packed content is not what the statement says.
    #[error("the packed content is not what the statement says")]
    Piece,
    /// The packed content does not unpack to what the statement says.
    #[error("the packed content cannot be unpacked")]
    Packed,
    /// The changes do not add up to the fingerprint that was signed.
    #[error("the content contradicts the fingerprint that was signed with it")]
    Fingerprint,
}

/// The hash of a change that is known to be one.
pub(crate) fn hash_of(bytes: &[u8]) -> Option<ChangeHash> {
    ruhu_ledger::batch::change_hash(bytes)
}
