//! What every store must do, as cases over `&dyn Store`; one list makes a test per case and backend.

use proptest::prelude::*;
use ruhu_ledger::batch::{Anchor, Batch};
use ruhu_ledger::certificate::CertificateKind;
use ruhu_ledger::checkpoint::{Checkpoint, NoteKey};
use ruhu_ledger::leaf::Leaf;
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::tree;
use ruhu_ledger::verdict::{Verdict, VerdictKind};
use ruhu_survey::change::{DocumentId, Value};
use ruhu_survey::id::{DeviceId, HouseholdId, UserId};
use ruhu_survey::limits::HEADS_MAX;
use ruhu_sync::{ChainTip, Cursor, Fingerprint};

use super::world::{
    DEPLOYMENT, EPOCH, LONGTAN, SHUANGYUN, Tablet, World, Written, asked, body, certificate, household,
    kinds, nonsense, text,
};
use super::{SqliteStore, Store, StoreError};
use crate::authoring::{Authoring, AuthoringError, Pen};
use crate::belt::{Settled, settle_belt_with};
use crate::ingest::Outcome;
use crate::limits::{
    BELT_DOCUMENTS_PER_ROUND, BRANCHES_PER_CHAIN_MAX, HELD_PER_DEVICE_MAX, STAGED_BYTES_PER_DEVICE_MAX,
    STAGED_PER_DEVICE_MAX,
};
use crate::relay::{Asked, Entry, Relay};

suite! {
    a_batch_is_received_and_its_leaf_is_in_the_log
    a_repeated_batch_gets_its_first_receipt_again
    a_tampered_batch_is_rejected_and_leaves_nothing
    bytes_that_are_no_batch_are_rejected
    a_batch_of_an_unknown_device_is_rejected
    a_batch_for_a_village_that_is_not_granted_is_rejected
    a_batch_in_another_persons_name_is_rejected
    a_batch_before_its_predecessor_waits_and_follows_it
    a_device_may_stage_so_many_batches_and_no_more
    a_forked_chain_keeps_both_branches
    a_chain_may_fork_so_often_and_no_more
    a_revoked_devices_later_batches_are_kept_in_quarantine
    an_expired_certificate_quarantines
    a_provisional_certificate_quarantines
    another_devices_actor_is_refused
    another_villages_document_is_refused
    nonsense_is_refused_and_its_neighbours_are_not
    a_document_may_have_so_many_heads_and_no_more
    a_broken_rule_quarantines_and_cascades_within_its_document_only
    changes_of_one_batch_may_come_in_any_order
    a_held_change_is_accepted_when_its_dependency_arrives
    a_held_change_is_quarantined_with_its_dependency
    a_device_may_have_so_many_changes_held_and_no_more
    concurrent_edits_of_two_devices_are_both_kept
    a_change_that_comes_twice_counts_once
    the_fingerprint_is_that_of_the_accepted_changes
    a_new_device_is_given_certificates_and_batches_in_order
    a_device_at_the_end_of_the_feed_is_given_nothing
    what_the_vector_covers_is_not_sent
    a_small_budget_splits_the_answer
    a_cursor_that_means_nothing_asks_for_the_whole_vector
    keys_are_numbered_as_they_come_and_keep_their_number
    nothing_is_relayed_before_the_belt
    a_change_that_does_not_load_goes_into_quarantine_with_its_dependants
    a_checkpoint_continues_the_one_before
    a_checkpoint_of_an_unchanged_log_is_not_signed_again
    an_anchored_batch_was_not_sealed_before_its_anchor
    a_false_anchor_proves_nothing
    another_signing_key_writes_nothing
    the_server_writes_as_a_device_of_its_own
    the_servers_own_rule_break_is_reported
    a_rebuilt_store_is_as_it_was
    a_device_may_stage_so_many_bytes_and_no_more
    a_held_change_that_comes_again_with_its_dependency_counts_once
    the_belt_goes_round_until_nothing_is_pending
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn batches_may_come_in_any_order_and_again(order in proptest::collection::vec(0_usize..12, 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("ruhu.db"), None).unwrap();
        any_order(&store, &order);
    }
}

/// Three tablets work on the same households, each going on from what it has; their batches come in the
/// given order, some again, and the rest at the end. Nothing that was written may be missing.
fn any_order(store: &dyn Store, order: &[usize]) {
    let world = World::new(store);
    let mut tablets = [world.tablet(7), world.tablet(8), world.tablet(9)];
    let mut batches = Vec::new();
    let mut expected = Fingerprint::new();
    for round in 1..=4 {
        for tablet in &mut tablets {
            let (left, right) =
                (tablet.found(household(round), "向家组"), tablet.remark(household(1), "看过"));
            expected.add(&left.hash);
            expected.add(&right.hash);
            batches.push(tablet.seal(&[&left, &right]));
        }
    }
    for index in order.iter().copied().chain(0..batches.len()) {
        world.ingest(&batches[index]);
    }
    world.settle();
    let relay = store.relay(&asked()).unwrap();
    assert_eq!((relay.entries.len(), relay.fingerprint), (batches.len(), expected.value()));
    assert_eq!(world.register(household(1)).live("remarks").len(), 3);
    world.assert_sound();
}

fn a_batch_is_received_and_its_leaf_is_in_the_log(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let written = tablet.found(household(1), "向家组");
    let batch = tablet.seal(&[&written]);
    let receipt = world.receive(&batch);
    assert_eq!(receipt.statement.verdicts, [Verdict::Accepted]);
    assert_eq!(receipt.statement.received_ms, world.now_ms);
    let checkpoint = store.checkpoint_sign(world.now_ms, &world.signing).unwrap();
    let index = receipt.statement.leaf_index;
    let (bytes, proof) = store.inclusion(index, checkpoint.size).unwrap().unwrap();
    let leaf = Leaf::batch(&batch.header, world.now_ms, &receipt.statement.verdicts);
    assert_eq!(bytes, leaf.to_bytes());
    tree::verify_inclusion(&leaf.hash(), index, checkpoint.size, &proof, &checkpoint.root).unwrap();
    assert_eq!(world.register(household(1)).live("group_name")[0].value, text("向家组"));
    world.assert_sound();
}

fn a_repeated_batch_gets_its_first_receipt_again(store: &dyn Store) {
    let mut world = World::new(store);
    let mut tablet = world.tablet(7);
    let written = tablet.found(household(1), "向家组");
    let batch = tablet.seal(&[&written]);
    let first = world.receive(&batch);
    world.now_ms += 60_000;
    assert_eq!(world.ingest(&batch).outcome, Outcome::Repeated(Box::new(first.clone())));
    assert_eq!(store.receipt(batch.id()).unwrap(), Some(first));
    assert_eq!(store.verify().unwrap().batches, 1);
}

fn a_tampered_batch_is_rejected_and_leaves_nothing(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let written = tablet.found(household(1), "向家组");
    let batch = tablet.seal(&[&written]);
    let mut other_time = batch.clone();
    other_time.header.wall_ms += 1;
    assert_eq!(world.rejected(&other_time).code, "bad_signature");
    let mut other_body = batch.clone();
    let last = other_body.payload.len() - 1;
    other_body.payload[last] ^= 1;
    assert_eq!(world.rejected(&other_body).code, "bad_payload");
    let other = tablet.remark(household(1), "另一句");
    let mut swapped = batch.clone();
    swapped.payload = tablet.clone_with_opening(7).seal(&[&other]).payload;
    assert_eq!(world.rejected(&swapped).code, "bad_payload");
    assert_eq!(store.verify().unwrap().batches, 0);
    world.receive(&batch);
}

fn bytes_that_are_no_batch_are_rejected(store: &dyn Store) {
    let world = World::new(store);
    for bytes in [&[][..], &[0; 40], &[0xff; 400]] {
        let ingested = store.ingest(bytes, world.now_ms, &world.signing).unwrap();
        assert_eq!(ingested.batch, None);
        let Outcome::Rejected(rejection) = ingested.outcome else { panic!("it was not rejected") };
        assert_eq!(rejection.code, "malformed_batch");
    }
}

fn a_batch_of_an_unknown_device_is_rejected(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    tablet.key = SecretKey::from_seed([99; 32]);
    let written = tablet.found(household(1), "向家组");
    assert_eq!(world.rejected(&tablet.seal(&[&written])).code, "unknown_device");
}

fn a_batch_for_a_village_that_is_not_granted_is_rejected(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let written = tablet.found(household(1), "向家组");
    let batch = tablet.seal_body(SHUANGYUN, body(vec![tablet.opening], &[&written]));
    assert_eq!(world.rejected(&batch).code, "village_not_granted");
}

fn a_batch_in_another_persons_name_is_rejected(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    tablet.user = UserId::from_bytes([8; 16]);
    let written = tablet.found(household(1), "向家组");
    assert_eq!(world.rejected(&tablet.seal(&[&written])).code, "wrong_user");
}

fn a_batch_before_its_predecessor_waits_and_follows_it(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let batches: Vec<Batch> = (1..=3)
        .map(|index| {
            let written = tablet.found(household(index), "向家组");
            tablet.seal(&[&written])
        })
        .collect();
    assert_eq!(world.ingest(&batches[2]).outcome, Outcome::Staged { expected: 1 });
    assert_eq!(world.ingest(&batches[1]).outcome, Outcome::Staged { expected: 1 });
    assert_eq!(world.ingest(&batches[1]).outcome, Outcome::Staged { expected: 1 });
    assert_eq!(store.receipt(batches[1].id()).unwrap(), None, "staged is not received");
    let ingested = world.ingest(&batches[0]);
    assert!(matches!(ingested.outcome, Outcome::Received(_)));
    let released: Vec<_> = ingested.released.iter().map(|(id, _)| *id).collect();
    assert_eq!(released, [batches[1].id(), batches[2].id()]);
    assert_eq!(store.tip(LONGTAN, tablet.device()).unwrap().unwrap().number, 3);
    world.assert_sound();
}

fn a_device_may_stage_so_many_batches_and_no_more(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let first = tablet.found(household(1), "向家组");
    let first = tablet.seal(&[&first]);
    for _ in 0..STAGED_PER_DEVICE_MAX {
        let written = tablet.remark(household(1), "等待");
        assert_eq!(world.ingest(&tablet.seal(&[&written])).outcome, Outcome::Staged { expected: 1 });
    }
    let written = tablet.remark(household(1), "太多");
    assert_eq!(world.rejected(&tablet.seal(&[&written])).code, "too_many_staged");
    let released = world.ingest(&first).released.len() as u64;
    assert_eq!(released, STAGED_PER_DEVICE_MAX);
}

fn a_forked_chain_keeps_both_branches(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let first = tablet.found(household(1), "向家组");
    world.receive(&tablet.seal(&[&first]));
    let mut copy = tablet.clone_with_opening(70);
    let one = tablet.remark(household(1), "原机");
    let other = copy.remark(household(1), "备份恢复的那台");
    let one = tablet.seal(&[&one]);
    let other = copy.seal(&[&other]);
    assert_eq!(kinds(&world.receive(&one)), [VerdictKind::Accepted]);
    assert_eq!(kinds(&world.receive(&other)), [VerdictKind::Accepted]);
    assert_eq!(world.register(household(1)).live("remarks").len(), 2);
    world.settle();
    let relay = store.relay(&asked()).unwrap();
    assert_eq!(relay.entries.len(), 3, "both branches travel");
    world.assert_sound();
}

fn a_chain_may_fork_so_often_and_no_more(store: &dyn Store) {
    let world = World::new(store);
    let tablet = world.tablet(7);
    for index in 0..=BRANCHES_PER_CHAIN_MAX {
        let mut copy = tablet.clone_with_opening(u8::try_from(index).unwrap());
        let written = copy.found(household(1), "向家组");
        let batch = copy.seal(&[&written]);
        if index < BRANCHES_PER_CHAIN_MAX {
            world.receive(&batch);
            let next = copy.remark(household(1), "接着写");
            world.receive(&copy.seal(&[&next]));
        } else {
            assert_eq!(world.rejected(&batch).code, "too_many_branches");
        }
    }
}

fn a_revoked_devices_later_batches_are_kept_in_quarantine(store: &dyn Store) {
    let mut world = World::new(store);
    let mut tablet = world.tablet(7);
    let before = tablet.found(household(1), "向家组");
    assert_eq!(kinds(&world.receive(&tablet.seal(&[&before]))), [VerdictKind::Accepted]);
    world.now_ms += 1_000;
    world.revoke(tablet.device());
    let after = tablet.remark(household(1), "丢失之后");
    let receipt = world.receive(&tablet.seal(&[&after]));
    let rule = "device_revoked".to_owned();
    assert_eq!(receipt.statement.verdicts, [Verdict::Quarantined { rule, because: None }]);
    assert!(world.register(household(1)).live("remarks").is_empty());
    world.assert_sound();
}

fn an_expired_certificate_quarantines(store: &dyn Store) {
    let mut world = World::new(store);
    let mut tablet = world.tablet(7);
    let written = tablet.found(household(1), "向家组");
    let last_moment = certificate(&tablet.key, 1, tablet.user, &[], CertificateKind::Device).until_ms - 1;
    world.now_ms = last_moment;
    assert_eq!(kinds(&world.receive(&tablet.seal(&[&written]))), [VerdictKind::Accepted]);
    world.now_ms = last_moment + 1;
    let written = tablet.remark(household(1), "过期");
    let receipt = world.receive(&tablet.seal(&[&written]));
    let rule = "certificate_expired".to_owned();
    assert_eq!(receipt.statement.verdicts, [Verdict::Quarantined { rule, because: None }]);
}

fn a_provisional_certificate_quarantines(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.enrol(7, &[LONGTAN], CertificateKind::Provisional);
    let written = tablet.found(household(1), "向家组");
    let receipt = world.receive(&tablet.seal(&[&written]));
    let rule = "device_provisional".to_owned();
    assert_eq!(receipt.statement.verdicts, [Verdict::Quarantined { rule, because: None }]);
}

fn another_devices_actor_is_refused(store: &dyn Store) {
    let world = World::new(store);
    let (mut thief, mut owner) = (world.tablet(7), world.tablet(8));
    let written = owner.found(household(1), "向家组");
    let stolen = thief.seal_body(LONGTAN, body(vec![owner.opening], &[&written]));
    let reason = "foreign_actor".to_owned();
    assert_eq!(world.receive(&stolen).statement.verdicts, [Verdict::Refused { reason }]);
    assert_eq!(kinds(&world.receive(&owner.seal(&[&written]))), [VerdictKind::Accepted]);
    world.assert_sound();
}

fn another_villages_document_is_refused(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let written = tablet.write(DocumentId::from(SHUANGYUN), &[("remarks", text("别村"))]);
    let reason = "foreign_document".to_owned();
    let receipt = world.receive(&tablet.seal(&[&written]));
    assert_eq!(receipt.statement.verdicts, [Verdict::Refused { reason }]);
}

fn nonsense_is_refused_and_its_neighbours_are_not(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let (before, after) = (tablet.found(household(1), "向家组"), tablet.found(household(2), "田家组"));
    let receipt = world.receive(&tablet.seal(&[&before, &nonsense(household(1)), &after]));
    use VerdictKind::{Accepted, Refused};
    assert_eq!(kinds(&receipt), [Accepted, Refused, Accepted]);
    world.assert_sound();
}

fn a_document_may_have_so_many_heads_and_no_more(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let mut verdicts = Vec::new();
    for opening in 1..=u8::try_from(HEADS_MAX + 1).unwrap() {
        let mut beginning = tablet.clone_with_opening(opening);
        let written = beginning.found(household(1), "向家组");
        let batch = tablet.seal_body(LONGTAN, body(vec![beginning.opening], &[&written]));
        verdicts.extend(kinds(&world.receive(&batch)));
    }
    use VerdictKind::{Accepted, Quarantined};
    assert!(verdicts[..HEADS_MAX].iter().all(|kind| *kind == Accepted), "{verdicts:?}");
    assert_eq!(verdicts[HEADS_MAX], Quarantined);
    let mut honest = world.tablet(8);
    honest.learn(&world, household(1));
    let remark = honest.remark(household(1), "照常");
    assert_eq!(kinds(&world.receive(&honest.seal(&[&remark]))), [Accepted], "others go on");
    world.assert_sound();
}

fn a_broken_rule_quarantines_and_cascades_within_its_document_only(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let first = tablet.found(household(1), "向家组");
    let bad = tablet.offend(household(1));
    let later = tablet.remark(household(1), "老实话");
    let elsewhere = tablet.found(household(2), "田家组");
    let receipt = world.receive(&tablet.seal(&[&first, &bad, &later, &elsewhere]));
    let rule = "depends_on_quarantined".to_owned();
    assert_eq!(receipt.statement.verdicts[2], Verdict::Quarantined { rule, because: Some(bad.hash) });
    use VerdictKind::{Accepted, Quarantined};
    assert_eq!(kinds(&receipt), [Accepted, Quarantined, Quarantined, Accepted]);
    let next = tablet.remark(household(1), "再来一句");
    assert_eq!(kinds(&world.receive(&tablet.seal(&[&next]))), [Quarantined]);
    assert!(world.register(household(1)).live("remarks").is_empty());
    world.assert_sound();
}

fn changes_of_one_batch_may_come_in_any_order(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let first = tablet.found(household(1), "向家组");
    let second = tablet.remark(household(1), "第二句");
    let third = tablet.remark(household(1), "第三句");
    let receipt = world.receive(&tablet.seal(&[&third, &second, &first]));
    assert_eq!(kinds(&receipt), [VerdictKind::Accepted; 3]);
    assert_eq!(world.register(household(1)).change_count(), 3);
    world.settle();
    world.assert_sound();
}

/// Two tablets that saw each other's work directly: the second writes on what the first has not sent.
fn ahead_of_its_dependency(world: &World<'_>, offends: bool) -> (Batch, Batch) {
    let (mut one, mut other) = (world.tablet(7), world.tablet(8));
    let first = if offends { one.offend(household(1)) } else { one.found(household(1), "向家组") };
    let mut seen = one.clone_with_opening(7);
    std::mem::swap(&mut seen.key, &mut other.key);
    std::mem::swap(&mut seen.user, &mut other.user);
    let second = seen.remark(household(1), "看了再写");
    let third = seen.remark(household(1), "再写");
    (one.seal(&[&first]), seen.seal(&[&second, &third]))
}

fn a_held_change_is_accepted_when_its_dependency_arrives(store: &dyn Store) {
    let world = World::new(store);
    let (first, second) = ahead_of_its_dependency(&world, false);
    assert_eq!(kinds(&world.receive(&second)), [VerdictKind::Held; 2]);
    assert!(world.register(household(1)).is_empty());
    assert_eq!(kinds(&world.receive(&first)), [VerdictKind::Accepted]);
    assert_eq!(world.register(household(1)).change_count(), 3);
    world.settle();
    let relay = store.relay(&asked()).unwrap();
    let decisions = decisions(&relay);
    assert_eq!(decisions, [Verdict::Accepted, Verdict::Accepted]);
    assert_eq!(relay.fingerprint, fingerprint_of(&world, &relay));
    world.assert_sound();
}

fn a_held_change_is_quarantined_with_its_dependency(store: &dyn Store) {
    let world = World::new(store);
    let (first, second) = ahead_of_its_dependency(&world, true);
    assert_eq!(kinds(&world.receive(&second)), [VerdictKind::Held; 2]);
    assert_eq!(kinds(&world.receive(&first)), [VerdictKind::Quarantined]);
    world.settle();
    let decisions = decisions(&store.relay(&asked()).unwrap());
    let quarantined = |verdict: &Verdict| verdict.kind() == VerdictKind::Quarantined;
    assert_eq!(decisions.len(), 2);
    assert!(decisions.iter().all(quarantined), "{decisions:?}");
    world.assert_sound();
}

fn a_device_may_have_so_many_changes_held_and_no_more(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    tablet.found(household(1), "没有发出");
    for _ in 0..HELD_PER_DEVICE_MAX / 100 {
        let held: Vec<_> = (0..100).map(|_| tablet.remark(household(1), "等待")).collect();
        let batch = tablet.seal(&held.iter().collect::<Vec<_>>());
        assert_eq!(kinds(&world.receive(&batch))[99], VerdictKind::Held);
    }
    let one_more = tablet.remark(household(1), "太多");
    assert_eq!(world.rejected(&tablet.seal(&[&one_more])).code, "too_many_held");
}

fn concurrent_edits_of_two_devices_are_both_kept(store: &dyn Store) {
    let world = World::new(store);
    let (mut one, mut other) = (world.tablet(7), world.tablet(8));
    let first = one.found(household(1), "向家组");
    world.receive(&one.seal(&[&first]));
    other.learn(&world, household(1));
    let left = one.remark(household(1), "有三头牛");
    let right = other.remark(household(1), "有两头牛");
    assert_eq!(kinds(&world.receive(&one.seal(&[&left]))), [VerdictKind::Accepted]);
    assert_eq!(kinds(&world.receive(&other.seal(&[&right]))), [VerdictKind::Accepted]);
    assert_eq!(world.register(household(1)).live("remarks").len(), 2);
    world.settle();
    world.assert_sound();
}

fn a_change_that_comes_twice_counts_once(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let written = tablet.found(household(1), "向家组");
    let bad = tablet.offend(household(2));
    use VerdictKind::{Accepted, Quarantined};
    let first = tablet.seal(&[&written, &written, &bad]);
    assert_eq!(kinds(&world.receive(&first)), [Accepted, Accepted, Quarantined]);
    let again = tablet.seal(&[&written, &bad]);
    assert_eq!(kinds(&world.receive(&again)), [Accepted, Quarantined]);
    assert_eq!(world.register(household(1)).change_count(), 1);
    world.settle();
    let relay = store.relay(&asked()).unwrap();
    assert_eq!(relay.fingerprint, Fingerprint::from_iter([&written.hash]).value());
    world.assert_sound();
}

fn the_fingerprint_is_that_of_the_accepted_changes(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let (one, bad, two) = (
        tablet.found(household(1), "向家组"),
        tablet.offend(household(2)),
        tablet.found(household(3), "田家组"),
    );
    world.receive(&tablet.seal(&[&one, &bad]));
    world.receive(&tablet.seal(&[&two]));
    world.settle();
    let all = store.relay(&asked()).unwrap();
    assert_eq!(all.fingerprint, Fingerprint::from_iter([&one.hash, &two.hash]).value());
    let half = store.relay(&Asked { bytes_max: 1, cursor: cursor_before_batches(&all), ..asked() }).unwrap();
    assert!(half.more);
    assert_eq!(half.fingerprint, Fingerprint::from_iter([&one.hash]).value());
}

fn a_new_device_is_given_certificates_and_batches_in_order(store: &dyn Store) {
    let world = World::new(store);
    let (mut one, mut other) = (world.tablet(7), world.tablet(8));
    let (left, right) = (one.found(household(1), "向家组"), other.found(household(2), "田家组"));
    let (left, right) = (one.seal(&[&left]), other.seal(&[&right]));
    let receipts = [world.receive(&left), world.receive(&right)];
    world.revoke(other.device());
    world.settle();
    let relay = store.relay(&asked()).unwrap();
    let holders: Vec<DeviceId> = relay.certificates.iter().map(|signed| signed.statement.device()).collect();
    assert_eq!(holders, [one.device(), other.device()]);
    assert_eq!(relay.revocations.len(), 1);
    let expected = [(left.to_bytes(), &receipts[0]), (right.to_bytes(), &receipts[1])];
    for (entry, (bytes, receipt)) in relay.entries.iter().zip(expected) {
        let Entry::Batch { bytes: found, receipt: given, .. } = entry else { panic!("not a batch") };
        assert_eq!((found, given.as_ref()), (&bytes, receipt));
    }
    assert!(!relay.more && !relay.unsettled);
}

fn a_device_at_the_end_of_the_feed_is_given_nothing(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let written = tablet.found(household(1), "向家组");
    world.receive(&tablet.seal(&[&written]));
    world.settle();
    let all = store.relay(&asked()).unwrap();
    let again = store.relay(&Asked { cursor: Some(all.cursor), ..asked() }).unwrap();
    assert_eq!((again.entries.len(), again.certificates.len()), (0, 0));
    assert_eq!((again.cursor, again.fingerprint), (all.cursor, all.fingerprint));
}

fn what_the_vector_covers_is_not_sent(store: &dyn Store) {
    let world = World::new(store);
    let (mut one, mut other) = (world.tablet(7), world.tablet(8));
    let first = one.found(household(1), "向家组");
    world.receive(&one.seal(&[&first]));
    let second = one.remark(household(1), "第二句");
    let second = one.seal(&[&second]);
    world.receive(&second);
    let foreign = other.found(household(2), "田家组");
    world.receive(&other.seal(&[&foreign]));
    world.settle();
    let vector = [ChainTip::at(one.device(), 2, &second.id())].into();
    let relay = store.relay(&Asked { vector, ..asked() }).unwrap();
    assert_eq!(relay.entries.len(), 1);
    assert_eq!(relay.cursor, store.relay(&asked()).unwrap().cursor);
}

fn a_small_budget_splits_the_answer(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    for index in 1..=5 {
        let written = tablet.found(household(index), "向家组");
        world.receive(&tablet.seal(&[&written]));
    }
    world.settle();
    let (mut cursor, mut batches, mut rounds) = (None, 0, 0);
    loop {
        let relay = store.relay(&Asked { cursor, bytes_max: 1, ..asked() }).unwrap();
        (cursor, batches, rounds) = (Some(relay.cursor), batches + relay.entries.len(), rounds + 1);
        if !relay.more {
            break;
        }
    }
    assert_eq!((batches, rounds), (5, 6), "one certificate, five batches");
}

fn a_cursor_that_means_nothing_asks_for_the_whole_vector(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let written = tablet.found(household(1), "向家组");
    world.receive(&tablet.seal(&[&written]));
    world.settle();
    let number = store.relay(&asked()).unwrap().cursor.number;
    let epoch = ruhu_survey::id::EpochId::from_bytes([3; 16]);
    for cursor in [Cursor { epoch, number }, Cursor { epoch: EPOCH, number: number + 100 }] {
        let relay = store.relay(&Asked { cursor: Some(cursor), ..asked() }).unwrap();
        assert!(relay.vector_wanted && relay.entries.is_empty() && relay.certificates.is_empty());
    }
    let known = store.relay(&Asked { cursor: Some(Cursor { epoch: EPOCH, number }), ..asked() }).unwrap();
    assert!(!known.vector_wanted && known.entries.is_empty());
    assert!(!store.relay(&asked()).unwrap().vector_wanted, "no cursor is no wrong cursor");
}

fn keys_are_numbered_as_they_come_and_keep_their_number(store: &dyn Store) {
    let id = |index: u8| HouseholdId::from_bytes([index; 16]);
    assert_eq!(store.household_keys_last(LONGTAN).unwrap(), 1, "the search key");
    // Neither the order of their ids nor offering one again changes a number.
    for index in [9, 3, 9, 5] {
        store.household_key_put(LONGTAN, id(index), &[index]).unwrap();
    }
    store.household_key_put(SHUANGYUN, id(1), &[1]).unwrap();
    let after = |number: u64| -> Vec<(u64, HouseholdId)> {
        let keys = store.household_keys_after(LONGTAN, number).unwrap();
        keys.into_iter().map(|key| (key.number, key.household)).collect()
    };
    assert_eq!(after(0), [(2, id(9)), (3, id(3)), (4, id(5))]);
    assert_eq!(after(3), [(4, id(5))]);
    assert_eq!(after(4), []);
    assert_eq!(store.household_keys_last(LONGTAN).unwrap(), 4);
    assert_eq!(store.household_keys_last(SHUANGYUN).unwrap(), 2);
}

fn nothing_is_relayed_before_the_belt(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let written = tablet.found(household(1), "向家组");
    world.receive(&tablet.seal(&[&written]));
    let before = store.relay(&asked()).unwrap();
    assert!(before.entries.is_empty() && before.unsettled);
    assert_eq!(before.fingerprint, 0);
    world.settle();
    let after = store.relay(&Asked { cursor: Some(before.cursor), ..asked() }).unwrap();
    assert_eq!((after.entries.len(), after.unsettled), (1, false));
}

fn a_change_that_does_not_load_goes_into_quarantine_with_its_dependants(store: &dyn Store) {
    let world = World::new(store);
    let (mut tablet, mut other) = (world.tablet(7), world.tablet(8));
    let first = tablet.found(household(1), "向家组");
    world.receive(&tablet.seal(&[&first]));
    world.settle();
    other.learn(&world, household(1));
    let poison = tablet.remark(household(1), "毒");
    let after = tablet.remark(household(1), "之后");
    let honest = other.remark(household(1), "旁边的人");
    world.receive(&tablet.seal(&[&poison, &after]));
    world.receive(&other.seal(&[&honest]));
    let loads = |changes: &[&[u8]]| !changes.contains(&poison.bytes.as_slice());
    let settled = settle_belt_with(store, world.now_ms, &world.signing, &loads).unwrap();
    assert_eq!(settled, Settled { documents: 1, quarantined: 2 });
    let register = world.register(household(1));
    assert_eq!(register.live("remarks").len(), 1);
    assert_eq!(register.live("remarks")[0].value, text("旁边的人"));
    let relay = store.relay(&asked()).unwrap();
    let because = |rule: &str, because| Verdict::Quarantined { rule: rule.to_owned(), because };
    let expected = [because("not_loadable", None), because("depends_on_quarantined", Some(poison.hash))];
    assert_eq!(decisions(&relay), expected);
    assert_eq!(relay.fingerprint, Fingerprint::from_iter([&first.hash, &honest.hash]).value());
    world.assert_sound();
}

fn a_checkpoint_continues_the_one_before(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let key = NoteKey::of_log(DEPLOYMENT, world.signing.public());
    let old = store.checkpoint_sign(world.now_ms, &world.signing).unwrap();
    for index in 1..=6 {
        let written = tablet.found(household(index), "向家组");
        world.receive(&tablet.seal(&[&written]));
    }
    let new = store.checkpoint_sign(world.now_ms, &world.signing).unwrap();
    assert_eq!(new.size, old.size + 6);
    let opened = Checkpoint::open(&new.note, &key).unwrap();
    assert_eq!((opened.size, opened.root), (new.size, new.root));
    let proof = store.consistency(old.size, new.size).unwrap().unwrap();
    tree::verify_consistency(old.size, &old.root, new.size, &new.root, &proof).unwrap();
    assert_eq!(store.consistency(new.size + 1, new.size + 1).unwrap(), None);
    assert_eq!(store.inclusion(new.size, new.size).unwrap(), None);
    assert_eq!(store.verify().unwrap().checkpoints, 2);
}

fn a_checkpoint_of_an_unchanged_log_is_not_signed_again(store: &dyn Store) {
    let world = World::new(store);
    let first = store.checkpoint_sign(world.now_ms, &world.signing).unwrap();
    assert_eq!(store.checkpoint_sign(world.now_ms + 1, &world.signing).unwrap(), first);
    assert_eq!(store.checkpoint().unwrap(), Some(first));
}

fn an_anchored_batch_was_not_sealed_before_its_anchor(store: &dyn Store) {
    let mut world = World::new(store);
    let mut tablet = world.tablet(7);
    let before = tablet.found(household(1), "向家组");
    assert_eq!(world.receive(&tablet.seal(&[&before])).statement.anchor_ms, None);
    let reached = world.now_ms;
    world.now_ms += 3_600_000;
    let checkpoint = store.checkpoint_sign(world.now_ms, &world.signing).unwrap();
    tablet.anchor = Anchor { epoch: EPOCH, size: checkpoint.size, root: checkpoint.root };
    let after = tablet.remark(household(1), "之后");
    let receipt = world.receive(&tablet.seal(&[&after]));
    assert_eq!(receipt.statement.anchor_ms, Some(reached));
    world.assert_sound();
}

fn a_false_anchor_proves_nothing(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let checkpoint = store.checkpoint_sign(world.now_ms, &world.signing).unwrap();
    let true_anchor = Anchor { epoch: EPOCH, size: checkpoint.size, root: checkpoint.root };
    let other_epoch = ruhu_survey::id::EpochId::from_bytes([3; 16]);
    let false_anchors = [
        Anchor { root: [9; 32], ..true_anchor },
        Anchor { size: checkpoint.size + 50, ..true_anchor },
        Anchor { epoch: other_epoch, ..true_anchor },
    ];
    for (index, anchor) in (1..).zip(false_anchors) {
        tablet.anchor = anchor;
        let written = tablet.found(household(index), "向家组");
        assert_eq!(world.receive(&tablet.seal(&[&written])).statement.anchor_ms, None);
    }
}

fn another_signing_key_writes_nothing(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let written = tablet.found(household(1), "向家组");
    let batch = tablet.seal(&[&written]).to_bytes();
    let other = SecretKey::from_seed([5; 32]);
    let conflict = |outcome| matches!(outcome, Err(StoreError::Conflict("server key")));
    assert!(conflict(store.ingest(&batch, world.now_ms, &other).map(drop)));
    assert!(conflict(store.checkpoint_sign(world.now_ms, &other).map(drop)));
    assert_eq!(store.verify().unwrap().batches, 0);
}

fn the_server_writes_as_a_device_of_its_own(store: &dyn Store) {
    let world = World::new(store);
    let mut authoring = Authoring::new(store, pen(&world));
    for index in 0..125 {
        let wrote = authoring.change(household(index), |builder| {
            builder.put("group_name", text("向家组")).put("status", text("active"));
        });
        assert!(wrote.unwrap().is_some());
        let wrote = authoring.change(household(index), |builder| {
            builder.put("remarks", text("名册"));
        });
        assert!(wrote.unwrap().is_some());
    }
    assert_eq!(authoring.change(household(0), |_| ()).unwrap(), None);
    let receipts = authoring.finish().unwrap();
    assert_eq!(receipts.len(), 3);
    assert_eq!(store.tip(LONGTAN, world.own.public().device_id()).unwrap().unwrap().number, 3);
    world.settle();
    let relay = store.relay(&asked()).unwrap();
    assert_eq!(relay.entries.len(), 3);
    assert_eq!(relay.certificates.len(), 1, "the server's certificate goes with its batches");
    world.assert_sound();
}

fn the_servers_own_rule_break_is_reported(store: &dyn Store) {
    let world = World::new(store);
    let mut authoring = Authoring::new(store, pen(&world));
    let wrote = authoring.change(household(1), |builder| {
        builder.put("bad_field", text("x"));
    });
    assert!(wrote.is_ok());
    let outcome = authoring.finish();
    assert!(matches!(outcome, Err(AuthoringError::NotAccepted { .. })), "{outcome:?}");
}

fn a_rebuilt_store_is_as_it_was(store: &dyn Store) {
    let world = World::new(store);
    let (first, second) = ahead_of_its_dependency(&world, false);
    world.receive(&second);
    world.receive(&first);
    world.settle();
    let before = (world.register(household(1)), store.relay(&asked()).unwrap());
    let rebuilt = crate::rebuild::rebuild(store, world.now_ms, &world.signing).unwrap();
    assert_eq!((rebuilt.documents, rebuilt.settled.quarantined), (1, 0));
    assert_eq!((world.register(household(1)), store.relay(&asked()).unwrap()), before);
    world.assert_sound();
}

fn a_device_may_stage_so_many_bytes_and_no_more(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let first = tablet.found(household(1), "向家组");
    tablet.seal(&[&first]);
    let (mut staged, mut bytes) = (0, 0);
    let over = loop {
        let changes: Vec<_> = (0..95).map(|index| noise(&mut tablet, staged * 95 + index)).collect();
        let batch = tablet.seal(&changes.iter().collect::<Vec<_>>());
        let size = batch.to_bytes().len() as u64;
        match world.ingest(&batch).outcome {
            Outcome::Staged { expected: 1 } => (staged, bytes) = (staged + 1, bytes + size),
            Outcome::Rejected(rejection) => {
                assert_eq!(rejection.code, "too_many_staged");
                break bytes + size;
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(staged < STAGED_PER_DEVICE_MAX, "the bytes must run out before the number does");
    assert!(bytes <= STAGED_BYTES_PER_DEVICE_MAX && over > STAGED_BYTES_PER_DEVICE_MAX);
}

/// A change of about 2 KB that does not compress.
fn noise(tablet: &mut Tablet, seed: u64) -> Written {
    use sha2::{Digest, Sha256};
    let mut bytes = Vec::new();
    for block in 0_u64..64 {
        bytes.extend(Sha256::digest([seed.to_be_bytes(), block.to_be_bytes()].concat()));
    }
    tablet.write(household(1), &[("remarks", Value::Bytes(bytes))])
}

fn a_held_change_that_comes_again_with_its_dependency_counts_once(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let first = tablet.found(household(1), "向家组");
    let second = tablet.remark(household(1), "第二句");
    assert_eq!(kinds(&world.receive(&tablet.seal(&[&second]))), [VerdictKind::Held]);
    assert_eq!(kinds(&world.receive(&tablet.seal(&[&second]))), [VerdictKind::Held]);
    use VerdictKind::Accepted;
    assert_eq!(kinds(&world.receive(&tablet.seal(&[&first, &second]))), [Accepted, Accepted]);
    world.settle();
    let relay = store.relay(&asked()).unwrap();
    assert_eq!(relay.fingerprint, Fingerprint::from_iter([&first.hash, &second.hash]).value());
    assert_eq!(decisions(&relay), [Verdict::Accepted]);
    world.assert_sound();
}

fn the_belt_goes_round_until_nothing_is_pending(store: &dyn Store) {
    let world = World::new(store);
    let documents = BELT_DOCUMENTS_PER_ROUND + 1;
    let mut authoring = Authoring::new(store, pen(&world));
    for index in 0..documents {
        let wrote = authoring.change(household(u8::try_from(index).unwrap()), |builder| {
            builder.put("group_name", text("向家组"));
        });
        assert!(wrote.is_ok());
    }
    authoring.finish().unwrap();
    let per_round = usize::try_from(BELT_DOCUMENTS_PER_ROUND).unwrap();
    assert_eq!(store.belt_pending().unwrap().len(), per_round);
    let settled = settle_belt_with(store, world.now_ms, &world.signing, &|_| true).unwrap();
    assert_eq!(settled.documents, per_round + 1);
    assert!(store.belt_pending().unwrap().is_empty());
}

fn pen<'a>(world: &'a World<'_>) -> Pen<'a> {
    Pen {
        device_key: &world.own,
        signing_key: &world.signing,
        opening: [4; 8],
        user: UserId::from_bytes([0xaa; 16]),
        village: LONGTAN,
        schema: 1,
        now_ms: world.now_ms,
    }
}

fn decisions(relay: &Relay) -> Vec<Verdict> {
    let verdict = |entry: &Entry| match entry {
        Entry::Decision { decision, .. } => Some(decision.statement.verdict.clone()),
        Entry::Batch { .. } => None,
    };
    relay.entries.iter().filter_map(verdict).collect()
}

/// The fingerprint of every change in the relayed batches; none of them may be left out of the documents.
fn fingerprint_of(world: &World<'_>, relay: &Relay) -> u64 {
    let mut fingerprint = Fingerprint::new();
    for entry in &relay.entries {
        let Entry::Batch { bytes, .. } = entry else { continue };
        let body = Batch::from_bytes(bytes).unwrap().open().unwrap();
        for (document, bytes) in body.changes {
            let (_, hash) = ruhu_survey::change::parse(&bytes).unwrap();
            assert!(world.register(document).change_count() > 0);
            fingerprint.add(&hash);
        }
    }
    fingerprint.value()
}

/// The cursor just before the first batch of an answer.
fn cursor_before_batches(relay: &Relay) -> Option<Cursor> {
    let first = relay.entries.iter().find_map(|entry| match entry {
        Entry::Batch { sequence, .. } => Some(*sequence),
        Entry::Decision { .. } => None,
    });
    Some(Cursor { epoch: EPOCH, number: first? - 1 })
}
