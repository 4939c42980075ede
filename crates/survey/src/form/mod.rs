//! Questionnaires as data: `schemas/forms/*.json`, read and found sound, and what to ask next.
//!
//! A [`Form`] is what a file says. [`LoadedForm`] is one that holds together: every expression parses, every
//! name, code and field exists, and skip logic has no circle. [`look`] works out, from [`Facts`], what is asked
//! now ([`View`]): a pure function, so a page is drawn anew after every answer. [`changes`] says what a new
//! version of a form means for a draft that was begun under an old one.

mod change;
mod facts;
mod format;
mod gather;
mod load;
mod names;
mod problem;
mod sight;
mod text;
mod view;

use std::sync::OnceLock;

pub use change::{Changes, Misfit, QuestionChange, changes, misfits};
pub use facts::{Facts, clear_values};
pub use format::{
    Choice, Form, Group, Label, Question, QuestionType, Required, Section, Severity, Validation,
};
pub use gather::{Source, submitted_facts, told_in, visit_before};
pub use load::{LoadedForm, Place, QUESTIONS_MAX, is_version, load, load_text};
pub use names::{FORMULAS, is_reserved};
pub use problem::{Fault, InvalidForm, Reason};
pub use sight::Sight;
pub use text::{Offered, QuestionText, question_texts};
pub use view::{Finding, Item, Last, Page, Progress, View, look};

use crate::change::DocumentKind;
use crate::code_list::code_list;
use crate::field_table::{Field, field_by_path};

/// A form that comes with the program. Each is read when it is asked for: an earlier version seldom is.
struct Shipped {
    /// Id and version.
    name: &'static str,
    file: &'static str,
    text: &'static str,
    loaded: OnceLock<Option<LoadedForm>>,
}

impl Shipped {
    const fn new(name: &'static str, file: &'static str, text: &'static str) -> Self {
        Self { name, file, text, loaded: OnceLock::new() }
    }

    fn loaded(&self) -> Option<&LoadedForm> {
        self.loaded.get_or_init(|| load_text(self.file, self.text).ok()).as_ref()
    }
}

/// The newest version of each form first. A version that checks were submitted under stays for ever.
static FORMS: [Shipped; 2] = [
    Shipped::new(
        "ruhu-first/1.1.0",
        "schemas/forms/ruhu-first.json",
        include_str!("../../../../schemas/forms/ruhu-first.json"),
    ),
    Shipped::new(
        "ruhu-first/1.0.0",
        "schemas/forms/ruhu-first-1.0.0.json",
        include_str!("../../../../schemas/forms/ruhu-first-1.0.0.json"),
    ),
];

/// The first form: the household check (入户排查表).
pub const FIRST: &str = "ruhu-first";

/// The form that new checks are filled in by, or nothing when there is none of this id.
#[must_use]
pub fn newest(id: &str) -> Option<&'static LoadedForm> {
    let of_id = |form: &&Shipped| form.name.split_once('/').is_some_and(|(found, _)| found == id);
    FORMS.iter().find(of_id)?.loaded()
}

/// The form that a check has pinned, `ruhu-first/1.0.0`.
#[must_use]
pub fn pinned(name: &str) -> Option<&'static LoadedForm> {
    FORMS.iter().find(|form| form.name == name)?.loaded()
}

/// The field that holds a question's answer, of the check or of the household.
#[must_use]
pub fn bound_field(question: &Question) -> Option<&'static Field> {
    field_of(question.field.as_deref()?)
}

fn field_of(path: &str) -> Option<&'static Field> {
    field_by_path(DocumentKind::Check, path).or_else(|| field_by_path(DocumentKind::Household, path))
}

/// Whether a field is kept in the household's register rather than in the check.
fn is_of_register(path: &str) -> bool {
    field_by_path(DocumentKind::Check, path).is_none()
}

/// The day, `YYYY-MM-DD`, of a moment in milliseconds since 1970, in China, which has one time zone.
#[must_use]
pub fn day_in_china(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    jiff::tz::Offset::constant(8).to_datetime(moment).date().to_string()
}

/// The key that holds a field of a member or of the household: `answer/education/state/<member>`, or
/// `member/<member>/phone` in the register.
#[must_use]
pub fn key_of(path: &str, member: Option<&str>) -> String {
    // Joined rather than formatted: a screen asks for thousands of keys.
    match (path.strip_prefix("member/"), member) {
        (Some(rest), Some(member)) => ["member", member, rest].join("/"),
        (None, Some(member)) => [path, member].join("/"),
        _ => path.to_owned(),
    }
}

/// The choices that a question offers, before any filter.
#[must_use]
pub fn choices(form: &Form, question: &Question) -> Vec<Choice> {
    let own = question.list.as_ref().and_then(|name| form.lists.get(name));
    let all = match own {
        Some(own) => own.clone(),
        None => {
            let list = question.list.as_deref().and_then(code_list);
            let list = list.or_else(|| bound_field(question).and_then(Field::codes));
            let plain = |code: &crate::code_list::Code| Choice {
                code: code.code.clone(),
                label: Label::new(&code.zh, &code.en),
                tags: std::collections::BTreeMap::new(),
            };
            list.into_iter().flat_map(|list| &list.codes).map(plain).collect()
        }
    };
    let offered = |choice: &Choice| question.only.is_empty() || question.only.contains(&choice.code);
    all.into_iter().filter(offered).collect()
}

#[cfg(test)]
mod tests;
