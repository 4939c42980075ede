//! The domain of Ruhu (入户): households, checks, issues, their flat documents and their history.
//!
//! Nothing here does I/O, reads a clock or draws randomness: the same inputs give the same bytes.

pub mod id;
pub mod codec;
pub mod limits;
pub mod change;
pub mod register;
pub mod gate;
pub mod belt;
pub mod role;
