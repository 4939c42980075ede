//! The law of every format: there is one encoding of each value, and one value of each encoding.

use std::fmt::Debug;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind};
use ruhu_survey::id::{DeploymentId, DeviceId, EpochId, UserId, VillageId};
use ruhu_survey::role::Role;

use crate::batch::{Anchor, Batch, BatchBody, BatchHeader, BatchId};
use crate::certificate::{Certificate, CertificateKind, Revocation};
use crate::checkpoint::Checkpoint;
use crate::decision::{Decision, People};
use crate::epoch::EpochStart;
use crate::error::FormatError;
use crate::example;
use crate::leaf::{Leaf, LeafKind};
use crate::limits::{COUNTER_MAX, TIME_MS_MAX};
use crate::payload::{read_body, write_body};
use crate::receipt::Receipt;
use crate::signature::{PublicKey, Signature};
use crate::statement::{Signed, Statement};
use crate::verdict::Verdict;

fn id<T: Debug>(make: fn([u8; 16]) -> T) -> impl Strategy<Value = T> {
    any::<[u8; 16]>().prop_map(make)
}

fn time() -> impl Strategy<Value = i64> {
    0..=TIME_MS_MAX
}

fn counter() -> impl Strategy<Value = u64> {
    0..=COUNTER_MAX
}

fn hash() -> impl Strategy<Value = ChangeHash> {
    any::<[u8; 32]>().prop_map(ChangeHash)
}

fn certificate() -> impl Strategy<Value = Certificate> {
    let who = (id(DeploymentId::from_bytes), counter(), any::<[u8; 32]>(), id(UserId::from_bytes));
    let kinds = [CertificateKind::Device, CertificateKind::Server, CertificateKind::Provisional];
    let what =
        (select(kinds.to_vec()), select(Role::ALL.to_vec()), btree_set(id(VillageId::from_bytes), 0..5));
    let when = (time(), time(), "\\PC{0,20}");
    (who, what, when).prop_map(|((deployment, serial, key, user), (kind, role, villages), (a, b, name))| {
        let (key, from_ms, until_ms) = (PublicKey(key), a.min(b), a.max(b));
        Certificate { deployment, serial, key, kind, user, role, villages, from_ms, until_ms, name }
    })
}

fn revocation() -> impl Strategy<Value = Revocation> {
    let fields = (id(DeploymentId::from_bytes), id(DeviceId::from_bytes), time(), "\\PC{0,40}");
    fields.prop_map(|(deployment, device, at_ms, reason)| Revocation { deployment, device, at_ms, reason })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Accepted),
        vec(hash(), 0..5).prop_map(|needs| Verdict::Held { needs }),
        ("[a-z_]{0,30}", proptest::option::of(hash()))
            .prop_map(|(rule, because)| Verdict::Quarantined { rule, because }),
        "\\PC{0,40}".prop_map(|reason| Verdict::Refused { reason }),
    ]
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let what = (id(EpochId::from_bytes), any::<[u8; 32]>(), counter());
    let when = (time(), proptest::option::of(time()), vec(verdict(), 1..8));
    (what, when).prop_map(|((epoch, batch, leaf_index), (received_ms, anchor_ms, verdicts))| Receipt {
        epoch,
        batch: BatchId(batch),
        leaf_index,
        received_ms,
        anchor_ms,
        verdicts,
    })
}

fn decision() -> impl Strategy<Value = Decision> {
    let what = (id(EpochId::from_bytes), any::<[u8; 32]>(), hash(), verdict());
    let people = (id(UserId::from_bytes), "[a-z测]{0,9}", "[a-z试]{0,9}", "[a-z ]{0,20}").prop_map(
        |(proposed_by, proposed_name, confirmed_name, reason)| People {
            proposed_by,
            proposed_name,
            confirmed_name,
            reason,
        },
    );
    let who = (id(UserId::from_bytes), proptest::option::of(people));
    (what, time(), who).prop_map(|((epoch, batch, change, verdict), decided_ms, (by, people))| Decision {
        epoch,
        batch: BatchId(batch),
        change,
        verdict,
        decided_ms,
        by,
        people,
    })
}

fn epoch_start() -> impl Strategy<Value = EpochStart> {
    let previous = proptest::option::of(id(EpochId::from_bytes));
    let fields = (id(DeploymentId::from_bytes), id(EpochId::from_bytes), any::<[u8; 32]>(), time(), previous);
    fields.prop_map(|(deployment, epoch, key, started_ms, previous)| EpochStart {
        deployment,
        epoch,
        server_key: PublicKey(key),
        started_ms,
        previous,
    })
}

fn header() -> impl Strategy<Value = BatchHeader> {
    let who = (id(DeploymentId::from_bytes), id(DeviceId::from_bytes), id(UserId::from_bytes));
    let place = (id(VillageId::from_bytes), 1..=COUNTER_MAX, any::<[u8; 32]>(), prop::bool::ANY);
    let anchor = (id(EpochId::from_bytes), 1..=COUNTER_MAX, any::<[u8; 32]>());
    let rest = (any::<u16>(), time(), counter(), 1..=100_u16, any::<[u8; 32]>());
    (who, place, anchor, rest).prop_map(|(who, (village, number, previous, first), anchor, rest)| {
        let number = if first { 1 } else { number };
        BatchHeader {
            deployment: who.0,
            device: who.1,
            user: who.2,
            village,
            number,
            previous: (number > 1).then_some(BatchId(previous)),
            anchor: Anchor { epoch: anchor.0, size: anchor.1, root: anchor.2 },
            schema: rest.0,
            wall_ms: rest.1,
            monotonic_ms: rest.2,
            count: rest.3,
            root: rest.4,
        }
    })
}

fn body() -> impl Strategy<Value = BatchBody> {
    use DocumentKind::{Check, Household, Issue, Village};
    let kind = select(vec![Household, Check, Issue, Village]);
    let document = (kind, any::<[u8; 16]>()).prop_map(|(kind, id)| DocumentId { kind, id });
    let change = vec(any::<u8>(), 0..200).prop_map(|content| example::chunk(&content));
    let openings = btree_set(any::<[u8; 8]>(), 0..4).prop_map(|set| set.into_iter().rev().collect());
    (openings, vec((document, change), 1..20)).prop_map(|(openings, changes)| BatchBody { openings, changes })
}

fn leaf() -> impl Strategy<Value = Leaf> {
    prop_oneof![
        (header(), time(), vec(verdict(), 1..4)).prop_map(|(header, at, all)| Leaf::batch(&header, at, &all)),
        (certificate(), time()).prop_map(|(certificate, at)| Leaf::certificate(&unsigned(certificate), at)),
        revocation().prop_map(|revocation| Leaf::revocation(&unsigned(revocation))),
        decision().prop_map(|decision| Leaf::decision(&unsigned(decision))),
        epoch_start().prop_map(|start| Leaf::epoch(&unsigned(start))),
    ]
}

/// With a signature that is none: only the form matters here.
fn unsigned<T>(statement: T) -> Signed<T> {
    Signed { statement, signature: Signature([9; 64]) }
}

/// A small harm done to bytes.
fn harm(mut bytes: Vec<u8>, at: &Index, value: u8, how: u8) -> Vec<u8> {
    let at = at.index(bytes.len());
    match how {
        0 => bytes[at] = value,
        1 => bytes.truncate(at),
        2 => bytes.insert(at, value),
        _ => drop(bytes.remove(at)),
    }
    bytes
}

/// A format's encoder and decoder.
type Codec<T> = (fn(&T) -> Vec<u8>, fn(&[u8]) -> Result<T, FormatError>);

/// A value reads back as itself, and harmed bytes either are refused or are the encoding of what they
/// read as.
fn lawful<T: PartialEq + Debug>(
    value: &T,
    (encode, decode): Codec<T>,
    (at, byte, how): &(Index, u8, u8),
) -> Result<(), TestCaseError> {
    let bytes = encode(value);
    let read = decode(&bytes);
    prop_assert_eq!(read.as_ref(), Ok(value));
    let harmed = harm(bytes, at, *byte, *how);
    if let Ok(other) = decode(&harmed) {
        prop_assert_eq!(encode(&other), harmed);
    }
    Ok(())
}

fn harms() -> impl Strategy<Value = (Index, u8, u8)> {
    (any::<Index>(), any::<u8>(), 0..4_u8)
}

fn signed_lawful<T: Statement + Debug>(statement: T, harm: &(Index, u8, u8)) -> Result<(), TestCaseError> {
    let signed = unsigned(statement);
    lawful(&signed, (Signed::<T>::to_bytes, Signed::<T>::from_bytes), harm)?;
    lawful(&signed.statement, (T::to_bytes, T::from_bytes), harm)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_certificate_has_one_form(value in certificate(), harm in harms()) {
        signed_lawful(value, &harm)?;
    }

    #[test]
    fn a_revocation_has_one_form(value in revocation(), harm in harms()) {
        signed_lawful(value, &harm)?;
    }

    #[test]
    fn a_receipt_has_one_form(value in receipt(), harm in harms()) {
        signed_lawful(value, &harm)?;
    }

    #[test]
    fn a_decision_has_one_form(value in decision(), harm in harms()) {
        signed_lawful(value, &harm)?;
    }

    #[test]
    fn an_epoch_has_one_form(value in epoch_start(), harm in harms()) {
        signed_lawful(value, &harm)?;
    }

    #[test]
    fn a_batch_header_has_one_form(value in header(), harm in harms()) {
        signed_lawful(value, &harm)?;
    }

    #[test]
    fn a_verdict_has_one_form(value in verdict(), harm in harms()) {
        lawful(&value, (Verdict::to_bytes, Verdict::from_bytes), &harm)?;
    }

    #[test]
    fn a_leaf_has_one_form(value in leaf(), harm in harms()) {
        lawful(&value, (Leaf::to_bytes, Leaf::from_bytes), &harm)?;
    }

    #[test]
    fn a_leaf_with_fields_of_another_kind_is_refused(value in leaf(), code in 1..=5_u8) {
        let mut bytes = value.to_bytes();
        bytes[1] = code;
        if let Ok(other) = Leaf::from_bytes(&bytes) {
            prop_assert_eq!(Some(other.kind), LeafKind::from_code(code));
            prop_assert_eq!(other.to_bytes(), bytes);
        }
    }

    #[test]
    fn a_body_has_one_form(value in body(), harm in harms()) {
        lawful(&value, (write_body, read_body), &harm)?;
    }

    #[test]
    fn a_batch_has_one_form(header in header(), payload: Vec<u8>, harm in harms()) {
        let batch = Batch { header, signature: Signature([9; 64]), payload };
        lawful(&batch, (Batch::to_bytes, Batch::from_bytes), &harm)?;
    }

    #[test]
    fn a_checkpoint_has_one_form(size in 1..=COUNTER_MAX, root: [u8; 32], harm in harms()) {
        let encode = |value: &Checkpoint| value.text().into_bytes();
        let decode = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).map_err(|_| FormatError::Text("checkpoint"))?;
            Checkpoint::parse_text(text)
        };
        lawful(&Checkpoint::new(example::deployment(), size, root), (encode, decode), &harm)?;
    }

    #[test]
    fn random_bytes_are_refused_or_are_the_form_of_what_they_read_as(bytes: Vec<u8>) {
        if let Ok(batch) = Batch::from_bytes(&bytes) {
            prop_assert_eq!(batch.to_bytes(), bytes.clone());
        }
        if let Ok(verdict) = Verdict::from_bytes(&bytes) {
            prop_assert_eq!(verdict.to_bytes(), bytes.clone());
        }
        if let Ok(body) = read_body(&bytes) {
            prop_assert_eq!(write_body(&body), bytes);
        }
    }

    #[test]
    fn every_body_survives_sealing_and_its_journey(body in body()) {
        let sealed = Batch::seal(&example::device_key(), example::unsealed(), &body).unwrap();
        let arrived = Batch::from_bytes(&sealed.to_bytes()).unwrap();
        prop_assert_eq!(arrived.verify(&example::certificate()), Ok(()));
        prop_assert_eq!(arrived.open(), Ok(body));
    }
}
