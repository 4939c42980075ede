//! The devices of one village, as those read them who oversee the work.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_sync::announce::{Left, Told};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::identity::Reader;
use super::page::Id;
use super::problem::ApiError;
use super::time::rfc3339_ms;
use crate::store::ledger::Tip;
use crate::store::people::{Device, User};
use crate::store::{Store, StoreError};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(devices))
}

/// The devices of a village.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceList {
    devices: Vec<DeviceJson>,
}

/// A device (采集终端) that may write in a village, or might once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Device)]
pub(crate) struct DeviceJson {
    /// Its id.
    device: String,
    /// What it is called.
    name: String,
    /// Whose it is.
    user: String,
    /// The name of that person, unless the account is gone.
    user_name: Option<String>,
    /// The role in its certificate.
    role: &'static str,
    /// When it was enrolled.
    enrolled_at: String,
    /// Until when its certificate holds.
    until: String,
    /// Its last authenticated request.
    seen_at: Option<String>,
    /// When its last batch was received.
    received_at: Option<String>,
    /// Its batches and changes that wait: staged, held or in quarantine.
    pending: u64,
    /// Since when its key holds no longer.
    revoked_at: Option<String>,
    /// Why.
    revoked_because: Option<String>,
    /// What it last announced as unsent in the village.
    announced: Option<AnnouncedJson>,
}

/// What a device said that it still holds of its own work in a village: its own word, and evidence of nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Announced)]
pub(crate) struct AnnouncedJson {
    /// When it said so.
    at: String,
    /// Of the batches that it had written by then, those that were not received.
    missing: u64,
    /// Checks that it had closed and not delivered by then; 0 once none of those batches is missing.
    checks: u64,
    /// Checks that it had begun and not closed by then.
    drafts: u64,
}

impl AnnouncedJson {
    fn new(told: &Told, tip: Option<Tip>) -> Self {
        let received_next = tip.map_or(0, |tip| tip.number.saturating_add(1));
        let Left { missing, checks, drafts } = told.announced.left(received_next);
        Self { at: rfc3339_ms(told.at_ms), missing, checks, drafts }
    }
}

/// What each device of a village last announced.
fn announced(store: &dyn Store, village: VillageId) -> Result<BTreeMap<DeviceId, AnnouncedJson>, StoreError> {
    let told = store.announcements(village)?.into_iter();
    told.map(|told| Ok((told.device, AnnouncedJson::new(&told, store.tip(village, told.device)?)))).collect()
}

/// The devices that may write in a village, by enrolment, with when each was last heard of.
#[utoipa::path(get, path = "/v1/villages/{village}/devices", tag = "villages",
    params(("village" = String, Path, description = "The village's id")),
    responses((status = 200, description = "The devices", body = DeviceList)))]
async fn devices(
    State(state): State<AppState>,
    reader: Reader,
    Id(village): Id<VillageId>,
) -> Result<Json<DeviceList>, ApiError> {
    reader.oversees()?;
    reader.village(village)?;
    let read = move |store: &dyn Store| {
        Ok::<_, StoreError>((store.devices()?, store.users()?, announced(store, village)?))
    };
    let (devices, users, mut announced) = state.store(read).await?;
    let granted = devices.iter().filter(|device| device.certificate.statement.villages.contains(&village));
    let listed = granted.map(|device| DeviceJson::new(device, &users, announced.remove(&device.id)));
    Ok(Json(DeviceList { devices: listed.collect() }))
}

impl DeviceJson {
    fn new(device: &Device, users: &[User], announced: Option<AnnouncedJson>) -> Self {
        let certificate = &device.certificate.statement;
        let user = users.iter().find(|user| user.id == certificate.user);
        Self {
            device: device.id.to_string(),
            name: device.name.clone(),
            user: certificate.user.to_string(),
            user_name: user.map(|user| user.name.clone()),
            role: certificate.role.name(),
            enrolled_at: rfc3339_ms(device.enrolled_ms),
            until: rfc3339_ms(certificate.until_ms),
            seen_at: device.seen_ms.map(rfc3339_ms),
            received_at: device.received_ms.map(rfc3339_ms),
            pending: device.pending,
            revoked_at: device.revoked.as_ref().map(|(at_ms, _)| rfc3339_ms(*at_ms)),
            revoked_because: device.revoked.as_ref().map(|(_, reason)| reason.clone()),
            announced,
        }
    }
}
