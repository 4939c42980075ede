//! `cargo xtask bench`: the table of measurements beside their aims, in release mode.

use std::fs;

use clap::Args;

use crate::command::{cargo, output, root, run};

/// Where the machine's results are kept, from the project's root.
const RESULTS: &str = "tests/BENCHMARKS.md";

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Parts to run: week, growth, ingest, device, gate; all without any
    parts: Vec<String>,
    /// Writes the results to tests/BENCHMARKS.md
    #[arg(long)]
    write: bool,
}

/// Runs the parts and prints, or keeps, what they measured.
pub(crate) fn measure(bench: &Bench) -> anyhow::Result<()> {
    let of_table: Vec<&str> = bench.parts.iter().map(String::as_str).filter(|part| *part != "gate").collect();
    let mut sections = Vec::new();
    if bench.parts.is_empty() || !of_table.is_empty() {
        let mut table =
            cargo(&["bench", "--locked", "--quiet", "--package", "ruhu-tests", "--bench", "table"]);
        let file = root().join("target/bench-table.md");
        run(table.arg("--").args(&of_table).env("RUHU_BENCH_TABLE", &file))?;
        sections.push(fs::read_to_string(&file)?);
    }
    if bench.parts.is_empty() || bench.parts.iter().any(|part| part == "gate") {
        let mut gate =
            cargo(&["bench", "--locked", "--quiet", "--package", "ruhu-survey", "--bench", "gate"]);
        let printed = output(&mut gate)?;
        println!("{printed}");
        sections.push(format!("```text\n{}\n```\n", printed.trim_end()));
    }
    if bench.write {
        let parts = bench.parts.join(" ");
        let command = ["cargo xtask bench --write", parts.as_str()].join(" ");
        let head = format!(
            "# Benchmarks\n\nMade by `{}` on {}.\nTimes move by up to a half between runs of a busy machine; \
             compare rows of one run.\n\n",
            command.trim_end(),
            machine()
        );
        fs::write(root().join(RESULTS), head + &sections.join("\n"))?;
    }
    Ok(())
}

/// The processor and how many of it there are, as Linux tells.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": an unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {}", model.trim_start_matches([':', ' ', '\t']).trim())
}
