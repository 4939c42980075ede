//! A model world: one server, several devices (two of them clones of each other) and a link that loses
//! requests and answers, cuts both at any byte, repeats them, and answers with an older answer.

mod batch;
mod board;
mod events;

use std::collections::{BTreeMap, VecDeque};

use proptest::collection::vec;
use proptest::prelude::*;

use batch::ModelBatch;
use board::Board;
use events::{Event, Fault, event, fault};

use ruhu_ledger::signature::Signature;

use super::*;
use crate::announce::{Announced, Announcement, Proof};
use crate::answer::{FeedContent, FeedItem, Held, Start, given_start, start, to_send};
use crate::frame::{FrameReader, encode_all};
use crate::key_bytes::KeyBytes;
use crate::request::{Hello, RequestFrame, VillageQuery};
use crate::response::{ProblemOutcome, VillageDone};
use crate::samples::{self, EPOCH};

const VILLAGES: [VillageId; 2] = [VillageId::from_bytes([0xb0; 16]), VillageId::from_bytes([0xb1; 16])];
/// Small enough that most answers have more.
const ANSWER_BYTES: u64 = 600;
/// More requests than any session of this world can need.
const STEPS_MAX: usize = 10_000;

/// A server that is a map.
#[derive(Debug)]
struct Server {
    epoch: EpochId,
    /// Whether it understands every batch of a replay stream.
    understands: bool,
    batches: BTreeMap<BatchId, (ModelBatch, SignedReceipt)>,
    feeds: BTreeMap<VillageId, Vec<FeedItem>>,
    /// In the order in which they came; the village's search key is number 1.
    keys: Vec<HouseholdId>,
    /// What the devices announced.
    board: Board,
}

/// The part of a request about one village.
struct Part {
    query: VillageQuery,
    announced: Option<Announcement>,
    sent: BTreeSet<BatchId>,
    frames: Vec<ResponseFrame>,
}

impl Server {
    fn new(epoch: EpochId) -> Self {
        let (batches, feeds, keys) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { epoch, understands: true, batches, feeds, keys, board: Board::default() }
    }

    /// Takes what arrives of a request, each batch as soon as it is there; answers a whole one.
    fn serve(&mut self, mut body: &[u8]) -> Option<Vec<u8>> {
        let mut reader = FrameReader::<RequestFrame>::new();
        let mut parts: Vec<Part> = Vec::new();
        let mut device = samples::device(0);
        let mut place = 0;
        while let Some(frame) = reader.read(&mut body).unwrap() {
            match frame {
                RequestFrame::Hello(hello) => device = hello.device,
                RequestFrame::OldReceipt(_) | RequestFrame::Offer(_) => {}
                RequestFrame::Village(query) => {
                    parts.push(Part { query, announced: None, sent: BTreeSet::new(), frames: Vec::new() });
                }
                RequestFrame::Announcement(said) => {
                    let part = parts.last_mut().unwrap();
                    if said.signature.is_some() {
                        self.board.hear(part.query.village, device, said.announced, Proof::Itself);
                    }
                    part.announced = Some(said);
                }
                RequestFrame::Key(key) => {
                    if !self.keys.contains(&key.household) {
                        self.keys.push(key.household);
                    }
                    let held = ResponseFrame::KeysHeld([key.household].into());
                    parts.last_mut().unwrap().frames.push(held);
                }
                RequestFrame::Batch(bytes) => {
                    self.take(&ModelBatch::read(&bytes), parts.last_mut().unwrap());
                    place += 1;
                }
                RequestFrame::Replay(bytes) => {
                    let (batch, part) = (ModelBatch::read(&bytes), parts.last_mut().unwrap());
                    if !self.understands && batch.id().0[1].is_multiple_of(3) {
                        let wanted = samples::problem(BatchId([0; 32]), ProblemOutcome::RawWanted { place });
                        part.frames.push(ResponseFrame::BatchProblem(wanted));
                    } else {
                        self.take(&batch, part);
                    }
                    place += 1;
                }
            }
        }
        reader.finish().ok()?;
        let mut frames = vec![ResponseFrame::Welcome(Welcome { epoch: self.epoch, ..samples::welcome() })];
        for part in &parts {
            // A cut right behind a village leaves nothing announced.
            let Some(said) = &part.announced else { continue };
            self.board.hear(part.query.village, device, said.announced, Proof::Request);
        }
        parts.into_iter().for_each(|part| self.answer(device, part, &mut frames));
        frames.push(ResponseFrame::Bye);
        Some(encode_all(&frames))
    }

    fn take(&mut self, batch: &ModelBatch, part: &mut Part) {
        assert_eq!(batch.village, part.query.village);
        let id = batch.id();
        part.sent.insert(id);
        let in_place = batch.previous.map_or(batch.number == 1, |before| self.batches.contains_key(&before));
        if !in_place {
            let expected = self.expected(batch);
            let staged = samples::problem(id, ProblemOutcome::Staged { expected });
            return part.frames.push(ResponseFrame::BatchProblem(staged));
        }
        if !self.batches.contains_key(&id) {
            let receipt = samples::receipt(id, self.batches.len() as u64);
            self.batches.insert(id, (batch.clone(), receipt));
            let feed = self.feeds.entry(batch.village).or_default();
            let ModelBatch { device, number, previous, .. } = *batch;
            let content = FeedContent::Batch { device, number, batch: id, previous };
            feed.push(FeedItem {
                sequence: feed.len() as u64 + 1,
                bytes: batch.bytes().len() as u64,
                content,
            });
        }
        part.frames.push(ResponseFrame::Receipt(self.batches[&id].1.clone()));
    }

    /// The keys that the device was not given, each in a frame.
    fn new_keys(&self, query: &VillageQuery) -> Vec<ResponseFrame> {
        let village = query.village;
        let households = if village == VILLAGES[0] { self.keys.as_slice() } else { &[] };
        let after = given_start(query.cursor, query.keys_given, self.epoch, households.len() as u64 + 1);
        let search =
            VillageKeys { village, given: 1, search_key: Some(KeyBytes([5; 32])), households: [].into() };
        let household = |(given, household): (u64, &HouseholdId)| {
            let households = [(*household, KeyBytes([1; 64]))].into();
            VillageKeys { village, given, search_key: None, households }
        };
        let all = [search].into_iter().chain((2..).zip(households).map(household));
        all.filter(|keys| keys.given > after).map(ResponseFrame::VillageKeys).collect()
    }

    fn expected(&self, batch: &ModelBatch) -> u64 {
        let chain = |(known, _): &&(ModelBatch, SignedReceipt)| {
            (known.device, known.village) == (batch.device, batch.village)
        };
        let highest = self.batches.values().filter(chain).map(|(known, _)| known.number).max().unwrap_or(0);
        (highest + 1).min(batch.number - 1)
    }

    fn answer(&self, device: DeviceId, part: Part, frames: &mut Vec<ResponseFrame>) {
        let Part { query, announced, sent, frames: receipts } = part;
        frames.extend(receipts);
        let feed = self.feeds.get(&query.village).map_or(&[][..], Vec::as_slice);
        let Start::Above(after) = start(query.cursor, self.epoch, feed.len() as u64) else {
            return frames.push(ResponseFrame::VectorWanted(query.village));
        };
        frames.extend(self.new_keys(&query));
        let items = &feed[usize::try_from(after).unwrap()..];
        let held = Held { vector: &query.vector, sent: &sent };
        let answer = to_send(self.epoch, after, items, held, ANSWER_BYTES);
        for sequence in answer.send {
            let FeedContent::Batch { batch, .. } = &feed[usize::try_from(sequence).unwrap() - 1].content
            else {
                unreachable!("the model's feed holds batches only")
            };
            let (batch, receipt) = &self.batches[batch];
            let (batch, receipt) = (batch.bytes(), receipt.clone());
            frames.push(ResponseFrame::Relayed(Relayed { village: query.village, sequence, batch, receipt }));
        }
        if !answer.more {
            frames.extend(self.board.newer(query.village, device, announced.map_or(0, |said| said.given)));
        }
        let fingerprint = 0;
        let (village, cursor, more) = (query.village, answer.cursor, answer.more);
        frames.push(ResponseFrame::VillageDone(VillageDone { village, cursor, fingerprint, more }));
    }
}

/// A device whose store is two maps.
#[derive(Debug)]
struct Device {
    id: DeviceId,
    batches: BTreeMap<BatchId, ModelBatch>,
    receipts: BTreeSet<BatchId>,
    cursors: BTreeMap<VillageId, Cursor>,
    keys_given: BTreeMap<VillageId, u64>,
    /// The households whose keys were given.
    given: BTreeSet<HouseholdId>,
    /// The batches that the cursors are not known to stand for, with their number in the feed.
    above: BTreeMap<BatchId, Option<u64>>,
    epoch: EpochId,
    /// The last batch written here, per village.
    own: BTreeMap<VillageId, (u64, BatchId)>,
    keys: BTreeSet<HouseholdId>,
    last_answer: Vec<u8>,
    relayed: u64,
    /// What others announced, and the epoch in which they did.
    told: (EpochId, Board),
}

impl Device {
    fn new(id: DeviceId) -> Self {
        Self {
            id,
            batches: BTreeMap::new(),
            receipts: BTreeSet::new(),
            cursors: BTreeMap::new(),
            keys_given: BTreeMap::new(),
            given: BTreeSet::new(),
            above: BTreeMap::new(),
            epoch: EPOCH,
            own: BTreeMap::new(),
            keys: BTreeSet::new(),
            last_answer: Vec::new(),
            relayed: 0,
            told: (EPOCH, Board::default()),
        }
    }

    fn write(&mut self, village: VillageId, content: Vec<u8>) {
        let before = self.own.get(&village);
        let (number, previous) = before.map_or((1, None), |(number, id)| (number + 1, Some(*id)));
        let batch = ModelBatch { village, device: self.id, number, previous, content };
        let id = batch.id();
        self.own.insert(village, (number, id));
        self.batches.insert(id, batch);
    }

    fn of(&self, village: VillageId) -> impl Iterator<Item = (&BatchId, &ModelBatch)> {
        self.batches.iter().filter(move |(_, batch)| batch.village == village)
    }

    /// The batch and all before it are here and have their receipts.
    fn is_whole(&self, id: &BatchId) -> bool {
        let before = |id: &BatchId| self.batches.get(id).filter(|_| self.receipts.contains(id));
        let mut next = Some(*id);
        while let Some(id) = next {
            let Some(batch) = before(&id) else { return false };
            next = batch.previous;
        }
        true
    }

    fn summary(&self) -> Summary {
        Summary { villages: VILLAGES.map(|village| self.village(village)).into() }
    }

    fn village(&self, village: VillageId) -> VillageSummary {
        let receipted = |(id, _): &(&BatchId, &ModelBatch)| self.receipts.contains(*id);
        let whole = |(id, _): &(&BatchId, &ModelBatch)| self.is_whole(id);
        let inner: BTreeSet<BatchId> =
            self.of(village).filter(whole).filter_map(|(_, batch)| batch.previous).collect();
        let tips = self.of(village).filter(whole).filter(|(id, _)| !inner.contains(*id));
        let tips: Vec<_> =
            tips.map(|(id, batch)| (id, ChainTip::at(batch.device, batch.number, id))).collect();
        let above = tips.iter().filter(|(id, _)| self.above.contains_key(*id));
        let mut unsent: Vec<UnsentBatch> = self
            .of(village)
            .filter(|item| !receipted(item))
            .map(|(id, batch)| UnsentBatch {
                batch: *id,
                device: batch.device,
                number: batch.number,
                previous: batch.previous,
                bytes: batch.bytes().len() as u64,
            })
            .collect();
        unsent.sort_by_key(|unsent| unsent.number);
        VillageSummary {
            village,
            cursor: self.cursors.get(&village).copied(),
            keys_given: self.keys_given.get(&village).copied().unwrap_or(0),
            above: above.map(|(_, tip)| *tip).collect(),
            vector: tips.into_iter().map(|(_, tip)| tip).collect(),
            unsent,
            keys: if village == VILLAGES[0] { self.keys.clone() } else { BTreeSet::new() },
        }
    }

    /// How many batches have no receipt.
    fn unsent(&self) -> u64 {
        (self.batches.len() - self.batches.keys().filter(|id| self.receipts.contains(id)).count()) as u64
    }

    fn store(&mut self, commit: &Commit) {
        match commit {
            Commit::Receipt(receipt) => {
                assert!(self.batches.contains_key(&receipt.statement.batch));
                self.receipts.insert(receipt.statement.batch);
                self.above.entry(receipt.statement.batch).or_insert(None);
            }
            Commit::Relayed(relayed) => {
                let batch = ModelBatch::read(&relayed.batch);
                assert_eq!(batch.id(), relayed.receipt.statement.batch);
                self.relayed += 1;
                self.receipts.insert(batch.id());
                self.above.insert(batch.id(), Some(relayed.sequence));
                self.batches.insert(batch.id(), batch);
            }
            Commit::KeysHeld(households) => self.keys.retain(|household| !households.contains(household)),
            Commit::Welcome(welcome) => {
                self.epoch = welcome.epoch;
                if self.told.0 != welcome.epoch {
                    self.told = (welcome.epoch, Board::default());
                }
            }
            Commit::Keys(keys) => {
                let epoch = self.epoch;
                let cursor = self.cursors.entry(keys.village).or_insert(Cursor { epoch, number: 0 });
                if cursor.epoch != epoch {
                    *cursor = Cursor { epoch, number: 0 };
                }
                self.keys_given.insert(keys.village, keys.given);
                self.given.extend(keys.households.keys());
            }
            Commit::VectorWanted(village) => {
                self.cursors.remove(village);
                self.keys_given.remove(village);
                self.above.extend(self.receipts.iter().map(|id| (*id, None)));
            }
            Commit::Announcements(told) => self.told.1.write_down(told),
            Commit::Village(part) => self.moved(part),
            _ => {}
        }
    }

    fn moved(&mut self, part: &VillageCommit) {
        self.cursors.insert(part.village, part.cursor);
        let caught_up = part.done.is_some_and(|done| !done.more);
        let batches = &self.batches;
        self.above.retain(|id, sequence| {
            let here = batches[id].village == part.village;
            let stands = caught_up || sequence.is_some_and(|sequence| sequence <= part.cursor.number);
            !(here && stands)
        });
    }

    /// A batch as it is sent: some of them in a replay stream, unless they are wanted raw.
    fn frame(&self, batch: BatchId, raw: bool) -> RequestFrame {
        let bytes = self.batches[&batch].bytes();
        let replay = !raw && batch.0[0].is_multiple_of(2);
        if replay { RequestFrame::Replay(bytes) } else { RequestFrame::Batch(bytes) }
    }

    /// Every announcement of something unsent counts as signed here.
    fn announcement(&self, village: VillageId) -> Announcement {
        let next = self.own.get(&village).map_or(0, |(number, _)| number + 1);
        let announced = Announced { next, ..Announced::default() };
        let unsent = !self.village(village).unsent.is_empty();
        let signature = unsent.then_some(Signature([0; 64]));
        Announcement { given: self.told.1.last(village), announced, signature }
    }

    fn body(&self, plan: &RequestPlan) -> Vec<u8> {
        let hello = Hello { device: self.id, ..samples::hello() };
        let frames = plan.frames(
            hello,
            |village| Ok(self.announcement(village)),
            |_| Ok::<_, ()>(KeyBytes([1; 64])),
            |batch, raw| Ok(self.frame(batch, raw)),
            |_| Ok(None),
        );
        encode_all(&frames.unwrap())
    }
}

struct World {
    server: Server,
    devices: Vec<Device>,
    faults: VecDeque<Fault>,
    /// Makes the content of every batch its own.
    written: u32,
}

/// What the link gives back for a request.
enum Link {
    Answer(Vec<u8>),
    Failed(TransportError),
    Killed,
}

impl World {
    /// A world of so many devices, the first two with the same key.
    fn new(devices: u8, faults: Vec<Fault>) -> Self {
        let device = |index: u8| Device::new(samples::device(index.max(1)));
        Self {
            server: Server { understands: faults.is_empty(), ..Server::new(EPOCH) },
            devices: (0..devices).map(device).collect(),
            faults: faults.into(),
            written: 0,
        }
    }

    fn apply(&mut self, event: Event) {
        let count = self.devices.len();
        match event {
            Event::Write { device, village, mut content } => {
                self.written += 1;
                content.extend(self.written.to_be_bytes());
                self.devices[device % count].write(VILLAGES[village], content);
            }
            Event::Found { device, household } => {
                self.devices[device % count].keys.insert(samples::household(household));
            }
            Event::Sync { device } => {
                self.sync(device % count);
            }
            Event::Carry { from, to } => {
                let from = &self.devices[from % count];
                let unsent = from.summary().villages[0].unsent.last().copied();
                let Some(unsent) = unsent else { return };
                let batch = from.batches[&unsent.batch].clone();
                self.devices[to % count].batches.insert(unsent.batch, batch);
            }
        }
    }

    /// One session of one device, to its end; `None` when the app was killed.
    fn sync(&mut self, index: usize) -> Option<Report> {
        let unsent = self.devices[index].unsent();
        let mut session = Session::new(self.devices[index].summary());
        for _ in 0..STEPS_MAX {
            match session.step().clone() {
                Step::Send(plan) => {
                    let body = self.devices[index].body(&plan);
                    match self.exchange(index, &body) {
                        Link::Answer(answer) => report_answer(&mut session, &answer),
                        Link::Failed(error) => session.failed(error),
                        Link::Killed => return None,
                    }
                }
                Step::Store(commits) => {
                    commits.iter().for_each(|commit| self.devices[index].store(commit));
                    session.stored();
                }
                Step::Done(report) => {
                    assert_eq!(self.devices[index].unsent(), unsent - report.received);
                    return Some(report);
                }
            }
        }
        panic!("the session does not end: {session:?}");
    }

    fn exchange(&mut self, index: usize, body: &[u8]) -> Link {
        let fault = self.faults.pop_front().unwrap_or(Fault::None);
        match fault {
            Fault::LoseRequest => return Link::Failed(TransportError::Unreachable),
            Fault::CutRequest(at) => {
                self.server.serve(&body[..usize::from(at) % body.len()]);
                return Link::Failed(TransportError::Cut);
            }
            _ => {}
        }
        if matches!(fault, Fault::RepeatRequest) {
            self.server.serve(body);
        }
        let answer = self.server.serve(body).unwrap();
        let older = std::mem::replace(&mut self.devices[index].last_answer, answer.clone());
        match fault {
            Fault::LoseAnswer => Link::Failed(TransportError::Timeout),
            Fault::Kill => Link::Killed,
            Fault::CutAnswer(at) => Link::Answer(answer[..usize::from(at) % answer.len()].to_vec()),
            Fault::OldAnswer if !older.is_empty() => Link::Answer(older),
            _ => Link::Answer(answer),
        }
    }

    /// Everything written anywhere.
    fn all(&self) -> BTreeMap<BatchId, ModelBatch> {
        self.devices.iter().flat_map(|device| device.batches.clone()).collect()
    }

    /// The server and every device hold every batch, the server's feeds hold each once, and nobody waits.
    fn is_settled(&self) -> Result<(), TestCaseError> {
        let all = self.all();
        let held: BTreeMap<_, _> =
            self.server.batches.iter().map(|(id, (batch, _))| (*id, batch.clone())).collect();
        prop_assert_eq!(&held, &all);
        prop_assert_eq!(self.server.feeds.values().map(Vec::len).sum::<usize>(), all.len());
        for device in &self.devices {
            prop_assert_eq!(&device.batches, &all);
            prop_assert_eq!(device.receipts.len(), all.len());
            prop_assert!(device.keys.is_empty());
            device.told.1.agrees(device.id, &self.devices)?;
            prop_assert!(self.server.keys.iter().all(|household| device.given.contains(household)));
        }
        Ok(())
    }
}

fn report_answer(session: &mut Session, mut body: &[u8]) {
    let mut reader = FrameReader::<ResponseFrame>::new();
    let mut frames = Vec::new();
    while let Some(frame) = reader.read(&mut body).unwrap() {
        frames.push(frame);
    }
    match reader.finish() {
        Ok(()) => session.received(frames),
        Err(error) => session.failed_after(frames, error.into()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn under_any_loss_cut_repeat_or_old_answer_everything_reaches_everybody_once(
        events in vec(event(), 1..60), faults in vec(fault(), 0..120), devices in 2_u8..5,
    ) {
        let mut world = World::new(devices, faults);
        events.into_iter().for_each(|event| world.apply(event));
        world.faults.clear();
        for _ in 0..2 {
            for index in 0..world.devices.len() {
                let report = world.sync(index).unwrap();
                prop_assert_eq!(report.outcome, Outcome::Complete);
            }
        }
        world.is_settled()?;
    }

    #[test]
    fn on_a_good_link_nothing_is_sent_or_relayed_twice(
        events in vec(event(), 1..60), devices in 2_u8..5,
    ) {
        let mut world = World::new(devices, Vec::new());
        let mut sent = 0;
        let honest = events.into_iter().filter(|event| !matches!(event, Event::Carry { .. }));
        for event in honest {
            match event {
                Event::Sync { device } => sent += world.sync(device % usize::from(devices)).unwrap().sent,
                other => world.apply(other),
            }
        }
        for index in (0..world.devices.len()).chain(0..world.devices.len()) {
            sent += world.sync(index).unwrap().sent;
        }
        world.is_settled()?;
        let written = world.all().len() as u64;
        prop_assert_eq!(sent, written);
        let relayed: u64 = world.devices.iter().map(|device| device.relayed).sum();
        prop_assert_eq!(relayed, written * (u64::from(devices) - 1));
    }

    #[test]
    fn a_restored_server_is_refilled_by_the_devices_and_gives_everything_again(
        events in vec(event(), 1..40), devices in 2_u8..5,
    ) {
        let mut world = World::new(devices, Vec::new());
        events.into_iter().for_each(|event| world.apply(event));
        world.server = Server::new(EpochId::from_bytes([0xe1; 16]));
        for device in &mut world.devices {
            // The receipts are the old epoch's; the cursors are left as they are, and mean nothing now.
            device.receipts.clear();
        }
        for _ in 0..2 {
            for index in 0..world.devices.len() {
                prop_assert_eq!(world.sync(index).unwrap().outcome, Outcome::Complete);
            }
        }
        world.is_settled()?;
    }
}
