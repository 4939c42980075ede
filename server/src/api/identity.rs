//! Who asks, and what they may see: a person with a token or a device with a signature.
//!
//! Every read takes a [`Reader`]; it carries the villages in the caller's scope, and everything read is
//! looked up through it.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use ruhu_ledger::certificate::CertificateKind;
use ruhu_survey::id::VillageId;
use ruhu_survey::role::Role;

use super::AppState;
use super::address::Caller;
use super::problem::ApiError;
use super::rates::Known;
use super::record::Trail;
use super::signed::{Claim, EMPTY_BODY, in_force};
use crate::enrol::token_hash;
use crate::store::StoreError;
use crate::store::people::Village;

/// Somebody who may read, and where.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    role: Role,
    is_device: bool,
    villages: BTreeMap<VillageId, Village>,
}

impl Reader {
    /// The villages in the caller's scope.
    pub(crate) fn villages(&self) -> &BTreeMap<VillageId, Village> {
        &self.villages
    }

    /// The village, if it is in the caller's scope.
    ///
    /// # Errors
    /// [`ApiError::VillageNotGranted`], whether there is such a village or not.
    pub(crate) fn village(&self, village: VillageId) -> Result<&Village, ApiError> {
        self.villages.get(&village).ok_or(ApiError::VillageNotGranted)
    }

    /// Lets devices pass, and no person.
    ///
    /// # Errors
    /// [`ApiError::RoleMayNotRead`]
    pub(crate) fn is_device(&self) -> Result<(), ApiError> {
        if self.is_device { Ok(()) } else { Err(ApiError::RoleMayNotRead(self.role.name())) }
    }

    /// Lets those pass who run or supervise the work, and not those who only do it.
    ///
    /// # Errors
    /// [`ApiError::RoleMayNotRead`]
    pub(crate) fn oversees(&self) -> Result<(), ApiError> {
        if self.role.oversees() { Ok(()) } else { Err(ApiError::RoleMayNotRead(self.role.name())) }
    }
}

impl FromRequestParts<AppState> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Ok(caller) = Caller::from_request_parts(parts, state).await;
        let shown = match (bearer(parts), Claim::of(parts)) {
            (Some(token), _) => person(state, &token).await,
            (None, Ok(Some(claim))) => device(state, &claim).await,
            (None, Ok(None)) => return Err(ApiError::IdentityMissing),
            (None, Err(error)) => Err(error),
        };
        let (known, reader) = match shown {
            Ok(shown) => shown,
            Err(error) => return Err(counted(state, caller, error)),
        };
        Trail::of(parts).shown(known);
        state.rates.request(known)?;
        Ok(reader)
    }
}

/// An identity that does not hold is an attempt, and attempts are limited.
pub(crate) fn counted(state: &AppState, caller: Caller, error: ApiError) -> ApiError {
    let guessed =
        matches!(error, ApiError::TokenUnknown | ApiError::SignatureInvalid | ApiError::DeviceUnknown);
    if guessed { state.rates.attempt(caller.address).err().unwrap_or(error) } else { error }
}

fn bearer(parts: &Parts) -> Option<String> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

async fn person(state: &AppState, token: &str) -> Result<(Known, Reader), ApiError> {
    let hash = token_hash(token);
    let found = state
        .store(move |store| {
            let Some(user) = store.user_of_token(&hash)? else { return Ok(None) };
            let villages = store.villages_in(&user.regions)?;
            Ok::<_, StoreError>(Some((user, villages)))
        })
        .await?;
    let (user, mut villages) = found.ok_or(ApiError::TokenUnknown)?;
    if !reads_ended(user.role) {
        villages.retain(|village| village.valid_until.is_none());
    }
    Ok((Known::Person(user.id), Reader { role: user.role, is_device: false, villages: by_id(villages) }))
}

/// Whether a role reads villages by codes that have ended: a village that moved to another township is no
/// longer the business of the first.
fn reads_ended(role: Role) -> bool {
    matches!(role, Role::County | Role::Supervisor | Role::Administrator)
}

/// A village that has had several codes goes by the one that holds.
fn by_id(mut villages: Vec<Village>) -> BTreeMap<VillageId, Village> {
    villages.sort_by_key(|village| village.valid_until.is_none());
    villages.into_iter().map(|village| (village.id, village)).collect()
}

async fn device(state: &AppState, claim: &Claim) -> Result<(Known, Reader), ApiError> {
    claim.redeem(state)?;
    let device = claim.device(state).await?;
    claim.prove(&device.certificate.statement.key, &EMPTY_BODY)?;
    let now_ms = state.clock.now_ms();
    in_force(&device, now_ms)?;
    let (id, certificate) = (device.id, device.certificate.statement);
    let every = BTreeSet::from([String::new()]);
    let villages = state
        .store(move |store| {
            store.device_seen(id, now_ms)?;
            store.villages_in(&every)
        })
        .await?;
    let provisional = certificate.kind == CertificateKind::Provisional;
    let mut villages = by_id(villages);
    villages.retain(|village, _| !provisional && certificate.grants(*village));
    Ok((Known::Device(id), Reader { role: certificate.role, is_device: true, villages }))
}
