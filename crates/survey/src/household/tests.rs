//! A household with members: editing, reading, private values.

use super::*;
use crate::change::DocumentId;
use crate::id::VillageId;
use crate::sealed::{HouseholdKey, SearchKey};
use crate::shown::kit::Desk;

const ID: HouseholdId = HouseholdId::from_bytes([5; 16]);
const NUMBER: &str = "439921197603150018";

struct Keys(HouseholdKey, SearchKey);

impl Keys {
    fn new(byte: u8) -> Self {
        Self(HouseholdKey::from_bytes([byte; 64]), SearchKey([byte; 32]))
    }

    fn sealer(&self) -> Sealer<'_> {
        let document: DocumentId = ID.into();
        Sealer { key: &self.0, search: &self.1, village: VillageId::from_bytes([1; 16]), document }
    }
}

fn text(key: &str, text: &str) -> (String, String) {
    (key.to_owned(), text.to_owned())
}

fn member(name: &str) -> NewMember {
    NewMember {
        full_name: name.to_owned(),
        cert_no: Some(NUMBER.to_owned()),
        fields: BTreeMap::from([text("relation_to_head", "户主"), text("health_status/chronic", "是")]),
        source: Some(Source::Document),
    }
}

/// A household with one member, and the member's id.
fn founded(keys: &Keys) -> (Desk, String) {
    let mut desk = Desk::new(1);
    let mut id = String::new();
    desk.write(|builder| {
        let household = NewHousehold {
            group_name: "三组".to_owned(),
            address: Some("三组18号".to_owned()),
            phone: Some("139 0000 0001".to_owned()),
        };
        found_household(builder, &household, Some(&keys.sealer())).unwrap();
        id = add_member(builder, &member("测试甲"), Some(&keys.sealer())).unwrap();
        let head = Input::Text(id.clone());
        set_field(builder, KIND, "head_member_id", &head, &Because::default(), None).unwrap();
    });
    (desk, id)
}

#[test]
fn a_founded_household_reads_back() {
    let (desk, id) = founded(&Keys::new(9));
    let household = Household::read(ID, &desk.register);
    assert_eq!(household.group_name.as_deref(), Some("三组"));
    assert_eq!((household.display_name(), household.population()), (Some("测试甲"), 1));
    assert_eq!(household.head.as_deref(), Some(id.as_str()));
    let member = household.head_member().unwrap();
    assert_eq!(member.relation_to_head.unwrap().code, "head");
    assert_eq!(member.cert_no.mask.as_deref(), Some("****0018"));
    assert_eq!(household.contact_phone.mask.as_deref(), Some("****0001"));
}

#[test]
fn a_private_value_opens_with_the_households_key_only() {
    let keys = Keys::new(9);
    let (desk, id) = founded(&keys);
    let household = Household::read(ID, &desk.register);
    let number = &household.members[&id].cert_no;
    assert_eq!(number.reveal(&keys.sealer()), Ok(Some(NUMBER.to_owned())));
    assert_eq!(number.tag.as_deref(), Some(keys.sealer().tag(NUMBER).as_str()));
    assert!(number.reveal(&Keys::new(8).sealer()).is_err());
    assert_eq!(household.contact_phone.reveal(&keys.sealer()), Ok(Some("13900000001".to_owned())));
    let chronic = format!("member/{id}/health_status/chronic");
    assert_eq!(reveal(&desk.register, KIND, &chronic, &keys.sealer()), Ok(Some("true".to_owned())));
    assert_eq!(reveal(&desk.register, KIND, "dwelling_point", &keys.sealer()), Ok(None));
}

#[test]
fn no_private_value_is_in_the_bytes_of_a_change() {
    let keys = Keys::new(9);
    let (desk, _) = founded(&keys);
    let bytes = crate::change::encode(&desk.changes[0].change).bytes;
    for marker in [NUMBER, "13900000001", "19760315"] {
        assert!(!bytes.windows(marker.len()).any(|window| window == marker.as_bytes()), "{marker}");
    }
}

#[test]
fn a_private_field_is_not_written_without_the_key() {
    let desk = Desk::new(1);
    let refusal = add_member(&mut desk.builder(), &member("测试甲"), None).unwrap_err();
    assert!(matches!(refusal, InputError::NoKey(_)));
}

#[test]
fn the_same_number_written_twice_is_no_conflict() {
    let keys = Keys::new(9);
    let (mut zhang, id) = founded(&keys);
    let mut li = Desk::new(2);
    li.take(&zhang);
    let key = format!("member/{id}/cert_no");
    for (desk, text) in [(&mut zhang, "439921 197603150018"), (&mut li, NUMBER)] {
        let input = Input::Text(text.to_owned());
        desk.write(|b| set_field(b, KIND, &key, &input, &Because::default(), Some(&keys.sealer())).unwrap());
    }
    zhang.take(&li);
    assert_eq!(zhang.register.live(&key).len(), 2);
    assert_eq!(Household::read(ID, &zhang.register).open_conflicts, 0);
}

#[test]
fn the_mask_is_that_of_the_number_that_is_shown() {
    let keys = Keys::new(9);
    let (mut zhang, id) = founded(&keys);
    let mut li = Desk::new(2);
    li.take(&zhang);
    let key = format!("member/{id}/cert_no");
    let other = "439921197808220024";
    for (desk, text, source) in [(&mut zhang, NUMBER, None), (&mut li, other, Some(Source::Document))] {
        let because = Because { source, reason: None };
        let input = Input::Text(text.to_owned());
        desk.write(|b| set_field(b, KIND, &key, &input, &because, Some(&keys.sealer())).unwrap());
    }
    zhang.take(&li);
    let number = Private::read(&zhang.register, KIND, &key);
    assert_eq!(number.mask.as_deref(), Some("****0024"));
    assert_eq!(number.reveal(&keys.sealer()), Ok(Some(other.to_owned())));
    assert_eq!(Household::read(ID, &zhang.register).open_conflicts, 1);
    let chosen = zhang.register.live(&key).iter().find(|op| op.id.actor.0[0] == 1).unwrap().change;
    zhang.settle(&key, chosen);
    let number = Private::read(&zhang.register, KIND, &key);
    assert_eq!(number.mask.as_deref(), Some("****0018"));
    assert_eq!(number.reveal(&keys.sealer()), Ok(Some(NUMBER.to_owned())));
}

#[test]
fn an_ended_member_stays_and_is_not_counted() {
    let (mut desk, id) = founded(&Keys::new(9));
    let because = Because { source: None, reason: Some("去世".to_owned()) };
    desk.write(|builder| end_member(builder, &id, "2024-05-01", "死亡", &because).unwrap());
    let household = Household::read(ID, &desk.register);
    assert_eq!((household.population(), household.members.len()), (0, 1));
    assert_eq!(household.members[&id].leave_reason.unwrap().code, "death");
    let mut builder = desk.builder();
    let nobody = end_member(&mut builder, "7k3qabcd7k3qabcd", "2024-05-01", "死亡", &because);
    assert!(matches!(nobody, Err(InputError::UnknownMember(_))));
    assert!(end_member(&mut builder, &id, "2024-02-30", "死亡", &because).is_err());
}

#[test]
fn a_value_is_withdrawn_with_a_reason_only() {
    let (mut desk, _) = founded(&Keys::new(9));
    let withdraw = |b: &mut ChangeBuilder<'_>, because: &Because| {
        set_field(b, KIND, "contact_phone", &Input::Withdraw, because, None)
    };
    let refusal = withdraw(&mut desk.builder(), &Because::default());
    assert!(matches!(refusal, Err(InputError::NoReason(_))));
    let because = Because { source: None, reason: Some("停机".to_owned()) };
    desk.write(|builder| withdraw(builder, &because).unwrap());
    let phone = Household::read(ID, &desk.register).contact_phone;
    assert_eq!((phone.mask.clone(), phone.is_there()), (None, false));
}

#[test]
fn members_are_listed_by_sort_then_head_first() {
    let keys = Keys::new(9);
    let (mut desk, head) = founded(&keys);
    let mut ids = Vec::new();
    for (name, sort) in [("测试乙", "2"), ("测试丙", "1"), ("测试丁", "0")] {
        let mut new = NewMember { full_name: name.to_owned(), ..NewMember::default() };
        new.fields.insert("sort".to_owned(), sort.to_owned());
        desk.write(|builder| ids.push(add_member(builder, &new, None).unwrap()));
    }
    let household = Household::read(ID, &desk.register);
    let order: Vec<&str> = household.active_members().iter().map(|member| member.id.as_str()).collect();
    assert_eq!(order, [&head, &ids[2], &ids[1], &ids[0]]);
}

#[test]
fn a_link_is_undone_by_its_unlink() {
    use crate::entry::Unlink;
    let (mut desk, _) = founded(&Keys::new(9));
    let other = HouseholdId::from_bytes([6; 16]).to_string();
    let mut link = String::new();
    desk.write(|b| link = Entry::Link(Link { household: other.clone(), reason: "同一户".to_owned() }).put(b));
    assert_eq!(Household::read(ID, &desk.register).links[0].household, other);
    desk.write(|b| drop(Entry::Unlink(Unlink { link, reason: "不是".to_owned() }).put(b)));
    assert_eq!(Household::read(ID, &desk.register).links, []);
}
