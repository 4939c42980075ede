//! The beginning of one life of a server's log.
//!
//! A server restored from a backup may not continue the old log, which others have seen further on. It
//! starts another epoch with another key.

use ruhu_survey::codec::{Reader, Writer};
use ruhu_survey::id::{DeploymentId, EpochId};

use crate::error::{FormatError, VerifyError};
use crate::signature::{ALGORITHM_ED25519, PublicKey};
use crate::statement::{
    Signed, Statement, read_algorithm, read_opening, read_presence, read_time, write_opening, write_optional,
};

const VERSION: u8 = 1;

/// The server's word that an epoch began under a key. It signs itself: trust in the key comes from
/// enrolment or from a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochStart {
    /// The installation.
    pub deployment: DeploymentId,
    /// The epoch that begins.
    pub epoch: EpochId,
    /// The key that signs its certificates, receipts, decisions and checkpoints.
    pub server_key: PublicKey,
    /// When, milliseconds since 1970, by the server's clock.
    pub started_ms: i64,
    /// The epoch before it; `None` for the first.
    pub previous: Option<EpochId>,
}

impl Statement for EpochStart {
    const DOMAIN: &'static str = "ruhu/epoch/1";

    fn write(&self, writer: &mut Writer) {
        write_opening(writer, VERSION);
        writer.raw(self.deployment.as_bytes()).raw(self.epoch.as_bytes());
        writer.u8(ALGORITHM_ED25519).raw(&self.server_key.0).i64(self.started_ms);
        write_optional(writer, self.previous.as_ref().map(|epoch| epoch.as_bytes().as_slice()));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        read_opening(reader, "epoch", VERSION)?;
        let deployment = DeploymentId::from_bytes(reader.array()?);
        let epoch = EpochId::from_bytes(reader.array()?);
        read_algorithm(reader)?;
        let start = Self {
            deployment,
            epoch,
            server_key: PublicKey(reader.array()?),
            started_ms: read_time(reader, "started_ms")?,
            previous: match read_presence(reader, "previous")? {
                true => Some(EpochId::from_bytes(reader.array()?)),
                false => None,
            },
        };
        if start.previous == Some(start.epoch) {
            return Err(FormatError::Contradiction("the epoch follows itself"));
        }
        Ok(start)
    }
}

/// The beginning of an epoch with the signature of its own key.
pub type SignedEpochStart = Signed<EpochStart>;

impl SignedEpochStart {
    /// Verifies that the epoch's own key signed it.
    ///
    /// # Errors
    /// [`VerifyError::Key`] or [`VerifyError::Signature`].
    pub fn verify_own(&self) -> Result<(), VerifyError> {
        self.verify(&self.statement.server_key)
    }
}
