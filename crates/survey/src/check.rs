//! A check (入户排查): one visit to one household, written by the device that started it, submitted once.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::change::{ChangeHash, DocumentKind, Value};
use crate::code_list::Code;
use crate::entry::{Correct, Entry, Placed, Scalar, Submit, Visit, entries};
use crate::field_table::{Part, field};
use crate::household::{Because, Input, set_field, shown_code, shown_text};
use crate::id::{CheckId, DeviceId, HouseholdId};
use crate::register::{ChangeBuilder, Register};
use crate::shown::{all_shown, shown};

const KIND: DocumentKind = DocumentKind::Check;

/// A check as readers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its id.
    pub id: CheckId,
    /// The household.
    pub household: Option<HouseholdId>,
    /// The check type (排查类型).
    pub check_type: Option<&'static Code>,
    /// The device that started it (采集终端).
    pub started_by: Option<DeviceId>,
    /// The form and its version.
    pub form_version: Option<String>,
    /// The start by the device's clock, milliseconds since 1970.
    pub started_at_ms: Option<i64>,
    /// The result of the visit (入户结果).
    pub visit_result: Option<&'static Code>,
    /// The answers as submitted, or as they stand, by key; sealed ones as bytes.
    pub answers: BTreeMap<String, Value>,
    /// The submission, once there is one.
    pub submitted: Option<Submitted>,
    /// The corrections, in causal order.
    pub corrections: Vec<Correct>,
}

/// A submission and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The id of its entry.
    pub entry: String,
    /// The change that holds it: the check as of this change is the submitted check.
    pub change: ChangeHash,
    /// What it says.
    pub submit: Submit,
}

impl Check {
    /// Reads a check.
    #[must_use]
    pub fn read(id: CheckId, register: &Register) -> Self {
        let text = |key: &str| shown_text(register, KIND, key);
        let placed = entries(register);
        Self {
            id,
            household: text("household_id").and_then(|id| id.parse().ok()),
            check_type: shown_code(register, KIND, "check_type"),
            started_by: text("started_by").and_then(|id| id.parse().ok()),
            form_version: text("form_version"),
            started_at_ms: match shown(register, KIND, "started_at").map(|shown| &shown.op.value) {
                Some(Value::Int(at)) => Some(*at),
                _ => None,
            },
            visit_result: shown_code(register, KIND, "visit_result"),
            answers: answers(register),
            submitted: placed.iter().find_map(submission),
            corrections: placed.into_iter().filter_map(correction).collect(),
        }
    }

    /// The value of an answer with corrections applied: of two, the later one.
    #[must_use]
    pub fn corrected(&self, key: &str) -> Option<Value> {
        let correction = self.corrections.iter().rev().find(|correction| correction.field == key);
        correction.and_then(|correction| correction.new.value()).or_else(|| self.answers.get(key).cloned())
    }
}

fn submission(placed: &Placed) -> Option<Submitted> {
    match &placed.entry {
        Entry::Submit(submit) => {
            Some(Submitted { entry: placed.id.clone(), change: placed.change, submit: submit.clone() })
        }
        _ => None,
    }
}

fn correction(placed: Placed) -> Option<Correct> {
    match placed.entry {
        Entry::Correct(correct) => Some(correct),
        _ => None,
    }
}

/// The submission of a check, once there is one.
#[must_use]
pub fn submitted(register: &Register) -> Option<Submitted> {
    entries(register).iter().find_map(submission)
}

/// The answers that are shown, by key; withdrawn ones are left out.
#[must_use]
pub fn answers(register: &Register) -> BTreeMap<String, Value> {
    all_shown(register, KIND)
        .filter(|(found, shown)| found.field.path.starts_with("answer/") && shown.op.value != Value::Null)
        .map(|(found, shown)| (found.value_key.to_owned(), shown.op.value.clone()))
        .collect()
}

/// SHA-256, in hexadecimal, of the canonical JSON (RFC 8785) of the answers by key: what a household
/// confirms and a submission states.
#[must_use]
pub fn answers_hash(register: &Register) -> String {
    let plain: BTreeMap<String, Scalar> =
        answers(register).iter().map(|(key, value)| (key.clone(), Scalar::from(value))).collect();
    // Texts, numbers below 2^53 and flat maps always have a canonical form.
    let json = serde_json_canonicalizer::to_vec(&plain).unwrap_or_default();
    let digest: [u8; 32] = Sha256::digest(json).into();
    data_encoding::HEXLOWER.encode(&digest)
}

/// What a check is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCheck {
    /// The household.
    pub household: HouseholdId,
    /// A code of `check_type`.
    pub check_type: String,
    /// The device that starts it, and alone writes it.
    pub device: DeviceId,
    /// The form with its version, `ruhu-first/1.0.0`.
    pub form_version: String,
    /// The device's clock, milliseconds since 1970.
    pub started_at_ms: i64,
}

/// Starts a check.
pub fn start(builder: &mut ChangeBuilder<'_>, check: &NewCheck) {
    let text = |text: &str| Value::Text(text.to_owned());
    builder.put("household_id", text(&check.household.to_string()));
    builder.put("check_type", text(&check.check_type));
    builder.put("started_by", text(&check.device.to_string()));
    builder.put("form_version", text(&check.form_version));
    builder.put("started_at", Value::Int(check.started_at_ms));
}

/// Puts an answer, `answer/<group>/<question>` with the member id where it is asked for each.
///
/// # Errors
/// Those of [`set_field`].
pub fn set_answer(
    builder: &mut ChangeBuilder<'_>,
    key: &str,
    input: &Input,
    because: &Because,
    sealer: Option<&crate::sealed::Sealer<'_>>,
) -> Result<(), crate::field_table::InputError> {
    set_field(builder, KIND, key, input, because, sealer)
}

/// A check that cannot be submitted, or a visit that cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// It is submitted already.
    #[error("the check is submitted already")]
    Already,
    /// The result is not a code of `visit_result`.
    #[error("{0:?} is not a result of a visit")]
    Result(String),
}

/// Submits a check: puts the result, and the entry that names the heads it stands on and the hash of all
/// answers, those of this change included. Returns the entry's id. Nothing may be put after it.
///
/// # Errors
/// When the check is submitted already, or the result is none.
pub fn submit(builder: &mut ChangeBuilder<'_>, result: &str) -> Result<String, SubmitError> {
    let register = builder.register();
    if submitted(register).is_some() {
        return Err(SubmitError::Already);
    }
    if crate::code_list::code("visit_result", result).is_none() {
        return Err(SubmitError::Result(result.to_owned()));
    }
    builder.put("visit_result", Value::Text(result.to_owned()));
    let mut after = register.clone();
    if let Some((change, encoded)) = builder.clone().finish() {
        after.apply(&change, encoded.hash);
    }
    let entry = Submit {
        heads: register.heads().iter().map(ToString::to_string).collect(),
        result: result.to_owned(),
        answers_hash: answers_hash(&after),
    };
    Ok(Entry::Submit(entry).put(builder))
}

/// What the household's document is told of a submitted check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The check.
    pub check: CheckId,
    /// The change of the check that holds its submit entry.
    pub head: ChangeHash,
    /// The result, a code of `visit_result`.
    pub result: String,
    /// Keys of the household that were confirmed unchanged.
    pub confirmed: Vec<String>,
    /// The day it began, `YYYY-MM-DD`.
    pub started: String,
    /// The day it ended.
    pub ended: String,
}

/// Puts the visit into the household's change that goes with a submission. It always holds this entry:
/// an unchanged answer need write nothing, but that it was confirmed must not be lost.
pub fn tell_household(builder: &mut ChangeBuilder<'_>, told: &Told) -> String {
    let mut confirmed = told.confirmed.clone();
    confirmed.sort();
    confirmed.dedup();
    let visit = Visit {
        check: told.check.to_string(),
        head: told.head.to_string(),
        result: told.result.clone(),
        confirmed,
        started: told.started.clone(),
        ended: told.ended.clone(),
    };
    Entry::Visit(visit).put(builder)
}

/// Corrects a submitted answer. The answer stays; the correction stands beside it. Returns the entry's
/// id.
///
/// # Errors
/// When the key is no answer or the new value does not fit; a new value of a private answer must be
/// sealed already.
pub fn correct(
    builder: &mut ChangeBuilder<'_>,
    key: &str,
    new: &Value,
    reason: &str,
) -> Result<String, crate::field_table::InputError> {
    use crate::field_table::InputError;
    let register = builder.register();
    let found = field(KIND, key)
        .filter(|found| found.part == Part::Value && found.field.path.starts_with("answer/"))
        .ok_or_else(|| InputError::UnknownKey(key.to_owned()))?;
    found.check(new).map_err(|misfit| InputError::Misfit { key: key.to_owned(), misfit })?;
    if reason.trim().is_empty() {
        return Err(InputError::NoReason(key.to_owned()));
    }
    let old = shown(register, KIND, key).map_or(&Value::Null, |shown| &shown.op.value);
    let correction = Correct {
        field: key.to_owned(),
        old: Scalar::from(old),
        new: Scalar::from(new),
        reason: reason.trim().to_owned(),
    };
    Ok(Entry::Correct(correction).put(builder))
}

#[cfg(test)]
mod tests;
