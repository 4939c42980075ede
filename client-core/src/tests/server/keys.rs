//! Keys that end, and the provisional ones that take their place.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ruhu_ledger::certificate::{Certificate, CertificateKind, SignedCertificate};
use ruhu_ledger::signature::PublicKey;
use ruhu_survey::id::{DeviceId, UserId};
use sha2::{Digest, Sha256};

use super::{FakeServer, answer, problem};
use crate::transport::{HttpRequest, HttpResponse};

impl FakeServer {
    /// Who enrols from now on.
    pub(in crate::tests) fn enrols(&self, user: UserId) {
        self.state.lock().unwrap().owner = Some(user);
    }

    /// Gives devices batches of their own chain too.
    pub(in crate::tests) fn tells_of_branches(&self) {
        self.state.lock().unwrap().tells_own = true;
    }

    /// Takes replacements of keys in and breaks the connection before it answers.
    pub(in crate::tests) fn loses_replacements(&self, loses: bool) {
        self.state.lock().unwrap().loses_replacements = loses;
    }

    pub(in crate::tests) fn devices(&self) -> usize {
        self.state.lock().unwrap().certificates.len()
    }

    /// Revokes a device's key: what comes under it is kept apart, and it is not certified again.
    pub(in crate::tests) fn retire(&self, device: DeviceId) {
        self.revoke(device, 1_755_500_000_000);
        self.state.lock().unwrap().retired.insert(device);
    }

    /// Gives a device that gives its key up a provisional certificate for a new one.
    pub(super) fn replace_key(&self, request: &HttpRequest) -> HttpResponse {
        let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(asked[name].as_str().unwrap()).unwrap();
        let (old, new) = (bytes("old_key"), bytes("new_key"));
        let (old, new) = (PublicKey(old.try_into().unwrap()), PublicKey(new.try_into().unwrap()));
        let digest: [u8; 32] = Sha256::new().chain_update(old.0).chain_update(new.0).finalize().into();
        for (key, proof) in [(old, "old_proof"), (new, "new_proof")] {
            let proof = ruhu_ledger::signature::Signature(bytes(proof).try_into().unwrap());
            key.verify_strict("ruhu/key-replacement/1", &digest, &proof).unwrap();
        }
        let at_ms = 1_755_500_000_000;
        if !self.state.lock().unwrap().retired.contains(&old.device_id()) {
            self.revoke(old.device_id(), at_ms);
        }
        let mut state = self.state.lock().unwrap();
        let made = state.certificates.get(&new.device_id());
        if made.is_some_and(|made| made.statement.kind == CertificateKind::Device) {
            return problem(409, "enrolment_key_in_use", &[]);
        }
        state.retired.insert(old.device_id());
        let held = state.certificates[&old.device_id()].statement.clone();
        let (kind, serial) = (CertificateKind::Provisional, state.certificates.len() as u64 + 1);
        let certificate = Certificate { kind, serial, key: new, from_ms: at_ms, ..held };
        let signed = SignedCertificate::sign(certificate, &self.key).unwrap();
        let signed = state.certificates.entry(new.device_id()).or_insert(signed);
        let body = serde_json::json!({ "certificate": URL_SAFE_NO_PAD.encode(signed.to_bytes()) });
        answer(200, body.to_string().into_bytes(), &[])
    }
}
