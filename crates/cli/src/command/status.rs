//! `ruhu status` and `ruhu unlock`: is everything received, and is anything wrong?

use ruhu_client_core::{Client, NotAccepted, Repair, Status};
use serde_json::{Value, json};

use super::list::rule_text;
use super::photo;
use crate::arguments::Unlock;
use crate::failure::Failure;
use crate::output::{Output, local, utc};
use crate::passphrase;

pub(super) fn unlock(client: &mut Client, unlock: &Unlock, output: &Output) -> Result<(), Failure> {
    for path in &client.open_report().aside {
        output.say("ruhu_set_aside", &[("path", &path.display())]);
    }
    if unlock.change_passphrase {
        let old = passphrase::existing(output)?;
        client.change_passphrase(&old, &passphrase::next(output)?)?;
        output.say("ruhu_passphrase_changed", &[]);
    }
    run(client, output)
}

pub(super) fn run(client: &Client, output: &Output) -> Result<(), Failure> {
    let status = client.status()?;
    let refused = client.refused()?;
    tell_device(&status, output);
    tell_unsent(&status, output);
    photo::tell_waiting(client, output)?;
    for one in &refused {
        tell_refused(one, output);
    }
    tell_troubles(&status, output);
    output.json(&as_json(&status, &refused));
    Ok(())
}

fn tell_device(status: &Status, output: &Output) {
    let Some(device) = &status.device else { return output.say("ruhu_not_enrolled", &[]) };
    output.say(
        "ruhu_device",
        &[
            ("user", &device.user_name),
            ("role", &device.role.name()),
            ("name", &device.name),
            ("server", &device.server),
            ("words", &device.server_words.join(" ")),
        ],
    );
    if let Some(at) = device.revoked_ms {
        output.say("ruhu_device_revoked", &[("at", &local(Some(at)))]);
    }
    if device.provisional {
        output.say("ruhu_provisional", &[]);
    }
    for village in &status.villages {
        let synced = local(village.synced_ms);
        output.say(
            "ruhu_village_line",
            &[("name", &village.name), ("households", &village.households), ("synced", &synced)],
        );
    }
}

fn tell_unsent(status: &Status, output: &Output) {
    let unsent = &status.unsent;
    let batches = unsent.queued + unsent.sent;
    if unsent.carried > 0 {
        output.say("ruhu_carrying", &[("count", &unsent.carried)]);
    }
    if unsent.staged > 0 {
        output.say("ruhu_carried_staged", &[("staged", &unsent.staged)]);
    }
    match status.backup_ms {
        _ if status.beyond_backup == 0 => {}
        None => output.say("ruhu_no_backup", &[("count", &status.beyond_backup)]),
        Some(at) => {
            let at = local(Some(at));
            output.say("ruhu_beyond_backup", &[("count", &status.beyond_backup), ("at", &at)]);
        }
    }
    if unsent.drafts + unsent.changes + batches + unsent.turned_away == 0 {
        // What waits besides is said by itself.
        if unsent.carried + unsent.staged + unsent.photos > 0 {
            return;
        }
        return output.say("ruhu_all_received", &[]);
    }
    output.say(
        "ruhu_unsent",
        &[("drafts", &unsent.drafts), ("changes", &unsent.changes), ("batches", &batches)],
    );
    if unsent.turned_away > 0 {
        output.say("ruhu_turned_away", &[("count", &unsent.turned_away)]);
    }
}

fn tell_refused(one: &NotAccepted, output: &Output) {
    let Some(rule) = one.state.rule() else { return };
    let word = output.message(&format!("ruhu_state_{}", one.state.name()), &[]);
    let (keys, rule) = (one.keys.join(", "), rule_text(rule, output));
    output.say(
        "ruhu_not_accepted",
        &[("document", &one.document), ("keys", &keys), ("state", &word), ("rule", &rule)],
    );
    if let Some(change) = one.replaced_by {
        output.say("ruhu_replaced_by", &[("change", &change)]);
    }
}

fn tell_troubles(status: &Status, output: &Output) {
    for fork in &status.forks {
        output.say("ruhu_fork", &[("device", &fork.device), ("number", &fork.number)]);
    }
    if status.set_aside > 0 {
        output.say("ruhu_sync_set_aside", &[("count", &status.set_aside)]);
    }
    for repair in &status.repairs {
        let village = status.villages.iter().find(|village| village.id == repair.village);
        let name = village.map_or_else(|| repair.village.to_string(), |village| village.name.clone());
        tell_repair(repair, &name, output);
    }
    for village in status.villages.iter().filter(|village| village.mismatch_ms.is_some()) {
        output.say("ruhu_sync_mismatch", &[("village", &village.name)]);
    }
    if status.log_inconsistent_ms.is_some() {
        output.say("ruhu_log_inconsistent", &[]);
    }
}

/// What a repair did, or why it did not.
pub(super) fn tell_repair(repair: &Repair, village: &str, output: &Output) {
    let code = if repair.is_mended() { "ruhu_repair_mended" } else { "ruhu_repair_failed" };
    output.say(
        code,
        &[
            ("village", &village),
            ("fetched", &repair.fetched),
            ("returned", &repair.returned),
            ("unproved", &repair.unproved),
            ("outcome", &repair.outcome),
        ],
    );
}

pub(super) fn repair_as_json(repair: &Repair) -> Value {
    json!({
        "village": repair.village, "at": utc(Some(repair.at_ms)), "fetched": repair.fetched,
        "returned": repair.returned, "unproved": repair.unproved, "outcome": repair.outcome,
        "mended": repair.is_mended(),
    })
}

fn as_json(status: &Status, refused: &[NotAccepted]) -> Value {
    let device = status.device.as_ref().map(|device| {
        json!({
            "deployment": device.deployment, "device": device.device, "name": device.name,
            "user": device.user, "user_name": device.user_name, "role": device.role.name(),
            "until": utc(Some(device.until_ms)), "revoked_at": device.revoked_ms.map(|ms| utc(Some(ms))),
            "provisional": device.provisional,
            "server": device.server, "server_words": device.server_words,
        })
    });
    let not_accepted = refused.iter().map(|one| {
        json!({
            "document": one.document.to_string(), "change": one.change.to_string(), "keys": one.keys,
            "state": one.state.name(), "rule": one.state.rule().unwrap_or_default(),
            "replaced_by": one.replaced_by.map(|change| change.to_string()),
        })
    });
    let unsent = &status.unsent;
    json!({
        "device": device,
        "villages": status.villages.iter().map(|village| json!({
            "id": village.id, "code": village.code, "name": village.name, "households": village.households,
            "synced_at": village.synced_ms.map(|ms| utc(Some(ms))), "mismatch": village.mismatch_ms.is_some(),
        })).collect::<Value>(),
        "unsent": {
            "drafts": unsent.drafts, "changes": unsent.changes, "queued": unsent.queued,
            "sent": unsent.sent, "turned_away": unsent.turned_away, "keys": unsent.keys, "carried": unsent.carried, "staged": unsent.staged,
            "photos": unsent.photos,
        },
        "not_accepted": not_accepted.collect::<Value>(),
        "set_aside": status.set_aside,
        "repairs": status.repairs.iter().map(repair_as_json).collect::<Vec<_>>(),
        "forks": status.forks.len(),
        "log_inconsistent": status.log_inconsistent_ms.is_some(),
        "clock_ahead_ms": status.clock_ahead_ms,
        "beyond_backup": status.beyond_backup,
        "backup_at": status.backup_ms.map(|ms| utc(Some(ms))),
    })
}
