//! What the rules find over many invented households: counts for the calibration of the domain model (7.3), and
//! a digest of every answer, so that two builds of the same rules can be told apart.

use std::collections::BTreeMap;
use std::fmt;

use ruhu_survey::form::{FIRST, LoadedForm, newest};
use ruhu_survey::rule::{Findings, LoadedRules, RuleAnswer, find, rules_for};
use sha2::{Digest as _, Sha256};

use crate::date::Date;
use crate::parameters::Parameters;
use crate::random::Random;
use crate::village::{VillageRequest, village};
use crate::visit::visit_facts;

/// A poverty line is known for this place and time.
const REGION: &str = "520000000000";
const PERIOD: &str = "2023-06";
const ON: Date = Date::new(2023, 6, 1);
const PER_VILLAGE: usize = 400;
/// Rules that say what a household is like, and not that something is wrong.
const NO_LEADS: [&str; 4] = ["RK-OUT", "RK-INC-3", "RK-LAB", "RK-DIS"];

/// How often a rule gave each answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Answers {
    hit: u64,
    clear: u64,
    unknown: u64,
}

/// What the rules found; it displays as the report that people read.
#[derive(Debug, Clone, Default)]
pub struct Leads {
    rules: BTreeMap<String, Answers>,
    households: u64,
    people: u64,
    with_lead: u64,
    digest: Sha256,
}

/// Visits so many invented households and applies the rules to each. The same seed gives the same answers, on
/// every machine. Where the program has no rules or form for them, nobody is visited.
#[must_use]
pub fn leads(households: u64, seed: u64) -> Leads {
    let mut leads = Leads::default();
    let (Some(rules), Some(form)) = (rules_for(REGION, PERIOD), newest(FIRST)) else { return leads };
    for ordinal in 0..households.div_ceil(PER_VILLAGE as u64) {
        leads.visit_village(households, seed, ordinal, (rules, form));
    }
    leads
}

impl Leads {
    /// Visits a village, until so many households were visited in all.
    fn visit_village(&mut self, until: u64, seed: u64, ordinal: u64, by: (&LoadedRules, &LoadedForm)) {
        let request = VillageRequest { seed, ordinal, households: PER_VILLAGE, on: ON };
        let mut random = Random::new(seed.wrapping_add(ordinal));
        for household in &village(&request, Parameters::bundled()).households {
            if self.households == until {
                return;
            }
            let facts = visit_facts(&mut random, household, ON, REGION);
            self.people += household.members.len() as u64;
            self.add(&find(by.0, by.1, &facts));
        }
    }

    fn add(&mut self, found: &Findings) {
        self.households += 1;
        let mut hits = found.findings.iter().filter(|finding| finding.answer == RuleAnswer::Hit);
        self.with_lead += u64::from(hits.any(|finding| !NO_LEADS.contains(&finding.rule.as_str())));
        for finding in &found.findings {
            let answers = self.rules.entry(finding.rule.clone()).or_default();
            match finding.answer {
                RuleAnswer::Hit => answers.hit += 1,
                RuleAnswer::Clear => answers.clear += 1,
                RuleAnswer::Unknown => answers.unknown += 1,
            }
        }
        // The whole of it: what was looked at and what the formulas come to, not only how it ended.
        self.digest.update(serde_json::to_vec(found).unwrap_or_default());
    }

    fn percent_hit(&self, rule: &str) -> f64 {
        self.rules.get(rule).map_or(0.0, |answers| 100.0 * share(answers.hit, self.households))
    }
}

impl fmt::Display for Leads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10} {:>8} {:>8} {:>8}", "rule", "hit", "clear", "unknown")?;
        for (rule, Answers { hit, clear, unknown }) in &self.rules {
            writeln!(f, "{rule:<10} {hit:>8} {clear:>8} {unknown:>8}")?;
        }
        let (seen, lead) = (self.households, 100.0 * share(self.with_lead, self.households));
        writeln!(f, "{seen} households, mean size {:.2} (7.3: 3.53)", share(self.people, seen))?;
        writeln!(f, "below the line {:.2} % (7.3: 5.14)", self.percent_hit("RK-INC-1"))?;
        writeln!(f, "below it after shocks {:.2} % (7.3: 1.58)", self.percent_hit("RK-INC-2"))?;
        writeln!(f, "any lead, without {} {lead:.2} % (7.3: 8.3)", NO_LEADS.join(", "))?;
        write!(f, "digest of all findings ")?;
        self.digest.clone().finalize().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn share(part: u64, whole: u64) -> f64 {
    let float = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    float(part) / float(whole.max(1))
}
