//! What was done to all disks of a world, in order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::image::{Image, Op};

/// A record of operations. Every disk that records on it has a track of its own, numbered from 0.
#[derive(Clone, Default)]
pub(crate) struct Tape {
    ops: Arc<Mutex<Vec<(usize, Op)>>>,
    tracks: Arc<AtomicUsize>,
}

/// Where one disk records.
pub(crate) struct Track {
    tape: Tape,
    number: usize,
}

impl Track {
    pub(super) fn keep(&self, op: Op) {
        self.tape.ops.lock().unwrap_or_else(PoisonError::into_inner).push((self.number, op));
    }
}

impl Tape {
    pub(super) fn track(&self) -> Track {
        Track { tape: self.clone(), number: self.tracks.fetch_add(1, Ordering::Relaxed) }
    }

    /// How many operations were recorded so far: a moment of the session.
    pub(crate) fn length(&self) -> usize {
        self.ops.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Does the operation that follows a moment to its disk's image; with `syncs` false, syncs do nothing.
    pub(crate) fn play(&self, moment: usize, images: &mut [Image], syncs: bool) {
        let ops = self.ops.lock().unwrap_or_else(PoisonError::into_inner);
        let (track, op) = &ops[moment];
        if syncs || !matches!(op, Op::Sync { .. } | Op::SyncNames) {
            images[*track].apply(op);
        }
    }
}
