//! `ruhu-server regions import`: the official list of codes and names.

use std::path::Path;

use ruhu_survey::id::VillageId;

use super::{CommandError, Context, wording};
use crate::clock::date_of;
use crate::config::Settings;
use crate::keys::{KeyError, KeyUse, ServerKeys, random};
use crate::region::{self, BadRow, Level, Plan};
use crate::store::people::{NewVillage, PlaceStore as _, Region, RegionCommit};

/// The bad rows and vanished codes that are printed one by one; the rest is counted.
const LINES_MAX: usize = 20;

pub(super) fn import(context: &mut Context<'_>, file: &Path, end_missing: bool) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, keys) = context.open(&config)?;
    let text = read_utf8(file)?;
    let plan = region::plan(&store.regions()?, region::read(&text));
    let now_ms = context.clock.now_ms();
    store.regions_commit(&commit(&plan, &keys, now_ms, end_missing)?, now_ms)?;
    report(context, &plan, end_missing)
}

/// Reads a file that must be UTF-8.
pub(super) fn read_utf8(file: &Path) -> Result<String, CommandError> {
    let bytes = std::fs::read(file).map_err(|source| CommandError::File { path: file.to_owned(), source })?;
    String::from_utf8(bytes).map_err(|_| CommandError::asked("server_error_not_utf8", file.display()))
}

fn commit(
    plan: &Plan,
    keys: &ServerKeys,
    now_ms: i64,
    end_missing: bool,
) -> Result<RegionCommit, CommandError> {
    let today = date_of(now_ms);
    let villages = plan.added.iter().filter(|row| region::level(&row.code) == Some(Level::Village));
    let added = plan.added.iter().map(|row| Region {
        code: row.code.clone(),
        name: row.name.clone(),
        valid_from: today.clone(),
        valid_until: None,
    });
    let ended = plan.vanished.iter().filter(|_| end_missing);
    Ok(RegionCommit {
        added: added.collect(),
        renamed: plan.renamed.iter().map(|(code, _, name)| (code.clone(), name.clone())).collect(),
        ended: ended.map(|region| (region.code.clone(), today.clone())).collect(),
        villages: villages.map(|row| new_village(row, keys, now_ms)).collect::<Result<_, _>>()?,
    })
}

fn new_village(row: &region::Row, keys: &ServerKeys, now_ms: i64) -> Result<NewVillage, KeyError> {
    let id = VillageId::v7(u64::try_from(now_ms).unwrap_or(0), random()?);
    let wrapped_key = keys.wrap(KeyUse::Village(id), &random::<32>()?)?;
    Ok(NewVillage { id, code: row.code.clone(), name: row.name.clone(), wrapped_key })
}

fn report(context: &mut Context<'_>, plan: &Plan, end_missing: bool) -> Result<(), CommandError> {
    let villages = plan.added.iter().filter(|row| region::level(&row.code) == Some(Level::Village)).count();
    context.say(
        "server_regions_done",
        &[
            ("added", &plan.added.len()),
            ("villages", &villages),
            ("renamed", &plan.renamed.len()),
            ("unchanged", &plan.unchanged),
            ("bad", &plan.bad.len()),
        ],
    )?;
    for (code, old, new) in plan.renamed.iter().take(LINES_MAX) {
        context.say("server_regions_renamed", &[("code", code), ("old", old), ("new", new)])?;
    }
    let vanished = if end_missing { "server_regions_ended" } else { "server_regions_vanished" };
    for region in plan.vanished.iter().take(LINES_MAX) {
        context.say(vanished, &[("code", &region.code), ("name", &region.name)])?;
    }
    say_rest(context, plan.vanished.len())?;
    for BadRow { line, problem } in plan.bad.iter().take(LINES_MAX) {
        let problem = wording::region(context.lang, problem);
        context.say("server_bad_line", &[("line", line), ("problem", &problem)])?;
    }
    say_rest(context, plan.bad.len())
}

/// Says how many lines were not printed.
fn say_rest(context: &mut Context<'_>, count: usize) -> Result<(), CommandError> {
    match count.saturating_sub(LINES_MAX) {
        0 => Ok(()),
        rest => context.say("server_and_more", &[("count", &rest)]),
    }
}
