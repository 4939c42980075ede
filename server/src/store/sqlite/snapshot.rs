//! Reading a whole village for a snapshot, and keeping snapshots.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::batch::BatchBody;
use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::snapshot::SignedSnapshot;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind, parse};
use ruhu_survey::id::{DeviceId, HouseholdId, VillageId};
use ruhu_sync::snapshot::{BatchLine, ChangeLine, Content, DocumentPart, LeftOut, Sealed};
use ruhu_sync::{DocumentToken, Fingerprint, state};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::append::standing_from;
use super::column::{document_id, from_sql, to_sql};
use super::log::{certificate_of, present_epoch};
use super::names::roots_after;
use super::people::{certificates, revocations};
use super::relay::{batch_at, fingerprint_at, horizon, last_entry};
use crate::ingest::Standing;
use crate::store::StoreError;
use crate::store::copies::{Material, Newest};

pub(super) fn newest(conn: &Connection, village: VillageId) -> Result<Option<Newest>, StoreError> {
    let found: Option<Vec<u8>> = conn
        .prepare_cached(
            "SELECT statement FROM snapshot WHERE village = ?1 ORDER BY number DESC, snapshot DESC LIMIT 1",
        )?
        .query_row([village.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(statement) = found else { return Ok(None) };
    let statement = SignedSnapshot::from_bytes(&statement)
        .map_err(|error| StoreError::corrupt("snapshot", village, error))?;
    if statement.statement.epoch != present_epoch(conn)?.epoch {
        return Ok(None);
    }
    let entries_since = entries_after(conn, village, statement.statement.number)?;
    Ok(Some(Newest { statement, entries_since }))
}

pub(super) fn entries_after(conn: &Connection, village: VillageId, number: u64) -> Result<u64, StoreError> {
    let mut count = conn.prepare_cached("SELECT count(*) FROM feed WHERE village = ?1 AND sequence > ?2")?;
    Ok(from_sql(count.query_row(params![village.as_bytes(), to_sql(number)], |row| row.get(0))?))
}

pub(super) fn bytes(
    conn: &Connection,
    village: VillageId,
    id: &[u8; 32],
    from: u64,
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut select =
        conn.prepare_cached("SELECT substr(packed, ?3, ?4) FROM snapshot WHERE village = ?1 AND id = ?2")?;
    let count = i64::try_from(bytes_max).unwrap_or(i64::MAX);
    let parameters = params![village.as_bytes(), id, to_sql(from.saturating_add(1)), count];
    Ok(select.query_row(parameters, |row| row.get(0)).optional()?)
}

pub(super) fn keep(tx: &Transaction<'_>, sealed: &Sealed, kept_max: u32) -> Result<(), StoreError> {
    let said = &sealed.statement.statement;
    tx.prepare_cached(
        "INSERT INTO snapshot (id, village, number, made_ms, statement, packed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO NOTHING",
    )?
    .execute(params![
        said.id(),
        said.village.as_bytes(),
        to_sql(said.number),
        said.made_ms,
        sealed.statement.to_bytes(),
        sealed.packed
    ])?;
    tx.prepare_cached(
        "DELETE FROM snapshot WHERE village = ?1 AND snapshot NOT IN
             (SELECT snapshot FROM snapshot WHERE village = ?1 ORDER BY snapshot DESC LIMIT ?2)",
    )?
    .execute(params![said.village.as_bytes(), kept_max])?;
    Ok(())
}

/// One change of a village.
struct Read {
    document: DocumentId,
    sequence: u64,
    position: u16,
    hash: ChangeHash,
    bytes: Vec<u8>,
    standing: Standing,
    verdict: Verdict,
}

pub(super) fn material(conn: &Connection, village: VillageId) -> Result<Option<Material>, StoreError> {
    let number = last_entry(conn, village)?;
    if horizon(conn, village)? <= number {
        return Ok(None);
    }
    let older = older_checks(conn, village)?;
    let mut documents: BTreeMap<DocumentId, Vec<Read>> = BTreeMap::new();
    for read in changes(conn, village)? {
        documents.entry(read.document).or_default().push(read);
    }
    let (mut parts, mut left_out) = (Vec::new(), Vec::new());
    for (id, mut reads) in documents {
        let unsettled =
            reads.iter().any(|read| matches!(read.standing, Standing::Held | Standing::Quarantined));
        match older.get(&id) {
            Some(household) if !unsettled => left_out.extend(leave_out(id, *household, &reads)?),
            _ => {
                in_causal_order(&mut reads)?;
                parts.push((id, reads));
            }
        }
    }
    left_out.sort();
    let content = content(conn, village, parts, left_out)?;
    let fingerprint = fingerprint_at(conn, village, number)?;
    Ok(Some(Material { epoch: present_epoch(conn)?.epoch, number, fingerprint, content }))
}

fn changes(conn: &Connection, village: VillageId) -> Result<Vec<Read>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT kind, document, sequence, position, hash, bytes, standing, rule, because FROM change
         WHERE village = ?1 AND hash IS NOT NULL AND standing <> 4 ORDER BY sequence, position",
    )?;
    let mut rows = select.query([village.as_bytes()])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let sequence = from_sql(row.get(2)?);
        let code: u8 = row.get(6)?;
        let standing = standing_from(code)
            .ok_or_else(|| StoreError::corrupt("change", sequence, format!("unknown standing {code}")))?;
        let rule = row.get::<_, Option<String>>(7)?.unwrap_or_default();
        let because = row.get::<_, Option<[u8; 32]>>(8)?.map(ChangeHash);
        changes.push(Read {
            document: document_id(row.get(0)?, row.get(1)?)?,
            sequence,
            position: row.get(3)?,
            hash: ChangeHash(row.get(4)?),
            bytes: row.get(5)?,
            standing,
            verdict: match standing {
                Standing::Held => Verdict::Held { needs: Vec::new() },
                Standing::Quarantined => Verdict::Quarantined { rule, because },
                Standing::Refused => Verdict::Refused { reason: rule },
                Standing::Accepted | Standing::Repeat => Verdict::Accepted,
            },
        });
    }
    Ok(changes)
}

/// The submitted checks that are not the last of their household.
fn older_checks(
    conn: &Connection,
    village: VillageId,
) -> Result<BTreeMap<DocumentId, HouseholdId>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT check_id, household FROM check_row WHERE village = ?1 AND submitted = 1 AND household IS NOT NULL
         ORDER BY household, started_at_ms, check_id DESC",
    )?;
    let rows = select.query_map([village.as_bytes()], |row| {
        Ok((DocumentId { kind: DocumentKind::Check, id: row.get(0)? }, HouseholdId::from_bytes(row.get(1)?)))
    })?;
    let checks: Vec<(DocumentId, HouseholdId)> = rows.collect::<Result<_, _>>()?;
    let followed = checks.iter().zip(checks.iter().skip(1)).filter(|(one, next)| one.1 == next.1);
    Ok(followed.map(|(one, _)| *one).collect())
}

fn leave_out(id: DocumentId, household: HouseholdId, reads: &[Read]) -> Result<Option<LeftOut>, StoreError> {
    let accepted = || reads.iter().filter(|read| read.standing == Standing::Accepted);
    let sum: Fingerprint = accepted().map(|read| &read.hash).collect();
    let mut parsed = Vec::new();
    for read in accepted() {
        let (change, hash) =
            parse(&read.bytes).map_err(|error| StoreError::corrupt("change", read.sequence, error))?;
        parsed.push((hash, change.dependencies));
    }
    if parsed.is_empty() {
        return Ok(None);
    }
    let heads = state::heads(parsed.iter().map(|(hash, on)| (*hash, on.as_slice())));
    Ok(Some(LeftOut { household, token: DocumentToken::of(id, &heads), sum: sum.value() }))
}

/// The accepted changes first, each after what it stands on; then the others as they came.
fn in_causal_order(reads: &mut Vec<Read>) -> Result<(), StoreError> {
    let mut keyed = Vec::new();
    for read in reads.drain(..) {
        let place = match read.standing {
            Standing::Accepted => {
                let (change, hash) = parse(&read.bytes)
                    .map_err(|error| StoreError::corrupt("change", read.sequence, error))?;
                (0, change.start_op, hash.0)
            }
            _ => (1, 0, [0; 32]),
        };
        keyed.push((place, read));
    }
    keyed.sort_by_key(|(place, _)| *place);
    reads.extend(keyed.into_iter().map(|(_, read)| read));
    Ok(())
}

fn content(
    conn: &Connection,
    village: VillageId,
    parts: Vec<(DocumentId, Vec<Read>)>,
    left_out: Vec<LeftOut>,
) -> Result<Content, StoreError> {
    let mut sequences: BTreeSet<u64> =
        parts.iter().flat_map(|(_, reads)| reads).map(|read| read.sequence).collect();
    let tips = tips(conn, village)?;
    sequences.extend(&tips);
    let line = |sequence: &u64| batch_line(conn, *sequence, tips.contains(sequence));
    let batches = sequences.iter().map(line).collect::<Result<Vec<_>, _>>()?;
    let places: BTreeMap<u64, usize> =
        sequences.into_iter().enumerate().map(|(place, sequence)| (sequence, place)).collect();
    let documents = parts.into_iter().map(|(id, reads)| part(id, reads, &places)).collect();
    let (certificates, revocations) = credentials(conn, village, &batches)?;
    Ok(Content { certificates, revocations, batches, documents, left_out })
}

fn part(id: DocumentId, reads: Vec<Read>, places: &BTreeMap<u64, usize>) -> DocumentPart {
    let (mut accepted, mut apart) = (Vec::new(), Vec::new());
    for read in reads {
        let batch = places.get(&read.sequence).copied().unwrap_or_default();
        let line = ChangeLine { bytes: read.bytes, batch, position: read.position };
        match read.standing {
            Standing::Accepted => accepted.push(line),
            _ => apart.push((line, read.verdict)),
        }
    }
    DocumentPart { id, accepted, apart }
}

/// The ends of all chains: what the version vector of the snapshot names.
fn tips(conn: &Connection, village: VillageId) -> Result<BTreeSet<u64>, StoreError> {
    let mut select = conn.prepare_cached("SELECT sequence FROM chain_tip WHERE village = ?1")?;
    let rows = select.query_map([village.as_bytes()], |row| row.get(0).map(from_sql))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The places of the changes of a batch that stand on nothing.
fn roots_of(body: &BatchBody) -> Vec<u16> {
    let is_root = |bytes: &[u8]| parse(bytes).is_ok_and(|(change, _)| change.dependencies.is_empty());
    let places = body.changes.iter().zip(0_u16..);
    places.filter(|((_, bytes), _)| is_root(bytes)).map(|(_, place)| place).collect()
}

fn batch_line(conn: &Connection, sequence: u64, tip: bool) -> Result<BatchLine, StoreError> {
    let (batch, receipt) = batch_at(conn, sequence)?;
    let body = batch.open().map_err(|error| StoreError::corrupt("batch", sequence, error))?;
    let (header, said) = (&batch.header, &receipt.statement);
    let roots = roots_of(&body);
    let roots_before = roots_after(conn, sequence)?.saturating_sub(roots.len() as u64);
    Ok(BatchLine {
        sequence,
        id: header.id(),
        device: header.device,
        user: header.user,
        number: header.number,
        previous: header.previous,
        wall_ms: header.wall_ms,
        received_ms: said.received_ms,
        anchor_ms: said.anchor_ms,
        tip,
        openings: body.openings,
        roots_before,
        roots,
    })
}

/// The certificates and revocations of the village's devices, and of all whose batches are named.
fn credentials(
    conn: &Connection,
    village: VillageId,
    batches: &[BatchLine],
) -> Result<(Vec<SignedCertificate>, Vec<SignedRevocation>), StoreError> {
    let mut by_serial: BTreeMap<u64, SignedCertificate> =
        certificates(conn, village)?.into_iter().map(|signed| (signed.statement.serial, signed)).collect();
    let authors: BTreeSet<DeviceId> = batches.iter().map(|batch| batch.device).collect();
    for author in authors {
        let found = certificate_of(conn, author)?.map(|certified| certified.signed);
        by_serial.extend(found.map(|signed| (signed.statement.serial, signed)));
    }
    let by_device: BTreeMap<DeviceId, SignedRevocation> =
        revocations(conn, village)?.into_iter().map(|signed| (signed.statement.device, signed)).collect();
    Ok((by_serial.into_values().collect(), by_device.into_values().collect()))
}
