//! Lives through simulated worlds and prints what happened in them: `cargo xtask simulate`.
//!
//! The exit code is 1 when something did not hold; with a breakage, when everything held.
#![expect(clippy::unwrap_used, reason = "a simulation ends at the first surprise")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use ruhu_simulation::campaign::{Campaign, campaign};
use ruhu_simulation::{Breakage, Plan, Turns, live};

/// Worlds between two lines of progress.
const TOLD_EVERY: u64 = 100;

fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

fn number(name: &str, default: u64) -> u64 {
    argument(name).map_or(default, |text| text.parse().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "a tool that times its run; nothing decides by it")]
fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap()
}

fn rows(title: &str, counts: &BTreeMap<&'static str, u64>) {
    let all: u64 = counts.values().sum();
    println!("\n{title:<52} {all:>12}");
    for (kind, count) in counts {
        println!("  {kind:<50} {count:>12}");
    }
}

fn print(done: &Campaign, seconds: f64) {
    let weeks = done.tally.device_weeks;
    println!("seeds {} to {}: {} worlds, {weeks} device-weeks", done.first, done.last, done.worlds());
    println!("{seconds:.1} s, {:.2} ms a device-week", seconds * 1_000.0 / weeks.max(1) as f64);
    rows("edits", &done.tally.edits);
    rows("faults", &done.tally.faults);
    rows("other events", &done.tally.events);
    let trace = done.tally.trace();
    println!("\ntrace {}", trace.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    println!("violations: {}", done.bad.iter().map(|(_, found)| found.len()).sum::<usize>());
    for (seed, violations) in &done.bad {
        println!("seed {seed} (repeat with --device-weeks 1 --seed {seed})");
        violations.iter().for_each(|violation| println!("  {violation}"));
    }
}

fn main() -> ExitCode {
    let breakage = argument("--breakage").map(|name| {
        let known = Breakage::ALL.into_iter().find(|breakage| breakage.name() == name);
        let names: Vec<_> = Breakage::ALL.iter().map(|breakage| breakage.name()).collect();
        known.unwrap_or_else(|| panic!("{name} is no breakage; there are {}", names.join(", ")))
    });
    let turns = Turns::new().unwrap();
    let (seed, weeks) = (number("--seed", 1), number("--device-weeks", 1_000));
    let tells = std::env::args().any(|argument| argument == "--trace");
    let loses_server = std::env::args().any(|argument| argument == "--loses-server");
    let plan = Plan { breakage, tells, loses_server, ..Plan::default() };
    if tells {
        let outcome = live(&turns, seed, plan);
        outcome.tally.lines().iter().for_each(|line| println!("{line}"));
    }
    let started = now();
    let mut told = 0;
    let done = campaign(&turns, (seed, weeks), plan, &mut |done| {
        for (seed, violations) in done.bad.iter().skip(told) {
            eprintln!("seed {seed}: {}", violations.join("; "));
        }
        told = done.bad.len();
        if done.worlds() % TOLD_EVERY == 0 {
            let (weeks, bad) = (done.tally.device_weeks, done.bad.len());
            eprintln!("{} worlds, {weeks} device-weeks, {bad} with violations", done.worlds());
        }
    });
    print(&done, now().saturating_sub(started).as_secs_f64());
    if done.bad.is_empty() == breakage.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
