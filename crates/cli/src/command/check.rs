//! `ruhu check`: fills a check of a household, in a dialogue or from a JSON file.
//!
//! Every answer is durable before the next is asked. Breaking off keeps a draft, and the next
//! `ruhu check` of the household goes on with it.

use std::io::{BufRead, IsTerminal, Write, stdin, stdout};
use std::path::Path;

use dialoguer::Confirm;
use ruhu_client_core::{CheckState, Client};
use ruhu_survey::change::{self, DocumentKind};
use ruhu_survey::field_table::{self, Field};
use ruhu_survey::household::{Because, Input};
use ruhu_survey::id::{CheckId, HouseholdId};
use ruhu_survey::message::Lang;
use serde_json::{Map, Value, json};

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
        None => ask_all(client, check, household, output)?,
    };
    let count = client.draft(check)?.answers.len();
    if submit && !asked.keep_draft {
        client.submit(check, &asked.result, &[])?;
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

/// Asks every question that is not answered yet; answers whether to submit.
fn ask_all(
    client: &mut Client,
    check: CheckId,
    household: HouseholdId,
    output: &Output,
) -> Result<bool, Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::BrokenOff);
    }
    output.say("ruhu_check_hint", &[]);
    let answered: Vec<_> = client.draft(check)?.answers.into_iter().map(|answer| answer.key).collect();
    for (key, label) in questions(client, household, output.lang())? {
        if !answered.contains(&key) {
            ask(client, check, &key, &label)?;
        }
    }
    let question = output.message("ruhu_check_submit", &[]);
    Confirm::new().with_prompt(question).interact().map_err(|_| Failure::BrokenOff)
}

/// Asks one question until the answer fits or is skipped.
fn ask(client: &mut Client, check: CheckId, key: &str, label: &str) -> Result<(), Failure> {
    loop {
        print!("{label}: ");
        stdout().flush().map_err(|_| Failure::BrokenOff)?;
        let mut line = String::new();
        let read = stdin().lock().read_line(&mut line).map_err(|_| Failure::BrokenOff)?;
        if read == 0 {
            return Err(Failure::BrokenOff);
        }
        if line.trim().is_empty() {
            return Ok(());
        }
        let answer = Input::Text(line.trim().to_owned());
        match client.set_answer(check, key, &answer, &Because::default()) {
            Ok(()) => return Ok(()),
            Err(error) => println!("  {error}"),
        }
    }
}

/// The keys and labels of all questions, those of the household first, then each member's.
fn questions(client: &Client, household: HouseholdId, lang: Lang) -> Result<Vec<(String, String)>, Failure> {
    let members = client.household(household)?.household;
    let fields: Vec<&Field> = field_table::table(DocumentKind::Check)
        .fields()
        .filter(|field| field.path.starts_with("answer/"))
        .collect();
    let label = |field: &Field| if lang == Lang::Zh { field.zh.clone() } else { field.en.clone() };
    let is_plain = |field: &&&Field| {
        !matches!(field.kind, field_table::Type::Set { .. } | field_table::Type::Slots { .. })
    };
    let of_household = fields.iter().filter(is_plain).filter(|field| !field.per_member);
    let mut questions: Vec<_> = of_household.map(|field| (field.path.clone(), label(field))).collect();
    for member in members.active_members() {
        let name = member.full_name.clone().unwrap_or_default();
        let of_member = fields.iter().filter(is_plain).filter(|field| field.per_member);
        questions
            .extend(of_member.map(|field| {
                (format!("{}/{}", field.path, member.id), format!("{name} · {}", label(field)))
            }));
    }
    Ok(questions)
}
