//! A later decision on a change that a receipt left open: held → accepted, quarantined → adopted or refused.

use ruhu_survey::change::ChangeHash;
use ruhu_survey::codec::{Reader, Writer};
use ruhu_survey::id::{EpochId, UserId};

use crate::batch::BatchId;
use crate::error::FormatError;
use crate::limits::{NAME_BYTES_MAX, REASON_BYTES_MAX};
use crate::statement::{Signed, Statement, read_algorithm, read_time, write_opening};
use crate::verdict::Verdict;

/// The version of a decision by rule.
const VERSION: u8 = 1;
/// The version of a decision by two people: the same, and who they are.
const VERSION_PEOPLE: u8 = 2;

/// The verdict that takes the place of the receipt's, for one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The life of the log it was made in; its key signs.
    pub epoch: EpochId,
    /// The batch that brought the change.
    pub batch: BatchId,
    /// The change.
    pub change: ChangeHash,
    /// What becomes of it now.
    pub verdict: Verdict,
    /// When, milliseconds since 1970, by the server's clock.
    pub decided_ms: i64,
    /// Who decided; for a change that was only held, the server's own user.
    pub by: UserId,
    /// The two who decided, when it was people: the one who proposed it, and `by`, who confirmed it.
    pub people: Option<People>,
}

/// Two named people who decided together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct People {
    /// Who proposed it.
    pub proposed_by: UserId,
    /// The name of who proposed it.
    pub proposed_name: String,
    /// The name of who confirmed it.
    pub confirmed_name: String,
    /// Why.
    pub reason: String,
}

impl Statement for Decision {
    const DOMAIN: &'static str = "ruhu/decision/1";

    fn write(&self, writer: &mut Writer) {
        write_opening(writer, if self.people.is_some() { VERSION_PEOPLE } else { VERSION });
        writer.raw(self.epoch.as_bytes()).raw(&self.batch.0).raw(&self.change.0);
        self.verdict.write(writer);
        writer.i64(self.decided_ms).raw(self.by.as_bytes());
        if let Some(people) = &self.people {
            writer.raw(people.proposed_by.as_bytes());
            writer.text(&people.proposed_name).text(&people.confirmed_name).text(&people.reason);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let version = reader.u8()?;
        if !matches!(version, VERSION | VERSION_PEOPLE) {
            return Err(FormatError::Version { what: "decision", found: version });
        }
        read_algorithm(reader)?;
        Ok(Self {
            epoch: EpochId::from_bytes(reader.array()?),
            batch: BatchId(reader.array()?),
            change: ChangeHash(reader.array()?),
            verdict: Verdict::read(reader)?,
            decided_ms: read_time(reader, "decided_ms")?,
            by: UserId::from_bytes(reader.array()?),
            people: if version == VERSION_PEOPLE { Some(People::read(reader)?) } else { None },
        })
    }
}

impl People {
    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(Self {
            proposed_by: UserId::from_bytes(reader.array()?),
            proposed_name: reader.text("proposed_name", NAME_BYTES_MAX)?.to_owned(),
            confirmed_name: reader.text("confirmed_name", NAME_BYTES_MAX)?.to_owned(),
            reason: reader.text("reason", REASON_BYTES_MAX)?.to_owned(),
        })
    }
}

/// A decision with the signature of the epoch's server key.
pub type SignedDecision = Signed<Decision>;
