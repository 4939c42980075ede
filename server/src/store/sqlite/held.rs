//! The bytes of requests that were cut, until their devices go on with them.

use ruhu_survey::id::DeviceId;
use ruhu_sync::resume::RequestId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::limits::HELD_MS;
use crate::store::StoreError;

pub(super) fn put(
    conn: &Connection,
    device: DeviceId,
    request: RequestId,
    bytes: &[u8],
    now_ms: i64,
) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM held_request WHERE held_ms <= ?1")?
        .execute([now_ms.saturating_sub(HELD_MS)])?;
    conn.prepare_cached(
        "INSERT INTO held_request (device, request, bytes, held_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (device) DO UPDATE
             SET request = excluded.request, bytes = excluded.bytes, held_ms = excluded.held_ms
             WHERE request <> excluded.request OR length(bytes) < length(excluded.bytes)",
    )?
    .execute(params![device.as_bytes(), request.0, bytes, now_ms])?;
    Ok(())
}

pub(super) fn get(
    conn: &Connection,
    device: DeviceId,
    request: RequestId,
    now_ms: i64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT bytes FROM held_request WHERE device = ?1 AND request = ?2 AND held_ms > ?3",
    )?;
    let since = now_ms.saturating_sub(HELD_MS);
    Ok(select.query_row(params![device.as_bytes(), request.0, since], |row| row.get(0)).optional()?)
}

pub(super) fn drop(conn: &Connection, device: DeviceId) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM held_request WHERE device = ?1")?.execute([device.as_bytes()])?;
    Ok(())
}
