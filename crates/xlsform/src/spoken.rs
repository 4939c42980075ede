//! What translators need to know of the questions of a form.

use std::collections::BTreeMap;

use ruhu_survey::field_table::Unit;
use ruhu_survey::form::{Form, Question, QuestionType, bound_field};

/// A question as expressions meet it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// The key in our form.
    pub(crate) key: String,
    /// The kind of its answers.
    pub(crate) kind: QuestionType,
    /// Decimals of its numbers.
    pub(crate) decimals: u32,
    /// Whether it is asked of each member.
    pub(crate) each_member: bool,
}

/// Questions by the name that expressions use.
pub(crate) type Names = BTreeMap<String, Spoken>;

/// A name in small letters, digits and underscores, as keys are; any other character becomes an underscore.
pub(crate) fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

/// Decimals of a question's numbers.
pub(crate) fn decimals(question: &Question) -> u32 {
    let unit = question.unit.or_else(|| bound_field(question).and_then(|field| field.unit));
    unit.map_or(question.decimals.unwrap_or(0), Unit::decimals)
}

/// The questions of a form by key.
pub(crate) fn names(form: &Form) -> Names {
    let questions = form.sections.iter().flat_map(|section| {
        let each_member = section.each_member;
        section.groups.iter().flat_map(|group| &group.questions).map(move |question| (question, each_member))
    });
    questions
        .map(|(question, each_member)| {
            let spoken = Spoken {
                key: question.key.clone(),
                kind: question.kind,
                decimals: decimals(question),
                each_member,
            };
            (question.key.clone(), spoken)
        })
        .collect()
}
