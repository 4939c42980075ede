//! Judging again what an epoch that ended had received: the receipt of then says as of when.
//!
//! After a restore from a backup, devices bring back batches with the receipts that the server signed
//! before. The changes are judged anew by the same rules; only the time is that of the first receipt.

use ruhu_ledger::batch::BatchHeader;
use ruhu_ledger::error::VerifyError;
use ruhu_ledger::receipt::{Receipt, SignedReceipt};
use ruhu_ledger::signature::PublicKey;
use ruhu_ledger::verdict::Verdict;

/// The rules that keep a whole batch apart because of its device, not because of what it says.
pub const DEVICE_RULES: [&str; 3] = ["device_revoked", "device_provisional", "certificate_expired"];

/// Whether a receipt of an ended epoch, whose key is `key`, is about this batch.
///
/// # Errors
/// [`VerifyError`]; [`VerifyError::Inclusion`] when it speaks of another batch or number of changes.
pub fn check(receipt: &SignedReceipt, key: &PublicKey, header: &BatchHeader) -> Result<(), VerifyError> {
    receipt.verify(key)?;
    let said = &receipt.statement;
    if said.batch == header.id() && said.verdicts.len() == usize::from(header.count) {
        Ok(())
    } else {
        Err(VerifyError::Inclusion)
    }
}

/// The rule by which the whole batch was kept apart because of its device. It holds still: whoever brings
/// the batch back need not know of the revocation.
#[must_use]
pub fn device_rule(receipt: &Receipt) -> Option<&'static str> {
    let rule_of = |verdict: &Verdict| match verdict {
        Verdict::Quarantined { rule, because: None } => DEVICE_RULES.into_iter().find(|known| known == rule),
        _ => None,
    };
    receipt.verdicts.iter().find_map(rule_of)
}

#[cfg(test)]
mod tests {
    use ruhu_ledger::batch::BatchId;
    use ruhu_survey::id::EpochId;

    use super::*;

    fn receipt(rules: &[&str]) -> Receipt {
        let quarantined = |rule: &&str| Verdict::Quarantined { rule: (*rule).to_owned(), because: None };
        Receipt {
            epoch: EpochId::from_bytes([1; 16]),
            batch: BatchId([1; 32]),
            leaf_index: 1,
            received_ms: 1,
            anchor_ms: None,
            verdicts: rules.iter().map(quarantined).collect(),
        }
    }

    #[test]
    fn what_was_kept_apart_because_of_its_device_stays_so_and_nothing_else_does() {
        assert_eq!(device_rule(&receipt(&["device_revoked"])), Some("device_revoked"));
        assert_eq!(device_rule(&receipt(&["unknown_key"])), None);
        let accepted = Receipt { verdicts: vec![Verdict::Accepted], ..receipt(&[]) };
        assert_eq!(device_rule(&accepted), None);
    }
}
