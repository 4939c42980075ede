//! Secret bytes on their way over the wire.

use std::fmt;

/// `N` secret bytes: they travel inside TLS and are never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyBytes<const N: usize>(pub [u8; N]);

impl<const N: usize> fmt::Debug for KeyBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBytes({N} bytes)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", KeyBytes([0x5a; 64])), "KeyBytes(64 bytes)");
    }
}
