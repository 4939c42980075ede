//! `ruhu-server roster import`.

use std::fs::File;
use std::path::{Path, PathBuf};

use ruhu_survey::id::UserId;

use super::{CommandError, Context, user_named, wording};
use crate::belt::settle_belt;
use crate::config::Settings;
use crate::enrol::NOBODY;
use crate::roster::import::{Import, Plan, plan};
use crate::store::SqliteStore;
use crate::store::people::PlaceStore as _;

/// The lines that are printed one by one; the rest is counted.
const LINES_MAX: usize = 50;

/// What was asked for.
pub(super) struct Asked {
    pub(super) file: PathBuf,
    pub(super) village: String,
    pub(super) preview: bool,
    pub(super) by: Option<String>,
    pub(super) roster: String,
}

pub(super) fn import(context: &mut Context<'_>, asked: &Asked) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, keys) = context.open(&config)?;
    let village = store.village_of_code(&asked.village)?;
    let village =
        village.ok_or_else(|| CommandError::asked("server_error_village_unknown", &asked.village))?;
    let by = importer(&store, asked.by.as_deref())?;
    let file = std::fs::read(&asked.file)
        .map_err(|source| CommandError::File { path: asked.file.clone(), source })?;
    let _alone = alone(context.data)?;
    let clock = context.clock.clone();
    let import = Import {
        store: &store,
        keys: &keys,
        clock: clock.as_ref(),
        village: &village,
        roster: &asked.roster,
        by,
        allow_unissued_area: config.allow_unissued_area,
    };
    let plan = plan(&import, &file)?;
    report(context, &plan, &village.name)?;
    if asked.preview {
        return context.say("server_roster_preview", &[]);
    }
    let batches = plan.commit(&import)?;
    settle_belt(&store, clock.now_ms(), &keys.signing)?;
    context.say("server_roster_done", &[("batches", &batches)])
}

fn importer(store: &SqliteStore, name: Option<&str>) -> Result<UserId, CommandError> {
    name.map_or(Ok(NOBODY), |name| Ok(user_named(store, name)?.id))
}

/// Two imports at once would both found the same households, so the second waits here for the first.
fn alone(data: &Path) -> Result<File, CommandError> {
    let path = data.join("roster.lock");
    let failed = |source| CommandError::File { path: path.clone(), source };
    let file = File::create(&path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

fn report(context: &mut Context<'_>, plan: &Plan, village: &str) -> Result<(), CommandError> {
    let counts = &plan.counts;
    context.say(
        "server_roster_households",
        &[
            ("village", &village),
            ("new", &counts.households_new),
            ("changed", &counts.households_changed),
            ("unchanged", &counts.households_unchanged),
            ("gone", &counts.households_gone),
        ],
    )?;
    context.say(
        "server_roster_people",
        &[
            ("people", &counts.people),
            ("new", &counts.tally.members_new),
            ("gone", &counts.tally.members_gone),
            ("met", &counts.tally.members_met),
            ("written", &counts.tally.written),
            ("left", &counts.tally.left),
        ],
    )?;
    let (rows, cells) = (&plan.read.bad_rows, &plan.read.bad_cells);
    context.say("server_roster_bad", &[("rows", &rows.len()), ("cells", &cells.len())])?;
    for bad in rows.iter().take(LINES_MAX) {
        let problem = wording::roster(context.lang, &bad.problem);
        context.say("server_bad_line", &[("line", &bad.line), ("problem", &problem)])?;
    }
    for bad in cells.iter().take(LINES_MAX) {
        let problem = wording::roster(context.lang, &bad.problem);
        context.say("server_roster_cell", &[("line", &bad.line), ("problem", &problem)])?;
    }
    let unsaid = rows.len().saturating_sub(LINES_MAX) + cells.len().saturating_sub(LINES_MAX);
    if unsaid > 0 {
        context.say("server_and_more", &[("count", &unsaid)])?;
    }
    for (name, count) in &plan.read.elsewhere {
        context.say("server_roster_elsewhere", &[("name", name), ("count", count)])?;
    }
    match plan.unknown_headings.join(" ") {
        none if none.is_empty() => Ok(()),
        headings => context.say("server_roster_headings", &[("headings", &headings)]),
    }
}
