//! A disk in use: what it holds, who has files open and locked, and which call is to fail.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::image::{FileId, Image, Op};
use super::lock::FileLocks;
use super::tape::Track;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The device does not answer.
    Io,
    /// There is no room.
    Full,
}

/// What a call is about to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// Anything that needs no room.
    Plain,
    /// Makes a file or writes to one.
    NeedsRoom,
}

struct Fault {
    at: u64,
    failure: Failure,
    lasting: bool,
    struck: bool,
}

/// A disk in use.
pub(crate) struct Live {
    pub(super) image: Image,
    pub(super) tape: Option<Track>,
    pub(super) calls: u64,
    pub(super) locks: BTreeMap<FileId, FileLocks>,
    /// Rises with each kill and cut: a handle of an earlier life is dead.
    pub(super) life: u64,
    handles: u64,
    fault: Option<Fault>,
}

impl Live {
    pub(super) fn new(image: Image) -> Self {
        let locks = BTreeMap::new();
        Self { image, tape: None, calls: 0, locks, life: 0, handles: 0, fault: None }
    }

    /// The machine comes back with this on its disk and no process running.
    pub(super) fn restart(&mut self, image: Image) {
        self.image = image;
        self.locks.clear();
        self.life += 1;
    }

    pub(super) fn fail_at(&mut self, at: u64, failure: Failure, lasting: bool) {
        self.fault = Some(Fault { at, failure, lasting, struck: false });
    }

    pub(super) fn mend(&mut self) -> bool {
        self.fault.take().is_some_and(|fault| fault.struck)
    }

    /// A number for a new handle.
    pub(super) fn handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    /// Counts a call, and fails it when it is to fail.
    pub(super) fn call(&mut self, call: Call) -> io::Result<()> {
        self.calls += 1;
        let Some(fault) = &mut self.fault else { return Ok(()) };
        let meant = fault.failure == Failure::Io || call == Call::NeedsRoom;
        if self.calls < fault.at || !meant || (fault.struck && !fault.lasting) {
            return Ok(());
        }
        fault.struck = true;
        Err(match fault.failure {
            Failure::Io => io::Error::other("the disk of the test fails"),
            Failure::Full => io::ErrorKind::StorageFull.into(),
        })
    }

    /// Does an operation, and records it.
    pub(super) fn act(&mut self, op: Op) {
        self.image.apply(&op);
        if let Some(tape) = &self.tape {
            tape.keep(op);
        }
    }

    /// Makes an empty file.
    pub(super) fn create(&mut self, name: &str, journal: bool) -> FileId {
        let file = self.image.next_file();
        self.act(Op::Create { name: name.to_owned(), file, journal });
        file
    }

    /// Writes to a file.
    pub(super) fn write(&mut self, file: FileId, at: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.act(Op::Write { file, at, bytes: Arc::from(bytes) });
        }
    }
}
