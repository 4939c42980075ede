//! What a device sends: who it is, and per village what it holds, what it announces, the keys it made and its batches.

use std::collections::BTreeSet;

use ruhu_ledger::receipt::SignedReceipt;
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::{DeploymentId, DeviceId, HouseholdId, VillageId};

use crate::announce::Announcement;
use crate::frame::{Frame, PayloadError, Shape};
use crate::key_bytes::KeyBytes;
use crate::limits::{
    BATCH_BYTES_MAX, BATCHES_PER_REQUEST, KEYS_PER_REQUEST, NOTE_BYTES_MAX, OFFERS_PER_REQUEST,
    RECEIPT_BYTES_MAX, TIPS_PER_VILLAGE, VILLAGES_PER_REQUEST,
};
use crate::offer::Offer;
use crate::protocol::{Side, negotiate};
use crate::vector::{ChainTip, Cursor, read_vector, write_vector};

const HELLO: u8 = 0x01;
const VILLAGE: u8 = 0x02;
const KEY: u8 = 0x03;
const BATCH: u8 = 0x04;
const REPLAY: u8 = 0x05;
const OLD_RECEIPT: u8 = 0x07;
const OFFER: u8 = 0x08;
const ANNOUNCEMENT: u8 = 0x09;

/// A frame of a request. They come in this order: one hello, what is offered, then per village its village
/// frame, what it announces, its keys, its batches, an old receipt before its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestFrame {
    /// Who asks.
    Hello(Hello),
    /// Opens the part about one village.
    Village(VillageQuery),
    /// What the device holds unsent in the village just opened.
    Announcement(Announcement),
    /// The key of a household that this device founded, in the village opened last.
    Key(HouseholdKeyFrame),
    /// A signed batch of the village opened last, as `ruhu_ledger::batch::Batch` writes it.
    Batch(Vec<u8>),
    /// The next piece of the request's replay stream: a batch of the village opened last, as
    /// `ruhu_ledger::replay::ReplayWriter` writes it.
    Replay(Vec<u8>),
    /// The receipt of an epoch that ended, for the batch that follows: the server was restored and lacks it.
    OldReceipt(SignedReceipt),
    /// A record of an epoch that ended.
    Offer(Offer),
}

/// Who asks, and how much of the server's log it has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The version of the protocol; the first field in every version.
    pub protocol: u16,
    /// The deployment that the device enrolled with.
    pub deployment: DeploymentId,
    /// The device.
    pub device: DeviceId,
    /// The newest document schema that the device understands.
    pub schema: u16,
    /// Whether batches may be relayed to it as a replay stream.
    pub replay: bool,
    /// The size of the newest checkpoint that the device has stored, in leaves; 0 for none.
    pub checkpoint_size: u64,
}

/// What a device holds of one village.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VillageQuery {
    /// The village.
    pub village: VillageId,
    /// How far it has been given the server's feed; `None` for a first sync.
    pub cursor: Option<Cursor>,
    /// The number of the last of the village's keys that it has been given in the cursor's epoch; 0 for
    /// none, and without a cursor.
    pub keys_given: u64,
    /// The tips of the chains it holds: without a cursor all of them, with one those that the cursor does
    /// not stand for.
    pub vector: BTreeSet<ChainTip>,
}

/// The key of one household on its way to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HouseholdKeyFrame {
    /// The household.
    pub household: HouseholdId,
    /// Its key.
    pub key: KeyBytes<64>,
}

/// What has been read of a request.
#[derive(Debug, Default)]
pub struct RequestOrder {
    greeted: bool,
    villages: BTreeSet<VillageId>,
    keys: usize,
    batches: usize,
    batches_begun: bool,
    /// Whether the last frame opened a village.
    just_opened: bool,
    offers: usize,
    awaits_batch: bool,
}

impl Frame for RequestFrame {
    type Order = RequestOrder;

    fn shape(tag: u8) -> Option<Shape> {
        let (name, bytes_max) = match tag {
            HELLO => ("hello", 128),
            VILLAGE => ("village", 64 + TIPS_PER_VILLAGE * 30),
            KEY => ("key", 80),
            BATCH => ("batch", BATCH_BYTES_MAX),
            REPLAY => ("replay batch", BATCH_BYTES_MAX),
            OLD_RECEIPT => ("old receipt", RECEIPT_BYTES_MAX),
            OFFER => ("offer", 64 + NOTE_BYTES_MAX),
            ANNOUNCEMENT => ("announcement", 128),
            _ => return None,
        };
        Some(Shape { name, bytes_max })
    }

    fn encode(&self) -> (u8, Vec<u8>) {
        let mut writer = Writer::new();
        let tag = match self {
            Self::Hello(hello) => {
                hello.write(&mut writer);
                HELLO
            }
            Self::Village(query) => {
                query.write(&mut writer);
                VILLAGE
            }
            Self::Announcement(announcement) => {
                announcement.write(&mut writer);
                ANNOUNCEMENT
            }
            Self::Key(key) => {
                writer.raw(key.household.as_bytes()).raw(&key.key.0);
                KEY
            }
            Self::Batch(bytes) => {
                writer.raw(bytes);
                BATCH
            }
            Self::Replay(bytes) => {
                writer.raw(bytes);
                REPLAY
            }
            Self::OldReceipt(receipt) => {
                writer.raw(&receipt.to_bytes());
                OLD_RECEIPT
            }
            Self::Offer(offer) => {
                offer.write(&mut writer);
                OFFER
            }
        };
        (tag, writer.finish())
    }

    fn decode(tag: u8, payload: &[u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(payload);
        let frame = match tag {
            HELLO => Self::Hello(Hello::read(&mut reader)?),
            VILLAGE => Self::Village(VillageQuery::read(&mut reader)?),
            ANNOUNCEMENT => Self::Announcement(Announcement::read(&mut reader)?),
            KEY => Self::Key(HouseholdKeyFrame {
                household: HouseholdId::from_bytes(reader.array()?),
                key: KeyBytes(reader.array()?),
            }),
            BATCH => Self::Batch(reader.raw(payload.len())?.to_vec()),
            REPLAY => Self::Replay(reader.raw(payload.len())?.to_vec()),
            OLD_RECEIPT => Self::OldReceipt(SignedReceipt::from_bytes(reader.raw(payload.len())?)?),
            OFFER => Self::Offer(Offer::read(&mut reader)?),
            _ => return Err(CodecError::Unknown("the tag of a request frame").into()),
        };
        reader.end()?;
        Ok(frame)
    }

    fn admit(order: &mut RequestOrder, frame: &Self) -> Result<(), &'static str> {
        if order.awaits_batch && !matches!(frame, Self::Batch(_)) {
            return Err("an old receipt comes right before its batch");
        }
        let just_opened = std::mem::take(&mut order.just_opened);
        match frame {
            Self::Hello(_) => order.hello(),
            Self::Village(query) => order.village(query.village),
            Self::Announcement(_) if just_opened => Ok(()),
            Self::Announcement(_) => Err("an announcement comes right behind its village"),
            Self::Key(_) => order.key(),
            Self::Batch(_) | Self::Replay(_) => order.batch(),
            Self::OldReceipt(_) => order.old_receipt(),
            Self::Offer(_) => order.offer(),
        }
    }
}

impl Hello {
    fn write(&self, writer: &mut Writer) {
        writer.u16(self.protocol).raw(self.deployment.as_bytes()).raw(self.device.as_bytes());
        writer.u16(self.schema).u8(u8::from(self.replay)).varint(self.checkpoint_size);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let protocol = reader.u16()?;
        negotiate(Side::Server, protocol).map_err(PayloadError::Protocol)?;
        Ok(Self {
            protocol,
            deployment: DeploymentId::from_bytes(reader.array()?),
            device: DeviceId::from_bytes(reader.array()?),
            schema: reader.u16()?,
            replay: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(CodecError::Unknown("whether a device takes a replay stream").into()),
            },
            checkpoint_size: reader.varint()?,
        })
    }
}

impl VillageQuery {
    fn write(&self, writer: &mut Writer) {
        writer.raw(self.village.as_bytes());
        match self.cursor {
            None => {
                writer.u8(0);
            }
            Some(cursor) => {
                cursor.write(writer.u8(1));
                writer.varint(self.keys_given);
            }
        }
        write_vector(writer, &self.vector);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let village = VillageId::from_bytes(reader.array()?);
        let (cursor, keys_given) = match reader.u8()? {
            0 => (None, 0),
            1 => (Some(Cursor::read(reader)?), reader.varint()?),
            _ => return Err(CodecError::Unknown("the presence of a cursor").into()),
        };
        Ok(Self { village, cursor, keys_given, vector: read_vector(reader)? })
    }
}

impl RequestOrder {
    fn hello(&mut self) -> Result<(), &'static str> {
        if self.greeted {
            return Err("the request has said hello already");
        }
        self.greeted = true;
        Ok(())
    }

    fn village(&mut self, village: VillageId) -> Result<(), &'static str> {
        if !self.greeted {
            return Err("a request begins with a hello");
        }
        if self.villages.len() >= VILLAGES_PER_REQUEST {
            return Err("the request names too many villages");
        }
        if !self.villages.insert(village) {
            return Err("the request has named this village already");
        }
        self.batches_begun = false;
        self.just_opened = true;
        Ok(())
    }

    fn key(&mut self) -> Result<(), &'static str> {
        if self.villages.is_empty() {
            return Err("a key belongs to a village");
        }
        if self.batches_begun {
            return Err("keys come before the batches of their village");
        }
        if self.keys >= KEYS_PER_REQUEST {
            return Err("the request holds too many keys");
        }
        self.keys += 1;
        Ok(())
    }

    fn batch(&mut self) -> Result<(), &'static str> {
        if self.villages.is_empty() {
            return Err("a batch belongs to a village");
        }
        if self.batches >= BATCHES_PER_REQUEST {
            return Err("the request holds too many batches");
        }
        self.batches_begun = true;
        self.awaits_batch = false;
        self.batches += 1;
        Ok(())
    }

    fn old_receipt(&mut self) -> Result<(), &'static str> {
        if self.villages.is_empty() {
            return Err("an old receipt belongs to a village");
        }
        self.awaits_batch = true;
        Ok(())
    }

    fn offer(&mut self) -> Result<(), &'static str> {
        if !self.greeted || !self.villages.is_empty() {
            return Err("what is offered comes after the hello and before the villages");
        }
        if self.offers >= OFFERS_PER_REQUEST {
            return Err("the request offers too much");
        }
        self.offers += 1;
        Ok(())
    }
}
