//! What the rules find in a check, worked out again on the server from the documents it has accepted.
//!
//! The same function as on the device, over the same facts: the check as submitted, and the household as of the
//! visit. Private values are opened for it with the household's key and do not leave: what a rule looked at is
//! given out without them.

use ruhu_survey::entry::Visit;
use ruhu_survey::form::{Facts, Source, submitted_facts, told_in, visit_before};
use ruhu_survey::id::{CheckId, HouseholdId, VillageId};
use ruhu_survey::register::Register;
use ruhu_survey::rule::{Findings, find_pinned};
use ruhu_survey::sealed::{HouseholdKey, Sealer, SearchKey};

use crate::keys::{KeyError, KeyUse, ServerKeys};
use crate::store::{Store, StoreError};

/// Why there are no findings.
#[derive(Debug, thiserror::Error)]
pub enum FindingsError {
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A wrapped key does not open.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// What came of looking for the findings of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// The village has no such check.
    NoCheck,
    /// It is not submitted, or this program lacks its form or rules for it.
    NotJudged,
    /// The findings, with what private questions were answered.
    Found(Findings),
}

/// The findings of a check.
///
/// # Errors
/// That the store fails, or a wrapped key does not open.
pub fn findings(
    store: &dyn Store,
    keys: &ServerKeys,
    village: VillageId,
    check: CheckId,
) -> Result<Looked, FindingsError> {
    let Some(detail) = store.check(village, check)? else { return Ok(Looked::NoCheck) };
    let (Some(household), Some(_)) = (detail.check.household, &detail.check.submitted) else {
        return Ok(Looked::NotJudged);
    };
    let Some(of_household) = store.household(village, household)? else { return Ok(Looked::NotJudged) };
    let now = of_household.seen.register;
    let told = match told_in(&now, check) {
        Some(change) => store.as_of(village, household.into(), &[change])?,
        None => None,
    };
    let opened = household_keys(store, keys, village, household)?;
    let before = visit_before(told.as_ref().unwrap_or(&now), check);
    let last = last_check(store, village, before.as_ref())?;
    let visit = VisitDocuments {
        village,
        check: (check, &detail.seen.register),
        household: (household, told.as_ref().unwrap_or(&now)),
        last: last.as_ref().map(|(id, register)| (*id, register)),
        before: before.as_ref(),
    };
    Ok(find_pinned(&visit.facts(opened.as_ref())).map_or(Looked::NotJudged, Looked::Found))
}

/// The documents that a visit stands on.
struct VisitDocuments<'a> {
    village: VillageId,
    check: (CheckId, &'a Register),
    household: (HouseholdId, &'a Register),
    last: Option<(CheckId, &'a Register)>,
    before: Option<&'a Visit>,
}

impl VisitDocuments<'_> {
    fn facts(&self, keys: Option<&(HouseholdKey, SearchKey)>) -> Facts {
        let sealer =
            |document| keys.map(|(key, search)| Sealer { key, search, village: self.village, document });
        let (check, household) = (sealer(self.check.0.into()), sealer(self.household.0.into()));
        let last = self.last.and_then(|(id, _)| sealer(id.into()));
        submitted_facts(
            Source { register: self.check.1, sealer: check.as_ref() },
            Source { register: self.household.1, sealer: household.as_ref() },
            self.last.map(|(_, register)| Source { register, sealer: last.as_ref() }),
            self.before,
        )
    }
}

fn last_check(
    store: &dyn Store,
    village: VillageId,
    before: Option<&Visit>,
) -> Result<Option<(CheckId, Register)>, StoreError> {
    let Some(id) = before.and_then(|visit| visit.check.parse::<CheckId>().ok()) else { return Ok(None) };
    Ok(store.check(village, id)?.map(|detail| (id, detail.seen.register)))
}

fn household_keys(
    store: &dyn Store,
    keys: &ServerKeys,
    village: VillageId,
    household: HouseholdId,
) -> Result<Option<(HouseholdKey, SearchKey)>, FindingsError> {
    let wrapped = store.household_keys(village)?.into_iter().find(|(id, _)| *id == household);
    let (Some((_, wrapped)), Some(search)) = (wrapped, store.village_key(village)?) else { return Ok(None) };
    let key = HouseholdKey::from_bytes(*keys.unwrap::<64>(KeyUse::Household(village, household), &wrapped)?);
    Ok(Some((key, SearchKey(*keys.unwrap::<32>(KeyUse::Village(village), &search)?))))
}
