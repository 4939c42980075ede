//! What a fresh machine needs before anything is built: a C compiler, make and perl, for SQLCipher's
//! own OpenSSL.

use std::process::Command;

use anyhow::bail;

use crate::command::{exists, run};

/// The program to look for, and Debian's package that brings it.
const TOOLS: [(&str, &str); 3] = [("cc", "gcc"), ("make", "make"), ("perl", "perl")];

/// Installs what is missing where that can be done, and otherwise says exactly what is missing.
pub(crate) fn check_tools() -> anyhow::Result<()> {
    let missing: Vec<_> = TOOLS.iter().filter(|(program, _)| !exists(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    if exists("apt-get") && is_root() {
        run(Command::new("apt-get").arg("update"))?;
        return run(Command::new("apt-get").args(["install", "--yes"]).args(&packages));
    }
    bail!(
        "SQLCipher is built from source and needs {}: on Debian or Ubuntu, sudo apt-get install {}",
        missing.iter().map(|(program, _)| *program).collect::<Vec<_>>().join(", "),
        packages.join(" "),
    )
}

/// Whether packages can be installed.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}
