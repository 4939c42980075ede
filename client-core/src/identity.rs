//! Who this device is, since it was enrolled.

use ruhu_ledger::certificate::{Certificate, SignedCertificate};
use ruhu_ledger::signature::{PublicKey, SecretKey};
use ruhu_survey::authorise::Author;
use ruhu_survey::codec::CodecError;
use ruhu_survey::id::{DeviceId, EpochId};
use rusqlite::Connection;

use crate::error::Error;
use crate::store::meta::{self, Fact};

/// The device's key, its certificate and the server it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) key: SecretKey,
    pub(crate) certificate: Certificate,
    pub(crate) server_key: PublicKey,
    pub(crate) epoch: EpochId,
    pub(crate) server_url: String,
}

impl Identity {
    /// Reads the identity; `None` before enrolment.
    pub(crate) fn load(connection: &Connection) -> Result<Option<Self>, Error> {
        let Some(certificate) = meta::get(connection, Fact::Certificate)? else { return Ok(None) };
        let unreadable = || Error::stored("certificate")(CodecError::Unknown("certificate"));
        let certificate = SignedCertificate::from_bytes(&certificate).map_err(|_| unreadable())?.statement;
        let server_url = String::from_utf8(need(connection, Fact::ServerUrl)?);
        Ok(Some(Self {
            key: device_key(connection)?.ok_or_else(|| missing(Fact::DeviceSeed))?,
            certificate,
            server_key: PublicKey(array(need(connection, Fact::ServerKey)?)?),
            epoch: EpochId::from_bytes(array(need(connection, Fact::Epoch)?)?),
            server_url: server_url.map_err(|_| Error::stored("server address")(CodecError::Text))?,
        }))
    }

    pub(crate) fn device(&self) -> DeviceId {
        self.certificate.device()
    }

    pub(crate) fn author(&self) -> Author {
        Author { device: self.device(), role: self.certificate.role, user: self.certificate.user }
    }
}

/// The device's signing key; there from the first attempt to enrol on.
pub(crate) fn device_key(connection: &Connection) -> Result<Option<SecretKey>, Error> {
    meta::get(connection, Fact::DeviceSeed)?.map(|seed| Ok(SecretKey::from_seed(array(seed)?))).transpose()
}

fn need(connection: &Connection, fact: Fact) -> Result<Vec<u8>, Error> {
    meta::get(connection, fact)?.ok_or_else(|| missing(fact))
}

fn missing(fact: Fact) -> Error {
    Error::stored(fact.name())(CodecError::Short)
}

/// A stored value of exactly `N` bytes.
pub(crate) fn array<const N: usize>(bytes: Vec<u8>) -> Result<[u8; N], Error> {
    bytes.try_into().map_err(|_| Error::stored("value")(CodecError::Short))
}
