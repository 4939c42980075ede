//! What happened in a world: counts by kind, and one running hash over every event.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// Counts and trace of a run. The same seed gives the same tally.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Edits by kind: values and entries that a person wrote.
    pub edits: BTreeMap<&'static str, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Other things that happened, by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Weeks of a device with at least [`EDITS_MIN`] edits in [`DOCUMENTS_MIN`] documents and a sync that was answered.
    pub device_weeks: u64,
    trace: Sha256,
    lines: Option<Vec<String>>,
}

/// Edits without which a week of a device does not count.
pub const EDITS_MIN: u64 = 20;
/// Documents without which a week of a device does not count.
pub const DOCUMENTS_MIN: usize = 3;

impl Tally {
    /// A tally that also keeps every event as a line.
    #[must_use]
    pub fn telling() -> Self {
        Self { lines: Some(Vec::new()), ..Self::default() }
    }

    /// Counts edits of a kind.
    pub fn edit(&mut self, kind: &'static str, count: u64) {
        *self.edits.entry(kind).or_default() += count;
    }

    /// Counts a fault.
    pub fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
        self.note(kind);
    }

    /// Counts an event.
    pub fn event(&mut self, kind: &'static str) {
        *self.events.entry(kind).or_default() += 1;
    }

    /// Adds to the trace.
    pub fn note(&mut self, line: &str) {
        self.trace.update(line.as_bytes());
        self.trace.update([0]);
        if let Some(lines) = &mut self.lines {
            lines.push(line.to_owned());
        }
    }

    /// The hash over everything noted so far.
    #[must_use]
    pub fn trace(&self) -> [u8; 32] {
        self.trace.clone().finalize().into()
    }

    /// Every line noted so far, of a tally that tells.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    /// Adds the counts of another world, and its trace to this one's.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.edits, &other.edits),
            (&mut self.faults, &other.faults),
            (&mut self.events, &other.events),
        ] {
            for (kind, count) in theirs {
                *mine.entry(kind).or_default() += count;
            }
        }
        self.device_weeks += other.device_weeks;
        self.trace.update(other.trace());
    }
}
