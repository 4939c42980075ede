//! The figures of `generator.toml`, which say what the invented villages look like.

use std::sync::LazyLock;

use serde::Deserialize;

/// Shares and distributions of the invented villages. Shares are fractions of one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields carry the names and comments of generator.toml")]
pub struct Parameters {
    pub household: HouseholdShares,
    pub risk: RiskShares,
    pub member: MemberShares,
    pub income: IncomeShares,
    pub housing: HousingShares,
    pub water: WaterShares,
    pub toilet: ToiletShares,
    pub school: SchoolShares,
    pub medical: MedicalShares,
    pub village: VillageShares,
}

impl Parameters {
    /// The figures that are part of the program.
    pub fn bundled() -> &'static Self {
        static BUNDLED: LazyLock<Parameters> = LazyLock::new(bundled);
        &BUNDLED
    }

    /// Reads other figures of the same shape.
    ///
    /// # Errors
    /// What is missing, unknown or of the wrong type.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

#[expect(clippy::expect_used, reason = "the text is part of the program, and a test reads it")]
fn bundled() -> Parameters {
    Parameters::parse(include_str!("../generator.toml")).expect("the bundled figures are well formed")
}

macro_rules! shares {
    ($($name:ident { $($field:ident: $kind:ty),* $(,)? })*) => {
        $(
            /// One table of `generator.toml`.
            #[derive(Clone, Debug, Deserialize)]
            #[serde(deny_unknown_fields)]
            #[expect(missing_docs, reason = "the fields carry the names and comments of generator.toml")]
            pub struct $name { $(pub $field: $kind),* }
        )*
    };
}

shares! {
    HouseholdShares {
        size: [f64; 8], lifted: f64, edge: f64, general_watch: f64, not_enjoying: f64, monitored: f64,
        eliminated_of_monitored: f64, unstable: f64, marginal: f64, sudden: f64, watch_line_yuan: f64,
        watch_factor: f64, rural_allowance: f64, has_phone: f64,
    }
    RiskShares {
        illness: f64, disability: f64, unstable_work: f64, lack_of_labour: f64, schooling: f64, accident: f64,
        disaster: f64, project_failure: f64, unsafe_housing: f64, unsafe_water: f64, other: f64,
    }
    MemberShares {
        age_0_5: f64, age_6_15: f64, age_16_59: f64, age_60_74: f64, age_75_plus: f64, male: f64, healthy: f64,
        chronic: f64, serious: f64, disabled: f64, combined: f64, unhealthy_by_age: [f64; 4],
        disability_card: f64, able_16_59: f64, skilled_of_able: f64, away_of_labour: f64, away_town: f64,
        away_county: f64, away_province: f64, away_outside: f64, wage_month_mu: f64, wage_month_sigma: f64,
        wage_month_min: f64, wage_month_max: f64, tujia: f64, han: f64, bai: f64, miao: f64,
    }
    IncomeShares {
        mu: f64, sigma: f64, wage: f64, business: f64, property: f64, transfer: f64, business_cost: f64,
        self_pay: f64, self_pay_mu: f64, self_pay_sigma: f64,
    }
    HousingShares {
        safe: f64, renovated: f64, relocated: f64, grade_a: f64, grade_b: f64, grade_c: f64, grade_d: f64,
        reinforced_concrete: f64, brick_concrete: f64, brick_wood: f64, adobe: f64, bamboo_wood: f64, other: f64,
    }
    WaterShares { piped: f64, shortage: f64, quality_unknown: f64 }
    ToiletShares { flush_sanitary: f64, flush_other: f64, dry_sanitary: f64, dry: f64, none: f64 }
    SchoolShares { in_school: f64, home_teaching: f64, unfit: f64, suspended: f64, dropout: f64 }
    MedicalShares { resident: f64, employee: f64, pending: f64, uninsured: f64 }
    VillageShares { clan_surnames: usize, clan_share: f64 }
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    #[test]
    fn the_bundled_figures_are_well_formed_and_their_shares_add_up() {
        let figures = Parameters::bundled();
        let member = &figures.member;
        let household = &figures.household;
        for (name, total) in [
            ("size", household.size.iter().sum()),
            ("type", household.lifted + household.edge + household.general_watch + household.not_enjoying),
            ("category", household.unstable + household.marginal + household.sudden),
            (
                "age",
                member.age_0_5 + member.age_6_15 + member.age_16_59 + member.age_60_74 + member.age_75_plus,
            ),
            ("health", member.healthy + member.chronic + member.serious + member.disabled + member.combined),
            ("ethnicity", member.tujia + member.han + member.bai + member.miao),
        ] {
            let total: f64 = total;
            assert!((total - 1.0).abs() < 1e-9, "{name} adds up to {total}");
        }
    }

    #[test]
    fn an_unknown_or_missing_figure_is_refused() {
        let text = include_str!("../generator.toml");
        assert!(Parameters::parse(&text.replace("male = 0.515", "male = 0.515\nmail = 0.5")).is_err());
        assert!(Parameters::parse(&text.replace("male = 0.515", "")).is_err());
    }
}
