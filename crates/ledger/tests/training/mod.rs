//! What a replay stream's dictionary is made of: invented visits, as a device would write them.

use std::collections::BTreeMap;

use ruhu_sample::{Date, NOTES, Parameters, Random, SampleHousehold, VillageRequest, village, visit_answers};
use ruhu_survey::change::{ActorId, ChangeHash, DocumentId, DocumentKind, Value};
use ruhu_survey::check::{NewCheck, Told, start, submit, tell_household};
use ruhu_survey::codec::Writer;
use ruhu_survey::household::{Because, Input, set_field};
use ruhu_survey::id::{CheckId, DeviceId, HouseholdId, VillageId};
use ruhu_survey::register::{ChangeBuilder, Register};
use ruhu_survey::replay::{Name, Sender, Tables, founded_id, spell};

/// No other part of the project generates from this seed: a measurement must not meet its own training.
const SEED: u64 = 0x7261_696e;
const HOUSEHOLDS: usize = 240;
const VISITS_PER_BATCH: usize = 40;
/// The program that devices of the training fill forms with.
const FORM_VERSION: &str = "ruhu-first/1.0.0";
const MORNING_S: i64 = 1_790_000_000;

/// The households of the training by number, each with its first change.
struct Roster(BTreeMap<DocumentId, (u64, Register)>);

impl Sender for Roster {
    fn name(&self, document: DocumentId) -> Option<Name> {
        let (number, _) = self.0.get(&document)?;
        Some(Name { device: DeviceId::from_bytes([0xee; 16]), number: *number })
    }

    fn hashes(&self, document: DocumentId) -> Vec<ChangeHash> {
        self.0
            .get(&document)
            .map(|(_, register)| register.heads().iter().copied().collect())
            .unwrap_or_default()
    }
}

/// The dictionary before it is compressed: batches of a stream, each behind its length.
pub(crate) fn dictionary() -> Vec<u8> {
    let device = DeviceId::from_bytes([0xdd; 16]);
    let (opening, mut random) = ([7; 8], Random::new(SEED));
    let actor = ActorId::derive(device, opening);
    let request =
        VillageRequest { seed: SEED, ordinal: 0, households: HOUSEHOLDS, on: Date::new(2024, 5, 1) };
    let village = village(&request, Parameters::bundled());
    let roster = roster(village.households.len());
    let mut tables = Tables::new(device);
    let mut writer = Writer::new();
    let ids: Vec<DocumentId> = roster.0.keys().copied().collect();
    let visits: Vec<_> = ids.iter().zip(&village.households).enumerate().collect();
    for part in visits.chunks(VISITS_PER_BATCH) {
        let mut changes = Vec::new();
        for (number, (id, household)) in part {
            let register = &roster.0[*id].1;
            changes.extend(visit(&mut random, actor, *number as u64, (**id, register), household));
        }
        let spelling =
            spell(device, VillageId::from_bytes([0xcc; 16]), &[opening], &changes, &roster).unwrap();
        writer.bytes(&tables.write(&spelling));
    }
    writer.finish()
}

fn roster(households: usize) -> Roster {
    let actor = ActorId([0xee; 16]);
    let one = |number: u64| {
        let empty = Register::default();
        let mut builder = ChangeBuilder::new(&empty, actor, MORNING_S - 1_000_000);
        builder.put("household_number", Value::Text(number.to_string()));
        let (change, encoded) = builder.finish().unwrap();
        let mut register = Register::default();
        register.apply(&change, encoded.hash);
        let id = DocumentId { kind: DocumentKind::Household, id: founded_id(actor, number) };
        (id, (number, register))
    };
    Roster((0..households as u64).map(one).collect())
}

/// A check and what its household is told, as `client-core` writes them.
fn visit(
    random: &mut Random,
    actor: ActorId,
    number: u64,
    (document, register): (DocumentId, &Register),
    household: &SampleHousehold,
) -> [(DocumentId, Vec<u8>); 2] {
    let ended_ms = (MORNING_S + 2_400 * i64::try_from(number).unwrap()) * 1_000 + random.between(0, 999);
    let check = CheckId::from_bytes(founded_id(actor, number));
    let empty = Register::default();
    let mut builder = ChangeBuilder::new(&empty, actor, ended_ms / 1_000);
    start(
        &mut builder,
        &NewCheck {
            household: HouseholdId::from_bytes(document.id),
            check_type: "screening".to_owned(),
            device: DeviceId::from_bytes([0xdd; 16]),
            form_version: FORM_VERSION.to_owned(),
            started_at_ms: ended_ms - random.between(300_000, 3_000_000),
        },
    );
    builder.put("ended_at", Value::Int(ended_ms));
    let note = usize::try_from(random.below(NOTES.len() as u64)).unwrap();
    let note = ("answer/visit/note".to_owned(), Value::Text(NOTES[note].to_owned()));
    let answers = visit_answers(random, household).map(|answer| (answer.key(), answer.value.to_value()));
    let mut answers: Vec<_> = answers.into_iter().chain([note]).collect();
    // A draft keeps its answers by key.
    answers.sort_by(|one, other| one.0.cmp(&other.0));
    for (key, value) in answers {
        let input = Input::Stored(value);
        set_field(&mut builder, DocumentKind::Check, &key, &input, &Because::default(), None).unwrap();
    }
    submit(&mut builder, "completed").unwrap();
    let (_, checked) = builder.finish().unwrap();
    let mut builder = ChangeBuilder::new(register, actor, ended_ms / 1_000);
    tell_household(
        &mut builder,
        &Told {
            check,
            head: checked.hash,
            result: "completed".to_owned(),
            confirmed: Vec::new(),
            started: "2026-11-20".to_owned(),
            ended: "2026-11-20".to_owned(),
        },
    );
    let told = builder.finish().unwrap().1.bytes;
    [(check.into(), checked.bytes), (document, told)]
}
