//! `ruhu villages` and `ruhu list`.

use ruhu_client_core::{Client, ListedHousehold, Order, Query, SendState};
use serde_json::{Value, json};

use crate::arguments::List;
use crate::failure::Failure;
use crate::output::{Output, local, utc};
use crate::pick;

pub(super) fn villages(client: &Client, output: &Output) -> Result<(), Failure> {
    let villages = client.villages()?;
    let rows = villages.iter().map(|village| {
        let synced = local(village.synced_ms);
        vec![village.code.clone(), village.name.clone(), village.households.to_string(), synced]
    });
    output.table(
        &["ruhu_head_code", "ruhu_head_village", "ruhu_head_households", "ruhu_head_synced"],
        rows.collect(),
    );
    let listed = villages.iter().map(|village| {
        json!({
            "id": village.id, "code": village.code, "name": village.name, "granted": village.granted,
            "households": village.households, "synced_at": utc(village.synced_ms),
        })
    });
    output.json(&listed.collect());
    Ok(())
}

pub(super) fn households(client: &Client, wanted: &List, output: &Output) -> Result<(), Failure> {
    let village = pick::village(client, &wanted.place)?;
    let query = Query {
        text: wanted.search.clone().unwrap_or_default(),
        group: wanted.group.clone(),
        order: if wanted.due { Order::Due } else { Order::Group },
        limit: u32::try_from(wanted.limit).ok(),
        ..Query::default()
    };
    let found = client.households(village.id, &query)?;
    let rows = found.iter().map(|household| row(household, output)).collect();
    output.table(
        &[
            "ruhu_head_household",
            "ruhu_head_head",
            "ruhu_head_group",
            "ruhu_head_members",
            "ruhu_head_checked",
            "ruhu_head_conflicts",
            "ruhu_head_state",
        ],
        rows,
    );
    output.say("ruhu_listed", &[("count", &found.len()), ("total", &village.households)]);
    output.json(&found.iter().map(as_json).collect());
    Ok(())
}

fn row(household: &ListedHousehold, output: &Output) -> Vec<String> {
    vec![
        household.id.to_string(),
        household.head_name.clone(),
        household.group.clone(),
        household.members.to_string(),
        household.last_checked.clone().unwrap_or_else(|| "—".to_owned()),
        if household.conflicts > 0 { household.conflicts.to_string() } else { String::new() },
        household.send_state.as_ref().map(|state| state_text(state, output)).unwrap_or_default(),
    ]
}

fn as_json(household: &ListedHousehold) -> Value {
    json!({
        "id": household.id, "head": household.head_name, "group": household.group,
        "address": household.address, "number": household.number, "members": household.members,
        "conflicts": household.conflicts, "active": household.active,
        "last_checked": household.last_checked, "last_result": household.last_result,
        "state": household.send_state.as_ref().map(SendState::name),
    })
}

/// Where an edit stands, in plain words.
pub(super) fn state_text(state: &SendState, output: &Output) -> String {
    let word = output.message(&format!("ruhu_state_{}", state.name()), &[]);
    match state.rule() {
        Some(rule) => format!("{word}: {}", rule_text(rule, output)),
        None => word,
    }
}

/// A rule in plain words; its code where the table has no words for it.
pub(super) fn rule_text(rule: &str, output: &Output) -> String {
    let code = format!("ruhu_rule_{rule}");
    let said = output.message(&code, &[]);
    if said == code { rule.to_owned() } else { said }
}
