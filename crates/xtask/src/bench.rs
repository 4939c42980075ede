//! `cargo xtask bench`: the table of measurements beside their aims, in release mode.

use std::fs;

use clap::Args;

use crate::command::{cargo, output, root, run};

/// Where the machine's results are kept, from the project's root.
const RESULTS: &str = "tests/BENCHMARKS.md";

/// The parts there are, in the order of the table.
const PARTS: [&str; 6] = ["week", "growth", "ingest", "link", "device", "gate"];

/// What the file of results begins with.
const HEAD: &str = "# Benchmarks\n\nTimes move by up to a half between runs of a busy machine; \
                    compare rows of one run. `cargo xtask bench --write` replaces the parts that it measured.\n";

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Parts to run; all without any
    #[arg(value_parser = PARTS)]
    parts: Vec<String>,
    /// Writes the results to tests/BENCHMARKS.md
    #[arg(long)]
    write: bool,
}

impl Bench {
    /// One part.
    pub(crate) fn of(part: &str, write: bool) -> Self {
        Self { parts: vec![part.to_owned()], write }
    }
}

/// Runs the parts and prints, or keeps, what they measured.
pub(crate) fn measure(bench: &Bench) -> anyhow::Result<()> {
    for part in
        PARTS.into_iter().filter(|part| bench.parts.is_empty() || bench.parts.iter().any(|one| one == part))
    {
        let measured = if part == "gate" { gate()? } else { rows(part)? };
        if bench.write {
            let file = root().join(RESULTS);
            let section = format!(
                "## {part}\n\nMade by `cargo xtask bench --write {part}` on {}.\n\n{}\n",
                machine(),
                measured.trim_end()
            );
            let held = fs::read_to_string(&file).unwrap_or_default();
            fs::write(&file, with_section(&held, part, &section))?;
        }
    }
    Ok(())
}

/// The table of one part, as Markdown.
fn rows(part: &str) -> anyhow::Result<String> {
    let mut table = cargo(&["bench", "--locked", "--quiet", "--package", "ruhu-tests", "--bench", "table"]);
    let file = root().join("target/bench-table.md");
    run(table.args(["--", part]).env("RUHU_BENCH_TABLE", &file))?;
    Ok(fs::read_to_string(&file)?)
}

/// What the benchmarks of the gate print.
fn gate() -> anyhow::Result<String> {
    let mut gate = cargo(&["bench", "--locked", "--quiet", "--package", "ruhu-survey", "--bench", "gate"]);
    let printed = output(&mut gate)?;
    println!("{printed}");
    Ok(format!("```text\n{}\n```\n", printed.trim_end()))
}

/// The results with one part of them replaced; the others stay, in their order.
fn with_section(held: &str, part: &str, section: &str) -> String {
    let found = |name: &str| {
        let heading = format!("## {name}\n");
        let mut rest = held.split_inclusive('\n').skip_while(|line| *line != heading);
        let first = rest.next()?;
        let lines: String = rest.take_while(|line| !line.starts_with("## ")).collect();
        Some(format!("{first}{}\n", lines.trim_end_matches('\n')))
    };
    let sections = PARTS
        .into_iter()
        .filter_map(|name| if name == part { Some(section.to_owned()) } else { found(name) });
    std::iter::once(HEAD.to_owned()).chain(sections).collect::<Vec<_>>().join("\n")
}

/// The processor and how many of it there are, as Linux tells.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": an unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {}", model.trim_start_matches([':', ' ', '\t']).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_was_measured_replaces_its_own_section_and_no_other() {
        let week = with_section("", "week", "## week\n\nold\n");
        let both = with_section(&week, "ingest", "## ingest\n\nfast\n");
        let again = with_section(&both, "week", "## week\n\nnew\n");
        assert_eq!(again, format!("{HEAD}\n## week\n\nnew\n\n## ingest\n\nfast\n"));
        assert_eq!(with_section(&again, "week", "## week\n\nnew\n"), again);
    }
}
