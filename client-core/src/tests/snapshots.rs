//! Villages in one piece: the same device comes out as from the feed, whatever is cut, forged or left out.

use proptest::prelude::*;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::household::{Because, Input, NewHousehold};
use ruhu_survey::id::CheckId;
use rusqlite::types::Value as SqlValue;

use super::server::Fault;
use super::*;
use crate::{Edit, SyncOutcome};

fn founded(tablet: &mut Tablet, village: VillageId, group: &str) -> HouseholdId {
    let new = NewHousehold { group_name: group.to_owned(), address: None, phone: None };
    tablet.client.new_household(village, &new, &[]).unwrap()
}

fn checked(tablet: &mut Tablet, household: HouseholdId, wage: &str) -> CheckId {
    let check = tablet.client.start_check(household, "routine").unwrap();
    let input = Input::Text(wage.to_owned());
    tablet.client.set_answer(check, "answer/income/wage_income", &input, &Because::default()).unwrap();
    tablet.client.submit(check, "completed", &[]).unwrap();
    check
}

/// Every row of a query, as values.
fn rows(tablet: &Tablet, sql: &str) -> Vec<Vec<SqlValue>> {
    let mut statement = tablet.client.store.read().prepare(sql).unwrap();
    let count = statement.column_count();
    let rows = statement.query_map([], |row| (0..count).map(|place| row.get(place)).collect()).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Everything a person can see, without the numbers that only this device knows.
fn everything(tablet: &Tablet) -> Vec<Vec<Vec<SqlValue>>> {
    [
        "SELECT village, household, head_name, group_name, address, number, names, pinyin, tails, members, conflicts,
             differing, active, last_checked, last_result FROM household_row ORDER BY household",
        "SELECT check_id, village, household, own, check_type, state, started_ms, ended_ms, result
         FROM check_row ORDER BY check_id",
        "SELECT d.kind, d.id, d.register, d.change_count FROM document d WHERE d.change_count > 0
         ORDER BY d.kind, d.id",
        "SELECT d.kind, d.id, c.hash, c.bytes, c.state, c.rule, c.position, b.id, b.device, b.user_id, b.number,
             b.previous, b.not_before_ms, b.received_ms, b.sequence
         FROM change c JOIN document d ON d.document = c.document JOIN batch b ON b.batch = c.batch
         ORDER BY d.kind, d.id, c.hash",
        "SELECT village, cursor, mismatch_ms FROM village ORDER BY village",
    ]
    .map(|sql| rows(tablet, sql))
    .to_vec()
}

fn documents(tablet: &Tablet) -> Vec<DocumentId> {
    let found = rows(tablet, "SELECT kind, id FROM document WHERE change_count > 0 ORDER BY kind, id");
    let id = |row: Vec<SqlValue>| {
        let (SqlValue::Integer(kind), SqlValue::Blob(id)) = (&row[0], &row[1]) else { panic!("{row:?}") };
        let kind = ruhu_survey::change::DocumentKind::from_code(u8::try_from(*kind).unwrap()).unwrap();
        DocumentId { kind, id: id.as_slice().try_into().unwrap() }
    };
    found.into_iter().map(id).collect()
}

/// A server with two households, one of them checked three times.
fn with_history() -> (FakeServer, Tablet, HouseholdId) {
    let server = FakeServer::new();
    let mut writer = Tablet::enrolled(&server, 1);
    let household = founded(&mut writer, server.villages[0], "三组");
    founded(&mut writer, server.villages[0], "四组");
    for wage in ["100", "200", "300"] {
        checked(&mut writer, household, wage);
        writer.sync(&server);
    }
    (server, writer, household)
}

#[test]
fn a_new_device_takes_a_village_over_and_then_syncs_as_any_other() {
    let (server, mut writer, household) = with_history();
    server.give_snapshots(true);
    let mut reader = Tablet::enrolled(&server, 2);
    let report = reader.sync(&server);
    assert_eq!((report.snapshots, report.progress.relayed, report.set_aside), (2, 0, 0));
    assert!(report.mismatched.is_empty() && report.repairs.is_empty());
    assert_eq!(reader.client.earlier_on_server(household).unwrap(), 2);
    assert_eq!(reader.client.checks(household).unwrap().len(), 1);
    checked(&mut writer, household, "400");
    writer.sync(&server);
    let report = reader.sync(&server);
    assert_eq!((report.snapshots, report.progress.relayed), (0, 1));
    assert!(report.mismatched.is_empty());
    assert_eq!(now(reader.client.fetch_earlier(&server, household)).unwrap(), 2);
    assert_eq!(reader.client.earlier_on_server(household).unwrap(), 0);
    assert_eq!(reader.client.checks(household).unwrap().len(), 4);
    assert!(reader.sync(&server).mismatched.is_empty());
    assert_eq!(now(reader.client.fetch_earlier(&server, household)).unwrap(), 0, "there is nothing more");
}

#[test]
fn a_device_from_a_snapshot_edits_and_is_understood() {
    let (server, mut writer, household) = with_history();
    server.give_snapshots(true);
    let mut reader = Tablet::enrolled(&server, 2);
    reader.sync(&server);
    let spelled = server.replayed();
    reader.client.edit_household(household, &[Edit::text("remarks", "已走访")]).unwrap();
    assert_eq!(reader.sync(&server).not_accepted, 0);
    assert_eq!(server.replayed(), spelled + 1, "its batch is understood without being sent raw");
    writer.sync(&server);
    writer.client.edit_household(household, &[Edit::text("group_name", "五组")]).unwrap();
    writer.sync(&server);
    assert_eq!(reader.sync(&server).requests, 1, "what it is relayed is understood at once");
    let names = "SELECT device, number, id FROM document_name WHERE kind = 1 ORDER BY device, number";
    assert!(!rows(&reader, names).is_empty());
    assert_eq!(rows(&reader, names), rows(&writer, names), "both call a household the same");
    let registers = [&writer, &reader].map(|tablet| tablet.client.stored(household.into()).unwrap().register);
    assert_eq!(registers[0], registers[1]);
}

#[test]
fn a_snapshot_cut_and_killed_at_any_byte_goes_on_where_it_was() {
    let (server, ..) = with_history();
    server.give_snapshots(true);
    for bytes in [1, 7, 64, 1_000] {
        server.vice(|state| state.snapshot_answer_bytes = Some(bytes));
        let mut reader = Tablet::enrolled(&server, u8::try_from(bytes % 200).unwrap() + 10);
        server.faults(&[Fault::LosesTheAnswer, Fault::CutsAfter(3), Fault::IsDown, Fault::CutsAfter(40)]);
        let mut killed = 0;
        loop {
            let report = reader.sync(&server);
            if report.outcome == SyncOutcome::Complete {
                break;
            }
            let held = rows(&reader, "SELECT coalesce(sum(length(bytes)), 0) FROM snapshot_part");
            reader = reader.restarted();
            assert_eq!(held, rows(&reader, "SELECT coalesce(sum(length(bytes)), 0) FROM snapshot_part"));
            killed += 1;
            assert!(killed < 20);
        }
        let report = reader.sync(&server);
        assert!(report.mismatched.is_empty());
        assert_eq!(rows(&reader, "SELECT count(*) FROM snapshot WHERE state = 1"), [[SqlValue::Integer(2)]]);
        server.faults(&[]);
    }
}

#[test]
fn a_snapshot_that_the_server_dropped_is_begun_anew() {
    let (server, ..) = with_history();
    server.give_snapshots(true);
    server.vice(|state| state.snapshot_answer_bytes = Some(100));
    let mut reader = Tablet::enrolled(&server, 2);
    server.faults(&[
        Fault::CutsAfter(100_000),
        Fault::CutsAfter(100_000),
        Fault::IsDown,
        Fault::IsDown,
        Fault::IsDown,
        Fault::IsDown,
    ]);
    assert!(matches!(reader.sync(&server).outcome, SyncOutcome::Interrupted(_)));
    server.vice(|state| state.snapshots.clear());
    server.faults(&[]);
    let report = reader.sync(&server);
    assert_eq!((report.outcome, report.snapshots), (SyncOutcome::Complete, 2));
    assert!(report.mismatched.is_empty());
}

#[test]
fn what_waits_to_be_sent_does_not_wait_for_a_snapshot() {
    let (server, ..) = with_history();
    server.give_snapshots(true);
    let mut reader = Tablet::enrolled(&server, 2);
    founded(&mut reader, server.villages[0], "五组");
    // Sealed by a first attempt that reached nobody.
    server.faults(&[Fault::IsDown; 12]);
    reader.sync(&server);
    server.faults(&[Fault::IsDown, Fault::IsDown, Fault::IsDown, Fault::IsDown]);
    let report = reader.sync(&server);
    assert_eq!(report.waiting, 0, "{report:?}");
    server.faults(&[]);
    assert!(reader.sync(&server).mismatched.is_empty());
}

#[test]
fn a_snapshot_by_anybody_else_is_set_aside_and_the_feed_gives_the_same() {
    let (server, ..) = with_history();
    server.give_snapshots(true);
    server.vice(|state| state.forges_snapshots = true);
    let mut reader = Tablet::enrolled(&server, 2);
    let report = reader.sync(&server);
    assert_eq!((report.outcome, report.snapshots, report.set_aside), (SyncOutcome::Complete, 0, 2));
    assert!(report.progress.relayed > 0 && report.mismatched.is_empty());
    let aside = reader.client.set_aside().unwrap();
    assert!(aside.iter().all(|one| (one.kind.as_str(), one.code.as_str()) == ("snapshot", "signature")));
}

#[test]
fn a_damaged_snapshot_is_set_aside_and_the_feed_gives_the_same() {
    let (server, ..) = with_history();
    server.give_snapshots(true);
    server.vice(|state| state.damages_snapshots = true);
    let mut reader = Tablet::enrolled(&server, 2);
    let report = reader.sync(&server);
    assert_eq!((report.outcome, report.snapshots), (SyncOutcome::Complete, 0));
    assert!(report.set_aside > 0 && report.mismatched.is_empty());
    assert_eq!(rows(&reader, "SELECT count(*) FROM snapshot WHERE state = 2"), [[SqlValue::Integer(2)]]);
    assert!(
        reader.client.set_aside().unwrap().iter().all(|one| one.kind == "snapshot" && one.code == "piece")
    );
}

#[test]
fn a_correction_of_an_earlier_check_brings_that_check() {
    let server = FakeServer::new();
    let mut writer = Tablet::enrolled(&server, 1);
    let household = founded(&mut writer, server.villages[0], "三组");
    let first = checked(&mut writer, household, "100");
    checked(&mut writer, household, "200");
    writer.sync(&server);
    server.give_snapshots(true);
    let mut reader = Tablet::enrolled(&server, 2);
    reader.sync(&server);
    assert_eq!(reader.client.earlier_on_server(household).unwrap(), 1);
    let input = Input::Text("150".to_owned());
    writer.client.correct(first, "answer/income/wage_income", &input, "听错了").unwrap();
    writer.sync(&server);
    let report = reader.sync(&server);
    assert!(report.mismatched.is_empty(), "{report:?}");
    assert!(report.repairs.iter().all(crate::Repair::is_mended) && report.repairs.len() == 1);
    assert_eq!(reader.client.earlier_on_server(household).unwrap(), 0);
    let stood = |tablet: &Tablet| tablet.client.stored(first.into()).unwrap().register;
    assert_eq!(stood(&reader), stood(&writer));
}

#[test]
fn a_change_held_when_the_snapshot_was_made_is_taken_in_when_it_is_accepted() {
    let (server, mut writer, household) = with_history();
    writer.client.edit_household(household, &[Edit::text("remarks", "甲")]).unwrap();
    server.refuse_next(Verdict::Quarantined { rule: "late".to_owned(), because: None });
    writer.sync(&server);
    server.give_snapshots(true);
    let mut reader = Tablet::enrolled(&server, 2);
    assert!(reader.sync(&server).mismatched.is_empty());
    server.decide_all(server.villages[0], &Verdict::Accepted);
    assert!(reader.sync(&server).mismatched.is_empty());
    let view = reader.client.household(household).unwrap();
    assert!(view.fields.iter().any(|field| field.key == "remarks" && field.text == "甲"));
}

#[derive(Debug, Clone)]
enum Act {
    Founds,
    Edits(u8, u8),
    Checks(u8),
    Refuses,
    Decides,
    Syncs,
}

fn act() -> impl Strategy<Value = (usize, Act)> {
    let act = prop_oneof![
        1 => Just(Act::Founds),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(which, number)| Act::Edits(which, number)),
        3 => any::<u8>().prop_map(Act::Checks),
        1 => Just(Act::Refuses),
        1 => Just(Act::Decides),
        3 => Just(Act::Syncs),
    ];
    (0_usize..2, act)
}

fn live(server: &FakeServer, acts: &[(usize, Act)]) {
    let village = server.villages[0];
    let mut tablets = [Tablet::enrolled(server, 1), Tablet::enrolled(server, 2)];
    let mut households = vec![founded(&mut tablets[0], village, "三组")];
    tablets.iter_mut().for_each(|tablet| drop(tablet.sync(server)));
    for (who, act) in acts {
        let tablet = &mut tablets[*who];
        match act {
            Act::Founds => {
                households.push(founded(tablet, village, "四组"));
                tablet.sync(server);
            }
            Act::Edits(which, number) => {
                let household = households[usize::from(*which) % households.len()];
                // A household that the other founded may not be here yet.
                let edit = Edit::text("remarks", format!("第{number}条"));
                drop(tablet.client.edit_household(household, &[edit]));
            }
            Act::Checks(which) => {
                let household = households[usize::from(*which) % households.len()];
                // One whose founding is kept apart has nothing to be checked.
                let known = tablet.client.stored(household.into());
                if known.is_ok_and(|stored| !stored.register.is_empty()) {
                    checked(tablet, household, "100");
                }
            }
            Act::Refuses => {
                server.refuse_next(Verdict::Quarantined { rule: "late".to_owned(), because: None });
            }
            Act::Decides => server.decide_all(village, &Verdict::Accepted),
            Act::Syncs => drop(tablet.sync(server)),
        }
    }
    tablets.iter_mut().for_each(|tablet| drop(tablet.sync(server)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_device_from_a_snapshot_is_the_device_from_the_feed(acts in prop::collection::vec(act(), 0..24)) {
        let server = FakeServer::new();
        live(&server, &acts);
        let mut fed = Tablet::enrolled(&server, 3);
        let mut given = Tablet::enrolled(&server, 4);
        let report = fed.sync(&server);
        prop_assert!(report.mismatched.is_empty());
        server.give_snapshots(true);
        let report = given.sync(&server);
        prop_assert!(report.mismatched.is_empty() && report.set_aside == 0, "{:?}", report);
        prop_assert_eq!((report.snapshots, report.progress.relayed), (2, 0));
        for document in documents(&fed).into_iter().filter(|id| id.kind == ruhu_survey::change::DocumentKind::Household) {
            now(given.client.fetch_earlier(&server, HouseholdId::from_bytes(document.id))).unwrap();
        }
        prop_assert_eq!(everything(&fed), everything(&given));
        prop_assert_eq!(documents(&fed), documents(&given));
        for document in documents(&fed) {
            let histories = [&fed, &given].map(|tablet| tablet.client.history(document, None).unwrap());
            prop_assert_eq!(&histories[0], &histories[1]);
        }
        prop_assert!(given.sync(&server).mismatched.is_empty());
    }
}
