//! The bytes of sync requests, kept so that one that was cut off goes on where it was cut.
//!
//! They are kept while the request is under way, because a server often learns of a cut much later than
//! the device does; after its end for as long as there is room, because the answer may have been lost; and
//! those of a request that ended early durably, for [`HELD_MS`]. One request of each device is kept: the
//! newest. They prove nothing by themselves: the signature over the whole body does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ruhu_survey::id::DeviceId;
use ruhu_sync::resume::{HEADER_OFFSET, HEADER_REQUEST, RequestId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::address::Caller;
use super::problem::ApiError;
use super::rates::Known;
use super::signed::{Claim, asking};
use crate::limits::{HELD_IN_MEMORY_BYTES_MAX, HELD_MS};
use crate::store::people::Device;

/// Which request this is, and from where on its bytes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resumption {
    request: RequestId,
    offset: u64,
}

impl Resumption {
    /// What the headers say; none when the request has no name.
    ///
    /// # Errors
    /// [`ApiError::ParameterInvalid`]
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let invalid = |name: &str| ApiError::ParameterInvalid(format!("the header {name} cannot be read"));
        let text = |name: &str| headers.get(name).map(|value| value.to_str().map_err(|_| invalid(name)));
        let offset = match text(HEADER_OFFSET).transpose()? {
            None => 0,
            Some(text) => text.parse().map_err(|_| invalid(HEADER_OFFSET))?,
        };
        match text(HEADER_REQUEST).transpose()? {
            Some(text) => {
                Ok(Some(Self { request: text.parse().map_err(|_| invalid(HEADER_REQUEST))?, offset }))
            }
            None if offset > 0 => Err(invalid(HEADER_REQUEST)),
            None => Ok(None),
        }
    }
}

/// The newest request of each device.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    of: BTreeMap<DeviceId, Arc<Flight>>,
    begun: u64,
    /// Bytes of those that have ended.
    ended_bytes: usize,
}

impl Kept {
    fn remove(&mut self, device: DeviceId) {
        let removed = self.of.remove(&device).map_or(0, |flight| flight.ended_bytes());
        self.ended_bytes = self.ended_bytes.saturating_sub(removed);
    }
}

/// One request and what has come of it.
#[derive(Debug)]
struct Flight {
    request: RequestId,
    began_ms: i64,
    /// Which one after which.
    place: u64,
    come: Mutex<Come>,
}

#[derive(Debug)]
struct Come {
    bytes: Vec<u8>,
    ended: bool,
}

impl Flight {
    fn with<T>(&self, act: impl FnOnce(&mut Come) -> T) -> T {
        act(&mut self.come.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Its bytes, once it has ended.
    fn ended_bytes(&self) -> usize {
        self.with(|come| if come.ended { come.bytes.len() } else { 0 })
    }
}

impl Flights {
    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins a request with the bytes that came before; an older one of the device is forgotten.
    fn begin(&self, device: DeviceId, request: RequestId, now_ms: i64, bytes: Vec<u8>) -> Arc<Flight> {
        self.with(|kept| {
            kept.begun = kept.begun.saturating_add(1);
            let come = Mutex::new(Come { bytes, ended: false });
            let flight = Arc::new(Flight { request, began_ms: now_ms, place: kept.begun, come });
            kept.remove(device);
            kept.of.insert(device, Arc::clone(&flight));
            flight
        })
    }

    fn held(&self, device: DeviceId, request: RequestId, now_ms: i64) -> Option<Vec<u8>> {
        let flight = self.with(|kept| kept.of.get(&device).cloned())?;
        let is_it = flight.request == request && is_fresh(flight.began_ms, now_ms);
        is_it.then(|| flight.with(|come| come.bytes.clone()))
    }

    /// Ends a request; whether it is still the newest of its device.
    fn end(&self, device: DeviceId, flight: &Arc<Flight>) -> bool {
        self.with(|kept| {
            flight.with(|come| come.ended = true);
            let newest = kept.of.get(&device).is_some_and(|newest| Arc::ptr_eq(newest, flight));
            if newest {
                kept.ended_bytes = kept.ended_bytes.saturating_add(flight.ended_bytes());
            }
            newest
        })
    }

    /// Whether another request of the device is under way.
    fn is_busy_with_another(&self, device: DeviceId, request: RequestId) -> bool {
        let newest = self.with(|kept| kept.of.get(&device).cloned());
        newest.is_some_and(|flight| flight.request != request && !flight.with(|come| come.ended))
    }

    fn forget(&self, device: DeviceId) {
        self.with(|kept| kept.remove(device));
    }

    /// Whether anything of a device is in memory.
    #[cfg(test)]
    pub(crate) fn holds(&self, device: DeviceId) -> bool {
        self.with(|kept| kept.of.contains_key(&device))
    }

    /// Forgets the oldest of those that have ended until the rest takes no more than `bytes_max`.
    pub(crate) fn make_room(&self, bytes_max: usize) {
        self.with(|kept| {
            if kept.ended_bytes <= bytes_max {
                return;
            }
            let ended = kept.of.iter().filter(|(_, flight)| flight.with(|come| come.ended));
            let mut ended: Vec<(u64, DeviceId)> =
                ended.map(|(device, flight)| (flight.place, *device)).collect();
            ended.sort_unstable();
            for (_, device) in ended {
                if kept.ended_bytes <= bytes_max {
                    break;
                }
                kept.remove(device);
            }
        });
    }
}

/// Whether bytes that came then are still kept.
pub(crate) fn is_fresh(came_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_sub(came_ms) < HELD_MS
}

/// A request under way whose bytes are kept. When it is dropped before it was read to its end, however that
/// comes about, what came is made durable.
#[derive(Debug)]
pub(crate) struct Holding {
    state: AppState,
    device: DeviceId,
    flight: Arc<Flight>,
    before: usize,
    whole: bool,
}

impl Holding {
    /// Begins to keep the bytes of a request; with an offset, after those that came before.
    ///
    /// # Errors
    /// [`ApiError::RequestNotHeld`] when fewer bytes are held than the offset says, or that the store fails.
    pub(crate) async fn begin(
        state: &AppState,
        device: &Device,
        resumption: Resumption,
    ) -> Result<Self, ApiError> {
        let Resumption { request, offset } = resumption;
        let before = match usize::try_from(offset) {
            Ok(0) => Vec::new(),
            Ok(offset) => {
                let mut held = held(state, device.id, request).await?.ok_or(ApiError::RequestNotHeld)?;
                if held.len() < offset {
                    return Err(ApiError::RequestNotHeld);
                }
                held.truncate(offset);
                held
            }
            Err(_) => return Err(ApiError::RequestNotHeld),
        };
        let length = before.len();
        let flight = state.flights.begin(device.id, request, state.clock.now_ms(), before);
        Ok(Self { state: state.clone(), device: device.id, flight, before: length, whole: false })
    }

    /// Begins to keep the bytes of a request whose nonce is not known, as after a restart: with them the device
    /// need not send its request a second time. None where that is of no use, or where it would disturb
    /// another request of the device that is under way.
    pub(crate) async fn under_unknown_nonce(state: &AppState, parts: &Parts) -> Option<Self> {
        let resumption = Resumption::of(&parts.headers).ok()??;
        let device = Claim::of(parts).ok()??.find(state).await.ok()??;
        if state.flights.is_busy_with_another(device.id, resumption.request) {
            return None;
        }
        let mut holding = Self::begin(state, &device, resumption).await.ok()?;
        // What nobody has shown to be fresh takes no place on the disk.
        holding.whole();
        Some(holding)
    }

    /// The bytes that came before this request.
    pub(crate) fn before(&self) -> Vec<u8> {
        self.flight.with(|come| come.bytes.get(..self.before).unwrap_or_default().to_vec())
    }

    /// Keeps bytes that have come.
    pub(crate) fn add(&self, bytes: &[u8]) {
        self.flight.with(|come| come.bytes.extend_from_slice(bytes));
    }

    /// The body has come to its end.
    pub(crate) fn whole(&mut self) {
        self.whole = true;
    }

    /// The bytes are not what the device signed: they are of no use to it.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn discard(mut self) -> Result<(), ApiError> {
        self.whole = true;
        let (state, device) = (self.state.clone(), self.device);
        state.flights.forget(device);
        state.store(move |store| store.held_drop(device)).await
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let newest = self.state.flights.end(self.device, &self.flight);
        self.state.flights.make_room(HELD_IN_MEMORY_BYTES_MAX);
        if self.whole || !newest {
            return;
        }
        let (state, device, request) = (self.state.clone(), self.device, self.flight.request);
        let bytes = self.flight.with(|come| come.bytes.clone());
        let now_ms = self.state.clock.now_ms();
        tokio::spawn(async move {
            let kept = state.store(move |store| store.held_put(device, request, &bytes, now_ms)).await;
            if let Err(error) = kept {
                tracing::warn!(%device, %error, "the bytes of a request that was cut are not kept");
            }
        });
    }
}

/// The bytes held of a request.
async fn held(state: &AppState, device: DeviceId, request: RequestId) -> Result<Option<Vec<u8>>, ApiError> {
    let now_ms = state.clock.now_ms();
    if let Some(bytes) = state.flights.held(device, request, now_ms) {
        return Ok(Some(bytes));
    }
    state.store(move |store| store.held(device, request, now_ms)).await
}

/// How much of a request is held.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeldAnswer {
    /// Bytes from the beginning of its body; 0 when nothing is held of it.
    bytes: u64,
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(ask))
}

/// Says how many bytes of one of the device's own requests are held, to go on after them.
///
/// The nonce that is signed may be any text, also none: a device that was cut has none left, and asking for one
/// would cost another round trip. Whoever repeats the question learns a number and uses nothing up.
#[utoipa::path(get, path = "/v1/sync/held/{request}", tag = "devices",
    security(("device" = [], "nonce" = [], "signature" = [])),
    params(("request" = String, Path, description = "The request's id as in its header `Ruhu-Request`: 32 hexadecimal digits")),
    responses((status = 200, description = "The bytes held", body = HeldAnswer)))]
async fn ask(
    State(state): State<AppState>,
    caller: Caller,
    Path(request): Path<String>,
    parts: Parts,
) -> Result<Json<HeldAnswer>, ApiError> {
    let device = asking(&state, caller, &parts).await?.id;
    state.rates.request(Known::Device(device))?;
    let request = request.parse().map_err(|error| ApiError::ParameterInvalid(format!("{error}")))?;
    let bytes = held(&state, device, request).await?.map_or(0, |bytes| bytes.len() as u64);
    Ok(Json(HeldAnswer { bytes }))
}
