//! What a device's database holds, read beside the program: the world's own look, by the tables' contract.

use std::collections::BTreeMap;
use std::path::Path;

use ruhu_sqlite::{Key32, Profile, open_reader};
use ruhu_survey::change::{ChangeHash, DocumentId, DocumentKind, Put, parse};
use ruhu_survey::entry::Entry;
use rusqlite::{Connection, Row};
use sha2::{Digest as _, Sha256};

/// How a change stands on a device, by the table's code, and the rule.
pub type Stands = (i64, String);

/// A reader of one device's database.
#[derive(Debug)]
pub struct Replica(Connection);

/// The table's code of an accepted change.
pub const ACCEPTED: i64 = 1;

impl Replica {
    /// Opens a device's database for reading.
    #[must_use]
    pub fn open(folder: &Path, key: [u8; 32]) -> Self {
        Self(open_reader(&folder.join("ruhu.db"), Some(&Key32::new(key)), Profile::Device).unwrap())
    }

    fn rows<T>(&self, sql: &str, after: i64, read: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let mut statement = self.0.prepare_cached(sql).unwrap();
        let rows = statement.query_map([after], read).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// The device's own changes after a row, with the number of the last row.
    #[must_use]
    pub fn written(&self, after: i64) -> (Vec<(DocumentId, ChangeHash, Vec<u8>)>, i64) {
        let sql =
            "SELECT d.kind, d.id, c.hash, c.bytes, c.change FROM change c JOIN document d USING (document)
                   WHERE c.change > ?1 AND c.opening IS NOT NULL ORDER BY c.change";
        let rows = self
            .rows(sql, after, |row| Ok((document(row)?, ChangeHash(row.get(2)?), row.get(3)?, row.get(4)?)));
        let last = rows.last().map_or(after, |(.., row)| *row);
        (rows.into_iter().map(|(document, hash, bytes, _)| (document, hash, bytes)).collect(), last)
    }

    /// The device's own changes that it shows as received.
    #[must_use]
    pub fn received(&self) -> Vec<(DocumentId, ChangeHash)> {
        let sql = "SELECT d.kind, d.id, c.hash FROM batch b JOIN change c USING (batch) JOIN document d USING (document)
                   WHERE b.own = 1 AND b.state = 2 AND b.batch > ?1";
        self.rows(sql, 0, |row| Ok((document(row)?, ChangeHash(row.get(2)?))))
    }

    /// Every change and how it stands.
    #[must_use]
    pub fn standings(&self) -> BTreeMap<(DocumentId, ChangeHash), Stands> {
        let sql =
            "SELECT d.kind, d.id, c.hash, c.state, c.rule FROM change c JOIN document d USING (document)
                   WHERE c.change > ?1";
        let stands =
            |row: &Row<'_>| Ok(((document(row)?, ChangeHash(row.get(2)?)), (row.get(3)?, row.get(4)?)));
        self.rows(sql, 0, stands).into_iter().collect()
    }

    /// The live values of every document, as they are stored.
    #[must_use]
    pub fn registers(&self) -> BTreeMap<DocumentId, Vec<u8>> {
        let sql = "SELECT kind, id, register FROM document WHERE document > ?1 AND change_count > 0";
        self.rows(sql, 0, |row| Ok((document(row)?, row.get(2)?))).into_iter().collect()
    }

    /// The accepted changes of every document, in order of arrival.
    #[must_use]
    pub fn accepted(&self) -> BTreeMap<DocumentId, Vec<(ChangeHash, Vec<u8>)>> {
        let sql = "SELECT d.kind, d.id, c.hash, c.bytes FROM change c JOIN document d USING (document)
                   WHERE c.change > ?1 AND c.state = 1 ORDER BY c.change";
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (document, hash, bytes) in
            self.rows(sql, 0, |row| Ok((document(row)?, ChangeHash(row.get(2)?), row.get(3)?)))
        {
            found.entry(document).or_default().push((hash, bytes));
        }
        found
    }

    /// The bytes of every change by another one's hash that it says it was written anew for.
    #[must_use]
    pub fn written_anew(&self) -> BTreeMap<ChangeHash, Vec<(ChangeHash, Vec<u8>)>> {
        let sql = "SELECT hash, bytes FROM change WHERE change > ?1 ORDER BY change";
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (hash, bytes) in self.rows(sql, 0, |row| Ok((ChangeHash(row.get(0)?), row.get::<_, Vec<u8>>(1)?)))
        {
            for old in cites(&bytes) {
                found.entry(old).or_default().push((hash, bytes.clone()));
            }
        }
        found
    }

    /// How a change came here and what was said of its batch, for whoever looks into a violation.
    #[must_use]
    pub fn tells_of(&self, hash: &ChangeHash) -> String {
        let sql = "SELECT c.state || ' ' || c.rule || ' place ' || coalesce(c.position, '-') || ', batch '
                       || coalesce(b.number || ' of ' || hex(substr(b.device, 1, 4)) || ' state ' || b.state
                           || ' own ' || b.own || ' problem ' || b.problem, '-')
                   FROM change c LEFT JOIN batch b USING (batch) WHERE c.change > ?1 AND hex(c.hash) = '";
        let sql = format!("{sql}{}'", hash.to_string().to_uppercase());
        self.rows(&sql, 0, |row| row.get::<_, String>(0)).join("; ")
    }

    /// Batches of this device without a receipt, and what the server said of each.
    #[must_use]
    pub fn unreceived(&self) -> Vec<(i64, String)> {
        let sql = "SELECT number, problem FROM batch WHERE own = 1 AND state <> 2 AND batch > ?1";
        self.rows(sql, 0, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// One hash over live values and standings.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for (document, register) in self.registers() {
            hash.update(document.to_string());
            hash.update(register);
        }
        for ((document, change), (state, _)) in self.standings() {
            hash.update(format!("{document} {change} {state}"));
        }
        hash.finalize().into()
    }
}

/// The changes that a change says it stands in the place of.
fn cites(bytes: &[u8]) -> Vec<ChangeHash> {
    let puts = parse(bytes).map(|(change, _)| change.puts).unwrap_or_default();
    let cited = |put: &Put| match Entry::from_value(&put.value) {
        Ok(Entry::Replaces(replaces)) => replaces.change.parse().ok(),
        _ => None,
    };
    puts.iter().filter(|put| put.key.starts_with("event/")).filter_map(cited).collect()
}

/// The document in the first two columns.
fn document(row: &Row<'_>) -> rusqlite::Result<DocumentId> {
    let kind = DocumentKind::from_code(row.get(0)?).unwrap_or(DocumentKind::Village);
    Ok(DocumentId { kind, id: row.get(1)? })
}
