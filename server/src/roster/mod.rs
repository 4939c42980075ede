//! Rosters (名册): official lists of people and households, read from spreadsheets and merged in.
//!
//! A roster is never the last word. What it says is written onto what its own last import wrote, so
//! that a value which people changed in between stays, and the two stand side by side until a named
//! person decides. Cells that did not change on the roster write nothing.

pub mod columns;
pub mod household;
pub mod import;
pub mod merge;
pub mod sheet;
pub mod state;

pub use import::RosterError;
