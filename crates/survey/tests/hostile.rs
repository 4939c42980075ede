//! Hostile changes: known attacks by name, and a bounded run of the fuzzer.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end at the first surprise")]
#![expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "small random numbers")]

mod history;
mod mutate;
mod timing;

use std::collections::BTreeMap;
use std::sync::Arc;

use mutate::{Chunk, frame};
use ruhu_survey::change::{ActorId, Change, ChangeHash, Malformed, OpId, Put, Value, encode, parse};
use ruhu_survey::gate::{Refusal, admit};
use ruhu_survey::id::DeviceId;
use ruhu_survey::register::{ChangeBuilder, Register};

const ZHANG: ActorId = ActorId([1; 16]);
const LI: ActorId = ActorId([2; 16]);

/// A document with a conflict on `room_count`, its changes, and an honest change that could come next.
struct Scene {
    register: Register,
    past: BTreeMap<ChangeHash, Arc<Change>>,
    honest: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let mut scene = Self { register: Register::default(), past: BTreeMap::new(), honest: vec![] };
        let empty = Register::default();
        for actor in [ZHANG, LI] {
            let mut builder = ChangeBuilder::new(&empty, actor, 1_790_000_000);
            builder.put("room_count", Value::Int(i64::from(actor.0[0]))).put("roof", Value::Bool(true));
            let (change, encoded) = builder.finish().unwrap();
            scene.register.apply(&change, encoded.hash);
            scene.past.insert(encoded.hash, Arc::new(change));
        }
        let mut builder = ChangeBuilder::new(&scene.register, ZHANG, 1_790_000_100);
        builder.put("room_count", Value::Int(3)).put("roof", Value::Bool(false)).put("note", Value::Null);
        scene.honest = builder.finish().unwrap().1.bytes;
        scene
    }

    fn admit(&self, bytes: &[u8]) -> Result<(), Refusal> {
        admit(bytes, &self.register, &self.past).map(drop)
    }

    /// What the gate says of the honest change after `spoil`.
    fn refusal(&self, spoil: impl FnOnce(&mut Change)) -> Refusal {
        let (mut change, _) = parse(&self.honest).unwrap();
        spoil(&mut change);
        self.admit(&encode(&change).bytes).unwrap_err()
    }

    /// What the gate says of the honest change after `spoil` on its columns.
    fn column_refusal(&self, spoil: impl FnOnce(&mut Vec<(u64, Vec<u8>)>)) -> Refusal {
        let mut chunk = Chunk::split(&self.honest);
        assert_eq!(chunk.join(), self.honest);
        spoil(&mut chunk.columns);
        self.admit(&chunk.join()).unwrap_err()
    }
}

fn column(columns: &mut [(u64, Vec<u8>)], specification: u64) -> &mut Vec<u8> {
    &mut columns.iter_mut().find(|(known, _)| *known == specification).unwrap().1
}

/// A change in which one key is put `count` times: the count is a signed LEB128 number.
fn bomb(count: &[u8], unsigned: &[u8]) -> Vec<u8> {
    let mut header = vec![0, 16];
    header.extend_from_slice(&[1; 16]);
    header.extend_from_slice(&[1, 1, 0, 0, 0]);
    let run = |value: &[u8]| [count, value].concat();
    let columns = vec![
        (0x15, run(&[1, b'a'])),
        (0x34, unsigned.to_vec()),
        (0x42, run(&[1])),
        (0x56, run(&[0])),
        (0x70, run(&[0])),
    ];
    Chunk { header, columns }.join()
}

#[test]
fn the_honest_change_of_the_scene_is_admitted() {
    let scene = Scene::new();
    scene.admit(&scene.honest).unwrap();
}

#[test]
fn sixty_four_bytes_that_claim_a_million_operations_are_refused_by_their_count() {
    let bytes = bomb(&[0xc0, 0x84, 0x3d], &[0xc0, 0x84, 0x3d]);
    assert_eq!(bytes.len(), 64);
    let expected = Malformed::TooLong { what: "the puts", found: 1_000_000, limit: 2_000 };
    assert_eq!(parse(&bytes), Err(expected));
    assert_eq!(automerge::Change::from_bytes(bytes).unwrap().len(), 1_000_000, "Automerge would expand it");
}

#[test]
fn sixty_nine_bytes_that_claim_a_hundred_million_operations_are_refused_by_their_count() {
    let bytes = bomb(&[0x80, 0xc2, 0xd7, 0x2f], &[0x80, 0xc2, 0xd7, 0x2f]);
    assert_eq!(bytes.len(), 69);
    let expected = Malformed::TooLong { what: "the puts", found: 100_000_000, limit: 2_000 };
    assert_eq!(parse(&bytes), Err(expected));
}

#[test]
fn a_run_longer_than_the_stated_puts_is_refused() {
    assert_eq!(parse(&bomb(&[0xc0, 0x84, 0x3d], &[5])), Err(Malformed::ColumnLength("the key column")));
}

#[test]
fn a_compressed_chunk_is_refused_by_its_type_and_never_inflated() {
    assert_eq!(parse(&frame(2, &[0; 40_000])), Err(Malformed::ChunkType(2)));
    let large = frame(2, &[0; 522_000]);
    assert!(matches!(parse(&large), Err(Malformed::TooLong { what: "a change", .. })));
    assert_eq!(parse(&frame(0, &[0; 40])), Err(Malformed::ChunkType(0)), "a whole document");
}

#[test]
fn a_first_operation_number_that_hides_or_skips_operations_is_refused() {
    let scene = Scene::new();
    let numbers = Refusal::NotAsBuilt("operation numbers");
    assert_eq!(scene.refusal(|change| change.start_op += 1), numbers);
    let refusal = scene.refusal(|change| {
        change.start_op = 1;
        change.puts.iter_mut().for_each(|put| put.predecessors.clear());
    });
    assert_eq!(refusal, numbers);
    let top = scene.refusal(|change| change.start_op = u64::from(u32::MAX));
    assert!(matches!(top, Refusal::Malformed(Malformed::TooLong { limit: 20_000_000, .. })), "{top}");
    let zero = scene.refusal(|change| change.start_op = 0);
    assert_eq!(zero, Refusal::Malformed(Malformed::Zero("the first operation number")));
}

#[test]
fn a_delete_is_refused_with_and_without_predecessors() {
    let scene = Scene::new();
    let delete = |columns: &mut Vec<(u64, Vec<u8>)>| *column(columns, 0x42) = vec![3, 3];
    assert_eq!(scene.column_refusal(delete), Refusal::Malformed(Malformed::Action(3)));
    let refusal = scene.column_refusal(|columns| {
        delete(columns);
        columns.retain(|(specification, _)| ![0x71, 0x73].contains(specification));
        *column(columns, 0x70) = vec![3, 0];
    });
    assert_eq!(refusal, Refusal::Malformed(Malformed::Action(3)));
}

#[test]
fn a_column_that_is_not_in_its_shortest_form_is_refused() {
    let scene = Scene::new();
    let split_run = scene.column_refusal(|columns| *column(columns, 0x42) = vec![2, 1, 0x7f, 1]);
    assert_eq!(split_run, Refusal::Malformed(Malformed::NotCanonical));
    let literal_run = scene.column_refusal(|columns| *column(columns, 0x42) = vec![0x7d, 1, 1, 1]);
    assert_eq!(literal_run, Refusal::Malformed(Malformed::NotCanonical));
    let padded_count = scene.column_refusal(|columns| *column(columns, 0x34) = vec![0x83, 0]);
    assert_eq!(padded_count, Refusal::Malformed(Malformed::Number));
    let padded_run = scene.column_refusal(|columns| *column(columns, 0x42) = vec![0x83, 0, 1]);
    assert_eq!(padded_run, Refusal::Malformed(Malformed::Number));
    let null_run = scene.column_refusal(|columns| *column(columns, 0x42) = vec![0, 3]);
    assert_eq!(null_run, Refusal::Malformed(Malformed::ColumnLength("the action column")));
}

#[test]
fn a_column_of_another_type_or_out_of_order_or_twice_is_refused() {
    let scene = Scene::new();
    let wrong = scene.column_refusal(|columns| {
        columns.iter_mut().filter(|(known, _)| *known == 0x71).for_each(|(known, _)| *known = 0x72);
    });
    assert_eq!(wrong, Refusal::Malformed(Malformed::Column(0x72)));
    let swapped = scene.column_refusal(|columns| columns.swap(0, 1));
    assert_eq!(swapped, Refusal::Malformed(Malformed::Column(0x15)));
    let twice = scene.column_refusal(|columns| columns.insert(1, columns[0].clone()));
    assert!(matches!(twice, Refusal::Malformed(_)), "{twice}");
    let empty = scene.column_refusal(|columns| {
        columns.iter_mut().filter(|(known, _)| *known == 0x73).for_each(|(_, content)| content.clear());
    });
    assert!(matches!(empty, Refusal::Malformed(Malformed::ColumnLength(_))), "{empty}");
}

#[test]
fn an_operation_on_an_object_or_a_list_element_is_refused_by_its_column() {
    let scene = Scene::new();
    for specification in [0x01, 0x02, 0x11, 0x13] {
        let refusal = scene.column_refusal(|columns| columns.insert(0, (specification, vec![3, 0])));
        assert_eq!(refusal, Refusal::Malformed(Malformed::Column(specification)));
    }
    let mark = scene.column_refusal(|columns| columns.push((0xa5, vec![3, 0])));
    assert_eq!(mark, Refusal::Malformed(Malformed::Column(0xa5)));
}

#[test]
fn an_insert_is_refused() {
    let scene = Scene::new();
    let refusal = scene.column_refusal(|columns| *column(columns, 0x34) = vec![0, 3]);
    assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
}

#[test]
fn an_actor_that_is_not_sixteen_bytes_long_is_refused() {
    for length in [0_u8, 15, 17, 21] {
        let mut header = vec![0, length];
        header.extend((0..length).map(|_| 1));
        header.extend_from_slice(&[1, 1, 0, 0, 0]);
        let columns = Chunk::split(&Scene::new().honest).columns;
        let refusal = parse(&Chunk { header, columns }.join());
        assert_eq!(refusal, Err(Malformed::ActorLength(u64::from(length))));
    }
}

#[test]
fn a_change_under_another_actor_is_not_the_same_change_and_bears_that_actor() {
    let scene = Scene::new();
    let device = DeviceId::from_bytes([9; 16]);
    let (own, foreign) = (ActorId::derive(device, [1; 8]), ActorId::derive(device, [2; 8]));
    let mut builder = ChangeBuilder::new(&scene.register, foreign, 1_790_000_200);
    builder.put("roof", Value::Bool(false));
    let admitted = admit(&builder.finish().unwrap().1.bytes, &scene.register, &scene.past).unwrap();
    assert_ne!(admitted.change.actor, own, "the caller compares it with the actors of the batch");
    let renamed = scene.refusal(|change| change.actor = foreign);
    assert_eq!(renamed, Refusal::Sequence { found: 2, expected: 1 });
}

#[test]
fn a_change_without_puts_or_with_a_key_twice_or_empty_is_refused() {
    let scene = Scene::new();
    assert_eq!(scene.refusal(|change| change.puts.clear()), Refusal::Malformed(Malformed::NoPuts));
    let twice = scene.refusal(|change| {
        let again = change.puts[0].clone();
        change.puts.push(again);
    });
    assert_eq!(twice, Refusal::Malformed(Malformed::KeyTwice));
    let empty = scene.refusal(|change| change.puts[0].key.clear());
    assert_eq!(empty, Refusal::Malformed(Malformed::EmptyKey));
}

#[test]
fn dependencies_that_are_unsorted_repeated_missing_or_too_few_are_refused() {
    let scene = Scene::new();
    let order = Refusal::Malformed(Malformed::Order("the dependencies"));
    assert_eq!(scene.refusal(|change| change.dependencies.reverse()), order);
    let repeated = scene.refusal(|change| change.dependencies.insert(0, change.dependencies[0]));
    assert_eq!(repeated, order);
    let unknown = ChangeHash([0xff; 32]);
    assert_eq!(scene.refusal(|change| change.dependencies.push(unknown)), Refusal::Needs(vec![unknown]));
    for place in 0..2 {
        let fewer = scene.refusal(|change| change.dependencies = vec![change.dependencies[place]]);
        assert!(matches!(fewer, Refusal::NotAsBuilt(_)), "{fewer}");
    }
    let none = scene.refusal(|change| change.dependencies.clear());
    assert!(matches!(none, Refusal::NotAsBuilt(_)), "{none}");
}

#[test]
fn predecessors_other_than_the_visible_values_are_refused() {
    let scene = Scene::new();
    let built = Refusal::NotAsBuilt("predecessors");
    assert_eq!(scene.refusal(|change| change.puts[0].predecessors.truncate(1)), built);
    assert_eq!(scene.refusal(|change| change.puts[1].predecessors.clear()), built);
    let other_key = OpId { counter: 2, actor: ZHANG };
    assert_eq!(scene.refusal(|change| change.puts[2].predecessors.push(other_key)), built);
    assert_eq!(
        scene.refusal(|change| change.puts[2].predecessors.push(OpId { counter: 9, actor: LI })),
        built
    );
    let order = scene.refusal(|change| change.puts[0].predecessors.reverse());
    assert_eq!(order, Refusal::Malformed(Malformed::Order("the predecessors")));
}

#[test]
fn values_of_other_types_are_refused() {
    let scene = Scene::new();
    for (meta, kind) in [(3, 3), (8 << 4 | 5, 5), (1 << 4 | 8, 8), (1 << 4 | 9, 9), (1 << 4, 0), (16 | 2, 2)]
    {
        let refusal = scene.column_refusal(|columns| {
            *column(columns, 0x56) = if meta < 128 { vec![3, meta] } else { vec![3, meta, 1] };
            *column(columns, 0x57) = vec![0; 24];
        });
        assert_eq!(refusal, Refusal::Malformed(Malformed::ValueType(kind)), "{meta:#x}");
    }
    let latin = scene.column_refusal(|columns| {
        *column(columns, 0x56) = vec![3, 0x16];
        *column(columns, 0x57) = vec![0xe9; 3];
    });
    assert_eq!(latin, Refusal::Malformed(Malformed::Text));
}

#[test]
fn bytes_before_after_or_between_are_refused() {
    let scene = Scene::new();
    let mut trailing = scene.honest.clone();
    trailing.push(0);
    assert_eq!(scene.admit(&trailing), Err(Refusal::Malformed(Malformed::Trailing(1))));
    let mut chunk = Chunk::split(&scene.honest);
    chunk.columns.last_mut().unwrap().1.extend_from_slice(&[0; 3]);
    assert!(matches!(scene.admit(&chunk.join()), Err(Refusal::Malformed(_))));
    let mut checksum = scene.honest.clone();
    checksum[4] ^= 1;
    assert_eq!(scene.admit(&checksum), Err(Refusal::Malformed(Malformed::NotCanonical)));
    for length in 0..scene.honest.len() {
        assert!(scene.admit(&scene.honest[..length]).is_err());
    }
    let note = Put { key: "note".to_owned(), value: Value::Null, predecessors: vec![] };
    assert_eq!(scene.refusal(|change| change.puts.push(note)), Refusal::Malformed(Malformed::KeyTwice));
}

#[test]
fn sixty_thousand_hostile_changes_do_no_harm() {
    let tally = mutate::hostile(60_000, 20_261_122);
    assert_eq!((tally.panics, tally.belt_failures.as_slice()), (0, [].as_slice()), "{tally:?}");
    assert!(tally.accepted > 500, "the mutants must come near enough to be accepted: {tally:?}");
    for kind in ["malformed", "needs", "sequence", "not as built", "duplicate"] {
        assert!(tally.refused.contains_key(kind), "no mutant was refused as {kind}: {tally:?}");
    }
    assert!(tally.identical < 15_000, "{tally:?}");
    assert!(tally.total > tally.worst);
}

#[test]
fn honest_changes_are_never_refused() {
    let tally = mutate::honest(5_000, 20_261_123);
    assert_eq!(tally.refused, 0);
    assert!(
        tally.at_older > 1_000
            && tally.changes >= 5_000
            && tally.at_older_total + tally.on_heads_total > tally.worst,
        "{tally:?}"
    );
}
