//! Finding the village and the household that a person means.

use ruhu_client_core::{Client, ListedHousehold, Query, Village};
use ruhu_survey::id::HouseholdId;

use crate::arguments::InVillage;
use crate::failure::Failure;

/// The village that was named by id, code or name; the only one when none was named.
pub(crate) fn village(client: &Client, place: &InVillage) -> Result<Village, Failure> {
    let villages = client.villages()?;
    let count = villages.len();
    let mut named = villages.into_iter().filter(|village| {
        place.village.as_ref().is_none_or(|text| {
            *text == village.code || *text == village.name || *text == village.id.to_string()
        })
    });
    match (named.next(), named.next()) {
        (Some(village), None) => Ok(village),
        _ => Err(Failure::Village(count)),
    }
}

/// The household that was named by id, official number, or the full name of its head.
pub(crate) fn household(client: &Client, text: &str) -> Result<HouseholdId, Failure> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let mut found = Vec::new();
    for village in client.villages()? {
        let query = Query { text: text.to_owned(), with_closed: true, ..Query::default() };
        let listed = client.households(village.id, &query)?;
        found.extend(listed.into_iter().filter(|household| is_named(household, text)).map(|found| found.id));
    }
    match found.as_slice() {
        [only] => Ok(*only),
        _ => Err(Failure::Household { text: text.to_owned(), found: found.len() }),
    }
}

fn is_named(household: &ListedHousehold, text: &str) -> bool {
    household.head_name == text || household.number == text
}
