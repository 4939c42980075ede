//! The names of files over a pool and slots in memory.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// A pool whose files are only their beginnings, and two slots.
#[derive(Debug, Default, Clone)]
struct Memory {
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    slots: Arc<Mutex<[Vec<u8>; 2]>>,
}

impl Memory {
    fn make(&self, pooled: &Path, head: &[u8]) {
        self.files.lock().unwrap().insert(pooled.to_str().unwrap().to_owned(), head.to_vec());
    }

    fn open(&self) -> NamedFiles<Self, Self> {
        NamedFiles::open(self.clone(), self.clone()).unwrap()
    }
}

impl Pool for Memory {
    fn holds(&self, name: &str) -> io::Result<bool> {
        Ok(self.files.lock().unwrap().contains_key(name))
    }

    fn head(&self, name: &str, limit: usize) -> io::Result<Vec<u8>> {
        let files = self.files.lock().unwrap();
        let file = files.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(file.iter().take(limit).copied().collect())
    }
}

impl Slots for Memory {
    fn read(&self, slot: usize) -> io::Result<Vec<u8>> {
        Ok(self.slots.lock().unwrap()[slot].clone())
    }

    fn write(&self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        let mut slots = self.slots.lock().unwrap();
        let old = &mut slots[slot];
        old.resize(old.len().max(bytes.len()), 0);
        old[..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

fn path(name: &str) -> PathBuf {
    Path::new("/ruhu").join(name)
}

#[test]
fn a_database_keeps_its_pooled_name_through_renames_and_a_new_one_gets_another() {
    let memory = Memory::default();
    let files = memory.open();
    let unfinished = files.database(&path("ruhu.db.new"));
    memory.make(&unfinished, b"0123456789abcdefrest");
    files.rename(&path("ruhu.db.new"), &path("ruhu.db")).unwrap();
    assert_eq!(files.database(&path("ruhu.db")), unfinished);
    assert_eq!(files.read(&path("ruhu.db"), 16).unwrap(), b"0123456789abcdef");
    assert!(!files.exists(&path("ruhu.db.new")));
    files.rename(&path("ruhu.db"), &path("ruhu.db.aside-1")).unwrap();
    assert!(files.exists(&path("ruhu.db.aside-1")) && !files.exists(&path("ruhu.db")));
    let anew = files.database(&path("ruhu.db.new"));
    assert_ne!(anew, unfinished);
    assert_eq!(files.database(&path("ruhu.db.new-journal")).to_str().unwrap(), "ruhu.db.new~1-journal");
}

#[test]
fn what_sqlite_keeps_beside_a_database_stays_where_it_is() {
    let memory = Memory::default();
    let files = memory.open();
    memory.make(Path::new("ruhu.db"), b"salt");
    memory.make(Path::new("ruhu.db-journal"), b"hot");
    assert!(files.exists(&path("ruhu.db-journal")));
    files.rename(&path("ruhu.db-journal"), &path("ruhu.db.aside-1-journal")).unwrap();
    files.rename(&path("ruhu.db"), &path("ruhu.db.aside-1")).unwrap();
    assert_eq!(files.database(&path("ruhu.db.aside-1-journal")).to_str().unwrap(), "ruhu.db-journal");
    assert!(files.exists(&path("ruhu.db.aside-1-journal")));
}

#[test]
fn small_files_are_written_renamed_and_there_after_a_restart() {
    let memory = Memory::default();
    let files = memory.open();
    assert_eq!(files.read(&path("ruhu.key"), 9).unwrap_err().kind(), ErrorKind::NotFound);
    files.write(&path("ruhu.key.new"), b"wrapped").unwrap();
    files.rename(&path("ruhu.key.new"), &path("ruhu.key")).unwrap();
    let files = memory.open();
    assert_eq!(files.read(&path("ruhu.key"), 4).unwrap(), b"wrap");
    assert_eq!(files.list(Path::new("/ruhu")).unwrap(), [path("ruhu.key")]);
    assert!(files.rename(&path("nothing"), &path("ruhu.key")).is_err());
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let memory = Memory::default();
    let files = memory.open();
    files.write(&path("ruhu.key"), b"wrapped").unwrap();
    files.write(&path("largest"), &[1_u8].repeat(FILE_BYTES_MAX)).unwrap();
    for _ in 0..2 {
        let refused = files.write(&path("larger"), &[1_u8].repeat(FILE_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        let refused = files.write(&path(&"n".repeat(NAME_BYTES_MAX + 1)), b"").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    }
    let files = memory.open();
    assert_eq!(files.read(&path("ruhu.key"), 9).unwrap(), b"wrapped");
    assert_eq!(files.read(&path("largest"), u64::MAX).unwrap().len(), FILE_BYTES_MAX);
    assert!(!files.exists(&path("larger")));
}

#[test]
fn two_spoilt_slots_are_not_taken_for_an_empty_store() {
    let memory = Memory::default();
    *memory.slots.lock().unwrap() = [vec![1, 2, 3], vec![4]];
    assert_eq!(NamedFiles::open(memory.clone(), memory).unwrap_err().kind(), ErrorKind::InvalidData);
}

proptest! {
    /// A write that was cut at any byte leaves the record before it.
    #[test]
    fn a_cut_leaves_the_old_record_or_the_new_one(
        files in prop::collection::vec(("[a-z]{1,6}", prop::collection::vec(any::<u8>(), 0..40)), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let memory = Memory::default();
        let store = memory.open();
        for (name, bytes) in &files {
            store.write(&path(name), bytes).unwrap();
        }
        let before = store.record().clone();
        let kept = memory.slots.lock().unwrap().clone();
        store.write(&path("last"), b"one more").unwrap();
        let after = store.record().clone();
        let slot = usize::from(after.number % 2 == 1);
        let whole = after.to_bytes();
        let length = cut.index(whole.len() + 1);
        *memory.slots.lock().unwrap() = kept;
        Slots::write(&memory, slot, &whole[..length]).unwrap();
        let found = memory.open().record().clone();
        prop_assert!(found == before || (length == whole.len() && found == after));
    }
}
