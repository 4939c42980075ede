//! The log over HTTP: the newest checkpoint, and proofs under it.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ruhu_ledger::tree::Hash;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::identity::Reader;
use super::page::Params;
use super::problem::ApiError;

/// Which proof is asked for: that the log continues, or that a leaf is in it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// The size of the older log: asks for a consistency proof from it.
    from: Option<u64>,
    /// The index of a leaf, from 0: asks for an inclusion proof of it.
    leaf: Option<u64>,
    /// The size of the newer log; without it, that of the newest checkpoint.
    size: Option<u64>,
}

/// A proof of RFC 6962. Hashes are SHA-256 in standard base64.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Proof {
    /// The size of the log that the proof leads to.
    size: u64,
    /// The size that a consistency proof begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    /// The index of the leaf of an inclusion proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<u64>,
    /// The leaf itself in its canonical form, standard base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf_bytes: Option<String>,
    /// The hashes of the proof, in order.
    hashes: Vec<String>,
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(checkpoint)).routes(routes!(proof))
}

/// The newest checkpoint of the log as a C2SP signed note.
#[utoipa::path(get, path = "/v1/log/checkpoint", tag = "log",
    responses((status = 200, description = "A signed note", body = String, content_type = "text/plain")))]
async fn checkpoint(State(state): State<AppState>, _reader: Reader) -> Result<Response, ApiError> {
    let checkpoint =
        state.store(|store| store.checkpoint()).await?.ok_or(ApiError::NotFound("checkpoint"))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], checkpoint.note).into_response())
}

/// Proves that the log continues an older one (`from`), or that a leaf is in it (`leaf`).
#[utoipa::path(get, path = "/v1/log/proof", tag = "log", params(Asked),
    responses((status = 200, description = "The proof", body = Proof)))]
async fn proof(
    State(state): State<AppState>,
    _reader: Reader,
    Params(asked): Params<Asked>,
) -> Result<Json<Proof>, ApiError> {
    match (asked.from, asked.leaf) {
        (Some(from), None) => consistency(&state, from, size(&state, &asked).await?).await,
        (None, Some(leaf)) => inclusion(&state, leaf, size(&state, &asked).await?).await,
        _ => Err(ApiError::ParameterInvalid("give either `from` or `leaf`".to_owned())),
    }
}

/// The size asked for, or that of the newest checkpoint.
async fn size(state: &AppState, asked: &Asked) -> Result<u64, ApiError> {
    if let Some(size) = asked.size {
        return Ok(size);
    }
    let newest = state.store(|store| store.checkpoint()).await?;
    Ok(newest.ok_or(ApiError::NotFound("checkpoint"))?.size)
}

async fn consistency(state: &AppState, from: u64, size: u64) -> Result<Json<Proof>, ApiError> {
    let hashes = state.store(move |store| store.consistency(from, size)).await?;
    let hashes = encode(&hashes.ok_or(ApiError::NotFound("log of that size"))?);
    Ok(Json(Proof { size, from: Some(from), leaf: None, leaf_bytes: None, hashes }))
}

async fn inclusion(state: &AppState, leaf: u64, size: u64) -> Result<Json<Proof>, ApiError> {
    let found = state.store(move |store| store.inclusion(leaf, size)).await?;
    let (bytes, hashes) = found.ok_or(ApiError::NotFound("leaf in a log of that size"))?;
    let leaf_bytes = Some(STANDARD.encode(bytes));
    Ok(Json(Proof { size, from: None, leaf: Some(leaf), leaf_bytes, hashes: encode(&hashes) }))
}

fn encode(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| STANDARD.encode(hash)).collect()
}
