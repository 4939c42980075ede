//! `ruhu-server bundle`: a stick that reaches the office, and goes home with the receipts.

use std::io::Write as _;
use std::path::Path;

use ruhu_sync::limits::BUNDLE_BYTES_MAX;

use super::{CommandError, Context};
use crate::bundle;
use crate::config::Settings;
use crate::store::people::PlaceStore as _;

pub(super) fn import(context: &mut Context<'_>, file: &Path) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, keys) = context.open(&config)?;
    let bytes = read(file)?;
    let imported = bundle::import(&store, &keys, context.clock.now_ms(), &bytes)?;
    context.say(
        "server_bundle_imported",
        &[
            ("received", &imported.received),
            ("repeated", &imported.repeated),
            ("staged", &imported.staged),
            ("keys", &imported.keys),
        ],
    )?;
    for (batch, rejection) in &imported.rejected {
        let batch = batch.map(|batch| batch.to_string()).unwrap_or_default();
        context.say("server_bundle_rejected", &[("batch", &batch), ("why", rejection)])?;
    }
    for damage in &imported.damage {
        context.say("server_bundle_damage", &[("at", &damage.at), ("what", &damage.kind)])?;
    }
    if imported.foreign > 0 {
        context.say("server_bundle_foreign", &[("parts", &imported.foreign)])?;
    }
    if imported.damage.is_empty() && imported.rejected.is_empty() {
        return Ok(());
    }
    Err(CommandError::asked("server_error_bundle", file.display()))
}

pub(super) fn export(context: &mut Context<'_>, file: &Path, code: &str) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, keys) = context.open(&config)?;
    let village = store.village_of_code(code)?;
    let village = village.ok_or_else(|| CommandError::asked("server_error_village_unknown", code))?;
    let held = if file.exists() { read(file)? } else { Vec::new() };
    let appended = bundle::export(&store, &keys, context.clock.now_ms(), &held, village.id)?;
    append(file, &appended).map_err(|source| CommandError::File { path: file.to_owned(), source })?;
    context.say("server_bundle_exported", &[("file", &file.display()), ("bytes", &appended.len())])
}

fn append(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read(file: &Path) -> Result<Vec<u8>, CommandError> {
    let failed = |source| CommandError::File { path: file.to_owned(), source };
    let length = std::fs::metadata(file).map_err(failed)?.len();
    if length > BUNDLE_BYTES_MAX {
        return Err(CommandError::asked("server_error_bundle_large", file.display()));
    }
    std::fs::read(file).map_err(failed)
}
