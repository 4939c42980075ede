//! Documents in hand during one transaction: loaded once, changed, and put back with their list rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ruhu_survey::authorise::{Author, authorise};
use ruhu_survey::change::{ActorId, Change, ChangeHash, DocumentId};
use ruhu_survey::gate::{Admitted, Refusal, admit};
use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_survey::register::Register;
use rusqlite::Transaction;

use crate::error::Error;
use crate::peer::NEEDS;
use crate::store::document::{self, Stored, StoredPast};
use crate::store::rows;

/// Why a change is not applied on this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotApplied {
    /// A stable code.
    pub(crate) code: String,
}

impl NotApplied {
    fn new(code: &str) -> Self {
        Self { code: code.to_owned() }
    }
}

/// Whether the author's right to a change is judged here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    /// By this device as the server will judge it.
    Judged,
    /// By this device as the server did, which accepted it: on what the server has accepted, too.
    AsAccepted,
    /// Two named people adopted it on the server: it stands although it breaks a rule.
    Adopted,
}

/// A change to be judged again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Again<'a> {
    /// The change.
    pub(crate) bytes: &'a [u8],
    /// Whether the server accepted it.
    pub(crate) accepted: bool,
    /// Whose rights to judge, and the openings of the batch; none where the server's word stands for them.
    pub(crate) author: Option<(&'a Author, &'a [[u8; 8]])>,
}

/// The documents of one transaction.
#[derive(Debug)]
pub(crate) struct Workbench<'a> {
    tx: &'a Transaction<'a>,
    documents: BTreeMap<(VillageId, DocumentId), Stored>,
    changed: BTreeSet<(VillageId, DocumentId)>,
}

impl<'a> Workbench<'a> {
    pub(crate) fn new(tx: &'a Transaction<'a>) -> Self {
        Self { tx, documents: BTreeMap::new(), changed: BTreeSet::new() }
    }

    /// The number of a document on this device; makes the document when it is new.
    pub(crate) fn row(&mut self, village: VillageId, id: DocumentId) -> Result<i64, Error> {
        Ok(self.document(village, id)?.row)
    }

    fn document(&mut self, village: VillageId, id: DocumentId) -> Result<&mut Stored, Error> {
        use std::collections::btree_map::Entry;
        match self.documents.entry((village, id)) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => Ok(entry.insert(document::load_or_make(self.tx, village, id)?)),
        }
    }

    /// A document that was loaded or changed in this transaction.
    pub(crate) fn in_hand(&self, village: VillageId, id: DocumentId) -> Option<&Stored> {
        self.documents.get(&(village, id))
    }

    /// Judges a foreign change as every receiver does, and applies it when it passes.
    ///
    /// # Errors
    /// Only when the store fails; a change that does not pass is the inner error.
    pub(crate) fn apply(
        &mut self,
        village: VillageId,
        id: DocumentId,
        bytes: &[u8],
        author: &Author,
        rights: Rights,
        openings: &[[u8; 8]],
    ) -> Result<Result<(), NotApplied>, Error> {
        let tx = self.tx;
        self.admit(village, id, bytes, |admitted, stored| {
            if !actor_is_of(&admitted.change, author.device, openings) {
                return Ok(Err(NotApplied::new("foreign_actor")));
            }
            let judged = |on: &Register| permitted(id, admitted, &stored.register, on, author);
            match rights {
                Rights::Adopted => Ok(Ok(())),
                Rights::Judged => Ok(judged(&stored.register)),
                Rights::AsAccepted => match judged(&stored.register) {
                    Ok(()) => Ok(Ok(())),
                    Err(_) => Ok(judged(&document::accepted_register(tx, stored.row)?)),
                },
            }
        })
    }

    /// Applies a change for whose author's rights the server's signature stands.
    ///
    /// # Errors
    /// Only when the store fails; a change that does not pass the gate is the inner error.
    pub(crate) fn apply_vouched(
        &mut self,
        village: VillageId,
        id: DocumentId,
        bytes: &[u8],
    ) -> Result<Result<(), NotApplied>, Error> {
        self.admit(village, id, bytes, |_, _| Ok(Ok(())))
    }

    /// Applies a change that passes the gate and then `judge`, which is given the document as it stands.
    fn admit(
        &mut self,
        village: VillageId,
        id: DocumentId,
        bytes: &[u8],
        judge: impl FnOnce(&Admitted, &Stored) -> Result<Result<(), NotApplied>, Error>,
    ) -> Result<Result<(), NotApplied>, Error> {
        let tx = self.tx;
        let stored = self.document(village, id)?;
        let past = StoredPast { connection: tx, row: stored.row };
        let admitted = match admit(bytes, &stored.register, &past) {
            Ok(admitted) => admitted,
            Err(refusal) => return Ok(Err(NotApplied::new(code(&refusal)))),
        };
        if let Err(not_applied) = judge(&admitted, stored)? {
            return Ok(Err(not_applied));
        }
        stored.register.apply(&admitted.change, admitted.hash);
        self.changed.insert((village, id));
        Ok(Ok(()))
    }

    /// Empties a document and judges its changes again from the first, as if they came now, each after all
    /// that it stands on; what became of each.
    ///
    /// # Errors
    /// Only when the store fails.
    pub(crate) fn judge_again(
        &mut self,
        village: VillageId,
        id: DocumentId,
        changes: &[Again<'_>],
    ) -> Result<Vec<Result<(), NotApplied>>, Error> {
        let stored = self.document(village, id)?;
        stored.register = Register::default();
        let mut accepted = Register::default();
        let mut past: BTreeMap<ChangeHash, Arc<Change>> = BTreeMap::new();
        let mut became = Vec::new();
        for again in changes {
            let admitted = admit(again.bytes, &stored.register, &past);
            let judged = admitted.map_err(|refusal| NotApplied::new(code(&refusal))).and_then(|admitted| {
                let permitted =
                    |on: &Register, author| permitted(id, &admitted, &stored.register, on, author);
                match again.author {
                    None => Ok(admitted),
                    Some((author, openings)) if !actor_is_of(&admitted.change, author.device, openings) => {
                        Err(NotApplied::new("foreign_actor"))
                    }
                    Some((author, _)) => permitted(&stored.register, author)
                        .or_else(|_| permitted(&accepted, author))
                        .map(|()| admitted),
                }
            });
            became.push(judged.map(|admitted| {
                stored.register.apply(&admitted.change, admitted.hash);
                if again.accepted {
                    accepted.apply(&admitted.change, admitted.hash);
                }
                past.insert(admitted.hash, Arc::new(admitted.change));
            }));
        }
        self.changed.insert((village, id));
        Ok(became)
    }

    /// Replays a document from its changes, after the standing of some of them changed.
    pub(crate) fn rebuild(&mut self, village: VillageId, id: DocumentId) -> Result<(), Error> {
        let tx = self.tx;
        let stored = self.document(village, id)?;
        document::rebuild(tx, stored)?;
        self.changed.insert((village, id));
        Ok(())
    }

    /// Writes back every document that changed, with its row in the lists.
    pub(crate) fn finish(self) -> Result<(), Error> {
        for key in &self.changed {
            if let Some(stored) = self.documents.get(key) {
                document::save(self.tx, stored)?;
                rows::refresh(self.tx, stored)?;
            }
        }
        Ok(())
    }
}

/// Whether an author may make a change of a document that holds `current`, judged on what `on` holds: all
/// of it, or what the server has accepted.
fn permitted(
    id: DocumentId,
    admitted: &Admitted,
    current: &Register,
    on: &Register,
    author: &Author,
) -> Result<(), NotApplied> {
    let before = admitted.before.as_ref().unwrap_or(current);
    authorise(id, before, on, &admitted.change, author)
        .map_err(|violation| NotApplied::new(violation.rule.code()))
}

fn actor_is_of(change: &Change, device: DeviceId, openings: &[[u8; 8]]) -> bool {
    openings.iter().any(|opening| ActorId::derive(device, *opening) == change.actor)
}

/// The stable code of a refusal by the gate.
fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed(_) => "malformed",
        Refusal::Needs(_) => NEEDS,
        Refusal::Duplicate => "duplicate",
        Refusal::Sequence { .. } => "sequence",
        Refusal::NotAsBuilt(_) => "not_as_built",
        Refusal::TooManyChanges => "too_many_changes",
    }
}

/// A change's name in a message.
pub(crate) fn name(id: DocumentId, hash: ChangeHash) -> String {
    format!("{id} {hash}")
}
