//! A village in memory: devices that write batches and exchange them over a server, for tests of replay.

pub(crate) mod hostile;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ruhu_survey::change::{ActorId, Change, ChangeHash, DocumentId, DocumentKind, Value, parse};
use ruhu_survey::check::{NewCheck, Told, start, submit, tell_household};
use ruhu_survey::id::{CheckId, DeviceId, HouseholdId, VillageId};
use ruhu_survey::register::{ChangeBuilder, Register, derived_id};
use ruhu_survey::replay::{Library, Name, Sender, founded_id};

use crate::history::Rng;

pub(crate) const VILLAGE: VillageId = VillageId::from_bytes([0xb0; 16]);

/// A batch as its author wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) device: DeviceId,
    pub(crate) openings: Vec<[u8; 8]>,
    pub(crate) changes: Vec<(DocumentId, Vec<u8>)>,
}

/// One document of a store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    pub(crate) register: Register,
    pub(crate) past: BTreeMap<ChangeHash, Arc<Change>>,
    pub(crate) raw: Vec<Vec<u8>>,
}

/// What one place has of the village.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    pub(crate) documents: BTreeMap<DocumentId, Held>,
    names: BTreeMap<Name, BTreeSet<DocumentId>>,
    roots: BTreeMap<DeviceId, u64>,
    /// How many of the village's batches it has had.
    pub(crate) given: usize,
}

impl Store {
    /// Takes a batch in whose dependencies are here.
    pub(crate) fn take(&mut self, sent: &Sent) {
        for (document, bytes) in &sent.changes {
            let (change, hash) = parse(bytes).unwrap();
            if change.dependencies.is_empty() {
                let number = self.roots.entry(sent.device).or_default();
                let name = Name { device: sent.device, number: *number };
                self.names.entry(name).or_default().insert(*document);
                *number += 1;
            }
            let held = self.documents.entry(*document).or_default();
            if !held.past.contains_key(&hash) {
                held.register.apply(&change, hash);
                held.past.insert(hash, Arc::new(change));
                held.raw.push(bytes.clone());
            }
        }
    }
}

impl Library for Store {
    fn named(&self, name: &Name) -> Option<DocumentId> {
        self.names.get(name).filter(|found| found.len() == 1)?.first().copied()
    }

    fn register(&self, document: DocumentId) -> Register {
        self.documents.get(&document).map(|held| held.register.clone()).unwrap_or_default()
    }

    fn change(&self, document: DocumentId, hash: &ChangeHash) -> Option<Arc<Change>> {
        self.documents.get(&document)?.past.get(hash).cloned()
    }

    fn beginning_with(&self, document: DocumentId, beginning: &[u8]) -> Vec<ChangeHash> {
        let Some(held) = self.documents.get(&document) else { return Vec::new() };
        held.past.keys().filter(|hash| hash.0.starts_with(beginning)).copied().collect()
    }
}

impl Sender for Store {
    fn name(&self, document: DocumentId) -> Option<Name> {
        self.names.iter().find(|(_, found)| found.contains(&document)).map(|(name, _)| *name)
    }

    fn hashes(&self, document: DocumentId) -> Vec<ChangeHash> {
        self.documents.get(&document).map(|held| held.past.keys().copied().collect()).unwrap_or_default()
    }
}

/// A device with its store.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) openings: Vec<[u8; 8]>,
    pub(crate) store: Store,
    founded: u64,
}

/// Devices and what came to the server, in order.
#[derive(Debug)]
pub(crate) struct Village {
    pub(crate) devices: Vec<Device>,
    pub(crate) batches: Vec<Sent>,
    clock: i64,
}

impl Village {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let device = |rng: &mut Rng| {
            let id = DeviceId::from_bytes(rng.actor().0);
            let openings = vec![rng.next().to_be_bytes()];
            Device { id, openings, store: Store::default(), founded: 0 }
        };
        let count = 2 + rng.below(3);
        let devices = (0..count).map(|_| device(rng)).collect();
        Self { devices, batches: Vec::new(), clock: 1_790_000_000 }
    }

    /// A device hears of some batches, or opens its store again, or writes one and hands it in.
    pub(crate) fn step(&mut self, rng: &mut Rng) {
        let place = rng.below(self.devices.len());
        match rng.below(10) {
            0 => {
                let opening = rng.next().to_be_bytes();
                self.devices[place].openings.push(opening);
            }
            1..4 => self.hear(place),
            _ => {
                let sent = self.write(rng, place);
                if !sent.changes.is_empty() {
                    self.batches.push(sent);
                }
            }
        }
    }

    fn hear(&mut self, place: usize) {
        let device = &mut self.devices[place];
        for sent in self.batches.iter().skip(device.store.given) {
            if sent.device != device.id {
                device.store.take(sent);
            }
        }
        device.store.given = self.batches.len();
    }

    /// What a device writes next; it is in its own store already.
    fn write(&mut self, rng: &mut Rng, place: usize) -> Sent {
        let device = &mut self.devices[place];
        let mut sent = Sent { device: device.id, openings: Vec::new(), changes: Vec::new() };
        let mut scratch = device.store.clone();
        for _ in 0..=rng.below(5) {
            self.clock += rng.below(3_000) as i64;
            let old = rng.below(device.openings.len().min(2));
            let opening = device.openings[device.openings.len() - 1 - old];
            if !sent.openings.contains(&opening) {
                sent.openings.push(opening);
            }
            let pen = Pen { actor: ActorId::derive(device.id, opening), clock: self.clock };
            let changes = match rng.below(4) {
                0 => pen.found(rng, &mut device.founded),
                1 => pen.visit(rng, &scratch, &mut device.founded),
                _ => pen.edit(rng, &scratch),
            };
            let more = Sent { changes, ..sent.clone() };
            scratch.take(&more);
            sent.changes.extend(more.changes);
        }
        device.store.take(&sent);
        sent
    }
}

struct Pen {
    actor: ActorId,
    clock: i64,
}

type Changes = Vec<(DocumentId, Vec<u8>)>;

impl Pen {
    /// Founds a household, by a derived id or by another.
    fn found(&self, rng: &mut Rng, founded: &mut u64) -> Changes {
        let id = if rng.chance(70) { founded_id(self.actor, *founded) } else { rng.actor().0 };
        *founded += 1;
        let empty = Register::default();
        let mut builder = ChangeBuilder::new(&empty, self.actor, self.clock);
        for _ in 0..=rng.below(2) {
            let member = derived_id(builder.next_op());
            builder.put(format!("member/{member}/name"), Value::Text(words(rng)));
            builder.put(format!("member/{member}/relation_to_head"), Value::Text("head".to_owned()));
        }
        builder.put("group_name", Value::Text("向家组".to_owned()));
        vec![(HouseholdId::from_bytes(id).into(), builder.finish().unwrap().1.bytes)]
    }

    /// A submitted check and what its household is told, each citing the other.
    fn visit(&self, rng: &mut Rng, store: &Store, founded: &mut u64) -> Changes {
        let Some(household) = pick(rng, store, DocumentKind::Household) else { return Vec::new() };
        let check = CheckId::from_bytes(founded_id(self.actor, *founded));
        *founded += 1;
        let empty = Register::default();
        let mut builder = ChangeBuilder::new(&empty, self.actor, self.clock);
        start(
            &mut builder,
            &NewCheck {
                household: HouseholdId::from_bytes(household.id),
                check_type: "routine".to_owned(),
                device: DeviceId::from_bytes(self.actor.0),
                form_version: "ruhu-first/1.0.0".to_owned(),
                started_at_ms: self.clock * 1_000 - rng.below(1_000_000) as i64,
            },
        );
        builder.put("answer/water/piped", Value::Text(["yes", "no"][rng.below(2)].to_owned()));
        builder.put("answer/income/wage_income", Value::Int(rng.below(5_000) as i64 * 1_000));
        submit(&mut builder, "completed").unwrap();
        let (_, encoded) = builder.finish().unwrap();
        let register = store.register(household);
        let mut builder = ChangeBuilder::new(&register, self.actor, self.clock);
        tell_household(
            &mut builder,
            &Told {
                check,
                head: encoded.hash,
                result: "completed".to_owned(),
                confirmed: Vec::new(),
                started: "2026-11-20".to_owned(),
                ended: "2026-11-20".to_owned(),
            },
        );
        let told = builder.finish().unwrap().1.bytes;
        vec![(check.into(), encoded.bytes), (household, told)]
    }

    /// Writes into a document, often what somebody else writes too.
    fn edit(&self, rng: &mut Rng, store: &Store) -> Changes {
        let kind = [DocumentKind::Household, DocumentKind::Check, DocumentKind::Village][rng.below(3)];
        let village = (kind == DocumentKind::Village).then(|| DocumentId::from(VILLAGE));
        let Some(document) = village.or_else(|| pick(rng, store, kind)) else { return Vec::new() };
        let register = store.register(document);
        let mut builder = ChangeBuilder::new(&register, self.actor, self.clock);
        for _ in 0..=rng.below(4) {
            builder.put(["remarks", "group_name", "房屋/面积"][rng.below(3)], value(rng));
        }
        vec![(document, builder.finish().unwrap().1.bytes)]
    }
}

fn pick(rng: &mut Rng, store: &Store, kind: DocumentKind) -> Option<DocumentId> {
    let known: Vec<_> = store.documents.keys().filter(|document| document.kind == kind).collect();
    if known.is_empty() { None } else { Some(*known[rng.below(known.len())]) }
}

fn words(rng: &mut Rng) -> String {
    ["户主在家", "door locked", "屋顶漏雨,等天晴补瓦。"][rng.below(3)].repeat(rng.below(3))
}

fn value(rng: &mut Rng) -> Value {
    match rng.below(9) {
        0 => Value::Null,
        1 => Value::Bool(rng.chance(50)),
        2 => Value::Int((rng.next() >> rng.below(64)).cast_signed()),
        3 => Value::Int(rng.below(9) as i64 * 10_i64.pow(u32::try_from(rng.below(12)).unwrap())),
        4 => Value::Bytes(rng.next().to_be_bytes().to_vec()),
        5 => Value::Text("holes \u{1} and \u{2} are marks".to_owned()),
        6 => Value::Text(format!("{} {}", "x".repeat(rng.below(400)), uuid::Uuid::from_bytes(rng.actor().0))),
        _ => Value::Text(words(rng)),
    }
}
