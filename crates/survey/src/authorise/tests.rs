//! One test or more for each rule, on both sides of it.

use super::*;
use crate::check::{self, NewCheck};
use crate::entry::{Assign, Correct, Decision, Link, Progress, Reopen, Scalar, Unlink, Visit};
use crate::household::{Because, Input, set_field};
use crate::id::{CheckId, HouseholdId, IssueId, VillageId};
use crate::issue::{self, NewIssue, Signer};
use crate::register::ChangeBuilder;
use crate::shown::kit::{Desk, NOW};

const HOUSEHOLD: HouseholdId = HouseholdId::from_bytes([5; 16]);

fn document(kind: DocumentKind) -> DocumentId {
    match kind {
        DocumentKind::Household => HOUSEHOLD.into(),
        DocumentKind::Check => CheckId::from_bytes([6; 16]).into(),
        DocumentKind::Issue => IssueId::from_bytes([7; 16]).into(),
        DocumentKind::Village => VillageId::from_bytes([1; 16]).into(),
    }
}

fn author(desk: &Desk, role: Role) -> Author {
    Author { device: desk.device(), role, user: UserId::from_bytes([desk.number + 100; 16]) }
}

/// The verdict on a change that the desk would write onto what it has, with `current` at the judge.
fn judged(
    kind: DocumentKind,
    desk: &Desk,
    current: &Register,
    role: Role,
    puts: impl FnOnce(&mut ChangeBuilder<'_>),
) -> Result<(), Rule> {
    let mut builder = desk.builder();
    puts(&mut builder);
    let (change, _) = builder.finish().unwrap();
    let verdict = authorise(document(kind), &desk.register, current, &change, &author(desk, role));
    verdict.map_err(|violation| violation.rule)
}

fn household(desk: &Desk, role: Role, puts: impl FnOnce(&mut ChangeBuilder<'_>)) -> Result<(), Rule> {
    judged(DocumentKind::Household, desk, &desk.register, role, puts)
}

fn puts<'a>(puts: &'a [(&'a str, Value)]) -> impl FnOnce(&mut ChangeBuilder<'_>) + 'a {
    move |builder| {
        for (key, value) in puts {
            builder.put(*key, value.clone());
        }
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn founded() -> Desk {
    let mut desk = Desk::new(1);
    desk.put("group_name", "三组", None);
    desk
}

#[test]
fn a_rule_has_one_stable_code() {
    let codes: std::collections::BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    assert_eq!(codes.len(), Rule::ALL.len());
    assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
}

#[test]
fn an_ordinary_edit_is_allowed() {
    let edit = [("dwelling_address", text("三组18号")), ("dwelling_address/source", text("observed"))];
    assert_eq!(household(&founded(), Role::WorkTeam, puts(&edit)), Ok(()));
}

#[test]
fn a_key_outside_the_table_is_refused() {
    for key in ["nickname", "member", "event/x", "answer/income/wage_income", "group_name/mask"] {
        assert_eq!(
            household(&founded(), Role::WorkTeam, puts(&[(key, text("x"))])),
            Err(Rule::UnknownKey),
            "{key}"
        );
    }
}

#[test]
fn a_value_that_does_not_fit_is_refused_even_from_the_server() {
    for role in [Role::WorkTeam, Role::Server] {
        let refused = |key: &str, value: Value| household(&founded(), role, puts(&[(key, value)]));
        assert_eq!(refused("group_name", Value::Int(1)), Err(Rule::WrongType));
        assert_eq!(refused("group_name", text(&"组".repeat(41))), Err(Rule::OutOfRange));
        assert_eq!(refused("main_cause", text("laziness")), Err(Rule::UnknownCode));
        assert_eq!(refused("contact_phone", text("13900000001")), Err(Rule::MustBeSealed));
    }
}

#[test]
fn only_the_server_writes_what_comes_from_the_roster() {
    let edit = [("household_type", text("lifted"))];
    assert_eq!(household(&founded(), Role::FirstSecretary, puts(&edit)), Err(Rule::ServerOnly));
    assert_eq!(household(&founded(), Role::Server, puts(&edit)), Ok(()));
}

#[test]
fn a_role_writes_its_own_fields_only() {
    let level = [("monitor_level", text("red"))];
    assert_eq!(household(&founded(), Role::FirstSecretary, puts(&level)), Ok(()));
    assert_eq!(household(&founded(), Role::WorkTeam, puts(&level)), Err(Rule::RoleMayNotWrite));
    let group = [("group_name", text("四组"))];
    for role in [Role::Supervisor, Role::ThirdParty, Role::Administrator, Role::County, Role::Department] {
        assert_eq!(household(&founded(), role, puts(&group)), Err(Rule::RoleMayNotWrite), "{role:?}");
    }
}

#[test]
fn a_companion_goes_with_its_value() {
    for (key, value) in [
        ("group_name/source", text("observed")),
        ("group_name/reason", text("看过")),
        ("contact_phone/mask", text("****0001")),
        ("contact_phone/tag", text("0011223344556677")),
        ("risk_types/illness/sort", Value::Int(1)),
    ] {
        assert_eq!(
            household(&founded(), Role::WorkTeam, puts(&[(key, value)])),
            Err(Rule::CompanionAlone),
            "{key}"
        );
    }
}

#[test]
fn a_withdrawal_says_why() {
    let alone = [("group_name", Value::Null)];
    assert_eq!(household(&founded(), Role::WorkTeam, puts(&alone)), Err(Rule::ReasonMissing));
    let explained = [("group_name", Value::Null), ("group_name/reason", text("写错了户"))];
    assert_eq!(household(&founded(), Role::WorkTeam, puts(&explained)), Ok(()));
}

#[test]
fn a_new_document_must_say_what_it_is() {
    let nobody = Desk::new(1);
    let note = [("remarks", text("见"))];
    assert_eq!(household(&nobody, Role::WorkTeam, puts(&note)), Err(Rule::MissingKindFields));
    assert_eq!(household(&nobody, Role::Server, puts(&note)), Err(Rule::MissingKindFields));
    let named = |builder: &mut ChangeBuilder<'_>| {
        let id = derived_id(builder.next_op());
        builder.put(format!("member/{id}/full_name"), text("测试甲"));
    };
    assert_eq!(household(&nobody, Role::WorkTeam, named), Ok(()));
    let no_form = [("household_id", text(&HOUSEHOLD.to_string()))];
    let verdict = judged(DocumentKind::Check, &nobody, &nobody.register, Role::WorkTeam, puts(&no_form));
    assert_eq!(verdict, Err(Rule::MissingKindFields));
}

#[test]
fn a_member_is_new_under_its_derived_id_only() {
    let mut desk = founded();
    let invented = [("member/7k3qabcd7k3qabcd/full_name", text("测试甲"))];
    assert_eq!(household(&desk, Role::WorkTeam, puts(&invented)), Err(Rule::DerivedId));
    assert_eq!(household(&desk, Role::Server, puts(&invented)), Err(Rule::DerivedId));
    let mut id = String::new();
    desk.write(|builder| {
        builder.put("remarks", text("新增一人"));
        id = derived_id(builder.next_op());
        builder.put(format!("member/{id}/full_name"), text("测试甲"));
        builder.put(format!("member/{id}/sort"), Value::Int(1));
    });
    let recorded = desk.changes.last().unwrap();
    let before = &founded().register;
    let verdict =
        authorise(HOUSEHOLD.into(), before, before, &recorded.change, &author(&desk, Role::WorkTeam));
    assert_eq!(verdict, Ok(()));
    let later = [(format!("member/{id}/full_name"), text("测试乙"))];
    let later: Vec<(&str, Value)> = later.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    assert_eq!(household(&desk, Role::WorkTeam, puts(&later)), Ok(()));
    assert_eq!(household(&desk, Role::WorkTeam, puts(&[("head_member_id", text(&id))])), Ok(()));
    let nobody = [("head_member_id", text("7k3qabcd7k3qabcd"))];
    assert_eq!(household(&desk, Role::WorkTeam, puts(&nobody)), Err(Rule::UnknownMember));
}

#[test]
fn an_entry_stands_under_its_derived_id_once() {
    let mut desk = founded();
    let link = Entry::Link(Link { household: HOUSEHOLD.to_string(), reason: "同一户".to_owned() });
    assert_eq!(household(&desk, Role::WorkTeam, |b| drop(link.put(b))), Ok(()));
    let elsewhere = [("event/7k3qabcd7k3qabcd", link.to_value())];
    assert_eq!(household(&desk, Role::WorkTeam, puts(&elsewhere)), Err(Rule::DerivedId));
    let mut id = String::new();
    desk.write(|builder| id = link.put(builder));
    let key = format!("event/{id}");
    assert_eq!(household(&desk, Role::WorkTeam, puts(&[(&key, link.to_value())])), Err(Rule::EntryExists));
    assert_eq!(household(&desk, Role::Server, puts(&[(&key, Value::Null)])), Err(Rule::EntryExists));
}

fn raw_entry(value: Value) -> impl FnOnce(&mut ChangeBuilder<'_>) {
    move |builder| {
        let id = derived_id(builder.next_op());
        builder.put(format!("event/{id}"), value);
    }
}

#[test]
fn an_entry_must_be_one_and_of_its_document() {
    let desk = founded();
    let verdict = |value: Value| household(&desk, Role::WorkTeam, raw_entry(value));
    assert_eq!(verdict(text("{}")), Err(Rule::EntryInvalid));
    assert_eq!(verdict(Value::Int(1)), Err(Rule::WrongType));
    assert_eq!(verdict(Value::Null), Err(Rule::WrongType));
    assert_eq!(verdict(text(&"x".repeat(5_000))), Err(Rule::EntryTooLarge));
    let assign =
        Entry::Assign(Assign { unit: "住建局".to_owned(), person: "测试甲".to_owned(), leader: None });
    assert_eq!(verdict(assign.to_value()), Err(Rule::EntryInvalid));
    let unlink = Entry::Unlink(Unlink { link: "7k3qabcd7k3qabcd".to_owned(), reason: "不是".to_owned() });
    assert_eq!(verdict(unlink.to_value()), Err(Rule::EntryInvalid));
}

#[test]
fn a_supervisor_writes_no_entry_into_a_household() {
    let visit = Entry::Visit(Visit {
        check: CheckId::from_bytes([6; 16]).to_string(),
        head: "0".repeat(64),
        result: "completed".to_owned(),
        confirmed: vec![],
        started: "2024-06-01".to_owned(),
        ended: "2024-06-01".to_owned(),
    });
    assert_eq!(household(&founded(), Role::WorkTeam, |b| drop(visit.put(b))), Ok(()));
    assert_eq!(household(&founded(), Role::Supervisor, |b| drop(visit.put(b))), Err(Rule::RoleMayNotWrite));
}

#[test]
fn a_settlement_comes_with_its_value_and_names_all_that_it_replaces() {
    let mut desk = founded();
    let mut other = Desk::new(2);
    let chosen = other.put("group_name", "四组", None);
    desk.take(&other);
    let settle =
        |b: &mut ChangeBuilder<'_>| drop(crate::shown::settle(b, "group_name", chosen, "村里的名册"));
    assert_eq!(household(&desk, Role::FirstSecretary, settle), Ok(()));
    let entry = |field: &str| Entry::Settle(crate::shown::settlement(&desk.register, field, "村里的名册"));
    let without_value = |b: &mut ChangeBuilder<'_>| drop(entry("group_name").put(b));
    assert_eq!(household(&desk, Role::FirstSecretary, without_value), Err(Rule::SettleIncomplete));
    let partial = |b: &mut ChangeBuilder<'_>| {
        b.put("group_name", text("四组"));
        let Entry::Settle(mut settle) = entry("group_name") else { return };
        settle.settled.pop();
        Entry::Settle(settle).put(b);
    };
    assert_eq!(household(&desk, Role::FirstSecretary, partial), Err(Rule::SettleIncomplete));
    let server_field = |b: &mut ChangeBuilder<'_>| {
        b.put("household_type", text("lifted"));
        drop(entry("group_name").put(b));
    };
    assert_eq!(household(&desk, Role::FirstSecretary, server_field), Err(Rule::ServerOnly));
}

fn started(desk: &mut Desk) {
    let check = NewCheck {
        household: HOUSEHOLD,
        check_type: "routine".to_owned(),
        device: desk.device(),
        form_version: "ruhu-first/1.0.0".to_owned(),
        started_at_ms: NOW * 1_000,
    };
    desk.write(|builder| check::start(builder, &check));
}

fn check_change(desk: &Desk, role: Role, puts: impl FnOnce(&mut ChangeBuilder<'_>)) -> Result<(), Rule> {
    judged(DocumentKind::Check, desk, &desk.register, role, puts)
}

fn wage(fen: i64) -> impl FnOnce(&mut ChangeBuilder<'_>) {
    move |builder| {
        builder.put("answer/income/wage_income", Value::Int(fen));
    }
}

#[test]
fn a_check_is_written_by_the_device_that_started_it() {
    let mut desk = Desk::new(1);
    started(&mut desk);
    assert_eq!(check_change(&desk, Role::WorkTeam, wage(1)), Ok(()));
    let mut other = Desk::new(2);
    other.take(&desk);
    assert_eq!(check_change(&other, Role::WorkTeam, wage(1)), Err(Rule::NotTheStarter));
    let named = [("started_by", text(&other.device().to_string()))];
    assert_eq!(check_change(&other, Role::WorkTeam, puts(&named)), Err(Rule::NotTheStarter));
    assert_eq!(check_change(&desk, Role::WorkTeam, puts(&named)), Err(Rule::Immutable));
    assert_eq!(
        check_change(&desk, Role::WorkTeam, puts(&[("check_type", text("screening"))])),
        Err(Rule::Immutable)
    );
}

#[test]
fn a_check_cannot_be_started_in_anothers_name_nor_beside_anothers() {
    let (desk, mut other) = (Desk::new(1), Desk::new(2));
    let start = |device: DeviceId| {
        move |builder: &mut ChangeBuilder<'_>| {
            let check = NewCheck {
                household: HOUSEHOLD,
                check_type: "routine".to_owned(),
                device,
                form_version: "1.0.0".to_owned(),
                started_at_ms: 0,
            };
            check::start(builder, &check);
        }
    };
    assert_eq!(check_change(&desk, Role::WorkTeam, start(desk.device())), Ok(()));
    assert_eq!(check_change(&desk, Role::WorkTeam, start(other.device())), Err(Rule::NotTheStarter));
    started(&mut other);
    let beside = judged(DocumentKind::Check, &desk, &other.register, Role::WorkTeam, start(desk.device()));
    assert_eq!(beside, Err(Rule::NotTheStarter));
}

fn submitted_check(desk: &mut Desk) {
    started(desk);
    desk.write(|builder| {
        wage(2_660_000)(builder);
        check::submit(builder, "completed").unwrap();
    });
}

fn correction(new: Scalar) -> Entry {
    let field = "answer/income/wage_income".to_owned();
    Entry::Correct(Correct { field, old: Scalar::Int(2_660_000), new, reason: "多写一位".to_owned() })
}

#[test]
fn after_a_submission_there_are_corrections_only() {
    let mut desk = Desk::new(1);
    started(&mut desk);
    let submit = |builder: &mut ChangeBuilder<'_>| drop(check::submit(builder, "completed"));
    assert_eq!(check_change(&desk, Role::WorkTeam, submit), Ok(()));
    let early = |b: &mut ChangeBuilder<'_>| drop(correction(Scalar::Int(1)).put(b));
    assert_eq!(check_change(&desk, Role::WorkTeam, early), Err(Rule::EntryInvalid));
    let mut desk = Desk::new(1);
    submitted_check(&mut desk);
    assert_eq!(check_change(&desk, Role::WorkTeam, wage(1)), Err(Rule::Late));
    let right = |b: &mut ChangeBuilder<'_>| drop(correction(Scalar::Int(266_000)).put(b));
    assert_eq!(check_change(&desk, Role::WorkTeam, right), Ok(()));
    let wrong = |b: &mut ChangeBuilder<'_>| drop(correction(Scalar::Int(-1)).put(b));
    assert_eq!(check_change(&desk, Role::WorkTeam, wrong), Err(Rule::EntryInvalid));
    let both = |b: &mut ChangeBuilder<'_>| {
        correction(Scalar::Int(266_000)).put(b);
        wage(1)(b);
    };
    assert_eq!(check_change(&desk, Role::WorkTeam, both), Err(Rule::Late));
}

#[test]
fn another_device_may_correct_but_not_an_assessors_check() {
    let mut desk = Desk::new(1);
    submitted_check(&mut desk);
    let mut other = Desk::new(2);
    other.take(&desk);
    let right = |b: &mut ChangeBuilder<'_>| drop(correction(Scalar::Int(266_000)).put(b));
    assert_eq!(check_change(&other, Role::FirstSecretary, right), Ok(()));
    assert_eq!(check_change(&other, Role::Supervisor, right), Err(Rule::NotTheStarter));
    assert_eq!(check_change(&desk, Role::Supervisor, right), Ok(()));
}

#[test]
fn a_change_beside_the_submission_is_late() {
    let mut desk = Desk::new(1);
    started(&mut desk);
    let stale = desk.clone();
    desk.write(|builder| drop(check::submit(builder, "completed")));
    let verdict = judged(DocumentKind::Check, &stale, &desk.register, Role::WorkTeam, wage(1));
    assert_eq!(verdict, Err(Rule::Late));
}

#[test]
fn a_submission_names_the_heads_it_stands_on() {
    let mut desk = Desk::new(1);
    started(&mut desk);
    let submit = Submit { heads: vec![], result: "completed".to_owned(), answers_hash: "0".repeat(64) };
    let verdict = check_change(&desk, Role::WorkTeam, |b| drop(Entry::Submit(submit).put(b)));
    assert_eq!(verdict, Err(Rule::EntryInvalid));
}

fn opened(desk: &mut Desk) {
    let issue = new_issue(desk.device());
    desk.write(|builder| issue::open(builder, &issue));
}

fn new_issue(device: DeviceId) -> NewIssue {
    NewIssue {
        device,
        household: HOUSEHOLD,
        category: "housing".to_owned(),
        origin: "self_check".to_owned(),
        description: "漏雨".to_owned(),
        required_result: None,
        severity: None,
        found_by: None,
    }
}

fn issue_change(desk: &Desk, role: Role, puts: impl FnOnce(&mut ChangeBuilder<'_>)) -> Result<(), Rule> {
    judged(DocumentKind::Issue, desk, &desk.register, role, puts)
}

#[test]
fn a_supervisor_writes_the_fields_of_own_issues_and_entries_into_all() {
    let mut desk = Desk::new(1);
    opened(&mut desk);
    let edit = [("description", text("屋顶漏雨"))];
    assert_eq!(issue_change(&desk, Role::Supervisor, puts(&edit)), Ok(()));
    let mut other = Desk::new(2);
    other.take(&desk);
    assert_eq!(issue_change(&other, Role::Supervisor, puts(&edit)), Err(Rule::NotTheStarter));
    assert_eq!(issue_change(&other, Role::WorkTeam, puts(&edit)), Ok(()));
    let reopen = Entry::Reopen(Reopen { reason: "又漏雨".to_owned(), check: None });
    assert_eq!(issue_change(&other, Role::Supervisor, |b| drop(reopen.put(b))), Ok(()));
    let mut nobody = Desk::new(3);
    let in_anothers_name = |b: &mut ChangeBuilder<'_>| issue::open(b, &new_issue(desk.device()));
    assert_eq!(issue_change(&nobody, Role::WorkTeam, in_anothers_name), Err(Rule::NotTheStarter));
    opened(&mut nobody);
}

#[test]
fn each_side_reports_and_signs_for_itself() {
    let mut desk = Desk::new(1);
    opened(&mut desk);
    let progress = |side| Entry::Progress(Progress { side, text: "已动工".to_owned(), percent: 1 });
    for (role, side, verdict) in [
        (Role::WorkTeam, Side::Local, Ok(())),
        (Role::Department, Side::Department, Ok(())),
        (Role::WorkTeam, Side::Department, Err(Rule::RoleMayNotWrite)),
        (Role::Department, Side::Local, Err(Rule::RoleMayNotWrite)),
    ] {
        assert_eq!(issue_change(&desk, role, |b| drop(progress(side).put(b))), verdict, "{role:?}");
    }
    let sign = |user: u8, side| {
        move |builder: &mut ChangeBuilder<'_>| {
            let signer = Signer {
                user: UserId::from_bytes([user; 16]),
                unit: "住建局".to_owned(),
                title: "科长".to_owned(),
                side,
            };
            issue::sign_closeout(builder, &signer, Decision::Agree, &"1".repeat(64));
        }
    };
    assert_eq!(issue_change(&desk, Role::Department, sign(101, Side::Department)), Ok(()));
    assert_eq!(issue_change(&desk, Role::Department, sign(102, Side::Department)), Err(Rule::EntryInvalid));
    assert_eq!(issue_change(&desk, Role::WorkTeam, sign(101, Side::Local)), Err(Rule::RoleMayNotWrite));
}

#[test]
fn a_signature_cannot_claim_to_have_seen_what_it_had_not() {
    let mut desk = Desk::new(1);
    opened(&mut desk);
    let signoff = CloseoutSignoff {
        side: Side::Local,
        decision: Decision::Agree,
        evidence_set_hash: "1".repeat(64),
        signer: UserId::from_bytes([101; 16]).to_string(),
        unit: "镇".to_owned(),
        title: "镇长".to_owned(),
        seen: vec!["7k3qabcd7k3qabcd".to_owned()],
    };
    let verdict =
        issue_change(&desk, Role::Township, |b| drop(Entry::CloseoutSignoff(signoff.clone()).put(b)));
    assert_eq!(verdict, Err(Rule::EntryInvalid));
    let honest = CloseoutSignoff { seen: vec![], ..signoff };
    let verdict = issue_change(&desk, Role::Township, |b| drop(Entry::CloseoutSignoff(honest).put(b)));
    assert_eq!(verdict, Ok(()));
}

#[test]
fn every_field_is_judged_by_its_own_writers() {
    for kind in [DocumentKind::Household, DocumentKind::Check, DocumentKind::Issue, DocumentKind::Village] {
        for field in table(kind).fields().filter(|field| !field.is_entry()) {
            for role in Role::ALL {
                let server = role == Role::Server;
                let listed = field.merge != Merge::Server && field.writers.contains(&role);
                assert_eq!(field.may_write(role), server || listed, "{} {role:?}", field.path);
            }
            assert!(!field.may_write(Role::Administrator), "{}", field.path);
        }
    }
}

#[test]
fn what_the_editing_functions_write_is_allowed() {
    let desk = founded();
    let edit = |builder: &mut ChangeBuilder<'_>| {
        let because =
            Because { source: Some(crate::field_table::Source::Observed), reason: Some("现场".to_owned()) };
        let input = Input::Text("三组19号".to_owned());
        set_field(builder, DocumentKind::Household, "dwelling_address", &input, &because, None).unwrap();
    };
    assert_eq!(household(&desk, Role::WorkTeam, edit), Ok(()));
}
