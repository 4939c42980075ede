//! An open draft survives a form update, and the update says what changed.

use super::super::*;
use super::{completed, first, household, text, with};
use crate::change::Value;

/// The first form as its next version might be.
fn next(edit: impl Fn(&mut Form)) -> LoadedForm {
    let mut form = first().form().clone();
    form.version = "1.2.0".to_owned();
    edit(&mut form);
    load("next.json", form).unwrap()
}

fn question<'a>(form: &'a mut Form, key: &str) -> &'a mut Question {
    let questions = form.sections.iter_mut().flat_map(|section| &mut section.groups);
    questions.flat_map(|group| &mut group.questions).find(|question| question.key == key).unwrap()
}

fn remove(form: &mut Form, key: &str) {
    for group in form.sections.iter_mut().flat_map(|section| &mut section.groups) {
        group.questions.retain(|question| question.key != key);
    }
}

#[test]
fn nothing_changes_between_a_form_and_itself() {
    assert_eq!(changes(first(), first()), Changes::default());
    assert_eq!(changes(first(), &next(|_| {})), Changes::default());
}

#[test]
fn what_changed_is_named() {
    let next = next(|form| {
        remove(form, "cadre_visits");
        question(form, "food_ok").label.zh = "吃得饱吗".to_owned();
        question(form, "house_grade").only = ["a", "b"].map(str::to_owned).to_vec();
        question(form, "house_grade").validations.clear();
        question(form, "other_safe_dwelling").relevant = None;
        question(form, "renovation_stage").relevant = None;
        question(form, "wants").required = Required::Fixed(true);
        question(form, "wants").short = false;
        let added = Question {
            key: "road".to_owned(),
            field: Some("answer/living/road_type".to_owned()),
            kind: QuestionType::One,
            label: Label::new("路", "Road"),
            ..Question::default()
        };
        form.sections[2].groups[0].questions.push(added);
    });
    let found = changes(first(), &next);
    assert_eq!(found.added.iter().map(|change| change.question.as_str()).collect::<Vec<_>>(), ["road"]);
    assert_eq!(
        found.removed.iter().map(|change| change.question.as_str()).collect::<Vec<_>>(),
        ["cadre_visits"]
    );
    let what: Vec<(&str, &[&str])> =
        found.changed.iter().map(|change| (change.question.as_str(), change.what.as_slice())).collect();
    assert_eq!(
        what,
        [
            ("food_ok", ["label"].as_slice()),
            ("house_grade", &["choices"]),
            ("other_safe_dwelling", &["relevant"]),
            ("renovation_stage", &["relevant"]),
            ("wants", &["required", "other"]),
        ]
    );
}

#[test]
fn an_answer_that_no_longer_fits_is_kept_and_named() {
    let next = next(|form| {
        remove(form, "cadre_visits");
        question(form, "house_grade").only = ["a", "b"].map(str::to_owned).to_vec();
        question(form, "house_grade").relevant = None;
        question(form, "other_safe_dwelling").relevant = None;
        question(form, "renovation_stage").relevant = None;
    });
    let draft = with(
        completed(household()),
        &[
            ("answer/policy/responsible_visits".to_owned(), Value::Int(3)),
            ("answer/housing/grade".to_owned(), text("d")),
            ("answer/water/quality".to_owned(), text("~unknown")),
            ("answer/shock/kind/fire".to_owned(), Value::Bool(true)),
        ],
    );
    assert_eq!(misfits(first(), &draft.answers), []);
    let misfit = |key: &str, why| Misfit { key: key.to_owned(), why };
    assert_eq!(
        misfits(&next, &draft.answers),
        [
            misfit("answer/housing/grade", "no_such_choice"),
            misfit("answer/policy/responsible_visits", "no_question")
        ]
    );
    // The draft itself is as it was, and goes on under the new version.
    let view = look(&next, &draft);
    assert_eq!(view.form, "ruhu-first/1.2.0");
    assert!(
        view.pages
            .iter()
            .flat_map(|page| &page.items)
            .any(|item| item.question == "shock_kind" && item.answered)
    );
}

#[test]
fn a_check_finds_the_form_that_it_has_pinned() {
    for form in &FORMS {
        assert_eq!(pinned(form.name).map(LoadedForm::name).as_deref(), Some(form.name));
    }
    assert_eq!(newest(FIRST).map(LoadedForm::name).as_deref(), Some(FORMS[0].name));
    assert!(pinned("ruhu-first/9.9.9").is_none());
}

#[test]
fn from_1_0_0_to_1_1_0_two_questions_can_be_answered_with_none_of_these() {
    let found = changes(pinned("ruhu-first/1.0.0").unwrap(), pinned("ruhu-first/1.1.0").unwrap());
    let what: Vec<(&str, &[&str])> =
        found.changed.iter().map(|change| (change.question.as_str(), change.what.as_slice())).collect();
    assert_eq!(what, [("welfare_post", ["choices"].as_slice()), ("exclusion_self", &["choices"])]);
    assert!(found.added.is_empty() && found.removed.is_empty());
}

#[test]
fn the_schema_is_that_of_the_program() {
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Form)).unwrap() + "\n";
    expect_test::expect_file!["../../../../../schemas/forms/form.schema.json"].assert_eq(&schema);
}

#[test]
fn a_form_is_written_as_it_was_read() {
    let text = serde_json::to_string(first().form()).unwrap();
    assert_eq!(&load_text("again.json", &text).unwrap(), first());
}
