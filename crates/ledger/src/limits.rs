//! Every bound of the ledger's formats, in one place. Readers refuse what is above them.

use ruhu_survey::limits as survey;

/// The most changes in one batch (DESIGN §5).
pub const CHANGES_PER_BATCH_MAX: usize = 100;
/// The most store openings that one batch names: one for each of its changes.
pub const OPENINGS_PER_BATCH_MAX: usize = CHANGES_PER_BATCH_MAX;
/// The most bytes of one change: what the admission gate takes.
pub const CHANGE_BYTES_MAX: usize = survey::CHANGE_BYTES_MAX;
/// The most bytes of a batch's payload as it travels, mode byte included.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
/// The most bytes of a batch's body once inflated.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most villages of one certificate: the villages of a large county, several times over.
pub const VILLAGES_PER_CERTIFICATE_MAX: usize = 2_000;
/// The most bytes of a certificate's label.
pub const NAME_BYTES_MAX: usize = 200;
/// The most bytes of a reason: why a key was revoked, why a change was refused.
pub const REASON_BYTES_MAX: usize = 400;
/// The most bytes of the code of a broken rule.
pub const RULE_BYTES_MAX: usize = 64;
/// The most changes that a held change can wait for: as many as it can have dependencies.
pub const NEEDS_MAX: usize = survey::DEPENDENCIES_MAX;
/// The latest time, in milliseconds since 1970: the end of the year 9999. The earliest is 0.
pub const TIME_MS_MAX: i64 = 253_402_300_799_999;
/// The highest number, serial or size: 2^53 − 1, which SQLite and JSON both hold exactly.
pub const COUNTER_MAX: u64 = (1 << 53) - 1;
/// The most bytes of a log leaf.
pub const LEAF_BYTES_MAX: usize = 256;
/// The most bytes of a signed note.
pub const NOTE_BYTES_MAX: usize = 65_536;
/// The most signature lines of a signed note.
pub const NOTE_SIGNATURES_MAX: usize = 100;
/// The bytes of one piece of a packed snapshot: what a weak link carries in half a minute.
pub const SNAPSHOT_PIECE_BYTES: u64 = 64 * 1024;
/// The most bytes of a packed snapshot: a village of 2,000 households after years.
pub const SNAPSHOT_PACKED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The most bytes of a snapshot's content once unpacked; a device holds them in memory.
pub const SNAPSHOT_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ruhu_survey::change::ChangeHash;
    use ruhu_survey::codec::Writer;
    use ruhu_survey::id::VillageId;

    use super::*;
    use crate::batch::{Anchor, Batch, BatchBody, BatchError, UnsealedHeader};
    use crate::certificate::{Certificate, Revocation};
    use crate::checkpoint::{Checkpoint, NoteKey};
    use crate::error::FormatError;
    use crate::example;
    use crate::leaf::Leaf;
    use crate::receipt::Receipt;
    use crate::statement::{Signed, Statement};
    use crate::verdict::Verdict;

    /// Whether the server may sign it, and it reads back.
    fn signable<T: Statement + std::fmt::Debug + Clone>(statement: &T) -> bool {
        let Ok(signed) = Signed::sign(statement.clone(), &example::server_key()) else { return false };
        Signed::from_bytes(&signed.to_bytes()).as_ref() == Ok(&signed)
    }

    fn seal(unsealed: UnsealedHeader, body: &BatchBody) -> Result<Batch, BatchError> {
        Batch::seal(&example::device_key(), unsealed, body)
    }

    fn body_of(changes: usize, openings: usize) -> BatchBody {
        let openings = (0..openings as u64).map(u64::to_be_bytes).collect();
        BatchBody { openings, changes: vec![(example::document(1), example::chunk(b"same")); changes] }
    }

    #[test]
    fn a_batch_holds_a_hundred_changes_and_a_hundred_openings() {
        let (changes, openings) = (CHANGES_PER_BATCH_MAX, OPENINGS_PER_BATCH_MAX);
        let full = body_of(changes, openings);
        assert_eq!(seal(example::unsealed(), &full).unwrap().open(), Ok(full));
        for body in [body_of(changes + 1, openings), body_of(changes, openings + 1)] {
            assert!(matches!(seal(example::unsealed(), &body), Err(BatchError::Format(_))));
        }
        let mut header = example::batch().header;
        header.count = 100;
        assert!(signable(&header));
        header.count = 101;
        assert!(!signable(&header));
        header.count = 0;
        assert!(!signable(&header));
    }

    #[test]
    fn a_change_is_as_long_as_its_limit_at_most() {
        let of_length = |length: usize| {
            let change = example::chunk(&vec![7; length - 9]);
            assert_eq!(change.len(), length);
            BatchBody { openings: vec![], changes: vec![(example::document(1), change)] }
        };
        assert!(seal(example::unsealed(), &of_length(CHANGE_BYTES_MAX)).unwrap().open().is_ok());
        let refusal = seal(example::unsealed(), &of_length(CHANGE_BYTES_MAX + 1));
        assert!(matches!(refusal, Err(BatchError::Format(_))));
    }

    /// Changes of 60,000 bytes that do not compress.
    fn noisy_body(changes: usize) -> BatchBody {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        let mut change = || example::chunk(&(0..60_000).map(|_| noise()).collect::<Vec<_>>());
        let changes = (0..changes).map(|_| (example::document(1), change())).collect();
        BatchBody { openings: vec![], changes }
    }

    #[test]
    fn a_payload_is_as_long_as_its_limit_at_most() {
        assert!(seal(example::unsealed(), &noisy_body(4)).is_ok());
        assert!(matches!(seal(example::unsealed(), &noisy_body(5)), Err(BatchError::Format(_))));
        let of_length = |length: usize| Batch { payload: vec![0; length], ..example::batch() }.to_bytes();
        assert!(Batch::from_bytes(&of_length(PAYLOAD_BYTES_MAX)).is_ok());
        assert!(Batch::from_bytes(&of_length(PAYLOAD_BYTES_MAX + 1)).is_err());
    }

    const _: () = assert!(63 * 65_600 < BODY_BYTES_MAX && BODY_BYTES_MAX < 65 * 65_500);

    #[test]
    fn a_body_above_its_limit_is_not_sealed_however_well_it_compresses() {
        let of_length = |changes: usize| {
            let change = example::chunk(&[7; 65_500]);
            BatchBody { openings: vec![], changes: vec![(example::document(1), change); changes] }
        };
        assert!(seal(example::unsealed(), &of_length(63)).unwrap().open().is_ok());
        assert!(matches!(seal(example::unsealed(), &of_length(65)), Err(BatchError::Format(_))));
    }

    #[test]
    fn a_certificate_names_as_many_villages_as_its_limit_at_most() {
        let of_count = |count: usize| {
            let village = |n: usize| VillageId::from_bytes((n as u128).to_be_bytes());
            let villages: BTreeSet<_> = (0..count).map(village).collect();
            Certificate { villages, ..example::certificate() }
        };
        assert!(signable(&of_count(0)));
        assert!(signable(&of_count(VILLAGES_PER_CERTIFICATE_MAX)));
        assert!(!signable(&of_count(VILLAGES_PER_CERTIFICATE_MAX + 1)));
    }

    #[test]
    fn labels_reasons_and_rules_are_as_long_as_their_limits_at_most() {
        let name = |length| Certificate { name: "n".repeat(length), ..example::certificate() };
        assert!(signable(&name(NAME_BYTES_MAX)) && !signable(&name(NAME_BYTES_MAX + 1)));
        let reason = |length| Revocation { reason: "r".repeat(length), ..example::revocation() };
        assert!(signable(&reason(REASON_BYTES_MAX)) && !signable(&reason(REASON_BYTES_MAX + 1)));
        let receipt = |verdict| Receipt { verdicts: vec![verdict], ..example::receipt() };
        let refused = |length| receipt(Verdict::Refused { reason: "r".repeat(length) });
        assert!(signable(&refused(REASON_BYTES_MAX)) && !signable(&refused(REASON_BYTES_MAX + 1)));
        let rule = |length| receipt(Verdict::Quarantined { rule: "r".repeat(length), because: None });
        assert!(signable(&rule(RULE_BYTES_MAX)) && !signable(&rule(RULE_BYTES_MAX + 1)));
        let held = |count| receipt(Verdict::Held { needs: vec![ChangeHash([1; 32]); count] });
        assert!(signable(&held(NEEDS_MAX)) && !signable(&held(NEEDS_MAX + 1)));
    }

    #[test]
    fn a_receipt_holds_one_to_a_hundred_verdicts() {
        let of_count = |count| Receipt { verdicts: vec![Verdict::Accepted; count], ..example::receipt() };
        assert!(signable(&of_count(1)) && signable(&of_count(CHANGES_PER_BATCH_MAX)));
        assert!(!signable(&of_count(0)) && !signable(&of_count(CHANGES_PER_BATCH_MAX + 1)));
    }

    #[test]
    fn times_are_between_1970_and_9999() {
        let at = |at_ms| Revocation { at_ms, ..example::revocation() };
        assert!(signable(&at(0)) && signable(&at(TIME_MS_MAX)));
        assert!(!signable(&at(-1)) && !signable(&at(TIME_MS_MAX + 1)));
        let refusal = Signed::sign(at(-1), &example::server_key()).unwrap_err();
        assert_eq!(refusal.to_string(), "at_ms is -1, outside 0 to 253402300799999 milliseconds");
        assert_eq!(refusal, FormatError::Time { what: "at_ms", found: -1 });
        let anchored = |ms| Receipt { anchor_ms: Some(ms), ..example::receipt() };
        assert!(signable(&anchored(TIME_MS_MAX)) && !signable(&anchored(TIME_MS_MAX + 1)));
        let wall = |wall_ms| seal(UnsealedHeader { wall_ms, ..example::unsealed() }, &example::body());
        assert!(wall(TIME_MS_MAX).is_ok() && wall(TIME_MS_MAX + 1).is_err());
    }

    #[test]
    fn numbers_are_at_most_what_json_holds_exactly() {
        let serial = |serial| Certificate { serial, ..example::certificate() };
        assert!(signable(&serial(COUNTER_MAX)) && !signable(&serial(COUNTER_MAX + 1)));
        let index = |leaf_index| Receipt { leaf_index, ..example::receipt() };
        assert!(signable(&index(COUNTER_MAX)) && !signable(&index(COUNTER_MAX + 1)));
        let sealable = |unsealed| seal(unsealed, &example::body()).is_ok();
        let monotonic = |monotonic_ms| UnsealedHeader { monotonic_ms, ..example::unsealed() };
        assert!(sealable(monotonic(COUNTER_MAX)) && !sealable(monotonic(COUNTER_MAX + 1)));
        let anchor = |size| Anchor { size, ..example::unsealed().anchor };
        let anchored = |size| UnsealedHeader { anchor: anchor(size), ..example::unsealed() };
        assert!(sealable(anchored(COUNTER_MAX)) && !sealable(anchored(COUNTER_MAX + 1)));
        let numbered = |number| UnsealedHeader { number, ..example::unsealed_after(&example::batch()) };
        assert!(sealable(numbered(COUNTER_MAX)) && !sealable(numbered(COUNTER_MAX + 1)));
        let signs = |size| Checkpoint::new(example::deployment(), size, [1; 32]).sign(&example::server_key());
        assert!(signs(COUNTER_MAX).is_ok() && signs(COUNTER_MAX + 1).is_err());
    }

    #[test]
    fn a_leaf_has_one_length_within_its_limit() {
        let leaf = example::receipt().leaf(&example::batch().header);
        assert_eq!(leaf.to_bytes().len(), 98);
        assert!(leaf.to_bytes().len() <= LEAF_BYTES_MAX);
        let mut longer = Writer::new();
        longer.raw(&leaf.to_bytes()).raw(&[0; LEAF_BYTES_MAX]);
        assert!(Leaf::from_bytes(&longer.finish()).is_err());
    }

    #[test]
    fn a_note_is_as_long_and_as_often_signed_as_its_limits_at_most() {
        let key = NoteKey::of_log(example::deployment(), example::server_key().public());
        let note = Checkpoint::new(example::deployment(), 41, [1; 32]).sign(&example::server_key()).unwrap();
        let witness = |name: &str| format!("\u{2014} {name} AAAAAAAA\n");
        let signed_often = |count: usize| note.clone() + &witness("w").repeat(count - 1);
        assert!(Checkpoint::open(&signed_often(NOTE_SIGNATURES_MAX), &key).is_ok());
        assert!(Checkpoint::open(&signed_often(NOTE_SIGNATURES_MAX + 1), &key).is_err());
        let of_length = |length: usize| {
            let long = note.clone() + &witness(&"w".repeat(length - note.len() - witness("").len()));
            assert_eq!(long.len(), length);
            long
        };
        assert!(Checkpoint::open(&of_length(NOTE_BYTES_MAX), &key).is_ok());
        assert!(Checkpoint::open(&of_length(NOTE_BYTES_MAX + 1), &key).is_err());
    }
}
