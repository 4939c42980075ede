//! `ruhu-server`: enrols devices, receives their signed batches, relays and answers.

use std::process::ExitCode;

fn main() -> ExitCode {
    ruhu_server::main()
}
