//! Photos: taken into a draft, sent after all text and from where they were cut, and read on another device.

use ruhu_survey::household::{NewHousehold, NewMember};
use ruhu_survey::id::CheckId;
use ruhu_survey::limits::{PHOTO_BYTES_MAX, THUMBNAIL_BYTES_MAX};
use ruhu_survey::photo::{PhotoAddress, PhotoError, PhotoKind};
use ruhu_sync::limits::{PHOTO_PIECE_BYTES, PHOTO_PIECE_BYTES_MIN};

use super::server::Fault;
use super::*;
use crate::{
    Asked, ListedPhoto, NewPhoto, PhotoOutcome, PhotoPart, PhotoProgress, PhotoReport, PhotoState, Transport,
    TransportError,
};

const TAKEN_MS: i64 = 1_750_000_000_000;
const HOUSE: Asked<'_> = Asked { question: "house_photos", member: None, element: None };

/// A JPEG as far as anybody looks.
fn jpeg(seed: u8, bytes: usize) -> Vec<u8> {
    [0xff, 0xd8, 0xff, 0xe0]
        .into_iter()
        .chain((4..bytes).map(|at| seed.wrapping_add(u8::try_from(at % 251).unwrap())))
        .collect()
}

fn new<'a>(original: &'a [u8], thumbnail: &'a [u8]) -> NewPhoto<'a> {
    NewPhoto { original, thumbnail, taken_ms: TAKEN_MS }
}

struct Visit {
    tablet: Tablet,
    household: HouseholdId,
    check: CheckId,
}

impl Visit {
    fn begun(server: &FakeServer) -> Self {
        let mut tablet = Tablet::enrolled(server, 1);
        let household = NewHousehold { group_name: "三组".to_owned(), ..NewHousehold::default() };
        let head = NewMember {
            full_name: "李四方".to_owned(),
            cert_no: Some("439921197603150018".to_owned()),
            fields: [("relation_to_head", "head"), ("certificate_type", "identity_card")]
                .map(|(key, text)| (key.to_owned(), text.to_owned()))
                .into(),
            source: None,
        };
        let household = tablet.client.new_household(server.villages[0], &household, &[head]).unwrap();
        let check = tablet.client.start_check(household, "routine").unwrap();
        Self { tablet, household, check }
    }

    fn take(&mut self, seed: u8, bytes: usize) -> PhotoAddress {
        let (original, thumbnail) = (jpeg(seed, bytes), jpeg(seed, 40));
        self.tablet.client.add_photo(self.check, &HOUSE, &new(&original, &thumbnail)).unwrap()
    }

    fn submit(&mut self) {
        // Without a hazard the question of the photos does not apply.
        self.submit_with_sign("leaking");
    }

    fn submit_with_sign(&mut self, sign: &str) {
        let yes = ruhu_survey::household::Input::Stored(Value::Bool(true));
        let asked = Asked { question: "house_signs", member: None, element: Some(sign) };
        let client = &mut self.tablet.client;
        client.answer_question(self.check, &asked, &yes, &Default::default()).unwrap();
        client.submit(self.check, "completed", &[]).unwrap();
    }

    fn send(&mut self, transport: &impl Transport) -> PhotoReport {
        now(self.tablet.client.send_photos(transport, &mut |_| {}, &|| false)).unwrap()
    }

    fn listed(&self) -> Vec<ListedPhoto> {
        self.tablet.client.photos(self.household).unwrap()
    }
}

#[test]
fn a_photo_is_an_answer_and_the_check_is_submitted_without_waiting_for_it() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    let (one, other) = (visit.take(1, 900), visit.take(2, 80_000));
    let listed = visit.listed();
    let keys: Vec<_> = listed.iter().map(|photo| (photo.address, photo.key.as_str(), photo.state)).collect();
    assert_eq!(
        keys,
        [
            (one, "answer/evidence/house/1", PhotoState::Draft),
            (other, "answer/evidence/house/2", PhotoState::Draft)
        ]
    );
    assert_eq!((listed[0].kind, listed[0].taken_ms), (Some(PhotoKind::Photo), Some(TAKEN_MS)));
    visit.tablet.sync(&server);
    assert_eq!(visit.send(&server).progress, PhotoProgress::default(), "a draft's photos go nowhere");

    visit.submit();
    assert_eq!(visit.send(&server).outcome, PhotoOutcome::TextFirst);
    assert_eq!(server.pieces(), [0; 0]);
    visit.tablet.sync(&server);
    let waiting = visit.tablet.client.photos_waiting().unwrap();
    let report = visit.send(&server);
    assert_eq!((&report.outcome, report.failures, report.refused.len()), (&PhotoOutcome::Complete, 0, 0));
    let total = waiting.1;
    let all = PhotoProgress { received: 2, to_send: 2, bytes: total, bytes_to_send: total };
    assert_eq!((waiting.0, report.progress, report.sent_bytes), (2, all, total));
    assert!(server.photo_came(&one).whole && server.photo_came(&other).whole);
    assert!(visit.listed().iter().all(|photo| matches!(photo.state, PhotoState::Received { .. })));
    assert_eq!(visit.tablet.client.photos_waiting().unwrap(), (0, 0));
    server.pieces();
    assert_eq!(visit.send(&server).requests, 0, "what is received is not asked about again");
}

#[test]
fn what_the_server_gets_is_sealed() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    let marker = [&jpeg(1, 10)[..], b"a marker that nobody else may see"].concat();
    let address = visit.tablet.client.add_photo(visit.check, &HOUSE, &new(&marker, &[])).unwrap();
    visit.submit();
    visit.tablet.sync(&server);
    visit.send(&server);
    let came = server.photo_came(&address);
    assert!(came.whole);
    assert!(!came.bytes.windows(8).any(|bytes| bytes == &marker[10..18]));
    assert_eq!(visit.tablet.client.photo(&address, PhotoPart::Original).unwrap(), Some(marker.clone()));
    // Nobody made a thumbnail: the picture itself is shown.
    assert_eq!(visit.tablet.client.photo(&address, PhotoPart::Thumbnail).unwrap(), Some(marker));
}

#[test]
fn a_question_takes_so_many_photos_and_what_is_none_is_refused() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    let taken: Vec<_> = (1..=6).map(|seed| visit.take(seed, 100)).collect();
    let (check, seventh) = (visit.check, jpeg(7, 100));
    let client = &mut visit.tablet.client;
    let refused = client.add_photo(check, &HOUSE, &new(&seventh, &[]));
    assert!(matches!(refused, Err(Error::TooManyPhotos(6))), "{refused:?}");
    client.remove_photo(check, "answer/evidence/house/3").unwrap();
    assert_eq!(client.photo(&taken[2], PhotoPart::Original).unwrap(), None, "its bytes are gone");
    assert!(client.remove_photo(check, "answer/evidence/house/3").is_err());
    client.add_photo(check, &HOUSE, &new(&seventh, &[])).unwrap();
    let keys: Vec<_> = client.photos_of_check(check).unwrap().into_iter().map(|photo| photo.key).collect();
    assert_eq!(keys.len(), 6);
    let largest = jpeg(1, PHOTO_BYTES_MAX);
    let asked = Asked { element: Some("1"), ..HOUSE };
    client.add_photo(check, &asked, &new(&largest, &jpeg(1, THUMBNAIL_BYTES_MAX))).unwrap();
    for (original, thumbnail) in [
        (jpeg(1, PHOTO_BYTES_MAX + 1), Vec::new()),
        (jpeg(1, 100), jpeg(1, THUMBNAIL_BYTES_MAX + 1)),
        (b"<svg/>".to_vec(), Vec::new()),
    ] {
        let refused = client.add_photo(check, &asked, &new(&original, &thumbnail));
        assert!(matches!(refused, Err(Error::Photo(_))), "{refused:?}");
    }
    let text = Asked { question: "note", ..HOUSE };
    assert!(matches!(client.add_photo(check, &text, &new(&seventh, &[])), Err(Error::UnknownQuestion(_))));
}

#[test]
fn the_same_picture_twice_is_one_photo_and_stays_until_neither_names_it() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    let (one, same) = (visit.take(1, 100), visit.take(1, 100));
    assert_eq!(one, same);
    let (check, client) = (visit.check, &mut visit.tablet.client);
    client.remove_photo(check, "answer/evidence/house/1").unwrap();
    assert!(client.photo(&one, PhotoPart::Original).unwrap().is_some());
    client.remove_photo(check, "answer/evidence/house/2").unwrap();
    assert_eq!(client.photo(&one, PhotoPart::Original).unwrap(), None);
}

#[test]
fn a_signature_is_kept_the_same_way_and_a_second_one_takes_its_place() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    let (check, client) = (visit.check, &mut visit.tablet.client);
    let png = |byte| [b"\x89PNG\r\n\x1a\n".as_slice(), &[byte]].concat();
    let asked = Asked { question: "household_confirm", ..HOUSE };
    let first = client.add_photo(check, &asked, &new(&png(1), &[])).unwrap();
    let second = client.add_photo(check, &asked, &new(&png(2), &[])).unwrap();
    let listed = client.photos_of_check(check).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].address, listed[0].kind), (second, Some(PhotoKind::Signature)));
    assert_eq!(listed[0].key, "household_confirm/image");
    assert_eq!(client.photo(&first, PhotoPart::Original).unwrap(), None, "nothing names the first any more");
}

#[test]
fn a_photo_of_a_question_that_does_not_apply_goes_nowhere() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    let address = visit.take(1, 100);
    // No hazard was seen after all: the question of their photos does not apply.
    visit.submit_with_sign("none");
    assert_eq!(visit.tablet.client.photo(&address, PhotoPart::Original).unwrap(), None);
    visit.tablet.sync(&server);
    assert_eq!(visit.send(&server).requests, 0);
}

#[test]
fn a_cut_costs_at_most_the_piece_in_flight() {
    for fault in [Fault::SwallowsTheRequest, Fault::LosesTheAnswer, Fault::CutsAfter(3), Fault::IsAPortal] {
        for place in 0..6 {
            let server = FakeServer::new();
            let mut visit = Visit::begun(&server);
            let address = visit.take(1, 4 * PHOTO_PIECE_BYTES);
            visit.submit();
            visit.tablet.sync(&server);
            let fine = std::iter::repeat_n(Fault::TellsTheTruth, place);
            server.faults(&fine.chain([fault]).collect::<Vec<_>>());
            let report = visit.send(&server);
            assert_eq!(report.outcome, PhotoOutcome::Complete, "{fault:?} at {place}");
            let came = server.photo_came(&address);
            let twice = report.sent_bytes - came.bytes.len() as u64;
            assert!(came.whole && twice <= PHOTO_PIECE_BYTES as u64, "{fault:?} at {place}: {twice}");
            if fault != Fault::SwallowsTheRequest && fault != Fault::IsAPortal {
                assert_eq!(twice, 0, "{fault:?} at {place}: the server had it");
            }
            assert_eq!(report.progress.bytes, came.bytes.len() as u64);
        }
    }
}

#[test]
fn pieces_shrink_while_they_do_not_get_through_and_grow_again() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    visit.take(1, 12 * PHOTO_PIECE_BYTES);
    visit.submit();
    visit.tablet.sync(&server);
    // The question, then four times a piece that is swallowed and a question that is answered.
    let bad = [Fault::SwallowsTheRequest, Fault::TellsTheTruth].repeat(4);
    server.faults(&[&[Fault::TellsTheTruth][..], &bad].concat());
    assert_eq!(visit.send(&server).outcome, PhotoOutcome::Complete);
    let pieces = server.pieces();
    let least = PHOTO_PIECE_BYTES_MIN;
    let grown = [least, 2 * least, 4 * least, 8 * least].map(|piece| [piece; 4]).concat();
    assert_eq!(pieces[..16], grown);
    assert!(pieces[16..pieces.len() - 1].iter().all(|piece| *piece == PHOTO_PIECE_BYTES));
}

#[test]
fn a_link_that_fails_once_for_every_photo_still_brings_them_all() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    let sign = Asked { question: "visitor_signs", ..HOUSE };
    for seed in 1..=8 {
        visit.tablet.client.add_photo(visit.check, &sign, &new(&jpeg(seed, 100), &[])).unwrap();
    }
    for seed in 1..=6 {
        visit.take(seed, 100);
    }
    visit.submit();
    visit.tablet.sync(&server);
    // Of each photo: the question is answered, the piece is swallowed, and both go well then.
    let each = [Fault::TellsTheTruth, Fault::SwallowsTheRequest, Fault::TellsTheTruth, Fault::TellsTheTruth];
    server.faults(&each.repeat(14));
    let report = visit.send(&server);
    assert_eq!(report.outcome, PhotoOutcome::Complete);
    assert_eq!((report.progress.received, report.failures), (14, 14));
    assert!(server.has_no_faults_left());
}

#[test]
fn a_link_that_is_gone_ends_the_run_and_the_next_one_goes_on() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    visit.take(1, 3 * PHOTO_PIECE_BYTES);
    visit.submit();
    visit.tablet.sync(&server);
    server.faults(&[&[Fault::TellsTheTruth; 2][..], &[Fault::IsDown; 20]].concat());
    let report = visit.send(&server);
    assert_eq!(report.outcome, PhotoOutcome::Interrupted(TransportError::Unreachable));
    assert_eq!(server.pieces(), [PHOTO_PIECE_BYTES]);
    assert!(
        matches!(visit.listed()[0].state, PhotoState::Waiting { sent, .. } if sent == PHOTO_PIECE_BYTES as u64)
    );
    server.faults(&[]);
    let mut visit = Visit { tablet: visit.tablet.restarted(), ..visit };
    let again = visit.send(&server);
    assert_eq!(again.outcome, PhotoOutcome::Complete);
    assert_eq!(again.progress.bytes, again.progress.bytes_to_send);
    assert_eq!(again.sent_bytes, again.progress.bytes, "nothing twice");
}

#[test]
fn whoever_wants_it_to_stop_is_heard_before_the_next_piece() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    visit.take(1, 3 * PHOTO_PIECE_BYTES);
    visit.submit();
    visit.tablet.sync(&server);
    let asked = std::cell::Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 2
    };
    let report = now(visit.tablet.client.send_photos(&server, &mut |_| {}, &stop)).unwrap();
    assert_eq!(report.outcome, PhotoOutcome::Stopped);
    assert_eq!(server.pieces(), [PHOTO_PIECE_BYTES]);
    assert_eq!(visit.send(&server).outcome, PhotoOutcome::Complete);
}

#[test]
fn what_the_server_does_not_take_is_named_and_the_rest_goes_on_or_waits() {
    let refused = |status, code| {
        let server = FakeServer::new();
        let mut visit = Visit::begun(&server);
        visit.take(1, 100);
        visit.take(2, 100);
        visit.submit();
        visit.tablet.sync(&server);
        server.vice(|state| state.refuses_photos = Some((status, code)));
        let report = visit.send(&server);
        server.vice(|state| state.refuses_photos = None);
        assert_eq!(visit.send(&server).outcome, PhotoOutcome::Complete, "nothing is given up for good");
        report
    };
    let each = refused(403, "village_not_granted");
    assert_eq!((&each.outcome, each.refused.len()), (&PhotoOutcome::Complete, 2));
    for (status, code) in
        [(429, "photo_day_full"), (507, "disk_full"), (403, "device_revoked"), (503, "photos_unavailable")]
    {
        let later = refused(status, code);
        assert_eq!(later.outcome, PhotoOutcome::Later { code: code.to_owned() });
        assert_eq!((later.requests, later.refused.len()), (1, 0));
    }
}

#[test]
fn bytes_that_arrive_as_others_are_sent_once_more_and_then_left() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    let spoilt = visit.take(1, 100);
    visit.submit();
    visit.tablet.sync(&server);
    server.vice(|state| state.spoils_photos = true);
    let report = visit.send(&server);
    assert_eq!(report.outcome, PhotoOutcome::Complete);
    assert_eq!(report.refused, [(spoilt, "photo_hash_differs".to_owned())]);
    server.vice(|state| state.spoils_photos = false);
    assert_eq!(visit.send(&server).progress.received, 1);
}

#[test]
fn another_device_sees_what_is_named_and_fetches_it_when_somebody_looks() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    let large = visit.take(1, 9 * PHOTO_PIECE_BYTES);
    visit.submit();
    visit.tablet.sync(&server);
    let mut other = Tablet::enrolled(&server, 2);
    other.sync(&server);
    let listed = other.client.photos(visit.household).unwrap();
    assert_eq!((listed[0].address, listed[0].state), (large, PhotoState::Others { here: false }));
    let fetch =
        |other: &mut Tablet, part| now(other.client.fetch_photo(&server, visit.household, &large, part));
    let early = fetch(&mut other, PhotoPart::Thumbnail);
    assert!(matches!(early, Err(Error::Refused { status: 404, .. })), "it is not there yet: {early:?}");
    now(visit.tablet.client.send_photos(&server, &mut |_| {}, &|| false)).unwrap();

    assert_eq!(fetch(&mut other, PhotoPart::Thumbnail).unwrap(), jpeg(1, 40));
    let listed = other.client.photos(visit.household).unwrap();
    assert_eq!((listed[0].taken_ms, listed[0].state), (Some(TAKEN_MS), PhotoState::Others { here: false }));
    assert_eq!(other.client.photo(&large, PhotoPart::Thumbnail).unwrap(), Some(jpeg(1, 40)));
    assert_eq!(other.client.photo(&large, PhotoPart::Original).unwrap(), None);
    server.asked();
    assert_eq!(fetch(&mut other, PhotoPart::Thumbnail).unwrap(), jpeg(1, 40));
    assert!(server.asked().is_empty(), "what is here is not asked for");
    assert_eq!(fetch(&mut other, PhotoPart::Original).unwrap(), jpeg(1, 9 * PHOTO_PIECE_BYTES));
    assert_eq!(other.client.photos(visit.household).unwrap()[0].state, PhotoState::Others { here: true });
    let run = now(other.client.send_photos(&server, &mut |_| {}, &|| false)).unwrap();
    assert_eq!(run.requests, 0, "nobody sends what others took");
}

#[test]
fn a_damaged_photo_is_not_shown_and_is_fetched_again() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    let address = visit.take(1, 2_000);
    visit.submit();
    visit.tablet.sync(&server);
    visit.send(&server);
    let mut other = Tablet::enrolled(&server, 2);
    other.sync(&server);
    let whole = server.photo_came(&address).bytes;
    for place in (0..whole.len()).step_by(97) {
        server.vice(|state| state.photos.get_mut(&address).unwrap().bytes[place] ^= 16);
        let fetched = now(other.client.fetch_photo(&server, visit.household, &address, PhotoPart::Original));
        assert!(fetched.is_err(), "a bit of byte {place}");
        server.vice(|state| state.photos.get_mut(&address).unwrap().bytes[place] ^= 16);
    }
    let fetched = now(other.client.fetch_photo(&server, visit.household, &address, PhotoPart::Original));
    assert_eq!(fetched.unwrap(), jpeg(1, 2_000));
    let differs = Error::from(PhotoError::Differs);
    assert_eq!(differs.to_string(), "the bytes are not the photo of this name");
}

#[test]
fn a_full_disk_refuses_photos_first_and_text_last() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server);
    visit.take(1, 300_000);
    let pages: i64 =
        visit.tablet.client.store.read().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |pages: i64| {
        let connection = visit.tablet.client.store.read();
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    limit(pages);
    let (check, another) = (visit.check, jpeg(2, 300_000));
    let client = &mut visit.tablet.client;
    let refused = client.add_photo(check, &HOUSE, &new(&another, &[]));
    assert!(matches!(refused, Err(Error::DiskFull)), "{refused:?}");
    assert_eq!(client.photos_of_check(check).unwrap().len(), 1, "nothing of it was kept");
    let note = "卧室西墙有裂缝，雨天漏水。".repeat(20);
    for _ in 0..20 {
        let asked = Asked { question: "note", ..HOUSE };
        let input = ruhu_survey::household::Input::Text(note.clone());
        client.answer_question(check, &asked, &input, &Default::default()).unwrap();
    }
    visit.submit();
    visit.tablet.client.photos_of_check(check).unwrap();
}
