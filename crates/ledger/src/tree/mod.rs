//! The RFC 6962 Merkle tree: roots, inclusion proofs and consistency proofs.
//!
//! A tree of any size is made of complete subtrees, and those never change as the tree grows. So a store
//! keeps one hash per complete subtree, named by (level, index): the leaves `index << level` up to
//! `(index + 1) << level`. Everything else is computed from those through [`Nodes`].

use sha2::{Digest, Sha256};

use crate::error::VerifyError;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The root of the tree with no leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Where the hashes of complete subtrees are kept.
pub trait Nodes {
    /// The hash of the complete subtree over the leaves `index << level` up to `(index + 1) << level`.
    fn node(&self, level: u8, index: u64) -> Option<Hash>;
}

/// Why a tree could not be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The store lacks a complete subtree that it should have.
    #[error("the tree lacks the node at level {level}, index {index}")]
    Missing {
        /// The subtree has 2^level leaves.
        level: u8,
        /// Its place among the subtrees of that level, from 0.
        index: u64,
    },
    /// There is no such leaf, or the old tree would be larger than the new one.
    #[error("{found} is not within the tree of {size} leaves")]
    OutOfRange {
        /// The leaf index or old size asked for.
        found: u64,
        /// The size of the tree.
        size: u64,
    },
}

/// A complete subtree's hash and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// The subtree has 2^level leaves.
    pub level: u8,
    /// Its place among the subtrees of that level, from 0.
    pub index: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The hash of a leaf: SHA-256(0x00 ‖ leaf).
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(leaf).finalize().into()
}

/// The hash of two subtrees side by side: SHA-256(0x01 ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Appends one leaf to a tree of `size` leaves: the nodes to store, the leaf's own first.
///
/// # Errors
/// [`TreeError::Missing`] when the store lacks a node.
pub fn append(size: u64, leaf_hash: Hash, nodes: &dyn Nodes) -> Result<Vec<Node>, TreeError> {
    let mut node = Node { level: 0, index: size, hash: leaf_hash };
    let mut new = vec![node];
    while node.index & 1 == 1 {
        let left = stored(nodes, node.level, node.index - 1)?;
        let hash = node_hash(&left, &node.hash);
        node = Node { level: node.level + 1, index: node.index >> 1, hash };
        new.push(node);
    }
    Ok(new)
}

/// The root of the tree of the first `size` leaves.
///
/// # Errors
/// [`TreeError::Missing`] when the store lacks a node.
pub fn root(size: u64, nodes: &dyn Nodes) -> Result<Hash, TreeError> {
    if size == 0 { Ok(EMPTY_ROOT) } else { range(0, size, nodes) }
}

/// The hashes that lead from a leaf to the root, the leaf's neighbour first (RFC 6962 §2.1.1).
///
/// # Errors
/// [`TreeError::OutOfRange`] when there is no such leaf, [`TreeError::Missing`].
pub fn inclusion_proof(index: u64, size: u64, nodes: &dyn Nodes) -> Result<Vec<Hash>, TreeError> {
    if index >= size {
        return Err(TreeError::OutOfRange { found: index, size });
    }
    let (mut begin, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            proof.push(range(middle, end, nodes)?);
            end = middle;
        } else {
            proof.push(range(begin, middle, nodes)?);
            begin = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that show that the tree of `new` leaves continues the tree of `old` leaves (RFC 6962
/// §2.1.2). Empty when either is trivial: `old` is 0 or equals `new`.
///
/// # Errors
/// [`TreeError::OutOfRange`] when `old` is above `new`, [`TreeError::Missing`].
pub fn consistency_proof(old: u64, new: u64, nodes: &dyn Nodes) -> Result<Vec<Hash>, TreeError> {
    if old > new {
        return Err(TreeError::OutOfRange { found: old, size: new });
    }
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(proof);
    }
    let (mut begin, mut end) = (0, new);
    while old != end {
        let middle = begin + split(end - begin);
        if old <= middle {
            proof.push(range(middle, end, nodes)?);
            end = middle;
        } else {
            proof.push(range(begin, middle, nodes)?);
            begin = middle;
        }
    }
    if begin > 0 {
        proof.push(range(begin, end, nodes)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that a leaf is at `index` in the tree of `size` leaves with this root (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`VerifyError::Inclusion`].
pub fn verify_inclusion(
    leaf_hash: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), VerifyError> {
    if index >= size {
        return Err(VerifyError::Inclusion);
    }
    let mut climb = Climb { node: index, last: size - 1 };
    let mut hash = *leaf_hash;
    for other in proof {
        hash = match climb.step().ok_or(VerifyError::Inclusion)? {
            Side::Left => node_hash(other, &hash),
            Side::Right => node_hash(&hash, other),
        };
    }
    if climb.last == 0 && hash == *root { Ok(()) } else { Err(VerifyError::Inclusion) }
}

/// Checks that the tree (`new` leaves, `new_root`) continues the tree (`old` leaves, `old_root`)
/// (RFC 9162 §2.1.4.2).
///
/// # Errors
/// [`VerifyError::Consistency`].
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), VerifyError> {
    let holds = if old > new {
        false
    } else if old == 0 {
        proof.is_empty() && *old_root == EMPTY_ROOT && (new > 0 || *new_root == EMPTY_ROOT)
    } else if old == new {
        proof.is_empty() && old_root == new_root
    } else {
        roots_of(old, old_root, new, proof) == Some((*old_root, *new_root))
    };
    if holds { Ok(()) } else { Err(VerifyError::Consistency) }
}

/// The two roots that a consistency proof leads to, for 0 < `old` < `new`.
fn roots_of(old: u64, old_root: &Hash, new: u64, proof: &[Hash]) -> Option<(Hash, Hash)> {
    let (first, rest) = if old.is_power_of_two() { (old_root, proof) } else { proof.split_first()? };
    let shift = old.trailing_zeros();
    let mut climb = Climb { node: (old - 1) >> shift, last: (new - 1) >> shift };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for other in rest {
        match climb.step()? {
            Side::Left => {
                old_hash = node_hash(other, &old_hash);
                new_hash = node_hash(other, &new_hash);
            }
            Side::Right => new_hash = node_hash(&new_hash, other),
        }
    }
    (climb.last == 0).then_some((old_hash, new_hash))
}

/// The way up from a node: its index at its level, and the index of the last node there.
struct Climb {
    node: u64,
    last: u64,
}

/// On which side the next hash of a proof stands.
enum Side {
    Left,
    Right,
}

impl Climb {
    /// The side of the next hash; one or more levels up. `None` at the root.
    fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.node & 1 == 1 || self.node == self.last { Side::Left } else { Side::Right };
        if matches!(side, Side::Left) && self.node & 1 == 0 {
            // The last node has no neighbour on these levels: it is carried up as it is.
            let carried = self.node.trailing_zeros();
            self.node >>= carried;
            self.last >>= carried;
        }
        self.node >>= 1;
        self.last >>= 1;
        Some(side)
    }
}

/// The root over hashes that are all at hand, such as the changes of one batch.
#[must_use]
pub fn root_of(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut peaks: Vec<(u8, Hash)> = Vec::new();
    for leaf in leaves {
        let mut peak = (0, leaf);
        while let Some((_, left)) = peaks.pop_if(|(level, _)| *level == peak.0) {
            peak = (peak.0 + 1, node_hash(&left, &peak.1));
        }
        peaks.push(peak);
    }
    let hashes = peaks.into_iter().map(|(_, hash)| hash);
    hashes.rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or(EMPTY_ROOT)
}

/// The hash over the leaves `begin..end`, at least one; `begin` is a multiple of the smallest power of
/// two that holds them.
fn range(begin: u64, end: u64, nodes: &dyn Nodes) -> Result<Hash, TreeError> {
    let count = end - begin;
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        return stored(nodes, level.to_le_bytes()[0], begin >> level);
    }
    let middle = begin + split(count);
    Ok(node_hash(&range(begin, middle, nodes)?, &range(middle, end, nodes)?))
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

fn stored(nodes: &dyn Nodes, level: u8, index: u64) -> Result<Hash, TreeError> {
    nodes.node(level, index).ok_or(TreeError::Missing { level, index })
}

#[cfg(test)]
mod tests;
