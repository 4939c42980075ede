//! `ruhu-bindings MODULE FOLDER`: takes a module that `cargo` built for a browser apart, and writes into a folder
//! the module and the JavaScript and types that load it.
//!
//! This is what the `wasm-bindgen` command does, at exactly the version of `Cargo.lock` and without an install. It
//! is a program of its own because what it stands on takes longer to compile than all other tasks together.

use std::env::args_os;
use std::path::PathBuf;

use anyhow::bail;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let paths: Vec<PathBuf> = args_os().skip(1).map(PathBuf::from).collect();
    let [module, folder] = paths.as_slice() else { bail!("usage: ruhu-bindings MODULE FOLDER") };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name("ruhu").typescript(true).remove_name_section(true).web(true)?;
    bindgen.generate(folder)
}
