//! A batch of the model world.

use ruhu_ledger::batch::BatchId;
use ruhu_survey::codec::{Reader, Writer};
use ruhu_survey::id::{DeviceId, VillageId};
use sha2::{Digest, Sha256};

/// A batch of the model: its place in a chain, and what makes it unlike every other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelBatch {
    pub(super) village: VillageId,
    pub(super) device: DeviceId,
    pub(super) number: u64,
    pub(super) previous: Option<BatchId>,
    pub(super) content: Vec<u8>,
}

impl ModelBatch {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(self.village.as_bytes()).raw(self.device.as_bytes()).u64(self.number);
        writer.bytes(self.previous.as_ref().map_or(&[], |id| id.0.as_slice())).bytes(&self.content);
        writer.finish()
    }

    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut reader = Reader::new(bytes);
        Self {
            village: VillageId::from_bytes(reader.array().unwrap()),
            device: DeviceId::from_bytes(reader.array().unwrap()),
            number: reader.u64().unwrap(),
            previous: reader.bytes("previous", 32).unwrap().try_into().ok().map(BatchId),
            content: reader.bytes("content", 1_000).unwrap().to_vec(),
        }
    }

    pub(super) fn id(&self) -> BatchId {
        BatchId(Sha256::digest(self.bytes()).into())
    }
}
