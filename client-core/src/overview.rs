//! A village as its first secretary sees it with no network: who is done, what is open, and which device has been
//! heard of last and with what still to send. All of it is what this store holds as of its last whole sync.

use std::collections::BTreeMap;

use ruhu_ledger::certificate::CertificateKind;
use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_survey::role::Role;
use ruhu_sync::announce::{Left, Told};
use rusqlite::{Connection, params};
use serde::Serialize;

use crate::client::Client;
use crate::error::Error;
use crate::store::batch::number;
use crate::store::{announcement, certificate};

/// A village at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Overview {
    /// When a sync of the village last ended whole, by this device's clock; `None`: never.
    pub as_of_ms: Option<i64>,
    /// Households whose file is open.
    pub households: u64,
    /// Of these, visited on the asked day or later.
    pub done: u64,
    /// Of these, never visited.
    pub never: u64,
    /// Fields that wait for a named person to decide.
    pub conflicts: u64,
    /// The devices that may write here or have written, the one that was heard of longest ago first.
    pub devices: Vec<DeviceSeen>,
}

/// What is known here of a device's work in a village.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DeviceSeen {
    /// The device.
    pub device: DeviceId,
    /// Its label.
    pub name: String,
    /// What its person is.
    pub role: Role,
    /// Whether its key was revoked.
    pub revoked: bool,
    /// Whether it is this device.
    pub own: bool,
    /// When the server received its newest batch, by the server's clock; `None` when nothing is known here.
    pub received_ms: Option<i64>,
    /// Batches of it that the server has received, as far as this device knows.
    pub received: u64,
    /// Batches of it that are here and that the server is not known to have.
    pub waiting: u64,
    /// Batches that lack in its chain below the newest one known here.
    pub lacking: u64,
    /// What it last announced as unsent; `None` when nothing was told of it, and for this device.
    pub announced: Option<AnnouncedUnsent>,
}

impl DeviceSeen {
    /// When the server last heard of it, as far as this device knows.
    fn heard_ms(&self) -> Option<i64> {
        self.received_ms.max(self.announced.map(|said| said.at_ms))
    }
}

/// What a device said that it still holds of its own work in a village. It is its own word, passed on by the server, and
/// evidence of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AnnouncedUnsent {
    /// When it said so, by the server's clock.
    pub at_ms: i64,
    /// Of the batches that it had written by then, those that the server is not known here to have received.
    pub missing: u64,
    /// Checks that it had closed and not delivered by then; 0 once none of those batches is missing.
    pub checks: u64,
    /// Checks that it had begun and not closed by then. They stay on the device.
    pub drafts: u64,
}

/// What the batches of one device add up to.
#[derive(Debug, Default)]
struct Chain {
    received_ms: Option<i64>,
    received: u64,
    waiting: u64,
    lacking: u64,
    /// One above the number of the last received batch.
    received_next: u64,
}

impl Client {
    /// A village as this device knows it; `since` is the day (`YYYY-MM-DD`) from which a visit counts as done.
    ///
    /// # Errors
    /// [`Error::UnknownVillage`], or that the store fails.
    pub fn overview(&self, village: VillageId, since: &str) -> Result<Overview, Error> {
        let known = self.villages()?.into_iter().find(|known| known.id == village);
        let known = known.ok_or(Error::UnknownVillage(village))?;
        let connection = self.store.read();
        let mut statement = connection.prepare_cached(
            "SELECT count(*), coalesce(sum(last_checked >= ?2 AND last_checked <> ''), 0),
                    coalesce(sum(last_checked = ''), 0), coalesce(sum(conflicts), 0)
             FROM household_row WHERE village = ?1 AND active = 1",
        )?;
        let [households, done, never, conflicts] = statement
            .query_row(params![village.as_bytes(), since], |row| {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?].map(number))
            })?;
        let devices = self.devices_seen(connection, village)?;
        Ok(Overview { as_of_ms: known.synced_ms, households, done, never, conflicts, devices })
    }

    fn devices_seen(&self, connection: &Connection, village: VillageId) -> Result<Vec<DeviceSeen>, Error> {
        let mut chains = chains(connection, village)?;
        let own = self.identity_if_any().map(|identity| identity.device());
        let told = match self.identity_if_any() {
            Some(identity) => announcement::all(connection, identity.epoch, village)?,
            None => BTreeMap::new(),
        };
        let mut seen = Vec::new();
        for held in certificate::newest(connection)? {
            let device = held.device();
            let chain = chains.remove(&device);
            let of_server = held.kind == CertificateKind::Server;
            if of_server || (chain.is_none() && !held.villages.contains(&village)) {
                continue;
            }
            let chain = chain.unwrap_or_default();
            seen.push(DeviceSeen {
                device,
                role: held.role,
                revoked: certificate::revoked_ms(connection, device)?.is_some(),
                own: own == Some(device),
                received_ms: chain.received_ms,
                received: chain.received,
                waiting: chain.waiting,
                lacking: chain.lacking,
                announced: told.get(&device).map(|told| announced(told, &chain)),
                name: held.name,
            });
        }
        seen.sort_by(|one, two| (one.heard_ms(), &one.name).cmp(&(two.heard_ms(), &two.name)));
        Ok(seen)
    }
}

/// What was announced, as far as what has been received since leaves of it.
fn announced(told: &Told, chain: &Chain) -> AnnouncedUnsent {
    let Left { missing, checks, drafts } = told.announced.left(chain.received_next);
    AnnouncedUnsent { at_ms: told.at_ms, missing, checks, drafts }
}

fn chains(connection: &Connection, village: VillageId) -> Result<BTreeMap<DeviceId, Chain>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT device, max(received_ms), sum(received_ms IS NOT NULL), sum(received_ms IS NULL),
                max(number) + 1 - min(number) - count(DISTINCT number),
                coalesce(max(CASE WHEN state = 2 THEN number + 1 END), 0)
         FROM batch WHERE village = ?1 GROUP BY device",
    )?;
    let rows = statement.query_map([village.as_bytes()], |row| {
        let chain = Chain {
            received_ms: row.get(1)?,
            received: number(row.get(2)?),
            waiting: number(row.get(3)?),
            lacking: number(row.get(4)?),
            received_next: number(row.get(5)?),
        };
        Ok((DeviceId::from_bytes(row.get(0)?), chain))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
