//! What the API says when it does not do what was asked: RFC 9457 problems with stable codes.
//!
//! `schemas/problems.toml` lists every code with its status and title; a test compares both ways.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};

use crate::enrol::EnrolError;
use crate::keys::KeyError;
use crate::photos::PhotoShelfError;
use crate::store::StoreError;

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// No token and no signature came with it.
    #[error("send `Authorization: Bearer` with a token, or sign the request as a device")]
    IdentityMissing,
    /// The token is none of ours, or was withdrawn.
    #[error("the token does not hold")]
    TokenUnknown,
    /// The nonce was used, is too old, or is none of ours.
    #[error("use the nonce of this answer")]
    NonceUnknown,
    /// The signature does not hold for this request.
    #[error("the signature is not the device's over this method, path, nonce and body")]
    SignatureInvalid,
    /// No certificate was issued for the device.
    #[error("the device is not enrolled here")]
    DeviceUnknown,
    /// The device's key was revoked.
    #[error("the device's key was revoked; what it sent is kept")]
    DeviceRevoked,
    /// A copy of the device's store gave its key up.
    #[error("the device's store was copied or restored, and the key was given up; what it sent is kept")]
    KeyCopied,
    /// A person has to enrol the device again.
    #[error("the device's store was copied or restored; what it sends is kept until it is enrolled again")]
    DeviceProvisional,
    /// The device's certificate is over.
    #[error("the device's certificate has ended: enrol again")]
    CertificateExpired,
    /// The village is not one of the caller's, or is none at all.
    #[error("the village is not among those of the caller")]
    VillageNotGranted,
    /// The caller's role may not read this.
    #[error("the role {0} may not read this")]
    RoleMayNotRead(&'static str),
    /// There is no such thing where the caller may look.
    #[error("there is no such {0} among those the caller may read")]
    NotFound(&'static str),
    /// No route has this path, or not with this method.
    #[error("there is no such route")]
    RouteUnknown,
    /// The path is known, but not with this method.
    #[error("the route does not know this method")]
    MethodNotAllowed,
    /// A parameter cannot be read; says which and why, never its value.
    #[error("{0}")]
    ParameterInvalid(String),
    /// The body cannot be read; says why, never its content.
    #[error("{0}")]
    Malformed(String),
    /// The body is larger than this route takes.
    #[error("the body has more than {0} bytes")]
    TooLarge(u64),
    /// No byte arrived for too long.
    #[error("no byte of the body arrived for {0} seconds")]
    Stalled(u64),
    /// The body took longer than any may.
    #[error("the body did not end within {0} seconds")]
    TooSlow(u64),
    /// The connection broke inside the body.
    #[error("the body broke off")]
    BodyCut,
    /// The bytes before the rest that came are not here any more, or never were.
    #[error("the beginning of this request is not held: send it whole")]
    RequestNotHeld,
    /// A piece of a photo does not begin where the bytes that are held end.
    #[error("the piece does not begin where the bytes held of the photo end: ask how many they are")]
    PhotoPieceMisplaced,
    /// The bytes that came are not the photo of this name.
    #[error("the bytes are not the photo of this name; they were dropped: send it from the beginning")]
    PhotoHashDiffers,
    /// The device has sent as many bytes of photos as a day takes.
    #[error("the device has sent as many bytes of photos as it may in 24 hours")]
    PhotoDayFull,
    /// The place of the photos does not answer.
    #[error("the store of photos does not answer: try again")]
    PhotosUnavailable(#[source] PhotoShelfError),
    /// The caller asks too often.
    #[error("too many requests: wait {0} seconds")]
    RateLimited(u64),
    /// As many requests as this server takes are under way.
    #[error("the server has as many requests as it takes: try again")]
    Busy,
    /// Enrolment was refused.
    #[error(transparent)]
    Enrolment(EnrolError),
    /// The disk is full.
    #[error("the disk is full; what was not confirmed was not taken: send it again later")]
    DiskFull,
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] StoreError),
    /// The keys failed.
    #[error("the server's keys failed")]
    Keys(#[from] KeyError),
    /// A signed statement could not be made or read.
    #[error("the server could not do its work: {0}")]
    Internal(&'static str),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => Self::DiskFull,
            StoreError::Open(ruhu_sqlite::OpenError::DiskFull) => Self::DiskFull,
            other => Self::Store(other),
        }
    }
}

impl From<PhotoShelfError> for ApiError {
    fn from(error: PhotoShelfError) -> Self {
        match error {
            PhotoShelfError::DiskFull => Self::DiskFull,
            other => Self::PhotosUnavailable(other),
        }
    }
}

impl From<EnrolError> for ApiError {
    fn from(error: EnrolError) -> Self {
        match error {
            EnrolError::Store(error) => error.into(),
            EnrolError::Keys(error) => error.into(),
            other => Self::Enrolment(other),
        }
    }
}

/// The body of an answer that refuses (`application/problem+json`).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Problem {
    /// `urn:ruhu:problem:` and the code.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What the code means, in English.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// The stable code, such as `village_not_granted`: see `schemas/problems.toml`.
    pub(crate) code: String,
    /// What is the matter with this request, in English, without personal data.
    pub(crate) detail: String,
}

#[derive(Debug, Deserialize)]
struct Listed {
    title: String,
}

static TABLE: LazyLock<BTreeMap<String, Listed>> = LazyLock::new(|| {
    // A test reads the same file, so a broken one is not released.
    toml::from_str(include_str!("../../../schemas/problems.toml")).unwrap_or_default()
});

impl ApiError {
    /// The status and the stable code.
    pub(crate) fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::IdentityMissing => (StatusCode::UNAUTHORIZED, "identity_missing"),
            Self::TokenUnknown => (StatusCode::UNAUTHORIZED, "token_unknown"),
            Self::NonceUnknown => (StatusCode::UNAUTHORIZED, "nonce_unknown"),
            Self::SignatureInvalid => (StatusCode::UNAUTHORIZED, "signature_invalid"),
            Self::DeviceUnknown => (StatusCode::UNAUTHORIZED, "device_unknown"),
            Self::DeviceRevoked => (StatusCode::FORBIDDEN, "device_revoked"),
            Self::KeyCopied => (StatusCode::FORBIDDEN, "key_copied"),
            Self::DeviceProvisional => (StatusCode::FORBIDDEN, "device_provisional"),
            Self::CertificateExpired => (StatusCode::FORBIDDEN, "certificate_expired"),
            Self::VillageNotGranted => (StatusCode::FORBIDDEN, "village_not_granted"),
            Self::RoleMayNotRead(_) => (StatusCode::FORBIDDEN, "role_may_not_read"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::RouteUnknown => (StatusCode::NOT_FOUND, "route_unknown"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::ParameterInvalid(_) => (StatusCode::BAD_REQUEST, "parameter_invalid"),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "body_malformed"),
            Self::BodyCut => (StatusCode::BAD_REQUEST, "body_cut"),
            Self::RequestNotHeld => (StatusCode::CONFLICT, "request_not_held"),
            Self::PhotoPieceMisplaced => (StatusCode::CONFLICT, "photo_piece_misplaced"),
            Self::PhotoHashDiffers => (StatusCode::UNPROCESSABLE_ENTITY, "photo_hash_differs"),
            Self::PhotoDayFull => (StatusCode::TOO_MANY_REQUESTS, "photo_day_full"),
            Self::PhotosUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "photos_unavailable"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::Stalled(_) => (StatusCode::REQUEST_TIMEOUT, "body_stalled"),
            Self::TooSlow(_) => (StatusCode::REQUEST_TIMEOUT, "body_too_slow"),
            Self::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "server_busy"),
            Self::Enrolment(error) => (enrolment_status(error), error.code()),
            Self::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, "disk_full"),
            Self::Store(_) | Self::Keys(_) | Self::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "server_failed")
            }
        }
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::RateLimited(seconds) => Some(*seconds),
            Self::Busy => Some(1),
            Self::DiskFull | Self::PhotosUnavailable(_) => Some(60),
            Self::PhotoDayFull => Some(60 * 60),
            _ => None,
        }
    }
}

fn enrolment_status(error: &EnrolError) -> StatusCode {
    match error {
        EnrolError::CodeUnknown | EnrolError::KeyUnknown => StatusCode::NOT_FOUND,
        EnrolError::CodeExpired | EnrolError::CodeUsed => StatusCode::GONE,
        EnrolError::BadKey | EnrolError::BadProof | EnrolError::BadName => StatusCode::BAD_REQUEST,
        EnrolError::KeyInUse
        | EnrolError::KeyRevoked
        | EnrolError::TooManyCopies
        | EnrolError::NoVillages
        | EnrolError::TooManyVillages(_) => StatusCode::CONFLICT,
        EnrolError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        EnrolError::Keys(_) | EnrolError::Store(_) | EnrolError::Certificate(_) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// The error and what brought it about, in one line; ids and codes only, for the log.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

/// An answer that refuses, with its stable code.
pub(crate) fn problem(status: StatusCode, code: &'static str, detail: String) -> Response {
    let title = TABLE.get(code).map_or_else(|| code.to_owned(), |listed| listed.title.clone());
    let problem = Problem {
        kind: format!("urn:ruhu:problem:{code}"),
        title,
        status: status.as_u16(),
        code: code.to_owned(),
        detail,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.kind();
        if status.is_server_error() {
            tracing::error!(code, error = with_sources(&self), "a request failed");
        }
        let mut response = problem(status, code, self.to_string());
        if let Some(seconds) = self.retry_after_seconds() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Gives every route the one answer that refuses.
pub(crate) fn describe(document: &mut OpenApi) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let refusal = ResponseBuilder::new()
        .description("Refused: `code` says why")
        .content("application/problem+json", content)
        .build();
    for path in document.paths.paths.values_mut() {
        for operation in [&mut path.get, &mut path.post].into_iter().flatten() {
            operation.responses.responses.insert("default".to_owned(), RefOr::T(refusal.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<ApiError> {
        let mut every = vec![
            ApiError::IdentityMissing,
            ApiError::TokenUnknown,
            ApiError::NonceUnknown,
            ApiError::SignatureInvalid,
            ApiError::DeviceUnknown,
            ApiError::DeviceRevoked,
            ApiError::KeyCopied,
            ApiError::DeviceProvisional,
            ApiError::CertificateExpired,
            ApiError::VillageNotGranted,
            ApiError::RoleMayNotRead("work_team"),
            ApiError::NotFound("household"),
            ApiError::RouteUnknown,
            ApiError::MethodNotAllowed,
            ApiError::ParameterInvalid("`limit` is not a number".to_owned()),
            ApiError::Malformed("not JSON".to_owned()),
            ApiError::BodyCut,
            ApiError::TooLarge(1),
            ApiError::Stalled(60),
            ApiError::TooSlow(600),
            ApiError::RequestNotHeld,
            ApiError::PhotoPieceMisplaced,
            ApiError::PhotoHashDiffers,
            ApiError::PhotoDayFull,
            ApiError::PhotosUnavailable(PhotoShelfError::Folder(std::io::Error::other("gone"))),
            ApiError::RateLimited(3),
            ApiError::Busy,
            ApiError::DiskFull,
            ApiError::Internal("a certificate does not encode"),
        ];
        every.extend(
            [
                EnrolError::CodeUnknown,
                EnrolError::CodeExpired,
                EnrolError::CodeUsed,
                EnrolError::BadKey,
                EnrolError::BadProof,
                EnrolError::BadName,
                EnrolError::KeyInUse,
                EnrolError::KeyUnknown,
                EnrolError::TooManyCopies,
                EnrolError::KeyRevoked,
                EnrolError::NoVillages,
                EnrolError::TooManyVillages(3_000),
                EnrolError::Busy,
            ]
            .map(ApiError::from),
        );
        every
    }

    #[test]
    fn the_committed_list_of_problems_is_what_the_api_says() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Whole {
            status: u16,
            title: String,
            zh: String,
        }
        let listed: BTreeMap<String, Whole> =
            toml::from_str(include_str!("../../../schemas/problems.toml")).unwrap();
        assert!(listed.values().all(|listed| !listed.title.is_empty() && !listed.zh.is_empty()));
        let listed: BTreeMap<&str, u16> =
            listed.iter().map(|(code, listed)| (code.as_str(), listed.status)).collect();
        let said: BTreeMap<&str, u16> =
            every().iter().map(ApiError::kind).map(|(status, code)| (code, status.as_u16())).collect();
        assert_eq!(listed, said);
    }

    #[test]
    fn what_is_worth_trying_again_says_when() {
        let response = ApiError::RateLimited(7).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert!(ApiError::NotFound("check").into_response().headers().get(header::RETRY_AFTER).is_none());
    }

    #[test]
    fn a_full_disk_is_told_apart_wherever_it_was_met() {
        let codes = [
            ApiError::from(StoreError::DiskFull),
            ApiError::from(StoreError::Open(ruhu_sqlite::OpenError::DiskFull)),
            ApiError::from(EnrolError::Store(StoreError::DiskFull)),
            ApiError::from(PhotoShelfError::DiskFull),
        ];
        for error in codes {
            assert_eq!(error.kind(), (StatusCode::INSUFFICIENT_STORAGE, "disk_full"));
        }
    }
}
