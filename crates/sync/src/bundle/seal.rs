//! Writing parts and segments.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Header, SEGMENT_MAGIC};
use crate::frame::encode;
use crate::limits::{SEGMENT_BYTES, SEGMENT_SEALED_BYTES_MAX};
use crate::peer::PeerFrame;

/// What the key of a file is derived for.
const KEY_DOMAIN: &[u8] = b"ruhu/bundle/1";
/// Batches are compressed already; what is left to gain is in certificates and receipts.
const COMPRESSION_LEVEL: i32 = 9;

/// A segment could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The compressor or the cipher failed, for want of memory.
    #[error("the segment could not be compressed or sealed")]
    Failed,
    /// The frames are more than one segment takes.
    #[error("the segment has {0} bytes, the limit is {SEGMENT_SEALED_BYTES_MAX}")]
    TooLong(usize),
}

/// The cipher of a part: HKDF-SHA256 of the village's search key, for this installation, village and file.
pub(super) fn cipher(header: &Header, search_key: &[u8; 32]) -> Option<XChaCha20Poly1305> {
    let salt = [header.deployment.as_bytes().as_slice(), header.village.as_bytes()].concat();
    let info = [KEY_DOMAIN, &header.file].concat();
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(&salt), search_key).expand(&info, key.as_mut_slice()).ok()?;
    XChaCha20Poly1305::new_from_slice(key.as_slice()).ok()
}

/// What is authenticated with a segment: the header and the number.
pub(super) fn bound(header: &Header, number: u32) -> Vec<u8> {
    [header.to_bytes().as_slice(), &number.to_be_bytes()].concat()
}

/// The header of a new part, to be written before its first segment.
#[must_use]
pub fn begin(header: &Header) -> Vec<u8> {
    header.to_bytes().to_vec()
}

/// Groups frames into segments, each as full as it gets, in their order.
#[must_use]
pub fn segment_frames(frames: Vec<PeerFrame>) -> Vec<Vec<PeerFrame>> {
    let (mut segments, mut bytes) = (Vec::<Vec<PeerFrame>>::new(), usize::MAX);
    for frame in frames {
        let length = encode(&frame).len();
        bytes = bytes.saturating_add(length);
        match segments.last_mut() {
            Some(last) if bytes <= SEGMENT_BYTES => last.push(frame),
            _ => {
                bytes = length;
                segments.push(vec![frame]);
            }
        }
    }
    segments
}

impl Header {
    /// One segment of this part, sealed, with its number in the file and 24 random bytes.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(
        &self,
        search_key: &[u8; 32],
        number: u32,
        nonce: [u8; 24],
        frames: &[PeerFrame],
    ) -> Result<Vec<u8>, SealError> {
        let body: Vec<u8> = frames.iter().flat_map(encode).collect();
        let packed = zstd::bulk::compress(&body, COMPRESSION_LEVEL).map_err(|_| SealError::Failed)?;
        let cipher = cipher(self, search_key).ok_or(SealError::Failed)?;
        let aad = bound(self, number);
        let payload = Payload { msg: &packed, aad: &aad };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Failed)?;
        let length = u32::try_from(sealed.len()).ok().filter(|_| sealed.len() <= SEGMENT_SEALED_BYTES_MAX);
        let length = length.ok_or(SealError::TooLong(sealed.len()))?;
        let head: [&[u8]; 4] = [&SEGMENT_MAGIC, &number.to_be_bytes(), &length.to_be_bytes(), &nonce];
        Ok([head.concat(), sealed].concat())
    }
}
