//! `ruhu sync --peer`: two devices in one room hand one another what each lacks.

use std::net::{TcpListener, TcpStream};

use dialoguer::Confirm;
use ruhu_client_core::{Carried, Client, Peer, PeerReport, SocketLink};
use ruhu_sync::peer::PeerSide;
use serde_json::{Value, json};

use super::wait;
use crate::arguments::Sync;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(client: &mut Client, asked: &Sync, output: &Output) -> Result<(), Failure> {
    let (socket, side) = match asked.peer.as_slice() {
        [word, address] if word == "listen" => (listen(address, output)?, PeerSide::Listener),
        [address] if address != "listen" => (call(address)?, PeerSide::Caller),
        other => return Err(Failure::Unknown(other.join(" "))),
    };
    let link = SocketLink::new(socket).map_err(Failure::Interrupted)?;
    let mut confirm = |peer: &Peer| asked.yes || is_right(peer, output);
    let report = wait(client.sync_with_peer(link, side, &mut confirm))??;
    tell(&report, output);
    match report.interrupted {
        Some(error) => Err(Failure::Interrupted(error)),
        None => Ok(()),
    }
}

/// Waits for one other device.
fn listen(address: &str, output: &Output) -> Result<TcpStream, Failure> {
    let failed =
        |error: std::io::Error| Failure::Socket { address: address.to_owned(), what: error.to_string() };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    output.notice(&output.message("ruhu_peer_listening", &[("address", &bound)]));
    Ok(listener.accept().map_err(failed)?.0)
}

fn call(address: &str) -> Result<TcpStream, Failure> {
    let failed =
        |error: std::io::Error| Failure::Socket { address: address.to_owned(), what: error.to_string() };
    TcpStream::connect(address).map_err(failed)
}

fn is_right(peer: &Peer, output: &Output) -> bool {
    let question = output.message(
        "ruhu_ask_peer",
        &[("name", &peer.name), ("words", &peer.words.join(" ")), ("code", &peer.code)],
    );
    Confirm::new().with_prompt(question).interact().unwrap_or(false)
}

fn tell(report: &PeerReport, output: &Output) {
    output.say(
        "ruhu_peer_synced",
        &[
            ("name", &report.peer.name),
            ("given", &report.given),
            ("receipts", &report.receipts_given),
            ("villages", &report.peer.villages.len()),
        ],
    );
    tell_carried(&report.taken, output);
    output.json(&json!({
        "peer": {
            "device": report.peer.device, "name": report.peer.name, "user": report.peer.user,
            "role": report.peer.role.name(), "words": report.peer.words, "code": report.peer.code,
            "villages": report.peer.villages,
        },
        "given": report.given, "receipts_given": report.receipts_given,
        "carried": carried_json(&report.taken), "complete": report.interrupted.is_none(),
    }));
}

/// Says what came.
pub(super) fn tell_carried(carried: &Carried, output: &Output) {
    output.say(
        "ruhu_carried",
        &[
            ("batches", &carried.batches),
            ("received", &carried.received),
            ("receipts", &(carried.receipts + carried.receipts_of_others)),
        ],
    );
    if carried.staged > 0 {
        output.say("ruhu_carried_staged", &[("staged", &carried.staged)]);
    }
    if carried.not_built > 0 {
        output.say("ruhu_carried_not_built", &[("count", &carried.not_built)]);
    }
    if carried.set_aside > 0 {
        output.say("ruhu_sync_set_aside", &[("count", &carried.set_aside)]);
    }
}

pub(super) fn carried_json(carried: &Carried) -> Value {
    json!({
        "batches": carried.batches, "received": carried.received, "staged": carried.staged,
        "receipts": carried.receipts, "receipts_of_others": carried.receipts_of_others,
        "decisions": carried.decisions, "keys": carried.keys, "set_aside": carried.set_aside,
        "not_built": carried.not_built,
    })
}
