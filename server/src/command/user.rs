//! `ruhu-server user`: accounts, their regions, their tokens.

use std::collections::BTreeSet;

use ruhu_survey::id::UserId;
use ruhu_survey::message::say;
use ruhu_survey::role::Role;

use super::{CommandError, Context, table, user_named};
use crate::config::Settings;
use crate::enrol::new_token;
use crate::keys::random;
use crate::region;
use crate::store::people::{PeopleStore as _, PlaceStore as _, User};
use crate::store::{SqliteStore, StoreError};

/// The longest name of a person, in characters (domain.md §3.2: a person's name has up to 25).
const NAME_CHARS_MAX: usize = 60;

pub(super) fn add(
    context: &mut Context<'_>,
    name: &str,
    role: &str,
    regions: &[String],
) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, _) = context.open(&config)?;
    let now_ms = context.clock.now_ms();
    let user = User {
        id: UserId::v7(u64::try_from(now_ms).unwrap_or(0), random()?),
        name: checked_name(name)?,
        role: role_named(role)?,
        regions: known_regions(&store, regions)?,
    };
    store.user_add(&user, now_ms).map_err(|error| match error {
        StoreError::Conflict(_) => CommandError::asked("server_error_name_taken", &user.name),
        other => other.into(),
    })?;
    let villages = store.villages_in(&user.regions)?.len();
    context.say(
        "server_user_added",
        &[("name", &user.name), ("role", &user.role.name()), ("villages", &villages)],
    )
}

fn checked_name(name: &str) -> Result<String, CommandError> {
    let name = name.trim();
    let chars = name.chars().count();
    if chars == 0 || chars > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(CommandError::asked("server_error_name_form", NAME_CHARS_MAX));
    }
    Ok(name.to_owned())
}

/// A role that a person can have; the server's own is not one.
fn role_named(name: &str) -> Result<Role, CommandError> {
    let role = Role::from_name(name).filter(|role| *role != Role::Server);
    role.ok_or_else(|| CommandError::asked("server_error_role_unknown", name))
}

fn known_regions(store: &SqliteStore, codes: &[String]) -> Result<BTreeSet<String>, CommandError> {
    let known: BTreeSet<String> = store.regions()?.into_iter().map(|region| region.code).collect();
    let short = |code: &String| {
        let short = region::normalise(code).filter(|short| known.contains(*short));
        short.map(str::to_owned).ok_or_else(|| CommandError::asked("server_error_region_unknown", code))
    };
    codes.iter().map(short).collect()
}

pub(super) fn list(context: &mut Context<'_>) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, _) = context.open(&config)?;
    let lang = context.lang;
    let headings = [
        say(lang, "server_head_name", &[]),
        say(lang, "server_head_role", &[]),
        say(lang, "server_head_regions", &[]),
        say(lang, "server_head_villages", &[]),
    ];
    let mut table = table(&headings);
    let users = store.users()?;
    for user in &users {
        let regions: Vec<&str> = user.regions.iter().map(String::as_str).collect();
        let villages = store.villages_in(&user.regions)?.len();
        table.add_row([&user.name, user.role.name(), &regions.join(" "), &villages.to_string()]);
    }
    context.print(table)?;
    context.say("server_users_count", &[("count", &users.len())])
}

pub(super) fn token(context: &mut Context<'_>, name: &str) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, _) = context.open(&config)?;
    let user = user_named(&store, name)?;
    let (token, hash) = new_token()?;
    store.token_add(user.id, &hash, context.clock.now_ms())?;
    context.print(token)?;
    context.say("server_token_once", &[("name", &user.name)])
}

pub(super) fn revoke_tokens(context: &mut Context<'_>, name: &str) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, _) = context.open(&config)?;
    let user = user_named(&store, name)?;
    let count = store.tokens_revoke(user.id, context.clock.now_ms())?;
    context.say("server_tokens_revoked", &[("name", &user.name), ("count", &count)])
}
