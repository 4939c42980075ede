//! One household's whole history after three people edited it at once, as a supervisor sees it.

use serde_json::{Value, json};

use crate::hand::Web;
use crate::world::{Device, World, village_of};

const FIELD: &str = "main_cause";

/// A village in which three people disagreed about one household, it was settled, and an edit that had
/// not seen the settlement came late.
struct Disputed {
    world: World,
    household: String,
    supervisor: Device,
    token: String,
}

impl Disputed {
    fn new() -> Self {
        let code = village_of(0, 6).code;
        let mut world = World::new(6);
        world.start();
        let first = world.enrol("张秀英", "work_team", &code);
        let second = world.enrol("李国强", "work_team", &code);
        let secretary = world.enrol("王建平", "first_secretary", &code);
        let supervisor = world.enrol("督查员", "supervisor", &code);
        for device in [&first, &second, &secretary] {
            device.sync();
        }
        let household = first.households()[0].clone();

        first.run(&["edit", &household, FIELD, "因病", "--reason", "户主自述"]);
        second.run(&["edit", &household, FIELD, "缺劳力", "--source", "observed"]);
        secretary.run(&["edit", &household, FIELD, "因学", "--source", "document", "--reason", "学籍证明"]);
        first.check(&household, &json!({"answer/housing/grade": "A"}));
        for device in [&first, &second, &secretary] {
            device.sync();
        }
        let open = secretary.json(&["conflicts"]);
        let values = open[0]["values"].as_array().unwrap();
        assert_eq!(values.len(), 3, "{open}");
        let chosen = values.iter().position(|value| value["value"] == "labour_shortage").unwrap() + 1;
        let chosen = chosen.to_string();
        secretary.run(&["settle", &household, FIELD, "--choose", &chosen, "--reason", "三人到户核实"]);
        secretary.sync();
        second.sync();

        // The first has not synced since: what is written now knows nothing of the others, yet its clock
        // and its operation counters are ahead of the settlement's.
        for day in 1..6 {
            first.run(&["edit", &household, "remarks", &format!("第{day}天")]);
        }
        first.run(&["edit", &household, FIELD, "因灾", "--source", "document"]);
        for device in [&first, &second, &secretary, &supervisor] {
            device.sync();
        }
        let token = world.operate(&["user", "token", "督查员"]);
        let token = token.lines().next().unwrap().trim().to_owned();
        Self { world, household, supervisor, token }
    }

    /// The history of the household as the server gives it to the supervisor.
    fn served(&self, query: &str) -> Vec<Value> {
        let path = format!("/v1/households/{}/history{query}", self.household);
        Web::new(&self.world).read(&self.token, &path)["events"].as_array().unwrap().clone()
    }
}

/// What both views say of an event, under one set of names.
fn of_device(event: &Value) -> Value {
    json!({
        "key": event["field"], "change": event["change"], "new": event["new"], "old": event["old"],
        "user": event["user"], "device": event["device"], "claimed_at": event["claimed_at"],
        "not_before": event["proved_not_before"], "not_after": event["proved_not_after"],
        "outside_window": event["outside_window"], "reason": event["reason"], "source": event["source"],
        "fate": event["fate"], "shown_after": event["shown_after"],
        "beside": event["concurrent_with"].as_array().unwrap().len(),
    })
}

fn of_server(event: &Value) -> Value {
    let old: Vec<&Value> = event["old"].as_array().unwrap().iter().map(|old| &old["value"]).collect();
    json!({
        "key": event["key"], "change": event["change"], "new": event["new"], "old": old,
        "user": event["user"], "device": event["device"], "claimed_at": event["claimed_at"],
        "not_before": event["not_before"], "not_after": event["not_after"],
        "outside_window": event["outside_window"], "reason": event["reason"], "source": event["source"],
        "fate": event["fate"], "shown_after": event["shown_after"],
        "beside": event["concurrent_with"].as_array().unwrap().len(),
    })
}

#[test]
fn the_supervisor_sees_every_value_who_wrote_it_when_and_what_became_of_it() {
    let disputed = Disputed::new();
    let (household, supervisor) = (&disputed.household, &disputed.supervisor);
    let table = supervisor.run(&["history", household, FIELD]);
    println!("{table}");
    let told = supervisor.json(&["history", household, FIELD]);
    println!("{told:#}");
    let events = told.as_array().unwrap();
    let of = |value: &str| -> Vec<&Value> { events.iter().filter(|event| event["new"] == value).collect() };
    assert_eq!(events.len(), 6, "the roster's, three people's, a settlement, a late one: {told}");
    for name in ["张秀英", "李国强", "王建平"] {
        assert!(table.contains(name), "{table}");
    }

    let ill = of("illness")[0];
    assert_eq!((&ill["device_name"], &ill["reason"]), (&"张秀英".into(), &"户主自述".into()));
    let school = of("schooling")[0];
    assert_eq!((&school["fate"], &school["reason"]), (&"settled_away".into(), &"学籍证明".into()));
    let [observed, settled] = of("labour_shortage")[..] else { panic!("{told}") };
    assert_eq!((&observed["source"], &observed["device_name"]), (&"observed".into(), &"李国强".into()));
    assert_eq!((&settled["settles"], &settled["fate"]), (&true.into(), &"shown".into()), "{settled}");
    assert_eq!((&settled["device_name"], &settled["reason"]), (&"王建平".into(), &"三人到户核实".into()));
    assert_eq!(settled["old"].as_array().unwrap().len(), 3, "it saw all three: {settled}");
    let late = of("disaster")[0];
    assert_eq!((&late["fate"], &late["shown_after"]), (&"beside".into(), &false.into()), "{late}");
    assert!(late["concurrent_with"].as_array().unwrap().contains(&settled["number"]), "{late}");
    assert!(late["claimed_at"].as_str() >= settled["claimed_at"].as_str(), "no clock decided");

    for event in events.iter().filter(|event| event["device_name"] != "ruhu-server") {
        let when = |name: &str| event[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
        let (before, claimed, after) =
            (when("proved_not_before"), when("claimed_at"), when("proved_not_after"));
        assert!(before - 1 <= claimed && claimed <= after, "{event}");
        assert_eq!(event["outside_window"], false, "{event}");
    }
    assert_eq!(supervisor.json(&["show", household])["open_conflicts"], 1, "the late edit opened a new one");
    let open = supervisor.json(&["conflicts"]);
    assert_eq!(
        open[0]["values"][0]["value"], "labour_shortage",
        "and the settled value is still shown: {open}"
    );
    assert_eq!(open[0]["values"][1]["value"], "disaster", "{open}");
}

#[test]
fn the_device_and_the_server_tell_the_supervisor_the_same_history() {
    let disputed = Disputed::new();
    for field in [Some(FIELD), Some("remarks"), None] {
        let arguments: Vec<&str> = ["history", &disputed.household].into_iter().chain(field).collect();
        let told = disputed.supervisor.json(&arguments);
        let told: Vec<Value> = told.as_array().unwrap().iter().map(of_device).collect();
        let query = field.map(|field| format!("?field={field}")).unwrap_or_default();
        let served: Vec<Value> = disputed.served(&query).iter().map(of_server).collect();
        assert_eq!(told.len(), served.len());
        for (told, served) in told.iter().zip(&served) {
            assert_eq!(told, served);
        }
        println!("{field:?}: {} events, the same in both views", told.len());
    }
    let village = Web::new(&disputed.world).read(&disputed.token, "/v1/villages");
    let village = village["villages"][0]["village"].as_str().unwrap();
    let open = Web::new(&disputed.world).read(&disputed.token, &format!("/v1/villages/{village}/conflicts"));
    assert_eq!(open["conflicts"].as_array().unwrap().len(), 1, "{open}");
    let said = disputed.world.operate(&["verify"]);
    assert!(said.contains("agree"), "{said}");
}
