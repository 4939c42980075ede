//! Snapshots read back exactly, cost little, and are refused when anything about them is not as signed.

use std::path::Path;

use expect_test::expect_file;
use proptest::prelude::*;
use ruhu_ledger::limits::SNAPSHOT_PIECE_BYTES;
use ruhu_ledger::signature::SecretKey;
use ruhu_survey::change::Value;
use ruhu_survey::id::HouseholdId;
use ruhu_survey::register::Register;

use super::decode::decode;
use super::encode::{VERSION, VERSION_OLDEST, encode};
use super::example::{about, actor, batch, content, content_founded, server_key, write};
use super::*;

fn sealed() -> Sealed {
    let content = content();
    seal(&content, &about(&content), &server_key()).unwrap()
}

#[test]
fn a_snapshot_reads_back_as_it_was() {
    assert_eq!(open(&sealed(), &server_key().public()), Ok(content()));
    assert_eq!(decode(&encode(&Content::default(), VERSION).unwrap()), Ok(Content::default()));
}

#[test]
fn the_content_is_as_it_always_was() {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden_snapshot");
    for (version, content, name) in
        [(VERSION_OLDEST, content(), "content.hex"), (VERSION, content_founded(), "content-2.hex")]
    {
        let bytes = encode(&content, version).unwrap();
        let lines: String = bytes.chunks(32).map(line).collect();
        expect_file![folder.join(name)].assert_eq(&lines);
        assert_eq!(decode(&bytes), Ok(content));
    }
}

#[test]
fn a_founded_document_a_sealed_value_and_a_tag_cost_what_does_not_compress() {
    let bytes = |content: &Content, version| encode(content, version).unwrap().len();
    let more = |version| bytes(&content_founded(), version) - bytes(&content(), version);
    // The id but a byte; the length and the first byte of the sealed value; half of the tag and its length.
    assert_eq!(more(VERSION_OLDEST) - more(VERSION), 15 + 1 + 9);
}

#[test]
fn whoever_is_not_the_server_signs_nothing_that_counts() {
    let content = content();
    let forged = seal(&content, &about(&content), &SecretKey::from_seed([9; 32])).unwrap();
    assert!(matches!(open(&forged, &server_key().public()), Err(SnapshotError::Unsigned(_))));
}

#[test]
fn content_that_contradicts_its_fingerprint_is_neither_made_nor_used() {
    let content = content();
    let lying = About { fingerprint: about(&content).fingerprint ^ 1, ..about(&content) };
    assert_eq!(seal(&content, &lying, &server_key()), Err(SnapshotError::Fingerprint));
}

#[test]
fn every_cut_and_every_altered_byte_of_the_packed_content_is_noticed() {
    let sealed = sealed();
    let key = server_key().public();
    for at in 0..sealed.packed.len() {
        let cut = Sealed { packed: sealed.packed[..at].to_vec(), ..sealed.clone() };
        assert_eq!(open(&cut, &key), Err(SnapshotError::Piece));
        let mut altered = sealed.clone();
        altered.packed[at] ^= 1;
        assert_eq!(open(&altered, &key), Err(SnapshotError::Piece));
    }
    let mut longer = sealed;
    longer.packed.push(0);
    assert_eq!(open(&longer, &key), Err(SnapshotError::Piece));
}

#[test]
fn pieces_are_checked_as_they_come() {
    let sealed = sealed();
    let mut statement = sealed.statement.statement;
    assert_eq!(check_piece(&statement, &sealed.packed[..10]), Ok(()));
    assert_eq!(check_piece(&statement, &sealed.packed), Ok(()));
    let piece = vec![7; usize::try_from(SNAPSHOT_PIECE_BYTES).unwrap()];
    statement.packed_bytes = 2 * SNAPSHOT_PIECE_BYTES;
    statement.pieces =
        vec![sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(&piece)).into(); 2];
    assert_eq!(check_piece(&statement, &piece[1..]), Ok(()), "not whole yet");
    assert_eq!(check_piece(&statement, &piece), Ok(()));
    let mut wrong = [piece.clone(), piece].concat();
    wrong[70_000] ^= 1;
    assert_eq!(check_piece(&statement, &wrong[..120_000]), Ok(()), "the second piece is not whole yet");
    assert_eq!(check_piece(&statement, &wrong), Err(SnapshotError::Piece));
}

#[test]
fn lists_out_of_order_and_doubled_are_refused() {
    let refused = |alter: fn(&mut Content)| {
        let mut content = content();
        alter(&mut content);
        decode(&encode(&content, VERSION).unwrap())
    };
    assert_eq!(refused(|content| content.documents.swap(0, 1)), Err(SnapshotError::Order("documents")));
    let doubled = refused(|content| content.documents[1] = content.documents[0].clone());
    assert_eq!(doubled, Err(SnapshotError::Order("documents")));
    assert_eq!(refused(|content| content.batches[3].sequence = 1), Err(SnapshotError::Order("batches")));
    let twice = refused(|content| content.left_out.push(content.left_out[0].clone()));
    assert_eq!(twice, Err(SnapshotError::Order("documents left out")));
    let twice = refused(|content| content.certificates.push(content.certificates[0].clone()));
    assert_eq!(twice, Err(SnapshotError::Order("certificates")));
}

#[test]
fn a_newer_content_is_named_and_bytes_left_over_are_refused() {
    let bytes = encode(&content(), VERSION).unwrap();
    let mut newer = bytes.clone();
    newer[0] = VERSION + 1;
    assert_eq!(decode(&newer), Err(SnapshotError::Version(VERSION + 1)));
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(decode(&longer), Err(SnapshotError::Codec(CodecError::Trailing(1))));
}

#[test]
fn a_change_that_its_document_could_not_have_makes_no_snapshot() {
    let mut content = content();
    content.documents[0].accepted.swap(0, 1);
    assert_eq!(encode(&content, VERSION), Err(SnapshotError::Change(content.documents[0].id)));
}

/// Who writes, onto how much of what there is, and what.
type Step = (u8, u8, Vec<(u8, i64)>);

/// A household written by several people who do not always see one another.
fn history(steps: &[Step]) -> Content {
    let mut part =
        DocumentPart { id: HouseholdId::from_bytes([3; 16]).into(), accepted: Vec::new(), apart: Vec::new() };
    let mut seen = vec![Register::default(); 3];
    let mut all = Register::default();
    for (place, (who, sees, puts)) in steps.iter().enumerate() {
        let who = usize::from(who % 3);
        if sees % 2 == 0 {
            seen[who] = all.clone();
        }
        let by = actor(u8::try_from(who).unwrap());
        let at = (who, u16::try_from(place).unwrap());
        let fill = |builder: &mut ruhu_survey::register::ChangeBuilder<'_>| {
            builder.put(format!("key/{place}"), Value::Text("x".to_owned()));
            for (key, value) in puts {
                builder.put(format!("key/{}", key % 4), Value::Int(*value));
            }
        };
        seen[who] = write(&mut part.accepted, &seen[who], by, at, fill);
        let (change, hash) = ruhu_survey::change::parse(&part.accepted.last().unwrap().bytes).unwrap();
        all.apply(&change, hash);
    }
    part.accepted.sort_by_key(|line| {
        let (change, hash) = ruhu_survey::change::parse(&line.bytes).unwrap();
        (change.start_op, hash)
    });
    let batches = (0..3).map(|who| batch(who, who, 1, None, true)).collect();
    Content { batches, documents: vec![part], ..Content::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_history_reads_back_byte_for_byte(
        steps in prop::collection::vec((0_u8..3, any::<u8>(), prop::collection::vec((any::<u8>(), any::<i64>()), 0..5)), 1..24),
    ) {
        let content = history(&steps);
        for version in VERSION_OLDEST..=VERSION {
            prop_assert_eq!(decode(&encode(&content, version).unwrap()), Ok(content.clone()));
        }
    }

    #[test]
    fn altered_content_is_refused_or_is_another_content_and_never_ends_in_a_panic(
        at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>(), truncate: bool,
        version in VERSION_OLDEST..=VERSION,
    ) {
        let mut bytes = encode(&content(), version).unwrap();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        if truncate {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(read) = decode(&bytes) {
            prop_assert_eq!(encode(&read, bytes[0]).unwrap(), bytes);
        }
    }
}
