//! `cargo xtask simulate`: the simulated world, in release mode, for as many device-weeks as wished.

use clap::Args;

use crate::command::{cargo, run};

/// How long, from which seed, and what is broken on purpose.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Let the server's disk be lost too, and an old backup of it come back
    #[arg(long)]
    loses_server: bool,
    /// How many device-weeks to live through
    #[arg(long, default_value_t = 10_000)]
    device_weeks: u64,
    /// The seed of the first world; each further world takes the next one
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A guarantee to break on purpose; the run must then find violations
    #[arg(long, value_parser = ["ack-before-commit", "drop-on-quarantine", "wall-clock-cursor",
        "skip-fork-check", "automerge-winner"])]
    breakage: Option<String>,
    /// Prints every event of the first world
    #[arg(long)]
    trace: bool,
}

/// Runs the worlds and prints their table.
pub(crate) fn run_worlds(simulate: &Simulate) -> anyhow::Result<()> {
    let (weeks, seed) = (simulate.device_weeks.to_string(), simulate.seed.to_string());
    let mut worlds = cargo(&["run", "--release", "--locked", "--quiet", "--package", "ruhu-tests"]);
    worlds.args(["--example", "simulate", "--", "--device-weeks", &weeks, "--seed", &seed]);
    if let Some(breakage) = &simulate.breakage {
        worlds.args(["--breakage", breakage]);
    }
    worlds.args(simulate.loses_server.then_some("--loses-server"));
    run(worlds.args(simulate.trace.then_some("--trace")))
}
