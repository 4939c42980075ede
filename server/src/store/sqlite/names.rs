//! Short names of documents: the roots of each chain, counted as its batches come in.

use ruhu_ledger::batch::BatchHeader;
use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind, parse};
use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_survey::replay::Name;
use rusqlite::{Connection, OptionalExtension, params};

use super::column::{document_id, from_sql, to_sql};
use crate::store::StoreError;

/// Names the documents whose `roots` are in the batch at `sequence`, which was just written, after those before it
/// on its branch.
pub(super) fn name_roots(
    conn: &Connection,
    header: &BatchHeader,
    sequence: u64,
    roots: impl Iterator<Item = DocumentId>,
) -> Result<(), StoreError> {
    let whose = Whose { village: *header.village.as_bytes(), device: *header.device.as_bytes() };
    match before(conn, to_sql(sequence))? {
        Before::Named(count) => write(conn, to_sql(sequence), &whose, count, roots),
        Before::Unnamed(_) => name_batch(conn, sequence),
    }
}

/// Names the roots of the batch at `sequence`, after those before it on its branch.
fn name_batch(conn: &Connection, sequence: u64) -> Result<(), StoreError> {
    let mut open = vec![to_sql(sequence)];
    while let Some(one) = open.last().copied() {
        match before(conn, one)? {
            Before::Named(count) => {
                open.pop();
                let (whose, roots) = roots_at(conn, one)?;
                write(conn, one, &whose, count, roots.into_iter())?;
            }
            Before::Unnamed(previous) => open.push(previous),
        }
    }
    Ok(())
}

/// Names the roots of every batch.
pub(super) fn name_all(conn: &Connection) -> Result<(), StoreError> {
    let mut select = conn.prepare("SELECT sequence FROM batch ORDER BY sequence")?;
    let sequences = select.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    sequences.into_iter().try_for_each(|sequence| name_batch(conn, from_sql(sequence)))
}

/// What is before a batch on its branch.
enum Before {
    /// So many roots; none before the first batch.
    Named(i64),
    /// A batch whose roots have no names yet.
    Unnamed(i64),
}

fn before(conn: &Connection, sequence: i64) -> Result<Before, StoreError> {
    let found: Option<(i64, Option<i64>)> = conn
        .prepare_cached(
            "SELECT previous.sequence, named.roots FROM batch
             INNER JOIN batch AS previous ON previous.id = batch.previous
             LEFT JOIN named_batch AS named ON named.sequence = previous.sequence
             WHERE batch.sequence = ?1",
        )?
        .query_row([sequence], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match found {
        None => Before::Named(0),
        Some((_, Some(roots))) => Before::Named(roots),
        Some((previous, None)) => Before::Unnamed(previous),
    })
}

/// Whose chain in which village.
struct Whose {
    village: [u8; 16],
    device: [u8; 16],
}

/// The documents whose roots are in the batch at `sequence`, in its order, and whose batch it is.
fn roots_at(conn: &Connection, sequence: i64) -> Result<(Whose, Vec<DocumentId>), StoreError> {
    let whose = conn
        .prepare_cached("SELECT village, device FROM batch WHERE sequence = ?1")?
        .query_row([sequence], |row| Ok(Whose { village: row.get(0)?, device: row.get(1)? }))?;
    let mut changes = conn
        .prepare_cached("SELECT kind, document, bytes FROM change WHERE sequence = ?1 ORDER BY position")?;
    let mut rows = changes.query([sequence])?;
    let mut roots = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(2)?;
        if parse(&bytes).is_ok_and(|(change, _)| change.dependencies.is_empty()) {
            roots.push(document_id(row.get(0)?, row.get(1)?)?);
        }
    }
    Ok((whose, roots))
}

fn write(
    conn: &Connection,
    sequence: i64,
    Whose { village, device }: &Whose,
    mut count: i64,
    roots: impl Iterator<Item = DocumentId>,
) -> Result<(), StoreError> {
    let mut insert = conn.prepare_cached(
        "INSERT OR IGNORE INTO document_name (village, device, number, kind, document, sequence)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for root in roots {
        insert.execute(params![village, device, count, root.kind.code(), root.id, sequence])?;
        count += 1;
    }
    conn.prepare_cached("INSERT OR IGNORE INTO named_batch (sequence, roots) VALUES (?1, ?2)")?
        .execute(params![sequence, count])?;
    Ok(())
}

/// How many roots the chain of the batch at `sequence` has up to and with it.
pub(super) fn roots_after(conn: &Connection, sequence: u64) -> Result<u64, StoreError> {
    let roots: Option<i64> = conn
        .prepare_cached("SELECT roots FROM named_batch WHERE sequence = ?1")?
        .query_row([to_sql(sequence)], |row| row.get(0))
        .optional()?;
    Ok(roots.map_or(0, from_sql))
}

/// The document that a name stands for; none when it stands for two.
pub(super) fn named(
    conn: &Connection,
    village: VillageId,
    name: &Name,
) -> Result<Option<DocumentId>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT DISTINCT kind, document FROM document_name
         WHERE village = ?1 AND device = ?2 AND number = ?3 LIMIT 2",
    )?;
    let document = |row: &rusqlite::Row<'_>| Ok((row.get::<_, u8>(0)?, row.get::<_, [u8; 16]>(1)?));
    let number = to_sql(name.number);
    let found = select
        .query_map(params![village.as_bytes(), name.device.as_bytes(), number], document)?
        .collect::<Result<Vec<_>, _>>()?;
    let [(kind, id)] = found.as_slice() else { return Ok(None) };
    Ok(DocumentKind::from_code(*kind).map(|kind| DocumentId { kind, id: *id }))
}

/// A name of a document from a batch before feed entry `before`.
pub(super) fn name_of(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
    before: u64,
) -> Result<Option<Name>, StoreError> {
    let found = conn
        .prepare_cached(
            "SELECT device, number FROM document_name
             WHERE village = ?1 AND kind = ?2 AND document = ?3 AND sequence < ?4
             ORDER BY sequence, number LIMIT 1",
        )?
        .query_row(params![village.as_bytes(), document.kind.code(), document.id, to_sql(before)], |row| {
            Ok(Name { device: DeviceId::from_bytes(row.get(0)?), number: from_sql(row.get(1)?) })
        })
        .optional()?;
    Ok(found)
}

/// The hashes of a document's accepted changes that begin so.
pub(super) fn hashes(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
    beginning: &[u8],
) -> Result<Vec<ChangeHash>, StoreError> {
    let mut end = beginning.to_vec();
    end.resize(32, 0xff);
    let mut select = conn.prepare_cached(
        "SELECT DISTINCT hash FROM change
         WHERE village = ?1 AND kind = ?2 AND document = ?3 AND hash >= ?4 AND hash <= ?5 AND standing = 1",
    )?;
    let whose = params![village.as_bytes(), document.kind.code(), document.id, beginning, end];
    let found = select.query_map(whose, |row| Ok(ChangeHash(row.get(0)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}
