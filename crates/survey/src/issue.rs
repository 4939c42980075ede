//! Issues (问题): opened, assigned, reported on by both sides, and closed by two signatures (双销号).

use std::collections::BTreeSet;

use crate::change::{DocumentKind, Value};
use crate::entry::{CloseoutRequest, CloseoutSignoff, Decision, Entry, Placed, Side, entries};
use crate::id::{CheckId, DeviceId, HouseholdId, UserId};
use crate::register::{ChangeBuilder, Register};
use crate::shown::shown;

/// Where an issue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Opened (列入).
    Listed,
    /// Handed to a unit and a person (交办).
    Assigned,
    /// One side reported progress (整改中).
    Fixing,
    /// Closing was asked for (申请销号).
    Requested,
    /// One side agreed (单方销号).
    HalfClosed,
    /// Both sides agreed (销号).
    Closed,
    /// A side returned it (退回).
    Returned,
    /// It came back (反弹).
    Reopened,
}

impl State {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Assigned => "assigned",
            Self::Fixing => "fixing",
            Self::Requested => "requested",
            Self::HalfClosed => "half_closed",
            Self::Closed => "closed",
            Self::Returned => "returned",
            Self::Reopened => "reopened",
        }
    }
}

/// The state of an issue, and what a reader should be told beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub state: State,
    /// Whether an agreement and a return about the same evidence were signed without sight of each other.
    pub conflicting_signoff: bool,
}

/// Where an issue stands: a fold over its entries.
///
/// Let E be the evidence of the latest close-out request. The issue is closed exactly when there is an
/// agreement of the locality and one of the department, by two different people of two different units,
/// both about E and both later than every return and every reopening. *Later* means that the signer had
/// seen them ([`CloseoutSignoff::seen`]), so a return that nobody had seen wins over an agreement.
#[must_use]
pub fn standing(register: &Register) -> Standing {
    let placed = entries(register);
    let blockers: BTreeSet<&str> =
        placed.iter().filter(|p| is_blocker(&p.entry)).map(|p| p.id.as_str()).collect();
    let signoffs: Vec<(&str, &CloseoutSignoff)> = placed.iter().filter_map(signoff).collect();
    let agreed = agreements(&placed, &signoffs, &blockers);
    Standing { state: state(&placed, &agreed, &blockers), conflicting_signoff: conflicting(&signoffs) }
}

/// Whether an issue that is not closed is past its due date; both are dates, `YYYY-MM-DD`.
#[must_use]
pub fn is_overdue(register: &Register, today: &str) -> bool {
    let due = due_date(register);
    standing(register).state != State::Closed && due.is_some_and(|due| due.as_str() < today)
}

/// The due date: that of the latest extension, or the one that was set.
#[must_use]
pub fn due_date(register: &Register) -> Option<String> {
    let extended = entries(register).into_iter().rev().find_map(|placed| match placed.entry {
        Entry::Extend(extend) => Some(extend.due_date),
        _ => None,
    });
    extended.or_else(|| match &shown(register, DocumentKind::Issue, "due_date")?.op.value {
        Value::Text(date) => Some(date.clone()),
        _ => None,
    })
}

/// The sign-offs and reopenings of an issue, ascending by id: what a close-out must say it has seen.
#[must_use]
pub fn seen(register: &Register) -> Vec<String> {
    let counts = |entry: &Entry| matches!(entry, Entry::CloseoutSignoff(_) | Entry::Reopen(_));
    let mut ids: Vec<String> =
        entries(register).into_iter().filter(|p| counts(&p.entry)).map(|p| p.id).collect();
    ids.sort();
    ids
}

fn signoff(placed: &Placed) -> Option<(&str, &CloseoutSignoff)> {
    match &placed.entry {
        Entry::CloseoutSignoff(signoff) => Some((placed.id.as_str(), signoff)),
        _ => None,
    }
}

fn is_blocker(entry: &Entry) -> bool {
    match entry {
        Entry::Reopen(_) => true,
        Entry::CloseoutSignoff(signoff) => signoff.decision == Decision::Return,
        _ => false,
    }
}

fn is_later(seen: &[String], blockers: &BTreeSet<&str>) -> bool {
    blockers.iter().all(|blocker| seen.iter().any(|id| id == blocker))
}

/// The agreements that count towards closing.
fn agreements<'a>(
    placed: &[Placed],
    signoffs: &[(&str, &'a CloseoutSignoff)],
    blockers: &BTreeSet<&str>,
) -> Vec<&'a CloseoutSignoff> {
    let latest = placed.iter().rev().find_map(|p| match &p.entry {
        Entry::CloseoutRequest(request) => Some(&request.evidence_set_hash),
        _ => None,
    });
    let Some(evidence) = latest else { return Vec::new() };
    signoffs
        .iter()
        .map(|(_, signoff)| *signoff)
        .filter(|s| s.decision == Decision::Agree && s.evidence_set_hash == *evidence)
        .filter(|s| is_later(&s.seen, blockers))
        .collect()
}

fn is_closed(agreed: &[&CloseoutSignoff]) -> bool {
    let of = |side| agreed.iter().filter(move |signoff| signoff.side == side);
    of(Side::Local).any(|local| {
        of(Side::Department)
            .any(|other| other.signer != local.signer && other.unit.trim() != local.unit.trim())
    })
}

fn state(placed: &[Placed], agreed: &[&CloseoutSignoff], blockers: &BTreeSet<&str>) -> State {
    if is_closed(agreed) {
        return State::Closed;
    }
    if !agreed.is_empty() {
        return State::HalfClosed;
    }
    // What happened last decides; a request counts only when it has seen what speaks against it.
    let step = |p: &Placed| match &p.entry {
        Entry::CloseoutRequest(request) => is_later(&request.seen, blockers).then_some(State::Requested),
        Entry::Reopen(_) => Some(State::Reopened),
        Entry::CloseoutSignoff(s) => (s.decision == Decision::Return).then_some(State::Returned),
        _ => None,
    };
    let progress = |p: &Placed| match &p.entry {
        Entry::Progress(_) => Some(State::Fixing),
        Entry::Assign(_) => Some(State::Assigned),
        _ => None,
    };
    let requested = placed.iter().rev().find_map(step);
    let worked = || placed.iter().filter_map(progress).max();
    requested.or_else(worked).unwrap_or(State::Listed)
}

fn conflicting(signoffs: &[(&str, &CloseoutSignoff)]) -> bool {
    let unseen = |seen: &[String], id: &str| !seen.iter().any(|other| other == id);
    let of = |decision| signoffs.iter().filter(move |(_, signoff)| signoff.decision == decision);
    of(Decision::Agree).any(|(agree_id, agree)| {
        of(Decision::Return).any(|(return_id, returned)| {
            let same = agree.evidence_set_hash == returned.evidence_set_hash;
            same && unseen(&agree.seen, return_id) && unseen(&returned.seen, agree_id)
        })
    })
}

/// A new issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIssue {
    /// The device that opens it.
    pub device: DeviceId,
    /// The household it is about.
    pub household: HouseholdId,
    /// A code of `issue_category`.
    pub category: String,
    /// A code of `issue_origin`.
    pub origin: String,
    /// What is wrong.
    pub description: String,
    /// What must be so for it to be closed; testable.
    pub required_result: Option<String>,
    /// 1 to 3.
    pub severity: Option<i64>,
    /// The check that found it.
    pub found_by: Option<CheckId>,
}

/// Opens an issue about a household. Codes and lengths are judged by [`crate::authorise`].
pub fn open(builder: &mut ChangeBuilder<'_>, issue: &NewIssue) {
    let text = |text: &str| Value::Text(text.to_owned());
    let household = issue.household.to_string();
    builder.put("opened_by", text(&issue.device.to_string()));
    builder.put("object_kind", text("household")).put("object_id", text(&household));
    builder.put("household_id", text(&household));
    builder.put("category", text(&issue.category)).put("origin", text(&issue.origin));
    builder.put("description", text(&issue.description));
    if let Some(check) = issue.found_by {
        builder.put("found_by", text(&check.to_string()));
    }
    if let Some(result) = &issue.required_result {
        builder.put("required_result", text(result));
    }
    if let Some(severity) = issue.severity {
        builder.put("severity", Value::Int(severity));
    }
}

/// Asks for an issue to be closed on this evidence. Returns the entry's id.
pub fn request_closeout(builder: &mut ChangeBuilder<'_>, evidence_set_hash: &str) -> String {
    let seen = seen(builder.register());
    Entry::CloseoutRequest(CloseoutRequest { evidence_set_hash: evidence_set_hash.to_owned(), seen })
        .put(builder)
}

/// Who signs a close-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The person.
    pub user: UserId,
    /// The person's unit (单位).
    pub unit: String,
    /// The person's title (职务).
    pub title: String,
    /// For which side.
    pub side: Side,
}

/// Signs: agrees to close, or returns. Returns the entry's id.
pub fn sign_closeout(
    builder: &mut ChangeBuilder<'_>,
    signer: &Signer,
    decision: Decision,
    evidence_set_hash: &str,
) -> String {
    let signoff = CloseoutSignoff {
        side: signer.side,
        decision,
        evidence_set_hash: evidence_set_hash.to_owned(),
        signer: signer.user.to_string(),
        unit: signer.unit.clone(),
        title: signer.title.clone(),
        seen: seen(builder.register()),
    };
    Entry::CloseoutSignoff(signoff).put(builder)
}

#[cfg(test)]
mod tests;
