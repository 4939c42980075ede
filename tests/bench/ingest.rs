//! How many changes a second one server takes in: signature, gate, permission, log leaf, receipt and a commit
//! that reaches the disk, over documents that have a past.

use std::path::Path;

use ruhu_sample::Random;
use ruhu_survey::change::{DocumentId, Value};
use ruhu_survey::id::HouseholdId;
use ruhu_survey::register::derived_id;

use crate::clock::{cpu_seconds, timed};
use crate::table::{Row, Table};
use crate::tablet::{Office, Tablet};

/// Documents, and how many changes each has before the clock starts.
const DOCUMENTS: u64 = 300;
const EARLIER: usize = 50;
/// Members of a household, so that a register holds about 73 keys.
const MEMBERS: usize = 5;

/// Ingest at 1, 30 and 100 changes a batch.
pub(crate) fn measure(folder: &Path, table: &mut Table) {
    for (per_batch, changes) in [(1, 900), (30, 6_000), (100, 9_000)] {
        let office = Office::new(&sub(folder, &format!("ingest-{per_batch}")));
        let [mut first, mut second] = [3, 4].map(|seed| office.tablet(seed));
        prepare(&office, &mut first, &mut second);
        let batches = batches(&mut first, &mut second, per_batch, changes);
        let count: usize = batches.iter().map(|(count, _)| count).sum();
        let cpu = cpu_seconds();
        let wall = timed(|| batches.iter().for_each(|(_, bytes)| office.take_in(bytes)));
        let cpu = cpu_seconds() - cpu;
        let aim = if per_batch == 30 { "≥ 10,000 /s" } else { "" };
        let rate = count as f64 / wall.as_secs_f64();
        let name = format!("server ingest, {per_batch} changes a batch");
        let beside = format!("{:.0} µs CPU a change; {count} changes", cpu * 1e6 / count as f64);
        table.add(Row::new(name, format!("{rate:.0} changes/s"), aim).beside(beside));
    }
}

fn sub(folder: &Path, name: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn document(index: u64) -> DocumentId {
    HouseholdId::v7(1_790_000_000_000 + index, [u8::try_from(index % 251).unwrap(); 10]).into()
}

/// Households of about 73 keys with 50 changes each, alternately by two tablets, all of them known to both.
fn prepare(office: &Office, first: &mut Tablet, second: &mut Tablet) {
    let mut random = Random::new(7);
    for round in 0..EARLIER {
        let mut written = Vec::new();
        for index in 0..DOCUMENTS {
            let (change, _) = if round == 0 {
                first.write(document(index), |builder| found(builder, index))
            } else {
                edit(first, document(index), &mut random)
            };
            written.push(change);
        }
        for part in written.chunks(100) {
            let batch = first.seal(part.to_vec());
            office.take_in(&batch);
        }
        office.settle();
    }
    second.registers.clone_from(&first.registers);
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn found(builder: &mut ruhu_survey::register::ChangeBuilder<'_>, index: u64) {
    builder.put("group_name", text("向家组"));
    builder.put("dwelling_address", text(&format!("白岗村向家组{index}号")));
    builder.put("remarks", text("名册导入"));
    for place in 0..MEMBERS {
        let id = derived_id(builder.next_op());
        builder.put(format!("member/{id}/full_name"), text("向某"));
        for (key, value) in [
            ("sex", "male"),
            ("relation_to_head", if place == 0 { "head" } else { "son" }),
            ("ethnicity", "tujia"),
            ("education_level", "primary"),
            ("labour_ability", "ordinary"),
        ] {
            builder.put(format!("member/{id}/{key}"), text(value));
        }
        for key in ["sort", "work_months", "monthly_wage", "at_home_months"] {
            builder.put(format!("member/{id}/{key}"), Value::Int(3));
        }
        for key in ["work_county", "employer", "industry"] {
            builder.put(format!("member/{id}/{key}"), text("430821"));
        }
        builder.put(format!("member/{id}/joined_on"), text("2020-01-01"));
    }
}

/// A handful of answers of a household, as a visit changes them.
fn edit(
    tablet: &mut Tablet,
    document: DocumentId,
    random: &mut Random,
) -> (crate::tablet::Written, ruhu_survey::change::ChangeHash) {
    let number = random.below(100_000);
    tablet.write(document, |builder| {
        builder.put("remarks", text(&format!("本周走访第{number}次")));
        builder.put("group_name", text(["向家组", "田家组", "庹家组"].get((number % 3) as usize).unwrap()));
        builder.put("dwelling_address", text(&format!("白岗村{number}号")));
    })
}

/// Sealed batches, a third of whose changes stand one change behind the document's heads: two tablets take turns,
/// and the second has not seen what the first just wrote of every third household.
fn batches(first: &mut Tablet, second: &mut Tablet, per_batch: usize, changes: u64) -> Vec<(usize, Vec<u8>)> {
    let mut random = Random::new(11);
    let (mut sealed, mut mine, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let mut flush = |tablet: &mut Tablet, waiting: &mut Vec<_>, least: usize| {
        if waiting.len() >= least && !waiting.is_empty() {
            let taken = std::mem::take(waiting);
            sealed.push((taken.len(), tablet.seal(taken)));
        }
    };
    let mut made = 0;
    'all: loop {
        for index in 0..DOCUMENTS {
            if made >= changes {
                break 'all;
            }
            let id = document(index);
            let before = first.registers.get(&id).cloned().unwrap();
            mine.push(edit(first, id, &mut random).0);
            // Two of three changes follow; of each third household the second tablet writes beside.
            if index % 2 == 0 {
                second.registers.insert(id, before);
                theirs.push(edit(second, id, &mut random).0);
                made += 1;
                merge(first, second, id, &mine, &theirs);
            }
            made += 1;
            flush(first, &mut mine, per_batch);
            flush(second, &mut theirs, per_batch);
        }
        flush(first, &mut mine, 1);
        flush(second, &mut theirs, 1);
    }
    flush(first, &mut mine, 1);
    flush(second, &mut theirs, 1);
    sealed
}

/// Both tablets come to know both of the last changes.
fn merge(
    first: &mut Tablet,
    second: &mut Tablet,
    id: DocumentId,
    mine: &[crate::tablet::Written],
    theirs: &[crate::tablet::Written],
) {
    for (from, tablet) in [(theirs, &mut *first), (mine, &mut *second)] {
        let (_, bytes) = from.last().unwrap();
        let (change, hash) = ruhu_survey::change::parse(bytes).unwrap();
        tablet.registers.get_mut(&id).unwrap().apply(&change, hash);
    }
}
