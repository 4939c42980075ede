//! Where a photo is asked for and sent: see `schemas/wire/photo.md`.

use ruhu_survey::id::VillageId;
use ruhu_survey::photo::PhotoAddress;

/// The path of a photo, at which its bytes are read.
#[must_use]
pub fn path(village: VillageId, photo: &PhotoAddress) -> String {
    format!("/v1/villages/{village}/photos/{photo}")
}

/// The path at which bytes of a photo are read from one byte on.
#[must_use]
pub fn read_path(village: VillageId, photo: &PhotoAddress, from: u64, most: u64) -> String {
    format!("{}?from={from}&most={most}", path(village, photo))
}

/// The path at which a device asks how many bytes of a photo the server holds.
#[must_use]
pub fn held_path(village: VillageId, photo: &PhotoAddress) -> String {
    format!("{}/held", path(village, photo))
}

/// The path that a piece is sent to: it begins at `at` in a file of `of` bytes.
#[must_use]
pub fn piece_path(village: VillageId, photo: &PhotoAddress, at: u64, of: u64) -> String {
    format!("{}?at={at}&of={of}", path(village, photo))
}
