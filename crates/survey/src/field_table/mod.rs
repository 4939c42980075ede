//! The fields of every document: what each key means, what it may hold, and who may write it.
//!
//! `schemas/document/*.toml` are the only place that lists fields. They are compiled in, parsed once, and
//! asked for every put of every change: [`field`] takes a key apart without loading a document.

mod check;
pub mod date;
mod load;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub use check::{Misfit, TAG_DIGITS, is_mask, is_tag};
pub use text::{InputError, format_number, format_value, parse_text};

use crate::change::DocumentKind;
use crate::code_list::{CodeList, code_list};
use crate::role::Role;

/// A field of a document (字段).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The key, without what varies: `member/full_name`, `answer/education/state`, `risk_types`.
    pub path: String,
    /// The Chinese label.
    pub zh: String,
    /// The English label.
    pub en: String,
    /// What it holds. For a sealed field, what the opened value holds.
    pub kind: Type,
    /// What its numbers count.
    pub unit: Option<Unit>,
    /// Who may write it, besides the server.
    pub writers: BTreeSet<Role>,
    /// How sensitive it is.
    pub class: Class,
    /// What becomes of values that were written without sight of each other.
    pub merge: Merge,
    /// Whether the key ends with a member id.
    pub per_member: bool,
    /// Whether a mask and a search tag stand beside the sealed value.
    pub searchable: bool,
    /// Whether an element of the set may have a `sort` key.
    pub ordered: bool,
}

impl Field {
    /// Whether the value enters a document only sealed.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.class == Class::P3
    }

    /// Whether this is the field of entries, `event/<id>`.
    #[must_use]
    pub fn is_entry(&self) -> bool {
        self.kind == Type::Entry
    }

    /// The code list of a coded field or a set.
    #[must_use]
    pub fn codes(&self) -> Option<&'static CodeList> {
        match &self.kind {
            Type::Code { list } | Type::Set { list } => code_list(list),
            _ => None,
        }
    }

    /// Whether a person with this role may write it.
    #[must_use]
    pub fn may_write(&self, role: Role) -> bool {
        role == Role::Server || (self.merge != Merge::Server && self.writers.contains(&role))
    }
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// A text of `min` to `max` characters.
    Text {
        /// The fewest characters.
        min: usize,
        /// The most characters.
        max: usize,
    },
    /// A whole number, in the field's unit.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// Yes or no.
    Bool,
    /// A code of a list.
    Code {
        /// The name of the list.
        list: String,
    },
    /// A set: one boolean key for each element, `<path>/<code>`.
    Set {
        /// The name of the list.
        list: String,
    },
    /// Up to `max` texts, one key each, `<path>/1` and on.
    Slots {
        /// How many.
        max: usize,
    },
    /// Up to `max` SHA-256 hashes of photos, one key each, `<path>/1` and on.
    Hashes {
        /// How many.
        max: usize,
    },
    /// A date, `YYYY-MM-DD`.
    Date,
    /// A month, `YYYY-MM`.
    Month,
    /// Exactly this many digits, as in a region code.
    Digits {
        /// How many.
        count: usize,
    },
    /// The id of a member of the household.
    Member,
    /// The id of a document, a user or a device.
    Uuid,
    /// A version, such as `1.0.0` or `ruhu-first/1.0.0`.
    Version,
    /// A SHA-256 hash, 64 hexadecimal digits.
    Hash,
    /// A mobile phone number.
    Phone,
    /// A certificate number (see [`crate::certificate_number`]).
    Certificate,
    /// A position: longitude, latitude, and optionally metres of accuracy, `111.0512,29.4233,12`.
    Point,
    /// An append-only entry (see [`crate::entry`]).
    Entry,
}

/// What a number counts. Money is whole fen, area hundredths, road length tenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the units")]
pub enum Unit {
    Fen,
    FenPerYear,
    HundredthMu,
    HundredthSquareMetre,
    TenthKilometre,
    Metres,
    Litres,
    Milliseconds,
    Seconds,
    Minutes,
    Days,
    Months,
    Year,
    People,
    Times,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 15] = [
        Self::Fen,
        Self::FenPerYear,
        Self::HundredthMu,
        Self::HundredthSquareMetre,
        Self::TenthKilometre,
        Self::Metres,
        Self::Litres,
        Self::Milliseconds,
        Self::Seconds,
        Self::Minutes,
        Self::Days,
        Self::Months,
        Self::Year,
        Self::People,
        Self::Times,
    ];

    /// The name in field tables and forms, which `unit_<code>` in the message table says to people.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fen => "fen",
            Self::FenPerYear => "fen_per_year",
            Self::HundredthMu => "hundredth_mu",
            Self::HundredthSquareMetre => "hundredth_square_metre",
            Self::TenthKilometre => "tenth_kilometre",
            Self::Metres => "metres",
            Self::Litres => "litres",
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Days => "days",
            Self::Months => "months",
            Self::Year => "year",
            Self::People => "people",
            Self::Times => "times",
        }
    }

    /// How many decimals people write: 2 for fen, which people see as yuan.
    #[must_use]
    pub const fn decimals(self) -> u32 {
        match self {
            Self::Fen | Self::FenPerYear | Self::HundredthMu | Self::HundredthSquareMetre => 2,
            Self::TenthKilometre => 1,
            _ => 0,
        }
    }
}

/// How sensitive a value is (domain model, 3.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Class {
    /// Public.
    P0,
    /// Internal, not about a person.
    P1,
    /// Personal.
    P2,
    /// Sensitive: enters a document only sealed.
    P3,
}

/// What becomes of values that were written without sight of each other. All are always kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// Set once, never again.
    Immutable,
    /// The rule of [`crate::shown`] picks the one shown; nobody is asked.
    Silent,
    /// The rule picks the one shown, and a named person is asked to settle.
    Keep,
    /// Only the server writes it.
    Server,
}

/// Which of the keys of a field a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The value itself.
    Value,
    /// Where the value comes from, `<path>/source`.
    Source,
    /// Why it was written, `<path>/reason`.
    Reason,
    /// What lists show of a sealed value, `<path>/mask`.
    Mask,
    /// The keyed hash by which a sealed value is found, `<path>/tag`.
    Tag,
    /// The place of an element in an ordered set, `<path>/sort`.
    Sort,
}

/// A key, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldKey<'a> {
    /// The field.
    pub field: &'static Field,
    /// The member whose field it is.
    pub member: Option<&'a str>,
    /// The element of a set, the number of a slot, or the id of an entry.
    pub element: Option<&'a str>,
    /// The value or one of its companions.
    pub part: Part,
    /// The key of the value: the key itself, or what it is a companion of.
    pub value_key: &'a str,
}

/// What a document kind's table says besides its fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    fields: BTreeMap<String, Field>,
    members: BTreeMap<String, Field>,
    /// The keys that the first change must put, all of them.
    pub required_all: Vec<String>,
    /// Of these, the first change must put at least one; `member` stands for any member.
    pub required_any: Vec<String>,
}

impl Table {
    /// Every field, members' fields first, each ascending by path.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.members.values().chain(self.fields.values())
    }
}

/// The table of a document kind.
#[must_use]
pub fn table(kind: DocumentKind) -> &'static Table {
    match kind {
        DocumentKind::Household => &TABLES.household,
        DocumentKind::Check => &TABLES.check,
        DocumentKind::Issue => &TABLES.issue,
        DocumentKind::Village => &TABLES.village,
    }
}

/// The field with this path (see [`Field::path`]).
#[must_use]
pub fn field_by_path(kind: DocumentKind, path: &str) -> Option<&'static Field> {
    let table = table(kind);
    match path.strip_prefix("member/") {
        Some(rest) => table.members.get(rest),
        None => table.fields.get(path),
    }
}

/// Takes a key apart, or nothing when no document of this kind has it.
#[must_use]
pub fn field(kind: DocumentKind, key: &str) -> Option<FieldKey<'_>> {
    let table = table(kind);
    let found = if let Some(rest) = key.strip_prefix("member/") {
        let (member, rest) = rest.split_once('/')?;
        let place = FieldKey { member: Some(member), ..resolve(&table.members, rest, SEGMENTS_MAX)? };
        let value_key = key.get(..key.len() - (rest.len() - place.value_key.len()))?;
        is_derived_id(member).then_some(FieldKey { value_key, ..place })?
    } else if let Some(id) = key.strip_prefix("event/") {
        let field = table.fields.get("event")?;
        let entry = FieldKey { field, member: None, element: Some(id), part: Part::Value, value_key: key };
        is_derived_id(id).then_some(entry)?
    } else {
        resolve(&table.fields, key, SEGMENTS_MAX)?
    };
    found.is_complete().then_some(found)
}

/// Member id, set element and companion: what a key may hold after its field's path.
const SEGMENTS_MAX: usize = 3;

fn resolve<'a>(fields: &'static BTreeMap<String, Field>, key: &'a str, left: usize) -> Option<FieldKey<'a>> {
    if let Some(field) = fields.get(key) {
        return Some(FieldKey { field, member: None, element: None, part: Part::Value, value_key: key });
    }
    let left = left.checked_sub(1)?;
    let (prefix, last) = key.rsplit_once('/')?;
    resolve(fields, prefix, left)?.with(last, key)
}

impl<'a> FieldKey<'a> {
    /// The key made longer by one segment.
    fn with(self, last: &'a str, key: &'a str) -> Option<Self> {
        if self.part != Part::Value || self.field.is_entry() {
            return None;
        }
        if self.field.per_member && self.member.is_none() {
            return is_derived_id(last).then_some(Self { member: Some(last), value_key: key, ..self });
        }
        if self.element.is_none() && self.field.has_elements() {
            return self.field.has_element(last).then_some(Self {
                element: Some(last),
                value_key: key,
                ..self
            });
        }
        let part = match last {
            "source" => Part::Source,
            "reason" => Part::Reason,
            "mask" if self.field.searchable => Part::Mask,
            "tag" if self.field.searchable => Part::Tag,
            "sort" if self.field.ordered => Part::Sort,
            _ => return None,
        };
        Some(Self { part, ..self })
    }

    fn is_complete(&self) -> bool {
        let member = !self.field.per_member || self.member.is_some();
        let element = !self.field.has_elements() || self.element.is_some();
        member && element
    }
}

impl Field {
    fn has_elements(&self) -> bool {
        matches!(self.kind, Type::Set { .. } | Type::Slots { .. } | Type::Hashes { .. })
    }

    fn has_element(&self, text: &str) -> bool {
        match &self.kind {
            Type::Set { list } => code_list(list).is_some_and(|list| list.get(text).is_some()),
            Type::Slots { max } | Type::Hashes { max } => (1..=*max).any(|slot| slot.to_string() == text),
            _ => false,
        }
    }
}

/// Whether a text has the form of an entry's or a member's id ([`crate::register::derived_id`]).
#[must_use]
pub fn is_derived_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
}

/// An answer that is not a value. Not asked is a fifth: the key is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnswerState {
    /// The household would not say (拒答).
    Refused,
    /// The household does not know (不详).
    Unknown,
    /// The question does not arise (不适用).
    NotApplicable,
}

impl AnswerState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Refused, Self::Unknown, Self::NotApplicable];

    /// The text that stands for it in a document.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Refused => "~refused",
            Self::Unknown => "~unknown",
            Self::NotApplicable => "~not_applicable",
        }
    }

    /// The state that a text stands for.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.text() == text)
    }

    /// The state that a value is.
    #[must_use]
    pub fn of(value: &crate::change::Value) -> Option<Self> {
        match value {
            crate::change::Value::Text(text) => Self::from_text(text),
            _ => None,
        }
    }

    /// The Chinese word.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Refused => "拒答",
            Self::Unknown => "不详",
            Self::NotApplicable => "不适用",
        }
    }
}

/// Where a value comes from (信息来源), which also says how strong it is against a concurrent one.
///
/// | strength | source | reason |
/// |---|---|---|
/// | 1 | document | a certificate or paper was seen; it can be looked at again |
/// | 2 | observed | the visitor saw it, as a wall or a tap |
/// | 3 | correction | somebody looked at an earlier value and says that it is wrong |
/// | 4 | self_report | the household said it; this is meant where no source is written |
/// | 5 | match_import | another office's register: right about its own business, often late |
/// | 6 | carried_forward | nobody asked; it is the value of an earlier check |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A document was seen.
    Document,
    /// The visitor saw it.
    Observed,
    /// A correction of an earlier value.
    Correction,
    /// The household said it.
    #[default]
    SelfReport,
    /// Imported from another register.
    MatchImport,
    /// Carried forward from the last check.
    CarriedForward,
}

impl Source {
    /// Every source, strongest first.
    pub const ALL: [Self; 6] = [
        Self::Document,
        Self::Observed,
        Self::Correction,
        Self::SelfReport,
        Self::MatchImport,
        Self::CarriedForward,
    ];

    /// The code in documents, one of `schemas/codes/source.toml`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Observed => "observed",
            Self::Correction => "correction",
            Self::SelfReport => "self_report",
            Self::MatchImport => "match_import",
            Self::CarriedForward => "carried_forward",
        }
    }

    /// The source of a code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.code() == code)
    }
}

struct Tables {
    household: Table,
    check: Table,
    issue: Table,
    village: Table,
}

/// A table that does not parse would leave its documents without fields; a test parses all of them.
static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    household: load::parse_table(&[HOUSEHOLD, MEMBER]).unwrap_or_default(),
    check: load::parse_table(&[CHECK, ANSWER]).unwrap_or_default(),
    issue: load::parse_table(&[ISSUE]).unwrap_or_default(),
    village: load::parse_table(&[VILLAGE]).unwrap_or_default(),
});

const HOUSEHOLD: &str = include_str!("../../../../schemas/document/household.toml");
const MEMBER: &str = include_str!("../../../../schemas/document/member.toml");
const CHECK: &str = include_str!("../../../../schemas/document/check.toml");
const ANSWER: &str = include_str!("../../../../schemas/document/answer.toml");
const ISSUE: &str = include_str!("../../../../schemas/document/issue.toml");
const VILLAGE: &str = include_str!("../../../../schemas/document/village.toml");

#[cfg(test)]
mod tests;
