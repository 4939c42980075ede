//! The facts of a submitted check, gathered from documents: the same on the device and on the server.

use super::facts::{Facts, clear_values};
use crate::change::{ChangeHash, DocumentKind, Value};
use crate::entry::{Entry, Visit, entries};
use crate::id::CheckId;
use crate::register::Register;
use crate::sealed::Sealer;
use crate::shown::{companion, shown};

/// A document with what opens its private values, where that is known.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The document.
    pub register: &'a Register,
    /// What opens its private values.
    pub sealer: Option<&'a Sealer<'a>>,
}

/// The change of a household's document that tells of a check: the household as of this change is what the
/// visit found and wrote.
#[must_use]
pub fn told_in(household: &Register, check: CheckId) -> Option<ChangeHash> {
    let of_check = |visit: &Visit| visit.check == check.to_string();
    entries(household)
        .iter()
        .find(|placed| matches!(&placed.entry, Entry::Visit(visit) if of_check(visit)))
        .map(|placed| placed.change)
}

/// The visit before a check, in causal order: the last that asked something of the household.
#[must_use]
pub fn visit_before(household: &Register, check: CheckId) -> Option<Visit> {
    let visits = entries(household).into_iter().filter_map(|placed| match placed.entry {
        Entry::Visit(visit) => Some(visit),
        _ => None,
    });
    let earlier = visits.take_while(|visit| visit.check != check.to_string());
    earlier.filter(|visit| matches!(visit.result.as_str(), "completed" | "partial" | "away_by_phone")).last()
}

/// The facts of a submitted check. `household` is the household's document as of [`told_in`], `last` the
/// check of [`visit_before`] where it is here.
#[must_use]
pub fn submitted_facts(
    check: Source<'_>,
    household: Source<'_>,
    last: Option<Source<'_>>,
    before: Option<&Visit>,
) -> Facts {
    let answers = clear_values(check.register, DocumentKind::Check, check.sealer);
    let text = |key: &str| match answers.get(key) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let reason = |key: &String| {
        let op = shown(check.register, DocumentKind::Check, key)?.op;
        companion(check.register, key, "reason", op.change).map(|reason| (key.clone(), reason.to_owned()))
    };
    let today = match answers.get("started_at") {
        Some(Value::Int(started)) => super::day_in_china(*started),
        _ => String::new(),
    };
    Facts {
        check_type: text("check_type"),
        reasons: answers.keys().filter_map(reason).collect(),
        register: clear_values(household.register, DocumentKind::Household, household.sealer),
        last: last
            .map(|last| clear_values(last.register, DocumentKind::Check, last.sealer))
            .unwrap_or_default(),
        last_on: before.map(|visit| visit.ended.clone()),
        today,
        answers,
        ..Facts::default()
    }
}
