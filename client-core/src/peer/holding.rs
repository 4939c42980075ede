//! What this device holds of a village, and the frames in which it hands it on.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::decision::SignedDecision;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_survey::codec::CodecError;
use ruhu_survey::id::{DeviceId, EpochId, HouseholdId, VillageId};
use ruhu_sync::KeyBytes;
use ruhu_sync::limits::KEYS_PER_FRAME;
use ruhu_sync::peer::{CarriedBatch, CarriedReceipt, Give, Holding, HouseholdKeys, Item, PeerFrame, to_give};
use ruhu_sync::response::RelayedDecision;
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::store::batch::{self, number};
use crate::store::{certificate, staged, village};

/// What this device holds of a village.
pub(super) fn holding(connection: &Connection, epoch: EpochId, village: VillageId) -> Result<Holding, Error> {
    let cursor = village::cursor(connection, village)?.filter(|cursor| cursor.epoch == epoch);
    let decided_to = cursor.map_or(0, |cursor| cursor.number);
    let waiting = items(connection, village)?.into_iter().filter(|item| !item.receipted);
    let mut batches: BTreeMap<BatchId, bool> = waiting.map(|item| (item.batch, false)).collect();
    batches.extend(turned_away(connection, village)?.into_iter().map(|batch| (batch, true)));
    batches.extend(staged::items(connection, village)?.into_iter().map(|item| (item.batch, item.receipted)));
    Ok(Holding {
        village,
        tips: batch::tips(connection, village)?,
        batches,
        decided_to,
        decisions: village::decision_numbers(connection, village, decided_to)?,
        certificates: certificates(connection, village)?.keys().copied().collect(),
        revocations: certificate::revocations(connection)?
            .into_iter()
            .map(|one| one.statement.device)
            .collect(),
        keys: village::carried_keys(connection, village)?.into_keys().collect(),
    })
}

/// The frames that give the other what it lacks: certificates first, and every batch after what it stands
/// on. Batches receipted before `since_ms` are left out.
pub(super) fn lacking(
    connection: &Connection,
    held: &Holding,
    since_ms: Option<i64>,
) -> Result<Vec<PeerFrame>, Error> {
    let village = held.village;
    let mut frames = Vec::new();
    for (serial, signed) in certificates(connection, village)? {
        frames.extend((!held.certificates.contains(&serial)).then_some(PeerFrame::Certificate(signed)));
    }
    let revocations = certificate::revocations(connection)?.into_iter();
    let unknown = revocations.filter(|one| !held.revocations.contains(&one.statement.device));
    frames.extend(unknown.map(PeerFrame::Revocation));
    frames.extend(keys(connection, held)?);
    let old = since_ms.map(|since_ms| receipted_before(connection, village, since_ms)).transpose()?;
    let mut items = items(connection, village)?;
    items.extend(staged::items(connection, village)?);
    for give in to_give(&items, held) {
        match give {
            Give::Batch(id) if old.as_ref().is_some_and(|old| old.contains(&id)) => {}
            Give::Batch(id) => {
                let carried = carried(connection, &id)?;
                // What only a snapshot told of cannot be handed on: the other gets it from the server.
                frames.extend((!carried.batch.is_empty()).then_some(PeerFrame::Batch(carried)));
            }
            Give::Receipt(id) => frames.extend(receipt(connection, &id)?),
        }
    }
    frames.extend(decisions(connection, held)?);
    Ok(frames)
}

/// The batches that the server turned away: nobody need bring them again.
fn turned_away(connection: &Connection, village: VillageId) -> Result<Vec<BatchId>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT id FROM batch WHERE village = ?1 AND state = 3 ORDER BY batch")?;
    let rows = statement.query_map([village.as_bytes()], |row| Ok(BatchId(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Every batch of a village that may be handed on, in the order in which they came.
pub(super) fn items(connection: &Connection, village: VillageId) -> Result<Vec<Item>, Error> {
    // What the server turned away is of use to nobody.
    let mut statement = connection.prepare_cached(
        "SELECT id, device, number, previous, state = 2 FROM batch WHERE village = ?1 AND state <> 3
         ORDER BY batch",
    )?;
    let rows = statement.query_map([village.as_bytes()], |row| {
        Ok(Item {
            batch: BatchId(row.get(0)?),
            device: DeviceId::from_bytes(row.get(1)?),
            number: number(row.get(2)?),
            previous: row.get::<_, Option<[u8; 32]>>(3)?.map(BatchId),
            receipted: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The certificates that grant a village, by serial number.
fn certificates(
    connection: &Connection,
    village: VillageId,
) -> Result<BTreeMap<u64, ruhu_ledger::certificate::SignedCertificate>, Error> {
    let all = certificate::all(connection)?.into_iter().filter(|one| one.statement.grants(village));
    Ok(all.map(|one| (one.statement.serial, one)).collect())
}

fn keys(connection: &Connection, held: &Holding) -> Result<Vec<PeerFrame>, Error> {
    let all = village::carried_keys(connection, held.village)?;
    let lacking: Vec<(HouseholdId, (bool, KeyBytes<64>))> =
        all.into_iter().filter(|(household, _)| !held.keys.contains(household)).collect();
    let frame = |some: &[(HouseholdId, (bool, KeyBytes<64>))]| {
        PeerFrame::Keys(HouseholdKeys { village: held.village, households: some.iter().copied().collect() })
    };
    Ok(lacking.chunks(KEYS_PER_FRAME).map(frame).collect())
}

/// A batch as it is handed on.
pub(super) fn carried(connection: &Connection, id: &BatchId) -> Result<CarriedBatch, Error> {
    if let Some(staged) = staged::get(connection, id)? {
        return Ok(staged);
    }
    let (sequence, receipt) = match kept_receipt(connection, id)? {
        Some(kept) => (kept.sequence, Some(kept.receipt)),
        None => (0, None),
    };
    Ok(CarriedBatch { batch: batch::bytes(connection, id)?, sequence, receipt })
}

fn receipt(connection: &Connection, id: &BatchId) -> Result<Option<PeerFrame>, Error> {
    let staged = staged::get(connection, id)?;
    let kept = match staged {
        Some(CarriedBatch { sequence, receipt, .. }) => {
            receipt.map(|receipt| CarriedReceipt { sequence, receipt })
        }
        None => kept_receipt(connection, id)?,
    };
    Ok(kept.map(PeerFrame::Receipt))
}

/// The receipt of this epoch for a batch.
fn kept_receipt(connection: &Connection, id: &BatchId) -> Result<Option<CarriedReceipt>, Error> {
    let mut statement = connection
        .prepare_cached("SELECT receipt, coalesce(sequence, 0) FROM batch WHERE id = ?1 AND state = 2")?;
    let mut rows = statement.query([id.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let Some(bytes) = row.get::<_, Option<Vec<u8>>>(0)? else { return Ok(None) };
    let unreadable = |_| Error::stored("receipt")(CodecError::Unknown("receipt"));
    let receipt = SignedReceipt::from_bytes(&bytes).map_err(unreadable)?;
    Ok(Some(CarriedReceipt { sequence: number(row.get(1)?), receipt }))
}

fn receipted_before(
    connection: &Connection,
    village: VillageId,
    since_ms: i64,
) -> Result<BTreeSet<BatchId>, Error> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM batch WHERE village = ?1 AND state = 2 AND received_ms < ?2")?;
    let rows = statement.query_map(params![village.as_bytes(), since_ms], |row| Ok(BatchId(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn decisions(connection: &Connection, held: &Holding) -> Result<Vec<PeerFrame>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, bytes FROM decision WHERE village = ?1 AND sequence > ?2 ORDER BY sequence",
    )?;
    let from = i64::try_from(held.decided_to).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![held.village.as_bytes(), from], |row| {
        Ok((number(row.get(0)?), row.get::<_, Vec<u8>>(1)?))
    })?;
    let unreadable = |_| Error::stored("decision")(CodecError::Unknown("decision"));
    let mut frames = Vec::new();
    for row in rows {
        let (sequence, bytes) = row?;
        if held.decisions.contains(&sequence) {
            continue;
        }
        let decision = SignedDecision::from_bytes(&bytes).map_err(unreadable)?;
        frames.push(PeerFrame::Decision(RelayedDecision { village: held.village, sequence, decision }));
    }
    Ok(frames)
}
