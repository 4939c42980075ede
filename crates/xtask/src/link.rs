//! `cargo xtask link`: a bad link before a server, and what the weekly sync costs over it.
//!
//! `--week` is one measurement with the real programs in release mode: a village of 1,000 households, 300
//! visited, synced over the same weak link three times from the same beginning: as it is, with a cut every
//! five seconds, and through a proxy that gathers whole requests.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use ruhu_link::{Counted, Link, Shape};
use serde_json::Value;

use crate::command::run as run_program;
use crate::demo::device::Device;
use crate::demo::server::Server;
use crate::demo::{Profile, build, fresh_folder, write_village};

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
    /// Measures the weekly sync instead of waiting
    #[arg(long)]
    week: bool,
    /// How many households the measured village has
    #[arg(long, default_value_t = 1_000)]
    households: u32,
    /// How many of them are visited in the measured week
    #[arg(long, default_value_t = 300)]
    visits: u32,
}

impl BadLink {
    fn shape(&self) -> Shape {
        Shape {
            up_bits: self.up.saturating_mul(1_000),
            down_bits: self.down.saturating_mul(1_000),
            round_trip: Duration::from_millis(self.round_trip),
            cut_every: self.cut_every.map(Duration::from_secs),
            gathers_requests: self.gather,
        }
    }
}

/// Opens the link and counts, or measures.
pub(crate) fn run(asked: &BadLink) -> anyhow::Result<()> {
    if asked.week {
        return measure_week(asked);
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

/// A device that has worked for a week, and the server that has not heard of it.
struct Week {
    server: Server,
    device: Device,
    listen: SocketAddr,
}

fn measure_week(asked: &BadLink) -> anyhow::Result<()> {
    let folder = fresh_folder()?;
    let mut week = work_a_week(asked, &folder)?;
    let before = folder.join("before");
    copy(week.server.data(), &before.join("server"))?;
    copy(week.device.store(), &before.join("device"))?;
    let weak = Shape { cut_every: None, gathers_requests: false, ..asked.shape() };
    let cuts = Some(Duration::from_secs(asked.cut_every.unwrap_or(5)));
    let cases = [
        ("the link as it is", weak),
        ("with cuts", Shape { cut_every: cuts, ..weak }),
        ("gathering requests", Shape { gathers_requests: true, ..weak }),
    ];
    let mut lines =
        vec!["case                  seconds  up bytes  re-sent  down bytes  connections  cuts".to_owned()];
    let mut least = None;
    for (name, shape) in cases {
        copy(&before.join("server"), week.server.data())?;
        copy(&before.join("device"), week.device.store())?;
        let (seconds, counted) = week.sync_over(shape)?;
        let least = *least.get_or_insert(counted.up_bytes);
        let resent = counted.up_bytes.saturating_sub(least);
        let Counted { up_bytes, down_bytes, connections, cuts } = counted;
        lines.push(format!(
            "{name:<20} {seconds:>8.1} {up_bytes:>9} {resent:>8} {down_bytes:>11} {connections:>12} {cuts:>5}"
        ));
    }
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// Sets up a server and a device, and visits households with no network.
fn work_a_week(asked: &BadLink, folder: &Path) -> anyhow::Result<Week> {
    let programs = build(Profile::Release)?;
    let village = write_village(folder, asked.households, asked.visits)?;
    let mut server = Server::set_up(&programs, folder, &village)?;
    server.start()?;
    let link = Link::open(asked.listen, server.address().parse()?, Shape::WIDE)?;
    let url = format!("http://{}", link.address());
    let invitation = server.invite("张秀英", "work_team", &village, &url)?;
    let device = Device::enrol(&programs, folder, "张秀英", "平板1", &invitation)?;
    device.sync()?;
    server.stop()?;
    let mut visited = 0;
    for household in device.households()? {
        let text = |name: &str| household.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let answers = folder.join("visits").join(format!("{}.json", text("number")));
        if let Ok(answers) = std::fs::read_to_string(answers) {
            device.check(&text("id"), &answers)?;
            visited += 1;
        }
    }
    println!("{visited} households visited");
    Ok(Week { server, device, listen: link.address() })
}

impl Week {
    /// Syncs once over a link of this shape: the seconds it took, and what passed.
    #[expect(clippy::disallowed_methods, reason = "this is a measurement of time")]
    fn sync_over(&mut self, shape: Shape) -> anyhow::Result<(f64, Counted)> {
        self.server.start()?;
        let link = Link::open(self.listen, self.server.address().parse()?, shape)?;
        let began = Instant::now();
        self.device.sync()?;
        let seconds = began.elapsed().as_secs_f64();
        self.server.stop()?;
        Ok((seconds, link.counted()))
    }
}

/// Puts a copy of a folder in the place of another.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    run_program(Command::new("cp").arg("-a").arg(from.join(".")).arg(to))
}
