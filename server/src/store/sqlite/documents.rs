//! Some documents of a village apart from its feed: for a repair, and for what a snapshot left out.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_survey::change::{ChangeHash, DocumentId, parse};
use ruhu_survey::id::{HouseholdId, VillageId};
use ruhu_sync::{Cursor, DocumentToken, Fingerprint, state};
use rusqlite::{Connection, params};

use super::column::{document_id, from_sql, to_sql};
use super::log::present_epoch;
use super::people::{certificates, revocations};
use super::relay::{add_entry, add_server_certificates, fingerprint_at, last_entry};
use crate::relay::Relay;
use crate::store::StoreError;
use crate::store::copies::Tokens;

/// The changes of one document: each with what it stands on.
type Edges = Vec<(ChangeHash, Vec<ChangeHash>)>;

pub(super) fn tokens(conn: &Connection, village: VillageId) -> Result<Tokens, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT kind, document, sequence, bytes FROM change WHERE village = ?1 AND standing = 1",
    )?;
    let mut rows = select.query([village.as_bytes()])?;
    let mut documents: BTreeMap<DocumentId, Edges> = BTreeMap::new();
    let mut sum = Fingerprint::new();
    while let Some(row) = rows.next()? {
        let (sequence, bytes): (i64, Vec<u8>) = (row.get(2)?, row.get(3)?);
        let (change, hash) = parse(&bytes).map_err(|error| StoreError::corrupt("change", sequence, error))?;
        sum.add(&hash);
        let id = document_id(row.get(0)?, row.get(1)?)?;
        documents.entry(id).or_default().push((hash, change.dependencies));
    }
    let token = |(id, edges): (DocumentId, Edges)| {
        let heads = state::heads(edges.iter().map(|(hash, on)| (*hash, on.as_slice())));
        (DocumentToken::of(id, &heads), id)
    };
    Ok(Tokens { fingerprint: sum.value(), documents: documents.into_iter().map(token).collect() })
}

pub(super) fn of_household(
    conn: &Connection,
    village: VillageId,
    household: HouseholdId,
) -> Result<BTreeSet<DocumentId>, StoreError> {
    let mut documents = BTreeSet::new();
    let own = DocumentId::from(household);
    let mut exists = conn.prepare_cached(
        "SELECT 1 FROM change WHERE village = ?1 AND kind = ?2 AND document = ?3 AND standing = 1 LIMIT 1",
    )?;
    if !exists.exists(params![village.as_bytes(), own.kind.code(), own.id])? {
        return Ok(documents);
    }
    documents.insert(own);
    let mut select =
        conn.prepare_cached("SELECT check_id FROM check_row WHERE village = ?1 AND household = ?2")?;
    let rows = select.query_map(params![village.as_bytes(), household.as_bytes()], |row| row.get(0))?;
    for check in rows {
        documents.insert(document_id(2, check?)?);
    }
    Ok(documents)
}

pub(super) fn relay(
    conn: &Connection,
    village: VillageId,
    documents: &BTreeSet<DocumentId>,
    after: u64,
    bytes_max: u64,
) -> Result<Relay, StoreError> {
    let sequences = entries_of(conn, village, documents, after)?;
    let epoch = present_epoch(conn)?.epoch;
    let mut relay = Relay {
        certificates: certificates(conn, village)?,
        revocations: revocations(conn, village)?,
        entries: Vec::new(),
        cursor: Cursor { epoch, number: last_entry(conn, village)? },
        fingerprint: 0,
        more: false,
        unsettled: false,
        vector_wanted: false,
    };
    let (mut servers, mut given) = (BTreeSet::new(), 0);
    for (sequence, bytes) in sequences {
        if given > 0 && given + bytes > bytes_max {
            relay.more = true;
            break;
        }
        given += bytes;
        servers.extend(add_entry(conn, sequence, &mut relay)?);
        relay.cursor.number = sequence;
    }
    if !relay.more {
        relay.cursor.number = last_entry(conn, village)?;
    }
    relay.fingerprint = fingerprint_at(conn, village, relay.cursor.number)?;
    add_server_certificates(conn, &servers, &mut relay)?;
    Ok(relay)
}

/// The feed entries after one that are about these documents, with about how many bytes each has.
fn entries_of(
    conn: &Connection,
    village: VillageId,
    documents: &BTreeSet<DocumentId>,
    after: u64,
) -> Result<BTreeMap<u64, u64>, StoreError> {
    let mut batches = conn.prepare_cached(
        "SELECT DISTINCT change.sequence, length(batch.payload) + length(batch.receipt) + 300
         FROM change JOIN batch ON batch.sequence = change.sequence
         WHERE change.village = ?1 AND change.kind = ?2 AND change.document = ?3 AND change.sequence > ?4",
    )?;
    let mut decisions = conn.prepare_cached(
        "SELECT decision.sequence, length(decision.bytes) + 30
         FROM change JOIN decision ON decision.batch = change.sequence AND decision.position = change.position
         WHERE change.village = ?1 AND change.kind = ?2 AND change.document = ?3 AND decision.sequence > ?4",
    )?;
    let mut entries = BTreeMap::new();
    for document in documents {
        for select in [&mut batches, &mut decisions] {
            let parameters = params![village.as_bytes(), document.kind.code(), document.id, to_sql(after)];
            let rows =
                select.query_map(parameters, |row| Ok((from_sql(row.get(0)?), from_sql(row.get(1)?))))?;
            for row in rows {
                let (sequence, bytes) = row?;
                entries.insert(sequence, bytes);
            }
        }
    }
    Ok(entries)
}
