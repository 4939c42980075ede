//! Tests of the field tables: every key, every type, both sides of every bound.

use super::*;
use crate::change::Value;

const KINDS: &[DocumentKind] =
    &[DocumentKind::Household, DocumentKind::Check, DocumentKind::Issue, DocumentKind::Village];

const MEMBER_ID: &str = "7k3qabcd7k3qabcd";

fn household(key: &str) -> Option<FieldKey<'_>> {
    field(DocumentKind::Household, key)
}

fn check(key: &str) -> Option<FieldKey<'_>> {
    field(DocumentKind::Check, key)
}

#[test]
fn every_table_parses() {
    for files in [&[HOUSEHOLD, MEMBER][..], &[CHECK, ANSWER], &[ISSUE], &[VILLAGE]] {
        load::parse_table(files).unwrap();
    }
    let count: usize = KINDS.iter().map(|kind| table(*kind).fields().count()).sum();
    assert!(count > 250, "{count}");
}

#[test]
fn no_field_is_also_the_companion_or_the_element_of_another() {
    for kind in KINDS {
        for field in table(*kind).fields() {
            let Some((prefix, _)) = field.path.rsplit_once('/') else { continue };
            assert_eq!(field_by_path(*kind, prefix), None, "{}", field.path);
        }
    }
}

#[test]
fn every_field_has_labels_and_every_sealed_or_coded_field_holds_together() {
    for kind in KINDS {
        for field in table(*kind).fields() {
            assert!(!field.zh.is_empty() && !field.en.is_empty(), "{}", field.path);
            assert!(field.path.len() < 100, "{}", field.path);
            assert!(field.codes().is_some() == matches!(field.kind, Type::Code { .. } | Type::Set { .. }));
            assert!(field.merge == Merge::Server || !field.writers.is_empty(), "{}", field.path);
        }
        let table = table(*kind);
        for key in &table.required_all {
            assert!(field_by_path(*kind, key).is_some(), "{key}");
        }
        for key in table.required_any.iter().filter(|key| *key != "member") {
            assert!(field_by_path(*kind, key).is_some(), "{key}");
        }
    }
}

#[test]
fn a_member_field_needs_a_member_id() {
    let key = format!("member/{MEMBER_ID}/full_name");
    let found = household(&key).unwrap();
    assert_eq!((found.field.zh.as_str(), found.member), ("姓名", Some(MEMBER_ID)));
    assert_eq!(household("member/full_name"), None);
    assert_eq!(household("member/x/full_name"), None);
    assert_eq!(household(&format!("member/{MEMBER_ID}/nickname")), None);
    assert_eq!(household("full_name"), None);
}

#[test]
fn a_set_has_one_key_for_each_element() {
    let chronic = format!("member/{MEMBER_ID}/health_status/chronic");
    assert_eq!(household(&chronic).unwrap().element, Some("chronic"));
    assert_eq!(household(&format!("member/{MEMBER_ID}/health_status")), None);
    assert_eq!(household(&format!("member/{MEMBER_ID}/health_status/happy")), None);
    let source = format!("{chronic}/source");
    let companion = household(&source).unwrap();
    assert_eq!((companion.part, companion.value_key), (Part::Source, chronic.as_str()));
    assert_eq!(household("risk_types/illness/sort").unwrap().part, Part::Sort);
    assert_eq!(household("other_causes/illness/sort"), None);
}

#[test]
fn answers_are_of_the_household_or_of_a_member() {
    assert_eq!(check("answer/income/wage_income").unwrap().member, None);
    let state = format!("answer/education/state/{MEMBER_ID}");
    assert_eq!(check(&state).unwrap().member, Some(MEMBER_ID));
    let reason = format!("{state}/reason");
    assert_eq!(check(&reason).unwrap().value_key, state);
    let aid = format!("answer/education/aid/{MEMBER_ID}/grant");
    assert_eq!(check(&aid).unwrap().element, Some("grant"));
    assert_eq!(check("answer/education/state"), None);
    assert_eq!(check(&format!("answer/income/wage_income/{MEMBER_ID}")), None);
    assert_eq!(check("answer/water/source").unwrap().part, Part::Value);
    assert_eq!(check("answer/water/source/source").unwrap().part, Part::Source);
}

#[test]
fn only_searchable_fields_have_a_mask_and_a_tag() {
    let mask = format!("member/{MEMBER_ID}/cert_no/mask");
    assert_eq!(household(&mask).unwrap().part, Part::Mask);
    assert_eq!(household(&mask).unwrap().value_key, format!("member/{MEMBER_ID}/cert_no"));
    assert_eq!(household("group_name/mask"), None);
    assert_eq!(household("contact_phone/tag/source"), None);
}

#[test]
fn a_hostile_key_is_no_field() {
    for key in [
        "",
        "/",
        "////////",
        "member//full_name",
        "event/",
        "event/x",
        "group_name/",
        "event/ABCDEFGHABCDEFGH",
    ] {
        assert_eq!(household(key), None, "{key}");
    }
    assert_eq!(household("event/7k3qabcd7k3qabcd/source"), None);
    let deep = "group_name/source".repeat(10);
    assert_eq!(household(&deep), None);
}

#[test]
fn a_value_must_fit_its_type() {
    let wage = check("answer/income/wage_income").unwrap();
    assert_eq!(wage.check(&Value::Int(1)), Ok(()));
    assert_eq!(wage.check(&Value::Null), Ok(()));
    assert_eq!(wage.check(&Value::Text("~refused".to_owned())), Ok(()));
    assert_eq!(wage.check(&Value::Int(-1)), Err(Misfit::OutOfRange));
    assert_eq!(wage.check(&Value::Text("1".to_owned())), Err(Misfit::WrongType));
    assert_eq!(wage.check(&Value::Text("~maybe".to_owned())), Err(Misfit::OutOfRange));
    assert_eq!(wage.check(&Value::Bytes(vec![1; 20])), Err(Misfit::WrongType));
    let grade = check("answer/housing/grade").unwrap();
    assert_eq!(grade.check(&Value::Text("e".to_owned())), Err(Misfit::UnknownCode));
}

#[test]
fn a_text_has_at_most_its_length_and_no_blank_ends() {
    let group = household("group_name").unwrap();
    assert_eq!(group.check(&Value::Text("组".repeat(40))), Ok(()));
    for text in ["组".repeat(41), String::new(), " 三组".to_owned(), "三\u{7}组".to_owned()] {
        assert_eq!(group.check(&Value::Text(text.clone())), Err(Misfit::OutOfRange), "{text:?}");
    }
}

#[test]
fn a_private_value_in_clear_does_not_fit() {
    let phone = household("contact_phone").unwrap();
    assert_eq!(phone.check(&Value::Text("13900000001".to_owned())), Err(Misfit::MustBeSealed));
    assert_eq!(phone.check(&Value::Bytes(vec![1; 28])), Ok(()));
    assert_eq!(phone.check(&Value::Bytes(vec![2; 28])), Err(Misfit::OutOfRange));
    assert_eq!(phone.check(&Value::Text("~refused".to_owned())), Ok(()));
    let mask = household("contact_phone/mask").unwrap();
    assert_eq!(mask.check(&Value::Text("****0001".to_owned())), Ok(()));
    assert_eq!(mask.check(&Value::Text("****13900000001".to_owned())), Err(Misfit::MustBeSealed));
    let tag = household("contact_phone/tag").unwrap();
    assert_eq!(tag.check(&Value::Text("13900000001".to_owned())), Err(Misfit::MustBeSealed));
}

#[test]
fn each_form_of_text_has_values_on_both_sides() {
    let cases = [
        ("identified_month", "2023-05", "2023-5"),
        ("village_code", "430821101203", "43082110120"),
        ("moved_to", "018f6d2e-7a10-7c3e-9b51-2f0c8f1d0001", "018F6D2E-7A10-7C3E-9B51-2F0C8F1D0001"),
        ("head_member_id", MEMBER_ID, "m1"),
    ];
    for (key, right, wrong) in cases {
        let key = household(key).unwrap();
        assert_eq!(key.check(&Value::Text(right.to_owned())), Ok(()), "{right}");
        assert_eq!(key.check(&Value::Text(wrong.to_owned())), Err(Misfit::OutOfRange), "{wrong}");
    }
    let version = check("form_version").unwrap();
    assert_eq!(version.check(&Value::Text("ruhu-first/1.0.0".to_owned())), Ok(()));
    assert_eq!(version.check(&Value::Text("1.0".to_owned())), Err(Misfit::OutOfRange));
    let plain = |path: &str, text: &str| {
        field_by_path(DocumentKind::Household, path).unwrap().check_plain(&Value::Text(text.to_owned()))
    };
    assert_eq!(plain("dwelling_point", "111.0512,29.4233,12"), Ok(()));
    assert_eq!(plain("dwelling_point", "29.4233"), Err(Misfit::OutOfRange));
    assert_eq!(plain("dwelling_point", "inf,nan"), Err(Misfit::OutOfRange));
    assert_eq!(plain("contact_phone", "13900000001"), Ok(()));
    assert_eq!(plain("contact_phone", "12900000001"), Err(Misfit::OutOfRange));
}

#[test]
fn sources_are_the_code_list_in_order_of_strength() {
    let codes: Vec<&str> = Source::ALL.iter().map(|source| source.code()).collect();
    let list: Vec<&str> = code_list("source").unwrap().codes.iter().map(|code| code.code.as_str()).collect();
    assert_eq!(codes, list);
    assert!(Source::ALL.is_sorted());
    assert_eq!(Source::default(), Source::SelfReport);
}
