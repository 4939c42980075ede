//! What the disks in memory promise, seen without SQLite.

use ruhu_client_core::Profile;
use rusqlite::Connection;

use crate::disk::{Damage, Disk};

const DAMAGES_LOST: [Damage; 3] = [Damage::Lost, Damage::Scattered, Damage::Torn];

fn read(disk: &Disk, name: &str) -> Option<Vec<u8>> {
    disk.files(Profile::Device).read(&disk.path(name), 1_000_000).ok()
}

pub(crate) fn what_was_synced_stays_and_the_rest_is_damaged() {
    let mut differing = 0;
    for seed in 0..20 {
        let disk = Disk::new();
        let files = disk.files(Profile::Device);
        let (one, other) = (disk.path("store/one"), disk.path("store/other"));
        // A write of files is durable in itself; its name is once something in the folder was renamed.
        files.write(&one, &[1; 5_000]).unwrap();
        files.write(&other, b"x").unwrap();
        files.rename(&other, &disk.path("store/third")).unwrap();
        let database = Connection::open(disk.path("store/db")).unwrap();
        database.execute_batch("PRAGMA synchronous = OFF; CREATE TABLE a (b);").unwrap();
        let before = disk.image().file("store/db").map(|file| disk.image().bytes(file).to_vec());
        disk.cut(DAMAGES_LOST[usize::try_from(seed % 3).unwrap()], seed);
        assert_eq!(read(&disk, "store/one").as_deref(), Some(&[1; 5_000][..]));
        differing += u64::from(read(&disk, "store/db") != before);
    }
    assert!(differing > 10, "{differing}");
}

pub(crate) fn a_killed_process_loses_nothing_and_its_handles_are_dead() {
    let disk = Disk::new();
    let database = Connection::open(disk.path("db")).unwrap();
    database
        .execute_batch("PRAGMA synchronous = OFF; CREATE TABLE a (b); INSERT INTO a VALUES (7);")
        .unwrap();
    disk.kill();
    assert!(database.execute_batch("INSERT INTO a VALUES (8)").is_err());
    let again = Connection::open(disk.path("db")).unwrap();
    let found: i64 = again.query_row("SELECT sum(b) FROM a", [], |row| row.get(0)).unwrap();
    assert_eq!(found, 7);
}

pub(crate) fn a_name_is_durable_when_its_folder_is() {
    let disk = Disk::new();
    let files = disk.files(Profile::Device);
    files.write(&disk.path("store/key.new"), b"old").unwrap();
    files.rename(&disk.path("store/key.new"), &disk.path("store/key")).unwrap();
    files.write(&disk.path("store/key.new"), b"new").unwrap();
    disk.cut(Damage::Lost, 1);
    assert_eq!(read(&disk, "store/key").as_deref(), Some(&b"old"[..]));
    assert_eq!(read(&disk, "store/key.new"), None);
}
