//! `cargo xtask`: builds, demonstrates, tests and measures the project, doing its own set-up.

mod app;
mod bench;
mod command;
mod demo;
mod dictionary;
mod findings;
mod fuzz;
mod link;
mod power;
mod setup;
mod simulate;
mod test;
mod wasm;

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
    /// Puts a bad link before a server; with `--week` it measures the weekly sync over it
    Link(link::BadLink),
    /// Trains the dictionary of replay streams and writes it to schemas/wire
    Dictionary,
    /// Throws hostile changes at the admission gate, in release mode, for as long as wished
    Fuzz(fuzz::Fuzz),
    /// Cuts the power of a server and a device at every moment of a session, in release mode
    Power(power::Power),
    /// Checks that the device's core compiles for the browser
    Wasm,
    /// Builds the phone app into client-core/app/dist: the core for the browser and the pages
    App(app::App),
    /// Measures what the design aims at, in release mode, and prints one table
    Bench(bench::Bench),
    /// Applies the rules to many invented households, in release mode, and prints what they find
    Findings(findings::Findings),
    /// Lives through simulated villages with every fault there is, in release mode, for as long as wished
    Simulate(simulate::Simulate),
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
        Task::Link(link) => link::run(&link),
        Task::Dictionary => dictionary::train(),
        Task::Fuzz(fuzz) => fuzz::run_example(&fuzz),
        Task::Power(power) => power::run_example(&power),
        Task::Wasm => wasm::check(),
        Task::App(app) => app::build(&app),
        Task::Bench(bench) => bench::measure(&bench),
        Task::Findings(asked) => findings::count(&asked),
        Task::Simulate(simulate) => simulate::run_worlds(&simulate),
    }
}
