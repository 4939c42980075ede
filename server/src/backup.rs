//! Backups (备份): a consistent copy of the database, read back and verified, with a manifest beside it.
//!
//! A backup is a folder. It is written under another name and renamed when everything in it was verified
//! and is durable, so a copy that was cut off never looks whole.

mod photos;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ruhu_ledger::signature::PublicKey;
use ruhu_ledger::tree::Hash;
use ruhu_sqlite::Key32;
use ruhu_survey::id::{DeploymentId, EpochId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::command::DATABASE_FILE;
use crate::keys::{KEY_FILE, hex};
use crate::store::epochs::Extent;
use crate::store::{
    EpochStore as _, LedgerStore as _, PeopleStore as _, PhotoStore as _, SqliteStore, StoreError,
};

pub use self::photos::Copied;
pub(crate) use self::photos::copy as copy_photos;

/// The manifest's name in a backup.
pub const MANIFEST_FILE: &str = "manifest.json";
/// What a manifest's first field says.
const FORMAT: &str = "ruhu-backup 1";
/// What the name of a copy ends with until it is whole.
pub(crate) const UNFINISHED: &str = ".unfinished";

/// Why a backup was not made, or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("{path} cannot be read or written")]
    File {
        /// Which.
        path: PathBuf,
        /// What the machine said.
        #[source]
        source: io::Error,
    },
    /// The manifest is not one.
    #[error("{path} is no manifest of a backup: {problem}")]
    Manifest {
        /// Which.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// The copy differs from its manifest.
    #[error("the copy is not what its manifest says: {0}")]
    Differs(&'static str),
    /// What was copied does not agree with itself.
    #[error("the copy does not verify: {0}")]
    Unsound(crate::verify::Bad),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull => Self::Store(StoreError::DiskFull),
            _ => Self::File { path, source },
        }
    }
}

/// What a backup holds, and what a restore needs besides it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `ruhu-backup 1`.
    pub format: String,
    /// The installation.
    pub deployment: DeploymentId,
    /// The life of its log.
    pub epoch: EpochId,
    /// When it was made, RFC 3339; for people.
    pub made_at: String,
    /// When it was made, milliseconds since 1970, by the server's clock.
    pub made_ms: i64,
    /// The last number of the feed.
    pub feed_end: u64,
    /// Leaves of the log.
    pub log_size: u64,
    /// The root over them, hexadecimal.
    pub log_root: String,
    /// The database's size in bytes.
    pub database_bytes: u64,
    /// The database's SHA-256, hexadecimal.
    pub database_sha256: String,
    /// Whether the database is encrypted: then a restore needs `database_key` of the configuration.
    pub encrypted: bool,
    /// The public key of the signing key that a restore needs, hexadecimal: it is in `server.key`.
    pub server_key: PublicKey,
    /// Whether `server.key` is in the backup.
    pub key_included: bool,
    /// Photos whose files are in the backup.
    #[serde(default)]
    pub photos: u64,
    /// Photos that the database names and whose files are not in the backup: they are in a bucket, or lost.
    #[serde(default)]
    pub photos_elsewhere: u64,
}

impl Manifest {
    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// [`BackupError::File`] or [`BackupError::Manifest`].
    pub fn read(backup: &Path) -> Result<Self, BackupError> {
        let path = backup.join(MANIFEST_FILE);
        let text = fs::read_to_string(&path).map_err(BackupError::file(&path))?;
        let refuse = |problem: String| BackupError::Manifest { path: path.clone(), problem };
        let manifest: Self = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        if manifest.format == FORMAT { Ok(manifest) } else { Err(refuse("another format".to_owned())) }
    }

    /// The root of the log.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        crate::keys::unhex(&self.log_root)
    }
}

/// What a backup is made of and where to.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The folder of backups; each gets a folder of its own in it.
    pub folder: &'a Path,
    /// The data directory, when `server.key` is to be copied too.
    pub with_key_of: Option<&'a Path>,
    /// The data directory, when photos are files in it.
    pub photos_of: Option<&'a Path>,
    /// The key of the database.
    pub database_key: Option<Key32>,
    /// The time.
    pub now_ms: i64,
}

/// Makes a backup and reads it back; answers its folder and manifest. The live database may be written to
/// meanwhile. Whatever fails leaves no folder that looks like a backup.
///
/// # Errors
/// [`BackupError`]
pub fn make(store: &SqliteStore, asked: &Asked<'_>) -> Result<(PathBuf, Manifest), BackupError> {
    fs::create_dir_all(asked.folder).map_err(BackupError::file(asked.folder))?;
    let made_at = Timestamp::from_millisecond(asked.now_ms).unwrap_or_default();
    let name = format!("ruhu-{}", made_at.strftime("%Y%m%dT%H%M%SZ"));
    let (mut target, mut again) = (asked.folder.join(&name), 1);
    while target.exists() {
        again += 1;
        target = asked.folder.join(format!("{name}-{again}"));
    }
    let unfinished = PathBuf::from(format!("{}{UNFINISHED}", target.display()));
    if unfinished.exists() {
        // The same second's copy was cut off; nothing of it was ever a backup.
        fs::remove_dir_all(&unfinished).map_err(BackupError::file(&unfinished))?;
    }
    make_private(&unfinished)?;
    let made = fill(store, asked, &unfinished, made_at).and_then(|manifest| {
        fs::rename(&unfinished, &target).map_err(BackupError::file(&target))?;
        sync(asked.folder)?;
        Ok((target, manifest))
    });
    if made.is_err() {
        // It would only take the room that may be what is lacking.
        let _ = fs::remove_dir_all(&unfinished);
    }
    made
}

fn fill(
    store: &SqliteStore,
    asked: &Asked<'_>,
    folder: &Path,
    made_at: Timestamp,
) -> Result<Manifest, BackupError> {
    let database = folder.join(DATABASE_FILE);
    store.copy_to(&database)?;
    let (extent, deployment, server_key) = read_back(&database, asked.database_key.clone())?;
    sync(&database)?;
    // Whatever was received after the copy is more than its database names, and no less.
    let named = store.photos()?;
    let copied = match asked.photos_of {
        Some(data) => copy_photos(&named, data, folder)?,
        None => Copied { copied: 0, missing: named.len() as u64 },
    };
    if let Some(data) = asked.with_key_of {
        copy_private(&data.join(KEY_FILE), &folder.join(KEY_FILE))?;
    }
    let (database_bytes, database_sha256) = digest(&database)?;
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        deployment,
        epoch: extent.epoch,
        made_at: made_at.to_string(),
        made_ms: made_at.as_millisecond(),
        feed_end: extent.feed_end,
        log_size: extent.size,
        log_root: hex(&extent.root),
        database_bytes,
        database_sha256,
        encrypted: asked.database_key.is_some(),
        server_key,
        key_included: asked.with_key_of.is_some(),
        photos: copied.copied,
        photos_elsewhere: copied.missing,
    };
    let path = folder.join(MANIFEST_FILE);
    let text = serde_json::to_string_pretty(&manifest).unwrap_or_default() + "\n";
    fs::write(&path, text).map_err(BackupError::file(&path))?;
    sync(&path)?;
    sync(folder)?;
    Ok(manifest)
}

/// Opens a copy and verifies everything in it.
fn read_back(database: &Path, key: Option<Key32>) -> Result<(Extent, DeploymentId, PublicKey), BackupError> {
    let copy = SqliteStore::open(database, key)?;
    if let Some(bad) = copy.verify()?.first_bad {
        return Err(BackupError::Unsound(bad));
    }
    let start = copy.deployment()?;
    Ok((copy.extent()?, start.deployment, start.server_key))
}

/// Verifies that a backup is what its manifest says, byte for byte.
///
/// # Errors
/// [`BackupError`]
pub fn check(backup: &Path) -> Result<Manifest, BackupError> {
    let manifest = Manifest::read(backup)?;
    let (bytes, sha256) = digest(&backup.join(DATABASE_FILE))?;
    if bytes != manifest.database_bytes {
        return Err(BackupError::Differs("the database has another size"));
    }
    if sha256 != manifest.database_sha256 {
        return Err(BackupError::Differs("the database has another SHA-256"));
    }
    Ok(manifest)
}

/// Verifies the copy of a backup's database as `verify` does, and that it is the manifest's.
///
/// # Errors
/// [`BackupError`]
pub fn check_database(
    database: &Path,
    key: Option<Key32>,
    manifest: &Manifest,
) -> Result<Extent, BackupError> {
    let (extent, deployment, server_key) = read_back(database, key)?;
    let said = (manifest.deployment, manifest.epoch, manifest.log_size, manifest.root(), manifest.server_key);
    if said == (deployment, extent.epoch, extent.size, Some(extent.root), server_key) {
        Ok(extent)
    } else {
        Err(BackupError::Differs("its log is another"))
    }
}

fn digest(path: &Path) -> Result<(u64, String), BackupError> {
    let mut file = File::open(path).map_err(BackupError::file(path))?;
    let mut digest = Sha256::new();
    let bytes = io::copy(&mut file, &mut Digesting(&mut digest)).map_err(BackupError::file(path))?;
    Ok((bytes, hex(&digest.finalize())))
}

struct Digesting<'a>(&'a mut Sha256);

impl io::Write for Digesting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a folder that only its owner may look into.
pub(crate) fn make_private(folder: &Path) -> Result<(), BackupError> {
    fs::create_dir_all(folder).map_err(BackupError::file(folder))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(BackupError::file(folder))?;
    }
    Ok(())
}

/// Copies a secret with its permissions, durably.
pub(crate) fn copy_private(from: &Path, to: &Path) -> Result<(), BackupError> {
    fs::copy(from, to).map_err(BackupError::file(from))?;
    sync(to)
}

/// Makes a file or folder durable.
pub(crate) fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(BackupError::file(path))
}
