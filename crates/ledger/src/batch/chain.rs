//! The chain of one device's batches in one village: each names the one before it.

use super::BatchHeader;

/// Why a batch does not follow another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainBreak {
    /// The two are of different devices, villages or deployments.
    #[error("the batches are of different chains")]
    OtherChain,
    /// It is the very same batch.
    #[error("the batch is held already")]
    Repeated,
    /// Batches between the two are lacking.
    #[error("batch {found} arrived before batch {expected}")]
    Gap {
        /// The number that should come next.
        expected: u64,
        /// Its number.
        found: u64,
    },
    /// It is further back in the chain than the one held; whether it is held too must be looked up.
    #[error("batch {found} is behind: {expected} comes next")]
    Behind {
        /// The number that should come next.
        expected: u64,
        /// Its number.
        found: u64,
    },
    /// Two different batches have the same number: the device was cloned or restored.
    #[error("the chain forks at batch {number}")]
    Fork {
        /// The number that both have.
        number: u64,
    },
    /// It has the next number but names another batch before it: the chain forked earlier.
    #[error("batch {number} does not name the batch held before it")]
    WrongPrevious {
        /// Its number.
        number: u64,
    },
}

/// Checks that `next` continues a chain that ends with `previous`, or begins one when there is none.
///
/// # Errors
/// [`ChainBreak`] saying how it does not.
pub fn follows(previous: Option<&BatchHeader>, next: &BatchHeader) -> Result<(), ChainBreak> {
    let Some(previous) = previous else {
        return if next.number == 1 {
            Ok(())
        } else {
            Err(ChainBreak::Gap { expected: 1, found: next.number })
        };
    };
    let chain = |header: &BatchHeader| (header.deployment, header.device, header.village);
    if chain(previous) != chain(next) {
        return Err(ChainBreak::OtherChain);
    }
    let (expected, found) = (previous.number + 1, next.number);
    if found > expected {
        return Err(ChainBreak::Gap { expected, found });
    }
    if found == expected {
        let joined = next.previous == Some(previous.id());
        return if joined { Ok(()) } else { Err(ChainBreak::WrongPrevious { number: found }) };
    }
    Err(if found < previous.number {
        ChainBreak::Behind { expected, found }
    } else if previous == next {
        ChainBreak::Repeated
    } else {
        ChainBreak::Fork { number: found }
    })
}
