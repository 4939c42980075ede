//! The sender's part: finding out what a receiver can work out.

use std::collections::BTreeMap;

use super::template::{Known, cut, is_plain};
use super::{
    DependencyRef, DocumentRef, FOUNDED_TRIED, Name, PUTS_MAX, SpelledChange, SpelledPut, SpelledValue,
    Spelling, founded_id, zigzag,
};
use crate::change::{ActorId, Change, ChangeHash, DocumentId, DocumentKind, Value, parse};
use crate::check::answers_hash;
use crate::id::{DeviceId, VillageId};
use crate::register::{ChangeBuilder, Register, derived_id};

/// What a sender knows besides the batch.
pub trait Sender {
    /// A name of the document from a batch that the receiver has before this one.
    fn name(&self, document: DocumentId) -> Option<Name>;

    /// The hashes of all changes of the document that are here.
    fn hashes(&self, document: DocumentId) -> Vec<ChangeHash>;
}

/// Why a batch can only travel raw.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSpelled {
    /// Its bytes are not a change.
    #[error("change {0} cannot be read")]
    Malformed(usize),
    /// Its actor derives from none of the batch's openings.
    #[error("change {0} is by an actor of none of the batch's openings")]
    Actor(usize),
    /// A key holds control characters.
    #[error("change {0} has a key with control characters")]
    Key(usize),
    /// The batch has more puts than a receiver takes.
    #[error("the batch has {0} puts, the limit is {PUTS_MAX}")]
    TooManyPuts(usize),
}

/// Spells a batch for a receiver that has everything before it.
///
/// # Errors
/// [`NotSpelled`]: the batch has to travel raw.
pub fn spell(
    device: DeviceId,
    village: VillageId,
    openings: &[[u8; 8]],
    changes: &[(DocumentId, Vec<u8>)],
    sender: &dyn Sender,
) -> Result<Spelling, NotSpelled> {
    let mut spelling = Spelling { device, openings: openings.to_vec(), changes: Vec::new() };
    let actors = spelling.actors();
    let mut parsed = Vec::with_capacity(changes.len());
    for (place, (document, bytes)) in changes.iter().enumerate() {
        let (change, hash) = parse(bytes).map_err(|_| NotSpelled::Malformed(place))?;
        parsed.push((*document, change, hash));
    }
    let puts = parsed.iter().map(|(_, change, _)| change.puts.len()).sum();
    if puts > PUTS_MAX {
        return Err(NotSpelled::TooManyPuts(puts));
    }
    let desk = Desk { parsed: &parsed, documents: documents(&parsed, &actors, village, sender), sender };
    for (place, (_, change, _)) in parsed.iter().enumerate() {
        let opening = actors.iter().position(|actor| *actor == change.actor);
        let opening = opening.ok_or(NotSpelled::Actor(place))?;
        spelling.changes.push(desk.change(place, opening)?);
    }
    Ok(spelling)
}

type Parsed = (DocumentId, Change, ChangeHash);

/// How each document of the batch is named.
fn documents(
    parsed: &[Parsed],
    actors: &[ActorId],
    village: VillageId,
    sender: &dyn Sender,
) -> BTreeMap<DocumentId, DocumentRef> {
    let mut refs = BTreeMap::new();
    let mut founded: Option<BTreeMap<[u8; 16], (ActorId, u64)>> = None;
    for (document, change, _) in parsed {
        if refs.contains_key(document) {
            continue;
        }
        let named = if document.kind == DocumentKind::Village && document.id == *village.as_bytes() {
            Some(DocumentRef::Village)
        } else if let Some(name) = sender.name(*document) {
            Some(DocumentRef::Named(name))
        } else if change.dependencies.is_empty() {
            let founded = founded.get_or_insert_with(|| derivable(actors));
            let kind = document.kind;
            let found = founded.get(&document.id).copied();
            found.map(|(actor, number)| DocumentRef::Founded { kind, actor, number })
        } else {
            None
        };
        refs.insert(*document, named.unwrap_or(DocumentRef::Whole(*document)));
    }
    refs
}

/// The ids of the documents that these openings can have founded first.
fn derivable(actors: &[ActorId]) -> BTreeMap<[u8; 16], (ActorId, u64)> {
    let few = actors.iter().take(8);
    let numbers = |actor: &ActorId| {
        let actor = *actor;
        (0..FOUNDED_TRIED).map(move |number| (founded_id(actor, number), (actor, number)))
    };
    few.flat_map(numbers).collect()
}

struct Desk<'a> {
    parsed: &'a [Parsed],
    documents: BTreeMap<DocumentId, DocumentRef>,
    sender: &'a dyn Sender,
}

impl Desk<'_> {
    fn change(&self, place: usize, opening: usize) -> Result<SpelledChange, NotSpelled> {
        let Some((document, change, _)) = self.parsed.get(place) else {
            return Err(NotSpelled::Malformed(place));
        };
        let known = self.known(place, *document, change);
        let mut puts = Vec::with_capacity(change.puts.len());
        for (index, put) in change.puts.iter().enumerate() {
            if !is_plain(&put.key) {
                return Err(NotSpelled::Key(place));
            }
            let value = value(&put.value, &known, index);
            puts.push(SpelledPut { key: cut(&put.key, &known, index), value });
        }
        Ok(SpelledChange {
            document: self.documents.get(document).copied().unwrap_or(DocumentRef::Whole(*document)),
            opening,
            claimed_at: change.claimed_at,
            dependencies: self.dependencies(place, *document, change),
            puts,
        })
    }

    fn known(&self, place: usize, document: DocumentId, change: &Change) -> Known {
        let mut known = Known::default();
        for (other, (id, _, hash)) in self.parsed.iter().enumerate() {
            let step = i64::try_from(other).unwrap_or(0) - i64::try_from(place).unwrap_or(0);
            let argument = zigzag(step);
            let nearest =
                known.documents.entry(uuid::Uuid::from_bytes(id.id).to_string()).or_insert(argument);
            *nearest = argument.min(*nearest);
            if let Some(back) = place.checked_sub(other).filter(|back| *back > 0) {
                known.hashes.insert(*hash, 2 * back as u64);
            }
        }
        for (index, dependency) in change.dependencies.iter().enumerate() {
            known.hashes.insert(*dependency, 2 * index as u64 + 1);
        }
        let derived = |index| (derived_id(change.op_id(index)), index);
        known.derived = (0..change.puts.len()).map(derived).collect();
        if document.kind == DocumentKind::Check && change.dependencies.is_empty() {
            known.answers = stated_answers(change);
        }
        known
    }

    fn dependencies(&self, place: usize, document: DocumentId, change: &Change) -> Vec<DependencyRef> {
        let earlier = self.parsed.iter().take(place).rev();
        let before = earlier.filter(|(other, ..)| *other == document).map(|(.., hash)| *hash).next();
        let mut hashes = None;
        let name = |dependency: &ChangeHash| {
            if before == Some(*dependency) {
                return DependencyRef::Before;
            }
            let hashes = hashes.get_or_insert_with(|| self.sender.hashes(document));
            let shared =
                hashes.iter().filter(|other| *other != dependency).map(|other| shared(other, dependency));
            let length = (shared.max().unwrap_or(0) + 2).min(32);
            DependencyRef::Beginning(dependency.0.iter().copied().take(length).collect())
        };
        change.dependencies.iter().map(name).collect()
    }
}

/// How many first bytes two hashes share.
fn shared(one: &ChangeHash, other: &ChangeHash) -> usize {
    one.0.iter().zip(&other.0).take_while(|(one, other)| one == other).count()
}

fn value(value: &Value, known: &Known, place: usize) -> SpelledValue {
    match value {
        Value::Null => SpelledValue::Null,
        Value::Bool(yes) => SpelledValue::Bool(*yes),
        Value::Int(number) => SpelledValue::Int(*number),
        Value::Bytes(sealed) => SpelledValue::Bytes(sealed.clone()),
        Value::Text(text) if is_plain(text) => SpelledValue::Text(cut(text, known, place)),
        Value::Text(text) => SpelledValue::Literal(text.clone()),
    }
}

/// The hash of the answers at the place where a first change of a check states it.
fn stated_answers(change: &Change) -> Option<String> {
    let states = |text: &str| text.contains(r#""answers_hash":"#);
    let stated =
        change.puts.iter().position(|put| matches!(&put.value, Value::Text(text) if states(text)))?;
    let puts = change.puts.iter().take(stated).map(|put| (put.key.clone(), put.value.clone()));
    Some(answers_at(&Register::default(), change.actor, change.claimed_at, puts))
}

/// The hash of a check's answers once these puts are written.
pub(super) fn answers_at(
    register: &Register,
    actor: ActorId,
    claimed_at: i64,
    puts: impl Iterator<Item = (String, Value)>,
) -> String {
    let mut builder = ChangeBuilder::new(register, actor, claimed_at);
    for (key, value) in puts {
        builder.put(key, value);
    }
    let mut after = register.clone();
    if let Some((change, encoded)) = builder.finish() {
        after.apply(&change, encoded.hash);
    }
    answers_hash(&after)
}
