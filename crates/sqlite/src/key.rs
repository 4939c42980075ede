//! The raw 32-byte key of an encrypted database file.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A raw SQLCipher key: 32 random bytes, used as they are, without a password function.
///
/// The bytes are wiped when the value is dropped and never shown by `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key32([u8; 32]);

impl Key32 {
    /// Takes the key's bytes. The caller wipes its own copy.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The statement that must be the first one on a connection: SQLCipher decides at its first read of the file
    /// whether, and with what, pages are decrypted.
    pub(crate) fn statement(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(90));
        text.push_str("PRAGMA key = \"x'");
        for byte in self.0 {
            for nibble in [byte >> 4, byte & 0x0f] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        text.push_str("'\";");
        text
    }
}

impl From<[u8; 32]> for Key32 {
    fn from(bytes: [u8; 32]) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for Key32 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key32(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::Key32;

    #[test]
    fn the_statement_holds_all_64_hexadecimal_digits_in_order() {
        let mut bytes = [0_u8; 32];
        bytes[0] = 0x0f;
        bytes[31] = 0xa1;
        let expected = format!("PRAGMA key = \"x'0f{}a1'\";", "00".repeat(30));
        assert_eq!(*Key32::new(bytes).statement(), expected);
    }

    #[test]
    fn debug_output_shows_no_byte_of_the_key() {
        assert_eq!(format!("{:?}", Key32::new([0x5a; 32])), "Key32(..)");
    }
}
