//! What a device is answered once its request has proved itself: a plain function over the store.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::certificate::SignedRevocation;
use ruhu_survey::id::{DeviceId, HouseholdId, VillageId};
use ruhu_sync::limits::{ANSWER_BYTES, KEYS_PER_FRAME};
use ruhu_sync::request::Hello;
use ruhu_sync::response::{
    CheckpointFrame, Relayed, RelayedDecision, ResponseFrame, VillageDone, VillageKeys, Welcome,
};
use ruhu_sync::{KeyBytes, PROTOCOL_VERSION, Refused};

use super::intake::Part;
use super::problem::ApiError;
use crate::belt::settle_belt;
use crate::enrol::village_key;
use crate::keys::{KeyUse, ServerKeys};
use crate::limits::{ANSWER_BYTES_MAX, BELT_ROUNDS_MAX};
use crate::relay::{Asked, Entry, Relay};
use crate::store::people::Device;
use crate::store::{Store, StoreError};

/// The newest document schema that this server understands.
const DOCUMENT_SCHEMA: u16 = 1;

/// A request that has proved itself.
#[derive(Debug)]
pub(crate) struct Question {
    /// Who asks.
    pub(crate) device: Device,
    /// How much of the log the device has verified.
    pub(crate) hello: Hello,
    /// What it asks.
    pub(crate) parts: Vec<Part>,
    /// What became of its batches.
    pub(crate) frames: Vec<ResponseFrame>,
    /// Why nothing is given to it, if nothing is: the stable code and what to say.
    pub(crate) barred: Option<(&'static str, String)>,
}

/// Everything a device is answered.
///
/// # Errors
/// When the store or the keys fail.
pub(crate) fn answer(
    store: &dyn Store,
    keys: &ServerKeys,
    now_ms: i64,
    question: Question,
) -> Result<Vec<ResponseFrame>, ApiError> {
    store.device_seen(question.device.id, now_ms)?;
    let held = keep_keys(store, keys, &question.parts)?;
    let Question { device, hello, parts, frames, barred } = question;
    if let (Some((code, detail)), true, true) = (&barred, frames.is_empty(), held.is_empty()) {
        let refused = Refused { code: (*code).to_owned(), detail: detail.clone(), upgrade: None };
        return Ok(vec![ResponseFrame::Refused(refused)]);
    }
    let mut answer = vec![welcome(store, now_ms)?];
    answer.extend(frames);
    answer.extend((!held.is_empty()).then_some(ResponseFrame::KeysHeld(held)));
    if barred.is_some() {
        // It learns that its batches are kept, and of its own revocation; its next request is refused.
        answer.extend(own_revocation(store, &device)?.map(ResponseFrame::Revocation));
    } else {
        settle_belt(store, now_ms, &keys.signing)?;
        let mut given = Given { left: ANSWER_BYTES_MAX, ..Given::default() };
        for part in parts {
            give(store, keys, now_ms, part, &mut given, &mut answer)?;
        }
        answer.push(checkpoint(store, keys, now_ms, &hello)?);
    }
    answer.push(ResponseFrame::Bye);
    Ok(answer)
}

fn welcome(store: &dyn Store, now_ms: i64) -> Result<ResponseFrame, StoreError> {
    Ok(ResponseFrame::Welcome(Welcome {
        protocol: PROTOCOL_VERSION,
        epoch: store.deployment()?.epoch,
        server_time_ms: now_ms,
        schema: DOCUMENT_SCHEMA,
    }))
}

/// Keeps the keys of the households that the device founded; says which are durable now.
fn keep_keys(
    store: &dyn Store,
    keys: &ServerKeys,
    parts: &[Part],
) -> Result<BTreeSet<HouseholdId>, ApiError> {
    let mut held = BTreeSet::new();
    for part in parts {
        for frame in &part.keys {
            let used_for = KeyUse::Household(part.village(), frame.household);
            let wrapped = keys.wrap(used_for, &frame.key.0)?;
            store.household_key_put(part.village(), frame.household, &wrapped)?;
            held.insert(frame.household);
        }
    }
    Ok(held)
}

fn own_revocation(store: &dyn Store, device: &Device) -> Result<Option<SignedRevocation>, StoreError> {
    let Some(village) = device.certificate.statement.villages.first() else { return Ok(None) };
    let (_, revocations) = store.credentials(*village)?;
    Ok(revocations.into_iter().find(|signed| signed.statement.device == device.id))
}

/// What an answer holds so far.
#[derive(Debug, Default)]
struct Given {
    /// Bytes of batches that there is still room for.
    left: u64,
    /// The serial numbers of the certificates told. A county's certificate is in the feed of hundreds of villages.
    certificates: BTreeSet<u64>,
    /// The devices whose revocations are told.
    revocations: BTreeSet<DeviceId>,
}

impl Given {
    /// The certificates and revocations of a village that the answer does not hold yet.
    fn news(&mut self, relay: &mut Relay) -> Vec<ResponseFrame> {
        relay.certificates.retain(|signed| self.certificates.insert(signed.statement.serial));
        relay.revocations.retain(|signed| self.revocations.insert(signed.statement.device));
        let certificates = relay.certificates.drain(..).map(ResponseFrame::Certificate);
        certificates.chain(relay.revocations.drain(..).map(ResponseFrame::Revocation)).collect()
    }
}

/// Everything about one village: keys, certificates, what the device lacks, and how far that goes.
fn give(
    store: &dyn Store,
    keys: &ServerKeys,
    now_ms: i64,
    part: Part,
    given: &mut Given,
    answer: &mut Vec<ResponseFrame>,
) -> Result<(), ApiError> {
    let village = part.village();
    let asked = Asked {
        village,
        cursor: part.query.cursor,
        vector: part.query.vector,
        sent: part.sent,
        bytes_max: ANSWER_BYTES.min(given.left),
    };
    let mut relay = settled_relay(store, keys, now_ms, &asked)?;
    answer.extend(given.news(&mut relay));
    // A key may become durable after the batch that founds its household, so none is ever left out.
    answer.extend(village_keys(store, keys, village)?);
    for entry in relay.entries {
        let (bytes, frame) = entry_frame(village, entry);
        given.left = given.left.saturating_sub(bytes);
        answer.push(frame);
    }
    answer.push(ResponseFrame::VillageDone(VillageDone {
        village,
        cursor: relay.cursor,
        fingerprint: relay.fingerprint,
        more: relay.more || relay.unsettled,
    }));
    Ok(())
}

/// What the device lacks; while others keep sending, the belt is settled a few times over.
fn settled_relay(
    store: &dyn Store,
    keys: &ServerKeys,
    now_ms: i64,
    asked: &Asked,
) -> Result<Relay, StoreError> {
    let mut relay = store.relay(asked)?;
    for _ in 0..BELT_ROUNDS_MAX {
        if !relay.unsettled {
            break;
        }
        settle_belt(store, now_ms, &keys.signing)?;
        relay = store.relay(asked)?;
    }
    Ok(relay)
}

fn entry_frame(village: VillageId, entry: Entry) -> (u64, ResponseFrame) {
    match entry {
        Entry::Batch { sequence, bytes, receipt } => {
            let relayed = Relayed { village, sequence, batch: bytes, receipt: *receipt };
            (relayed.batch.len() as u64, ResponseFrame::Relayed(relayed))
        }
        Entry::Decision { sequence, decision } => {
            let relayed = RelayedDecision { village, sequence, decision: *decision };
            (relayed.decision.to_bytes().len() as u64, ResponseFrame::Decision(relayed))
        }
    }
}

/// The village's keys, in as many frames as they need.
fn village_keys(
    store: &dyn Store,
    keys: &ServerKeys,
    village: VillageId,
) -> Result<Vec<ResponseFrame>, ApiError> {
    let search_key = KeyBytes(village_key(store, keys, village)?);
    let wrapped = store.household_keys(village)?;
    let mut frames = Vec::new();
    let mut chunks = wrapped.chunks(KEYS_PER_FRAME);
    // A village without households has a search key all the same.
    let mut chunk = chunks.next().unwrap_or_default();
    loop {
        let mut households = BTreeMap::new();
        for (household, wrapped) in chunk {
            let key = keys.unwrap::<64>(KeyUse::Household(village, *household), wrapped)?;
            households.insert(*household, KeyBytes(*key));
        }
        frames.push(ResponseFrame::VillageKeys(VillageKeys { village, search_key, households }));
        match chunks.next() {
            Some(next) => chunk = next,
            None => return Ok(frames),
        }
    }
}

/// A checkpoint over everything in this answer, and the proof that it continues the device's own.
fn checkpoint(
    store: &dyn Store,
    keys: &ServerKeys,
    now_ms: i64,
    hello: &Hello,
) -> Result<ResponseFrame, StoreError> {
    let checkpoint = store.checkpoint_sign(now_ms, &keys.signing)?;
    let from_size = hello.checkpoint_size;
    // A device that has seen a longer log than this one is given no proof, for there is none.
    let consistency = store.consistency(from_size, checkpoint.size)?.unwrap_or_default();
    Ok(ResponseFrame::Checkpoint(CheckpointFrame { note: checkpoint.note, from_size, consistency }))
}
