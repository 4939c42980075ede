//! The form format (`schemas/forms/form.schema.json`): what a file of `schemas/forms/` says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::field_table::{Source, Unit};

/// A questionnaire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The schema's address, for editors.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The form's id, which a check pins together with the version.
    pub form: String,
    /// The version, `1.0.0`. Any change of a question is a new version.
    pub version: String,
    /// The title.
    pub title: Label,
    /// The sections, in the order in which they are asked.
    pub sections: Vec<Section>,
    /// What must hold between answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validations: Vec<Validation>,
    /// Lists of choices of the form's own, by name; those of `schemas/codes` need not be repeated.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, Vec<Choice>>,
}

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Simplified Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Label {
    /// A label.
    #[must_use]
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

/// A section of a form.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its name in the form.
    pub key: String,
    /// Its number on paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no: Option<String>,
    /// The title.
    pub title: Label,
    /// Asked for each member of the household.
    #[serde(default, skip_serializing_if = "is_false")]
    pub each_member: bool,
    /// When it is asked; always where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relevant: Option<String>,
    /// In the short form it is asked whole where one of these is ticked as changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// The groups; each is one screen.
    pub groups: Vec<Group>,
}

/// Questions that stand on one screen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name in the section.
    pub key: String,
    /// The title; the section's where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Label>,
    /// When it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relevant: Option<String>,
    /// The questions.
    pub questions: Vec<Question>,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Its name, by which expressions speak of it.
    pub key: String,
    /// Its number on paper; questions that make one line there share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no: Option<String>,
    /// What kind of answer it takes.
    #[serde(rename = "type")]
    pub kind: QuestionType,
    /// The question.
    pub label: Label,
    /// What helps to answer it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Label>,
    /// The field of the check or of the household that holds the answer (`schemas/document`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A field of the household's register that takes the answer over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<String>,
    /// The list of choices, where the field does not name one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// Of the list, only these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// Of a question with any choices: whether none of them is an answer, kept as a no at each. For lists that
    /// have no choice of their own for it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub none_of_these: bool,
    /// Which choices are offered: an expression over `choice.code` and the choices' own tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice_filter: Option<String>,
    /// What its number counts, where no field says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Decimals, where no unit says how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u32>,
    /// Part of the short form (★).
    #[serde(default, skip_serializing_if = "is_false")]
    pub short: bool,
    /// Whether it must be answered where it is asked: `true`, or an expression.
    #[serde(default, skip_serializing_if = "Required::is_never")]
    pub required: Required,
    /// When it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relevant: Option<String>,
    /// Asked of a member who leaves the household by this visit, too; whether and why somebody leaves must stay
    /// on the screen.
    #[serde(default, skip_serializing_if = "is_false")]
    pub of_leaving: bool,
    /// Offer the last value; accepting it says `carried_forward`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub prefill: bool,
    /// In the short form it is asked where one of these is ticked as changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// Where the answer comes from unless the surveyor says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What it comes to, for a calculated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What must hold of the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validations: Vec<Validation>,
}

/// What kind of answer a question takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum QuestionType {
    /// One choice of a list.
    One,
    /// Any choices of a list.
    Many,
    /// A whole number.
    Int,
    /// A number with decimals, kept as a whole number in a smaller unit.
    Decimal,
    /// A text.
    #[default]
    Text,
    /// A date.
    Date,
    /// A month.
    Month,
    /// Yes or no.
    Bool,
    /// A member of the household.
    Member,
    /// Photos.
    Photo,
    /// A signature.
    Signature,
    /// A position.
    Position,
    /// Worked out from other answers; shown, not asked.
    Calculated,
    /// Something to read out; takes no answer.
    Note,
}

impl QuestionType {
    /// Whether a person answers it.
    #[must_use]
    pub const fn is_asked(self) -> bool {
        !matches!(self, Self::Calculated | Self::Note)
    }
}

/// Whether an answer must be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Required {
    /// Always or never.
    Fixed(bool),
    /// Where the expression holds.
    When(String),
}

impl Default for Required {
    fn default() -> Self {
        Self::Fixed(false)
    }
}

impl Required {
    fn is_never(&self) -> bool {
        *self == Self::Fixed(false)
    }
}

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Its name, such as `V-LAB-1`.
    pub id: String,
    /// The question it is about; the one it stands at, where it stands at one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What must hold. Unknown is no finding.
    pub must: String,
    /// For a question of members: asked of the household once, not of each member.
    #[serde(default, skip_serializing_if = "is_false")]
    pub once: bool,
    /// What follows when it does not hold.
    pub severity: Severity,
    /// What the surveyor is told.
    pub message: Label,
}

/// What follows when something does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The check cannot be submitted: identity and structure only.
    Block,
    /// The check is submitted with a reason, which auditors see at `<key>/reason`.
    Confirm,
}

/// A choice of a form's own list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The value.
    pub code: String,
    /// What people read.
    pub label: Label,
    /// What choice filters look at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
