//! Sync over HTTP, from the device's side.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use futures_util::stream;
use ruhu_ledger::batch::Batch;
use ruhu_ledger::certificate::CertificateKind;
use ruhu_ledger::checkpoint::{Checkpoint, NoteKey};
use ruhu_ledger::tree::verify_consistency;
use ruhu_ledger::verdict::{Verdict, VerdictKind};
use ruhu_survey::id::{DeploymentId, HouseholdId};
use ruhu_sync::frame::encode;
use ruhu_sync::request::{Hello, HouseholdKeyFrame};
use ruhu_sync::response::{CheckpointFrame, ProblemOutcome, VillageDone};
use ruhu_sync::{FoundedKeys, KeyBytes, PROTOCOL_VERSION, RequestFrame, ResponseFrame, Side, encode_all};

use super::fixture::{Answer, Fixture, batch, config, hello, signed, village};
use crate::store::LedgerStore as _;
use crate::store::people::PlaceStore as _;
use crate::store::world::{DEPLOYMENT, LONGTAN, SHUANGYUN, Tablet, household, kinds};

/// A tablet's batch with a new household.
fn founded(tablet: &mut Tablet, index: u8) -> Batch {
    let change = tablet.found(household(index), "一组");
    tablet.seal(&[&change])
}

fn receipts(answer: &Answer) -> Vec<Vec<VerdictKind>> {
    let receipt = |frame: &ResponseFrame| match frame {
        ResponseFrame::Receipt(receipt) => Some(kinds(receipt)),
        _ => None,
    };
    answer.frames().iter().filter_map(receipt).collect()
}

fn relayed(answer: &Answer) -> Vec<Vec<u8>> {
    let batch = |frame| match frame {
        ResponseFrame::Relayed(relayed) => Some(relayed.batch),
        _ => None,
    };
    answer.frames().into_iter().filter_map(batch).collect()
}

fn done(answer: &Answer) -> VillageDone {
    let done = answer.frames().into_iter().find_map(|frame| match frame {
        ResponseFrame::VillageDone(done) => Some(done),
        _ => None,
    });
    done.unwrap()
}

fn checkpoint(answer: &Answer) -> CheckpointFrame {
    let checkpoint = answer.frames().into_iter().find_map(|frame| match frame {
        ResponseFrame::Checkpoint(checkpoint) => Some(checkpoint),
        _ => None,
    });
    checkpoint.unwrap()
}

fn refused(answer: &Answer) -> (String, Option<Side>) {
    let frames = answer.frames();
    let [ResponseFrame::Refused(refused)] = frames.as_slice() else { panic!("not refused: {frames:?}") };
    (refused.code.clone(), refused.upgrade)
}

#[tokio::test]
async fn a_batch_is_receipted_and_given_to_the_next_device_word_for_word() {
    let fixture = Fixture::new();
    let (mut writer, reader) = (fixture.world().tablet(10), fixture.world().tablet(11));
    let sent = founded(&mut writer, 1);
    let answer = fixture.sync(&writer, &[hello(&writer), village(LONGTAN, None), batch(&sent)]).await;
    assert_eq!(receipts(&answer), [[VerdictKind::Accepted]]);
    assert!(relayed(&answer).is_empty(), "its own batch does not come back");
    let frames = answer.frames();
    assert!(matches!(frames.first(), Some(ResponseFrame::Welcome(_))));
    assert!(matches!(frames.last(), Some(ResponseFrame::Bye)));
    assert!(answer.headers.contains_key("ruhu-nonce"));

    let answer = fixture.sync(&reader, &[hello(&reader), village(LONGTAN, None)]).await;
    assert_eq!(relayed(&answer), [sent.to_bytes()]);
    let done = done(&answer);
    assert!(!done.more);
    let again = fixture.sync(&reader, &[hello(&reader), village(LONGTAN, Some(done.cursor))]).await;
    assert!(relayed(&again).is_empty());
}

#[tokio::test]
async fn a_device_learns_who_wrote_and_with_which_keys_before_it_is_given_a_batch() {
    let fixture = Fixture::new();
    let (mut writer, reader) = (fixture.world().tablet(10), fixture.world().tablet(11));
    let sent = founded(&mut writer, 1);
    let key = HouseholdKeyFrame { household: HouseholdId::from_bytes([1; 16]), key: KeyBytes([9; 64]) };
    let request = [hello(&writer), village(LONGTAN, None), RequestFrame::Key(key.clone()), batch(&sent)];
    let answer = fixture.sync(&writer, &request).await;
    let held = ResponseFrame::KeysHeld(BTreeSet::from([key.household]));
    assert!(answer.frames().contains(&held));
    let frames = fixture.sync(&reader, &[hello(&reader), village(LONGTAN, None)]).await.frames();
    let place = |wanted: &dyn Fn(&ResponseFrame) -> bool| frames.iter().position(wanted).unwrap();
    let certificate = place(
        &|frame| matches!(frame, ResponseFrame::Certificate(signed) if signed.statement.device() == writer.device()),
    );
    let keys = place(&|frame| match frame {
        ResponseFrame::FoundedKeys(FoundedKeys { keys, .. }) => {
            keys.search_key == Some(KeyBytes([5; 32]))
                && keys.households.get(&key.household) == Some(&key.key)
        }
        _ => false,
    });
    let batch = place(&|frame| matches!(frame, ResponseFrame::Relayed(_)));
    assert!(certificate < batch && keys < batch);
}

#[tokio::test]
async fn a_certificate_for_many_villages_is_told_once_in_an_answer() {
    let fixture = Fixture::new();
    let reader = fixture.world().enrol(10, &[LONGTAN, SHUANGYUN], CertificateKind::Device);
    let other = fixture.world().enrol(11, &[LONGTAN, SHUANGYUN], CertificateKind::Device);
    fixture.world().revoke(other.device());
    let request = [hello(&reader), village(LONGTAN, None), village(SHUANGYUN, None)];
    let frames = fixture.sync(&reader, &request).await.frames();
    let certificates = frames.iter().filter(|frame| matches!(frame, ResponseFrame::Certificate(_)));
    let revocations = frames.iter().filter(|frame| matches!(frame, ResponseFrame::Revocation(_)));
    assert_eq!((certificates.count(), revocations.count()), (2, 1));
}

#[tokio::test]
async fn a_known_batch_gets_its_receipt_again() {
    let fixture = Fixture::new();
    let mut tablet = fixture.world().tablet(10);
    let sent = founded(&mut tablet, 1);
    let request = [hello(&tablet), village(LONGTAN, None), batch(&sent)];
    let first = fixture.sync(&tablet, &request).await;
    let again = fixture.sync(&tablet, &request).await;
    assert_eq!(receipts(&first), receipts(&again));
    let text = fixture.state.metrics.text();
    assert!(text.contains(r#"ruhu_sync_batches_total{outcome="repeated"} 1"#), "{text}");
    assert!(text.contains("ruhu_receipts_total 1"), "{text}");
}

#[tokio::test]
async fn what_arrived_before_a_cut_is_durable() {
    let fixture = Fixture::new();
    let mut tablet = fixture.world().tablet(10);
    let (first, second) = (founded(&mut tablet, 1), founded(&mut tablet, 2));
    let frames = [hello(&tablet), village(LONGTAN, None), batch(&first), batch(&second)];
    let whole = encode_all(&frames);
    let cut = whole.len() - 1;
    let request = signed("POST", "/v1/sync", &fixture.nonce(), &tablet, &whole);
    let pieces: Vec<std::io::Result<Bytes>> = whole[..cut]
        .chunks(7)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .chain([Err(std::io::Error::other("the link is gone"))])
        .collect();
    let answer = fixture.send(request.body(Body::from_stream(stream::iter(pieces))).unwrap()).await;
    assert_eq!(answer.code(), (400, "body_cut".to_owned()));
    assert!(fixture.store.receipt(first.id()).unwrap().is_some());
    assert!(fixture.store.receipt(second.id()).unwrap().is_none());
    let again = fixture.sync(&tablet, &frames).await;
    assert_eq!(receipts(&again).len(), 2);
}

#[tokio::test]
async fn a_body_that_was_altered_is_told_nothing() {
    let fixture = Fixture::new();
    let mut tablet = fixture.world().tablet(10);
    let sent = founded(&mut tablet, 1);
    let key = HouseholdKeyFrame { household: HouseholdId::from_bytes([1; 16]), key: KeyBytes([9; 64]) };
    let signed_body = encode_all(&[hello(&tablet), village(LONGTAN, None)]);
    let body = encode_all(&[hello(&tablet), village(LONGTAN, None), RequestFrame::Key(key), batch(&sent)]);
    let request = signed("POST", "/v1/sync", &fixture.nonce(), &tablet, &signed_body);
    let answer = fixture.send(request.body(body.into()).unwrap()).await;
    assert_eq!(answer.code(), (401, "signature_invalid".to_owned()));
    // A batch proves itself, whoever carries it; a key does not.
    assert!(fixture.store.receipt(sent.id()).unwrap().is_some());
    assert!(fixture.store.household_keys(LONGTAN).unwrap().is_empty());
}

#[tokio::test]
async fn a_request_sent_twice_is_answered_once() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let body = encode_all(&[hello(&tablet), village(LONGTAN, None)]);
    let nonce = fixture.nonce();
    let request = || {
        let request = signed("POST", "/v1/sync", &nonce, &tablet, &body);
        request.body(Body::from(body.clone())).unwrap()
    };
    assert_eq!(fixture.send(request()).await.status, StatusCode::OK);
    let again = fixture.send(request()).await;
    assert_eq!(again.code(), (401, "nonce_unknown".to_owned()));
    // The refusal brings the nonce to try again with.
    let fresh = again.headers["ruhu-nonce"].to_str().unwrap();
    let request = signed("POST", "/v1/sync", fresh, &tablet, &body).body(Body::from(body.clone())).unwrap();
    assert_eq!(fixture.send(request).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_request_without_a_device_or_by_an_unknown_one_is_refused() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let body = encode_all(&[hello(&tablet), village(LONGTAN, None)]);
    let anonymous = Request::post("/v1/sync").body(Body::from(body.clone())).unwrap();
    assert_eq!(fixture.send(anonymous).await.code(), (401, "identity_missing".to_owned()));
    let token = fixture.supervisor();
    let bearer = Request::post("/v1/sync").header("authorization", format!("Bearer {token}"));
    assert_eq!(
        fixture.send(bearer.body(Body::from(body)).unwrap()).await.code(),
        (401, "identity_missing".to_owned())
    );
    let elsewhere = Fixture::new();
    let stranger = elsewhere.sync(&tablet, &[hello(&tablet)]).await;
    assert_eq!(stranger.code(), (401, "device_unknown".to_owned()));
}

#[tokio::test]
async fn a_village_that_is_not_granted_is_neither_written_nor_read() {
    let fixture = Fixture::new();
    let mut tablet = fixture.world().tablet(10);
    let other = fixture.world().enrol(11, &[SHUANGYUN], CertificateKind::Device);
    let sent = founded(&mut tablet, 1);
    fixture.sync(&tablet, &[hello(&tablet), village(LONGTAN, None), batch(&sent)]).await;
    let answer = fixture.sync(&other, &[hello(&other), village(LONGTAN, None)]).await;
    assert_eq!(answer.code(), (403, "village_not_granted".to_owned()));
    // Another village's batch does not get in under one's own either.
    let carried = fixture.sync(&other, &[hello(&other), village(SHUANGYUN, None), batch(&sent)]).await;
    let problem = carried.frames().into_iter().find_map(|frame| match frame {
        ResponseFrame::BatchProblem(problem) => Some(problem),
        _ => None,
    });
    let problem = problem.unwrap();
    assert_eq!((problem.code.as_str(), problem.outcome), ("wrong_village", ProblemOutcome::Rejected));
}

#[tokio::test]
async fn a_revoked_devices_batches_are_kept_in_quarantine_and_it_is_given_nothing() {
    let fixture = Fixture::new();
    let (mut tablet, mut other) = (fixture.world().tablet(10), fixture.world().tablet(11));
    let theirs = founded(&mut other, 1);
    fixture.sync(&other, &[hello(&other), village(LONGTAN, None), batch(&theirs)]).await;
    fixture.world().revoke(tablet.device());
    let late = founded(&mut tablet, 2);
    let answer = fixture.sync(&tablet, &[hello(&tablet), village(LONGTAN, None), batch(&late)]).await;
    assert_eq!(receipts(&answer), [[VerdictKind::Quarantined]]);
    let receipt = fixture.store.receipt(late.id()).unwrap().unwrap();
    let [Verdict::Quarantined { rule, .. }] = receipt.statement.verdicts.as_slice() else {
        panic!("accepted")
    };
    assert_eq!(rule, "device_revoked");
    for frame in answer.frames() {
        let told = matches!(
            frame,
            ResponseFrame::Welcome(_)
                | ResponseFrame::Receipt(_)
                | ResponseFrame::Revocation(_)
                | ResponseFrame::Bye
        );
        assert!(told, "{frame:?}");
    }
    let next = fixture.sync(&tablet, &[hello(&tablet), village(LONGTAN, None)]).await;
    assert_eq!(refused(&next), ("device_revoked".to_owned(), None));
}

#[tokio::test]
async fn an_expired_certificate_is_given_nothing() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    fixture.clock.forward(366 * 24 * 3_600_000);
    let answer = fixture.sync(&tablet, &[hello(&tablet), village(LONGTAN, None)]).await;
    assert_eq!(refused(&answer), ("certificate_expired".to_owned(), None));
}

#[tokio::test]
async fn a_newer_protocol_is_told_to_wait_for_the_servers_upgrade() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let RequestFrame::Hello(said) = hello(&tablet) else { panic!("no hello") };
    let newer = Hello { protocol: PROTOCOL_VERSION + 1, ..said };
    let mut body = encode(&RequestFrame::Hello(newer));
    body.extend([0x77; 300]);
    let request = signed("POST", "/v1/sync", &fixture.nonce(), &tablet, &body);
    let answer = fixture.send(request.body(body.into()).unwrap()).await;
    assert_eq!(refused(&answer), ("protocol_too_new".to_owned(), Some(Side::Server)));
}

#[tokio::test]
async fn a_device_of_another_installation_is_refused() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let RequestFrame::Hello(said) = hello(&tablet) else { panic!("no hello") };
    let elsewhere = Hello { deployment: DeploymentId::from_bytes([9; 16]), ..said.clone() };
    let answer = fixture.sync(&tablet, &[RequestFrame::Hello(elsewhere)]).await;
    assert_eq!(refused(&answer).0, "wrong_deployment");
    let other = Hello { device: fixture.world().tablet(11).device(), ..said };
    assert_eq!(refused(&fixture.sync(&tablet, &[RequestFrame::Hello(other)]).await).0, "wrong_device");
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let unfinished = {
        let mut body = encode(&hello(&tablet));
        body.pop();
        body
    };
    let malformed_batch =
        encode_all(&[hello(&tablet), village(LONGTAN, None), RequestFrame::Batch(vec![1, 2])]);
    for body in [Vec::new(), b"<html>".to_vec(), unfinished, malformed_batch, encode(&village(LONGTAN, None))]
    {
        let request = signed("POST", "/v1/sync", &fixture.nonce(), &tablet, &body);
        let answer = fixture.send(request.body(body.into()).unwrap()).await;
        assert_eq!(answer.code(), (400, "body_malformed".to_owned()));
    }
}

#[tokio::test]
async fn a_bad_batch_stands_in_nobodys_way() {
    let fixture = Fixture::new();
    let mut tablet = fixture.world().tablet(10);
    let mut clone = tablet.clone_with_opening(7);
    let (mut tampered, good) = (founded(&mut tablet, 1), founded(&mut clone, 2));
    tampered.signature.0[0] ^= 1;
    let request = [hello(&tablet), village(LONGTAN, None), batch(&tampered), batch(&good)];
    let answer = fixture.sync(&tablet, &request).await;
    let code = answer.frames().into_iter().find_map(|frame| match frame {
        ResponseFrame::BatchProblem(problem) => Some(problem.code),
        _ => None,
    });
    assert_eq!(code.as_deref(), Some("bad_signature"));
    assert_eq!(receipts(&answer), [[VerdictKind::Accepted]]);
    let text = fixture.state.metrics.text();
    assert!(text.contains(r#"ruhu_sync_batches_total{outcome="rejected"} 1"#), "{text}");
}

#[tokio::test]
async fn batches_in_the_wrong_order_are_staged_and_both_receipted_in_the_end() {
    let fixture = Fixture::new();
    let mut tablet = fixture.world().tablet(10);
    let (first, second) = (founded(&mut tablet, 1), founded(&mut tablet, 2));
    let early = fixture.sync(&tablet, &[hello(&tablet), village(LONGTAN, None), batch(&second)]).await;
    let outcome = early.frames().into_iter().find_map(|frame| match frame {
        ResponseFrame::BatchProblem(problem) => Some((problem.code, problem.outcome)),
        _ => None,
    });
    assert_eq!(outcome, Some(("staged".to_owned(), ProblemOutcome::Staged { expected: 1 })));
    let then = fixture.sync(&tablet, &[hello(&tablet), village(LONGTAN, None), batch(&first)]).await;
    assert_eq!(receipts(&then).len(), 2);
}

#[tokio::test]
async fn the_checkpoint_continues_the_one_the_device_has() {
    let fixture = Fixture::new();
    let mut tablet = fixture.world().tablet(10);
    let key = NoteKey::of_log(DEPLOYMENT, fixture.keys.signing.public());
    let first = fixture.sync(&tablet, &[hello(&tablet), village(LONGTAN, None)]).await;
    let held = Checkpoint::open(&checkpoint(&first).note, &key).unwrap();
    let sent = founded(&mut tablet, 1);
    let RequestFrame::Hello(said) = hello(&tablet) else { panic!("no hello") };
    let hello = Hello { checkpoint_size: held.size, ..said };
    let next =
        fixture.sync(&tablet, &[RequestFrame::Hello(hello), village(LONGTAN, None), batch(&sent)]).await;
    let frame = checkpoint(&next);
    let newer = Checkpoint::open(&frame.note, &key).unwrap();
    assert_eq!((frame.from_size, newer.size), (held.size, held.size + 1));
    verify_consistency(held.size, &held.root, newer.size, &newer.root, &frame.consistency).unwrap();
}

#[tokio::test]
async fn a_request_of_exactly_the_limit_is_read_and_one_byte_more_is_not() {
    let tablet_of = |fixture: &Fixture| fixture.world().tablet(10);
    let length = {
        let fixture = Fixture::new();
        encode_all(&[hello(&tablet_of(&fixture)), village(LONGTAN, None)]).len() as u64
    };
    for (limit, status) in [(length, 200), (length - 1, 413)] {
        let mut config = config();
        config.limits.request_bytes_max = limit;
        let fixture = Fixture::with(&config);
        let tablet = tablet_of(&fixture);
        let answer = fixture.sync(&tablet, &[hello(&tablet), village(LONGTAN, None)]).await;
        assert_eq!(answer.status.as_u16(), status);
    }
}

#[tokio::test]
async fn a_device_that_asks_too_often_is_told_when_to_come_back() {
    let mut config = config();
    config.limits.requests_per_minute_max = 2;
    let fixture = Fixture::with(&config);
    let (tablet, other) = (fixture.world().tablet(10), fixture.world().tablet(11));
    for _ in 0..2 {
        let answer = fixture.sync(&tablet, &[hello(&tablet), village(LONGTAN, None)]).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let answer = fixture.sync(&tablet, &[hello(&tablet), village(LONGTAN, None)]).await;
    assert_eq!(answer.code(), (429, "rate_limited".to_owned()));
    assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    let answer = fixture.sync(&other, &[hello(&other), village(LONGTAN, None)]).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_is_said_until_there_is_room_again() {
    let fixture = Fixture::new();
    let mut tablet = fixture.world().tablet(10);
    let sent: Vec<Batch> = (1..=40).map(|index| founded(&mut tablet, index)).collect();
    let room = |pages: i64| {
        let set = |tx: &rusqlite::Transaction<'_>| {
            tx.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            Ok(())
        };
        fixture.store.write(set).unwrap();
    };
    room(1);
    let mut request = vec![hello(&tablet), village(LONGTAN, None)];
    request.extend(sent.iter().map(batch));
    let answer = fixture.sync(&tablet, &request).await;
    assert_eq!(answer.code(), (507, "disk_full".to_owned()));
    assert_eq!(answer.headers["retry-after"], "60");
    room(1_000_000);
    let ready = || Request::get("/readyz").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(ready()).await.status, StatusCode::OK);
    let answer = fixture.sync(&tablet, &request).await;
    assert_eq!(receipts(&answer).len(), 40);
    fixture.world().assert_sound();
}
