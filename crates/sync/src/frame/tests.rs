//! The reader on both sides of every limit, and the laws of the encoding.

mod any;

use std::fmt::Debug;

use any::{any_request, any_response};
use proptest::collection::vec;
use proptest::prelude::*;
use ruhu_ledger::limits::{
    CHANGES_PER_BATCH_MAX, COUNTER_MAX, NAME_BYTES_MAX, NEEDS_MAX, REASON_BYTES_MAX,
    VILLAGES_PER_CERTIFICATE_MAX,
};
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::ChangeHash;
use ruhu_survey::id::{HouseholdId, VillageId};

use super::*;
use crate::announce::{Announced, Announcements, Told};
use crate::key_bytes::KeyBytes;
use crate::limits::{
    ANNOUNCED_PER_FRAME, BATCH_BYTES_MAX, BATCHES_PER_REQUEST, CODE_BYTES_MAX, CONSISTENCY_HASHES_MAX,
    DETAIL_BYTES_MAX, KEYS_PER_FRAME, KEYS_PER_REQUEST, NOTE_BYTES_MAX, REQUEST_BYTES_MAX, TIPS_PER_VILLAGE,
    VILLAGES_PER_REQUEST,
};
use crate::protocol::{CODE_TOO_NEW, CODE_TOO_OLD, PROTOCOL_VERSION, Side};
use crate::request::{HouseholdKeyFrame, RequestFrame, VillageQuery};
use crate::response::{
    BatchProblem, CheckpointFrame, ProblemOutcome, Relayed, RelayedDecision, ResponseFrame, VillageKeys,
    Welcome,
};
use crate::samples;
use crate::vector::{ChainTip, Cursor};

fn refusal<F: Frame + Debug>(body: &[u8]) -> WireError {
    decode_all::<F>(body).unwrap_err()
}

fn decode_one<F: Frame>(frame: &F) -> Result<F, PayloadError> {
    let (tag, payload) = frame.encode();
    F::decode(tag, &payload)
}

fn request_body() -> Vec<u8> {
    encode_all(&samples::request().into_iter().map(|(_, frame)| frame).collect::<Vec<_>>())
}

/// A request frame of `tag` that claims `length` bytes and has none.
fn claim(tag: u8, length: u64) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(tag).varint(length);
    writer.finish()
}

#[test]
fn a_frame_is_given_as_soon_as_its_last_byte_is_there() {
    let body = request_body();
    let ends: Vec<usize> = samples::request()
        .iter()
        .scan(0, |end, (_, frame)| {
            *end += encode(frame).len();
            Some(*end)
        })
        .collect();
    let mut reader = FrameReader::<RequestFrame>::new();
    let mut given = Vec::new();
    for (index, byte) in body.iter().enumerate() {
        let mut chunk = std::slice::from_ref(byte);
        if reader.read(&mut chunk).unwrap().is_some() {
            given.push(index + 1);
        }
        assert!(chunk.is_empty());
    }
    assert_eq!(given, ends);
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn a_body_that_ends_inside_a_frame_is_cut_and_the_frames_before_stand() {
    let body = request_body();
    let mut reader = FrameReader::<RequestFrame>::new();
    let mut rest = &body[..body.len() - 1];
    let mut frames = 0;
    while reader.read(&mut rest).unwrap().is_some() {
        frames += 1;
    }
    assert_eq!(frames, samples::request().len() - 1);
    assert_eq!(reader.finish(), Err(WireError::Cut));
    assert_eq!(refusal::<RequestFrame>(&body[..1]), WireError::Cut);
}

#[test]
fn an_unknown_tag_is_refused_at_its_first_byte_and_ever_after() {
    let mut reader = FrameReader::<RequestFrame>::new();
    assert_eq!(reader.read(&mut [0x7f].as_slice()), Err(WireError::Tag(0x7f)));
    assert_eq!(reader.read(&mut request_body().as_slice()), Err(WireError::Tag(0x7f)));
    assert_eq!(reader.finish(), Err(WireError::Tag(0x7f)));
}

#[test]
fn a_frame_of_the_other_direction_is_unknown() {
    assert_eq!(refusal::<RequestFrame>(&encode(&ResponseFrame::Bye)), WireError::Tag(0x4c));
    assert_eq!(refusal::<ResponseFrame>(&request_body()), WireError::Tag(0x01));
}

#[test]
fn a_length_above_the_limit_is_refused_before_any_payload_arrives() {
    let limit = BATCH_BYTES_MAX;
    let found = limit as u64 + 1;
    assert_eq!(
        refusal::<RequestFrame>(&claim(0x04, found)),
        WireError::TooLong { frame: "batch", found, limit }
    );
    assert_eq!(refusal::<RequestFrame>(&claim(0x04, limit as u64)), WireError::Cut);
    let huge = WireError::TooLong { frame: "batch", found: u64::MAX, limit };
    assert_eq!(refusal::<RequestFrame>(&claim(0x04, u64::MAX)), huge);
}

#[test]
fn a_padded_or_endless_length_is_refused() {
    assert_eq!(refusal::<RequestFrame>(&[0x01, 0x80, 0x00]), WireError::Length("hello"));
    let endless = [[0x01].as_slice(), &[0xff; 12]].concat();
    assert_eq!(refusal::<RequestFrame>(&endless), WireError::Length("hello"));
}

#[test]
fn bytes_after_the_last_field_are_refused() {
    let (tag, mut payload) = RequestFrame::Hello(samples::hello()).encode();
    payload.push(0);
    let source = PayloadError::Codec(CodecError::Trailing(1));
    let body = [&claim(tag, payload.len() as u64), payload.as_slice()].concat();
    assert_eq!(refusal::<RequestFrame>(&body), WireError::Payload { frame: "hello", source });
}

#[test]
fn a_request_in_the_wrong_order_is_refused() {
    let named: std::collections::BTreeMap<_, _> = samples::request().into_iter().collect();
    let [hello, first, village] = ["hello", "village_first", "village"].map(|name| &named[name]);
    let [key, batch, offer, receipt] = ["key", "batch", "offer_link", "old_receipt"].map(|name| &named[name]);
    let [replay, announcement] = ["replay", "announcement"].map(|name| &named[name]);
    let rule = |frames: &[&RequestFrame]| match refusal::<RequestFrame>(&encode_all(frames.iter().copied())) {
        WireError::Order { rule, .. } => rule,
        other => panic!("{other}"),
    };
    assert_eq!(rule(&[village]), "a request begins with a hello");
    assert_eq!(rule(&[hello, hello]), "the request has said hello already");
    assert_eq!(rule(&[hello, key]), "a key belongs to a village");
    assert_eq!(rule(&[hello, batch]), "a batch belongs to a village");
    assert_eq!(rule(&[hello, replay]), "a batch belongs to a village");
    assert_eq!(rule(&[hello, village, first, village]), "the request has named this village already");
    assert_eq!(rule(&[hello, village, batch, key]), "keys come before the batches of their village");
    assert_eq!(rule(&[offer]), "what is offered comes after the hello and before the villages");
    assert_eq!(
        rule(&[hello, village, offer]),
        "what is offered comes after the hello and before the villages"
    );
    assert_eq!(rule(&[hello, receipt]), "an old receipt belongs to a village");
    assert_eq!(rule(&[hello, village, receipt, first]), "an old receipt comes right before its batch");
    let late = "an announcement comes right behind its village";
    assert_eq!(rule(&[hello, announcement, village]), late);
    assert_eq!(rule(&[hello, village, key, announcement]), late);
    assert_eq!(rule(&[hello, village, announcement, announcement]), late);
    let body = [hello, offer, village, announcement, batch, first, key, receipt, batch, batch];
    assert!(decode_all::<RequestFrame>(&encode_all(body)).is_ok());
}

#[test]
fn a_response_in_the_wrong_order_is_refused() {
    let welcome = ResponseFrame::Welcome(samples::welcome());
    let (refused, bye) = (samples::refused(), ResponseFrame::Bye);
    let rule = |frames: &[&ResponseFrame]| match refusal::<ResponseFrame>(&encode_all(frames.iter().copied()))
    {
        WireError::Order { rule, .. } => rule,
        other => panic!("{other}"),
    };
    assert_eq!(rule(&[&bye]), "a response begins with a welcome");
    assert_eq!(rule(&[&welcome, &welcome]), "the response has begun already");
    assert_eq!(rule(&[&welcome, &refused]), "the response has begun already");
    assert_eq!(rule(&[&welcome, &bye, &bye]), "the response has ended");
    assert_eq!(rule(&[&refused, &bye]), "the response has ended");
}

fn query(village: u8) -> RequestFrame {
    let village = VillageId::from_bytes([village; 16]);
    RequestFrame::Village(VillageQuery { village, cursor: None, keys_given: 0, vector: [].into() })
}

/// Whether a request of one hello, these villages, and this frame so many times is admitted.
fn admits(villages: usize, frame: &RequestFrame, times: usize) -> bool {
    let mut frames = vec![RequestFrame::Hello(samples::hello())];
    frames.extend((0..villages).map(|index| query(u8::try_from(index).unwrap())));
    frames.extend(std::iter::repeat_n(frame.clone(), times));
    decode_all::<RequestFrame>(&encode_all(&frames)).is_ok()
}

#[test]
fn a_request_holds_as_many_villages_keys_and_batches_as_the_limits_say() {
    let batch = RequestFrame::Batch(vec![1]);
    assert!(admits(VILLAGES_PER_REQUEST, &batch, BATCHES_PER_REQUEST));
    assert!(!admits(VILLAGES_PER_REQUEST + 1, &batch, 0));
    assert!(!admits(1, &batch, BATCHES_PER_REQUEST + 1));
    let key = HouseholdKeyFrame { household: samples::household(1), key: KeyBytes([1; 64]) };
    let key = RequestFrame::Key(key);
    assert!(admits(1, &key, KEYS_PER_REQUEST));
    assert!(!admits(1, &key, KEYS_PER_REQUEST + 1));
}

fn vector(count: usize) -> RequestFrame {
    let tip = |next| ChainTip { device: samples::device(1), next: u64::MAX - next, tip: [0; 4] };
    let vector = (0..count as u64).map(tip).collect();
    let cursor = Some(Cursor { epoch: samples::EPOCH, number: u64::MAX });
    RequestFrame::Village(VillageQuery { village: samples::VILLAGE, cursor, keys_given: u64::MAX, vector })
}

fn checkpoint(note: usize, hashes: usize) -> ResponseFrame {
    let consistency = vec![[1; 32]; hashes];
    ResponseFrame::Checkpoint(CheckpointFrame { note: "x".repeat(note), from_size: u64::MAX, consistency })
}

fn village_keys(count: u64) -> ResponseFrame {
    let household = |index: u64| HouseholdId::v7(index, [0; 10]);
    let households = (0..count).map(|index| (household(index), KeyBytes([1; 64]))).collect();
    let (village, search_key) = (samples::VILLAGE, Some(KeyBytes([2; 32])));
    ResponseFrame::VillageKeys(VillageKeys { village, given: u64::MAX, search_key, households })
}

fn batch_problem(code: usize, detail: usize) -> ResponseFrame {
    ResponseFrame::BatchProblem(BatchProblem {
        batch: samples::batch_id(1),
        code: "c".repeat(code),
        detail: "d".repeat(detail),
        outcome: ProblemOutcome::Staged { expected: u64::MAX },
    })
}

fn is_too_long<F: Frame + Debug>(frame: &F) -> bool {
    matches!(decode_one(frame), Err(PayloadError::Codec(CodecError::TooLong { .. })))
}

/// The frame passes its own limits and its payload fits the limit of its kind.
fn fits<F: Frame + Debug + PartialEq>(frame: &F) -> bool {
    let (tag, payload) = frame.encode();
    let shape = F::shape(tag).unwrap();
    assert!(payload.len() <= shape.bytes_max, "{} of {} in a {}", payload.len(), shape.bytes_max, shape.name);
    decode_one(frame).as_ref() == Ok(frame)
}

#[test]
fn every_count_and_text_has_its_limit() {
    assert!(fits(&vector(TIPS_PER_VILLAGE)));
    assert!(is_too_long(&vector(TIPS_PER_VILLAGE + 1)));
    assert!(fits(&checkpoint(NOTE_BYTES_MAX, CONSISTENCY_HASHES_MAX)));
    assert!(is_too_long(&checkpoint(NOTE_BYTES_MAX + 1, 0)));
    assert!(is_too_long(&checkpoint(0, CONSISTENCY_HASHES_MAX + 1)));
    assert!(fits(&village_keys(KEYS_PER_FRAME as u64)));
    assert!(is_too_long(&village_keys(KEYS_PER_FRAME as u64 + 1)));
    assert!(fits(&batch_problem(CODE_BYTES_MAX, DETAIL_BYTES_MAX)));
    assert!(is_too_long(&batch_problem(CODE_BYTES_MAX + 1, 0)));
    assert!(is_too_long(&batch_problem(0, DETAIL_BYTES_MAX + 1)));
}

fn keys_held(count: u64) -> ResponseFrame {
    ResponseFrame::KeysHeld((0..count).map(|index| HouseholdId::v7(index, [0; 10])).collect())
}

fn refused(code: usize, detail: usize) -> ResponseFrame {
    let (code, detail) = ("c".repeat(code), "d".repeat(detail));
    ResponseFrame::Refused(Refused { code, detail, upgrade: None })
}

fn announcements(count: u64) -> ResponseFrame {
    let announced = Announced { next: u64::MAX, checks: u64::MAX, drafts: u64::MAX };
    let device = samples::device(1);
    let told = |number| Told { number: u64::MAX - count + number, device, announced, at_ms: i64::MIN };
    let village = samples::VILLAGE;
    ResponseFrame::Announcements(Announcements { village, told: (0..count).map(told).collect() })
}

fn relayed(bytes: usize) -> ResponseFrame {
    let receipt = samples::receipt(samples::batch_id(1), 1);
    let batch = vec![1; bytes];
    ResponseFrame::Relayed(Relayed { village: samples::VILLAGE, sequence: u64::MAX, batch, receipt })
}

#[test]
fn so_has_every_frame_of_a_response() {
    assert!(fits(&keys_held(KEYS_PER_REQUEST as u64)));
    assert!(is_too_long(&keys_held(KEYS_PER_REQUEST as u64 + 1)));
    assert!(fits(&refused(CODE_BYTES_MAX, DETAIL_BYTES_MAX)));
    assert!(is_too_long(&refused(CODE_BYTES_MAX + 1, 0)));
    assert!(is_too_long(&refused(0, DETAIL_BYTES_MAX + 1)));
    assert!(fits(&announcements(ANNOUNCED_PER_FRAME as u64)));
    assert!(is_too_long(&announcements(ANNOUNCED_PER_FRAME as u64 + 1)));
    assert!(fits(&relayed(BATCH_BYTES_MAX)));
    assert!(is_too_long(&relayed(BATCH_BYTES_MAX + 1)));
}

#[test]
fn lists_that_are_not_ascending_are_refused() {
    let tip = [[0x22; 16].as_slice(), &[5], &[0; 4]].concat();
    let twice = [samples::VILLAGE.as_bytes().as_slice(), &[0, 2], &tip, &tip].concat();
    let refused = RequestFrame::decode(0x02, &twice);
    assert_eq!(refused, Err(PayloadError::NotAscending("tips of a vector")));
    let twice = [[2].as_slice(), &[0x71; 16], &[0x71; 16]].concat();
    assert_eq!(ResponseFrame::decode(0x4d, &twice), Err(PayloadError::NotAscending("households")));
    let line = [[5].as_slice(), &[0x22; 16], &[7, 0, 0], &[0; 8]].concat();
    let twice = [samples::VILLAGE.as_bytes().as_slice(), &[2], &line, &line].concat();
    assert_eq!(ResponseFrame::decode(0x56, &twice), Err(PayloadError::NotAscending("announcements")));
    let keys = [samples::VILLAGE.as_bytes().as_slice(), &[9, 0, 2], &[1; 80], &[0; 80]].concat();
    assert_eq!(ResponseFrame::decode(0x47, &keys), Err(PayloadError::NotAscending("household keys")));
}

#[test]
fn a_hello_of_another_protocol_is_answered_with_the_side_to_upgrade() {
    let ask = |protocol: u16| {
        // A layout this program cannot know: only the version is where it always is.
        let payload = [protocol.to_be_bytes().as_slice(), b"something else"].concat();
        let error =
            refusal::<RequestFrame>(&[&claim(0x01, payload.len() as u64), payload.as_slice()].concat());
        let refused = error.refusal().unwrap().clone();
        (refused.code, refused.upgrade)
    };
    assert_eq!(ask(PROTOCOL_VERSION + 1), (CODE_TOO_NEW.to_owned(), Some(Side::Server)));
    assert_eq!(ask(0), (CODE_TOO_OLD.to_owned(), Some(Side::Device)));
}

#[test]
fn a_welcome_of_another_protocol_tells_the_device_which_side_to_upgrade() {
    let ask = |protocol: u16| {
        let welcome = ResponseFrame::Welcome(Welcome { protocol, ..samples::welcome() });
        refusal::<ResponseFrame>(&encode(&welcome)).refusal().unwrap().upgrade
    };
    assert_eq!(ask(PROTOCOL_VERSION + 1), Some(Side::Device));
    assert_eq!(ask(0), Some(Side::Server));
    assert_eq!(WireError::Cut.refusal(), None);
}

#[test]
fn no_frame_is_longer_than_its_kind_may_be() {
    fn check<F: Frame + Debug>(tags: std::ops::RangeInclusive<u8>, before: &[u8]) {
        for tag in tags {
            let Shape { name, bytes_max } = F::shape(tag).unwrap();
            let found = bytes_max as u64 + 1;
            let body = [before, &claim(tag, found)].concat();
            assert_eq!(refusal::<F>(&body), WireError::TooLong { frame: name, found, limit: bytes_max });
            if bytes_max > 0 {
                let body = [before, &claim(tag, bytes_max as u64)].concat();
                assert_eq!(refusal::<F>(&body), WireError::Cut, "{name}");
            }
        }
    }
    check::<RequestFrame>(0x01..=0x05, &[]);
    check::<ResponseFrame>(0x41..=0x4e, &[]);
    check::<RequestFrame>(0x07..=0x09, &[]);
    check::<ResponseFrame>(0x53..=0x56, &[]);
    assert_eq!(RequestFrame::shape(0x06), None);
    assert_eq!(ResponseFrame::shape(0x4f), None);
}

fn held() -> Verdict {
    Verdict::Held { needs: vec![ChangeHash([0xff; 32]); NEEDS_MAX] }
}

#[test]
fn the_largest_statements_of_the_ledger_fit() {
    let mut receipt = samples::receipt(samples::batch_id(1), COUNTER_MAX);
    receipt.statement.verdicts = vec![held(); CHANGES_PER_BATCH_MAX];
    assert!(fits(&ResponseFrame::Receipt(receipt.clone())));
    let (village, sequence, batch) = (samples::VILLAGE, u64::MAX, vec![1; BATCH_BYTES_MAX]);
    assert!(fits(&ResponseFrame::Relayed(Relayed { village, sequence, batch, receipt })));
    let mut decision = samples::decision();
    decision.statement.verdict = held();
    assert!(fits(&ResponseFrame::Decision(RelayedDecision { village, sequence, decision })));
    let mut certificate = samples::certificate();
    certificate.statement.name = "x".repeat(NAME_BYTES_MAX);
    certificate.statement.villages =
        (0..VILLAGES_PER_CERTIFICATE_MAX as u64).map(|index| VillageId::v7(index, [0; 10])).collect();
    assert!(fits(&ResponseFrame::Certificate(certificate)));
    let mut revocation = samples::revocation();
    revocation.statement.reason = "x".repeat(REASON_BYTES_MAX);
    assert!(fits(&ResponseFrame::Revocation(revocation)));
}

#[test]
fn the_largest_request_that_is_ever_planned_fits_a_body() {
    let key = HouseholdKeyFrame { household: samples::household(1), key: KeyBytes([1; 64]) };
    let largest = encode(&RequestFrame::Hello(samples::hello())).len()
        + VILLAGES_PER_REQUEST * encode(&vector(TIPS_PER_VILLAGE)).len()
        + VILLAGES_PER_REQUEST * encode(&RequestFrame::Announcement(samples::announcement())).len()
        + KEYS_PER_REQUEST * encode(&RequestFrame::Key(key)).len()
        + encode(&RequestFrame::Batch(vec![0; BATCH_BYTES_MAX])).len();
    assert!(largest as u64 <= REQUEST_BYTES_MAX, "{largest}");
}

/// What decodes is the only encoding of what it decodes to.
fn strict<F: Frame + Debug + PartialEq>(frame: &F, at: usize, bit: u8) -> Result<(), TestCaseError> {
    let (tag, payload) = frame.encode();
    prop_assert_eq!(&F::decode(tag, &payload).unwrap(), frame);
    for mutant in [payload[..payload.len().saturating_sub(1)].to_vec(), flipped(&payload, at, bit)] {
        if let Ok(other) = F::decode(tag, &mutant) {
            prop_assert_eq!(other.encode(), (tag, mutant));
        }
    }
    Ok(())
}

fn flipped(payload: &[u8], at: usize, bit: u8) -> Vec<u8> {
    let mut mutant = payload.to_vec();
    if let Some(byte) = mutant.get_mut(at % payload.len().max(1)) {
        *byte ^= 1 << bit;
    }
    mutant
}

proptest! {
    #[test]
    fn a_request_frame_has_one_encoding_and_reads_back(frame in any_request(), at: usize, bit in 0_u8..8) {
        strict(&frame, at, bit)?;
    }

    #[test]
    fn a_response_frame_has_one_encoding_and_reads_back(frame in any_response(), at: usize, bit in 0_u8..8) {
        strict(&frame, at, bit)?;
    }

    #[test]
    fn the_size_of_the_chunks_does_not_matter(sizes in vec(1_usize..200, 1..50)) {
        let frames: Vec<_> = samples::response().into_iter().map(|(_, frame)| frame).collect();
        let body = encode_all(&frames);
        let mut rest = body.as_slice();
        let mut reader = FrameReader::<ResponseFrame>::new();
        let mut read = Vec::new();
        for size in sizes.iter().cycle() {
            let (mut chunk, after) = rest.split_at(rest.len().min(*size));
            while let Some(frame) = reader.read(&mut chunk).unwrap() {
                read.push(frame);
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(reader.finish(), Ok(()));
        prop_assert_eq!(read, frames);
    }

    #[test]
    fn no_bytes_whatever_make_the_reader_panic(body: Vec<u8>, tag in 0x40_u8..0x50) {
        let _ = decode_all::<RequestFrame>(&body);
        let _ = decode_all::<ResponseFrame>(&body);
        let _ = ResponseFrame::decode(tag, &body);
        let _ = RequestFrame::decode(tag & 7, &body);
    }
}
