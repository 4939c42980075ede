//! What the rules find over many invented households: `findings [households] [seed]`.
#![expect(clippy::disallowed_methods, reason = "a program measures its own time")]

use std::collections::BTreeMap;
use std::time::Instant;

use ruhu_sample::{Date, Parameters, Random, VillageRequest, village, visit_facts};
use ruhu_survey::form::{FIRST, newest};
use ruhu_survey::rule::{RuleAnswer, find, rules_for};

/// A line is known for this place and time.
const REGION: &str = "520000000000";
const PER_VILLAGE: usize = 400;

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let households = arguments.next().unwrap_or(10_000);
    let seed = arguments.next().unwrap_or(1);
    let on = Date::new(2023, 6, 1);
    let (Some(rules), Some(form)) = (rules_for(REGION, "2023-06"), newest(FIRST)) else {
        println!("no rules for {REGION}");
        return;
    };
    let mut counts: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    let (mut seen, mut people, mut risky) = (0_u64, 0_u64, 0_u64);
    let mut digest = 0_u64;
    let begun = Instant::now();
    for ordinal in 0.. {
        if seen >= households {
            break;
        }
        let request = VillageRequest { seed, ordinal, households: PER_VILLAGE, on };
        let mut random = Random::new(seed.wrapping_add(ordinal));
        for household in &village(&request, Parameters::bundled()).households {
            if seen >= households {
                break;
            }
            seen += 1;
            people += u64::try_from(household.members.len()).unwrap_or_default();
            let facts = visit_facts(&mut random, household, on, REGION);
            let found = find(rules, form, &facts);
            let lead = |rule: &str| !matches!(rule, "RK-OUT" | "RK-INC-3" | "RK-LAB" | "RK-DIS");
            risky += u64::from(found.findings.iter().any(|f| f.answer == RuleAnswer::Hit && lead(&f.rule)));
            for finding in found.findings {
                let which = match finding.answer {
                    RuleAnswer::Hit => 0,
                    RuleAnswer::Clear => 1,
                    RuleAnswer::Unknown => 2,
                };
                digest = digest.wrapping_mul(1_099_511_628_211).wrapping_add(which);
                if let Some(count) =
                    counts.entry(finding.rule).or_default().get_mut(usize::try_from(which).unwrap_or(2))
                {
                    *count += 1;
                }
            }
        }
    }
    report(&counts, [seen, people, risky], digest);
    println!(
        "{:.2} s, {:.0} µs a household",
        begun.elapsed().as_secs_f64(),
        begun.elapsed().as_secs_f64() * 1e6 / share(seen, 1)
    );
}

/// Counts and the shares that the domain model (7.3) gives for such households.
fn report(counts: &BTreeMap<String, [u64; 3]>, [seen, people, risky]: [u64; 3], digest: u64) {
    println!("{:<10} {:>8} {:>8} {:>8}", "rule", "hit", "clear", "unknown");
    for (rule, [hit, clear, unknown]) in counts {
        println!("{rule:<10} {hit:>8} {clear:>8} {unknown:>8}");
    }
    let of = |rule: &str| counts.get(rule).map_or(0.0, |[hit, ..]| 100.0 * share(*hit, seen));
    println!("{seen} households, mean size {:.2} (7.3: 3.53)", share(people, seen));
    println!("below the line {:.2} % (7.3: 5.14)", of("RK-INC-1"));
    println!("below it after shocks {:.2} % (7.3: 1.58)", of("RK-INC-2"));
    println!("any lead, without RK-LAB, RK-DIS and RK-OUT {:.2} % (7.3: 8.3)", 100.0 * share(risky, seen));
    println!("digest of all answers {digest:016x}");
}

fn share(part: u64, whole: u64) -> f64 {
    let float = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    float(part) / float(whole.max(1))
}
