//! Guarantees broken on purpose, one at a time, to show that a world notices.
//!
//! Nothing of it is in the product: a meddler stands between the server and its disk, between the server
//! and the devices, or in front of what a device shows.

use std::collections::BTreeMap;

use ruhu_ledger::batch::{Batch, BatchId};
use ruhu_survey::id::DeviceId;
use ruhu_sync::frame::decode_all;
use ruhu_sync::response::Relayed;
use ruhu_sync::{ResponseFrame, encode_all};
use rusqlite::Connection;

use crate::disk::Copy;
use crate::host::Host;

/// A guarantee that can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// The server answers before its disk has what it answers for.
    AckBeforeCommit,
    /// The server forgets what it quarantined.
    DropOnQuarantine,
    /// What a device lacks is judged by clocks.
    WallClockCursor,
    /// A batch counts as known when another of its device and number is.
    SkipForkCheck,
    /// A device shows the value that Automerge takes for the winner.
    AutomergeWinner,
}

impl Breakage {
    /// Every breakage.
    pub const ALL: [Self; 5] = [
        Self::AckBeforeCommit,
        Self::DropOnQuarantine,
        Self::WallClockCursor,
        Self::SkipForkCheck,
        Self::AutomergeWinner,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AckBeforeCommit => "ack-before-commit",
            Self::DropOnQuarantine => "drop-on-quarantine",
            Self::WallClockCursor => "wall-clock-cursor",
            Self::SkipForkCheck => "skip-fork-check",
            Self::AutomergeWinner => "automerge-winner",
        }
    }
}

/// Breaks one guarantee, or none.
#[derive(Debug, Default)]
pub struct Meddler {
    breakage: Option<Breakage>,
    /// By node: when its last sync was, by its clock.
    synced: BTreeMap<usize, i64>,
    /// By node, device and number: the batch that was given first.
    given: BTreeMap<(usize, DeviceId, u64), BatchId>,
    /// What the disk still has when it lied about the writes of the last request.
    before: Option<Copy>,
}

impl Meddler {
    /// Breaks this.
    #[must_use]
    pub fn new(breakage: Option<Breakage>) -> Self {
        Self { breakage, ..Self::default() }
    }

    /// What is broken.
    #[must_use]
    pub fn breaks(&self, breakage: Breakage) -> bool {
        self.breakage == Some(breakage)
    }

    /// Before a request reaches the server.
    pub fn before_request(&mut self, host: &Host) {
        if self.breaks(Breakage::AckBeforeCommit) {
            self.before = Some(host.copy());
        }
    }

    /// After the server has answered.
    pub fn after_request(&mut self, host: &Host) {
        if self.breaks(Breakage::DropOnQuarantine) && host.router().is_some() {
            let forget = "PRAGMA foreign_keys = OFF; DELETE FROM change WHERE standing = 3;";
            // A server that dies just now does not come to it.
            let _ = Connection::open(host.database()).and_then(|database| database.execute_batch(forget));
        }
    }

    /// After the server was killed, before it is started again.
    pub fn after_kill(&mut self, host: &Host) {
        if let Some(before) = self.before.take() {
            host.put_back(&before);
        }
    }

    /// An answer on its way to a device, whose sync began at a moment of its clock.
    pub fn answer(&mut self, node: usize, now_ms: i64, body: Vec<u8>) -> Vec<u8> {
        let hides = self.breaks(Breakage::WallClockCursor) || self.breaks(Breakage::SkipForkCheck);
        let Some(frames) = hides.then(|| decode_all::<ResponseFrame>(&body).ok()).flatten() else {
            return body;
        };
        let since = self.synced.get(&node).copied().unwrap_or(i64::MIN);
        self.synced.insert(node, now_ms);
        let kept = frames.into_iter().filter(|frame| match frame {
            ResponseFrame::Relayed(relayed) => self.relays(node, since, relayed),
            _ => true,
        });
        encode_all(&kept.collect::<Vec<_>>())
    }

    fn relays(&mut self, node: usize, since: i64, relayed: &Relayed) -> bool {
        if self.breaks(Breakage::WallClockCursor) {
            return relayed.receipt.statement.received_ms >= since;
        }
        let Ok(batch) = Batch::from_bytes(&relayed.batch) else { return true };
        let place = (node, batch.header.device, batch.header.number);
        *self.given.entry(place).or_insert_with(|| batch.id()) == batch.id()
    }
}
