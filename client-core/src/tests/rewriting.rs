//! Own work that stands on something that was not accepted is written anew, and nothing is lost.

use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::ChangeHash;
use ruhu_survey::entry::{Entry, entries};
use ruhu_survey::household::{Because, Household, Input, NewHousehold, NewMember};

use super::server::Fault;
use super::syncing::LOST_ANSWERS;
use super::*;

const HOUSEHOLD: HouseholdId = HouseholdId::from_bytes([0xaa; 16]);

fn village(server: &FakeServer) -> VillageId {
    server.villages[0]
}

/// Puts one text into the household's document, as whatever the person did would.
fn put(tablet: &mut Tablet, server: &FakeServer, key: &str, text: &str) -> ChangeHash {
    let village = village(server);
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
    put.unwrap().1.unwrap()
}

fn register(tablet: &Tablet, server: &FakeServer, household: HouseholdId) -> ruhu_survey::register::Register {
    let stored = document::load(tablet.client.store.read(), village(server), household.into());
    stored.unwrap().unwrap().register
}

fn values(tablet: &Tablet, server: &FakeServer, key: &str) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    register(tablet, server, HOUSEHOLD).live(key).iter().map(|live| text(&live.value)).collect()
}

/// The changes that the household's document says were replaced, each with the rule.
fn cited(tablet: &Tablet, server: &FakeServer) -> Vec<(String, String)> {
    let placed = entries(&register(tablet, server, HOUSEHOLD)).into_iter();
    let cited = placed.filter_map(|placed| match placed.entry {
        Entry::Replaces(replaces) => Some((replaces.change, replaces.rule)),
        _ => None,
    });
    cited.collect()
}

/// A device whose household everybody knows, with two more edits of which the first will not be accepted.
fn with_a_bad_edit(server: &FakeServer) -> (Tablet, ChangeHash, ChangeHash) {
    let mut tablet = Tablet::enrolled(server, 1);
    put(&mut tablet, server, "group_name", "三组");
    tablet.sync(server);
    server.forbid("remarks");
    let bad = put(&mut tablet, server, "remarks", "甲");
    let honest = put(&mut tablet, server, "group_name", "五组");
    (tablet, bad, honest)
}

#[test]
fn the_honest_remainder_goes_out_in_the_same_sync_and_cites_what_it_replaces() {
    let server = FakeServer::new();
    let (mut tablet, bad, honest) = with_a_bad_edit(&server);
    let report = tablet.sync(&server);
    assert_eq!((report.not_accepted, report.rewritten, report.waiting), (2, 1, 0));
    assert_eq!(values(&tablet, &server, "group_name"), ["五组"]);
    assert!(values(&tablet, &server, "remarks").is_empty());
    assert_eq!(cited(&tablet, &server), [(honest.to_string(), "depends_on_quarantined".to_owned())]);
    assert_eq!(server.accepted(village(&server)), 2, "the founding, and the group written anew");
    assert!(report.mismatched.is_empty());
    let kept: Vec<_> = tablet.client.refused().unwrap().into_iter().map(|one| one.change).collect();
    assert_eq!(kept, [honest, bad]);
    let again = tablet.sync(&server);
    assert_eq!((again.rewritten, again.progress.to_send, again.requests), (0, 0, 1));
    let mut reader = Tablet::enrolled(&server, 2);
    assert_eq!(reader.sync(&server).set_aside, 0);
    assert_eq!(values(&reader, &server, "group_name"), ["五组"]);
}

#[test]
fn a_value_that_somebody_wrote_meanwhile_stays_beside_it() {
    let server = FakeServer::new();
    let (mut tablet, ..) = with_a_bad_edit(&server);
    let mut other = Tablet::enrolled(&server, 2);
    other.sync(&server);
    put(&mut other, &server, "group_name", "四组");
    other.sync(&server);
    tablet.sync(&server);
    let mut both = values(&tablet, &server, "group_name");
    both.sort();
    assert_eq!(both, ["五组", "四组"], "neither had seen the other");
    other.sync(&server);
    assert_eq!(values(&tablet, &server, "group_name"), values(&other, &server, "group_name"));
}

#[test]
fn a_kill_after_any_answer_repeats_nothing() {
    let server = FakeServer::new();
    let (mut tablet, ..) = with_a_bad_edit(&server);
    server.faults(&[Fault::LosesTheAnswer; LOST_ANSWERS]);
    tablet.sync(&server);
    let mut tablet = tablet.restarted();
    // The verdict arrives, and what was written anew does not get through.
    let cut = [Fault::CutsAfter(100_000)].into_iter().chain([Fault::IsDown; 6]);
    server.faults(&cut.collect::<Vec<_>>());
    assert_eq!(tablet.sync(&server).rewritten, 1);
    let mut tablet = tablet.restarted();
    let report = tablet.sync(&server);
    assert_eq!((report.rewritten, report.waiting), (0, 0));
    assert_eq!(values(&tablet, &server, "group_name"), ["五组"]);
    assert_eq!(cited(&tablet, &server).len(), 1);
}

#[test]
fn an_original_that_is_adopted_later_stands_beside_what_was_written_for_it() {
    let server = FakeServer::new();
    let (mut tablet, ..) = with_a_bad_edit(&server);
    let mut other = Tablet::enrolled(&server, 2);
    tablet.sync(&server);
    put(&mut tablet, &server, "group_name", "六组");
    tablet.sync(&server);
    server.decide_all(village(&server), &Verdict::Accepted);
    for tablet in [&mut tablet, &mut other] {
        let report = tablet.sync(&server);
        assert_eq!((report.set_aside, report.mismatched.len(), report.rewritten), (0, 0, 0));
        assert_eq!(values(tablet, &server, "remarks"), ["甲"]);
        let groups = values(tablet, &server, "group_name");
        assert!(groups.contains(&"六组".to_owned()) && groups.contains(&"五组".to_owned()), "{groups:?}");
    }
    assert!(tablet.client.refused().unwrap().is_empty());
}

#[test]
fn what_stands_on_somebody_elses_change_is_written_anew_by_its_own_author() {
    let server = FakeServer::new();
    let (mut one, mut two) = (Tablet::enrolled(&server, 1), Tablet::enrolled(&server, 2));
    put(&mut one, &server, "group_name", "三组");
    one.sync(&server);
    let offender = put(&mut one, &server, "remarks", "甲");
    one.sync(&server);
    two.sync(&server);
    put(&mut two, &server, "group_name", "五组");
    two.sync(&server);
    server.quarantine(village(&server), offender);
    let report = two.sync(&server);
    assert_eq!((report.rewritten, report.waiting), (1, 0));
    assert_eq!(values(&two, &server, "group_name"), ["五组"]);
    assert!(values(&two, &server, "remarks").is_empty());
}

#[test]
fn a_change_that_is_written_while_the_bad_one_is_on_its_way_is_not_lost_either() {
    let server = FakeServer::new();
    let (mut tablet, ..) = with_a_bad_edit(&server);
    server.faults(&[Fault::LosesTheAnswer; LOST_ANSWERS]);
    tablet.sync(&server);
    put(&mut tablet, &server, "dwelling_address", "三组20号");
    let report = tablet.sync(&server);
    assert_eq!((report.rewritten, report.waiting), (2, 0));
    assert_eq!(values(&tablet, &server, "dwelling_address"), ["三组20号"]);
    assert_eq!(values(&tablet, &server, "group_name"), ["五组"]);
}

#[test]
fn a_visit_is_told_although_the_edit_beside_it_was_not_accepted() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    let village = village(&server);
    let new = NewHousehold { group_name: "三组".to_owned(), address: None, phone: None };
    let member = NewMember { full_name: "向小明".to_owned(), ..NewMember::default() };
    tablet.sync(&server);
    let household = tablet.client.new_household(village, &new, &[member]).unwrap();
    tablet.sync(&server);
    server.forbid("remarks");
    let check = tablet.client.start_check(household, "routine").unwrap();
    let because = Because::default();
    let text = |text: &str| Input::Text(text.to_owned());
    tablet.client.set_answer(check, "answer/housing/grade", &text("B"), &because).unwrap();
    tablet.client.set_answer(check, "remarks", &text("甲"), &because).unwrap();
    tablet.client.submit(check, "completed", &[]).unwrap();
    let report = tablet.sync(&server);
    assert_eq!((report.not_accepted, report.rewritten, report.waiting), (1, 1, 0));
    let register = register(&tablet, &server, household);
    assert!(register.live("remarks").is_empty());
    let read = Household::read(household, &register);
    assert_eq!(read.last_visit().unwrap().check, check.to_string());
}
