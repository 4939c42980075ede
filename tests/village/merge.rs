//! Devices work offline, meet the server in any order, and end with the same records.

use serde_json::json;

use crate::world::{World, village_of};

#[test]
fn three_devices_edit_one_household_and_agree_with_nothing_lost() {
    let code = village_of(0, 12).code;
    let mut world = World::new(12);
    world.start();
    let first = world.enrol("张秀英", "work_team", &code);
    let second = world.enrol("李国强", "work_team", &code);
    let secretary = world.enrol("王建平", "first_secretary", &code);
    for device in [&first, &second, &secretary] {
        device.sync();
    }
    world.kill();

    let household = first.households()[0].clone();
    first.run(&["edit", &household, "group_name", "一组", "--reason", "户主自述"]);
    second.run(&["edit", &household, "group_name", "二组", "--source", "observed"]);
    secretary.run(&["edit", &household, "remarks", "已走访"]);
    first.check(&household, &json!({"answer/housing/grade": "A"}));
    assert_eq!(first.json(&["status"])["unsent"]["turned_away"], 0);
    first.refused(&["sync"], 4);

    world.start();
    for device in [&second, &first, &secretary, &second, &first] {
        device.sync();
    }
    let conflicts = secretary.json(&["conflicts"]);
    assert_eq!(conflicts.as_array().unwrap().len(), 1, "{conflicts}");
    assert_eq!(conflicts[0]["field"], "group_name");
    assert_eq!(conflicts[0]["values"].as_array().unwrap().len(), 2);
    assert_eq!(conflicts[0]["values"][0]["value"], "二组", "what was seen outweighs what was said");
    secretary.run(&["settle", &household, "group_name", "--choose", "2", "--reason", "到户核实"]);
    for device in [&secretary, &first, &second] {
        device.sync();
    }

    let shown = first.json(&["show", &household]);
    assert_eq!(shown, second.json(&["show", &household]));
    assert_eq!(shown, secretary.json(&["show", &household]));
    assert_eq!(shown["group"], "一组");
    let history = first.json(&["history", &household, "group_name"]);
    let news: Vec<_> = history.as_array().unwrap().iter().map(|event| event["new"].clone()).collect();
    assert!(news.contains(&json!("二组")), "the losing value stays in the history: {history}");
    assert!(world.operate(&["verify"]).contains("agree"), "{}", world.operate(&["verify"]));
}
