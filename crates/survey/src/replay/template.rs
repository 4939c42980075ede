//! Texts with holes: what stands in an entry or a key because of another change, the receiver writes in.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::change::ChangeHash;

/// A hole for the id, as text, of the document of another change of the batch; its argument is how many
/// changes on it is, zigzag.
pub(super) const DOCUMENT: u8 = 0x01;
/// A hole for a hash in hexadecimal digits. Its argument is twice how many changes back in the batch, or one more
/// than twice the place of a dependency of this change.
pub(super) const HASH: u8 = 0x02;
/// A hole for the id that derives from a put of this change; its argument is how many puts back that is.
pub(super) const DERIVED: u8 = 0x03;
/// A hole for the hash of the answers as they are at this put. No argument.
pub(super) const ANSWERS: u8 = 0x04;

/// A text in which some things are left out that a receiver knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text {
    /// The text with a control character for each hole.
    pub(super) template: Arc<str>,
    /// One for each hole that has an argument.
    pub(super) arguments: Vec<u64>,
}

/// Whether a text can be taken for a template: it holds neither a mark of a hole nor the end mark.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte > ANSWERS)
}

/// How many arguments the holes of a template take.
pub(super) fn argument_count(template: &str) -> usize {
    template.bytes().filter(|byte| matches!(*byte, DOCUMENT | HASH | DERIVED)).count()
}

/// How many holes take the hash of the answers.
pub(super) fn answers_holes(template: &str) -> usize {
    template.bytes().filter(|byte| *byte == ANSWERS).count()
}

/// What may be left out of the texts of one put, as it would stand in them.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Ids of documents, with the arguments.
    pub(super) documents: BTreeMap<String, u64>,
    /// Hashes, with the arguments.
    pub(super) hashes: BTreeMap<ChangeHash, u64>,
    /// Ids that derive from puts of the change, with their places.
    pub(super) derived: BTreeMap<String, usize>,
    /// The hash of the answers.
    pub(super) answers: Option<String>,
}

/// Makes holes in a plain text wherever a word is `known`; `place` is the put's.
pub(super) fn cut(text: &str, known: &Known, place: usize) -> Text {
    let mut template = String::with_capacity(text.len());
    let mut arguments = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        match hole(word, known, place) {
            Some((mark, argument)) => {
                template.push(char::from(mark));
                arguments.extend(argument);
            }
            None => template.push_str(word),
        }
        let between = tail.find(is_word).unwrap_or(tail.len());
        let (other, next) = tail.split_at(between);
        template.push_str(other);
        rest = next;
    }
    Text { template: template.into(), arguments }
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

fn hole(word: &str, known: &Known, place: usize) -> Option<(u8, Option<u64>)> {
    match word.len() {
        16 => {
            let back = place.checked_sub(*known.derived.get(word)?)?;
            Some((DERIVED, Some(back as u64)))
        }
        36 => Some((DOCUMENT, Some(*known.documents.get(word)?))),
        64 if known.answers.as_deref() == Some(word) => Some((ANSWERS, None)),
        64 => Some((HASH, Some(*known.hashes.get(&word.parse().ok()?)?))),
        _ => None,
    }
}

impl Text {
    /// The text with its holes filled; nothing when `fill` knows one not.
    pub(super) fn filled<E>(&self, mut fill: impl FnMut(u8, u64) -> Result<String, E>) -> Result<String, E> {
        let mut arguments = self.arguments.iter().copied();
        let mut text = String::with_capacity(self.template.len());
        for c in self.template.chars() {
            match u8::try_from(c) {
                Ok(mark @ (DOCUMENT | HASH | DERIVED)) => {
                    text.push_str(&fill(mark, arguments.next().unwrap_or(0))?);
                }
                Ok(ANSWERS) => text.push_str(&fill(ANSWERS, 0)?),
                _ => text.push(c),
            }
        }
        Ok(text)
    }
}
