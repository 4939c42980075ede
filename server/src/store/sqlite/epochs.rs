//! The store's epochs, watermarks and gaps over one SQLite file.

use std::path::Path;

use ruhu_ledger::certificate::SignedCertificate;
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::succession::EpochLink;
use ruhu_ledger::tree::Hash;
use ruhu_ledger::watermark::SignedWatermark;
use ruhu_sqlite::Profile;
use ruhu_survey::id::DeviceId;
use ruhu_sync::Offer;

use super::append::Desk;
use super::{SqliteStore, former, gap, ledger, succession};
use crate::ingest::Ingested;
use crate::store::StoreError;
use crate::store::epochs::{BroughtBack, EpochStore, Extent, Gap, Offered};

impl EpochStore for SqliteStore {
    fn extent(&self) -> Result<Extent, StoreError> {
        self.read(succession::extent)
    }

    fn succeed(
        &self,
        link: &EpochLink,
        certificate: &SignedCertificate,
        watermark: &SignedWatermark,
    ) -> Result<(), StoreError> {
        self.write(|tx| succession::succeed(tx, link, certificate, watermark))
    }

    fn links(&self) -> Result<Vec<EpochLink>, StoreError> {
        self.read(succession::links)
    }

    fn offered(&self, offer: &Offer, by: DeviceId, now_ms: i64) -> Result<Offered, StoreError> {
        self.write(|tx| former::offered(tx, offer, by, now_ms))
    }

    fn ingest_again(
        &self,
        brought: &BroughtBack<'_>,
        now_ms: i64,
        key: &SecretKey,
    ) -> Result<Ingested, StoreError> {
        let shown = ledger::Shown { receipt: brought.receipt, by: brought.by };
        ledger::ingest(self, brought.batch, Some(shown), now_ms, key)
    }

    fn watermark_advance(
        &self,
        size: u64,
        root: &Hash,
        now_ms: i64,
        key: &SecretKey,
    ) -> Result<SignedWatermark, StoreError> {
        self.write(|tx| succession::advance(&Desk::new(tx, now_ms, key)?, size, root))
    }

    fn watermark(&self) -> Result<Option<(u64, SignedWatermark)>, StoreError> {
        self.read(succession::watermark)
    }

    fn gaps(&self) -> Result<Vec<Gap>, StoreError> {
        self.read(gap::all)
    }

    fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        // A connection of its own: the copy is one read transaction, and neither writers nor readers wait for it.
        let connection = ruhu_sqlite::open(&self.path, self.key.as_ref(), Profile::Server)?;
        connection.execute("VACUUM INTO ?1", [file.to_string_lossy()])?;
        Ok(())
    }
}
