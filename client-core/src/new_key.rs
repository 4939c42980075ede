//! A new key for a store that was found to be in two places: copied, or restored from an old backup.
//!
//! Which of the two is the person's is not known here, and a thief's copy must not enrol itself. So the
//! device gives its key up, proving that it held it, and goes on under a new one with a provisional
//! certificate: the server keeps what it sends apart until a person enrols it again with a new code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ruhu_ledger::certificate::{CertificateKind, SignedCertificate};
use ruhu_ledger::signature::SecretKey;
use rusqlite::Connection;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::env::{Environment, random};
use crate::error::Error;
use crate::identity::{Identity, array};
use crate::problem::{code, refusal};
use crate::store::batch::{self, Seal};
use crate::store::meta::{self, Fact};
use crate::store::{certificate, village};
use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError};

/// What the proofs of a replacement are signed for.
const REPLACEMENT_DOMAIN: &str = "ruhu/key-replacement/1";
const REPLACEMENT_PATH: &str = "/v1/enrolments/replacements";

#[derive(Deserialize)]
struct Answer {
    certificate: String,
}

impl Client {
    /// Whether this store was found to be in two places and still uses the key that both have.
    pub(crate) fn must_give_up_its_key(&self) -> Result<bool, Error> {
        let certified = self.identity()?.certificate.kind == CertificateKind::Device;
        Ok(certified && meta::present(self.store.read(), Fact::Copied)?.is_some())
    }

    /// Gives the key up for a new one with a provisional certificate.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Answer`], [`Error::Transport`]; the old key is kept then, and the next
    /// sync tries again with the same new one.
    pub(crate) async fn give_up_key(&mut self, transport: &impl Transport) -> Result<(), Error> {
        let identity = self.identity()?.clone();
        let mut next = self.next_key()?;
        let mut response = transport.send(request(&identity.key, &next)).await?;
        if will_not_do(&response) {
            next = self.another_next_key()?;
            response = transport.send(request(&identity.key, &next)).await?;
        }
        let signed = read_answer(&response, &identity, &next)?;
        let (store, environment) = self.store_and_environment();
        store.write(|tx| {
            adopt_key(tx, &identity, environment)?;
            meta::set(tx, Fact::Nonce, &[])?;
            meta::set(tx, Fact::Certificate, &signed.to_bytes())?;
            certificate::put(tx, &signed)
        })?;
        self.opening = random(self.environment())?;
        self.reload_identity()
    }

    /// The key that is to take the place of the present one; made when there is none.
    pub(crate) fn next_key(&mut self) -> Result<SecretKey, Error> {
        if let Some(seed) = meta::present(self.store.read(), Fact::NextSeed)? {
            return Ok(SecretKey::from_seed(array(seed)?));
        }
        self.another_next_key()
    }

    /// A new key to take the place of the present one: the one made before may be in a copy of this store.
    pub(crate) fn another_next_key(&mut self) -> Result<SecretKey, Error> {
        let seed: [u8; 32] = random(self.environment())?;
        self.store.write(|tx| meta::set(tx, Fact::NextSeed, &seed))?;
        Ok(SecretKey::from_seed(seed))
    }
}

/// Whether the server will not certify a key because it knows it from elsewhere.
pub(crate) fn will_not_do(response: &HttpResponse) -> bool {
    matches!(code(response).as_deref(), Some("enrolment_key_revoked" | "enrolment_key_in_use"))
}

/// Puts the next key in the place of the present one. What was written under the old key is sealed under
/// it first: a batch proves who wrote it, and this device goes on carrying it.
pub(crate) fn adopt_key(
    connection: &Connection,
    identity: &Identity,
    environment: &dyn Environment,
) -> Result<(), Error> {
    let Some(seed) = meta::present(connection, Fact::NextSeed)? else { return Ok(()) };
    for village in village::all(connection)? {
        batch::seal(connection, identity, village.id, environment, Seal::All)?;
    }
    meta::set(connection, Fact::DeviceSeed, &seed)?;
    meta::set(connection, Fact::NextSeed, &[])
}

fn request(old: &SecretKey, new: &SecretKey) -> HttpRequest {
    let (old_key, new_key) = (old.public().0, new.public().0);
    let digest: [u8; 32] = Sha256::new().chain_update(old_key).chain_update(new_key).finalize().into();
    let proof = |key: &SecretKey| URL_SAFE_NO_PAD.encode(key.sign(REPLACEMENT_DOMAIN, &digest).0);
    let body = serde_json::json!({
        "old_key": URL_SAFE_NO_PAD.encode(old_key),
        "new_key": URL_SAFE_NO_PAD.encode(new_key),
        "old_proof": proof(old),
        "new_proof": proof(new),
    });
    HttpRequest {
        method: "POST",
        path: REPLACEMENT_PATH.to_owned(),
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

fn read_answer(
    response: &HttpResponse,
    identity: &Identity,
    next: &SecretKey,
) -> Result<SignedCertificate, Error> {
    if !response.whole {
        return Err(TransportError::Cut.into());
    }
    if !(200..300).contains(&response.status) {
        return Err(refusal(response));
    }
    let unclear = |what: &str| Error::Answer(format!("the replacement's {what}"));
    let answer: Answer =
        serde_json::from_slice(&response.body).map_err(|_| unclear("answer cannot be read"))?;
    let bytes = URL_SAFE_NO_PAD.decode(&answer.certificate);
    let bytes = bytes.map_err(|_| unclear("certificate cannot be read"))?;
    let signed = SignedCertificate::from_bytes(&bytes).map_err(|_| unclear("certificate cannot be read"))?;
    signed.verify(&identity.server_key).map_err(|_| Error::OtherServer)?;
    let (held, said) = (&identity.certificate, &signed.statement);
    let fits = said.key == next.public() && said.deployment == held.deployment && said.user == held.user;
    if fits { Ok(signed) } else { Err(unclear("certificate is not for this device")) }
}
