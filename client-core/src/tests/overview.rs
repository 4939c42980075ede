//! What a first secretary sees of a village from one phone; the check that takes another's place; the PIN.

use ruhu_survey::household::{Because, Input, NewHousehold, NewMember};
use ruhu_survey::id::EpochId;
use ruhu_sync::announce::{Announced, Announcement, Announcements, Told};

use super::server::{Fault, RECEIVED_MS};
use super::*;
use crate::store::announcement;
use crate::{AnnouncedUnsent, Asked, CheckState, SyncOutcome};

fn founded(tablet: &mut Tablet, server: &FakeServer) -> HouseholdId {
    let household = NewHousehold { group_name: "三组".to_owned(), ..NewHousehold::default() };
    let head = NewMember {
        full_name: "李四方".to_owned(),
        fields: [("relation_to_head".to_owned(), "head".to_owned())].into(),
        ..NewMember::default()
    };
    tablet.client.new_household(server.villages[0], &household, &[head]).unwrap()
}

fn visited(tablet: &mut Tablet, household: HouseholdId) -> ruhu_survey::id::CheckId {
    let check = tablet.client.start_check(household, "routine").unwrap();
    let asked = Asked { question: "visit_result", member: None, element: None };
    let input = Input::Text("completed".to_owned());
    tablet.client.answer_question(check, &asked, &input, &Because::default()).unwrap();
    tablet.client.submit(check, "completed", &[]).unwrap();
    check
}

#[test]
fn a_village_is_seen_from_one_device_with_what_it_knows_of_the_others() {
    let server = FakeServer::new();
    let (mut first, mut second) = (Tablet::enrolled(&server, 1), Tablet::enrolled(&server, 2));
    let village = server.villages[0];
    assert_eq!(first.client.overview(village, "2020-01-01").unwrap().as_of_ms, None);
    let household = founded(&mut first, &server);
    founded(&mut first, &server);
    visited(&mut first, household);
    first.sync(&server);
    second.sync(&server);
    let seen = second.client.overview(village, "1970-01-01").unwrap();
    assert!(seen.as_of_ms.is_some());
    assert_eq!((seen.households, seen.done, seen.never, seen.conflicts), (2, 1, 1, 0));
    assert_eq!(second.client.overview(village, "9999-01-01").unwrap().done, 0);
    let other = seen.devices.iter().find(|device| !device.own).unwrap();
    assert!(other.received_ms.is_some() && other.received >= 1 && !other.revoked);
    assert_eq!((other.waiting, other.lacking), (0, 0));
    assert!(matches!(
        second.client.overview(VillageId::from_bytes([9; 16]), "2020-01-01"),
        Err(Error::UnknownVillage(_))
    ));
}

/// What a device is known to have announced about the first village.
fn announced_by(tablet: &Tablet, server: &FakeServer, other: &Tablet) -> Option<AnnouncedUnsent> {
    let seen = tablet.client.overview(server.villages[0], "2020-01-01").unwrap();
    let device = other.client.identity().unwrap().device();
    seen.devices.iter().find(|seen| seen.device == device).unwrap().announced
}

/// A tablet enrols with a first secretary, who is told what it announces.
fn two(server: &FakeServer) -> (Tablet, Tablet) {
    (Tablet::enrolled(server, 1), Tablet::enrolled(server, 2))
}

#[test]
fn what_another_device_holds_is_known_as_it_last_said_it() {
    let server = FakeServer::new();
    let (mut first, mut other) = two(&server);
    other.sync(&server);
    first.sync(&server);
    let nothing = AnnouncedUnsent { at_ms: RECEIVED_MS, missing: 0, checks: 0, drafts: 0 };
    assert_eq!(announced_by(&first, &server, &other), Some(nothing));
    assert_eq!(announced_by(&other, &server, &first), None, "it is told to those who oversee the work");
    let household = founded(&mut other, &server);
    visited(&mut other, household);
    other.client.start_check(household, "routine").unwrap();
    // What it holds is sent in the very request: the answer that follows takes it off again.
    other.sync(&server);
    first.sync(&server);
    assert_eq!(announced_by(&first, &server, &other), Some(AnnouncedUnsent { drafts: 1, ..nothing }));
}

/// Says in the server's place what a device announced about the first village.
fn says(server: &FakeServer, device: &Tablet, number: u64, announced: Announced) {
    let device = device.client.identity().unwrap().device();
    let told = Told { number, device, announced, at_ms: RECEIVED_MS };
    server.vice(|state| drop(state.announcements.insert(server.villages[0], vec![told])));
}

#[test]
fn batches_that_are_announced_and_not_received_are_missing_until_they_are() {
    let server = FakeServer::new();
    let (mut first, mut other) = two(&server);
    says(&server, &other, 5, Announced { next: 2, checks: 1, drafts: 0 });
    first.sync(&server);
    let missing = AnnouncedUnsent { at_ms: RECEIVED_MS, missing: 1, checks: 1, drafts: 0 };
    assert_eq!(announced_by(&first, &server, &other), Some(missing));
    let mut first = first.restarted();
    assert_eq!(announced_by(&first, &server, &other), Some(missing), "it is kept");
    let household = founded(&mut other, &server);
    visited(&mut other, household);
    other.sync(&server);
    first.sync(&server);
    let received = announced_by(&first, &server, &other).unwrap();
    assert_eq!((received.missing, received.checks), (0, 0));
}

#[test]
fn an_older_announcement_never_takes_the_place_of_a_newer_one() {
    let server = FakeServer::new();
    let (mut first, other) = two(&server);
    let newer = Announced { next: 3, checks: 2, drafts: 0 };
    says(&server, &other, 5, newer);
    first.sync(&server);
    let held = announced_by(&first, &server, &other);
    let village = server.villages[0];
    let device = other.client.identity().unwrap().device();
    let epoch = first.client.identity().unwrap().epoch;
    for (number, announced) in [(4, Announced::default()), (5, Announced { next: 9, ..newer })] {
        let told = vec![Told { number, device, announced, at_ms: RECEIVED_MS + 1 }];
        let told = Announcements { village, told };
        first.client.store.write(|tx| announcement::keep(tx, epoch, &told)).unwrap();
        assert_eq!(announced_by(&first, &server, &other), held);
    }
}

#[test]
fn villages_are_told_apart_and_a_village_of_which_nothing_was_told_has_no_line() {
    let server = FakeServer::new();
    let (mut first, other) = two(&server);
    says(&server, &other, 1, Announced { next: 4, checks: 3, drafts: 2 });
    first.sync(&server);
    let elsewhere = first.client.overview(server.villages[1], "2020-01-01").unwrap();
    assert!(elsewhere.devices.iter().all(|device| device.announced.is_none()));
    assert_eq!(announced_by(&first, &server, &other).unwrap().missing, 3);
}

#[test]
fn a_restored_server_leaves_nothing_that_was_announced_to_the_one_before() {
    let server = FakeServer::new();
    let (mut first, other) = two(&server);
    says(&server, &other, 50, Announced { next: 4, checks: 3, drafts: 2 });
    first.sync(&server);
    assert!(announced_by(&first, &server, &other).is_some());
    let next = EpochId::from_bytes([0xe1; 16]);
    let told = first.client.store.write(|tx| announcement::all(tx, next, server.villages[0])).unwrap();
    assert!(told.is_empty(), "of another epoch");
    let one = Told {
        number: 1,
        device: other.client.identity().unwrap().device(),
        announced: Announced { next: 4, checks: 0, drafts: 0 },
        at_ms: RECEIVED_MS,
    };
    let village = server.villages[0];
    let again = Announcements { village, told: vec![one] };
    first.client.store.write(|tx| announcement::keep(tx, next, &again)).unwrap();
    let told = announcement::all(first.client.store.read(), next, village).unwrap();
    assert_eq!(told.into_values().collect::<Vec<_>>(), [one], "whatever its number");
}

#[test]
fn what_a_device_announces_counts_its_own_work_in_that_village_alone() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    let identity = tablet.client.identity().unwrap().clone();
    let own = |tablet: &Tablet, place: usize| {
        announcement::own(tablet.client.store.read(), &identity, server.villages[place]).unwrap()
    };
    assert_eq!(own(&tablet, 0), Announcement { given: 0, announced: Announced::default(), signature: None });
    let household = founded(&mut tablet, &server);
    visited(&mut tablet, household);
    let check = visited(&mut tablet, household);
    tablet.client.start_check(household, "routine").unwrap();
    let announced = own(&tablet, 0).announced;
    assert_eq!((announced.checks, announced.drafts), (2, 1), "sealed or not");
    assert_eq!(own(&tablet, 1).announced, Announced::default());
    server.faults(&[Fault::IsDown; 20]);
    assert!(matches!(tablet.sync(&server).outcome, SyncOutcome::Interrupted(_)));
    let waiting = own(&tablet, 0);
    assert_eq!((waiting.announced.checks, waiting.announced.drafts), (2, 1));
    assert!(waiting.announced.next > 1 && waiting.signature.is_some());
    server.faults(&[]);
    tablet.sync(&server);
    let sent = own(&tablet, 0);
    assert_eq!((sent.announced.checks, sent.announced.drafts, sent.signature), (0, 1, None));
    assert_eq!(sent.announced.next, waiting.announced.next);
    tablet.client.replace_check(check).unwrap();
    assert_eq!(own(&tablet, 0).announced.drafts, 2);
}

#[test]
fn a_submitted_check_is_replaced_by_one_that_names_it() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = founded(&mut tablet, &server);
    let old = visited(&mut tablet, household);
    let new = tablet.client.replace_check(old).unwrap();
    assert!(matches!(tablet.client.replace_check(new), Err(Error::NotSubmitted(_))));
    tablet.client.submit(new, "completed", &[]).unwrap();
    let fields = tablet.client.check(new).unwrap().fields;
    let supersedes = fields.iter().find(|field| field.key == "supersedes").unwrap();
    assert_eq!(supersedes.text, old.to_string());
    assert_eq!(tablet.client.check_line(old).unwrap().state, CheckState::Submitted);
}

#[test]
fn a_pin_is_kept_inside_the_store_and_is_digits() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    assert!(!tablet.client.has_pin().unwrap() && !tablet.client.pin_fits("").unwrap());
    for none in ["12345", "一二三四五六", "12345 "] {
        assert!(matches!(tablet.client.set_pin(none), Err(Error::PinTooShort)), "{none}");
    }
    tablet.client.set_pin("135790").unwrap();
    let mut tablet = tablet.restarted();
    assert!(tablet.client.pin_fits("135790").unwrap() && !tablet.client.pin_fits("135791").unwrap());
    tablet.client.set_pin("").unwrap();
    assert!(!tablet.client.has_pin().unwrap() && !tablet.client.pin_fits("135790").unwrap());
}
