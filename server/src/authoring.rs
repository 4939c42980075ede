//! The server as a device of its own: it writes changes, seals them into batches and takes them in by
//! the same way as anybody's.

use std::collections::BTreeMap;

use ruhu_ledger::batch::BatchBody;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ActorId, ChangeHash, DocumentId};
use ruhu_survey::id::{UserId, VillageId};
use ruhu_survey::register::{ChangeBuilder, Register};

use crate::ingest::{Outcome, Rejection};
use crate::store::ledger::OwnBatch;
use crate::store::{LedgerStore, StoreError};

/// Changes that go into one batch at most.
const CHANGES_PER_BATCH: usize = ruhu_ledger::limits::CHANGES_PER_BATCH_MAX;
/// Bytes of changes after which a batch is sealed; what they compress to is far below the payload limit.
const BYTES_PER_BATCH: usize = 192 * 1024;

/// Why the server could not write.
#[derive(Debug, thiserror::Error)]
pub enum AuthoringError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The batch was not taken in.
    #[error("the server's own batch was not taken in")]
    Rejected(#[source] Rejection),
    /// A change was not accepted.
    #[error("the server's change of {document} was not accepted: {verdict}")]
    NotAccepted {
        /// The document.
        document: DocumentId,
        /// The verdict, without its change hashes.
        verdict: String,
    },
}

/// Who writes, with which keys, where and when.
#[derive(Debug, Clone, Copy)]
pub struct Pen<'a> {
    /// The key of the server's own device.
    pub device_key: &'a SecretKey,
    /// The key of the present epoch.
    pub signing_key: &'a SecretKey,
    /// Eight random bytes, drawn for this run.
    pub opening: [u8; 8],
    /// Who ran the command.
    pub user: UserId,
    /// The village.
    pub village: VillageId,
    /// The version of the document schema.
    pub schema: u16,
    /// The clock, milliseconds since 1970.
    pub now_ms: i64,
}

/// One run of writing into one village.
pub struct Authoring<'a> {
    store: &'a dyn LedgerStore,
    pen: Pen<'a>,
    actor: ActorId,
    registers: BTreeMap<DocumentId, Register>,
    queue: Vec<(DocumentId, Vec<u8>)>,
    queued_bytes: usize,
    receipts: Vec<SignedReceipt>,
}

impl std::fmt::Debug for Authoring<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authoring")
            .field("pen", &self.pen)
            .field("queue", &self.queue.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Authoring<'a> {
    /// Begins a run.
    #[must_use]
    pub fn new(store: &'a dyn LedgerStore, pen: Pen<'a>) -> Self {
        let actor = ActorId::derive(pen.device_key.public().device_id(), pen.opening);
        let (registers, queue, receipts) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { store, pen, actor, registers, queue, queued_bytes: 0, receipts }
    }

    /// The document as this run left it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn register(&mut self, document: DocumentId) -> Result<&Register, StoreError> {
        if !self.registers.contains_key(&document) {
            let register = self.store.register(self.pen.village, document)?;
            self.registers.insert(document, register);
        }
        Ok(self.registers.entry(document).or_default())
    }

    /// Writes one change of a document; nothing when `write` puts nothing. It is durable after
    /// [`Authoring::finish`].
    ///
    /// # Errors
    /// [`AuthoringError`] when a batch that was full was not taken in.
    pub fn change(
        &mut self,
        document: DocumentId,
        write: impl FnOnce(&mut ChangeBuilder<'_>),
    ) -> Result<Option<ChangeHash>, AuthoringError> {
        let (actor, claimed_at) = (self.actor, self.pen.now_ms.div_euclid(1_000));
        let register = self.register(document)?;
        let mut builder = ChangeBuilder::new(register, actor, claimed_at);
        write(&mut builder);
        let Some((change, encoded)) = builder.finish() else { return Ok(None) };
        if let Some(register) = self.registers.get_mut(&document) {
            register.apply(&change, encoded.hash);
        }
        self.queued_bytes += encoded.bytes.len();
        self.queue.push((document, encoded.bytes));
        if self.queue.len() >= CHANGES_PER_BATCH || self.queued_bytes >= BYTES_PER_BATCH {
            self.seal()?;
        }
        Ok(Some(encoded.hash))
    }

    /// Seals what is queued and takes it in.
    fn seal(&mut self) -> Result<(), AuthoringError> {
        if self.queue.is_empty() {
            return Ok(());
        }
        let changes = std::mem::take(&mut self.queue);
        self.queued_bytes = 0;
        let documents: Vec<DocumentId> = changes.iter().map(|(document, _)| *document).collect();
        let Pen { device_key, signing_key, opening, user, village, schema, now_ms } = self.pen;
        let body = BatchBody { openings: vec![opening], changes };
        let own = OwnBatch { device_key, user, village, schema, body };
        let receipt = match self.store.author(&own, now_ms, signing_key)? {
            Outcome::Received(receipt) | Outcome::Repeated(receipt) => *receipt,
            Outcome::Rejected(rejection) => return Err(AuthoringError::Rejected(rejection)),
            Outcome::Staged { expected } => {
                let rejection = Rejection::new("staged", format!("batch {expected} is lacking"));
                return Err(AuthoringError::Rejected(rejection));
            }
        };
        all_accepted(&documents, &receipt)?;
        self.receipts.push(receipt);
        Ok(())
    }

    /// Seals the rest; returns the receipts of all batches of the run.
    ///
    /// # Errors
    /// [`AuthoringError`]; batches before the one that failed stay taken in.
    pub fn finish(mut self) -> Result<Vec<SignedReceipt>, AuthoringError> {
        self.seal()?;
        Ok(self.receipts)
    }
}

fn all_accepted(documents: &[DocumentId], receipt: &SignedReceipt) -> Result<(), AuthoringError> {
    for (document, verdict) in documents.iter().zip(&receipt.statement.verdicts) {
        let verdict = match verdict {
            Verdict::Accepted => continue,
            Verdict::Held { .. } => "held".to_owned(),
            Verdict::Quarantined { rule, .. } => format!("quarantined as {rule}"),
            Verdict::Refused { reason } => format!("refused as {reason}"),
        };
        return Err(AuthoringError::NotAccepted { document: *document, verdict });
    }
    Ok(())
}
