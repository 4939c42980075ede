//! Photos: pieces come in from devices, bytes go out to whoever may look into the village.
//!
//! The server never opens a photo. `schemas/wire/photo.md` describes the file and how it travels.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_survey::photo::{FILE_BYTES_MAX, PhotoAddress};
use ruhu_sync::limits::{PHOTO_ANSWER_BYTES, PHOTO_PIECE_BYTES_MAX};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::address::Caller;
use super::copies::octets;
use super::identity::Reader;
use super::page::Params;
use super::problem::ApiError;
use super::signed::{asking, granted, read_signed};
use crate::limits::PHOTO_COUNTED_MS;
use crate::store::photos::{Piece, Upload};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read, take)).routes(routes!(held))
}

/// The village and the photo in the path.
#[derive(Debug, Clone, Copy)]
struct Named {
    village: VillageId,
    address: PhotoAddress,
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let refuse = || ApiError::ParameterInvalid("the path does not name a photo".to_owned());
        let path: Result<Path<(VillageId, String)>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        let Path((village, address)) = path.map_err(|_| refuse())?;
        Ok(Self { village, address: address.parse().map_err(|_| refuse())? })
    }
}

/// Which bytes of a photo.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The first byte wanted: as many as the device holds.
    #[serde(default)]
    from: u64,
    /// How many bytes at most; 262,144 where it says more or nothing. The first 16,417 hold the thumbnail.
    most: Option<u64>,
}

/// Where a piece belongs.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Its first byte's place in the file: as many as the server holds.
    at: u64,
    /// How many bytes the whole file has.
    of: u64,
}

/// How much of a photo is held.
#[derive(Debug, Serialize, ToSchema)]
struct PhotoHeld {
    /// Bytes from its beginning; 0 when nothing is held of it.
    bytes: u64,
    /// Whether that is all of it, compared with its name and durable.
    whole: bool,
}

/// The sealed bytes of a photo, from one byte on.
#[utoipa::path(get, path = "/v1/villages/{village}/photos/{photo}", tag = "photos",
    params(("village" = String, Path, description = "The village's id"),
        ("photo" = String, Path, description = "SHA-256 of the file, 64 lower-case hexadecimal digits"), Wanted),
    responses((status = 200, description = "The bytes", content_type = "application/octet-stream")))]
async fn read(
    State(state): State<AppState>,
    reader: Reader,
    Named { village, address }: Named,
    Params(Wanted { from, most }): Params<Wanted>,
) -> Result<Response, ApiError> {
    reader.village(village)?;
    let total = state.store(move |store| store.photo(village, &address)).await?;
    let total = total.ok_or(ApiError::NotFound("photo"))?;
    let until = from.saturating_add(most.unwrap_or(u64::MAX).min(PHOTO_ANSWER_BYTES)).min(total);
    if from >= until {
        return Ok(octets(Vec::new()));
    }
    let bytes = state.photos.read(village, &address, from..until).await?;
    bytes.map(|bytes| octets(bytes.into())).ok_or(ApiError::NotFound("photo"))
}

/// Says how many bytes of a photo are held: of this device's own sending, or all of it.
///
/// As in `/v1/sync/held`, the nonce that is signed may be any text, also none.
#[utoipa::path(get, path = "/v1/villages/{village}/photos/{photo}/held", tag = "photos",
    security(("device" = [], "nonce" = [], "signature" = [])),
    params(("village" = String, Path, description = "The village's id"),
        ("photo" = String, Path, description = "SHA-256 of the file, 64 lower-case hexadecimal digits")),
    responses((status = 200, description = "The bytes held", body = PhotoHeld)))]
async fn held(
    State(state): State<AppState>,
    caller: Caller,
    Named { village, address }: Named,
    parts: Parts,
) -> Result<Json<PhotoHeld>, ApiError> {
    let device = asking(&state, caller, &parts).await?;
    state.rates.photo(device.id)?;
    let now_ms = state.clock.now_ms();
    granted(&device, village, now_ms)?;
    if let Some(bytes) = whole(&state, village, address).await? {
        return Ok(Json(PhotoHeld { bytes, whole: true }));
    }
    let upload = Upload { device: device.id, village, address };
    let held = state.store(move |store| store.photo_held(&upload, now_ms)).await?;
    Ok(Json(PhotoHeld { bytes: held.map_or(0, |held| held.bytes), whole: false }))
}

/// Takes a piece of a photo: at most 64 KiB, beginning where the bytes that are held end.
#[utoipa::path(post, path = "/v1/villages/{village}/photos/{photo}", tag = "photos",
    security(("device" = [], "nonce" = [], "signature" = [])),
    params(("village" = String, Path, description = "The village's id"),
        ("photo" = String, Path, description = "SHA-256 of the file, 64 lower-case hexadecimal digits"), Place),
    request_body(content_type = "application/octet-stream", description = "The piece"),
    responses((status = 200, description = "The bytes held now, durably", body = PhotoHeld)))]
async fn take(
    State(state): State<AppState>,
    caller: Caller,
    Named { village, address }: Named,
    Params(place): Params<Place>,
    request: Request,
) -> Result<Json<PhotoHeld>, ApiError> {
    let (device, bytes) = read_signed(&state, caller, request, state.bounds.photo).await?;
    state.rates.photo(device.id)?;
    granted(&device, village, state.clock.now_ms())?;
    check(place, bytes.len())?;
    if let Some(bytes) = whole(&state, village, address).await? {
        return Ok(Json(PhotoHeld { bytes, whole: true }));
    }
    within_a_day(&state, device.id, place.of).await?;
    let upload = Upload { device: device.id, village, address };
    let bytes_held = take_piece(&state, upload, place, bytes).await.inspect_err(|error| {
        if matches!(error, ApiError::DiskFull) {
            state.disk_full.store(true, Ordering::Relaxed);
        }
    })?;
    Ok(Json(PhotoHeld { bytes: bytes_held, whole: bytes_held == place.of }))
}

/// The length of a photo that is here whole. What the database remembers and the shelf has not, as after a restore
/// without the files, is not here.
async fn whole(state: &AppState, village: VillageId, address: PhotoAddress) -> Result<Option<u64>, ApiError> {
    let Some(bytes) = state.store(move |store| store.photo(village, &address)).await? else {
        return Ok(None);
    };
    let there = state.photos.bytes_of(village, &address).await?;
    Ok(there.filter(|there| *there == bytes))
}

fn check(place: Place, piece_bytes: usize) -> Result<(), ApiError> {
    let invalid = |what: &str| Err(ApiError::ParameterInvalid(what.to_owned()));
    if place.of > FILE_BYTES_MAX as u64 {
        return Err(ApiError::TooLarge(FILE_BYTES_MAX as u64));
    }
    if piece_bytes == 0 || piece_bytes > PHOTO_PIECE_BYTES_MAX {
        return invalid("a piece has from 1 to 65,536 bytes");
    }
    match place.at.checked_add(piece_bytes as u64) {
        Some(end) if end <= place.of => Ok(()),
        _ => invalid("the piece ends after the end of the photo"),
    }
}

async fn within_a_day(state: &AppState, device: DeviceId, bytes: u64) -> Result<(), ApiError> {
    let since_ms = state.clock.now_ms().saturating_sub(PHOTO_COUNTED_MS);
    let sent = state.store(move |store| store.photo_bytes_since(device, since_ms)).await?;
    let fits = sent.saturating_add(bytes) <= state.photo_bytes_per_day_max;
    if fits { Ok(()) } else { Err(ApiError::PhotoDayFull) }
}

/// Keeps a piece, or the whole photo when the piece is its last; how many bytes are held then.
async fn take_piece(state: &AppState, upload: Upload, place: Place, bytes: Vec<u8>) -> Result<u64, ApiError> {
    let (at, total, now_ms) = (place.at, place.of, state.clock.now_ms());
    let end = at.saturating_add(bytes.len() as u64);
    let held = state.store(move |store| store.photo_held(&upload, now_ms)).await?;
    let held = held.filter(|held| held.total == total).map_or(0, |held| held.bytes);
    // What is held of a photo of another length is of no use: a piece at 0 begins anew.
    if at != held {
        return Err(ApiError::PhotoPieceMisplaced);
    }
    if end == total {
        return finish(state, upload, place, bytes).await;
    }
    let kept = state.store(move |store| store.photo_add(&upload, total, Piece { at, bytes: &bytes }, now_ms));
    match kept.await? {
        held if held == end => Ok(held),
        _ => Err(ApiError::PhotoPieceMisplaced),
    }
}

/// Puts the pieces together with the last one, compares them with the name, and keeps the photo. It counts as
/// received only when it is durable; whatever ends this early leaves the pieces, and the last one comes again.
async fn finish(state: &AppState, upload: Upload, place: Place, last: Vec<u8>) -> Result<u64, ApiError> {
    let Place { at, of: total } = place;
    let before =
        if at == 0 { Vec::new() } else { state.store(move |store| store.photo_pieces(&upload)).await? };
    let file = [before, last].concat();
    if PhotoAddress::of(&file) != upload.address {
        state.store(move |store| store.photo_drop(&upload)).await?;
        return Err(ApiError::PhotoHashDiffers);
    }
    state.photos.put(upload.village, &upload.address, file).await?;
    let now_ms = state.clock.now_ms();
    state.store(move |store| store.photo_received(&upload, total, now_ms)).await?;
    tracing::info!(device = %upload.device, village = %upload.village, bytes = total, "a photo is whole");
    Ok(total)
}
