//! Requests signed by a device: what the headers claim, and whether the claim holds.

use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ruhu_ledger::certificate::CertificateKind;
use ruhu_ledger::signature::{PublicKey, Signature};
use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_sync::authenticate::{
    HEADER_DEVICE, HEADER_NONCE, HEADER_SIGNATURE, REQUEST_DOMAIN, request_digest,
};

use sha2::{Digest as _, Sha256};

use super::AppState;
use super::address::Caller;
use super::body::{Bounds, Incoming};
use super::identity::counted;
use super::problem::ApiError;
use super::rates::Known;
use super::record::Trail;
use crate::replacement::was_given_up;
use crate::store::people::Device;

/// SHA-256 of no bytes: the digest of the body of a request that has none.
pub(crate) const EMPTY_BODY: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// What a request claims about the device that sent it.
#[derive(Debug)]
pub(crate) struct Claim {
    device: DeviceId,
    nonce: String,
    signature: Signature,
    method: Method,
    path: String,
}

impl Claim {
    /// The claim in the headers; none when the request names no device.
    ///
    /// # Errors
    /// [`ApiError::SignatureInvalid`] when the headers cannot be read.
    pub(crate) fn of(parts: &Parts) -> Result<Option<Self>, ApiError> {
        if !parts.headers.contains_key(HEADER_DEVICE) {
            return Ok(None);
        }
        let header = |name| text(&parts.headers, name).ok_or(ApiError::SignatureInvalid);
        let signature = STANDARD.decode(header(HEADER_SIGNATURE)?).map_err(|_| ApiError::SignatureInvalid)?;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Some(Self {
            device: header(HEADER_DEVICE)?.parse().map_err(|_| ApiError::SignatureInvalid)?,
            nonce: header(HEADER_NONCE)?.to_owned(),
            signature: Signature(signature.try_into().map_err(|_| ApiError::SignatureInvalid)?),
            method: parts.method.clone(),
            path: path.to_owned(),
        }))
    }

    /// The device that the request names.
    pub(crate) fn id(&self) -> DeviceId {
        self.device
    }

    /// Uses the nonce up.
    ///
    /// # Errors
    /// [`ApiError::NonceUnknown`]
    pub(crate) fn redeem(&self, state: &AppState) -> Result<(), ApiError> {
        let known = state.nonces.redeem(&self.nonce, state.clock.now_ms());
        if known { Ok(()) } else { Err(ApiError::NonceUnknown) }
    }

    /// Finds the device, if it is known; whether the claim holds is not known yet.
    ///
    /// # Errors
    /// That the store fails.
    pub(crate) async fn find(&self, state: &AppState) -> Result<Option<Device>, ApiError> {
        let device = self.device;
        state.store(move |store| store.device(device)).await
    }

    /// As [`Claim::find`], of a device that has to be known.
    ///
    /// # Errors
    /// [`ApiError::DeviceUnknown`], or that the store fails.
    pub(crate) async fn device(&self, state: &AppState) -> Result<Device, ApiError> {
        self.find(state).await?.ok_or(ApiError::DeviceUnknown)
    }

    /// Whether the holder of `key` signed this request with a body of this digest.
    ///
    /// # Errors
    /// [`ApiError::SignatureInvalid`]
    pub(crate) fn prove(&self, key: &PublicKey, body_sha256: &[u8; 32]) -> Result<(), ApiError> {
        let digest = request_digest(self.method.as_str(), &self.path, &self.nonce, body_sha256);
        key.verify_strict(REQUEST_DOMAIN, &digest, &self.signature).map_err(|_| ApiError::SignatureInvalid)
    }
}

/// Reads a request that a device signed; the device, and the body.
///
/// # Errors
/// Why the request is not the device's, or its body did not come.
pub(crate) async fn read_signed(
    state: &AppState,
    caller: Caller,
    request: Request,
    bounds: Bounds,
) -> Result<(Device, Vec<u8>), ApiError> {
    let (parts, body) = request.into_parts();
    let incoming = Incoming::new(body, bounds);
    let (claim, device) = match claimed(state, &parts).await {
        Ok(known) => known,
        Err(error) => {
            incoming.drain().await;
            return Err(counted(state, caller, error));
        }
    };
    let body = incoming.whole().await?;
    claim
        .prove(&device.certificate.statement.key, &Sha256::digest(&body).into())
        .map_err(|error| counted(state, caller, error))?;
    let trail = Trail::of(&parts);
    trail.shown(Known::Device(device.id));
    trail.took(body.len() as u64);
    Ok((device, body))
}

/// The claim of a request, and the device that it names.
async fn claimed(state: &AppState, parts: &Parts) -> Result<(Claim, Device), ApiError> {
    let claim = Claim::of(parts)?.ok_or(ApiError::IdentityMissing)?;
    claim.redeem(state)?;
    let device = claim.device(state).await?;
    Ok((claim, device))
}

/// The device that signed a question about what is held of its own sending. The nonce may be any text, also none:
/// a device that was cut has none left, and whoever repeats the question learns a number and uses nothing up.
///
/// # Errors
/// Why the request is not the device's.
pub(crate) async fn asking(state: &AppState, caller: Caller, parts: &Parts) -> Result<Device, ApiError> {
    let asked = async {
        let claim = Claim::of(parts)?.ok_or(ApiError::IdentityMissing)?;
        let device = claim.device(state).await?;
        claim.prove(&device.certificate.statement.key, &EMPTY_BODY)?;
        Ok(device)
    };
    let device = asked.await.map_err(|error| counted(state, caller, error))?;
    Trail::of(parts).shown(Known::Device(device.id));
    Ok(device)
}

/// Whether a device may work in a village at this time.
///
/// # Errors
/// Those of [`in_force`], and [`ApiError::VillageNotGranted`].
pub(crate) fn granted(device: &Device, village: VillageId, now_ms: i64) -> Result<(), ApiError> {
    in_force(device, now_ms)?;
    if device.certificate.statement.grants(village) { Ok(()) } else { Err(ApiError::VillageNotGranted) }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a device may be given anything at this time.
///
/// # Errors
/// [`ApiError::KeyCopied`], [`ApiError::DeviceRevoked`], [`ApiError::DeviceProvisional`] or
/// [`ApiError::CertificateExpired`].
pub(crate) fn in_force(device: &Device, now_ms: i64) -> Result<(), ApiError> {
    if was_given_up(device) {
        Err(ApiError::KeyCopied)
    } else if device.revoked.is_some() {
        Err(ApiError::DeviceRevoked)
    } else if device.certificate.statement.kind == CertificateKind::Provisional {
        Err(ApiError::DeviceProvisional)
    } else if !device.certificate.statement.holds_at(now_ms) {
        Err(ApiError::CertificateExpired)
    } else {
        Ok(())
    }
}
