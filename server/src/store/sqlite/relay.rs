//! Reading a village's feed for a device.

use std::collections::BTreeSet;

use ruhu_ledger::batch::{Batch, BatchHeader, BatchId};
use ruhu_ledger::certificate::{CertificateKind, SignedCertificate, SignedRevocation};
use ruhu_ledger::decision::SignedDecision;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::signature::Signature;
use ruhu_ledger::statement::Statement;
use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_sync::answer::{self, Answer, FeedContent, FeedItem, Held, Start};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::append::{FEED_BATCH, FEED_CERTIFICATE, FEED_DECISION, FEED_REVOCATION};
use super::column::{bits_from_sql, from_sql, to_sql};
use super::log::{certificate_of, present_epoch};
use crate::relay::{Asked, Entry, Relay};
use crate::store::StoreError;

/// About what a decision, certificate or revocation takes in an answer, in bytes.
const NOTICE_BYTES: u64 = 300;

pub(super) fn relay(conn: &Connection, asked: &Asked) -> Result<Relay, StoreError> {
    let epoch = present_epoch(conn)?.epoch;
    let horizon = horizon(conn, asked.village)?;
    let end = last_entry(conn, asked.village)?;
    let (answer, vector_wanted) = match answer::start(asked.cursor, epoch, end) {
        Start::Above(start) => {
            let items = items(conn, asked.village, start, horizon)?;
            let held = Held { vector: &asked.vector, sent: &asked.sent };
            (answer::to_send(epoch, start, &items, held, asked.bytes_max), false)
        }
        Start::VectorWanted => (Answer::nothing(epoch), true),
    };
    let mut relay = Relay {
        certificates: Vec::new(),
        revocations: Vec::new(),
        entries: Vec::new(),
        cursor: answer.cursor,
        fingerprint: fingerprint_at(conn, asked.village, answer.cursor.number)?,
        more: answer.more,
        unsettled: horizon <= end && !vector_wanted,
        vector_wanted,
    };
    let mut servers = BTreeSet::new();
    for sequence in answer.send {
        let device = add_entry(conn, sequence, &mut relay)?;
        servers.extend(device);
    }
    add_server_certificates(conn, &servers, &mut relay)?;
    Ok(relay)
}

/// The first feed number that may not be read yet because the belt has not been there.
pub(super) fn horizon(conn: &Connection, village: VillageId) -> Result<u64, StoreError> {
    let since: Option<i64> = conn
        .prepare_cached("SELECT min(since) FROM belt_pending WHERE village = ?1")?
        .query_row([village.as_bytes()], |row| row.get(0))?;
    Ok(since.map_or(u64::MAX, from_sql))
}

pub(super) fn last_entry(conn: &Connection, village: VillageId) -> Result<u64, StoreError> {
    let last: Option<i64> = conn
        .prepare_cached("SELECT max(sequence) FROM feed WHERE village = ?1")?
        .query_row([village.as_bytes()], |row| row.get(0))?;
    Ok(last.map_or(0, from_sql))
}

pub(super) fn fingerprint_at(conn: &Connection, village: VillageId, number: u64) -> Result<u64, StoreError> {
    let found: Option<i64> = conn
        .prepare_cached(
            "SELECT fingerprint FROM feed WHERE village = ?1 AND sequence <= ?2 ORDER BY sequence DESC LIMIT 1",
        )?
        .query_row(params![village.as_bytes(), to_sql(number)], |row| row.get(0))
        .optional()?;
    Ok(found.map_or(0, bits_from_sql))
}

/// The feed after `start` and before the horizon, without the bytes.
fn items(
    conn: &Connection,
    village: VillageId,
    start: u64,
    horizon: u64,
) -> Result<Vec<FeedItem>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT feed.sequence, feed.kind, batch.device, batch.number, batch.id, batch.previous,
                length(batch.payload) + length(batch.header) + length(batch.receipt)
         FROM feed LEFT JOIN batch ON batch.sequence = feed.sequence
         WHERE feed.village = ?1 AND feed.sequence > ?2 AND feed.sequence < ?3
         ORDER BY feed.sequence",
    )?;
    let rows = select.query_map(params![village.as_bytes(), to_sql(start), to_sql(horizon)], item)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn item(row: &Row<'_>) -> rusqlite::Result<FeedItem> {
    let sequence = from_sql(row.get(0)?);
    if row.get::<_, u8>(1)? != FEED_BATCH {
        return Ok(FeedItem { sequence, bytes: NOTICE_BYTES, content: FeedContent::Notice });
    }
    let content = FeedContent::Batch {
        device: DeviceId::from_bytes(row.get(2)?),
        number: from_sql(row.get(3)?),
        batch: BatchId(row.get(4)?),
        previous: row.get::<_, Option<[u8; 32]>>(5)?.map(BatchId),
    };
    Ok(FeedItem { sequence, bytes: from_sql(row.get(6)?), content })
}

/// Adds one feed entry to the answer; returns the author of a batch.
pub(super) fn add_entry(
    conn: &Connection,
    sequence: u64,
    relay: &mut Relay,
) -> Result<Option<DeviceId>, StoreError> {
    let (kind, leaf): (u8, i64) = conn
        .prepare_cached("SELECT kind, subject FROM feed WHERE sequence = ?1")?
        .query_row([to_sql(sequence)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    match kind {
        FEED_BATCH => {
            let (batch, receipt) = batch_at(conn, sequence)?;
            let device = batch.header.device;
            let (bytes, receipt) = (batch.to_bytes(), Box::new(receipt));
            relay.entries.push(Entry::Batch { sequence, bytes, receipt });
            return Ok(Some(device));
        }
        FEED_DECISION => {
            let decision = SignedDecision::from_bytes(&signed_at(conn, "decision", leaf)?);
            let decision = decision.map_err(|error| StoreError::corrupt("decision", sequence, error))?;
            relay.entries.push(Entry::Decision { sequence, decision: Box::new(decision) });
        }
        FEED_CERTIFICATE => {
            let signed = SignedCertificate::from_bytes(&signed_at(conn, "certificate", leaf)?);
            relay.certificates.push(signed.map_err(|error| StoreError::corrupt("certificate", leaf, error))?);
        }
        FEED_REVOCATION => {
            let signed = SignedRevocation::from_bytes(&signed_at(conn, "revocation", leaf)?);
            relay.revocations.push(signed.map_err(|error| StoreError::corrupt("revocation", leaf, error))?);
        }
        other => return Err(StoreError::corrupt("feed", sequence, format!("unknown kind {other}"))),
    }
    Ok(None)
}

/// The signed bytes of the record with that log leaf.
fn signed_at(conn: &Connection, table: &'static str, leaf: i64) -> Result<Vec<u8>, StoreError> {
    let statement = match table {
        "decision" => "SELECT bytes FROM decision WHERE leaf_index = ?1",
        "certificate" => "SELECT bytes FROM certificate WHERE leaf_index = ?1",
        _ => "SELECT bytes FROM revocation WHERE leaf_index = ?1",
    };
    let found = conn.prepare_cached(statement)?.query_row([leaf], |row| row.get(0)).optional()?;
    found.ok_or_else(|| StoreError::corrupt(table, leaf, "the feed announces a record that is not there"))
}

/// A batch as it was received, and its receipt.
pub(super) fn batch_at(conn: &Connection, sequence: u64) -> Result<(Batch, SignedReceipt), StoreError> {
    let (header, signature, payload, receipt): (Vec<u8>, [u8; 64], Vec<u8>, Vec<u8>) = conn
        .prepare_cached("SELECT header, signature, payload, receipt FROM batch WHERE sequence = ?1")?
        .query_row([to_sql(sequence)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let corrupt = |error| StoreError::corrupt("batch", sequence, error);
    let header = BatchHeader::from_bytes(&header).map_err(corrupt)?;
    let receipt = SignedReceipt::from_bytes(&receipt).map_err(corrupt)?;
    Ok((Batch { header, signature: Signature(signature), payload }, receipt))
}

/// The server's own certificate is in no village's list, so it goes with the server's batches.
pub(super) fn add_server_certificates(
    conn: &Connection,
    authors: &BTreeSet<DeviceId>,
    relay: &mut Relay,
) -> Result<(), StoreError> {
    for author in authors {
        let Some(certified) = certificate_of(conn, *author)? else { continue };
        if certified.signed.statement.kind == CertificateKind::Server {
            relay.certificates.push(certified.signed);
        }
    }
    Ok(())
}
