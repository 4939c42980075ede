//! `ruhu-server verify` and `rebuild`: the ledger proved, and what is derived from it made again.

use super::{CommandError, Context};
use crate::config::Settings;
use crate::rebuild;
use crate::store::LedgerStore as _;

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
    if verified.gaps > 0 {
        context.say("server_verified_gaps", &[("open", &verified.gaps)])?;
    }
    match verified.first_bad {
        None => context.say("server_verified_good", &[]),
        Some(bad) if bad.is_derived() => Err(CommandError::asked("server_error_first_bad_derived", bad)),
        Some(bad) => Err(CommandError::asked("server_error_first_bad", bad)),
    }
}

pub(super) fn rebuild(context: &mut Context<'_>) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, keys) = context.open(&config)?;
    let rebuilt = rebuild::rebuild(&store, context.clock.now_ms(), &keys.signing)?;
    context.say("server_rebuilt", &[("documents", &rebuilt.documents)])
}
