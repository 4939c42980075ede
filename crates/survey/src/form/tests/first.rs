//! The first form: that it is whole, and what it asks when.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::form::{QuestionType, load_text};

const FILE: &str = include_str!("../../../../../schemas/forms/ruhu-first.json");

/// The lines of the questionnaire that are marked ★ (domain model, 4.1).
const STARRED: &str = "A1 A3 A5 B5 B7 B8 B9 B11 B12 B15 B18 C1 C3 D3 E1 E2 E3 F1 F3 F4 G1 G2 G4 G5 G6 H1 H2 H4 H6 \
                       I1 J1 K3 L1 L5";

#[test]
fn it_holds_together() {
    let loaded = load_text("ruhu-first.json", FILE);
    assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
    assert_eq!(first().name(), "ruhu-first/1.1.0");
}

#[test]
fn it_has_the_69_lines_and_the_34_starred_ones() {
    let lines = |short: bool| -> BTreeSet<String> {
        let places = first().places().iter().filter(|place| !short || place.question.short);
        places.filter_map(|place| place.question.no.clone()).collect()
    };
    assert_eq!(lines(false).len(), 69);
    assert_eq!(lines(true), STARRED.split_whitespace().map(str::to_owned).collect());
    assert_eq!(lines(true).len(), 34);
}

#[test]
fn where_nobody_was_met_only_the_result_why_and_the_visitors_need_an_answer() {
    for result in ["unreachable", "refused", "gone"] {
        let facts = answered(household(), &[("visit_result", text(result))]);
        let needed = view(&facts).findings.into_iter().filter(|found| found.id == "required");
        let line = |question: &str| first().place(question).and_then(|place| place.question.no.as_deref());
        let needed: BTreeSet<&str> = needed.filter_map(|found| line(&found.question)).collect();
        let expected = if result == "gone" { &["N3"][..] } else { &["A2", "N3"] };
        assert_eq!(
            needed,
            expected.iter().copied().collect(),
            "domain model, 4.1: only A1, A2, N3; {result}"
        );
    }
}

#[test]
fn none_of_these_is_an_answer_where_the_form_says_so() {
    let none = |codes: &[&str]| -> Vec<(String, Value)> {
        let key = |code: &&str| (format!("answer/policy/exclusion_self/{code}"), Value::Bool(false));
        codes.iter().map(key).collect()
    };
    let all = ["public_payroll", "business_owner", "commodity_housing", "car"];
    let facts = with(completed(household()), &none(&all));
    let view = view(&facts);
    let items = view.pages.iter().flat_map(|page| &page.items);
    let item = items.into_iter().find(|item| item.question == "exclusion_self").unwrap();
    assert!(item.answered && item.text.none_of_these);
    assert_eq!(item.value, crate::expression::Val::List(Vec::new()));
}

#[test]
fn every_question_that_is_asked_has_a_field_of_its_own() {
    let mut fields = BTreeSet::new();
    for place in first().places().iter().filter(|place| place.question.kind.is_asked()) {
        let field = place.question.field.clone();
        assert!(field.is_some(), "{}", place.question.key);
        assert!(fields.insert(field), "{}", place.question.key);
    }
    assert!(fields.len() > 110);
}

#[test]
fn before_the_result_is_known_nothing_is_asked_that_depends_on_it() {
    assert_eq!(asked(&view(&household())), ["visit_result", "visitors", "visitor_signs", "note"]);
    assert!(!view(&household()).ready);
}

#[test]
fn nobody_met_asks_for_the_reason_and_the_visitors_alone() {
    for result in ["unreachable", "refused", "gone"] {
        let facts = answered(household(), &[("visit_result", text(result))]);
        let expected: &[&str] = match result {
            "gone" => &["visit_result", "visitors", "visitor_signs", "note"],
            _ => &["visit_result", "visit_reason_absent", "visitors", "visitor_signs", "note"],
        };
        assert_eq!(asked(&view(&facts)), expected, "{result}");
    }
}

#[test]
fn a_first_visit_asks_who_everybody_is_and_a_later_one_only_when_that_changed() {
    let first_visit = completed(household());
    assert!(asks(&first_visit, "full_name@a") && asks(&first_visit, "ethnicity@d"));
    assert!(!asks(&first_visit, "anything_changed"));
    let later = completed(known_household());
    assert!(asks(&later, "anything_changed"));
    assert!(!asks(&later, "full_name@a"));
    let changed = answered(later, &[("answer/visit/anything_changed/population", Value::Bool(true))]);
    assert!(asks(&changed, "full_name@a"));
    assert!(!asks(&changed, "ethnicity@a"), "asked of new members only");
}

#[test]
fn what_is_asked_of_a_member_follows_from_age_and_answers() {
    let facts = completed(household());
    // 12 years old: asked about school, not about work.
    assert!(asks(&facts, "in_school_status@c") && !asks(&facts, "labour_ability@c"));
    // 48 years old: the other way round, without waiting for a question that is never asked.
    assert!(asks(&facts, "labour_ability@a") && !asks(&facts, "in_school_status@a"));
    assert!(!asks(&facts, "out_of_school_reason@c"), "waits for the answer before it");
    let truant = with(facts.clone(), &[(of("education/stage", CHILD), text("not_in_school"))]);
    assert!(asks(&truant, "out_of_school_reason@c") && asks(&truant, "education_level@c"));
    let pupil = with(facts.clone(), &[(of("education/stage", CHILD), text("primary"))]);
    assert!(!asks(&pupil, "out_of_school_reason@c") && asks(&pupil, "aid_received@c"));
    assert!(!asks(&facts, "work_months@a"), "waits for the work status");
    let away = with(
        facts,
        &[
            (of("member/labour_ability", HEAD), text("ordinary")),
            (of("member/work_status", HEAD), text("outside_province")),
        ],
    );
    assert!(asks(&away, "work_months@a") && !asks(&away, "work_channel@a"));
}

#[test]
fn whoever_leaves_by_this_visit_is_asked_why_and_when_and_nothing_else() {
    let facts = with(completed(household()), &[(of("education/stage", CHILD), text("primary"))]);
    let left = with(facts, &[(of("member/change", CHILD), text("moved_out"))]);
    let of_child: Vec<String> = asked(&view(&left)).into_iter().filter(|name| name.ends_with("@c")).collect();
    assert_eq!(of_child, ["member_change@c", "member_change_month@c"], "so that it can be mended");
    assert!(view(&left).not_applicable.contains(&of("education/stage", CHILD)));
    assert!(!left.members().contains(&CHILD.to_owned()), "and is no longer counted");
    let back = with(left, &[(of("member/change", CHILD), text("none"))]);
    assert!(asks(&back, "aid_received@c") && view(&back).not_applicable.is_empty());
}

#[test]
fn somebody_of_unknown_age_is_rather_asked_too_much() {
    let mut facts = completed(household());
    facts.register.insert(format!("member/{CHILD}/cert_no"), Value::Bytes(vec![1, 2, 3]));
    assert!(asks(&facts, "in_school_status@c"));
}

/// A question, answers, and whether it is asked then.
type Skip<'a> = (&'a str, &'a [(&'a str, Value)], bool);

#[test]
fn skip_logic_of_the_household() {
    let visit = completed(household());
    let cases: [Skip<'_>; 14] = [
        ("fetch_minutes", &[("answer/water/piped", text("piped"))], false),
        ("fetch_minutes", &[("answer/water/piped", text("self_fetched"))], true),
        ("shortage_season", &[("answer/water/shortage_days", Value::Int(0))], false),
        ("shortage_season", &[("answer/water/shortage_days", Value::Int(3))], true),
        ("other_safe_dwelling", &[("answer/housing/grade", text("b"))], false),
        ("other_safe_dwelling", &[("answer/housing/grade", text("d"))], true),
        ("house_grade", &[("answer/housing/dwelling_kind", text("care_home"))], false),
        ("house_grade", &[("answer/housing/dwelling_kind", text("owned"))], true),
        ("house_photos", &[("answer/housing/hazards/none", Value::Bool(true))], false),
        ("house_photos", &[("answer/housing/hazards/leaking", Value::Bool(true))], true),
        ("shock_loss", &[("answer/shock/kind/none", Value::Bool(true))], false),
        ("claim_income", &[("answer/shock/kind/flood", Value::Bool(true))], true),
        ("used_by_others", &[("answer/debt/micro_credit", Value::Int(0))], false),
        ("protein_ok", &[("answer/living/food", text("yes"))], true),
    ];
    for (question, answers, expected) in cases {
        assert_eq!(asks(&answered(visit.clone(), answers), question), expected, "{question} {answers:?}");
        assert!(!asks(&household(), question));
    }
}

#[test]
fn the_short_form_asks_the_starred_lines_and_what_was_ticked() {
    let facts = Facts { short: true, ..completed(known_household()) };
    let short = view(&facts);
    assert!(short.pages.iter().flat_map(|page| &page.items).all(|item| item.text.short));
    assert!(!asks(&facts, "structure"));
    let ticked = answered(facts.clone(), &[("answer/visit/anything_changed/housing", Value::Bool(true))]);
    assert!(asks(&ticked, "structure") && !asks(&ticked, "quality_basis"));
    let ticked = answered(facts.clone(), &[("answer/visit/anything_changed/water", Value::Bool(true))]);
    assert!(asks(&ticked, "quality_basis") && !asks(&ticked, "structure"));
    let whole = Facts { short: false, ..facts };
    assert!(asked(&short).len() < asked(&view(&whole)).len());
}

#[test]
fn the_last_answer_is_offered_with_its_day_and_what_stands_in_the_register_without() {
    let facts = completed(known_household());
    let view = view(&facts);
    let item = |question: &str| {
        view.pages.iter().flat_map(|page| &page.items).find(|item| item.question == question).unwrap().clone()
    };
    let medical = item("basic_medical").last.unwrap();
    assert_eq!(
        (medical.value, medical.on.as_deref()),
        (crate::expression::Val::text("resident"), Some("2023-11-02"))
    );
    assert_eq!(item("basic_medical").register_key, Some(format!("member/{HEAD}/basic_medical")));
    assert!(item("wage_income").last.is_none(), "income is asked anew");
    assert_eq!(item("wage_income").text.decimals, 2);
}

#[test]
fn a_hidden_question_leaves_no_answer_behind() {
    let answers = [
        ("answer/water/piped", text("piped")),
        ("answer/water/fetch_minutes", Value::Int(40)),
        ("answer/shock/kind/none", Value::Bool(true)),
        ("answer/shock/loss", Value::Int(1)),
    ];
    let view = view(&answered(completed(household()), &answers));
    assert_eq!(view.not_applicable, ["answer/water/fetch_minutes", "answer/shock/loss"]);
}

#[test]
fn a_missing_answer_is_confirmed_with_a_reason_but_a_missing_result_blocks() {
    let gone = answered(household(), &[("visit_result", text("gone"))]);
    let open = |facts: &Facts| -> Vec<String> {
        let findings = view(facts).findings.into_iter().filter(super::super::Finding::is_open);
        findings.map(|finding| finding.question).collect()
    };
    assert_eq!(open(&gone), ["visitors", "visitor_signs"]);
    let named = answered(gone, &[("visitor/1", text("张某"))]);
    let mut signed = named.clone();
    signed.reasons.insert("visitor_sign/1".to_owned(), "终端无法签字".to_owned());
    assert_eq!(open(&named), ["visitor_signs"]);
    assert!(view(&signed).ready, "the reason is kept at visitor_sign/1/reason");
    let mut result = household();
    result.reasons.insert("visit_result".to_owned(), "不知道".to_owned());
    assert!(!view(&result).ready);
}

#[test]
fn refused_and_unknown_are_answers() {
    let state = answered(completed(household()), &[("answer/water/quality", text("~unknown"))]);
    let view = view(&state);
    let item =
        view.pages.iter().flat_map(|page| &page.items).find(|item| item.question == "water_quality").unwrap();
    assert!(item.answered && item.required);
    assert_eq!(item.state, Some("~unknown"));
    assert_eq!(item.value, crate::expression::Val::Unknown);
}

/// Any answers to some questions of the first form.
fn any_answers() -> impl Strategy<Value = Vec<(String, Value)>> {
    let places: Vec<_> = first().places().iter().filter(|place| place.question.kind.is_asked()).collect();
    let one = (0..places.len(), 0..4_usize, any::<prop::sample::Index>(), 0..400_000_i64).prop_map(
        move |(at, member, choice, number)| {
            let place = places[at];
            let member = place.each_member.then_some([HEAD, WIFE, CHILD, MOTHER][member]);
            let key = crate::form::key_of(place.question.field.as_deref().unwrap(), member);
            let choices = crate::form::choices(first().form(), &place.question);
            match place.question.kind {
                QuestionType::One => (key, text(&choices[choice.index(choices.len())].code)),
                QuestionType::Many => (
                    format!("{key}/{}", choices[choice.index(choices.len())].code),
                    Value::Bool(number % 2 == 0),
                ),
                QuestionType::Bool => (key, Value::Bool(number % 2 == 0)),
                QuestionType::Int | QuestionType::Decimal => (key, Value::Int(number)),
                _ => (key, text("~unknown")),
            }
        },
    );
    prop::collection::vec(one, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The same answers give the same view, in whatever order they were given.
    #[test]
    fn what_is_asked_depends_on_the_answers_alone(answers in any_answers()) {
        let forwards = with(completed(known_household()), &answers);
        let mut unique: Vec<(String, Value)> = forwards.answers.clone().into_iter().collect();
        unique.reverse();
        let backwards = with(known_household(), &unique);
        prop_assert_eq!(view(&forwards), view(&backwards));
    }

    /// Marking what does not apply as such changes nothing that is asked.
    #[test]
    fn taking_hidden_answers_out_changes_nothing(answers in any_answers()) {
        let facts = with(completed(household()), &answers);
        let before = view(&facts);
        let mut cleared = facts;
        for key in &before.not_applicable {
            cleared.answers.remove(key);
        }
        let after = view(&cleared);
        prop_assert_eq!(asked(&before), asked(&after));
        prop_assert_eq!(before.findings, after.findings);
        prop_assert!(after.not_applicable.is_empty());
    }
}
