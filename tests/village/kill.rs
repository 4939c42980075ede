//! `kill -9` of the server and of devices in the middle of syncs, several hundred times in one run: nothing
//! that anybody was told is safe is ever missing.
//!
//! Real processes of `ruhu` and `ruhu-server` on real files. Each round a few devices write (a field, a check,
//! a new member, a new household), two of them sync at once, and the server or one of the two is killed. What
//! counts as told:
//!
//! - an edit whose command exited 0 is on that device for ever, and in the end on the server and every device;
//! - an edit that a device shows as received is on the server from that moment on. This is asked of the server's
//!   store in each round, before any device can send again what was lost.
//!
//! In the end every device holds every edit. One that took the village over in one piece may have left earlier
//! checks on the server: exactly those that it names itself, and it holds them once it has asked for them.
//!
//! A kill has to land inside a sync, so this test is about real time and the only one that looks at a clock: a
//! sync begins with a row in the device's sync log, which is seen in the size of its write-ahead file; from
//! there a random fraction of the time passes that an undisturbed sync takes. Devices are made with a cheap
//! passphrase cost, which their key file remembers, so that openings do not hide what is measured.
//!
//! `RUHU_KILLS` and `RUHU_SEED` choose how many kills and which random numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use ruhu_client_core::{Client, Cost, SystemEnvironment};
use ruhu_ledger::batch::BatchId;
use ruhu_sample::{Random, SampleVillage};
use ruhu_server::store::{LedgerStore as _, SqliteStore};
use ruhu_survey::change::{DocumentId, DocumentKind, Value};
use ruhu_survey::id::{CheckId, HouseholdId};
use serde_json::json;

use crate::number;
use crate::world::{Device, PASSPHRASE, World, village_of};

const KILLS: usize = 300;
const SEED: u64 = 20_261_101;
const HOUSEHOLDS: usize = 16;
/// Three who keep syncing, and one more who seldom does and so has much to catch up.
const NAMES: [&str; 4] = ["张秀英", "李国强", "王建平", "覃小梅"];
/// As often all devices sync undisturbed, which also measures how long that takes today.
const ROUNDS_BETWEEN_QUIET: usize = 20;
/// How often a waiting loop looks.
const TICK: Duration = Duration::from_micros(200);
/// Longer than any sync of this size; beyond it something hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// `ruhu` ends so when the link failed: nothing is lost, sync again.
const EXIT_NO_NETWORK: i32 = 4;

#[test]
fn nothing_acknowledged_is_lost_when_server_and_devices_are_killed_during_sync() {
    let kills = number("RUHU_KILLS", KILLS as u64) as usize;
    let seed = number("RUHU_SEED", SEED);
    println!("kills: {kills}, seed: {seed}");
    let began = now();
    let mut trial = Trial::new(seed);
    while trial.count.killed() < kills {
        if trial.count.rounds.is_multiple_of(ROUNDS_BETWEEN_QUIET) {
            trial.quiet_round();
        }
        trial.round();
    }
    trial.quiet_round();
    trial.everything_is_everywhere();
    println!("{} in {:.0} s", trial.count.line(), began.elapsed().as_secs_f64());
    assert!(trial.count.inside() * 2 > trial.count.killed(), "most kills must cut a sync: {:?}", trial.count);
}

/// What a run came to.
#[derive(Debug, Default)]
struct Count {
    rounds: usize,
    server_kills: usize,
    server_kills_inside: usize,
    device_kills: usize,
    too_late: usize,
    syncs_whole: usize,
    syncs_cut: usize,
    acknowledged: usize,
    shown_received: usize,
    looked_for: usize,
    asked_for: usize,
}

impl Count {
    fn killed(&self) -> usize {
        self.server_kills + self.device_kills
    }

    /// Kills that cut a sync short. A device is only killed while it syncs; a server's death is inside when
    /// somebody's sync failed by it.
    fn inside(&self) -> usize {
        self.server_kills_inside + self.device_kills
    }

    fn line(&self) -> String {
        format!(
            "{} kills in {} rounds: {} of the server ({} cut a sync), {} of a device during sync; {} came too \
             late; {} syncs whole, {} cut; {} edits acknowledged, {} shown as received, {} times looked \
             for on the server, {} left there and asked for; missing: 0",
            self.killed(),
            self.rounds,
            self.server_kills,
            self.server_kills_inside,
            self.device_kills,
            self.too_late,
            self.syncs_whole,
            self.syncs_cut,
            self.acknowledged,
            self.shown_received,
            self.looked_for,
            self.asked_for,
        )
    }
}

/// One edit whose command exited 0.
#[derive(Debug, Clone)]
struct Told {
    household: HouseholdId,
    document: DocumentId,
    key: String,
    value: Value,
}

/// A device, what it was told, and what it showed as received.
struct Surveyor {
    device: Device,
    waiting: Vec<Told>,
    done: Vec<Told>,
    received: BTreeSet<[u8; 32]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Server,
    Device,
}

struct Trial {
    world: World,
    surveyors: Vec<Surveyor>,
    /// Those that every device knows.
    households: Vec<String>,
    /// Those founded since all devices last synced.
    founded: Vec<String>,
    /// The certificates of the heads of the households that were founded: sealed values, which are lost
    /// when the key that a device made for the household does not come through.
    certificates: BTreeMap<String, String>,
    /// Invented people to found households with.
    people: SampleVillage,
    random: Random,
    /// How long a sync lasts from its first write, when nobody disturbs it.
    undisturbed: Duration,
    serial: u64,
    count: Count,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut world = World::new(HOUSEHOLDS);
        world.start();
        let code = village_of(0, HOUSEHOLDS).code;
        let surveyors: Vec<_> = NAMES.iter().map(|name| Surveyor::enrol(&world, name, &code)).collect();
        surveyors.iter().for_each(|surveyor| drop(surveyor.device.sync()));
        let households = surveyors[0].device.households();
        assert_eq!(households.len(), HOUSEHOLDS);
        Self {
            world,
            surveyors,
            households,
            founded: Vec::new(),
            certificates: BTreeMap::new(),
            people: village_of(1, 200),
            random: Random::new(seed),
            undisturbed: Duration::ZERO,
            serial: 0,
            count: Count::default(),
        }
    }

    /// Somebody writes, two sync, one process dies, and everything starts again.
    fn round(&mut self) {
        self.count.rounds += 1;
        let last = if self.random.chance(0.1) { NAMES.len() } else { NAMES.len() - 1 } as u64;
        let first = self.random.below(last) as usize;
        let second = (first + 1 + self.random.below(last - 1) as usize) % last as usize;
        for index in [first, second] {
            for _ in 0..self.random.between(1, 3) {
                self.write(index);
            }
        }
        let victim = self.random.pick(&[Some(Victim::Server), Some(Victim::Device)]).unwrap();
        let pause = self.undisturbed.mul_f64(self.random.unit());
        self.sync_and_kill(first, second, victim, pause);
        if victim == Victim::Server {
            self.world.start();
        }
        for index in [first, second] {
            self.look(index);
        }
        self.server_holds_what_was_shown();
    }

    fn sync_and_kill(&mut self, first: usize, second: usize, victim: Victim, pause: Duration) {
        let mut one = Sync::start(&self.surveyors[first].device);
        let other = Sync::start(&self.surveyors[second].device);
        one.until_begun();
        let since = now();
        while since.elapsed() < pause && one.is_running() {
            std::thread::sleep(TICK);
        }
        match victim {
            Victim::Server => self.world.kill(),
            Victim::Device => one.child.kill().unwrap(),
        }
        let ends = [one.end(), other.end()];
        let cut = ends.iter().filter(|status| status.code() == Some(EXIT_NO_NETWORK)).count();
        let whole = ends.iter().filter(|status| status.success()).count();
        let killed = ends.iter().filter(|status| status.code().is_none()).count();
        assert_eq!(
            cut + whole + killed,
            ends.len(),
            "a sync ended as none may: {ends:?}\n{}",
            self.world.log()
        );
        self.count.syncs_whole += whole;
        self.count.syncs_cut += cut + killed;
        match victim {
            Victim::Server => {
                self.count.server_kills += 1;
                self.count.server_kills_inside += usize::from(cut > 0);
            }
            Victim::Device => {
                assert_eq!(cut, 0, "the server lives, and yet a sync was cut");
                self.count.device_kills += killed;
                self.count.too_late += 1 - killed;
            }
        }
    }

    /// One edit through a command; from its exit on it is acknowledged.
    fn write(&mut self, index: usize) {
        self.serial += 1;
        let serial = self.serial;
        let at = self.random.below(self.households.len() as u64) as usize;
        let household = self.households[at].clone();
        let device = &self.surveyors[index].device;
        let told = match self.random.below(20) {
            0 => self.found(index),
            1 | 2 => add_member(device, &household),
            3..=6 => check(device, &household, serial),
            _ => {
                let text = format!("记事{serial}");
                device.run(&["edit", &household, "remarks", &text]);
                Told::of_household(&household, "remarks", &text)
            }
        };
        self.surveyors[index].waiting.push(told);
        self.count.acknowledged += 1;
    }

    /// A household that no roster knows, with a key of its own.
    fn found(&mut self, index: usize) -> Told {
        let people = &self.people.households;
        let head = &people[self.certificates.len() % people.len()].members[0];
        let (name, certificate) = (head.full_name.as_str(), head.certificate_no.as_str());
        let group = format!("第{}组", self.serial);
        let arguments = ["found", "--group", &group, "--name", name, "--certificate", certificate];
        let founded = self.surveyors[index].device.json(&arguments);
        let id = founded["household"].as_str().unwrap().to_owned();
        self.founded.push(id.clone());
        self.certificates.insert(id.clone(), certificate.to_owned());
        Told::of_household(&id, "group_name", &group)
    }

    /// Opens a device's store after its sync has ended or died: what was acknowledged is there, and what is
    /// received is noted.
    fn look(&mut self, index: usize) {
        let surveyor = &mut self.surveyors[index];
        let client = surveyor.device.open();
        for told in std::mem::take(&mut surveyor.waiting) {
            let (batch, received) =
                told.find(&client).unwrap_or_else(|| panic!("{told:?} is missing where it was written"));
            if received {
                surveyor.received.insert(batch);
                surveyor.done.push(told);
                self.count.shown_received += 1;
            } else {
                surveyor.waiting.push(told);
            }
        }
    }

    /// Nobody has synced since the kill, so no device can have repaired anything.
    fn server_holds_what_was_shown(&mut self) {
        let store = SqliteStore::open(&self.world.data().join("ruhu.db"), None).unwrap();
        for batch in self.surveyors.iter().flat_map(|surveyor| &surveyor.received) {
            let receipt = store.receipt(BatchId(*batch)).unwrap();
            assert!(receipt.is_some(), "the server lost a batch that a device shows as received");
            self.count.looked_for += 1;
        }
    }

    /// All devices sync to the end, one after the other; the middle one of their times is the measure.
    fn quiet_round(&mut self) {
        for index in 0..self.surveyors.len() {
            self.write(index);
        }
        let mut times = Vec::new();
        for surveyor in self.surveyors.iter().chain(&self.surveyors) {
            let mut sync = Sync::start(&surveyor.device);
            sync.until_begun();
            let since = now();
            let status = sync.end();
            times.push(since.elapsed());
            assert!(status.success(), "an undisturbed sync failed: {status}\n{}", self.world.log());
        }
        times.sort();
        self.undisturbed = times[times.len() / 2];
        self.count.syncs_whole += times.len();
        self.households.append(&mut self.founded);
        for index in 0..self.surveyors.len() {
            self.look(index);
            assert!(self.surveyors[index].waiting.is_empty(), "an undisturbed sync left something behind");
        }
    }

    /// Server and devices hold every acknowledged edit, and show the same.
    fn everything_is_everywhere(&mut self) {
        let code = village_of(0, HOUSEHOLDS).code;
        // Somebody new knows only what the server knows.
        self.surveyors.push(Surveyor::enrol(&self.world, "龙新来", &code));
        for surveyor in self.surveyors.iter().chain(&self.surveyors) {
            surveyor.device.sync();
        }
        let told: Vec<_> = self.surveyors.iter().flat_map(|surveyor| surveyor.done.clone()).collect();
        assert_eq!(told.len(), self.count.acknowledged);
        assert_eq!(told.len(), self.count.shown_received);
        for (index, surveyor) in self.surveyors.iter().enumerate() {
            let asked_for = surveyor.ask_for_earlier(&told, &self.households);
            assert!(
                asked_for == 0 || index >= NAMES.len(),
                "who was there from the start was sent every check"
            );
            self.count.asked_for += asked_for;
            let client = surveyor.device.open();
            let missing: Vec<_> =
                told.iter().filter(|told| !told.find(&client).is_some_and(|found| found.1)).collect();
            assert!(missing.is_empty(), "missing on {:?}: {missing:?}", surveyor.device.store);
            for (household, certificate) in &self.certificates {
                assert_eq!(revealed(&client, household).as_ref(), Some(certificate));
            }
        }
        self.all_show_the_same();
        let verified = self.world.operate(&["verify"]);
        assert!(verified.contains("agree"), "{verified}");
        println!("{}", verified.trim());
    }

    fn all_show_the_same(&self) {
        let [first, others @ ..] = self.surveyors.as_slice() else { return };
        let mut households = first.device.households();
        households.sort();
        assert_eq!(households.len(), self.households.len());
        for surveyor in others {
            let mut own = surveyor.device.households();
            own.sort();
            assert_eq!(own, households);
        }
        for household in &households {
            let shown = first.device.json(&["show", household]);
            for surveyor in others {
                assert_eq!(surveyor.device.json(&["show", household]), shown);
            }
        }
        for surveyor in &self.surveyors {
            let status = surveyor.device.json(&["status"]);
            let unsent = status["unsent"].as_object().unwrap();
            assert!(!unsent.is_empty() && unsent.values().all(|count| count == 0), "{status}");
            assert_eq!(status["not_accepted"], json!([]));
            assert_eq!(status["set_aside"], 0, "{status}");
            assert_eq!(status["forks"], 0);
            assert_eq!(status["log_inconsistent"], false);
            assert_eq!(status["villages"][0]["mismatch"], false);
        }
    }
}

impl Surveyor {
    /// A device whose key file asks for a cheap passphrase, enrolled through the command.
    fn enrol(world: &World, name: &str, region: &str) -> Self {
        let device = world.device(name);
        let cheap = Cost { memory_kib: 64, passes: 1, lanes: 1 };
        drop(
            Client::create_with_cost(&device.store, PASSPHRASE, cheap, Box::new(SystemEnvironment::new()))
                .unwrap(),
        );
        device.run(&["enrol", &world.invite(name, "work_team", region), "--name", name]);
        Self { device, waiting: Vec::new(), done: Vec::new(), received: BTreeSet::new() }
    }

    /// Asks the server for the earlier checks that this device names as left there; how many. Only what was told
    /// and is not here may be named, and whatever is not here has to be, household by household. A check that
    /// is not named itself does not come by asking.
    fn ask_for_earlier(&self, told: &[Told], households: &[String]) -> usize {
        let client = self.device.open();
        let mut absent: BTreeMap<HouseholdId, u64> = BTreeMap::new();
        for told in told.iter().filter(|told| told.find(&client).is_none()) {
            assert_eq!(
                told.document.kind,
                DocumentKind::Check,
                "missing on {:?}: {told:?}",
                self.device.store
            );
            *absent.entry(told.household).or_default() += 1;
        }
        let named = households.iter().map(|household| {
            let household = household.parse().unwrap();
            (household, client.earlier_on_server(household).unwrap())
        });
        let named: BTreeMap<_, _> = named.filter(|(_, count)| *count > 0).collect();
        assert_eq!(absent, named, "missing on {:?}, and named there as on the server", self.device.store);
        drop(client);
        for household in absent.keys() {
            self.device.run(&["history", &household.to_string(), "--earlier"]);
        }
        let client = self.device.open();
        assert!(absent.keys().all(|household| client.earlier_on_server(*household).unwrap() == 0));
        absent.into_values().sum::<u64>() as usize
    }
}

impl Device {
    fn open(&self) -> Client {
        Client::open(&self.store, PASSPHRASE, Box::new(SystemEnvironment::new())).unwrap()
    }
}

impl Told {
    fn of_household(household: &str, key: &str, value: &str) -> Self {
        let household: HouseholdId = household.parse().unwrap();
        Self {
            household,
            document: household.into(),
            key: key.to_owned(),
            value: Value::Text(value.to_owned()),
        }
    }

    /// The batch of the edit in this store's history, and whether it is shown as received.
    fn find(&self, client: &Client) -> Option<([u8; 32], bool)> {
        let events = client.history(self.document, Some(&self.key)).ok()?;
        let event = events.into_iter().find(|event| event.new == self.value)?;
        Some((event.by.batch, event.by.not_after_ms.is_some()))
    }
}

fn add_member(device: &Device, household: &str) -> Told {
    let name = "田添丁";
    let arguments = [
        "add-member",
        household,
        "--name",
        name,
        "--relation",
        "son",
        "--on",
        "2026-10-01",
        "--reason",
        "birth",
    ];
    let member = device.json(&arguments)["member"].as_str().unwrap().to_owned();
    Told::of_household(household, &format!("member/{member}/full_name"), name)
}

fn check(device: &Device, household: &str, serial: u64) -> Told {
    let (key, fen) = ("answer/income/wage_income".to_owned(), i64::try_from(serial).unwrap() * 100);
    let file = device.store.with_extension("answers.json");
    fs::write(&file, json!({ &key: fen, "answer/housing/grade": "A" }).to_string()).unwrap();
    let submitted = device.json(&["check", household, "--answers", &file.to_string_lossy()]);
    assert_eq!(submitted["submitted"], true);
    let id: CheckId = submitted["check"].as_str().unwrap().parse().unwrap();
    Told { household: household.parse().unwrap(), document: id.into(), key, value: Value::Int(fen) }
}

/// The certificate number of a household's head, opened with the household's key.
fn revealed(client: &Client, household: &str) -> Option<String> {
    let household: HouseholdId = household.parse().unwrap();
    let head = client.household(household).unwrap().household.head.unwrap();
    client.reveal(household.into(), &format!("member/{head}/cert_no")).unwrap()
}

/// A `ruhu sync` under way.
struct Sync {
    child: Child,
    log: PathBuf,
    before: Option<(u64, SystemTime)>,
}

impl Sync {
    fn start(device: &Device) -> Self {
        let log = device.store.join("ruhu.db-wal");
        let before = size_and_time(&log);
        let child =
            device.command(&["sync", "--json"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, log, before }
    }

    /// Waits until the sync has written its first row, or has ended.
    fn until_begun(&mut self) {
        let since = now();
        loop {
            let found = size_and_time(&self.log);
            let begun = found.is_some_and(|(size, _)| size > 0) && found != self.before;
            if begun || !self.is_running() {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "a sync did not begin");
            std::thread::sleep(TICK);
        }
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn end(mut self) -> ExitStatus {
        let since = now();
        while self.is_running() {
            if since.elapsed() > PATIENCE {
                self.child.kill().unwrap();
                panic!("a sync hangs");
            }
            std::thread::sleep(TICK);
        }
        self.child.wait().unwrap()
    }
}

fn size_and_time(path: &Path) -> Option<(u64, SystemTime)> {
    let found = fs::metadata(path).ok()?;
    Some((found.len(), found.modified().ok()?))
}

#[expect(clippy::disallowed_methods, reason = "kills have to land inside a sync, which takes real time")]
fn now() -> Instant {
    Instant::now()
}
