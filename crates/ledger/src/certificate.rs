//! Certificates and revocations: the server's word on whose key a device's key is, and where it may write.

use std::collections::BTreeSet;

use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::id::{DeploymentId, DeviceId, UserId, VillageId};
use ruhu_survey::role::Role;
use serde::{Deserialize, Serialize};

use crate::error::FormatError;
use crate::limits::{NAME_BYTES_MAX, REASON_BYTES_MAX, VILLAGES_PER_CERTIFICATE_MAX};
use crate::signature::{ALGORITHM_ED25519, PublicKey};
use crate::statement::{
    Signed, Statement, read_algorithm, read_counter, read_opening, read_time, write_opening,
};

const VERSION: u8 = 1;

/// What kind of holder a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateKind {
    /// A device that a person enrolled.
    Device,
    /// The server's own device: it may write for any user into any village.
    Server,
    /// A device that took a new key after a fork, until a person enrols it again.
    Provisional,
}

impl CertificateKind {
    /// The byte that stands for the kind.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Device => 1,
            Self::Server => 2,
            Self::Provisional => 3,
        }
    }

    /// The kind that a byte stands for.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Device),
            2 => Some(Self::Server),
            3 => Some(Self::Provisional),
            _ => None,
        }
    }
}

/// One key is one user on one device, in these villages, from a time until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The installation it holds in.
    pub deployment: DeploymentId,
    /// Its number among the certificates of the installation.
    pub serial: u64,
    /// The device's public key; the device's id follows from it.
    pub key: PublicKey,
    /// What kind of holder it is for.
    pub kind: CertificateKind,
    /// Who writes with the key. For a server's certificate: who enrolled it.
    pub user: UserId,
    /// What the user is in the villages.
    pub role: Role,
    /// Where the user may write. A server's certificate needs none.
    pub villages: BTreeSet<VillageId>,
    /// When it begins to hold, milliseconds since 1970, by the server's clock at receipt.
    pub from_ms: i64,
    /// When it ceases to hold, milliseconds since 1970, by the server's clock at receipt.
    pub until_ms: i64,
    /// A label for the device, such as `tablet 3`. No personal data.
    pub name: String,
}

impl Certificate {
    /// The device that holds the key.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.key.device_id()
    }

    /// Whether batches for this village may be signed with the key.
    #[must_use]
    pub fn grants(&self, village: VillageId) -> bool {
        self.kind == CertificateKind::Server || self.villages.contains(&village)
    }

    /// Whether it holds at a time of the server's clock, milliseconds since 1970.
    #[must_use]
    pub fn holds_at(&self, at_ms: i64) -> bool {
        (self.from_ms..self.until_ms).contains(&at_ms)
    }
}

impl Statement for Certificate {
    const DOMAIN: &'static str = "ruhu/certificate/1";

    fn write(&self, writer: &mut Writer) {
        write_opening(writer, VERSION);
        writer.raw(self.deployment.as_bytes()).u64(self.serial);
        writer.u8(ALGORITHM_ED25519).raw(&self.key.0).u8(self.kind.code());
        writer.raw(self.user.as_bytes()).u8(self.role.code());
        writer.varint(self.villages.len() as u64);
        for village in &self.villages {
            writer.raw(village.as_bytes());
        }
        writer.i64(self.from_ms).i64(self.until_ms).text(&self.name);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        read_opening(reader, "certificate", VERSION)?;
        let deployment = DeploymentId::from_bytes(reader.array()?);
        let serial = read_counter(reader, "serial")?;
        read_algorithm(reader)?;
        let certificate = Self {
            deployment,
            serial,
            key: PublicKey(reader.array()?),
            kind: CertificateKind::from_code(reader.u8()?).ok_or(CodecError::Unknown("certificate kind"))?,
            user: UserId::from_bytes(reader.array()?),
            role: Role::from_code(reader.u8()?).ok_or(CodecError::Unknown("role"))?,
            villages: read_villages(reader)?,
            from_ms: read_time(reader, "from_ms")?,
            until_ms: read_time(reader, "until_ms")?,
            name: reader.text("name", NAME_BYTES_MAX)?.to_owned(),
        };
        if certificate.until_ms < certificate.from_ms {
            return Err(FormatError::Contradiction("the certificate ends before it begins"));
        }
        Ok(certificate)
    }
}

fn read_villages(reader: &mut Reader<'_>) -> Result<BTreeSet<VillageId>, FormatError> {
    let count = reader.count("villages", VILLAGES_PER_CERTIFICATE_MAX)?;
    let mut villages = BTreeSet::new();
    for _ in 0..count {
        let village = VillageId::from_bytes(reader.array()?);
        if villages.last().is_some_and(|last| *last >= village) {
            return Err(FormatError::Order("villages"));
        }
        villages.insert(village);
    }
    Ok(villages)
}

/// A certificate with the server's signature.
pub type SignedCertificate = Signed<Certificate>;

/// The end of a device's key before its certificate's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The installation it holds in.
    pub deployment: DeploymentId,
    /// The device whose key ends.
    pub device: DeviceId,
    /// When, milliseconds since 1970, by the server's clock.
    pub at_ms: i64,
    /// Why, such as `lost`. No personal data.
    pub reason: String,
}

impl Statement for Revocation {
    const DOMAIN: &'static str = "ruhu/revocation/1";

    fn write(&self, writer: &mut Writer) {
        write_opening(writer, VERSION);
        writer.raw(self.deployment.as_bytes()).raw(self.device.as_bytes());
        writer.i64(self.at_ms).text(&self.reason);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        read_opening(reader, "revocation", VERSION)?;
        Ok(Self {
            deployment: DeploymentId::from_bytes(reader.array()?),
            device: DeviceId::from_bytes(reader.array()?),
            at_ms: read_time(reader, "at_ms")?,
            reason: reader.text("reason", REASON_BYTES_MAX)?.to_owned(),
        })
    }
}

/// A revocation with the server's signature.
pub type SignedRevocation = Signed<Revocation>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_certificate_grants_its_villages_and_a_servers_grants_all() {
        let stranger = VillageId::from_bytes([1; 16]);
        let certificate = example::certificate();
        assert!(certificate.grants(example::village()) && !certificate.grants(stranger));
        let server = Certificate { kind: CertificateKind::Server, ..certificate };
        assert!(server.grants(stranger));
    }

    #[test]
    fn a_certificate_holds_from_its_first_moment_and_no_longer_at_its_last() {
        let certificate = example::certificate();
        let (from, until) = (certificate.from_ms, certificate.until_ms);
        assert!(certificate.holds_at(from) && certificate.holds_at(until - 1));
        assert!(!certificate.holds_at(from - 1) && !certificate.holds_at(until));
    }

    #[test]
    fn a_certificate_that_ends_before_it_begins_is_not_signed() {
        let certificate = example::certificate();
        let wrong = Certificate { until_ms: certificate.from_ms - 1, ..certificate };
        let refusal = Signed::sign(wrong, &example::server_key()).unwrap_err();
        assert_eq!(refusal.to_string(), "the certificate ends before it begins");
    }

    #[test]
    fn villages_out_of_order_or_twice_are_refused() {
        let good = example::certificate().to_bytes();
        let first = good.windows(16).position(|window| window == [0xb0; 16]).unwrap();
        let mut swapped = good.clone();
        swapped[first..first + 16].fill(0xb1);
        assert_eq!(Certificate::from_bytes(&swapped), Err(FormatError::Order("villages")));
        swapped[first + 16..first + 32].fill(0xb0);
        assert_eq!(Certificate::from_bytes(&swapped), Err(FormatError::Order("villages")));
    }

    #[test]
    fn an_unknown_kind_or_role_is_refused() {
        let good = example::certificate().to_bytes();
        let kind = 2 + 16 + 8 + 1 + 32;
        for (at, what) in [(kind, "certificate kind"), (kind + 17, "role")] {
            let mut wrong = good.clone();
            wrong[at] = 0;
            let refusal = FormatError::Codec(CodecError::Unknown(what));
            assert_eq!(Certificate::from_bytes(&wrong), Err(refusal));
        }
        let mut algorithm = good;
        algorithm[2 + 16 + 8] = 2;
        assert_eq!(Certificate::from_bytes(&algorithm), Err(FormatError::Algorithm(2)));
    }
}
