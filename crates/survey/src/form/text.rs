//! What is always so of a question: what people read and what kind of answer it takes. A front end asks for it once
//! for each version of a form; what changes with every answer is an [`Item`](super::Item).

use std::collections::BTreeMap;

use serde::Serialize;

use super::format::{Form, Label, Question, QuestionType};
use super::load::LoadedForm;
use super::{bound_field, choices};
use crate::field_table::{Field, Source, Type, Unit};

/// A question as it is in every visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct QuestionText {
    /// Its number on paper.
    pub no: Option<String>,
    /// What kind of answer it takes.
    #[serde(rename = "type")]
    pub kind: QuestionType,
    /// The question.
    pub label: Label,
    /// What helps to answer it.
    pub hint: Option<Label>,
    /// Its choices. Of [`QuestionType::Many`] each is a key of its own, `<key>/<code>`.
    pub choices: Vec<Offered>,
    /// Whether none of the choices is an answer.
    pub none_of_these: bool,
    /// Up to how many answers; each under a key of its own, `<key>/1` and on. 0 for one.
    pub several: usize,
    /// What its number counts.
    pub unit: Option<Unit>,
    /// Decimals that people write.
    pub decimals: u32,
    /// Whether the answer is private: kept sealed.
    pub private: bool,
    /// Part of the short form (★).
    pub short: bool,
    /// Where the answer comes from unless the surveyor says otherwise.
    pub source: Source,
}

/// A choice that is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Offered {
    /// The value.
    pub code: String,
    /// What people read.
    pub label: Label,
}

impl QuestionText {
    pub(super) fn of(form: &Form, question: &Question) -> Self {
        let field = bound_field(question);
        let unit = question.unit.or_else(|| field.and_then(|field| field.unit));
        let chooses = matches!(question.kind, QuestionType::One | QuestionType::Many);
        let offered = chooses.then(|| choices(form, question)).into_iter().flatten();
        Self {
            no: question.no.clone(),
            kind: question.kind,
            label: question.label.clone(),
            hint: question.hint.clone(),
            choices: offered.map(|choice| Offered { code: choice.code, label: choice.label }).collect(),
            none_of_these: question.none_of_these,
            several: several(field),
            unit,
            decimals: unit.map_or(question.decimals.unwrap_or(0), Unit::decimals),
            private: field.is_some_and(Field::is_sealed),
            short: question.short,
            source: question.source.unwrap_or_default(),
        }
    }
}

fn several(field: Option<&Field>) -> usize {
    match field.map(|field| &field.kind) {
        Some(Type::Slots { max } | Type::Hashes { max }) => *max,
        _ => 0,
    }
}

/// What is always so of each question of a form, by its name.
#[must_use]
pub fn question_texts(form: &LoadedForm) -> BTreeMap<&str, &QuestionText> {
    form.places().iter().map(|place| (place.question.key.as_str(), &*place.text)).collect()
}
