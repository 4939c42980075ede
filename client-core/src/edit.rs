//! Editing the register outside a visit: fields, members, new households, settlements, issues.
//!
//! Each call is one change, written when it returns: the person left the household.

use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind};
use ruhu_survey::household::{
    Because, Input, NewHousehold, NewMember, add_member, end_member, found_household, set_field,
};
use ruhu_survey::id::{CheckId, HouseholdId, IssueId, VillageId};
use ruhu_survey::issue::{self, NewIssue};
use ruhu_survey::photo::PhotoSealer;
use ruhu_survey::sealed::{HouseholdKey, Sealer, SearchKey};
use ruhu_survey::shown::{settle, shown};
use rusqlite::Connection;
use zeroize::Zeroizing;

use crate::author::Pen;
use crate::client::Client;
use crate::env::random;
use crate::error::Error;
use crate::store::document::{self, Place, Stored};
use crate::store::village;

/// One field to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The field's key, such as `group_name` or `member/<id>/phone`.
    pub key: String,
    /// What to write.
    pub input: Input,
    /// Where it comes from and why.
    pub because: Because,
}

impl Edit {
    /// A text as a person types it, without source or reason.
    #[must_use]
    pub fn text(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), input: Input::Text(text.into()), because: Because::default() }
    }
}

/// An issue as a person enters it (问题).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueEntry {
    /// The household it is about.
    pub household: HouseholdId,
    /// A code of `issue_category`.
    pub category: String,
    /// A code of `issue_origin`.
    pub origin: String,
    /// What is wrong.
    pub description: String,
    /// What must be so for it to be closed.
    pub required_result: Option<String>,
    /// 1 to 3.
    pub severity: Option<i64>,
    /// The check that found it.
    pub found_by: Option<CheckId>,
}

/// The keys that seal and find the private values of one household.
#[derive(Debug)]
pub(crate) struct Keys {
    household: HouseholdKey,
    search: SearchKey,
}

impl Keys {
    /// The keys of a household; `None` while its key or the village's has not come.
    pub(crate) fn load(
        connection: &Connection,
        village: VillageId,
        household: HouseholdId,
    ) -> Result<Option<Self>, Error> {
        let Some(search) = village::search_key(connection, village)? else { return Ok(None) };
        let Some(household) = village::household_key(connection, household)? else { return Ok(None) };
        Ok(Some(Self { household, search: SearchKey(*search) }))
    }

    /// What seals and opens the household's photos.
    pub(crate) fn photo_sealer(&self, village: VillageId, household: HouseholdId) -> PhotoSealer<'_> {
        PhotoSealer { key: &self.household, village, household }
    }

    /// What seals and opens values of one document of the household.
    pub(crate) fn sealer(&self, village: VillageId, document: DocumentId) -> Sealer<'_> {
        Sealer { key: &self.household, search: &self.search, village, document }
    }
}

impl Client {
    /// Writes fields of a household's register, in one change.
    ///
    /// # Errors
    /// [`Error::UnknownHousehold`], [`Error::Input`] when something does not fit its field,
    /// [`Error::NotAllowed`] when the person may not write it; nothing is written then.
    pub fn edit_household(&mut self, household: HouseholdId, edits: &[Edit]) -> Result<(), Error> {
        self.change_household(household, |builder, sealer| {
            for Edit { key, input, because } in edits {
                set_field(builder, DocumentKind::Household, key, input, because, sealer)?;
            }
            Ok(())
        })
    }

    /// Adds a member; the id of the new member.
    ///
    /// # Errors
    /// Those of [`Client::edit_household`].
    pub fn add_member(&mut self, household: HouseholdId, member: &NewMember) -> Result<String, Error> {
        self.change_household(household, |builder, sealer| Ok(add_member(builder, member, sealer)?))
    }

    /// Ends a member, who stays in the register with the day (`YYYY-MM-DD`) and the reason (a code or
    /// label of `member_change`).
    ///
    /// # Errors
    /// Those of [`Client::edit_household`].
    pub fn end_member(
        &mut self,
        household: HouseholdId,
        member: &str,
        left_on: &str,
        leave_reason: &str,
        because: &Because,
    ) -> Result<(), Error> {
        self.change_household(household, |builder, _| {
            Ok(end_member(builder, member, left_on, leave_reason, because)?)
        })
    }

    /// Founds a household that no roster knows, with its members, and makes the key of its private
    /// values; the first of `members` is the head.
    ///
    /// # Errors
    /// [`Error::UnknownVillage`], and those of [`Client::edit_household`].
    pub fn new_household(
        &mut self,
        village: VillageId,
        household: &NewHousehold,
        members: &[NewMember],
    ) -> Result<HouseholdId, Error> {
        let id = HouseholdId::from_bytes(self.next_founded_id()?);
        let seed: Zeroizing<[u8; 32]> = Zeroizing::new(random(self.environment())?);
        let key = HouseholdKey::from_seed(&seed);
        self.author(village, |pen| {
            village::found_key(pen.tx, village, id, key.as_bytes())?;
            let mut stored = document::load_or_make(pen.tx, village, id.into())?;
            let keys = Keys::load(pen.tx, village, id)?;
            let sealer = keys.as_ref().map(|keys| keys.sealer(village, id.into()));
            pen.write(&mut stored, Place::Anywhere, |builder| {
                found_household(builder, household, sealer.as_ref())?;
                let mut head = None;
                for member in members {
                    let member = add_member(builder, member, sealer.as_ref())?;
                    head.get_or_insert(member);
                }
                if let Some(head) = head {
                    let (input, because) = (Input::Text(head), Because::default());
                    set_field(builder, DocumentKind::Household, "head_member_id", &input, &because, None)?;
                }
                Ok(())
            })?;
            Ok(id)
        })
    }

    /// Settles a conflict: the value that the change `chosen` wrote is put in the place of all, with an
    /// entry that names what was settled, and why.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], [`Error::NoConflict`], [`Error::Settle`] when the choice is none of the
    /// values or there is no reason, [`Error::NotAllowed`].
    pub fn settle(
        &mut self,
        document: DocumentId,
        key: &str,
        chosen: ChangeHash,
        reason: &str,
    ) -> Result<(), Error> {
        let stored = self.stored(document)?;
        if !shown(&stored.register, document.kind, key).is_some_and(|shown| shown.open) {
            return Err(Error::NoConflict(key.to_owned()));
        }
        self.author(stored.village, |pen| {
            let mut stored = pen.stored(stored.village, document)?;
            pen.write(&mut stored, Place::Anywhere, |builder| Ok(settle(builder, key, chosen, reason)?))?;
            Ok(())
        })
    }

    /// Opens an issue about a household; its id.
    ///
    /// # Errors
    /// [`Error::UnknownHousehold`], [`Error::NotAllowed`] naming what does not fit.
    pub fn open_issue(&mut self, entry: &IssueEntry) -> Result<IssueId, Error> {
        let village = self.stored_household(entry.household)?.standing()?.village;
        let id = IssueId::from_bytes(self.next_founded_id()?);
        let new = NewIssue {
            device: self.identity()?.device(),
            household: entry.household,
            category: entry.category.clone(),
            origin: entry.origin.clone(),
            description: entry.description.clone(),
            required_result: entry.required_result.clone(),
            severity: entry.severity,
            found_by: entry.found_by,
        };
        self.author(village, |pen| {
            let mut stored = document::load_or_make(pen.tx, village, id.into())?;
            pen.write(&mut stored, Place::Anywhere, |builder| {
                issue::open(builder, &new);
                Ok(())
            })?;
            Ok(id)
        })
    }

    fn change_household<T>(
        &mut self,
        household: HouseholdId,
        build: impl FnOnce(&mut ruhu_survey::register::ChangeBuilder<'_>, Option<&Sealer<'_>>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let village = self.stored_household(household)?.village;
        self.author(village, |pen| {
            let mut stored = pen.stored(village, household.into())?;
            let keys = Keys::load(pen.tx, village, household)?;
            let sealer = keys.as_ref().map(|keys| keys.sealer(village, household.into()));
            let (built, _) =
                pen.write(&mut stored, Place::Anywhere, |builder| build(builder, sealer.as_ref()))?;
            Ok(built)
        })
    }

    pub(crate) fn stored_household(&self, household: HouseholdId) -> Result<Stored, Error> {
        let found = document::find(self.store.read(), household.into())?;
        found.ok_or(Error::UnknownHousehold(household))
    }
}

impl Pen<'_> {
    /// A document that is there, as it stands inside this transaction.
    pub(crate) fn stored(&self, village: VillageId, id: DocumentId) -> Result<Stored, Error> {
        let found = document::load(self.tx, village, id)?;
        found.ok_or_else(|| Error::UnknownDocument(id.to_string()))?.standing()
    }
}
