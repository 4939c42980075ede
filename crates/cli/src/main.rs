//! `ruhu`: a field device in a terminal.

use std::process::ExitCode;

fn main() -> ExitCode {
    ruhu_cli::main()
}
