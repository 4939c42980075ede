//! Taking a batch off its columns. Everything is bounded before it is expanded, and nothing but the
//! bytes and the tables decides, so every receiver's tables stay the sender's.

use std::sync::Arc;

use super::columns::{
    BEFORE, ColumnReaders, EXPECTED, EXPONENT_MAX, FALSE, FOUNDED, HELD_KEY, LITERAL, MENTIONED, NAMED, NEAR,
    NEW_KEY, NEW_TEXT, NULL, NUMBER, SAME, SEALED, TRUE, VILLAGE, WHOLE, by_key,
};
use super::tables::{HeldValue, Tables};
use super::template::{Text, answers_holes, argument_count};
use super::{
    CHANGES_MAX, DependencyRef, DocumentRef, EXPANDED_BYTES_MAX, Name, OPENINGS_MAX, PUTS_MAX, SpelledChange,
    SpelledPut, SpelledValue, Spelling,
};
use crate::change::{ActorId, DocumentId, DocumentKind};
use crate::codec::{CodecError, Reader};
use crate::id::DeviceId;
use crate::limits::{DEPENDENCIES_MAX, KEY_BYTES_MAX, OPS_MAX, VALUE_BYTES_MAX};

impl Tables {
    /// Takes the next batch of the stream, which is by `device`, off its columns.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are no batch. The tables are worth nothing then: the stream is over.
    pub fn read(&mut self, device: DeviceId, bytes: &[u8]) -> Result<Spelling, CodecError> {
        let mut sheet = Sheet { tables: self, columns: ColumnReaders::of(bytes)?, expanded: 0 };
        let openings = sheet.openings()?;
        let mut spelling = Spelling { device, openings, changes: Vec::new() };
        let counts = sheet.changes(&mut spelling)?;
        let mut keys = Vec::with_capacity(counts.len());
        for (change, count) in spelling.changes.iter_mut().zip(counts) {
            keys.push(sheet.keys(change, count)?);
        }
        for (key, change, put) in by_key(&keys) {
            let Some(change) = spelling.changes.get_mut(change) else { continue };
            let Some(put) = change.puts.get_mut(put) else { continue };
            put.value = sheet.value(key, change.claimed_at)?;
        }
        sheet.columns.end()?;
        Ok(spelling)
    }
}

struct Sheet<'t, 'a> {
    tables: &'t mut Tables,
    columns: ColumnReaders<'a>,
    /// Bytes of keys and values so far, each where it stands.
    expanded: usize,
}

impl Sheet<'_, '_> {
    fn openings(&mut self) -> Result<Vec<[u8; 8]>, CodecError> {
        let count = self.columns.openings.count("openings", OPENINGS_MAX)?;
        let mut openings = Vec::with_capacity(count);
        for _ in 0..count {
            let place = place(&mut self.columns.openings)?;
            let opening = match place.checked_sub(1) {
                Some(place) => self.tables.opening(place).ok_or(CodecError::Unknown("an opening"))?,
                None => {
                    let opening = self.columns.openings.array()?;
                    self.tables.keep_opening(opening);
                    opening
                }
            };
            openings.push(opening);
        }
        Ok(openings)
    }

    /// Reads all of the changes but their puts; how many of these each has.
    fn changes(&mut self, spelling: &mut Spelling) -> Result<Vec<usize>, CodecError> {
        let count = self.columns.openings.count("changes", CHANGES_MAX)?;
        let actors = spelling.actors();
        let (mut counts, mut puts) = (Vec::with_capacity(count), 0_usize);
        for _ in 0..count {
            let before = spelling.changes.last().map(|change| change.document);
            let document = self.document(before, &actors)?;
            let opening = place(&mut self.columns.authors)?;
            if opening >= actors.len() {
                return Err(CodecError::Unknown("the opening of a change"));
            }
            let step = self.columns.times.zigzag()?;
            let claimed_at = self.tables.claimed_at.wrapping_add(step);
            self.tables.claimed_at = claimed_at;
            let dependencies = self.dependencies()?;
            counts.push(self.columns.counts.count("puts", OPS_MAX)?);
            puts += counts.last().copied().unwrap_or(0);
            if puts > PUTS_MAX {
                return Err(too_long("puts of a batch", puts, PUTS_MAX));
            }
            spelling.changes.push(SpelledChange {
                document,
                opening,
                claimed_at,
                dependencies,
                puts: Vec::new(),
            });
        }
        Ok(counts)
    }

    fn document(
        &mut self,
        before: Option<DocumentRef>,
        actors: &[ActorId],
    ) -> Result<DocumentRef, CodecError> {
        let unknown = || CodecError::Unknown("a document");
        let names = &mut self.columns.names;
        let document = match self.columns.documents.u8()? {
            SAME => return before.ok_or_else(unknown),
            MENTIONED => return self.tables.document(place(names)?).ok_or_else(unknown),
            WHOLE => DocumentRef::Whole(DocumentId { kind: kind(names)?, id: names.array()? }),
            FOUNDED => {
                let kind = kind(names)?;
                let actor = *actors.get(place(names)?).ok_or_else(unknown)?;
                let step = names.zigzag()?.cast_unsigned();
                self.tables.founded = self.tables.founded.wrapping_add(step);
                DocumentRef::Founded { kind, actor, number: self.tables.founded }
            }
            VILLAGE => DocumentRef::Village,
            NAMED => {
                let place = place(names)?;
                let device = match self.tables.chain(place) {
                    Some(device) => device,
                    None if place == self.tables.chain_count() => {
                        let device = DeviceId::from_bytes(names.array()?);
                        self.tables.keep_chain(device);
                        device
                    }
                    None => return Err(unknown()),
                };
                DocumentRef::Named(Name { device, number: names.varint()? })
            }
            _ => return Err(unknown()),
        };
        self.tables.keep_document(document);
        Ok(document)
    }

    fn dependencies(&mut self) -> Result<Vec<DependencyRef>, CodecError> {
        let count = self.columns.dependencies.count("dependencies", DEPENDENCIES_MAX)?;
        let mut dependencies = Vec::with_capacity(count);
        for _ in 0..count {
            dependencies.push(match self.columns.dependencies.u8()? {
                BEFORE => DependencyRef::Before,
                length @ 2..=32 => {
                    DependencyRef::Beginning(self.columns.beginnings.raw(usize::from(length))?.to_vec())
                }
                _ => return Err(CodecError::Unknown("a dependency")),
            });
        }
        Ok(dependencies)
    }

    /// Reads the keys of a change; where the tables hold each.
    fn keys(&mut self, change: &mut SpelledChange, count: usize) -> Result<Vec<Option<usize>>, CodecError> {
        let class = change.document.class();
        let mut before = None;
        let mut places = Vec::with_capacity(count);
        for _ in 0..count {
            let (template, place) = self.key(class, before)?;
            self.expand(template.len())?;
            let arguments = self.arguments(&template)?;
            self.tables.follow(class, before, place);
            before = place;
            places.push(place);
            change.puts.push(SpelledPut { key: Text { template, arguments }, value: SpelledValue::Null });
        }
        Ok(places)
    }

    fn key(&mut self, class: u8, before: Option<usize>) -> Result<(Arc<str>, Option<usize>), CodecError> {
        let unknown = || CodecError::Unknown("a key");
        let place = match self.columns.keys.varint()? {
            NEW_KEY => {
                let text = until_zero(&mut self.columns.texts, "a key", KEY_BYTES_MAX)?;
                let place = self.tables.keep_key(&text);
                return Ok((text, place));
            }
            EXPECTED => self.tables.expected(class, before).ok_or_else(unknown)?,
            held => usize::try_from(held - HELD_KEY).map_err(|_| unknown())?,
        };
        Ok((self.tables.key(place).ok_or_else(unknown)?.clone(), Some(place)))
    }

    fn arguments(&mut self, template: &str) -> Result<Vec<u64>, CodecError> {
        if answers_holes(template) > 1 {
            return Err(CodecError::Unknown("a text with two hashes of the answers"));
        }
        (0..argument_count(template)).map(|_| self.columns.arguments.varint()).collect()
    }

    fn value(&mut self, key: Option<usize>, claimed_at: i64) -> Result<SpelledValue, CodecError> {
        Ok(match self.columns.values.u8()? {
            NULL => SpelledValue::Null,
            FALSE => SpelledValue::Bool(false),
            TRUE => SpelledValue::Bool(true),
            SEALED => {
                let sealed = self.columns.bytes.bytes("a sealed value", VALUE_BYTES_MAX)?.to_vec();
                self.expand(sealed.len())?;
                SpelledValue::Bytes(sealed)
            }
            LITERAL => {
                let text = self.columns.bytes.text("a text", VALUE_BYTES_MAX)?.to_owned();
                self.expand(text.len())?;
                SpelledValue::Literal(text)
            }
            NEW_TEXT => {
                let text = until_zero(&mut self.columns.texts, "a text", VALUE_BYTES_MAX)?;
                self.tables.keep_value(key, HeldValue::Text(Arc::clone(&text)));
                self.text(text)?
            }
            NEAR => {
                let near = self.columns.numbers.zigzag()?;
                SpelledValue::Int(near.wrapping_add(claimed_at.wrapping_mul(1_000)))
            }
            code if code < NULL => self.held(key, usize::from(code))?,
            code => self.number(key, code - NUMBER)?,
        })
    }

    fn held(&mut self, key: Option<usize>, rank: usize) -> Result<SpelledValue, CodecError> {
        let value = self.tables.value(key, rank).ok_or(CodecError::Unknown("a value"))?.clone();
        self.tables.count_value(key, rank);
        match value {
            HeldValue::Int(number) => Ok(SpelledValue::Int(number)),
            HeldValue::Text(text) => self.text(text),
        }
    }

    fn text(&mut self, template: Arc<str>) -> Result<SpelledValue, CodecError> {
        self.expand(template.len())?;
        let arguments = self.arguments(&template)?;
        Ok(SpelledValue::Text(Text { template, arguments }))
    }

    fn number(&mut self, key: Option<usize>, exponent: u8) -> Result<SpelledValue, CodecError> {
        let digits = self.columns.numbers.zigzag()?;
        let power = Some(exponent).filter(|exponent| *exponent <= EXPONENT_MAX);
        let number = power.and_then(|power| digits.checked_mul(10_i64.checked_pow(u32::from(power))?));
        let number = number.ok_or(CodecError::Number)?;
        self.tables.keep_value(key, HeldValue::Int(number));
        Ok(SpelledValue::Int(number))
    }

    fn expand(&mut self, bytes: usize) -> Result<(), CodecError> {
        self.expanded += bytes;
        let found = self.expanded;
        if found > EXPANDED_BYTES_MAX {
            Err(too_long("keys and values", found, EXPANDED_BYTES_MAX))
        } else {
            Ok(())
        }
    }
}

fn place(reader: &mut Reader<'_>) -> Result<usize, CodecError> {
    usize::try_from(reader.varint()?).map_err(|_| CodecError::Number)
}

fn kind(reader: &mut Reader<'_>) -> Result<DocumentKind, CodecError> {
    DocumentKind::from_code(reader.u8()?).ok_or(CodecError::Unknown("document kind"))
}

/// A template up to its end mark.
fn until_zero(reader: &mut Reader<'_>, what: &'static str, limit: usize) -> Result<Arc<str>, CodecError> {
    let bytes = reader.until(0)?;
    if bytes.len() > limit {
        return Err(too_long(what, bytes.len(), limit));
    }
    std::str::from_utf8(bytes).map(Arc::from).map_err(|_| CodecError::Text)
}

fn too_long(what: &'static str, found: usize, limit: usize) -> CodecError {
    CodecError::TooLong { what, found: found as u64, limit: limit as u64 }
}
