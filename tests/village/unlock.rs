//! A device's database opened from outside the program: with the passphrase, by the key file's layout.

use std::fs;
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use ruhu_sqlite::{Key32, Profile};
use ruhu_survey::codec::Reader;
use rusqlite::Connection;

/// The database of a device's store, decrypted.
pub(crate) fn database(store: &Path, passphrase: &str) -> Connection {
    let key = Key32::new(key(&fs::read(store.join("ruhu.key")).unwrap(), passphrase));
    ruhu_sqlite::open(&store.join("ruhu.db"), Some(&key), Profile::Device).unwrap()
}

/// The database's key: magic, version, three Argon2id costs, salt, the database's salt, nonce, the sealed
/// key, and a checksum of 32 bytes.
fn key(file: &[u8], passphrase: &str) -> [u8; 32] {
    let body = &file[..file.len() - 32];
    let mut reader = Reader::new(body);
    assert_eq!(reader.raw(9).unwrap(), b"ruhu-key\x01");
    let mut cost = || u32::try_from(reader.varint().unwrap()).unwrap();
    let costs = Params::new(cost(), cost(), cost(), Some(32)).unwrap();
    let salt: [u8; 16] = reader.array().unwrap();
    let _database_salt: [u8; 16] = reader.array().unwrap();
    let associated = &body[..body.len() - reader.left()];
    let nonce: [u8; 24] = reader.array().unwrap();
    let mut wrapping = [0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, costs);
    argon2.hash_password_into(passphrase.as_bytes(), &salt, &mut wrapping).unwrap();
    let cipher = XChaCha20Poly1305::new_from_slice(&wrapping).unwrap();
    let payload = Payload { msg: reader.raw(48).unwrap(), aad: associated };
    cipher.decrypt(&XNonce::from(nonce), payload).unwrap().try_into().unwrap()
}
