//! Whether an author may make a change: by the field table, by role, and by what the change stands on.
//!
//! Judged by ancestry, never by time. The device asks before it sends and the server when it receives,
//! with the same inputs, so an honest change is never refused.

use std::cell::OnceCell;

use crate::change::{Change, DocumentId, DocumentKind, Put, Value};
use crate::entry::{CloseoutSignoff, Entry, InvalidEntry, Side, Submit};
use crate::field_table::{FieldKey, Merge, Misfit, Part, Type, field, table};
use crate::id::{DeviceId, UserId};
use crate::register::{Register, derived_id};
use crate::role::Role;

/// Who made a change, by the certificate of the batch that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The device whose key signed the batch.
    pub device: DeviceId,
    /// The role in the village.
    pub role: Role,
    /// The person.
    pub user: UserId,
}

macro_rules! rule {
    ($($(#[$doc:meta])+ $variant:ident = $code:literal;)+) => {
        /// A rule that a change can break. The codes are stable: verdicts and messages name them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $($(#[$doc])+ $variant,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }
    };
}

rule! {
    /// The document kind has no such key.
    UnknownKey = "unknown_key";
    /// A text where a number belongs, and so on.
    WrongType = "wrong_type";
    /// Too small, too great, too long, or not of the form.
    OutOfRange = "out_of_range";
    /// A code that its list does not have.
    UnknownCode = "unknown_code";
    /// A private value in clear.
    MustBeSealed = "must_be_sealed";
    /// The author's role may not write the field or the entry.
    RoleMayNotWrite = "role_may_not_write";
    /// Only the server writes the field.
    ServerOnly = "server_only";
    /// The field is set once, and it is set.
    Immutable = "immutable";
    /// A source, reason, mask, tag or sort key without its value in the same change.
    CompanionAlone = "companion_alone";
    /// A value is withdrawn without a reason in the same change.
    ReasonMissing = "reason_missing";
    /// The entry is already written.
    EntryExists = "entry_exists";
    /// Not an entry of this document kind, or one of its parts does not hold.
    EntryInvalid = "entry_invalid";
    /// The entry is too long.
    EntryTooLarge = "entry_too_large";
    /// An entry or a new member under an id that is not derived from its own operation.
    DerivedId = "derived_id";
    /// The key names a member whom the household does not have.
    UnknownMember = "unknown_member";
    /// A settlement without its value, or that does not name every value it replaces.
    SettleIncomplete = "settle_incomplete";
    /// Another device started the check, or a supervisor writes into somebody else's issue.
    NotTheStarter = "not_the_starter";
    /// The check was submitted.
    Late = "late";
    /// The first change lacks what a document of its kind must say.
    MissingKindFields = "missing_kind_fields";
}

/// A broken rule, and the key where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} at {key:?}", rule.code())]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The key, empty when the change as a whole breaks it.
    pub key: String,
}

/// Judges a change of `document`: `before` holds what it stands on, `current` what the judge holds.
///
/// # Errors
/// The first rule that it breaks.
pub fn authorise(
    document: DocumentId,
    before: &Register,
    current: &Register,
    change: &Change,
    author: &Author,
) -> Result<(), Violation> {
    let (seen, submitted) = (OnceCell::new(), OnceCell::new());
    let case = Case { kind: document.kind, before, current, change, author, seen, submitted };
    case.document()?;
    change.puts.iter().enumerate().try_for_each(|(index, put)| case.put(index, put))
}

/// One change before its judge.
struct Case<'a> {
    kind: DocumentKind,
    before: &'a Register,
    current: &'a Register,
    change: &'a Change,
    author: &'a Author,
    /// What a close-out must have seen; worked out once, for a change may hold many.
    seen: OnceCell<Vec<String>>,
    /// Whether the check was submitted before the change.
    submitted: OnceCell<bool>,
}

fn broken<T>(rule: Rule, key: &str) -> Result<T, Violation> {
    Err(Violation { rule, key: key.to_owned() })
}

fn hold(holds: bool, rule: Rule, key: &str) -> Result<(), Violation> {
    if holds { Ok(()) } else { broken(rule, key) }
}

impl Case<'_> {
    fn submitted(&self) -> bool {
        *self.submitted.get_or_init(|| submitted(self.before))
    }

    /// What concerns the change as a whole.
    fn document(&self) -> Result<(), Violation> {
        if self.before.is_empty() {
            let table = table(self.kind);
            let any = &table.required_any;
            for key in &table.required_all {
                hold(self.puts_value(key), Rule::MissingKindFields, key)?;
            }
            let identified = any.is_empty() || any.iter().any(|key| self.puts_value(key));
            hold(identified, Rule::MissingKindFields, "")?;
        }
        match self.kind {
            DocumentKind::Check => self.check(),
            DocumentKind::Issue => self.issue(),
            DocumentKind::Household | DocumentKind::Village => Ok(()),
        }
    }

    fn puts_value(&self, key: &str) -> bool {
        let member = |put: &Put| put.key.starts_with("member/") && put.key.ends_with("/full_name");
        let right = |put: &Put| if key == "member" { member(put) } else { put.key == key };
        self.change.puts.iter().any(|put| right(put) && put.value != Value::Null)
    }

    fn text_in_change(&self, key: &str) -> Option<&str> {
        let put = self.change.puts.iter().find(|put| put.key == key)?;
        as_text(&put.value)
    }

    /// A check is written by the device that started it, until it is submitted.
    fn check(&self) -> Result<(), Violation> {
        if self.author.role == Role::Server || self.corrects_only() {
            return Ok(());
        }
        self.by_starter("started_by")?;
        let late = self.submitted() || submitted(self.current);
        hold(!late, Rule::Late, "")
    }

    /// Whether a submitted check gets corrections and nothing else but what they replace. A supervisor's or
    /// an assessor's check is corrected by its own device only.
    fn corrects_only(&self) -> bool {
        let outside = matches!(self.author.role, Role::Supervisor | Role::ThirdParty);
        let own = self.by_starter("started_by").is_ok();
        self.submitted()
            && (own || !outside)
            && self.change.puts.iter().all(|put| {
                matches!(Entry::from_value(&put.value), Ok(Entry::Correct(_) | Entry::Replaces(_)))
            })
    }

    /// Whether the author's device is the one that the document's first change names, and every root of
    /// the document names.
    fn by_starter(&self, key: &str) -> Result<(), Violation> {
        let device = self.author.device.to_string();
        let first = if self.before.is_empty() { self.text_in_change(key) == Some(&device) } else { true };
        let live = self.before.live(key).iter().chain(self.current.live(key));
        let same = live.filter_map(|op| as_text(&op.value)).all(|starter| starter == device);
        hold(first && same, Rule::NotTheStarter, key)
    }

    /// An issue names the device that opened it. Supervisors and assessors write the fields of their own
    /// issues only, and entries into any.
    fn issue(&self) -> Result<(), Violation> {
        let outside = matches!(self.author.role, Role::Supervisor | Role::ThirdParty);
        let entries_only = self.change.puts.iter().all(|put| put.key.starts_with("event/"));
        let opens = self.before.is_empty() && self.author.role != Role::Server;
        if opens || (outside && !entries_only) { self.by_starter("opened_by") } else { Ok(()) }
    }

    fn put(&self, index: usize, put: &Put) -> Result<(), Violation> {
        let key = put.key.as_str();
        let Some(found) = field(self.kind, key) else { return broken(Rule::UnknownKey, key) };
        if found.field.is_entry() {
            return self.entry(index, put, &found);
        }
        self.permission(key, &found)?;
        found.check(&put.value).map_err(|misfit| Violation { rule: rule_of(misfit), key: key.to_owned() })?;
        if found.part != Part::Value {
            let alone = !self.change.puts.iter().any(|other| other.key == found.value_key);
            return hold(!alone, Rule::CompanionAlone, key);
        }
        if put.value == Value::Null {
            let reason = format!("{key}/reason");
            hold(self.text_in_change(&reason).is_some(), Rule::ReasonMissing, key)?;
        }
        self.member(&found, put)
    }

    fn permission(&self, key: &str, found: &FieldKey<'_>) -> Result<(), Violation> {
        let server = self.author.role == Role::Server;
        hold(server || found.field.merge != Merge::Server, Rule::ServerOnly, key)?;
        hold(found.field.may_write(self.author.role), Rule::RoleMayNotWrite, key)?;
        let set = self.before.live(found.value_key).iter().any(|op| op.value != Value::Null);
        hold(found.field.merge != Merge::Immutable || !set, Rule::Immutable, key)
    }

    /// A member's prefix is new under its derived id only; a member that is named must be there.
    fn member(&self, found: &FieldKey<'_>, put: &Put) -> Result<(), Violation> {
        if self.kind != DocumentKind::Household {
            return Ok(());
        }
        if let Some(member) = found.member {
            let derived = || self.first_op_under(member).is_some_and(|op| derived_id(op) == member);
            return hold(self.has_member(member) || derived(), Rule::DerivedId, &put.key);
        }
        match (&found.field.kind, as_text(&put.value)) {
            (Type::Member, Some(member)) => {
                let there = self.has_member(member) || self.first_op_under(member).is_some();
                let state = member.starts_with('~');
                hold(there || state, Rule::UnknownMember, &put.key)
            }
            _ => Ok(()),
        }
    }

    fn has_member(&self, member: &str) -> bool {
        self.before.keys_under(&format!("member/{member}/")).next().is_some()
    }

    fn first_op_under(&self, member: &str) -> Option<crate::change::OpId> {
        let prefix = format!("member/{member}/");
        let index = self.change.puts.iter().position(|put| put.key.starts_with(&prefix))?;
        Some(self.change.op_id(index))
    }

    fn entry(&self, index: usize, put: &Put, found: &FieldKey<'_>) -> Result<(), Violation> {
        let key = put.key.as_str();
        hold(self.before.live(key).is_empty(), Rule::EntryExists, key)?;
        let derived = derived_id(self.change.op_id(index));
        hold(found.element == Some(derived.as_str()), Rule::DerivedId, key)?;
        let entry = match Entry::from_value(&put.value) {
            Ok(entry) => entry,
            Err(InvalidEntry::NotText) => return broken(Rule::WrongType, key),
            Err(InvalidEntry::TooLarge(_)) => return broken(Rule::EntryTooLarge, key),
            Err(_) => return broken(Rule::EntryInvalid, key),
        };
        let Some(roles) = writers(self.kind, &entry) else { return broken(Rule::EntryInvalid, key) };
        let may = self.author.role == Role::Server || roles.contains(&self.author.role);
        hold(may, Rule::RoleMayNotWrite, key)?;
        self.entry_holds(key, &entry)
    }

    /// What an entry says of the document must be so.
    fn entry_holds(&self, key: &str, entry: &Entry) -> Result<(), Violation> {
        match entry {
            Entry::Settle(settle) => {
                let expected = crate::shown::settlement(self.before, &settle.field, &settle.reason);
                let plain = field(self.kind, &settle.field)
                    .is_some_and(|found| found.part == Part::Value && !found.field.is_entry());
                let puts = self.change.puts.iter().any(|put| put.key == settle.field);
                hold(plain && puts && settle.settled == expected.settled, Rule::SettleIncomplete, key)
            }
            Entry::Submit(submit) => hold(self.submit_holds(submit), Rule::EntryInvalid, key),
            Entry::Correct(correct) => {
                let new = correct.new.value();
                let fits = field(self.kind, &correct.field).is_some_and(|found| {
                    let answer = found.part == Part::Value && found.field.path.starts_with("answer/");
                    answer && new.is_some_and(|new| found.check(&new).is_ok())
                });
                hold(fits && self.submitted(), Rule::EntryInvalid, key)
            }
            Entry::Replaces(_) => {
                let says_more = |put: &Put| !matches!(Entry::from_value(&put.value), Ok(Entry::Replaces(_)));
                hold(self.change.puts.iter().any(says_more), Rule::EntryInvalid, key)
            }
            Entry::CloseoutRequest(request) => hold(request.seen == *self.seen(), Rule::EntryInvalid, key),
            Entry::CloseoutSignoff(signoff) => hold(self.signoff_holds(signoff), Rule::EntryInvalid, key),
            Entry::Unlink(unlink) => {
                let linked = self.before.live(&format!("event/{}", unlink.link)).first();
                let linked = linked.map(|op| Entry::from_value(&op.value));
                hold(matches!(linked, Some(Ok(Entry::Link(_)))), Rule::EntryInvalid, key)
            }
            _ => Ok(()),
        }
    }

    fn submit_holds(&self, submit: &Submit) -> bool {
        let heads: Vec<String> = self.before.heads().iter().map(ToString::to_string).collect();
        submit.heads == heads
    }

    fn signoff_holds(&self, signoff: &CloseoutSignoff) -> bool {
        signoff.signer == self.author.user.to_string() && signoff.seen == *self.seen()
    }

    fn seen(&self) -> &Vec<String> {
        self.seen.get_or_init(|| crate::issue::seen(self.before))
    }
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Whether a check is submitted.
fn submitted(register: &Register) -> bool {
    let is_submit = |value: &Value| {
        let likely = as_text(value).is_some_and(|text| text.contains(r#""kind":"submit""#));
        likely && matches!(Entry::from_value(value), Ok(Entry::Submit(_)))
    };
    register.keys_under("event/").any(|(_, live)| live.iter().any(|op| is_submit(&op.value)))
}

const fn rule_of(misfit: Misfit) -> Rule {
    match misfit {
        Misfit::WrongType => Rule::WrongType,
        Misfit::OutOfRange => Rule::OutOfRange,
        Misfit::UnknownCode => Rule::UnknownCode,
        Misfit::MustBeSealed => Rule::MustBeSealed,
    }
}

/// Those who live and work in the village.
const RESIDENT: &[Role] = &[Role::WorkTeam, Role::FirstSecretary, Role::VillageOfficer, Role::Township];

/// Those who check households.
const CHECKING: &[Role] = &[
    Role::WorkTeam,
    Role::FirstSecretary,
    Role::VillageOfficer,
    Role::Township,
    Role::County,
    Role::Department,
    Role::Supervisor,
    Role::ThirdParty,
];

/// Those who speak for the locality in an issue.
const LOCAL: &[Role] =
    &[Role::WorkTeam, Role::FirstSecretary, Role::VillageOfficer, Role::Township, Role::County];

/// Who, besides the server, may write an entry into a document of this kind; nothing when the kind has
/// no such entries.
fn writers(kind: DocumentKind, entry: &Entry) -> Option<&'static [Role]> {
    let side = |side: Side| match side {
        Side::Local => LOCAL,
        Side::Department => &[Role::Department],
    };
    Some(match (kind, entry) {
        // It says something of its own change, whose other keys are judged by themselves.
        (_, Entry::Replaces(_)) => CHECKING,
        (DocumentKind::Household, Entry::Visit(_) | Entry::Link(_) | Entry::Unlink(_)) => RESIDENT,
        (DocumentKind::Household, Entry::Settle(_)) => RESIDENT,
        (DocumentKind::Village, Entry::Settle(_)) => &[Role::FirstSecretary, Role::Township],
        (DocumentKind::Check, Entry::Submit(_)) => CHECKING,
        (DocumentKind::Check, Entry::Correct(_)) => CHECKING,
        (DocumentKind::Issue, Entry::Settle(_)) => CHECKING,
        (DocumentKind::Issue, Entry::Progress(progress)) => side(progress.side),
        (DocumentKind::Issue, Entry::CloseoutRequest(_)) => LOCAL,
        (DocumentKind::Issue, Entry::CloseoutSignoff(signoff)) => match signoff.side {
            Side::Local => &[Role::FirstSecretary, Role::Township, Role::County],
            Side::Department => &[Role::Department],
        },
        (DocumentKind::Issue, Entry::Reopen(_)) => CHECKING,
        (DocumentKind::Issue, Entry::Extend(_) | Entry::Assign(_)) => {
            &[Role::Township, Role::County, Role::FirstSecretary]
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
