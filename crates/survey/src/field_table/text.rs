//! What people type and read: yuan for fen, mu for hundredths, 是 for true, labels for codes.

use super::{AnswerState, Field, Misfit, Type};
use crate::change::Value;

/// What a person typed does not fit the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// No such key in documents of this kind.
    #[error("there is no field {0}")]
    UnknownKey(String),
    /// Not a number of the field's form.
    #[error("{key}: {text:?} is not a number with at most {decimals} decimals")]
    Number {
        /// The field's path.
        key: String,
        /// What was typed.
        text: String,
        /// How many decimals the field has.
        decimals: u32,
    },
    /// Neither yes nor no.
    #[error("{key}: {text:?} is neither yes nor no")]
    YesOrNo {
        /// The field's path.
        key: String,
        /// What was typed.
        text: String,
    },
    /// Not in the code list.
    #[error("{key}: {text:?} is not one of {choices}")]
    Code {
        /// The field's path.
        key: String,
        /// What was typed.
        text: String,
        /// The labels, Chinese and English.
        choices: String,
    },
    /// Outside what the field allows.
    #[error("{key}: {misfit}")]
    Misfit {
        /// The field's path.
        key: String,
        /// What does not fit.
        misfit: Misfit,
    },
    /// A value is withdrawn without saying why.
    #[error("{0}: a value is withdrawn only with a reason")]
    NoReason(String),
    /// A private field needs the household's key.
    #[error("{0}: the value is private, and the household's key is not here")]
    NoKey(String),
    /// The key names a member whom the household does not have.
    #[error("{0}: there is no such member")]
    UnknownMember(String),
}

/// The stored value of what a person typed, in the units that people use: `266.00` yuan becomes 26600
/// fen, 是 becomes true, a label becomes its code. For a sealed field, the value to be sealed.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_text(field: &Field, text: &str) -> Result<Value, InputError> {
    let text = text.trim();
    if let Some(state) = parse_state(text) {
        return checked(field, Value::Text(state.text().to_owned()));
    }
    let value = match &field.kind {
        Type::Bool | Type::Set { .. } => Value::Bool(parse_bool(field, text)?),
        Type::Int { .. } => Value::Int(parse_number(field, text)?),
        Type::Code { .. } => Value::Text(parse_code(field, text)?),
        Type::Certificate => Value::Text(normal(text).to_ascii_uppercase()),
        Type::Phone | Type::Digits { .. } => Value::Text(normal(text)),
        _ => Value::Text(text.to_owned()),
    };
    checked(field, value)
}

fn checked(field: &Field, value: Value) -> Result<Value, InputError> {
    let fits =
        if AnswerState::of(&value).is_some() { field.check(&value) } else { field.check_plain(&value) };
    fits.map_err(|misfit| InputError::Misfit { key: field.path.clone(), misfit })?;
    Ok(value)
}

fn parse_state(text: &str) -> Option<AnswerState> {
    AnswerState::ALL.into_iter().find(|state| state.text() == text || state.zh() == text)
}

fn normal(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect()
}

fn parse_bool(field: &Field, text: &str) -> Result<bool, InputError> {
    match text.to_ascii_lowercase().as_str() {
        "是" | "有" | "能" | "对" | "yes" | "y" | "true" | "1" => Ok(true),
        "否" | "无" | "没有" | "不能" | "no" | "n" | "false" | "0" => Ok(false),
        _ => Err(InputError::YesOrNo { key: field.path.clone(), text: text.to_owned() }),
    }
}

fn parse_code(field: &Field, text: &str) -> Result<String, InputError> {
    let list = field.codes();
    if let Some(code) = list.and_then(|list| list.find(text)) {
        return Ok(code.code.clone());
    }
    let labels = list.map(|list| list.codes.iter().map(|code| format!("{} {}", code.zh, code.code)));
    let choices = labels.map(|labels| labels.collect::<Vec<_>>().join(", ")).unwrap_or_default();
    Err(InputError::Code { key: field.path.clone(), text: text.to_owned(), choices })
}

fn parse_number(field: &Field, text: &str) -> Result<i64, InputError> {
    let decimals = field.unit.map_or(0, super::Unit::decimals);
    let plain: String = text.chars().filter(|c| *c != ',' && *c != '，' && *c != '_').collect();
    scaled(&plain, decimals).ok_or_else(|| InputError::Number {
        key: field.path.clone(),
        text: text.to_owned(),
        decimals,
    })
}

/// A decimal number times 10^decimals, exactly.
fn scaled(text: &str, decimals: u32) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let places = usize::try_from(decimals).ok()?;
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let dangling = digits.contains('.') && fraction.is_empty();
    if whole.is_empty()
        || dangling
        || !digits_only(whole)
        || !digits_only(fraction)
        || fraction.len() > places
    {
        return None;
    }
    let number: i64 = format!("{whole}{fraction:0<places$}").parse().ok()?;
    Some(if negative { -number } else { number })
}

/// The text that people read, in Chinese: `266.00` for 26600 fen, 是 for true, the label of a code. A
/// sealed value reads `****`.
#[must_use]
pub fn format_value(field: &Field, value: &Value) -> String {
    match value {
        Value::Null => "（已撤回）".to_owned(),
        Value::Bool(true) => "是".to_owned(),
        Value::Bool(false) => "否".to_owned(),
        Value::Int(number) => format_number(*number, field.unit.map_or(0, super::Unit::decimals)),
        Value::Bytes(_) => "****".to_owned(),
        Value::Text(text) => match AnswerState::from_text(text) {
            Some(state) => state.zh().to_owned(),
            None => {
                let code = field.codes().and_then(|list| list.get(text));
                code.map_or_else(|| text.clone(), |code| code.zh.clone())
            }
        },
    }
}

/// A number in the unit that people use, exactly: `266.05` for 26605 with two decimals.
#[must_use]
pub fn format_number(number: i64, decimals: u32) -> String {
    let Some(scale) = 10_u64.checked_pow(decimals).filter(|scale| *scale > 1) else {
        return number.to_string();
    };
    let sign = if number < 0 { "-" } else { "" };
    let (whole, fraction) = (number.unsigned_abs() / scale, number.unsigned_abs() % scale);
    let places = usize::try_from(decimals).unwrap_or(0);
    format!("{sign}{whole}.{fraction:0places$}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::change::DocumentKind;
    use crate::field_table::field_by_path;

    fn field(path: &str) -> &'static Field {
        let kind = if path.starts_with("answer/") { DocumentKind::Check } else { DocumentKind::Household };
        field_by_path(kind, path).unwrap()
    }

    #[test]
    fn yuan_become_fen_exactly() {
        let wage = field("answer/income/wage_income");
        for (text, fen) in [("266.00", 26_600), ("266", 26_600), ("0.5", 50), ("26,600", 2_660_000)] {
            assert_eq!(parse_text(wage, text), Ok(Value::Int(fen)), "{text}");
        }
        assert_eq!(format_value(wage, &Value::Int(26_605)), "266.05");
        for text in ["", "一万", "1.234", "1.", ".5", "1e3", "99999999999999999999", "-1"] {
            assert!(parse_text(wage, text).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_become_codes_and_an_unknown_label_names_the_choices() {
        let grade = field("answer/housing/grade");
        assert_eq!(parse_text(grade, "C级"), Ok(Value::Text("c".to_owned())));
        assert_eq!(format_value(grade, &Value::Text("c".to_owned())), "C级");
        assert!(parse_text(grade, "E级").unwrap_err().to_string().contains("D级 d"));
    }

    #[test]
    fn refused_unknown_and_not_applicable_are_three_answers() {
        let wage = field("answer/income/wage_income");
        assert_eq!(parse_text(wage, "拒答"), Ok(Value::Text("~refused".to_owned())));
        assert_eq!(parse_text(wage, "~unknown"), Ok(Value::Text("~unknown".to_owned())));
        assert_eq!(format_value(wage, &Value::Text("~not_applicable".to_owned())), "不适用");
    }

    #[test]
    fn yes_and_no_are_understood_in_both_languages() {
        let chronic = field("member/health_status");
        assert_eq!(parse_text(chronic, "是"), Ok(Value::Bool(true)));
        assert_eq!(parse_text(chronic, "No"), Ok(Value::Bool(false)));
        assert!(parse_text(chronic, "也许").is_err());
    }

    #[test]
    fn a_certificate_number_is_written_in_one_form() {
        let number = field("member/cert_no");
        let stored = parse_text(number, "439921 19760315 0018");
        assert_eq!(stored, Ok(Value::Text("439921197603150018".to_owned())));
        assert!(parse_text(number, "439921197603150019").is_err());
    }

    proptest! {
        #[test]
        fn a_formatted_number_reads_back(fen in 0_i64..1_000_000_000_000) {
            let wage = field("answer/income/wage_income");
            prop_assert_eq!(parse_text(wage, &format_value(wage, &Value::Int(fen))), Ok(Value::Int(fen)));
        }
    }
}
