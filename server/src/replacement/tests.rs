//! Giving a key up: who may, what follows, and what does not.

use ruhu_ledger::signature::SecretKey;

use super::*;
use crate::enrol::EnrolmentGranted;
use crate::enrol::tests::{World, request, world};
use crate::ingest::blanket_rule;
use crate::store::people::PeopleStore as _;

fn asked(old: &SecretKey, new: &SecretKey) -> ReplacementRequest {
    let digest = replacement_digest(&old.public(), &new.public());
    ReplacementRequest {
        old_key: old.public(),
        new_key: new.public(),
        old_proof: old.sign(REPLACEMENT_DOMAIN, &digest),
        new_proof: new.sign(REPLACEMENT_DOMAIN, &digest),
    }
}

fn replace(world: &World, old: &SecretKey, new: &SecretKey) -> Result<SignedCertificate, EnrolError> {
    replace_key(&world.store, &world.keys, &world.clock, &asked(old, new))
}

/// A device of the person, enrolled under the key of this seed.
fn enrol(world: &World, seed: u8) -> EnrolmentGranted {
    world.enrol(&request(&world.invite(), seed)).unwrap()
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

#[test]
fn both_copies_get_provisional_keys_and_the_old_one_ends_once() {
    let world = world();
    let old = key(10);
    let held = enrol(&world, 10).certificate.statement;
    for new in [key(11), key(12)] {
        let said = replace(&world, &old, &new).unwrap().statement;
        assert_eq!((said.kind, said.user, said.key), (CertificateKind::Provisional, held.user, new.public()));
        assert_eq!(said.villages, held.villages);
        assert_eq!(blanket_rule(&said, false, said.from_ms), Some("device_provisional"));
    }
    let ended = world.store.device(held.device()).unwrap().unwrap();
    assert!(was_given_up(&ended));
    assert_eq!(world.store.devices().unwrap().len(), 4, "the server, the old key, two new ones");
}

#[test]
fn the_same_request_again_gets_the_same_certificate() {
    let world = world();
    enrol(&world, 10);
    let first = replace(&world, &key(10), &key(11)).unwrap();
    assert_eq!(replace(&world, &key(10), &key(11)).unwrap(), first);
}

#[test]
fn a_key_that_somebody_revoked_is_not_replaced() {
    let world = world();
    let held = enrol(&world, 10).certificate.statement;
    let lost = Revocation {
        deployment: held.deployment,
        device: held.device(),
        at_ms: 2_000,
        reason: "平板丢失".to_owned(),
    };
    let lost = SignedRevocation::sign(lost, &world.keys.signing).unwrap();
    world.store.device_revoke(&lost).unwrap();
    assert!(matches!(replace(&world, &key(10), &key(11)), Err(EnrolError::KeyRevoked)));
}

#[test]
fn a_provisional_key_is_not_replaced_by_another() {
    let world = world();
    enrol(&world, 10);
    replace(&world, &key(10), &key(11)).unwrap();
    assert!(matches!(replace(&world, &key(11), &key(12)), Err(EnrolError::KeyRevoked)));
}

#[test]
fn who_does_not_hold_both_keys_replaces_nothing() {
    let world = world();
    enrol(&world, 10);
    assert!(matches!(replace(&world, &key(20), &key(11)), Err(EnrolError::KeyUnknown)));
    let (good, thief) = (asked(&key(10), &key(11)), asked(&key(20), &key(11)));
    for wrong in [
        ReplacementRequest { old_proof: thief.old_proof, ..good.clone() },
        ReplacementRequest { new_proof: good.old_proof, ..good.clone() },
        ReplacementRequest { new_key: key(12).public(), ..good },
    ] {
        let refused = replace_key(&world.store, &world.keys, &world.clock, &wrong);
        assert!(matches!(refused, Err(EnrolError::BadProof)), "{refused:?}");
    }
    assert_eq!(world.store.devices().unwrap().len(), 2);
}

#[test]
fn a_person_enrols_a_provisional_key_again_with_a_code() {
    let world = world();
    enrol(&world, 10);
    replace(&world, &key(10), &key(11)).unwrap();
    let granted = enrol(&world, 11).certificate.statement;
    assert_eq!(granted.kind, CertificateKind::Device);
    let device = world.store.device(granted.device()).unwrap().unwrap();
    assert_eq!(device.certificate.statement, granted);
}
