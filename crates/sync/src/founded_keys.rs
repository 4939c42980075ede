//! Household keys in short: what their receiver can work out is left out.
//!
//! A household that a store's opening founded is named by its founder and a number ([`founded_id`]), a key that grows
//! from a seed by the seed. Of a village of 1,000 households that is 36 bytes each instead of 80. Since protocol 3.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_survey::change::ActorId;
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::{HouseholdId, VillageId};
use ruhu_survey::replay::founded_id;
use ruhu_survey::sealed::HouseholdKey;

use crate::frame::PayloadError;
use crate::key_bytes::KeyBytes;
use crate::limits::KEYS_PER_FRAME;
use crate::response::{VillageKeys, read_search_key, write_search_key};

/// Keys of one village, and who founded the households.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundedKeys {
    /// The keys.
    pub keys: VillageKeys,
    /// The founder and the number of a household, where its id derives from them.
    pub founders: BTreeMap<HouseholdId, (ActorId, u64)>,
}

impl FoundedKeys {
    pub(crate) fn write(&self, writer: &mut Writer) {
        let VillageKeys { village, given, search_key, households } = &self.keys;
        writer.raw(village.as_bytes()).varint(*given);
        write_search_key(writer, search_key.as_ref());
        let actors: BTreeSet<ActorId> = self.founders.values().map(|(actor, _)| *actor).collect();
        let actors: Vec<ActorId> = actors.into_iter().collect();
        writer.varint(actors.len() as u64);
        for actor in &actors {
            writer.raw(&actor.0);
        }
        writer.varint(households.len() as u64);
        for (household, key) in households {
            let key = HouseholdKey::from_bytes(key.0);
            let seed = key.seed();
            let founder = self.founders.get(household);
            let place = founder.and_then(|(actor, _)| actors.binary_search(actor).ok());
            let code = place.map_or(0, |place| (place as u64).saturating_add(1));
            writer.varint(code << 1 | u64::from(seed.is_some()));
            match (place, founder) {
                (Some(_), Some((_, number))) => writer.varint(*number),
                _ => writer.raw(household.as_bytes()),
            };
            match seed {
                Some(seed) => writer.raw(seed),
                None => writer.raw(key.as_bytes()),
            };
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let village = VillageId::from_bytes(reader.array()?);
        let given = reader.varint()?;
        let search_key = read_search_key(reader)?;
        let count = reader.count("founders", KEYS_PER_FRAME)?;
        let actors =
            (0..count).map(|_| Ok(ActorId(reader.array()?))).collect::<Result<Vec<_>, CodecError>>()?;
        if !actors.is_sorted_by(|a, b| a < b) {
            return Err(PayloadError::NotAscending("founders"));
        }
        let (mut households, mut founders) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..reader.count("household keys", KEYS_PER_FRAME)? {
            let (household, founder, key) = read_one(reader, &actors)?;
            if households.last_key_value().is_some_and(|(last, _)| *last >= household) {
                return Err(PayloadError::NotAscending("household keys"));
            }
            founders.extend(founder.map(|founder| (household, founder)));
            households.insert(household, key);
        }
        let keys = VillageKeys { village, given, search_key, households };
        let founded = Self { keys, founders };
        let named: BTreeSet<ActorId> = founded.founders.values().map(|(actor, _)| *actor).collect();
        if named.len() == actors.len() {
            Ok(founded)
        } else {
            Err(CodecError::Unknown("a founder of nothing").into())
        }
    }
}

type One = (HouseholdId, Option<(ActorId, u64)>, KeyBytes<64>);

fn read_one(reader: &mut Reader<'_>, actors: &[ActorId]) -> Result<One, PayloadError> {
    let code = reader.varint()?;
    let (household, founder) = match (code >> 1).checked_sub(1) {
        None => (HouseholdId::from_bytes(reader.array()?), None),
        Some(place) => {
            let actor = usize::try_from(place).ok().and_then(|place| actors.get(place));
            let actor = *actor.ok_or(CodecError::Unknown("a founder"))?;
            let number = reader.varint()?;
            (HouseholdId::from_bytes(founded_id(actor, number)), Some((actor, number)))
        }
    };
    let key = if code & 1 == 1 {
        *HouseholdKey::from_seed(&reader.array()?).as_bytes()
    } else {
        let bytes: [u8; 64] = reader.array()?;
        // A frame has one form: a key that grows from a seed travels as the seed.
        if HouseholdKey::from_bytes(bytes).seed().is_some() {
            return Err(CodecError::Unknown("a long form of a key").into());
        }
        bytes
    };
    Ok((household, founder, KeyBytes(key)))
}
