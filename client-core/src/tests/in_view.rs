//! Own work that the server keeps apart for the key alone stays in view, and is worked on.

use ruhu_ledger::certificate::Certificate;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::entry::{Entry, Replaces};
use ruhu_survey::household::{Because, Input, NewHousehold, NewMember};
use ruhu_survey::id::{CheckId, DeviceId, UserId};

use super::forked::{PERSON, copy, enrol_again};
use super::server::RECEIVED_MS;
use super::*;
use crate::{Edit, Query, SendState};

fn found(tablet: &mut Tablet, server: &FakeServer) -> HouseholdId {
    let household = NewHousehold { group_name: "三组".to_owned(), address: None, phone: None };
    let member = NewMember { full_name: "向春生".to_owned(), ..NewMember::default() };
    tablet.client.new_household(server.villages[0], &household, &[member]).unwrap()
}

fn draft(tablet: &mut Tablet, household: HouseholdId) -> CheckId {
    let check = tablet.client.start_check(household, "routine").unwrap();
    let input = Input::Text("26600".to_owned());
    tablet.client.set_answer(check, "answer/income/wage_income", &input, &Because::default()).unwrap();
    check
}

fn visit(tablet: &mut Tablet, household: HouseholdId) -> CheckId {
    let check = draft(tablet, household);
    tablet.client.submit(check, "completed", &[]).unwrap();
    check
}

fn device(tablet: &Tablet) -> DeviceId {
    tablet.client.status().unwrap().device.unwrap().device
}

fn remarks(tablet: &Tablet, household: HouseholdId) -> String {
    let view = tablet.client.household(household).unwrap();
    view.fields
        .iter()
        .find(|field| field.key == "remarks")
        .map(|field| field.text.clone())
        .unwrap_or_default()
}

fn listed(tablet: &Tablet, server: &FakeServer) -> usize {
    tablet.client.households(server.villages[0], &Query::default()).unwrap().len()
}

#[test]
fn a_household_founded_under_a_key_that_ended_is_worked_on_and_counts_once_enrolled_again() {
    let server = FakeServer::new();
    server.enrols(PERSON);
    let mut tablet = Tablet::enrolled(&server, 1);
    tablet.sync(&server);
    server.retire(device(&tablet));
    let household = found(&mut tablet, &server);
    let report = tablet.sync(&server);
    assert_eq!((report.not_accepted, report.waiting), (1, 0));
    let state = tablet.client.household(household).unwrap().send_state;
    assert_eq!(state, Some(SendState::Quarantined("device_revoked".to_owned())));
    tablet.client.edit_household(household, &[Edit::text("remarks", "坡上")]).unwrap();
    let check = visit(&mut tablet, household);
    tablet.sync(&server);
    assert_eq!(server.accepted(server.villages[0]), 0);
    assert_eq!(tablet.client.refused().unwrap().len(), 4, "each is named to its person");
    enrol_again(&mut tablet, &server).unwrap();
    let report = tablet.sync(&server);
    assert_eq!((report.rewritten, report.waiting, report.set_aside), (4, 0, 0));
    assert_eq!(tablet.client.household(household).unwrap().send_state, None);
    assert_eq!(tablet.client.check(check).unwrap().line.send_state, Some(SendState::Received));
    let mut reader = Tablet::enrolled(&server, 7);
    reader.sync(&server);
    let view = reader.client.household(household).unwrap();
    assert_eq!((view.household.members.len(), view.household.visits.len()), (1, 1));
}

#[test]
fn what_two_copies_held_unsent_is_written_anew_by_the_first_alone() {
    let server = FakeServer::new();
    server.enrols(PERSON);
    let mut tablet = Tablet::enrolled(&server, 1);
    tablet.sync(&server);
    let household = found(&mut tablet, &server);
    visit(&mut tablet, household);
    server.retire(device(&tablet));
    let (mut one, mut two) = copy(tablet);
    for copy in [&mut one, &mut two] {
        copy.sync(&server);
        enrol_again(copy, &server).unwrap();
    }
    assert_eq!(one.sync(&server).rewritten, 3);
    let note = Edit::text("remarks", "井边");
    two.client.edit_household(household, &[note]).unwrap();
    let report = two.sync(&server);
    assert_eq!(report.rewritten, 1, "what was written since");
    assert_eq!((report.waiting, report.set_aside), (0, 0));
    assert!(report.mismatched.is_empty());
    one.sync(&server);
    for copy in [&one, &two] {
        let view = copy.client.household(household).unwrap();
        assert_eq!((view.household.members.len(), view.household.visits.len()), (1, 1));
        assert_eq!(remarks(copy, household), "井边");
    }
}

#[test]
fn another_persons_word_does_not_keep_a_change_from_being_written_anew() {
    let server = FakeServer::new();
    server.enrols(PERSON);
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = found(&mut tablet, &server);
    tablet.sync(&server);
    server.retire(device(&tablet));
    tablet.client.edit_household(household, &[Edit::text("remarks", "坡上")]).unwrap();
    tablet.sync(&server);
    let apart = tablet.client.refused().unwrap()[0].change;
    server.enrols(UserId::from_bytes([5; 16]));
    let mut other = Tablet::enrolled(&server, 7);
    other.sync(&server);
    let village = server.villages[0];
    let claims = other.client.author(village, |pen| {
        let mut stored = pen.stored(village, household.into())?;
        pen.write(&mut stored, Place::Anywhere, |builder| {
            builder.put("group_name", Value::Text("一组".to_owned()));
            let (change, rule) = (apart.to_string(), "device_revoked".to_owned());
            Entry::Replaces(Replaces { change, rule }).put(builder);
            Ok(())
        })
    });
    claims.unwrap();
    other.sync(&server);
    server.enrols(PERSON);
    enrol_again(&mut tablet, &server).unwrap();
    assert_eq!(tablet.sync(&server).rewritten, 1);
    other.sync(&server);
    assert_eq!(remarks(&other, household), "坡上");
}

#[test]
fn what_the_server_accepted_stands_beside_own_work_that_it_has_not() {
    let server = FakeServer::new();
    server.enrols(PERSON);
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = found(&mut tablet, &server);
    tablet.sync(&server);
    let check = draft(&mut tablet, household);
    let (mut one, mut two) = copy(tablet);
    server.retire(device(&one));
    two.client.submit(check, "completed", &[]).unwrap();
    two.sync(&server);
    one.sync(&server);
    enrol_again(&mut one, &server).unwrap();
    one.client.submit(check, "completed", &[]).unwrap();
    one.sync(&server);
    enrol_again(&mut two, &server).unwrap();
    let report = two.sync(&server);
    assert_eq!((report.set_aside, report.waiting), (0, 0));
    assert!(report.mismatched.is_empty());
}

#[test]
fn nothing_is_added_to_a_household_of_which_nothing_stands_and_the_draft_is_kept() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    tablet.sync(&server);
    let household = found(&mut tablet, &server);
    let check = draft(&mut tablet, household);
    server.refuse_next(Verdict::Quarantined { rule: "out_of_range".to_owned(), because: None });
    assert_eq!(tablet.sync(&server).not_accepted, 1);
    assert_eq!(listed(&tablet, &server), 0);
    let edited = tablet.client.edit_household(household, &[Edit::text("remarks", "坡上")]);
    assert!(matches!(edited, Err(Error::NotAccepted(_))), "{edited:?}");
    let started = tablet.client.start_check(household, "routine");
    assert!(matches!(started, Err(Error::NotAccepted(_))), "{started:?}");
    let submitted = tablet.client.submit(check, "completed", &[]);
    assert!(matches!(submitted, Err(Error::NotAccepted(_))), "{submitted:?}");
    assert_eq!(tablet.client.draft(check).unwrap().answers.len(), 1);
}

#[test]
fn what_a_lapsed_certificate_kept_apart_counts_once_it_is_renewed_for_a_longer_time() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    tablet.sync(&server);
    let device = device(&tablet);
    let lapsed = |held| Certificate { from_ms: RECEIVED_MS - 1, until_ms: RECEIVED_MS, ..held };
    server.certify(device, lapsed);
    let household = found(&mut tablet, &server);
    assert_eq!(tablet.sync(&server).not_accepted, 1);
    tablet.client.edit_household(household, &[Edit::text("remarks", "坡上")]).unwrap();
    tablet.sync(&server);
    assert_eq!(server.accepted(server.villages[0]), 0);
    tablet.client.edit_household(household, &[Edit::text("remarks", "井边")]).unwrap();
    let renewed = |held| Certificate { from_ms: RECEIVED_MS, until_ms: RECEIVED_MS + 1, ..held };
    server.certify(device, renewed);
    let report = tablet.sync(&server);
    assert_eq!((report.rewritten, report.waiting, report.set_aside), (3, 0, 0));
    assert_eq!(tablet.sync(&server).rewritten, 0);
    assert_eq!(remarks(&tablet, household), "井边");
    assert_eq!(server.accepted(server.villages[0]), 3);
}

#[test]
fn a_certificate_that_the_server_knows_to_have_ended_earlier_writes_nothing_anew() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    server.certify(device(&tablet), |held| Certificate { from_ms: RECEIVED_MS - 1, ..held });
    tablet.sync(&server);
    let household = found(&mut tablet, &server);
    server.refuse_next(Verdict::Quarantined { rule: "certificate_expired".to_owned(), because: None });
    let report = tablet.sync(&server);
    assert_eq!((report.not_accepted, report.rewritten, report.waiting), (1, 0, 0));
    assert_eq!(tablet.sync(&server).rewritten, 0);
    server.certify(device(&tablet), |held| Certificate { from_ms: RECEIVED_MS, ..held });
    let report = tablet.sync(&server);
    assert_eq!((report.rewritten, report.waiting, report.not_accepted), (1, 0, 0));
    assert_eq!(tablet.client.household(household).unwrap().send_state, None);
}

#[test]
fn what_a_restored_server_keeps_apart_for_the_key_alone_stays_in_view_too() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = found(&mut tablet, &server);
    tablet.sync(&server);
    assert_eq!(server.accepted(server.villages[0]), 1);
    server.restore_empty();
    enrol_again(&mut tablet, &server).unwrap();
    server.certify(device(&tablet), |held| Certificate { until_ms: RECEIVED_MS, ..held });
    let report = tablet.sync(&server);
    assert_eq!((report.not_accepted, report.waiting), (1, 0));
    assert_eq!(listed(&tablet, &server), 1);
    let state = tablet.client.household(household).unwrap().send_state;
    assert_eq!(state, Some(SendState::Quarantined("certificate_expired".to_owned())));
}
