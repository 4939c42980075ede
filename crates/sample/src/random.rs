//! A small deterministic random source: the same seed gives the same values on every machine.
//!
//! The standard mathematical functions may differ in the last bit between platforms, so the distributions here use
//! only additions, multiplications and exact halving.

/// A random source (xoshiro256**, seeded through SplitMix64). Not for keys.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// A source that always gives the same values for the same seed.
    pub fn new(seed: u64) -> Self {
        let mut mix = seed;
        Self { state: std::array::from_fn(|_| split_mix(&mut mix)) }
    }

    /// An independent source for one part of a whole, so that a further draw in one part never shifts another.
    pub fn stream(seed: u64, part: u64) -> Self {
        let mut mix = part;
        Self::new(seed ^ split_mix(&mut mix))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let value = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        value
    }

    /// A number from 0 up to, not including, the bound; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias of at most bound / 2^64 does not matter for invented people.
        let wide = (u128::from(self.bits()) * u128::from(bound)) >> 64;
        u64::try_from(wide).unwrap_or(0)
    }

    /// A number from the lower to the upper value, both included; the lower one when they are the wrong way round.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low)).map_or(0, |span| span.saturating_add(1));
        low.saturating_add(i64::try_from(self.below(span)).unwrap_or(0))
    }

    /// A number from 0 up to, not including, 1.
    pub fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / 9_007_199_254_740_992.0;
        (self.bits() >> 11) as f64 * STEP
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the items; the default of the type when there is none.
    pub fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let bound = u64::try_from(items.len()).unwrap_or(0);
        let index = usize::try_from(self.below(bound)).unwrap_or(0);
        items.get(index).copied().unwrap_or_default()
    }

    /// One of the items, each as often as its weight says; weights need not add up to one.
    pub fn weighted<T: Copy + Default>(&mut self, items: &[(T, f64)]) -> T {
        let total: f64 = items.iter().map(|(_, weight)| weight).sum();
        let mut rest = self.unit() * total;
        for (item, weight) in items {
            if rest < *weight {
                return *item;
            }
            rest -= weight;
        }
        items.last().map(|(item, _)| *item).unwrap_or_default()
    }

    /// A value of the log-normal distribution with the given mean and deviation of its logarithm.
    pub fn lognormal(&mut self, mu: f64, sigma: f64) -> f64 {
        // Twelve uniform values less six: close enough to normal for incomes, and exact on every machine.
        let normal = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        exponential(mu + sigma * normal)
    }
}

/// Rounds to the nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, and values here are far below the limit"
)]
pub(crate) fn whole(value: f64) -> i64 {
    (value + if value < 0.0 { -0.5 } else { 0.5 }) as i64
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut value = *state;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The exponential function from basic operations only.
fn exponential(value: f64) -> f64 {
    let mut rest = value;
    let mut scale = 1.0;
    while rest > 0.5 && scale < 1e300 {
        rest -= std::f64::consts::LN_2;
        scale *= 2.0;
    }
    while rest < -0.5 && scale > 1e-300 {
        rest += std::f64::consts::LN_2;
        scale *= 0.5;
    }
    let mut term = 1.0;
    let mut sum = 1.0;
    for step in 1..16 {
        term *= rest / f64::from(step);
        sum += term;
    }
    sum * scale
}

#[cfg(test)]
mod tests {
    use super::{Random, exponential};

    #[test]
    fn the_same_seed_gives_the_same_values_for_ever() {
        let mut random = Random::new(430_000);
        let values: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        let mut again = Random::new(430_000);
        assert_eq!(values, (0..3).map(|_| again.bits()).collect::<Vec<_>>());
        assert_ne!(values, (0..3).map(|_| Random::new(430_001).bits()).collect::<Vec<_>>());
        // SplitMix64 of 1234567, from its author's reference program.
        let mut state = 1_234_567;
        assert_eq!(super::split_mix(&mut state), 6_457_827_717_110_365_317);
    }

    #[test]
    fn numbers_stay_in_their_range_and_reach_both_ends() {
        let mut random = Random::new(1);
        let values: Vec<i64> = (0..2_000).map(|_| random.between(-2, 3)).collect();
        assert_eq!((values.iter().min(), values.iter().max()), (Some(&-2), Some(&3)));
        assert_eq!(random.below(0), 0);
        assert_eq!(random.between(5, 4), 5);
        assert!((0..2_000).map(|_| random.unit()).all(|value| (0.0..1.0).contains(&value)));
    }

    #[test]
    fn weights_decide_how_often_an_item_comes() {
        let mut random = Random::new(2);
        let first = (0..10_000).filter(|_| random.weighted(&[(1, 3.0), (2, 1.0), (3, 0.0)]) == 1).count();
        assert!((7_300..7_700).contains(&first), "{first}");
        assert_eq!(random.weighted::<u8>(&[]), 0);
        assert_eq!(random.pick::<&str>(&[]), "");
    }

    #[test]
    fn the_exponential_is_the_exponential() {
        for value in [-20.0, -1.0, -0.3, 0.0, 0.5, 1.0, 9.582, 40.0_f64] {
            let expected = value.exp();
            assert!((exponential(value) - expected).abs() <= expected * 1e-13, "{value}");
        }
    }

    #[test]
    fn the_median_of_a_lognormal_value_is_the_exponential_of_mu() {
        let mut random = Random::new(3);
        let mut values: Vec<f64> = (0..4_001).map(|_| random.lognormal(9.582, 0.42)).collect();
        values.sort_by(f64::total_cmp);
        assert!((14_000.0..15_000.0).contains(&values[2_000]), "{}", values[2_000]);
    }
}
