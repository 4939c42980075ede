//! Households, checks, conflicts and history as a page shows them.

use ruhu_client_core::{self as core, SendState};
use ruhu_survey::change::{DocumentId, DocumentKind, Value};
use ruhu_survey::code_list::{Code, code};
use ruhu_survey::field_table::{self, FieldKey};
use ruhu_survey::form::Label;
use ruhu_survey::history::FieldEvent;
use ruhu_survey::household::Member;
use serde::Serialize;

use super::{Scalar, same, text_of};

/// A household with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct HouseholdPage {
    /// Its id.
    pub id: String,
    /// Its village.
    pub village: String,
    /// The head's name.
    pub name: String,
    /// The official number.
    pub number: String,
    /// The group.
    pub group: String,
    /// The address.
    pub address: String,
    /// Members who have not left, the head first.
    pub members: Vec<MemberLine>,
    /// The fields of the register that are not a member's.
    pub fields: Vec<Field>,
    /// Its checks, the newest first.
    pub checks: Vec<CheckLine>,
    /// The answers of the newest submitted check.
    pub latest_answers: Vec<Field>,
    /// The fields with unequal concurrent values.
    pub conflicts: Vec<Conflict>,
    /// Where this device's own edits of the register stand.
    pub send: Option<SendState>,
}

/// A member in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MemberLine {
    /// The member's id.
    pub id: String,
    /// The full name.
    pub name: String,
    /// The relation to the head.
    pub relation: Option<Label>,
    /// Whether it is the head.
    pub head: bool,
    /// The certificate number's mask.
    pub certificate: Option<String>,
    /// The phone's mask.
    pub phone: Option<String>,
    /// The labour ability.
    pub labour: Option<Label>,
}

fn text(code: &'static Code) -> Label {
    Label { zh: code.zh.clone(), en: code.en.clone() }
}

fn member(member: &Member, head: Option<&String>) -> MemberLine {
    MemberLine {
        id: member.id.clone(),
        name: member.full_name.clone().unwrap_or_default(),
        relation: member.relation_to_head.map(text),
        head: head == Some(&member.id),
        certificate: member.cert_no.mask.clone(),
        phone: member.phone.mask.clone(),
        labour: member.labour_ability.map(text),
    }
}

/// A household's page.
pub(crate) fn page(view: core::HouseholdView) -> HouseholdPage {
    let household = &view.household;
    let members = household.active_members();
    let own = |field: &core::FieldView| !field.key.starts_with("member/") && !field.key.starts_with("event/");
    HouseholdPage {
        id: household.id.to_string(),
        village: view.village.to_string(),
        name: household.display_name().unwrap_or_default().to_owned(),
        number: household.national_household_no.clone().unwrap_or_default(),
        group: household.group_name.clone().unwrap_or_default(),
        address: household.address.clone().unwrap_or_default(),
        members: members.into_iter().map(|one| member(one, household.head.as_ref())).collect(),
        fields: view.fields.into_iter().filter(own).map(|one| field(DocumentKind::Household, one)).collect(),
        checks: view.checks.into_iter().map(CheckLine::from).collect(),
        latest_answers: view.latest_answers.into_iter().map(|one| field(DocumentKind::Check, one)).collect(),
        conflicts: view.conflicts.into_iter().map(Conflict::from).collect(),
        send: view.send_state,
    }
}

/// Who wrote a value, when and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Attribution {
    /// The change that wrote it.
    pub change: String,
    /// The value as people read it; a private one's mask.
    pub text: Label,
    /// The author's device by its label.
    pub device_name: String,
    /// The author's device.
    pub device: String,
    /// The author's clock, a claim.
    pub claimed_ms: i64,
    /// The server's clock: the change was there by then.
    pub received_ms: Option<i64>,
}

fn written(kind: DocumentKind, key: &str, written: &core::Written) -> Attribution {
    let found = field_table::field(kind, key);
    Attribution {
        change: written.change.to_string(),
        text: text_of(found.map(|found| found.field), &written.value),
        device_name: written.device_name.clone(),
        device: written.by.device.to_string(),
        claimed_ms: written.claimed_at.saturating_mul(1000),
        received_ms: written.by.not_after_ms,
    }
}

/// The label of a key with its value. That a question of several answers has none, and why, is kept at the first of
/// them and said of the question.
fn label_of(found: Option<FieldKey<'_>>, key: &str, value: &Value) -> Label {
    match found {
        Some(found) if *value == Value::Null => label(Some(FieldKey { element: None, ..found }), key),
        found => label(found, key),
    }
}

/// The label of a key: the field's name, with the element that it stands for.
fn label(found: Option<FieldKey<'_>>, key: &str) -> Label {
    let Some(found) = found else { return same(key) };
    let (zh, en) = (&found.field.zh, &found.field.en);
    let Some(element) = found.element else { return Label { zh: zh.clone(), en: en.clone() } };
    let code = found.field.codes().and_then(|list| list.get(element));
    let (element_zh, element_en) = code.map_or((element, element), |code| (&code.zh, &code.en));
    Label { zh: format!("{zh} · {element_zh}"), en: format!("{en} · {element_en}") }
}

/// One field with its shown value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Field {
    /// The key.
    pub key: String,
    /// Its label.
    pub label: Label,
    /// The member whose field it is.
    pub member: Option<String>,
    /// The stored value; nothing of a private one.
    pub value: Scalar,
    /// Whether it is private: a call opens it.
    pub private: bool,
    /// The code of where it comes from.
    pub source: String,
    /// Why it was written.
    pub reason: Option<String>,
    /// Whether another, unequal value stands beside it.
    pub open: bool,
    /// Who wrote it; its text is the value as people read it.
    pub written: Attribution,
}

fn field(kind: DocumentKind, view: core::FieldView) -> Field {
    let found = field_table::field(kind, &view.key);
    let mut written = written(kind, &view.key, &view.written);
    if view.private {
        written.text = same(&view.text);
    }
    Field {
        label: label_of(found, &view.key, &view.written.value),
        member: found.and_then(|found| found.member).map(ToOwned::to_owned),
        value: Scalar::of(&view.written.value),
        private: view.private,
        source: view.source.code().to_owned(),
        reason: view.reason,
        open: view.open,
        key: view.key,
        written,
    }
}

/// A check in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CheckLine {
    /// Its id.
    pub id: String,
    /// Its village.
    pub village: String,
    /// Its household.
    pub household: String,
    /// The code of its type.
    pub check_type: String,
    /// `draft`, `submitted` or `withdrawn`.
    pub state: String,
    /// Whether it was started on this device.
    pub own: bool,
    /// When it was started, by the clock of the device that started it.
    pub started_ms: i64,
    /// When it was submitted or withdrawn.
    pub ended_ms: Option<i64>,
    /// What came of the visit; nothing before it is submitted.
    pub result: Option<Label>,
    /// Where it stands; nothing for another device's.
    pub send: Option<SendState>,
}

impl From<core::ListedCheck> for CheckLine {
    fn from(check: core::ListedCheck) -> Self {
        let state = match check.state {
            core::CheckState::Draft => "draft",
            core::CheckState::Submitted => "submitted",
            core::CheckState::Withdrawn => "withdrawn",
        };
        Self {
            id: check.id.to_string(),
            village: check.village.to_string(),
            household: check.household.to_string(),
            check_type: check.check_type,
            state: state.to_owned(),
            own: check.own,
            started_ms: check.started_ms,
            ended_ms: check.ended_ms,
            result: code("visit_result", &check.result).map(text),
            send: check.send_state,
        }
    }
}

/// A check with its answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CheckPage {
    /// What lists show of it.
    pub line: CheckLine,
    /// The check that it takes the place of.
    pub supersedes: Option<String>,
    /// Its answers.
    pub fields: Vec<Field>,
}

impl From<core::CheckView> for CheckPage {
    fn from(view: core::CheckView) -> Self {
        let old = view.fields.iter().find(|field| field.key == "supersedes");
        let supersedes = old.map(|field| field.text.clone());
        let answers = view.fields.into_iter().filter(|field| field.key.starts_with("answer/"));
        Self {
            line: view.line.into(),
            supersedes,
            fields: answers.map(|one| field(DocumentKind::Check, one)).collect(),
        }
    }
}

/// One answer of a draft, in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DraftLine {
    /// The key.
    pub key: String,
    /// Its label.
    pub label: Label,
    /// The stored value.
    pub value: Scalar,
    /// The value as people read it.
    pub text: Label,
    /// The code of where it comes from, when something was said.
    pub source: Option<String>,
    /// Why it was written.
    pub reason: String,
}

impl From<core::DraftAnswer> for DraftLine {
    fn from(answer: core::DraftAnswer) -> Self {
        let found = field_table::field(answer.target, &answer.key);
        Self {
            label: label_of(found, &answer.key, &answer.value),
            value: Scalar::of(&answer.value),
            text: text_of(found.map(|found| found.field), &answer.value),
            source: answer.source.map(|source| source.code().to_owned()),
            reason: answer.reason,
            key: answer.key,
        }
    }
}

/// A field on which people disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Conflict {
    /// The document, `<kind>/<id>`.
    pub document: String,
    /// Its id alone.
    pub document_id: String,
    /// The field's key.
    pub key: String,
    /// The field's label.
    pub label: Label,
    /// Whether a named person is asked.
    pub asks: bool,
    /// The values; the first is shown until somebody decides.
    pub values: Vec<Attribution>,
}

impl From<core::OpenConflict> for Conflict {
    fn from(conflict: core::OpenConflict) -> Self {
        let kind = conflict.document.kind;
        let values = std::iter::once(&conflict.shown).chain(&conflict.others);
        Self {
            values: values.map(|one| written(kind, &conflict.key, one)).collect(),
            document_id: bare_id(conflict.document),
            document: conflict.document.to_string(),
            label: label(field_table::field(kind, &conflict.key), &conflict.key),
            asks: conflict.asks,
            key: conflict.key,
        }
    }
}

fn bare_id(document: DocumentId) -> String {
    let text = document.to_string();
    text.split_once('/').map_or(text.clone(), |(_, id)| id.to_owned())
}

/// One value written at one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Event {
    /// The key.
    pub key: String,
    /// Its label.
    pub label: Label,
    /// The value as people read it.
    pub new: Label,
    /// The values whose place it took.
    pub old: Vec<Label>,
    /// The author's device.
    pub device: String,
    /// The author's clock, a claim.
    pub claimed_ms: i64,
    /// The server's clock: the change was there by then.
    pub received_ms: Option<i64>,
    /// Why.
    pub reason: Option<String>,
    /// `shown`, `beside`, `replaced` or `settled_away`.
    pub fate: String,
    /// Whether it is the choice of a settlement.
    pub settles: bool,
    /// Whether the claimed time is outside the proved window.
    pub outside_window: bool,
}

/// A line of a history; nothing for entries, which have no value that people read.
pub(crate) fn event(kind: DocumentKind, event: &FieldEvent) -> Option<Event> {
    let found = field_table::field(kind, &event.key)?;
    if found.field.is_entry() {
        return None;
    }
    let say = |value: &Value| text_of(Some(found.field), value);
    Some(Event {
        key: event.key.clone(),
        label: label_of(Some(found), &event.key, &event.new),
        new: say(&event.new),
        old: event.old.iter().map(|(_, value)| say(value)).collect(),
        device: event.by.device.to_string(),
        claimed_ms: event.claimed_at.saturating_mul(1000),
        received_ms: event.by.not_after_ms,
        reason: event.reason.clone(),
        fate: event.fate.name().to_owned(),
        settles: event.settles,
        outside_window: event.outside_window,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_question_of_several_answers_has_none_is_said_of_the_question() {
        let key = "answer/policy/exclusion_self/car";
        let found = || field_table::field(DocumentKind::Check, key);
        assert_eq!(label_of(found(), key, &Value::Null).zh, "四类对象(自报)");
        assert_eq!(label_of(found(), key, &Value::Bool(false)).zh, "四类对象(自报) · 小车");
        assert_eq!(label_of(None, "nothing", &Value::Null).zh, "nothing");
    }
}
