//! Nonces: numbers used once, so that a signed request cannot be sent a second time by somebody else.
//!
//! They live in memory only. After a restart every device is told once that its nonce is not known and
//! gets a new one with that answer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ruhu_sync::authenticate::HEADER_NONCE;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::address::Caller;
use super::problem::ApiError;
use crate::keys::{KeyError, random};
use crate::limits::{NONCE_MS, NONCES_MAX};

/// The nonces that were given out and not used.
#[derive(Debug)]
pub(crate) struct Nonces {
    kept: Mutex<Kept>,
    most: usize,
}

#[derive(Debug, Default)]
struct Kept {
    expires: BTreeMap<[u8; 16], i64>,
    order: VecDeque<[u8; 16]>,
}

impl Default for Nonces {
    fn default() -> Self {
        Self::with_room_for(NONCES_MAX)
    }
}

impl Nonces {
    fn with_room_for(most: usize) -> Self {
        Self { kept: Mutex::default(), most }
    }

    /// Gives out a nonce that can be used once in the next [`NONCE_MS`].
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub(crate) fn issue(&self, now_ms: i64) -> Result<String, KeyError> {
        let nonce = random::<16>()?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.forget_old(now_ms, self.most);
        kept.expires.insert(nonce, now_ms.saturating_add(NONCE_MS));
        kept.order.push_back(nonce);
        Ok(URL_SAFE_NO_PAD.encode(nonce))
    }

    /// Uses a nonce up; whether it was there and not too old.
    pub(crate) fn redeem(&self, nonce: &str, now_ms: i64) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else { return false };
        let Ok(bytes) = <[u8; 16]>::try_from(bytes) else { return false };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.expires.remove(&bytes).is_some_and(|expires| now_ms < expires)
    }
}

impl Kept {
    /// Makes room for one more: used, expired and, if need be, the oldest ones go.
    fn forget_old(&mut self, now_ms: i64, most: usize) {
        while let Some(oldest) = self.order.front() {
            let holds = self.expires.get(oldest).is_some_and(|expires| now_ms < *expires);
            if holds && self.order.len() < most {
                break;
            }
            self.expires.remove(oldest);
            self.order.pop_front();
        }
    }
}

/// A number to sign one request with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NonceAnswer {
    /// 16 random bytes in base64url without padding; works once, for ten minutes.
    nonce: String,
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(give))
}

/// Gives a nonce to sign a request with. Every later answer brings the next one in `Ruhu-Nonce`.
#[utoipa::path(post, path = "/v1/nonces", tag = "devices", security(()),
    responses((status = 200, description = "A nonce; also in the header `Ruhu-Nonce`", body = NonceAnswer)))]
async fn give(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<([(&'static str, HeaderValue); 1], Json<NonceAnswer>), ApiError> {
    state.rates.nonce(caller.address)?;
    let nonce = state.nonces.issue(state.clock.now_ms())?;
    let value = HeaderValue::from_str(&nonce).map_err(|_| ApiError::Internal("a nonce is no header"))?;
    Ok(([(HEADER_NONCE, value)], Json(NonceAnswer { nonce })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_works_once() {
        let nonces = Nonces::default();
        let nonce = nonces.issue(0).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(&nonce).unwrap().len(), 16);
        assert!(nonces.redeem(&nonce, 1));
        assert!(!nonces.redeem(&nonce, 1));
    }

    #[test]
    fn a_nonce_works_until_its_last_millisecond_and_not_after() {
        let nonces = Nonces::default();
        let (early, late) = (nonces.issue(0).unwrap(), nonces.issue(0).unwrap());
        assert!(nonces.redeem(&early, NONCE_MS - 1));
        assert!(!nonces.redeem(&late, NONCE_MS));
    }

    #[test]
    fn what_was_never_given_out_is_not_known() {
        let nonces = Nonces::default();
        for text in ["", "x", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAA", "入户"] {
            assert!(!nonces.redeem(text, 0), "{text}");
        }
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let nonces = Nonces::with_room_for(3);
        let given: Vec<String> = (0..4).map(|_| nonces.issue(0).unwrap()).collect();
        assert!(!nonces.redeem(&given[0], 0));
        assert!(given[1..].iter().all(|nonce| nonces.redeem(nonce, 0)));
    }

    #[test]
    fn used_and_expired_ones_take_no_room() {
        let nonces = Nonces::default();
        for _ in 0..10 {
            let nonce = nonces.issue(0).unwrap();
            nonces.redeem(&nonce, 0);
        }
        nonces.issue(NONCE_MS).unwrap();
        let kept = nonces.kept.lock().unwrap();
        assert_eq!((kept.order.len(), kept.expires.len()), (1, 1));
    }
}
