//! `cargo xtask power`: power cuts under a whole server and a whole device, in release mode.

use clap::Args;

use crate::command::{cargo, run};

/// How many and from which seed.
#[derive(Debug, Args)]
pub(crate) struct Power {
    /// How many cuts to make, half of them with each journal
    #[arg(long, default_value_t = 10_000)]
    cuts: u64,
    /// The seed; the same seed makes the same cuts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The control: a disk that says it synced and did not, under which violations must be found
    #[arg(long)]
    without_sync: bool,
}

/// Runs the example of the tests that cuts, and prints its table.
pub(crate) fn run_example(power: &Power) -> anyhow::Result<()> {
    let (cuts, seed) = (power.cuts.to_string(), power.seed.to_string());
    let mut example = cargo(&["run", "--release", "--locked", "--quiet", "--package", "ruhu-tests"]);
    example.args(["--example", "cut_power", "--", "--cuts", &cuts, "--seed", &seed]);
    run(example.args(power.without_sync.then_some("--without-sync")))
}
