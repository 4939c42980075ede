//! Single facts about the device: its seed, its server, its user.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Error;

/// The names of the facts in the table `meta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    /// The 32-byte seed of the device's signing key.
    DeviceSeed,
    /// The server's address, text.
    ServerUrl,
    /// The server's 32-byte public key of the present epoch.
    ServerKey,
    /// The present epoch, 16 bytes.
    Epoch,
    /// The device's own signed certificate.
    Certificate,
    /// The name of the person, as the server gave it.
    UserName,
    /// When the log was found inconsistent, 8 bytes big-endian; present: nothing more is accepted.
    Halted,
    /// How far the device's clock is ahead of the server's, milliseconds, 8 bytes big-endian.
    ClockAhead,
    /// The next nonce, text; given by the server, used once.
    Nonce,
    /// The seed of a key that a certificate was asked for and has not come; kept so that an answer that was
    /// lost is asked for again.
    NextSeed,
    /// Where this store was found to be a copy, or to have one: village and number, 24 bytes; empty: no more.
    Copied,
    /// The salt and hash of the PIN ([`crate::pin`]); empty: none.
    Pin,
}

impl Fact {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DeviceSeed => "device_seed",
            Self::ServerUrl => "server_url",
            Self::ServerKey => "server_key",
            Self::Epoch => "epoch",
            Self::Certificate => "certificate",
            Self::UserName => "user_name",
            Self::Halted => "halted",
            Self::ClockAhead => "clock_ahead",
            Self::Nonce => "nonce",
            Self::NextSeed => "next_seed",
            Self::Copied => "copied",
            Self::Pin => "pin",
        }
    }
}

pub(crate) fn get(connection: &Connection, fact: Fact) -> Result<Option<Vec<u8>>, Error> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([fact.name()], |row| row.get(0)).optional()?)
}

/// A fact that may have been taken back by setting it to nothing.
pub(crate) fn present(connection: &Connection, fact: Fact) -> Result<Option<Vec<u8>>, Error> {
    Ok(get(connection, fact)?.filter(|value| !value.is_empty()))
}

pub(crate) fn set(connection: &Connection, fact: Fact, value: &[u8]) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?;
    statement.execute(params![fact.name(), value])?;
    Ok(())
}
