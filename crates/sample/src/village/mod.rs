//! Invented villages of a county: the generator's entry.

use std::fmt::Write as _;

use crate::certificate::Certificates;
use crate::date::Date;
use crate::household::{Code, SampleHousehold, SampleMember, SampleMonitor, SampleVillage};
use crate::kinship::{Place, places};
use crate::living::{housing, income, per_capita_yuan, water};
use crate::member::{Maker, phone};
use crate::name::Surnames;
use crate::parameters::Parameters;
use crate::random::Random;

/// Regions of Cili county (慈利县): province, prefecture, county, townships and villages as `code,name`, codes as
/// long as their level.
pub const REGIONS_CILI: &str = include_str!("../../regions-cili.csv");

/// Code of the county the villages are placed in.
pub(crate) const COUNTY_CODE: Code = "430821";
const COUNTY_NAME: &str = "慈利县";

/// Characters of invented village names.
const PLACE_FIRST: &str = "云松竹清石枫梨樟凤鹤岩溪碧金柳桐青白银玉";
const PLACE_SECOND: &str = "溪坪岭湾坡桥冲垭塘峪洞坳滩台沟源岗井坝界";

/// What village to make. The same request always gives the same village.
#[derive(Clone, Copy, Debug)]
pub struct VillageRequest {
    /// Seed of the whole sample.
    pub seed: u64,
    /// Which village of the sample, from 0. Villages with different ordinals below 100 share no certificate number.
    pub ordinal: u64,
    /// How many households.
    pub households: usize,
    /// The day the figures are of.
    pub on: Date,
}

/// Makes an invented village.
pub fn village(request: &VillageRequest, figures: &Parameters) -> SampleVillage {
    let mut village = empty_village(request);
    let mut naming = Random::stream(request.seed, request.ordinal);
    let surnames = Surnames::of_village(&mut naming, &figures.village);
    let mut maker = maker(request, figures);
    let household_seed = naming.bits();
    for index in 0..request.households {
        let mut random = Random::stream(household_seed, u64::try_from(index).unwrap_or(u64::MAX));
        let places = places(&mut random, figures);
        let household =
            household(&mut random, &mut maker, &surnames, &places, &village, number(request, index));
        village.households.push(household);
    }
    village
}

/// A village with a name, a code and groups, but no households yet.
pub(crate) fn empty_village(request: &VillageRequest) -> SampleVillage {
    let townships: Vec<(&str, &str)> = REGIONS_CILI
        .lines()
        .filter_map(|line| line.split_once(','))
        .filter(|(code, _)| code.len() == 9)
        .collect();
    let count = u64::try_from(townships.len()).unwrap_or(1).max(1);
    let index = usize::try_from(request.ordinal % count).unwrap_or(0);
    let (code, township) = townships.get(index).copied().unwrap_or_default();
    let groups = (request.households / 12).clamp(3, 20);
    SampleVillage {
        // Villagers' committees have 200 to 399 as their last digits; 900 to 999 are nobody's.
        code: format!("{code}{:03}", 900 + (request.ordinal / count) % 100),
        name: place_name(request),
        township: township.to_owned(),
        county: COUNTY_NAME.to_owned(),
        on: request.on,
        groups: (1..=groups).map(|number| format!("{}组", chinese_number(number))).collect(),
        households: Vec::new(),
    }
}

pub(crate) fn maker<'a>(request: &VillageRequest, figures: &'a Parameters) -> Maker<'a> {
    Maker {
        figures,
        on: request.on,
        county_code: COUNTY_CODE,
        certificates: Certificates::of_village(request.ordinal),
    }
}

/// The household number: county, village and household, 16 digits.
pub(crate) fn number(request: &VillageRequest, index: usize) -> String {
    format!("{COUNTY_CODE}{:05}{:05}", request.ordinal % 100_000, index + 1)
}

/// The person number: the household number and the place in the household.
pub(crate) fn person_number(household: &str, index: usize) -> String {
    format!("{household}{:02}", index + 1)
}

fn household(
    random: &mut Random,
    maker: &mut Maker<'_>,
    surnames: &Surnames,
    places: &[Place],
    village: &SampleVillage,
    national_no: String,
) -> SampleHousehold {
    let family = maker.family(random, surnames);
    let mut members: Vec<SampleMember> = Vec::with_capacity(places.len());
    for (index, place) in places.iter().enumerate() {
        members.push(maker.member(random, *place, family, person_number(&national_no, index)));
    }
    let mut household = SampleHousehold { national_no, members, ..SampleHousehold::default() };
    settle(random, maker.figures, &mut household, village);
    household.housing = housing(random, maker.figures, people(&household), village.on.year);
    household.water = water(random, maker.figures);
    household
}

/// Where a household lives, how it is registered and what it lives on.
pub(crate) fn settle(
    random: &mut Random,
    figures: &Parameters,
    household: &mut SampleHousehold,
    village: &SampleVillage,
) {
    let groups: Vec<&str> = village.groups.iter().map(String::as_str).collect();
    household.group = random.pick(&groups).to_owned();
    household.address = format!("{}{}号", household.group, random.between(1, 120));
    household.phone = random.chance(figures.household.has_phone).then(|| phone(random));
    let per_capita = per_capita_yuan(random, figures);
    registration(random, figures, household, per_capita, village.on);
    if household.household_type == "lifted" && random.chance(figures.household.rural_allowance) {
        household.poverty_attribute = Some("subsistence_allowance");
        household.members.iter_mut().for_each(|member| member.allowance = "rural");
    }
    household.income = income(random, figures, &household.members, per_capita);
}

/// Register type, cause and monitoring.
fn registration(
    random: &mut Random,
    figures: &Parameters,
    household: &mut SampleHousehold,
    per_capita: f64,
    on: Date,
) {
    let shares = &figures.household;
    let kind = random.weighted(&[
        (1_u8, shares.lifted),
        (2, shares.not_enjoying),
        (3, shares.edge),
        (4, shares.general_watch),
    ]);
    household.household_type = match kind {
        1 => "lifted",
        2 => "lifted_without_policies",
        _ => "general",
    };
    if kind <= 2 {
        household.poverty_attribute = Some("general");
        household.main_cause = Some(cause(random));
        household.exit_year = Some(random.between(2014, 2020));
        household.registered_month = Some(format!("{}-12", random.between(2013, 2016)));
    }
    let (category, probability) = match kind {
        1 => ("unstable_lifted", unstable_probability(figures, per_capita)),
        3 => ("edge", shares.monitored * shares.marginal / shares.edge),
        4 => ("sudden_difficulty", shares.monitored * shares.sudden / shares.general_watch),
        _ => ("", 0.0),
    };
    if random.chance(probability) {
        let monitor = monitor(random, figures, category, on);
        household.registered_month.get_or_insert_with(|| monitor.identified_month.clone());
        household.monitor = Some(monitor);
    }
}

/// How often a lifted household is monitored: more often below the line, less above it, the same in all.
fn unstable_probability(figures: &Parameters, per_capita: f64) -> f64 {
    let shares = &figures.household;
    // 5.1 % of the income distribution lies below a line of 7,300 yuan.
    const BELOW: f64 = 0.051;
    let overall = shares.monitored * shares.unstable / shares.lifted;
    let below = (overall * shares.watch_factor).min(1.0);
    if per_capita < shares.watch_line_yuan { below } else { (overall - BELOW * below) / (1.0 - BELOW) }
}

fn monitor(random: &mut Random, figures: &Parameters, category: Code, on: Date) -> SampleMonitor {
    let identified = on.plus_days(-random.between(200, 1_400));
    let mut risks = vec![risk(random, figures)];
    let second = risk(random, figures);
    if random.chance(0.3) && !risks.contains(&second) {
        risks.push(second);
    }
    let eliminated = random
        .chance(figures.household.eliminated_of_monitored)
        .then(|| identified.plus_days(random.between(185, 195)).month_text());
    SampleMonitor { category, risks, identified_month: identified.month_text(), eliminated_month: eliminated }
}

fn risk(random: &mut Random, figures: &Parameters) -> Code {
    let shares = &figures.risk;
    random.weighted(&[
        ("illness", shares.illness),
        ("disability", shares.disability),
        ("unstable_work", shares.unstable_work),
        ("labour_shortage", shares.lack_of_labour),
        ("schooling", shares.schooling),
        ("accident", shares.accident),
        ("disaster", shares.disaster),
        ("industry_failure", shares.project_failure),
        ("unsafe_housing", shares.unsafe_housing),
        ("unsafe_water", shares.unsafe_water),
        ("other", shares.other),
    ])
}

fn cause(random: &mut Random) -> Code {
    random.weighted(&[
        ("illness", 0.441),
        ("disability", 0.14),
        ("skill_shortage", 0.14),
        ("labour_shortage", 0.1),
        ("schooling", 0.08),
        ("fund_shortage", 0.06),
        ("disaster", 0.02),
        ("land_shortage", 0.01),
        ("lack_of_drive", 0.009),
    ])
}

pub(crate) fn people(household: &SampleHousehold) -> i64 {
    i64::try_from(household.members.len()).unwrap_or(1)
}

/// A village name that no village of the county has.
fn place_name(request: &VillageRequest) -> String {
    let mut random = Random::stream(request.seed ^ 0x6e61_6d65, request.ordinal);
    let first: Vec<char> = PLACE_FIRST.chars().collect();
    let second: Vec<char> = PLACE_SECOND.chars().collect();
    loop {
        let name = format!("{}{}村", random.pick(&first), random.pick(&second));
        if !REGIONS_CILI.contains(&name) {
            return name;
        }
    }
}

/// Numbers from 1 to 99 in Chinese.
fn chinese_number(number: usize) -> String {
    const DIGITS: [&str; 10] = ["", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    let digit = |value: usize| DIGITS.get(value % 10).copied().unwrap_or_default();
    let mut text = String::new();
    match number / 10 {
        0 => {}
        1 => text.push('十'),
        tens => {
            let _ = write!(text, "{}十", digit(tens));
        }
    }
    text.push_str(digit(number));
    text
}

#[cfg(test)]
mod tests;
