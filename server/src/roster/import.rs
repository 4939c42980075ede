//! Importing a roster into a village: planning all of it, then writing it as batches of the server's own.

use std::collections::BTreeMap;

use ruhu_ledger::batch::BatchBody;
use ruhu_ledger::limits::CHANGES_PER_BATCH_MAX;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ActorId, DocumentId, Value};
use ruhu_survey::field_table::InputError;
use ruhu_survey::id::{HouseholdId, UserId};
use ruhu_survey::register::Register;
use ruhu_survey::replay::founded_id;
use ruhu_survey::sealed::{HouseholdKey, SearchKey};

use super::columns;
use super::household::{self, Household, Households, Rules};
use super::merge::{Ink, Merged, Tally, Target, merge};
use super::sheet::{self, SheetError};
use crate::clock::Clock;
use crate::enrol::{EnrolError, village_key};
use crate::ingest::{Outcome, Rejection};
use crate::keys::{KeyError, KeyUse, ServerKeys, random};
use crate::store::ledger::OwnBatch;
use crate::store::people::{RosterHousehold, Village};
use crate::store::{Store, StoreError};

/// The version of the document schema that the import writes.
const DOCUMENT_SCHEMA: u16 = 1;

/// Bytes of changes after which a batch is sealed; what they compress to is far below the payload's limit.
const BATCH_BYTES: usize = 192 * 1024;

/// Why a roster is not imported.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// The file is no roster.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// No column holds the households' numbers.
    #[error("the roster has no column 户编号: without it nobody knows who lives together")]
    NoNumber,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server's keys failed.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The village's key failed.
    #[error(transparent)]
    Village(#[from] Box<EnrolError>),
    /// A cell does not fit its field.
    #[error("the household of line {line} cannot be written")]
    Household {
        /// The line of its first row.
        line: u64,
        /// What does not fit.
        #[source]
        problem: InputError,
    },
    /// The server's own batch was not taken in.
    #[error("the server's own batch was not taken in: {0}")]
    Rejected(Rejection),
    /// A change was not accepted.
    #[error("the change of {document} was not accepted: {code}")]
    NotAccepted {
        /// The document.
        document: DocumentId,
        /// The stable code of the rule.
        code: String,
    },
}

/// Where a roster goes.
#[derive(Clone, Copy)]
pub struct Import<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// The server's keys.
    pub keys: &'a ServerKeys,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The village.
    pub village: &'a Village,
    /// The roster's name: a later import under the same name is compared with this one.
    pub roster: &'a str,
    /// Who imports it.
    pub by: UserId,
    /// True if invented people may be imported.
    pub allow_unissued_area: bool,
}

impl std::fmt::Debug for Import<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("village", &self.village.code).finish_non_exhaustive()
    }
}

/// What an import comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Households that no import has written before.
    pub households_new: usize,
    /// Households of an earlier import of which something is written.
    pub households_changed: usize,
    /// Households of which nothing is written.
    pub households_unchanged: usize,
    /// Households of an earlier import that the roster no longer has. Nothing is written about them.
    pub households_gone: usize,
    /// People on the roster.
    pub people: usize,
    /// What the households come to, together.
    pub tally: Tally,
}

/// One household to be written.
#[derive(Debug)]
struct Planned {
    number: String,
    household: HouseholdId,
    new_key: Option<Vec<u8>>,
    merged: Merged,
}

/// Everything an import will do, before anything is done.
#[derive(Debug)]
pub struct Plan {
    /// What it comes to.
    pub counts: Counts,
    /// Rows and cells that are left out, and rows of other villages.
    pub read: Households,
    /// Headings that nobody knows.
    pub unknown_headings: Vec<String>,
    openings: [[u8; 8]; 2],
    now_ms: i64,
    households: Vec<Planned>,
}

/// Reads a roster and plans its import.
///
/// # Errors
/// [`RosterError`]; nothing was written.
pub fn plan(import: &Import<'_>, file: &[u8]) -> Result<Plan, RosterError> {
    let sheet = sheet::read(file)?;
    let (columns, unknown_headings) = columns::known(&sheet.headings);
    if !columns.iter().any(|column| column.means == columns::Meaning::Number) {
        return Err(RosterError::NoNumber);
    }
    let rules = Rules { village: &import.village.name, allow_unissued_area: import.allow_unissued_area };
    let read = household::read(&sheet, &columns, rules);
    let mut planning = Planning::begin(import)?;
    for (number, household) in &read.by_number {
        planning.household(number, household)?;
    }
    let Planning { mut counts, households, openings, now_ms, known, .. } = planning;
    counts.households_gone = known.keys().filter(|number| !read.by_number.contains_key(*number)).count();
    Ok(Plan { counts, read, unknown_headings, openings, now_ms, households })
}

struct Planning<'a> {
    import: &'a Import<'a>,
    search: SearchKey,
    known: BTreeMap<String, RosterHousehold>,
    keys: BTreeMap<HouseholdId, Vec<u8>>,
    openings: [[u8; 8]; 2],
    /// How many households it has founded.
    founded: u64,
    now_ms: i64,
    counts: Counts,
    households: Vec<Planned>,
}

impl<'a> Planning<'a> {
    fn begin(import: &'a Import<'a>) -> Result<Self, RosterError> {
        let village = import.village.id;
        let search = village_key(import.store, import.keys, village).map_err(Box::new)?;
        Ok(Self {
            import,
            search: SearchKey(search),
            known: import.store.roster(village, import.roster)?,
            keys: import.store.household_keys(village)?.into_iter().collect(),
            openings: [random()?, random()?],
            founded: 0,
            now_ms: import.clock.now_ms(),
            counts: Counts::default(),
            households: Vec::new(),
        })
    }

    fn household(&mut self, number: &str, read: &Household) -> Result<(), RosterError> {
        let household = match self.known.get(number) {
            Some(known) => known.household,
            None => self.found(),
        };
        let known = self.known.get(number);
        let (key, new_key) = self.key_of(household)?;
        let current = match known {
            Some(_) => self.import.store.register(self.import.village.id, household.into())?,
            None => Register::default(),
        };
        let target =
            Target { household, key: &key, known: known.map(|known| &known.state), current: &current };
        let line = read.people.first().map_or(0, |person| person.line);
        let merged = merge(&with_standing(read, self.import.village), &target, &self.ink())
            .map_err(|problem| RosterError::Household { line, problem })?;
        let is_new = known.is_none();
        self.count(is_new, read, &merged);
        if !merged.changes.is_empty() {
            self.households.push(Planned { number: number.to_owned(), household, new_key, merged });
        }
        Ok(())
    }

    /// The id of the next household that this import founds; it costs nothing on the wire.
    fn found(&mut self) -> HouseholdId {
        let [roster, _] = self.openings;
        let actor = ActorId::derive(self.import.keys.device.public().device_id(), roster);
        let id = founded_id(actor, self.founded);
        self.founded = self.founded.saturating_add(1);
        HouseholdId::from_bytes(id)
    }

    fn count(&mut self, is_new: bool, read: &Household, merged: &Merged) {
        self.counts.people += read.people.len();
        let kind = match (is_new, merged.changes.is_empty()) {
            (true, _) => &mut self.counts.households_new,
            (false, false) => &mut self.counts.households_changed,
            (false, true) => &mut self.counts.households_unchanged,
        };
        *kind += 1;
        let (total, one) = (&mut self.counts.tally, merged.tally);
        total.written += one.written;
        total.members_new += one.members_new;
        total.members_gone += one.members_gone;
        total.members_met += one.members_met;
        total.left += one.left;
    }

    /// The household's key, and its wrapped form if it was made just now.
    fn key_of(&self, household: HouseholdId) -> Result<(HouseholdKey, Option<Vec<u8>>), RosterError> {
        let used_for = KeyUse::Household(self.import.village.id, household);
        if let Some(wrapped) = self.keys.get(&household) {
            let key = self.import.keys.unwrap::<64>(used_for, wrapped)?;
            return Ok((HouseholdKey::from_bytes(*key), None));
        }
        let key = HouseholdKey::from_seed(&random()?);
        let wrapped = self.import.keys.wrap(used_for, key.as_bytes())?;
        Ok((key, Some(wrapped)))
    }

    fn ink(&self) -> Ink<'_> {
        let device = self.import.keys.device.public().device_id();
        let [roster, field] = self.openings;
        Ink {
            village: self.import.village.id,
            search: &self.search,
            roster_actor: ActorId::derive(device, roster),
            field_actor: ActorId::derive(device, field),
            claimed_at: self.now_ms.div_euclid(1_000),
        }
    }
}

/// A household on a roster is in the register of its village.
fn with_standing(read: &Household, village: &Village) -> Household {
    let mut household = read.clone();
    household.cells.insert("village_code".to_owned(), Value::Text(village.code.clone()));
    household.cells.insert("status".to_owned(), Value::Text("active".to_owned()));
    household
}

impl Plan {
    /// Writes what was planned, batch by batch; says how many batches there were.
    ///
    /// An import that is cut off can be run again: what was written is known by then.
    ///
    /// # Errors
    /// [`RosterError`]; the batches before the one that failed are taken in.
    pub fn commit(self, import: &Import<'_>) -> Result<usize, RosterError> {
        let mut batches = 0;
        let mut waiting: Vec<Planned> = Vec::new();
        let (mut changes, mut bytes) = (0, 0);
        for planned in self.households {
            let more = planned.merged.changes.len();
            if changes + more > CHANGES_PER_BATCH_MAX || bytes >= BATCH_BYTES {
                write(import, &self.openings, self.now_ms, std::mem::take(&mut waiting))?;
                (batches, changes, bytes) = (batches + 1, 0, 0);
            }
            changes += more;
            bytes += planned.merged.changes.iter().map(Vec::len).sum::<usize>();
            waiting.push(planned);
        }
        if !waiting.is_empty() {
            write(import, &self.openings, self.now_ms, waiting)?;
            batches += 1;
        }
        Ok(batches)
    }
}

/// Keys and bases first, then the batch: a base counts only once its change is accepted.
fn write(
    import: &Import<'_>,
    openings: &[[u8; 8]; 2],
    now_ms: i64,
    households: Vec<Planned>,
) -> Result<(), RosterError> {
    let village = import.village.id;
    let (mut states, mut changes) = (BTreeMap::new(), Vec::new());
    for Planned { number, household, new_key, merged } in households {
        if let Some(wrapped) = new_key {
            import.store.household_key_put(village, household, &wrapped)?;
        }
        changes.extend(merged.changes.into_iter().map(|bytes| (DocumentId::from(household), bytes)));
        if let Some(change) = merged.last {
            states.insert(number, RosterHousehold { household, change, state: merged.state });
        }
    }
    import.store.roster_record(village, import.roster, &states)?;
    let documents: Vec<DocumentId> = changes.iter().map(|(document, _)| *document).collect();
    let body = BatchBody { openings: openings.to_vec(), changes };
    let device_key = &import.keys.device;
    let own = OwnBatch { device_key, user: import.by, village, schema: DOCUMENT_SCHEMA, body };
    match import.store.author(&own, now_ms, &import.keys.signing)? {
        Outcome::Received(receipt) | Outcome::Repeated(receipt) => {
            all_accepted(&documents, &receipt.statement.verdicts)
        }
        Outcome::Rejected(rejection) => Err(RosterError::Rejected(rejection)),
        Outcome::Staged { expected } => {
            Err(RosterError::Rejected(Rejection::new("staged", format!("batch {expected} is lacking"))))
        }
    }
}

fn all_accepted(documents: &[DocumentId], verdicts: &[Verdict]) -> Result<(), RosterError> {
    for (document, verdict) in documents.iter().zip(verdicts) {
        let code = match verdict {
            Verdict::Accepted => continue,
            Verdict::Held { .. } => "held".to_owned(),
            Verdict::Quarantined { rule, .. } => rule.clone(),
            Verdict::Refused { reason } => reason.clone(),
        };
        return Err(RosterError::NotAccepted { document: *document, code });
    }
    Ok(())
}
