//! Reads of one village: households, conflicts, changes, quarantine.

use axum::Json;
use axum::extract::State;
use ruhu_survey::change::{DocumentId, DocumentKind};
use ruhu_survey::id::{HouseholdId, VillageId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::identity::Reader;
use super::page::{Id, Params, mark, read_mark, rows};
use super::problem::ApiError;
use super::shapes::{ChangeJson, ConflictJson};
use super::time::rfc3339_ms;
use crate::limits::SEARCH_BYTES_MAX;
use crate::store::people::Village;
use crate::store::reads::{HouseholdQuery, HouseholdRow, VillageCounts};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(villages))
        .routes(routes!(households))
        .routes(routes!(conflicts))
        .routes(routes!(changes))
        .routes(routes!(quarantine))
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// `next` of the page before.
    pub(crate) after: Option<String>,
    /// How many rows, at most 500.
    pub(crate) limit: Option<u32>,
}

/// The villages in the caller's scope.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VillageList {
    villages: Vec<VillageJson>,
    /// To be given as `after` for the next page; null on the last.
    next: Option<String>,
}

/// A village (行政村) and how much there is in it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Village)]
pub(crate) struct VillageJson {
    /// Its id.
    village: String,
    /// Its official 12 digits.
    code: String,
    /// Its name.
    name: String,
    /// The date on which its code ended, if it did.
    ended: Option<String>,
    /// Households.
    households: u64,
    /// Members living in them.
    members: u64,
    /// Submitted checks.
    checks: u64,
    /// Conflicts that wait for a person.
    conflicts: u64,
    /// Devices whose chain of batches has forked: a copied device, or a restored one.
    forked_chains: u64,
    /// Changes in quarantine.
    quarantined: u64,
    /// Changes that wait for others.
    held: u64,
    /// When its last batch was received.
    received_at: Option<String>,
    /// The end of its feed.
    sequence: u64,
}

impl VillageJson {
    fn new(village: &Village, counts: &VillageCounts) -> Self {
        Self {
            village: village.id.to_string(),
            code: village.code.clone(),
            name: village.name.clone(),
            ended: village.valid_until.clone(),
            households: counts.households,
            members: counts.members,
            checks: counts.checks,
            conflicts: counts.conflicts,
            forked_chains: counts.forked_chains,
            quarantined: counts.quarantined,
            held: counts.held,
            received_at: counts.received_ms.map(rfc3339_ms),
            sequence: counts.sequence,
        }
    }
}

/// The villages in the caller's scope, ascending by code.
#[utoipa::path(get, path = "/v1/villages", tag = "villages", params(PageParams),
    responses((status = 200, description = "The villages", body = VillageList)))]
async fn villages(
    State(state): State<AppState>,
    reader: Reader,
    Params(page): Params<PageParams>,
) -> Result<Json<VillageList>, ApiError> {
    let limit = usize::try_from(rows(page.limit)?).unwrap_or(usize::MAX);
    let mut villages: Vec<Village> = reader.villages().values().cloned().collect();
    villages.sort_by(|one, other| one.code.cmp(&other.code));
    villages.retain(|village| page.after.as_ref().is_none_or(|after| village.code > *after));
    let next = villages.get(limit.saturating_sub(1)).filter(|_| villages.len() > limit);
    let next = next.map(|village| village.code.clone());
    villages.truncate(limit);
    let asked = villages.iter().map(|village| village.id).collect();
    let counts = state.store(move |store| store.villages(&asked)).await?;
    let with_counts = villages.iter().filter_map(|village| {
        let counts = counts.iter().find(|counts| counts.village == village.id)?;
        Some(VillageJson::new(village, counts))
    });
    Ok(Json(VillageList { villages: with_counts.collect(), next }))
}

/// Which households.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HouseholdParams {
    /// Part of a member's name, or the beginning of the household number.
    search: Option<String>,
    /// The villagers' group (村民小组).
    group: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many rows, at most 500.
    limit: Option<u32>,
}

/// Households of a village.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HouseholdList {
    households: Vec<HouseholdJson>,
    /// To be given as `after` for the next page; null on the last.
    next: Option<String>,
}

/// A household (农户) in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Household)]
pub(crate) struct HouseholdJson {
    /// Its id.
    household: String,
    /// The national household number, or nothing (户编号).
    number: String,
    /// The villagers' group, or nothing (村民小组).
    group: String,
    /// The name of the head or of the first member, or nothing (户主).
    head: String,
    /// Members living in it (家庭人口).
    members: u64,
    /// A code of `household_status`, or nothing (档案状态).
    status: String,
    /// A code of `monitor_category`, or nothing (监测对象类别).
    category: String,
    /// A code of `monitor_level`, or nothing (走访等级).
    level: String,
    /// Conflicts that wait for a person.
    conflicts: u64,
    /// The day on which the last visit ended, by the device's clock.
    last_visit: Option<String>,
}

impl From<HouseholdRow> for HouseholdJson {
    fn from(row: HouseholdRow) -> Self {
        Self {
            household: row.household.to_string(),
            number: row.number,
            group: row.group_name,
            head: row.head_name,
            members: row.member_count,
            status: row.status,
            category: row.category,
            level: row.level,
            conflicts: row.conflicts,
            last_visit: row.last_visit,
        }
    }
}

/// Households of a village, by group, head and id.
#[utoipa::path(get, path = "/v1/villages/{village}/households", tag = "villages",
    params(("village" = String, Path, description = "The village's id"), HouseholdParams),
    responses((status = 200, description = "The households", body = HouseholdList)))]
async fn households(
    State(state): State<AppState>,
    reader: Reader,
    Id(village): Id<VillageId>,
    Params(params): Params<HouseholdParams>,
) -> Result<Json<HouseholdList>, ApiError> {
    reader.village(village)?;
    let too_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > SEARCH_BYTES_MAX);
    if too_long(&params.search) || too_long(&params.group) {
        let detail = format!("`search` and `group` have at most {SEARCH_BYTES_MAX} bytes");
        return Err(ApiError::ParameterInvalid(detail));
    }
    let after: Option<(String, String, HouseholdId)> = read_mark(params.after.as_deref())?;
    let limit = rows(params.limit)?;
    let query = HouseholdQuery { search: params.search, group: params.group, after, limit };
    let page = state.store(move |store| store.households(village, &query)).await?;
    let last = page.rows.last().filter(|_| page.more);
    let next = last.map(|row| mark(&(&row.group_name, &row.head_name, row.household)));
    Ok(Json(HouseholdList { households: page.rows.into_iter().map(Into::into).collect(), next }))
}

/// Conflicts of a village.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConflictList {
    conflicts: Vec<ConflictJson>,
    /// To be given as `after` for the next page; null on the last.
    next: Option<String>,
}

/// Conflicts that wait for a person, by document and key, with everybody's value.
#[utoipa::path(get, path = "/v1/villages/{village}/conflicts", tag = "villages",
    params(("village" = String, Path, description = "The village's id"), PageParams),
    responses((status = 200, description = "The conflicts", body = ConflictList)))]
async fn conflicts(
    State(state): State<AppState>,
    reader: Reader,
    Id(village): Id<VillageId>,
    Params(page): Params<PageParams>,
) -> Result<Json<ConflictList>, ApiError> {
    reader.village(village)?;
    let after: Option<(DocumentKind, HouseholdId, String)> = read_mark(page.after.as_deref())?;
    let after = after.map(|(kind, id, key)| (DocumentId { kind, id: *id.as_bytes() }, key));
    let limit = rows(page.limit)?;
    let page = state.store(move |store| store.conflicts(village, after, limit)).await?;
    let last = page.rows.last().filter(|_| page.more);
    let next = last.map(|row| mark(&(row.document.kind, HouseholdId::from_bytes(row.document.id), &row.key)));
    Ok(Json(ConflictList { conflicts: page.rows.into_iter().map(Into::into).collect(), next }))
}

/// Since when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SinceParams {
    /// `cursor` of the answer before; without it, from the beginning.
    since: Option<u64>,
    /// About how many changes, at most 500; batches are given whole.
    limit: Option<u32>,
}

/// Changes of a village in the order in which they were received.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangeFeed {
    changes: Vec<ChangeJson>,
    /// To be given as `since` to go on.
    cursor: u64,
    /// Whether there is more at once.
    more: bool,
}

/// The changes received after a cursor, whatever became of them.
#[utoipa::path(get, path = "/v1/villages/{village}/changes", tag = "villages",
    params(("village" = String, Path, description = "The village's id"), SinceParams),
    responses((status = 200, description = "The changes", body = ChangeFeed)))]
async fn changes(
    State(state): State<AppState>,
    reader: Reader,
    Id(village): Id<VillageId>,
    Params(params): Params<SinceParams>,
) -> Result<Json<ChangeFeed>, ApiError> {
    reader.village(village)?;
    let (since, limit) = (params.since.unwrap_or(0), rows(params.limit)?);
    let found = state.store(move |store| store.changes_since(village, since, limit)).await?;
    let changes = found.changes.into_iter().map(Into::into).collect();
    Ok(Json(ChangeFeed { changes, cursor: found.cursor, more: found.more }))
}

/// Changes in quarantine.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Quarantine {
    changes: Vec<ChangeJson>,
    /// To be given as `after` for the next page; null on the last.
    next: Option<String>,
}

/// Changes of a village in quarantine, oldest first.
#[utoipa::path(get, path = "/v1/villages/{village}/quarantine", tag = "villages",
    params(("village" = String, Path, description = "The village's id"), PageParams),
    responses((status = 200, description = "The changes", body = Quarantine)))]
async fn quarantine(
    State(state): State<AppState>,
    reader: Reader,
    Id(village): Id<VillageId>,
    Params(page): Params<PageParams>,
) -> Result<Json<Quarantine>, ApiError> {
    reader.oversees()?;
    reader.village(village)?;
    let after: Option<(u64, u32)> = read_mark(page.after.as_deref())?;
    let limit = rows(page.limit)?;
    let page = state.store(move |store| store.quarantine(village, after, limit)).await?;
    let last = page.rows.last().filter(|_| page.more);
    let next = last.map(|row| mark(&(row.sequence, row.position)));
    Ok(Json(Quarantine { changes: page.rows.into_iter().map(Into::into).collect(), next }))
}
