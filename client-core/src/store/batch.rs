//! Sealing own changes into signed batches, and the chain they form.

use std::collections::BTreeSet;

use ruhu_ledger::batch::{Anchor, Batch, BatchBody, BatchId, UnsealedHeader};
use ruhu_ledger::limits::{CHANGES_PER_BATCH_MAX, COUNTER_MAX, TIME_MS_MAX};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_survey::change::{DocumentId, DocumentKind};
use ruhu_survey::codec::CodecError;
use ruhu_survey::id::{DeviceId, EpochId, UserId, VillageId};
use ruhu_sync::ChainTip;
use ruhu_sync::session::UnsentBatch;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::env::Environment;
use crate::error::Error;
use crate::identity::Identity;

/// The version of the document schema that this program writes.
pub(crate) const DOCUMENT_SCHEMA: u16 = 1;

/// Raw bytes of changes after which a batch is full: about 8 KB once compressed.
const BATCH_RAW_BYTES: usize = 24 * 1024;

/// Which changes to seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seal {
    /// All there are: something is about to be sent, or a newer checkpoint to be stored.
    All,
    /// Only whole batches; what is left over waits for more.
    FullOnly,
}

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchState {
    /// Sealed, never sent.
    Sealed,
    /// Sent at least once, no receipt held.
    Sent,
    /// The server has it durably: its receipt is held.
    Received,
    /// The server will not take it.
    TurnedAway,
}

impl BatchState {
    pub(crate) const fn code(self) -> i64 {
        match self {
            Self::Sealed => 0,
            Self::Sent => 1,
            Self::Received => 2,
            Self::TurnedAway => 3,
        }
    }
}

struct Waiting {
    change: i64,
    document: DocumentId,
    bytes: Vec<u8>,
    opening: [u8; 8],
    together: bool,
}

/// Seals waiting changes of a village into batches and stores them; how many batches were made.
pub(crate) fn seal(
    connection: &Connection,
    identity: &Identity,
    village: VillageId,
    environment: &dyn Environment,
    which: Seal,
) -> Result<usize, Error> {
    let mut waiting = waiting(connection, village)?;
    let mut made = 0;
    while !waiting.is_empty() {
        let (count, full) = fill(&waiting);
        if which == Seal::FullOnly && !full {
            break;
        }
        let rest = waiting.split_off(count);
        seal_one(connection, identity, village, environment, &waiting)?;
        waiting = rest;
        made += 1;
    }
    Ok(made)
}

fn waiting(connection: &Connection, village: VillageId) -> Result<Vec<Waiting>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT c.change, d.kind, d.id, c.bytes, c.opening, c.together
         FROM change c INDEXED BY change_unsealed JOIN document d ON d.document = c.document
         WHERE c.batch IS NULL AND d.village = ?1 ORDER BY c.change",
    )?;
    let rows = statement.query_map([village.as_bytes()], |row| {
        let kind = DocumentKind::from_code(row.get(1)?).unwrap_or(DocumentKind::Village);
        Ok(Waiting {
            change: row.get(0)?,
            document: DocumentId { kind, id: row.get(2)? },
            bytes: row.get(3)?,
            opening: row.get(4)?,
            together: row.get::<_, i64>(5)? == 1,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many of the waiting changes go into the next batch, and whether that fills it.
fn fill(waiting: &[Waiting]) -> (usize, bool) {
    let (mut count, mut bytes) = (0, 0);
    let mut groups = waiting.chunk_by(|_, next| next.together).peekable();
    while let Some(group) = groups.next() {
        count += group.len();
        bytes += group.iter().map(|waiting| waiting.bytes.len()).sum::<usize>();
        let next = groups.peek().map_or(1, |next| next.len());
        if bytes >= BATCH_RAW_BYTES || count + next > CHANGES_PER_BATCH_MAX {
            return (count, true);
        }
    }
    (count, false)
}

fn seal_one(
    connection: &Connection,
    identity: &Identity,
    village: VillageId,
    environment: &dyn Environment,
    waiting: &[Waiting],
) -> Result<(), Error> {
    let openings: BTreeSet<[u8; 8]> = waiting.iter().map(|waiting| waiting.opening).collect();
    let body = BatchBody {
        openings: openings.into_iter().collect(),
        changes: waiting.iter().map(|waiting| (waiting.document, waiting.bytes.clone())).collect(),
    };
    let last = last_of_chain(connection, identity, village)?;
    let header = UnsealedHeader {
        deployment: identity.certificate.deployment,
        device: identity.device(),
        user: identity.certificate.user,
        village,
        number: last.map_or(1, |(number, _)| number.saturating_add(1)),
        previous: last.map(|(_, id)| id),
        anchor: anchor(connection, identity.epoch)?,
        schema: DOCUMENT_SCHEMA,
        wall_ms: environment.now_ms().clamp(0, TIME_MS_MAX),
        monotonic_ms: environment.monotonic_ms().min(COUNTER_MAX),
    };
    let batch = Batch::seal(&identity.key, header, &body).map_err(|error| Error::Seal(error.to_string()))?;
    let row = insert(connection, &batch, 1, BatchState::Sealed)?;
    let mut statement =
        connection.prepare_cached("UPDATE change SET batch = ?2, position = ?3 WHERE change = ?1")?;
    for (position, waiting) in waiting.iter().enumerate() {
        statement.execute(params![waiting.change, row, i64::try_from(position).unwrap_or(i64::MAX)])?;
    }
    Ok(())
}

/// The number and id of the last batch of this device's chain in a village.
fn last_of_chain(
    connection: &Connection,
    identity: &Identity,
    village: VillageId,
) -> Result<Option<(u64, BatchId)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT number, id FROM batch WHERE village = ?1 AND device = ?2 ORDER BY number DESC, own DESC, batch DESC LIMIT 1",
    )?;
    let device = identity.device();
    let last = |row: &Row<'_>| Ok((number(row.get(0)?), BatchId(row.get(1)?)));
    Ok(statement.query_row(params![village.as_bytes(), device.as_bytes()], last).optional()?)
}

/// Who wrote a batch.
pub(crate) fn user(connection: &Connection, row: i64) -> Result<UserId, Error> {
    let mut statement = connection.prepare_cached("SELECT user_id FROM batch WHERE batch = ?1")?;
    Ok(UserId::from_bytes(statement.query_row([row], |row| row.get(0))?))
}

/// Adds a batch row.
pub(crate) fn insert(
    connection: &Connection,
    batch: &Batch,
    own: i64,
    state: BatchState,
) -> Result<i64, Error> {
    let header = &batch.header;
    connection
        .prepare_cached(
            "INSERT INTO batch (id, village, device, user_id, number, previous, own, bytes, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            batch.id().0,
            header.village.as_bytes(),
            header.device.as_bytes(),
            header.user.as_bytes(),
            i64::try_from(header.number).unwrap_or(i64::MAX),
            header.previous.map(|id| id.0),
            own,
            batch.to_bytes(),
            state.code()
        ])?;
    Ok(connection.last_insert_rowid())
}

/// The newest checkpoint held of an epoch, as an anchor; the empty log before there is one.
pub(crate) fn anchor(connection: &Connection, epoch: EpochId) -> Result<Anchor, Error> {
    let mut statement = connection.prepare_cached("SELECT size, root FROM checkpoint WHERE epoch = ?1")?;
    let found = statement
        .query_row([epoch.as_bytes()], |row| Ok((number(row.get(0)?), row.get::<_, [u8; 32]>(1)?)))
        .optional()?;
    Ok(found.map_or_else(|| Anchor::start(epoch), |(size, root)| Anchor { epoch, size, root }))
}

/// The tips of all chains of a village, as far as the server has receipted them.
pub(crate) fn tips(connection: &Connection, village: VillageId) -> Result<BTreeSet<ChainTip>, Error> {
    let all = "SELECT b.device, b.number, b.id FROM batch b
         WHERE b.village = ?1 AND b.state = 2 AND b.inside = 0 AND NOT EXISTS (
             SELECT 1 FROM batch n WHERE n.village = b.village AND n.device = b.device
                 AND n.number = b.number + 1 AND n.previous = b.id AND n.state = 2)";
    read_tips(connection, village, all)
}

/// Those tips that the village's cursor is not known to stand for.
pub(crate) fn tips_above(connection: &Connection, village: VillageId) -> Result<BTreeSet<ChainTip>, Error> {
    let above = "SELECT b.device, b.number, b.id FROM batch b
         WHERE b.village = ?1 AND b.above_cursor = 1 AND b.state = 2 AND NOT EXISTS (
             SELECT 1 FROM batch n WHERE n.village = b.village AND n.device = b.device
                 AND n.number = b.number + 1 AND n.previous = b.id AND n.state = 2)";
    read_tips(connection, village, above)
}

fn read_tips(
    connection: &Connection,
    village: VillageId,
    select: &'static str,
) -> Result<BTreeSet<ChainTip>, Error> {
    let mut statement = connection.prepare_cached(select)?;
    let rows = statement.query_map([village.as_bytes()], |row| {
        let device = DeviceId::from_bytes(row.get(0)?);
        Ok(ChainTip::at(device, number(row.get(1)?), &BatchId(row.get(2)?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The batches of a village that wait for a receipt, its own and those it carries for others, in the order in
/// which they came: none before what it stands on.
pub(crate) fn unsent(connection: &Connection, village: VillageId) -> Result<Vec<UnsentBatch>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT id, device, number, length(bytes) + coalesce(length(receipt), 0), previous FROM batch WHERE village = ?1 AND state IN (0, 1)
         ORDER BY batch",
    )?;
    let rows = statement.query_map([village.as_bytes()], |row| {
        Ok(UnsentBatch {
            batch: BatchId(row.get(0)?),
            device: DeviceId::from_bytes(row.get(1)?),
            number: number(row.get(2)?),
            bytes: number(row.get(3)?),
            previous: row.get::<_, Option<[u8; 32]>>(4)?.map(BatchId),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// This device's own batches of a village that wait for a receipt, in their order.
pub(crate) fn own_unsent(connection: &Connection, village: VillageId) -> Result<Vec<BatchId>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM batch WHERE village = ?1 AND own = 1 AND state IN (0, 1) ORDER BY batch",
    )?;
    let rows = statement.query_map([village.as_bytes()], |row| Ok(BatchId(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A batch as it is stored, with what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) row: i64,
    pub(crate) village: VillageId,
    pub(crate) own: bool,
    pub(crate) received: bool,
}

/// Finds a batch by its id.
pub(crate) fn find(connection: &Connection, id: &BatchId) -> Result<Option<Known>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT batch, village, own, state FROM batch WHERE id = ?1")?;
    let known = |row: &Row<'_>| {
        Ok(Known {
            row: row.get(0)?,
            village: VillageId::from_bytes(row.get(1)?),
            own: row.get::<_, i64>(2)? == 1,
            received: row.get::<_, i64>(3)? == BatchState::Received.code(),
        })
    };
    Ok(statement.query_row([id.0], known).optional()?)
}

/// The bytes of a batch.
pub(crate) fn bytes(connection: &Connection, id: &BatchId) -> Result<Vec<u8>, Error> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM batch WHERE id = ?1")?;
    Ok(statement.query_row([id.0], |row| row.get(0))?)
}

/// The bytes of the batch with that number on this device.
pub(crate) fn bytes_of_row(connection: &Connection, row: i64) -> Result<Vec<u8>, Error> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM batch WHERE batch = ?1")?;
    Ok(statement.query_row([row], |row| row.get(0))?)
}

/// When the server had a batch, by its clock; 0 before it is known.
pub(crate) fn received_ms(connection: &Connection, row: i64) -> Result<i64, Error> {
    let mut statement = connection.prepare_cached("SELECT received_ms FROM batch WHERE batch = ?1")?;
    Ok(statement.query_row([row], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0))
}

/// The receipt that another epoch signed for a batch, to be shown to a server that lost the batch.
pub(crate) fn old_receipt(
    connection: &Connection,
    id: &BatchId,
    present: EpochId,
) -> Result<Option<SignedReceipt>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT receipt FROM batch WHERE id = ?1 AND receipt_epoch <> ?2")?;
    let found: Option<Vec<u8>> =
        statement.query_row(params![id.0, present.as_bytes()], |row| row.get(0)).optional()?;
    let unreadable = |_| Error::stored("receipt")(CodecError::Unknown("receipt"));
    found.map(|bytes| SignedReceipt::from_bytes(&bytes).map_err(unreadable)).transpose()
}

/// Notes that a batch is about to be sent.
pub(crate) fn mark_sent(connection: &Connection, id: &BatchId) -> Result<(), Error> {
    connection.prepare_cached("UPDATE batch SET state = 1 WHERE id = ?1 AND state = 0")?.execute([id.0])?;
    Ok(())
}

/// Notes what the server said about a batch it did not receipt. One that an epoch before had received is
/// never turned away: it waits until the server can take it.
pub(crate) fn mark_problem(
    connection: &Connection,
    id: &BatchId,
    code: &str,
    state: BatchState,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE batch SET state = iif(receipt IS NULL, ?2, 1), problem = ?3 WHERE id = ?1 AND state <> 2",
        )?
        .execute(params![id.0, state.code(), code])?;
    Ok(())
}

/// Keeps a verified receipt; one of another epoch stays beside it.
pub(crate) fn keep_receipt(
    connection: &Connection,
    row: i64,
    receipt: &SignedReceipt,
    sequence: Option<u64>,
) -> Result<(), Error> {
    let said = &receipt.statement;
    connection
        .prepare_cached(
            "INSERT INTO former_receipt (batch, bytes) SELECT batch, receipt FROM batch
             WHERE batch = ?1 AND receipt_epoch <> ?2 ON CONFLICT DO NOTHING",
        )?
        .execute(params![row, said.epoch.as_bytes()])?;
    let sequence = sequence.map(|sequence| i64::try_from(sequence).unwrap_or(i64::MAX));
    connection
        .prepare_cached(
            "UPDATE batch SET state = 2, receipt = ?2, not_before_ms = ?3, received_ms = ?4, problem = '',
                 sequence = coalesce(?5, sequence) WHERE batch = ?1",
        )?
        .execute(params![row, receipt.to_bytes(), said.anchor_ms, said.received_ms, sequence])?;
    Ok(())
}

/// Keeps the receipt of an epoch that ended for a batch that waits: it is shown to the server with the batch.
pub(crate) fn keep_former_receipt(
    connection: &Connection,
    row: i64,
    receipt: &SignedReceipt,
) -> Result<(), Error> {
    let said = &receipt.statement;
    connection
        .prepare_cached(
            "UPDATE batch SET receipt = ?2, not_before_ms = ?3, received_ms = ?4
             WHERE batch = ?1 AND state <> 2 AND receipt IS NULL",
        )?
        .execute(params![row, receipt.to_bytes(), said.anchor_ms, said.received_ms])?;
    Ok(())
}

/// Queues batches again that the server turns out not to have: a chain from a number on.
pub(crate) fn queue_again(
    connection: &Connection,
    village: VillageId,
    device: DeviceId,
    from: u64,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE batch SET state = 1, above_cursor = 1
             WHERE village = ?1 AND device = ?2 AND number >= ?3 AND state = 2 AND length(bytes) > 0",
        )?
        .execute(params![village.as_bytes(), device.as_bytes(), i64::try_from(from).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// Queues the batches again that changes of a document came in; how many there are.
pub(crate) fn queue_document_again(connection: &Connection, document: i64) -> Result<u64, Error> {
    let queued = connection
        .prepare_cached(
            "UPDATE batch SET state = 1, above_cursor = 1 WHERE state = 2 AND length(bytes) > 0 AND batch IN
                 (SELECT batch FROM change WHERE document = ?1 AND state = 1)",
        )?
        .execute([document])?;
    Ok(queued as u64)
}

/// Keeps the bytes of a batch that only a snapshot told of so far.
pub(crate) fn keep_bytes(connection: &Connection, row: i64, batch: &Batch) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE batch SET bytes = ?2 WHERE batch = ?1 AND length(bytes) = 0")?
        .execute(params![row, batch.to_bytes()])?;
    Ok(())
}

/// A number that the schema keeps from 0 up.
pub(crate) fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// Reads a batch back.
pub(crate) fn read(bytes: &[u8]) -> Result<Batch, Error> {
    Batch::from_bytes(bytes).map_err(|_| Error::stored("batch")(CodecError::Unknown("batch")))
}
