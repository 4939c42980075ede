//! Finding the differences of two sets in as many bytes as there are differences, however large the sets.
//!
//! Rateless invertible Bloom lookup tables (Yang, Gilad, Alizadeh, "Practical Rateless Set Reconciliation",
//! SIGCOMM 2024): each item is added to a sequence of cells that it alone determines, ever more sparsely.
//! Two sides' cells are subtracted; a cell that is left with one item gives it away, and so on. About 1.4
//! cells per difference suffice on average, up to 1.8 when the differences are few. How many it takes in one
//! draw is chance, without a bound: whoever asks goes on asking until they suffice, and a new key draws anew.
//! Items are keyed hashes, so nobody can make two that meet.

use std::collections::BTreeSet;

use ruhu_survey::codec::{CodecError, Reader, Writer};
use sha2::{Digest, Sha256};

use crate::limits::REPAIR_SYMBOLS_MAX;
use crate::state::DocumentToken;

/// A document's token under the key of one repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item(pub u64);

impl Item {
    /// The first 8 bytes of SHA-256("ruhu/repair/1" ‖ key ‖ token).
    #[must_use]
    pub fn of(key: &[u8; 16], token: DocumentToken) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"ruhu/repair/1");
        hash.update(key);
        hash.update(token.0);
        let digest: [u8; 32] = hash.finalize().into();
        let mut first = [0; 8];
        first.copy_from_slice(digest.split_at(8).0);
        Self(u64::from_be_bytes(first))
    }

    /// Tells a cell with one item from one with several.
    const fn check(self) -> u64 {
        mix(self.0 ^ 0x5bd1_e995_7f4a_7c15)
    }
}

/// The finalizer of splitmix64: spreads what is already a keyed hash.
const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The cells of one item: the first, and then each at a random distance that grows with the place.
struct Places {
    state: u64,
    next: u64,
}

impl Places {
    const fn of(item: Item) -> Self {
        Self { state: item.0, next: 0 }
    }

    /// The place is in cell `i` with probability 1 / (1 + i/2): distances are drawn by the inverse of that
    /// distribution, in whole numbers, so that every machine draws the same.
    fn step(&mut self) -> u64 {
        let place = self.next;
        self.state = mix(self.state.wrapping_add(0x9e37_79b9_7f4a_7c15));
        let root = u128::from(self.state.isqrt()) + 1;
        let whole = 1_u128 << 32;
        let distance = ((2 * u128::from(place) + 3) * (whole - root)).div_ceil(2 * root);
        // What does not fit is beyond any table that is ever asked for.
        let distance = u64::try_from(distance.max(1)).unwrap_or(u64::MAX);
        self.next = place.saturating_add(distance);
        place
    }
}

/// The sum of the items of one cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Symbol {
    items: u64,
    checks: u64,
    count: i64,
}

impl Symbol {
    const fn add(&mut self, item: Item, times: i64) {
        self.items ^= item.0;
        self.checks ^= item.check();
        self.count = self.count.wrapping_add(times);
    }

    /// The only item of the cell, and on which side it is: 1 the minuend's, −1 the subtrahend's.
    const fn only(&self) -> Option<(Item, i64)> {
        let item = Item(self.items);
        if (self.count == 1 || self.count == -1) && item.check() == self.checks {
            Some((item, self.count))
        } else {
            None
        }
    }

    /// Appends it: items, checks, and the count.
    pub fn write(&self, writer: &mut Writer) {
        writer.u64(self.items).u64(self.checks).varint(self.count.unsigned_abs());
    }

    /// Reads what one side wrote: its counts are never negative.
    ///
    /// # Errors
    /// [`CodecError`]
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (items, checks) = (reader.u64()?, reader.u64()?);
        let count = i64::try_from(reader.varint()?).map_err(|_| CodecError::Number)?;
        Ok(Self { items, checks, count })
    }
}

/// The first `count` symbols of a set, at most [`REPAIR_SYMBOLS_MAX`].
#[must_use]
pub fn symbols(items: &BTreeSet<Item>, count: u64) -> Vec<Symbol> {
    let count = usize::try_from(count.min(REPAIR_SYMBOLS_MAX)).unwrap_or(usize::MAX);
    let mut symbols = vec![Symbol::default(); count];
    for item in items {
        add(&mut symbols, *item, 1);
    }
    symbols
}

fn add(symbols: &mut [Symbol], item: Item, times: i64) {
    let mut places = Places::of(item);
    while let Some(symbol) = usize::try_from(places.step()).ok().and_then(|place| symbols.get_mut(place)) {
        symbol.add(item, times);
    }
}

/// What each of two sides has and the other lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// What only we have.
    pub ours: BTreeSet<Item>,
    /// What only they have.
    pub theirs: BTreeSet<Item>,
}

/// The differences of our set and the one whose first symbols these are; none when they are too few.
#[must_use]
pub fn difference(ours: &BTreeSet<Item>, theirs: &[Symbol]) -> Option<Difference> {
    if theirs.is_empty() {
        return None;
    }
    let mut cells = symbols(ours, theirs.len() as u64);
    for (cell, symbol) in cells.iter_mut().zip(theirs) {
        cell.items ^= symbol.items;
        cell.checks ^= symbol.checks;
        cell.count = cell.count.wrapping_sub(symbol.count);
    }
    let mut found = Difference::default();
    let mut waiting: Vec<usize> = (0..cells.len()).rev().collect();
    while let Some(place) = waiting.pop() {
        let Some((item, side)) = cells.get(place).and_then(Symbol::only) else { continue };
        let new = if side == 1 { found.ours.insert(item) } else { found.theirs.insert(item) };
        // Honest sides give each item once; a liar must not keep us here.
        if !new || found.ours.len() + found.theirs.len() > cells.len() {
            return None;
        }
        let mut places = Places::of(item);
        while let Some(place) = usize::try_from(places.step()).ok().filter(|place| *place < cells.len()) {
            if let Some(cell) = cells.get_mut(place) {
                cell.add(item, -side);
                waiting.push(place);
            }
        }
    }
    (cells.iter().all(|cell| *cell == Symbol::default())).then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(numbers: impl IntoIterator<Item = u64>) -> BTreeSet<Item> {
        numbers.into_iter().map(|number| Item(mix(number.wrapping_add(1)))).collect()
    }

    /// Two sets, and what each has alone.
    struct Sides {
        ours: BTreeSet<Item>,
        theirs: BTreeSet<Item>,
        apart: Difference,
    }

    /// Sets with so many items in common and so many of their own, other ones for each seed.
    fn sides(seed: u64, common: u64, ours: u64, theirs: u64) -> Sides {
        let from = seed << 20;
        let both = items(from..from + common);
        let apart = Difference {
            ours: items(from + 100_000..from + 100_000 + ours),
            theirs: items(from + 200_000..from + 200_000 + theirs),
        };
        Sides { ours: &both | &apart.ours, theirs: &both | &apart.theirs, apart }
    }

    /// The fewest symbols that give the difference: doubled until they do, then halved in on, for with more
    /// symbols than these it is found too.
    fn needed(ours: &BTreeSet<Item>, theirs: &BTreeSet<Item>) -> u64 {
        let enough = |count| difference(ours, &symbols(theirs, count)).is_some();
        let mut most = 1;
        while !enough(most) {
            most *= 2;
            assert!(most <= REPAIR_SYMBOLS_MAX);
        }
        let mut least = most / 2;
        while most - least > 1 {
            let middle = least.midpoint(most);
            if enough(middle) { most = middle } else { least = middle }
        }
        most
    }

    #[test]
    fn equal_sets_differ_in_nothing_and_one_symbol_shows_it() {
        let set = items(0..5_000);
        assert_eq!(difference(&set, &symbols(&set, 1)), Some(Difference::default()));
    }

    #[test]
    fn few_differences_of_large_sets_take_few_symbols() {
        let (ours, theirs) = (items(0..10_000), items(5..10_010));
        let needed = needed(&ours, &theirs);
        assert!(needed <= 64, "{needed} symbols for 15 differences");
        let found = difference(&ours, &symbols(&theirs, needed)).unwrap();
        assert_eq!((found.ours, found.theirs), (items(0..5), items(10_000..10_010)));
    }

    #[test]
    fn an_unlucky_draw_takes_more_symbols_and_the_difference_is_still_found() {
        // 31 differences take 48 symbols on average; one draw in 40 takes more than 64, this one 66.
        let from = 1_066_038_087 << 20;
        let (ours, common) = (items(from..from + 79), items(from..from + 65));
        let theirs = &common | &items(from + 100_000..from + 100_017);
        assert_eq!(needed(&ours, &theirs), 66);
        let found = Difference { ours: &ours - &common, theirs: &theirs - &common };
        assert_eq!(difference(&ours, &symbols(&theirs, 65)), None);
        assert_eq!(difference(&ours, &symbols(&theirs, 66)), Some(found.clone()));
        assert_eq!(difference(&ours, &symbols(&theirs, 128)), Some(found));
    }

    #[test]
    fn over_many_draws_the_symbols_are_in_proportion_to_the_differences() {
        // A single draw promises nothing; the average of 100 does.
        for (ours, theirs, percent) in [(2, 2, 190), (14, 17, 165), (60, 60, 150), (150, 150, 145)] {
            let draws = (0..100).map(|seed| sides(seed, 20, ours, theirs));
            let total: u64 = draws.map(|sides| needed(&sides.ours, &sides.theirs)).sum();
            let most = percent * (ours + theirs);
            assert!(total <= most, "{total} symbols, not {most}, in 100 draws of {ours} and {theirs}");
        }
    }

    #[test]
    fn no_symbols_say_nothing_not_even_that_the_sets_are_equal() {
        assert_eq!(difference(&items(0..3), &[]), None);
        assert_eq!(difference(&BTreeSet::new(), &[]), None);
    }

    #[test]
    fn too_few_symbols_give_nothing_rather_than_something_wrong() {
        let (ours, theirs) = (items(0..1_000), items(500..2_000));
        assert_eq!(difference(&ours, &symbols(&theirs, 100)), None);
    }

    #[test]
    fn a_key_makes_other_items_of_the_same_documents() {
        let token = DocumentToken([7; 16]);
        assert_ne!(Item::of(&[1; 16], token), Item::of(&[2; 16], token));
        assert_eq!(Item::of(&[1; 16], token), Item::of(&[1; 16], token));
    }

    #[test]
    fn symbols_are_as_many_as_the_limit_at_most() {
        assert_eq!(symbols(&items(0..3), REPAIR_SYMBOLS_MAX).len() as u64, REPAIR_SYMBOLS_MAX);
        assert_eq!(symbols(&items(0..3), REPAIR_SYMBOLS_MAX + 1).len() as u64, REPAIR_SYMBOLS_MAX);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn what_is_found_is_exactly_the_difference(
            common in 0_u64..300, ours in 0_u64..60, theirs in 0_u64..60, seed in any::<u32>(), more in 0_u64..300,
        ) {
            let Sides { ours, theirs, apart } = sides(u64::from(seed), common, ours, theirs);
            let needed = needed(&ours, &theirs);
            prop_assert_eq!(difference(&ours, &symbols(&theirs, needed)), Some(apart.clone()));
            prop_assert_eq!(difference(&ours, &symbols(&theirs, needed + more)), Some(apart));
            prop_assert_eq!(difference(&ours, &symbols(&theirs, needed - 1)), None);
        }

        #[test]
        fn whatever_somebody_sends_is_read_or_refused_in_bounded_time(
            words in prop::collection::vec((any::<u64>(), any::<u64>(), -3_i64..3), 0..200),
        ) {
            let symbols: Vec<Symbol> = words.into_iter()
                .map(|(items, checks, count)| Symbol { items, checks, count }).collect();
            let _ = difference(&items(0..50), &symbols);
        }
    }
}
