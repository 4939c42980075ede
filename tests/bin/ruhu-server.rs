//! The `ruhu-server` command as tests start and kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    ruhu_server::main()
}
