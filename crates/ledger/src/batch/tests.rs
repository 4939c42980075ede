//! Batches sealed, carried, altered and chained.

use ruhu_survey::id::{DeploymentId, UserId, VillageId};

use super::*;
use crate::example;
use crate::payload::{MODE_ZSTD, write_body};

#[test]
fn a_sealed_batch_verifies_and_opens_after_a_journey() {
    let batch = example::batch();
    let arrived = Batch::from_bytes(&batch.to_bytes()).unwrap();
    assert_eq!(arrived, batch);
    assert_eq!(arrived.verify(&example::certificate()), Ok(()));
    assert_eq!(arrived.open(), Ok(example::body()));
    assert_eq!(arrived.header.count, 3);
    assert_eq!(batch.header.to_bytes().len(), 183);
}

#[test]
fn every_altered_byte_of_a_batch_is_noticed() {
    let good = example::batch();
    let bytes = good.to_bytes();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 0x20;
        let Ok(batch) = Batch::from_bytes(&altered) else { continue };
        let verified = batch.verify(&example::certificate());
        let unharmed = batch.open().is_ok_and(|body| body == example::body());
        assert!(verified.is_err() || batch.open().is_err() || unharmed, "byte {at}");
        assert!(verified.is_err() || batch.id() == good.id(), "byte {at}");
    }
}

#[test]
fn a_batch_is_refused_under_a_certificate_that_is_not_its_authors() {
    let batch = example::batch();
    let certificate = example::certificate();
    let refused = |certificate: &Certificate| batch.verify(certificate).unwrap_err();
    let deployment = DeploymentId::from_bytes([1; 16]);
    assert_eq!(refused(&Certificate { deployment, ..certificate.clone() }), VerifyError::Deployment);
    let key = example::server_key().public();
    assert_eq!(refused(&Certificate { key, ..certificate.clone() }), VerifyError::Device);
    let user = UserId::from_bytes([1; 16]);
    assert_eq!(refused(&Certificate { user, ..certificate.clone() }), VerifyError::User);
    let villages = [VillageId::from_bytes([0xb1; 16])].into();
    assert_eq!(refused(&Certificate { villages, ..certificate }), VerifyError::Village);
}

#[test]
fn the_servers_device_may_sign_for_any_user_and_village() {
    let certificate = Certificate {
        kind: CertificateKind::Server,
        user: UserId::from_bytes([1; 16]),
        villages: [].into(),
        ..example::certificate()
    };
    assert_eq!(example::batch().verify(&certificate), Ok(()));
}

#[test]
fn a_signature_by_another_key_or_for_another_purpose_is_refused() {
    let mut batch = example::batch();
    batch.signature = example::server_key().sign(BatchHeader::DOMAIN, &batch.id().0);
    assert_eq!(batch.verify(&example::certificate()), Err(VerifyError::Signature));
    batch.signature = example::device_key().sign("ruhu/receipt/1", &batch.id().0);
    assert_eq!(batch.verify(&example::certificate()), Err(VerifyError::Signature));
}

#[test]
fn a_key_seals_only_for_its_own_device() {
    let refusal = Batch::seal(&example::server_key(), example::unsealed(), &example::body());
    assert_eq!(refusal, Err(BatchError::Key));
}

#[test]
fn a_header_that_contradicts_itself_is_not_sealed() {
    let previous = Some(BatchId([1; 32]));
    let anchor = Anchor { size: 0, ..example::unsealed().anchor };
    let wrong = [
        UnsealedHeader { number: 0, ..example::unsealed() },
        UnsealedHeader { number: 2, ..example::unsealed() },
        UnsealedHeader { previous, ..example::unsealed() },
        UnsealedHeader { anchor, ..example::unsealed() },
        UnsealedHeader { wall_ms: -1, ..example::unsealed() },
    ];
    for unsealed in wrong {
        let refusal = Batch::seal(&example::device_key(), unsealed, &example::body());
        assert!(matches!(refusal, Err(BatchError::Format(_))), "{refusal:?}");
    }
    let anchor = Anchor::start(example::epoch());
    let unsealed = UnsealedHeader { anchor, ..example::unsealed() };
    assert!(Batch::seal(&example::device_key(), unsealed, &example::body()).is_ok());
}

/// The batch with another body under the same signature.
fn with_body(body: &BatchBody) -> Batch {
    let payload = [&[MODE_ZSTD], example::raw_frame(&write_body(body)).as_slice()].concat();
    Batch { payload, ..example::batch() }
}

#[test]
fn a_body_that_was_not_signed_does_not_open() {
    assert_eq!(with_body(&example::body()).open(), Ok(example::body()));
    let mut other_document = example::body();
    other_document.changes[0].0 = example::document(9);
    let mut other_order = example::body();
    other_order.changes.swap(0, 1);
    let mut other_opening = example::body();
    other_opening.openings[0] = *b"opening9";
    let mut no_opening = example::body();
    no_opening.openings.clear();
    let mut other_change = example::body();
    other_change.changes[2].1 = example::chunk(b"another");
    for body in [other_document, other_order, other_opening, no_opening, other_change] {
        assert_eq!(with_body(&body).open(), Err(BatchError::Root));
    }
    let mut fewer = example::body();
    fewer.changes.pop();
    assert_eq!(with_body(&fewer).open(), Err(BatchError::Count { expected: 3, found: 2 }));
}

#[test]
fn a_change_with_a_wrong_magic_or_checksum_spoils_the_batch_and_not_the_verdict() {
    for at in [0, 3, 4, 7, 8, 20] {
        let mut body = example::body();
        body.changes[1].1[at] ^= 1;
        assert_eq!(with_body(&body).open(), Err(BatchError::NotAChange { index: 1 }), "byte {at}");
        let sealed = Batch::seal(&example::device_key(), example::unsealed(), &body);
        assert_eq!(sealed, Err(BatchError::NotAChange { index: 1 }));
    }
    assert_eq!(change_hash(&[0x85, 0x6f, 0x4a, 0x83, 0, 0, 0]), None);
    assert_eq!(change_hash(&[]), None);
}

#[test]
fn an_empty_body_and_a_repeated_opening_are_not_sealed() {
    let seal = |body: &BatchBody| Batch::seal(&example::device_key(), example::unsealed(), body);
    assert!(matches!(seal(&BatchBody::default()), Err(BatchError::Format(_))));
    let twice = BatchBody { openings: vec![*b"opening1"; 2], ..example::body() };
    assert!(matches!(seal(&twice), Err(BatchError::Format(_))));
}

#[test]
fn an_unknown_version_algorithm_or_mode_is_named() {
    let mut bytes = example::batch().to_bytes();
    bytes[0] = 2;
    let refusal = Batch::from_bytes(&bytes).unwrap_err();
    assert_eq!(refusal, FormatError::Version { what: "batch", found: 2 });
    assert_eq!(refusal.to_string(), "version 2 of the batch format is not known");
    bytes[0] = 1;
    bytes[1] = 3;
    let refusal = Batch::from_bytes(&bytes).unwrap_err();
    assert_eq!(refusal.to_string(), "signature algorithm 3 is not known: 1 (Ed25519) is");
    let mut batch = example::batch();
    batch.payload[0] = 7;
    assert_eq!(batch.open(), Err(BatchError::Mode(7)));
    batch.payload.clear();
    assert!(matches!(batch.open(), Err(BatchError::Format(_))));
}

#[test]
fn a_chain_goes_on_from_its_last_batch_only() {
    let seal = |unsealed| Batch::seal(&example::device_key(), unsealed, &example::body()).unwrap();
    let first = example::batch();
    let second = seal(example::unsealed_after(&first));
    let third = seal(example::unsealed_after(&second));
    assert_eq!(follows(None, &first.header), Ok(()));
    assert_eq!(follows(Some(&first.header), &second.header), Ok(()));
    assert_eq!(follows(Some(&second.header), &third.header), Ok(()));
    let broken = |held: Option<&Batch>, next: &Batch| follows(held.map(|batch| &batch.header), &next.header);
    assert_eq!(broken(None, &second), Err(ChainBreak::Gap { expected: 1, found: 2 }));
    assert_eq!(broken(Some(&first), &third), Err(ChainBreak::Gap { expected: 2, found: 3 }));
    assert_eq!(broken(Some(&second), &second), Err(ChainBreak::Repeated));
    assert_eq!(broken(Some(&third), &first), Err(ChainBreak::Behind { expected: 4, found: 1 }));
}

#[test]
fn a_clone_shows_as_a_fork() {
    let seal = |unsealed| Batch::seal(&example::device_key(), unsealed, &example::body()).unwrap();
    let first = example::batch();
    let original = seal(example::unsealed_after(&first));
    let copy = seal(UnsealedHeader { monotonic_ms: 5, ..example::unsealed_after(&first) });
    assert_eq!(follows(Some(&original.header), &copy.header), Err(ChainBreak::Fork { number: 2 }));
    let after_copy = seal(example::unsealed_after(&copy));
    let refusal = follows(Some(&original.header), &after_copy.header);
    assert_eq!(refusal, Err(ChainBreak::WrongPrevious { number: 3 }));
    let village = VillageId::from_bytes([0xb1; 16]);
    let elsewhere = seal(UnsealedHeader { village, ..example::unsealed() });
    assert_eq!(follows(Some(&first.header), &elsewhere.header), Err(ChainBreak::OtherChain));
}
