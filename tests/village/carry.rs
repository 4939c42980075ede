//! Visits that reach the server without their author's network: on a stick, by a colleague, or both.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use ruhu_sample::{Random, SampleAnswer, distinct_note, visit_answers};
use serde_json::Value;

use crate::world::{Device, World, village_of};

/// A server with one village, and three devices that have synced it once.
fn village(households: usize) -> (World, [Device; 3]) {
    let mut world = World::new(households);
    world.start();
    let code = village_of(0, households).code;
    let devices = ["向春生", "田桂花", "庹正国"].map(|name| world.enrol(name, "work_team", &code));
    devices.iter().for_each(|device| drop(device.sync()));
    (world, devices)
}

/// The households of a device, by name.
fn heads(device: &Device) -> Vec<String> {
    let listed = device.json(&["list"]);
    listed.as_array().unwrap().iter().map(|one| one["head"].as_str().unwrap().to_owned()).collect()
}

/// Two devices sync in one room; what each said.
pub(crate) fn meet(listener: &Device, caller: &Device) -> (Value, Value) {
    let mut listening = listener
        .command(&["sync", "--peer", "listen", "127.0.0.1:0", "--yes", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(listening.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().last().unwrap().to_owned();
    let called = caller.json(&["sync", "--peer", &address, "--yes"]);
    let ended = listening.wait_with_output().unwrap();
    assert!(ended.status.success());
    (serde_json::from_slice(&ended.stdout).unwrap(), called)
}

/// The listener does not accept the caller; what the caller was told.
pub(crate) fn not_met(listener: &Device, caller: &Device) -> String {
    let mut listening = listener
        .command(&["sync", "--peer", "listen", "127.0.0.1:0", "--yes"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(listening.stderr.take().unwrap());
    said.read_line(&mut line).unwrap();
    let address = line.split_whitespace().last().unwrap().to_owned();
    let refused = caller.refused(&["sync", "--peer", &address, "--yes"], 5);
    assert_eq!(listening.wait().unwrap().code(), Some(5));
    refused
}

#[test]
fn a_third_device_brings_a_stick_to_the_server_and_the_receipts_home() {
    let (mut world, [author, carrier, reader]) = village(3);
    author.run(&["found", "--group", "四组", "--name", "覃远志"]);
    let head = heads(&author).into_iter().find(|head| head == "覃远志").unwrap();
    let stick = world.path("visits.ruhu");
    let stick = stick.to_str().unwrap();
    author.run(&["bundle", "export", stick]);

    world.kill();
    let brought = carrier.json(&["bundle", "import", stick]);
    assert_eq!((&brought["carried"]["batches"], &brought["carried"]["received"]), (&1.into(), &0.into()));
    assert!(heads(&carrier).contains(&head));
    let status = carrier.json(&["status"]);
    assert_eq!(status["unsent"]["carried"], 1);

    world.start();
    let synced = carrier.sync();
    assert_eq!((&synced["carried"], &synced["receipts"]), (&1.into(), &0.into()));
    carrier.run(&["bundle", "export", stick]);
    let home = author.json(&["bundle", "import", stick]);
    assert_eq!(home["carried"]["receipts"], 1);
    assert_eq!(author.json(&["status"])["unsent"]["sent"], 0);
    let last = author.sync();
    assert_eq!((&last["waiting"], &last["mismatched"]), (&0.into(), &Value::Array(Vec::new())));
    reader.sync();
    assert!(heads(&reader).contains(&head));
    assert!(world.operate(&["verify"]).contains("agree"));
}

#[test]
fn two_devices_sync_without_a_server_which_then_gets_everything_once() {
    let (mut world, [one, two, _]) = village(3);
    world.kill();
    one.run(&["found", "--group", "四组", "--name", "覃远志"]);
    two.run(&["found", "--group", "五组", "--name", "伍秀兰"]);
    let (listened, called) = meet(&one, &two);
    assert_eq!((&listened["given"], &called["given"]), (&1.into(), &1.into()));
    assert_eq!(listened["peer"]["code"], called["peer"]["code"]);
    for device in [&one, &two] {
        let heads = heads(device);
        assert!(["覃远志", "伍秀兰"].iter().all(|head| heads.iter().any(|found| found == head)));
    }
    let (again, _) = meet(&two, &one);
    assert_eq!((&again["given"], &again["carried"]["batches"]), (&0.into(), &0.into()));

    world.start();
    let first = one.sync();
    assert_eq!((&first["receipts"], &first["carried"]), (&1.into(), &1.into()));
    let second = two.sync();
    assert_eq!((&second["waiting"], &second["relayed"]), (&0.into(), &0.into()));
    assert_eq!((&second["set_aside"], &second["mismatched"]), (&0.into(), &Value::Array(Vec::new())));
    assert!(world.operate(&["verify"]).contains("agree"));
}

#[test]
fn a_stick_goes_to_the_office_and_back() {
    let (mut world, [author, reader, _]) = village(2);
    author.run(&["found", "--group", "四组", "--name", "覃远志"]);
    let stick = world.path("visits.ruhu");
    let stick = stick.to_str().unwrap();
    author.run(&["bundle", "export", stick]);
    world.kill();
    let code = village_of(0, 2).code;
    assert!(world.operate(&["bundle", "import", stick]).contains("1 batches are received now"));
    assert!(world.operate(&["bundle", "import", stick]).contains("0 batches are received now"));
    let mut damaged = std::fs::read(stick).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    let broken = world.path("broken.ruhu");
    std::fs::write(&broken, damaged).unwrap();
    let refused = world.try_operate(&["bundle", "import", broken.to_str().unwrap()]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stdout).contains("Damaged at byte 57"));
    std::fs::write(&broken, "no bundle").unwrap();
    assert!(reader.refused(&["bundle", "import", broken.to_str().unwrap()], 7).contains("no bundle"));
    world.operate(&["bundle", "export", stick, "--village", &code]);
    let home = author.json(&["bundle", "import", stick]);
    assert_eq!(home["carried"]["receipts"], 1);
    let brought = reader.json(&["bundle", "import", stick]);
    assert_eq!(
        (&brought["carried"]["batches"], &brought["carried"]["receipts_of_others"]),
        (&1.into(), &1.into())
    );
    assert!(heads(&reader).iter().any(|head| head == "覃远志"));
    world.start();
    assert_eq!(author.sync()["mismatched"], Value::Array(Vec::new()));
}

#[test]
fn a_revoked_device_is_given_nothing_by_a_colleague_who_knows() {
    let (world, [one, two, _]) = village(2);
    let device = two.json(&["status"])["device"]["device"].as_str().unwrap().to_owned();
    world.operate(&["device", "revoke", &device, "--reason", "lost"]);
    one.sync();
    one.run(&["found", "--group", "四组", "--name", "覃远志"]);
    let refused = not_met(&one, &two);
    assert!(refused.contains("the other device was revoked"), "{refused}");
    assert!(!heads(&two).iter().any(|head| head == "覃远志"));
}

fn as_json(answer: &SampleAnswer) -> Value {
    match answer.value.to_value() {
        ruhu_survey::change::Value::Text(text) => text.into(),
        ruhu_survey::change::Value::Int(number) => number.into(),
        ruhu_survey::change::Value::Bool(flag) => flag.into(),
        other => panic!("no answer is {other:?}"),
    }
}

#[test]
fn ten_visits_are_one_code_for_a_colleague_and_for_the_office() {
    let (mut world, [author, reader, other]) = village(10);
    let mut random = Random::new(1);
    for household in village_of(0, 10).households {
        let given = visit_answers(&mut random, &household);
        let mut answers: serde_json::Map<String, Value> =
            given.iter().skip(1).map(|one| (one.key(), as_json(one))).collect();
        // No note is like another.
        answers.insert("answer/visit/note".to_owned(), distinct_note(&mut random).into());
        assert_eq!(answers.len(), 25);
        let file = world.path("answers.json");
        std::fs::write(&file, Value::Object(answers).to_string()).unwrap();
        author.run(&["check", &household.national_no, "--answers", file.to_str().unwrap()]);
    }
    world.kill();
    let shown = author.json(&["bundle", "qr"]);
    let codes = shown["codes"].as_array().unwrap();
    assert_eq!(codes.len(), 1, "ten visits are one code");
    let code = codes[0].as_str().unwrap();
    let brought = reader.json(&["bundle", "import", "--qr-text", code]);
    let carried = &brought["carried"];
    assert_eq!(
        (&carried["batches"], &carried["not_built"], &carried["set_aside"]),
        (&1.into(), &0.into(), &0.into())
    );
    let listed = reader.json(&["list"]);
    assert!(listed.as_array().unwrap().iter().all(|one| one["last_result"] == "completed"));

    // What is in a code is a file too: at the office it comes straight from the author, to a third person by the reader.
    let stick = world.path("code.ruhu");
    std::fs::write(&stick, ruhu_sync::bundle::code::join([code]).unwrap()).unwrap();
    let stick = stick.to_str().unwrap();
    assert!(world.operate(&["bundle", "import", stick]).contains("1 batches are received now"));
    assert!(world.operate(&["bundle", "import", stick]).contains("0 batches are received now"));
    reader.run(&["bundle", "export", stick]);
    assert_eq!(other.json(&["bundle", "import", stick])["carried"]["not_built"], 0);
    world.start();
    for device in [&author, &reader, &other] {
        let synced = device.sync();
        assert_eq!((&synced["waiting"], &synced["mismatched"]), (&0.into(), &Value::Array(Vec::new())));
        let listed = device.json(&["list"]);
        assert!(listed.as_array().unwrap().iter().all(|one| one["last_result"] == "completed"));
    }
    assert!(world.operate(&["verify"]).contains("agree"));
}
