//! Codes that do not enrol.

use ruhu_ledger::signature::SecretKey;

use super::{Scene, tell};
use crate::hand::{Web, enrolment};

#[test]
fn a_wrong_a_used_and_an_expired_code_enrol_nobody_and_say_why() {
    let scene = Scene::new();
    let stranger = scene.world.device("stranger");
    let url = scene.world.url();
    let refused = |arguments: &[&str], code: &str| {
        let said = stranger.refused(arguments, 5);
        assert!(said.contains(code), "{said}");
        tell(code, &said);
    };

    refused(&["enrol", "--server", &url, "--code", "K7QD-92MX-4T", "--yes"], "enrolment_code_unknown");
    let said = stranger.refused(&["enrol", "--server", &url, "--code", "K7QD-92", "--yes"], 7);
    assert!(said.contains("ten letters and digits"), "{said}");
    tell("a code too short", &said);

    let used = scene.world.invite("刘洋", "work_team", &scene.code);
    scene.world.device("刘洋").run(&["enrol", &used]);
    refused(&["enrol", &used], "enrolment_code_used");

    let late = scene.world.invite("陈静", "work_team", &scene.code);
    // A day goes by: the shortest code works for a minute, which is too long for a test to wait.
    let aged =
        scene.database().execute("UPDATE invite SET expires_ms = created_ms + 1 WHERE used_ms IS NULL", []);
    assert_eq!(aged.unwrap(), 1);
    refused(&["enrol", &late], "enrolment_code_expired");

    assert_eq!(scene.count("SELECT count(*) FROM certificate"), 4, "the server, two people, and 刘洋");
    let said = stranger.refused(&["status"], 0);
    assert!(said.is_empty(), "the stranger's store is there, and not enrolled: {said}");
    scene.honest_work_goes_on();
    scene.verifies();
}

#[test]
fn whoever_guesses_codes_is_made_to_wait_and_nobody_else_is() {
    let scene = Scene::new();
    let (web, key) = (Web::new(&scene.world), SecretKey::from_seed([9; 32]));
    let mut tries = 0;
    let (status, said) = loop {
        tries += 1;
        let answer = enrolment(&web, &key, &format!("K7QD-92MX-{tries:02}"), "tablet");
        if answer.0 != 404 {
            break answer;
        }
        assert!(tries < 100, "a hundred guesses a minute");
    };
    assert_eq!((status, &said["code"]), (429, &"rate_limited".into()), "{said}");
    tell(&format!("code guessed {tries} times"), said["detail"].as_str().unwrap_or_default());
    scene.honest_work_goes_on();
}
