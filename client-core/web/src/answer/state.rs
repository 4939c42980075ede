//! The device itself: whether it is open, what it has sent, how its last sync went.

use ruhu_client_core as core;
use serde::Serialize;

/// Where the store stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Standing {
    /// Whether there is a store.
    pub there: bool,
    /// Whether it is open, and its screen too.
    pub open: bool,
    /// Whether it is open behind a shut screen, which the PIN opens.
    pub paused: bool,
    /// Whether a PIN was chosen; known only while the store is open.
    pub has_pin: bool,
    /// Whether the device is enrolled; known only while it is open.
    pub enrolled: bool,
    /// For how many more milliseconds no passphrase is tried.
    pub locked_ms: u64,
    /// How many wrong tries there were since the last right one.
    pub wrong_tries: u32,
    /// Where the person was, as the page said it.
    pub place: Option<String>,
}

/// What an enrolment gave; or the words to compare first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Enrolment {
    /// Whose device it is; empty while the words wait for a person.
    pub user_name: String,
    /// How many villages it may work in.
    pub villages: usize,
    /// The server's key in six words.
    pub words: String,
    /// Whether it is done; otherwise call again with the words that a person compared.
    pub done: bool,
}

/// A village of this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[expect(missing_docs, reason = "each field is the field of `Village` of the same name")]
pub struct VillageLine {
    pub id: String,
    pub code: String,
    pub name: String,
    pub granted: bool,
    pub households: u64,
    pub synced_ms: Option<i64>,
    pub mismatch_ms: Option<i64>,
}

impl From<core::Village> for VillageLine {
    fn from(village: core::Village) -> Self {
        Self {
            id: village.id.to_string(),
            code: village.code,
            name: village.name,
            granted: village.granted,
            households: village.households,
            synced_ms: village.synced_ms,
            mismatch_ms: village.mismatch_ms,
        }
    }
}

/// The state of the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Status {
    /// Who it is; nothing before enrolment.
    pub device: Option<DeviceState>,
    /// Its villages.
    pub villages: Vec<VillageLine>,
    /// What the server has not receipted.
    pub unsent: Unsent,
    /// Own changes that the server did not accept.
    pub not_accepted: u64,
    /// Things that came and were set aside.
    pub set_aside: u64,
    /// The last sync.
    pub last_sync: Option<LastSync>,
    /// When the server's log was found to contradict itself; nothing is accepted since.
    pub log_inconsistent_ms: Option<i64>,
    /// How far the device's clock was ahead of the server's.
    pub clock_ahead_ms: Option<i64>,
}

/// Who the device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[expect(missing_docs, reason = "each field is the field of `DeviceStatus` of the same name")]
pub struct DeviceState {
    pub device: String,
    pub name: String,
    pub user: String,
    pub user_name: String,
    pub role: String,
    pub until_ms: i64,
    pub revoked: bool,
    pub provisional: bool,
    pub server: String,
    pub server_words: String,
}

/// What the server has not receipted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Unsent {
    /// Checks being filled in.
    pub drafts: u64,
    /// Changes not sealed into a batch yet.
    pub changes: u64,
    /// Batches never sent.
    pub queued: u64,
    /// Batches sent, without a receipt.
    pub sent: u64,
    /// Batches that the server will not take.
    pub turned_away: u64,
}

/// A sync that ended or was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[expect(missing_docs, reason = "each field is the field of `LastSync` of the same name")]
pub struct LastSync {
    pub started_ms: i64,
    pub ended_ms: Option<i64>,
    pub complete: bool,
    pub sent_bytes: u64,
    pub got_bytes: u64,
    pub receipts: u64,
    pub batches: u64,
}

impl From<core::Status> for Status {
    fn from(status: core::Status) -> Self {
        Self {
            device: status.device.map(DeviceState::from),
            villages: status.villages.into_iter().map(VillageLine::from).collect(),
            unsent: Unsent {
                drafts: status.unsent.drafts,
                changes: status.unsent.changes,
                queued: status.unsent.queued,
                sent: status.unsent.sent,
                turned_away: status.unsent.turned_away,
            },
            not_accepted: status.not_accepted,
            set_aside: status.set_aside,
            last_sync: status.last_sync.map(LastSync::from),
            log_inconsistent_ms: status.log_inconsistent_ms,
            clock_ahead_ms: status.clock_ahead_ms,
        }
    }
}

impl From<core::DeviceStatus> for DeviceState {
    fn from(device: core::DeviceStatus) -> Self {
        Self {
            device: device.device.to_string(),
            name: device.name,
            user: device.user.to_string(),
            user_name: device.user_name,
            role: device.role.name().to_owned(),
            until_ms: device.until_ms,
            revoked: device.revoked_ms.is_some(),
            provisional: device.provisional,
            server: device.server,
            server_words: device.server_words.join(" "),
        }
    }
}

impl From<core::LastSync> for LastSync {
    fn from(sync: core::LastSync) -> Self {
        Self {
            started_ms: sync.started_ms,
            ended_ms: sync.ended_ms,
            complete: sync.outcome == "complete",
            sent_bytes: sync.sent_bytes,
            got_bytes: sync.got_bytes,
            receipts: sync.receipts,
            batches: sync.batches,
        }
    }
}

/// How far a sync has come, counted in receipts and stored batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[expect(missing_docs, reason = "each field is the field of `Progress` of the same name")]
pub struct Progress {
    pub receipts: u64,
    pub to_send: u64,
    pub relayed: u64,
    pub villages_done: u64,
    pub villages: u64,
}

impl From<core::Progress> for Progress {
    fn from(progress: core::Progress) -> Self {
        Self {
            receipts: progress.receipts,
            to_send: progress.to_send,
            relayed: progress.relayed,
            villages_done: progress.villages_done,
            villages: progress.villages,
        }
    }
}

/// What a sync did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SyncResult {
    /// `complete`, `paused`, or why the link failed: `unreachable`, `cut`, `stalled`, `unclear`, `address`, `other`.
    pub outcome: String,
    /// How far it came.
    pub progress: Progress,
    /// Own changes that the server did not accept.
    pub not_accepted: u64,
    /// Own batches still without a receipt.
    pub waiting: u64,
    /// Whether a person has to enrol this device again.
    pub provisional: bool,
    /// Whether the village's changes differ from the server's.
    pub mismatched: bool,
    /// Bytes of request bodies.
    pub sent_bytes: u64,
    /// Bytes of response bodies.
    pub got_bytes: u64,
}

impl From<core::SyncReport> for SyncResult {
    fn from(report: core::SyncReport) -> Self {
        let outcome = match &report.outcome {
            core::SyncOutcome::Complete => "complete",
            core::SyncOutcome::Paused => "paused",
            core::SyncOutcome::Interrupted(error) => link_failure(error),
        };
        Self {
            outcome: outcome.to_owned(),
            progress: report.progress.into(),
            not_accepted: report.not_accepted,
            waiting: report.waiting,
            provisional: report.provisional,
            mismatched: !report.mismatched.is_empty(),
            sent_bytes: report.sent_bytes,
            got_bytes: report.got_bytes,
        }
    }
}

/// The stable code of a failing link.
pub(crate) const fn link_failure(error: &core::TransportError) -> &'static str {
    match error {
        core::TransportError::Unreachable => "unreachable",
        core::TransportError::Cut => "cut",
        core::TransportError::Stalled => "stalled",
        core::TransportError::Unclear => "unclear",
        core::TransportError::Address(_) => "address",
        _ => "other",
    }
}

/// An own change that the server did not accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RefusedLine {
    /// The document, `<kind>/<id>`.
    pub document: String,
    /// The keys it wrote.
    pub keys: Vec<String>,
    /// Whether it is kept apart until two people decide; else it was refused.
    pub quarantined: bool,
    /// The rule's code.
    pub rule: String,
    /// Whether it was written anew.
    pub replaced: bool,
}

/// A device whose certificate is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DeviceLine {
    /// Its id.
    pub device: String,
    /// Its label.
    pub name: String,
    /// The role of its person.
    pub role: String,
    /// Whether its key was revoked.
    pub revoked: bool,
}

impl From<core::NotAccepted> for RefusedLine {
    fn from(change: core::NotAccepted) -> Self {
        Self {
            document: change.document.to_string(),
            keys: change.keys,
            quarantined: matches!(change.state, core::SendState::Quarantined(_)),
            rule: change.state.rule().unwrap_or_default().to_owned(),
            replaced: change.replaced_by.is_some(),
        }
    }
}

impl From<core::KnownDevice> for DeviceLine {
    fn from(device: core::KnownDevice) -> Self {
        Self {
            device: device.device.to_string(),
            name: device.name,
            role: device.role.name().to_owned(),
            revoked: device.revoked_ms.is_some(),
        }
    }
}

/// A village as this device knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[expect(missing_docs, reason = "each field is the field of `Overview` of the same name")]
pub struct Overview {
    pub as_of_ms: Option<i64>,
    pub households: u64,
    pub done: u64,
    pub never: u64,
    pub conflicts: u64,
    pub devices: Vec<DeviceSeen>,
}

/// A device as the batches here tell of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[expect(missing_docs, reason = "each field is the field of `DeviceSeen` of the same name")]
pub struct DeviceSeen {
    pub device: String,
    pub name: String,
    pub role: String,
    pub revoked: bool,
    pub own: bool,
    pub received_ms: Option<i64>,
    pub received: u64,
    pub waiting: u64,
    pub lacking: u64,
}

impl From<core::Overview> for Overview {
    fn from(overview: core::Overview) -> Self {
        Self {
            as_of_ms: overview.as_of_ms,
            households: overview.households,
            done: overview.done,
            never: overview.never,
            conflicts: overview.conflicts,
            devices: overview.devices.into_iter().map(DeviceSeen::from).collect(),
        }
    }
}

impl From<core::DeviceSeen> for DeviceSeen {
    fn from(seen: core::DeviceSeen) -> Self {
        Self {
            device: seen.device.to_string(),
            name: seen.name,
            role: seen.role.name().to_owned(),
            revoked: seen.revoked,
            own: seen.own,
            received_ms: seen.received_ms,
            received: seen.received,
            waiting: seen.waiting,
            lacking: seen.lacking,
        }
    }
}
