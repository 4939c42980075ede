//! Own changes that were not accepted, or stand on one that was not, written anew on what counts.
//!
//! Each is written as its author saw the document, less what does not count, so that a value that somebody
//! wrote meanwhile stays beside it as a conflict. It cites what it replaces, and the replaced change is
//! kept. What breaks a rule by itself is not written again; of a visit that did, the visit is. All of it
//! happens in the transaction that takes the verdicts in, and the store remembers it: a kill at any moment
//! repeats nothing.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::certificate::{Certificate, CertificateKind};
use ruhu_survey::change::{Change, ChangeHash, DocumentKind, Value, parse};
use ruhu_survey::entry::Entry;
use ruhu_survey::gate::register_at;
use ruhu_survey::id::{DeviceId, HouseholdId};
use ruhu_survey::reauthor::{Renamed, Replaced};
use ruhu_survey::register::ChangeBuilder;
use ruhu_survey::shown::shown;
use rusqlite::Connection;

use crate::author::Pen;
use crate::edit::Keys;
use crate::error::Error;
use crate::store::document::{self, ChangeState, Held, Place, Stored, StoredPast};
use crate::store::{batch, certificate, draft, village};

/// The rule of a change that stands on one that was not accepted.
const DEPENDS: &str = "depends_on_quarantined";
/// The rule of a change whose actor wrote the same number twice: a store that was copied while it was open.
const SEQUENCE: &str = "actor_sequence";
const REVOKED: &str = "device_revoked";
const PROVISIONAL: &str = "device_provisional";
const EXPIRED: &str = "certificate_expired";
/// Rules that keep everything apart that a key signed, whatever it says.
pub(crate) const OF_THE_KEY: [&str; 3] = [REVOKED, PROVISIONAL, EXPIRED];

/// An own change that may have to be written anew.
struct Candidate {
    document: i64,
    hash: ChangeHash,
    state: ChangeState,
    rule: String,
    together: bool,
    /// The device that signed its batch and when the server had it; `None` before it is sealed.
    sealed: Option<(DeviceId, i64)>,
}

/// What to write in the place of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anew {
    /// All of it.
    Whole,
    /// The visit that it told of: the rest broke a rule.
    VisitOnly,
}

/// Writes anew what has to be; how many changes were written.
///
/// # Errors
/// When the store fails.
pub(crate) fn run(pen: &Pen<'_>) -> Result<u64, Error> {
    let candidates = candidates(pen.tx)?;
    if candidates.is_empty() {
        return Ok(0);
    }
    set_apart(pen, &candidates)?;
    let mut desk = Desk { pen, renamed: renamed(pen, &candidates)?, last: None };
    let mut written = 0;
    for candidate in &candidates {
        written += u64::from(desk.write(candidate)?);
    }
    if written > 0 {
        desk.rename_drafts()?;
    }
    Ok(written)
}

/// Own changes without a replacement in documents of which something was not accepted, in the order in
/// which they were written.
fn candidates(connection: &Connection) -> Result<Vec<Candidate>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT c.document, c.hash, c.state, c.rule, c.together, b.device, coalesce(b.received_ms, 0)
         FROM change c LEFT JOIN batch b ON b.batch = c.batch
         WHERE c.document IN (SELECT document FROM change WHERE state <> 1 AND (state IN (3, 4, 5) OR rule <> ''))
             AND c.opening IS NOT NULL AND c.replaced_by IS NULL AND c.state IN (0, 3)
         ORDER BY c.change",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let device: Option<[u8; 16]> = row.get(5)?;
        let received_ms = row.get(6)?;
        found.push(Candidate {
            document: row.get(0)?,
            hash: ChangeHash(row.get(1)?),
            state: document::read_state(row.get(2)?)?,
            rule: row.get(3)?,
            together: row.get::<_, i64>(4)? == 1,
            sealed: device.map(|device| (DeviceId::from_bytes(device), received_ms)),
        });
    }
    Ok(found)
}

/// The present key of this device, as far as it can make something count that was kept apart.
struct Key<'a> {
    certificate: &'a Certificate,
    revoked: bool,
}

impl<'a> Key<'a> {
    fn of(pen: &Pen<'a>) -> Result<Self, Error> {
        let certificate = &pen.identity.certificate;
        let revoked = certificate::revoked_ms(pen.tx, certificate.device())?.is_some();
        Ok(Self { certificate, revoked })
    }
}

impl Candidate {
    /// Whether it was kept apart for its key alone, and the present certificate would not have kept it apart.
    fn has_a_better(&self, key: &Key<'_>) -> bool {
        let held = key.certificate;
        let Some((device, received_ms)) = self.sealed else { return false };
        let other = device != held.device();
        // Issued since, or in the same millisecond. Until when it holds says nothing: the server may know of a
        // shorter one that this device was never given.
        let renewed = received_ms <= held.from_ms;
        let mended = match self.rule.as_str() {
            PROVISIONAL => true,
            EXPIRED => other || renewed,
            REVOKED => other,
            _ => false,
        };
        held.kind == CertificateKind::Device && !key.revoked && mended
    }
}

/// Takes changes out of their documents that were left in view although they are kept apart.
fn set_apart(pen: &Pen<'_>, candidates: &[Candidate]) -> Result<(), Error> {
    let key = Key::of(pen)?;
    let mut touched = BTreeSet::new();
    let in_view = |one: &&Candidate| one.state == ChangeState::Own;
    for one in candidates.iter().filter(in_view).filter(|one| one.has_a_better(&key)) {
        document::set_state(pen.tx, one.document, one.hash, ChangeState::Quarantined, &one.rule)?;
        touched.insert(one.document);
    }
    for row in touched {
        document::rebuild(pen.tx, &mut document::by_row(pen.tx, row)?)?;
    }
    Ok(())
}

/// What earlier runs renamed, and what the present device is called in the place of.
fn renamed(pen: &Pen<'_>, candidates: &[Candidate]) -> Result<Renamed, Error> {
    let mut renamed = Renamed::default();
    let now = pen.identity.device();
    let devices = candidates.iter().filter_map(|one| one.sealed).map(|(device, _)| device);
    renamed.devices =
        devices.filter(|device| *device != now).map(|device| (device.to_string(), now.to_string())).collect();
    let mut statement = pen.tx.prepare_cached(
        "SELECT old.bytes, new.bytes FROM change old
         JOIN change new ON new.document = old.document AND new.hash = old.replaced_by
         WHERE old.replaced_by IS NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (old, new): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let (Ok((old, old_hash)), Ok((new, new_hash))) = (parse(&old), parse(&new)) else { continue };
        renamed.learn((old_hash, &old), (new_hash, &new));
    }
    Ok(renamed)
}

/// One run of writing anew.
struct Desk<'a> {
    pen: &'a Pen<'a>,
    renamed: Renamed,
    /// The change that was written last, to travel with its other half.
    last: Option<ChangeHash>,
}

impl Desk<'_> {
    /// Writes one change anew, if it has to be and can be.
    fn write(&mut self, candidate: &Candidate) -> Result<bool, Error> {
        let tx = self.pen.tx;
        let mut stored = document::by_row(tx, candidate.document)?;
        if !village::is_granted(tx, stored.village)? {
            return Ok(false);
        }
        let changes = document::changes(tx, candidate.document)?;
        let counted = document::counted(&changes);
        let Some(old) = changes.iter().find(|held| held.hash == candidate.hash) else { return Ok(false) };
        let Some((anew, rule)) = self.due(candidate, old, &counted)? else { return Ok(false) };
        let standing = Standing { changes: &changes, counted: &counted };
        if let Some(twin) = self.twin(&standing, old)? {
            document::mark_replaced(tx, candidate.document, candidate.hash, twin.hash)?;
            self.renamed.learn((old.hash, &old.change), (twin.hash, &twin.change));
            return Ok(false);
        }
        let mut onto = standing.below(old, &document::replaced(tx, candidate.document)?);
        onto.extend(stored.register.last_change(self.pen.actor()));
        if !document::apart_in_view(tx, candidate.document)?.is_disjoint(&onto) {
            // It would be kept apart again: it waits until what it stands on can be written anew.
            return Ok(false);
        }
        let past = StoredPast { connection: tx, row: candidate.document };
        let onto: Vec<ChangeHash> = onto.into_iter().collect();
        let Ok(before) = register_at(&onto, &past) else { return Ok(false) };
        let mut builder = ChangeBuilder::new(&before, self.pen.actor(), self.pen.claimed_at);
        let replaced = Replaced { change: &old.change, hash: old.hash, rule: &rule };
        let mut renamed = self.renamed.clone();
        let keys = Keys::load(tx, stored.village, household_of(&stored, old))?;
        let reseal = |from: &str, to: &str, sealed: &[u8]| {
            let sealer = keys.as_ref()?.sealer(stored.village, stored.id);
            Some(sealer.seal(to, &sealer.open(from, sealed).ok()?))
        };
        let rewritten = match anew {
            Anew::Whole => replaced.write(&mut builder, &mut renamed, &reseal),
            Anew::VisitOnly => replaced.write_visit(&mut builder, &renamed),
        };
        let (Ok(()), Some((change, encoded))) = (rewritten, builder.finish()) else { return Ok(false) };
        let place = self.place(candidate);
        match self.pen.keep(&mut stored, Some(&before), place, (&change, &encoded)) {
            Ok(()) => {}
            Err(Error::NotAllowed { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        document::mark_replaced(tx, candidate.document, candidate.hash, encoded.hash)?;
        self.renamed = renamed;
        self.renamed.changes.insert(candidate.hash, encoded.hash);
        self.last = Some(candidate.hash);
        Ok(true)
    }

    /// What another copy of this store has written in the place of a change: once is enough. Only the same
    /// person's word counts, or anybody could keep a change from being written anew.
    fn twin<'h>(&self, standing: &Standing<'h>, old: &Held) -> Result<Option<&'h Held>, Error> {
        let own = self.pen.identity.certificate.user;
        let accepted = |held: &&Held| held.state == ChangeState::Accepted && cites(&held.change, old.hash);
        for held in standing.changes.iter().filter(accepted) {
            let Some(batch) = held.batch else { continue };
            if batch::user(self.pen.tx, batch)? == own {
                return Ok(Some(held));
            }
        }
        Ok(None)
    }

    /// Whether a change has to be written anew, and by which rule it was not accepted.
    fn due(
        &self,
        candidate: &Candidate,
        old: &Held,
        counted: &BTreeSet<ChangeHash>,
    ) -> Result<Option<(Anew, String)>, Error> {
        if counted.contains(&candidate.hash) {
            return Ok(None);
        }
        let rule = candidate.rule.as_str();
        let of_the_key = OF_THE_KEY.contains(&rule);
        if candidate.state == ChangeState::Own && !of_the_key || rule == DEPENDS || rule == SEQUENCE {
            // Nothing was wrong with the change itself.
            return Ok(Some((Anew::Whole, if rule.is_empty() { DEPENDS } else { rule }.to_owned())));
        }
        if of_the_key {
            let better = candidate.has_a_better(&Key::of(self.pen)?);
            return Ok(better.then(|| (Anew::Whole, rule.to_owned())));
        }
        let visit = old.change.puts.iter().any(|put| put.key.starts_with("event/"));
        Ok(visit.then(|| (Anew::VisitOnly, rule.to_owned())))
    }

    /// A visit's two halves travel together again when both are written anew.
    fn place(&self, candidate: &Candidate) -> Place {
        let follows = candidate.together && self.last.is_some();
        if follows { Place::WithTheOneBefore } else { Place::Anywhere }
    }

    /// Answers of drafts that name a member go on naming the same person.
    fn rename_drafts(&self) -> Result<(), Error> {
        let tx = self.pen.tx;
        for (check, key) in draft::keys(tx)? {
            let now = self.renamed.key(&key);
            if now != key {
                draft::rename(tx, check, &key, &now)?;
            }
        }
        Ok(())
    }
}

/// What of a document's changes counts.
struct Standing<'a> {
    changes: &'a [Held],
    counted: &'a BTreeSet<ChangeHash>,
}

impl Standing<'_> {
    /// The changes that `old` stood on and that count; for each that does not, the one in its place and what
    /// it stood on itself.
    fn below(&self, old: &Held, replaced: &BTreeMap<ChangeHash, ChangeHash>) -> BTreeSet<ChangeHash> {
        let mut onto = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut waiting = old.change.dependencies.clone();
        while let Some(hash) = waiting.pop() {
            if !seen.insert(hash) {
                continue;
            }
            if self.counted.contains(&hash) {
                onto.insert(hash);
                continue;
            }
            waiting.extend(replaced.get(&hash));
            let found = self.changes.iter().find(|held| held.hash == hash);
            waiting.extend(found.iter().flat_map(|held| held.change.dependencies.iter().copied()));
        }
        onto
    }
}

/// Whether a change says that it stands in the place of another.
fn cites(change: &Change, replaced: ChangeHash) -> bool {
    let entries = change.puts.iter().filter(|put| put.key.starts_with("event/"));
    entries
        .filter_map(|put| Entry::from_value(&put.value).ok())
        .any(|entry| matches!(entry, Entry::Replaces(replaces) if replaces.change == replaced.to_string()))
}

/// The household whose key seals the values of a document.
fn household_of(stored: &Stored, old: &Held) -> HouseholdId {
    if stored.id.kind == DocumentKind::Household {
        return HouseholdId::from_bytes(stored.id.id);
    }
    let put = old.change.puts.iter().find(|put| put.key == "household_id").map(|put| &put.value);
    let held = shown(&stored.register, stored.id.kind, "household_id").map(|shown| &shown.op.value);
    match put.or(held) {
        Some(Value::Text(id)) => id.parse().unwrap_or(HouseholdId::from_bytes(stored.id.id)),
        _ => HouseholdId::from_bytes(stored.id.id),
    }
}
