//! What the decision over a batch reads: registers, accepted changes, standings, held changes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use ruhu_ledger::batch::BatchBody;
use ruhu_survey::authorise::Author;
use ruhu_survey::change::{ActorId, Change, ChangeHash, DocumentId, actor_of, parse};
use ruhu_survey::id::{DeviceId, UserId, VillageId};
use ruhu_survey::register::Register;
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::append::standing_from;
use super::belt::{accepted_of, replay};
use super::column::from_sql;
use super::log::certificate_of;
use super::past::{Looked, Pasts};
use crate::ingest::{AtHand, HeldChange, Shelf, Standing};
use crate::store::StoreError;

/// The accepted changes and the standings of one village's documents.
pub(super) struct SqlShelf<'a> {
    conn: &'a Connection,
    village: VillageId,
    pasts: &'a Pasts,
    failure: RefCell<Option<StoreError>>,
}

impl<'a> SqlShelf<'a> {
    pub(super) fn new(conn: &'a Connection, village: VillageId, pasts: &'a Pasts) -> Self {
        Self { conn, village, pasts, failure: RefCell::new(None) }
    }

    /// What was decided with this shelf, unless reading it failed.
    pub(super) fn checked<T>(self, decided: T) -> Result<T, StoreError> {
        self.failure.into_inner().map_or(Ok(decided), Err)
    }

    fn or_note<T>(&self, found: Result<Option<T>, StoreError>) -> Option<T> {
        found.unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            None
        })
    }

    /// The first change asked for is read alone; a second one means a walk through the past, for which
    /// one scan of the document is cheaper than a query for each.
    fn read_change(
        &self,
        document: DocumentId,
        hash: &ChangeHash,
    ) -> Result<Option<Arc<Change>>, StoreError> {
        let at = (self.village, document);
        match self.pasts.look(at, hash) {
            Looked::Found(change) => return Ok(Some(change)),
            Looked::Partly => {
                let accepted = accepted_of(self.conn, self.village, document)?;
                self.pasts.keep(at, accepted.into_iter().map(|one| (one.hash, one.change)), true);
                if let Looked::Found(change) = self.pasts.look(at, hash) {
                    return Ok(Some(change));
                }
            }
            Looked::Unread | Looked::Newer => {}
        }
        let found = self.one_change(document, hash)?;
        self.pasts.keep(at, found.iter().map(|change| (*hash, Arc::clone(change))), false);
        Ok(found)
    }

    fn one_change(&self, document: DocumentId, hash: &ChangeHash) -> Result<Option<Arc<Change>>, StoreError> {
        let bytes: Option<Vec<u8>> = self.column("bytes", "standing = 1", document, hash)?;
        let Some(bytes) = bytes else { return Ok(None) };
        let (change, _) = parse(&bytes).map_err(|error| StoreError::corrupt("change", hash, error))?;
        Ok(Some(Arc::new(change)))
    }

    fn read_standing(&self, document: DocumentId, hash: &ChangeHash) -> Result<Option<Standing>, StoreError> {
        let code: Option<u8> = self.column("standing", "standing <> 4", document, hash)?;
        Ok(code.and_then(standing_from))
    }

    fn read_rule(&self, document: DocumentId, hash: &ChangeHash) -> Result<Option<String>, StoreError> {
        let rule: Option<Option<String>> = self.column("rule", "standing = 3", document, hash)?;
        Ok(rule.flatten())
    }

    /// One column of a change that stands so.
    fn column<T: FromSql>(
        &self,
        column: &str,
        stands: &str,
        document: DocumentId,
        hash: &ChangeHash,
    ) -> Result<Option<T>, StoreError> {
        let sql = format!(
            "SELECT {column} FROM change
             WHERE village = ?1 AND kind = ?2 AND document = ?3 AND hash = ?4 AND {stands} LIMIT 1"
        );
        let mut statement = self.conn.prepare_cached(&sql)?;
        let place = params![self.village.as_bytes(), document.kind.code(), document.id, hash.0];
        Ok(statement.query_row(place, |row| row.get(0)).optional()?)
    }
}

impl Shelf for SqlShelf<'_> {
    fn change(&self, document: DocumentId, hash: &ChangeHash) -> Option<Arc<Change>> {
        self.or_note(self.read_change(document, hash))
    }

    fn standing(&self, document: DocumentId, hash: &ChangeHash) -> Option<Standing> {
        self.or_note(self.read_standing(document, hash))
    }

    fn rule(&self, document: DocumentId, hash: &ChangeHash) -> Option<String> {
        self.or_note(self.read_rule(document, hash))
    }
}

/// The documents of a batch as they are before it. Their registers are taken out of `pasts`: the transaction gives
/// them back.
pub(super) fn documents_at_hand(
    tx: &Transaction<'_>,
    village: VillageId,
    body: &BatchBody,
    pasts: &Pasts,
) -> Result<BTreeMap<DocumentId, AtHand>, StoreError> {
    let mut documents = BTreeMap::new();
    for (document, _) in &body.changes {
        if !documents.contains_key(document) {
            let register = match pasts.take_register((village, *document)) {
                Some(register) => register,
                None => register_of(tx, village, *document)?.unwrap_or_default().into(),
            };
            let held = held_of(tx, village, *document)?;
            documents.insert(*document, AtHand { register, held });
        }
    }
    Ok(documents)
}

/// A document's register at its heads, whether the belt has been there or not: the stored one is as of the belt's
/// last visit.
pub(super) fn register_of(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
) -> Result<Option<Register>, StoreError> {
    if pending_since(conn, village, document)?.is_some() {
        return Ok(Some(replay(&accepted_of(conn, village, document)?)));
    }
    let blob: Option<Vec<u8>> = conn
        .prepare_cached("SELECT register FROM document WHERE village = ?1 AND kind = ?2 AND document = ?3")?
        .query_row(params![village.as_bytes(), document.kind.code(), document.id], |row| row.get(0))
        .optional()?;
    blob.map(|blob| Register::from_bytes(&blob).map_err(StoreError::undecodable("document", document)))
        .transpose()
}

/// The actor of the first accepted change of a document.
pub(super) fn founding_actor(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
) -> Result<Option<ActorId>, StoreError> {
    let found: Option<(i64, Vec<u8>)> = conn
        .prepare_cached(
            "SELECT sequence, bytes FROM change
             WHERE village = ?1 AND kind = ?2 AND document = ?3 AND standing = 1
             ORDER BY sequence, position LIMIT 1",
        )?
        .query_row(params![village.as_bytes(), document.kind.code(), document.id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((sequence, bytes)) = found else { return Ok(None) };
    actor_of(&bytes).map(Some).map_err(|error| StoreError::corrupt("change", sequence, error))
}

/// The first feed number of a document that the belt has not passed.
pub(super) fn pending_since(
    conn: &Connection,
    village: VillageId,
    document: DocumentId,
) -> Result<Option<u64>, StoreError> {
    let since: Option<i64> = conn
        .prepare_cached("SELECT since FROM belt_pending WHERE village = ?1 AND kind = ?2 AND document = ?3")?
        .query_row(params![village.as_bytes(), document.kind.code(), document.id], |row| row.get(0))
        .optional()?;
    Ok(since.map(from_sql))
}

fn held_of(
    tx: &Transaction<'_>,
    village: VillageId,
    document: DocumentId,
) -> Result<Vec<HeldChange>, StoreError> {
    // Hardly any document has one, and this look costs a fraction of the query. Without the second condition
    // SQLite does not see that the index of unsettled changes will do, and looks at every change of the document.
    let any: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM change
             WHERE village = ?1 AND kind = ?2 AND document = ?3 AND standing = 2 AND standing IN (2, 3))",
        )?
        .query_row(params![village.as_bytes(), document.kind.code(), document.id], |row| row.get(0))?;
    if !any {
        return Ok(Vec::new());
    }
    let mut select = tx.prepare_cached(
        "SELECT change.sequence, change.position, change.bytes, batch.device, batch.user
         FROM change INNER JOIN batch USING (sequence)
         WHERE change.village = ?1 AND change.kind = ?2 AND change.document = ?3 AND change.standing = 2
         ORDER BY change.sequence, change.position",
    )?;
    let mut rows = select.query(params![village.as_bytes(), document.kind.code(), document.id])?;
    let mut held = Vec::new();
    while let Some(row) = rows.next()? {
        let device = DeviceId::from_bytes(row.get(3)?);
        let Some(certified) = certificate_of(tx, device)? else { continue };
        let author =
            Author { device, role: certified.signed.statement.role, user: UserId::from_bytes(row.get(4)?) };
        held.push(HeldChange { place: (from_sql(row.get(0)?), row.get(1)?), author, bytes: row.get(2)? });
    }
    Ok(held)
}
