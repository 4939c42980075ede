//! A village of two households for tests: members with derived ids, a conflict, a check, a change kept apart.

use std::collections::BTreeSet;

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ActorId, ChangeHash, DocumentId, Value};
use ruhu_survey::id::{CheckId, DeploymentId, DeviceId, EpochId, HouseholdId, UserId, VillageId};
use ruhu_survey::register::{ChangeBuilder, Register, derived_id};
use ruhu_survey::replay::founded_id;

use super::{About, BatchLine, ChangeLine, Content, DocumentPart, LeftOut, hash_of};
use crate::fingerprint::Fingerprint;
use crate::samples;
use crate::state::DocumentToken;

/// A morning in the field, seconds since 1970.
const MORNING: i64 = 1_790_000_000;

pub(crate) fn server_key() -> SecretKey {
    SecretKey::from_seed([1; 32])
}

pub(crate) fn about(content: &Content) -> About {
    let left = content.left_out.iter().fold(0_u64, |sum, left| sum.wrapping_add(left.sum));
    let mut sum = Fingerprint::from_value(left);
    for line in content.documents.iter().flat_map(|part| &part.accepted) {
        sum.add(&hash_of(&line.bytes).unwrap());
    }
    About {
        deployment: DeploymentId::from_bytes([0xd0; 16]),
        epoch: EpochId::from_bytes([0xe0; 16]),
        village: VillageId::from_bytes([1; 16]),
        number: 9,
        schema: 1,
        made_ms: MORNING * 1_000,
        fingerprint: sum.value(),
    }
}

fn device(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 16])
}

pub(crate) fn actor(number: u8) -> ActorId {
    ActorId::derive(device(number), [number; 8])
}

pub(crate) fn batch(place: u8, author: u8, number: u64, previous: Option<u8>, tip: bool) -> BatchLine {
    let received_ms = MORNING * 1_000 + i64::from(place) * 60_000;
    BatchLine {
        sequence: 3 + 2 * u64::from(place),
        id: BatchId([place; 32]),
        device: device(author),
        user: UserId::from_bytes([author; 16]),
        number,
        previous: previous.map(|place| BatchId([place; 32])),
        wall_ms: received_ms - 5_000,
        received_ms,
        anchor_ms: (place > 0).then_some(received_ms - 3_600_000),
        tip,
        openings: vec![[author; 8]],
        roots_before: 2 * u64::from(place),
        roots: if place == 0 { vec![0, 1, 4] } else { Vec::new() },
    }
}

/// Writes one change and keeps its line.
pub(crate) fn write(
    lines: &mut Vec<ChangeLine>,
    onto: &Register,
    by: ActorId,
    (batch, position): (usize, u16),
    write: impl FnOnce(&mut ChangeBuilder<'_>),
) -> Register {
    let mut builder = ChangeBuilder::new(onto, by, MORNING + i64::from(position));
    write(&mut builder);
    let (change, encoded) = builder.finish().unwrap();
    let mut register = onto.clone();
    register.apply(&change, encoded.hash);
    lines.push(ChangeLine { bytes: encoded.bytes, batch, position });
    register
}

fn household(number: u8, position: u16) -> DocumentPart {
    let mut accepted = Vec::new();
    let first = write(&mut accepted, &Register::default(), actor(1), (0, position), |builder| {
        builder.put("group_name", Value::Text("三组".to_owned()));
        for (place, name) in ["张秀英", "李国强"].iter().enumerate() {
            let id = derived_id(builder.next_op());
            builder.put(format!("member/{id}/full_name"), Value::Text((*name).to_owned()));
            builder.put(format!("member/{id}/sort"), Value::Int(i64::try_from(place).unwrap()));
            builder.put(format!("member/{id}/cert_no"), Value::Bytes(vec![number; 35]));
            if place == 0 {
                builder.put("head_member_id", Value::Text(id));
            }
        }
    });
    write(&mut accepted, &first, actor(1), (1, position), |builder| {
        builder.put("remarks", Value::Text("甲".to_owned())).put("room_count", Value::Null);
    });
    write(&mut accepted, &first, actor(2), (2, position), |builder| {
        builder.put("remarks", Value::Text("乙".to_owned())).put("is_relocated", Value::Bool(true));
    });
    in_causal_order(&mut accepted);
    let id = HouseholdId::from_bytes([number; 16]).into();
    DocumentPart { id, accepted, apart: Vec::new() }
}

fn in_causal_order(lines: &mut [ChangeLine]) {
    lines.sort_by_key(|line| {
        let (change, hash) = ruhu_survey::change::parse(&line.bytes).unwrap();
        (change.start_op, hash)
    });
}

pub(crate) fn content() -> Content {
    let mut check =
        DocumentPart { id: CheckId::from_bytes([7; 16]).into(), accepted: Vec::new(), apart: Vec::new() };
    let register = write(&mut check.accepted, &Register::default(), actor(2), (3, 0), |builder| {
        builder.put("household_id", Value::Text(HouseholdId::from_bytes([1; 16]).to_string()));
        builder.put("answer/housing/grade", Value::Text("A".to_owned()));
    });
    let mut late = Vec::new();
    write(&mut late, &register, actor(2), (3, 1), |builder| {
        builder.put("answer/housing/grade", Value::Text("B".to_owned()));
    });
    let verdict = Verdict::Quarantined { rule: "late".to_owned(), because: None };
    check.apart.extend(late.pop().map(|line| (line, verdict)));
    let token = DocumentToken::of(
        DocumentId::from(CheckId::from_bytes([8; 16])),
        &BTreeSet::from([ChangeHash([5; 32])]),
    );
    let left = LeftOut { household: HouseholdId::from_bytes([1; 16]), token, sum: 0x0505_0505_0505_0505 };
    Content {
        certificates: vec![samples::certificate()],
        revocations: vec![samples::revocation()],
        batches: vec![
            batch(0, 1, 1, None, false),
            batch(1, 1, 2, Some(0), true),
            batch(2, 2, 4, Some(9), false),
            batch(3, 2, 5, Some(2), true),
        ],
        documents: vec![household(1, 0), household(2, 1), check],
        left_out: vec![left],
    }
}

/// As [`content`], with what only the second version writes in short: an id that derives from its founder, a sealed
/// value, a search tag.
pub(crate) fn content_founded() -> Content {
    let mut content = content();
    let mut part = household(9, 4);
    part.id = HouseholdId::from_bytes(founded_id(actor(1), 5)).into();
    part.accepted.clear();
    write(&mut part.accepted, &Register::default(), actor(1), (0, 4), |builder| {
        builder.put("contact_phone", Value::Bytes([&[1], [9; 27].as_slice()].concat()));
        builder.put("contact_phone_tag", Value::Text("15bfe46dc4d427d5".to_owned()));
    });
    content.documents.push(part);
    content.documents.sort_by_key(|part| part.id);
    content
}
