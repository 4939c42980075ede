//! Identities: sixteen bytes each, one type per thing identified.
//!
//! Ids are made where the clock and the randomness are (`main`, the device's environment) and only
//! passed along here. Most are UUIDs of version 7 (RFC 9562); a [`DeviceId`] is the beginning of the
//! hash of the device's public key, and is written in the same form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an id: expected 32 hexadecimal digits, as in 018f6d2e-7a10-7c3e-9b51-2f0c8f1d0001")]
pub struct InvalidId(String);

macro_rules! id {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these sixteen bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// A UUID of version 7 from a clock (milliseconds since 1970) and ten random bytes.
            #[must_use]
            pub fn v7(now_ms: u64, random: [u8; 10]) -> Self {
                let uuid = uuid::Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid();
                Self(uuid.into_bytes())
            }

            /// The sixteen bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let uuid = Uuid::parse_str(text).map_err(|_| InvalidId(text.to_owned()))?;
                Ok(Self(uuid.into_bytes()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

id! {
    /// One visit to one household (入户排查).
    CheckId;
    /// One installation of Ruhu: a server and all that enrolled with it.
    DeploymentId;
    /// One key on one device (采集终端): the first 16 bytes of SHA-256 of its public key.
    DeviceId;
    /// One life of a server's log; a server restored from a backup starts another.
    EpochId;
    /// A household (农户).
    HouseholdId;
    /// An issue to be rectified (问题).
    IssueId;
    /// A person with an account.
    UserId;
    /// An administrative village (行政村), whatever its official code is this year.
    VillageId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = HouseholdId::v7(1_700_000_000_000, [7; 10]);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn a_wrong_text_is_refused_with_what_was_expected() {
        let refusal = "43082110120".parse::<VillageId>().unwrap_err().to_string();
        assert!(refusal.contains("expected 32 hexadecimal digits"), "{refusal}");
    }
}
