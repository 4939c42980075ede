//! Places in SQL: regions, villages, and the wrapped keys of villages and households.

use std::collections::BTreeSet;

use ruhu_survey::id::{HouseholdId, VillageId};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::SqliteStore;
use super::column::{from_sql, to_sql};
use crate::clock::date_of;
use crate::region;
use crate::store::StoreError;
use crate::store::people::{NewVillage, NumberedKey, PlaceStore, Region, RegionCommit, Village};

/// One code is the beginning of another exactly when the other lies between it and it followed by the
/// highest digit and more: this keeps the search in the index.
const VILLAGES_UNDER: &str = "SELECT village.id, village_code.code, village.name, village_code.valid_until
     FROM village_code JOIN village ON village.id = village_code.village
     WHERE village_code.code >= ?1 AND village_code.code < ?1 || ':'
     ORDER BY village_code.code";

impl PlaceStore for SqliteStore {
    fn regions(&self) -> Result<Vec<Region>, StoreError> {
        self.read(|conn| {
            let mut select =
                conn.prepare_cached("SELECT code, name, valid_from, valid_until FROM region ORDER BY code")?;
            let regions = select.query_map([], |row| {
                Ok(Region {
                    code: row.get(0)?,
                    name: row.get(1)?,
                    valid_from: row.get(2)?,
                    valid_until: row.get(3)?,
                })
            })?;
            Ok(regions.collect::<Result<_, _>>()?)
        })
    }

    fn regions_commit(&self, commit: &RegionCommit, now_ms: i64) -> Result<(), StoreError> {
        self.write(|tx| {
            commit.added.iter().try_for_each(|added| add_region(tx, added))?;
            commit.renamed.iter().try_for_each(|(code, name)| rename(tx, code, name))?;
            commit.ended.iter().try_for_each(|(code, date)| end(tx, code, date))?;
            commit.villages.iter().try_for_each(|village| add_village(tx, village, now_ms))
        })
    }

    fn villages_in(&self, regions: &BTreeSet<String>) -> Result<Vec<Village>, StoreError> {
        self.read(|conn| {
            let mut villages = Vec::new();
            let mut select = conn.prepare_cached(VILLAGES_UNDER)?;
            for region in outermost(regions) {
                for village in select.query_map([region], village_at)? {
                    villages.push(village?);
                }
            }
            Ok(villages)
        })
    }

    fn village_of_code(&self, code: &str) -> Result<Option<Village>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(VILLAGES_UNDER)?;
            let village = select.query_row([code], village_at).optional()?;
            Ok(village.filter(|village| village.code == code))
        })
    }

    fn village_key(&self, village: VillageId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached("SELECT wrapped FROM village_key WHERE village = ?1")?;
            Ok(select.query_row([village.as_bytes()], |row| row.get(0)).optional()?)
        })
    }

    fn household_key_put(
        &self,
        village: VillageId,
        household: HouseholdId,
        wrapped: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        self.write(|tx| {
            tx.prepare_cached(
                "INSERT INTO household_key (village, household, wrapped, sequence)
                 SELECT ?1, ?2, ?3, 1 + coalesce((SELECT max(sequence) FROM household_key WHERE village = ?1), 1)
                 WHERE true ON CONFLICT (village, household) DO NOTHING",
            )?
            .execute(params![village.as_bytes(), household.as_bytes(), wrapped])?;
            let mut select =
                tx.prepare_cached("SELECT wrapped FROM household_key WHERE village = ?1 AND household = ?2")?;
            Ok(select.query_row([village.as_bytes(), household.as_bytes()], |row| row.get(0))?)
        })
    }

    fn household_keys(&self, village: VillageId) -> Result<Vec<(HouseholdId, Vec<u8>)>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT household, wrapped FROM household_key WHERE village = ?1 ORDER BY household",
            )?;
            let keys = select.query_map([village.as_bytes()], |row| {
                Ok((HouseholdId::from_bytes(row.get(0)?), row.get(1)?))
            })?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
    }

    fn household_keys_after(&self, village: VillageId, after: u64) -> Result<Vec<NumberedKey>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT sequence, household, wrapped FROM household_key
                 WHERE village = ?1 AND sequence > ?2 ORDER BY sequence",
            )?;
            let keys = select.query_map(params![village.as_bytes(), to_sql(after)], |row| {
                Ok(NumberedKey {
                    number: from_sql(row.get(0)?),
                    household: HouseholdId::from_bytes(row.get(1)?),
                    wrapped: row.get(2)?,
                })
            })?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
    }

    fn household_keys_last(&self, village: VillageId) -> Result<u64, StoreError> {
        self.read(|conn| {
            let mut select =
                conn.prepare_cached("SELECT max(sequence) FROM household_key WHERE village = ?1")?;
            let last: Option<i64> = select.query_row([village.as_bytes()], |row| row.get(0))?;
            Ok(last.map_or(1, from_sql))
        })
    }
}

/// The codes that no other code of the set begins, so that no village is found twice.
fn outermost(regions: &BTreeSet<String>) -> Vec<&str> {
    let mut outermost: Vec<&str> = Vec::new();
    // Ascending, so a code comes right after the one that begins it, or after others that it begins too.
    for region in regions {
        if !outermost.last().is_some_and(|outer| region.starts_with(outer)) {
            outermost.push(region);
        }
    }
    outermost
}

fn village_at(row: &Row<'_>) -> rusqlite::Result<Village> {
    Ok(Village {
        id: VillageId::from_bytes(row.get(0)?),
        code: row.get(1)?,
        name: row.get(2)?,
        valid_until: row.get(3)?,
    })
}

fn add_region(tx: &Transaction<'_>, added: &Region) -> Result<(), StoreError> {
    let level = region::level(&added.code).ok_or(StoreError::NotFound("region level"))?;
    let written = tx
        .prepare_cached(
            "INSERT INTO region (code, level, name, parent, valid_from) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            added.code,
            level.number(),
            added.name,
            region::parent(&added.code),
            added.valid_from
        ])?;
    if written == 1 { Ok(()) } else { Err(StoreError::Conflict("region")) }
}

fn rename(tx: &Transaction<'_>, code: &str, name: &str) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE region SET name = ?2, valid_until = NULL WHERE code = ?1")?
        .execute(params![code, name])?;
    tx.prepare_cached("UPDATE village_code SET valid_until = NULL WHERE code = ?1")?.execute([code])?;
    tx.prepare_cached(
        "UPDATE village SET name = ?2 WHERE id = (SELECT village FROM village_code WHERE code = ?1)",
    )?
    .execute(params![code, name])?;
    Ok(())
}

fn end(tx: &Transaction<'_>, code: &str, date: &str) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE region SET valid_until = ?2 WHERE code = ?1")?.execute([code, date])?;
    tx.prepare_cached("UPDATE village_code SET valid_until = ?2 WHERE code = ?1")?.execute([code, date])?;
    Ok(())
}

fn add_village(tx: &Transaction<'_>, village: &NewVillage, now_ms: i64) -> Result<(), StoreError> {
    let id = village.id.as_bytes();
    tx.prepare_cached("INSERT INTO village (id, name, created_ms) VALUES (?1, ?2, ?3)")?.execute(params![
        id,
        village.name,
        now_ms
    ])?;
    tx.prepare_cached("INSERT INTO village_code (code, village, valid_from) VALUES (?1, ?2, ?3)")?
        .execute(params![village.code, id, date_of(now_ms)])?;
    tx.prepare_cached("INSERT INTO village_key (village, wrapped) VALUES (?1, ?2)")?
        .execute(params![id, village.wrapped_key])?;
    Ok(())
}
