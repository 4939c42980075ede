//! A server whose disk is full: a small file system in memory, filled to the brim.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::{Scene, tell};
use crate::hand::{Hand, Web, receipts, refusal};

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
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "ruhu-test"]).arg(folder).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        for entry in fs::read_dir(&kept).unwrap() {
            let from = entry.unwrap().path();
            fs::copy(&from, folder.join(from.file_name().unwrap())).unwrap();
        }
        mounted.then(|| Self { folder: folder.to_owned() })
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut file = fs::File::create(self.folder.join("filler")).unwrap();
        for size in [64 * 1024, 4096, 256, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
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

#[test]
fn a_full_disk_on_the_server_refuses_keeps_what_it_confirmed_and_works_again_when_there_is_room() {
    let mut scene = Scene::new();
    scene.world.kill();
    let Some(small) = Small::under(&scene.world.data(), 24 * 1024) else {
        tell("a full disk", "skipped: this process may not mount a file system in memory");
        return;
    };
    scene.world.start();
    scene.honest_work_goes_on();
    let hand = Hand::enrol(&scene.world, "孙磊", "work_team", &scene.code);
    let village = hand.village(&scene.code);
    scene.world.operate(&["user", "add", "督查员", "--role", "supervisor", "--region", &scene.code]);
    let token = scene.world.operate(&["user", "token", "督查员"]);
    let token = token.lines().next().unwrap().trim();
    let web = Web::new(&scene.world);
    let write = |text: &str| {
        scene.honest.run(&["edit", &scene.household, "remarks", text]);
        scene.honest.check(&scene.household, &json!({ "answer/visit/note": text.repeat(8) }));
    };

    small.fill();
    let mut confirmed = Vec::new();
    let refused = loop {
        let batch = hand.seal(village, vec![hand.new_household(&format!("第{}组", confirmed.len()))]);
        let response = hand.post(hand.body(village, &[batch.to_bytes()]));
        if response.status != 200 {
            break refusal(&response);
        }
        assert_eq!(receipts(&crate::hand::frames(&response)).len(), 1);
        hand.keep(&batch);
        confirmed.push(batch);
        assert!(confirmed.len() < 200, "the disk never fills");
    };
    assert_eq!(refused, (507, "disk_full".to_owned()));
    tell("a full disk", &format!("{refused:?} after {} more batches", confirmed.len()));
    write("磁盘满的那一天");
    let said = scene.honest.refused(&["sync"], 5);
    assert!(said.contains("disk_full"), "{said}");
    tell("sync with a full disk", &said);
    let unsent = &scene.honest.json(&["status"])["unsent"];
    assert_eq!(unsent["queued"].as_u64().unwrap() + unsent["sent"].as_u64().unwrap(), 1, "{unsent}");
    let ready = web.send("GET", "/readyz", Vec::new(), Vec::new());
    assert_eq!(refusal(&ready), (507, "disk_full".to_owned()));
    assert_eq!(web.send("GET", "/healthz", Vec::new(), Vec::new()).status, 200);
    let (status, _) = web.get(token, &format!("/v1/households/{}", scene.household));
    assert_eq!(status, 200, "people go on reading");

    scene.world.kill();
    small.free();
    scene.world.start();
    assert_eq!(scene.honest.sync()["complete"], true, "what was refused is sent again");
    scene.witness.sync();
    assert_eq!(scene.witness.shown(&scene.household, "remarks"), "磁盘满的那一天");
    for batch in &confirmed {
        let again = receipts(&hand.push(village, &[batch.to_bytes()]));
        assert_eq!(again.len(), 1, "confirmed before the disk was full, still here");
    }
    assert_eq!(scene.count("SELECT count(*) FROM batch WHERE number > 0"), {
        scene.count("SELECT count(DISTINCT id) FROM batch")
    });
    let kept = scene.count("SELECT count(*) FROM change WHERE standing = 1 AND kind = 1");
    assert!(kept >= i64::try_from(confirmed.len()).unwrap());
    scene.honest_work_goes_on();
    scene.verifies();
    scene.world.kill();
}
