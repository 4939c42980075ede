//! Photos: where each stands, and how far their sending has come.

use ruhu_client_core as core;
use ruhu_survey::photo::PhotoKind;
use serde::Serialize;

use crate::answer::link_failure;

/// A photo or signature that a check or a household names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PhotoLine {
    /// Its name: 64 hexadecimal digits.
    pub photo: String,
    /// `check/…` or `household/…`: what names it.
    pub document: String,
    /// The key at which it does.
    pub key: String,
    /// `photo` or `signature`; null while nothing of it is here.
    pub kind: Option<&'static str>,
    /// When it was taken, by the clock of the device that took it.
    pub taken_ms: Option<i64>,
    /// `draft`, `waiting`, `received`, `here` or `elsewhere`: the last two of photos of other devices.
    pub state: &'static str,
    /// Bytes that the server is known to hold, of one that waits.
    pub sent: u64,
    /// Bytes in all, of one that waits.
    pub total: u64,
}

impl From<core::ListedPhoto> for PhotoLine {
    fn from(photo: core::ListedPhoto) -> Self {
        let (state, sent, total) = match photo.state {
            core::PhotoState::Draft => ("draft", 0, 0),
            core::PhotoState::Waiting { sent, total } => ("waiting", sent, total),
            core::PhotoState::Received { .. } => ("received", 0, 0),
            core::PhotoState::Others { here: true } => ("here", 0, 0),
            core::PhotoState::Others { here: false } => ("elsewhere", 0, 0),
        };
        Self {
            photo: photo.address.to_string(),
            document: photo.document.to_string(),
            key: photo.key,
            kind: photo.kind.map(PhotoKind::name),
            taken_ms: photo.taken_ms,
            state,
            sent,
            total,
        }
    }
}

/// How far the sending of photos has come, counted in the server's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[expect(missing_docs, reason = "each field is the field of `PhotoProgress` of the same name")]
pub struct PhotoProgress {
    pub received: u64,
    pub to_send: u64,
    pub bytes: u64,
    pub bytes_to_send: u64,
}

impl From<core::PhotoProgress> for PhotoProgress {
    fn from(progress: core::PhotoProgress) -> Self {
        Self {
            received: progress.received,
            to_send: progress.to_send,
            bytes: progress.bytes,
            bytes_to_send: progress.bytes_to_send,
        }
    }
}

/// What the sending of photos did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PhotoResult {
    /// `complete`, `text_first`, `later`, or why the link failed, as of a sync.
    pub outcome: String,
    /// How far it came.
    pub progress: PhotoProgress,
    /// Photos that the server does not take.
    pub refused: usize,
    /// Photos that still wait.
    pub waiting: u64,
}

impl PhotoResult {
    /// What a run did, and how many photos wait after it.
    #[must_use]
    pub fn new(report: &core::PhotoReport, waiting: u64) -> Self {
        let outcome = match &report.outcome {
            core::PhotoOutcome::Complete => "complete",
            core::PhotoOutcome::TextFirst => "text_first",
            core::PhotoOutcome::Stopped | core::PhotoOutcome::Later { .. } => "later",
            core::PhotoOutcome::Interrupted(error) => link_failure(error),
        };
        Self {
            outcome: outcome.to_owned(),
            progress: report.progress.into(),
            refused: report.refused.len(),
            waiting,
        }
    }
}
