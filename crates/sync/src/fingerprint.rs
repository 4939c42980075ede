//! A check that two sides hold the same changes of a village.

use ruhu_survey::change::ChangeHash;

/// The sum modulo 2⁶⁴ of the first eight bytes (big-endian) of the hashes of a set of changes.
///
/// It covers the changes accepted at or below a cursor, in any order. It finds mistakes, not malice: a
/// mismatch starts a repair and is shown, and the log's tree is what proves anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of no changes.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// The fingerprint with a value that [`Fingerprint::value`] gave.
    #[must_use]
    pub const fn from_value(value: u64) -> Self {
        Self(value)
    }

    /// Adds one change. Each change is to be added once.
    pub fn add(&mut self, hash: &ChangeHash) {
        let mut first = [0; 8];
        first.copy_from_slice(hash.0.split_at(8).0);
        self.0 = self.0.wrapping_add(u64::from_be_bytes(first));
    }

    /// The sum so far.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl<'a> FromIterator<&'a ChangeHash> for Fingerprint {
    fn from_iter<I: IntoIterator<Item = &'a ChangeHash>>(hashes: I) -> Self {
        let mut fingerprint = Self::new();
        hashes.into_iter().for_each(|hash| fingerprint.add(hash));
        fingerprint
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_the_sum_of_the_first_eight_bytes_and_wraps() {
        let mut most = [0; 32];
        most[..8].fill(0xff);
        let mut three = [0xaa; 32];
        three[..8].copy_from_slice(&3_u64.to_be_bytes());
        assert_eq!(Fingerprint::from_iter([&ChangeHash(most), &ChangeHash(three)]).value(), 2);
        assert_eq!(Fingerprint::new().value(), 0);
    }

    proptest! {
        #[test]
        fn the_order_of_changes_does_not_matter_and_a_sum_can_be_continued(
            hashes: Vec<[u8; 32]>, at in 0_usize..20,
        ) {
            let hashes: Vec<ChangeHash> = hashes.into_iter().map(ChangeHash).collect();
            let forward = Fingerprint::from_iter(&hashes);
            prop_assert_eq!(forward, hashes.iter().rev().collect());
            let (head, tail) = hashes.split_at(at.min(hashes.len()));
            let mut resumed = Fingerprint::from_value(Fingerprint::from_iter(head).value());
            tail.iter().for_each(|hash| resumed.add(hash));
            prop_assert_eq!(forward, resumed);
        }
    }
}
