//! Certificate numbers nobody holds: prefecture code 4399 was never issued.

use std::collections::BTreeSet;

use crate::date::Date;
use crate::household::Sex;
use crate::random::Random;

/// Weights of the seventeen leading digits (GB 11643-1999).
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// Gives out certificate numbers (证件号码) of one village, never the same one twice.
#[derive(Debug)]
pub(crate) struct Certificates {
    village: u64,
    given: BTreeSet<String>,
}

impl Certificates {
    /// Numbers of the unissued county `4399` and the last two digits of the village's ordinal.
    pub(crate) fn of_village(ordinal: u64) -> Self {
        Self { village: ordinal % 100, given: BTreeSet::new() }
    }

    /// A number that states the day of birth and the sex.
    pub(crate) fn next(&mut self, random: &mut Random, birth: Date, sex: Sex) -> String {
        // A county has 500 numbers a day and sex; when they are used up, the next unissued county has more.
        let start = random.below(500);
        for step in 0_u64.. {
            let county = (self.village + step / 500) % 100;
            let sequence = (start + step) % 500 * 2 + u64::from(sex == Sex::Male);
            let body = format!("4399{county:02}{}{sequence:03}", birth.compact());
            let number = format!("{body}{}", check_digit(&body));
            if self.given.insert(number.clone()) {
                return number;
            }
        }
        String::new()
    }
}

/// The check digit of seventeen digits.
fn check_digit(body: &str) -> char {
    let digits = body.chars().filter_map(|digit| digit.to_digit(10));
    let sum: u32 = digits.zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    match (12 - sum % 11) % 11 {
        10 => 'X',
        digit => char::from_digit(digit, 10).unwrap_or('0'),
    }
}

#[cfg(test)]
mod tests {
    use super::{Certificates, check_digit};
    use crate::date::Date;
    use crate::household::Sex;
    use crate::random::Random;

    #[test]
    fn the_check_digit_is_that_of_the_standard_s_examples() {
        assert_eq!(check_digit("11010519491231002"), 'X');
        assert_eq!(check_digit("44052418800101001"), '4');
        assert_eq!(check_digit("43992119760315001"), '8');
    }

    #[test]
    fn five_hundred_people_of_one_birthday_and_sex_get_different_numbers() {
        let mut certificates = Certificates::of_village(21);
        let mut random = Random::new(1);
        let mut numbers: Vec<String> =
            (0..500).map(|_| certificates.next(&mut random, Date::new(1950, 11, 9), Sex::Female)).collect();
        assert!(numbers.iter().all(|number| number.starts_with("43992119501109")));
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), 500);
    }
}
