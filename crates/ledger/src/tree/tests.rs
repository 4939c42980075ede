//! The tree against the `ct-merkle` crate, and against tampering.

use std::collections::BTreeMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;

use super::*;

#[derive(Default)]
struct Memory {
    size: u64,
    nodes: BTreeMap<(u8, u64), Hash>,
}

impl Nodes for Memory {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.nodes.get(&(level, index)).copied()
    }
}

impl Memory {
    fn push(&mut self, leaf: &[u8]) {
        for node in append(self.size, leaf_hash(leaf), self).unwrap() {
            let before = self.nodes.insert((node.level, node.index), node.hash);
            assert_eq!(before, None, "a node is written once");
        }
        self.size += 1;
    }

    fn of(size: u64) -> Self {
        let mut memory = Self::default();
        (0..size).for_each(|index| memory.push(&leaf(index)));
        memory
    }

    fn root(&self, size: u64) -> Hash {
        root(size, self).unwrap()
    }
}

fn leaf(index: u64) -> Vec<u8> {
    format!("leaf {index}").into_bytes()
}

fn oracle(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|index| tree.push(leaf(index)));
    tree
}

#[test]
fn roots_and_inclusion_proofs_are_those_of_ct_merkle() {
    let memory = Memory::of(130);
    for size in 0..=130 {
        let oracle = oracle(size);
        assert_eq!(memory.root(size).as_slice(), oracle.root().as_bytes().as_slice(), "{size}");
        assert_eq!(memory.root(size), root_of((0..size).map(|index| leaf_hash(&leaf(index)))));
        for index in 0..size {
            let proof = inclusion_proof(index, size, &memory).unwrap();
            let expected = oracle.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(proof.concat(), expected.as_bytes(), "{index} in {size}");
            let hash = leaf_hash(&leaf(index));
            assert_eq!(verify_inclusion(&hash, index, size, &proof, &memory.root(size)), Ok(()));
        }
    }
}

#[test]
fn consistency_proofs_are_those_of_ct_merkle() {
    let memory = Memory::of(130);
    for new in 1..=130 {
        let oracle = oracle(new);
        for old in 1..=new {
            let proof = consistency_proof(old, new, &memory).unwrap();
            let expected = oracle.prove_consistency(usize::try_from(new - old).unwrap());
            assert_eq!(proof.concat(), expected.as_bytes(), "{old} to {new}");
            let (old_root, new_root) = (memory.root(old), memory.root(new));
            assert_eq!(verify_consistency(old, &old_root, new, &new_root, &proof), Ok(()));
        }
    }
}

#[test]
fn the_empty_tree_is_consistent_with_every_tree_and_with_no_proof_but_the_empty_one() {
    let memory = Memory::of(5);
    let hash: Hash = Sha256::digest([]).into();
    assert_eq!(hash, EMPTY_ROOT);
    assert_eq!(consistency_proof(0, 5, &memory), Ok(vec![]));
    assert_eq!(verify_consistency(0, &EMPTY_ROOT, 5, &memory.root(5), &[]), Ok(()));
    assert_eq!(verify_consistency(0, &EMPTY_ROOT, 0, &EMPTY_ROOT, &[]), Ok(()));
    let refused = Err(VerifyError::Consistency);
    assert_eq!(verify_consistency(0, &[9; 32], 5, &memory.root(5), &[]), refused);
    assert_eq!(verify_consistency(0, &EMPTY_ROOT, 0, &[9; 32], &[]), refused);
    assert_eq!(verify_consistency(0, &EMPTY_ROOT, 5, &memory.root(5), &[EMPTY_ROOT]), refused);
}

#[test]
fn a_shrunken_tree_and_a_leaf_outside_are_refused() {
    let memory = Memory::of(5);
    assert_eq!(consistency_proof(6, 5, &memory), Err(TreeError::OutOfRange { found: 6, size: 5 }));
    assert_eq!(inclusion_proof(5, 5, &memory), Err(TreeError::OutOfRange { found: 5, size: 5 }));
    let (five, four) = (memory.root(5), memory.root(4));
    assert_eq!(verify_consistency(5, &five, 4, &four, &[]), Err(VerifyError::Consistency));
    assert_eq!(verify_inclusion(&five, 5, 5, &[], &five), Err(VerifyError::Inclusion));
    assert_eq!(verify_inclusion(&five, 0, 0, &[], &five), Err(VerifyError::Inclusion));
}

#[test]
fn a_lost_node_is_named() {
    let mut memory = Memory::of(7);
    memory.nodes.remove(&(1, 2));
    let missing = TreeError::Missing { level: 1, index: 2 };
    assert_eq!(root(7, &memory), Err(missing));
    assert_eq!(inclusion_proof(0, 7, &memory), Err(missing));
    assert_eq!(consistency_proof(4, 7, &memory), Err(missing));
    assert_eq!(append(7, [0; 32], &memory), Err(missing));
    assert_eq!(missing.to_string(), "the tree lacks the node at level 1, index 2");
}

#[test]
fn the_largest_sizes_do_not_overflow() {
    /// A tree whose leaves are all alike.
    struct Same;
    impl Nodes for Same {
        fn node(&self, level: u8, _: u64) -> Option<Hash> {
            Some((0..level).fold([7; 32], |hash, _| node_hash(&hash, &hash)))
        }
    }
    for size in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1] {
        let whole = root(size, &Same).unwrap();
        let proof = inclusion_proof(size - 1, size, &Same).unwrap();
        assert!(proof.len() <= 64);
        assert_eq!(verify_inclusion(&[7; 32], size - 1, size, &proof, &whole), Ok(()));
        let proof = consistency_proof(size - 1, size, &Same).unwrap();
        let before = root(size - 1, &Same).unwrap();
        assert_eq!(verify_consistency(size - 1, &before, size, &whole, &proof), Ok(()));
    }
}

/// One way to spoil a proof.
#[derive(Debug, Clone)]
enum Tampering {
    Flip(prop::sample::Index, u8),
    Drop(prop::sample::Index),
    Repeat(prop::sample::Index),
    Extend(Hash),
}

fn tampering() -> impl Strategy<Value = Tampering> {
    prop_oneof![
        (any::<prop::sample::Index>(), 0..=255_u8).prop_map(|(at, bit)| Tampering::Flip(at, bit)),
        any::<prop::sample::Index>().prop_map(Tampering::Drop),
        any::<prop::sample::Index>().prop_map(Tampering::Repeat),
        any::<Hash>().prop_map(Tampering::Extend),
    ]
}

fn spoil(mut proof: Vec<Hash>, tampering: &Tampering) -> Vec<Hash> {
    match tampering {
        Tampering::Extend(hash) => proof.push(*hash),
        _ if proof.is_empty() => proof.push([0; 32]),
        Tampering::Flip(at, bit) => {
            let at = at.index(proof.len());
            proof[at][usize::from(*bit >> 3)] ^= 1 << (bit & 7);
        }
        Tampering::Drop(at) => drop(proof.remove(at.index(proof.len()))),
        Tampering::Repeat(at) => proof.insert(at.index(proof.len()), proof[at.index(proof.len())]),
    }
    proof
}

proptest! {
    #[test]
    fn a_spoiled_inclusion_proof_is_refused(
        size in 1..300_u64,
        at: prop::sample::Index,
        other: prop::sample::Index,
        tampering in tampering(),
    ) {
        let memory = Memory::of(size);
        let length = usize::try_from(size).unwrap();
        let index = at.index(length) as u64;
        let whole = memory.root(size);
        let hash = leaf_hash(&leaf(index));
        let proof = inclusion_proof(index, size, &memory).unwrap();
        let spoiled = spoil(proof.clone(), &tampering);
        prop_assert_eq!(verify_inclusion(&hash, index, size, &spoiled, &whole), Err(VerifyError::Inclusion));
        let elsewhere = other.index(length) as u64;
        let verdict = verify_inclusion(&hash, elsewhere, size, &proof, &whole);
        prop_assert_eq!(verdict.is_ok(), elsewhere == index);
    }

    #[test]
    fn a_spoiled_consistency_proof_is_refused(
        new in 1..300_u64,
        at: prop::sample::Index,
        tampering in tampering(),
        bit: u8,
    ) {
        let memory = Memory::of(new);
        let old = at.index(usize::try_from(new).unwrap()) as u64 + 1;
        let (old_root, new_root) = (memory.root(old), memory.root(new));
        let proof = consistency_proof(old, new, &memory).unwrap();
        let refused = Err(VerifyError::Consistency);
        let spoiled = spoil(proof.clone(), &tampering);
        prop_assert_eq!(verify_consistency(old, &old_root, new, &new_root, &spoiled), refused.clone());
        let mut rewritten = old_root;
        rewritten[usize::from(bit >> 3)] ^= 1 << (bit & 7);
        prop_assert_eq!(verify_consistency(old, &rewritten, new, &new_root, &proof), refused);
    }
}
