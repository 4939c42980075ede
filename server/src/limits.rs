//! The limits of what the server keeps and gives at once, in one place; each has a test on both sides.
//!
//! Limits of single changes, documents and batches belong to `ruhu_survey::limits` and `ruhu_ledger`.

/// Batches of one device that may wait for their predecessors.
pub const STAGED_PER_DEVICE_MAX: u64 = 64;

/// Bytes of one device's batches that may wait for their predecessors.
pub const STAGED_BYTES_PER_DEVICE_MAX: u64 = 8 * 1024 * 1024;

/// As [`STAGED_PER_DEVICE_MAX`], of batches that this server had received in an epoch that ended: behind a
/// hole that nobody fills a whole season may wait.
pub const STAGED_AGAIN_PER_DEVICE_MAX: u64 = 4_096;

/// As [`STAGED_BYTES_PER_DEVICE_MAX`], of such batches.
pub const STAGED_AGAIN_BYTES_PER_DEVICE_MAX: u64 = 256 * 1024 * 1024;

/// Changes of one device that may be held for changes that are not here; a batch that would add to a
/// device at the limit is not received.
pub const HELD_PER_DEVICE_MAX: u64 = 5_000;

/// Parsed changes of documents whose past was walked through that are kept in memory, about 600 bytes each.
pub const CHANGES_IN_MEMORY_MAX: usize = 65_536;

/// Branches of one chain: a forked chain has two, and one with more than these takes no further branch.
pub const BRANCHES_PER_CHAIN_MAX: usize = 16;

/// Rows of one page of a list.
pub const PAGE_ROWS_MAX: u32 = 500;

/// Documents that go through the belt in one round, and so in one transaction.
pub const BELT_DOCUMENTS_PER_ROUND: u32 = 64;

/// Bytes of the body of an enrolment.
pub const ENROLMENT_BYTES_MAX: u64 = 16 * 1024;

/// Seconds without a byte of a request, after which it is given up: a slow request that moves is never cut.
pub const STALL_SECONDS_MAX: u64 = 60;

/// Seconds until the headers of a request must be there.
pub const HEADER_SECONDS_MAX: u64 = 60;

/// Requests under way at once, beyond which a request is told to come back.
pub const REQUESTS_AT_ONCE_MAX: usize = 256;

/// Milliseconds for which the bytes of a request that was cut are kept.
pub const HELD_MS: i64 = 24 * 60 * 60 * 1000;

/// Bytes of requests that have ended which are kept in memory, in case their answers were lost.
pub const HELD_IN_MEMORY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Nonces kept at once; beyond them the oldest are forgotten.
pub const NONCES_MAX: usize = 100_000;

/// Milliseconds in which a nonce can be used.
pub const NONCE_MS: i64 = 10 * 60 * 1000;

/// Nonces a minute that one address is given without an identity; a township office is one address.
pub const NONCES_PER_MINUTE_MAX: u32 = 300;

/// Addresses and devices remembered for their rates, beyond which those without a recent request are forgotten.
pub const RATE_KEYS_MAX: usize = 50_000;

/// Bytes of relayed batches in one answer over all its villages, beyond which each village gets one more entry.
pub const ANSWER_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Rounds in which an answer waits for the belt while others keep sending.
pub const BELT_ROUNDS_MAX: usize = 3;

/// Rows of one page of a list when the caller does not say.
pub const PAGE_ROWS_DEFAULT: u32 = 100;

/// Bytes of a search text.
pub const SEARCH_BYTES_MAX: usize = 200;

/// Feed entries of a village before its first snapshot, and between two: below, the feed itself costs less.
pub const SNAPSHOT_ENTRIES: u64 = 16;

/// Snapshots kept of a village: a device that reads an older one begins with a newer.
pub const SNAPSHOTS_KEPT_MAX: u32 = 3;

/// Unfinished photos of one device; another one takes the place of the one that stood still longest.
pub const PHOTOS_UNFINISHED_PER_DEVICE_MAX: u32 = 8;

/// Milliseconds for which the pieces of an unfinished photo are kept after the last of them came.
pub const PHOTO_UNFINISHED_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Milliseconds over which a device's bytes of photos are counted.
pub const PHOTO_COUNTED_MS: i64 = 24 * 60 * 60 * 1000;

/// Requests about photos a minute by one device: pieces are small and many, and their bytes are counted too.
pub const PHOTO_REQUESTS_PER_MINUTE_MAX: u32 = 6_000;

/// Seconds that requests under way are given to end when the server stops.
pub const STOP_SECONDS_MAX: u64 = 30;
