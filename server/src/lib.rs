//! The server of Ruhu (入户): receives signed batches, keeps the ledger, relays and answers reads.
//!
//! Deciding is done by plain functions over plain data; everything that waits sits at the rim.

pub mod api;
mod app;
pub mod authoring;
pub mod backup;

pub mod belt;
pub mod bundle;
pub mod clock;
pub mod command;
pub mod config;
pub mod enrol;
pub mod findings;
pub mod former;
pub mod ingest;
pub mod keys;
pub mod limits;
pub mod photos;
mod program;
pub mod quarantine;
pub mod rebuild;
pub mod region;
pub mod relay;
pub mod replacement;
pub mod restore;
pub mod roster;
pub mod serve;
pub mod snapshot;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod verify;

pub use program::main;
