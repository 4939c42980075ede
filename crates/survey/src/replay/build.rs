//! The receiver's part: finding what the author saw, and writing each change anew.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::spell::answers_at;
use super::template::{ANSWERS, DERIVED, DOCUMENT, HASH, Text};
use super::{
    DependencyRef, DocumentRef, EXPANDED_BYTES_MAX, Name, REPLAYED_MAX, SpelledChange, SpelledValue,
    Spelling, founded_id, unzigzag,
};
use crate::change::{ActorId, Change, ChangeHash, DocumentId, OpId, Value};
use crate::gate::{Past, Refusal, register_at};
use crate::id::VillageId;
use crate::limits::{CHANGE_BYTES_MAX, CLAIMED_AT_MAX, KEY_BYTES_MAX, PREDECESSORS_MAX, VALUE_BYTES_MAX};
use crate::register::{ChangeBuilder, Register, derived_id};

/// What a receiver knows of one village.
pub trait Library {
    /// The document that a name stands for; nothing when there is none, or more than one.
    fn named(&self, name: &Name) -> Option<DocumentId>;

    /// The live values of a document; empty when there is none.
    fn register(&self, document: DocumentId) -> Register;

    /// A change that stands in the document's register.
    fn change(&self, document: DocumentId, hash: &ChangeHash) -> Option<Arc<Change>>;

    /// The changes in the document's register whose hashes begin so; two are enough.
    fn beginning_with(&self, document: DocumentId, beginning: &[u8]) -> Vec<ChangeHash>;
}

/// A change that was written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Its document.
    pub document: DocumentId,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their hash.
    pub hash: ChangeHash,
}

/// Why a batch cannot be built here. Sent raw it may well be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotBuilt {
    /// No document has that name, or more than one.
    #[error("change {0} is of a document that is not known by that name")]
    UnknownDocument(usize),
    /// A change that it stands on is not here.
    #[error("change {0} stands on a change that is not here")]
    UnknownDependency(usize),
    /// More than one change begins so.
    #[error("change {0} stands on a change whose name is not clear")]
    Ambiguous(usize),
    /// Nobody who saw what it stands on would have written it so.
    #[error("change {0} does not stand on what its author had to see")]
    Dependencies(usize),
    /// A hole of a text refers to nothing.
    #[error("change {0} has a text that refers to nothing")]
    Reference(usize),
    /// It has no put, or two of one key.
    #[error("change {0} does not put each key once")]
    Puts(usize),
    /// A time, text or change is above its limit.
    #[error("change {0} is above a limit")]
    TooLarge(usize),
    /// Too much of the past would have to be replayed.
    #[error("change {0} would cost too much to build")]
    TooCostly(usize),
}

/// Writes the changes of a batch anew.
///
/// Whether they are the ones that were signed, the root over them and the openings shows.
///
/// # Errors
/// [`NotBuilt`] with the place of the change that cannot be built.
pub fn build(spelling: &Spelling, village: VillageId, library: &dyn Library) -> Result<Vec<Built>, NotBuilt> {
    let document = |(place, change): (usize, &SpelledChange)| match change.document {
        DocumentRef::Whole(document) => Ok(document),
        DocumentRef::Founded { kind, actor, number } => {
            Ok(DocumentId { kind, id: founded_id(actor, number) })
        }
        DocumentRef::Village => Ok(DocumentId::from(village)),
        DocumentRef::Named(name) => library.named(&name).ok_or(NotBuilt::UnknownDocument(place)),
    };
    let documents = spelling.changes.iter().enumerate().map(document).collect::<Result<Vec<_>, _>>()?;
    let mut workshop = Workshop {
        library,
        actors: spelling.actors(),
        documents,
        registers: BTreeMap::new(),
        branches: BTreeMap::new(),
        made: BTreeMap::new(),
        built: Vec::new(),
        replayed: Cell::new(0),
        expanded: 0,
    };
    for change in &spelling.changes {
        let built = workshop.change(change)?;
        workshop.built.push(built);
    }
    Ok(workshop.built)
}

struct Workshop<'a> {
    library: &'a dyn Library,
    actors: Vec<ActorId>,
    documents: Vec<DocumentId>,
    /// The registers of the documents at hand, with what was built so far.
    registers: BTreeMap<DocumentId, Register>,
    /// What the author of the change built last in a document saw, and that change, where others had written
    /// meanwhile.
    branches: BTreeMap<DocumentId, Register>,
    made: BTreeMap<(DocumentId, ChangeHash), Arc<Change>>,
    built: Vec<Built>,
    replayed: Cell<usize>,
    expanded: usize,
}

/// The past of one document, those of this batch included.
struct PastOf<'a> {
    workshop: &'a Workshop<'a>,
    document: DocumentId,
}

impl Past for PastOf<'_> {
    fn change(&self, hash: &ChangeHash) -> Option<Arc<Change>> {
        let replayed = self.workshop.replayed.get() + 1;
        self.workshop.replayed.set(replayed);
        if replayed > REPLAYED_MAX {
            return None;
        }
        let made = self.workshop.made.get(&(self.document, *hash)).map(Arc::clone);
        made.or_else(|| self.workshop.library.change(self.document, hash))
    }
}

impl Workshop<'_> {
    /// The place of the change being built.
    fn place(&self) -> usize {
        self.built.len()
    }

    fn change(&mut self, spelled: &SpelledChange) -> Result<Built, NotBuilt> {
        let place = self.place();
        let document = *self.documents.get(place).ok_or(NotBuilt::UnknownDocument(place))?;
        let actor = *self.actors.get(spelled.opening).ok_or(NotBuilt::Reference(place))?;
        if !(0..=CLAIMED_AT_MAX).contains(&spelled.claimed_at) {
            return Err(NotBuilt::TooLarge(place));
        }
        let library = self.library;
        self.registers.entry(document).or_insert_with(|| library.register(document));
        let dependencies = self.dependencies(document, &spelled.dependencies)?;
        let at = self.register_at(document, &dependencies)?;
        let current = self.registers.get(&document);
        let register = at.as_ref().or(current).ok_or(NotBuilt::UnknownDocument(place))?;
        let (puts, expanded) = self.puts(spelled, actor, register, &dependencies)?;
        let mut builder = ChangeBuilder::new(register, actor, spelled.claimed_at);
        for (key, value) in puts {
            builder.put(key, value);
        }
        let (change, encoded) = builder.finish().ok_or(NotBuilt::Puts(place))?;
        if change.dependencies != dependencies {
            return Err(NotBuilt::Dependencies(place));
        }
        if encoded.bytes.len() > CHANGE_BYTES_MAX {
            return Err(NotBuilt::TooLarge(place));
        }
        self.expanded = expanded;
        self.keep(document, at, change, encoded.hash);
        Ok(Built { document, bytes: encoded.bytes, hash: encoded.hash })
    }

    fn keep(&mut self, document: DocumentId, at: Option<Register>, change: Change, hash: ChangeHash) {
        self.branches.remove(&document);
        if let Some(mut branch) = at {
            branch.apply(&change, hash);
            self.branches.insert(document, branch);
        }
        // A change that is here already, in a batch that came before, stands in the register.
        if self.library.change(document, &hash).is_none()
            && let Some(register) = self.registers.get_mut(&document)
        {
            register.apply(&change, hash);
        }
        self.made.insert((document, hash), Arc::new(change));
    }

    fn dependencies(
        &self,
        document: DocumentId,
        refs: &[DependencyRef],
    ) -> Result<Vec<ChangeHash>, NotBuilt> {
        let place = self.place();
        let mut dependencies = BTreeSet::new();
        for dependency in refs {
            let hash = match dependency {
                DependencyRef::Before => {
                    let before = self.built.iter().rev().find(|built| built.document == document);
                    before.map(|built| built.hash).ok_or(NotBuilt::UnknownDependency(place))?
                }
                DependencyRef::Beginning(bytes) => self.beginning(document, bytes)?,
            };
            dependencies.insert(hash);
        }
        Ok(dependencies.into_iter().collect())
    }

    fn beginning(&self, document: DocumentId, bytes: &[u8]) -> Result<ChangeHash, NotBuilt> {
        let place = self.place();
        let mut found: BTreeSet<ChangeHash> =
            self.library.beginning_with(document, bytes).into_iter().collect();
        let made = self.made.keys().filter(|(of, hash)| *of == document && hash.0.starts_with(bytes));
        found.extend(made.map(|(_, hash)| *hash));
        match (found.pop_first(), found.is_empty()) {
            (Some(hash), true) => Ok(hash),
            (Some(_), false) => Err(NotBuilt::Ambiguous(place)),
            (None, _) => Err(NotBuilt::UnknownDependency(place)),
        }
    }

    /// The register at the dependencies, where that is not the current one.
    fn register_at(
        &self,
        document: DocumentId,
        dependencies: &[ChangeHash],
    ) -> Result<Option<Register>, NotBuilt> {
        let stands_on = |register: &Register| {
            register.heads().iter().all(|head| dependencies.binary_search(head).is_ok())
        };
        let current = self.registers.get(&document);
        if current.is_some_and(stands_on) {
            return Ok(None);
        }
        let branch = self.branches.get(&document);
        if let Some(branch) = branch.filter(|branch| branch.heads().iter().eq(dependencies)) {
            return Ok(Some(branch.clone()));
        }
        let past = PastOf { workshop: self, document };
        register_at(dependencies, &past).map(Some).map_err(|refusal| match refusal {
            Refusal::Needs(_) if self.replayed.get() <= REPLAYED_MAX => {
                NotBuilt::UnknownDependency(self.place())
            }
            _ => NotBuilt::TooCostly(self.place()),
        })
    }

    /// The keys and values with their holes filled, and how many bytes the batch has with them.
    fn puts(
        &self,
        spelled: &SpelledChange,
        actor: ActorId,
        register: &Register,
        dependencies: &[ChangeHash],
    ) -> Result<(Vec<(String, Value)>, usize), NotBuilt> {
        let place = self.place();
        let mut filling = Filling {
            workshop: self,
            actor,
            register,
            dependencies,
            claimed_at: spelled.claimed_at,
            puts: Vec::with_capacity(spelled.puts.len()),
            answers: false,
        };
        let (mut keys, mut predecessors, mut bytes) = (BTreeSet::new(), 0, 0);
        for put in &spelled.puts {
            let key = filling.text(&put.key, KEY_BYTES_MAX)?;
            let value = filling.value(&put.value)?;
            bytes += key.len() + length(&value);
            predecessors += register.live(&key).len();
            if !keys.insert(key.clone()) || key.is_empty() {
                return Err(NotBuilt::Puts(place));
            }
            let over = bytes > CHANGE_BYTES_MAX || self.expanded + bytes > EXPANDED_BYTES_MAX;
            if over || predecessors > PREDECESSORS_MAX {
                return Err(NotBuilt::TooLarge(place));
            }
            filling.puts.push((key, value));
        }
        Ok((filling.puts, self.expanded + bytes))
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Bytes(sealed) => sealed.len(),
        Value::Null | Value::Bool(_) | Value::Int(_) => 0,
    }
}

/// The filling of the holes of one change.
struct Filling<'a> {
    workshop: &'a Workshop<'a>,
    actor: ActorId,
    register: &'a Register,
    dependencies: &'a [ChangeHash],
    claimed_at: i64,
    puts: Vec<(String, Value)>,
    /// Whether the hash of the answers was used: it is dear, and no change states it twice.
    answers: bool,
}

impl Filling<'_> {
    fn value(&mut self, value: &SpelledValue) -> Result<Value, NotBuilt> {
        Ok(match value {
            SpelledValue::Null => Value::Null,
            SpelledValue::Bool(yes) => Value::Bool(*yes),
            SpelledValue::Int(number) => Value::Int(*number),
            SpelledValue::Bytes(sealed) => Value::Bytes(sealed.clone()),
            SpelledValue::Literal(text) => Value::Text(text.clone()),
            SpelledValue::Text(text) => Value::Text(self.text(text, VALUE_BYTES_MAX)?),
        })
    }

    fn text(&mut self, text: &Text, limit: usize) -> Result<String, NotBuilt> {
        let place = self.workshop.place();
        let mut left = limit;
        let filled = text.filled(|mark, argument| {
            let filled = self.fill(mark, argument).ok_or(NotBuilt::Reference(place))?;
            left = left.checked_sub(filled.len()).ok_or(NotBuilt::TooLarge(place))?;
            Ok(filled)
        })?;
        if filled.len() > limit { Err(NotBuilt::TooLarge(place)) } else { Ok(filled) }
    }

    fn fill(&mut self, mark: u8, argument: u64) -> Option<String> {
        let place = self.workshop.place();
        match mark {
            DOCUMENT => {
                let place = place.checked_add_signed(isize::try_from(unzigzag(argument)).ok()?)?;
                let document = self.workshop.documents.get(place)?;
                Some(uuid::Uuid::from_bytes(document.id).to_string())
            }
            HASH if argument.is_multiple_of(2) => {
                let back = usize::try_from(argument / 2).ok()?;
                Some(self.workshop.built.get(place.checked_sub(back)?)?.hash.to_string())
            }
            HASH => Some(self.dependencies.get(usize::try_from(argument / 2).ok()?)?.to_string()),
            DERIVED => {
                let put = (self.puts.len() as u64).checked_sub(argument)?;
                let counter = self.register.max_op().checked_add(1)?.checked_add(put)?;
                Some(derived_id(OpId { counter, actor: self.actor }))
            }
            ANSWERS if !std::mem::replace(&mut self.answers, true) => {
                let puts = self.puts.iter().cloned();
                Some(answers_at(self.register, self.actor, self.claimed_at, puts))
            }
            _ => None,
        }
    }
}
