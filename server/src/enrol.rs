//! Enrolment (设备注册): one-time codes, links, and the granting of a device's certificate.
//!
//! A person with an account is given a code that works once and for a day. Their device makes a key
//! pair, proves that it holds the secret half, and is given a certificate for the villages of that
//! person. The link that carries the code also carries the server's key, so that the device knows
//! whom it asks; a typed code is checked by comparing six words.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ruhu_ledger::certificate::{Certificate, CertificateKind, SignedCertificate};
use ruhu_ledger::epoch::EpochStart;
use ruhu_ledger::limits::{NAME_BYTES_MAX, VILLAGES_PER_CERTIFICATE_MAX};
use ruhu_ledger::signature::{PublicKey, Signature};
use ruhu_ledger::succession::EpochLink;
use ruhu_survey::id::VillageId;
use ruhu_survey::role::Role;
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::keys::{KeyError, KeyUse, ServerKeys, random};
use crate::store::people::{Invite, PeopleStore, Redeemed, SecretHash, User, Village};
use crate::store::{Store, StoreError};

/// How long a device's certificate holds: two years, so that a phone in a drawer over a winter still works.
pub const CERTIFICATE_MS: i64 = 730 * 86_400_000;

/// The longest name of a device, in characters.
pub const DEVICE_NAME_CHARS_MAX: usize = 60;

/// What the proof of an enrolment is signed for.
pub const PROOF_DOMAIN: &str = "ruhu/enrolment/1";

/// Digits and letters that are not mistaken for one another (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const CODE_CHARS: usize = 10;
const CODE_BITS: u32 = 50;

/// Rounds until another enrolment's serial number no longer comes between; more than anyone needs.
pub(crate) const SERIAL_TRIES_MAX: usize = 20;

/// A one-time enrolment code (注册码): 50 random bits as ten characters, written `K7QD-92MX-4T`.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentCode(String);

impl EnrolmentCode {
    /// The code of 8 random bytes.
    #[must_use]
    pub fn from_random(random: [u8; 8]) -> Self {
        let bits = u64::from_be_bytes(random) >> (u64::BITS - CODE_BITS);
        let digit = |position: u32| usize::try_from(bits >> (position * 5) & 31).unwrap_or(0);
        let digits = (0..CODE_BITS / 5).rev().filter_map(|position| ALPHABET.get(digit(position)));
        Self(digits.map(|letter| char::from(*letter)).collect())
    }

    /// The hash under which the server keeps it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        Sha256::new().chain_update(b"ruhu/invite/1\n").chain_update(&self.0).finalize().into()
    }
}

/// A text that is not an enrolment code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an enrolment code has ten letters and digits, as in K7QD-92MX-4T")]
pub struct NotACode;

impl FromStr for EnrolmentCode {
    type Err = NotACode;

    /// Case, spaces and dashes do not matter, and O is taken for 0, I and L for 1.
    fn from_str(text: &str) -> Result<Self, NotACode> {
        let written = text.chars().filter(|letter| !matches!(letter, '-' | ' '));
        let meant = written.map(|letter| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        });
        let code: String = meant.take(CODE_CHARS + 1).collect();
        let known = code.bytes().all(|letter| ALPHABET.contains(&letter));
        if known && code.len() == CODE_CHARS { Ok(Self(code)) } else { Err(NotACode) }
    }
}

impl fmt::Display for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, rest) = self.0.split_at(4);
        let (second, third) = rest.split_at(4);
        write!(f, "{first}-{second}-{third}")
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode")
    }
}

/// The link that a device reads from a QR code: where the server is, the code, and the server's key.
#[must_use]
pub fn link(url: &str, code: &EnrolmentCode, server: &PublicKey) -> String {
    let key = URL_SAFE_NO_PAD.encode(server.0);
    format!("ruhu:enrol?server={}&code={code}&key={key}", percent(url))
}

/// Escapes what would end or change a value of a query (RFC 3986).
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/[]".contains(&byte);
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(escape).collect()
}

/// A new token of a person, and the hash under which the server keeps it.
///
/// # Errors
/// When the machine has no randomness to give.
pub fn new_token() -> Result<(String, SecretHash), KeyError> {
    let token = URL_SAFE_NO_PAD.encode(random::<32>()?);
    let hash = token_hash(&token);
    Ok((token, hash))
}

/// The hash under which the server keeps a token.
#[must_use]
pub fn token_hash(token: &str) -> SecretHash {
    Sha256::new().chain_update(b"ruhu/token/1\n").chain_update(token).finalize().into()
}

/// What a device signs to prove that it holds the key that it asks a certificate for.
#[must_use]
pub fn proof_digest(code: &EnrolmentCode, key: &PublicKey, device_name: &str) -> [u8; 32] {
    let digest = Sha256::new().chain_update(&code.0).chain_update(b"\n").chain_update(key.0);
    digest.chain_update(device_name).finalize().into()
}

/// What a device asks.
#[derive(Debug, Clone)]
pub struct EnrolmentRequest {
    /// The code as typed or scanned.
    pub code: String,
    /// The key that the device made.
    pub public_key: PublicKey,
    /// What the device is to be called.
    pub device_name: String,
    /// The signature for [`PROOF_DOMAIN`] over [`proof_digest`].
    pub proof: Signature,
}

/// A village as a device gets to know it.
#[derive(Clone, PartialEq, Eq)]
pub struct GrantedVillage {
    /// Its id.
    pub id: VillageId,
    /// Its official code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The key of its search tags.
    pub search_key: [u8; 32],
}

impl fmt::Debug for GrantedVillage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantedVillage")
            .field("id", &self.id)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// What a device is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentGranted {
    /// The installation, the present life of its log, and the server's key.
    pub start: EpochStart,
    /// How the present epoch followed those before it, oldest first: certificates of older ones go on.
    pub links: Vec<EpochLink>,
    /// The device's certificate.
    pub certificate: SignedCertificate,
    /// The person it was issued to.
    pub user: User,
    /// The villages it is for, ascending by code.
    pub villages: Vec<GrantedVillage>,
}

/// Why a device is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Nobody was given this code.
    #[error("the enrolment code is not known: check it, or ask for a new one")]
    CodeUnknown,
    /// The code's time is over.
    #[error("the enrolment code has expired: ask for a new one")]
    CodeExpired,
    /// Another device used the code.
    #[error("the enrolment code has been used: ask for a new one")]
    CodeUsed,
    /// The public key is not a usable key.
    #[error("the public key is not a usable Ed25519 key")]
    BadKey,
    /// The proof is not a signature by the key.
    #[error("the proof is not a signature by the public key over this request")]
    BadProof,
    /// The device's name is empty, too long or has control characters.
    #[error("the device's name must have 1 to {DEVICE_NAME_CHARS_MAX} characters and no control characters")]
    BadName,
    /// The key belongs to another person's device.
    #[error("the key belongs to another person's device: make a new key")]
    KeyInUse,
    /// No certificate was ever given to the key.
    #[error("the key is not enrolled here")]
    KeyUnknown,
    /// The key was given up as often as it may be.
    #[error("the key was given up too often: revoke the device and enrol it anew")]
    TooManyCopies,
    /// The key was revoked.
    #[error("the key was revoked: make a new key")]
    KeyRevoked,
    /// The person's regions hold no village.
    #[error("the person has no villages: import the regions, or give the person a region with villages")]
    NoVillages,
    /// The person's regions hold more villages than a certificate can name.
    #[error("the person has {0} villages, a device can have {VILLAGES_PER_CERTIFICATE_MAX}")]
    TooManyVillages(usize),
    /// Certificates were issued faster than this one could be numbered.
    #[error("too many devices enrol at the same moment: try again")]
    Busy,
    /// The server's keys failed.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificate cannot be written down.
    #[error("the certificate cannot be signed")]
    Certificate(#[from] ruhu_ledger::error::FormatError),
}

impl EnrolError {
    /// The stable code that a device reads.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CodeUnknown => "enrolment_code_unknown",
            Self::CodeExpired => "enrolment_code_expired",
            Self::CodeUsed => "enrolment_code_used",
            Self::BadKey => "enrolment_key_invalid",
            Self::BadProof => "enrolment_proof_invalid",
            Self::BadName => "enrolment_name_invalid",
            Self::KeyInUse => "enrolment_key_in_use",
            Self::KeyUnknown => "enrolment_key_unknown",
            Self::TooManyCopies => "enrolment_too_many_copies",
            Self::KeyRevoked => "enrolment_key_revoked",
            Self::NoVillages => "enrolment_no_villages",
            Self::TooManyVillages(_) => "enrolment_too_many_villages",
            Self::Busy => "enrolment_busy",
            Self::Keys(_) | Self::Store(_) | Self::Certificate(_) => "server_failed",
        }
    }
}

/// Makes an enrolment code for a person, to be used until `valid_ms` from now.
///
/// # Errors
/// When the machine has no randomness to give, or the store fails.
pub fn invite(
    store: &dyn PeopleStore,
    clock: &dyn Clock,
    user: &User,
    valid_ms: i64,
) -> Result<EnrolmentCode, EnrolError> {
    let code = EnrolmentCode::from_random(random()?);
    let now_ms = clock.now_ms();
    store.invite_add(user.id, &code.hash(), now_ms, now_ms.saturating_add(valid_ms))?;
    Ok(code)
}

/// Enrols a device: checks the code and the proof, then writes the certificate with its log leaf and
/// uses the code up, in one transaction.
///
/// The same request asked again by the same key gets the same certificate, so a lost answer costs nothing.
///
/// # Errors
/// [`EnrolError`], each with a stable code; nothing was written then.
pub fn enrol(
    store: &dyn Store,
    keys: &ServerKeys,
    clock: &dyn Clock,
    request: &EnrolmentRequest,
) -> Result<EnrolmentGranted, EnrolError> {
    let code: EnrolmentCode = request.code.parse().map_err(|NotACode| EnrolError::CodeUnknown)?;
    check_form(request, &code)?;
    let invite = store.invite(&code.hash())?.ok_or(EnrolError::CodeUnknown)?;
    let certificate = match refuse_unusable(&invite, request, clock)? {
        Use::First => certify(store, keys, clock, request, &code, &invite.user)?,
        Use::Repeated => certificate_again(store, request)?,
    };
    let villages = villages_of(store, &invite.user)?;
    let granted = villages.into_iter().filter(|village| certificate.statement.villages.contains(&village.id));
    Ok(EnrolmentGranted {
        start: store.deployment()?,
        links: store.links()?,
        villages: granted.map(|village| with_key(store, keys, village)).collect::<Result<_, _>>()?,
        certificate,
        user: invite.user,
    })
}

fn check_form(request: &EnrolmentRequest, code: &EnrolmentCode) -> Result<(), EnrolError> {
    let name = &request.device_name;
    let chars = name.chars().count();
    if name.trim().is_empty() || chars > DEVICE_NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(EnrolError::BadName);
    }
    request.public_key.check().map_err(|_| EnrolError::BadKey)?;
    let digest = proof_digest(code, &request.public_key, name);
    request.public_key.verify_strict(PROOF_DOMAIN, &digest, &request.proof).map_err(|_| EnrolError::BadProof)
}

/// Whether a code is used for the first time, or again by the device that used it.
enum Use {
    First,
    Repeated,
}

fn refuse_unusable(
    invite: &Invite,
    request: &EnrolmentRequest,
    clock: &dyn Clock,
) -> Result<Use, EnrolError> {
    match invite.used_by {
        Some(key) if key == request.public_key => Ok(Use::Repeated),
        Some(_) => Err(EnrolError::CodeUsed),
        None if invite.expires_ms <= clock.now_ms() => Err(EnrolError::CodeExpired),
        None => Ok(Use::First),
    }
}

fn certificate_again(store: &dyn Store, request: &EnrolmentRequest) -> Result<SignedCertificate, EnrolError> {
    let device = store.device(request.public_key.device_id())?;
    let device = device.ok_or(StoreError::NotFound("device"))?;
    if device.revoked.is_some() {
        return Err(EnrolError::KeyRevoked);
    }
    Ok(device.certificate)
}

/// What colleagues read beside an edit: the person and the device, or the device alone when it already
/// names the person or both together are too long for a certificate.
fn label(person: &str, device: &str) -> String {
    let both = format!("{person} · {device}");
    if device.contains(person) || both.len() > NAME_BYTES_MAX { device.to_owned() } else { both }
}

fn certify(
    store: &dyn Store,
    keys: &ServerKeys,
    clock: &dyn Clock,
    request: &EnrolmentRequest,
    code: &EnrolmentCode,
    user: &User,
) -> Result<SignedCertificate, EnrolError> {
    refuse_foreign_key(store, request, user)?;
    let villages = villages_of(store, user)?;
    let now_ms = clock.now_ms();
    let mut certificate = Certificate {
        deployment: store.deployment()?.deployment,
        serial: store.next_serial()?,
        key: request.public_key,
        kind: CertificateKind::Device,
        user: user.id,
        role: user.role,
        villages: villages.iter().map(|village| village.id).collect(),
        from_ms: now_ms,
        until_ms: now_ms.saturating_add(CERTIFICATE_MS),
        name: label(&user.name, &request.device_name),
    };
    for _ in 0..SERIAL_TRIES_MAX {
        let signed = SignedCertificate::sign(certificate.clone(), &keys.signing)?;
        match store.invite_redeem(&code.hash(), &signed, now_ms)? {
            Redeemed::Granted => return Ok(signed),
            Redeemed::Used => return Err(EnrolError::CodeUsed),
            Redeemed::Serial(next) => certificate.serial = next,
        }
    }
    Err(EnrolError::Busy)
}

fn refuse_foreign_key(store: &dyn Store, request: &EnrolmentRequest, user: &User) -> Result<(), EnrolError> {
    match store.device(request.public_key.device_id())? {
        Some(device) if device.revoked.is_some() => Err(EnrolError::KeyRevoked),
        Some(device) if device.certificate.statement.user != user.id => Err(EnrolError::KeyInUse),
        _ => Ok(()),
    }
}

/// The villages of a person whose codes hold.
fn villages_of(store: &dyn Store, user: &User) -> Result<Vec<Village>, EnrolError> {
    let mut villages = store.villages_in(&user.regions)?;
    villages.retain(|village| village.valid_until.is_none());
    match villages.len() {
        0 => Err(EnrolError::NoVillages),
        1..=VILLAGES_PER_CERTIFICATE_MAX => Ok(villages),
        many => Err(EnrolError::TooManyVillages(many)),
    }
}

fn with_key(store: &dyn Store, keys: &ServerKeys, village: Village) -> Result<GrantedVillage, EnrolError> {
    let search_key = village_key(store, keys, village.id)?;
    Ok(GrantedVillage { id: village.id, code: village.code, name: village.name, search_key })
}

/// The key of a village's search tags.
///
/// # Errors
/// When there is none, or it does not open.
pub fn village_key(store: &dyn Store, keys: &ServerKeys, village: VillageId) -> Result<[u8; 32], EnrolError> {
    let wrapped = store.village_key(village)?.ok_or(StoreError::NotFound("village key"))?;
    Ok(*keys.unwrap::<32>(KeyUse::Village(village), &wrapped)?)
}

/// The certificate of the server as a device of its own.
///
/// # Errors
/// When the name is too long.
pub fn server_certificate(
    start: &EpochStart,
    keys: &ServerKeys,
    name: &str,
    serial: u64,
) -> Result<SignedCertificate, EnrolError> {
    let certificate = Certificate {
        deployment: start.deployment,
        serial,
        key: keys.device.public(),
        kind: CertificateKind::Server,
        user: NOBODY,
        role: Role::Server,
        villages: std::collections::BTreeSet::new(),
        from_ms: start.started_ms,
        until_ms: ruhu_ledger::limits::TIME_MS_MAX,
        name: name.to_owned(),
    };
    Ok(SignedCertificate::sign(certificate, &keys.signing)?)
}

/// Stands where the server acts for nobody in particular.
pub const NOBODY: ruhu_survey::id::UserId = ruhu_survey::id::UserId::from_bytes([0; 16]);

#[cfg(test)]
pub(crate) mod tests;
