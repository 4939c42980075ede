//! A batch header without what its receiver knows.

use std::collections::BTreeMap;

use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::{DeploymentId, DeviceId, EpochId, UserId, VillageId};
use ruhu_survey::replay::Tables;

use super::StreamStart;
use crate::batch::{Anchor, BatchBody, BatchHeader, BatchId};
use crate::tree::Hash;

/// The user is written out.
const USER: u8 = 1;
/// The anchor is written out.
const ANCHOR: u8 = 2;

/// The part of a header that its receiver cannot work out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayHeader {
    /// The device that signed.
    pub device: DeviceId,
    /// Who wrote.
    pub user: UserId,
    /// Its number in the chain.
    pub number: u64,
    /// The newest checkpoint the device held.
    pub anchor: Anchor,
    /// The version of the document schema.
    pub schema: u16,
    /// The device's clock, milliseconds since 1970.
    pub wall_ms: i64,
    /// Milliseconds since the device started.
    pub monotonic_ms: u64,
}

/// What the headers before it in the stream say.
#[derive(Debug, Clone)]
pub(super) struct HeaderMemory {
    anchor: Anchor,
    wall_ms: i64,
    monotonic_ms: u64,
    /// The user and the number of the last batch of each chain.
    chains: BTreeMap<DeviceId, (UserId, u64)>,
}

impl HeaderMemory {
    pub(super) fn new(start: &StreamStart) -> Self {
        Self { anchor: start.anchor, wall_ms: 0, monotonic_ms: 0, chains: BTreeMap::new() }
    }

    pub(super) fn write(&mut self, header: &ReplayHeader, tables: &mut Tables, writer: &mut Writer) {
        let before = self.chains.get(&header.device).copied();
        let same_user = before.is_some_and(|(user, _)| user == header.user);
        let same_anchor = self.anchor == header.anchor;
        writer.u8(if same_user { 0 } else { USER } | if same_anchor { 0 } else { ANCHOR });
        let place = tables.chain_place(header.device);
        writer.varint(place as u64);
        if tables.chain(place).is_none() {
            writer.raw(header.device.as_bytes());
            tables.keep_chain(header.device);
        }
        let expected = before.map_or(1, |(_, number)| number.wrapping_add(1));
        writer.zigzag(header.number.wrapping_sub(expected).cast_signed());
        if !same_user {
            writer.raw(header.user.as_bytes());
        }
        if !same_anchor {
            let Anchor { epoch, size, root } = header.anchor;
            writer.raw(epoch.as_bytes()).varint(size).raw(&root);
        }
        writer.varint(u64::from(header.schema));
        writer.zigzag(header.wall_ms.wrapping_sub(self.wall_ms));
        writer.zigzag(header.monotonic_ms.wrapping_sub(self.monotonic_ms).cast_signed());
        self.remember(header);
    }

    pub(super) fn read(
        &mut self,
        tables: &mut Tables,
        reader: &mut Reader<'_>,
    ) -> Result<ReplayHeader, CodecError> {
        let flags = reader.u8()?;
        if flags & !(USER | ANCHOR) != 0 {
            return Err(CodecError::Unknown("a flag of a header"));
        }
        let device = read_chain(tables, reader)?;
        let before = self.chains.get(&device).copied();
        let expected = before.map_or(1, |(_, number)| number.wrapping_add(1));
        let number = expected.wrapping_add(reader.zigzag()?.cast_unsigned());
        let user = match (flags & USER != 0, before) {
            (true, _) => UserId::from_bytes(reader.array()?),
            (false, Some((user, _))) => user,
            (false, None) => return Err(CodecError::Unknown("the user of a batch")),
        };
        let anchor = match flags & ANCHOR != 0 {
            true => Anchor {
                epoch: EpochId::from_bytes(reader.array()?),
                size: reader.varint()?,
                root: reader.array()?,
            },
            false => self.anchor,
        };
        let schema = u16::try_from(reader.varint()?).map_err(|_| CodecError::Number)?;
        let wall_ms = self.wall_ms.wrapping_add(reader.zigzag()?);
        let monotonic_ms = self.monotonic_ms.wrapping_add(reader.zigzag()?.cast_unsigned());
        let header = ReplayHeader { device, user, number, anchor, schema, wall_ms, monotonic_ms };
        self.remember(&header);
        Ok(header)
    }

    fn remember(&mut self, header: &ReplayHeader) {
        self.anchor = header.anchor;
        (self.wall_ms, self.monotonic_ms) = (header.wall_ms, header.monotonic_ms);
        self.chains.insert(header.device, (header.user, header.number));
    }
}

fn read_chain(tables: &mut Tables, reader: &mut Reader<'_>) -> Result<DeviceId, CodecError> {
    let place = usize::try_from(reader.varint()?).map_err(|_| CodecError::Number)?;
    match tables.chain(place) {
        Some(device) => Ok(device),
        None if place == tables.chain_count() => {
            let device = DeviceId::from_bytes(reader.array()?);
            tables.keep_chain(device);
            Ok(device)
        }
        None => Err(CodecError::Unknown("a chain")),
    }
}

impl ReplayHeader {
    /// The part of a header that its receiver cannot work out.
    #[must_use]
    pub const fn of(header: &BatchHeader) -> Self {
        Self {
            device: header.device,
            user: header.user,
            number: header.number,
            anchor: header.anchor,
            schema: header.schema,
            wall_ms: header.wall_ms,
            monotonic_ms: header.monotonic_ms,
        }
    }

    pub(super) fn complete(
        &self,
        deployment: DeploymentId,
        village: VillageId,
        previous: Option<BatchId>,
        body: &BatchBody,
        root: Hash,
    ) -> BatchHeader {
        BatchHeader {
            deployment,
            device: self.device,
            user: self.user,
            village,
            number: self.number,
            previous,
            anchor: self.anchor,
            schema: self.schema,
            wall_ms: self.wall_ms,
            monotonic_ms: self.monotonic_ms,
            count: u16::try_from(body.changes.len()).unwrap_or(u16::MAX),
            root,
        }
    }
}
