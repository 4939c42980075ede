//! The certificates and revocations that this device has verified.

use ruhu_ledger::certificate::{Certificate, SignedCertificate, SignedRevocation};
use ruhu_survey::codec::CodecError;
use ruhu_survey::id::DeviceId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Error;

/// Keeps a verified certificate.
pub(crate) fn put(connection: &Connection, certificate: &SignedCertificate) -> Result<(), Error> {
    let statement = &certificate.statement;
    connection
        .prepare_cached(
            "INSERT INTO certificate (device, serial, name, bytes) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (device, serial) DO NOTHING",
        )?
        .execute(params![
            statement.device().as_bytes(),
            i64::try_from(statement.serial).unwrap_or(i64::MAX),
            statement.name,
            certificate.to_bytes()
        ])?;
    Ok(())
}

/// Keeps a verified revocation; of two, the earlier holds.
pub(crate) fn revoke(connection: &Connection, revocation: &SignedRevocation) -> Result<(), Error> {
    let statement = &revocation.statement;
    connection
        .prepare_cached(
            "INSERT INTO revocation (device, at_ms, bytes) VALUES (?1, ?2, ?3)
             ON CONFLICT (device) DO UPDATE SET at_ms = excluded.at_ms, bytes = excluded.bytes
                 WHERE excluded.at_ms < revocation.at_ms",
        )?
        .execute(params![statement.device.as_bytes(), statement.at_ms, revocation.to_bytes()])?;
    Ok(())
}

/// When a device's key was revoked, by the server's clock.
pub(crate) fn revoked_ms(connection: &Connection, device: DeviceId) -> Result<Option<i64>, Error> {
    let mut statement = connection.prepare_cached("SELECT at_ms FROM revocation WHERE device = ?1")?;
    Ok(statement.query_row([device.as_bytes()], |row| row.get(0)).optional()?)
}

/// The certificates of a device, the newest first.
pub(crate) fn of(connection: &Connection, device: DeviceId) -> Result<Vec<Certificate>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT bytes FROM certificate WHERE device = ?1 ORDER BY serial DESC")?;
    let rows = statement.query_map([device.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|row| row.map_err(Error::from).and_then(|bytes| read(&bytes))).collect()
}

/// The newest certificate of every device, by name.
pub(crate) fn newest(connection: &Connection) -> Result<Vec<Certificate>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT bytes FROM certificate c
         WHERE serial = (SELECT max(serial) FROM certificate n WHERE n.device = c.device) ORDER BY name, device",
    )?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|row| row.map_err(Error::from).and_then(|bytes| read(&bytes))).collect()
}

/// Every certificate, as it was signed.
pub(crate) fn all(connection: &Connection) -> Result<Vec<SignedCertificate>, Error> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM certificate ORDER BY serial, device")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|row| row.map_err(Error::from).and_then(|bytes| read_signed(&bytes))).collect()
}

/// Every revocation, as it was signed.
pub(crate) fn revocations(connection: &Connection) -> Result<Vec<SignedRevocation>, Error> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM revocation ORDER BY device")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    let unreadable = |_| Error::stored("revocation")(CodecError::Unknown("revocation"));
    rows.map(|row| SignedRevocation::from_bytes(&row?).map_err(unreadable)).collect()
}

fn read(bytes: &[u8]) -> Result<Certificate, Error> {
    Ok(read_signed(bytes)?.statement)
}

fn read_signed(bytes: &[u8]) -> Result<SignedCertificate, Error> {
    let unreadable = |_| Error::stored("certificate")(CodecError::Unknown("certificate"));
    SignedCertificate::from_bytes(bytes).map_err(unreadable)
}
