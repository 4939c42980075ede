//! Opening, locking and setting aside, with every way a file can be wrong.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::env::by_hand::HandEnvironment;
use crate::key_file::TEST_COST;

const PASSPHRASE: &str = "老樟树下的澧水河边";
const OTHER: &str = "another passphrase";

fn passphrase() -> String {
    format!("{PASSPHRASE}!")
}

fn created() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = Store::create(folder.path(), &passphrase(), TEST_COST, &HandEnvironment::new(1)).unwrap();
    (folder, store)
}

fn opened(folder: &Path) -> Result<Store, Error> {
    Store::open(folder, &passphrase(), &HandEnvironment::new(1)).map(|(store, _)| store)
}

fn keep(store: &Store, text: &[u8]) {
    meta::set(store.read(), meta::Fact::ServerUrl, text).unwrap();
}

fn kept(store: &Store) -> Option<Vec<u8>> {
    meta::get(store.read(), meta::Fact::ServerUrl).unwrap()
}

#[test]
fn what_is_kept_is_there_after_opening_again() {
    let (folder, store) = created();
    keep(&store, b"https://ruhu.example.cn");
    drop(store);
    assert_eq!(kept(&opened(folder.path()).unwrap()).unwrap(), b"https://ruhu.example.cn");
}

#[test]
fn a_second_store_is_not_made_over_the_first() {
    let (folder, store) = created();
    drop(store);
    let again = Store::create(folder.path(), &passphrase(), TEST_COST, &HandEnvironment::new(2));
    assert!(matches!(again, Err(Error::StoreExists(_))));
    assert!(opened(folder.path()).is_ok());
}

#[test]
fn an_empty_folder_holds_no_store() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(opened(folder.path()), Err(Error::StoreMissing(_))));
}

#[test]
fn a_wrong_passphrase_is_named() {
    let (folder, store) = created();
    drop(store);
    assert!(matches!(
        Store::open(folder.path(), OTHER, &HandEnvironment::new(1)),
        Err(Error::WrongPassphrase)
    ));
}

#[test]
fn a_database_copied_without_its_key_is_named() {
    let (folder, store) = created();
    drop(store);
    let copy = TempDir::new().unwrap();
    fs::copy(folder.path().join("ruhu.db"), copy.path().join("ruhu.db")).unwrap();
    assert!(matches!(opened(copy.path()), Err(Error::KeyFileMissing(_))));
}

#[test]
fn a_database_beside_another_stores_key_is_named() {
    let (folder, store) = created();
    drop(store);
    let other = TempDir::new().unwrap();
    drop(Store::create(other.path(), &passphrase(), TEST_COST, &HandEnvironment::new(9)).unwrap());
    fs::copy(folder.path().join("ruhu.db"), other.path().join("ruhu.db")).unwrap();
    assert!(matches!(opened(other.path()), Err(Error::DatabaseOfAnotherKey(_))));
}

#[test]
fn a_key_file_without_its_database_is_named() {
    let (folder, store) = created();
    drop(store);
    fs::rename(folder.path().join("ruhu.db"), folder.path().join("elsewhere.db")).unwrap();
    assert!(matches!(opened(folder.path()), Err(Error::DatabaseMissing(_))));
}

#[test]
fn a_damaged_key_file_is_named() {
    let (folder, store) = created();
    drop(store);
    let path = folder.path().join("ruhu.key");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(opened(folder.path()), Err(Error::KeyFileDamaged(_))));
    fs::write(&path, b"").unwrap();
    assert!(matches!(opened(folder.path()), Err(Error::KeyFileDamaged(_))));
}

#[test]
fn a_database_cut_off_anywhere_is_named_and_left_as_it_is() {
    let (folder, store) = created();
    keep(&store, &[7; 20_000]);
    drop(store);
    let path = folder.path().join("ruhu.db");
    let bytes = fs::read(&path).unwrap();
    for length in [0, 15, 16, 4095, 4096, 8192, bytes.len() / 2, bytes.len() - 4096, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        let refused = opened(folder.path());
        assert!(matches!(refused, Err(Error::DatabaseDamaged(_))), "length {length}: {refused:?}");
        assert_eq!(fs::read(&path).unwrap(), &bytes[..length], "length {length}");
    }
}

#[test]
fn one_flipped_bit_in_any_page_is_found_at_opening() {
    let (folder, store) = created();
    keep(&store, &[7; 20_000]);
    drop(store);
    let path = folder.path().join("ruhu.db");
    let bytes = fs::read(&path).unwrap();
    for page in 0..bytes.len() / 4096 {
        let mut flipped = bytes.clone();
        flipped[page * 4096 + 1000] ^= 1;
        fs::write(&path, &flipped).unwrap();
        let refused = opened(folder.path());
        assert!(matches!(refused, Err(Error::DatabaseDamaged(_))), "page {page}: {refused:?}");
    }
    fs::write(&path, &bytes).unwrap();
    assert!(opened(folder.path()).is_ok());
}

#[test]
fn a_newer_database_is_refused_and_set_aside_only_when_asked() {
    let (folder, store) = created();
    store.read().pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let before = fs::read(folder.path().join("ruhu.db")).unwrap();
    assert!(matches!(opened(folder.path()), Err(Error::DatabaseNewer { found: 99, known: 10, .. })));
    assert_eq!(fs::read(folder.path().join("ruhu.db")).unwrap(), before);
    let (store, report) =
        Store::open_aside(folder.path(), OTHER, TEST_COST, &HandEnvironment::new(4)).unwrap();
    assert_eq!(kept(&store), None);
    assert!(report.began_anew);
    assert_eq!(report.aside, [folder.path().join("ruhu.db.aside-1")]);
    assert_eq!(fs::read(&report.aside[0]).unwrap(), before);
    let key = KeyFile::from_bytes(&fs::read(folder.path().join("ruhu.key.aside-1")).unwrap()).unwrap();
    assert!(key.unwrap_key(&passphrase()).is_ok());
}

#[test]
fn a_second_database_set_aside_does_not_replace_the_first() {
    let (folder, store) = created();
    drop(store);
    for number in 2..4 {
        let environment = HandEnvironment::new(number);
        drop(Store::open_aside(folder.path(), &passphrase(), TEST_COST, &environment).unwrap());
    }
    let (_, report) = Store::open(folder.path(), &passphrase(), &HandEnvironment::new(1)).unwrap();
    assert_eq!(report.aside.len(), 2);
    assert!(!report.began_anew);
}

#[test]
fn a_new_passphrase_rewrites_the_key_file_alone() {
    let (folder, store) = created();
    let environment = HandEnvironment::new(5);
    let before = fs::read(folder.path().join("ruhu.db")).unwrap();
    let wrong = store.change_passphrase(OTHER, "a third passphrase", TEST_COST, &environment);
    assert!(matches!(wrong, Err(Error::WrongPassphrase)));
    let short = store.change_passphrase(&passphrase(), "short", TEST_COST, &environment);
    assert!(matches!(short, Err(Error::PassphraseTooShort)));
    store.change_passphrase(&passphrase(), OTHER, TEST_COST, &environment).unwrap();
    assert_eq!(fs::read(folder.path().join("ruhu.db")).unwrap(), before);
    drop(store);
    assert!(matches!(opened(folder.path()), Err(Error::WrongPassphrase)));
    assert!(Store::open(folder.path(), OTHER, &HandEnvironment::new(1)).is_ok());
    assert!(!folder.path().join("ruhu.key.new").exists());
}

#[test]
fn a_creation_cut_off_before_or_after_its_key_was_written_can_be_taken_up() {
    let (folder, store) = created();
    drop(store);
    let (database, unfinished) = (folder.path().join("ruhu.db"), folder.path().join("ruhu.db.new"));
    fs::rename(&database, &unfinished).unwrap();
    assert!(opened(folder.path()).is_ok());
    fs::rename(&database, &unfinished).unwrap();
    fs::remove_file(folder.path().join("ruhu.key")).unwrap();
    let again = Store::create(folder.path(), &passphrase(), TEST_COST, &HandEnvironment::new(6));
    assert!(again.is_ok());
    assert!(folder.path().join("ruhu.db.new.aside-1").exists());
}

#[test]
fn nothing_readable_is_in_any_file_of_the_folder() {
    let (folder, store) = created();
    let markers: Vec<String> = (0..50).map(|number| format!("marker-{number}-439921197603150018")).collect();
    for marker in &markers {
        keep(&store, marker.as_bytes());
    }
    let mut looked_at = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        looked_at += bytes.len();
        for marker in [b"marker-".as_slice(), b"439921197603150018", b"CREATE TABLE", b"SQLite format"] {
            assert!(!bytes.windows(marker.len()).any(|window| window == marker));
        }
    }
    assert!(looked_at > 50_000, "{looked_at}");
}

#[test]
fn the_schema_is_the_committed_one() {
    let (_folder, store) = created();
    let current = ruhu_sqlite::schema_dump(store.read()).unwrap();
    expect_test::expect_file!["../../../schemas/sql/client/current.sql"].assert_eq(&current);
}

#[test]
fn a_document_is_found_by_its_id_without_looking_at_the_others() {
    let (_folder, store) = created();
    let mut statement = store.read().prepare(&format!("EXPLAIN QUERY PLAN {}", document::FIND)).unwrap();
    let plan =
        statement.query_row(rusqlite::params![1, [7_u8; 16]], |row| row.get::<_, String>("detail")).unwrap();
    assert_eq!(plan, "SEARCH document USING INDEX document_id (id=? AND kind=?)");
}

const SECRET: [u8; 32] = [5; 32];

fn with_phone_lock() -> (TempDir, Store) {
    let (folder, store) = created();
    let lock = PhoneLock { credential: vec![0xc4; 16], input: [9; 32] };
    store.set_phone_lock(&passphrase(), lock, &SECRET, &HandEnvironment::new(3)).unwrap();
    (folder, store)
}

fn by_phone(folder: &Path, secret: &[u8; 32]) -> Result<Store, Error> {
    Store::open_by_phone(folder, secret, &HandEnvironment::new(1)).map(|(store, _)| store)
}

#[test]
fn the_phones_lock_opens_the_store_and_the_passphrase_still_does() {
    let (folder, store) = with_phone_lock();
    keep(&store, b"https://ruhu.example.cn");
    drop(store);
    assert_eq!(kept(&by_phone(folder.path(), &SECRET).unwrap()).unwrap(), b"https://ruhu.example.cn");
    assert!(opened(folder.path()).is_ok());
    assert!(matches!(by_phone(folder.path(), &[6; 32]), Err(Error::PhoneLock)));
}

#[test]
fn without_the_passphrase_nobody_opens_that_way() {
    let (folder, store) = created();
    let lock = PhoneLock { credential: vec![0xc4; 16], input: [9; 32] };
    let set = store.set_phone_lock(OTHER, lock, &SECRET, &HandEnvironment::new(3));
    assert!(matches!(set, Err(Error::WrongPassphrase)));
    drop(store);
    assert!(matches!(by_phone(folder.path(), &SECRET), Err(Error::PhoneLock)));
}

#[test]
fn another_passphrase_and_a_person_shut_that_way() {
    let (folder, store) = with_phone_lock();
    store.change_passphrase(&passphrase(), OTHER, TEST_COST, &HandEnvironment::new(4)).unwrap();
    drop(store);
    assert!(matches!(by_phone(folder.path(), &SECRET), Err(Error::PhoneLock)));
    let (folder, store) = with_phone_lock();
    store.remove_phone_lock().unwrap();
    drop(store);
    assert!(matches!(by_phone(folder.path(), &SECRET), Err(Error::PhoneLock)));
    assert!(opened(folder.path()).is_ok());
}

#[test]
fn a_damaged_file_of_the_phones_lock_leaves_the_passphrase() {
    let (folder, store) = with_phone_lock();
    drop(store);
    let path = folder.path().join("ruhu.phone");
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(by_phone(folder.path(), &SECRET), Err(Error::PhoneLock)));
    assert!(opened(folder.path()).is_ok());
}

#[test]
fn the_phones_lock_of_a_store_set_aside_is_none_of_the_new_one() {
    let (folder, store) = with_phone_lock();
    drop(store);
    let anew = Store::open_aside(folder.path(), &passphrase(), TEST_COST, &HandEnvironment::new(5));
    drop(anew.unwrap());
    assert!(matches!(by_phone(folder.path(), &SECRET), Err(Error::PhoneLock)));
    assert!(folder.path().join("ruhu.phone.aside-1").exists());
}
