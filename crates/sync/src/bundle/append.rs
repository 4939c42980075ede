//! Going on with a file: what it holds already, and where the next segment belongs.

use ruhu_survey::id::VillageId;

use super::seal::{SealError, begin, segment_frames};
use super::{Contents, Header};
use crate::peer::{Holding, PeerFrame};

/// Where the next segments of a file belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    header: Header,
    /// The number of the last segment.
    last: u32,
    /// Whether the header is still to be written.
    is_new: bool,
}

impl Place {
    /// The end of a file, if its last part is of the same village; a part of its own under `fresh` otherwise.
    #[must_use]
    pub fn after(end: Option<Self>, fresh: Header) -> Self {
        let same =
            |end: &Self| (end.header.deployment, end.header.village) == (fresh.deployment, fresh.village);
        end.filter(same).unwrap_or(Self { header: fresh, last: 0, is_new: true })
    }

    /// The bytes that add frames to the file; `nonce` draws 24 random bytes for each segment.
    ///
    /// # Errors
    /// [`SealError`], or what `nonce` gives.
    pub fn append<E: From<SealError>>(
        &mut self,
        search_key: &[u8; 32],
        frames: Vec<PeerFrame>,
        mut nonce: impl FnMut() -> Result<[u8; 24], E>,
    ) -> Result<Vec<u8>, E> {
        let mut bytes = if std::mem::take(&mut self.is_new) { begin(&self.header) } else { Vec::new() };
        for segment in segment_frames(frames) {
            self.last = self.last.saturating_add(1);
            bytes.extend(self.header.seal(search_key, self.last, nonce()?, &segment)?);
        }
        Ok(bytes)
    }
}

impl Contents {
    /// Where the file ends; `None` before its first part.
    ///
    /// A file that ends inside a segment goes on behind it: a reader finds the next segment.
    #[must_use]
    pub fn end(&self) -> Option<Place> {
        self.parts.last().map(|part| Place { header: part.header, last: part.last, is_new: false })
    }

    /// What the file holds of a village.
    #[must_use]
    pub fn holding(&self, village: VillageId) -> Holding {
        let mut held = Holding::nothing(village);
        let parts = self.parts.iter().filter(|part| part.header.village == village);
        parts.flat_map(|part| &part.frames).for_each(|frame| held.note(frame));
        held
    }
}
