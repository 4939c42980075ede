//! Parameters and pages: queries and ids are read here, so that a refusal never repeats what was sent.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::ApiError;
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};

/// The parameters of a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        let refuse = |_| {
            ApiError::ParameterInvalid("a parameter of the query is unknown or cannot be read".to_owned())
        };
        read.map(|Query(params)| Self(params)).map_err(refuse)
    }
}

/// An id in the path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        let refuse =
            |_| ApiError::ParameterInvalid("the id in the path is not 32 hexadecimal digits".to_owned());
        read.map(|Path(id)| Self(id)).map_err(refuse)
    }
}

/// Where a page ends, as text that only this server reads.
pub(crate) fn mark(last: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(last).unwrap_or_default())
}

/// What [`mark`] made.
///
/// # Errors
/// [`ApiError::ParameterInvalid`] for any other text.
pub(crate) fn read_mark<T: DeserializeOwned>(after: Option<&str>) -> Result<Option<T>, ApiError> {
    let Some(after) = after else { return Ok(None) };
    let refuse = || ApiError::ParameterInvalid("`after` is not the `next` of a page".to_owned());
    let bytes = URL_SAFE_NO_PAD.decode(after).map_err(|_| refuse())?;
    serde_json::from_slice(&bytes).map(Some).map_err(|_| refuse())
}

/// How many rows a page has.
///
/// # Errors
/// [`ApiError::ParameterInvalid`] outside of 1 to [`PAGE_ROWS_MAX`].
pub(crate) fn rows(limit: Option<u32>) -> Result<u32, ApiError> {
    match limit.unwrap_or(PAGE_ROWS_DEFAULT) {
        rows @ 1..=PAGE_ROWS_MAX => Ok(rows),
        _ => Err(ApiError::ParameterInvalid(format!("`limit` is from 1 to {PAGE_ROWS_MAX}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_other_texts_are_refused() {
        let row = ("一组".to_owned(), 7_u64);
        assert_eq!(read_mark::<(String, u64)>(Some(&mark(&row))).unwrap(), Some(row));
        assert_eq!(read_mark::<(String, u64)>(None).unwrap(), None);
        for text in ["", "x", "入户", "bnVsbA"] {
            assert!(read_mark::<(String, u64)>(Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_page_has_at_most_its_limit() {
        assert_eq!(rows(None).unwrap(), PAGE_ROWS_DEFAULT);
        assert_eq!(rows(Some(PAGE_ROWS_MAX)).unwrap(), PAGE_ROWS_MAX);
        assert!(rows(Some(PAGE_ROWS_MAX + 1)).is_err());
        assert!(rows(Some(0)).is_err());
    }
}
