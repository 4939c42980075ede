//! The details of an invented member: name, certificate, health, schooling, labour and work.

use crate::certificate::Certificates;
use crate::date::Date;
use crate::household::{Code, SampleMember, SampleWork, Sex};
use crate::kinship::Place;
use crate::name::{Surnames, given_name};
use crate::parameters::Parameters;
use crate::random::{Random, whole};

/// Counties where people of the invented villages work, as six-digit codes.
const WORK_IN_PROVINCE: [Code; 5] = ["430102", "430105", "430181", "430211", "430802"];
const WORK_OUTSIDE: [Code; 6] = ["440306", "440113", "330782", "350582", "310115", "320583"];

/// What all members of one village are made from.
pub(crate) struct Maker<'a> {
    pub(crate) figures: &'a Parameters,
    pub(crate) on: Date,
    pub(crate) county_code: Code,
    pub(crate) certificates: Certificates,
}

/// What the members of a household have in common who did not marry into it.
#[derive(Clone, Copy)]
pub(crate) struct Family {
    pub(crate) surname: &'static str,
    pub(crate) ethnicity: Code,
}

impl Maker<'_> {
    /// The family of one household of the village.
    pub(crate) fn family(&self, random: &mut Random, surnames: &Surnames) -> Family {
        Family { surname: surnames.of_household(random), ethnicity: self.ethnicity(random) }
    }

    /// The family somebody in that place comes from: the household's own, or another for those who married in.
    fn family_of(&self, random: &mut Random, household: Family, place: Place) -> Family {
        if marries_in(place) {
            Family { surname: Surnames::of_incomer(random), ethnicity: self.ethnicity(random) }
        } else {
            household
        }
    }

    fn ethnicity(&self, random: &mut Random) -> Code {
        let shares = &self.figures.member;
        random.weighted(&[
            ("tujia", shares.tujia),
            ("han", shares.han),
            ("bai", shares.bai),
            ("miao", shares.miao),
        ])
    }

    /// A member with invented name, certificate, health and phone; schooling and work are by the age.
    pub(crate) fn member(
        &mut self,
        random: &mut Random,
        place: Place,
        family: Family,
        number: String,
    ) -> SampleMember {
        let mut member = self.person(random, place, family, number);
        school(random, self.figures, &mut member, place.age);
        self.labour(random, &mut member, place.age);
        self.insurance(random, &mut member, place.age);
        member
    }

    /// Who somebody is: everything that does not depend on schooling and work.
    pub(crate) fn person(
        &mut self,
        random: &mut Random,
        place: Place,
        family: Family,
        number: String,
    ) -> SampleMember {
        let Family { surname, ethnicity } = self.family_of(random, family, place);
        let birth = birth(random, self.on, place.age);
        let shares = &self.figures.member;
        let health = health(random, self.figures, place.age);
        let card = health.contains(&"disabled") && random.chance(shares.disability_card);
        let disability = card.then(|| disability(random));
        let mut certificate_no = self.certificates.next(random, birth, place.sex);
        if let Some((kind, grade)) = disability {
            certificate_no.push_str(&format!("{kind}{grade}"));
        }
        SampleMember {
            national_no: number,
            full_name: format!("{surname}{}", given_name(random, place.sex, birth.year)),
            sex: place.sex,
            birth,
            relation_to_head: place.relation,
            certificate_type: if card { "disability_card" } else { "identity_card" },
            certificate_no,
            ethnicity,
            health,
            disability,
            allowance: "none",
            at_home_months: 12,
            phone: (place.age >= 14 && random.chance(0.8)).then(|| phone(random)),
            ..SampleMember::default()
        }
    }

    /// Labour ability, and work for those who are able.
    pub(crate) fn labour(&self, random: &mut Random, member: &mut SampleMember, age: i64) {
        let shares = &self.figures.member;
        member.labour_ability = ability(random, self.figures, age, is_in_school(member));
        if !matches!(member.labour_ability, "ordinary" | "skilled" | "weak_or_half") || age > 69 {
            return;
        }
        let able = member.labour_ability != "weak_or_half" && age < 60;
        let work = if able && random.chance(shares.away_of_labour) {
            self.away(random)
        } else {
            let status =
                random.weighted(&[("farming_at_home", 0.86), ("not_working", 0.11), ("planning", 0.03)]);
            SampleWork { status, ..SampleWork::default() }
        };
        if !matches!(work.place, None | Some("in_township")) {
            member.at_home_months = 12 - work.months;
        }
        member.work = Some(work);
    }

    fn away(&self, random: &mut Random) -> SampleWork {
        let shares = &self.figures.member;
        let place = random.weighted(&[
            ("in_township", shares.away_town),
            ("in_county", shares.away_county),
            ("in_province", shares.away_province),
            ("outside_province", shares.away_outside),
        ]);
        let (status, county) = match place {
            "in_province" => ("in_province", random.pick(&WORK_IN_PROVINCE)),
            "outside_province" => ("outside_province", random.pick(&WORK_OUTSIDE)),
            _ => ("in_county", self.county_code),
        };
        let wage = random
            .lognormal(shares.wage_month_mu, shares.wage_month_sigma)
            .clamp(shares.wage_month_min, shares.wage_month_max);
        // People state wages in tens of yuan.
        let wage_month_fen = whole(wage / 10.0) * 1_000;
        SampleWork {
            status,
            county: Some(county),
            place: Some(place),
            months: random.between(3, 11),
            wage_month_fen,
        }
    }

    /// Medical cover and pension.
    pub(crate) fn insurance(&self, random: &mut Random, member: &mut SampleMember, age: i64) {
        let shares = &self.figures.medical;
        member.basic_medical = random.weighted(&[
            ("resident", shares.resident),
            ("employee", shares.employee),
            ("pending", shares.pending),
            ("uninsured", shares.uninsured),
        ]);
        member.pension = if age < 16 {
            None
        } else if is_in_school(member) {
            Some("under_age")
        } else if age >= 60 {
            Some("resident_receiving")
        } else {
            Some(random.weighted(&[("resident_paying", 0.95), ("employee", 0.02), ("not_joined", 0.03)]))
        };
    }
}

/// Whether a member goes to any school.
pub(crate) fn is_in_school(member: &SampleMember) -> bool {
    member.in_school_status.is_some_and(|status| status != "not_in_school")
}

/// A mobile number of the right shape.
pub(crate) fn phone(random: &mut Random) -> String {
    format!("1{}{:09}", random.between(3, 9), random.below(1_000_000_000))
}

/// A day of birth with which somebody is that old.
fn birth(random: &mut Random, on: Date, age: i64) -> Date {
    on.years_before(age).plus_days(-random.between(0, 364))
}

/// Kind (mostly physical) and grade of a disability card.
fn disability(random: &mut Random) -> (u8, u8) {
    let kind = random.weighted(&[(1, 0.1), (2, 0.12), (3, 0.02), (4, 0.52), (5, 0.1), (6, 0.12), (7, 0.02)]);
    (kind, random.weighted(&[(1, 0.15), (2, 0.3), (3, 0.3), (4, 0.25)]))
}

fn health(random: &mut Random, figures: &Parameters, age: i64) -> Vec<Code> {
    let shares = &figures.member;
    let [child, adult, senior, aged] = shares.unhealthy_by_age;
    let factor = match age {
        ..16 => child,
        16..60 => adult,
        60..75 => senior,
        _ => aged,
    };
    if !random.chance((1.0 - shares.healthy) * factor) {
        return vec!["healthy"];
    }
    match random.weighted(&[
        (1, shares.chronic),
        (2, shares.serious),
        (3, shares.disabled),
        (4, shares.combined),
    ]) {
        1 => vec!["chronic"],
        2 => vec!["serious_illness"],
        3 => vec!["disabled"],
        _ => vec!["chronic", "disabled"],
    }
}

/// Schooling by age: exactly one of schooling completed and in-school status.
fn school(random: &mut Random, figures: &Parameters, member: &mut SampleMember, age: i64) {
    match age {
        ..3 => member.education_level = Some("preschool_child"),
        3..6 if random.chance(0.85) => member.in_school_status = Some("preschool"),
        3..6 => member.education_level = Some("preschool_child"),
        6..16 if random.chance(figures.school.in_school) => member.in_school_status = Some(stage(age)),
        6..16 => {
            member.in_school_status = Some("not_in_school");
            member.out_of_school_reason = Some(reason(random, figures));
        }
        16..19 if random.chance(0.85) => {
            member.in_school_status = Some(if random.chance(0.6) { stage(age) } else { vocational(age) });
        }
        19..23 if random.chance(0.4) => member.in_school_status = Some("college_or_above"),
        _ => member.education_level = Some(level(random, age)),
    }
}

/// The school year of a child of that age.
pub(crate) fn stage(age: i64) -> Code {
    match age {
        ..6 => "preschool",
        6..12 => "primary",
        12 => "junior_1",
        13 => "junior_2",
        14 => "junior_3",
        15 | 16 => "senior_1",
        17 => "senior_2",
        18 => "senior_3",
        _ => "college_or_above",
    }
}

fn vocational(age: i64) -> Code {
    match age {
        16 => "vocational_1",
        17 => "vocational_2",
        _ => "vocational_3",
    }
}

pub(crate) fn reason(random: &mut Random, figures: &Parameters) -> Code {
    let shares = &figures.school;
    random.weighted(&[
        ("home_teaching", shares.home_teaching),
        ("unfit", shares.unfit),
        ("suspended", shares.suspended),
        ("weary_of_school", shares.dropout),
    ])
}

fn level(random: &mut Random, age: i64) -> Code {
    let weights = match age {
        ..35 => {
            [("illiterate", 0.005), ("primary", 0.06), ("junior_secondary", 0.5), ("senior_secondary", 0.25)]
        }
        35..60 => {
            [("illiterate", 0.03), ("primary", 0.36), ("junior_secondary", 0.5), ("senior_secondary", 0.09)]
        }
        _ => {
            [("illiterate", 0.25), ("primary", 0.57), ("junior_secondary", 0.15), ("senior_secondary", 0.03)]
        }
    };
    let college = ("college_or_above", if age < 35 { 0.185 } else { 0.02 });
    let [illiterate, primary, junior, senior] = weights;
    random.weighted(&[illiterate, primary, junior, senior, college])
}

pub(crate) fn ability(random: &mut Random, figures: &Parameters, age: i64, in_school: bool) -> Code {
    let shares = &figures.member;
    let able = shares.able_16_59;
    match age {
        ..16 => "none",
        _ if in_school => "none",
        16..60 => random.weighted(&[
            ("ordinary", able * (1.0 - shares.skilled_of_able)),
            ("skilled", able * shares.skilled_of_able),
            ("weak_or_half", (1.0 - able) * 0.75),
            ("lost", (1.0 - able) * 0.25),
        ]),
        60..75 => {
            random.weighted(&[("ordinary", 0.15), ("weak_or_half", 0.55), ("lost", 0.05), ("none", 0.25)])
        }
        _ => "none",
    }
}

/// Whether somebody in that place comes from another family.
fn marries_in(place: Place) -> bool {
    match place.relation {
        "head" | "spouse" => place.sex == Sex::Female,
        "daughter_in_law" | "mother" | "other" => true,
        _ => false,
    }
}
