//! `ruhu-server device`: invitations, the list, revocations.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use ruhu_ledger::certificate::{CertificateKind, Revocation, SignedRevocation};
use ruhu_ledger::limits::REASON_BYTES_MAX;
use ruhu_survey::id::DeviceId;
use ruhu_survey::message::say;

use super::{CommandError, Context, table, user_named};
use crate::clock::minute_of;
use crate::config::Settings;
use crate::enrol::{self, EnrolError, NOBODY};
use crate::replacement::was_given_up;
use crate::store::people::{Device, PeopleStore as _, PlaceStore as _};
use crate::store::{SqliteStore, StoreError};

/// The longest time that an enrolment code may work.
const VALID_MS_MAX: i64 = 30 * 86_400_000;

pub(super) fn invite(
    context: &mut Context<'_>,
    name: &str,
    valid: &str,
    url: Option<String>,
) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, keys) = context.open(&config)?;
    let user = user_named(&store, name)?;
    let valid_ms = duration_ms(valid).ok_or_else(|| CommandError::asked("server_error_duration", valid))?;
    let url = url.unwrap_or_else(|| config.url());
    refuse_exposed_url(&url)?;
    if store.villages_in(&user.regions)?.is_empty() {
        return Err(EnrolError::NoVillages.into());
    }
    let code = enrol::invite(&store, context.clock.as_ref(), &user, valid_ms)?;
    let key = keys.signing.public();
    let link = enrol::link(&url, &code, &key);
    if let Some(picture) = qr(&link) {
        context.print(picture)?;
    }
    context.print(&link)?;
    context.say("server_invite_code", &[("code", &code), ("name", &user.name)])?;
    context.say("server_invite_words", &[("words", &key.fingerprint_words().join(" "))])?;
    let until = minute_of(context.clock.now_ms().saturating_add(valid_ms));
    context.say("server_invite_until", &[("until", &until)])
}

/// Plain HTTP would show the code to everyone on the way.
fn refuse_exposed_url(url: &str) -> Result<(), CommandError> {
    let host = url.strip_prefix("http://").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    let loopback = |host: &str| {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        matches!(name, "localhost" | "[::1]") || name.starts_with("127.")
    };
    match host {
        Some(host) if loopback(host) => Ok(()),
        None if url.starts_with("https://") => Ok(()),
        _ => Err(CommandError::asked("server_error_url", url)),
    }
}

/// The link as a picture of half blocks for a terminal with light letters on dark; cameras read the reverse too.
fn qr(link: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(link, EcLevel::L).ok()?;
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

/// Milliseconds of `30m`, `24h`, `7d`; at most 30 days.
fn duration_ms(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    let count: i64 = text.get(..text.len() - 1)?.parse().ok()?;
    count.checked_mul(unit).filter(|ms| (1..=VALID_MS_MAX).contains(ms))
}

pub(super) fn list(context: &mut Context<'_>) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, _) = context.open(&config)?;
    let lang = context.lang;
    let codes = ["device", "user", "villages", "enrolled", "seen", "received", "pending", "state", "id"];
    let mut table = table(&codes.map(|code| say(lang, &format!("server_head_{code}"), &[])));
    let users = store.users()?;
    let devices = store.devices()?;
    for device in &devices {
        let certificate = &device.certificate.statement;
        let user = users.iter().find(|user| user.id == certificate.user);
        let server = certificate.user == NOBODY;
        let villages = if server { "—".to_owned() } else { certificate.villages.len().to_string() };
        table.add_row([
            device.name.clone(),
            user.map_or("—", |user| user.name.as_str()).to_owned(),
            villages,
            minute_of(device.enrolled_ms),
            device.seen_ms.map_or_else(|| "—".to_owned(), minute_of),
            device.received_ms.map_or_else(|| "—".to_owned(), minute_of),
            device.pending.to_string(),
            state(context, device),
            device.id.to_string(),
        ]);
    }
    context.print(table)?;
    context.say("server_devices_count", &[("count", &devices.len())])
}

/// Whether a device's label is this name, with the person before it or without.
fn is_called(label: &str, asked: &str) -> bool {
    label == asked || label.rsplit_once(" · ").is_some_and(|(_, device)| device == asked)
}

fn state(context: &Context<'_>, device: &Device) -> String {
    let certificate = &device.certificate.statement;
    if device.forks > 0 && device.revoked.is_none() {
        return say(context.lang, "server_device_forked", &[]);
    }
    match &device.revoked {
        Some((at_ms, _)) if was_given_up(device) => {
            say(context.lang, "server_device_copied", &[("date", &minute_of(*at_ms))])
        }
        Some((at_ms, reason)) => {
            say(context.lang, "server_device_revoked", &[("date", &minute_of(*at_ms)), ("reason", reason)])
        }
        None if certificate.kind == CertificateKind::Provisional => {
            let replaced = device.replaces.map_or_else(|| "—".to_owned(), |device| device.to_string());
            say(context.lang, "server_device_provisional", &[("device", &replaced)])
        }
        None if certificate.holds_at(context.clock.now_ms()) => say(context.lang, "server_device_holds", &[]),
        None => say(context.lang, "server_device_expired", &[]),
    }
}

pub(super) fn revoke(context: &mut Context<'_>, asked: &str, reason: &str) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, keys) = context.open(&config)?;
    if reason.trim().is_empty() || reason.len() > REASON_BYTES_MAX {
        return Err(CommandError::asked("server_error_reason", REASON_BYTES_MAX));
    }
    let device = device_named(&store, asked)?;
    let revocation = Revocation {
        deployment: store.deployment()?.deployment,
        device: device.id,
        at_ms: context.clock.now_ms(),
        reason: reason.to_owned(),
    };
    let signed = SignedRevocation::sign(revocation, &keys.signing).map_err(EnrolError::from)?;
    store.device_revoke(&signed).map_err(|error| match error {
        StoreError::Conflict(_) => CommandError::asked("server_error_revoked_already", &device.name),
        other => other.into(),
    })?;
    context.say("server_revoked", &[("name", &device.name), ("id", &device.id)])
}

/// A device by its id, or by its name if only one has it. The server itself cannot be revoked.
fn device_named(store: &SqliteStore, asked: &str) -> Result<Device, CommandError> {
    let id: Option<DeviceId> = asked.parse().ok();
    let mut found: Vec<Device> = store.devices()?;
    found.retain(|device| {
        let named = id.map_or_else(|| is_called(&device.name, asked), |id| device.id == id);
        named && device.certificate.statement.user != NOBODY
    });
    match (found.pop(), found.len()) {
        (Some(device), 0) => Ok(device),
        (Some(_), _) => Err(CommandError::asked("server_error_device_ambiguous", asked)),
        (None, _) => Err(CommandError::asked("server_error_device_unknown", asked)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_minutes_hours_or_days() {
        assert_eq!(duration_ms("30m"), Some(1_800_000));
        assert_eq!(duration_ms("24h"), Some(86_400_000));
        assert_eq!(duration_ms("30d"), Some(VALID_MS_MAX));
        for wrong in ["", "h", "24", "31d", "0h", "-1h", "1w", "9999999999999999999d", "时"] {
            assert_eq!(duration_ms(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_code_is_sent_over_https_or_loopback_only() {
        for good in
            ["https://ruhu.example.cn", "http://127.0.0.1:8440", "http://localhost/x", "http://[::1]:1"]
        {
            assert!(refuse_exposed_url(good).is_ok(), "{good}");
        }
        for bad in
            ["http://ruhu.example.cn", "ruhu.example.cn", "ftp://127.0.0.1", "http://localhost.example.cn"]
        {
            assert!(refuse_exposed_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_picture_holds_the_link() {
        let picture = qr("ruhu:enrol?server=https://ruhu.example.cn&code=K7QD-92MX-4T&key=AAAA").unwrap();
        assert!(picture.lines().count() > 10);
    }
}
