//! `ruhu history`: who changed what, when, on which device, with claimed time beside proved window.

use std::collections::BTreeMap;

use ruhu_client_core::{Client, DecidedByPeople, Error};
use ruhu_survey::change::{DocumentId, OpId};
use ruhu_survey::entry::{Entry, Replaces};
use ruhu_survey::history::FieldEvent;
use ruhu_survey::id::{CheckId, DeviceId};
use serde_json::{Value, json};

use super::list::rule_text;
use super::{transport, value, wait};
use crate::arguments::History;
use crate::failure::Failure;
use crate::output::{Output, local, utc, utc_second};
use crate::pick;

pub(super) fn run(client: &mut Client, asked: &History, output: &Output) -> Result<(), Failure> {
    let household = pick::household(client, &asked.household)?;
    if asked.earlier {
        let server = client.status()?.device.ok_or(Error::NotEnrolled)?.server;
        wait(client.fetch_earlier(&transport(&server)?, household))??;
    }
    let document: DocumentId = match &asked.check {
        Some(text) => text.parse::<CheckId>().map_err(|_| Failure::Unknown(text.clone()))?.into(),
        None => household.into(),
    };
    let events = client.history(document, asked.field.as_deref())?;
    if events.is_empty()
        && let Some(field) = &asked.field
    {
        return Err(Failure::Unknown(field.clone()));
    }
    let names = Names::new(client, &events)?;
    let rows = events.iter().map(|event| names.row(document, event, output)).collect();
    output.table(
        &[
            "ruhu_head_number",
            "ruhu_head_field",
            "ruhu_head_old",
            "ruhu_head_new",
            "ruhu_head_who",
            "ruhu_head_claimed",
            "ruhu_head_window",
            "ruhu_head_note",
        ],
        rows,
    );
    let earlier = client.earlier_on_server(household)?;
    if earlier > 0 {
        output.say("ruhu_history_earlier", &[("count", &earlier)]);
    }
    for decided in client.decisions(document)? {
        tell_decided(&decided, output);
    }
    output.json(&events.iter().map(|event| names.json(event)).collect());
    Ok(())
}

/// What two people decided about a change of the document that had been kept apart.
fn tell_decided(decided: &DecidedByPeople, output: &Output) {
    let code = if decided.adopted { "ruhu_decided_adopted" } else { "ruhu_decided_refused" };
    let people = &decided.people;
    output.say(
        code,
        &[
            ("change", &decided.change),
            ("first", &people.proposed_name),
            ("second", &people.confirmed_name),
            ("at", &local(Some(decided.decided_ms))),
            ("reason", &people.reason),
        ],
    );
}

/// What a change was written in the place of, if the event says so.
fn replaced(event: &FieldEvent) -> Option<Replaces> {
    let entry = event.key.starts_with("event/").then(|| Entry::from_value(&event.new))?;
    match entry {
        Ok(Entry::Replaces(replaces)) => Some(replaces),
        _ => None,
    }
}

/// What devices are called, and the numbers by which the lines of the list name each other.
struct Names {
    devices: BTreeMap<DeviceId, String>,
    numbers: BTreeMap<OpId, usize>,
}

impl Names {
    fn new(client: &Client, events: &[FieldEvent]) -> Result<Self, Failure> {
        let devices = client.devices()?.into_iter().map(|device| (device.device, device.name)).collect();
        let numbers = events.iter().enumerate().map(|(index, event)| (event.op, index + 1)).collect();
        Ok(Self { devices, numbers })
    }

    fn number(&self, op: OpId) -> usize {
        self.numbers.get(&op).copied().unwrap_or_default()
    }

    fn device(&self, device: DeviceId) -> String {
        self.devices.get(&device).cloned().unwrap_or_else(|| device.to_string())
    }

    fn row(&self, document: DocumentId, event: &FieldEvent, output: &Output) -> Vec<String> {
        let text = |value| value::text(document.kind, &event.key, value, output);
        let old: Vec<_> = event.old.iter().map(|(_, value)| text(value)).collect();
        let window = format!("{} … {}", local(event.by.not_before_ms), local(event.by.not_after_ms));
        vec![
            self.number(event.op).to_string(),
            value::label(document.kind, &event.key, output.lang()),
            if old.is_empty() { "—".to_owned() } else { old.join(" / ") },
            text(&event.new),
            self.device(event.by.device),
            local(Some(event.claimed_at.saturating_mul(1000))),
            window,
            self.notes(event, output),
        ]
    }

    fn notes(&self, event: &FieldEvent, output: &Output) -> String {
        let mut notes = vec![output.message(&format!("ruhu_fate_{}", event.fate.name()), &[])];
        if let Some(Replaces { change, rule }) = replaced(event) {
            let rule = rule_text(&rule, output);
            notes.push(output.message("ruhu_note_replaces", &[("change", &change), ("rule", &rule)]));
        }
        if event.settles {
            notes.push(output.message("ruhu_note_settles", &[]));
        }
        if !event.concurrent_with.is_empty() {
            let numbers: Vec<_> =
                event.concurrent_with.iter().map(|op| self.number(*op).to_string()).collect();
            notes.push(output.message("ruhu_note_concurrent", &[("numbers", &numbers.join(", "))]));
        }
        if event.outside_window {
            notes.push(output.message("ruhu_note_outside", &[]));
        }
        if let Some(source) = event.source {
            notes.push(source.code().to_owned());
        }
        notes.extend(event.reason.clone());
        notes.join("; ")
    }

    fn json(&self, event: &FieldEvent) -> Value {
        json!({
            "number": self.number(event.op),
            "field": event.key,
            "change": event.change.to_string(),
            "old": event.old.iter().map(|(_, value)| value::as_json(value)).collect::<Value>(),
            "new": value::as_json(&event.new),
            "device": event.by.device,
            "device_name": self.device(event.by.device),
            "user": event.by.user,
            "claimed_at": utc_second(event.claimed_at),
            "proved_not_before": event.by.not_before_ms.map(|ms| utc(Some(ms))),
            "proved_not_after": event.by.not_after_ms.map(|ms| utc(Some(ms))),
            "outside_window": event.outside_window,
            "reason": event.reason,
            "source": event.source.map(|source| source.code()),
            "settles": event.settles,
            "replaces": replaced(event).map(|replaces| replaces.change),
            "fate": event.fate.name(),
            "shown_after": event.shown_after,
            "concurrent_with": event.concurrent_with.iter().map(|op| self.number(*op)).collect::<Vec<_>>(),
        })
    }
}
