//! The live values of a document: what every key holds after a set of changes, conflicts kept.
//!
//! A register is what Automerge calls the visible operations of a flat map, and equal to them in every
//! order, op id and value (`tests/oracle.rs`). It is a pure function of its changes, in whatever causal
//! order they are applied. [`ChangeBuilder`] writes the next change onto one.

mod recent;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sha2::{Digest, Sha256};

pub use recent::Recent;

use crate::change::{ActorId, Change, ChangeHash, Encoded, OpId, Put, Value, encode};
use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// A value that no other has taken the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOp {
    /// The put that wrote it.
    pub id: OpId,
    /// What it wrote.
    pub value: Value,
    /// The change that holds the put.
    pub change: ChangeHash,
    /// How many settlements of this key it stands on, its own change's included: the highest of its
    /// predecessors', and one more when its change settles the key ([`settled_fields`]).
    pub settled: u32,
}

/// What a register knows of one key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Slot {
    /// Ascending by op id.
    live: Vec<LiveOp>,
    /// How many settlements each replaced put stood on, where any: two people can replace the same settled
    /// value, and the one whose change arrives second stands on it no less.
    replaced: BTreeMap<OpId, u32>,
}

/// The live values of a document at its heads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Register {
    keys: BTreeMap<String, Slot>,
    heads: BTreeSet<ChangeHash>,
    actors: BTreeMap<ActorId, (u64, ChangeHash)>,
    max_op: u64,
    change_count: u64,
}

impl Register {
    /// The changes that no other stands on.
    #[must_use]
    pub fn heads(&self) -> &BTreeSet<ChangeHash> {
        &self.heads
    }

    /// Whether the document has no change yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.change_count == 0
    }

    /// How many changes were applied.
    #[must_use]
    pub fn change_count(&self) -> u64 {
        self.change_count
    }

    /// How many keys have values.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// The highest operation number, 0 in an empty document.
    #[must_use]
    pub fn max_op(&self) -> u64 {
        self.max_op
    }

    /// The number of the actor's last change, 0 when it wrote none.
    #[must_use]
    pub fn sequence(&self, actor: ActorId) -> u64 {
        self.actors.get(&actor).map_or(0, |(sequence, _)| *sequence)
    }

    /// The actor's last change.
    #[must_use]
    pub fn last_change(&self, actor: ActorId) -> Option<ChangeHash> {
        self.actors.get(&actor).map(|(_, last)| *last)
    }

    /// The values of a key, ascending by op id; more than one when people wrote it without having seen
    /// each other, none when nobody wrote it.
    #[must_use]
    pub fn live(&self, key: &str) -> &[LiveOp] {
        self.keys.get(key).map_or(&[], |slot| slot.live.as_slice())
    }

    /// Every key and its values, ascending by key.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &[LiveOp])> {
        self.keys.iter().map(|(key, slot)| (key.as_str(), slot.live.as_slice()))
    }

    /// The keys that begin with `prefix` and their values, ascending by key.
    pub fn keys_under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [LiveOp])> {
        self.keys
            .range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, slot)| (key.as_str(), slot.live.as_slice()))
    }

    /// Applies a change that was admitted ([`crate::gate::admit`]) or built here ([`ChangeBuilder`]),
    /// after all that it stands on, once.
    pub fn apply(&mut self, change: &Change, hash: ChangeHash) {
        let settled = settled_fields(change);
        for (index, put) in change.puts.iter().enumerate() {
            let steps = u32::from(settled.contains(&put.key));
            self.put(put, change.op_id(index), hash, steps);
        }
        for dependency in &change.dependencies {
            self.heads.remove(dependency);
        }
        self.heads.insert(hash);
        self.actors.insert(change.actor, (change.sequence, hash));
        self.max_op = self.max_op.max(change.max_op());
        self.change_count += 1;
    }

    fn put(&mut self, put: &Put, id: OpId, change: ChangeHash, steps: u32) {
        if !self.keys.contains_key(&put.key) {
            self.keys.insert(put.key.clone(), Slot::default());
        }
        let Some(Slot { live, replaced }) = self.keys.get_mut(&put.key) else { return };
        for op in live.extract_if(.., |op| put.predecessors.binary_search(&op.id).is_ok()) {
            if op.settled > 0 {
                replaced.insert(op.id, op.settled);
            }
        }
        let seen = put.predecessors.iter().filter_map(|id| replaced.get(id)).max().copied().unwrap_or(0);
        let op = LiveOp { id, value: put.value.clone(), change, settled: seen.saturating_add(steps) };
        let place = live.partition_point(|other| other.id < id);
        live.insert(place, op);
    }
}

/// The keys that a change settles: the `field` of each of its `event/<id>` puts whose value is an entry
/// of kind `settle`.
#[must_use]
pub fn settled_fields(change: &Change) -> BTreeSet<String> {
    change.puts.iter().filter_map(settled_field).collect()
}

fn settled_field(put: &Put) -> Option<String> {
    /// The two fields of an entry that this reads.
    #[derive(Deserialize)]
    struct Settle {
        kind: String,
        field: String,
    }
    let (Some(id), Value::Text(text)) = (put.key.strip_prefix("event/"), &put.value) else { return None };
    if id.contains('/') || !text.contains(r#""kind":"settle""#) {
        return None;
    }
    let entry: Settle = serde_json::from_str(text).ok()?;
    (entry.kind == "settle").then_some(entry.field)
}

/// The id of an entry or a member that comes into being with a put: 16 letters and digits.
///
/// The lower-case base32 form of the first 10 bytes of SHA-256("ruhu/id/1" ‖ actor ‖ counter), the
/// counter big-endian. It collides with nobody's and needs no room of its own in a change.
#[must_use]
pub fn derived_id(op: OpId) -> String {
    let mut hash = Sha256::new();
    hash.update(b"ruhu/id/1");
    hash.update(op.actor.0);
    hash.update(op.counter.to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    data_encoding::BASE32_NOPAD.encode(digest.split_at(10).0).to_ascii_lowercase()
}

/// Writes the next change of a document.
///
/// It stands on the register's heads, and on the actor's own last change even where that is not a head.
/// Every put names every live value of its key as predecessor, also when the value stays the same: a
/// value kept or confirmed is an ordinary put. The builder sets no limits: whoever writes for a person
/// lets [`crate::gate::admit`] judge the result, as every receiver will.
#[derive(Debug, Clone)]
pub struct ChangeBuilder<'a> {
    register: &'a Register,
    actor: ActorId,
    claimed_at: i64,
    puts: BTreeMap<String, (usize, Value)>,
}

impl<'a> ChangeBuilder<'a> {
    /// A change by `actor` onto all that `register` holds; `claimed_at` is the author's clock in seconds
    /// since 1970.
    #[must_use]
    pub fn new(register: &'a Register, actor: ActorId, claimed_at: i64) -> Self {
        Self { register, actor, claimed_at, puts: BTreeMap::new() }
    }

    /// The register that the change is written onto.
    #[must_use]
    pub fn register(&self) -> &'a Register {
        self.register
    }

    /// The op id that the next put of a key not yet put will have, to derive an id from.
    #[must_use]
    pub fn next_op(&self) -> OpId {
        OpId { counter: self.register.max_op + 1 + self.puts.len() as u64, actor: self.actor }
    }

    /// Puts a value; a second put of a key takes the place of the first, where it stands.
    pub fn put(&mut self, key: impl Into<String>, value: Value) -> &mut Self {
        let next = self.puts.len();
        self.puts.entry(key.into()).or_insert((next, Value::Null)).1 = value;
        self
    }

    /// Whether nothing was put yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty()
    }

    /// The change and its bytes, or nothing when nothing was put.
    #[must_use]
    pub fn finish(self) -> Option<(Change, Encoded)> {
        if self.puts.is_empty() {
            return None;
        }
        let change = self.into_change();
        let encoded = encode(&change);
        Some((change, encoded))
    }

    /// The change, not encoded; it may be without puts.
    pub(crate) fn into_change(self) -> Change {
        let Self { register, actor, claimed_at, puts } = self;
        let mut dependencies = register.heads.clone();
        dependencies.extend(register.last_change(actor));
        let mut ordered: Vec<(usize, Put)> = puts
            .into_iter()
            .map(|(key, (place, value))| {
                let predecessors = register.live(&key).iter().map(|op| op.id).collect();
                (place, Put { key, value, predecessors })
            })
            .collect();
        ordered.sort_unstable_by_key(|(place, _)| *place);
        Change {
            dependencies: dependencies.into_iter().collect(),
            actor,
            sequence: register.sequence(actor) + 1,
            start_op: register.max_op + 1,
            claimed_at,
            puts: ordered.into_iter().map(|(_, put)| put).collect(),
        }
    }
}

/// The version of the byte form of a register.
const VERSION: u8 = 1;

impl Register {
    /// The register as bytes, for the derived state of a document.
    ///
    /// Version, highest operation number, number of changes; the hashes named anywhere, ascending; the heads
    /// and the actors with sequence number and last change (hashes as places in that list); then per key its
    /// values (counter, place of the actor, place of the change, settled, value) and its replaced settled
    /// puts (counter, place of the actor, settled).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let hashes: Vec<ChangeHash> = self.hashes().into_iter().collect();
        let actors: Vec<&ActorId> = self.actors.keys().collect();
        let place = |hash: &ChangeHash| match hashes.binary_search(hash) {
            Ok(place) | Err(place) => place as u64,
        };
        let mut writer = Writer::new();
        writer.u8(VERSION).varint(self.max_op).varint(self.change_count);
        writer.varint(hashes.len() as u64);
        for hash in &hashes {
            writer.raw(&hash.0);
        }
        writer.varint(self.heads.len() as u64);
        for head in &self.heads {
            writer.varint(place(head));
        }
        writer.varint(self.actors.len() as u64);
        for (actor, (sequence, last)) in &self.actors {
            writer.raw(&actor.0).varint(*sequence).varint(place(last));
        }
        writer.varint(self.keys.len() as u64);
        for (key, slot) in &self.keys {
            writer.text(key).varint(slot.live.len() as u64);
            for op in &slot.live {
                write_id(&mut writer, &op.id, &actors);
                writer.varint(place(&op.change)).varint(u64::from(op.settled));
                write_value(&mut writer, &op.value);
            }
            writer.varint(slot.replaced.len() as u64);
            for (id, settled) in &slot.replaced {
                write_id(&mut writer, id, &actors);
                writer.varint(u64::from(*settled));
            }
        }
        writer.finish()
    }

    /// Every change hash that the register names.
    fn hashes(&self) -> BTreeSet<ChangeHash> {
        let live = self.keys.values().flat_map(|slot| &slot.live).map(|op| op.change);
        let last = self.actors.values().map(|(_, last)| *last);
        self.heads.iter().copied().chain(last).chain(live).collect()
    }

    /// Reads what [`Register::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are not such, or not the only form of their register.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Err(CodecError::Unknown("the version of a register"));
        }
        let (max_op, change_count) = (reader.varint()?, reader.varint()?);
        let hashes = read_list(&mut reader, "the changes", |reader| Ok(ChangeHash(reader.array()?)))?;
        ascending(&hashes, |hash| *hash)?;
        let heads = read_list(&mut reader, "the heads", |reader| pick(reader, &hashes))?;
        ascending(&heads, |head| *head)?;
        let actors = read_list(&mut reader, "the actors", |reader| {
            Ok((ActorId(reader.array()?), (reader.varint()?, pick(reader, &hashes)?)))
        })?;
        ascending(&actors, |(actor, _)| *actor)?;
        let known: Vec<ActorId> = actors.iter().map(|(actor, _)| *actor).collect();
        let keys = read_list(&mut reader, "the keys", |reader| {
            let key = reader.text("a key", KEY_BYTES_MAX)?.to_owned();
            Ok((key, read_slot(reader, &known, &hashes)?))
        })?;
        if !keys.is_sorted_by(|a: &(String, Slot), b| a.0 < b.0) {
            return Err(CodecError::Unknown("an order"));
        }
        reader.end()?;
        let (keys, heads) = (keys.into_iter().collect(), heads.into_iter().collect());
        let register = Self { keys, heads, actors: actors.into_iter().collect(), max_op, change_count };
        let unused = register.hashes().len() != hashes.len();
        if unused { Err(CodecError::Unknown("a change that nothing names")) } else { Ok(register) }
    }
}

fn read_list<'a, T>(
    reader: &mut Reader<'a>,
    what: &'static str,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, CodecError>,
) -> Result<Vec<T>, CodecError> {
    let count = reader.count(what, reader.left())?;
    (0..count).map(|_| read(reader)).collect()
}

fn ascending<T, K: PartialOrd>(items: &[T], key: impl Fn(&T) -> K) -> Result<(), CodecError> {
    let sorted = items.is_sorted_by(|a, b| key(a) < key(b));
    if sorted { Ok(()) } else { Err(CodecError::Unknown("an order")) }
}

fn pick<T: Copy>(reader: &mut Reader<'_>, table: &[T]) -> Result<T, CodecError> {
    let place = usize::try_from(reader.varint()?).map_err(|_| CodecError::Number)?;
    table.get(place).copied().ok_or(CodecError::Unknown("a place in a table"))
}

fn read_slot(reader: &mut Reader<'_>, actors: &[ActorId], hashes: &[ChangeHash]) -> Result<Slot, CodecError> {
    let live = read_list(reader, "the values", |reader| {
        let (id, change) = (read_id(reader, actors)?, pick(reader, hashes)?);
        Ok(LiveOp { id, change, settled: read_settled(reader)?, value: read_value(reader)? })
    })?;
    ascending(&live, |op| op.id)?;
    if live.is_empty() {
        return Err(CodecError::Unknown("a key without a value"));
    }
    let replaced = read_list(reader, "the replaced values", |reader| {
        Ok((read_id(reader, actors)?, read_settled(reader)?))
    })?;
    ascending(&replaced, |(id, _)| *id)?;
    if replaced.iter().any(|(_, settled)| *settled == 0) {
        return Err(CodecError::Unknown("a replaced value without a settlement"));
    }
    Ok(Slot { live, replaced: replaced.into_iter().collect() })
}

fn read_settled(reader: &mut Reader<'_>) -> Result<u32, CodecError> {
    u32::try_from(reader.varint()?).map_err(|_| CodecError::Number)
}

fn write_id(writer: &mut Writer, id: &OpId, actors: &[&ActorId]) {
    let (Ok(place) | Err(place)) = actors.binary_search(&&id.actor);
    writer.varint(id.counter).varint(place as u64);
}

fn read_id(reader: &mut Reader<'_>, actors: &[ActorId]) -> Result<OpId, CodecError> {
    Ok(OpId { counter: reader.varint()?, actor: pick(reader, actors)? })
}

fn write_value(writer: &mut Writer, value: &Value) {
    match value {
        Value::Null => writer.u8(0),
        Value::Bool(false) => writer.u8(1),
        Value::Bool(true) => writer.u8(2),
        Value::Int(number) => writer.u8(3).i64(*number),
        Value::Text(text) => writer.u8(4).text(text),
        Value::Bytes(bytes) => writer.u8(5).bytes(bytes),
    };
}

fn read_value(reader: &mut Reader<'_>) -> Result<Value, CodecError> {
    match reader.u8()? {
        0 => Ok(Value::Null),
        1 => Ok(Value::Bool(false)),
        2 => Ok(Value::Bool(true)),
        3 => Ok(Value::Int(reader.i64()?)),
        4 => Ok(Value::Text(reader.text("a text", VALUE_BYTES_MAX)?.to_owned())),
        5 => Ok(Value::Bytes(reader.bytes("a sealed value", VALUE_BYTES_MAX)?.to_vec())),
        _ => Err(CodecError::Unknown("the type of a value")),
    }
}

#[cfg(test)]
mod tests;
