//! Hostile batches of replay streams made from honest ones, and the loop that feeds them to the reader, the
//! builder and the gate.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ruhu_survey::belt;
use ruhu_survey::change::{ChangeHash, DocumentId};
use ruhu_survey::codec::{Reader, Writer};
use ruhu_survey::gate::{Refusal, admit};
use ruhu_survey::id::DeviceId;
use ruhu_survey::limits::{CLAIMED_AT_MAX, OPS_MAX};
use ruhu_survey::replay::{
    Built, DependencyRef, DocumentRef, Name, NotBuilt, SpelledChange, SpelledValue, Spelling, Tables, build,
    spell,
};

use super::{Held, Sent, Store, VILLAGE, Village};
use crate::history::Rng;
use crate::timing::timed;

/// What became of the batches.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cases: u64,
    /// Equal to the honest batch.
    pub(crate) identical: u64,
    pub(crate) refused: BTreeMap<&'static str, u64>,
    /// Changes of batches that were built.
    pub(crate) built: u64,
    /// Of those, changes that the gate let through.
    pub(crate) accepted: u64,
    /// Changes that were built and the gate refused, by why.
    pub(crate) turned_away: BTreeMap<&'static str, u64>,
    /// Documents that Automerge could not apply, save and load.
    pub(crate) belt_failures: Vec<String>,
    pub(crate) panics: u64,
    pub(crate) total: Duration,
    pub(crate) worst: Duration,
}

/// A receiver, and honest batches that could come next.
struct Target {
    store: Store,
    tables: Tables,
    seeds: Vec<(Sent, Spelling)>,
}

impl Target {
    fn random(rng: &mut Rng) -> Self {
        let mut village = Village::new(rng);
        let before = 10 + rng.below(30);
        while village.batches.len() < before + 12 {
            village.step(rng);
        }
        let first = village.devices[0].id;
        let (mut store, mut tables) = (Store::default(), Tables::new(first));
        let mut seeds = Vec::new();
        for (place, sent) in village.batches.iter().enumerate() {
            let spelling = spell(sent.device, VILLAGE, &sent.openings, &sent.changes, &store).unwrap();
            // Later ones stand on others that the receiver lacks: those are part of the cases.
            if place < before {
                let bytes = tables.write(&spelling);
                store.take(sent);
                assert!(!bytes.is_empty());
            } else {
                seeds.push((sent.clone(), spelling));
            }
        }
        Self { store, tables, seeds }
    }

    /// One hostile relative of an honest batch, as columns.
    fn mutant(&self, rng: &mut Rng) -> (DeviceId, Vec<u8>, &Sent) {
        let (sent, honest) = &self.seeds[rng.below(self.seeds.len())];
        let mut tables = self.tables.clone();
        let bytes = match rng.below(10) {
            0..6 => {
                let mut spelling = honest.clone();
                for _ in 0..=rng.below(3) {
                    self.spoil(rng, &mut spelling);
                }
                tables.write(&spelling)
            }
            6..8 => spoil_column(rng, &tables.write(honest)),
            _ => spoil_bytes(rng, tables.write(honest)),
        };
        let device = if rng.chance(3) { DeviceId::from_bytes(rng.actor().0) } else { sent.device };
        (device, bytes, sent)
    }

    fn spoil(&self, rng: &mut Rng, spelling: &mut Spelling) {
        let count = spelling.changes.len();
        let (place, other) = (rng.below(count), rng.below(count));
        match rng.below(12) {
            0 => spelling.changes.swap(place, other),
            1 if count < 90 => spelling.changes.push(spelling.changes[place].clone()),
            2 if count > 1 => {
                spelling.changes.remove(place);
            }
            3 => spelling.changes[place].document = self.document(rng, spelling, other),
            4 => spelling.changes[place].opening = rng.below(spelling.openings.len() + 1),
            5 => spelling.changes[place].claimed_at = time(rng),
            6 => spelling.openings.push(rng.next().to_be_bytes()),
            7 | 8 => self.spoil_dependencies(rng, &mut spelling.changes[place].dependencies),
            _ => spoil_puts(rng, &mut spelling.changes, place, other),
        }
    }

    fn document(&self, rng: &mut Rng, spelling: &Spelling, other: usize) -> DocumentRef {
        match rng.below(5) {
            0 => spelling.changes[other].document,
            1 => DocumentRef::Village,
            2 => {
                let number = [0, 1, rng.next() >> rng.below(64), u64::MAX][rng.below(4)];
                DocumentRef::Named(Name { device: self.seeds[rng.below(self.seeds.len())].0.device, number })
            }
            3 => {
                let (kind, actor) = (ruhu_survey::change::DocumentKind::Check, rng.actor());
                DocumentRef::Founded { kind, actor, number: rng.next() }
            }
            _ => {
                let documents: Vec<&DocumentId> = self.store.documents.keys().collect();
                DocumentRef::Whole(*documents[rng.below(documents.len())])
            }
        }
    }

    fn spoil_dependencies(&self, rng: &mut Rng, dependencies: &mut Vec<DependencyRef>) {
        let place = rng.below(dependencies.len().max(1));
        match rng.below(6) {
            0 => dependencies.clear(),
            1 => dependencies.truncate(place),
            2 => dependencies.push(DependencyRef::Before),
            3 => dependencies.push(DependencyRef::Beginning(rng.next().to_be_bytes().to_vec())),
            4 if !dependencies.is_empty() => dependencies.push(dependencies[place].clone()),
            _ => {
                let held: Vec<&Held> = self.store.documents.values().collect();
                let past = &held[rng.below(held.len())].past;
                let hash = past.keys().nth(rng.below(past.len())).unwrap();
                let length = 2 + rng.below(3);
                dependencies.push(DependencyRef::Beginning(hash.0[..length].to_vec()));
            }
        }
    }
}

fn time(rng: &mut Rng) -> i64 {
    [i64::MIN, -1, 0, 1, CLAIMED_AT_MAX, CLAIMED_AT_MAX + 1, i64::MAX, rng.next().cast_signed()][rng.below(8)]
}

fn spoil_puts(rng: &mut Rng, changes: &mut [SpelledChange], place: usize, other: usize) {
    let donor = changes[other].puts.clone();
    let puts = &mut changes[place].puts;
    let at = rng.below(puts.len().max(1));
    match rng.below(9) {
        0 => puts.clear(),
        1 => puts.extend(donor),
        2 if !puts.is_empty() => puts.push(puts[at].clone()),
        3 if !puts.is_empty() => puts.reverse(),
        4 if !puts.is_empty() => puts[at].value = SpelledValue::Int(rng.next().cast_signed()),
        5 if !puts.is_empty() => puts[at].value = SpelledValue::Bytes(vec![7; rng.below(8_200)]),
        6 if !puts.is_empty() => puts[at].value = SpelledValue::Literal("x".repeat(rng.below(8_200))),
        7 if !puts.is_empty() && !donor.is_empty() => {
            puts[at].value = donor[rng.below(donor.len())].value.clone();
        }
        _ if !puts.is_empty() && !donor.is_empty() => {
            puts[at].key = donor[rng.below(donor.len())].key.clone();
            while rng.chance(2) && puts.len() < OPS_MAX {
                puts.extend(puts.clone());
            }
        }
        _ => {}
    }
}

/// Spoils one column and keeps the others where they are.
fn spoil_column(rng: &mut Rng, bytes: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(bytes);
    let mut columns = Vec::new();
    while reader.left() > 0 {
        columns.push(reader.bytes("a column", usize::MAX).unwrap().to_vec());
    }
    let (place, other) = (rng.below(columns.len()), rng.below(columns.len()));
    match rng.below(6) {
        0 => columns.swap(place, other),
        1 => columns[place] = columns[other].clone(),
        2 => columns[place].clear(),
        3 => columns[place].extend([0xff, 0xff, 0xff, 0xff, 0x0f]),
        _ => columns[place] = spoil_bytes(rng, columns[place].clone()),
    }
    let mut writer = Writer::new();
    columns.iter().for_each(|column| {
        writer.bytes(column);
    });
    writer.finish()
}

fn spoil_bytes(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match rng.below(6) {
            _ if bytes.is_empty() => bytes.push(rng.next().to_be_bytes()[0]),
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = rng.next().to_be_bytes()[0],
            2 => bytes.insert(at, rng.next().to_be_bytes()[0]),
            3 => {
                bytes.remove(at);
            }
            4 => bytes[at] = [0x00, 0x01, 0x04, 0x7f, 0x80, 0xff][rng.below(6)],
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn not_built(why: &NotBuilt) -> &'static str {
    match why {
        NotBuilt::UnknownDocument(_) => "unknown document",
        NotBuilt::UnknownDependency(_) => "unknown dependency",
        NotBuilt::Ambiguous(_) => "ambiguous",
        NotBuilt::Dependencies(_) => "dependencies",
        NotBuilt::Reference(_) => "reference",
        NotBuilt::Puts(_) => "puts",
        NotBuilt::TooLarge(_) => "too large",
        NotBuilt::TooCostly(_) => "too costly",
    }
}

fn turned_away(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed(_) => "malformed",
        Refusal::Needs(_) => "needs",
        Refusal::Duplicate => "duplicate",
        Refusal::Sequence { .. } => "sequence",
        Refusal::NotAsBuilt(_) => "not as built",
        Refusal::TooManyChanges => "too many changes",
    }
}

type Judged = Result<(Vec<Built>, Vec<Result<ChangeHash, Refusal>>), &'static str>;

/// Reads, builds, and lets the gate judge every change as a server would, one after the other.
fn judge(target: &Target, device: DeviceId, bytes: &[u8]) -> (Judged, BTreeMap<DocumentId, Held>) {
    let mut touched: BTreeMap<DocumentId, Held> = BTreeMap::new();
    let Ok(spelling) = target.tables.clone().read(device, bytes) else { return (Err("unreadable"), touched) };
    let built = match build(&spelling, VILLAGE, &target.store) {
        Ok(built) => built,
        Err(why) => return (Err(not_built(&why)), touched),
    };
    let mut verdicts = Vec::new();
    for one in &built {
        let known = || target.store.documents.get(&one.document).cloned().unwrap_or_default();
        let held = touched.entry(one.document).or_insert_with(known);
        verdicts.push(match admit(&one.bytes, &held.register, &held.past) {
            Ok(admitted) => {
                held.register.apply(&admitted.change, admitted.hash);
                held.past.insert(admitted.hash, Arc::new(admitted.change));
                held.raw.push(one.bytes.clone());
                Ok(admitted.hash)
            }
            Err(refusal) => Err(refusal),
        });
    }
    (Ok((built, verdicts)), touched)
}

/// Feeds `cases` hostile batches to a receiver, a fresh one every 500; each document in which a change was let
/// through is worn by the belt.
pub(crate) fn hostile(cases: u64, seed: u64) -> Tally {
    let mut rng = Rng::new(seed);
    let mut target = Target::random(&mut rng);
    let mut tally = Tally::default();
    while tally.cases < cases {
        tally.cases += 1;
        if tally.cases.is_multiple_of(500) {
            target = Target::random(&mut rng);
        }
        let (device, bytes, sent) = target.mutant(&mut rng);
        let (outcome, took) =
            timed(tally.worst, || catch_unwind(AssertUnwindSafe(|| judge(&target, device, &bytes))));
        tally.total += took;
        tally.worst = tally.worst.max(took);
        let Ok((judged, touched)) = outcome else {
            tally.panics += 1;
            continue;
        };
        match judged {
            Err(why) => *tally.refused.entry(why).or_default() += 1,
            Ok((built, verdicts)) => {
                let same = |(one, (document, bytes)): (&Built, &(DocumentId, Vec<u8>))| {
                    one.document == *document && one.bytes == *bytes
                };
                let identical =
                    built.len() == sent.changes.len() && built.iter().zip(&sent.changes).all(same);
                tally.identical += u64::from(identical);
                count(&mut tally, &verdicts);
                if !identical && verdicts.iter().any(Result::is_ok) {
                    wear(&mut tally, &touched);
                }
            }
        }
    }
    tally
}

fn count(tally: &mut Tally, verdicts: &[Result<ChangeHash, Refusal>]) {
    for verdict in verdicts {
        tally.built += 1;
        match verdict {
            Ok(_) => tally.accepted += 1,
            Err(refusal) => *tally.turned_away.entry(turned_away(refusal)).or_default() += 1,
        }
    }
}

fn wear(tally: &mut Tally, touched: &BTreeMap<DocumentId, Held>) {
    for held in touched.values().filter(|held| !held.raw.is_empty()) {
        let raw: Vec<&[u8]> = held.raw.iter().map(Vec::as_slice).collect();
        tally.belt_failures.extend(belt::survives(&raw).err().map(|failure| failure.to_string()));
    }
}
