//! A household (农户) and its members (家庭成员): typed reading, and the edits that people make.

use std::collections::BTreeMap;

use crate::change::{DocumentKind, Value};
use crate::code_list::{Code, code};
use crate::entry::{Entry, Link, Placed, Visit, entries};
use crate::field_table::{AnswerState, Field, InputError, Part, Source, field, parse_text};
use crate::id::HouseholdId;
use crate::register::{ChangeBuilder, Register, derived_id};
use crate::sealed::{SealError, Sealer};
use crate::shown::{companion, shown};

const KIND: DocumentKind = DocumentKind::Household;

/// A household as readers see it: shown values, private ones masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Household {
    /// Its id.
    pub id: HouseholdId,
    /// The national household number (户编号).
    pub national_household_no: Option<String>,
    /// The villagers' group (村民小组).
    pub group_name: Option<String>,
    /// The address (居住地址).
    pub address: Option<String>,
    /// The member id of the head (户主).
    pub head: Option<String>,
    /// The household type (户类型).
    pub household_type: Option<&'static Code>,
    /// The category of a monitored household (监测对象类别).
    pub monitor_category: Option<&'static Code>,
    /// The state of the file (档案状态).
    pub status: Option<&'static Code>,
    /// The visiting level (走访等级).
    pub monitor_level: Option<&'static Code>,
    /// The contact phone (联系电话).
    pub contact_phone: Private,
    /// Every member ever, by id.
    pub members: BTreeMap<String, Member>,
    /// The visits, in causal order.
    pub visits: Vec<Visit>,
    /// The households that are the same as this one.
    pub links: Vec<Link>,
    /// How many keys wait for a decision.
    pub open_conflicts: usize,
}

/// A member of a household as readers see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    /// The member's id.
    pub id: String,
    /// The full name (姓名).
    pub full_name: Option<String>,
    /// The relation to the head (与户主关系).
    pub relation_to_head: Option<&'static Code>,
    /// The certificate type (证件类型).
    pub certificate_type: Option<&'static Code>,
    /// The certificate number (证件号码).
    pub cert_no: Private,
    /// The phone (联系电话).
    pub phone: Private,
    /// The sex, where no certificate tells it (性别).
    pub sex: Option<&'static Code>,
    /// The ethnicity (民族).
    pub ethnicity: Option<&'static Code>,
    /// The labour ability (劳动技能).
    pub labour_ability: Option<&'static Code>,
    /// The in-school status (在校生状况).
    pub in_school_status: Option<&'static Code>,
    /// The day the member joined (增加时间).
    pub joined_on: Option<String>,
    /// The day the member left (减少时间).
    pub left_on: Option<String>,
    /// Why the member left (减少原因).
    pub leave_reason: Option<&'static Code>,
    /// The place in the list.
    pub sort: i64,
}

/// A private value: its mask, and what opens with the household's key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Private {
    /// The key in the document.
    pub key: String,
    /// Four stars and at most four characters.
    pub mask: Option<String>,
    /// The keyed hash for search.
    pub tag: Option<String>,
    /// Refused, unknown or not applicable, instead of a value.
    pub state: Option<AnswerState>,
    sealed: Option<Vec<u8>>,
}

impl Private {
    /// Reads the private value that is shown at a key.
    #[must_use]
    pub fn read(register: &Register, kind: DocumentKind, key: &str) -> Self {
        let Some(shown) = shown(register, kind, key) else {
            return Self { key: key.to_owned(), ..Self::default() };
        };
        let beside = |name| companion(register, key, name, shown.op.change).map(str::to_owned);
        let sealed = match &shown.op.value {
            Value::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        };
        let state = AnswerState::of(&shown.op.value);
        Self { key: key.to_owned(), mask: beside("mask"), tag: beside("tag"), state, sealed }
    }

    /// Whether there is a value to open.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        self.sealed.is_some()
    }

    /// Opens the value; nothing when there is none.
    ///
    /// # Errors
    /// When the key is not that of the household.
    pub fn reveal(&self, sealer: &Sealer<'_>) -> Result<Option<String>, SealError> {
        self.sealed.as_ref().map(|sealed| sealer.open(&self.key, sealed)).transpose()
    }
}

impl Household {
    /// Reads a household.
    #[must_use]
    pub fn read(id: HouseholdId, register: &Register) -> Self {
        let text = |key: &str| shown_text(register, KIND, key);
        let coded = |key: &str| shown_code(register, KIND, key);
        let placed = entries(register);
        Self {
            id,
            national_household_no: text("national_household_no"),
            group_name: text("group_name"),
            address: text("dwelling_address"),
            head: text("head_member_id"),
            household_type: coded("household_type"),
            monitor_category: coded("monitor_category"),
            status: coded("status"),
            monitor_level: coded("monitor_level"),
            contact_phone: Private::read(register, KIND, "contact_phone"),
            members: members(register),
            links: links(&placed),
            visits: placed.into_iter().filter_map(visit).collect(),
            open_conflicts: crate::shown::conflicts(register, KIND).iter().filter(|open| open.asks).count(),
        }
    }

    /// The members who have not left, in list order: by `sort`, then the head, then by id.
    #[must_use]
    pub fn active_members(&self) -> Vec<&Member> {
        let mut active: Vec<&Member> = self.members.values().filter(|member| member.is_active()).collect();
        active.sort_by_key(|member| (member.sort, self.head.as_ref() != Some(&member.id), &member.id));
        active
    }

    /// How many members have not left (家庭人口).
    #[must_use]
    pub fn population(&self) -> usize {
        self.members.values().filter(|member| member.is_active()).count()
    }

    /// The head of the household.
    #[must_use]
    pub fn head_member(&self) -> Option<&Member> {
        self.members.get(self.head.as_ref()?)
    }

    /// The name that lists show: the head's, or the first member's.
    #[must_use]
    pub fn display_name(&self) -> Option<&str> {
        let first = || self.active_members().into_iter().next();
        self.head_member().or_else(first)?.full_name.as_deref()
    }

    /// The visit that ended last, by the devices' clocks.
    #[must_use]
    pub fn last_visit(&self) -> Option<&Visit> {
        self.visits.iter().max_by(|a, b| a.ended.cmp(&b.ended))
    }
}

impl Member {
    /// Whether the member has not left.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.left_on.is_none()
    }

    fn read(register: &Register, id: &str) -> Self {
        let key = |name: &str| format!("member/{id}/{name}");
        let text = |name: &str| shown_text(register, KIND, &key(name));
        let coded = |name: &str| shown_code(register, KIND, &key(name));
        Self {
            id: id.to_owned(),
            full_name: text("full_name"),
            relation_to_head: coded("relation_to_head"),
            certificate_type: coded("certificate_type"),
            cert_no: Private::read(register, KIND, &key("cert_no")),
            phone: Private::read(register, KIND, &key("phone")),
            sex: coded("sex"),
            ethnicity: coded("ethnicity"),
            labour_ability: coded("labour_ability"),
            in_school_status: coded("in_school_status"),
            joined_on: text("joined_on"),
            left_on: text("left_on"),
            leave_reason: coded("leave_reason"),
            sort: shown_int(register, &key("sort")),
        }
    }
}

fn members(register: &Register) -> BTreeMap<String, Member> {
    let mut members = BTreeMap::new();
    for (key, _) in register.keys_under("member/") {
        let Some((id, _)) = key.strip_prefix("member/").and_then(|rest| rest.split_once('/')) else {
            continue;
        };
        if !members.contains_key(id) {
            members.insert(id.to_owned(), Member::read(register, id));
        }
    }
    members
}

fn visit(placed: Placed) -> Option<Visit> {
    match placed.entry {
        Entry::Visit(visit) => Some(visit),
        _ => None,
    }
}

fn links(placed: &[Placed]) -> Vec<Link> {
    let undone =
        |id: &str| placed.iter().any(|p| matches!(&p.entry, Entry::Unlink(unlink) if unlink.link == id));
    let links = placed.iter().filter(|p| !undone(&p.id));
    links
        .filter_map(|p| match &p.entry {
            Entry::Link(link) => Some(link.clone()),
            _ => None,
        })
        .collect()
}

/// The text that is shown at a key; nothing for an answer state.
pub(crate) fn shown_text(register: &Register, kind: DocumentKind, key: &str) -> Option<String> {
    match &shown(register, kind, key)?.op.value {
        Value::Text(text) if !text.starts_with('~') => Some(text.clone()),
        _ => None,
    }
}

/// The code that is shown at a key.
pub(crate) fn shown_code(register: &Register, kind: DocumentKind, key: &str) -> Option<&'static Code> {
    let text = shown_text(register, kind, key)?;
    match &field(kind, key)?.field.kind {
        crate::field_table::Type::Code { list } => code(list, &text),
        _ => None,
    }
}

fn shown_int(register: &Register, key: &str) -> i64 {
    match shown(register, KIND, key).map(|shown| &shown.op.value) {
        Some(Value::Int(number)) => *number,
        _ => 0,
    }
}

/// What a person writes into a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A text as typed, in the units that people use: yuan, mu, 是, a label.
    Text(String),
    /// A value as stored; for a sealed field, the value to be sealed.
    Stored(Value),
    /// Refused, unknown or not applicable.
    State(AnswerState),
    /// The value holds no longer; this needs a reason.
    Withdraw,
}

/// Where a value comes from and why it is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Because {
    /// The source, where it is not the household's own word.
    pub source: Option<Source>,
    /// The reason.
    pub reason: Option<String>,
}

/// Puts a field's value with its companions: source and reason where given, mask and tag where the field
/// is searched for.
///
/// # Errors
/// When the key is none, the text does not fit, or a private field has no key to seal with.
pub fn set_field(
    builder: &mut ChangeBuilder<'_>,
    kind: DocumentKind,
    key: &str,
    input: &Input,
    because: &Because,
    sealer: Option<&Sealer<'_>>,
) -> Result<(), InputError> {
    let unknown = || InputError::UnknownKey(key.to_owned());
    let found = field(kind, key).filter(|found| found.part == Part::Value && !found.field.is_entry());
    let field = found.ok_or_else(unknown)?.field;
    if *input == Input::Withdraw && because.reason.is_none() {
        return Err(InputError::NoReason(key.to_owned()));
    }
    match stored(field, key, input)? {
        value if field.is_sealed() => put_sealed(builder, field, key, &value, sealer)?,
        value => {
            builder.put(key, value);
        }
    }
    if let Some(source) = because.source {
        builder.put(format!("{key}/source"), Value::Text(source.code().to_owned()));
    }
    if let Some(reason) = because.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty()) {
        builder.put(format!("{key}/reason"), Value::Text(reason.chars().take(200).collect()));
    }
    Ok(())
}

fn stored(field: &Field, key: &str, input: &Input) -> Result<Value, InputError> {
    let misfit = |misfit| InputError::Misfit { key: key.to_owned(), misfit };
    Ok(match input {
        Input::Text(text) => parse_text(field, text)?,
        Input::Stored(value) => {
            let state = AnswerState::of(value).is_some() || *value == Value::Null;
            let fits = if state { Ok(()) } else { field.check_plain(value) };
            fits.map(|()| value.clone()).map_err(misfit)?
        }
        Input::State(state) => {
            let value = Value::Text(state.text().to_owned());
            field.check(&value).map(|()| value).map_err(misfit)?
        }
        Input::Withdraw => Value::Null,
    })
}

/// Puts a private value: sealed, unless it is withdrawn or an answer state.
fn put_sealed(
    builder: &mut ChangeBuilder<'_>,
    field: &Field,
    key: &str,
    value: &Value,
    sealer: Option<&Sealer<'_>>,
) -> Result<(), InputError> {
    let plain = match value {
        Value::Text(text) if AnswerState::from_text(text).is_none() => text.clone(),
        Value::Bool(yes) => yes.to_string(),
        Value::Int(number) => number.to_string(),
        _ => {
            builder.put(key, value.clone());
            if field.searchable {
                builder.put(format!("{key}/mask"), Value::Null).put(format!("{key}/tag"), Value::Null);
            }
            return Ok(());
        }
    };
    let sealer = sealer.ok_or_else(|| InputError::NoKey(key.to_owned()))?;
    builder.put(key, Value::Bytes(sealer.seal(key, &plain)));
    if field.searchable {
        builder.put(format!("{key}/mask"), Value::Text(crate::certificate_number::mask(&plain)));
        builder.put(format!("{key}/tag"), Value::Text(sealer.tag(&plain)));
    }
    Ok(())
}

/// A household that a device meets and no roster knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewHousehold {
    /// The villagers' group (村民小组).
    pub group_name: String,
    /// The address (居住地址).
    pub address: Option<String>,
    /// The contact phone (联系电话).
    pub phone: Option<String>,
}

/// Founds a household.
///
/// # Errors
/// Those of [`set_field`].
pub fn found_household(
    builder: &mut ChangeBuilder<'_>,
    household: &NewHousehold,
    sealer: Option<&Sealer<'_>>,
) -> Result<(), InputError> {
    let mut set = |key: &str, text: &str| {
        set_field(builder, KIND, key, &Input::Text(text.to_owned()), &Because::default(), sealer)
    };
    set("group_name", &household.group_name)?;
    household.address.iter().try_for_each(|address| set("dwelling_address", address))?;
    household.phone.iter().try_for_each(|phone| set("contact_phone", phone))
}

/// A member to be added: each field by its name below `member/<id>`, with what a person writes there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewMember {
    /// The full name (姓名).
    pub full_name: String,
    /// The certificate number (证件号码), if there is one.
    pub cert_no: Option<String>,
    /// Any other fields, such as `relation_to_head`, with the text as typed.
    pub fields: BTreeMap<String, String>,
    /// Where all of it comes from.
    pub source: Option<Source>,
}

/// Adds a member, and returns the member's id.
///
/// # Errors
/// Those of [`set_field`].
pub fn add_member(
    builder: &mut ChangeBuilder<'_>,
    member: &NewMember,
    sealer: Option<&Sealer<'_>>,
) -> Result<String, InputError> {
    let id = derived_id(builder.next_op());
    let because = Because { source: member.source, reason: None };
    let mut set = |name: &str, text: &str| {
        let input = Input::Text(text.to_owned());
        set_field(builder, KIND, &format!("member/{id}/{name}"), &input, &because, sealer)
    };
    set("full_name", &member.full_name)?;
    if let Some(number) = &member.cert_no {
        set("cert_no", number)?;
    }
    member.fields.iter().try_for_each(|(name, text)| set(name, text))?;
    Ok(id)
}

/// Ends a member: the member stays in the document with the day and the reason of leaving.
///
/// # Errors
/// When there is no such member, the date does not exist, or the reason is not in `member_change`.
pub fn end_member(
    builder: &mut ChangeBuilder<'_>,
    member: &str,
    left_on: &str,
    leave_reason: &str,
    because: &Because,
) -> Result<(), InputError> {
    let prefix = format!("member/{member}/");
    if builder.register().keys_under(&prefix).next().is_none() {
        return Err(InputError::UnknownMember(member.to_owned()));
    }
    let mut set = |name: &str, text: &str| {
        let input = Input::Text(text.to_owned());
        set_field(builder, KIND, &format!("{prefix}{name}"), &input, because, None)
    };
    set("left_on", left_on)?;
    set("leave_reason", leave_reason)
}

/// Opens a sealed value that stands at a key, as the text that was sealed; nothing when there is none.
///
/// # Errors
/// When the key is not that of the household.
pub fn reveal(
    register: &Register,
    kind: DocumentKind,
    key: &str,
    sealer: &Sealer<'_>,
) -> Result<Option<String>, SealError> {
    Private::read(register, kind, key).reveal(sealer)
}

#[cfg(test)]
mod tests;
