//! The first sync of a village: what it costs on the day of the roster, and what it brings.

use serde_json::Value;

use crate::world::World;

/// 450 KB for the village itself on the day of the roster, and on top the keys of private values, 80 bytes a
/// household, and what any sync costs.
const FIRST_SYNC_BYTES_MAX: u64 = 450_000 + 1_000 * 80 + 8_000;

#[test]
fn the_first_sync_of_a_thousand_households_is_one_piece_and_within_its_budget() {
    let code = crate::world::village_of(0, 1_000).code;
    let mut world = World::new(1_000);
    world.start();
    let device = world.enrol("张秀英", "work_team", &code);
    let synced = device.sync();
    let count = |field: &str| synced[field].as_u64().unwrap();
    let (got, sent) = (count("got_bytes"), count("sent_bytes"));
    println!("first sync of 1,000 households: {got} bytes down, {sent} up, {} requests", synced["requests"]);
    assert_eq!((count("snapshots"), count("relayed")), (1, 0));
    assert_eq!(synced["mismatched"], Value::Array(Vec::new()));
    assert_eq!(synced["repairs"], Value::Array(Vec::new()));
    assert_eq!(device.households().len(), 1_000);
    assert!(got + sent <= FIRST_SYNC_BYTES_MAX, "{got} bytes down and {sent} up");
    let again = device.sync();
    assert_eq!(
        (again["snapshots"].as_u64(), again["mismatched"].as_array().map(Vec::len)),
        (Some(0), Some(0))
    );
}
