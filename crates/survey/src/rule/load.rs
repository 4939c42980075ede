//! Reads sets of rules, joins each with what it builds on, and finds out whether it holds together.

use std::collections::BTreeSet;

use super::format::{Formula, Rule, Ruleset};
use crate::code_list::code;
use crate::expression::{Expression, ExpressionError, Kind, Names};
use crate::field_table::date::is_month;
use crate::form::{FORMULAS, LoadedForm, is_version};

/// A set of rules that holds together, joined with what it builds on.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedRules {
    pub(super) set: Ruleset,
    pub(super) formulas: Vec<(Formula, Expression)>,
    pub(super) rules: Vec<(Rule, Expression)>,
}

impl LoadedRules {
    /// Id and version as a check pins them: `national/1.0.0`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.set.ruleset, self.set.version)
    }

    /// What the file says, with what it builds on.
    #[must_use]
    pub const fn set(&self) -> &Ruleset {
        &self.set
    }

    /// Whether it applies to a region in a month.
    #[must_use]
    pub fn covers(&self, region: &str, month: &str) -> bool {
        let ended = self.set.to.as_deref().is_some_and(|to| month > to);
        region.starts_with(&self.set.region) && month >= self.set.from.as_str() && !ended
    }
}

/// A set of rules that cannot be used: the file, the place in it, the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {at}: {reason}")]
pub struct InvalidRules {
    /// The file's name.
    pub file: String,
    /// The rule, formula or limit at fault; `ruleset` for the set itself.
    pub at: String,
    /// What is wrong there.
    pub reason: RulesReason,
}

/// Why a set of rules cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesReason {
    /// Not JSON, or not of the format.
    #[error("{0}")]
    Format(String),
    /// It builds on a set that is not there.
    #[error("it builds on {0:?}, which is not there")]
    Extends(String),
    /// Not a month, or an end before the beginning.
    #[error("the period is none")]
    Period,
    /// A name that is used twice or cannot be one.
    #[error("the name is used twice or cannot be one")]
    Name,
    /// A code that is in no list.
    #[error("{0:?} is no code of {1}")]
    UnknownCode(String, &'static str),
    /// No text in one of the languages, or no source.
    #[error("a label or the source is missing")]
    MissingLabel,
    /// A formula that forms speak of is not defined.
    #[error("the formula {0:?} is missing")]
    MissingFormula(&'static str),
    /// An expression that does not hold together.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    /// An expression that gives something else than its place needs.
    #[error("it gives something else than its place needs")]
    Kind,
    /// Urgency is 1 to 3.
    #[error("urgency is 1 to 3")]
    Urgency,
}

/// Reads a set of rules; `bases` are those it may build on, `form` is the one whose questions it speaks of.
///
/// # Errors
/// The first fault that was found, with its place.
pub fn load_rules(
    file: &str,
    text: &str,
    bases: &[LoadedRules],
    form: &LoadedForm,
) -> Result<LoadedRules, InvalidRules> {
    let fault = |at: &str, reason| InvalidRules { file: file.to_owned(), at: at.to_owned(), reason };
    let set: Ruleset = serde_json::from_str(text)
        .map_err(|error| fault("ruleset", RulesReason::Format(error.to_string())))?;
    let set = join(set, bases).map_err(|reason| fault("ruleset", reason))?;
    header(&set).map_err(|(at, reason)| fault(&at, reason))?;
    let mut names = RuleNames { form, set: &set, formulas: BTreeSet::new(), rules: BTreeSet::new() };
    let mut formulas = Vec::new();
    for formula in &set.formulas {
        let parsed = names.formula(formula).map_err(|reason| fault(&formula.name, reason))?;
        formulas.push((formula.clone(), parsed));
    }
    if let Some(missing) = FORMULAS.into_iter().find(|name| !names.formulas.contains(*name)) {
        return Err(fault("ruleset", RulesReason::MissingFormula(missing)));
    }
    let mut rules = Vec::new();
    for rule in &set.rules {
        let parsed = names.rule(rule).map_err(|reason| fault(&rule.id, reason))?;
        rules.push((rule.clone(), parsed));
    }
    Ok(LoadedRules { formulas, rules, set })
}

/// What a set says, and of what it builds on all that it does not say itself.
fn join(mut set: Ruleset, bases: &[LoadedRules]) -> Result<Ruleset, RulesReason> {
    let Some(name) = set.extends.clone() else { return Ok(set) };
    let base = bases.iter().find(|base| base.name() == name).ok_or(RulesReason::Extends(name))?;
    let mut limits = base.set.limits.clone();
    limits.append(&mut set.limits);
    set.limits = limits;
    set.formulas = over(&base.set.formulas, set.formulas, |formula| &formula.name);
    set.rules = over(&base.set.rules, set.rules, |rule| &rule.id);
    Ok(set)
}

/// What the base has, or the set says in its place; then what is new, as it stands in the file, for each may use
/// those before it.
fn over<T: Clone>(base: &[T], mut own: Vec<T>, name: fn(&T) -> &String) -> Vec<T> {
    let mut all = Vec::with_capacity(base.len() + own.len());
    for inherited in base {
        let at = own.iter().position(|said| name(said) == name(inherited));
        all.push(at.map_or_else(|| inherited.clone(), |at| own.remove(at)));
    }
    all.append(&mut own);
    all
}

fn header(set: &Ruleset) -> Result<(), (String, RulesReason)> {
    let at = |place: &str, reason| Err((place.to_owned(), reason));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if set.ruleset.is_empty() || !set.ruleset.chars().all(plain) || !is_version(&set.version) {
        return at("ruleset", RulesReason::Name);
    }
    let ends = set.to.as_deref();
    if !is_month(&set.from) || ends.is_some_and(|to| !is_month(to) || to < set.from.as_str()) {
        return at("ruleset", RulesReason::Period);
    }
    if set.title.zh.is_empty() || set.title.en.is_empty() {
        return at("ruleset", RulesReason::MissingLabel);
    }
    for (name, limit) in &set.limits {
        let year = |year: &String| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
        if !limit.years.keys().all(year) {
            return at(name, RulesReason::Period);
        }
        if limit.source.trim().is_empty() {
            return at(name, RulesReason::MissingLabel);
        }
    }
    Ok(())
}

/// The name of a rule in expressions: `RK-INC-1` is `RK_INC_1`.
pub(super) fn rule_name(id: &str) -> String {
    id.replace('-', "_")
}

/// What the expressions of rules may speak of: the form's names, limits, and what comes before.
struct RuleNames<'a> {
    form: &'a LoadedForm,
    set: &'a Ruleset,
    formulas: BTreeSet<String>,
    rules: BTreeSet<String>,
}

impl RuleNames<'_> {
    fn formula(&mut self, formula: &Formula) -> Result<Expression, RulesReason> {
        if formula.label.zh.is_empty() || formula.label.en.is_empty() {
            return Err(RulesReason::MissingLabel);
        }
        let parsed = Expression::parse(&formula.value)?;
        if parsed.check(self)? != Kind::Int {
            return Err(RulesReason::Kind);
        }
        self.formulas.insert(formula.name.clone()).then_some(parsed).ok_or(RulesReason::Name)
    }

    fn rule(&mut self, rule: &Rule) -> Result<Expression, RulesReason> {
        let labels = [&rule.title.zh, &rule.title.en, &rule.source];
        if labels.into_iter().any(|text| text.trim().is_empty()) {
            return Err(RulesReason::MissingLabel);
        }
        let codes = [(&rule.risk, "risk_type"), (&rule.proposes, "monitor_category")];
        for (said, list) in codes {
            if let Some(said) = said.as_deref().filter(|said| code(list, said).is_none()) {
                return Err(RulesReason::UnknownCode(said.to_owned(), list));
            }
        }
        if !(1..=3).contains(&rule.urgency) {
            return Err(RulesReason::Urgency);
        }
        let parsed = Expression::parse(&rule.when)?;
        if parsed.check(self)? != Kind::Bool {
            return Err(RulesReason::Kind);
        }
        self.rules.insert(rule_name(&rule.id)).then_some(parsed).ok_or(RulesReason::Name)
    }
}

impl Names for RuleNames<'_> {
    fn kind(&self, name: &str) -> Option<Kind> {
        let known = |kind: Kind, is_there: bool| is_there.then_some(kind);
        if let Some(limit) = name.strip_prefix("limit.") {
            return known(Kind::Int, self.set.limits.contains_key(limit));
        }
        if let Some(formula) = name.strip_prefix("formula.") {
            return known(Kind::Int, self.formulas.contains(formula));
        }
        if let Some(formula) = name.strip_prefix("before.") {
            return known(Kind::Int, self.formulas.contains(formula));
        }
        if let Some(rule) = name.strip_prefix("rule.") {
            return known(Kind::Bool, self.rules.contains(rule));
        }
        self.form.names().kind(name)
    }

    fn member_kind(&self, name: &str) -> Option<Kind> {
        self.form.names().member_kind(name)
    }
}
