//! A server and a device in this process, each on a disk of its own, and the wire between them.

use std::future::Future;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use ruhu_client_core::{
    Client, Cost, Environment, Error, Files, HttpRequest, HttpResponse, Invitation, Profile, SyncOutcome,
    SyncReport, Transport, TransportError,
};
use ruhu_ledger::epoch::{EpochStart, SignedEpochStart};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_sample::{Date, Parameters, VillageRequest, roster_csv, village};
use ruhu_server::api::{AppState, router};
use ruhu_server::belt::settle_belt;
use ruhu_server::clock::Clock;
use ruhu_server::config::Settings;
use ruhu_server::enrol::{self, NOBODY, server_certificate};
use ruhu_server::keys::{KeyUse, ServerKeys};
use ruhu_server::roster::import::{Import, plan};
use ruhu_server::store::people::{NewVillage, RegionCommit, User};
use ruhu_server::store::{LedgerStore as _, PeopleStore as _, PlaceStore as _, SqliteStore, StoreError};
use ruhu_survey::id::{DeploymentId, EpochId, UserId, VillageId};
use ruhu_survey::role::Role;
use ruhu_sync::ResponseFrame;
use ruhu_sync::frame::decode_all;
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

use crate::disk::{Disk, Tape};

const PASSPHRASE: &str = "a passphrase of a test";
/// Guessing the passphrase of a test may be cheap.
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
const START_MS: i64 = 1_790_000_000_000;
const DAY_MS: i64 = 86_400_000;
const NAME: &str = "张秀英";

/// What went wrong, in words.
pub(crate) type Trouble = String;

/// Says what failed, with the error's causes.
pub(crate) fn say(what: &str) -> impl Fn(&dyn std::error::Error) -> Trouble {
    move |error| {
        let mut text = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(inner) = cause {
            text.push_str(&format!(": {inner}"));
            cause = inner.source();
        }
        text
    }
}

/// A clock that goes on by a second whenever it is read.
#[derive(Debug)]
struct Ticks(AtomicI64);

impl Ticks {
    fn on(day: u32) -> Self {
        Self(AtomicI64::new(START_MS + i64::from(day) * DAY_MS))
    }
}

impl Clock for Ticks {
    fn now_ms(&self) -> i64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}

/// A device's surroundings: the same seed gives the same bytes.
struct Surroundings {
    files: Arc<dyn Files>,
    clock: Ticks,
    seed: u64,
    drawn: AtomicU64,
}

impl Environment for Surroundings {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        self.clock.now_ms().unsigned_abs() - START_MS.unsigned_abs()
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        for chunk in bytes.chunks_mut(32) {
            let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
            let block = Sha256::digest([self.seed.to_be_bytes(), drawn.to_be_bytes()].concat());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }

    fn files(&self) -> Arc<dyn Files> {
        Arc::clone(&self.files)
    }
}

/// The server's process.
pub(crate) struct Server {
    pub(crate) store: Arc<SqliteStore>,
    keys: Arc<ServerKeys>,
    clock: Arc<Ticks>,
    router: Router,
    runtime: tokio::runtime::Runtime,
    tape: Tape,
    receipts: Mutex<Vec<(usize, SignedReceipt)>>,
}

impl Server {
    /// Starts the server on its disk on a day; the moments of the tape say when it gave out what.
    pub(crate) fn start(disk: &Disk, day: u32, tape: &Tape) -> Result<Self, StoreError> {
        let store = Arc::new(SqliteStore::open(&disk.path("ruhu.db"), None)?);
        let keys = Arc::new(ServerKeys::from_seeds(&[[1; 32], [2; 32], [3; 32]]));
        let clock = Arc::new(Ticks::on(day));
        let config = Settings::default().complete().unwrap();
        let (router, _) = router(AppState::new(store.clone(), keys.clone(), clock.clone(), &config));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tape = tape.clone();
        Ok(Self { store, keys, clock, router, runtime, tape, receipts: Mutex::default() })
    }

    /// Sets up the installation with one village, as far as that has not been done.
    pub(crate) fn set_up(&self) -> Result<(), Trouble> {
        if let Err(StoreError::NotFound(_)) = self.store.deployment() {
            let start = EpochStart {
                deployment: DeploymentId::from_bytes([1; 16]),
                epoch: EpochId::from_bytes([2; 16]),
                server_key: self.keys.signing.public(),
                started_ms: START_MS,
                previous: None,
            };
            let certificate = server_certificate(&start, &self.keys, "慈利县演示", 1).unwrap();
            let start = SignedEpochStart::sign(start, &self.keys.signing).unwrap();
            self.store.deployment_begin(&start, &certificate).map_err(|e| say("deployment")(&e))?;
        }
        let sample = village(
            &VillageRequest {
                seed: 1,
                ordinal: 0,
                households: 2,
                on: Date { year: 2026, month: 11, day: 1 },
            },
            Parameters::bundled(),
        );
        let id = VillageId::from_bytes([3; 16]);
        let code = sample.code.clone();
        if self.store.village_of_code(&code).map_err(|e| say("village")(&e))?.is_none() {
            let wrapped_key = self.keys.wrap(KeyUse::Village(id), &[5; 32]).unwrap();
            let new = NewVillage { id, code: code.clone(), name: sample.name.clone(), wrapped_key };
            let commit = RegionCommit { villages: vec![new], ..RegionCommit::default() };
            self.store.regions_commit(&commit, START_MS).map_err(|e| say("regions")(&e))?;
        }
        self.import(&code, roster_csv(&sample).as_bytes())?;
        if self.store.users().map_err(|e| say("users")(&e))?.is_empty() {
            let regions = [code].into();
            let user = User {
                id: UserId::from_bytes([4; 16]),
                name: NAME.to_owned(),
                role: Role::WorkTeam,
                regions,
            };
            self.store.user_add(&user, START_MS).map_err(|e| say("user")(&e))?;
        }
        Ok(())
    }

    fn import(&self, code: &str, roster: &[u8]) -> Result<(), Trouble> {
        let village = self.store.village_of_code(code).map_err(|e| say("village")(&e))?;
        let import = Import {
            store: self.store.as_ref(),
            keys: &self.keys,
            clock: self.clock.as_ref(),
            village: &village.ok_or("the village is not there")?,
            roster: "roster",
            by: NOBODY,
            allow_unissued_area: true,
        };
        let planned = plan(&import, roster).map_err(|e| say("roster")(&e))?;
        planned.commit(&import).map_err(|e| say("roster")(&e))?;
        self.checkpoint()
    }

    /// Signs a checkpoint over all there is.
    pub(crate) fn checkpoint(&self) -> Result<(), Trouble> {
        let signing = &self.keys.signing;
        settle_belt(self.store.as_ref(), self.clock.now_ms(), signing).map_err(|e| say("belt")(&e))?;
        let signed = self.store.checkpoint_sign(self.clock.now_ms(), signing);
        signed.map(drop).map_err(|e| say("checkpoint")(&e))
    }

    /// A new invitation for the one person.
    pub(crate) fn invite(&self) -> Result<Invitation, Trouble> {
        let users = self.store.users().map_err(|e| say("users")(&e))?;
        let user = users.first().ok_or("the person is not there")?;
        let code = enrol::invite(self.store.as_ref(), self.clock.as_ref(), user, 86_400_000);
        let code = code.map_err(|e| say("invite")(&e))?;
        let link = enrol::link("http://127.0.0.1:1", &code, &self.keys.signing.public());
        Invitation::from_link(&link).map_err(|e| say("link")(&e))
    }

    /// The receipts given out since the last time this was asked, each with the moment.
    pub(crate) fn receipts(&self) -> Vec<(usize, SignedReceipt)> {
        std::mem::take(&mut self.receipts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for what a device does over the wire.
    pub(crate) fn serve<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn note_receipts(&self, body: &[u8]) {
        let frames: Vec<ResponseFrame> = decode_all(body).unwrap_or_default();
        let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = self.tape.length();
        receipts.extend(frames.into_iter().filter_map(|frame| match frame {
            ResponseFrame::Receipt(receipt) => Some((moment, receipt)),
            _ => None,
        }));
    }
}

impl Transport for Server {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let mut built = Request::builder().method(request.method).uri(&request.path);
        for (name, value) in &request.headers {
            built = built.header(*name, value);
        }
        let built = built.body(Body::from(request.body)).unwrap();
        let response = self.router.clone().oneshot(built).await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let headers = headers.collect();
        let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        if request.path == "/v1/sync" {
            self.note_receipts(&body);
        }
        Ok(HttpResponse { status, headers, body, whole: true })
    }
}

/// A device's surroundings on its disk, on a day.
fn surroundings(disk: &Disk, profile: Profile, day: u32) -> Box<dyn Environment> {
    let files = disk.files(profile);
    Box::new(Surroundings { files, clock: Ticks::on(day), seed: u64::from(day), drawn: AtomicU64::new(0) })
}

/// Makes a device's store.
pub(crate) fn create(disk: &Disk, profile: Profile, day: u32) -> Result<Client, Error> {
    Client::create_with_cost(&disk.path("store"), PASSPHRASE, CHEAP, surroundings(disk, profile, day))
}

/// Opens a device's store.
pub(crate) fn open(disk: &Disk, profile: Profile, day: u32) -> Result<Client, Error> {
    Client::open(&disk.path("store"), PASSPHRASE, surroundings(disk, profile, day))
}

/// Enrols a device.
pub(crate) fn enrol_device(client: &mut Client, server: &Server) -> Result<(), Trouble> {
    let invitation = server.invite()?;
    let enrolled = server.serve(client.enrol(&invitation, "平板1", &mut |_| true, server));
    enrolled.map(drop).map_err(|e| say("enrolment")(&e))
}

/// Syncs a device, which must end with nothing left over and nothing in dispute.
pub(crate) fn sync(client: &mut Client, server: &Server) -> Result<SyncReport, Trouble> {
    let report = server.serve(client.sync(server, &mut |_| {})).map_err(|e| say("sync")(&e))?;
    let clean = report.outcome == SyncOutcome::Complete
        && report.waiting == 0
        && report.not_accepted == 0
        && report.set_aside == 0
        && report.mismatched.is_empty();
    if clean {
        return Ok(report);
    }
    let refused = client.refused().map_err(|e| say("refused")(&e))?;
    Err(format!("the sync left something over: {report:?}; not accepted: {refused:?}"))
}
