//! What is not understood in a replay stream.

use super::*;

#[test]
fn a_batch_wanted_raw_is_sent_raw_in_the_next_request() {
    let mut session = session(village(3));
    assert!(plan(&session).villages[0].raw.is_empty());
    let second = plan(&session).villages[0].batches[1];
    let wanted = problem(BatchId([0; 32]), ProblemOutcome::RawWanted { place: 1 });
    session.received(vec![welcome(), ResponseFrame::BatchProblem(wanted), ResponseFrame::Bye]);
    session.stored();
    assert_eq!(plan(&session).villages[0].raw, [second].into());
    assert!(plan(&session).villages[0].batches.contains(&second));
}

#[test]
fn a_place_beyond_the_request_changes_nothing() {
    let mut session = session(village(1));
    let wanted = problem(BatchId([0; 32]), ProblemOutcome::RawWanted { place: 9 });
    session.received(vec![welcome(), ResponseFrame::BatchProblem(wanted), ResponseFrame::Bye]);
    session.stored();
    assert!(plan(&session).villages[0].raw.is_empty());
}

#[test]
fn a_relayed_batch_that_was_not_understood_is_asked_for_again_without_a_replay_stream() {
    let mut session = session(village(0));
    assert!(plan(&session).replay);
    let relayed = |sequence| {
        ResponseFrame::Replay(crate::response::RelayedReplay { village: VILLAGE, sequence, bytes: vec![1] })
    };
    let done = ResponseFrame::VillageDone(samples::done(VILLAGE, 14, false));
    session.received(vec![welcome(), relayed(12), relayed(13), relayed(14), done, ResponseFrame::Bye]);
    session.want_raw(VILLAGE, 13);
    session.stored();
    let plan = plan(&session);
    assert!(!plan.replay);
    assert_eq!(plan.villages[0].cursor.map(|cursor| cursor.number), Some(12));
}
