//! Replay streams: the batches that are sent, and those that are relayed to this device.

use std::cell::RefCell;
use std::sync::Arc;

use ruhu_ledger::batch::{Batch, BatchId};
use ruhu_ledger::replay::{NotReplayed, NotWritten, Previous, ReplayBatch, ReplayWriter, StreamStart};
use ruhu_survey::change::{Change, ChangeHash, DocumentId};
use ruhu_survey::gate::Past;
use ruhu_survey::id::VillageId;
use ruhu_survey::register::Register;
use ruhu_survey::replay::{Library, Name, Sender};
use ruhu_sync::RequestFrame;
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::identity::Identity;
use crate::store::document::{self, Stored, StoredPast};
use crate::store::{batch, names};
use crate::workbench::Workbench;

/// What both sides know before the first batch of a stream.
pub(crate) fn start(connection: &Connection, identity: &Identity) -> Result<StreamStart, Error> {
    Ok(StreamStart { device: identity.device(), anchor: batch::anchor(connection, identity.epoch)? })
}

/// The batches of one request, on one stream.
pub(crate) struct Outgoing<'a> {
    connection: &'a Connection,
    writer: Option<ReplayWriter>,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(connection: &'a Connection, identity: &Identity) -> Result<Self, Error> {
        Ok(Self::on(connection, ReplayWriter::new(&start(connection, identity)?)))
    }

    /// On a stream of its own; without the memory for a compressor the batches travel raw.
    pub(crate) fn on(connection: &'a Connection, writer: Result<ReplayWriter, NotWritten>) -> Self {
        Self { connection, writer: writer.ok() }
    }

    /// The frame of a batch: on the stream unless it is wanted raw or cannot be spelled.
    pub(crate) fn frame(&mut self, id: BatchId, raw: bool) -> Result<RequestFrame, Error> {
        let bytes = batch::bytes(self.connection, &id)?;
        let piece = if raw { None } else { self.piece(&batch::read(&bytes)?)? };
        Ok(piece.map_or(RequestFrame::Batch(bytes), RequestFrame::Replay))
    }

    /// The next piece of the stream; none for a batch that cannot be spelled.
    pub(crate) fn piece(&mut self, read: &Batch) -> Result<Option<Vec<u8>>, Error> {
        let Some(writer) = &mut self.writer else { return Ok(None) };
        names::fill(self.connection, read.header.village)?;
        let Ok(body) = read.open() else { return Ok(None) };
        let sender = BatchSender { connection: self.connection, batch: read, failure: RefCell::new(None) };
        let written = writer.batch(&read.header, &read.signature, &body, None, &sender);
        sender.failure.into_inner().map_or(Ok(()), Err)?;
        Ok(written.ok())
    }
}

/// What the sender of one batch knows.
struct BatchSender<'a> {
    connection: &'a Connection,
    batch: &'a Batch,
    failure: RefCell<Option<Error>>,
}

impl Sender for BatchSender<'_> {
    fn name(&self, document: DocumentId) -> Option<Name> {
        let village = self.batch.header.village;
        or_note(&self.failure, names::name_of(self.connection, village, document, self.batch))
    }

    fn hashes(&self, document: DocumentId) -> Vec<ChangeHash> {
        let village = self.batch.header.village;
        let found = names::hashes(self.connection, village, document, &[]);
        or_note(&self.failure, found).into_iter().collect()
    }
}

fn or_note<T: Default>(failure: &RefCell<Option<Error>>, found: Result<T, Error>) -> T {
    found.unwrap_or_else(|error| {
        failure.borrow_mut().get_or_insert(error);
        T::default()
    })
}

/// Puts a batch together that came off a stream, with the documents that are in hand.
pub(crate) fn put_together(
    connection: &Connection,
    bench: &Workbench<'_>,
    identity: &Identity,
    (village, before): (VillageId, Previous),
    relayed: &ReplayBatch,
) -> Result<Result<Batch, NotReplayed>, Error> {
    names::fill(connection, village)?;
    let previous = match before {
        Previous::Named(previous) => previous,
        Previous::Held => match previous(connection, village, relayed)? {
            Ok(previous) => previous,
            Err(why) => return Ok(Err(why)),
        },
    };
    let library = BenchLibrary { connection, bench, village, failure: RefCell::new(None) };
    let replayed = relayed.replay(identity.certificate.deployment, village, previous, &library);
    library.failure.into_inner().map_or(Ok(()), Err)?;
    Ok(replayed.and_then(|replayed| replayed.pack().map_err(NotReplayed::Body)))
}

/// The batch before one of a stream, when there is one with its number.
fn previous(
    connection: &Connection,
    village: VillageId,
    relayed: &ReplayBatch,
) -> Result<Result<Option<BatchId>, NotReplayed>, Error> {
    let header = &relayed.header;
    let before = i64::try_from(header.number.saturating_sub(1)).unwrap_or(i64::MAX);
    let mut select = connection
        .prepare_cached("SELECT id FROM batch WHERE village = ?1 AND device = ?2 AND number = ?3 LIMIT 2")?;
    let found = select
        .query_map(params![village.as_bytes(), header.device.as_bytes(), before], |row| row.get(0))?
        .collect::<Result<Vec<[u8; 32]>, _>>()?;
    Ok(match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(BatchId(*one))),
        _ => Err(NotReplayed::Previous(header.number)),
    })
}

/// What this device knows of one village while answers are taken in.
struct BenchLibrary<'a> {
    connection: &'a Connection,
    bench: &'a Workbench<'a>,
    village: VillageId,
    failure: RefCell<Option<Error>>,
}

impl BenchLibrary<'_> {
    fn stored(&self, document: DocumentId) -> Option<Stored> {
        match self.bench.in_hand(self.village, document) {
            Some(stored) => Some(stored.clone()),
            None => or_note(&self.failure, document::load(self.connection, self.village, document)),
        }
    }
}

impl Library for BenchLibrary<'_> {
    fn named(&self, name: &Name) -> Option<DocumentId> {
        or_note(&self.failure, names::named(self.connection, self.village, name))
    }

    fn register(&self, document: DocumentId) -> Register {
        self.stored(document).map(|stored| stored.register).unwrap_or_default()
    }

    fn change(&self, document: DocumentId, hash: &ChangeHash) -> Option<Arc<Change>> {
        let row = match self.bench.in_hand(self.village, document) {
            Some(stored) => stored.row,
            None => self.stored(document)?.row,
        };
        StoredPast { connection: self.connection, row }.change(hash)
    }

    fn beginning_with(&self, document: DocumentId, beginning: &[u8]) -> Vec<ChangeHash> {
        let found = names::hashes(self.connection, self.village, document, beginning);
        or_note(&self.failure, found).into_iter().collect()
    }
}
