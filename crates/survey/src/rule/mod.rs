//! Rules and formulas as data: `schemas/rules/*.json`, by region and period.
//!
//! A rule answers hit, clear or unknown, with what it looked at ([`RuleFinding`]). A threshold that is not known
//! is null in the file, and rules that need it answer unknown, never clear. What a rule finds is a lead (线索);
//! people decide. Device and server call [`find_pinned`] with the same [`Facts`](crate::form::Facts) and so find
//! the same. Rules and formulas are those of the domain model, 4.2 and 3.16.

mod find;
mod format;
mod load;
mod words;

use std::cmp::Reverse;
use std::sync::LazyLock;

pub use find::{Findings, RuleAnswer, RuleFinding, find, find_pinned, formulas, look_by, rules_of};
pub use format::{Formula, Limit, Rule, Ruleset};
pub use load::{InvalidRules, LoadedRules, RulesReason, load_rules};
pub use words::{Spoken, in_words};

use crate::form::{FIRST, newest};

/// The sets that come with the program; each may build on those before it.
const FILES: &[(&str, &str)] = &[
    ("schemas/rules/national.json", include_str!("../../../../schemas/rules/national.json")),
    ("schemas/rules/guizhou.json", include_str!("../../../../schemas/rules/guizhou.json")),
    ("schemas/rules/hunan.json", include_str!("../../../../schemas/rules/hunan.json")),
];

static RULES: LazyLock<Vec<LoadedRules>> = LazyLock::new(|| {
    let mut loaded = Vec::new();
    for (file, text) in FILES {
        let Some(form) = newest(FIRST) else { break };
        if let Ok(rules) = load_rules(file, text, &loaded, form) {
            loaded.push(rules);
        }
    }
    loaded
});

/// The rules for a region code and a month, `YYYY-MM`: of those that cover both, the most local, and of
/// these the latest. In a month that no rules of the place cover, the most local whose period is nearest: a
/// device's clock may be wrong by years, and its checks are judged all the same.
#[must_use]
pub fn rules_for(region: &str, month: &str) -> Option<&'static LoadedRules> {
    let covering = RULES.iter().filter(|rules| rules.covers(region, month));
    let found = covering.max_by_key(|rules| (rules.set.region.len(), &rules.set.from));
    found.or_else(|| {
        let of_place = RULES.iter().filter(|rules| region.starts_with(&rules.set.region));
        let (began, later): (Vec<_>, Vec<_>) = of_place.partition(|rules| rules.set.from.as_str() <= month);
        let last = began.into_iter().max_by_key(|rules| (rules.set.region.len(), &rules.set.from));
        let first = |rules: &&LoadedRules| (Reverse(rules.set.region.len()), rules.set.from.clone());
        last.or_else(|| later.into_iter().min_by_key(first))
    })
}

/// The rules that a check has pinned, `national/1.0.0`.
#[must_use]
pub fn pinned_rules(name: &str) -> Option<&'static LoadedRules> {
    RULES.iter().find(|rules| rules.name() == name)
}

#[cfg(test)]
mod tests;
