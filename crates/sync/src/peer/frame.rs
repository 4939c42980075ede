//! The frames that devices hand one another. `schemas/wire/bundle.md` documents them byte by byte.

use std::collections::BTreeMap;

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::{HouseholdId, VillageId};

use super::holding::Holding;
use super::replay::CarriedReplay;
use crate::frame::{Frame, PayloadError, Shape};
use crate::key_bytes::KeyBytes;
use crate::limits::{
    BATCH_BYTES_MAX, CERTIFICATE_BYTES_MAX, DECISION_BYTES_MAX, HOLDING_BYTES_MAX, KEYS_PER_FRAME,
    RECEIPT_BYTES_MAX, REVOCATION_BYTES_MAX,
};
use crate::response::RelayedDecision;

const HOLDING: u8 = 0x61;
const CERTIFICATE: u8 = 0x62;
const REVOCATION: u8 = 0x63;
const KEYS: u8 = 0x64;
const BATCH: u8 = 0x65;
const RECEIPT: u8 = 0x66;
const DECISION: u8 = 0x67;
const END: u8 = 0x68;
const REPLAY: u8 = 0x69;

/// A frame from one device to another. What is needed to verify something comes before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerFrame {
    /// What the sender holds of a village, so that the other can tell what it lacks. Not in a bundle.
    Holding(Holding),
    /// The certificate of somebody whose batches follow, or a newer one.
    Certificate(SignedCertificate),
    /// A key that is no longer to be trusted.
    Revocation(SignedRevocation),
    /// Keys of households, to read their private values.
    Keys(HouseholdKeys),
    /// A batch.
    Batch(CarriedBatch),
    /// A batch that the server has not received, without what its receiver can work out. Only in a bundle of
    /// version 2.
    Replay(CarriedReplay),
    /// The server's receipt for a batch that the other holds without one.
    Receipt(CarriedReceipt),
    /// What became of a change later on.
    Decision(RelayedDecision),
    /// The sender has said everything. Not in a bundle.
    End,
}

/// Keys of households in one village.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HouseholdKeys {
    /// The village.
    pub village: VillageId,
    /// The keys, each with whether the sender knows that the server has it.
    pub households: BTreeMap<HouseholdId, (bool, KeyBytes<64>)>,
}

/// A batch on its way between devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedBatch {
    /// The batch, byte for byte as its author sealed it.
    pub batch: Vec<u8>,
    /// Its number in the server's feed of the village; 0 when the sender does not know it.
    pub sequence: u64,
    /// The server's receipt for it; `None` when the sender holds none.
    pub receipt: Option<SignedReceipt>,
}

/// A receipt on its way between devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedReceipt {
    /// The number of its batch in the server's feed of the village; 0 when the sender does not know it.
    pub sequence: u64,
    /// The receipt.
    pub receipt: SignedReceipt,
}

impl PeerFrame {
    /// The batch that the frame is about.
    #[must_use]
    pub fn batch_id(&self) -> Option<BatchId> {
        match self {
            Self::Batch(carried) => {
                ruhu_ledger::batch::Batch::from_bytes(&carried.batch).ok().map(|batch| batch.id())
            }
            Self::Receipt(carried) => Some(carried.receipt.statement.batch),
            _ => None,
        }
    }
}

impl Frame for PeerFrame {
    /// Whether the sender has ended.
    type Order = bool;

    fn shape(tag: u8) -> Option<Shape> {
        let (name, bytes_max) = match tag {
            HOLDING => ("holding", HOLDING_BYTES_MAX),
            CERTIFICATE => ("certificate", CERTIFICATE_BYTES_MAX),
            REVOCATION => ("revocation", REVOCATION_BYTES_MAX),
            KEYS => ("household keys", 64 + KEYS_PER_FRAME * 81),
            BATCH => ("carried batch", 64 + BATCH_BYTES_MAX + RECEIPT_BYTES_MAX),
            RECEIPT => ("carried receipt", 64 + RECEIPT_BYTES_MAX),
            DECISION => ("decision", 64 + DECISION_BYTES_MAX),
            END => ("end", 0),
            REPLAY => ("carried replay batch", 64 + BATCH_BYTES_MAX),
            _ => return None,
        };
        Some(Shape { name, bytes_max })
    }

    fn encode(&self) -> (u8, Vec<u8>) {
        let mut writer = Writer::new();
        let tag = match self {
            Self::Holding(holding) => {
                holding.write(&mut writer);
                HOLDING
            }
            Self::Certificate(certificate) => {
                writer.raw(&certificate.to_bytes());
                CERTIFICATE
            }
            Self::Revocation(revocation) => {
                writer.raw(&revocation.to_bytes());
                REVOCATION
            }
            Self::Keys(keys) => {
                keys.write(&mut writer);
                KEYS
            }
            Self::Batch(carried) => {
                writer.varint(carried.sequence).bytes(&carried.batch);
                writer.raw(&carried.receipt.as_ref().map(|receipt| receipt.to_bytes()).unwrap_or_default());
                BATCH
            }
            Self::Replay(carried) => {
                carried.write(&mut writer);
                REPLAY
            }
            Self::Receipt(carried) => {
                writer.varint(carried.sequence).raw(&carried.receipt.to_bytes());
                RECEIPT
            }
            Self::Decision(relayed) => {
                relayed.write(&mut writer);
                DECISION
            }
            Self::End => END,
        };
        (tag, writer.finish())
    }

    fn decode(tag: u8, payload: &[u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(payload);
        let frame = match tag {
            HOLDING => Self::Holding(Holding::read(&mut reader)?),
            CERTIFICATE => Self::Certificate(SignedCertificate::from_bytes(reader.raw(payload.len())?)?),
            REVOCATION => Self::Revocation(SignedRevocation::from_bytes(reader.raw(payload.len())?)?),
            KEYS => Self::Keys(HouseholdKeys::read(&mut reader)?),
            BATCH => Self::Batch(CarriedBatch {
                sequence: reader.varint()?,
                batch: reader.bytes("a batch", BATCH_BYTES_MAX)?.to_vec(),
                receipt: match reader.left() {
                    0 => None,
                    left => Some(SignedReceipt::from_bytes(reader.raw(left)?)?),
                },
            }),
            RECEIPT => Self::Receipt(CarriedReceipt {
                sequence: reader.varint()?,
                receipt: SignedReceipt::from_bytes(reader.raw(reader.left())?)?,
            }),
            DECISION => Self::Decision(RelayedDecision::read(&mut reader)?),
            END => Self::End,
            REPLAY => Self::Replay(CarriedReplay::read(&mut reader)?),
            _ => return Err(CodecError::Unknown("the tag of a peer's frame").into()),
        };
        reader.end()?;
        Ok(frame)
    }

    fn admit(ended: &mut bool, frame: &Self) -> Result<(), &'static str> {
        if *ended {
            return Err("the sender has ended");
        }
        *ended = matches!(frame, Self::End);
        Ok(())
    }
}

impl HouseholdKeys {
    fn write(&self, writer: &mut Writer) {
        writer.raw(self.village.as_bytes()).varint(self.households.len() as u64);
        for (household, (at_server, key)) in &self.households {
            writer.raw(household.as_bytes()).u8(u8::from(*at_server)).raw(&key.0);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let village = VillageId::from_bytes(reader.array()?);
        let mut households = BTreeMap::new();
        for _ in 0..reader.count("household keys", KEYS_PER_FRAME)? {
            let household = HouseholdId::from_bytes(reader.array()?);
            if households.last_key_value().is_some_and(|(last, _)| *last >= household) {
                return Err(PayloadError::NotAscending("household keys"));
            }
            let at_server = match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(CodecError::Unknown("whether the server has a key").into()),
            };
            households.insert(household, (at_server, KeyBytes(reader.array()?)));
        }
        Ok(Self { village, households })
    }
}
