//! Keys and signatures: Ed25519 over a domain string and the SHA-256 of canonical bytes.
//!
//! The signed message is `domain ‖ "\n" ‖ digest`. The domain keeps a signature over one kind of object
//! from being shown as one over another kind.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use ruhu_survey::id::DeviceId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{FormatError, VerifyError};
use crate::hex;

/// The byte that stands for Ed25519 in every signed format.
pub const ALGORITHM_ED25519: u8 = 1;

/// The words of fingerprints, one for each value of a byte.
static WORDS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("../../../schemas/words.txt").lines().collect());

/// The secret half of a key. Its seed is wiped from memory when it is dropped, and never printed.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key of 32 random bytes.
    #[must_use]
    pub fn from_seed(mut seed: [u8; 32]) -> Self {
        let key = Self(SigningKey::from_bytes(&seed));
        seed.zeroize();
        key
    }

    /// The 32 bytes it was made from, for an encrypted store to keep.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs a digest for a purpose, such as `ruhu/batch/1`.
    #[must_use]
    pub fn sign(&self, domain: &str, digest: &[u8; 32]) -> Signature {
        self.sign_bytes(&message(domain, digest))
    }

    /// Signs bytes as they are; only a signed note is signed so.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> Signature {
        Signature(self.0.sign(bytes).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public().device_id())
    }
}

/// The public half of a key. The bytes need not be a usable key: verifying finds out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// The id of the device that holds this key: the first 16 bytes of SHA-256 of the public key.
    #[must_use]
    pub fn device_id(&self) -> DeviceId {
        DeviceId::from_bytes(leading(self.digest()))
    }

    /// Six words for a person to compare: the first 48 bits of SHA-256 of the public key.
    #[must_use]
    pub fn fingerprint_words(&self) -> [&'static str; 6] {
        leading::<6>(self.digest()).map(|byte| WORDS.get(usize::from(byte)).copied().unwrap_or_default())
    }

    /// Refuses bytes that are no point of the curve, and the weak points.
    ///
    /// # Errors
    /// [`VerifyError::Key`].
    pub fn check(&self) -> Result<(), VerifyError> {
        self.point().map(drop)
    }

    /// Verifies a signature over a digest for a purpose, strictly (no weak keys, no second form).
    ///
    /// # Errors
    /// [`VerifyError::Key`] or [`VerifyError::Signature`].
    pub fn verify_strict(
        &self,
        domain: &str,
        digest: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), VerifyError> {
        self.verify_bytes(&message(domain, digest), signature)
    }

    /// Verifies a signature over bytes as they are; only a signed note is signed so.
    pub(crate) fn verify_bytes(&self, bytes: &[u8], signature: &Signature) -> Result<(), VerifyError> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.point()?.verify_strict(bytes, &signature).map_err(|_| VerifyError::Signature)
    }

    fn point(&self) -> Result<VerifyingKey, VerifyError> {
        let point = VerifyingKey::from_bytes(&self.0).map_err(|_| VerifyError::Key)?;
        if point.is_weak() { Err(VerifyError::Key) } else { Ok(point) }
    }

    fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        hex::parse(text).map(Self).ok_or(FormatError::Text("public key"))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(self.0.split_at(8).0, f)
    }
}

fn message(domain: &str, digest: &[u8; 32]) -> Vec<u8> {
    [domain.as_bytes(), b"\n", digest].concat()
}

fn leading<const N: usize>(digest: [u8; 32]) -> [u8; N] {
    let mut head = [0; N];
    head.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_signature_holds_for_its_key_digest_and_purpose_only() {
        let key = example::device_key();
        let signature = key.sign("ruhu/batch/1", &[7; 32]);
        assert_eq!(key.public().verify_strict("ruhu/batch/1", &[7; 32], &signature), Ok(()));
        let refused = Err(VerifyError::Signature);
        assert_eq!(key.public().verify_strict("ruhu/batch/1", &[8; 32], &signature), refused);
        assert_eq!(key.public().verify_strict("ruhu/receipt/1", &[7; 32], &signature), refused);
        let other = example::server_key().public();
        assert_eq!(other.verify_strict("ruhu/batch/1", &[7; 32], &signature), refused);
    }

    #[test]
    fn bytes_that_are_no_key_and_weak_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut off_the_curve = [0; 32];
        off_the_curve[0] = 2;
        for bytes in [[0; 32], identity, off_the_curve] {
            assert_eq!(PublicKey(bytes).check(), Err(VerifyError::Key), "{bytes:?}");
            let signature = Signature([0; 64]);
            let refusal = PublicKey(bytes).verify_strict("ruhu/batch/1", &[7; 32], &signature);
            assert_eq!(refusal, Err(VerifyError::Key));
        }
        assert_eq!(example::device_key().public().check(), Ok(()));
    }

    #[test]
    fn a_signature_with_a_second_form_of_its_scalar_is_refused() {
        let key = example::device_key();
        let mut signature = key.sign("ruhu/batch/1", &[7; 32]);
        let order: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let mut carry = 0;
        for (byte, add) in signature.0[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        let refusal = key.public().verify_strict("ruhu/batch/1", &[7; 32], &signature);
        assert_eq!(refusal, Err(VerifyError::Signature));
    }

    #[test]
    fn a_secret_key_never_shows_its_seed() {
        let key = SecretKey::from_seed([0xab; 32]);
        let shown = format!("{key:?} {key:#?}");
        assert!(!shown.contains("abab") && !shown.contains("171"), "{shown}");
        assert_eq!(*key.seed(), [0xab; 32]);
    }

    #[test]
    fn a_device_is_named_by_its_key() {
        let key = example::device_key().public();
        let digest: [u8; 32] = Sha256::digest(key.0).into();
        assert_eq!(key.device_id().as_bytes(), digest.split_at(16).0);
    }

    #[test]
    fn a_public_key_reads_back_from_its_text() {
        let key = example::device_key().public();
        assert_eq!(key.to_string().parse(), Ok(key));
        for wrong in ["", "00", &key.to_string().to_uppercase(), &format!("{key}00")] {
            assert_eq!(wrong.parse::<PublicKey>(), Err(FormatError::Text("public key")), "{wrong}");
        }
    }

    #[test]
    fn the_words_are_256_short_and_unlike_one_another() {
        assert_eq!(WORDS.len(), 256);
        for (index, word) in WORDS.iter().enumerate() {
            assert!((3..=8).contains(&word.len()), "{word}");
            assert!(word.bytes().all(|letter| letter.is_ascii_lowercase()), "{word}");
            for other in &WORDS[index + 1..] {
                assert!(word < other, "{word} and {other} are out of order");
                assert!(word.get(..4).unwrap_or(word) != other.get(..4).unwrap_or(other), "{word} {other}");
            }
        }
    }
}
