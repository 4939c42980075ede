//! What the rules find: on the device at submission, and on the server again.

use std::collections::BTreeMap;

use serde::Serialize;

use super::format::Rule;
use super::load::{LoadedRules, rule_name};
use super::{pinned_rules, rules_for};
use crate::change::{DocumentKind, Value};
use crate::expression::{Expression, Scope, Truth, Val, evaluate, value_of};
use crate::field_table::{Field, field_by_path};
use crate::form::{Facts, Label, LoadedForm, Sight, View, bound_field, pinned};

/// What a set of rules found in one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// The rules, `national/1.0.0`.
    pub ruleset: String,
    /// The form, `ruhu-first/1.0.0`.
    pub form: String,
    /// What the formulas come to; null where it is not known.
    pub formulas: BTreeMap<String, Val>,
    /// One finding for each rule, in the order of the rules.
    pub findings: Vec<RuleFinding>,
}

/// What one rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleFinding {
    /// The rule.
    pub rule: String,
    /// What people read.
    pub title: Label,
    /// Whether it hits.
    pub answer: RuleAnswer,
    /// What it looked at, by name; a member's as `member/<id>/<name>`. It may be private.
    pub inputs: BTreeMap<String, Val>,
    /// The risk it points to.
    pub risk: Option<String>,
    /// 1 very urgent to 3 ordinary.
    pub urgency: u8,
    /// The category it proposes, where it hits.
    pub proposes: Option<String>,
}

/// The answer of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum RuleAnswer {
    /// The condition holds: a lead.
    Hit,
    /// It does not hold.
    Clear,
    /// Something that it needs is not known. Never taken for clear.
    Unknown,
}

impl Findings {
    /// The findings without what private questions were answered: for readers who may see that a rule hits,
    /// and not what somebody's illness is.
    #[must_use]
    pub fn without_private(mut self, form: &LoadedForm) -> Self {
        for (name, value) in self.findings.iter_mut().flat_map(|finding| &mut finding.inputs) {
            if is_private(form, name) {
                *value = Val::text("****");
            }
        }
        self
    }
}

/// Whether a value that a rule looked at is private: of class P3, or read off a certificate.
fn is_private(form: &LoadedForm, name: &str) -> bool {
    let of_member = name.strip_prefix("member/").and_then(|rest| rest.split_once('/'));
    let name = of_member.map_or(name, |(_, name)| name);
    let name = name.strip_prefix("last.").unwrap_or(name);
    let field = match name.strip_prefix("household.") {
        Some(path) => field_by_path(DocumentKind::Household, path),
        None => form.place(name).and_then(|place| bound_field(&place.question)),
    };
    field.is_some_and(Field::is_sealed) || matches!(name, "age" | "birth_date" | "sex" | "disability_grade")
}

impl From<Truth> for RuleAnswer {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::True => Self::Hit,
            Truth::False => Self::Clear,
            Truth::Unknown => Self::Unknown,
        }
    }
}

impl From<RuleAnswer> for Val {
    fn from(answer: RuleAnswer) -> Self {
        match answer {
            RuleAnswer::Hit => Self::Bool(true),
            RuleAnswer::Clear => Self::Bool(false),
            RuleAnswer::Unknown => Self::Unknown,
        }
    }
}

/// What the formulas come to, by name.
#[must_use]
pub fn formulas(rules: &LoadedRules, form: &LoadedForm, facts: &Facts) -> BTreeMap<String, Val> {
    formulas_in(rules, &Sight::new(form, facts), facts)
}

fn formulas_in(rules: &LoadedRules, sight: &Sight<'_>, facts: &Facts) -> BTreeMap<String, Val> {
    let mut scope = RuleScope::new(rules, sight, facts);
    scope.work_out();
    scope.formulas
}

/// What a form shows with what the formulas of these rules come to, which it may speak of.
#[must_use]
pub fn look_by(rules: &LoadedRules, form: &LoadedForm, facts: &Facts) -> (View, BTreeMap<String, Val>) {
    let mut sight = Sight::new(form, facts);
    let formulas = formulas_in(rules, &sight, facts);
    sight.learn(formulas.clone());
    (sight.view(), formulas)
}

/// Applies every rule to one check. A pure function: device and server call it with the same facts.
#[must_use]
pub fn find(rules: &LoadedRules, form: &LoadedForm, facts: &Facts) -> Findings {
    let sight = Sight::new(form, facts);
    let mut scope = RuleScope::new(rules, &sight, facts);
    scope.work_out();
    if facts.last_on.is_some() {
        scope.before = formulas(rules, form, &earlier(facts));
    }
    let mut findings = Vec::new();
    for (rule, when) in &rules.rules {
        let finding = scope.apply(rule, when);
        scope.rules.insert(rule_name(&rule.id), finding.answer.into());
        findings.push(finding);
    }
    Findings { ruleset: rules.name(), form: form.name(), formulas: scope.formulas, findings }
}

/// The rules for a household on the day of a visit: those of its region, or the national ones.
#[must_use]
pub fn rules_of(facts: &Facts) -> Option<&'static LoadedRules> {
    rules_for(text(&facts.register, "village_code"), facts.today.get(..7).unwrap_or_default())
}

/// What is found in a submitted check, by the form and the rules that it has pinned; by the rules of its place and
/// time where this program does not have those. `None` when it does not have the form.
#[must_use]
pub fn find_pinned(facts: &Facts) -> Option<Findings> {
    let form = pinned(text(&facts.answers, "form_version"))?;
    let rules = pinned_rules(text(&facts.answers, "ruleset_version")).or_else(|| rules_of(facts))?;
    Some(find(rules, form, facts))
}

fn text<'a>(values: &'a BTreeMap<String, Value>, key: &str) -> &'a str {
    match values.get(key) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

/// The household as the last check found it. Of its members only today's are known.
fn earlier(facts: &Facts) -> Facts {
    Facts {
        answers: facts.last.clone(),
        register: facts.register.clone(),
        check_type: facts.check_type.clone(),
        today: facts.last_on.clone().unwrap_or_default(),
        ..Facts::default()
    }
}

struct RuleScope<'a> {
    set: &'a LoadedRules,
    sight: &'a Sight<'a>,
    year: Option<String>,
    formulas: BTreeMap<String, Val>,
    before: BTreeMap<String, Val>,
    rules: BTreeMap<String, Val>,
}

impl<'a> RuleScope<'a> {
    fn new(set: &'a LoadedRules, sight: &'a Sight<'a>, facts: &Facts) -> Self {
        let year = match facts.age_day() {
            Val::Text(day) => day.get(..4).map(str::to_owned),
            _ => None,
        };
        Self { set, sight, year, formulas: BTreeMap::new(), before: BTreeMap::new(), rules: BTreeMap::new() }
    }

    fn work_out(&mut self) {
        for (formula, value) in &self.set.formulas {
            let value = value_of(value, self);
            self.formulas.insert(formula.name.clone(), value);
        }
    }

    fn apply(&self, rule: &Rule, when: &Expression) -> RuleFinding {
        let found = evaluate(when, self);
        let answer = RuleAnswer::from(found.value.truth());
        RuleFinding {
            rule: rule.id.clone(),
            title: rule.title.clone(),
            answer,
            inputs: found.used,
            risk: rule.risk.clone(),
            urgency: rule.urgency,
            proposes: rule.proposes.clone().filter(|_| answer == RuleAnswer::Hit),
        }
    }

    fn limit(&self, name: &str) -> Option<Val> {
        let limit = self.set.set.limits.get(name)?;
        let of_year = self.year.as_ref().and_then(|year| limit.years.get(year));
        of_year.copied().unwrap_or(limit.value).map(Val::Int)
    }
}

impl Scope for RuleScope<'_> {
    fn value(&self, name: &str) -> Val {
        let found = match name.split_once('.') {
            Some(("limit", limit)) => self.limit(limit),
            Some(("formula", formula)) => self.formulas.get(formula).cloned(),
            Some(("before", formula)) => self.before.get(formula).cloned(),
            Some(("rule", rule)) => self.rules.get(rule).cloned(),
            _ => Some(self.sight.value(name)),
        };
        found.unwrap_or(Val::Unknown)
    }

    fn of_member(&self, member: &str, name: &str) -> Val {
        self.sight.of_member(member, name)
    }
}
