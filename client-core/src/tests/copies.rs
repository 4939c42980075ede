//! What the server in memory gives in one piece, and how it answers a repair.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::batch::{Batch, BatchBody, change_hash};
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind, parse};
use ruhu_survey::id::{HouseholdId, VillageId};
use ruhu_sync::reconcile::{Item as RepairItem, symbols};
use ruhu_sync::repair::{RepairQuestion, SymbolsAnswer};
use ruhu_sync::response::{Relayed, RelayedDecision, VillageDone, Welcome};
use ruhu_sync::snapshot::{About, BatchLine, ChangeLine, Content, DocumentPart, LeftOut, Sealed, seal};
use ruhu_sync::{Cursor, DocumentToken, Fingerprint, PROTOCOL_VERSION, ResponseFrame, encode_all, state};

use super::server::{FakeServer, Item, State, answer, problem};
use crate::transport::{HttpRequest, HttpResponse};

/// One change of a feed as it stands now.
struct Told {
    hash: ChangeHash,
    bytes: Vec<u8>,
    batch: usize,
    position: u16,
    verdict: Verdict,
}

/// A feed read over: its batches, and the changes of each document as they stand.
struct Over {
    batches: Vec<BatchLine>,
    documents: BTreeMap<DocumentId, Vec<Told>>,
}

fn read_over(feed: &[Item]) -> Over {
    let (mut batches, mut documents): (Vec<BatchLine>, BTreeMap<DocumentId, Vec<Told>>) = Default::default();
    for (place, item) in feed.iter().enumerate() {
        match item {
            Item::Batch { bytes, receipt, .. } => {
                let batch = Batch::from_bytes(bytes).unwrap();
                let body = batch.open().unwrap();
                let line = batches.len();
                let roots = roots_of(&body);
                let roots_before = before(&batches, &batch);
                let changes = body.changes.into_iter().zip(&receipt.statement.verdicts);
                for (position, ((id, bytes), verdict)) in changes.enumerate() {
                    let hash = change_hash(&bytes).unwrap();
                    let position = u16::try_from(position).unwrap();
                    let told = Told { hash, bytes, batch: line, position, verdict: verdict.clone() };
                    documents.entry(id).or_default().push(told);
                }
                batches.push(BatchLine {
                    sequence: place as u64 + 1,
                    id: batch.id(),
                    device: batch.header.device,
                    user: batch.header.user,
                    number: batch.header.number,
                    previous: batch.header.previous,
                    wall_ms: batch.header.wall_ms,
                    received_ms: receipt.statement.received_ms,
                    anchor_ms: receipt.statement.anchor_ms,
                    tip: true,
                    openings: body.openings,
                    roots_before,
                    roots,
                });
            }
            Item::Decision(decision) => {
                let said = &decision.statement;
                let told = documents.values_mut().flatten().find(|told| told.hash == said.change).unwrap();
                told.verdict = said.verdict.clone();
            }
        }
    }
    let followed: BTreeSet<_> = batches.iter().filter_map(|line| line.previous).collect();
    batches.iter_mut().for_each(|line| line.tip = !followed.contains(&line.id));
    Over { batches, documents }
}

fn roots_of(body: &BatchBody) -> Vec<u16> {
    let places = body.changes.iter().zip(0..);
    places
        .filter(|((_, bytes), _)| parse(bytes).unwrap().0.dependencies.is_empty())
        .map(|(_, place)| place)
        .collect()
}

/// The roots of a chain before a batch.
fn before(batches: &[BatchLine], batch: &Batch) -> u64 {
    let previous = batches.iter().find(|line| Some(line.id) == batch.header.previous);
    previous.map_or(0, BatchLine::roots_after)
}

fn accepted(told: &[Told]) -> impl Iterator<Item = &Told> {
    told.iter().filter(|told| told.verdict == Verdict::Accepted)
}

fn token(id: DocumentId, told: &[Told]) -> Option<DocumentToken> {
    let edges: Vec<_> =
        accepted(told).map(|told| (told.hash, parse(&told.bytes).unwrap().0.dependencies)).collect();
    let heads = state::heads(edges.iter().map(|(hash, on)| (*hash, on.as_slice())));
    (!edges.is_empty()).then(|| DocumentToken::of(id, &heads))
}

/// Whom a check is about and when it began.
fn visited(told: &[Told]) -> Option<(HouseholdId, i64)> {
    use ruhu_survey::change::Value;
    let (change, _) = parse(&told.first()?.bytes).unwrap();
    let value = |key: &str| change.puts.iter().find(|put| put.key == key).map(|put| put.value.clone());
    match (value("household_id")?, value("started_at")?) {
        (Value::Text(household), Value::Int(started)) => Some((household.parse().unwrap(), started)),
        _ => None,
    }
}

/// The checks that are not the last of their household.
fn older(documents: &BTreeMap<DocumentId, Vec<Told>>) -> BTreeMap<DocumentId, HouseholdId> {
    let mut checks: Vec<(HouseholdId, i64, DocumentId)> = documents
        .iter()
        .filter(|(id, _)| id.kind == DocumentKind::Check)
        .filter_map(|(id, told)| visited(told).map(|(household, started)| (household, started, *id)))
        .collect();
    checks.sort_by_key(|(household, started, id)| (*household, *started, std::cmp::Reverse(*id)));
    let followed = checks.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    followed.map(|pair| (pair[0].2, pair[0].0)).collect()
}

impl FakeServer {
    /// Anything but a sync.
    pub(super) fn beside(&self, request: &HttpRequest) -> HttpResponse {
        let fresh = [("ruhu-nonce", self.nonce())];
        if let Err((status, code)) = self.check(request, &request.body) {
            return problem(status, code, &fresh);
        }
        let mut response = self.route(request);
        response.headers.extend(fresh.map(|(name, value)| (name.to_owned(), value)));
        response
    }

    fn route(&self, request: &HttpRequest) -> HttpResponse {
        let parts: Vec<&str> = request.path.split('/').collect();
        match parts.as_slice() {
            ["", "v1", "villages", village, "snapshot"] => self.give_statement(village.parse().unwrap()),
            ["", "v1", "villages", _, "snapshot", rest] => self.give_bytes(rest),
            ["", "v1", "villages", village, "repair"] => self.repair(village.parse().unwrap(), request),
            ["", "v1", "households", household, "batches?after=0"] => {
                self.household_batches(household.parse().unwrap())
            }
            other => panic!("nobody asks for {other:?}"),
        }
    }

    /// A snapshot of a village as it stands.
    pub(super) fn sealed(&self, state: &State, village: VillageId, key: &SecretKey) -> Sealed {
        let feed = state.feeds.get(&village).map_or(&[][..], Vec::as_slice);
        let Over { batches, documents } = read_over(feed);
        let older = older(&documents);
        let mut content = Content {
            certificates: state.older.iter().chain(state.certificates.values()).cloned().collect(),
            revocations: state.revocations.clone(),
            batches,
            ..Content::default()
        };
        content.certificates.sort_by_key(|signed| signed.statement.serial);
        for (id, told) in documents {
            let sum: Fingerprint = accepted(&told).map(|told| &told.hash).collect();
            match (older.get(&id), token(id, &told)) {
                (Some(household), Some(token)) => {
                    content.left_out.push(LeftOut { household: *household, token, sum: sum.value() });
                }
                _ => content.documents.push(part(id, told)),
            }
        }
        content.left_out.sort();
        let fingerprint: Fingerprint =
            state.accepted.get(&village).cloned().unwrap_or_default().iter().collect();
        let about = About {
            deployment: self.deployment,
            epoch: self.epoch(),
            village,
            number: feed.len() as u64,
            schema: 1,
            made_ms: 1_755_000_000_000,
            fingerprint: fingerprint.value(),
        };
        seal(&content, &about, key).unwrap()
    }

    /// The statement of a snapshot that is kept from then on.
    pub(super) fn give_statement(&self, village: VillageId) -> HttpResponse {
        let mut state = self.state.lock().unwrap();
        if !state.gives_snapshots {
            return not_found();
        }
        let sealed = self.sealed(&state, village, &self.snapshot_key(&state));
        let bytes = sealed.statement.to_bytes();
        state.snapshots.insert(ChangeHash(sealed.statement.statement.id()).to_string(), sealed);
        answer(200, bytes, &[])
    }

    pub(super) fn give_bytes(&self, rest: &str) -> HttpResponse {
        let (id, from) = rest.split_once("?from=").unwrap();
        let state = self.state.lock().unwrap();
        let Some(sealed) = state.snapshots.get(id) else { return not_found() };
        let from: usize = from.parse().unwrap();
        let mut packed = sealed.packed.clone();
        if state.damages_snapshots {
            let middle = packed.len() / 2;
            packed[middle] ^= 1;
        }
        let end = packed.len().min(from + state.snapshot_answer_bytes.unwrap_or(usize::MAX / 2));
        answer(200, packed.get(from..end).unwrap_or_default().to_vec(), &[])
    }

    pub(super) fn repair(&self, village: VillageId, request: &HttpRequest) -> HttpResponse {
        let state = self.state.lock().unwrap();
        let feed = state.feeds.get(&village).map_or(&[][..], Vec::as_slice);
        let Over { documents, .. } = read_over(feed);
        let tokens: BTreeMap<DocumentId, DocumentToken> =
            documents.iter().filter_map(|(id, told)| Some((*id, token(*id, told)?))).collect();
        match RepairQuestion::from_bytes(&request.body).unwrap() {
            RepairQuestion::Symbols { key, from, count } => {
                let mut items: BTreeSet<_> =
                    tokens.values().map(|token| RepairItem::of(&key, *token)).collect();
                items.extend(state.invents_document.then_some(RepairItem(0x1234_5678)));
                let symbols = symbols(&items, from + count).split_off(usize::try_from(from).unwrap());
                answer(200, SymbolsAnswer { fingerprint: 0, symbols }.to_bytes(), &[])
            }
            RepairQuestion::Documents { key, documents, .. } => {
                let wanted = |id: &DocumentId| {
                    tokens.get(id).is_some_and(|token| documents.contains(&RepairItem::of(&key, *token)))
                };
                answer(200, self.proofs(&state, village, wanted), &[])
            }
        }
    }

    pub(super) fn household_batches(&self, household: HouseholdId) -> HttpResponse {
        let state = self.state.lock().unwrap();
        let village = self.villages[0];
        let Over { documents, .. } = read_over(&state.feeds[&village]);
        let wanted = |id: &DocumentId| {
            *id == DocumentId::from(household)
                || documents.get(id).and_then(|told| visited(told)).is_some_and(|(of, _)| of == household)
        };
        answer(200, self.proofs(&state, village, wanted), &[])
    }

    /// The batches and decisions of some documents, with everything that proves them.
    fn proofs(&self, state: &State, village: VillageId, wanted: impl Fn(&DocumentId) -> bool) -> Vec<u8> {
        let mut frames = vec![ResponseFrame::Welcome(Welcome {
            protocol: PROTOCOL_VERSION,
            epoch: self.epoch(),
            server_time_ms: 1_750_000_000_000,
            schema: 1,
        })];
        let certificates = state.older.iter().chain(state.certificates.values());
        frames.extend(certificates.cloned().map(ResponseFrame::Certificate));
        let feed = state.feeds.get(&village).map_or(&[][..], Vec::as_slice);
        for (place, item) in feed.iter().enumerate() {
            let sequence = place as u64 + 1;
            match item {
                Item::Batch { bytes, receipt, .. } => {
                    let body = Batch::from_bytes(bytes).unwrap().open().unwrap();
                    if body.changes.iter().any(|(id, _)| wanted(id)) {
                        let (batch, receipt) = (bytes.clone(), receipt.clone());
                        frames.push(ResponseFrame::Relayed(Relayed { village, sequence, batch, receipt }));
                    }
                }
                Item::Decision(decision) => {
                    let decision = decision.clone();
                    frames.push(ResponseFrame::Decision(RelayedDecision { village, sequence, decision }));
                }
            }
        }
        let cursor = Cursor { epoch: self.epoch(), number: feed.len() as u64 };
        frames.push(ResponseFrame::VillageDone(VillageDone { village, cursor, fingerprint: 0, more: false }));
        frames.push(ResponseFrame::Bye);
        encode_all(&frames)
    }
}

fn part(id: DocumentId, told: Vec<Told>) -> DocumentPart {
    let mut part = DocumentPart { id, accepted: Vec::new(), apart: Vec::new() };
    let mut accepted = Vec::new();
    for told in told {
        let line = ChangeLine { bytes: told.bytes, batch: told.batch, position: told.position };
        match told.verdict {
            Verdict::Accepted => accepted.push((parse(&line.bytes).unwrap().0.start_op, told.hash, line)),
            verdict => part.apart.push((line, verdict)),
        }
    }
    accepted.sort_by_key(|(start_op, hash, _)| (*start_op, *hash));
    part.accepted = accepted.into_iter().map(|(_, _, line)| line).collect();
    part
}

fn not_found() -> HttpResponse {
    answer(404, br#"{"code":"not_found","status":404,"title":"not found"}"#.to_vec(), &[])
}
