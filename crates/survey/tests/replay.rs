//! Laws of replay: a batch that is spelled, laid out in columns, read and built is the same batch; and a
//! receiver that lacks something says so.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end at the first surprise")]
#![expect(clippy::cast_possible_wrap, clippy::cast_possible_truncation, reason = "small random numbers")]

#[expect(dead_code, reason = "the generator of numbers is used, the histories are not")]
mod history;

mod batches;
mod timing;

use batches::{Sent, Store, VILLAGE, Village};
use history::Rng;
use proptest::prelude::*;
use ruhu_survey::id::DeviceId;
use ruhu_survey::replay::{Built, NotBuilt, Spelling, Tables, build, spell};

fn pairs(built: Vec<Built>) -> Vec<(ruhu_survey::change::DocumentId, Vec<u8>)> {
    built.into_iter().map(|built| (built.document, built.bytes)).collect()
}

fn village(seed: u64, steps: usize) -> Village {
    let mut rng = Rng::new(seed);
    let mut village = Village::new(&mut rng);
    for _ in 0..steps {
        village.step(&mut rng);
    }
    village
}

/// What the sender of a batch has before it: a server that took everything so far in.
fn spelled(sender: &Store, sent: &Sent) -> Spelling {
    spell(sent.device, VILLAGE, &sent.openings, &sent.changes, sender).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_batch_reads_back_and_builds_as_it_was(seed: u64, steps in 1_usize..60) {
        let village = village(seed, steps);
        let first = village.devices[0].id;
        let (mut store, mut ours, mut theirs) = (Store::default(), Tables::new(first), Tables::new(first));
        for sent in &village.batches {
            let spelling = spelled(&store, sent);
            let bytes = ours.write(&spelling);
            let read = theirs.read(sent.device, &bytes).unwrap();
            prop_assert_eq!(&read, &spelling);
            let built = build(&read, VILLAGE, &store).unwrap();
            prop_assert_eq!(pairs(built), sent.changes.clone());
            store.take(sent);
        }
    }

    #[test]
    fn a_batch_that_came_before_builds_again(seed: u64) {
        let village = village(seed, 30);
        let mut store = Store::default();
        for sent in &village.batches {
            let spelling = spelled(&store, sent);
            store.take(sent);
            let again = build(&spelling, VILLAGE, &store);
            // Named by less than it takes to tell it from itself, or built as it was: never another.
            prop_assert!(again.is_err() || again.map(pairs) == Ok(sent.changes.clone()));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut tables = Tables::new(DeviceId::from_bytes([1; 16]));
        let _ = tables.read(DeviceId::from_bytes([1; 16]), &bytes);
    }
}

/// Fixed seeds: a beginning of two bytes may name another change by chance, which the root would show.
#[test]
fn a_receiver_that_lacks_a_batch_says_so_or_builds_the_same() {
    let (mut built_whole, mut lacking) = (0, 0);
    for seed in 0..60 {
        let village = village(seed, 50);
        let mut rng = Rng::new(seed + 1_000);
        let (mut sender, mut receiver) = (Store::default(), Store::default());
        let mut behind: Vec<DeviceId> = Vec::new();
        for sent in &village.batches {
            match build(&spelled(&sender, sent), VILLAGE, &receiver) {
                Ok(built) => {
                    assert_eq!(pairs(built), sent.changes, "seed {seed}");
                    built_whole += 1;
                    // From a gap on a chain gives no names: its batches would be staged.
                    if !behind.contains(&sent.device) && rng.chance(90) {
                        receiver.take(sent);
                    } else {
                        behind.push(sent.device);
                    }
                }
                Err(NotBuilt::UnknownDocument(_) | NotBuilt::UnknownDependency(_)) => {
                    lacking += 1;
                    behind.push(sent.device);
                }
                Err(other) => panic!("seed {seed}: {other}"),
            }
            sender.take(sent);
        }
    }
    assert!(built_whole > 500 && lacking > 500, "{built_whole} built, {lacking} lacking");
}

#[test]
fn a_batch_that_cannot_be_built_leaves_the_tables_as_the_senders() {
    let village = village(5, 60);
    let first = village.devices[0].id;
    let (mut store, mut ours, mut theirs) = (Store::default(), Tables::new(first), Tables::new(first));
    let (empty, mut failed) = (Store::default(), 0);
    for sent in &village.batches {
        let spelling = spelled(&store, sent);
        let read = theirs.read(sent.device, &ours.write(&spelling)).unwrap();
        failed += usize::from(build(&read, VILLAGE, &empty).is_err());
        assert_eq!(pairs(build(&read, VILLAGE, &store).unwrap()), sent.changes);
        store.take(sent);
    }
    assert!(failed > 10, "{failed}");
}

#[test]
fn hostile_batches_never_panic_nor_make_a_document_unloadable() {
    let tally = batches::hostile::hostile(2_000, 7);
    assert_eq!((tally.panics, tally.belt_failures.len()), (0, 0), "{tally:?}");
    let refused: u64 = tally.refused.values().sum();
    assert!(refused > 500 && tally.accepted > 500, "{tally:?}");
}
