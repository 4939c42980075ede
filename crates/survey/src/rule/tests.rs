//! Tests of rules: each rule hits, is clear and is unknown; the worked example; loading.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::change::Value;
use crate::expression::Val;
use crate::form::Facts;

const HEAD: &str = "aaaaaaaaaaaaaaaa";
const WIFE: &str = "bbbbbbbbbbbbbbbb";
const CHILD: &str = "cccccccccccccccc";
const MOTHER: &str = "dddddddddddddddd";
const NATIONAL: &str = include_str!("../../../../schemas/rules/national.json");

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// The national rules with the line of the worked example (domain model, 3.17), 7,300 yuan.
fn rules() -> LoadedRules {
    let text = r#"{"ruleset": "test", "version": "1.0.0", "title": {"zh": "测试", "en": "Test"}, "from": "2020-01",
        "extends": "national/1.0.0", "limits": {"line": {"value": 730000, "source": "test"},
        "local_income": {"value": 2000000, "source": "test"}}}"#;
    let national = pinned_rules("national/1.0.0").unwrap().clone();
    load_rules("test.json", text, &[national], newest(FIRST).unwrap()).unwrap()
}

/// What the example answers, in fen, in codes, and in yes and no.
const MONEY: [(&str, i64); 21] = [
    ("income/wage_income", 2_660_000),
    ("income/business_income", 640_000),
    ("income/business_cost", 310_000),
    ("income/property_income", 40_000),
    ("income/transfer/subsistence_allowance", 420_000),
    ("income/transfer/ecological", 38_000),
    ("income/transfer/pension", 153_600),
    ("income/transfer/destitute_support", 0),
    ("income/transfer/disability_subsidy", 0),
    ("income/transfer/family_planning", 0),
    ("income/transfer/farming", 0),
    ("income/transfer/support_by_kin", 0),
    ("income/transfer/other", 0),
    ("medical/compliant_self_pay", 1_180_000),
    ("spending/other_rigid", 0),
    ("debt/loan_total", 0),
    ("debt/micro_credit", 0),
    ("water/shortage_days", 0),
    ("housing/area", 12_000),
    ("land/arable", 300),
    ("education/school_burden", 0),
];
const CODES: [(&str, &str); 7] = [
    ("education/stage/cccccccccccccccc", "primary"),
    ("housing/dwelling_kind", "owned"),
    ("housing/grade", "b"),
    ("water/piped", "piped"),
    ("water/enough", "enough"),
    ("water/quality", "tested_good"),
    ("living/food", "yes"),
];
const FLAGS: [(&str, bool); 5] = [
    ("living/clothing_ok", true),
    ("living/bedding_ok", true),
    ("housing/hazards/none", true),
    ("shock/kind/none", true),
    ("policy/measures_known/social_security", true),
];

/// The household of the worked example, with everything answered and nothing amiss but what it costs to be ill.
fn example() -> Facts {
    let mut facts = Facts {
        check_type: "identify".to_owned(),
        today: "2024-05-20".to_owned(),
        last_on: Some("2023-05-20".to_owned()),
        ..Facts::default()
    };
    let members = [
        (HEAD, "head", "439921197603150018", "weak_or_half"),
        (WIFE, "spouse", "439921197808220024", "ordinary"),
        (CHILD, "son", "439921201204060030", ""),
        (MOTHER, "mother", "439921195011090040", "lost"),
    ];
    for (member, relation, certificate, labour) in members {
        facts.register.insert(format!("member/{member}/relation_to_head"), text(relation));
        facts.register.insert(format!("member/{member}/cert_no"), text(certificate));
        let mut answer = |key: &str, value: Value| facts.answers.insert(format!("answer/{key}"), value);
        answer(&format!("medical/basic_medical/{member}"), text("resident"));
        answer(&format!("medical/big_illness_new/{member}"), Value::Bool(false));
        answer(&format!("medical/health_status/{member}/healthy"), Value::Bool(member != HEAD));
        answer(&format!("medical/health_status/{member}/chronic"), Value::Bool(member == HEAD));
        answer(
            &format!("pension/subsistence_allowance/{member}"),
            text(if member == MOTHER { "rural" } else { "none" }),
        );
        answer(&format!("pension/destitute_support/{member}"), text("none"));
        answer(&format!("member/at_home_months/{member}"), Value::Int(12));
        if !labour.is_empty() {
            answer(&format!("member/labour_ability/{member}"), text(labour));
            answer(&format!("member/work_status/{member}"), text("farming_at_home"));
        }
    }
    facts.register.insert("household_type".to_owned(), text("lifted"));
    facts.register.insert("monitor_category".to_owned(), text("unstable_lifted"));
    facts.register.insert("identified_month".to_owned(), text("2023-05"));
    facts.answers.insert("visit_result".to_owned(), text("completed"));
    facts.answers.extend(MONEY.map(|(key, fen)| (format!("answer/{key}"), Value::Int(fen))));
    facts.answers.extend(CODES.map(|(key, code)| (format!("answer/{key}"), text(code))));
    facts.answers.extend(FLAGS.map(|(key, flag)| (format!("answer/{key}"), Value::Bool(flag))));
    let before: Vec<(String, Value)> = facts
        .answers
        .iter()
        .filter(|(key, _)| key.starts_with("answer/"))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    facts.last.extend(before);
    facts.last.insert("visit_result".to_owned(), text("completed"));
    facts
}

fn findings(facts: &Facts) -> Findings {
    find(&rules(), newest(FIRST).unwrap(), facts)
}

fn answer(facts: &Facts, rule: &str) -> RuleAnswer {
    findings(facts).findings.into_iter().find(|finding| finding.rule == rule).unwrap().answer
}

#[test]
fn the_worked_example() {
    let found = findings(&example());
    let formula = |name: &str| found.formulas.get(name).and_then(Val::int);
    assert_eq!(formula("gross_income"), Some(3_951_600));
    assert_eq!(formula("net_income"), Some(3_641_600));
    assert_eq!(formula("per_capita_net_income"), Some(910_400));
    assert_eq!(formula("after_shock_per_capita"), Some(615_400));
    assert_eq!(formula("labour_share"), Some(2_500));
    let hits: Vec<&str> =
        found.findings.iter().filter(|f| f.answer == RuleAnswer::Hit).map(|f| f.rule.as_str()).collect();
    assert_eq!(hits, ["RK-INC-2", "RK-LAB", "RK-CAT-3"]);
    let third = found.findings.iter().find(|finding| finding.rule == "RK-CAT-3").unwrap();
    assert_eq!(third.proposes.as_deref(), Some("sudden_difficulty"));
    let second = found.findings.iter().find(|finding| finding.rule == "RK-INC-2").unwrap();
    let inputs: Vec<(&str, Option<i64>)> =
        second.inputs.iter().map(|(name, value)| (name.as_str(), value.int())).collect();
    assert_eq!(
        inputs,
        [
            ("formula.after_shock_per_capita", Some(615_400)),
            ("formula.per_capita_net_income", Some(910_400)),
            ("limit.line", Some(730_000)),
        ]
    );
}

#[test]
fn what_is_private_can_be_left_out() {
    let whole = findings(&changed(&[("member/dddddddddddddddd/cert_no", "43992119501109004042")], &[]));
    let masked = whole.clone().without_private(newest(FIRST).unwrap());
    let inputs = |found: &Findings, rule: &str| {
        found.findings.iter().find(|finding| finding.rule == rule).unwrap().inputs.clone()
    };
    let grade = "member/dddddddddddddddd/disability_grade";
    assert_eq!(inputs(&whole, "RK-DIS")[grade], Val::Int(2));
    assert_eq!(inputs(&masked, "RK-DIS")[grade], Val::text("****"));
    assert_eq!(inputs(&masked, "RK-INC-1"), inputs(&whole, "RK-INC-1"));
}

#[test]
fn a_private_field_of_the_register_can_be_left_out_too() {
    let text_of_set = r#"{"ruleset": "local", "version": "1.0.0", "title": {"zh": "本地", "en": "Local"}, "from": "2020-01",
        "extends": "national/1.0.0", "rules": [{"id": "RK-PHONE", "title": {"zh": "电话", "en": "Phone"},
        "when": "known(household.contact_phone)", "urgency": 3, "source": "test"}]}"#;
    let (national, form) = (pinned_rules("national/1.0.0").unwrap().clone(), newest(FIRST).unwrap());
    let local = load_rules("local.json", text_of_set, &[national], form).unwrap();
    let mut facts = example();
    facts.register.insert("contact_phone".to_owned(), text("13900000001"));
    let masked = find(&local, form, &facts).without_private(form);
    let finding = masked.findings.iter().find(|finding| finding.rule == "RK-PHONE").unwrap();
    assert_eq!(finding.answer, RuleAnswer::Hit);
    assert_eq!(finding.inputs["household.contact_phone"], Val::text("****"));
}

/// A rule; what makes the example hit, what makes it clear, and what is then unknown.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

const LOSS: &[(&str, &str)] =
    &[("answer/income/wage_income", "0"), ("answer/income/transfer/subsistence_allowance", "0")];
const PAID: (&str, &str) = ("answer/medical/compliant_self_pay", "0");

const CASES: &[Case] = &[
    ("RK-INC-1", LOSS, &[], &["answer/income/property_income"]),
    ("RK-INC-2", &[], &[PAID], &["answer/medical/compliant_self_pay"]),
    ("RK-INC-3", LOSS, &[], &["answer/income/transfer/other"]),
    (
        "RK-HSG-1",
        &[("answer/housing/grade", "d"), ("answer/housing/other_safe_dwelling", "false")],
        &[],
        &["answer/housing/grade"],
    ),
    ("RK-HSG-2", &[("answer/housing/hazards/leaking", "true")], &[], &["answer/housing/hazards/none"]),
    ("RK-WTR", &[("answer/water/quality", "looks_bad")], &[], &["answer/water/quality"]),
    ("RK-WTR", &[("answer/water/enough", "between_20_and_35")], &[], &["answer/water/enough"]),
    (
        "RK-WTR",
        &[("answer/water/piped", "self_fetched"), ("answer/water/fetch_minutes", "21")],
        &[
            ("answer/water/piped", "self_fetched"),
            ("answer/water/fetch_minutes", "20"),
            ("answer/water/fetch_distance", "800"),
            ("answer/water/fetch_climb", "80"),
        ],
        &[],
    ),
    (
        "RK-WTR",
        &[("answer/water/shortage_days", "37")],
        &[("answer/water/shortage_days", "36"), ("answer/water/shortage_season/summer", "true")],
        &["answer/water/shortage_days"],
    ),
    (
        "RK-EDU",
        &[
            ("answer/education/stage/cccccccccccccccc", "not_in_school"),
            ("answer/education/reason/cccccccccccccccc", "weary_of_school"),
        ],
        &[
            ("answer/education/stage/cccccccccccccccc", "not_in_school"),
            ("answer/education/reason/cccccccccccccccc", "suspended"),
        ],
        &[],
    ),
    (
        "RK-MED-1",
        &[("answer/medical/basic_medical/bbbbbbbbbbbbbbbb", "uninsured")],
        &[],
        &["answer/medical/basic_medical/dddddddddddddddd"],
    ),
    (
        "RK-MED-2",
        &[("answer/medical/compliant_self_pay", "2000000")],
        &[("answer/medical/compliant_self_pay", "1999999")],
        &["answer/medical/compliant_self_pay"],
    ),
    (
        "RK-MED-3",
        &[("answer/medical/compliant_self_pay", "2000001")],
        &[("answer/medical/compliant_self_pay", "2000000")],
        &["answer/medical/compliant_self_pay"],
    ),
    (
        "RK-SHOCK",
        &[("answer/spending/other_rigid", "1004960")],
        &[("answer/spending/other_rigid", "1004959")],
        &["answer/spending/other_rigid"],
    ),
    (
        "RK-LAB",
        &[],
        &[("answer/member/labour_ability/aaaaaaaaaaaaaaaa", "ordinary")],
        &["answer/member/labour_ability/aaaaaaaaaaaaaaaa"],
    ),
    (
        "RK-NOLAB",
        &[
            ("answer/member/labour_ability/aaaaaaaaaaaaaaaa", "none"),
            ("answer/member/labour_ability/bbbbbbbbbbbbbbbb", "lost"),
            ("answer/pension/subsistence_allowance/dddddddddddddddd", "none"),
        ],
        &[
            ("answer/member/labour_ability/aaaaaaaaaaaaaaaa", "none"),
            ("answer/member/labour_ability/bbbbbbbbbbbbbbbb", "lost"),
        ],
        &[],
    ),
    (
        "RK-EMP",
        &[
            ("answer/member/work_status/bbbbbbbbbbbbbbbb", "not_working"),
            ("last:answer/member/work_status/bbbbbbbbbbbbbbbb", "in_county"),
        ],
        &[],
        &[],
    ),
    (
        "RK-DIS",
        &[
            ("member/dddddddddddddddd/cert_no", "43992119501109004042"),
            ("answer/policy/measures_known/social_security", "false"),
        ],
        &[("member/dddddddddddddddd/cert_no", "43992119501109004042")],
        &[],
    ),
    ("RK-FOOD", &[("answer/living/food", "unclear")], &[], &["answer/living/food"]),
    ("RK-CLOTH", &[("answer/living/bedding_ok", "false")], &[], &["answer/living/clothing_ok"]),
    (
        "RK-LB",
        &[
            ("answer/member/work_status/aaaaaaaaaaaaaaaa", "outside_province"),
            ("answer/member/work_status/bbbbbbbbbbbbbbbb", "outside_province"),
            ("answer/member/at_home_months/aaaaaaaaaaaaaaaa", "1"),
            ("answer/member/at_home_months/bbbbbbbbbbbbbbbb", "1"),
            ("answer/care/contact_frequency/cccccccccccccccc", "rarely"),
        ],
        &[],
        &[],
    ),
    (
        "RK-DEBT",
        &[("answer/debt/loan_total", "10924801")],
        &[("answer/debt/loan_total", "10924800")],
        &["answer/debt/loan_total"],
    ),
    (
        "RK-DEBT",
        &[("answer/debt/micro_credit", "100"), ("answer/debt/used_by_others", "true")],
        &[],
        &["answer/debt/micro_credit"],
    ),
    ("RK-CAT-1", LOSS, &[], &["answer/income/wage_income"]),
    ("RK-CAT-2", &[LOSS[0], LOSS[1], ("household_type", "general")], &[], &[]),
    ("RK-CAT-3", &[], &[PAID], &["answer/income/wage_income"]),
    (
        "RK-OUT",
        &[PAID, ("answer/member/labour_ability/aaaaaaaaaaaaaaaa", "ordinary")],
        &[PAID, ("identified_month", "2023-12")],
        &[],
    ),
];

fn changed(changes: &[(&str, &str)], removed: &[&str]) -> Facts {
    let mut facts = example();
    for key in removed {
        facts.answers.remove(*key);
    }
    for (key, said) in changes {
        let value = match (said.parse::<i64>(), *said) {
            (Ok(number), _) if said.len() < 11 => Value::Int(number),
            (_, "true" | "false") => Value::Bool(*said == "true"),
            _ => text(said),
        };
        if let Some(key) = key.strip_prefix("last:") {
            facts.last.insert(key.to_owned(), value);
        } else if key.starts_with("answer/") {
            facts.answers.insert((*key).to_owned(), value);
        } else {
            facts.register.insert((*key).to_owned(), value);
        }
    }
    facts
}

#[test]
fn each_rule_hits_is_clear_and_is_unknown() {
    let mut wrong = Vec::new();
    let mut expect = |rule: &str, facts: &Facts, expected: RuleAnswer, why: String| {
        let found = answer(facts, rule);
        if found != expected {
            wrong.push(format!("{rule} is {found:?}, not {expected:?}: {why}"));
        }
    };
    for (rule, hit, clear, unknown) in CASES {
        expect(rule, &changed(hit, &[]), RuleAnswer::Hit, format!("{hit:?}"));
        expect(rule, &changed(clear, &[]), RuleAnswer::Clear, format!("{clear:?}"));
        if !unknown.is_empty() {
            let base: Vec<_> = clear.iter().filter(|(key, _)| !unknown.contains(key)).copied().collect();
            expect(rule, &changed(&base, unknown), RuleAnswer::Unknown, format!("without {unknown:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn another_safe_dwelling_clears_an_unsafe_house() {
    let there =
        changed(&[("answer/housing/grade", "d"), ("answer/housing/other_safe_dwelling", "true")], &[]);
    assert_eq!(answer(&there, "RK-HSG-1"), RuleAnswer::Clear);
    assert_eq!(answer(&changed(&[("answer/housing/grade", "d")], &[]), "RK-HSG-1"), RuleAnswer::Unknown);
}

#[test]
fn every_rule_has_a_case() {
    let cases: BTreeSet<&str> = CASES.iter().map(|(rule, ..)| *rule).collect();
    let rules = rules();
    let of_set: BTreeSet<&str> = rules.rules.iter().map(|(rule, _)| rule.id.as_str()).collect();
    assert_eq!(cases, of_set);
}

#[test]
fn a_threshold_that_is_not_known_is_never_taken_for_safe() {
    let hunan = rules_for("430821101203", "2024-04").unwrap();
    assert_eq!(hunan.name(), "hunan/1.0.0");
    let facts = changed(LOSS, &[]);
    let found = find(hunan, newest(FIRST).unwrap(), &facts);
    let of = |rule: &str| found.findings.iter().find(|finding| finding.rule == rule).unwrap();
    for rule in ["RK-INC-1", "RK-INC-2", "RK-MED-3", "RK-CAT-1"] {
        assert_eq!(of(rule).answer, RuleAnswer::Unknown, "{rule}");
    }
    assert_eq!(of("RK-INC-1").inputs.get("limit.line"), Some(&Val::Unknown));
    assert_eq!(of("RK-INC-3").answer, RuleAnswer::Hit, "needs no line");
}

#[test]
fn the_rules_of_a_place_and_a_month() {
    let name = |region: &str, month: &str| rules_for(region, month).map(LoadedRules::name);
    assert_eq!(name("520100000000", "2023-04").as_deref(), Some("guizhou/1.0.0"));
    assert_eq!(name("430821101203", "2023-04").as_deref(), Some("hunan/1.0.0"));
    assert_eq!(name("", "2023-04").as_deref(), Some("national/1.0.0"));
    assert_eq!(name("430821101203", "1976-05").as_deref(), Some("hunan/1.0.0"), "a clock may be wrong");
    assert_eq!(name("", "2019-12").as_deref(), Some("national/1.0.0"));
    let guizhou = pinned_rules("guizhou/1.0.0").unwrap();
    let mut facts = changed(LOSS, &[]);
    let line = |facts: &Facts| {
        let found = find(guizhou, newest(FIRST).unwrap(), facts);
        found.findings[0].inputs.get("limit.line").cloned().unwrap()
    };
    assert_eq!(line(&facts), Val::Unknown, "the line of 2024 is not known");
    facts.answers.insert("answer/income/period_end".to_owned(), text("2023-12"));
    assert_eq!(line(&facts), Val::Int(730_000));
}

#[test]
fn every_set_that_comes_with_the_program_holds_together() {
    let mut loaded = Vec::new();
    for (file, text) in FILES {
        loaded.push(load_rules(file, text, &loaded, newest(FIRST).unwrap()).unwrap());
    }
    assert_eq!(loaded.len(), 3);
}

fn refused(from: &str, to: &str) -> InvalidRules {
    assert!(NATIONAL.contains(from), "{from}");
    load_rules("national.json", &NATIONAL.replacen(from, to, 1), &[], newest(FIRST).unwrap()).unwrap_err()
}

#[test]
fn what_is_wrong_with_rules_is_named() {
    let at = |refused: &InvalidRules| refused.at.clone();
    let slip =
        refused("formula.per_capita_net_income < limit.line", "formula.per_capita_net_incom < limit.line");
    assert_eq!(at(&slip), "RK-INC-1");
    assert!(slip.to_string().starts_with("national.json: RK-INC-1: "), "{slip}");
    let limit = refused("shortage_days > limit.water_shortage_days", "shortage_days > limit.water_days");
    assert!(matches!(
        limit.reason,
        RulesReason::Expression(crate::expression::ExpressionError::UnknownName(_))
    ));
    let code = refused("house_grade in ['c', 'd'] && lives", "house_grade in ['c', 'x'] && lives");
    assert!(matches!(
        code.reason,
        RulesReason::Expression(crate::expression::ExpressionError::UnknownCode { .. })
    ));
    assert_eq!(
        refused("\"risk\": \"unsafe_water\"", "\"risk\": \"water\"").reason,
        RulesReason::UnknownCode("water".to_owned(), "risk_type")
    );
    assert_eq!(refused("RK-INC-2", "RK-INC-1").reason, RulesReason::Name);
    assert_eq!(refused("\"version\": \"1.0.0\"", "\"version\": \"one\"").reason, RulesReason::Name);
    assert_eq!(refused("\"urgency\": 2", "\"urgency\": 4").reason, RulesReason::Urgency);
    assert_eq!(refused("\"from\": \"2020-01\"", "\"from\": \"2020-13\"").reason, RulesReason::Period);
    assert_eq!(
        refused("\"name\": \"wages_by_members\"", "\"name\": \"wages\"").reason,
        RulesReason::MissingFormula("wages_by_members")
    );
    assert_eq!(refused("rule.RK_INC_1 && household", "formula.labour_count + 1 == 2 ? 1 : 2").at, "RK-CAT-1");
    assert!(matches!(refused("\"rules\"", "\"ruls\"").reason, RulesReason::Format(_)));
    let base = r#"{"ruleset": "x", "version": "1.0.0", "title": {"zh": "甲", "en": "X"}, "from": "2020-01", "extends": "y/1.0.0"}"#;
    let missing = load_rules("x.json", base, &[], newest(FIRST).unwrap()).unwrap_err();
    assert_eq!(missing.reason, RulesReason::Extends("y/1.0.0".to_owned()));
}

#[test]
fn what_a_set_adds_stands_in_the_order_of_its_file() {
    let text = r#"{"ruleset": "local", "version": "1.0.0", "title": {"zh": "本地", "en": "Local"}, "from": "2020-01",
        "extends": "national/1.0.0", "formulas": [
            {"name": "zeal", "label": {"zh": "甲", "en": "First"}, "value": "population * 2"},
            {"name": "awe", "label": {"zh": "乙", "en": "Second"}, "value": "formula.zeal + 1"}]}"#;
    let national = pinned_rules("national/1.0.0").unwrap().clone();
    let count = national.set().formulas.len();
    let local = load_rules("local.json", text, &[national], newest(FIRST).unwrap()).unwrap();
    let added: Vec<&str> =
        local.set().formulas[count..].iter().map(|formula| formula.name.as_str()).collect();
    assert_eq!(added, ["zeal", "awe"]);
}

#[test]
fn the_schema_is_that_of_the_program() {
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Ruleset)).unwrap() + "\n";
    expect_test::expect_file!["../../../../schemas/rules/ruleset.schema.json"].assert_eq(&schema);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Taking answers away turns a hit or a clear into unknown, or leaves it: it never turns one into the other,
    /// but where a question is no longer asked.
    #[test]
    fn the_formulas_never_guess(keep in prop::collection::vec(any::<bool>(), 21)) {
        let whole = example();
        let mut facts = whole.clone();
        let money: Vec<String> = whole.answers.iter().filter(|(key, value)| key.contains("/income/") && matches!(value, Value::Int(_))).map(|(key, _)| key.clone()).collect();
        let removed: Vec<&String> = money.iter().zip(&keep).filter(|(_, keep)| !**keep).map(|(key, _)| key).collect();
        for key in &removed {
            facts.answers.remove(*key);
        }
        let net = findings(&facts).formulas.get("net_income").cloned().unwrap();
        let expected = if removed.is_empty() { Val::Int(3_641_600) } else { Val::Unknown };
        prop_assert_eq!(net, expected);
        let unlike: BTreeMap<_, _> = findings(&whole).findings.into_iter().zip(findings(&facts).findings)
            .filter(|(before, after)| before.answer != after.answer).map(|(before, after)| (before.rule, after.answer)).collect();
        prop_assert!(unlike.values().all(|answer| *answer == RuleAnswer::Unknown), "{:?}", unlike);
    }
}
