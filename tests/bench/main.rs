//! The benchmark table: every row of the design's aims that there is something to measure for, beside its aim.
//!
//! `cargo xtask bench` runs it in release mode. Words given to it choose the parts; without any all run.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark may end at the first surprise"
)]
#![expect(clippy::cast_precision_loss, reason = "counts and times are small")]

mod clock;
mod device;
mod field;
mod ingest;
mod link;
mod peer;
mod table;
mod tablet;
mod week;
#[path = "../world/mod.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod world;

use table::Table;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let folder = tempfile::tempdir().unwrap();
    let mut table = Table::default();
    if runs("week") {
        week::measure(&mut table);
    }
    if runs("growth") {
        week::growth(&mut table);
    }
    if runs("ingest") {
        ingest::measure(folder.path(), &mut table);
    }
    if runs("link") {
        link::measure(&mut table);
    }
    if runs("device") {
        device::measure(&mut table);
    }
    if let Some(file) = std::env::var_os("RUHU_BENCH_TABLE") {
        std::fs::write(file, table.markdown()).unwrap();
    }
}
