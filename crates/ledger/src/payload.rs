//! The payload of a batch: its body, compressed behind a mode byte.
//!
//! Signatures cover the body's hashes, never these bytes, so another mode can carry the same batch.

use std::collections::BTreeSet;
use std::io::Read;

use ruhu_survey::change::{DocumentId, DocumentKind};
use ruhu_survey::codec::{CodecError, Reader, Writer};

use crate::batch::{BatchBody, BatchError};
use crate::error::FormatError;
use crate::limits::{
    BODY_BYTES_MAX, CHANGE_BYTES_MAX, CHANGES_PER_BATCH_MAX, OPENINGS_PER_BATCH_MAX, PAYLOAD_BYTES_MAX,
};

/// Mode 0: the raw changes as one zstd frame.
pub(crate) const MODE_ZSTD: u8 = 0;
/// Measured on 30 and on 100 changes: level 19 is 1.6 % smaller and takes more than ten times as long.
const COMPRESSION_LEVEL: i32 = 9;
/// 2^22 bytes: a body never looks further back than its own limit.
const WINDOW_LOG_MAX: u32 = 22;

/// The payload of a body, mode 0.
pub(crate) fn deflate(body: &BatchBody) -> Result<Vec<u8>, BatchError> {
    let bytes = write_body(body);
    if bytes.len() > BODY_BYTES_MAX {
        return Err(too_long("body", bytes.len(), BODY_BYTES_MAX).into());
    }
    if read_body(&bytes)? != *body {
        return Err(FormatError::Contradiction("the body does not read back as itself").into());
    }
    let packed = zstd::bulk::compress(&bytes, COMPRESSION_LEVEL).map_err(|_| BatchError::Deflate)?;
    let payload = [&[MODE_ZSTD], packed.as_slice()].concat();
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(too_long("payload", payload.len(), PAYLOAD_BYTES_MAX).into());
    }
    Ok(payload)
}

/// The body of a payload, whatever the payload claims about its size.
pub(crate) fn inflate(payload: &[u8]) -> Result<BatchBody, BatchError> {
    let (mode, packed) = payload.split_first().ok_or(FormatError::Codec(CodecError::Short))?;
    match *mode {
        MODE_ZSTD => Ok(read_body(&inflate_zstd(packed)?)?),
        other => Err(BatchError::Mode(other)),
    }
}

/// One whole zstd frame and nothing after it, of at most [`BODY_BYTES_MAX`] bytes once inflated.
fn inflate_zstd(packed: &[u8]) -> Result<Vec<u8>, BatchError> {
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(packed).map_err(|_| BatchError::Inflate)?.single_frame();
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(|_| BatchError::Inflate)?;
    let mut bytes = Vec::new();
    let cap = BODY_BYTES_MAX as u64 + 1;
    decoder.by_ref().take(cap).read_to_end(&mut bytes).map_err(|_| BatchError::Inflate)?;
    if bytes.len() > BODY_BYTES_MAX {
        return Err(too_long("body", bytes.len(), BODY_BYTES_MAX).into());
    }
    if decoder.finish().is_empty() { Ok(bytes) } else { Err(BatchError::Inflate) }
}

/// The canonical form of a body.
pub(crate) fn write_body(body: &BatchBody) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.varint(body.openings.len() as u64);
    for opening in &body.openings {
        writer.raw(opening);
    }
    writer.varint(body.changes.len() as u64);
    for (document, bytes) in &body.changes {
        writer.u8(document.kind.code()).raw(&document.id).bytes(bytes);
    }
    writer.finish()
}

/// The body of these bytes, refusing every form but the canonical one.
pub(crate) fn read_body(bytes: &[u8]) -> Result<BatchBody, FormatError> {
    let mut reader = Reader::new(bytes);
    let openings = read_openings(&mut reader)?;
    let count = reader.count("changes", CHANGES_PER_BATCH_MAX)?;
    if count == 0 {
        return Err(FormatError::Contradiction("the batch holds no change"));
    }
    let changes = (0..count).map(|_| read_change(&mut reader)).collect::<Result<_, _>>()?;
    reader.end()?;
    Ok(BatchBody { openings, changes })
}

fn read_openings(reader: &mut Reader<'_>) -> Result<Vec<[u8; 8]>, FormatError> {
    let count = reader.count("openings", OPENINGS_PER_BATCH_MAX)?;
    let openings = (0..count).map(|_| reader.array()).collect::<Result<Vec<_>, _>>()?;
    if openings.iter().collect::<BTreeSet<_>>().len() < count {
        return Err(FormatError::Contradiction("the batch names an opening twice"));
    }
    Ok(openings)
}

fn read_change(reader: &mut Reader<'_>) -> Result<(DocumentId, Vec<u8>), FormatError> {
    let kind = DocumentKind::from_code(reader.u8()?).ok_or(CodecError::Unknown("document kind"))?;
    let id = reader.array()?;
    Ok((DocumentId { kind, id }, reader.bytes("change", CHANGE_BYTES_MAX)?.to_vec()))
}

fn too_long(what: &'static str, found: usize, limit: usize) -> FormatError {
    CodecError::TooLong { what, found: found as u64, limit: limit as u64 }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    /// The most a block of a frame inflates to.
    const BLOCK_BYTES: usize = 131_072;

    /// A frame that says nothing of its size, with a window of 2^`window_log`, and repeats a zero byte.
    fn zeros(window_log: u8, mut count: usize) -> Vec<u8> {
        let mut frame = [MAGIC.as_slice(), &[0, (window_log - 10) << 3]].concat();
        while count > 0 {
            let size = count.min(BLOCK_BYTES);
            count -= size;
            let header = u32::try_from(size << 3 | 2 | usize::from(count == 0)).unwrap();
            frame.extend(header.to_le_bytes().split_at(3).0);
            frame.push(0);
        }
        frame
    }

    fn too_long(refusal: Result<Vec<u8>, BatchError>) -> bool {
        matches!(
            refusal,
            Err(BatchError::Format(FormatError::Codec(CodecError::TooLong { what: "body", .. })))
        )
    }

    #[test]
    fn a_body_inflates_up_to_its_limit_and_no_further() {
        let whole = inflate_zstd(&zeros(17, BODY_BYTES_MAX)).unwrap();
        assert_eq!(whole.len(), BODY_BYTES_MAX);
        assert!(too_long(inflate_zstd(&zeros(17, BODY_BYTES_MAX + 1))));
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit_whatever_size_it_claims() {
        let bomb = zeros(17, 2_000_000_000);
        assert!(bomb.len() < PAYLOAD_BYTES_MAX);
        assert!(too_long(inflate_zstd(&bomb)));
        let mut claims_little = example::raw_frame(&[7; 300]);
        claims_little[5] -= 1;
        assert_eq!(inflate_zstd(&claims_little), Err(BatchError::Inflate));
        let mut claims_much = example::raw_frame(&[7; 300]);
        claims_much[6] = 0xff;
        assert_eq!(inflate_zstd(&claims_much), Err(BatchError::Inflate));
    }

    #[test]
    fn a_frame_that_asks_for_more_memory_than_a_body_needs_is_refused() {
        assert!(inflate_zstd(&zeros(22, 10)).is_ok());
        assert_eq!(inflate_zstd(&zeros(23, 10)), Err(BatchError::Inflate));
    }

    #[test]
    fn a_cut_a_second_and_a_trailing_frame_are_refused() {
        let frame = example::raw_frame(&write_body(&example::body()));
        assert!(inflate_zstd(&frame).is_ok());
        for end in 0..frame.len() {
            assert_eq!(inflate_zstd(&frame[..end]), Err(BatchError::Inflate), "cut at {end}");
        }
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
        for more in [&[0], frame.as_slice(), &skippable] {
            assert_eq!(inflate_zstd(&[&frame, more].concat()), Err(BatchError::Inflate));
        }
    }

    #[test]
    fn what_is_deflated_inflates_again() {
        let payload = deflate(&example::body()).unwrap();
        assert_eq!(inflate(&payload), Ok(example::body()));
    }

    #[test]
    fn a_body_in_another_form_is_refused() {
        let good = write_body(&example::body());
        assert_eq!(read_body(&good), Ok(example::body()));
        assert!(read_body(&good[..good.len() - 1]).is_err());
        assert!(read_body(&[&good, [0].as_slice()].concat()).is_err());
        let mut unknown_kind = good.clone();
        unknown_kind[18] = 9;
        let refusal = FormatError::Codec(CodecError::Unknown("document kind"));
        assert_eq!(read_body(&unknown_kind), Err(refusal));
        assert!(matches!(read_body(&[0, 0]), Err(FormatError::Contradiction(_))));
    }
}
