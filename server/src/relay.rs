//! What a device is given of a village: batches with their receipts, decisions, certificates.
//!
//! Which of them is `ruhu_sync`'s rule ([`ruhu_sync::answer`]); this holds the question and the answer.

use std::collections::BTreeSet;

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::decision::SignedDecision;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_survey::id::VillageId;
use ruhu_sync::{ChainTip, Cursor};

/// What a device says it has of one village.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The village.
    pub village: VillageId,
    /// How far it was given the feed.
    pub cursor: Option<Cursor>,
    /// The tips of the chains it holds, as far as the cursor does not stand for them.
    pub vector: BTreeSet<ChainTip>,
    /// The batches that came with the question.
    pub sent: BTreeSet<BatchId>,
    /// About how many bytes the answer may have; at least one entry is given.
    pub bytes_max: u64,
}

/// What the device lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Certificates, oldest first; to be given before the entries.
    pub certificates: Vec<SignedCertificate>,
    /// Revocations, oldest first.
    pub revocations: Vec<SignedRevocation>,
    /// Batches and decisions in the order of the feed.
    pub entries: Vec<Entry>,
    /// Everything at or below it has been given.
    pub cursor: Cursor,
    /// The fingerprint of what is accepted at or below the cursor.
    pub fingerprint: u64,
    /// Whether the feed goes on after the cursor: ask again.
    pub more: bool,
    /// Whether entries after the cursor wait for the belt: settle it and ask again.
    pub unsettled: bool,
    /// Whether the cursor that was asked with means nothing here. Then nothing is given: the device is to ask
    /// without it, with its whole vector.
    pub vector_wanted: bool,
}

/// One entry of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A batch, byte for byte as its author sent it.
    Batch {
        /// Its number in the feed.
        sequence: u64,
        /// The batch.
        bytes: Vec<u8>,
        /// The receipt given for it.
        receipt: Box<SignedReceipt>,
    },
    /// A later decision over a change.
    Decision {
        /// Its number in the feed.
        sequence: u64,
        /// The decision.
        decision: Box<SignedDecision>,
    },
}
