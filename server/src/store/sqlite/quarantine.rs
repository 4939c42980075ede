//! What is in quarantine in SQL, what people propose, and what two of them decide.

use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::decision::{People, SignedDecision};
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{Change, ChangeHash, DocumentId, parse};
use ruhu_survey::entry::{Entry, entries};
use ruhu_survey::gate::{self, Refusal};
use ruhu_survey::id::{DeviceId, UserId, VillageId};
use ruhu_survey::register::Register;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::append::{By, Desk, Totals, mark_pending, write_decision_by};
use super::belt::{accepted_of, replay};
use super::column::{document_at, from_sql, to_sql};
use super::shelf::register_of;
use crate::ingest::{Decided, Standing};
use crate::quarantine::{Choice, Next, NotRuled, Proposal, Quarantined, REFUSED, Ruled, Ruling, weigh};
use crate::store::StoreError;

const QUARANTINED: &str = "SELECT change.village, change.kind, change.document, change.hash, change.bytes,
        change.rule, change.detail, change.because, batch.id, batch.device, batch.user, batch.received_ms,
        change.sequence, change.position, proposal.choice, proposal.person, proposal.name, proposal.reason,
        proposal.proposed_ms
     FROM change JOIN batch ON batch.sequence = change.sequence
     LEFT JOIN proposal ON proposal.sequence = change.sequence AND proposal.position = change.position
     WHERE change.standing = 3";

/// A row of [`QUARANTINED`].
struct Found {
    one: Quarantined,
    place: (u64, u32),
    bytes: Vec<u8>,
}

fn found(row: &Row<'_>) -> Result<Found, StoreError> {
    let (village, document) = document_at(row, 0)?;
    let hash: Option<[u8; 32]> = row.get(3)?;
    let bytes: Vec<u8> = row.get(4)?;
    let puts = parse(&bytes).map(|(change, _)| change.puts).unwrap_or_default();
    let one = Quarantined {
        change: ChangeHash(hash.unwrap_or_default()),
        village,
        document,
        batch: BatchId(row.get(8)?),
        device: DeviceId::from_bytes(row.get(9)?),
        user: UserId::from_bytes(row.get(10)?),
        rule: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
        detail: row.get(6)?,
        because: row.get::<_, Option<[u8; 32]>>(7)?.map(ChangeHash),
        received_ms: row.get(11)?,
        keys: puts.into_iter().map(|put| put.key).collect(),
        replaced_by: None,
        proposal: proposal(row)?,
    };
    Ok(Found { one, place: (from_sql(row.get(12)?), row.get(13)?), bytes })
}

fn proposal(row: &Row<'_>) -> Result<Option<Proposal>, StoreError> {
    let Some(code) = row.get::<_, Option<u8>>(14)? else { return Ok(None) };
    let unknown = || StoreError::corrupt("proposal", "choice", code);
    Ok(Some(Proposal {
        choice: Choice::from_code(code).ok_or_else(unknown)?,
        by: UserId::from_bytes(row.get(15)?),
        name: row.get(16)?,
        reason: row.get(17)?,
        at_ms: row.get(18)?,
    }))
}

/// Every change in quarantine, of one village or of all, in the order in which they came.
pub(super) fn list(conn: &Connection, village: Option<VillageId>) -> Result<Vec<Quarantined>, StoreError> {
    let sql = format!(
        "{QUARANTINED} AND (?1 IS NULL OR change.village = ?1) ORDER BY change.sequence, change.position"
    );
    let mut select = conn.prepare_cached(&sql)?;
    let mut rows = select.query([village.map(|village| *village.as_bytes())])?;
    let mut listed = Vec::new();
    let mut cited: BTreeMap<(VillageId, DocumentId), BTreeMap<String, ChangeHash>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let mut one = found(row)?.one;
        let document = (one.village, one.document);
        let cited = match cited.entry(document) {
            btree_map::Entry::Occupied(known) => known.into_mut(),
            btree_map::Entry::Vacant(place) => {
                let register = register_of(conn, one.village, one.document)?.unwrap_or_default();
                place.insert(replacements(&register))
            }
        };
        one.replaced_by = cited.get(&one.change.to_string()).copied();
        listed.push(one);
    }
    Ok(listed)
}

/// The changes that a document says were replaced, each with the one that says so.
fn replacements(register: &Register) -> BTreeMap<String, ChangeHash> {
    let placed = entries(register).into_iter();
    let cited = placed.filter_map(|placed| match placed.entry {
        Entry::Replaces(replaces) => Some((replaces.change, placed.change)),
        _ => None,
    });
    cited.collect()
}

/// Takes up what a person says about a change in quarantine.
pub(super) fn rule_on(desk: &Desk<'_>, ruling: &Ruling) -> Result<Ruled, StoreError> {
    let sql = format!("{QUARANTINED} AND change.hash = ?1 ORDER BY change.sequence, change.position LIMIT 1");
    let mut select = desk.tx.prepare_cached(&sql)?;
    let mut rows = select.query([ruling.change.0])?;
    let Some(row) = rows.next()? else { return Ok(Ruled::Not(NotRuled::NotInQuarantine)) };
    let found = found(row)?;
    match weigh(ruling, found.one.user, found.one.proposal.as_ref()) {
        Next::Nothing(why) => Ok(Ruled::Not(why)),
        Next::Propose => {
            propose(desk, ruling, found.place)?;
            Ok(Ruled::Proposed)
        }
        Next::Decide(people) => match ruling.choice {
            Choice::Adopt => adopt(desk, &found, ruling.by, people),
            Choice::Refuse => refuse(desk, &found, ruling.by, people),
        },
    }
}

fn propose(desk: &Desk<'_>, ruling: &Ruling, (sequence, position): (u64, u32)) -> Result<(), StoreError> {
    desk.tx.execute(
        "INSERT INTO proposal (sequence, position, choice, person, name, reason, proposed_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (sequence, position) DO UPDATE SET choice = excluded.choice, person = excluded.person,
             name = excluded.name, reason = excluded.reason, proposed_ms = excluded.proposed_ms",
        params![
            to_sql(sequence),
            position,
            ruling.choice.code(),
            ruling.by.as_bytes(),
            ruling.name,
            ruling.reason,
            desk.now_ms
        ],
    )?;
    Ok(())
}

/// Makes the change part of its document, without asking whether its author might write it.
fn adopt(desk: &Desk<'_>, found: &Found, by: UserId, people: People) -> Result<Ruled, StoreError> {
    let Quarantined { village, document, .. } = found.one;
    let accepted = accepted_of(desk.tx, village, document)?;
    let past: BTreeMap<ChangeHash, Arc<Change>> =
        accepted.iter().map(|one| (one.hash, Arc::clone(&one.change))).collect();
    let register = replay(&accepted);
    match gate::admit(&found.bytes, &register, &past) {
        Ok(admitted) if gate::crowds(&admitted.change, &register) => {
            return Ok(Ruled::Not(NotRuled::DoesNotFit("it has too many heads".to_owned())));
        }
        Ok(_) => {}
        Err(Refusal::Needs(needs)) => return Ok(Ruled::Not(NotRuled::StandsOn(needs))),
        Err(refusal) => return Ok(Ruled::Not(NotRuled::DoesNotFit(refusal.to_string()))),
    }
    let (signed, sequence) = decide(desk, found, (Verdict::Accepted, Standing::Accepted), by, people)?;
    mark_pending(desk.tx, village, document, sequence)?;
    Ok(Ruled::Decided(Box::new(signed)))
}

fn refuse(desk: &Desk<'_>, found: &Found, by: UserId, people: People) -> Result<Ruled, StoreError> {
    let verdict = Verdict::Refused { reason: REFUSED.to_owned() };
    let (signed, _) = decide(desk, found, (verdict, Standing::Refused), by, people)?;
    Ok(Ruled::Decided(Box::new(signed)))
}

fn decide(
    desk: &Desk<'_>,
    found: &Found,
    (verdict, standing): (Verdict, Standing),
    by: UserId,
    people: People,
) -> Result<(SignedDecision, u64), StoreError> {
    let (document, hash) = (found.one.document, Some(found.one.change));
    let decided = Decided { document, hash, verdict, standing, detail: None };
    let mut totals = Totals::of(desk.tx, found.one.village)?;
    let by = By { user: by, people: Some(people) };
    let written = write_decision_by(desk, &mut totals, found.place, &decided, by)?;
    settled(desk.tx, found.place)?;
    written.ok_or_else(|| StoreError::corrupt("change", found.one.change, "it has no name"))
}

/// The decision holds both names; the proposal is no longer one.
fn settled(tx: &Transaction<'_>, (sequence, position): (u64, u32)) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM proposal WHERE sequence = ?1 AND position = ?2",
        params![to_sql(sequence), position],
    )?;
    Ok(())
}

/// Where the chain of a device in a village has forked, with its tips, the longest first.
pub(super) fn fork(
    conn: &Connection,
    village: VillageId,
    device: DeviceId,
) -> Result<Option<crate::store::ledger::Fork>, StoreError> {
    let whose = params![village.as_bytes(), device.as_bytes()];
    let mut select = conn.prepare_cached(
        "SELECT number, id FROM chain_tip WHERE village = ?1 AND device = ?2 ORDER BY number DESC, sequence",
    )?;
    let tips = select.query_map(whose, |row| Ok((from_sql(row.get(0)?), BatchId(row.get(1)?))))?;
    let tips: Vec<(u64, BatchId)> = tips.collect::<Result<_, _>>()?;
    if tips.len() < 2 {
        return Ok(None);
    }
    let number: Option<i64> = conn
        .prepare_cached(
            "SELECT number FROM batch WHERE village = ?1 AND device = ?2
             GROUP BY number HAVING count(*) > 1 ORDER BY number LIMIT 1",
        )?
        .query_row(whose, |row| row.get(0))
        .optional()?;
    Ok(number.map(|number| crate::store::ledger::Fork { number: from_sql(number), tips }))
}
