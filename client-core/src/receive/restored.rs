//! Following a restored server into its new epoch.

use ruhu_ledger::statement::{Signed, Statement};
use ruhu_ledger::watermark::SignedWatermark;
use ruhu_survey::id::EpochId;

use super::Receiver;
use crate::error::Error;
use crate::store::batch;
use crate::store::epoch::{self, Lineage};
use crate::store::meta::{self, Fact};

/// The server was restored from a backup: what it said of that, and what it means here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Who restored it.
    pub by: String,
    /// When the backup was made, milliseconds since 1970, by the server's clock.
    pub backup_ms: i64,
    /// When it was restored.
    pub restored_ms: i64,
    /// Batches, own and others', that wait again because the backup does not hold them.
    pub waiting_again: u64,
}

impl Receiver<'_> {
    /// Follows the server into another epoch, if its links lead there from one that this device trusts.
    pub(super) fn follow(&mut self, epoch: EpochId) -> Result<(), Error> {
        let links = std::mem::take(&mut self.links);
        let known = epoch::keys(self.tx)?.len();
        epoch::learn(self.tx, self.identity.certificate.deployment, &links, self.now_ms)?;
        let keys = epoch::keys(self.tx)?;
        let key = *keys.get(&epoch).ok_or(Error::NewEpoch)?;
        if epoch != self.identity.epoch {
            self.before = Some(batch::anchor(self.tx, self.identity.epoch)?);
            meta::set(self.tx, Fact::Epoch, epoch.as_bytes())?;
            meta::set(self.tx, Fact::ServerKey, &key.0)?;
            (self.identity.epoch, self.identity.server_key) = (epoch, key);
            let waiting_again = epoch::begin(self.tx, epoch)?;
            self.taken.restored = epoch::link(self.tx, epoch)?.map(|link| Restored {
                by: link.succession.statement.by,
                backup_ms: link.succession.statement.backup_ms,
                restored_ms: link.start.statement.started_ms,
                waiting_again,
            });
        } else if keys.len() > known {
            epoch::settle(self.tx, epoch)?;
        }
        self.lineage = Lineage::of(self.tx, epoch)?;
        Ok(())
    }

    /// Whether our server signed this, in the present epoch or in one before it.
    pub(super) fn is_ours<T: Statement + std::fmt::Debug>(&self, signed: &Signed<T>) -> Result<bool, Error> {
        if signed.verify(&self.identity.server_key).is_ok() {
            return Ok(true);
        }
        Ok(epoch::keys(self.tx)?.values().any(|key| signed.verify(key).is_ok()))
    }

    /// How far the log is safe in a verified backup.
    pub(super) fn watermark(&mut self, signed: &SignedWatermark) -> Result<(), Error> {
        let said = &signed.statement;
        let ours = signed.verify(&self.identity.server_key).is_ok()
            && (said.deployment, said.epoch) == (self.identity.certificate.deployment, self.identity.epoch);
        if !ours {
            return self.put_aside("watermark", "signature", &said.epoch.to_string(), &signed.to_bytes());
        }
        epoch::keep_watermark(self.tx, signed)
    }
}
