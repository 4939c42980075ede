//! Batches on a replay stream between devices: where room is scarce, as in a code to scan.
//!
//! Nothing goes back from a code to whoever showed it, so nothing can be wanted raw. The stream takes nothing
//! for known of its receiver, and each piece names the batch before it; whether a batch can be put together
//! depends on the documents that the receiver holds. One that cannot is as if it had not come.

use ruhu_ledger::batch::{Anchor, BatchId};
use ruhu_ledger::replay::{NotWritten, ReplayBatch, ReplayError, ReplayReader, ReplayWriter, StreamStart};
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::{DeviceId, EpochId, VillageId};

use crate::frame::PayloadError;
use crate::limits::BATCH_BYTES_MAX;

/// The piece begins a stream.
const BEGINS: u8 = 1;
/// The batch before is written out.
const PREVIOUS: u8 = 2;

/// A batch without what its receiver can work out: the next piece of a replay stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedReplay {
    /// The village.
    pub village: VillageId,
    /// Whether a stream begins with it; otherwise it goes on from the piece before.
    pub begins: bool,
    /// The batch before it in its chain; `None` for the first.
    pub previous: Option<BatchId>,
    /// The piece, as `schemas/wire/replay.md` describes it.
    pub piece: Vec<u8>,
}

/// What both sides know before the first batch of a stream: nothing.
const START: StreamStart = StreamStart {
    device: DeviceId::from_bytes([0; 16]),
    anchor: Anchor::start(EpochId::from_bytes([0; 16])),
};

/// A stream to write such pieces on.
///
/// # Errors
/// [`NotWritten::Deflate`] for want of memory.
pub fn replay_writer() -> Result<ReplayWriter, NotWritten> {
    ReplayWriter::new(&START)
}

/// Reads the pieces of a bundle in their order, stream after stream.
#[derive(Debug, Default)]
pub struct PieceReader {
    stream: Option<ReplayReader>,
}

impl PieceReader {
    /// What a piece holds.
    ///
    /// # Errors
    /// [`ReplayError`], for every later piece of its stream too.
    pub fn read(&mut self, piece: &CarriedReplay) -> Result<ReplayBatch, ReplayError> {
        if piece.begins {
            self.stream = Some(ReplayReader::new(START));
        }
        self.stream.as_mut().ok_or(ReplayError::Damaged)?.batch(&piece.piece, false)
    }
}

impl CarriedReplay {
    pub(super) fn write(&self, writer: &mut Writer) {
        let flags = if self.begins { BEGINS } else { 0 } | if self.previous.is_some() { PREVIOUS } else { 0 };
        writer.raw(self.village.as_bytes()).u8(flags);
        if let Some(previous) = &self.previous {
            writer.raw(&previous.0);
        }
        writer.raw(&self.piece);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let village = VillageId::from_bytes(reader.array()?);
        let flags = reader.u8()?;
        if flags & !(BEGINS | PREVIOUS) != 0 {
            return Err(CodecError::Unknown("a flag of a carried replay batch").into());
        }
        let previous = match flags & PREVIOUS != 0 {
            true => Some(BatchId(reader.array()?)),
            false => None,
        };
        let piece = reader.raw(reader.left().min(BATCH_BYTES_MAX))?.to_vec();
        Ok(Self { village, begins: flags & BEGINS != 0, previous, piece })
    }
}
