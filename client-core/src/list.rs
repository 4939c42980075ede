//! The household list and the checks of a household, read from rows without touching a document.

use ruhu_survey::id::{CheckId, HouseholdId, VillageId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::client::Client;
use crate::error::Error;
use crate::search::{Needle, needle};
use crate::store::batch::number;
use crate::store::document;
use crate::store::village;

/// Which households to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// A piece of a name, address, group or official number; pinyin initials or syllables (`lsf` for 李四方);
    /// or the last digits of a certificate. Empty: all.
    pub text: String,
    /// Only this group (村民小组).
    pub group: Option<String>,
    /// Only households with open conflicts.
    pub conflicts_only: bool,
    /// Only households with something the server has not received or not accepted.
    pub unsent_only: bool,
    /// Households whose file is closed as well.
    pub with_closed: bool,
    /// In which order.
    pub order: Order,
    /// How many to skip.
    pub skip: u32,
    /// How many to give at most; `None`: all.
    pub limit: Option<u32>,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// By group, then name.
    #[default]
    Group,
    /// Who is due: never checked first, then the longest ago.
    Due,
}

/// A household in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ListedHousehold {
    /// Its id.
    pub id: HouseholdId,
    /// The head's name (户主); empty when none is known.
    pub head_name: String,
    /// The group (村民小组).
    pub group: String,
    /// The address.
    pub address: String,
    /// The official number (户编号).
    pub number: String,
    /// Members who have not left.
    pub members: u64,
    /// Open conflicts.
    pub conflicts: u64,
    /// Whether the file is not closed.
    pub active: bool,
    /// The date of the last check, `YYYY-MM-DD`; `None` when never.
    pub last_checked: Option<String>,
    /// The code of its result.
    pub last_result: Option<String>,
    /// Where this device's own edits of it stand; `None` when it has none, or all are received.
    pub send_state: Option<SendState>,
}

/// Where what was written on this device stands. The first that applies, from the top.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "{ state: string; rule: string | null }"))]
pub enum SendState {
    /// The server refused it, by the rule or reason with this code.
    Refused(String),
    /// The server keeps it apart, by the rule with this code, until two people decide.
    Quarantined(String),
    /// A draft, on this device only.
    Draft,
    /// Waiting to be sent.
    Queued,
    /// Sent, without a receipt yet; sending again is safe.
    Sent,
    /// Received, and waiting at the server for something it stands on.
    Held,
    /// Received: it survives the loss of this device.
    Received,
}

/// As JSON: its word and the rule's code, null where there is none.
impl Serialize for SendState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_struct("SendState", 2)?;
        parts.serialize_field("state", self.name())?;
        parts.serialize_field("rule", &self.rule())?;
        parts.end()
    }
}

impl SendState {
    /// The stable word for it; `ruhu_state_<name>` in the message table says it to people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Quarantined(_) => "quarantined",
            Self::Draft => "draft",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Held => "held",
            Self::Received => "received",
        }
    }

    /// The code of the rule or reason, of what was refused or is kept apart.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Refused(rule) | Self::Quarantined(rule) => Some(rule),
            _ => None,
        }
    }
}

/// A check in a list (入户排查).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCheck {
    /// Its id.
    pub id: CheckId,
    /// Its village.
    pub village: VillageId,
    /// Its household.
    pub household: HouseholdId,
    /// The code of its type.
    pub check_type: String,
    /// What it has come to.
    pub state: CheckState,
    /// Whether it was started on this device.
    pub own: bool,
    /// When it was started, milliseconds since 1970 by the clock of the device that started it.
    pub started_ms: i64,
    /// When it was submitted or withdrawn.
    pub ended_ms: Option<i64>,
    /// The code of its result; empty before it is submitted.
    pub result: String,
    /// Where it stands; `None` for another device's.
    pub send_state: Option<SendState>,
}

/// What a check has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// Being filled in, on this device.
    Draft,
    /// Submitted, and frozen.
    Submitted,
    /// Given up before it was submitted; its answers are kept on this device.
    Withdrawn,
}

impl CheckState {
    pub(crate) const fn code(self) -> i64 {
        match self {
            Self::Draft => 0,
            Self::Submitted => 1,
            Self::Withdrawn => 2,
        }
    }

    const fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Draft,
            1 => Self::Submitted,
            _ => Self::Withdrawn,
        }
    }
}

/// The worst standing among the own changes of a document: `(state, batch state, rule)`, most urgent
/// first. Accepted changes are none of it, nor are those that were written anew.
fn worst_standing() -> String {
    format!(
        "SELECT c.state, b.state, c.rule FROM change c LEFT JOIN batch b ON b.batch = c.batch
         WHERE c.document = ?1 AND c.state <> 1 AND c.opening IS NOT NULL AND c.replaced_by IS NULL
         ORDER BY CASE WHEN c.state = 4 THEN 0 WHEN c.state = 3 THEN 1 WHEN {} THEN 2 ELSE 3 END,
             coalesce(b.state, -1) LIMIT 1",
        document::APART_IN_VIEW
    )
}

const LISTED: &str =
    "h.household, h.head_name, h.group_name, h.address, h.number, h.members, h.conflicts, h.active,
     h.last_checked, h.last_result, h.document,
     EXISTS (SELECT 1 FROM change c WHERE c.document = h.document AND c.state <> 1 AND c.opening IS NOT NULL),
     EXISTS (SELECT 1 FROM check_row d WHERE d.household = h.household AND d.state = 0)";

impl Client {
    /// The households of a village that answer a query.
    ///
    /// # Errors
    /// [`Error::UnknownVillage`], or that the store fails.
    pub fn households(&self, village: VillageId, query: &Query) -> Result<Vec<ListedHousehold>, Error> {
        let connection = self.store.read();
        if !village::is_known(connection, village)? {
            return Err(Error::UnknownVillage(village));
        }
        let (filter, wanted) = filter(query);
        let order = match query.order {
            Order::Group => "h.group_name, h.head_name, h.household",
            Order::Due => "h.last_checked, h.group_name, h.head_name, h.household",
        };
        let sql = format!(
            "SELECT {LISTED} FROM household_row h WHERE h.village = ?1 AND {filter}
                 AND (?3 IS NULL OR h.group_name = ?3) AND (?4 = 0 OR h.conflicts > 0)
                 AND (?5 = 1 OR h.active = 1)
                 AND (?6 = 0 OR EXISTS (SELECT 1 FROM change c WHERE c.document = h.document AND c.state <> 1
                     AND c.opening IS NOT NULL))
             ORDER BY {order} LIMIT ?7 OFFSET ?8"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let limit = query.limit.map_or(-1, i64::from);
        let parameters = params![
            village.as_bytes(),
            wanted,
            query.group,
            query.conflicts_only,
            query.with_closed,
            query.unsent_only,
            limit,
            query.skip
        ];
        let rows = statement.query_map(parameters, listed)?;
        rows.map(|row| row.map_err(Error::from).and_then(|row| with_standing(connection, row))).collect()
    }

    /// The groups (村民小组) of a village, with how many households each has.
    ///
    /// # Errors
    /// When the store fails.
    pub fn groups(&self, village: VillageId) -> Result<Vec<(String, u64)>, Error> {
        let mut statement = self.store.read().prepare_cached(
            "SELECT group_name, count(*) FROM household_row WHERE village = ?1 GROUP BY group_name ORDER BY group_name",
        )?;
        let rows = statement.query_map([village.as_bytes()], |row| Ok((row.get(0)?, number(row.get(1)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The checks of a household, the newest first; withdrawn ones last.
    ///
    /// # Errors
    /// When the store fails.
    pub fn checks(&self, household: HouseholdId) -> Result<Vec<ListedCheck>, Error> {
        checks(self.store.read(), "household = ?1", household.as_bytes())
    }

    /// The drafts on this device: checks started and neither submitted nor withdrawn, the newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn drafts(&self) -> Result<Vec<ListedCheck>, Error> {
        checks(self.store.read(), "state = 0 AND length(?1) = 16", &[0; 16])
    }

    /// One check's line.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], or that the store fails.
    pub fn check_line(&self, check: CheckId) -> Result<ListedCheck, Error> {
        let found = checks(self.store.read(), "check_id = ?1", check.as_bytes())?;
        found.into_iter().next().ok_or(Error::UnknownCheck(check))
    }
}

/// The condition of a search text, on the parameter 2.
fn filter(query: &Query) -> (&'static str, String) {
    match needle(&query.text) {
        Needle::All => ("?2 = ''", String::new()),
        Needle::Text(text) => (
            "(instr(h.names, ?2) > 0 OR instr(h.address, ?2) > 0 OR instr(h.group_name, ?2) > 0
                 OR instr(h.head_name, ?2) > 0)",
            text,
        ),
        Needle::Pinyin(letters) => ("instr(h.pinyin, ?2) > 0", format!(" {letters}")),
        Needle::Tail(digits) => (
            "(instr(h.tails || ' ', ?2 || ' ') > 0 OR instr(h.number, ?2) > 0 OR instr(h.address, ?2) > 0)",
            digits,
        ),
    }
}

struct Found {
    household: ListedHousehold,
    document: i64,
    unsent: bool,
    draft: bool,
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Found> {
    let text =
        |column: usize| row.get::<_, String>(column).map(|text| Some(text).filter(|text| !text.is_empty()));
    Ok(Found {
        household: ListedHousehold {
            id: HouseholdId::from_bytes(row.get(0)?),
            head_name: row.get(1)?,
            group: row.get(2)?,
            address: row.get(3)?,
            number: row.get(4)?,
            members: number(row.get(5)?),
            conflicts: number(row.get(6)?),
            active: row.get(7)?,
            last_checked: text(8)?,
            last_result: text(9)?,
            send_state: None,
        },
        document: row.get(10)?,
        unsent: row.get(11)?,
        draft: row.get(12)?,
    })
}

fn with_standing(connection: &Connection, row: Found) -> Result<ListedHousehold, Error> {
    let Found { mut household, document, unsent, draft } = row;
    let standing = if unsent { standing(connection, document)? } else { None };
    household.send_state = match standing {
        Some(state @ (SendState::Refused(_) | SendState::Quarantined(_))) => Some(state),
        _ if draft => Some(SendState::Draft),
        other => other,
    };
    Ok(household)
}

/// Where the own changes of a document stand; `None` when all are accepted or there are none.
pub(crate) fn standing(connection: &Connection, document: i64) -> Result<Option<SendState>, Error> {
    let mut statement = connection.prepare_cached(&worst_standing())?;
    let found = statement
        .query_row([document], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, String>(2)?))
        })
        .optional()?;
    Ok(found.map(|(state, batch, rule)| match (state, batch) {
        (4, _) => SendState::Refused(rule),
        (3 | 5, _) => SendState::Quarantined(rule),
        (0, _) if !rule.is_empty() && rule != "held" => SendState::Quarantined(rule),
        (_, Some(1)) => SendState::Sent,
        (_, Some(2)) => SendState::Held,
        (_, Some(3)) => SendState::Refused("turned_away".to_owned()),
        _ => SendState::Queued,
    }))
}

fn checks(connection: &Connection, filter: &str, id: &[u8; 16]) -> Result<Vec<ListedCheck>, Error> {
    let sql = format!(
        "SELECT check_id, village, household, document, own, check_type, state, started_ms, ended_ms, result
         FROM check_row WHERE {filter} ORDER BY state = 2, started_ms DESC, check_id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([id], |row| {
        let check = ListedCheck {
            id: CheckId::from_bytes(row.get(0)?),
            village: VillageId::from_bytes(row.get(1)?),
            household: HouseholdId::from_bytes(row.get(2)?),
            own: row.get(4)?,
            check_type: row.get(5)?,
            state: CheckState::from_code(row.get(6)?),
            started_ms: row.get(7)?,
            ended_ms: row.get(8)?,
            result: row.get(9)?,
            send_state: None,
        };
        Ok((check, row.get::<_, Option<i64>>(3)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (mut check, document) = row?;
        check.send_state = match (check.state, document) {
            (CheckState::Draft, _) => Some(SendState::Draft),
            (CheckState::Submitted, Some(document)) if check.own => {
                Some(standing(connection, document)?.unwrap_or(SendState::Received))
            }
            _ => None,
        };
        found.push(check);
    }
    Ok(found)
}
