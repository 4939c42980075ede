//! One device for a page: the store, open or not, and every call on it.

use std::path::PathBuf;

use ruhu_client_core::{
    Asked, Client, Edit, Environment, Error, Invitation, Order, Progress, Query, Transport,
};
use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind};
use ruhu_survey::id::{CheckId, HouseholdId, IssueId, VillageId};
use serde::Serialize;

use crate::answer::{self, Enrolment, Standing};
use crate::call::{Call, HouseholdQuery, Said};
use crate::problem::Problem;
use crate::tries::Tries;

/// The small file that counts wrong passphrases.
const TRIES: &str = "ruhu.tries";
const TRIES_BYTES_MAX: u64 = 64;
/// The small file that says where the person was. What a browser keeps by itself may be lost in a kill.
const PLACE: &str = "ruhu.place";
const PLACE_BYTES_MAX: u64 = 1_024;

/// Makes the environment of one opening.
type MakeEnvironment = Box<dyn Fn() -> Box<dyn Environment>>;

/// A device behind a page.
pub struct Device {
    folder: PathBuf,
    environment: MakeEnvironment,
    client: Option<Client>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("client", &self.client).finish_non_exhaustive()
    }
}

type Answer = Result<String, Problem>;

fn json<T: Serialize>(answer: &T) -> Answer {
    serde_json::to_string(answer).map_err(|error| Problem::new("failed", error.to_string()))
}

fn lines<T, L: From<T> + Serialize>(all: Vec<T>) -> Answer {
    json(&all.into_iter().map(L::from).collect::<Vec<L>>())
}

fn done() -> Answer {
    Ok("null".to_owned())
}

impl Device {
    /// The device whose store is, or will be, in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf, environment: impl Fn() -> Box<dyn Environment> + 'static) -> Self {
        Self { folder, environment: Box::new(environment), client: None }
    }

    /// Does what a call says and answers in JSON. `progress` hears from a sync.
    ///
    /// # Errors
    /// A [`Problem`] with a stable code; what was written before stays written.
    pub async fn handle(
        &mut self,
        call: Call,
        transport: &impl Transport,
        progress: &mut dyn FnMut(Progress),
    ) -> Answer {
        match call {
            Call::Standing => json(&self.standing()),
            Call::Create { passphrase } => self.create(&passphrase),
            Call::Unlock { passphrase } => self.unlock(&passphrase),
            Call::Lock => {
                self.client = None;
                done()
            }
            Call::Remember { place } => {
                if place.len() as u64 > PLACE_BYTES_MAX {
                    return Err(Problem::argument("place"));
                }
                self.keep(PLACE, place.as_bytes())?;
                done()
            }
            Call::EnrolByLink { link, device_name } => {
                let invitation = Invitation::from_link(&link)?;
                json(&enrol(self.open()?, &invitation, &device_name, None, transport).await?)
            }
            Call::EnrolByCode { server, code, device_name, words } => {
                let invitation = Invitation::typed(&server, &code)?;
                json(&enrol(self.open()?, &invitation, &device_name, words, transport).await?)
            }
            Call::Sync => {
                let report = self.open()?.sync(transport, progress).await?;
                json(&answer::SyncResult::from(report))
            }
            asked => ask(self.open()?, asked),
        }
    }

    fn open(&mut self) -> Result<&mut Client, Problem> {
        self.client.as_mut().ok_or_else(|| Problem::new("locked", "the store is not open"))
    }

    fn standing(&self) -> Standing {
        let environment = (self.environment)();
        let tries = self.tries();
        let status = self.client.as_ref().and_then(|client| client.status().ok());
        Standing {
            there: environment.files().exists(&self.folder.join("ruhu.key")),
            open: self.client.is_some(),
            enrolled: status.is_some_and(|status| status.device.is_some()),
            locked_ms: tries.locked_ms(environment.now_ms()),
            wrong_tries: tries.wrong,
            place: self.small(PLACE, PLACE_BYTES_MAX).and_then(|place| String::from_utf8(place).ok()),
        }
    }

    fn create(&mut self, passphrase: &str) -> Answer {
        match Client::create(&self.folder, passphrase, (self.environment)()) {
            Err(Error::StoreExists(_)) => return self.unlock(passphrase),
            made => self.client = Some(made?),
        }
        json(&self.standing())
    }

    fn unlock(&mut self, passphrase: &str) -> Answer {
        let environment = (self.environment)();
        let tries = self.tries();
        let wait_ms = tries.locked_ms(environment.now_ms());
        if wait_ms > 0 {
            return Err(Problem { wait_ms, ..Problem::new("locked_out", "too many wrong passphrases") });
        }
        // Counted before the passphrase is tried: closing the page in time saves nobody a wait.
        let counted = tries.and_wrong(environment.now_ms());
        self.keep(TRIES, &counted.to_bytes())?;
        match Client::open(&self.folder, passphrase, (self.environment)()) {
            Ok(client) => {
                self.client = Some(client);
                self.keep(TRIES, &Tries::default().to_bytes())?;
                json(&self.standing())
            }
            Err(Error::WrongPassphrase) => {
                let wait_ms = counted.locked_ms(environment.now_ms());
                Err(Problem { wait_ms, ..Error::WrongPassphrase.into() })
            }
            Err(error) => {
                self.keep(TRIES, &tries.to_bytes())?;
                Err(error.into())
            }
        }
    }

    /// The open store, for calls that carry more than JSON.
    pub(crate) fn client(&mut self) -> Result<&mut Client, Problem> {
        self.open()
    }

    fn tries(&self) -> Tries {
        self.small(TRIES, TRIES_BYTES_MAX).map(|bytes| Tries::from_bytes(&bytes)).unwrap_or_default()
    }

    /// A small file beside the key; `None` when it is not there.
    fn small(&self, name: &str, limit: u64) -> Option<Vec<u8>> {
        (self.environment)().files().read(&self.folder.join(name), limit).ok()
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), Problem> {
        let files = (self.environment)().files();
        let path = self.folder.join(name);
        let written = files.make_folder(&self.folder).and_then(|()| files.write(&path, bytes));
        written.map_err(|error| Problem::new("failed", error.to_string()))
    }
}

/// Enrols; without compared words a typed code ends at the words. The code is kept for this device's key
/// by then, so the second call gives the same certificate.
async fn enrol(
    client: &mut Client,
    invitation: &Invitation,
    device_name: &str,
    compared: Option<String>,
    transport: &impl Transport,
) -> Result<Enrolment, Problem> {
    let mut shown = None;
    let mut confirm = |words: [&'static str; 6]| {
        let words = words.join(" ");
        let same = compared.as_deref() == Some(words.as_str());
        shown = Some(words);
        same
    };
    let enrolled = client.enrol(invitation, device_name, &mut confirm, transport).await;
    match (enrolled, shown) {
        (Ok(enrolled), _) => Ok(Enrolment {
            user_name: enrolled.user_name,
            villages: enrolled.villages,
            words: enrolled.server_words.join(" "),
            done: true,
        }),
        (Err(Error::OtherServer), Some(words)) if compared.is_none() => {
            Ok(Enrolment { user_name: String::new(), villages: 0, words, done: false })
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// A call on an open store that needs no network.
fn ask(client: &mut Client, call: Call) -> Answer {
    match call {
        Call::AnswerQuestion { check, question, member, element, said } => {
            let asked = Asked { question: &question, member: member.as_deref(), element: element.as_deref() };
            answer_question(client, check_id(&check)?, &asked, said.as_ref())
        }
        Call::AcceptLast { check, question, member } => {
            let asked = Asked { question: &question, member: member.as_deref(), element: None };
            client.accept_last(check_id(&check)?, &asked)?;
            done()
        }
        Call::ConfirmFinding { check, key, reason } => {
            client.confirm_finding(check_id(&check)?, &key, &reason)?;
            done()
        }
        Call::ZeroRest { check, page, short } => json(&client.zero_rest(check_id(&check)?, &page, short)?),
        Call::StartCheck { household, check_type } => {
            json(&client.start_check(household_id(&household)?, &check_type)?)
        }
        Call::WithdrawCheck { check, reason } => {
            client.withdraw_check(check_id(&check)?, &reason)?;
            done()
        }
        Call::Submit { check, result } => {
            client.submit(check_id(&check)?, &result, &[])?;
            done()
        }
        Call::EditHousehold { household, key, said } => {
            let (input, because) = read(&said)?;
            client.edit_household(household_id(&household)?, &[Edit { key, input, because }])?;
            done()
        }
        Call::Settle { document, key, change, reason } => {
            let change: ChangeHash = change.parse().map_err(|_| Problem::argument("change"))?;
            client.settle(document_id(&document)?, &key, change, &reason)?;
            done()
        }
        Call::ChangePassphrase { old, new } => {
            client.change_passphrase(&old, &new)?;
            done()
        }
        asked => look(client, asked),
    }
}

fn answer_question(client: &mut Client, check: CheckId, asked: &Asked<'_>, said: Option<&Said>) -> Answer {
    match said {
        None => client.clear_question(check, asked)?,
        Some(said) => {
            let (input, because) = read(said)?;
            client.answer_question(check, asked, &input, &because)?;
        }
    }
    done()
}

/// A call that reads.
fn look(client: &Client, call: Call) -> Answer {
    match call {
        Call::Villages => lines::<_, answer::VillageLine>(client.villages()?),
        Call::Groups { village } => json(&client.groups(village_id(&village)?)?),
        Call::Households { village, query: asked } => {
            let found = client.households(village_id(&village)?, &query(asked))?;
            lines::<_, answer::HouseholdLine>(found)
        }
        Call::Household { household } => json(&answer::page(client.household(household_id(&household)?)?)),
        Call::History { document } => {
            let document = document_id(&document)?;
            let events = client.history(document, None)?;
            json(&events.iter().filter_map(|one| answer::event(document.kind, one)).collect::<Vec<_>>())
        }
        Call::Check { check } => json(&answer::CheckPage::from(client.check(check_id(&check)?)?)),
        Call::CheckForm { check, short } => json(&answer::form_page(client, check_id(&check)?, short)?),
        Call::Findings { check } => json(&answer::leads(client, check_id(&check)?)?),
        Call::NotApplicable { check, result } => {
            json(&answer::not_applicable(client, check_id(&check)?, &result)?)
        }
        Call::Drafts => lines::<_, answer::CheckLine>(client.drafts()?),
        Call::Conflicts { village } => lines::<_, answer::Conflict>(client.conflicts(village_id(&village)?)?),
        Call::Reveal { document, key } => json(&client.reveal(document_id(&document)?, &key)?),
        Call::Status => json(&answer::Status::from(client.status()?)),
        Call::Refused => lines::<_, answer::RefusedLine>(client.refused()?),
        Call::Devices => lines::<_, answer::DeviceLine>(client.devices()?),
        _ => Err(Problem::argument("call")),
    }
}

fn query(asked: HouseholdQuery) -> Query {
    Query {
        text: asked.text,
        group: asked.group,
        conflicts_only: asked.conflicts_only,
        unsent_only: asked.unsent_only,
        with_closed: false,
        order: if asked.by_due { Order::Due } else { Order::Group },
        skip: asked.skip,
        limit: Some(asked.limit),
    }
}

fn read(said: &Said) -> Result<(ruhu_survey::household::Input, ruhu_survey::household::Because), Problem> {
    said.read().ok_or_else(|| Problem::argument("said"))
}

fn village_id(text: &str) -> Result<VillageId, Problem> {
    text.parse().map_err(|_| Problem::argument("village"))
}

fn household_id(text: &str) -> Result<HouseholdId, Problem> {
    text.parse().map_err(|_| Problem::argument("household"))
}

fn check_id(text: &str) -> Result<CheckId, Problem> {
    text.parse().map_err(|_| Problem::argument("check"))
}

fn document_id(text: &str) -> Result<DocumentId, Problem> {
    let wrong = || Problem::argument("document");
    let (kind, id) = text.split_once('/').ok_or_else(wrong)?;
    let household: HouseholdId = id.parse().map_err(|_| wrong())?;
    let bytes = *household.as_bytes();
    match kind {
        kind if kind == DocumentKind::Household.name() => Ok(household.into()),
        kind if kind == DocumentKind::Check.name() => Ok(CheckId::from_bytes(bytes).into()),
        kind if kind == DocumentKind::Issue.name() => Ok(IssueId::from_bytes(bytes).into()),
        _ => Err(wrong()),
    }
}
