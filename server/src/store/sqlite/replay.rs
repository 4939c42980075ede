//! Replay streams: putting batches together that came in one, and writing those that go out.

use std::cell::RefCell;
use std::sync::Arc;

use ruhu_ledger::batch::{Anchor, Batch, BatchId};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::replay::{NotReplayed, NotWritten, Previous, ReplayBatch, ReplayWriter};
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{Change, ChangeHash, DocumentId};
use ruhu_survey::id::VillageId;
use ruhu_survey::register::Register;
use ruhu_survey::replay::{Library, Name, Sender};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::column::to_sql;
use super::log::{present_epoch, root_at};
use super::names::{hashes, name_of, named};
use super::past::Pasts;
use super::relay::batch_at;
use super::shelf::{SqlShelf, register_of};
use crate::ingest::{Ingested, Outcome, Rejection, Shelf};
use crate::store::StoreError;

/// What is known of one village while a batch is put together or written.
struct SqlLibrary<'a> {
    conn: &'a Connection,
    village: VillageId,
    shelf: SqlShelf<'a>,
    /// Names are taken from batches before this feed entry.
    before: u64,
    /// Registers in memory; they may be a moment newer than what `conn` sees.
    memory: Option<&'a Pasts>,
    failure: RefCell<Option<StoreError>>,
}

impl<'a> SqlLibrary<'a> {
    /// `pasts` is for one batch: on a connection that only reads, nothing says when it has to be forgotten.
    fn new(conn: &'a Connection, village: VillageId, before: u64, pasts: &'a Pasts) -> Self {
        let shelf = SqlShelf::new(conn, village, pasts);
        Self { conn, village, shelf, before, memory: None, failure: RefCell::new(None) }
    }

    /// Looks for registers in memory first. Only for what is proved afterwards.
    fn with_memory(self, memory: &'a Pasts) -> Self {
        Self { memory: Some(memory), ..self }
    }

    fn or_note<T: Default>(&self, found: Result<T, StoreError>) -> T {
        found.unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            T::default()
        })
    }

    /// What was made with this library, unless reading it failed.
    fn checked<T>(self, made: T) -> Result<T, StoreError> {
        let made = self.shelf.checked(made)?;
        self.failure.into_inner().map_or(Ok(made), Err)
    }
}

impl Library for SqlLibrary<'_> {
    fn named(&self, name: &Name) -> Option<DocumentId> {
        self.or_note(named(self.conn, self.village, name))
    }

    fn register(&self, document: DocumentId) -> Register {
        let known = self.memory.and_then(|memory| memory.peek_register((self.village, document)));
        if let Some(register) = known {
            return register;
        }
        self.or_note(register_of(self.conn, self.village, document)).unwrap_or_default()
    }

    fn change(&self, document: DocumentId, hash: &ChangeHash) -> Option<Arc<Change>> {
        self.shelf.change(document, hash)
    }

    fn beginning_with(&self, document: DocumentId, beginning: &[u8]) -> Vec<ChangeHash> {
        self.or_note(hashes(self.conn, self.village, document, beginning))
    }
}

impl Sender for SqlLibrary<'_> {
    fn name(&self, document: DocumentId) -> Option<Name> {
        self.or_note(name_of(self.conn, self.village, document, self.before))
    }

    fn hashes(&self, document: DocumentId) -> Vec<ChangeHash> {
        self.or_note(hashes(self.conn, self.village, document, &[]))
    }
}

/// Puts a batch together and takes it in as any other; what cannot be put together, or does not verify then,
/// is wanted raw.
pub(super) fn ingest_replay(
    store: &SqliteStore,
    (village, previous): (VillageId, Previous),
    replay: &ReplayBatch,
    now_ms: i64,
    key: &SecretKey,
) -> Result<Result<Ingested, Rejection>, StoreError> {
    let batch = match store.read(|conn| put_together(conn, (village, previous), replay, &store.pasts))? {
        Ok(batch) => batch,
        Err(why) => return Ok(Err(Rejection::new(why.code(), why))),
    };
    let ingested = super::ledger::ingest(store, &batch.to_bytes(), None, now_ms, key)?;
    Ok(match ingested.outcome {
        Outcome::Rejected(why) if why.code == "bad_signature" => {
            Err(Rejection::new("replay_signature", why.detail))
        }
        _ => Ok(ingested),
    })
}

fn put_together(
    conn: &Connection,
    (village, previous): (VillageId, Previous),
    replay: &ReplayBatch,
    memory: &Pasts,
) -> Result<Result<Batch, NotReplayed>, StoreError> {
    let previous = match previous {
        Previous::Named(previous) => previous,
        Previous::Held => match batches_before(conn, village, replay)?.as_slice() {
            [] => None,
            [one] => Some(BatchId(*one)),
            _ => return Ok(Err(NotReplayed::Previous(replay.header.number))),
        },
    };
    let deployment = present_epoch(conn)?.deployment;
    let pasts = Pasts::default();
    let library = SqlLibrary::new(conn, village, u64::MAX, &pasts).with_memory(memory);
    let replayed = replay.replay(deployment, village, previous, &library);
    let replayed = library.checked(replayed)?;
    Ok(replayed.and_then(|replayed| replayed.pack().map_err(NotReplayed::Body)))
}

/// The batches of a chain that have the number before; several where it forked.
fn batches_before(
    conn: &Connection,
    village: VillageId,
    replay: &ReplayBatch,
) -> Result<Vec<[u8; 32]>, StoreError> {
    let header = &replay.header;
    let mut select = conn
        .prepare_cached("SELECT id FROM batch WHERE village = ?1 AND device = ?2 AND number = ?3 LIMIT 2")?;
    let before = to_sql(header.number.saturating_sub(1));
    let found =
        select.query_map(params![village.as_bytes(), header.device.as_bytes(), before], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Writes a received batch onto an answer's stream, when its receiver can be expected to build it.
pub(super) fn relay_replay(
    conn: &Connection,
    sequence: u64,
    writer: &mut ReplayWriter,
) -> Result<Option<Vec<u8>>, StoreError> {
    let (batch, receipt): (Batch, SignedReceipt) = batch_at(conn, sequence)?;
    if receipt.statement.verdicts.iter().any(|verdict| *verdict != Verdict::Accepted) {
        return Ok(None);
    }
    let body = batch.open().map_err(|error| StoreError::corrupt("batch", sequence, error))?;
    let pasts = Pasts::default();
    let library = SqlLibrary::new(conn, batch.header.village, sequence, &pasts);
    let written = writer.batch(&batch.header, &batch.signature, &body, Some(&receipt), &library);
    match library.checked(written)? {
        Ok(bytes) => Ok(Some(bytes)),
        Err(NotWritten::NotSpelled(_) | NotWritten::TooLong(_) | NotWritten::Deflate) => Ok(None),
    }
}

/// The anchor of a device whose newest checkpoint has that size.
pub(super) fn anchor(conn: &Connection, size: u64) -> Result<Anchor, StoreError> {
    let epoch = present_epoch(conn)?.epoch;
    let last: Option<i64> = conn.query_row("SELECT max(leaf_index) FROM log_leaf", [], |row| row.get(0))?;
    if size == 0 || last.is_none_or(|last| to_sql(size) > last + 1) {
        return Ok(Anchor::start(epoch));
    }
    Ok(Anchor { epoch, size, root: root_at(conn, size)? })
}
