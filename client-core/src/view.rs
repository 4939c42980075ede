//! One household or one check as a person looks at it.

use ruhu_survey::change::{DocumentId, DocumentKind, Value};
use ruhu_survey::field_table::{AnswerState, FieldKey, Source, format_value};
use ruhu_survey::household::{Household, Private, reveal};
use ruhu_survey::id::{CheckId, HouseholdId, VillageId};
use ruhu_survey::shown::{Shown, all_shown, companion, source_of};

use crate::client::Client;
use crate::edit::Keys;
use crate::error::Error;
use crate::list::{CheckState, ListedCheck, SendState, standing};
use crate::record::{Authors, OpenConflict, Written};
use crate::store::document::Stored;
use crate::store::draft::{self, DraftAnswer};

/// A household with all that is known of it (农户).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HouseholdView {
    /// Its village.
    pub village: VillageId,
    /// Its members, visits and what lists need, read by type.
    pub household: Household,
    /// Every field of the register with its shown value, by key; private ones masked.
    pub fields: Vec<FieldView>,
    /// Its checks, the newest first.
    pub checks: Vec<ListedCheck>,
    /// The answers of the newest submitted check, by key.
    pub latest_answers: Vec<FieldView>,
    /// The fields with unequal concurrent values.
    pub conflicts: Vec<OpenConflict>,
    /// Where this device's own edits of the register stand; `None` when there are none, or all are received.
    pub send_state: Option<SendState>,
}

/// A check with its answers (入户排查).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckView {
    /// What lists show of it.
    pub line: ListedCheck,
    /// Its fields and answers, by key; empty for a draft, whose answers [`Client::draft`] gives.
    pub fields: Vec<FieldView>,
}

/// A draft with its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What lists show of it.
    pub line: ListedCheck,
    /// The answers so far, those for the household first, by key; private ones in clear.
    pub answers: Vec<DraftAnswer>,
}

/// One field with its shown value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldView {
    /// The key.
    pub key: String,
    /// The Chinese label.
    pub zh: String,
    /// The English label.
    pub en: String,
    /// The value as people read it; of a private one its mask.
    pub text: String,
    /// Whether it is private: [`Client::reveal`] opens it.
    pub private: bool,
    /// Refused, unknown or not applicable, instead of a value.
    pub state: Option<AnswerState>,
    /// Who wrote it, when, and from which device.
    pub written: Written,
    /// Where it comes from.
    pub source: Source,
    /// Why it was written.
    pub reason: Option<String>,
    /// Whether another, unequal value stands beside it.
    pub open: bool,
}

impl Client {
    /// A household with its members, its latest answers with who wrote them, and its open conflicts.
    ///
    /// # Errors
    /// [`Error::UnknownHousehold`], or that the store fails.
    pub fn household(&self, household: HouseholdId) -> Result<HouseholdView, Error> {
        let stored = self.stored_household(household)?;
        let checks = self.checks(household)?;
        let newest = checks.iter().find(|check| check.state == CheckState::Submitted);
        let latest = newest.map(|check| self.stored(check.id.into())).transpose()?;
        let answers = latest.map(|stored| self.fields(&stored)).transpose()?.unwrap_or_default();
        Ok(HouseholdView {
            village: stored.village,
            household: Household::read(household, &stored.register),
            fields: self.fields(&stored)?,
            latest_answers: answers.into_iter().filter(|field| field.key.starts_with("answer/")).collect(),
            conflicts: self.conflicts_of(&stored)?,
            send_state: standing(self.store.read(), stored.row)?,
            checks,
        })
    }

    /// A check with its answers.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], or that the store fails.
    pub fn check(&self, check: CheckId) -> Result<CheckView, Error> {
        let line = self.check_line(check)?;
        let fields = match line.state {
            CheckState::Submitted => self.fields(&self.stored(check.into())?)?,
            CheckState::Draft | CheckState::Withdrawn => Vec::new(),
        };
        Ok(CheckView { line, fields })
    }

    /// The answers of a draft, or of a check that was withdrawn or submitted on this device.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], or that the store fails.
    pub fn draft(&self, check: CheckId) -> Result<Draft, Error> {
        Ok(Draft { line: self.check_line(check)?, answers: draft::all(self.store.read(), check)? })
    }

    /// Every field of a document of any kind, with its shown value.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], or that the store fails.
    pub fn document(&self, document: DocumentId) -> Result<Vec<FieldView>, Error> {
        self.fields(&self.stored(document)?)
    }

    /// Opens the private value that is shown at a key; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], [`Error::NoHouseholdKey`] when the key has not come, or
    /// [`Error::Closed`] when it does not open the value.
    pub fn reveal(&self, document: DocumentId, key: &str) -> Result<Option<String>, Error> {
        let stored = self.stored(document)?;
        let household = self.household_of(&stored)?;
        if !Private::read(&stored.register, document.kind, key).is_there() {
            return Ok(None);
        }
        let keys = Keys::load(self.store.read(), stored.village, household)?;
        let keys = keys.ok_or(Error::NoHouseholdKey(household))?;
        let sealer = keys.sealer(stored.village, document);
        reveal(&stored.register, document.kind, key, &sealer).map_err(|_| Error::Closed(key.to_owned()))
    }

    /// The household that a document is about.
    fn household_of(&self, stored: &Stored) -> Result<HouseholdId, Error> {
        if stored.id.kind == DocumentKind::Household {
            return Ok(HouseholdId::from_bytes(stored.id.id));
        }
        let named = stored.register.live("household_id").first().map(|op| &op.value);
        match named {
            Some(Value::Text(id)) => id.parse().map_err(|_| Error::UnknownDocument(id.clone())),
            _ => Err(Error::UnknownDocument(stored.id.to_string())),
        }
    }

    fn fields(&self, stored: &Stored) -> Result<Vec<FieldView>, Error> {
        let mut authors = Authors::new(self.store.read(), self.identity_if_any(), stored.row);
        let all = all_shown(&stored.register, stored.id.kind);
        all.map(|(key, shown)| field_view(stored, &mut authors, key, shown)).collect()
    }
}

fn field_view(
    stored: &Stored,
    authors: &mut Authors<'_>,
    found: FieldKey<'_>,
    shown: Shown<'_>,
) -> Result<FieldView, Error> {
    let (field, key, op) = (found.field, found.value_key, shown.op);
    let beside = |name| companion(&stored.register, key, name, op.change);
    let text = match &op.value {
        Value::Bytes(_) => beside("mask").unwrap_or("****").to_owned(),
        value => format_value(field, value),
    };
    Ok(FieldView {
        key: key.to_owned(),
        zh: field.zh.clone(),
        en: field.en.clone(),
        text,
        private: matches!(op.value, Value::Bytes(_)),
        state: AnswerState::of(&op.value),
        written: authors.written(op)?,
        source: source_of(&stored.register, key, op.change),
        reason: beside("reason").map(ToOwned::to_owned),
        open: shown.open,
    })
}
