//! The API: devices enrol and sync, people and devices read.
//!
//! [`router`] gives the routes and their OpenAPI document from one table. No route but `/healthz` and
//! `/readyz` answers without an identity; a nonce and an enrolment are what an identity begins with.

mod address;
mod announced;
mod answer;
mod body;
mod copies;
mod devices;
mod documents;
mod enrolments;
mod findings;
mod gaps;
mod health;
mod held;
mod identity;
mod intake;
mod log;
mod metrics;
mod nonces;
mod page;
mod photos;
mod problem;
mod rates;
mod record;
mod shapes;
mod signed;
mod sync;
mod time;
mod villages;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::Bounds;
use self::held::Flights;
use self::identity::Reader;
use self::nonces::Nonces;
use self::problem::ApiError;
use self::rates::Rates;
use crate::clock::Clock;
use crate::config::Config;
use crate::keys::ServerKeys;
use crate::limits::{ENROLMENT_BYTES_MAX, REQUESTS_AT_ONCE_MAX, STALL_SECONDS_MAX};
use crate::photos::PhotoShelf;
use crate::store::{Store, StoreError};

pub use self::metrics::Metrics;

/// What every handler has at hand.
#[derive(Clone)]
pub struct AppState {
    store: Arc<dyn Store>,
    keys: Arc<ServerKeys>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    nonces: Arc<Nonces>,
    flights: Arc<Flights>,
    rates: Arc<Rates>,
    room: Arc<Semaphore>,
    disk_full: Arc<AtomicBool>,
    /// Held while a snapshot is made.
    making: Arc<Mutex<()>>,
    photos: PhotoShelf,
    photo_bytes_per_day_max: u64,
    bounds: AllBounds,
    behind_proxy: bool,
}

/// The bounds of the bodies of each kind.
#[derive(Debug, Clone, Copy)]
struct AllBounds {
    sync: Bounds,
    enrolment: Bounds,
    repair: Bounds,
    photo: Bounds,
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl AppState {
    /// The state of a server over this store, with these keys. Photos are kept in memory: see
    /// [`AppState::with_photos`].
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keys: Arc<ServerKeys>, clock: Arc<dyn Clock>, config: &Config) -> Self {
        let limits = &config.limits;
        let bounds = |bytes_max: u64| Bounds {
            bytes_max: bytes_max.min(limits.request_bytes_max),
            stall: Duration::from_secs(STALL_SECONDS_MAX),
            whole: Duration::from_secs(limits.request_seconds_max),
        };
        Self {
            store,
            keys,
            clock,
            metrics: Arc::default(),
            nonces: Arc::default(),
            flights: Arc::default(),
            rates: Arc::new(Rates::new(limits)),
            room: Arc::new(Semaphore::new(REQUESTS_AT_ONCE_MAX)),
            disk_full: Arc::default(),
            making: Arc::default(),
            photos: PhotoShelf::in_memory(),
            photo_bytes_per_day_max: limits.photo_bytes_per_day_max,
            bounds: AllBounds {
                sync: bounds(ruhu_sync::limits::REQUEST_BYTES_MAX),
                enrolment: bounds(ENROLMENT_BYTES_MAX),
                repair: bounds(ruhu_sync::limits::REPAIR_BYTES_MAX),
                photo: bounds(ruhu_sync::limits::PHOTO_PIECE_BYTES_MAX as u64),
            },
            behind_proxy: config.behind_proxy,
        }
    }

    /// The same, with photos where they last.
    #[must_use]
    pub fn with_photos(self, photos: PhotoShelf) -> Self {
        Self { photos, ..self }
    }

    /// Calls the store on a thread that may block: the only place that does.
    ///
    /// A call that has begun is finished even when the caller is gone.
    async fn store<T, E>(
        &self,
        call: impl FnOnce(&dyn Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
        E: Send + 'static,
        ApiError: From<E>,
    {
        let store = Arc::clone(&self.store);
        let done = tokio::task::spawn_blocking(move || call(store.as_ref())).await;
        let done = done.map_err(|_| ApiError::Internal("a call of the store panicked"))?;
        done.map_err(|error| {
            let error = ApiError::from(error);
            if matches!(error, ApiError::DiskFull) {
                self.disk_full.store(true, Ordering::Relaxed);
            }
            error
        })
    }

    /// Settles what an earlier run left, and covers every leaf with a checkpoint.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn checkpoint(&self) -> Result<(), StoreError> {
        let (store, keys, now_ms) = (Arc::clone(&self.store), Arc::clone(&self.keys), self.clock.now_ms());
        let done = tokio::task::spawn_blocking(move || {
            crate::belt::settle_belt(store.as_ref(), now_ms, &keys.signing)?;
            store.checkpoint_sign(now_ms, &keys.signing).map(drop)
        });
        done.await.unwrap_or(Err(StoreError::Poisoned))
    }
}

/// The document that the routes are added to.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Ruhu",
        description = "Household checks of villages: devices enrol and sync, people and devices read.\n\n\
            A person sends `Authorization: Bearer` with a token. A device sends `Ruhu-Device`, `Ruhu-Nonce` and \
            `Ruhu-Signature`; the answer names the request in `Ruhu-Answers`. Whoever refuses answers with a problem \
            (RFC 9457) whose `code` is stable. Times are RFC 3339 in UTC; lists go on with `after`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(problem::Problem)),
    security(("token" = []), ("device" = [], "nonce" = [], "signature" = []))
)]
struct Document;

/// The routes with their OpenAPI document.
pub fn router(state: AppState) -> (Router, OpenApi) {
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(health::routes())
        .merge(nonces::routes())
        .merge(enrolments::routes())
        .merge(sync::routes())
        .merge(held::routes())
        .merge(copies::routes())
        .merge(photos::routes())
        .merge(villages::routes())
        .merge(devices::routes())
        .merge(documents::routes())
        .merge(findings::routes())
        .merge(log::routes())
        .merge(gaps::routes())
        .routes(routes!(openapi))
        .split_for_parts();
    let document = completed(document);
    let text: Arc<str> = document.to_json().unwrap_or_default().into();
    (surrounded(router.layer(Extension(Contract(text))), state), document)
}

/// Routes with what surrounds every request.
fn surrounded(routes: Router<AppState>, state: AppState) -> Router {
    routes
        .fallback(async || ApiError::RouteUnknown)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(CatchPanicLayer::custom(|_| ApiError::Internal("a handler panicked").into_response()))
        .layer(from_fn_with_state(state.clone(), record::record))
        .with_state(state)
}

/// The routes of the metrics' own listener.
pub(crate) fn metrics_router(state: AppState) -> Router {
    Router::new().route("/metrics", get(read_metrics)).with_state(state)
}

async fn read_metrics(State(state): State<AppState>) -> Response {
    if let Ok(Some(checkpoint)) = state.store(|store| store.checkpoint()).await {
        state.metrics.log_leaves(checkpoint.size);
    }
    if let Ok(gaps) = state.store(|store| store.gaps()).await {
        let open = gaps.iter().filter(|gap| gap.filled_ms.is_none());
        state.metrics.gaps_missing(open.map(|gap| gap.missing).sum());
    }
    if let Ok(Some((_, watermark))) = state.store(|store| store.watermark()).await {
        state.metrics.backup_leaves(watermark.statement.size);
    }
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], state.metrics.text()).into_response()
}

/// The text of the OpenAPI document.
#[derive(Debug, Clone)]
struct Contract(Arc<str>);

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "contract",
    responses((status = 200, description = "The OpenAPI document of this API", content_type = "application/json")))]
async fn openapi(_reader: Reader, Extension(Contract(text)): Extension<Contract>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.to_string()).into_response()
}

/// Adds what every route has in common.
fn completed(mut document: OpenApi) -> OpenApi {
    let header = |name: &str, what: &str| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, what)))
    };
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A person's token"));
    components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    components.add_security_scheme("device", header("Ruhu-Device", "The device's id"));
    components.add_security_scheme("nonce", header("Ruhu-Nonce", "The nonce of the last answer"));
    let what = "Ed25519 over method, path with query, nonce and SHA-256 of the body; standard base64";
    components.add_security_scheme("signature", header("Ruhu-Signature", what));
    problem::describe(&mut document);
    document
}

#[cfg(test)]
mod announced_tests;
#[cfg(test)]
mod copies_tests;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod held_tests;
#[cfg(test)]
mod photos_tests;
#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod replay_tests;
#[cfg(test)]
mod sync_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod thrift_tests;
