//! Files that were damaged or tampered with: the server's database bit by bit, and a device's store.

use std::fs;
use std::path::Path;

use rusqlite::params;

use super::{Scene, tell};
use crate::world::{Device, World};

/// Flips one bit of a blob in the middle of a table; the same call again flips it back.
fn flip(scene: &Scene, table: &str, column: &str, row: &str) {
    let database = scene.database();
    let select = format!("SELECT {column} FROM {table} WHERE {row}");
    let mut blob: Vec<u8> = database.query_row(&select, [], |found| found.get(0)).unwrap();
    let middle = blob.len() / 2;
    blob[middle] ^= 4;
    let changed = database.execute(&format!("UPDATE {table} SET {column} = ?1 WHERE {row}"), params![blob]);
    assert_eq!(changed.unwrap(), 1, "{table} {row}");
}

/// What `verify` says about a database that does not agree.
fn first_bad(world: &World) -> String {
    let output = world.try_operate(&["verify"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said.lines()
        .find_map(|line| line.strip_prefix("The first position that does not agree: "))
        .map_or_else(|| panic!("verify did not name a position: {said}"), str::to_owned)
}

#[test]
fn a_bit_flipped_in_what_was_signed_is_named_by_verify_and_never_rebuilt_away() {
    let mut scene = Scene::new();
    scene.honest_work_goes_on();
    scene.honest_work_goes_on();
    scene.world.kill();
    scene.verifies();
    let sequence = scene.count("SELECT max(sequence) - 1 FROM batch");
    let of_batch = format!("sequence = {sequence}");
    let leaf = format!("leaf_index = {}", scene.count("SELECT max(leaf_index) / 2 FROM log_leaf"));
    let position = format!("sequence = {sequence} AND position = 0");
    for (table, column, row) in [
        ("change", "bytes", &position),
        ("change", "hash", &position),
        ("batch", "header", &of_batch),
        ("batch", "signature", &of_batch),
        ("batch", "payload", &of_batch),
        ("batch", "receipt", &of_batch),
        ("log_leaf", "bytes", &leaf),
        ("log_node", "hash", &"level = 1 AND node_index = 0".to_owned()),
        ("certificate", "bytes", &"serial = 2".to_owned()),
        ("checkpoint", "root", &"size = (SELECT max(size) FROM checkpoint)".to_owned()),
    ] {
        flip(&scene, table, column, row);
        let said = first_bad(&scene.world);
        tell(&format!("a bit flipped in {table}.{column}"), &said);
        assert!(said.ends_with("restore from a backup."), "{said}");
        assert!(said.starts_with(table), "{table}.{column}: {said}");
        if column == "receipt" {
            scene.world.try_operate(&["rebuild"]);
            assert_eq!(first_bad(&scene.world), said, "rebuilding does not hide it");
        }
        flip(&scene, table, column, row);
        scene.verifies();
    }
    flip(&scene, "batch", "receipt", &of_batch);
    scene.world.start();
    scene.honest_work_goes_on();
    assert!(first_bad(&scene.world).starts_with("batch"), "people go on working, and it is still named");
    flip(&scene, "batch", "receipt", &of_batch);
    scene.verifies();
}

#[test]
fn damage_to_derived_tables_alone_is_named_and_rebuilt() {
    let mut scene = Scene::new();
    scene.honest_work_goes_on();
    scene.world.kill();
    for (table, damage) in [
        ("document", "UPDATE document SET changes = changes + 1 WHERE rowid = 1"),
        ("household_row", "UPDATE household_row SET head_name = '某某' WHERE member_count > 0"),
        ("document", "UPDATE document SET history = x'00'"),
        ("village_state", "UPDATE village_state SET fingerprint = fingerprint + 1"),
        ("chain_tip", "DELETE FROM chain_tip WHERE number = 1"),
    ] {
        assert!(scene.database().execute(damage, []).unwrap() > 0, "{damage}");
        let said = first_bad(&scene.world);
        assert!(said.starts_with(table), "{table}: {said}");
        tell(&format!("{table} damaged"), &said);
        assert!(said.ends_with("run `ruhu-server rebuild`."), "{said}");
        let rebuilt = scene.world.operate(&["rebuild"]);
        tell(&format!("{table} rebuilt"), &rebuilt);
        scene.verifies();
    }
    flip(&scene, "document", "register", "rowid = 1");
    tell("document.register damaged", &first_bad(&scene.world));
    scene.world.operate(&["rebuild"]);
    scene.verifies();
    scene.world.start();
    scene.honest_work_goes_on();
}

/// The files of a store, so that a test can put them back.
fn files(store: &Path) -> [Vec<u8>; 2] {
    ["ruhu.db", "ruhu.key"].map(|name| fs::read(store.join(name)).unwrap())
}

/// A device that is told something is wrong with its store, whatever it is asked to do, and changes nothing.
fn refuses(device: &Device, code: i32, message: &str) {
    for arguments in [&["status"][..], &["list"], &["sync"]] {
        let said = device.refused(arguments, code);
        assert!(said.contains(message), "{said}");
        if arguments == ["status"] {
            tell("a damaged store", &said);
        }
    }
    let problem: serde_json::Value =
        serde_json::from_str(&device.refused(&["status", "--json"], code)).unwrap();
    assert_eq!(problem["error"]["code"], if code == 3 { "passphrase" } else { "store" });
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_harms_nothing() {
    let scene = Scene::new();
    let before = files(&scene.honest.store);
    for wrong in ["another passphrase", "A passphrase of a test", "short", ""] {
        let output = scene.honest.command(&["status"]).env("RUHU_PASSPHRASE", wrong).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{wrong}: {said}");
        tell(&format!("the passphrase {wrong:?}"), &said);
    }
    assert_eq!(files(&scene.honest.store), before);
    scene.honest_work_goes_on();
}

#[test]
fn a_copied_database_without_its_key_file_and_cut_or_changed_files_say_what_is_wrong() {
    let scene = Scene::new();
    let device = scene.world.enrol("孙磊", "work_team", &scene.code);
    device.sync();
    device.run(&["edit", &scene.household, "dwelling_address", "还没有发送"]);
    let [database, key] = files(&device.store);
    let put = |name: &str, bytes: &[u8]| fs::write(device.store.join(name), bytes).unwrap();

    fs::remove_file(device.store.join("ruhu.key")).unwrap();
    refuses(&device, 6, "key file");
    put("ruhu.key", &files(&scene.witness.store)[1]);
    refuses(&device, 6, "does not belong to the key file");
    put("ruhu.key", &key[..key.len() / 2]);
    refuses(&device, 6, "is damaged");
    let mut changed = key.clone();
    changed[40] ^= 1;
    put("ruhu.key", &changed);
    refuses(&device, 6, "is damaged");
    put("ruhu.key", &key);

    for length in [0, 8, 1_000, 4_096, database.len() / 2, database.len() / 8192 * 4096, database.len() - 1] {
        put("ruhu.db", &database[..length]);
        refuses(&device, 6, "ruhu.db");
        assert_eq!(
            fs::read(device.store.join("ruhu.db")).unwrap(),
            &database[..length],
            "it is left as it is"
        );
    }
    let mut changed = database.clone();
    let middle = database.len() / 2;
    changed[middle] ^= 1;
    put("ruhu.db", &changed);
    refuses(&device, 6, "is damaged");
    fs::remove_file(device.store.join("ruhu.db")).unwrap();
    refuses(&device, 6, "is missing");
    scene.honest_work_goes_on();

    put("ruhu.db", &database);
    assert_eq!(device.sync()["receipts"], 1, "put back, it goes on where it was");
    scene.witness.sync();
    assert_eq!(scene.witness.shown(&scene.household, "dwelling_address"), "还没有发送");
}
