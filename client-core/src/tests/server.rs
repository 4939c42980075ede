//! A server in memory: it enrols, receipts, relays and signs checkpoints as a real one does, and can be
//! told to misbehave.

mod announcements;
mod keys;
mod photos;
mod relay;
mod replay;
mod resuming;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ruhu_ledger::batch::{Anchor, Batch, BatchId, change_hash};
use ruhu_ledger::certificate::{
    Certificate, CertificateKind, Revocation, SignedCertificate, SignedRevocation,
};
use ruhu_ledger::checkpoint::Checkpoint;
use ruhu_ledger::decision::SignedDecision;
use ruhu_ledger::receipt::{Receipt, SignedReceipt};
use ruhu_ledger::replay::{ReplayReader, ReplayWriter, StreamStart};
use ruhu_ledger::signature::{PublicKey, SecretKey};
use ruhu_ledger::tree::{EMPTY_ROOT, Hash, Nodes, consistency_proof, root_of};
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::ChangeHash;
use ruhu_survey::id::{DeploymentId, DeviceId, EpochId, HouseholdId, UserId, VillageId};
use ruhu_survey::photo::PhotoAddress;
use ruhu_survey::role::Role;
use ruhu_sync::announce::Told;
use ruhu_sync::authenticate::{REQUEST_DOMAIN, request_digest};
use ruhu_sync::frame::decode_all;
use ruhu_sync::request::{Hello, VillageQuery};
use ruhu_sync::response::{
    BatchProblem, CheckpointFrame, ProblemOutcome, Relayed, RelayedDecision, RelayedReplay, VillageDone,
    VillageKeys, Welcome,
};
use ruhu_sync::snapshot::Sealed;
use ruhu_sync::{
    Cursor, Fingerprint, KeyBytes, PROTOCOL_VERSION, Refused, RequestFrame, ResponseFrame, encode_all,
};
use sha2::{Digest, Sha256};
use verdicts::quarantined;

pub(super) use self::photos::Came;
use super::shelf::Shelf;
use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError};

/// When the server has whatever it gets, milliseconds since 1970.
/// When every batch is received.
pub(super) const RECEIVED_MS: i64 = 1_755_000_000_000;

/// What the server is to do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Does nothing wrong: another fault waits for a later request.
    TellsTheTruth,
    /// Takes the request in and breaks the connection before it answers.
    LosesTheAnswer,
    /// Breaks the connection after so many bytes of the answer.
    CutsAfter(usize),
    /// Breaks the connection after so many bytes of the request, and keeps them.
    CutsTheRequestAfter(usize),
    /// Breaks the connection inside the request, and keeps nothing.
    SwallowsTheRequest,
    /// Has something else in the place of what it kept of a request.
    HoldsOtherBytes,
    /// Has forgotten what it kept of a request just after it said that it has it.
    ForgetsWhatItHeld,
    /// Cannot be reached.
    IsDown,
    /// Has forgotten every nonce.
    ForgetsNonces,
    /// Says of whatever comes that its beginning is not held, as an answer that is brought again does.
    SaysThatNothingIsHeld,
    /// Answers with a log-in page.
    IsAPortal,
    /// Answers with a log-in page when a nonce is asked for.
    IsAPortalAtFirst,
    /// A gateway answers that nobody is behind it, whatever is asked for.
    IsBehindAGateway,
    /// Something on the way repeats the first answer of a sync.
    IsRepeated,
    /// Signs a checkpoint of another history of the same size and more.
    RewritesTheLog,
    /// Gives receipts signed by another key.
    SignsWithAnotherKey,
    /// Flips a bit in every relayed batch.
    DamagesBatches,
    /// Says another fingerprint.
    Miscounts,
    /// Understands no replay stream.
    WantsRaw,
    /// Spoils the replay stream of its answer.
    SpoilsTheStream,
}

/// One item of a village's feed.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Batch { device: DeviceId, bytes: Vec<u8>, receipt: SignedReceipt },
    Decision(SignedDecision),
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) certificates: BTreeMap<DeviceId, SignedCertificate>,
    pub(super) older: Vec<SignedCertificate>,
    pub(super) revocations: Vec<SignedRevocation>,
    pub(super) feeds: BTreeMap<VillageId, Vec<Item>>,
    pub(super) accepted: BTreeMap<VillageId, BTreeSet<ChangeHash>>,
    pub(super) receipts: BTreeMap<BatchId, SignedReceipt>,
    leaves: Vec<Hash>,
    keys: BTreeMap<HouseholdId, KeyBytes<64>>,
    nonces: BTreeSet<String>,
    nonce: u64,
    faults: Vec<Fault>,
    /// The last request: its id and its bytes.
    held: (String, Vec<u8>),
    /// The paths of all requests, what is asked about one of them left out.
    asked: Vec<&'static str>,
    /// How many bytes of a body came with the last sync request.
    last_body: usize,
    refuse: BTreeMap<ChangeHash, Verdict>,
    refuse_next: Option<Verdict>,
    first_answer: Option<HttpResponse>,
    pub(super) gives_snapshots: bool,
    pub(super) snapshots: BTreeMap<String, Sealed>,
    /// Signs snapshots with another key.
    pub(super) forges_snapshots: bool,
    /// Flips a bit in the middle of every snapshot.
    pub(super) damages_snapshots: bool,
    pub(super) snapshot_answer_bytes: Option<usize>,
    /// Names a document in repairs that there is none of.
    pub(super) invents_document: bool,
    /// Says another fingerprint, always.
    pub(super) miscounts: bool,
    shelves: BTreeMap<VillageId, Shelf>,
    /// How many batches came in replay streams and were understood.
    replayed: usize,
    /// Changes that put this key are quarantined.
    forbidden: Option<String>,
    numbers: BTreeSet<(DeviceId, VillageId, u64)>,
    /// Devices whose chains have two batches of one number.
    forked: BTreeSet<DeviceId>,
    /// Whether a device is given what it wrote itself, where its vector does not name it.
    tells_own: bool,
    loses_replacements: bool,
    pub(super) photos: BTreeMap<PhotoAddress, Came>,
    /// The bytes of each piece of a photo that was taken.
    photo_pieces: Vec<usize>,
    /// Refuses whatever is about photos.
    pub(super) refuses_photos: Option<(u16, &'static str)>,
    /// Says of every photo that its bytes are others.
    pub(super) spoils_photos: bool,
    /// What each device last announced about a village, and up to where the asker was told.
    pub(super) announcements: BTreeMap<VillageId, Vec<Told>>,
    given: BTreeMap<VillageId, u64>,
    /// Whose device enrols next; a new person's without it.
    owner: Option<UserId>,
    /// Keys that were given up for a new one.
    retired: BTreeSet<DeviceId>,
}

/// The server.
#[derive(Debug)]
pub(super) struct FakeServer {
    key: SecretKey,
    pub(super) deployment: DeploymentId,
    pub(super) villages: Vec<VillageId>,
    epoch: Mutex<EpochId>,
    pub(super) state: Mutex<State>,
}

impl Nodes for State {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let from = usize::try_from(index << level).ok()?;
        let leaves = self.leaves.get(from..from + (1 << level))?;
        Some(root_of(leaves.iter().copied()))
    }
}

impl FakeServer {
    pub(super) fn new() -> Self {
        Self::of(77)
    }

    /// A server of its own, with another key.
    pub(super) fn of(seed: u8) -> Self {
        Self {
            key: SecretKey::from_seed([seed; 32]),
            deployment: DeploymentId::from_bytes([0xd0; 16]),
            villages: vec![VillageId::from_bytes([1; 16]), VillageId::from_bytes([2; 16])],
            epoch: Mutex::new(EpochId::from_bytes([0xe0; 16])),
            state: Mutex::default(),
        }
    }

    pub(super) fn link(&self) -> String {
        let key = URL_SAFE_NO_PAD.encode(self.key.public().0);
        format!("ruhu:enrol?server=http://127.0.0.1:1&code=K7QD-92MX-4T&key={key}")
    }

    /// Gives snapshots from now on, or none.
    pub(super) fn give_snapshots(&self, gives: bool) {
        self.state.lock().unwrap().gives_snapshots = gives;
    }

    /// Sets one of the server's lasting vices.
    pub(super) fn vice(&self, set: impl FnOnce(&mut State)) {
        set(&mut self.state.lock().unwrap());
    }

    pub(super) fn snapshot_key(&self, state: &State) -> SecretKey {
        if state.forges_snapshots { SecretKey::from_seed([78; 32]) } else { self.key.clone() }
    }

    pub(super) fn epoch(&self) -> EpochId {
        *self.epoch.lock().unwrap()
    }

    /// Is restored from a backup that held nothing but the devices: a new epoch begins.
    pub(super) fn restore_empty(&self) {
        *self.epoch.lock().unwrap() = EpochId::from_bytes([0xe1; 16]);
        let mut state = self.state.lock().unwrap();
        let certificates = std::mem::take(&mut state.certificates);
        *state = State { certificates, ..State::default() };
    }

    /// Gives a device a newer certificate, for these villages and with this role.
    pub(super) fn certify_again(&self, device: DeviceId, villages: &[VillageId], role: Role) {
        self.certify_from(device, villages, role, 1_756_000_000_000);
    }

    /// As [`Self::certify_again`], from a moment on.
    pub(super) fn certify_from(&self, device: DeviceId, villages: &[VillageId], role: Role, from_ms: i64) {
        let villages = villages.iter().copied().collect();
        self.certify(device, |held| Certificate { villages, role, from_ms, ..held });
    }

    /// Gives a device a newer certificate, made of the one it holds.
    pub(super) fn certify(&self, device: DeviceId, newer: impl FnOnce(Certificate) -> Certificate) {
        let mut state = self.state.lock().unwrap();
        let held = state.certificates.get(&device).unwrap().statement.clone();
        let certificate = Certificate { serial: held.serial + 100, ..newer(held.clone()) };
        let before = state.certificates[&device].clone();
        state.older.push(before);
        state.certificates.insert(device, SignedCertificate::sign(certificate, &self.key).unwrap());
    }

    /// Revokes a device's key as of a moment.
    pub(super) fn revoke(&self, device: DeviceId, at_ms: i64) {
        let revocation = Revocation { deployment: self.deployment, device, at_ms, reason: "lost".to_owned() };
        let signed = SignedRevocation::sign(revocation, &self.key).unwrap();
        self.state.lock().unwrap().revocations.push(signed);
    }

    /// Does these things wrong, one request each.
    pub(super) fn faults(&self, faults: &[Fault]) {
        self.state.lock().unwrap().faults = faults.iter().rev().copied().collect();
    }

    /// Gives the next batch's last change this verdict.
    pub(super) fn refuse_next(&self, verdict: Verdict) {
        self.state.lock().unwrap().refuse_next = Some(verdict);
    }

    pub(super) fn batches(&self) -> usize {
        self.state.lock().unwrap().receipts.len()
    }

    pub(super) fn last_body(&self) -> u64 {
        self.state.lock().unwrap().last_body as u64
    }

    /// Whether everything that it was told to do wrong was done.
    pub(super) fn has_no_faults_left(&self) -> bool {
        self.state.lock().unwrap().faults.is_empty()
    }

    /// How many batches came in replay streams and were understood.
    pub(super) fn replayed(&self) -> usize {
        self.state.lock().unwrap().replayed
    }

    pub(super) fn keys(&self) -> usize {
        self.state.lock().unwrap().keys.len()
    }

    pub(super) fn accepted(&self, village: VillageId) -> usize {
        self.state.lock().unwrap().accepted.get(&village).map_or(0, BTreeSet::len)
    }

    fn enrol(&self, request: &HttpRequest) -> HttpResponse {
        let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let key = URL_SAFE_NO_PAD.decode(asked["public_key"].as_str().unwrap()).unwrap();
        let key = PublicKey(key.try_into().unwrap());
        let mut state = self.state.lock().unwrap();
        if state.retired.contains(&key.device_id()) {
            let body = br#"{"code":"enrolment_key_revoked","status":409,"title":"the key was revoked"}"#;
            return answer(409, body.to_vec(), &[]);
        }
        let serial = state.certificates.len() as u64 + 1;
        let before = state.certificates.get(&key.device_id()).cloned();
        if let Some(before) = before.filter(|held| held.statement.kind == CertificateKind::Provisional) {
            // In the very millisecond of the last receipt: what came before it was still kept apart.
            let (kind, from_ms) = (CertificateKind::Device, RECEIVED_MS);
            let renewed = Certificate { kind, serial: serial + 100, from_ms, ..before.statement.clone() };
            state.older.push(before);
            state.certificates.insert(key.device_id(), SignedCertificate::sign(renewed, &self.key).unwrap());
        }
        let owner = state.owner;
        let signed = state.certificates.entry(key.device_id()).or_insert_with(|| {
            let certificate = Certificate {
                deployment: self.deployment,
                serial,
                key,
                kind: CertificateKind::Device,
                user: owner.unwrap_or(UserId::from_bytes([u8::try_from(serial).unwrap(); 16])),
                role: if serial == 1 { Role::FirstSecretary } else { Role::WorkTeam },
                villages: self.villages.iter().copied().collect(),
                from_ms: 0,
                until_ms: 4_000_000_000_000,
                name: asked["device_name"].as_str().unwrap().to_owned(),
            };
            SignedCertificate::sign(certificate, &self.key).unwrap()
        });
        let villages: Vec<_> = self.villages.iter().enumerate().map(|(place, id)| {
            serde_json::json!({ "id": id, "code": format!("43082110120{place}"), "name": format!("云溪村{place}"),
                "search_key": URL_SAFE_NO_PAD.encode([5; 32]) })
        }).collect();
        let body = serde_json::json!({
            "deployment": self.deployment,
            "epoch": self.epoch(),
            "server_key": URL_SAFE_NO_PAD.encode(self.key.public().0),
            "certificate": URL_SAFE_NO_PAD.encode(signed.to_bytes()),
            "server_time_ms": 1_750_000_000_000_i64,
            "villages": villages,
            "user": { "id": signed.statement.user, "name": "张秀英", "role": signed.statement.role },
        });
        answer(200, body.to_string().into_bytes(), &[])
    }

    pub(super) fn nonce(&self) -> String {
        let mut state = self.state.lock().unwrap();
        state.nonce += 1;
        let nonce = format!("{:016x}", state.nonce);
        state.nonces.insert(nonce.clone());
        nonce
    }

    fn sync(&self, request: &HttpRequest, fault: Option<Fault>) -> HttpResponse {
        let fresh = [("ruhu-nonce", self.nonce())];
        self.state.lock().unwrap().last_body = request.body.len();
        let body = self.whole_body(request, fault);
        let Some(body) = body.filter(|_| !matches!(fault, Some(Fault::SaysThatNothingIsHeld))) else {
            return problem(409, "request_not_held", &fresh);
        };
        let checked = self.check(request, &body);
        if !matches!(checked, Err((_, "signature_invalid"))) {
            self.state.lock().unwrap().held = (header(request, "ruhu-request"), body.clone());
        }
        if let Err((status, code)) = checked {
            return problem(status, code, &fresh);
        }
        answer(200, encode_all(&self.frames(&body, fault)), &fresh)
    }

    /// Checks nonce and signature.
    pub(super) fn check(&self, request: &HttpRequest, body: &[u8]) -> Result<(), (u16, &'static str)> {
        let nonce = header(request, "ruhu-nonce");
        if !self.state.lock().unwrap().nonces.remove(&nonce) {
            return Err((401, "nonce_unknown"));
        }
        self.check_signature(request, &nonce, body)
    }

    fn check_signature(
        &self,
        request: &HttpRequest,
        nonce: &str,
        body: &[u8],
    ) -> Result<(), (u16, &'static str)> {
        let device: DeviceId = header(request, "ruhu-device").parse().unwrap();
        let certificate = self.state.lock().unwrap().certificates.get(&device).cloned().unwrap();
        let digest = request_digest(request.method, &request.path, nonce, &Sha256::digest(body).into());
        let signature = base64::engine::general_purpose::STANDARD.decode(header(request, "ruhu-signature"));
        let signature = ruhu_ledger::signature::Signature(signature.unwrap().try_into().unwrap());
        let verified = certificate.statement.key.verify_strict(REQUEST_DOMAIN, &digest, &signature);
        verified.map_err(|_| (401, "signature_invalid"))
    }

    fn frames(&self, body: &[u8], fault: Option<Fault>) -> Vec<ResponseFrame> {
        let mut state = self.state.lock().unwrap();
        let mut hello: Option<Hello> = None;
        let mut queries = Vec::new();
        let mut answers = vec![ResponseFrame::Welcome(Welcome {
            protocol: PROTOCOL_VERSION,
            epoch: self.epoch(),
            server_time_ms: 1_750_000_000_000,
            schema: 1,
        })];
        let (mut stream, mut place) = (None, 0);
        for frame in decode_all::<RequestFrame>(body).unwrap() {
            match frame {
                RequestFrame::Hello(said) => hello = Some(said),
                RequestFrame::Village(query) => queries.push(query),
                RequestFrame::Key(key) => {
                    state.keys.insert(key.household, key.key);
                    answers.push(ResponseFrame::KeysHeld([key.household].into()));
                }
                RequestFrame::Batch(bytes) => {
                    answers.push(self.take(&mut state, &bytes, fault));
                    place += 1;
                }
                RequestFrame::Replay(bytes) => {
                    let stream = stream.get_or_insert_with(|| {
                        ReplayReader::new(self.stream_start(&state, hello.as_ref().unwrap()))
                    });
                    let village = queries.last().unwrap().village;
                    answers.push(self.replay(&mut state, stream, &bytes, (village, place), fault));
                    place += 1;
                }
                RequestFrame::Announcement(said) => {
                    Self::hear(&mut state, hello.as_ref(), queries.last(), said);
                }
                RequestFrame::OldReceipt(_) | RequestFrame::Offer(_) => {}
            }
        }
        let hello = hello.unwrap();
        let kind = state.certificates[&hello.device].statement.kind;
        let barred = match kind {
            _ if state.retired.contains(&hello.device) => Some("key_copied"),
            CertificateKind::Provisional => Some("device_provisional"),
            _ => None,
        };
        if let Some(code) = barred {
            if answers.len() == 1 {
                let (code, detail) = (code.to_owned(), String::new());
                return vec![ResponseFrame::Refused(Refused { code, detail, upgrade: None })];
            }
            answers.extend(state.revocations.iter().cloned().map(ResponseFrame::Revocation));
            answers.push(ResponseFrame::Bye);
            return answers;
        }
        let certificates = state.older.iter().chain(state.certificates.values());
        answers.extend(certificates.cloned().map(ResponseFrame::Certificate));
        answers.extend(state.revocations.iter().cloned().map(ResponseFrame::Revocation));
        let mut writer = ReplayWriter::new(&self.stream_start(&state, &hello)).unwrap();
        for query in &queries {
            self.relay(&state, &hello, query, fault, (&mut writer, &mut answers));
        }
        answers.push(self.checkpoint(&state, &hello, fault));
        answers.push(ResponseFrame::Bye);
        answers
    }

    fn take(&self, state: &mut State, bytes: &[u8], fault: Option<Fault>) -> ResponseFrame {
        let batch = Batch::from_bytes(bytes).unwrap();
        if let Some(receipt) = state.receipts.get(&batch.id()) {
            return ResponseFrame::Receipt(receipt.clone());
        }
        let certificate = state.certificates.get(&batch.header.device).unwrap().statement.clone();
        batch.verify(&certificate).unwrap();
        if !state.numbers.insert((batch.header.device, batch.header.village, batch.header.number)) {
            state.forked.insert(batch.header.device);
        }
        let blanket = match certificate.kind {
            _ if state.retired.contains(&batch.header.device) => Some("device_revoked"),
            CertificateKind::Provisional => Some("device_provisional"),
            _ if certificate.until_ms <= RECEIVED_MS => Some("certificate_expired"),
            _ => None,
        };
        let body = batch.open().unwrap();
        let mut verdicts = Vec::new();
        let last = body.changes.len() - 1;
        for (place, (_, raw)) in body.changes.iter().enumerate() {
            let hash = change_hash(raw).unwrap();
            let verdict = match &state.refuse_next {
                Some(verdict) if place == last => verdict.clone(),
                _ => blanket.map_or_else(|| state.verdict(raw), |rule| quarantined(rule, None)),
            };
            if verdict == Verdict::Accepted {
                state.accepted.entry(batch.header.village).or_default().insert(hash);
            } else {
                state.refuse.insert(hash, verdict.clone());
            }
            verdicts.push(verdict);
        }
        state.refuse_next = None;
        state.shelves.entry(batch.header.village).or_default().take(&batch, &verdicts);
        let receipt = Receipt {
            epoch: self.epoch(),
            batch: batch.id(),
            leaf_index: state.leaves.len() as u64,
            received_ms: RECEIVED_MS,
            anchor_ms: Some(1_754_000_000_000),
            verdicts,
        };
        let key = match fault {
            Some(Fault::SignsWithAnotherKey) => SecretKey::from_seed([78; 32]),
            _ => self.key.clone(),
        };
        state.leaves.push(receipt.leaf(&batch.header).hash());
        let signed = SignedReceipt::sign(receipt, &key).unwrap();
        state.receipts.insert(batch.id(), SignedReceipt::sign(signed.statement.clone(), &self.key).unwrap());
        let (device, receipt) = (batch.header.device, state.receipts[&batch.id()].clone());
        let item = Item::Batch { device, bytes: bytes.to_vec(), receipt };
        state.feeds.entry(batch.header.village).or_default().push(item);
        ResponseFrame::Receipt(signed)
    }
}

fn header(request: &HttpRequest, name: &str) -> String {
    let found = request.headers.iter().find(|(found, _)| *found == name);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

pub(super) fn problem(status: u16, code: &str, headers: &[(&str, String)]) -> HttpResponse {
    let body = format!(r#"{{"code":"{code}","status":{status},"title":"{code}"}}"#);
    answer(status, body.into_bytes(), headers)
}

pub(super) fn answer(status: u16, body: Vec<u8>, headers: &[(&str, String)]) -> HttpResponse {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    HttpResponse { status, headers, body, whole: true }
}

impl Transport for FakeServer {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        self.note(&request);
        let at_first = |fault: &mut Fault| matches!(fault, Fault::IsAPortalAtFirst | Fault::IsBehindAGateway);
        if request.path == "/v1/nonces" {
            let fault = self.state.lock().unwrap().faults.pop_if(at_first);
            return match fault {
                Some(Fault::IsBehindAGateway) => Ok(answer(502, b"<html>bad gateway</html>".to_vec(), &[])),
                Some(_) => Ok(answer(200, b"<html>log in</html>".to_vec(), &[])),
                None => Ok(answer(200, Vec::new(), &[("ruhu-nonce", self.nonce())])),
            };
        }
        if request.path.starts_with("/v1/sync/held") {
            return Ok(resuming::named(&request, self.held(&request)));
        }
        let about_photo = request.path.contains("/photos/");
        let beside = request.path.starts_with("/v1/villages") || request.path.starts_with("/v1/households");
        let fault = {
            let mut state = self.state.lock().unwrap();
            // What is asked for beside a sync fails only where a test is about it.
            if beside && !about_photo && !state.gives_snapshots { None } else { state.faults.pop() }
        };
        match fault {
            Some(Fault::SwallowsTheRequest) => return Err(TransportError::Cut),
            Some(Fault::CutsTheRequestAfter(bytes)) => {
                self.cut(&request, bytes);
                return Err(TransportError::Cut);
            }
            Some(Fault::IsBehindAGateway) => {
                return Ok(answer(502, b"<html>bad gateway</html>".to_vec(), &[]));
            }
            Some(Fault::IsDown) => return Err(TransportError::Unreachable),
            Some(Fault::ForgetsNonces) => self.state.lock().unwrap().nonces.clear(),
            Some(Fault::IsAPortal) => return Ok(answer(200, b"<html>log in</html>".to_vec(), &[])),
            _ => {}
        }
        if request.path == "/v1/enrolments" {
            return Ok(self.enrol(&request));
        }
        if request.path == "/v1/enrolments/replacements" {
            let answered = self.replace_key(&request);
            let lost = self.state.lock().unwrap().loses_replacements;
            return if lost { Err(TransportError::Cut) } else { Ok(answered) };
        }
        let response = match beside {
            _ if about_photo => self.photo(&request),
            true => self.beside(&request),
            false => self.sync(&request, fault),
        };
        let mut response = resuming::named(&request, response);
        let first = match beside {
            true => HttpResponse::default(),
            false => self.state.lock().unwrap().first_answer.get_or_insert_with(|| response.clone()).clone(),
        };
        match fault {
            Some(Fault::IsRepeated) => Ok(first),
            Some(Fault::LosesTheAnswer) => Err(TransportError::Cut),
            Some(Fault::CutsAfter(bytes)) => {
                response.body.truncate(bytes);
                response.whole = false;
                Ok(response)
            }
            _ => Ok(response),
        }
    }
}
