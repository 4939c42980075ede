//! Enrolment over HTTP: a code and a key become a certificate. See [`crate::enrol`].

use axum::Json;
use axum::extract::{Request, State};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ruhu_ledger::signature::{PublicKey, Signature};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::address::Caller;
use super::body::Incoming;
use super::problem::ApiError;
use super::record::Trail;
use crate::enrol::{EnrolError, EnrolmentGranted, EnrolmentRequest, enrol};
use crate::replacement::{ReplacementRequest, replace_key};

/// What a device asks to be enrolled with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enrolment {
    /// The one-time code, as in `K7QD-92MX-4T`; case, spaces and dashes do not matter.
    code: String,
    /// The Ed25519 public key that the device made: 32 bytes in base64url without padding.
    public_key: String,
    /// What the device is to be called, without personal data.
    device_name: String,
    /// The signature of `ruhu/enrolment/1` over SHA-256 of code, newline, key and name: 64 bytes in
    /// base64url without padding.
    proof: String,
}

/// What a device is given.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Enrolled {
    /// The installation.
    deployment: String,
    /// The present life of the server's log.
    epoch: String,
    /// The key that signs certificates, receipts and checkpoints: base64url without padding.
    server_key: String,
    /// How the present epoch followed those before it, oldest first, after restores: epoch links in their binary
    /// form, base64url without padding. The certificates of many devices are by older keys.
    links: Vec<String>,
    /// The signed certificate in its binary form: base64url without padding.
    certificate: String,
    /// The server's clock, milliseconds since 1970.
    server_time_ms: i64,
    /// The villages the certificate is for.
    villages: Vec<EnrolledVillage>,
    /// Whose device it is.
    user: EnrolledUser,
}

/// A village as a device gets to know it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnrolledVillage {
    /// Its id.
    id: String,
    /// Its official 12 digits.
    code: String,
    /// Its name.
    name: String,
    /// The key of its search tags: 32 bytes in base64url without padding.
    search_key: String,
}

/// A person with an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnrolledUser {
    /// Their id.
    id: String,
    /// The name they are called by.
    name: String,
    /// Their role, such as `first_secretary`.
    role: String,
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(replace))
}

/// Enrols a device. The same request by the same key gets the same certificate again.
#[utoipa::path(post, path = "/v1/enrolments", tag = "devices", security(()), request_body = Enrolment,
    responses((status = 200, description = "The certificate and what goes with it", body = Enrolled)))]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Json<Enrolled>, ApiError> {
    let (parts, body) = request.into_parts();
    state.rates.attempt(caller.address)?;
    let body = Incoming::new(body, state.bounds.enrolment).whole().await?;
    Trail::of(&parts).took(body.len() as u64);
    let asked = parse(&body)?;
    let (keys, clock) = (state.keys.clone(), state.clock.clone());
    let granted = state.store(move |store| enrol(store, &keys, clock.as_ref(), &asked)).await?;
    Ok(Json(answer(granted, state.clock.now_ms())))
}

/// What a device asks whose store was found to be in two places. All four are base64url without padding.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replacement {
    /// The Ed25519 public key that it gives up: 32 bytes.
    old_key: String,
    /// The Ed25519 public key that it made: 32 bytes.
    new_key: String,
    /// The old key's signature of `ruhu/key-replacement/1` over SHA-256 of both keys: 64 bytes.
    old_proof: String,
    /// The new key's signature over the same.
    new_proof: String,
}

/// What it is given.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Replaced {
    /// The signed provisional certificate in its binary form: base64url without padding.
    certificate: String,
}

/// Gives a key up that was found to be in two places, for a provisional one.
///
/// What comes under a provisional certificate is kept in quarantine until a person enrols the device again
/// with a new code. The same request gets the same certificate again.
#[utoipa::path(post, path = "/v1/enrolments/replacements", tag = "devices", security(()),
    request_body = Replacement,
    responses((status = 200, description = "The provisional certificate", body = Replaced)))]
async fn replace(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Json<Replaced>, ApiError> {
    let (parts, body) = request.into_parts();
    state.rates.attempt(caller.address)?;
    let body = Incoming::new(body, state.bounds.enrolment).whole().await?;
    Trail::of(&parts).took(body.len() as u64);
    let asked: Replacement = read(&body)?;
    let key = |text: &str| decode::<32>(text).map(PublicKey).ok_or(EnrolError::BadKey);
    let proof = |text: &str| decode::<64>(text).map(Signature).ok_or(EnrolError::BadProof);
    let asked = ReplacementRequest {
        old_key: key(&asked.old_key)?,
        new_key: key(&asked.new_key)?,
        old_proof: proof(&asked.old_proof)?,
        new_proof: proof(&asked.new_proof)?,
    };
    let (keys, clock) = (state.keys.clone(), state.clock.clone());
    let signed = state.store(move |store| replace_key(store, &keys, clock.as_ref(), &asked)).await?;
    tracing::warn!(device = %signed.statement.device(), "a copied key was given up for a provisional one");
    Ok(Json(Replaced { certificate: URL_SAFE_NO_PAD.encode(signed.to_bytes()) }))
}

/// The parser's own message may quote the body, so only the place is told.
fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        ApiError::Malformed(format!("the body is not an enrolment in JSON: line {line}, column {column}"))
    })
}

fn parse(body: &[u8]) -> Result<EnrolmentRequest, ApiError> {
    let asked: Enrolment = read(body)?;
    let public_key = decode::<32>(&asked.public_key).ok_or(EnrolError::BadKey)?;
    let proof = decode::<64>(&asked.proof).ok_or(EnrolError::BadProof)?;
    Ok(EnrolmentRequest {
        code: asked.code,
        public_key: PublicKey(public_key),
        device_name: asked.device_name,
        proof: Signature(proof),
    })
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?.try_into().ok()
}

fn answer(granted: EnrolmentGranted, now_ms: i64) -> Enrolled {
    let EnrolmentGranted { start, links, certificate, user, villages } = granted;
    let villages = villages.into_iter().map(|village| EnrolledVillage {
        id: village.id.to_string(),
        code: village.code,
        name: village.name,
        search_key: URL_SAFE_NO_PAD.encode(village.search_key),
    });
    Enrolled {
        deployment: start.deployment.to_string(),
        epoch: start.epoch.to_string(),
        server_key: URL_SAFE_NO_PAD.encode(start.server_key.0),
        links: links.iter().map(|link| URL_SAFE_NO_PAD.encode(link.to_bytes())).collect(),
        certificate: URL_SAFE_NO_PAD.encode(certificate.to_bytes()),
        server_time_ms: now_ms,
        villages: villages.collect(),
        user: EnrolledUser { id: user.id.to_string(), name: user.name, role: user.role.name().to_owned() },
    }
}
