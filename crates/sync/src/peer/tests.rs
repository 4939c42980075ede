//! The frames of devices among themselves: each has one encoding, and the document names each.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::frame::{Frame as _, decode_all, encode};
use crate::key_bytes::KeyBytes;
use crate::samples::{self, VILLAGE, batch_id, device, household};
use crate::vector::ChainTip;

fn holding() -> Holding {
    Holding {
        village: VILLAGE,
        tips: BTreeSet::from([ChainTip::at(device(1), 6, &batch_id(0x16))]),
        batches: BTreeMap::from([(batch_id(0x21), false), (batch_id(0x22), true)]),
        decided_to: 300,
        decisions: BTreeSet::from([301, 400]),
        certificates: BTreeSet::from([1, 7]),
        revocations: BTreeSet::from([device(3)]),
        keys: BTreeSet::from([household(0x71)]),
    }
}

fn frames() -> Vec<PeerFrame> {
    let keys = BTreeMap::from([(household(0x71), (true, KeyBytes([0x5a; 64])))]);
    let batch = b"any bytes".to_vec();
    let receipt = samples::receipt(batch_id(0x21), 41);
    let decision =
        crate::response::RelayedDecision { village: VILLAGE, sequence: 7, decision: samples::decision() };
    vec![
        PeerFrame::Holding(holding()),
        PeerFrame::Holding(Holding::nothing(VILLAGE)),
        PeerFrame::Certificate(samples::certificate()),
        PeerFrame::Revocation(samples::revocation()),
        PeerFrame::Keys(HouseholdKeys { village: VILLAGE, households: keys }),
        PeerFrame::Batch(CarriedBatch { batch: batch.clone(), sequence: 0, receipt: None }),
        PeerFrame::Batch(CarriedBatch { batch, sequence: 300, receipt: Some(receipt.clone()) }),
        PeerFrame::Receipt(CarriedReceipt { sequence: 300, receipt }),
        PeerFrame::Decision(decision),
        PeerFrame::End,
    ]
}

#[test]
fn every_frame_reads_back_and_no_piece_of_one_does() {
    let body: Vec<u8> = frames().iter().flat_map(encode).collect();
    assert_eq!(decode_all::<PeerFrame>(&body).unwrap(), frames());
    for frame in frames() {
        let bytes = encode(&frame);
        for end in 1..bytes.len() {
            assert!(decode_all::<PeerFrame>(&bytes[..end]).is_err(), "{frame:?} cut at {end}");
        }
        let (tag, mut payload) = frame.encode();
        payload.push(0);
        assert!(PeerFrame::decode(tag, &payload).is_err(), "{frame:?} with a byte more");
    }
}

#[test]
fn nothing_comes_after_the_end() {
    let body: Vec<u8> = [PeerFrame::End, PeerFrame::End].iter().flat_map(encode).collect();
    assert!(decode_all::<PeerFrame>(&body).is_err());
}

#[test]
fn the_document_names_every_frame_with_its_limit() {
    let document = include_str!("../../../../schemas/wire/bundle.md");
    for tag in u8::MIN..=u8::MAX {
        let line = document.lines().find(|line| line.starts_with(&format!("| {tag:#04x} |")));
        let said = line.map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (cells[2].to_owned(), cells[3].replace(',', "").parse::<usize>().unwrap())
        });
        let shape = PeerFrame::shape(tag).map(|shape| (shape.name.to_owned(), shape.bytes_max));
        assert_eq!(said, shape, "tag {tag:#04x}");
    }
}

#[test]
fn the_longest_holding_fits_its_frame() {
    let ids = |at: usize| {
        let mut id = [0xff; 16];
        id[..8].copy_from_slice(&(at as u64).to_be_bytes());
        id
    };
    let most = crate::limits::HOLDING_ITEMS_MAX + 10;
    let large = |at: usize| u64::MAX - at as u64;
    let held = Holding {
        village: VILLAGE,
        tips: (0..300_u64)
            .map(|at| ChainTip { device: device(1), next: u64::MAX - at, tip: [0; 4] })
            .collect(),
        batches: (0..most)
            .map(|at| (ruhu_ledger::batch::BatchId([ids(at), ids(at)].concat().try_into().unwrap()), true))
            .collect(),
        decided_to: u64::MAX,
        decisions: (0..most).map(large).collect(),
        certificates: (0..most).map(large).collect(),
        revocations: (0..most).map(|at| ruhu_survey::id::DeviceId::from_bytes(ids(at))).collect(),
        keys: (0..most).map(|at| ruhu_survey::id::HouseholdId::from_bytes(ids(at))).collect(),
    };
    let read = decode_all::<PeerFrame>(&encode(&PeerFrame::Holding(held))).unwrap();
    let [PeerFrame::Holding(read)] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!(read.keys.len(), crate::limits::HOLDING_ITEMS_MAX);
}
