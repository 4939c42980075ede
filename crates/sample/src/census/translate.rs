//! The census's codes as ours.

use super::CensusError;
use super::table::Record;
use crate::household::{Code, SampleHousing, SampleMember, SampleWater, SampleWork, Sex};
use crate::kinship::Place;
use crate::member::{Maker, ability, is_in_school, reason, stage};
use crate::parameters::Parameters;
use crate::random::{Random, whole};

/// The people of a dwelling with their places, the head first.
pub(super) fn places<'r, 'a>(
    dwelling: &Record<'_>,
    people: &'r [Record<'a>],
) -> Result<Vec<(&'r Record<'a>, Place)>, CensusError> {
    let mut heads = Vec::new();
    let mut others = Vec::new();
    for record in people {
        if record.required("P02_REL")? == 1 { heads.push(record) } else { others.push(record) }
    }
    let [head] = heads.as_slice() else { return Err(CensusError::Heads(dwelling.line)) };
    let head_place = Place { relation: "head", sex: sex(head)?, age: age(head)? };
    let mut places = vec![(*head, head_place)];
    for record in others {
        let has_spouse = places.iter().any(|(_, place)| place.relation == "spouse");
        places.push((record, place(record, head_place, has_spouse)?));
    }
    Ok(places)
}

fn place(record: &Record<'_>, head: Place, has_spouse: bool) -> Result<Place, CensusError> {
    let (sex, age) = (sex(record)?, age(record)?);
    let relation = match record.required("P02_REL")? {
        2 if !has_spouse && sex != head.sex => "spouse",
        3 => by_sex(sex, "son", "daughter"),
        4 => by_sex(sex, "father", "mother"),
        5 => kin(sex, head.age - age),
        2 | 6 | 9 => "other",
        other => return Err(record.wrong("P02_REL", &other.to_string())),
    };
    Ok(Place { relation, sex, age })
}

/// "Other relative" by sex and by how much younger than the head somebody is.
fn kin(sex: Sex, younger: i64) -> Code {
    match (younger, sex) {
        (36.., _) => by_sex(sex, "sons_son", "sons_daughter"),
        (13..36, _) => by_sex(sex, "nephew", "niece"),
        (-14..13, _) => "sibling",
        (_, Sex::Male) => "uncle",
        (_, Sex::Female) => "other",
    }
}

const fn by_sex(sex: Sex, male: Code, female: Code) -> Code {
    match sex {
        Sex::Male => male,
        Sex::Female => female,
    }
}

fn sex(record: &Record<'_>) -> Result<Sex, CensusError> {
    match record.text("P03_SEX")? {
        "1" => Ok(Sex::Male),
        "2" => Ok(Sex::Female),
        other => Err(record.wrong("P03_SEX", other)),
    }
}

fn age(record: &Record<'_>) -> Result<i64, CensusError> {
    let age = record.required("P04_AGE")?;
    if (0..=98).contains(&age) { Ok(age) } else { Err(record.wrong("P04_AGE", &age.to_string())) }
}

/// Schooling: the census counts five years of primary, three of middle and four of high school.
pub(super) fn school(
    random: &mut Random,
    figures: &Parameters,
    record: &Record<'_>,
    member: &mut SampleMember,
    age: i64,
) -> Result<(), CensusError> {
    let attends = record.number("P09_ATTEND")? == Some(1);
    let grade = record.number("P10_HIGH_GR")?.filter(|grade| *grade != 99);
    let illiterate = record.number("P11_LITERACY")? == Some(2);
    match (attends, age) {
        (true, ..6) => member.in_school_status = Some("preschool"),
        (true, _) => member.in_school_status = Some(grade.map_or(stage(age), year_after)),
        (false, ..6) => member.education_level = Some("preschool_child"),
        (false, 6..16) => {
            member.in_school_status = Some("not_in_school");
            member.out_of_school_reason = Some(reason(random, figures));
        }
        (false, _) => member.education_level = Some(completed(grade.unwrap_or(0), illiterate)),
    }
    Ok(())
}

/// The school year somebody is in who completed that many.
const fn year_after(completed: i64) -> Code {
    match completed {
        ..5 => "primary",
        5 => "junior_1",
        6 => "junior_2",
        7 => "junior_3",
        8 => "senior_1",
        9 => "senior_2",
        10 | 11 => "senior_3",
        _ => "college_or_above",
    }
}

const fn completed(grade: i64, illiterate: bool) -> Code {
    match grade {
        ..1 if illiterate => "illiterate",
        ..6 => "primary",
        6..9 => "junior_secondary",
        9..13 => "senior_secondary",
        _ => "college_or_above",
    }
}

/// Work: occupation 61 is farming, every other work is for wages near home.
pub(super) fn work(
    random: &mut Random,
    maker: &Maker<'_>,
    record: &Record<'_>,
    member: &mut SampleMember,
    age: i64,
) -> Result<(), CensusError> {
    let works = record.number("P12_WORKING")? == Some(1);
    let farms = record.number("P15_OCC")?.is_none_or(|occupation| occupation == 61);
    let in_school = is_in_school(member);
    member.labour_ability = match (works, age) {
        _ if in_school => "none",
        (true, 16..60) => "ordinary",
        (true, 60..) => "weak_or_half",
        _ => ability(random, maker.figures, age, in_school),
    };
    if age < 16 || in_school || matches!(member.labour_ability, "none" | "lost") {
        return Ok(());
    }
    let shares = &maker.figures.member;
    let status = match (works, farms) {
        (false, _) => "not_working",
        (true, true) => "farming_at_home",
        (true, false) => "in_county",
    };
    let mut work = SampleWork { status, ..SampleWork::default() };
    if status == "in_county" {
        let wage = random.lognormal(shares.wage_month_mu, shares.wage_month_sigma);
        work.county = Some(maker.county_code);
        work.place = Some("in_township");
        work.months = 11;
        work.wage_month_fen = whole(wage.clamp(shares.wage_month_min, shares.wage_month_max) / 10.0) * 1_000;
    }
    member.work = Some(work);
    Ok(())
}

/// The dwelling: what the census knows replaces what was invented.
pub(super) fn housing(
    random: &mut Random,
    record: &Record<'_>,
    mut housing: SampleHousing,
) -> Result<SampleHousing, CensusError> {
    let (wall, roof) = (record.number("H02_WALL")?, record.number("H03_ROOF")?);
    housing.structure = structure(wall, roof);
    housing.dwelling_kind = match record.number("H06_TENURE")? {
        Some(1) => "owned",
        Some(2) => "rented",
        Some(3) => "with_kin",
        _ => "other",
    };
    housing.safe_by = housing.safe_by.map(|_| "originally_safe");
    if wall == Some(6) || roof == Some(6) {
        (housing.grade, housing.safe_by) = ("d", None);
    }
    if record.number("H01_TYPE")? == Some(6) {
        (housing.grade, housing.safe_by) = ("ungraded", None);
    }
    if let Some(rooms) = record.number("H05_ROOMS")?.filter(|rooms| *rooms != 99) {
        housing.area_hundredths = rooms * random.between(1_800, 2_600);
    }
    housing.toilet = match record.number("H08_TOILET")? {
        Some(1) => "flush_sanitary",
        Some(2) => "flush_other",
        Some(3) => "dry_sanitary",
        Some(4 | 5) => "dry",
        Some(6) => "none",
        _ => housing.toilet,
    };
    Ok(housing)
}

/// Walls of stone or cement under a roof of cement, metal or anything else; other walls by themselves.
const fn structure(wall: Option<i64>, roof: Option<i64>) -> Code {
    match (wall, roof) {
        (Some(1), Some(1)) => "reinforced_concrete",
        (Some(1), Some(2)) => "brick_concrete",
        (Some(1), _) => "brick_wood",
        (Some(3), _) => "bamboo_wood",
        (Some(4), _) => "adobe",
        _ => "other",
    }
}

/// Drinking water: source and distance are the census's, the rest is invented.
pub(super) fn water(record: &Record<'_>, mut water: SampleWater) -> Result<SampleWater, CensusError> {
    (water.source, water.piped) = match record.number("H10_WATER")? {
        Some(1) => ("purified_tap", "piped"),
        Some(2) => ("purified_tap", "public_point"),
        Some(3) => ("bottled", "self_fetched"),
        Some(4) => ("protected_well", "self_fetched"),
        Some(5) => ("unprotected_well", "self_fetched"),
        Some(6) => ("river_or_lake", "self_fetched"),
        _ => (water.source, water.piped),
    };
    Ok(water)
}
