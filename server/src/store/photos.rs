//! What the server asks of a database about photos: what was received, and the pieces of what is on its way.

use std::collections::BTreeMap;

use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_survey::photo::PhotoAddress;

use super::StoreError;

/// One device's sending of one photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upload {
    /// Whose.
    pub device: DeviceId,
    /// The village whose household it shows.
    pub village: VillageId,
    /// The photo.
    pub address: PhotoAddress,
}

/// A photo that is not whole yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnItsWay {
    /// How many bytes the whole has, as the device says.
    pub total: u64,
    /// How many of them are held.
    pub bytes: u64,
}

/// A piece of a photo.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// Its first byte's place in the file.
    pub at: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Photos that were received whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PhotoCount {
    /// How many.
    pub photos: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Photos. Every call is one transaction and may block.
pub trait PhotoStore: Send + Sync {
    /// The length of a photo that was received whole.
    fn photo(&self, village: VillageId, address: &PhotoAddress) -> Result<Option<u64>, StoreError>;

    /// What is held of a device's sending, unless it stood still for too long.
    fn photo_held(&self, upload: &Upload, now_ms: i64) -> Result<Option<OnItsWay>, StoreError>;

    /// Keeps a piece of a photo of `total` bytes if it begins where the bytes held end; answers how many are held
    /// then. One at 0 begins anew where the total was another. Makes room by forgetting what stood still for too
    /// long, and the device's unfinished photos beyond their limit.
    fn photo_add(
        &self,
        upload: &Upload,
        total: u64,
        piece: Piece<'_>,
        now_ms: i64,
    ) -> Result<u64, StoreError>;

    /// The bytes held.
    fn photo_pieces(&self, upload: &Upload) -> Result<Vec<u8>, StoreError>;

    /// Forgets the pieces of a photo.
    fn photo_drop(&self, upload: &Upload) -> Result<(), StoreError>;

    /// Notes that a photo of `total` bytes is whole and durable where photos are kept, and forgets its pieces.
    fn photo_received(&self, upload: &Upload, total: u64, now_ms: i64) -> Result<(), StoreError>;

    /// Bytes of the photos received whole of a device since then.
    fn photo_bytes_since(&self, device: DeviceId, since_ms: i64) -> Result<u64, StoreError>;

    /// What was received whole.
    fn photo_count(&self) -> Result<PhotoCount, StoreError>;

    /// Every photo that was received whole, with its length.
    fn photos(&self) -> Result<BTreeMap<(VillageId, PhotoAddress), u64>, StoreError>;
}
