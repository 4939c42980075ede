//! Where the passphrase comes from: the environment, or a person at the terminal.

use std::io::IsTerminal;

use crate::failure::Failure;
use crate::output::Output;

const VARIABLE: &str = "RUHU_PASSPHRASE";
const NEW_VARIABLE: &str = "RUHU_NEW_PASSPHRASE";

/// The passphrase of an existing store.
pub(crate) fn existing(output: &Output) -> Result<String, Failure> {
    given(VARIABLE).map_or_else(|| ask(output, "ruhu_ask_passphrase"), Ok)
}

/// A passphrase for a new store; typed twice when typed.
pub(crate) fn fresh(output: &Output) -> Result<String, Failure> {
    given(VARIABLE).map_or_else(|| ask_twice(output), Ok)
}

/// The passphrase to change to; typed twice when typed.
pub(crate) fn next(output: &Output) -> Result<String, Failure> {
    given(NEW_VARIABLE).map_or_else(|| ask_twice(output), Ok)
}

fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|passphrase| !passphrase.is_empty())
}

fn ask_twice(output: &Output) -> Result<String, Failure> {
    let first = ask(output, "ruhu_ask_new_passphrase")?;
    let second = ask(output, "ruhu_ask_passphrase_again")?;
    if first == second { Ok(first) } else { Err(Failure::PassphrasesDiffer) }
}

fn ask(output: &Output, code: &str) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::NoPassphrase);
    }
    let question = format!("{} ", output.message(code, &[]));
    rpassword::prompt_password(question).map_err(|_| Failure::NoPassphrase)
}
