//! What the weekly sync of a village costs on the wire: 300 of 1,000 households are visited, 24 plain answers
//! and a note each, by a clock that runs as a visit does. Bytes, which depend on no machine.

use std::sync::{Arc, Mutex};

use ruhu_sample::{
    Date, NUMBERED_NOTES, Parameters, Random, SampleHousehold, VillageRequest, distinct_note, numbered_note,
    visit_answers,
};
use ruhu_survey::household::{Because, Input};

use super::*;
use crate::{Environment, SyncOutcome};

const HOUSEHOLDS: usize = 1_000;
const VISITED: usize = 300;
/// The morning of 2026-11-02 in China.
const MORNING_MS: i64 = 1_793_574_000_000;

/// A clock that the week turns, and randomness that repeats.
#[derive(Debug, Clone)]
struct FieldClock(Arc<Mutex<(i64, Random)>>);

impl FieldClock {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new((MORNING_MS, Random::new(seed)))))
    }

    fn pass(&self, ms: i64) {
        self.0.lock().unwrap().0 += ms;
    }
}

impl Environment for FieldClock {
    fn now_ms(&self) -> i64 {
        self.0.lock().unwrap().0
    }

    fn monotonic_ms(&self) -> u64 {
        self.now_ms().unsigned_abs() % 1_000_000_000
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        let random = &mut self.0.lock().unwrap().1;
        bytes.iter_mut().for_each(|byte| *byte = u8::try_from(random.below(256)).unwrap());
        Ok(())
    }
}

fn client(server: &FakeServer, clock: FieldClock) -> (TempDir, Client) {
    let folder = TempDir::new().unwrap();
    let mut client = Client::create_with_cost(folder.path(), PASSPHRASE, TEST_COST, Box::new(clock)).unwrap();
    let invitation = Invitation::from_link(&server.link()).unwrap();
    now(client.enrol(&invitation, "tablet", &mut |_| false, server)).unwrap();
    (folder, client)
}

fn synced(client: &mut Client, server: &FakeServer) -> SyncReport {
    let report = now(client.sync(server, &mut |_| {})).unwrap();
    assert_eq!((&report.outcome, report.waiting, report.set_aside), (&SyncOutcome::Complete, 0, 0));
    assert!(report.mismatched.is_empty());
    report
}

/// The answers of one visit, and the submission.
fn visit(client: &mut Client, clock: &FieldClock, id: HouseholdId, answers: Vec<(String, Value)>) {
    let check = client.start_check(id, "screening").unwrap();
    let mut random = Random::new(clock.now_ms().unsigned_abs());
    for (key, value) in answers {
        clock.pass(random.between(10_000, 90_000));
        client.set_answer(check, &key, &Input::Stored(value), &Because::default()).unwrap();
    }
    client.submit(check, "completed", &[]).unwrap();
    clock.pass(random.between(60_000, 900_000));
}

fn answers(random: &mut Random, household: &SampleHousehold, note: String) -> Vec<(String, Value)> {
    let given = visit_answers(random, household);
    let plain = given.iter().skip(1).map(|answer| (answer.key(), answer.value.to_value()));
    plain.chain([("answer/visit/note".to_owned(), Value::Text(note))]).collect()
}

/// A household as a roster's import lists it: no key of its own has to travel.
fn listed(office: &mut Client, village: VillageId, household: &SampleHousehold) -> HouseholdId {
    let id = HouseholdId::from_bytes(office.next_founded_id().unwrap());
    let written = office.author(village, |pen| {
        let mut stored = document::load_or_make(pen.tx, village, DocumentId::from(id))?;
        pen.write(&mut stored, Place::Anywhere, |builder| {
            builder.put("group_name", Value::Text(household.group.clone()));
            builder.put("dwelling_address", Value::Text(household.address.clone()));
            Ok(())
        })
    });
    written.unwrap();
    id
}

/// The body bytes of the sync at the end of the week.
fn week(note: impl Fn(&mut Random) -> String) -> u64 {
    let server = FakeServer::new();
    let village = server.villages[0];
    let request = VillageRequest { seed: 43, ordinal: 0, households: HOUSEHOLDS, on: Date::new(2026, 11, 1) };
    let sample = ruhu_sample::village(&request, Parameters::bundled());
    let office_clock = FieldClock::new(1);
    let (_office_folder, mut office) = client(&server, office_clock.clone());
    let mut ids = Vec::new();
    for household in &sample.households {
        // No two changes are alike: a server in memory counts them by their hashes alone.
        office_clock.pass(1_000);
        ids.push(listed(&mut office, village, household));
    }
    synced(&mut office, &server);
    let clock = FieldClock::new(2);
    let (_folder, mut tablet) = client(&server, clock.clone());
    synced(&mut tablet, &server);
    let mut random = Random::new(2_026);
    let every = HOUSEHOLDS / VISITED;
    for (id, household) in ids.iter().zip(&sample.households).step_by(every).take(VISITED) {
        let note = note(&mut random);
        visit(&mut tablet, &clock, *id, answers(&mut random, household, note));
    }
    let report = synced(&mut tablet, &server);
    println!(
        "{} B up in {} requests, {} batches; {} B down",
        report.sent_bytes, report.requests, report.progress.receipts, report.got_bytes
    );
    assert_eq!(report.requests, 1);
    let relayed = synced(&mut office, &server);
    println!("{} B down for another device", relayed.got_bytes);
    report.sent_bytes
}

#[test]
fn the_week_of_a_village_with_notes_from_a_list_stays_within_its_budget() {
    let bytes = week(|random| numbered_note(random.below(NUMBERED_NOTES)));
    assert!(bytes <= 25_000, "{bytes} bytes");
}

#[test]
fn the_week_of_a_village_with_every_note_different_stays_within_its_budget() {
    let bytes = week(distinct_note);
    assert!(bytes <= 28_000, "{bytes} bytes");
}
