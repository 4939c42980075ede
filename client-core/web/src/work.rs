//! What a page may ask of an open store: every call that needs no network.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ruhu_client_core::{Asked, Client, Edit, Order, PhoneLock, Query};
use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind};
use ruhu_survey::code_list::code_list;
use ruhu_survey::form::{self, Label, Offered, question_texts};
use ruhu_survey::household::{Because, Input, NewHousehold, NewMember};
use ruhu_survey::id::{CheckId, HouseholdId, IssueId, VillageId};
use serde::Serialize;

use crate::answer;
use crate::call::{Call, HouseholdQuery, MemberSaid, Said, What};
use crate::problem::Problem;

/// An answer in JSON.
pub(crate) type Answer = Result<String, Problem>;

/// An answer as JSON.
pub(crate) fn json<T: Serialize>(answer: &T) -> Answer {
    serde_json::to_string(answer).map_err(|error| Problem::new("failed", error.to_string()))
}

fn lines<T, L: From<T> + Serialize>(all: Vec<T>) -> Answer {
    json(&all.into_iter().map(L::from).collect::<Vec<L>>())
}

/// The answer of what is done.
pub(crate) fn done() -> Answer {
    Ok("null".to_owned())
}

/// A call on an open store that needs no network.
pub(crate) fn ask(client: &mut Client, call: Call) -> Answer {
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
        Call::SetPhoneLock { passphrase, credential, input, secret } => {
            let credential = STANDARD.decode(credential).map_err(|_| Problem::argument("credential"))?;
            let lock = PhoneLock { credential, input: bytes32("input", &input)? };
            client.set_phone_lock(&passphrase, lock, &bytes32("secret", &secret)?)?;
            done()
        }
        Call::RemovePhoneLock => {
            client.remove_phone_lock()?;
            done()
        }
        Call::SetPin { pin } => {
            client.set_pin(&pin)?;
            done()
        }
        Call::ReplaceCheck { check } => json(&client.replace_check(check_id(&check)?)?),
        Call::ExportBundle => {
            let villages: Vec<VillageId> =
                client.villages()?.into_iter().filter(|one| one.granted).map(|one| one.id).collect();
            json(&STANDARD.encode(client.bundle_export(&[], &villages, None)?))
        }
        asked => people(client, asked),
    }
}

/// A call about who lives where.
fn people(client: &mut Client, call: Call) -> Answer {
    match call {
        Call::NewHousehold { village, group, address, phone, head } => {
            let household = NewHousehold { group_name: group, address, phone };
            let head = MemberSaid { fields: head_fields(head.fields), ..head };
            json(&client.new_household(village_id(&village)?, &household, &[NewMember::from(head)])?)
        }
        Call::AddMember { household, member } => {
            json(&client.add_member(household_id(&household)?, &NewMember::from(member))?)
        }
        Call::EndMember { household, member, left_on, why, reason } => {
            let because = Because { source: None, reason };
            client.end_member(household_id(&household)?, &member, &left_on, &why, &because)?;
            done()
        }
        asked => look(client, asked),
    }
}

/// Whoever a household is founded with is its head.
fn head_fields(mut fields: BTreeMap<String, String>) -> BTreeMap<String, String> {
    fields.insert("relation_to_head".to_owned(), "head".to_owned());
    fields
}

fn codes(list: &str) -> Answer {
    let list = code_list(list).ok_or_else(|| Problem::argument("list"))?;
    let offered = list
        .codes
        .iter()
        .map(|code| Offered { code: code.code.clone(), label: Label::new(&code.zh, &code.en) });
    json(&offered.collect::<Vec<_>>())
}

fn answer_question(client: &mut Client, check: CheckId, asked: &Asked<'_>, said: Option<&Said>) -> Answer {
    match said {
        None => client.clear_question(check, asked)?,
        Some(said) if said.what == What::NoneOfThese => {
            let because = said.because().ok_or_else(|| Problem::argument("said"))?;
            client.answer_none(check, asked, &because)?;
        }
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
        Call::Villages => json(&client.villages()?),
        Call::Groups { village } => json(&client.groups(village_id(&village)?)?),
        Call::Households { village, query: asked } => {
            json(&client.households(village_id(&village)?, &query(asked))?)
        }
        Call::Household { household } => json(&answer::page(client.household(household_id(&household)?)?)),
        Call::History { document } => {
            let document = document_id(&document)?;
            let events = client.history(document, None)?;
            json(&events.iter().filter_map(|one| answer::event(document.kind, one)).collect::<Vec<_>>())
        }
        Call::Check { check } => json(&answer::CheckPage::from(client.check(check_id(&check)?)?)),
        Call::CheckForm { check, short } => json(&answer::form_page(client, check_id(&check)?, short)?),
        Call::QuestionTexts { form } => {
            let form = form::pinned(&form).ok_or_else(|| Problem::argument("form"))?;
            json(&question_texts(form))
        }
        Call::Findings { check } => json(&answer::leads(client, check_id(&check)?)?),
        Call::NotApplicable { check, result } => {
            json(&answer::not_applicable(client, check_id(&check)?, &result)?)
        }
        Call::Drafts => lines::<_, answer::CheckLine>(client.drafts()?),
        Call::Conflicts { village } => lines::<_, answer::Conflict>(client.conflicts(village_id(&village)?)?),
        Call::Reveal { document, key } => json(&client.reveal(document_id(&document)?, &key)?),
        Call::Status => json(&client.status()?),
        Call::Refused => lines::<_, answer::RefusedLine>(client.refused()?),
        Call::Codes { list } => codes(&list),
        Call::Overview { village, since } => json(&client.overview(village_id(&village)?, &since)?),
        Call::Devices => json(&client.devices()?),
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

fn read(said: &Said) -> Result<(Input, Because), Problem> {
    said.read().ok_or_else(|| Problem::argument("said"))
}

fn village_id(text: &str) -> Result<VillageId, Problem> {
    text.parse().map_err(|_| Problem::argument("village"))
}

fn household_id(text: &str) -> Result<HouseholdId, Problem> {
    text.parse().map_err(|_| Problem::argument("household"))
}

/// 32 bytes in standard base64.
pub(crate) fn bytes32(name: &str, text: &str) -> Result<[u8; 32], Problem> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Problem::argument(name))
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
