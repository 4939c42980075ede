//! The columns of a batch, and the codes in them.

use crate::codec::{CodecError, Reader, Writer};

/// The document of the change before.
pub(super) const SAME: u8 = 0;
/// A whole id.
pub(super) const WHOLE: u8 = 1;
/// A derived id.
pub(super) const FOUNDED: u8 = 2;
/// The village.
pub(super) const VILLAGE: u8 = 3;
/// The number of a root.
pub(super) const NAMED: u8 = 4;
/// A document named before in the stream.
pub(super) const MENTIONED: u8 = 5;

/// The change before of the same document.
pub(super) const BEFORE: u8 = 0;
// Every other code is the length of the beginning of a hash.

/// The key that followed the one before it the last time.
pub(super) const EXPECTED: u64 = 0;
/// A key spelled out.
pub(super) const NEW_KEY: u64 = 1;
/// Added to the place of a key that is held.
pub(super) const HELD_KEY: u64 = 2;

// Codes below stand for the value of that rank of the key.
pub(super) const NULL: u8 = 224;
pub(super) const FALSE: u8 = 225;
pub(super) const TRUE: u8 = 226;
pub(super) const SEALED: u8 = 227;
pub(super) const LITERAL: u8 = 228;
pub(super) const NEW_TEXT: u8 = 229;
/// Milliseconds from the claimed time.
pub(super) const NEAR: u8 = 230;
/// A number over a power of ten; the exponent is added.
pub(super) const NUMBER: u8 = 231;
/// The highest exponent.
pub(super) const EXPONENT_MAX: u8 = 9;

const _: () = assert!(NULL as usize == super::VALUES_PER_KEY_MAX);

macro_rules! columns {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// The columns while they are written.
        #[derive(Debug, Default)]
        pub(super) struct Columns {
            $($(#[$doc])+ pub(super) $name: Writer,)+
        }

        /// The columns while they are read.
        #[derive(Debug)]
        pub(super) struct ColumnReaders<'a> {
            $(pub(super) $name: Reader<'a>,)+
        }

        impl Columns {
            /// All columns one after the other, each behind its length.
            pub(super) fn finish(self) -> Vec<u8> {
                let mut writer = Writer::new();
                $(writer.bytes(&self.$name.finish());)+
                writer.finish()
            }
        }

        impl<'a> ColumnReaders<'a> {
            /// Finds the columns.
            pub(super) fn of(bytes: &'a [u8]) -> Result<Self, CodecError> {
                let mut reader = Reader::new(bytes);
                let columns = Self {
                    $($name: Reader::new(reader.bytes(stringify!($name), bytes.len())?),)+
                };
                reader.end()?;
                Ok(columns)
            }

            /// Ends every column.
            pub(super) fn end(self) -> Result<(), CodecError> {
                $(self.$name.end()?;)+
                Ok(())
            }
        }
    };
}

columns! {
    /// How many openings, and each: 0 and 8 bytes, or one above its place in the tables.
    openings,
    /// A code for the document of each change.
    documents,
    /// What the codes of documents need.
    names,
    /// The place of each change's opening in the batch.
    authors,
    /// The claimed times, each as the step from the one before, zigzag.
    times,
    /// How many dependencies each change has, and a code for each.
    dependencies,
    /// The beginnings of hashes.
    beginnings,
    /// How many puts each change has.
    counts,
    /// A code for each key.
    keys,
    /// A code for each value, those of one key together.
    values,
    /// Numbers without their last zeros, zigzag.
    numbers,
    /// Keys and texts that were not spelled out before, each behind a 0.
    texts,
    /// The arguments of holes: of the keys, then of the values.
    arguments,
    /// Sealed values and texts that are no templates, each behind its length.
    bytes,
}

/// The order of values: those of one key together, otherwise as they were written. Keys that the tables
/// do not hold come first.
pub(super) fn by_key(keys: &[Vec<Option<usize>>]) -> Vec<(Option<usize>, usize, usize)> {
    let mut order = Vec::new();
    for (change, keys) in keys.iter().enumerate() {
        order.extend(keys.iter().enumerate().map(|(put, key)| (*key, change, put)));
    }
    order.sort_unstable();
    order
}
