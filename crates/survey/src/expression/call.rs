//! The functions of expressions.

use regex_lite::RegexBuilder;

use super::{ExpressionError, TEXT_MAX, Val};
use crate::code_list::code;
use crate::field_table::date::parse_date;

/// Bytes of a compiled pattern.
const PATTERN_BYTES_MAX: usize = 64 * 1_024;

/// A function. CEL's method form is the same: `text.matches('…')` is `matches(text, '…')`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// `size(list)`: how many elements; of a text, how many characters.
    Size,
    /// `sum(list)`: the sum of numbers; what does not apply is nothing.
    Sum,
    /// `min(a, b)` of two numbers or texts.
    Min,
    /// `max(a, b)`.
    Max,
    /// `floor_div(a, b)`: whole-number division, downwards; unknown where `b` is not above 0.
    FloorDiv,
    /// `age_on(birth_date, day)`: full years.
    AgeOn,
    /// `months_between(a, b)`: months from the month of `a` to that of `b`; days do not count.
    MonthsBetween,
    /// `matches(text, pattern)`: whether a regular expression is found in the text.
    Matches,
    /// `starts_with(text, beginning)`, also `startsWith`.
    StartsWith,
    /// `contains(text, piece)`.
    Contains,
    /// `has_duplicates(list)`: whether a known value comes twice.
    HasDuplicates,
    /// `sex_of_relation(code)`: the sex that a relation to the head implies; does not apply where none does.
    SexOfRelation,
    /// `text(number)`: the number as a text.
    Text,
}

/// Every function with its name and number of arguments.
pub const FUNCTIONS: [(&str, usize, Function); 14] = [
    ("size", 1, Function::Size),
    ("sum", 1, Function::Sum),
    ("min", 2, Function::Min),
    ("max", 2, Function::Max),
    ("floor_div", 2, Function::FloorDiv),
    ("age_on", 2, Function::AgeOn),
    ("months_between", 2, Function::MonthsBetween),
    ("matches", 2, Function::Matches),
    ("starts_with", 2, Function::StartsWith),
    ("startsWith", 2, Function::StartsWith),
    ("contains", 2, Function::Contains),
    ("has_duplicates", 1, Function::HasDuplicates),
    ("sex_of_relation", 1, Function::SexOfRelation),
    ("text", 1, Function::Text),
];

impl Function {
    pub(super) fn find(name: &str, arguments: usize) -> Result<Self, ExpressionError> {
        let fits = |(known, count, _): &&(&str, usize, Self)| *known == name && *count == arguments;
        let found = FUNCTIONS.iter().find(fits).map(|(_, _, function)| *function);
        found.ok_or_else(|| ExpressionError::UnknownFunction(name.to_owned(), arguments))
    }

    /// The name it is called by.
    #[must_use]
    pub fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|(_, _, function)| *function == self).map_or("", |(name, _, _)| name)
    }

    /// What it gives for these arguments; unknown for what it cannot tell.
    pub(super) fn call(self, arguments: &[Val]) -> Val {
        let result = match (self, arguments) {
            (Self::Size, [one]) => size(one),
            (Self::Sum, [one]) => sum(one),
            (Self::Min, [one, two]) => {
                one.order(two).ok().map(|order| if order.is_le() { one } else { two }.clone())
            }
            (Self::Max, [one, two]) => {
                one.order(two).ok().map(|order| if order.is_ge() { one } else { two }.clone())
            }
            (Self::FloorDiv, [one, two]) => floor_div(one, two),
            (Self::HasDuplicates, [one]) => has_duplicates(one),
            (Self::AgeOn, [Val::Text(birth), Val::Text(day)]) => age_on(birth, day),
            (Self::MonthsBetween, [Val::Text(from), Val::Text(to)]) => months_between(from, to),
            (Self::Matches, [Val::Text(text), Val::Text(pattern)]) => matches(text, pattern),
            (Self::StartsWith, [Val::Text(text), Val::Text(piece)]) => {
                Some(Val::Bool(text.starts_with(piece)))
            }
            (Self::Contains, [Val::Text(text), Val::Text(piece)]) => Some(Val::Bool(text.contains(piece))),
            (Self::Text, [Val::Int(number)]) => Some(Val::Text(number.to_string())),
            (Self::SexOfRelation, [Val::Text(relation)]) => Some(sex_of_relation(relation)),
            (_, [Val::NotApplicable, ..]) => Some(Val::NotApplicable),
            _ => None,
        };
        result.unwrap_or(Val::Unknown)
    }
}

fn size(of: &Val) -> Option<Val> {
    let count = match of {
        Val::List(items) => items.len(),
        Val::Text(text) => text.chars().count(),
        Val::NotApplicable => 0,
        _ => return None,
    };
    i64::try_from(count).ok().map(Val::Int)
}

fn sum(of: &Val) -> Option<Val> {
    match of {
        Val::List(items) => {
            items.iter().try_fold(0_i64, |sum, item| sum.checked_add(item.amount()?)).map(Val::Int)
        }
        other => other.amount().map(Val::Int),
    }
}

fn floor_div(one: &Val, two: &Val) -> Option<Val> {
    let (one, two) = (one.amount()?, two.int()?);
    // Euclid's quotient is the floor for a positive divisor alone.
    if two > 0 { one.checked_div_euclid(two).map(Val::Int) } else { None }
}

fn has_duplicates(of: &Val) -> Option<Val> {
    let Val::List(items) = of else { return None };
    let mut known: Vec<&Val> =
        items.iter().filter(|item| !matches!(item, Val::Unknown | Val::NotApplicable)).collect();
    known.sort();
    let twice = known.windows(2).any(|pair| pair.first() == pair.last());
    // An unknown value could be any of the others.
    (twice || known.len() == items.len()).then_some(Val::Bool(twice))
}

/// Full years from a birth date to a day; nothing when one of them is no date.
pub(crate) fn age_on(birth: &str, day: &str) -> Option<Val> {
    let (birth, day) = (parse_date(birth)?, parse_date(day)?);
    let before = (day.1, day.2) < (birth.1, birth.2);
    Some(Val::Int(i64::from(day.0) - i64::from(birth.0) - i64::from(before)))
}

fn months_between(from: &str, to: &str) -> Option<Val> {
    let month = |text: &str| {
        let month = text.get(..7)?;
        let (year, month, _) = parse_date(&format!("{month}-01"))?;
        Some(i64::from(year) * 12 + i64::from(month))
    };
    Some(Val::Int(month(to)? - month(from)?))
}

fn matches(text: &str, pattern: &str) -> Option<Val> {
    if text.len() > TEXT_MAX {
        return None;
    }
    let pattern = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build().ok()?;
    Some(Val::Bool(pattern.is_match(text)))
}

fn sex_of_relation(relation: &str) -> Val {
    let sex = code("relation_to_head", relation).and_then(|code| code.sex.as_deref());
    sex.map_or(Val::NotApplicable, Val::text)
}
