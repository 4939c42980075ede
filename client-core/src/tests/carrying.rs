//! Devices that hand one another what the server has not got: in bundles, as codes, over a link.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};

use ruhu_ledger::verdict::Verdict;
use ruhu_survey::household::NewHousehold;
use ruhu_survey::role::Role;
use ruhu_sync::peer::{PeerFrame, PeerRefusal, PeerSide, PieceReader};

use super::server::Fault;
use super::*;
use crate::store::village;
use crate::transport::TransportError;
use crate::{BundleReport, Edit, Link, PeerReport};

pub(super) fn texts(tablet: &Tablet, household: HouseholdId, key: &str) -> Vec<String> {
    let Ok(stored) = tablet.client.stored(household.into()) else { return Vec::new() };
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    stored.register.live(key).iter().map(|live| text(&live.value)).collect()
}

pub(super) fn found(tablet: &mut Tablet, village: VillageId) -> HouseholdId {
    let new = NewHousehold { group_name: "三组".to_owned(), address: None, phone: None };
    tablet.client.new_household(village, &new, &[]).unwrap()
}

pub(super) fn remark(tablet: &mut Tablet, household: HouseholdId, text: &str) {
    tablet.client.edit_household(household, &[Edit::text("remarks", text)]).unwrap();
}

/// Appends to a bundle what a device holds.
fn export(tablet: &mut Tablet, village: VillageId, file: &mut Vec<u8>) -> usize {
    let appended = tablet.client.bundle_export(file, &[village], None).unwrap();
    file.extend(&appended);
    appended.len()
}

pub(super) fn import(tablet: &mut Tablet, file: &[u8]) -> BundleReport {
    tablet.client.bundle_import(file).unwrap()
}

fn down(server: &FakeServer) {
    server.faults(&[Fault::IsDown; 12]);
}

#[test]
fn a_third_device_carries_an_edit_and_the_receipt_comes_back_the_same_way() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut carrier] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    author.sync(&server);
    carrier.sync(&server);
    let household = found(&mut author, village);
    remark(&mut author, household, "屋后有塌方");
    let mut stick = Vec::new();
    export(&mut author, village, &mut stick);

    let report = import(&mut carrier, &stick);
    assert_eq!((report.carried.batches, report.carried.received, report.carried.keys), (1, 0, 1));
    assert_eq!(texts(&carrier, household, "remarks"), ["屋后有塌方"]);
    let status = carrier.client.status().unwrap();
    assert_eq!((status.unsent.carried, status.unsent.sent + status.unsent.queued), (1, 0));
    assert!(status.last_receipts.is_empty());

    let report = carrier.sync(&server);
    assert_eq!((report.progress.carried, report.progress.receipts, report.progress.to_send), (1, 0, 0));
    assert_eq!((server.batches(), server.keys()), (1, 1));
    assert_eq!(carrier.client.status().unwrap().unsent.carried, 0);

    assert!(export(&mut carrier, village, &mut stick) > 0);
    let report = import(&mut author, &stick);
    assert_eq!(report.carried.receipts, 1);
    let status = author.client.status().unwrap();
    assert_eq!((status.unsent.queued + status.unsent.sent, status.last_receipts.len()), (0, 1));
    let report = author.sync(&server);
    assert_eq!((report.progress.to_send, server.batches()), (0, 1));
    assert!(report.mismatched.is_empty());
}

#[test]
fn a_bundle_is_appended_to_only_by_what_it_lacks() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut author = Tablet::enrolled(&server, 1);
    author.sync(&server);
    let household = found(&mut author, village);
    let mut stick = Vec::new();
    assert!(export(&mut author, village, &mut stick) > 0);
    assert_eq!(export(&mut author, village, &mut stick), 0);
    remark(&mut author, household, "甲");
    let second = export(&mut author, village, &mut stick);
    assert!(second > 0 && second < stick.len() / 2, "{second} of {}", stick.len());
    let shown = author.client.bundle_show(&stick).unwrap();
    assert_eq!((shown.parts.len(), shown.parts[0].segments, shown.parts[0].batches), (1, 2, 2));
    assert_eq!((shown.parts[0].received, shown.parts[0].devices), (0, 1));
}

#[test]
fn since_leaves_out_what_was_received_before_and_nothing_else() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut author = Tablet::enrolled(&server, 1);
    let household = found(&mut author, village);
    author.sync(&server);
    remark(&mut author, household, "甲");
    let batches = |author: &mut Tablet, since| {
        let file = author.client.bundle_export(&[], &[village], since).unwrap();
        author.client.bundle_show(&file).unwrap().parts[0].batches
    };
    // The server of these tests receives everything at one moment.
    assert_eq!(batches(&mut author, Some(1_755_000_000_000)), 2);
    assert_eq!(batches(&mut author, Some(1_755_000_000_001)), 1);
}

#[test]
fn whoever_is_not_granted_the_village_carries_the_file_and_does_not_read_it() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut other] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    author.sync(&server);
    let household = found(&mut author, village);
    let mut stick = Vec::new();
    export(&mut author, village, &mut stick);
    server.certify_again(other.client.identity().unwrap().device(), &[server.villages[1]], Role::WorkTeam);
    other.sync(&server);
    let report = import(&mut other, &stick);
    assert!(!report.parts[0].readable && report.damage.is_empty());
    assert_eq!(report.carried, crate::Carried::default());
    assert!(other.client.stored(household.into()).is_err());
    assert!(matches!(other.client.bundle_export(&[], &[village], None), Err(Error::UnknownVillage(_))));
}

#[test]
fn a_damaged_bundle_brings_what_is_whole_and_never_more() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let mut author = Tablet::enrolled(&server, 1);
    author.sync(&server);
    let household = found(&mut author, village);
    let mut stick = Vec::new();
    export(&mut author, village, &mut stick);
    let first = stick.len();
    remark(&mut author, household, "甲");
    export(&mut author, village, &mut stick);
    let mut reader = Tablet::enrolled(&server, 2);
    reader.sync(&server);
    let mut damaged = stick.clone();
    damaged[first - 1] ^= 1;
    let report = import(&mut reader, &damaged);
    assert_eq!((report.damage.len(), report.parts[0].missing), (1, 1));
    // What is left follows on what is lost: it is kept, and neither received nor applied.
    assert_eq!((report.carried.batches, report.carried.staged), (1, 1));
    assert!(reader.client.stored(household.into()).is_err());
}

#[test]
fn a_batch_before_its_predecessor_is_staged_and_applied_when_that_comes() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut carrier] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    author.sync(&server);
    carrier.sync(&server);
    let household = found(&mut author, village);
    let mut first = Vec::new();
    export(&mut author, village, &mut first);
    remark(&mut author, household, "甲");
    let mut both = first.clone();
    export(&mut author, village, &mut both);
    let mut second = first[..ruhu_sync::bundle::HEADER_BYTES].to_vec();
    second.extend(&both[first.len()..]);

    // The certificate is in the first half, and the carrier has it from the server.
    carrier.sync(&server);
    let report = import(&mut carrier, &second);
    assert_eq!((report.carried.staged, report.parts[0].missing), (1, 1));
    assert_eq!(carrier.client.status().unwrap().unsent.staged, 1);
    assert!(texts(&carrier, household, "remarks").is_empty());
    assert_eq!(carrier.sync(&server).progress.carried, 0, "what is staged is not offered");
    import(&mut carrier, &first);
    assert_eq!(texts(&carrier, household, "remarks"), ["甲"]);
    let status = carrier.client.status().unwrap();
    assert_eq!((status.unsent.staged, status.unsent.carried), (0, 2));
    assert_eq!(carrier.sync(&server).progress.carried, 2);
}

#[test]
fn a_staged_batch_goes_to_the_server_in_the_sync_that_brings_its_predecessor() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut carrier] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    carrier.sync(&server);
    let household = found(&mut author, village);
    author.sync(&server);
    remark(&mut author, household, "甲");
    let stick = author.client.bundle_export(&[], &[village], Some(i64::MAX)).unwrap();
    let report = import(&mut carrier, &stick);
    assert_eq!(report.carried.staged, 1);
    let report = carrier.sync(&server);
    assert_eq!((report.progress.relayed, report.progress.carried), (1, 1));
    assert_eq!(texts(&carrier, household, "remarks"), ["甲"]);
    assert!(report.mismatched.is_empty());
}

#[test]
fn what_the_server_refuses_of_a_carried_batch_leaves_the_carriers_view() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut carrier] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    carrier.sync(&server);
    let household = found(&mut author, village);
    author.sync(&server);
    remark(&mut author, household, "甲");
    let mut stick = Vec::new();
    export(&mut author, village, &mut stick);
    import(&mut carrier, &stick);
    assert_eq!(texts(&carrier, household, "remarks"), ["甲"]);
    server.refuse_next(Verdict::Quarantined { rule: "role".to_owned(), because: None });
    let report = carrier.sync(&server);
    assert_eq!((report.progress.carried, report.not_accepted), (1, 0));
    assert!(texts(&carrier, household, "remarks").is_empty());
    // Later it is adopted; the author learns both from the stick.
    server.decide_all(village, &Verdict::Accepted);
    carrier.sync(&server);
    assert_eq!(texts(&carrier, household, "remarks"), ["甲"]);
    export(&mut carrier, village, &mut stick);
    let report = import(&mut author, &stick);
    assert_eq!((report.carried.receipts, report.carried.decisions), (1, 1));
    assert_eq!(texts(&author, household, "remarks"), ["甲"]);
    assert!(author.sync(&server).mismatched.is_empty());
}

#[test]
fn a_revoked_devices_batch_is_carried_and_not_shown() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut carrier] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    let household = found(&mut author, village);
    author.sync(&server);
    server.revoke(author.client.identity().unwrap().device(), 1_757_000_000_000);
    carrier.sync(&server);
    remark(&mut author, household, "甲");
    let mut stick = Vec::new();
    export(&mut author, village, &mut stick);
    assert_eq!(import(&mut carrier, &stick).carried.batches, 1);
    assert!(texts(&carrier, household, "remarks").is_empty());
    assert_eq!(carrier.client.status().unwrap().unsent.carried, 1, "it reaches the server all the same");
}

#[test]
fn a_batch_without_its_authors_certificate_is_nobodys_fault_and_comes_with_it() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut carrier] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    let household = found(&mut author, village);
    remark(&mut author, household, "屋后有塌方");
    let file = author.client.bundle_export(&[], &[village], None).unwrap();
    let contents = ruhu_sync::bundle::read(&file, |_| Some([5; 32]));
    let frames: Vec<_> = contents.parts.into_iter().flat_map(|part| part.frames).collect();
    let is_certificate = |frame: &&PeerFrame| matches!(frame, PeerFrame::Certificate(_));
    let damaged: Vec<_> = frames.iter().filter(|frame| !is_certificate(frame)).cloned().collect();
    let carried = carrier.client.take_frames(&damaged, &mut PieceReader::default()).unwrap();
    assert_eq!((carried.batches, carried.not_built, carried.set_aside), (0, 1, 0));
    let report = import(&mut carrier, &file);
    assert_eq!((report.carried.batches, report.carried.not_built), (1, 0));
    assert_eq!(texts(&carrier, household, "remarks"), ["屋后有塌方"]);
}

#[test]
fn what_stands_on_a_handed_over_change_that_waits_is_taken_in_the_order_of_the_feed() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut first, mut second, mut reader] = [1, 2, 3].map(|seed| Tablet::enrolled(&server, seed));
    let household = found(&mut first, village);
    first.sync(&server);
    reader.sync(&server);
    remark(&mut first, household, "甲");
    first.sync(&server);
    second.sync(&server);
    remark(&mut second, household, "乙");
    let codes = second.client.bundle_codes(village, None).unwrap();
    let code = ruhu_sync::bundle::code::join(codes.iter().map(String::as_str)).unwrap();
    assert_eq!(import(&mut reader, &code).carried.batches, 1);
    assert_eq!(texts(&reader, household, "remarks"), Vec::<String>::new(), "it stands on what is not here");
    second.sync(&server);
    first.sync(&server);
    remark(&mut first, household, "丙");
    first.sync(&server);
    // The reader has handed the waiting change in when it asks again for what it did not understand: it is given
    // what is before it and what is behind it.
    server.faults(&[Fault::SpoilsTheStream]);
    let report = reader.sync(&server);
    assert_eq!((report.set_aside, report.repairs.len()), (0, 0));
    assert_eq!(texts(&reader, household, "remarks"), ["丙"]);
}

#[test]
fn a_bundle_with_somebody_elses_signature_is_set_aside() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut author, mut carrier] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    carrier.sync(&server);
    found(&mut author, village);
    let mut frames = Vec::new();
    let file = author.client.bundle_export(&[], &[village], None).unwrap();
    let contents = ruhu_sync::bundle::read(&file, |_| Some([5; 32]));
    for frame in contents.parts.into_iter().flat_map(|part| part.frames) {
        frames.push(match frame {
            PeerFrame::Batch(mut carried) => {
                let signature = ruhu_ledger::batch::Batch::from_bytes(&carried.batch).unwrap().signature;
                let at = carried.batch.windows(64).position(|window| window == signature.0).unwrap();
                carried.batch[at] ^= 1;
                PeerFrame::Batch(carried)
            }
            other => other,
        });
    }
    let carried = carrier.client.take_frames(&frames, &mut PieceReader::default()).unwrap();
    assert_eq!((carried.batches, carried.set_aside), (0, 1));
    assert_eq!(carrier.client.set_aside().unwrap()[0].code, "author");
}

/// One end of a link in memory, which may break after so many messages, or turn a bit of one it sends.
struct Wire {
    out: Sender<Vec<u8>>,
    inn: Receiver<Vec<u8>>,
    left: usize,
    turned: usize,
    sent: usize,
}

fn wires(left: usize) -> (Wire, Wire) {
    let ((to_listener, at_listener), (to_caller, at_caller)) = (channel(), channel());
    let wire = |out, inn, left| Wire { out, inn, left, turned: usize::MAX, sent: 0 };
    (wire(to_listener, at_caller, left), wire(to_caller, at_listener, usize::MAX))
}

impl Link for Wire {
    async fn send(&mut self, message: &[u8]) -> Result<(), TransportError> {
        self.left = self.left.checked_sub(1).ok_or(TransportError::Cut)?;
        let mut message = message.to_vec();
        if self.sent == self.turned
            && let Some(byte) = message.last_mut()
        {
            *byte ^= 1;
        }
        self.sent += 1;
        self.out.send(message).map_err(|_| TransportError::Cut)
    }

    async fn receive(&mut self) -> Result<Vec<u8>, TransportError> {
        self.left = self.left.checked_sub(1).ok_or(TransportError::Cut)?;
        self.inn.recv().map_err(|_| TransportError::Cut)
    }
}

pub(super) type Met = Result<PeerReport, Error>;

/// Two devices sync over a link whose caller's end breaks after so many messages.
pub(super) fn meet_for(one: &mut Tablet, other: &mut Tablet, messages: usize) -> (Met, Met) {
    meet_over(one, other, wires(messages))
}

fn meet_over(one: &mut Tablet, other: &mut Tablet, (caller, listener): (Wire, Wire)) -> (Met, Met) {
    std::thread::scope(|scope| {
        let client = &mut other.client;
        let listening =
            scope.spawn(move || now(client.sync_with_peer(listener, PeerSide::Listener, &mut |_| true)));
        let called = now(one.client.sync_with_peer(caller, PeerSide::Caller, &mut |_| true));
        (called, listening.join().unwrap())
    })
}

fn meet(one: &mut Tablet, other: &mut Tablet) -> (PeerReport, PeerReport) {
    let (called, listened) = meet_for(one, other, usize::MAX);
    (called.unwrap(), listened.unwrap())
}

#[test]
fn two_devices_without_a_network_end_with_the_same_and_the_server_gets_it_once() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut one, mut two] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    let household = found(&mut one, village);
    one.sync(&server);
    two.sync(&server);
    down(&server);
    remark(&mut one, household, "甲");
    remark(&mut two, household, "乙");
    let (called, listened) = meet(&mut one, &mut two);
    assert_eq!((called.given, called.taken.batches, called.interrupted), (1, 1, None));
    assert_eq!((listened.given, listened.taken.batches), (1, 1));
    assert_eq!(called.peer.code, listened.peer.code);
    assert_ne!(called.peer.device, listened.peer.device);
    assert_eq!(texts(&one, household, "remarks").len(), 2);
    assert_eq!(texts(&one, household, "remarks"), texts(&two, household, "remarks"));
    let (again, _) = meet(&mut one, &mut two);
    assert_eq!((again.given, again.taken.batches), (0, 0));

    server.faults(&[]);
    let report = two.sync(&server);
    assert_eq!((report.progress.receipts, report.progress.carried), (1, 1));
    let (called, _) = meet(&mut one, &mut two);
    assert_eq!((called.taken.receipts, called.taken.receipts_of_others, called.taken.batches), (1, 1, 0));
    let report = one.sync(&server);
    assert_eq!((report.progress.to_send, report.progress.relayed, server.batches()), (0, 0, 3));
    assert!(report.mismatched.is_empty());
}

#[test]
fn a_device_that_was_away_is_caught_up_by_a_colleague() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut one, mut two] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    let household = found(&mut one, village);
    for text in ["甲", "乙", "丙"] {
        remark(&mut one, household, text);
        one.sync(&server);
    }
    down(&server);
    let cursor = |tablet: &Tablet| village::cursor(tablet.client.store.read(), village).unwrap();
    let before = cursor(&two);
    let (_, listened) = meet(&mut one, &mut two);
    assert_eq!((listened.taken.batches, listened.taken.received), (3, 3));
    assert_eq!(texts(&two, household, "remarks"), ["丙"]);
    assert_eq!((cursor(&two), two.client.status().unwrap().unsent.carried), (before, 0));
    server.faults(&[]);
    assert!(two.sync(&server).mismatched.is_empty());
}

#[test]
fn a_link_cut_after_any_message_keeps_what_came_and_goes_on_from_there() {
    let server = FakeServer::new();
    let village = server.villages[0];
    for messages in 0..14 {
        let [mut one, mut two] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
        let households = [found(&mut one, village), found(&mut two, village)];
        let (cut, _) = meet_for(&mut one, &mut two, messages);
        let whole = matches!(&cut, Ok(report) if report.interrupted.is_none());
        assert_eq!(whole, messages >= 11, "{messages}: {cut:?}");
        meet(&mut one, &mut two);
        for household in households {
            for tablet in [&one, &two] {
                assert_eq!(texts(tablet, household, "group_name"), ["三组"], "cut after {messages}");
            }
        }
    }
}

#[test]
fn nothing_is_given_to_a_revoked_an_expired_or_a_strange_device() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut one, mut two] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    let household = found(&mut one, village);
    server.revoke(two.client.identity().unwrap().device(), 1_757_000_000_000);
    one.sync(&server);
    let (called, listened) = meet_for(&mut one, &mut two, usize::MAX);
    assert!(matches!(called, Err(Error::Peer(PeerRefusal::Revoked))), "{called:?}");
    assert!(matches!(listened, Err(Error::PeerRefused(why)) if why.contains("revoked")));
    assert!(two.client.stored(household.into()).is_err());

    // A certificate that holds only from a day that is far off by the other's clock.
    let mut early = Tablet::enrolled(&server, 4);
    server.certify_again(early.client.identity().unwrap().device(), &[village], Role::WorkTeam);
    early.sync(&server);
    let (called, _) = meet_for(&mut early, &mut one, usize::MAX);
    assert!(matches!(called, Err(Error::PeerRefused(why)) if why.contains("not valid today")));

    let elsewhere = FakeServer::of(78);
    let mut stranger = Tablet::enrolled(&elsewhere, 3);
    let (called, _) = meet_for(&mut stranger, &mut one, usize::MAX);
    assert!(matches!(called, Err(Error::PeerRefused(_))), "{called:?}");
}

#[test]
fn devices_of_different_villages_have_nothing_to_say() {
    let server = FakeServer::new();
    let [mut one, mut two] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    for (tablet, village) in [(&one, server.villages[0]), (&two, server.villages[1])] {
        server.certify_from(tablet.client.identity().unwrap().device(), &[village], Role::WorkTeam, 1);
    }
    one.sync(&server);
    two.sync(&server);
    let (called, listened) = meet_for(&mut one, &mut two, usize::MAX);
    assert!(matches!(called, Err(Error::NoSharedVillage)), "{called:?}");
    assert!(matches!(listened, Err(Error::NoSharedVillage)), "{listened:?}");
}

#[test]
fn a_person_who_says_no_ends_it_before_anything_is_given() {
    let server = FakeServer::new();
    let village = server.villages[0];
    let [mut one, mut two] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
    let household = found(&mut two, village);
    let (caller, listener) = wires(usize::MAX);
    let called = std::thread::scope(|scope| {
        let client = &mut two.client;
        scope.spawn(move || now(client.sync_with_peer(listener, PeerSide::Listener, &mut |_| true)));
        now(one.client.sync_with_peer(caller, PeerSide::Caller, &mut |_| false))
    });
    assert!(matches!(called, Err(Error::NotConfirmed)));
    assert!(one.client.stored(household.into()).is_err());
}

#[test]
fn a_bit_turned_on_the_way_ends_it_and_nothing_of_that_message_counts() {
    let server = FakeServer::new();
    let village = server.villages[0];
    for turned in 0..6 {
        let [mut one, mut two] = [1, 2].map(|seed| Tablet::enrolled(&server, seed));
        let household = found(&mut one, village);
        let (mut caller, listener) = wires(usize::MAX);
        caller.turned = turned;
        let (_, listened) = meet_over(&mut one, &mut two, (caller, listener));
        let whole = matches!(&listened, Ok(report) if report.interrupted.is_none());
        assert!(!whole, "message {turned}: {listened:?}");
        assert!(two.client.stored(household.into()).is_err());
        assert_eq!(two.client.status().unwrap().set_aside, 0);
    }
}

/// Whatever a link brings instead of a handshake is refused.
#[test]
fn noise_from_the_link_is_refused_without_a_panic() {
    struct Rubbish(VecDeque<Vec<u8>>);
    impl Link for Rubbish {
        async fn send(&mut self, _: &[u8]) -> Result<(), TransportError> {
            Ok(())
        }
        async fn receive(&mut self) -> Result<Vec<u8>, TransportError> {
            self.0.pop_front().ok_or(TransportError::Cut)
        }
    }
    let server = FakeServer::new();
    let mut tablet = Tablet::enrolled(&server, 1);
    for side in [PeerSide::Caller, PeerSide::Listener] {
        for length in [0, 1, 32, 48, 96, 65_535, 100_000] {
            let link = Rubbish([vec![7; length], vec![8; length]].into());
            let met = now(tablet.client.sync_with_peer(link, side, &mut |_| true));
            assert!(matches!(met, Err(Error::Transport(_))), "{length}: {met:?}");
        }
    }
}
