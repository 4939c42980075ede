//! Cutting the power at every moment of a session, and counting what was found.

use std::collections::BTreeMap;
use std::fmt;

use super::found::examine;
use super::machines::Trouble;
use super::session::{DEVICE, SERVER, Session};
use crate::disk::{Damage, Disk, Image};
use ruhu_sample::Random;

/// Whose power is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Victim {
    Device,
    Server,
    Both,
}

const VICTIMS: [Victim; 3] = [Victim::Device, Victim::Server, Victim::Both];

/// Something promised that was not found.
pub(crate) struct Violation {
    pub(crate) moment: usize,
    pub(crate) victim: Victim,
    pub(crate) damage: Damage,
    pub(crate) seed: u64,
    pub(crate) trouble: Trouble,
}

/// What came of many cuts.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) cuts: BTreeMap<(Victim, Damage), u64>,
    pub(crate) violations: Vec<Violation>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { moment, victim, damage, seed, trouble } = self;
        write!(f, "operation {moment}, {victim:?}, {damage:?}, seed {seed}: {trouble}")
    }
}

impl Report {
    /// The violations, one a line.
    pub(crate) fn lines(&self) -> String {
        self.violations.iter().map(|found| format!("{found}\n")).collect()
    }

    /// How many cuts there were.
    pub(crate) fn total(&self) -> u64 {
        self.cuts.values().sum()
    }
}

/// How many cuts to make, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Cuts altogether.
    pub(crate) cuts: u64,
    /// The seed of all of them.
    pub(crate) seed: u64,
    /// False for a disk that says it synced and did not.
    pub(crate) syncs: bool,
}

/// Cuts the power at the moments of a session in turn, all of them if the plan has that many cuts, and again with
/// other damage, until there were enough.
pub(crate) fn cut_all(session: &Session, plan: Plan) -> Report {
    let mut report = Report::default();
    let moments = session.tape.length() + 1;
    let wanted = usize::try_from(plan.cuts).unwrap();
    let rounds = wanted.div_ceil(moments);
    for round in 0..rounds {
        let in_round = (wanted / rounds).min(moments);
        let mut images = [Image::default(), Image::default()];
        let mut next = 0;
        for place in 0..in_round {
            // Spread evenly over the session, the last round as the first.
            let moment = place * moments / in_round;
            while next < moment {
                session.tape.play(next, &mut images, plan.syncs);
                next += 1;
            }
            let turn = round * in_round + place;
            let victim = VICTIMS[turn % VICTIMS.len()];
            let damage = Damage::ALL[turn / VICTIMS.len() % Damage::ALL.len()];
            let seed = plan.seed.wrapping_mul(1_000_003).wrapping_add(turn as u64);
            *report.cuts.entry((victim, damage)).or_default() += 1;
            if let Err(trouble) = cut(session, moment, &images, victim, damage, seed) {
                report.violations.push(Violation { moment, victim, damage, seed, trouble });
            }
        }
    }
    report
}

fn cut(
    session: &Session,
    moment: usize,
    images: &[Image; 2],
    victim: Victim,
    damage: Damage,
    seed: u64,
) -> Result<(), Trouble> {
    let mut random = Random::new(seed);
    let mut image = |track: usize, hit: bool| match hit {
        true => images[track].cut(damage, &mut random),
        // The machine beside it runs on; its program is only started again.
        false => images[track].clone(),
    };
    let server = Disk::mount(image(SERVER, victim != Victim::Device));
    let device = Disk::mount(image(DEVICE, victim != Victim::Server));
    examine(&server, &device, session.profile, session.facts_at(moment), &session.facts)
}
