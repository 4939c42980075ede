//! Writes a change as the chunk that Automerge would store for it, byte for byte.

use sha2::{Digest, Sha256};

use super::columns::Columns;
use super::leb::{write_signed, write_unsigned};
use super::{ActorId, Change, ChangeHash};

/// The first four bytes of every chunk.
pub(super) const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// The chunk type of an uncompressed change, the only one that is written or read.
pub(super) const CHUNK_CHANGE: u8 = 1;

/// The bytes of a change and their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The chunk.
    pub bytes: Vec<u8>,
    /// SHA-256 of the chunk after its checksum.
    pub hash: ChangeHash,
}

/// Encodes a change: magic, checksum (the first four bytes of the hash), type, length, body.
#[must_use]
pub fn encode(change: &Change) -> Encoded {
    let body = body(change);
    let mut bytes = Vec::with_capacity(body.len() + 16);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[0; 4]);
    bytes.push(CHUNK_CHANGE);
    write_unsigned(&mut bytes, body.len() as u64);
    bytes.extend_from_slice(&body);
    let (frame, hashed) = bytes.split_at_mut(8);
    let hash: [u8; 32] = Sha256::digest(hashed).into();
    frame.split_at_mut(4).1.copy_from_slice(hash.split_at(4).0);
    Encoded { bytes, hash: ChangeHash(hash) }
}

fn body(change: &Change) -> Vec<u8> {
    let others = other_actors(change);
    let columns = Columns::of(change, &others);
    let mut body = Vec::with_capacity(256 + columns.len());
    write_unsigned(&mut body, change.dependencies.len() as u64);
    for dependency in &change.dependencies {
        body.extend_from_slice(&dependency.0);
    }
    write_actor(&mut body, &change.actor);
    write_unsigned(&mut body, change.sequence);
    write_unsigned(&mut body, change.start_op);
    write_signed(&mut body, change.claimed_at);
    write_unsigned(&mut body, 0); // no message
    write_unsigned(&mut body, others.len() as u64);
    for actor in &others {
        write_actor(&mut body, actor);
    }
    columns.write(&mut body);
    body
}

fn write_actor(body: &mut Vec<u8>, actor: &ActorId) {
    write_unsigned(body, actor.0.len() as u64);
    body.extend_from_slice(&actor.0);
}

/// The actors that occur in predecessors, besides the change's own, ascending.
fn other_actors(change: &Change) -> Vec<ActorId> {
    let mut others: Vec<ActorId> = change
        .puts
        .iter()
        .flat_map(|put| &put.predecessors)
        .map(|id| id.actor)
        .filter(|actor| *actor != change.actor)
        .collect();
    others.sort_unstable();
    others.dedup();
    others
}

/// The number that stands for an actor in a column: 0 for the change's own, then the table's order.
pub(super) fn actor_index(own: ActorId, others: &[ActorId], actor: ActorId) -> u64 {
    if actor == own {
        return 0;
    }
    let (Ok(place) | Err(place)) = others.binary_search(&actor);
    place as u64 + 1
}
