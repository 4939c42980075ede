//! Versions of the protocol, and what the two sides say when they do not understand each other.

/// The version this program speaks.
pub const PROTOCOL_VERSION: u16 = 4;
/// The oldest version this program still understands.
pub const PROTOCOL_OLDEST: u16 = 2;

/// The first version in which household keys come in short.
pub const PROTOCOL_FOUNDED_KEYS: u16 = 3;

/// [`Refused::code`] when the other side speaks a newer protocol than this one.
pub const CODE_TOO_NEW: &str = "protocol_too_new";
/// [`Refused::code`] when the other side speaks a protocol that is no longer understood.
pub const CODE_TOO_OLD: &str = "protocol_too_old";

/// One of the two sides of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The side that asks: the app on the tablet.
    Device,
    /// The side that answers.
    Server,
}

impl Side {
    /// The byte on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Device => 1,
            Self::Server => 2,
        }
    }

    /// The side that a byte stands for.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Device),
            2 => Some(Self::Server),
            _ => None,
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Device => Self::Server,
            Self::Server => Self::Device,
        }
    }

    /// The name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Server => "server",
        }
    }
}

/// The whole request is refused; nothing after this frame is read.
///
/// Its layout is the same in every version of the protocol, so that it can always be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail} ({code})")]
pub struct Refused {
    /// A stable code, such as `protocol_too_new`.
    pub code: String,
    /// One sentence for the log.
    pub detail: String,
    /// Which side has to be brought up to date, when that is what helps.
    pub upgrade: Option<Side>,
}

/// Decides whether this program, being `own`, understands a peer that speaks version `theirs`.
///
/// # Errors
/// [`Refused`] with the side to upgrade. A server sends it as its answer; a device shows it.
pub fn negotiate(own: Side, theirs: u16) -> Result<(), Refused> {
    negotiate_between(own, theirs, PROTOCOL_OLDEST, PROTOCOL_VERSION)
}

fn negotiate_between(own: Side, theirs: u16, oldest: u16, newest: u16) -> Result<(), Refused> {
    let (code, upgrade) = if theirs > newest {
        (CODE_TOO_NEW, own)
    } else if theirs < oldest {
        (CODE_TOO_OLD, own.other())
    } else {
        return Ok(());
    };
    let (here, there) = (own.name(), own.other().name());
    let detail = format!(
        "the {there} speaks protocol {theirs}, the {here} understands {oldest} to {newest}: upgrade the {}",
        upgrade.name()
    );
    Err(Refused { code: code.to_owned(), detail, upgrade: Some(upgrade) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(own: Side, theirs: u16) -> Refused {
        negotiate_between(own, theirs, 3, 5).unwrap_err()
    }

    #[test]
    fn every_version_in_the_range_is_understood() {
        for theirs in 3..=5 {
            assert_eq!(negotiate_between(Side::Server, theirs, 3, 5), Ok(()));
        }
        assert_eq!(negotiate(Side::Device, PROTOCOL_VERSION), Ok(()));
        assert_eq!(negotiate(Side::Device, PROTOCOL_OLDEST), Ok(()));
    }

    #[test]
    fn a_newer_device_makes_the_server_ask_for_its_own_upgrade() {
        let refused = refusal(Side::Server, 6);
        assert_eq!((refused.code.as_str(), refused.upgrade), (CODE_TOO_NEW, Some(Side::Server)));
        assert_eq!(
            refused.detail,
            "the device speaks protocol 6, the server understands 3 to 5: upgrade the server"
        );
    }

    #[test]
    fn an_older_device_is_told_to_upgrade_itself() {
        let refused = refusal(Side::Server, 2);
        assert_eq!((refused.code.as_str(), refused.upgrade), (CODE_TOO_OLD, Some(Side::Device)));
        assert!(refused.detail.ends_with("upgrade the device"), "{refused}");
    }

    #[test]
    fn a_newer_server_makes_the_device_ask_for_its_own_upgrade() {
        assert_eq!(refusal(Side::Device, 6).upgrade, Some(Side::Device));
    }

    #[test]
    fn an_older_server_has_to_be_upgraded() {
        assert_eq!(refusal(Side::Device, 2).upgrade, Some(Side::Server));
    }
}
