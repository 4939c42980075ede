//! Opening real files: with and without a key, wrong, damaged, foreign and unreachable ones.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{PAGE_BYTES, Profile, open, open_reader};
use crate::{Key32, Migrations, OpenError, is_corrupt, is_full, migrate, quick_check};

const NOTES: Migrations =
    Migrations(&[("001_note", "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;")]);

fn key(byte: u8) -> Key32 {
    Key32::new([byte; 32])
}

fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ruhu.db");
    (folder, path)
}

/// A file of about sixty pages, closed, its log folded in.
fn written(path: &Path, key: Option<&Key32>) {
    let mut connection = open(path, key, Profile::Device).unwrap();
    migrate(&mut connection, &NOTES).unwrap();
    for _ in 0..300 {
        connection.execute("INSERT INTO note (text) VALUES (?1)", ["屋顶漏雨。".repeat(50)]).unwrap();
    }
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

fn cut(path: &Path, bytes: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

fn refusal(path: &Path, key: Option<&Key32>) -> OpenError {
    let before = fs::read(path).ok();
    let refusal = open(path, key, Profile::Device).unwrap_err();
    assert_eq!(fs::read(path).ok(), before, "a refused file must stay as it was");
    refusal
}

fn text(connection: &Connection, pragma: &str) -> String {
    connection
        .query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, rusqlite::types::Value>(0))
        .map(|value| match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        })
        .unwrap()
}

#[test]
fn what_was_written_with_a_key_is_read_with_that_key_and_is_not_in_the_file_in_clear() {
    let (_folder, path) = place();
    written(&path, Some(&key(1)));
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(15).any(|window| window == "屋顶漏雨。".as_bytes()));
    assert_ne!(bytes.get(..16), Some(b"SQLite format 3\0".as_slice()));
    let connection = open(&path, Some(&key(1)), Profile::Device).unwrap();
    let rows: i64 = connection.query_row("SELECT count(*) FROM note", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 300);
    assert_eq!(quick_check(&connection).unwrap(), Vec::<String>::new());
}

#[test]
fn the_encryption_is_format_4_of_sqlcipher() {
    let (_folder, path) = place();
    let connection = open(&path, Some(&key(1)), Profile::Device).unwrap();
    assert!(text(&connection, "cipher_version").starts_with("4."));
    assert_eq!(text(&connection, "cipher_page_size"), PAGE_BYTES.to_string());
}

#[test]
fn a_plain_file_is_an_ordinary_sqlite_file() {
    let (_folder, path) = place();
    written(&path, None);
    assert_eq!(fs::read(&path).unwrap().get(..16), Some(b"SQLite format 3\0".as_slice()));
    open(&path, None, Profile::Server).unwrap();
}

#[test]
fn the_settings_durability_and_privacy_rest_on_are_in_force() {
    for (profile, key) in [(Profile::Device, Some(key(3))), (Profile::Server, None)] {
        let (_folder, path) = place();
        let connection = open(&path, key.as_ref(), profile).unwrap();
        for (pragma, expected) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("temp_store", "2"),
            ("secure_delete", "1"),
            ("trusted_schema", "0"),
            ("cell_size_check", "1"),
            ("fullfsync", "1"),
            ("checkpoint_fullfsync", "1"),
        ] {
            assert_eq!(text(&connection, pragma), expected, "{pragma} for {profile:?}");
        }
    }
}

#[test]
fn a_misspelt_column_in_double_quotes_is_an_error() {
    let (_folder, path) = place();
    written(&path, None);
    let connection = open(&path, None, Profile::Device).unwrap();
    assert!(connection.prepare("SELECT \"txet\" FROM note").is_err());
}

#[test]
fn another_key_is_a_wrong_key() {
    let (_folder, path) = place();
    written(&path, Some(&key(1)));
    assert!(matches!(refusal(&path, Some(&key(2))), OpenError::WrongKey));
}

#[test]
fn an_encrypted_file_without_a_key_is_not_a_database() {
    let (_folder, path) = place();
    written(&path, Some(&key(1)));
    assert!(matches!(refusal(&path, None), OpenError::NotADatabase));
}

#[test]
fn a_plain_file_with_a_key_is_not_encrypted() {
    let (_folder, path) = place();
    written(&path, None);
    assert!(matches!(refusal(&path, Some(&key(1))), OpenError::NotEncrypted));
}

#[test]
fn a_text_file_is_not_a_database() {
    let (_folder, path) = place();
    fs::write(&path, "户编号,姓名\n".repeat(500)).unwrap();
    assert!(matches!(refusal(&path, None), OpenError::NotADatabase));
}

#[test]
fn a_damaged_first_page_looks_like_a_wrong_key() {
    let (_folder, path) = place();
    written(&path, Some(&key(1)));
    overwrite(&path, 40, &[0xff; 8]);
    assert!(matches!(refusal(&path, Some(&key(1))), OpenError::WrongKey));
}

#[test]
fn zeros_in_place_of_the_first_page_are_damage() {
    let (_folder, path) = place();
    written(&path, Some(&key(1)));
    overwrite(&path, 0, &[0; 4_096]);
    assert!(matches!(refusal(&path, Some(&key(1))), OpenError::Corrupt));
}

#[test]
fn a_file_cut_off_between_pages_is_damage() {
    for key in [Some(key(1)), None] {
        let (_folder, path) = place();
        written(&path, key.as_ref());
        cut(&path, 5 * PAGE_BYTES);
        assert!(matches!(refusal(&path, key.as_ref()), OpenError::Corrupt), "{key:?}");
    }
}

#[test]
fn a_file_cut_off_inside_a_page_is_damage() {
    for key in [Some(key(1)), None] {
        for bytes in [100, 3_000, 5 * PAGE_BYTES + 17] {
            let (_folder, path) = place();
            written(&path, key.as_ref());
            cut(&path, bytes);
            assert!(matches!(refusal(&path, key.as_ref()), OpenError::Corrupt), "{key:?} {bytes}");
        }
    }
}

#[test]
fn a_damaged_later_page_opens_and_is_found_by_the_check() {
    for key in [Some(key(1)), None] {
        let (_folder, path) = place();
        written(&path, key.as_ref());
        overwrite(&path, 20 * PAGE_BYTES, &[0xa5; 4_096]);
        let connection = open(&path, key.as_ref(), Profile::Device).unwrap();
        assert!(!quick_check(&connection).unwrap().is_empty(), "{key:?}");
        let error = connection
            .prepare("SELECT text FROM note")
            .unwrap()
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .find_map(Result::err)
            .unwrap();
        assert!(is_corrupt(&error), "{error:?}");
    }
}

#[test]
fn a_database_of_another_program_is_foreign() {
    let (_folder, path) = place();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE bookmarks (url TEXT);").unwrap();
    assert!(matches!(refusal(&path, None), OpenError::Foreign));
}

#[test]
fn an_empty_file_becomes_a_new_database() {
    let (_folder, path) = place();
    fs::write(&path, []).unwrap();
    written(&path, Some(&key(1)));
    open(&path, Some(&key(1)), Profile::Device).unwrap();
}

#[test]
fn a_missing_folder_and_a_folder_in_place_of_a_file_are_refused_by_the_file_system() {
    let (folder, path) = place();
    assert!(matches!(refusal(&path.join("below.db"), None), OpenError::Io(_)));
    assert!(matches!(refusal(folder.path(), Some(&key(1))), OpenError::Io(_)));
}

#[test]
fn a_reader_sees_committed_rows_and_cannot_write() {
    let (_folder, path) = place();
    written(&path, Some(&key(1)));
    let writer = open(&path, Some(&key(1)), Profile::Server).unwrap();
    let reader = open_reader(&path, Some(&key(1)), Profile::Server).unwrap();
    writer.execute("INSERT INTO note (text) VALUES ('新')", []).unwrap();
    let rows: i64 = reader.query_row("SELECT count(*) FROM note", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 301);
    assert!(reader.execute("INSERT INTO note (text) VALUES ('旧')", []).is_err());
}

#[test]
fn a_reader_of_a_missing_file_creates_none() {
    let (_folder, path) = place();
    assert!(matches!(open_reader(&path, None, Profile::Server), Err(OpenError::Io(_))));
    assert!(!path.exists());
}

#[test]
fn a_commit_survives_a_process_that_never_closes_the_file() {
    let (folder, path) = place();
    written(&path, Some(&key(1)));
    let connection = open(&path, Some(&key(1)), Profile::Device).unwrap();
    connection.execute("INSERT INTO note (text) VALUES ('刚保存')", []).unwrap();
    let after_a_kill = folder.path().join("copy.db");
    fs::copy(&path, &after_a_kill).unwrap();
    fs::copy(path.with_extension("db-wal"), after_a_kill.with_extension("db-wal")).unwrap();
    let again = open(&after_a_kill, Some(&key(1)), Profile::Device).unwrap();
    let rows: i64 = again.query_row("SELECT count(*) FROM note", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 301);
}

#[test]
fn a_torn_log_loses_only_what_was_not_committed() {
    let (folder, path) = place();
    written(&path, Some(&key(1)));
    let connection = open(&path, Some(&key(1)), Profile::Device).unwrap();
    connection.execute("INSERT INTO note (text) VALUES ('一')", []).unwrap();
    let log = path.with_extension("db-wal");
    let committed = fs::metadata(&log).unwrap().len();
    connection.execute("INSERT INTO note (text) VALUES ('二')", []).unwrap();
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(&log, copy.with_extension("db-wal")).unwrap();
    cut(&copy.with_extension("db-wal"), committed + 1_000);
    let again = open(&copy, Some(&key(1)), Profile::Device).unwrap();
    let rows: i64 = again.query_row("SELECT count(*) FROM note", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 301);
    assert_eq!(quick_check(&again).unwrap(), Vec::<String>::new());
}

#[test]
fn a_full_disk_is_recognised_and_the_file_stays_usable() {
    let (_folder, path) = place();
    written(&path, Some(&key(1)));
    let connection = open(&path, Some(&key(1)), Profile::Device).unwrap();
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    connection.pragma_update(None, "max_page_count", pages).unwrap();
    let error = connection.execute("INSERT INTO note (text) VALUES (?1)", ["满".repeat(50_000)]).unwrap_err();
    assert!(is_full(&error));
    connection.pragma_update(None, "max_page_count", pages + 100).unwrap();
    connection.execute("INSERT INTO note (text) VALUES (?1)", ["满".repeat(50_000)]).unwrap();
}

#[test]
fn a_deleted_row_leaves_nothing_in_a_plain_file() {
    let (_folder, path) = place();
    written(&path, None);
    let connection = open(&path, None, Profile::Server).unwrap();
    connection.execute("INSERT INTO note (text) VALUES ('household-key-0001')", []).unwrap();
    connection.execute("DELETE FROM note WHERE text = 'household-key-0001'", []).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(18).any(|window| window == b"household-key-0001"));
}
