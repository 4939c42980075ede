//! Wrong passphrases: after the third the store stays locked, each time for longer.
//!
//! The count is kept in a small file beside the key, so closing the page does not reset it. Whoever holds the
//! phone and its files can remove it; what keeps them out is the cost of a guess, not this.

/// Wrong tries that cost no wait.
pub const FREE: u32 = 3;
/// The longest wait, milliseconds.
pub const WAIT_MS_MAX: u64 = 60 * 60 * 1_000;
const FIRST_WAIT_MS: u64 = 30 * 1_000;

/// How the tries stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// Wrong tries since the last right one.
    pub wrong: u32,
    /// When the last one was, milliseconds since 1970 by the device's clock.
    pub last_ms: i64,
}

impl Tries {
    /// One more wrong try.
    #[must_use]
    pub fn and_wrong(self, now_ms: i64) -> Self {
        Self { wrong: self.wrong.saturating_add(1), last_ms: now_ms }
    }

    /// For how many more milliseconds nothing is tried. A clock that was set back does not shorten the wait.
    #[must_use]
    pub fn locked_ms(self, now_ms: i64) -> u64 {
        let since = u64::try_from(now_ms.saturating_sub(self.last_ms)).unwrap_or(0);
        wait_ms(self.wrong).saturating_sub(since)
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        format!("{} {}", self.wrong, self.last_ms).into_bytes()
    }

    /// Reads the file; one that cannot be read counts as none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let read = text
            .split_once(' ')
            .and_then(|(wrong, last)| Some(Self { wrong: wrong.parse().ok()?, last_ms: last.parse().ok()? }));
        read.unwrap_or_default()
    }
}

/// 30 seconds after the fourth wrong try, then twice as long each time, an hour at most.
fn wait_ms(wrong: u32) -> u64 {
    let Some(beyond) = wrong.checked_sub(FREE + 1) else { return 0 };
    FIRST_WAIT_MS.saturating_mul(1 << beyond.min(20)).min(WAIT_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wrong_tries_are_free_and_the_wait_doubles_up_to_an_hour() {
        let seconds: Vec<_> = (0..14).map(|wrong| wait_ms(wrong) / 1_000).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
        assert_eq!(wait_ms(u32::MAX), WAIT_MS_MAX);
    }

    #[test]
    fn the_wait_ends_by_itself_and_not_by_setting_the_clock_back() {
        let tries = Tries { wrong: 4, last_ms: 1_000_000 };
        assert_eq!(tries.locked_ms(1_000_000), 30_000);
        assert_eq!(tries.locked_ms(1_029_999), 1);
        assert_eq!(tries.locked_ms(1_030_000), 0);
        assert_eq!(tries.locked_ms(0), 30_000);
    }

    #[test]
    fn what_is_written_is_read_again_and_damage_counts_as_none() {
        let tries = Tries::default().and_wrong(5).and_wrong(7);
        assert_eq!(Tries::from_bytes(&tries.to_bytes()), Tries { wrong: 2, last_ms: 7 });
        assert_eq!(Tries::from_bytes(b"\xff"), Tries::default());
        assert_eq!(Tries::from_bytes(b"x y"), Tries::default());
    }
}
