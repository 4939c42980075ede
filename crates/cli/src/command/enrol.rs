//! `ruhu enrol`: makes the encrypted store and binds it to a server.

use std::path::Path;

use dialoguer::Confirm;
use ruhu_client_core::{Client, Error, Invitation};
use serde_json::json;

use super::{environment, transport, wait};
use crate::arguments::Enrol;
use crate::failure::Failure;
use crate::output::Output;
use crate::passphrase;

pub(super) fn run(store: &Path, asked: &Enrol, output: &Output) -> Result<(), Failure> {
    let invitation = invitation(asked)?;
    let mut client = open_or_create(store, output)?;
    let transport = transport(&invitation.server)?;
    let mut compare = |words: [&'static str; 6]| asked.yes || is_same(words, output);
    let enrolled = wait(client.enrol(&invitation, &asked.name, &mut compare, &transport))??;
    let words = enrolled.server_words.join(" ");
    output.say("ruhu_enrolled", &[("name", &enrolled.user_name), ("villages", &enrolled.villages)]);
    output.say("ruhu_server_words", &[("words", &words)]);
    output.json(&json!({
        "user": enrolled.user_name, "villages": enrolled.villages, "server_words": enrolled.server_words,
    }));
    Ok(())
}

fn invitation(asked: &Enrol) -> Result<Invitation, Failure> {
    match (&asked.link, &asked.server, &asked.code) {
        (Some(link), _, _) => Ok(Invitation::from_link(link)?),
        (None, Some(server), Some(code)) => Ok(Invitation::typed(server, code)?),
        _ => Err(Error::InvalidLink("give a link, or --server and --code").into()),
    }
}

/// A store that was made before and not enrolled, as after a mistyped code, is used again.
fn open_or_create(store: &Path, output: &Output) -> Result<Client, Failure> {
    let passphrase = passphrase::fresh(output)?;
    match Client::create(store, &passphrase, environment()) {
        Err(Error::StoreExists(_)) => Ok(Client::open(store, &passphrase, environment())?),
        made => Ok(made?),
    }
}

fn is_same(words: [&'static str; 6], output: &Output) -> bool {
    let question = output.message("ruhu_ask_words", &[("words", &words.join(" "))]);
    Confirm::new().with_prompt(question).interact().unwrap_or(false)
}
