//! A device gives up a key that was found to be in two places, and goes on under a new one.
//!
//! Both copies of a store may do so, and nobody knows which one is the person's: each gets a provisional
//! certificate for the same villages, and what comes under it is kept in quarantine until a person enrols
//! that device again with a new code. The old key ends in the same transaction.

use ruhu_ledger::certificate::{
    Certificate, CertificateKind, Revocation, SignedCertificate, SignedRevocation,
};
use ruhu_ledger::signature::{PublicKey, Signature};
use ruhu_survey::id::DeviceId;
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::enrol::{EnrolError, SERIAL_TRIES_MAX};
use crate::keys::ServerKeys;
use crate::store::Store;
use crate::store::people::{Device, Redeemed};

/// What both proofs are signed for.
pub const REPLACEMENT_DOMAIN: &str = "ruhu/key-replacement/1";

/// The reason of the revocation of a key that a device gave up.
pub const KEY_COPIED: &str = "key_copied";

/// Provisional keys that may take the place of one: a store is copied once or twice, not for ever.
pub const REPLACEMENTS_PER_KEY_MAX: usize = 8;

/// What a device asks.
#[derive(Debug, Clone)]
pub struct ReplacementRequest {
    /// The key that it gives up.
    pub old_key: PublicKey,
    /// The key that it made.
    pub new_key: PublicKey,
    /// The old key's signature for [`REPLACEMENT_DOMAIN`] over [`replacement_digest`].
    pub old_proof: Signature,
    /// The new key's signature over the same.
    pub new_proof: Signature,
}

/// What both keys sign.
#[must_use]
pub fn replacement_digest(old: &PublicKey, new: &PublicKey) -> [u8; 32] {
    Sha256::new().chain_update(old.0).chain_update(new.0).finalize().into()
}

/// Whether a device's key ended because a copy of its store gave it up.
#[must_use]
pub fn was_given_up(device: &Device) -> bool {
    device.revoked.as_ref().is_some_and(|(_, reason)| reason == KEY_COPIED)
}

/// Ends the old key and certifies the new one provisionally, in one transaction. The same request asked
/// again gets the same certificate.
///
/// # Errors
/// [`EnrolError`], each with a stable code; nothing was written then.
pub fn replace_key(
    store: &dyn Store,
    keys: &ServerKeys,
    clock: &dyn Clock,
    request: &ReplacementRequest,
) -> Result<SignedCertificate, EnrolError> {
    check_proofs(request)?;
    let old = store.device(request.old_key.device_id())?.ok_or(EnrolError::KeyUnknown)?;
    let held = &old.certificate.statement;
    if let Some(made) = store.device(request.new_key.device_id())? {
        return again(made, held);
    }
    // A provisional key proves nothing that could be handed on; a server's is not a device's.
    if held.kind != CertificateKind::Device || (old.revoked.is_some() && !was_given_up(&old)) {
        return Err(EnrolError::KeyRevoked);
    }
    let now_ms = clock.now_ms();
    let revocation = match old.revoked {
        Some(_) => None,
        None => Some(revocation(keys, held, old.id, now_ms)?),
    };
    let mut certificate = Certificate {
        serial: store.next_serial()?,
        key: request.new_key,
        kind: CertificateKind::Provisional,
        from_ms: now_ms,
        ..held.clone()
    };
    for _ in 0..SERIAL_TRIES_MAX {
        let signed = SignedCertificate::sign(certificate.clone(), &keys.signing)?;
        match store.key_replace(old.id, &signed, revocation.as_ref(), now_ms)? {
            Redeemed::Granted => return Ok(signed),
            Redeemed::Used => return Err(EnrolError::TooManyCopies),
            Redeemed::Serial(next) => certificate.serial = next,
        }
    }
    Err(EnrolError::Busy)
}

fn check_proofs(request: &ReplacementRequest) -> Result<(), EnrolError> {
    let ReplacementRequest { old_key, new_key, old_proof, new_proof } = request;
    new_key.check().map_err(|_| EnrolError::BadKey)?;
    let digest = replacement_digest(old_key, new_key);
    for (key, proof) in [(old_key, old_proof), (new_key, new_proof)] {
        key.verify_strict(REPLACEMENT_DOMAIN, &digest, proof).map_err(|_| EnrolError::BadProof)?;
    }
    Ok(())
}

/// The certificate that the new key was given before.
fn again(made: Device, held: &Certificate) -> Result<SignedCertificate, EnrolError> {
    let said = &made.certificate.statement;
    if made.revoked.is_some() {
        Err(EnrolError::KeyRevoked)
    } else if said.user == held.user && said.kind == CertificateKind::Provisional {
        Ok(made.certificate)
    } else {
        Err(EnrolError::KeyInUse)
    }
}

fn revocation(
    keys: &ServerKeys,
    held: &Certificate,
    device: DeviceId,
    at_ms: i64,
) -> Result<SignedRevocation, EnrolError> {
    let revocation = Revocation { deployment: held.deployment, device, at_ms, reason: KEY_COPIED.to_owned() };
    Ok(SignedRevocation::sign(revocation, &keys.signing)?)
}

#[cfg(test)]
mod tests;
