//! Private values: a thousand numbers written on devices are nowhere to be read afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ruhu_client_core::{Client, Cost, Edit, HttpTransport, Invitation, SystemEnvironment};
use ruhu_survey::certificate_number::check_character;
use ruhu_survey::household::{Because, Input, NewHousehold, NewMember};
use ruhu_survey::id::HouseholdId;
use rusqlite::Connection;

use crate::hand::Web;
use crate::unlock;
use crate::world::{PASSPHRASE, World, village_of};

/// Guessing the passphrase of a test may be cheap.
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
const HOUSEHOLDS: u32 = 100;
const MEMBERS: u32 = 10;
/// What the search looks for of each number: its last so many characters.
const LENGTH: usize = 11;
/// The name of a group that looks like a phone number: it is written in clear, so the search must find it.
const CLEAR: &str = "19900000001";

/// Numbers that are searched for.
#[derive(Default)]
struct Markers(BTreeSet<[u8; LENGTH]>);

impl Markers {
    fn add(&mut self, number: &str) -> String {
        let bytes = number.as_bytes();
        let tail = bytes[bytes.len() - LENGTH..].try_into().unwrap();
        assert!(self.0.insert(tail), "{number} twice");
        number.to_owned()
    }

    /// How many places of some bytes hold one.
    fn found_in(&self, bytes: &[u8]) -> usize {
        let windows = bytes.windows(LENGTH).filter(|window| window[0].is_ascii_digit());
        windows.filter(|window| self.0.contains(*window)).count()
    }

    /// The files under a folder that hold one, with how many places.
    fn found_under(&self, folder: &Path) -> Vec<(PathBuf, usize)> {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.is_file());
        let counted = files.map(|path| (self.found_in(&fs::read(&path).unwrap()), path));
        counted.filter(|(count, _)| *count > 0).map(|(count, path)| (path, count)).collect()
    }
}

/// A certificate number that nobody holds: the area 4399 was never issued.
fn certificate(number: u32) -> String {
    let body = format!(
        "4399{:02}{}{:02}{:02}{:03}",
        number % 100,
        1940 + number % 70,
        1 + number % 12,
        1 + number % 28,
        number % 997
    );
    format!("{body}{}", check_character(&body).unwrap())
}

fn phone(number: u32) -> String {
    format!("199{:08}", 10_000_019 + number * 4_001)
}

pub(crate) fn device(world: &World, name: &str, code: &str) -> (Client, HttpTransport) {
    let invitation = Invitation::from_link(&world.invite(name, "work_team", code)).unwrap();
    let environment = Box::new(SystemEnvironment::new());
    let mut client = Client::create_with_cost(&world.path(name), PASSPHRASE, CHEAP, environment).unwrap();
    let transport = HttpTransport::new(&world.url()).unwrap();
    wait(client.enrol(&invitation, name, &mut |_| true, &transport)).unwrap();
    wait(client.sync(&transport, &mut |_| {})).unwrap();
    (client, transport)
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Founds households whose every member has a marker certificate number and a marker phone.
fn found_households(client: &mut Client, markers: &mut Markers) -> Vec<HouseholdId> {
    let village = client.villages().unwrap()[0].id;
    let mut made = Vec::new();
    for household in 0..HOUSEHOLDS {
        let members: Vec<NewMember> = (0..MEMBERS)
            .map(|member| {
                let number = household * MEMBERS + member;
                let phone = markers.add(&phone(number));
                NewMember {
                    full_name: "某家人".to_owned(),
                    cert_no: Some(markers.add(&certificate(number))),
                    fields: BTreeMap::from([("phone".to_owned(), phone)]),
                    source: None,
                }
            })
            .collect();
        let new = NewHousehold {
            group_name: CLEAR.to_owned(),
            address: None,
            phone: Some(markers.add(&phone(10_000 + household))),
        };
        made.push(client.new_household(village, &new, &members).unwrap());
    }
    made
}

/// Edits numbers outside a visit and inside visits that are submitted, kept as drafts, or given up.
fn edit_numbers(
    client: &mut Client,
    households: &[HouseholdId],
    markers: &mut Markers,
    drafts: &mut Markers,
) {
    let mut next = 20_000..;
    for (index, household) in households.iter().enumerate() {
        let members = client.household(*household).unwrap().household.members;
        let key = |name: &str| format!("member/{}/{name}", members.keys().next().unwrap());
        let mut number = || phone(next.next().unwrap());
        let edit = Edit::text(key("phone"), markers.add(&number()));
        let contact = Edit::text("contact_phone", markers.add(&number()));
        client.edit_household(*household, &[edit, contact]).unwrap();
        let check = client.start_check(*household, "routine").unwrap();
        let answer = |client: &mut Client, key: &str, text: String| {
            client.set_answer(check, key, &Input::Text(text), &Because::default()).unwrap();
        };
        answer(client, "answer/housing/grade", "A".to_owned());
        match index % 3 {
            0 => {
                answer(client, &key("phone"), markers.add(&number()));
                client.submit(check, "completed", &[]).unwrap();
            }
            1 => answer(client, &key("phone"), drafts.add(&number())),
            _ => {
                answer(client, &key("phone"), drafts.add(&number()));
                client.withdraw_check(check, "户主外出").unwrap();
            }
        }
    }
}

/// Every raw change that a database keeps.
fn raw_changes(database: &Connection) -> Vec<Vec<u8>> {
    let mut statement = database.prepare("SELECT bytes FROM change").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn no_marker_number_is_found_in_databases_logs_or_raw_changes_and_the_search_finds_what_is_in_clear() {
    let sample = village_of(0, 20);
    let mut world = World::new(20);
    world.start_with(&[("RUST_LOG", "debug")]);
    let (mut markers, mut drafts, mut clear) = (Markers::default(), Markers::default(), Markers::default());
    clear.add(CLEAR);
    for household in &sample.households {
        household.phone.iter().for_each(|number| drop(markers.add(number)));
        for member in &household.members {
            markers.add(&member.certificate_no);
            member.phone.iter().filter(|number| Some(*number) != household.phone.as_ref()).for_each(
                |number| {
                    drop(markers.add(number));
                },
            );
        }
    }
    let (mut first, transport) = device(&world, "张秀英", &sample.code);
    let households = found_households(&mut first, &mut markers);
    wait(first.sync(&transport, &mut |_| {})).unwrap();
    let (mut second, transport) = device(&world, "李国强", &sample.code);
    edit_numbers(&mut second, &households, &mut markers, &mut drafts);
    for client in [&mut second, &mut first] {
        let report = wait(client.sync(&transport, &mut |_| {})).unwrap();
        assert_eq!((report.not_accepted, report.waiting), (0, 0), "{report:?}");
    }
    println!("{} marker numbers, {} in drafts that are never sent", markers.0.len(), drafts.0.len());
    assert!(markers.0.len() + drafts.0.len() > 2 * 1_000);
    let key = first.household(households[0]).unwrap().household;
    assert!(key.contact_phone.is_there() && key.contact_phone.mask.is_some(), "they did arrive, sealed");

    nothing_on_devices(&world, &markers, &drafts, &clear);
    nothing_on_the_server(&world, &markers, &drafts, &clear);
    nothing_in_answers(&world, &households, &markers);
    drop((first, second));
}

/// The device's files hold nothing readable; once unlocked, only drafts hold numbers.
fn nothing_on_devices(world: &World, markers: &Markers, drafts: &Markers, clear: &Markers) {
    for name in ["张秀英", "李国强"] {
        let folder = world.path(name);
        assert!(folder.join("ruhu.db-wal").exists(), "the store is open, so its log is searched too");
        for searched in [markers, drafts, clear] {
            assert_eq!(searched.found_under(&folder), [], "{name}");
        }
        let database = unlock::database(&folder, PASSPHRASE);
        let changes = raw_changes(&database).concat();
        assert_eq!((markers.found_in(&changes), drafts.found_in(&changes)), (0, 0));
        assert!(clear.found_in(&changes) >= HOUSEHOLDS as usize, "the search finds what is in clear");
        println!(
            "{name}: {} bytes of raw changes, 0 numbers; {} clear ones",
            changes.len(),
            clear.found_in(&changes)
        );
    }
    let unlocked = unlock::database(&world.path("李国强"), PASSPHRASE);
    let mut statement = unlocked.prepare("SELECT value FROM draft").unwrap();
    let kept: Vec<Vec<u8>> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(drafts.found_in(&kept.concat()), drafts.0.len(), "the search finds a draft once unlocked");
}

fn nothing_on_the_server(world: &World, markers: &Markers, drafts: &Markers, clear: &Markers) {
    let data = world.data();
    assert!(data.join("ruhu.db-wal").exists(), "the server runs, so its log is searched too");
    let log = world.log();
    assert!(log.contains("/v1/sync"), "{log}");
    for searched in [markers, drafts] {
        assert_eq!(searched.found_under(&data), []);
        assert_eq!(searched.found_in(log.as_bytes()), 0);
    }
    assert_eq!(clear.found_in(log.as_bytes()), 0, "the log holds no group names either");
    let files = clear.found_under(&data);
    assert!(
        files.iter().any(|(path, _)| path.ends_with("ruhu.db") || path.ends_with("ruhu.db-wal")),
        "{files:?}"
    );
    let changes = raw_changes(&Connection::open(data.join("ruhu.db")).unwrap());
    let bytes = changes.concat();
    assert_eq!((markers.found_in(&bytes), drafts.found_in(&bytes)), (0, 0));
    assert!(clear.found_in(&bytes) >= HOUSEHOLDS as usize, "the search finds what is in clear");
    println!("server: {} raw changes, {} bytes of log, 0 numbers; {files:?}", changes.len(), log.len());
}

fn nothing_in_answers(world: &World, households: &[HouseholdId], markers: &Markers) {
    world.operate(&["user", "add", "督查员", "--role", "supervisor", "--region", &village_of(0, 1).code]);
    let token = world.operate(&["user", "token", "督查员"]);
    let (token, web) = (token.lines().next().unwrap().trim(), Web::new(world));
    for household in households {
        for path in ["", "/history"] {
            let answer = web.read(token, &format!("/v1/households/{household}{path}")).to_string();
            assert_eq!(markers.found_in(answer.as_bytes()), 0);
        }
    }
}
