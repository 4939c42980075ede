//! The weekly sync over a weak link: as it is, with a cut every five seconds, and through a proxy that passes
//! requests on only when they are whole. All three begin at the same server and the same device.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ruhu_client_core::{SyncOutcome, SyncReport};
use ruhu_link::{Counted, Link, Shape};

use crate::clock::timed;
use crate::field::Tablet;
use crate::table::{Row, Table};
use crate::week::{HOUSEHOLDS, Notes, work};
use crate::world::{World, village_of};

const NAME: &str = "张秀英";
const CUT: Duration = Duration::from_secs(5);

/// What one run cost.
struct Run {
    took: Duration,
    counted: Counted,
    report: SyncReport,
}

pub(crate) fn measure(table: &mut Table) {
    let mut world = World::new(HOUSEHOLDS);
    work_a_week(&mut world);
    let before = world.path("before");
    let (server, device) = (world.data(), world.device(NAME).store);
    copy(&server, &before.join("server"));
    copy(&device, &before.join("device"));
    let shapes = [
        ("the week over 20 kbit/s up, 40 down, 700 ms", "≤ 15 s", Shape::WEAK),
        ("the same with a cut every 5 s", "≤ 30 s", Shape { cut_every: Some(CUT), ..Shape::WEAK }),
        (
            "the same through a proxy that gathers requests",
            "",
            Shape { gathers_requests: true, ..Shape::WEAK },
        ),
    ];
    let mut least = None;
    for (name, aim, shape) in shapes {
        copy(&before.join("server"), &server);
        copy(&before.join("device"), &device);
        let run = sync_over(&mut world, shape);
        let least = *least.get_or_insert(run.counted.up_bytes);
        let seconds = format!("{:.1} s", run.took.as_secs_f64());
        table.add(Row::new(name, seconds, aim).beside(told(&run, least)));
    }
}

/// What passed, headers included; `least` bytes went up in the run without a fault.
fn told(run: &Run, least: u64) -> String {
    let Counted { up_bytes, down_bytes, connections, cuts } = run.counted;
    format!(
        "{up_bytes} B up, of them {} B more than undisturbed; {down_bytes} B down; {connections} connections, \
         {cuts} cut; {} requests, {} resumed",
        up_bytes.saturating_sub(least),
        run.report.requests,
        run.report.resumed
    )
}

/// A device that has worked for a week, and a server that has not heard of it; neither runs any more.
fn work_a_week(world: &mut World) {
    world.start();
    let mut tablet = Tablet::enrol(world, NAME, "work_team", &village_of(0, HOUSEHOLDS).code);
    tablet.sync();
    work(&mut tablet, HOUSEHOLDS, Notes::Listed);
    world.kill();
}

/// Syncs once, to the end.
fn sync_over(world: &mut World, shape: Shape) -> Run {
    world.start();
    let server = world.url().trim_start_matches("http://").parse().unwrap();
    let link = Link::open(SocketAddr::from(([127, 0, 0, 1], 0)), server, shape).unwrap();
    let mut tablet = Tablet::open(world, NAME, &format!("http://{}", link.address()));
    let mut report = None;
    let took = timed(|| report = Some(tablet.sync_once()));
    world.kill();
    let report = report.unwrap();
    assert_eq!((&report.outcome, report.waiting), (&SyncOutcome::Complete, 0), "{report:?}");
    Run { took, counted: link.counted(), report }
}

/// Puts a copy of a folder in the place of another.
fn copy(from: &Path, to: &Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).unwrap();
    }
    std::fs::create_dir_all(to).unwrap();
    assert!(Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap().success());
}
