//! The domain of Ruhu (入户): households, checks, issues, their flat documents and their history.
//!
//! Nothing here does I/O, reads a clock or draws randomness: the same inputs give the same bytes.

pub mod authorise;
pub mod belt;
pub mod certificate_number;
pub mod change;
pub mod check;
pub mod code_list;
pub mod codec;
pub mod entry;
pub mod expression;
pub mod field_table;
pub mod form;
pub mod gate;
pub mod history;
pub mod household;
pub mod id;
pub mod issue;
pub mod limits;
pub mod message;
pub mod photo;
pub mod reauthor;
pub mod register;
pub mod replay;
pub mod role;
pub mod rule;
pub mod sealed;
pub mod shown;
