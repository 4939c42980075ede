//! Numbers and ids between Rust and SQL columns.

use ruhu_survey::change::{DocumentId, DocumentKind};
use ruhu_survey::id::VillageId;
use rusqlite::Row;

use crate::store::StoreError;

/// A counter as SQL holds it. Counters stay far below 2⁶³; one that does not is pinned there.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A counter from SQL; a negative number, which nothing here writes, reads as 0.
pub(crate) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// 64 bits as SQL's signed number, two's complement.
pub(crate) fn bits_to_sql(bits: u64) -> i64 {
    i64::from_be_bytes(bits.to_be_bytes())
}

/// 64 bits from SQL's signed number.
pub(crate) fn bits_from_sql(number: i64) -> u64 {
    u64::from_be_bytes(number.to_be_bytes())
}

/// A village and a document from three columns that begin at `at`.
pub(crate) fn document_at(row: &Row<'_>, at: usize) -> Result<(VillageId, DocumentId), StoreError> {
    let village = VillageId::from_bytes(row.get(at)?);
    Ok((village, document_id(row.get(at + 1)?, row.get(at + 2)?)?))
}

/// A document id from its two columns.
pub(crate) fn document_id(kind: u8, id: [u8; 16]) -> Result<DocumentId, StoreError> {
    let known = DocumentKind::from_code(kind);
    let kind = known.ok_or_else(|| StoreError::corrupt("document", kind, "unknown document kind"))?;
    Ok(DocumentId { kind, id })
}
