//! How long one sync goes on by itself: to its limits and not beyond, and the next one goes on from there.

use ruhu_sync::Offer;
use ruhu_sync::limits::OFFERS_PER_REQUEST;

use super::syncing::{HOUSEHOLD, put};
use super::*;
use crate::store::epoch::offers_left;
use crate::sync::{REWRITES_MAX, SESSIONS_MAX};
use crate::{Progress, SyncOutcome};

/// A device that has so much to offer to a restored server, and what it still has after one sync.
fn left_of(offers: usize) -> (Tablet, FakeServer, u64) {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    tablet.sync(&server);
    let offer = Offer::Checkpoint { epoch: server.epoch(), note: "a note".to_owned() }.to_bytes();
    let added = tablet.client.store.write(|tx| {
        let mut add = tx.prepare("INSERT INTO offer (bytes) VALUES (?1)")?;
        (0..offers).try_for_each(|_| add.execute([&offer]).map(drop))?;
        Ok(())
    });
    added.unwrap();
    assert_eq!(tablet.sync(&server).outcome, SyncOutcome::Complete);
    let left = offers_left(tablet.client.store.read()).unwrap();
    (tablet, server, left)
}

#[test]
fn one_sync_offers_as_much_as_its_sessions_take_and_the_next_one_the_rest() {
    let most = (1 + SESSIONS_MAX) * OFFERS_PER_REQUEST;
    assert_eq!(left_of(most).2, 0);
    let (mut tablet, server, left) = left_of(most + 1);
    assert_eq!(left, 1);
    tablet.sync(&server);
    assert_eq!(offers_left(tablet.client.store.read()).unwrap(), 0);
}

/// Edits that a server may find fault with.
const BAD: [(&str, &str); REWRITES_MAX] =
    [("remarks", "甲"), ("risk_other_note", "甲"), ("group_name", "甲"), ("main_cause", "illness")];

/// One sync with a server that finds fault with one more edit each time it is sent what was written anew.
fn with_so_many_faults(faults: usize) -> (Tablet, FakeServer, SyncReport) {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    let village = server.villages[0];
    tablet.sync(&server);
    put(&mut tablet, village, HOUSEHOLD, "group_name", "三组");
    tablet.sync(&server);
    let mut bad = BAD.into_iter().take(faults);
    for (key, text) in bad.clone().chain([("dwelling_address", "甲")]) {
        put(&mut tablet, village, HOUSEHOLD, key, text);
    }
    let mut progress = |progress: Progress| {
        // A session begins.
        if progress.villages_done == 0 {
            server.forbid(bad.next().map_or("nothing", |(key, _)| key));
        }
    };
    let report = now(tablet.client.sync(&server, &mut progress)).unwrap();
    (tablet, server, report)
}

#[test]
fn what_is_written_anew_again_and_again_goes_out_until_the_limit_and_then_in_the_next_sync() {
    let (_, _, report) = with_so_many_faults(REWRITES_MAX - 1);
    assert_eq!((report.outcome, report.waiting), (SyncOutcome::Complete, 0));
    let (mut tablet, server, report) = with_so_many_faults(REWRITES_MAX);
    assert_eq!((report.outcome, report.rewritten), (SyncOutcome::Paused, 4 + 3 + 2 + 1));
    assert_eq!(server.accepted(server.villages[0]), 1, "the founding");
    server.forbid("nothing");
    let report = tablet.sync(&server);
    assert_eq!((report.outcome, report.waiting, report.rewritten), (SyncOutcome::Complete, 0, 0));
    assert_eq!(server.accepted(server.villages[0]), 2, "the founding, and the address at last");
}
