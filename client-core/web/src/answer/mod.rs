//! What the core answers: plain data for a page. Times are milliseconds since 1970 by the clock that is
//! named beside them; private values are masked.

mod form;
mod household;
mod state;

pub use form::{FormPage, InputLine, LeadLine};
pub use household::{
    Attribution, CheckLine, CheckPage, Conflict, DraftLine, Event, Field, HouseholdPage, MemberLine,
};
pub use state::{Enrolment, PhoneLock, RefusedLine, Standing, SyncResult};

use ruhu_survey::change::Value;
use ruhu_survey::field_table::{AnswerState, Field as TableField, format_value};
use ruhu_survey::form::Label;
use serde::{Deserialize, Serialize};

pub(crate) use form::{form_page, leads, not_applicable};
pub(crate) use household::{event, page};
pub(crate) use state::link_failure;

/// A text that reads alike in both languages.
fn same(text: &str) -> Label {
    Label::new(text, text)
}

/// A stored value. Numbers of the field tables are far below 2⁵³, so JavaScript holds them exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(untagged)]
pub enum Scalar {
    /// Yes or no.
    Bool(bool),
    /// A number in the field's unit.
    Int(i64),
    /// A text or a code.
    Text(String),
    /// Withdrawn, or sealed: see the text beside it.
    Null(()),
}

impl Scalar {
    /// A value as a page sees it; a sealed one is none.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(number) => Self::Int(*number),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Null | Value::Bytes(_) => Self::Null(()),
        }
    }

    /// The value that a page gives; none from nothing.
    pub(crate) fn value(&self) -> Option<Value> {
        match self {
            Self::Bool(flag) => Some(Value::Bool(*flag)),
            Self::Int(number) => Some(Value::Int(*number)),
            Self::Text(text) => Some(Value::Text(text.clone())),
            Self::Null(()) => None,
        }
    }
}

/// A value as people read it in both languages.
pub(crate) fn text_of(field: Option<&TableField>, value: &Value) -> Label {
    let Some(field) = field else { return same("…") };
    let zh = format_value(field, value);
    let en = match value {
        Value::Null => "(withdrawn)".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Text(text) => match AnswerState::from_text(text) {
            Some(AnswerState::Refused) => "would not say".to_owned(),
            Some(AnswerState::Unknown) => "not known".to_owned(),
            Some(AnswerState::NotApplicable) => "does not apply".to_owned(),
            None => {
                let code = field.codes().and_then(|list| list.get(text));
                code.map_or_else(|| text.clone(), |code| code.en.clone())
            }
        },
        Value::Int(_) | Value::Bytes(_) => zh.clone(),
    };
    Label { zh, en }
}
