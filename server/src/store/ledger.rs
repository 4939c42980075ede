//! What the server asks of a database about batches, documents and the log.

use ruhu_ledger::batch::{Anchor, BatchBody, BatchId};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::replay::{Previous, ReplayBatch, ReplayWriter};
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::tree::Hash;
use ruhu_survey::change::{ActorId, DocumentId};
use ruhu_survey::id::{DeviceId, UserId, VillageId};
use ruhu_survey::register::Register;
use ruhu_sync::resume::RequestId;

use super::StoreError;
use crate::belt::{Found, Pending};
use crate::ingest::{Ingested, Outcome, Rejection};
use crate::quarantine::{Quarantined, Ruled, Ruling};
use crate::relay::{Asked, Relay};
use crate::verify::Verified;

/// A signed checkpoint of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The leaves it covers.
    pub size: u64,
    /// Their root.
    pub root: Hash,
    /// The C2SP signed note.
    pub note: String,
}

/// A canonical leaf, and the hashes that lead from it to the root.
pub type Included = (Vec<u8>, Vec<Hash>);

/// The end of a chain's longest branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// The last batch.
    pub batch: BatchId,
    /// Its number.
    pub number: u64,
}

/// A chain with more than one branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The first number that two batches have.
    pub number: u64,
    /// The end of each branch with its number, the highest first.
    pub tips: Vec<(u64, BatchId)>,
}

/// Changes that the server writes as a device of its own.
#[derive(Debug)]
pub struct OwnBatch<'a> {
    /// The key of the server's own device.
    pub device_key: &'a SecretKey,
    /// Who ran the command.
    pub user: UserId,
    /// The village.
    pub village: VillageId,
    /// The version of the document schema.
    pub schema: u16,
    /// The changes and the openings of their actors.
    pub body: BatchBody,
}

/// Batches, documents and the log. Every call is one transaction and may block.
///
/// `key` is the secret key of the present epoch; with any other key a call that signs is
/// [`StoreError::Conflict`] and writes nothing.
pub trait LedgerStore: Send + Sync {
    /// Takes one batch in, durably; batches that waited for it follow, each in its own transaction.
    fn ingest(&self, batch: &[u8], now_ms: i64, key: &SecretKey) -> Result<Ingested, StoreError>;

    /// Puts a batch together that came in a replay stream, and takes it in as any other. The inner error says
    /// why it is wanted raw.
    fn ingest_replay(
        &self,
        village: VillageId,
        replayed: &ReplayBatch,
        previous: Previous,
        now_ms: i64,
        key: &SecretKey,
    ) -> Result<Result<Ingested, Rejection>, StoreError>;

    /// Writes the batch at a feed entry, with its receipt, onto an answer's replay stream; none when it has to
    /// be relayed raw.
    fn relay_replay(&self, sequence: u64, writer: &mut ReplayWriter) -> Result<Option<Vec<u8>>, StoreError>;

    /// The anchor of a device whose newest checkpoint has that size.
    fn anchor(&self, size: u64) -> Result<Anchor, StoreError>;

    /// Seals changes of the server's own device onto the end of its chain and takes them in, in one
    /// transaction, so that two processes cannot fork the chain.
    fn author(&self, own: &OwnBatch<'_>, now_ms: i64, key: &SecretKey) -> Result<Outcome, StoreError>;

    /// The receipt of a batch that was received.
    fn receipt(&self, batch: BatchId) -> Result<Option<SignedReceipt>, StoreError>;

    /// What a device lacks of a village, as far as the belt has been.
    fn relay(&self, asked: &Asked) -> Result<Relay, StoreError>;

    /// Some documents whose newest changes were not yet shown to load; none when all were.
    fn belt_pending(&self) -> Result<Vec<Pending>, StoreError>;

    /// Takes up what the belt found: derived tables follow, offenders go into quarantine. Returns how
    /// many changes went there. A finding overtaken by newer changes stays pending.
    fn belt_settle(&self, found: &[Found], now_ms: i64, key: &SecretKey) -> Result<usize, StoreError>;

    /// Signs a checkpoint over all durable leaves and keeps it, unless the newest one covers them already.
    fn checkpoint_sign(&self, now_ms: i64, key: &SecretKey) -> Result<StoredCheckpoint, StoreError>;

    /// The newest checkpoint.
    fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, StoreError>;

    /// The hashes that show the log at `to` to continue the log at `from`; none when `from` is above `to`
    /// or `to` above the log's size.
    fn consistency(&self, from: u64, to: u64) -> Result<Option<Vec<Hash>>, StoreError>;

    /// A leaf and the hashes that show it to be in the log of `size` leaves; none when it is not.
    fn inclusion(&self, leaf: u64, size: u64) -> Result<Option<Included>, StoreError>;

    /// The live values of a document at its heads, for whoever writes the next change.
    fn register(&self, village: VillageId, document: DocumentId) -> Result<Register, StoreError>;

    /// The actor of the first change of a document, of those that are accepted.
    fn founding_actor(&self, village: VillageId, document: DocumentId)
    -> Result<Option<ActorId>, StoreError>;

    /// The end of the longest branch of a device's chain in a village.
    fn tip(&self, village: VillageId, device: DeviceId) -> Result<Option<Tip>, StoreError>;

    /// Keeps the bytes of a device's request that was cut, in the place of any other of that device; shorter
    /// ones of the same request do not replace longer ones. Bytes past their time are forgotten.
    fn held_put(
        &self,
        device: DeviceId,
        request: RequestId,
        bytes: &[u8],
        now_ms: i64,
    ) -> Result<(), StoreError>;

    /// The bytes that are kept of a device's request.
    fn held(&self, device: DeviceId, request: RequestId, now_ms: i64) -> Result<Option<Vec<u8>>, StoreError>;

    /// Forgets the bytes kept for a device.
    fn held_drop(&self, device: DeviceId) -> Result<(), StoreError>;

    /// Where a device's chain in a village has forked; none where it has one branch.
    fn fork(&self, village: VillageId, device: DeviceId) -> Result<Option<Fork>, StoreError>;

    /// What is in quarantine, in the order in which it came; of one village or of all.
    fn in_quarantine(&self, village: Option<VillageId>) -> Result<Vec<Quarantined>, StoreError>;

    /// Takes up what a person says about a change in quarantine: the first one proposes, a second one who
    /// says the same decides. A decision is signed, in the log and in the feed.
    fn rule_on(&self, ruling: &Ruling, now_ms: i64, key: &SecretKey) -> Result<Ruled, StoreError>;

    /// Recomputes everything that can be recomputed and names what differs.
    fn verify(&self) -> Result<Verified, StoreError>;

    /// Empties the derived tables and makes the documents again from the accepted raw changes; the rest
    /// follows when the belt is settled.
    fn rebuild_documents(&self) -> Result<u64, StoreError>;
}
