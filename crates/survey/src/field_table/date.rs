//! Dates and months as texts, `YYYY-MM-DD` and `YYYY-MM`, in the Gregorian calendar.

/// Whether a text is a month from 1800 to 2199.
#[must_use]
pub fn is_month(text: &str) -> bool {
    text.len() == 7 && is_date(&format!("{text}-01"))
}

/// Whether a text is a date that exists, from 1800 to 2199.
#[must_use]
pub fn is_date(text: &str) -> bool {
    parse_date(text).is_some()
}

/// Year, month and day of a date that exists.
#[must_use]
pub fn parse_date(text: &str) -> Option<(u16, u8, u8)> {
    let digits = |part: &str, count: usize| {
        let right = part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
        right.then(|| part.parse::<u16>().ok()).flatten()
    };
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    let exists = (1800..2200).contains(&year) && (1..=days_in(year, month)?).contains(&day);
    exists.then(|| Some((year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)))?
}

fn days_in(year: u16, month: u16) -> Option<u16> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_that_does_not_exist_is_refused() {
        for date in ["1976-03-15", "2000-02-29", "2024-02-29"] {
            assert!(is_date(date), "{date}");
        }
        for date in [
            "1900-02-29",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-1-1",
            "2024-01-32",
            "",
            "2024-01-01-01",
        ] {
            assert!(!is_date(date), "{date}");
        }
        assert!(is_month("2023-05"));
        assert!(!is_month("2023-13"));
    }
}
