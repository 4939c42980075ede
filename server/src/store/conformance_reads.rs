//! What every store must answer to reads, as cases over `&dyn Store`.

use std::collections::BTreeSet;

use ruhu_survey::change::{DocumentId, DocumentKind, Value};
use ruhu_survey::check::{self, NewCheck};
use ruhu_survey::history::Fate;
use ruhu_survey::id::{CheckId, HouseholdId, VillageId};
use ruhu_survey::shown::{settle, shown};

use super::Store;
use super::reads::{HouseholdQuery, Plain};
use super::world::{LONGTAN, SHUANGYUN, Tablet, World, household, text};
use crate::ingest::Standing;
use crate::limits::PAGE_ROWS_MAX;

suite! {
    a_village_counts_what_it_has
    households_are_listed_by_group_and_head_page_by_page
    households_are_found_by_any_members_name_and_by_group
    a_page_holds_so_many_rows_and_no_more
    a_household_shows_its_open_conflict_with_everybodys_value
    a_settled_conflict_is_gone_and_its_history_stays
    a_check_is_listed_with_its_household
    a_document_can_be_seen_as_it_stood
    a_read_does_not_see_what_the_belt_has_not_passed
    changes_since_a_cursor_come_in_whole_batches
    the_quarantine_is_listed_page_by_page
    documents_are_listed_by_kind
    what_is_not_there_is_none
    a_sealed_value_does_not_leave
}

fn households() -> HouseholdQuery {
    HouseholdQuery { limit: 100, ..HouseholdQuery::default() }
}

fn id(index: u8) -> HouseholdId {
    HouseholdId::from_bytes([index; 16])
}

/// Three households in two groups.
fn three_households(world: &World<'_>) -> Tablet {
    let mut tablet = world.tablet(7);
    let changes = [
        tablet.settle_in(household(1), "向家组", &["向国富", "田桂香", "向小梅"]),
        tablet.settle_in(household(2), "向家组", &["田大军"]),
        tablet.settle_in(household(3), "庹家组", &["庹金莲", "庹小军"]),
    ];
    world.receive(&tablet.seal(&changes.iter().collect::<Vec<_>>()));
    world.settle();
    tablet
}

/// Two devices that write the same key without having seen each other.
fn disagree(world: &World<'_>) -> (Tablet, Tablet) {
    let (mut one, mut other) = (three_households(world), world.tablet(8));
    other.learn(world, household(1));
    let left = one.write(household(1), &[("main_cause", text("illness"))]);
    let right = other.write(household(1), &[("main_cause", text("disaster"))]);
    world.receive(&one.seal(&[&left]));
    world.receive(&other.seal(&[&right]));
    world.settle();
    (one, other)
}

fn a_village_counts_what_it_has(store: &dyn Store) {
    let world = World::new(store);
    let (mut one, _) = disagree(&world);
    let bad = one.offend(household(2));
    let held = {
        one.remark(household(3), "没有发出");
        one.remark(household(3), "等待")
    };
    world.receive(&one.seal(&[&bad, &held]));
    let counts = store.villages(&BTreeSet::from([LONGTAN, SHUANGYUN])).unwrap();
    let longtan = &counts[0];
    assert_eq!((longtan.households, longtan.members, longtan.checks), (3, 6, 0));
    assert_eq!((longtan.conflicts, longtan.quarantined, longtan.held), (1, 1, 1));
    assert_eq!(longtan.received_ms, Some(world.now_ms));
    assert_eq!((counts[1].households, counts[1].sequence, counts[1].received_ms), (0, 0, None));
}

fn households_are_listed_by_group_and_head_page_by_page(store: &dyn Store) {
    let world = World::new(store);
    three_households(&world);
    let mut query = HouseholdQuery { limit: 1, ..HouseholdQuery::default() };
    let mut heads = Vec::new();
    loop {
        let page = store.households(LONGTAN, &query).unwrap();
        let last = page.rows[0].clone();
        heads.push((last.group_name.clone(), last.head_name.clone(), last.member_count));
        query.after = Some((last.group_name, last.head_name, last.household));
        if !page.more {
            break;
        }
    }
    let row = |group: &str, head: &str, members| (group.to_owned(), head.to_owned(), members);
    assert_eq!(heads, [row("向家组", "向国富", 3), row("向家组", "田大军", 1), row("庹家组", "庹金莲", 2)]);
    assert!(store.households(SHUANGYUN, &households()).unwrap().rows.is_empty());
}

fn households_are_found_by_any_members_name_and_by_group(store: &dyn Store) {
    let world = World::new(store);
    three_households(&world);
    let find = |search: &str| {
        let query = HouseholdQuery { search: Some(search.to_owned()), ..households() };
        let rows = store.households(LONGTAN, &query).unwrap().rows;
        rows.into_iter().map(|row| row.household).collect::<Vec<_>>()
    };
    assert_eq!(find("小梅"), [id(1)]);
    assert_eq!(find("田"), [id(1), id(2)]);
    assert_eq!(find("没有这个人"), []);
    assert_eq!(find("%"), [], "what is typed is not a pattern");
    let query = HouseholdQuery { group: Some("庹家组".to_owned()), ..households() };
    assert_eq!(store.households(LONGTAN, &query).unwrap().rows[0].household, id(3));
}

fn a_page_holds_so_many_rows_and_no_more(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let rows = PAGE_ROWS_MAX + 1;
    let document = |index: u32| {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&index.to_be_bytes());
        DocumentId::from(HouseholdId::from_bytes(id))
    };
    let changes: Vec<_> = (0..rows).map(|index| tablet.found(document(index), "向家组")).collect();
    for some in changes.chunks(100) {
        world.receive(&tablet.seal(&some.iter().collect::<Vec<_>>()));
    }
    crate::belt::settle_belt_with(store, world.now_ms, &world.signing, &|_| true).unwrap();
    for (limit, expected) in [(PAGE_ROWS_MAX, PAGE_ROWS_MAX), (PAGE_ROWS_MAX + 1, PAGE_ROWS_MAX), (0, 1)] {
        let page = store.households(LONGTAN, &HouseholdQuery { limit, ..households() }).unwrap();
        assert_eq!((u32::try_from(page.rows.len()).unwrap(), page.more), (expected, true));
    }
}

fn a_household_shows_its_open_conflict_with_everybodys_value(store: &dyn Store) {
    let world = World::new(store);
    let (one, other) = disagree(&world);
    let detail = store.household(LONGTAN, id(1)).unwrap().unwrap();
    assert_eq!(detail.household.display_name(), Some("向国富"));
    assert_eq!(detail.household.open_conflicts, 1);
    let conflict = &detail.seen.conflicts[0];
    assert_eq!((conflict.key.as_str(), conflict.asks, conflict.values.len()), ("main_cause", true, 2));
    let devices: BTreeSet<_> = conflict.values.iter().map(|claim| claim.by.device).collect();
    assert_eq!(devices, BTreeSet::from([one.device(), other.device()]));
    let first = shown(&detail.seen.register, DocumentKind::Household, "main_cause").unwrap();
    assert_eq!(conflict.values[0].change, first.op.change);
    let listed = store.conflicts(LONGTAN, None, 10).unwrap();
    assert_eq!(&listed.rows[0], conflict);
    let after = Some((listed.rows[0].document, listed.rows[0].key.clone()));
    assert!(store.conflicts(LONGTAN, after, 10).unwrap().rows.is_empty());
}

fn a_settled_conflict_is_gone_and_its_history_stays(store: &dyn Store) {
    let world = World::new(store);
    let (mut one, mut other) = disagree(&world);
    let stale = other.write(household(1), &[("main_cause", text("schooling"))]);
    one.learn(&world, household(1));
    let chosen = store.household(LONGTAN, id(1)).unwrap().unwrap().seen.conflicts[0].values[1].clone();
    let settled = one.edit(household(1), |builder| {
        settle(builder, "main_cause", chosen.change, "入户核实").unwrap();
    });
    world.receive(&one.seal(&[&settled]));
    world.receive(&other.seal(&[&stale]));
    world.settle();
    let detail = store.household(LONGTAN, id(1)).unwrap().unwrap();
    let first = shown(&detail.seen.register, DocumentKind::Household, "main_cause").unwrap();
    assert_eq!(first.op.value, chosen.value, "a late stale edit does not change the shown value");
    assert!(first.open, "but it opens a conflict again");
    let events = store.history(LONGTAN, household(1), Some("main_cause")).unwrap().unwrap();
    assert_eq!(events.len(), 4);
    let choice = events.iter().find(|event| event.settles).unwrap();
    assert_eq!((choice.fate, choice.reason.as_deref()), (Fate::Shown, Some("入户核实")));
    assert_eq!(choice.old.len(), 2);
    world.assert_sound();
}

fn start_check(tablet: &mut Tablet, check: CheckId) -> super::world::Written {
    let device = tablet.device();
    tablet.edit(check.into(), |builder| {
        let new = NewCheck {
            household: id(1),
            check_type: "routine".to_owned(),
            device,
            form_version: "ruhu-first/1.0.0".to_owned(),
            started_at_ms: super::world::MORNING_MS,
        };
        check::start(builder, &new);
    })
}

fn a_check_is_listed_with_its_household(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = three_households(&world);
    let check = CheckId::from_bytes([0xc1; 16]);
    let started = start_check(&mut tablet, check);
    let submitted = tablet.edit(check.into(), |builder| {
        check::submit(builder, "completed").unwrap();
    });
    let receipt = world.receive(&tablet.seal(&[&started, &submitted]));
    world.settle();
    assert_eq!(super::world::kinds(&receipt).len(), 2);
    let rows = store.checks(LONGTAN, id(1), None, 10).unwrap().rows;
    assert_eq!((rows[0].check, rows[0].household, rows[0].submitted), (check, Some(id(1)), true));
    assert_eq!(rows[0].started_by, Some(tablet.device()));
    assert!(store.checks(LONGTAN, id(1), Some(check), 10).unwrap().rows.is_empty());
    assert!(store.checks(LONGTAN, id(2), None, 10).unwrap().rows.is_empty());
    let detail = store.check(LONGTAN, check).unwrap().unwrap();
    assert!(detail.check.submitted.is_some());
    assert_eq!(store.villages(&BTreeSet::from([LONGTAN])).unwrap()[0].checks, 1);
    world.assert_sound();
}

fn a_document_can_be_seen_as_it_stood(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let first = tablet.found(household(1), "向家组");
    let second = tablet.found(household(1), "田家组");
    world.receive(&tablet.seal(&[&first, &second]));
    world.settle();
    let then = store.as_of(LONGTAN, household(1), &[first.hash]).unwrap().unwrap();
    assert_eq!(then.live("group_name")[0].value, text("向家组"));
    let now = store.as_of(LONGTAN, household(1), &[second.hash]).unwrap().unwrap();
    assert_eq!(now, world.register(household(1)));
    let unknown = ruhu_survey::change::ChangeHash([9; 32]);
    assert_eq!(store.as_of(LONGTAN, household(1), &[unknown]).unwrap(), None);
}

fn a_read_does_not_see_what_the_belt_has_not_passed(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = three_households(&world);
    let renamed = tablet.found(household(1), "新组名");
    let founded = tablet.found(household(9), "新户");
    world.receive(&tablet.seal(&[&renamed, &founded]));
    let before = store.household(LONGTAN, id(1)).unwrap().unwrap();
    assert_eq!(before.household.group_name.as_deref(), Some("向家组"));
    assert_eq!(store.household(LONGTAN, id(9)).unwrap(), None);
    assert_eq!(store.history(LONGTAN, household(1), Some("group_name")).unwrap().unwrap().len(), 1);
    assert_eq!(store.as_of(LONGTAN, household(1), &[renamed.hash]).unwrap(), None);
    world.settle();
    let after = store.household(LONGTAN, id(1)).unwrap().unwrap();
    assert_eq!(after.household.group_name.as_deref(), Some("新组名"));
    assert!(store.household(LONGTAN, id(9)).unwrap().is_some());
}

fn changes_since_a_cursor_come_in_whole_batches(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    for index in 1..=2 {
        let (first, bad) = (tablet.found(household(index), "向家组"), tablet.offend(household(index)));
        world.receive(&tablet.seal(&[&first, &bad]));
    }
    assert!(store.changes_since(LONGTAN, 0, 1).unwrap().changes.is_empty(), "the belt was not there yet");
    world.settle();
    let first = store.changes_since(LONGTAN, 0, 1).unwrap();
    assert_eq!((first.changes.len(), first.more), (2, true));
    let standings: Vec<_> = first.changes.iter().map(|change| change.standing).collect();
    assert_eq!(standings, [Standing::Accepted, Standing::Quarantined]);
    assert_eq!(first.changes[1].rule.as_deref(), Some("unknown_key"));
    let second = store.changes_since(LONGTAN, first.cursor, 1).unwrap();
    assert_eq!((second.changes.len(), second.more), (2, false));
    let end = store.changes_since(LONGTAN, second.cursor, 1).unwrap();
    assert_eq!((end.changes.len(), end.cursor), (0, second.cursor));
}

fn the_quarantine_is_listed_page_by_page(store: &dyn Store) {
    let world = World::new(store);
    let mut tablet = world.tablet(7);
    let first = tablet.found(household(1), "向家组");
    let bad = tablet.offend(household(1));
    let after = tablet.remark(household(1), "之后");
    world.receive(&tablet.seal(&[&first, &bad, &after]));
    let page = store.quarantine(LONGTAN, None, 1).unwrap();
    assert_eq!((page.rows[0].hash, page.more), (Some(bad.hash), true));
    assert_eq!(page.rows[0].detail.as_deref(), Some("bad_field"));
    let last = &page.rows[0];
    let page = store.quarantine(LONGTAN, Some((last.sequence, last.position)), 1).unwrap();
    assert_eq!(
        (page.rows[0].hash, page.rows[0].because, page.more),
        (Some(after.hash), Some(bad.hash), false)
    );
    assert!(store.quarantine(SHUANGYUN, None, 1).unwrap().rows.is_empty());
}

fn documents_are_listed_by_kind(store: &dyn Store) {
    let world = World::new(store);
    three_households(&world);
    let all = store.documents(LONGTAN, DocumentKind::Household, None, 2).unwrap();
    assert_eq!((all.rows.as_slice(), all.more), (&[household(1), household(2)][..], true));
    let rest = store.documents(LONGTAN, DocumentKind::Household, Some(household(2).id), 2).unwrap();
    assert_eq!(rest.rows, [household(3)]);
    assert!(store.documents(LONGTAN, DocumentKind::Issue, None, 2).unwrap().rows.is_empty());
}

fn what_is_not_there_is_none(store: &dyn Store) {
    let world = World::new(store);
    three_households(&world);
    let other = VillageId::from_bytes([0x77; 16]);
    assert_eq!(store.household(other, id(1)).unwrap(), None, "a household is its own village's only");
    assert_eq!(store.household(LONGTAN, id(200)).unwrap(), None);
    assert_eq!(store.check(LONGTAN, CheckId::from_bytes([1; 16])).unwrap(), None);
    assert_eq!(store.history(LONGTAN, household(200), None).unwrap(), None);
}

fn a_sealed_value_does_not_leave(_store: &dyn Store) {
    let sealed = Plain::from(&Value::Bytes(b"secret".to_vec()));
    assert_eq!(serde_json::to_string(&sealed).unwrap(), r#"{"sealed":true}"#);
    assert_eq!(serde_json::to_string(&Plain::from(&Value::Int(5))).unwrap(), "5");
    assert_eq!(serde_json::to_string(&Plain::from(&Value::Null)).unwrap(), "null");
}
