//! The embedded store: one SQLite file, one writer, readers as they are needed.

mod announcements;
mod append;
mod belt;
mod column;
mod derived;
mod documents;
mod epochs;
mod event;
mod former;
mod gap;
mod held;
mod ledger;
mod log;
mod names;
mod past;
mod people;
mod photo;
mod places;
mod quarantine;
mod reads;
pub(crate) mod rebuild;
mod relay;
mod replay;
#[cfg(test)]
mod restored;
mod rosters;
mod shelf;
mod snapshot;
mod succession;
#[cfg(test)]
mod tamper;
mod verify;
mod verify_derived;
mod verify_former;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ruhu_ledger::batch::{Anchor, BatchId};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::replay::{Previous, ReplayBatch, ReplayWriter};
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::tree::Hash;
use ruhu_sqlite::{Key32, Migrations, Profile};
use ruhu_survey::change::{ActorId, DocumentId};
use ruhu_survey::id::{DeviceId, HouseholdId, VillageId};
use ruhu_survey::register::Register;
use ruhu_sync::resume::RequestId;
use ruhu_sync::snapshot::Sealed;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::StoreError;
use super::copies::{CopyStore, Material, Newest, Tokens};
use super::ledger::{Fork, Included, LedgerStore, OwnBatch, StoredCheckpoint, Tip};
use crate::belt::{Found, Pending};
use crate::ingest::{Ingested, Outcome, Rejection};
use crate::quarantine::{Quarantined, Ruled, Ruling};
use crate::relay::{Asked, Relay};
use crate::verify::Verified;

/// The migrations of the server's database, in order. Applied ones are never edited.
pub(crate) const MIGRATIONS: Migrations = Migrations(&[
    ("001_ledger", include_str!("../../../../schemas/sql/server-sqlite/001_ledger.sql")),
    ("002_people", include_str!("../../../../schemas/sql/server-sqlite/002_people.sql")),
    ("003_thrift", include_str!("../../../../schemas/sql/server-sqlite/003_thrift.sql")),
    ("004_held", include_str!("../../../../schemas/sql/server-sqlite/004_held.sql")),
    ("005_snapshots", include_str!("../../../../schemas/sql/server-sqlite/005_snapshots.sql")),
    ("006_replay", include_str!("../../../../schemas/sql/server-sqlite/006_replay.sql")),
    ("007_quarantine", include_str!("../../../../schemas/sql/server-sqlite/007_quarantine.sql")),
    ("008_epoch", include_str!("../../../../schemas/sql/server-sqlite/008_epoch.sql")),
    ("009_lean", include_str!("../../../../schemas/sql/server-sqlite/009_lean.sql")),
    ("010_photos", include_str!("../../../../schemas/sql/server-sqlite/010_photos.sql")),
    ("011_announcements", include_str!("../../../../schemas/sql/server-sqlite/011_announcements.sql")),
]);

/// Reading connections kept open when they are not in use.
const READERS_KEPT_MAX: usize = 8;

/// The store in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    key: Option<Key32>,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    pasts: past::Pasts,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the file, making it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Open`] when the key is wrong, the file is no database or is newer than this program.
    pub fn open(path: &Path, key: Option<Key32>) -> Result<Self, StoreError> {
        let mut writer = ruhu_sqlite::open(path, key.as_ref(), Profile::Server)?;
        ruhu_sqlite::migrate(&mut writer, &MIGRATIONS)?;
        writer.set_prepared_statement_cache_capacity(STATEMENTS_KEPT_MAX);
        let (path, writer, readers) = (path.to_owned(), Mutex::new(writer), Mutex::new(Vec::new()));
        Ok(Self { path, key, writer, readers, pasts: past::Pasts::default() })
    }

    /// Does `act` in one immediate transaction; committed, durably, only when it returns `Ok`. Otherwise what is kept
    /// in memory of the documents is forgotten before another transaction can begin.
    pub(crate) fn write<T>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().map_err(|_| StoreError::Poisoned)?;
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let outcome =
            act(&transaction).and_then(|done| transaction.commit().map(|()| done).map_err(StoreError::from));
        if outcome.is_err() {
            self.pasts.forget();
        }
        outcome
    }

    /// Does `act` on one consistent view of the data; it must not write.
    pub(crate) fn read<T>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut reader = self.take_reader()?;
        let done = {
            let view = reader.transaction_with_behavior(TransactionBehavior::Deferred)?;
            act(&view)?
        };
        self.keep_reader(reader);
        Ok(done)
    }

    /// The changes kept in memory, as far as they hold for the file that `tx` sees.
    fn pasts(&self, tx: &Transaction<'_>) -> Result<&past::Pasts, StoreError> {
        self.pasts.at_version(tx.pragma_query_value(None, "data_version", |row| row.get(0))?);
        Ok(&self.pasts)
    }

    fn take_reader(&self) -> Result<Connection, StoreError> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(reader) = kept {
            return Ok(reader);
        }
        let reader = ruhu_sqlite::open_reader(&self.path, self.key.as_ref(), Profile::Server)?;
        reader.set_prepared_statement_cache_capacity(STATEMENTS_KEPT_MAX);
        Ok(reader)
    }

    fn keep_reader(&self, reader: Connection) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_KEPT_MAX {
            readers.push(reader);
        }
    }
}

/// Prepared statements kept per connection.
const STATEMENTS_KEPT_MAX: usize = 128;

impl LedgerStore for SqliteStore {
    fn ingest(&self, batch: &[u8], now_ms: i64, key: &SecretKey) -> Result<Ingested, StoreError> {
        ledger::ingest(self, batch, None, now_ms, key)
    }

    fn ingest_replay(
        &self,
        village: VillageId,
        replayed: &ReplayBatch,
        previous: Previous,
        now_ms: i64,
        key: &SecretKey,
    ) -> Result<Result<Ingested, Rejection>, StoreError> {
        replay::ingest_replay(self, (village, previous), replayed, now_ms, key)
    }

    fn relay_replay(&self, sequence: u64, writer: &mut ReplayWriter) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|conn| replay::relay_replay(conn, sequence, writer))
    }

    fn anchor(&self, size: u64) -> Result<Anchor, StoreError> {
        self.read(|conn| replay::anchor(conn, size))
    }

    fn author(&self, own: &OwnBatch<'_>, now_ms: i64, key: &SecretKey) -> Result<Outcome, StoreError> {
        self.write(|tx| ledger::author(&append::Desk::new(tx, now_ms, key)?, own, self.pasts(tx)?))
    }

    fn receipt(&self, batch: BatchId) -> Result<Option<SignedReceipt>, StoreError> {
        self.read(|conn| ledger::receipt_of(conn, batch))
    }

    fn relay(&self, asked: &Asked) -> Result<Relay, StoreError> {
        self.read(|conn| relay::relay(conn, asked))
    }

    fn belt_pending(&self) -> Result<Vec<Pending>, StoreError> {
        self.read(belt::pending)
    }

    fn belt_settle(&self, found: &[Found], now_ms: i64, key: &SecretKey) -> Result<usize, StoreError> {
        self.write(|tx| {
            let quarantined = belt::settle(&append::Desk::new(tx, now_ms, key)?, found)?;
            if quarantined > 0 {
                self.pasts.forget();
            }
            Ok(quarantined)
        })
    }

    fn checkpoint_sign(&self, now_ms: i64, key: &SecretKey) -> Result<StoredCheckpoint, StoreError> {
        // The leaves are durable already: this transaction begins after theirs committed and adds none.
        self.write(|tx| log::sign_checkpoint(tx, now_ms, key))
    }

    fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, StoreError> {
        self.read(log::latest_checkpoint)
    }

    fn consistency(&self, from: u64, to: u64) -> Result<Option<Vec<Hash>>, StoreError> {
        self.read(|conn| log::consistency(conn, from, to))
    }

    fn inclusion(&self, leaf: u64, size: u64) -> Result<Option<Included>, StoreError> {
        self.read(|conn| log::inclusion(conn, leaf, size))
    }

    fn register(&self, village: VillageId, document: DocumentId) -> Result<Register, StoreError> {
        self.read(|conn| Ok(shelf::register_of(conn, village, document)?.unwrap_or_default()))
    }

    fn founding_actor(
        &self,
        village: VillageId,
        document: DocumentId,
    ) -> Result<Option<ActorId>, StoreError> {
        self.read(|conn| shelf::founding_actor(conn, village, document))
    }

    fn tip(&self, village: VillageId, device: DeviceId) -> Result<Option<Tip>, StoreError> {
        self.read(|conn| ledger::longest_tip(conn, village, device))
    }

    fn held_put(
        &self,
        device: DeviceId,
        request: RequestId,
        bytes: &[u8],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.write(|tx| held::put(tx, device, request, bytes, now_ms))
    }

    fn held(&self, device: DeviceId, request: RequestId, now_ms: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|conn| held::get(conn, device, request, now_ms))
    }

    fn held_drop(&self, device: DeviceId) -> Result<(), StoreError> {
        self.write(|tx| held::drop(tx, device))
    }

    fn fork(&self, village: VillageId, device: DeviceId) -> Result<Option<Fork>, StoreError> {
        self.read(|conn| quarantine::fork(conn, village, device))
    }

    fn in_quarantine(&self, village: Option<VillageId>) -> Result<Vec<Quarantined>, StoreError> {
        self.read(|conn| quarantine::list(conn, village))
    }

    fn rule_on(&self, ruling: &Ruling, now_ms: i64, key: &SecretKey) -> Result<Ruled, StoreError> {
        self.write(|tx| {
            self.pasts.forget();
            quarantine::rule_on(&append::Desk::new(tx, now_ms, key)?, ruling)
        })
    }

    fn verify(&self) -> Result<Verified, StoreError> {
        self.read(verify::verify)
    }

    fn rebuild_documents(&self) -> Result<u64, StoreError> {
        self.write(|tx| {
            self.pasts.forget();
            rebuild::rebuild(tx)
        })
    }
}

impl CopyStore for SqliteStore {
    fn snapshot(&self, village: VillageId) -> Result<Option<Newest>, StoreError> {
        self.read(|conn| snapshot::newest(conn, village))
    }

    fn feed_entries(&self, village: VillageId) -> Result<u64, StoreError> {
        self.read(|conn| snapshot::entries_after(conn, village, 0))
    }

    fn snapshot_bytes(
        &self,
        village: VillageId,
        id: &[u8; 32],
        from: u64,
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|conn| snapshot::bytes(conn, village, id, from, bytes_max))
    }

    fn snapshot_material(&self, village: VillageId) -> Result<Option<Material>, StoreError> {
        self.read(|conn| snapshot::material(conn, village))
    }

    fn snapshot_keep(&self, sealed: &Sealed, kept_max: u32) -> Result<(), StoreError> {
        self.write(|tx| snapshot::keep(tx, sealed, kept_max))
    }

    fn document_tokens(&self, village: VillageId) -> Result<Tokens, StoreError> {
        self.read(|conn| documents::tokens(conn, village))
    }

    fn documents_of(
        &self,
        village: VillageId,
        household: HouseholdId,
    ) -> Result<BTreeSet<DocumentId>, StoreError> {
        self.read(|conn| documents::of_household(conn, village, household))
    }

    fn relay_documents(
        &self,
        village: VillageId,
        wanted: &BTreeSet<DocumentId>,
        after: u64,
        bytes_max: u64,
    ) -> Result<Relay, StoreError> {
        self.read(|conn| documents::relay(conn, village, wanted, after, bytes_max))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;
    use crate::store::world::{MORNING_MS, World, household};

    #[test]
    fn the_committed_schema_is_what_the_migrations_make() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("ruhu.db"), None).unwrap();
        let dump = store.read(|conn| Ok(ruhu_sqlite::schema_dump(conn)?)).unwrap();
        expect_file!["../../../../schemas/sql/server-sqlite/current.sql"].assert_eq(&dump);
    }

    #[test]
    fn a_reader_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("ruhu.db"), None).unwrap();
        let outcome = store.read(|conn| Ok(conn.execute("DELETE FROM feed", [])?));
        assert!(matches!(outcome, Err(StoreError::Database(_))));
    }

    #[test]
    fn a_write_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("ruhu.db"), None).unwrap();
        let outcome: Result<(), StoreError> = store.write(|tx| {
            tx.execute("INSERT INTO deployment (only_row, id) VALUES (1, ?1)", [[1_u8; 16]])?;
            Err(StoreError::NotFound("thing"))
        });
        assert!(matches!(outcome, Err(StoreError::NotFound("thing"))));
        assert_eq!(store.read(log::deployment_of).unwrap(), None);
    }

    #[test]
    fn a_full_disk_refuses_a_batch_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("ruhu.db"), None).unwrap();
        let world = World::new(&store);
        let mut tablet = world.tablet(7);
        let first = tablet.found(household(1), "向家组");
        world.receive(&tablet.seal(&[&first]));
        let pages = |limit: i64| {
            store
                .writer
                .lock()
                .unwrap()
                .pragma_update_and_check(None, "max_page_count", limit, |_| Ok(()))
                .unwrap();
        };
        pages(1);
        let many: Vec<_> = (0..100).map(|index| tablet.found(household(index), "向家组")).collect();
        let batch = tablet.seal(&many.iter().collect::<Vec<_>>());
        let outcome = store.ingest(&batch.to_bytes(), world.now_ms, &world.signing);
        assert!(matches!(outcome, Err(StoreError::DiskFull)), "{outcome:?}");
        world.assert_sound();
        pages(1_000_000);
        world.receive(&batch);
        world.assert_sound();
    }

    #[test]
    fn what_waits_for_the_belt_still_waits_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ruhu.db");
        let key = {
            let store = SqliteStore::open(&path, None).unwrap();
            let world = World::new(&store);
            let mut tablet = world.tablet(7);
            let first = tablet.found(household(1), "向家组");
            world.receive(&tablet.seal(&[&first]));
            world.signing
        };
        let store = SqliteStore::open(&path, None).unwrap();
        assert_eq!(store.belt_pending().unwrap().len(), 1);
        assert_eq!(crate::belt::settle_belt(&store, MORNING_MS, &key).unwrap().documents, 1);
        assert_eq!(store.verify().unwrap().first_bad, None);
    }

    #[test]
    fn another_key_does_not_open_an_encrypted_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ruhu.db");
        drop(SqliteStore::open(&path, Some(Key32::new([1; 32]))).unwrap());
        let outcome = SqliteStore::open(&path, Some(Key32::new([2; 32])));
        assert!(matches!(outcome, Err(StoreError::Open(ruhu_sqlite::OpenError::WrongKey))));
    }
}
