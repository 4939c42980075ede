//! A real census as villages of 慈利县: rosters in, devices out, everything checked, hundreds of households
//! edited by two devices at once, and afterwards every person and every edit is still there.
//!
//! The census (Popstan, released under CC0) lies beside the repository in `../shared/data`; where it is not,
//! the test says so and ends. Without more it takes 3 of the 30 villages, a third of their visits and 60 double
//! edits. The whole of it, 4,456 households with 24,271 people in 30 villages, every household visited and 500
//! edited twice, takes several minutes:
//!
//! ```text
//! RUHU_CENSUS=full cargo test -p ruhu-tests --test village census -- --nocapture
//! ```
//!
//! Server and operator are real processes. The devices are driven in this process through
//! [`ruhu_client_core::Client`] over real HTTP: the command would open each store thousands of times.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use ruhu_client_core::{
    CheckState, Client, Edit, HouseholdView, HttpTransport, Invitation, Query, SyncOutcome,
    SystemEnvironment, Village,
};
use ruhu_sample::census::{CensusRequest, CensusVillages, villages};
use ruhu_sample::{Date, Parameters, Random, SampleHousehold, SampleVillage, VISIT_ANSWERS, visit_answers};
use ruhu_survey::change::{DocumentId, Value};
use ruhu_survey::household::{Because, Input};
use ruhu_survey::id::{DeviceId, HouseholdId};

use crate::world::{PASSPHRASE, World};

const SEED: u64 = 430_000;
const ON: Date = Date { year: 2026, month: 11, day: 1 };
/// The county that the villages lie in.
const COUNTY: &str = "430821";
/// The census spread over so many villages has about 150 households in each.
const VILLAGES: usize = 30;

/// How much of the census is taken.
struct Extent {
    villages: usize,
    /// Every household, every second, …
    checked_every: usize,
    /// Households edited by two devices at once.
    doubles: usize,
}

const BOUNDED: Extent = Extent { villages: 3, checked_every: 3, doubles: 60 };
const FULL: Extent = Extent { villages: VILLAGES, checked_every: 1, doubles: 500 };

/// A field that asks a person when two devices disagree.
const CONTESTED: &str = "main_cause";
/// What the two devices write there, in turns and never the same.
const CAUSES: [&str; 5] = ["illness", "disability", "schooling", "disaster", "land_shortage"];

#[test]
fn the_census_passes_through_rosters_devices_and_double_edits_with_nobody_and_nothing_missing() {
    let Some(census) = census() else { return };
    let full = std::env::var("RUHU_CENSUS").is_ok_and(|asked| asked == "full");
    let extent = if full { FULL } else { BOUNDED };
    let taken = &census.villages[..extent.villages];
    let before = Count::of_rosters(taken);
    tell_counts("rosters", &before);

    let mut world = World::without_rosters(taken);
    timed("rosters imported", "households", || {
        taken.iter().for_each(|village| import(&world, village));
        before.households
    });
    world.start();
    let [mut first, mut second] = ["张秀英", "李国强"].map(|name| Tablet::enrol(&world, name, "work_team"));
    for tablet in [&mut first, &mut second] {
        tablet.sync("first sync");
        assert_eq!(tablet.count(), before, "{} has what the rosters hold", tablet.name);
    }
    world.kill();
    let homes = homes(taken, &first);
    let work = Work::choose(&homes, &extent);
    work.visit([&mut first, &mut second]);
    work.edit_twice([&mut first, &mut second]);

    world.start();
    first.sync("sync");
    second.sync("sync");
    first.sync("sync again");
    // Somebody new knows only what the server knows.
    let mut newcomer = Tablet::enrol(&world, "王建平", "first_secretary");
    newcomer.sync("first sync");

    let after = Count { checked: work.visited.len(), conflicts: extent.doubles, ..before };
    let authors = [first.id(), second.id()];
    for tablet in [&first, &second, &newcomer] {
        tell_counts(&tablet.name, &tablet.count());
        assert_eq!(tablet.count(), after);
        tablet.holds_every_visit(&work.visited);
        tablet.holds_every_edit(&work.contested, authors);
        tablet.has_nothing_left();
    }
    timed("compared with the census by name, relation and number", "people", || {
        homes.iter().map(|home| newcomer.holds_everybody(home)).sum()
    });
    timed("compared on three devices", "households", || {
        homes.iter().for_each(|home| all_show_the_same([&first, &second, &newcomer], home.id));
        homes.len()
    });
    timed("log leaves verified by the server", "", || verified(&world));
}

/// What is done offline.
struct Work<'a> {
    visited: Vec<&'a Home<'a>>,
    contested: Vec<HouseholdId>,
}

impl<'a> Work<'a> {
    fn choose(homes: &'a [Home<'a>], extent: &Extent) -> Self {
        let step = homes.len() / extent.doubles;
        Self {
            visited: homes.iter().step_by(extent.checked_every).collect(),
            contested: homes.iter().step_by(step).take(extent.doubles).map(|home| home.id).collect(),
        }
    }

    /// Each device visits every other one.
    fn visit(&self, tablets: [&mut Tablet; 2]) {
        timed("checked offline, 25 answers each", "households", || {
            for (index, home) in self.visited.iter().enumerate() {
                tablets[index % 2].visit(home);
            }
            self.visited.len()
        });
    }

    /// Both devices write the same field of the same households, and never the same value.
    fn edit_twice(&self, tablets: [&mut Tablet; 2]) {
        let [first, second] = tablets;
        timed("edited offline by both devices", "households", || {
            for (index, household) in self.contested.iter().enumerate() {
                first.edit(*household, &Said::by_first(index));
                second.edit(*household, &Said::by_second(index));
            }
            self.contested.len()
        });
    }
}

/// The census with its figures, where it is at hand.
fn census() -> Option<CensusVillages> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let read = |name| fs::read_to_string(folder.join(name)).ok();
    let Some((homes, people)) = read("popstan-households.csv").zip(read("popstan-persons.csv")) else {
        println!("not run: the census is not in {}", folder.display());
        return None;
    };
    let request = CensusRequest { seed: SEED, villages: VILLAGES, on: ON };
    let census = villages(&homes, &people, &request, Parameters::bundled()).unwrap();
    let households: usize = census.villages.iter().map(|village| village.households.len()).sum();
    assert_eq!((census.dwellings, census.empty_dwellings, households), (4_872, 416, 4_456));
    assert_eq!(census.people, 24_271);
    println!(
        "census: {} housing records, {households} inhabited households, {} vacant, {} people",
        census.dwellings, census.empty_dwellings, census.people
    );
    Some(census)
}

/// Brings a village in, and reads from what the operator is told that nothing was left out.
fn import(world: &World, village: &SampleVillage) {
    let said = world.import_roster(village);
    let (households, people) = (village.households.len(), people(village));
    assert!(said.contains(&format!("{households} households new, 0 changed")), "{said}");
    assert!(said.contains(&format!("{people} people on the roster: {people} new")), "{said}");
    assert!(said.contains("0 bad rows left out, 0 bad cells"), "{said}");
}

fn people(village: &SampleVillage) -> usize {
    village.households.iter().map(|household| household.members.len()).sum()
}

/// What is counted before and after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    villages: usize,
    households: usize,
    people: usize,
    checked: usize,
    conflicts: usize,
}

impl Count {
    fn of_rosters(villages: &[SampleVillage]) -> Self {
        Self {
            villages: villages.len(),
            households: villages.iter().map(|village| village.households.len()).sum(),
            people: villages.iter().map(people).sum(),
            ..Self::default()
        }
    }
}

/// A household of the census and its id in the register.
struct Home<'a> {
    id: HouseholdId,
    sample: &'a SampleHousehold,
}

/// The households of the rosters, each found in the register by its official number.
fn homes<'a>(villages: &'a [SampleVillage], tablet: &Tablet) -> Vec<Home<'a>> {
    let known: BTreeMap<_, _> =
        tablet.listed().into_iter().map(|household| (household.number, household.id)).collect();
    let samples = villages.iter().flat_map(|village| &village.households);
    samples.map(|sample| Home { id: known[&sample.national_no], sample }).collect()
}

/// One of two edits of the same field of the same household.
struct Said {
    cause: &'static str,
    reason: String,
}

impl Said {
    fn by_first(index: usize) -> Self {
        Self { cause: CAUSES[index % CAUSES.len()], reason: format!("户主自述{index}") }
    }

    fn by_second(index: usize) -> Self {
        Self { cause: CAUSES[(index + 1) % CAUSES.len()], reason: format!("邻居反映{index}") }
    }
}

/// A field device in this process, and its link.
struct Tablet {
    name: String,
    client: Client,
    transport: HttpTransport,
    runtime: tokio::runtime::Runtime,
    random: Random,
}

impl Tablet {
    fn enrol(world: &World, name: &str, role: &str) -> Self {
        let link = world.invite(name, role, COUNTY);
        let store = world.device(name).store;
        let mut client = Client::create(&store, PASSPHRASE, Box::new(SystemEnvironment::new())).unwrap();
        let transport = HttpTransport::new(&world.url()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let invitation = Invitation::from_link(&link).unwrap();
        runtime.block_on(client.enrol(&invitation, name, &mut |_| false, &transport)).unwrap();
        Self { name: name.to_owned(), client, transport, runtime, random: Random::new(SEED) }
    }

    /// Syncs to the end.
    fn sync(&mut self, what: &str) {
        let (mut sent, mut got) = (0, 0);
        timed(&format!("{}: {what}", self.name), "batches", || self.sync_all(&mut sent, &mut got));
        println!("{:>70} kB up, {} kB down", sent / 1000, got / 1000);
    }

    fn sync_all(&mut self, sent: &mut u64, got: &mut u64) -> usize {
        let mut batches = 0;
        loop {
            let report = self.runtime.block_on(self.client.sync(&self.transport, &mut |_| ())).unwrap();
            batches += report.progress.receipts + report.progress.relayed;
            *sent += report.sent_bytes;
            *got += report.got_bytes;
            assert_eq!((report.not_accepted, report.set_aside), (0, 0), "{report:?}");
            assert!(report.mismatched.is_empty(), "{report:?}");
            match report.outcome {
                SyncOutcome::Complete => return usize::try_from(batches).unwrap(),
                SyncOutcome::Paused => {}
                SyncOutcome::Interrupted(error) => panic!("{error}"),
            }
        }
    }

    fn id(&self) -> DeviceId {
        self.client.status().unwrap().device.unwrap().device
    }

    fn villages(&self) -> Vec<Village> {
        self.client.villages().unwrap()
    }

    fn listed(&self) -> Vec<ruhu_client_core::ListedHousehold> {
        let all = |village: Village| self.client.households(village.id, &Query::default()).unwrap();
        self.villages().into_iter().flat_map(all).collect()
    }

    fn count(&self) -> Count {
        let listed = self.listed();
        let open = |village: &Village| self.client.conflicts(village.id).unwrap();
        let villages = self.villages();
        Count {
            villages: villages.iter().filter(|village| village.households > 0).count(),
            households: listed.len(),
            people: listed.iter().map(|household| usize::try_from(household.members).unwrap()).sum(),
            checked: listed.iter().filter(|household| household.last_checked.is_some()).count(),
            conflicts: villages.iter().flat_map(open).filter(|conflict| conflict.asks).count(),
        }
    }

    /// A visit: 25 answers, each durable before the next, and the submission.
    fn visit(&mut self, home: &Home<'_>) {
        let check = self.client.start_check(home.id, "screening").unwrap();
        for answer in visit_answers(&mut self.random, home.sample) {
            let input = Input::Stored(answer.value.to_value());
            self.client.set_answer(check, &answer.key(), &input, &Because::default()).unwrap();
        }
        self.client.submit(check, "completed", &[]).unwrap();
    }

    fn edit(&mut self, household: HouseholdId, said: &Said) {
        let because = Because { source: None, reason: Some(said.reason.clone()) };
        let edit = Edit { key: CONTESTED.to_owned(), input: Input::Text(said.cause.to_owned()), because };
        self.client.edit_household(household, &[edit]).unwrap();
    }

    fn holds_every_visit(&self, homes: &[&Home<'_>]) {
        for home in homes {
            let checks = self.client.checks(home.id).unwrap();
            let [check] = checks.as_slice() else {
                panic!("{} has {} checks of {}", self.name, checks.len(), home.id)
            };
            assert_eq!(check.state, CheckState::Submitted);
            let fields = self.client.check(check.id).unwrap().fields;
            let answers = fields.iter().filter(|field| field.key.starts_with("answer/")).count();
            assert_eq!(answers, VISIT_ANSWERS);
        }
    }

    /// Both edits of each household are in its history, under the device that made them and beside each other.
    fn holds_every_edit(&self, contested: &[HouseholdId], authors: [DeviceId; 2]) {
        for (index, id) in contested.iter().enumerate() {
            let history = self.client.history(DocumentId::from(*id), Some(CONTESTED)).unwrap();
            for (said, author) in [Said::by_first(index), Said::by_second(index)].into_iter().zip(authors) {
                let mut events = history.iter().filter(|event| event.reason.as_ref() == Some(&said.reason));
                let event = events.next().unwrap_or_else(|| panic!("{} lacks an edit of {id}", self.name));
                assert_eq!(
                    (event.new.clone(), event.by.device),
                    (Value::Text(said.cause.to_owned()), author)
                );
                assert_eq!(event.concurrent_with.len(), 1);
                assert!(event.by.not_after_ms.is_some(), "the edit has its receipt");
            }
        }
    }

    /// Every person of the census is a member, by name, relation and certificate number; how many there are.
    fn holds_everybody(&self, home: &Home<'_>) -> usize {
        let household = self.client.household(home.id).unwrap().household;
        let people = household.active_members().into_iter().map(|member| {
            let key = format!("member/{}/cert_no", member.id);
            let number = self.client.reveal(home.id.into(), &key).unwrap().unwrap();
            let relation = member.relation_to_head.unwrap().code.clone();
            (number, (member.full_name.clone().unwrap(), relation))
        });
        let people: BTreeMap<_, _> = people.collect();
        let sampled = home.sample.members.iter().map(|member| {
            let name_and_relation = (member.full_name.clone(), member.relation_to_head.to_owned());
            (member.certificate_no.clone(), name_and_relation)
        });
        assert_eq!(people, sampled.collect());
        people.len()
    }

    fn has_nothing_left(&self) {
        let status = self.client.status().unwrap();
        let unsent = status.unsent;
        assert_eq!(
            (unsent.drafts, unsent.changes, unsent.queued, unsent.sent, unsent.turned_away),
            (0, 0, 0, 0, 0)
        );
        assert_eq!((status.not_accepted, status.set_aside, status.forks.len()), (0, 0, 0));
    }

    /// What every device of the village shows alike.
    fn shown(&self, household: HouseholdId) -> HouseholdView {
        let mut view = self.client.household(household).unwrap();
        view.send_state = None;
        for check in &mut view.checks {
            (check.own, check.send_state) = (false, None);
        }
        view
    }
}

fn all_show_the_same(tablets: [&Tablet; 3], household: HouseholdId) {
    let [first, others @ ..] = tablets;
    let shown = first.shown(household);
    others.iter().for_each(|tablet| assert_eq!(tablet.shown(household), shown));
}

/// How many leaves the server's log has, after all of it was recomputed.
fn verified(world: &World) -> usize {
    let said = world.operate(&["verify"]);
    println!("{}", said.trim());
    assert!(said.contains("Everything agrees"), "{said}");
    said.split_whitespace().find_map(|word| word.parse().ok()).unwrap()
}

fn tell_counts(who: &str, count: &Count) {
    let Count { villages, households, people, checked, conflicts } = count;
    println!(
        "{who}: {villages} villages, {households} households, {people} people, {checked} checked, {conflicts} conflicts"
    );
}

/// Does something that counts, and prints the count and the seconds.
fn timed(what: &str, unit: &str, work: impl FnOnce() -> usize) {
    let since = now();
    let count = work();
    println!("{count:>8} {unit:<12}{:>8.1} s  {what}", since.elapsed().as_secs_f64());
}

#[expect(clippy::disallowed_methods, reason = "the seconds in the printed table")]
fn now() -> Instant {
    Instant::now()
}
