//! What `verify` reports, and the checks that need no database: signatures, leaves, the tree.

use std::collections::BTreeMap;

use ruhu_ledger::batch::Batch;
use ruhu_ledger::certificate::Certificate;
use ruhu_ledger::epoch::EpochStart;
use ruhu_ledger::error::VerifyError;
use ruhu_ledger::signature::PublicKey;
use ruhu_ledger::statement::{Signed, Statement};
use ruhu_ledger::tree::{Hash, Node, node_hash};
use ruhu_survey::id::{DeviceId, EpochId};
use serde::Serialize;

use crate::store::StoreError;
use crate::store::sqlite::rebuild::DERIVED_TABLES;

/// What `verify` went through, and the first thing it found wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Leaves of the log.
    pub leaves: u64,
    /// Received batches.
    pub batches: u64,
    /// Changes in them.
    pub changes: u64,
    /// Documents made again from accepted changes.
    pub documents: u64,
    /// Signed checkpoints.
    pub checkpoints: u64,
    /// Gaps that are open: what is proved to have existed and is not here.
    pub gaps: u64,
    /// The first position at which something does not agree.
    pub first_bad: Option<Bad>,
}

/// A position at which what is stored is not what was signed or what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{table} {key}: {what}")]
pub struct Bad {
    /// The table.
    pub table: &'static str,
    /// The row.
    pub key: String,
    /// What differs.
    pub what: String,
}

impl Bad {
    /// A bad position.
    pub fn new(table: &'static str, key: impl ToString, what: impl ToString) -> Self {
        Self { table, key: key.to_string(), what: what.to_string() }
    }

    /// Whether only a table that `rebuild` makes again is concerned: what is derived is looked at after
    /// everything that was signed agreed.
    #[must_use]
    pub fn is_derived(&self) -> bool {
        DERIVED_TABLES.iter().any(|(table, _)| *table == self.table)
    }
}

/// Why a verification stops.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// It found something wrong.
    #[error(transparent)]
    Bad(#[from] Bad),
    /// It could not read on.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { table, key, what } => Self::Bad(Bad { table, key, what }),
            other => Self::Store(other),
        }
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        if ruhu_sqlite::is_corrupt(&error) {
            return Self::Bad(Bad::new("file", "a page", error));
        }
        match error {
            // A value that is not of its column's type or length.
            rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..) => {
                Self::Bad(Bad::new("file", "a row", error))
            }
            other => Self::Store(other.into()),
        }
    }
}

/// One row being checked: its comparisons name it.
#[derive(Debug, Clone)]
pub struct Row {
    /// The table.
    pub table: &'static str,
    /// The row's key.
    pub key: String,
}

impl Row {
    /// The row of `table` with that key.
    pub fn new(table: &'static str, key: impl ToString) -> Self {
        Self { table, key: key.to_string() }
    }

    /// A finding about this row.
    #[must_use]
    pub fn bad(&self, what: impl ToString) -> Bad {
        Bad::new(self.table, &self.key, what)
    }

    /// # Errors
    /// [`Bad`] when a column does not hold what follows from elsewhere.
    pub fn same<T: PartialEq>(&self, column: &str, stored: &T, expected: &T) -> Result<(), Bad> {
        if stored == expected {
            Ok(())
        } else {
            Err(self.bad(format!("{column} differs from what it follows from")))
        }
    }

    /// # Errors
    /// [`Bad`] when a signed record does not read or verify.
    pub fn holds<T, E: std::fmt::Display>(&self, what: &str, checked: Result<T, E>) -> Result<T, Bad> {
        checked.map_err(|error| self.bad(format!("{what}: {error}")))
    }
}

/// The keys that records are checked against.
#[derive(Debug, Default)]
pub struct Authorities {
    /// Every epoch's beginning, with its server key.
    pub epochs: BTreeMap<EpochId, EpochStart>,
    /// The key of every epoch that ended elsewhere, between a backup and a restore.
    pub elsewhere: BTreeMap<EpochId, PublicKey>,
    /// The leaf that begins each epoch, ascending.
    pub begins: BTreeMap<u64, EpochId>,
    /// Every certificate of every device.
    pub certificates: BTreeMap<DeviceId, Vec<Certificate>>,
}

impl Authorities {
    /// The server key that signed at a place of the log.
    #[must_use]
    pub fn key_at(&self, leaf: u64) -> Option<PublicKey> {
        let (_, epoch) = self.begins.range(..=leaf).next_back()?;
        self.epochs.get(epoch).map(|start| start.server_key)
    }

    /// The epoch that a place of the log is in.
    #[must_use]
    pub fn epoch_at(&self, leaf: u64) -> Option<&EpochStart> {
        let (_, epoch) = self.begins.range(..=leaf).next_back()?;
        self.epochs.get(epoch)
    }

    /// The key of an epoch, wherever it lived.
    #[must_use]
    pub fn key_of(&self, epoch: EpochId) -> Option<PublicKey> {
        let own = self.epochs.get(&epoch).map(|start| start.server_key);
        own.or_else(|| self.elsewhere.get(&epoch).copied())
    }

    /// Whether the server signed this record in the epoch of that place of the log, or in one before it: a
    /// device brought it back.
    ///
    /// # Errors
    /// What the key of the place says, when no other key signed it.
    pub fn once_signed<T>(&self, signed: &Signed<T>, leaf: u64) -> Result<(), VerifyError>
    where
        T: Statement + std::fmt::Debug,
    {
        let outcome = self.server_signed(signed, leaf);
        let earlier = self.begins.range(..=leaf).filter_map(|(_, epoch)| self.key_of(*epoch));
        let mut keys = earlier.chain(self.elsewhere.values().copied());
        if outcome.is_ok() || keys.any(|key| signed.verify(&key).is_ok()) { Ok(()) } else { outcome }
    }

    /// Whether the server signed this record at that place of the log.
    ///
    /// # Errors
    /// [`VerifyError`]; [`VerifyError::NotSigned`] before the first epoch.
    pub fn server_signed<T>(&self, signed: &Signed<T>, leaf: u64) -> Result<(), VerifyError>
    where
        T: Statement + std::fmt::Debug,
    {
        signed.verify(&self.key_at(leaf).ok_or(VerifyError::NotSigned)?)
    }

    /// Whether one of the device's certificates stands for this batch.
    ///
    /// # Errors
    /// What the newest certificate says against it; [`VerifyError::NotSigned`] when there is none.
    pub fn device_signed(&self, batch: &Batch) -> Result<(), VerifyError> {
        let mut outcome = Err(VerifyError::NotSigned);
        for certificate in self.certificates.get(&batch.header.device).into_iter().flatten() {
            outcome = batch.verify(certificate);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

/// The tree made again, leaf by leaf, from nothing but the leaves.
#[derive(Debug, Default)]
pub struct Regrown {
    peaks: Vec<Node>,
}

impl Regrown {
    /// Adds the next leaf's hash; returns the nodes that it completes, its own first.
    pub fn push(&mut self, index: u64, hash: Hash) -> Vec<Node> {
        let mut node = Node { level: 0, index, hash };
        let mut completed = vec![node];
        while let Some(left) = self.peaks.pop_if(|peak| peak.level == node.level) {
            let hash = node_hash(&left.hash, &node.hash);
            node = Node { level: node.level + 1, index: node.index >> 1, hash };
            completed.push(node);
        }
        self.peaks.push(node);
        completed
    }

    /// The root over all leaves so far; none before the first.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        let mut peaks = self.peaks.iter().rev();
        let last = peaks.next()?.hash;
        Some(peaks.fold(last, |right, peak| node_hash(&peak.hash, &right)))
    }
}

#[cfg(test)]
mod tests {
    use ruhu_ledger::tree::{leaf_hash, root_of};

    use super::*;

    #[test]
    fn the_regrown_tree_has_the_root_of_its_leaves_at_every_size() {
        let mut regrown = Regrown::default();
        let mut hashes = Vec::new();
        for index in 0_u64..70 {
            let hash = leaf_hash(&index.to_be_bytes());
            hashes.push(hash);
            let completed = regrown.push(index, hash);
            assert_eq!(u32::try_from(completed.len()).unwrap(), 1 + index.trailing_ones());
            assert_eq!(regrown.root(), Some(root_of(hashes.iter().copied())));
        }
    }

    #[test]
    fn the_key_of_a_leaf_is_that_of_the_epoch_it_lies_in() {
        let mut authorities = Authorities::default();
        for (begin, byte) in [(0_u64, 1_u8), (10, 2)] {
            let epoch = EpochId::from_bytes([byte; 16]);
            let start = EpochStart {
                deployment: ruhu_survey::id::DeploymentId::from_bytes([9; 16]),
                epoch,
                server_key: PublicKey([byte; 32]),
                started_ms: 0,
                previous: None,
            };
            authorities.epochs.insert(epoch, start);
            authorities.begins.insert(begin, epoch);
        }
        assert_eq!(authorities.key_at(9), Some(PublicKey([1; 32])));
        assert_eq!(authorities.key_at(10), Some(PublicKey([2; 32])));
    }
}
