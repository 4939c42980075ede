//! Every limit of the protocol, in one place: sizes in bytes, counts per frame and per request.
//!
//! A reader refuses what is above a limit before it buffers or allocates it. A writer keeps below; the
//! tests beside each format stand on both sides.

/// The most bytes of batches and keys a session plans into one request, unless one batch alone is larger.
pub const BYTES_PER_REQUEST: u64 = 128 * 1024;
/// The most batches in one request.
pub const BATCHES_PER_REQUEST: usize = 64;
/// The most household keys in one request.
pub const KEYS_PER_REQUEST: usize = 256;
/// The most records of epochs that ended in one request.
pub const OFFERS_PER_REQUEST: usize = 1_024;
/// The bytes of such records after which a device begins another request.
pub const OFFER_BYTES_PER_REQUEST: u64 = 384 * 1024;
/// The most villages in one request.
pub const VILLAGES_PER_REQUEST: usize = 64;
/// The most bytes a server reads of one request body: every village with its longest vector, all keys,
/// and one batch of the largest size.
pub const REQUEST_BYTES_MAX: u64 = 1024 * 1024;
/// The bytes of relayed batches and decisions after which a server ends its answer about a village
/// and says that there is more.
pub const ANSWER_BYTES: u64 = 128 * 1024;

/// The most chain tips in a version vector.
pub const TIPS_PER_VILLAGE: usize = 256;
/// The most household keys in one frame of a village's keys; more of them take several frames, so that an
/// answer that is cut keeps most of what it brought.
pub const KEYS_PER_FRAME: usize = 64;
/// Announcements in one frame; a village with more devices takes several.
pub const ANNOUNCED_PER_FRAME: usize = 64;
/// The most hashes in a consistency proof: two for each bit of a 64-bit log size.
pub const CONSISTENCY_HASHES_MAX: usize = 128;

/// The most bytes of a signed batch: a payload of 256 KiB, and its header and signature.
pub const BATCH_BYTES_MAX: usize = ruhu_ledger::limits::PAYLOAD_BYTES_MAX + 1024;
/// The most bytes of a signed receipt: 100 verdicts, each waiting for 64 changes.
pub const RECEIPT_BYTES_MAX: usize = 256 * 1024;
/// The most bytes of a signed certificate: 2,000 villages, and the rest of it.
pub const CERTIFICATE_BYTES_MAX: usize = 48 * 1024;
/// The most bytes of a signed revocation.
pub const REVOCATION_BYTES_MAX: usize = 4 * 1024;
/// The most bytes of a signed decision.
pub const DECISION_BYTES_MAX: usize = 16 * 1024;
/// The most bytes of a checkpoint note, with the signatures of witnesses.
pub const NOTE_BYTES_MAX: usize = ruhu_ledger::limits::NOTE_BYTES_MAX;
/// The most bytes of an epoch's link.
pub const LINK_BYTES_MAX: usize = 2 * 1024;
/// The most bytes of a signed watermark.
pub const WATERMARK_BYTES_MAX: usize = 256;
/// The most bytes of a stable code.
pub const CODE_BYTES_MAX: usize = 64;
/// The most bytes of an explanation.
pub const DETAIL_BYTES_MAX: usize = 512;

/// How many requests in a row may fail without any progress before a session gives up.
pub const FAILURES_MAX: u32 = 6;
/// How many requests one session makes at most; whatever is left waits for the next session.
pub const ROUNDS_MAX: u32 = 1_000;

/// The most items of one kind that a device names of what it holds; what is left out costs bytes only.
pub const HOLDING_ITEMS_MAX: usize = 4096;
/// The most bytes of a frame that says what a device holds of a village.
pub const HOLDING_BYTES_MAX: usize =
    128 + TIPS_PER_VILLAGE * 30 + HOLDING_ITEMS_MAX * (33 + 10 + 10 + 16 + 16);
/// The bytes of frames after which a segment of a bundle is full.
pub const SEGMENT_BYTES: usize = 256 * 1024;
/// The most bytes of a sealed segment: one frame of the largest kind beside a full segment.
pub const SEGMENT_SEALED_BYTES_MAX: usize = 1024 * 1024;
/// The most bytes of a segment's frames once inflated.
pub const SEGMENT_FRAMES_BYTES_MAX: usize = 1024 * 1024;
/// How many damaged places of one bundle are looked past; the rest of the file is given up.
pub const DAMAGES_MAX: usize = 1000;
/// The most bytes of a bundle that is read.
pub const BUNDLE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The most codes that one bundle is cut into.
pub const CODES_MAX: usize = 64;

/// The most certificates, and the most revocations, in a snapshot.
pub const SNAPSHOT_CREDENTIALS_MAX: usize = 10_000;
/// The most batches that the changes of a snapshot came in.
pub const SNAPSHOT_BATCHES_MAX: usize = 1_000_000;
/// The most documents in a snapshot, and the most that it leaves out.
pub const SNAPSHOT_DOCUMENTS_MAX: usize = 1_000_000;
/// The most forms that the keys of a snapshot have; the field tables know a few hundred.
pub const SNAPSHOT_TEMPLATES_MAX: usize = 100_000;
/// The most bytes of a verdict: one that waits for 64 changes.
pub const VERDICT_BYTES_MAX: usize = 4 * 1024;
/// The bytes of a snapshot that one answer holds at most.
pub const SNAPSHOT_ANSWER_BYTES: usize = 256 * 1024;

/// The most symbols that one question of a repair asks for: enough to find about 6,000 documents that differ.
pub const REPAIR_SYMBOLS_MAX: u64 = 8_192;
/// The most documents that one question of a repair asks for.
pub const REPAIR_DOCUMENTS_MAX: usize = 256;
/// The most bytes of a question of a repair.
pub const REPAIR_BYTES_MAX: u64 = 4 * 1024;

/// The bytes of a photo that a device sends in one piece as long as none was cut: at 20 kbit/s, 13 seconds.
pub const PHOTO_PIECE_BYTES: usize = 32 * 1024;
/// The bytes below which a device does not cut its pieces, however often the link breaks: at 20 kbit/s, under two
/// seconds.
pub const PHOTO_PIECE_BYTES_MIN: usize = 4 * 1024;
/// The most bytes of a piece that a server takes.
pub const PHOTO_PIECE_BYTES_MAX: usize = 64 * 1024;
/// The bytes of a photo that one answer holds at most.
pub const PHOTO_ANSWER_BYTES: u64 = 256 * 1024;
