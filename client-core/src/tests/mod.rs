//! Devices that work and sync with a server in memory.

mod bounds;
mod carrying;
mod carrying_laws;
mod codes;
mod copies;
mod forked;
mod forming;
mod in_view;
mod laws;
mod overview;
mod photos;
mod repairing;
mod resuming;
mod rewriting;
mod server;
mod shelf;
mod snapshots;
mod syncing;
mod week;
mod working;

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ruhu_survey::change::{DocumentId, Value};
use ruhu_survey::id::{HouseholdId, VillageId};
use tempfile::TempDir;

use crate::client::Client;
use crate::env::by_hand::HandEnvironment;
use crate::error::Error;
use crate::key_file::TEST_COST;
use crate::store::document::{self, Place};
use crate::{Invitation, SyncReport};
use server::FakeServer;

const PASSPHRASE: &str = "the old camphor tree";

/// Runs a future that never waits: the server in memory answers at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits"),
    }
}

/// A device of a test, in a folder of its own.
struct Tablet {
    folder: TempDir,
    client: Client,
    seed: u8,
}

impl Tablet {
    fn enrolled(server: &FakeServer, seed: u8) -> Self {
        let folder = TempDir::new().unwrap();
        let environment = Box::new(HandEnvironment::new(seed));
        let mut client = Client::create_with_cost(folder.path(), PASSPHRASE, TEST_COST, environment).unwrap();
        let invitation = Invitation::from_link(&server.link()).unwrap();
        now(client.enrol(&invitation, "tablet", &mut |_| false, server)).unwrap();
        Self { folder, client, seed }
    }

    /// Kills the program and starts it again.
    fn restarted(self) -> Self {
        let Self { folder, client, seed } = self;
        drop(client);
        let seed = seed.wrapping_add(100);
        let client = reopened(folder.path(), seed).unwrap();
        Self { folder, client, seed }
    }

    fn sync(&mut self, server: &FakeServer) -> SyncReport {
        self.try_sync(server).unwrap()
    }

    fn try_sync(&mut self, server: &FakeServer) -> Result<SyncReport, Error> {
        now(self.client.sync(server, &mut |_| {}))
    }
}

fn reopened(folder: &Path, seed: u8) -> Result<Client, Error> {
    Client::open(folder, PASSPHRASE, Box::new(HandEnvironment::new(seed)))
}
