//! What devices announce as unsent: whose word it is, when it stands, and who is told.

use std::collections::BTreeSet;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use ruhu_ledger::certificate::CertificateKind;
use ruhu_ledger::signature::{SecretKey, Signature};
use ruhu_survey::id::{EpochId, VillageId};
use ruhu_sync::announce::{Announced, Announcement, Subject, Told};
use ruhu_sync::frame::encode;
use ruhu_sync::protocol::PROTOCOL_OLDEST;
use ruhu_sync::request::{Hello, VillageQuery};
use ruhu_sync::resume::{HEADER_OFFSET, HEADER_REQUEST, RequestId};
use ruhu_sync::{Cursor, RequestFrame, ResponseFrame, encode_all};

use super::fixture::{Fixture, batch, hello, signed, village};
use crate::store::world::{DEPLOYMENT, EPOCH, LONGTAN, MORNING_MS, SHUANGYUN, Tablet, household};

const UNSENT: Announced = Announced { next: 3, checks: 2, drafts: 1 };
const NOTHING: Announced = Announced { next: 3, checks: 0, drafts: 0 };

fn signed_by(key: &SecretKey, subject: Subject, announced: Announced) -> RequestFrame {
    let signature = Some(subject.sign(&announced, key));
    RequestFrame::Announcement(Announcement { given: 0, announced, signature })
}

fn subject(tablet: &Tablet, village: VillageId) -> Subject {
    Subject { deployment: DEPLOYMENT, epoch: EPOCH, device: tablet.device(), village }
}

/// The announcement of a device that holds something unsent.
fn unsent(tablet: &Tablet, announced: Announced) -> RequestFrame {
    signed_by(&tablet.key, subject(tablet, LONGTAN), announced)
}

fn plain(given: u64, announced: Announced) -> RequestFrame {
    RequestFrame::Announcement(Announcement { given, announced, signature: None })
}

/// What a device is told that was given the announcements up to a number, and all of the feed.
async fn told_after(fixture: &Fixture, tablet: &Tablet, place: VillageId, given: u64) -> Vec<Told> {
    let cursor = Some(Cursor { epoch: EPOCH, number: 0 });
    let query = VillageQuery { village: place, cursor, keys_given: 1, vector: BTreeSet::new() };
    let request =
        [hello(tablet), RequestFrame::Village(query), plain(given, Announced { next: 0, ..NOTHING })];
    let told = |frame| match frame {
        ResponseFrame::Announcements(told) => {
            assert_eq!(told.village, place);
            Some(told.told)
        }
        _ => None,
    };
    fixture.sync(tablet, &request).await.frames().into_iter().filter_map(told).flatten().collect()
}

async fn told(fixture: &Fixture, tablet: &Tablet) -> Vec<Told> {
    told_after(fixture, tablet, LONGTAN, 0).await
}

/// Sends the beginning of a request whose body is cut behind its last frame here.
async fn cut(fixture: &Fixture, tablet: &Tablet, frames: &[RequestFrame]) {
    let body = encode_all(frames);
    let whole = [body.clone(), encode(&RequestFrame::Batch(vec![7; 300]))].concat();
    let pieces: Vec<std::io::Result<Bytes>> =
        vec![Ok(Bytes::from(body)), Err(std::io::Error::other("the link is gone"))];
    let request = signed("POST", "/v1/sync", &fixture.nonce(), tablet, &whole);
    let answer = fixture.send(request.body(Body::from_stream(stream::iter(pieces))).unwrap()).await;
    assert_eq!(answer.code(), (400, "body_cut".to_owned()));
}

fn line(number: u64, tablet: &Tablet, announced: Announced) -> Told {
    Told { number, device: tablet.device(), announced, at_ms: MORNING_MS }
}

#[tokio::test]
async fn what_is_announced_stands_though_the_request_is_cut_behind_it() {
    let fixture = Fixture::new();
    let (writer, reader) = (fixture.world().tablet(10), fixture.secretary(11, &[LONGTAN]));
    cut(&fixture, &writer, &[hello(&writer), village(LONGTAN, None), unsent(&writer, UNSENT)]).await;
    assert_eq!(told(&fixture, &reader).await, [line(1, &writer, UNSENT)]);
}

#[tokio::test]
async fn of_a_request_that_was_cut_nothing_is_believed_that_is_not_signed_by_itself() {
    let fixture = Fixture::new();
    let (writer, reader) = (fixture.world().tablet(10), fixture.secretary(11, &[LONGTAN]));
    let other = SecretKey::from_seed([99; 32]);
    let of = subject(&writer, LONGTAN);
    let forged = [
        plain(0, UNSENT),
        signed_by(&other, of, UNSENT),
        RequestFrame::Announcement(Announcement {
            given: 0,
            announced: UNSENT,
            signature: Some(Signature([0; 64])),
        }),
        signed_by(&writer.key, Subject { village: SHUANGYUN, ..of }, UNSENT),
        signed_by(&writer.key, Subject { epoch: EpochId::from_bytes([9; 16]), ..of }, UNSENT),
    ];
    for announcement in forged {
        cut(&fixture, &writer, &[hello(&writer), village(LONGTAN, None), announcement]).await;
        assert_eq!(told(&fixture, &reader).await, []);
    }
}

#[tokio::test]
async fn a_request_whose_signature_does_not_hold_announces_nothing() {
    let fixture = Fixture::new();
    let (writer, reader) = (fixture.world().tablet(10), fixture.secretary(11, &[LONGTAN]));
    let body = encode_all(&[hello(&writer), village(LONGTAN, None), plain(0, UNSENT)]);
    let request = signed("POST", "/v1/sync", &fixture.nonce(), &writer, b"another body");
    let answer = fixture.send(request.body(body.into()).unwrap()).await;
    assert_eq!(answer.code(), (401, "signature_invalid".to_owned()));
    assert_eq!(told(&fixture, &reader).await, []);
}

#[tokio::test]
async fn a_whole_request_is_believed_and_an_older_one_that_comes_later_changes_nothing() {
    let fixture = Fixture::new();
    let (writer, reader) = (fixture.world().tablet(10), fixture.secretary(11, &[LONGTAN]));
    let cut_before = [hello(&writer), village(LONGTAN, None), unsent(&writer, UNSENT)];
    cut(&fixture, &writer, &cut_before).await;
    fixture.sync(&writer, &[hello(&writer), village(LONGTAN, None), plain(0, NOTHING)]).await;
    assert_eq!(told(&fixture, &reader).await, [line(2, &writer, NOTHING)]);
    // Somebody has kept what was sent before and sends it again.
    cut(&fixture, &writer, &cut_before).await;
    let shorter = plain(0, Announced { next: 2, ..UNSENT });
    fixture.sync(&writer, &[hello(&writer), village(LONGTAN, None), shorter]).await;
    assert_eq!(told(&fixture, &reader).await, [line(2, &writer, NOTHING)]);
}

#[tokio::test]
async fn it_is_told_once_and_to_those_who_oversee_the_work_alone() {
    let fixture = Fixture::new();
    let (writer, reader) = (fixture.world().tablet(10), fixture.secretary(11, &[LONGTAN]));
    fixture.sync(&writer, &[hello(&writer), village(LONGTAN, None), plain(0, NOTHING)]).await;
    let member = fixture.world().tablet(12);
    assert_eq!(told(&fixture, &member).await, []);
    let first = told(&fixture, &reader).await;
    assert_eq!(first.len(), 2, "the member announced too: {first:?}");
    let last = first.last().unwrap().number;
    assert_eq!(told_after(&fixture, &reader, LONGTAN, last).await, [], "nor what it announced itself");
    fixture.sync(&writer, &[hello(&writer), village(LONGTAN, None), plain(0, NOTHING)]).await;
    let newer = told_after(&fixture, &reader, LONGTAN, last).await;
    assert_eq!(newer.iter().map(|told| told.device).collect::<Vec<_>>(), [writer.device()]);
    assert_eq!(told_after(&fixture, &reader, LONGTAN, 1_000_000).await.len(), 2, "a number of another life");
}

#[tokio::test]
async fn an_older_device_announces_nothing_and_is_told_nothing() {
    let fixture = Fixture::new();
    let (writer, reader) = (fixture.world().tablet(10), fixture.secretary(11, &[LONGTAN]));
    fixture.sync(&writer, &[hello(&writer), village(LONGTAN, None), plain(0, NOTHING)]).await;
    for protocol in [PROTOCOL_OLDEST, PROTOCOL_OLDEST + 1] {
        let RequestFrame::Hello(said) = hello(&reader) else { panic!("no hello") };
        let older = RequestFrame::Hello(Hello { protocol, ..said });
        let frames = fixture.sync(&reader, &[older, village(LONGTAN, None)]).await.frames();
        assert!(matches!(frames.last(), Some(ResponseFrame::Bye)));
        let about = |frame: &ResponseFrame| matches!(frame, ResponseFrame::Announcements(_));
        assert!(!frames.iter().any(about), "{frames:?}");
    }
    assert_eq!(told(&fixture, &fixture.secretary(13, &[LONGTAN])).await, [line(1, &writer, NOTHING)]);
}

#[tokio::test]
async fn a_revoked_device_announces_nothing_any_more_and_is_told_nothing() {
    let fixture = Fixture::new();
    let (mut writer, reader) = (fixture.world().tablet(10), fixture.secretary(11, &[LONGTAN]));
    fixture.sync(&writer, &[hello(&writer), village(LONGTAN, None), plain(0, NOTHING)]).await;
    fixture.world().revoke(writer.device());
    let change = writer.found(household(1), "一组");
    let sent = writer.seal(&[&change]);
    let farther = unsent(&writer, Announced { next: 9, ..UNSENT });
    let request = [hello(&writer), village(LONGTAN, None), farther, batch(&sent)];
    let frames = fixture.sync(&writer, &request).await.frames();
    assert!(frames.iter().any(|frame| matches!(frame, ResponseFrame::Receipt(_))), "the batch is kept apart");
    assert!(!frames.iter().any(|frame| matches!(frame, ResponseFrame::Announcements(_))));
    assert_eq!(told(&fixture, &reader).await, [line(1, &writer, NOTHING)]);
}

#[tokio::test]
async fn villages_are_told_apart() {
    let fixture = Fixture::new();
    let both = [LONGTAN, SHUANGYUN];
    let writer = fixture.world().enrol(10, &both, CertificateKind::Device);
    let (here, there) = (fixture.secretary(11, &[LONGTAN]), fixture.secretary(12, &[SHUANGYUN]));
    let elsewhere = Announced { next: 8, checks: 1, drafts: 0 };
    let request = [
        hello(&writer),
        village(LONGTAN, None),
        unsent(&writer, UNSENT),
        village(SHUANGYUN, None),
        signed_by(&writer.key, subject(&writer, SHUANGYUN), elsewhere),
    ];
    cut(&fixture, &writer, &request).await;
    assert_eq!(told(&fixture, &here).await, [line(1, &writer, UNSENT)]);
    assert_eq!(told_after(&fixture, &there, SHUANGYUN, 0).await, [line(1, &writer, elsewhere)]);
}

#[tokio::test]
async fn a_request_that_goes_on_after_a_cut_says_the_same_and_its_receipts_are_taken_off() {
    let fixture = Fixture::new();
    let mut writer = fixture.world().tablet(10);
    let batches: Vec<_> = (1..=2)
        .map(|index| {
            let change = writer.found(household(index), "一组");
            writer.seal(&[&change])
        })
        .collect();
    let mut frames =
        vec![hello(&writer), village(LONGTAN, None), unsent(&writer, UNSENT), batch(&batches[0])];
    let offset = encode_all(&frames).len();
    frames.push(batch(&batches[1]));
    let whole = encode_all(&frames);
    let id = RequestId([1; 16]);
    let send = async |from: usize, pieces: Vec<std::io::Result<Bytes>>| {
        let request = signed("POST", "/v1/sync", &fixture.nonce(), &writer, &whole)
            .header(HEADER_REQUEST, id.to_string())
            .header(HEADER_OFFSET, from);
        fixture.send(request.body(Body::from_stream(stream::iter(pieces))).unwrap()).await
    };
    let first = Ok(Bytes::copy_from_slice(&whole[..offset]));
    send(0, vec![first, Err(std::io::Error::other("the link is gone"))]).await;
    let supervisor = fixture.supervisor();
    let path = format!("/v1/villages/{LONGTAN}/devices");
    let announced = async || {
        let listed = fixture.get(&path, &supervisor).await.json();
        let devices = listed["devices"].as_array().unwrap().clone();
        let of = |device: &&serde_json::Value| device["device"] == writer.device().to_string();
        devices.iter().find(of).unwrap()["announced"].clone()
    };
    let line = |missing: u64, checks: u64| serde_json::json!({ "at": "2026-03-02T01:00:00.000Z", "missing": missing, "checks": checks, "drafts": 1 });
    assert_eq!(announced().await, line(1, 2), "of two batches one is here");
    let answer = send(offset, vec![Ok(Bytes::copy_from_slice(&whole[offset..]))]).await;
    let receipts = answer.frames().iter().filter(|frame| matches!(frame, ResponseFrame::Receipt(_))).count();
    assert_eq!((receipts, announced().await), (2, line(0, 0)));
}
