//! Rosters imported whole, again, with broken rows, cut off, and from workbooks.

use std::collections::BTreeMap;

use ruhu_sample::{Date, Parameters, SampleVillage, VillageRequest, roster_csv, village};
use ruhu_survey::change::{ChangeHash, DocumentKind};
use ruhu_survey::household::{Because, Household, Input, set_field};
use ruhu_survey::id::HouseholdId;
use ruhu_survey::sealed::{HouseholdKey, Sealer, SearchKey};

use super::World;
use crate::authoring::{Authoring, Pen};
use crate::belt::settle_belt;
use crate::clock::Clock as _;
use crate::enrol::NOBODY;
use crate::keys::{KeyUse, random};
use crate::roster::state::RosterState;
use crate::store::people::{PlaceStore as _, RosterHousehold, RosterStore as _, Village};
use crate::store::reads::HouseholdQuery;
use crate::store::{LedgerStore as _, ReadStore as _, SqliteStore};

const CODE: &str = "430821101203";

pub(super) fn sample(households: usize) -> SampleVillage {
    let request = VillageRequest { seed: 7, ordinal: 3, households, on: Date::new(2026, 5, 1) };
    village(&request, Parameters::bundled())
}

fn people(village: &SampleVillage) -> usize {
    village.households.iter().map(|household| household.members.len()).sum()
}

pub(super) fn import(
    world: &World,
    name: &str,
    bytes: impl AsRef<[u8]>,
    flags: &str,
) -> Result<String, String> {
    let file = world.file(name, bytes);
    world.run(&format!("roster import {file} --village {CODE}{flags}"))
}

pub(super) fn our_village(world: &World) -> Village {
    world.store().village_of_code(CODE).unwrap().unwrap()
}

/// Every household in the store, read, by its number.
fn recorded(world: &World) -> BTreeMap<String, Household> {
    let (store, village) = (world.store(), our_village(world));
    let known = store.roster(village.id, "national").unwrap();
    let read = |(number, known): (String, RosterHousehold)| {
        let register = store.register(village.id, known.household.into()).unwrap();
        (number, Household::read(known.household, &register))
    };
    known.into_iter().map(read).collect()
}

/// Somebody writes a field of a household, having seen all of it.
fn edit(world: &World, household: HouseholdId, key: &str, text: &str) {
    let (store, keys, village) = (world.store(), world.keys(), our_village(world));
    let pen = Pen {
        device_key: &keys.device,
        signing_key: &keys.signing,
        opening: random().unwrap(),
        user: NOBODY,
        village: village.id,
        schema: 1,
        now_ms: world.clock.now_ms(),
    };
    let mut authoring = Authoring::new(&store, pen);
    let input = Input::Text(text.to_owned());
    authoring
        .change(household.into(), |builder| {
            set_field(builder, DocumentKind::Household, key, &input, &Because::default(), None).unwrap();
        })
        .unwrap();
    authoring.finish().unwrap();
    settle_belt(&store, world.clock.now_ms(), &keys.signing).unwrap();
}

#[test]
fn a_generated_village_is_imported_whole() {
    let (world, village) = (World::cili(), sample(120));
    let said = import(&world, "roster.csv", roster_csv(&village), " --by 周桂香").unwrap();
    assert!(said.contains("120 households new, 0 changed, 0 unchanged"), "{said}");
    assert!(said.contains(&format!("{} people on the roster", people(&village))), "{said}");
    assert!(said.contains("0 bad rows left out, 0 bad cells"), "{said}");
    let recorded = recorded(&world);
    assert_eq!(recorded.len(), 120);
    for expected in &village.households {
        let found = &recorded[&expected.national_no];
        assert_eq!(found.population(), expected.members.len());
        assert_eq!(found.display_name(), Some(expected.members[0].full_name.as_str()));
        assert_eq!(found.group_name.as_deref(), Some(expected.group.as_str()));
        let names: Vec<&str> =
            found.active_members().into_iter().filter_map(|member| member.full_name.as_deref()).collect();
        let in_order: Vec<&str> = expected.members.iter().map(|member| member.full_name.as_str()).collect();
        assert_eq!(names, in_order, "members stand in the order of the roster");
    }
    let query = HouseholdQuery { limit: 500, ..HouseholdQuery::default() };
    assert_eq!(world.store().households(our_village(&world).id, &query).unwrap().rows.len(), 120);
    assert!(world.run("verify").unwrap().contains("Everything agrees."));
}

#[test]
fn private_values_open_with_the_wrapped_keys_and_are_nowhere_in_clear() {
    let (world, sample) = (World::cili(), sample(20));
    import(&world, "roster.csv", roster_csv(&sample), "").unwrap();
    let (keys, village) = (world.keys(), our_village(&world));
    let wrapped: BTreeMap<HouseholdId, Vec<u8>> =
        world.store().household_keys(village.id).unwrap().into_iter().collect();
    assert_eq!(wrapped.len(), 20);
    let search = world.store().village_key(village.id).unwrap().unwrap();
    let search = SearchKey(*keys.unwrap::<32>(KeyUse::Village(village.id), &search).unwrap());
    for (number, household) in recorded(&world) {
        let used_for = KeyUse::Household(village.id, household.id);
        let key = HouseholdKey::from_bytes(*keys.unwrap::<64>(used_for, &wrapped[&household.id]).unwrap());
        let document = household.id.into();
        let sealer = Sealer { key: &key, search: &search, village: village.id, document };
        let head = household.head_member().unwrap();
        let opened = head.cert_no.reveal(&sealer).unwrap().unwrap();
        let expected = sample.households.iter().find(|expected| expected.national_no == number).unwrap();
        assert_eq!(opened, expected.members[0].certificate_no);
    }
    let mut kept = Vec::new();
    for file in std::fs::read_dir(world.data()).unwrap() {
        kept.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let members = sample.households.iter().flat_map(|household| &household.members);
    for secret in members.flat_map(|member| [Some(&member.certificate_no), member.phone.as_ref()]).flatten() {
        assert!(!kept.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn a_preview_writes_nothing() {
    let world = World::cili();
    let said = import(&world, "roster.csv", roster_csv(&sample(5)), " --preview").unwrap();
    assert!(said.contains("5 households new") && said.contains("nothing was written"), "{said}");
    assert!(recorded(&world).is_empty());
    assert!(world.store().household_keys(our_village(&world).id).unwrap().is_empty());
}

#[test]
fn the_same_roster_again_writes_nothing_and_a_changed_cell_one_household() {
    let (world, mut village) = (World::cili(), sample(30));
    import(&world, "roster.csv", roster_csv(&village), "").unwrap();
    let said = import(&world, "roster.csv", roster_csv(&village), "").unwrap();
    assert!(said.contains("0 households new, 0 changed, 30 unchanged"), "{said}");
    assert!(said.contains("0 batches were written"), "{said}");
    village.households[4].group = "新组".to_owned();
    village.households.remove(9);
    let said = import(&world, "roster.csv", roster_csv(&village), "").unwrap();
    assert!(said.contains("0 households new, 1 changed, 28 unchanged, 1 no longer on the roster"), "{said}");
    let recorded = recorded(&world);
    assert_eq!(recorded.len(), 30, "a household that left the roster stays");
    assert_eq!(recorded[&village.households[4].national_no].group_name.as_deref(), Some("新组"));
}

#[test]
fn a_value_edited_since_stands_beside_the_one_of_the_roster() {
    let (world, mut sample) = (World::cili(), sample(3));
    import(&world, "roster.csv", roster_csv(&sample), "").unwrap();
    let first = recorded(&world).remove(&sample.households[0].national_no).unwrap();
    let member = first.head_member().unwrap().id.clone();
    let key = format!("member/{member}/labour_ability");
    edit(&world, first.id, &key, "丧失劳动力");
    sample.households[0].members[0].labour_ability = "skilled";
    let said = import(&world, "roster.csv", roster_csv(&sample), "").unwrap();
    assert!(said.contains("1 changed"), "{said}");
    let open = world.store().conflicts(our_village(&world).id, None, 100).unwrap().rows;
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].key.as_str(), open[0].values.len(), open[0].asks), (key.as_str(), 2, true));
    let said = import(&world, "roster.csv", roster_csv(&sample), "").unwrap();
    assert!(said.contains("0 changed"), "{said}");
    assert_eq!(world.store().conflicts(our_village(&world).id, None, 100).unwrap().rows.len(), 1);
    assert!(world.run("verify").unwrap().contains("Everything agrees."));
}

#[test]
fn broken_rows_are_named_by_line_and_the_rest_is_imported() {
    let (world, mut sample) = (World::cili(), sample(6));
    let certificate = &mut sample.households[1].members[0].certificate_no;
    let last = if certificate.ends_with('0') { "1" } else { "0" };
    certificate.replace_range(17.., last);
    sample.households[2].members[0].full_name = String::new();
    sample.households[3].national_no = String::new();
    let csv = format!("{}\"一行不完整\"\n", roster_csv(&sample));
    let said = import(&world, "roster.csv", csv, "").unwrap();
    let bad = 2 + sample.households[3].members.len() + 1;
    assert!(said.contains(&format!("{bad} bad rows left out")), "{said}");
    let first = 4 + sample.households[0].members.len();
    assert!(said.contains(&format!("line {first} left out: 证件号码: the check character")), "{said}");
    assert!(!said.contains("4399"), "{said}");
}

#[test]
fn invented_people_are_refused_unless_the_configuration_allows_them() {
    let mut world = World::cili();
    world.environment.remove("RUHU_ALLOW_UNISSUED_AREA");
    let said = import(&world, "roster.csv", roster_csv(&sample(3)), "").unwrap();
    assert!(said.contains("0 households new"), "{said}");
    assert!(said.contains("allow_unissued_area = true"), "{said}");
}

#[test]
fn an_import_that_was_cut_off_before_its_batch_is_done_again() {
    let (world, sample) = (World::cili(), sample(3));
    let (store, keys, village) = (world.store(), world.keys(), our_village(&world));
    let household = HouseholdId::from_bytes([9; 16]);
    let wrapped = keys.wrap(KeyUse::Household(village.id, household), &[1; 64]).unwrap();
    store.household_key_put(village.id, household, &wrapped).unwrap();
    let lost = RosterHousehold { household, change: ChangeHash([8; 32]), state: RosterState::default() };
    let number = sample.households[0].national_no.clone();
    store.roster_record(village.id, "national", &BTreeMap::from([(number, lost)])).unwrap();
    let said = import(&world, "roster.csv", roster_csv(&sample), "").unwrap();
    assert!(said.contains("3 households new"), "{said}");
    assert!(recorded(&world).values().all(|found| found.id != household));
}

#[test]
fn a_household_key_that_is_kept_is_never_replaced() {
    let world = World::cili();
    let (store, village) = (world.store(), our_village(&world));
    let household = HouseholdId::from_bytes([9; 16]);
    assert_eq!(store.household_key_put(village.id, household, b"first").unwrap(), b"first");
    assert_eq!(store.household_key_put(village.id, household, b"second").unwrap(), b"first");
    assert_eq!(store.household_keys(village.id).unwrap(), [(household, b"first".to_vec())]);
}

#[test]
fn two_rosters_of_one_village_are_kept_apart() {
    let (world, sample) = (World::cili(), sample(2));
    import(&world, "roster.csv", roster_csv(&sample), "").unwrap();
    let said = import(&world, "roster.csv", roster_csv(&sample), " --roster insurance").unwrap();
    assert!(said.contains("2 households new"), "{said}");
    let store: SqliteStore = world.store();
    assert_eq!(store.roster(our_village(&world).id, "insurance").unwrap().len(), 2);
}

#[test]
fn a_workbook_is_imported_like_the_csv_it_was_made_of() {
    let (world, sample) = (World::cili(), sample(10));
    let csv = roster_csv(&sample);
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    for (row, line) in (0_u32..).zip(csv.lines()) {
        for (column, cell) in (0_u16..).zip(line.trim_matches('"').split("\",\"")) {
            sheet.write(row, column, cell).unwrap();
        }
    }
    let said = import(&world, "roster.xlsx", workbook.save_to_buffer().unwrap(), "").unwrap();
    assert!(said.contains("10 households new"), "{said}");
    let said = import(&world, "roster.csv", csv, "").unwrap();
    assert!(said.contains("10 unchanged"), "{said}");
}

#[test]
fn wrong_imports_are_refused_with_what_to_do() {
    let world = World::cili();
    let file = world.file("roster.csv", "户编号,姓名\n1001,李春生\n");
    let refusal = world.run(&format!("roster import {file} --village 430821101999")).unwrap_err();
    assert!(refusal.contains("There is no village with the code 430821101999"), "{refusal}");
    let refusal = world.run(&format!("roster import {file} --village {CODE} --by 张三")).unwrap_err();
    assert!(refusal.contains("There is no user 张三"), "{refusal}");
    let refusal = import(&world, "no-header.csv", "甲,乙\n1,2\n", "").unwrap_err();
    assert!(refusal.contains("姓名 and 户编号"), "{refusal}");
    let refusal = import(&world, "no-number.csv", "姓名,证件号码\n李春生,\n", "").unwrap_err();
    assert!(refusal.contains("no column 户编号"), "{refusal}");
    let refusal = import(&world, "old.xls", [0xD0, 0xCF, 0x11, 0xE0], "").unwrap_err();
    assert!(refusal.contains("old .xls file"), "{refusal}");
}
