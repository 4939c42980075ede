//! `ruhu-server` as a program: reads the arguments, does what was asked, and says what went wrong.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use ruhu_survey::message::Lang;

use crate::clock::SystemClock;
use crate::command::{Cli, Context, run};

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let lang = cli.lang.unwrap_or_else(|| Lang::of_environment(environment.get("LANG").map(String::as_str)));
    let mut context = Context {
        data: &cli.data,
        config: cli.config.as_deref(),
        lang,
        clock: Arc::new(SystemClock),
        environment: &environment,
        out: &mut std::io::stdout().lock(),
    };
    match run(cli.command, &mut context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error.say(lang));
            ExitCode::FAILURE
        }
    }
}
