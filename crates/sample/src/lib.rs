//! Invented villages for demonstrations, tests and benchmarks: pure functions of a seed, no I/O.
//!
//! Nobody here exists. Certificate numbers lie in prefecture 4399, which was never issued; village codes end in
//! numbers no villagers' committee has. [`village`] makes a village from the figures of `generator.toml`;
//! [`census::villages`] makes villages from the rows of a public teaching census; [`roster_csv`] writes one as the
//! national sheet of persons; [`visit_answers`] and [`NOTES`] give what a visit would write down.

mod answer;
pub mod census;
mod certificate;
mod date;
mod household;
mod kinship;
mod leads;
mod living;
mod member;
mod name;
mod note;
mod parameters;
mod random;
mod roster;
mod village;
mod visit;

pub use answer::{SampleAnswer, SampleValue, VISIT_ANSWERS, visit_answers};
pub use date::Date;
pub use household::{
    Code, SampleHousehold, SampleHousing, SampleIncome, SampleMember, SampleMonitor, SampleVillage,
    SampleWater, SampleWork, Sex,
};
pub use leads::{Leads, leads};
pub use note::{NOTES, NUMBERED_NOTES, distinct_note, numbered_note};
pub use parameters::{
    HouseholdShares, HousingShares, IncomeShares, MedicalShares, MemberShares, Parameters, RiskShares,
    SchoolShares, ToiletShares, VillageShares, WaterShares,
};
pub use random::Random;
pub use roster::{ROSTER_COLUMNS, roster_csv};
pub use village::{REGIONS_CILI, VillageRequest, village};
pub use visit::{member_id, visit_facts};

#[cfg(test)]
mod tests;
