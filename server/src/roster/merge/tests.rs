//! The three-way merge of one household: what is written, what is left, what stands side by side.

use ruhu_survey::authorise::{Author, authorise};
use ruhu_survey::change::{Change, parse};
use ruhu_survey::household::{NewMember, add_member};
use ruhu_survey::id::{DeviceId, UserId};
use ruhu_survey::role::Role;
use ruhu_survey::shown::{conflicts, shown};

use super::*;
use crate::roster::columns::known;
use crate::roster::household::{Rules, read};
use crate::roster::sheet;

const HEADER: &str = "自然村,户编号,人编号,姓名,证件号码,与户主关系,健康状况,户联系电话,劳动技能";
const HEAD_ROW: &str = "三组,1001,01,李春生,439921197603150018,户主,健康,13900000001,普通劳动力";
const WIFE_ROW: &str = "三组,1001,02,王秀英,439921197808220024,配偶,长期慢性病,13900000001,普通劳动力";
const VILLAGE: VillageId = VillageId::from_bytes([1; 16]);
const HOUSEHOLD: HouseholdId = HouseholdId::from_bytes([2; 16]);
const FIELD_ACTOR: ActorId = ActorId([200; 16]);

/// A household in a village, the roster's last import of it, and a surveyor.
struct World {
    key: HouseholdKey,
    search: SearchKey,
    known: Option<RosterState>,
    register: Register,
    imports: u8,
}

impl World {
    fn new() -> Self {
        let (key, search) = (HouseholdKey::from_bytes([3; 64]), SearchKey([4; 32]));
        Self { key, search, known: None, register: Register::default(), imports: 0 }
    }

    fn imported(rows: &[&str]) -> Self {
        let mut world = Self::new();
        world.import(rows);
        world
    }

    fn merge(&self, rows: &[&str]) -> Merged {
        let csv = format!("{HEADER}\n{}\n", rows.join("\n"));
        let sheet = sheet::read(csv.as_bytes()).unwrap();
        let rules = Rules { village: "永兴村", allow_unissued_area: true };
        let read = read(&sheet, &known(&sheet.headings).0, rules);
        assert_eq!((read.bad_rows, read.bad_cells), (vec![], vec![]));
        let target = Target {
            household: HOUSEHOLD,
            key: &self.key,
            known: self.known.as_ref(),
            current: &self.register,
        };
        let ink = Ink {
            village: VILLAGE,
            search: &self.search,
            roster_actor: ActorId([100 + self.imports; 16]),
            field_actor: ActorId([150 + self.imports; 16]),
            claimed_at: 1_790_000_000,
        };
        merge(&read.by_number["1001"], &target, &ink).unwrap()
    }

    /// Imports, and takes the changes in as the server does.
    fn import(&mut self, rows: &[&str]) -> Tally {
        let merged = self.merge(rows);
        let tally = merged.tally;
        for bytes in &merged.changes {
            let (change, hash) = parse(bytes).unwrap();
            self.authorised(&change);
            self.register.apply(&change, hash);
        }
        if !merged.changes.is_empty() {
            self.known = Some(merged.state);
        }
        self.imports += 1;
        tally
    }

    /// The change is one that the gate's permissions let pass at the point it stands on.
    fn authorised(&self, change: &Change) {
        let author = Author {
            device: DeviceId::from_bytes([9; 16]),
            role: Role::Server,
            user: UserId::from_bytes([0; 16]),
        };
        let base = self.known.as_ref().map(|known| known.register.clone()).unwrap_or_default();
        let stands_on =
            |register: &Register| register.heads().iter().copied().collect::<Vec<_>>() == change.dependencies;
        let before = if stands_on(&base) { &base } else { &self.register };
        assert!(stands_on(before), "the change stands on the last import or on the document");
        authorise(HOUSEHOLD.into(), before, &self.register, change, &author).unwrap();
    }

    fn sealer(&self) -> Sealer<'_> {
        Sealer { key: &self.key, search: &self.search, village: VILLAGE, document: HOUSEHOLD.into() }
    }

    /// A surveyor writes a field, having seen all of the document.
    fn edit(&mut self, key: &str, text: &str) {
        let input = Input::Text(text.to_owned());
        let mut builder = ChangeBuilder::new(&self.register, FIELD_ACTOR, 1_790_000_100);
        set_field(&mut builder, KIND, key, &input, &Because::default(), Some(&self.sealer())).unwrap();
        let (change, encoded) = builder.finish().unwrap();
        self.register.apply(&change, encoded.hash);
    }

    /// A surveyor adds a member.
    fn add(&mut self, name: &str, certificate: Option<&str>) -> String {
        let member = NewMember {
            full_name: name.to_owned(),
            cert_no: certificate.map(str::to_owned),
            ..NewMember::default()
        };
        let mut builder = ChangeBuilder::new(&self.register, FIELD_ACTOR, 1_790_000_100);
        let id = add_member(&mut builder, &member, Some(&self.sealer())).unwrap();
        let (change, encoded) = builder.finish().unwrap();
        self.register.apply(&change, encoded.hash);
        id
    }

    fn read(&self) -> Recorded {
        Recorded::read(HOUSEHOLD, &self.register)
    }

    fn member(&self, name: &str) -> Member {
        let found =
            self.read().members.into_values().find(|member| member.full_name.as_deref() == Some(name));
        found.unwrap()
    }

    fn shown(&self, key: &str) -> (Value, bool) {
        let shown = shown(&self.register, KIND, key).unwrap();
        (shown.op.value.clone(), shown.open)
    }

    fn open_keys(&self) -> Vec<String> {
        conflicts(&self.register, KIND).into_iter().map(|conflict| conflict.key).collect()
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn a_new_household_has_its_members_and_its_head() {
    let world = World::imported(&[HEAD_ROW, WIFE_ROW]);
    let household = world.read();
    assert_eq!(household.national_household_no.as_deref(), Some("1001"));
    assert_eq!(household.group_name.as_deref(), Some("三组"));
    assert_eq!(household.population(), 2);
    assert_eq!(household.head_member().unwrap().full_name.as_deref(), Some("李春生"));
    assert_eq!(household.contact_phone.reveal(&world.sealer()).unwrap().unwrap(), "13900000001");
    let head = world.member("李春生");
    assert_eq!(head.cert_no.mask.as_deref(), Some("****0018"));
    assert_eq!(head.cert_no.reveal(&world.sealer()).unwrap().unwrap(), "439921197603150018");
    assert_eq!((head.sort, world.member("王秀英").sort), (1, 2));
}

#[test]
fn private_values_are_nowhere_in_the_changes_or_the_base() {
    let merged = World::new().merge(&[HEAD_ROW, WIFE_ROW]);
    let mut bytes = merged.changes.concat();
    bytes.extend(merged.state.to_bytes());
    for secret in ["439921197603150018", "43992119", "13900000001"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn the_same_roster_again_writes_nothing() {
    let mut world = World::imported(&[HEAD_ROW, WIFE_ROW]);
    let tally = world.import(&[HEAD_ROW, WIFE_ROW]);
    assert_eq!(tally, Tally::default());
    assert_eq!(world.register.change_count(), 1);
}

#[test]
fn the_same_roster_writes_nothing_over_what_people_changed_since() {
    let mut world = World::imported(&[HEAD_ROW, WIFE_ROW]);
    world.edit("group_name", "四组");
    assert_eq!(world.import(&[HEAD_ROW, WIFE_ROW]), Tally::default());
    assert_eq!(world.shown("group_name"), (text("四组"), false));
}

#[test]
fn a_cell_changed_on_the_roster_alone_takes_the_place_of_the_old_one() {
    let mut world = World::imported(&[HEAD_ROW, WIFE_ROW]);
    let tally = world.import(&[&HEAD_ROW.replace("普通", "技能"), WIFE_ROW]);
    assert_eq!(tally.written, 1);
    let key = format!("member/{}/labour_ability", world.member("李春生").id);
    assert_eq!(world.shown(&key), (text("skilled"), false));
    assert_eq!(world.shown(&format!("{key}/source")).0, text("match_import"));
}

#[test]
fn a_cell_changed_on_the_roster_and_in_the_field_stands_side_by_side() {
    let mut world = World::imported(&[HEAD_ROW, WIFE_ROW]);
    let key = format!("member/{}/labour_ability", world.member("李春生").id);
    world.edit(&key, "弱劳动力或半劳动力");
    world.edit("group_name", "五组");
    world.import(&[&HEAD_ROW.replace("普通", "技能"), WIFE_ROW]);
    let (value, open) = world.shown(&key);
    assert!(open, "both are kept");
    assert_eq!(value, text("weak_or_half"), "what a surveyor was told is shown until somebody decides");
    assert_eq!(world.register.live(&key).len(), 2);
    assert_eq!(world.open_keys(), [key]);
    assert_eq!(world.shown("group_name"), (text("五组"), false), "an unchanged cell is left alone");
}

#[test]
fn a_roster_that_comes_to_say_what_the_field_says_opens_nothing() {
    let mut world = World::imported(&[HEAD_ROW, WIFE_ROW]);
    world.edit("contact_phone", "13900000002");
    world.import(&[&HEAD_ROW.replace("0001,", "0002,"), &WIFE_ROW.replace("0001,", "0002,")]);
    assert_eq!(world.open_keys(), Vec::<String>::new());
}

#[test]
fn a_third_import_stands_on_the_second() {
    let mut world = World::imported(&[HEAD_ROW, WIFE_ROW]);
    let four = [HEAD_ROW.replace("三组", "四组"), WIFE_ROW.replace("三组", "四组")];
    world.import(&[&four[0], &four[1]]);
    world.edit("group_name", "六组");
    assert_eq!(world.import(&[&four[0], &four[1]]), Tally::default());
    let five = [HEAD_ROW.replace("三组", "五组"), WIFE_ROW.replace("三组", "五组")];
    world.import(&[&five[0], &five[1]]);
    assert_eq!(world.register.live("group_name").len(), 2);
    assert_eq!(world.shown("group_name"), (text("六组"), true));
}

#[test]
fn a_blank_cell_says_nothing() {
    let mut world = World::imported(&[HEAD_ROW, WIFE_ROW]);
    let tally = world.import(&[&HEAD_ROW.replace("普通劳动力", ""), &WIFE_ROW.replace("长期慢性病", "")]);
    assert_eq!(tally.written, 0);
}

#[test]
fn a_state_that_left_a_set_becomes_no() {
    let mut world = World::imported(&[HEAD_ROW, WIFE_ROW]);
    world.import(&[HEAD_ROW, &WIFE_ROW.replace("长期慢性病", "残疾")]);
    let wife = world.member("王秀英").id;
    let says = |element: &str| {
        let key = format!("member/{wife}/health_status/{element}");
        ruhu_survey::household::reveal(&world.register, KIND, &key, &world.sealer()).unwrap().unwrap()
    };
    assert_eq!((says("chronic").as_str(), says("disabled").as_str()), ("false", "true"));
}

#[test]
fn a_new_person_is_added_and_a_missing_one_is_counted_and_stays() {
    let mut world = World::imported(&[HEAD_ROW, WIFE_ROW]);
    let child = "三组,1001,03,李小梅,439921201204060030,之女,健康,13900000001,无劳动力";
    let tally = world.import(&[HEAD_ROW, child]);
    assert_eq!((tally.members_new, tally.members_gone), (1, 1));
    assert_eq!(world.read().population(), 3);
    assert_eq!(world.member("王秀英").left_on, None);
    let tally = world.import(&[HEAD_ROW, WIFE_ROW, child]);
    assert_eq!((tally.members_new, tally.members_gone, tally.written), (0, 0, 0), "back on the roster");
}

#[test]
fn a_person_is_known_by_number_then_certificate_then_name() {
    let mut world = World::imported(&[HEAD_ROW, WIFE_ROW]);
    let id = world.member("李春生").id;
    let renamed = HEAD_ROW.replace("李春生", "李春声");
    assert_eq!(world.import(&[&renamed, WIFE_ROW]).members_new, 0, "by the person's number");
    let renumbered = renamed.replace(",01,", ",71,").replace("李春声", "李春升");
    assert_eq!(world.import(&[&renumbered, WIFE_ROW]).members_new, 0, "by the certificate number");
    let corrected = renumbered.replace(",71,", ",81,").replace("439921197603150018", "439921195011090040");
    assert_eq!(world.import(&[&corrected, WIFE_ROW]).members_new, 0, "by the name");
    assert_eq!(world.member("李春升").id, id);
    assert_eq!(world.read().population(), 2);
}

#[test]
fn a_person_first_recorded_in_the_field_is_met_not_doubled() {
    let mut world = World::imported(&[HEAD_ROW]);
    let id = world.add("王秀英", Some("439921197808220024"));
    world.edit(&format!("member/{id}/relation_to_head"), "之女");
    let tally = world.import(&[HEAD_ROW, WIFE_ROW]);
    assert_eq!((tally.members_new, tally.members_met), (0, 1));
    assert_eq!(tally.left, 1, "the relation that the field recorded stays");
    assert_eq!(world.read().population(), 2);
    assert_eq!(world.shown(&format!("member/{id}/relation_to_head")), (text("daughter"), false));
    assert_eq!(world.shown(&format!("member/{id}/national_person_no")), (text("02"), false));
    let again = world.import(&[HEAD_ROW, WIFE_ROW]);
    assert_eq!((again.written, again.members_new, again.left), (0, 0, 1));
}

#[test]
fn a_person_met_by_name_needs_no_certificate() {
    let mut world = World::imported(&[HEAD_ROW]);
    let id = world.add("王秀英", None);
    world.import(&[HEAD_ROW, WIFE_ROW]);
    assert_eq!(world.member("王秀英").id, id);
    assert_eq!(world.member("王秀英").cert_no.mask.as_deref(), Some("****0024"));
}

#[test]
fn people_of_one_name_are_not_taken_for_one_another() {
    let mut world = World::imported(&[HEAD_ROW]);
    world.add("王秀英", Some("439921195011090040"));
    let tally = world.import(&[HEAD_ROW, WIFE_ROW]);
    assert_eq!((tally.members_new, tally.members_met), (1, 0));
}

#[test]
fn a_change_of_head_on_the_roster_names_the_other_member() {
    let mut world = World::imported(&[HEAD_ROW, WIFE_ROW]);
    world.import(&[&HEAD_ROW.replace("户主", "配偶"), &WIFE_ROW.replace("配偶", "户主")]);
    assert_eq!(world.read().head_member().unwrap().full_name.as_deref(), Some("王秀英"));
    assert_eq!(world.open_keys(), Vec::<String>::new());
}
