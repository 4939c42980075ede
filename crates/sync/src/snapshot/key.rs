//! Keys and values in short form: what every household's document repeats is named once.
//!
//! A key such as `member/7k3q…/full_name` is a template, `member/*/full_name`, and an id that the document
//! has named before or that derives from the very put. Like values of a template stand together.

use ruhu_survey::change::{OpId, Value};
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::limits::VALUE_BYTES_MAX;
use ruhu_survey::register::derived_id;

/// The letters and digits of a derived id: 16 of the lower-case base32 alphabet.
const ID_CHARS: usize = 16;

/// The id in the second place of a key, if there is one.
pub(super) fn id_of(key: &str) -> Option<&str> {
    let id = key.split('/').nth(1)?;
    let derived = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
    (id.len() == ID_CHARS && id.bytes().all(derived)).then_some(id)
}

/// The key with a star in the place of its id.
pub(super) fn template_of(key: &str) -> String {
    match id_of(key) {
        None => key.to_owned(),
        Some(id) => key.replacen(id, "*", 1),
    }
}

/// The key that a template and an id make.
pub(super) fn key_of(template: &str, id: Option<&str>) -> String {
    match id {
        None => template.to_owned(),
        Some(id) => template.replacen('*', id, 1),
    }
}

/// Whether a template holds the place of an id.
pub(super) fn has_id(template: &str) -> bool {
    template.split('/').nth(1) == Some("*")
}

/// The ids that one document has named so far.
#[derive(Debug, Default)]
pub(super) struct Named(Vec<String>);

/// The id derives from the put that names it first.
const DERIVED: u64 = 0;
/// The id is written out.
const WRITTEN: u64 = 1;
/// The first number that stands for an id named before.
const NAMED: u64 = 2;

impl Named {
    fn place(&self, id: &str) -> Option<u64> {
        self.0.iter().rev().position(|named| named == id).map(|place| place as u64)
    }

    fn at(&self, place: u64) -> Option<&str> {
        let place = usize::try_from(place).ok()?;
        self.0.iter().rev().nth(place).map(String::as_str)
    }

    pub(super) fn write(&mut self, writer: &mut Writer, id: &str, op: OpId) {
        if let Some(place) = self.place(id) {
            writer.varint(NAMED.saturating_add(place));
            return;
        }
        if derived_id(op) == id {
            writer.varint(DERIVED);
        } else {
            writer.varint(WRITTEN).text(id);
        }
        self.0.push(id.to_owned());
    }

    pub(super) fn read(&mut self, reader: &mut Reader<'_>, op: OpId) -> Result<String, CodecError> {
        let id = match reader.varint()? {
            DERIVED => derived_id(op),
            WRITTEN => reader.text("id", ID_CHARS)?.to_owned(),
            place => {
                let named = self.at(place.saturating_sub(NAMED)).ok_or(CodecError::Unknown("id"))?;
                return Ok(named.to_owned());
            }
        };
        self.0.push(id.clone());
        Ok(id)
    }
}

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const TEXT: u8 = 4;
const BYTES: u8 = 5;
/// A text that is an id the document has named.
const NAMED_ID: u8 = 6;
/// A sealed value whose bytes stand in the random column (from version 2).
const SEALED: u8 = 7;
/// A search tag whose bytes stand in the random column (from version 2).
const TAG: u8 = 8;

/// What every sealed value begins with, and how much longer it is than its text.
const SEALED_FIRST: u8 = 1;
const SEALED_MORE: usize = 17;
/// Bytes of a search tag, which is a text of twice as many hexadecimal digits.
const TAG_BYTES: usize = 8;

/// Writes a value in short form; `random`, where there is one, takes what does not compress.
pub(super) fn write_value(writer: &mut Writer, random: Option<&mut Writer>, named: &Named, value: &Value) {
    if let Some(random) = random {
        match value {
            Value::Bytes(bytes) => {
                if let Some((text_bytes, sealed)) = sealed(bytes) {
                    writer.u8(SEALED).varint(text_bytes as u64);
                    random.raw(sealed);
                    return;
                }
            }
            Value::Text(text) => {
                if let Some(tag) = tag(text) {
                    writer.u8(TAG);
                    random.raw(&tag);
                    return;
                }
            }
            _ => {}
        }
    }
    match value {
        Value::Null => writer.u8(NULL),
        Value::Bool(false) => writer.u8(FALSE),
        Value::Bool(true) => writer.u8(TRUE),
        Value::Int(number) => writer.u8(INT).varint(zigzag(*number)),
        Value::Text(text) => match named.place(text) {
            Some(place) => writer.u8(NAMED_ID).varint(place),
            None => writer.u8(TEXT).text(text),
        },
        Value::Bytes(bytes) => writer.u8(BYTES).bytes(bytes),
    };
}

/// The length of the text in a sealed value, and what follows its first byte.
fn sealed(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let text_bytes = bytes.len().checked_sub(SEALED_MORE)?;
    (*first == SEALED_FIRST).then_some((text_bytes, rest))
}

/// The bytes of a search tag.
fn tag(text: &str) -> Option<[u8; TAG_BYTES]> {
    let digits = text.len() == 2 * TAG_BYTES && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let bytes = if digits { data_encoding::HEXLOWER.decode(text.as_bytes()).ok()? } else { return None };
    bytes.try_into().ok()
}

/// Reads what [`write_value`] wrote.
pub(super) fn read_value(
    reader: &mut Reader<'_>,
    random: Option<&mut Reader<'_>>,
    named: &Named,
) -> Result<Value, CodecError> {
    Ok(match (reader.u8()?, random) {
        (SEALED, Some(random)) => {
            let text_bytes = reader.count("sealed value", VALUE_BYTES_MAX.saturating_sub(SEALED_MORE))?;
            let mut bytes = vec![SEALED_FIRST];
            bytes.extend_from_slice(random.raw(text_bytes.saturating_add(SEALED_MORE - 1))?);
            Value::Bytes(bytes)
        }
        (TAG, Some(random)) => Value::Text(data_encoding::HEXLOWER.encode(&random.array::<TAG_BYTES>()?)),
        (code, _) => read_plain(code, reader, named)?,
    })
}

/// Reads a value of the first version, whose code was read.
fn read_plain(code: u8, reader: &mut Reader<'_>, named: &Named) -> Result<Value, CodecError> {
    Ok(match code {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INT => Value::Int(unzigzag(reader.varint()?)),
        TEXT => Value::Text(reader.text("text", VALUE_BYTES_MAX)?.to_owned()),
        BYTES => Value::Bytes(reader.bytes("sealed value", VALUE_BYTES_MAX)?.to_vec()),
        NAMED_ID => {
            let id = named.at(reader.varint()?).ok_or(CodecError::Unknown("id"))?;
            Value::Text(id.to_owned())
        }
        _ => return Err(CodecError::Unknown("value")),
    })
}

/// A signed number whose small values are short, of either sign.
pub(super) const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// The number that [`zigzag`] was given.
pub(super) const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ruhu_survey::change::ActorId;

    use super::*;

    const OP: OpId = OpId { counter: 7, actor: ActorId([1; 16]) };

    #[test]
    fn only_the_second_part_of_a_key_is_an_id() {
        let id = derived_id(OP);
        let key = format!("member/{id}/full_name");
        assert_eq!(id_of(&key), Some(id.as_str()));
        assert_eq!(template_of(&key), "member/*/full_name");
        assert_eq!(key_of("member/*/full_name", Some(&id)), key);
        assert_eq!(id_of("answer/housing/grade"), None);
        assert!(!has_id("answer/housing/grade"));
    }

    #[test]
    fn an_id_costs_a_byte_where_it_derives_from_its_put_and_where_it_was_named() {
        let (mut writer, mut named) = (Writer::new(), Named::default());
        named.write(&mut writer, &derived_id(OP), OP);
        named.write(&mut writer, "7k3q7k3q7k3q7k3q", OP);
        named.write(&mut writer, &derived_id(OP), OP);
        let bytes = writer.finish();
        assert_eq!(bytes.len(), 1 + 18 + 1);
        let (mut reader, mut read) = (Reader::new(&bytes), Named::default());
        assert_eq!(read.read(&mut reader, OP), Ok(derived_id(OP)));
        assert_eq!(read.read(&mut reader, OP).unwrap(), "7k3q7k3q7k3q7k3q");
        assert_eq!(read.read(&mut reader, OP), Ok(derived_id(OP)));
    }

    proptest! {
        #[test]
        fn every_number_comes_back(number: i64) {
            prop_assert_eq!(unzigzag(zigzag(number)), number);
        }
    }
}
