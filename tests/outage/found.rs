//! What is found after a cut, held against what was promised before it, and whether work goes on.

use ruhu_client_core::{CheckState, Client, Edit, Error, Profile};
use ruhu_server::store::{LedgerStore as _, PeopleStore as _, StoreError};
use ruhu_survey::change::DocumentId;
use ruhu_survey::id::HouseholdId;
use ruhu_survey::shown::all_shown;

use super::machines::{Server, Trouble, create, enrol_device, open, say, sync};
use super::session::Fact;
use crate::disk::{Disk, Tape};

/// A key of the register that no session writes.
const AFTERWARDS: (&str, &str) = ("group_name", "事后");
/// The day on which all is looked at.
const AFTER: u32 = 9;

/// Starts both machines again, and holds what is there against what was promised: `promised` are the facts that
/// hold, `all` those of the whole session. Then a day's work must be possible.
pub(crate) fn examine(
    server_disk: &Disk,
    device_disk: &Disk,
    profile: Profile,
    promised: &[(usize, Fact)],
    all: &[(usize, Fact)],
) -> Result<(), Trouble> {
    sound(server_disk)?;
    let server = Server::start(server_disk, AFTER, &Tape::default())
        .map_err(|e| say("the server does not start")(&e))?;
    verified(&server)?;
    server_keeps(&server, promised)?;
    let client = opened(device_disk, profile, promised)?;
    device_keeps(&client, promised)?;
    nothing_by_halves(&client, all)?;
    work_goes_on(&server, client)
}

/// SQLite's own look at the server's file.
fn sound(disk: &Disk) -> Result<(), Trouble> {
    let opened = ruhu_sqlite::open(&disk.path("ruhu.db"), None, ruhu_sqlite::Profile::Server);
    let connection = opened.map_err(|e| say("the server's file does not open")(&e))?;
    let found: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .map_err(|e| say("integrity_check")(&e))?;
    if found == "ok" { Ok(()) } else { Err(format!("integrity_check: {found}")) }
}

fn verified(server: &Server) -> Result<(), Trouble> {
    if let Err(StoreError::NotFound(_)) = server.store.deployment() {
        // Whether it should be there is for the promises to say.
        return Ok(());
    }
    let verified = server.store.verify().map_err(|e| say("verify")(&e))?;
    match verified.first_bad {
        None => Ok(()),
        Some(bad) => Err(format!("the server's books disagree: {bad}")),
    }
}

fn server_keeps(server: &Server, promised: &[(usize, Fact)]) -> Result<(), Trouble> {
    for (_, fact) in promised {
        match fact {
            Fact::SetUp => {
                let set_up = server.store.verify().map_err(|e| say("verify")(&e))?;
                if set_up.first_bad.is_some() || set_up.batches == 0 || set_up.checkpoints == 0 {
                    return Err(format!("the server was set up and is empty: {set_up:?}"));
                }
            }
            Fact::Receipted(receipt) => {
                let kept = server.store.receipt(receipt.statement.batch).map_err(|e| say("receipt")(&e))?;
                if kept.as_ref() != Some(receipt.as_ref()) {
                    return Err(format!("batch {} was receipted and is lost", receipt.statement.batch));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Opens the device's store, or makes it if nobody was told that it is there.
fn opened(disk: &Disk, profile: Profile, promised: &[(usize, Fact)]) -> Result<Client, Trouble> {
    let created = promised.iter().any(|(_, fact)| matches!(fact, Fact::Created));
    match open(disk, profile, AFTER) {
        Ok(client) => Ok(client),
        Err(Error::StoreMissing(_)) if !created => {
            create(disk, profile, AFTER).map_err(|e| say("the store cannot be made after a cut")(&e))
        }
        Err(error) => Err(say("the store does not open")(&error)),
    }
}

fn device_keeps(client: &Client, promised: &[(usize, Fact)]) -> Result<(), Trouble> {
    for (_, fact) in promised {
        match fact {
            Fact::Enrolled => {
                let status = client.status().map_err(|e| say("status")(&e))?;
                status.device.ok_or("the device was enrolled and is not")?;
            }
            Fact::Written { household, fields } => {
                for field in fields {
                    if !holds(client, *household, *field)? {
                        return Err(format!("{field:?} was written and is lost"));
                    }
                }
            }
            Fact::Submitted(check) => {
                let view = client.check(*check).map_err(|e| say("check")(&e))?;
                if view.line.state != CheckState::Submitted {
                    return Err(format!("check {check} was submitted and is {:?}", view.line.state));
                }
                rebuilt(client, (*check).into())?;
            }
            Fact::Answered { check, key } => {
                // A draft's answers go into the document when it is submitted.
                let draft = client.draft(*check).map_err(|e| say("draft")(&e))?.answers;
                let fields = client.check(*check).map_err(|e| say("check")(&e))?.fields;
                let drafted = draft.iter().any(|answer| answer.key == *key);
                if !drafted && !fields.iter().any(|field| field.key == *key) {
                    return Err(format!("{key} was answered and is lost"));
                }
            }
            Fact::Received(count) => {
                let held = client.status().map_err(|e| say("status")(&e))?.last_receipts.len();
                if held < *count {
                    return Err(format!("{count} batches were received, {held} receipts are held"));
                }
            }
            Fact::SetUp | Fact::Receipted(_) | Fact::Created => {}
        }
    }
    Ok(())
}

/// A change that nobody was told of may be there or not, but whole.
fn nothing_by_halves(client: &Client, all: &[(usize, Fact)]) -> Result<(), Trouble> {
    for (_, fact) in all {
        let Fact::Written { household, fields: [one, other] } = fact else { continue };
        if holds(client, *household, *one)? != holds(client, *household, *other)? {
            return Err(format!("one of {one:?} and {other:?} is there without the other"));
        }
        if client.heads((*household).into()).is_ok() {
            rebuilt(client, (*household).into())?;
        }
    }
    Ok(())
}

fn holds(client: &Client, household: HouseholdId, field: (&str, &str)) -> Result<bool, Trouble> {
    match client.document(household.into()) {
        Ok(fields) => Ok(fields.iter().any(|found| (found.key.as_str(), found.text.as_str()) == field)),
        Err(Error::UnknownDocument(_)) => Ok(false),
        Err(error) => Err(say("document")(&error)),
    }
}

/// The stored register is the one that its changes make.
fn rebuilt(client: &Client, document: DocumentId) -> Result<(), Trouble> {
    let heads = client.heads(document).map_err(|e| say("heads")(&e))?;
    let register = client.as_of(document, &heads).map_err(|e| say("changes")(&e))?;
    let made: Vec<_> = all_shown(&register, document.kind).map(|(key, _)| key.value_key.to_owned()).collect();
    let stored = client.document(document).map_err(|e| say("document")(&e))?;
    let stored: Vec<_> = stored.into_iter().map(|field| field.key).collect();
    if made == stored && register.heads().iter().eq(&heads) {
        return Ok(());
    }
    Err(format!("{document:?}: the stored register holds {stored:?}, its changes make {made:?}"))
}

/// The device enrols if it is not, writes and syncs; the server verifies.
fn work_goes_on(server: &Server, mut client: Client) -> Result<(), Trouble> {
    server.set_up()?;
    if client.status().map_err(|e| say("status")(&e))?.device.is_none() {
        enrol_device(&mut client, server)?;
    }
    sync(&mut client, server)?;
    let village = client.villages().map_err(|e| say("villages")(&e))?.first().ok_or("no village")?.id;
    let listed = client.households(village, &Default::default()).map_err(|e| say("list")(&e))?;
    let household = listed.first().ok_or("no household is on the device")?.id;
    let (key, text) = AFTERWARDS;
    client.edit_household(household, &[Edit::text(key, text)]).map_err(|e| say("edit afterwards")(&e))?;
    let report = sync(&mut client, server)?;
    if report.progress.receipts == 0 || !holds(&client, household, AFTERWARDS)? {
        return Err("what was written afterwards was not received".to_owned());
    }
    verified(server)
}
