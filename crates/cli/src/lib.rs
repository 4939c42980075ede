//! The `ruhu` command: everything a field device does, typed instead of touched.
//!
//! It is a thin rim around [`ruhu_client_core::Client`]: it reads arguments, opens the store, calls one
//! or two methods, and prints a table for people or JSON for scripts.

mod arguments;
mod command;
mod exit;
mod failure;
mod output;
mod passphrase;
mod pick;

use std::process::ExitCode;

use clap::Parser;
use ruhu_survey::message::Lang;

use arguments::Arguments;
use output::Output;

/// Reads the command line, does what it says, and answers how it went.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let environment = std::env::var("LC_ALL").or_else(|_| std::env::var("LANG")).ok();
    let lang = arguments.lang.unwrap_or_else(|| Lang::of_environment(environment.as_deref()));
    let mut output = Output::new(lang, arguments.json);
    match command::run(&arguments, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit() as u8)
        }
    }
}
