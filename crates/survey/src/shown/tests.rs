//! Laws and cases of the shown value.

use proptest::prelude::*;

use super::kit::{Desk, KEYS, gathered, play, steps};
use super::*;
use crate::change::DocumentKind;

const KIND: DocumentKind = DocumentKind::Household;
const KEY: &str = "main_cause";

fn value(register: &Register, key: &str) -> String {
    match &shown(register, KIND, key).unwrap().op.value {
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    }
}

/// Two devices that founded nothing in common and then met.
fn met(first: (&str, Option<Source>), second: (&str, Option<Source>)) -> (Desk, ChangeHash, ChangeHash) {
    let (mut zhang, mut li) = (Desk::new(1), Desk::new(2));
    let (one, two) = (zhang.put(KEY, first.0, first.1), li.put(KEY, second.0, second.1));
    zhang.take(&li);
    (zhang, one, two)
}

#[test]
fn a_key_that_nobody_wrote_shows_nothing() {
    assert_eq!(shown(&Register::default(), KIND, KEY), None);
    assert_eq!(conflicts(&Register::default(), KIND), []);
}

#[test]
fn the_stronger_source_is_shown_whatever_the_hashes() {
    for (strong, weak) in [
        (Some(Source::Document), None),
        (None, Some(Source::CarriedForward)),
        (Some(Source::Observed), Some(Source::Correction)),
        (Some(Source::SelfReport), Some(Source::MatchImport)),
    ] {
        let (desk, _, _) = met(("illness", strong), ("schooling", weak));
        assert_eq!(value(&desk.register, KEY), "illness");
        let (desk, _, _) = met(("illness", weak), ("schooling", strong));
        assert_eq!(value(&desk.register, KEY), "schooling");
    }
}

#[test]
fn of_equal_sources_the_smaller_hash_is_shown() {
    let (desk, one, two) = met(("illness", None), ("schooling", Some(Source::SelfReport)));
    assert_eq!(shown(&desk.register, KIND, KEY).unwrap().op.change, one.min(two));
}

#[test]
fn a_conflict_lists_every_value_and_says_whether_a_person_is_asked() {
    let (mut zhang, mut li) = (Desk::new(1), Desk::new(2));
    for (desk, cause, group) in [(&mut zhang, "illness", "三组"), (&mut li, "schooling", "四组")] {
        desk.write(|builder| {
            builder.put(KEY, Value::Text(cause.to_owned())).put("group_name", Value::Text(group.to_owned()));
        });
    }
    zhang.take(&li);
    let open = conflicts(&zhang.register, KIND);
    let told: Vec<(&str, bool, usize)> =
        open.iter().map(|c| (c.key.as_str(), c.asks, c.others.len())).collect();
    assert_eq!(told, [("group_name", false, 1), (KEY, true, 1)]);
}

#[test]
fn equal_values_are_no_conflict_and_neither_are_companions() {
    let (desk, _, _) = met(("illness", Some(Source::Document)), ("illness", Some(Source::Observed)));
    assert_eq!(conflicts(&desk.register, KIND), []);
    assert!(!shown(&desk.register, KIND, KEY).unwrap().open);
}

#[test]
fn a_companion_is_that_of_the_shown_value() {
    let (desk, one, two) = met(("illness", Some(Source::Document)), ("schooling", None));
    assert_eq!(source_of(&desk.register, KEY, one), Source::Document);
    assert_eq!(source_of(&desk.register, KEY, two), Source::SelfReport);
    assert_eq!(reason_of(&desk.register, KEY, one), None);
}

#[test]
fn a_late_stale_edit_opens_a_conflict_and_does_not_change_what_is_shown() {
    let (mut zhang, _, weak) = met(("illness", Some(Source::Document)), ("schooling", None));
    let mut late = Desk::new(3);
    late.take(&zhang);
    // Many edits, so that the late one has the higher operation counter.
    for _ in 0..20 {
        late.put(KEY, "disability", Some(Source::Document));
    }
    zhang.settle(KEY, weak);
    assert_eq!(conflicts(&zhang.register, KIND), []);
    zhang.take(&late);
    assert_eq!(value(&zhang.register, KEY), "schooling");
    let open = conflicts(&zhang.register, KIND);
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].others[0].value, Value::Text("disability".to_owned()));
}

#[test]
fn a_write_that_saw_the_settlement_takes_its_place() {
    let (mut zhang, _, weak) = met(("illness", Some(Source::Document)), ("schooling", None));
    zhang.settle(KEY, weak);
    zhang.put(KEY, "disability", Some(Source::CarriedForward));
    assert_eq!(value(&zhang.register, KEY), "disability");
}

#[test]
fn a_settlement_needs_a_value_that_is_there_and_a_reason() {
    let (desk, one, _) = met(("illness", None), ("schooling", None));
    let mut builder = desk.builder();
    assert_eq!(
        settle(&mut builder, "group_name", one, "x"),
        Err(SettleError::NothingThere("group_name".to_owned()))
    );
    assert_eq!(
        settle(&mut builder, KEY, ChangeHash([0; 32]), "x"),
        Err(SettleError::NoSuchValue(KEY.to_owned()))
    );
    assert_eq!(settle(&mut builder, KEY, one, "  "), Err(SettleError::NoReason));
    assert!(builder.is_empty());
}

proptest! {
    #[test]
    fn the_shown_value_does_not_depend_on_the_order_of_delivery(
        steps in steps(),
        order in Just(vec![0_usize, 1, 2]).prop_shuffle(),
    ) {
        let desks = play(&steps);
        let (one, other) = (gathered(&desks, &[0, 1, 2]), gathered(&desks, &order));
        for key in KEYS {
            let change = |desk: &Desk| shown(&desk.register, KIND, key).map(|shown| (shown.op.clone(), shown.open));
            prop_assert_eq!(change(&one), change(&other));
        }
        prop_assert_eq!(conflicts(&one.register, KIND), conflicts(&other.register, KIND));
    }

    #[test]
    fn a_settled_value_stays_shown_after_any_late_edit(before in steps(), late in steps(), choice in 0_usize..4) {
        let desks = play(&before);
        let mut judge = gathered(&desks, &[0, 1, 2]);
        judge.number = 7;
        let live = judge.register.live(KEY).to_vec();
        prop_assume!(!live.is_empty());
        let chosen = live[choice % live.len()].change;
        // The others go on without sight of the settlement; they write only, for a rival settlement counts.
        let mut others = desks;
        for step in &late {
            if let super::kit::Step::Put { desk, value, source, .. } = *step {
                others[desk].put(KEY, super::kit::VALUES[value], source.map(|source| Source::ALL[source]));
            }
        }
        let settled = judge.settle(KEY, chosen);
        others.iter().for_each(|other| judge.take(other));
        let shown_now = shown(&judge.register, KIND, KEY).unwrap();
        prop_assert_eq!(shown_now.op.change, settled);
        let unequal = judge.register.live(KEY).iter().any(|op| op.value != shown_now.op.value);
        prop_assert_eq!(shown_now.open, unequal);
        // Whoever has seen all of it may write again.
        let later = judge.put(KEY, "illness", Some(Source::CarriedForward));
        prop_assert_eq!(shown(&judge.register, KIND, KEY).unwrap().op.change, later);
        prop_assert!(!shown(&judge.register, KIND, KEY).unwrap().open);
    }
}
