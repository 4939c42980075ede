//! How two devices reach one another: a trait, so that sockets, WebRTC and Bluetooth can each be one.

use std::future::Future;

use crate::transport::TransportError;

/// The most bytes of one message: a full segment and one frame of the largest kind.
#[cfg(not(target_arch = "wasm32"))]
pub(super) const MESSAGE_BYTES_MAX: usize = ruhu_sync::limits::SEGMENT_SEALED_BYTES_MAX;

/// Carries whole messages, in order, between two devices.
pub trait Link {
    /// Sends one message of at most 1 MiB.
    fn send(&mut self, message: &[u8]) -> impl Future<Output = Result<(), TransportError>>;

    /// Waits for the next message.
    fn receive(&mut self) -> impl Future<Output = Result<Vec<u8>, TransportError>>;
}
