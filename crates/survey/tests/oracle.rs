//! Our encoder, our register and our gate against Automerge, over random histories.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end at the first surprise")]
#![expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "small random numbers")]

mod history;

use std::collections::BTreeMap;
use std::sync::Arc;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, ObjId, ROOT, ReadDoc, ScalarValue};
use history::{History, Replica, Rng, Written};
use ruhu_survey::belt;
use ruhu_survey::change::{Change, ChangeHash, Value, parse};
use ruhu_survey::gate::{Refusal, admit, register_at};
use ruhu_survey::register::Register;

fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Null => ScalarValue::Null,
        Value::Bool(value) => ScalarValue::Boolean(*value),
        Value::Int(value) => ScalarValue::Int(*value),
        Value::Text(value) => ScalarValue::Str(value.as_str().into()),
        Value::Bytes(value) => ScalarValue::Bytes(value.clone()),
    }
}

/// Counts of what was compared, so that a test which compares nothing fails.
#[derive(Debug, Default)]
struct Compared {
    own_transactions: usize,
    applied: usize,
    several_predecessors: usize,
    several_dependencies: usize,
    own_last_not_a_head: usize,
    conflicts: usize,
    several_roots: usize,
}

/// Automerge writes the same puts itself where it would not drop one; else it applies our change.
fn mirror(document: &mut Automerge, written: &Written, compared: &mut Compared) {
    let Change { claimed_at, puts, .. } = written.change.as_ref();
    let unchanged = |put: &ruhu_survey::change::Put| {
        written.before.live(&put.key).last().is_some_and(|op| op.value == put.value)
    };
    if puts.iter().any(unchanged) {
        let change = automerge::Change::from_bytes(written.bytes.clone()).unwrap();
        document.apply_changes([change]).unwrap();
        compared.applied += 1;
        return;
    }
    let options = CommitOptions::default().with_time(*claimed_at);
    document
        .transact_with::<_, _, automerge::AutomergeError, _>(
            |_| options,
            |transaction| {
                puts.iter().try_for_each(|put| transaction.put(ROOT, put.key.as_str(), scalar(&put.value)))
            },
        )
        .unwrap();
    let theirs = document.get_last_local_change().unwrap();
    assert_eq!(theirs.raw_bytes(), written.bytes, "{:?}", written.change);
    assert_eq!(theirs.hash().0, written.hash.0);
    compared.own_transactions += 1;
}

fn assert_same(document: &Automerge, register: &Register, compared: &mut Compared) {
    let mut heads: Vec<ChangeHash> = document.get_heads().iter().map(|head| ChangeHash(head.0)).collect();
    heads.sort_unstable();
    assert_eq!(heads, register.heads().iter().copied().collect::<Vec<_>>());
    assert_eq!(
        document.keys(ROOT).collect::<Vec<_>>(),
        register.keys().map(|(key, _)| key).collect::<Vec<_>>()
    );
    for (key, live) in register.keys() {
        let theirs = document.get_all(ROOT, key).unwrap();
        assert_eq!(theirs.len(), live.len(), "{key}");
        compared.conflicts += usize::from(live.len() > 1);
        for ((value, id), op) in theirs.into_iter().zip(live) {
            let ObjId::Id(counter, actor, _) = id else { panic!("{key} has no op id") };
            assert_eq!((counter, actor.to_bytes()), (op.id.counter, &op.id.actor.0[..]), "{key}");
            assert_eq!(value.as_scalar(), Some(&scalar(&op.value)), "{key}");
        }
    }
}

/// Automerge does what the replica did: it wrote the change at `next`, received others, or reopened.
fn follow(
    document: &mut Automerge,
    replica: &Replica,
    had: usize,
    written: &[Written],
    next: usize,
    compared: &mut Compared,
) {
    match &replica.has[had..] {
        [] => {
            document.set_actor(automerge::ActorId::from(&replica.actor.0));
        }
        [place] if *place == next => mirror(document, &written[next], compared),
        places => {
            let change =
                |place: &usize| automerge::Change::from_bytes(written[*place].bytes.clone()).unwrap();
            document.apply_changes(places.iter().map(change).collect::<Vec<_>>()).unwrap();
        }
    }
}

fn mirrored_history(seed: u64, steps: usize, compared: &mut Compared) -> History {
    let mut rng = Rng::new(seed);
    let mut history = History::new(&mut rng);
    let document = |actor: &ruhu_survey::change::ActorId| {
        Automerge::new().with_actor(automerge::ActorId::from(&actor.0))
    };
    let mut documents: Vec<Automerge> =
        history.replicas.iter().map(|replica| document(&replica.actor)).collect();
    for _ in 0..steps {
        let had: Vec<usize> = history.replicas.iter().map(|replica| replica.has.len()).collect();
        let written = history.written.len();
        history.step(&mut rng);
        for ((document, replica), had) in documents.iter_mut().zip(&history.replicas).zip(had) {
            follow(document, replica, had, &history.written, written, compared);
        }
    }
    for (document, replica) in documents.iter().zip(&history.replicas) {
        assert_same(document, &replica.register, compared);
        assert_same(&Automerge::load(&document.save()).unwrap(), &replica.register, compared);
    }
    history
}

fn count(written: &Written, compared: &mut Compared) {
    let Change { dependencies, puts, actor, .. } = written.change.as_ref();
    compared.several_predecessors += usize::from(puts.iter().any(|put| put.predecessors.len() > 1));
    compared.several_dependencies += usize::from(dependencies.len() > 1);
    let last = written.before.last_change(*actor);
    compared.own_last_not_a_head +=
        usize::from(last.is_some_and(|last| !written.before.heads().contains(&last)));
}

#[test]
fn every_change_and_every_register_is_what_automerge_makes_of_it() {
    let mut compared = Compared::default();
    for seed in 0..400 {
        let history = mirrored_history(seed, 40, &mut compared);
        for written in &history.written {
            let change = automerge::Change::try_from(written.bytes.as_slice()).unwrap();
            assert_eq!(change.hash().0, written.hash.0);
            assert_eq!(parse(&written.bytes), Ok((written.change.as_ref().clone(), written.hash)));
            count(written, &mut compared);
        }
        let roots = history.written.iter().filter(|written| written.change.dependencies.is_empty()).count();
        compared.several_roots += usize::from(roots > 1);
        let raw: Vec<&[u8]> = history.written.iter().map(|written| written.bytes.as_slice()).collect();
        belt::survives(&raw).unwrap();
    }
    let Compared { own_transactions, applied, several_predecessors, .. } = compared;
    assert!(own_transactions > 4_000 && applied > 1_000 && several_predecessors > 300, "{compared:?}");
    let Compared { several_dependencies, own_last_not_a_head, conflicts, several_roots, .. } = compared;
    assert!(several_dependencies > 300 && own_last_not_a_head > 30, "{compared:?}");
    assert!(conflicts > 1_000 && several_roots > 200, "{compared:?}");
}

/// All changes of a history, some of them before those they stand on.
fn shuffled(history: &History, rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..history.written.len()).collect();
    for place in 1..order.len() {
        order.swap(place, place.saturating_sub(rng.below(6)));
    }
    order
}

#[test]
fn a_receiver_admits_every_honest_change_once_its_dependencies_are_there() {
    let mut held_back = 0;
    for seed in 1_000..1_200 {
        let mut rng = Rng::new(seed);
        let mut history = History::new(&mut rng);
        for _ in 0..40 {
            history.step(&mut rng);
        }
        let (mut current, mut past) = (Register::default(), BTreeMap::new());
        let mut waiting = shuffled(&history, &mut rng);
        while !waiting.is_empty() {
            waiting.retain(|place| {
                let written = &history.written[*place];
                match admit(&written.bytes, &current, &past) {
                    Err(Refusal::Needs(missing)) => {
                        held_back += 1;
                        assert!(missing.iter().all(|hash| !past.contains_key(hash)));
                        true
                    }
                    admitted => {
                        let admitted = admitted.unwrap();
                        assert_eq!(admitted.before.as_ref().unwrap_or(&current), &written.before);
                        current.apply(&admitted.change, admitted.hash);
                        past.insert(admitted.hash, Arc::new(admitted.change));
                        assert_eq!(admit(&written.bytes, &current, &past), Err(Refusal::Duplicate));
                        false
                    }
                }
            });
        }
        let heads: Vec<ChangeHash> = current.heads().iter().copied().collect();
        assert_eq!(
            register_at(&heads, &past),
            Ok(current.clone()),
            "a register does not depend on the order"
        );
        assert_eq!(Register::from_bytes(&current.to_bytes()), Ok(current));
    }
    assert!(held_back > 100, "{held_back} were held back");
}
