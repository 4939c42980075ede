//! How `ruhu` ends: codes that a script can rely on, and what the person can do.

use ruhu_client_core::Error;

/// The exit codes, besides 0 for done and 2 for a wrong use of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Something failed that has no code of its own.
    Failed = 1,
    /// The passphrase is wrong, too short, or was not given.
    Passphrase = 3,
    /// No network or server; nothing is lost, try again later.
    NoNetwork = 4,
    /// The server refused: revoked, not granted, code expired, or one side must be upgraded.
    Refused = 5,
    /// The store is missing, damaged, or from a newer version.
    Store = 6,
    /// What was entered does not fit, or names something that is not there.
    Input = 7,
    /// The server's log contradicts what this device has seen: stop and report it.
    LogInconsistent = 8,
}

impl Exit {
    /// The code of a failure of the device.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::PassphraseTooShort | Error::WrongPassphrase => Self::Passphrase,
            Error::Transport(_) => Self::NoNetwork,
            Error::Refused { .. }
            | Error::Upgrade(_)
            | Error::OtherServer
            | Error::Peer(_)
            | Error::PeerRefused(_)
            | Error::NotConfirmed
            | Error::NoSharedVillage => Self::Refused,
            Error::StoreExists(_)
            | Error::StoreMissing(_)
            | Error::KeyFileMissing(_)
            | Error::KeyFileDamaged(_)
            | Error::KeyFileNewer { .. }
            | Error::DatabaseMissing(_)
            | Error::DatabaseOfAnotherKey(_)
            | Error::DatabaseDamaged(_)
            | Error::DatabaseNewer { .. } => Self::Store,
            Error::NotEnrolled
            | Error::AlreadyEnrolled
            | Error::InvalidLink(_)
            | Error::UnknownVillage(_)
            | Error::UnknownHousehold(_)
            | Error::UnknownCheck(_)
            | Error::UnknownForm(_)
            | Error::UnknownQuestion(_)
            | Error::Blocked(_)
            | Error::TooManyPhotos(_)
            | Error::Photo(_)
            | Error::UnknownDocument(_)
            | Error::NotAccepted(_)
            | Error::UnknownMember(_)
            | Error::NotADraft(_)
            | Error::NoAnswers(_)
            | Error::Input(_)
            | Error::Settle(_)
            | Error::Submit(_)
            | Error::NotAllowed { .. }
            | Error::ReasonNeeded
            | Error::NoVillageKey(_)
            | Error::NothingToCarry
            | Error::Code(_)
            | Error::NoConflict(_) => Self::Input,
            Error::LogInconsistent => Self::LogInconsistent,
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use ruhu_client_core::TransportError;

    use super::*;

    #[test]
    fn a_script_can_tell_a_wrong_passphrase_from_a_missing_network() {
        assert_eq!(Exit::of(&Error::WrongPassphrase) as u8, 3);
        assert_eq!(Exit::of(&Error::Transport(TransportError::Unreachable)) as u8, 4);
        assert_eq!(Exit::of(&Error::LogInconsistent) as u8, 8);
    }
}
