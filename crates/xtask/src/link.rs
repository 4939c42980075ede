//! `cargo xtask link`: a bad link before a server. With `--week` it measures the weekly sync over one, as
//! `cargo xtask bench link` does.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use ruhu_link::{Counted, Link, Shape};

use crate::bench::{self, Bench};

/// A link, and what to do with it.
#[derive(Debug, Args)]
pub(crate) struct BadLink {
    /// The server behind the link, such as 127.0.0.1:8440
    #[arg(long, required_unless_present = "week")]
    server: Option<SocketAddr>,
    /// Where the device connects to
    #[arg(long, default_value = "127.0.0.1:8450")]
    listen: SocketAddr,
    /// Kilobits a second to the server
    #[arg(long, default_value_t = 20)]
    up: u64,
    /// Kilobits a second to the device
    #[arg(long, default_value_t = 40)]
    down: u64,
    /// Milliseconds there and back
    #[arg(long, default_value_t = 700)]
    round_trip: u64,
    /// Seconds after which each connection is cut
    #[arg(long)]
    cut_every: Option<u64>,
    /// Passes requests on only when they are whole
    #[arg(long)]
    gather: bool,
    /// Measures the weekly sync instead: the benchmark's part `link`
    #[arg(long)]
    week: bool,
    /// Writes what was measured to tests/BENCHMARKS.md
    #[arg(long, requires = "week")]
    write: bool,
}

impl BadLink {
    fn shape(&self) -> Shape {
        Shape {
            up_bits: self.up.saturating_mul(1_000),
            down_bits: self.down.saturating_mul(1_000),
            round_trip: Duration::from_millis(self.round_trip),
            cut_every: self.cut_every.map(Duration::from_secs),
            cut_after: None,
            gathers_requests: self.gather,
        }
    }
}

/// Opens the link and counts, or measures.
pub(crate) fn run(asked: &BadLink) -> anyhow::Result<()> {
    if asked.week {
        return bench::measure(&Bench::of("link", asked.write));
    }
    let server = asked.server.context("name the server with --server")?;
    let link = Link::open(asked.listen, server, asked.shape())?;
    println!("http://{} leads to {server} until Ctrl-C", link.address());
    let mut before = Counted::default();
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let counted = link.counted();
        if counted != before {
            println!("{counted:?}");
            before = counted;
        }
    }
}
