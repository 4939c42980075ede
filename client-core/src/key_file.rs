//! The key file: the database's random key, wrapped under the passphrase.
//!
//! Layout, in the canonical binary of [`ruhu_survey::codec`]: the magic `ruhu-key`, a version byte 1,
//! the Argon2id costs (memory in KiB, passes, lanes: LEB128 each), 16 bytes of salt, the 16-byte salt
//! that the database file begins with, a 24-byte nonce, the key sealed with XChaCha20-Poly1305 (48
//! bytes; everything before it but the nonce is associated data), and the SHA-256 of all that.
//! The checksum tells a damaged file from a wrong passphrase; it says nothing about the key.
//! A new passphrase writes this file anew and leaves the database as it is.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use ruhu_survey::codec::{CodecError, Reader, Writer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::env::{Environment, random};
use crate::error::Error;

/// The shortest passphrase that is taken, in characters.
pub const PASSPHRASE_CHARACTERS_MIN: usize = 10;

const MAGIC: &[u8] = b"ruhu-key";
const VERSION: u8 = 1;
/// Bytes of a sealed key: 32, and what authenticates them.
pub(crate) const SEALED_BYTES: usize = 48;
const CHECKSUM_BYTES: usize = 32;

/// What a guess at the passphrase costs (Argon2id, RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Cost {
    /// 19 MiB, two passes, one lane: the smallest setting that OWASP's password storage sheet gives.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

/// The largest memory, passes and lanes a key file may ask for: a file is not trusted with our memory.
const COST_MAX: Cost = Cost { memory_kib: 1024 * 1024, passes: 64, lanes: 16 };

/// The database's key.
pub(crate) type DatabaseKey = Zeroizing<[u8; 32]>;

/// Why a key file did not give its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locked {
    /// Not what was written: short, long, changed, or no key file at all.
    Damaged,
    /// Of a later version of the program.
    Newer(u8),
    /// The passphrase is another.
    WrongPassphrase,
}

/// A key file taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyFile {
    cost: Cost,
    salt: [u8; 16],
    /// The first 16 bytes of the database that the key belongs to.
    pub(crate) database_salt: [u8; 16],
    nonce: [u8; 24],
    sealed: [u8; SEALED_BYTES],
}

impl KeyFile {
    /// Wraps `key` under `passphrase`.
    ///
    /// # Errors
    /// [`Error::PassphraseTooShort`], [`Error::NoRandomness`], [`Error::Cost`].
    pub(crate) fn wrap(
        key: &DatabaseKey,
        database_salt: [u8; 16],
        passphrase: &str,
        cost: Cost,
        environment: &dyn Environment,
    ) -> Result<Self, Error> {
        if passphrase.chars().count() < PASSPHRASE_CHARACTERS_MIN {
            return Err(Error::PassphraseTooShort);
        }
        let salt = random(environment)?;
        let nonce = random(environment)?;
        let mut file = Self { cost, salt, database_salt, nonce, sealed: [0; SEALED_BYTES] };
        let under = stretched(passphrase, &salt, cost).ok_or(Error::Cost)?;
        file.sealed = seal(key, &under, nonce, &file.associated()).ok_or(Error::Cost)?;
        Ok(file)
    }

    /// The key, when the passphrase is the one it was wrapped under.
    pub(crate) fn unwrap_key(&self, passphrase: &str) -> Result<DatabaseKey, Locked> {
        let under = stretched(passphrase, &self.salt, self.cost).ok_or(Locked::Damaged)?;
        unseal(&self.sealed, &under, self.nonce, &self.associated()).ok_or(Locked::WrongPassphrase)
    }

    /// The file's bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(&self.associated()).raw(&self.nonce).raw(&self.sealed);
        with_checksum(writer.finish())
    }

    /// Takes a file's bytes apart.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Locked> {
        let mut reader = Reader::new(checked(bytes).ok_or(Locked::Damaged)?);
        let magic = reader.raw(MAGIC.len()).map_err(|_| Locked::Damaged)?;
        let version = reader.u8().map_err(|_| Locked::Damaged)?;
        if magic != MAGIC {
            return Err(Locked::Damaged);
        }
        if version != VERSION {
            return Err(Locked::Newer(version));
        }
        Self::read(reader).map_err(|_| Locked::Damaged)
    }

    fn read(mut reader: Reader<'_>) -> Result<Self, CodecError> {
        let cost = Cost {
            memory_kib: bounded(&mut reader, "memory", COST_MAX.memory_kib)?,
            passes: bounded(&mut reader, "passes", COST_MAX.passes)?,
            lanes: bounded(&mut reader, "lanes", COST_MAX.lanes)?,
        };
        let file = Self {
            cost,
            salt: reader.array()?,
            database_salt: reader.array()?,
            nonce: reader.array()?,
            sealed: reader.array()?,
        };
        reader.end()?;
        Ok(file)
    }

    /// Everything before the nonce: bound to the sealed key as associated data.
    fn associated(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(MAGIC).u8(VERSION);
        for cost in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            writer.varint(u64::from(cost));
        }
        writer.raw(&self.salt).raw(&self.database_salt);
        writer.finish()
    }
}

/// A key sealed under another with XChaCha20-Poly1305, bound to what stands beside it. `None` is never seen: it
/// stands for a cipher that cannot be made.
pub(crate) fn seal(
    key: &DatabaseKey,
    under: &[u8; 32],
    nonce: [u8; 24],
    associated: &[u8],
) -> Option<[u8; SEALED_BYTES]> {
    let cipher = XChaCha20Poly1305::new_from_slice(under).ok()?;
    let sealed =
        cipher.encrypt(&XNonce::from(nonce), Payload { msg: key.as_slice(), aad: associated }).ok()?;
    sealed.try_into().ok()
}

/// The key again; `None` when it was sealed under another one, or beside something else.
pub(crate) fn unseal(
    sealed: &[u8; SEALED_BYTES],
    under: &[u8; 32],
    nonce: [u8; 24],
    associated: &[u8],
) -> Option<DatabaseKey> {
    let cipher = XChaCha20Poly1305::new_from_slice(under).ok()?;
    let payload = Payload { msg: sealed.as_slice(), aad: associated };
    let opened = Zeroizing::new(cipher.decrypt(&XNonce::from(nonce), payload).ok()?);
    let mut key = Zeroizing::new([0; 32]);
    if opened.len() != key.len() {
        return None;
    }
    key.copy_from_slice(&opened);
    Some(key)
}

/// A file's bytes with the SHA-256 that tells damage from a wrong key.
pub(crate) fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

/// What stands before a checksum that fits; `None` for a file that is damaged.
pub(crate) fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
    (Sha256::digest(body).as_slice() == checksum).then_some(body)
}

/// 32 bytes of a secret that people remember, at a cost (Argon2id, RFC 9106); none where the cost is out of bounds.
pub(crate) fn stretched(secret: &str, salt: &[u8], cost: Cost) -> Option<Zeroizing<[u8; 32]>> {
    let Cost { memory_kib, passes, lanes } = cost;
    let parameters = Params::new(memory_kib, passes, lanes, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    argon2.hash_password_into(secret.as_bytes(), salt, key.as_mut_slice()).ok()?;
    Some(key)
}

fn bounded(reader: &mut Reader<'_>, what: &'static str, limit: u32) -> Result<u32, CodecError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    u32::try_from(reader.count(what, limit)?).map_err(|_| CodecError::Number)
}

#[cfg(test)]
pub(crate) const TEST_COST: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::by_hand::HandEnvironment;

    const PASSPHRASE: &str = "澧水河边的老樟树下";

    fn wrapped(passphrase: &str) -> Result<KeyFile, Error> {
        let key = Zeroizing::new([7; 32]);
        KeyFile::wrap(&key, [3; 16], passphrase, TEST_COST, &HandEnvironment::new(1))
    }

    #[test]
    fn the_right_passphrase_gives_the_key_back() {
        let file = wrapped("correct horse battery").unwrap();
        let read = KeyFile::from_bytes(&file.to_bytes()).unwrap();
        assert_eq!(*read.unwrap_key("correct horse battery").unwrap(), [7; 32]);
    }

    #[test]
    fn a_wrong_passphrase_is_told_apart_from_damage() {
        let file = wrapped("correct horse battery").unwrap();
        assert_eq!(file.unwrap_key("correct horse batterx").unwrap_err(), Locked::WrongPassphrase);
    }

    #[test]
    fn nine_characters_are_too_few_and_ten_are_enough() {
        assert_eq!(PASSPHRASE.chars().count(), 9);
        assert!(matches!(wrapped(PASSPHRASE), Err(Error::PassphraseTooShort)));
        assert!(wrapped(&format!("{PASSPHRASE}。")).is_ok());
    }

    #[test]
    fn every_flipped_bit_and_every_shorter_file_is_called_damaged() {
        let bytes = wrapped("correct horse battery").unwrap().to_bytes();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert_eq!(KeyFile::from_bytes(&flipped), Err(Locked::Damaged), "byte {at}");
            assert_eq!(KeyFile::from_bytes(&bytes[..at]), Err(Locked::Damaged), "length {at}");
        }
    }

    #[test]
    fn a_file_that_asks_for_too_much_memory_is_refused_before_any_is_taken() {
        let mut file = wrapped("correct horse battery").unwrap();
        file.cost.memory_kib = COST_MAX.memory_kib + 1;
        assert_eq!(KeyFile::from_bytes(&file.to_bytes()), Err(Locked::Damaged));
        file.cost.memory_kib = COST_MAX.memory_kib;
        assert!(KeyFile::from_bytes(&file.to_bytes()).is_ok());
    }

    #[test]
    fn a_file_of_a_later_version_is_named_as_such() {
        let mut bytes = wrapped("correct horse battery").unwrap().to_bytes();
        let body = bytes.len() - CHECKSUM_BYTES;
        bytes[MAGIC.len()] = 2;
        let checksum = Sha256::digest(&bytes[..body]);
        bytes[body..].copy_from_slice(&checksum);
        assert_eq!(KeyFile::from_bytes(&bytes), Err(Locked::Newer(2)));
    }
}
