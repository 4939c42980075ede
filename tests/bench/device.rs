//! What a person waits for on a device: the list, a household opened, an answer saved; and what a household's
//! whole history costs on device and server.

use ruhu_client_core::Query;
use ruhu_sample::visit_answers;
use ruhu_survey::change::DocumentId;
use ruhu_survey::household::{Because, Input};

use crate::clock::{median, milliseconds, timed};
use crate::field::Tablet;
use crate::table::{Row, Table};
use crate::world::{World, village_of};

const HOUSEHOLDS: usize = 2_000;
const ROUNDS: usize = 41;
/// Changes of the household whose history is read.
const CHANGES: usize = 500;

pub(crate) fn measure(table: &mut Table) {
    let village = village_of(0, HOUSEHOLDS);
    let mut world = World::new(HOUSEHOLDS);
    world.start();
    let mut tablet = Tablet::enrol(&world, "张秀英", "work_team", &village.code);
    tablet.sync();
    let listed = tablet.listed();
    assert_eq!(listed.len(), HOUSEHOLDS);
    let place = tablet.village();
    let times = (0..ROUNDS).map(|_| timed(|| drop(tablet.client.households(place, &Query::default()))));
    table.add(Row::new("device: list of 2,000 households", milliseconds(median(times.collect())), "≤ 50 ms"));
    let search = Query { text: "lsf".to_owned(), ..Query::default() };
    let times = (0..ROUNDS).map(|_| timed(|| drop(tablet.client.households(place, &search))));
    table.add(Row::new("device: search by pinyin initials", milliseconds(median(times.collect())), ""));
    let times = listed.iter().take(ROUNDS).map(|one| timed(|| drop(tablet.client.household(one.id))));
    table.add(Row::new("device: open a household", milliseconds(median(times.collect())), "≤ 20 ms"));
    table.add(Row::new("device: save an answer", milliseconds(save(&mut tablet)), "≤ 5 ms"));
    history(&mut world, &mut tablet, table);
}

/// The median time until an answer is durable.
fn save(tablet: &mut Tablet) -> std::time::Duration {
    let household = &village_of(0, HOUSEHOLDS).households[0];
    let id = tablet.listed().iter().find(|one| one.number == household.national_no).unwrap().id;
    let check = tablet.client.start_check(id, "screening").unwrap();
    let mut times = Vec::new();
    for _ in 0..4 {
        for answer in visit_answers(&mut tablet.random, household) {
            let (key, input) = (answer.key(), Input::Stored(answer.value.to_value()));
            times.push(timed(|| tablet.client.set_answer(check, &key, &input, &Because::default()).unwrap()));
        }
    }
    tablet.client.withdraw_check(check, "only measured").unwrap();
    median(times)
}

/// One household with 500 changes: its history from the device's raw changes and from the server's table.
fn history(world: &mut World, tablet: &mut Tablet, table: &mut Table) {
    let id = tablet.listed()[1].id;
    for round in 0..CHANGES {
        tablet.edit(id, "remarks", &format!("第{round}次走访"));
    }
    tablet.sync();
    let document = DocumentId::from(id);
    let times = (0..ROUNDS).map(|_| timed(|| drop(tablet.client.history(document, None).unwrap())));
    let events = tablet.client.history(document, None).unwrap().len();
    let name = format!("history of a household of {CHANGES} changes, from raw changes");
    let beside = format!("{events} events");
    table.add(Row::new(name, milliseconds(median(times.collect())), "≤ 100 ms").beside(beside));
    world.kill();
    let store = ruhu_server::store::SqliteStore::open(&world.data().join("ruhu.db"), None).unwrap();
    let village = tablet.village();
    let read = || ruhu_server::store::ReadStore::history(&store, village, document, None).unwrap().unwrap();
    assert_eq!(read().len(), events);
    let times = (0..ROUNDS).map(|_| timed(|| drop(read())));
    let name = format!("history of a household of {CHANGES} changes, from field events");
    table.add(Row::new(name, milliseconds(median(times.collect())), "≤ 10 ms"));
}
