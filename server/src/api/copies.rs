//! A village in one piece, and some of its documents apart from the feed: for devices only.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use axum::extract::{Path, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ruhu_survey::change::{ChangeHash, DocumentId};
use ruhu_survey::id::{HouseholdId, VillageId};
use ruhu_sync::limits::SNAPSHOT_ANSWER_BYTES;
use ruhu_sync::protocol::PROTOCOL_OLDEST;
use ruhu_sync::reconcile::{Item, symbols};
use ruhu_sync::repair::{RepairQuestion, SymbolsAnswer};
use ruhu_sync::response::VillageDone;
use ruhu_sync::{ResponseFrame, encode_all};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::address::Caller;
use super::answer::{entry_frame, welcome};
use super::identity::Reader;
use super::page::{Id, Params};
use super::problem::ApiError;
use super::rates::Known;
use super::signed::{granted, read_signed};
use crate::belt::settle_belt;
use crate::keys::ServerKeys;
use crate::limits::ANSWER_BYTES_MAX;
use crate::snapshot::{MakeError, current};
use crate::store::{Store, StoreError};

const CONTENT_TYPE: &str = "application/octet-stream";

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(snapshot))
        .routes(routes!(snapshot_bytes))
        .routes(routes!(household_batches))
        .routes(routes!(repair))
}

pub(crate) fn octets(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}

impl From<MakeError> for ApiError {
    fn from(error: MakeError) -> Self {
        match error {
            MakeError::Store(error) => error.into(),
            MakeError::Snapshot(_) => Self::Internal("a village makes no snapshot"),
        }
    }
}

/// The signed statement of the newest snapshot of a village.
///
/// A device that has nothing of the village begins with it. There is none of a village whose feed is short:
/// the feed itself costs less. `schemas/wire/snapshot.md` describes the bytes.
#[utoipa::path(get, path = "/v1/villages/{village}/snapshot", tag = "devices",
    security(("device" = [], "nonce" = [], "signature" = [])),
    params(("village" = String, Path, description = "The village's id")),
    responses((status = 200, description = "The signed statement", content_type = "application/octet-stream")))]
async fn snapshot(
    State(state): State<AppState>,
    reader: Reader,
    Id(village): Id<VillageId>,
) -> Result<Response, ApiError> {
    reader.is_device()?;
    reader.village(village)?;
    let (keys, now_ms, making) = (state.keys.clone(), state.clock.now_ms(), state.making.clone());
    let found = state
        .store(move |store| {
            // One at a time: whoever waits finds the one that was made meanwhile.
            let _alone = making.lock().unwrap_or_else(PoisonError::into_inner);
            current(store, &keys, now_ms, village)
        })
        .await?;
    found.map(|statement| octets(statement.to_bytes())).ok_or(ApiError::NotFound("snapshot"))
}

/// From which byte on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Onward {
    /// The first byte wanted: as many as the device holds.
    #[serde(default)]
    from: u64,
}

/// The bytes of a snapshot from one byte on: the same bytes for the same snapshot, at most 256 KiB.
#[utoipa::path(get, path = "/v1/villages/{village}/snapshot/{id}", tag = "devices",
    security(("device" = [], "nonce" = [], "signature" = [])),
    params(("village" = String, Path, description = "The village's id"),
        ("id" = String, Path, description = "SHA-256 of the statement, 64 lower-case hexadecimal digits"), Onward),
    responses((status = 200, description = "The bytes", content_type = "application/octet-stream")))]
async fn snapshot_bytes(
    State(state): State<AppState>,
    reader: Reader,
    path: Result<Path<(VillageId, String)>, axum::extract::rejection::PathRejection>,
    Params(Onward { from }): Params<Onward>,
) -> Result<Response, ApiError> {
    let refuse = || ApiError::ParameterInvalid("the path does not name a snapshot".to_owned());
    let Path((village, id)) = path.map_err(|_| refuse())?;
    let ChangeHash(id) = id.parse().map_err(|_| refuse())?;
    reader.is_device()?;
    reader.village(village)?;
    let bytes =
        state.store(move |store| store.snapshot_bytes(village, &id, from, SNAPSHOT_ANSWER_BYTES)).await?;
    bytes.map(octets).ok_or(ApiError::NotFound("snapshot"))
}

/// After which entry of the feed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct After {
    /// The cursor of the last answer; left out at first.
    #[serde(default)]
    after: u64,
}

/// The signed batches of one household: its document and all its checks, from the beginning.
///
/// The answer is frames as of a sync, of this household only. `village done` says whether there is more:
/// ask again after its number.
#[utoipa::path(get, path = "/v1/households/{household}/batches", tag = "devices",
    security(("device" = [], "nonce" = [], "signature" = [])),
    params(("household" = String, Path, description = "The household's id"), After),
    responses((status = 200, description = "Frames", content_type = "application/octet-stream")))]
async fn household_batches(
    State(state): State<AppState>,
    reader: Reader,
    Id(household): Id<HouseholdId>,
    Params(After { after }): Params<After>,
) -> Result<Response, ApiError> {
    reader.is_device()?;
    let villages: Vec<VillageId> = reader.villages().keys().copied().collect();
    let (keys, now_ms) = (state.keys.clone(), state.clock.now_ms());
    let frames = state
        .store(move |store| {
            for village in villages {
                let documents = store.documents_of(village, household)?;
                if !documents.is_empty() {
                    return frames_of(store, &keys, now_ms, village, &documents, after).map(Some);
                }
            }
            Ok::<_, StoreError>(None)
        })
        .await?;
    frames.map(|frames| octets(encode_all(&frames))).ok_or(ApiError::NotFound("household"))
}

fn frames_of(
    store: &dyn Store,
    keys: &ServerKeys,
    now_ms: i64,
    village: VillageId,
    documents: &BTreeSet<DocumentId>,
    after: u64,
) -> Result<Vec<ResponseFrame>, StoreError> {
    settle_belt(store, now_ms, &keys.signing)?;
    let relay = store.relay_documents(village, documents, after, ANSWER_BYTES_MAX)?;
    let mut frames = vec![welcome(store, now_ms, PROTOCOL_OLDEST)?];
    frames.extend(relay.certificates.into_iter().map(ResponseFrame::Certificate));
    frames.extend(relay.revocations.into_iter().map(ResponseFrame::Revocation));
    for entry in relay.entries {
        frames.push(entry_frame(store, village, entry, None)?.1);
    }
    let (cursor, fingerprint, more) = (relay.cursor, relay.fingerprint, relay.more);
    frames.push(ResponseFrame::VillageDone(VillageDone { village, cursor, fingerprint, more }));
    frames.push(ResponseFrame::Bye);
    Ok(frames)
}

/// Finds and gives the documents of a village in which a device differs.
///
/// `schemas/wire/repair.md` describes the questions and the answers.
#[utoipa::path(post, path = "/v1/villages/{village}/repair", tag = "devices",
    security(("device" = [], "nonce" = [], "signature" = [])),
    params(("village" = String, Path, description = "The village's id")),
    request_body(content_type = "application/octet-stream", description = "A question"),
    responses((status = 200, description = "Symbols, or frames", content_type = "application/octet-stream")))]
async fn repair(
    State(state): State<AppState>,
    caller: Caller,
    Id(village): Id<VillageId>,
    request: Request,
) -> Result<Response, ApiError> {
    let (device, body) = read_signed(&state, caller, request, state.bounds.repair).await?;
    state.rates.request(Known::Device(device.id))?;
    let now_ms = state.clock.now_ms();
    granted(&device, village, now_ms)?;
    let question = RepairQuestion::from_bytes(&body)
        .map_err(|error| ApiError::Malformed(format!("the question cannot be read: {error}")))?;
    let keys = state.keys.clone();
    state.store(move |store| answered(store, &keys, now_ms, village, question)).await.map(octets)
}

fn answered(
    store: &dyn Store,
    keys: &ServerKeys,
    now_ms: i64,
    village: VillageId,
    question: RepairQuestion,
) -> Result<Vec<u8>, StoreError> {
    settle_belt(store, now_ms, &keys.signing)?;
    let tokens = store.document_tokens(village)?;
    match question {
        RepairQuestion::Symbols { key, from, count } => {
            let items = tokens.documents.keys().map(|token| Item::of(&key, *token)).collect();
            let all = symbols(&items, from.saturating_add(count));
            let symbols = all.into_iter().skip(usize::try_from(from).unwrap_or(usize::MAX)).collect();
            Ok(SymbolsAnswer { fingerprint: tokens.fingerprint, symbols }.to_bytes())
        }
        RepairQuestion::Documents { key, after, documents } => {
            let wanted = |token| documents.binary_search(&Item::of(&key, token)).is_ok();
            let chosen = tokens.documents.into_iter().filter(|(token, _)| wanted(*token));
            let chosen = chosen.map(|(_, document)| document).collect();
            Ok(encode_all(&frames_of(store, keys, now_ms, village, &chosen, after)?))
        }
    }
}
