//! `cargo xtask power`: as many power cuts as one likes, and what was found after them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a program for a terminal")]
#![expect(dead_code, reason = "the tests use more of the disks than this")]

#[path = "../disk/mod.rs"]
mod disk;
#[path = "mod.rs"]
mod outage;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use disk::Disk;
use outage::cuts::{Plan, Report, cut_all};
use outage::machines::{create, open};
use outage::session::Session;
use ruhu_client_core::Profile;

/// How many violations are printed one by one.
const LINES_MAX: usize = 20;

#[derive(Debug, Parser)]
struct Arguments {
    /// How many cuts to make, half of them with each journal
    #[arg(long, default_value_t = 10_000)]
    cuts: u64,
    /// The seed; the same seed makes the same cuts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The control: the disk says it synced and did not, and violations must be found
    #[arg(long)]
    without_sync: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    print_cost();
    let mut violations = 0;
    for (name, profile) in [("write-ahead log", Profile::Device), ("rollback journal", Profile::Browser)] {
        let session = Session::record(profile);
        println!("{name}: a session of {} operations on two disks", session.tape.length());
        let plan = Plan { cuts: arguments.cuts / 2, seed: arguments.seed, syncs: !arguments.without_sync };
        let report = cut_all(&session, plan);
        print(&report);
        violations += report.violations.len();
    }
    println!("violations: {violations}");
    if (violations > 0) == arguments.without_sync { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a device costs on such a disk, for those who build worlds of them.
fn print_cost() {
    const TIMES: u32 = 100;
    let disk = Disk::new();
    drop(create(&disk, Profile::Device, 1).unwrap());
    let started = now();
    for day in 0..TIMES {
        drop(open(&disk, Profile::Device, day).unwrap());
    }
    let opening = (now() - started) / TIMES;
    let client = open(&disk, Profile::Device, 2).unwrap();
    let started = now();
    for _ in 0..TIMES {
        client.status().unwrap();
    }
    let reading = (now() - started) / TIMES;
    let database = rusqlite::Connection::open(disk.path("plain.db")).unwrap();
    database.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE a (b)").unwrap();
    let started = now();
    for number in 0..TIMES {
        database.execute("INSERT INTO a VALUES (?1)", [number]).unwrap();
    }
    let writing = (now() - started) / TIMES;
    println!(
        "opening a device's store {opening:?}, its status {reading:?}, one transaction of SQLite {writing:?}"
    );
}

#[expect(clippy::disallowed_methods, reason = "a program that measures; nothing decides by it")]
fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap()
}

fn print(report: &Report) {
    for ((victim, damage), cuts) in &report.cuts {
        println!("  {:<8} {:<12} {cuts:>7}", format!("{victim:?}"), format!("{damage:?}"));
    }
    println!("  {:<21} {:>7}, violations {}", "cuts", report.total(), report.violations.len());
    for line in report.lines().lines().take(LINES_MAX) {
        println!("  {line}");
    }
}
