//! What the people of a world write: keys of the field tables with values that fit them.

use ruhu_survey::change::Value;
use ruhu_survey::code_list::code_list;

use crate::dice::Dice;

/// How a value of a field is drawn.
#[derive(Debug, Clone, Copy)]
enum Draw {
    /// A code of this list.
    Code(&'static str),
    /// A number in this range.
    Number(i64, i64),
    /// Yes or no.
    YesNo,
    /// A short text.
    Text,
}

/// Questions of a check.
const QUESTIONS: [(&str, Draw); 13] = [
    ("answer/income/wage_income", Draw::Number(0, 8_000_000)),
    ("answer/income/business_income", Draw::Number(0, 3_000_000)),
    ("answer/income/business_cost", Draw::Number(0, 1_000_000)),
    ("answer/income/transfer/pension", Draw::Number(0, 300_000)),
    ("answer/housing/structure", Draw::Code("house_structure")),
    ("answer/housing/area", Draw::Number(3_000, 20_000)),
    ("answer/housing/built_year", Draw::Number(1960, 2025)),
    ("answer/water/source", Draw::Code("water_source")),
    ("answer/water/litres_per_person_day", Draw::Number(0, 200)),
    ("answer/education/dropout_sign", Draw::YesNo),
    ("answer/medical/sees_doctor_ok", Draw::YesNo),
    ("answer/visit/note", Draw::Text),
    ("answer/visit/summary_read", Draw::YesNo),
];

/// Fields of a household's register that everybody in a village may write.
const REGISTER: [(&str, Draw); 10] = [
    ("group_name", Draw::Text),
    ("dwelling_address", Draw::Text),
    ("remarks", Draw::Text),
    ("main_cause", Draw::Code("poverty_cause")),
    ("risk_other_note", Draw::Text),
    ("status_proposed", Draw::Code("household_status")),
    ("exclusion_verdict/car", Draw::Code("exclusion_verdict")),
    ("exclusion_verdict/business_owner", Draw::Code("exclusion_verdict")),
    ("exclusion_verdict/commodity_housing", Draw::Code("exclusion_verdict")),
    ("exclusion_verdict/public_payroll", Draw::Code("exclusion_verdict")),
];

/// Words that texts are made of.
const WORDS: [&str; 8] = ["桥头", "老屋", "坡上", "井边", "樟树", "新修", "漏雨", "外出"];
/// Invented names.
const NAMES: [&str; 8] = ["向春生", "田桂枝", "庹正坤", "覃秀兰", "卓远志", "吴满妹", "朱长庚", "唐腊香"];

fn draw(dice: &mut Dice, how: Draw) -> Value {
    match how {
        Draw::Code(list) => Value::Text(dice.pick(&code_list(list).unwrap().codes).code.clone()),
        Draw::Number(low, high) => Value::Int(dice.between(low, high)),
        Draw::YesNo => Value::Bool(dice.per_mille(500)),
        Draw::Text => Value::Text(text(dice)),
    }
}

fn some(dice: &mut Dice, of: &[(&'static str, Draw)], count: usize) -> Vec<(&'static str, Value)> {
    let mut fields = of.to_vec();
    dice.shuffle(&mut fields);
    fields.into_iter().take(count).map(|(key, how)| (key, draw(dice, how))).collect()
}

/// Answers of a check, each to another question.
pub fn answers(dice: &mut Dice, count: usize) -> Vec<(&'static str, Value)> {
    some(dice, &QUESTIONS, count)
}

/// Values of a register, each of another field.
pub fn register_values(dice: &mut Dice, count: usize) -> Vec<(&'static str, Value)> {
    some(dice, &REGISTER, count)
}

/// A short text.
pub fn text(dice: &mut Dice) -> String {
    format!("{}{}{}", dice.pick(&WORDS), dice.pick(&WORDS), dice.below(1_000))
}

/// A name.
pub fn name(dice: &mut Dice) -> String {
    (*dice.pick(&NAMES)).to_owned()
}
