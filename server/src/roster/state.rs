//! What the imports of a roster left behind in one household: the base of the next three-way merge.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use ruhu_survey::change::Value;
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::register::Register;
use sha2::Sha256;

const VERSION: u8 = 1;
const REGISTER_BYTES_MAX: usize = 16 << 20;
const MEMBERS_MAX: usize = 1_000;
const CELLS_MAX: usize = 100_000;
const TEXT_BYTES_MAX: usize = 400;

/// A keyed hash of a cell: enough to see that it changed, useless for reading it.
pub type CellTag = [u8; 16];

/// How a roster tells one member of a household from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberMark {
    /// The person's number on the roster (人编号), or nothing.
    pub person: String,
    /// The keyed hash of the certificate number, or nothing.
    pub certificate: String,
    /// The keyed hash of the name.
    pub name: String,
    /// True if the member was recorded in the field before the roster had them.
    pub from_field: bool,
}

/// What the imports of a roster left behind in one household.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RosterState {
    /// The document as the imports alone made it: what the next import is written onto.
    pub register: Register,
    /// Its members, by their ids in the document.
    pub members: BTreeMap<String, MemberMark>,
    /// The keyed hash of each cell as last imported, by the key it stands for.
    pub cells: BTreeMap<String, CellTag>,
}

/// The keyed hash of what a roster says for a key, under the village's search key.
#[must_use]
pub fn cell_tag(village_key: &[u8; 32], key: &str, plain: &Value) -> CellTag {
    let mut writer = Writer::new();
    writer.text(key);
    match plain {
        Value::Null => writer.u8(0),
        Value::Bool(value) => writer.u8(1).u8(u8::from(*value)),
        Value::Int(value) => writer.u8(2).i64(*value),
        Value::Text(value) => writer.u8(3).text(value),
        Value::Bytes(value) => writer.u8(4).bytes(value),
    };
    keyed(village_key, b"ruhu/roster-cell/1", &writer.finish())
}

/// The keyed hash of a name as 32 hexadecimal digits, under the village's search key.
#[must_use]
pub fn name_tag(village_key: &[u8; 32], name: &str) -> String {
    crate::keys::hex(&keyed(village_key, b"ruhu/roster-name/1", name.as_bytes()))
}

fn keyed(key: &[u8; 32], purpose: &[u8], bytes: &[u8]) -> CellTag {
    // Any length of key is taken, so this is never an error.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else { return CellTag::default() };
    let digest: [u8; 32] =
        mac.chain_update(purpose).chain_update(b"\n").chain_update(bytes).finalize().into_bytes().into();
    let mut tag = CellTag::default();
    tag.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    tag
}

impl RosterState {
    /// Canonical bytes for the database.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION).bytes(&self.register.to_bytes());
        writer.varint(self.members.len() as u64);
        for (id, mark) in &self.members {
            writer.text(id).text(&mark.person).text(&mark.certificate).text(&mark.name);
            writer.u8(u8::from(mark.from_field));
        }
        writer.varint(self.cells.len() as u64);
        for (key, tag) in &self.cells {
            writer.text(key).raw(tag);
        }
        writer.finish()
    }

    /// The state of these bytes.
    ///
    /// # Errors
    /// [`CodecError`] when they are not exactly one state.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Err(CodecError::Unknown("version of a roster state"));
        }
        let register = Register::from_bytes(reader.bytes("register", REGISTER_BYTES_MAX)?)?;
        let mut state = Self { register, ..Self::default() };
        for _ in 0..reader.count("members", MEMBERS_MAX)? {
            let id = read_text(&mut reader)?;
            let (person, certificate) = (read_text(&mut reader)?, read_text(&mut reader)?);
            let (name, from_field) = (read_text(&mut reader)?, reader.u8()? == 1);
            state.members.insert(id, MemberMark { person, certificate, name, from_field });
        }
        for _ in 0..reader.count("cells", CELLS_MAX)? {
            let key = read_text(&mut reader)?;
            state.cells.insert(key, reader.array()?);
        }
        reader.end()?;
        Ok(state)
    }
}

fn read_text(reader: &mut Reader<'_>) -> Result<String, CodecError> {
    Ok(reader.text("text", TEXT_BYTES_MAX)?.to_owned())
}

#[cfg(test)]
mod tests {
    use ruhu_survey::change::ActorId;
    use ruhu_survey::register::ChangeBuilder;

    use super::*;

    fn state() -> RosterState {
        let mut register = Register::default();
        let mut builder = ChangeBuilder::new(&register, ActorId([1; 16]), 1_700_000_000);
        builder.put("group_name", Value::Text("三组".to_owned()));
        let (change, encoded) = builder.finish().unwrap();
        register.apply(&change, encoded.hash);
        let mark = MemberMark { person: "0001".to_owned(), from_field: true, ..MemberMark::default() };
        RosterState {
            register,
            members: BTreeMap::from([("7k3q".to_owned(), mark)]),
            cells: BTreeMap::from([("group_name".to_owned(), [7; 16])]),
        }
    }

    #[test]
    fn a_state_reads_back_from_its_bytes() {
        assert_eq!(RosterState::from_bytes(&state().to_bytes()).unwrap(), state());
    }

    #[test]
    fn cut_or_longer_bytes_are_refused() {
        let bytes = state().to_bytes();
        for end in 0..bytes.len() {
            assert!(RosterState::from_bytes(&bytes[..end]).is_err(), "{end}");
        }
        assert!(RosterState::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
        assert!(RosterState::from_bytes(&[&[2], bytes.split_at(1).1].concat()).is_err());
    }

    #[test]
    fn a_cell_tag_tells_key_kind_and_village_apart() {
        let tag = |village: u8, key: &str, value| cell_tag(&[village; 32], key, &value);
        let base = tag(1, "a", Value::Int(1));
        assert_eq!(base, tag(1, "a", Value::Int(1)));
        assert_ne!(base, tag(2, "a", Value::Int(1)));
        assert_ne!(base, tag(1, "b", Value::Int(1)));
        assert_ne!(base, tag(1, "a", Value::Text("1".to_owned())));
        assert_ne!(base, tag(1, "a", Value::Bool(true)));
    }
}
