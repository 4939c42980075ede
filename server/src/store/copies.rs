//! What the server asks of a database to give a village, or some of its documents, in one piece.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::snapshot::SignedSnapshot;
use ruhu_survey::change::DocumentId;
use ruhu_survey::id::{EpochId, HouseholdId, VillageId};
use ruhu_sync::DocumentToken;
use ruhu_sync::snapshot::{Content, Sealed};

use super::StoreError;
use crate::relay::Relay;

/// The newest snapshot of a village, and how far the feed has gone on since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// What was signed.
    pub statement: SignedSnapshot,
    /// Feed entries of the village after it.
    pub entries_since: u64,
}

/// What a snapshot is made of, read in one view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Material {
    /// The present epoch.
    pub epoch: EpochId,
    /// The village's last feed entry.
    pub number: u64,
    /// The fingerprint there.
    pub fingerprint: u64,
    /// Everything that a new device begins with.
    pub content: Content,
}

/// How the documents of a village stand by their accepted changes, read in one view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    /// The fingerprint of the changes.
    pub fingerprint: u64,
    /// Each document by its token.
    pub documents: BTreeMap<DocumentToken, DocumentId>,
}

/// Snapshots, and documents apart from the feed. Every call is one transaction and may block.
pub trait CopyStore: Send + Sync {
    /// The newest snapshot of a village in the present epoch.
    fn snapshot(&self, village: VillageId) -> Result<Option<Newest>, StoreError>;

    /// Feed entries of a village.
    fn feed_entries(&self, village: VillageId) -> Result<u64, StoreError>;

    /// The packed bytes of a village's snapshot from one byte on, at most so many; none when it is not kept.
    fn snapshot_bytes(
        &self,
        village: VillageId,
        id: &[u8; 32],
        from: u64,
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, StoreError>;

    /// What a snapshot of the village is made of now; none while something waits for the belt.
    fn snapshot_material(&self, village: VillageId) -> Result<Option<Material>, StoreError>;

    /// Keeps a snapshot, and of the village's others the newest, `kept_max` in all.
    fn snapshot_keep(&self, sealed: &Sealed, kept_max: u32) -> Result<(), StoreError>;

    /// How the documents of a village stand, from the accepted changes themselves.
    fn document_tokens(&self, village: VillageId) -> Result<Tokens, StoreError>;

    /// The household's document and every document that names the household; none when nobody wrote it.
    fn documents_of(
        &self,
        village: VillageId,
        household: HouseholdId,
    ) -> Result<BTreeSet<DocumentId>, StoreError>;

    /// The batches after a feed entry that hold changes of these documents, and the decisions about those.
    fn relay_documents(
        &self,
        village: VillageId,
        documents: &BTreeSet<DocumentId>,
        after: u64,
        bytes_max: u64,
    ) -> Result<Relay, StoreError>;
}
