//! What a first secretary sees of a village from one phone; the check that takes another's place; the PIN.

use ruhu_survey::household::{Because, Input, NewHousehold, NewMember};

use super::*;
use crate::{Asked, CheckState};

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
