//! What a person asks before leaving the network: is everything received, and is anything wrong?

use ruhu_ledger::certificate::{Certificate, CertificateKind};
use ruhu_survey::change::{ChangeHash, DocumentId, parse};
use ruhu_survey::id::{DeploymentId, DeviceId, EpochId, UserId, VillageId};
use ruhu_survey::role::Role;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use crate::client::Client;
use crate::error::Error;
use crate::list::SendState;
use crate::store::batch::number;
use crate::store::document;
use crate::store::epoch;
use crate::store::meta::{self, Fact};
use crate::store::repair::{self, Repair};
use crate::store::village::Village;
use crate::store::{certificate, photo, set_aside, staged};

/// The state of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Status {
    /// Who it is; `None` before enrolment.
    pub device: Option<DeviceStatus>,
    /// Its villages, with when each was last synced and whether the fingerprints agree.
    pub villages: Vec<Village>,
    /// What the server has not receipted.
    pub unsent: Unsent,
    /// Own changes that the server did not accept: see [`Client::refused`].
    pub not_accepted: u64,
    /// Things that came and were set aside: see [`Client::set_aside`].
    pub set_aside: u64,
    /// The last sync, ended or not.
    pub last_sync: Option<LastSync>,
    /// The newest receipts, the newest first, ten at most.
    pub last_receipts: Vec<ReceiptLine>,
    /// Chains that have forked: somebody copied a device, or restored it.
    pub forks: Vec<Fork>,
    /// The last repair of each village, the newest first.
    pub repairs: Vec<Repair>,
    /// When the log was found inconsistent, by the device's clock; nothing is accepted since.
    pub log_inconsistent_ms: Option<i64>,
    /// Own batches received that no verified backup of the server is known to hold.
    pub beyond_backup: u64,
    /// When the newest backup known had been read back, by the server's clock.
    pub backup_ms: Option<i64>,
    /// How far this device's clock was ahead of the server's at the last sync, milliseconds.
    pub clock_ahead_ms: Option<i64>,
}

/// Who a device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DeviceStatus {
    /// The installation.
    pub deployment: DeploymentId,
    /// Its id.
    pub device: DeviceId,
    /// Its label.
    pub name: String,
    /// Whose it is.
    pub user: UserId,
    /// Their name, as the server gave it.
    pub user_name: String,
    /// What they are.
    pub role: Role,
    /// Until when the certificate holds, milliseconds since 1970.
    pub until_ms: i64,
    /// When the key was revoked, if it was.
    pub revoked_ms: Option<i64>,
    /// Whether a person has to enrol it again: until then the server keeps apart what it sends.
    pub provisional: bool,
    /// The server's address.
    pub server: String,
    /// The server's key in six words.
    pub server_words: [&'static str; 6],
}

/// What the server has not receipted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Unsent {
    /// Checks being filled in.
    pub drafts: u64,
    /// Changes not sealed into a batch yet.
    pub changes: u64,
    /// Batches never sent.
    pub queued: u64,
    /// Batches sent, without a receipt.
    pub sent: u64,
    /// Batches that the server will not take.
    pub turned_away: u64,
    /// Keys of new households that the server has not confirmed.
    pub keys: u64,
    /// Batches of others that this device carries and that the server has not receipted.
    pub carried: u64,
    /// Batches of others that wait here for one before them; they are not applied.
    pub staged: u64,
    /// Photos of submitted checks that the server is not known to have: see [`Client::send_photos`].
    pub photos: u64,
}

/// One sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct LastSync {
    /// When it began, by the device's clock.
    pub started_ms: i64,
    /// When it ended; `None` when it was cut off by a kill.
    pub ended_ms: Option<i64>,
    /// `complete`, `paused`, or what stopped it.
    pub outcome: String,
    /// Requests made.
    pub requests: u64,
    /// Bytes of request bodies.
    pub sent_bytes: u64,
    /// Bytes of response bodies.
    pub got_bytes: u64,
    /// Own batches received.
    pub receipts: u64,
    /// Batches relayed.
    pub batches: u64,
}

/// One receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ReceiptLine {
    /// The village.
    pub village: VillageId,
    /// The number of the batch in this device's chain.
    pub number: u64,
    /// How many changes it brought.
    pub changes: u64,
    /// When the server had it, by the server's clock.
    pub received_ms: i64,
}

/// A chain with two batches of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Fork {
    /// The village.
    pub village: VillageId,
    /// Whose chain.
    pub device: DeviceId,
    /// The first number that two batches have.
    pub number: u64,
}

/// An own change that the server did not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAccepted {
    /// The village.
    pub village: VillageId,
    /// The document.
    pub document: DocumentId,
    /// The change.
    pub change: ChangeHash,
    /// [`SendState::Quarantined`] or [`SendState::Refused`] with the rule's code.
    pub state: SendState,
    /// The keys it wrote.
    pub keys: Vec<String>,
    /// The change that was written anew in its place.
    pub replaced_by: Option<ChangeHash>,
}

/// A device whose certificate is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct KnownDevice {
    /// Its id.
    pub device: DeviceId,
    /// Its label.
    pub name: String,
    /// Whose it is.
    pub user: UserId,
    /// What they are.
    pub role: Role,
    /// From when the certificate holds, milliseconds since 1970.
    pub from_ms: i64,
    /// Until when.
    pub until_ms: i64,
    /// When the key was revoked, if it was.
    pub revoked_ms: Option<i64>,
}

impl Client {
    /// The state of this device.
    ///
    /// # Errors
    /// When the store fails.
    pub fn status(&self) -> Result<Status, Error> {
        let connection = self.store.read();
        let halted = meta::get(connection, Fact::Halted)?.filter(|halted| !halted.is_empty());
        let present = self.identity_if_any().map(|identity| identity.epoch);
        let watermark = present.map(|epoch| epoch::watermark(connection, epoch)).transpose()?;
        let (safe, backup_ms) = watermark.unwrap_or((0, None));
        Ok(Status {
            beyond_backup: epoch::beyond_backup(connection, safe)?,
            backup_ms,
            device: self.device_status()?,
            villages: self.villages()?,
            unsent: unsent(connection, self.identity_if_any().map(|identity| identity.epoch))?,
            not_accepted: count(
                connection,
                &format!("SELECT count(*) FROM change c WHERE {}", document::not_accepted()),
            )?,
            set_aside: set_aside::count(connection)?,
            last_sync: last_sync(connection)?,
            last_receipts: last_receipts(connection)?,
            forks: forks(connection)?,
            repairs: repair::last(connection)?,
            log_inconsistent_ms: halted.and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes),
            clock_ahead_ms: meta::get(connection, Fact::ClockAhead)?
                .and_then(|bytes| bytes.try_into().ok())
                .map(i64::from_be_bytes),
        })
    }

    /// Own changes that the server did not accept, the newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn refused(&self) -> Result<Vec<NotAccepted>, Error> {
        let connection = self.store.read();
        let sql = format!(
            "SELECT d.village, c.document, c.hash, c.state, c.rule, c.bytes, c.replaced_by FROM change c
             JOIN document d ON d.document = c.document WHERE {} ORDER BY c.change DESC",
            document::not_accepted()
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (rule, bytes) = (row.get::<_, String>(4)?, row.get::<_, Vec<u8>>(5)?);
            let puts = parse(&bytes).map(|(change, _)| change.puts).unwrap_or_default();
            found.push(NotAccepted {
                village: VillageId::from_bytes(row.get(0)?),
                document: document::id_of(connection, row.get(1)?)?,
                change: ChangeHash(row.get(2)?),
                state: match row.get::<_, i64>(3)? {
                    4 => SendState::Refused(rule),
                    _ => SendState::Quarantined(rule),
                },
                keys: puts.into_iter().map(|put| put.key).collect(),
                replaced_by: row.get::<_, Option<[u8; 32]>>(6)?.map(ChangeHash),
            });
        }
        Ok(found)
    }

    /// Every device whose certificate this one has verified.
    ///
    /// # Errors
    /// When the store fails.
    pub fn devices(&self) -> Result<Vec<KnownDevice>, Error> {
        let connection = self.store.read();
        let device = |held: Certificate| {
            Ok(KnownDevice {
                device: held.device(),
                user: held.user,
                role: held.role,
                from_ms: held.from_ms,
                until_ms: held.until_ms,
                revoked_ms: certificate::revoked_ms(connection, held.device())?,
                name: held.name,
            })
        };
        certificate::newest(connection)?.into_iter().map(device).collect()
    }

    fn device_status(&self) -> Result<Option<DeviceStatus>, Error> {
        let Some(identity) = self.identity_if_any() else { return Ok(None) };
        let held = &identity.certificate;
        let connection = self.store.read();
        let user_name = meta::get(connection, Fact::UserName)?.unwrap_or_default();
        Ok(Some(DeviceStatus {
            deployment: held.deployment,
            device: identity.device(),
            name: held.name.clone(),
            user: held.user,
            user_name: String::from_utf8(user_name).unwrap_or_default(),
            role: held.role,
            until_ms: held.until_ms,
            revoked_ms: certificate::revoked_ms(connection, identity.device())?,
            provisional: held.kind == CertificateKind::Provisional,
            server: identity.server_url.clone(),
            server_words: identity.server_key.fingerprint_words(),
        }))
    }
}

fn count(connection: &Connection, sql: &str) -> Result<u64, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    Ok(number(statement.query_row([], |row| row.get(0))?))
}

fn unsent(connection: &Connection, epoch: Option<EpochId>) -> Result<Unsent, Error> {
    let batches = |state: u8| {
        count(connection, &format!("SELECT count(*) FROM batch WHERE own = 1 AND state = {state}"))
    };
    Ok(Unsent {
        drafts: count(connection, "SELECT count(*) FROM check_row WHERE state = 0")?,
        changes: count(connection, "SELECT count(*) FROM change WHERE batch IS NULL")?,
        queued: batches(0)?,
        sent: batches(1)?,
        turned_away: batches(3)?,
        keys: count(connection, "SELECT count(*) FROM household_key WHERE uploaded = 0")?,
        carried: count(connection, "SELECT count(*) FROM batch WHERE own = 0 AND state IN (0, 1)")?,
        staged: staged::count(connection)?,
        photos: epoch.map_or(Ok(0), |epoch| Ok::<_, Error>(photo::to_send(connection, epoch)?.0))?,
    })
}

fn last_sync(connection: &Connection) -> Result<Option<LastSync>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT started_ms, ended_ms, outcome, requests, sent_bytes, got_bytes, receipts, batches FROM sync_log
         ORDER BY sync_log DESC LIMIT 1",
    )?;
    let last = statement.query_row([], |row| {
        Ok(LastSync {
            started_ms: row.get(0)?,
            ended_ms: row.get(1)?,
            outcome: row.get(2)?,
            requests: number(row.get(3)?),
            sent_bytes: number(row.get(4)?),
            got_bytes: number(row.get(5)?),
            receipts: number(row.get(6)?),
            batches: number(row.get(7)?),
        })
    });
    Ok(last.optional()?)
}

fn last_receipts(connection: &Connection) -> Result<Vec<ReceiptLine>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT b.village, b.number, b.received_ms, (SELECT count(*) FROM change c WHERE c.batch = b.batch)
         FROM batch b WHERE b.own = 1 AND b.state = 2 ORDER BY b.received_ms DESC, b.batch DESC LIMIT 10",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(ReceiptLine {
            village: VillageId::from_bytes(row.get(0)?),
            number: number(row.get(1)?),
            received_ms: row.get(2)?,
            changes: number(row.get(3)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn forks(connection: &Connection) -> Result<Vec<Fork>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT village, device, min(number) FROM
             (SELECT village, device, number FROM batch GROUP BY village, device, number HAVING count(*) > 1)
         GROUP BY village, device",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Fork {
            village: VillageId::from_bytes(row.get(0)?),
            device: DeviceId::from_bytes(row.get(1)?),
            number: number(row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
