//! Requests that are cut and go on where the server has them.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use futures_util::stream;
use ruhu_ledger::batch::Batch;
use ruhu_sync::resume::{HEADER_OFFSET, HEADER_REQUEST, RequestId};
use ruhu_sync::{ResponseFrame, encode_all};

use super::fixture::{Answer, Fixture, batch, config, hello, signed, village};
use crate::limits::{HELD_IN_MEMORY_BYTES_MAX, HELD_MS};
use crate::store::LedgerStore as _;
use crate::store::world::{LONGTAN, Tablet, household};

const FIRST: RequestId = RequestId([1; 16]);
const SECOND: RequestId = RequestId([2; 16]);

/// A tablet and the body of its request with three batches.
fn week(fixture: &Fixture) -> (Tablet, Vec<Batch>, Vec<u8>) {
    let mut tablet = fixture.world().tablet(10);
    let seal = |index: u8| {
        let change = tablet.found(household(index), "一组");
        tablet.seal(&[&change])
    };
    let batches: Vec<Batch> = (1..=3).map(seal).collect();
    let frames = [hello(&tablet), village(LONGTAN, None)].into_iter().chain(batches.iter().map(batch));
    let body = encode_all(&frames.collect::<Vec<_>>());
    (tablet, batches, body)
}

/// What is sent of a request.
struct Rest<'a> {
    whole: &'a [u8],
    id: RequestId,
    offset: usize,
    /// Where the link breaks.
    cut: Option<usize>,
}

impl Rest<'_> {
    fn request(&self, fixture: &Fixture, tablet: &Tablet) -> Request<Body> {
        self.request_under(&fixture.nonce(), tablet)
    }

    fn request_under(&self, nonce: &str, tablet: &Tablet) -> Request<Body> {
        let rest = &self.whole[self.offset..self.cut.unwrap_or(self.whole.len())];
        let gone = self.cut.map(|_| Err(std::io::Error::other("the link is gone")));
        let pieces: Vec<std::io::Result<Bytes>> =
            rest.chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).chain(gone).collect();
        let request = signed("POST", "/v1/sync", nonce, tablet, self.whole)
            .header(HEADER_REQUEST, self.id.to_string())
            .header(HEADER_OFFSET, self.offset);
        request.body(Body::from_stream(stream::iter(pieces))).unwrap()
    }
}

/// Sends the request up to `cut`, and sees that it is told so.
async fn cut(fixture: &Fixture, tablet: &Tablet, whole: &[u8], id: RequestId, cut: usize) {
    let rest = Rest { whole, id, offset: 0, cut: Some(cut) };
    let answer = fixture.send(rest.request(fixture, tablet)).await;
    assert_eq!(answer.code(), (400, "body_cut".to_owned()));
}

async fn go_on(fixture: &Fixture, tablet: &Tablet, whole: &[u8], id: RequestId, offset: usize) -> Answer {
    fixture.send(Rest { whole, id, offset, cut: None }.request(fixture, tablet)).await
}

async fn held(fixture: &Fixture, tablet: &Tablet, id: RequestId) -> u64 {
    fixture.get_as(&id.held_path(), tablet).await.json()["bytes"].as_u64().unwrap()
}

fn receipts(answer: &Answer) -> usize {
    answer.frames().iter().filter(|frame| matches!(frame, ResponseFrame::Receipt(_))).count()
}

/// Waits until what a cut left is durable.
async fn settled(fixture: &Fixture, tablet: &Tablet, id: RequestId) {
    let now_ms = fixture.world().now_ms;
    while fixture.store.held(tablet.device(), id, now_ms).unwrap().is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_request_that_was_cut_goes_on_where_it_was_cut() {
    let fixture = Fixture::new();
    let (tablet, batches, body) = week(&fixture);
    let at = body.len() - 50;
    cut(&fixture, &tablet, &body, FIRST, at).await;
    assert!(fixture.store.receipt(batches[1].id()).unwrap().is_some());
    assert!(fixture.store.receipt(batches[2].id()).unwrap().is_none());
    assert_eq!(held(&fixture, &tablet, FIRST).await, at as u64);
    let answer = go_on(&fixture, &tablet, &body, FIRST, at).await;
    assert_eq!(receipts(&answer), 3, "the batches of both parts are answered");
    let text = fixture.state.metrics.text();
    assert!(text.contains("ruhu_receipts_total 3"), "{text}");
}

#[tokio::test]
async fn a_second_cut_goes_on_where_the_second_part_was_cut() {
    let fixture = Fixture::new();
    let (tablet, _, body) = week(&fixture);
    cut(&fixture, &tablet, &body, FIRST, 100).await;
    let second = Rest { whole: &body, id: FIRST, offset: 100, cut: Some(200) };
    fixture.send(second.request(&fixture, &tablet)).await;
    assert_eq!(held(&fixture, &tablet, FIRST).await, 200);
    // Less than what is held is as good.
    assert_eq!(receipts(&go_on(&fixture, &tablet, &body, FIRST, 150).await), 3);
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_is_answered_again_without_its_bytes() {
    let fixture = Fixture::new();
    let (tablet, _, body) = week(&fixture);
    go_on(&fixture, &tablet, &body, FIRST, 0).await;
    assert_eq!(held(&fixture, &tablet, FIRST).await, body.len() as u64);
    assert_eq!(receipts(&go_on(&fixture, &tablet, &body, FIRST, body.len()).await), 3);
}

#[tokio::test]
async fn what_a_cut_left_outlives_a_restart_and_not_a_day() {
    let fixture = Fixture::new();
    let (tablet, _, body) = week(&fixture);
    cut(&fixture, &tablet, &body, FIRST, 200).await;
    settled(&fixture, &tablet, FIRST).await;
    let fixture = fixture.restarted();
    assert_eq!(held(&fixture, &tablet, FIRST).await, 200);
    fixture.clock.forward(HELD_MS - 1);
    assert_eq!(held(&fixture, &tablet, FIRST).await, 200);
    fixture.clock.forward(1);
    assert_eq!(held(&fixture, &tablet, FIRST).await, 0);
    let late = go_on(&fixture, &tablet, &body, FIRST, 200).await;
    assert_eq!(late.code(), (409, "request_not_held".to_owned()));
    assert_eq!(receipts(&go_on(&fixture, &tablet, &body, SECOND, 0).await), 3, "whole, it is taken");
}

#[tokio::test]
async fn the_rest_of_what_is_not_held_is_refused() {
    let fixture = Fixture::new();
    let (tablet, _, body) = week(&fixture);
    let other = fixture.world().tablet(11);
    cut(&fixture, &tablet, &body, FIRST, 200).await;
    for (id, offset) in [(SECOND, 200), (FIRST, 201)] {
        let answer = go_on(&fixture, &tablet, &body, id, offset).await;
        assert_eq!(answer.code(), (409, "request_not_held".to_owned()));
    }
    assert_eq!(held(&fixture, &other, FIRST).await, 0, "another device's");
    assert_eq!(go_on(&fixture, &other, &body, FIRST, 200).await.code().0, 409);
    assert_eq!(held(&fixture, &tablet, FIRST).await, 200, "none of this disturbs it");
}

#[tokio::test]
async fn bytes_that_somebody_else_planted_make_the_request_fail_and_are_forgotten() {
    let fixture = Fixture::new();
    let (tablet, _, body) = week(&fixture);
    let mut planted = body.clone();
    planted[20] ^= 1;
    cut(&fixture, &tablet, &planted, FIRST, 200).await;
    settled(&fixture, &tablet, FIRST).await;
    let answer = go_on(&fixture, &tablet, &body, FIRST, 200).await;
    assert_eq!(answer.code(), (401, "signature_invalid".to_owned()));
    assert_eq!(held(&fixture, &tablet, FIRST).await, 0);
    assert_eq!(receipts(&go_on(&fixture, &tablet, &body, SECOND, 0).await), 3);
}

#[tokio::test]
async fn both_parts_together_have_the_limit_of_one() {
    let length = week(&Fixture::new()).2.len() as u64;
    for (limit, status) in [(length, 200), (length - 1, 413)] {
        let mut config = config();
        config.limits.request_bytes_max = limit;
        let fixture = Fixture::with(&config);
        let (tablet, _, body) = week(&fixture);
        cut(&fixture, &tablet, &body, FIRST, 200).await;
        assert_eq!(go_on(&fixture, &tablet, &body, FIRST, 200).await.status.as_u16(), status);
    }
}

#[tokio::test]
async fn headers_that_cannot_be_read_are_refused() {
    let fixture = Fixture::new();
    let (tablet, _, body) = week(&fixture);
    for (name, value) in [(HEADER_REQUEST, "1"), (HEADER_OFFSET, "-1"), (HEADER_OFFSET, "7")] {
        let request = signed("POST", "/v1/sync", &fixture.nonce(), &tablet, &body).header(name, value);
        let answer = fixture.send(request.body(Body::from(body.clone())).unwrap()).await;
        assert_eq!(answer.code(), (400, "parameter_invalid".to_owned()), "{name}: {value}");
    }
    let asked = fixture.get_as("/v1/sync/held/1", &tablet).await;
    assert_eq!(asked.code(), (400, "parameter_invalid".to_owned()));
}

#[tokio::test]
async fn only_the_device_itself_is_told_what_is_held() {
    let fixture = Fixture::new();
    let (tablet, _, body) = week(&fixture);
    cut(&fixture, &tablet, &body, FIRST, 200).await;
    let token = fixture.supervisor();
    assert_eq!(fixture.get(&FIRST.held_path(), &token).await.code(), (401, "identity_missing".to_owned()));
    let forged = signed("GET", "/v1/sync/held/0", &fixture.nonce(), &tablet, &[]);
    let forged = forged.uri(FIRST.held_path()).body(Body::empty()).unwrap();
    assert_eq!(fixture.send(forged).await.code(), (401, "signature_invalid".to_owned()));
}

#[tokio::test]
async fn what_is_held_is_told_without_a_nonce_and_the_answer_brings_one() {
    let fixture = Fixture::new();
    let (tablet, _, body) = week(&fixture);
    cut(&fixture, &tablet, &body, FIRST, 200).await;
    for nonce in ["", "used long ago"] {
        let asked = signed("GET", &FIRST.held_path(), nonce, &tablet, &[]).body(Body::empty()).unwrap();
        let answer = fixture.send(asked).await;
        assert_eq!(answer.json()["bytes"], 200);
        let fresh = answer.headers["ruhu-nonce"].to_str().unwrap();
        assert!(fixture.state.nonces.redeem(fresh, fixture.world().now_ms), "{fresh}");
    }
    let read = signed("GET", "/v1/villages", "", &tablet, &[]).body(Body::empty()).unwrap();
    assert_eq!(fixture.send(read).await.code(), (401, "nonce_unknown".to_owned()), "nothing else is");
}

#[tokio::test]
async fn a_request_under_a_nonce_that_is_not_known_need_not_be_sent_again() {
    let fixture = Fixture::new();
    let (tablet, batches, body) = week(&fixture);
    let whole = Rest { whole: &body, id: FIRST, offset: 0, cut: None };
    let refused = fixture.send(whole.request_under("from before the restart", &tablet)).await;
    assert_eq!(refused.code(), (401, "nonce_unknown".to_owned()));
    assert!(refused.headers.contains_key("ruhu-nonce"));
    assert!(fixture.store.receipt(batches[0].id()).unwrap().is_none(), "nothing is taken in yet");
    assert_eq!(receipts(&go_on(&fixture, &tablet, &body, FIRST, body.len()).await), 3);
}

#[tokio::test]
async fn a_rest_under_a_nonce_that_is_not_known_is_kept_behind_what_was_held() {
    let fixture = Fixture::new();
    let (tablet, _, body) = week(&fixture);
    cut(&fixture, &tablet, &body, FIRST, 200).await;
    settled(&fixture, &tablet, FIRST).await;
    let fixture = fixture.restarted();
    let rest = Rest { whole: &body, id: FIRST, offset: 200, cut: None };
    fixture.send(rest.request_under("from before the restart", &tablet)).await;
    assert_eq!(held(&fixture, &tablet, FIRST).await, body.len() as u64);
    assert_eq!(
        fixture.store.held(tablet.device(), FIRST, fixture.world().now_ms).unwrap().unwrap().len(),
        200
    );
    assert_eq!(receipts(&go_on(&fixture, &tablet, &body, FIRST, body.len()).await), 3);
}

#[tokio::test]
async fn an_old_request_that_somebody_repeats_does_not_disturb_one_under_way() {
    let fixture = Fixture::new();
    let (tablet, _, body) = week(&fixture);
    // A request under way: its body has come as far as 200 bytes and waits.
    let first = [Ok::<_, std::io::Error>(Bytes::copy_from_slice(&body[..200]))];
    let waits = futures_util::StreamExt::chain(stream::iter(first), stream::pending());
    let request = signed("POST", "/v1/sync", &fixture.nonce(), &tablet, &body)
        .header(HEADER_REQUEST, FIRST.to_string())
        .body(Body::from_stream(waits))
        .unwrap();
    let old = Rest { whole: &body, id: SECOND, offset: 0, cut: None };
    tokio::select! {
        _ = fixture.send(request) => panic!("it has no end"),
        () = async {
            while held(&fixture, &tablet, FIRST).await < 200 {
                tokio::task::yield_now().await;
            }
            fixture.send(old.request_under("used", &tablet)).await;
            assert_eq!(held(&fixture, &tablet, FIRST).await, 200);
            assert_eq!(held(&fixture, &tablet, SECOND).await, 0);
        } => {}
    }
}

#[tokio::test]
async fn memory_is_given_back_oldest_first_and_what_was_cut_is_still_held() {
    let fixture = Fixture::new();
    let (tablet, _, body) = week(&fixture);
    cut(&fixture, &tablet, &body, FIRST, 200).await;
    settled(&fixture, &tablet, FIRST).await;
    let flights = Arc::clone(&fixture.state.flights);
    flights.make_room(HELD_IN_MEMORY_BYTES_MAX);
    assert!(flights.holds(tablet.device()));
    flights.make_room(200);
    assert!(flights.holds(tablet.device()), "exactly as much as there is room for");
    flights.make_room(199);
    assert!(!flights.holds(tablet.device()));
    assert_eq!(held(&fixture, &tablet, FIRST).await, 200, "from the store");
}

#[tokio::test]
async fn shorter_bytes_of_the_same_request_do_not_replace_longer_ones() {
    let fixture = Fixture::new();
    let device = fixture.world().tablet(10).device();
    let put = |id, bytes: &[u8]| fixture.store.held_put(device, id, bytes, 1_000).unwrap();
    let get = |id| fixture.store.held(device, id, 1_000).unwrap();
    put(FIRST, b"long enough");
    put(FIRST, b"short");
    assert_eq!(get(FIRST).as_deref(), Some(b"long enough".as_slice()));
    put(SECOND, b"new");
    assert_eq!((get(FIRST), get(SECOND).as_deref()), (None, Some(b"new".as_slice())), "one of each device");
}
