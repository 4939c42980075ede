//! What becomes of a batch, decided over plain data: its place in its chain, and a verdict per change.
//!
//! Nothing here reads a database. The store brings the documents at hand and keeps what is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ruhu_ledger::batch::{BatchHeader, BatchId};
use ruhu_ledger::certificate::{Certificate, CertificateKind};
use ruhu_ledger::error::VerifyError;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::authorise::{Author, authorise};
use ruhu_survey::change::{ActorId, Change, ChangeHash, DocumentId, DocumentKind, parse};
use ruhu_survey::gate::{self, Past, Refusal};
use ruhu_survey::id::VillageId;
use ruhu_survey::register::{Recent, Register};

/// What the server answers to one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable, receipted and in the log.
    Received(Box<SignedReceipt>),
    /// It was received before; this is the receipt given then.
    Repeated(Box<SignedReceipt>),
    /// It waits for an earlier batch of its chain: it is not received.
    Staged {
        /// The number that is missing first, as far as the server knows.
        expected: u64,
    },
    /// It is not kept.
    Rejected(Rejection),
}

/// Why a batch is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Rejection {
    /// A stable code, such as `village_not_granted`.
    pub code: &'static str,
    /// More, in English, without personal data.
    pub detail: String,
}

impl Rejection {
    /// A rejection with its code and detail.
    pub fn new(code: &'static str, detail: impl ToString) -> Self {
        Self { code, detail: detail.to_string() }
    }
}

/// The result of handing in one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingested {
    /// The batch, when its bytes could be read.
    pub batch: Option<BatchId>,
    /// What became of it.
    pub outcome: Outcome,
    /// Receipts of batches that waited for this one and are received now, in order.
    pub released: Vec<(BatchId, SignedReceipt)>,
}

/// Where a batch stands in the chain of its device and village.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// After a batch that is here; it may make a new branch.
    Follows,
    /// Its predecessor is not here.
    Gap {
        /// The first number that is missing.
        expected: u64,
    },
    /// Its number and its predecessor contradict each other, or there are too many branches.
    Wrong(Rejection),
}

/// What is known of a chain when a batch arrives that is not here yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// The number of the batch named as predecessor, if that batch is in this chain.
    pub previous_number: Option<u64>,
    /// The highest number in the chain; 0 when it is empty.
    pub highest: u64,
    /// How many branches it has.
    pub branches: usize,
    /// Whether the predecessor is the end of a branch: then no branch is added.
    pub previous_is_tip: bool,
}

/// Finds the place of a batch that is not here yet.
#[must_use]
pub fn place(header: &BatchHeader, chain: &Chain) -> Place {
    match (header.previous, chain.previous_number) {
        (Some(_), None) => {
            let before = header.number.saturating_sub(1);
            return Place::Gap { expected: chain.highest.saturating_add(1).min(before) };
        }
        (Some(_), Some(number)) if number.checked_add(1) != Some(header.number) => {
            let detail = "the number is not one above its predecessor's";
            return Place::Wrong(Rejection::new("chain_number", detail));
        }
        _ => {}
    }
    let adds_branch = if header.previous.is_none() { chain.branches > 0 } else { !chain.previous_is_tip };
    if adds_branch && chain.branches >= crate::limits::BRANCHES_PER_CHAIN_MAX {
        return Place::Wrong(Rejection::new("too_many_branches", "the chain has forked too often"));
    }
    Place::Follows
}

/// The rejection of a batch whose signature or grant does not hold.
#[must_use]
pub fn not_verified(error: &VerifyError) -> Rejection {
    let code = match error {
        VerifyError::Deployment => "wrong_deployment",
        VerifyError::Device => "wrong_device",
        VerifyError::User => "wrong_user",
        VerifyError::Village => "village_not_granted",
        _ => "bad_signature",
    };
    Rejection::new(code, error)
}

/// The rule that puts every change of a batch into quarantine, if one does.
#[must_use]
pub fn blanket_rule(certificate: &Certificate, revoked: bool, now_ms: i64) -> Option<&'static str> {
    if revoked {
        Some("device_revoked")
    } else if certificate.kind == CertificateKind::Provisional {
        Some("device_provisional")
    } else if !certificate.holds_at(now_ms) {
        Some("certificate_expired")
    } else {
        None
    }
}

/// How a change stands in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Malformed, or not what its author could have built; kept as bytes only.
    Refused,
    /// Part of the document.
    Accepted,
    /// Waiting for changes that are not here.
    Held,
    /// Well formed, but it breaks a rule or stands on one that does.
    Quarantined,
    /// The same change came before; that one counts.
    Repeat,
}

/// What the store knows of the documents of one village, beside those at hand.
pub trait Shelf {
    /// An accepted change.
    fn change(&self, document: DocumentId, hash: &ChangeHash) -> Option<Arc<Change>>;
    /// How a change stands, if it is here.
    fn standing(&self, document: DocumentId, hash: &ChangeHash) -> Option<Standing>;
    /// The rule by which a change is kept apart.
    fn rule(&self, document: DocumentId, hash: &ChangeHash) -> Option<String>;
}

/// A change that was held before, and where it came from.
#[derive(Debug, Clone)]
pub struct HeldChange {
    /// The feed number of its batch, and its position there.
    pub place: (u64, u32),
    /// Its author.
    pub author: Author,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A document as it is before the batch.
#[derive(Debug, Clone, Default)]
pub struct AtHand {
    /// Its live values, and the way to them.
    pub register: Recent,
    /// Its held changes, oldest first.
    pub held: Vec<HeldChange>,
}

/// A batch that was found good, with what its changes are judged by.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// The village.
    pub village: VillageId,
    /// The author.
    pub author: Author,
    /// The actors that the batch's openings stand for.
    pub actors: BTreeSet<ActorId>,
    /// The rule that quarantines all of it.
    pub blanket: Option<&'static str>,
    /// Its changes.
    pub changes: &'a [(DocumentId, Vec<u8>)],
}

/// What was decided about one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Its document.
    pub document: DocumentId,
    /// Its name, when its bytes are a change.
    pub hash: Option<ChangeHash>,
    /// What its author is told.
    pub verdict: Verdict,
    /// How it stands in the store.
    pub standing: Standing,
    /// The key concerned, or more about a refusal; never a value.
    pub detail: Option<String>,
}

/// Everything that a batch brings about.
#[derive(Debug, Default)]
pub struct Plan {
    /// One per change, in the order of the batch.
    pub changes: Vec<Decided>,
    /// New verdicts of changes that were held before, in the order they were found.
    pub later: Vec<((u64, u32), Decided)>,
    /// The changes of the batch that stand on nothing, by their place in it: what its documents are named by.
    pub roots: Vec<usize>,
    /// The documents whose live values changed.
    pub registers: BTreeMap<DocumentId, Recent>,
    /// The other documents at hand, as they were.
    pub untouched: BTreeMap<DocumentId, Recent>,
}

/// Decides over every change of a batch, and over the held changes that it frees.
pub fn plan(incoming: &Incoming<'_>, documents: BTreeMap<DocumentId, AtHand>, shelf: &dyn Shelf) -> Plan {
    let mut bench = Bench::new(documents, shelf);
    let mut waiting = Vec::new();
    let mut plan = Plan::default();
    for (index, (document, bytes)) in incoming.changes.iter().enumerate() {
        let (decided, is_root) = bench.first_look(incoming, *document, bytes);
        plan.roots.extend(is_root.then_some(index));
        if decided.standing == Standing::Held {
            let (origin, author) = (Origin::Now(index), incoming.author.clone());
            waiting.push(Waiting { origin, document: *document, author, bytes: bytes.clone() });
        }
        plan.changes.push(decided);
    }
    waiting.extend(bench.held_before());
    bench.release(waiting, &mut plan);
    (plan.registers, plan.untouched) = bench.into_registers();
    plan
}

enum Origin {
    Now(usize),
    Before((u64, u32)),
}

struct Waiting {
    origin: Origin,
    document: DocumentId,
    author: Author,
    bytes: Vec<u8>,
}

/// The rule of a change that was kept apart in the same batch already.
const ALREADY: &str = "already_quarantined";

/// The documents being worked on, with what this batch has already added to them.
struct Bench<'a> {
    documents: BTreeMap<DocumentId, AtHand>,
    shelf: &'a dyn Shelf,
    added: BTreeMap<(DocumentId, ChangeHash), Arc<Change>>,
    fresh: BTreeMap<(DocumentId, ChangeHash), Standing>,
    touched: BTreeSet<DocumentId>,
}

/// One document's accepted changes: those of this batch before those of the store.
struct PastOf<'a> {
    bench: &'a Bench<'a>,
    document: DocumentId,
    /// The change being judged; it is known not to be among them.
    judged: ChangeHash,
}

impl Past for PastOf<'_> {
    fn change(&self, hash: &ChangeHash) -> Option<Arc<Change>> {
        if *hash == self.judged {
            return None;
        }
        let added = self.bench.added.get(&(self.document, *hash)).cloned();
        added.or_else(|| self.bench.shelf.change(self.document, hash))
    }

    fn contains(&self, hash: &ChangeHash) -> bool {
        *hash != self.judged && self.bench.standing(self.document, hash) == Some(Standing::Accepted)
    }

    fn seen_by(&self, change: &Change) -> Option<Register> {
        self.bench.documents.get(&self.document)?.register.seen_by(change)
    }
}

impl<'a> Bench<'a> {
    fn new(documents: BTreeMap<DocumentId, AtHand>, shelf: &'a dyn Shelf) -> Self {
        let (added, fresh, touched) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { documents, shelf, added, fresh, touched }
    }

    fn standing(&self, document: DocumentId, hash: &ChangeHash) -> Option<Standing> {
        self.fresh.get(&(document, *hash)).copied().or_else(|| self.shelf.standing(document, hash))
    }

    /// What is decided about the bytes of a change, and whether they are one that stands on nothing.
    fn first_look(&mut self, incoming: &Incoming<'_>, document: DocumentId, bytes: &[u8]) -> (Decided, bool) {
        match parse(bytes) {
            Ok((change, hash)) => {
                let is_root = change.dependencies.is_empty();
                (self.first_judgement(incoming, document, change, hash), is_root)
            }
            Err(malformed) => (refused(document, None, "malformed", malformed), false),
        }
    }

    fn first_judgement(
        &mut self,
        incoming: &Incoming<'_>,
        document: DocumentId,
        change: Change,
        hash: ChangeHash,
    ) -> Decided {
        if document.kind == DocumentKind::Village && document.id != *incoming.village.as_bytes() {
            return refused(document, Some(hash), "foreign_document", "the document is another village's");
        }
        if !incoming.actors.contains(&change.actor) {
            return refused(document, Some(hash), "foreign_actor", change.actor);
        }
        let decided = match self.standing(document, &hash) {
            Some(Standing::Accepted) => Decided::repeat(document, hash, Verdict::Accepted),
            Some(Standing::Quarantined) => {
                // Its author has to know why: what is kept apart for the key alone is written anew as a whole.
                let rule = self.shelf.rule(document, &hash).unwrap_or_else(|| ALREADY.to_owned());
                Decided::repeat(document, hash, Verdict::Quarantined { rule, because: Some(hash) })
            }
            earlier => {
                let decided = match incoming.blanket {
                    Some(rule) => quarantined(document, hash, rule, None, None),
                    None => self.judge(document, change, hash, &incoming.author),
                };
                let repeats = earlier == Some(Standing::Held) && decided.standing == Standing::Held;
                if repeats { Decided { standing: Standing::Repeat, ..decided } } else { decided }
            }
        };
        self.note(&decided);
        decided
    }

    fn judge(&mut self, document: DocumentId, change: Change, hash: ChangeHash, author: &Author) -> Decided {
        self.documents.entry(document).or_default();
        let change = match self.examine(document, change, hash, author) {
            Ok(change) => change,
            Err(decided) => return *decided,
        };
        if let Some(at_hand) = self.documents.get_mut(&document) {
            at_hand.register.apply(&change, hash);
        }
        self.touched.insert(document);
        self.added.insert((document, hash), Arc::new(change));
        let (verdict, standing) = (Verdict::Accepted, Standing::Accepted);
        Decided { document, hash: Some(hash), verdict, standing, detail: None }
    }

    /// Gate and permission, without applying anything.
    fn examine(
        &self,
        document: DocumentId,
        change: Change,
        hash: ChangeHash,
        author: &Author,
    ) -> Result<Change, Box<Decided>> {
        let empty = Register::default();
        let current = self.documents.get(&document).map_or(&empty, |at_hand| at_hand.register.register());
        let past = PastOf { bench: self, document, judged: hash };
        let admitted = gate::admit_parsed(change, hash, current, &past)
            .map_err(|refusal| Box::new(self.turned_away(document, hash, refusal)))?;
        let before = admitted.before.as_ref().unwrap_or(current);
        match authorise(document, before, current, &admitted.change, author) {
            // Every later change names all heads: too many of them would lock the document for everybody.
            Ok(()) if gate::crowds(&admitted.change, current) => {
                Err(Box::new(quarantined(document, hash, "document_crowded", None, None)))
            }
            Ok(()) => Ok(admitted.change),
            Err(violation) => {
                let decided = quarantined(document, hash, violation.rule.code(), None, Some(violation.key));
                Err(Box::new(decided))
            }
        }
    }

    fn turned_away(&self, document: DocumentId, hash: ChangeHash, refusal: Refusal) -> Decided {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Needs(needs) => self.missing(document, hash, needs),
            // A copied store that went on writing: well formed, and its people's work, so it is kept.
            Refusal::Sequence { .. } => quarantined(document, hash, "actor_sequence", None, Some(detail)),
            Refusal::TooManyChanges => quarantined(document, hash, "document_full", None, Some(detail)),
            _ => refused(document, Some(hash), "not_as_built", detail),
        }
    }

    fn missing(&self, document: DocumentId, hash: ChangeHash, needs: Vec<ChangeHash>) -> Decided {
        let bad = needs.iter().find(|need| {
            matches!(self.standing(document, need), Some(Standing::Quarantined | Standing::Refused))
        });
        if let Some(bad) = bad {
            return quarantined(document, hash, "depends_on_quarantined", Some(*bad), None);
        }
        let (verdict, standing) = (Verdict::Held { needs }, Standing::Held);
        Decided { document, hash: Some(hash), verdict, standing, detail: None }
    }

    fn note(&mut self, decided: &Decided) {
        if let (Some(hash), false) = (decided.hash, decided.standing == Standing::Repeat) {
            self.fresh.insert((decided.document, hash), decided.standing);
        }
    }

    fn held_before(&mut self) -> Vec<Waiting> {
        let take = |(document, at_hand): (&DocumentId, &mut AtHand)| {
            let document = *document;
            std::mem::take(&mut at_hand.held).into_iter().map(move |held| Waiting {
                origin: Origin::Before(held.place),
                document,
                author: held.author,
                bytes: held.bytes,
            })
        };
        self.documents.iter_mut().flat_map(take).collect()
    }

    /// Judges what waits again and again until nothing more is freed.
    fn release(&mut self, mut waiting: Vec<Waiting>, plan: &mut Plan) {
        loop {
            let before = waiting.len();
            let mut still = Vec::new();
            for one in waiting {
                match self.judge_again(&one) {
                    Some(decided) => keep(one.origin, decided, plan),
                    None => still.push(one),
                }
            }
            if still.len() == before || still.is_empty() {
                return;
            }
            waiting = still;
        }
    }

    fn judge_again(&mut self, one: &Waiting) -> Option<Decided> {
        let (change, hash) = parse(&one.bytes).ok()?;
        if self.fresh.get(&(one.document, hash)) == Some(&Standing::Accepted) {
            // It came again in this batch, after what it had waited for.
            return Some(Decided::repeat(one.document, hash, Verdict::Accepted));
        }
        let known =
            |need| self.standing(one.document, need).is_some_and(|standing| standing != Standing::Held);
        if !change.dependencies.iter().any(known) {
            return None;
        }
        let decided = self.judge(one.document, change, hash, &one.author);
        if decided.standing == Standing::Held {
            return None;
        }
        self.note(&decided);
        Some(decided)
    }

    /// The registers of the documents that changed, and of those that did not.
    fn into_registers(self) -> (BTreeMap<DocumentId, Recent>, BTreeMap<DocumentId, Recent>) {
        let Self { documents, touched, .. } = self;
        documents
            .into_iter()
            .map(|(document, at_hand)| (document, at_hand.register))
            .partition(|(document, _)| touched.contains(document))
    }
}

fn keep(origin: Origin, decided: Decided, plan: &mut Plan) {
    match origin {
        Origin::Now(index) => {
            if let Some(slot) = plan.changes.get_mut(index) {
                *slot = decided;
            }
        }
        Origin::Before(place) => plan.later.push((place, decided)),
    }
}

impl Decided {
    fn repeat(document: DocumentId, hash: ChangeHash, verdict: Verdict) -> Self {
        Self { document, hash: Some(hash), verdict, standing: Standing::Repeat, detail: None }
    }
}

fn refused(document: DocumentId, hash: Option<ChangeHash>, reason: &str, detail: impl ToString) -> Decided {
    let verdict = Verdict::Refused { reason: reason.to_owned() };
    Decided { document, hash, verdict, standing: Standing::Refused, detail: Some(detail.to_string()) }
}

fn quarantined(
    document: DocumentId,
    hash: ChangeHash,
    rule: &str,
    because: Option<ChangeHash>,
    detail: Option<String>,
) -> Decided {
    let verdict = Verdict::Quarantined { rule: rule.to_owned(), because };
    Decided { document, hash: Some(hash), verdict, standing: Standing::Quarantined, detail }
}

#[cfg(test)]
mod tests;
