//! Fixed keys and inputs for tests: an invented deployment with one tablet in one village.

use std::collections::BTreeSet;

use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind};
use ruhu_survey::id::{DeploymentId, EpochId, UserId, VillageId};
use ruhu_survey::role::Role;
use sha2::{Digest, Sha256};

use crate::batch::{Anchor, Batch, BatchBody, BatchId, UnsealedHeader};
use crate::certificate::{Certificate, CertificateKind, Revocation};
use crate::decision::{Decision, People};
use crate::epoch::EpochStart;
use crate::receipt::Receipt;
use crate::signature::SecretKey;
use crate::snapshot::Snapshot;
use crate::succession::{EpochLink, Succession};
use crate::verdict::Verdict;
use crate::watermark::Watermark;

/// A morning in the field, milliseconds since 1970.
pub(crate) const MORNING_MS: i64 = 1_790_000_000_000;

pub(crate) fn server_key() -> SecretKey {
    SecretKey::from_seed([1; 32])
}

/// The server's key after a restore.
pub(crate) fn next_server_key() -> SecretKey {
    SecretKey::from_seed([3; 32])
}

pub(crate) fn device_key() -> SecretKey {
    SecretKey::from_seed([2; 32])
}

pub(crate) fn deployment() -> DeploymentId {
    DeploymentId::from_bytes([0xd0; 16])
}

pub(crate) fn epoch() -> EpochId {
    EpochId::from_bytes([0xe0; 16])
}

pub(crate) fn user() -> UserId {
    UserId::from_bytes([0xa0; 16])
}

pub(crate) fn village() -> VillageId {
    VillageId::from_bytes([0xb0; 16])
}

pub(crate) fn certificate() -> Certificate {
    Certificate {
        deployment: deployment(),
        serial: 7,
        key: device_key().public(),
        kind: CertificateKind::Device,
        user: user(),
        role: Role::WorkTeam,
        villages: BTreeSet::from([village(), VillageId::from_bytes([0xb1; 16])]),
        from_ms: MORNING_MS,
        until_ms: MORNING_MS + 31_536_000_000,
        name: "驻村平板 3".to_owned(),
    }
}

pub(crate) fn revocation() -> Revocation {
    Revocation {
        deployment: deployment(),
        device: device_key().public().device_id(),
        at_ms: MORNING_MS + 86_400_000,
        reason: "lost".to_owned(),
    }
}

/// The first header of the chain.
pub(crate) fn unsealed() -> UnsealedHeader {
    UnsealedHeader {
        deployment: deployment(),
        device: device_key().public().device_id(),
        user: user(),
        village: village(),
        number: 1,
        previous: None,
        anchor: Anchor { epoch: epoch(), size: 3, root: [0x33; 32] },
        schema: 1,
        wall_ms: MORNING_MS + 3_600_000,
        monotonic_ms: 1_234_567,
    }
}

/// The header after `batch`.
pub(crate) fn unsealed_after(batch: &Batch) -> UnsealedHeader {
    UnsealedHeader { number: batch.header.number + 1, previous: Some(batch.id()), ..unsealed() }
}

/// Bytes with the magic and the checksum of a change, but any content.
pub(crate) fn chunk(content: &[u8]) -> Vec<u8> {
    let rest = [&[1], content].concat();
    let hash: [u8; 32] = Sha256::digest(&rest).into();
    [&[0x85, 0x6f, 0x4a, 0x83], hash.split_at(4).0, &rest].concat()
}

pub(crate) fn document(number: u8) -> DocumentId {
    let kind = if number.is_multiple_of(2) { DocumentKind::Household } else { DocumentKind::Check };
    DocumentId { kind, id: [number; 16] }
}

pub(crate) fn body() -> BatchBody {
    let change = |number: u8| (document(number), chunk(&[number; 120]));
    BatchBody { openings: vec![*b"opening1", *b"opening2"], changes: (1..=3).map(change).collect() }
}

pub(crate) fn batch() -> Batch {
    Batch::seal(&device_key(), unsealed(), &body()).unwrap()
}

pub(crate) fn verdicts() -> Vec<Verdict> {
    vec![
        Verdict::Accepted,
        Verdict::Held { needs: vec![ChangeHash([0x51; 32]), ChangeHash([0x52; 32])] },
        Verdict::Quarantined { rule: "late".to_owned(), because: Some(ChangeHash([0x53; 32])) },
        Verdict::Quarantined { rule: "unknown_key".to_owned(), because: None },
        Verdict::Refused { reason: "malformed".to_owned() },
    ]
}

pub(crate) fn receipt() -> Receipt {
    Receipt {
        epoch: epoch(),
        batch: BatchId([0x61; 32]),
        leaf_index: 41,
        received_ms: MORNING_MS + 7_200_000,
        anchor_ms: Some(MORNING_MS),
        verdicts: verdicts(),
    }
}

pub(crate) fn decision() -> Decision {
    Decision {
        epoch: epoch(),
        batch: BatchId([0x61; 32]),
        change: ChangeHash([0x52; 32]),
        verdict: Verdict::Accepted,
        decided_ms: MORNING_MS + 90_000_000,
        by: user(),
        people: None,
    }
}

/// A decision of two people.
pub(crate) fn decision_of_two() -> Decision {
    let people = People {
        proposed_by: UserId::from_bytes([0x52; 16]),
        proposed_name: "测试甲".to_owned(),
        confirmed_name: "测试乙".to_owned(),
        reason: "看过原件".to_owned(),
    };
    Decision { people: Some(people), ..decision() }
}

pub(crate) fn epoch_start() -> EpochStart {
    EpochStart {
        deployment: deployment(),
        epoch: epoch(),
        server_key: server_key().public(),
        started_ms: MORNING_MS - 1_000,
        previous: Some(EpochId::from_bytes([0xe1; 16])),
    }
}

pub(crate) fn succession(start: [u8; 32]) -> Succession {
    Succession {
        deployment: deployment(),
        previous: epoch(),
        previous_key: server_key().public(),
        start,
        size: 41,
        root: [0x44; 32],
        backup_ms: MORNING_MS,
        by: "田永福".to_owned(),
    }
}

pub(crate) fn epoch_link() -> EpochLink {
    let start = EpochStart {
        epoch: EpochId::from_bytes([0xe2; 16]),
        server_key: next_server_key().public(),
        started_ms: MORNING_MS + 86_400_000,
        previous: Some(epoch()),
        ..epoch_start()
    };
    EpochLink::sign(start, succession, &next_server_key(), Some(&server_key())).unwrap()
}

pub(crate) fn watermark() -> Watermark {
    Watermark {
        deployment: deployment(),
        epoch: epoch(),
        size: 41,
        root: [0x44; 32],
        verified_ms: MORNING_MS + 60_000,
    }
}

/// A zstd frame of one raw block, written by hand so that no version of the compressor has a say in it.
/// For bodies of 256 to 65,791 bytes.
pub(crate) fn raw_frame(body: &[u8]) -> Vec<u8> {
    let size = u16::try_from(body.len() - 256).unwrap().to_le_bytes();
    let block = u32::try_from(body.len() << 3 | 1).unwrap().to_le_bytes();
    [&[0x28, 0xb5, 0x2f, 0xfd, 0x60], size.as_slice(), block.split_at(3).0, body].concat()
}

pub(crate) fn snapshot() -> Snapshot {
    Snapshot {
        deployment: deployment(),
        epoch: epoch(),
        village: village(),
        number: 41,
        schema: 1,
        made_ms: MORNING_MS + 60_000,
        fingerprint: 0x0102_0304_0506_0708,
        left_out: 0x0101,
        bytes: 300_000,
        packed_bytes: 70_000,
        pieces: vec![[3; 32], [4; 32]],
    }
}
