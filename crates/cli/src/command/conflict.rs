//! `ruhu conflicts` and `ruhu settle`.

use ruhu_client_core::{Client, Edit, Error, OpenConflict, Written};
use ruhu_survey::change::DocumentId;
use ruhu_survey::field_table::Source;
use ruhu_survey::household::{Because, Input};
use ruhu_survey::id::HouseholdId;
use serde_json::{Value, json};

use super::value;
use crate::arguments::{InVillage, Settle};
use crate::failure::Failure;
use crate::output::{Output, local, utc, utc_second};
use crate::pick;

pub(super) fn list(client: &Client, place: &InVillage, output: &Output) -> Result<(), Failure> {
    let village = pick::village(client, place)?;
    let conflicts = client.conflicts(village.id)?;
    let heads = [
        "ruhu_head_household",
        "ruhu_head_key",
        "ruhu_head_field",
        "ruhu_head_number",
        "ruhu_head_value",
        "ruhu_head_who",
        "ruhu_head_claimed",
    ];
    if conflicts.is_empty() {
        output.say("ruhu_no_conflicts", &[]);
    } else {
        output.table(&heads, conflicts.iter().flat_map(|conflict| rows(conflict, output)).collect());
    }
    output.json(&conflicts.iter().map(as_json).collect());
    Ok(())
}

/// The values of a conflict, the shown one first: the order that `--choose` counts.
fn values(conflict: &OpenConflict) -> impl Iterator<Item = &Written> {
    std::iter::once(&conflict.shown).chain(&conflict.others)
}

fn rows(conflict: &OpenConflict, output: &Output) -> Vec<Vec<String>> {
    let kind = conflict.document.kind;
    let row = |(index, written): (usize, &Written)| {
        vec![
            uuid(conflict.document),
            conflict.key.clone(),
            value::label(kind, &conflict.key, output.lang()),
            (index + 1).to_string(),
            value::text(kind, &conflict.key, &written.value, output),
            written.device_name.clone(),
            local(Some(written.claimed_at.saturating_mul(1000))),
        ]
    };
    values(conflict).enumerate().map(row).collect()
}

fn as_json(conflict: &OpenConflict) -> Value {
    let written = |written: &Written| {
        json!({
            "value": value::as_json(&written.value), "change": written.change.to_string(),
            "device": written.by.device, "device_name": written.device_name, "user": written.by.user,
            "claimed_at": utc_second(written.claimed_at),
            "proved_not_before": written.by.not_before_ms.map(|ms| utc(Some(ms))),
            "proved_not_after": written.by.not_after_ms.map(|ms| utc(Some(ms))),
        })
    };
    json!({
        "document": conflict.document.kind.name(),
        "household": uuid(conflict.document),
        "field": conflict.key,
        "values": values(conflict).map(written).collect::<Value>(),
    })
}

fn uuid(document: DocumentId) -> String {
    HouseholdId::from_bytes(document.id).to_string()
}

pub(super) fn settle(client: &mut Client, asked: &Settle, output: &Output) -> Result<(), Failure> {
    let household = pick::household(client, &asked.household)?;
    if let Some(text) = &asked.value {
        write_another(client, household, asked, text)?;
    }
    let document: DocumentId = household.into();
    let conflicts = client.document_conflicts(document)?;
    let found = conflicts.iter().find(|conflict| conflict.key == asked.field);
    let Some(conflict) = found else {
        // A value that has seen all the others leaves nothing to settle.
        if asked.value.is_none() {
            return Err(Error::NoConflict(asked.field.clone()).into());
        }
        told(output);
        return Ok(());
    };
    let choices = values(conflict).count();
    let wanted = asked.choose.and_then(|number| number.checked_sub(1)).unwrap_or(usize::MAX);
    let chosen = values(conflict).nth(wanted).ok_or(Failure::Choice(choices))?;
    client.settle(document, &asked.field, chosen.change, &asked.reason)?;
    told(output);
    Ok(())
}

fn told(output: &Output) {
    output.say("ruhu_settled", &[]);
    output.json(&json!({ "settled": true }));
}

/// None of the values in conflict is right: another is written in the place of all, with the reason.
fn write_another(
    client: &mut Client,
    household: HouseholdId,
    asked: &Settle,
    text: &str,
) -> Result<(), Failure> {
    let because = Because { source: Some(Source::Correction), reason: Some(asked.reason.clone()) };
    let edit = Edit { key: asked.field.clone(), input: Input::Text(text.to_owned()), because };
    Ok(client.edit_household(household, &[edit])?)
}
