//! The belt's queue in SQL, and what its findings write.

use std::collections::BTreeSet;
use std::sync::Arc;

use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{Change, ChangeHash, DocumentId, parse};
use ruhu_survey::id::VillageId;
use ruhu_survey::register::Register;
use rusqlite::{Connection, Transaction, params};

use super::append::{Desk, Totals, write_decision};
use super::column::{document_at, from_sql, to_sql};
use super::derived;
use crate::belt::{Found, Pending};
use crate::ingest::{Decided, Standing};
use crate::limits::BELT_DOCUMENTS_PER_ROUND;
use crate::store::StoreError;

/// The rule of a change that Automerge does not load.
pub(crate) const RULE_BELT: &str = "not_loadable";
/// The rule of a change that stands on a quarantined one.
pub(crate) const RULE_DEPENDS: &str = "depends_on_quarantined";

/// An accepted change with its place in the store.
pub(super) struct Accepted {
    pub(super) place: (u64, u32),
    pub(super) admitted: u64,
    pub(super) hash: ChangeHash,
    pub(super) bytes: Vec<u8>,
    pub(super) change: Arc<Change>,
}

/// The accepted changes of a document in the order in which they were accepted, each after all that it
/// stands on.
pub(super) fn accepted_of(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
) -> Result<Vec<Accepted>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT sequence, position, admitted, bytes FROM change
         WHERE village = ?1 AND kind = ?2 AND document = ?3 AND standing = 1",
    )?;
    let mut rows = select.query(params![village.as_bytes(), document.kind.code(), document.id])?;
    let mut accepted = Vec::new();
    while let Some(row) = rows.next()? {
        let place = (from_sql(row.get(0)?), row.get(1)?);
        let bytes: Vec<u8> = row.get(3)?;
        let (change, hash) = parse(&bytes)
            .map_err(|error| StoreError::corrupt("change", format!("{}/{}", place.0, place.1), error))?;
        let admitted = from_sql(row.get(2)?);
        accepted.push(Accepted { place, admitted, hash, bytes, change: Arc::new(change) });
    }
    // Within one batch changes may stand in any order; a first operation number is above all it stands on.
    accepted.sort_by_key(|accepted| (accepted.admitted, accepted.change.start_op, accepted.hash));
    Ok(accepted)
}

/// The register of changes that are in causal order.
pub(super) fn replay(accepted: &[Accepted]) -> Register {
    let mut register = Register::default();
    for one in accepted {
        register.apply(&one.change, one.hash);
    }
    register
}

pub(super) fn pending(conn: &Connection) -> Result<Vec<Pending>, StoreError> {
    let mut select = conn
        .prepare_cached("SELECT village, kind, document, since FROM belt_pending ORDER BY since LIMIT ?1")?;
    let mut rows = select.query([BELT_DOCUMENTS_PER_ROUND])?;
    let mut pending = Vec::new();
    while let Some(row) = rows.next()? {
        let (village, document) = document_at(row, 0)?;
        let since = from_sql(row.get(3)?);
        let accepted = accepted_of(conn, village, document)?;
        let good = accepted.iter().take_while(|change| change.admitted < since).count();
        let through = accepted.last().map_or(0, |change| change.admitted);
        let changes = accepted.into_iter().map(|change| (change.hash, change.bytes)).collect();
        pending.push(Pending { village, document, changes, good, through });
    }
    Ok(pending)
}

pub(super) fn settle(desk: &Desk<'_>, found: &[Found]) -> Result<usize, StoreError> {
    let mut quarantined = 0;
    for one in found {
        quarantined += settle_one(desk, one)?;
    }
    Ok(quarantined)
}

fn settle_one(desk: &Desk<'_>, found: &Found) -> Result<usize, StoreError> {
    let (tx, village, document) = (desk.tx, found.village, found.document);
    let mut accepted = accepted_of(tx, village, document)?;
    let quarantined = quarantine(desk, found, &mut accepted)?;
    let newer = accepted.iter().map(|change| change.admitted).find(|admitted| *admitted > found.through);
    match newer {
        Some(newer) => stay_pending(tx, village, document, newer)?,
        None => {
            let register = replay(&accepted);
            no_longer_pending(tx, village, document)?;
            derived::refresh(tx, village, document, &register, &accepted)?;
        }
    }
    Ok(quarantined)
}

/// Takes the offenders, and the accepted changes that stand on them, out of the document.
fn quarantine(desk: &Desk<'_>, found: &Found, accepted: &mut Vec<Accepted>) -> Result<usize, StoreError> {
    if found.offenders.is_empty() {
        return Ok(0);
    }
    let mut totals = Totals::of(desk.tx, found.village)?;
    let mut out = BTreeSet::new();
    let mut kept = Vec::new();
    for change in std::mem::take(accepted) {
        let because = change.change.dependencies.iter().find(|dependency| out.contains(*dependency)).copied();
        let rule = match because {
            Some(_) => RULE_DEPENDS,
            None if found.offenders.contains(&change.hash) => RULE_BELT,
            None => {
                kept.push(change);
                continue;
            }
        };
        out.insert(change.hash);
        totals.take_away(&change.hash);
        let decided = Decided {
            document: found.document,
            hash: Some(change.hash),
            verdict: Verdict::Quarantined { rule: rule.to_owned(), because },
            standing: Standing::Quarantined,
            detail: None,
        };
        write_decision(desk, &mut totals, change.place, &decided)?;
    }
    *accepted = kept;
    Ok(out.len())
}

fn stay_pending(
    tx: &Transaction<'_>,
    village: VillageId,
    document: DocumentId,
    since: u64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE belt_pending SET since = ?4 WHERE village = ?1 AND kind = ?2 AND document = ?3",
    )?
    .execute(params![village.as_bytes(), document.kind.code(), document.id, to_sql(since)])?;
    Ok(())
}

fn no_longer_pending(
    tx: &Transaction<'_>,
    village: VillageId,
    document: DocumentId,
) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM belt_pending WHERE village = ?1 AND kind = ?2 AND document = ?3")?
        .execute(params![village.as_bytes(), document.kind.code(), document.id])?;
    Ok(())
}
