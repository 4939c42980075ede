//! `cargo xtask dictionary`: trains the dictionary of replay streams.

use crate::command::{cargo, run};

/// Writes `schemas/wire/dictionary-1.zstd` anew.
pub(crate) fn train() -> anyhow::Result<()> {
    let mut example = cargo(&["run", "--release", "--locked", "--quiet", "--package", "ruhu-ledger"]);
    example.args(["--example", "train_dictionary", "--", "schemas/wire/dictionary-1.zstd"]);
    run(&mut example)
}
