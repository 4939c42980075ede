//! The batch: up to a hundred changes by one device in one village, hash-linked to the device's previous
//! batch there and signed.
//!
//! The signature covers the header, and the header holds a Merkle root over the whole body: every change
//! bound to its document, and every store opening. So nobody who carries a batch can alter anything in it
//! and keep its id, and the payload may travel in any mode.

mod chain;

use std::fmt;
use std::str::FromStr;

use ruhu_survey::change::{ChangeHash, DocumentId};
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::{DeploymentId, DeviceId, EpochId, UserId, VillageId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use chain::{ChainBreak, follows};

use crate::certificate::{Certificate, CertificateKind};
use crate::error::{FormatError, VerifyError};
use crate::limits::{CHANGES_PER_BATCH_MAX, PAYLOAD_BYTES_MAX};
use crate::signature::{SecretKey, Signature};
use crate::statement::{
    Signed, Statement, read_counter, read_opening, read_presence, read_time, write_opening, write_optional,
};
use crate::tree::{EMPTY_ROOT, Hash, leaf_hash, root_of};
use crate::{hex, payload};

const VERSION: u8 = 1;
/// What every Automerge chunk begins with.
const CHUNK_MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// Stands in a root's leaf where a document kind would: the leaf is a store opening.
const OPENING_LEAF: u8 = 0;

/// SHA-256 of a batch's canonical header: names the batch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub [u8; 32]);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(self.0.split_at(8).0, f)
    }
}

impl FromStr for BatchId {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        hex::parse(text).map(Self).ok_or(FormatError::Text("batch id"))
    }
}

impl Serialize for BatchId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BatchId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The newest checkpoint that the device held when it sealed the batch: proof of "not before".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Anchor {
    /// The life of the log.
    pub epoch: EpochId,
    /// The size of the log.
    pub size: u64,
    /// The root of the log at that size.
    pub root: Hash,
}

impl Anchor {
    /// The anchor of a device that has seen no checkpoint yet: the empty log.
    #[must_use]
    pub const fn start(epoch: EpochId) -> Self {
        Self { epoch, size: 0, root: EMPTY_ROOT }
    }
}

/// What the author decides about a batch; the body decides the rest of the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsealedHeader {
    /// The installation.
    pub deployment: DeploymentId,
    /// The device that signs.
    pub device: DeviceId,
    /// Who wrote.
    pub user: UserId,
    /// The village of every document in it.
    pub village: VillageId,
    /// Its number in the chain of this device in this village, from 1.
    pub number: u64,
    /// The batch before it in the chain; `None` for number 1 only.
    pub previous: Option<BatchId>,
    /// The newest checkpoint the device held.
    pub anchor: Anchor,
    /// The version of the document schema that the changes were written under.
    pub schema: u16,
    /// The device's clock, milliseconds since 1970. A claim.
    pub wall_ms: i64,
    /// Milliseconds since the device started, which nobody can set back.
    pub monotonic_ms: u64,
}

/// The signed part of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchHeader {
    /// The installation.
    pub deployment: DeploymentId,
    /// The device that signs.
    pub device: DeviceId,
    /// Who wrote.
    pub user: UserId,
    /// The village of every document in it.
    pub village: VillageId,
    /// Its number in the chain of this device in this village, from 1.
    pub number: u64,
    /// The batch before it in the chain; `None` for number 1 only.
    pub previous: Option<BatchId>,
    /// The newest checkpoint the device held.
    pub anchor: Anchor,
    /// The version of the document schema that the changes were written under.
    pub schema: u16,
    /// The device's clock, milliseconds since 1970. A claim.
    pub wall_ms: i64,
    /// Milliseconds since the device started, which nobody can set back.
    pub monotonic_ms: u64,
    /// How many changes it holds, from 1.
    pub count: u16,
    /// The RFC 6962 root over the body: see [`body_root`].
    pub root: Hash,
}

impl BatchHeader {
    /// Its name: SHA-256 of the canonical form.
    #[must_use]
    pub fn id(&self) -> BatchId {
        BatchId(self.digest())
    }

    pub(crate) fn check(self) -> Result<Self, FormatError> {
        let contradiction = |why| Err(FormatError::Contradiction(why));
        if self.number == 0 {
            return contradiction("batches are numbered from 1");
        }
        if (self.number == 1) != self.previous.is_none() {
            return contradiction("the first batch of a chain, and only it, has none before it");
        }
        if self.anchor.size == 0 && self.anchor.root != EMPTY_ROOT {
            return contradiction("the anchor is an empty log with the root of another");
        }
        if self.count == 0 {
            return contradiction("the batch holds no change");
        }
        if usize::from(self.count) > CHANGES_PER_BATCH_MAX {
            let (found, limit) = (u64::from(self.count), CHANGES_PER_BATCH_MAX as u64);
            return Err(CodecError::TooLong { what: "count", found, limit }.into());
        }
        Ok(self)
    }
}

impl Statement for BatchHeader {
    const DOMAIN: &'static str = "ruhu/batch/1";

    fn write(&self, writer: &mut Writer) {
        write_opening(writer, VERSION);
        writer.raw(self.deployment.as_bytes()).raw(self.device.as_bytes());
        writer.raw(self.user.as_bytes()).raw(self.village.as_bytes()).u64(self.number);
        write_optional(writer, self.previous.as_ref().map(|id| id.0.as_slice()));
        writer.raw(self.anchor.epoch.as_bytes()).u64(self.anchor.size).raw(&self.anchor.root);
        writer.u16(self.schema).i64(self.wall_ms).u64(self.monotonic_ms);
        writer.u16(self.count).raw(&self.root);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        read_opening(reader, "batch", VERSION)?;
        let header = Self {
            deployment: DeploymentId::from_bytes(reader.array()?),
            device: DeviceId::from_bytes(reader.array()?),
            user: UserId::from_bytes(reader.array()?),
            village: VillageId::from_bytes(reader.array()?),
            number: read_counter(reader, "number")?,
            previous: match read_presence(reader, "previous")? {
                true => Some(BatchId(reader.array()?)),
                false => None,
            },
            anchor: Anchor {
                epoch: EpochId::from_bytes(reader.array()?),
                size: read_counter(reader, "anchor size")?,
                root: reader.array()?,
            },
            schema: reader.u16()?,
            wall_ms: read_time(reader, "wall_ms")?,
            monotonic_ms: read_counter(reader, "monotonic_ms")?,
            count: reader.u16()?,
            root: reader.array()?,
        };
        header.check()
    }
}

/// What a batch brings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchBody {
    /// The store openings that the changes' actors derive from, each once.
    pub openings: Vec<[u8; 8]>,
    /// Each change's document and raw bytes, in the order they were written.
    pub changes: Vec<(DocumentId, Vec<u8>)>,
}

/// Why a payload does not open, or a body cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The body is not in its canonical form, or above a limit.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The payload mode is not known to this program: it is older than the author's.
    #[error("payload mode {0} is not known")]
    Mode(u8),
    /// The compressed bytes are damaged, cut, or followed by others.
    #[error("the payload is not one whole compressed frame")]
    Inflate,
    /// The compressor failed, for want of memory.
    #[error("the body could not be compressed")]
    Deflate,
    /// The signing key is not that of the device the header names.
    #[error("the signing key is not the key of the batch's device")]
    Key,
    /// A change's magic bytes or checksum are wrong.
    #[error("change {index} is not a change: its checksum does not match")]
    NotAChange {
        /// Its place in the body, from 0.
        index: usize,
    },
    /// The body holds another number of changes than the header says.
    #[error("the body holds {found} changes, the header says {expected}")]
    Count {
        /// What the header says.
        expected: u16,
        /// What the body holds.
        found: usize,
    },
    /// The body is not the one that was signed.
    #[error("the body is not the one that was signed")]
    Root,
}

/// A signed batch with its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What is signed.
    pub header: BatchHeader,
    /// The device's signature over the header's id, for `ruhu/batch/1`.
    pub signature: Signature,
    /// A mode byte and the packed body. Mode 0 is zstd.
    pub payload: Vec<u8>,
}

impl Batch {
    /// Seals changes into a batch: counts them, computes the root, packs and signs.
    ///
    /// # Errors
    /// [`BatchError::Format`] when something is above its limit or contradictory (the author must split
    /// or fix it), [`BatchError::NotAChange`], [`BatchError::Key`].
    pub fn seal(key: &SecretKey, unsealed: UnsealedHeader, body: &BatchBody) -> Result<Self, BatchError> {
        if key.public().device_id() != unsealed.device {
            return Err(BatchError::Key);
        }
        let payload = payload::deflate(body)?;
        let found = body.changes.len();
        let count = u16::try_from(found).map_err(|_| BatchError::Count { expected: u16::MAX, found })?;
        let header = BatchHeader {
            deployment: unsealed.deployment,
            device: unsealed.device,
            user: unsealed.user,
            village: unsealed.village,
            number: unsealed.number,
            previous: unsealed.previous,
            anchor: unsealed.anchor,
            schema: unsealed.schema,
            wall_ms: unsealed.wall_ms,
            monotonic_ms: unsealed.monotonic_ms,
            count,
            root: body_root(body)?,
        };
        let Signed { statement: header, signature } = Signed::sign(header, key)?;
        Ok(Self { header, signature, payload })
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> BatchId {
        self.header.id()
    }

    /// Verifies that the certificate's device signed it, for a user and a village that the certificate
    /// grants. Neither the certificate's own signature nor any clock plays a part.
    ///
    /// # Errors
    /// [`VerifyError`] saying what does not fit.
    pub fn verify(&self, certificate: &Certificate) -> Result<(), VerifyError> {
        let header = &self.header;
        if header.deployment != certificate.deployment {
            return Err(VerifyError::Deployment);
        }
        if header.device != certificate.device() {
            return Err(VerifyError::Device);
        }
        if header.user != certificate.user && certificate.kind != CertificateKind::Server {
            return Err(VerifyError::User);
        }
        if !certificate.grants(header.village) {
            return Err(VerifyError::Village);
        }
        certificate.key.verify_strict(BatchHeader::DOMAIN, &header.digest(), &self.signature)
    }

    /// Unpacks the body and compares it with what was signed.
    ///
    /// # Errors
    /// [`BatchError`]: the payload was damaged or altered, or its mode is unknown.
    pub fn open(&self) -> Result<BatchBody, BatchError> {
        let body = payload::inflate(&self.payload)?;
        if body.changes.len() != usize::from(self.header.count) {
            return Err(BatchError::Count { expected: self.header.count, found: body.changes.len() });
        }
        if body_root(&body)? == self.header.root { Ok(body) } else { Err(BatchError::Root) }
    }

    /// The canonical header, the signature, and the payload with its length.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.header.write(&mut writer);
        writer.raw(&self.signature.0).bytes(&self.payload);
        writer.finish()
    }

    /// The batch of these bytes; neither verified nor opened.
    ///
    /// # Errors
    /// [`FormatError`] when they are not exactly one canonical form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(bytes);
        let header = BatchHeader::read(&mut reader)?;
        let signature = Signature(reader.array()?);
        let payload = reader.bytes("payload", PAYLOAD_BYTES_MAX)?.to_vec();
        reader.end()?;
        Ok(Self { header, signature, payload })
    }
}

/// The hash that names a change, from its raw bytes: SHA-256 of what follows the magic bytes and the
/// checksum. `None` when either is wrong; whether the rest is well formed is the admission gate's question.
#[must_use]
pub fn change_hash(raw: &[u8]) -> Option<ChangeHash> {
    let rest = raw.strip_prefix(&CHUNK_MAGIC)?;
    let (checksum, chunk) = rest.split_at_checked(4)?;
    let hash: Hash = Sha256::digest(chunk).into();
    hash.starts_with(checksum).then_some(ChangeHash(hash))
}

/// The RFC 6962 root over a body: first the changes in order, each as document kind (1) ‖ document id
/// (16) ‖ change hash (32), so that change `i` is leaf `i`; then the openings, each as 0 (1) ‖ opening (8).
///
/// # Errors
/// [`BatchError::NotAChange`] when a change's magic bytes or checksum are wrong.
pub fn body_root(body: &BatchBody) -> Result<Hash, BatchError> {
    let mut leaves = Vec::with_capacity(body.changes.len() + body.openings.len());
    for (index, (document, raw)) in body.changes.iter().enumerate() {
        let hash = change_hash(raw).ok_or(BatchError::NotAChange { index })?;
        leaves.push(change_leaf(*document, hash));
    }
    let openings = body.openings.iter();
    leaves.extend(openings.map(|opening| leaf_hash(&[&[OPENING_LEAF], opening.as_slice()].concat())));
    Ok(root_of(leaves))
}

/// The leaf hash that binds a change to its document in a batch's root.
#[must_use]
pub fn change_leaf(document: DocumentId, change: ChangeHash) -> Hash {
    leaf_hash(&[&[document.kind.code()], document.id.as_slice(), change.0.as_slice()].concat())
}

#[cfg(test)]
mod tests;
