//! The JSON forms that several routes share: values, authors, claimed times beside proved windows.

use ruhu_survey::change::{DocumentId, OpId, Value};
use ruhu_survey::history::{Attribution, CLOCK_TOLERANCE_MS};
use serde::Serialize;
use utoipa::ToSchema;

use super::time::{rfc3339, rfc3339_ms};
use crate::ingest::Standing;
use crate::keys::hex;
use crate::store::reads::{ChangeSeen, Claim, ConflictSeen, Plain};

/// A document.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Document)]
pub(crate) struct DocumentJson {
    /// `household`, `check`, `issue` or `village`.
    pub(crate) kind: &'static str,
    /// Its id inside the village.
    pub(crate) id: String,
}

impl From<DocumentId> for DocumentJson {
    fn from(document: DocumentId) -> Self {
        let id = ruhu_survey::id::HouseholdId::from_bytes(document.id);
        Self { kind: document.kind.name(), id: id.to_string() }
    }
}

/// Who made a change, and when: what the author's clock claimed beside what the log proves.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Authored {
    /// The person.
    user: String,
    /// The device.
    device: String,
    /// The signed batch that it came in, 64 hexadecimal digits.
    batch: String,
    /// The author's clock. A claim.
    claimed_at: String,
    /// It was not made before this: the batch names a checkpoint of that time.
    not_before: Option<String>,
    /// It was made before this: the server had received it.
    not_after: Option<String>,
    /// Whether the claimed time is outside the proved window by more than ten minutes.
    outside_window: bool,
}

impl Authored {
    pub(crate) fn new(by: &Attribution, claimed_at: i64) -> Self {
        Self {
            user: by.user.to_string(),
            device: by.device.to_string(),
            batch: hex(&by.batch),
            claimed_at: rfc3339(claimed_at),
            not_before: by.not_before_ms.map(rfc3339_ms),
            not_after: by.not_after_ms.map(rfc3339_ms),
            outside_window: is_outside(by, claimed_at),
        }
    }
}

/// As `ruhu_survey::history` judges it.
fn is_outside(by: &Attribution, claimed_at: i64) -> bool {
    let claimed_ms = claimed_at.saturating_mul(1_000);
    let early = by.not_before_ms.is_some_and(|start| claimed_ms < start.saturating_sub(CLOCK_TOLERANCE_MS));
    let late = by.not_after_ms.is_some_and(|end| claimed_ms > end.saturating_add(CLOCK_TOLERANCE_MS));
    early || late
}

/// The JSON of a value: null, a boolean, a number, a text, or `{"sealed": true}` for a private one.
pub(crate) fn json(value: &Value) -> serde_json::Value {
    serde_json::to_value(Plain::from(value)).unwrap_or_default()
}

/// The name of a put: its counter and its actor.
pub(crate) fn op(id: &OpId) -> String {
    format!("{}@{}", id.counter, id.actor)
}

/// A field on which people disagree.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Conflict)]
pub(crate) struct ConflictJson {
    /// The document.
    document: DocumentJson,
    /// The key of the field.
    key: String,
    /// Whether a person is asked to decide.
    asks: bool,
    /// Everybody's value, the shown one first.
    values: Vec<ClaimJson>,
}

/// Somebody's value of a field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Claim)]
pub(crate) struct ClaimJson {
    /// The change that wrote it, 64 hexadecimal digits.
    change: String,
    /// The value; `{"sealed": true}` for a private one.
    value: serde_json::Value,
    #[serde(flatten)]
    by: Authored,
}

impl From<ConflictSeen> for ConflictJson {
    fn from(conflict: ConflictSeen) -> Self {
        Self {
            document: conflict.document.into(),
            key: conflict.key,
            asks: conflict.asks,
            values: conflict.values.iter().map(ClaimJson::from).collect(),
        }
    }
}

impl From<&Claim> for ClaimJson {
    fn from(claim: &Claim) -> Self {
        Self {
            change: claim.change.to_string(),
            value: json(&claim.value),
            by: Authored::new(&claim.by, claim.claimed_at),
        }
    }
}

/// A change as it was received, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Change)]
pub(crate) struct ChangeJson {
    /// The number of its batch in the feed of the village.
    sequence: u64,
    /// Its place in the batch.
    position: u32,
    /// The signed batch, 64 hexadecimal digits.
    batch: String,
    /// The document that it changes.
    document: DocumentJson,
    /// Its name, 64 hexadecimal digits; null when the bytes are no change.
    change: Option<String>,
    /// `accepted`, `held`, `quarantined`, `refused`, or `repeat` of one that came before.
    standing: &'static str,
    /// The rule or reason, when it is not accepted.
    rule: Option<String>,
    /// The key or number concerned.
    detail: Option<String>,
    /// The change that it stands on, if that is why.
    because: Option<String>,
    /// The author's device.
    device: String,
    /// The author.
    user: String,
    /// When it was received.
    received_at: String,
}

impl From<ChangeSeen> for ChangeJson {
    fn from(seen: ChangeSeen) -> Self {
        Self {
            sequence: seen.sequence,
            position: seen.position,
            batch: seen.batch.to_string(),
            document: seen.document.into(),
            change: seen.hash.map(|hash| hash.to_string()),
            standing: standing(seen.standing),
            rule: seen.rule,
            detail: seen.detail,
            because: seen.because.map(|hash| hash.to_string()),
            device: seen.device.to_string(),
            user: seen.user.to_string(),
            received_at: rfc3339_ms(seen.received_ms),
        }
    }
}

const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Refused => "refused",
        Standing::Accepted => "accepted",
        Standing::Held => "held",
        Standing::Quarantined => "quarantined",
        Standing::Repeat => "repeat",
    }
}

#[cfg(test)]
mod tests {
    use ruhu_survey::id::{DeviceId, UserId};

    use super::*;

    fn by(not_before_ms: Option<i64>, not_after_ms: Option<i64>) -> Attribution {
        let (device, user) = (DeviceId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        Attribution { device, user, batch: [3; 32], not_before_ms, not_after_ms }
    }

    #[test]
    fn a_private_value_does_not_leave_in_any_form() {
        assert_eq!(json(&Value::Bytes(vec![1, 2, 3])), serde_json::json!({ "sealed": true }));
        assert_eq!(json(&Value::Null), serde_json::Value::Null);
        assert_eq!(json(&Value::Int(-5)), serde_json::json!(-5));
        assert_eq!(json(&Value::Text("~refused".to_owned())), serde_json::json!("~refused"));
    }

    #[test]
    fn a_claim_is_shown_beside_the_window_and_flagged_outside_of_it() {
        let window = by(Some(1_700_000_000_000), Some(1_700_000_060_000));
        let edges = [
            (1_700_000_000 - 600, false),
            (1_700_000_000 - 601, true),
            (1_700_000_060 + 600, false),
            (1_700_000_060 + 601, true),
        ];
        for (claimed_at, outside) in edges {
            assert_eq!(Authored::new(&window, claimed_at).outside_window, outside, "{claimed_at}");
        }
        let shown = Authored::new(&window, 1_700_000_030);
        assert_eq!(shown.claimed_at, "2023-11-14T22:13:50Z");
        assert_eq!(shown.not_before.as_deref(), Some("2023-11-14T22:13:20.000Z"));
        assert_eq!(shown.not_after.as_deref(), Some("2023-11-14T22:14:20.000Z"));
        assert!(!Authored::new(&by(None, None), 0).outside_window);
    }
}
