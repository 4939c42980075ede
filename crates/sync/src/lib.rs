//! The sync protocol as data: the wire format, what a server relays, and a device's session.
//!
//! Nothing here does I/O, waits, or reads a clock. The wire format is in [`frame`], [`request`] and
//! [`response`]; `schemas/wire/sync.md` documents it byte by byte. [`session`] is the device's side of
//! a sync as a state machine, [`answer`] the server's choice of what to send. Neither looks inside a
//! batch: the unit of transfer is a signed batch of bytes with an id.

pub mod announce;
pub mod answer;
pub mod authenticate;
pub mod bundle;
pub mod fingerprint;
pub mod founded_keys;
pub mod frame;
pub mod key_bytes;
pub mod limits;
pub mod offer;
pub mod peer;
pub mod photo;
pub mod protocol;
pub mod reconcile;
pub mod repair;
pub mod request;
pub mod response;
pub mod resume;
pub mod session;
pub mod snapshot;
pub mod state;
pub mod vector;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod samples;

pub use ruhu_ledger::batch::BatchId;

pub use fingerprint::Fingerprint;
pub use founded_keys::FoundedKeys;
pub use frame::{FrameReader, WireError, encode_all};
pub use key_bytes::KeyBytes;
pub use offer::Offer;
pub use protocol::{PROTOCOL_VERSION, Refused, Side};
pub use request::RequestFrame;
pub use response::ResponseFrame;
pub use session::Session;
pub use state::DocumentToken;
pub use vector::{ChainTip, Cursor};
