//! Backups and restores as an operator runs them.

use std::path::PathBuf;

use super::World;
use crate::backup::{self, BackupError, MANIFEST_FILE, Manifest};
use crate::command::DATABASE_FILE;
use crate::keys::KEY_FILE;
use crate::photos::{PHOTO_FOLDER, name};
use crate::store::people::PeopleStore as _;
use crate::store::photos::Upload;
use crate::store::{EpochStore as _, LedgerStore as _, PhotoStore as _};
use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_survey::photo::PhotoAddress;

fn folder(world: &World) -> PathBuf {
    world.directory.path().join("backups")
}

/// The backups that look whole, in the order of their making.
fn backups(world: &World) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder(world)).unwrap().map(|entry| entry.unwrap().path());
    let mut whole: Vec<_> = entries.filter(|path| path.join(MANIFEST_FILE).exists()).collect();
    whole.sort();
    whole
}

fn back_up(world: &World, flags: &str) -> Result<String, String> {
    world.run(&format!("backup {}{flags}", folder(world).display()))
}

#[test]
fn every_backup_is_a_folder_of_its_own_and_moves_the_watermark_when_it_was_read_back() {
    let world = World::cili();
    assert_eq!(world.store().watermark().unwrap(), None);
    let said = back_up(&world, "").unwrap();
    assert!(said.contains("server.key is not in it"), "{said}");
    let (_, first) = world.store().watermark().unwrap().unwrap();
    back_up(&world, " --with-key").unwrap();
    let (_, second) = world.store().watermark().unwrap().unwrap();
    assert!(second.statement.size > first.statement.size, "the first watermark is a leaf");
    let made = backups(&world);
    assert_eq!(made.len(), 2, "{made:?}");
    let sizes: Vec<u64> = made.iter().map(|path| backup::check(path).unwrap().log_size).collect();
    assert_eq!(sizes, [first.statement.size, second.statement.size]);
    assert!(!made[0].join(KEY_FILE).exists());
    assert!(made[1].join(KEY_FILE).exists());
    assert_eq!(world.store().verify().unwrap().first_bad, None);
}

#[test]
fn a_backup_that_cannot_be_written_leaves_nothing_and_moves_nothing() {
    let world = World::cili();
    std::fs::write(folder(&world), "in the way").unwrap();
    assert!(back_up(&world, "").is_err());
    assert_eq!(world.store().watermark().unwrap(), None);
    std::fs::remove_file(folder(&world)).unwrap();
    // A copy that was cut off has no manifest, and another name.
    let cut = folder(&world).join("ruhu-20260101T000000Z.unfinished");
    std::fs::create_dir_all(&cut).unwrap();
    std::fs::write(cut.join(DATABASE_FILE), "half").unwrap();
    assert!(matches!(Manifest::read(&cut), Err(BackupError::File { .. })));
    back_up(&world, "").unwrap();
    assert_eq!(backups(&world).len(), 1);
}

#[test]
fn a_restored_server_verifies_and_has_another_key_and_epoch() {
    let world = World::cili();
    back_up(&world, " --with-key").unwrap();
    let before = world.store().deployment().unwrap();
    world.wait(60_000);
    let into = world.directory.path().join("restored");
    let backup = backups(&world).remove(0);
    let restore = format!("restore {} --into {} --by 田永福", backup.display(), into.display());
    let said = world.run(&restore).unwrap();
    assert!(said.contains("devices follow"), "{said}");
    let said = world.run(&restore).unwrap_err();
    assert!(said.contains("not empty"), "{said}");
    let restored = crate::store::SqliteStore::open(&into.join(DATABASE_FILE), None).unwrap();
    let start = restored.deployment().unwrap();
    assert_eq!((start.deployment, start.previous), (before.deployment, Some(before.epoch)));
    assert_ne!(start.server_key, before.server_key);
    let links = restored.links().unwrap();
    assert_eq!(links[0].succession.statement.by, "田永福");
    assert_eq!(links[0].verify_countersigned(), Ok(()));
    assert_eq!(restored.verify().unwrap().first_bad, None);
}

#[test]
fn a_lost_signing_key_is_said_aloud_and_needs_the_wrap_key() {
    let mut world = World::cili();
    back_up(&world, "").unwrap();
    let into = world.directory.path().join("restored");
    let backup = backups(&world).remove(0);
    let restore = format!("restore {} --into {} --by 田永福", backup.display(), into.display());
    let said = world.run(&restore).unwrap_err();
    assert!(said.contains("--signing-key-lost"), "{said}");
    let lost = format!("{restore} --signing-key-lost");
    let said = world.run(&lost).unwrap_err();
    assert!(said.contains("wrap_key"), "{said}");
    world.environment.insert("RUHU_WRAP_KEY".to_owned(), "ab".repeat(32));
    let said = world.run(&lost).unwrap();
    assert!(said.contains("enrol again"), "{said}");
    let restored = crate::store::SqliteStore::open(&into.join(DATABASE_FILE), None).unwrap();
    assert!(restored.links().unwrap()[0].countersignature.is_none());
    assert_eq!(restored.verify().unwrap().first_bad, None);
}

/// Puts a photo where the server keeps photos, as if a device had sent it; the path of its file.
fn receive_photo(world: &World, bytes: &[u8]) -> PathBuf {
    let upload = Upload {
        device: DeviceId::from_bytes([7; 16]),
        village: VillageId::from_bytes([1; 16]),
        address: PhotoAddress::of(bytes),
    };
    let path = world.data().join(PHOTO_FOLDER).join(name(upload.village, &upload.address));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    world.store().photo_received(&upload, bytes.len() as u64, 1).unwrap();
    path
}

#[test]
fn photos_go_into_a_backup_and_come_back_and_what_is_lost_is_counted() {
    let world = World::cili();
    let kept = receive_photo(&world, b"a sealed photo");
    let damaged = receive_photo(&world, b"another sealed photo");
    assert!(world.run("verify").unwrap().contains("2 photos.\n"));
    std::fs::write(&damaged, b"another sealed phot0").unwrap();
    let said = back_up(&world, " --with-key").unwrap();
    assert!(said.contains("1 photos are in it") && said.contains("1 photos are not in it"), "{said}");
    let backup = backups(&world).remove(0);
    let manifest = backup::check(&backup).unwrap();
    assert_eq!((manifest.photos, manifest.photos_elsewhere), (1, 1));
    let into = world.directory.path().join("restored");
    let said =
        world.run(&format!("restore {} --into {} --by 田永福", backup.display(), into.display())).unwrap();
    assert!(
        said.contains("1 photos were restored") && said.contains("1 photos are not in the backup"),
        "{said}"
    );
    let restored = into.join(kept.strip_prefix(world.data()).unwrap());
    assert_eq!(std::fs::read(restored).unwrap(), b"a sealed photo");
    std::fs::remove_file(&kept).unwrap();
    assert!(world.run("verify").unwrap().contains("1 photos are not where they are kept"));
}
