//! Gaps (缺口): what is proved to have existed and is not here.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::identity::Reader;
use super::problem::ApiError;
use super::time::rfc3339_ms;
use crate::store::epochs::{Gap, GapPlace};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(gaps))
}

/// Every gap in the caller's scope, open ones first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GapList {
    gaps: Vec<GapJson>,
}

/// Something that is proved to have existed and is not here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Gap)]
pub(crate) struct GapJson {
    /// `chain`: batches of a device in a village; `log`: leaves of the log of an epoch that ended.
    kind: &'static str,
    /// The village of a chain.
    village: Option<String>,
    /// The device of a chain.
    device: Option<String>,
    /// Who wrote, in a chain.
    person: Option<String>,
    /// The batch that proves the gap of a chain, and waits.
    proof: Option<String>,
    /// The epoch of a log.
    epoch: Option<String>,
    /// The first number, or leaf, that was missing when the gap was found.
    first: u64,
    /// The last one.
    last: u64,
    /// How many are missing now.
    missing: u64,
    /// The device that holds the proof.
    shown_by: String,
    /// When the gap was found.
    found_at: String,
    /// When it was filled; null while it is open.
    filled_at: Option<String>,
}

impl From<&Gap> for GapJson {
    fn from(gap: &Gap) -> Self {
        let mut json = Self {
            kind: "log",
            village: None,
            device: None,
            person: None,
            proof: None,
            epoch: None,
            first: gap.first,
            last: gap.last,
            missing: gap.missing,
            shown_by: gap.shown_by.to_string(),
            found_at: rfc3339_ms(gap.found_ms),
            filled_at: gap.filled_ms.map(rfc3339_ms),
        };
        match gap.place {
            GapPlace::Log { epoch } => json.epoch = Some(epoch.to_string()),
            GapPlace::Chain { village, device, person, proof } => {
                json.kind = "chain";
                json.village = Some(village.to_string());
                json.device = Some(device.to_string());
                json.person = Some(person.to_string());
                json.proof = Some(proof.to_string());
            }
        }
        json
    }
}

/// What is proved to have existed and is not here, for those who run or supervise the work. A gap in the
/// log of an epoch that ended belongs to no village and is told to all of them.
#[utoipa::path(get, path = "/v1/gaps", tag = "log",
    responses((status = 200, description = "The gaps", body = GapList)))]
async fn gaps(State(state): State<AppState>, reader: Reader) -> Result<Json<GapList>, ApiError> {
    reader.oversees()?;
    let gaps = state.store(|store| store.gaps()).await?;
    let in_scope = |gap: &&Gap| match gap.place {
        GapPlace::Chain { village, .. } => reader.village(village).is_ok(),
        GapPlace::Log { .. } => true,
    };
    Ok(Json(GapList { gaps: gaps.iter().filter(in_scope).map(GapJson::from).collect() }))
}
