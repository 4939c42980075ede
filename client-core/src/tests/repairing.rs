//! Damaged devices are mended in the sync that finds it, and a server that lies is named, not obeyed.

use ruhu_survey::household::NewHousehold;

use super::*;
use crate::{Edit, SyncOutcome};

/// A server and a device that hold the same: one household with three edits.
fn in_agreement() -> (FakeServer, Tablet, HouseholdId) {
    let server = FakeServer::new();
    let mut writer = Tablet::enrolled(&server, 1);
    let new = NewHousehold { group_name: "三组".to_owned(), address: None, phone: None };
    let household = writer.client.new_household(server.villages[0], &new, &[]).unwrap();
    for remark in ["甲", "乙", "丙"] {
        writer.client.edit_household(household, &[Edit::text("remarks", remark)]).unwrap();
        writer.sync(&server);
    }
    let mut reader = Tablet::enrolled(&server, 2);
    assert!(reader.sync(&server).mismatched.is_empty());
    (server, reader, household)
}

fn damage(tablet: &mut Tablet, sql: &str) {
    let done = tablet.client.store.write(|tx| Ok(tx.execute(sql, [])?)).unwrap();
    assert!(done > 0, "nothing was damaged");
}

/// The register as it was before the damage, and the sync that mends it.
fn mended(server: &FakeServer, tablet: &mut Tablet, household: HouseholdId, sql: &str) -> SyncReport {
    let before = tablet.client.stored(household.into()).unwrap().register;
    damage(tablet, sql);
    let report = tablet.sync(server);
    assert_eq!(report.outcome, SyncOutcome::Complete);
    assert!(report.mismatched.is_empty(), "{report:?}");
    assert_eq!(tablet.client.stored(household.into()).unwrap().register, before);
    report
}

#[test]
fn a_lost_change_is_found_fetched_and_shown() {
    let (server, mut reader, household) = in_agreement();
    let sql = "DELETE FROM change WHERE change = (SELECT max(change) - 1 FROM change)";
    let report = mended(&server, &mut reader, household, sql);
    assert_eq!(report.repairs.len(), 1);
    let repair = &report.repairs[0];
    assert_eq!((repair.fetched, repair.returned, repair.unproved), (1, 0, 0));
    assert!(repair.is_mended());
    assert_eq!(reader.client.status().unwrap().repairs, report.repairs);
    assert!(reader.sync(&server).repairs.is_empty(), "nothing is left to repair");
}

#[test]
fn a_lost_document_and_its_batches_come_back() {
    let (server, mut reader, household) = in_agreement();
    damage(&mut reader, "DELETE FROM change");
    let report = mended(&server, &mut reader, household, "DELETE FROM batch");
    assert_eq!(report.repairs[0].fetched, 1);
}

#[test]
fn a_verdict_that_was_altered_is_put_right_by_the_receipt() {
    let (server, mut reader, household) = in_agreement();
    for state in [2, 3, 4] {
        let sql = format!(
            "UPDATE change SET state = {state}, rule = 'x' WHERE change = (SELECT max(change) FROM change)"
        );
        let report = mended(&server, &mut reader, household, &sql);
        assert_eq!(report.repairs[0].fetched, 1);
    }
}

#[test]
fn what_this_device_set_aside_by_its_own_judgement_stays_so() {
    let (server, mut reader, _) = in_agreement();
    damage(
        &mut reader,
        "UPDATE change SET state = 5, rule = 'foreign_actor' WHERE change = (SELECT max(change) FROM change)",
    );
    let report = reader.sync(&server);
    assert_eq!(report.mismatched.len(), 1);
    assert_eq!(report.repairs[0].outcome, "still_different");
}

#[test]
fn what_the_server_lost_is_given_back() {
    let (server, mut reader, _) = in_agreement();
    let village = server.villages[0];
    let held = server.accepted(village);
    server.vice(|state| {
        state.feeds.remove(&village);
        state.accepted.clear();
        state.receipts.clear();
    });
    let report = reader.sync(&server);
    assert!(report.mismatched.is_empty(), "{report:?}");
    assert_eq!(server.accepted(village), held);
    assert!(report.repairs.iter().all(|repair| repair.returned == 3 && repair.is_mended()));
}

#[test]
fn a_server_that_miscounts_is_named() {
    let (server, mut reader, household) = in_agreement();
    let before = reader.client.stored(household.into()).unwrap().register;
    server.vice(|state| state.miscounts = true);
    let report = reader.sync(&server);
    assert_eq!(report.mismatched.len(), 2);
    assert!(report.repairs.iter().all(|repair| repair.outcome == "server_contradicts_itself"));
    assert_eq!(reader.client.stored(household.into()).unwrap().register, before);
}

#[test]
fn a_document_that_the_server_invents_is_not_believed() {
    let (server, mut reader, household) = in_agreement();
    let before = reader.client.stored(household.into()).unwrap().register;
    server.vice(|state| (state.miscounts, state.invents_document) = (true, true));
    let report = reader.sync(&server);
    assert!(
        report.repairs.iter().all(|repair| (repair.unproved, repair.outcome.as_str()) == (1, "unproved"))
    );
    assert_eq!(reader.client.stored(household.into()).unwrap().register, before);
}
