//! A link that nobody between the two devices can read or alter: Noise XX with fresh keys.
//!
//! Noise proves only that the link ends where it began; who is at its ends, each proves with its
//! certificate's key over the transcript of the handshake ([`ruhu_sync::peer::proof`]).

use ruhu_sync::peer::PeerSide;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, TransportState};
use zeroize::{Zeroize, Zeroizing};

use super::link::{Link, MESSAGE_BYTES_MAX};
use crate::env::{Environment, random};
use crate::error::Error;
use crate::transport::TransportError;

const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_SHA256";
const PROLOGUE: &[u8] = b"ruhu/peer/1";
/// The most bytes of one Noise message, and of what one holds.
const RECORD_BYTES_MAX: usize = 65_535;
const PIECE_BYTES_MAX: usize = RECORD_BYTES_MAX - 16 - 1;
/// First byte of a record: another one of the same message follows, or not.
const MORE: u8 = 1;
const LAST: u8 = 0;

/// An encrypted link.
pub(crate) struct SecureLink<L> {
    link: L,
    state: TransportState,
    transcript: [u8; 32],
}

impl<L: Link> SecureLink<L> {
    /// Shakes hands.
    ///
    /// # Errors
    /// [`Error::Transport`] when the link breaks or the other end does not speak Noise,
    /// [`Error::NoRandomness`].
    pub(crate) async fn open(
        mut link: L,
        side: PeerSide,
        environment: &dyn Environment,
    ) -> Result<Self, Error> {
        let unclear = |_| Error::Transport(TransportError::Unclear);
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(random(environment)?);
        let drawn = Drawn(random(environment)?);
        let parameters = PATTERN.parse().map_err(unclear)?;
        let builder = Builder::with_resolver(parameters, Box::new(drawn))
            .prologue(PROLOGUE)
            .and_then(|builder| builder.local_private_key(key.as_slice()))
            .map_err(unclear)?;
        let mut state = match side {
            PeerSide::Caller => builder.build_initiator(),
            PeerSide::Listener => builder.build_responder(),
        }
        .map_err(unclear)?;
        let mut buffer = vec![0; RECORD_BYTES_MAX];
        while !state.is_handshake_finished() {
            if state.is_my_turn() {
                let length = state.write_message(&[], &mut buffer).map_err(unclear)?;
                link.send(buffer.get(..length).unwrap_or_default()).await?;
            } else {
                let message = link.receive().await?;
                state.read_message(&message, &mut buffer).map_err(unclear)?;
            }
        }
        let mut transcript = [0; 32];
        transcript.iter_mut().zip(state.get_handshake_hash()).for_each(|(to, from)| *to = *from);
        let state = state.into_transport_mode().map_err(unclear)?;
        Ok(Self { link, state, transcript })
    }

    /// The hash of the handshake: the same at both ends, and on no other link.
    pub(crate) fn transcript(&self) -> [u8; 32] {
        self.transcript
    }
}

impl<L: Link> Link for SecureLink<L> {
    async fn send(&mut self, message: &[u8]) -> Result<(), TransportError> {
        let mut pieces = message.chunks(PIECE_BYTES_MAX).peekable();
        let mut piece = pieces.next().unwrap_or_default();
        let mut buffer = vec![0; RECORD_BYTES_MAX];
        loop {
            let next = pieces.next();
            let flag = if next.is_some() { MORE } else { LAST };
            let plain = [&[flag], piece].concat();
            let length =
                self.state.write_message(&plain, &mut buffer).map_err(|_| TransportError::Unclear)?;
            self.link.send(buffer.get(..length).unwrap_or_default()).await?;
            match next {
                Some(next) => piece = next,
                None => return Ok(()),
            }
        }
    }

    async fn receive(&mut self) -> Result<Vec<u8>, TransportError> {
        let mut message = Vec::new();
        let mut buffer = vec![0; RECORD_BYTES_MAX];
        loop {
            let record = self.link.receive().await?;
            let length =
                self.state.read_message(&record, &mut buffer).map_err(|_| TransportError::Unclear)?;
            let plain = buffer.get(..length).unwrap_or_default();
            let (flag, piece) = plain.split_first().ok_or(TransportError::Unclear)?;
            if message.len() + piece.len() > MESSAGE_BYTES_MAX {
                return Err(TransportError::TooLarge);
            }
            message.extend_from_slice(piece);
            match *flag {
                LAST => return Ok(message),
                MORE => {}
                _ => return Err(TransportError::Unclear),
            }
        }
    }
}

/// Noise's primitives, with 32 random bytes of the device's environment: it draws one key of that size.
struct Drawn([u8; 32]);

impl CryptoResolver for Drawn {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(Some(self.0))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Random bytes that are given once.
struct Once(Option<[u8; 32]>);

impl Random for Once {
    fn try_fill_bytes(&mut self, wanted: &mut [u8]) -> Result<(), snow::Error> {
        let mut bytes = self.0.take().filter(|bytes| bytes.len() == wanted.len()).ok_or(snow::Error::Rng)?;
        wanted.copy_from_slice(&bytes);
        bytes.zeroize();
        Ok(())
    }
}
