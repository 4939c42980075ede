//! A server's store and tablets that write and seal batches for it, without the device's own store between:
//! what is measured with these is the server alone.

use std::collections::BTreeMap;
use std::path::Path;

use ruhu_ledger::batch::{Anchor, Batch, BatchBody, BatchId, UnsealedHeader};
use ruhu_ledger::certificate::{Certificate, CertificateKind, SignedCertificate};
use ruhu_ledger::epoch::{EpochStart, SignedEpochStart};
use ruhu_ledger::signature::SecretKey;
use ruhu_server::ingest::Outcome;
use ruhu_server::store::people::User;
use ruhu_server::store::{LedgerStore, PeopleStore, SqliteStore};
use ruhu_survey::change::{ActorId, ChangeHash, DocumentId};
use ruhu_survey::id::{DeploymentId, EpochId, UserId, VillageId};
use ruhu_survey::register::{ChangeBuilder, Register};
use ruhu_survey::role::Role;

const DEPLOYMENT: DeploymentId = DeploymentId::from_bytes([0xd0; 16]);
const EPOCH: EpochId = EpochId::from_bytes([0xe0; 16]);
pub(crate) const VILLAGE: VillageId = VillageId::from_bytes([0x11; 16]);
/// The morning of 2026-11-02 in China.
pub(crate) const MORNING_MS: i64 = 1_793_574_000_000;
const YEAR_MS: i64 = 365 * 24 * 3_600_000;

/// A server's store with its signing key.
pub(crate) struct Office {
    pub(crate) store: SqliteStore,
    signing: SecretKey,
}

impl Office {
    /// A server that was just set up, in a folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let store = SqliteStore::open(&folder.join("ruhu.db"), None).unwrap();
        let (signing, own) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
        let start = EpochStart {
            deployment: DEPLOYMENT,
            epoch: EPOCH,
            server_key: signing.public(),
            started_ms: MORNING_MS,
            previous: None,
        };
        let start = SignedEpochStart::sign(start, &signing).unwrap();
        let kind = CertificateKind::Server;
        let certificate = certificate(&own, 1, UserId::from_bytes([0xaa; 16]), kind, Role::Server);
        let certificate = SignedCertificate::sign(certificate, &signing).unwrap();
        store.deployment_begin(&start, &certificate).unwrap();
        Self { store, signing }
    }

    /// Enrols a tablet of a work team member.
    pub(crate) fn tablet(&self, seed: u8) -> Tablet {
        let key = SecretKey::from_seed([seed; 32]);
        let user = User {
            id: UserId::from_bytes([seed; 16]),
            name: format!("队员{seed}"),
            role: Role::WorkTeam,
            regions: std::collections::BTreeSet::new(),
        };
        self.store.user_add(&user, MORNING_MS).unwrap();
        let serial = self.store.next_serial().unwrap();
        let certificate = certificate(&key, serial, user.id, CertificateKind::Device, Role::WorkTeam);
        let code = [seed; 32];
        self.store.invite_add(user.id, &code, MORNING_MS, MORNING_MS + 1_000).unwrap();
        let signed = SignedCertificate::sign(certificate, &self.signing).unwrap();
        self.store.invite_redeem(&code, &signed, MORNING_MS).unwrap();
        Tablet { key, user: user.id, opening: [seed; 8], registers: BTreeMap::new(), chain: (0, None) }
    }

    /// Takes a batch in, as the API does; everything in it must be accepted.
    pub(crate) fn take_in(&self, bytes: &[u8]) {
        let ingested = self.store.ingest(bytes, MORNING_MS, &self.signing).unwrap();
        let Outcome::Received(receipt) = ingested.outcome else { panic!("not received: {ingested:?}") };
        let accepted = |verdict: &ruhu_ledger::verdict::Verdict| {
            matches!(verdict, ruhu_ledger::verdict::Verdict::Accepted)
        };
        assert!(receipt.statement.verdicts.iter().all(accepted), "{receipt:?}");
    }

    /// Puts everything through the belt.
    pub(crate) fn settle(&self) {
        ruhu_server::belt::settle_belt(&self.store, MORNING_MS, &self.signing).unwrap();
    }
}

fn certificate(key: &SecretKey, serial: u64, user: UserId, kind: CertificateKind, role: Role) -> Certificate {
    let villages = if kind == CertificateKind::Server { Vec::new() } else { vec![VILLAGE] };
    Certificate {
        deployment: DEPLOYMENT,
        serial,
        key: key.public(),
        kind,
        user,
        role,
        villages: villages.into_iter().collect(),
        from_ms: MORNING_MS,
        until_ms: MORNING_MS + YEAR_MS,
        name: format!("tablet {serial}"),
    }
}

/// One change on its way.
pub(crate) type Written = (DocumentId, Vec<u8>);

/// A device with its copies of documents and its chain.
pub(crate) struct Tablet {
    key: SecretKey,
    user: UserId,
    opening: [u8; 8],
    pub(crate) registers: BTreeMap<DocumentId, Register>,
    chain: (u64, Option<BatchId>),
}

impl Tablet {
    /// Writes one change onto what the tablet has of the document.
    pub(crate) fn write(
        &mut self,
        document: DocumentId,
        puts: impl FnOnce(&mut ChangeBuilder<'_>),
    ) -> (Written, ChangeHash) {
        let actor = ActorId::derive(self.key.public().device_id(), self.opening);
        let register = self.registers.entry(document).or_default();
        let mut builder = ChangeBuilder::new(register, actor, MORNING_MS / 1_000);
        puts(&mut builder);
        let (change, encoded) = builder.finish().unwrap();
        register.apply(&change, encoded.hash);
        ((document, encoded.bytes), encoded.hash)
    }

    /// Seals the next batch of the chain.
    pub(crate) fn seal(&mut self, changes: Vec<Written>) -> Vec<u8> {
        let body = BatchBody { openings: vec![self.opening], changes };
        let (number, previous) = self.chain;
        let unsealed = UnsealedHeader {
            deployment: DEPLOYMENT,
            device: self.key.public().device_id(),
            user: self.user,
            village: VILLAGE,
            number: number + 1,
            previous,
            anchor: Anchor::start(EPOCH),
            schema: 1,
            wall_ms: MORNING_MS,
            monotonic_ms: 0,
        };
        let batch = Batch::seal(&self.key, unsealed, &body).unwrap();
        self.chain = (number + 1, Some(batch.id()));
        batch.to_bytes()
    }
}
