//! The `.ruhu` file: what devices and the server hand one another on a stick, sealed for one village.
//!
//! A file is parts one after the other, so two files joined are a file. A part is a header in clear, which
//! says whose it is, and segments that are only ever appended. A segment is sealed under a key that every
//! device granted the village, and the server, can derive, and nobody else; the header and the segment's
//! number are authenticated with it. Whoever carries a file can break it, and can neither read nor alter it:
//! every segment that is whole counts, whatever became of the others.

mod append;
pub mod code;
mod read;
mod seal;

use ruhu_survey::codec::Reader;
use ruhu_survey::id::{DeploymentId, VillageId};

pub use append::Place;
pub use read::{Contents, Damage, DamageKind, PartFound, read};
pub use seal::{SealError, begin, segment_frames};

/// What a part begins with. The first byte and the line ends show a file that was sent as text.
pub(crate) const HEADER_MAGIC: [u8; 8] = *b"\x89RUHU\r\n\x1a";
/// What a segment begins with.
pub(crate) const SEGMENT_MAGIC: [u8; 8] = *b"\x89segm\r\n\x1a";
/// The version of a part whose batches are whole.
const VERSION_WHOLE: u8 = 1;
/// The version of a part that may hold replay streams: a reader of version 1 is to say that it is too old.
const VERSION_REPLAY: u8 = 2;
/// The bytes of a header.
pub const HEADER_BYTES: usize = 57;
/// The bytes of a segment before its sealed ones: magic, number, length, nonce.
pub(crate) const SEGMENT_HEAD_BYTES: usize = 8 + 4 + 4 + 24;

/// What a part says in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Header {
    /// The installation.
    pub deployment: DeploymentId,
    /// The village.
    pub village: VillageId,
    /// 16 random bytes of the file's first writer: a segment belongs to one file.
    pub file: [u8; 16],
    /// Whether there may be replay streams in it.
    pub replay: bool,
}

impl Header {
    /// Magic, version, deployment, village, file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let version = if self.replay { VERSION_REPLAY } else { VERSION_WHOLE };
        let parts: [&[u8]; 5] =
            [&HEADER_MAGIC, &[version], self.deployment.as_bytes(), self.village.as_bytes(), &self.file];
        bytes.iter_mut().zip(parts.concat()).for_each(|(to, from)| *to = from);
        bytes
    }

    /// The header that bytes begin with: its version, and the rest if the version is known.
    pub(crate) fn read(bytes: &[u8]) -> Option<Result<Self, u8>> {
        let mut reader = Reader::new(bytes.get(..HEADER_BYTES)?);
        let magic: [u8; 8] = reader.array().ok()?;
        let version = reader.u8().ok()?;
        if magic != HEADER_MAGIC {
            return None;
        }
        let replay = match version {
            VERSION_WHOLE => false,
            VERSION_REPLAY => true,
            other => return Some(Err(other)),
        };
        Some(Ok(Self {
            deployment: DeploymentId::from_bytes(reader.array().ok()?),
            village: VillageId::from_bytes(reader.array().ok()?),
            file: reader.array().ok()?,
            replay,
        }))
    }
}

#[cfg(test)]
mod tests;
