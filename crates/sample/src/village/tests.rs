//! The invented villages against the figures they are made from.

use std::collections::{BTreeMap, BTreeSet};

use super::{REGIONS_CILI, VillageRequest, chinese_number, village};
use crate::date::Date;
use crate::household::{SampleHousehold, SampleMember, SampleVillage, Sex};
use crate::parameters::Parameters;

const ON: Date = Date::new(2024, 5, 1);

fn sample(ordinal: u64, households: usize) -> SampleVillage {
    village(&VillageRequest { seed: 430_000, ordinal, households, on: ON }, Parameters::bundled())
}

fn two_thousand() -> Vec<SampleHousehold> {
    (0..20).flat_map(|ordinal| sample(ordinal, 100).households).collect()
}

fn share<T>(items: &[T], has: impl Fn(&T) -> bool) -> f64 {
    let count = items.iter().filter(|item| has(item)).count();
    count as f64 / items.len() as f64
}

fn assert_near(name: &str, seen: f64, wanted: f64, tolerance: f64) {
    assert!((seen - wanted).abs() <= tolerance, "{name}: {seen:.4}, wanted {wanted} ± {tolerance}");
}

#[test]
fn two_thousand_households_have_the_sizes_ages_and_sexes_of_the_figures() {
    let figures = Parameters::bundled();
    let households = two_thousand();
    let members: Vec<&SampleMember> = households.iter().flat_map(|household| &household.members).collect();
    assert_near("mean size", members.len() as f64 / households.len() as f64, 3.5, 0.1);
    for (index, wanted) in figures.household.size.iter().enumerate() {
        let seen = share(&households, |household| household.members.len() == index + 1);
        assert_near("size", seen, *wanted, 0.025);
    }
    assert_near("male", share(&members, |member| member.sex == Sex::Male), figures.member.male, 0.02);
    let age = |low: i64, high: i64| share(&members, |member| (low..=high).contains(&member.birth.age_on(ON)));
    assert_near("0-5", age(0, 5), figures.member.age_0_5, 0.015);
    assert_near("6-15", age(6, 15), figures.member.age_6_15, 0.02);
    assert_near("16-59", age(16, 59), figures.member.age_16_59, 0.025);
    assert_near("60-74", age(60, 74), figures.member.age_60_74, 0.02);
    assert_near("75+", age(75, 110), figures.member.age_75_plus, 0.015);
}

#[test]
fn health_labour_and_work_are_those_of_the_figures() {
    let member = &Parameters::bundled().member;
    let households = two_thousand();
    let members: Vec<&SampleMember> = households.iter().flat_map(|household| &household.members).collect();
    assert_near("healthy", share(&members, |m| m.health == ["healthy"]), member.healthy, 0.03);
    assert_near(
        "disabled",
        share(&members, |m| m.health.contains(&"disabled")),
        member.disabled + member.combined,
        0.015,
    );
    let adults: Vec<&&SampleMember> = members
        .iter()
        .filter(|m| (16..60).contains(&m.birth.age_on(ON)) && m.education_level.is_some())
        .collect();
    let able = |m: &&&SampleMember| matches!(m.labour_ability, "ordinary" | "skilled");
    assert_near("able", share(&adults, able), member.able_16_59, 0.02);
    let able: Vec<_> = adults.into_iter().filter(able).collect();
    let away = |m: &&&&SampleMember| m.work.as_ref().is_some_and(|work| work.wage_month_fen > 0);
    assert_near("away", share(&able.iter().collect::<Vec<_>>(), away), member.away_of_labour, 0.03);
    let workers: Vec<_> =
        members.iter().filter_map(|m| m.work.as_ref()).filter(|work| work.place.is_some()).collect();
    assert_near(
        "outside",
        share(&workers, |work| work.place == Some("outside_province")),
        member.away_outside,
        0.04,
    );
}

#[test]
fn registration_income_housing_and_water_are_those_of_the_figures() {
    let figures = Parameters::bundled();
    let households = two_thousand();
    assert_near(
        "lifted",
        share(&households, |h| h.household_type == "lifted"),
        figures.household.lifted,
        0.02,
    );
    assert_near("monitored", share(&households, |h| h.monitor.is_some()), figures.household.monitored, 0.015);
    let mut incomes: Vec<i64> = households.iter().map(SampleHousehold::per_capita_net_income_fen).collect();
    incomes.sort_unstable();
    assert_near("median income", incomes[1_000] as f64 / 100.0, 14_500.0, 600.0);
    assert_near("below 7,300", share(&incomes, |income| *income < 730_000), 0.051, 0.015);
    assert_near(
        "relocated",
        share(&households, |h| h.housing.dwelling_kind == "relocation"),
        figures.housing.relocated,
        0.025,
    );
    assert_near("grade C or D", share(&households, |h| matches!(h.housing.grade, "c" | "d")), 0.005, 0.005);
    assert_near("piped", share(&households, |h| h.water.piped == "piped"), figures.water.piped, 0.02);
}

#[test]
fn every_member_is_consistent() {
    for household in two_thousand() {
        assert_eq!(household.members[0].relation_to_head, "head");
        assert!(household.members[0].birth.age_on(ON) >= 16, "{household:?}");
        for member in &household.members {
            consistent(&household, member);
        }
    }
}

fn consistent(household: &SampleHousehold, member: &SampleMember) {
    let age = member.birth.age_on(ON);
    let head_age = household.members[0].birth.age_on(ON);
    let digits = &member.certificate_no;
    assert!(digits.starts_with("4399"), "{digits}");
    assert_eq!(&digits[6..14], member.birth.compact());
    let odd = digits[16..17].parse::<u8>().unwrap() % 2 == 1;
    assert_eq!(odd, member.sex == Sex::Male);
    assert_eq!(digits.len(), if member.disability.is_some() { 20 } else { 18 });
    assert_ne!(member.education_level.is_some(), member.in_school_status.is_some());
    assert!((2..=4).contains(&member.full_name.chars().count()), "{}", member.full_name);
    let fits = match member.relation_to_head {
        "head" | "other" | "sibling" => true,
        "spouse" => member.sex != household.members[0].sex && age >= 18 && (age - head_age).abs() <= 20,
        "son" | "sons_son" => member.sex == Sex::Male && head_age - age >= 15,
        "daughter" | "sons_daughter" => member.sex == Sex::Female && head_age - age >= 15,
        "daughter_in_law" => member.sex == Sex::Female && age >= 20,
        "father" => member.sex == Sex::Male && age - head_age >= 15,
        "mother" => member.sex == Sex::Female && age - head_age >= 15,
        other => panic!("unexpected relation {other}"),
    };
    assert!(fits, "{} of {age} with a head of {head_age}: {member:?}", member.relation_to_head);
    if age < 16 {
        assert_eq!((member.labour_ability, &member.work), ("none", &None));
    }
    for phone in member.phone.iter().chain(&household.phone) {
        assert!(phone.len() == 11 && phone.starts_with('1') && phone[1..2] >= *"3", "{phone}");
    }
}

#[test]
fn children_have_the_surname_and_ethnicity_of_their_father() {
    for household in two_thousand() {
        let head = &household.members[0];
        let children = household.members.iter().filter(|m| matches!(m.relation_to_head, "son" | "daughter"));
        for child in children.filter(|_| head.sex == Sex::Male) {
            assert_eq!(child.full_name.chars().next(), head.full_name.chars().next());
            assert_eq!(child.ethnicity, head.ethnicity);
        }
    }
}

#[test]
fn incomes_add_up() {
    for household in two_thousand() {
        let income = &household.income;
        let parts = [
            income.wage_fen,
            income.business_fen,
            income.business_cost_fen,
            income.property_fen,
            income.allowance_fen,
            income.pension_fen,
            income.ecological_fen,
            income.other_transfer_fen,
            income.self_pay_fen,
        ];
        assert!(parts.iter().all(|part| *part >= 0), "{income:?}");
        assert!(income.net_fen() > 0);
    }
}

#[test]
fn the_same_request_gives_the_same_village_and_another_seed_another() {
    assert_eq!(sample(3, 50), sample(3, 50));
    let request = VillageRequest { seed: 1, ordinal: 3, households: 50, on: ON };
    assert_ne!(sample(3, 50), village(&request, Parameters::bundled()));
}

#[test]
fn a_larger_village_starts_with_the_households_of_a_smaller_one() {
    let (small, large) = (sample(3, 40), sample(3, 45));
    for (one, other) in small.households.iter().zip(&large.households) {
        assert_eq!(one.members, other.members);
    }
}

#[test]
fn numbers_of_households_people_and_certificates_come_once() {
    let villages: Vec<SampleVillage> = (0..40).map(|ordinal| sample(ordinal, 81)).collect();
    let mut seen = BTreeMap::<&str, BTreeSet<String>>::new();
    let mut once = |kind, number: &str| {
        assert!(seen.entry(kind).or_default().insert(number.to_owned()), "{kind} {number}")
    };
    for village in &villages {
        once("village", &village.code);
        for household in &village.households {
            once("household", &household.national_no);
            assert_eq!(household.national_no.len(), 16);
            assert!(village.groups.contains(&household.group));
            for member in &household.members {
                once("person", &member.national_no);
                once("certificate", &member.certificate_no);
            }
        }
    }
}

#[test]
fn an_invented_village_is_none_of_the_county_s_own() {
    for ordinal in 0..60 {
        let village = sample(ordinal, 1);
        assert_eq!(village.code.len(), 12);
        assert!(village.code.starts_with("430821"));
        assert!(!REGIONS_CILI.contains(&village.code) && !REGIONS_CILI.contains(&village.name));
        assert!(REGIONS_CILI.contains(&village.township));
    }
}

#[test]
fn three_surnames_hold_most_heads_of_a_village() {
    let village = sample(5, 400);
    let mut counts = BTreeMap::<char, u32>::new();
    for household in village.households.iter().filter(|household| household.members[0].sex == Sex::Male) {
        *counts.entry(household.members[0].full_name.chars().next().unwrap()).or_default() += 1;
    }
    let total: u32 = counts.values().sum();
    let mut counts: Vec<u32> = counts.into_values().collect();
    counts.sort_unstable();
    let top: u32 = counts.iter().rev().take(3).sum();
    assert_near("clans", f64::from(top) / f64::from(total), 0.70, 0.10);
}

#[test]
fn the_regions_are_one_county_with_its_ancestors() {
    let mut lines = REGIONS_CILI.lines();
    assert_eq!(lines.next(), Some("code,name"));
    let codes: Vec<&str> = lines.filter_map(|line| line.split_once(',')).map(|(code, _)| code).collect();
    assert_eq!(codes[..3], ["43", "4308", "430821"]);
    let of_length = |length| codes.iter().filter(|code| code.len() == length).count();
    assert_eq!((of_length(9), of_length(12), codes.len()), (26, 430, 459));
    assert!(codes.iter().all(|code| code.bytes().all(|byte| byte.is_ascii_digit())));
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
}

#[test]
fn numbers_of_groups_read_as_in_chinese() {
    let texts: Vec<String> = [1, 9, 10, 12, 20].map(chinese_number).into();
    assert_eq!(texts, ["一", "九", "十", "十二", "二十"]);
}
