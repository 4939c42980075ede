//! The time that a case takes, on a machine that does other things as well.

use std::time::{Duration, Instant};

/// How often a case that looks like the worst so far is tried again.
const TRIES: usize = 5;

/// Does the work and says how long it took. A case that takes longer than `worst` is tried again, and its least
/// time counts: what the machine does meanwhile is no part of the case.
#[expect(clippy::disallowed_methods, reason = "the worst case is measured, nothing depends on it")]
pub(crate) fn timed<T>(worst: Duration, mut work: impl FnMut() -> T) -> (T, Duration) {
    let mut once = || {
        let begun = Instant::now();
        let outcome = work();
        (outcome, begun.elapsed())
    };
    let (outcome, mut took) = once();
    for _ in 0..TRIES {
        if took <= worst {
            break;
        }
        took = took.min(once().1);
    }
    (outcome, took)
}
