//! The names of a store's files where the file system cannot rename.
//!
//! The pool of files that SQLite is given in a browser holds databases only, and a file there keeps its name for
//! ever. So the store's names are a [`Record`]: small files with their bytes, and for each database the name that
//! the pool has for it. Renaming rewrites the record. It is written whole into the older of two slots, with a
//! number and a checksum, so a cut leaves the old record or the new one.
//!
//! Layout of a slot, in the canonical binary of [`ruhu_survey::codec`]: the magic `ruhu-names`, a version byte 1,
//! the record's number (8 bytes), how many names, and for each its text, a byte 0 with the file's bytes or a byte
//! 1 with the pool's name and the database's first bytes; then the SHA-256 of all that. What follows is left over
//! from a longer record.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ruhu_client_core::{Files, Profile};
use ruhu_survey::codec::{CodecError, Reader, Writer};
use sha2::{Digest, Sha256};

const MAGIC: &[u8] = b"ruhu-names";
const VERSION: u8 = 1;
const NAMES_MAX: usize = 100_000;
const NAME_BYTES_MAX: usize = 256;
const FILE_BYTES_MAX: usize = 64 * 1_024;
/// How much of a database's beginning is remembered: the salt that ties it to its key file.
const HEAD_BYTES: usize = 16;
/// What SQLite keeps beside a database. In the pool it stays beside the file that it belongs to.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The pool of files that SQLite is given.
pub trait Pool: Debug + Send + Sync {
    /// Whether it holds a file of this name.
    ///
    /// # Errors
    /// What the pool says.
    fn holds(&self, name: &str) -> io::Result<bool>;

    /// The first bytes of a database that no connection has open.
    ///
    /// # Errors
    /// What the pool says, for instance because a transaction was cut off and waits to be rolled back.
    fn head(&self, name: &str, limit: usize) -> io::Result<Vec<u8>>;
}

/// Two small files that are open from the start.
pub trait Slots: Debug + Send + Sync {
    /// All of a slot.
    ///
    /// # Errors
    /// What the file system says.
    fn read(&self, slot: usize) -> io::Result<Vec<u8>>;

    /// Writes a slot from its beginning on, durably.
    ///
    /// # Errors
    /// What the file system says.
    fn write(&self, slot: usize, bytes: &[u8]) -> io::Result<()>;
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Small(Vec<u8>),
    Database { pooled: String, head: Vec<u8> },
}

/// The names of one store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    number: u64,
    names: BTreeMap<String, Entry>,
}

impl Record {
    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(MAGIC).u8(VERSION).u64(self.number).varint(self.names.len() as u64);
        for (name, entry) in &self.names {
            writer.text(name);
            match entry {
                Entry::Small(bytes) => writer.u8(0).bytes(bytes),
                Entry::Database { pooled, head } => writer.u8(1).text(pooled).bytes(head),
            };
        }
        let mut bytes = writer.finish();
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Reads a slot; `None` when it was never written or was cut off.
    fn from_slot(slot: &[u8]) -> Option<Self> {
        Self::parse(slot).ok().flatten()
    }

    fn parse(slot: &[u8]) -> Result<Option<Self>, CodecError> {
        let mut reader = Reader::new(slot);
        if reader.raw(MAGIC.len())? != MAGIC || reader.u8()? != VERSION {
            return Ok(None);
        }
        let number = reader.u64()?;
        let count = reader.count("names", NAMES_MAX)?;
        let mut names = BTreeMap::new();
        for _ in 0..count {
            let name = reader.text("name", NAME_BYTES_MAX)?.to_owned();
            let entry = match reader.u8()? {
                0 => Entry::Small(reader.bytes("file", FILE_BYTES_MAX)?.to_vec()),
                _ => Entry::Database {
                    pooled: reader.text("name", NAME_BYTES_MAX)?.to_owned(),
                    head: reader.bytes("head", HEAD_BYTES)?.to_vec(),
                },
            };
            names.insert(name, entry);
        }
        let covered = slot.len() - reader.left();
        let checksum = reader.raw(32)?;
        let whole = slot.get(..covered).is_some_and(|bytes| Sha256::digest(bytes).as_slice() == checksum);
        Ok(whole.then_some(Self { number, names }))
    }

    /// The pool's name for a database; one that nothing else has for a database that is not there yet.
    fn pooled(&self, name: &str) -> String {
        for suffix in COMPANIONS {
            if let Some(base) = name.strip_suffix(suffix) {
                return format!("{}{suffix}", self.pooled(base));
            }
        }
        if let Some(Entry::Database { pooled, .. }) = self.names.get(name) {
            return pooled.clone();
        }
        let taken = |wanted: &String| {
            self.names
                .values()
                .any(|entry| matches!(entry, Entry::Database { pooled, .. } if pooled == wanted))
        };
        let numbered = (1_u32..).map(|number| format!("{name}~{number}"));
        let mut free = std::iter::once(name.to_owned()).chain(numbered).filter(|wanted| !taken(wanted));
        free.next().unwrap_or_default()
    }
}

/// [`Files`] over a pool and two slots.
#[derive(Debug)]
pub struct NamedFiles<P, S> {
    pool: P,
    slots: S,
    record: Mutex<Record>,
}

impl<P: Pool, S: Slots> NamedFiles<P, S> {
    /// Reads the newer of the two records.
    ///
    /// # Errors
    /// When a slot cannot be read, or both were written and neither holds a record: nothing is begun anew over
    /// what was there.
    pub fn open(pool: P, slots: S) -> io::Result<Self> {
        let written = [slots.read(0)?, slots.read(1)?];
        let records = written.iter().filter_map(|slot| Record::from_slot(slot));
        let record = match records.max_by_key(|record| record.number) {
            Some(record) => record,
            None if written.iter().any(|slot| slot.is_empty()) => Record::default(),
            None => return Err(io::Error::new(ErrorKind::InvalidData, "neither record of names is whole")),
        };
        Ok(Self { pool, slots, record: Mutex::new(record) })
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the record as `change` leaves it; on a failure it stays as it was.
    fn change(&self, change: impl FnOnce(&mut Record)) -> io::Result<()> {
        let mut record = self.record();
        let mut next = record.clone();
        change(&mut next);
        next.number += 1;
        let slot = usize::from(next.number % 2 == 1);
        self.slots.write(slot, &next.to_bytes())?;
        *record = next;
        Ok(())
    }
}

/// The last part of a path: the store has one folder.
fn name(path: &Path) -> String {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned()
}

fn is_companion(name: &str) -> bool {
    COMPANIONS.iter().any(|suffix| name.ends_with(suffix))
}

impl<P: Pool, S: Slots> Files for NamedFiles<P, S> {
    /// The pool's folder is made when it is opened.
    fn make_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn exists(&self, path: &Path) -> bool {
        let (name, record) = (name(path), self.record());
        record.names.contains_key(&name) || self.pool.holds(&record.pooled(&name)).unwrap_or(false)
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (name, record) = (name(path), self.record());
        match record.names.get(&name) {
            Some(Entry::Small(bytes)) => Ok(bytes.iter().take(limit).copied().collect()),
            Some(Entry::Database { head, .. }) if limit <= HEAD_BYTES => {
                Ok(head.iter().take(limit).copied().collect())
            }
            _ if self.pool.holds(&record.pooled(&name))? => self.pool.head(&record.pooled(&name), limit),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let name = name(path);
        // One that no reader takes back would spoil the whole record, and two in turn both slots.
        if bytes.len() > FILE_BYTES_MAX || name.len() > NAME_BYTES_MAX {
            return Err(ErrorKind::InvalidInput.into());
        }
        self.change(|record| {
            record.names.insert(name, Entry::Small(bytes.to_vec()));
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (name(from), name(to));
        if is_companion(&from) {
            // It belongs to a file that keeps its name.
            return Ok(());
        }
        let (known, pooled) = {
            let record = self.record();
            (record.names.get(&from).cloned(), record.pooled(&from))
        };
        let entry = match known {
            Some(entry) => entry,
            None if self.pool.holds(&pooled)? => {
                // One that cannot be read now was cut off; whoever opens it finds out.
                let head = self.pool.head(&pooled, HEAD_BYTES).unwrap_or_default();
                Entry::Database { pooled, head }
            }
            None => return Err(ErrorKind::NotFound.into()),
        };
        self.change(|record| {
            record.names.remove(&from);
            record.names.insert(to, entry);
        })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.record().names.keys().map(|name| folder.join(name)).collect())
    }

    fn database(&self, path: &Path) -> PathBuf {
        PathBuf::from(self.record().pooled(&name(path)))
    }

    fn profile(&self) -> Profile {
        Profile::Browser
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
