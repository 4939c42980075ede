//! One session, step by step, against answers written by hand.

mod replay;

use super::*;
use crate::announce::{Announced, Announcement};
use crate::key_bytes::KeyBytes;
use crate::limits::{BATCH_BYTES_MAX, BYTES_PER_REQUEST, KEYS_PER_REQUEST, VILLAGES_PER_REQUEST};
use crate::protocol::{Refused, Side};
use crate::request::RequestFrame;
use crate::response::ProblemOutcome;
use crate::samples::{self, EPOCH, VILLAGE, batch_id, device, done, household, problem, receipt};

/// A village with so many batches of device 1, numbered from 1, whose ids are made of their number.
fn village(batches: u8) -> VillageSummary {
    let unsent = |number: u8| UnsentBatch {
        batch: batch_id(number),
        device: device(1),
        number: u64::from(number),
        previous: (number > 1).then(|| batch_id(number - 1)),
        bytes: 1_000,
    };
    VillageSummary {
        village: VILLAGE,
        cursor: Some(Cursor { epoch: EPOCH, number: 10 }),
        keys_given: 7,
        vector: BTreeSet::new(),
        above: BTreeSet::new(),
        unsent: (1..=batches).map(unsent).collect(),
        keys: BTreeSet::new(),
    }
}

/// What a device without work of its own announces.
fn announced() -> Announcement {
    Announcement { given: 0, announced: Announced::default(), signature: None }
}

fn session(summary: VillageSummary) -> Session {
    Session::new(Summary { villages: vec![summary] })
}

fn plan(session: &Session) -> &RequestPlan {
    match session.step() {
        Step::Send(plan) => plan,
        other => panic!("expected a request, got {other:?}"),
    }
}

fn report(session: &Session) -> &Report {
    match session.step() {
        Step::Done(report) => report,
        other => panic!("expected the end, got {other:?}"),
    }
}

fn commits(session: &Session) -> &[Commit] {
    match session.step() {
        Step::Store(commits) => commits,
        other => panic!("expected commits, got {other:?}"),
    }
}

/// The ids of the batches planned, by their byte.
fn planned(session: &Session) -> Vec<u8> {
    plan(session).villages.iter().flat_map(|part| &part.batches).map(|batch| batch.0[0]).collect()
}

fn welcome() -> ResponseFrame {
    ResponseFrame::Welcome(samples::welcome())
}

fn received(batch: u8) -> ResponseFrame {
    ResponseFrame::Receipt(receipt(batch_id(batch), u64::from(batch)))
}

fn village_done(number: u64, more: bool) -> ResponseFrame {
    ResponseFrame::VillageDone(done(VILLAGE, number, more))
}

fn relayed(sequence: u64, batch: u8) -> ResponseFrame {
    let receipt = receipt(batch_id(batch), 0);
    ResponseFrame::Relayed(Relayed { village: VILLAGE, sequence, batch: vec![batch; 500], receipt })
}

/// A whole answer with a receipt for every batch planned.
fn answer(session: &mut Session, number: u64, more: bool) {
    let receipts = planned(session).into_iter().map(received);
    let end = [village_done(number, more), ResponseFrame::Bye];
    let frames = [welcome()].into_iter().chain(receipts).chain(end).collect();
    session.received(frames);
    session.stored();
}

#[test]
fn with_nothing_to_send_it_asks_once_and_is_done() {
    let mut session = session(village(0));
    assert_eq!(plan(&session).villages.len(), 1);
    answer(&mut session, 12, false);
    let expected = Report { rounds: 1, ..Report::default() };
    assert_eq!(report(&session), &expected);
}

#[test]
fn without_villages_it_is_done_at_once() {
    assert_eq!(report(&Session::new(Summary::default())), &Report::default());
}

#[test]
fn asking_twice_gives_the_same_step() {
    let mut session = session(village(3));
    assert_eq!(session.step().clone(), session.step().clone());
    session.received(vec![welcome(), received(1)]);
    assert_eq!(session.step().clone(), session.step().clone());
    session.stored();
    assert_eq!(planned(&session), [2, 3]);
}

#[test]
fn what_is_reported_out_of_turn_changes_nothing() {
    let mut session = session(village(3));
    session.stored();
    assert_eq!(planned(&session), [1, 2, 3]);
    session.received(vec![welcome(), received(1)]);
    let waiting = session.step().clone();
    session.received(vec![welcome(), received(2)]);
    session.failed(TransportError::Cut);
    assert_eq!(session.step(), &waiting);
}

#[test]
fn a_batch_counts_only_when_its_receipt_is_stored() {
    let mut session = session(village(1));
    session.received(vec![welcome(), received(1), village_done(11, false), ResponseFrame::Bye]);
    let dropped_here = session.clone();
    assert!(matches!(dropped_here.step(), Step::Store(_)));
    session.stored();
    assert_eq!(report(&session).received, 1);
}

#[test]
fn commits_come_in_the_order_in_which_they_can_be_stored() {
    let mut session = session(village(1));
    let checkpoint =
        ResponseFrame::Checkpoint(CheckpointFrame { note: String::new(), from_size: 0, consistency: vec![] });
    let decision = RelayedDecision { village: VILLAGE, sequence: 11, decision: samples::decision() };
    let keys = VillageKeys { village: VILLAGE, given: 8, search_key: None, households: [].into() };
    session.received(vec![
        welcome(),
        checkpoint,
        ResponseFrame::Decision(decision),
        relayed(12, 0x21),
        village_done(12, false),
        ResponseFrame::VillageKeys(keys),
        ResponseFrame::Certificate(samples::certificate()),
        ResponseFrame::BatchProblem(problem(batch_id(2), ProblemOutcome::Rejected)),
        received(1),
        ResponseFrame::Announcements(Announcements { village: VILLAGE, told: Vec::new() }),
        ResponseFrame::Bye,
    ]);
    let ranks: Vec<u8> = commits(&session).iter().map(rank).collect();
    assert_eq!(ranks, [1, 2, 3, 5, 7, 8, 9, 11, 14, 15]);
}

#[test]
fn a_cut_halves_the_batches_down_to_one_and_success_doubles_them() {
    let mut session = session(village(40));
    let mut counts = vec![planned(&session).len()];
    for _ in 0..3 {
        session.failed(TransportError::Cut);
        counts.push(planned(&session).len());
    }
    assert_eq!(counts, [40, 20, 10, 5]);
    for _ in 0..2 {
        session.failed_after(vec![welcome(), relayed(11, 0x60)], TransportError::Timeout);
        session.stored();
        counts.push(planned(&session).len());
    }
    session.failed(TransportError::Cut);
    counts.push(planned(&session).len());
    for _ in 0..3 {
        answer(&mut session, 12, false);
        counts.push(planned(&session).len());
    }
    assert_eq!(counts, [40, 20, 10, 5, 5, 2, 1, 2, 4, 8]);
}

#[test]
fn an_unreachable_or_busy_server_does_not_shrink_requests() {
    let mut session = session(village(40));
    session.failed(TransportError::Unreachable);
    session.failed(TransportError::Busy);
    assert_eq!(planned(&session).len(), 40);
    assert_eq!(plan(&session).attempt, 2);
}

#[test]
fn after_failures_in_a_row_it_gives_up_and_says_what_is_left() {
    let mut session = session(village(3));
    for attempt in 0..FAILURES_MAX {
        assert_eq!(plan(&session).attempt, attempt);
        session.failed(TransportError::Unreachable);
    }
    let report = report(&session);
    assert_eq!(report.outcome, Outcome::GaveUp(TransportError::Unreachable));
    assert_eq!((report.waiting, report.received, report.retries), (3, 0, FAILURES_MAX));
}

#[test]
fn a_failure_with_progress_starts_the_count_again() {
    let mut session = session(village(20));
    for batch in 1..=20 {
        for _ in 1..FAILURES_MAX {
            session.failed(TransportError::Cut);
        }
        session.failed_after(vec![welcome(), received(batch)], TransportError::Cut);
        session.stored();
    }
    answer(&mut session, 30, false);
    let report = report(&session);
    assert_eq!((report.outcome.clone(), report.received), (Outcome::Complete, 20));
    assert_eq!(report.retries, 20 * FAILURES_MAX);
}

#[test]
fn frames_before_a_cut_are_stored_and_the_feed_continues_after_the_last_of_them() {
    let mut session = session(village(2));
    session.received(vec![welcome(), received(1), relayed(11, 0x21), relayed(12, 0x22)]);
    let part = VillageCommit { village: VILLAGE, cursor: Cursor { epoch: EPOCH, number: 12 }, done: None };
    assert_eq!(commits(&session).last(), Some(&Commit::Village(part)));
    session.stored();
    assert_eq!(plan(&session).villages[0].cursor, Some(Cursor { epoch: EPOCH, number: 12 }));
    assert_eq!(planned(&session), [2]);
    answer(&mut session, 15, false);
    let report = report(&session);
    assert_eq!((report.rounds, report.retries, report.relayed, report.bytes_down), (2, 1, 2, 1_000));
}

#[test]
fn frames_before_any_welcome_move_no_cursor() {
    let mut session = session(village(0));
    session.failed_after(vec![relayed(12, 0x22)], TransportError::Malformed);
    session.stored();
    assert_eq!(plan(&session).villages[0].cursor, Some(Cursor { epoch: EPOCH, number: 10 }));
}

#[test]
fn it_asks_again_while_the_server_has_more() {
    let mut session = session(village(0));
    answer(&mut session, 20, true);
    assert_eq!(plan(&session).villages[0].cursor, Some(Cursor { epoch: EPOCH, number: 20 }));
    answer(&mut session, 30, false);
    assert_eq!(report(&session).rounds, 2);
}

#[test]
fn a_server_that_always_has_more_of_nothing_is_given_up() {
    let mut session = session(village(0));
    for _ in 0..FAILURES_MAX {
        answer(&mut session, 10, true);
    }
    assert_eq!(report(&session).outcome, Outcome::GaveUp(TransportError::Stalled));
}

#[test]
fn a_feed_without_end_is_paused() {
    let mut session = session(village(0));
    for number in 0..u64::from(ROUNDS_MAX) {
        answer(&mut session, 100 + number, true);
    }
    let report = report(&session);
    assert_eq!((report.outcome.clone(), report.rounds), (Outcome::Paused, ROUNDS_MAX));
}

#[test]
fn a_server_that_never_mentions_a_batch_is_given_up_and_the_batch_still_waits() {
    let mut session = session(village(1));
    for _ in 0..=FAILURES_MAX {
        session.received(vec![welcome(), village_done(11, false), ResponseFrame::Bye]);
        session.stored();
    }
    let report = report(&session);
    assert_eq!((report.outcome.clone(), report.waiting), (Outcome::GaveUp(TransportError::Stalled), 1));
}

#[test]
fn a_rejected_batch_is_not_sent_again() {
    let mut session = session(village(2));
    let rejected = ResponseFrame::BatchProblem(problem(batch_id(1), ProblemOutcome::Rejected));
    session.received(vec![welcome(), rejected, received(2), village_done(11, false), ResponseFrame::Bye]);
    session.stored();
    let report = report(&session);
    assert_eq!((report.rejected, report.received, report.sent), (1, 1, 2));
}

fn staged(batch: u8, expected: u64) -> ResponseFrame {
    ResponseFrame::BatchProblem(problem(batch_id(batch), ProblemOutcome::Staged { expected }))
}

#[test]
fn a_staged_batch_is_sent_again_after_the_one_before_it_is_received() {
    let mut session = session(village(2));
    session.received(vec![welcome(), staged(2, 1)]);
    session.stored();
    assert_eq!(planned(&session), [1]);
    answer(&mut session, 11, false);
    assert_eq!(planned(&session), [2]);
    answer(&mut session, 12, false);
    assert_eq!(report(&session).received, 2);
}

#[test]
fn a_gap_that_the_session_cannot_fill_is_named() {
    let mut summary = village(6);
    summary.unsent.drain(..4);
    let mut session = session(summary);
    session.received(vec![
        welcome(),
        staged(5, 3),
        staged(6, 3),
        village_done(11, false),
        ResponseFrame::Bye,
    ]);
    session.stored();
    let report = report(&session);
    assert_eq!((report.outcome.clone(), report.staged), (Outcome::Complete, 2));
    assert_eq!(report.missing, [Missing { village: VILLAGE, device: device(1), expected: 3 }]);
}

#[test]
fn what_follows_a_rejected_batch_stays_staged_and_is_no_gap() {
    let mut session = session(village(2));
    let rejected = ResponseFrame::BatchProblem(problem(batch_id(1), ProblemOutcome::Rejected));
    session.received(vec![welcome(), rejected, staged(2, 1), village_done(11, false), ResponseFrame::Bye]);
    session.stored();
    let report = report(&session);
    assert_eq!((report.rejected, report.staged, report.missing.len()), (1, 1, 0));
}

#[test]
fn a_late_problem_does_not_take_a_receipt_back() {
    let mut session = session(village(2));
    session.received(vec![welcome(), received(1), staged(1, 1), received(1)]);
    session.stored();
    assert_eq!(planned(&session), [2]);
}

#[test]
fn an_own_batch_that_comes_back_counts_as_received() {
    let mut session = session(village(1));
    session.received(vec![welcome(), relayed(11, 1), village_done(11, false), ResponseFrame::Bye]);
    session.stored();
    assert_eq!(report(&session).received, 1);
}

#[test]
fn receipts_move_the_vector_on() {
    let mut summary = village(5);
    summary.unsent.drain(..2);
    summary.vector =
        [ChainTip::at(device(1), 2, &batch_id(2)), ChainTip::at(device(2), 7, &batch_id(7))].into();
    let mut session = session(summary);
    session.received(vec![welcome(), received(3), received(4)]);
    session.stored();
    // The other chain is at or below the cursor, and costs nothing.
    let above = [ChainTip::at(device(1), 4, &batch_id(4))];
    assert_eq!(plan(&session).villages[0].vector, above.into());
    session.received(vec![welcome(), ResponseFrame::VectorWanted(VILLAGE), ResponseFrame::Bye]);
    session.stored();
    let whole = [ChainTip::at(device(1), 4, &batch_id(4)), ChainTip::at(device(2), 7, &batch_id(7))];
    assert_eq!(plan(&session).villages[0].vector, whole.into());
    assert_eq!((plan(&session).villages[0].cursor, plan(&session).villages[0].keys_given), (None, 0));
}

#[test]
fn at_the_end_of_the_feed_the_cursor_stands_for_every_receipt() {
    let mut summary = village(2);
    summary.above = [ChainTip::at(device(3), 9, &batch_id(9))].into();
    summary.vector = summary.above.clone();
    let mut session = session(summary);
    session.received(vec![welcome(), received(1), village_done(30, true), ResponseFrame::Bye]);
    session.stored();
    assert_eq!(plan(&session).villages[0].vector.len(), 2, "there is more: they may be after the cursor");
    session.received(vec![welcome(), village_done(31, false), ResponseFrame::Bye]);
    session.stored();
    assert_eq!(plan(&session).villages[0].vector, BTreeSet::new());
}

#[test]
fn a_server_that_keeps_wanting_the_vector_is_given_up_on() {
    let mut session = session(village(0));
    for _ in 0..=FAILURES_MAX {
        session.received(vec![welcome(), ResponseFrame::VectorWanted(VILLAGE), ResponseFrame::Bye]);
        session.stored();
    }
    assert_eq!(report(&session).outcome, Outcome::GaveUp(TransportError::Stalled));
}

#[test]
fn keys_of_a_first_sync_are_not_asked_for_again_after_a_cut() {
    let mut session = session(VillageSummary { cursor: None, keys_given: 0, ..village(0) });
    let keys = VillageKeys { village: VILLAGE, given: 65, search_key: None, households: [].into() };
    session.received(vec![welcome(), ResponseFrame::VillageKeys(keys)]);
    session.stored();
    let part = &plan(&session).villages[0];
    assert_eq!((part.cursor, part.keys_given), (Some(Cursor { epoch: EPOCH, number: 0 }), 65));
}

#[test]
fn a_receipt_moves_its_own_branch_of_a_fork() {
    let mut summary = village(3);
    summary.unsent.drain(..2);
    let other = ChainTip::at(device(1), 2, &batch_id(0x92));
    summary.vector = [ChainTip::at(device(1), 2, &batch_id(2)), other].into();
    let mut session = session(summary);
    session.received(vec![welcome(), received(3)]);
    session.stored();
    let above = [ChainTip::at(device(1), 3, &batch_id(3))];
    assert_eq!(plan(&session).villages[0].vector, above.into());
    session.received(vec![welcome(), ResponseFrame::VectorWanted(VILLAGE), ResponseFrame::Bye]);
    session.stored();
    let whole = [other, ChainTip::at(device(1), 3, &batch_id(3))];
    assert_eq!(plan(&session).villages[0].vector, whole.into());
}

#[test]
fn a_receipt_after_a_gap_does_not_claim_what_is_before_it() {
    let mut summary = village(4);
    summary.unsent.drain(..2);
    let mut session = session(summary);
    session.received(vec![welcome(), received(3)]);
    session.stored();
    assert_eq!(plan(&session).villages[0].vector, BTreeSet::new());
}

#[test]
fn a_refusal_ends_the_session_with_the_side_to_upgrade() {
    let mut session = session(village(1));
    session.received(vec![samples::refused()]);
    let Outcome::Refused(Refused { upgrade, .. }) = &report(&session).outcome else { panic!("refused") };
    assert_eq!(upgrade, &Some(Side::Server));
    assert_eq!(report(&session).waiting, 1);
}

#[test]
fn a_welcome_that_is_not_understood_ends_the_session() {
    let mut session = session(village(1));
    let newer = Welcome { protocol: u16::MAX, ..samples::welcome() };
    let body = crate::frame::encode(&ResponseFrame::Welcome(newer));
    let error = crate::frame::decode_all::<ResponseFrame>(&body).unwrap_err();
    session.failed(TransportError::from(error));
    let Outcome::Refused(refused) = &report(&session).outcome else { panic!("refused") };
    assert_eq!(refused.upgrade, Some(Side::Device));
}

#[test]
fn wire_errors_are_cut_or_malformed() {
    use crate::frame::WireError;
    assert_eq!(TransportError::from(WireError::Cut), TransportError::Cut);
    assert_eq!(TransportError::from(WireError::Tag(0x3c)), TransportError::Malformed);
}

#[test]
fn a_server_that_denies_the_device_is_not_asked_again() {
    let mut session = session(village(1));
    session.failed(TransportError::Denied);
    assert_eq!(report(&session).outcome, Outcome::GaveUp(TransportError::Denied));
}

#[test]
fn keys_go_before_batches_until_the_server_confirms_them() {
    let mut summary = village(1);
    summary.keys = [household(0x71), household(0x72)].into();
    let mut session = session(summary);
    let hello = samples::hello();
    let frames = plan(&session)
        .frames(
            hello,
            |_| Ok(announced()),
            |_| Ok::<_, ()>(KeyBytes([1; 64])),
            |batch, _| Ok(RequestFrame::Batch(batch.0.to_vec())),
            |_| Ok(None),
        )
        .unwrap();
    let kinds: Vec<u8> = frames.iter().map(|frame| crate::frame::Frame::encode(frame).0).collect();
    assert_eq!(kinds, [1, 2, 9, 3, 3, 4]);
    session.received(vec![welcome(), ResponseFrame::KeysHeld([household(0x71)].into())]);
    session.stored();
    assert_eq!(plan(&session).villages[0].keys, [household(0x72)].into());
    answer(&mut session, 11, false);
    assert_eq!(report(&session).keys_waiting, 1);
}

#[test]
fn more_keys_than_fit_take_several_requests() {
    let mut summary = village(0);
    summary.keys = (0..=KEYS_PER_REQUEST as u64).map(|index| HouseholdId::v7(index, [0; 10])).collect();
    let mut session = session(summary);
    assert_eq!(plan(&session).villages[0].keys.len(), KEYS_PER_REQUEST);
    let held = plan(&session).villages[0].keys.clone();
    let end = [village_done(11, false), ResponseFrame::Bye];
    session.received([welcome(), ResponseFrame::KeysHeld(held)].into_iter().chain(end).collect());
    session.stored();
    assert_eq!(plan(&session).villages[0].keys.len(), 1);
}

#[test]
fn the_first_error_of_the_store_ends_the_making_of_a_request() {
    let session = session(village(2));
    let missing = plan(&session).frames(
        samples::hello(),
        |_| Ok(announced()),
        |_| Err("key"),
        |_, _| Err("batch"),
        |_| Ok(None),
    );
    assert_eq!(missing, Err("batch"));
}

/// How many of two batches of these sizes the first request holds.
fn fit(first: u64, second: u64) -> usize {
    let mut summary = village(2);
    summary.unsent[0].bytes = first;
    summary.unsent[1].bytes = second;
    planned(&session(summary)).len()
}

#[test]
fn a_request_holds_as_many_bytes_as_the_limit_says_but_always_one_batch() {
    assert_eq!(fit(BYTES_PER_REQUEST - 1_000, 1_000), 2);
    assert_eq!(fit(BYTES_PER_REQUEST - 1_000, 1_001), 1);
    assert_eq!(fit(BATCH_BYTES_MAX as u64, 1), 1);
}

#[test]
fn a_batch_above_the_limit_is_never_sent_and_stops_nothing() {
    let mut summary = village(2);
    summary.unsent[0].bytes = BATCH_BYTES_MAX as u64 + 1;
    let mut session = session(summary);
    assert_eq!(planned(&session), [2]);
    answer(&mut session, 11, false);
    assert_eq!((report(&session).rejected, report(&session).received), (1, 1));
}

#[test]
fn a_request_holds_as_many_batches_as_the_limit_says() {
    let most = u8::try_from(BATCHES_PER_REQUEST).unwrap();
    assert_eq!(planned(&session(village(most))).len(), BATCHES_PER_REQUEST);
    assert_eq!(planned(&session(village(most + 1))).len(), BATCHES_PER_REQUEST);
}

/// A session with so many villages without batches.
fn villages(count: usize) -> Session {
    let one = |index: usize| VillageSummary {
        village: VillageId::from_bytes([u8::try_from(index).unwrap(); 16]),
        ..village(0)
    };
    Session::new(Summary { villages: (0..count).map(one).collect() })
}

#[test]
fn more_villages_than_fit_take_several_requests() {
    assert_eq!(plan(&villages(VILLAGES_PER_REQUEST)).villages.len(), VILLAGES_PER_REQUEST);
    let mut session = villages(VILLAGES_PER_REQUEST + 1);
    let asked: Vec<VillageId> = plan(&session).villages.iter().map(|part| part.village).collect();
    assert_eq!(asked.len(), VILLAGES_PER_REQUEST);
    let dones = asked.into_iter().map(|village| ResponseFrame::VillageDone(done(village, 11, false)));
    session.received([welcome()].into_iter().chain(dones).chain([ResponseFrame::Bye]).collect());
    session.stored();
    assert_eq!(plan(&session).villages.len(), 1);
}

#[test]
fn a_planned_request_is_one_that_a_server_admits() {
    let mut summary = village(u8::try_from(BATCHES_PER_REQUEST).unwrap());
    summary.keys = (0..KEYS_PER_REQUEST as u64).map(|index| HouseholdId::v7(index, [0; 10])).collect();
    summary.above = (0..2_000).map(|next| ChainTip { device: device(1), next, tip: [0; 4] }).collect();
    summary.vector = summary.above.clone();
    let session = session(summary);
    let frames = plan(&session)
        .frames(
            samples::hello(),
            |_| Ok(announced()),
            |_| Ok::<_, ()>(KeyBytes([1; 64])),
            |batch, _| Ok(RequestFrame::Batch(batch.0.to_vec())),
            |_| Ok(None),
        )
        .unwrap();
    let body = crate::frame::encode_all(&frames);
    assert_eq!(crate::frame::decode_all::<RequestFrame>(&body).unwrap(), frames);
}
