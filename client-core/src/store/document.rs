//! Documents and their raw changes.
//!
//! The changes are the truth; the register beside them is derived, written in the same transaction, and
//! can be rebuilt from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{Change, ChangeHash, DocumentId, DocumentKind, Encoded, parse};
use ruhu_survey::codec::CodecError;
use ruhu_survey::gate::Past;
use ruhu_survey::id::VillageId;
use ruhu_survey::register::Register;
use ruhu_sync::{DocumentToken, state};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::Error;

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ChangeState {
    /// The server has not said anything about it: written here, or carried for somebody else. It is applied.
    Own,
    /// The server accepted it.
    Accepted,
    /// The server keeps it until what it stands on arrives; or the server has not said anything about it, it
    /// is somebody else's, and by what is known here it cannot be applied yet.
    Held,
    /// The server keeps it apart: it breaks a rule.
    Quarantined,
    /// The server refused it.
    Refused,
    /// This device will not apply it, whatever the server says.
    SetAside,
}

impl ChangeState {
    pub(crate) const fn code(self) -> i64 {
        match self {
            Self::Own => 0,
            Self::Accepted => 1,
            Self::Held => 2,
            Self::Quarantined => 3,
            Self::Refused => 4,
            Self::SetAside => 5,
        }
    }

    /// Where the server's verdict puts a change that came from elsewhere, and by which rule.
    pub(crate) fn of(verdict: &Verdict) -> (Self, String) {
        match verdict {
            Verdict::Accepted => (Self::Accepted, String::new()),
            Verdict::Held { .. } => (Self::Held, "held".to_owned()),
            Verdict::Quarantined { rule, .. } => (Self::Quarantined, rule.clone()),
            Verdict::Refused { reason } => (Self::Refused, reason.clone()),
        }
    }

    pub(crate) const fn from_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(Self::Own),
            1 => Some(Self::Accepted),
            2 => Some(Self::Held),
            3 => Some(Self::Quarantined),
            4 => Some(Self::Refused),
            5 => Some(Self::SetAside),
            _ => None,
        }
    }
}

/// Changes that the server keeps apart for the key alone and that stay in view, as a condition on rows of `c`.
pub(crate) const APART_IN_VIEW: &str = "c.state = 0 AND c.rule NOT IN ('', 'held')";

/// Own changes that the server did not accept, as a condition on rows of `c`: what it refused or keeps apart.
pub(crate) fn not_accepted() -> String {
    format!("c.state <> 1 AND c.opening IS NOT NULL AND (c.state IN (3, 4) OR {APART_IN_VIEW})")
}

/// A document as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// The document's number on this device.
    pub(crate) row: i64,
    /// The village it belongs to.
    pub(crate) village: VillageId,
    /// Which document it is.
    pub(crate) id: DocumentId,
    /// Its live values.
    pub(crate) register: Register,
}

impl Stored {
    /// The document, if anything of it stands.
    ///
    /// # Errors
    /// [`Error::NotAccepted`]: all that is here of it was kept apart, refused, or waits.
    pub(crate) fn standing(self) -> Result<Self, Error> {
        if self.register.is_empty() { Err(Error::NotAccepted(self.id.to_string())) } else { Ok(self) }
    }
}

const COLUMNS: &str = "document, village, kind, id, register";

/// A document in whatever village it is.
pub(crate) const FIND: &str =
    "SELECT document, village, kind, id, register FROM document WHERE kind = ?1 AND id = ?2
     ORDER BY document LIMIT 1";

/// Finds a document in whatever village it is.
pub(crate) fn find(connection: &Connection, id: DocumentId) -> Result<Option<Stored>, Error> {
    let mut statement = connection.prepare_cached(FIND)?;
    let found = statement.query_row(params![i64::from(id.kind.code()), id.id], raw).optional()?;
    found.map(Raw::read).transpose()
}

/// The document of a village, if there is one.
pub(crate) fn load(
    connection: &Connection,
    village: VillageId,
    id: DocumentId,
) -> Result<Option<Stored>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM document WHERE village = ?1 AND kind = ?2 AND id = ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let parameters = params![village.as_bytes(), i64::from(id.kind.code()), id.id];
    statement.query_row(parameters, raw).optional()?.map(Raw::read).transpose()
}

/// The document of a village, made if there is none.
pub(crate) fn load_or_make(
    connection: &Connection,
    village: VillageId,
    id: DocumentId,
) -> Result<Stored, Error> {
    if let Some(stored) = load(connection, village, id)? {
        return Ok(stored);
    }
    let register = Register::default();
    connection
        .prepare_cached("INSERT INTO document (village, kind, id, register) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![village.as_bytes(), i64::from(id.kind.code()), id.id, register.to_bytes()])?;
    Ok(Stored { row: connection.last_insert_rowid(), village, id, register })
}

/// The document with that number.
pub(crate) fn by_row(connection: &Connection, row: i64) -> Result<Stored, Error> {
    let sql = format!("SELECT {COLUMNS} FROM document WHERE document = ?1");
    connection.prepare_cached(&sql)?.query_row([row], raw)?.read()
}

/// Writes the register back.
pub(crate) fn save(connection: &Connection, stored: &Stored) -> Result<(), Error> {
    let count = i64::try_from(stored.register.change_count()).unwrap_or(i64::MAX);
    connection
        .prepare_cached("UPDATE document SET register = ?2, change_count = ?3 WHERE document = ?1")?
        .execute(params![stored.row, stored.register.to_bytes(), count])?;
    Ok(())
}

/// Adds a change written here, not sealed yet.
pub(crate) fn add_own(
    connection: &Connection,
    row: i64,
    encoded: &Encoded,
    opening: [u8; 8],
    place: Place,
) -> Result<(), Error> {
    let together = i64::from(place == Place::WithTheOneBefore);
    connection
        .prepare_cached(
            "INSERT INTO change (document, hash, bytes, opening, together, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![row, encoded.hash.0, encoded.bytes, opening, together, ChangeState::Own.code()])?;
    Ok(())
}

/// Whether an own change may be sealed apart from the one written before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In whatever batch has room.
    Anywhere,
    /// In the same batch as the own change before it: a visit's two halves travel together.
    WithTheOneBefore,
}

/// A change that came in a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived<'a> {
    pub(crate) document: i64,
    pub(crate) hash: ChangeHash,
    pub(crate) bytes: &'a [u8],
    pub(crate) batch: i64,
    pub(crate) position: usize,
    pub(crate) state: ChangeState,
    pub(crate) rule: &'a str,
}

/// Adds a change that came in a batch; `false` when the document has it already.
pub(crate) fn add_arrived(connection: &Connection, arrived: &Arrived<'_>) -> Result<bool, Error> {
    let position = i64::try_from(arrived.position).unwrap_or(i64::MAX);
    let added = connection
        .prepare_cached(
            "INSERT INTO change (document, hash, bytes, batch, position, state, rule)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (document, hash) DO NOTHING",
        )?
        .execute(params![
            arrived.document,
            arrived.hash.0,
            arrived.bytes,
            arrived.batch,
            position,
            arrived.state.code(),
            arrived.rule
        ])?;
    Ok(added > 0)
}

/// Where a change stands, and by which rule; `None` when the document does not have it.
pub(crate) fn state_of(
    connection: &Connection,
    row: i64,
    hash: ChangeHash,
) -> Result<Option<(ChangeState, String)>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT state, rule FROM change WHERE document = ?1 AND hash = ?2")?;
    let found = statement
        .query_row(params![row, hash.0], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    found.map(|(code, rule)| Ok((read_state(code)?, rule))).transpose()
}

/// Changes where a change stands.
pub(crate) fn set_state(
    connection: &Connection,
    row: i64,
    hash: ChangeHash,
    state: ChangeState,
    rule: &str,
) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE change SET state = ?3, rule = ?4 WHERE document = ?1 AND hash = ?2")?
        .execute(params![row, hash.0, state.code(), rule])?;
    Ok(())
}

/// Whether a change of this opening was not accepted: its actor's next change would not be in sequence.
pub(crate) fn is_tainted(connection: &Connection, opening: [u8; 8]) -> Result<bool, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM change WHERE state <> 1 AND state IN (3, 4, 5) AND opening = ?1 LIMIT 1",
    )?;
    Ok(statement.exists([opening])?)
}

pub(crate) fn read_state(code: i64) -> Result<ChangeState, Error> {
    let unknown = || Error::stored("change state")(CodecError::Unknown("state"));
    ChangeState::from_code(code).ok_or_else(unknown)
}

/// Which document a number on this device stands for.
pub(crate) fn id_of(connection: &Connection, row: i64) -> Result<DocumentId, Error> {
    let mut statement = connection.prepare_cached("SELECT kind, id FROM document WHERE document = ?1")?;
    let (kind, id) = statement.query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(DocumentId { kind: read_kind(kind)?, id })
}

/// A change found through its batch.
#[derive(Debug, Clone)]
pub(crate) struct OfBatch {
    pub(crate) document: i64,
    pub(crate) id: DocumentId,
    pub(crate) hash: ChangeHash,
    pub(crate) bytes: Vec<u8>,
    pub(crate) state: ChangeState,
}

/// The change of a batch with that hash.
pub(crate) fn of_batch(
    connection: &Connection,
    batch: i64,
    hash: ChangeHash,
) -> Result<Option<OfBatch>, Error> {
    let mut statement = connection
        .prepare_cached("SELECT document, bytes, state FROM change WHERE batch = ?1 AND hash = ?2")?;
    let found = statement
        .query_row(params![batch, hash.0], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?)))
        .optional()?;
    let Some((document, bytes, state)) = found else { return Ok(None) };
    let id = id_of(connection, document)?;
    Ok(Some(OfBatch { document, id, hash, bytes, state: read_state(state)? }))
}

/// A change of somebody else's that waits for what it stands on.
#[derive(Debug, Clone)]
pub(crate) struct Needing {
    pub(crate) document: i64,
    pub(crate) hash: ChangeHash,
    pub(crate) bytes: Vec<u8>,
    pub(crate) batch: i64,
    /// Whether the server has accepted it.
    pub(crate) received: bool,
}

/// The changes of others that wait for what they stand on, in the order in which they came.
pub(crate) fn needing(connection: &Connection) -> Result<Vec<Needing>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT c.document, c.hash, c.bytes, c.batch, b.state = 2
         FROM change c INDEXED BY change_needing JOIN batch b ON b.batch = c.batch
         WHERE c.rule = 'needs' AND c.state = 2 ORDER BY c.change",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Needing {
            document: row.get(0)?,
            hash: ChangeHash(row.get(1)?),
            bytes: row.get(2)?,
            batch: row.get(3)?,
            received: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The changes of a batch, each with its document's number.
pub(crate) fn hashes_of_batch(connection: &Connection, batch: i64) -> Result<Vec<(i64, ChangeHash)>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT document, hash FROM change WHERE batch = ?1 ORDER BY position")?;
    let rows = statement.query_map([batch], |row| Ok((row.get(0)?, ChangeHash(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The hashes of all changes of a village that the server accepted and that are applied here.
pub(crate) fn accepted(connection: &Connection, village: VillageId) -> Result<Vec<ChangeHash>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT c.hash FROM change c JOIN document d ON d.document = c.document
         WHERE d.village = ?1 AND c.state = 1",
    )?;
    let rows = statement.query_map([village.as_bytes()], |row| Ok(ChangeHash(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A document of a village by what its accepted changes make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) row: i64,
    pub(crate) id: DocumentId,
}

/// How every document of a village stands, from the accepted changes themselves.
pub(crate) fn tokens(
    connection: &Connection,
    village: VillageId,
) -> Result<BTreeMap<DocumentToken, Standing>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT c.document, c.bytes FROM change c JOIN document d ON d.document = c.document
         WHERE d.village = ?1 AND c.state = 1",
    )?;
    let rows =
        statement.query_map([village.as_bytes()], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let mut documents: BTreeMap<i64, Vec<(ChangeHash, Vec<ChangeHash>)>> = BTreeMap::new();
    for row in rows {
        let (document, bytes) = row?;
        let unreadable = |_| Error::stored("change")(CodecError::Unknown("change"));
        let (change, hash) = parse(&bytes).map_err(unreadable)?;
        documents.entry(document).or_default().push((hash, change.dependencies));
    }
    let mut tokens = BTreeMap::new();
    for (row, edges) in documents {
        let heads = state::heads(edges.iter().map(|(hash, on)| (*hash, on.as_slice())));
        let id = id_of(connection, row)?;
        tokens.insert(DocumentToken::of(id, &heads), Standing { row, id });
    }
    Ok(tokens)
}

/// A change read back.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) hash: ChangeHash,
    pub(crate) change: Arc<Change>,
    pub(crate) state: ChangeState,
    /// The batch's number on this device; `None` before it is sealed.
    pub(crate) batch: Option<i64>,
}

/// All changes of a document that are, or may become, part of it, in an order in which each comes after
/// what it stands on.
pub(crate) fn changes(connection: &Connection, row: i64) -> Result<Vec<Held>, Error> {
    let mut statement = connection
        .prepare_cached("SELECT hash, bytes, state, batch FROM change WHERE document = ?1 AND state <> 4")?;
    let rows = statement.query_map([row], |row| {
        let hash: [u8; 32] = row.get(0)?;
        let (bytes, state, batch) = (row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?, row.get(3)?);
        Ok((hash, bytes, state, batch))
    })?;
    let mut held = Vec::new();
    for row in rows {
        let (hash, bytes, state, batch) = row?;
        let state = read_state(state)?;
        // What was set aside may not even be a change.
        let Ok((change, _)) = parse(&bytes) else {
            if matches!(state, ChangeState::Own | ChangeState::Accepted) {
                return Err(Error::stored("change")(CodecError::Unknown("change")));
            }
            continue;
        };
        held.push(Held { hash: ChangeHash(hash), change: Arc::new(change), state, batch });
    }
    // A change's first operation number is above all that it stands on.
    held.sort_by_key(|held| (held.change.start_op, held.hash));
    Ok(held)
}

/// The changes that stand in a document, raw, each after all that it stands on.
pub(crate) fn standing_changes(
    connection: &Connection,
    row: i64,
) -> Result<Vec<(ChangeHash, ChangeState, Vec<u8>)>, Error> {
    let mut statement = connection
        .prepare_cached("SELECT hash, state, bytes FROM change WHERE document = ?1 AND state IN (0, 1)")?;
    let rows = statement
        .query_map([row], |row| Ok((ChangeHash(row.get(0)?), row.get(1)?, row.get::<_, Vec<u8>>(2)?)))?;
    let mut standing = Vec::new();
    for row in rows {
        let (hash, state, bytes) = row?;
        let unreadable = |_| Error::stored("change")(CodecError::Unknown("change"));
        let (change, _) = parse(&bytes).map_err(unreadable)?;
        standing.push((change.start_op, hash, read_state(state)?, bytes));
    }
    standing.sort_by_key(|(start_op, hash, ..)| (*start_op, *hash));
    Ok(standing.into_iter().map(|(_, hash, state, bytes)| (hash, state, bytes)).collect())
}

/// One change of a document, if it is there and well formed.
pub(crate) fn change(connection: &Connection, row: i64, hash: ChangeHash) -> Result<Option<Held>, Error> {
    let mut statement = connection
        .prepare_cached("SELECT bytes, state, batch FROM change WHERE document = ?1 AND hash = ?2")?;
    let found = statement
        .query_row(params![row, hash.0], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((bytes, state, batch)) = found else { return Ok(None) };
    let Ok((change, _)) = parse(&bytes) else { return Ok(None) };
    Ok(Some(Held { hash, change: Arc::new(change), state: read_state(state)?, batch }))
}

/// Rebuilds a document's register without the changes that do not count, and all that stand on those.
pub(crate) fn rebuild(connection: &Connection, stored: &mut Stored) -> Result<(), Error> {
    let mut register = Register::default();
    let changes = changes(connection, stored.row)?;
    let counted = counted(&changes);
    for held in changes.iter().filter(|held| counted.contains(&held.hash)) {
        register.apply(&held.change, held.hash);
    }
    stored.register = register;
    save(connection, stored)
}

/// The own changes of a document that stay in view although the server keeps them apart.
pub(crate) fn apart_in_view(connection: &Connection, row: i64) -> Result<BTreeSet<ChangeHash>, Error> {
    let sql = format!("SELECT c.hash FROM change c WHERE c.document = ?1 AND {APART_IN_VIEW}");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([row], |row| Ok(ChangeHash(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a document's accepted changes make of it.
pub(crate) fn accepted_register(connection: &Connection, row: i64) -> Result<Register, Error> {
    let mut changes = changes(connection, row)?;
    changes.retain(|held| held.state == ChangeState::Accepted);
    let mut register = Register::default();
    changes.iter().for_each(|held| register.apply(&held.change, held.hash));
    Ok(register)
}

/// Those of a document's changes that count, in causal order: neither they nor what they stand on was kept
/// apart.
pub(crate) fn counted(changes: &[Held]) -> BTreeSet<ChangeHash> {
    let mut counted = BTreeSet::new();
    for held in changes {
        let counts = matches!(held.state, ChangeState::Own | ChangeState::Accepted)
            && held.change.dependencies.iter().all(|dependency| counted.contains(dependency));
        if counts {
            counted.insert(held.hash);
        }
    }
    counted
}

/// Notes that a change was written anew as another.
pub(crate) fn mark_replaced(
    connection: &Connection,
    row: i64,
    hash: ChangeHash,
    by: ChangeHash,
) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE change SET replaced_by = ?3 WHERE document = ?1 AND hash = ?2")?
        .execute(params![row, hash.0, by.0])?;
    Ok(())
}

/// The changes of a document that were written anew, and as which.
pub(crate) fn replaced(connection: &Connection, row: i64) -> Result<BTreeMap<ChangeHash, ChangeHash>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT hash, replaced_by FROM change WHERE document = ?1 AND replaced_by IS NOT NULL",
    )?;
    let rows = statement.query_map([row], |row| Ok((ChangeHash(row.get(0)?), ChangeHash(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The changes that stand in a document's register, read from the database one by one.
#[derive(Debug)]
pub(crate) struct StoredPast<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) row: i64,
}

impl Past for StoredPast<'_> {
    fn change(&self, hash: &ChangeHash) -> Option<Arc<Change>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT bytes FROM change WHERE document = ?1 AND hash = ?2 AND state IN (0, 1)")
            .ok()?;
        let bytes: Vec<u8> = statement.query_row(params![self.row, hash.0], |row| row.get(0)).ok()?;
        parse(&bytes).ok().map(|(change, _)| Arc::new(change))
    }
}

fn read_kind(code: i64) -> Result<DocumentKind, Error> {
    let unknown = || Error::stored("document")(CodecError::Unknown("document kind"));
    u8::try_from(code).ok().and_then(DocumentKind::from_code).ok_or_else(unknown)
}

struct Raw {
    row: i64,
    village: [u8; 16],
    kind: i64,
    id: [u8; 16],
    register: Vec<u8>,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        row: row.get(0)?,
        village: row.get(1)?,
        kind: row.get(2)?,
        id: row.get(3)?,
        register: row.get(4)?,
    })
}

impl Raw {
    fn read(self) -> Result<Stored, Error> {
        Ok(Stored {
            row: self.row,
            village: VillageId::from_bytes(self.village),
            id: DocumentId { kind: read_kind(self.kind)?, id: self.id },
            register: Register::from_bytes(&self.register).map_err(Error::stored("register"))?,
        })
    }
}
