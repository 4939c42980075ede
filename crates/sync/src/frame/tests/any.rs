//! Any frame of either direction.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use ruhu_ledger::batch::BatchId;
use ruhu_ledger::signature::Signature;
use ruhu_ledger::statement::Signed;
use ruhu_survey::id::{DeploymentId, DeviceId, EpochId, HouseholdId, VillageId};

use crate::announce::{Announced, Announcement, Announcements, Told};
use crate::key_bytes::KeyBytes;
use crate::limits::{CODE_BYTES_MAX, DETAIL_BYTES_MAX};
use crate::protocol::{PROTOCOL_VERSION, Refused, Side};
use crate::request::{Hello, HouseholdKeyFrame, RequestFrame, VillageQuery};
use crate::response::{
    BatchProblem, CheckpointFrame, ForkTold, ProblemOutcome, Relayed, RelayedDecision, RelayedReplay,
    ResponseFrame, VillageDone, VillageKeys, Welcome,
};
use crate::samples;
use crate::vector::{ChainTip, Cursor};

fn text(limit: usize) -> impl Strategy<Value = String> {
    ".{0,40}".prop_map(move |text| text.chars().take(limit / 4).collect())
}

fn tip() -> impl Strategy<Value = ChainTip> {
    let device = prop_oneof![Just([7; 16]), any::<[u8; 16]>()];
    (device, any::<u64>(), any::<[u8; 4]>()).prop_map(|(device, next, tip)| ChainTip {
        device: DeviceId::from_bytes(device),
        next,
        tip,
    })
}

fn cursor() -> impl Strategy<Value = Cursor> {
    any::<([u8; 16], u64)>().prop_map(|(epoch, number)| Cursor { epoch: EpochId::from_bytes(epoch), number })
}

fn village() -> impl Strategy<Value = VillageId> {
    any::<[u8; 16]>().prop_map(VillageId::from_bytes)
}

fn household() -> impl Strategy<Value = HouseholdId> {
    any::<[u8; 16]>().prop_map(HouseholdId::from_bytes)
}

fn hello() -> impl Strategy<Value = RequestFrame> {
    any::<([u8; 16], [u8; 16], u16, bool, u64)>().prop_map(
        |(deployment, device, schema, replay, checkpoint_size)| {
            RequestFrame::Hello(Hello {
                protocol: PROTOCOL_VERSION,
                deployment: DeploymentId::from_bytes(deployment),
                device: DeviceId::from_bytes(device),
                schema,
                replay,
                checkpoint_size,
            })
        },
    )
}

fn announced() -> impl Strategy<Value = Announced> {
    any::<(u64, u64, u64)>().prop_map(|(next, checks, drafts)| Announced { next, checks, drafts })
}

pub(super) fn any_request() -> impl Strategy<Value = RequestFrame> {
    let query = (village(), option::of((cursor(), any::<u64>())), btree_set(tip(), 0..20)).prop_map(
        |(village, given, vector)| {
            let (cursor, keys_given) = given.map_or((None, 0), |(cursor, keys)| (Some(cursor), keys));
            RequestFrame::Village(VillageQuery { village, cursor, keys_given, vector })
        },
    );
    let key = (household(), any::<[u8; 32]>()).prop_map(|(household, half)| {
        let mut key = [0; 64];
        key[..32].copy_from_slice(&half);
        RequestFrame::Key(HouseholdKeyFrame { household, key: KeyBytes(key) })
    });
    let bytes = || vec(any::<u8>(), 0..300);
    let announcement =
        (any::<u64>(), announced(), option::of(any::<[u8; 32]>())).prop_map(|(given, announced, half)| {
            let signature = half.map(|half| Signature([half[0]; 64]));
            RequestFrame::Announcement(Announcement { given, announced, signature })
        });
    prop_oneof![
        hello(),
        query,
        announcement,
        key,
        bytes().prop_map(RequestFrame::Batch),
        bytes().prop_map(RequestFrame::Replay)
    ]
}

fn problem() -> impl Strategy<Value = ResponseFrame> {
    let outcome = prop_oneof![
        Just(ProblemOutcome::Rejected),
        any::<u64>().prop_map(|place| ProblemOutcome::RawWanted { place }),
        any::<u64>().prop_map(|expected| ProblemOutcome::Staged { expected })
    ];
    (any::<[u8; 32]>(), text(CODE_BYTES_MAX), text(DETAIL_BYTES_MAX), outcome).prop_map(
        |(batch, code, detail, outcome)| {
            let batch = ruhu_ledger::batch::BatchId(batch);
            ResponseFrame::BatchProblem(BatchProblem { batch, code, detail, outcome })
        },
    )
}

/// The signed statements have their own laws; here they vary by their signature.
fn signed() -> impl Strategy<Value = ResponseFrame> {
    let parts = (0_u8..6, any::<[u8; 32]>(), village(), any::<u64>(), vec(any::<u8>(), 0..300));
    parts.prop_map(|(kind, half, village, sequence, batch)| {
        let mut bytes = [0; 64];
        bytes[32..].copy_from_slice(&half);
        let signature = Signature(bytes);
        let mut receipt = samples::receipt(samples::batch_id(half[0]), sequence >> 11);
        receipt.signature = signature;
        match kind {
            0 => ResponseFrame::Receipt(receipt),
            1 => ResponseFrame::Certificate(Signed { signature, ..samples::certificate() }),
            2 => ResponseFrame::Revocation(Signed { signature, ..samples::revocation() }),
            3 => ResponseFrame::Relayed(Relayed { village, sequence, batch, receipt }),
            4 => ResponseFrame::Replay(RelayedReplay { village, sequence, bytes: batch }),
            _ => {
                let decision = Signed { signature, ..samples::decision() };
                ResponseFrame::Decision(RelayedDecision { village, sequence, decision })
            }
        }
    })
}

fn answer() -> impl Strategy<Value = ResponseFrame> {
    let welcome = any::<([u8; 16], i64, u16)>().prop_map(|(epoch, server_time_ms, schema)| {
        let epoch = EpochId::from_bytes(epoch);
        ResponseFrame::Welcome(Welcome { protocol: PROTOCOL_VERSION, epoch, server_time_ms, schema })
    });
    let side = option::of(prop_oneof![Just(Side::Device), Just(Side::Server)]);
    let refused = (text(CODE_BYTES_MAX), text(DETAIL_BYTES_MAX), side)
        .prop_map(|(code, detail, upgrade)| ResponseFrame::Refused(Refused { code, detail, upgrade }));
    let done =
        (village(), cursor(), any::<(u64, bool)>()).prop_map(|(village, cursor, (fingerprint, more))| {
            ResponseFrame::VillageDone(VillageDone { village, cursor, fingerprint, more })
        });
    let checkpoint = (".{0,200}", any::<u64>(), vec(any::<[u8; 32]>(), 0..6)).prop_map(
        |(note, from_size, consistency)| {
            ResponseFrame::Checkpoint(CheckpointFrame { note, from_size, consistency })
        },
    );
    prop_oneof![welcome, refused, done, checkpoint, Just(ResponseFrame::Bye)]
}

pub(super) fn any_response() -> impl Strategy<Value = ResponseFrame> {
    let key = any::<[u8; 32]>().prop_map(|half| KeyBytes([half[0]; 64]));
    let search_key = option::of(any::<[u8; 32]>().prop_map(KeyBytes));
    let keys = (village(), any::<u64>(), search_key, btree_map(household(), key, 0..9)).prop_map(
        |(village, given, search_key, households)| {
            ResponseFrame::VillageKeys(VillageKeys { village, given, search_key, households })
        },
    );
    let wanted = village().prop_map(ResponseFrame::VectorWanted);
    let held = btree_set(household(), 0..9).prop_map(ResponseFrame::KeysHeld);
    let fork =
        (village(), any::<([u8; 16], u64, [u8; 32])>()).prop_map(|(village, (device, number, tip))| {
            let (device, tip) = (DeviceId::from_bytes(device), BatchId(tip));
            ResponseFrame::ForkTold(ForkTold { village, device, number, tip })
        });
    let lines = btree_map(any::<u64>(), (any::<([u8; 16], i64)>(), announced()), 0..9);
    let announcements = (village(), lines).prop_map(|(village, lines)| {
        let line = |(number, ((device, at_ms), announced))| Told {
            number,
            device: DeviceId::from_bytes(device),
            announced,
            at_ms,
        };
        let told = lines.into_iter().map(line).collect();
        ResponseFrame::Announcements(Announcements { village, told })
    });
    prop_oneof![problem(), signed(), answer(), keys, held, wanted, fork, announcements]
}
