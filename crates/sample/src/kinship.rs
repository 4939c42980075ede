//! Who lives in an invented household: ages by the population's age bands, then relations that fit the ages.

use crate::household::{Code, Sex};
use crate::parameters::Parameters;
use crate::random::Random;

/// A place in a household before it has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) relation: Code,
    pub(crate) sex: Sex,
    pub(crate) age: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Band {
    #[default]
    Adult,
    Infant,
    Pupil,
    Senior,
    Aged,
}

/// How many of each age band a household has. Drawing bands first keeps the population's age structure, whatever
/// families are then made of them.
#[derive(Clone, Copy, Debug, Default)]
struct Bands {
    infants: usize,
    pupils: usize,
    adults: usize,
    seniors: usize,
    aged: usize,
}

/// Draws the places of one household; the first is the head.
pub(crate) fn places(random: &mut Random, figures: &Parameters) -> Vec<Place> {
    let sizes: Vec<(usize, f64)> = figures.household.size.iter().copied().enumerate().collect();
    let size = random.weighted(&sizes) + 1;
    let bands = bands(random, figures, size);
    if bands.adults >= 2 || (bands.adults == 1 && (bands.seniors + bands.aged == 0 || random.chance(0.4))) {
        headed_by_adults(random, figures, bands)
    } else {
        headed_by_elders(random, figures, bands)
    }
}

fn bands(random: &mut Random, figures: &Parameters, size: usize) -> Bands {
    let member = &figures.member;
    let weights = [
        (Band::Infant, member.age_0_5),
        (Band::Pupil, member.age_6_15),
        (Band::Adult, member.age_16_59),
        (Band::Senior, member.age_60_74),
        (Band::Aged, member.age_75_plus),
    ];
    let mut bands = Bands::default();
    for _ in 0..size {
        match random.weighted(&weights) {
            Band::Infant => bands.infants += 1,
            Band::Pupil => bands.pupils += 1,
            Band::Adult => bands.adults += 1,
            Band::Senior => bands.seniors += 1,
            Band::Aged => bands.aged += 1,
        }
    }
    // Children do not live alone.
    if bands.adults + bands.seniors + bands.aged == 0 {
        bands.adults = 1;
        if bands.pupils > 0 { bands.pupils -= 1 } else { bands.infants -= 1 }
    }
    bands
}

/// A couple or a single parent in working years, their children, and their parents.
fn headed_by_adults(random: &mut Random, figures: &Parameters, bands: Bands) -> Vec<Place> {
    let kids = child_ages(random, bands);
    let eldest = kids.iter().copied().max().unwrap_or(0);
    let grown = bands.adults.saturating_sub(2);
    let low = if grown > 0 { 42.max(eldest + 22) } else { 24.max(eldest + 21) };
    let high = if bands.seniors > 0 { 55 } else { 59 };
    let head_age = random.between(low, high.max(low));
    let couple = bands.adults >= 2;
    let head_sex = head_sex(random, figures, couple);
    let mut places = vec![Place { relation: "head", sex: head_sex, age: head_age }];
    if couple {
        let younger = if head_sex == Sex::Male { 2 } else { -2 };
        let age = (head_age - younger + random.between(-3, 3)).clamp(eldest.max(2) + 18, 59);
        places.push(Place { relation: "spouse", sex: head_sex.other(), age });
    }
    grown_children(random, figures, &mut places, grown, head_age);
    let has_grown_son = places.iter().any(|place| place.relation == "son" && place.age >= 24);
    for age in kids {
        let grandchild = head_age - age > 40 && has_grown_son;
        places.push(child(random, figures, age, if grandchild { GRANDCHILD } else { CHILD }));
    }
    parents(random, &mut places, bands, head_age);
    places
}

/// Old people alone, or with a grown child and grandchildren.
fn headed_by_elders(random: &mut Random, figures: &Parameters, bands: Bands) -> Vec<Place> {
    let mut ages: Vec<i64> = (0..bands.seniors).map(|_| random.between(60, 74)).collect();
    ages.extend((0..bands.aged).map(|_| aged(random)));
    let kids = child_ages(random, bands);
    let couple = ages.len() >= 2;
    let head_age = ages.first().copied().unwrap_or(66);
    let sex = head_sex(random, figures, couple);
    let mut places = vec![Place { relation: "head", sex, age: head_age }];
    for (index, age) in ages.into_iter().enumerate().skip(1) {
        let (relation, sex) = match index {
            1 if (age - head_age).abs() <= 14 => ("spouse", sex.other()),
            _ if age >= head_age + 16 => ("mother", Sex::Female),
            _ => ("sibling", sex_of(random, figures)),
        };
        let taken = places.iter().any(|place| place.relation == relation && relation == "mother");
        places.push(Place { relation: if taken { "other" } else { relation }, sex, age });
    }
    let eldest = kids.iter().copied().max();
    for _ in 0..bands.adults {
        let low = eldest.map_or(18, |age| age + 20);
        let high = (head_age - 19).min(56);
        let age = random.between(low.min(high), high);
        places.push(child(random, figures, age, CHILD));
    }
    for age in kids {
        places.push(child(random, figures, age, GRANDCHILD));
    }
    places
}

/// Grown children of the head; the second may be the first one's wife.
fn grown_children(
    random: &mut Random,
    figures: &Parameters,
    places: &mut Vec<Place>,
    count: usize,
    head_age: i64,
) {
    let mut single_son: Option<i64> = None;
    for _ in 0..count {
        if let Some(age) = single_son.take().filter(|age| *age >= 22 && random.chance(0.6)) {
            let age = (age + random.between(-4, 1)).max(20);
            places.push(Place { relation: "daughter_in_law", sex: Sex::Female, age });
            continue;
        }
        let age = random.between(16, (head_age - 20).max(16));
        let place = child(random, figures, age, CHILD);
        if place.sex == Sex::Male {
            single_son = Some(place.age);
        }
        places.push(place);
    }
}

/// The parents of a head in working years: a couple first, anyone else is a grandmother or another relative.
fn parents(random: &mut Random, places: &mut Vec<Place>, bands: Bands, head_age: i64) {
    let mut ages: Vec<i64> = (0..bands.seniors).map(|_| random.between(60.max(head_age + 18), 74)).collect();
    ages.extend((0..bands.aged).map(|_| aged(random).max(head_age + 18)));
    let mut sex = if random.chance(0.58) { Sex::Female } else { Sex::Male };
    for (index, age) in ages.into_iter().enumerate() {
        let relation = match (index, sex) {
            (0 | 1, Sex::Male) => "father",
            (0 | 1, Sex::Female) => "mother",
            _ => "other",
        };
        places.push(Place { relation, sex, age });
        sex = sex.other();
    }
}

/// Relations of a boy and of a girl.
type ByGender = (Code, Code);
const CHILD: ByGender = ("son", "daughter");
const GRANDCHILD: ByGender = ("sons_son", "sons_daughter");

fn child(random: &mut Random, figures: &Parameters, age: i64, relations: ByGender) -> Place {
    let sex = sex_of(random, figures);
    Place { relation: if sex == Sex::Male { relations.0 } else { relations.1 }, sex, age }
}

fn child_ages(random: &mut Random, bands: Bands) -> Vec<i64> {
    let mut ages: Vec<i64> = (0..bands.pupils).map(|_| random.between(6, 15)).collect();
    ages.extend((0..bands.infants).map(|_| random.between(0, 5)));
    ages
}

fn aged(random: &mut Random) -> i64 {
    75 + random.between(0, 9) + random.between(0, 8)
}

fn sex_of(random: &mut Random, figures: &Parameters) -> Sex {
    if random.chance(figures.member.male + 0.01) { Sex::Male } else { Sex::Female }
}

/// Nine in ten couples name the husband; of those alone a little more than half are men.
fn head_sex(random: &mut Random, figures: &Parameters, couple: bool) -> Sex {
    let male = if couple { 0.92 } else { figures.member.male + 0.06 };
    if random.chance(male) { Sex::Male } else { Sex::Female }
}
