//! Laws and cases of the history.

use proptest::prelude::*;

use super::*;
use crate::shown::kit::{Desk, KEYS, NOW, gathered, play, steps};

const KIND: DocumentKind = DocumentKind::Household;
const KEY: &str = "main_cause";

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// Three people write without sight of each other, one is settled on, a fourth edit comes late.
fn story() -> Desk {
    let mut zhang = Desk::new(1);
    zhang.put(KEY, "illness", None);
    let (mut li, mut wang) = (Desk::new(2), Desk::new(3));
    li.take(&zhang);
    wang.take(&zhang);
    let chosen = li.put(KEY, "schooling", None);
    wang.put(KEY, "disability", Some(Source::Document));
    zhang.take(&li);
    zhang.take(&wang);
    zhang.settle(KEY, chosen);
    wang.put(KEY, "disaster", None);
    zhang.take(&wang);
    zhang
}

#[test]
fn the_losing_values_stay_in_sight_with_what_became_of_them() {
    let desk = story();
    let events: Vec<FieldEvent> = history(KIND, &desk.changes).into_iter().filter(|e| e.key == KEY).collect();
    assert_eq!(events.len(), 5);
    let of = |value: &str| events.iter().filter(|event| event.new == text(value)).collect::<Vec<_>>();
    assert!(matches!(of("illness")[0].fate, Fate::Replaced { .. } | Fate::SettledAway { .. }));
    let settlement = *of("schooling").iter().find(|event| event.settles).unwrap();
    assert_eq!((settlement.fate, settlement.reason.as_deref()), (Fate::Shown, Some("看过房产证")));
    assert_eq!(settlement.old.len(), 2);
    assert_eq!(of("disability")[0].fate, Fate::SettledAway { by: settlement.change });
    assert_eq!(of("disability")[0].source, Some(Source::Document));
    assert_eq!(of("disaster")[0].fate, Fate::Beside);
    assert!(!of("disaster")[0].shown_after || events.last().unwrap().op == settlement.op);
    let first = *of("schooling").iter().find(|event| !event.settles).unwrap();
    assert!(first.concurrent_with.contains(&of("disability")[0].op));
    assert!(first.concurrent_with.contains(&of("disaster")[0].op));
    assert!(!first.concurrent_with.contains(&of("illness")[0].op));
}

#[test]
fn of_two_that_had_not_seen_each_other_the_one_received_first_comes_first() {
    let mut changes = story().changes;
    let wrote =
        |recorded: &Recorded, value: &str| recorded.change.puts.iter().any(|put| put.value == text(value));
    for (index, recorded) in changes.iter_mut().enumerate() {
        recorded.by.not_after_ms = Some(1_000 + i64::try_from(index).unwrap());
    }
    let late = changes.iter().position(|recorded| wrote(recorded, "disaster")).unwrap();
    let last = |changes: &[Recorded]| {
        let event = history(KIND, changes).into_iter().rfind(|event| event.key == KEY).unwrap();
        (event.new, event.shown_after)
    };
    changes[late].by.not_after_ms = Some(9_000);
    assert_eq!(last(&changes), (text("disaster"), false), "it came after the settlement and was never shown");
    changes[late].by.not_after_ms = None;
    assert_eq!(last(&changes), (text("disaster"), false), "what was not received yet comes last");
    changes[late].by.not_after_ms = Some(1);
    assert_eq!(last(&changes), (text("schooling"), true), "it came before the settlement");
}

#[test]
fn who_and_which_device_come_from_the_batch() {
    let events = history(KIND, &story().changes);
    assert!(events.iter().all(|event| event.by.device.as_bytes()[0] + 100 == event.by.user.as_bytes()[0]));
    assert!(events.iter().any(|event| event.key.starts_with("event/")), "entries are events too");
    assert!(events.iter().all(|event| !event.key.ends_with("/source")), "companions are not");
}

#[test]
fn a_claim_outside_its_window_is_flagged() {
    let mut desk = Desk::new(1);
    desk.put(KEY, "illness", None);
    let mut changes = desk.changes.clone();
    let outside = |changes: &[Recorded]| history(KIND, changes)[0].outside_window;
    assert!(!outside(&changes));
    for (before, after, flagged) in [
        (NOW + 600, NOW + 601, false),
        (NOW + 601, NOW + 602, true),
        (NOW - 700, NOW - 600, false),
        (NOW - 700, NOW - 601, true),
    ] {
        changes[0].by.not_before_ms = Some(before * 1_000);
        changes[0].by.not_after_ms = Some(after * 1_000);
        assert_eq!(outside(&changes), flagged, "{before} {after}");
    }
    changes[0].by.not_before_ms = None;
    changes[0].by.not_after_ms = None;
    assert!(!outside(&changes));
}

#[test]
fn a_document_can_be_seen_as_it_stood_and_compared() {
    let desk = story();
    let first = desk.changes[0].hash;
    let then = as_of(&desk.changes, &[first]);
    assert_eq!(then.live(KEY)[0].value, text("illness"));
    let heads: Vec<ChangeHash> = desk.register.heads().iter().copied().collect();
    assert_eq!(as_of(&desk.changes, &heads), desk.register);
    assert_eq!(as_of(&desk.changes, &[]), Register::default());
    let changed = difference(KIND, &then, &desk.register);
    let cause = changed.iter().find(|difference| difference.key == KEY).unwrap();
    assert_eq!((cause.before.clone(), cause.after.clone()), (Some(text("illness")), Some(text("schooling"))));
    assert_eq!(changed.len(), 2, "the settle entry is the other");
    assert_eq!(difference(KIND, &then, &then), []);
}

#[test]
fn a_change_whose_past_is_not_there_is_still_told() {
    let desk = story();
    let last = desk.changes.last().unwrap().clone();
    let events = history(KIND, &[last.clone(), last]);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].old, []);
}

/// The values that no other has taken the place of, by key.
fn projection(events: &[FieldEvent]) -> BTreeMap<String, Vec<(OpId, Value)>> {
    let replaced: BTreeSet<OpId> =
        events.iter().flat_map(|event| event.old.iter().map(|(op, _)| *op)).collect();
    let mut live: BTreeMap<String, Vec<(OpId, Value)>> = BTreeMap::new();
    for event in events.iter().filter(|event| !replaced.contains(&event.op)) {
        live.entry(event.key.clone()).or_default().push((event.op, event.new.clone()));
    }
    live.values_mut().for_each(|ops| ops.sort_by_key(|(op, _)| *op));
    live
}

/// Whether one change stands on another, by the changes themselves.
fn stands_on(changes: &[Recorded], later: ChangeHash, earlier: ChangeHash) -> bool {
    let Some(recorded) = changes.iter().find(|recorded| recorded.hash == later) else { return false };
    let dependencies = &recorded.change.dependencies;
    dependencies.contains(&earlier) || dependencies.iter().any(|hash| stands_on(changes, *hash, earlier))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_projection_of_the_history_is_the_register(steps in steps()) {
        let all = gathered(&play(&steps), &[2, 0, 1]);
        let events = history(KIND, &all.changes);
        let expected: BTreeMap<String, Vec<(OpId, Value)>> = all
            .register
            .keys()
            .filter(|(key, _)| !key.ends_with("/source"))
            .map(|(key, live)| (key.to_owned(), live.iter().map(|op| (op.id, op.value.clone())).collect()))
            .collect();
        prop_assert_eq!(projection(&events), expected);
        for key in KEYS {
            let told = events.iter().find(|event| event.key == key && event.fate == Fate::Shown).map(|e| e.op);
            prop_assert_eq!(told, shown(&all.register, KIND, key).map(|shown| shown.op.id));
        }
    }

    #[test]
    fn the_history_does_not_depend_on_the_order_of_delivery(steps in steps(), order in Just(vec![0_usize, 1, 2]).prop_shuffle()) {
        let desks = play(&steps);
        let mut one = gathered(&desks, &[0, 1, 2]).changes;
        let other = gathered(&desks, &order).changes;
        prop_assert_eq!(history(KIND, &one), history(KIND, &other));
        one.reverse();
        prop_assert_eq!(history(KIND, &one), history(KIND, &other));
    }

    #[test]
    fn concurrent_means_that_neither_had_seen_the_other(steps in prop::collection::vec(steps(), 1..2)) {
        let steps = &steps[0][..steps[0].len().min(14)];
        let all = gathered(&play(steps), &[0, 1, 2]);
        let events = history(KIND, &all.changes);
        for one in &events {
            for other in events.iter().filter(|other| other.key == one.key && other.op != one.op) {
                let apart = !stands_on(&all.changes, one.change, other.change)
                    && !stands_on(&all.changes, other.change, one.change);
                prop_assert_eq!(one.concurrent_with.contains(&other.op), apart);
            }
        }
    }
}
