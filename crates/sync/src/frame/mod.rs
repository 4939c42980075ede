//! Frames: a tag, a length and a payload, one after the other until the body ends.
//!
//! A body is read as it arrives: [`FrameReader`] takes chunks of any size and gives each frame as soon
//! as its last byte is there, so a server commits a batch whether or not the rest of the request ever
//! arrives, and a device keeps whatever it got before a cut. Lengths are checked before a payload is
//! buffered, and the order of frames as they come.

use ruhu_ledger::error::FormatError;
use ruhu_survey::codec::{CodecError, Reader, Writer};

use crate::protocol::Refused;

/// The bytes of the longest length: a LEB128 number of 64 bits.
const LENGTH_BYTES_MAX: usize = 10;

/// One direction of the protocol: the frames that may travel that way, and their order.
pub trait Frame: Sized {
    /// What has been seen so far, to decide what may come next.
    type Order: Default + std::fmt::Debug;

    /// What a tag stands for; `None` for a tag that this direction does not know.
    fn shape(tag: u8) -> Option<Shape>;

    /// The tag and the payload.
    fn encode(&self) -> (u8, Vec<u8>);

    /// The frame with this tag and payload.
    ///
    /// # Errors
    /// [`PayloadError`] when the payload is not exactly one canonical encoding.
    fn decode(tag: u8, payload: &[u8]) -> Result<Self, PayloadError>;

    /// Takes note of the next frame.
    ///
    /// # Errors
    /// The rule that the frame breaks where it stands.
    fn admit(order: &mut Self::Order, frame: &Self) -> Result<(), &'static str>;
}

/// The name and the bounds of a kind of frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The name in messages.
    pub name: &'static str,
    /// The most bytes of its payload.
    pub bytes_max: usize,
}

/// A payload that is not the canonical encoding of its frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// A field cannot be read.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A signed statement inside cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The items of a list are not strictly ascending.
    #[error("the {0} are not in ascending order")]
    NotAscending(&'static str),
    /// The other side speaks a protocol that this program does not understand.
    #[error(transparent)]
    Protocol(Refused),
}

/// A body that is not a sequence of frames of its direction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// No frame of this direction has that tag.
    #[error("the frame tag {0:#04x} is not known")]
    Tag(u8),
    /// A length is not in its shortest form.
    #[error("the length of a {0} frame is not in its shortest form")]
    Length(&'static str),
    /// A frame is longer than its kind may be.
    #[error("a {frame} frame has {found} bytes, the limit is {limit}")]
    TooLong {
        /// The kind of frame.
        frame: &'static str,
        /// The length it claims.
        found: u64,
        /// The most it may have.
        limit: usize,
    },
    /// A payload cannot be read.
    #[error("a {frame} frame cannot be read")]
    Payload {
        /// The kind of frame.
        frame: &'static str,
        /// Why.
        #[source]
        source: PayloadError,
    },
    /// A frame may not stand where it does.
    #[error("a {frame} frame is out of place: {rule}")]
    Order {
        /// The kind of frame.
        frame: &'static str,
        /// What it breaks.
        rule: &'static str,
    },
    /// The body ends inside a frame.
    #[error("the body ends inside a frame")]
    Cut,
}

impl WireError {
    /// The refusal to answer with (a server) or to show (a device), when the reason is that the other
    /// side speaks a protocol that this program does not understand.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refused> {
        match self {
            Self::Payload { source: PayloadError::Protocol(refused), .. } => Some(refused),
            _ => None,
        }
    }
}

/// Encodes one frame.
#[must_use]
pub fn encode<F: Frame>(frame: &F) -> Vec<u8> {
    let (tag, payload) = frame.encode();
    let mut writer = Writer::new();
    writer.u8(tag).bytes(&payload);
    writer.finish()
}

/// Encodes a body.
#[must_use]
pub fn encode_all<'a, F: Frame + 'a>(frames: impl IntoIterator<Item = &'a F>) -> Vec<u8> {
    frames.into_iter().flat_map(encode).collect()
}

/// Decodes a whole body.
///
/// # Errors
/// [`WireError`] at the first frame that is not right.
pub fn decode_all<F: Frame>(mut body: &[u8]) -> Result<Vec<F>, WireError> {
    let mut reader = FrameReader::new();
    let mut frames = Vec::new();
    while let Some(frame) = reader.read(&mut body)? {
        frames.push(frame);
    }
    reader.finish()?;
    Ok(frames)
}

/// Reads frames from a body that arrives in chunks.
///
/// Holds at most one incomplete frame, of at most its kind's limit.
#[derive(Debug)]
pub struct FrameReader<F: Frame> {
    head: Vec<u8>,
    opened: Option<Opened>,
    order: F::Order,
    failed: Option<WireError>,
}

/// A frame whose tag and length are known.
#[derive(Debug)]
struct Opened {
    tag: u8,
    shape: Shape,
    length: usize,
    payload: Vec<u8>,
}

impl<F: Frame> Default for FrameReader<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Frame> FrameReader<F> {
    /// A reader at the beginning of a body.
    #[must_use]
    pub fn new() -> Self {
        Self { head: Vec::new(), opened: None, order: F::Order::default(), failed: None }
    }

    /// The next frame; takes what it needs from the beginning of `chunk`. `None` when the chunk is used
    /// up and the frame is not complete: call again with the next chunk.
    ///
    /// # Errors
    /// [`WireError`]. The frames given before it stand; afterwards every call gives the same error.
    pub fn read(&mut self, chunk: &mut &[u8]) -> Result<Option<F>, WireError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.advance(chunk).inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// Ends the body.
    ///
    /// # Errors
    /// [`WireError::Cut`] inside a frame, or the error that ended the reading before.
    pub fn finish(&self) -> Result<(), WireError> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None if self.head.is_empty() && self.opened.is_none() => Ok(()),
            None => Err(WireError::Cut),
        }
    }

    fn advance(&mut self, chunk: &mut &[u8]) -> Result<Option<F>, WireError> {
        while self.opened.is_none() {
            let Some((byte, rest)) = chunk.split_first() else { return Ok(None) };
            *chunk = rest;
            self.head.push(*byte);
            self.opened = open::<F>(&self.head)?;
        }
        self.head.clear();
        let Some(mut opened) = self.opened.take() else { return Ok(None) };
        let missing = opened.length.saturating_sub(opened.payload.len());
        let (head, rest) = chunk.split_at_checked(missing).unwrap_or((chunk, &[]));
        *chunk = rest;
        opened.payload.extend_from_slice(head);
        if opened.payload.len() < opened.length {
            self.opened = Some(opened);
            return Ok(None);
        }
        self.close(&opened).map(Some)
    }

    fn close(&mut self, opened: &Opened) -> Result<F, WireError> {
        let name = opened.shape.name;
        let frame = F::decode(opened.tag, &opened.payload)
            .map_err(|source| WireError::Payload { frame: name, source })?;
        F::admit(&mut self.order, &frame).map_err(|rule| WireError::Order { frame: name, rule })?;
        Ok(frame)
    }
}

/// Reads tag and length; `None` while the length goes on.
fn open<F: Frame>(head: &[u8]) -> Result<Option<Opened>, WireError> {
    let Some((&tag, digits)) = head.split_first() else { return Ok(None) };
    let shape = F::shape(tag).ok_or(WireError::Tag(tag))?;
    if digits.last().is_none_or(|byte| byte & 0x80 != 0) && digits.len() < LENGTH_BYTES_MAX {
        return Ok(None);
    }
    let found = Reader::new(digits).varint().map_err(|_| WireError::Length(shape.name))?;
    let limit = shape.bytes_max;
    match usize::try_from(found) {
        Ok(length) if length <= limit => Ok(Some(Opened { tag, shape, length, payload: Vec::new() })),
        _ => Err(WireError::TooLong { frame: shape.name, found, limit }),
    }
}

#[cfg(test)]
mod tests;
