//! The plain values of an invented village. Codes are those of `schemas/codes/*.toml`.

use crate::date::Date;

/// A code of one of the code lists, such as `brick_concrete`.
pub type Code = &'static str;

/// An invented village (行政村) with its households.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleVillage {
    /// 12-digit region code. Its last three digits are not issued.
    pub code: String,
    /// Name of the village.
    pub name: String,
    /// Name of the township.
    pub township: String,
    /// Name of the county.
    pub county: String,
    /// The day the figures are of.
    pub on: Date,
    /// Names of the villagers' groups (村民小组).
    pub groups: Vec<String>,
    /// The households in the order of their numbers.
    pub households: Vec<SampleHousehold>,
}

/// An invented household (农户).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleHousehold {
    /// Household number of the national register (户编号), 16 digits.
    pub national_no: String,
    /// Name of the villagers' group.
    pub group: String,
    /// Address within the village.
    pub address: String,
    /// Phone of the household; none for some.
    pub phone: Option<String>,
    /// List `household_type`.
    pub household_type: Code,
    /// List `poverty_attribute`, for a lifted household.
    pub poverty_attribute: Option<Code>,
    /// List `poverty_cause`: the main cause.
    pub main_cause: Option<Code>,
    /// Year in which a lifted household was lifted.
    pub exit_year: Option<i64>,
    /// Month in which the household was first registered.
    pub registered_month: Option<String>,
    /// Monitoring against return into poverty, for those monitored.
    pub monitor: Option<SampleMonitor>,
    /// The dwelling.
    pub housing: SampleHousing,
    /// Drinking water.
    pub water: SampleWater,
    /// Income of the last twelve months.
    pub income: SampleIncome,
    /// The members; the first is the head.
    pub members: Vec<SampleMember>,
}

impl SampleHousehold {
    /// Net income a person and year in fen, rounded down.
    pub fn per_capita_net_income_fen(&self) -> i64 {
        let people = i64::try_from(self.members.len()).unwrap_or(1).max(1);
        self.income.net_fen().div_euclid(people)
    }
}

/// The monitoring (监测) of a household.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleMonitor {
    /// List `monitor_category`.
    pub category: Code,
    /// List `risk_type`, one or two.
    pub risks: Vec<Code>,
    /// Month in which the household was identified.
    pub identified_month: String,
    /// Month in which the risk was declared eliminated, if it was.
    pub eliminated_month: Option<String>,
}

/// A dwelling (住房).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleHousing {
    /// List `dwelling_kind`.
    pub dwelling_kind: Code,
    /// List `house_structure`.
    pub structure: Code,
    /// Floor area in hundredths of a square metre.
    pub area_hundredths: i64,
    /// Year in which it was built.
    pub built_year: i64,
    /// List `house_grade`.
    pub grade: Code,
    /// List `grade_basis`.
    pub grade_basis: Code,
    /// List `safe_by`, for a dwelling of grade A or B.
    pub safe_by: Option<Code>,
    /// List `toilet`.
    pub toilet: Code,
}

/// Drinking water (饮水).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleWater {
    /// List `water_source`.
    pub source: Code,
    /// List `water_piped`.
    pub piped: Code,
    /// List `water_enough`.
    pub enough: Code,
    /// List `water_quality`; none when nobody knows.
    pub quality: Option<Code>,
    /// Days without water in the last year.
    pub shortage_days: i64,
}

impl SampleWater {
    /// Whether quantity, quality and supply pass.
    pub fn is_safe(&self) -> bool {
        let clean = !matches!(self.quality, Some("looks_bad" | "tested_bad"));
        clean && self.enough != "below_20" && self.shortage_days <= 36
    }
}

/// Income and spending of twelve months in fen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleIncome {
    /// Wages (工资性收入).
    pub wage_fen: i64,
    /// Takings of farm or business (生产经营性收入).
    pub business_fen: i64,
    /// Costs of farm or business (生产经营性支出).
    pub business_cost_fen: i64,
    /// Rents and dividends (财产性收入).
    pub property_fen: i64,
    /// Subsistence allowance (低保金).
    pub allowance_fen: i64,
    /// Pensions (养老金).
    pub pension_fen: i64,
    /// Ecological compensation (生态补偿).
    pub ecological_fen: i64,
    /// Other transfers.
    pub other_transfer_fen: i64,
    /// Eligible medical spending the household paid itself (合规自付支出).
    pub self_pay_fen: i64,
}

impl SampleIncome {
    /// All transfers (转移性收入).
    pub const fn transfer_fen(&self) -> i64 {
        self.allowance_fen + self.pension_fen + self.ecological_fen + self.other_transfer_fen
    }

    /// Net income (纯收入): everything received less business costs.
    pub const fn net_fen(&self) -> i64 {
        self.wage_fen + self.business_fen + self.property_fen + self.transfer_fen() - self.business_cost_fen
    }
}

/// An invented member of a household (家庭成员).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleMember {
    /// Person number of the national register (人编号): the household number and two digits.
    pub national_no: String,
    /// Full name.
    pub full_name: String,
    /// Sex.
    pub sex: Sex,
    /// Day of birth, as in the certificate number.
    pub birth: Date,
    /// List `relation_to_head`.
    pub relation_to_head: Code,
    /// List `certificate_type`.
    pub certificate_type: Code,
    /// 18 characters, or 20 for a disability card.
    pub certificate_no: String,
    /// List `ethnicity`.
    pub ethnicity: Code,
    /// List `education_level`: of those who do not go to school.
    pub education_level: Option<Code>,
    /// List `in_school_status`: of those who do, and of children who should.
    pub in_school_status: Option<Code>,
    /// List `out_of_school_reason`: of children of 6 to 15 who are not in school.
    pub out_of_school_reason: Option<Code>,
    /// List `health_status`: `healthy` alone, or one or more others.
    pub health: Vec<Code>,
    /// Kind 1 to 7 and grade 1 to 4 of the disability card, as the card's number states them.
    pub disability: Option<(u8, u8)>,
    /// List `labour_ability`.
    pub labour_ability: Code,
    /// Work, for those of working age and ability.
    pub work: Option<SampleWork>,
    /// List `medical_cover`.
    pub basic_medical: Code,
    /// List `pension`, from 16 years.
    pub pension: Option<Code>,
    /// List `subsistence_allowance`.
    pub allowance: Code,
    /// Months at home in the last year.
    pub at_home_months: i64,
    /// Own phone number.
    pub phone: Option<String>,
}

/// Work (务工) of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleWork {
    /// List `work_status`.
    pub status: Code,
    /// Six-digit code of the county of work, for those who work away.
    pub county: Option<Code>,
    /// List `work_place`, for those who work away.
    pub place: Option<Code>,
    /// Months of work away in the last year.
    pub months: i64,
    /// Monthly wage in fen; 0 for those who do not work for wages.
    pub wage_month_fen: i64,
}

/// Sex (性别) as a certificate number states it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sex {
    /// Male (男).
    #[default]
    Male,
    /// Female (女).
    Female,
}

impl Sex {
    /// List `sex`.
    pub const fn code(self) -> Code {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Male => Self::Female,
            Self::Female => Self::Male,
        }
    }
}
