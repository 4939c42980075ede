//! The weekly sync of one village: what it costs on the wire with notes from a list and with every note different,
//! beside Automerge's own protocol over the same documents, and how it grows with the village.

use ruhu_client_core::{CheckState, Client};
use ruhu_sample::{Random, distinct_note, numbered_note, visit_answers};
use ruhu_survey::change::{Change, DocumentId, Value, encode};
use ruhu_survey::household::{Because, Input};
use ruhu_survey::id::HouseholdId;

use crate::clock::{milliseconds, timed};
use crate::field::{Cost, Tablet};
use crate::peer::{Held, sync_all};
use crate::table::{Row, Table};
use crate::world::{World, village_of};

/// Households visited in the week.
const VISITED: usize = 300;
/// Households of the village.
pub(crate) const HOUSEHOLDS: usize = 1_000;

/// Where the notes of the visits come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notes {
    /// A list of 350 sentences.
    Listed,
    /// No note is like another.
    Distinct,
}

pub(crate) fn measure(table: &mut Table) {
    for (notes, aim) in [(Notes::Listed, "≤ 25 KB"), (Notes::Distinct, "≤ 28 KB")] {
        one_week(table, notes, aim);
    }
}

/// The cost of the same week in villages of other sizes.
pub(crate) fn growth(table: &mut Table) {
    for households in [HOUSEHOLDS, 4 * HOUSEHOLDS, 16 * HOUSEHOLDS] {
        let mut world = World::new(households);
        world.start();
        let mut tablet = Tablet::enrol(&world, "张秀英", "work_team", &village_of(0, households).code);
        let mut first = Cost::default();
        let took = timed(|| first = tablet.sync());
        let name = format!("growth: first sync of {households} households");
        table.add(Row::new(name, kilobytes(first.down), "").beside(milliseconds(took)));
        work(&mut tablet, households, Notes::Listed);
        let mut week = Cost::default();
        let took = timed(|| week = tablet.sync());
        let name = format!("growth: the week in a village of {households}");
        table.add(Row::new(name, kilobytes(week.up), "").beside(milliseconds(took)));
        let idle = tablet.sync();
        let name = format!("growth: nothing changed in a village of {households}");
        table.add(Row::new(name, format!("{} B up, {} B down", idle.up, idle.down), "≤ 150 B each"));
    }
}

fn one_week(table: &mut Table, notes: Notes, aim: &str) {
    let mut world = World::new(HOUSEHOLDS);
    world.start();
    let code = village_of(0, HOUSEHOLDS).code;
    let mut tablet = Tablet::enrol(&world, "张秀英", "work_team", &code);
    let mut other = Tablet::enrol(&world, "李国强", "work_team", &code);
    let first = tablet.sync();
    other.sync();
    let before = bytes_of(&world, "张秀英");
    let server_before = server_bytes(&world);
    if notes == Notes::Listed {
        table.add(Row::new("first sync of 1,000 households", kilobytes(first.down), "≤ 450 KB"));
        let idle = tablet.sync();
        let value = format!("{} B up, {} B down", idle.up, idle.down);
        table.add(Row::new("nothing changed", value, "≤ 150 B each way").beside(requests(idle)));
        let each = format!("{} B on the device, {} B on the server", before / 1_000, server_before / 1_000);
        table.add(Row::new("store bytes per household of the roster", each, ""));
    }
    let visited = work(&mut tablet, HOUSEHOLDS, notes);
    let documents = documents(&tablet.client, &visited);
    let week = tablet.sync();
    let peer = sync_all(&documents);
    let name = format!("weekly sync, 300 of 1,000 visited, notes {notes:?}").to_lowercase();
    let beside = format!(
        "{}; down {}; automerge sync {} up, {} down, {} messages",
        requests(week),
        kilobytes(week.down),
        kilobytes(peer.up),
        kilobytes(peer.down),
        peer.messages
    );
    table.add(Row::new(name, kilobytes(week.up), aim).beside(beside));
    let stored = (bytes_of(&world, "张秀英"), server_bytes(&world));
    let mut late = Tablet::enrol(&world, "王建军", "work_team", &code);
    let each = late.sync().down.saturating_sub(first.down) as f64 / (2 * VISITED) as f64;
    let name =
        format!("first sync a week later, for each of the {} later changes, notes {notes:?}", 2 * VISITED);
    table.add(Row::new(name.to_lowercase(), format!("{each:.1} B"), "≤ 110 B"));
    let relayed = other.sync();
    let name = format!("the same week as another device gets it, notes {notes:?}").to_lowercase();
    table.add(Row::new(name, kilobytes(relayed.down), ""));
    if notes == Notes::Listed {
        let device = stored.0.saturating_sub(before) / VISITED as u64;
        let server = stored.1.saturating_sub(server_before) / VISITED as u64;
        let each = format!("{device} B on the device, {server} B on the server");
        table.add(Row::new("store bytes per check with its household's change", each, ""));
        let memory = format!("{:.0} MiB", world.peak_memory_kib() as f64 / 1024.0);
        table.add(Row::new("server's peak memory after all of this", memory, ""));
    }
}

/// Visits 300 households: 24 plain answers and a note each, one change in the check and one in the household.
pub(crate) fn work(tablet: &mut Tablet, households: usize, notes: Notes) -> Vec<HouseholdId> {
    let village = village_of(0, households);
    let known: std::collections::BTreeMap<_, _> =
        tablet.listed().into_iter().map(|one| (one.number, one.id)).collect();
    let mut random = Random::new(2_026);
    let mut visited = Vec::new();
    for sample in village.households.iter().step_by(households / VISITED).take(VISITED) {
        let id = known[&sample.national_no];
        let check = tablet.client.start_check(id, "screening").unwrap();
        let note = match notes {
            Notes::Listed => numbered_note(random.below(ruhu_sample::NUMBERED_NOTES)),
            Notes::Distinct => distinct_note(&mut random),
        };
        let answers = visit_answers(&mut random, sample);
        let plain = answers.iter().skip(1).map(|answer| (answer.key(), answer.value.to_value()));
        for (key, value) in plain.chain([("answer/visit/note".to_owned(), Value::Text(note))]) {
            tablet.client.set_answer(check, &key, &Input::Stored(value), &Because::default()).unwrap();
        }
        tablet.client.submit(check, "completed", &[]).unwrap();
        visited.push(id);
    }
    visited
}

/// The documents of the week, with what the server has of them before the sync.
fn documents(client: &Client, visited: &[HouseholdId]) -> Vec<Held> {
    let mut documents = Vec::new();
    for id in visited {
        documents.push(held(client, DocumentId::from(*id)));
        for check in client.checks(*id).unwrap() {
            assert_eq!(check.state, CheckState::Submitted);
            documents.push(held(client, DocumentId::from(check.id)));
        }
    }
    documents
}

/// A change without a receipt is one that the server has not got.
fn held(client: &Client, document: DocumentId) -> Held {
    let recorded = client.recorded(document).unwrap();
    let (common, fresh): (Vec<_>, Vec<_>) =
        recorded.into_iter().partition(|recorded| recorded.by.not_after_ms.is_some());
    let bytes = |change: &Change| encode(change).bytes;
    Held {
        common: common.iter().map(|recorded| bytes(&recorded.change)).collect(),
        fresh: fresh.iter().map(|recorded| bytes(&recorded.change)).collect(),
    }
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.1} KB", bytes as f64 / 1e3)
}

fn requests(cost: Cost) -> String {
    format!("{} request{}", cost.requests, if cost.requests == 1 { "" } else { "s" })
}

fn bytes_of(world: &World, name: &str) -> u64 {
    folder_bytes(&world.device(name).store)
}

/// Bytes of the server's database. What stands in its log, whose length does not follow from the village, is first
/// moved into the file.
fn server_bytes(world: &World) -> u64 {
    let path = world.data().join("ruhu.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    std::fs::metadata(path).unwrap().len()
}

/// Bytes of all files of a folder: what a store takes on the disk, its log included.
fn folder_bytes(folder: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().metadata().unwrap());
    files.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}
