//! Quarantine and copies with real processes: nothing is lost, and people decide.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::world::{Device, World, link, village_of};

/// A village with a first secretary who sees everything, and a device of the work team.
struct Scene {
    world: World,
    code: String,
    witness: Device,
    tablet: Device,
    household: String,
}

impl Scene {
    fn new() -> Self {
        let code = village_of(0, 3).code;
        let mut world = World::new(3);
        world.start();
        let witness = world.enrol("王建平", "first_secretary", &code);
        let tablet = world.enrol("赵强", "work_team", &code);
        tablet.sync();
        let household = tablet.households()[0].clone();
        Self { world, code, witness, tablet, household }
    }

    /// A new code for the same person.
    fn code_for(&self, name: &str) -> String {
        link(&self.world.operate(&["device", "invite", name, "--url", &self.world.url()]))
    }

    fn seen_by_witness(&self, key: &str) -> String {
        self.witness.sync();
        shown(&self.witness, &self.household, key)
    }

    fn verifies(&self) {
        let said = self.world.operate(&["verify"]);
        assert!(said.contains("agree"), "{said}");
    }
}

fn shown(device: &Device, household: &str, key: &str) -> String {
    let shown = device.json(&["show", household]);
    let fields = shown["fields"].as_array().unwrap();
    let found = fields.iter().find(|field| field["key"] == key);
    found.map(|field| field["value"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
}

/// The changes that a household's history says were replaced.
fn replaced(device: &Device, household: &str) -> usize {
    let events = device.json(&["history", household]);
    events.as_array().unwrap().iter().filter(|event| !event["replaces"].is_null()).count()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn the_work_of_a_revoked_device_counts_once_its_person_enrolled_it_again() {
    let scene = Scene::new();
    let tablet = &scene.tablet;
    tablet.run(&["edit", &scene.household, "dwelling_address", "村口第一家"]);
    tablet.check(&scene.household, &serde_json::json!({"answer/housing/grade": "B"}));
    scene.world.operate(&["device", "revoke", "赵强", "--reason", "以为平板丢失"]);
    tablet.refused(&["sync"], 5);
    assert_eq!(tablet.json(&["status"])["not_accepted"].as_array().unwrap().len(), 3);
    tablet.run(&["edit", &scene.household, "remarks", "找到了"]);
    assert_ne!(scene.seen_by_witness("dwelling_address"), "村口第一家");

    tablet.run(&["enrol", &scene.code_for("赵强"), "--name", "赵强的平板"]);
    let synced = tablet.sync();
    assert_eq!((number(&synced["waiting"]), &synced["complete"]), (0, &true.into()), "{synced}");
    assert_eq!(scene.seen_by_witness("dwelling_address"), "村口第一家");
    assert_eq!(scene.seen_by_witness("remarks"), "找到了");
    assert_eq!(replaced(&scene.witness, &scene.household), 3, "the edit, the visit and the remark");
    let again = tablet.sync();
    assert_eq!((number(&again["rewritten"]), number(&again["receipts"])), (0, 0), "{again}");
    let said = scene.world.operate(&["quarantine", "list"]);
    assert!(said.contains("written anew") && said.contains("4 changes"), "{said}");
    scene.verifies();
}

#[test]
fn two_named_people_adopt_what_was_kept_apart_and_history_names_them() {
    let scene = Scene::new();
    for (name, role) in [("陈晓梅", "township"), ("李国强", "supervisor"), ("周小兵", "work_team")] {
        scene.world.operate(&["user", "add", name, "--role", role, "--region", &scene.code]);
    }
    scene.tablet.run(&["edit", &scene.household, "dwelling_address", "村口第一家"]);
    scene.world.operate(&["device", "revoke", "赵强", "--reason", "平板丢失"]);
    scene.tablet.refused(&["sync"], 5);
    let kept = scene.tablet.json(&["status"])["not_accepted"][0]["change"].as_str().unwrap().to_owned();
    let word = |by: &str, reason: &str| {
        scene.world.try_operate(&["quarantine", "adopt", &kept[..12], "--by", by, "--reason", reason])
    };
    let said = |output: std::process::Output| {
        let (out, err) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        (output.status.success(), out + &err)
    };
    let (done, text) = said(word("周小兵", "看过"));
    assert!(!done && text.contains("may not decide"), "{text}");
    let (done, text) = said(word("陈晓梅", "电话核实"));
    assert!(done && text.contains("second person"), "{text}");
    let (done, text) = said(word("陈晓梅", "电话核实"));
    assert!(!done && text.contains("another one"), "{text}");
    assert_ne!(scene.seen_by_witness("dwelling_address"), "村口第一家");
    assert!(scene.world.operate(&["quarantine", "show", &kept[..12]]).contains("电话核实"));
    let (done, text) = said(word("李国强", "入户看过"));
    assert!(done && text.contains("陈晓梅") && text.contains("李国强"), "{text}");
    assert_eq!(scene.seen_by_witness("dwelling_address"), "村口第一家");
    let history = scene.witness.run(&["history", &scene.household]);
    assert!(
        history.contains("陈晓梅") && history.contains("李国强") && history.contains("入户看过"),
        "{history}"
    );
    assert!(scene.world.operate(&["quarantine", "list"]).contains("0 changes"));
    scene.verifies();
}

#[test]
fn a_copied_store_gives_its_key_up_and_counts_once_its_person_enrolled_it() {
    let scene = Scene::new();
    let copy = scene.world.device("copy");
    copy_folder(&scene.tablet.store, &copy.store);
    scene.tablet.run(&["edit", &scene.household, "dwelling_address", "村口第一家"]);
    assert_eq!(scene.tablet.sync()["provisional"], false);
    copy.run(&["edit", &scene.household, "remarks", "备份里写的"]);
    let told = copy.run(&["sync"]);
    assert!(told.contains("copied or restored"), "{told}");
    assert!(copy.run(&["status"]).contains("copied or restored"));
    assert_eq!(scene.seen_by_witness("remarks"), "备份里写的", "both branches count");

    copy.run(&["edit", &scene.household, "remarks", "临时写的"]);
    assert_eq!(copy.sync()["provisional"], true);
    assert_eq!(shown(&copy, &scene.household, "remarks"), "临时写的");
    assert_eq!(scene.seen_by_witness("remarks"), "备份里写的", "it does not count yet");
    scene.tablet.run(&["edit", &scene.household, "group_name", "九组"]);
    assert_eq!(scene.tablet.sync()["provisional"], true, "the key ended for both");
    let devices = scene.world.operate(&["device", "list"]);
    assert!(devices.contains("provisional") && devices.contains("copied or restored"), "{devices}");

    for (device, key, text) in [(&copy, "remarks", "临时写的"), (&scene.tablet, "group_name", "九组")] {
        device.run(&["enrol", &scene.code_for("赵强"), "--name", "赵强的平板"]);
        let synced = device.sync();
        assert_eq!((number(&synced["waiting"]), &synced["provisional"]), (0, &false.into()), "{synced}");
        assert!(synced["mismatched"].as_array().unwrap().is_empty(), "{synced}");
        assert_eq!(scene.seen_by_witness(key), text);
    }
    scene.verifies();
}
