//! What a server answers: receipts, certificates, keys, the batches the device lacks, a checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::decision::SignedDecision;
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_ledger::succession::EpochLink;
use ruhu_ledger::watermark::SignedWatermark;
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::{DeviceId, EpochId, HouseholdId, VillageId};

use crate::announce::Announcements;
use crate::founded_keys::FoundedKeys;
use crate::frame::{Frame, PayloadError, Shape};
use crate::key_bytes::KeyBytes;
use crate::limits::{
    ANNOUNCED_PER_FRAME, BATCH_BYTES_MAX, CERTIFICATE_BYTES_MAX, CODE_BYTES_MAX, CONSISTENCY_HASHES_MAX,
    DECISION_BYTES_MAX, DETAIL_BYTES_MAX, KEYS_PER_FRAME, KEYS_PER_REQUEST, LINK_BYTES_MAX, NOTE_BYTES_MAX,
    RECEIPT_BYTES_MAX, REVOCATION_BYTES_MAX, WATERMARK_BYTES_MAX,
};
use crate::protocol::{Refused, Side, negotiate};
use crate::vector::Cursor;

const WELCOME: u8 = 0x41;
const REFUSED: u8 = 0x42;
const RECEIPT: u8 = 0x43;
const BATCH_PROBLEM: u8 = 0x44;
const CERTIFICATE: u8 = 0x45;
const REVOCATION: u8 = 0x46;
const VILLAGE_KEYS: u8 = 0x47;
const RELAYED: u8 = 0x48;
const DECISION: u8 = 0x49;
const CHECKPOINT: u8 = 0x4a;
const VILLAGE_DONE: u8 = 0x4b;
const BYE: u8 = 0x4c;
const KEYS_HELD: u8 = 0x4d;
const RELAYED_REPLAY: u8 = 0x4e;
const VECTOR_WANTED: u8 = 0x50;
const SUCCESSION: u8 = 0x51;
const WATERMARK: u8 = 0x53;
const FORK_TOLD: u8 = 0x54;
const FOUNDED_KEYS: u8 = 0x55;
const ANNOUNCEMENTS: u8 = 0x56;

/// A frame of a response: first a welcome (or one refusal and nothing else), last a bye.
///
/// The relayed batches and decisions of one village come in ascending order of their sequence numbers,
/// together, and the certificates that they need before them: a device that is cut off keeps the last
/// sequence number it got as its cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseFrame {
    /// The server answers.
    Welcome(Welcome),
    /// The server does not answer this request.
    Refused(Refused),
    /// A batch is durable here. Sent for each batch of the request, whether it was new or known.
    Receipt(SignedReceipt),
    /// A batch of the request that got no receipt.
    BatchProblem(BatchProblem),
    /// The certificate of somebody whose batches follow.
    Certificate(SignedCertificate),
    /// A key that is no longer to be trusted.
    Revocation(SignedRevocation),
    /// Keys of a village that the device may read.
    VillageKeys(VillageKeys),
    /// The same in short, to a device that speaks protocol 3.
    FoundedKeys(FoundedKeys),
    /// What others announced as unsent, to a device of those who oversee the work.
    Announcements(Announcements),
    /// A batch that the device lacks.
    Relayed(Relayed),
    /// A batch that the device lacks, in the answer's replay stream.
    Replay(RelayedReplay),
    /// What became of a change later on.
    Decision(RelayedDecision),
    /// A newer checkpoint of the log.
    Checkpoint(CheckpointFrame),
    /// Ends the part about one village.
    VillageDone(VillageDone),
    /// The answer is complete.
    Bye,
    /// The keys of these households are durable here.
    KeysHeld(BTreeSet<HouseholdId>),
    /// The cursor of this village means nothing here: ask again without it, with the whole vector.
    VectorWanted(VillageId),
    /// How the present epoch, or one before it, followed another. Right after the welcome, oldest first.
    Succession(Box<EpochLink>),
    /// How far the log is safe in a verified backup.
    Watermark(SignedWatermark),
    /// The chain of the device that asks has another branch: its store was copied or restored.
    ForkTold(ForkTold),
}

/// A branch of the asking device's own chain that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForkTold {
    /// The village.
    pub village: VillageId,
    /// The device, whose store is in two places.
    pub device: DeviceId,
    /// The first number that two batches have.
    pub number: u64,
    /// The last batch of the other branch.
    pub tip: BatchId,
}

/// The server answers, and says who it is today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The version of the protocol; the first field in every version.
    pub protocol: u16,
    /// The life of the server's log.
    pub epoch: EpochId,
    /// The server's clock, milliseconds since 1970. For display and for warnings, never for order.
    pub server_time_ms: i64,
    /// The newest document schema that the server understands.
    pub schema: u16,
}

/// Why a batch of the request got no receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchProblem {
    /// The batch.
    pub batch: BatchId,
    /// A stable code, such as `signature`.
    pub code: String,
    /// One sentence for the log.
    pub detail: String,
    /// What it means for the sender.
    pub outcome: ProblemOutcome,
}

/// What a problem with a batch means for its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemOutcome {
    /// It came before its predecessor, which is not *received*: send the chain from this number.
    Staged {
        /// The number that the server expects next in this chain.
        expected: u64,
    },
    /// Sending it again will not help.
    Rejected,
    /// It came in the replay stream and is not understood: send it raw. What its id is cannot be told.
    RawWanted {
        /// Its place among the batches of the request, from 0.
        place: u64,
    },
}

/// Keys of one village that the device was not given before.
///
/// The keys of a village are numbered from 1 in the order in which they became durable, within an epoch.
/// Number 1 is the search key; a household's key keeps its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VillageKeys {
    /// The village.
    pub village: VillageId,
    /// Every key up to this number has been given.
    pub given: u64,
    /// The key of the village's search tags; only to a device that has been given no key yet.
    pub search_key: Option<KeyBytes<32>>,
    /// The keys of its households.
    pub households: BTreeMap<HouseholdId, KeyBytes<64>>,
}

/// A batch that the device lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// The village.
    pub village: VillageId,
    /// Its number in the server's feed of the village.
    pub sequence: u64,
    /// The batch, byte for byte as its author sent it.
    pub batch: Vec<u8>,
    /// The server's receipt for it.
    pub receipt: SignedReceipt,
}

/// A batch that the device lacks, as a piece of the answer's replay stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedReplay {
    /// The village.
    pub village: VillageId,
    /// Its number in the server's feed of the village.
    pub sequence: u64,
    /// The batch and its receipt, as `ruhu_ledger::replay::ReplayWriter` writes them.
    pub bytes: Vec<u8>,
}

/// A decision in the feed of a village.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedDecision {
    /// The village.
    pub village: VillageId,
    /// Its number in the server's feed of the village.
    pub sequence: u64,
    /// The decision.
    pub decision: SignedDecision,
}

/// A newer checkpoint of the log, and the proof that it continues the one in the hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointFrame {
    /// The checkpoint as a C2SP signed note.
    pub note: String,
    /// The size that the proof starts from, in leaves: the one in the hello.
    pub from_size: u64,
    /// The RFC 6962 consistency proof from that size; empty when it is 0 or the checkpoint's own.
    pub consistency: Vec<[u8; 32]>,
}

/// Ends the part about one village.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VillageDone {
    /// The village.
    pub village: VillageId,
    /// Everything at or below it has been given.
    pub cursor: Cursor,
    /// The [fingerprint](crate::fingerprint::Fingerprint) of the changes accepted at or below it.
    pub fingerprint: u64,
    /// Whether the feed goes on: ask again.
    pub more: bool,
}

/// What has been read of a response.
#[derive(Debug, Default)]
pub struct ResponseOrder {
    begun: bool,
    ended: bool,
}

impl Frame for ResponseFrame {
    type Order = ResponseOrder;

    fn shape(tag: u8) -> Option<Shape> {
        let (name, bytes_max) = match tag {
            WELCOME => ("welcome", 64),
            REFUSED => ("refused", 16 + CODE_BYTES_MAX + DETAIL_BYTES_MAX),
            RECEIPT => ("receipt", RECEIPT_BYTES_MAX),
            BATCH_PROBLEM => ("batch problem", 64 + CODE_BYTES_MAX + DETAIL_BYTES_MAX),
            CERTIFICATE => ("certificate", CERTIFICATE_BYTES_MAX),
            REVOCATION => ("revocation", REVOCATION_BYTES_MAX),
            VILLAGE_KEYS => ("village keys", 64 + KEYS_PER_FRAME * 80),
            FOUNDED_KEYS => ("founded keys", 64 + KEYS_PER_FRAME * 96),
            ANNOUNCEMENTS => ("announcements", 64 + ANNOUNCED_PER_FRAME * 64),
            RELAYED => ("relayed batch", 64 + BATCH_BYTES_MAX + RECEIPT_BYTES_MAX),
            RELAYED_REPLAY => ("relayed replay batch", 64 + BATCH_BYTES_MAX),
            DECISION => ("decision", 64 + DECISION_BYTES_MAX),
            CHECKPOINT => ("checkpoint", 64 + NOTE_BYTES_MAX + CONSISTENCY_HASHES_MAX * 32),
            VILLAGE_DONE => ("village done", 64),
            BYE => ("bye", 0),
            KEYS_HELD => ("keys held", 16 + KEYS_PER_REQUEST * 16),
            VECTOR_WANTED => ("vector wanted", 16),
            FORK_TOLD => ("fork told", 80),
            SUCCESSION => ("succession", LINK_BYTES_MAX),
            WATERMARK => ("watermark", WATERMARK_BYTES_MAX),
            _ => return None,
        };
        Some(Shape { name, bytes_max })
    }

    fn encode(&self) -> (u8, Vec<u8>) {
        let mut writer = Writer::new();
        let tag = self.write(&mut writer);
        (tag, writer.finish())
    }

    fn decode(tag: u8, payload: &[u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(payload);
        let frame = match tag {
            WELCOME => Self::Welcome(Welcome::read(&mut reader)?),
            REFUSED => Self::Refused(read_refused(&mut reader)?),
            RECEIPT => Self::Receipt(SignedReceipt::from_bytes(reader.raw(payload.len())?)?),
            BATCH_PROBLEM => Self::BatchProblem(BatchProblem::read(&mut reader)?),
            CERTIFICATE => Self::Certificate(SignedCertificate::from_bytes(reader.raw(payload.len())?)?),
            REVOCATION => Self::Revocation(SignedRevocation::from_bytes(reader.raw(payload.len())?)?),
            VILLAGE_KEYS => Self::VillageKeys(VillageKeys::read(&mut reader)?),
            FOUNDED_KEYS => Self::FoundedKeys(FoundedKeys::read(&mut reader)?),
            ANNOUNCEMENTS => Self::Announcements(Announcements::read(&mut reader)?),
            RELAYED => Self::Relayed(Relayed::read(&mut reader)?),
            RELAYED_REPLAY => Self::Replay(RelayedReplay::read(&mut reader)?),
            DECISION => Self::Decision(RelayedDecision::read(&mut reader)?),
            CHECKPOINT => Self::Checkpoint(CheckpointFrame::read(&mut reader)?),
            VILLAGE_DONE => Self::VillageDone(VillageDone::read(&mut reader)?),
            BYE => Self::Bye,
            KEYS_HELD => Self::KeysHeld(read_households(&mut reader)?),
            VECTOR_WANTED => Self::VectorWanted(VillageId::from_bytes(reader.array()?)),
            FORK_TOLD => Self::ForkTold(ForkTold::read(&mut reader)?),
            SUCCESSION => Self::Succession(Box::new(EpochLink::from_bytes(reader.raw(payload.len())?)?)),
            WATERMARK => Self::Watermark(SignedWatermark::from_bytes(reader.raw(payload.len())?)?),
            _ => return Err(CodecError::Unknown("the tag of a response frame").into()),
        };
        reader.end()?;
        Ok(frame)
    }

    fn admit(order: &mut ResponseOrder, frame: &Self) -> Result<(), &'static str> {
        if order.ended {
            return Err("the response has ended");
        }
        let opens = matches!(frame, Self::Welcome(_) | Self::Refused(_));
        if opens == order.begun {
            return Err(if opens {
                "the response has begun already"
            } else {
                "a response begins with a welcome"
            });
        }
        order.begun = true;
        order.ended = matches!(frame, Self::Refused(_) | Self::Bye);
        Ok(())
    }
}

impl ResponseFrame {
    /// Appends the payload and gives the tag.
    fn write(&self, writer: &mut Writer) -> u8 {
        match self {
            Self::Welcome(welcome) => welcome.write(writer),
            Self::Refused(refused) => write_refused(refused, writer),
            Self::Receipt(receipt) => {
                writer.raw(&receipt.to_bytes());
                RECEIPT
            }
            Self::BatchProblem(problem) => problem.write(writer),
            Self::Certificate(certificate) => {
                writer.raw(&certificate.to_bytes());
                CERTIFICATE
            }
            Self::Revocation(revocation) => {
                writer.raw(&revocation.to_bytes());
                REVOCATION
            }
            Self::VillageKeys(keys) => keys.write(writer),
            Self::FoundedKeys(keys) => {
                keys.write(writer);
                FOUNDED_KEYS
            }
            Self::Announcements(announcements) => {
                announcements.write(writer);
                ANNOUNCEMENTS
            }
            Self::Relayed(relayed) => relayed.write(writer),
            Self::Replay(relayed) => relayed.write(writer),
            Self::Decision(decision) => decision.write(writer),
            Self::Checkpoint(checkpoint) => checkpoint.write(writer),
            Self::VillageDone(done) => done.write(writer),
            Self::Bye => BYE,
            Self::KeysHeld(households) => {
                writer.varint(households.len() as u64);
                households.iter().for_each(|household| {
                    writer.raw(household.as_bytes());
                });
                KEYS_HELD
            }
            Self::VectorWanted(village) => {
                writer.raw(village.as_bytes());
                VECTOR_WANTED
            }
            Self::ForkTold(fork) => fork.write(writer),
            Self::Succession(link) => {
                writer.raw(&link.to_bytes());
                SUCCESSION
            }
            Self::Watermark(watermark) => {
                writer.raw(&watermark.to_bytes());
                WATERMARK
            }
        }
    }
}

impl ForkTold {
    fn write(&self, writer: &mut Writer) -> u8 {
        writer.raw(self.village.as_bytes()).raw(self.device.as_bytes()).varint(self.number).raw(&self.tip.0);
        FORK_TOLD
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        Ok(Self {
            village: VillageId::from_bytes(reader.array()?),
            device: DeviceId::from_bytes(reader.array()?),
            number: reader.varint()?,
            tip: BatchId(reader.array()?),
        })
    }
}

impl Welcome {
    fn write(&self, writer: &mut Writer) -> u8 {
        writer.u16(self.protocol).raw(self.epoch.as_bytes()).i64(self.server_time_ms).u16(self.schema);
        WELCOME
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let protocol = reader.u16()?;
        negotiate(Side::Device, protocol).map_err(PayloadError::Protocol)?;
        Ok(Self {
            protocol,
            epoch: EpochId::from_bytes(reader.array()?),
            server_time_ms: reader.i64()?,
            schema: reader.u16()?,
        })
    }
}

fn write_refused(refused: &Refused, writer: &mut Writer) -> u8 {
    writer.text(&refused.code).text(&refused.detail).u8(refused.upgrade.map_or(0, Side::code));
    REFUSED
}

fn read_refused(reader: &mut Reader<'_>) -> Result<Refused, PayloadError> {
    let code = reader.text("a code", CODE_BYTES_MAX)?.to_owned();
    let detail = reader.text("a detail", DETAIL_BYTES_MAX)?.to_owned();
    let upgrade = match reader.u8()? {
        0 => None,
        side => Some(Side::from_code(side).ok_or(CodecError::Unknown("the side to upgrade"))?),
    };
    Ok(Refused { code, detail, upgrade })
}

impl BatchProblem {
    fn write(&self, writer: &mut Writer) -> u8 {
        writer.raw(&self.batch.0).text(&self.code).text(&self.detail);
        match self.outcome {
            ProblemOutcome::Staged { expected } => writer.u8(1).varint(expected),
            ProblemOutcome::Rejected => writer.u8(2),
            ProblemOutcome::RawWanted { place } => writer.u8(3).varint(place),
        };
        BATCH_PROBLEM
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        Ok(Self {
            batch: BatchId(reader.array()?),
            code: reader.text("a code", CODE_BYTES_MAX)?.to_owned(),
            detail: reader.text("a detail", DETAIL_BYTES_MAX)?.to_owned(),
            outcome: match reader.u8()? {
                1 => ProblemOutcome::Staged { expected: reader.varint()? },
                2 => ProblemOutcome::Rejected,
                3 => ProblemOutcome::RawWanted { place: reader.varint()? },
                _ => return Err(CodecError::Unknown("the outcome of a batch").into()),
            },
        })
    }
}

impl VillageKeys {
    fn write(&self, writer: &mut Writer) -> u8 {
        writer.raw(self.village.as_bytes()).varint(self.given);
        write_search_key(writer, self.search_key.as_ref());
        writer.varint(self.households.len() as u64);
        for (household, key) in &self.households {
            writer.raw(household.as_bytes()).raw(&key.0);
        }
        VILLAGE_KEYS
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let village = VillageId::from_bytes(reader.array()?);
        let given = reader.varint()?;
        let search_key = read_search_key(reader)?;
        let mut households = BTreeMap::new();
        for _ in 0..reader.count("household keys", KEYS_PER_FRAME)? {
            let household = HouseholdId::from_bytes(reader.array()?);
            if households.last_key_value().is_some_and(|(last, _)| *last >= household) {
                return Err(PayloadError::NotAscending("household keys"));
            }
            households.insert(household, KeyBytes(reader.array()?));
        }
        Ok(Self { village, given, search_key, households })
    }
}

pub(crate) fn write_search_key(writer: &mut Writer, key: Option<&KeyBytes<32>>) {
    match key {
        None => writer.u8(0),
        Some(key) => writer.u8(1).raw(&key.0),
    };
}

pub(crate) fn read_search_key(reader: &mut Reader<'_>) -> Result<Option<KeyBytes<32>>, CodecError> {
    match reader.u8()? {
        0 => Ok(None),
        1 => Ok(Some(KeyBytes(reader.array()?))),
        _ => Err(CodecError::Unknown("the presence of a search key")),
    }
}

fn read_households(reader: &mut Reader<'_>) -> Result<BTreeSet<HouseholdId>, PayloadError> {
    let mut households = BTreeSet::new();
    for _ in 0..reader.count("households", KEYS_PER_REQUEST)? {
        let household = HouseholdId::from_bytes(reader.array()?);
        if households.last() >= Some(&household) {
            return Err(PayloadError::NotAscending("households"));
        }
        households.insert(household);
    }
    Ok(households)
}

impl Relayed {
    fn write(&self, writer: &mut Writer) -> u8 {
        writer.raw(self.village.as_bytes()).varint(self.sequence);
        writer.bytes(&self.batch).raw(&self.receipt.to_bytes());
        RELAYED
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        Ok(Self {
            village: VillageId::from_bytes(reader.array()?),
            sequence: reader.varint()?,
            batch: reader.bytes("a batch", BATCH_BYTES_MAX)?.to_vec(),
            receipt: SignedReceipt::from_bytes(reader.raw(reader.left())?)?,
        })
    }
}

impl RelayedReplay {
    fn write(&self, writer: &mut Writer) -> u8 {
        writer.raw(self.village.as_bytes()).varint(self.sequence).raw(&self.bytes);
        RELAYED_REPLAY
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        Ok(Self {
            village: VillageId::from_bytes(reader.array()?),
            sequence: reader.varint()?,
            bytes: reader.raw(reader.left())?.to_vec(),
        })
    }
}

impl RelayedDecision {
    pub(crate) fn write(&self, writer: &mut Writer) -> u8 {
        writer.raw(self.village.as_bytes()).varint(self.sequence).raw(&self.decision.to_bytes());
        DECISION
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        Ok(Self {
            village: VillageId::from_bytes(reader.array()?),
            sequence: reader.varint()?,
            decision: SignedDecision::from_bytes(reader.raw(reader.left())?)?,
        })
    }
}

impl CheckpointFrame {
    fn write(&self, writer: &mut Writer) -> u8 {
        writer.text(&self.note).varint(self.from_size).varint(self.consistency.len() as u64);
        self.consistency.iter().for_each(|hash| {
            writer.raw(hash);
        });
        CHECKPOINT
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let note = reader.text("a note", NOTE_BYTES_MAX)?.to_owned();
        let from_size = reader.varint()?;
        let count = reader.count("hashes of a proof", CONSISTENCY_HASHES_MAX)?;
        let consistency = (0..count).map(|_| reader.array()).collect::<Result<_, _>>()?;
        Ok(Self { note, from_size, consistency })
    }
}

impl VillageDone {
    fn write(&self, writer: &mut Writer) -> u8 {
        writer.raw(self.village.as_bytes());
        self.cursor.write(writer);
        writer.u64(self.fingerprint).u8(u8::from(self.more));
        VILLAGE_DONE
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        Ok(Self {
            village: VillageId::from_bytes(reader.array()?),
            cursor: Cursor::read(reader)?,
            fingerprint: reader.u64()?,
            more: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(CodecError::Unknown("whether there is more").into()),
            },
        })
    }
}
