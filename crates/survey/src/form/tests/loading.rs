//! What is wrong with a form is named: the file, the question, the reason.

use super::super::*;
use crate::expression::ExpressionError;

/// A small form that holds together, as JSON.
const SOUND: &str = r#"{
  "form": "small", "version": "1.0.0", "title": {"zh": "小表", "en": "Small"},
  "lists": {"colour": [{"code": "red", "label": {"zh": "红", "en": "red"}, "tags": {"of": "warm"}}]},
  "sections": [
    {"key": "one", "title": {"zh": "甲", "en": "One"}, "groups": [{"key": "all", "questions": [
      {"key": "a", "type": "one", "list": "colour", "label": {"zh": "色", "en": "Colour"},
       "choice_filter": "choice.of == b"},
      {"key": "b", "type": "text", "label": {"zh": "文", "en": "Text"}},
      {"key": "grade", "type": "one", "field": "answer/housing/grade", "label": {"zh": "级", "en": "Grade"},
       "relevant": "a == 'red'", "only": ["c", "d"],
       "validations": [{"id": "V-1", "must": "grade != 'd'", "severity": "confirm",
                        "message": {"zh": "否", "en": "no"}}]}]}]},
    {"key": "two", "each_member": true, "title": {"zh": "乙", "en": "Two"}, "groups": [{"key": "all", "questions": [
      {"key": "labour", "type": "one", "field": "answer/member/labour_ability", "label": {"zh": "力", "en": "Labour"},
       "relevant": "age >= 16"}]}]}]
}"#;

fn faults(from: &str, to: &str) -> Vec<Fault> {
    assert!(SOUND.contains(from), "{from}");
    let refused = load_text("small.json", &SOUND.replacen(from, to, 1)).unwrap_err();
    assert_eq!(refused.file, "small.json");
    assert!(refused.to_string().starts_with("small.json: "), "{refused}");
    refused.faults
}

fn fault(from: &str, to: &str) -> (String, Reason) {
    let faults = faults(from, to);
    assert_eq!(faults.len(), 1, "{faults:?}");
    (faults[0].at.clone(), faults[0].reason.clone())
}

#[test]
fn the_small_form_holds_together() {
    let loaded = load_text("small.json", SOUND).unwrap();
    assert_eq!(loaded.name(), "small/1.0.0");
    assert_eq!(loaded.places().len(), 4);
}

#[test]
fn what_is_no_form_at_all() {
    for text in ["", "[]", "{}", "{\"form\": 1}"] {
        assert!(
            matches!(load_text("x.json", text).unwrap_err().faults[0].reason, Reason::Format(_)),
            "{text}"
        );
    }
    let (at, reason) = fault(r#""type": "text""#, r#""type": "txt""#);
    assert!(matches!(&reason, Reason::Format(what) if what.contains("txt")), "{reason}");
    assert_eq!(at, "form");
    let (_, reason) = fault(r#""key": "b", "#, r#""key": "b", "requird": true, "#);
    assert!(
        matches!(&reason, Reason::Format(what) if what.contains("requird") && what.contains("line")),
        "{reason}"
    );
    let long = format!("\"{}\"", "x".repeat(5 * 1_024 * 1_024));
    assert!(
        matches!(&load_text("x.json", &long).unwrap_err().faults[0].reason, Reason::Format(what) if what.contains("longer"))
    );
}

#[test]
fn names_labels_and_keys() {
    assert!(matches!(fault(r#""1.0.0""#, r#""1.0""#), (at, Reason::Name(_, _)) if at == "form"));
    assert!(matches!(fault(r#""small""#, r#""Small form""#), (at, Reason::Name(_, _)) if at == "form"));
    let missing = fault(r#"{"zh": "文", "en": "Text"}"#, r#"{"zh": "文", "en": " "}"#);
    assert_eq!(missing, ("b".to_owned(), Reason::MissingLabel("en")));
    let missing = fault(r#"{"zh": "小表", "en": "Small"}"#, r#"{"zh": "", "en": "Small"}"#);
    assert_eq!(missing, ("form".to_owned(), Reason::MissingLabel("zh")));
    assert_eq!(faults(r#""key": "labour""#, r#""key": "grade""#)[0].reason, Reason::DuplicateKey);
    assert_eq!(
        fault(r#""key": "labour""#, r#""key": "members""#),
        ("members".to_owned(), Reason::DuplicateKey)
    );
    assert!(matches!(fault(r#""key": "labour""#, r#""key": "Labour!""#).1, Reason::Name(_, _)));
    assert_eq!(fault(r#""key": "two""#, r#""key": "one""#), ("one".to_owned(), Reason::DuplicateKey));
}

#[test]
fn lists_codes_and_fields() {
    let list = r#""list": "colour""#;
    assert_eq!(faults(list, r#""list": "colours""#)[0].reason, Reason::UnknownList("colours".to_owned()));
    assert_eq!(faults(r#""list": "colour", "#, "")[0].reason, Reason::NoChoices);
    assert_eq!(
        fault(r#"["c", "d"]"#, r#"["c", "d", "e"]"#),
        ("grade".to_owned(), Reason::UnknownCode("e".to_owned()))
    );
    let field = "answer/housing/grade";
    let unknown = faults(&format!(r#""field": "{field}""#), r#""field": "answer/housing/grad""#);
    assert_eq!(
        unknown[0],
        Fault { at: "grade".to_owned(), reason: Reason::UnknownField("answer/housing/grad".to_owned()) }
    );
    assert_eq!(fault(list, r#""list": "colour", "none_of_these": true"#).1, Reason::NoneOfThese);
    let area =
        faults(&format!(r#""field": "{field}""#), r#""field": "answer/housing/area", "list": "house_grade""#);
    assert_eq!(area[0].reason, Reason::UnfitField("answer/housing/area".to_owned()));
    let of_nobody = faults(r#""each_member": true, "#, "");
    assert_eq!(of_nobody[0].reason, Reason::UnfitField("answer/member/labour_ability".to_owned()));
}

#[test]
fn expressions() {
    let reason = |from: &str, to: &str| match fault(from, to) {
        (at, Reason::Expression { part, error }) => (at, part, error),
        other => panic!("{other:?}"),
    };
    let relevant = r#""relevant": "a == 'red'""#;
    assert_eq!(
        reason(relevant, r#""relevant": "aa == 'red'""#),
        ("grade".to_owned(), "relevant", ExpressionError::UnknownName("aa".to_owned()))
    );
    assert!(matches!(
        reason(relevant, r#""relevant": "a == 'blue'""#).2,
        ExpressionError::UnknownCode { .. }
    ));
    assert!(matches!(reason(relevant, r#""relevant": "a == ""#).2, ExpressionError::Syntax(_)));
    assert!(matches!(
        reason(relevant, r#""relevant": "labour == 'none'""#).2,
        ExpressionError::UnknownName(_)
    ));
    assert_eq!(reason("choice.of == b", "choice.off == b").1, "choice_filter");
    let (at, part, _) = reason("grade != 'd'", "grade != 'z'");
    assert_eq!((at.as_str(), part), ("V-1", "must"));
    assert_eq!(fault(relevant, r#""relevant": "b""#), ("grade".to_owned(), Reason::NoCondition("relevant")));
    let deep = format!(r#""relevant": "{}a{}""#, "(".repeat(60), ")".repeat(60));
    assert_eq!(reason(relevant, &deep).2, ExpressionError::TooDeep);
}

#[test]
fn skip_logic_in_a_circle() {
    let circle = SOUND.replacen(r#""key": "a", "#, r#""key": "a", "relevant": "grade == 'c'", "#, 1);
    let faults = load_text("small.json", &circle).unwrap_err().faults;
    let way = ["a", "grade", "a"].map(str::to_owned).to_vec();
    assert_eq!(faults, [Fault { at: "a".to_owned(), reason: Reason::Cycle(way) }]);
    let itself = SOUND.replacen("a == 'red'", "grade == 'c'", 1);
    let way = ["grade", "grade"].map(str::to_owned).to_vec();
    assert_eq!(load_text("small.json", &itself).unwrap_err().faults[0].reason, Reason::Cycle(way));
}

#[test]
fn calculated_questions_and_validations() {
    assert_eq!(
        fault(r#""key": "b", "#, r#""key": "b", "value": "1 + 1", "#),
        ("b".to_owned(), Reason::Value)
    );
    let at = fault(r#""id": "V-1", "#, r#""id": "V-1", "at": "nothing", "#);
    assert_eq!(at, ("V-1".to_owned(), Reason::NoPlace));
}
