//! A check from start to correction.

use super::*;
use crate::field_table::{AnswerState, InputError};
use crate::shown::kit::{Desk, NOW};

const HOUSEHOLD: HouseholdId = HouseholdId::from_bytes([5; 16]);
const CHECK: CheckId = CheckId::from_bytes([6; 16]);

fn answer(builder: &mut ChangeBuilder<'_>, key: &str, text: &str) {
    set_answer(builder, key, &Input::Text(text.to_owned()), &Because::default(), None).unwrap();
}

fn started(desk: &mut Desk) {
    let check = NewCheck {
        household: HOUSEHOLD,
        check_type: "routine".to_owned(),
        device: desk.device(),
        form_version: "ruhu-first/1.0.0".to_owned(),
        started_at_ms: NOW * 1_000,
    };
    desk.write(|builder| {
        start(builder, &check);
        answer(builder, "answer/income/wage_income", "26600");
        answer(builder, "answer/housing/grade", "B级");
    });
}

#[test]
fn a_check_reads_back_with_its_answers() {
    let mut desk = Desk::new(1);
    started(&mut desk);
    let check = Check::read(CHECK, &desk.register);
    assert_eq!((check.household, check.started_by), (Some(HOUSEHOLD), Some(desk.device())));
    assert_eq!(check.check_type.unwrap().zh, "日常走访");
    assert_eq!(check.answers["answer/income/wage_income"], Value::Int(2_660_000));
    assert_eq!(check.answers["answer/housing/grade"], Value::Text("b".to_owned()));
    assert_eq!(check.submitted, None);
}

#[test]
fn a_submission_states_its_heads_and_the_answers_of_its_own_change() {
    let mut desk = Desk::new(1);
    started(&mut desk);
    let before = desk.register.clone();
    let change = desk.write(|builder| {
        answer(builder, "answer/income/wage_income", "30000");
        submit(builder, "completed").unwrap();
    });
    let check = Check::read(CHECK, &desk.register);
    let submitted = check.submitted.unwrap();
    assert_eq!(submitted.change, change);
    let heads: Vec<String> = before.heads().iter().map(ToString::to_string).collect();
    assert_eq!(submitted.submit.heads, heads);
    assert_eq!(submitted.submit.answers_hash, answers_hash(&desk.register));
    assert_ne!(submitted.submit.answers_hash, answers_hash(&before));
    assert_eq!(check.visit_result.unwrap().zh, "完成");
    assert_eq!(submit(&mut desk.builder(), "completed"), Err(SubmitError::Already));
}

#[test]
fn a_result_must_be_one() {
    let desk = Desk::new(1);
    assert_eq!(submit(&mut desk.builder(), "done"), Err(SubmitError::Result("done".to_owned())));
}

#[test]
fn a_correction_stands_beside_what_was_submitted() {
    let mut desk = Desk::new(1);
    started(&mut desk);
    desk.write(|builder| drop(submit(builder, "completed")));
    let key = "answer/income/wage_income";
    desk.write(|builder| drop(correct(builder, key, &Value::Int(2_000_000), "多写一位")));
    let check = Check::read(CHECK, &desk.register);
    assert_eq!(check.answers[key], Value::Int(2_660_000));
    assert_eq!(check.corrected(key), Some(Value::Int(2_000_000)));
    assert_eq!(check.corrected("answer/housing/grade"), Some(Value::Text("b".to_owned())));
    assert_eq!(check.corrections[0].old, Scalar::Int(2_660_000));
    let mut builder = desk.builder();
    assert!(matches!(
        correct(&mut builder, "visit_result", &Value::Null, "x"),
        Err(InputError::UnknownKey(_))
    ));
    assert!(matches!(correct(&mut builder, key, &Value::Int(-1), "x"), Err(InputError::Misfit { .. })));
    assert!(matches!(correct(&mut builder, key, &Value::Int(1), " "), Err(InputError::NoReason(_))));
}

#[test]
fn the_household_is_told_what_was_confirmed() {
    let mut desk = Desk::new(1);
    let confirmed = vec!["group_name".to_owned(), "dwelling_address".to_owned(), "group_name".to_owned()];
    let told = Told {
        check: CHECK,
        head: ChangeHash([7; 32]),
        result: "completed".to_owned(),
        confirmed,
        started: "2024-06-01".to_owned(),
        ended: "2024-06-01".to_owned(),
    };
    desk.write(|builder| drop(tell_household(builder, &told)));
    let household = crate::household::Household::read(HOUSEHOLD, &desk.register);
    assert_eq!(household.last_visit().unwrap().confirmed, ["dwelling_address", "group_name"]);
}

#[test]
fn a_state_is_an_answer_and_a_wrong_text_names_the_field() {
    let desk = Desk::new(1);
    let mut builder = desk.builder();
    let mut set = |key: &str, input: Input| set_answer(&mut builder, key, &input, &Because::default(), None);
    set("answer/water/source", Input::State(AnswerState::Refused)).unwrap();
    let refusal = set("answer/water/source", Input::Text("天上".to_owned())).unwrap_err().to_string();
    assert!(refusal.contains("answer/water/source") && refusal.contains("净化自来水"), "{refusal}");
    assert!(matches!(set("answer/water/sauce", Input::Text("x".to_owned())), Err(InputError::UnknownKey(_))));
    assert!(matches!(
        set("answer/water/source/reason", Input::Text("x".to_owned())),
        Err(InputError::UnknownKey(_))
    ));
}
