//! Payload mode 1: the batches of one body as a stream of what their receiver cannot work out.
//!
//! What the receiver knows of a header is left out, the changes travel as columns
//! ([`ruhu_survey::replay`]), and all batches of a body share one zstd stream that is flushed at each of
//! them. The header is put together again and its signature proves all of it; where it does not, the
//! batch is wanted raw. `schemas/wire/replay.md` is the byte table.

mod dictionary;
mod header;
mod receipt;
mod stream;

#[cfg(test)]
mod tests;

use ruhu_survey::codec::CodecError;
use ruhu_survey::id::{DeploymentId, DeviceId, VillageId};
use ruhu_survey::replay::{Library, NotBuilt, NotSpelled, Spelling, build};

pub use dictionary::{NEWEST_DICTIONARY, NO_DICTIONARY};
pub use header::ReplayHeader;
pub use receipt::ReplayReceipt;
pub use stream::{ReplayReader, ReplayWriter};

use crate::batch::{Anchor, Batch, BatchBody, BatchError, BatchHeader, BatchId, body_root};
use crate::payload;
use crate::signature::Signature;

/// The most bytes of one batch once inflated; a batch of more travels raw.
pub const REPLAY_BYTES_MAX: usize = 512 * 1024;

/// What both sides of a stream know before its first batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamStart {
    /// The device that sends the batches, or is given them.
    pub device: DeviceId,
    /// The newest checkpoint of that device, as its hello names it.
    pub anchor: Anchor,
}

/// Why a batch cannot be taken off a stream. It and all that follow it are wanted raw.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The stream uses a dictionary that this program does not have.
    #[error("dictionary {0} is not known")]
    Dictionary(u8),
    /// The bytes do not inflate, or to too many.
    #[error("the stream does not inflate")]
    Inflate,
    /// The inflated bytes are no batch.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A batch before it was damaged.
    #[error("the stream was damaged before")]
    Damaged,
}

/// Why a batch cannot be written onto a stream: it has to travel raw.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWritten {
    /// Its changes cannot be spelled.
    #[error(transparent)]
    NotSpelled(#[from] NotSpelled),
    /// It is longer than a receiver takes.
    #[error("the batch has {0} bytes, the limit is {REPLAY_BYTES_MAX}")]
    TooLong(usize),
    /// The compressor failed, for want of memory.
    #[error("the batch could not be compressed")]
    Deflate,
}

/// A batch as it came off a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayBatch {
    /// What the header says that a receiver cannot work out.
    pub header: ReplayHeader,
    /// The device's signature over the whole header.
    pub signature: Signature,
    /// The receipt of a relayed batch.
    pub receipt: Option<ReplayReceipt>,
    /// Its changes.
    pub spelling: Spelling,
}

/// Which batch is before one that came off a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Previous {
    /// The one of its chain with the number before, among those that the receiver holds.
    Held,
    /// As the sender names it beside the piece; `None` for the first of a chain.
    Named(Option<BatchId>),
}

/// A batch whose header and body were put together again. Its signature is not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The header.
    pub header: BatchHeader,
    /// The signature that came with it.
    pub signature: Signature,
    /// The changes and openings.
    pub body: BatchBody,
}

impl Replayed {
    /// The batch with its payload, raw.
    ///
    /// # Errors
    /// [`BatchError`] when the body is above a limit.
    pub fn pack(&self) -> Result<Batch, BatchError> {
        let payload = payload::deflate(&self.body)?;
        Ok(Batch { header: self.header.clone(), signature: self.signature, payload })
    }
}

/// Why a batch that came off a stream cannot be put together here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayed {
    /// A change cannot be built.
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    /// The batch before it is not here, or there are several with its number.
    #[error("the batch before number {0} of the chain is not clear")]
    Previous(u64),
    /// What was built is no body.
    #[error(transparent)]
    Body(#[from] BatchError),
}

impl NotReplayed {
    /// A stable code for logs and problems.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotBuilt(NotBuilt::UnknownDocument(_)) => "replay_unknown_document",
            Self::NotBuilt(NotBuilt::UnknownDependency(_)) => "replay_unknown_dependency",
            Self::NotBuilt(NotBuilt::Ambiguous(_)) => "replay_ambiguous",
            Self::NotBuilt(_) | Self::Body(_) => "replay_not_built",
            Self::Previous(_) => "replay_unknown_previous",
        }
    }
}

impl ReplayBatch {
    /// Puts the batch together from what the receiver knows; `previous` is the batch before it.
    ///
    /// # Errors
    /// [`NotReplayed`]; sent raw the batch may well be understood.
    pub fn replay(
        &self,
        deployment: DeploymentId,
        village: VillageId,
        previous: Option<BatchId>,
        library: &dyn Library,
    ) -> Result<Replayed, NotReplayed> {
        if (self.header.number == 1) != previous.is_none() {
            return Err(NotReplayed::Previous(self.header.number));
        }
        let built = build(&self.spelling, village, library)?;
        let changes = built.into_iter().map(|built| (built.document, built.bytes)).collect();
        let body = BatchBody { openings: self.spelling.openings.clone(), changes };
        let root = body_root(&body)?;
        let header = self.header.complete(deployment, village, previous, &body, root);
        let header = header.check().map_err(BatchError::Format)?;
        Ok(Replayed { header, signature: self.signature, body })
    }
}
