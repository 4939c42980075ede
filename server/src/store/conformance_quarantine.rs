//! What every store must do about quarantine, forks and keys that were given up, as cases over `&dyn Store`.

use ruhu_ledger::batch::Batch;
use ruhu_ledger::certificate::{CertificateKind, Revocation, SignedCertificate, SignedRevocation};
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::verdict::{Verdict, VerdictKind};
use ruhu_survey::change::ChangeHash;
use ruhu_survey::id::UserId;

use super::people::Redeemed;
use super::world::{
    DEPLOYMENT, LONGTAN, SHUANGYUN, Tablet, World, Written, asked, certificate, household, kinds,
};
use super::{Store, StoreError};
use crate::quarantine::{Choice, NotRuled, REFUSED, Ruled, Ruling};
use crate::relay::Entry;
use crate::replacement::{KEY_COPIED, REPLACEMENTS_PER_KEY_MAX};

suite! {
    two_people_adopt_a_change_and_everybody_is_told_both_names
    two_people_refuse_a_change_for_good
    one_person_alone_decides_nothing
    nobody_decides_over_their_own_change
    a_second_opinion_makes_the_new_proposal
    what_stands_on_a_quarantined_change_comes_after_it
    a_change_that_is_not_in_quarantine_is_not_decided
    a_decision_under_another_key_writes_nothing
    the_list_says_what_was_proposed_and_of_which_village
    a_fork_is_told_with_the_ends_of_both_branches
    a_copied_key_is_given_up_for_provisional_ones_so_often_and_no_more
}

fn ruling(by: u8, change: ChangeHash, choice: Choice) -> Ruling {
    let (by, name) = (UserId::from_bytes([by; 16]), format!("测试{by}"));
    Ruling { change, choice, by, name, reason: "看过原件".to_owned() }
}

fn say(world: &World<'_>, by: u8, change: ChangeHash, choice: Choice) -> Ruled {
    world.store.rule_on(&ruling(by, change, choice), world.now_ms, &world.signing).unwrap()
}

/// A household with a change that breaks a rule and one that stands on it.
fn with_quarantine(world: &World<'_>) -> (Tablet, Written, Written) {
    let mut tablet = world.tablet(7);
    let first = tablet.found(household(1), "向家组");
    let bad = tablet.offend(household(1));
    let later = tablet.remark(household(1), "老实话");
    world.receive(&tablet.seal(&[&first, &bad, &later]));
    (tablet, bad, later)
}

fn decided(store: &dyn Store) -> Vec<(ChangeHash, Verdict, Option<String>)> {
    let entries = store.relay(&asked()).unwrap().entries.into_iter();
    let decided = entries.filter_map(|entry| match entry {
        Entry::Decision { decision, .. } => Some(decision.statement),
        Entry::Batch { .. } => None,
    });
    let names = |said: &ruhu_ledger::decision::Decision| {
        said.people.as_ref().map(|people| format!("{} {}", people.proposed_name, people.confirmed_name))
    };
    decided.map(|said| (said.change, said.verdict.clone(), names(&said))).collect()
}

fn two_people_adopt_a_change_and_everybody_is_told_both_names(store: &dyn Store) {
    let world = World::new(store);
    let (_, bad, _) = with_quarantine(&world);
    assert_eq!(say(&world, 1, bad.hash, Choice::Adopt), Ruled::Proposed);
    world.assert_sound();
    let Ruled::Decided(signed) = say(&world, 2, bad.hash, Choice::Adopt) else { panic!() };
    signed.verify(&world.signing.public()).unwrap();
    assert_eq!(signed.statement.by, UserId::from_bytes([2; 16]));
    assert_eq!(world.register(household(1)).live("bad_field").len(), 1);
    world.settle();
    assert_eq!(decided(store), [(bad.hash, Verdict::Accepted, Some("测试1 测试2".to_owned()))]);
    world.assert_sound();
    store.rebuild_documents().unwrap();
    world.settle();
    assert_eq!(world.register(household(1)).live("bad_field").len(), 1);
    world.assert_sound();
}

fn two_people_refuse_a_change_for_good(store: &dyn Store) {
    let world = World::new(store);
    let (mut tablet, bad, _) = with_quarantine(&world);
    say(&world, 1, bad.hash, Choice::Refuse);
    assert!(matches!(say(&world, 2, bad.hash, Choice::Refuse), Ruled::Decided(_)));
    world.settle();
    let reason = REFUSED.to_owned();
    assert_eq!(decided(store)[0].1, Verdict::Refused { reason });
    let again = tablet.remark(household(1), "还有一句");
    assert_eq!(kinds(&world.receive(&tablet.seal(&[&again]))), [VerdictKind::Quarantined]);
    assert_eq!(say(&world, 1, bad.hash, Choice::Adopt), Ruled::Not(NotRuled::NotInQuarantine));
    world.assert_sound();
}

fn one_person_alone_decides_nothing(store: &dyn Store) {
    let world = World::new(store);
    let (_, bad, _) = with_quarantine(&world);
    assert_eq!(say(&world, 1, bad.hash, Choice::Adopt), Ruled::Proposed);
    assert_eq!(say(&world, 1, bad.hash, Choice::Adopt), Ruled::Not(NotRuled::SamePerson));
    assert!(world.register(household(1)).live("bad_field").is_empty());
    world.settle();
    assert!(decided(store).is_empty());
}

fn nobody_decides_over_their_own_change(store: &dyn Store) {
    let world = World::new(store);
    let (tablet, bad, _) = with_quarantine(&world);
    let own = Ruling { by: tablet.user, ..ruling(1, bad.hash, Choice::Adopt) };
    let said = store.rule_on(&own, world.now_ms, &world.signing).unwrap();
    assert_eq!(said, Ruled::Not(NotRuled::OwnChange));
}

fn a_second_opinion_makes_the_new_proposal(store: &dyn Store) {
    let world = World::new(store);
    let (_, bad, _) = with_quarantine(&world);
    say(&world, 1, bad.hash, Choice::Adopt);
    assert_eq!(say(&world, 2, bad.hash, Choice::Refuse), Ruled::Proposed);
    assert_eq!(say(&world, 2, bad.hash, Choice::Refuse), Ruled::Not(NotRuled::SamePerson));
    assert!(matches!(say(&world, 1, bad.hash, Choice::Refuse), Ruled::Decided(_)));
    world.assert_sound();
}

fn what_stands_on_a_quarantined_change_comes_after_it(store: &dyn Store) {
    let world = World::new(store);
    let (_, bad, later) = with_quarantine(&world);
    say(&world, 1, later.hash, Choice::Adopt);
    let early = say(&world, 2, later.hash, Choice::Adopt);
    assert_eq!(early, Ruled::Not(NotRuled::StandsOn(vec![bad.hash])));
    say(&world, 1, bad.hash, Choice::Adopt);
    assert!(matches!(say(&world, 2, bad.hash, Choice::Adopt), Ruled::Decided(_)));
    assert!(world.register(household(1)).live("remarks").is_empty(), "each is decided by itself");
    assert!(matches!(say(&world, 2, later.hash, Choice::Adopt), Ruled::Decided(_)));
    assert_eq!(world.register(household(1)).live("remarks").len(), 1);
    world.settle();
    world.assert_sound();
}

fn a_change_that_is_not_in_quarantine_is_not_decided(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let first = tablet.found(household(1), "向家组");
    world.receive(&tablet.seal(&[&first]));
    for change in [first.hash, ChangeHash([9; 32])] {
        assert_eq!(say(&world, 1, change, Choice::Refuse), Ruled::Not(NotRuled::NotInQuarantine));
    }
}

fn a_decision_under_another_key_writes_nothing(store: &dyn Store) {
    let world = World::new(store);
    let (_, bad, _) = with_quarantine(&world);
    let other = SecretKey::from_seed([99; 32]);
    let said = store.rule_on(&ruling(1, bad.hash, Choice::Adopt), world.now_ms, &other);
    assert!(matches!(said, Err(StoreError::Conflict(_))));
    assert_eq!(store.in_quarantine(None).unwrap()[0].proposal, None);
}

fn the_list_says_what_was_proposed_and_of_which_village(store: &dyn Store) {
    let world = World::new(store);
    let (_, bad, later) = with_quarantine(&world);
    say(&world, 1, bad.hash, Choice::Refuse);
    let listed = store.in_quarantine(Some(LONGTAN)).unwrap();
    assert_eq!(listed.iter().map(|one| one.change).collect::<Vec<_>>(), [bad.hash, later.hash]);
    assert_eq!(listed[0].keys, ["bad_field"]);
    assert_eq!(listed[1].because, Some(bad.hash));
    let proposal = listed[0].proposal.clone().unwrap();
    assert_eq!((proposal.choice, proposal.name.as_str()), (Choice::Refuse, "测试1"));
    assert!(store.in_quarantine(Some(SHUANGYUN)).unwrap().is_empty());
}

fn a_fork_is_told_with_the_ends_of_both_branches(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let first = tablet.found(household(1), "向家组");
    world.receive(&tablet.seal(&[&first]));
    assert_eq!(store.fork(LONGTAN, tablet.device()).unwrap(), None);
    let mut copy = tablet.clone_with_opening(70);
    let ends: Vec<Batch> = [&mut tablet, &mut copy]
        .into_iter()
        .map(|one| {
            let remark = one.remark(household(1), "一句");
            one.seal(&[&remark])
        })
        .collect();
    ends.iter().for_each(|batch| drop(world.receive(batch)));
    let fork = store.fork(LONGTAN, tablet.device()).unwrap().unwrap();
    assert_eq!(fork.number, 2);
    assert_eq!(fork.tips, [(2, ends[0].id()), (2, ends[1].id())]);
    assert_eq!(store.fork(SHUANGYUN, tablet.device()).unwrap(), None);
    assert_eq!(store.device(tablet.device()).unwrap().unwrap().forks, 1);
}

fn a_copied_key_is_given_up_for_provisional_ones_so_often_and_no_more(store: &dyn Store) {
    let world = World::new(store);
    let tablet = world.tablet(7);
    let (old, reason) = (tablet.device(), KEY_COPIED.to_owned());
    let revocation = Revocation { deployment: DEPLOYMENT, device: old, at_ms: world.now_ms, reason };
    let revocation = SignedRevocation::sign(revocation, &world.signing).unwrap();
    let give_up = |seed: u8, serial: u64, revocation: Option<&SignedRevocation>| {
        let key = SecretKey::from_seed([seed; 32]);
        let held = certificate(&key, serial, tablet.user, &[LONGTAN], CertificateKind::Provisional);
        let signed = SignedCertificate::sign(held, &world.signing).unwrap();
        (store.key_replace(old, &signed, revocation, world.now_ms).unwrap(), key.public().device_id())
    };
    let next = || store.next_serial().unwrap();
    assert_eq!(give_up(200, next() + 1, Some(&revocation)).0, Redeemed::Serial(next()));
    assert_eq!(store.device(old).unwrap().unwrap().revoked, None, "nothing was written");
    let (granted, first) = give_up(200, next(), Some(&revocation));
    assert_eq!(granted, Redeemed::Granted);
    assert_eq!(store.device(old).unwrap().unwrap().revoked, Some((world.now_ms, KEY_COPIED.to_owned())));
    assert_eq!(store.device(first).unwrap().unwrap().replaces, Some(old));
    for seed in 1..u8::try_from(REPLACEMENTS_PER_KEY_MAX).unwrap() {
        assert_eq!(give_up(200 + seed, next(), None).0, Redeemed::Granted);
    }
    assert_eq!(give_up(250, next(), None).0, Redeemed::Used);
    world.assert_sound();
}
