//! The format of rules (`schemas/rules/ruleset.schema.json`): what a file of `schemas/rules/` says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::field_table::Unit;
use crate::form::Label;

/// A set of rules for a region and a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ruleset {
    /// The schema's address, for editors.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Its id, which a check pins together with the version.
    pub ruleset: String,
    /// The version, `1.0.0`.
    pub version: String,
    /// The title.
    pub title: Label,
    /// Where it applies: the beginning of a region code; empty for everywhere.
    #[serde(default)]
    pub region: String,
    /// The first month it applies to, `YYYY-MM`.
    pub from: String,
    /// The last month it applies to; open where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The set it builds on: what is not said here is taken from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// Thresholds by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Limit>,
    /// Formulas; each may use those before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formulas: Vec<Formula>,
    /// Rules; each may use those before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// A threshold. One that is not known stays null, and rules that need it answer unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Its value in years that are not listed; null where it is not known.
    pub value: Option<i64>,
    /// Its value by year; null where it is not known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub years: BTreeMap<String, Option<i64>>,
    /// What it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Where it comes from.
    pub source: String,
}

/// A formula (指标).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Formula {
    /// Its name: `formula.<name>` in expressions.
    pub name: String,
    /// What people read.
    pub label: Label,
    /// What it counts; basis points where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// What it comes to.
    pub value: String,
}

/// A rule. Its answer is a lead (线索), never a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its id, such as `RK-INC-1`; in later rules it is `rule.RK_INC_1`.
    pub id: String,
    /// What people read.
    pub title: Label,
    /// When it hits.
    pub when: String,
    /// The risk it points to, a code of `risk_type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    /// 1 very urgent, 2 urgent, 3 ordinary.
    pub urgency: u8,
    /// The category it proposes, a code of `monitor_category`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposes: Option<String>,
    /// Where it comes from.
    pub source: String,
}
