//! What a new version of a form means for a draft that was begun under an old one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts::elements;
use super::format::{Label, Question};
use super::load::{LoadedForm, Place};
use super::names::choice_codes;
use super::{bound_field, choices};
use crate::change::{DocumentKind, Value};
use crate::field_table::{AnswerState, FieldKey, field};

/// What differs between two versions of a form, by question.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Changes {
    /// Questions that are new.
    pub added: Vec<QuestionChange>,
    /// Questions that are no longer asked.
    pub removed: Vec<QuestionChange>,
    /// Questions that are asked otherwise.
    pub changed: Vec<QuestionChange>,
}

/// A question that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct QuestionChange {
    /// Its key.
    pub question: String,
    /// Its label; of a changed one the new label.
    pub label: Label,
    /// What differs: `label`, `type`, `choices`, `required`, `relevant`, `validations`, `field`, `place`, `other`.
    pub what: Vec<&'static str>,
}

/// An answer of a draft that the form has no place for. It is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Misfit {
    /// The key of the answer.
    pub key: String,
    /// Why: `no_question` or `no_such_choice`.
    pub why: &'static str,
}

/// What differs between two versions of a form.
#[must_use]
pub fn changes(old: &LoadedForm, new: &LoadedForm) -> Changes {
    let said = |place: &Place, what: Vec<&'static str>| QuestionChange {
        question: place.question.key.clone(),
        label: place.question.label.clone(),
        what,
    };
    let mut changes = Changes::default();
    for place in new.places() {
        match old.place(&place.question.key) {
            None => changes.added.push(said(place, Vec::new())),
            Some(earlier) => {
                let what = differences((old, earlier), (new, place));
                if !what.is_empty() {
                    changes.changed.push(said(place, what));
                }
            }
        }
    }
    let gone = old.places().iter().filter(|place| new.place(&place.question.key).is_none());
    changes.removed = gone.map(|place| said(place, Vec::new())).collect();
    changes
}

fn differences(
    (old, before): (&LoadedForm, &Place),
    (new, after): (&LoadedForm, &Place),
) -> Vec<&'static str> {
    let (one, two) = (&before.question, &after.question);
    let section = |form: &LoadedForm, place: &Place| {
        let section = form.form().sections.get(place.section)?;
        Some((section.key.clone(), section.groups.get(place.group)?.key.clone()))
    };
    let differs = [
        ("label", one.label != two.label || one.hint != two.hint),
        ("type", one.kind != two.kind || before.each_member != after.each_member),
        (
            "choices",
            choices(old.form(), one) != choices(new.form(), two)
                || one.choice_filter != two.choice_filter
                || one.none_of_these != two.none_of_these,
        ),
        ("required", one.required != two.required),
        ("relevant", before.relevant != after.relevant),
        ("validations", one.validations != two.validations),
        ("field", one.field != two.field || one.register != two.register),
        ("place", section(old, before) != section(new, after)),
        ("other", rest(one) != rest(two) || before.changed != after.changed),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| what).collect()
}

/// A question without what is named by itself.
fn rest(question: &Question) -> Question {
    Question {
        label: Label::default(),
        hint: None,
        kind: super::QuestionType::Text,
        list: None,
        only: Vec::new(),
        choice_filter: None,
        none_of_these: false,
        required: super::Required::default(),
        relevant: None,
        validations: Vec::new(),
        field: None,
        register: None,
        changed: Vec::new(),
        ..question.clone()
    }
}

/// The answers of a draft that a form has no place for, by key. None of them is given up.
#[must_use]
pub fn misfits(form: &LoadedForm, answers: &BTreeMap<String, Value>) -> Vec<Misfit> {
    let places: BTreeMap<&str, &Place> = form
        .places()
        .iter()
        .flat_map(|place| {
            let paths = [&place.question.field, &place.question.register].into_iter().flatten();
            paths.map(move |path| (path.as_str(), place))
        })
        .collect();
    let mut found = Vec::new();
    for (key, value) in answers {
        let taken = field(DocumentKind::Check, key).or_else(|| field(DocumentKind::Household, key));
        let Some(place) =
            taken.and_then(|taken| places.get(taken.field.path.as_str()).map(|place| (taken, place)))
        else {
            found.push(Misfit { key: key.clone(), why: "no_question" });
            continue;
        };
        if !is_offered(form, place.1, &place.0, value) {
            found.push(Misfit { key: key.clone(), why: "no_such_choice" });
        }
    }
    found
}

/// Whether a value is among the choices, where there are any.
fn is_offered(form: &LoadedForm, place: &Place, taken: &FieldKey<'_>, value: &Value) -> bool {
    let question = &place.question;
    let codes = choice_codes(form.form(), question);
    let is_set = bound_field(question).is_some_and(|field| !elements(field, "").is_empty());
    match (taken.element, value) {
        (Some(element), _) if is_set && question.kind == super::QuestionType::Many => {
            codes.iter().any(|code| code == element)
        }
        (None, Value::Text(text)) if question.kind == super::QuestionType::One => {
            AnswerState::of(value).is_some() || codes.contains(text)
        }
        _ => true,
    }
}
