//! Whether the process lives and whether it can work: the only routes without an identity.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::problem::ApiError;

/// That all is well.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`
    status: &'static str,
}

const OK: Json<Health> = Json(Health { status: "ok" });

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready))
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()),
    responses((status = 200, description = "The process lives", body = Health)))]
async fn live() -> Json<Health> {
    OK
}

/// The store answers, and the disk takes what is written.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()),
    responses((status = 200, description = "Requests can be answered", body = Health)))]
async fn ready(State(state): State<AppState>) -> Result<(StatusCode, Json<Health>), ApiError> {
    let start = state.store(|store| store.deployment()).await?;
    tracing::trace!(epoch = %start.epoch, "the store answers");
    if state.disk_full.load(Ordering::Relaxed) {
        // The disk was full when it was last written to: write something to see whether it still is.
        let (device, now_ms) = (state.keys.device.public().device_id(), state.clock.now_ms());
        state.store(move |store| store.device_seen(device, now_ms)).await?;
        state.disk_full.store(false, Ordering::Relaxed);
    }
    Ok((StatusCode::OK, OK))
}
