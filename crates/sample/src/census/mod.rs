//! Households of a public teaching census (Popstan, released under CC0) as villages of ours.
//!
//! Sizes, ages, sexes, relations, schooling, work, dwellings and water are the census's; names, certificate numbers,
//! health and incomes are invented. The census texts are not part of the program: they are passed in.

mod table;
mod translate;

use std::collections::BTreeMap;

use crate::date::Date;
use crate::household::{SampleHousehold, SampleMember, SampleVillage};
use crate::living::{housing, water};
use crate::member::Maker;
use crate::name::Surnames;
use crate::parameters::Parameters;
use crate::random::Random;
use crate::village::{VillageRequest, empty_village, maker, number, people, person_number, settle};
use table::Record;

/// The columns that tell one dwelling from another.
const DWELLING_KEY: [&str; 8] = ["PROVINCE", "DISTRICT", "VILLAGE", "EA", "UR", "BUILDING", "HU", "HH"];

/// Why the census texts could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CensusError {
    /// The header line lacks a column.
    #[error("the column {0} is missing")]
    MissingColumn(&'static str),
    /// A line has more or fewer cells than the header.
    #[error("line {0} has another number of cells than the header")]
    Cells(usize),
    /// A cell holds a value the census does not define.
    #[error("line {line}: {column} cannot be {value:?}")]
    Value {
        /// The line, from 1 for the header.
        line: usize,
        /// The column.
        column: &'static str,
        /// What the cell holds.
        value: String,
    },
    /// A person belongs to a dwelling that is not among the households.
    #[error("line {0} belongs to no dwelling")]
    NoDwelling(usize),
    /// Two dwellings have the same key.
    #[error("line {0} repeats the key of an earlier dwelling")]
    RepeatedDwelling(usize),
    /// A household has no head, or more than one.
    #[error("the household of line {0} has not exactly one head")]
    Heads(usize),
}

/// How the census becomes villages.
#[derive(Clone, Copy, Debug)]
pub struct CensusRequest {
    /// Seed of what is invented.
    pub seed: u64,
    /// Into how many villages the households are spread; at least 1.
    pub villages: usize,
    /// The day on which people are as old as the census says.
    pub on: Date,
}

/// The census as villages, with what was counted on the way.
#[derive(Clone, Debug)]
pub struct CensusVillages {
    /// The villages; neighbours of the census stay neighbours.
    pub villages: Vec<SampleVillage>,
    /// Dwellings in the census, with people or without.
    pub dwellings: usize,
    /// Dwellings without people, which are not households.
    pub empty_dwellings: usize,
    /// People, all of whom are members of a household.
    pub people: usize,
}

struct Dwelling<'a> {
    record: Record<'a>,
    people: Vec<Record<'a>>,
}

/// Turns the two census texts, CSV with a header line each, into villages.
///
/// # Errors
/// [`CensusError`] names the line that cannot be read. No person is ever left out silently.
pub fn villages(
    households_csv: &str,
    persons_csv: &str,
    request: &CensusRequest,
    figures: &Parameters,
) -> Result<CensusVillages, CensusError> {
    let homes = table::read(households_csv)?;
    let persons = table::read(persons_csv)?;
    let dwellings = dwellings(&homes, &persons)?;
    let total = dwellings.len();
    let inhabited: Vec<Dwelling<'_>> =
        dwellings.into_iter().filter(|dwelling| !dwelling.people.is_empty()).collect();
    let people = inhabited.iter().map(|dwelling| dwelling.people.len()).sum();
    let empty_dwellings = total - inhabited.len();
    let size = inhabited.len().div_ceil(request.villages.max(1)).max(1);
    let villages = inhabited
        .chunks(size)
        .zip(0..)
        .map(|(part, ordinal)| census_village(part, ordinal, request, figures))
        .collect::<Result<_, _>>()?;
    Ok(CensusVillages { villages, dwellings: total, empty_dwellings, people })
}

/// Brings people and dwellings together, in the order of the dwellings' lines.
fn dwellings<'a>(homes: &[Record<'a>], persons: &[Record<'a>]) -> Result<Vec<Dwelling<'a>>, CensusError> {
    let mut positions = BTreeMap::new();
    let mut dwellings = Vec::with_capacity(homes.len());
    for record in homes {
        if positions.insert(record.key(DWELLING_KEY)?, dwellings.len()).is_some() {
            return Err(CensusError::RepeatedDwelling(record.line));
        }
        dwellings.push(Dwelling { record: record.clone(), people: Vec::new() });
    }
    for record in persons {
        let position = positions.get(&record.key(DWELLING_KEY)?).copied();
        let dwelling = position.and_then(|position| dwellings.get_mut(position));
        dwelling.ok_or(CensusError::NoDwelling(record.line))?.people.push(record.clone());
    }
    Ok(dwellings)
}

fn census_village(
    dwellings: &[Dwelling<'_>],
    ordinal: u64,
    request: &CensusRequest,
    figures: &Parameters,
) -> Result<SampleVillage, CensusError> {
    let place = VillageRequest { seed: request.seed, ordinal, households: dwellings.len(), on: request.on };
    let mut village = empty_village(&place);
    let mut naming = Random::stream(request.seed, ordinal);
    let surnames = Surnames::of_village(&mut naming, &figures.village);
    let mut maker = maker(&place, figures);
    let household_seed = naming.bits();
    for (index, dwelling) in dwellings.iter().enumerate() {
        let mut random = Random::stream(household_seed, u64::try_from(index).unwrap_or(u64::MAX));
        let members = members(&mut random, &mut maker, &surnames, dwelling, &number(&place, index))?;
        let national_no = number(&place, index);
        let mut household = SampleHousehold { national_no, members, ..SampleHousehold::default() };
        settle(&mut random, figures, &mut household, &village);
        let invented = housing(&mut random, figures, people(&household), request.on.year);
        household.housing = translate::housing(&mut random, &dwelling.record, invented)?;
        household.water = translate::water(&dwelling.record, water(&mut random, figures))?;
        village.households.push(household);
    }
    Ok(village)
}

fn members(
    random: &mut Random,
    maker: &mut Maker<'_>,
    surnames: &Surnames,
    dwelling: &Dwelling<'_>,
    household_no: &str,
) -> Result<Vec<SampleMember>, CensusError> {
    let family = maker.family(random, surnames);
    let mut people = Vec::with_capacity(dwelling.people.len());
    for (record, place) in translate::places(&dwelling.record, &dwelling.people)? {
        let number = person_number(household_no, people.len());
        let mut member = maker.person(random, place, family, number);
        translate::school(random, maker.figures, record, &mut member, place.age)?;
        translate::work(random, maker, record, &mut member, place.age)?;
        maker.insurance(random, &mut member, place.age);
        people.push(member);
    }
    Ok(people)
}

#[cfg(test)]
pub(crate) mod tests;
