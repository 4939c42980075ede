//! Comparing the derived tables with what follows from the raw records.

use std::collections::BTreeMap;

use ruhu_survey::change::DocumentId;
use ruhu_survey::id::VillageId;
use rusqlite::{Connection, OptionalExtension, params};

use super::belt::{accepted_of, replay};
use super::column::{bits_from_sql, from_sql};
use super::derived;
use super::rebuild::{CHAIN_TIPS, documents_with_changes, village_totals};
use super::shelf::pending_since;
use crate::verify::{Bad, Row, Stop, Verified};

pub(super) fn documents(conn: &Connection, done: &mut Verified) -> Result<(), Stop> {
    chain_tips(conn)?;
    villages(conn)?;
    let mut settled = 0;
    for (village, document) in documents_with_changes(conn)? {
        done.documents += 1;
        // The rows of a pending document follow when the belt has been there; until then nothing reads them.
        if pending_since(conn, village, document)?.is_none() {
            one_document(conn, village, document)?;
            settled += 1;
        }
    }
    let stored: i64 = conn.query_row(SETTLED_ROWS, [], |row| row.get(0))?;
    Row::new("document", "all").same("number of documents", &from_sql(stored), &settled)?;
    Ok(())
}

/// The documents that have a row and are not pending.
const SETTLED_ROWS: &str = "
    SELECT count(*) FROM document
    WHERE NOT EXISTS (SELECT 1 FROM belt_pending AS waits WHERE waits.village = document.village
                      AND waits.kind = document.kind AND waits.document = document.document)";

fn chain_tips(conn: &Connection) -> Result<(), Stop> {
    type Tip = ([u8; 16], [u8; 16], [u8; 32], i64, i64);
    let read = |statement: &str| -> rusqlite::Result<Vec<Tip>> {
        let mut select = conn.prepare(statement)?;
        let rows = select
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
        rows.collect()
    };
    let order = "ORDER BY village, device, id";
    let stored = read(&format!("SELECT village, device, id, number, sequence FROM chain_tip {order}"))?;
    let expected = read(&format!("{CHAIN_TIPS} {order}"))?;
    for (stored, expected) in stored.iter().zip(&expected) {
        let device = ruhu_survey::id::DeviceId::from_bytes(stored.1);
        Row::new("chain_tip", device).same("the tip", stored, expected)?;
    }
    Row::new("chain_tip", "all").same("number of tips", &stored.len(), &expected.len())?;
    Ok(())
}

fn villages(conn: &Connection) -> Result<(), Stop> {
    let mut expected: BTreeMap<_, _> = village_totals(conn)?;
    let mut select = conn.prepare("SELECT village, fingerprint, accepted, sequence FROM village_state")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let village = VillageId::from_bytes(row.get(0)?);
        let at = Row::new("village_state", village);
        let totals = expected.remove(&village).ok_or_else(|| at.bad("the village has no feed"))?;
        at.same("fingerprint", &bits_from_sql(row.get(1)?), &totals.fingerprint.value())?;
        at.same("accepted", &from_sql(row.get(2)?), &totals.accepted)?;
        at.same("sequence", &row.get(3)?, &totals.sequence)?;
    }
    match expected.keys().next() {
        Some(village) => Err(Bad::new("village_state", village, "the row is not there").into()),
        None => Ok(()),
    }
}

fn one_document(conn: &Connection, village: VillageId, document: DocumentId) -> Result<(), Stop> {
    let at = Row::new("document", document);
    let key = params![village.as_bytes(), document.kind.code(), document.id];
    let stored: Option<(Vec<u8>, i64)> = conn
        .prepare_cached(
            "SELECT register, changes FROM document WHERE village = ?1 AND kind = ?2 AND document = ?3",
        )?
        .query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (register, changes) = stored.ok_or_else(|| at.bad("the row is not there"))?;
    let accepted = accepted_of(conn, village, document)?;
    let replayed = replay(&accepted);
    at.same("register", &register, &replayed.to_bytes())?;
    at.same("changes", &from_sql(changes), &replayed.change_count())?;
    derived::compare(conn, village, document, &replayed, &accepted)
}
