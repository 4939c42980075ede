//! A link over a TCP socket of the local network: a length of four bytes, and the message.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::link::{Link, MESSAGE_BYTES_MAX};
use crate::transport::TransportError;

/// How long nothing may move before the link counts as broken: two people compare six digits meanwhile.
const STALLED_AFTER: Duration = Duration::from_secs(120);

/// A link over a connected socket. It says nothing in the clear but what the handshake needs.
#[derive(Debug)]
pub struct SocketLink(TcpStream);

impl SocketLink {
    /// The link over a socket that is connected.
    ///
    /// # Errors
    /// [`TransportError::Cut`] when the socket is closed already.
    pub fn new(socket: TcpStream) -> Result<Self, TransportError> {
        let ready = socket
            .set_read_timeout(Some(STALLED_AFTER))
            .and_then(|()| socket.set_write_timeout(Some(STALLED_AFTER)))
            .and_then(|()| socket.set_nodelay(true));
        ready.map(|()| Self(socket)).map_err(|_| TransportError::Cut)
    }
}

fn broken(error: &std::io::Error) -> TransportError {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => TransportError::Stalled,
        _ => TransportError::Cut,
    }
}

impl Link for SocketLink {
    async fn send(&mut self, message: &[u8]) -> Result<(), TransportError> {
        let length = u32::try_from(message.len()).map_err(|_| TransportError::TooLarge)?;
        let whole = [length.to_be_bytes().as_slice(), message].concat();
        self.0.write_all(&whole).map_err(|error| broken(&error))
    }

    async fn receive(&mut self) -> Result<Vec<u8>, TransportError> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).map_err(|error| broken(&error))?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MESSAGE_BYTES_MAX {
            return Err(TransportError::TooLarge);
        }
        // Grows as bytes arrive: a length alone costs nothing.
        let mut message = Vec::new();
        let taken = (&mut self.0).take(length as u64).read_to_end(&mut message);
        taken.map_err(|error| broken(&error))?;
        if message.len() == length { Ok(message) } else { Err(TransportError::Cut) }
    }
}
