//! `cargo xtask fuzz`: hostile changes against the admission gate, in release mode.

use clap::Args;

use crate::command::{cargo, run};

/// How long and from which seed.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// How many hostile changes to try
    #[arg(long, default_value_t = 1_000_000)]
    cases: u64,
    /// The seed; the same seed gives the same cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Sends honest changes instead, none of which may be refused
    #[arg(long)]
    honest: bool,
    /// Spoils batches of replay streams instead, and throws them at the reader, the builder and the gate
    #[arg(long, conflicts_with = "honest")]
    replay: bool,
}

/// Runs the gate's fuzzing example and prints its table.
pub(crate) fn run_example(fuzz: &Fuzz) -> anyhow::Result<()> {
    let (cases, seed) = (fuzz.cases.to_string(), fuzz.seed.to_string());
    let mut example = cargo(&["run", "--release", "--locked", "--quiet", "--package", "ruhu-survey"]);
    example.args(["--example", "fuzz_gate", "--"]);
    example.args(fuzz.honest.then_some("honest"));
    example.args(fuzz.replay.then_some("replay"));
    run(example.args(["--cases", &cases, "--seed", &seed]))
}
