//! Making snapshots of villages: when one is worth it, and from what.

use ruhu_ledger::snapshot::SignedSnapshot;
use ruhu_survey::id::VillageId;
use ruhu_sync::snapshot::{About, SnapshotError, seal};

use crate::belt::settle_belt;
use crate::keys::ServerKeys;
use crate::limits::{SNAPSHOT_ENTRIES, SNAPSHOTS_KEPT_MAX};
use crate::store::{Store, StoreError};

/// The version of the document schema that the changes are written in.
const DOCUMENT_SCHEMA: u16 = 1;

/// Why there is no snapshot to give.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store holds makes no snapshot.
    #[error("the village makes no snapshot")]
    Snapshot(#[from] SnapshotError),
}

/// The newest snapshot of a village; a new one when the feed has gone on far enough since the last. None for a
/// village whose feed is short, or while others keep writing.
///
/// # Errors
/// [`MakeError`]
pub fn current(
    store: &dyn Store,
    keys: &ServerKeys,
    now_ms: i64,
    village: VillageId,
) -> Result<Option<SignedSnapshot>, MakeError> {
    let newest = store.snapshot(village)?;
    let entries = match &newest {
        Some(newest) => newest.entries_since,
        None => store.feed_entries(village)?,
    };
    if entries < SNAPSHOT_ENTRIES {
        return Ok(newest.map(|newest| newest.statement));
    }
    settle_belt(store, now_ms, &keys.signing)?;
    let Some(material) = store.snapshot_material(village)? else {
        return Ok(newest.map(|newest| newest.statement));
    };
    let about = About {
        deployment: store.deployment()?.deployment,
        epoch: material.epoch,
        village,
        number: material.number,
        schema: DOCUMENT_SCHEMA,
        made_ms: now_ms,
        fingerprint: material.fingerprint,
    };
    let sealed = seal(&material.content, &about, &keys.signing)?;
    store.snapshot_keep(&sealed, SNAPSHOTS_KEPT_MAX)?;
    Ok(Some(sealed.statement))
}
