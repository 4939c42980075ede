//! What the server in memory knows of the documents, to put together and to write replay streams.

use std::collections::BTreeMap;
use std::sync::Arc;

use ruhu_ledger::batch::{Batch, BatchId, change_hash};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::replay::{ReplayBatch, ReplayWriter};
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{Change, ChangeHash, DocumentId, parse};
use ruhu_survey::id::{DeploymentId, DeviceId, VillageId};
use ruhu_survey::register::Register;
use ruhu_survey::replay::{Library, Name, Sender};

#[derive(Debug, Default)]
struct Held {
    register: Register,
    past: BTreeMap<ChangeHash, Arc<Change>>,
}

/// The documents and chains of one village.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    documents: BTreeMap<DocumentId, Held>,
    /// Names, and how many batches were there before the one with the root.
    names: BTreeMap<Name, (DocumentId, u64)>,
    roots: BTreeMap<DeviceId, u64>,
    chains: BTreeMap<(DeviceId, u64), BatchId>,
    batches: u64,
}

impl Shelf {
    /// Takes note of a batch and of the changes of it that were accepted.
    pub(super) fn take(&mut self, batch: &Batch, verdicts: &[Verdict]) {
        let device = batch.header.device;
        self.chains.insert((device, batch.header.number), batch.id());
        for ((document, bytes), verdict) in batch.open().unwrap().changes.iter().zip(verdicts) {
            let Ok((change, _)) = parse(bytes) else { continue };
            if change.dependencies.is_empty() {
                let number = self.roots.entry(device).or_default();
                self.names.insert(Name { device, number: *number }, (*document, self.batches));
                *number += 1;
            }
            if *verdict == Verdict::Accepted {
                let (held, hash) =
                    (self.documents.entry(*document).or_default(), change_hash(bytes).unwrap());
                held.register.apply(&change, hash);
                held.past.insert(hash, Arc::new(change));
            }
        }
        self.batches += 1;
    }

    /// The batch that came in a stream, when all it stands on is here.
    pub(super) fn whole(
        &self,
        read: &ReplayBatch,
        deployment: DeploymentId,
        village: VillageId,
    ) -> Option<Batch> {
        let previous = self.chains.get(&(read.header.device, read.header.number - 1)).copied();
        read.replay(deployment, village, previous, self).ok()?.pack().ok()
    }

    /// A batch of the feed on a stream; `before` batches are before it.
    pub(super) fn written(
        &self,
        batch: &Batch,
        receipt: &SignedReceipt,
        before: u64,
        writer: &mut ReplayWriter,
    ) -> Option<Vec<u8>> {
        let all = receipt.statement.verdicts.iter().all(|verdict| *verdict == Verdict::Accepted);
        let body = batch.open().ok().filter(|_| all)?;
        let sender = Before { shelf: self, before };
        writer.batch(&batch.header, &batch.signature, &body, Some(receipt), &sender).ok()
    }
}

impl Library for Shelf {
    fn named(&self, name: &Name) -> Option<DocumentId> {
        self.names.get(name).map(|(document, _)| *document)
    }

    fn register(&self, document: DocumentId) -> Register {
        self.documents.get(&document).map(|held| held.register.clone()).unwrap_or_default()
    }

    fn change(&self, document: DocumentId, hash: &ChangeHash) -> Option<Arc<Change>> {
        self.documents.get(&document)?.past.get(hash).cloned()
    }

    fn beginning_with(&self, document: DocumentId, beginning: &[u8]) -> Vec<ChangeHash> {
        let held = self.documents.get(&document).into_iter().flat_map(|held| held.past.keys());
        held.filter(|hash| hash.0.starts_with(beginning)).copied().collect()
    }
}

struct Before<'a> {
    shelf: &'a Shelf,
    before: u64,
}

impl Sender for Before<'_> {
    fn name(&self, document: DocumentId) -> Option<Name> {
        let known = |(_, (named, at)): &(&Name, &(DocumentId, u64))| *named == document && *at < self.before;
        self.shelf.names.iter().find(known).map(|(name, _)| *name)
    }

    fn hashes(&self, document: DocumentId) -> Vec<ChangeHash> {
        self.shelf.beginning_with(document, &[])
    }
}
