//! What a stream may begin with: nothing, or a dictionary that is committed with the program.

use ruhu_survey::id::DeviceId;
use ruhu_survey::replay::Tables;

/// The dictionary that this program writes with.
pub const NEWEST_DICTIONARY: u8 = 0;

/// The bytes that a stream's compressor knows beforehand; nothing for a dictionary that is not known.
pub(super) fn content(id: u8) -> Option<&'static [u8]> {
    (id == NEWEST_DICTIONARY).then_some(&[])
}

/// The tables that a stream begins with; nothing for a dictionary that is not known.
#[must_use]
pub fn prime(id: u8, device: DeviceId) -> Option<Tables> {
    (id == NEWEST_DICTIONARY).then(|| Tables::new(device))
}
