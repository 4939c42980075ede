//! `cargo xtask test`: every check, one after the other, with the time of each.

use std::process::Command;
use std::time::Duration;

use crate::command::{cargo, exists, run};

struct Part {
    name: &'static str,
    command: Command,
}

/// Runs all parts; the first failure ends the run after the times so far are printed.
fn run_parts(parts: Vec<Part>) -> anyhow::Result<()> {
    let mut times = Vec::new();
    let mut result = Ok(());
    for mut part in parts {
        println!("== {}", part.name);
        let started = now();
        result = run(&mut part.command);
        times.push((part.name, now().saturating_sub(started)));
        if result.is_err() {
            break;
        }
    }
    print_times(&times);
    result
}

/// The whole check.
pub(crate) fn run_all() -> anyhow::Result<()> {
    let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--locked", "--quiet"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    let mut parts = vec![
        Part { name: "format", command: cargo(&["fmt", "--all", "--check"]) },
        Part { name: "tests", command: cargo(&["test", "--workspace", "--locked"]) },
        Part {
            name: "lints",
            command: cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        },
        Part { name: "documentation", command: docs },
        Part { name: "the browser's core", command: itself(&["wasm"])? },
        Part {
            name: "findings in the browser",
            command: itself(&["findings", "--households", "1000", "--browser", "--quick"])?,
        },
        Part { name: "the phone app", command: itself(&["app", "--test", "--quick"])? },
    ];
    if exists("cargo-deny") {
        parts.push(Part {
            name: "licences and bans",
            command: cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"]),
        });
    } else {
        println!("skipped: licences and bans (cargo-deny is not installed: cargo install cargo-deny)");
    }
    run_parts(parts)
}

/// Another task of this program.
fn itself(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}

fn print_times(times: &[(&str, Duration)]) {
    println!("\npart                 seconds");
    for (name, time) in times {
        println!("{name:<20} {:>7.1}", time.as_secs_f64());
    }
}

#[expect(clippy::disallowed_methods, reason = "a tool that times its parts; nothing decides by it")]
fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
