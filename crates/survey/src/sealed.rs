//! Private values (class P3): sealed before they enter a document, searched by keyed hash.
//!
//! A sealed value is a version byte and AES-SIV (RFC 5297) under the household's key, with the village,
//! the document and the key path as associated data. It is deterministic: the same value at the same
//! place gives the same bytes, so that two devices that write the same number do not conflict. It cannot
//! be moved to another place. Forgetting the key makes every copy unreadable.

use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::change::DocumentId;
use crate::id::VillageId;

/// The first byte of a sealed value.
const VERSION: u8 = 1;

/// What the second half of a key is grown with.
const GROWN: &[u8] = b"ruhu/household-key/2";

/// The key of one household's private values, 64 bytes: half authenticates, half encrypts.
///
/// Keys are made from a seed of 32 random bytes, which is their first half; the second is HMAC-SHA-256 of
/// `ruhu/household-key/2` under it. So a key is 64 bytes wherever it is kept, and 32 where bytes are dear. Keys of
/// 64 random bytes, as they were made before, are as good.
#[derive(Clone, PartialEq, Eq, zeroize::ZeroizeOnDrop)]
pub struct HouseholdKey([u8; 64]);

impl HouseholdKey {
    /// The key with these bytes, drawn at random where randomness is.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The key that grows from a seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mut bytes = [0; 64];
        let (first, second) = bytes.split_at_mut(32);
        first.copy_from_slice(seed);
        second.copy_from_slice(&grown(seed));
        Self(bytes)
    }

    /// The seed that the key grows from; none when it was drawn as a whole.
    #[must_use]
    pub fn seed(&self) -> Option<&[u8; 32]> {
        let (seed, second) = self.0.split_first_chunk::<32>()?;
        (grown(seed) == *second).then_some(seed)
    }

    /// The bytes, for wrapping and for handing to a device that is granted the village.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

fn grown(seed: &[u8; 32]) -> [u8; 32] {
    // HMAC takes a key of any length.
    let Ok(mut mac) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(seed) else { return [0; 32] };
    mac.update(GROWN);
    mac.finalize().into_bytes().into()
}

impl std::fmt::Debug for HouseholdKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HouseholdKey(…)")
    }
}

/// A sealed value that does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The first byte is of a format that this program does not know.
    #[error("the value is sealed in format {0}, which this program does not know")]
    Version(u8),
    /// The key is another household's, the bytes were changed, or they come from another place.
    #[error("the value does not open with this household's key at this place")]
    Closed,
}

/// What is needed to seal and open the private values of one document.
#[derive(Debug, Clone, Copy)]
pub struct Sealer<'a> {
    /// The household's key; a check and an issue use that of their household.
    pub key: &'a HouseholdKey,
    /// The village's search key.
    pub search: &'a SearchKey,
    /// The village.
    pub village: VillageId,
    /// The document.
    pub document: DocumentId,
}

impl Sealer<'_> {
    /// Seals a value for the key `path` of the document.
    #[must_use]
    pub fn seal(&self, path: &str, plain: &str) -> Vec<u8> {
        seal(self.key, self.village, self.document, path, plain)
    }

    /// Opens a value that stands at the key `path` of the document.
    ///
    /// # Errors
    /// Those of [`open`].
    pub fn open(&self, path: &str, sealed: &[u8]) -> Result<String, SealError> {
        open(self.key, self.village, self.document, path, sealed)
    }

    /// The search tag of a value.
    #[must_use]
    pub fn tag(&self, plain: &str) -> String {
        search_tag(&self.search.0, plain)
    }
}

/// The key of a village's search tags.
#[derive(Clone, PartialEq, Eq, zeroize::ZeroizeOnDrop)]
pub struct SearchKey(pub [u8; 32]);

impl std::fmt::Debug for SearchKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SearchKey(…)")
    }
}

/// Bytes by which a sealed value is longer than the plain one.
pub(crate) const SEALED_OVER: usize = 17;

fn associated(village: VillageId, document: DocumentId, path: &str) -> [Vec<u8>; 3] {
    let mut place = vec![document.kind.code()];
    place.extend_from_slice(&document.id);
    [village.as_bytes().to_vec(), place, path.as_bytes().to_vec()]
}

/// Seals `plain` for the key `path` of one document.
#[must_use]
pub fn seal(
    key: &HouseholdKey,
    village: VillageId,
    document: DocumentId,
    path: &str,
    plain: &str,
) -> Vec<u8> {
    seal_bytes(key, village, document, path, plain.as_bytes())
}

/// As [`seal`], of bytes that need not be a text.
pub(crate) fn seal_bytes(
    key: &HouseholdKey,
    village: VillageId,
    document: DocumentId,
    path: &str,
    plain: &[u8],
) -> Vec<u8> {
    let mut cipher = Aes256Siv::new(&key.0.into());
    // The only refusal of the cipher is for more than 126 headers.
    let sealed = cipher.encrypt(associated(village, document, path), plain).unwrap_or_default();
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&sealed);
    bytes
}

/// Opens a value sealed for the key `path` of one document.
///
/// # Errors
/// [`SealError::Version`] for an unknown format, [`SealError::Closed`] for a wrong key, changed bytes,
/// or a value that was sealed for another place.
pub fn open(
    key: &HouseholdKey,
    village: VillageId,
    document: DocumentId,
    path: &str,
    sealed: &[u8],
) -> Result<String, SealError> {
    let plain = open_bytes(key, village, document, path, sealed)?;
    String::from_utf8(plain).map_err(|_| SealError::Closed)
}

/// As [`open`], of bytes that need not be a text.
pub(crate) fn open_bytes(
    key: &HouseholdKey,
    village: VillageId,
    document: DocumentId,
    path: &str,
    sealed: &[u8],
) -> Result<Vec<u8>, SealError> {
    let (version, sealed) = sealed.split_first().ok_or(SealError::Closed)?;
    if *version != VERSION {
        return Err(SealError::Version(*version));
    }
    let mut cipher = Aes256Siv::new(&key.0.into());
    cipher.decrypt(associated(village, document, path), sealed).map_err(|_| SealError::Closed)
}

/// The keyed hash by which a private value is found and duplicates are seen: the first 8 bytes of
/// HMAC-SHA-256 over the value without spaces and in upper case, as 16 hexadecimal digits.
#[must_use]
pub fn search_tag(village_key: &[u8; 32], plain: &str) -> String {
    let normal: String = plain.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_uppercase).collect();
    // HMAC takes a key of any length.
    let Ok(mut mac) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(village_key) else {
        return String::new();
    };
    mac.update(normal.as_bytes());
    mac.finalize().into_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::HouseholdId;

    const VILLAGE: VillageId = VillageId::from_bytes([1; 16]);
    const PATH: &str = "member/7k3q/cert_no";

    fn document() -> DocumentId {
        HouseholdId::from_bytes([2; 16]).into()
    }

    fn key(byte: u8) -> HouseholdKey {
        HouseholdKey::from_bytes([byte; 64])
    }

    #[test]
    fn a_sealed_value_opens_and_is_seventeen_bytes_longer() {
        let sealed = seal(&key(9), VILLAGE, document(), PATH, "439921197603150018");
        assert_eq!(sealed.len(), 18 + 17);
        assert_eq!(open(&key(9), VILLAGE, document(), PATH, &sealed).unwrap(), "439921197603150018");
    }

    #[test]
    fn a_key_grows_from_its_seed_and_from_no_other() {
        let grown = HouseholdKey::from_seed(&[9; 32]);
        assert_eq!(grown.seed(), Some(&[9; 32]));
        assert_eq!(HouseholdKey::from_bytes(*grown.as_bytes()).seed(), Some(&[9; 32]));
        assert_eq!(key(9).seed(), None, "drawn as a whole");
        let hex = data_encoding::HEXLOWER.encode(grown.as_bytes().split_at(32).1);
        expect_test::expect!["656a6b68f503347f8d1887c411c5f2a3b6c1dfdf4097db1193b734b9649c4971"]
            .assert_eq(&hex);
    }

    #[test]
    fn the_same_value_at_the_same_place_gives_the_same_bytes() {
        let once = seal(&key(9), VILLAGE, document(), PATH, "439921197603150018");
        assert_eq!(once, seal(&key(9), VILLAGE, document(), PATH, "439921197603150018"));
        assert_ne!(once, seal(&key(9), VILLAGE, document(), "contact_phone", "439921197603150018"));
    }

    #[test]
    fn a_wrong_key_changed_bytes_or_another_place_do_not_open() {
        let sealed = seal(&key(9), VILLAGE, document(), PATH, "13900000001");
        assert_eq!(open(&key(8), VILLAGE, document(), PATH, &sealed), Err(SealError::Closed));
        assert_eq!(open(&key(9), VILLAGE, document(), "contact_phone", &sealed), Err(SealError::Closed));
        let elsewhere = VillageId::from_bytes([3; 16]);
        assert_eq!(open(&key(9), elsewhere, document(), PATH, &sealed), Err(SealError::Closed));
        for index in 1..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(open(&key(9), VILLAGE, document(), PATH, &changed), Err(SealError::Closed));
        }
        assert_eq!(open(&key(9), VILLAGE, document(), PATH, &[2, 0]), Err(SealError::Version(2)));
        assert_eq!(open(&key(9), VILLAGE, document(), PATH, &[]), Err(SealError::Closed));
    }

    /// The sealed bytes are also what OpenSSL's AES-256-SIV makes of the same key, headers and text.
    #[test]
    fn the_byte_format_is_that_of_the_first_release() {
        let sealed = seal(&key(9), VILLAGE, document(), PATH, "439921197603150018");
        let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
        expect_test::expect!["01f5956a5e3def132175413a3dd20d7881de940d1e4261a8a42b7b73bf46ca77e71d56"]
            .assert_eq(&hex);
        expect_test::expect!["15bfe46dc4d427d5"].assert_eq(&search_tag(&[7; 32], "43992119760315001x"));
    }

    #[test]
    fn a_tag_does_not_depend_on_spaces_or_case() {
        let key = [7; 32];
        assert_eq!(search_tag(&key, "4399 2119 7603 1500 1x"), search_tag(&key, "43992119760315001X"));
        assert_ne!(search_tag(&key, "a"), search_tag(&[8; 32], "a"));
    }

    /// RFC 5297 appendix A.1 uses 256-bit keys of AES-128; with AES-256 the construction is the same, so
    /// the published vector is checked with the smaller cipher.
    #[test]
    fn the_library_computes_the_published_vector() {
        let bytes = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let key = bytes("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        let mut cipher = aes_siv::siv::Aes128Siv::new_from_slice(&key).unwrap();
        let header = bytes("101112131415161718191a1b1c1d1e1f2021222324252627");
        let sealed = cipher.encrypt([header], &bytes("112233445566778899aabbccddee")).unwrap();
        assert_eq!(sealed, bytes("85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"));
    }
}
