//! `ruhu devices`: of each device of a village, what the server last had of it and what it last said that it still holds.

use ruhu_client_core::{Client, DeviceSeen};
use serde_json::{Value, json};

use crate::arguments::InVillage;
use crate::failure::Failure;
use crate::output::{Output, local, utc};
use crate::pick;

pub(super) fn run(client: &Client, place: &InVillage, output: &Output) -> Result<(), Failure> {
    let village = pick::village(client, place)?;
    // From which day on a visit counts as done does not matter to devices.
    let overview = client.overview(village.id, "")?;
    output.table(
        &[
            "ruhu_head_device",
            "ruhu_head_role",
            "ruhu_head_received",
            "ruhu_head_announced",
            "ruhu_head_missing",
            "ruhu_head_unsent_checks",
            "ruhu_head_drafts",
            "ruhu_head_note",
        ],
        overview.devices.iter().map(|seen| row(seen, output)).collect(),
    );
    output.say("ruhu_devices_as_of", &[("at", &local(overview.as_of_ms))]);
    output.json(&json!({
        "village": village.id, "as_of": utc(overview.as_of_ms),
        "devices": overview.devices.iter().map(as_json).collect::<Value>(),
    }));
    Ok(())
}

fn row(seen: &DeviceSeen, output: &Output) -> Vec<String> {
    let announced = |count: fn(&ruhu_client_core::AnnouncedUnsent) -> u64| {
        seen.announced.as_ref().map_or_else(|| "—".to_owned(), |said| count(said).to_string())
    };
    let note = match (seen.own, seen.revoked) {
        (true, _) => output.message("app_this_device", &[]),
        (false, true) => output.message("app_revoked", &[]),
        (false, false) => String::new(),
    };
    vec![
        seen.name.clone(),
        seen.role.name().to_owned(),
        local(seen.received_ms),
        local(seen.announced.map(|said| said.at_ms)),
        announced(|said| said.missing),
        announced(|said| said.checks),
        announced(|said| said.drafts),
        note,
    ]
}

fn as_json(seen: &DeviceSeen) -> Value {
    json!({
        "device": seen.device, "name": seen.name, "role": seen.role.name(), "own": seen.own, "revoked": seen.revoked,
        "received_at": utc(seen.received_ms), "received": seen.received, "carried": seen.waiting,
        "announced": seen.announced.map(|said| json!({
            "at": utc(Some(said.at_ms)), "missing_batches": said.missing, "checks": said.checks, "drafts": said.drafts,
        })),
    })
}
