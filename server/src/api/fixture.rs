//! A server in the process, without a network, for the tests of the API.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use ruhu_ledger::batch::Batch;
use ruhu_ledger::certificate::{Certificate, CertificateKind};
use ruhu_survey::change::Value;
use ruhu_survey::id::{UserId, VillageId};
use ruhu_survey::role::Role;
use ruhu_sync::authenticate::{
    HEADER_DEVICE, HEADER_NONCE, HEADER_SIGNATURE, REQUEST_DOMAIN, request_digest,
};
use ruhu_sync::frame::decode_all;
use ruhu_sync::request::{Hello, VillageQuery};
use ruhu_sync::{Cursor, PROTOCOL_VERSION, RequestFrame, ResponseFrame, encode_all};
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;
use utoipa::openapi::OpenApi;

use super::{AppState, router};
use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::enrol::new_token;
use crate::keys::{KeyUse, ServerKeys};
use crate::photos::PhotoShelf;
use crate::store::people::{NewVillage, PeopleStore as _, PlaceStore as _, RegionCommit, User};
use crate::store::world::{DEPLOYMENT, LONGTAN, MORNING_MS, SHUANGYUN, Tablet, World, certificate, text};
use crate::store::{SqliteStore, Store};

/// The official codes of the two villages.
pub(crate) const LONGTAN_CODE: &str = "430821101201";
pub(crate) const SHUANGYUN_CODE: &str = "430821102201";

/// A clock that stands where it was put.
#[derive(Debug)]
pub(crate) struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl HandClock {
    pub(crate) fn forward(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

pub(crate) struct Fixture {
    _folder: tempfile::TempDir,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) keys: Arc<ServerKeys>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) state: AppState,
    pub(crate) router: Router,
    pub(crate) document: OpenApi,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The stable code of a refusal, with the status.
    pub(crate) fn code(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        (self.status.as_u16(), problem["code"].as_str().unwrap().to_owned())
    }

    pub(crate) fn frames(&self) -> Vec<ResponseFrame> {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        decode_all(&self.body).unwrap()
    }
}

pub(crate) fn config() -> Config {
    Settings::default().complete().unwrap()
}

impl Fixture {
    /// A server with the villages 龙潭河村 and 双云村.
    pub(crate) fn new() -> Self {
        Self::with(&config())
    }

    pub(crate) fn with(config: &Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("ruhu.db"), None).unwrap());
        let keys = Arc::new(ServerKeys::from_seeds(&[[1; 32], [2; 32], [3; 32]]));
        let clock = Arc::new(HandClock(AtomicI64::new(MORNING_MS)));
        World::new(store.as_ref());
        let villages = [(LONGTAN, LONGTAN_CODE, "龙潭河村"), (SHUANGYUN, SHUANGYUN_CODE, "双云村")];
        let villages = villages.map(|(id, code, name)| NewVillage {
            id,
            code: code.to_owned(),
            name: name.to_owned(),
            wrapped_key: keys.wrap(KeyUse::Village(id), &[5; 32]).unwrap(),
        });
        let commit = RegionCommit { villages: villages.into(), ..RegionCommit::default() };
        store.regions_commit(&commit, MORNING_MS).unwrap();
        let state = AppState::new(store.clone(), keys.clone(), clock.clone(), config);
        let (router, document) = router(state.clone());
        Self { _folder: folder, store, keys, clock, state, router, document }
    }

    /// The same store after a restart of the server: what was in memory is gone.
    pub(crate) fn restarted(self) -> Self {
        let state = AppState::new(self.store.clone(), self.keys.clone(), self.clock.clone(), &config());
        let (router, document) = router(state.clone());
        Self { state, router, document, ..self }
    }

    /// The same server with another shelf of photos.
    pub(crate) fn with_photos(self, photos: PhotoShelf) -> Self {
        let state = self.state.clone().with_photos(photos);
        let (router, document) = router(state.clone());
        Self { state, router, document, ..self }
    }

    /// The same server as the store's tests see it.
    pub(crate) fn world(&self) -> World<'_> {
        let store: &dyn Store = self.store.as_ref();
        World {
            store,
            signing: self.keys.signing.clone(),
            own: self.keys.device.clone(),
            now_ms: self.clock.now_ms(),
        }
    }

    /// A tablet of a first secretary.
    pub(crate) fn secretary(&self, seed: u8, villages: &[VillageId]) -> Tablet {
        let world = self.world();
        let tablet = world.enrol(seed, villages, CertificateKind::Device);
        let serial = self.store.next_serial().unwrap();
        let held = certificate(&tablet.key, serial, tablet.user, villages, CertificateKind::Device);
        world.certify(seed, Certificate { role: Role::FirstSecretary, ..held });
        tablet
    }

    /// Makes an account and gives its token.
    pub(crate) fn token(&self, name: &str, role: Role, regions: &[&str]) -> String {
        let mut id = [0; 16];
        id.copy_from_slice(&Sha256::digest(name)[..16]);
        let regions: BTreeSet<String> = regions.iter().map(|code| (*code).to_owned()).collect();
        let user = User { id: UserId::from_bytes(id), name: name.to_owned(), role, regions };
        self.store.user_add(&user, MORNING_MS).unwrap();
        let (token, hash) = new_token().unwrap();
        self.store.token_add(user.id, &hash, MORNING_MS).unwrap();
        token
    }

    /// The token of a supervisor of the whole county.
    pub(crate) fn supervisor(&self) -> String {
        self.token("督查组", Role::Supervisor, &["430821"])
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, body }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_as(&self, path: &str, tablet: &Tablet) -> Answer {
        self.send(signed("GET", path, &self.nonce(), tablet, &[]).body(Body::empty()).unwrap()).await
    }

    pub(crate) fn nonce(&self) -> String {
        self.state.nonces.issue(self.clock.now_ms()).unwrap()
    }

    /// Sends a signed request for a sync.
    pub(crate) async fn sync(&self, tablet: &Tablet, frames: &[RequestFrame]) -> Answer {
        let body = encode_all(frames);
        let request = signed("POST", "/v1/sync", &self.nonce(), tablet, &body);
        self.send(request.body(body.into()).unwrap()).await
    }
}

/// What the first change of a check holds.
pub(crate) fn start_of_check<'a>(household: &str, device: &str) -> Vec<(&'a str, Value)> {
    vec![
        ("household_id", text(household)),
        ("check_type", text("lookback")),
        ("started_by", text(device)),
        ("form_version", text("1.0.0")),
        ("started_at", Value::Int(MORNING_MS)),
    ]
}

pub(crate) fn signed(
    method: &str,
    path: &str,
    nonce: &str,
    tablet: &Tablet,
    body: &[u8],
) -> axum::http::request::Builder {
    let digest = request_digest(method, path, nonce, &Sha256::digest(body).into());
    let signature = tablet.key.sign(REQUEST_DOMAIN, &digest);
    Request::builder()
        .method(method)
        .uri(path)
        .header(HEADER_DEVICE, tablet.device().to_string())
        .header(HEADER_NONCE, nonce)
        .header(HEADER_SIGNATURE, STANDARD.encode(signature.0))
}

pub(crate) fn hello(tablet: &Tablet) -> RequestFrame {
    RequestFrame::Hello(Hello {
        protocol: PROTOCOL_VERSION,
        deployment: DEPLOYMENT,
        device: tablet.device(),
        schema: 1,
        replay: false,
        checkpoint_size: 0,
    })
}

pub(crate) fn village(village: VillageId, cursor: Option<Cursor>) -> RequestFrame {
    RequestFrame::Village(VillageQuery { village, cursor, keys_given: 0, vector: BTreeSet::new() })
}

pub(crate) fn batch(batch: &Batch) -> RequestFrame {
    RequestFrame::Batch(batch.to_bytes())
}
