//! What each of two devices proves to the other before anything is given: a current certificate of the
//! same deployment, and that it holds the certificate's key on this very link.

use ruhu_ledger::certificate::{Certificate, CertificateKind, SignedCertificate};
use ruhu_ledger::error::FormatError;
use ruhu_ledger::signature::{PublicKey, SecretKey, Signature};
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::DeploymentId;

use crate::limits::CERTIFICATE_BYTES_MAX;

/// The version of what devices say to one another.
pub const PEER_PROTOCOL: u16 = 1;

/// How far two honest clocks may be apart, milliseconds: a certificate that ended, or begins, within that
/// time passes. A tablet that was off for a month keeps time to minutes, not to days.
pub const CLOCK_TOLERANCE_MS: i64 = 24 * 60 * 60 * 1000;

/// Which end of a link a device is. Each signs for its own end, so that no proof can be sent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerSide {
    /// The one that called.
    Caller,
    /// The one that listened.
    Listener,
}

impl PeerSide {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Listener,
            Self::Listener => Self::Caller,
        }
    }

    const fn domain(self) -> &'static str {
        match self {
            Self::Caller => "ruhu/peer/1/caller",
            Self::Listener => "ruhu/peer/1/listener",
        }
    }
}

/// Why a peer is given nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerRefusal {
    /// It does not say what a device of ours says.
    #[error("the other device cannot be understood")]
    Malformed(#[from] FormatError),
    /// Its program is of another version.
    #[error(
        "the other device speaks version {0} of the peer protocol, this one {PEER_PROTOCOL}: bring both up to date"
    )]
    Protocol(u16),
    /// It belongs to another installation.
    #[error("the other device belongs to another installation")]
    Deployment,
    /// Its certificate is by none of our server's keys that are known here.
    #[error(
        "the other device's certificate is by no server that this device knows: if the server was restored, sync with it first"
    )]
    Certificate,
    /// It is not a device that a person enrolled.
    #[error("the other device is not enrolled for good")]
    Kind,
    /// Its certificate has ended, or has not begun.
    #[error("the other device's certificate is not valid today: it must sync with the server first")]
    Expired,
    /// A newer certificate of it is known.
    #[error("the other device shows an old certificate: it must sync with the server first")]
    Superseded,
    /// Its key was revoked.
    #[error("the other device was revoked")]
    Revoked,
    /// It does not hold the key of its certificate, or somebody stands between the two.
    #[error("the other device does not hold the key of its certificate")]
    Key,
}

/// What a device already knows about others, by which it judges a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds<'a> {
    /// The server's keys: that of the present epoch, and those of epochs before it, whose certificates go on.
    pub server_keys: &'a [PublicKey],
    /// The installation.
    pub deployment: DeploymentId,
    /// The judging device's clock, milliseconds since 1970.
    pub now_ms: i64,
}

/// A device's proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Who it is.
    pub certificate: SignedCertificate,
    /// The signature of the link's transcript by the certificate's key.
    pub signature: Signature,
}

impl Proof {
    /// The proof of the holder of `key` at one end of the link with this transcript.
    #[must_use]
    pub fn make(
        key: &SecretKey,
        certificate: SignedCertificate,
        side: PeerSide,
        transcript: &[u8; 32],
    ) -> Self {
        Self { certificate, signature: key.sign(side.domain(), transcript) }
    }

    /// The version of the protocol, the signature, the certificate.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u16(PEER_PROTOCOL).raw(&self.signature.0).bytes(&self.certificate.to_bytes());
        writer.finish()
    }

    /// The proof of these bytes; nothing of it is verified.
    ///
    /// # Errors
    /// [`PeerRefusal::Malformed`], [`PeerRefusal::Protocol`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PeerRefusal> {
        let codec = |error: CodecError| PeerRefusal::Malformed(FormatError::Codec(error));
        let mut reader = Reader::new(bytes);
        let protocol = reader.u16().map_err(codec)?;
        if protocol != PEER_PROTOCOL {
            return Err(PeerRefusal::Protocol(protocol));
        }
        let signature = Signature(reader.array().map_err(codec)?);
        let certificate = reader.bytes("certificate", CERTIFICATE_BYTES_MAX).map_err(codec)?;
        let certificate = SignedCertificate::from_bytes(certificate)?;
        reader.end().map_err(codec)?;
        Ok(Self { certificate, signature })
    }

    /// Verifies everything that can be told from the proof itself, for a peer at `side` of the link.
    ///
    /// Whether the key was revoked, or a newer certificate is known, is the owner's to look up.
    ///
    /// # Errors
    /// [`PeerRefusal`]: give it nothing.
    pub fn verify(
        &self,
        side: PeerSide,
        transcript: &[u8; 32],
        bounds: &Bounds<'_>,
    ) -> Result<&Certificate, PeerRefusal> {
        let held = &self.certificate.statement;
        if held.deployment != bounds.deployment {
            return Err(PeerRefusal::Deployment);
        }
        if !bounds.server_keys.iter().any(|key| self.certificate.verify(key).is_ok()) {
            return Err(PeerRefusal::Certificate);
        }
        if held.kind != CertificateKind::Device {
            return Err(PeerRefusal::Kind);
        }
        let begins = held.from_ms.saturating_sub(CLOCK_TOLERANCE_MS);
        let ends = held.until_ms.saturating_add(CLOCK_TOLERANCE_MS);
        if !(begins..ends).contains(&bounds.now_ms) {
            return Err(PeerRefusal::Expired);
        }
        held.key.verify_strict(side.domain(), transcript, &self.signature).map_err(|_| PeerRefusal::Key)?;
        Ok(held)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::samples::{DEPLOYMENT, MORNING_MS, certificate};

    const TRANSCRIPT: [u8; 32] = [7; 32];
    const YEAR_MS: i64 = 31_536_000_000;

    static SERVER_KEYS: LazyLock<[PublicKey; 2]> = LazyLock::new(|| [[9; 32], [1; 32]].map(public));

    fn public(seed: [u8; 32]) -> PublicKey {
        SecretKey::from_seed(seed).public()
    }

    fn bounds(now_ms: i64) -> Bounds<'static> {
        Bounds { server_keys: SERVER_KEYS.as_slice(), deployment: DEPLOYMENT, now_ms }
    }

    fn proof(side: PeerSide) -> Proof {
        Proof::make(&SecretKey::from_seed([2; 32]), certificate(), side, &TRANSCRIPT)
    }

    fn judge(proof: &Proof, bounds: &Bounds<'_>) -> Result<(), PeerRefusal> {
        proof.verify(PeerSide::Caller, &TRANSCRIPT, bounds).map(drop)
    }

    #[test]
    fn a_device_proves_itself_and_the_proof_reads_back() {
        let proof = proof(PeerSide::Caller);
        assert_eq!(Proof::from_bytes(&proof.to_bytes()).unwrap(), proof);
        assert_eq!(judge(&proof, &bounds(MORNING_MS + 1)), Ok(()));
    }

    #[test]
    fn a_certificate_counts_within_the_tolerance_of_clocks_and_not_beyond() {
        let proof = proof(PeerSide::Caller);
        let (first, last) = (MORNING_MS - CLOCK_TOLERANCE_MS, MORNING_MS + YEAR_MS + CLOCK_TOLERANCE_MS - 1);
        for now_ms in [first, last] {
            assert_eq!(judge(&proof, &bounds(now_ms)), Ok(()));
        }
        for now_ms in [first - 1, last + 1] {
            assert_eq!(judge(&proof, &bounds(now_ms)), Err(PeerRefusal::Expired));
        }
    }

    #[test]
    fn nobody_proves_himself_with_what_another_said() {
        let bounds = bounds(MORNING_MS);
        assert_eq!(judge(&proof(PeerSide::Listener), &bounds), Err(PeerRefusal::Key), "sent back");
        let mut elsewhere = proof(PeerSide::Caller);
        elsewhere.signature = SecretKey::from_seed([2; 32]).sign(PeerSide::Caller.domain(), &[8; 32]);
        assert_eq!(judge(&elsewhere, &bounds), Err(PeerRefusal::Key), "from another link");
        let stolen =
            Proof::make(&SecretKey::from_seed([3; 32]), certificate(), PeerSide::Caller, &TRANSCRIPT);
        assert_eq!(judge(&stolen, &bounds), Err(PeerRefusal::Key));
    }

    #[test]
    fn strangers_are_named_as_such() {
        let proof = proof(PeerSide::Caller);
        let other = Bounds { deployment: DeploymentId::from_bytes([9; 16]), ..bounds(MORNING_MS) };
        assert_eq!(judge(&proof, &other), Err(PeerRefusal::Deployment));
        for server_keys in [&[public([9; 32])][..], &[]] {
            let other = Bounds { server_keys, ..bounds(MORNING_MS) };
            assert_eq!(judge(&proof, &other), Err(PeerRefusal::Certificate));
        }
        let mut provisional = certificate().statement;
        provisional.kind = CertificateKind::Provisional;
        let certificate = SignedCertificate::sign(provisional, &SecretKey::from_seed([1; 32])).unwrap();
        let proof = Proof::make(&SecretKey::from_seed([2; 32]), certificate, PeerSide::Caller, &TRANSCRIPT);
        assert_eq!(judge(&proof, &bounds(MORNING_MS)), Err(PeerRefusal::Kind));
    }

    #[test]
    fn another_version_and_every_cut_are_refused_without_a_panic() {
        let bytes = proof(PeerSide::Caller).to_bytes();
        for end in 0..bytes.len() {
            assert!(Proof::from_bytes(&bytes[..end]).is_err());
        }
        let mut newer = bytes;
        newer[1] = 2;
        assert_eq!(Proof::from_bytes(&newer), Err(PeerRefusal::Protocol(2)));
    }
}
