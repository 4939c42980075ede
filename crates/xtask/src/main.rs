//! `cargo xtask`: builds, demonstrates, tests and measures the project, doing its own set-up.

mod command;
mod demo;
mod fuzz;
mod setup;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds, demonstrates and tests Ruhu")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Shows a village that works offline and merges, with real processes
    Demo(demo::Demo),
    /// Runs every check that a submission must pass, and prints the time of each
    Test,
    /// Throws hostile changes at the admission gate, in release mode, for as long as wished
    Fuzz(fuzz::Fuzz),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    setup::check_tools()?;
    match task {
        Task::Demo(demo) => demo::show(&demo),
        Task::Test => test::run_all(),
        Task::Fuzz(fuzz) => fuzz::run_example(&fuzz),
    }
}
