//! Work on the doorstep: households, checks, conflicts, history, and kills in between.

use std::collections::BTreeMap;
use std::fs;

use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ChangeHash, DocumentKind};
use ruhu_survey::history::Fate;
use ruhu_survey::household::{Because, Input, NewHousehold, NewMember};

use super::*;
use crate::{CheckState, Edit, IssueEntry, Order, Query, SendState};

const CERTIFICATE: &str = "439921197603150018";
const PHONE: &str = "13900004321";

fn member(name: &str, cert_no: Option<&str>) -> NewMember {
    NewMember {
        full_name: name.to_owned(),
        cert_no: cert_no.map(ToOwned::to_owned),
        fields: BTreeMap::new(),
        source: None,
    }
}

fn found(tablet: &mut Tablet, village: VillageId, group: &str, names: &[&str]) -> HouseholdId {
    let household =
        NewHousehold { group_name: group.to_owned(), address: None, phone: Some(PHONE.to_owned()) };
    let members: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(place, name)| member(name, (place == 0).then_some(CERTIFICATE)))
        .collect();
    tablet.client.new_household(village, &household, &members).unwrap()
}

fn answer(tablet: &mut Tablet, check: ruhu_survey::id::CheckId, key: &str, text: &str) {
    let input = Input::Text(text.to_owned());
    tablet.client.set_answer(check, key, &input, &Because::default()).unwrap();
}

fn names(tablet: &Tablet, village: VillageId, query: &Query) -> Vec<String> {
    let listed = tablet.client.households(village, query).unwrap();
    listed.into_iter().map(|household| household.head_name).collect()
}

fn query(text: &str) -> Query {
    Query { text: text.to_owned(), ..Query::default() }
}

#[test]
fn a_visit_goes_from_the_doorstep_to_the_receipt() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = found(&mut tablet, village, "三组", &["李四方", "覃小花"]);
    let check = tablet.client.start_check(household, "screening").unwrap();
    answer(&mut tablet, check, "answer/income/wage_income", "26600");
    answer(&mut tablet, check, "answer/housing/grade", "B级");
    answer(&mut tablet, check, "dwelling_address", "三组18号");
    assert_eq!(tablet.client.check(check).unwrap().line.send_state, Some(SendState::Draft));
    let mut tablet = tablet.restarted();
    assert_eq!(tablet.client.draft(check).unwrap().answers.len(), 3);
    tablet.client.submit(check, "completed", &["group_name".to_owned()]).unwrap();
    let view = tablet.client.check(check).unwrap();
    assert_eq!((view.line.state, view.line.send_state), (CheckState::Submitted, Some(SendState::Queued)));
    let wage = view.fields.iter().find(|field| field.key == "answer/income/wage_income").unwrap();
    assert_eq!((wage.text.as_str(), wage.zh.as_str()), ("26600.00", "工资性收入"));
    assert_eq!(tablet.sync(&server).progress.receipts, 1);
    let view = tablet.client.household(household).unwrap();
    assert_eq!(view.household.address.as_deref(), Some("三组18号"));
    assert_eq!(view.household.visits[0].confirmed, ["group_name"]);
    assert_eq!(view.latest_answers.len(), 2);
    assert_eq!(view.checks[0].send_state, Some(SendState::Received));
    assert_eq!(view.send_state, None);
    let received = view.fields.iter().find(|field| field.key == "dwelling_address").unwrap();
    assert!(received.written.by.not_after_ms.is_some());
    assert_eq!(server.keys(), 1, "the new household's key reached the server");
}

#[test]
fn a_submitted_check_is_frozen_and_is_corrected_beside_the_answer() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = found(&mut tablet, village, "三组", &["李四方"]);
    let check = tablet.client.start_check(household, "routine").unwrap();
    assert!(matches!(tablet.client.submit(check, "completed", &[]), Err(Error::NoAnswers(_))));
    answer(&mut tablet, check, "answer/income/wage_income", "100");
    assert!(matches!(tablet.client.submit(check, "finished", &[]), Err(Error::Submit(_))));
    tablet.client.submit(check, "completed", &[]).unwrap();
    let input = Input::Text("200".to_owned());
    let late = tablet.client.set_answer(check, "answer/income/wage_income", &input, &Because::default());
    assert!(matches!(late, Err(Error::NotADraft(_))));
    assert!(matches!(tablet.client.submit(check, "completed", &[]), Err(Error::NotADraft(_))));
    assert!(matches!(tablet.client.withdraw_check(check, "错了"), Err(Error::NotADraft(_))));
    assert!(tablet.client.correct(check, "answer/income/wage_income", &input, " ").is_err());
    tablet.client.correct(check, "answer/income/wage_income", &input, "听错了").unwrap();
    assert!(tablet.client.draft(check).unwrap().answers.is_empty());
    assert_eq!(tablet.sync(&server).not_accepted, 0);
}

#[test]
fn a_withdrawn_check_keeps_its_answers_and_is_never_sent() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = found(&mut tablet, village, "三组", &["李四方"]);
    let check = tablet.client.start_check(household, "routine").unwrap();
    answer(&mut tablet, check, "answer/income/wage_income", "100");
    assert!(matches!(tablet.client.withdraw_check(check, " "), Err(Error::ReasonNeeded)));
    tablet.client.withdraw_check(check, "走错门").unwrap();
    tablet.sync(&server);
    assert_eq!(server.accepted(village), 1, "the household only");
    let draft = tablet.client.draft(check).unwrap();
    assert_eq!((draft.line.state, draft.answers.len()), (CheckState::Withdrawn, 1));
    assert!(tablet.client.drafts().unwrap().is_empty());
}

#[test]
fn an_answer_that_does_not_fit_is_refused_at_the_door() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = found(&mut tablet, village, "三组", &["李四方"]);
    let check = tablet.client.start_check(household, "routine").unwrap();
    for (key, text) in [
        ("answer/income/wage_income", "很多"),
        ("answer/housing/grade", "E级"),
        ("answer/nothing/here", "1"),
        ("started_by", "me"),
        ("contact_phone", "12"),
    ] {
        let input = Input::Text(text.to_owned());
        let refused = tablet.client.set_answer(check, key, &input, &Because::default());
        assert!(matches!(refused, Err(Error::Input(_))), "{key}: {refused:?}");
    }
    let input = Input::Text("decided".to_owned());
    let server_only = tablet.client.set_answer(check, "monitor_category", &input, &Because::default());
    assert!(matches!(server_only, Err(Error::NotAllowed { .. })));
    let key = format!("answer/education/school/{}", "a".repeat(16));
    let input = Input::Text("云溪小学".to_owned());
    let nobody = tablet.client.set_answer(check, &key, &input, &Because::default());
    assert!(matches!(nobody, Err(Error::UnknownMember(_))));
    let withdrawn =
        tablet.client.set_answer(check, "answer/housing/grade", &Input::Withdraw, &Because::default());
    assert!(matches!(withdrawn, Err(Error::Input(_))));
    assert!(tablet.client.draft(check).unwrap().answers.is_empty());
    assert!(matches!(tablet.client.start_check(household, "party"), Err(Error::Input(_))));
}

#[test]
fn private_values_are_sealed_masked_and_opened_on_request() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let (mut one, mut two) = (Tablet::enrolled(&server, 1), Tablet::enrolled(&server, 2));
    let household = found(&mut one, village, "三组", &["李四方"]);
    one.sync(&server);
    two.sync(&server);
    let view = two.client.household(household).unwrap();
    let head = view.household.head_member().unwrap();
    assert_eq!(head.cert_no.mask.as_deref(), Some("****0018"));
    let key = head.cert_no.key.clone();
    assert_eq!(two.client.reveal(household.into(), &key).unwrap().as_deref(), Some(CERTIFICATE));
    assert_eq!(two.client.reveal(household.into(), "contact_phone").unwrap().as_deref(), Some(PHONE));
    assert!(!view.fields.iter().any(|field| field.text.contains(CERTIFICATE)));
}

#[test]
fn no_marker_is_readable_in_any_file_nor_in_what_is_sent() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = found(&mut tablet, village, "三组", &["李四方"]);
    let check = tablet.client.start_check(household, "routine").unwrap();
    answer(&mut tablet, check, "contact_phone", "13911112222");
    answer(&mut tablet, check, "answer/visit/note", "标记标记标记");
    for files in fs::read_dir(tablet.folder.path()).unwrap() {
        let bytes = fs::read(files.unwrap().path()).unwrap();
        for marker in [CERTIFICATE, PHONE, "13911112222", "李四方", "标记标记", "household"] {
            assert!(!bytes.windows(marker.len()).any(|window| window == marker.as_bytes()), "{marker}");
        }
    }
    tablet.client.submit(check, "completed", &[]).unwrap();
    for recorded in tablet.client.recorded(household.into()).unwrap() {
        let text = format!("{:?}", recorded.change.puts);
        assert!(!text.contains(CERTIFICATE) && !text.contains(PHONE) && !text.contains("13911112222"));
    }
}

#[test]
fn households_are_found_by_name_pinyin_group_and_certificate() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    found(&mut tablet, village, "三组", &["李四方", "覃小花"]);
    found(&mut tablet, village, "一组", &["曾国平"]);
    assert_eq!(names(&tablet, village, &query("")), ["曾国平", "李四方"]);
    for text in ["四方", "lsf", "lisi", "qxh", "小花", "三组"] {
        assert_eq!(names(&tablet, village, &query(text)), ["李四方"], "{text}");
    }
    assert_eq!(names(&tablet, village, &query("zgp")), ["曾国平"]);
    assert_eq!(names(&tablet, village, &query("0018")).len(), 2);
    assert_eq!(names(&tablet, village, &query(CERTIFICATE)).len(), 2);
    assert!(names(&tablet, village, &query("%")).is_empty());
    assert!(names(&tablet, village, &query("' OR 1=1")).is_empty());
    let group = Query { group: Some("一组".to_owned()), ..Query::default() };
    assert_eq!(names(&tablet, village, &group), ["曾国平"]);
    assert_eq!(tablet.client.groups(village).unwrap(), [("一组".to_owned(), 1), ("三组".to_owned(), 1)]);
    let other = VillageId::from_bytes([9; 16]);
    assert!(matches!(tablet.client.households(other, &query("")), Err(Error::UnknownVillage(_))));
}

#[test]
fn who_was_never_checked_is_due_first() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    let checked = found(&mut tablet, village, "一组", &["曾国平"]);
    found(&mut tablet, village, "三组", &["李四方"]);
    let check = tablet.client.start_check(checked, "routine").unwrap();
    answer(&mut tablet, check, "answer/visit/note", "好");
    tablet.client.submit(check, "completed", &[]).unwrap();
    let due = Query { order: Order::Due, ..Query::default() };
    let listed = tablet.client.households(village, &due).unwrap();
    assert_eq!(listed[0].head_name, "李四方");
    assert_eq!(listed[1].last_result.as_deref(), Some("completed"));
    assert_eq!(listed[1].last_checked.as_deref(), Some("2025-06-15"));
}

/// Three people edit one field without seeing each other, and everybody syncs.
fn disputed(server: &FakeServer) -> (Vec<Tablet>, HouseholdId) {
    let village = server.villages[0];
    let mut tablets: Vec<Tablet> = (1..=3).map(|seed| Tablet::enrolled(server, seed)).collect();
    let household = found(&mut tablets[0], village, "三组", &["李四方"]);
    for tablet in &mut tablets {
        tablet.sync(server);
    }
    for (tablet, cause) in tablets.iter_mut().zip(["因病", "因残", "因学"]) {
        let edit = Edit::text("main_cause", cause);
        tablet.client.edit_household(household, &[edit]).unwrap();
    }
    for _ in 0..2 {
        for tablet in &mut tablets {
            assert!(tablet.sync(server).mismatched.is_empty());
        }
    }
    (tablets, household)
}

#[test]
fn concurrent_values_are_kept_shown_and_settled_by_a_named_person() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let (mut tablets, household) = disputed(&server);
    let open = tablets[1].client.conflicts(village).unwrap();
    assert_eq!((open.len(), open[0].key.as_str(), open[0].others.len()), (1, "main_cause", 2));
    assert!(open[0].asks);
    assert_eq!(tablets[2].client.conflicts(village).unwrap(), open, "everybody sees the same");
    let chosen = open[0].others[0].change;
    let settle = |tablet: &mut Tablet, chosen, reason| {
        tablet.client.settle(household.into(), "main_cause", chosen, reason)
    };
    assert!(matches!(settle(&mut tablets[0], chosen, " "), Err(Error::Settle(_))));
    assert!(matches!(settle(&mut tablets[0], ChangeHash([0; 32]), "看过"), Err(Error::Settle(_))));
    settle(&mut tablets[0], chosen, "看过病历").unwrap();
    assert!(matches!(settle(&mut tablets[0], chosen, "看过病历"), Err(Error::NoConflict(_))));
    for tablet in &mut tablets {
        tablet.sync(&server);
        assert!(tablet.client.conflicts(village).unwrap().is_empty());
    }
    let only = Query { conflicts_only: true, ..Query::default() };
    assert!(names(&tablets[1], village, &only).is_empty());
    let events = tablets[1].client.history(household.into(), Some("main_cause")).unwrap();
    assert_eq!(events.len(), 4);
    assert_eq!(events.iter().filter(|event| event.settles).count(), 1);
    let settled = events.iter().find(|event| event.settles).unwrap();
    assert_eq!((settled.fate, settled.reason.as_deref()), (Fate::Shown, Some("看过病历")));
    assert_eq!(settled.old.len(), 3);
    assert!(events.iter().all(|event| event.by.not_after_ms.is_some()));
}

#[test]
fn a_late_edit_opens_the_conflict_again_and_does_not_change_what_is_shown() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let (mut tablets, household) = disputed(&server);
    // The third device writes on what it saw before the settlement, many times over.
    for cause in ["缺水", "缺土地", "因灾", "缺技术"] {
        tablets[2].client.edit_household(household, &[Edit::text("main_cause", cause)]).unwrap();
    }
    let open = tablets[0].client.conflicts(village).unwrap();
    tablets[0].client.settle(household.into(), "main_cause", open[0].others[0].change, "看过病历").unwrap();
    let decided = tablets[0].client.household(household).unwrap();
    let shown = |view: &crate::HouseholdView| {
        let field = view.fields.iter().find(|field| field.key == "main_cause").unwrap();
        (field.text.clone(), field.open)
    };
    for _ in 0..2 {
        for tablet in &mut tablets {
            tablet.sync(&server);
        }
    }
    for tablet in &tablets {
        let now = tablet.client.household(household).unwrap();
        assert_eq!(shown(&now), (shown(&decided).0, true));
    }
}

#[test]
fn history_tells_what_stood_when_and_what_differs() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = found(&mut tablet, village, "三组", &["李四方"]);
    let before = tablet.client.heads(household.into()).unwrap();
    let edit = Edit {
        key: "group_name".to_owned(),
        input: Input::Text("五组".to_owned()),
        because: Because { source: None, reason: Some("搬家".to_owned()) },
    };
    tablet.client.edit_household(household, &[edit]).unwrap();
    let after = tablet.client.heads(household.into()).unwrap();
    let differences = tablet.client.difference(household.into(), &before, &after).unwrap();
    assert!(differences.iter().any(|difference| difference.key == "group_name"));
    let old = tablet.client.as_of(household.into(), &before).unwrap();
    assert_eq!(old.live("group_name")[0].value, Value::Text("三组".to_owned()));
    let events = tablet.client.history(household.into(), Some("group_name")).unwrap();
    assert_eq!(events[1].reason.as_deref(), Some("搬家"));
    assert_eq!(events[1].by.not_after_ms, None, "not received yet");
    assert!(matches!(
        tablet.client.history(HouseholdId::from_bytes([7; 16]).into(), None),
        Err(Error::UnknownDocument(_))
    ));
}

#[test]
fn a_member_joins_and_leaves_and_stays_in_the_register() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = found(&mut tablet, village, "三组", &["李四方"]);
    let id = tablet.client.add_member(household, &member("李小妹", None)).unwrap();
    assert_eq!(tablet.client.household(household).unwrap().household.population(), 2);
    let because = Because::default();
    let nobody = tablet.client.end_member(household, &"a".repeat(16), "2025-05-01", "婚出", &because);
    assert!(matches!(nobody, Err(Error::Input(_))));
    tablet.client.end_member(household, &id, "2025-05-01", "婚出", &because).unwrap();
    let view = tablet.client.household(household).unwrap().household;
    assert_eq!((view.population(), view.members.len()), (1, 2));
    assert_eq!(names(&tablet, village, &query("lxm")), ["李四方"], "still found by the one who left");
}

#[test]
fn an_issue_is_opened_and_synced() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let (mut one, mut two) = (Tablet::enrolled(&server, 1), Tablet::enrolled(&server, 2));
    let household = found(&mut one, village, "三组", &["李四方"]);
    let entry = IssueEntry {
        household,
        category: "housing".to_owned(),
        origin: "self_check".to_owned(),
        description: "后墙开裂".to_owned(),
        required_result: Some("9月底前加固".to_owned()),
        severity: Some(2),
        found_by: None,
    };
    let issue = one.client.open_issue(&entry).unwrap();
    one.sync(&server);
    assert!(two.sync(&server).mismatched.is_empty());
    let fields = two.client.document(issue.into()).unwrap();
    assert!(fields.iter().any(|field| field.text == "后墙开裂"));
    let wrong = IssueEntry { category: "nothing".to_owned(), ..entry };
    assert!(matches!(one.client.open_issue(&wrong), Err(Error::NotAllowed { .. })));
}

#[test]
fn send_states_follow_an_edit_to_its_verdict() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = found(&mut tablet, village, "三组", &["李四方"]);
    let state =
        |tablet: &Tablet| tablet.client.households(village, &Query::default()).unwrap()[0].send_state.clone();
    assert_eq!(state(&tablet), Some(SendState::Queued));
    server.faults(&[super::server::Fault::LosesTheAnswer; super::syncing::LOST_ANSWERS]);
    tablet.sync(&server);
    assert_eq!(state(&tablet), Some(SendState::Sent));
    tablet.sync(&server);
    assert_eq!(state(&tablet), None);
    tablet.client.start_check(household, "routine").unwrap();
    assert_eq!(state(&tablet), Some(SendState::Draft));
    tablet.client.edit_household(household, &[Edit::text("remarks", "甲")]).unwrap();
    server.refuse_next(Verdict::Quarantined { rule: "role_may_not_write".to_owned(), because: None });
    tablet.sync(&server);
    assert_eq!(state(&tablet), Some(SendState::Quarantined("role_may_not_write".to_owned())));
    let refused = tablet.client.refused().unwrap();
    assert_eq!(refused[0].keys, ["remarks"]);
    assert_eq!(refused[0].document.kind, DocumentKind::Household);
    let status = tablet.client.status().unwrap();
    assert_eq!((status.not_accepted, status.unsent.drafts), (1, 1));
    assert_eq!(status.device.unwrap().user_name, "张秀英");
    assert_eq!(status.last_receipts.len(), 2);
}

#[test]
fn a_restored_copy_writes_under_another_actor_and_the_fork_is_shown() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    let household = found(&mut tablet, village, "三组", &["李四方"]);
    tablet.sync(&server);
    let copy = TempDir::new().unwrap();
    for name in ["ruhu.db", "ruhu.db-wal", "ruhu.key"] {
        let _ = fs::copy(tablet.folder.path().join(name), copy.path().join(name));
    }
    let client = reopened(copy.path(), 50).unwrap();
    let mut clone = Tablet { folder: copy, client, seed: 50 };
    tablet.client.edit_household(household, &[Edit::text("remarks", "本机")]).unwrap();
    clone.client.edit_household(household, &[Edit::text("remarks", "副本")]).unwrap();
    tablet.sync(&server);
    clone.sync(&server);
    let mut other = Tablet::enrolled(&server, 3);
    let report = other.sync(&server);
    assert!(report.mismatched.is_empty());
    let forks = other.client.status().unwrap().forks;
    assert_eq!((forks.len(), forks[0].number), (1, 2));
    let view = other.client.household(household).unwrap();
    assert_eq!(view.conflicts.len(), 1, "both edits are there");
}

#[test]
fn two_thousand_households_are_listed_fast() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    let made = tablet.client.author(village, |pen| {
        for number in 0..2_000_u16 {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            let mut stored = document::load_or_make(pen.tx, village, HouseholdId::from_bytes(id).into())?;
            pen.write(&mut stored, Place::Anywhere, |builder| {
                let name = format!("李四{}", ["方", "海", "平"][usize::from(number % 3)]);
                builder.put("group_name", Value::Text(format!("{}组", number % 20)));
                ruhu_survey::household::add_member(builder, &member(&name, None), None)?;
                Ok(())
            })?;
        }
        Ok(())
    });
    made.unwrap();
    let clock = crate::SystemEnvironment::new();
    let mut last = 0;
    let mut lap = |what: &str| {
        let now = crate::Environment::monotonic_ms(&clock);
        eprintln!("{what}: {} ms", now - last);
        assert!(now - last < 1_000, "{what} took {} ms", now - last);
        last = now;
    };
    assert_eq!(names(&tablet, village, &Query::default()).len(), 2_000);
    lap("a list of 2,000 households");
    assert_eq!(names(&tablet, village, &query("lsf")).len(), 667);
    lap("a search among them");
    let household = HouseholdId::from_bytes([0; 16]);
    assert_eq!(tablet.client.household(household).unwrap().household.population(), 1);
    lap("a household");
    let check = tablet.client.start_check(household, "routine").unwrap();
    lap("a check started");
    answer(&mut tablet, check, "answer/housing/grade", "B级");
    lap("an answer saved");
    tablet.client.submit(check, "completed", &[]).unwrap();
    lap("a check submitted");
    let tablet = tablet.restarted();
    lap("the store opened, every page checked");
    assert_eq!(tablet.client.checks(household).unwrap().len(), 1);
}
