//! The simulated world, bounded: no promise breaks, the same seed gives the same trace, and broken guarantees show.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use ruhu_simulation::campaign::campaign;
use ruhu_simulation::{Breakage, Plan, Turns, live};

/// Worlds that a broken guarantee may stay unnoticed in.
const UNNOTICED_MAX: u64 = 40;

fn small(breakage: Option<Breakage>) -> Plan {
    Plan { devices: 4, weeks: 3, breakage, ..Plan::default() }
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let turns = Turns::new().unwrap();
    let trace = |seed| live(&turns, seed, small(None)).tally.trace();
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}

#[test]
fn no_world_breaks_a_promise() {
    let turns = Turns::new().unwrap();
    let done = campaign(&turns, (1, 350), Plan::default(), &mut |_| {});
    assert!(done.bad.is_empty(), "{:#?}", done.bad);
    assert!(done.tally.edits.values().sum::<u64>() >= 350 * 20);
    let all = &done.tally.faults;
    for kind in ["server: killed and started again", "device: killed in a sync", "link: answer cut"] {
        assert!(all.contains_key(kind), "no world had {kind}: {all:#?}");
    }
}

fn is_noticed(breakage: Breakage) {
    let turns = Turns::new().unwrap();
    let noticed =
        (1..=UNNOTICED_MAX).find(|seed| !live(&turns, *seed, small(Some(breakage))).violations.is_empty());
    assert!(noticed.is_some(), "{} stays unnoticed in {UNNOTICED_MAX} worlds", breakage.name());
}

#[test]
fn an_answer_before_the_commit_is_noticed() {
    is_noticed(Breakage::AckBeforeCommit);
}

#[test]
fn a_server_that_drops_what_it_quarantines_is_noticed() {
    is_noticed(Breakage::DropOnQuarantine);
}

#[test]
fn a_cursor_of_the_wall_clock_is_noticed() {
    is_noticed(Breakage::WallClockCursor);
}

#[test]
fn a_fork_that_nobody_checks_for_is_noticed() {
    is_noticed(Breakage::SkipForkCheck);
}

#[test]
fn the_winner_of_automerge_in_the_place_of_the_settled_value_is_noticed() {
    is_noticed(Breakage::AutomergeWinner);
}
