//! Reads of one document: a household, a check, their histories.
//!
//! A document is looked for in the villages of the caller's scope only, so one outside of it and one that
//! does not exist are answered alike.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind, OpId, Value};
use ruhu_survey::check::Check;
use ruhu_survey::entry::{Correct, Scalar, Visit};
use ruhu_survey::field_table::{Part, Source, field};
use ruhu_survey::history::{Fate, FieldEvent};
use ruhu_survey::household::{Household, Member, Private};
use ruhu_survey::id::{CheckId, HouseholdId, VillageId};
use ruhu_survey::register::Register;
use ruhu_survey::shown::shown;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::identity::Reader;
use super::page::{Id, Params, rows};
use super::problem::ApiError;
use super::shapes::{Authored, ConflictJson, json, op};
use super::time::rfc3339_ms;
use super::villages::PageParams;
use crate::store::reads::{CheckDetail, CheckRow, HouseholdDetail, Page};
use crate::store::{Store, StoreError};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(household))
        .routes(routes!(checks))
        .routes(routes!(household_history))
        .routes(routes!(check))
        .routes(routes!(check_history))
}

/// A household (农户) with everything that is shown of it. Private values are masked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HouseholdDetail)]
pub(crate) struct HouseholdDetailJson {
    /// Its id.
    household: String,
    /// Its village.
    village: String,
    /// The member id of the head (户主).
    head: Option<String>,
    /// The contact phone (联系电话), masked.
    contact_phone: PrivateJson,
    /// Every member ever, by `sort` and id.
    members: Vec<MemberJson>,
    /// The visits, in causal order.
    visits: Vec<VisitJson>,
    /// The shown value of every field that anybody wrote, by its key.
    fields: BTreeMap<String, serde_json::Value>,
    /// The fields on which people disagree.
    conflicts: Vec<ConflictJson>,
}

/// A member of a household (家庭成员).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberJson {
    /// The member's id.
    member: String,
    /// The full name (姓名).
    name: Option<String>,
    /// A code of `relation_to_head` (与户主关系).
    relation_to_head: Option<String>,
    /// The certificate number (证件号码), masked.
    cert_no: PrivateJson,
    /// The phone (联系电话), masked.
    phone: PrivateJson,
    /// The day the member joined (增加时间).
    joined_on: Option<String>,
    /// The day the member left (减少时间).
    left_on: Option<String>,
    /// A code of why the member left (减少原因).
    leave_reason: Option<String>,
}

/// A private value: whether there is one, and its mask.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Private)]
pub(crate) struct PrivateJson {
    /// Whether there is a value.
    there: bool,
    /// Four stars and at most four characters.
    mask: Option<String>,
}

/// A visit to a household.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Visit)]
pub(crate) struct VisitJson {
    /// The check.
    check: String,
    /// A code of `visit_result` (入户结果).
    result: String,
    /// The keys that were confirmed unchanged.
    confirmed: Vec<String>,
    /// The day the visit began, by the device's clock.
    started: String,
    /// The day it ended.
    ended: String,
}

impl From<&Private> for PrivateJson {
    fn from(private: &Private) -> Self {
        Self { there: private.is_there(), mask: private.mask.clone() }
    }
}

impl From<&Visit> for VisitJson {
    fn from(visit: &Visit) -> Self {
        Self {
            check: visit.check.clone(),
            result: visit.result.clone(),
            confirmed: visit.confirmed.clone(),
            started: visit.started.clone(),
            ended: visit.ended.clone(),
        }
    }
}

impl From<&Member> for MemberJson {
    fn from(member: &Member) -> Self {
        Self {
            member: member.id.clone(),
            name: member.full_name.clone(),
            relation_to_head: member.relation_to_head.map(|code| code.code.clone()),
            cert_no: (&member.cert_no).into(),
            phone: (&member.phone).into(),
            joined_on: member.joined_on.clone(),
            left_on: member.left_on.clone(),
            leave_reason: member.leave_reason.map(|code| code.code.clone()),
        }
    }
}

impl HouseholdDetailJson {
    fn new(village: VillageId, detail: HouseholdDetail) -> Self {
        let HouseholdDetail { household, seen } = detail;
        Self {
            household: household.id.to_string(),
            village: village.to_string(),
            head: household.head.clone(),
            contact_phone: (&household.contact_phone).into(),
            members: members(&household),
            visits: household.visits.iter().map(Into::into).collect(),
            fields: fields(&seen.register, DocumentKind::Household),
            conflicts: seen.conflicts.into_iter().map(Into::into).collect(),
        }
    }
}

fn members(household: &Household) -> Vec<MemberJson> {
    let mut members: Vec<&Member> = household.members.values().collect();
    members.sort_by_key(|member| member.sort);
    members.into_iter().map(Into::into).collect()
}

fn fields(register: &Register, kind: DocumentKind) -> BTreeMap<String, serde_json::Value> {
    let value = |key: &str| Some((key.to_owned(), json(&shown(register, kind, key)?.op.value)));
    let keys = register.keys().map(|(key, _)| key);
    keys.filter(|key| is_value(kind, key)).filter_map(value).collect()
}

/// Whether a key holds a value of its own: not an entry, and not the reason or source of another's.
fn is_value(kind: DocumentKind, key: &str) -> bool {
    field(kind, key).is_some_and(|found| found.part == Part::Value && !found.field.is_entry())
}

/// Looks in every village of the scope for a document that is in one of them.
fn in_scope<T>(
    villages: &[VillageId],
    find: impl Fn(VillageId) -> Result<Option<T>, StoreError>,
) -> Result<Option<(VillageId, T)>, StoreError> {
    for village in villages {
        if let Some(found) = find(*village)? {
            return Ok(Some((*village, found)));
        }
    }
    Ok(None)
}

/// Looks for a document in the caller's scope.
async fn find<T: Send + 'static>(
    state: &AppState,
    reader: &Reader,
    what: &'static str,
    find: impl Fn(&dyn Store, VillageId) -> Result<Option<T>, StoreError> + Send + 'static,
) -> Result<(VillageId, T), ApiError> {
    let villages: Vec<VillageId> = reader.villages().keys().copied().collect();
    let found = state.store(move |store| in_scope(&villages, |village| find(store, village))).await?;
    found.ok_or(ApiError::NotFound(what))
}

/// One household.
#[utoipa::path(get, path = "/v1/households/{household}", tag = "documents",
    params(("household" = String, Path, description = "The household's id")),
    responses((status = 200, description = "The household", body = HouseholdDetailJson)))]
async fn household(
    State(state): State<AppState>,
    reader: Reader,
    Id(household): Id<HouseholdId>,
) -> Result<Json<HouseholdDetailJson>, ApiError> {
    let (village, detail) =
        find(&state, &reader, "household", move |store, village| store.household(village, household)).await?;
    Ok(Json(HouseholdDetailJson::new(village, detail)))
}

/// Checks of a household.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckList {
    checks: Vec<CheckRowJson>,
    /// To be given as `after` for the next page; null on the last.
    next: Option<String>,
}

/// A check (入户排查) in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckRow)]
pub(crate) struct CheckRowJson {
    /// Its id.
    check: String,
    /// A code of `check_type`, or nothing (排查类型).
    check_type: String,
    /// The device that writes it.
    started_by: Option<String>,
    /// The start by that device's clock. A claim.
    started_at: Option<String>,
    /// A code of `visit_result`, or nothing (入户结果).
    result: String,
    /// Whether it was submitted.
    submitted: bool,
    /// Corrections after the submission.
    corrections: u64,
}

impl From<CheckRow> for CheckRowJson {
    fn from(row: CheckRow) -> Self {
        Self {
            check: row.check.to_string(),
            check_type: row.check_type,
            started_by: row.started_by.map(|device| device.to_string()),
            started_at: row.started_at_ms.map(rfc3339_ms),
            result: row.result,
            submitted: row.submitted,
            corrections: row.corrections,
        }
    }
}

/// The checks of a household, oldest first.
#[utoipa::path(get, path = "/v1/households/{household}/checks", tag = "documents",
    params(("household" = String, Path, description = "The household's id"), PageParams),
    responses((status = 200, description = "The checks", body = CheckList)))]
async fn checks(
    State(state): State<AppState>,
    reader: Reader,
    Id(household): Id<HouseholdId>,
    Params(page): Params<PageParams>,
) -> Result<Json<CheckList>, ApiError> {
    let refuse = |_| ApiError::ParameterInvalid("`after` is not the `next` of a page".to_owned());
    let after: Option<CheckId> = page.after.map(|after| after.parse().map_err(refuse)).transpose()?;
    let limit = rows(page.limit)?;
    let (_, page) = find(&state, &reader, "household", move |store, village| {
        if store.household(village, household)?.is_none() {
            return Ok(None);
        }
        store.checks(village, household, after, limit).map(Some)
    })
    .await?;
    let Page { rows, more } = page;
    let next = rows.last().filter(|_| more).map(|row| row.check.to_string());
    Ok(Json(CheckList { checks: rows.into_iter().map(Into::into).collect(), next }))
}

/// A check (入户排查) with everything that is shown of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckDetail)]
pub(crate) struct CheckDetailJson {
    /// Its id.
    check: String,
    /// Its village.
    village: String,
    /// The household it visits.
    household: Option<String>,
    /// A code of `check_type` (排查类型).
    check_type: Option<String>,
    /// The device that writes it.
    started_by: Option<String>,
    /// The start by that device's clock. A claim.
    started_at: Option<String>,
    /// The form and its version.
    form_version: Option<String>,
    /// A code of `visit_result` (入户结果).
    visit_result: Option<String>,
    /// The change that submitted it: the check as of this change is the submitted check.
    submitted: Option<String>,
    /// The answers by key, as submitted or as they stand; `{"sealed": true}` for private ones.
    answers: BTreeMap<String, serde_json::Value>,
    /// The corrections after the submission, in causal order.
    corrections: Vec<CorrectionJson>,
    /// The fields on which people disagree.
    conflicts: Vec<ConflictJson>,
}

/// A correction of a submitted answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Correction)]
pub(crate) struct CorrectionJson {
    /// The key of the answer.
    field: String,
    /// What was submitted.
    old: serde_json::Value,
    /// What is right.
    new: serde_json::Value,
    /// Why it was wrong.
    reason: String,
}

impl From<&Correct> for CorrectionJson {
    fn from(correct: &Correct) -> Self {
        Self {
            field: correct.field.clone(),
            old: scalar(&correct.old),
            new: scalar(&correct.new),
            reason: correct.reason.clone(),
        }
    }
}

fn scalar(scalar: &Scalar) -> serde_json::Value {
    json(&match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => Value::Bool(*value),
        Scalar::Int(value) => Value::Int(*value),
        Scalar::Text(value) => Value::Text(value.clone()),
        Scalar::Sealed(_) => Value::Bytes(Vec::new()),
    })
}

impl CheckDetailJson {
    fn new(village: VillageId, detail: CheckDetail) -> Self {
        let CheckDetail { check, seen } = detail;
        let Check { id, household, check_type, started_by, .. } = check;
        Self {
            check: id.to_string(),
            village: village.to_string(),
            household: household.map(|household| household.to_string()),
            check_type: check_type.map(|code| code.code.clone()),
            started_by: started_by.map(|device| device.to_string()),
            started_at: check.started_at_ms.map(rfc3339_ms),
            form_version: check.form_version,
            visit_result: check.visit_result.map(|code| code.code.clone()),
            submitted: check.submitted.map(|submitted| submitted.change.to_string()),
            answers: check.answers.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
            corrections: check.corrections.iter().map(Into::into).collect(),
            conflicts: seen.conflicts.into_iter().map(Into::into).collect(),
        }
    }
}

/// One check.
#[utoipa::path(get, path = "/v1/checks/{check}", tag = "documents",
    params(("check" = String, Path, description = "The check's id")),
    responses((status = 200, description = "The check", body = CheckDetailJson)))]
async fn check(
    State(state): State<AppState>,
    reader: Reader,
    Id(check): Id<CheckId>,
) -> Result<Json<CheckDetailJson>, ApiError> {
    let (village, detail) =
        find(&state, &reader, "check", move |store, village| store.check(village, check)).await?;
    Ok(Json(CheckDetailJson::new(village, detail)))
}

/// Which field.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryParams {
    /// The key of a field, such as `member/7k3q/relation_to_head`; without it, all of them.
    field: Option<String>,
}

/// The history of a document: who changed what, when, on which device. Nothing is left out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = History)]
pub(crate) struct HistoryJson {
    /// Every value ever written, each after all that its author had seen.
    events: Vec<EventJson>,
}

/// One value written into one field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventJson {
    /// The key of the field.
    key: String,
    /// The name of this write.
    op: String,
    /// The change that holds it, 64 hexadecimal digits.
    change: String,
    #[serde(flatten)]
    by: Authored,
    /// The values that it took the place of; more than one ends a conflict.
    old: Vec<OldJson>,
    /// The new value; null is a withdrawal, `{"sealed": true}` a private value.
    new: serde_json::Value,
    /// Why.
    reason: Option<String>,
    /// A code of `source`: where the value comes from, where it is said.
    source: Option<&'static str>,
    /// The writes that neither had seen nor were seen by this one.
    concurrent_with: Vec<String>,
    /// Whether it was the value shown as soon as it was there.
    shown_after: bool,
    /// `shown`, `beside` the shown value, `replaced` by a later write, or `settled_away` by a decision.
    fate: &'static str,
    /// The change that replaced it or settled against it.
    fate_by: Option<String>,
    /// Whether it is the choice of a settlement.
    settles: bool,
}

/// A value that another took the place of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Old)]
pub(crate) struct OldJson {
    /// The write.
    op: String,
    /// Its value.
    value: serde_json::Value,
}

impl From<&(OpId, Value)> for OldJson {
    fn from((id, value): &(OpId, Value)) -> Self {
        Self { op: op(id), value: json(value) }
    }
}

impl From<FieldEvent> for EventJson {
    fn from(event: FieldEvent) -> Self {
        Self {
            op: op(&event.op),
            change: event.change.to_string(),
            by: Authored::new(&event.by, event.claimed_at),
            old: event.old.iter().map(Into::into).collect(),
            new: json(&event.new),
            reason: event.reason,
            source: event.source.map(Source::code),
            concurrent_with: event.concurrent_with.iter().map(op).collect(),
            shown_after: event.shown_after,
            fate: event.fate.name(),
            fate_by: fate_by(event.fate).map(|by| by.to_string()),
            settles: event.settles,
            key: event.key,
        }
    }
}

/// The change that put a value out of its place.
const fn fate_by(fate: Fate) -> Option<ChangeHash> {
    match fate {
        Fate::Shown | Fate::Beside => None,
        Fate::Replaced { by } | Fate::SettledAway { by } => Some(by),
    }
}

/// The history of a household, or of one of its fields.
#[utoipa::path(get, path = "/v1/households/{household}/history", tag = "documents",
    params(("household" = String, Path, description = "The household's id"), HistoryParams),
    responses((status = 200, description = "The history", body = HistoryJson)))]
async fn household_history(
    State(state): State<AppState>,
    reader: Reader,
    Id(household): Id<HouseholdId>,
    Params(params): Params<HistoryParams>,
) -> Result<Json<HistoryJson>, ApiError> {
    history(&state, &reader, "household", household.into(), params).await
}

/// The history of a check, or of one of its fields.
#[utoipa::path(get, path = "/v1/checks/{check}/history", tag = "documents",
    params(("check" = String, Path, description = "The check's id"), HistoryParams),
    responses((status = 200, description = "The history", body = HistoryJson)))]
async fn check_history(
    State(state): State<AppState>,
    reader: Reader,
    Id(check): Id<CheckId>,
    Params(params): Params<HistoryParams>,
) -> Result<Json<HistoryJson>, ApiError> {
    history(&state, &reader, "check", check.into(), params).await
}

async fn history(
    state: &AppState,
    reader: &Reader,
    what: &'static str,
    document: DocumentId,
    params: HistoryParams,
) -> Result<Json<HistoryJson>, ApiError> {
    let (_, events) = find(state, reader, what, move |store, village| {
        store.history(village, document, params.field.as_deref())
    })
    .await?;
    Ok(Json(HistoryJson { events: events.into_iter().map(Into::into).collect() }))
}
