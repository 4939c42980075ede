//! Bundles at the office: a stick brings batches in, and takes receipts and everybody's batches home.

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::replay::Previous;
use ruhu_survey::id::VillageId;
use ruhu_sync::KeyBytes;
use ruhu_sync::bundle::{self, Contents, Damage, Header, Place};
use ruhu_sync::limits::{ANSWER_BYTES, KEYS_PER_FRAME};
use ruhu_sync::peer::{
    CarriedBatch, CarriedReceipt, CarriedReplay, Holding, HouseholdKeys, PeerFrame, PieceReader,
};
use ruhu_sync::response::RelayedDecision;

use crate::belt::settle_belt;
use crate::enrol::{EnrolError, village_key};
use crate::ingest::{Ingested, Outcome, Rejection};
use crate::keys::{KeyError, KeyUse, ServerKeys, random};
use crate::relay::{Asked, Entry};
use crate::store::{Store, StoreError};

/// Why a bundle is not taken in or written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A village's key cannot be used.
    #[error(transparent)]
    Village(#[from] EnrolError),
    /// The file could not be sealed.
    #[error(transparent)]
    Seal(#[from] bundle::SealError),
}

/// What a bundle brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Batches that are received now, those that had waited for one of them included.
    pub received: u64,
    /// Batches that were received before.
    pub repeated: u64,
    /// Batches that wait for an earlier one of their chain.
    pub staged: u64,
    /// Batches that were not taken, and why.
    pub rejected: Vec<(Option<BatchId>, Rejection)>,
    /// Keys of households that are durable now.
    pub keys: u64,
    /// Parts of villages or installations that are not this server's.
    pub foreign: u64,
    /// What is damaged; everything else counts.
    pub damage: Vec<Damage>,
}

/// Takes in a bundle. Each batch is durable by itself, as if its device had sent it.
///
/// # Errors
/// [`BundleError`]; what was taken in before stays.
pub fn import(
    store: &dyn Store,
    keys: &ServerKeys,
    now_ms: i64,
    file: &[u8],
) -> Result<Imported, BundleError> {
    let contents = read(store, keys, file)?;
    let mut imported = Imported { damage: contents.damage, ..Imported::default() };
    let mut pieces = PieceReader::default();
    for part in contents.parts {
        imported.foreign += u64::from(!part.readable);
        for frame in part.frames {
            match frame {
                PeerFrame::Batch(carried) => {
                    imported.count(store.ingest(&carried.batch, now_ms, &keys.signing)?);
                }
                PeerFrame::Replay(carried) => match piece(store, keys, now_ms, &mut pieces, &carried)? {
                    Ok(ingested) => imported.count(ingested),
                    Err(why) => imported.rejected.push((None, why)),
                },
                PeerFrame::Keys(found) => imported.keys += keep_keys(store, keys, &found)?,
                // Everything else is this server's own word.
                _ => {}
            }
        }
    }
    settle_belt(store, now_ms, &keys.signing)?;
    Ok(imported)
}

/// Takes in a batch of a replay stream, or says why it cannot be put together here.
fn piece(
    store: &dyn Store,
    keys: &ServerKeys,
    now_ms: i64,
    pieces: &mut PieceReader,
    carried: &CarriedReplay,
) -> Result<Result<Ingested, Rejection>, BundleError> {
    let replayed = match pieces.read(carried) {
        Ok(replayed) => replayed,
        Err(error) => return Ok(Err(Rejection::new("replay_stream", error))),
    };
    let previous = Previous::Named(carried.previous);
    Ok(store.ingest_replay(carried.village, &replayed, previous, now_ms, &keys.signing)?)
}

impl Imported {
    fn count(&mut self, ingested: Ingested) {
        match ingested.outcome {
            Outcome::Received(_) => self.received += 1,
            Outcome::Repeated(_) => self.repeated += 1,
            Outcome::Staged { .. } => self.staged += 1,
            Outcome::Rejected(rejection) => self.rejected.push((ingested.batch, rejection)),
        }
        let released = ingested.released.len() as u64;
        self.received += released;
        self.staged = self.staged.saturating_sub(released);
    }
}

fn keep_keys(store: &dyn Store, keys: &ServerKeys, found: &HouseholdKeys) -> Result<u64, BundleError> {
    for (household, (_, key)) in &found.households {
        let wrapped = keys.wrap(KeyUse::Household(found.village, *household), &key.0)?;
        store.household_key_put(found.village, *household, &wrapped)?;
    }
    Ok(found.households.len() as u64)
}

/// What to append to a bundle so that it holds everything of a village: nothing when it does already.
///
/// # Errors
/// [`BundleError`].
pub fn export(
    store: &dyn Store,
    keys: &ServerKeys,
    now_ms: i64,
    file: &[u8],
    village: VillageId,
) -> Result<Vec<u8>, BundleError> {
    settle_belt(store, now_ms, &keys.signing)?;
    let contents = read(store, keys, file)?;
    let frames = lacking(store, keys, &contents.holding(village))?;
    if frames.is_empty() {
        return Ok(Vec::new());
    }
    let fresh =
        Header { deployment: store.deployment()?.deployment, village, file: random()?, replay: false };
    let mut place = Place::after(contents.end(), fresh);
    place.append(&village_key(store, keys, village)?, frames, || Ok(random()?))
}

/// Reads a file with the keys of this server's villages.
fn read(store: &dyn Store, keys: &ServerKeys, file: &[u8]) -> Result<Contents, BundleError> {
    let deployment = store.deployment()?.deployment;
    // A village that is not known here has no key; a key that fails to open is found by `verify`.
    let key_of = |header: &Header| {
        (header.deployment == deployment).then(|| village_key(store, keys, header.village).ok()).flatten()
    };
    Ok(bundle::read(file, key_of))
}

fn lacking(store: &dyn Store, keys: &ServerKeys, held: &Holding) -> Result<Vec<PeerFrame>, BundleError> {
    let (certificates, revocations) = store.credentials(held.village)?;
    let certificates =
        certificates.into_iter().filter(|signed| !held.certificates.contains(&signed.statement.serial));
    let revocations =
        revocations.into_iter().filter(|signed| !held.revocations.contains(&signed.statement.device));
    let mut frames: Vec<PeerFrame> = certificates.map(PeerFrame::Certificate).collect();
    frames.extend(revocations.map(PeerFrame::Revocation));
    frames.extend(household_keys(store, keys, held)?);
    frames.extend(entries(store, held)?);
    Ok(frames)
}

fn household_keys(
    store: &dyn Store,
    keys: &ServerKeys,
    held: &Holding,
) -> Result<Vec<PeerFrame>, BundleError> {
    let village = held.village;
    let mut lacking = Vec::new();
    for (household, wrapped) in store.household_keys(village)? {
        if !held.keys.contains(&household) {
            let key = keys.unwrap::<64>(KeyUse::Household(village, household), &wrapped)?;
            lacking.push((household, (true, KeyBytes(*key))));
        }
    }
    let frames = lacking
        .chunks(KEYS_PER_FRAME)
        .map(|some| PeerFrame::Keys(HouseholdKeys { village, households: some.iter().copied().collect() }));
    Ok(frames.collect())
}

/// The batches, receipts and decisions of a village's feed that a file lacks, in the order of the feed.
fn entries(store: &dyn Store, held: &Holding) -> Result<Vec<PeerFrame>, BundleError> {
    let village = held.village;
    let mut asked = Asked {
        village,
        cursor: None,
        vector: std::collections::BTreeSet::new(),
        sent: std::collections::BTreeSet::new(),
        bytes_max: ANSWER_BYTES,
    };
    let mut frames = Vec::new();
    loop {
        let relay = store.relay(&asked)?;
        frames.extend(relay.entries.into_iter().filter_map(|entry| frame(village, entry, held)));
        if !relay.more || asked.cursor == Some(relay.cursor) {
            return Ok(frames);
        }
        asked.cursor = Some(relay.cursor);
    }
}

fn frame(village: VillageId, entry: Entry, held: &Holding) -> Option<PeerFrame> {
    match entry {
        Entry::Batch { sequence, bytes, receipt } => match held.batches.get(&receipt.statement.batch) {
            Some(true) => None,
            Some(false) => Some(PeerFrame::Receipt(CarriedReceipt { sequence, receipt: *receipt })),
            None => Some(PeerFrame::Batch(CarriedBatch { batch: bytes, sequence, receipt: Some(*receipt) })),
        },
        Entry::Decision { sequence, .. } if held.decisions.contains(&sequence) => None,
        Entry::Decision { sequence, decision } => {
            Some(PeerFrame::Decision(RelayedDecision { village, sequence, decision: *decision }))
        }
    }
}
