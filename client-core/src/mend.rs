//! Documents that the server gives apart from the feed: proved by batches and receipts, then made whole.
//!
//! A document is believed only as a whole: when the changes that receipts and decisions accept give exactly
//! the heads that were asked for. What this device set aside by its own judgement stays set aside.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::batch::{Batch, BatchId, change_hash};
use ruhu_ledger::decision::SignedDecision;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::authorise::Author;
use ruhu_survey::change::{ActorId, ChangeHash, DocumentId, parse};
use ruhu_survey::id::VillageId;
use ruhu_sync::response::Relayed;
use ruhu_sync::{DocumentToken, ResponseFrame, state};

use crate::error::Error;
use crate::peer::NEEDS;
use crate::receive::{Aside, Opened, Receiver, Taken};
use crate::store::batch::{self, BatchState};
use crate::store::document::{self, Arrived, ChangeState};
use crate::workbench::{Again, NotApplied, name};

/// Whether a document that stands so is wanted.
pub(crate) type Wanted<'a> = &'a dyn Fn(DocumentId, DocumentToken) -> bool;

/// What was made whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mended {
    /// The documents as the server proved them.
    pub(crate) documents: BTreeSet<DocumentToken>,
    /// Batches queued again because the server did not give what they hold.
    pub(crate) returned: u64,
}

/// A change that came with its proof.
struct Given<'a> {
    bytes: &'a [u8],
    batch: BatchId,
    position: usize,
    author: Author,
    openings: &'a [[u8; 8]],
    verdict: Verdict,
    adopted: bool,
}

/// Everything given about one document.
type GivenDocument<'a> = BTreeMap<ChangeHash, Given<'a>>;

impl Receiver<'_> {
    /// Takes in what the server gave about some documents of a village.
    ///
    /// # Errors
    /// [`Error::NewEpoch`], or that the store fails.
    pub(crate) fn mend(
        mut self,
        village: VillageId,
        frames: &[ResponseFrame],
        wanted: Wanted<'_>,
    ) -> Result<(Taken, Mended), Error> {
        let (mut batches, mut decisions) = (Vec::new(), Vec::new());
        for frame in frames {
            match frame {
                ResponseFrame::Welcome(welcome) if welcome.epoch != self.identity.epoch => {
                    return Err(Error::NewEpoch);
                }
                ResponseFrame::Certificate(signed) => self.certificate(signed)?,
                ResponseFrame::Revocation(signed) => self.revocation(signed)?,
                ResponseFrame::Relayed(relayed) => {
                    batches.extend(self.proved(relayed)?.map(|opened| (relayed, opened)));
                }
                ResponseFrame::Decision(relayed) => {
                    let said = &relayed.decision;
                    match self.check_decision(said) {
                        Ok(()) => decisions.push(said),
                        Err(code) => {
                            let subject = said.statement.change.to_string();
                            self.put_aside("decision", code, &subject, &said.to_bytes())?;
                        }
                    }
                }
                _ => {}
            }
        }
        let mut mended = Mended::default();
        for (id, given) in gather(&batches, &decisions) {
            let token = token_of(id, &given);
            if wanted(id, token) {
                self.make_whole(village, id, &given, &batches, &mut mended)?;
                mended.documents.insert(token);
            }
        }
        let Self { bench, taken, .. } = self;
        bench.finish()?;
        Ok((taken, mended))
    }

    fn proved(&mut self, relayed: &Relayed) -> Result<Option<Opened>, Error> {
        match self.open_relayed(relayed) {
            Ok(opened) => Ok(Some(opened)),
            Err(Aside::Store(error)) => Err(error),
            Err(Aside::Code(code)) => {
                let subject = relayed.receipt.statement.batch.to_string();
                self.put_aside("batch", code, &subject, &relayed.batch)?;
                Ok(None)
            }
        }
    }

    fn make_whole(
        &mut self,
        village: VillageId,
        id: DocumentId,
        given: &GivenDocument<'_>,
        batches: &[(&Relayed, Opened)],
        mended: &mut Mended,
    ) -> Result<(), Error> {
        let rows = self.keep_batches(given, batches)?;
        let document = self.bench.row(village, id)?;
        for (hash, change) in given {
            let Some(batch) = rows.get(&change.batch).copied() else { continue };
            self.take_over(document, *hash, change, batch)?;
        }
        let held = document::changes(self.tx, document)?;
        let surplus =
            |held: &document::Held| held.state == ChangeState::Accepted && !given.contains_key(&held.hash);
        if held.iter().any(surplus) {
            mended.returned += batch::queue_document_again(self.tx, document)?;
        }
        self.judge_again(village, id, document, given)
    }

    /// Keeps the batches that the changes came in, with their receipts.
    fn keep_batches(
        &mut self,
        given: &GivenDocument<'_>,
        batches: &[(&Relayed, Opened)],
    ) -> Result<BTreeMap<BatchId, i64>, Error> {
        let needed: BTreeSet<BatchId> = given.values().map(|change| change.batch).collect();
        let mut rows = BTreeMap::new();
        for (relayed, opened) in batches {
            let batch: &Batch = &opened.batch;
            let id = batch.id();
            if !needed.contains(&id) {
                continue;
            }
            let row = match batch::find(self.tx, &id)? {
                Some(known) => {
                    if !known.received {
                        // Its other changes are not mended here, and nobody will give their verdicts again.
                        self.received(&known, &relayed.receipt, Some(relayed.sequence))?;
                    }
                    known.row
                }
                None => {
                    let own = i64::from(batch.header.device == self.identity.device());
                    let row = batch::insert(self.tx, batch, own, BatchState::Received)?;
                    self.keep_what_is_apart(row, relayed, opened)?;
                    row
                }
            };
            batch::keep_bytes(self.tx, row, batch)?;
            batch::keep_receipt(self.tx, row, &relayed.receipt, Some(relayed.sequence))?;
            rows.insert(id, row);
        }
        Ok(rows)
    }

    /// Keeps what a batch holds beside what the server accepted: no fingerprint speaks of it, so no repair
    /// would bring it.
    fn keep_what_is_apart(&mut self, row: i64, relayed: &Relayed, opened: &Opened) -> Result<(), Error> {
        let verdicts = &relayed.receipt.statement.verdicts;
        for (position, ((id, bytes), verdict)) in opened.body.changes.iter().zip(verdicts).enumerate() {
            let Some(hash) = change_hash(bytes).filter(|_| *verdict != Verdict::Accepted) else { continue };
            let document = self.bench.row(relayed.village, *id)?;
            let (state, rule) = ChangeState::of(verdict);
            let arrived = Arrived { document, hash, bytes, batch: row, position, state, rule: &rule };
            document::add_arrived(self.tx, &arrived)?;
        }
        Ok(())
    }

    /// Puts one change where the server's signed word says it stands.
    fn take_over(
        &mut self,
        document: i64,
        hash: ChangeHash,
        change: &Given<'_>,
        batch: i64,
    ) -> Result<(), Error> {
        let (state, rule) = ChangeState::of(&change.verdict);
        match document::state_of(self.tx, document, hash)? {
            None => {
                let (bytes, position) = (change.bytes, change.position);
                let arrived = Arrived { document, hash, bytes, batch, position, state, rule: &rule };
                document::add_arrived(self.tx, &arrived).map(drop)
            }
            Some((ChangeState::SetAside, own)) if own != NEEDS => Ok(()),
            Some(_) => document::set_state(self.tx, document, hash, state, &rule),
        }
    }

    /// Empties the document and puts every change through the gate again, from the first.
    fn judge_again(
        &mut self,
        village: VillageId,
        id: DocumentId,
        document: i64,
        given: &GivenDocument<'_>,
    ) -> Result<(), Error> {
        let standing = document::standing_changes(self.tx, document)?;
        let again: Vec<Again<'_>> = standing
            .iter()
            .map(|(hash, state, bytes)| {
                let accepted = *state == ChangeState::Accepted;
                let given = given.get(hash).filter(|given| !given.adopted && accepted);
                Again { bytes, accepted, author: given.map(|given| (&given.author, given.openings)) }
            })
            .collect();
        let became = self.bench.judge_again(village, id, &again)?;
        for ((hash, state, bytes), became) in standing.iter().zip(became) {
            let (ChangeState::Accepted, Err(NotApplied { code })) = (state, became) else { continue };
            self.put_aside("change", &code, &name(id, *hash), bytes)?;
            document::set_state(self.tx, document, *hash, ChangeState::SetAside, &code)?;
        }
        Ok(())
    }
}

/// Every change of the batches by document, with the last verdict about it.
fn gather<'a>(
    batches: &'a [(&Relayed, Opened)],
    decisions: &[&SignedDecision],
) -> BTreeMap<DocumentId, GivenDocument<'a>> {
    let mut documents: BTreeMap<DocumentId, GivenDocument<'a>> = BTreeMap::new();
    for (relayed, Opened { batch, body, author }) in batches {
        let verdicts = &relayed.receipt.statement.verdicts;
        for (position, ((id, bytes), verdict)) in body.changes.iter().zip(verdicts).enumerate() {
            let Some(hash) = change_hash(bytes) else { continue };
            let decided = decisions.iter().rev().map(|signed| &signed.statement);
            let decided = decided.filter(|said| said.batch == batch.id() && said.change == hash);
            let last = decided.map(|said| &said.verdict).next();
            let adopted = last == Some(&Verdict::Accepted) && !matches!(verdict, Verdict::Held { .. });
            let given = Given {
                bytes,
                batch: batch.id(),
                position,
                author: author.clone(),
                openings: &body.openings,
                verdict: last.unwrap_or(verdict).clone(),
                adopted,
            };
            let document = documents.entry(*id).or_default();
            // A change that came twice stands as the one of the two that was accepted.
            let known = document.get(&hash).is_some_and(|known| known.verdict == Verdict::Accepted);
            if !known {
                document.insert(hash, given);
            }
        }
    }
    documents
}

/// The document as the accepted ones of these changes make it.
fn token_of(id: DocumentId, given: &GivenDocument<'_>) -> DocumentToken {
    let mut edges = Vec::new();
    for (hash, change) in given {
        let Ok((parsed, _)) = parse(change.bytes) else { continue };
        let is_authors = |opening: &[u8; 8]| ActorId::derive(change.author.device, *opening) == parsed.actor;
        if change.verdict == Verdict::Accepted && change.openings.iter().any(is_authors) {
            edges.push((*hash, parsed.dependencies));
        }
    }
    DocumentToken::of(id, &state::heads(edges.iter().map(|(hash, on)| (*hash, on.as_slice()))))
}
