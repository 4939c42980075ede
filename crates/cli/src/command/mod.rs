//! What each command does with the device.

mod bare;
mod bundle;
mod check;
mod conflict;
mod devices;
mod dialogue;
mod edit;
mod enrol;
mod form;
mod history;
mod list;
mod peer;
mod photo;
mod qr;
mod show;
mod status;
mod sync;
mod value;

use ruhu_client_core::{Client, HttpTransport, SystemEnvironment};

use crate::arguments::{Arguments, Command, Unlock};
use crate::failure::Failure;
use crate::output::Output;
use crate::passphrase;

/// Does what the arguments ask for.
pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    match &arguments.command {
        Command::Enrol(invitation) => enrol::run(&arguments.store, invitation, output),
        Command::Form(asked) => form::run(asked, output),
        Command::Unlock(unlock) => status::unlock(&mut open_with(arguments, unlock, output)?, unlock, output),
        other => run_on(&mut open(arguments, output)?, other, output),
    }
}

fn run_on(client: &mut Client, command: &Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Enrol(_) | Command::Unlock(_) | Command::Form(_) => Ok(()),
        Command::Villages => list::villages(client, output),
        Command::Devices(place) => devices::run(client, place, output),
        Command::List(wanted) => list::households(client, wanted, output),
        Command::Show(one) => show::run(client, &one.household, output),
        Command::Check(asked) => check::run(client, asked, output),
        Command::Edit(edit) => edit::field(client, edit, output),
        Command::Found(found) => edit::found(client, found, output),
        Command::AddMember(member) => edit::add_member(client, member, output),
        Command::EndMember(member) => edit::end_member(client, member, output),
        Command::Conflicts(place) => conflict::list(client, place, output),
        Command::Settle(settle) => conflict::settle(client, settle, output),
        Command::History(history) => history::run(client, history, output),
        Command::Status => status::run(client, output),
        Command::Sync(asked) if !asked.peer.is_empty() => peer::run(client, asked, output),
        Command::Sync(asked) => sync::run(client, asked.no_photos, output),
        Command::Bundle(asked) => bundle::run(client, asked, output),
        Command::Photo(asked) => photo::run(client, asked, output),
    }
}

fn open(arguments: &Arguments, output: &Output) -> Result<Client, Failure> {
    let passphrase = passphrase::existing(output)?;
    Ok(Client::open(&arguments.store, &passphrase, environment())?)
}

fn open_with(arguments: &Arguments, unlock: &Unlock, output: &Output) -> Result<Client, Failure> {
    if !unlock.set_aside {
        return open(arguments, output);
    }
    let passphrase = passphrase::fresh(output)?;
    Ok(Client::open_aside(&arguments.store, &passphrase, environment())?)
}

fn environment() -> Box<SystemEnvironment> {
    Box::new(SystemEnvironment::new())
}

/// A transport to a server's address.
fn transport(address: &str) -> Result<HttpTransport, Failure> {
    let transport = match std::env::var_os("RUHU_TLS_ROOTS") {
        None => HttpTransport::new(address),
        Some(path) => {
            let path = std::path::PathBuf::from(path);
            let roots = std::fs::read(&path)
                .map_err(|error| Failure::File { path: path.clone(), what: error.to_string() })?;
            HttpTransport::with_roots(address, &roots)
        }
    };
    transport.map_err(|error| Failure::Device(error.into()))
}

/// Runs the one thing that waits for a network.
fn wait<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Unknown(error.to_string()))?;
    Ok(runtime.block_on(future))
}
