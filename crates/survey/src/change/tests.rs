//! Tests of the encoder and the parser together; hostile bytes are in `tests/hostile.rs`.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        ".{0,12}".prop_map(Value::Text),
        vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
    ]
}

fn op_ids() -> impl Strategy<Value = Vec<OpId>> {
    let id = (1_u64..400, 0_u8..5).prop_map(|(counter, actor)| OpId { counter, actor: ActorId([actor; 16]) });
    btree_set(id, 0..4).prop_map(|ids| ids.into_iter().collect())
}

fn puts() -> impl Strategy<Value = Vec<Put>> {
    btree_set("[a-z成员/]{1,6}", 1..12).prop_flat_map(|keys| {
        let puts: Vec<_> = keys
            .into_iter()
            .map(|key| {
                (Just(key), value(), op_ids()).prop_map(|(key, value, predecessors)| Put {
                    key,
                    value,
                    predecessors,
                })
            })
            .collect();
        puts.prop_shuffle()
    })
}

fn change() -> impl Strategy<Value = Change> {
    let hash = any::<[u8; 32]>().prop_map(ChangeHash);
    (btree_set(hash, 0..4), 0_u8..5, 1_u64..10_000, 1_u64..1_000_000, 0..=1_i64 << 40, puts()).prop_map(
        |(dependencies, actor, sequence, start_op, claimed_at, puts)| Change {
            dependencies: dependencies.into_iter().collect(),
            actor: ActorId([actor; 16]),
            sequence,
            start_op,
            claimed_at,
            puts,
        },
    )
}

#[test]
fn an_actor_depends_on_the_device_and_on_the_opening() {
    let device = DeviceId::from_bytes([7; 16]);
    let actor = ActorId::derive(device, [1; 8]);
    assert_eq!(actor, ActorId::derive(device, [1; 8]));
    assert_ne!(actor, ActorId::derive(device, [2; 8]));
    assert_ne!(actor, ActorId::derive(DeviceId::from_bytes([8; 16]), [1; 8]));
}

#[test]
fn a_document_kind_reads_back_from_its_code() {
    for code in 0..=u8::MAX {
        assert!(DocumentKind::from_code(code).is_none_or(|kind| kind.code() == code));
    }
    assert_eq!((1..=4).filter_map(DocumentKind::from_code).count(), 4);
}

#[test]
fn a_hash_reads_back_from_its_text_and_other_texts_are_refused() {
    let hash = ChangeHash(std::array::from_fn(|place| u8::try_from(place * 7).unwrap()));
    assert_eq!(hash.to_string().parse(), Ok(hash));
    for text in ["", "00", &hash.to_string().to_uppercase(), &hash.to_string()[1..]] {
        assert!(text.parse::<ChangeHash>().is_err());
    }
}

proptest! {
    #[test]
    fn a_change_reads_back_from_its_bytes(change in change()) {
        let encoded = encode(&change);
        prop_assert_eq!(parse(&encoded.bytes), Ok((change, encoded.hash)));
    }

    #[test]
    fn automerge_reads_our_bytes_as_the_same_change(change in change()) {
        let encoded = encode(&change);
        let theirs = automerge::Change::from_bytes(encoded.bytes.clone()).unwrap();
        prop_assert_eq!(theirs.hash().0, encoded.hash.0);
        prop_assert_eq!(theirs.raw_bytes(), encoded.bytes);
        prop_assert_eq!(
            (theirs.seq(), theirs.start_op().get(), theirs.timestamp()),
            (change.sequence, change.start_op, change.claimed_at)
        );
        prop_assert_eq!((theirs.len(), theirs.max_op()), (change.puts.len(), change.max_op()));
    }

    #[test]
    fn any_bytes_are_refused_or_the_only_form_of_a_change(bytes in vec(any::<u8>(), 0..80)) {
        let mut framed = vec![0x85, 0x6f, 0x4a, 0x83];
        framed.extend_from_slice(&bytes);
        prop_assert!(parse(&bytes).is_err());
        prop_assert!(parse(&framed).is_err(), "no checksum is right by chance");
    }
}
