//! What a device is answered once its request has proved itself: a plain function over the store.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::certificate::SignedRevocation;
use ruhu_ledger::replay::{ReplayWriter, StreamStart};
use ruhu_survey::change::ActorId;
use ruhu_survey::id::{DeviceId, HouseholdId, VillageId};
use ruhu_survey::replay::founders;
use ruhu_sync::answer::given_start;
use ruhu_sync::limits::{ANSWER_BYTES, KEYS_PER_FRAME};
use ruhu_sync::protocol::PROTOCOL_FOUNDED_KEYS;
use ruhu_sync::request::{Hello, HouseholdKeyFrame, VillageQuery};
use ruhu_sync::response::{
    CheckpointFrame, ForkTold, Relayed, RelayedDecision, RelayedReplay, ResponseFrame, VillageDone,
    VillageKeys, Welcome,
};
use ruhu_sync::{ChainTip, FoundedKeys, KeyBytes, Refused};

use super::announced::{hear, tell};
use super::intake::Part;
use super::problem::ApiError;
use crate::belt::settle_belt;
use crate::enrol::village_key;
use crate::keys::{KeyError, KeyUse, ServerKeys};
use crate::limits::{ANSWER_BYTES_MAX, BELT_ROUNDS_MAX};
use crate::relay::{Asked, Entry, Relay};
use crate::store::people::{Device, NumberedKey};
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
    let mut answer = vec![welcome(store, now_ms, hello.protocol)?];
    let successions = successions(store, &parts)?;
    let followed = !successions.is_empty();
    answer.extend(successions);
    answer.extend(frames);
    answer.extend((!held.is_empty()).then_some(ResponseFrame::KeysHeld(held)));
    if barred.is_some() {
        // It learns that its batches are kept, and of its own revocation; its next request is refused.
        answer.extend(own_revocation(store, &device)?.map(ResponseFrame::Revocation));
    } else {
        hear(store, device.id, &parts, now_ms)?;
        settle_belt(store, now_ms, &keys.signing)?;
        let forks = forks(store, device.id, &parts)?;
        let stream = stream(store, &device, &hello)?;
        let mut given = Given { left: ANSWER_BYTES_MAX, stream, ..Given::default() };
        for part in parts {
            give(store, keys, now_ms, (&device, &hello), part, &mut given, &mut answer)?;
        }
        answer.extend(forks);
        // Before the checkpoint: an answer cut between the two must not pass for one that told it.
        answer.extend(watermark(store, if followed { 0 } else { hello.checkpoint_size })?);
        answer.extend(checkpoint(store, keys, now_ms, &hello)?);
    }
    answer.push(ResponseFrame::Bye);
    Ok(answer)
}

/// A welcome in a version of the protocol that the device understands.
pub(super) fn welcome(store: &dyn Store, now_ms: i64, protocol: u16) -> Result<ResponseFrame, StoreError> {
    Ok(ResponseFrame::Welcome(Welcome {
        protocol,
        epoch: store.deployment()?.epoch,
        server_time_ms: now_ms,
        schema: DOCUMENT_SCHEMA,
    }))
}

/// How the epochs followed one another, for a device whose cursors are not of the present one.
fn successions(store: &dyn Store, parts: &[Part]) -> Result<Vec<ResponseFrame>, StoreError> {
    let epoch = store.deployment()?.epoch;
    let is_present = |part: &Part| part.query.cursor.is_some_and(|cursor| cursor.epoch == epoch);
    if parts.iter().all(is_present) {
        return Ok(Vec::new());
    }
    Ok(store.links()?.into_iter().map(|link| ResponseFrame::Succession(Box::new(link))).collect())
}

/// The newest watermark, for a device that has seen only `seen` leaves of the log and not the watermark's own.
fn watermark(store: &dyn Store, seen: u64) -> Result<Option<ResponseFrame>, StoreError> {
    let newest = store.watermark()?.filter(|(leaf, _)| *leaf >= seen);
    Ok(newest.map(|(_, signed)| ResponseFrame::Watermark(signed)))
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
            let wrapped = wrapped(keys, part.village(), frame)?;
            store.household_key_put(part.village(), frame.household, &wrapped)?;
            held.insert(frame.household);
        }
    }
    Ok(held)
}

/// An offered key as it is kept.
pub(super) fn wrapped(
    keys: &ServerKeys,
    village: VillageId,
    offered: &HouseholdKeyFrame,
) -> Result<Vec<u8>, KeyError> {
    keys.wrap(KeyUse::Household(village, offered.household), &offered.key.0)
}

/// For each village where the device's own chain has a branch that it does not name, the end of that one.
fn forks(store: &dyn Store, device: DeviceId, parts: &[Part]) -> Result<Vec<ResponseFrame>, StoreError> {
    let mut told = Vec::new();
    for part in parts {
        let village = part.village();
        let Some(fork) = store.fork(village, device)? else { continue };
        let named = |(number, batch): &(u64, BatchId)| {
            part.sent.contains(batch) || part.query.vector.contains(&ChainTip::at(device, *number, batch))
        };
        let other = fork.tips.iter().find(|tip| !named(tip));
        told.extend(other.map(|(_, tip)| {
            ResponseFrame::ForkTold(ForkTold { village, device, number: fork.number, tip: *tip })
        }));
    }
    Ok(told)
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
    /// The answer's replay stream, for a device that takes one.
    stream: Option<ReplayWriter>,
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

/// Everything about one village: certificates, keys, what the device lacks, and how far that goes; or that
/// its cursor means nothing here.
fn give(
    store: &dyn Store,
    keys: &ServerKeys,
    now_ms: i64,
    (device, hello): (&Device, &Hello),
    part: Part,
    given: &mut Given,
    answer: &mut Vec<ResponseFrame>,
) -> Result<(), ApiError> {
    let Part { query, announcement, sent, keys: offered } = part;
    let village = query.village;
    let new_keys = new_keys(store, keys, hello, &query, &offered)?;
    let asked = Asked {
        village,
        cursor: query.cursor,
        vector: query.vector,
        sent,
        bytes_max: ANSWER_BYTES.min(given.left),
    };
    let mut relay = settled_relay(store, keys, now_ms, &asked)?;
    if relay.vector_wanted {
        answer.push(ResponseFrame::VectorWanted(village));
        return Ok(());
    }
    answer.extend(given.news(&mut relay));
    answer.extend(new_keys);
    for entry in relay.entries {
        let (bytes, frame) = entry_frame(store, village, entry, given.stream.as_mut())?;
        given.left = given.left.saturating_sub(bytes);
        answer.push(frame);
    }
    let more = relay.more || relay.unsettled;
    if !more {
        // Beside the newest receipts: what was announced and has been received since is not shown as missing.
        answer.extend(tell(store, device, (village, query.cursor), announcement.as_ref())?);
    }
    let Relay { cursor, fingerprint, .. } = relay;
    answer.push(ResponseFrame::VillageDone(VillageDone { village, cursor, fingerprint, more }));
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

/// The replay stream of an answer, when the device takes one.
fn stream(store: &dyn Store, device: &Device, hello: &Hello) -> Result<Option<ReplayWriter>, StoreError> {
    if !hello.replay {
        return Ok(None);
    }
    let anchor = store.anchor(hello.checkpoint_size)?;
    // Without the memory for a compressor the batches are relayed raw.
    Ok(ReplayWriter::new(&StreamStart { device: device.id, anchor }).ok())
}

/// An entry as it is given, and the bytes it takes of the answer's room.
pub(super) fn entry_frame(
    store: &dyn Store,
    village: VillageId,
    entry: Entry,
    stream: Option<&mut ReplayWriter>,
) -> Result<(u64, ResponseFrame), StoreError> {
    Ok(match entry {
        Entry::Batch { sequence, bytes, receipt } => {
            let room = bytes.len() as u64;
            let replay = match stream {
                Some(writer) => store.relay_replay(sequence, writer)?,
                None => None,
            };
            let frame = match replay {
                Some(bytes) => ResponseFrame::Replay(RelayedReplay { village, sequence, bytes }),
                None => {
                    ResponseFrame::Relayed(Relayed { village, sequence, batch: bytes, receipt: *receipt })
                }
            };
            (room, frame)
        }
        Entry::Decision { sequence, decision } => {
            let relayed = RelayedDecision { village, sequence, decision: *decision };
            (relayed.decision.to_bytes().len() as u64, ResponseFrame::Decision(relayed))
        }
    })
}

/// The keys of the village that the device was not given yet, in as many frames as they need.
///
/// A key may become durable after the batch that founds its household: it has a number of its own, and is
/// given when it is there. What the device itself has just offered does not come back to it.
fn new_keys(
    store: &dyn Store,
    keys: &ServerKeys,
    hello: &Hello,
    query: &VillageQuery,
    offered: &[HouseholdKeyFrame],
) -> Result<Vec<ResponseFrame>, ApiError> {
    let (village, epoch) = (query.village, store.deployment()?.epoch);
    let last = store.household_keys_last(village)?;
    let after = given_start(query.cursor, query.keys_given, epoch, last);
    if after == last {
        return Ok(Vec::new());
    }
    let mut search_key = match after {
        0 => Some(KeyBytes(village_key(store, keys, village)?)),
        _ => None,
    };
    let new = store.household_keys_after(village, after)?;
    let short = hello.protocol >= PROTOCOL_FOUNDED_KEYS;
    let founders = if short { founders_of(store, village, &new)? } else { BTreeMap::new() };
    let mut frames = Vec::new();
    let mut chunks = new.chunks(KEYS_PER_FRAME);
    // A village without households has a search key all the same: number 1.
    let mut chunk = chunks.next().unwrap_or_default();
    loop {
        let given = chunk.last().map_or(1, |key| key.number);
        let households = opened(keys, village, chunk, offered)?;
        let search_key = search_key.take();
        let given_now = VillageKeys { village, given, search_key, households };
        let founders = given_now.households.keys().filter_map(|id| Some((*id, *founders.get(id)?))).collect();
        frames.push(match short {
            true => ResponseFrame::FoundedKeys(FoundedKeys { keys: given_now, founders }),
            false => ResponseFrame::VillageKeys(given_now),
        });
        match chunks.next() {
            Some(next) => chunk = next,
            None => return Ok(frames),
        }
    }
}

/// Who founded the households whose keys are given, as far as their ids tell.
fn founders_of(
    store: &dyn Store,
    village: VillageId,
    new: &[NumberedKey],
) -> Result<BTreeMap<HouseholdId, (ActorId, u64)>, StoreError> {
    let mut first = Vec::new();
    for NumberedKey { household, .. } in new {
        let actor = store.founding_actor(village, (*household).into())?;
        first.extend(actor.map(|actor| (*household.as_bytes(), actor)));
    }
    let founded = founders(first).into_iter();
    Ok(founded.map(|(id, founder)| (HouseholdId::from_bytes(id), founder)).collect())
}

/// Keys as they are given, without those that were offered just so.
fn opened(
    keys: &ServerKeys,
    village: VillageId,
    numbered: &[NumberedKey],
    offered: &[HouseholdKeyFrame],
) -> Result<BTreeMap<HouseholdId, KeyBytes<64>>, ApiError> {
    let mut households = BTreeMap::new();
    for NumberedKey { household, wrapped, .. } in numbered {
        let key = KeyBytes(*keys.unwrap::<64>(KeyUse::Household(village, *household), wrapped)?);
        if !offered.contains(&HouseholdKeyFrame { household: *household, key }) {
            households.insert(*household, key);
        }
    }
    Ok(households)
}

/// A checkpoint over everything in this answer, and the proof that it continues the device's own; none when
/// the device holds one of this size already.
fn checkpoint(
    store: &dyn Store,
    keys: &ServerKeys,
    now_ms: i64,
    hello: &Hello,
) -> Result<Option<ResponseFrame>, StoreError> {
    let checkpoint = store.checkpoint_sign(now_ms, &keys.signing)?;
    let from_size = hello.checkpoint_size;
    if checkpoint.size == from_size {
        return Ok(None);
    }
    // A device that has seen a longer log than this one is given no proof, for there is none.
    let consistency = store.consistency(from_size, checkpoint.size)?.unwrap_or_default();
    Ok(Some(ResponseFrame::Checkpoint(CheckpointFrame { note: checkpoint.note, from_size, consistency })))
}
