//! The restore drill: a server is lost with everything since its backup, and the devices bring it back.

use std::fs;

use crate::carry::{meet, not_met};
use crate::world::{Device, World, village_of};

fn remark(device: &Device, household: &str, text: &str) {
    device.run(&["edit", household, "remarks", text, "--reason", "入户核实"]);
}

/// The folder of the only backup.
fn backup_in(world: &World) -> String {
    let folders: Vec<_> =
        fs::read_dir(world.path("backups")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].to_string_lossy().into_owned()
}

/// Every edit that anybody held is in everybody's history.
fn everybody_has_it_all(devices: [&Device; 3], households: &[String]) {
    let texts = ["备份之前", "备份之后", "备份之后注册的设备", "后来丢失的设备"];
    for (household, text) in households.iter().zip(texts) {
        for device in devices {
            assert!(device.run(&["history", household, "remarks"]).contains(text), "{text}");
        }
    }
}

/// Loses the server and restores it from the backup.
pub(crate) fn lose_and_restore(world: &mut World) -> String {
    let backup = backup_in(world);
    world.kill();
    fs::remove_dir_all(world.data()).unwrap();
    let into = world.data().to_string_lossy().into_owned();
    let said = world.operate(&["restore", &backup, "--into", &into, "--by", "田永福"]);
    fs::write(
        world.data().join("ruhu-server.toml"),
        "allow_unissued_area = true\nmetrics_listen = \"off\"\n",
    )
    .unwrap();
    said
}

#[test]
fn devices_bring_back_what_a_restored_server_lost_and_what_nobody_brings_is_named() {
    let (village, other) = (village_of(0, 12), village_of(1, 4));
    let code = village.code.clone();
    let mut world = World::without_rosters(&[village_of(0, 12), village_of(1, 4)]);
    world.import_roster(&village);
    world.start();
    let elsewhere = world.enrol("周桂香", "work_team", &other.code);
    let first = world.enrol("张秀英", "work_team", &code);
    let second = world.enrol("李国强", "work_team", &code);
    let lost = world.enrol("赵强", "work_team", &code);
    for device in [&first, &second, &lost] {
        device.sync();
    }
    let households = first.households();
    remark(&first, &households[0], "备份之前");
    first.sync();
    let backups = world.path("backups").to_string_lossy().into_owned();
    assert!(world.operate(&["backup", &backups, "--with-key"]).contains("verified"));

    remark(&first, &households[1], "备份之后");
    first.sync();
    second.sync();
    assert_eq!(first.json(&["status"])["beyond_backup"], 1, "one batch came after the backup");
    let late = world.enrol("田小满", "work_team", &code);
    late.sync();
    remark(&late, &households[2], "备份之后注册的设备");
    late.sync();
    remark(&lost, &households[3], "后来丢失的设备");
    lost.sync();
    second.sync();
    // Written, received, and then seen by nobody else: the log was longer than anybody can bring back.
    remark(&lost, &households[4], "没有别人收到");
    lost.sync();
    elsewhere.sync();
    remark(&second, &households[5], "未同步");

    assert!(lose_and_restore(&mut world).contains("田永福"));
    assert!(world.operate(&["verify"]).contains("agree"));
    world.start();

    let report = late.sync();
    assert_eq!(report["restored"]["by"], "田永福", "{report}");
    assert_eq!((&report["waiting"], &report["not_accepted"]), (&0.into(), &0.into()), "{report}");
    let report = second.sync();
    assert_eq!(report["restored"]["by"], "田永福", "{report}");
    assert_eq!(
        (&report["waiting"], &report["mismatched"].as_array().unwrap().len()),
        (&0.into(), &0),
        "{report}"
    );
    for device in [&first, &late, &second, &first] {
        let report = device.sync();
        assert_eq!((&report["waiting"], &report["set_aside"]), (&0.into(), &0.into()), "{report}");
    }
    everybody_has_it_all([&first, &second, &late], &households);
    assert!(first.run(&["history", &households[5], "remarks"]).contains("未同步"));
    let gaps = world.operate(&["gaps"]);
    assert!(gaps.contains("0 gaps are open"), "nobody who has synced can tell: {gaps}");
    // A device of another village saw how long the log was.
    elsewhere.sync();
    let gaps = world.operate(&["gaps"]);
    assert!(gaps.contains("log of epoch") && gaps.contains("1 gaps are open, 1 items are missing"), "{gaps}");
    assert!(world.operate(&["verify"]).contains("agree"), "{}", world.operate(&["verify"]));
}

/// A server with one village, its code, and a device of the time before the restore.
fn with_a_device() -> (World, String, Device) {
    let mut world = World::new(4);
    world.start();
    let code = village_of(0, 4).code;
    let old = world.enrol("张秀英", "work_team", &code);
    (world, code, old)
}

/// The server is lost, and comes back from a backup of this moment.
fn come_back(world: &mut World) {
    world.operate(&["backup", &world.path("backups").to_string_lossy(), "--with-key"]);
    lose_and_restore(world);
    world.start();
}

#[test]
fn devices_enrolled_before_and_after_a_restore_meet_and_the_feed_of_both_epochs_is_one() {
    let (mut world, code, old) = with_a_device();
    let behind = world.enrol("李国强", "work_team", &code);
    old.sync();
    behind.sync();
    let households = old.households();
    remark(&old, &households[0], "备份之前");
    old.sync();
    come_back(&mut world);
    let new = world.enrol("田小满", "work_team", &code);
    let first = new.sync();
    assert_eq!((&first["relayed"], &first["set_aside"]), (&2.into(), &0.into()), "{first}");
    assert_eq!(first["requests"], 2, "a batch of the former epoch is not asked for again: {first}");
    old.sync();
    world.kill();

    remark(&new, &households[1], "备份之后");
    let (_, called) = meet(&old, &new);
    assert_eq!(called["given"], 1, "{called}");
    assert!(old.run(&["history", &households[1], "remarks"]).contains("备份之后"));
    // One that has not heard of the restore knows no key that the new device's certificate is by.
    let refused = not_met(&behind, &new);
    assert!(refused.contains("sync with it first"), "{refused}");
}

#[test]
fn a_device_enrolled_after_a_restore_begins_in_one_piece_and_knows_whose_it_is() {
    let (mut world, code, old) = with_a_device();
    old.sync();
    let household = old.households()[0].clone();
    // Entries enough that the server makes a snapshot of the village.
    for number in 0..16 {
        remark(&old, &household, &format!("第{number}次"));
        old.sync();
    }
    come_back(&mut world);
    let new = world.enrol("田小满", "work_team", &code);
    let first = new.sync();
    assert_eq!((&first["snapshots"], &first["set_aside"]), (&1.into(), &0.into()), "{first}");
    old.sync();
    remark(&old, &household, "恢复之后");
    old.sync();
    let second = new.sync();
    assert_eq!((&second["relayed"], &second["set_aside"]), (&1.into(), &0.into()), "{second}");
    assert!(new.run(&["history", &household, "remarks"]).contains("恢复之后"));
}

#[test]
fn a_restore_refuses_what_it_cannot_vouch_for() {
    let mut world = World::new(4);
    world.start();
    let backups = world.path("backups").to_string_lossy().into_owned();
    world.operate(&["backup", &backups]);
    let backup = backup_in(&world);
    let into = world.path("elsewhere").to_string_lossy().into_owned();
    let refused = |world: &World, arguments: &[&str]| {
        let output = world.try_operate(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = refused(&world, &["restore", &backup, "--into", &into, "--by", "田永福"]);
    assert!(said.contains("--key"), "{said}");
    let data = world.data().to_string_lossy().into_owned();
    let said = refused(&world, &["restore", &backup, "--into", &data, "--by", "田永福", "--key", &data]);
    assert!(said.contains("not empty"), "{said}");
    let database = std::path::Path::new(&backup).join("ruhu.db");
    let mut bytes = fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&database, bytes).unwrap();
    let said = refused(&world, &["restore", &backup, "--into", &into, "--by", "田永福", "--key", &data]);
    assert!(said.contains("SHA-256"), "{said}");
    assert!(!std::path::Path::new(&into).exists(), "nothing is left of a restore that failed");
}
