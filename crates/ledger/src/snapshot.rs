//! What the server signs about a snapshot: a whole village as it stood at one number of its feed.
//!
//! The statement names its content by the hashes of its pieces, so that a device verifies each piece as
//! it arrives, in whatever order and over however many connections. What the content is, `ruhu_sync` knows.

use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::{DeploymentId, EpochId, VillageId};

use crate::error::FormatError;
use crate::limits::{SNAPSHOT_BYTES_MAX, SNAPSHOT_PACKED_BYTES_MAX, SNAPSHOT_PIECE_BYTES};
use crate::statement::{Signed, Statement, read_counter, read_opening, read_time, write_opening};
use crate::tree::Hash;

const VERSION: u8 = 1;

/// The server's word about a village at one number of its feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The installation.
    pub deployment: DeploymentId,
    /// The life of the log that the number belongs to; its key signs.
    pub epoch: EpochId,
    /// The village.
    pub village: VillageId,
    /// The number in the village's feed: everything at or below it is in the content or counted as left out.
    pub number: u64,
    /// The version of the document schema that the changes are written in.
    pub schema: u16,
    /// When it was made, milliseconds since 1970, by the server's clock.
    pub made_ms: i64,
    /// The village's fingerprint at that number, over everything accepted.
    pub fingerprint: u64,
    /// The part of that sum that stands for changes which the content leaves out.
    pub left_out: u64,
    /// The bytes of the content before it is packed.
    pub bytes: u64,
    /// The bytes of the packed content.
    pub packed_bytes: u64,
    /// SHA-256 of each piece of the packed content: [`SNAPSHOT_PIECE_BYTES`] each, the last one shorter.
    pub pieces: Vec<Hash>,
}

impl Snapshot {
    /// Names the snapshot: SHA-256 of the canonical form.
    #[must_use]
    pub fn id(&self) -> Hash {
        self.digest()
    }

    fn check(self) -> Result<Self, FormatError> {
        let limit = |what, found: u64, limit: u64| match found > limit {
            true => Err(FormatError::from(CodecError::TooLong { what, found, limit })),
            false => Ok(()),
        };
        limit("snapshot content", self.bytes, SNAPSHOT_BYTES_MAX)?;
        limit("packed snapshot", self.packed_bytes, SNAPSHOT_PACKED_BYTES_MAX)?;
        if self.packed_bytes.div_ceil(SNAPSHOT_PIECE_BYTES) != self.pieces.len() as u64 {
            return Err(FormatError::Contradiction("the pieces are not as many as the bytes need"));
        }
        Ok(self)
    }
}

impl Statement for Snapshot {
    const DOMAIN: &'static str = "ruhu/snapshot/1";

    fn write(&self, writer: &mut Writer) {
        write_opening(writer, VERSION);
        writer.raw(self.deployment.as_bytes()).raw(self.epoch.as_bytes()).raw(self.village.as_bytes());
        writer.u64(self.number).u16(self.schema).i64(self.made_ms);
        writer.u64(self.fingerprint).u64(self.left_out).u64(self.bytes).u64(self.packed_bytes);
        writer.varint(self.pieces.len() as u64);
        for piece in &self.pieces {
            writer.raw(piece);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        read_opening(reader, "snapshot", VERSION)?;
        let snapshot = Self {
            deployment: DeploymentId::from_bytes(reader.array()?),
            epoch: EpochId::from_bytes(reader.array()?),
            village: VillageId::from_bytes(reader.array()?),
            number: read_counter(reader, "number")?,
            schema: reader.u16()?,
            made_ms: read_time(reader, "made_ms")?,
            fingerprint: reader.u64()?,
            left_out: reader.u64()?,
            bytes: read_counter(reader, "bytes")?,
            packed_bytes: read_counter(reader, "packed_bytes")?,
            pieces: read_pieces(reader)?,
        };
        snapshot.check()
    }
}

fn read_pieces(reader: &mut Reader<'_>) -> Result<Vec<Hash>, FormatError> {
    let most = SNAPSHOT_PACKED_BYTES_MAX.div_ceil(SNAPSHOT_PIECE_BYTES);
    let count = reader.count("pieces", usize::try_from(most).unwrap_or(usize::MAX))?;
    (0..count).map(|_| Ok(reader.array()?)).collect()
}

/// A snapshot's statement with the signature of the epoch's server key.
pub type SignedSnapshot = Signed<Snapshot>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_snapshot_has_as_many_pieces_as_its_bytes_need() {
        let key = example::server_key();
        let whole = example::snapshot();
        assert!(SignedSnapshot::sign(whole.clone(), &key).is_ok());
        let short = Snapshot { pieces: whole.pieces[1..].to_vec(), ..whole.clone() };
        assert!(SignedSnapshot::sign(short, &key).is_err());
        let one = Snapshot { packed_bytes: SNAPSHOT_PIECE_BYTES, pieces: vec![[1; 32]], ..whole.clone() };
        assert!(SignedSnapshot::sign(one.clone(), &key).is_ok());
        assert!(
            SignedSnapshot::sign(Snapshot { packed_bytes: SNAPSHOT_PIECE_BYTES + 1, ..one }, &key).is_err()
        );
    }

    #[test]
    fn a_snapshot_is_as_large_as_its_limits_at_most() {
        let key = example::server_key();
        let of = |bytes, packed_bytes: u64| {
            let count = usize::try_from(packed_bytes.div_ceil(SNAPSHOT_PIECE_BYTES)).unwrap();
            let pieces = vec![[7; 32]; count];
            SignedSnapshot::sign(Snapshot { bytes, packed_bytes, pieces, ..example::snapshot() }, &key)
        };
        assert!(of(SNAPSHOT_BYTES_MAX, SNAPSHOT_PACKED_BYTES_MAX).is_ok());
        assert!(of(SNAPSHOT_BYTES_MAX + 1, SNAPSHOT_PACKED_BYTES_MAX).is_err());
        assert!(of(SNAPSHOT_BYTES_MAX, SNAPSHOT_PACKED_BYTES_MAX + 1).is_err());
    }
}
