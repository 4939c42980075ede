//! The repairs of this device's villages.

use ruhu_survey::id::VillageId;
use rusqlite::{Connection, params};
use serde::Serialize;

use crate::error::Error;
use crate::store::batch::number;

/// A repair: what was found when a village's fingerprint differed from the server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Repair {
    /// The village.
    pub village: VillageId,
    /// When, milliseconds since 1970 by the device's clock.
    pub at_ms: i64,
    /// Documents of which the server had more, or other, than was here.
    pub fetched: u64,
    /// Batches that were queued again because the server lacks them.
    pub returned: u64,
    /// Documents that the server named and did not prove.
    pub unproved: u64,
    /// `mended`, or a stable code of why not.
    pub outcome: String,
}

impl Repair {
    /// Whether both sides hold the same again.
    #[must_use]
    pub fn is_mended(&self) -> bool {
        self.outcome == "mended"
    }
}

/// Keeps a repair.
pub(crate) fn keep(connection: &Connection, repair: &Repair) -> Result<(), Error> {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "INSERT INTO repair (village, at_ms, fetched, returned, unproved, outcome)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            repair.village.as_bytes(),
            repair.at_ms,
            count(repair.fetched),
            count(repair.returned),
            count(repair.unproved),
            repair.outcome
        ])?;
    Ok(())
}

/// The last repair of each village, the newest first.
pub(crate) fn last(connection: &Connection) -> Result<Vec<Repair>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT village, at_ms, fetched, returned, unproved, outcome FROM repair
         WHERE repair IN (SELECT max(repair) FROM repair GROUP BY village) ORDER BY repair DESC",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Repair {
            village: VillageId::from_bytes(row.get(0)?),
            at_ms: row.get(1)?,
            fetched: number(row.get(2)?),
            returned: number(row.get(3)?),
            unproved: number(row.get(4)?),
            outcome: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
