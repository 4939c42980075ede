//! What two devices hand one another, over a local link, in a bundle file or as a code to scan.
//!
//! A peer is not the server: it receipts nothing and moves no cursor. It hands on what it holds, each thing
//! with the signatures that prove it, and the receiver verifies all of it again.

pub mod frame;
pub mod holding;
pub mod proof;
pub mod replay;

pub use frame::{CarriedBatch, CarriedReceipt, HouseholdKeys, PeerFrame};
pub use holding::{Give, Holding, Item, to_give};
pub use proof::{Bounds, PeerRefusal, PeerSide, Proof};
pub use replay::{CarriedReplay, PieceReader, replay_writer};

#[cfg(test)]
mod tests;
