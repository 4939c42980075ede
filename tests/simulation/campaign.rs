//! Many worlds, one after the other, each from the next seed.

use crate::tally::Tally;
use crate::turn::Turns;
use crate::world::{Outcome, Plan, live};

/// Worlds with violations after which a campaign ends.
const BAD_WORLDS_MAX: usize = 10;

/// What many worlds gave.
#[derive(Debug, Default)]
pub struct Campaign {
    /// The first seed.
    pub first: u64,
    /// The last seed.
    pub last: u64,
    /// Everything that happened.
    pub tally: Tally,
    /// The worlds in which something did not hold: the seed, and what.
    pub bad: Vec<(u64, Vec<String>)>,
}

impl Campaign {
    /// How many worlds were lived through.
    #[must_use]
    pub fn worlds(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// Lives through worlds from `seed` on until so many device-weeks are done; `told` hears of each world.
pub fn campaign(
    turns: &Turns,
    (seed, device_weeks): (u64, u64),
    plan: Plan,
    told: &mut dyn FnMut(&Campaign),
) -> Campaign {
    let mut done = Campaign { first: seed, last: seed, ..Campaign::default() };
    for seed in seed.. {
        let Outcome { seed, tally, violations } = live(turns, seed, plan);
        done.last = seed;
        done.tally.add(&tally);
        if !violations.is_empty() {
            done.bad.push((seed, violations));
        }
        told(&done);
        if done.tally.device_weeks >= device_weeks || done.bad.len() >= BAD_WORLDS_MAX {
            break;
        }
    }
    done
}
