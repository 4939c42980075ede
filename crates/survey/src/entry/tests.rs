//! Every kind of entry against its JSON schema, and what is no entry.

use serde_json::{Value as Json, json};

use super::*;
use crate::shown::kit::Desk;

const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const UUID: &str = "018f6d2e-7a10-7c3e-9b51-2f0c8f1d0001";
const ID: &str = "7k3qabcd7k3qabcd";

fn text(text: &str) -> String {
    text.to_owned()
}

/// One entry of each kind with all of its parts.
fn samples() -> Vec<Entry> {
    vec![
        Entry::Submit(Submit {
            heads: vec![text(HASH)],
            result: text("completed"),
            answers_hash: text(HASH),
        }),
        Entry::Visit(Visit {
            check: text(UUID),
            head: text(HASH),
            result: text("completed"),
            confirmed: vec![text("group_name")],
            started: text("2024-06-01"),
            ended: text("2024-06-01"),
        }),
        Entry::Settle(Settle {
            field: text("main_cause"),
            settled: vec![text(HASH)],
            reason: text("看过病历"),
        }),
        Entry::Correct(Correct {
            field: text("answer/income/wage_income"),
            old: Scalar::Int(1),
            new: Scalar::Sealed(Sealed { sealed: text("01ff") }),
            reason: text("看错了"),
        }),
        Entry::Link(Link { household: text(UUID), reason: text("同一户") }),
        Entry::Unlink(Unlink { link: text(ID), reason: text("不是同一户") }),
        Entry::Progress(Progress { side: Side::Local, text: text("已动工"), percent: 40 }),
        Entry::CloseoutRequest(CloseoutRequest { evidence_set_hash: text(HASH), seen: vec![text(ID)] }),
        Entry::CloseoutSignoff(CloseoutSignoff {
            side: Side::Department,
            decision: Decision::Agree,
            evidence_set_hash: text(HASH),
            signer: text(UUID),
            unit: text("住建局"),
            title: text("科长"),
            seen: vec![],
        }),
        Entry::Reopen(Reopen { reason: text("又漏雨"), check: Some(text(UUID)) }),
        Entry::Extend(Extend { due_date: text("2024-09-30"), reason: text("雨季") }),
        Entry::Assign(Assign {
            unit: text("住建局"), person: text("测试甲"), leader: Some(text("测试乙"))
        }),
        Entry::Replaces(Replaces { change: text(HASH), rule: text("depends_on_quarantined") }),
    ]
}

#[test]
fn every_kind_reads_back_from_its_value() {
    for entry in samples() {
        assert_eq!(Entry::from_value(&entry.to_value()), Ok(entry));
    }
}

#[test]
fn an_entry_is_canonical_json() {
    let Value::Text(json) = samples()[2].to_value() else { panic!() };
    assert_eq!(
        json,
        format!(r#"{{"field":"main_cause","kind":"settle","reason":"看过病历","settled":["{HASH}"]}}"#)
    );
    for other in [json.replace(':', ": "), json.replace("看", "\\u770b"), format!("{json} ")] {
        assert_eq!(Entry::from_value(&Value::Text(other)), Err(InvalidEntry::NotCanonical));
    }
}

#[test]
fn what_is_no_entry_is_refused_with_the_reason() {
    assert_eq!(Entry::from_value(&Value::Int(1)), Err(InvalidEntry::NotText));
    let long = "x".repeat(ENTRY_BYTES_MAX + 1);
    assert_eq!(Entry::from_value(&Value::Text(long)), Err(InvalidEntry::TooLarge(ENTRY_BYTES_MAX + 1)));
    for text in [
        "",
        "{}",
        r#"{"kind":"wish"}"#,
        r#"{"kind":"extend","due_date":"2024-09-30"}"#,
        r#"{"due_date":"2024-09-30","extra":1,"kind":"extend","reason":"雨季"}"#,
        r#"{"due_date":"2024-09-30","kind":"extend","kind":"extend","reason":"雨季"}"#,
    ] {
        let refusal = Entry::from_value(&Value::Text(text.to_owned()));
        assert!(matches!(refusal, Err(InvalidEntry::Form(_))), "{text}: {refusal:?}");
    }
}

#[test]
fn each_part_is_checked() {
    let refused =
        |entry: Entry, name| assert_eq!(Entry::from_value(&entry.to_value()), Err(InvalidEntry::Part(name)));
    refused(Entry::Extend(Extend { due_date: text("2024-09-31"), reason: text("雨季") }), "due_date");
    refused(Entry::Extend(Extend { due_date: text("2024-09-30"), reason: text(" ") }), "reason");
    refused(Entry::Link(Link { household: text("x"), reason: text("同一户") }), "household");
    refused(Entry::Progress(Progress { side: Side::Local, text: text("已动工"), percent: 101 }), "percent");
    refused(Entry::Settle(Settle { field: text("a"), settled: vec![], reason: text("看过") }), "settled");
    let twice = vec![text(HASH), text(HASH)];
    refused(Entry::Settle(Settle { field: text("a"), settled: twice, reason: text("看过") }), "settled");
    for rule in ["", "Late", "late rule"] {
        refused(Entry::Replaces(Replaces { change: text(HASH), rule: text(rule) }), "rule");
    }
    refused(Entry::Replaces(Replaces { change: text("00"), rule: text("late") }), "change");
    refused(
        Entry::Submit(Submit { heads: vec![], result: text("done"), answers_hash: text(HASH) }),
        "result",
    );
}

#[test]
fn an_entry_of_the_greatest_length_is_one() {
    let entry = |length| Entry::Reopen(Reopen { reason: "x".repeat(length), check: None });
    let Value::Text(empty) = entry(0).to_value() else { panic!() };
    let room = ENTRY_BYTES_MAX - empty.len();
    assert!(Entry::from_value(&entry(room).to_value()).is_ok());
    assert!(matches!(Entry::from_value(&entry(room + 1).to_value()), Err(InvalidEntry::TooLarge(_))));
}

fn schema(kind: &str) -> Json {
    let path = format!("{}/../../schemas/document/entry/{kind}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// As much of JSON Schema as the entry schemas use; panics at a keyword that it does not know.
fn fits(schema: &Json, value: &Json) -> bool {
    let type_fits = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other}"),
    };
    schema.as_object().unwrap().iter().all(|(keyword, rule)| match keyword.as_str() {
        "$schema" | "title" | "description" => true,
        "type" => match rule {
            Json::String(name) => type_fits(name),
            names => names.as_array().unwrap().iter().any(|name| type_fits(name.as_str().unwrap())),
        },
        "const" => value == rule,
        "enum" => rule.as_array().unwrap().contains(value),
        "oneOf" => rule.as_array().unwrap().iter().filter(|one| fits(one, value)).count() == 1,
        // A keyword about another type than the value's says nothing.
        "pattern" => value.as_str().is_none_or(|text| pattern_fits(rule.as_str().unwrap(), text)),
        "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= rule.as_u64().unwrap()),
        "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
        "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().unwrap()),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
        "uniqueItems" => true,
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| fits(rule, item))),
        "required" => value.as_object().is_none_or(|parts| {
            rule.as_array().unwrap().iter().all(|name| parts.contains_key(name.as_str().unwrap()))
        }),
        "properties" => value.as_object().is_none_or(|parts| {
            parts.iter().all(|(name, part)| rule.get(name).is_some_and(|schema| fits(schema, part)))
        }),
        "additionalProperties" => rule == &json!(false),
        other => panic!("{other}"),
    })
}

/// The six patterns of the schemas, by the characters and the length that they allow.
fn pattern_fits(pattern: &str, text: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match pattern {
        "^[0-9a-f]{64}$" => text.len() == 64 && hex(text),
        "^([0-9a-f]{2})+$" => !text.is_empty() && text.len().is_multiple_of(2) && hex(text),
        "^[a-z2-7]{16}$" => is_derived_id(text),
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => text.len() == 10,
        "^[0-9a-z_]{1,64}$" => {
            let letter = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'_');
            (1..=64).contains(&text.len()) && text.bytes().all(letter)
        }
        _ => text.len() == 36 && text.split('-').all(hex),
    }
}

#[test]
fn every_kind_has_a_schema_that_its_entries_fit() {
    for entry in samples() {
        let Value::Text(text) = entry.to_value() else { panic!() };
        let json: Json = serde_json::from_str(&text).unwrap();
        let schema = schema(entry.kind());
        assert!(fits(&schema, &json), "{text}");
        let listed: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let written: Vec<&String> = json.as_object().unwrap().keys().collect();
        let (listed, written): (std::collections::BTreeSet<_>, std::collections::BTreeSet<_>) =
            (listed.into_iter().collect(), written.into_iter().collect());
        assert_eq!(listed, written, "{}", entry.kind());
    }
}

#[test]
fn what_the_schema_requires_the_type_requires() {
    for entry in samples() {
        let Value::Text(text) = entry.to_value() else { panic!() };
        let json: Json = serde_json::from_str(&text).unwrap();
        for name in json.as_object().unwrap().keys() {
            let mut without = json.clone();
            without.as_object_mut().unwrap().remove(name);
            let value = Value::Text(serde_json_canonicalizer::to_string(&without).unwrap());
            let schema_fits = fits(&schema(entry.kind()), &without);
            assert_eq!(Entry::from_value(&value).is_ok(), schema_fits, "{} without {name}", entry.kind());
        }
    }
}

#[test]
fn every_schema_file_is_of_a_kind() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/document/entry");
    let count = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(count, samples().len());
}

#[test]
fn entries_come_after_all_that_their_author_had_seen() {
    let progress =
        |percent| Entry::Progress(Progress { side: Side::Local, text: text("已动工"), percent });
    let mut zhang = Desk::new(1);
    zhang.write(|builder| drop(progress(1).put(builder)));
    let mut li = Desk::new(2);
    li.take(&zhang);
    li.write(|builder| drop(progress(2).put(builder)));
    zhang.take(&li);
    zhang.write(|builder| drop(progress(3).put(builder)));
    let order: Vec<Entry> = entries(&zhang.register).into_iter().map(|placed| placed.entry).collect();
    assert_eq!(order, [progress(1), progress(2), progress(3)]);
}
