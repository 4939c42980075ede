//! The time, as an argument: one trait, and the one place that reads the machine's clock.

use std::fmt::Debug;

use jiff::tz::{Offset, TimeZone};

/// Says what time it is.
pub trait Clock: Debug + Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> i64;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now_ms(&self) -> i64 {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since_1970.map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The date in China Standard Time (UTC+8) at a moment, as `YYYY-MM-DD`.
#[must_use]
pub fn date_of(now_ms: i64) -> String {
    civil(now_ms, "%Y-%m-%d")
}

/// The date and time in China Standard Time (UTC+8) at a moment, as `YYYY-MM-DD HH:MM`.
#[must_use]
pub fn minute_of(now_ms: i64) -> String {
    civil(now_ms, "%Y-%m-%d %H:%M")
}

/// Ruhu is used in one time zone, which has had no summer time since 1991.
fn civil(now_ms: i64, format: &str) -> String {
    let zone = TimeZone::fixed(Offset::constant(8));
    let moment = jiff::Timestamp::from_millisecond(now_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    moment.to_zoned(zone).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_that_of_china() {
        assert_eq!(date_of(0), "1970-01-01");
        // 16:00 in Greenwich is midnight in Cili.
        assert_eq!(date_of(16 * 3_600_000), "1970-01-02");
        assert_eq!(minute_of(1_700_000_000_000), "2023-11-15 06:13");
    }

    #[test]
    fn a_clock_beyond_all_calendars_gives_a_date_all_the_same() {
        assert_eq!(date_of(i64::MAX), "1970-01-01");
    }
}
