//! `ruhu show`: one household with its members, latest answers and open conflicts.

use ruhu_client_core::{Client, FieldView, HouseholdView, ListedCheck};
use ruhu_survey::code_list::Code;
use ruhu_survey::household::Member;
use ruhu_survey::message::Lang;
use serde_json::{Value, json};

use super::list::state_text;
use super::value;
use crate::failure::Failure;
use crate::output::{Output, local, utc_second};
use crate::pick;

pub(super) fn run(client: &Client, text: &str, output: &Output) -> Result<(), Failure> {
    let view = client.household(pick::household(client, text)?)?;
    if output.is_json() {
        output.json(&as_json(&view));
        return Ok(());
    }
    let household = &view.household;
    let number = household.national_household_no.as_deref().unwrap_or("—");
    output.text(&format!("{} · {number} · {}", household.display_name().unwrap_or("—"), household.id));
    tell_members(&household.active_members(), output);
    tell_fields(view.fields.iter().filter(|field| !is_told_elsewhere(&field.key)), output);
    tell_checks(&view.checks, output);
    tell_fields(view.latest_answers.iter(), output);
    if !view.conflicts.is_empty() {
        output.say("ruhu_open_conflicts", &[("count", &view.conflicts.len())]);
    }
    Ok(())
}

/// Members have a table of their own, and entries are told as checks, settlements and history.
fn is_told_elsewhere(key: &str) -> bool {
    key.starts_with("member/") || key.starts_with("event/")
}

fn tell_members(members: &[&Member], output: &Output) {
    output.say("ruhu_members_of", &[]);
    let code = |code: Option<&'static Code>| {
        code.map(|code| if output.lang() == Lang::Zh { code.zh.clone() } else { code.en.clone() })
    };
    let row = |member: &&Member| {
        vec![
            member.id.clone(),
            member.full_name.clone().unwrap_or_default(),
            code(member.relation_to_head).unwrap_or_default(),
            member.cert_no.mask.clone().unwrap_or_default(),
        ]
    };
    let heads = ["ruhu_head_member", "ruhu_head_name", "ruhu_head_relation", "ruhu_head_certificate"];
    output.table(&heads, members.iter().map(row).collect());
}

fn tell_fields<'a>(fields: impl Iterator<Item = &'a FieldView>, output: &Output) {
    let row = |field: &FieldView| {
        let label = if output.lang() == Lang::Zh { &field.zh } else { &field.en };
        let open = if field.open { " ⚑" } else { "" };
        let who = &field.written.device_name;
        let when = local(Some(field.written.claimed_at.saturating_mul(1000)));
        vec![field.key.clone(), label.clone(), format!("{}{open}", field.text), who.clone(), when]
    };
    let rows: Vec<_> = fields.map(row).collect();
    let heads = ["ruhu_head_key", "ruhu_head_field", "ruhu_head_value", "ruhu_head_who", "ruhu_head_claimed"];
    if !rows.is_empty() {
        output.table(&heads, rows);
    }
}

fn tell_checks(checks: &[ListedCheck], output: &Output) {
    if checks.is_empty() {
        return;
    }
    output.say("ruhu_checks_of", &[]);
    let row = |check: &ListedCheck| {
        let state = check.send_state.as_ref().map(|state| state_text(state, output)).unwrap_or_default();
        vec![check.id.to_string(), local(Some(check.started_ms)), check.result.clone(), state]
    };
    let heads = ["ruhu_head_check", "ruhu_head_claimed", "ruhu_head_result", "ruhu_head_state"];
    output.table(&heads, checks.iter().map(row).collect());
}

/// What every device of the village shows alike; where this device's own edits stand is in `list`.
fn as_json(view: &HouseholdView) -> Value {
    let household = &view.household;
    let members = household.members.values().map(|member| {
        json!({
            "id": member.id, "full_name": member.full_name,
            "relation_to_head": member.relation_to_head.map(|code| code.code.clone()),
            "certificate": member.cert_no.mask, "joined_on": member.joined_on, "left_on": member.left_on,
        })
    });
    let checks = view
        .checks
        .iter()
        .filter(|check| check.ended_ms.is_some())
        .map(|check| json!({ "id": check.id, "type": check.check_type, "result": check.result }));
    json!({
        "id": household.id, "number": household.national_household_no, "group": household.group_name,
        "address": household.address, "head": household.head, "population": household.population(),
        "members": members.collect::<Value>(),
        "fields": view.fields.iter().map(field_json).collect::<Value>(),
        "checks": checks.collect::<Value>(),
        "latest_answers": view.latest_answers.iter().map(field_json).collect::<Value>(),
        "open_conflicts": view.conflicts.len(),
    })
}

fn field_json(field: &FieldView) -> Value {
    json!({
        "key": field.key, "label_zh": field.zh, "label_en": field.en,
        "value": value::as_json(&field.written.value), "text": field.text, "open": field.open,
        "device": field.written.by.device, "user": field.written.by.user,
        "claimed_at": utc_second(field.written.claimed_at),
        "source": field.source.code(), "reason": field.reason,
    })
}
