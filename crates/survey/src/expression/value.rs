//! What an expression comes to: three-valued, and with a place for what does not apply.

use std::cmp::Ordering;

use serde::{Serialize, Serializer};

use crate::change::Value;
use crate::field_table::AnswerState;

/// A value of an expression.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "ts", ts(type = "boolean | number | string | null | Val[]"))]
pub enum Val {
    /// Not known: not asked, not answered, or the household does not say.
    Unknown,
    /// The question does not arise (不适用).
    NotApplicable,
    /// Yes or no.
    Bool(bool),
    /// A whole number in the unit of its field.
    Int(i64),
    /// A text, a code, a date `YYYY-MM-DD` or a month `YYYY-MM`.
    Text(String),
    /// Several values, such as the chosen elements of a set.
    List(Vec<Val>),
    /// A member of the household, by id.
    Member(String),
}

impl Val {
    /// The value of what stands in a document. What is sealed is not known here.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        match (AnswerState::of(value), value) {
            (Some(AnswerState::NotApplicable), _) => Self::NotApplicable,
            (Some(_), _) | (None, Value::Null | Value::Bytes(_)) => Self::Unknown,
            (None, Value::Bool(yes)) => Self::Bool(*yes),
            (None, Value::Int(number)) => Self::Int(*number),
            (None, Value::Text(text)) => Self::Text(text.clone()),
        }
    }

    /// The text, code or date.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A text, or unknown.
    #[must_use]
    pub fn text_or_unknown(text: Option<&str>) -> Self {
        text.map_or(Self::Unknown, Self::text)
    }

    /// Whether it is known: a value, or that the question does not arise.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// The number.
    #[must_use]
    pub const fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// What it says as a condition. What does not apply does not hold; anything but yes and no is unknown.
    #[must_use]
    pub const fn truth(&self) -> Truth {
        match self {
            Self::Bool(true) => Truth::True,
            Self::Bool(false) | Self::NotApplicable => Truth::False,
            _ => Truth::Unknown,
        }
    }

    /// Whether two values are equal. Nothing equals what does not apply.
    #[must_use]
    pub fn equals(&self, other: &Self) -> Truth {
        match (self, other) {
            (Self::NotApplicable, _) | (_, Self::NotApplicable) => Truth::False,
            (Self::Unknown, _) | (_, Self::Unknown) => Truth::Unknown,
            (Self::List(left), Self::List(right)) if left.len() == right.len() => {
                left.iter().zip(right).map(|(left, right)| left.equals(right)).fold(Truth::True, Truth::and)
            }
            _ => Truth::from(self == other),
        }
    }

    /// The order of two numbers or two texts; `Err` says whether the question is open or has no answer.
    pub(crate) fn order(&self, other: &Self) -> Result<Ordering, Truth> {
        match (self, other) {
            (Self::NotApplicable, _) | (_, Self::NotApplicable) => Err(Truth::False),
            (Self::Int(left), Self::Int(right)) => Ok(left.cmp(right)),
            (Self::Text(left), Self::Text(right)) => Ok(left.cmp(right)),
            _ => Err(Truth::Unknown),
        }
    }

    /// Whether a list holds this value.
    #[must_use]
    pub fn is_in(&self, list: &Self) -> Truth {
        match list {
            Self::List(items) => items.iter().map(|item| self.equals(item)).fold(Truth::False, Truth::or),
            Self::NotApplicable => Truth::False,
            _ => Truth::Unknown,
        }
    }

    /// The number it stands for in a sum: an amount that does not arise is nothing.
    pub(crate) const fn amount(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::NotApplicable => Some(0),
            _ => None,
        }
    }
}

impl From<Truth> for Val {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::True => Self::Bool(true),
            Truth::False => Self::Bool(false),
            Truth::Unknown => Self::Unknown,
        }
    }
}

/// As JSON: null for unknown, the text of the answer state for what does not apply.
impl Serialize for Val {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unknown => serializer.serialize_none(),
            Self::NotApplicable => serializer.serialize_str(AnswerState::NotApplicable.text()),
            Self::Bool(yes) => serializer.serialize_bool(*yes),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Text(text) | Self::Member(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
        }
    }
}

/// True, false, or not known (Kleene's strong logic).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// It does not hold.
    False,
    /// Nobody can tell yet.
    Unknown,
    /// It holds.
    True,
}

impl Truth {
    /// Both: false as soon as one is false.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// Either: true as soon as one is true.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.max(other)
    }

    /// The opposite.
    #[must_use]
    pub const fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(yes: bool) -> Self {
        if yes { Self::True } else { Self::False }
    }
}
