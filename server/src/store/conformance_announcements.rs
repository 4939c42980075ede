//! What every store must do about announcements.

use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_sync::announce::{Announced, Proof, Told};

use super::Store;
use super::world::{LONGTAN, MORNING_MS, SHUANGYUN, World};

suite! {
    an_announcement_is_numbered_and_told_with_the_servers_time
    a_newer_one_takes_the_place_and_the_next_number
    one_that_was_on_its_way_for_longer_changes_nothing
    a_signed_one_that_comes_again_changes_nothing
    villages_are_numbered_apart
    nothing_announced_is_nothing_told
}

const ONE: DeviceId = DeviceId::from_bytes([1; 16]);
const OTHER: DeviceId = DeviceId::from_bytes([2; 16]);

fn announced(next: u64, checks: u64) -> Announced {
    Announced { next, checks, drafts: 1 }
}

fn told(number: u64, device: DeviceId, announced: Announced, at_ms: i64) -> Told {
    Told { number, device, announced, at_ms }
}

fn announce(store: &dyn Store, device: DeviceId, said: Announced, proof: Proof, now_ms: i64) {
    store.announce(device, &[(LONGTAN, said)], proof, now_ms).unwrap();
}

fn an_announcement_is_numbered_and_told_with_the_servers_time(store: &dyn Store) {
    World::new(store);
    announce(store, ONE, announced(7, 6), Proof::Itself, MORNING_MS);
    announce(store, OTHER, announced(0, 0), Proof::Request, MORNING_MS + 1);
    let expected =
        [told(1, ONE, announced(7, 6), MORNING_MS), told(2, OTHER, announced(0, 0), MORNING_MS + 1)];
    assert_eq!(store.announcements(LONGTAN).unwrap(), expected);
}

fn a_newer_one_takes_the_place_and_the_next_number(store: &dyn Store) {
    World::new(store);
    announce(store, ONE, announced(7, 6), Proof::Itself, MORNING_MS);
    announce(store, OTHER, announced(3, 0), Proof::Request, MORNING_MS + 1);
    announce(store, ONE, announced(7, 0), Proof::Request, MORNING_MS + 2);
    announce(store, ONE, announced(8, 1), Proof::Itself, MORNING_MS + 3);
    let expected =
        [told(2, OTHER, announced(3, 0), MORNING_MS + 1), told(4, ONE, announced(8, 1), MORNING_MS + 3)];
    assert_eq!(store.announcements(LONGTAN).unwrap(), expected);
}

fn one_that_was_on_its_way_for_longer_changes_nothing(store: &dyn Store) {
    World::new(store);
    announce(store, ONE, announced(8, 0), Proof::Request, MORNING_MS);
    for proof in [Proof::Itself, Proof::Request] {
        announce(store, ONE, announced(7, 6), proof, MORNING_MS + 1);
    }
    assert_eq!(store.announcements(LONGTAN).unwrap(), [told(1, ONE, announced(8, 0), MORNING_MS)]);
}

fn a_signed_one_that_comes_again_changes_nothing(store: &dyn Store) {
    World::new(store);
    announce(store, ONE, announced(7, 6), Proof::Itself, MORNING_MS);
    announce(store, ONE, announced(7, 6), Proof::Itself, MORNING_MS + 1);
    assert_eq!(store.announcements(LONGTAN).unwrap(), [told(1, ONE, announced(7, 6), MORNING_MS)]);
}

fn villages_are_numbered_apart(store: &dyn Store) {
    World::new(store);
    let said = [(LONGTAN, announced(7, 6)), (SHUANGYUN, announced(2, 0))];
    store.announce(ONE, &said, Proof::Request, MORNING_MS).unwrap();
    assert_eq!(store.announcements(LONGTAN).unwrap(), [told(1, ONE, announced(7, 6), MORNING_MS)]);
    assert_eq!(store.announcements(SHUANGYUN).unwrap(), [told(1, ONE, announced(2, 0), MORNING_MS)]);
}

fn nothing_announced_is_nothing_told(store: &dyn Store) {
    World::new(store);
    store.announce(ONE, &[], Proof::Request, MORNING_MS).unwrap();
    assert_eq!(store.announcements(LONGTAN).unwrap(), []);
    assert_eq!(store.announcements(VillageId::from_bytes([9; 16])).unwrap(), []);
}
