//! The questions of a check, read from the field table: a section for each group of answers.

use ruhu_survey::change::DocumentKind;
use ruhu_survey::code_list::{CodeList, code_list};
use ruhu_survey::field_table::{Field, Type, Unit, table};
use serde::Serialize;

use crate::answer::Text;

/// All that a check asks and can say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Form {
    /// The questions, by section.
    pub sections: Vec<Section>,
    /// How a visit can end.
    pub results: Vec<Choice>,
    /// Why a visit is made.
    pub check_types: Vec<Choice>,
}

/// A section of questions, such as `income`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Section {
    /// The part of the key after `answer/`.
    pub name: String,
    /// Whether its questions are asked of each member.
    pub per_member: bool,
    /// Its questions, in the order of the field table.
    pub questions: Vec<Question>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Question {
    /// The key without the member's id.
    pub path: String,
    /// What is asked.
    pub label: Text,
    /// What is answered.
    pub kind: Kind,
    /// What its numbers count.
    pub unit: Option<Text>,
    /// How many decimals people write.
    pub decimals: u32,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Kind {
    /// A text of so many characters at most.
    Text {
        /// How many.
        max: usize,
    },
    /// A number, stored in the unit's smallest part.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// Yes or no.
    Bool,
    /// One of these.
    One {
        /// These.
        choices: Vec<Choice>,
    },
    /// Any of these, each a key of its own.
    Many {
        /// These.
        choices: Vec<Choice>,
    },
    /// `YYYY-MM-DD`.
    Date,
    /// `YYYY-MM`.
    Month,
}

/// A code with its labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Choice {
    /// The code.
    pub code: String,
    /// Its label.
    pub label: Text,
}

/// The form that checks are filled in by.
#[must_use]
pub fn form() -> Form {
    let codes = |name| code_list(name).map(choices).unwrap_or_default();
    Form { sections: sections(), results: codes("visit_result"), check_types: codes("check_type") }
}

/// Every question that an app can ask, by section; those of each member have sections of their own.
fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for field in table(DocumentKind::Check).fields() {
        let Some(name) = field.path.strip_prefix("answer/").and_then(|path| path.split('/').next()) else {
            continue;
        };
        let Some(question) = question(field) else { continue };
        let same = |section: &&mut Section| section.name == name && section.per_member == field.per_member;
        match sections.iter_mut().find(same) {
            Some(section) => section.questions.push(question),
            None => sections.push(Section {
                name: name.to_owned(),
                per_member: field.per_member,
                questions: vec![question],
            }),
        }
    }
    sections
}

fn question(field: &Field) -> Option<Question> {
    let kind = match &field.kind {
        Type::Text { max, .. } => Kind::Text { max: *max },
        Type::Int { min, max } => Kind::Int { min: *min, max: *max },
        Type::Bool => Kind::Bool,
        Type::Code { .. } => Kind::One { choices: choices(field.codes()?) },
        Type::Set { .. } => Kind::Many { choices: choices(field.codes()?) },
        Type::Date => Kind::Date,
        Type::Month => Kind::Month,
        // Nothing of these is typed at a door: they come from photos, members and positions.
        Type::Slots { .. }
        | Type::Hashes { .. }
        | Type::Digits { .. }
        | Type::Member
        | Type::Uuid
        | Type::Version
        | Type::Hash
        | Type::Phone
        | Type::Certificate
        | Type::Point
        | Type::Entry => return None,
    };
    Some(Question {
        path: field.path.clone(),
        label: Text { zh: field.zh.clone(), en: field.en.clone() },
        kind,
        unit: field.unit.and_then(unit),
        decimals: field.unit.map_or(0, Unit::decimals),
    })
}

fn choices(list: &CodeList) -> Vec<Choice> {
    let choice = |code: &ruhu_survey::code_list::Code| Choice {
        code: code.code.clone(),
        label: Text { zh: code.zh.clone(), en: code.en.clone() },
    };
    list.codes.iter().map(choice).collect()
}

/// The unit as people say it; a year is not said.
fn unit(unit: Unit) -> Option<Text> {
    let (zh, en) = match unit {
        Unit::Fen => ("元", "yuan"),
        Unit::FenPerYear => ("元/年", "yuan a year"),
        Unit::HundredthMu => ("亩", "mu"),
        Unit::HundredthSquareMetre => ("平方米", "m²"),
        Unit::TenthKilometre => ("公里", "km"),
        Unit::Metres => ("米", "m"),
        Unit::Litres => ("升", "litres"),
        Unit::Milliseconds => ("毫秒", "ms"),
        Unit::Seconds => ("秒", "s"),
        Unit::Minutes => ("分钟", "minutes"),
        Unit::Days => ("天", "days"),
        Unit::Months => ("个月", "months"),
        Unit::Year => return None,
        Unit::People => ("人", "people"),
        Unit::Times => ("次", "times"),
    };
    Some(Text { zh: zh.to_owned(), en: en.to_owned() })
}
