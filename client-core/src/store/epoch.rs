//! The epochs of the server that this device knows, and what a restore takes back and asks for again.
//!
//! A receipt counts while its leaf is part of the present log: in the present epoch, or in one before it
//! below the size that the next one went on from. What counts no more waits again.

use std::collections::BTreeMap;

use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::decision::SignedDecision;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::signature::PublicKey;
use ruhu_ledger::succession::EpochLink;
use ruhu_ledger::verdict::Verdict;
use ruhu_ledger::watermark::SignedWatermark;
use ruhu_survey::codec::CodecError;
use ruhu_survey::id::{DeploymentId, EpochId};
use ruhu_sync::Offer;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Error;
use crate::store::batch::number;

/// The keys of all epochs known.
pub(crate) type Keys = BTreeMap<EpochId, PublicKey>;

/// Every epoch known, with its key.
pub(crate) fn keys(connection: &Connection) -> Result<Keys, Error> {
    let mut statement = connection.prepare_cached("SELECT epoch, server_key FROM epoch")?;
    let rows =
        statement.query_map([], |row| Ok((EpochId::from_bytes(row.get(0)?), PublicKey(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Remembers an epoch; a key that is known stays, a link that is not is added.
pub(crate) fn remember(
    connection: &Connection,
    epoch: EpochId,
    key: PublicKey,
    link: Option<&EpochLink>,
    now_ms: i64,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO epoch (epoch, server_key, link, known_ms) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (epoch) DO UPDATE SET link = coalesce(link, excluded.link)",
        )?
        .execute(params![epoch.as_bytes(), key.0, link.map(EpochLink::to_bytes), now_ms])?;
    Ok(())
}

/// The verified link of an epoch.
pub(crate) fn link(connection: &Connection, epoch: EpochId) -> Result<Option<EpochLink>, Error> {
    let mut statement = connection.prepare_cached("SELECT link FROM epoch WHERE epoch = ?1")?;
    let found: Option<Option<Vec<u8>>> =
        statement.query_row([epoch.as_bytes()], |row| row.get(0)).optional()?;
    let read = |bytes: Vec<u8>| EpochLink::from_bytes(&bytes).map_err(|_| unreadable("epoch link"));
    found.flatten().map(read).transpose()
}

/// Takes over what links prove: forwards from an epoch that is known, by the countersignature of its key;
/// backwards from one, by the signature of its own. Links that prove nothing are passed over.
pub(crate) fn learn(
    connection: &Connection,
    deployment: DeploymentId,
    links: &[EpochLink],
    now_ms: i64,
) -> Result<(), Error> {
    let sound = |link: &&EpochLink| link.start.statement.deployment == deployment && link.verify().is_ok();
    let links: Vec<&EpochLink> = links.iter().filter(sound).collect();
    for link in &links {
        let known = keys(connection)?;
        let said = &link.succession.statement;
        let follows = known.get(&said.previous) == Some(&said.previous_key);
        if follows && !known.contains_key(&link.epoch()) && link.verify_countersigned().is_ok() {
            remember(connection, link.epoch(), link.start.statement.server_key, Some(link), now_ms)?;
        }
    }
    for link in links.iter().rev() {
        let known = keys(connection)?;
        let said = &link.succession.statement;
        if known.get(&link.epoch()) == Some(&link.start.statement.server_key) {
            remember(connection, link.epoch(), link.start.statement.server_key, Some(link), now_ms)?;
            if !known.contains_key(&said.previous) {
                remember(connection, said.previous, said.previous_key, None, now_ms)?;
            }
        }
    }
    Ok(())
}

/// Which leaves of which epochs the present log consists of.
#[derive(Debug, Clone)]
pub(crate) struct Lineage(BTreeMap<EpochId, (PublicKey, u64)>);

impl Lineage {
    /// The epochs that lead to the present one, as far as they are known.
    pub(crate) fn of(connection: &Connection, present: EpochId) -> Result<Self, Error> {
        let keys = keys(connection)?;
        let mut parts = BTreeMap::new();
        let (mut at, mut below) = (Some(present), u64::MAX);
        while let Some(epoch) = at {
            let Some(key) = keys.get(&epoch) else { break };
            if parts.insert(epoch, (*key, below)).is_some() {
                break;
            }
            let link = link(connection, epoch)?;
            at = link.as_ref().map(|link| link.succession.statement.previous);
            below = link.map_or(0, |link| link.succession.statement.size.min(below));
        }
        Ok(Self(parts))
    }

    /// The key that must have signed a record of this epoch, if the epoch leads to the present one.
    pub(crate) fn key(&self, epoch: EpochId) -> Option<PublicKey> {
        self.0.get(&epoch).map(|(key, _)| *key)
    }

    /// Whether the present log holds a leaf of an epoch.
    pub(crate) fn holds(&self, epoch: EpochId, leaf: u64) -> bool {
        self.0.get(&epoch).is_some_and(|(_, below)| leaf < *below)
    }

    /// How many leaves of an epoch the present log holds.
    pub(crate) fn below(&self, epoch: EpochId) -> u64 {
        self.0.get(&epoch).map_or(0, |(_, below)| *below)
    }
}

/// Lets receipts count for what they are worth in the present log; how many batches wait again.
pub(crate) fn settle(connection: &Connection, present: EpochId) -> Result<u64, Error> {
    let lineage = Lineage::of(connection, present)?;
    let mut statement = connection
        // Of a batch that only a snapshot told of there is nothing to send again.
        .prepare("SELECT batch, state, receipt_epoch, receipt_leaf FROM batch WHERE receipt IS NOT NULL AND length(bytes) > 0")?;
    let rows = statement.query_map([], |row| {
        let leaf = u64::from_be_bytes(row.get(3)?);
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, EpochId::from_bytes(row.get(2)?), leaf))
    })?;
    let (mut lost, mut regained) = (Vec::new(), Vec::new());
    for row in rows {
        let (batch, state, epoch, leaf) = row?;
        match (state == 2, lineage.holds(epoch, leaf)) {
            (true, false) => lost.push(batch),
            (false, true) => regained.push(batch),
            _ => {}
        }
    }
    for batch in &lost {
        connection.prepare_cached("UPDATE batch SET state = 1 WHERE batch = ?1")?.execute([batch])?;
        connection
            .prepare_cached(
                "UPDATE change SET state = 0, rule = '' WHERE batch = ?1 AND state = 1 AND opening IS NOT NULL",
            )?
            .execute([batch])?;
    }
    for batch in &regained {
        regain(connection, *batch)?;
    }
    Ok(lost.len() as u64)
}

/// A receipt counts again: so do its verdicts on own changes.
fn regain(connection: &Connection, batch: i64) -> Result<(), Error> {
    connection.prepare_cached("UPDATE batch SET state = 2 WHERE batch = ?1")?.execute([batch])?;
    let mut statement = connection.prepare_cached("SELECT receipt FROM batch WHERE batch = ?1")?;
    let bytes: Vec<u8> = statement.query_row([batch], |row| row.get(0))?;
    let receipt = SignedReceipt::from_bytes(&bytes).map_err(|_| unreadable("receipt"))?;
    for (position, verdict) in receipt.statement.verdicts.iter().enumerate() {
        if *verdict == Verdict::Accepted {
            connection
                .prepare_cached(
                    "UPDATE change SET state = 1 WHERE batch = ?1 AND position = ?2 AND state = 0",
                )?
                .execute(params![batch, i64::try_from(position).unwrap_or(i64::MAX)])?;
        }
    }
    Ok(())
}

/// What follows from another epoch of the server: cursors mean nothing, its feed is numbered anew, keys
/// may be lost, and everything that it signed before is offered to it.
pub(crate) fn begin(connection: &Connection, present: EpochId) -> Result<u64, Error> {
    connection.execute("UPDATE village SET cursor_epoch = NULL, cursor = 0, keys_given = 0", [])?;
    connection.execute("UPDATE batch SET above_cursor = 1", [])?;
    connection.execute("UPDATE household_key SET uploaded = 0", [])?;
    offer_all(connection, present)?;
    connection.execute(
        "INSERT INTO former_decision (village, bytes) SELECT village, bytes FROM decision WHERE true
         ON CONFLICT DO NOTHING",
        [],
    )?;
    connection.execute("DELETE FROM decision", [])?;
    settle(connection, present)
}

/// Queues everything that the server signed in other epochs than the present one.
pub(crate) fn offer_all(connection: &Connection, present: EpochId) -> Result<(), Error> {
    connection.execute("DELETE FROM offer", [])?;
    let mut add = connection.prepare_cached("INSERT INTO offer (bytes) VALUES (?1)")?;
    for bytes in stored(connection, "SELECT link FROM epoch WHERE link IS NOT NULL ORDER BY known_ms")? {
        let link = EpochLink::from_bytes(&bytes).map_err(|_| unreadable("epoch link"))?;
        if link.epoch() != present {
            add.execute([Offer::Link(Box::new(link)).to_bytes()])?;
        }
    }
    for bytes in stored(connection, "SELECT bytes FROM certificate ORDER BY serial")? {
        let signed = SignedCertificate::from_bytes(&bytes).map_err(|_| unreadable("certificate"))?;
        add.execute([Offer::Certificate(signed).to_bytes()])?;
    }
    for bytes in stored(connection, "SELECT bytes FROM revocation ORDER BY device")? {
        let signed = SignedRevocation::from_bytes(&bytes).map_err(|_| unreadable("revocation"))?;
        add.execute([Offer::Revocation(signed).to_bytes()])?;
    }
    for bytes in stored(connection, "SELECT bytes FROM watermark ORDER BY at_ms")? {
        let signed = SignedWatermark::from_bytes(&bytes).map_err(|_| unreadable("watermark"))?;
        add.execute([Offer::Watermark(signed).to_bytes()])?;
    }
    let decisions = "SELECT bytes FROM decision UNION SELECT bytes FROM former_decision";
    for bytes in stored(connection, decisions)? {
        let signed = SignedDecision::from_bytes(&bytes).map_err(|_| unreadable("decision"))?;
        add.execute([Offer::Decision(signed).to_bytes()])?;
    }
    let mut notes =
        connection.prepare("SELECT epoch, note FROM checkpoint WHERE note <> '' AND epoch <> ?1")?;
    let notes = notes.query_map([present.as_bytes()], |row| {
        Ok(Offer::Checkpoint { epoch: EpochId::from_bytes(row.get(0)?), note: row.get(1)? })
    })?;
    for offer in notes {
        add.execute([offer?.to_bytes()])?;
    }
    Ok(())
}

fn stored(connection: &Connection, sql: &str) -> Result<Vec<Vec<u8>>, Error> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is still to be offered, up to so many things and bytes, with the numbers of the rows.
pub(crate) fn offers(
    connection: &Connection,
    count_max: usize,
    bytes_max: u64,
) -> Result<Vec<(i64, Offer)>, Error> {
    let mut statement = connection.prepare_cached("SELECT offer, bytes FROM offer ORDER BY offer")?;
    let mut rows = statement.query([])?;
    let (mut offers, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (id, stored): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        bytes += stored.len() as u64;
        if offers.len() >= count_max || (bytes > bytes_max && !offers.is_empty()) {
            break;
        }
        offers.push((id, Offer::from_bytes(&stored).map_err(|_| unreadable("offer"))?));
    }
    Ok(offers)
}

/// How much is still to be offered.
pub(crate) fn offers_left(connection: &Connection) -> Result<u64, Error> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM offer")?;
    Ok(number(statement.query_row([], |row| row.get(0))?))
}

/// Notes that the server was offered these.
pub(crate) fn offered(connection: &Connection, ids: &[i64]) -> Result<(), Error> {
    let mut statement = connection.prepare_cached("DELETE FROM offer WHERE offer = ?1")?;
    for id in ids {
        statement.execute([id])?;
    }
    Ok(())
}

/// Keeps a verified watermark.
pub(crate) fn keep_watermark(connection: &Connection, signed: &SignedWatermark) -> Result<(), Error> {
    let said = &signed.statement;
    connection
        .prepare_cached(
            "INSERT INTO watermark (epoch, size, at_ms, bytes) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            said.epoch.as_bytes(),
            i64::try_from(said.size).unwrap_or(i64::MAX),
            said.verified_ms,
            signed.to_bytes()
        ])?;
    Ok(())
}

/// How many leaves of the present log verified backups hold, and since when; 0 before the first.
///
/// The bytes of a batch may be dropped only when its receipt's leaf is below this; nothing drops any yet.
pub(crate) fn watermark(connection: &Connection, present: EpochId) -> Result<(u64, Option<i64>), Error> {
    let mut statement = connection
        .prepare_cached("SELECT size, at_ms FROM watermark WHERE epoch = ?1 ORDER BY size DESC LIMIT 1")?;
    let found =
        statement.query_row([present.as_bytes()], |row| Ok((number(row.get(0)?), row.get(1)?))).optional()?;
    Ok(found.map_or((0, None), |(size, at_ms)| (size, Some(at_ms))))
}

/// Own batches that were received and that no verified backup is known to hold.
pub(crate) fn beyond_backup(connection: &Connection, watermark: u64) -> Result<u64, Error> {
    let mut statement = connection
        .prepare_cached("SELECT count(*) FROM batch WHERE own = 1 AND state = 2 AND receipt_leaf >= ?1")?;
    Ok(number(statement.query_row([watermark.to_be_bytes()], |row| row.get(0))?))
}

fn unreadable(what: &'static str) -> Error {
    Error::stored(what)(CodecError::Unknown(what))
}
