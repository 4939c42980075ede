//! `cargo xtask findings`: what the rules find over many invented households, beside the domain model's calibration;
//! with `--browser` a browser's engine is asked the same, and must answer the same.

use std::process::Command;

use anyhow::ensure;
use clap::Args;

use crate::app::{module, write_bindings};
use crate::command::{cargo, exists, output};
use crate::wasm::{cargo_for_browser, target_folder};

/// Loads the module as Node.js does and prints its report.
const ASK: &str = "import { readFileSync } from 'node:fs'
import init, { report } from './ruhu.js'
await init({ module_or_path: readFileSync(new URL('ruhu_bg.wasm', import.meta.url)) })
console.log(report(Number(process.argv[2]), Number(process.argv[3])))
";

/// How many households, and which.
#[derive(Debug, Args)]
pub(crate) struct Findings {
    /// How many households
    #[arg(long, default_value_t = 10_000)]
    households: u32,
    /// The seed of the sample
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Asks the same of the rules compiled for the browser, and compares
    #[arg(long)]
    browser: bool,
    /// Compiles faster, and to slower programs
    #[arg(long)]
    quick: bool,
}

/// Prints the counts by rule, the calibration, and a digest of all findings.
pub(crate) fn count(asked: &Findings) -> anyhow::Result<()> {
    let numbers = [asked.households.to_string(), asked.seed.to_string()];
    let mut program =
        cargo(&["run", "--locked", "--quiet", "--package", "ruhu-sample", "--example", "findings"]);
    if !asked.quick {
        program.arg("--release");
    }
    let natively = output(program.arg("--").args(&numbers))?;
    print!("{natively}");
    if !asked.browser {
        return Ok(());
    }
    let Some(in_browser) = in_browser(&numbers, asked.quick)? else { return Ok(()) };
    ensure!(natively == in_browser, "the rules compiled for the browser find otherwise:\n{in_browser}");
    println!("compiled for the browser: the same, {} households", asked.households);
    Ok(())
}

/// The report of the same rules as a module; `None`, with the reason printed, where it cannot be had.
fn in_browser(numbers: &[String], quick: bool) -> anyhow::Result<Option<String>> {
    let command = match cargo_for_browser("rustc")? {
        Ok(command) if exists("node") => command,
        Ok(_) => return skipped("node: install Node.js 20.19 or later"),
        Err(missing) => return skipped(&missing),
    };
    let built = module(command, &["--package", "ruhu-sample", "--example", "findings_module"], quick)?;
    let folder = target_folder().join("findings");
    std::fs::create_dir_all(&folder)?;
    write_bindings(&built.join("examples/findings_module.wasm"), &folder)?;
    std::fs::write(folder.join("package.json"), r#"{ "type": "module" }"#)?;
    std::fs::write(folder.join("ask.js"), ASK)?;
    Ok(Some(output(Command::new("node").arg(folder.join("ask.js")).args(numbers))?))
}

fn skipped(missing: &str) -> anyhow::Result<Option<String>> {
    println!("skipped: the rules compiled for the browser ({missing})");
    Ok(None)
}
