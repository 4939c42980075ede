//! What the rules find in a check.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use ruhu_survey::form;
use ruhu_survey::id::CheckId;
use ruhu_survey::rule::{Findings, RuleAnswer, RuleFinding};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::identity::Reader;
use super::page::Id;
use super::problem::ApiError;
use crate::findings::{FindingsError, Looked, findings};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(of_check))
}

/// What the rules find in a check. Each finding is a lead, never a decision.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Findings)]
pub(crate) struct FindingsJson {
    /// The rules and their version; null where there are no findings, as the check is not submitted or this
    /// server does not have its form.
    ruleset: Option<String>,
    /// The form and its version.
    form: Option<String>,
    /// What the formulas come to, in fen or basis points; null where something is not known.
    formulas: BTreeMap<String, serde_json::Value>,
    /// One for each rule.
    findings: Vec<FindingJson>,
}

/// What one rule finds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Finding)]
pub(crate) struct FindingJson {
    /// The rule.
    rule: String,
    /// What it is about, in Chinese.
    zh: String,
    /// What it is about, in English.
    en: String,
    /// `hit`, `clear`, or `unknown` where something that it needs is not known.
    answer: &'static str,
    /// What it looked at, by name; null where it is not known, `****` where it is private.
    inputs: BTreeMap<String, serde_json::Value>,
    /// A code of `risk_type`.
    risk: Option<String>,
    /// 1 very urgent to 3 ordinary.
    urgency: u8,
    /// A code of `monitor_category`.
    proposes: Option<String>,
}

impl From<Findings> for FindingsJson {
    fn from(found: Findings) -> Self {
        Self {
            ruleset: Some(found.ruleset),
            form: Some(found.form),
            formulas: json(found.formulas),
            findings: found.findings.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<RuleFinding> for FindingJson {
    fn from(found: RuleFinding) -> Self {
        Self {
            rule: found.rule,
            zh: found.title.zh,
            en: found.title.en,
            answer: match found.answer {
                RuleAnswer::Hit => "hit",
                RuleAnswer::Clear => "clear",
                RuleAnswer::Unknown => "unknown",
            },
            inputs: json(found.inputs),
            risk: found.risk,
            urgency: found.urgency,
            proposes: found.proposes,
        }
    }
}

fn json(values: BTreeMap<String, impl Serialize>) -> BTreeMap<String, serde_json::Value> {
    values.into_iter().map(|(name, value)| (name, serde_json::json!(value))).collect()
}

impl From<FindingsError> for ApiError {
    fn from(error: FindingsError) -> Self {
        match error {
            FindingsError::Store(error) => error.into(),
            FindingsError::Keys(error) => error.into(),
        }
    }
}

/// What the rules find in a submitted check, by the form and the rules that it has pinned.
#[utoipa::path(get, path = "/v1/checks/{check}/findings", tag = "documents",
    params(("check" = String, Path, description = "The check's id")),
    responses((status = 200, description = "The findings", body = FindingsJson)))]
async fn of_check(
    State(state): State<AppState>,
    reader: Reader,
    Id(check): Id<CheckId>,
) -> Result<Json<FindingsJson>, ApiError> {
    let villages: Vec<_> = reader.villages().keys().copied().collect();
    let keys = Arc::clone(&state.keys);
    let found = state
        .store(move |store| {
            let looked = villages.into_iter().map(|village| findings(store, &keys, village, check));
            let mut there = looked.filter(|looked| !matches!(looked, Ok(Looked::NoCheck)));
            there.next().unwrap_or(Ok(Looked::NoCheck)).map_err(ApiError::from)
        })
        .await?;
    match found {
        Looked::NoCheck => Err(ApiError::NotFound("check")),
        Looked::NotJudged => Ok(Json(FindingsJson::default())),
        Looked::Found(found) => {
            let form = form::pinned(&found.form).ok_or(ApiError::NotFound("form"))?;
            Ok(Json(found.without_private(form).into()))
        }
    }
}
