//! `ruhu-server init`: the keys, the database and the first epoch of a new installation.

use ruhu_ledger::epoch::{EpochStart, SignedEpochStart};
use ruhu_survey::id::{DeploymentId, EpochId};

use super::{CommandError, Context, DATABASE_FILE};
use crate::config::Settings;
use crate::enrol::{EnrolError, server_certificate};
use crate::keys::{KEY_FILE, ServerKeys, random};
use crate::store::{PeopleStore, SqliteStore, StoreError};

pub(super) fn init(context: &mut Context<'_>, name: &str) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    make_private(context.data)?;
    let keys_there = context.data.join(KEY_FILE).exists();
    if !keys_there && context.data.join(DATABASE_FILE).exists() {
        return Err(CommandError::asked("server_error_key_lost", context.data.display()));
    }
    // An `init` that was cut off after writing the keys goes on here.
    let keys =
        if keys_there { ServerKeys::load(context.data, None) } else { ServerKeys::create(context.data) };
    let keys = keys?;
    let store = context.open_store(&config)?;
    let start = begin(&store, &keys, context.clock.now_ms(), name).map_err(|error| match error {
        EnrolError::Store(StoreError::Conflict(_)) => {
            CommandError::asked("server_error_set_up_already", context.data.display())
        }
        other => other.into(),
    })?;
    let words = keys.signing.public().fingerprint_words().join(" ");
    context
        .say("server_init_done", &[("data", &context.data.display()), ("deployment", &start.deployment)])?;
    context.say("server_init_words", &[("words", &words)])?;
    context.say("server_init_next", &[])
}

/// Writes the deployment, its first epoch and the server's own certificate.
fn begin(store: &SqliteStore, keys: &ServerKeys, now_ms: i64, name: &str) -> Result<EpochStart, EnrolError> {
    let unsigned_ms = u64::try_from(now_ms).unwrap_or(0);
    let start = EpochStart {
        deployment: DeploymentId::v7(unsigned_ms, random()?),
        epoch: EpochId::v7(unsigned_ms, random()?),
        server_key: keys.signing.public(),
        started_ms: now_ms,
        previous: None,
    };
    let certificate = server_certificate(&start, keys, name, 1)?;
    store.deployment_begin(&SignedEpochStart::sign(start.clone(), &keys.signing)?, &certificate)?;
    Ok(start)
}

/// Makes the directory, and lets nobody else look into it.
fn make_private(path: &std::path::Path) -> Result<(), CommandError> {
    let failed = |source| CommandError::File { path: path.to_owned(), source };
    std::fs::create_dir_all(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}
