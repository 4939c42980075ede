//! Rosters in SQL: what each household was at the last import that wrote it.

use std::collections::BTreeMap;

use ruhu_survey::change::{ChangeHash, DocumentKind};
use ruhu_survey::id::{HouseholdId, VillageId};
use rusqlite::params;

use super::SqliteStore;
use crate::roster::state::RosterState;
use crate::store::StoreError;
use crate::store::people::{RosterHousehold, RosterStore};

/// Later imports come later, so that they take the place of earlier ones.
const ACCEPTED: &str = "SELECT known.number, known.household, known.change, known.state
     FROM roster_household AS known
     JOIN change ON change.village = known.village AND change.kind = ?3
       AND change.document = known.household AND change.hash = known.change AND change.standing = 1
     WHERE known.village = ?1 AND known.roster = ?2
     ORDER BY change.sequence, change.position";

impl RosterStore for SqliteStore {
    fn roster(
        &self,
        village: VillageId,
        roster: &str,
    ) -> Result<BTreeMap<String, RosterHousehold>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(ACCEPTED)?;
            let kind = DocumentKind::Household.code();
            let rows = select.query_map(params![village.as_bytes(), roster, kind], |row| {
                let household = HouseholdId::from_bytes(row.get(1)?);
                let change = ChangeHash(row.get(2)?);
                Ok((row.get::<_, String>(0)?, household, change, row.get::<_, Vec<u8>>(3)?))
            })?;
            let mut households = BTreeMap::new();
            for row in rows {
                let (number, household, change, state) = row?;
                let state = RosterState::from_bytes(&state)
                    .map_err(StoreError::undecodable("roster_household", household))?;
                households.insert(number, RosterHousehold { household, change, state });
            }
            Ok(households)
        })
    }

    fn roster_record(
        &self,
        village: VillageId,
        roster: &str,
        households: &BTreeMap<String, RosterHousehold>,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            let mut insert = tx.prepare_cached(
                "INSERT INTO roster_household (village, roster, number, change, household, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for (number, known) in households {
                insert.execute(params![
                    village.as_bytes(),
                    roster,
                    number,
                    known.change.0,
                    known.household.as_bytes(),
                    known.state.to_bytes()
                ])?;
            }
            Ok(())
        })
    }
}
