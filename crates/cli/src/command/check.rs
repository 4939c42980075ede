//! `ruhu check`: fills a check of a household, in a dialogue or from a JSON file.
//!
//! Every answer is durable before the next is asked. Breaking off keeps a draft, and the next
//! `ruhu check` of the household goes on with it.

use std::path::Path;

use ruhu_client_core::{CheckState, Client};
use ruhu_survey::change;
use ruhu_survey::household::{Because, Input};
use ruhu_survey::id::{CheckId, HouseholdId};
use serde_json::{Map, Value, json};

use super::dialogue::{ask_all, replaced};
use super::edit::source;
use crate::arguments::Check;
use crate::failure::Failure;
use crate::output::Output;
use crate::pick;

pub(super) fn run(client: &mut Client, asked: &Check, output: &Output) -> Result<(), Failure> {
    let household = pick::household(client, &asked.household)?;
    let check = draft_or_new(client, household, &asked.check_type, output)?;
    let submit = match &asked.answers {
        Some(path) => {
            answers_of_file(client, check, path)?;
            true
        }
        None => ask_all(client, check, asked.short, output)?,
    };
    let answers = client.draft(check)?.answers;
    let count = answers.len();
    if submit && !asked.keep_draft {
        let drafted = answers.iter().find(|answer| answer.key == "visit_result").map(|answer| &answer.value);
        let result = match (&asked.result, drafted) {
            (Some(result), _) | (None, Some(change::Value::Text(result))) => result.as_str(),
            _ => "completed",
        };
        if asked.answers.is_some() {
            replaced(&client.not_applicable(check, result)?, output);
        }
        client.submit(check, result, &[])?;
        output.say("ruhu_check_submitted", &[("check", &check), ("count", &count)]);
    } else {
        output.say("ruhu_check_draft", &[("check", &check), ("count", &count)]);
    }
    output.json(&json!({ "check": check, "answers": count, "submitted": submit && !asked.keep_draft }));
    Ok(())
}

/// The draft that was begun and not submitted, or a new check.
fn draft_or_new(
    client: &mut Client,
    household: HouseholdId,
    check_type: &str,
    output: &Output,
) -> Result<CheckId, Failure> {
    let drafts = client.checks(household)?;
    let begun =
        drafts.iter().find(|check| check.state == CheckState::Draft && check.check_type == check_type);
    let Some(begun) = begun else { return Ok(client.start_check(household, check_type)?) };
    let count = client.draft(begun.id)?.answers.len();
    output.say("ruhu_check_resumed", &[("check", &begun.id), ("count", &count)]);
    Ok(begun.id)
}

/// A JSON object: each key is a field's, each value the answer, or an object of answer, source and reason.
fn answers_of_file(client: &mut Client, check: CheckId, path: &Path) -> Result<(), Failure> {
    let unreadable = |what: String| Failure::File { path: path.to_owned(), what };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    let answers: Map<String, Value> =
        serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    for (key, value) in &answers {
        let (value, because) = match value {
            Value::Object(parts) => (parts.get("value").unwrap_or(&Value::Null), because(parts)?),
            value => (value, Because::default()),
        };
        client.set_answer(check, key, &input(key, value)?, &because)?;
    }
    Ok(())
}

fn because(parts: &Map<String, Value>) -> Result<Because, Failure> {
    let text = |name: &str| parts.get(name).and_then(Value::as_str);
    Ok(Because { source: source(text("source"))?, reason: text("reason").map(ToOwned::to_owned) })
}

/// Texts are read as people type them, in yuan and mu; numbers, booleans and null as they are stored.
fn input(key: &str, value: &Value) -> Result<Input, Failure> {
    match value {
        Value::String(text) => Ok(Input::Text(text.clone())),
        Value::Bool(flag) => Ok(Input::Stored(change::Value::Bool(*flag))),
        Value::Null => Ok(Input::Withdraw),
        Value::Number(number) => {
            let number = number.as_i64().ok_or_else(|| Failure::Unknown(format!("{key}: {number}")))?;
            Ok(Input::Stored(change::Value::Int(number)))
        }
        other => Err(Failure::Unknown(format!("{key}: {other}"))),
    }
}
