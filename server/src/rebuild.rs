//! Making every derived table again from the raw records.

use ruhu_ledger::signature::SecretKey;

use crate::belt::{Settled, settle_belt};
use crate::store::{LedgerStore, StoreError};

/// What a rebuild did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Documents made again.
    pub documents: u64,
    /// What the belt found on the way.
    pub settled: Settled,
}

/// Empties the derived tables and makes them again: documents from the accepted raw changes, and the
/// rest as the belt passes each document. A rebuild that is cut off is finished by the next settling.
///
/// # Errors
/// When the store fails.
pub fn rebuild(store: &dyn LedgerStore, now_ms: i64, key: &SecretKey) -> Result<Rebuilt, StoreError> {
    let documents = store.rebuild_documents()?;
    let settled = settle_belt(store, now_ms, key)?;
    Ok(Rebuilt { documents, settled })
}
