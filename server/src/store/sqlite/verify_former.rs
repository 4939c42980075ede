//! Going through what restores and devices left: links, watermarks, old receipts, records, gaps.

use ruhu_ledger::batch::BatchHeader;
use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::checkpoint::{Checkpoint, NoteKey};
use ruhu_ledger::decision::SignedDecision;
use ruhu_ledger::leaf::Leaf;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::signature::PublicKey;
use ruhu_ledger::statement::Statement as _;
use ruhu_ledger::succession::EpochLink;
use ruhu_ledger::tree::Hash;
use ruhu_ledger::watermark::SignedWatermark;
use ruhu_survey::id::EpochId;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest as _, Sha256};

use super::column::from_sql;
use super::former::{CERTIFICATE, CHECKPOINT, DECISION, REVOCATION, WATERMARK};
use super::log::deployment_of;
use super::verify::Leaves;
use crate::former;
use crate::verify::{Authorities, Bad, Row, Stop};

/// A row that promises a root at a size of the log.
type Promised = (Row, u64, Hash);

/// Every link: signed by both keys or known to lack one, about the epochs that it joins. Answers the roots
/// that the links of this file's own epochs promise.
pub(super) fn links(conn: &Connection, authorities: &mut Authorities) -> Result<Vec<Promised>, Stop> {
    let mut select =
        conn.prepare("SELECT epoch, previous, bytes FROM epoch_link ORDER BY known_ms, epoch")?;
    let mut rows = select.query([])?;
    let mut promised = Vec::new();
    while let Some(row) = rows.next()? {
        let epoch = EpochId::from_bytes(row.get(0)?);
        let at = Row::new("epoch_link", epoch);
        let bytes: Vec<u8> = row.get(2)?;
        let link = at.holds("bytes", EpochLink::from_bytes(&bytes))?;
        at.holds("signature", link.verify())?;
        let said = &link.succession.statement;
        at.same("epoch", &epoch, &link.epoch())?;
        at.same("previous", &EpochId::from_bytes(row.get(1)?), &said.previous)?;
        at.same("previous key", &authorities.key_of(said.previous), &Some(said.previous_key))?;
        if link.countersignature.is_some() {
            at.holds("countersignature", link.verify_countersigned())?;
        }
        match authorities.epochs.get(&epoch) {
            Some(start) => {
                at.same("start", start, &link.start.statement)?;
                let begins = authorities.begins.iter().find(|(_, begun)| **begun == epoch);
                at.same("size", &begins.map(|(leaf, _)| *leaf), &Some(said.size))?;
                promised.push((at, said.size, said.root));
            }
            None => {
                authorities.elsewhere.insert(epoch, link.start.statement.server_key);
            }
        }
    }
    let linked = |epoch: &EpochId| promised.iter().any(|(at, ..)| at.key == epoch.to_string());
    match authorities.epochs.values().find(|start| start.previous.is_some() && !linked(&start.epoch)) {
        Some(start) => {
            Err(Bad::new("epoch_link", start.epoch, "an epoch follows another without a link").into())
        }
        None => Ok(promised),
    }
}

pub(super) fn watermarks(
    conn: &Connection,
    leaves: &Leaves,
    authorities: &Authorities,
    promised: &mut Vec<Promised>,
) -> Result<u64, Stop> {
    let mut select = conn.prepare("SELECT leaf_index, size, bytes FROM watermark ORDER BY leaf_index")?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let leaf_index = from_sql(row.get(0)?);
        let at = Row::new("watermark", leaf_index);
        let bytes: Vec<u8> = row.get(2)?;
        let signed = at.holds("bytes", SignedWatermark::from_bytes(&bytes))?;
        at.holds("signature", authorities.server_signed(&signed, leaf_index))?;
        at.same("size", &from_sql(row.get(1)?), &signed.statement.size)?;
        leaves.check(leaf_index, &Leaf::watermark(&signed))?;
        promised.push((at, signed.statement.size, signed.statement.root));
        count += 1;
    }
    Ok(count)
}

/// Every old receipt: signed by its epoch's key, and repeated by the new receipt of its batch.
pub(super) fn receipts(conn: &Connection, authorities: &Authorities) -> Result<(), Stop> {
    let mut select = conn.prepare(
        "SELECT former_receipt.batch, former_receipt.epoch, former_receipt.leaf_index, former_receipt.received_ms,
                bytes, batch.header, batch.received_ms, batch.anchor_ms
         FROM former_receipt LEFT JOIN batch ON batch.id = former_receipt.batch ORDER BY former_receipt.batch",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id: [u8; 32] = row.get(0)?;
        let at = Row::new("former_receipt", ruhu_ledger::batch::BatchId(id));
        let bytes: Vec<u8> = row.get(4)?;
        let signed = at.holds("bytes", SignedReceipt::from_bytes(&bytes))?;
        let said = &signed.statement;
        let key = authorities.key_of(said.epoch).ok_or_else(|| at.bad("its epoch is not known"))?;
        at.holds("signature", signed.verify(&key))?;
        at.same("batch", &id, &said.batch.0)?;
        at.same("epoch", &row.get(1)?, said.epoch.as_bytes())?;
        at.same("leaf_index", &from_sql(row.get(2)?), &said.leaf_index)?;
        at.same("received_ms", &row.get(3)?, &said.received_ms)?;
        let Some(header) = row.get::<_, Option<Vec<u8>>>(5)? else { continue };
        let header = at.holds("header", BatchHeader::from_bytes(&header))?;
        at.holds("receipt", former::check(&signed, &key, &header))?;
        // A batch that was here before its old receipt came has its own times.
        let received_ms: i64 = row.get(6)?;
        if received_ms == said.received_ms {
            at.same("anchor_ms", &row.get(7)?, &said.anchor_ms)?;
        }
    }
    Ok(())
}

/// Every other record of an epoch that ended: signed by that epoch's key.
pub(super) fn records(conn: &Connection, authorities: &Authorities) -> Result<(), Stop> {
    let deployment = deployment_of(conn)?.ok_or_else(|| Bad::new("deployment", 1, "there is none"))?;
    let mut select = conn.prepare("SELECT hash, kind, epoch, bytes FROM former_record ORDER BY hash")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let hash: [u8; 32] = row.get(0)?;
        let at = Row::new("former_record", crate::keys::hex(&hash));
        let bytes: Vec<u8> = row.get(3)?;
        at.same("hash", &hash, &Sha256::digest(&bytes).into())?;
        let epoch = EpochId::from_bytes(row.get(2)?);
        let key = authorities.key_of(epoch).ok_or_else(|| at.bad("its epoch is not known"))?;
        let kind: u8 = row.get(1)?;
        if kind == CHECKPOINT {
            let note = at.holds("note", String::from_utf8(bytes))?;
            let opened = Checkpoint::open(&note, &NoteKey::of_log(deployment, key));
            let later = NoteKey::of_epoch(deployment, epoch, key);
            at.holds("note", opened.or_else(|_| Checkpoint::open(&note, &later)))?;
        } else {
            record(&at, kind, &bytes, &key)?;
        }
    }
    Ok(())
}

fn record(at: &Row, kind: u8, bytes: &[u8], key: &PublicKey) -> Result<(), Bad> {
    let verified = match kind {
        CERTIFICATE => at.holds("bytes", SignedCertificate::from_bytes(bytes))?.verify(key),
        REVOCATION => at.holds("bytes", SignedRevocation::from_bytes(bytes))?.verify(key),
        DECISION => at.holds("bytes", SignedDecision::from_bytes(bytes))?.verify(key),
        WATERMARK => at.holds("bytes", SignedWatermark::from_bytes(bytes))?.verify(key),
        _ => return Err(at.bad("its kind is not known")),
    };
    at.holds("signature", verified)
}

/// How many gaps are open. A gap in a chain is open exactly while the batch that proves it waits.
pub(super) fn gaps(conn: &Connection) -> Result<u64, Stop> {
    let wrong: Option<i64> = conn
        .query_row(
            "SELECT gap FROM gap WHERE kind = 1 AND filled_ms IS NULL
                 AND proof NOT IN (SELECT id FROM staged_batch) LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(gap) = wrong {
        return Err(Bad::new("gap", gap, "it is open, and the batch that proves it does not wait").into());
    }
    let open: i64 =
        conn.query_row("SELECT count(*) FROM gap WHERE filled_ms IS NULL", [], |row| row.get(0))?;
    Ok(from_sql(open))
}
