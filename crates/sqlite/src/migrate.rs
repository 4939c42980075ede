//! Bringing a file's schema up to date: a slice, a loop, and one transaction per step.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::OpenError;

/// The migrations of one kind of file in order, as (name, SQL) with names like `001_ledger`.
///
/// A file's schema version (`user_version`) is the number of migrations applied to it. A migration that was ever
/// released is never edited.
#[derive(Clone, Copy, Debug)]
pub struct Migrations(pub &'static [(&'static str, &'static str)]);

impl Migrations {
    /// The schema version of a file with all of them applied.
    pub fn version(self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    fn after(self, version: u32) -> Option<(&'static str, &'static str)> {
        self.0.get(usize::try_from(version).ok()?).copied()
    }
}

/// Applies the migrations a file lacks, each in its own immediate transaction together with the version.
///
/// Foreign keys are off while migrations run, so that a table can be rebuilt, and each migration is checked for
/// broken references before it commits. They are on afterwards.
///
/// # Errors
/// [`OpenError::Newer`] when the file is newer than the list; nothing is changed then. Otherwise the failing
/// migration is rolled back, those before it stay, and calling again continues there.
pub fn migrate(connection: &mut Connection, migrations: &Migrations) -> Result<(), OpenError> {
    if pending(*migrations, version(connection)?)?.is_none() {
        return Ok(());
    }
    connection.pragma_update(None, "foreign_keys", false)?;
    let outcome = apply_all(connection, *migrations);
    connection.pragma_update(None, "foreign_keys", true)?;
    outcome
}

fn apply_all(connection: &mut Connection, migrations: Migrations) -> Result<(), OpenError> {
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read again under the lock: another process may have migrated in the meantime.
        let found = version(&transaction)?;
        let Some((name, sql)) = pending(migrations, found)? else { return Ok(()) };
        apply(&transaction, name, sql)?;
        transaction.pragma_update(None, "user_version", found + 1)?;
        transaction.commit()?;
    }
}

fn apply(transaction: &Transaction<'_>, name: &'static str, sql: &str) -> Result<(), OpenError> {
    transaction.execute_batch(sql).map_err(|source| match OpenError::from(source) {
        OpenError::Sqlite(source) => OpenError::Migration { name, source },
        known => known,
    })?;
    let mut check = transaction.prepare("PRAGMA foreign_key_check")?;
    let count = check.query_map([], |_| Ok(()))?.count();
    if count == 0 { Ok(()) } else { Err(OpenError::BrokenReferences { name, count }) }
}

/// The next migration of a file at `found`, none when it is up to date.
fn pending(migrations: Migrations, found: u32) -> Result<Option<(&'static str, &'static str)>, OpenError> {
    let known = migrations.version();
    if found > known { Err(OpenError::Newer { found, known }) } else { Ok(migrations.after(found)) }
}

fn version(connection: &Connection) -> Result<u32, OpenError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    u32::try_from(version).map_err(|_| OpenError::Foreign)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::{Migrations, migrate};
    use crate::{OpenError, Profile, open, schema_dump};

    const FIRST: (&str, &str) = (
        "001_village",
        "CREATE TABLE village (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
         CREATE TABLE household (
             id INTEGER PRIMARY KEY,
             village INTEGER NOT NULL REFERENCES village (id)
         ) STRICT;",
    );
    const SECOND: (&str, &str) =
        ("002_note", "ALTER TABLE household ADD COLUMN note TEXT NOT NULL DEFAULT '';");
    const BROKEN: (&str, &str) =
        ("002_broken", "CREATE TABLE kept_back (id INTEGER) STRICT; INSERT INTO nowhere (a) VALUES (1);");
    const REBUILD: (&str, &str) = (
        "002_rebuild",
        "CREATE TABLE village_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, code TEXT) STRICT;
         INSERT INTO village_new (id, name) SELECT id, name FROM village;
         DROP TABLE village;
         ALTER TABLE village_new RENAME TO village;",
    );
    const ORPHAN: (&str, &str) = ("002_orphan", "DELETE FROM village;");

    fn opened(path: &Path) -> Connection {
        open(path, None, Profile::Device).unwrap()
    }

    fn file() -> (TempDir, std::path::PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("village.db");
        (folder, path)
    }

    fn populated(path: &Path) -> Connection {
        let mut connection = opened(path);
        migrate(&mut connection, &Migrations(&[FIRST])).unwrap();
        connection
            .execute_batch(
                "INSERT INTO village (id, name) VALUES (1, '云溪村'); INSERT INTO household (village) VALUES (1);",
            )
            .unwrap();
        connection
    }

    #[test]
    fn a_fresh_file_and_an_upgraded_file_have_the_same_schema() {
        let (_folder, path) = file();
        let (_other, fresh_path) = file();
        let mut upgraded = populated(&path);
        migrate(&mut upgraded, &Migrations(&[FIRST, SECOND])).unwrap();
        let mut fresh = opened(&fresh_path);
        migrate(&mut fresh, &Migrations(&[FIRST, SECOND])).unwrap();
        assert_eq!(schema_dump(&upgraded).unwrap(), schema_dump(&fresh).unwrap());
        let households: i64 =
            upgraded.query_row("SELECT count(*) FROM household", [], |row| row.get(0)).unwrap();
        assert_eq!(households, 1);
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let (_folder, path) = file();
        let mut connection = populated(&path);
        let before = schema_dump(&connection).unwrap();
        migrate(&mut connection, &Migrations(&[FIRST])).unwrap();
        assert_eq!(schema_dump(&connection).unwrap(), before);
    }

    #[test]
    fn a_newer_file_is_refused_and_not_one_byte_of_it_changes() {
        let (_folder, path) = file();
        let mut connection = populated(&path);
        migrate(&mut connection, &Migrations(&[FIRST, SECOND])).unwrap();
        drop(connection);
        let before = std::fs::read(&path).unwrap();
        let mut older = opened(&path);
        let refusal = migrate(&mut older, &Migrations(&[FIRST])).unwrap_err();
        drop(older);
        assert!(matches!(refusal, OpenError::Newer { found: 2, known: 1 }), "{refusal:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_failing_migration_is_rolled_back_and_named_and_those_before_it_stay() {
        let (_folder, path) = file();
        let mut connection = opened(&path);
        let refusal = migrate(&mut connection, &Migrations(&[FIRST, BROKEN])).unwrap_err();
        assert!(matches!(refusal, OpenError::Migration { name: "002_broken", .. }), "{refusal:?}");
        let dump = schema_dump(&connection).unwrap();
        assert!(dump.contains("household") && !dump.contains("kept_back"), "{dump}");
        migrate(&mut connection, &Migrations(&[FIRST, SECOND])).unwrap();
        assert!(schema_dump(&connection).unwrap().starts_with("-- schema version 2"));
    }

    #[test]
    fn a_table_others_refer_to_can_be_rebuilt() {
        let (_folder, path) = file();
        let mut connection = populated(&path);
        migrate(&mut connection, &Migrations(&[FIRST, REBUILD])).unwrap();
        let orphan = connection.execute("INSERT INTO household (village) VALUES (99)", []);
        assert!(orphan.is_err(), "foreign keys must be on again after migrating");
    }

    #[test]
    fn a_migration_that_breaks_references_is_rolled_back() {
        let (_folder, path) = file();
        let mut connection = populated(&path);
        let refusal = migrate(&mut connection, &Migrations(&[FIRST, ORPHAN])).unwrap_err();
        assert!(
            matches!(refusal, OpenError::BrokenReferences { name: "002_orphan", count: 1 }),
            "{refusal:?}"
        );
        let villages: i64 =
            connection.query_row("SELECT count(*) FROM village", [], |row| row.get(0)).unwrap();
        assert_eq!(villages, 1);
        assert!(connection.execute("INSERT INTO household (village) VALUES (99)", []).is_err());
    }

    #[test]
    fn a_full_disk_during_a_migration_is_told_and_rolled_back() {
        let (_folder, path) = file();
        let mut connection = populated(&path);
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        connection.pragma_update(None, "max_page_count", pages).unwrap();
        let large = Migrations(&[
            FIRST,
            ("002_large", "CREATE TABLE large (a) ; INSERT INTO large VALUES (zeroblob(99999));"),
        ]);
        assert!(matches!(migrate(&mut connection, &large), Err(OpenError::DiskFull)));
        assert!(!schema_dump(&connection).unwrap().contains("large"));
    }

    #[test]
    fn a_second_process_that_holds_the_file_is_reported_as_busy() {
        let (_folder, path) = file();
        let holder = populated(&path);
        let mut waiting = opened(&path);
        waiting.busy_timeout(std::time::Duration::ZERO).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(matches!(migrate(&mut waiting, &Migrations(&[FIRST, SECOND])), Err(OpenError::Busy)));
        holder.execute_batch("ROLLBACK").unwrap();
        migrate(&mut waiting, &Migrations(&[FIRST, SECOND])).unwrap();
    }
}
