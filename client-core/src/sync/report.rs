//! What a sync counts, and how it tells.

use ruhu_survey::id::VillageId;
use serde::Serialize;

use crate::error::Error;
use crate::receive::{Restored, Taken};
use crate::store::repair::Repair;
use crate::transport::TransportError;

/// How far a sync has come. Counted in receipts and stored batches, never guessed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Progress {
    /// Own batches that the server has durably, in this sync.
    pub receipts: u64,
    /// Own batches that this sync set out to send.
    pub to_send: u64,
    /// Batches of others that were stored.
    pub relayed: u64,
    /// Batches carried for others that the server has durably, in this sync.
    pub carried: u64,
    /// Villages that are caught up.
    pub villages_done: u64,
    /// Villages that this sync set out to catch up.
    pub villages: u64,
}

/// How a sync ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncOutcome {
    /// Everything that could be settled was.
    Complete,
    /// It did a great deal and there is more: sync again at once.
    Paused,
    /// The link failed too often. What came before it is kept; sync again later.
    Interrupted(TransportError),
}

/// What a sync did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncReport {
    /// How it ended.
    pub outcome: SyncOutcome,
    /// How far it came.
    pub progress: Progress,
    /// Own changes that the server did not accept: see [`Client::refused`](crate::Client::refused).
    pub not_accepted: u64,
    /// Own changes written anew in the place of some that were not accepted, and sent.
    pub rewritten: u64,
    /// Whether a person has to enrol this device again: its store was copied or restored.
    pub provisional: bool,
    /// Things that came and were set aside: see [`Client::set_aside`](crate::Client::set_aside).
    pub set_aside: u64,
    /// Own batches still without a receipt.
    pub waiting: u64,
    /// Requests made to the sync address.
    pub requests: u64,
    /// How many of them went on where a cut had left the one before.
    pub resumed: u64,
    /// Bytes of request bodies.
    pub sent_bytes: u64,
    /// Bytes of response bodies.
    pub got_bytes: u64,
    /// Villages taken over in one piece.
    pub snapshots: u64,
    /// What was repaired, or could not be.
    pub repairs: Vec<Repair>,
    /// Villages whose changes still differ from the server's by fingerprint.
    pub mismatched: Vec<VillageId>,
    /// The server turned out to have been restored from a backup.
    pub restored: Option<Restored>,
}

/// What is counted while a sync runs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) progress: Progress,
    pub(crate) not_accepted: u64,
    pub(crate) rewritten: u64,
    pub(crate) set_aside: u64,
    pub(super) freed: u64,
    pub(crate) requests: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) got_bytes: u64,
    pub(super) resumed: u64,
    /// Villages taken over from a snapshot.
    pub(crate) snapshots: u64,
    pub(crate) repairs: Vec<Repair>,
    /// The last refusal of a request that was worth trying again.
    pub(crate) busy: Option<Error>,
    pub(super) restored: Option<Restored>,
    /// The rows of what the last request offered.
    pub(super) offered: Vec<i64>,
    /// Whether this device has shown its certificate to a server that did not know it.
    pub(super) introduced: bool,
    pub(super) sessions: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, taken: &Taken) {
        self.progress.receipts += taken.receipts;
        self.progress.relayed += taken.relayed;
        self.progress.carried += taken.carried;
        self.freed += taken.freed;
        self.progress.villages_done += taken.caught_up.len() as u64;
        self.not_accepted += taken.not_accepted;
        self.rewritten += taken.rewritten;
        self.set_aside += taken.set_aside;
        if taken.restored.is_some() {
            self.restored.clone_from(&taken.restored);
        }
    }
}
