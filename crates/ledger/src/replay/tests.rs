//! Streams of batches: what is written reads back, and what is damaged, unknown or too long is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use ruhu_survey::change::{ActorId, Change, ChangeHash, DocumentId, Value};
use ruhu_survey::id::{HouseholdId, UserId};
use ruhu_survey::register::{ChangeBuilder, Register};
use ruhu_survey::replay::{Name, Sender, founded_id};

use super::*;
use crate::batch::{Batch, UnsealedHeader};
use crate::example;
use crate::receipt::{Receipt, SignedReceipt};
use crate::verdict::Verdict;

const OPENING: [u8; 8] = *b"opening1";

/// A receiver, and a sender, that knows nothing but the batches' own documents.
#[derive(Default)]
struct Shelf(BTreeMap<DocumentId, Register>);

impl Library for Shelf {
    fn named(&self, _: &Name) -> Option<DocumentId> {
        None
    }

    fn register(&self, document: DocumentId) -> Register {
        self.0.get(&document).cloned().unwrap_or_default()
    }

    fn change(&self, _: DocumentId, _: &ChangeHash) -> Option<Arc<Change>> {
        None
    }

    fn beginning_with(&self, document: DocumentId, beginning: &[u8]) -> Vec<ChangeHash> {
        let heads = self.0.get(&document).map(|register| register.heads().clone()).unwrap_or_default();
        heads.into_iter().filter(|head| head.0.starts_with(beginning)).collect()
    }
}

impl Sender for Shelf {
    fn name(&self, _: DocumentId) -> Option<Name> {
        None
    }

    fn hashes(&self, document: DocumentId) -> Vec<ChangeHash> {
        self.0.get(&document).map(|register| register.heads().iter().copied().collect()).unwrap_or_default()
    }
}

fn start() -> StreamStart {
    StreamStart { device: example::device_key().public().device_id(), anchor: example::unsealed().anchor }
}

/// Households founded by the example's device, each with one text.
fn body(from: u64, count: u64, text: &str) -> BatchBody {
    let actor = ActorId::derive(start().device, OPENING);
    let change = |number: u64| {
        let empty = Register::default();
        let mut builder = ChangeBuilder::new(&empty, actor, 1_790_000_000 + number.cast_signed());
        builder.put("remarks", Value::Text(format!("{text}{number}")));
        let id = HouseholdId::from_bytes(founded_id(actor, number));
        (DocumentId::from(id), builder.finish().unwrap().1.bytes)
    };
    BatchBody { openings: vec![OPENING], changes: (from..from + count).map(change).collect() }
}

fn chain() -> Vec<Batch> {
    let key = example::device_key();
    let first = Batch::seal(&key, example::unsealed(), &body(0, 3, "户主在家")).unwrap();
    let second = Batch::seal(&key, example::unsealed_after(&first), &body(3, 30, "老人在家")).unwrap();
    let after = UnsealedHeader {
        wall_ms: 1_790_000_900_000,
        user: UserId::from_bytes([0xa7; 16]),
        ..example::unsealed_after(&second)
    };
    let third = Batch::seal(&key, after, &body(40, 1, &"很长".repeat(8_000 / 6))).unwrap();
    vec![first, second, third]
}

fn receipt(batch: &Batch, verdicts: Vec<Verdict>) -> SignedReceipt {
    let receipt = Receipt { batch: batch.id(), verdicts, ..example::receipt() };
    SignedReceipt::sign(receipt, &example::server_key()).unwrap()
}

fn written(batches: &[Batch]) -> Vec<Vec<u8>> {
    let mut writer = ReplayWriter::new(&start()).unwrap();
    let mut one = |batch: &Batch| {
        let body = batch.open().unwrap();
        writer.batch(&batch.header, &batch.signature, &body, None, &Shelf::default()).unwrap()
    };
    batches.iter().map(&mut one).collect()
}

fn replayed(read: &ReplayBatch, previous: Option<BatchId>) -> Replayed {
    read.replay(example::deployment(), example::village(), previous, &Shelf::default()).unwrap()
}

#[test]
fn batches_of_a_stream_read_back_with_their_signatures() {
    let chain = chain();
    let mut reader = ReplayReader::new(start());
    let mut previous = None;
    for (batch, payload) in chain.iter().zip(written(&chain)) {
        let back = replayed(&reader.batch(&payload, false).unwrap(), previous);
        assert_eq!((&back.header, &back.signature), (&batch.header, &batch.signature));
        assert_eq!(back.body, batch.open().unwrap());
        previous = Some(batch.id());
    }
}

#[test]
fn a_batch_costs_less_than_140_bytes_beside_its_changes() {
    let chain = chain();
    let bytes = body(0, 3, "户主在家");
    let text: usize = bytes.changes.len() * 30;
    let first = written(&chain).swap_remove(0).len();
    assert!(first < 140 + text, "{first} bytes");
}

#[test]
fn a_relayed_batch_brings_its_receipt() {
    let chain = chain();
    let held = Verdict::Held { needs: vec![ChangeHash([7; 32])] };
    let some_held = [vec![held], vec![Verdict::Accepted; 29]].concat();
    let receipts = [receipt(&chain[0], vec![Verdict::Accepted; 3]), receipt(&chain[1], some_held)];
    let mut writer = ReplayWriter::new(&start()).unwrap();
    let mut reader = ReplayReader::new(start());
    for (batch, receipt) in chain.iter().zip(&receipts) {
        let body = batch.open().unwrap();
        let payload =
            writer.batch(&batch.header, &batch.signature, &body, Some(receipt), &Shelf::default()).unwrap();
        let read = reader.batch(&payload, true).unwrap();
        let back = read.receipt.unwrap().complete(batch.id(), body.changes.len());
        assert_eq!(&back.statement.batch, &receipt.statement.batch);
        assert_eq!(back.signature, receipt.signature);
        assert_eq!(back.statement.received_ms, receipt.statement.received_ms);
    }
}

#[test]
fn a_header_that_was_guessed_wrong_does_not_verify() {
    let chain = chain();
    let payload = written(&chain).swap_remove(0);
    let mut other = start();
    other.anchor.size += 1;
    let read = ReplayReader::new(other).batch(&payload, false).unwrap();
    let back = replayed(&read, None);
    let certificate = example::certificate();
    let verifies = |header: &BatchHeader| {
        let batch = Batch { header: header.clone(), signature: back.signature, payload: Vec::new() };
        batch.verify(&certificate).is_ok()
    };
    assert!(!verifies(&back.header));
    assert!(verifies(&chain[0].header));
}

#[test]
fn the_batch_before_must_be_known_and_only_the_first_has_none() {
    let chain = chain();
    let payloads = written(&chain);
    let mut reader = ReplayReader::new(start());
    let first = reader.batch(&payloads[0], false).unwrap();
    let second = reader.batch(&payloads[1], false).unwrap();
    let replay = |read: &ReplayBatch, previous| {
        read.replay(example::deployment(), example::village(), previous, &Shelf::default())
    };
    assert_eq!(replay(&second, None), Err(NotReplayed::Previous(2)));
    assert_eq!(replay(&first, Some(chain[0].id())), Err(NotReplayed::Previous(1)));
}

#[test]
fn damage_a_cut_and_an_unknown_dictionary_end_a_stream() {
    let payloads = written(&chain());
    for end in 0..payloads[0].len() {
        let mut reader = ReplayReader::new(start());
        let cut = reader.batch(&payloads[0][..end], false);
        assert!(cut.is_err(), "cut at {end}");
        assert_eq!(reader.batch(&payloads[1], false), Err(ReplayError::Damaged));
    }
    let mut unknown = payloads[0].clone();
    unknown[0] = 99;
    let refusal = ReplayReader::new(start()).batch(&unknown, false);
    assert_eq!(refusal, Err(ReplayError::Dictionary(99)));
    assert!(ReplayReader::new(start()).batch(&payloads[1], false).is_err(), "the first is missing");
}

#[test]
fn a_bomb_is_stopped_at_the_limit() {
    use zstd::stream::raw::{Encoder, InBuffer, Operation, OutBuffer};
    let zeros = vec![0; REPLAY_BYTES_MAX + 1];
    let mut encoder = Encoder::with_dictionary(3, &[]).unwrap();
    let mut payload = vec![NO_DICTIONARY];
    let mut step = vec![0; 1 << 20];
    let mut input = InBuffer::around(&zeros);
    let mut output = OutBuffer::around(&mut step);
    encoder.run(&mut input, &mut output).unwrap();
    encoder.flush(&mut output).unwrap();
    payload.extend_from_slice(output.as_slice());
    assert!(payload.len() < 1_000);
    assert_eq!(ReplayReader::new(start()).batch(&payload, false), Err(ReplayError::Inflate));
}

#[test]
fn a_batch_above_the_limit_is_left_to_travel_raw_and_the_stream_goes_on() {
    let key = example::device_key();
    let long = body(0, 80, &"长".repeat(8_100 / 3));
    let batch = Batch::seal(&key, example::unsealed(), &long).unwrap();
    let mut writer = ReplayWriter::new(&start()).unwrap();
    let shelf = Shelf::default();
    let refusal = writer.batch(&batch.header, &batch.signature, &long, None, &shelf);
    assert!(matches!(refusal, Err(NotWritten::NotSpelled(_) | NotWritten::TooLong(_))), "{refusal:?}");
    let next = chain().swap_remove(0);
    let payload = writer.batch(&next.header, &next.signature, &next.open().unwrap(), None, &shelf).unwrap();
    ReplayReader::new(start()).batch(&payload, false).unwrap();
}
