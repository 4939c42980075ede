//! What the server asks of a database about households, checks, conflicts and history.
//!
//! Reads see only what the belt has passed. Private values never leave sealed form here: a reader gets
//! their masks, or that there is a value.

use std::collections::BTreeSet;

use ruhu_ledger::batch::BatchId;
use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind, Value};
use ruhu_survey::check::Check;
use ruhu_survey::history::{Attribution, FieldEvent};
use ruhu_survey::household::Household;
use ruhu_survey::id::{CheckId, DeviceId, HouseholdId, UserId, VillageId};
use ruhu_survey::register::Register;
use serde::Serialize;

use super::StoreError;
use crate::ingest::Standing;

/// A value as it may be shown to whoever may read the village.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Plain {
    /// Withdrawn.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number in the field's unit.
    Int(i64),
    /// A text, a code, a date or an answer state.
    Text(String),
    /// There is a private value; it does not leave in clear.
    Sealed {
        /// Always true.
        sealed: bool,
    },
}

impl From<&Value> for Plain {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Text(value) => Self::Text(value.clone()),
            Value::Bytes(_) => Self::Sealed { sealed: true },
        }
    }
}

/// How much there is in a village.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VillageCounts {
    /// The village.
    pub village: VillageId,
    /// Households.
    pub households: u64,
    /// Members living in them.
    pub members: u64,
    /// Submitted checks.
    pub checks: u64,
    /// Conflicts that wait for a person.
    pub conflicts: u64,
    /// Chains with more than one end: a store was copied or restored (分叉).
    pub forked_chains: u64,
    /// Changes in quarantine.
    pub quarantined: u64,
    /// Changes that wait for others.
    pub held: u64,
    /// When its last batch was received, milliseconds since 1970.
    pub received_ms: Option<i64>,
    /// The end of its feed.
    pub sequence: u64,
}

/// A household in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HouseholdRow {
    /// Its id.
    pub household: HouseholdId,
    /// The national household number, or nothing (户编号).
    pub number: String,
    /// The villagers' group, or nothing (村民小组).
    pub group_name: String,
    /// The name of the head or the first member, or nothing (户主).
    pub head_name: String,
    /// Members living in it (家庭人口).
    pub member_count: u64,
    /// A code of `household_status`, or nothing (档案状态).
    pub status: String,
    /// A code of `monitor_category`, or nothing (监测对象类别).
    pub category: String,
    /// A code of `monitor_level`, or nothing (走访等级).
    pub level: String,
    /// Conflicts that wait for a person.
    pub conflicts: u64,
    /// The day on which the last visit ended, by the device's clock.
    pub last_visit: Option<String>,
}

/// Which households to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HouseholdQuery {
    /// Part of a member's name, or the beginning of the household number.
    pub search: Option<String>,
    /// The villagers' group.
    pub group: Option<String>,
    /// The row to go on after: its group, head and id.
    pub after: Option<(String, String, HouseholdId)>,
    /// How many rows; at most `limits::PAGE_ROWS_MAX` are given.
    pub limit: u32,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Whether there are more after the last row.
    pub more: bool,
}

/// A check in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckRow {
    /// Its id.
    pub check: CheckId,
    /// The household it visits.
    pub household: Option<HouseholdId>,
    /// A code of `check_type`, or nothing.
    pub check_type: String,
    /// The device that writes it.
    pub started_by: Option<DeviceId>,
    /// The start by the device's clock, milliseconds since 1970.
    pub started_at_ms: Option<i64>,
    /// A code of `visit_result`, or nothing.
    pub result: String,
    /// Whether it was submitted.
    pub submitted: bool,
    /// Corrections after the submission.
    pub corrections: u64,
}

/// A document as readers see it: the register to show, and who wrote the changes it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The live values, as far as the belt has been.
    pub register: Register,
    /// The conflicts, with everybody's value.
    pub conflicts: Vec<ConflictSeen>,
}

/// A household with everything that is shown of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HouseholdDetail {
    /// Shown values and masks.
    pub household: Household,
    /// Its document.
    pub seen: Seen,
}

/// A check with everything that is shown of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckDetail {
    /// Shown values.
    pub check: Check,
    /// Its document.
    pub seen: Seen,
}

/// A field on which people disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictSeen {
    /// The document.
    pub document: DocumentId,
    /// The path key.
    pub key: String,
    /// Whether a named person is asked to decide.
    pub asks: bool,
    /// The values, the shown one first.
    pub values: Vec<Claim>,
}

/// Somebody's value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The change that wrote it.
    pub change: ChangeHash,
    /// The value.
    pub value: Value,
    /// Who wrote it, and when it was provably written.
    pub by: Attribution,
    /// The author's clock, seconds since 1970. A claim.
    pub claimed_at: i64,
}

/// A change in the feed of a village.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSeen {
    /// Its number in the feed: that of its batch.
    pub sequence: u64,
    /// Its place in the batch.
    pub position: u32,
    /// The batch.
    pub batch: BatchId,
    /// Its document.
    pub document: DocumentId,
    /// Its name; none when the bytes are no change.
    pub hash: Option<ChangeHash>,
    /// How it stands now.
    pub standing: Standing,
    /// The rule or reason, when it is not accepted.
    pub rule: Option<String>,
    /// The key or number concerned.
    pub detail: Option<String>,
    /// The change it stands on, if that is why.
    pub because: Option<ChangeHash>,
    /// The author's device.
    pub device: DeviceId,
    /// The author.
    pub user: UserId,
    /// When it was received, milliseconds since 1970.
    pub received_ms: i64,
}

/// The changes received since a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangesSince {
    /// The changes, in the order of the feed.
    pub changes: Vec<ChangeSeen>,
    /// Where to go on.
    pub cursor: u64,
    /// Whether there is more.
    pub more: bool,
}

/// Reads. Every call is one consistent view and may block.
pub trait ReadStore: Send + Sync {
    /// How much there is in each of these villages, ascending by id; villages without a feed count zero.
    fn villages(&self, villages: &BTreeSet<VillageId>) -> Result<Vec<VillageCounts>, StoreError>;

    /// Households of a village by group, head and id.
    fn households(
        &self,
        village: VillageId,
        query: &HouseholdQuery,
    ) -> Result<Page<HouseholdRow>, StoreError>;

    /// One household.
    fn household(
        &self,
        village: VillageId,
        household: HouseholdId,
    ) -> Result<Option<HouseholdDetail>, StoreError>;

    /// The checks of a household, ascending by start and id, after the check `after`.
    fn checks(
        &self,
        village: VillageId,
        household: HouseholdId,
        after: Option<CheckId>,
        limit: u32,
    ) -> Result<Page<CheckRow>, StoreError>;

    /// One check.
    fn check(&self, village: VillageId, check: CheckId) -> Result<Option<CheckDetail>, StoreError>;

    /// Conflicts of a village that wait for a person, by document and key, after `after`.
    fn conflicts(
        &self,
        village: VillageId,
        after: Option<(DocumentId, String)>,
        limit: u32,
    ) -> Result<Page<ConflictSeen>, StoreError>;

    /// The whole history of a document, or of one of its keys; none when there is no such document.
    fn history(
        &self,
        village: VillageId,
        document: DocumentId,
        key: Option<&str>,
    ) -> Result<Option<Vec<FieldEvent>>, StoreError>;

    /// A document as it stood after these changes and all that they stand on.
    fn as_of(
        &self,
        village: VillageId,
        document: DocumentId,
        at: &[ChangeHash],
    ) -> Result<Option<Register>, StoreError>;

    /// The changes of a village that were received after a cursor, whatever their standing; batches are
    /// given whole, at least one.
    fn changes_since(&self, village: VillageId, cursor: u64, limit: u32) -> Result<ChangesSince, StoreError>;

    /// Changes of a village in quarantine, ascending by feed number and position, after `after`.
    fn quarantine(
        &self,
        village: VillageId,
        after: Option<(u64, u32)>,
        limit: u32,
    ) -> Result<Page<ChangeSeen>, StoreError>;

    /// Documents of one kind in a village, ascending by id, after `after`.
    fn documents(
        &self,
        village: VillageId,
        kind: DocumentKind,
        after: Option<[u8; 16]>,
        limit: u32,
    ) -> Result<Page<DocumentId>, StoreError>;
}
