//! A small invented world for tests: a server, two villages, and tablets that write and seal batches.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::batch::{Anchor, Batch, BatchBody, BatchId, UnsealedHeader};
use ruhu_ledger::certificate::{
    Certificate, CertificateKind, Revocation, SignedCertificate, SignedRevocation,
};
use ruhu_ledger::epoch::{EpochStart, SignedEpochStart};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::verdict::{Verdict, VerdictKind};
use ruhu_survey::change::{ActorId, ChangeHash, DocumentId, Value};
use ruhu_survey::id::{DeploymentId, DeviceId, EpochId, HouseholdId, UserId, VillageId};
use ruhu_survey::register::{ChangeBuilder, Register, derived_id};
use ruhu_survey::role::Role;

use crate::ingest::{Ingested, Outcome, Rejection};
use crate::relay::Asked;
use crate::store::Store;
use crate::store::people::{Redeemed, User};

pub(crate) const DEPLOYMENT: DeploymentId = DeploymentId::from_bytes([0xd0; 16]);
pub(crate) const EPOCH: EpochId = EpochId::from_bytes([0xe0; 16]);
/// 龙潭河村.
pub(crate) const LONGTAN: VillageId = VillageId::from_bytes([0x11; 16]);
/// 双云村.
pub(crate) const SHUANGYUN: VillageId = VillageId::from_bytes([0x12; 16]);
/// The morning of 2026-03-02 in China.
pub(crate) const MORNING_MS: i64 = 1_772_413_200_000;
const YEAR_MS: i64 = 365 * 24 * 3_600_000;

/// One change on its way: its document, bytes and name.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) document: DocumentId,
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: ChangeHash,
}

pub(crate) struct World<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) signing: SecretKey,
    pub(crate) own: SecretKey,
    pub(crate) now_ms: i64,
}

/// A device with its copies of documents and its chain per village.
pub(crate) struct Tablet {
    pub(crate) key: SecretKey,
    pub(crate) user: UserId,
    pub(crate) opening: [u8; 8],
    pub(crate) anchor: Anchor,
    registers: BTreeMap<DocumentId, Register>,
    chains: BTreeMap<VillageId, (u64, Option<BatchId>)>,
}

pub(crate) fn household(index: u8) -> DocumentId {
    HouseholdId::from_bytes([index; 16]).into()
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

impl<'a> World<'a> {
    /// A server that was just set up.
    pub(crate) fn new(store: &'a dyn Store) -> Self {
        let (signing, own) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
        let start = EpochStart {
            deployment: DEPLOYMENT,
            epoch: EPOCH,
            server_key: signing.public(),
            started_ms: MORNING_MS,
            previous: None,
        };
        let start = SignedEpochStart::sign(start, &signing).unwrap();
        let mut certificate =
            certificate(&own, 1, UserId::from_bytes([0xaa; 16]), &[], CertificateKind::Server);
        certificate.role = Role::Server;
        let certificate = SignedCertificate::sign(certificate, &signing).unwrap();
        store.deployment_begin(&start, &certificate).unwrap();
        Self { store, signing, own, now_ms: MORNING_MS }
    }

    /// Enrols a tablet of a work team member in 龙潭河村.
    pub(crate) fn tablet(&self, seed: u8) -> Tablet {
        self.enrol(seed, &[LONGTAN], CertificateKind::Device)
    }

    pub(crate) fn enrol(&self, seed: u8, villages: &[VillageId], kind: CertificateKind) -> Tablet {
        let key = SecretKey::from_seed([seed; 32]);
        let user = User {
            id: UserId::from_bytes([seed; 16]),
            name: format!("队员{seed}"),
            role: Role::WorkTeam,
            regions: BTreeSet::new(),
        };
        self.store.user_add(&user, self.now_ms).unwrap();
        let serial = self.store.next_serial().unwrap();
        self.certify(seed, certificate(&key, serial, user.id, villages, kind));
        let anchor = Anchor::start(EPOCH);
        let (registers, chains) = (BTreeMap::new(), BTreeMap::new());
        Tablet { key, user: user.id, opening: [seed; 8], anchor, registers, chains }
    }

    /// Writes a certificate by way of an enrolment code.
    pub(crate) fn certify(&self, code: u8, certificate: Certificate) {
        let hash = [code; 32];
        let mut hash = hash;
        hash[0] = u8::try_from(certificate.serial).unwrap();
        self.store.invite_add(certificate.user, &hash, self.now_ms, self.now_ms + 1_000).unwrap();
        let signed = SignedCertificate::sign(certificate, &self.signing).unwrap();
        assert_eq!(self.store.invite_redeem(&hash, &signed, self.now_ms).unwrap(), Redeemed::Granted);
    }

    pub(crate) fn revoke(&self, device: DeviceId) {
        let reason = "lost".to_owned();
        let revocation = Revocation { deployment: DEPLOYMENT, device, at_ms: self.now_ms, reason };
        let signed = SignedRevocation::sign(revocation, &self.signing).unwrap();
        self.store.device_revoke(&signed).unwrap();
    }

    pub(crate) fn ingest(&self, batch: &Batch) -> Ingested {
        self.store.ingest(&batch.to_bytes(), self.now_ms, &self.signing).unwrap()
    }

    /// Takes in a batch that must be received; its receipt must verify.
    pub(crate) fn receive(&self, batch: &Batch) -> SignedReceipt {
        let Outcome::Received(receipt) = self.ingest(batch).outcome else { panic!("it was not received") };
        receipt.verify(&self.signing.public()).unwrap();
        assert_eq!(receipt.statement.batch, batch.id());
        *receipt
    }

    pub(crate) fn rejected(&self, batch: &Batch) -> Rejection {
        let Outcome::Rejected(rejection) = self.ingest(batch).outcome else { panic!("it was not rejected") };
        rejection
    }

    /// Puts everything through the belt.
    pub(crate) fn settle(&self) {
        crate::belt::settle_belt(self.store, self.now_ms, &self.signing).unwrap();
    }

    /// The server's copy of a document of 龙潭河村.
    pub(crate) fn register(&self, document: DocumentId) -> Register {
        self.store.register(LONGTAN, document).unwrap()
    }

    /// Asserts that `verify` finds nothing.
    pub(crate) fn assert_sound(&self) {
        let verified = self.store.verify().unwrap();
        assert_eq!(verified.first_bad, None);
    }
}

/// A question of a device that has nothing of 龙潭河村.
pub(crate) fn asked() -> Asked {
    Asked {
        village: LONGTAN,
        cursor: None,
        vector: BTreeSet::new(),
        sent: BTreeSet::new(),
        bytes_max: u64::MAX,
    }
}

/// The kinds of a receipt's verdicts.
pub(crate) fn kinds(receipt: &SignedReceipt) -> Vec<VerdictKind> {
    receipt.statement.verdicts.iter().map(Verdict::kind).collect()
}

pub(crate) fn certificate(
    key: &SecretKey,
    serial: u64,
    user: UserId,
    villages: &[VillageId],
    kind: CertificateKind,
) -> Certificate {
    Certificate {
        deployment: DEPLOYMENT,
        serial,
        key: key.public(),
        kind,
        user,
        role: Role::WorkTeam,
        villages: villages.iter().copied().collect(),
        from_ms: MORNING_MS,
        until_ms: MORNING_MS + YEAR_MS,
        name: format!("tablet {serial}"),
    }
}

impl Tablet {
    pub(crate) fn device(&self) -> DeviceId {
        self.key.public().device_id()
    }

    pub(crate) fn actor(&self) -> ActorId {
        ActorId::derive(self.device(), self.opening)
    }

    /// A copy of the tablet as a backup of it would start again: same key, same chain, new opening.
    pub(crate) fn clone_with_opening(&self, opening: u8) -> Self {
        Self {
            key: self.key.clone(),
            user: self.user,
            opening: [opening; 8],
            anchor: self.anchor,
            registers: self.registers.clone(),
            chains: self.chains.clone(),
        }
    }

    /// Writes one change onto what the tablet has of the document.
    pub(crate) fn write(&mut self, document: DocumentId, puts: &[(&str, Value)]) -> Written {
        self.edit(document, |builder| {
            for (key, value) in puts {
                builder.put(*key, value.clone());
            }
        })
    }

    /// As [`Tablet::write`], with whatever is done to the builder.
    pub(crate) fn edit(
        &mut self,
        document: DocumentId,
        edit: impl FnOnce(&mut ChangeBuilder<'_>),
    ) -> Written {
        let actor = self.actor();
        let register = self.registers.entry(document).or_default();
        let mut builder = ChangeBuilder::new(register, actor, MORNING_MS / 1_000);
        edit(&mut builder);
        let (change, encoded) = builder.finish().unwrap();
        register.apply(&change, encoded.hash);
        Written { document, bytes: encoded.bytes, hash: encoded.hash }
    }

    /// A first change of a household, as the field table wants it.
    pub(crate) fn found(&mut self, document: DocumentId, group: &str) -> Written {
        self.write(document, &[("group_name", text(group))])
    }

    /// A first change of a household with its members, the first of them its head.
    pub(crate) fn settle_in(&mut self, document: DocumentId, group: &str, names: &[&str]) -> Written {
        self.edit(document, |builder| {
            builder.put("group_name", text(group));
            for (place, name) in names.iter().enumerate() {
                let id = derived_id(builder.next_op());
                builder.put(format!("member/{id}/full_name"), text(name));
                if place == 0 {
                    builder.put("head_member_id", text(&id));
                }
            }
        })
    }

    pub(crate) fn remark(&mut self, document: DocumentId, remark: &str) -> Written {
        self.write(document, &[("remarks", text(remark))])
    }

    /// A change that is well formed but breaks a rule.
    pub(crate) fn offend(&mut self, document: DocumentId) -> Written {
        self.write(document, &[("bad_field", text("x"))])
    }

    /// Takes over a document as the server has it, as after a sync.
    pub(crate) fn learn(&mut self, world: &World<'_>, document: DocumentId) {
        self.registers.insert(document, world.register(document));
    }

    /// Seals the next batch of the chain in 龙潭河村.
    pub(crate) fn seal(&mut self, changes: &[&Written]) -> Batch {
        let openings = vec![self.opening];
        self.seal_body(LONGTAN, body(openings, changes))
    }

    pub(crate) fn seal_body(&mut self, village: VillageId, body: BatchBody) -> Batch {
        let (number, previous) = self.chains.get(&village).copied().unwrap_or((0, None));
        let unsealed = UnsealedHeader {
            deployment: DEPLOYMENT,
            device: self.device(),
            user: self.user,
            village,
            number: number + 1,
            previous,
            anchor: self.anchor,
            schema: 1,
            wall_ms: MORNING_MS,
            monotonic_ms: 0,
        };
        let batch = Batch::seal(&self.key, unsealed, &body).unwrap();
        self.chains.insert(village, (number + 1, Some(batch.id())));
        batch
    }
}

pub(crate) fn body(openings: Vec<[u8; 8]>, changes: &[&Written]) -> BatchBody {
    let changes = changes.iter().map(|written| (written.document, written.bytes.clone())).collect();
    BatchBody { openings, changes }
}

/// Bytes with the frame and checksum of a change, and nonsense inside.
pub(crate) fn nonsense(document: DocumentId) -> Written {
    use sha2::{Digest, Sha256};
    let rest = [1_u8, 3, 0xff, 0xff, 0xff];
    let digest: [u8; 32] = Sha256::digest(rest).into();
    let mut bytes = vec![0x85, 0x6f, 0x4a, 0x83];
    bytes.extend(&digest[..4]);
    bytes.extend(rest);
    Written { document, bytes, hash: ChangeHash(digest) }
}
