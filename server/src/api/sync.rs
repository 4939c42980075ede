//! Sync over HTTP: a device hands in what it wrote and is given what it lacks.

use axum::extract::{Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use ruhu_sync::{ResponseFrame, encode_all};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::address::Caller;
use super::answer::{Question, answer};
use super::body::Incoming;
use super::held::{Holding, Resumption};
use super::identity::counted;
use super::intake::{Stop, Taken, take};
use super::problem::ApiError;
use super::rates::Known;
use super::record::Trail;
use super::signed::{Claim, in_force};
use crate::store::people::Device;

const CONTENT_TYPE: &str = "application/octet-stream";

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(sync))
}

/// Takes in a device's batches and gives it what it lacks of its villages.
///
/// Both bodies are frames as `schemas/wire/sync.md` describes them. Each batch is durable as soon as it
/// has arrived, whether or not the request ends; nothing is given before the signature was checked over
/// the whole body. The bytes of a request with a `Ruhu-Request` are kept when it is cut, and the rest may follow
/// with `Ruhu-Offset`: the signature covers the whole.
#[utoipa::path(post, path = "/v1/sync", tag = "devices",
    security(("device" = [], "nonce" = [], "signature" = [])),
    params(
        ("Ruhu-Request" = Option<String>, Header, description = "The request's own id: 32 random lower-case hexadecimal digits"),
        ("Ruhu-Offset" = Option<u64>, Header, description = "Where in the request this body begins; 0 when absent")
    ),
    request_body(content_type = "application/octet-stream", description = "Frames of a request"),
    responses((status = 200, description = "Frames of an answer", content_type = "application/octet-stream")))]
async fn sync(State(state): State<AppState>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let mut incoming = Incoming::new(body, state.bounds.sync);
    let (claim, device, mut holding) = match known(&state, &parts).await {
        Ok(known) => known,
        Err(error) => {
            refuse(&state, &parts, incoming, &error).await;
            return Err(counted(&state, caller, error));
        }
    };
    let taken = take(&state, claim.id(), device, &mut incoming, holding.as_mut()).await;
    let trail = Trail::of(&parts);
    trail.took(incoming.seen());
    let mut taken = taken?;
    // A device that enrolled after the backup that this server came from shows its certificate in the request.
    let device = match (taken.device.take(), taken.stop.take()) {
        (Some(device), stop) => {
            taken.stop = stop;
            device
        }
        (None, Some(Stop::Refused(refused))) => return Ok(answer_of(&[ResponseFrame::Refused(refused)])),
        (None, Some(Stop::Failed(error))) => return Err(counted(&state, caller, error)),
        (None, None) => return Err(counted(&state, caller, ApiError::DeviceUnknown)),
    };
    if let Err(error) = claim.prove(&device.certificate.statement.key, &taken.body_sha256) {
        if let Some(holding) = holding {
            holding.discard().await?;
        }
        return Err(counted(&state, caller, error));
    }
    trail.shown(Known::Device(device.id));
    state.rates.request(Known::Device(device.id))?;
    let frames = answered(&state, device, taken).await?;
    Ok(answer_of(&frames))
}

fn answer_of(frames: &[ResponseFrame]) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], encode_all(frames)).into_response()
}

/// The claim of a request, the device that it names if that is known, and the keeping of its bytes when the
/// request has a name.
async fn known(
    state: &AppState,
    parts: &Parts,
) -> Result<(Claim, Option<Device>, Option<Holding>), ApiError> {
    let claim = Claim::of(parts)?.ok_or(ApiError::IdentityMissing)?;
    let resumption = Resumption::of(&parts.headers)?;
    claim.redeem(state)?;
    let device = claim.find(state).await?;
    let holding = match (resumption, &device) {
        (Some(resumption), Some(device)) => Some(Holding::begin(state, device, resumption).await?),
        // Nothing is kept for a stranger, who shows its certificate in the request.
        _ => None,
    };
    Ok((claim, device, holding))
}

/// Takes in what is left of a request that is refused, so that the caller comes to read the answer. Where only
/// its nonce is not known the bytes are kept: the device signs again and need not send them again.
async fn refuse(state: &AppState, parts: &Parts, mut incoming: Incoming, error: &ApiError) {
    let holding = match error {
        ApiError::NonceUnknown => Holding::under_unknown_nonce(state, parts).await,
        _ => None,
    };
    incoming.after(holding.as_ref().map_or(0, |holding| holding.before().len()));
    while let Ok(Some(bytes)) = incoming.next().await {
        if let Some(holding) = &holding {
            holding.add(&bytes);
        }
    }
}

/// The frames that a request is answered with once it has proved itself.
async fn answered(state: &AppState, device: Device, taken: Taken) -> Result<Vec<ResponseFrame>, ApiError> {
    let Taken { hello, parts, frames, stop, .. } = taken;
    match stop {
        Some(Stop::Refused(refused)) => return Ok(vec![ResponseFrame::Refused(refused)]),
        Some(Stop::Failed(error)) => return Err(error),
        None => {}
    }
    let hello = hello.ok_or_else(|| ApiError::Malformed("the request has no hello".to_owned()))?;
    let now_ms = state.clock.now_ms();
    let barred = in_force(&device, now_ms).err().map(|error| (error.kind().1, error.to_string()));
    let question = Question { device, hello, parts, frames, barred };
    let keys = state.keys.clone();
    state.store(move |store| answer(store, &keys, now_ms, question)).await
}
