//! Dwelling, water and income of an invented household.

use crate::household::{Code, SampleHousing, SampleIncome, SampleMember, SampleWater};
use crate::parameters::Parameters;
use crate::random::{Random, whole};

/// A dwelling for that many people.
pub(crate) fn housing(random: &mut Random, figures: &Parameters, people: i64, year: i64) -> SampleHousing {
    let shares = &figures.housing;
    let safe_by = random.weighted(&[
        ("originally_safe", shares.safe),
        ("renovated", shares.renovated),
        ("relocated", shares.relocated),
    ]);
    let relocated = safe_by == "relocated";
    let grade = if relocated {
        "a"
    } else {
        random.weighted(&[
            ("a", shares.grade_a),
            ("b", shares.grade_b),
            ("c", shares.grade_c),
            ("d", shares.grade_d),
        ])
    };
    let dwelling_kind = match relocated {
        true => "relocation",
        false => random.weighted(&[("owned", 0.965), ("rented", 0.015), ("with_kin", 0.02)]),
    };
    SampleHousing {
        dwelling_kind,
        structure: if relocated { "reinforced_concrete" } else { structure(random, figures) },
        area_hundredths: people * random.between(2_000, 4_500) + random.between(0, 2_000),
        built_year: if relocated { random.between(2016, 2020) } else { random.between(1_978, year - 3) },
        grade,
        grade_basis: random.weighted(&[("appraisal", 0.3), ("assessment", 0.6), ("visual", 0.1)]),
        safe_by: matches!(grade, "a" | "b").then_some(safe_by),
        toilet: toilet(random, figures),
    }
}

fn structure(random: &mut Random, figures: &Parameters) -> Code {
    let shares = &figures.housing;
    random.weighted(&[
        ("reinforced_concrete", shares.reinforced_concrete),
        ("brick_concrete", shares.brick_concrete),
        ("brick_wood", shares.brick_wood),
        ("adobe", shares.adobe),
        ("bamboo_wood", shares.bamboo_wood),
        ("other", shares.other),
    ])
}

fn toilet(random: &mut Random, figures: &Parameters) -> Code {
    let shares = &figures.toilet;
    random.weighted(&[
        ("flush_sanitary", shares.flush_sanitary),
        ("flush_other", shares.flush_other),
        ("dry_sanitary", shares.dry_sanitary),
        ("dry", shares.dry),
        ("none", shares.none),
    ])
}

/// Drinking water.
pub(crate) fn water(random: &mut Random, figures: &Parameters) -> SampleWater {
    let shares = &figures.water;
    let (source, piped) = if random.chance(shares.piped) {
        (random.weighted(&[("purified_tap", 0.55), ("protected_well", 0.45)]), "piped")
    } else {
        let source = random.weighted(&[
            ("protected_well", 0.6),
            ("unprotected_well", 0.25),
            ("river_or_lake", 0.05),
            ("rain", 0.08),
            ("bottled", 0.02),
        ]);
        (source, random.weighted(&[("public_point", 0.4), ("self_fetched", 0.6)]))
    };
    let known = !random.chance(shares.quality_unknown);
    let quality = random.weighted(&[("tested_good", 0.45), ("looks_good", 0.545), ("looks_bad", 0.005)]);
    let shortage_days = if random.chance(shares.shortage) { random.between(37, 90) } else { 0 };
    SampleWater {
        source,
        piped,
        enough: random.weighted(&[("enough", 0.985), ("between_20_and_35", 0.0145), ("below_20", 0.0005)]),
        quality: known.then_some(quality),
        shortage_days,
    }
}

/// Net income a person and year in yuan.
pub(crate) fn per_capita_yuan(random: &mut Random, figures: &Parameters) -> f64 {
    random.lognormal(figures.income.mu, figures.income.sigma)
}

/// Splits a net income into its kinds, so that they add up to it to the yuan.
pub(crate) fn income(
    random: &mut Random,
    figures: &Parameters,
    members: &[SampleMember],
    per_capita: f64,
) -> SampleIncome {
    let shares = &figures.income;
    let people = u32::try_from(members.len()).unwrap_or(1);
    let net = whole(per_capita * f64::from(people)).max(600);
    let earns = members.iter().any(|member| member.work.as_ref().is_some_and(|work| work.wage_month_fen > 0));
    // Without a wage the same living comes from the fields and from transfers.
    let wage = if earns { part(random, net, shares.wage) } else { 0 };
    let property = part(random, net - wage, shares.property / (1.0 - shares.wage));
    let business_net =
        part(random, net - wage - property, shares.business / (shares.business + shares.transfer));
    let transfer = net - wage - property - business_net;
    let business = whole(whole_f64(business_net) / (1.0 - shares.business_cost));
    let allowance = if members.iter().any(|member| member.allowance != "none") { transfer / 2 } else { 0 };
    let receiving = members.iter().filter(|member| member.pension == Some("resident_receiving")).count();
    let pension = (i64::try_from(receiving).unwrap_or(0) * 1_536).min(transfer - allowance);
    let ecological = random.between(0, 400).min(transfer - allowance - pension);
    let self_pay = if random.chance(shares.self_pay) {
        whole(random.lognormal(shares.self_pay_mu, shares.self_pay_sigma))
    } else {
        0
    };
    SampleIncome {
        wage_fen: wage * 100,
        business_fen: business * 100,
        business_cost_fen: (business - business_net) * 100,
        property_fen: property * 100,
        allowance_fen: allowance * 100,
        pension_fen: pension * 100,
        ecological_fen: ecological * 100,
        other_transfer_fen: (transfer - allowance - pension - ecological) * 100,
        self_pay_fen: self_pay * 100,
    }
}

/// A share of an amount, give or take a fifth.
fn part(random: &mut Random, amount: i64, share: f64) -> i64 {
    whole(whole_f64(amount) * share * (0.8 + 0.4 * random.unit())).clamp(0, amount.max(0))
}

/// Yuan amounts here are far below the 2^53 that a float holds exactly.
const fn whole_f64(amount: i64) -> f64 {
    amount as f64
}
