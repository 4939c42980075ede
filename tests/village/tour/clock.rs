//! Devices whose clock is ten years off, ahead or behind.

use std::path::Path;

use ruhu_client_core::{
    Client, Cost, Edit, Environment, Error, HttpTransport, Invitation, SystemEnvironment,
};
use serde_json::Value;

use super::{Scene, tell};
use crate::hand::Web;
use crate::world::PASSPHRASE;

const TEN_YEARS_MS: i64 = 3_652 * 86_400_000;
/// Guessing the passphrase of a test may be cheap.
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

/// The real environment, with a clock that is off.
struct Off {
    real: SystemEnvironment,
    by_ms: i64,
}

impl Environment for Off {
    fn now_ms(&self) -> i64 {
        self.real.now_ms() + self.by_ms
    }

    fn monotonic_ms(&self) -> u64 {
        self.real.monotonic_ms()
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.real.fill_random(bytes)
    }
}

fn device(folder: &Path, by_ms: i64) -> Client {
    let environment = Box::new(Off { real: SystemEnvironment::new(), by_ms });
    Client::create_with_cost(folder, PASSPHRASE, CHEAP, environment).unwrap()
}

#[test]
fn edits_of_devices_ten_years_off_arrive_and_are_flagged_and_decide_nothing() {
    let scene = Scene::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let transport = HttpTransport::new(&scene.world.url()).unwrap();
    let household = scene.household.parse().unwrap();
    let mut ahead_ms = Vec::new();
    for (name, by_ms, address) in
        [("快了十年", TEN_YEARS_MS, "来自将来"), ("慢了十年", -TEN_YEARS_MS, "来自过去")]
    {
        let link = scene.world.invite(name, "work_team", &scene.code);
        let mut client = device(&scene.world.path(name), by_ms);
        let invitation = Invitation::from_link(&link).unwrap();
        let enrolled = runtime.block_on(client.enrol(&invitation, name, &mut |_| true, &transport)).unwrap();
        assert_eq!(enrolled.villages, 1);
        runtime.block_on(client.sync(&transport, &mut |_| {})).unwrap();
        client.edit_household(household, &[Edit::text("dwelling_address", address)]).unwrap();
        let report = runtime.block_on(client.sync(&transport, &mut |_| {})).unwrap();
        assert_eq!((report.progress.receipts, report.not_accepted, report.waiting), (1, 0, 0), "{report:?}");
        ahead_ms.push(client.status().unwrap().clock_ahead_ms.unwrap());
        scene.honest_work_goes_on();
    }
    assert!((ahead_ms[0] - TEN_YEARS_MS).abs() < 60_000, "the device is told: {ahead_ms:?}");
    assert!((ahead_ms[1] + TEN_YEARS_MS).abs() < 60_000, "the device is told: {ahead_ms:?}");

    let shown = scene.witness.shown(&scene.household, "dwelling_address");
    assert_eq!(shown, "来自过去", "the later edit had seen the earlier one, whatever the clocks say");
    let history = scene.witness.json(&["history", &scene.household, "dwelling_address"]);
    let flags: Vec<(&Value, &Value)> =
        history.as_array().unwrap().iter().map(|event| (&event["new"], &event["outside_window"])).collect();
    assert!(flags.contains(&(&"来自将来".into(), &true.into())), "{history}");
    assert!(flags.contains(&(&"来自过去".into(), &true.into())), "{history}");
    let honest = scene.witness.json(&["history", &scene.household, "remarks"]);
    for event in honest.as_array().unwrap() {
        assert_eq!(event["outside_window"], false, "{event}");
    }
    let table = scene.witness.run(&["history", &scene.household, "dwelling_address"]);
    assert_eq!(table.matches("claimed time outside").count(), 2, "{table}");
    tell("clocks ten years off", &table);
    scene.world.operate(&["user", "add", "督查员", "--role", "supervisor", "--region", &scene.code]);
    let token = scene.world.operate(&["user", "token", "督查员"]);
    let path = format!("/v1/households/{}/history?field=dwelling_address", scene.household);
    let served = Web::new(&scene.world).read(token.lines().next().unwrap().trim(), &path);
    let outside = |event: &&Value| event["outside_window"] == true;
    assert_eq!(served["events"].as_array().unwrap().iter().filter(outside).count(), 2, "{served}");
    scene.verifies();
}
