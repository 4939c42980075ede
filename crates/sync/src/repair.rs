//! What a device and a server say to one another when their fingerprints of a village differ.
//!
//! First the device asks for symbols of the server's set ([`crate::reconcile`]) until it sees which
//! documents differ, then for the batches of those. Each question stands for itself: the server
//! keeps nothing between them. `schemas/wire/repair.md` is the byte table.

use ruhu_survey::codec::{CodecError, Reader, Writer};

use crate::limits::{REPAIR_DOCUMENTS_MAX, REPAIR_SYMBOLS_MAX};
use crate::reconcile::{Item, Symbol};

const VERSION: u8 = 1;
const SYMBOLS: u8 = 1;
const DOCUMENTS: u8 = 2;

/// A question of a device about one village.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepairQuestion {
    /// The symbols of the server's documents from one number up to another.
    Symbols {
        /// Drawn by the device for this repair.
        key: [u8; 16],
        /// The first symbol wanted.
        from: u64,
        /// How many.
        count: u64,
    },
    /// The batches of these documents.
    Documents {
        /// As in the questions before.
        key: [u8; 16],
        /// The feed number after which to go on; 0 at first.
        after: u64,
        /// The documents as the server has them, ascending.
        documents: Vec<Item>,
    },
}

impl RepairQuestion {
    /// The question as a body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION);
        match self {
            Self::Symbols { key, from, count } => {
                writer.u8(SYMBOLS).raw(key).varint(*from).varint(*count);
            }
            Self::Documents { key, after, documents } => {
                writer.u8(DOCUMENTS).raw(key).varint(*after).varint(documents.len() as u64);
                for item in documents {
                    writer.u64(item.0);
                }
            }
        }
        writer.finish()
    }

    /// The question of a body.
    ///
    /// # Errors
    /// [`CodecError`] saying what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Err(CodecError::Unknown("the version of a question"));
        }
        let question = match reader.u8()? {
            SYMBOLS => {
                Self::Symbols { key: reader.array()?, from: reader.varint()?, count: reader.varint()? }
            }
            DOCUMENTS => {
                let (key, after) = (reader.array()?, reader.varint()?);
                let count = reader.count("documents", REPAIR_DOCUMENTS_MAX)?;
                let documents: Vec<Item> =
                    (0..count).map(|_| Ok(Item(reader.u64()?))).collect::<Result<_, CodecError>>()?;
                if !documents.is_sorted_by(|a, b| a < b) {
                    return Err(CodecError::Unknown("the order of the documents"));
                }
                Self::Documents { key, after, documents }
            }
            _ => return Err(CodecError::Unknown("the kind of question")),
        };
        reader.end()?;
        question.check()
    }

    fn check(self) -> Result<Self, CodecError> {
        if let Self::Symbols { from, count, .. } = &self {
            let (found, limit) = (from.saturating_add(*count), REPAIR_SYMBOLS_MAX);
            if found > limit {
                return Err(CodecError::TooLong { what: "symbols", found, limit });
            }
        }
        Ok(self)
    }
}

/// The server's answer to [`RepairQuestion::Symbols`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolsAnswer {
    /// The fingerprint of everything accepted that the symbols stand for.
    pub fingerprint: u64,
    /// The symbols.
    pub symbols: Vec<Symbol>,
}

impl SymbolsAnswer {
    /// The answer as a body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION).u64(self.fingerprint).varint(self.symbols.len() as u64);
        for symbol in &self.symbols {
            symbol.write(&mut writer);
        }
        writer.finish()
    }

    /// The answer of a body.
    ///
    /// # Errors
    /// [`CodecError`] saying what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Err(CodecError::Unknown("the version of an answer"));
        }
        let fingerprint = reader.u64()?;
        let most = usize::try_from(REPAIR_SYMBOLS_MAX).unwrap_or(usize::MAX);
        let count = reader.count("symbols", most)?;
        let symbols = (0..count).map(|_| Symbol::read(&mut reader)).collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self { fingerprint, symbols })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::reconcile::symbols;

    #[test]
    fn questions_and_answers_read_back() {
        let symbols_wanted = RepairQuestion::Symbols { key: [1; 16], from: 64, count: 192 };
        let documents = (1..=REPAIR_DOCUMENTS_MAX as u64).map(Item).collect();
        let documents = RepairQuestion::Documents { key: [1; 16], after: 9, documents };
        for question in [symbols_wanted, documents] {
            assert_eq!(RepairQuestion::from_bytes(&question.to_bytes()), Ok(question));
        }
        let items: BTreeSet<Item> = (0..40).map(|number| Item(number * 0x9e37_79b9)).collect();
        let answer = SymbolsAnswer { fingerprint: 5, symbols: symbols(&items, 20) };
        assert_eq!(SymbolsAnswer::from_bytes(&answer.to_bytes()), Ok(answer));
    }

    #[test]
    fn a_question_is_within_its_limits() {
        let ask = |from, count| RepairQuestion::Symbols { key: [1; 16], from, count }.to_bytes();
        assert!(RepairQuestion::from_bytes(&ask(1, REPAIR_SYMBOLS_MAX - 1)).is_ok());
        assert!(RepairQuestion::from_bytes(&ask(1, REPAIR_SYMBOLS_MAX)).is_err());
        assert!(RepairQuestion::from_bytes(&ask(u64::MAX, u64::MAX)).is_err());
        let documents = |numbers: Vec<u64>| {
            let documents = numbers.into_iter().map(Item).collect();
            RepairQuestion::Documents { key: [1; 16], after: 0, documents }.to_bytes()
        };
        assert!(RepairQuestion::from_bytes(&documents((0..=REPAIR_DOCUMENTS_MAX as u64).collect())).is_err());
        assert!(RepairQuestion::from_bytes(&documents(vec![2, 1])).is_err());
        assert!(RepairQuestion::from_bytes(&documents(vec![1, 1])).is_err());
        let mut longer = documents(vec![1]);
        longer.push(0);
        assert_eq!(RepairQuestion::from_bytes(&longer), Err(CodecError::Trailing(1)));
        assert!(
            (documents((0..REPAIR_DOCUMENTS_MAX as u64).collect()).len() as u64)
                < crate::limits::REPAIR_BYTES_MAX
        );
    }
}
