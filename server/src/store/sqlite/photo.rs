//! Photos in the SQLite file: rows of what is whole, and pieces of what is on its way.

use std::collections::BTreeMap;

use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_survey::photo::PhotoAddress;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::SqliteStore;
use super::column::{from_sql, to_sql};
use crate::limits::{PHOTO_UNFINISHED_MS, PHOTOS_UNFINISHED_PER_DEVICE_MAX};
use crate::store::StoreError;
use crate::store::photos::{OnItsWay, PhotoCount, PhotoStore, Piece, Upload};

impl PhotoStore for SqliteStore {
    fn photo(&self, village: VillageId, address: &PhotoAddress) -> Result<Option<u64>, StoreError> {
        self.read(|conn| {
            let mut select =
                conn.prepare_cached("SELECT bytes FROM photo WHERE village = ?1 AND address = ?2")?;
            let found = select.query_row(params![village.as_bytes(), address.0], |row| row.get(0));
            Ok(found.optional()?.map(from_sql))
        })
    }

    fn photo_held(&self, upload: &Upload, now_ms: i64) -> Result<Option<OnItsWay>, StoreError> {
        self.read(|conn| {
            let Some(row) = row_of(conn, upload, now_ms)? else { return Ok(None) };
            Ok(Some(OnItsWay { total: row.total, bytes: held(conn, row.upload)? }))
        })
    }

    fn photo_add(
        &self,
        upload: &Upload,
        total: u64,
        piece: Piece<'_>,
        now_ms: i64,
    ) -> Result<u64, StoreError> {
        self.write(|tx| add(tx, upload, total, piece, now_ms))
    }

    fn photo_pieces(&self, upload: &Upload) -> Result<Vec<u8>, StoreError> {
        self.read(|conn| {
            let Some(row) = row_of(conn, upload, i64::MIN)? else { return Ok(Vec::new()) };
            let mut select =
                conn.prepare_cached("SELECT bytes FROM photo_piece WHERE upload = ?1 ORDER BY start")?;
            let pieces = select.query_map([row.upload], |row| row.get::<_, Vec<u8>>(0))?;
            Ok(pieces.collect::<Result<Vec<_>, _>>()?.concat())
        })
    }

    fn photo_drop(&self, upload: &Upload) -> Result<(), StoreError> {
        self.write(|tx| match row_of(tx, upload, i64::MIN)? {
            Some(row) => forget(tx, row.upload),
            None => Ok(()),
        })
    }

    fn photo_received(&self, upload: &Upload, total: u64, now_ms: i64) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.prepare_cached(
                "INSERT INTO photo (village, address, bytes, device, received_ms) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (village, address) DO NOTHING",
            )?
            .execute(params![
                upload.village.as_bytes(),
                upload.address.0,
                to_sql(total),
                upload.device.as_bytes(),
                now_ms
            ])?;
            match row_of(tx, upload, i64::MIN)? {
                Some(row) => forget(tx, row.upload),
                None => Ok(()),
            }
        })
    }

    fn photo_bytes_since(&self, device: DeviceId, since_ms: i64) -> Result<u64, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT coalesce(sum(bytes), 0) FROM photo WHERE device = ?1 AND received_ms > ?2",
            )?;
            Ok(from_sql(select.query_row(params![device.as_bytes(), since_ms], |row| row.get(0))?))
        })
    }

    fn photo_count(&self) -> Result<PhotoCount, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached("SELECT count(*), coalesce(sum(bytes), 0) FROM photo")?;
            let (photos, bytes) = select.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(PhotoCount { photos: from_sql(photos), bytes: from_sql(bytes) })
        })
    }

    fn photos(&self) -> Result<BTreeMap<(VillageId, PhotoAddress), u64>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached("SELECT village, address, bytes FROM photo")?;
            let rows = select.query_map([], |row| {
                let village = VillageId::from_bytes(row.get(0)?);
                Ok(((village, PhotoAddress(row.get(1)?)), from_sql(row.get(2)?)))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// A photo on its way.
struct Row {
    upload: i64,
    total: u64,
}

/// What is kept of a photo on its way, unless it is too old.
fn row_of(conn: &Connection, upload: &Upload, now_ms: i64) -> Result<Option<Row>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT upload, total FROM photo_upload
         WHERE device = ?1 AND village = ?2 AND address = ?3 AND moved_ms > ?4",
    )?;
    let since = now_ms.saturating_sub(PHOTO_UNFINISHED_MS);
    let key = params![upload.device.as_bytes(), upload.village.as_bytes(), upload.address.0, since];
    let found = select.query_row(key, |row| Ok(Row { upload: row.get(0)?, total: from_sql(row.get(1)?) }));
    Ok(found.optional()?)
}

fn held(conn: &Connection, upload: i64) -> Result<u64, StoreError> {
    let mut select =
        conn.prepare_cached("SELECT coalesce(sum(length(bytes)), 0) FROM photo_piece WHERE upload = ?1")?;
    Ok(from_sql(select.query_row([upload], |row| row.get(0))?))
}

fn add(
    tx: &Transaction<'_>,
    upload: &Upload,
    total: u64,
    piece: Piece<'_>,
    now_ms: i64,
) -> Result<u64, StoreError> {
    forget_old(tx, upload.device, now_ms)?;
    let row = match row_of(tx, upload, now_ms)? {
        Some(row) if row.total == total => row.upload,
        Some(row) if piece.at == 0 => {
            forget(tx, row.upload)?;
            begin(tx, upload, total, now_ms)?
        }
        None if piece.at == 0 => begin(tx, upload, total, now_ms)?,
        _ => return Ok(0),
    };
    let before = held(tx, row)?;
    if before != piece.at {
        return Ok(before);
    }
    tx.prepare_cached("INSERT INTO photo_piece (upload, start, bytes) VALUES (?1, ?2, ?3)")?
        .execute(params![row, to_sql(piece.at), piece.bytes])?;
    tx.prepare_cached("UPDATE photo_upload SET moved_ms = ?2 WHERE upload = ?1")?
        .execute(params![row, now_ms])?;
    Ok(before.saturating_add(piece.bytes.len() as u64))
}

fn begin(tx: &Transaction<'_>, upload: &Upload, total: u64, now_ms: i64) -> Result<i64, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT upload FROM photo_upload WHERE device = ?1 ORDER BY moved_ms DESC, upload DESC
         LIMIT -1 OFFSET ?2",
    )?;
    let keep = PHOTOS_UNFINISHED_PER_DEVICE_MAX.saturating_sub(1);
    let beyond = select.query_map(params![upload.device.as_bytes(), keep], |row| row.get(0))?;
    for old in beyond.collect::<Result<Vec<i64>, _>>()? {
        forget(tx, old)?;
    }
    tx.prepare_cached(
        "INSERT INTO photo_upload (device, village, address, total, moved_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        upload.device.as_bytes(),
        upload.village.as_bytes(),
        upload.address.0,
        to_sql(total),
        now_ms
    ])?;
    Ok(tx.last_insert_rowid())
}

/// Forgets what stood still for too long, of this device.
fn forget_old(tx: &Transaction<'_>, device: DeviceId, now_ms: i64) -> Result<(), StoreError> {
    let mut select =
        tx.prepare_cached("SELECT upload FROM photo_upload WHERE device = ?1 AND moved_ms <= ?2")?;
    let since = now_ms.saturating_sub(PHOTO_UNFINISHED_MS);
    let old = select.query_map(params![device.as_bytes(), since], |row| row.get(0))?;
    old.collect::<Result<Vec<i64>, _>>()?.into_iter().try_for_each(|upload| forget(tx, upload))
}

fn forget(tx: &Transaction<'_>, upload: i64) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM photo_piece WHERE upload = ?1")?.execute([upload])?;
    tx.prepare_cached("DELETE FROM photo_upload WHERE upload = ?1")?.execute([upload])?;
    Ok(())
}
