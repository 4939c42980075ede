//! People in SQL: accounts, tokens, enrolment codes, devices.

use std::collections::BTreeSet;

use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::epoch::{EpochStart, SignedEpochStart};
use ruhu_ledger::signature::PublicKey;
use ruhu_survey::id::{DeviceId, UserId, VillageId};
use ruhu_survey::role::Role;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::SqliteStore;
use super::column::{from_sql, to_sql};
use super::log::{self, begin_epoch, present_epoch, record_certificate, record_revocation};
use crate::replacement::REPLACEMENTS_PER_KEY_MAX;
use crate::store::StoreError;
use crate::store::people::{Device, Invite, PeopleStore, Redeemed, SecretHash, User};

const DEVICES: &str = "SELECT newest.device, newest.bytes, first.issued_ms, device_seen.seen_ms,
        revocation.revoked_ms, revocation.bytes,
        (SELECT max(received_ms) FROM batch WHERE batch.device = newest.device),
        (SELECT count(*) FROM staged_batch WHERE staged_batch.device = newest.device)
          + (SELECT count(*) FROM batch JOIN change ON change.sequence = batch.sequence
             WHERE batch.device = newest.device AND change.standing IN (2, 3)),
        (SELECT count(*) FROM (SELECT 1 FROM chain_tip WHERE chain_tip.device = newest.device
             GROUP BY chain_tip.village HAVING count(*) > 1)),
        (SELECT replaces FROM key_replacement WHERE key_replacement.device = newest.device)
     FROM (SELECT device, max(serial) AS serial, min(serial) AS first FROM certificate GROUP BY device) AS span
     JOIN certificate AS newest ON newest.device = span.device AND newest.serial = span.serial
     JOIN certificate AS first ON first.device = span.device AND first.serial = span.first
     LEFT JOIN device_seen ON device_seen.device = newest.device
     LEFT JOIN revocation ON revocation.device = newest.device";

impl PeopleStore for SqliteStore {
    fn user_add(&self, user: &User, now_ms: i64) -> Result<(), StoreError> {
        self.write(|tx| {
            let written = tx.execute(
                "INSERT INTO person (id, name, role, created_ms) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
                params![user.id.as_bytes(), user.name, user.role.code(), now_ms],
            )?;
            if written == 0 {
                return Err(StoreError::Conflict("user"));
            }
            let mut insert =
                tx.prepare_cached("INSERT INTO person_region (person, region) VALUES (?1, ?2)")?;
            for region in &user.regions {
                insert.execute(params![user.id.as_bytes(), region])?;
            }
            Ok(())
        })
    }

    fn users(&self) -> Result<Vec<User>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached("SELECT id FROM person ORDER BY name")?;
            let ids = select.query_map([], |row| Ok(UserId::from_bytes(row.get(0)?)))?;
            ids.map(|id| user_by_id(conn, id?)).collect()
        })
    }

    fn token_add(&self, user: UserId, hash: &SecretHash, now_ms: i64) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO access_token (hash, person, created_ms) VALUES (?1, ?2, ?3)",
                params![hash, user.as_bytes(), now_ms],
            )?;
            Ok(())
        })
    }

    fn tokens_revoke(&self, user: UserId, now_ms: i64) -> Result<usize, StoreError> {
        self.write(|tx| {
            Ok(tx.execute(
                "UPDATE access_token SET revoked_ms = ?2 WHERE person = ?1 AND revoked_ms IS NULL",
                params![user.as_bytes(), now_ms],
            )?)
        })
    }

    fn user_of_token(&self, hash: &SecretHash) -> Result<Option<User>, StoreError> {
        self.read(|conn| {
            let found: Option<[u8; 16]> = conn
                .prepare_cached("SELECT person FROM access_token WHERE hash = ?1 AND revoked_ms IS NULL")?
                .query_row([hash], |row| row.get(0))
                .optional()?;
            found.map(|id| user_by_id(conn, UserId::from_bytes(id))).transpose()
        })
    }

    fn invite_add(
        &self,
        user: UserId,
        hash: &SecretHash,
        now_ms: i64,
        expires_ms: i64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO invite (hash, person, created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4)",
                params![hash, user.as_bytes(), now_ms, expires_ms],
            )?;
            Ok(())
        })
    }

    fn invite(&self, hash: &SecretHash) -> Result<Option<Invite>, StoreError> {
        self.read(|conn| {
            let found: Option<([u8; 16], i64, Option<[u8; 32]>)> = conn
                .prepare_cached("SELECT person, expires_ms, used_by FROM invite WHERE hash = ?1")?
                .query_row([hash], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((person, expires_ms, used_by)) = found else { return Ok(None) };
            let user = user_by_id(conn, UserId::from_bytes(person))?;
            Ok(Some(Invite { user, expires_ms, used_by: used_by.map(PublicKey) }))
        })
    }

    fn next_serial(&self) -> Result<u64, StoreError> {
        self.read(log::next_serial)
    }

    fn invite_redeem(
        &self,
        hash: &SecretHash,
        certificate: &SignedCertificate,
        now_ms: i64,
    ) -> Result<Redeemed, StoreError> {
        self.write(|tx| {
            let next = log::next_serial(tx)?;
            if next != certificate.statement.serial {
                return Ok(Redeemed::Serial(next));
            }
            let used = tx.execute(
                "UPDATE invite SET used_ms = ?2, used_by = ?3 WHERE hash = ?1 AND used_ms IS NULL",
                params![hash, now_ms, certificate.statement.key.0],
            )?;
            if used == 0 {
                return Ok(Redeemed::Used);
            }
            certify(tx, certificate, now_ms)?;
            Ok(Redeemed::Granted)
        })
    }

    fn key_replace(
        &self,
        old: DeviceId,
        certificate: &SignedCertificate,
        revocation: Option<&SignedRevocation>,
        now_ms: i64,
    ) -> Result<Redeemed, StoreError> {
        self.write(|tx| {
            let next = log::next_serial(tx)?;
            if next != certificate.statement.serial {
                return Ok(Redeemed::Serial(next));
            }
            let given_up: i64 = tx.query_row(
                "SELECT count(*) FROM key_replacement WHERE replaces = ?1",
                [old.as_bytes()],
                |row| row.get(0),
            )?;
            if from_sql(given_up) >= REPLACEMENTS_PER_KEY_MAX as u64 {
                return Ok(Redeemed::Used);
            }
            certify(tx, certificate, now_ms)?;
            if let Some(revocation) = revocation {
                record_revocation(tx, revocation)?;
            }
            tx.execute(
                "INSERT INTO key_replacement (device, replaces, replaced_ms) VALUES (?1, ?2, ?3)",
                params![certificate.statement.device().as_bytes(), old.as_bytes(), now_ms],
            )?;
            Ok(Redeemed::Granted)
        })
    }

    fn deployment_begin(
        &self,
        start: &SignedEpochStart,
        certificate: &SignedCertificate,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            if log::deployment_of(tx)?.is_some() {
                return Err(StoreError::Conflict("deployment"));
            }
            begin_epoch(tx, start)?;
            certify(tx, certificate, start.statement.started_ms)
        })
    }

    fn deployment(&self) -> Result<EpochStart, StoreError> {
        self.read(present_epoch)
    }

    fn device(&self, device: DeviceId) -> Result<Option<Device>, StoreError> {
        self.read(|conn| {
            let sql = format!("{DEVICES} WHERE newest.device = ?1");
            let found = conn.prepare_cached(&sql)?.query_row([device.as_bytes()], raw_device).optional()?;
            found.map(read_device).transpose()
        })
    }

    fn devices(&self) -> Result<Vec<Device>, StoreError> {
        self.read(|conn| {
            let sql = format!("{DEVICES} ORDER BY first.serial");
            let mut select = conn.prepare_cached(&sql)?;
            let devices = select.query_map([], raw_device)?;
            devices.map(|raw| read_device(raw?)).collect()
        })
    }

    fn device_seen(&self, device: DeviceId, now_ms: i64) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.prepare_cached(
                "INSERT INTO device_seen (device, seen_ms) VALUES (?1, ?2)
                 ON CONFLICT (device) DO UPDATE SET seen_ms = max(seen_ms, excluded.seen_ms)",
            )?
            .execute(params![device.as_bytes(), now_ms])?;
            Ok(())
        })
    }

    fn device_revoke(&self, revocation: &SignedRevocation) -> Result<(), StoreError> {
        self.write(|tx| {
            if log::certificate_of(tx, revocation.statement.device)?.is_none() {
                return Err(StoreError::NotFound("device"));
            }
            record_revocation(tx, revocation).map(drop)
        })
    }

    fn credentials(
        &self,
        village: VillageId,
    ) -> Result<(Vec<SignedCertificate>, Vec<SignedRevocation>), StoreError> {
        self.read(|conn| Ok((certificates(conn, village)?, revocations(conn, village)?)))
    }
}

/// The villages of every device's certificates; the server's own certificate is for every village.
const DEVICES_OF_VILLAGE: &str = "SELECT serial FROM certificate_village WHERE village = ?1
     UNION SELECT serial FROM certificate_village WHERE village = x'00000000000000000000000000000000'";

/// Stands for every village in `certificate_village`.
const EVERY_VILLAGE: [u8; 16] = [0; 16];

pub(super) fn certify(
    tx: &Transaction<'_>,
    signed: &SignedCertificate,
    now_ms: i64,
) -> Result<(), StoreError> {
    record_certificate(tx, signed, now_ms)?;
    let certificate = &signed.statement;
    let mut insert =
        tx.prepare_cached("INSERT INTO certificate_village (village, serial) VALUES (?1, ?2)")?;
    for village in &certificate.villages {
        insert.execute(params![village.as_bytes(), to_sql(certificate.serial)])?;
    }
    if certificate.kind == ruhu_ledger::certificate::CertificateKind::Server {
        insert.execute(params![EVERY_VILLAGE, to_sql(certificate.serial)])?;
    }
    Ok(())
}

pub(super) fn certificates(
    conn: &Connection,
    village: VillageId,
) -> Result<Vec<SignedCertificate>, StoreError> {
    let sql = format!("SELECT bytes FROM certificate WHERE serial IN ({DEVICES_OF_VILLAGE}) ORDER BY serial");
    let mut select = conn.prepare_cached(&sql)?;
    let found = select.query_map([village.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
    found.map(|bytes| read_certificate(&bytes?)).collect()
}

pub(super) fn revocations(
    conn: &Connection,
    village: VillageId,
) -> Result<Vec<SignedRevocation>, StoreError> {
    let sql = format!(
        "SELECT bytes FROM revocation
         WHERE device IN (SELECT device FROM certificate WHERE serial IN ({DEVICES_OF_VILLAGE}))
         ORDER BY leaf_index"
    );
    let mut select = conn.prepare_cached(&sql)?;
    let found = select.query_map([village.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
    found.map(|bytes| read_revocation(&bytes?)).collect()
}

fn read_certificate(bytes: &[u8]) -> Result<SignedCertificate, StoreError> {
    SignedCertificate::from_bytes(bytes).map_err(|error| StoreError::corrupt("certificate", "", error))
}

fn read_revocation(bytes: &[u8]) -> Result<SignedRevocation, StoreError> {
    SignedRevocation::from_bytes(bytes).map_err(|error| StoreError::corrupt("revocation", "", error))
}

fn user_by_id(conn: &Connection, id: UserId) -> Result<User, StoreError> {
    let (name, role): (String, u8) = conn
        .prepare_cached("SELECT name, role FROM person WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let role = Role::from_code(role).ok_or_else(|| StoreError::corrupt("person", id, "unknown role"))?;
    let mut select = conn.prepare_cached("SELECT region FROM person_region WHERE person = ?1")?;
    let regions = select.query_map([id.as_bytes()], |row| row.get(0))?;
    let regions: BTreeSet<String> = regions.collect::<Result<_, _>>()?;
    Ok(User { id, name, role, regions })
}

/// A row of [`DEVICES`], before its bytes are read.
struct RawDevice {
    id: [u8; 16],
    certificate: Vec<u8>,
    enrolled_ms: i64,
    seen_ms: Option<i64>,
    revoked_ms: Option<i64>,
    revocation: Option<Vec<u8>>,
    received_ms: Option<i64>,
    pending: i64,
    forks: i64,
    replaces: Option<[u8; 16]>,
}

fn raw_device(row: &Row<'_>) -> rusqlite::Result<RawDevice> {
    Ok(RawDevice {
        id: row.get(0)?,
        certificate: row.get(1)?,
        enrolled_ms: row.get(2)?,
        seen_ms: row.get(3)?,
        revoked_ms: row.get(4)?,
        revocation: row.get(5)?,
        received_ms: row.get(6)?,
        pending: row.get(7)?,
        forks: row.get(8)?,
        replaces: row.get(9)?,
    })
}

fn read_device(raw: RawDevice) -> Result<Device, StoreError> {
    let certificate = read_certificate(&raw.certificate)?;
    let revocation = raw.revocation.as_deref().map(read_revocation).transpose()?;
    let reason = revocation.map(|signed| signed.statement.reason);
    Ok(Device {
        id: DeviceId::from_bytes(raw.id),
        name: certificate.statement.name.clone(),
        certificate,
        enrolled_ms: raw.enrolled_ms,
        seen_ms: raw.seen_ms,
        pending: from_sql(raw.pending),
        received_ms: raw.received_ms,
        revoked: raw.revoked_ms.zip(reason),
        forks: from_sql(raw.forks),
        replaces: raw.replaces.map(DeviceId::from_bytes),
    })
}
