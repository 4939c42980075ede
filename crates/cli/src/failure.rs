//! Why a command did not do what it was asked.

use std::path::PathBuf;

use ruhu_client_core::Error;
use ruhu_survey::limits::PHOTO_BYTES_USUAL;

use crate::exit::Exit;

/// A failure, for people and for scripts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The device says no.
    #[error(transparent)]
    Device(#[from] Error),
    /// No passphrase was given and nobody is there to type one.
    #[error("no passphrase: set RUHU_PASSPHRASE, or run in a terminal")]
    NoPassphrase,
    /// The two new passphrases differ.
    #[error("the two passphrases differ")]
    PassphrasesDiffer,
    /// No village, or several and none named.
    #[error("name the village with --village: this device has {0}")]
    Village(usize),
    /// No household, or several, answer to the name.
    #[error("{found} households answer to {text:?}: use the id that `ruhu list` prints")]
    Household {
        /// What was typed.
        text: String,
        /// How many were found.
        found: usize,
    },
    /// The number is none of the values in conflict.
    #[error("choose a value from 1 to {0}, as `ruhu conflicts` prints them")]
    Choice(usize),
    /// A file cannot be read.
    #[error("{path} cannot be read: {what}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// A picture that would take too long to send.
    #[error(
        "the picture has {0} bytes: make it smaller than {PHOTO_BYTES_USUAL}, about 1600 pixels wide, or take it as \
         it is with --large"
    )]
    LargePicture(usize),
    /// What was typed names nothing that exists.
    #[error("{0:?} is not known")]
    Unknown(String),
    /// The sync was cut off too often; what came before is kept.
    #[error("the link failed: {0}; what was received is kept, sync again later")]
    Interrupted(ruhu_client_core::TransportError),
    /// The other device cannot be reached, or the address cannot be listened on.
    #[error("{address} cannot be used: {what}")]
    Socket {
        /// Where.
        address: String,
        /// Why.
        what: String,
    },
    /// A file holds nothing of a bundle.
    #[error("there is no bundle in it")]
    NotABundle,
    /// A code cannot be drawn.
    #[error("the code cannot be drawn: {0}")]
    Picture(String),
    /// A conversation was broken off.
    #[error("broken off; every answer given so far is kept as a draft")]
    BrokenOff,
}

impl Failure {
    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Device(error) => Exit::of(error),
            Self::NoPassphrase | Self::PassphrasesDiffer => Exit::Passphrase,
            Self::Interrupted(_) | Self::Socket { .. } => Exit::NoNetwork,
            Self::BrokenOff | Self::Picture(_) => Exit::Failed,
            Self::Village(_)
            | Self::Household { .. }
            | Self::Choice(_)
            | Self::File { .. }
            | Self::NotABundle
            | Self::LargePicture(_)
            | Self::Unknown(_) => Exit::Input,
        }
    }

    /// A stable code for scripts.
    pub(crate) fn code(&self) -> &'static str {
        if matches!(self, Self::Device(Error::StoreMissing(_))) {
            return "no_store";
        }
        match self.exit() {
            Exit::Failed => "failed",
            Exit::Passphrase => "passphrase",
            Exit::NoNetwork => "no_network",
            Exit::Refused => "refused",
            Exit::Store => "store",
            Exit::Input => "input",
            Exit::LogInconsistent => "log_inconsistent",
        }
    }
}
