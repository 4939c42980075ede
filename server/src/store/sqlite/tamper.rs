//! Bits flipped behind the server's back: `verify` must name the place.

use std::path::Path;

use ruhu_ledger::signature::SecretKey;
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::rebuild::DERIVED_TABLES;
use crate::rebuild::rebuild;
use crate::store::LedgerStore;
use crate::store::world::{LONGTAN, MORNING_MS, World, household, kinds, text};

/// A store that has something in every table of the ledger.
fn lived_in(path: &Path) -> SqliteStore {
    let store = SqliteStore::open(path, None).unwrap();
    {
        let world = World::new(&store);
        let (mut one, mut other, lost) = (world.tablet(7), world.tablet(8), world.tablet(9));
        let founded = one.settle_in(household(1), "向家组", &["向国富", "田桂香"]);
        let late = one.remark(household(1), "后到的依赖");
        let waiting = one.remark(household(1), "先到");
        world.receive(&one.seal(&[&founded]));
        store.checkpoint_sign(world.now_ms, &world.signing).unwrap();
        other.learn(&world, household(1));
        let bad = one.offend(household(2));
        world.receive(&one.seal(&[&waiting, &bad]));
        world.receive(&one.seal(&[&late]));
        let cause = other.write(household(1), &[("main_cause", text("illness"))]);
        let receipt = world.receive(&other.seal(&[&cause]));
        assert_eq!(kinds(&receipt).len(), 1);
        world.revoke(lost.device());
        world.settle();
        let rival = one.write(household(1), &[("main_cause", text("disaster"))]);
        world.receive(&one.seal(&[&rival]));
        store.checkpoint_sign(world.now_ms, &world.signing).unwrap();
        world.settle();
        world.assert_sound();
    }
    store
}

/// Flips the lowest bit in the middle of one blob, without the store.
fn flip(conn: &Connection, table: &str, column: &str) {
    let (row, mut blob): (i64, Vec<u8>) = conn
        .query_row(
            &format!(
                "SELECT place, {column} FROM (SELECT *, row_number() OVER () AS place FROM {table})
                 WHERE {column} IS NOT NULL ORDER BY place DESC LIMIT 1"
            ),
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert!(row > 0, "{table} is empty");
    let before = blob.clone();
    let middle = blob.len() / 2;
    blob[middle] ^= 1;
    let changed = conn
        .execute(&format!("UPDATE {table} SET {column} = ?1 WHERE {column} = ?2"), params![blob, before])
        .unwrap();
    assert!(changed >= 1);
}

/// What `verify` names first after an alteration of a copy of the file.
fn first_bad_after(original: &Path, alter: impl FnOnce(&Connection)) -> Option<crate::verify::Bad> {
    let copy = original.with_extension("copy");
    {
        let conn = Connection::open(original).unwrap();
        conn.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        let conn = Connection::open(&copy).unwrap();
        conn.pragma_update(None, "foreign_keys", false).unwrap();
        alter(&conn);
    }
    let found = SqliteStore::open(&copy, None).unwrap().verify().unwrap().first_bad;
    for suffix in ["copy", "copy-wal", "copy-shm"] {
        let _ = std::fs::remove_file(original.with_extension(suffix));
    }
    found
}

#[test]
fn a_flipped_bit_is_found_in_every_signed_or_derived_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ruhu.db");
    drop(lived_in(&path));
    let columns = [
        ("deployment", "id", "epoch"),
        ("epoch", "id", "epoch"),
        ("epoch", "bytes", "epoch"),
        ("certificate", "device", "certificate"),
        ("certificate", "bytes", "certificate"),
        ("revocation", "device", "revocation"),
        ("revocation", "bytes", "revocation"),
        ("batch", "id", "batch"),
        ("batch", "village", "batch"),
        ("batch", "user", "batch"),
        ("batch", "header", "batch"),
        ("batch", "signature", "batch"),
        ("batch", "payload", "batch"),
        ("batch", "receipt", "batch"),
        ("change", "village", "change"),
        ("change", "document", "change"),
        ("change", "hash", "change"),
        ("change", "bytes", "change"),
        ("decision", "bytes", "decision"),
        ("log_leaf", "bytes", "log_leaf"),
        ("log_node", "hash", "log_node"),
        ("checkpoint", "root", "checkpoint"),
        ("chain_tip", "id", "chain_tip"),
        ("document", "register", "document"),
        ("household_row", "household", "household_row"),
        ("conflict_row", "shown", "conflict_row"),
        ("document", "history", "document"),
    ];
    for (table, column, named) in columns {
        let bad = first_bad_after(&path, |conn| flip(conn, table, column));
        let bad = bad.unwrap_or_else(|| panic!("{table}.{column} was not found"));
        let right = bad.table == named || (table == "change" && bad.table == "decision");
        assert!(right, "{table}.{column}: {bad}");
        assert!(!bad.key.is_empty() && !bad.what.is_empty());
    }
}

#[test]
fn an_altered_number_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ruhu.db");
    drop(lived_in(&path));
    let statements = [
        ("UPDATE batch SET received_ms = received_ms + 1", "batch"),
        ("UPDATE batch SET number = number + 1 WHERE number > 2", "batch"),
        ("UPDATE certificate SET issued_ms = issued_ms - 1", "log_leaf"),
        ("UPDATE change SET standing = 1, admitted = sequence, rule = NULL WHERE standing = 3", "change"),
        ("UPDATE change SET rule = 'late' WHERE standing = 3", "change"),
        ("UPDATE log_leaf SET time_ms = time_ms + 1", "log_leaf"),
        ("UPDATE feed SET fingerprint = fingerprint + 1 WHERE sequence > 5", "feed"),
        ("UPDATE village_state SET accepted = accepted + 1", "village_state"),
        ("UPDATE household_row SET head_name = '别人'", "household_row"),
        ("UPDATE conflict_row SET asks = 0", "conflict_row"),
        ("UPDATE document SET changes = changes + 1", "document"),
        ("UPDATE document SET history = x'00'", "document"),
        ("DELETE FROM decision", "change"),
        ("DELETE FROM change WHERE position = 1", "change"),
        ("DELETE FROM batch WHERE sequence = (SELECT max(sequence) FROM batch)", "log_leaf"),
        ("DELETE FROM log_leaf WHERE leaf_index = (SELECT max(leaf_index) FROM log_leaf)", "log_leaf"),
        ("DELETE FROM log_node WHERE level = 1", "log_node"),
        ("DELETE FROM document", "document"),
        ("UPDATE checkpoint SET note = replace(note, 'ruhu', 'ruho')", "checkpoint"),
    ];
    for (statement, named) in statements {
        let bad = first_bad_after(&path, |conn| {
            assert!(conn.execute(statement, []).unwrap() > 0, "{statement} changes nothing");
        });
        let bad = bad.unwrap_or_else(|| panic!("{statement} was not found"));
        let right = bad.table == named || (statement.starts_with("UPDATE change") && bad.table == "decision");
        assert!(right, "{statement}: {bad}");
    }
}

#[test]
fn an_untouched_copy_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ruhu.db");
    drop(lived_in(&path));
    assert_eq!(first_bad_after(&path, |_| ()), None);
}

#[test]
fn a_bit_flipped_in_the_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ruhu.db");
    let payload = {
        let store = lived_in(&path);
        let payload = store.read(|conn| {
            Ok(conn.query_row("SELECT payload FROM batch LIMIT 1", [], |row| row.get::<_, Vec<u8>>(0))?)
        });
        payload.unwrap()
    };
    let conn = Connection::open(&path).unwrap();
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(conn);
    let mut file = std::fs::read(&path).unwrap();
    let at = file.windows(payload.len()).position(|window| window == payload).unwrap();
    file[at + payload.len() / 2] ^= 0x10;
    std::fs::write(&path, file).unwrap();
    let bad = SqliteStore::open(&path, None).unwrap().verify().unwrap().first_bad.unwrap();
    assert_eq!((bad.table, bad.key.as_str()), ("batch", "4"), "{bad}");
}

fn dump(store: &SqliteStore) -> Vec<String> {
    store
        .read(|conn| {
            let mut lines = Vec::new();
            for (table, order) in DERIVED_TABLES {
                let mut select = conn.prepare(&format!("SELECT * FROM {table} ORDER BY {order}"))?;
                let width = select.column_count();
                let mut rows = select.query([])?;
                while let Some(row) = rows.next()? {
                    let values: Result<Vec<rusqlite::types::Value>, _> =
                        (0..width).map(|at| row.get(at)).collect();
                    lines.push(format!("{table} {:?}", values?));
                }
            }
            Ok(lines)
        })
        .unwrap()
}

#[test]
fn a_rebuild_makes_the_same_rows_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = lived_in(&folder.path().join("ruhu.db"));
    let before = dump(&store);
    assert!(before.iter().any(|line| line.starts_with("conflict_row")));
    let key = SecretKey::from_seed([1; 32]);
    rebuild(&store, MORNING_MS, &key).unwrap();
    assert_eq!(dump(&store), before);
}

#[test]
fn a_rebuild_mends_derived_rows_that_were_altered() {
    let folder = tempfile::tempdir().unwrap();
    let store = lived_in(&folder.path().join("ruhu.db"));
    let before = dump(&store);
    store
        .write(|tx| {
            tx.execute_batch(
                "DELETE FROM household_row; UPDATE document SET register = x'00'; DELETE FROM chain_tip;
                 UPDATE village_state SET fingerprint = 1; UPDATE document SET history = x'00';
                 DELETE FROM conflict_row;",
            )?;
            Ok(())
        })
        .unwrap();
    rebuild(&store, MORNING_MS, &SecretKey::from_seed([1; 32])).unwrap();
    assert_eq!(dump(&store), before);
    assert_eq!(store.verify().unwrap().first_bad, None);
}

#[test]
fn the_history_from_events_is_that_from_raw_changes() {
    let folder = tempfile::tempdir().unwrap();
    let store = lived_in(&folder.path().join("ruhu.db"));
    let (stored, raw) = store
        .read(|conn| {
            let stored = super::reads::stored_history(conn, LONGTAN, household(1), None)?;
            Ok((stored, super::reads::raw_history(conn, LONGTAN, household(1), u64::MAX, None)?))
        })
        .unwrap();
    assert!(stored.as_ref().is_some_and(|events| events.len() > 5));
    assert_eq!(stored, raw);
}

#[test]
fn a_history_that_an_older_program_left_behind_is_read_from_the_changes_until_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = lived_in(&folder.path().join("ruhu.db"));
    let before = dump(&store);
    let read = || super::super::ReadStore::history(&store, LONGTAN, household(1), None).unwrap();
    let made = read();
    store.write(|tx| Ok(tx.execute("UPDATE document SET history = NULL", [])?)).unwrap();
    assert!(made.is_some());
    assert_eq!(read(), made);
    assert_eq!(store.verify().unwrap().first_bad, None);
    rebuild(&store, MORNING_MS, &SecretKey::from_seed([1; 32])).unwrap();
    assert_eq!(dump(&store), before);
}
