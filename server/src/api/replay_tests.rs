//! Replay streams over HTTP, from the device's side.

use ruhu_ledger::batch::{Anchor, Batch, BatchId};
use ruhu_ledger::replay::{ReplayReader, ReplayWriter, StreamStart};
use ruhu_ledger::verdict::VerdictKind;
use ruhu_survey::change::{ChangeHash, DocumentId};
use ruhu_survey::replay::{DocumentRef, Name, Sender};
use ruhu_sync::request::Hello;
use ruhu_sync::response::{BatchProblem, ProblemOutcome};
use ruhu_sync::{RequestFrame, ResponseFrame};

use super::fixture::{Answer, Fixture, batch, hello, village};
use crate::store::world::{EPOCH, LONGTAN, Tablet, household, kinds};

/// A sender that names documents by what the test says, and dependencies by eight bytes.
#[derive(Default)]
struct Names(Vec<(DocumentId, Name)>);

impl Sender for Names {
    fn name(&self, document: DocumentId) -> Option<Name> {
        self.0.iter().find(|(named, _)| *named == document).map(|(_, name)| *name)
    }

    fn hashes(&self, _: DocumentId) -> Vec<ChangeHash> {
        Vec::new()
    }
}

fn start(tablet: &Tablet) -> StreamStart {
    StreamStart { device: tablet.device(), anchor: Anchor::start(EPOCH) }
}

/// Batches as the pieces of one stream.
fn pieces(tablet: &Tablet, batches: &[&Batch], names: &Names) -> Vec<RequestFrame> {
    let mut writer = ReplayWriter::new(&start(tablet)).unwrap();
    let mut piece = |batch: &Batch| {
        let body = batch.open().unwrap();
        RequestFrame::Replay(writer.batch(&batch.header, &batch.signature, &body, None, names).unwrap())
    };
    batches.iter().map(|batch| piece(batch)).collect()
}

fn request(tablet: &Tablet, frames: Vec<RequestFrame>) -> Vec<RequestFrame> {
    [vec![hello(tablet), village(LONGTAN, None)], frames].concat()
}

fn receipts(answer: &Answer) -> Vec<(BatchId, Vec<VerdictKind>)> {
    let receipt = |frame: &ResponseFrame| match frame {
        ResponseFrame::Receipt(receipt) => Some((receipt.statement.batch, kinds(receipt))),
        _ => None,
    };
    answer.frames().iter().filter_map(receipt).collect()
}

fn problems(answer: &Answer) -> Vec<(String, ProblemOutcome)> {
    let problem = |frame: &ResponseFrame| match frame {
        ResponseFrame::BatchProblem(BatchProblem { code, outcome, .. }) => Some((code.clone(), *outcome)),
        _ => None,
    };
    answer.frames().iter().filter_map(problem).collect()
}

#[tokio::test]
async fn batches_of_a_stream_are_received_as_if_they_had_come_raw() {
    let fixture = Fixture::new();
    let mut tablet = fixture.world().tablet(10);
    let found: Vec<_> = (1..4).map(|index| tablet.found(household(index), "一组")).collect();
    let first = tablet.seal(&found.iter().collect::<Vec<_>>());
    let remark = tablet.remark(household(2), "门锁着");
    let second = tablet.seal(&[&remark]);
    let names = Names::default();
    let answer = fixture.sync(&tablet, &request(&tablet, pieces(&tablet, &[&first, &second], &names))).await;
    let accepted = [(first.id(), vec![VerdictKind::Accepted; 3]), (second.id(), vec![VerdictKind::Accepted])];
    assert_eq!(receipts(&answer), accepted);
    fixture.world().assert_sound();
    let again = fixture.sync(&tablet, &request(&tablet, vec![batch(&first)])).await;
    assert_eq!(receipts(&again).len(), 1, "it is the same batch");
}

#[tokio::test]
async fn a_document_is_found_by_the_number_of_its_root() {
    let fixture = Fixture::new();
    let mut tablet = fixture.world().tablet(10);
    let found: Vec<_> = (1..4).map(|index| tablet.found(household(index), "一组")).collect();
    let first = tablet.seal(&found.iter().collect::<Vec<_>>());
    fixture.world().receive(&first);
    let remark = tablet.remark(household(3), "门锁着");
    let second = tablet.seal(&[&remark]);
    let name = |number| Names(vec![(household(3), Name { device: tablet.device(), number })]);
    // The first household's change has the same hash: only the batch's root tells the two apart.
    for (number, code) in [(9, "replay_unknown_document"), (0, "replay_signature")] {
        let frames = request(&tablet, pieces(&tablet, &[&second], &name(number)));
        let answer = fixture.sync(&tablet, &frames).await;
        assert_eq!(problems(&answer), [(code.to_owned(), ProblemOutcome::RawWanted { place: 0 })]);
        assert!(receipts(&answer).is_empty());
    }
    let answer = fixture.sync(&tablet, &request(&tablet, pieces(&tablet, &[&second], &name(2)))).await;
    assert_eq!(receipts(&answer), [(second.id(), vec![VerdictKind::Accepted])]);
}

#[tokio::test]
async fn what_does_not_follow_or_does_not_verify_or_is_damaged_is_wanted_raw() {
    let fixture = Fixture::new();
    let mut tablet = fixture.world().tablet(10);
    let (one, two) = (tablet.found(household(1), "一组"), tablet.found(household(2), "一组"));
    let (first, second) = (tablet.seal(&[&one]), tablet.seal(&[&two]));
    let wanted = |code: &str, place| (code.to_owned(), ProblemOutcome::RawWanted { place });
    let names = Names::default();
    let early = fixture.sync(&tablet, &request(&tablet, pieces(&tablet, &[&second], &names))).await;
    assert_eq!(problems(&early), [wanted("replay_unknown_previous", 0)]);
    let forged = Batch { signature: second.signature, ..first.clone() };
    let frames = pieces(&tablet, &[&forged], &names);
    let answer = fixture.sync(&tablet, &request(&tablet, frames)).await;
    assert_eq!(problems(&answer), [wanted("replay_signature", 0)]);
    let mut frames = pieces(&tablet, &[&first, &second], &names);
    frames[0] = RequestFrame::Replay(vec![0xff; 40]);
    frames.push(batch(&first));
    let answer = fixture.sync(&tablet, &request(&tablet, frames)).await;
    assert_eq!(problems(&answer), [wanted("replay_stream", 0), wanted("replay_stream", 1)]);
    assert_eq!(receipts(&answer), [(first.id(), vec![VerdictKind::Accepted])]);
}

#[tokio::test]
async fn a_device_that_takes_a_stream_is_relayed_what_was_accepted_in_one() {
    let fixture = Fixture::new();
    let (mut writer, reader) = (fixture.world().tablet(10), fixture.world().tablet(11));
    let found: Vec<_> = (1..4).map(|index| writer.found(household(index), "一组")).collect();
    fixture.world().receive(&writer.seal(&found.iter().collect::<Vec<_>>()));
    let bad = writer.offend(household(9));
    fixture.world().receive(&writer.seal(&[&bad]));
    let remark = writer.remark(household(2), "门锁着");
    fixture.world().receive(&writer.seal(&[&remark]));
    let RequestFrame::Hello(said) = hello(&reader) else { panic!("a hello is a hello") };
    let takes = RequestFrame::Hello(Hello { replay: true, ..said });
    let frames = fixture.sync(&reader, &[takes, village(LONGTAN, None)]).await.frames();
    let mut stream = ReplayReader::new(start(&reader));
    let mut numbers = Vec::new();
    for frame in &frames {
        match frame {
            ResponseFrame::Replay(relayed) => {
                let read = stream.batch(&relayed.bytes, true).unwrap();
                assert!(read.receipt.is_some());
                numbers.push((read.header.number, read.spelling.changes[0].document));
            }
            ResponseFrame::Relayed(relayed) => {
                let raw = Batch::from_bytes(&relayed.batch).unwrap();
                assert_eq!(raw.header.number, 2, "only what was not accepted comes raw");
            }
            _ => {}
        }
    }
    let first = DocumentRef::Whole(household(1));
    let named = DocumentRef::Named(Name { device: writer.device(), number: 1 });
    assert_eq!(numbers, [(1, first), (3, named)]);
}
