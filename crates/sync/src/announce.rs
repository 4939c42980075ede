//! What a device says that it still holds of its own work, and what those who oversee the work are told of it.
//!
//! A device announces how far its chain reaches, not how many batches it counts: whatever of that chain the server has
//! not received is unsent, however the batches come in the end, and an old announcement that comes again says nothing
//! new. It is the device's own word and evidence of nothing: whether a batch is received is said by receipts alone.
//! Since protocol 4.

use ruhu_ledger::signature::{PublicKey, SecretKey, Signature};
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::{DeploymentId, DeviceId, EpochId, VillageId};
use sha2::{Digest, Sha256};

use crate::frame::PayloadError;
use crate::limits::ANNOUNCED_PER_FRAME;

/// What an announcement that stands by itself is signed for.
pub const ANNOUNCEMENT_DOMAIN: &str = "ruhu/announcement/1";

/// What a device holds of its own work in a village, at the moment it writes a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announced {
    /// One above the number of the last batch of its chain; 0 when it has written none. The batches below it that the
    /// server has not received are unsent, those of this very request included.
    pub next: u64,
    /// Checks that it has closed and that are in no receipt.
    pub checks: u64,
    /// Checks that it has begun and not closed.
    pub drafts: u64,
}

/// Of what an announcement speaks; signed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The installation.
    pub deployment: DeploymentId,
    /// The life of the server's log, as far as the device knows it.
    pub epoch: EpochId,
    /// The device that announces.
    pub device: DeviceId,
    /// The village.
    pub village: VillageId,
}

/// An announcement in a request, and up to where the device has been given those of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The number of the last announcement that it has been given in this epoch; 0 for none.
    pub given: u64,
    /// What it announces.
    pub announced: Announced,
    /// Of a device that holds something unsent, its own signature: the request may be cut before its end.
    pub signature: Option<Signature>,
}

/// What another device announced, as those are told who oversee the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Its number among the announcements about the village, from 1 within an epoch; a newer one has a higher number.
    pub number: u64,
    /// The device that announced it.
    pub device: DeviceId,
    /// What it announced.
    pub announced: Announced,
    /// When the server had it, by the server's clock, milliseconds since 1970.
    pub at_ms: i64,
}

/// The announcements about one village that the device was not told yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcements {
    /// The village.
    pub village: VillageId,
    /// Ascending by number.
    pub told: Vec<Told>,
}

/// What an announcement still says of unsent work, after what has been received since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Of the batches that the device had written by then, those that are not among the received ones.
    pub missing: u64,
    /// Checks that it had closed and not delivered by then; 0 once none of those batches is missing.
    pub checks: u64,
    /// Checks that it had begun and not closed by then. They stay on the device.
    pub drafts: u64,
}

/// Why an announcement is believed to be the device's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It is signed by itself. The same bytes may have come before.
    Itself,
    /// The request that it came in is: signed as a whole, with a nonce that was used up for it.
    Request,
}

impl Announced {
    /// Whether this takes the place of what the same device announced before, in the same epoch.
    ///
    /// A chain only grows, so its length is the order; with the same length a fresh request alone says something newer.
    #[must_use]
    pub fn replaces(&self, before: Option<&Self>, proof: Proof) -> bool {
        before.is_none_or(|before| match proof {
            Proof::Itself => self.next > before.next,
            Proof::Request => self.next >= before.next,
        })
    }

    /// The batches that it speaks of and that are not among the received ones, which end below `received_next`.
    #[must_use]
    pub fn missing(&self, received_next: u64) -> u64 {
        self.next.saturating_sub(received_next.max(1))
    }

    /// What is left of it once the batches that end below `received_next` are received.
    #[must_use]
    pub fn left(&self, received_next: u64) -> Left {
        let missing = self.missing(received_next);
        Left { missing, checks: if missing > 0 { self.checks } else { 0 }, drafts: self.drafts }
    }

    fn write(&self, writer: &mut Writer) {
        writer.varint(self.next).varint(self.checks).varint(self.drafts);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self { next: reader.varint()?, checks: reader.varint()?, drafts: reader.varint()? })
    }
}

impl Subject {
    /// What is signed: SHA-256 of deployment ‖ epoch ‖ device ‖ village ‖ next ‖ checks ‖ drafts.
    fn digest(&self, announced: &Announced) -> [u8; 32] {
        let mut writer = Writer::new();
        writer.raw(self.deployment.as_bytes()).raw(self.epoch.as_bytes());
        writer.raw(self.device.as_bytes()).raw(self.village.as_bytes());
        announced.write(&mut writer);
        Sha256::digest(writer.finish()).into()
    }

    /// The device's own signature.
    #[must_use]
    pub fn sign(&self, announced: &Announced, key: &SecretKey) -> Signature {
        key.sign(ANNOUNCEMENT_DOMAIN, &self.digest(announced))
    }

    /// Whether the holder of `key` announced this.
    #[must_use]
    pub fn is_signed(&self, announced: &Announced, signature: &Signature, key: &PublicKey) -> bool {
        key.verify_strict(ANNOUNCEMENT_DOMAIN, &self.digest(announced), signature).is_ok()
    }
}

impl Announcement {
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.varint(self.given);
        self.announced.write(writer);
        match &self.signature {
            None => writer.u8(0),
            Some(signature) => writer.u8(1).raw(&signature.0),
        };
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        Ok(Self {
            given: reader.varint()?,
            announced: Announced::read(reader)?,
            signature: match reader.u8()? {
                0 => None,
                1 => Some(Signature(reader.array()?)),
                _ => return Err(CodecError::Unknown("the presence of a signature").into()),
            },
        })
    }
}

impl Announcements {
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.raw(self.village.as_bytes()).varint(self.told.len() as u64);
        for told in &self.told {
            writer.varint(told.number).raw(told.device.as_bytes());
            told.announced.write(writer);
            writer.i64(told.at_ms);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let village = VillageId::from_bytes(reader.array()?);
        let mut told: Vec<Told> = Vec::new();
        for _ in 0..reader.count("announcements", ANNOUNCED_PER_FRAME)? {
            let one = Told {
                number: reader.varint()?,
                device: DeviceId::from_bytes(reader.array()?),
                announced: Announced::read(reader)?,
                at_ms: reader.i64()?,
            };
            if told.last().is_some_and(|last| last.number >= one.number) {
                return Err(PayloadError::NotAscending("announcements"));
            }
            told.push(one);
        }
        Ok(Self { village, told })
    }
}

#[cfg(test)]
mod tests;
