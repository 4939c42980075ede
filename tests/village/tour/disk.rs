//! A server whose disk is full: a small file system in memory, filled to the brim.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ruhu_ledger::batch::Batch;
use serde_json::json;

use super::{Scene, tell};
use crate::hand::{Hand, frames, receipts, refusal};

/// A file system in memory at a folder, unmounted when dropped.
struct Small {
    folder: PathBuf,
}

impl Small {
    /// Takes the place of a folder and what is in it; `None` when this process may not mount.
    fn under(folder: &Path, kib: u32) -> Option<Self> {
        let kept = folder.with_extension("before");
        fs::rename(folder, &kept).unwrap();
        fs::create_dir(folder).unwrap();
        let size = format!("size={kib}k,mode=0700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "ruhu-test"]).arg(folder).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        assert!(Command::new("cp").arg("-a").arg(kept.join(".")).arg(folder).status().unwrap().success());
        mounted.then(|| Self { folder: folder.to_owned() })
    }

    /// Writes until nothing more fits, and then gives this many bytes back.
    fn fill_but(&self, left: u64) {
        let mut options = fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(self.folder.join("filler")).unwrap();
        for size in [64 * 1024, 4096, 256, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
        file.set_len(file.metadata().unwrap().len() - left).unwrap();
    }

    fn free(&self) {
        fs::remove_file(self.folder.join("filler")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.folder).status();
    }
}

/// A server on a small disk, and everybody who has to do with it.
struct Crammed {
    small: Small,
    scene: Scene,
    hand: Hand,
    token: String,
}

impl Drop for Crammed {
    /// The server goes first: its disk cannot be unmounted under it.
    fn drop(&mut self) {
        self.scene.world.kill();
    }
}

impl Crammed {
    fn new() -> Option<Self> {
        let mut scene = Scene::new();
        scene.world.kill();
        let small = Small::under(&scene.world.data(), 24 * 1024)?;
        scene.world.start();
        let hand = Hand::enrol(&scene.world, "孙磊", "work_team", &scene.code);
        scene.world.operate(&["user", "add", "督查员", "--role", "supervisor", "--region", &scene.code]);
        let token = scene.world.operate(&["user", "token", "督查员"]);
        let token = token.lines().next().unwrap().trim().to_owned();
        Some(Self { small, scene, hand, token })
    }

    /// Sends batch after batch until the server refuses one: those that it confirmed, and the refusal.
    fn until_refused(&self) -> (Vec<Batch>, (u16, String)) {
        let village = self.hand.village(&self.scene.code);
        let mut confirmed = Vec::new();
        while confirmed.len() < 200 {
            let group = format!("第{}组", confirmed.len());
            let batch = self.hand.seal(village, vec![self.hand.new_household(&group)]);
            let response = self.hand.post(self.hand.body(village, &[batch.to_bytes()]));
            if response.status != 200 {
                return (confirmed, refusal(&response));
            }
            assert_eq!(receipts(&frames(&response)).len(), 1);
            self.hand.keep(&batch);
            confirmed.push(batch);
        }
        panic!("the disk never fills")
    }

    /// Every batch that was confirmed is still there, and gets its receipt again.
    fn still_holds(&self, confirmed: &[Batch]) {
        for batch in confirmed {
            let again = receipts(&self.hand.push(batch.header.village, &[batch.to_bytes()]));
            assert_eq!(again.len(), 1, "confirmed when the disk was full, and still here");
        }
    }
}

#[test]
fn a_full_disk_on_the_server_refuses_keeps_what_it_confirmed_and_works_again_when_there_is_room() {
    let Some(mut crammed) = Crammed::new() else {
        tell("a full disk", "skipped: this process may not mount a file system in memory");
        return;
    };
    let (scene, web) = (&crammed.scene, &crammed.hand.web);
    scene.honest_work_goes_on();
    crammed.small.fill_but(512 * 1024);
    let (confirmed, refused) = crammed.until_refused();
    assert_eq!(refused, (507, "disk_full".to_owned()));
    assert!(!confirmed.is_empty(), "some were confirmed on the way");
    tell("a full disk", &format!("{refused:?} after {} more batches", confirmed.len()));
    crammed.small.fill_but(0);

    scene.honest.run(&["edit", &scene.household, "remarks", "磁盘满的那一天"]);
    scene.honest.check(&scene.household, &json!({ "answer/visit/note": "磁盘满的那一天" }));
    let said = scene.honest.refused(&["sync"], 5);
    assert!(said.contains("disk_full"), "{said}");
    tell("sync with a full disk", &said);
    let unsent = &scene.honest.json(&["status"])["unsent"];
    assert_eq!(unsent["queued"].as_u64().unwrap() + unsent["sent"].as_u64().unwrap(), 1, "{unsent}");
    assert_eq!(web.send("GET", "/healthz", Vec::new(), Vec::new()).status, 200);
    let (status, _) = web.get(&crammed.token, &format!("/v1/households/{}", scene.household));
    assert_eq!(status, 200, "people go on reading");

    crammed.small.free();
    assert_eq!(web.send("GET", "/readyz", Vec::new(), Vec::new()).status, 200);
    assert_eq!(scene.honest.sync()["complete"], true, "what was refused is sent again");
    scene.witness.sync();
    assert_eq!(scene.witness.shown(&scene.household, "remarks"), "磁盘满的那一天");
    // The batch of the refused request is in when its own transaction had room and only what the answer is made of had
    // none; nobody was told so, and sending it again would give its receipt.
    let more = scene.witness.households().len() - 3 - confirmed.len();
    assert!(more <= 1, "{more} batches that nobody was told of");
    crammed.still_holds(&confirmed);

    crammed.small.fill_but(256 * 1024);
    let (more, _) = crammed.until_refused();
    crammed.scene.world.kill();
    crammed.small.free();
    crammed.scene.world.start();
    crammed.still_holds(&confirmed);
    crammed.still_holds(&more);
    crammed.scene.honest_work_goes_on();
    crammed.scene.verifies();
}

#[test]
fn a_full_disk_takes_no_photo_and_takes_the_rest_of_it_when_there_is_room() {
    let Some(crammed) = Crammed::new() else {
        tell("a photo and a full disk", "skipped: this process may not mount a file system in memory");
        return;
    };
    let scene = &crammed.scene;
    let path = |name: &str| scene.world.path(name).to_string_lossy().into_owned();
    let (answers, file, out) = (path("answers.json"), path("wall.jpg"), path("out.jpg"));
    fs::write(&answers, json!({ "answer/housing/hazards/leaking": true }).to_string()).unwrap();
    let picture: Vec<u8> =
        [0xff, 0xd8, 0xff].into_iter().chain((0..290_000_u32).map(|at| (at * 31 % 251) as u8)).collect();
    fs::write(&file, &picture).unwrap();
    let draft = scene.honest.json(&["check", &scene.household, "--answers", &answers, "--keep-draft"]);
    let photo = scene.honest.json(&["photo", "add", draft["check"].as_str().unwrap(), &file]);
    scene.honest.run(&["check", &scene.household, "--answers", &answers]);
    assert_eq!(scene.honest.json(&["sync", "--no-photos"])["complete"], true);

    crammed.small.fill_but(192 * 1024);
    let refused = scene.honest.sync();
    tell("a photo and a full disk", &refused["photos"].to_string());
    assert_eq!(refused["photos"]["outcome"], "disk_full");
    assert_eq!(refused["photos"]["received"], 0);
    let name = photo["photo"].as_str().unwrap();
    scene.witness.sync();
    scene.witness.refused(&["photo", "save", &scene.household, name, &out], 5);

    crammed.small.free();
    let taken = scene.honest.sync();
    assert_eq!(taken["photos"]["outcome"], "complete", "{taken}");
    scene.witness.run(&["photo", "save", &scene.household, name, &out]);
    assert_eq!(fs::read(&out).unwrap(), picture);
}
