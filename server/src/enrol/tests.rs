//! Enrolment, its refusals, and what a device is given.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};

use ruhu_ledger::certificate::{Revocation, SignedRevocation};
use ruhu_ledger::epoch::SignedEpochStart;
use ruhu_ledger::signature::SecretKey;
use ruhu_survey::id::{DeploymentId, EpochId, UserId};

use super::*;
use crate::store::SqliteStore;
use crate::store::people::{NewVillage, PlaceStore as _, Region, RegionCommit};

const HOUR: i64 = 3_600_000;

#[derive(Debug)]
pub(crate) struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) struct World {
    _directory: tempfile::TempDir,
    pub(crate) store: SqliteStore,
    pub(crate) keys: ServerKeys,
    pub(crate) clock: HandClock,
    user: User,
}

pub(crate) fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("ruhu.db"), None).unwrap();
    let keys = ServerKeys::from_seeds(&[[1; 32], [2; 32], [3; 32]]);
    let start = EpochStart {
        deployment: DeploymentId::from_bytes([1; 16]),
        epoch: EpochId::from_bytes([2; 16]),
        server_key: keys.signing.public(),
        started_ms: 1_000,
        previous: None,
    };
    let signed = SignedEpochStart::sign(start.clone(), &keys.signing).unwrap();
    store.deployment_begin(&signed, &server_certificate(&start, &keys, "server", 1).unwrap()).unwrap();
    let user = User {
        id: UserId::from_bytes([7; 16]),
        name: "李春生".to_owned(),
        role: Role::FirstSecretary,
        regions: BTreeSet::from(["43082110".to_owned()]),
    };
    store.user_add(&user, 1_000).unwrap();
    let world = World { _directory: directory, store, keys, clock: HandClock(AtomicI64::new(2_000)), user };
    world.add_villages(2);
    world
}

impl World {
    fn add_villages(&self, count: u16) {
        let commit = RegionCommit {
            added: vec![Region {
                code: "430821101".to_owned(),
                name: "岩泊渡镇".to_owned(),
                valid_from: "2026-01-01".to_owned(),
                valid_until: None,
            }],
            villages: (0..count).map(|number| self.new_village(number)).collect(),
            ..RegionCommit::default()
        };
        self.store.regions_commit(&commit, 1_000).unwrap();
    }

    fn new_village(&self, number: u16) -> NewVillage {
        let mut id = [5; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        let id = VillageId::from_bytes(id);
        let wrapped_key = self.keys.wrap(KeyUse::Village(id), &[6; 32]).unwrap();
        NewVillage {
            id,
            code: format!("43082110{:04}", 1000 + number),
            name: "永兴村".to_owned(),
            wrapped_key,
        }
    }

    pub(crate) fn invite(&self) -> EnrolmentCode {
        invite(&self.store, &self.clock, &self.user, 24 * HOUR).unwrap()
    }

    pub(crate) fn enrol(&self, request: &EnrolmentRequest) -> Result<EnrolmentGranted, EnrolError> {
        enrol(&self.store, &self.keys, &self.clock, request)
    }

    fn refused(&self, request: &EnrolmentRequest) -> &'static str {
        let serial = self.store.next_serial().unwrap();
        let code = self.enrol(request).map(|granted| granted.villages.len()).unwrap_err().code();
        assert_eq!(self.store.next_serial().unwrap(), serial, "nothing was written");
        code
    }
}

pub(crate) fn request(code: &EnrolmentCode, seed: u8) -> EnrolmentRequest {
    let key = SecretKey::from_seed([seed; 32]);
    let device_name = "tablet-1".to_owned();
    let proof = key.sign(PROOF_DOMAIN, &proof_digest(code, &key.public(), &device_name));
    EnrolmentRequest { code: code.to_string(), public_key: key.public(), device_name, proof }
}

#[test]
fn a_device_is_granted_the_villages_of_its_person() {
    let world = world();
    let granted = world.enrol(&request(&world.invite(), 9)).unwrap();
    assert_eq!(granted.start.server_key, world.keys.signing.public());
    granted.certificate.verify(&granted.start.server_key).unwrap();
    let certificate = &granted.certificate.statement;
    assert_eq!((certificate.serial, certificate.user, certificate.role), (2, world.user.id, world.user.role));
    assert!(certificate.holds_at(2_000) && certificate.holds_at(2_000 + CERTIFICATE_MS - 1));
    assert!(!certificate.holds_at(2_000 + CERTIFICATE_MS));
    assert_eq!(granted.villages.len(), 2);
    assert!(granted.villages.iter().all(|village| village.search_key == [6; 32]));
    assert!(granted.villages.iter().all(|village| certificate.grants(village.id)));
    let device = world.store.device(certificate.device()).unwrap().unwrap();
    assert_eq!(device.certificate, granted.certificate);
    assert_eq!((device.enrolled_ms, device.seen_ms, device.pending), (2_000, None, 0));
}

#[test]
fn an_unknown_or_malformed_code_is_refused() {
    let world = world();
    let unknown: EnrolmentCode = "K7QD-92MX-4T".parse().unwrap();
    assert_eq!(world.refused(&request(&unknown, 9)), "enrolment_code_unknown");
    let mut malformed = request(&unknown, 9);
    malformed.code = "K7QD".to_owned();
    assert_eq!(world.refused(&malformed), "enrolment_code_unknown");
}

#[test]
fn a_code_works_until_its_last_millisecond() {
    let world = world();
    let code = world.invite();
    world.clock.0.store(2_000 + 24 * HOUR, Ordering::Relaxed);
    assert_eq!(world.refused(&request(&code, 9)), "enrolment_code_expired");
    world.clock.0.store(2_000 + 24 * HOUR - 1, Ordering::Relaxed);
    assert!(world.enrol(&request(&code, 9)).is_ok());
}

#[test]
fn a_code_works_once_and_the_same_request_again_gets_the_same_answer() {
    let world = world();
    let code = world.invite();
    let first = world.enrol(&request(&code, 9)).unwrap();
    assert_eq!(world.refused(&request(&code, 10)), "enrolment_code_used");
    world.clock.0.store(9_000_000_000, Ordering::Relaxed);
    assert_eq!(world.enrol(&request(&code, 9)).unwrap(), first);
}

#[test]
fn a_request_without_the_secret_half_of_the_key_is_refused() {
    let world = world();
    let code = world.invite();
    let stolen = EnrolmentRequest { proof: request(&code, 10).proof, ..request(&code, 9) };
    assert_eq!(world.refused(&stolen), "enrolment_proof_invalid");
    let renamed = EnrolmentRequest { device_name: "tablet-2".to_owned(), ..request(&code, 9) };
    assert_eq!(world.refused(&renamed), "enrolment_proof_invalid");
    let weak = EnrolmentRequest { public_key: PublicKey([0; 32]), ..request(&code, 9) };
    assert_eq!(world.refused(&weak), "enrolment_key_invalid");
    assert!(world.enrol(&request(&code, 9)).is_ok(), "the code is still open");
}

#[test]
fn a_device_needs_a_plain_name() {
    let world = world();
    let code = world.invite();
    for name in ["", "  ", "a\nb", &"x".repeat(DEVICE_NAME_CHARS_MAX + 1)] {
        let unnamed = EnrolmentRequest { device_name: name.to_owned(), ..request(&code, 9) };
        assert_eq!(world.refused(&unnamed), "enrolment_name_invalid", "{name:?}");
    }
}

#[test]
fn a_key_belongs_to_one_person_and_a_revoked_key_to_nobody() {
    let world = world();
    let granted = world.enrol(&request(&world.invite(), 9)).unwrap();
    assert!(world.enrol(&request(&world.invite(), 9)).is_ok(), "the same person may renew");
    let other = User { id: UserId::from_bytes([8; 16]), name: "王秀英".to_owned(), ..world.user.clone() };
    world.store.user_add(&other, 1_000).unwrap();
    let code = invite(&world.store, &world.clock, &other, HOUR).unwrap();
    assert_eq!(world.refused(&request(&code, 9)), "enrolment_key_in_use");
    let revocation = Revocation {
        deployment: granted.start.deployment,
        device: granted.certificate.statement.device(),
        at_ms: 3_000,
        reason: "lost".to_owned(),
    };
    world.store.device_revoke(&SignedRevocation::sign(revocation, &world.keys.signing).unwrap()).unwrap();
    assert_eq!(world.refused(&request(&world.invite(), 9)), "enrolment_key_revoked");
}

#[test]
fn a_used_code_gives_nothing_to_a_key_that_was_revoked_since() {
    let world = world();
    let code = world.invite();
    let granted = world.enrol(&request(&code, 9)).unwrap();
    let device = granted.certificate.statement.device();
    let revocation =
        Revocation { deployment: granted.start.deployment, device, at_ms: 3_000, reason: "lost".to_owned() };
    world.store.device_revoke(&SignedRevocation::sign(revocation, &world.keys.signing).unwrap()).unwrap();
    assert_eq!(world.refused(&request(&code, 9)), "enrolment_key_revoked");
}

#[test]
fn a_person_without_villages_or_with_too_many_cannot_enrol() {
    let world = world();
    let nowhere = User {
        id: UserId::from_bytes([8; 16]),
        name: "王秀英".to_owned(),
        regions: BTreeSet::from(["44".to_owned()]),
        ..world.user.clone()
    };
    world.store.user_add(&nowhere, 1_000).unwrap();
    let code = invite(&world.store, &world.clock, &nowhere, HOUR).unwrap();
    assert_eq!(world.refused(&request(&code, 9)), "enrolment_no_villages");
    let limit = u16::try_from(VILLAGES_PER_CERTIFICATE_MAX).unwrap();
    let more = RegionCommit {
        villages: (2..limit).map(|number| world.new_village(number)).collect(),
        ..RegionCommit::default()
    };
    world.store.regions_commit(&more, 1_000).unwrap();
    let code = world.invite();
    assert!(world.enrol(&request(&code, 9)).is_ok(), "as many as a certificate can name");
    let one = RegionCommit { villages: vec![world.new_village(limit)], ..RegionCommit::default() };
    world.store.regions_commit(&one, 1_000).unwrap();
    assert_eq!(world.refused(&request(&world.invite(), 10)), "enrolment_too_many_villages");
}

#[test]
fn a_serial_number_taken_in_between_is_taken_again() {
    let world = world();
    let code = world.invite();
    let granted = world.enrol(&request(&world.invite(), 9)).unwrap();
    let mut late = granted.certificate.statement.clone();
    late.key = SecretKey::from_seed([10; 32]).public();
    let late = SignedCertificate::sign(late, &world.keys.signing).unwrap();
    let redeemed = world.store.invite_redeem(&code.hash(), &late, 3_000).unwrap();
    assert_eq!(redeemed, Redeemed::Serial(3));
    assert!(world.store.invite(&code.hash()).unwrap().unwrap().used_by.is_none());
}

#[test]
fn a_second_deployment_in_one_database_is_refused() {
    let world = world();
    let start = EpochStart { epoch: EpochId::from_bytes([3; 16]), ..world.store.deployment().unwrap() };
    let signed = SignedEpochStart::sign(start.clone(), &world.keys.signing).unwrap();
    let certificate = server_certificate(&start, &world.keys, "server", 1).unwrap();
    let refusal = world.store.deployment_begin(&signed, &certificate);
    assert!(matches!(refusal, Err(StoreError::Conflict("deployment"))));
}

#[test]
fn a_code_reads_back_however_it_is_typed() {
    let code = EnrolmentCode::from_random([0xFF, 0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE]);
    let written = code.to_string();
    assert_eq!(written.len(), 12);
    assert_eq!(written.parse(), Ok(code.clone()));
    assert_eq!(written.to_lowercase().replace('-', " ").parse(), Ok(code));
    assert_eq!("o1il-0000-00".parse(), "0111000000".parse::<EnrolmentCode>());
    for wrong in ["", "K7QD-92MX-4", "K7QD-92MX-4TT", "K7QD-92MX-4U", "K7QD-92MX-4é"] {
        assert_eq!(wrong.parse::<EnrolmentCode>(), Err(NotACode), "{wrong}");
    }
}

#[test]
fn every_bit_of_a_code_counts() {
    let zero = EnrolmentCode::from_random([0; 8]);
    assert_eq!(zero.to_string(), "0000-0000-00");
    let codes: BTreeSet<String> =
        (14..64).map(|bit| EnrolmentCode::from_random((1_u64 << bit).to_be_bytes()).to_string()).collect();
    assert_eq!(codes.len(), 50);
    assert!(!codes.contains(&zero.to_string()));
}

#[test]
fn codes_tokens_and_village_keys_are_not_printed() {
    let code = EnrolmentCode::from_random([1; 8]);
    assert_eq!(format!("{code:?}"), "EnrolmentCode");
    let village = GrantedVillage {
        id: VillageId::from_bytes([1; 16]),
        code: "430821101203".to_owned(),
        name: "永兴村".to_owned(),
        search_key: [171; 32],
    };
    assert!(!format!("{village:?}").contains("171"));
}

#[test]
fn the_link_escapes_what_would_end_a_value() {
    let code: EnrolmentCode = "K7QD-92MX-4T".parse().unwrap();
    let link = link("https://县.example/a b?x=1&y=2#z", &code, &PublicKey([0; 32]));
    assert_eq!(
        link,
        format!(
            "ruhu:enrol?server=https://%E5%8E%BF.example/a%20b%3Fx%3D1%26y%3D2%23z&code=K7QD-92MX-4T&key={}",
            "A".repeat(43)
        )
    );
}

#[test]
fn a_certificate_names_the_person_and_the_device() {
    assert_eq!(label("李春生", "平板1"), "李春生 · 平板1");
    assert_eq!(label("李春生", "李春生的平板"), "李春生的平板");
    let long = "长".repeat(DEVICE_NAME_CHARS_MAX);
    assert_eq!(label("李春生的同事的同事", &long), long);
}
