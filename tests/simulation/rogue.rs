//! A modified program: it holds a good certificate and writes what its person may not, or what no program could.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ruhu_client_core::HttpRequest;
use ruhu_ledger::batch::{Anchor, Batch, BatchBody, BatchId, UnsealedHeader};
use ruhu_ledger::certificate::{Certificate, CertificateKind};
use ruhu_ledger::signature::SecretKey;
use ruhu_server::store::{LedgerStore as _, PeopleStore as _};
use ruhu_survey::change::{ActorId, ChangeHash, DocumentId, Value};
use ruhu_survey::id::UserId;
use ruhu_survey::register::{ChangeBuilder, Register};
use ruhu_survey::role::Role;
use ruhu_sync::authenticate::{
    HEADER_DEVICE, HEADER_NONCE, HEADER_SIGNATURE, REQUEST_DOMAIN, request_digest,
};
use ruhu_sync::request::{Hello, VillageQuery};
use ruhu_sync::{PROTOCOL_VERSION, RequestFrame, encode_all};
use sha2::{Digest as _, Sha256};

use crate::book::{Expected, Line};
use crate::dice::Dice;
use crate::host::VILLAGE;
use crate::link::Net;
use crate::turn::Running;
use crate::world::World;

const PATH: &str = "/v1/sync";
/// The node number under which the book holds what a modified program wrote.
pub const ROGUE: usize = 1_000;
const YEAR_MS: i64 = 365 * 24 * 3_600_000;

/// What the program does that it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offence {
    /// A key that no field table has.
    UnknownKey,
    /// A field of another role.
    RoleMayNotWrite,
    /// A field that only the server writes.
    ServerOnly,
    /// A number where a text belongs.
    WrongType,
    /// A change by an actor that is not one of the batch's openings.
    ForeignActor,
}

const OFFENCES: [Offence; 5] = [
    Offence::UnknownKey,
    Offence::RoleMayNotWrite,
    Offence::ServerOnly,
    Offence::WrongType,
    Offence::ForeignActor,
];

impl Offence {
    fn put(self) -> (&'static str, Value) {
        match self {
            Self::UnknownKey => ("bad_field", Value::Text("x".to_owned())),
            Self::RoleMayNotWrite => ("monitor_level", Value::Text("high".to_owned())),
            Self::ServerOnly => ("national_household_no", Value::Text("1".to_owned())),
            Self::WrongType => ("remarks", Value::Int(1)),
            Self::ForeignActor => ("remarks", Value::Text("樟树".to_owned())),
        }
    }

    const fn expected(self) -> Expected {
        match self {
            Self::UnknownKey => Expected::Quarantined("unknown_key"),
            Self::RoleMayNotWrite => Expected::Quarantined("role_may_not_write"),
            Self::ServerOnly => Expected::Quarantined("server_only"),
            Self::WrongType => Expected::Quarantined("wrong_type"),
            Self::ForeignActor => Expected::Refused,
        }
    }
}

/// The program.
#[derive(Debug)]
pub struct Rogue {
    key: SecretKey,
    user: UserId,
    number: u64,
    previous: Option<BatchId>,
}

/// Changes it wrote, and what must become of each.
#[derive(Default)]
struct Written {
    openings: BTreeSet<[u8; 8]>,
    changes: Vec<(DocumentId, Vec<u8>)>,
    expected: Vec<(ChangeHash, Expected)>,
}

/// Sends a few changes that must not come through.
pub(crate) fn send(world: &mut World<'_>) {
    let Some(document) = world.household() else { return };
    let mut rogue = world.rogue();
    let net = world.net.clone();
    let written = rogue.write(&net, document, &mut world.dice);
    net.tally.borrow_mut().edit("edits of a modified program", written.expected.len() as u64);
    for (hash, expected) in &written.expected {
        let line = Line {
            node: ROGUE,
            expected: expected.clone(),
            asked: Vec::new(),
            received: true,
            forgotten: false,
        };
        world.book.lines.insert((document, *hash), line);
    }
    let body = rogue.sealed(&net, written);
    let key = rogue.key.clone();
    world.trouble.rogue = Some(rogue);
    let delivering: Running<u16> = Box::pin(async move {
        let nonce = HttpRequest {
            method: "POST",
            path: "/v1/nonces".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let Some(answer) = net.deliver(&nonce, 0, 1).await else { return 0 };
        let nonce = answer.header(HEADER_NONCE).unwrap_or_default().to_owned();
        let request = signed(&key, &nonce, body);
        let answer = net.deliver(&request, request.body.len(), 1).await;
        answer.map_or(0, |answer| answer.status)
    });
    let status = world.turns.finish(delivering);
    if status != 200 {
        world.book.violations.push(format!("a modified program was answered {status}"));
    }
}

impl Rogue {
    /// A device of a work team member, with a good certificate.
    pub(crate) fn enrolled(net: &Net, dice: &mut Dice) -> Self {
        let key = SecretKey::from_seed(dice.bytes());
        // A server that came back from a backup may know the one before.
        let person = format!("modified {}", key.public().device_id());
        let user = net.host.add_person(&person, Role::WorkTeam);
        let now_ms = net.host.now_ms();
        net.host.certify(Certificate {
            deployment: net.host.store().deployment().unwrap().deployment,
            serial: 0,
            key: key.public(),
            kind: CertificateKind::Device,
            user,
            role: Role::WorkTeam,
            villages: [VILLAGE].into(),
            from_ms: now_ms,
            until_ms: now_ms + YEAR_MS,
            name: "modified".to_owned(),
        });
        Self { key, user, number: 0, previous: None }
    }

    fn write(&self, net: &Net, document: DocumentId, dice: &mut Dice) -> Written {
        let register = net.host.store().register(VILLAGE, document).unwrap();
        let mut written = Written::default();
        for _ in 0..=dice.below(3) {
            let offence = *dice.pick(&OFFENCES);
            let opening: [u8; 8] = dice.bytes();
            if offence != Offence::ForeignActor {
                written.openings.insert(opening);
            }
            let (key, value) = offence.put();
            let after = self.one(net, &register, (document, opening), (key, value), &mut written);
            written.expected.last_mut().unwrap().1 = offence.expected();
            if offence != Offence::ForeignActor && dice.per_mille(500) {
                // What stands on an offence is kept apart with it.
                let value = Value::Text("井边".to_owned());
                self.one(net, &after, (document, opening), ("remarks", value), &mut written);
            }
        }
        if written.openings.is_empty() {
            written.openings.insert(dice.bytes());
        }
        written
    }

    /// One change with one put; the register after it.
    fn one(
        &self,
        net: &Net,
        register: &Register,
        (document, opening): (DocumentId, [u8; 8]),
        (key, value): (&str, Value),
        written: &mut Written,
    ) -> Register {
        let actor = ActorId::derive(self.key.public().device_id(), opening);
        let mut builder = ChangeBuilder::new(register, actor, net.host.now_ms() / 1_000);
        builder.put(key, value);
        let (change, encoded) = builder.finish().unwrap();
        written.changes.push((document, encoded.bytes));
        written.expected.push((encoded.hash, Expected::Quarantined("depends_on_quarantined")));
        let mut after = register.clone();
        after.apply(&change, encoded.hash);
        after
    }

    /// The body of a sync request with one batch.
    fn sealed(&mut self, net: &Net, written: Written) -> Vec<u8> {
        let start = net.host.store().deployment().unwrap();
        let device = self.key.public().device_id();
        self.number += 1;
        let unsealed = UnsealedHeader {
            deployment: start.deployment,
            device,
            user: self.user,
            village: VILLAGE,
            number: self.number,
            previous: self.previous,
            anchor: Anchor::start(start.epoch),
            schema: 1,
            wall_ms: net.host.now_ms(),
            monotonic_ms: 0,
        };
        let body = BatchBody { openings: written.openings.into_iter().collect(), changes: written.changes };
        let batch = Batch::seal(&self.key, unsealed, &body).unwrap();
        self.previous = Some(batch.id());
        let hello = Hello {
            protocol: PROTOCOL_VERSION,
            deployment: start.deployment,
            device,
            schema: 1,
            replay: false,
            checkpoint_size: 0,
        };
        let query = VillageQuery { village: VILLAGE, cursor: None, keys_given: 0, vector: BTreeSet::new() };
        encode_all(&[
            RequestFrame::Hello(hello),
            RequestFrame::Village(query),
            RequestFrame::Batch(batch.to_bytes()),
        ])
    }
}

fn signed(key: &SecretKey, nonce: &str, body: Vec<u8>) -> HttpRequest {
    let digest = request_digest("POST", PATH, nonce, &Sha256::digest(&body).into());
    let signature = key.sign(REQUEST_DOMAIN, &digest);
    HttpRequest {
        method: "POST",
        path: PATH.to_owned(),
        headers: vec![
            (HEADER_DEVICE, key.public().device_id().to_string()),
            (HEADER_NONCE, nonce.to_owned()),
            (HEADER_SIGNATURE, STANDARD.encode(signature.0)),
        ],
        body,
    }
}
