//! The rows that follow from a document: lists, conflicts, field events.
//!
//! They are computed by `ruhu_survey`'s pure functions; `refresh` writes them and `compare` checks them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ruhu_survey::change::{DocumentId, DocumentKind, OpId};
use ruhu_survey::check::Check;
use ruhu_survey::history::{Attribution, FieldEvent, Recorded, history};
use ruhu_survey::household::Household;
use ruhu_survey::id::{CheckId, DeviceId, HouseholdId, UserId, VillageId};
use ruhu_survey::register::Register;
use ruhu_survey::shown::conflicts;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Transaction, params, params_from_iter};

use super::belt::{Accepted, replay};
use super::column::to_sql;
use super::event;
use crate::store::StoreError;
use crate::verify::{Row, Stop};

/// A table with a row per key of a document, and the rows it should hold: key columns, then the others.
struct Expected {
    table: &'static str,
    /// The column that names the document.
    document: &'static str,
    /// All columns after the village, in order.
    columns: &'static str,
    rows: Vec<Vec<Sql>>,
}

/// The derived rows of one document that are not field events.
fn rows_of(village: VillageId, document: DocumentId, register: &Register) -> Vec<Expected> {
    let mut tables = vec![conflict_rows(document, register)];
    match document.kind {
        DocumentKind::Household => {
            tables.push(household_rows(HouseholdId::from_bytes(document.id), register))
        }
        DocumentKind::Check => tables.push(check_rows(CheckId::from_bytes(document.id), register)),
        DocumentKind::Issue | DocumentKind::Village => {}
    }
    for row in tables.iter_mut().flat_map(|table| &mut table.rows) {
        row.insert(0, blob(village.as_bytes()));
    }
    tables
}

fn blob(bytes: &[u8]) -> Sql {
    Sql::Blob(bytes.to_vec())
}

fn number(count: usize) -> Sql {
    Sql::Integer(to_sql(count as u64))
}

fn conflict_rows(document: DocumentId, register: &Register) -> Expected {
    let row = |conflict: ruhu_survey::shown::Conflict| {
        vec![
            Sql::Integer(document.kind.code().into()),
            blob(&document.id),
            Sql::Text(conflict.key),
            blob(&conflict.shown.change.0),
            number(conflict.others.len()),
            Sql::Integer(conflict.asks.into()),
        ]
    };
    let rows = conflicts(register, document.kind).into_iter().map(row).collect();
    let columns = "kind, document, key, shown, others, asks";
    Expected { table: "conflict_row", document: "document", columns, rows }
}

fn household_rows(id: HouseholdId, register: &Register) -> Expected {
    let household = Household::read(id, register);
    let text = |text: Option<&str>| Sql::Text(text.unwrap_or_default().to_owned());
    let code =
        |code: Option<&'static ruhu_survey::code_list::Code>| text(code.map(|code| code.code.as_str()));
    let names: Vec<&str> =
        household.active_members().into_iter().filter_map(|member| member.full_name.as_deref()).collect();
    let visit = household.last_visit().map(|visit| Sql::Text(visit.ended.clone()));
    let row = vec![
        blob(id.as_bytes()),
        text(household.national_household_no.as_deref()),
        text(household.group_name.as_deref()),
        text(household.display_name()),
        Sql::Text(names.join("\n")),
        number(household.population()),
        code(household.status),
        code(household.monitor_category),
        code(household.monitor_level),
        number(household.open_conflicts),
        visit.unwrap_or(Sql::Null),
    ];
    let rows = if register.is_empty() { Vec::new() } else { vec![row] };
    let columns = "household, number, group_name, head_name, names, member_count, status, category, level, \
                   conflicts, last_visit";
    Expected { table: "household_row", document: "household", columns, rows }
}

fn check_rows(id: CheckId, register: &Register) -> Expected {
    let check = Check::read(id, register);
    let code = |code: Option<&'static ruhu_survey::code_list::Code>| {
        Sql::Text(code.map(|code| code.code.clone()).unwrap_or_default())
    };
    let row = vec![
        blob(id.as_bytes()),
        check.household.map_or(Sql::Null, |household| blob(household.as_bytes())),
        code(check.check_type),
        check.started_by.map_or(Sql::Null, |device| blob(device.as_bytes())),
        check.started_at_ms.map_or(Sql::Null, Sql::Integer),
        code(check.visit_result),
        Sql::Integer(check.submitted.is_some().into()),
        number(check.corrections.len()),
    ];
    let rows = if register.is_empty() { Vec::new() } else { vec![row] };
    let columns =
        "check_id, household, check_type, started_by, started_at_ms, result, submitted, corrections";
    Expected { table: "check_row", document: "check_id", columns, rows }
}

/// Makes a document's derived rows again from its accepted changes.
pub(super) fn refresh(
    tx: &Transaction<'_>,
    village: VillageId,
    document: DocumentId,
    accepted: &[Accepted],
) -> Result<(), StoreError> {
    for expected in rows_of(village, document, &replay(accepted)) {
        replace_rows(tx, village, document, &expected)?;
    }
    write_events(tx, village, document, &events_of(tx, document.kind, accepted)?)
}

fn replace_rows(
    tx: &Transaction<'_>,
    village: VillageId,
    document: DocumentId,
    expected: &Expected,
) -> Result<(), StoreError> {
    let Expected { table, document: column, columns, rows } = expected;
    let kind = kind_condition(table, document);
    tx.prepare_cached(&format!("DELETE FROM {table} WHERE village = ?1 AND {column} = ?2{kind}"))?
        .execute(params![village.as_bytes(), document.id])?;
    let marks = vec!["?"; columns.split(',').count() + 1].join(", ");
    let mut insert =
        tx.prepare_cached(&format!("INSERT INTO {table} (village, {columns}) VALUES ({marks})"))?;
    for row in rows {
        insert.execute(params_from_iter(row))?;
    }
    Ok(())
}

/// Only conflicts are kept of several kinds of document in one table.
fn kind_condition(table: &str, document: DocumentId) -> String {
    if table == "conflict_row" { format!(" AND kind = {}", document.kind.code()) } else { String::new() }
}

/// Who made the accepted changes, by the headers and receipts of their batches.
pub(super) fn recorded(conn: &Connection, accepted: &[Accepted]) -> Result<Vec<Recorded>, StoreError> {
    let mut known: BTreeMap<u64, Attribution> = BTreeMap::new();
    let mut recorded = Vec::with_capacity(accepted.len());
    for one in accepted {
        let sequence = one.place.0;
        let by = match known.get(&sequence) {
            Some(by) => by.clone(),
            None => attribution(conn, sequence)?,
        };
        known.entry(sequence).or_insert_with(|| by.clone());
        recorded.push(Recorded { hash: one.hash, change: Arc::clone(&one.change), by });
    }
    Ok(recorded)
}

pub(super) fn attribution(conn: &Connection, sequence: u64) -> Result<Attribution, StoreError> {
    Ok(conn
        .prepare_cached("SELECT device, user, id, anchor_ms, received_ms FROM batch WHERE sequence = ?1")?
        .query_row([to_sql(sequence)], |row| {
            Ok(Attribution {
                device: DeviceId::from_bytes(row.get(0)?),
                user: UserId::from_bytes(row.get(1)?),
                batch: row.get(2)?,
                not_before_ms: row.get(3)?,
                not_after_ms: row.get(4)?,
            })
        })?)
}

fn events_of(
    conn: &Connection,
    kind: DocumentKind,
    accepted: &[Accepted],
) -> Result<Vec<FieldEvent>, StoreError> {
    Ok(history(kind, &recorded(conn, accepted)?))
}

/// The stored events of a document: position and bytes by operation.
type StoredEvents = BTreeMap<OpId, (i64, Vec<u8>)>;

fn stored_events(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
) -> Result<StoredEvents, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT counter, actor, position, event FROM field_event
         WHERE village = ?1 AND kind = ?2 AND document = ?3",
    )?;
    let rows = select.query_map(params![village.as_bytes(), document.kind.code(), document.id], |row| {
        let actor = ruhu_survey::change::ActorId(row.get(1)?);
        let counter = super::column::from_sql(row.get(0)?);
        Ok((OpId { counter, actor }, (row.get(2)?, row.get(3)?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Writes the events that are new or differ, and takes out those that are no more.
fn write_events(
    tx: &Transaction<'_>,
    village: VillageId,
    document: DocumentId,
    events: &[FieldEvent],
) -> Result<(), StoreError> {
    let mut stored = stored_events(tx, village, document)?;
    let mut put = tx.prepare_cached(
        "INSERT OR REPLACE INTO field_event (village, kind, document, counter, actor, key, position, event)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let (village, kind) = (village.as_bytes(), document.kind.code());
    for (position, one) in events.iter().enumerate() {
        let row = (to_sql(position as u64), event::encode(one));
        if stored.remove(&one.op).as_ref() != Some(&row) {
            let (counter, actor) = (to_sql(one.op.counter), one.op.actor.0);
            put.execute(params![village, kind, document.id, counter, actor, one.key, row.0, row.1])?;
        }
    }
    let mut delete = tx.prepare_cached(
        "DELETE FROM field_event
         WHERE village = ?1 AND kind = ?2 AND document = ?3 AND counter = ?4 AND actor = ?5",
    )?;
    for op in stored.keys() {
        delete.execute(params![village, kind, document.id, to_sql(op.counter), op.actor.0])?;
    }
    Ok(())
}

/// Compares a document's derived rows with what follows from its accepted changes.
pub(super) fn compare(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
    accepted: &[Accepted],
) -> Result<(), Stop> {
    for expected in rows_of(village, document, &replay(accepted)) {
        compare_rows(conn, village, document, &expected)?;
    }
    let mut stored = stored_events(conn, village, document)?;
    for (position, one) in events_of(conn, document.kind, accepted)?.iter().enumerate() {
        let at = Row::new("field_event", format!("{document} {}", one.key));
        let (stored_position, bytes) =
            stored.remove(&one.op).ok_or_else(|| at.bad("the event is not there"))?;
        at.same("position", &stored_position, &to_sql(position as u64))?;
        at.same("event", &bytes, &event::encode(one))?;
    }
    match stored.keys().next() {
        None => Ok(()),
        Some(op) => {
            let at = Row::new("field_event", document);
            Err(at.bad(format!("operation {} is in no accepted change", op.counter)).into())
        }
    }
}

fn compare_rows(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
    expected: &Expected,
) -> Result<(), Stop> {
    let Expected { table, document: column, columns, rows } = expected;
    let kind = kind_condition(table, document);
    let order = if *table == "conflict_row" { "key" } else { column };
    let mut select = conn.prepare_cached(&format!(
        "SELECT village, {columns} FROM {table} WHERE village = ?1 AND {column} = ?2{kind} ORDER BY {order}"
    ))?;
    let width = columns.split(',').count() + 1;
    let stored = select.query_map(params![village.as_bytes(), document.id], |row| {
        (0..width).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<Sql>>>()
    })?;
    let stored = stored.collect::<Result<Vec<_>, _>>()?;
    let at = Row::new(table, document);
    at.same("number of rows", &stored.len(), &rows.len())?;
    for (stored, expected) in stored.iter().zip(rows) {
        let names = std::iter::once("village").chain(columns.split(", ").map(str::trim));
        for (name, (stored, expected)) in names.zip(stored.iter().zip(expected)) {
            at.same(name, stored, expected)?;
        }
    }
    Ok(())
}
