//! What readers are shown.

use axum::http::StatusCode;
use ruhu_ledger::batch::Anchor;
use ruhu_ledger::checkpoint::{Checkpoint, NoteKey};
use ruhu_ledger::verdict::VerdictKind;
use ruhu_survey::change::{OpId, Value};
use ruhu_survey::id::{CheckId, HouseholdId};
use ruhu_survey::register::derived_id;
use ruhu_survey::role::Role;
use ruhu_survey::sealed::{HouseholdKey, seal};

use super::fixture::{Fixture, LONGTAN_CODE, start_of_check};
use crate::store::LedgerStore as _;
use crate::store::world::{DEPLOYMENT, EPOCH, LONGTAN, household, kinds, text};

fn id(index: u8) -> HouseholdId {
    HouseholdId::from_bytes([index; 16])
}

#[tokio::test]
async fn the_villages_of_the_scope_are_listed_by_code() {
    let fixture = Fixture::new();
    let county = fixture.supervisor();
    let village = fixture.token("第一书记", Role::FirstSecretary, &[LONGTAN_CODE]);
    let all = fixture.get("/v1/villages", &county).await.json();
    assert_eq!(all["villages"].as_array().unwrap().len(), 2);
    assert_eq!(all["next"], serde_json::Value::Null);
    let one = fixture.get("/v1/villages", &village).await.json();
    assert_eq!(one["villages"].as_array().unwrap().len(), 1);
    assert_eq!(one["villages"][0]["village"], LONGTAN.to_string());
    let first = fixture.get("/v1/villages?limit=1", &county).await.json();
    let next = first["next"].as_str().unwrap();
    let second = fixture.get(&format!("/v1/villages?limit=1&after={next}"), &county).await.json();
    assert_eq!(second["villages"][0]["name"], "双云村");
    assert_eq!(second["next"], serde_json::Value::Null);
}

#[tokio::test]
async fn households_are_paged_and_searched() {
    let fixture = Fixture::new();
    let (world, token) = (fixture.world(), fixture.supervisor());
    let mut tablet = world.tablet(10);
    let written: Vec<_> = (1..=5)
        .map(|index| {
            let member = derived_id(OpId { counter: 2, actor: tablet.actor() });
            let name = format!("member/{member}/full_name");
            let puts =
                [("group_name", text("一组")), (&name, text(["张秀英", "李大山"][usize::from(index % 2)]))];
            tablet.write(household(index), &puts)
        })
        .collect();
    let batch = tablet.seal(&written.iter().collect::<Vec<_>>());
    assert_eq!(kinds(&world.receive(&batch)), [VerdictKind::Accepted; 5]);
    world.settle();
    let base = format!("/v1/villages/{LONGTAN}/households");
    let mut seen = Vec::new();
    let mut path = format!("{base}?limit=2");
    loop {
        let page = fixture.get(&path, &token).await.json();
        let rows = page["households"].as_array().unwrap();
        assert!(rows.len() <= 2);
        seen.extend(rows.iter().map(|row| row["household"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => path = format!("{base}?limit=2&after={next}"),
            None => break,
        }
    }
    seen.sort();
    assert_eq!(seen, (1..=5).map(|index| id(index).to_string()).collect::<Vec<_>>());
    let found = fixture.get(&format!("{base}?search=%E7%A7%80%E8%8B%B1"), &token).await.json();
    assert_eq!(found["households"].as_array().unwrap().len(), 2);
    let none = fixture.get(&format!("{base}?group=%E4%BA%8C%E7%BB%84"), &token).await.json();
    assert!(none["households"].as_array().unwrap().is_empty());
}

/// Two people write different causes of one household's poverty without having seen each other's.
async fn disagreement(fixture: &Fixture) -> String {
    let world = fixture.world();
    let (mut one, mut other) = (world.tablet(10), world.tablet(11));
    let founded = one.found(household(1), "一组");
    world.receive(&one.seal(&[&founded]));
    other.learn(&world, household(1));
    let mine = one.write(household(1), &[("main_cause", text("illness"))]);
    let theirs = other.write(household(1), &[("main_cause", text("schooling"))]);
    world.receive(&one.seal(&[&mine]));
    world.receive(&other.seal(&[&theirs]));
    world.settle();
    fixture.supervisor()
}

#[tokio::test]
async fn a_conflict_shows_everybodys_value_with_who_and_when() {
    let fixture = Fixture::new();
    let token = disagreement(&fixture).await;
    let list = fixture.get(&format!("/v1/villages/{LONGTAN}/conflicts"), &token).await.json();
    let [conflict] = list["conflicts"].as_array().unwrap().as_slice() else { panic!("{list}") };
    assert_eq!(
        (&conflict["key"], &conflict["document"]["kind"]),
        (&"main_cause".into(), &"household".into())
    );
    let values = conflict["values"].as_array().unwrap();
    assert_eq!(values.len(), 2);
    for value in values {
        assert!(value["claimed_at"].as_str().unwrap().ends_with('Z'));
        assert!(value["not_after"].as_str().unwrap().ends_with('Z'));
        assert_eq!(value["outside_window"], false);
        assert_eq!(value["device"].as_str().unwrap().len(), 36);
    }
    let detail = fixture.get(&format!("/v1/households/{}", id(1)), &token).await.json();
    assert_eq!(detail["conflicts"], list["conflicts"]);
    assert_eq!(detail["fields"]["main_cause"], values[0]["value"]);
}

#[tokio::test]
async fn a_history_names_every_author_and_what_lost() {
    let fixture = Fixture::new();
    let token = disagreement(&fixture).await;
    let path = format!("/v1/households/{}/history", id(1));
    let whole = fixture.get(&path, &token).await.json();
    assert_eq!(whole["events"].as_array().unwrap().len(), 3);
    let field = fixture.get(&format!("{path}?field=main_cause"), &token).await.json();
    let events = field["events"].as_array().unwrap();
    assert_eq!(events.len(), 2);
    let fates: std::collections::BTreeSet<&str> =
        events.iter().map(|event| event["fate"].as_str().unwrap()).collect();
    assert_eq!(fates, ["beside", "shown"].into());
    for event in events {
        assert_eq!(event["concurrent_with"].as_array().unwrap().len(), 1);
        assert_eq!(event["claimed_at"], "2026-03-02T01:00:00Z");
        assert_eq!(event["not_after"], "2026-03-02T01:00:00.000Z");
    }
}

#[tokio::test]
async fn a_claim_far_from_its_window_is_flagged_and_shown_beside_it() {
    let fixture = Fixture::new();
    let token = fixture.supervisor();
    let (mut honest, mut late) = (fixture.world().tablet(10), fixture.world().tablet(11));
    fixture.clock.forward(2 * 3_600_000);
    let world = fixture.world();
    let founded = honest.found(household(1), "一组");
    world.receive(&honest.seal(&[&founded]));
    let checkpoint = fixture.store.checkpoint_sign(world.now_ms, &fixture.keys.signing).unwrap();
    // The late tablet has seen a log of 11 o'clock and claims to write at 9.
    late.anchor = Anchor { epoch: EPOCH, size: checkpoint.size, root: checkpoint.root };
    let claimed = late.found(household(2), "二组");
    world.receive(&late.seal(&[&claimed]));
    world.settle();
    let first = |index: u8| format!("/v1/households/{}/history", id(index));
    let honest = fixture.get(&first(1), &token).await.json()["events"][0].clone();
    assert_eq!((&honest["outside_window"], &honest["not_before"]), (&false.into(), &serde_json::Value::Null));
    let late = fixture.get(&first(2), &token).await.json()["events"][0].clone();
    assert_eq!(late["claimed_at"], "2026-03-02T01:00:00Z");
    assert_eq!(late["not_before"], "2026-03-02T03:00:00.000Z");
    assert_eq!(late["not_after"], "2026-03-02T03:00:00.000Z");
    assert_eq!(late["outside_window"], true);
}

#[tokio::test]
async fn a_private_value_leaves_as_its_mask_only() {
    let fixture = Fixture::new();
    let (world, token) = (fixture.world(), fixture.supervisor());
    let mut tablet = world.tablet(10);
    let (key, phone) = (HouseholdKey::from_bytes([9; 64]), "13900001234");
    let sealed = seal(&key, LONGTAN, household(1), "contact_phone", phone);
    let puts = [
        ("group_name", text("一组")),
        ("contact_phone", Value::Bytes(sealed.clone())),
        ("contact_phone/mask", text("****1234")),
        ("contact_phone/tag", text("0123456789abcdef")),
    ];
    let written = tablet.write(household(1), &puts);
    assert_eq!(kinds(&world.receive(&tablet.seal(&[&written]))), [VerdictKind::Accepted]);
    world.settle();
    let detail = fixture.get(&format!("/v1/households/{}", id(1)), &token).await;
    assert_eq!(detail.json()["contact_phone"], serde_json::json!({ "there": true, "mask": "****1234" }));
    assert_eq!(detail.json()["fields"]["contact_phone"], serde_json::json!({ "sealed": true }));
    let history = fixture.get(&format!("/v1/households/{}/history", id(1)), &token).await;
    let feed = fixture.get(&format!("/v1/villages/{LONGTAN}/changes"), &token).await;
    for answer in [detail, history, feed] {
        let body = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(!body.contains(phone) && !body.contains(&crate::keys::hex(&sealed[1..9])), "{body}");
    }
}

#[tokio::test]
async fn a_check_shows_who_writes_it_and_since_when() {
    let fixture = Fixture::new();
    let (world, token) = (fixture.world(), fixture.supervisor());
    let mut tablet = world.tablet(10);
    let founded = tablet.found(household(1), "一组");
    let check = CheckId::from_bytes([2; 16]);
    let device = tablet.device().to_string();
    let household_id = id(1).to_string();
    let started = tablet.write(check.into(), &start_of_check(&household_id, &device));
    world.receive(&tablet.seal(&[&founded, &started]));
    world.settle();
    let list = fixture.get(&format!("/v1/households/{household_id}/checks"), &token).await.json();
    assert_eq!(list["checks"][0]["check"], check.to_string());
    assert_eq!(list["checks"][0]["started_at"], "2026-03-02T01:00:00.000Z");
    let detail = fixture.get(&format!("/v1/checks/{check}"), &token).await.json();
    assert_eq!(detail["household"], household_id);
    assert_eq!(detail["started_by"], device);
    let history = fixture.get(&format!("/v1/checks/{check}/history"), &token).await.json();
    assert_eq!(history["events"].as_array().unwrap().len(), 5);
    let missing = fixture.get(&format!("/v1/checks/{}", CheckId::from_bytes([9; 16])), &token).await;
    assert_eq!(missing.code(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn changes_are_followed_by_cursor_whatever_became_of_them() {
    let fixture = Fixture::new();
    let (world, token) = (fixture.world(), fixture.supervisor());
    let mut tablet = world.tablet(10);
    let (founded, offence) = (tablet.found(household(1), "一组"), tablet.offend(household(1)));
    world.receive(&tablet.seal(&[&founded, &offence]));
    world.settle();
    let path = format!("/v1/villages/{LONGTAN}/changes");
    let feed = fixture.get(&path, &token).await.json();
    let standings: Vec<&str> = feed["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["standing"].as_str().unwrap())
        .collect();
    assert_eq!(standings, ["accepted", "quarantined"]);
    assert_eq!(feed["changes"][1]["rule"], "unknown_key");
    let cursor = feed["cursor"].as_u64().unwrap();
    let later = fixture.get(&format!("{path}?since={cursor}"), &token).await.json();
    assert!(later["changes"].as_array().unwrap().is_empty());
    assert_eq!(later["more"], false);
    let quarantine = fixture.get(&format!("/v1/villages/{LONGTAN}/quarantine"), &token).await.json();
    assert_eq!(quarantine["changes"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn devices_are_listed_with_when_they_were_last_heard_of() {
    let fixture = Fixture::new();
    let (world, token) = (fixture.world(), fixture.supervisor());
    let (mut tablet, lost) = (world.tablet(10), world.tablet(11));
    let founded = tablet.found(household(1), "一组");
    world.receive(&tablet.seal(&[&founded]));
    fixture.get_as("/v1/villages", &tablet).await;
    world.revoke(lost.device());
    let list = fixture.get(&format!("/v1/villages/{LONGTAN}/devices"), &token).await.json();
    let devices = list["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 2);
    assert_eq!(devices[0]["device"], tablet.device().to_string());
    assert_eq!(devices[0]["seen_at"], "2026-03-02T01:00:00.000Z");
    assert_eq!(devices[0]["received_at"], "2026-03-02T01:00:00.000Z");
    assert_eq!(devices[0]["user_name"], "队员10");
    assert_eq!(devices[1]["revoked_because"], "lost");
    assert_eq!(devices[1]["seen_at"], serde_json::Value::Null);
}

#[tokio::test]
async fn the_log_is_proved_to_whoever_asks() {
    let fixture = Fixture::new();
    let (world, token) = (fixture.world(), fixture.supervisor());
    fixture.state.checkpoint().await.unwrap();
    let key = NoteKey::of_log(DEPLOYMENT, fixture.keys.signing.public());
    let note = fixture.get("/v1/log/checkpoint", &token).await;
    let old = Checkpoint::open(std::str::from_utf8(&note.body).unwrap(), &key).unwrap();
    let mut tablet = world.tablet(10);
    let founded = tablet.found(household(1), "一组");
    world.receive(&tablet.seal(&[&founded]));
    fixture.state.checkpoint().await.unwrap();
    let note = fixture.get("/v1/log/checkpoint", &token).await;
    let new = Checkpoint::open(std::str::from_utf8(&note.body).unwrap(), &key).unwrap();
    let hashes = |json: &serde_json::Value| -> Vec<[u8; 32]> {
        use base64::Engine as _;
        let decode = |hash: &serde_json::Value| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(hash.as_str().unwrap());
            bytes.unwrap().try_into().unwrap()
        };
        json["hashes"].as_array().unwrap().iter().map(decode).collect()
    };
    let proof = fixture.get(&format!("/v1/log/proof?from={}", old.size), &token).await.json();
    ruhu_ledger::tree::verify_consistency(old.size, &old.root, new.size, &new.root, &hashes(&proof)).unwrap();
    let proof = fixture.get("/v1/log/proof?leaf=1", &token).await.json();
    let leaf = {
        use base64::Engine as _;
        let bytes = proof["leaf_bytes"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD.decode(bytes).unwrap()
    };
    let hash = ruhu_ledger::tree::leaf_hash(&leaf);
    ruhu_ledger::tree::verify_inclusion(&hash, 1, new.size, &hashes(&proof), &new.root).unwrap();
    let beyond = fixture.get(&format!("/v1/log/proof?leaf={}", new.size), &token).await;
    assert_eq!(beyond.code(), (404, "not_found".to_owned()));
    assert_eq!(beyond.status, StatusCode::NOT_FOUND);
}
