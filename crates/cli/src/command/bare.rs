//! A picture without what its camera wrote beside it: position, time, owner, and a second picture.
//!
//! Only whole segments of a JPEG (ITU-T T.81, B.1) and whole chunks of a PNG (W3C PNG, 5.3) are left out; the picture
//! itself stays as it is, byte for byte. How the camera was held is among what is left out.

/// Begins every segment of a JPEG.
const MARK: u8 = 0xff;
/// The segment after which the picture itself begins.
const SCAN: u8 = 0xda;
/// The first 8 bytes of a PNG.
const PNG: usize = 8;
/// Chunks of a PNG that say something beside the picture.
const BESIDE: [&[u8]; 5] = [b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"];

/// The picture without what stands beside it; what is neither JPEG nor PNG as it is.
pub(super) fn bare(picture: &[u8]) -> Vec<u8> {
    if picture.starts_with(&[MARK, 0xd8, MARK]) {
        return joined(picture, 2, segment);
    }
    if picture.starts_with(b"\x89PNG\r\n\x1a\n") {
        return joined(picture, PNG, chunk);
    }
    picture.to_vec()
}

/// How long the part at the beginning is, and whether it is kept; none where the rest is the picture itself.
type Part = fn(&[u8]) -> Option<(usize, bool)>;

fn joined(picture: &[u8], begin: usize, part: Part) -> Vec<u8> {
    let (head, mut rest) = picture.split_at(begin.min(picture.len()));
    let mut bare = head.to_vec();
    while let Some((length, kept)) = part(rest) {
        let Some((this, after)) = rest.split_at_checked(length) else { break };
        if kept {
            bare.extend_from_slice(this);
        }
        rest = after;
    }
    bare.extend_from_slice(rest);
    bare
}

fn segment(rest: &[u8]) -> Option<(usize, bool)> {
    let [MARK, kind, high, low, ..] = rest else { return None };
    if *kind == SCAN {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([*high, *low])) + 2;
    // Application data, but for the picture's own densities (0) and colours (2, 14); and comments.
    let beside = matches!(kind, 0xe1 | 0xe3..=0xed | 0xef | 0xfe);
    (length > 3).then_some((length, !beside))
}

fn chunk(rest: &[u8]) -> Option<(usize, bool)> {
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let kind = rest.get(..4)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?.checked_add(12)?;
    Some((length, !BESIDE.contains(&kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment_of(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
        [&[MARK, kind], &length[..], content].concat()
    }

    fn chunk_of(kind: &[u8], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&length[..], kind, content, &[0; 4]].concat()
    }

    #[test]
    fn a_jpeg_keeps_its_picture_and_loses_what_stands_beside_it() {
        let (density, exif) =
            (segment_of(0xe0, b"JFIF\0"), segment_of(0xe1, b"Exif\0\0 29.4233 N 111.0512 E"));
        let (tables, comment) = (segment_of(0xdb, &[1; 64]), segment_of(0xfe, b"by somebody"));
        // What is in the picture itself may look like a segment.
        let scan = [&[MARK, SCAN, 0, 2][..], &exif, &[MARK, 0xd9]].concat();
        let whole = [&[MARK, 0xd8][..], &density, &exif, &tables, &comment, &scan].concat();
        assert_eq!(bare(&whole), [&[MARK, 0xd8][..], &density, &tables, &scan].concat());
        assert_eq!(bare(&bare(&whole)), bare(&whole));
    }

    #[test]
    fn a_png_keeps_its_picture_and_loses_what_stands_beside_it() {
        let (head, data, end) =
            (chunk_of(b"IHDR", &[0; 13]), chunk_of(b"IDAT", b"tEXt"), chunk_of(b"IEND", b""));
        let (text, exif) = (chunk_of(b"tEXt", b"Author"), chunk_of(b"eXIf", b"GPS"));
        let png = b"\x89PNG\r\n\x1a\n".as_slice();
        let whole = [png, &head, &text, &exif, &data, &end].concat();
        assert_eq!(bare(&whole), [png, &head, &data, &end].concat());
    }

    #[test]
    fn what_breaks_off_or_is_no_picture_stays_as_it_is() {
        for bytes in [
            &b""[..],
            b"text",
            &[MARK, 0xd8, MARK],
            &[MARK, 0xd8, MARK, 0xe1, 0xff, 0xff, 1],
            b"\x89PNG\r\n\x1a\n\xff",
        ] {
            assert_eq!(bare(bytes), bytes);
        }
    }
}
