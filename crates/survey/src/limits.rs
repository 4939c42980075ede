//! Every limit of a change and of a document, once, for whoever writes one and whoever admits one.
//!
//! The parser holds these before it expands anything, so a short change cannot claim a long content.
//! They hold in both payload modes. Each has a test on both sides of it, in `tests/limits.rs`.

/// Bytes of one change (the whole chunk, uncompressed). A visit of 25 answers takes about 700.
pub const CHANGE_BYTES_MAX: usize = 65_536;

/// Puts of one change.
pub const OPS_MAX: usize = 2_000;

/// Changes that one change may stand on: how many people can have written the same document without
/// having seen each other.
pub const DEPENDENCIES_MAX: usize = 64;

/// Heads that the server lets a document have; a change that would leave more is set aside until somebody has
/// written onto those that are there.
///
/// Half of [`DEPENDENCIES_MAX`], because the next change has to name them all: else one device that writes
/// many changes beside each other could lock a household for everybody.
pub const HEADS_MAX: usize = 32;

/// Actors besides its own that one change may name.
///
/// Every opening of a store is an actor, so a roster import over a household of a hundred keys that were
/// written in a hundred openings honestly names a hundred.
pub const ACTORS_MAX: usize = 1_024;

/// Predecessors of all puts of one change together.
pub const PREDECESSORS_MAX: usize = 8_000;

/// UTF-8 bytes of one key; a key has at least one.
pub const KEY_BYTES_MAX: usize = 200;

/// Bytes of one text (UTF-8) or one sealed value.
pub const VALUE_BYTES_MAX: usize = 8_192;

/// The latest time a change may claim, in seconds since 1970 (about the year 36,800); the earliest is 0.
///
/// A clock in milliseconds is above it. Automerge panics on times near the ends of 64 bits.
pub const CLAIMED_AT_MAX: i64 = 1 << 40;

/// Changes of one document. Judging a change that stands on older ones replays up to this many.
pub const CHANGES_PER_DOCUMENT_MAX: usize = 10_000;

/// The highest operation counter: every change of a full document holding every put it may.
///
/// Automerge counts in 32 bits and panics near their end.
pub const OP_COUNTER_MAX: u64 = 20_000_000;

const _: () = assert!(OP_COUNTER_MAX == (CHANGES_PER_DOCUMENT_MAX * OPS_MAX) as u64);

/// Bytes of a photo that a front end resizes to before it hands the photo over; one check of three photos then
/// takes about two minutes of a link of 64 kbit/s.
pub const PHOTO_BYTES_USUAL: usize = 300 * 1024;

/// Bytes of a photo as it was taken or resized, before it is sealed.
pub const PHOTO_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of the thumbnail of a photo.
pub const THUMBNAIL_BYTES_MAX: usize = 16 * 1024;
