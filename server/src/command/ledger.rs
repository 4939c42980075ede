//! `ruhu-server verify` and `rebuild`: the ledger proved, and what is derived from it made again.

use super::{CommandError, Context};
use crate::config::{Config, Settings};
use crate::photos::PhotoShelf;
use crate::rebuild;
use crate::serve::ServeError;
use crate::store::{LedgerStore as _, PhotoStore as _, SqliteStore};

pub(super) fn verify(context: &mut Context<'_>) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, _) = context.open(&config)?;
    let verified = store.verify()?;
    context.say(
        "server_verified",
        &[
            ("leaves", &verified.leaves),
            ("batches", &verified.batches),
            ("changes", &verified.changes),
            ("documents", &verified.documents),
            ("checkpoints", &verified.checkpoints),
        ],
    )?;
    tell_photos(context, &config, &store)?;
    if verified.gaps > 0 {
        context.say("server_verified_gaps", &[("open", &verified.gaps)])?;
    }
    match verified.first_bad {
        None => context.say("server_verified_good", &[]),
        Some(bad) if bad.is_derived() => Err(CommandError::asked("server_error_first_bad_derived", bad)),
        Some(bad) => Err(CommandError::asked("server_error_first_bad", bad)),
    }
}

/// Says of the photos that were received how many are where they are kept.
fn tell_photos(context: &mut Context<'_>, config: &Config, store: &SqliteStore) -> Result<(), CommandError> {
    let photos = store.photos()?;
    if photos.is_empty() {
        return Ok(());
    }
    let shelf = PhotoShelf::open(&config.photos, context.data)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| CommandError::Serve(ServeError::Io(source)))?;
    let missing = runtime.block_on(async {
        let mut missing = 0_u64;
        for ((village, photo), bytes) in &photos {
            missing += u64::from(shelf.bytes_of(*village, photo).await? != Some(*bytes));
        }
        Ok::<_, CommandError>(missing)
    })?;
    context.say("server_verified_photos", &[("photos", &photos.len())])?;
    if missing > 0 {
        context.say("server_verified_photos_missing", &[("photos", &missing)])?;
    }
    Ok(())
}

pub(super) fn rebuild(context: &mut Context<'_>) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, keys) = context.open(&config)?;
    let rebuilt = rebuild::rebuild(&store, context.clock.now_ms(), &keys.signing)?;
    context.say("server_rebuilt", &[("documents", &rebuilt.documents)])
}
