//! A device whose key was revoked: what it still sends is kept apart, not taken and not thrown away.

use super::{Scene, tell};

#[test]
fn the_later_batches_of_a_revoked_device_lie_in_quarantine_and_everybody_is_told() {
    let scene = Scene::new();
    let lost = scene.world.enrol("赵强", "work_team", &scene.code);
    lost.sync();
    lost.run(&["edit", &scene.household, "dwelling_address", "村口第一家"]);
    assert_eq!(lost.sync()["not_accepted"], 0);

    lost.run(&["edit", &scene.household, "dwelling_address", "不知去向"]);
    lost.check(&scene.household, &serde_json::json!({"answer/housing/grade": "B"}));
    let said = scene.world.operate(&["device", "revoke", "赵强", "--reason", "平板丢失"]);
    tell("device revoke", &said);
    scene.honest_work_goes_on();

    let said = lost.refused(&["sync"], 5);
    assert!(said.contains("device_revoked"), "{said}");
    tell("sync of the revoked device", &said);
    let status = lost.json(&["status"]);
    let kept = status["not_accepted"].as_array().unwrap();
    assert_eq!(kept.len(), 3, "the edit, the check and the visit: {status}");
    for one in kept {
        assert_eq!((&one["state"], &one["rule"]), (&"quarantined".into(), &"device_revoked".into()), "{one}");
    }
    assert_eq!(status["unsent"]["queued"], 0, "the server has them: {status}");
    assert!(!status["device"]["revoked_at"].is_null(), "the device knows: {status}");
    tell("status of the revoked device", &lost.run(&["status"]));
    assert_eq!(scene.count("SELECT count(*) FROM change WHERE standing = 3 AND rule = 'device_revoked'"), 3);

    let listed = scene.world.operate(&["device", "list"]);
    let line = listed.lines().find(|line| line.contains("赵强")).unwrap();
    assert!(line.contains("revoked") && line.contains("平板丢失") && line.contains(" 3 "), "{listed}");
    tell("device list", &listed);

    lost.refused(&["sync"], 5);
    assert_eq!(scene.count("SELECT count(*) FROM change WHERE standing = 3"), 3, "nothing comes twice");
    scene.honest_work_goes_on();
    assert_eq!(scene.witness.shown(&scene.household, "dwelling_address"), "村口第一家");
    scene.verifies();
}
