//! Tests of forms: the first form as a whole, loading, skip logic, validations and versions.

mod door;
mod first;
mod loading;
mod versions;

use std::collections::BTreeMap;

use super::{Facts, View, day_in_china, look, newest};
use crate::change::Value;
use crate::form::{FIRST, LoadedForm};

/// The members of the worked example (domain model, 3.17): a head, his wife, their child and his mother.
pub(super) const HEAD: &str = "aaaaaaaaaaaaaaaa";
pub(super) const WIFE: &str = "bbbbbbbbbbbbbbbb";
pub(super) const CHILD: &str = "cccccccccccccccc";
pub(super) const MOTHER: &str = "dddddddddddddddd";

pub(super) fn first() -> &'static LoadedForm {
    newest(FIRST).unwrap()
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// The household of the example before a first visit.
pub(super) fn household() -> Facts {
    let mut facts =
        Facts { check_type: "routine".to_owned(), today: "2024-05-20".to_owned(), ..Facts::default() };
    let members = [
        (HEAD, "head", "439921197603150018", "测试甲"),
        (WIFE, "spouse", "439921197808220024", "测试乙"),
        (CHILD, "son", "439921201204060030", "测试丙"),
        (MOTHER, "mother", "43992119501109004042", "测试丁"),
    ];
    for (sort, (member, relation, certificate, name)) in members.into_iter().enumerate() {
        let mut put =
            |field: &str, value: Value| facts.register.insert(format!("member/{member}/{field}"), value);
        put("sort", Value::Int(i64::try_from(sort).unwrap()));
        put("relation_to_head", text(relation));
        put("certificate_type", text("identity_card"));
        put("cert_no", text(certificate));
        put("full_name", text(name));
    }
    facts.register.insert("head_member_id".to_owned(), text(HEAD));
    facts.register.insert("household_type".to_owned(), text("lifted"));
    facts
}

/// The same household with a check half a year ago.
pub(super) fn known_household() -> Facts {
    let mut facts = household();
    facts.last_on = Some("2023-11-02".to_owned());
    facts.last.insert("answer/income/wage_income".to_owned(), Value::Int(2_660_000));
    for member in [HEAD, WIFE, CHILD, MOTHER] {
        facts.last.insert(format!("answer/medical/basic_medical/{member}"), text("resident"));
    }
    facts
}

pub(super) fn answered(mut facts: Facts, answers: &[(&str, Value)]) -> Facts {
    facts.answers.extend(answers.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    facts
}

pub(super) fn completed(facts: Facts) -> Facts {
    answered(facts, &[("visit_result", text("completed"))])
}

/// The questions that are asked, with the member where they are asked of one.
pub(super) fn asked(view: &View) -> Vec<String> {
    let of = |member: &Option<String>, question: &str| match member {
        Some(member) => format!("{question}@{}", &member[..1]),
        None => question.to_owned(),
    };
    view.pages
        .iter()
        .flat_map(|page| page.items.iter().map(|item| of(&page.member, &item.question)))
        .collect()
}

pub(super) fn view(facts: &Facts) -> View {
    look(first(), facts)
}

pub(super) fn asks(facts: &Facts, question: &str) -> bool {
    asked(&view(facts)).iter().any(|asked| asked == question)
}

/// The answers of `answers/<member>` for one member.
pub(super) fn of(path: &str, member: &str) -> String {
    format!("answer/{path}/{member}")
}

pub(super) fn with(facts: Facts, answers: &[(String, Value)]) -> Facts {
    let mut facts = facts;
    facts.answers.extend(answers.iter().cloned().collect::<BTreeMap<_, _>>());
    facts
}

#[test]
fn a_day_begins_at_midnight_in_china() {
    assert_eq!(day_in_china(1_718_121_599_999), "2024-06-11");
    assert_eq!(day_in_china(1_718_121_600_000), "2024-06-12");
    assert_eq!(day_in_china(0), "1970-01-01");
}
