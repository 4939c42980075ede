//! The codes of the sample against the code lists, and its numbers against the domain's rules.

use std::collections::BTreeSet;

use ruhu_survey::certificate_number::CertificateNumber;
use ruhu_survey::change::DocumentKind;
use ruhu_survey::code_list::code;
use ruhu_survey::field_table::{Type, field};

use crate::census::tests::{request, whole_census};
use crate::census::villages;
use crate::{
    Date, Parameters, Random, SampleHousehold, SampleMember, SampleValue, VillageRequest, village,
    visit_answers,
};

fn households() -> Vec<SampleHousehold> {
    let request =
        |ordinal| VillageRequest { seed: 430_000, ordinal, households: 150, on: Date::new(2024, 5, 1) };
    (0..8).flat_map(|ordinal| village(&request(ordinal), Parameters::bundled()).households).collect()
}

#[test]
fn every_code_of_a_village_is_in_its_code_list() {
    let mut used = BTreeSet::new();
    for household in &households() {
        household_codes(household, &mut used);
        household.members.iter().for_each(|member| member_codes(member, &mut used));
    }
    assert!(used.len() > 120, "{}", used.len());
    for (list, value) in used {
        assert!(code(list, value).is_some(), "{value} is not in {list}");
    }
}

#[test]
fn every_code_of_the_whole_census_is_in_its_code_list() {
    let Some((homes, people)) = whole_census() else { return };
    let census = villages(&homes, &people, &request(12), Parameters::bundled()).unwrap();
    let mut used = BTreeSet::new();
    for household in census.villages.iter().flat_map(|village| &village.households) {
        household_codes(household, &mut used);
        household.members.iter().for_each(|member| member_codes(member, &mut used));
    }
    for (list, value) in used {
        assert!(code(list, value).is_some(), "{value} is not in {list}");
    }
}

fn household_codes(household: &SampleHousehold, used: &mut BTreeSet<(&'static str, &'static str)>) {
    let (housing, water) = (&household.housing, &household.water);
    used.extend([
        ("household_type", household.household_type),
        ("dwelling_kind", housing.dwelling_kind),
        ("house_structure", housing.structure),
        ("house_grade", housing.grade),
        ("grade_basis", housing.grade_basis),
        ("toilet", housing.toilet),
        ("water_source", water.source),
        ("water_piped", water.piped),
        ("water_enough", water.enough),
    ]);
    used.extend(household.poverty_attribute.map(|value| ("poverty_attribute", value)));
    used.extend(household.main_cause.map(|value| ("poverty_cause", value)));
    used.extend(housing.safe_by.map(|value| ("safe_by", value)));
    used.extend(water.quality.map(|value| ("water_quality", value)));
    if let Some(monitor) = &household.monitor {
        used.insert(("monitor_category", monitor.category));
        used.extend(monitor.risks.iter().map(|value| ("risk_type", *value)));
    }
}

fn member_codes(member: &SampleMember, used: &mut BTreeSet<(&'static str, &'static str)>) {
    used.extend([
        ("sex", member.sex.code()),
        ("relation_to_head", member.relation_to_head),
        ("certificate_type", member.certificate_type),
        ("ethnicity", member.ethnicity),
        ("labour_ability", member.labour_ability),
        ("medical_cover", member.basic_medical),
        ("subsistence_allowance", member.allowance),
    ]);
    used.extend(member.education_level.map(|value| ("education_level", value)));
    used.extend(member.in_school_status.map(|value| ("in_school_status", value)));
    used.extend(member.out_of_school_reason.map(|value| ("out_of_school_reason", value)));
    used.extend(member.pension.map(|value| ("pension", value)));
    used.extend(member.health.iter().map(|value| ("health_status", *value)));
    if let Some(work) = &member.work {
        used.insert(("work_status", work.status));
        used.extend(work.place.map(|value| ("work_place", value)));
    }
}

#[test]
fn every_answer_fits_its_field() {
    let mut random = Random::new(1);
    for household in &households() {
        for answer in visit_answers(&mut random, household) {
            let key = answer.key();
            let field = field(DocumentKind::Check, &key).unwrap_or_else(|| panic!("there is no field {key}"));
            assert_eq!(field.check(&answer.value.to_value()), Ok(()), "{key} {:?}", answer.value);
            if let SampleValue::Code(list, _) = answer.value {
                assert_eq!(field.field.kind, Type::Code { list: list.to_owned() }, "{key}");
            }
        }
    }
}

#[test]
fn every_certificate_number_is_valid_and_of_an_unissued_area() {
    for household in &households() {
        for member in &household.members {
            let number = CertificateNumber::parse(&member.certificate_no).unwrap();
            assert!(number.is_unissued_area());
            assert_eq!(number.birth_date(), member.birth.to_string());
        }
    }
}
