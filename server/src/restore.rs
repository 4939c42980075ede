//! Restoring a server from a backup (恢复): a new folder, a new epoch, a new key.
//!
//! The old log may have gone on after the backup, so it is not continued: the new epoch has a key and a
//! name of its own, and says under both keys which leaves it goes on from. Devices bring the rest back.

use std::fs;
use std::path::{Path, PathBuf};

use ruhu_ledger::epoch::EpochStart;
use ruhu_ledger::error::FormatError;
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::succession::{EpochLink, Succession};
use ruhu_ledger::watermark::{SignedWatermark, Watermark};
use ruhu_sqlite::Key32;
use ruhu_survey::id::EpochId;

use crate::backup::{self, BackupError, Copied, Manifest, UNFINISHED};
use crate::command::DATABASE_FILE;
use crate::enrol::{EnrolError, server_certificate};
use crate::keys::{KeyError, ServerKeys, random};
use crate::store::{EpochStore as _, PeopleStore as _, PhotoStore as _, SqliteStore, StoreError};

/// Why a server was not restored; nothing is left in the target then.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The target holds something.
    #[error("{0} is not empty: a server is restored into a folder of its own")]
    NotEmpty(PathBuf),
    /// An earlier restore into the target was cut off.
    #[error("{0} is left from a restore that was cut off: delete it, and restore again")]
    Unfinished(PathBuf),
    /// The key is another server's, or of another epoch.
    #[error("server.key is not the one that the backup names: its signing key is another")]
    OtherKey,
    /// The key file is not there and nobody said that it is lost.
    #[error(
        "server.key is not in the backup: name the folder that has it with --key, or say --signing-key-lost"
    )]
    NoKey,
    /// Without the old key file nothing unwraps the keys of private values.
    #[error("without server.key, wrap_key must be configured: private values cannot be read otherwise")]
    NoWrapKey,
    /// The backup cannot be used.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The server's certificate cannot be made.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The name is too long to be signed.
    #[error("the link of the epochs cannot be signed")]
    Sign(#[from] FormatError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is restored, where to, and by whom.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The backup's folder.
    pub backup: &'a Path,
    /// The new data directory.
    pub into: &'a Path,
    /// The folder with the old `server.key`, when it is not in the backup.
    pub key_folder: Option<&'a Path>,
    /// Whether the old signing key is lost.
    pub key_lost: bool,
    /// Who restores.
    pub by: &'a str,
    /// The key of the database.
    pub database_key: Option<Key32>,
    /// The configured wrap key.
    pub wrap_key: Option<&'a [u8; 32]>,
    /// The time.
    pub now_ms: i64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The beginning of the new epoch.
    pub start: EpochStart,
    /// What the backup held.
    pub manifest: Manifest,
    /// What came of the files of its photos.
    pub photos: Copied,
}

/// Restores a server.
///
/// # Errors
/// [`RestoreError`]; the target is as it was then.
pub fn restore(asked: &Asked<'_>) -> Result<Restored, RestoreError> {
    let unfinished = PathBuf::from(format!("{}{UNFINISHED}", asked.into.display()));
    refuse_used(asked.into, &unfinished)?;
    let manifest = backup::check(asked.backup)?;
    let old = old_keys(asked, &manifest)?;
    backup::make_private(&unfinished)?;
    let done = fill(asked, &manifest, old.as_ref(), &unfinished).and_then(|(start, photos)| {
        if asked.into.exists() {
            fs::remove_dir(asked.into).map_err(BackupError::file(asked.into))?;
        }
        fs::rename(&unfinished, asked.into).map_err(BackupError::file(asked.into))?;
        Ok(Restored { start, manifest, photos })
    });
    if done.is_err() {
        // Nothing but a copy and a key that signed nothing for anybody.
        let _ = fs::remove_dir_all(&unfinished);
    }
    done
}

fn refuse_used(into: &Path, unfinished: &Path) -> Result<(), RestoreError> {
    if unfinished.exists() {
        return Err(RestoreError::Unfinished(unfinished.to_owned()));
    }
    match fs::read_dir(into) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(RestoreError::NotEmpty(into.to_owned())),
            None => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(BackupError::file(into)(error).into()),
    }
}

/// The keys of the epoch that ends; none when its signing key is lost.
fn old_keys(asked: &Asked<'_>, manifest: &Manifest) -> Result<Option<ServerKeys>, RestoreError> {
    let folder = asked.key_folder.or(manifest.key_included.then_some(asked.backup));
    let Some(folder) = folder else {
        return match (asked.key_lost, asked.wrap_key) {
            (false, _) => Err(RestoreError::NoKey),
            (true, None) => Err(RestoreError::NoWrapKey),
            (true, Some(_)) => Ok(None),
        };
    };
    let keys = ServerKeys::load(folder, None)?;
    if keys.signing.public() == manifest.server_key { Ok(Some(keys)) } else { Err(RestoreError::OtherKey) }
}

fn fill(
    asked: &Asked<'_>,
    manifest: &Manifest,
    old: Option<&ServerKeys>,
    folder: &Path,
) -> Result<(EpochStart, Copied), RestoreError> {
    let database = folder.join(DATABASE_FILE);
    let source = asked.backup.join(DATABASE_FILE);
    fs::copy(&source, &database).map_err(BackupError::file(&source))?;
    backup::sync(&database)?;
    backup::check_database(&database, asked.database_key.clone(), manifest)?;
    let keys = ServerKeys::create_after(folder, old)?;
    let store = SqliteStore::open(&database, asked.database_key.clone())?;
    let epoch = EpochId::v7(u64::try_from(asked.now_ms).unwrap_or(0), random()?);
    let succeeding = Succeeding { epoch, backup_ms: manifest.made_ms, by: asked.by, now_ms: asked.now_ms };
    let start = succeed(&store, &succeeding, &keys, old)?;
    if let Some(bad) = crate::store::LedgerStore::verify(&store)?.first_bad {
        return Err(BackupError::Unsound(bad).into());
    }
    let photos = backup::copy_photos(&store.photos()?, asked.backup, folder)?;
    drop(store);
    backup::sync(&database)?;
    backup::sync(folder)?;
    Ok((start, photos))
}

/// A new epoch that is to begin on what a backup holds.
#[derive(Debug, Clone, Copy)]
pub struct Succeeding<'a> {
    /// Its id.
    pub epoch: EpochId,
    /// When the backup was made, milliseconds since 1970.
    pub backup_ms: i64,
    /// Who restores.
    pub by: &'a str,
    /// The time.
    pub now_ms: i64,
}

/// Begins a new epoch: writes its link, the certificate of the server's new device, and the watermark of
/// the backup. `old` are the keys of the epoch that ends, when they are not lost.
///
/// # Errors
/// When the store fails, or a statement cannot be signed.
pub fn succeed(
    store: &SqliteStore,
    asked: &Succeeding<'_>,
    keys: &ServerKeys,
    old: Option<&ServerKeys>,
) -> Result<EpochStart, RestoreError> {
    let (extent, ended) = (store.extent()?, store.deployment()?);
    let start = EpochStart {
        deployment: ended.deployment,
        epoch: asked.epoch,
        server_key: keys.signing.public(),
        started_ms: asked.now_ms,
        previous: Some(ended.epoch),
    };
    let says = |hash| Succession {
        deployment: ended.deployment,
        previous: ended.epoch,
        previous_key: ended.server_key,
        start: hash,
        size: extent.size,
        root: extent.root,
        backup_ms: asked.backup_ms,
        by: asked.by.to_owned(),
    };
    let countersigns: Option<&SecretKey> = old.map(|keys| &keys.signing);
    let link = EpochLink::sign(start.clone(), says, &keys.signing, countersigns)?;
    let serial = u64::try_from(asked.now_ms / 1_000).unwrap_or(0).max(store.next_serial()?);
    let certificate = server_certificate(&start, keys, "ruhu-server", serial)?;
    let watermark = Watermark {
        deployment: ended.deployment,
        epoch: start.epoch,
        size: extent.size,
        root: extent.root,
        verified_ms: asked.now_ms,
    };
    store.succeed(&link, &certificate, &SignedWatermark::sign(watermark, &keys.signing)?)?;
    Ok(start)
}
