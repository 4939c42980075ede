//! How a device signs a request: header names, and the digest that its key signs.
//!
//! A request carries its device's id, a nonce that the server gave out, and the device's signature of
//! [`request_digest`] under [`REQUEST_DOMAIN`]. Clocks play no part. The answer names the request by the
//! beginning of that signature.

use sha2::{Digest, Sha256};

/// The header with the device's id, in its text form.
pub const HEADER_DEVICE: &str = "ruhu-device";
/// The header with the nonce, as the server gave it.
pub const HEADER_NONCE: &str = "ruhu-nonce";
/// The header with the signature, 64 bytes in standard base64 with padding.
pub const HEADER_SIGNATURE: &str = "ruhu-signature";
/// The header of an answer with the [name](request_name) of the request that it answers.
pub const HEADER_ANSWERS: &str = "ruhu-answers";
/// The domain under which the digest is signed.
pub const REQUEST_DOMAIN: &str = "ruhu/request/1";

/// The digest that a device signs: SHA-256 of the method, the path with its query, the nonce and the
/// body's SHA-256 in lower-case hexadecimal digits, each on a line of its own, without a last newline.
///
/// None of the parts can hold a newline: HTTP allows none in a method, a path or a header.
#[must_use]
pub fn request_digest(method: &str, path_and_query: &str, nonce: &str, body_sha256: &[u8; 32]) -> [u8; 32] {
    let body: String = body_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    Sha256::digest([method, path_and_query, nonce, &body].join("\n")).into()
}

/// Characters of a signature that name its request: 72 bits of it.
const NAME_CHARACTERS: usize = 12;

/// What an answer calls its request: the first characters of the signature as [`HEADER_SIGNATURE`] has it.
///
/// A signature covers a nonce that is used once, so an answer that something on the way brings again names a
/// request of the past. `None` when the text is too short to be a signature.
#[must_use]
pub fn request_name(signature: &str) -> Option<&str> {
    signature.get(..NAME_CHARACTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: [u8; 32] = [
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
        0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ];

    #[test]
    fn the_digest_covers_four_lines() {
        let text = "POST\n/v1/sync?trial=1\n7f3a\n\
                    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let expected: [u8; 32] = Sha256::digest(text).into();
        assert_eq!(request_digest("POST", "/v1/sync?trial=1", "7f3a", &EMPTY), expected);
    }

    #[test]
    fn every_part_changes_the_digest() {
        let whole = request_digest("POST", "/v1/sync", "7f3a", &EMPTY);
        assert_ne!(whole, request_digest("GET", "/v1/sync", "7f3a", &EMPTY));
        assert_ne!(whole, request_digest("POST", "/v1/sync?", "7f3a", &EMPTY));
        assert_ne!(whole, request_digest("POST", "/v1/sync", "7f3b", &EMPTY));
        assert_ne!(whole, request_digest("POST", "/v1/sync", "7f3a", &[0; 32]));
    }

    #[test]
    fn a_request_is_named_by_the_beginning_of_its_signature() {
        assert_eq!(request_name("q83vASNFZ4mrze8BI0VniavN7wEjRWeJ"), Some("q83vASNFZ4mr"));
        assert_eq!(request_name("q83vASNF"), None);
        assert_eq!(request_name("q83vASNFZ4m入"), None, "no cut through a character");
    }
}
