//! Photos come in piece by piece, from devices that may send them, and out again as they were.

use axum::body::Body;
use ruhu_ledger::certificate::CertificateKind;
use ruhu_survey::photo::{FILE_BYTES_MAX, PhotoAddress};
use ruhu_survey::role::Role;
use ruhu_sync::limits::{PHOTO_ANSWER_BYTES, PHOTO_PIECE_BYTES, PHOTO_PIECE_BYTES_MAX};
use ruhu_sync::photo::{held_path, piece_path, read_path};

use super::fixture::{Answer, Fixture, LONGTAN_CODE, config, signed};
use crate::limits::PHOTO_COUNTED_MS;
use crate::photos::PhotoShelf;
use crate::store::PhotoStore as _;
use crate::store::photos::PhotoCount;
use crate::store::world::{LONGTAN, SHUANGYUN, Tablet};

/// Bytes that stand for a sealed photo: the server looks into none.
fn file(seed: u8, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| seed.wrapping_add(u8::try_from(at % 253).unwrap())).collect()
}

/// Sends a piece of a file as if it had this name.
async fn piece_of(
    fixture: &Fixture,
    tablet: &Tablet,
    photo: &PhotoAddress,
    (at, of): (usize, usize),
    bytes: &[u8],
) -> Answer {
    let path = piece_path(LONGTAN, photo, at as u64, of as u64);
    let request = signed("POST", &path, &fixture.nonce(), tablet, bytes);
    fixture.send(request.body(Body::from(bytes.to_vec())).unwrap()).await
}

async fn piece(fixture: &Fixture, tablet: &Tablet, file: &[u8], at: usize, end: usize) -> Answer {
    piece_of(fixture, tablet, &PhotoAddress::of(file), (at, file.len()), &file[at..end]).await
}

/// Sends what the server does not hold; how many pieces that took.
async fn send(fixture: &Fixture, tablet: &Tablet, file: &[u8]) -> usize {
    let mut sent = 0;
    loop {
        let (bytes, whole) = held(fixture, tablet, file).await;
        if whole {
            return sent;
        }
        let end = file.len().min(bytes + PHOTO_PIECE_BYTES);
        let answer = piece(fixture, tablet, file, bytes, end).await;
        assert_eq!(said(&answer), (end, end == file.len()));
        sent += 1;
    }
}

fn said(answer: &Answer) -> (usize, bool) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let said = answer.json();
    (usize::try_from(said["bytes"].as_u64().unwrap()).unwrap(), said["whole"].as_bool().unwrap())
}

async fn held(fixture: &Fixture, tablet: &Tablet, file: &[u8]) -> (usize, bool) {
    // No nonce is asked for: a device that was cut has none.
    let request = signed("GET", &held_path(LONGTAN, &PhotoAddress::of(file)), "", tablet, &[]);
    said(&fixture.send(request.body(Body::empty()).unwrap()).await)
}

async fn read(fixture: &Fixture, tablet: &Tablet, file: &[u8], from: usize, most: usize) -> Answer {
    let path = read_path(LONGTAN, &PhotoAddress::of(file), from as u64, most as u64);
    fixture.get_as(&path, tablet).await
}

#[tokio::test]
async fn a_photo_comes_in_pieces_and_out_as_it_was() {
    let fixture = Fixture::new();
    let (tablet, other) = (fixture.world().tablet(10), fixture.world().tablet(11));
    let photo = file(1, 3 * PHOTO_PIECE_BYTES + 5);
    assert_eq!(read(&fixture, &tablet, &photo, 0, 10).await.code(), (404, "not_found".to_owned()));
    assert_eq!(send(&fixture, &tablet, &photo).await, 4);
    assert_eq!(send(&fixture, &tablet, &photo).await, 0, "it is held: nothing is sent again");
    assert_eq!(send(&fixture, &other, &photo).await, 0, "nor by anybody else");
    assert_eq!(read(&fixture, &other, &photo, 0, 100).await.body, photo[..100]);
    assert_eq!(read(&fixture, &other, &photo, 70_000, photo.len()).await.body, photo[70_000..]);
    assert_eq!(read(&fixture, &other, &photo, photo.len(), 1).await.body, b""[..]);
    let supervisor = fixture.token("县督查", Role::Supervisor, &[LONGTAN_CODE]);
    let path = read_path(LONGTAN, &PhotoAddress::of(&photo), 0, 10);
    assert_eq!(fixture.get(&path, &supervisor).await.body, photo[..10]);
    assert_eq!(fixture.store.photo_count().unwrap(), PhotoCount { photos: 1, bytes: photo.len() as u64 });
}

#[tokio::test]
async fn one_answer_gives_so_many_bytes_and_no_more() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let most = usize::try_from(PHOTO_ANSWER_BYTES).unwrap();
    let photo = file(1, most + 1);
    send(&fixture, &tablet, &photo).await;
    assert_eq!(read(&fixture, &tablet, &photo, 0, most).await.body.len(), most);
    assert_eq!(read(&fixture, &tablet, &photo, 0, most + 1).await.body.len(), most);
    assert_eq!(read(&fixture, &tablet, &photo, most, usize::MAX).await.body, photo[most..]);
}

#[tokio::test]
async fn a_piece_of_a_photo_that_was_cut_is_not_lost_with_a_restart() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let photo = file(1, 2 * PHOTO_PIECE_BYTES);
    piece(&fixture, &tablet, &photo, 0, PHOTO_PIECE_BYTES).await;
    let fixture = fixture.restarted();
    assert_eq!(held(&fixture, &tablet, &photo).await, (PHOTO_PIECE_BYTES, false));
    assert_eq!(send(&fixture, &tablet, &photo).await, 1);
}

#[tokio::test]
async fn a_piece_that_does_not_follow_is_refused_and_a_repeated_last_one_is_not() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let photo = file(1, 100);
    let misplaced = (409, "photo_piece_misplaced".to_owned());
    assert_eq!(piece(&fixture, &tablet, &photo, 40, 100).await.code(), misplaced);
    assert_eq!(said(&piece(&fixture, &tablet, &photo, 0, 40).await), (40, false));
    assert_eq!(piece(&fixture, &tablet, &photo, 0, 40).await.code(), misplaced);
    assert_eq!(piece(&fixture, &tablet, &photo, 50, 100).await.code(), misplaced);
    assert_eq!(said(&piece(&fixture, &tablet, &photo, 40, 100).await), (100, true));
    // Its answer was lost: the device sends it again.
    assert_eq!(said(&piece(&fixture, &tablet, &photo, 40, 100).await), (100, true));
}

#[tokio::test]
async fn bytes_of_another_name_are_refused_and_dropped() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let mut photo = file(1, 2_000);
    let name = PhotoAddress::of(&photo);
    let whole = (0, photo.len());
    let differs = (422, "photo_hash_differs".to_owned());
    for flipped in [0, 999, 1_999] {
        photo[flipped] ^= 4;
        assert_eq!(piece_of(&fixture, &tablet, &name, (0, 2_000), &photo[..1_000]).await.status, 200);
        let last = piece_of(&fixture, &tablet, &name, (1_000, 2_000), &photo[1_000..]).await;
        assert_eq!(last.code(), differs, "bit in byte {flipped}");
        assert_eq!(piece_of(&fixture, &tablet, &name, whole, &photo).await.code(), differs);
        photo[flipped] ^= 4;
        assert_eq!(held(&fixture, &tablet, &photo).await, (0, false));
    }
    assert_eq!(fixture.store.photo_count().unwrap(), PhotoCount::default());
    assert_eq!(send(&fixture, &tablet, &photo).await, 1);
}

#[tokio::test]
async fn who_does_not_work_in_the_village_sends_and_reads_nothing() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let photo = file(1, 100);
    send(&fixture, &tablet, &photo).await;
    let stranger = fixture.world().enrol(61, &[SHUANGYUN], CertificateKind::Device);
    let held_there = held_path(LONGTAN, &PhotoAddress::of(&photo));
    for answer in [
        piece(&fixture, &stranger, &file(2, 100), 0, 100).await,
        read(&fixture, &stranger, &photo, 0, 100).await,
        fixture.get_as(&held_there, &stranger).await,
    ] {
        assert_eq!(answer.code(), (403, "village_not_granted".to_owned()));
    }
    let provisional = fixture.world().enrol(62, &[LONGTAN], CertificateKind::Provisional);
    assert_eq!(piece(&fixture, &provisional, &photo, 0, 100).await.code().1, "device_provisional");
    fixture.world().revoke(tablet.device());
    assert_eq!(piece(&fixture, &tablet, &photo, 0, 100).await.code().1, "device_revoked");
    assert_eq!(fixture.get_as(&held_there, &tablet).await.code().1, "device_revoked");
    let person = fixture.token("队员", Role::WorkTeam, &[LONGTAN_CODE]);
    assert_eq!(fixture.get(&held_there, &person).await.code().1, "identity_missing");
}

#[tokio::test]
async fn a_piece_and_a_photo_have_their_limits() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let (largest, name) = (file(1, PHOTO_PIECE_BYTES_MAX + 1), PhotoAddress::of(b"another"));
    let of = |of: usize, bytes: usize| piece_of(&fixture, &tablet, &name, (0, of), &largest[..bytes]);
    assert_eq!(said(&of(FILE_BYTES_MAX, PHOTO_PIECE_BYTES_MAX).await), (PHOTO_PIECE_BYTES_MAX, false));
    assert_eq!(
        of(FILE_BYTES_MAX, PHOTO_PIECE_BYTES_MAX + 1).await.code(),
        (413, "body_too_large".to_owned())
    );
    assert_eq!(of(FILE_BYTES_MAX + 1, 1).await.code(), (413, "body_too_large".to_owned()));
    let invalid = (400, "parameter_invalid".to_owned());
    assert_eq!(of(FILE_BYTES_MAX, 0).await.code(), invalid, "an empty piece");
    assert_eq!(of(9, 10).await.code(), invalid, "a piece beyond the end");
    assert_eq!(
        piece_of(&fixture, &tablet, &name, (usize::MAX, 100), b"x").await.code(),
        invalid,
        "a place beyond all numbers"
    );
    let path = format!("/v1/villages/{LONGTAN}/photos/{}", "A".repeat(64));
    assert_eq!(fixture.get_as(&path, &tablet).await.code(), invalid);
}

#[tokio::test]
async fn a_device_may_send_so_many_bytes_a_day_and_the_rest_tomorrow() {
    let mut settings = config();
    settings.limits.photo_bytes_per_day_max = 250;
    let fixture = Fixture::with(&settings);
    let (tablet, other) = (fixture.world().tablet(10), fixture.world().tablet(11));
    for seed in [1, 2] {
        send(&fixture, &tablet, &file(seed, 100)).await;
    }
    let full = piece(&fixture, &tablet, &file(3, 51), 0, 51).await;
    assert_eq!(full.code(), (429, "photo_day_full".to_owned()));
    assert_eq!(full.headers["retry-after"], "3600");
    assert_eq!(send(&fixture, &tablet, &file(4, 50)).await, 1, "what fits is taken");
    assert_eq!(send(&fixture, &other, &file(3, 51)).await, 1, "another device has a day of its own");
    fixture.clock.forward(PHOTO_COUNTED_MS - 1);
    assert_eq!(piece(&fixture, &tablet, &file(5, 1), 0, 1).await.code().1, "photo_day_full");
    fixture.clock.forward(1);
    assert_eq!(send(&fixture, &tablet, &file(5, 100)).await, 1);
}

/// After a restore without the files the database remembers what the shelf has not.
#[tokio::test]
async fn a_photo_whose_file_is_gone_is_asked_for_again() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let photo = file(1, 100);
    send(&fixture, &tablet, &photo).await;
    let fixture = fixture.with_photos(PhotoShelf::in_memory());
    assert_eq!(held(&fixture, &tablet, &photo).await, (0, false));
    assert_eq!(read(&fixture, &tablet, &photo, 0, 10).await.code(), (404, "not_found".to_owned()));
    assert_eq!(send(&fixture, &tablet, &photo).await, 1);
    assert_eq!(read(&fixture, &tablet, &photo, 0, 10).await.body, photo[..10]);
}
