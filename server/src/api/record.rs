//! What surrounds every request: room for it, its name on the answer, a nonce for the next one, one log line,
//! one count.
//!
//! The log line names the route's template, never the path or the query: those may hold names.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ruhu_sync::authenticate::{HEADER_ANSWERS, HEADER_NONCE, HEADER_SIGNATURE, request_name};
use tokio::time::Instant;

use super::AppState;
use super::address::Caller;
use super::problem::ApiError;
use super::rates::Known;

/// What becomes known of a request while it is answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trail(Arc<Marks>);

#[derive(Debug, Default)]
struct Marks {
    known: OnceLock<Known>,
    received: AtomicU64,
}

impl Trail {
    /// The trail of a request.
    pub(crate) fn of(parts: &Parts) -> Self {
        parts.extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// The caller has shown who they are.
    pub(crate) fn shown(&self, known: Known) {
        let _ = self.0.known.set(known);
    }

    /// So many bytes of the body arrived.
    pub(crate) fn took(&self, bytes: u64) {
        self.0.received.store(bytes, Ordering::Relaxed);
    }

    fn device(&self) -> Option<String> {
        match self.0.known.get() {
            Some(Known::Device(device)) => Some(device.to_string()),
            _ => None,
        }
    }
}

/// Answers a request with all that surrounds it.
pub(crate) async fn record(
    State(state): State<AppState>,
    caller: Caller,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "unmatched".to_owned(), |route| route.as_str().to_owned());
    let name = name_of(&request);
    let trail = Trail::default();
    request.extensions_mut().insert(trail.clone());
    let mut response = with_room(&state, &route, request, next).await;
    if is_api(&route) {
        // What is read here is about people: nothing between here and the reader is to keep it.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(name) = name {
        response.headers_mut().insert(HeaderName::from_static(HEADER_ANSWERS), name);
    }
    give_nonce(&state, caller, &route, &trail, &mut response);
    let status = response.status().as_u16();
    let received = trail.0.received.load(Ordering::Relaxed);
    let sent = response.body().size_hint().lower();
    state.metrics.request(method, &route, status);
    state.metrics.bytes(received, sent);
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(method, route, status, ms, device = trail.device(), received, sent, "request");
    response
}

/// What the answer calls a request that claims to be signed.
fn name_of(request: &Request) -> Option<HeaderValue> {
    let signature = request.headers().get(HEADER_SIGNATURE)?.to_str().ok()?;
    HeaderValue::from_str(request_name(signature)?).ok()
}

/// Health is answered however busy the server is.
async fn with_room(state: &AppState, route: &str, request: Request, next: Next) -> Response {
    if !is_api(route) {
        return next.run(request).await;
    }
    match state.room.try_acquire() {
        Ok(_room) => next.run(request).await,
        Err(_) => ApiError::Busy.into_response(),
    }
}

fn is_api(route: &str) -> bool {
    route.starts_with("/v1/")
}

/// The next request's nonce; to callers without an identity only as many as an address may have.
fn give_nonce(state: &AppState, caller: Caller, route: &str, trail: &Trail, response: &mut Response) {
    let name = HeaderName::from_static(HEADER_NONCE);
    if !is_api(route) || response.headers().contains_key(&name) {
        return;
    }
    if trail.0.known.get().is_none() && state.rates.nonce(caller.address).is_err() {
        return;
    }
    let nonce = state.nonces.issue(state.clock.now_ms());
    if let Some(value) = nonce.ok().and_then(|nonce| HeaderValue::from_str(&nonce).ok()) {
        response.headers_mut().insert(name, value);
    }
}

/// The method, so that nobody can make up labels.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        _ => "OTHER",
    }
}
