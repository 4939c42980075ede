//! Batches of others that came before their predecessor.

use ruhu_ledger::batch::{Batch, BatchId};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_survey::codec::CodecError;
use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_sync::peer::{CarriedBatch, Item};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::Error;
use crate::store::batch::number;

/// Stages a batch whose signature and body hold; a receipt that comes later is kept with it.
pub(crate) fn put(
    connection: &Connection,
    batch: &Batch,
    previous: &BatchId,
    carried: &CarriedBatch,
) -> Result<(), Error> {
    let header = &batch.header;
    connection
        .prepare_cached(
            "INSERT INTO staged_batch (id, village, device, number, previous, bytes, sequence, receipt)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO UPDATE SET receipt = coalesce(excluded.receipt, receipt),
                 sequence = max(excluded.sequence, sequence)",
        )?
        .execute(params![
            batch.id().0,
            header.village.as_bytes(),
            header.device.as_bytes(),
            i64::try_from(header.number).unwrap_or(i64::MAX),
            previous.0,
            carried.batch,
            i64::try_from(carried.sequence).unwrap_or(i64::MAX),
            carried.receipt.as_ref().map(SignedReceipt::to_bytes),
        ])?;
    Ok(())
}

/// Keeps a receipt with the staged batch it is for; whether there is one.
pub(crate) fn keep_receipt(connection: &Connection, receipt: &SignedReceipt) -> Result<bool, Error> {
    let changed = connection
        .prepare_cached("UPDATE staged_batch SET receipt = ?2 WHERE id = ?1")?
        .execute(params![receipt.statement.batch.0, receipt.to_bytes()])?;
    Ok(changed > 0)
}

/// A staged batch that is no longer needed here: it stands in the table of batches.
pub(crate) fn settled(connection: &Connection, id: &BatchId) -> Result<(), Error> {
    connection.prepare_cached("DELETE FROM staged_batch WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

/// The staged batches that name this one as their predecessor.
pub(crate) fn following(connection: &Connection, previous: &BatchId) -> Result<Vec<CarriedBatch>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT bytes, sequence, receipt FROM staged_batch WHERE previous = ?1 ORDER BY staged",
    )?;
    let rows = statement.query_map([previous.0], raw)?;
    rows.map(|row| row.map_err(Error::from).and_then(carried)).collect()
}

/// A staged batch, to hand it on.
pub(crate) fn get(connection: &Connection, id: &BatchId) -> Result<Option<CarriedBatch>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT bytes, sequence, receipt FROM staged_batch WHERE id = ?1")?;
    statement.query_row([id.0], raw).optional()?.map(carried).transpose()
}

/// The staged batches of a village, in the order in which they came.
pub(crate) fn items(connection: &Connection, village: VillageId) -> Result<Vec<Item>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT id, device, number, previous, receipt IS NOT NULL FROM staged_batch WHERE village = ?1
         ORDER BY staged",
    )?;
    let rows = statement.query_map([village.as_bytes()], |row| {
        Ok(Item {
            batch: BatchId(row.get(0)?),
            device: DeviceId::from_bytes(row.get(1)?),
            number: number(row.get(2)?),
            previous: Some(BatchId(row.get(3)?)),
            receipted: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many batches are staged.
pub(crate) fn count(connection: &Connection) -> Result<u64, Error> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM staged_batch")?;
    Ok(number(statement.query_row([], |row| row.get(0))?))
}

type Raw = (Vec<u8>, i64, Option<Vec<u8>>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn carried((batch, sequence, receipt): Raw) -> Result<CarriedBatch, Error> {
    let unreadable = |_| Error::stored("receipt")(CodecError::Unknown("receipt"));
    let receipt = receipt.map(|bytes| SignedReceipt::from_bytes(&bytes)).transpose().map_err(unreadable)?;
    Ok(CarriedBatch { batch, sequence: number(sequence), receipt })
}
