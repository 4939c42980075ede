//! Reading lists, details and histories.

use std::collections::BTreeSet;

use ruhu_ledger::batch::BatchId;
use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind};
use ruhu_survey::check::Check;
use ruhu_survey::history::{self, FieldEvent};
use ruhu_survey::household::Household;
use ruhu_survey::id::{CheckId, DeviceId, HouseholdId, UserId, VillageId};
use ruhu_survey::register::{LiveOp, Register};
use ruhu_survey::shown::{Conflict, conflicts};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteStore;
use super::append::standing_from;
use super::belt::{Accepted, accepted_of, replay};
use super::column::{document_id, from_sql, to_sql};
use super::derived;
use super::relay::horizon;
use super::shelf::{pending_since, register_of};
use crate::limits::PAGE_ROWS_MAX;
use crate::store::StoreError;
use crate::store::reads::{
    ChangeSeen, ChangesSince, CheckDetail, CheckRow, Claim, ConflictSeen, HouseholdDetail, HouseholdQuery,
    HouseholdRow, Page, ReadStore, Seen, VillageCounts,
};

impl ReadStore for SqliteStore {
    fn villages(&self, villages: &BTreeSet<VillageId>) -> Result<Vec<VillageCounts>, StoreError> {
        self.read(|conn| villages.iter().map(|village| counts(conn, *village)).collect())
    }

    fn households(
        &self,
        village: VillageId,
        query: &HouseholdQuery,
    ) -> Result<Page<HouseholdRow>, StoreError> {
        self.read(|conn| households(conn, village, query))
    }

    fn household(
        &self,
        village: VillageId,
        household: HouseholdId,
    ) -> Result<Option<HouseholdDetail>, StoreError> {
        self.read(|conn| {
            let seen = seen(conn, village, household.into())?;
            Ok(seen
                .map(|seen| HouseholdDetail { household: Household::read(household, &seen.register), seen }))
        })
    }

    fn checks(
        &self,
        village: VillageId,
        household: HouseholdId,
        after: Option<CheckId>,
        limit: u32,
    ) -> Result<Page<CheckRow>, StoreError> {
        self.read(|conn| checks(conn, village, household, after, limit))
    }

    fn check(&self, village: VillageId, check: CheckId) -> Result<Option<CheckDetail>, StoreError> {
        self.read(|conn| {
            let seen = seen(conn, village, check.into())?;
            Ok(seen.map(|seen| CheckDetail { check: Check::read(check, &seen.register), seen }))
        })
    }

    fn conflicts(
        &self,
        village: VillageId,
        after: Option<(DocumentId, String)>,
        limit: u32,
    ) -> Result<Page<ConflictSeen>, StoreError> {
        self.read(|conn| village_conflicts(conn, village, after, limit))
    }

    fn history(
        &self,
        village: VillageId,
        document: DocumentId,
        key: Option<&str>,
    ) -> Result<Option<Vec<FieldEvent>>, StoreError> {
        self.read(|conn| match pending_since(conn, village, document)? {
            Some(since) => raw_history(conn, village, document, since, key),
            None => stored_history(conn, village, document, key),
        })
    }

    fn as_of(
        &self,
        village: VillageId,
        document: DocumentId,
        at: &[ChangeHash],
    ) -> Result<Option<Register>, StoreError> {
        self.read(|conn| {
            let since = pending_since(conn, village, document)?.unwrap_or(u64::MAX);
            let accepted = accepted_before(conn, village, document, since)?;
            let here = |hash: &ChangeHash| accepted.iter().any(|accepted| accepted.hash == *hash);
            if !at.iter().all(here) {
                return Ok(None);
            }
            Ok(Some(history::as_of(&derived::recorded(conn, &accepted)?, at)))
        })
    }

    fn changes_since(&self, village: VillageId, cursor: u64, limit: u32) -> Result<ChangesSince, StoreError> {
        self.read(|conn| changes_since(conn, village, cursor, limit))
    }

    fn quarantine(
        &self,
        village: VillageId,
        after: Option<(u64, u32)>,
        limit: u32,
    ) -> Result<Page<ChangeSeen>, StoreError> {
        self.read(|conn| {
            let (sequence, position) = after.unwrap_or((0, 0));
            let from = if after.is_some() { position.saturating_add(1) } else { 0 };
            let bound = page_limit(limit);
            let mut select = conn.prepare_cached(&format!(
                "{CHANGES_SEEN} WHERE change.village = ?1 AND change.standing = 3
                 AND (change.sequence, change.position) >= (?2, ?3)
                 ORDER BY change.sequence, change.position LIMIT ?4"
            ))?;
            let mut rows = select.query(params![village.as_bytes(), to_sql(sequence), from, bound + 1])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(change_seen(row)?);
            }
            Ok(page(found, bound))
        })
    }

    fn documents(
        &self,
        village: VillageId,
        kind: DocumentKind,
        after: Option<[u8; 16]>,
        limit: u32,
    ) -> Result<Page<DocumentId>, StoreError> {
        self.read(|conn| {
            let bound = page_limit(limit);
            let mut select = conn.prepare_cached(
                "SELECT document FROM document
                 WHERE village = ?1 AND kind = ?2 AND (?3 IS NULL OR document > ?3) ORDER BY document LIMIT ?4",
            )?;
            let rows = select.query_map(params![village.as_bytes(), kind.code(), after, bound + 1], |row| {
                Ok(DocumentId { kind, id: row.get(0)? })
            })?;
            Ok(page(rows.collect::<Result<_, _>>()?, bound))
        })
    }
}

fn page_limit(limit: u32) -> u32 {
    limit.clamp(1, PAGE_ROWS_MAX)
}

/// A page of what was read with one row more than it may have.
fn page<T>(mut rows: Vec<T>, limit: u32) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    Page { rows, more }
}

fn counts(conn: &Connection, village: VillageId) -> Result<VillageCounts, StoreError> {
    let count = |sql: &str| -> rusqlite::Result<u64> {
        conn.prepare_cached(sql)?.query_row([village.as_bytes()], |row| row.get(0)).map(from_sql)
    };
    let standing = |code: u8| {
        count(&format!(
            "SELECT count(*) FROM change WHERE village = ?1 AND standing = {code} AND standing IN (2, 3)"
        ))
    };
    Ok(VillageCounts {
        village,
        households: count("SELECT count(*) FROM household_row WHERE village = ?1")?,
        members: count("SELECT coalesce(sum(member_count), 0) FROM household_row WHERE village = ?1")?,
        checks: count("SELECT count(*) FROM check_row WHERE village = ?1 AND submitted = 1")?,
        conflicts: count("SELECT count(*) FROM conflict_row WHERE village = ?1 AND asks = 1")?,
        forked_chains: count(
            "SELECT count(*) FROM (SELECT 1 FROM chain_tip WHERE village = ?1 GROUP BY device HAVING count(*) > 1)",
        )?,
        quarantined: standing(3)?,
        held: standing(2)?,
        received_ms: conn
            .prepare_cached(
                "SELECT received_ms FROM batch WHERE village = ?1 ORDER BY sequence DESC LIMIT 1",
            )?
            .query_row([village.as_bytes()], |row| row.get(0))
            .optional()?,
        sequence: count("SELECT coalesce(max(sequence), 0) FROM feed WHERE village = ?1")?,
    })
}

fn households(
    conn: &Connection,
    village: VillageId,
    query: &HouseholdQuery,
) -> Result<Page<HouseholdRow>, StoreError> {
    let limit = page_limit(query.limit);
    let (after_group, after_head, after_id) = match &query.after {
        Some((group, head, id)) => (group.as_str(), head.as_str(), id.as_bytes().as_slice()),
        None => ("", "", &[][..]),
    };
    let mut select = conn.prepare_cached(
        "SELECT household, number, group_name, head_name, member_count, status, category, level, conflicts,
                last_visit
         FROM household_row
         WHERE village = ?1 AND (group_name, head_name, household) > (?2, ?3, ?4)
           AND (?5 IS NULL OR group_name = ?5)
           AND (?6 IS NULL OR instr(names, ?6) > 0 OR instr(head_name, ?6) > 0
                OR substr(number, 1, length(?6)) = ?6)
         ORDER BY group_name, head_name, household LIMIT ?7",
    )?;
    let rows = select.query_map(
        params![village.as_bytes(), after_group, after_head, after_id, query.group, query.search, limit + 1],
        household_row,
    )?;
    Ok(page(rows.collect::<Result<_, _>>()?, limit))
}

fn household_row(row: &Row<'_>) -> rusqlite::Result<HouseholdRow> {
    Ok(HouseholdRow {
        household: HouseholdId::from_bytes(row.get(0)?),
        number: row.get(1)?,
        group_name: row.get(2)?,
        head_name: row.get(3)?,
        member_count: from_sql(row.get(4)?),
        status: row.get(5)?,
        category: row.get(6)?,
        level: row.get(7)?,
        conflicts: from_sql(row.get(8)?),
        last_visit: row.get(9)?,
    })
}

fn checks(
    conn: &Connection,
    village: VillageId,
    household: HouseholdId,
    after: Option<CheckId>,
    limit: u32,
) -> Result<Page<CheckRow>, StoreError> {
    let limit = page_limit(limit);
    let mut select = conn.prepare_cached(
        "SELECT check_id, household, check_type, started_by, started_at_ms, result, submitted, corrections
         FROM check_row
         WHERE village = ?1 AND household = ?2 AND (?3 IS NULL OR (coalesce(started_at_ms, 0), check_id) >
             (SELECT coalesce(started_at_ms, 0), check_id FROM check_row WHERE village = ?1 AND check_id = ?3))
         ORDER BY coalesce(started_at_ms, 0), check_id LIMIT ?4",
    )?;
    let after = after.map(|after| *after.as_bytes());
    let key = params![village.as_bytes(), household.as_bytes(), after, limit + 1];
    let rows = select.query_map(key, |row| {
        Ok(CheckRow {
            check: CheckId::from_bytes(row.get(0)?),
            household: row.get::<_, Option<[u8; 16]>>(1)?.map(HouseholdId::from_bytes),
            check_type: row.get(2)?,
            started_by: row.get::<_, Option<[u8; 16]>>(3)?.map(DeviceId::from_bytes),
            started_at_ms: row.get(4)?,
            result: row.get(5)?,
            submitted: row.get(6)?,
            corrections: from_sql(row.get(7)?),
        })
    })?;
    Ok(page(rows.collect::<Result<_, _>>()?, limit))
}

fn accepted_before(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
    since: u64,
) -> Result<Vec<Accepted>, StoreError> {
    let mut accepted = accepted_of(conn, village, document)?;
    accepted.retain(|accepted| accepted.admitted < since);
    Ok(accepted)
}

/// A document's register as far as the belt has been; none when there is nothing to see.
fn readable_register(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
) -> Result<Option<Register>, StoreError> {
    let register = match pending_since(conn, village, document)? {
        None => register_of(conn, village, document)?,
        Some(since) => Some(replay(&accepted_before(conn, village, document, since)?)),
    };
    Ok(register.filter(|register| !register.is_empty()))
}

fn seen(conn: &Connection, village: VillageId, document: DocumentId) -> Result<Option<Seen>, StoreError> {
    let Some(register) = readable_register(conn, village, document)? else { return Ok(None) };
    let mut seen = Vec::new();
    for conflict in conflicts(&register, document.kind) {
        seen.push(conflict_seen(conn, village, document, &conflict)?);
    }
    Ok(Some(Seen { register, conflicts: seen }))
}

fn conflict_seen(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
    conflict: &Conflict,
) -> Result<ConflictSeen, StoreError> {
    let live = std::iter::once(&conflict.shown).chain(&conflict.others);
    let values = live.map(|op| claim(conn, village, document, op)).collect::<Result<_, _>>()?;
    Ok(ConflictSeen { document, key: conflict.key.clone(), asks: conflict.asks, values })
}

fn claim(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
    op: &LiveOp,
) -> Result<Claim, StoreError> {
    let (sequence, bytes): (i64, Vec<u8>) = conn
        .prepare_cached(
            "SELECT sequence, bytes FROM change
             WHERE village = ?1 AND kind = ?2 AND document = ?3 AND hash = ?4 AND standing = 1 LIMIT 1",
        )?
        .query_row(params![village.as_bytes(), document.kind.code(), document.id, op.change.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let (change, _) = ruhu_survey::change::parse(&bytes)
        .map_err(|error| StoreError::corrupt("change", op.change, error))?;
    let by = derived::attribution(conn, from_sql(sequence))?;
    Ok(Claim { change: op.change, value: op.value.clone(), by, claimed_at: change.claimed_at })
}

fn village_conflicts(
    conn: &Connection,
    village: VillageId,
    after: Option<(DocumentId, String)>,
    limit: u32,
) -> Result<Page<ConflictSeen>, StoreError> {
    let limit = page_limit(limit);
    let (kind, id, key) = match &after {
        Some((document, key)) => (document.kind.code(), document.id.as_slice(), key.as_str()),
        None => (0, &[][..], ""),
    };
    let mut select = conn.prepare_cached(
        "SELECT kind, document, key FROM conflict_row
         WHERE village = ?1 AND asks = 1 AND (kind, document, key) > (?2, ?3, ?4)
         ORDER BY kind, document, key LIMIT ?5",
    )?;
    let mut rows = select.query(params![village.as_bytes(), kind, id, key, limit + 1])?;
    let mut found = Vec::new();
    let mut last: Option<(DocumentId, Register)> = None;
    while let Some(row) = rows.next()? {
        let document = document_id(row.get(0)?, row.get(1)?)?;
        let key: String = row.get(2)?;
        if last.as_ref().is_none_or(|(known, _)| *known != document) {
            let register = readable_register(conn, village, document)?.unwrap_or_default();
            last = Some((document, register));
        }
        let Some((_, register)) = &last else { continue };
        let open = conflicts(register, document.kind).into_iter().find(|conflict| conflict.key == key);
        if let Some(conflict) = open {
            found.push(conflict_seen(conn, village, document, &conflict)?);
        }
    }
    Ok(page(found, limit))
}

pub(super) fn raw_history(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
    since: u64,
    key: Option<&str>,
) -> Result<Option<Vec<FieldEvent>>, StoreError> {
    let accepted = accepted_before(conn, village, document, since)?;
    if accepted.is_empty() {
        return Ok(None);
    }
    let mut events = history::history(document.kind, &derived::recorded(conn, &accepted)?);
    events.retain(|event| key.is_none_or(|key| event.key == key));
    Ok(Some(events))
}

fn is_there(conn: &Connection, village: VillageId, document: DocumentId) -> Result<bool, StoreError> {
    let mut select =
        conn.prepare_cached("SELECT 1 FROM document WHERE village = ?1 AND kind = ?2 AND document = ?3")?;
    Ok(select.exists(params![village.as_bytes(), document.kind.code(), document.id])?)
}

pub(super) fn stored_history(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
    key: Option<&str>,
) -> Result<Option<Vec<FieldEvent>>, StoreError> {
    if !is_there(conn, village, document)? {
        return Ok(None);
    }
    let Some(mut events) = derived::stored_events(conn, village, document)? else {
        return raw_history(conn, village, document, u64::MAX, key);
    };
    events.retain(|event| key.is_none_or(|key| event.key == key));
    Ok(Some(events))
}

const CHANGES_SEEN: &str = "
    SELECT change.sequence, change.position, batch.id, change.kind, change.document, change.hash,
           change.standing, change.rule, change.detail, change.because, batch.device, batch.user,
           batch.received_ms
    FROM change INNER JOIN batch USING (sequence)";

fn change_seen(row: &Row<'_>) -> Result<ChangeSeen, StoreError> {
    let sequence = from_sql(row.get(0)?);
    let standing = standing_from(row.get(6)?);
    Ok(ChangeSeen {
        sequence,
        position: row.get(1)?,
        batch: BatchId(row.get(2)?),
        document: document_id(row.get(3)?, row.get(4)?)?,
        hash: row.get::<_, Option<[u8; 32]>>(5)?.map(ChangeHash),
        standing: standing.ok_or_else(|| StoreError::corrupt("change", sequence, "unknown standing"))?,
        rule: row.get(7)?,
        detail: row.get(8)?,
        because: row.get::<_, Option<[u8; 32]>>(9)?.map(ChangeHash),
        device: DeviceId::from_bytes(row.get(10)?),
        user: UserId::from_bytes(row.get(11)?),
        received_ms: row.get(12)?,
    })
}

/// Whole batches after the cursor, so that none is cut between two answers; at least one.
fn changes_since(
    conn: &Connection,
    village: VillageId,
    cursor: u64,
    limit: u32,
) -> Result<ChangesSince, StoreError> {
    let horizon = horizon(conn, village)?;
    let mut select = conn.prepare_cached(&format!(
        "{CHANGES_SEEN} WHERE batch.village = ?1 AND batch.sequence > ?2 AND batch.sequence < ?3
         ORDER BY batch.sequence, change.position"
    ))?;
    let mut rows = select.query(params![village.as_bytes(), to_sql(cursor), to_sql(horizon)])?;
    let limit = usize::try_from(page_limit(limit)).unwrap_or(usize::MAX);
    let mut since = ChangesSince { changes: Vec::new(), cursor, more: false };
    while let Some(row) = rows.next()? {
        let change = change_seen(row)?;
        if change.sequence != since.cursor && since.changes.len() >= limit {
            since.more = true;
            break;
        }
        since.cursor = change.sequence;
        since.changes.push(change);
    }
    Ok(since)
}
