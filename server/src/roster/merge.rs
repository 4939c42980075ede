//! The three-way merge of one household: the roster now, the roster at its last import, the document.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_survey::change::{ActorId, ChangeHash, DocumentKind, Value};
use ruhu_survey::field_table::{InputError, Source};
use ruhu_survey::household::{Because, Household as Recorded, Input, Member, set_field};
use ruhu_survey::id::HouseholdId;
use ruhu_survey::register::{ChangeBuilder, Register, derived_id};
use ruhu_survey::sealed::{HouseholdKey, Sealer, SearchKey};

use super::household::{Cells, Household, Person};
use super::state::{MemberMark, RosterState, cell_tag, name_tag};
use ruhu_survey::id::VillageId;

const KIND: DocumentKind = DocumentKind::Household;
const HEAD: &str = "head_member_id";

/// Who writes, where and when; one run of an import.
#[derive(Debug, Clone, Copy)]
pub struct Ink<'a> {
    /// The village.
    pub village: VillageId,
    /// The key of its search tags.
    pub search: &'a SearchKey,
    /// Writes onto what the imports alone made.
    pub roster_actor: ActorId,
    /// Writes onto the document as it is now: what is absent about people first recorded in the field.
    pub field_actor: ActorId,
    /// The clock, seconds since 1970.
    pub claimed_at: i64,
}

/// The household that the roster's household stands for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its id.
    pub household: HouseholdId,
    /// The key of its private values.
    pub key: &'a HouseholdKey,
    /// What the last import left behind; nothing when the household is new.
    pub known: Option<&'a RosterState>,
    /// The document as it is now.
    pub current: &'a Register,
}

/// What a merge comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cells written.
    pub written: usize,
    /// Members new in the document.
    pub members_new: usize,
    /// Members of the last import that the roster no longer has. They are not ended.
    pub members_gone: usize,
    /// Members first recorded in the field, found again on the roster.
    pub members_met: usize,
    /// Cells about such members that differ from what the field recorded; the field's value stays.
    pub left: usize,
}

/// The changes of one household, and what the import leaves behind.
#[derive(Debug, Clone, Default)]
pub struct Merged {
    /// The changes, in the order in which they must be taken in.
    pub changes: Vec<Vec<u8>>,
    /// The last of them.
    pub last: Option<ChangeHash>,
    /// The base of the next import.
    pub state: RosterState,
    /// What it comes to.
    pub tally: Tally,
}

/// Merges one household of a roster.
///
/// # Errors
/// When a cell does not fit its field, which reading the roster rules out.
pub fn merge(roster: &Household, target: &Target<'_>, ink: &Ink<'_>) -> Result<Merged, InputError> {
    let base = target.known.cloned().unwrap_or_default();
    let matched = match_people(&roster.people, &base, target, ink);
    let sealer = Sealer {
        key: target.key,
        search: ink.search,
        village: ink.village,
        document: target.household.into(),
    };
    let mut merging = Merging {
        source: target.known.map(|_| Source::MatchImport),
        sealer,
        lineage: ChangeBuilder::new(&base.register, ink.roster_actor, ink.claimed_at),
        field: ChangeBuilder::new(target.current, ink.field_actor, ink.claimed_at),
        next: RosterState { members: BTreeMap::new(), ..base.clone() },
        tally: Tally::default(),
    };
    merging.cells(&Place::household(), &roster.cells)?;
    let mut head = None;
    for (index, (person, found)) in roster.people.iter().zip(matched).enumerate() {
        let place = merging.person(person, found, index)?;
        if person.is_head && head.is_none() {
            head = Some(place);
        }
    }
    if let Some(place) = head {
        merging.head(&place)?;
    }
    merging.gone(&base);
    Ok(merging.finish())
}

/// Where a roster's person is found in the household.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Match {
    /// Nowhere yet.
    New,
    /// An earlier import wrote this member.
    Roster(String),
    /// The field recorded this member, and a roster has met them now or before.
    Field(String),
}

/// By the person's number, then by the certificate number, then by the name; whom none of the roster's
/// members is, is looked for among those recorded in the field.
fn match_people(people: &[Person], base: &RosterState, target: &Target<'_>, ink: &Ink<'_>) -> Vec<Match> {
    let marks: Vec<MemberMark> = people.iter().map(|person| mark(person, ink.search, false)).collect();
    let mut free: BTreeMap<&str, &MemberMark> =
        base.members.iter().map(|(id, mark)| (id.as_str(), mark)).collect();
    let mut found: Vec<Match> = vec![Match::New; people.len()];
    let ways: [fn(&MemberMark) -> &str; 3] =
        [|mark| &mark.person, |mark| &mark.certificate, |mark| &mark.name];
    for way in ways {
        for (slot, mark) in found.iter_mut().zip(&marks).filter(|(slot, _)| **slot == Match::New) {
            let same = |known: &MemberMark| !way(mark).is_empty() && way(known) == way(mark);
            let id = free.iter().find(|(_, known)| same(known)).map(|(id, _)| *id);
            if let Some(known) = id.and_then(|id| free.remove(id).map(|known| (id, known))) {
                let id = known.0.to_owned();
                *slot = if known.1.from_field { Match::Field(id) } else { Match::Roster(id) };
            }
        }
    }
    if target.known.is_some() {
        meet_field(people, &marks, base, target, &mut found);
    }
    found
}

fn meet_field(
    people: &[Person],
    marks: &[MemberMark],
    base: &RosterState,
    target: &Target<'_>,
    found: &mut [Match],
) {
    let recorded = Recorded::read(target.household, target.current);
    let mut free: Vec<&Member> =
        recorded.members.values().filter(|member| !base.members.contains_key(&member.id)).collect();
    for ((slot, person), mark) in found.iter_mut().zip(people).zip(marks) {
        if *slot != Match::New {
            continue;
        }
        let same = |member: &&Member| match (&member.cert_no.tag, mark.certificate.as_str()) {
            (Some(tag), certificate) if !certificate.is_empty() => tag == certificate,
            _ => member.full_name.as_deref() == Some(&person.name),
        };
        if let Some(place) = free.iter().position(same) {
            *slot = Match::Field(free.remove(place).id.clone());
        }
    }
}

fn mark(person: &Person, search: &SearchKey, from_field: bool) -> MemberMark {
    let certificate = match person.certificate.as_str() {
        "" => String::new(),
        number => ruhu_survey::sealed::search_tag(&search.0, number),
    };
    MemberMark {
        person: person.number.clone(),
        certificate,
        name: name_tag(&search.0, &person.name),
        from_field,
    }
}

/// Where cells belong: the household or a member, and which of the two changes writes them.
#[derive(Debug, Clone)]
struct Place {
    member: Option<String>,
    from_field: bool,
}

impl Place {
    fn household() -> Self {
        Self { member: None, from_field: false }
    }

    fn key(&self, below: &str) -> String {
        match &self.member {
            Some(id) => format!("member/{id}/{below}"),
            None => below.to_owned(),
        }
    }
}

struct Merging<'a> {
    source: Option<Source>,
    sealer: Sealer<'a>,
    lineage: ChangeBuilder<'a>,
    field: ChangeBuilder<'a>,
    next: RosterState,
    tally: Tally,
}

impl Merging<'_> {
    fn person(&mut self, person: &Person, found: Match, index: usize) -> Result<Place, InputError> {
        let (id, from_field) = match found {
            Match::Roster(id) => (id, false),
            Match::Field(id) => (id, true),
            Match::New => return self.new_member(person, index),
        };
        let place = Place { member: Some(id.clone()), from_field };
        if from_field {
            self.tally.members_met += 1;
        }
        self.next.members.insert(id, mark(person, self.sealer.search, from_field));
        self.cells(&place, &person.cells)?;
        Ok(place)
    }

    /// The member's id follows from the first put about them.
    fn new_member(&mut self, person: &Person, index: usize) -> Result<Place, InputError> {
        let id = derived_id(self.lineage.next_op());
        let place = Place { member: Some(id.clone()), from_field: false };
        let source = self.source.take();
        self.cells(&place, &person.cells)?;
        self.source = source;
        self.lineage.put(place.key("sort"), Value::Int(i64::try_from(index + 1).unwrap_or(999).min(999)));
        self.tally.members_new += 1;
        self.next.members.insert(id, mark(person, self.sealer.search, false));
        Ok(place)
    }

    fn head(&mut self, place: &Place) -> Result<(), InputError> {
        let Some(id) = &place.member else { return Ok(()) };
        let cells = Cells::from([(HEAD.to_owned(), Value::Text(id.clone()))]);
        self.cells(&Place { member: None, from_field: place.from_field }, &cells)
    }

    fn cells(&mut self, place: &Place, cells: &Cells) -> Result<(), InputError> {
        for (below, value) in cells {
            self.cell(place, below, value)?;
        }
        self.elements_gone(place, cells)
    }

    fn cell(&mut self, place: &Place, below: &str, value: &Value) -> Result<(), InputError> {
        let key = place.key(below);
        let tag = cell_tag(&self.sealer.search.0, &key, value);
        if self.next.cells.get(&key) == Some(&tag) {
            return Ok(());
        }
        if place.from_field && !self.field_cell(&key, value)? {
            return Ok(());
        }
        if !place.from_field {
            let because = Because { source: self.source, reason: None };
            let input = Input::Stored(value.clone());
            set_field(&mut self.lineage, KIND, &key, &input, &because, Some(&self.sealer))?;
            self.tally.written += 1;
        }
        self.next.cells.insert(key, tag);
        Ok(())
    }

    /// Writes a cell about a member recorded in the field where the document says nothing yet; says
    /// whether the document now agrees with the roster.
    fn field_cell(&mut self, key: &str, value: &Value) -> Result<bool, InputError> {
        let register = self.field.register();
        let live = register.live(key);
        if live.is_empty() {
            let because = Because { source: Some(Source::MatchImport), reason: None };
            let input = Input::Stored(value.clone());
            set_field(&mut self.field, KIND, key, &input, &because, Some(&self.sealer))?;
            self.tally.written += 1;
            return Ok(true);
        }
        let sealed = |bytes: &[u8]| self.sealer.open(key, bytes).is_ok_and(|plain| is_plain(value, &plain));
        let agrees = live.iter().any(|op| match &op.value {
            Value::Bytes(bytes) => sealed(bytes),
            plain => plain == value,
        });
        if !agrees {
            self.tally.left += 1;
        }
        Ok(agrees)
    }

    /// The elements of a set that the roster had and no longer has, where it still says anything about the set.
    fn elements_gone(&mut self, place: &Place, cells: &Cells) -> Result<(), InputError> {
        let sets: BTreeSet<&str> = cells
            .iter()
            .filter(|(_, value)| **value == Value::Bool(true))
            .filter_map(|(below, _)| below.split_once('/').map(|(set, _)| set))
            .collect();
        let mut gone = Cells::new();
        for set in sets {
            let prefix = place.key(&format!("{set}/"));
            for (key, tag) in self.next.cells.range(prefix.clone()..) {
                let Some(element) = key.strip_prefix(&prefix) else { break };
                let was_true = *tag == cell_tag(&self.sealer.search.0, key, &Value::Bool(true));
                let below = format!("{set}/{element}");
                if was_true && !cells.contains_key(&below) {
                    gone.insert(below, Value::Bool(false));
                }
            }
        }
        gone.iter().try_for_each(|(below, value)| self.cell(place, below, value))
    }

    fn gone(&mut self, base: &RosterState) {
        for (id, mark) in &base.members {
            if !self.next.members.contains_key(id) {
                self.tally.members_gone += 1;
                self.next.members.insert(id.clone(), mark.clone());
            }
        }
    }

    fn finish(self) -> Merged {
        let Self { lineage, field, mut next, tally, .. } = self;
        let (mut changes, mut last) = (Vec::new(), None);
        // The import's own change comes last: what it leaves behind is believed once that one is accepted.
        if let Some((_, encoded)) = field.finish() {
            changes.push(encoded.bytes);
            last = Some(encoded.hash);
        }
        if let Some((change, encoded)) = lineage.finish() {
            next.register.apply(&change, encoded.hash);
            changes.push(encoded.bytes);
            last = Some(encoded.hash);
        }
        Merged { changes, last, state: next, tally }
    }
}

/// Whether an opened private value is the plain value of a cell.
fn is_plain(value: &Value, plain: &str) -> bool {
    match value {
        Value::Text(text) => text == plain,
        Value::Bool(yes) => yes.to_string() == plain,
        Value::Int(number) => number.to_string() == plain,
        Value::Null | Value::Bytes(_) => false,
    }
}

#[cfg(test)]
mod tests;
