//! A device written by hand: a key, a certificate, and requests as raw as a test wants them.
//!
//! It speaks real HTTP through the product's own transport, but builds every frame, batch and signature
//! itself, so it can also build wrong ones.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ruhu_client_core::{HttpRequest, HttpResponse, HttpTransport, Transport as _, TransportError};
use ruhu_ledger::batch::{Anchor, Batch, BatchBody, UnsealedHeader};
use ruhu_ledger::certificate::{Certificate, SignedCertificate};
use ruhu_ledger::signature::SecretKey;
use ruhu_survey::change::{ActorId, DocumentId, Value as Field};
use ruhu_survey::id::{EpochId, HouseholdId, VillageId};
use ruhu_survey::register::{ChangeBuilder, Register};
use ruhu_sync::authenticate::{
    HEADER_DEVICE, HEADER_NONCE, HEADER_SIGNATURE, REQUEST_DOMAIN, request_digest,
};
use ruhu_sync::frame::decode_all;
use ruhu_sync::request::{Hello, VillageQuery};
use ruhu_sync::{BatchId, PROTOCOL_VERSION, RequestFrame, ResponseFrame, encode_all};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::world::World;

/// The clock of everything written by hand, seconds since 1970: an hour in September 2026.
pub(crate) const CLAIMED_AT: i64 = 1_790_000_000;
/// The one opening of the hand's store.
pub(crate) const OPENING: [u8; 8] = [7; 8];

/// HTTP to a server, waiting for each answer.
pub(crate) struct Web {
    transport: HttpTransport,
    runtime: tokio::runtime::Runtime,
}

impl Web {
    pub(crate) fn new(world: &World) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { transport: HttpTransport::new(&world.url()).unwrap(), runtime }
    }

    pub(crate) fn send(
        &self,
        method: &'static str,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> HttpResponse {
        let request = HttpRequest { method, path: path.to_owned(), headers, body };
        match self.runtime.block_on(self.transport.send(request.clone())) {
            // The server was started again since: its old connection ends with the first use.
            Err(TransportError::Cut) => self.runtime.block_on(self.transport.send(request)).unwrap(),
            answered => answered.unwrap(),
        }
    }

    /// A read by a person with a token: the status and the JSON.
    pub(crate) fn get(&self, token: &str, path: &str) -> (u16, Value) {
        let response = self.send("GET", path, vec![("authorization", format!("Bearer {token}"))], Vec::new());
        (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
    }

    /// A read that must succeed.
    pub(crate) fn read(&self, token: &str, path: &str) -> Value {
        let (status, value) = self.get(token, path);
        assert_eq!(status, 200, "{path}: {value}");
        value
    }
}

/// A device that is enrolled and can send anything.
pub(crate) struct Hand {
    pub(crate) web: Web,
    pub(crate) key: SecretKey,
    pub(crate) certificate: Certificate,
    epoch: EpochId,
    codes: BTreeMap<String, VillageId>,
    chains: RefCell<BTreeMap<VillageId, (u64, BatchId)>>,
    nonce: RefCell<Option<String>>,
    made: Cell<u8>,
}

impl Hand {
    /// Enrols over `POST /v1/enrolments` for a new person in a region.
    pub(crate) fn enrol(world: &World, name: &str, role: &str, region: &str) -> Self {
        let key = SecretKey::from_seed(Sha256::digest(name).into());
        let link = world.invite(name, role, region);
        let code = link.split(['?', '&']).find_map(|part| part.strip_prefix("code=")).unwrap();
        let web = Web::new(world);
        let (status, answer) = enrolment(&web, &key, code, name);
        assert_eq!(status, 200, "{answer}");
        let bytes = URL_SAFE_NO_PAD.decode(answer["certificate"].as_str().unwrap()).unwrap();
        let villages = answer["villages"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            web,
            key,
            certificate: SignedCertificate::from_bytes(&bytes).unwrap().statement,
            epoch: text(&answer["epoch"]).parse().unwrap(),
            codes: villages.map(|one| (text(&one["code"]), text(&one["id"]).parse().unwrap())).collect(),
            chains: RefCell::default(),
            nonce: RefCell::default(),
            made: Cell::new(0),
        }
    }

    /// A village of this device by its official code.
    pub(crate) fn village(&self, code: &str) -> VillageId {
        self.codes[code]
    }

    /// An honest first change of a new household.
    pub(crate) fn new_household(&self, group: &str) -> (DocumentId, Vec<u8>) {
        self.made.set(self.made.get() + 1);
        let actor = ActorId::derive(self.certificate.device(), OPENING);
        let empty = Register::default();
        let mut builder = ChangeBuilder::new(&empty, actor, CLAIMED_AT);
        builder.put("group_name", Field::Text(group.to_owned()));
        (household(&self.certificate, self.made.get()).into(), builder.finish().unwrap().1.bytes)
    }

    /// The next batch of this device's chain in a village, honestly signed. It is not part of the chain
    /// before [`Hand::keep`].
    pub(crate) fn seal(&self, village: VillageId, changes: Vec<(DocumentId, Vec<u8>)>) -> Batch {
        let last = self.chains.borrow().get(&village).copied();
        let unsealed = UnsealedHeader {
            deployment: self.certificate.deployment,
            device: self.certificate.device(),
            user: self.certificate.user,
            village,
            number: last.map_or(1, |(number, _)| number + 1),
            previous: last.map(|(_, id)| id),
            anchor: Anchor::start(self.epoch),
            schema: 1,
            wall_ms: CLAIMED_AT * 1000,
            monotonic_ms: 1,
        };
        Batch::seal(&self.key, unsealed, &BatchBody { openings: vec![OPENING], changes }).unwrap()
    }

    /// The batch is the newest of the chain from now on.
    pub(crate) fn keep(&self, batch: &Batch) {
        self.chains.borrow_mut().insert(batch.header.village, (batch.header.number, batch.id()));
    }

    pub(crate) fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            deployment: self.certificate.deployment,
            device: self.certificate.device(),
            schema: 1,
            replay: false,
            checkpoint_size: 0,
        }
    }

    /// The body of a request about one village with these batches.
    pub(crate) fn body(&self, village: VillageId, batches: &[Vec<u8>]) -> Vec<u8> {
        let query = VillageQuery { village, cursor: None, keys_given: 0, vector: BTreeSet::new() };
        let mut frames = vec![RequestFrame::Hello(self.hello()), RequestFrame::Village(query)];
        frames.extend(batches.iter().cloned().map(RequestFrame::Batch));
        encode_all(&frames)
    }

    /// The headers that prove a body under a nonce.
    pub(crate) fn proof(&self, nonce: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        let digest = request_digest("POST", "/v1/sync", nonce, &Sha256::digest(body).into());
        vec![
            (HEADER_DEVICE, self.certificate.device().to_string()),
            (HEADER_NONCE, nonce.to_owned()),
            (HEADER_SIGNATURE, STANDARD.encode(self.key.sign(REQUEST_DOMAIN, &digest).0)),
        ]
    }

    pub(crate) fn fresh_nonce(&self) -> String {
        let response = self.web.send("POST", "/v1/nonces", Vec::new(), Vec::new());
        response.header(HEADER_NONCE).unwrap().to_owned()
    }

    /// Posts a body with an honest proof; again if the server was started again and has forgotten the nonce.
    pub(crate) fn post(&self, body: Vec<u8>) -> HttpResponse {
        let nonce = self.nonce.take().unwrap_or_else(|| self.fresh_nonce());
        let mut response = self.web.send("POST", "/v1/sync", self.proof(&nonce, &body), body.clone());
        if response.status == 401 && refusal(&response).1 == "nonce_unknown" {
            let nonce = response.header(HEADER_NONCE).unwrap().to_owned();
            response = self.web.send("POST", "/v1/sync", self.proof(&nonce, &body), body);
        }
        self.nonce.replace(response.header(HEADER_NONCE).map(str::to_owned));
        response
    }

    /// Sends batches of a village in a request that must be answered with frames.
    pub(crate) fn push(&self, village: VillageId, batches: &[Vec<u8>]) -> Vec<ResponseFrame> {
        frames(&self.post(self.body(village, batches)))
    }
}

fn household(certificate: &Certificate, number: u8) -> HouseholdId {
    let mut random = [number; 10];
    random[..8].copy_from_slice(&certificate.device().as_bytes()[..8]);
    HouseholdId::v7(1_790_000_000_000, random)
}

/// Asks to enrol a key with a code: the status and the answer.
pub(crate) fn enrolment(web: &Web, key: &SecretKey, code: &str, name: &str) -> (u16, Value) {
    let public = key.public();
    let plain: String = code.chars().filter(|letter| *letter != '-').collect();
    let digest = Sha256::digest([plain.as_bytes(), b"\n", &public.0, name.as_bytes()].concat());
    let asked = json!({
        "code": code, "public_key": URL_SAFE_NO_PAD.encode(public.0), "device_name": name,
        "proof": URL_SAFE_NO_PAD.encode(key.sign("ruhu/enrolment/1", &digest.into()).0),
    });
    let headers = vec![("content-type", "application/json".to_owned())];
    let response = web.send("POST", "/v1/enrolments", headers, asked.to_string().into_bytes());
    (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
}

/// The frames of an answer.
pub(crate) fn frames(response: &HttpResponse) -> Vec<ResponseFrame> {
    let text = String::from_utf8_lossy(&response.body);
    assert_eq!(response.status, 200, "{text}");
    decode_all(&response.body).unwrap()
}

/// The status and the stable code of an answer that refuses.
pub(crate) fn refusal(response: &HttpResponse) -> (u16, String) {
    let problem: Value = serde_json::from_slice(&response.body).unwrap();
    (response.status, problem["code"].as_str().unwrap().to_owned())
}

/// The receipts among frames, as bytes.
pub(crate) fn receipts(frames: &[ResponseFrame]) -> Vec<Vec<u8>> {
    let receipt = |frame: &ResponseFrame| match frame {
        ResponseFrame::Receipt(receipt) => Some(receipt.to_bytes()),
        _ => None,
    };
    frames.iter().filter_map(receipt).collect()
}

/// The codes of the batches among frames that got no receipt.
pub(crate) fn problems(frames: &[ResponseFrame]) -> Vec<String> {
    let problem = |frame: &ResponseFrame| match frame {
        ResponseFrame::BatchProblem(problem) => Some(problem.code.clone()),
        _ => None,
    };
    frames.iter().filter_map(problem).collect()
}
