//! The server's verdict on one change.

use ruhu_survey::change::ChangeHash;
use ruhu_survey::codec::{CodecError, Reader, Writer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::FormatError;
use crate::limits::{NEEDS_MAX, REASON_BYTES_MAX, RULE_BYTES_MAX};
use crate::statement::{read_presence, write_optional};

const ACCEPTED: u8 = 1;
const HELD: u8 = 2;
const QUARANTINED: u8 = 3;
const REFUSED: u8 = 4;

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is part of the document.
    Accepted,
    /// It is kept until the changes it stands on arrive.
    Held {
        /// The changes it waits for.
        needs: Vec<ChangeHash>,
    },
    /// It is well formed and kept, but breaks a rule; two named people decide.
    Quarantined {
        /// The stable code of the rule, such as `late`.
        rule: String,
        /// The quarantined change that it stands on, when that is why.
        because: Option<ChangeHash>,
    },
    /// It is not a change.
    Refused {
        /// Why, such as `malformed`. No personal data.
        reason: String,
    },
}

/// The bare kind of a verdict, for tables and JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// See [`Verdict::Accepted`].
    Accepted,
    /// See [`Verdict::Held`].
    Held,
    /// See [`Verdict::Quarantined`].
    Quarantined,
    /// See [`Verdict::Refused`].
    Refused,
}

impl Verdict {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> VerdictKind {
        match self {
            Self::Accepted => VerdictKind::Accepted,
            Self::Held { .. } => VerdictKind::Held,
            Self::Quarantined { .. } => VerdictKind::Quarantined,
            Self::Refused { .. } => VerdictKind::Refused,
        }
    }

    /// Appends the canonical form.
    pub fn write(&self, writer: &mut Writer) {
        match self {
            Self::Accepted => {
                writer.u8(ACCEPTED);
            }
            Self::Held { needs } => {
                writer.u8(HELD).varint(needs.len() as u64);
                for hash in needs {
                    writer.raw(&hash.0);
                }
            }
            Self::Quarantined { rule, because } => {
                writer.u8(QUARANTINED).text(rule);
                write_optional(writer, because.as_ref().map(|hash| hash.0.as_slice()));
            }
            Self::Refused { reason } => {
                writer.u8(REFUSED).text(reason);
            }
        }
    }

    /// Takes the canonical form off.
    ///
    /// # Errors
    /// [`FormatError`] for every other form.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(match reader.u8()? {
            ACCEPTED => Self::Accepted,
            HELD => {
                let count = reader.count("needs", NEEDS_MAX)?;
                let needs = (0..count).map(|_| Ok(ChangeHash(reader.array()?)));
                Self::Held { needs: needs.collect::<Result<_, CodecError>>()? }
            }
            QUARANTINED => Self::Quarantined {
                rule: reader.text("rule", RULE_BYTES_MAX)?.to_owned(),
                because: match read_presence(reader, "because")? {
                    true => Some(ChangeHash(reader.array()?)),
                    false => None,
                },
            },
            REFUSED => Self::Refused { reason: reader.text("reason", REASON_BYTES_MAX)?.to_owned() },
            _ => return Err(CodecError::Unknown("verdict").into()),
        })
    }

    /// The canonical form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.write(&mut writer);
        writer.finish()
    }

    /// The verdict of these bytes.
    ///
    /// # Errors
    /// [`FormatError`] when they are not exactly one canonical form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(bytes);
        let verdict = Self::read(&mut reader)?;
        reader.end()?;
        Ok(verdict)
    }
}

/// Appends a count and that many verdicts.
pub(crate) fn write_all(writer: &mut Writer, verdicts: &[Verdict]) {
    writer.varint(verdicts.len() as u64);
    for verdict in verdicts {
        verdict.write(writer);
    }
}

/// SHA-256 of a count and that many verdicts: what a log leaf says about them.
#[must_use]
pub fn digest(verdicts: &[Verdict]) -> [u8; 32] {
    let mut writer = Writer::new();
    write_all(&mut writer, verdicts);
    Sha256::digest(writer.finish()).into()
}
