//! The validations at the door (domain model, 4.3): each is met by answers that break it, and by none before.

use std::collections::BTreeSet;

use super::*;
use crate::expression::Val;
use crate::form::Severity;

/// What breaks a validation: answers with `@a` for the head, `@b` wife, `@c` child and `@d` mother.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

/// Values are texts; whole numbers, `true` and `false` are read as such.
const CASES: &[Case] = &[
    ("V-AGE-1", &[("answer/education/stage@d", "primary"), ("member@d/birth", "2019-01-01")]),
    ("V-AGE-2", &[("answer/education/stage@c", "junior_1"), ("member@c/birth", "2014-01-01")]),
    ("V-AGE-3", &[("answer/education/stage@c", "senior_1")]),
    ("V-AGE-4", &[("answer/education/stage@c", "college_or_above")]),
    (
        "V-AGE-5",
        &[("answer/education/stage@c", "preschool"), ("answer/medical/health_status@c/healthy", "true")],
    ),
    (
        "V-EDU-1",
        &[
            ("member@c/birth", "2005-01-01"),
            ("answer/education/stage@c", "not_in_school"),
            ("member@c/education_level", "primary"),
        ],
    ),
    (
        "V-HEALTH-1",
        &[
            ("answer/medical/health_status@a/healthy", "true"),
            ("answer/medical/health_status@a/chronic", "true"),
        ],
    ),
    (
        "V-DIS-1",
        &[
            ("answer/medical/health_status@a/disabled", "true"),
            ("answer/medical/disability_card@a", "true"),
            ("answer/medical/disability_card_no@a", "439921197603150018"),
        ],
    ),
    (
        "V-LAB-1",
        &[("answer/medical/health_status@a/healthy", "true"), ("answer/member/labour_ability@a", "none")],
    ),
    ("V-LAB-2", &[("answer/member/labour_ability@d", "ordinary")]),
    (
        "V-WORK-1",
        &[
            WORKS[0],
            WORKS[1],
            ("answer/member/monthly_wage@a", "300000"),
            ("answer/member/work_months@a", "0"),
        ],
    ),
    ("V-WORK-2", &[WORKS[0], WORKS[1], ("answer/member/monthly_wage@a", "3000001")]),
    ("V-WORK-3", &[WORKS[0], WORKS[1], ("answer/member/monthly_wage@a", "39999")]),
    (
        "V-WORK-4",
        &[WORKS[0], NEAR, ("answer/member/work_county@a", "440306"), ("village_code", "430821101203")],
    ),
    (
        "V-POST-1",
        &[
            ("answer/member/labour_ability@d", "ordinary"),
            ("answer/member/work_status@d", "in_county"),
            ("answer/member/welfare_post@d/cleaner", "true"),
        ],
    ),
    (
        "V-POST-2",
        &[
            WORKS[0],
            NEAR,
            ("answer/member/welfare_post@a/cleaner", "true"),
            ("answer/member/welfare_post@a/carer", "true"),
            ("answer/member/welfare_post@a/other", "true"),
        ],
    ),
    (
        "V-POST-3",
        &[
            WORKS[0],
            NEAR,
            ("answer/member/welfare_post@a/cleaner", "true"),
            ("answer/member/work_months@a", "0"),
        ],
    ),
    ("V-TEK-1", &[WORKS[0], WORKS[1], ("answer/pension/destitute_support@a", "at_home")]),
    (
        "V-TEK-2",
        &[
            ("answer/medical/health_status@a/healthy", "true"),
            ("answer/pension/destitute_support@a", "in_care_home"),
        ],
    ),
    (
        "V-AID-1",
        &[
            ("answer/education/stage@c", "primary"),
            ("answer/education/aid@c/none", "true"),
            ("answer/education/aid@c/meals", "true"),
        ],
    ),
    ("V-HSG-1", &[("answer/housing/built_year", "2077")]),
    ("V-HSG-2", &[("answer/housing/area", "0")]),
    ("V-HSG-3", &[("answer/housing/hazards/none", "true"), ("answer/housing/hazards/leaking", "true")]),
    ("V-PER-1", &[("answer/income/period_start", "2024-01"), ("answer/income/period_end", "2024-04")]),
    ("V-INC-1", &[("answer/income/wage_income", "9999")]),
    (
        "V-INC-2",
        &[
            ("check_type", "identify"),
            ("formula.per_capita_net_income", "2000001"),
            CONFIRM[0],
            CONFIRM[1],
            CONFIRM[2],
        ],
    ),
    ("V-INC-3", &[("formula.per_capita_net_income", "399999"), CONFIRM[0], CONFIRM[1], CONFIRM[2]]),
    ("V-INC-4", &[("answer/income/wage_income", "100000"), IDLE[0], IDLE[1], IDLE[2], IDLE[3]]),
    (
        "V-INC-5",
        &[
            ("answer/income/wage_income", "0"),
            WORKS[0],
            WORKS[1],
            ("answer/member/work_months@a", "9"),
            ("answer/member/monthly_wage@a", "300000"),
        ],
    ),
    (
        "V-CHG-1",
        &[
            ("last_on", "2023-11-02"),
            ("answer/visit/anything_changed/none", "true"),
            ("answer/visit/anything_changed/water", "true"),
        ],
    ),
    ("V-SHK-1", &[("answer/shock/kind/none", "true"), ("answer/shock/kind/fire", "true")]),
    ("V-WANT-1", &[("answer/need/wants/none", "true"), ("answer/need/wants/work", "true")]),
    ("V-LAND-1", &[("answer/land/arable", "10001")]),
    ("V-LAND-2", &[("answer/land/forest", "20001")]),
    ("V-LAND-3", &[("answer/land/returned_to_forest", "20001")]),
    ("V-LAND-4", &[("answer/land/orchard", "20001")]),
    ("V-LAND-5", &[("answer/land/pasture", "10001")]),
    ("V-LAND-6", &[("answer/land/water_area", "10001")]),
    ("V-VIS-1", &[("check_type", "identify"), ("visitor/1", "张某")]),
    ("V-VIS-2", &[("check_type", "eliminate"), ("visitor_sign/1", "aa")]),
    ("V-REL-1", &[("member@b/relation_to_head", "head")]),
    ("V-REL-2", &[("member@d/relation_to_head", "father")]),
    ("V-REL-3", &[("member@b/cert", "439921197603150018")]),
    ("V-DUP-1", &[("member@b/cert", "439921197603150018")]),
    ("V-RISK-1", &[("risk_types/other", "true")]),
    ("V-RISK-2", &[("risk_types/labour_shortage", "true"), ABLE[0], ABLE[1], ABLE[2]]),
    ("V-RISK-3", &[("risk_types/unstable_work", "true"), UNABLE[0], UNABLE[1], UNABLE[2]]),
    ("V-RISK-4", &[("risk_types/illness", "true"), WELL[0], WELL[1], WELL[2], WELL[3]]),
    (
        "V-RISK-5",
        &[
            ("risk_types/illness", "true"),
            ("answer/medical/health_status@a/chronic", "true"),
            ("answer/medical/compliant_self_pay", "0"),
        ],
    ),
    ("V-RISK-6", &[("risk_types/disability", "true"), WELL[0], WELL[1], WELL[2], WELL[3]]),
];

const WORKS: [(&str, &str); 2] =
    [("answer/member/labour_ability@a", "ordinary"), ("answer/member/work_status@a", "outside_province")];
const NEAR: (&str, &str) = ("answer/member/work_status@a", "in_county");
const IDLE: [(&str, &str); 4] = [
    ("answer/member/labour_ability@a", "lost"),
    ("answer/member/labour_ability@b", "lost"),
    ("answer/member/labour_ability@d", "lost"),
    ("answer/education/stage@c", "primary"),
];
const ABLE: [(&str, &str); 3] = [
    ("answer/member/labour_ability@a", "ordinary"),
    ("answer/member/labour_ability@b", "ordinary"),
    ("answer/member/labour_ability@d", "skilled"),
];
const UNABLE: [(&str, &str); 3] = [IDLE[0], IDLE[1], IDLE[2]];
const WELL: [(&str, &str); 4] = [
    ("answer/medical/health_status@a/healthy", "true"),
    ("answer/medical/health_status@b/healthy", "true"),
    ("answer/medical/health_status@c/healthy", "true"),
    ("answer/medical/health_status@d/healthy", "true"),
];
const CONFIRM: [(&str, &str); 3] = [
    ("answer/income/wage_income", "100000"),
    ("answer/income/business_income", "0"),
    ("answer/income/property_income", "0"),
];

fn value(text: &str) -> Value {
    match (text.parse::<i64>(), text) {
        _ if text.len() > 10 => Value::Text(text.to_owned()),
        (Ok(_), "440306") => Value::Text(text.to_owned()),
        (Ok(number), _) => Value::Int(number),
        (_, "true") => Value::Bool(true),
        _ => Value::Text(text.to_owned()),
    }
}

/// The key that a case means: `@a` stands before what follows the member.
fn key(short: &str) -> String {
    let members = [("@a", HEAD), ("@b", WIFE), ("@c", CHILD), ("@d", MOTHER)];
    members.iter().fold(short.to_owned(), |key, (mark, member)| key.replace(mark, &format!("/{member}")))
}

fn broken_by(changes: &[(&str, &str)]) -> Facts {
    let mut facts = completed(household());
    facts.answers.insert("answer/visit/note".to_owned(), text("无"));
    for (short, said) in changes {
        let key = key(short);
        if let Some(formula) = key.strip_prefix("formula.") {
            facts.formulas.insert(formula.to_owned(), Val::Int(said.parse().unwrap()));
        } else if key == "check_type" {
            facts.check_type = (*said).to_owned();
        } else if key == "last_on" {
            facts.last_on = Some((*said).to_owned());
        } else if let Some(member) = key.strip_suffix("/cert") {
            facts.register.insert(format!("{member}/cert_no"), text(said));
        } else if let Some(member) = key.strip_suffix("/birth") {
            facts.register.remove(&format!("{member}/cert_no"));
            facts.register.insert(format!("{member}/birth_date"), text(said));
        } else if crate::form::is_of_register(
            crate::field_table::field(crate::change::DocumentKind::Check, &key)
                .map_or(&key, |found| &found.field.path),
        ) {
            facts.register.insert(key, value(said));
        } else {
            facts.answers.insert(key, value(said));
        }
    }
    facts
}

fn found(facts: &Facts) -> BTreeSet<String> {
    view(facts).findings.into_iter().map(|finding| finding.id).collect()
}

#[test]
fn each_validation_is_broken_by_its_answers_and_by_nothing_said() {
    let before = found(&broken_by(&[]));
    assert_eq!(before, BTreeSet::from(["required".to_owned()]));
    let mut needless = Vec::new();
    let mut unbroken = Vec::new();
    for (id, changes) in CASES {
        if !found(&broken_by(changes)).contains(*id) {
            unbroken.push(*id);
        }
        for left_out in 0..changes.len() {
            let fewer: Vec<_> =
                changes.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, said)| *said).collect();
            if found(&broken_by(&fewer)).contains(*id) {
                needless.push((*id, changes[left_out].0));
            }
        }
    }
    assert_eq!(unbroken, [""; 0]);
    // Without one of its answers none is broken, for nothing follows from what is unknown; but these answers
    // only lead to the question.
    assert_eq!(needless, LEADING);
}

/// Answers without which the validation is broken just as well.
const LEADING: &[(&str, &str)] = &[
    ("V-DIS-1", "answer/medical/health_status@a/disabled"),
    ("V-WORK-1", "answer/member/labour_ability@a"),
    ("V-WORK-2", "answer/member/labour_ability@a"),
    ("V-WORK-3", "answer/member/labour_ability@a"),
    ("V-WORK-4", "answer/member/labour_ability@a"),
    ("V-POST-1", "answer/member/labour_ability@d"),
    ("V-POST-2", "answer/member/labour_ability@a"),
    ("V-POST-3", "answer/member/labour_ability@a"),
    ("V-TEK-1", "answer/member/labour_ability@a"),
    ("V-INC-4", "answer/education/stage@c"),
    ("V-INC-5", "answer/member/labour_ability@a"),
    ("V-INC-5", "answer/member/work_status@a"),
];

#[test]
fn every_validation_of_the_form_has_a_case() {
    let cases: BTreeSet<&str> = CASES.iter().map(|(id, _)| *id).collect();
    let of_form = first().form();
    let standing = first().places().iter().flat_map(|place| &place.question.validations);
    for validation in standing.chain(&of_form.validations) {
        assert!(cases.contains(validation.id.as_str()), "{}", validation.id);
    }
}

#[test]
fn only_identity_and_structure_block() {
    let of_form = first().form();
    let standing = first().places().iter().flat_map(|place| &place.question.validations);
    let blocking: Vec<&str> = standing
        .chain(&of_form.validations)
        .filter(|validation| validation.severity == Severity::Block)
        .map(|validation| validation.id.as_str())
        .collect();
    assert_eq!(blocking, ["V-REL-1", "V-DUP-1"]);
}

#[test]
fn a_finding_names_the_member_and_is_settled_by_a_reason_beside_the_answer() {
    let mut facts = broken_by(&[WORKS[0], WORKS[1], ("answer/member/monthly_wage@a", "39999")]);
    let finding =
        |facts: &Facts| view(facts).findings.into_iter().find(|finding| finding.id == "V-WORK-3").unwrap();
    let open = finding(&facts);
    let key = format!("answer/member/monthly_wage/{HEAD}");
    assert_eq!((open.key.as_deref(), open.member.as_deref()), (Some(key.as_str()), Some(HEAD)));
    assert_eq!(open.member_name.as_deref(), Some("测试甲"));
    assert!(open.is_open());
    facts.reasons.insert(key, "只做了几天".to_owned());
    assert!(!finding(&facts).is_open());
}

#[test]
fn the_reason_for_a_set_stands_at_its_first_answer_or_at_its_first_element_while_it_has_none() {
    let key = |facts: &Facts, id: &str| {
        let mut findings = view(facts).findings.into_iter();
        findings.find(|finding| finding.id == id && finding.question == "shock_kind").unwrap().key
    };
    let open = broken_by(&[]);
    assert_eq!(key(&open, "required").as_deref(), Some("answer/shock/kind/serious_illness"));
    let facts = broken_by(&[("answer/shock/kind/none", "true"), ("answer/shock/kind/fire", "true")]);
    assert_eq!(key(&facts, "V-SHK-1").as_deref(), Some("answer/shock/kind/fire"));
    // Where it stood before, it settles the finding as well.
    let mut settled = facts;
    settled.reasons.insert("answer/shock/kind/serious_illness".to_owned(), "一起登记".to_owned());
    assert!(view(&settled).findings.iter().any(|finding| finding.id == "V-SHK-1" && !finding.is_open()));
}
