//! How a session ended, and what it moved.

use ruhu_survey::id::{DeviceId, VillageId};

use crate::frame::WireError;
use crate::protocol::Refused;

/// What went wrong between the device and an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection could be made.
    #[error("the server cannot be reached")]
    Unreachable,
    /// The connection was lost on the way.
    #[error("the connection was cut")]
    Cut,
    /// Nothing moved for too long.
    #[error("nothing moved for too long")]
    Timeout,
    /// The server asked to come back later.
    #[error("the server is busy")]
    Busy,
    /// The server does not accept this device: revoked, expired, or not enrolled here.
    #[error("the server does not accept this device")]
    Denied,
    /// Something answered that is no answer, such as the log-in page of a network.
    #[error("the answer cannot be read")]
    Malformed,
    /// The two sides do not understand each other.
    #[error(transparent)]
    Refused(Refused),
    /// The server answered, and nothing came of it.
    #[error("the server answered without settling anything")]
    Stalled,
}

impl TransportError {
    /// Whether a smaller request may get through.
    pub(super) fn shrinks(&self) -> bool {
        matches!(self, Self::Cut | Self::Timeout | Self::Malformed)
    }

    /// Whether asking again is of no use.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Denied | Self::Refused(_))
    }
}

impl From<WireError> for TransportError {
    fn from(error: WireError) -> Self {
        match (error.refusal(), &error) {
            (Some(refused), _) => Self::Refused(refused.clone()),
            (None, WireError::Cut) => Self::Cut,
            (None, _) => Self::Malformed,
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was settled that could be: see the counts for what was rejected or staged.
    #[default]
    Complete,
    /// Too many requests failed in a row. Nothing is lost; sync again later.
    GaveUp(TransportError),
    /// The server refused the request; says which side to upgrade when that is why.
    Refused(Refused),
    /// It did a great deal and there is more: sync again at once.
    Paused,
}

/// What a session did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Batches put into requests; one that was sent twice counts twice.
    pub sent: u64,
    /// Batches of this device's store that got their receipt.
    pub received: u64,
    /// Batches that the server relayed and the device stored; one that came twice counts twice.
    pub relayed: u64,
    /// Decisions stored.
    pub decisions: u64,
    /// Batches that wait at the server for one before them, without a receipt.
    pub staged: u64,
    /// Batches that the server will not take.
    pub rejected: u64,
    /// Batches still to be sent.
    pub waiting: u64,
    /// Household keys that the server has not confirmed.
    pub keys_waiting: u64,
    /// Requests made.
    pub rounds: u32,
    /// Requests that failed, or were cut, or settled nothing.
    pub retries: u32,
    /// Bytes of batches and keys planned into requests.
    pub bytes_up: u64,
    /// Bytes of relayed batches.
    pub bytes_down: u64,
    /// The chains of which the server lacks batches that this session was not given to send: queue them
    /// again for the next one.
    pub missing: Vec<Missing>,
}

/// A chain of which the server lacks batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// The village.
    pub village: VillageId,
    /// Whose chain.
    pub device: DeviceId,
    /// The number that the server expects next.
    pub expected: u64,
}
