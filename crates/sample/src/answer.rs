//! Answers of an invented visit: what a surveyor would write down in such a household.

use ruhu_survey::change::Value;
use ruhu_survey::field_table::AnswerState;

use crate::household::{Code, SampleHousehold};
use crate::random::Random;

/// One answer (答案) of a check at household level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleAnswer {
    /// The question as group and name, such as `housing/structure`.
    pub question: &'static str,
    /// The answer.
    pub value: SampleValue,
}

impl SampleAnswer {
    /// The key of the answer in a check document.
    pub fn key(&self) -> String {
        format!("answer/{}", self.question)
    }
}

/// The value of an invented answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleValue {
    /// A code of the named code list.
    Code(&'static str, Code),
    /// A number in the unit of the question: fen, hundredths of a square metre, days or years.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// A question that was answered with "I do not know" (不详).
    Unknown,
}

impl SampleValue {
    /// The value as it stands in a check document.
    pub fn to_value(self) -> Value {
        match self {
            Self::Code(_, code) => Value::Text(code.to_owned()),
            Self::Number(number) => Value::Int(number),
            Self::Flag(flag) => Value::Bool(flag),
            Self::Unknown => Value::Text(AnswerState::Unknown.text().to_owned()),
        }
    }
}

/// How many answers [`visit_answers`] gives.
pub const VISIT_ANSWERS: usize = 25;

/// The 25 answers of one visit: the household's figures, with incomes and costs as they are this time.
pub fn visit_answers(random: &mut Random, household: &SampleHousehold) -> [SampleAnswer; VISIT_ANSWERS] {
    let housing = &household.housing;
    let water = &household.water;
    let income = &household.income;
    let mut money = |fen: i64| this_time(random, fen);
    let [wage, business, cost, property] =
        [income.wage_fen, income.business_fen, income.business_cost_fen, income.property_fen].map(&mut money);
    let [allowance, pension, ecological, other, self_pay] = [
        income.allowance_fen,
        income.pension_fen,
        income.ecological_fen,
        income.other_transfer_fen,
        income.self_pay_fen,
    ]
    .map(&mut money);
    let number = SampleValue::Number;
    [
        answer("income/wage_income", number(wage)),
        answer("income/business_income", number(business)),
        answer("income/business_cost", number(cost)),
        answer("income/property_income", number(property)),
        answer("income/transfer/subsistence_allowance", number(allowance)),
        answer("income/transfer/pension", number(pension)),
        answer("income/transfer/ecological", number(ecological)),
        answer("income/transfer/other", number(other)),
        answer("medical/compliant_self_pay", number(self_pay)),
        answer("housing/dwelling_kind", SampleValue::Code("dwelling_kind", housing.dwelling_kind)),
        answer("housing/structure", SampleValue::Code("house_structure", housing.structure)),
        answer("housing/area", number(housing.area_hundredths)),
        answer("housing/built_year", number(housing.built_year)),
        answer("housing/grade", SampleValue::Code("house_grade", housing.grade)),
        answer("housing/grade_basis", SampleValue::Code("grade_basis", housing.grade_basis)),
        answer("water/source", SampleValue::Code("water_source", water.source)),
        answer("water/piped", SampleValue::Code("water_piped", water.piped)),
        answer("water/enough", SampleValue::Code("water_enough", water.enough)),
        answer("water/quality", quality(household)),
        answer("water/shortage_days", number(water.shortage_days)),
        answer(
            "living/food",
            SampleValue::Code("food", random.weighted(&[("yes", 0.999), ("unclear", 0.001)])),
        ),
        answer("living/protein", SampleValue::Code("protein", protein(random))),
        answer("living/clothing_ok", SampleValue::Flag(!random.chance(0.001))),
        answer("living/toilet", SampleValue::Code("toilet", housing.toilet)),
        answer("medical/sees_doctor_ok", SampleValue::Flag(!random.chance(0.003))),
    ]
}

const fn answer(question: &'static str, value: SampleValue) -> SampleAnswer {
    SampleAnswer { question, value }
}

fn quality(household: &SampleHousehold) -> SampleValue {
    household.water.quality.map_or(SampleValue::Unknown, |code| SampleValue::Code("water_quality", code))
}

fn protein(random: &mut Random) -> Code {
    random.weighted(&[("any_time", 0.9894), ("sometimes", 0.0096), ("rarely", 0.001)])
}

/// An amount as stated this time: within a tenth of the last one, in tens of yuan.
fn this_time(random: &mut Random, fen: i64) -> i64 {
    let tenth = fen / 10;
    (fen + random.between(-tenth, tenth)).div_euclid(1_000) * 1_000
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{SampleValue, VISIT_ANSWERS, visit_answers};
    use crate::date::Date;
    use crate::parameters::Parameters;
    use crate::random::Random;
    use crate::village::{VillageRequest, village};

    #[test]
    fn a_visit_answers_each_question_once() {
        let request = VillageRequest { seed: 6, ordinal: 0, households: 20, on: Date::new(2024, 5, 1) };
        let mut random = Random::new(6);
        for household in &village(&request, Parameters::bundled()).households {
            let keys: BTreeSet<String> =
                visit_answers(&mut random, household).iter().map(|a| a.key()).collect();
            assert_eq!(keys.len(), VISIT_ANSWERS);
        }
    }

    #[test]
    fn two_visits_of_one_household_differ_in_money_only() {
        let request = VillageRequest { seed: 6, ordinal: 0, households: 1, on: Date::new(2024, 5, 1) };
        let village = village(&request, Parameters::bundled());
        let mut random = Random::new(9);
        let first = visit_answers(&mut random, &village.households[0]);
        let second = visit_answers(&mut random, &village.households[0]);
        assert_ne!(first, second);
        for (one, other) in
            first.iter().zip(&second).filter(|(one, _)| !matches!(one.value, SampleValue::Number(_)))
        {
            assert_eq!(one, other);
        }
    }
}
