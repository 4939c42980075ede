//! The file of a photo: what goes in comes out, to nobody else, and nothing else comes out.

use expect_test::expect_file;
use proptest::prelude::*;

use super::*;

const VILLAGE: VillageId = VillageId::from_bytes([1; 16]);
const HOUSEHOLD: HouseholdId = HouseholdId::from_bytes([2; 16]);
const JPEG: [u8; 6] = [0xff, 0xd8, 0xff, 0xe0, 1, 2];
const PNG: [u8; 10] = *b"\x89PNG\r\n\x1a\n\x01\x02";

fn key(byte: u8) -> HouseholdKey {
    HouseholdKey::from_bytes([byte; 64])
}

fn sealer(key: &HouseholdKey) -> PhotoSealer<'_> {
    PhotoSealer { key, village: VILLAGE, household: HOUSEHOLD }
}

fn picture<'a>(original: &'a [u8], thumbnail: &'a [u8]) -> Picture<'a> {
    Picture { kind: PhotoKind::Photo, taken_ms: 1_750_000_000_000, thumbnail, original }
}

/// A JPEG as far as anybody looks, of so many bytes.
fn jpeg(bytes: usize) -> Vec<u8> {
    JPEG.iter().copied().chain(std::iter::repeat(7)).take(bytes).collect()
}

/// The bytes of the first release, as `schemas/wire/photo.md` tells them.
#[test]
fn the_byte_format_is_that_of_the_first_release() {
    let (key, seeded) = (key(9), HouseholdKey::from_seed(&[9; 32]));
    let photo = sealer(&key).seal(&picture(&JPEG, &PNG)).unwrap();
    let signed = Picture { kind: PhotoKind::Signature, taken_ms: -1, thumbnail: &[], ..picture(&PNG, &[]) };
    let signature = sealer(&seeded).seal(&signed).unwrap();
    let line =
        |file: &[u8]| format!("{}\n{}\n", data_encoding::HEXLOWER.encode(file), PhotoAddress::of(file));
    expect_file!["../../golden_photo/photo.hex"].assert_eq(&format!("{}{}", line(&photo), line(&signature)));
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(taken_ms: i64, signed: bool, small in 0_usize..300, large in 6_usize..3_000) {
        let key = key(9);
        let thumbnail = if small < 6 { Vec::new() } else { jpeg(small) };
        let kind = if signed { PhotoKind::Signature } else { PhotoKind::Photo };
        let original = jpeg(large);
        let file =
            sealer(&key).seal(&Picture { kind, taken_ms, thumbnail: &thumbnail, original: &original }).unwrap();
        let extent = Extent::of(&file).unwrap();
        prop_assert_eq!(extent.file_end, file.len());
        let head = sealer(&key).open_head(&file[..extent.head_end]).unwrap();
        prop_assert_eq!(head, Head { kind, taken_ms, thumbnail });
        prop_assert_eq!(sealer(&key).open_original(&file).unwrap(), original);
        let address = PhotoAddress::of(&file);
        prop_assert_eq!(address.to_string().parse(), Ok(address));
    }

    #[test]
    fn whatever_bytes_come_nothing_panics_and_nothing_opens(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let key = key(9);
        prop_assert!(sealer(&key).open_head(&bytes).is_err());
        prop_assert!(sealer(&key).open_original(&bytes).is_err());
    }

    #[test]
    fn a_flipped_bit_is_seen(place in 0_usize..100, bit in 0_u8..8) {
        let key = key(9);
        let mut file = sealer(&key).seal(&picture(&jpeg(40), &PNG)).unwrap();
        let place = place % file.len();
        file[place] ^= 1 << bit;
        let opened = (sealer(&key).open_head(&file), sealer(&key).open_original(&file));
        prop_assert!(opened.0.is_err() || opened.1.is_err());
    }
}

#[test]
fn the_same_photo_has_one_name_and_another_household_cannot_open_it() {
    let (one, other) = (key(9), key(8));
    let file = sealer(&one).seal(&picture(&JPEG, &PNG)).unwrap();
    assert_eq!(file, sealer(&one).seal(&picture(&JPEG, &PNG)).unwrap());
    let closed = Err(PhotoError::Sealed(SealError::Closed));
    assert_eq!(sealer(&other).open_original(&file), closed);
    let neighbour = PhotoSealer { household: HouseholdId::from_bytes([3; 16]), ..sealer(&one) };
    assert_eq!(neighbour.open_original(&file), closed);
    let elsewhere = PhotoSealer { village: VillageId::from_bytes([3; 16]), ..sealer(&one) };
    assert_eq!(elsewhere.open_original(&file), closed);
}

#[test]
fn a_picture_and_a_thumbnail_have_their_limits_and_one_byte_more_is_refused() {
    let key = key(9);
    let seal = |original: usize, small: usize| {
        sealer(&key).seal(&picture(&jpeg(original), &jpeg(small))).map(|file| file.len())
    };
    let largest = seal(PHOTO_BYTES_MAX, THUMBNAIL_BYTES_MAX).unwrap();
    assert!(largest <= FILE_BYTES_MAX && largest + LENGTHS_MAX > FILE_BYTES_MAX, "{largest}");
    assert_eq!(seal(PHOTO_BYTES_MAX + 1, 6), Err(PhotoError::TooLarge { bytes: PHOTO_BYTES_MAX + 1 }));
    let bytes = THUMBNAIL_BYTES_MAX + 1;
    assert_eq!(seal(6, bytes), Err(PhotoError::ThumbnailTooLarge { bytes }));
}

#[test]
fn what_is_no_picture_is_refused() {
    let key = key(9);
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>";
    for (original, thumbnail) in [(&svg[..], &PNG[..]), (&JPEG[..], &svg[..]), (&[][..], &[][..])] {
        assert_eq!(sealer(&key).seal(&picture(original, thumbnail)), Err(PhotoError::NotAPicture));
    }
}

#[test]
fn what_a_file_says_of_itself_is_bounded() {
    let claims = |head: u64, original: u64| {
        let mut writer = Writer::new();
        writer.u8(VERSION).varint(head).varint(original);
        Extent::of(&writer.finish())
    };
    assert!(claims(SEALED_HEAD_MAX as u64, SEALED_ORIGINAL_MAX as u64).is_ok());
    let too_long = |claimed| matches!(claimed, Err(PhotoError::Format(CodecError::TooLong { .. })));
    assert!(too_long(claims(SEALED_HEAD_MAX as u64 + 1, 0)));
    assert!(too_long(claims(0, SEALED_ORIGINAL_MAX as u64 + 1)));
    assert_eq!(Extent::of(&[2, 0, 0]), Err(PhotoError::Version(2)));
    assert!(matches!(Extent::of(&[]), Err(PhotoError::Format(CodecError::Short))));
}

#[test]
fn only_64_lower_case_digits_are_a_name() {
    let good = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    assert!(good.parse::<PhotoAddress>().is_ok());
    for text in ["", &good[1..], &format!("{good}00"), &good.to_uppercase(), &good.replace('f', "g")] {
        assert_eq!(text.parse::<PhotoAddress>(), Err(PhotoError::Address), "{text}");
    }
}
