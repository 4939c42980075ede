//! `ruhu-server quarantine`: what was kept apart, and what two named people decide about it.

use ruhu_ledger::limits::{NAME_BYTES_MAX, REASON_BYTES_MAX};
use ruhu_survey::change::{DocumentId, DocumentKind};
use ruhu_survey::message::{Lang, say};

use super::{CommandError, Context, table, user_named};
use crate::belt::settle_belt;
use crate::clock::minute_of;
use crate::config::Settings;
use crate::quarantine::{Choice, DECIDERS, NotRuled, Proposal, Quarantined, Ruled, Ruling};
use crate::store::people::{PeopleStore as _, PlaceStore as _, User};
use crate::store::{LedgerStore as _, SqliteStore};

/// What a person asks for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The change, or the beginning of its name.
    pub(super) change: String,
    pub(super) choice: Choice,
    pub(super) by: String,
    pub(super) reason: String,
}

pub(super) fn list(context: &mut Context<'_>, village: Option<String>) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let store = context.open_store(&config)?;
    let village = match village {
        None => None,
        Some(code) => {
            let found = store.village_of_code(&code)?;
            Some(found.ok_or_else(|| CommandError::asked("server_error_village_unknown", code))?.id)
        }
    };
    let lang = context.lang;
    let users = store.users()?;
    let listed = store.in_quarantine(village)?;
    let codes = ["change", "document", "keys", "rule", "user", "received", "proposal"];
    let mut table = table(&codes.map(|code| say(lang, &format!("server_head_{code}"), &[])));
    for one in &listed {
        table.add_row([
            short(one),
            document(one.document, lang),
            keys(one),
            rule(&one.rule, lang),
            name_of(&users, one),
            minute_of(one.received_ms),
            standing(one, lang),
        ]);
    }
    context.print(table)?;
    context.say("server_quarantine_count", &[("count", &listed.len())])
}

pub(super) fn show(context: &mut Context<'_>, asked: &str) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let store = context.open_store(&config)?;
    let one = named(&store, asked)?;
    let lang = context.lang;
    let village = one.village.to_string();
    let because = one.because.map_or_else(|| "—".to_owned(), |hash| hash.to_string());
    let lines: [(&str, String); 10] = [
        ("change", one.change.to_string()),
        ("village", village),
        ("document", format!("{} {}", document(one.document, lang), one.document)),
        ("keys", one.keys.join(", ")),
        ("rule", format!("{} ({})", rule(&one.rule, lang), one.rule)),
        ("because", because),
        ("user", name_of(&store.users()?, &one)),
        ("id", one.device.to_string()),
        ("received", minute_of(one.received_ms)),
        ("proposal", standing(&one, lang)),
    ];
    for (code, text) in lines {
        let head = say(lang, &format!("server_head_{code}"), &[]);
        context.print(format!("{head}: {text}"))?;
    }
    Ok(())
}

pub(super) fn rule_on(context: &mut Context<'_>, asked: &Asked) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, keys) = context.open(&config)?;
    let reason = asked.reason.trim();
    if reason.is_empty() || reason.len() > REASON_BYTES_MAX {
        return Err(CommandError::asked("server_error_reason", REASON_BYTES_MAX));
    }
    let one = named(&store, &asked.change)?;
    let user = decider(&store, &asked.by, &one)?;
    let ruling = Ruling {
        change: one.change,
        choice: asked.choice,
        by: user.id,
        name: cut(&user.name),
        reason: reason.to_owned(),
    };
    let now_ms = context.clock.now_ms();
    match store.rule_on(&ruling, now_ms, &keys.signing)? {
        Ruled::Proposed => context.say("server_quarantine_proposed", &[("name", &user.name)]),
        Ruled::Decided(signed) => {
            // It is not given to anybody, nor read, before it was shown to load.
            settle_belt(&store, now_ms, &keys.signing)?;
            let Some(people) = &signed.statement.people else { return Ok(()) };
            let code = match asked.choice {
                Choice::Adopt => "server_quarantine_adopted",
                Choice::Refuse => "server_quarantine_refused",
            };
            context.say(code, &[("first", &people.proposed_name), ("second", &people.confirmed_name)])
        }
        Ruled::Not(why) => Err(not_ruled(&why)),
    }
}

fn not_ruled(why: &NotRuled) -> CommandError {
    match why {
        NotRuled::NotInQuarantine => CommandError::asked("server_error_quarantine_unknown", ""),
        NotRuled::OwnChange => CommandError::asked("server_error_quarantine_own", ""),
        NotRuled::SamePerson => CommandError::asked("server_error_quarantine_second", ""),
        NotRuled::StandsOn(needs) => {
            let needs: Vec<String> = needs.iter().map(ToString::to_string).collect();
            CommandError::asked("server_error_quarantine_stands_on", needs.join(", "))
        }
        NotRuled::DoesNotFit(what) => CommandError::asked("server_error_quarantine_fit", what),
    }
}

/// A person who may decide over a change: by role, and because its village is one of theirs.
fn decider(store: &SqliteStore, name: &str, one: &Quarantined) -> Result<User, CommandError> {
    let user = user_named(store, name)?;
    let covers = store.villages_in(&user.regions)?.iter().any(|village| village.id == one.village);
    if DECIDERS.contains(&user.role) && covers {
        Ok(user)
    } else {
        Err(CommandError::asked("server_error_quarantine_role", name))
    }
}

/// The one change in quarantine whose name begins so.
fn named(store: &SqliteStore, asked: &str) -> Result<Quarantined, CommandError> {
    let asked = asked.trim().to_lowercase();
    let mut found = store.in_quarantine(None)?;
    found.retain(|one| !asked.is_empty() && one.change.to_string().starts_with(&asked));
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (Some(_), _) => Err(CommandError::asked("server_error_quarantine_ambiguous", asked)),
        (None, _) => Err(CommandError::asked("server_error_quarantine_unknown", asked)),
    }
}

fn cut(name: &str) -> String {
    let end = name.floor_char_boundary(NAME_BYTES_MAX.min(name.len()));
    name.split_at(end).0.to_owned()
}

/// Enough of a name to tell it from others, as the other commands take it.
fn short(one: &Quarantined) -> String {
    one.change.to_string().chars().take(12).collect()
}

fn document(document: DocumentId, lang: Lang) -> String {
    let code = match document.kind {
        DocumentKind::Household => "server_kind_household",
        DocumentKind::Check => "server_kind_check",
        DocumentKind::Issue => "server_kind_issue",
        DocumentKind::Village => "server_kind_village",
    };
    say(lang, code, &[])
}

/// The key that breaks the rule where it is known, else the first ones.
fn keys(one: &Quarantined) -> String {
    const SHOWN: usize = 3;
    let mut shown: Vec<&str> = one.keys.iter().map(String::as_str).take(SHOWN).collect();
    if one.keys.len() > SHOWN {
        shown.push("…");
    }
    one.detail.clone().unwrap_or_else(|| shown.join(", "))
}

/// A rule in words where the table has them, else its code.
fn rule(code: &str, lang: Lang) -> String {
    let asked = format!("ruhu_rule_{code}");
    let said = say(lang, &asked, &[]);
    if said == asked { code.to_owned() } else { said }
}

fn name_of(users: &[User], one: &Quarantined) -> String {
    users.iter().find(|user| user.id == one.user).map_or("—", |user| user.name.as_str()).to_owned()
}

fn standing(one: &Quarantined, lang: Lang) -> String {
    let proposal = one.proposal.as_ref().map(|Proposal { choice, name, reason, .. }| {
        let code = match choice {
            Choice::Adopt => "server_proposal_adopt",
            Choice::Refuse => "server_proposal_refuse",
        };
        say(lang, code, &[("name", name), ("reason", reason)])
    });
    let replaced = one.replaced_by.map(|_| say(lang, "server_quarantine_replaced", &[]));
    let said: Vec<String> = proposal.into_iter().chain(replaced).collect();
    if said.is_empty() { "—".to_owned() } else { said.join("; ") }
}
