//! Resuming a request that was cut: its name, and how the rest of it is sent.
//!
//! A device names each sync request with a random id. The server keeps the bytes of a request that ends
//! early, and says how many it has when it is asked for that id; the device then sends only the rest, with
//! the id and the offset in headers. The signature always covers the SHA-256 of the whole body, so bytes
//! that somebody else put in the place of the device's own make the request fail, and the device sends it
//! whole. Every other failure of this path ends in the same way: a whole request.

use std::fmt;
use std::str::FromStr;

/// The header with the request's id, 32 hexadecimal digits.
pub const HEADER_REQUEST: &str = "ruhu-request";
/// The header with the place in the body at which the bytes of this request begin; absent for 0.
pub const HEADER_OFFSET: &str = "ruhu-offset";
/// How many hexadecimal digits an id has.
const DIGITS: usize = 32;

/// The name of one sync request: 16 random bytes, in text 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub [u8; 16]);

impl RequestId {
    /// The path at which a device asks how many bytes of this request are held.
    #[must_use]
    pub fn held_path(&self) -> String {
        format!("/v1/sync/held/{self}")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request id has {DIGITS} lower-case hexadecimal digits")]
pub struct NoRequestId;

impl FromStr for RequestId {
    type Err = NoRequestId;

    fn from_str(text: &str) -> Result<Self, NoRequestId> {
        let canonical = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != DIGITS || !text.bytes().all(canonical) {
            return Err(NoRequestId);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| NoRequestId)?;
        Ok(Self(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_reads_back_from_its_text(bytes: [u8; 16]) {
            let id = RequestId(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.held_path().rsplit('/').next().unwrap().parse(), Ok(id));
        }
    }

    #[test]
    fn what_is_not_32_lower_case_digits_is_no_id() {
        let good = "00112233445566778899aabbccddeeff";
        assert!(good.parse::<RequestId>().is_ok());
        for text in [
            "",
            &good[1..],
            &format!("{good}0"),
            &good.to_uppercase(),
            &good.replace('f', "g"),
            &format!("+{}", &good[1..]),
        ] {
            assert_eq!(text.parse::<RequestId>(), Err(NoRequestId), "{text}");
        }
    }
}
