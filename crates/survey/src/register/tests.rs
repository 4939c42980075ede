//! Tests of the register and of the builder.

use proptest::prelude::*;

use super::*;

const ZHANG: ActorId = ActorId([1; 16]);
const LI: ActorId = ActorId([2; 16]);
const WANG: ActorId = ActorId([3; 16]);

fn written(register: &Register, actor: ActorId, puts: &[(&str, Value)]) -> (Change, ChangeHash) {
    let mut builder = ChangeBuilder::new(register, actor, 1_790_000_000);
    for (key, value) in puts {
        builder.put(*key, value.clone());
    }
    let (change, encoded) = builder.finish().unwrap();
    (change, encoded.hash)
}

fn on(register: &Register, changes: &[&(Change, ChangeHash)]) -> Register {
    let mut register = register.clone();
    for (change, hash) in changes {
        register.apply(change, *hash);
    }
    register
}

fn settle(field: &str) -> Value {
    Value::Text(format!(r#"{{"field":"{field}","kind":"settle","reason":"看过房产证","settled":[]}}"#))
}

#[test]
fn concurrent_values_are_all_kept_and_the_next_put_takes_the_place_of_all() {
    let empty = Register::default();
    let (first, second) = (
        written(&empty, ZHANG, &[("roof", Value::Bool(true))]),
        written(&empty, LI, &[("roof", Value::Null)]),
    );
    let both = on(&empty, &[&first, &second]);
    assert_eq!(both, on(&empty, &[&second, &first]));
    assert_eq!(both.live("roof").iter().map(|op| op.id.actor).collect::<Vec<_>>(), [ZHANG, LI]);
    assert_eq!(both.heads().len(), 2);
    let third = written(&both, WANG, &[("roof", Value::Null)]);
    assert_eq!(third.0.puts[0].predecessors.len(), 2, "also though the value is one of them");
    let after = on(&both, &[&third]);
    assert_eq!(after.live("roof").len(), 1);
    assert_eq!((after.max_op(), after.change_count(), after.heads().len()), (2, 3, 1));
}

#[test]
fn a_put_of_the_same_value_is_a_put_with_its_predecessor() {
    let first = written(&Register::default(), ZHANG, &[("roof", Value::Bool(true))]);
    let register = on(&Register::default(), &[&first]);
    let again = written(&register, ZHANG, &[("roof", Value::Bool(true))]);
    assert_eq!(again.0.puts[0].predecessors, [OpId { counter: 1, actor: ZHANG }]);
    assert_eq!((again.0.sequence, again.0.start_op), (2, 2));
}

#[test]
fn a_builder_puts_each_key_once_where_it_first_stood() {
    let register = Register::default();
    let mut builder = ChangeBuilder::new(&register, ZHANG, 0);
    assert!(builder.is_empty());
    assert_eq!(builder.next_op(), OpId { counter: 1, actor: ZHANG });
    builder.put("z", Value::Int(1)).put("a", Value::Int(2)).put("z", Value::Int(3));
    assert_eq!(builder.next_op(), OpId { counter: 3, actor: ZHANG });
    let (change, _) = builder.finish().unwrap();
    let puts: Vec<(&str, &Value)> = change.puts.iter().map(|put| (put.key.as_str(), &put.value)).collect();
    assert_eq!(puts, [("z", &Value::Int(3)), ("a", &Value::Int(2))]);
    assert!(ChangeBuilder::new(&register, ZHANG, 0).finish().is_none());
}

#[test]
fn the_id_derived_before_a_put_is_the_id_of_that_put() {
    let register = Register::default();
    let mut builder = ChangeBuilder::new(&register, ZHANG, 0);
    builder.put("roof", Value::Null);
    let id = derived_id(builder.next_op());
    builder.put(format!("member/{id}/name"), Value::Text("韦桂兰".to_owned()));
    let (change, _) = builder.finish().unwrap();
    assert_eq!(derived_id(change.op_id(1)), id);
    assert_eq!(id, "fbbxxao4vmmxomk6", "the rule may not change");
    assert_ne!(derived_id(OpId { counter: 2, actor: LI }), id);
}

#[test]
fn the_keys_under_a_prefix_are_those_that_begin_with_it() {
    let puts = ["member/a/name", "member/b/name", "membership", "roof"].map(|key| (key, Value::Null));
    let register = on(&Register::default(), &[&written(&Register::default(), ZHANG, &puts)]);
    let under: Vec<&str> = register.keys_under("member/").map(|(key, _)| key).collect();
    assert_eq!(under, ["member/a/name", "member/b/name"]);
    assert_eq!(register.keys_under("x").count(), 0);
    assert_eq!(register.keys_under("").count(), register.keys().count());
    assert_eq!(register.live("absent"), []);
}

#[test]
fn a_settlement_counts_for_its_field_only() {
    let puts = [("event/7k3q", settle("roof")), ("roof", Value::Bool(true)), ("note", Value::Null)];
    let change = written(&Register::default(), ZHANG, &puts);
    assert_eq!(settled_fields(&change.0), BTreeSet::from(["roof".to_owned()]));
    let register = on(&Register::default(), &[&change]);
    assert_eq!((register.live("roof")[0].settled, register.live("note")[0].settled), (1, 0));
}

#[test]
fn only_an_entry_of_kind_settle_settles() {
    let others = [
        ("event/7k3q", Value::Text(r#"{"field":"roof","kind":"correct"}"#.to_owned())),
        ("event/7k3r", Value::Text(r#"{"field":"\"kind\":\"settle\"","kind":"correct"}"#.to_owned())),
        ("event/7k3s", Value::Text(r#"{"kind":"settle"}"#.to_owned())),
        ("event/7k3t", Value::Text(r#"{"kind":"settle""#.to_owned())),
        ("event/7k3u/x", settle("roof")),
        ("note", settle("roof")),
        ("event/7k3v", Value::Bytes(br#"{"field":"roof","kind":"settle"}"#.to_vec())),
    ];
    let change = written(&Register::default(), ZHANG, &others);
    assert_eq!(settled_fields(&change.0), BTreeSet::new());
}

#[test]
fn a_write_that_saw_a_settlement_stands_on_it_whichever_of_two_arrives_first() {
    let puts = [("event/7k3q", settle("roof")), ("roof", Value::Bool(true))];
    let settled = on(&Register::default(), &[&written(&Register::default(), ZHANG, &puts)]);
    let zhang = written(&settled, ZHANG, &[("roof", Value::Int(1))]);
    let li = written(&settled, LI, &[("roof", Value::Int(2))]);
    let (one, other) = (on(&settled, &[&zhang, &li]), on(&settled, &[&li, &zhang]));
    assert_eq!(one, other);
    assert!(one.live("roof").iter().all(|op| op.settled == 1));
    let again = [("event/7k3r", settle("roof")), ("roof", Value::Bool(false))];
    let twice = on(&one, &[&written(&one, WANG, &again)]);
    assert_eq!(twice.live("roof")[0].settled, 2);
    assert_eq!(Register::from_bytes(&twice.to_bytes()), Ok(twice));
}

#[test]
fn a_register_is_refused_when_a_byte_of_it_is_missing_or_added() {
    let puts = [("event/7k3q", settle("roof")), ("roof", Value::Bool(true)), ("note", Value::Int(-7))];
    let first = on(&Register::default(), &[&written(&Register::default(), ZHANG, &puts)]);
    let register = on(&first, &[&written(&first, LI, &[("roof", Value::Bytes(vec![1, 2]))])]);
    let mut bytes = register.to_bytes();
    assert_eq!(Register::from_bytes(&bytes), Ok(register));
    for length in 0..bytes.len() {
        assert!(Register::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
    bytes.push(0);
    assert_eq!(Register::from_bytes(&bytes), Err(CodecError::Trailing(1)));
    bytes[0] = 2;
    assert_eq!(Register::from_bytes(&bytes), Err(CodecError::Unknown("the version of a register")));
    let empty = Register::default();
    assert!(empty.is_empty());
    assert_eq!(Register::from_bytes(&empty.to_bytes()), Ok(empty));
}

proptest! {
    #[test]
    fn spoilt_bytes_of_a_register_are_refused_or_the_only_form_of_another(place: usize, value: u8) {
        let puts = [("event/7k3q", settle("roof")), ("roof", Value::Bool(true)), ("note", Value::Int(-7))];
        let first = on(&Register::default(), &[&written(&Register::default(), ZHANG, &puts)]);
        let register = on(&first, &[&written(&first, LI, &[("roof", Value::Null)])]);
        let mut bytes = register.to_bytes();
        let place = place % bytes.len();
        bytes[place] = value;
        if let Ok(read) = Register::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }
}
