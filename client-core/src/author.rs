//! Writing changes: built on the document's register, judged as every receiver will judge them, stored
//! with the derived rows, and sealed into a batch as soon as one is full.

use ruhu_survey::authorise::authorise;
use ruhu_survey::change::{ActorId, Change, ChangeHash, DocumentId, Encoded};
use ruhu_survey::gate::{Refusal, admit};
use ruhu_survey::id::VillageId;
use ruhu_survey::limits::CLAIMED_AT_MAX;
use ruhu_survey::register::{ChangeBuilder, Register};
use rusqlite::Transaction;

use crate::client::Client;
use crate::env::{now_s, random};
use crate::error::Error;
use crate::identity::Identity;
use crate::store::batch::{self, Seal};
use crate::store::document::{self, Place, Stored, StoredPast};
use crate::store::{rows, village};

/// What is needed to write changes inside one transaction.
pub(crate) struct Pen<'a> {
    pub(crate) tx: &'a Transaction<'a>,
    pub(crate) identity: &'a Identity,
    pub(crate) opening: [u8; 8],
    /// The author's clock in seconds, the same for all changes of one transaction.
    pub(crate) claimed_at: i64,
}

impl Client {
    /// One transaction of writing: all changes of `work` or none; full batches are sealed at its end.
    pub(crate) fn author<T>(
        &mut self,
        village: VillageId,
        work: impl FnOnce(&Pen<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let identity = self.identity()?.clone();
        if document::is_tainted(self.store.read(), self.opening)? {
            // Whatever is written from now on must not stand on what was refused: a fresh actor.
            self.opening = random(self.environment())?;
        }
        let opening = self.opening;
        let (store, environment) = self.store_and_environment();
        let claimed_at = now_s(environment).clamp(0, CLAIMED_AT_MAX);
        store.write(|tx| {
            if !village::is_granted(tx, village)? {
                return Err(Error::UnknownVillage(village));
            }
            let pen = Pen { tx, identity: &identity, opening, claimed_at };
            let done = work(&pen)?;
            batch::seal(tx, &identity, village, environment, Seal::FullOnly)?;
            Ok(done)
        })
    }
}

impl Pen<'_> {
    /// The actor of this opening of the store.
    pub(crate) fn actor(&self) -> ActorId {
        ActorId::derive(self.identity.device(), self.opening)
    }

    /// Writes one change of one document; nothing when `build` puts nothing.
    ///
    /// # Errors
    /// What `build` gives, [`Error::NotAllowed`] when the change breaks a rule, or that the store fails.
    pub(crate) fn write<T>(
        &self,
        stored: &mut Stored,
        place: Place,
        build: impl FnOnce(&mut ChangeBuilder<'_>) -> Result<T, Error>,
    ) -> Result<(T, Option<ChangeHash>), Error> {
        let mut builder = ChangeBuilder::new(&stored.register, self.actor(), self.claimed_at);
        let built = build(&mut builder)?;
        let Some((change, encoded)) = builder.finish() else { return Ok((built, None)) };
        self.keep(stored, None, place, (&change, &encoded))?;
        Ok((built, Some(encoded.hash)))
    }

    /// Judges a change that was built on `before`, or else on what the document holds, and adds it.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] when the change breaks a rule; nothing is written then. Or that the store fails.
    pub(crate) fn keep(
        &self,
        stored: &mut Stored,
        before: Option<&Register>,
        place: Place,
        (change, encoded): (&Change, &Encoded),
    ) -> Result<(), Error> {
        let author = self.identity.author();
        let before = before.unwrap_or(&stored.register);
        authorise(stored.id, before, &stored.register, change, &author).map_err(|violation| {
            Error::NotAllowed { key: violation.key, rule: violation.rule.code().to_owned() }
        })?;
        let past = StoredPast { connection: self.tx, row: stored.row };
        admit(&encoded.bytes, &stored.register, &past).map_err(|refusal| too_much(stored.id, &refusal))?;
        document::add_own(self.tx, stored.row, encoded, self.opening, place)?;
        stored.register.apply(change, encoded.hash);
        document::save(self.tx, stored)?;
        rows::refresh(self.tx, stored)
    }
}

/// What an honest change can break is a limit.
fn too_much(id: DocumentId, refusal: &Refusal) -> Error {
    let rule = match refusal {
        Refusal::TooManyChanges => "too_many_changes",
        Refusal::Malformed(_) => "too_large",
        _ => "not_admitted",
    };
    Error::NotAllowed { key: id.to_string(), rule: rule.to_owned() }
}
