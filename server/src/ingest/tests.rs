//! Places in chains, and decisions over plain data.

use ruhu_ledger::batch::Anchor;
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::tree::EMPTY_ROOT;
use ruhu_survey::change::Value;
use ruhu_survey::id::{DeploymentId, EpochId, HouseholdId, UserId};
use ruhu_survey::register::ChangeBuilder;
use ruhu_survey::role::Role;

use super::*;
use crate::limits::BRANCHES_PER_CHAIN_MAX;
use crate::store::world::{MORNING_MS, certificate};

fn header(number: u64, previous: Option<u8>) -> BatchHeader {
    let key = SecretKey::from_seed([1; 32]);
    BatchHeader {
        deployment: DeploymentId::from_bytes([1; 16]),
        device: key.public().device_id(),
        user: UserId::from_bytes([1; 16]),
        village: VillageId::from_bytes([1; 16]),
        number,
        previous: previous.map(|byte| BatchId([byte; 32])),
        anchor: Anchor { epoch: EpochId::from_bytes([1; 16]), size: 0, root: EMPTY_ROOT },
        schema: 1,
        wall_ms: 0,
        monotonic_ms: 0,
        count: 1,
        root: [0; 32],
    }
}

fn after(previous_number: u64, previous_is_tip: bool) -> Chain {
    Chain { previous_number: Some(previous_number), highest: 4, branches: 1, previous_is_tip }
}

#[test]
fn the_first_batch_begins_a_chain_or_forks_it() {
    assert_eq!(place(&header(1, None), &Chain::default()), Place::Follows);
    let begun = Chain { highest: 3, branches: 1, ..Chain::default() };
    assert_eq!(place(&header(1, None), &begun), Place::Follows);
}

#[test]
fn a_batch_follows_its_predecessor_wherever_that_stands() {
    assert_eq!(place(&header(5, Some(4)), &after(4, true)), Place::Follows);
    assert_eq!(place(&header(3, Some(2)), &after(2, false)), Place::Follows);
}

#[test]
fn a_number_that_skips_its_predecessor_is_wrong() {
    let Place::Wrong(rejection) = place(&header(7, Some(4)), &after(4, true)) else {
        panic!("it has a place")
    };
    assert_eq!(rejection.code, "chain_number");
}

#[test]
fn a_gap_names_the_first_number_that_is_missing() {
    let chain = Chain { highest: 4, branches: 1, ..Chain::default() };
    assert_eq!(place(&header(9, Some(8)), &chain), Place::Gap { expected: 5 });
    assert_eq!(place(&header(3, Some(77)), &chain), Place::Gap { expected: 2 }, "a branch that is not here");
}

#[test]
fn only_a_new_branch_is_refused_when_there_are_too_many() {
    let full = Chain { branches: BRANCHES_PER_CHAIN_MAX, ..after(4, false) };
    assert!(matches!(place(&header(5, Some(4)), &full), Place::Wrong(_)));
    let at_tip = Chain { previous_is_tip: true, ..full };
    assert_eq!(place(&header(5, Some(4)), &at_tip), Place::Follows);
}

#[test]
fn revocation_counts_before_expiry() {
    let key = SecretKey::from_seed([1; 32]);
    let held = certificate(&key, 1, UserId::from_bytes([1; 16]), &[], CertificateKind::Device);
    assert_eq!(blanket_rule(&held, false, MORNING_MS), None);
    assert_eq!(blanket_rule(&held, false, held.until_ms), Some("certificate_expired"));
    assert_eq!(blanket_rule(&held, true, held.until_ms), Some("device_revoked"));
}

/// What a store knows, in memory.
#[derive(Default)]
struct Known(BTreeMap<(DocumentId, ChangeHash), (Standing, Arc<Change>)>);

impl Shelf for Known {
    fn change(&self, document: DocumentId, hash: &ChangeHash) -> Option<Arc<Change>> {
        let (standing, change) = self.0.get(&(document, *hash))?;
        (*standing == Standing::Accepted).then(|| Arc::clone(change))
    }

    fn standing(&self, document: DocumentId, hash: &ChangeHash) -> Option<Standing> {
        self.0.get(&(document, *hash)).map(|(standing, _)| *standing)
    }

    fn rule(&self, document: DocumentId, hash: &ChangeHash) -> Option<String> {
        let apart = self.standing(document, hash) == Some(Standing::Quarantined);
        apart.then(|| "device_revoked".to_owned())
    }
}

fn written(register: &mut Register, actor: ActorId, group: &str) -> (Vec<u8>, ChangeHash, Arc<Change>) {
    let mut builder = ChangeBuilder::new(register, actor, MORNING_MS / 1_000);
    builder.put("group_name", Value::Text(group.to_owned()));
    let (change, encoded) = builder.finish().unwrap();
    register.apply(&change, encoded.hash);
    (encoded.bytes, encoded.hash, Arc::new(change))
}

#[test]
fn what_is_kept_apart_already_is_kept_apart_by_the_same_rule_again() {
    let device = SecretKey::from_seed([1; 32]).public().device_id();
    let actor = ActorId::derive(device, [1; 8]);
    let document = DocumentId::from(HouseholdId::from_bytes([1; 16]));
    let (bytes, hash, change) = written(&mut Register::default(), actor, "向家组");
    let known = Known(BTreeMap::from([((document, hash), (Standing::Quarantined, change))]));
    let incoming = Incoming {
        village: VillageId::from_bytes([1; 16]),
        author: Author { device, role: Role::WorkTeam, user: UserId::from_bytes([1; 16]) },
        actors: BTreeSet::from([actor]),
        blanket: None,
        changes: &[(document, bytes)],
    };
    let decided = plan(&incoming, BTreeMap::new(), &known).changes.remove(0);
    let rule = "device_revoked".to_owned();
    assert_eq!(decided.verdict, Verdict::Quarantined { rule, because: Some(hash) });
    assert_eq!(decided.standing, Standing::Repeat);
}

#[test]
fn a_plan_depends_on_nothing_but_what_it_is_given() {
    let device = SecretKey::from_seed([1; 32]).public().device_id();
    let actor = ActorId::derive(device, [1; 8]);
    let document = DocumentId::from(HouseholdId::from_bytes([1; 16]));
    let mut register = Register::default();
    let (_, first, change) = written(&mut register, actor, "向家组");
    let at_hand = AtHand { register: register.clone().into(), held: Vec::new() };
    let (second, hash, _) = written(&mut register, actor, "田家组");
    let (third, ..) = written(&mut register, actor, "庹家组");
    let known = Known(BTreeMap::from([((document, first), (Standing::Accepted, change))]));
    let incoming = Incoming {
        village: VillageId::from_bytes([1; 16]),
        author: Author { device, role: Role::WorkTeam, user: UserId::from_bytes([1; 16]) },
        actors: BTreeSet::from([actor]),
        blanket: None,
        changes: &[(document, third), (document, second)],
    };
    let documents = BTreeMap::from([(document, at_hand)]);
    let one = plan(&incoming, documents.clone(), &known);
    let other = plan(&incoming, documents, &known);
    assert_eq!(one.changes, other.changes);
    assert_eq!(one.changes[1].hash, Some(hash));
    assert!(one.changes.iter().all(|decided| decided.verdict == Verdict::Accepted));
    assert_eq!(*one.registers[&document].register(), register);
}
