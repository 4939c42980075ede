//! A field device in this process: the real client over real HTTP to a real server process.

use ruhu_client_core::{
    Client, Edit, HttpTransport, Invitation, ListedHousehold, Query, SyncOutcome, SyncReport,
    SystemEnvironment,
};
use ruhu_sample::Random;
use ruhu_survey::household::{Because, Input};
use ruhu_survey::id::{HouseholdId, VillageId};

use crate::world::{PASSPHRASE, World};

pub(crate) struct Tablet {
    pub(crate) client: Client,
    pub(crate) random: Random,
    transport: HttpTransport,
    runtime: tokio::runtime::Runtime,
}

impl Tablet {
    /// A new person's device, enrolled. The server must run.
    pub(crate) fn enrol(world: &World, name: &str, role: &str, region: &str) -> Self {
        let link = world.invite(name, role, region);
        let store = world.device(name).store;
        let mut client = Client::create(&store, PASSPHRASE, Box::new(SystemEnvironment::new())).unwrap();
        let transport = HttpTransport::new(&world.url()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let invitation = Invitation::from_link(&link).unwrap();
        runtime.block_on(client.enrol(&invitation, name, &mut |_| false, &transport)).unwrap();
        Self { client, transport, runtime, random: Random::new(5) }
    }

    /// The device of a person who was here before, whose server is at this address now.
    pub(crate) fn open(world: &World, name: &str, url: &str) -> Self {
        let environment = Box::new(SystemEnvironment::new());
        let client = Client::open(&world.device(name).store, PASSPHRASE, environment).unwrap();
        let transport = HttpTransport::new(url).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { client, transport, runtime, random: Random::new(5) }
    }

    /// One sync, however it ends.
    pub(crate) fn sync_once(&mut self) -> SyncReport {
        self.runtime.block_on(self.client.sync(&self.transport, &mut |_| ())).unwrap()
    }

    /// Syncs to the end: the bytes of all bodies up and down, and how many requests it took.
    pub(crate) fn sync(&mut self) -> Cost {
        let mut cost = Cost::default();
        loop {
            let report = self.sync_once();
            cost.up += report.sent_bytes;
            cost.down += report.got_bytes;
            cost.requests += report.requests;
            assert_eq!((report.not_accepted, report.set_aside), (0, 0), "{report:?}");
            assert!(report.mismatched.is_empty(), "{report:?}");
            match report.outcome {
                SyncOutcome::Complete => return cost,
                SyncOutcome::Paused => {}
                SyncOutcome::Interrupted(error) => panic!("{error}"),
            }
        }
    }

    /// The one village.
    pub(crate) fn village(&self) -> VillageId {
        self.client.villages().unwrap().first().unwrap().id
    }

    pub(crate) fn listed(&self) -> Vec<ListedHousehold> {
        self.client.households(self.village(), &Query::default()).unwrap()
    }

    pub(crate) fn edit(&mut self, household: HouseholdId, key: &str, text: &str) {
        let input = Input::Text(text.to_owned());
        let edit = Edit { key: key.to_owned(), input, because: Because::default() };
        self.client.edit_household(household, &[edit]).unwrap();
    }
}

/// What a sync cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Bytes of request bodies.
    pub(crate) up: u64,
    /// Bytes of response bodies.
    pub(crate) down: u64,
    /// Requests to the sync address.
    pub(crate) requests: u64,
}
