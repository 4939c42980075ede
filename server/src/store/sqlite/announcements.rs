//! Announcements in SQL: one row for each device in each village.

use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_sync::announce::{Announced, Proof, Told};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::SqliteStore;
use super::column::{from_sql, to_sql};
use super::log::present_epoch;
use crate::store::StoreError;
use crate::store::announcements::AnnouncementStore;

impl AnnouncementStore for SqliteStore {
    fn announce(
        &self,
        device: DeviceId,
        said: &[(VillageId, Announced)],
        proof: Proof,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        if said.is_empty() {
            return Ok(());
        }
        self.write(|tx| {
            let epoch = present_epoch(tx)?.epoch;
            for (village, announced) in said {
                let before = announced_before(tx, *village, device, epoch.as_bytes())?;
                if announced.replaces(before.as_ref(), proof) {
                    put(tx, (*village, device), epoch.as_bytes(), announced, now_ms)?;
                }
            }
            Ok(())
        })
    }

    fn announcements(&self, village: VillageId) -> Result<Vec<Told>, StoreError> {
        self.read(|conn| {
            let epoch = present_epoch(conn)?.epoch;
            let mut select = conn.prepare_cached(
                "SELECT next, checks, drafts, number, device, at_ms FROM announcement
                 WHERE village = ?1 AND epoch = ?2 ORDER BY number",
            )?;
            let told = |row: &Row<'_>| {
                Ok(Told {
                    announced: announced(row)?,
                    number: from_sql(row.get(3)?),
                    device: DeviceId::from_bytes(row.get(4)?),
                    at_ms: row.get(5)?,
                })
            };
            let rows = select.query_map(params![village.as_bytes(), epoch.as_bytes()], told)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

fn announced_before(
    conn: &Connection,
    village: VillageId,
    device: DeviceId,
    epoch: &[u8; 16],
) -> Result<Option<Announced>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT next, checks, drafts FROM announcement WHERE village = ?1 AND device = ?2 AND epoch = ?3",
    )?;
    Ok(select.query_row(params![village.as_bytes(), device.as_bytes(), epoch], announced).optional()?)
}

fn put(
    tx: &Transaction<'_>,
    (village, device): (VillageId, DeviceId),
    epoch: &[u8; 16],
    announced: &Announced,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO announcement (village, device, epoch, number, next, checks, drafts, at_ms)
         VALUES (?1, ?2, ?3,
             (SELECT coalesce(max(number), 0) + 1 FROM announcement WHERE village = ?1 AND epoch = ?3),
             ?4, ?5, ?6, ?7)
         ON CONFLICT (village, device) DO UPDATE SET epoch = excluded.epoch, number = excluded.number,
             next = excluded.next, checks = excluded.checks, drafts = excluded.drafts, at_ms = excluded.at_ms",
    )?
    .execute(params![
        village.as_bytes(),
        device.as_bytes(),
        epoch,
        to_sql(announced.next),
        to_sql(announced.checks),
        to_sql(announced.drafts),
        now_ms
    ])?;
    Ok(())
}

fn announced(row: &Row<'_>) -> rusqlite::Result<Announced> {
    Ok(Announced {
        next: from_sql(row.get(0)?),
        checks: from_sql(row.get(1)?),
        drafts: from_sql(row.get(2)?),
    })
}
