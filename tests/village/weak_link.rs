//! Syncs over a link that is cut again and again, and over one that passes requests on only when they are whole.

use std::net::SocketAddr;
use std::time::Duration;

use ruhu_client_core::{Client, HttpTransport, Query, SyncOutcome, SyncReport};
use ruhu_link::{Counted, Link, Shape};
use ruhu_sample::{Random, SampleVillage, visit_answers};
use ruhu_survey::household::{Because, Input};

use crate::private::{device, wait};
use crate::world::{World, village_of};

const HOUSEHOLDS: usize = 120;
/// So slow that a week takes several times what a connection lasts.
const WEAK: Shape = Shape {
    up_bits: 16_000,
    down_bits: 160_000,
    round_trip: Duration::from_millis(20),
    cut_every: None,
    cut_after: None,
    gathers_requests: false,
};
/// Bytes that a connection may cost besides what it moves: the headers of its requests, and what was on its way.
const CONNECTION_BYTES: u64 = 4_000;

/// Visits every household of the village.
fn visit_all(client: &mut Client, sample: &SampleVillage) {
    let village = client.villages().unwrap()[0].id;
    let listed = client.households(village, &Query::default()).unwrap();
    let mut random = Random::new(7);
    for (household, sample) in listed.iter().zip(&sample.households) {
        let check = client.start_check(household.id, "screening").unwrap();
        for answer in visit_answers(&mut random, sample) {
            let input = Input::Stored(answer.value.to_value());
            client.set_answer(check, &answer.key(), &input, &Because::default()).unwrap();
        }
        client.submit(check, "completed", &[]).unwrap();
    }
}

/// Syncs to the end over a link of this shape.
fn sync_over(world: &World, client: &mut Client, shape: Shape) -> (SyncReport, Counted) {
    let server = world.url().trim_start_matches("http://").parse().unwrap();
    let link = Link::open(SocketAddr::from(([127, 0, 0, 1], 0)), server, shape).unwrap();
    let transport = HttpTransport::new(&format!("http://{}", link.address())).unwrap();
    let report = wait(client.sync(&transport, &mut |_| {})).unwrap();
    assert_eq!((&report.outcome, report.waiting), (&SyncOutcome::Complete, 0), "{report:?}");
    assert!(report.mismatched.is_empty() && report.set_aside == 0, "{report:?}");
    (report, link.counted())
}

#[test]
fn a_week_gets_through_cuts_and_through_a_proxy_that_gathers_and_little_is_sent_twice() {
    let sample = village_of(0, HOUSEHOLDS);
    let mut world = World::new(HOUSEHOLDS);
    world.start();
    let (mut first, _) = device(&world, "张秀英", &sample.code);
    let (mut second, _) = device(&world, "李国强", &sample.code);
    visit_all(&mut first, &sample);
    visit_all(&mut second, &sample);

    let gathering = Shape { gathers_requests: true, ..WEAK };
    let (gathered, whole) = sync_over(&world, &mut first, gathering);
    assert_eq!((gathered.resumed, whole.cuts), (0, 0));

    let cut = Shape { cut_every: Some(Duration::from_secs(1)), ..WEAK };
    let (report, counted) = sync_over(&world, &mut second, cut);
    assert!(counted.cuts >= 2 && report.resumed >= 2, "{counted:?} {report:?}");
    let twice = counted.up_bytes.saturating_sub(whole.up_bytes);
    assert!(twice < CONNECTION_BYTES * counted.connections, "{counted:?} against {whole:?}");

    let (_, _) = sync_over(&world, &mut first, Shape::WIDE);
    let village = first.villages().unwrap()[0].id;
    for client in [&first, &second] {
        let listed = client.households(village, &Query::default()).unwrap();
        let checks = listed.iter().map(|household| client.checks(household.id).unwrap().len()).sum::<usize>();
        assert_eq!(checks, 2 * HOUSEHOLDS, "both devices hold every visit of both");
    }
    assert!(world.operate(&["verify"]).contains("agree"));
}
