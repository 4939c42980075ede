//! Signed LEB128 in its shortest form, as Automerge writes times, run lengths and integers.
//! (The unsigned form is [`crate::codec`]'s.)

use crate::codec::{CodecError, Reader};

/// Appends `value` as unsigned LEB128.
pub(super) fn write_unsigned(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

/// Appends `value` as signed LEB128.
pub(super) fn write_signed(bytes: &mut Vec<u8>, mut value: i64) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        let sign = if low & 0x40 == 0 { 0 } else { -1 };
        if value == sign {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

/// Takes one signed LEB128 number off `reader`.
///
/// # Errors
/// [`CodecError::Short`] at the end, [`CodecError::Number`] when it is longer than it need be or does not
/// fit 64 bits.
pub(super) fn read_signed(reader: &mut Reader<'_>) -> Result<i64, CodecError> {
    let mut value = 0_i64;
    let mut previous = 0_u8;
    for shift in (0..64_u32).step_by(7) {
        let byte = reader.u8()?;
        let low = byte & 0x7f;
        if shift == 63 && low != 0 && low != 0x7f {
            return Err(CodecError::Number);
        }
        value |= i64::from(low) << shift;
        if byte & 0x80 == 0 {
            let negative = low & 0x40 != 0;
            let padding = if negative { 0x7f } else { 0 };
            if shift > 0 && low == padding && (previous & 0x40 != 0) == negative {
                return Err(CodecError::Number);
            }
            return Ok(if negative && shift < 57 { value | (-1 << (shift + 7)) } else { value });
        }
        previous = byte;
    }
    Err(CodecError::Number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signed(bytes: &[u8]) -> Result<i64, CodecError> {
        let mut reader = Reader::new(bytes);
        let value = read_signed(&mut reader)?;
        reader.end().map(|()| value)
    }

    #[test]
    fn the_ends_of_the_range_read_back() {
        for value in [i64::MIN, i64::MIN + 1, -65, -64, -1, 0, 1, 63, 64, i64::MAX] {
            let mut bytes = Vec::new();
            write_signed(&mut bytes, value);
            assert_eq!(signed(&bytes), Ok(value));
        }
    }

    #[test]
    fn a_padded_signed_number_is_refused() {
        assert_eq!(signed(&[0x80, 0x00]), Err(CodecError::Number), "a padded 0");
        assert_eq!(signed(&[0xff, 0x7f]), Err(CodecError::Number), "a padded -1");
        assert_eq!(signed(&[0xff, 0x00]), Ok(127), "127 needs the second byte for its sign");
        assert_eq!(signed(&[0x80, 0x7f]), Ok(-128), "-128 needs the second byte for its sign");
        assert_eq!(signed(&[0xff; 11]), Err(CodecError::Number));
        assert_eq!(signed(&[0x80]), Err(CodecError::Short));
    }

    proptest! {
        #[test]
        fn signed_numbers_read_back(value: i64, shift in 0_u32..64) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            write_signed(&mut bytes, value);
            prop_assert_eq!(signed(&bytes), Ok(value));
        }

        #[test]
        fn whatever_reads_is_written_the_same(bytes in proptest::collection::vec(any::<u8>(), 1..12)) {
            if let Ok(value) = signed(&bytes) {
                let mut again = Vec::new();
                write_signed(&mut again, value);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
