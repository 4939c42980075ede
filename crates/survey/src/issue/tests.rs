//! The closing rule, case by case.

use super::*;
use crate::change::ChangeHash;
use crate::entry::{Assign, Extend, Progress, Reopen};
use crate::shown::kit::Desk;

const E1: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const E2: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn signer(number: u8, side: Side, unit: &str) -> Signer {
    Signer {
        user: UserId::from_bytes([number; 16]), unit: unit.to_owned(), title: "负责人".to_owned(), side
    }
}

fn local() -> Signer {
    signer(1, Side::Local, "岩泊渡镇")
}

fn department() -> Signer {
    signer(2, Side::Department, "住建局")
}

fn opened() -> Desk {
    let mut desk = Desk::new(1);
    let issue = NewIssue {
        device: desk.device(),
        household: HouseholdId::from_bytes([5; 16]),
        category: "housing".to_owned(),
        origin: "national_assessment".to_owned(),
        description: "D级危房未改造".to_owned(),
        required_result: Some("9月底前入住安全房".to_owned()),
        severity: Some(2),
        found_by: None,
    };
    desk.write(|builder| open(builder, &issue));
    desk
}

fn requested() -> Desk {
    let mut desk = opened();
    desk.write(|builder| drop(request_closeout(builder, E1)));
    desk
}

fn sign(desk: &mut Desk, signer: &Signer, decision: Decision, evidence: &str) -> ChangeHash {
    desk.write(|builder| drop(sign_closeout(builder, signer, decision, evidence)))
}

fn state_of(desk: &Desk) -> State {
    standing(&desk.register).state
}

fn reopen(desk: &mut Desk) {
    let reopen = Reopen { reason: "又漏雨".to_owned(), check: None };
    desk.write(|builder| drop(Entry::Reopen(reopen).put(builder)));
}

#[test]
fn an_issue_goes_from_listed_to_closed() {
    let mut desk = opened();
    assert_eq!(state_of(&desk), State::Listed);
    let assign = Assign { unit: "住建局".to_owned(), person: "测试甲".to_owned(), leader: None };
    desk.write(|builder| drop(Entry::Assign(assign).put(builder)));
    assert_eq!(state_of(&desk), State::Assigned);
    let progress = Progress { side: Side::Local, text: "已动工".to_owned(), percent: 40 };
    desk.write(|builder| drop(Entry::Progress(progress).put(builder)));
    assert_eq!(state_of(&desk), State::Fixing);
    desk.write(|builder| drop(request_closeout(builder, E1)));
    assert_eq!(state_of(&desk), State::Requested);
    sign(&mut desk, &local(), Decision::Agree, E1);
    assert_eq!(state_of(&desk), State::HalfClosed);
    sign(&mut desk, &department(), Decision::Agree, E1);
    assert_eq!(state_of(&desk), State::Closed);
}

#[test]
fn two_devices_that_sign_offline_at_once_close_it() {
    let mut one = requested();
    let mut other = Desk::new(2);
    other.take(&one);
    sign(&mut one, &local(), Decision::Agree, E1);
    sign(&mut other, &department(), Decision::Agree, E1);
    one.take(&other);
    assert_eq!(standing(&one.register), Standing { state: State::Closed, conflicting_signoff: false });
}

#[test]
fn a_return_that_nobody_had_seen_wins_over_agreement() {
    let mut one = requested();
    sign(&mut one, &local(), Decision::Agree, E1);
    let (mut other, mut third) = (Desk::new(2), Desk::new(3));
    other.take(&one);
    third.take(&one);
    sign(&mut other, &department(), Decision::Agree, E1);
    sign(&mut third, &local(), Decision::Return, E1);
    one.take(&other);
    assert_eq!(state_of(&one), State::Closed);
    one.take(&third);
    assert_eq!(standing(&one.register), Standing { state: State::Returned, conflicting_signoff: true });
}

#[test]
fn after_a_return_both_sign_again() {
    let mut desk = requested();
    sign(&mut desk, &local(), Decision::Agree, E1);
    sign(&mut desk, &department(), Decision::Return, E1);
    assert_eq!(standing(&desk.register), Standing { state: State::Returned, conflicting_signoff: false });
    desk.write(|builder| drop(request_closeout(builder, E2)));
    assert_eq!(state_of(&desk), State::Requested);
    sign(&mut desk, &department(), Decision::Agree, E2);
    assert_eq!(state_of(&desk), State::HalfClosed);
    sign(&mut desk, &local(), Decision::Agree, E2);
    assert_eq!(state_of(&desk), State::Closed);
}

#[test]
fn agreements_about_other_evidence_do_not_count() {
    let mut desk = requested();
    sign(&mut desk, &local(), Decision::Agree, E1);
    desk.write(|builder| drop(request_closeout(builder, E2)));
    sign(&mut desk, &department(), Decision::Agree, E2);
    assert_eq!(state_of(&desk), State::HalfClosed);
    sign(&mut desk, &department(), Decision::Agree, E1);
    assert_eq!(state_of(&desk), State::HalfClosed);
    sign(&mut desk, &local(), Decision::Agree, E2);
    assert_eq!(state_of(&desk), State::Closed);
}

#[test]
fn one_person_or_one_unit_cannot_close_it_alone() {
    for second in [
        signer(1, Side::Department, "住建局"),
        signer(2, Side::Department, "岩泊渡镇"),
        signer(2, Side::Department, " 岩泊渡镇 "),
        signer(2, Side::Local, "住建局"),
    ] {
        let mut desk = requested();
        sign(&mut desk, &local(), Decision::Agree, E1);
        sign(&mut desk, &second, Decision::Agree, E1);
        assert_eq!(state_of(&desk), State::HalfClosed, "{second:?}");
    }
}

#[test]
fn signatures_without_a_request_close_nothing() {
    let mut desk = opened();
    sign(&mut desk, &local(), Decision::Agree, E1);
    sign(&mut desk, &department(), Decision::Agree, E1);
    assert_eq!(state_of(&desk), State::Listed);
}

#[test]
fn a_reopening_undoes_what_had_not_seen_it() {
    let mut desk = requested();
    sign(&mut desk, &local(), Decision::Agree, E1);
    sign(&mut desk, &department(), Decision::Agree, E1);
    reopen(&mut desk);
    assert_eq!(state_of(&desk), State::Reopened);
    sign(&mut desk, &local(), Decision::Agree, E1);
    assert_eq!(state_of(&desk), State::HalfClosed);
    sign(&mut desk, &department(), Decision::Agree, E1);
    assert_eq!(state_of(&desk), State::Closed);
}

#[test]
fn a_reopening_at_the_same_time_as_the_last_signature_wins() {
    let mut one = requested();
    sign(&mut one, &local(), Decision::Agree, E1);
    let mut other = Desk::new(2);
    other.take(&one);
    sign(&mut one, &department(), Decision::Agree, E1);
    reopen(&mut other);
    other.take(&one);
    one.take(&other);
    assert_eq!(state_of(&one), State::Reopened);
    assert_eq!(standing(&one.register), standing(&other.register));
}

#[test]
fn an_extension_moves_the_due_date_and_a_closed_issue_is_never_overdue() {
    let mut desk = opened();
    assert!(!is_overdue(&desk.register, "2024-10-01"));
    desk.write(|builder| {
        builder.put("due_date", Value::Text("2024-06-30".to_owned()));
    });
    assert!(is_overdue(&desk.register, "2024-07-01"));
    assert!(!is_overdue(&desk.register, "2024-06-30"));
    let extend = Extend { due_date: "2024-09-30".to_owned(), reason: "雨季".to_owned() };
    desk.write(|builder| drop(Entry::Extend(extend).put(builder)));
    assert_eq!(due_date(&desk.register).as_deref(), Some("2024-09-30"));
    desk.write(|builder| drop(request_closeout(builder, E1)));
    sign(&mut desk, &local(), Decision::Agree, E1);
    sign(&mut desk, &department(), Decision::Agree, E1);
    assert!(!is_overdue(&desk.register, "2025-01-01"));
}
