//! What is written anew says the same, under its new names, and is allowed.

use super::*;
use crate::authorise::{Author, authorise};
use crate::change::{ActorId, DocumentId};
use crate::check::{NewCheck, start, submit};
use crate::household::{Because, Household, Input, NewMember, add_member, set_field};
use crate::id::{CheckId, DeviceId, HouseholdId, UserId, VillageId};
use crate::register::Register;
use crate::role::Role;
use crate::sealed::{HouseholdKey, Sealer, SearchKey};
use crate::shown::kit::{Desk, NOW};

const HOUSEHOLD: HouseholdId = HouseholdId::from_bytes([5; 16]);
const VILLAGE: VillageId = VillageId::from_bytes([1; 16]);
const FRESH: ActorId = ActorId([8; 16]);
/// The device that writes anew.
const DEVICE: DeviceId = DeviceId::from_bytes([8; 16]);

fn author() -> Author {
    Author { device: DEVICE, role: Role::WorkTeam, user: UserId::from_bytes([3; 16]) }
}

fn replaced<'a>(desk: &'a Desk, index: usize, rule: &'a str) -> Replaced<'a> {
    let recorded = &desk.changes[index];
    Replaced { change: &recorded.change, hash: recorded.hash, rule }
}

/// Writes a change anew on `before`; what the document holds then.
fn anew(
    document: DocumentId,
    before: &Register,
    what: &Replaced<'_>,
    renamed: &mut Renamed,
    reseal: &Reseal<'_>,
) -> Result<Register, NotRewritten> {
    let mut builder = ChangeBuilder::new(before, FRESH, NOW);
    what.write(&mut builder, renamed, reseal)?;
    let (change, encoded) = builder.finish().unwrap();
    assert_eq!(authorise(document, before, before, &change, &author()), Ok(()));
    renamed.changes.insert(what.hash, encoded.hash);
    let mut after = before.clone();
    after.apply(&change, encoded.hash);
    Ok(after)
}

fn closed(_: &str, _: &str, _: &[u8]) -> Option<Vec<u8>> {
    None
}

#[test]
fn a_new_member_gets_another_id_and_keeps_the_private_values() {
    let (key, search) = (HouseholdKey::from_bytes([7; 64]), SearchKey([6; 32]));
    let sealer = Sealer { key: &key, search: &search, village: VILLAGE, document: HOUSEHOLD.into() };
    let mut desk = Desk::new(1);
    let mut member = String::new();
    desk.write(|builder| {
        builder.put("group_name", Value::Text("三组".to_owned()));
        let mut new = NewMember { full_name: "向小明".to_owned(), ..NewMember::default() };
        new.fields.insert("phone".to_owned(), "13900000000".to_owned());
        member = add_member(builder, &new, Some(&sealer)).unwrap();
        builder.put("head_member_id", Value::Text(member.clone()));
    });
    desk.write(|builder| {
        let input = Input::Text("砖厂".to_owned());
        let because = Because::default();
        let key = format!("member/{member}/employer");
        set_field(builder, crate::change::DocumentKind::Household, &key, &input, &because, None).unwrap();
    });
    let reseal =
        |from: &str, to: &str, sealed: &[u8]| Some(sealer.seal(to, &sealer.open(from, sealed).ok()?));
    let mut renamed = Renamed::default();
    let founded = replaced(&desk, 0, "device_revoked");
    let first = anew(HOUSEHOLD.into(), &Register::default(), &founded, &mut renamed, &reseal).unwrap();
    let now = renamed.ids[&member].clone();
    assert_ne!(now, member);
    assert_eq!(first.live("head_member_id")[0].value, Value::Text(now.clone()));
    let phone = format!("member/{now}/phone");
    let Value::Bytes(sealed) = &first.live(&phone)[0].value else { panic!() };
    assert_eq!(sealer.open(&phone, sealed).unwrap(), "13900000000");
    let edited = replaced(&desk, 1, "device_revoked");
    let second = anew(HOUSEHOLD.into(), &first, &edited, &mut renamed, &reseal).unwrap();
    assert_eq!(Household::read(HOUSEHOLD, &second).members.len(), 1);
    let without_key = Register::default();
    let refused = anew(HOUSEHOLD.into(), &without_key, &founded, &mut Renamed::default(), &closed);
    assert!(matches!(refused, Err(NotRewritten::Closed(_))), "{refused:?}");
}

#[test]
fn a_check_is_started_by_the_device_that_writes_it_anew_and_the_visit_names_it() {
    let check = CheckId::from_bytes([6; 16]);
    let mut desk = Desk::new(1);
    let new = NewCheck {
        household: HOUSEHOLD,
        check_type: "routine".to_owned(),
        device: desk.device(),
        form_version: "ruhu-first/1.0.0".to_owned(),
        started_at_ms: NOW * 1_000,
    };
    desk.write(|builder| {
        start(builder, &new);
        builder.put("answer/housing/grade", Value::Text("b".to_owned()));
        submit(builder, "completed").unwrap();
    });
    let mut renamed = Renamed::default();
    renamed.devices.insert(desk.device().to_string(), DEVICE.to_string());
    let old = replaced(&desk, 0, "device_revoked");
    let after = anew(check.into(), &Register::default(), &old, &mut renamed, &closed).unwrap();
    assert_eq!(after.live("started_by")[0].value, Value::Text(DEVICE.to_string()));
    let submitted = check::submitted(&after).unwrap();
    assert_eq!(submitted.submit.answers_hash, check::answers_hash(&after));

    let mut register = Desk::new(2);
    register.put("group_name", "三组", None);
    let told = check::Told {
        check,
        head: old.hash,
        result: "completed".to_owned(),
        confirmed: vec!["group_name".to_owned()],
        started: "2026-11-01".to_owned(),
        ended: "2026-11-01".to_owned(),
    };
    let before = register.register.clone();
    register.write(|builder| drop(check::tell_household(builder, &told)));
    let visit = replaced(&register, 1, "device_revoked");
    let after = anew(HOUSEHOLD.into(), &before, &visit, &mut renamed, &closed).unwrap();
    let read = Household::read(HOUSEHOLD, &after);
    assert_eq!(read.last_visit().unwrap().head, renamed.changes[&old.hash].to_string());
}

#[test]
fn a_settlement_names_what_is_left_to_settle() {
    let (mut one, mut two) = (Desk::new(1), Desk::new(2));
    one.put("group_name", "三组", None);
    two.take(&one);
    one.put("group_name", "四组", None);
    let chosen = two.put("group_name", "五组", None);
    two.take(&one);
    let mut without = Desk::new(3);
    without.take(&Desk { changes: two.changes[..2].to_vec(), ..Desk::new(4) });
    two.settle("group_name", chosen);
    let settlement = replaced(&two, two.changes.len() - 1, "depends_on_quarantined");
    let mut renamed = Renamed::default();
    let after = anew(HOUSEHOLD.into(), &without.register, &settlement, &mut renamed, &closed).unwrap();
    assert_eq!(after.live("group_name").len(), 1);
    assert_eq!(after.live("group_name")[0].settled, 1);
    let empty = Register::default();
    let mut builder = ChangeBuilder::new(&empty, FRESH, NOW);
    settlement.write(&mut builder, &mut Renamed::default(), &closed).unwrap();
    let (change, _) = builder.finish().unwrap();
    assert!(change.puts.iter().all(|put| !matches!(Entry::from_value(&put.value), Ok(Entry::Settle(_)))));
}

#[test]
fn only_the_visit_is_left_of_a_change_that_broke_a_rule() {
    let mut desk = Desk::new(1);
    desk.put("group_name", "三组", None);
    let before = desk.register.clone();
    let told = check::Told {
        check: CheckId::from_bytes([6; 16]),
        head: ChangeHash([9; 32]),
        result: "completed".to_owned(),
        confirmed: Vec::new(),
        started: "2026-11-01".to_owned(),
        ended: "2026-11-01".to_owned(),
    };
    desk.write(|builder| {
        builder.put("remarks", Value::Text("甲".to_owned()));
        check::tell_household(builder, &told);
    });
    let old = replaced(&desk, 1, "role_may_not_write");
    let mut builder = ChangeBuilder::new(&before, FRESH, NOW);
    old.write_visit(&mut builder, &Renamed::default()).unwrap();
    let (change, _) = builder.finish().unwrap();
    assert_eq!(change.puts.len(), 2, "the visit, and what it replaces");
    assert_eq!(authorise(HOUSEHOLD.into(), &before, &before, &change, &author()), Ok(()));
    let nothing = replaced(&desk, 0, "role_may_not_write");
    let mut builder = ChangeBuilder::new(&before, FRESH, NOW);
    nothing.write_visit(&mut builder, &Renamed::default()).unwrap();
    assert!(builder.is_empty());
}
