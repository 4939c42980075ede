//! Reading a file, whatever was done to it.

use std::collections::BTreeSet;
use std::io::Read as _;

use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};
use ruhu_survey::codec::Reader;

use super::seal::{bound, cipher};
use super::{HEADER_BYTES, HEADER_MAGIC, Header, SEGMENT_HEAD_BYTES, SEGMENT_MAGIC};
use crate::frame::decode_all;
use crate::limits::{DAMAGES_MAX, SEGMENT_FRAMES_BYTES_MAX, SEGMENT_SEALED_BYTES_MAX};
use crate::peer::PeerFrame;

/// 2^20 bytes: a segment never looks further back than its own limit.
const WINDOW_LOG_MAX: u32 = 20;

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Its parts, in their order.
    pub parts: Vec<PartFound>,
    /// What is wrong with it, in the order of the file.
    pub damage: Vec<Damage>,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartFound {
    /// What it says in clear.
    pub header: Header,
    /// Segments that are whole, those of villages whose key is not at hand included.
    pub segments: u32,
    /// Whether the key was at hand.
    pub readable: bool,
    /// Segments that came before in this file.
    pub repeated: u32,
    /// Segments that are lacking between those that are there.
    pub missing: u32,
    /// The highest number of a segment; 0 without any.
    pub last: u32,
    /// What the segments hold.
    pub frames: Vec<PeerFrame>,
}

/// A place of a file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins, in bytes from the beginning of the file.
    pub at: usize,
    /// What is wrong.
    pub kind: DamageKind,
}

/// What is wrong with a place of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DamageKind {
    /// The file ends inside a segment or header: it was cut off, or is still being written.
    #[error("the file ends inside a segment")]
    Cut,
    /// A segment was altered, or belongs to another file.
    #[error("a segment was altered or belongs to another file")]
    Altered,
    /// There is something that is neither a header nor a segment.
    #[error("there is something that is not part of a bundle")]
    Unclear,
    /// A part is of a version that this program does not know.
    #[error("a part is of version {0}: upgrade this program")]
    Version(u8),
    /// A segment was sealed by somebody with the key, and is not what a segment should be.
    #[error("a segment cannot be understood: {0}")]
    Content(String),
    /// There was too much damage to look further.
    #[error("the rest of the file is too damaged")]
    TooMuch,
}

/// Reads a file; `key_of` gives the search key of a village, if it is at hand.
#[must_use]
pub fn read(bytes: &[u8], key_of: impl Fn(&Header) -> Option<[u8; 32]>) -> Contents {
    let mut reading =
        Reading { bytes, at: 0, key_of, part: None, contents: Contents::default(), seen: BTreeSet::new() };
    while reading.at < bytes.len() {
        if reading.contents.damage.len() >= DAMAGES_MAX {
            reading.contents.damage.push(Damage { at: reading.at, kind: DamageKind::TooMuch });
            break;
        }
        if let Err(kind) = reading.one() {
            reading.contents.damage.push(Damage { at: reading.at, kind });
            reading.at = next_magic(bytes, reading.at.saturating_add(1));
        }
    }
    reading.close();
    reading.contents
}

/// Where the next header or segment may begin.
fn next_magic(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let found = rest.windows(8).position(|window| window == HEADER_MAGIC || window == SEGMENT_MAGIC);
    found.map_or(bytes.len(), |offset| from.saturating_add(offset))
}

struct Reading<'a, K> {
    bytes: &'a [u8],
    at: usize,
    key_of: K,
    part: Option<Open>,
    contents: Contents,
    /// The file, number and nonce of the segments read.
    seen: BTreeSet<([u8; 16], u32, [u8; 24])>,
}

/// The part being read.
struct Open {
    found: PartFound,
    key: Option<[u8; 32]>,
    numbers: BTreeSet<u32>,
}

impl<K: Fn(&Header) -> Option<[u8; 32]>> Reading<'_, K> {
    /// Reads what stands at the place reached, and moves past it.
    fn one(&mut self) -> Result<(), DamageKind> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.starts_with(&HEADER_MAGIC) {
            match Header::read(rest).ok_or(DamageKind::Cut)? {
                Ok(header) => self.open(header),
                Err(version) => {
                    // Its segments are not to be taken for those of the part before.
                    self.close();
                    return Err(DamageKind::Version(version));
                }
            }
            self.at += HEADER_BYTES;
            return Ok(());
        }
        if rest.starts_with(&SEGMENT_MAGIC) {
            self.at += self.segment(rest)?;
            return Ok(());
        }
        let begins = |magic: &[u8; 8]| magic.starts_with(rest);
        Err(if begins(&HEADER_MAGIC) || begins(&SEGMENT_MAGIC) {
            DamageKind::Cut
        } else {
            DamageKind::Unclear
        })
    }

    fn open(&mut self, header: Header) {
        self.close();
        let key = (self.key_of)(&header);
        let found = PartFound {
            header,
            segments: 0,
            readable: key.is_some(),
            repeated: 0,
            missing: 0,
            last: 0,
            frames: Vec::new(),
        };
        self.part = Some(Open { found, key, numbers: BTreeSet::new() });
    }

    fn close(&mut self) {
        let Some(Open { mut found, numbers, .. }) = self.part.take() else { return };
        found.last = numbers.last().copied().unwrap_or(0);
        let there = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        found.missing = found.last.saturating_sub(there);
        self.contents.parts.push(found);
    }

    /// Reads a segment; how many bytes it takes.
    fn segment(&mut self, rest: &[u8]) -> Result<usize, DamageKind> {
        let cut = |_| DamageKind::Cut;
        let mut reader = Reader::new(rest);
        reader.raw(SEGMENT_MAGIC.len()).map_err(cut)?;
        let number = u32::from_be_bytes(reader.array().map_err(cut)?);
        let length = u32::from_be_bytes(reader.array().map_err(cut)?);
        let nonce: [u8; 24] = reader.array().map_err(cut)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > SEGMENT_SEALED_BYTES_MAX {
            return Err(DamageKind::Altered);
        }
        let sealed = reader.raw(length).map_err(cut)?;
        // A segment before any header, or after one that is not known, is nobody's.
        let part = self.part.as_mut().ok_or(DamageKind::Unclear)?;
        let Some(key) = part.key else {
            part.found.segments += 1;
            part.numbers.insert(number);
            return Ok(SEGMENT_HEAD_BYTES + length);
        };
        let frames = open_segment(&part.found.header, &key, number, nonce, sealed)?;
        part.numbers.insert(number);
        if self.seen.insert((part.found.header.file, number, nonce)) {
            part.found.segments += 1;
            part.found.frames.extend(frames);
        } else {
            part.found.repeated += 1;
        }
        Ok(SEGMENT_HEAD_BYTES + length)
    }
}

fn open_segment(
    header: &Header,
    search_key: &[u8; 32],
    number: u32,
    nonce: [u8; 24],
    sealed: &[u8],
) -> Result<Vec<PeerFrame>, DamageKind> {
    let cipher = cipher(header, search_key).ok_or(DamageKind::Altered)?;
    let aad = bound(header, number);
    let packed = cipher
        .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: &aad })
        .map_err(|_| DamageKind::Altered)?;
    let content = |why: &str| DamageKind::Content(why.to_owned());
    let body = inflate(&packed).ok_or_else(|| content("it does not inflate"))?;
    let frames = decode_all::<PeerFrame>(&body).map_err(|error| DamageKind::Content(error.to_string()))?;
    if !header.replay && frames.iter().any(|frame| matches!(frame, PeerFrame::Replay(_))) {
        return Err(content("a replay batch is in a part of version 1"));
    }
    Ok(frames)
}

/// One whole zstd frame and nothing after it, within the limit.
fn inflate(packed: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).ok()?.single_frame();
    decoder.window_log_max(WINDOW_LOG_MAX).ok()?;
    let mut bytes = Vec::new();
    decoder.by_ref().take(SEGMENT_FRAMES_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).ok()?;
    let whole = bytes.len() <= SEGMENT_FRAMES_BYTES_MAX && decoder.finish().is_empty();
    whole.then_some(bytes)
}
