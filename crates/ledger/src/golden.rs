//! Golden files: one example of every format, byte for byte. A failing test here means that a format
//! changed and that everything signed before can no longer be read: give the format a new version instead.

use std::fmt::Debug;

use expect_test::{ExpectFile, expect_file};

use crate::batch::{Batch, BatchHeader};
use crate::certificate::{Certificate, Revocation};
use crate::checkpoint::{Checkpoint, NoteKey};
use crate::decision::Decision;
use crate::epoch::EpochStart;
use crate::leaf::Leaf;
use crate::receipt::Receipt;
use crate::signature::SecretKey;
use crate::snapshot::Snapshot;
use crate::statement::{Signed, Statement};
use crate::succession::{EpochLink, Succession};
use crate::verdict::Verdict;
use crate::watermark::Watermark;
use crate::{example, limits, payload};

/// Lower-case digits, 32 bytes a line.
fn lines(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    bytes.chunks(32).map(line).collect()
}

/// Compares a signed statement with its file, and the file's meaning with the statement.
fn signed<T: Statement + Debug + Clone>(statement: T, key: &SecretKey, file: ExpectFile) {
    let signed = Signed::sign(statement, key).unwrap();
    file.assert_eq(&lines(&signed.to_bytes()));
    let read = Signed::<T>::from_bytes(&signed.to_bytes()).unwrap();
    assert_eq!(read, signed);
    read.verify(&key.public()).unwrap();
}

#[test]
fn the_certificate_is_as_it_always_was() {
    signed(example::certificate(), &example::server_key(), expect_file!["../golden/certificate.hex"]);
}

#[test]
fn the_revocation_is_as_it_always_was() {
    signed(example::revocation(), &example::server_key(), expect_file!["../golden/revocation.hex"]);
}

#[test]
fn the_receipt_is_as_it_always_was() {
    signed(example::receipt(), &example::server_key(), expect_file!["../golden/receipt.hex"]);
}

#[test]
fn the_decision_is_as_it_always_was() {
    signed(example::decision(), &example::server_key(), expect_file!["../golden/decision.hex"]);
}

#[test]
fn the_decision_of_two_people_is_as_it_always_was() {
    let file = expect_file!["../golden/decision_of_two.hex"];
    signed(example::decision_of_two(), &example::server_key(), file);
}

#[test]
fn the_succession_is_as_it_always_was() {
    signed(example::succession([0x45; 32]), &example::server_key(), expect_file!["../golden/succession.hex"]);
    let link = example::epoch_link();
    expect_file!["../golden/epoch_link.hex"].assert_eq(&lines(&link.to_bytes()));
    assert_eq!(EpochLink::from_bytes(&link.to_bytes()), Ok(link));
}

#[test]
fn the_watermark_is_as_it_always_was() {
    signed(example::watermark(), &example::server_key(), expect_file!["../golden/watermark.hex"]);
}

#[test]
fn the_epoch_is_as_it_always_was() {
    signed(example::epoch_start(), &example::server_key(), expect_file!["../golden/epoch.hex"]);
}

#[test]
fn the_snapshot_is_as_it_always_was() {
    signed(example::snapshot(), &example::server_key(), expect_file!["../golden/snapshot.hex"]);
}

#[test]
fn the_batch_header_is_as_it_always_was() {
    let first = example::batch();
    expect_file!["../golden/batch_header.hex"].assert_eq(&lines(&first.header.to_bytes()));
    let second = Batch::seal(&example::device_key(), example::unsealed_after(&first), &example::body());
    signed::<BatchHeader>(
        second.unwrap().header,
        &example::device_key(),
        expect_file!["../golden/batch_header_second.hex"],
    );
}

#[test]
fn the_batch_is_as_it_always_was() {
    let body = payload::write_body(&example::body());
    expect_file!["../golden/batch_body.hex"].assert_eq(&lines(&body));
    let packed = [&[payload::MODE_ZSTD], example::raw_frame(&body).as_slice()].concat();
    let batch = Batch { payload: packed, ..example::batch() };
    expect_file!["../golden/batch.hex"].assert_eq(&lines(&batch.to_bytes()));
    let read = Batch::from_bytes(&batch.to_bytes()).unwrap();
    read.verify(&example::certificate()).unwrap();
    assert_eq!(read.open().unwrap(), example::body());
}

#[test]
fn the_verdicts_are_as_they_always_were() {
    let forms = example::verdicts().iter().map(|verdict| lines(&verdict.to_bytes())).collect::<Vec<_>>();
    expect_file!["../golden/verdict.hex"].assert_eq(&forms.join("\n"));
    for verdict in example::verdicts() {
        assert_eq!(Verdict::from_bytes(&verdict.to_bytes()), Ok(verdict));
    }
}

#[test]
fn the_leaves_are_as_they_always_were() {
    let server = example::server_key();
    let leaves = [
        Leaf::epoch(&Signed::sign(example::epoch_start(), &server).unwrap()),
        Leaf::certificate(&Signed::sign(example::certificate(), &server).unwrap(), example::MORNING_MS),
        Leaf::revocation(&Signed::sign(example::revocation(), &server).unwrap()),
        example::receipt().leaf(&example::batch().header),
        Leaf::decision(&Signed::sign(example::decision(), &server).unwrap()),
    ];
    let forms = leaves.iter().map(|leaf| lines(&leaf.to_bytes())).collect::<Vec<_>>();
    expect_file!["../golden/leaf.hex"].assert_eq(&forms.join("\n"));
    for leaf in leaves {
        assert_eq!(Leaf::from_bytes(&leaf.to_bytes()), Ok(leaf));
    }
}

#[test]
fn the_checkpoint_and_its_key_are_as_they_always_were() {
    let checkpoint = Checkpoint::new(example::deployment(), 41, [0x44; 32]);
    let note = checkpoint.sign(&example::server_key()).unwrap();
    let key = NoteKey::of_log(example::deployment(), example::server_key().public());
    expect_file!["../golden/checkpoint.hex"].assert_eq(&lines(note.as_bytes()));
    expect_file!["../golden/checkpoint.txt"].assert_eq(&note);
    expect_file!["../golden/checkpoint_key.txt"].assert_eq(&format!("{key}\n"));
    assert_eq!(Checkpoint::open(&note, &key), Ok(checkpoint));
}

#[test]
fn the_fingerprint_words_are_as_they_always_were() {
    let words = example::server_key().public().fingerprint_words();
    expect_file!["../golden/fingerprint.txt"].assert_eq(&(words.join(" ") + "\n"));
}

#[test]
fn the_byte_table_names_every_purpose_and_limit() {
    let table = include_str!("../../../schemas/wire/ledger.md");
    for domain in [
        BatchHeader::DOMAIN,
        Certificate::DOMAIN,
        Revocation::DOMAIN,
        Receipt::DOMAIN,
        Decision::DOMAIN,
        EpochStart::DOMAIN,
        Snapshot::DOMAIN,
        Succession::DOMAIN,
        Watermark::DOMAIN,
    ] {
        assert!(table.contains(&format!("| `{domain}` |")), "{domain}");
    }
    for (name, value) in limits() {
        assert!(table.contains(&format!("| `{name}` | {value} |\n")), "{name}");
    }
    let source = include_str!("limits.rs").split("#[cfg(test)]").next().unwrap();
    assert_eq!(source.matches("pub const ").count(), limits().len(), "a limit is not listed here");
}

fn limits() -> [(&'static str, u64); 18] {
    [
        ("CHANGES_PER_BATCH_MAX", limits::CHANGES_PER_BATCH_MAX as u64),
        ("OPENINGS_PER_BATCH_MAX", limits::OPENINGS_PER_BATCH_MAX as u64),
        ("CHANGE_BYTES_MAX", limits::CHANGE_BYTES_MAX as u64),
        ("PAYLOAD_BYTES_MAX", limits::PAYLOAD_BYTES_MAX as u64),
        ("BODY_BYTES_MAX", limits::BODY_BYTES_MAX as u64),
        ("VILLAGES_PER_CERTIFICATE_MAX", limits::VILLAGES_PER_CERTIFICATE_MAX as u64),
        ("NAME_BYTES_MAX", limits::NAME_BYTES_MAX as u64),
        ("REASON_BYTES_MAX", limits::REASON_BYTES_MAX as u64),
        ("RULE_BYTES_MAX", limits::RULE_BYTES_MAX as u64),
        ("NEEDS_MAX", limits::NEEDS_MAX as u64),
        ("TIME_MS_MAX", limits::TIME_MS_MAX.unsigned_abs()),
        ("COUNTER_MAX", limits::COUNTER_MAX),
        ("LEAF_BYTES_MAX", limits::LEAF_BYTES_MAX as u64),
        ("NOTE_BYTES_MAX", limits::NOTE_BYTES_MAX as u64),
        ("NOTE_SIGNATURES_MAX", limits::NOTE_SIGNATURES_MAX as u64),
        ("SNAPSHOT_PIECE_BYTES", limits::SNAPSHOT_PIECE_BYTES),
        ("SNAPSHOT_PACKED_BYTES_MAX", limits::SNAPSHOT_PACKED_BYTES_MAX),
        ("SNAPSHOT_BYTES_MAX", limits::SNAPSHOT_BYTES_MAX),
    ]
}
