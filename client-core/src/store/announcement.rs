//! What this device announces as unsent, and what it was told of others.

use std::collections::BTreeMap;

use ruhu_survey::id::{DeviceId, EpochId, VillageId};
use ruhu_sync::announce::{Announced, Announcement, Announcements, Subject, Told};
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::identity::Identity;
use crate::store::batch::number;

/// What is announced in a request that is written now. It is signed where the request may be cut with work still
/// here; without unsent work it is a few bytes.
pub(crate) fn own(
    connection: &Connection,
    identity: &Identity,
    village: VillageId,
) -> Result<Announcement, Error> {
    let device = identity.device();
    let announced = announced(connection, device, village)?;
    let subject =
        Subject { deployment: identity.certificate.deployment, epoch: identity.epoch, device, village };
    let mut unsent = connection.prepare_cached(
        "SELECT 1 FROM batch WHERE village = ?1 AND device = ?2 AND state IN (0, 1) LIMIT 1",
    )?;
    let unsent = unsent.exists(params![village.as_bytes(), device.as_bytes()])?;
    Ok(Announcement {
        given: given(connection, identity.epoch, village)?,
        announced,
        signature: unsent.then(|| subject.sign(&announced, &identity.key)),
    })
}

fn announced(connection: &Connection, device: DeviceId, village: VillageId) -> Result<Announced, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT (SELECT coalesce(max(number) + 1, 0) FROM batch WHERE village = ?1 AND device = ?2),
             (SELECT count(*) FROM
                 (SELECT c.document FROM batch b JOIN change c ON c.batch = b.batch
                      WHERE b.village = ?1 AND b.device = ?2 AND b.own = 1 AND b.state <> 2
                  UNION SELECT document FROM change WHERE batch IS NULL) unsent
              JOIN document d ON d.document = unsent.document WHERE d.village = ?1 AND d.kind = 2),
             (SELECT count(*) FROM check_row WHERE village = ?1 AND own = 1 AND state = 0)",
    )?;
    Ok(statement.query_row(params![village.as_bytes(), device.as_bytes()], |row| {
        Ok(Announced { next: number(row.get(0)?), checks: number(row.get(1)?), drafts: number(row.get(2)?) })
    })?)
}

/// The number of the last announcement that was told of a village in this epoch; 0 for none.
fn given(connection: &Connection, epoch: EpochId, village: VillageId) -> Result<u64, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(max(number), 0) FROM announcement WHERE village = ?1 AND epoch = ?2",
    )?;
    Ok(number(statement.query_row(params![village.as_bytes(), epoch.as_bytes()], |row| row.get(0))?))
}

/// Keeps what others announced. Of one epoch an older announcement never takes the place of a newer one.
pub(crate) fn keep(connection: &Connection, epoch: EpochId, told: &Announcements) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO announcement (village, device, epoch, number, next, checks, drafts, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (village, device) DO UPDATE SET epoch = excluded.epoch, number = excluded.number,
             next = excluded.next, checks = excluded.checks, drafts = excluded.drafts, at_ms = excluded.at_ms
             WHERE epoch <> excluded.epoch OR number < excluded.number",
    )?;
    let stored = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    for Told { number, device, announced, at_ms } in &told.told {
        statement.execute(params![
            told.village.as_bytes(),
            device.as_bytes(),
            epoch.as_bytes(),
            stored(*number),
            stored(announced.next),
            stored(announced.checks),
            stored(announced.drafts),
            at_ms
        ])?;
    }
    Ok(())
}

/// What was told of a village in this epoch: a server that was restored has forgotten what was said before.
pub(crate) fn all(
    connection: &Connection,
    epoch: EpochId,
    village: VillageId,
) -> Result<BTreeMap<DeviceId, Told>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT device, number, next, checks, drafts, at_ms FROM announcement WHERE village = ?1 AND epoch = ?2",
    )?;
    let rows = statement.query_map(params![village.as_bytes(), epoch.as_bytes()], |row| {
        let device = DeviceId::from_bytes(row.get(0)?);
        let announced =
            Announced { next: number(row.get(2)?), checks: number(row.get(3)?), drafts: number(row.get(4)?) };
        Ok((device, Told { number: number(row.get(1)?), device, announced, at_ms: row.get(5)? }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
