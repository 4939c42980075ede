//! What a sync costs: nothing is given twice, and a device that has everything pays next to nothing.

use std::collections::BTreeSet;

use ruhu_ledger::checkpoint::{Checkpoint, NoteKey};
use ruhu_survey::id::{EpochId, HouseholdId};
use ruhu_sync::announce::{Announced, Announcement, Proof};
use ruhu_sync::protocol::PROTOCOL_OLDEST;
use ruhu_sync::request::{Hello, HouseholdKeyFrame, VillageQuery};
use ruhu_sync::response::{VillageDone, VillageKeys};
use ruhu_sync::{Cursor, KeyBytes, RequestFrame, ResponseFrame, encode_all};

use super::fixture::{Answer, Fixture, batch, hello};
use crate::store::AnnouncementStore as _;
use crate::store::people::PlaceStore as _;
use crate::store::world::{DEPLOYMENT, EPOCH, LONGTAN, MORNING_MS, Tablet, household};

/// The bytes that a request and its answer may have when nothing changed.
const IDLE_BYTES_MAX: usize = 150;

/// What a device remembers of its last answer.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    cursor: Option<Cursor>,
    keys_given: u64,
    told: u64,
    checkpoint_size: u64,
}

impl Held {
    fn request(self, tablet: &Tablet) -> Vec<RequestFrame> {
        let RequestFrame::Hello(said) = hello(tablet) else { panic!("no hello") };
        let said = Hello { checkpoint_size: self.checkpoint_size, ..said };
        let Self { cursor, keys_given, .. } = self;
        let query = VillageQuery { village: LONGTAN, cursor, keys_given, vector: BTreeSet::new() };
        let announced = Announced { next: 300, ..Announced::default() };
        let announcement = Announcement { given: self.told, announced, signature: None };
        vec![
            RequestFrame::Hello(said),
            RequestFrame::Village(query),
            RequestFrame::Announcement(announcement),
        ]
    }

    /// Takes note of an answer; whether there is more.
    fn note(&mut self, fixture: &Fixture, answer: &Answer) -> bool {
        let mut more = false;
        for frame in answer.frames() {
            match frame {
                ResponseFrame::FoundedKeys(founded) => self.keys_given = founded.keys.given,
                ResponseFrame::Announcements(news) => {
                    self.told = news.told.last().map_or(self.told, |told| told.number);
                }
                ResponseFrame::VillageDone(done) => (self.cursor, more) = (Some(done.cursor), done.more),
                ResponseFrame::Checkpoint(frame) => {
                    let key = NoteKey::of_log(DEPLOYMENT, fixture.keys.signing.public());
                    self.checkpoint_size = Checkpoint::open(&frame.note, &key).unwrap().size;
                }
                _ => {}
            }
        }
        more
    }

    /// Syncs until the feed has been given to its end.
    async fn catch_up(&mut self, fixture: &Fixture, tablet: &Tablet) {
        while self.note(fixture, &fixture.sync(tablet, &self.request(tablet)).await) {}
    }
}

fn key(index: u8) -> HouseholdKeyFrame {
    HouseholdKeyFrame { household: HouseholdId::from_bytes([index; 16]), key: KeyBytes([index; 64]) }
}

fn keys(answer: &Answer) -> Vec<VillageKeys> {
    let keys = |frame| match frame {
        ResponseFrame::FoundedKeys(founded) => Some(founded.keys),
        _ => None,
    };
    answer.frames().into_iter().filter_map(keys).collect()
}

fn kept(fixture: &Fixture, index: u8) {
    let wrapped = super::answer::wrapped(&fixture.keys, LONGTAN, &key(index)).unwrap();
    fixture.store.household_key_put(LONGTAN, key(index).household, &wrapped).unwrap();
}

#[tokio::test]
async fn when_nothing_changed_each_way_costs_next_to_nothing_whatever_the_number_of_retired_devices() {
    let fixture = Fixture::new();
    for index in 1..=50 {
        let mut retired = fixture.world().tablet(100 + index);
        let change = retired.found(household(index), "一组");
        fixture.world().receive(&retired.seal(&[&change]));
        kept(&fixture, index);
        let said = [(LONGTAN, Announced { next: 2, checks: 3, drafts: 1 })];
        fixture.store.announce(retired.device(), &said, Proof::Request, MORNING_MS).unwrap();
    }
    let tablet = fixture.secretary(10, &[LONGTAN]);
    let mut held = Held::default();
    held.catch_up(&fixture, &tablet).await;
    assert_eq!(held.told, 50, "it is told of each once");
    let request = held.request(&tablet);
    let answer = fixture.sync(&tablet, &request).await;
    let (up, down) = (encode_all(&request).len(), answer.body.len());
    let announcement = request.iter().filter(|frame| matches!(frame, RequestFrame::Announcement(_)));
    assert_eq!(encode_all(announcement).len(), 8, "what it costs to announce that nothing is unsent");
    assert!(up <= IDLE_BYTES_MAX && down <= IDLE_BYTES_MAX, "{up} up, {down} down");
    let frames = answer.frames();
    assert!(
        matches!(
            frames.as_slice(),
            [
                ResponseFrame::Welcome(_),
                ResponseFrame::VillageDone(VillageDone { more: false, .. }),
                ResponseFrame::Bye
            ]
        ),
        "{frames:?}"
    );
}

#[tokio::test]
async fn a_key_is_given_once_even_when_it_comes_after_the_batch_that_founds_its_household() {
    let fixture = Fixture::new();
    let (mut writer, reader) = (fixture.world().tablet(10), fixture.world().tablet(11));
    let change = writer.found(household(1), "一组");
    fixture.world().receive(&writer.seal(&[&change]));
    let mut held = Held::default();
    held.catch_up(&fixture, &reader).await;
    assert_eq!(held.keys_given, 1, "the search key");
    // The key of that household and of one with a smaller id become durable after the reader was there.
    kept(&fixture, 9);
    kept(&fixture, 3);
    let answer = fixture.sync(&reader, &held.request(&reader)).await;
    let given = keys(&answer);
    assert_eq!(given.len(), 1);
    assert_eq!((given[0].given, given[0].search_key), (3, None));
    assert_eq!(given[0].households.len(), 2);
    held.note(&fixture, &answer);
    assert_eq!(keys(&fixture.sync(&reader, &held.request(&reader)).await), []);
}

#[tokio::test]
async fn a_key_that_a_device_offers_does_not_come_back_unless_another_one_holds() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let mut held = Held::default();
    held.catch_up(&fixture, &tablet).await;
    kept(&fixture, 2);
    let mut request = held.request(&tablet);
    let other = HouseholdKeyFrame { key: KeyBytes([7; 64]), ..key(2) };
    request.extend([key(1), other].map(RequestFrame::Key));
    let answer = fixture.sync(&tablet, &request).await;
    let given = keys(&answer);
    let expected = [(key(2).household, key(2).key)].into();
    assert_eq!((given[0].given, &given[0].households), (3, &expected), "the one that holds is told");
    held.note(&fixture, &answer);
    assert_eq!(keys(&fixture.sync(&tablet, &held.request(&tablet)).await), []);
}

#[tokio::test]
async fn a_cursor_that_means_nothing_here_is_asked_to_come_again_with_the_whole_vector() {
    let fixture = Fixture::new();
    let (mut writer, reader) = (fixture.world().tablet(10), fixture.world().tablet(11));
    let change = writer.found(household(1), "一组");
    fixture.world().receive(&writer.seal(&[&change]));
    let more = writer.found(household(2), "一组");
    let sent = writer.seal(&[&more]);
    for cursor in [
        Cursor { epoch: EpochId::from_bytes([9; 16]), number: 1 },
        Cursor { epoch: EPOCH, number: 1_000_000 },
    ] {
        let held = Held { cursor: Some(cursor), keys_given: 1, ..Held::default() };
        let mut request = held.request(&reader);
        request.push(batch(&sent));
        let frames = fixture.sync(&reader, &request).await.frames();
        assert!(frames.contains(&ResponseFrame::VectorWanted(LONGTAN)));
        assert!(frames.iter().any(|frame| matches!(frame, ResponseFrame::Receipt(_))), "it is taken in");
        let told = |frame: &ResponseFrame| {
            matches!(
                frame,
                ResponseFrame::Relayed(_) | ResponseFrame::FoundedKeys(_) | ResponseFrame::VillageDone(_)
            )
        };
        assert!(!frames.iter().any(told), "{frames:?}");
    }
}

#[tokio::test]
async fn a_device_of_protocol_2_is_given_keys_in_the_form_that_it_knows() {
    let fixture = Fixture::new();
    let reader = fixture.world().tablet(11);
    kept(&fixture, 1);
    let mut request = Held::default().request(&reader);
    if let Some(RequestFrame::Hello(hello)) = request.first_mut() {
        hello.protocol = PROTOCOL_OLDEST;
    }
    request.retain(|frame| !matches!(frame, RequestFrame::Announcement(_)));
    let frames = fixture.sync(&reader, &request).await.frames();
    assert!(matches!(&frames[0], ResponseFrame::Welcome(welcome) if welcome.protocol == PROTOCOL_OLDEST));
    let given = |frame: &ResponseFrame| matches!(frame, ResponseFrame::VillageKeys(keys) if keys.households.len() == 1);
    assert!(frames.iter().any(given), "{frames:?}");
}

#[tokio::test]
async fn a_checkpoint_comes_only_when_the_log_is_of_another_size() {
    let fixture = Fixture::new();
    let (mut writer, reader) = (fixture.world().tablet(10), fixture.world().tablet(11));
    let mut held = Held::default();
    held.catch_up(&fixture, &reader).await;
    let is_told = async |held: Held| {
        let answer = fixture.sync(&reader, &held.request(&reader)).await;
        answer.frames().iter().any(|frame| matches!(frame, ResponseFrame::Checkpoint(_)))
    };
    assert!(!is_told(held).await);
    // A device that has seen a longer log than this one has to notice.
    assert!(is_told(Held { checkpoint_size: held.checkpoint_size + 1, ..held }).await);
    let change = writer.found(household(1), "一组");
    fixture.world().receive(&writer.seal(&[&change]));
    assert!(is_told(held).await);
}
