//! Whether a value fits its key.

use super::date::{is_date, is_month};
use super::{AnswerState, Field, FieldKey, Part, Source, Type, is_derived_id};
use crate::certificate_number::CertificateNumber;
use crate::change::Value;
use crate::id::HouseholdId;

/// Characters of a reason.
const REASON_MAX: usize = 200;

/// Digits of a search tag.
pub const TAG_DIGITS: usize = 16;

/// Bytes of a sealed value.
const SEALED_MAX: usize = 2_048;

/// Why a value does not fit its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A text where a number belongs, and so on.
    #[error("the value is of another type than its field")]
    WrongType,
    /// Too small, too great, too long, or not of the form.
    #[error("the value is outside what its field allows")]
    OutOfRange,
    /// Not in the code list.
    #[error("the code is not in the field's list")]
    UnknownCode,
    /// A private value in clear, or a mask that shows more than the last four characters.
    #[error("the value is private and must be sealed")]
    MustBeSealed,
}

impl FieldKey<'_> {
    /// Whether a value may stand at this key. Null (withdrawn) fits every key but an entry's, an answer
    /// state every value that is not immutable.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self, value: &Value) -> Result<(), Misfit> {
        match (self.part, value) {
            (_, Value::Null) if !self.field.is_entry() => Ok(()),
            (Part::Value, _) => self.field.check(value),
            (Part::Source, Value::Text(code)) => known(Source::from_code(code).is_some()),
            (Part::Reason, Value::Text(text)) => within(is_line(text, 1, REASON_MAX)),
            (Part::Mask, Value::Text(mask)) => sealed_if(is_mask(mask)),
            (Part::Tag, Value::Text(tag)) => sealed_if(is_tag(tag)),
            (Part::Sort, Value::Int(place)) => within((0..=999).contains(place)),
            _ => Err(Misfit::WrongType),
        }
    }
}

impl Field {
    /// Whether a value that is not null may stand at the field's own key.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self, value: &Value) -> Result<(), Misfit> {
        match value {
            Value::Text(text) if text.starts_with('~') && !self.is_entry() => {
                within(AnswerState::from_text(text).is_some() && self.merge != super::Merge::Immutable)
            }
            Value::Bytes(bytes) if self.is_sealed() => {
                within(bytes.first() == Some(&1) && (17..=SEALED_MAX).contains(&bytes.len()))
            }
            _ if self.is_sealed() => Err(Misfit::MustBeSealed),
            _ => self.check_plain(value),
        }
    }

    /// Whether an opened value, or one of a field that is not sealed, is what the field holds.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check_plain(&self, value: &Value) -> Result<(), Misfit> {
        match (&self.kind, value) {
            (Type::Bool | Type::Set { .. }, Value::Bool(_)) => Ok(()),
            (Type::Int { min, max }, Value::Int(number)) => within((*min..=*max).contains(number)),
            (Type::Code { .. }, Value::Text(code)) => {
                known(self.codes().is_some_and(|list| list.get(code).is_some()))
            }
            (kind, Value::Text(text)) => check_text(kind, text),
            _ => Err(Misfit::WrongType),
        }
    }
}

fn check_text(kind: &Type, text: &str) -> Result<(), Misfit> {
    let fits = match kind {
        Type::Text { min, max } => is_line(text, *min, *max),
        Type::Slots { .. } => is_line(text, 1, 40),
        Type::Date => is_date(text),
        Type::Month => is_month(text),
        Type::Digits { count } => text.len() == *count && all_digits(text),
        Type::Member => is_derived_id(text),
        // Ids have one form in documents, the one with hyphens and lower-case letters.
        Type::Uuid => text.parse::<HouseholdId>().is_ok_and(|id| id.to_string() == text),
        Type::Version => is_version(text),
        Type::Hash | Type::Hashes { .. } => is_hash(text),
        Type::Phone => is_phone(text),
        Type::Certificate => CertificateNumber::parse(text).is_ok(),
        Type::Point => is_point(text),
        Type::Entry => true,
        Type::Int { .. } | Type::Bool | Type::Code { .. } | Type::Set { .. } => {
            return Err(Misfit::WrongType);
        }
    };
    within(fits)
}

/// A mask shows at most the last four characters: `****0018`.
#[must_use]
pub fn is_mask(mask: &str) -> bool {
    mask.strip_prefix("****")
        .is_some_and(|tail| tail.len() <= 4 && tail.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Whether a text has the form of a search tag.
#[must_use]
pub fn is_tag(tag: &str) -> bool {
    tag.len() == TAG_DIGITS && tag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_line(text: &str, min: usize, max: usize) -> bool {
    let count = text.chars().count();
    let trimmed = text.trim() == text;
    (min..=max).contains(&count) && trimmed && !text.chars().any(|c| c.is_control() && c != '\n')
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `1.0.0`, or with the name of what has the version before it, `ruhu-first/1.0.0`.
fn is_version(text: &str) -> bool {
    let (name, version) = text.rsplit_once('/').unwrap_or(("-", text));
    let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let part = |part: &str| (1..=6).contains(&part.len()) && all_digits(part);
    text.len() <= 60 && named && version.split('.').count() == 3 && version.split('.').all(part)
}

/// A mobile number: 11 digits, the first 1, the second 3 to 9.
fn is_phone(text: &str) -> bool {
    let mut digits = text.bytes();
    let begins = digits.next() == Some(b'1') && digits.next().is_some_and(|byte| byte >= b'3');
    text.len() == 11 && all_digits(text) && begins
}

fn is_point(text: &str) -> bool {
    let parts: Vec<&str> = text.split(',').collect();
    let number = |index: usize, bound: f64| {
        let part = parts.get(index).copied().unwrap_or("0");
        let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
        plain && part.len() <= 12 && part.parse::<f64>().is_ok_and(|value| value.abs() <= bound)
    };
    (2..=3).contains(&parts.len()) && number(0, 180.0) && number(1, 90.0) && number(2, 100_000.0)
}

fn within(fits: bool) -> Result<(), Misfit> {
    if fits { Ok(()) } else { Err(Misfit::OutOfRange) }
}

fn known(fits: bool) -> Result<(), Misfit> {
    if fits { Ok(()) } else { Err(Misfit::UnknownCode) }
}

fn sealed_if(fits: bool) -> Result<(), Misfit> {
    if fits { Ok(()) } else { Err(Misfit::MustBeSealed) }
}
