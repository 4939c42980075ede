//! History and conflicts of any document: who wrote what, when, from which device, and what is undecided.

use std::collections::BTreeMap;

use ruhu_ledger::decision::{People, SignedDecision};
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ChangeHash, DocumentId, Value};
use ruhu_survey::codec::CodecError;
use ruhu_survey::history::{self, Attribution, FieldDifference, FieldEvent, Recorded};
use ruhu_survey::id::{DeviceId, UserId, VillageId};
use ruhu_survey::register::{LiveOp, Register};
use ruhu_survey::shown::conflicts;
use rusqlite::{Connection, OptionalExtension, params};

use crate::client::Client;
use crate::error::Error;
use crate::identity::Identity;
use crate::store::document::{self, ChangeState, Stored};

/// Who wrote a value, when and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The value.
    pub value: Value,
    /// The change that wrote it; names the value when a conflict is settled.
    pub change: ChangeHash,
    /// Whose it is, and its proved window.
    pub by: Attribution,
    /// The author's clock, seconds since 1970. A claim.
    pub claimed_at: i64,
    /// The label of the author's device; empty when its certificate is not here.
    pub device_name: String,
}

/// A field on which people disagree (冲突待裁定).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenConflict {
    /// The village.
    pub village: VillageId,
    /// The document.
    pub document: DocumentId,
    /// The field's key.
    pub key: String,
    /// Whether a named person is asked; for other fields the rule picks silently, and keeps both.
    pub asks: bool,
    /// The value shown until somebody decides.
    pub shown: Written,
    /// The other values, in the order in which they would be shown.
    pub others: Vec<Written>,
}

/// What two people decided about a change that was kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidedByPeople {
    /// The change.
    pub change: ChangeHash,
    /// Whether it was adopted; else it was refused.
    pub adopted: bool,
    /// When, by the server's clock, milliseconds since 1970.
    pub decided_ms: i64,
    /// Who, and why.
    pub people: People,
}

impl Client {
    /// Every field of a village with unequal concurrent values, by document and key; those that ask for a
    /// decision say so.
    ///
    /// # Errors
    /// When the store fails.
    pub fn conflicts(&self, village: VillageId) -> Result<Vec<OpenConflict>, Error> {
        let connection = self.store.read();
        // A household without open conflicts has a row that says so; other documents are few and are read.
        let mut statement = connection.prepare_cached(
            "SELECT d.document FROM document d LEFT JOIN household_row h ON h.document = d.document
             WHERE d.village = ?1 AND d.kind <> 2 AND (h.conflicts IS NULL OR h.conflicts + h.differing > 0)
             ORDER BY d.document",
        )?;
        let rows = statement.query_map([village.as_bytes()], |row| row.get(0))?;
        let documents: Vec<i64> = rows.collect::<Result<_, _>>()?;
        let mut open = Vec::new();
        for row in documents {
            open.extend(self.conflicts_of(&document::by_row(connection, row)?)?);
        }
        Ok(open)
    }

    /// The open conflicts of one document, by key.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], or that the store fails.
    pub fn document_conflicts(&self, document: DocumentId) -> Result<Vec<OpenConflict>, Error> {
        self.conflicts_of(&self.stored(document)?)
    }

    /// Every edit of a document, or of one field of it, in causal order, with the values that lost.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], or that the store fails.
    pub fn history(&self, document: DocumentId, key: Option<&str>) -> Result<Vec<FieldEvent>, Error> {
        let mut events = history::history(document.kind, &self.recorded(document)?);
        events.retain(|event| key.is_none_or(|key| event.key == key));
        Ok(events)
    }

    /// What people decided about changes of a document that were kept apart, the oldest first.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], or that the store fails.
    pub fn decisions(&self, document: DocumentId) -> Result<Vec<DecidedByPeople>, Error> {
        let stored = self.stored(document)?;
        let connection = self.store.read();
        let mut statement = connection.prepare_cached(
            "SELECT decision.bytes FROM decision JOIN change ON change.hash = decision.hash
             WHERE change.document = ?1 AND decision.village = ?2 ORDER BY decision.sequence",
        )?;
        let rows = statement
            .query_map(params![stored.row, stored.village.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
        let mut decided = Vec::new();
        for bytes in rows {
            let unreadable = |_| Error::stored("decision")(CodecError::Unknown("decision"));
            let said = SignedDecision::from_bytes(&bytes?).map_err(unreadable)?.statement;
            if let Some(people) = said.people {
                let adopted = said.verdict == Verdict::Accepted;
                decided.push(DecidedByPeople {
                    change: said.change,
                    adopted,
                    decided_ms: said.decided_ms,
                    people,
                });
            }
        }
        Ok(decided)
    }

    /// The changes of a document in causal order, each with whose it is.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], or that the store fails.
    pub fn recorded(&self, document: DocumentId) -> Result<Vec<Recorded>, Error> {
        let stored = self.stored(document)?;
        recorded(self.store.read(), self.identity_if_any(), stored.row)
    }

    /// A document as it stood when these changes were its heads.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], or that the store fails.
    pub fn as_of(&self, document: DocumentId, at: &[ChangeHash]) -> Result<Register, Error> {
        Ok(history::as_of(&self.recorded(document)?, at))
    }

    /// The fields whose shown value differs between two points of a document's history; no heads at all
    /// stand for the empty document.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], or that the store fails.
    pub fn difference(
        &self,
        document: DocumentId,
        from: &[ChangeHash],
        to: &[ChangeHash],
    ) -> Result<Vec<FieldDifference>, Error> {
        let changes = self.recorded(document)?;
        let (from, to) = (history::as_of(&changes, from), history::as_of(&changes, to));
        Ok(history::difference(document.kind, &from, &to))
    }

    /// The heads of a document: the changes that no other stands on.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], or that the store fails.
    pub fn heads(&self, document: DocumentId) -> Result<Vec<ChangeHash>, Error> {
        Ok(self.stored(document)?.register.heads().iter().copied().collect())
    }

    pub(crate) fn stored(&self, id: DocumentId) -> Result<Stored, Error> {
        let found = document::find(self.store.read(), id)?;
        found.ok_or_else(|| Error::UnknownDocument(id.to_string()))
    }

    pub(crate) fn conflicts_of(&self, stored: &Stored) -> Result<Vec<OpenConflict>, Error> {
        let open = conflicts(&stored.register, stored.id.kind);
        let mut authors = Authors::new(self.store.read(), self.identity_if_any(), stored.row);
        open.into_iter()
            .map(|conflict| {
                let others = conflict.others.iter().map(|op| authors.written(op));
                Ok(OpenConflict {
                    village: stored.village,
                    document: stored.id,
                    others: others.collect::<Result<_, Error>>()?,
                    asks: conflict.asks,
                    shown: authors.written(&conflict.shown)?,
                    key: conflict.key,
                })
            })
            .collect()
    }
}

/// Finds out who wrote the values of one document, asking for each change once.
#[derive(Debug)]
pub(crate) struct Authors<'a> {
    connection: &'a Connection,
    identity: Option<&'a Identity>,
    row: i64,
    known: BTreeMap<ChangeHash, (Attribution, i64, String)>,
}

impl<'a> Authors<'a> {
    pub(crate) fn new(connection: &'a Connection, identity: Option<&'a Identity>, row: i64) -> Self {
        Self { connection, identity, row, known: BTreeMap::new() }
    }

    pub(crate) fn written(&mut self, op: &LiveOp) -> Result<Written, Error> {
        let (by, claimed_at, device_name) = match self.known.get(&op.change) {
            Some(known) => known.clone(),
            None => {
                let found = self.look_up(op.change)?;
                self.known.insert(op.change, found.clone());
                found
            }
        };
        Ok(Written { value: op.value.clone(), change: op.change, by, claimed_at, device_name })
    }

    fn look_up(&self, hash: ChangeHash) -> Result<(Attribution, i64, String), Error> {
        let held = document::change(self.connection, self.row, hash)?;
        let by = attribution(self.connection, self.identity, held.as_ref().and_then(|held| held.batch))?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT name FROM certificate WHERE device = ?1 ORDER BY serial DESC LIMIT 1")?;
        let name = statement.query_row([by.device.as_bytes()], |row| row.get(0)).optional()?;
        Ok((by, held.map_or(0, |held| held.change.claimed_at), name.unwrap_or_default()))
    }
}

/// Whose a batch is; without a batch it is this device's own, not sealed yet.
fn attribution(
    connection: &Connection,
    identity: Option<&Identity>,
    batch: Option<i64>,
) -> Result<Attribution, Error> {
    let Some(batch) = batch else {
        let (device, user) = identity
            .map_or((DeviceId::from_bytes([0; 16]), UserId::from_bytes([0; 16])), |identity| {
                (identity.device(), identity.certificate.user)
            });
        return Ok(Attribution { device, user, batch: [0; 32], not_before_ms: None, not_after_ms: None });
    };
    let mut statement = connection.prepare_cached(
        "SELECT device, user_id, id, not_before_ms, received_ms FROM batch WHERE batch = ?1",
    )?;
    Ok(statement.query_row([batch], |row| {
        Ok(Attribution {
            device: DeviceId::from_bytes(row.get(0)?),
            user: UserId::from_bytes(row.get(1)?),
            batch: row.get(2)?,
            not_before_ms: row.get(3)?,
            not_after_ms: row.get(4)?,
        })
    })?)
}

fn recorded(connection: &Connection, identity: Option<&Identity>, row: i64) -> Result<Vec<Recorded>, Error> {
    let standing = |held: &document::Held| matches!(held.state, ChangeState::Own | ChangeState::Accepted);
    let held = document::changes(connection, row)?;
    held.into_iter()
        .filter(standing)
        .map(|held| {
            let by = attribution(connection, identity, held.batch)?;
            Ok(Recorded { hash: held.hash, change: held.change, by })
        })
        .collect()
}
