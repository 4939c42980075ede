//! The content, packed and signed, and back.

use std::io::Read;

use ruhu_ledger::limits::{SNAPSHOT_BYTES_MAX, SNAPSHOT_PACKED_BYTES_MAX, SNAPSHOT_PIECE_BYTES};
use ruhu_ledger::signature::{PublicKey, SecretKey};
use ruhu_ledger::snapshot::{SignedSnapshot, Snapshot};
use ruhu_survey::id::{DeploymentId, EpochId, VillageId};
use sha2::{Digest, Sha256};

use super::decode::decode;
use super::encode::{VERSION, encode};
use super::{Content, SnapshotError, hash_of};
use crate::fingerprint::Fingerprint;

/// Made once and read by every new device of a village, so it is packed as tightly as it can be.
const LEVEL: i32 = 19;
/// 2^26 bytes: content never looks further back than its own limit.
const WINDOW_LOG_MAX: u32 = 26;
/// The pieces of a packed content, as they are hashed.
fn pieces(packed: &[u8]) -> std::slice::Chunks<'_, u8> {
    packed.chunks(usize::try_from(SNAPSHOT_PIECE_BYTES).unwrap_or(usize::MAX))
}

/// What the server says about the content besides the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The installation.
    pub deployment: DeploymentId,
    /// The present epoch.
    pub epoch: EpochId,
    /// The village.
    pub village: VillageId,
    /// The number in its feed.
    pub number: u64,
    /// The version of the document schema.
    pub schema: u16,
    /// When, milliseconds since 1970, by the server's clock.
    pub made_ms: i64,
    /// The village's fingerprint at that number.
    pub fingerprint: u64,
}

/// A snapshot as the server keeps it and as a device keeps it: verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The statement.
    pub statement: SignedSnapshot,
    /// The packed content.
    pub packed: Vec<u8>,
}

/// Packs and signs a content.
///
/// # Errors
/// [`SnapshotError`] when the content is above a limit, is none of this format, or does not add up to
/// the fingerprint.
pub fn seal(content: &Content, about: &About, key: &SecretKey) -> Result<Sealed, SnapshotError> {
    let bytes = encode(content, VERSION)?;
    // Nothing is signed that would not read back as the same.
    if decode(&bytes)? != *content {
        return Err(SnapshotError::NotCanonical);
    }
    let packed = zstd::bulk::compress(&bytes, LEVEL).map_err(|_| SnapshotError::Packed)?;
    let left_out = content.left_out.iter().fold(0_u64, |sum, left| sum.wrapping_add(left.sum));
    let statement = Snapshot {
        deployment: about.deployment,
        epoch: about.epoch,
        village: about.village,
        number: about.number,
        schema: about.schema,
        made_ms: about.made_ms,
        fingerprint: about.fingerprint,
        left_out,
        bytes: bytes.len() as u64,
        packed_bytes: packed.len() as u64,
        pieces: self::pieces(&packed).map(|piece| Sha256::digest(piece).into()).collect(),
    };
    add_up(&statement, content)?;
    Ok(Sealed { statement: SignedSnapshot::sign(statement, key)?, packed })
}

/// How many whole pieces there are in the first `bytes` bytes of the packed content.
#[must_use]
pub fn piece_count(statement: &Snapshot, bytes: u64) -> u64 {
    if bytes >= statement.packed_bytes { statement.pieces.len() as u64 } else { bytes / SNAPSHOT_PIECE_BYTES }
}

/// Whether the packed content, as far as it has come, is what was signed: whole pieces only.
///
/// # Errors
/// [`SnapshotError::Piece`].
pub fn check_piece(statement: &Snapshot, packed: &[u8]) -> Result<(), SnapshotError> {
    if packed.len() as u64 > statement.packed_bytes {
        return Err(SnapshotError::Piece);
    }
    let whole = usize::try_from(piece_count(statement, packed.len() as u64)).unwrap_or(usize::MAX);
    let mut pieces = self::pieces(packed).zip(&statement.pieces).take(whole);
    let fits = pieces.all(|(piece, hash)| <[u8; 32]>::from(Sha256::digest(piece)) == *hash);
    if fits { Ok(()) } else { Err(SnapshotError::Piece) }
}

/// The content of a whole snapshot, verified against the server's key and against itself.
///
/// # Errors
/// [`SnapshotError`] saying what is wrong.
pub fn open(sealed: &Sealed, key: &PublicKey) -> Result<Content, SnapshotError> {
    sealed.statement.verify(key)?;
    let statement = &sealed.statement.statement;
    if sealed.packed.len() as u64 != statement.packed_bytes {
        return Err(SnapshotError::Piece);
    }
    check_piece(statement, &sealed.packed)?;
    let content = decode(&unpack(&sealed.packed, statement.bytes)?)?;
    add_up(statement, &content)?;
    Ok(content)
}

/// One whole zstd frame of exactly the size that was signed, and nothing after it.
fn unpack(packed: &[u8], size: u64) -> Result<Vec<u8>, SnapshotError> {
    if size > SNAPSHOT_BYTES_MAX || packed.len() as u64 > SNAPSHOT_PACKED_BYTES_MAX {
        return Err(SnapshotError::Packed);
    }
    let unpacked = zstd::stream::read::Decoder::with_buffer(packed);
    let mut decoder = unpacked.map_err(|_| SnapshotError::Packed)?.single_frame();
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(|_| SnapshotError::Packed)?;
    let mut bytes = Vec::new();
    let read = decoder.by_ref().take(size.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|_| SnapshotError::Packed)?;
    let whole = bytes.len() as u64 == size && decoder.finish().is_empty();
    if whole { Ok(bytes) } else { Err(SnapshotError::Packed) }
}

/// Whether the accepted changes and what is left out add up to what was signed.
fn add_up(statement: &Snapshot, content: &Content) -> Result<(), SnapshotError> {
    let mut sum = Fingerprint::from_value(statement.left_out);
    for part in &content.documents {
        for line in &part.accepted {
            sum.add(&hash_of(&line.bytes).ok_or(SnapshotError::Change(part.id))?);
        }
    }
    let left_out = content.left_out.iter().fold(0_u64, |sum, left| sum.wrapping_add(left.sum));
    let adds_up = left_out == statement.left_out && sum.value() == statement.fingerprint;
    if adds_up { Ok(()) } else { Err(SnapshotError::Fingerprint) }
}
