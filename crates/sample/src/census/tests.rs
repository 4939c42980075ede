//! The census rows, from a few written here and from the whole census where it lies beside the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{CensusError, CensusRequest, CensusVillages, villages};
use crate::date::Date;
use crate::household::Sex;
use crate::parameters::Parameters;

const HOMES: &str = "PROVINCE,DISTRICT,VILLAGE,EA,UR,BUILDING,HU,HH,H01_TYPE,H02_WALL,H03_ROOF,H05_ROOMS,H06_TENURE,H08_TOILET,H10_WATER
01,01,030,001,2,021,024,1,1,1,2,02,1,6,5
01,01,030,001,2,022,025,1,1,1,3,01,4,6,5
01,01,030,001,2,023,026,1,6,,,,,,
";
const PEOPLE: &str = "PROVINCE,DISTRICT,VILLAGE,EA,UR,BUILDING,HU,HH,LINE,P02_REL,P03_SEX,P04_AGE,P09_ATTEND,P10_HIGH_GR,P11_LITERACY,P12_WORKING,P15_OCC
01,01,030,001,2,021,024,1,01,2,2,31,2,00,2,,
01,01,030,001,2,021,024,1,02,1,1,34,2,06,1,1,61
01,01,030,001,2,021,024,1,03,3,2,09,1,02,1,,
01,01,030,001,2,021,024,1,04,4,2,60,2,00,2,,
01,01,030,001,2,023,026,1,01,1,2,70,2,00,2,,
";

pub(crate) fn request(villages: usize) -> CensusRequest {
    CensusRequest { seed: 430_000, villages, on: Date::new(2024, 5, 1) }
}

fn read(homes: &str, people: &str) -> Result<CensusVillages, CensusError> {
    villages(homes, people, &request(1), Parameters::bundled())
}

#[test]
fn people_keep_relation_sex_age_and_schooling_and_the_head_comes_first() {
    let census = read(HOMES, PEOPLE).unwrap();
    assert_eq!((census.dwellings, census.empty_dwellings, census.people), (3, 1, 5));
    let household = &census.villages[0].households[0];
    let seen: Vec<_> = household
        .members
        .iter()
        .map(|m| (m.relation_to_head, m.sex, m.birth.age_on(Date::new(2024, 5, 1))))
        .collect();
    assert_eq!(
        seen,
        [
            ("head", Sex::Male, 34),
            ("spouse", Sex::Female, 31),
            ("daughter", Sex::Female, 9),
            ("mother", Sex::Female, 60)
        ]
    );
    assert_eq!(household.members[0].education_level, Some("junior_secondary"));
    assert_eq!(household.members[0].work.as_ref().unwrap().status, "farming_at_home");
    assert_eq!(household.members[2].in_school_status, Some("primary"));
    assert_eq!(household.members[3].education_level, Some("illiterate"));
    assert_eq!(household.housing.structure, "brick_concrete");
    assert_eq!((household.housing.toilet, household.water.source), ("none", "unprotected_well"));
}

#[test]
fn a_homeless_household_is_kept_without_a_house_grade() {
    let census = read(HOMES, PEOPLE).unwrap();
    let household = &census.villages[0].households[1];
    assert_eq!(household.members.len(), 1);
    assert_eq!((household.housing.grade, household.housing.dwelling_kind), ("ungraded", "other"));
}

#[test]
fn faults_are_named_with_their_line() {
    assert_eq!(read("A,B\n", PEOPLE).unwrap_err(), CensusError::NoDwelling(2));
    assert_eq!(read("A,B\n1,2\n", PEOPLE).unwrap_err(), CensusError::MissingColumn("PROVINCE"));
    assert_eq!(read(&format!("{HOMES}1,2\n"), PEOPLE).unwrap_err(), CensusError::Cells(5));
    let twice = format!("{HOMES}01,01,030,001,2,023,026,1,6,,,,,,\n");
    assert_eq!(read(&twice, PEOPLE).unwrap_err(), CensusError::RepeatedDwelling(5));
    let stray = PEOPLE.replace("01,01,030,001,2,023", "01,01,030,001,2,099");
    assert_eq!(read(HOMES, &stray).unwrap_err(), CensusError::NoDwelling(6));
    let no_head = PEOPLE.replace("02,1,1,34", "02,3,1,34");
    assert_eq!(read(HOMES, &no_head).unwrap_err(), CensusError::Heads(2));
    let no_sex = PEOPLE.replace("02,1,1,34", "02,1,7,34");
    let expected = CensusError::Value { line: 3, column: "P03_SEX", value: "7".to_owned() };
    assert_eq!(read(HOMES, &no_sex).unwrap_err(), expected);
}

/// The whole census, where it is at hand.
pub(crate) fn whole_census() -> Option<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let read = |name| std::fs::read_to_string(folder.join(name)).ok();
    let texts = read("popstan-households.csv").zip(read("popstan-persons.csv"));
    if texts.is_none() {
        eprintln!("not checked: the census texts are not beside the repository");
    }
    texts
}

#[test]
fn every_person_of_the_whole_census_becomes_a_member() {
    let Some((homes, people)) = whole_census() else { return };
    let census = villages(&homes, &people, &request(30), Parameters::bundled()).unwrap();
    assert_eq!(census.dwellings, 4_872);
    assert_eq!(census.empty_dwellings, 416);
    assert_eq!(census.people, 24_271);
    assert_eq!(census.villages.len(), 30);
    let households: Vec<_> = census.villages.iter().flat_map(|village| &village.households).collect();
    assert_eq!(households.len(), 4_456);
    let members: Vec<_> = households.iter().flat_map(|household| &household.members).collect();
    assert_eq!(members.len(), 24_271);
    assert_eq!(members.iter().filter(|member| member.sex == Sex::Male).count(), 11_787);
    assert_eq!(households.iter().map(|household| household.members.len()).max(), Some(23));
    assert_eq!(members.iter().filter(|member| member.relation_to_head == "head").count(), 4_456);
    let numbers: BTreeSet<&str> = members.iter().map(|member| member.certificate_no.as_str()).collect();
    assert_eq!(numbers.len(), 24_271, "no certificate number comes twice");
}

#[test]
fn the_ages_of_the_whole_census_are_those_of_the_people() {
    let Some((homes, people)) = whole_census() else { return };
    let census = villages(&homes, &people, &request(7), Parameters::bundled()).unwrap();
    let mut ages = BTreeMap::<i64, usize>::new();
    for member in
        census.villages.iter().flat_map(|village| &village.households).flat_map(|home| &home.members)
    {
        *ages.entry(member.birth.age_on(Date::new(2024, 5, 1))).or_default() += 1;
    }
    assert_eq!(ages.get(&0), Some(&896));
    assert_eq!(ages.get(&16), Some(&630));
    assert_eq!(ages.keys().last(), Some(&93));
}
