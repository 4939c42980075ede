//! A store that is in two places, and stores that are enrolled again.

use ruhu_survey::id::UserId;

use super::*;
use crate::{Client, SyncOutcome};

const HOUSEHOLD: HouseholdId = HouseholdId::from_bytes([0xaa; 16]);
/// The first person who enrols with the server.
pub(super) const PERSON: UserId = UserId::from_bytes([1; 16]);

fn put(tablet: &mut Tablet, server: &FakeServer, key: &str, text: &str) {
    let village = server.villages[0];
    let put = tablet.client.author(village, |pen| {
        let mut stored = document::load_or_make(pen.tx, village, DocumentId::from(HOUSEHOLD))?;
        pen.write(&mut stored, Place::Anywhere, |builder| {
            if builder.register().is_empty() {
                builder.put("dwelling_address", Value::Text("三组18号".to_owned()));
            }
            builder.put(key, Value::Text(text.to_owned()));
            Ok(())
        })
    });
    put.unwrap();
}

fn values(tablet: &Tablet, server: &FakeServer, key: &str) -> Vec<String> {
    let stored = document::load(tablet.client.store.read(), server.villages[0], HOUSEHOLD.into());
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    stored.unwrap().unwrap().register.live(key).iter().map(|live| text(&live.value)).collect()
}

/// The same folder twice: the phone's backup was put onto a second one.
pub(super) fn copy(tablet: Tablet) -> (Tablet, Tablet) {
    let Tablet { folder, client, seed } = tablet;
    drop(client);
    let other = TempDir::new().unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), other.path().join(entry.file_name())).unwrap();
    }
    let opened = |folder: TempDir, seed: u8| {
        let client = reopened(folder.path(), seed).unwrap();
        Tablet { folder, client, seed }
    };
    (opened(folder, seed.wrapping_add(50)), opened(other, seed.wrapping_add(90)))
}

pub(super) fn enrol_again(tablet: &mut Tablet, server: &FakeServer) -> Result<(), Error> {
    let invitation = Invitation::from_link(&server.link()).unwrap();
    now(tablet.client.enrol(&invitation, "tablet", &mut |_| false, server)).map(drop)
}

fn is_provisional(client: &Client) -> bool {
    client.status().unwrap().device.unwrap().provisional
}

/// Two copies of one store that both wrote, the second of which has just learned of it.
fn forked(server: &FakeServer) -> (Tablet, Tablet) {
    server.enrols(PERSON);
    let mut tablet = Tablet::enrolled(server, 1);
    put(&mut tablet, server, "group_name", "三组");
    tablet.sync(server);
    let (mut one, mut two) = copy(tablet);
    put(&mut one, server, "remarks", "甲");
    assert!(!one.sync(server).provisional);
    put(&mut two, server, "dwelling_address", "三组20号");
    let report = two.sync(server);
    assert_eq!(report.outcome, SyncOutcome::Complete);
    assert!(report.provisional);
    (one, two)
}

#[test]
fn a_copy_that_learns_of_the_other_gives_its_key_up_and_both_branches_count() {
    let server = FakeServer::new();
    let (one, two) = forked(&server);
    assert_eq!(server.accepted(server.villages[0]), 3);
    assert_eq!(values(&two, &server, "remarks"), ["甲"]);
    assert!(is_provisional(&two.client) && !is_provisional(&one.client));
    assert_ne!(
        one.client.status().unwrap().device.unwrap().device,
        two.client.status().unwrap().device.unwrap().device
    );
}

#[test]
fn what_a_provisional_device_writes_waits_in_view_and_counts_once_a_person_enrolled_it() {
    let server = FakeServer::new();
    let (_, mut two) = forked(&server);
    put(&mut two, &server, "remarks", "乙");
    let report = two.sync(&server);
    assert_eq!((report.outcome, report.waiting, report.not_accepted), (SyncOutcome::Complete, 0, 1));
    assert_eq!(values(&two, &server, "remarks"), ["乙"], "its own work stays in view");
    assert_eq!(server.accepted(server.villages[0]), 3, "and does not count yet");
    let mut two = two.restarted();
    enrol_again(&mut two, &server).unwrap();
    let report = two.sync(&server);
    assert!(!report.provisional && report.mismatched.is_empty());
    assert_eq!(report.waiting, 0);
    assert_eq!(server.accepted(server.villages[0]), 4);
    assert_eq!(values(&two, &server, "remarks"), ["乙"]);
    let mut reader = Tablet::enrolled(&server, 7);
    assert_eq!(reader.sync(&server).set_aside, 0);
    assert_eq!(values(&reader, &server, "remarks"), ["乙"]);
}

#[test]
fn the_other_copy_learns_that_the_key_ended_and_its_work_is_kept_until_it_is_enrolled() {
    let server = FakeServer::new();
    let (mut one, _) = forked(&server);
    put(&mut one, &server, "group_name", "六组");
    let report = one.sync(&server);
    assert!(report.provisional);
    assert_eq!(report.waiting, 0, "the server has it");
    enrol_again(&mut one, &server).unwrap();
    let report = one.sync(&server);
    assert_eq!((report.waiting, report.set_aside), (0, 0));
    assert_eq!(values(&one, &server, "group_name"), ["六组"]);
    let mut reader = Tablet::enrolled(&server, 7);
    reader.sync(&server);
    assert_eq!(values(&reader, &server, "group_name"), ["六组"]);
    assert_eq!(values(&reader, &server, "dwelling_address"), ["三组20号"]);
}

#[test]
fn a_phone_restored_from_an_old_backup_finds_batches_that_it_never_wrote() {
    let server = FakeServer::new();
    server.enrols(PERSON);
    let mut tablet = Tablet::enrolled(&server, 1);
    put(&mut tablet, &server, "group_name", "三组");
    tablet.sync(&server);
    let (mut lost, mut restored) = copy(tablet);
    put(&mut lost, &server, "remarks", "甲");
    lost.sync(&server);
    drop(lost);
    server.tells_of_branches();
    assert!(restored.sync(&server).provisional, "nothing had forked yet, and another store goes on");
    assert_eq!(values(&restored, &server, "remarks"), ["甲"]);
    enrol_again(&mut restored, &server).unwrap();
    put(&mut restored, &server, "remarks", "乙");
    let report = restored.sync(&server);
    assert_eq!((report.waiting, report.provisional), (0, false));
    assert_eq!(values(&restored, &server, "remarks"), ["乙"]);
}

/// A copy that learned of the other one, and lost the answer that would have given it a new key.
fn with_a_lost_replacement(server: &FakeServer) -> Tablet {
    server.enrols(PERSON);
    let mut tablet = Tablet::enrolled(server, 1);
    put(&mut tablet, server, "group_name", "三组");
    tablet.sync(server);
    let (mut one, mut two) = copy(tablet);
    put(&mut one, server, "remarks", "甲");
    one.sync(server);
    put(&mut two, server, "remarks", "乙");
    server.loses_replacements(true);
    let report = two.try_sync(server).unwrap();
    assert!(matches!(report.outcome, SyncOutcome::Interrupted(_)), "a failing link is an outcome");
    assert!(!report.provisional);
    server.loses_replacements(false);
    two
}

#[test]
fn a_lost_answer_to_the_replacement_is_asked_for_again_with_the_same_key() {
    let server = FakeServer::new();
    let mut two = with_a_lost_replacement(&server).restarted();
    assert!(two.sync(&server).provisional);
    assert_eq!(server.devices(), 2, "one key was made, and certified once");
}

#[test]
fn work_under_a_revoked_key_is_written_anew_once_the_store_is_enrolled_again() {
    let server = FakeServer::new();
    server.enrols(PERSON);
    let mut tablet = Tablet::enrolled(&server, 1);
    put(&mut tablet, &server, "group_name", "三组");
    tablet.sync(&server);
    let device = tablet.client.status().unwrap().device.unwrap().device;
    put(&mut tablet, &server, "remarks", "甲");
    server.retire(device);
    enrol_again(&mut tablet, &server).unwrap();
    let report = tablet.sync(&server);
    assert_eq!((report.rewritten, report.waiting, report.set_aside), (1, 0, 0));
    assert_eq!(values(&tablet, &server, "remarks"), ["甲"]);
    assert_ne!(tablet.client.status().unwrap().device.unwrap().device, device);
    let mut reader = Tablet::enrolled(&server, 7);
    reader.sync(&server);
    assert_eq!(values(&reader, &server, "remarks"), ["甲"]);
}

#[test]
fn another_persons_code_does_not_take_a_store_over() {
    let server = FakeServer::new();
    let (_, mut two) = forked(&server);
    let device = two.client.status().unwrap().device.unwrap().device;
    server.retire(device);
    server.enrols(UserId::from_bytes([5; 16]));
    let refused = enrol_again(&mut two, &server);
    assert!(matches!(refused, Err(Error::AlreadyEnrolled)), "{refused:?}");
    assert_eq!(two.client.status().unwrap().device.unwrap().device, device);
}

#[test]
fn a_key_that_a_copy_has_taken_already_is_not_asked_for_again() {
    let server = FakeServer::new();
    let (mut third, mut fourth) = copy(with_a_lost_replacement(&server));
    assert!(third.sync(&server).provisional);
    enrol_again(&mut third, &server).unwrap();
    assert!(fourth.sync(&server).provisional, "under a key of its own");
    enrol_again(&mut fourth, &server).unwrap();
    assert_eq!((fourth.sync(&server).waiting, third.sync(&server).waiting), (0, 0));
    let device = |tablet: &Tablet| tablet.client.status().unwrap().device.unwrap().device;
    assert_ne!(device(&third), device(&fourth));
}
