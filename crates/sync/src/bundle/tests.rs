//! Files that are whole, and files to which everything was done.

use std::collections::BTreeMap;

use super::*;
use crate::key_bytes::KeyBytes;
use crate::peer::{CarriedBatch, CarriedReceipt, CarriedReplay, HouseholdKeys, PeerFrame};
use crate::samples::{self, DEPLOYMENT, VILLAGE, batch_id, household};

const KEY: [u8; 32] = [0x5c; 32];
const HEADER: Header = Header { deployment: DEPLOYMENT, village: VILLAGE, file: [0xf1; 16], replay: false };
const REPLAY_HEADER: Header = Header { replay: true, ..HEADER };

fn key_of(header: &Header) -> Option<[u8; 32]> {
    (header.village == VILLAGE && header.deployment == DEPLOYMENT).then_some(KEY)
}

fn batch(byte: u8) -> PeerFrame {
    PeerFrame::Batch(CarriedBatch { batch: vec![byte; 20], sequence: 0, receipt: None })
}

fn segment(number: u32, byte: u8) -> Vec<u8> {
    HEADER.seal(&KEY, number, [byte; 24], &[batch(byte)]).unwrap()
}

/// A file of three segments, and where each piece of it begins.
fn file() -> (Vec<u8>, Vec<usize>) {
    let mut bytes = begin(&HEADER);
    let mut starts = vec![bytes.len()];
    for number in 1..=3_u8 {
        bytes.extend(segment(number.into(), number));
        starts.push(bytes.len());
    }
    (bytes, starts)
}

fn found(contents: &Contents) -> Vec<&PeerFrame> {
    contents.parts.iter().flat_map(|part| &part.frames).collect()
}

#[test]
fn a_file_reads_back_and_can_be_appended_to() {
    let (bytes, _) = file();
    let contents = read(&bytes, key_of);
    assert!(contents.damage.is_empty());
    let [part] = contents.parts.as_slice() else { panic!("{contents:?}") };
    assert_eq!((part.segments, part.last, part.missing, part.repeated), (3, 3, 0, 0));
    assert_eq!(part.frames, [batch(1), batch(2), batch(3)]);
}

#[test]
fn two_files_joined_are_a_file_and_what_is_repeated_counts_once() {
    let (bytes, _) = file();
    let twice = [bytes.clone(), bytes].concat();
    let contents = read(&twice, key_of);
    assert!(contents.damage.is_empty());
    assert_eq!(contents.parts.len(), 2);
    assert_eq!((contents.parts[1].repeated, contents.parts[1].segments), (3, 0));
    assert_eq!(found(&contents).len(), 3);
}

#[test]
fn whoever_lacks_the_key_can_carry_the_file_and_not_read_it() {
    let (bytes, _) = file();
    let contents = read(&bytes, |_| None);
    assert!(contents.damage.is_empty());
    assert_eq!((contents.parts[0].segments, contents.parts[0].readable), (3, false));
    assert!(found(&contents).is_empty());
    let wrong = read(&bytes, |_| Some([1; 32]));
    assert_eq!(wrong.damage.len(), 3);
    assert!(found(&wrong).is_empty());
}

#[test]
fn cut_at_any_byte_everything_before_the_cut_counts() {
    let (bytes, starts) = file();
    for end in 0..bytes.len() {
        let contents = read(&bytes[..end], key_of);
        let whole = starts[1..].iter().filter(|start| **start <= end).count();
        assert_eq!(found(&contents).len(), whole, "cut at {end}");
        let at_border = end == 0 || starts.contains(&end);
        assert_eq!(contents.damage.is_empty(), at_border, "cut at {end}");
        assert!(contents.damage.iter().all(|damage| damage.kind == DamageKind::Cut), "cut at {end}");
    }
}

#[test]
fn a_bit_turned_anywhere_costs_at_most_what_it_is_in() {
    let (bytes, starts) = file();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let contents = read(&damaged, key_of);
            assert!(!contents.damage.is_empty() || contents.parts.iter().any(|part| !part.readable));
            // In the header it costs the file, in a segment that segment.
            let expected = if at < starts[0] { 0 } else { 2 };
            assert_eq!(found(&contents).len(), expected, "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn what_is_appended_after_a_cut_segment_is_found() {
    let (bytes, starts) = file();
    for end in starts[2] + 1..starts[3] {
        let mut repaired = bytes[..end].to_vec();
        repaired.extend(segment(3, 9));
        let contents = read(&repaired, key_of);
        assert_eq!(found(&contents), [&batch(1), &batch(2), &batch(9)], "cut at {end}");
        assert_eq!(contents.damage.len(), 1);
    }
}

#[test]
fn a_segment_of_another_file_or_with_another_number_is_found_out() {
    let other = Header { file: [0xf2; 16], ..HEADER };
    let foreign = other.seal(&KEY, 2, [2; 24], &[batch(2)]).unwrap();
    let mut renumbered = segment(2, 2);
    renumbered[11] = 4;
    for (bad, missing) in [(foreign, 1), (renumbered, 1)] {
        let bytes = [begin(&HEADER), segment(1, 1), bad, segment(3, 3)].concat();
        let contents = read(&bytes, key_of);
        assert_eq!(contents.damage[0].kind, DamageKind::Altered);
        assert_eq!(contents.parts[0].missing, missing);
        assert_eq!(found(&contents), [&batch(1), &batch(3)]);
    }
}

#[test]
fn a_missing_segment_is_counted() {
    let bytes = [begin(&HEADER), segment(1, 1), segment(4, 4)].concat();
    assert_eq!(read(&bytes, key_of).parts[0].missing, 2);
}

#[test]
fn a_part_of_a_newer_version_is_named_and_its_segments_are_left_alone() {
    let mut newer = begin(&HEADER);
    newer[8] = 3;
    let bytes = [newer, segment(1, 1), file().0].concat();
    let contents = read(&bytes, key_of);
    assert_eq!(contents.damage[0].kind, DamageKind::Version(3));
    assert_eq!(found(&contents).len(), 3);
}

#[test]
fn a_file_of_nothing_but_beginnings_is_given_up_soon() {
    let hopeless = HEADER_MAGIC.repeat(5_000);
    let contents = read(&hopeless, key_of);
    assert_eq!(contents.damage.last().map(|damage| &damage.kind), Some(&DamageKind::TooMuch));
}

#[test]
fn what_a_granted_device_seals_badly_is_named() {
    let bomb = zstd::bulk::compress(&vec![0; 8 * 1024 * 1024], 3).unwrap();
    for content in [bomb, b"no frame of zstd".to_vec(), zstd::bulk::compress(&[0x41, 0], 3).unwrap()] {
        let sealed = sealed(&content);
        let contents = read(&[begin(&HEADER), sealed, segment(2, 2)].concat(), key_of);
        assert!(matches!(contents.damage[0].kind, DamageKind::Content(_)), "{:?}", contents.damage);
        assert_eq!(found(&contents), [&batch(2)]);
    }
}

/// A segment whose content is not frames.
fn sealed(content: &[u8]) -> Vec<u8> {
    use chacha20poly1305::aead::{Aead, Payload};
    let aad = super::seal::bound(&HEADER, 1);
    let payload = Payload { msg: content, aad: &aad };
    let sealed = super::seal::cipher(&HEADER, &KEY).unwrap().encrypt(&[0; 24].into(), payload).unwrap();
    let length = u32::try_from(sealed.len()).unwrap().to_be_bytes();
    [&SEGMENT_MAGIC[..], &1_u32.to_be_bytes(), &length, &[0; 24], &sealed].concat()
}

#[test]
fn frames_are_grouped_in_their_order_and_none_is_lost() {
    let large =
        |byte| PeerFrame::Batch(CarriedBatch { batch: vec![byte; 100_000], sequence: 0, receipt: None });
    let frames: Vec<_> = (0..7).map(large).collect();
    let segments = segment_frames(frames.clone());
    assert_eq!(segments.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2, 1]);
    assert_eq!(segments.concat(), frames);
    assert!(segment_frames(Vec::new()).is_empty());
}

/// Every frame of a bundle.
fn every_frame() -> Vec<PeerFrame> {
    let keys = BTreeMap::from([(household(0x71), (false, KeyBytes([0x5a; 64])))]);
    let decision =
        crate::response::RelayedDecision { village: VILLAGE, sequence: 1_002, decision: samples::decision() };
    vec![
        PeerFrame::Certificate(samples::certificate()),
        PeerFrame::Revocation(samples::revocation()),
        PeerFrame::Keys(HouseholdKeys { village: VILLAGE, households: keys }),
        PeerFrame::Batch(CarriedBatch {
            batch: b"any bytes: nobody looks inside".to_vec(),
            sequence: 1_001,
            receipt: Some(samples::receipt(batch_id(0x21), 41)),
        }),
        batch(0x22),
        PeerFrame::Receipt(CarriedReceipt { sequence: 0, receipt: samples::receipt(batch_id(0x11), 40) }),
        PeerFrame::Decision(decision),
    ]
}

fn pieces() -> Vec<PeerFrame> {
    let piece = |begins, previous, byte| {
        PeerFrame::Replay(CarriedReplay { village: VILLAGE, begins, previous, piece: vec![byte; 20] })
    };
    vec![piece(true, None, 0x31), piece(false, Some(batch_id(0x32)), 0x33)]
}

#[test]
fn replay_streams_are_in_parts_of_version_2_only() {
    let file = |header: &Header| {
        [
            begin(header),
            header.seal(&KEY, 1, [1; 24], &pieces()).unwrap(),
            header.seal(&KEY, 2, [2; 24], &[batch(2)]).unwrap(),
        ]
        .concat()
    };
    let contents = read(&file(&REPLAY_HEADER), key_of);
    assert!(contents.damage.is_empty() && contents.parts[0].header.replay);
    assert_eq!(contents.parts[0].frames, [pieces(), vec![batch(2)]].concat());
    let contents = read(&file(&HEADER), key_of);
    assert!(matches!(contents.damage[0].kind, DamageKind::Content(_)), "{:?}", contents.damage);
    assert_eq!(found(&contents), [&batch(2)]);
    // The version is authenticated: nobody turns one into the other.
    let mut turned = file(&REPLAY_HEADER);
    turned[8] = 1;
    assert!(found(&read(&turned, key_of)).is_empty());
}

#[test]
fn a_batch_that_is_only_on_a_stream_still_lacks_in_the_file() {
    let file = [begin(&REPLAY_HEADER), REPLAY_HEADER.seal(&KEY, 1, [1; 24], &pieces()).unwrap()].concat();
    assert!(read(&file, key_of).holding(VILLAGE).batches.is_empty());
}

/// A failing test here means that files on sticks are no longer read: raise the version instead.
#[test]
fn a_file_is_as_it_always_was() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/bundle.ruhu.hex");
    let bytes = [begin(&HEADER), HEADER.seal(&KEY, 1, [0x9c; 24], &every_frame()).unwrap()].concat();
    expect_test::expect_file![golden].assert_eq(&crate::golden::lines(&bytes));
    assert_eq!(read(&bytes, key_of).parts[0].frames, every_frame());
}

#[test]
fn a_file_with_a_replay_stream_is_as_it_always_was() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/bundle_replay.ruhu.hex");
    let sealed = REPLAY_HEADER.seal(&KEY, 1, [0x9c; 24], &pieces()).unwrap();
    let bytes = [begin(&REPLAY_HEADER), sealed].concat();
    expect_test::expect_file![golden].assert_eq(&crate::golden::lines(&bytes));
    assert_eq!(read(&bytes, key_of).parts[0].frames, pieces());
}
