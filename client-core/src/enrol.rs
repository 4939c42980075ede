//! Enrolment (设备注册): a one-time code becomes a certificate for a key made on this device.
//!
//! The secret half of the key never leaves the store. It is kept before the request is sent, so an answer
//! that was lost is asked for again with the same key and gives the same certificate.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ruhu_ledger::certificate::SignedCertificate;
use ruhu_ledger::signature::{PublicKey, SecretKey};
use ruhu_ledger::succession::EpochLink;
use ruhu_survey::id::{DeploymentId, EpochId, VillageId};
use rusqlite::{Transaction, params};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::env::random;
use crate::error::Error;
use crate::identity::{Identity, device_key};
use crate::new_key::{adopt_key, will_not_do};
use crate::problem::refusal;
use crate::store::certificate;
use crate::store::epoch;
use crate::store::meta::{self, Fact};
use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError};

/// What the proof of an enrolment is signed for.
const PROOF_DOMAIN: &str = "ruhu/enrolment/1";
const CODE_CHARACTERS: usize = 10;
/// Digits and letters that are not mistaken for one another (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What a person was given to enrol with: a link from a QR code, or an address and a code to type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The server's address.
    pub server: String,
    /// The ten characters of the code, upper case.
    pub code: String,
    /// The server's key, when a link carried it. Without it, six words have to be compared.
    pub server_key: Option<PublicKey>,
}

impl Invitation {
    /// Reads a link such as `ruhu:enrol?server=https://ruhu.example.cn&code=K7QD-92MX-4T&key=…`.
    ///
    /// # Errors
    /// [`Error::InvalidLink`] naming the part that is missing or wrong.
    pub fn from_link(link: &str) -> Result<Self, Error> {
        let query =
            link.trim().strip_prefix("ruhu:enrol?").ok_or(Error::InvalidLink("it is no ruhu:enrol link"))?;
        let part = |name: &'static str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let server = part("server").and_then(unescape).ok_or(Error::InvalidLink("it names no server"))?;
        let code = part("code").and_then(unescape).ok_or(Error::InvalidLink("it holds no code"))?;
        let key = part("key").ok_or(Error::InvalidLink("it holds no server key"))?;
        let key = decode::<32>(key).ok_or(Error::InvalidLink("the server key is not 32 bytes"))?;
        Ok(Self { server, code: normalise(&code)?, server_key: Some(PublicKey(key)) })
    }

    /// From an address and a code that a person typed; case, spaces and dashes in the code do not matter.
    ///
    /// # Errors
    /// [`Error::InvalidLink`] when the code is not ten letters and digits.
    pub fn typed(server: &str, code: &str) -> Result<Self, Error> {
        Ok(Self { server: server.trim().to_owned(), code: normalise(code)?, server_key: None })
    }
}

/// What an enrolment gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Whose device it is now, as the server names the person.
    pub user_name: String,
    /// How many villages it may work in.
    pub villages: usize,
    /// The server's key in six words.
    pub server_words: [&'static str; 6],
}

#[derive(Deserialize)]
struct Answer {
    deployment: DeploymentId,
    epoch: EpochId,
    server_key: String,
    #[serde(default)]
    links: Vec<String>,
    certificate: String,
    villages: Vec<AnswerVillage>,
    user: AnswerUser,
}

#[derive(Deserialize)]
struct AnswerVillage {
    id: VillageId,
    code: String,
    name: String,
    search_key: String,
}

#[derive(Deserialize)]
struct AnswerUser {
    name: String,
}

impl Client {
    /// Enrols this device, or takes a new certificate for it from the same installation. Everything in the
    /// store is kept: what an earlier key of this device wrote is carried on, and what was kept apart for
    /// that key alone (revoked, expired, provisional) is written anew under the present one.
    ///
    /// `device_name` is a label such as `tablet 3`, without personal data. `confirm` is shown the six
    /// words of the server's key when the invitation carried no key; nothing is kept unless it says yes.
    ///
    /// # Errors
    /// [`Error::Refused`] with the server's code (`enrolment_code_unknown`, `…_expired`, `…_used` …),
    /// [`Error::OtherServer`] when the key is not the one expected, [`Error::AlreadyEnrolled`] when the
    /// store belongs to another installation or person, [`Error::Transport`].
    pub async fn enrol(
        &mut self,
        invitation: &Invitation,
        device_name: &str,
        confirm: &mut dyn FnMut([&'static str; 6]) -> bool,
        transport: &impl Transport,
    ) -> Result<Enrolled, Error> {
        let mut key = self.key_to_enrol()?;
        let mut response = transport.send(request(invitation, device_name, &key)).await?;
        // The code is not used up by a refusal.
        if will_not_do(&response) && self.identity_if_any().is_some() {
            key = self.next_key()?;
            response = transport.send(request(invitation, device_name, &key)).await?;
            if will_not_do(&response) {
                key = self.another_next_key()?;
                response = transport.send(request(invitation, device_name, &key)).await?;
            }
        }
        let (answer, certificate, server_key) = read_answer(&response, &key)?;
        match invitation.server_key {
            Some(expected) if expected != server_key => return Err(Error::OtherServer),
            None if !confirm(server_key.fingerprint_words()) => return Err(Error::OtherServer),
            _ => {}
        }
        self.refuse_another(&answer, &certificate)?;
        self.keep_enrolment(invitation, &answer, &certificate, server_key)?;
        Ok(Enrolled {
            user_name: answer.user.name,
            villages: answer.villages.len(),
            server_words: server_key.fingerprint_words(),
        })
    }

    /// The present key; another one where that was revoked or is known to be in two places.
    fn key_to_enrol(&mut self) -> Result<SecretKey, Error> {
        if let Some(identity) = self.identity_if_any() {
            let revoked = certificate::revoked_ms(self.store.read(), identity.device())?.is_some();
            if revoked || self.must_give_up_its_key()? {
                return self.next_key();
            }
        }
        if let Some(key) = device_key(self.store.read())? {
            return Ok(key);
        }
        let seed: [u8; 32] = random(self.environment())?;
        self.store.write(|tx| meta::set(tx, Fact::DeviceSeed, &seed))?;
        Ok(SecretKey::from_seed(seed))
    }

    /// Keeps what an enrolment gave. What was kept apart for the key alone is written anew by the next sync,
    /// which first learns whether another copy of this store has done so.
    fn keep_enrolment(
        &mut self,
        invitation: &Invitation,
        answer: &Answer,
        certificate: &SignedCertificate,
        server_key: PublicKey,
    ) -> Result<(), Error> {
        let before = self.identity_if_any().cloned();
        let now_ms = self.environment().now_ms();
        let opening = random(self.environment())?;
        let (store, environment) = self.store_and_environment();
        store.write(|tx| {
            if let Some(before) = before.filter(|before| before.certificate.key != certificate.statement.key)
            {
                adopt_key(tx, &before, environment)?;
            }
            keep(tx, invitation, answer, certificate, (server_key, now_ms))
        })?;
        self.opening = opening;
        self.reload_identity()
    }

    fn refuse_another(&self, answer: &Answer, certificate: &SignedCertificate) -> Result<(), Error> {
        let Some(identity) = self.identity_if_any() else { return Ok(()) };
        let held = &identity.certificate;
        let same = held.deployment == answer.deployment && held.user == certificate.statement.user;
        if same { Ok(()) } else { Err(Error::AlreadyEnrolled) }
    }
}

fn request(invitation: &Invitation, device_name: &str, key: &SecretKey) -> HttpRequest {
    let public = key.public();
    let digest: [u8; 32] = Sha256::new()
        .chain_update(&invitation.code)
        .chain_update(b"\n")
        .chain_update(public.0)
        .chain_update(device_name)
        .finalize()
        .into();
    let proof = key.sign(PROOF_DOMAIN, &digest);
    let body = serde_json::json!({
        "code": invitation.code,
        "public_key": URL_SAFE_NO_PAD.encode(public.0),
        "device_name": device_name,
        "proof": URL_SAFE_NO_PAD.encode(proof.0),
    });
    HttpRequest {
        method: "POST",
        path: "/v1/enrolments".to_owned(),
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

fn read_answer(
    response: &HttpResponse,
    key: &SecretKey,
) -> Result<(Answer, SignedCertificate, PublicKey), Error> {
    if !response.whole {
        return Err(TransportError::Cut.into());
    }
    if !(200..300).contains(&response.status) {
        return Err(refusal(response));
    }
    let unclear = |what: &str| Error::Answer(format!("the enrolment's {what} cannot be read"));
    let answer: Answer = serde_json::from_slice(&response.body).map_err(|_| unclear("answer"))?;
    let server_key = decode::<32>(&answer.server_key).map(PublicKey).ok_or_else(|| unclear("server key"))?;
    let certificate = URL_SAFE_NO_PAD.decode(&answer.certificate).map_err(|_| unclear("certificate"))?;
    let certificate = SignedCertificate::from_bytes(&certificate).map_err(|_| unclear("certificate"))?;
    certificate.verify(&server_key).map_err(|_| Error::OtherServer)?;
    let statement = &certificate.statement;
    if statement.key != key.public() || statement.deployment != answer.deployment {
        return Err(Error::Answer("the certificate is not for this device".to_owned()));
    }
    Ok((answer, certificate, server_key))
}

fn keep(
    tx: &Transaction<'_>,
    invitation: &Invitation,
    answer: &Answer,
    certificate: &SignedCertificate,
    (server_key, now_ms): (PublicKey, i64),
) -> Result<(), Error> {
    let held = meta::get(tx, Fact::Epoch)?;
    epoch::remember(tx, answer.epoch, server_key, None, now_ms)?;
    epoch::learn(tx, answer.deployment, &links(answer)?, now_ms)?;
    if held.is_some_and(|held| held != answer.epoch.as_bytes()) {
        epoch::begin(tx, answer.epoch)?;
    }
    // A person decided for this server: what stopped the last sync is judged anew.
    meta::set(tx, Fact::Halted, &[])?;
    meta::set(tx, Fact::Copied, &[])?;
    meta::set(tx, Fact::Nonce, &[])?;
    meta::set(tx, Fact::ServerUrl, invitation.server.as_bytes())?;
    meta::set(tx, Fact::ServerKey, &server_key.0)?;
    meta::set(tx, Fact::Epoch, answer.epoch.as_bytes())?;
    meta::set(tx, Fact::UserName, answer.user.name.as_bytes())?;
    meta::set(tx, Fact::Certificate, &certificate.to_bytes())?;
    crate::store::certificate::put(tx, certificate)?;
    tx.execute("UPDATE village SET granted = 0", [])?;
    for village in &answer.villages {
        let search_key = decode::<32>(&village.search_key);
        let search_key =
            search_key.ok_or_else(|| Error::Answer("a village's key cannot be read".to_owned()))?;
        tx.prepare_cached(
            "INSERT INTO village (village, code, name, search_key) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (village) DO UPDATE SET code = excluded.code, name = excluded.name,
                 search_key = excluded.search_key, granted = 1",
        )?
        .execute(params![village.id.as_bytes(), village.code, village.name, search_key])?;
    }
    Ok(())
}

/// How the server's epochs followed one another. A device that begins with a snapshot asks the feed for nothing
/// before it, so it must know from the start whose certificates it will find there.
fn links(answer: &Answer) -> Result<Vec<EpochLink>, Error> {
    let link = |text: &String| EpochLink::from_bytes(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    let links: Option<Vec<EpochLink>> = answer.links.iter().map(link).collect();
    links.ok_or_else(|| Error::Answer("an epoch link cannot be read".to_owned()))
}

impl Client {
    /// Reads the identity from the store again, after it changed.
    pub(crate) fn reload_identity(&mut self) -> Result<(), Error> {
        let identity = Identity::load(self.store.read())?;
        self.set_identity(identity);
        Ok(())
    }
}

/// Case, spaces and dashes do not matter, and O is taken for 0, I and L for 1.
fn normalise(code: &str) -> Result<String, Error> {
    let written = code.chars().filter(|letter| !matches!(letter, '-' | ' '));
    let meant = written.map(|letter| match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    });
    let code: String = meant.take(CODE_CHARACTERS + 1).collect();
    let known = code.bytes().all(|letter| ALPHABET.contains(&letter));
    if known && code.len() == CODE_CHARACTERS {
        Ok(code)
    } else {
        Err(Error::InvalidLink("a code has ten letters and digits, as in K7QD-92MX-4T"))
    }
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?.try_into().ok()
}

/// Undoes percent escapes (RFC 3986); `None` when they are broken or do not give UTF-8.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            plain.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            plain.push(byte);
        }
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_gives_its_three_parts() {
        let key = URL_SAFE_NO_PAD.encode([9; 32]);
        let link = format!("ruhu:enrol?server=https://ruhu.example.cn/a%20b&code=k7qd-92mx-4t&key={key}");
        let invitation = Invitation::from_link(&link).unwrap();
        assert_eq!(invitation.server, "https://ruhu.example.cn/a b");
        assert_eq!(invitation.code, "K7QD92MX4T");
        assert_eq!(invitation.server_key, Some(PublicKey([9; 32])));
    }

    #[test]
    fn a_broken_link_says_what_is_missing() {
        let key = URL_SAFE_NO_PAD.encode([9; 32]);
        for (link, part) in [
            ("https://ruhu.example.cn".to_owned(), "ruhu:enrol"),
            (format!("ruhu:enrol?code=K7QD92MX4T&key={key}"), "server"),
            (format!("ruhu:enrol?server=https%3&code=K7QD92MX4T&key={key}"), "server"),
            (format!("ruhu:enrol?server=https://a.cn&key={key}"), "code"),
            (format!("ruhu:enrol?server=https://a.cn&code=K7QD92MX4U&key={key}"), "ten letters"),
            ("ruhu:enrol?server=https://a.cn&code=K7QD92MX4T".to_owned(), "server key"),
            ("ruhu:enrol?server=https://a.cn&code=K7QD92MX4T&key=AAAA".to_owned(), "32 bytes"),
        ] {
            let message = Invitation::from_link(&link).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn letters_that_look_like_digits_are_taken_for_them() {
        assert_eq!(Invitation::typed("https://a.cn", "o il2 3456 78").unwrap().code, "0112345678");
    }
}
