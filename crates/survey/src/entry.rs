//! Append-only entries (事项): facts that no later write may replace.
//!
//! An entry is one key, `event/<id>`, written once; its id derives from the operation that writes it
//! ([`crate::register::derived_id`]) and its value is one text of canonical JSON (RFC 8785) of at most
//! 4 KB. State is a fold over entries in causal order, ties by id. `schemas/document/entry/*.json` holds
//! a JSON schema for each kind.

use serde::{Deserialize, Serialize};

use crate::change::{ChangeHash, OpId, Value};
use crate::field_table::is_derived_id;
use crate::register::{ChangeBuilder, Register, derived_id};

/// Bytes of one entry.
pub const ENTRY_BYTES_MAX: usize = 4_096;

/// An append-only entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A check is submitted (提交).
    Submit(Submit),
    /// A household was visited (入户), in the household's document.
    Visit(Visit),
    /// A conflict is settled (裁定).
    Settle(Settle),
    /// A submitted answer is corrected (更正).
    Correct(Correct),
    /// Two documents are about the same household (关联).
    Link(Link),
    /// A link was a mistake (取消关联).
    Unlink(Unlink),
    /// One side reports progress on an issue (整改进展).
    Progress(Progress),
    /// Closing an issue is asked for (销号申请).
    CloseoutRequest(CloseoutRequest),
    /// One side agrees to close an issue, or returns it (双销号).
    CloseoutSignoff(CloseoutSignoff),
    /// A closed issue came back, or a finding contradicts the close-out (反弹).
    Reopen(Reopen),
    /// The due date of an issue moves (延期).
    Extend(Extend),
    /// An issue is handed to somebody (交办).
    Assign(Assign),
    /// The change with this entry was written anew in the place of one that was not accepted (重写).
    Replaces(Replaces),
}

/// A check is submitted: the check at this entry is the submitted check for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// The heads that the change with this entry stands on, as hexadecimal hashes, ascending.
    pub heads: Vec<String>,
    /// The result of the visit, a code of `visit_result`.
    pub result: String,
    /// SHA-256 of the canonical JSON of the answers, those of the same change included.
    pub answers_hash: String,
}

/// A household was visited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visit {
    /// The check's id.
    pub check: String,
    /// The change of the check that holds its submit entry, as a hexadecimal hash.
    pub head: String,
    /// The result of the visit, a code of `visit_result`.
    pub result: String,
    /// The keys that were confirmed unchanged, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmed: Vec<String>,
    /// The day the visit began, by the device's clock.
    pub started: String,
    /// The day it ended.
    pub ended: String,
}

/// A conflict is settled: the change with this entry puts the chosen value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// The key that had more than one value.
    pub field: String,
    /// The changes of every live value that the settlement saw, as hexadecimal hashes, ascending.
    pub settled: Vec<String>,
    /// Why this value.
    pub reason: String,
}

/// A submitted answer is corrected; the answer itself stays as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correct {
    /// The key of the answer.
    pub field: String,
    /// What was submitted.
    pub old: Scalar,
    /// What is right.
    pub new: Scalar,
    /// Why it was wrong.
    pub reason: String,
}

/// Two documents are about the same household.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The other document's household id.
    pub household: String,
    /// How it is known.
    pub reason: String,
}

/// A link was a mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlink {
    /// The id of the link entry.
    pub link: String,
    /// Why.
    pub reason: String,
}

/// One side reports progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Who reports.
    pub side: Side,
    /// What was done.
    pub text: String,
    /// How much of it, 0 to 100.
    pub percent: u8,
}

/// Closing is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseoutRequest {
    /// SHA-256 of the evidence.
    pub evidence_set_hash: String,
    /// The sign-offs and reopenings that the author had seen, ascending by id.
    pub seen: Vec<String>,
}

/// One side agrees to close an issue, or returns it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseoutSignoff {
    /// For which side.
    pub side: Side,
    /// Agree or return.
    pub decision: Decision,
    /// The evidence it is about.
    pub evidence_set_hash: String,
    /// The signer's user id: the author of the change.
    pub signer: String,
    /// The signer's unit (单位).
    pub unit: String,
    /// The signer's title (职务).
    pub title: String,
    /// The sign-offs and reopenings that the author had seen, ascending by id.
    pub seen: Vec<String>,
}

/// A closed issue came back, or a finding contradicts its close-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reopen {
    /// Why.
    pub reason: String,
    /// The check that found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

/// The due date moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// The new due date.
    pub due_date: String,
    /// Why.
    pub reason: String,
}

/// An issue is handed to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// The unit that is responsible.
    pub unit: String,
    /// The person who is responsible.
    pub person: String,
    /// The leader in charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
}

/// The rest of the change was written anew in the place of one that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaces {
    /// The change that was not accepted, as a hexadecimal hash; it is kept.
    pub change: String,
    /// The rule by which it was not accepted, a stable code.
    pub rule: String,
}

/// A side of the dual ledger (双台账).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The locality (属地).
    Local,
    /// The line department (行业部门).
    Department,
}

/// What a sign-off says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Close it (同意).
    Agree,
    /// Not yet (退回).
    Return,
}

/// A value of a field inside an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// Withdrawn, or never there.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// A sealed value, in hexadecimal.
    Sealed(Sealed),
}

/// A sealed value inside an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The bytes, in hexadecimal.
    pub sealed: String,
}

impl From<&Value> for Scalar {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(yes) => Self::Bool(*yes),
            Value::Int(number) => Self::Int(*number),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Bytes(bytes) => Self::Sealed(Sealed { sealed: data_encoding::HEXLOWER.encode(bytes) }),
        }
    }
}

impl Scalar {
    /// The value, or nothing when the hexadecimal digits are none.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Bool(yes) => Value::Bool(*yes),
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Sealed(sealed) => {
                Value::Bytes(data_encoding::HEXLOWER.decode(sealed.sealed.as_bytes()).ok()?)
            }
        })
    }
}

/// A value that is not an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// Not a text.
    #[error("an entry is a text")]
    NotText,
    /// Longer than [`ENTRY_BYTES_MAX`].
    #[error("an entry has at most {ENTRY_BYTES_MAX} bytes, this has {0}")]
    TooLarge(usize),
    /// Not JSON of a known kind.
    #[error("the entry is of no known form: {0}")]
    Form(String),
    /// JSON, but not in its canonical form.
    #[error("the entry is not canonical JSON (RFC 8785)")]
    NotCanonical,
    /// One of its parts is not what it says.
    #[error("{0} of the entry is not valid")]
    Part(&'static str),
}

impl Entry {
    /// The kind, as in the JSON.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Submit(_) => "submit",
            Self::Visit(_) => "visit",
            Self::Settle(_) => "settle",
            Self::Correct(_) => "correct",
            Self::Link(_) => "link",
            Self::Unlink(_) => "unlink",
            Self::Progress(_) => "progress",
            Self::CloseoutRequest(_) => "closeout_request",
            Self::CloseoutSignoff(_) => "closeout_signoff",
            Self::Reopen(_) => "reopen",
            Self::Extend(_) => "extend",
            Self::Assign(_) => "assign",
            Self::Replaces(_) => "replaces",
        }
    }

    /// The value of an entry's key.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // Every entry is made of texts, whole numbers and lists, which JSON always can hold.
        Value::Text(serde_json_canonicalizer::to_string(self).unwrap_or_default())
    }

    /// The entry in a value.
    ///
    /// # Errors
    /// When it is not one, too long, not canonical, or one of its parts is not valid.
    pub fn from_value(value: &Value) -> Result<Self, InvalidEntry> {
        let Value::Text(text) = value else { return Err(InvalidEntry::NotText) };
        if text.len() > ENTRY_BYTES_MAX {
            return Err(InvalidEntry::TooLarge(text.len()));
        }
        let entry: Self =
            serde_json::from_str(text).map_err(|error| InvalidEntry::Form(error.to_string()))?;
        if entry.to_value() != *value {
            return Err(InvalidEntry::NotCanonical);
        }
        entry.check()?;
        Ok(entry)
    }

    /// Puts the entry, and returns the id that it gets.
    pub fn put(&self, builder: &mut ChangeBuilder<'_>) -> String {
        let id = derived_id(builder.next_op());
        builder.put(format!("event/{id}"), self.to_value());
        id
    }

    fn check(&self) -> Result<(), InvalidEntry> {
        match self {
            Self::Submit(submit) => {
                part("heads", submit.heads.is_sorted_by(|a, b| a < b) && submit.heads.iter().all(is_hash))?;
                part("result", is_result(&submit.result))?;
                part("answers_hash", is_hash(&submit.answers_hash))
            }
            Self::Visit(visit) => visit.check(),
            Self::Settle(settle) => {
                let listed = settle.settled.is_sorted_by(|a, b| a < b) && settle.settled.iter().all(is_hash);
                part("settled", listed && !settle.settled.is_empty())?;
                part("reason", is_said(&settle.reason))
            }
            Self::Correct(correct) => {
                part("old", correct.old.value().is_some())?;
                part("new", correct.new.value().is_some())?;
                part("reason", is_said(&correct.reason))
            }
            Self::Link(link) => {
                part("household", is_uuid(&link.household))?;
                part("reason", is_said(&link.reason))
            }
            Self::Unlink(unlink) => {
                part("link", is_derived_id(&unlink.link))?;
                part("reason", is_said(&unlink.reason))
            }
            Self::Progress(progress) => {
                part("text", is_said(&progress.text))?;
                part("percent", progress.percent <= 100)
            }
            Self::CloseoutRequest(request) => {
                part("evidence_set_hash", is_hash(&request.evidence_set_hash))?;
                part("seen", are_entry_ids(&request.seen))
            }
            Self::CloseoutSignoff(signoff) => signoff.check(),
            Self::Reopen(reopen) => {
                part("reason", is_said(&reopen.reason))?;
                part("check", reopen.check.as_deref().is_none_or(is_uuid))
            }
            Self::Extend(extend) => {
                part("due_date", crate::field_table::date::is_date(&extend.due_date))?;
                part("reason", is_said(&extend.reason))
            }
            Self::Assign(assign) => {
                part("unit", is_said(&assign.unit))?;
                part("person", is_said(&assign.person))?;
                part("leader", assign.leader.as_deref().is_none_or(is_said))
            }
            Self::Replaces(replaces) => {
                part("change", is_hash(&replaces.change))?;
                part("rule", is_rule_code(&replaces.rule))
            }
        }
    }
}

impl Visit {
    fn check(&self) -> Result<(), InvalidEntry> {
        let dates = [&self.started, &self.ended];
        part("check", is_uuid(&self.check))?;
        part("head", is_hash(&self.head))?;
        part("result", is_result(&self.result))?;
        part("confirmed", self.confirmed.is_sorted_by(|a, b| a < b))?;
        part("started", dates.iter().all(|date| crate::field_table::date::is_date(date)))
    }
}

impl CloseoutSignoff {
    fn check(&self) -> Result<(), InvalidEntry> {
        part("evidence_set_hash", is_hash(&self.evidence_set_hash))?;
        part("signer", is_uuid(&self.signer))?;
        part("unit", is_said(&self.unit))?;
        part("title", is_said(&self.title))?;
        part("seen", are_entry_ids(&self.seen))
    }
}

fn part(name: &'static str, valid: bool) -> Result<(), InvalidEntry> {
    if valid { Ok(()) } else { Err(InvalidEntry::Part(name)) }
}

#[expect(clippy::ptr_arg, reason = "it is mapped over lists of strings")]
fn is_hash(text: &String) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_uuid(text: &str) -> bool {
    text.parse::<crate::id::HouseholdId>().is_ok_and(|id| id.to_string() == text)
}

/// Bytes of the longest code of a rule, as in a verdict.
const RULE_BYTES_MAX: usize = 64;

fn is_rule_code(code: &str) -> bool {
    let letter = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    (1..=RULE_BYTES_MAX).contains(&code.len()) && code.bytes().all(letter)
}

fn is_result(code: &str) -> bool {
    crate::code_list::code("visit_result", code).is_some()
}

fn is_said(text: &str) -> bool {
    !text.trim().is_empty()
}

fn are_entry_ids(ids: &[String]) -> bool {
    ids.is_sorted_by(|a, b| a < b) && ids.iter().all(|id| is_derived_id(id))
}

/// An entry where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its id.
    pub id: String,
    /// The operation that wrote it. Its counter is above those of all entries that the author had seen.
    pub op: OpId,
    /// The change that holds it.
    pub change: ChangeHash,
    /// The entry.
    pub entry: Entry,
}

/// The entries of a document in causal order: an entry comes after all that its author had seen, and
/// entries that did not see each other come by operation counter, then by id.
#[must_use]
pub fn entries(register: &Register) -> Vec<Placed> {
    let mut placed: Vec<Placed> = register
        .keys_under("event/")
        .filter_map(|(key, live)| {
            let (id, op) = (key.strip_prefix("event/")?, live.first()?);
            let entry = Entry::from_value(&op.value).ok()?;
            Some(Placed { id: id.to_owned(), op: op.id, change: op.change, entry })
        })
        .collect();
    placed.sort_by(|a, b| (a.op.counter, &a.id).cmp(&(b.op.counter, &b.id)));
    placed
}

#[cfg(test)]
mod tests;
