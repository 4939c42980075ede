//! Calendar days without a clock.

use std::fmt;

/// A day of the Gregorian calendar, shown as `2024-05-01`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// The year.
    pub year: i64,
    /// The month, 1 to 12.
    pub month: i64,
    /// The day of the month, from 1.
    pub day: i64,
}

impl Date {
    /// A day from its parts, which are taken as they are.
    pub const fn new(year: i64, month: i64, day: i64) -> Self {
        Self { year, month, day }
    }

    /// The day that many days later, or earlier when the number is negative.
    pub fn plus_days(self, days: i64) -> Self {
        Self::from_day_number(self.day_number() + days)
    }

    /// The same day of the year that many years earlier; 29 February becomes 28 February.
    pub fn years_before(self, years: i64) -> Self {
        let day = if self.month == 2 && self.day == 29 { 28 } else { self.day };
        Self { year: self.year - years, month: self.month, day }
    }

    /// Full years of life on a day.
    pub fn age_on(self, on: Self) -> i64 {
        let before_birthday = (on.month, on.day) < (self.month, self.day);
        on.year - self.year - i64::from(before_birthday)
    }

    /// The month alone, as `2024-05`.
    pub fn month_text(self) -> String {
        format!("{:04}-{:02}", self.year, self.month)
    }

    /// Eight digits, as in a certificate number.
    pub fn compact(self) -> String {
        format!("{:04}{:02}{:02}", self.year, self.month, self.day)
    }

    /// Days since 1 March of the year 0, in eras of 400 years of 146,097 days each.
    fn day_number(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let month = (self.month + 9) % 12;
        let of_year = (153 * month + 2) / 5 + self.day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year
    }

    fn from_day_number(number: i64) -> Self {
        let (era, of_era) = (number.div_euclid(146_097), number.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        Self { year: year + era * 400 + i64::from(month <= 2), month, day }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut date = Date::new(1899, 12, 31);
        for _ in 0..146_097 {
            let next = date.plus_days(1);
            assert_eq!(next.plus_days(-1), date);
            assert!(next > date);
            date = next;
        }
        assert_eq!(date, Date::new(2299, 12, 31));
    }

    #[test]
    fn leap_days_are_where_the_calendar_has_them() {
        assert_eq!(Date::new(2024, 2, 28).plus_days(1), Date::new(2024, 2, 29));
        assert_eq!(Date::new(1900, 2, 28).plus_days(1), Date::new(1900, 3, 1));
        assert_eq!(Date::new(2024, 2, 29).years_before(1), Date::new(2023, 2, 28));
    }

    #[test]
    fn a_year_of_life_is_full_on_the_birthday() {
        let born = Date::new(1976, 3, 15);
        assert_eq!(born.age_on(Date::new(2024, 3, 14)), 47);
        assert_eq!(born.age_on(Date::new(2024, 3, 15)), 48);
    }

    #[test]
    fn texts_have_leading_zeros() {
        let date = Date::new(2024, 5, 1);
        assert_eq!(
            (date.to_string(), date.month_text(), date.compact()),
            ("2024-05-01".into(), "2024-05".into(), "20240501".into())
        );
    }
}
