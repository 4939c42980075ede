//! What lists show, derived from the documents and written in the same transaction as they.

use ruhu_survey::change::{DocumentKind, Value};
use ruhu_survey::entry::{Entry, entries};
use ruhu_survey::household::{Household, Member};
use ruhu_survey::id::HouseholdId;
use ruhu_survey::register::Register;
use ruhu_survey::shown::{conflicts, shown};
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::search::pinyin_words;
use crate::store::document::Stored;

/// Brings the rows of a document up to date.
pub(crate) fn refresh(connection: &Connection, stored: &Stored) -> Result<(), Error> {
    match stored.id.kind {
        DocumentKind::Household => household(connection, stored),
        DocumentKind::Check => check(connection, stored),
        DocumentKind::Issue | DocumentKind::Village => Ok(()),
    }
}

/// The shown text of a key; empty when there is none.
fn text<'a>(register: &'a Register, kind: DocumentKind, key: &str) -> &'a str {
    match shown(register, kind, key).map(|shown| &shown.op.value) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

fn household(connection: &Connection, stored: &Stored) -> Result<(), Error> {
    let register = &stored.register;
    if register.is_empty() {
        // Nothing of it stands any more: what founded it was kept apart.
        connection.prepare_cached("DELETE FROM household_row WHERE document = ?1")?.execute([stored.row])?;
        return Ok(());
    }
    let read = Household::read(HouseholdId::from_bytes(stored.id.id), register);
    let (asking, silent): (Vec<_>, Vec<_>) =
        conflicts(register, DocumentKind::Household).into_iter().partition(|conflict| conflict.asks);
    let names = || read.members.values().filter_map(|member| member.full_name.as_deref());
    let tail =
        |member: &Member| Some(format!(" {}", member.cert_no.mask.as_deref()?.trim_start_matches('*')));
    let visit = read.last_visit();
    let status = read.status.map_or("", |status| status.code.as_str());
    connection
        .prepare_cached(
            "INSERT INTO household_row (document, village, household, head_name, group_name, address, number,
                 names, pinyin, tails, members, conflicts, differing, active, last_checked, last_result)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
             ON CONFLICT (document) DO UPDATE SET head_name = excluded.head_name,
                 group_name = excluded.group_name, address = excluded.address, number = excluded.number,
                 names = excluded.names, pinyin = excluded.pinyin, tails = excluded.tails,
                 members = excluded.members, conflicts = excluded.conflicts, differing = excluded.differing,
                 active = excluded.active, last_checked = excluded.last_checked,
                 last_result = excluded.last_result",
        )?
        .execute(params![
            stored.row,
            stored.village.as_bytes(),
            stored.id.id,
            read.display_name().unwrap_or_default(),
            read.group_name.as_deref().unwrap_or_default(),
            read.address.as_deref().unwrap_or_default(),
            read.national_household_no.as_deref().unwrap_or_default(),
            names().map(|name| format!(" {name}")).collect::<String>(),
            names().map(pinyin_words).collect::<String>(),
            read.members.values().filter_map(tail).collect::<String>(),
            count(read.population()),
            count(asking.len()),
            count(silent.len()),
            status.is_empty() || status == "active",
            visit.map_or("", |visit| visit.ended.as_str()),
            visit.map_or("", |visit| visit.result.as_str())
        ])?;
    Ok(())
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn check(connection: &Connection, stored: &Stored) -> Result<(), Error> {
    let register = &stored.register;
    let field = |key| text(register, DocumentKind::Check, key);
    let number = |key| match shown(register, DocumentKind::Check, key).map(|shown| &shown.op.value) {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    };
    let Ok(household) = field("household_id").parse::<HouseholdId>() else { return Ok(()) };
    let submitted = entries(register).into_iter().find_map(|placed| match placed.entry {
        Entry::Submit(submit) => Some(submit),
        _ => None,
    });
    let result = submitted.map(|submit| submit.result).unwrap_or_default();
    connection
        .prepare_cached(
            "INSERT INTO check_row (check_id, village, household, document, own, check_type, state, started_ms,
                 ended_ms, result)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, 1, ?6, ?7, ?8)
             ON CONFLICT (check_id) DO UPDATE SET document = excluded.document,
                 check_type = excluded.check_type, state = 1, started_ms = excluded.started_ms,
                 ended_ms = excluded.ended_ms, result = excluded.result",
        )?
        .execute(params![
            stored.id.id,
            stored.village.as_bytes(),
            household.as_bytes(),
            stored.row,
            field("check_type"),
            number("started_at").unwrap_or(0),
            number("ended_at"),
            result
        ])?;
    Ok(())
}
