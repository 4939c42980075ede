//! Power loss under both stores: every moment of a session, every kind of damage; failing and full disks.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first surprise")]

mod disk;
mod outage;

use disk::Failure;
use outage::cuts::{Plan, cut_all};
use outage::faults::{Sick, calls, fail};
use outage::session::Session;
use outage::{layer, plain};
use ruhu_client_core::Profile;

/// Enough for every kind of damage in every part of the session; `cargo xtask power` makes as many as one likes.
const CUTS: u64 = 150;
/// Calls that are made to fail, spread over the session, for each disk and failure.
const FAILURES: u64 = 12;

fn survives(profile: Profile) {
    let session = Session::record(profile);
    let report = cut_all(&session, Plan { cuts: CUTS, seed: 1, syncs: true });
    assert!(report.violations.is_empty(), "{}", report.lines());
    assert_eq!(report.total(), CUTS);
}

#[test]
fn a_server_and_a_device_survive_power_cuts() {
    survives(Profile::Device);
}

#[test]
fn a_server_and_a_browser_survive_power_cuts() {
    survives(Profile::Browser);
}

#[test]
fn a_disk_that_only_says_it_synced_is_found_out() {
    for profile in [Profile::Device, Profile::Browser] {
        let session = Session::record(profile);
        let report = cut_all(&session, Plan { cuts: 45, seed: 1, syncs: false });
        assert!(!report.violations.is_empty(), "{profile:?}");
    }
}

#[test]
fn sqlite_as_the_product_sets_it_survives_every_cut() {
    for profile in [Profile::Device, Profile::Browser] {
        let (cuts, troubles) = plain::cut_all(profile, "FULL");
        assert!(cuts > 300, "{profile:?}: {cuts}");
        assert!(troubles.is_empty(), "{profile:?}: {troubles:#?}");
    }
}

#[test]
fn sqlite_that_does_not_sync_fails() {
    for profile in [Profile::Device, Profile::Browser] {
        let (_, troubles) = plain::cut_all(profile, "OFF");
        assert!(!troubles.is_empty(), "{profile:?}");
    }
}

fn withstands(failure: Failure, lasting: bool) {
    let profile = Profile::Device;
    let (server, device) = calls(profile);
    let mut stopped = 0;
    for (sick, calls) in [(Sick::Server, server), (Sick::Device, device)] {
        for place in 0..FAILURES {
            let call = 1 + place * calls / FAILURES;
            let ended = fail(profile, sick, call, failure, lasting);
            let trouble = ended.unwrap_or_else(|trouble| panic!("{sick:?}, call {call}: {trouble}"));
            stopped += u64::from(trouble.is_some());
        }
    }
    assert!(stopped > 0, "no failure was noticed");
}

#[test]
fn an_io_error_is_told_and_loses_nothing() {
    withstands(Failure::Io, false);
}

#[test]
fn a_disk_that_stays_broken_is_told_and_loses_nothing() {
    withstands(Failure::Io, true);
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    withstands(Failure::Full, true);
}

#[test]
fn the_layer_keeps_what_is_unsynced_apart() {
    layer::what_was_synced_stays_and_the_rest_is_damaged();
    layer::a_killed_process_loses_nothing_and_its_handles_are_dead();
    layer::a_name_is_durable_when_its_folder_is();
}
