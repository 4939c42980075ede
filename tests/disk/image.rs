//! What a disk holds, as plain data: what is durable, and apart from it what was written since.

use std::collections::BTreeMap;
use std::sync::Arc;

use ruhu_sample::Random;

/// The smallest part of a write that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A file, whatever its name.
pub(crate) type FileId = u64;

/// One change to a disk.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A new, empty file. Syncing a journal for the first time makes its name durable too, as SQLite's own file
    /// system sees to.
    Create { name: String, file: FileId, journal: bool },
    /// Bytes at a place.
    Write { file: FileId, at: usize, bytes: Arc<[u8]> },
    /// A shorter file.
    Truncate { file: FileId, length: usize },
    /// What was written to the file is durable.
    Sync { file: FileId },
    /// Another name, in place of a file that had it.
    Rename { from: String, to: String },
    /// A name less.
    Remove { name: String },
    /// All names are durable.
    SyncNames,
}

/// What becomes of what was not durable when the power is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Damage {
    /// All of it is lost.
    Lost,
    /// All of it had reached the disk.
    Kept,
    /// Each write had reached the disk or not, whatever came before it.
    Scattered,
    /// Each sector of each write had reached the disk or not.
    Torn,
    /// All but the last write, of which the beginning had reached the disk.
    Interrupted,
}

impl Damage {
    /// All kinds.
    pub(crate) const ALL: [Self; 5] =
        [Self::Lost, Self::Kept, Self::Scattered, Self::Torn, Self::Interrupted];
}

#[derive(Clone, Debug, Default)]
struct File {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    names_too: bool,
}

/// A change of one file that is not durable.
#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Arc<[u8]> },
    Truncate(usize),
}

/// A change of the names that is not durable.
#[derive(Clone, Debug)]
enum Naming {
    Give { name: String, file: FileId },
    Take(String),
}

/// What a disk holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    files: BTreeMap<FileId, File>,
    names: BTreeMap<String, FileId>,
    durable_names: BTreeMap<String, FileId>,
    unsynced_names: Vec<Vec<Naming>>,
}

impl Image {
    /// The file of a name.
    pub(crate) fn file(&self, name: &str) -> Option<FileId> {
        self.names.get(name).copied()
    }

    /// All names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// A number that no file has.
    pub(crate) fn next_file(&self) -> FileId {
        self.files.last_key_value().map_or(1, |(last, _)| last + 1)
    }

    /// A file's bytes as a process reads them.
    pub(crate) fn bytes(&self, file: FileId) -> &[u8] {
        self.files.get(&file).map_or(&[], |file| &file.now)
    }

    /// Does one operation.
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { name, file, journal } => {
                self.files.insert(*file, File { names_too: *journal, ..File::default() });
                self.name(vec![Naming::Give { name: name.clone(), file: *file }]);
            }
            Op::Write { file, at, bytes } => {
                self.change(*file, Change::Write { at: *at, bytes: Arc::clone(bytes) });
            }
            Op::Truncate { file, length } => self.change(*file, Change::Truncate(*length)),
            Op::Sync { file } => self.sync(*file),
            Op::Rename { from, to } => {
                if let Some(file) = self.file(from) {
                    // One operation: a cut leaves the old names or the new ones.
                    self.name(vec![Naming::Take(from.clone()), Naming::Give { name: to.clone(), file }]);
                }
            }
            Op::Remove { name } => self.name(vec![Naming::Take(name.clone())]),
            Op::SyncNames => self.sync_names(),
        }
    }

    fn name(&mut self, namings: Vec<Naming>) {
        rename(&mut self.names, &namings);
        self.unsynced_names.push(namings);
    }

    fn change(&mut self, file: FileId, change: Change) {
        let file = self.files.entry(file).or_default();
        change.apply(&mut file.now, |_| true, 0);
        file.unsynced.push(change);
    }

    fn sync(&mut self, file: FileId) {
        let file = self.files.entry(file).or_default();
        for change in file.unsynced.drain(..) {
            change.apply(&mut file.durable, |_| true, 0);
        }
        if std::mem::take(&mut file.names_too) {
            self.sync_names();
        }
    }

    fn sync_names(&mut self) {
        for namings in self.unsynced_names.drain(..) {
            rename(&mut self.durable_names, &namings);
        }
    }

    /// What is found after a power cut; all of it is durable.
    ///
    /// Names are kept up to some operation, as file systems with a journal of their own keep them. The rest obeys
    /// no order: any part of what was written may be there without what was written before it. Where a file grew
    /// and the bytes did not arrive, it holds zeros or junk.
    pub(crate) fn cut(&self, damage: Damage, random: &mut Random) -> Self {
        let mut names = self.durable_names.clone();
        let kept = match damage {
            Damage::Lost => 0,
            Damage::Kept | Damage::Interrupted => self.unsynced_names.len(),
            Damage::Scattered | Damage::Torn => below(random, self.unsynced_names.len() + 1),
        };
        self.unsynced_names.iter().take(kept).for_each(|namings| rename(&mut names, namings));
        let mut files = BTreeMap::new();
        for (id, file) in &self.files {
            if names.values().any(|named| named == id) {
                let bytes = file.cut(damage, random);
                files.insert(*id, File { now: bytes.clone(), durable: bytes, ..File::default() });
            }
        }
        Self { files, durable_names: names.clone(), names, unsynced_names: Vec::new() }
    }
}

impl File {
    fn cut(&self, damage: Damage, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let last = self.unsynced.len().saturating_sub(1);
        for (place, change) in self.unsynced.iter().enumerate() {
            let junk = if random.chance(0.5) { 0 } else { random.bits().to_le_bytes()[0] };
            match damage {
                Damage::Lost => {}
                Damage::Kept => change.apply(&mut bytes, |_| true, 0),
                Damage::Scattered => {
                    if random.chance(0.5) {
                        change.apply(&mut bytes, |_| true, junk);
                    }
                }
                Damage::Torn => change.apply(&mut bytes, |_| random.chance(0.5), junk),
                Damage::Interrupted if place < last => change.apply(&mut bytes, |_| true, 0),
                Damage::Interrupted => {
                    let sectors = below(random, change.sectors() + 1);
                    change.apply(&mut bytes, |sector| sector < sectors, junk);
                }
            }
        }
        bytes
    }
}

impl Change {
    fn sectors(&self) -> usize {
        match self {
            Self::Write { at, bytes } => (at + bytes.len()).div_ceil(SECTOR) - at / SECTOR,
            Self::Truncate(_) => 1,
        }
    }

    /// Does those sectors of the change, counted from its first, that `arrives` says; `junk` fills what grew.
    fn apply(&self, file: &mut Vec<u8>, mut arrives: impl FnMut(usize) -> bool, junk: u8) {
        match self {
            Self::Truncate(length) => {
                if arrives(0) {
                    file.truncate(*length);
                }
            }
            Self::Write { at, bytes } => {
                let first = at / SECTOR;
                for sector in 0..self.sectors() {
                    let from = (*at).max((first + sector) * SECTOR);
                    let to = (at + bytes.len()).min((first + sector + 1) * SECTOR);
                    if arrives(sector) {
                        if file.len() < to {
                            file.resize(to, junk);
                        }
                        file[from..to].copy_from_slice(&bytes[from - at..to - at]);
                    }
                }
            }
        }
    }
}

fn rename(names: &mut BTreeMap<String, FileId>, namings: &[Naming]) {
    for naming in namings {
        match naming {
            Naming::Give { name, file } => drop(names.insert(name.clone(), *file)),
            Naming::Take(name) => drop(names.remove(name)),
        }
    }
}

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).unwrap()
}
