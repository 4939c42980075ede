//! A whole visit of an invented household: what stands in its register and what it answers.

use std::collections::BTreeMap;

use ruhu_survey::change::Value;
use ruhu_survey::form::Facts;

use crate::answer::visit_answers;
use crate::date::Date;
use crate::household::{SampleHousehold, SampleMember};
use crate::random::Random;

/// Transfers that no invented household has.
const NO_TRANSFERS: [&str; 5] =
    ["destitute_support", "disability_subsidy", "family_planning", "farming", "support_by_kin"];

/// The id under which a visit speaks of a member: the place in the household, spelt as ids are.
#[must_use]
pub fn member_id(index: usize) -> String {
    let letter = |digit: usize| char::from(b'a' + u8::try_from(digit % 20).unwrap_or(0));
    let tail: String = [letter(index / 20), letter(index)].iter().collect();
    format!("aaaaaaaaaaaaaa{tail}")
}

/// What is known of a household after a first, complete visit on a day.
#[must_use]
pub fn visit_facts(random: &mut Random, household: &SampleHousehold, on: Date, region: &str) -> Facts {
    let mut facts = Facts { check_type: "screening".to_owned(), today: on.to_string(), ..Facts::default() };
    let text = |text: &str| Value::Text(text.to_owned());
    facts.register.insert("village_code".to_owned(), text(region));
    facts.register.insert("household_type".to_owned(), text(household.household_type));
    facts.register.insert("head_member_id".to_owned(), text(&member_id(0)));
    if let Some(monitor) = &household.monitor {
        facts.register.insert("monitor_category".to_owned(), text(monitor.category));
        facts.register.insert("identified_month".to_owned(), text(&monitor.identified_month));
        facts
            .register
            .extend(monitor.risks.iter().map(|risk| (format!("risk_types/{risk}"), Value::Bool(true))));
    }
    for (index, member) in household.members.iter().enumerate() {
        register_of(&mut facts.register, &member_id(index), index, member);
        answers_of(&mut facts.answers, &member_id(index), member);
    }
    // Who paid for care was ill: it is asked only then.
    let ill = Value::Bool(household.income.self_pay_fen > 0);
    facts.answers.insert(format!("answer/medical/big_illness_new/{}", member_id(0)), ill);
    facts.answers.insert("visit_result".to_owned(), text("completed"));
    // The form does not ask for the toilet.
    let asked =
        visit_answers(random, household).into_iter().filter(|answer| answer.question != "living/toilet");
    for answer in asked {
        facts.answers.insert(answer.key(), answer.value.to_value());
    }
    plain(&mut facts.answers, household);
    facts
}

fn register_of(register: &mut BTreeMap<String, Value>, id: &str, index: usize, member: &SampleMember) {
    let mut put = |field: &str, value: Value| register.insert(format!("member/{id}/{field}"), value);
    let text = |text: &str| Value::Text(text.to_owned());
    put("sort", Value::Int(i64::try_from(index).unwrap_or(999)));
    put("full_name", text(&member.full_name));
    put("certificate_type", text(member.certificate_type));
    put("cert_no", text(&member.certificate_no));
    put("relation_to_head", text(member.relation_to_head));
    put("ethnicity", text(member.ethnicity));
}

fn answers_of(answers: &mut BTreeMap<String, Value>, id: &str, member: &SampleMember) {
    let mut put = |path: &str, value: Value| answers.insert(format!("answer/{path}/{id}"), value);
    let text = |text: &str| Value::Text(text.to_owned());
    put("member/change", text("none"));
    put("education/stage", text(member.in_school_status.unwrap_or("not_in_school")));
    if let Some(reason) = member.out_of_school_reason {
        put("education/reason", text(reason));
    }
    put("member/labour_ability", text(member.labour_ability));
    if let Some(work) = &member.work {
        put("member/work_status", text(work.status));
        put("member/work_months", Value::Int(work.months));
        put("member/monthly_wage", Value::Int(work.wage_month_fen));
        if let Some(county) = work.county {
            put("member/work_county", text(county));
        }
    } else {
        put("member/work_status", text("not_working"));
    }
    put("medical/basic_medical", text(member.basic_medical));
    put("medical/big_illness_new", Value::Bool(false));
    put("pension/pension", text(member.pension.unwrap_or("under_age")));
    put("pension/subsistence_allowance", text(member.allowance));
    put("pension/destitute_support", text("none"));
    put("member/at_home_months", Value::Int(member.at_home_months));
    for code in &member.health {
        answers.insert(format!("answer/medical/health_status/{id}/{code}"), Value::Bool(true));
    }
}

/// What every invented household answers alike.
fn plain(answers: &mut BTreeMap<String, Value>, household: &SampleHousehold) {
    let mut put = |path: &str, value: Value| answers.insert(format!("answer/{path}"), value);
    for transfer in NO_TRANSFERS {
        put(&format!("income/transfer/{transfer}"), Value::Int(0));
    }
    put("living/bedding_ok", Value::Bool(true));
    put("housing/hazards/none", Value::Bool(true));
    put("housing/other_safe_dwelling", Value::Bool(false));
    put("shock/kind/none", Value::Bool(true));
    put("spending/other_rigid", Value::Int(0));
    put("debt/loan_total", Value::Int(0));
    put("debt/micro_credit", Value::Int(0));
    put("policy/measures_known/social_security", Value::Bool(household.monitor.is_some()));
    for (path, amount) in [("fetch_minutes", 15), ("fetch_distance", 300), ("fetch_climb", 20)] {
        put(&format!("water/{path}"), Value::Int(amount));
    }
}

#[cfg(test)]
mod tests {
    use ruhu_survey::change::DocumentKind;
    use ruhu_survey::field_table::{AnswerState, field, is_derived_id};
    use ruhu_survey::form::{FIRST, misfits, newest};
    use ruhu_survey::rule::{RuleAnswer, find, rules_for};

    use super::{member_id, visit_facts};
    use crate::date::Date;
    use crate::parameters::Parameters;
    use crate::random::Random;
    use crate::village::{VillageRequest, village};

    #[test]
    fn a_visit_fits_the_fields_and_the_form_and_leaves_little_unknown() {
        let on = Date::new(2023, 6, 1);
        let request = VillageRequest { seed: 4, ordinal: 1, households: 60, on };
        let mut random = Random::new(4);
        let (form, rules) = (newest(FIRST).unwrap(), rules_for("520000000000", "2023-06").unwrap());
        let mut unknown = std::collections::BTreeSet::new();
        for household in &village(&request, Parameters::bundled()).households {
            let facts = visit_facts(&mut random, household, on, "520000000000");
            for (key, value) in &facts.answers {
                let found = field(DocumentKind::Check, key).unwrap_or_else(|| panic!("{key}"));
                let state = AnswerState::of(value).is_some();
                assert!(state || found.field.check_plain(value).is_ok(), "{key} {value:?}");
            }
            assert_eq!(misfits(form, &facts.answers), []);
            assert_eq!(facts.members().len(), household.members.len());
            let found = find(rules, form, &facts);
            let per_capita = found.formulas["per_capita_net_income"].int();
            let members = i64::try_from(household.members.len()).unwrap();
            assert!(
                per_capita
                    .is_some_and(|fen| fen * members <= household.income.net_fen() * 12 / 10 + 1_000_000)
            );
            let open = found.findings.into_iter().filter(|finding| finding.answer == RuleAnswer::Unknown);
            unknown.extend(open.map(|finding| finding.rule));
        }
        for known in
            ["RK-INC-1", "RK-INC-2", "RK-HSG-1", "RK-EDU", "RK-MED-1", "RK-MED-2", "RK-SHOCK", "RK-DEBT"]
        {
            assert!(!unknown.contains(known), "{known}: {unknown:?}");
        }
    }

    #[test]
    fn members_have_ids_of_their_own() {
        let ids: std::collections::BTreeSet<String> = (0..400).map(member_id).collect();
        assert_eq!(ids.len(), 400);
        assert!(ids.iter().all(|id| is_derived_id(id)));
    }
}
