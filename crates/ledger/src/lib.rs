//! The ledger of Ruhu (入户): signed batches, certificates, receipts and the transparency log.
//!
//! Nothing here does I/O, reads a clock or draws randomness: keys, times and stored nodes are arguments.
//! Every format has one encoding of each value; `schemas/wire/ledger.md` is its byte table and the files
//! under `golden/` hold one example of each.

pub mod batch;
pub mod certificate;
pub mod checkpoint;
pub mod decision;
pub mod epoch;
pub mod error;
pub mod leaf;
pub mod limits;
pub mod receipt;
pub mod replay;
pub mod signature;
pub mod snapshot;
pub mod statement;
pub mod succession;
pub mod tree;
pub mod verdict;
pub mod watermark;

mod hex;
mod payload;

#[cfg(test)]
mod example;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod laws;
