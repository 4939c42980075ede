//! What a stream may begin with: nothing, or a dictionary that is committed with the program.
//!
//! A dictionary is a stream of batches of invented visits (`tests/training`). The compressor knows its bytes
//! beforehand, and the tables what they hold after it: keys, the order in which they come, frequent values.

use std::sync::OnceLock;

use ruhu_survey::codec::{CodecError, Reader};
use ruhu_survey::id::DeviceId;
use ruhu_survey::replay::Tables;

/// The stream begins with nothing.
pub const NO_DICTIONARY: u8 = 0;
/// The dictionary that this program writes with.
pub const NEWEST_DICTIONARY: u8 = 1;

const PACKED: &[u8] = include_bytes!("../../../../schemas/wire/dictionary-1.zstd");
/// Bytes of a dictionary.
const BYTES_MAX: usize = 64 * 1024;

/// A dictionary as it is used.
struct Dictionary {
    content: Vec<u8>,
    tables: Tables,
}

/// The newest dictionary, opened once; nothing when the program was built with a damaged one.
fn newest() -> Option<&'static Dictionary> {
    static OPENED: OnceLock<Option<Dictionary>> = OnceLock::new();
    OPENED.get_or_init(|| opened(PACKED)).as_ref()
}

fn opened(packed: &[u8]) -> Option<Dictionary> {
    let content = zstd::bulk::decompress(packed, BYTES_MAX).ok()?;
    let tables = read(&content).ok()?;
    Some(Dictionary { content, tables })
}

fn read(content: &[u8]) -> Result<Tables, CodecError> {
    let mut reader = Reader::new(content);
    let device = DeviceId::from_bytes([0; 16]);
    let mut tables = Tables::new(device);
    while reader.left() > 0 {
        tables.read(device, reader.bytes("a batch of the dictionary", BYTES_MAX)?)?;
    }
    Ok(tables)
}

/// The bytes that a stream's compressor knows beforehand; nothing for a dictionary that is not known.
pub(super) fn content(id: u8) -> Option<&'static [u8]> {
    match id {
        NO_DICTIONARY => Some(&[]),
        NEWEST_DICTIONARY => newest().map(|known| known.content.as_slice()),
        _ => None,
    }
}

/// The tables that a stream begins with; nothing for a dictionary that is not known.
pub(super) fn prime(id: u8, device: DeviceId) -> Option<Tables> {
    match id {
        NO_DICTIONARY => Some(Tables::new(device)),
        NEWEST_DICTIONARY => newest().map(|known| known.tables.primed(device)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_dictionary_opens_and_is_the_one_that_is_documented() {
        assert!(newest().is_some());
        let digest: String = Sha256::digest(PACKED).iter().map(|byte| format!("{byte:02x}")).collect();
        let table = include_str!("../../../../schemas/wire/replay.md");
        assert!(table.contains(&format!("`{digest}`")), "the hash of the file is {digest}");
    }
}
