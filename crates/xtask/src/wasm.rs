//! `cargo xtask wasm`: whether the device's core and all it uses compile for the browser.
//!
//! That needs the standard library for `wasm32-unknown-unknown` and a C compiler for it, as SQLite and zstd are C.
//! Rustup brings the former on most machines. Where its server cannot be reached, Debian's packages bring a
//! compiler with the standard library's source, which is built on the way.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{cargo, exists, output, root, run};
use crate::setup::is_root;

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// Rustup tries for minutes to reach a server that is not there.
const RUSTUP_SECONDS_MAX: &str = "60";
/// Debian's compiler with the source of its standard library.
const DEBIAN: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_C: [&str; 3] = ["clang-19", "llvm-19", "lld-19"];
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std";

/// A way to compile for the browser.
enum Compiler {
    Rustup,
    Debian,
}

/// Checks the core for the browser, or says what is missing and passes it over.
pub(crate) fn check() -> anyhow::Result<()> {
    match cargo_for_browser("check")? {
        Ok(mut command) => run(command.args(["--package", "ruhu-web", "--lib", "--locked"])),
        Err(missing) => {
            println!("skipped: the browser's core ({missing})");
            Ok(())
        }
    }
}

/// `cargo` with everything that compiling for the browser needs; the inner error says what is missing.
pub(crate) fn cargo_for_browser(task: &str) -> anyhow::Result<Result<Command, String>> {
    let Some((clang, ar)) = c_compiler()? else {
        return Ok(Err(format!("no clang: on Debian, apt-get install {}", DEBIAN_C.join(" "))));
    };
    let Some(compiler) = compiler()? else {
        let debian = DEBIAN.join(" ");
        return Ok(Err(format!("rustup target add {TARGET} failed; on Debian, apt-get install {debian}")));
    };
    let mut command = match compiler {
        Compiler::Rustup => cargo(&[task]),
        Compiler::Debian => debian_cargo(task),
    };
    command.args(["--target", TARGET]);
    command.env("CC_wasm32_unknown_unknown", clang).env("AR_wasm32_unknown_unknown", ar);
    // Two compilers would spoil each other's work in one folder.
    command.env("CARGO_TARGET_DIR", target_folder());
    Ok(Ok(command))
}

/// Where the browser's builds are.
pub(crate) fn target_folder() -> PathBuf {
    root().join("target/wasm")
}

fn debian_cargo(task: &str) -> Command {
    let mut command = Command::new("/usr/bin/cargo");
    command.current_dir(root()).args([task, "-Zbuild-std=std,panic_abort"]);
    // What the cargo that runs this put into the environment is about another compiler.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19");
    command
}

fn compiler() -> anyhow::Result<Option<Compiler>> {
    if rustup_has_it() {
        return Ok(Some(Compiler::Rustup));
    }
    if Path::new(DEBIAN_SOURCE).exists() {
        return Ok(Some(Compiler::Debian));
    }
    if exists("rustup") {
        let mut add = Command::new("timeout");
        add.args([RUSTUP_SECONDS_MAX, "rustup", "target", "add", TARGET]).current_dir(root());
        if add.status().is_ok_and(|status| status.success()) {
            return Ok(Some(Compiler::Rustup));
        }
    }
    let installed = install(&DEBIAN)? && Path::new(DEBIAN_SOURCE).exists();
    Ok(installed.then_some(Compiler::Debian))
}

fn rustup_has_it() -> bool {
    let mut list = Command::new("rustup");
    let installed = output(list.args(["target", "list", "--installed"]).current_dir(root()));
    installed.is_ok_and(|targets| targets.lines().any(|target| target == TARGET))
}

/// A C compiler for the browser and its archiver, by name.
fn c_compiler() -> anyhow::Result<Option<(&'static str, &'static str)>> {
    const NAMES: [(&str, &str); 2] = [("clang-19", "llvm-ar-19"), ("clang", "llvm-ar")];
    let find = || NAMES.into_iter().find(|(clang, ar)| exists(clang) && exists(ar));
    match find() {
        Some(found) => Ok(Some(found)),
        None => Ok(if install(&DEBIAN_C)? { find() } else { None }),
    }
}

/// Installs Debian's packages where that can be done; whether it worked.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<bool> {
    if !exists("apt-get") || !is_root() {
        return Ok(false);
    }
    Command::new("apt-get").args(["update", "--quiet"]).status()?;
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
    Ok(install.env("DEBIAN_FRONTEND", "noninteractive").status()?.success())
}
