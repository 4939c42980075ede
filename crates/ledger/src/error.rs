//! What can be wrong with a ledger's bytes: their form ([`FormatError`]) or their claim ([`VerifyError`]).

use ruhu_survey::codec::CodecError;

/// Bytes that are not the canonical form of what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A field breaks the canonical encoding or its limit.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The format has a version that this program does not know: it is older than the author's.
    #[error("version {found} of the {what} format is not known")]
    Version {
        /// The format.
        what: &'static str,
        /// The version found.
        found: u8,
    },
    /// The signature algorithm is not known to this program.
    #[error("signature algorithm {0} is not known: 1 (Ed25519) is")]
    Algorithm(u8),
    /// A time is before 1970 or after the year 9999.
    #[error("{what} is {found}, outside 0 to 253402300799999 milliseconds")]
    Time {
        /// The field.
        what: &'static str,
        /// The time found, milliseconds since 1970.
        found: i64,
    },
    /// A list that must be strictly ascending is not.
    #[error("the {0} are not in ascending order, each once")]
    Order(&'static str),
    /// Two fields contradict one another.
    #[error("{0}")]
    Contradiction(&'static str),
    /// A signed note is not in the form of C2SP signed-note and tlog-checkpoint.
    #[error("not a checkpoint note: {0}")]
    Note(&'static str),
    /// A text is not the hexadecimal or textual form of a key or hash.
    #[error("not the text of a {0}")]
    Text(&'static str),
}

/// A well-formed object that is not what it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The bytes are not even well formed.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The public key is not a point of the curve, or a weak one.
    #[error("the public key is not a usable Ed25519 key")]
    Key,
    /// The signature is not by this key over these bytes.
    #[error("the signature is not by this key over these bytes")]
    Signature,
    /// The object belongs to another installation.
    #[error("the batch and the certificate are of different deployments")]
    Deployment,
    /// The device is not the one whose key the certificate holds.
    #[error("the batch names a device that is not the certificate's")]
    Device,
    /// The user is not the certificate's.
    #[error("the batch names a user that is not the certificate's")]
    User,
    /// The certificate does not grant the village.
    #[error("the certificate does not grant the batch's village")]
    Village,
    /// No signature line of a note is by the expected key.
    #[error("the note holds no signature by the expected key")]
    NotSigned,
    /// A proof does not lead from the leaf to the root.
    #[error("the inclusion proof does not lead to the root")]
    Inclusion,
    /// A proof does not show that the new tree continues the old one.
    #[error("the consistency proof does not join the two roots")]
    Consistency,
}
