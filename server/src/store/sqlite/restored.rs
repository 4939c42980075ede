//! A store restored from a copy of another, and what devices bring back to it.

use ruhu_ledger::certificate::{CertificateKind, Revocation, SignedCertificate, SignedRevocation};
use ruhu_ledger::epoch::EpochStart;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::succession::{EpochLink, Succession};
use ruhu_ledger::verdict::VerdictKind;
use ruhu_ledger::watermark::{SignedWatermark, Watermark};
use ruhu_survey::id::{DeviceId, EpochId, UserId};
use ruhu_sync::Offer;
use ruhu_sync::announce::{Announced, Proof};
use tempfile::TempDir;

use super::SqliteStore;
use crate::ingest::{Ingested, Outcome};
use crate::store::epochs::{BroughtBack, EpochStore as _, GapPlace, Offered};
use crate::store::people::PeopleStore as _;
use crate::store::world::{DEPLOYMENT, EPOCH, LONGTAN, MORNING_MS, World, certificate, household, kinds};
use crate::store::{AnnouncementStore as _, LedgerStore as _, StoreError};

const NEXT: EpochId = EpochId::from_bytes([0xe5; 16]);
const HOUR_MS: i64 = 3_600_000;

/// When the next epoch begins.
const fn start_ms() -> i64 {
    MORNING_MS + HOUR_MS
}

fn next_key() -> SecretKey {
    SecretKey::from_seed([50; 32])
}

/// A copy of a store as it is now, on its own.
fn copied(store: &SqliteStore) -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ruhu.db");
    store.copy_to(&file).unwrap();
    (folder, SqliteStore::open(&file, None).unwrap())
}

/// What a restore of this store would write, an hour later.
fn succession(
    store: &SqliteStore,
    old: Option<&SecretKey>,
) -> (EpochLink, SignedCertificate, SignedWatermark) {
    let (extent, ended, key) = (store.extent().unwrap(), store.deployment().unwrap(), next_key());
    let start = EpochStart {
        deployment: DEPLOYMENT,
        epoch: NEXT,
        server_key: key.public(),
        started_ms: start_ms(),
        previous: Some(ended.epoch),
    };
    let says = |start| Succession {
        deployment: DEPLOYMENT,
        previous: ended.epoch,
        previous_key: ended.server_key,
        start,
        size: extent.size,
        root: extent.root,
        backup_ms: MORNING_MS,
        by: "田永福".to_owned(),
    };
    let link = EpochLink::sign(start, says, &key, old).unwrap();
    let own = SecretKey::from_seed([51; 32]);
    let serial = u64::try_from(start_ms() / 1_000).unwrap();
    let server = certificate(&own, serial, UserId::from_bytes([0xaa; 16]), &[], CertificateKind::Server);
    let watermark = Watermark {
        deployment: DEPLOYMENT,
        epoch: NEXT,
        size: extent.size,
        root: extent.root,
        verified_ms: MORNING_MS + HOUR_MS,
    };
    (link, SignedCertificate::sign(server, &key).unwrap(), SignedWatermark::sign(watermark, &key).unwrap())
}

/// The store restored from a copy: in the next epoch.
fn restored(store: &SqliteStore, old: &SecretKey) -> (TempDir, SqliteStore) {
    let (folder, copy) = copied(store);
    let (link, certificate, watermark) = succession(&copy, Some(old));
    copy.succeed(&link, &certificate, &watermark).unwrap();
    assert_eq!(copy.verify().unwrap().first_bad, None);
    (folder, copy)
}

fn world(store: &SqliteStore) -> World<'_> {
    World {
        store,
        signing: next_key(),
        own: SecretKey::from_seed([51; 32]),
        now_ms: MORNING_MS + 2 * HOUR_MS,
    }
}

fn bring(world: &World<'_>, store: &SqliteStore, batch: &[u8], receipt: &SignedReceipt) -> Ingested {
    let by = DeviceId::from_bytes([9; 16]);
    store.ingest_again(&BroughtBack { batch, receipt, by }, world.now_ms, &world.signing).unwrap()
}

fn received(ingested: &Ingested) -> &SignedReceipt {
    let Outcome::Received(receipt) = &ingested.outcome else { panic!("{ingested:?}") };
    receipt
}

fn fresh() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("ruhu.db"), None).unwrap();
    (folder, store)
}

#[test]
fn what_devices_bring_back_has_its_old_times_and_a_hole_is_named_until_it_is_filled() {
    let (_folder, old) = fresh();
    let before = World::new(&old);
    let mut tablet = before.tablet(7);
    let first = tablet.found(household(1), "向家组");
    before.receive(&tablet.seal(&[&first]));
    let (_copy, new) = restored(&old, &before.signing);
    let (second, third) = (tablet.remark(household(1), "二"), tablet.remark(household(1), "三"));
    let (second, third) = (tablet.seal(&[&second]), tablet.seal(&[&third]));
    let (second_then, third_then) = (before.receive(&second), before.receive(&third));

    let now = world(&new);
    let staged = bring(&now, &new, &third.to_bytes(), &third_then);
    assert_eq!(staged.outcome, Outcome::Staged { expected: 2 });
    let gaps = new.gaps().unwrap();
    let chain = gaps.iter().find(|gap| matches!(gap.place, GapPlace::Chain { .. })).unwrap();
    assert_eq!((chain.first, chain.last, chain.missing, chain.filled_ms), (2, 2, 1, None));
    let log = gaps.iter().find(|gap| gap.place == GapPlace::Log { epoch: EPOCH }).unwrap();
    assert_eq!(log.missing, 2, "two leaves of the lost log are proved and not here");
    assert_eq!(new.verify().unwrap().gaps, 2);

    let ingested = bring(&now, &new, &second.to_bytes(), &second_then);
    let again = received(&ingested);
    assert_eq!(again.statement.epoch, NEXT);
    assert_eq!(again.statement.received_ms, second_then.statement.received_ms, "not after: as of then");
    assert_eq!(ingested.released.len(), 1, "what waited follows");
    assert_eq!(kinds(&ingested.released[0].1), [VerdictKind::Accepted]);
    assert!(
        new.gaps().unwrap().iter().all(|gap| gap.missing == 0 && gap.filled_ms.is_some()),
        "they stay in the record"
    );
    let verified = new.verify().unwrap();
    assert_eq!((verified.first_bad, verified.gaps), (None, 0));
    let repeated = bring(&now, &new, &second.to_bytes(), &second_then);
    assert!(matches!(repeated.outcome, Outcome::Repeated(_)));
}

#[test]
fn a_revocation_counts_from_its_moment_on_and_a_forged_receipt_counts_for_nothing() {
    let (_folder, old) = fresh();
    let before = World::new(&old);
    let mut tablet = before.tablet(7);
    let (_copy, new) = restored(&old, &before.signing);
    let founded = tablet.found(household(1), "向家组");
    let honest = tablet.seal(&[&founded]);
    let honest_then = before.receive(&honest);
    let later = World {
        store: &old,
        signing: before.signing.clone(),
        own: before.own.clone(),
        now_ms: MORNING_MS + 60_000,
    };
    later.revoke(tablet.device());
    let stolen = tablet.remark(household(1), "不知去向");
    let stolen = tablet.seal(&[&stolen]);
    let stolen_then = later.receive(&stolen);
    assert_eq!(kinds(&stolen_then), [VerdictKind::Quarantined]);

    let now = world(&new);
    let ingested = bring(&now, &new, &honest.to_bytes(), &honest_then);
    assert_eq!(kinds(received(&ingested)), [VerdictKind::Accepted]);
    // Whoever brings it back here does not know of the revocation: the old receipt does.
    let ingested = bring(&now, &new, &stolen.to_bytes(), &stolen_then);
    assert_eq!(kinds(received(&ingested)), [VerdictKind::Quarantined]);
    let revocation = Revocation {
        deployment: DEPLOYMENT,
        device: tablet.device(),
        at_ms: MORNING_MS + 60_000,
        reason: "lost".to_owned(),
    };
    let by = DeviceId::from_bytes([9; 16]);
    let forged = SignedRevocation::sign(revocation.clone(), &tablet.key).unwrap();
    assert_eq!(new.offered(&Offer::Revocation(forged), by, now.now_ms).unwrap(), Offered::Unproved);
    let signed = Offer::Revocation(SignedRevocation::sign(revocation, &before.signing).unwrap());
    assert_eq!(new.offered(&signed, by, now.now_ms).unwrap(), Offered::Kept);
    assert_eq!(new.offered(&signed, by, now.now_ms).unwrap(), Offered::Known);
    let third = tablet.remark(household(1), "再来");
    let third = tablet.seal(&[&third]);
    let mut forged = honest_then.statement.clone();
    (forged.batch, forged.leaf_index) = (third.id(), 99);
    let forged = SignedReceipt::sign(forged, &tablet.key).unwrap();
    let ingested = bring(&now, &new, &third.to_bytes(), &forged);
    assert_eq!(kinds(received(&ingested)), [VerdictKind::Quarantined], "it is judged as of today");
    now.assert_sound();
}

#[test]
fn a_device_enrolled_after_the_backup_is_known_again_by_its_certificate() {
    let (_folder, old) = fresh();
    let before = World::new(&old);
    let (_copy, new) = restored(&old, &before.signing);
    let mut late = before.tablet(8);
    let founded = late.found(household(2), "田家组");
    let batch = late.seal(&[&founded]);
    let then = before.receive(&batch);
    let now = world(&new);
    let outcome = bring(&now, &new, &batch.to_bytes(), &then).outcome;
    assert!(
        matches!(&outcome, Outcome::Rejected(rejection) if rejection.code == "unknown_device"),
        "{outcome:?}"
    );
    let held = old.device(late.device()).unwrap().unwrap().certificate;
    let by = late.device();
    assert_eq!(new.offered(&Offer::Certificate(held.clone()), by, now.now_ms).unwrap(), Offered::Kept);
    assert_eq!(new.device(late.device()).unwrap().unwrap().certificate, held);
    let ingested = bring(&now, &new, &batch.to_bytes(), &then);
    assert_eq!(kinds(received(&ingested)), [VerdictKind::Accepted]);
    let (certificates, _) = new.credentials(LONGTAN).unwrap();
    assert!(certificates.contains(&held), "others are told");
    assert!(new.next_serial().unwrap() > held.statement.serial + 1_000, "no number is given twice");
    now.assert_sound();
}

#[test]
fn what_was_announced_ends_with_its_epoch() {
    let (_folder, old) = fresh();
    let before = World::new(&old);
    let device = before.tablet(7).device();
    let say = |store: &SqliteStore, next, proof| {
        let said = [(LONGTAN, Announced { next, ..Announced::default() })];
        store.announce(device, &said, proof, MORNING_MS).unwrap();
    };
    say(&old, 8, Proof::Request);
    say(&old, 9, Proof::Request);
    let (_copy, new) = restored(&old, &before.signing);
    assert_eq!(new.announcements(LONGTAN).unwrap(), []);
    say(&new, 3, Proof::Itself);
    let told = new.announcements(LONGTAN).unwrap();
    assert_eq!((told.len(), told[0].number, told[0].announced.next), (1, 1, 3));
}

#[test]
fn an_epoch_goes_on_from_this_very_log_or_not_at_all() {
    let (_folder, old) = fresh();
    let before = World::new(&old);
    let (_copy, copy) = copied(&old);
    let (link, certificate, watermark) = succession(&copy, Some(&before.signing));
    let mut tablet = before.tablet(7);
    let founded = tablet.found(household(1), "向家组");
    before.receive(&tablet.seal(&[&founded]));
    let outcome = old.succeed(&link, &certificate, &watermark);
    assert!(matches!(outcome, Err(StoreError::Conflict("log"))), "{outcome:?}");
    before.assert_sound();
    copy.succeed(&link, &certificate, &watermark).unwrap();
    assert_eq!(copy.links().unwrap(), [link]);
    let checkpoint = copy.checkpoint_sign(MORNING_MS + HOUR_MS, &next_key()).unwrap();
    assert!(checkpoint.note.starts_with(&format!("ruhu/{DEPLOYMENT}/{NEXT}\n")), "{}", checkpoint.note);
    assert_eq!(copy.verify().unwrap().first_bad, None);
}

#[test]
fn a_watermark_is_signed_over_what_the_log_has_and_nothing_else() {
    let (_folder, store) = fresh();
    let world = World::new(&store);
    let extent = store.extent().unwrap();
    let outcome = store.watermark_advance(extent.size, &[7; 32], MORNING_MS, &world.signing);
    assert!(matches!(outcome, Err(StoreError::Conflict("log"))), "{outcome:?}");
    let outcome = store.watermark_advance(extent.size + 1, &extent.root, MORNING_MS, &world.signing);
    assert!(matches!(outcome, Err(StoreError::Conflict("log"))), "{outcome:?}");
    assert_eq!(store.watermark().unwrap(), None);
    let signed = store.watermark_advance(extent.size, &extent.root, MORNING_MS, &world.signing).unwrap();
    assert_eq!(store.watermark().unwrap(), Some((extent.size, signed)));
    world.assert_sound();
}
