//! What devices hand one another without a server: over a link, in a bundle file, as codes to scan.
//!
//! A device passes on whatever it holds of a village and the other lacks, its own and others'. What comes
//! is verified as if it came from the server, and counts as received only by the server's own receipt.

mod file;
mod holding;
mod link;
mod meet;
#[cfg(not(target_arch = "wasm32"))]
mod noise;
#[cfg(not(target_arch = "wasm32"))]
mod socket;
mod take;
mod talk;

pub use file::{BundlePart, BundleReport};
pub use link::Link;
#[cfg(not(target_arch = "wasm32"))]
pub use socket::SocketLink;
pub use take::Carried;
pub(crate) use take::NEEDS;
pub use talk::{Peer, PeerReport};
