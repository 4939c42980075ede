//! Meeting another device over a link: a handshake, and the two proofs, before anything is given.

use ruhu_ledger::certificate::{Certificate, SignedCertificate};
use ruhu_ledger::signature::PublicKey;
use ruhu_survey::codec::CodecError;
use ruhu_sync::peer::{Bounds, PeerRefusal, PeerSide, Proof};

use super::link::Link;
use super::talk::{Peer, PeerReport};
use crate::client::Client;
use crate::error::Error;
use crate::store::certificate;
use crate::store::epoch;
use crate::store::meta::{self, Fact};
use crate::transport::TransportError;

/// First byte of what a device says before the sync: why it goes no further, its proof, or that its person
/// has confirmed.
const REFUSAL: u8 = 0;
const PROOF: u8 = 1;
const CONFIRMED: u8 = 2;
/// The most bytes of a refusal that are shown.
const REFUSAL_BYTES_MAX: usize = 512;

impl Client {
    /// Syncs with another device, without a server: encrypted, and only after each has proved a current
    /// certificate of the same installation. `confirm` is asked, with who the other is, before anything is
    /// given or taken.
    ///
    /// # Errors
    /// [`Error::Transport`] when the two cannot shake hands, and those of [`Client::sync_over`].
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn sync_with_peer(
        &mut self,
        link: impl Link,
        side: PeerSide,
        confirm: &mut dyn FnMut(&Peer) -> bool,
    ) -> Result<PeerReport, Error> {
        let link = super::noise::SecureLink::open(link, side, self.environment()).await?;
        let transcript = link.transcript();
        self.sync_over(link, transcript, side, confirm).await
    }

    /// As [`Client::sync_with_peer`], over a link that is encrypted already. `transcript` is known at both of
    /// its ends and on no other link: each device signs it to prove that it is at one of them.
    ///
    /// # Errors
    /// [`Error::NotEnrolled`]; [`Error::LogInconsistent`]; [`Error::Peer`] when the other does not prove
    /// itself; [`Error::PeerRefused`] when it does not accept this device; [`Error::NotConfirmed`];
    /// [`Error::NoSharedVillage`]; [`Error::Transport`] when the link breaks before anything was given; or
    /// that the store fails. A link that breaks later is no error but reported.
    pub async fn sync_over(
        &mut self,
        mut link: impl Link,
        transcript: [u8; 32],
        side: PeerSide,
        confirm: &mut dyn FnMut(&Peer) -> bool,
    ) -> Result<PeerReport, Error> {
        self.refuse_halted()?;
        let own = Proof::make(&self.identity()?.key, self.own_certificate()?, side, &transcript);
        let proof = match side {
            PeerSide::Caller => {
                say(&mut link, PROOF, &own.to_bytes()).await?;
                self.hear_proof(&mut link, side, &transcript).await?
            }
            PeerSide::Listener => {
                let proof = self.hear_proof(&mut link, side, &transcript).await?;
                say(&mut link, PROOF, &own.to_bytes()).await?;
                proof
            }
        };
        let peer = self.described(&proof, &transcript)?;
        if !confirm(&peer) {
            say(&mut link, REFUSAL, b"the person at the other device said no").await?;
            return Err(Error::NotConfirmed);
        }
        match side {
            PeerSide::Caller => {
                say(&mut link, CONFIRMED, &[]).await?;
                hear(&mut link, CONFIRMED).await?;
            }
            PeerSide::Listener => {
                hear(&mut link, CONFIRMED).await?;
                say(&mut link, CONFIRMED, &[]).await?;
            }
        }
        self.talk(&mut link, side, peer).await
    }

    /// Hears the other's proof and judges it; tells it when it is refused.
    async fn hear_proof(
        &self,
        link: &mut impl Link,
        side: PeerSide,
        transcript: &[u8; 32],
    ) -> Result<Certificate, Error> {
        let bytes = hear(link, PROOF).await?;
        match self.judge(&bytes, side.other(), transcript)? {
            Ok(certificate) => Ok(certificate),
            Err(refusal) => {
                // It may be gone already; the refusal stands.
                let _ = say(link, REFUSAL, refusal.to_string().as_bytes()).await;
                Err(Error::Peer(refusal))
            }
        }
    }

    /// Whether a proof holds by itself and by what is known here of revocations and newer certificates.
    fn judge(
        &self,
        bytes: &[u8],
        side: PeerSide,
        transcript: &[u8; 32],
    ) -> Result<Result<Certificate, PeerRefusal>, Error> {
        let identity = self.identity()?;
        // A restored server goes on with another key; certificates by the one before it still hold.
        let server_keys: Vec<PublicKey> = epoch::keys(self.store.read())?.into_values().collect();
        let bounds = Bounds {
            server_keys: &server_keys,
            deployment: identity.certificate.deployment,
            now_ms: self.environment().now_ms(),
        };
        let proof = match Proof::from_bytes(bytes) {
            Ok(proof) => proof,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let certificate = match proof.verify(side, transcript, &bounds) {
            Ok(certificate) => certificate.clone(),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let connection = self.store.read();
        let device = certificate.device();
        if certificate::revoked_ms(connection, device)?.is_some() {
            return Ok(Err(PeerRefusal::Revoked));
        }
        let newest = certificate::of(connection, device)?.into_iter().next();
        if newest.is_some_and(|newest| newest.serial > certificate.serial) {
            return Ok(Err(PeerRefusal::Superseded));
        }
        Ok(Ok(certificate))
    }

    fn own_certificate(&self) -> Result<SignedCertificate, Error> {
        let unreadable = || Error::stored("certificate")(CodecError::Unknown("certificate"));
        let bytes = meta::get(self.store.read(), Fact::Certificate)?.ok_or(Error::NotEnrolled)?;
        SignedCertificate::from_bytes(&bytes).map_err(|_| unreadable())
    }

    fn described(&self, certificate: &Certificate, transcript: &[u8; 32]) -> Result<Peer, Error> {
        let [a, b, c, d, ..] = *transcript;
        Ok(Peer {
            device: certificate.device(),
            name: certificate.name.clone(),
            user: certificate.user,
            role: certificate.role,
            words: certificate.key.fingerprint_words(),
            code: format!("{:06}", u32::from_be_bytes([a, b, c, d]) % 1_000_000),
            villages: self.shared_villages(&certificate.villages)?,
        })
    }
}

/// What the other says of this kind.
async fn hear(link: &mut impl Link, kind: u8) -> Result<Vec<u8>, Error> {
    let message = link.receive().await?;
    match message.split_first() {
        Some((found, bytes)) if *found == kind => Ok(bytes.to_vec()),
        Some((&REFUSAL, why)) => {
            let why = why.split_at(why.len().min(REFUSAL_BYTES_MAX)).0;
            Err(Error::PeerRefused(String::from_utf8_lossy(why).into_owned()))
        }
        _ => Err(Error::Transport(TransportError::Unclear)),
    }
}

async fn say(link: &mut impl Link, kind: u8, what: &[u8]) -> Result<(), TransportError> {
    link.send(&[&[kind], what].concat()).await
}
