//! `cargo xtask app`: the phone app, built into `client-core/app/dist`; with `--test`, driven in a real Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{anyhow, bail};
use clap::Args;

use crate::command::{cargo, exists, root, run};
use crate::wasm::{TARGET, cargo_for_browser, install, target_folder};

/// What is built and tried.
#[derive(Debug, Args)]
pub(crate) struct App {
    /// Drives the app against a real server in Chromium, at the size of a phone
    #[arg(long)]
    test: bool,
    /// Compiles faster, and to a larger module
    #[arg(long)]
    quick: bool,
}

/// Builds the app, and tests it if that was asked for.
pub(crate) fn build(asked: &App) -> anyhow::Result<()> {
    if asked.test && chromium()?.is_none() {
        return missing(asked, "chromium: on Debian, apt-get install chromium".to_owned());
    }
    match make(asked.quick)? {
        Ok(folder) => println!("the app is in {}", folder.display()),
        Err(what) => return missing(asked, what),
    }
    if asked.test { test() } else { Ok(()) }
}

/// Builds the app and answers the folder of its pages; the inner error says what is missing for it.
pub(crate) fn make(quick: bool) -> anyhow::Result<Result<PathBuf, String>> {
    if !exists("npm") {
        return Ok(Err("npm: install Node.js 20.19 or later".to_owned()));
    }
    let command = match cargo_for_browser("rustc")? {
        Ok(command) => command,
        Err(missing_compiler) => return Ok(Err(missing_compiler)),
    };
    let module = module(command, &["--package", "ruhu-web", "--lib"], quick)?;
    write_bindings(&module.join("ruhu_web.wasm"), &folder().join("core"))?;
    run(&mut npm(&["ci"]))?;
    run(&mut npm(&["run", "build"]))?;
    Ok(Ok(folder().join("dist")))
}

/// A test passes over what cannot be had, and says so; a build fails.
fn missing(asked: &App, what: String) -> anyhow::Result<()> {
    if !asked.test {
        return Err(anyhow!("the app cannot be built without {what}"));
    }
    println!("skipped: the phone app in Chromium ({what})");
    Ok(())
}

/// Compiles a library or an example as a module; answers the folder that modules lie in.
pub(crate) fn module(mut command: Command, what: &[&str], quick: bool) -> anyhow::Result<PathBuf> {
    command.args(what).args(["--crate-type", "cdylib", "--profile", "web", "--locked"]);
    if quick {
        command.args(["--config", "profile.web.lto=false", "--config", "profile.web.codegen-units=16"]);
    }
    run(&mut command)?;
    Ok(target_folder().join(TARGET).join("web"))
}

/// Writes a module into a folder, with the JavaScript that loads it.
pub(crate) fn write_bindings(module: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut bindings = cargo(&["run", "--quiet", "--locked", "--package", "ruhu-bindings", "--"]);
    run(bindings.arg(module).arg(folder))
}

fn folder() -> PathBuf {
    root().join("client-core/app")
}

fn npm(arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder()).args(arguments);
    command
}

/// The browser to test in, installed where that can be done.
fn chromium() -> anyhow::Result<Option<PathBuf>> {
    const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
    let find = || NAMES.into_iter().find_map(path_of);
    match find() {
        Some(found) => Ok(Some(found)),
        None => Ok(if install(&["chromium"])? { find() } else { None }),
    }
}

/// Where a program is that can be started by its name.
fn path_of(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The tests in a browser, against the server as the other tests build it: nothing is compiled twice.
fn test() -> anyhow::Result<()> {
    let Some(browser) = chromium()? else { bail!("chromium went away") };
    run(&mut cargo(&["test", "--workspace", "--no-run", "--locked", "--quiet"]))?;
    let mut tests = npm(&["test"]);
    tests.env("RUHU_PROGRAMS", root().join("target/debug")).env("RUHU_BROWSER", browser);
    run(&mut tests)
}
