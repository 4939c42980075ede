//! What the server asks of a database about backups, restores, and what devices bring back after one.

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::certificate::SignedCertificate;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::succession::EpochLink;
use ruhu_ledger::tree::Hash;
use ruhu_ledger::watermark::SignedWatermark;
use ruhu_survey::id::{DeviceId, EpochId, UserId, VillageId};
use ruhu_sync::Offer;

use super::StoreError;
use crate::ingest::Ingested;

/// A batch that a device brings back, and the receipt of an epoch that ended for it.
#[derive(Debug, Clone, Copy)]
pub struct BroughtBack<'a> {
    /// The batch.
    pub batch: &'a [u8],
    /// The receipt of then.
    pub receipt: &'a SignedReceipt,
    /// The device that brings them.
    pub by: DeviceId,
}

/// How much of the log there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The present epoch.
    pub epoch: EpochId,
    /// Leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// The last number of the feed.
    pub feed_end: u64,
}

/// What became of something that a device offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It was new, verified, and is kept.
    Kept,
    /// It was here already.
    Known,
    /// No epoch known here signed it.
    Unproved,
}

/// What is proved to have existed and is not here (缺口).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What is missing.
    pub place: GapPlace,
    /// The first number or leaf that was missing when the gap was found.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// How many are missing now.
    pub missing: u64,
    /// The device that holds the proof.
    pub shown_by: DeviceId,
    /// When it was found, milliseconds.
    pub found_ms: i64,
    /// When it was filled, milliseconds.
    pub filled_ms: Option<i64>,
}

/// Where something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapPlace {
    /// Batches of a chain: a later one names its predecessor, which is not here.
    Chain {
        /// The village.
        village: VillageId,
        /// Whose chain.
        device: DeviceId,
        /// Who wrote.
        person: UserId,
        /// The batch that proves it and waits.
        proof: BatchId,
    },
    /// Leaves of the log of an epoch that ended: a receipt or checkpoint proves how long it was.
    Log {
        /// The epoch.
        epoch: EpochId,
    },
}

/// Epochs, watermarks and gaps. Every call is one transaction and may block.
pub trait EpochStore: Send + Sync {
    /// How much of the log there is.
    fn extent(&self) -> Result<Extent, StoreError>;

    /// Ends the present epoch: writes the next one's beginning and link, the certificate of the server's
    /// new device, and the watermark of the backup that the file came from, all or nothing.
    /// [`StoreError::Conflict`] when the link does not go on from this very log.
    fn succeed(
        &self,
        link: &EpochLink,
        certificate: &SignedCertificate,
        watermark: &SignedWatermark,
    ) -> Result<(), StoreError>;

    /// The links that lead to the present epoch, oldest first.
    fn links(&self) -> Result<Vec<EpochLink>, StoreError>;

    /// Takes in something that this server signed in an epoch that ended.
    fn offered(&self, offer: &Offer, by: DeviceId, now_ms: i64) -> Result<Offered, StoreError>;

    /// As [`super::LedgerStore::ingest`], as of the time of a receipt of an epoch that ended. A receipt
    /// that cannot be verified is as if it had not come.
    fn ingest_again(
        &self,
        brought: &BroughtBack<'_>,
        now_ms: i64,
        key: &SecretKey,
    ) -> Result<Ingested, StoreError>;

    /// Writes that a verified backup holds the log up to `size`, with a leaf of its own;
    /// [`StoreError::Conflict`] when the log never had that root there.
    fn watermark_advance(
        &self,
        size: u64,
        root: &Hash,
        now_ms: i64,
        key: &SecretKey,
    ) -> Result<SignedWatermark, StoreError>;

    /// The newest watermark and its leaf.
    fn watermark(&self) -> Result<Option<(u64, SignedWatermark)>, StoreError>;

    /// Every gap ever found, open ones first.
    fn gaps(&self) -> Result<Vec<Gap>, StoreError>;

    /// Writes a consistent copy of everything to a new file, under the same key, while others go on.
    fn copy_to(&self, file: &std::path::Path) -> Result<(), StoreError>;
}
