//! Requests that are cut on their way, and go on where the server has them.

use super::server::Fault;
use super::syncing::{HOUSEHOLD, put};
use super::*;
use crate::SyncOutcome;

/// A tablet with several batches to send. Two of them, on two servers, send the same bytes.
fn with_a_week(server: &FakeServer) -> Tablet {
    with_visits(server, 250)
}

fn with_visits(server: &FakeServer, visits: usize) -> Tablet {
    let mut tablet = Tablet::enrolled(server, 1);
    tablet.sync(server);
    for visit in 0..visits {
        let note = format!("第{visit}次入户{}", visit * 7919 % 1013);
        put(&mut tablet, server.villages[0], HOUSEHOLD, "remarks", &note);
    }
    tablet
}

/// The bytes of the week's request when nothing goes wrong.
fn whole() -> u64 {
    let server = FakeServer::new();
    let report = with_a_week(&server).sync(&server);
    assert_eq!((report.requests, report.resumed), (1, 0));
    report.sent_bytes
}

/// Syncs the week while these things go wrong; it ends complete. The report, and the bytes of the last request.
fn synced(faults: &[Fault]) -> (SyncReport, u64) {
    let server = FakeServer::new();
    let mut tablet = with_a_week(&server);
    server.faults(faults);
    let report = tablet.sync(&server);
    assert!(server.has_no_faults_left());
    assert_eq!((report.outcome.clone(), report.waiting), (SyncOutcome::Complete, 0));
    assert_eq!(server.accepted(server.villages[0]), 250);
    (report, server.last_body())
}

#[test]
fn a_request_that_is_cut_goes_on_at_the_last_byte_held() {
    let (report, last) = synced(&[300, 200, 1, 400].map(Fault::CutsTheRequestAfter));
    assert_eq!((report.resumed, report.requests), (4, 5));
    assert_eq!(last, whole() - 901, "only what no cut had let through");
}

#[test]
fn a_request_whose_answer_was_lost_is_not_sent_again() {
    for fault in [Fault::LosesTheAnswer, Fault::CutsAfter(100)] {
        let (report, last) = synced(&[fault]);
        assert_eq!((report.resumed, last), (1, 0), "{fault:?}");
        assert_eq!(report.sent_bytes, whole(), "{fault:?}");
    }
}

#[test]
fn whatever_goes_wrong_with_resuming_the_request_is_sent_whole() {
    for fault in [Fault::HoldsOtherBytes, Fault::ForgetsWhatItHeld] {
        let (report, last) = synced(&[Fault::CutsTheRequestAfter(1_000), fault]);
        assert_eq!((report.resumed, last), (1, whole()), "{fault:?}");
    }
}

#[test]
fn an_answer_about_a_beginning_that_was_not_left_out_is_a_failing_link() {
    let (report, _) = synced(&[Fault::SaysThatNothingIsHeld; 3]);
    assert_eq!(report.resumed, 0);
    let twice = [Fault::SaysThatNothingIsHeld; 2];
    let (report, _) = synced(&[&[Fault::CutsTheRequestAfter(1_000)][..], &twice].concat());
    assert_eq!(report.resumed, 1);
}

#[test]
fn a_rest_is_signed_again_when_the_server_has_forgotten_its_nonces() {
    let (report, last) = synced(&[Fault::CutsTheRequestAfter(1_000), Fault::ForgetsNonces]);
    assert_eq!((report.resumed, last), (1, 0));
    assert_eq!(
        report.sent_bytes,
        whole() + whole() - 1_000,
        "the first of it twice into the transport, which was cut"
    );
}

#[test]
fn a_cut_costs_one_question_and_its_answer_brings_the_nonce_for_the_rest() {
    let server = FakeServer::new();
    let mut tablet = with_a_week(&server);
    server.asked();
    server.faults(&[Fault::CutsTheRequestAfter(1_000)]);
    assert_eq!(tablet.sync(&server).resumed, 1);
    assert_eq!(server.asked(), ["/v1/sync", "/v1/sync/held", "/v1/sync"]);
}

#[test]
fn a_request_under_a_forgotten_nonce_is_signed_again_and_not_sent_again() {
    for visits in [0, 250] {
        let server = FakeServer::new();
        let mut tablet = with_visits(&server, visits);
        server.asked();
        server.faults(&[Fault::ForgetsNonces]);
        let report = tablet.sync(&server);
        assert_eq!((report.outcome, report.waiting, server.last_body()), (SyncOutcome::Complete, 0, 0));
        assert_eq!((report.requests, report.resumed), (2, 0));
        assert_eq!(server.accepted(server.villages[0]), visits);
        assert_eq!(server.asked(), ["/v1/sync", "/v1/sync"]);
    }
}

#[test]
fn a_request_under_a_forgotten_nonce_that_is_not_kept_is_sent_whole() {
    let server = FakeServer::new();
    let mut tablet = with_a_week(&server);
    server.faults(&[Fault::ForgetsNonces, Fault::ForgetsWhatItHeld]);
    let report = tablet.sync(&server);
    assert_eq!((report.outcome, report.requests), (SyncOutcome::Complete, 3));
    assert_eq!(server.last_body(), whole());
}

#[test]
fn requests_shrink_only_when_a_cut_brought_nothing() {
    let (report, _) = synced(&[Fault::SwallowsTheRequest, Fault::SwallowsTheRequest]);
    assert_eq!(report.resumed, 0);
    assert!(report.requests > 3, "three batches took more than one request after that: {report:?}");
    let (report, _) = synced(&[Fault::CutsTheRequestAfter(500), Fault::CutsTheRequestAfter(500)]);
    assert_eq!(report.requests, 3);
}

#[test]
fn a_device_that_is_killed_inside_a_request_loses_nothing() {
    let server = FakeServer::new();
    let mut tablet = with_a_week(&server);
    let down = [Fault::IsDown; 6];
    server.faults(&[&[Fault::CutsTheRequestAfter(1_000)], down.as_slice()].concat());
    assert!(matches!(tablet.sync(&server).outcome, SyncOutcome::Interrupted(_)));
    let mut tablet = tablet.restarted();
    assert_eq!(tablet.sync(&server).outcome, SyncOutcome::Complete);
    assert_eq!(server.accepted(server.villages[0]), 250);
}

#[test]
fn when_nothing_changed_a_request_costs_next_to_nothing_whatever_the_number_of_retired_devices() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut tablet = Tablet::enrolled(&server, 1);
    for seed in 2..14 {
        let mut retired = Tablet::enrolled(&server, seed);
        put(&mut retired, village, HOUSEHOLD, "remarks", &format!("{seed}"));
        retired.sync(&server);
    }
    put(&mut tablet, village, HOUSEHOLD, "remarks", "一");
    assert_eq!(tablet.sync(&server).progress.relayed, 12);
    // Two villages are asked about.
    let idle = tablet.sync(&server);
    assert!(idle.sent_bytes <= 150, "{idle:?}");
}
