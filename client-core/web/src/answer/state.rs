//! The device itself: whether it is open, what it has sent, how its last sync went.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
    /// What the phone's own lock is to be asked with, where it opens the store.
    pub phone_lock: Option<PhoneLock>,
    /// How many wrong tries there were since the last right one.
    pub wrong_tries: u32,
    /// Where the person was, as the page said it.
    pub place: Option<String>,
}

/// What the phone's own lock is to be asked with; both in standard base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PhoneLock {
    /// The id of the credential that the phone made.
    pub credential: String,
    /// The input of its function.
    pub input: String,
}

impl From<core::PhoneLock> for PhoneLock {
    fn from(lock: core::PhoneLock) -> Self {
        Self { credential: STANDARD.encode(lock.credential), input: STANDARD.encode(lock.input) }
    }
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

/// What a sync did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SyncResult {
    /// `complete`, `paused`, or why the link failed: `unreachable`, `cut`, `stalled`, `unclear`, `address`, `other`.
    pub outcome: String,
    /// How far it came.
    pub progress: core::Progress,
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
            progress: report.progress,
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
