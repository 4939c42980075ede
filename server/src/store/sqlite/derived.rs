//! The rows that follow from a document: lists, conflicts, field events.
//!
//! They are computed by `ruhu_survey`'s pure functions; `refresh` writes them and `compare` checks them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ruhu_survey::change::{DocumentId, DocumentKind};
use ruhu_survey::check::Check;
use ruhu_survey::history::{Attribution, FieldEvent, Recorded, history};
use ruhu_survey::household::Household;
use ruhu_survey::id::{CheckId, DeviceId, HouseholdId, UserId, VillageId};
use ruhu_survey::register::Register;
use ruhu_survey::shown::conflicts;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Transaction, params, params_from_iter};

use super::append::write_document;
use super::belt::Accepted;
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

/// Makes a document's rows again from its accepted changes.
pub(super) fn refresh(
    tx: &Transaction<'_>,
    village: VillageId,
    document: DocumentId,
    register: &Register,
    accepted: &[Accepted],
) -> Result<(), StoreError> {
    for expected in rows_of(village, document, register) {
        replace_rows(tx, village, document, &expected)?;
    }
    let history = event::pack(&events_of(tx, document.kind, accepted)?);
    let history = history.map_err(|error| StoreError::Database(Box::new(error)))?;
    write_document(tx, village, document, register, &history)
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

/// The stored events of a document; none where they were not made since the database was brought up to date.
pub(super) fn stored_events(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
) -> Result<Option<Vec<FieldEvent>>, StoreError> {
    let packed: Option<Vec<u8>> = conn
        .prepare_cached("SELECT history FROM document WHERE village = ?1 AND kind = ?2 AND document = ?3")?
        .query_row(params![village.as_bytes(), document.kind.code(), document.id], |row| row.get(0))?;
    let events = packed.map(|packed| event::unpack(&packed)).transpose();
    events.map_err(StoreError::undecodable("document", document))
}

/// Compares a document's derived rows with what follows from its accepted changes.
pub(super) fn compare(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
    register: &Register,
    accepted: &[Accepted],
) -> Result<(), Stop> {
    for expected in rows_of(village, document, register) {
        compare_rows(conn, village, document, &expected)?;
    }
    let at = Row::new("document", document);
    if let Some(stored) = stored_events(conn, village, document)? {
        at.same("history", &stored, &events_of(conn, document.kind, accepted)?)?;
    }
    Ok(())
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
