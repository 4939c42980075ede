//! What every store must do about photos.

use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_survey::photo::PhotoAddress;

use super::Store;
use super::photos::{OnItsWay, PhotoCount, Piece, Upload};
use super::world::{LONGTAN, MORNING_MS, SHUANGYUN};
use crate::limits::{PHOTO_UNFINISHED_MS, PHOTOS_UNFINISHED_PER_DEVICE_MAX};

suite! {
    pieces_follow_one_another_and_come_out_as_they_went_in
    a_piece_that_does_not_follow_changes_nothing
    another_total_begins_anew_and_only_at_the_beginning
    two_devices_send_one_photo_beside_each_other
    a_device_may_have_so_many_unfinished_photos_and_another_takes_the_place_of_the_oldest
    an_unfinished_photo_is_kept_to_its_last_millisecond_and_not_after
    what_is_whole_is_counted_once_and_for_its_first_sender
}

fn upload(device: u8, photo: u8) -> Upload {
    let device = DeviceId::from_bytes([device; 16]);
    Upload { device, village: LONGTAN, address: PhotoAddress([photo; 32]) }
}

fn add(store: &dyn Store, upload: &Upload, at: u64, bytes: &[u8], now_ms: i64) -> u64 {
    store.photo_add(upload, 10, Piece { at, bytes }, now_ms).unwrap()
}

fn held(store: &dyn Store, upload: &Upload, now_ms: i64) -> u64 {
    store.photo_held(upload, now_ms).unwrap().map_or(0, |held| held.bytes)
}

fn pieces_follow_one_another_and_come_out_as_they_went_in(store: &dyn Store) {
    let photo = upload(1, 1);
    assert_eq!(store.photo_held(&photo, MORNING_MS).unwrap(), None);
    assert_eq!(add(store, &photo, 0, b"abcd", MORNING_MS), 4);
    assert_eq!(add(store, &photo, 4, b"ef", MORNING_MS), 6);
    assert_eq!(store.photo_held(&photo, MORNING_MS).unwrap(), Some(OnItsWay { total: 10, bytes: 6 }));
    assert_eq!(store.photo_pieces(&photo).unwrap(), b"abcdef");
    store.photo_drop(&photo).unwrap();
    assert_eq!(held(store, &photo, MORNING_MS), 0);
    assert_eq!(store.photo_pieces(&photo).unwrap(), b"");
}

fn a_piece_that_does_not_follow_changes_nothing(store: &dyn Store) {
    let photo = upload(1, 1);
    assert_eq!(add(store, &photo, 4, b"ef", MORNING_MS), 0, "nothing is before it");
    add(store, &photo, 0, b"abcd", MORNING_MS);
    assert_eq!(add(store, &photo, 0, b"xy", MORNING_MS), 4, "it was there already");
    assert_eq!(add(store, &photo, 5, b"xy", MORNING_MS), 4, "a gap is before it");
    assert_eq!(store.photo_pieces(&photo).unwrap(), b"abcd");
}

fn another_total_begins_anew_and_only_at_the_beginning(store: &dyn Store) {
    let photo = upload(1, 1);
    add(store, &photo, 0, b"abcd", MORNING_MS);
    let piece = |at, bytes| store.photo_add(&photo, 8, Piece { at, bytes }, MORNING_MS).unwrap();
    assert_eq!(piece(4, b"ef"), 0);
    assert_eq!(store.photo_pieces(&photo).unwrap(), b"abcd");
    assert_eq!(piece(0, b"xy"), 2);
    assert_eq!(store.photo_held(&photo, MORNING_MS).unwrap(), Some(OnItsWay { total: 8, bytes: 2 }));
    assert_eq!(store.photo_pieces(&photo).unwrap(), b"xy");
}

fn two_devices_send_one_photo_beside_each_other(store: &dyn Store) {
    let (one, other) = (upload(1, 1), upload(2, 1));
    add(store, &one, 0, b"abcd", MORNING_MS);
    add(store, &other, 0, b"ab", MORNING_MS);
    assert_eq!((held(store, &one, MORNING_MS), held(store, &other, MORNING_MS)), (4, 2));
    store.photo_received(&one, 10, MORNING_MS).unwrap();
    assert_eq!((held(store, &one, MORNING_MS), held(store, &other, MORNING_MS)), (0, 2));
}

fn a_device_may_have_so_many_unfinished_photos_and_another_takes_the_place_of_the_oldest(store: &dyn Store) {
    let most = u8::try_from(PHOTOS_UNFINISHED_PER_DEVICE_MAX).unwrap();
    let neighbour = upload(2, 1);
    add(store, &neighbour, 0, b"a", MORNING_MS);
    for photo in 1..=most {
        add(store, &upload(1, photo), 0, b"ab", MORNING_MS + i64::from(photo));
    }
    let now_ms = MORNING_MS + 100;
    assert!((1..=most).all(|photo| held(store, &upload(1, photo), now_ms) == 2));
    // The first has moved since, so the second is the one that stood still longest.
    add(store, &upload(1, 1), 2, b"c", now_ms);
    add(store, &upload(1, most + 1), 0, b"ab", now_ms);
    assert_eq!(held(store, &upload(1, 1), now_ms), 3);
    assert_eq!(held(store, &upload(1, 2), now_ms), 0);
    assert!((3..=most + 1).all(|photo| held(store, &upload(1, photo), now_ms) == 2));
    assert_eq!(held(store, &neighbour, now_ms), 1);
}

fn an_unfinished_photo_is_kept_to_its_last_millisecond_and_not_after(store: &dyn Store) {
    let photo = upload(1, 1);
    add(store, &photo, 0, b"abcd", MORNING_MS);
    let last_ms = MORNING_MS + PHOTO_UNFINISHED_MS - 1;
    assert_eq!(held(store, &photo, last_ms), 4);
    assert_eq!(held(store, &photo, last_ms + 1), 0);
    assert_eq!(add(store, &photo, 0, b"xy", last_ms + 1), 2, "it begins anew");
    assert_eq!(store.photo_pieces(&photo).unwrap(), b"xy");
}

fn what_is_whole_is_counted_once_and_for_its_first_sender(store: &dyn Store) {
    let (one, other) = (upload(1, 1), upload(2, 1));
    store.photo_received(&one, 10, MORNING_MS).unwrap();
    store.photo_received(&other, 10, MORNING_MS + 1).unwrap();
    let elsewhere = Upload { village: SHUANGYUN, ..one };
    store.photo_received(&elsewhere, 10, MORNING_MS + 2).unwrap();
    assert_eq!(store.photo(LONGTAN, &one.address).unwrap(), Some(10));
    assert_eq!(store.photo(VillageId::from_bytes([9; 16]), &one.address).unwrap(), None);
    assert_eq!(store.photo_count().unwrap(), PhotoCount { photos: 2, bytes: 20 });
    assert_eq!(store.photos().unwrap().len(), 2);
    let since = |device: &Upload, since_ms| store.photo_bytes_since(device.device, since_ms).unwrap();
    assert_eq!(
        (since(&one, MORNING_MS - 1), since(&one, MORNING_MS), since(&one, MORNING_MS + 2)),
        (20, 10, 0)
    );
    assert_eq!(since(&other, 0), 0);
}
