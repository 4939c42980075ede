//! Canonical binary: the one way this project writes bytes that are hashed, signed or sent.
//!
//! Fixed-width integers are big-endian. Lengths and counts are unsigned LEB128 in their shortest form.
//! There is one encoding of each value, and a reader refuses every other: signatures stand on it.

/// Bytes that are not a canonical encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end inside a field.
    #[error("the bytes end too early")]
    Short,
    /// Bytes are left over after the last field.
    #[error("{0} bytes are left over")]
    Trailing(usize),
    /// A number is written longer than it need be, or does not fit.
    #[error("a number is not in its shortest form")]
    Number,
    /// A length or count is above the limit for its field.
    #[error("{what} is {found}, the limit is {limit}")]
    TooLong {
        /// The field.
        what: &'static str,
        /// Its length or count.
        found: u64,
        /// The most it may be.
        limit: u64,
    },
    /// A field holds a value that its format does not know.
    #[error("{0} is not known")]
    Unknown(&'static str),
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
}

/// Appends fields to a byte string.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A writer with nothing written.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Eight bytes, big-endian, two's complement.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// An unsigned LEB128 number in its shortest form.
    pub fn varint(&mut self, mut value: u64) -> &mut Self {
        loop {
            let low = value.to_le_bytes()[0] & 0x7f;
            value >>= 7;
            if value == 0 {
                return self.u8(low);
            }
            self.u8(low | 0x80);
        }
    }

    /// A signed number, the small ones of both signs short: 0, -1, 1, -2 … as LEB128 of 0, 1, 2, 3 …
    pub fn zigzag(&mut self, value: i64) -> &mut Self {
        self.varint((value << 1 ^ value >> 63).cast_unsigned())
    }

    /// A length (LEB128) and that many bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.varint(bytes.len() as u64).raw(bytes)
    }

    /// A text as its UTF-8 bytes with their length.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes fields off a byte string.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`CodecError::Short`] when fewer are left.
    pub fn raw(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(CodecError::Short)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`CodecError::Short`] when fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        self.raw(N)?.try_into().map_err(|_| CodecError::Short)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`CodecError::Short`] at the end.
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// Two bytes, big-endian.
    ///
    /// # Errors
    /// [`CodecError::Short`] when fewer are left.
    pub fn u16(&mut self) -> Result<u16, CodecError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    /// [`CodecError::Short`] when fewer are left.
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Eight bytes, big-endian, two's complement.
    ///
    /// # Errors
    /// [`CodecError::Short`] when fewer are left.
    pub fn i64(&mut self) -> Result<i64, CodecError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// An unsigned LEB128 number.
    ///
    /// # Errors
    /// [`CodecError::Short`] at the end, [`CodecError::Number`] when it is longer than it need be or
    /// does not fit 64 bits.
    pub fn varint(&mut self) -> Result<u64, CodecError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(CodecError::Number);
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                let padded = byte == 0 && shift > 0;
                return if padded { Err(CodecError::Number) } else { Ok(value) };
            }
        }
        Err(CodecError::Number)
    }

    /// A signed number as [`Writer::zigzag`] writes it.
    ///
    /// # Errors
    /// Those of [`Reader::varint`].
    pub fn zigzag(&mut self) -> Result<i64, CodecError> {
        let number = self.varint()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// A count or length of at most `limit`; `what` names the field in the error.
    ///
    /// # Errors
    /// Those of [`Reader::varint`], and [`CodecError::TooLong`].
    pub fn count(&mut self, what: &'static str, limit: usize) -> Result<usize, CodecError> {
        let found = self.varint()?;
        let too_long = || CodecError::TooLong { what, found, limit: limit as u64 };
        let count = usize::try_from(found).map_err(|_| too_long())?;
        if count > limit { Err(too_long()) } else { Ok(count) }
    }

    /// A length of at most `limit` and that many bytes.
    ///
    /// # Errors
    /// Those of [`Reader::count`] and [`Reader::raw`].
    pub fn bytes(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], CodecError> {
        let count = self.count(what, limit)?;
        self.raw(count)
    }

    /// A UTF-8 text of at most `limit` bytes.
    ///
    /// # Errors
    /// Those of [`Reader::bytes`], and [`CodecError::Text`].
    pub fn text(&mut self, what: &'static str, limit: usize) -> Result<&'a str, CodecError> {
        std::str::from_utf8(self.bytes(what, limit)?).map_err(|_| CodecError::Text)
    }

    /// The bytes up to the next `end`, which is taken off too.
    ///
    /// # Errors
    /// [`CodecError::Short`] when there is no such byte.
    pub fn until(&mut self, end: u8) -> Result<&'a [u8], CodecError> {
        let length = self.rest.iter().position(|byte| *byte == end).ok_or(CodecError::Short)?;
        let bytes = self.raw(length)?;
        self.raw(1).map(|_| bytes)
    }

    /// How many bytes are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`CodecError::Trailing`] when bytes are left over.
    pub fn end(self) -> Result<(), CodecError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CodecError::Trailing(self.rest.len())) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_padded_number_is_refused() {
        assert_eq!(Reader::new(&[0x80, 0x00]).varint(), Err(CodecError::Number));
        assert_eq!(Reader::new(&[0xff; 10]).varint(), Err(CodecError::Number));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(number: u64, signed: i64, text: String) {
            let mut writer = Writer::new();
            writer.varint(number).i64(signed).zigzag(signed).text(&text);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.varint(), Ok(number));
            prop_assert_eq!(reader.i64(), Ok(signed));
            prop_assert_eq!(reader.zigzag(), Ok(signed));
            prop_assert_eq!(reader.text("text", usize::MAX), Ok(text.as_str()));
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }
}
