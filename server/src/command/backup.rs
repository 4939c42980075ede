//! `ruhu-server backup`, `restore` and `gaps`.

use std::path::{Path, PathBuf};

use super::{CommandError, Context, table};
use crate::backup;
use crate::clock::minute_of;
use crate::config::{Config, PhotosIn, Settings};
use crate::restore::{self, RestoreError};
use crate::store::epochs::{Gap, GapPlace};
use crate::store::people::{PeopleStore as _, PlaceStore as _};
use crate::store::{EpochStore as _, LedgerStore as _};
use ruhu_sqlite::Key32;
use ruhu_survey::message::say;

fn database_key(config: &Config) -> Option<Key32> {
    config.database_key.as_ref().map(|secret| Key32::new(*secret.bytes()))
}

pub(super) fn backup(context: &mut Context<'_>, folder: &Path, with_key: bool) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, keys) = context.open(&config)?;
    let now_ms = context.clock.now_ms();
    store.checkpoint_sign(now_ms, &keys.signing)?;
    let asked = backup::Asked {
        folder,
        with_key_of: with_key.then_some(context.data),
        photos_of: (config.photos == PhotosIn::Files).then_some(context.data),
        database_key: database_key(&config),
        now_ms,
    };
    let (path, manifest) = backup::make(&store, &asked)?;
    let root = manifest.root().unwrap_or_default();
    // Only now: the copy was read back, verified and is durable.
    store.watermark_advance(manifest.log_size, &root, context.clock.now_ms(), &keys.signing)?;
    context.say(
        "server_backup_done",
        &[
            ("path", &path.display()),
            ("leaves", &manifest.log_size),
            ("feed", &manifest.feed_end),
            ("bytes", &manifest.database_bytes),
        ],
    )?;
    context.say(if with_key { "server_backup_with_key" } else { "server_backup_without_key" }, &[])?;
    if manifest.encrypted {
        context.say("server_backup_encrypted", &[])?;
    }
    if manifest.photos > 0 {
        context.say("server_backup_photos", &[("photos", &manifest.photos)])?;
    }
    if manifest.photos_elsewhere > 0 {
        context.say("server_backup_photos_elsewhere", &[("photos", &manifest.photos_elsewhere)])?;
    }
    Ok(())
}

/// What `restore` was asked.
pub(super) struct Restore {
    pub(super) backup: PathBuf,
    pub(super) into: PathBuf,
    pub(super) by: String,
    pub(super) key: Option<PathBuf>,
    pub(super) signing_key_lost: bool,
}

pub(super) fn restore(context: &mut Context<'_>, asked: &Restore) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let restored = restore::restore(&restore::Asked {
        backup: &asked.backup,
        into: &asked.into,
        key_folder: asked.key.as_deref(),
        key_lost: asked.signing_key_lost,
        by: &asked.by,
        database_key: database_key(&config),
        wrap_key: config.wrap_key.as_ref().map(|secret| secret.bytes()),
        now_ms: context.clock.now_ms(),
    });
    let restored = restored.map_err(|error| match error {
        RestoreError::NoKey => CommandError::asked("server_error_restore_key", asked.backup.display()),
        RestoreError::NotEmpty(path) => CommandError::asked("server_error_restore_used", path.display()),
        other => other.into(),
    })?;
    let made = minute_of(restored.manifest.made_ms);
    context.say(
        "server_restored",
        &[
            ("path", &asked.into.display()),
            ("made", &made),
            ("leaves", &restored.manifest.log_size),
            ("by", &asked.by),
        ],
    )?;
    if restored.photos.copied > 0 {
        context.say("server_restored_photos", &[("photos", &restored.photos.copied)])?;
    }
    if restored.photos.missing > 0 {
        context.say("server_restored_photos_missing", &[("photos", &restored.photos.missing)])?;
    }
    let words = restored.start.server_key.fingerprint_words().join(" ");
    context.say("server_init_words", &[("words", &words)])?;
    let countersigned = asked.key.is_some() || restored.manifest.key_included;
    context.say(if countersigned { "server_restored_next" } else { "server_restored_key_lost" }, &[])?;
    context.say("server_restored_revoke", &[("made", &made)])
}

pub(super) fn gaps(context: &mut Context<'_>) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, _) = context.open(&config)?;
    let (gaps, devices, users) = (store.gaps()?, store.devices()?, store.users()?);
    let villages = store.villages_in(&std::collections::BTreeSet::from([String::new()]))?;
    let lang = context.lang;
    let codes = ["gap", "user", "device", "missing", "numbers", "proof", "found", "filled"];
    let mut table = table(&codes.map(|code| say(lang, &format!("server_head_{code}"), &[])));
    let name = |id| {
        let known = devices.iter().find(|device| device.id == id);
        known.map_or_else(|| id.to_string(), |device| device.name.clone())
    };
    for gap in &gaps {
        let Gap { first, last, missing, shown_by, found_ms, filled_ms, place } = gap;
        let (what, person, device) = match place {
            GapPlace::Log { epoch } => {
                (say(lang, "server_gap_log", &[("epoch", epoch)]), "—".to_owned(), "—".to_owned())
            }
            GapPlace::Chain { village, device, person, .. } => {
                let known = villages.iter().find(|known| known.id == *village);
                let person_known = users.iter().find(|user| user.id == *person);
                (
                    known.map_or_else(|| village.to_string(), |known| known.name.clone()),
                    person_known.map_or_else(|| person.to_string(), |user| user.name.clone()),
                    name(*device),
                )
            }
        };
        let filled = filled_ms.map_or_else(|| "—".to_owned(), minute_of);
        let numbers = format!("{first}–{last}");
        let found = minute_of(*found_ms);
        table.add_row([what, person, device, missing.to_string(), numbers, name(*shown_by), found, filled]);
    }
    let open = gaps.iter().filter(|gap| gap.filled_ms.is_none());
    let missing: u64 = open.clone().map(|gap| gap.missing).sum();
    if !gaps.is_empty() {
        context.print(table)?;
    }
    context.say("server_gaps_count", &[("open", &open.count()), ("missing", &missing)])
}
