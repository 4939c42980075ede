//! Feeds hostile (or honest) changes to the gate and prints what became of them.
//!
//! `fuzz_gate --cases 1000000 --seed 1` mutates honest changes; `fuzz_gate honest --cases 100000 --seed 1`
//! lets honest ones through; `fuzz_gate replay …` spoils batches of replay streams. The exit code is 1 when a
//! panic, a torn belt or a refused honest change shows.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a fuzzer may end at the first surprise")]
#![expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "small random numbers")]

#[path = "../tests/batches/mod.rs"]
mod batches;
#[path = "../tests/history/mod.rs"]
mod history;
#[path = "../tests/mutate/mod.rs"]
mod mutate;
#[path = "../tests/timing/mod.rs"]
mod timing;

use std::process::ExitCode;
use std::time::Duration;

fn argument(name: &str, default: u64) -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().map_or(default, |text| text.parse().unwrap())
}

/// The highest memory of this process so far, in KiB, where the system tells it.
fn memory_peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn mean_us(total: Duration, count: u64) -> f64 {
    total.as_secs_f64() * 1e6 / count.max(1) as f64
}

fn row(name: &str, value: impl std::fmt::Display) {
    println!("{name:<28} {value:>14}");
}

fn hostile(cases: u64, seed: u64) -> bool {
    mutate::hostile(2_000, seed); // warm, so that the memory of the code itself is not counted
    let before = memory_peak_kib();
    let tally = mutate::hostile(cases, seed);
    row("hostile cases", tally.cases);
    row("identical to the honest one", tally.identical);
    row("accepted", tally.accepted);
    for (kind, count) in &tally.refused {
        row(&format!("refused: {kind}"), count);
    }
    row("belt failures", tally.belt_failures.len());
    row("panics", tally.panics);
    row("mean us", format!("{:.2}", mean_us(tally.total, tally.cases - tally.identical)));
    row("worst us", tally.worst.as_micros());
    row("memory peak before, KiB", before);
    row("memory peak after, KiB", memory_peak_kib());
    for failure in tally.belt_failures.iter().take(10) {
        println!("{failure}");
    }
    tally.belt_failures.is_empty() && tally.panics == 0
}

/// Hostile batches of replay streams: reader, builder, gate, belt.
fn replay(cases: u64, seed: u64) -> bool {
    batches::hostile::hostile(1_000, seed); // warm, so that the memory of the code itself is not counted
    let before = memory_peak_kib();
    let tally = batches::hostile::hostile(cases, seed);
    row("hostile batches", tally.cases);
    row("built as the honest one", tally.identical);
    for (kind, count) in &tally.refused {
        row(&format!("refused: {kind}"), count);
    }
    row("changes built", tally.built);
    row("changes accepted", tally.accepted);
    for (kind, count) in &tally.turned_away {
        row(&format!("turned away: {kind}"), count);
    }
    row("belt failures", tally.belt_failures.len());
    row("panics", tally.panics);
    row("mean us", format!("{:.2}", mean_us(tally.total, tally.cases)));
    row("worst us", tally.worst.as_micros());
    row("memory peak before, KiB", before);
    row("memory peak after, KiB", memory_peak_kib());
    for failure in tally.belt_failures.iter().take(10) {
        println!("{failure}");
    }
    tally.belt_failures.is_empty() && tally.panics == 0
}

fn honest(cases: u64, seed: u64) -> bool {
    let tally = mutate::honest(cases, seed);
    row("honest changes", tally.changes);
    row("refused", tally.refused);
    row("standing on older changes", tally.at_older);
    let on_heads = mean_us(tally.on_heads_total, tally.changes - tally.at_older);
    row("mean us on the heads", format!("{on_heads:.2}"));
    row("mean us on older changes", format!("{:.2}", mean_us(tally.at_older_total, tally.at_older)));
    row("worst us", tally.worst.as_micros());
    tally.refused == 0
}

fn main() -> ExitCode {
    let (cases, seed) = (argument("--cases", 100_000), argument("--seed", 1));
    let mode = std::env::args().nth(1);
    let good = match mode.as_deref() {
        Some("honest") => honest(cases, seed),
        Some("replay") => replay(cases, seed),
        _ => hostile(cases, seed),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
