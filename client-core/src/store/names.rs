//! Short names of documents: the roots of each chain, counted when they are asked for.

use std::collections::BTreeSet;

use ruhu_ledger::batch::{Batch, BatchId};
use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind, parse};
use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_survey::replay::Name;
use rusqlite::{Connection, OptionalExtension, params};

use super::batch::number;
use crate::error::Error;

/// Names the roots of every batch of a village that has none yet; batches behind a gap wait.
pub(crate) fn fill(connection: &Connection, village: VillageId) -> Result<(), Error> {
    let mut select = connection.prepare_cached(
        "SELECT b.batch, b.previous, p.batch, p.roots, b.bytes FROM batch b
         LEFT JOIN batch p ON p.id = b.previous
         WHERE b.village = ?1 AND b.roots IS NULL AND length(b.bytes) > 0 ORDER BY b.number, b.batch LIMIT 1 OFFSET ?2",
    )?;
    let mut waiting = 0;
    loop {
        let found = select
            .query_row(params![village.as_bytes(), waiting], |row| {
                let previous: Option<[u8; 32]> = row.get(1)?;
                let before: Option<i64> = row.get(3)?;
                Ok((row.get::<_, i64>(0)?, previous.is_none(), before, row.get::<_, Vec<u8>>(4)?))
            })
            .optional()?;
        match found {
            None => return Ok(()),
            Some((batch, true, _, bytes)) => count(connection, village, batch, 0, &bytes)?,
            Some((batch, false, Some(before), bytes)) => count(connection, village, batch, before, &bytes)?,
            Some((_, false, None, _)) => waiting += 1,
        }
    }
}

fn count(
    connection: &Connection,
    village: VillageId,
    row: i64,
    mut roots: i64,
    bytes: &[u8],
) -> Result<(), Error> {
    let batch = super::batch::read(bytes)?;
    // What does not open was set aside on its way in; it names nothing.
    let body = batch.open().unwrap_or_default();
    for (document, bytes) in &body.changes {
        if parse(bytes).is_ok_and(|(change, _)| change.dependencies.is_empty()) {
            put(connection, village, batch.header.device, roots, *document)?;
            roots += 1;
        }
    }
    connection.prepare_cached("UPDATE batch SET roots = ?2 WHERE batch = ?1")?.execute([row, roots])?;
    Ok(())
}

/// Names a document by a root of a chain.
pub(crate) fn put(
    connection: &Connection,
    village: VillageId,
    device: DeviceId,
    number: i64,
    document: DocumentId,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO document_name (village, device, number, kind, id) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            village.as_bytes(),
            device.as_bytes(),
            number,
            document.kind.code(),
            document.id
        ])?;
    Ok(())
}

/// The document that a name stands for; none when it stands for two.
pub(crate) fn named(
    connection: &Connection,
    village: VillageId,
    name: &Name,
) -> Result<Option<DocumentId>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT kind, id FROM document_name WHERE village = ?1 AND device = ?2 AND number = ?3 LIMIT 2",
    )?;
    let Ok(wanted) = i64::try_from(name.number) else { return Ok(None) };
    let found = select
        .query_map(params![village.as_bytes(), name.device.as_bytes(), wanted], |row| {
            Ok((row.get::<_, u8>(0)?, row.get::<_, [u8; 16]>(1)?))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let [(kind, id)] = found.as_slice() else { return Ok(None) };
    Ok(DocumentKind::from_code(*kind).map(|kind| DocumentId { kind, id: *id }))
}

/// A name of a document that the receiver of `batch` has before it: one of another chain, or an earlier one of
/// its own.
pub(crate) fn name_of(
    connection: &Connection,
    village: VillageId,
    document: DocumentId,
    batch: &Batch,
) -> Result<Option<Name>, Error> {
    let before = match batch.header.previous {
        None => 0,
        Some(previous) => roots_at(connection, &previous)?,
    };
    let mut select = connection.prepare_cached(
        "SELECT device, number FROM document_name
         WHERE village = ?1 AND kind = ?2 AND id = ?3 AND (device <> ?4 OR number < ?5)
         ORDER BY number, device LIMIT 1",
    )?;
    let (device, kind) = (batch.header.device, document.kind.code());
    let found = select
        .query_row(params![village.as_bytes(), kind, document.id, device.as_bytes(), before], |row| {
            Ok(Name { device: DeviceId::from_bytes(row.get(0)?), number: number(row.get(1)?) })
        })
        .optional()?;
    Ok(found)
}

fn roots_at(connection: &Connection, batch: &BatchId) -> Result<i64, Error> {
    let mut select = connection.prepare_cached("SELECT roots FROM batch WHERE id = ?1")?;
    let found: Option<Option<i64>> = select.query_row([batch.0], |row| row.get(0)).optional()?;
    Ok(found.flatten().unwrap_or(0))
}

/// The hashes of a document's changes that begin so and stand in it.
pub(crate) fn hashes(
    connection: &Connection,
    village: VillageId,
    document: DocumentId,
    beginning: &[u8],
) -> Result<BTreeSet<ChangeHash>, Error> {
    let mut end = beginning.to_vec();
    end.resize(32, 0xff);
    let mut select = connection.prepare_cached(
        "SELECT c.hash FROM change c JOIN document d ON d.document = c.document
         WHERE d.village = ?1 AND d.kind = ?2 AND d.id = ?3 AND c.hash >= ?4 AND c.hash <= ?5
             AND c.state IN (0, 1)",
    )?;
    let whose = params![village.as_bytes(), document.kind.code(), document.id, beginning, end];
    let found = select.query_map(whose, |row| Ok(ChangeHash(row.get(0)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}
