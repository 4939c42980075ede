//! Taking in a request as it arrives: every batch is durable before the next one is looked at.
//!
//! A batch proves itself, so it is taken in whether or not the request ever ends, and so does an announcement that is
//! signed by itself; everything else in the request waits until its signature was checked over the whole body.

use std::collections::BTreeSet;

use ruhu_ledger::batch::{Batch, BatchId};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::replay::{Previous, ReplayBatch, ReplayReader, StreamStart};
use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_sync::announce::Announcement;
use ruhu_sync::request::{Hello, HouseholdKeyFrame, VillageQuery};
use ruhu_sync::response::{BatchProblem, ProblemOutcome};
use ruhu_sync::{FrameReader, Offer, Refused, RequestFrame, ResponseFrame, WireError};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::AppState;
use super::announced::hear_early;
use super::body::Incoming;
use super::held::Holding;
use super::problem::{ApiError, with_sources};
use crate::ingest::{Ingested, Outcome, Rejection};
use crate::store::epochs::{BroughtBack, Offered};
use crate::store::people::Device;
use crate::store::{Store, StoreError};

/// What a request asks about one village, and what came with it.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) query: VillageQuery,
    pub(crate) announcement: Option<Announcement>,
    pub(crate) sent: BTreeSet<BatchId>,
    pub(crate) keys: Vec<HouseholdKeyFrame>,
}

/// Why the rest of a request was not looked at.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The device is told in the protocol's own words.
    Refused(Refused),
    /// The request fails.
    Failed(ApiError),
}

/// A request that was read to its end.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Who asked.
    pub(crate) hello: Option<Hello>,
    /// What was asked.
    pub(crate) parts: Vec<Part>,
    /// What became of the batches.
    pub(crate) frames: Vec<ResponseFrame>,
    /// Why it was not looked at to the end, if it was not.
    pub(crate) stop: Option<Stop>,
    /// SHA-256 of the whole body.
    pub(crate) body_sha256: [u8; 32],
    /// The device, once it is known.
    pub(crate) device: Option<Device>,
}

/// Reads a request to its end and takes its batches in; those in the bytes that came before it are here
/// already, and are answered as such.
///
/// # Errors
/// When the body does not come to its end; the batches before that are in.
pub(crate) async fn take(
    state: &AppState,
    id: DeviceId,
    device: Option<Device>,
    incoming: &mut Incoming,
    mut holding: Option<&mut Holding>,
) -> Result<Taken, ApiError> {
    let mut intake = Intake {
        state,
        id,
        device,
        old_receipt: None,
        reader: FrameReader::new(),
        hello: None,
        parts: Vec::new(),
        frames: Vec::new(),
        stop: None,
        stream: None,
        batches: 0,
    };
    let mut digest = Sha256::new();
    let before = holding.as_ref().map_or_else(Vec::new, |holding| holding.before());
    incoming.after(before.len());
    digest.update(&before);
    intake.feed(&before).await;
    while let Some(bytes) = incoming.next().await? {
        if let Some(holding) = &holding {
            holding.add(&bytes);
        }
        digest.update(&bytes);
        intake.feed(&bytes).await;
    }
    if let Some(holding) = &mut holding {
        holding.whole();
    }
    if intake.stop.is_none() {
        intake.stop = intake.reader.finish().err().map(Stop::from);
    }
    let Intake { hello, parts, frames, stop, device, .. } = intake;
    Ok(Taken { hello, parts, frames, stop, body_sha256: digest.finalize().into(), device })
}

struct Intake<'a> {
    state: &'a AppState,
    /// Who says to ask.
    id: DeviceId,
    /// What is known of it; nothing before a stranger has shown its certificate.
    device: Option<Device>,
    /// The receipt of an epoch that ended, for the next batch.
    old_receipt: Option<SignedReceipt>,
    reader: FrameReader<RequestFrame>,
    hello: Option<Hello>,
    parts: Vec<Part>,
    frames: Vec<ResponseFrame>,
    stop: Option<Stop>,
    /// The replay stream of the request, once a batch came in it.
    stream: Option<ReplayReader>,
    /// How many batches came so far, in the stream or not.
    batches: u64,
}

impl Intake<'_> {
    async fn feed(&mut self, mut chunk: &[u8]) {
        while self.stop.is_none() {
            let frame = match self.reader.read(&mut chunk) {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(error) => {
                    self.stop = Some(error.into());
                    return;
                }
            };
            self.stop = self.one(frame).await.err();
        }
    }

    async fn one(&mut self, frame: RequestFrame) -> Result<(), Stop> {
        match frame {
            RequestFrame::Hello(hello) => self.greet(hello),
            RequestFrame::Village(query) => self.village(query),
            RequestFrame::Announcement(said) => self.announcement(said).await,
            RequestFrame::Key(key) => {
                self.part()?.keys.push(key);
                Ok(())
            }
            RequestFrame::Batch(bytes) => {
                self.batches += 1;
                self.batch(bytes).await
            }
            RequestFrame::Replay(bytes) => {
                let place = self.batches;
                self.batches += 1;
                self.replay(&bytes, place).await
            }
            RequestFrame::OldReceipt(receipt) => {
                self.old_receipt = Some(receipt);
                Ok(())
            }
            RequestFrame::Offer(offer) => self.offer(offer).await.map_err(Stop::Failed),
        }
    }

    fn greet(&mut self, hello: Hello) -> Result<(), Stop> {
        let certified = self.device.as_ref().map(|device| device.certificate.statement.deployment);
        if certified.is_some_and(|deployment| deployment != hello.deployment) {
            return Err(refused("wrong_deployment", "the device enrolled with another installation"));
        }
        if hello.device != self.id {
            return Err(refused("wrong_device", "the hello names another device than the signature"));
        }
        self.hello = Some(hello);
        Ok(())
    }

    /// Takes in what this server signed in an epoch that ended. A stranger may be known afterwards.
    async fn offer(&mut self, offer: Offer) -> Result<(), ApiError> {
        let (id, now_ms, stranger) = (self.id, self.state.clock.now_ms(), self.device.is_none());
        let kind = offer.code();
        let (offered, device) = self
            .state
            .store(move |store| {
                let offered = store.offered(&offer, id, now_ms)?;
                let device = if stranger { store.device(id)? } else { None };
                Ok::<_, StoreError>((offered, device))
            })
            .await?;
        match offered {
            Offered::Kept => tracing::info!(device = %id, kind, "a record of an ended epoch came back"),
            Offered::Unproved => tracing::warn!(device = %id, kind, "an offered record proves nothing here"),
            Offered::Known => {}
        }
        self.device = self.device.take().or(device);
        Ok(())
    }

    fn village(&mut self, query: VillageQuery) -> Result<(), Stop> {
        let device = self.device.as_ref().ok_or(Stop::Failed(ApiError::DeviceUnknown))?;
        if !device.certificate.statement.grants(query.village) {
            return Err(Stop::Failed(ApiError::VillageNotGranted));
        }
        self.parts.push(Part { query, announcement: None, sent: BTreeSet::new(), keys: Vec::new() });
        Ok(())
    }

    async fn announcement(&mut self, said: Announcement) -> Result<(), Stop> {
        let device = self.device.clone().ok_or(Stop::Failed(ApiError::DeviceUnknown))?;
        let (state, part) = (self.state, self.part()?);
        let (village, now_ms) = (part.village(), state.clock.now_ms());
        part.announcement = Some(said.clone());
        let hear = move |store: &dyn Store| hear_early(store, &device, village, &said, now_ms);
        state.store(hear).await.map_err(Stop::Failed)
    }

    /// The village opened last; the reader has seen to it that there is one.
    fn part(&mut self) -> Result<&mut Part, Stop> {
        let none = || Stop::Failed(ApiError::Malformed("a batch or key comes before its village".to_owned()));
        self.parts.last_mut().ok_or_else(none)
    }

    async fn batch(&mut self, bytes: Vec<u8>) -> Result<(), Stop> {
        let header = match Batch::from_bytes(&bytes) {
            Ok(batch) => batch.header,
            Err(error) => {
                let detail = format!("a batch cannot be read: {}", with_sources(&error));
                return Err(Stop::Failed(ApiError::Malformed(detail)));
            }
        };
        let (id, part) = (header.id(), self.part()?);
        part.sent.insert(id);
        let village = part.query.village;
        if header.village != village {
            let detail = format!("the batch is of village {}, and came for {village}", header.village);
            self.frames.push(problem(id, "wrong_village", &detail, ProblemOutcome::Rejected));
            return Ok(());
        }
        let old_receipt = self.old_receipt.take();
        let ingested = self.ingest(bytes, old_receipt).await.map_err(Stop::Failed)?;
        self.report(id, &header.device, ingested);
        Ok(())
    }

    /// Takes in a batch of the replay stream, or asks for it raw.
    async fn replay(&mut self, bytes: &[u8], place: u64) -> Result<(), Stop> {
        let village = self.part()?.query.village;
        // An old receipt is for the raw batch right behind it.
        self.old_receipt = None;
        let read = self.stream().await?.batch(bytes, false);
        let taken = match read {
            Ok(replayed) => self.ingest_replay(village, replayed).await.map_err(Stop::Failed)?,
            Err(error) => Err(Rejection::new("replay_stream", error)),
        };
        match taken {
            Ok((id, device, ingested)) => {
                self.part()?.sent.insert(id);
                self.report(id, &device, ingested);
            }
            Err(why) => {
                tracing::info!(%village, place, code = why.code, "a batch is wanted raw");
                let outcome = ProblemOutcome::RawWanted { place };
                self.frames.push(problem(BatchId([0; 32]), why.code, &why.detail, outcome));
            }
        }
        Ok(())
    }

    /// The replay stream, begun with what the hello says.
    async fn stream(&mut self) -> Result<&mut ReplayReader, Stop> {
        if self.stream.is_none() {
            let size = self.hello.as_ref().map_or(0, |hello| hello.checkpoint_size);
            let anchor = self.state.store(move |store| store.anchor(size)).await.map_err(Stop::Failed)?;
            self.stream = Some(ReplayReader::new(StreamStart { device: self.id, anchor }));
        }
        let none = || Stop::Failed(ApiError::Malformed("there is no replay stream".to_owned()));
        self.stream.as_mut().ok_or_else(none)
    }

    async fn ingest_replay(
        &self,
        village: VillageId,
        replayed: ReplayBatch,
    ) -> Result<Result<(BatchId, DeviceId, Ingested), Rejection>, ApiError> {
        let (keys, now_ms) = (self.state.keys.clone(), self.state.clock.now_ms());
        let (started, device) = (Instant::now(), replayed.header.device);
        let take = move |store: &dyn Store| {
            store.ingest_replay(village, &replayed, Previous::Held, now_ms, &keys.signing)
        };
        let ingested = match self.state.store(take).await? {
            Ok(ingested) => ingested,
            Err(why) => return Ok(Err(why)),
        };
        self.count(&ingested, started);
        let unread = || ApiError::Malformed("a batch put together has no id".to_owned());
        Ok(Ok((ingested.batch.ok_or_else(unread)?, device, ingested)))
    }

    async fn ingest(&self, bytes: Vec<u8>, old_receipt: Option<SignedReceipt>) -> Result<Ingested, ApiError> {
        let (keys, now_ms) = (self.state.keys.clone(), self.state.clock.now_ms());
        let (started, by) = (Instant::now(), self.id);
        let take = move |store: &dyn Store| match &old_receipt {
            None => store.ingest(&bytes, now_ms, &keys.signing),
            Some(receipt) => {
                store.ingest_again(&BroughtBack { batch: &bytes, receipt, by }, now_ms, &keys.signing)
            }
        };
        let ingested = self.state.store(take).await?;
        self.count(&ingested, started);
        Ok(ingested)
    }

    fn count(&self, ingested: &Ingested, started: Instant) {
        self.state.metrics.batch(&ingested.outcome, started.elapsed());
        for (_, receipt) in &ingested.released {
            self.state.metrics.received(&receipt.statement.verdicts);
        }
    }

    fn report(&mut self, id: BatchId, device: &DeviceId, ingested: Ingested) {
        self.frames.push(match ingested.outcome {
            Outcome::Received(receipt) | Outcome::Repeated(receipt) => ResponseFrame::Receipt(*receipt),
            Outcome::Staged { expected } => {
                let detail = format!("batch {expected} of the chain is not here");
                problem(id, "staged", &detail, ProblemOutcome::Staged { expected })
            }
            Outcome::Rejected(rejection) => {
                tracing::warn!(
                    batch = %id, %device, code = rejection.code,
                    "a batch was rejected"
                );
                problem(id, rejection.code, &rejection.detail, ProblemOutcome::Rejected)
            }
        });
        // What waited in another device's chain is that device's to hear of.
        if *device == self.id {
            let released = ingested.released.into_iter().map(|(_, receipt)| ResponseFrame::Receipt(receipt));
            self.frames.extend(released);
        }
    }
}

fn refused(code: &str, detail: &str) -> Stop {
    Stop::Refused(Refused { code: code.to_owned(), detail: detail.to_owned(), upgrade: None })
}

fn problem(batch: BatchId, code: &str, detail: &str, outcome: ProblemOutcome) -> ResponseFrame {
    let most = ruhu_sync::limits::DETAIL_BYTES_MAX;
    let end = detail.floor_char_boundary(most.min(detail.len()));
    let detail = detail.split_at(end).0.to_owned();
    ResponseFrame::BatchProblem(BatchProblem { batch, code: code.to_owned(), detail, outcome })
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Self {
        match error.refusal() {
            Some(refused) => Self::Refused(refused.clone()),
            None => Self::Failed(ApiError::Malformed(with_sources(&error))),
        }
    }
}

impl Part {
    /// The village that the part is about.
    pub(crate) fn village(&self) -> VillageId {
        self.query.village
    }
}
