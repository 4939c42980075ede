//! One device of a world: the real client on a disk of its own, with a clock that may be wrong.

use std::rc::Rc;
use std::sync::Arc;

use ruhu_client_core::{Client, Cost, Error, Invitation, Profile, SyncReport};
use ruhu_survey::change::{ChangeHash, DocumentId};
use ruhu_survey::id::{CheckId, DeviceId, UserId};
use ruhu_survey::role::Role;
use ruhu_sync::peer::PeerSide;

use crate::book::{Asked, Book, Expected};
use crate::carry::{Met, Wire};
use crate::clock::{DeviceEnvironment, FirstDraw, Skew, Time};
use crate::dice::Dice;
use crate::disk::{Copy, End, Place};
use crate::link::{Link, Net};
use crate::replica::Replica;
use crate::turn::{Running, Turns};

const PASSPHRASE: &str = "the old camphor tree";
/// The passphrase is not what a world tests.
const COST: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

/// A check that is being filled in.
#[derive(Debug, Clone)]
pub struct OpenCheck {
    /// Its id.
    pub id: CheckId,
    /// What was answered so far.
    pub answers: Vec<Asked>,
}

/// What a node did in the present week.
#[derive(Debug, Default)]
pub struct Week {
    /// Edits.
    pub edits: u64,
    /// Documents that were edited.
    pub documents: std::collections::BTreeSet<DocumentId>,
    /// Whether the server answered a sync.
    pub synced: bool,
}

/// How a sync ended, and the client it ran on.
pub type Synced = (Box<Client>, Result<SyncReport, Error>);

/// A device.
pub struct Node {
    /// Its number in the world.
    pub index: usize,
    /// Whose it is.
    pub user: UserId,
    /// What they are.
    pub role: Role,
    /// Its id; copies of a device share it until they give the key up.
    pub device: DeviceId,
    /// Whether a person has to enrol it again before what it writes counts.
    pub provisional: bool,
    /// Whether it was revoked for good: nobody enrols it again.
    pub revoked: bool,
    /// What must become of what it writes now.
    pub expected: Expected,
    /// Whether the server gives it nothing any more.
    pub barred: bool,
    /// Whether that was so when its present sync began.
    pub was_barred: bool,
    /// The refusals that it was told with reason: an older answer may bring one again.
    pub told: std::collections::BTreeSet<String>,
    /// The check being filled in.
    pub open: Option<OpenCheck>,
    /// What it did this week.
    pub week: Week,
    /// Its clock.
    pub skew: Skew,
    client: Option<Box<Client>>,
    replica: Option<Replica>,
    place: Place,
    profile: Profile,
    first: FirstDraw,
    dice: Dice,
    /// The last own change in the book.
    seen: i64,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("index", &self.index).finish_non_exhaustive()
    }
}

impl Node {
    /// A new device, enrolled by a link that the server gave its person.
    #[must_use]
    pub fn enrolled(
        (index, mut dice): (usize, Dice),
        (user, role): (UserId, Role),
        (net, turns, time): (&Rc<Net>, &Turns, &Time),
    ) -> Self {
        let (place, skew, first) = (Place::empty(), Skew::default(), FirstDraw::default());
        let profile = if index % 2 == 0 { Profile::Device } else { Profile::Browser };
        let environment = environment((&place, profile), (time, &skew), &mut dice, &first);
        let mut client = Client::create_with_cost(&place.folder(), PASSPHRASE, COST, environment).unwrap();
        let (link, invitation) = (net.host.invite(user), Link::new(net, index, 0));
        let enrolling: Running<Client> = Box::pin(async move {
            let name = format!("tablet {index}");
            let invited = Invitation::from_link(&link).unwrap();
            client.enrol(&invited, &name, &mut |_| false, &invitation).await.unwrap();
            client
        });
        let client = turns.finish(enrolling);
        let device = client.status().unwrap().device.unwrap().device;
        Self {
            index,
            user,
            role,
            device,
            provisional: false,
            revoked: false,
            expected: Expected::Accepted,
            barred: false,
            was_barred: false,
            told: Default::default(),
            open: None,
            week: Week::default(),
            skew,
            client: Some(Box::new(client)),
            replica: None,
            place,
            profile,
            first,
            dice,
            seen: 0,
        }
    }

    /// A copy of this device, as it stands, that goes on beside it.
    #[must_use]
    pub fn copied(&mut self, index: usize, time: &Time) -> Self {
        let mut copy = Self {
            index,
            user: self.user,
            role: self.role,
            device: self.device,
            provisional: self.provisional,
            revoked: self.revoked,
            expected: self.expected.clone(),
            barred: self.barred,
            was_barred: false,
            told: self.told.clone(),
            open: self.open.clone(),
            week: Week::default(),
            skew: Skew::default(),
            client: None,
            replica: None,
            place: Place::holding(&self.place.copy()),
            profile: self.profile,
            first: Arc::clone(&self.first),
            dice: Dice::new(u64::from_be_bytes(self.dice.bytes()), 0),
            seen: self.seen,
        };
        copy.start(time);
        copy
    }

    /// Whether its program runs and is not busy with a sync.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.client.is_some()
    }

    /// The program.
    ///
    /// # Panics
    /// While it syncs.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.client.as_ref().unwrap()
    }

    /// The program, to write.
    ///
    /// # Panics
    /// While it syncs.
    pub fn client_mut(&mut self) -> &mut Client {
        self.client.as_mut().unwrap()
    }

    /// A look at what is on its disk.
    pub fn replica(&mut self) -> &Replica {
        let (place, first) = (&self.place, &self.first);
        self.replica.get_or_insert_with(|| Replica::open(&place.folder(), *first.get().unwrap()))
    }

    /// Lets the program die at one of its next operations.
    pub fn doom(&self, operations: usize) {
        self.place.doom(operations);
    }

    /// The program lives on, unless it died; whether it did.
    pub fn spare(&self) -> bool {
        self.place.spare()
    }

    /// Ends the program, and starts it again on what the disk holds; it may die once more on its way up.
    pub fn restart(&mut self, end: End, time: &Time) {
        self.place.end(end, &mut self.dice);
        (self.client, self.replica) = (None, None);
        if self.dice.per_mille(300) {
            self.place.doom(self.dice.below(60));
            let started = Client::open(&self.place.folder(), PASSPHRASE, self.environment(time));
            drop(started);
            self.place.end(End::Killed, &mut self.dice);
        }
        self.start(time);
    }

    fn environment(&mut self, time: &Time) -> Box<DeviceEnvironment> {
        environment((&self.place, self.profile), (time, &self.skew), &mut self.dice, &self.first)
    }

    /// Starts the program on what the disk holds.
    fn start(&mut self, time: &Time) {
        let environment = self.environment(time);
        let client = Client::open(&self.place.folder(), PASSPHRASE, environment).unwrap();
        self.client = Some(Box::new(client));
        self.look_at_key();
    }

    /// Sees under which key it is now.
    fn look_at_key(&mut self) {
        let status = self.client().status().unwrap().device.unwrap();
        (self.device, self.provisional) = (status.device, status.provisional);
    }

    /// A backup of the disk as it stands.
    #[must_use]
    pub fn back_up(&self) -> Backup {
        Backup { copy: self.place.copy(), open: self.open.clone(), seen: self.seen }
    }

    /// Puts a backup in the place of the disk; what was not received since is lost.
    pub fn restore(&mut self, backup: &Backup, book: &mut Book, time: &Time) {
        (self.client, self.replica) = (None, None);
        self.place = Place::holding(&backup.copy);
        (self.open, self.seen) = (backup.open.clone(), backup.seen);
        let kept: Vec<(DocumentId, ChangeHash)> = self.replica().standings().into_keys().collect();
        book.lose(self.index, &kept);
        self.start(time);
    }

    /// Enters into the book what the last call wrote.
    pub fn enter(&mut self, book: &mut Book, asked: Vec<Asked>) -> usize {
        let after = self.seen;
        let (found, last) = self.replica().written(after);
        self.seen = last;
        self.week.documents.extend(found.iter().map(|(document, ..)| *document));
        book.enter(self.index, &self.expected, &found, asked);
        found.len()
    }

    /// Begins a sync; the program is busy until it ends or is killed.
    pub fn begin_sync(&mut self, net: &Rc<Net>) -> Running<Synced> {
        let mut client = self.client.take().unwrap();
        self.was_barred = self.barred;
        let link = Link::new(net, self.index, net.host.now_ms() + self.skew.get());
        Box::pin(async move {
            let ended = client.sync(&link, &mut |_| {}).await;
            (client, ended)
        })
    }

    /// A person enrols it again with a new code.
    pub fn enrol_again(&mut self, (net, turns): (&Rc<Net>, &Turns), book: &mut Book) -> Result<(), Error> {
        let mut client = self.client.take().unwrap();
        let link = Link::new(net, self.index, net.host.now_ms() + self.skew.get());
        let invitation = Invitation::from_link(&net.host.invite(self.user))?;
        let name = format!("tablet {}", self.index);
        let enrolling: Running<_> = Box::pin(async move {
            let enrolled = client.enrol(&invitation, &name, &mut |_| false, &link).await;
            (client, enrolled)
        });
        let (client, enrolled) = turns.finish(enrolling);
        self.end_sync(client, book);
        enrolled.map(|_| ())
    }

    /// Begins a meeting with another device; the program is busy until it ends.
    pub fn begin_meeting(&mut self, wire: Wire, side: PeerSide) -> Running<Met> {
        let mut client = self.client.take().unwrap();
        Box::pin(async move {
            let met = client.sync_with_peer(wire, side, &mut |_| true).await;
            (client, met)
        })
    }

    /// Takes the program back from a sync. What it wrote anew meanwhile is in the book from now on.
    pub fn end_sync(&mut self, client: Box<Client>, book: &mut Book) {
        self.client = Some(client);
        self.look_at_key();
        self.look_at_disk(book);
    }

    /// Enters into the book what the disk holds now: what was written meanwhile, and what is shown as received.
    pub fn look_at_disk(&mut self, book: &mut Book) {
        let after = self.seen;
        let (found, last) = self.replica().written(after);
        self.seen = last;
        book.enter(self.index, &self.expected, &found, Vec::new());
        for (document, hash) in self.replica().received() {
            book.receive(document, hash);
        }
    }
}

/// What a device's disk held at some moment.
#[derive(Debug)]
pub struct Backup {
    copy: Copy,
    open: Option<OpenCheck>,
    seen: i64,
}

fn environment(
    (place, profile): (&Place, Profile),
    (time, skew): (&Time, &Skew),
    dice: &mut Dice,
    first: &FirstDraw,
) -> Box<DeviceEnvironment> {
    let drawn = Dice::new(u64::from_be_bytes(dice.bytes()), 1);
    let clock = (time.clone(), skew.clone());
    Box::new(DeviceEnvironment::new(place.files(profile), clock, drawn, Arc::clone(first)))
}
