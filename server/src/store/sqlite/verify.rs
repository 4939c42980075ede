//! Going through every raw record: signatures, chains, hashes, receipts, leaves, tree, checkpoints.

use std::collections::BTreeMap;

use ruhu_ledger::batch::BatchHeader;
use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::checkpoint::{Checkpoint, NoteKey};
use ruhu_ledger::decision::SignedDecision;
use ruhu_ledger::epoch::SignedEpochStart;
use ruhu_ledger::leaf::Leaf;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::tree::Hash;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ChangeHash, DocumentId, parse};
use ruhu_survey::id::VillageId;
use ruhu_sync::Fingerprint;
use rusqlite::{Connection, OptionalExtension, params};

use super::append::{reasons, standing_code, standing_from};
use super::column::{bits_from_sql, from_sql, to_sql};
use super::log::deployment_of;
use super::relay::batch_at;
use super::{verify_derived, verify_former};
use crate::ingest::Standing;
use crate::store::StoreError;
use crate::verify::{Authorities, Bad, Regrown, Row, Stop, Verified};

pub(super) fn verify(conn: &Connection) -> Result<Verified, StoreError> {
    let mut done = Verified::default();
    match go_through(conn, &mut done) {
        Ok(()) => Ok(done),
        Err(Stop::Bad(bad)) => Ok(Verified { first_bad: Some(bad), ..done }),
        Err(Stop::Store(error)) => Err(error),
    }
}

fn go_through(conn: &Connection, done: &mut Verified) -> Result<(), Stop> {
    if let Some(problem) = ruhu_sqlite::quick_check(conn)?.into_iter().next() {
        return Err(Bad::new("file", "a page", problem).into());
    }
    let leaves = Leaves::read(conn)?;
    done.leaves = leaves.0.len() as u64;
    let mut authorities = Authorities::default();
    let mut claimed = epochs(conn, &leaves, &mut authorities)?;
    let mut roots = verify_former::links(conn, &mut authorities)?;
    claimed += certificates(conn, &leaves, &mut authorities)?;
    claimed += revocations(conn, &leaves, &authorities)?;
    claimed += verify_former::watermarks(conn, &leaves, &authorities, &mut roots)?;
    let later = decisions(conn, &leaves, &authorities)?;
    claimed += later.len() as u64;
    let steps = batches(conn, &leaves, &authorities, &later, done)?;
    claimed += done.batches;
    if claimed != done.leaves {
        let what = format!("{} leaves, but {claimed} records that have one", done.leaves);
        return Err(Bad::new("log_leaf", "all", what).into());
    }
    verify_former::receipts(conn, &authorities)?;
    verify_former::records(conn, &authorities)?;
    done.gaps = verify_former::gaps(conn)?;
    tree(conn, &leaves, &authorities, &roots, done)?;
    fingerprints(conn, &steps)?;
    verify_derived::documents(conn, done)
}

/// The leaves of the log as they are stored, by index.
pub(super) struct Leaves(Vec<Vec<u8>>);

impl Leaves {
    fn read(conn: &Connection) -> Result<Self, Stop> {
        let mut select =
            conn.prepare("SELECT leaf_index, time_ms, bytes FROM log_leaf ORDER BY leaf_index")?;
        let mut rows = select.query([])?;
        let mut leaves = Vec::new();
        while let Some(row) = rows.next()? {
            let (index, time_ms, bytes): (i64, i64, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let at = Row::new("log_leaf", index);
            at.same("leaf_index", &from_sql(index), &(leaves.len() as u64))?;
            let leaf = at.holds("bytes", Leaf::from_bytes(&bytes))?;
            at.same("time_ms", &time_ms, &leaf.time_ms)?;
            leaves.push(bytes);
        }
        Ok(Self(leaves))
    }

    /// Whether the leaf of a record is the one that follows from it.
    pub(super) fn check(&self, index: u64, expected: &Leaf) -> Result<(), Bad> {
        let stored = usize::try_from(index).ok().and_then(|index| self.0.get(index));
        let at = Row::new("log_leaf", index);
        match stored {
            None => Err(at.bad("the leaf of a record is not there")),
            Some(bytes) => at.same("bytes", bytes, &expected.to_bytes()),
        }
    }
}

fn epochs(conn: &Connection, leaves: &Leaves, authorities: &mut Authorities) -> Result<u64, Stop> {
    let deployment = deployment_of(conn)?.ok_or_else(|| Bad::new("deployment", 1, "there is none"))?;
    let mut select = conn.prepare("SELECT number, id, leaf_index, bytes FROM epoch ORDER BY number")?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let at = Row::new("epoch", row.get::<_, i64>(0)?);
        let (id, leaf_index, bytes): ([u8; 16], i64, Vec<u8>) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let signed = at.holds("bytes", SignedEpochStart::from_bytes(&bytes))?;
        at.holds("signature", signed.verify_own())?;
        at.same("id", &id, signed.statement.epoch.as_bytes())?;
        at.same("deployment", &deployment, &signed.statement.deployment)?;
        leaves.check(from_sql(leaf_index), &Leaf::epoch(&signed))?;
        authorities.begins.insert(from_sql(leaf_index), signed.statement.epoch);
        authorities.epochs.insert(signed.statement.epoch, signed.statement);
        count += 1;
    }
    Ok(count)
}

fn certificates(conn: &Connection, leaves: &Leaves, authorities: &mut Authorities) -> Result<u64, Stop> {
    let mut select =
        conn.prepare("SELECT serial, device, leaf_index, issued_ms, bytes FROM certificate ORDER BY serial")?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let serial: i64 = row.get(0)?;
        let at = Row::new("certificate", serial);
        let (device, bytes): ([u8; 16], Vec<u8>) = (row.get(1)?, row.get(4)?);
        let leaf_index = from_sql(row.get(2)?);
        let signed = at.holds("bytes", SignedCertificate::from_bytes(&bytes))?;
        at.holds("signature", authorities.once_signed(&signed, leaf_index))?;
        at.same("serial", &from_sql(serial), &signed.statement.serial)?;
        at.same("device", &device, signed.statement.device().as_bytes())?;
        leaves.check(leaf_index, &Leaf::certificate(&signed, row.get(3)?))?;
        authorities.certificates.entry(signed.statement.device()).or_default().push(signed.statement);
        count += 1;
    }
    Ok(count)
}

fn revocations(conn: &Connection, leaves: &Leaves, authorities: &Authorities) -> Result<u64, Stop> {
    let mut select =
        conn.prepare("SELECT device, revoked_ms, leaf_index, bytes FROM revocation ORDER BY device")?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let device = ruhu_survey::id::DeviceId::from_bytes(row.get(0)?);
        let at = Row::new("revocation", device);
        let (revoked_ms, bytes): (i64, Vec<u8>) = (row.get(1)?, row.get(3)?);
        let leaf_index = from_sql(row.get(2)?);
        let signed = at.holds("bytes", SignedRevocation::from_bytes(&bytes))?;
        at.holds("signature", authorities.once_signed(&signed, leaf_index))?;
        at.same("device", &device, &signed.statement.device)?;
        at.same("revoked_ms", &revoked_ms, &signed.statement.at_ms)?;
        leaves.check(leaf_index, &Leaf::revocation(&signed))?;
        count += 1;
    }
    Ok(count)
}

/// A verdict given after the receipt.
struct Later {
    sequence: u64,
    verdict: Verdict,
}

/// The decisions by the place of the change they are about, oldest first.
#[derive(Default)]
struct Decisions(BTreeMap<(u64, u32), Vec<Later>>);

impl Decisions {
    fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

fn decisions(conn: &Connection, leaves: &Leaves, authorities: &Authorities) -> Result<Decisions, Stop> {
    let mut select = conn.prepare(
        "SELECT decision.sequence, decision.batch, decision.position, decision.decided_ms, decision.leaf_index,
                decision.bytes, batch.id, change.hash
         FROM decision
         LEFT JOIN batch ON batch.sequence = decision.batch
         LEFT JOIN change ON change.sequence = decision.batch AND change.position = decision.position
         ORDER BY decision.sequence",
    )?;
    let mut rows = select.query([])?;
    let mut decisions = Decisions::default();
    while let Some(row) = rows.next()? {
        let sequence = from_sql(row.get(0)?);
        let at = Row::new("decision", sequence);
        let place = (from_sql(row.get(1)?), row.get(2)?);
        let leaf_index = from_sql(row.get(4)?);
        let bytes: Vec<u8> = row.get(5)?;
        let signed = at.holds("bytes", SignedDecision::from_bytes(&bytes))?;
        at.holds("signature", authorities.server_signed(&signed, leaf_index))?;
        at.same("decided_ms", &row.get(3)?, &signed.statement.decided_ms)?;
        at.same("batch", &row.get(6)?, &Some(signed.statement.batch.0))?;
        at.same("change", &row.get(7)?, &Some(signed.statement.change.0))?;
        leaves.check(leaf_index, &Leaf::decision(&signed))?;
        let later = Later { sequence, verdict: signed.statement.verdict };
        decisions.0.entry(place).or_default().push(later);
    }
    Ok(decisions)
}

fn batches(
    conn: &Connection,
    leaves: &Leaves,
    authorities: &Authorities,
    later: &Decisions,
    done: &mut Verified,
) -> Result<Steps, Stop> {
    let mut steps = Steps::new();
    let mut select = conn.prepare("SELECT sequence FROM batch ORDER BY sequence")?;
    let sequences = select.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    for sequence in sequences {
        let sequence = from_sql(sequence);
        let at = Row::new("batch", sequence);
        let (batch, receipt) = batch_at(conn, sequence)?;
        columns(conn, &at, sequence, &batch.header, &receipt)?;
        at.holds("signature", authorities.device_signed(&batch))?;
        let leaf_index = receipt.statement.leaf_index;
        at.holds("receipt", authorities.server_signed(&receipt, leaf_index))?;
        leaves.check(leaf_index, &receipt.statement.leaf(&batch.header))?;
        chain(conn, &at, sequence, &batch.header)?;
        let body = at.holds("payload", batch.open())?;
        changes(conn, &batch.header, &body.changes, (sequence, &receipt), later, &mut steps)?;
        done.batches += 1;
        done.changes += body.changes.len() as u64;
    }
    Ok(steps)
}

/// The columns that repeat what the header and the receipt say.
fn columns(
    conn: &Connection,
    at: &Row,
    sequence: u64,
    header: &BatchHeader,
    receipt: &SignedReceipt,
) -> Result<(), Stop> {
    let mut select = conn.prepare_cached(
        "SELECT batch.id, batch.village, batch.device, batch.user, number, previous, received_ms, anchor_ms,
                leaf_index, feed.village, feed.kind, feed.subject
         FROM batch INNER JOIN feed USING (sequence) WHERE sequence = ?1",
    )?;
    let mut rows = select.query([to_sql(sequence)])?;
    let Some(row) = rows.next()? else { return Err(at.bad("it is not in the feed").into()) };
    let receipt = &receipt.statement;
    at.same("id", &row.get(0)?, &header.id().0)?;
    at.same("village", &row.get(1)?, header.village.as_bytes())?;
    at.same("device", &row.get(2)?, header.device.as_bytes())?;
    at.same("user", &row.get(3)?, header.user.as_bytes())?;
    at.same("number", &from_sql(row.get(4)?), &header.number)?;
    at.same("previous", &row.get(5)?, &header.previous.map(|previous| previous.0))?;
    at.same("receipt's batch", &receipt.batch, &header.id())?;
    at.same("received_ms", &row.get(6)?, &receipt.received_ms)?;
    at.same("anchor_ms", &row.get(7)?, &receipt.anchor_ms)?;
    at.same("leaf_index", &from_sql(row.get(8)?), &receipt.leaf_index)?;
    let feed = Row::new("feed", sequence);
    feed.same("village", &row.get(9)?, header.village.as_bytes())?;
    feed.same("kind", &row.get(10)?, &super::append::FEED_BATCH)?;
    feed.same("subject", &from_sql(row.get(11)?), &receipt.leaf_index)?;
    Ok(())
}

fn chain(conn: &Connection, at: &Row, sequence: u64, header: &BatchHeader) -> Result<(), Stop> {
    let Some(previous) = header.previous else { return Ok(()) };
    let found: Option<(i64, i64)> = conn
        .prepare_cached("SELECT sequence, number FROM batch WHERE id = ?1 AND village = ?2 AND device = ?3")?
        .query_row(params![previous.0, header.village.as_bytes(), header.device.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    match found {
        None => Err(at.bad("the batch before it in its chain is not there").into()),
        Some((before, number)) if from_sql(before) < sequence && from_sql(number) + 1 == header.number => {
            Ok(())
        }
        Some(_) => Err(at.bad("it does not follow the batch that it names").into()),
    }
}

/// A row of `change`.
struct Stored {
    village: [u8; 16],
    document: (u8, [u8; 16]),
    hash: Option<[u8; 32]>,
    bytes: Vec<u8>,
    standing: u8,
    admitted: Option<i64>,
    rule: Option<String>,
    because: Option<[u8; 32]>,
}

fn stored_changes(conn: &Connection, sequence: u64) -> Result<Vec<Stored>, Stop> {
    let mut select = conn.prepare_cached(
        "SELECT village, kind, document, hash, bytes, standing, admitted, rule, because
         FROM change WHERE sequence = ?1 ORDER BY position",
    )?;
    let rows = select.query_map([to_sql(sequence)], |row| {
        Ok(Stored {
            village: row.get(0)?,
            document: (row.get(1)?, row.get(2)?),
            hash: row.get(3)?,
            bytes: row.get(4)?,
            standing: row.get(5)?,
            admitted: row.get(6)?,
            rule: row.get(7)?,
            because: row.get(8)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn changes(
    conn: &Connection,
    header: &BatchHeader,
    body: &[(DocumentId, Vec<u8>)],
    (sequence, receipt): (u64, &SignedReceipt),
    later: &Decisions,
    steps: &mut Steps,
) -> Result<(), Stop> {
    let stored = stored_changes(conn, sequence)?;
    let at = Row::new("change", format!("{sequence}/*"));
    at.same("number of changes", &stored.len(), &body.len())?;
    at.same("number of verdicts", &receipt.statement.verdicts.len(), &body.len())?;
    let verdicts = receipt.statement.verdicts.iter();
    for (position, ((row, (document, bytes)), verdict)) in stored.iter().zip(body).zip(verdicts).enumerate() {
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        let at = Row::new("change", format!("{sequence}/{position}"));
        at.same("village", &row.village, header.village.as_bytes())?;
        at.same("document", &row.document, &(document.kind.code(), document.id))?;
        at.same("bytes", &row.bytes, bytes)?;
        at.same("hash", &row.hash, &parse(bytes).ok().map(|(_, hash)| hash.0))?;
        let later = later.0.get(&(sequence, position)).map(Vec::as_slice).unwrap_or_default();
        standing(conn, &at, sequence, row, verdict, later.last())?;
        if let (Some(hash), false) = (row.hash, row.standing == standing_code(Standing::Repeat)) {
            add_steps(steps, sequence, &ChangeHash(hash), verdict, later);
        }
    }
    Ok(())
}

/// Whether the change stands as its receipt and the last decision say.
fn standing(
    conn: &Connection,
    at: &Row,
    sequence: u64,
    row: &Stored,
    verdict: &Verdict,
    last: Option<&Later>,
) -> Result<(), Stop> {
    if standing_from(row.standing) == Some(Standing::Repeat) {
        return if repeats(conn, row)? {
            Ok(())
        } else {
            Err(at.bad("standing is repeat, but of nothing").into())
        };
    }
    let (verdict, since) = last.map_or((verdict, sequence), |later| (&later.verdict, later.sequence));
    let (expected, admitted) = match verdict {
        Verdict::Accepted => (Standing::Accepted, Some(to_sql(since))),
        Verdict::Held { .. } => (Standing::Held, None),
        Verdict::Quarantined { .. } => (Standing::Quarantined, None),
        Verdict::Refused { .. } => (Standing::Refused, None),
    };
    let (rule, because) = reasons(verdict);
    at.same("standing", &row.standing, &standing_code(expected))?;
    at.same("admitted", &row.admitted, &admitted)?;
    at.same("rule", &row.rule.as_deref(), &rule)?;
    at.same("because", &row.because, &because.map(|hash| hash.0))?;
    Ok(())
}

fn repeats(conn: &Connection, row: &Stored) -> Result<bool, Stop> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM change WHERE village = ?1 AND kind = ?2 AND document = ?3
                            AND hash = ?4 AND standing <> 4)",
        )?
        .query_row(params![row.village, row.document.0, row.document.1, row.hash], |found| found.get(0))?)
}

fn tree(
    conn: &Connection,
    leaves: &Leaves,
    authorities: &Authorities,
    promised: &[(Row, u64, Hash)],
    done: &mut Verified,
) -> Result<(), Stop> {
    let checkpoints = checkpoints(conn, authorities)?;
    let mut regrown = Regrown::default();
    let mut nodes = 0_i64;
    for (index, bytes) in leaves.0.iter().enumerate() {
        let index = index as u64;
        let hash = ruhu_ledger::tree::leaf_hash(bytes);
        for node in regrown.push(index, hash) {
            let at = Row::new("log_node", format!("{}/{}", node.level, node.index));
            let stored: Option<Hash> = conn
                .prepare_cached("SELECT hash FROM log_node WHERE level = ?1 AND node_index = ?2")?
                .query_row(params![node.level, to_sql(node.index)], |row| row.get(0))
                .optional()?;
            at.same("hash", &stored, &Some(node.hash))?;
            nodes += 1;
        }
        for (at, _, root) in promised.iter().filter(|(_, size, _)| *size == index + 1) {
            at.same("root", &Some(*root), &regrown.root())?;
        }
        if let Some(root) = checkpoints.get(&(index + 1)) {
            let at = Row::new("checkpoint", index + 1);
            at.same("root", &Some(*root), &regrown.root())?;
            done.checkpoints += 1;
        }
    }
    let stored: i64 = conn.query_row("SELECT count(*) FROM log_node", [], |row| row.get(0))?;
    Row::new("log_node", "all").same("number of nodes", &stored, &nodes)?;
    let count = checkpoints.len() as u64;
    Row::new("checkpoint", "all").same("number within the log", &done.checkpoints, &count)?;
    Ok(())
}

/// The root of every checkpoint by its size, each note read and its signature verified.
fn checkpoints(conn: &Connection, authorities: &Authorities) -> Result<BTreeMap<u64, Hash>, Stop> {
    let deployment = deployment_of(conn)?.ok_or_else(|| Bad::new("deployment", 1, "there is none"))?;
    let mut select = conn.prepare("SELECT size, root, note FROM checkpoint ORDER BY size")?;
    let mut rows = select.query([])?;
    let mut roots = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (size, root): (i64, Hash) = (row.get(0)?, row.get(1)?);
        let (at, size) = (Row::new("checkpoint", size), from_sql(size));
        let start =
            authorities.epoch_at(size.saturating_sub(1)).ok_or_else(|| at.bad("no epoch covers it"))?;
        let key = match start.previous {
            None => NoteKey::of_log(deployment, start.server_key),
            Some(_) => NoteKey::of_epoch(deployment, start.epoch, start.server_key),
        };
        let note: String = row.get(2)?;
        let signed = at.holds("note", Checkpoint::open(&note, &key))?;
        at.same("size", &size, &signed.size)?;
        at.same("root", &root, &signed.root)?;
        roots.insert(size, root);
    }
    Ok(roots)
}

/// The fingerprint of every feed entry, from the verdicts.
fn fingerprints(conn: &Connection, steps: &Steps) -> Result<(), Stop> {
    let mut totals: BTreeMap<VillageId, u64> = BTreeMap::new();
    let mut select = conn.prepare("SELECT sequence, village, fingerprint FROM feed ORDER BY sequence")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let sequence = from_sql(row.get(0)?);
        let total = totals.entry(VillageId::from_bytes(row.get(1)?)).or_default();
        *total = total.wrapping_add(steps.get(&sequence).copied().unwrap_or_default());
        Row::new("feed", sequence).same("fingerprint", &bits_from_sql(row.get(2)?), total)?;
    }
    Ok(())
}

/// By how much each feed entry moves its village's fingerprint, mod 2⁶⁴.
type Steps = BTreeMap<u64, u64>;

/// Adds one change's way through its verdicts.
fn add_steps(steps: &mut Steps, sequence: u64, hash: &ChangeHash, first: &Verdict, later: &[Later]) {
    let part = Fingerprint::from_iter([hash]).value();
    let mut accepted = *first == Verdict::Accepted;
    if accepted {
        add(steps, sequence, part);
    }
    for decision in later {
        let accepts = decision.verdict == Verdict::Accepted;
        if accepts != accepted {
            add(steps, decision.sequence, if accepts { part } else { part.wrapping_neg() });
        }
        accepted = accepts;
    }
}

fn add(steps: &mut Steps, sequence: u64, part: u64) {
    let step = steps.entry(sequence).or_default();
    *step = step.wrapping_add(part);
}
