//! Snapshots, households apart from the feed and repairs over HTTP, and who is not given them.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::StatusCode;
use ruhu_ledger::snapshot::SignedSnapshot;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ChangeHash, Value};
use ruhu_survey::id::{CheckId, HouseholdId};
use ruhu_survey::role::Role;
use ruhu_sync::limits::{REPAIR_BYTES_MAX, SNAPSHOT_ANSWER_BYTES};
use ruhu_sync::reconcile::{Difference, Item, difference};
use ruhu_sync::repair::{RepairQuestion, SymbolsAnswer};
use ruhu_sync::snapshot::{Content, Sealed, open};
use ruhu_sync::{DocumentToken, ResponseFrame};

use super::fixture::{Answer, Fixture, LONGTAN_CODE, signed, start_of_check};
use crate::limits::{SNAPSHOT_ENTRIES, SNAPSHOTS_KEPT_MAX};
use crate::store::world::{LONGTAN, SHUANGYUN, Tablet, household, text};
use crate::store::{CopyStore as _, LedgerStore as _};

/// A tablet that has written one household more often than a snapshot needs, and three checks of it.
fn with_history(fixture: &Fixture) -> Tablet {
    let world = fixture.world();
    let mut tablet = world.tablet(40);
    let founded = tablet.found(household(1), "一组");
    world.receive(&tablet.seal(&[&founded]));
    for number in 0..SNAPSHOT_ENTRIES {
        let remark = tablet.remark(household(1), &format!("第{number}条"));
        world.receive(&tablet.seal(&[&remark]));
    }
    for number in 0..3_u8 {
        visit(fixture, &mut tablet, number);
    }
    world.settle();
    tablet
}

/// A submitted check; the later the higher its number.
fn visit(fixture: &Fixture, tablet: &mut Tablet, number: u8) -> CheckId {
    let check = CheckId::from_bytes([number + 1; 16]);
    let (id, device) = (HouseholdId::from_bytes([1; 16]).to_string(), tablet.device().to_string());
    let mut puts = start_of_check(&id, &device);
    puts.retain(|(key, _)| *key != "started_at");
    puts.push(("started_at", Value::Int(1_772_413_200_000 + i64::from(number) * 86_400_000)));
    puts.push(("answer/housing/grade", text("a")));
    let started = tablet.write(check.into(), &puts);
    let submitted = tablet.edit(check.into(), |builder| {
        ruhu_survey::check::submit(builder, "completed").unwrap();
    });
    let receipt = fixture.world().receive(&tablet.seal(&[&started, &submitted]));
    assert_eq!(receipt.statement.verdicts, [Verdict::Accepted, Verdict::Accepted]);
    check
}

fn path(rest: &str) -> String {
    format!("/v1/villages/{LONGTAN}/{rest}")
}

async fn statement(fixture: &Fixture, tablet: &Tablet) -> SignedSnapshot {
    let answer = fixture.get_as(&path("snapshot"), tablet).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    SignedSnapshot::from_bytes(&answer.body).unwrap()
}

async fn bytes(fixture: &Fixture, tablet: &Tablet, statement: &SignedSnapshot, from: usize) -> Answer {
    let id = ChangeHash(statement.statement.id());
    fixture.get_as(&path(&format!("snapshot/{id}?from={from}")), tablet).await
}

async fn taken(fixture: &Fixture, tablet: &Tablet) -> Content {
    let statement = statement(fixture, tablet).await;
    let packed = bytes(fixture, tablet, &statement, 0).await.body.to_vec();
    open(&Sealed { statement, packed }, &fixture.keys.signing.public()).unwrap()
}

#[tokio::test]
async fn a_village_is_given_in_one_piece_without_its_older_checks() {
    let fixture = Fixture::new();
    let tablet = with_history(&fixture);
    let content = taken(&fixture, &tablet).await;
    let kinds: Vec<_> = content.documents.iter().map(|part| (part.id, part.accepted.len())).collect();
    let last = CheckId::from_bytes([3; 16]).into();
    let edits = usize::try_from(SNAPSHOT_ENTRIES).unwrap() + 1;
    assert_eq!(kinds, [(household(1), edits), (last, 2)]);
    assert_eq!(content.left_out.len(), 2);
    assert!(content.left_out.iter().all(|left| left.household == HouseholdId::from_bytes([1; 16])));
    assert_eq!(content.batches.iter().filter(|batch| batch.tip).count(), 1);
    assert!(content.certificates.iter().any(|signed| signed.statement.device() == tablet.device()));
}

#[tokio::test]
async fn the_bytes_of_a_snapshot_stay_the_same_and_are_given_from_any_byte_on() {
    let fixture = Fixture::new();
    let mut tablet = with_history(&fixture);
    let first = statement(&fixture, &tablet).await;
    let whole = bytes(&fixture, &tablet, &first, 0).await.body;
    assert_eq!(whole.len() as u64, first.statement.packed_bytes);
    assert!(whole.len() <= SNAPSHOT_ANSWER_BYTES);
    for from in [1, 17, whole.len() - 1, whole.len(), whole.len() + 9] {
        let rest = bytes(&fixture, &tablet, &first, from).await.body;
        assert_eq!(rest, whole.slice(from.min(whole.len())..), "from {from}");
    }
    let remark = tablet.remark(household(1), "又一条");
    fixture.world().receive(&tablet.seal(&[&remark]));
    assert_eq!(statement(&fixture, &tablet).await, first, "one entry is not worth another");
}

#[tokio::test]
async fn a_newer_snapshot_comes_with_more_entries_and_old_ones_go() {
    let fixture = Fixture::new();
    let mut tablet = with_history(&fixture);
    let first = statement(&fixture, &tablet).await;
    for _ in 0..SNAPSHOTS_KEPT_MAX {
        for number in 0..SNAPSHOT_ENTRIES {
            let remark = tablet.remark(household(1), &format!("再{number}条"));
            fixture.world().receive(&tablet.seal(&[&remark]));
        }
        assert_eq!(bytes(&fixture, &tablet, &first, 0).await.status, StatusCode::OK, "still kept");
        assert!(statement(&fixture, &tablet).await.statement.number > first.statement.number);
    }
    assert_eq!(bytes(&fixture, &tablet, &first, 0).await.code(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_short_feed_has_no_snapshot() {
    let fixture = Fixture::new();
    let mut tablet = fixture.world().tablet(40);
    let founded = tablet.found(household(1), "一组");
    fixture.world().receive(&tablet.seal(&[&founded]));
    assert_eq!(fixture.get_as(&path("snapshot"), &tablet).await.code(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_change_that_is_kept_apart_travels_with_its_verdict() {
    let fixture = Fixture::new();
    let mut tablet = with_history(&fixture);
    let offence = tablet.offend(household(1));
    fixture.world().receive(&tablet.seal(&[&offence]));
    let content = taken(&fixture, &tablet).await;
    let (line, verdict) = &content.documents[0].apart[0];
    assert_eq!(line.bytes, offence.bytes);
    assert!(matches!(verdict, Verdict::Quarantined { .. }), "{verdict:?}");
}

#[tokio::test]
async fn devices_of_the_village_only_are_given_anything() {
    let fixture = Fixture::new();
    let tablet = with_history(&fixture);
    let id = ChangeHash(statement(&fixture, &tablet).await.statement.id());
    let elsewhere =
        fixture.world().enrol(41, &[SHUANGYUN], ruhu_ledger::certificate::CertificateKind::Device);
    let provisional =
        fixture.world().enrol(42, &[LONGTAN], ruhu_ledger::certificate::CertificateKind::Provisional);
    let person = fixture.token("队员", Role::WorkTeam, &[LONGTAN_CODE]);
    let household = format!("/v1/households/{}/batches", HouseholdId::from_bytes([1; 16]));
    let paths = [path("snapshot"), path(&format!("snapshot/{id}?from=0")), household];
    for (place, path) in paths.iter().enumerate() {
        assert_eq!(fixture.get(path, &person).await.code(), (403, "role_may_not_read".to_owned()));
        let expected = if place == 2 { (404, "not_found") } else { (403, "village_not_granted") };
        for (stranger, (status, code)) in
            [(&elsewhere, expected), (&provisional, (403, "device_provisional"))]
        {
            let answer = fixture.get_as(path, stranger).await;
            assert_eq!(answer.code(), (status, code.to_owned()), "{path}");
        }
        assert_eq!(fixture.get_as(path, &tablet).await.status, StatusCode::OK);
    }
    let question = RepairQuestion::Symbols { key: [1; 16], from: 0, count: 4 }.to_bytes();
    for (stranger, code) in [(&elsewhere, "village_not_granted"), (&provisional, "device_provisional")] {
        let answer = repair(&fixture, stranger, question.clone()).await;
        assert_eq!(answer.code(), (403, code.to_owned()));
    }
}

#[tokio::test]
async fn paths_that_name_no_snapshot_are_refused() {
    let fixture = Fixture::new();
    let tablet = with_history(&fixture);
    for rest in ["snapshot/nonsense", "snapshot/abcd?from=0", "snapshot/AA?from=x"] {
        assert_eq!(fixture.get_as(&path(rest), &tablet).await.code(), (400, "parameter_invalid".to_owned()));
    }
    let unknown = path(&format!("snapshot/{}?from=0", ChangeHash([7; 32])));
    assert_eq!(fixture.get_as(&unknown, &tablet).await.code(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn the_batches_of_a_household_come_apart_from_the_feed() {
    let fixture = Fixture::new();
    let mut tablet = with_history(&fixture);
    let other = tablet.found(household(2), "二组");
    fixture.world().receive(&tablet.seal(&[&other]));
    let path = format!("/v1/households/{}/batches", HouseholdId::from_bytes([1; 16]));
    let frames = fixture.get_as(&path, &tablet).await.frames();
    let batches = frames.iter().filter(|frame| matches!(frame, ResponseFrame::Relayed(_))).count();
    assert_eq!(batches as u64, SNAPSHOT_ENTRIES + 1 + 3, "all but that of the other household");
    assert!(frames.iter().any(|frame| matches!(frame, ResponseFrame::Certificate(_))));
    let done = frames.iter().find_map(|frame| match frame {
        ResponseFrame::VillageDone(done) => Some(done.more),
        _ => None,
    });
    assert_eq!(done, Some(false));
    let none = format!("/v1/households/{}/batches", HouseholdId::from_bytes([9; 16]));
    assert_eq!(fixture.get_as(&none, &tablet).await.code(), (404, "not_found".to_owned()));
}

async fn repair(fixture: &Fixture, tablet: &Tablet, question: Vec<u8>) -> Answer {
    let request = signed("POST", &path("repair"), &fixture.nonce(), tablet, &question);
    fixture.send(request.body(Body::from(question)).unwrap()).await
}

/// What the server has that a device with these documents lacks, and the other way round.
async fn differing(fixture: &Fixture, tablet: &Tablet, own: &BTreeSet<Item>) -> Difference {
    let question = RepairQuestion::Symbols { key: [1; 16], from: 0, count: 64 };
    let answer = SymbolsAnswer::from_bytes(&repair(fixture, tablet, question.to_bytes()).await.body).unwrap();
    difference(own, &answer.symbols).unwrap()
}

#[tokio::test]
async fn a_device_finds_what_it_lacks_and_is_given_just_that() {
    let fixture = Fixture::new();
    let mut tablet = with_history(&fixture);
    let mut own = BTreeSet::new();
    for token in fixture.store.document_tokens(LONGTAN).unwrap().documents.into_keys() {
        own.insert(Item::of(&[1; 16], token));
    }
    assert_eq!(differing(&fixture, &tablet, &own).await, Difference::default());
    let other = tablet.found(household(2), "二组");
    fixture.world().receive(&tablet.seal(&[&other]));
    let found = differing(&fixture, &tablet, &own).await;
    let token = DocumentToken::of(household(2), &BTreeSet::from([other.hash]));
    assert_eq!(found.theirs, BTreeSet::from([Item::of(&[1; 16], token)]));
    let documents = found.theirs.into_iter().collect();
    let question = RepairQuestion::Documents { key: [1; 16], after: 0, documents };
    let frames = repair(&fixture, &tablet, question.to_bytes()).await.frames();
    assert_eq!(frames.iter().filter(|frame| matches!(frame, ResponseFrame::Relayed(_))).count(), 1);
}

#[tokio::test]
async fn symbols_asked_for_in_parts_are_the_symbols_asked_for_at_once() {
    let fixture = Fixture::new();
    let tablet = with_history(&fixture);
    let mut parts = Vec::new();
    for (from, count) in [(0, 5), (5, 10), (15, 49)] {
        let question = RepairQuestion::Symbols { key: [3; 16], from, count };
        let answer = repair(&fixture, &tablet, question.to_bytes()).await;
        parts.extend(SymbolsAnswer::from_bytes(&answer.body).unwrap().symbols);
    }
    let question = RepairQuestion::Symbols { key: [3; 16], from: 0, count: 64 };
    let answer = repair(&fixture, &tablet, question.to_bytes()).await;
    assert_eq!(SymbolsAnswer::from_bytes(&answer.body).unwrap().symbols, parts);
}

#[tokio::test]
async fn damaged_derived_state_changes_no_answer_of_a_repair_and_rebuilding_restores_the_snapshot() {
    let fixture = Fixture::new();
    let tablet = with_history(&fixture);
    let before = (fixture.store.document_tokens(LONGTAN).unwrap(), taken(&fixture, &tablet).await);
    fixture
        .store
        .write(|tx| {
            tx.execute("UPDATE document SET register = x'00'", [])?;
            tx.execute("DELETE FROM check_row", [])?;
            Ok(tx.execute("DELETE FROM chain_tip", [])?)
        })
        .unwrap();
    assert_eq!(fixture.store.document_tokens(LONGTAN).unwrap(), before.0);
    fixture.store.rebuild_documents().unwrap();
    fixture.world().settle();
    let material = fixture.store.snapshot_material(LONGTAN).unwrap().unwrap();
    assert_eq!(material.content, before.1);
    assert_eq!(material.fingerprint, before.0.fingerprint);
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_refused() {
    let fixture = Fixture::new();
    let tablet = with_history(&fixture);
    for question in [vec![], vec![1], vec![2, 1], vec![1, 9], vec![1; 40]] {
        let answer = repair(&fixture, &tablet, question).await;
        assert_eq!(answer.code(), (400, "body_malformed".to_owned()));
    }
    let long = vec![1; usize::try_from(REPAIR_BYTES_MAX).unwrap() + 1];
    assert_eq!(repair(&fixture, &tablet, long).await.code(), (413, "body_too_large".to_owned()));
}

#[tokio::test]
async fn a_village_in_which_something_waits_for_the_belt_makes_no_snapshot() {
    let fixture = Fixture::new();
    let mut tablet = with_history(&fixture);
    let remark = tablet.remark(household(1), "又一条");
    fixture.world().receive(&tablet.seal(&[&remark]));
    assert_eq!(fixture.store.snapshot_material(LONGTAN).unwrap(), None);
    fixture.world().settle();
    assert!(fixture.store.snapshot_material(LONGTAN).unwrap().is_some());
}
