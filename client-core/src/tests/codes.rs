//! Codes to scan: whole batches where they fit, a replay stream where that takes fewer codes.

use ruhu_sync::bundle::{self, code};
use ruhu_sync::peer::{CarriedReplay, PeerFrame, PieceReader};

use super::carrying::{found, import, remark, texts};
use super::*;
use crate::Carried;

/// What is behind some codes, scanned in the wrong order.
fn scanned(mut codes: Vec<String>) -> Vec<u8> {
    codes.reverse();
    code::join(codes.iter().map(String::as_str)).unwrap()
}

fn pieces(bundle: &[u8]) -> Vec<CarriedReplay> {
    let contents = bundle::read(bundle, |_| Some([5; 32]));
    assert!(contents.damage.is_empty());
    let frames = contents.parts.into_iter().flat_map(|part| part.frames);
    let piece = |frame| match frame {
        PeerFrame::Replay(piece) => Some(piece),
        _ => None,
    };
    frames.filter_map(piece).collect()
}

/// So many visits to a household that whole batches take two codes.
fn many_visits(tablet: &mut Tablet, household: HouseholdId) {
    for visit in 0..90 {
        remark(tablet, household, &format!("第{visit}次走访，住房安全，饮水达标"));
    }
}

#[test]
fn few_edits_are_whole_in_a_code_with_all_that_a_reader_may_lack() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut reader] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    author.sync(&server);
    assert!(matches!(author.client.bundle_codes(village, None), Err(Error::NothingToCarry)));
    let household = found(&mut author, village);
    for visit in 0..10 {
        remark(&mut author, household, &format!("第{visit}次走访，住房安全，饮水达标"));
    }
    let bundle = scanned(author.client.bundle_codes(village, None).unwrap());
    assert!(pieces(&bundle).is_empty(), "whole batches fit one code");
    let report = import(&mut reader, &bundle);
    assert_eq!((report.carried.batches, report.carried.keys, report.carried.set_aside), (1, 1, 0));
    assert_eq!(texts(&reader, household, "remarks"), ["第9次走访，住房安全，饮水达标"]);
}

#[test]
fn a_replay_stream_is_used_where_it_takes_fewer_codes() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut reader] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    author.sync(&server);
    let household = found(&mut author, village);
    author.sync(&server);
    reader.sync(&server);
    many_visits(&mut author, household);
    let codes = author.client.bundle_codes(village, None).unwrap();
    assert_eq!(codes.len(), 1);
    let bundle = scanned(codes);
    assert_eq!(pieces(&bundle).len(), 1);
    let shown = reader.client.bundle_show(&bundle).unwrap();
    assert_eq!((shown.parts[0].batches, shown.parts[0].devices), (1, 1));
    let report = import(&mut reader, &bundle);
    assert_eq!((report.carried.batches, report.carried.not_built, report.carried.set_aside), (1, 0, 0));
    assert_eq!(texts(&reader, household, "remarks"), texts(&author, household, "remarks"));
    assert_eq!(import(&mut reader, &bundle).carried, Carried::default(), "a second time it is known");
    assert_eq!(import(&mut author, &bundle).carried, Carried::default(), "and so it is to its author");
    // The reader brings it to the server, and the author hears of it.
    assert_eq!(reader.sync(&server).progress.carried, 1);
    assert_eq!(author.sync(&server).waiting, 0);
}

#[test]
fn a_batch_that_cannot_be_put_together_is_not_taken_and_is_counted() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut reader] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    author.sync(&server);
    reader.sync(&server);
    let household = found(&mut author, village);
    author.sync(&server);
    many_visits(&mut author, household);
    let bundle = scanned(author.client.bundle_codes(village, None).unwrap());
    assert_eq!(pieces(&bundle).len(), 1);
    let report = import(&mut reader, &bundle);
    assert_eq!((report.carried.batches, report.carried.not_built, report.carried.set_aside), (0, 1, 0));
    assert_eq!(reader.client.status().unwrap().unsent.carried, 0);
    reader.sync(&server);
    let report = import(&mut reader, &bundle);
    assert_eq!((report.carried.batches, report.carried.not_built), (1, 0), "with the household it is");
}

#[test]
fn a_batch_whose_predecessor_lacks_is_put_together_and_staged() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut reader] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    author.sync(&server);
    let household = found(&mut author, village);
    author.sync(&server);
    reader.sync(&server);
    found(&mut author, village);
    author.sync(&server);
    many_visits(&mut author, household);
    let bundle = scanned(author.client.bundle_codes(village, None).unwrap());
    assert!(pieces(&bundle)[0].previous.is_some());
    let report = import(&mut reader, &bundle);
    assert_eq!((report.carried.batches, report.carried.staged, report.carried.not_built), (1, 1, 0));
    assert_eq!(reader.sync(&server).progress.carried, 1, "it goes on with the predecessor");
    assert_eq!(author.sync(&server).waiting, 0);
}

#[test]
fn a_damaged_piece_costs_its_stream_and_nothing_else() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut reader] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    author.sync(&server);
    let household = found(&mut author, village);
    author.sync(&server);
    reader.sync(&server);
    many_visits(&mut author, household);
    let good = pieces(&scanned(author.client.bundle_codes(village, None).unwrap())).remove(0);
    let (mut cut, mut headless) = (good.clone(), good.clone());
    cut.piece.truncate(good.piece.len() / 2);
    headless.begins = false;
    let frames = [headless, cut, good].map(PeerFrame::Replay);
    let carried = reader.client.take_frames(&frames, &mut PieceReader::default()).unwrap();
    assert_eq!((carried.not_built, carried.batches, carried.set_aside), (2, 1, 0));
}
