//! The server's secrets: the key file, the wrapping of household keys, and every random byte.
//!
//! `server.key` holds three secrets as text lines: the seed of the key that signs certificates,
//! receipts and checkpoints; the seed of the key with which the server writes as a device of its own;
//! and the key under which household keys and village search keys are wrapped in the database.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use ruhu_ledger::signature::SecretKey;
use ruhu_survey::id::{HouseholdId, VillageId};
use zeroize::Zeroizing;

/// The file's name in the data directory.
pub const KEY_FILE: &str = "server.key";

const FIRST_LINE: &str = "ruhu-server-key 1";
const NONCE_BYTES: usize = 24;

/// Why the server's keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The machine gave no random bytes.
    #[error("the machine gives no random bytes")]
    NoRandomness,
    /// There is no key file.
    #[error("{0} is missing: run `ruhu-server init` first, or name the data directory with --data")]
    Missing(PathBuf),
    /// There is a key file already.
    #[error("{0} is there already: this data directory has been set up before")]
    Exists(PathBuf),
    /// Others may read the key file.
    #[error("{0} can be read by other users of this machine: run `chmod 600` on it")]
    Exposed(PathBuf),
    /// The key file is damaged.
    #[error("{path} is damaged: {problem}; restore it from a backup")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The file cannot be read or written.
    #[error("{path} cannot be read or written")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the machine said.
        #[source]
        source: std::io::Error,
    },
    /// A wrapped key does not open.
    #[error("a wrapped key does not open: another wrap key was used, or the database was altered")]
    Unwrap,
}

/// The server's secrets.
pub struct ServerKeys {
    /// Signs certificates, receipts, decisions, epochs and checkpoints.
    pub signing: SecretKey,
    /// Signs the batches that the server writes as a device of its own.
    pub device: SecretKey,
    wrap: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for ServerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerKeys").finish_non_exhaustive()
    }
}

/// What a wrapped key is for: part of what is authenticated, so that no key passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// The search key of a village.
    Village(VillageId),
    /// The key of a household's private values.
    Household(VillageId, HouseholdId),
}

impl KeyUse {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Village(village) => [b"ruhu/village-key/1".as_slice(), village.as_bytes()].concat(),
            Self::Household(village, household) => {
                [b"ruhu/household-key/1".as_slice(), village.as_bytes(), household.as_bytes()].concat()
            }
        }
    }
}

/// Random bytes from the machine.
///
/// # Errors
/// When the machine has none to give.
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
    Ok(bytes)
}

impl ServerKeys {
    /// Draws new keys and writes them to a new file that only its owner may read.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn create(directory: &Path) -> Result<Self, KeyError> {
        let path = directory.join(KEY_FILE);
        let seeds = Zeroizing::new([random::<32>()?, random::<32>()?, random::<32>()?]);
        write_new(&path, &seeds)?;
        Ok(Self::from_seeds(&seeds))
    }

    /// Draws the keys of a new epoch: only the wrap key stays, for what it wrapped goes on being read.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn create_after(directory: &Path, old: Option<&Self>) -> Result<Self, KeyError> {
        let wrap = match old {
            Some(old) => *old.wrap,
            None => random::<32>()?,
        };
        let seeds = Zeroizing::new([random::<32>()?, random::<32>()?, wrap]);
        write_new(&directory.join(KEY_FILE), &seeds)?;
        Ok(Self::from_seeds(&seeds))
    }

    /// Reads the key file; a wrap key from the configuration takes the place of the file's.
    ///
    /// # Errors
    /// When the file is missing, exposed or damaged.
    pub fn load(directory: &Path, wrap: Option<&[u8; 32]>) -> Result<Self, KeyError> {
        let path = directory.join(KEY_FILE);
        let text = Zeroizing::new(std::fs::read_to_string(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => KeyError::Missing(path.clone()),
            _ => KeyError::Io { path: path.clone(), source },
        })?);
        refuse_exposed(&path)?;
        let seeds = parse(&text).map_err(|problem| KeyError::Damaged { path, problem })?;
        let mut keys = Self::from_seeds(&seeds);
        if let Some(wrap) = wrap {
            keys.wrap = Zeroizing::new(*wrap);
        }
        Ok(keys)
    }

    /// The keys of three seeds: signing, device, wrap.
    #[must_use]
    pub fn from_seeds([signing, device, wrap]: &[[u8; 32]; 3]) -> Self {
        Self {
            signing: SecretKey::from_seed(*signing),
            device: SecretKey::from_seed(*device),
            wrap: Zeroizing::new(*wrap),
        }
    }

    /// Wraps a key for the database with XChaCha20-Poly1305: a random nonce of 24 bytes, then the sealed key.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn wrap(&self, used_for: KeyUse, key: &[u8]) -> Result<Vec<u8>, KeyError> {
        let nonce = random::<NONCE_BYTES>()?;
        let payload = Payload { msg: key, aad: &used_for.bytes() };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| KeyError::Unwrap)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens a wrapped key of `N` bytes.
    ///
    /// # Errors
    /// [`KeyError::Unwrap`] when it was wrapped under another key, for another use, or was altered.
    pub fn unwrap<const N: usize>(
        &self,
        used_for: KeyUse,
        wrapped: &[u8],
    ) -> Result<Zeroizing<[u8; N]>, KeyError> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_BYTES>().ok_or(KeyError::Unwrap)?;
        let payload = Payload { msg: sealed, aad: &used_for.bytes() };
        let opened = self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| KeyError::Unwrap)?;
        let key = Zeroizing::new(opened);
        Ok(Zeroizing::new(key.as_slice().try_into().map_err(|_| KeyError::Unwrap)?))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.wrap).into())
    }
}

fn write_new(path: &Path, seeds: &[[u8; 32]; 3]) -> Result<(), KeyError> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => KeyError::Exists(path.to_owned()),
        _ => KeyError::Io { path: path.to_owned(), source },
    };
    let [signing, device, wrap] = seeds.each_ref().map(|seed| Zeroizing::new(hex(seed)));
    let text = Zeroizing::new(format!(
        "{FIRST_LINE}\nsigning {}\ndevice {}\nwrap {}\n",
        signing.as_str(),
        device.as_str(),
        wrap.as_str()
    ));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata =
        std::fs::metadata(path).map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(KeyError::Exposed(path.to_owned()))
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path) -> Result<(), KeyError> {
    Ok(())
}

fn parse(text: &str) -> Result<Zeroizing<[[u8; 32]; 3]>, &'static str> {
    let mut lines = text.lines();
    if lines.next() != Some(FIRST_LINE) {
        return Err("its first line is not that of a key file");
    }
    let mut seeds = Zeroizing::new([[0; 32]; 3]);
    for (seed, name) in seeds.iter_mut().zip(["signing", "device", "wrap"]) {
        let value = lines.next().and_then(|line| line.strip_prefix(name)).map(str::trim);
        *seed = value.and_then(unhex).ok_or("a line is missing or is not 64 hexadecimal digits")?;
    }
    Ok(seeds)
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The 32 bytes of 64 hexadecimal digits.
#[must_use]
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok().filter(|_| !pair.starts_with('+'))?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> ServerKeys {
        ServerKeys::from_seeds(&[[1; 32], [2; 32], [3; 32]])
    }

    fn household() -> KeyUse {
        KeyUse::Household(VillageId::from_bytes([4; 16]), HouseholdId::from_bytes([5; 16]))
    }

    #[test]
    fn a_wrapped_key_opens_for_its_own_use_only() {
        let wrapped = keys().wrap(household(), &[9; 64]).unwrap();
        assert_eq!(*keys().unwrap::<64>(household(), &wrapped).unwrap(), [9; 64]);
        let other = KeyUse::Household(VillageId::from_bytes([4; 16]), HouseholdId::from_bytes([6; 16]));
        assert!(matches!(keys().unwrap::<64>(other, &wrapped), Err(KeyError::Unwrap)));
        let village = KeyUse::Village(VillageId::from_bytes([4; 16]));
        assert!(matches!(keys().unwrap::<64>(village, &wrapped), Err(KeyError::Unwrap)));
    }

    #[test]
    fn a_wrapped_key_does_not_open_under_another_wrap_key_or_altered_or_cut() {
        let mut wrapped = keys().wrap(household(), &[9; 64]).unwrap();
        let others = ServerKeys::from_seeds(&[[1; 32], [2; 32], [4; 32]]);
        assert!(others.unwrap::<64>(household(), &wrapped).is_err());
        assert!(keys().unwrap::<32>(household(), &wrapped).is_err());
        assert!(keys().unwrap::<64>(household(), &wrapped[..20]).is_err());
        wrapped[30] ^= 1;
        assert!(keys().unwrap::<64>(household(), &wrapped).is_err());
    }

    #[test]
    fn the_same_key_is_never_wrapped_to_the_same_bytes() {
        let (first, second) = (keys().wrap(household(), &[9; 64]), keys().wrap(household(), &[9; 64]));
        assert_ne!(first.unwrap(), second.unwrap());
    }

    #[test]
    fn the_key_file_is_private_and_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let created = ServerKeys::create(directory.path()).unwrap();
        let loaded = ServerKeys::load(directory.path(), None).unwrap();
        assert_eq!(created.signing.public(), loaded.signing.public());
        assert_eq!(created.device.public(), loaded.device.public());
        let wrapped = created.wrap(household(), &[9; 64]).unwrap();
        assert!(loaded.unwrap::<64>(household(), &wrapped).is_ok());
        let overridden = ServerKeys::load(directory.path(), Some(&[8; 32])).unwrap();
        assert!(overridden.unwrap::<64>(household(), &wrapped).is_err());
        assert!(matches!(ServerKeys::create(directory.path()), Err(KeyError::Exists(_))));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        ServerKeys::create(directory.path()).unwrap();
        let path = directory.path().join(KEY_FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(ServerKeys::load(directory.path(), None), Err(KeyError::Exposed(_))));
    }

    #[test]
    fn a_missing_or_damaged_key_file_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let missing = ServerKeys::load(directory.path(), None).unwrap_err().to_string();
        assert!(missing.contains("ruhu-server init"), "{missing}");
        assert!(parse("ruhu-server-key 2\n").is_err());
        assert!(parse("ruhu-server-key 1\nsigning 00\n").is_err());
        let good = format!("ruhu-server-key 1\nsigning {0}\ndevice {0}\n", hex(&[1; 32]));
        assert!(parse(&good).is_err());
        assert!(parse(&format!("{good}wrap {}\n", hex(&[1; 32]))).is_ok());
    }

    #[test]
    fn hexadecimal_reads_back_and_nothing_else_is_taken() {
        assert_eq!(unhex(&hex(&[0xAB; 32])), Some([0xAB; 32]));
        assert_eq!(unhex(&"+1".repeat(32)), None);
        assert_eq!(unhex(&"0g".repeat(32)), None);
        assert_eq!(unhex("ab"), None);
    }

    #[test]
    fn the_keys_are_not_printed() {
        assert_eq!(format!("{:?}", keys()), "ServerKeys { .. }");
    }
}
