//! Emptying the derived tables and replaying the accepted changes into documents.

use std::collections::BTreeMap;

use ruhu_survey::change::{ChangeHash, DocumentId};
use ruhu_survey::id::VillageId;
use ruhu_sync::Fingerprint;
use rusqlite::{Connection, Transaction, params};

use super::append::mark_pending;
use super::belt::accepted_of;
use super::column::{bits_to_sql, document_at, to_sql};
use super::names::name_all;
use crate::store::StoreError;

/// Every table that `rebuild` makes again, with the columns that order its rows.
pub(crate) const DERIVED_TABLES: &[(&str, &str)] = &[
    ("chain_tip", "village, device, id"),
    ("document", "village, kind, document"),
    ("village_state", "village"),
    ("household_row", "village, household"),
    ("check_row", "village, check_id"),
    ("conflict_row", "village, kind, document, key"),
    ("belt_pending", "village, kind, document"),
    ("named_batch", "sequence"),
    ("document_name", "village, device, number, kind, document, sequence"),
];

pub(super) fn rebuild(tx: &Transaction<'_>) -> Result<u64, StoreError> {
    for (table, _) in DERIVED_TABLES {
        tx.execute(&format!("DELETE FROM {table}"), [])?;
    }
    chain_tips(tx)?;
    name_all(tx)?;
    villages(tx)?;
    let documents = documents_with_changes(tx)?;
    for (village, document) in &documents {
        let accepted = accepted_of(tx, *village, *document)?;
        let since = accepted.first().map_or(0, |change| change.admitted);
        mark_pending(tx, *village, *document, since)?;
    }
    Ok(documents.len() as u64)
}

/// The end of every branch: the batches that no other names as its predecessor.
pub(super) const CHAIN_TIPS: &str = "
    SELECT village, device, id, number, sequence FROM batch
    WHERE NOT EXISTS (SELECT 1 FROM batch AS next
                      WHERE next.village = batch.village AND next.device = batch.device
                        AND next.number = batch.number + 1 AND next.previous = batch.id)";

fn chain_tips(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute(&format!("INSERT INTO chain_tip (village, device, id, number, sequence) {CHAIN_TIPS}"), [])?;
    Ok(())
}

/// What a village's running totals should be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct VillageTotals {
    pub(super) fingerprint: Fingerprint,
    pub(super) accepted: u64,
    pub(super) sequence: i64,
}

/// The running totals of every village that has a feed, from the raw changes.
pub(super) fn village_totals(conn: &Connection) -> rusqlite::Result<BTreeMap<VillageId, VillageTotals>> {
    let mut totals: BTreeMap<VillageId, VillageTotals> = BTreeMap::new();
    let mut feed = conn.prepare("SELECT village, max(sequence) FROM feed GROUP BY village")?;
    let mut rows = feed.query([])?;
    while let Some(row) = rows.next()? {
        totals.entry(VillageId::from_bytes(row.get(0)?)).or_default().sequence = row.get(1)?;
    }
    let mut changes = conn.prepare("SELECT village, hash FROM change WHERE standing = 1")?;
    let mut rows = changes.query([])?;
    while let Some(row) = rows.next()? {
        let village = totals.entry(VillageId::from_bytes(row.get(0)?)).or_default();
        village.fingerprint.add(&ChangeHash(row.get(1)?));
        village.accepted += 1;
    }
    Ok(totals)
}

fn villages(tx: &Transaction<'_>) -> Result<(), StoreError> {
    for (village, totals) in village_totals(tx)? {
        tx.execute(
            "INSERT INTO village_state (village, fingerprint, accepted, sequence) VALUES (?1, ?2, ?3, ?4)",
            params![
                village.as_bytes(),
                bits_to_sql(totals.fingerprint.value()),
                to_sql(totals.accepted),
                totals.sequence
            ],
        )?;
    }
    Ok(())
}

/// Every document that has an accepted change, or had one before the belt took it out.
pub(super) fn documents_with_changes(conn: &Connection) -> Result<Vec<(VillageId, DocumentId)>, StoreError> {
    let mut select = conn.prepare(
        "SELECT DISTINCT village, kind, document FROM change WHERE standing = 1 ORDER BY village, kind, document",
    )?;
    let mut rows = select.query([])?;
    let mut documents = Vec::new();
    while let Some(row) = rows.next()? {
        documents.push(document_at(row, 0)?);
    }
    Ok(documents)
}
