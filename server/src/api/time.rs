//! Times as text: RFC 3339 in UTC.

/// A time of milliseconds since 1970, as in `2026-11-22T06:13:20.123Z`.
pub(crate) fn rfc3339_ms(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    format!("{moment:.3}")
}

/// A time of seconds since 1970, as in `2026-11-22T06:13:20Z`.
pub(crate) fn rfc3339(seconds: i64) -> String {
    let moment = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    format!("{moment:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc() {
        assert_eq!(rfc3339_ms(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(rfc3339(1_700_000_000), "2023-11-14T22:13:20Z");
    }

    #[test]
    fn a_clock_beyond_all_calendars_gives_a_time_all_the_same() {
        assert!(rfc3339_ms(i64::MAX).starts_with("9999-"));
        assert!(rfc3339(i64::MAX).starts_with("9999-"));
    }
}
