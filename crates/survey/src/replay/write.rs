//! Laying a batch out in columns, each field of its changes beside its like.

use super::columns::{
    BEFORE, Columns, EXPECTED, EXPONENT_MAX, FALSE, FOUNDED, HELD_KEY, LITERAL, MENTIONED, NAMED, NEAR,
    NEW_KEY, NEW_TEXT, NULL, NUMBER, SAME, SEALED, TRUE, VILLAGE, WHOLE, by_key,
};
use super::tables::{HeldValue, Tables};
use super::template::Text;
use super::{DependencyRef, DocumentRef, SpelledChange, SpelledValue, Spelling};
use crate::codec::Writer;

impl Tables {
    /// Lays out the next batch of the stream.
    #[must_use]
    pub fn write(&mut self, spelling: &Spelling) -> Vec<u8> {
        let mut sheet = Sheet { tables: self, columns: Columns::default() };
        sheet.openings(spelling);
        sheet.changes(spelling);
        let keys: Vec<_> = spelling.changes.iter().map(|change| sheet.keys(change)).collect();
        for (key, change, put) in by_key(&keys) {
            let Some(change) = spelling.changes.get(change) else { continue };
            let Some(put) = change.puts.get(put) else { continue };
            sheet.value(key, &put.value, change.claimed_at);
        }
        sheet.columns.finish()
    }
}

struct Sheet<'a> {
    tables: &'a mut Tables,
    columns: Columns,
}

impl Sheet<'_> {
    fn openings(&mut self, spelling: &Spelling) {
        let column = &mut self.columns.openings;
        column.varint(spelling.openings.len() as u64);
        for opening in &spelling.openings {
            if let Some(place) = self.tables.opening_place(*opening) {
                column.varint(place as u64 + 1);
            } else {
                column.varint(0).raw(opening);
                self.tables.keep_opening(*opening);
            }
        }
        column.varint(spelling.changes.len() as u64);
    }

    fn changes(&mut self, spelling: &Spelling) {
        let mut before = None;
        for change in &spelling.changes {
            if before == Some(change.document) {
                self.columns.documents.u8(SAME);
            } else {
                self.document(&change.document, spelling);
            }
            before = Some(change.document);
            self.columns.authors.varint(change.opening as u64);
            let step = change.claimed_at.wrapping_sub(self.tables.claimed_at);
            self.columns.times.zigzag(step);
            self.tables.claimed_at = change.claimed_at;
            self.dependencies(change);
            self.columns.counts.varint(change.puts.len() as u64);
        }
    }

    fn document(&mut self, document: &DocumentRef, spelling: &Spelling) {
        let (codes, names) = (&mut self.columns.documents, &mut self.columns.names);
        if let Some(place) = self.tables.document_place(document) {
            codes.u8(MENTIONED);
            names.varint(place as u64);
            return;
        }
        self.tables.keep_document(*document);
        match document {
            DocumentRef::Whole(whole) => {
                codes.u8(WHOLE);
                names.u8(whole.kind.code()).raw(&whole.id);
            }
            DocumentRef::Founded { kind, actor, number } => {
                let opening = spelling.actors().iter().position(|known| known == actor).unwrap_or(0);
                let step = number.wrapping_sub(self.tables.founded).cast_signed();
                self.tables.founded = *number;
                codes.u8(FOUNDED);
                names.u8(kind.code()).varint(opening as u64).zigzag(step);
            }
            DocumentRef::Village => {
                codes.u8(VILLAGE);
            }
            DocumentRef::Named(name) => {
                codes.u8(NAMED);
                let place = self.tables.chain_place(name.device);
                names.varint(place as u64);
                if self.tables.chain(place).is_none() {
                    names.raw(name.device.as_bytes());
                    self.tables.keep_chain(name.device);
                }
                names.varint(name.number);
            }
        }
    }

    fn dependencies(&mut self, change: &SpelledChange) {
        let column = &mut self.columns.dependencies;
        column.varint(change.dependencies.len() as u64);
        for dependency in &change.dependencies {
            match dependency {
                DependencyRef::Before => column.u8(BEFORE),
                DependencyRef::Beginning(bytes) => {
                    self.columns.beginnings.raw(bytes);
                    column.varint(bytes.len() as u64)
                }
            };
        }
    }

    /// Writes the keys of a change; where the tables hold each.
    fn keys(&mut self, change: &SpelledChange) -> Vec<Option<usize>> {
        let class = change.document.class();
        let mut before = None;
        let mut places = Vec::with_capacity(change.puts.len());
        for put in &change.puts {
            let held = self.tables.key_place(&put.key.template);
            let place = match held {
                Some(place) if self.tables.expected(class, before) == held => {
                    self.columns.keys.varint(EXPECTED);
                    Some(place)
                }
                Some(place) => {
                    self.columns.keys.varint(HELD_KEY + place as u64);
                    Some(place)
                }
                None => {
                    self.columns.keys.varint(NEW_KEY);
                    end_with_zero(&mut self.columns.texts, &put.key);
                    self.tables.keep_key(&put.key.template)
                }
            };
            self.arguments(&put.key);
            self.tables.follow(class, before, place);
            before = place;
            places.push(place);
        }
        places
    }

    fn arguments(&mut self, text: &Text) {
        for argument in &text.arguments {
            self.columns.arguments.varint(*argument);
        }
    }

    fn value(&mut self, key: Option<usize>, value: &SpelledValue, claimed_at: i64) {
        match value {
            SpelledValue::Null => self.code(NULL),
            SpelledValue::Bool(false) => self.code(FALSE),
            SpelledValue::Bool(true) => self.code(TRUE),
            SpelledValue::Bytes(sealed) => {
                self.code(SEALED);
                self.columns.bytes.bytes(sealed);
            }
            SpelledValue::Literal(text) => {
                self.code(LITERAL);
                self.columns.bytes.text(text);
            }
            SpelledValue::Text(text) => {
                if !self.held(key, &HeldValue::Text(text.template.clone())) {
                    self.code(NEW_TEXT);
                    end_with_zero(&mut self.columns.texts, text);
                    self.tables.keep_value(key, HeldValue::Text(text.template.clone()));
                }
                self.arguments(text);
            }
            SpelledValue::Int(number) => {
                if !self.held(key, &HeldValue::Int(*number)) {
                    self.number(key, *number, claimed_at);
                }
            }
        }
    }

    fn code(&mut self, code: u8) {
        self.columns.values.u8(code);
    }

    /// Writes the rank of a value where the tables hold it.
    fn held(&mut self, key: Option<usize>, value: &HeldValue) -> bool {
        let rank = self.tables.value_rank(key, value);
        let Some((rank, code)) = rank.and_then(|rank| Some((rank, u8::try_from(rank).ok()?))) else {
            return false;
        };
        self.code(code);
        self.tables.count_value(key, rank);
        true
    }

    fn number(&mut self, key: Option<usize>, number: i64, claimed_at: i64) {
        let near = number.wrapping_sub(claimed_at.wrapping_mul(1_000));
        let (mut exponent, mut digits) = (0, number);
        while exponent < EXPONENT_MAX && digits != 0 && digits % 10 == 0 {
            (exponent, digits) = (exponent + 1, digits / 10);
        }
        if near.unsigned_abs() < digits.unsigned_abs() {
            self.code(NEAR);
            self.columns.numbers.zigzag(near);
            return;
        }
        self.code(NUMBER + exponent);
        self.columns.numbers.zigzag(digits);
        self.tables.keep_value(key, HeldValue::Int(number));
    }
}

fn end_with_zero(column: &mut Writer, text: &Text) {
    column.raw(text.template.as_bytes()).u8(0);
}
