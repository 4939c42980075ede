//! A short number that opens the screen of a session again (PIN). It opens no store: the store stays open while
//! the screen is shut, and what is kept of the number lies inside the store, so that only who opened it by the
//! passphrase has something to guess at.
//!
//! What is kept: 16 bytes of salt, and the Argon2id hash of the number under the cost of a key file.

use zeroize::Zeroizing;

use crate::client::Client;
use crate::env::random;
use crate::error::Error;
use crate::key_file::{Cost, stretched};
use crate::store::meta::{self, Fact};

/// The fewest digits of a PIN.
pub const PIN_DIGITS_MIN: usize = 6;
const SALT_BYTES: usize = 16;

impl Client {
    /// Chooses the PIN; an empty text takes it away.
    ///
    /// # Errors
    /// [`Error::PinTooShort`] when it is not [`PIN_DIGITS_MIN`] digits or more, or that the store fails.
    pub fn set_pin(&mut self, pin: &str) -> Result<(), Error> {
        let is_pin = pin.len() >= PIN_DIGITS_MIN && pin.bytes().all(|byte| byte.is_ascii_digit());
        let kept = match pin {
            "" => Vec::new(),
            _ if !is_pin => return Err(Error::PinTooShort),
            _ => {
                let salt: [u8; SALT_BYTES] = random(self.environment())?;
                [salt.as_slice(), hash(pin, &salt)?.as_slice()].concat()
            }
        };
        self.store.write(|tx| meta::set(tx, Fact::Pin, &kept))
    }

    /// Whether a PIN was chosen.
    ///
    /// # Errors
    /// When the store fails.
    pub fn has_pin(&self) -> Result<bool, Error> {
        Ok(meta::present(self.store.read(), Fact::Pin)?.is_some())
    }

    /// Whether this is the PIN; never where none was chosen.
    ///
    /// # Errors
    /// When the store fails.
    pub fn pin_fits(&self, pin: &str) -> Result<bool, Error> {
        let Some(kept) = meta::present(self.store.read(), Fact::Pin)? else { return Ok(false) };
        let Some((salt, wanted)) = kept.split_at_checked(SALT_BYTES) else { return Ok(false) };
        let found = hash(pin, salt)?;
        // Every byte is looked at, wherever the first difference is.
        let differences = found.iter().zip(wanted).fold(0, |sum, (one, two)| sum | (one ^ two));
        Ok(wanted.len() == found.len() && differences == 0)
    }
}

fn hash(pin: &str, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
    stretched(pin, salt, Cost::default()).ok_or(Error::Cost)
}
