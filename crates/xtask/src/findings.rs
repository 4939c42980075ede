//! `cargo xtask findings`: what the rules find over many invented households, beside the domain model's calibration.

use clap::Args;

use crate::command::{cargo, run};

/// How many households, and which.
#[derive(Debug, Args)]
pub(crate) struct Findings {
    /// How many households
    #[arg(long, default_value_t = 10_000)]
    households: u64,
    /// The seed of the sample
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Prints the counts by rule, the calibration, and a digest of all answers.
pub(crate) fn count(asked: &Findings) -> anyhow::Result<()> {
    let (households, seed) = (asked.households.to_string(), asked.seed.to_string());
    let mut program = cargo(&["run", "--release", "--locked", "--quiet", "--package", "ruhu-sample"]);
    run(program.args(["--example", "findings", "--", &households, &seed]))
}
