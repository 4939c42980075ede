//! Checkpoints: the log's size and root as a signed note that outside tools verify.
//!
//! The text is C2SP tlog-checkpoint inside C2SP signed-note. A note's signature covers the note's text,
//! not a digest with a domain as everywhere else here: its first line, the origin, plays the domain's part.

use std::fmt::{self, Write};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ruhu_survey::id::{DeploymentId, EpochId};
use sha2::{Digest, Sha256};

use crate::error::{FormatError, VerifyError};
use crate::hex;
use crate::limits::{COUNTER_MAX, NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};
use crate::signature::{ALGORITHM_ED25519, PublicKey, SecretKey, Signature};
use crate::tree::{EMPTY_ROOT, Hash};

/// What every signature line begins with: an em dash and a space.
const SIGNATURE_LINE: &str = "\u{2014} ";

/// The size and root of a log at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, which is its key's name too: see [`origin`] and [`origin_of_epoch`].
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Hash,
}

/// The name of an installation's log in its first epoch.
#[must_use]
pub fn origin(deployment: DeploymentId) -> String {
    format!("ruhu/{deployment}")
}

/// The name of an installation's log in an epoch that follows another. It goes on from a backup, so the
/// two logs are rivals from there on: under one name, an outside tool would call the server a forger.
#[must_use]
pub fn origin_of_epoch(deployment: DeploymentId, epoch: EpochId) -> String {
    format!("ruhu/{deployment}/{epoch}")
}

impl Checkpoint {
    /// The checkpoint of an installation's log.
    #[must_use]
    pub fn new(deployment: DeploymentId, size: u64, root: Hash) -> Self {
        Self { origin: origin(deployment), size, root }
    }

    /// The checkpoint of the log in an epoch that follows another.
    #[must_use]
    pub fn of_epoch(deployment: DeploymentId, epoch: EpochId, size: u64, root: Hash) -> Self {
        Self { origin: origin_of_epoch(deployment, epoch), size, root }
    }

    /// The text that is signed: origin, size and root, a line each.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The signed note.
    ///
    /// # Errors
    /// [`FormatError::Note`] when the origin is not a key name or the checkpoint would not read back.
    pub fn sign(&self, key: &SecretKey) -> Result<String, FormatError> {
        let text = self.text();
        if Self::parse_text(&text)? != *self {
            return Err(FormatError::Note("the checkpoint does not read back as itself"));
        }
        let verifier = NoteKey::new(self.origin.clone(), key.public())?;
        let mut signature = verifier.key_hash().to_vec();
        signature.extend(key.sign_bytes(text.as_bytes()).0);
        Ok(format!("{text}\n{SIGNATURE_LINE}{} {}\n", self.origin, STANDARD.encode(signature)))
    }

    /// Reads a note and verifies that `key` signed it. Lines of other keys (witnesses) are passed over.
    ///
    /// # Errors
    /// [`VerifyError::Format`], [`VerifyError::NotSigned`], [`VerifyError::Key`] or
    /// [`VerifyError::Signature`].
    pub fn open(note: &str, key: &NoteKey) -> Result<Self, VerifyError> {
        let (text, lines) = split_note(note)?;
        let checkpoint = Self::parse_text(text)?;
        if checkpoint.origin != key.name {
            return Err(VerifyError::NotSigned);
        }
        let expected = key.key_hash();
        let mut signed = false;
        for line in lines {
            let (name, key_hash, signature) = parse_signature_line(line)?;
            if name == key.name && key_hash == expected {
                let signature = signature.try_into().map_err(|_| VerifyError::Signature)?;
                key.key.verify_bytes(text.as_bytes(), &Signature(signature))?;
                signed = true;
            }
        }
        if signed { Ok(checkpoint) } else { Err(VerifyError::NotSigned) }
    }

    /// Reads the text before the signatures.
    ///
    /// # Errors
    /// [`FormatError::Note`].
    pub fn parse_text(text: &str) -> Result<Self, FormatError> {
        let mut lines = text.strip_suffix('\n').ok_or(FormatError::Note("the text is cut"))?.split('\n');
        let mut line = || lines.next().ok_or(FormatError::Note("a line is lacking"));
        let (origin, size, root) = (line()?, line()?, line()?);
        if lines.next().is_some() {
            return Err(FormatError::Note("there are lines after the root"));
        }
        check_name(origin)?;
        let root = STANDARD.decode(root).map_err(|_| FormatError::Note("the root is not base64"))?;
        let root = root.try_into().map_err(|_| FormatError::Note("the root is not 32 bytes"))?;
        let size = parse_size(size)?;
        if size == 0 && root != EMPTY_ROOT {
            return Err(FormatError::Note("an empty log has the root of another"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

fn parse_size(text: &str) -> Result<u64, FormatError> {
    let size: u64 = text.parse().map_err(|_| FormatError::Note("the size is not a number"))?;
    if size > COUNTER_MAX || size.to_string() != text {
        return Err(FormatError::Note("the size is not in its shortest form, or too large"));
    }
    Ok(size)
}

/// The signed text, with its last line feed, and the signature lines.
fn split_note(note: &str) -> Result<(&str, Vec<&str>), FormatError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(FormatError::Note("it is longer than 65536 bytes"));
    }
    if note.chars().any(|c| c.is_control() && c != '\n') {
        return Err(FormatError::Note("it holds a control character"));
    }
    let (body, signatures) =
        note.rsplit_once("\n\n").ok_or(FormatError::Note("there is no blank line before the signatures"))?;
    let text = note.split_at(body.len() + 1).0;
    let signatures = signatures.strip_suffix('\n').ok_or(FormatError::Note("the last line is cut"))?;
    let lines: Vec<_> = signatures.split('\n').collect();
    if lines.len() > NOTE_SIGNATURES_MAX {
        return Err(FormatError::Note("it holds more than 100 signatures"));
    }
    Ok((text, lines))
}

/// The key's name, its hash and the signature of one line.
fn parse_signature_line(line: &str) -> Result<(&str, [u8; 4], Vec<u8>), FormatError> {
    let malformed = || FormatError::Note("a signature line is malformed");
    let rest = line.strip_prefix(SIGNATURE_LINE).ok_or_else(malformed)?;
    let (name, encoded) = rest.split_once(' ').ok_or_else(malformed)?;
    check_name(name)?;
    let decoded = STANDARD.decode(encoded).map_err(|_| malformed())?;
    match decoded.split_first_chunk() {
        Some((key_hash, signature)) if !signature.is_empty() => Ok((name, *key_hash, signature.to_vec())),
        _ => Err(malformed()),
    }
}

/// A key name is not empty and holds neither white space, control characters nor a plus sign.
fn check_name(name: &str) -> Result<(), FormatError> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.contains(bad) {
        return Err(FormatError::Note("the origin or key name is not a name"));
    }
    Ok(())
}

/// A named key that verifies notes; its text is the `vkey` that outside tools take:
/// `name+hash+base64(0x01 ‖ public key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    key: PublicKey,
}

impl NoteKey {
    /// A key under a name.
    ///
    /// # Errors
    /// [`FormatError::Note`] when the name is empty or holds white space, control characters or `+`.
    pub fn new(name: String, key: PublicKey) -> Result<Self, FormatError> {
        check_name(&name)?;
        Ok(Self { name, key })
    }

    /// The key of an installation's log.
    #[must_use]
    pub fn of_log(deployment: DeploymentId, key: PublicKey) -> Self {
        Self { name: origin(deployment), key }
    }

    /// The key of the log in an epoch that follows another.
    #[must_use]
    pub fn of_epoch(deployment: DeploymentId, epoch: EpochId, key: PublicKey) -> Self {
        Self { name: origin_of_epoch(deployment, epoch), key }
    }

    /// The name that stands in its signature lines.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// The first 4 bytes of SHA-256(name ‖ "\n" ‖ 0x01 ‖ public key).
    #[must_use]
    pub fn key_hash(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.name).chain_update("\n");
        let digest: Hash = hash.chain_update([ALGORITHM_ED25519]).chain_update(self.key.0).finalize().into();
        let [a, b, c, d, ..] = digest;
        [a, b, c, d]
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = STANDARD.encode([&[ALGORITHM_ED25519], self.key.0.as_slice()].concat());
        f.write_str(&self.name)?;
        f.write_char('+')?;
        hex::write(&self.key_hash(), f)?;
        write!(f, "+{encoded}")
    }
}

impl FromStr for NoteKey {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let malformed = || FormatError::Text("note key");
        let (name, rest) = text.split_once('+').ok_or_else(malformed)?;
        let (key_hash, encoded) = rest.split_once('+').ok_or_else(malformed)?;
        let decoded = STANDARD.decode(encoded).map_err(|_| malformed())?;
        let (algorithm, key) = decoded.split_first().ok_or_else(malformed)?;
        if *algorithm != ALGORITHM_ED25519 {
            return Err(FormatError::Algorithm(*algorithm));
        }
        let key = Self::new(name.to_owned(), PublicKey(key.try_into().map_err(|_| malformed())?))?;
        if hex::parse(key_hash) == Some(key.key_hash()) { Ok(key) } else { Err(malformed()) }
    }
}

#[cfg(test)]
mod tests;
