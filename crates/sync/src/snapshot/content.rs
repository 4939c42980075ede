//! What a snapshot holds: documents with their changes, where each change comes from, and who signed it.

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::DocumentId;
use ruhu_survey::id::{DeviceId, HouseholdId, UserId};

use crate::state::DocumentToken;

/// The content of a snapshot. Every list is strictly ascending in what names its items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Every certificate of the village and of whoever wrote in it, by serial number.
    pub certificates: Vec<SignedCertificate>,
    /// Every revocation of the village, by device.
    pub revocations: Vec<SignedRevocation>,
    /// The batches that a change of the content came in, and the tips of all chains, by sequence.
    pub batches: Vec<BatchLine>,
    /// The documents, by kind and id.
    pub documents: Vec<DocumentPart>,
    /// The documents whose changes are left out, by household and token.
    pub left_out: Vec<LeftOut>,
}

/// What is known of a batch without the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchLine {
    /// Its number in the village's feed.
    pub sequence: u64,
    /// Its name.
    pub id: BatchId,
    /// The device that signed it.
    pub device: DeviceId,
    /// Who wrote.
    pub user: UserId,
    /// Its number in the device's chain in this village.
    pub number: u64,
    /// The batch before it in the chain.
    pub previous: Option<BatchId>,
    /// The author's clock when it was sealed, milliseconds since 1970. A claim.
    pub wall_ms: i64,
    /// When the server had it durably, milliseconds since 1970: "not after".
    pub received_ms: i64,
    /// When the log had reached the size that the batch is anchored to: "not before".
    pub anchor_ms: Option<i64>,
    /// Whether no other batch follows it in its chain: the version vector names the tips.
    pub tip: bool,
    /// The store openings that the actors of its changes derive from.
    pub openings: Vec<[u8; 8]>,
    /// How many roots (changes without dependencies) its chain has before it: replay streams name documents by
    /// them.
    pub roots_before: u64,
    /// The places of its own roots, ascending.
    pub roots: Vec<u16>,
}

impl BatchLine {
    /// How many roots its chain has up to and with it.
    #[must_use]
    pub fn roots_after(&self) -> u64 {
        self.roots_before.wrapping_add(self.roots.len() as u64)
    }

    /// The number in its chain of the root at a place; nothing when no root is there.
    #[must_use]
    pub fn root_at(&self, position: u16) -> Option<u64> {
        let place = self.roots.binary_search(&position).ok()?;
        Some(self.roots_before.wrapping_add(place as u64))
    }
}

/// One document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentPart {
    /// Which one.
    pub id: DocumentId,
    /// Its accepted changes, each after all that it stands on: by first operation number, then hash.
    pub accepted: Vec<ChangeLine>,
    /// The changes that the server keeps apart from it, by batch and place.
    pub apart: Vec<(ChangeLine, Verdict)>,
}

/// One change and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeLine {
    /// The change as Automerge stores it.
    pub bytes: Vec<u8>,
    /// The place of its batch in [`Content::batches`].
    pub batch: usize,
    /// Its place in that batch.
    pub position: u16,
}

/// A document whose changes are not in the content: an older check, which the server gives when asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// The household it is about.
    pub household: HouseholdId,
    /// The document as it stood.
    pub token: DocumentToken,
    /// What its accepted changes add to the village's fingerprint.
    pub sum: u64,
}
