//! Fixed values for tests: one invented village, and a server that signs.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::certificate::{
    Certificate, CertificateKind, Revocation, SignedCertificate, SignedRevocation,
};
use ruhu_ledger::decision::{Decision, SignedDecision};
use ruhu_ledger::epoch::EpochStart;
use ruhu_ledger::receipt::{Receipt, SignedReceipt};
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::statement::Signed;
use ruhu_ledger::succession::{EpochLink, Succession};
use ruhu_ledger::verdict::Verdict;
use ruhu_ledger::watermark::{SignedWatermark, Watermark};
use ruhu_survey::change::{ActorId, ChangeHash};
use ruhu_survey::id::{DeploymentId, DeviceId, EpochId, HouseholdId, UserId, VillageId};
use ruhu_survey::replay::founded_id;
use ruhu_survey::role::Role;
use ruhu_survey::sealed::HouseholdKey;

use crate::announce::{Announced, Announcement, Announcements, Subject, Told};
use crate::founded_keys::FoundedKeys;
use crate::key_bytes::KeyBytes;
use crate::offer::Offer;
use crate::protocol::{PROTOCOL_OLDEST, Refused, Side};
use crate::request::{Hello, HouseholdKeyFrame, RequestFrame, VillageQuery};
use crate::response::{
    BatchProblem, CheckpointFrame, ForkTold, ProblemOutcome, Relayed, RelayedDecision, RelayedReplay,
    ResponseFrame, VillageDone, VillageKeys, Welcome,
};
use crate::vector::{ChainTip, Cursor};

/// A morning in the field, milliseconds since 1970.
pub(crate) const MORNING_MS: i64 = 1_790_000_000_000;
pub(crate) const EPOCH: EpochId = EpochId::from_bytes([0xe0; 16]);
pub(crate) const VILLAGE: VillageId = VillageId::from_bytes([0xb0; 16]);
pub(crate) const DEPLOYMENT: DeploymentId = DeploymentId::from_bytes([0xd0; 16]);

pub(crate) fn device(index: u8) -> DeviceId {
    DeviceId::from_bytes([index; 16])
}

pub(crate) fn batch_id(index: u8) -> BatchId {
    BatchId([index; 32])
}

pub(crate) fn household(index: u8) -> HouseholdId {
    HouseholdId::from_bytes([index; 16])
}

fn server_key() -> SecretKey {
    SecretKey::from_seed([1; 32])
}

pub(crate) fn receipt(batch: BatchId, leaf_index: u64) -> SignedReceipt {
    let receipt = Receipt {
        epoch: EPOCH,
        batch,
        leaf_index,
        received_ms: MORNING_MS,
        anchor_ms: Some(MORNING_MS - 60_000),
        verdicts: vec![Verdict::Accepted],
    };
    Signed::sign(receipt, &server_key()).unwrap()
}

pub(crate) fn certificate() -> SignedCertificate {
    let certificate = Certificate {
        deployment: DEPLOYMENT,
        serial: 7,
        key: SecretKey::from_seed([2; 32]).public(),
        kind: CertificateKind::Device,
        user: UserId::from_bytes([0xa0; 16]),
        role: Role::WorkTeam,
        villages: BTreeSet::from([VILLAGE]),
        from_ms: MORNING_MS,
        until_ms: MORNING_MS + 31_536_000_000,
        name: "驻村平板 3".to_owned(),
    };
    Signed::sign(certificate, &server_key()).unwrap()
}

pub(crate) fn revocation() -> SignedRevocation {
    let revocation = Revocation {
        deployment: DEPLOYMENT,
        device: device(3),
        at_ms: MORNING_MS,
        reason: "lost".to_owned(),
    };
    Signed::sign(revocation, &server_key()).unwrap()
}

pub(crate) fn decision() -> SignedDecision {
    let decision = Decision {
        epoch: EPOCH,
        batch: batch_id(0x21),
        change: ChangeHash([0x51; 32]),
        verdict: Verdict::Accepted,
        decided_ms: MORNING_MS,
        by: UserId::from_bytes([0xa1; 16]),
        people: None,
    };
    Signed::sign(decision, &server_key()).unwrap()
}

pub(crate) fn link() -> EpochLink {
    let key = SecretKey::from_seed([9; 32]);
    let start = EpochStart {
        deployment: DEPLOYMENT,
        epoch: EpochId::from_bytes([0xe2; 16]),
        server_key: key.public(),
        started_ms: MORNING_MS + 86_400_000,
        previous: Some(EPOCH),
    };
    let says = |start| Succession {
        deployment: DEPLOYMENT,
        previous: EPOCH,
        previous_key: server_key().public(),
        start,
        size: 41,
        root: [0x44; 32],
        backup_ms: MORNING_MS,
        by: "田永福".to_owned(),
    };
    EpochLink::sign(start, says, &key, Some(&server_key())).unwrap()
}

pub(crate) fn watermark() -> SignedWatermark {
    let watermark = Watermark {
        deployment: DEPLOYMENT,
        epoch: EPOCH,
        size: 41,
        root: [0x44; 32],
        verified_ms: MORNING_MS,
    };
    Signed::sign(watermark, &server_key()).unwrap()
}

pub(crate) fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL_OLDEST,
        deployment: DEPLOYMENT,
        device: device(1),
        schema: 1,
        replay: true,
        checkpoint_size: 300,
    }
}

pub(crate) fn welcome() -> Welcome {
    Welcome { protocol: PROTOCOL_OLDEST, epoch: EPOCH, server_time_ms: MORNING_MS, schema: 1 }
}

pub(crate) fn done(village: VillageId, number: u64, more: bool) -> VillageDone {
    VillageDone { village, cursor: Cursor { epoch: EPOCH, number }, fingerprint: 0x0123_4567_89ab_cdef, more }
}

pub(crate) fn problem(batch: BatchId, outcome: ProblemOutcome) -> BatchProblem {
    BatchProblem {
        batch,
        code: "signature".to_owned(),
        detail: "the signature does not verify".to_owned(),
        outcome,
    }
}

/// A query with a cursor, and two tips that it does not stand for.
fn query() -> VillageQuery {
    let cursor = Some(Cursor { epoch: EPOCH, number: 1_000 });
    let vector = [ChainTip::at(device(1), 6, &batch_id(0x16)), ChainTip::at(device(2), 300, &batch_id(0x22))];
    VillageQuery { village: VILLAGE, cursor, keys_given: 81, vector: vector.into() }
}

fn note() -> String {
    "ruhu/d0d0d0d0-d0d0-d0d0-d0d0-d0d0d0d0d0d0\n301\nMzMz\n\n— ruhu AAAA\n".to_owned()
}

/// Every frame of a request by the name of its golden file, in an order that a reader admits.
pub(crate) fn request() -> Vec<(&'static str, RequestFrame)> {
    let village = VillageId::from_bytes([0xb1; 16]);
    let first = VillageQuery { village, cursor: None, keys_given: 0, vector: BTreeSet::new() };
    let key = HouseholdKeyFrame { household: household(0x71), key: KeyBytes([0x5a; 64]) };
    vec![
        ("hello", RequestFrame::Hello(hello())),
        ("offer_certificate", RequestFrame::Offer(Offer::Certificate(certificate()))),
        ("offer_revocation", RequestFrame::Offer(Offer::Revocation(revocation()))),
        ("offer_link", RequestFrame::Offer(Offer::Link(Box::new(link())))),
        ("offer_decision", RequestFrame::Offer(Offer::Decision(decision()))),
        ("offer_watermark", RequestFrame::Offer(Offer::Watermark(watermark()))),
        ("offer_checkpoint", RequestFrame::Offer(Offer::Checkpoint { epoch: EPOCH, note: note() })),
        ("village_first", RequestFrame::Village(first)),
        ("announcement_idle", RequestFrame::Announcement(announcement_idle())),
        ("village", RequestFrame::Village(query())),
        ("announcement", RequestFrame::Announcement(announcement())),
        ("key", RequestFrame::Key(key)),
        ("old_receipt", RequestFrame::OldReceipt(receipt(batch_id(0x31), 44))),
        ("batch", RequestFrame::Batch(b"any bytes: a session does not look inside".to_vec())),
        ("replay", RequestFrame::Replay(b"any bytes: a session does not look inside".to_vec())),
    ]
}

/// A device that holds unsent work.
pub(crate) fn announcement() -> Announcement {
    let announced = Announced { next: 130, checks: 6, drafts: 1 };
    let (key, village) = (SecretKey::from_seed([2; 32]), VILLAGE);
    let subject = Subject { deployment: DEPLOYMENT, epoch: EPOCH, device: key.public().device_id(), village };
    Announcement { given: 4, announced, signature: Some(subject.sign(&announced, &key)) }
}

/// A device that holds nothing unsent.
fn announcement_idle() -> Announcement {
    Announcement { given: 0, announced: Announced { next: 7, checks: 0, drafts: 0 }, signature: None }
}

/// What two others announced.
fn announcements() -> Announcements {
    let told =
        |number, index, announced| Told { number, device: device(index), announced, at_ms: MORNING_MS };
    let told = vec![
        told(5, 3, Announced { next: 7, checks: 0, drafts: 0 }),
        told(300, 2, Announced { next: 130, checks: 6, drafts: 1 }),
    ];
    Announcements { village: VILLAGE, told }
}

/// One household by its founder with a key grown from a seed, one as before.
fn founded_keys() -> FoundedKeys {
    let founder = ActorId([0x61; 16]);
    let founded = HouseholdId::from_bytes(founded_id(founder, 300));
    let grown = KeyBytes(*HouseholdKey::from_seed(&[0x5d; 32]).as_bytes());
    let households = BTreeMap::from([(founded, grown), (household(0x71), KeyBytes([0x5a; 64]))]);
    let keys = VillageKeys { village: VILLAGE, given: 85, search_key: None, households };
    FoundedKeys { keys, founders: BTreeMap::from([(founded, (founder, 300))]) }
}

/// Every frame of a response but the refusal by the name of its golden file, in an admitted order.
pub(crate) fn response() -> Vec<(&'static str, ResponseFrame)> {
    use ResponseFrame as F;
    let staged = problem(batch_id(0x12), ProblemOutcome::Staged { expected: 129 });
    let keys =
        BTreeMap::from([(household(0x71), KeyBytes([0x5a; 64])), (household(0x72), KeyBytes([0x5b; 64]))]);
    let search_key = Some(KeyBytes([0x5c; 32]));
    let first_keys = VillageKeys { village: VILLAGE, given: 3, search_key, households: keys.clone() };
    let keys = VillageKeys { village: VILLAGE, given: 83, search_key: None, households: keys };
    let batch = b"any bytes: a session does not look inside".to_vec();
    let relayed = Relayed { village: VILLAGE, sequence: 1_001, batch, receipt: receipt(batch_id(0x21), 41) };
    vec![
        ("welcome", F::Welcome(welcome())),
        ("succession", F::Succession(Box::new(link()))),
        ("watermark", F::Watermark(watermark())),
        ("receipt", F::Receipt(receipt(batch_id(0x11), 40))),
        ("batch_staged", F::BatchProblem(staged)),
        ("batch_rejected", F::BatchProblem(problem(batch_id(0x13), ProblemOutcome::Rejected))),
        (
            "batch_raw_wanted",
            F::BatchProblem(problem(BatchId([0; 32]), ProblemOutcome::RawWanted { place: 5 })),
        ),
        ("keys_held", F::KeysHeld([household(0x71), household(0x72)].into())),
        ("certificate", F::Certificate(certificate())),
        ("revocation", F::Revocation(revocation())),
        ("village_keys_first", F::VillageKeys(first_keys)),
        ("village_keys", F::VillageKeys(keys)),
        ("founded_keys", F::FoundedKeys(founded_keys())),
        ("relayed", F::Relayed(relayed)),
        (
            "relayed_replay",
            F::Replay(RelayedReplay { village: VILLAGE, sequence: 1_002, bytes: b"any bytes".to_vec() }),
        ),
        (
            "decision",
            F::Decision(RelayedDecision { village: VILLAGE, sequence: 1_002, decision: decision() }),
        ),
        ("fork_told", F::ForkTold(fork_told())),
        (
            "checkpoint",
            F::Checkpoint(CheckpointFrame { note: note(), from_size: 300, consistency: vec![[0x44; 32]; 2] }),
        ),
        ("announcements", F::Announcements(announcements())),
        ("vector_wanted", F::VectorWanted(VillageId::from_bytes([0xb1; 16]))),
        ("village_done", F::VillageDone(done(VILLAGE, 1_002, true))),
        ("bye", F::Bye),
    ]
}

/// The chain of the device that asks has another branch.
pub(crate) fn fork_told() -> ForkTold {
    ForkTold { village: VILLAGE, device: device(1), number: 4, tip: batch_id(0x15) }
}

pub(crate) fn refused() -> ResponseFrame {
    ResponseFrame::Refused(Refused {
        code: "protocol_too_new".to_owned(),
        detail: "the device speaks protocol 3, the server understands 2 to 2: upgrade the server".to_owned(),
        upgrade: Some(Side::Server),
    })
}
