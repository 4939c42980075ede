//! Device and server find the same: generated households are visited, submitted and synced, and the findings of
//! both are compared.

use std::fs;

use ruhu_client_core::Client;
use ruhu_sample::{Date, Parameters, Random, VillageRequest, member_id, village, visit_facts};
use ruhu_survey::change::Value as Stored;
use ruhu_survey::form;
use ruhu_survey::household::{Because, Input, NewHousehold, NewMember};
use ruhu_survey::id::{CheckId, HouseholdId, VillageId};
use ruhu_survey::rule::{Findings, RuleAnswer};
use serde_json::{Value, json};

use crate::hand::Web;
use crate::number;
use crate::private::{device, wait};
use crate::world::{World, village_of};

/// `RUHU_FINDINGS` asks for more.
const HOUSEHOLDS: u64 = 40;
/// So many have a village.
const PER_VILLAGE: u64 = 250;
const DAY: Date = Date::new(2024, 5, 1);

/// Founds a household like an invented one; its members' ids in the order of the members.
fn founded(
    client: &mut Client,
    place: VillageId,
    sample: &ruhu_sample::SampleHousehold,
) -> (HouseholdId, Vec<String>) {
    let members: Vec<NewMember> = sample
        .members
        .iter()
        .enumerate()
        .map(|(index, member)| NewMember {
            full_name: member.full_name.clone(),
            cert_no: Some(member.certificate_no.clone()),
            fields: [
                ("relation_to_head".to_owned(), member.relation_to_head.to_owned()),
                ("certificate_type".to_owned(), member.certificate_type.to_owned()),
                ("sort".to_owned(), index.to_string()),
            ]
            .into(),
            source: None,
        })
        .collect();
    let new = NewHousehold { group_name: sample.group.clone(), address: None, phone: None };
    let household = client.new_household(place, &new, &members).unwrap();
    let read = client.household(household).unwrap().household;
    let mut ids: Vec<(i64, String)> =
        read.members.values().map(|member| (member.sort, member.id.clone())).collect();
    ids.sort();
    (household, ids.into_iter().map(|(_, id)| id).collect())
}

/// Answers the whole form as the invented household would, and submits.
fn visited(client: &mut Client, household: HouseholdId, ids: &[String], facts: &form::Facts) -> CheckId {
    let check = client.start_check(household, "screening").unwrap();
    for (key, value) in &facts.answers {
        let key =
            ids.iter().enumerate().fold(key.clone(), |key, (index, id)| key.replace(&member_id(index), id));
        if *value != Stored::Null {
            client.set_answer(check, &key, &Input::Stored(value.clone()), &Because::default()).unwrap();
        }
    }
    client.submit(check, "completed", &[]).unwrap();
    check
}

/// Findings as the server gives them out.
fn as_given(found: Findings) -> Value {
    let form = form::pinned(&found.form).unwrap();
    let found = found.without_private(form);
    let findings: Vec<Value> = found
        .findings
        .iter()
        .map(|finding| {
            json!({ "rule": finding.rule, "zh": finding.title.zh, "en": finding.title.en, "answer": finding.answer,
                "inputs": finding.inputs, "risk": finding.risk, "urgency": finding.urgency,
                "proposes": finding.proposes })
        })
        .collect();
    json!({ "ruleset": found.ruleset, "form": found.form, "formulas": found.formulas, "findings": findings })
}

/// Every household of a village is visited, every fourth one twice; answers the checks.
fn village_visited(client: &mut Client, ordinal: u64, households: u64) -> Vec<CheckId> {
    let own = client.villages().unwrap()[0].id;
    let request = VillageRequest { seed: 11, ordinal, households: households as usize, on: DAY };
    let mut random = Random::new(11 + ordinal);
    let mut checks = Vec::new();
    for (number, sample) in village(&request, Parameters::bundled()).households.iter().enumerate() {
        let (household, ids) = founded(client, own, sample);
        let visits = if number % 4 == 0 { 2 } else { 1 };
        for _ in 0..visits {
            let facts = visit_facts(&mut random, sample, DAY, "");
            checks.push(visited(client, household, &ids, &facts));
        }
    }
    checks
}

#[test]
fn device_and_server_find_the_same() {
    let households = number("RUHU_FINDINGS", HOUSEHOLDS);
    let places: Vec<_> =
        (0..households.div_ceil(PER_VILLAGE)).map(|ordinal| village_of(ordinal, 1)).collect();
    let mut world = World::without_rosters(&places);
    // One person asks for every check's findings, as fast as they come.
    let config = world.data().join("ruhu-server.toml");
    let limits = fs::read_to_string(&config).unwrap() + "requests_per_minute_max = 1000000\n";
    fs::write(&config, limits).unwrap();
    world.start();
    world.enrol("督查员", "supervisor", "430821");
    let token = world.operate(&["user", "token", "督查员"]);
    let token = token.lines().next().unwrap().trim();
    let web = Web::new(&world);
    let (mut compared, mut known) = (0, 0);
    for (ordinal, place) in (0..).zip(&places) {
        let (mut client, transport) = device(&world, &format!("甲{ordinal}"), &place.code);
        let here = PER_VILLAGE.min(households - ordinal * PER_VILLAGE);
        let checks = village_visited(&mut client, 3 + ordinal, here);
        wait(client.sync(&transport, &mut |_| {})).unwrap();
        for check in &checks {
            let ours = client.findings(*check).unwrap();
            known += ours.findings.iter().filter(|finding| finding.answer != RuleAnswer::Unknown).count();
            assert_eq!(web.read(token, &format!("/v1/checks/{check}/findings")), as_given(ours));
        }
        compared += checks.len();
    }
    println!("{households} households, {compared} checks, {known} answers of rules that are known: equal");
    assert!(compared as u64 >= households * 5 / 4 && known > compared * 12, "{known} answers are known");
}
