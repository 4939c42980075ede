//! What is known of a household and of one visit, in clear.

use std::collections::{BTreeMap, BTreeSet};

use crate::certificate_number::CertificateNumber;
use crate::change::{DocumentKind, Value};
use crate::code_list::code_list;
use crate::expression::Val;
use crate::field_table::date::parse_date;
use crate::field_table::{AnswerState, Field, Type};
use crate::register::Register;
use crate::sealed::Sealer;
use crate::shown::all_shown;

/// Changes by which a member is no longer of the household.
const LEAVING: [&str; 5] = ["death", "marriage_out", "split", "imprisoned", "moved_out"];

/// What is known of a household and of one visit, in clear; what could not be opened is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The answers of the visit by key: those of the check, and those meant for the household's register.
    pub answers: BTreeMap<String, Value>,
    /// Why an answer stands as it does, by key.
    pub reasons: BTreeMap<String, String>,
    /// The household's register by key.
    pub register: BTreeMap<String, Value>,
    /// The answers of the household's last check by key.
    pub last: BTreeMap<String, Value>,
    /// The day of that check, `YYYY-MM-DD`.
    pub last_on: Option<String>,
    /// What the formulas of the rules come to, for forms that speak of them (see [`super::FORMULAS`]).
    pub formulas: BTreeMap<String, Val>,
    /// A code of `check_type`.
    pub check_type: String,
    /// The day of the visit, `YYYY-MM-DD`.
    pub today: String,
    /// Only the short form is asked.
    pub short: bool,
}

/// The shown values of a document by key, private ones opened where there is a key that opens them; what
/// does not open stays sealed, and so unknown.
#[must_use]
pub fn clear_values(
    register: &Register,
    kind: DocumentKind,
    sealer: Option<&Sealer<'_>>,
) -> BTreeMap<String, Value> {
    let open = |field: &Field, key: &str, sealed: &[u8]| {
        let text = sealer?.open(key, sealed).ok()?;
        Some(match &field.kind {
            Type::Bool | Type::Set { .. } => Value::Bool(text == "true"),
            Type::Int { .. } => Value::Int(text.parse().ok()?),
            _ => Value::Text(text),
        })
    };
    all_shown(register, kind)
        .map(|(found, shown)| {
            let value = match &shown.op.value {
                Value::Bytes(sealed) => open(found.field, found.value_key, sealed),
                _ => None,
            };
            (found.value_key.to_owned(), value.unwrap_or_else(|| shown.op.value.clone()))
        })
        .collect()
}

impl Facts {
    /// The members who are of the household on the day of the visit, in list order.
    #[must_use]
    pub fn members(&self) -> Vec<String> {
        self.listed().into_iter().filter(|member| !self.leaves(member)).collect()
    }

    /// The members who were of the household until this visit, those who leave by it among them, in list order.
    pub(super) fn listed(&self) -> Vec<String> {
        let ids: BTreeSet<&str> = self
            .register
            .range("member/".to_owned()..)
            .map_while(|(key, _)| key.strip_prefix("member/"))
            .filter_map(|rest| rest.split_once('/'))
            .map(|(id, _)| id)
            .collect();
        let left = |id: &str| self.stands(&format!("member/{id}/left_on")).is_known();
        let mut members: Vec<String> = ids.into_iter().filter(|id| !left(id)).map(str::to_owned).collect();
        let sort = |id: &String| self.stands(&format!("member/{id}/sort")).int().unwrap_or_default();
        let head = self.stands("head_member_id");
        members.sort_by_key(|id| (sort(id), head != Val::text(id.as_str()), id.clone()));
        members
    }

    /// Whether a member leaves the household by what this visit says.
    fn leaves(&self, member: &str) -> bool {
        let change = self.read(&format!("answer/member/change/{member}"));
        matches!(&change, Val::Text(change) if LEAVING.contains(&change.as_str()))
    }

    /// What was answered at a key; unknown where nothing was.
    fn read(&self, key: &str) -> Val {
        self.answers.get(key).map_or(Val::Unknown, Val::of)
    }

    /// What stands in the register at a key, with what this visit says of it.
    fn stands(&self, key: &str) -> Val {
        self.answers.get(key).or_else(|| self.register.get(key)).map_or(Val::Unknown, Val::of)
    }

    /// Whether anything was answered at the keys of a field: a value or an answer state.
    pub(super) fn is_answered(&self, field: &Field, key: &str) -> bool {
        is_there(&self.answers, field, key)
    }

    /// The answer state at a key.
    pub(super) fn state(&self, key: &str) -> Option<AnswerState> {
        AnswerState::of(self.answers.get(key)?)
    }

    /// The answer at a field: of this visit, and for a field of the register what stands there.
    pub(super) fn value(&self, field: &Field, of_register: bool, key: &str) -> Val {
        if is_there(&self.answers, field, key) || !of_register {
            return val(&self.answers, field, key);
        }
        val(&self.register, field, key)
    }

    /// The answer of the last check, or what stands in the register.
    pub(super) fn last_value(&self, field: &Field, of_register: bool, key: &str) -> Val {
        val(if of_register { &self.register } else { &self.last }, field, key)
    }

    /// The day that ages are of: the last of the income period, which ends a month before the visit unless
    /// it was answered otherwise (domain model, 4.1).
    #[must_use]
    pub fn age_day(&self) -> Val {
        let answered = match self.read("answer/income/period_end") {
            Val::Text(month) => last_of(&month),
            _ => None,
        };
        answered.or_else(|| month_before(&self.today)).map_or(Val::Unknown, Val::Text)
    }

    /// The certificate of a member, where it is known here.
    fn certificate(&self, member: &str) -> Option<CertificateNumber> {
        match self.stands(&format!("member/{member}/cert_no")) {
            Val::Text(number) => CertificateNumber::parse(&number).ok(),
            _ => None,
        }
    }

    /// The birth date: the certificate's, or the one that was told.
    pub(super) fn birth_date(&self, member: &str) -> Val {
        match self.certificate(member) {
            Some(certificate) => Val::Text(certificate.birth_date()),
            None => self.stands(&format!("member/{member}/birth_date")),
        }
    }

    /// The sex: the certificate's, or the one that was told.
    pub(super) fn sex(&self, member: &str) -> Val {
        match self.certificate(member) {
            Some(certificate) => Val::text(certificate.sex().code()),
            None => self.stands(&format!("member/{member}/sex")),
        }
    }

    /// The grade of disability, 1 the most severe, from a disability card.
    pub(super) fn disability_grade(&self, member: &str) -> Val {
        let card = match self.read(&format!("answer/medical/disability_card_no/{member}")) {
            Val::Text(number) => CertificateNumber::parse(&number).ok(),
            _ => None,
        };
        match card.or_else(|| self.certificate(member)) {
            Some(certificate) => {
                let grade = certificate.disability().map(|disability| i64::from(disability.grade));
                grade.map_or(Val::NotApplicable, Val::Int)
            }
            None => Val::Unknown,
        }
    }

    /// Whether the member is the head of the household.
    pub(super) fn is_head(&self, member: &str) -> Val {
        match (self.stands("head_member_id"), self.stands(&format!("member/{member}/relation_to_head"))) {
            (Val::Text(head), _) => Val::Bool(head == member),
            (_, Val::Text(relation)) => Val::Bool(relation == "head"),
            _ => Val::Unknown,
        }
    }

    /// Whether the member came after the last check, or there was none.
    pub(super) fn is_new(&self, member: &str) -> Val {
        let suffix = format!("/{member}");
        let within = format!("/{member}/");
        let asked = self.last.keys().any(|key| key.ends_with(&suffix) || key.contains(&within));
        Val::Bool(!asked)
    }
}

fn is_there(values: &BTreeMap<String, Value>, field: &Field, key: &str) -> bool {
    let kept = |key: &str| values.get(key).is_some_and(|value| *value != Value::Null);
    kept(key) || elements(field, key).iter().any(|(key, _)| kept(key))
}

fn val(values: &BTreeMap<String, Value>, field: &Field, key: &str) -> Val {
    let elements = elements(field, key);
    if elements.is_empty() || values.contains_key(key) {
        return values.get(key).map_or(Val::Unknown, Val::of);
    }
    let mut held = Vec::new();
    let mut known = false;
    for (key, code) in &elements {
        match values.get(key).map(Val::of) {
            Some(Val::Bool(yes)) => {
                known = true;
                held.extend(yes.then(|| Val::text(code)));
            }
            Some(Val::Text(text)) => {
                known = true;
                held.push(Val::Text(text));
            }
            _ => {}
        }
    }
    if known { Val::List(held) } else { Val::Unknown }
}

/// The keys of a set's elements with their codes, or of slots with their numbers.
pub(super) fn elements(field: &Field, key: &str) -> Vec<(String, String)> {
    match &field.kind {
        Type::Set { list } => {
            let codes = code_list(list).into_iter().flat_map(|list| &list.codes);
            codes.map(|code| (format!("{key}/{}", code.code), code.code.clone())).collect()
        }
        Type::Slots { max } | Type::Hashes { max } => {
            (1..=*max).map(|slot| (format!("{key}/{slot}"), slot.to_string())).collect()
        }
        _ => Vec::new(),
    }
}

/// The last day of a month.
fn last_of(month: &str) -> Option<String> {
    let exists = |day: u8| parse_date(&format!("{month}-{day:02}")).map(|_| format!("{month}-{day:02}"));
    (28..=31).rev().find_map(exists)
}

/// The last day of the month before a day.
fn month_before(day: &str) -> Option<String> {
    let (year, month, _) = parse_date(day)?;
    let (year, month) = if month == 1 { (year - 1, 12) } else { (year, month - 1) };
    last_of(&format!("{year:04}-{month:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_of_the_end_of_the_income_period() {
        let mut facts = Facts { today: "2024-03-05".to_owned(), ..Facts::default() };
        assert_eq!(facts.age_day(), Val::text("2024-02-29"));
        facts.today = "2024-01-31".to_owned();
        assert_eq!(facts.age_day(), Val::text("2023-12-31"));
        facts.answers.insert("answer/income/period_end".to_owned(), Value::Text("2023-06".to_owned()));
        assert_eq!(facts.age_day(), Val::text("2023-06-30"));
        assert_eq!(Facts::default().age_day(), Val::Unknown);
    }
}
