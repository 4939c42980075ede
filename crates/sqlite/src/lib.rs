//! Opening, keying and migrating one SQLite file (SQLCipher), the same way on a device and on a server.
//!
//! A program opens with [`open`], brings the schema up to date with [`migrate`], and owns the connection from then
//! on. Nothing here deletes, renames or repairs a file: a file that cannot be used is left as it is and described by
//! [`OpenError`], so that the caller can set it aside and still offer it for upload.

mod error;
mod inspect;
mod key;
mod migrate;
mod open;

pub use error::{OpenError, is_busy, is_corrupt, is_full};
pub use inspect::{quick_check, schema_dump};
pub use key::Key32;
pub use migrate::{Migrations, migrate};
pub use open::{Profile, open, open_reader};
