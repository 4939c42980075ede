//! Syncs that go well and syncs that do not.

use ruhu_ledger::verdict::Verdict;
use ruhu_survey::role::Role;

use super::forked::copy;
use super::server::Fault;
use super::*;
use crate::{SyncOutcome, TransportError};

pub(super) const HOUSEHOLD: HouseholdId = HouseholdId::from_bytes([0xaa; 16]);

fn village(server: &FakeServer) -> VillageId {
    server.villages[0]
}

/// So many lost answers end a sync: each of six requests is asked about again, and answered again, four times.
pub(super) const LOST_ANSWERS: usize = 6 * 5;

/// Puts one text into the household's document, as whatever the person did would.
pub(super) fn put(tablet: &mut Tablet, village: VillageId, household: HouseholdId, key: &str, text: &str) {
    let put = tablet.client.author(village, |pen| {
        let mut stored = document::load_or_make(pen.tx, village, DocumentId::from(household))?;
        pen.write(&mut stored, Place::Anywhere, |builder| {
            if builder.register().is_empty() {
                builder.put("dwelling_address", Value::Text("三组18号".to_owned()));
            }
            builder.put(key, Value::Text(text.to_owned()));
            Ok(())
        })
    });
    put.unwrap();
}

fn values(tablet: &Tablet, village: VillageId, household: HouseholdId, key: &str) -> Vec<String> {
    let stored = document::load(tablet.client.store.read(), village, household.into()).unwrap().unwrap();
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    stored.register.live(key).iter().map(|live| text(&live.value)).collect()
}

#[test]
fn two_devices_end_with_the_same_values() {
    let server = FakeServer::new();
    let village = village(&server);
    let (mut one, mut two) = (Tablet::enrolled(&server, 1), Tablet::enrolled(&server, 2));
    put(&mut one, village, HOUSEHOLD, "group_name", "三组");
    one.sync(&server);
    two.sync(&server);
    assert_eq!(values(&two, village, HOUSEHOLD, "group_name"), ["三组"]);
    put(&mut one, village, HOUSEHOLD, "remarks", "甲");
    put(&mut two, village, HOUSEHOLD, "remarks", "乙");
    for tablet in [&mut one, &mut two] {
        let report = tablet.sync(&server);
        assert_eq!(report.outcome, SyncOutcome::Complete);
        assert!(report.mismatched.is_empty());
        assert_eq!(report.set_aside, 0);
    }
    one.sync(&server);
    assert_eq!(values(&one, village, HOUSEHOLD, "remarks").len(), 2);
    assert_eq!(values(&one, village, HOUSEHOLD, "remarks"), values(&two, village, HOUSEHOLD, "remarks"));
}

#[test]
fn progress_counts_receipts_and_a_second_sync_sends_nothing() {
    let server = FakeServer::new();
    let village = village(&server);
    let mut tablet = Tablet::enrolled(&server, 1);
    for number in 0..250 {
        put(&mut tablet, village, HOUSEHOLD, "remarks", &format!("第{number}次"));
    }
    let mut seen = Vec::new();
    let report = now(tablet.client.sync(&server, &mut |progress| seen.push(progress))).unwrap();
    assert_eq!(report.progress.receipts, report.progress.to_send);
    assert_eq!(report.progress.receipts, 3);
    assert!(seen.is_sorted_by_key(|progress| progress.receipts));
    assert_eq!(server.accepted(village), 250);
    let again = tablet.sync(&server);
    assert_eq!((again.progress.to_send, again.requests, again.waiting), (0, 1, 0));
}

#[test]
fn an_answer_lost_costs_a_repeat_and_nothing_else() {
    let server = FakeServer::new();
    let village = village(&server);
    let mut tablet = Tablet::enrolled(&server, 1);
    put(&mut tablet, village, HOUSEHOLD, "remarks", "甲");
    server.faults(&[Fault::LosesTheAnswer; LOST_ANSWERS]);
    let report = tablet.sync(&server);
    assert_eq!(report.outcome, SyncOutcome::Interrupted(TransportError::Cut));
    assert_eq!((report.progress.receipts, report.waiting), (0, 1));
    let mut tablet = tablet.restarted();
    let report = tablet.sync(&server);
    assert_eq!((report.progress.receipts, report.waiting), (1, 0));
    assert_eq!((server.batches(), server.accepted(village)), (1, 1));
}

#[test]
fn an_answer_cut_anywhere_keeps_what_came_before() {
    let server = FakeServer::new();
    let village = village(&server);
    let mut writer = Tablet::enrolled(&server, 1);
    for number in 0..40 {
        put(&mut writer, village, HouseholdId::from_bytes([number; 16]), "remarks", "甲");
        writer.sync(&server);
    }
    let mut reader = Tablet::enrolled(&server, 2);
    put(&mut reader, village, HOUSEHOLD, "remarks", "乙");
    server.faults(&[1, 60, 300, 1_000, 3_000, 7_000, 9_000].map(Fault::CutsAfter));
    let report = reader.sync(&server);
    assert_eq!(report.outcome, SyncOutcome::Complete);
    assert_eq!(report.progress.relayed, 40);
    assert_eq!(report.progress.receipts, 1);
    assert!(report.mismatched.is_empty() && report.set_aside == 0);
}

#[test]
fn a_server_that_is_down_loses_nothing_and_is_named() {
    let server = FakeServer::new();
    let village = village(&server);
    let mut tablet = Tablet::enrolled(&server, 1);
    put(&mut tablet, village, HOUSEHOLD, "remarks", "甲");
    server.faults(&[Fault::IsDown; 6]);
    let report = tablet.sync(&server);
    assert_eq!(report.outcome, SyncOutcome::Interrupted(TransportError::Unreachable));
    assert_eq!(tablet.sync(&server).progress.receipts, 1);
}

#[test]
fn a_forgotten_nonce_is_replaced_without_the_person_noticing() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    tablet.sync(&server);
    server.faults(&[Fault::ForgetsNonces]);
    assert_eq!(tablet.sync(&server).outcome, SyncOutcome::Complete);
}

#[test]
fn a_server_that_forgets_every_nonce_is_a_failing_link_and_no_refusal() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    server.faults(&[Fault::ForgetsNonces; 14]);
    assert_eq!(tablet.sync(&server).outcome, SyncOutcome::Interrupted(TransportError::Unreachable));
    server.faults(&[]);
    assert_eq!(tablet.sync(&server).outcome, SyncOutcome::Complete);
}

#[test]
fn a_log_in_page_is_not_taken_for_an_answer() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    server.faults(&[Fault::IsAPortal; 6]);
    assert_eq!(tablet.sync(&server).outcome, SyncOutcome::Interrupted(TransportError::Unclear));
}

#[test]
fn a_log_in_page_is_not_taken_for_a_nonce() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    server.faults(&[Fault::IsAPortalAtFirst; 6]);
    assert_eq!(tablet.sync(&server).outcome, SyncOutcome::Interrupted(TransportError::Unclear));
}

#[test]
fn a_gateway_with_nobody_behind_it_is_a_failing_link_and_no_error() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    server.faults(&[Fault::IsBehindAGateway; 6]);
    assert_eq!(tablet.sync(&server).outcome, SyncOutcome::Interrupted(TransportError::Unreachable));
}

#[test]
fn an_older_answer_is_not_taken_for_a_rewritten_log() {
    let server = FakeServer::new();
    let village = village(&server);
    let mut tablet = Tablet::enrolled(&server, 1);
    for remark in ["甲", "乙"] {
        put(&mut tablet, village, HOUSEHOLD, "remarks", remark);
        assert_eq!(tablet.sync(&server).outcome, SyncOutcome::Complete);
    }
    server.faults(&[Fault::IsRepeated; 6]);
    assert_eq!(tablet.sync(&server).outcome, SyncOutcome::Interrupted(TransportError::Unclear));
    server.faults(&[]);
    assert_eq!(tablet.sync(&server).outcome, SyncOutcome::Complete);
}

#[test]
fn a_rewritten_log_stops_everything_loudly_and_keeps_the_evidence() {
    let server = FakeServer::new();
    let village = village(&server);
    let (mut one, mut two) = (Tablet::enrolled(&server, 1), Tablet::enrolled(&server, 2));
    put(&mut one, village, HOUSEHOLD, "remarks", "甲");
    one.sync(&server);
    put(&mut two, village, HOUSEHOLD, "group_name", "三组");
    two.sync(&server);
    server.faults(&[Fault::RewritesTheLog]);
    assert!(matches!(one.try_sync(&server), Err(Error::LogInconsistent)));
    assert!(values(&one, village, HOUSEHOLD, "group_name").is_empty(), "nothing of that answer is kept");
    let mut one = one.restarted();
    assert!(matches!(one.try_sync(&server), Err(Error::LogInconsistent)));
    let aside = one.client.set_aside().unwrap();
    assert_eq!((aside[0].kind.as_str(), aside[0].code.as_str()), ("checkpoint", "log_inconsistent"));
    put(&mut one, village, HOUSEHOLD, "remarks", "还能写");
}

#[test]
fn an_older_answer_to_a_store_that_was_taken_back_says_nothing_of_batches_that_it_does_not_know() {
    let server = FakeServer::new();
    let village = village(&server);
    let (mut lost, mut taken_back) = copy(Tablet::enrolled(&server, 1));
    put(&mut lost, village, HOUSEHOLD, "remarks", "甲");
    lost.sync(&server);
    server.faults(&[Fault::IsRepeated]);
    taken_back.sync(&server);
    let report = taken_back.sync(&server);
    assert_eq!((report.outcome, report.set_aside), (SyncOutcome::Complete, 0));
    assert!(taken_back.client.set_aside().unwrap().is_empty());
    assert_eq!(values(&taken_back, village, HOUSEHOLD, "remarks"), ["甲"]);
}

#[test]
fn an_older_answer_moves_the_cursor_of_a_store_that_was_taken_back_past_nothing() {
    let server = FakeServer::new();
    let village = village(&server);
    let (mut writer, mut lost, mut taken_back) = {
        let (lost, taken_back) = copy(Tablet::enrolled(&server, 1));
        (Tablet::enrolled(&server, 2), lost, taken_back)
    };
    for (at, remark) in ["甲", "乙"].into_iter().enumerate() {
        put(&mut writer, village, HOUSEHOLD, "remarks", remark);
        writer.sync(&server);
        if at == 0 {
            lost.sync(&server);
        }
    }
    server.forget_first_answer();
    lost.sync(&server);
    server.faults(&[Fault::IsRepeated]);
    // What the answer to the lost store leaves out was given to that store, not to this one.
    let report = taken_back.sync(&server);
    assert_eq!((report.outcome, report.set_aside, report.repairs.len()), (SyncOutcome::Complete, 0, 0));
    assert_eq!(values(&taken_back, village, HOUSEHOLD, "remarks"), ["乙"]);
}

#[test]
fn a_receipt_by_another_key_does_not_count() {
    let server = FakeServer::new();
    let village = village(&server);
    let mut tablet = Tablet::enrolled(&server, 1);
    put(&mut tablet, village, HOUSEHOLD, "remarks", "甲");
    server.faults(&[Fault::SignsWithAnotherKey]);
    let report = tablet.sync(&server);
    assert!(report.set_aside > 0);
    // The fingerprint told that something is missing, and the repair brought the true receipt.
    assert_eq!(report.progress.receipts, 1);
    assert!(report.repairs.iter().all(|repair| repair.is_mended() && repair.fetched == 1));
    assert_eq!((report.repairs.len(), report.waiting), (1, 0));
    assert_eq!(tablet.client.status().unwrap().last_receipts.len(), 1);
}

#[test]
fn a_damaged_batch_is_set_aside_and_the_rest_goes_on() {
    let server = FakeServer::new();
    let village = village(&server);
    let (mut one, mut two) = (Tablet::enrolled(&server, 1), Tablet::enrolled(&server, 2));
    put(&mut one, village, HOUSEHOLD, "remarks", "甲");
    one.sync(&server);
    server.faults(&[Fault::DamagesBatches]);
    put(&mut two, village, HOUSEHOLD, "group_name", "三组");
    let report = two.sync(&server);
    assert_eq!((report.set_aside, report.progress.receipts), (1, 1));
    assert_eq!(two.client.set_aside().unwrap()[0].kind, "batch");
    // The fingerprint shows that something is missing, and the repair brings it undamaged.
    assert!(report.repairs.iter().all(|repair| repair.is_mended() && repair.fetched == 1));
    assert_eq!((report.repairs.len(), report.mismatched.len()), (1, 0));
    assert_eq!(values(&two, village, HOUSEHOLD, "remarks"), ["甲"]);
}

#[test]
fn a_differing_fingerprint_is_recorded_and_cleared_when_it_agrees_again() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    server.vice(|state| state.miscounts = true);
    assert_eq!(tablet.sync(&server).mismatched.len(), 2);
    server.vice(|state| state.miscounts = false);
    assert!(tablet.sync(&server).mismatched.is_empty());
    server.faults(&[Fault::Miscounts]);
    let report = tablet.sync(&server);
    assert!(report.mismatched.is_empty(), "a slip is cleared in the same sync");
    assert!(report.repairs.iter().all(|repair| repair.is_mended() && repair.fetched == 0));
}

#[test]
fn a_quarantined_change_is_shown_and_later_work_does_not_stand_on_it() {
    let server = FakeServer::new();
    let village = village(&server);
    let mut tablet = Tablet::enrolled(&server, 1);
    put(&mut tablet, village, HOUSEHOLD, "remarks", "甲");
    tablet.sync(&server);
    put(&mut tablet, village, HOUSEHOLD, "remarks", "乙");
    server.refuse_next(Verdict::Quarantined { rule: "late".to_owned(), because: None });
    assert_eq!(tablet.sync(&server).not_accepted, 1);
    assert_eq!(values(&tablet, village, HOUSEHOLD, "remarks"), ["甲"]);
    put(&mut tablet, village, HOUSEHOLD, "remarks", "丙");
    let report = tablet.sync(&server);
    assert_eq!((report.not_accepted, report.progress.receipts), (0, 1));
    assert!(report.mismatched.is_empty());
    assert_eq!(values(&tablet, village, HOUSEHOLD, "remarks"), ["丙"]);
    server.decide_all(village, &Verdict::Accepted);
    let report = tablet.sync(&server);
    assert!(report.mismatched.is_empty(), "{report:?}");
    assert_eq!(values(&tablet, village, HOUSEHOLD, "remarks").len(), 2, "adopted: both stand, side by side");
}

#[test]
fn a_change_held_for_a_while_reaches_the_others_when_it_is_accepted() {
    let server = FakeServer::new();
    let village = village(&server);
    let (mut one, mut two) = (Tablet::enrolled(&server, 1), Tablet::enrolled(&server, 2));
    put(&mut one, village, HOUSEHOLD, "remarks", "甲");
    server.refuse_next(Verdict::Held { needs: Vec::new() });
    one.sync(&server);
    assert_eq!(values(&one, village, HOUSEHOLD, "remarks"), ["甲"], "one's own stays in view");
    two.sync(&server);
    assert!(values(&two, village, HOUSEHOLD, "remarks").is_empty());
    server.decide_all(village, &Verdict::Accepted);
    assert!(two.sync(&server).mismatched.is_empty());
    assert_eq!(values(&two, village, HOUSEHOLD, "remarks"), ["甲"]);
    assert!(one.sync(&server).mismatched.is_empty());
}

#[test]
fn devices_refill_a_server_that_was_restored_from_an_empty_backup() {
    let server = FakeServer::new();
    let village = village(&server);
    let (mut one, mut two) = (Tablet::enrolled(&server, 1), Tablet::enrolled(&server, 2));
    put(&mut one, village, HOUSEHOLD, "remarks", "甲");
    one.sync(&server);
    two.sync(&server);
    put(&mut two, village, HOUSEHOLD, "group_name", "三组");
    two.sync(&server);
    server.restore_empty();
    assert!(matches!(two.try_sync(&server), Err(Error::NewEpoch)));
    put(&mut two, village, HOUSEHOLD, "remarks", "乙");
    let invitation = Invitation::from_link(&server.link()).unwrap();
    now(two.client.enrol(&invitation, "tablet", &mut |_| false, &server)).unwrap();
    let report = two.sync(&server);
    assert_eq!((report.waiting, report.mismatched.len()), (0, 0));
    assert_eq!(server.accepted(village), 3, "its own two and the one it had been given");
    now(one.client.enrol(&invitation, "tablet", &mut |_| false, &server)).unwrap();
    assert!(one.sync(&server).mismatched.is_empty());
    assert_eq!(values(&one, village, HOUSEHOLD, "remarks"), ["乙"]);
}

#[test]
fn what_somebody_wrote_before_a_transfer_stays_valid() {
    let server = FakeServer::new();
    let village = village(&server);
    let mut one = Tablet::enrolled(&server, 1);
    put(&mut one, village, HOUSEHOLD, "remarks", "甲");
    one.sync(&server);
    let device = one.client.status().unwrap().device.unwrap().device;
    server.certify_again(device, &server.villages[1..], Role::Supervisor);
    let mut two = Tablet::enrolled(&server, 2);
    let report = two.sync(&server);
    assert_eq!((report.set_aside, report.mismatched.len()), (0, 0));
    assert_eq!(values(&two, village, HOUSEHOLD, "remarks"), ["甲"]);
    one.sync(&server);
    let status = one.client.status().unwrap();
    assert_eq!(status.device.unwrap().role, Role::Supervisor);
    let refused = one.client.author(village, |_| Ok(()));
    assert!(matches!(refused, Err(Error::UnknownVillage(_))), "the village is not granted any more");
}

#[test]
fn a_revoked_device_is_named_and_what_it_wrote_afterwards_is_set_aside() {
    let server = FakeServer::new();
    let village = village(&server);
    let mut one = Tablet::enrolled(&server, 1);
    put(&mut one, village, HOUSEHOLD, "remarks", "甲");
    one.sync(&server);
    let device = one.client.status().unwrap().device.unwrap().device;
    // The server in memory accepts it all the same; the other device does not.
    server.revoke(device, 1);
    let mut two = Tablet::enrolled(&server, 2);
    let report = two.sync(&server);
    assert_eq!((report.set_aside, report.progress.relayed), (1, 0));
    assert_eq!(two.client.set_aside().unwrap()[0].code, "revoked");
    let known = two.client.devices().unwrap();
    assert_eq!(known.iter().find(|known| known.device == device).unwrap().revoked_ms, Some(1));
    one.sync(&server);
    assert_eq!(one.client.status().unwrap().device.unwrap().revoked_ms, Some(1));
}

#[test]
fn a_change_that_its_author_may_not_write_is_not_applied_whatever_the_server_says() {
    let server = FakeServer::new();
    let village = village(&server);
    let mut one = Tablet::enrolled(&server, 1);
    put(&mut one, village, HOUSEHOLD, "remarks", "甲");
    one.sync(&server);
    let device = one.client.status().unwrap().device.unwrap().device;
    let mut two = Tablet::enrolled(&server, 2);
    two.sync(&server);
    // A device that was changed to ask nobody writes what only the server may.
    let forged = one.client.author(village, |pen| {
        let stored = pen.stored(village, HOUSEHOLD.into())?;
        let mut builder = ruhu_survey::register::ChangeBuilder::new(&stored.register, pen.actor(), 1);
        builder.put("household_type", Value::Text("general".to_owned()));
        let (_, encoded) = builder.finish().unwrap();
        document::add_own(pen.tx, stored.row, &encoded, pen.opening, Place::Anywhere)
    });
    forged.unwrap();
    one.sync(&server);
    let report = two.sync(&server);
    assert_eq!((report.set_aside, report.progress.relayed), (1, 1));
    assert!(values(&two, village, HOUSEHOLD, "household_type").is_empty());
    assert_eq!(two.client.set_aside().unwrap()[0].code, "server_only");
    assert_eq!(report.mismatched, [village]);
    assert!(two.client.devices().unwrap().iter().any(|known| known.device == device));
}

#[test]
fn a_store_does_not_change_hands() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    let mut other = FakeServer::new();
    other.deployment = ruhu_survey::id::DeploymentId::from_bytes([0xd1; 16]);
    let invitation = Invitation::from_link(&other.link()).unwrap();
    let refused = now(tablet.client.enrol(&invitation, "tablet", &mut |_| true, &other));
    assert!(matches!(refused, Err(Error::AlreadyEnrolled)));
    let mut wrong_key = invitation.clone();
    wrong_key.server_key = Some(ruhu_ledger::signature::PublicKey([3; 32]));
    let refused = now(tablet.client.enrol(&wrong_key, "tablet", &mut |_| true, &server));
    assert!(matches!(refused, Err(Error::OtherServer)));
    assert_eq!(tablet.sync(&server).outcome, SyncOutcome::Complete);
}

#[test]
fn a_first_sync_of_a_large_village_is_one_sitting() {
    let server = FakeServer::new();
    let village = village(&server);
    let mut one = Tablet::enrolled(&server, 1);
    let made = one.client.author(village, |pen| {
        for number in 0..1_000_u16 {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            let mut stored = document::load_or_make(pen.tx, village, HouseholdId::from_bytes(id).into())?;
            pen.write(&mut stored, Place::Anywhere, |builder| {
                for (key, text) in
                    [("group_name", "三组"), ("dwelling_address", "三组18号"), ("remarks", "甲")]
                {
                    builder.put(key, Value::Text(text.to_owned()));
                }
                Ok(())
            })?;
        }
        Ok(())
    });
    made.unwrap();
    assert_eq!(one.client.status().unwrap().unsent.queued, 10, "batches are sealed when they are full");
    one.sync(&server);
    let mut two = Tablet::enrolled(&server, 2);
    let clock = crate::SystemEnvironment::new();
    let report = two.sync(&server);
    let took = crate::Environment::monotonic_ms(&clock);
    assert_eq!(report.progress.relayed, 10);
    let two = two.restarted();
    assert_eq!(two.client.households(village, &crate::Query::default()).unwrap().len(), 1_000);
    assert!(took < 10_000, "{took} ms");
    eprintln!("1,000 households taken in: {took} ms");
}

#[test]
fn a_village_that_is_not_granted_takes_no_change() {
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    let other = VillageId::from_bytes([9; 16]);
    let refused = tablet.client.author(other, |_| Ok(()));
    assert!(matches!(refused, Err(Error::UnknownVillage(_))));
}

#[test]
fn a_device_that_is_not_enrolled_says_so() {
    let folder = TempDir::new().unwrap();
    let environment = Box::new(HandEnvironment::new(1));
    let mut client = Client::create_with_cost(folder.path(), PASSPHRASE, TEST_COST, environment).unwrap();
    let server = FakeServer::new();
    assert!(matches!(now(client.sync(&server, &mut |_| {})), Err(Error::NotEnrolled)));
    let invitation = Invitation::typed("http://127.0.0.1:1", "K7QD-92MX-4T").unwrap();
    let mut words = None;
    let refused =
        now(client.enrol(&invitation, "tablet", &mut |shown| words.replace(shown).is_some(), &server));
    assert!(matches!(refused, Err(Error::OtherServer)));
    assert!(words.is_some());
    assert!(matches!(now(client.sync(&server, &mut |_| {})), Err(Error::NotEnrolled)));
    now(client.enrol(&invitation, "tablet", &mut |_| true, &server)).unwrap();
    assert_eq!(client.villages().unwrap().len(), 2);
}

#[test]
fn batches_travel_in_replay_streams_both_ways() {
    let server = FakeServer::new();
    let village = village(&server);
    let (mut one, mut two) = (Tablet::enrolled(&server, 1), Tablet::enrolled(&server, 2));
    for (round, text) in ["甲", "乙", "丙"].into_iter().enumerate() {
        for household in 0..30 {
            put(&mut one, village, HouseholdId::from_bytes([household; 16]), "remarks", text);
        }
        put(&mut two, village, HOUSEHOLD, "remarks", text);
        for report in [one.sync(&server), two.sync(&server), one.sync(&server)] {
            assert_eq!((&report.outcome, report.set_aside), (&SyncOutcome::Complete, 0));
            assert!(report.mismatched.is_empty());
        }
        assert_eq!(server.replayed(), 2 * (round + 1));
    }
    let household = HouseholdId::from_bytes([7; 16]);
    assert_eq!(values(&two, village, household, "remarks"), ["丙"]);
}

#[test]
fn what_the_server_does_not_understand_is_sent_raw_in_the_same_sync() {
    let server = FakeServer::new();
    let village = village(&server);
    let mut tablet = Tablet::enrolled(&server, 1);
    put(&mut tablet, village, HOUSEHOLD, "remarks", "甲");
    server.faults(&[Fault::WantsRaw]);
    let report = tablet.sync(&server);
    assert_eq!((&report.outcome, report.progress.receipts, report.waiting), (&SyncOutcome::Complete, 1, 0));
    assert_eq!((server.replayed(), server.accepted(village)), (0, 1));
    put(&mut tablet, village, HOUSEHOLD, "remarks", "乙");
    tablet.sync(&server);
    assert_eq!(server.replayed(), 1, "the next sync tries the stream again");
}

#[test]
fn a_relayed_stream_that_is_spoilt_is_asked_for_again_raw() {
    let server = FakeServer::new();
    let village = village(&server);
    let (mut writer, mut reader) = (Tablet::enrolled(&server, 1), Tablet::enrolled(&server, 2));
    for number in 0..5 {
        put(&mut writer, village, HouseholdId::from_bytes([number; 16]), "remarks", "甲");
        writer.sync(&server);
    }
    server.faults(&[Fault::SpoilsTheStream]);
    let report = reader.sync(&server);
    assert_eq!((&report.outcome, report.set_aside), (&SyncOutcome::Complete, 0));
    assert_eq!((report.progress.relayed, report.mismatched.len()), (5, 0));
    assert_eq!(values(&reader, village, HouseholdId::from_bytes([4; 16]), "remarks"), ["甲"]);
}
