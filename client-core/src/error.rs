//! What can go wrong on a device, in terms of what the person or the caller can do about it.
//!
//! No variant holds personal data: paths, ids, field keys and codes only.

use std::path::{Path, PathBuf};

use ruhu_survey::check::SubmitError;
use ruhu_survey::codec::CodecError;
use ruhu_survey::field_table::InputError;
use ruhu_survey::id::{CheckId, HouseholdId, VillageId};
use ruhu_survey::photo::PhotoError;
use ruhu_survey::shown::SettleError;

use crate::key_file::PASSPHRASE_CHARACTERS_MIN;
use crate::pin::PIN_DIGITS_MIN;
use crate::transport::TransportError;

/// A call on [`crate::Client`] did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Choose a longer passphrase.
    #[error("the passphrase is too short: at least {PASSPHRASE_CHARACTERS_MIN} characters are needed")]
    PassphraseTooShort,
    /// Choose a longer PIN, of digits alone.
    #[error("the PIN is too short or not of digits: at least {PIN_DIGITS_MIN} digits are needed")]
    PinTooShort,
    /// The phone's lock is no way in: type the passphrase.
    #[error("the phone's lock does not open this store: the passphrase is needed")]
    PhoneLock,
    /// Type the passphrase again.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The folder already holds a store: open it instead.
    #[error("{0} already holds a store")]
    StoreExists(PathBuf),
    /// The folder holds no store: create one.
    #[error("{0} holds no store")]
    StoreMissing(PathBuf),
    /// The database is there, its key file is not: it was copied without it, or the file was lost.
    #[error("the database's key file {0} is missing; without it the database cannot be read")]
    KeyFileMissing(PathBuf),
    /// The key file is cut off or changed: put back a copy of it.
    #[error("the key file {0} is damaged")]
    KeyFileDamaged(PathBuf),
    /// A newer version of the program wrote the key file: upgrade.
    #[error("the key file {path} is of version {found}, written by a newer program; upgrade this one")]
    KeyFileNewer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u8,
    },
    /// The key file is there, the database is not.
    #[error("the key file is there but the database {0} is missing")]
    DatabaseMissing(PathBuf),
    /// The database was made with another key file: put the two that belong together in one folder.
    #[error("the database {0} does not belong to the key file beside it")]
    DatabaseOfAnotherKey(PathBuf),
    /// The database is cut off or changed. It was left as it is; [`crate::Client::open_aside`] keeps it
    /// under another name and begins a new one.
    #[error("the database {0} is damaged; it was left as it is")]
    DatabaseDamaged(PathBuf),
    /// A newer version of the program wrote the database: upgrade, or set it aside.
    #[error("the database {path} has schema {found}, this program knows {known}; upgrade this program")]
    DatabaseNewer {
        /// The file.
        path: PathBuf,
        /// The schema of the file.
        found: u32,
        /// The newest schema this program knows.
        known: u32,
    },
    /// Free some space and try again; nothing was written.
    #[error("the disk is full")]
    DiskFull,
    /// Another program is using the store: close it and try again.
    #[error("another program is using the store")]
    Busy,
    /// The system gave no randomness.
    #[error("the system gives no randomness")]
    NoRandomness,
    /// The Argon2id costs asked for cannot be met.
    #[error("the key derivation cannot be carried out with these costs")]
    Cost,
    /// A file could not be read or written.
    #[error("{path} could not be read or written")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database refused for a reason with no name of its own.
    #[error("the database refused")]
    Database(#[source] rusqlite::Error),
    /// Opening the database failed for a reason with no name of its own.
    #[error("the database could not be opened")]
    Open(#[source] ruhu_sqlite::OpenError),
    /// A row of the database is not in the form this program writes.
    #[error("a stored {what} cannot be read")]
    Stored {
        /// What kind of thing it is.
        what: &'static str,
        /// Why not.
        #[source]
        source: CodecError,
    },
    /// Enrol the device first.
    #[error("the device is not enrolled")]
    NotEnrolled,
    /// The device is enrolled; another person or server needs a store of its own.
    #[error("the device is already enrolled")]
    AlreadyEnrolled,
    /// The enrolment link is not one of ours.
    #[error("the enrolment link cannot be read: {0}")]
    InvalidLink(&'static str),
    /// The server's key is not the one that the link or the person named: do not go on.
    #[error("the server shows another key than the one expected")]
    OtherServer,
    /// The device holds no such village, or its certificate does not name it.
    #[error("village {0} is not one of this device's")]
    UnknownVillage(VillageId),
    /// The device holds no such household.
    #[error("household {0} is not on this device")]
    UnknownHousehold(HouseholdId),
    /// The device holds no such check.
    #[error("check {0} is not on this device")]
    UnknownCheck(CheckId),
    /// This program does not have the form, or no rules for the place and time.
    #[error("this program does not have {0}; upgrade it")]
    UnknownForm(String),
    /// The form has no such question, or it has no last answer.
    #[error("the form has no question {0}, or no last answer to it")]
    UnknownQuestion(String),
    /// Something about who the household is does not hold: correct it before submitting.
    #[error("the check cannot be submitted: {0}")]
    Blocked(String),
    /// Take one of the photos out first: the question takes no more.
    #[error("the question takes {0} photos at most")]
    TooManyPhotos(usize),
    /// The photo cannot be taken, or is not what it should be: says why.
    #[error(transparent)]
    Photo(#[from] PhotoError),
    /// The device holds no such document.
    #[error("document {0} is not on this device")]
    UnknownDocument(String),
    /// What the document began with was not accepted, so nothing can stand on it. Drafts about it are kept.
    #[error("{0} was not accepted by the server, so nothing can be added to it; what is not sent is kept")]
    NotAccepted(String),
    /// The household has no such member.
    #[error("the household has no member {0}")]
    UnknownMember(String),
    /// The check was submitted or withdrawn: write a correction instead.
    #[error("check {0} is not a draft any more")]
    NotADraft(CheckId),
    /// Only a submitted check can be replaced: go on with the draft.
    #[error("the check {0} was not submitted")]
    NotSubmitted(CheckId),
    /// Give at least one answer before submitting.
    #[error("check {0} has no answers")]
    NoAnswers(CheckId),
    /// What was entered does not fit its field: says what would.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The change is not one this person may write.
    #[error("{key} may not be written so: {rule}")]
    NotAllowed {
        /// The field.
        key: String,
        /// The stable code of the rule it breaks.
        rule: String,
    },
    /// The check cannot be submitted so: says why.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The conflict cannot be settled so: says why.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// State a reason.
    #[error("a reason is needed")]
    ReasonNeeded,
    /// The field has no open conflict.
    #[error("{0} has no open conflict")]
    NoConflict(String),
    /// The household's key has not come yet: sync first.
    #[error("the key for private values of household {0} is not on this device; sync first")]
    NoHouseholdKey(HouseholdId),
    /// The key held for the household does not open the value.
    #[error("the key of the household does not open {0}")]
    Closed(String),
    /// Changes could not be sealed into a batch; they wait unsealed.
    #[error("the changes cannot be sealed: {0}")]
    Seal(String),
    /// The server answered with a refusal.
    #[error("the server refused: {title} ({code})")]
    Refused {
        /// The stable code.
        code: String,
        /// The HTTP status, 0 when it came inside a sync.
        status: u16,
        /// One line.
        title: String,
        /// More, possibly empty.
        detail: String,
    },
    /// One side is too old for the other.
    #[error("the {} must be upgraded: the sync protocols differ", .0.name())]
    Upgrade(ruhu_sync::Side),
    /// Sync with the server once: the village's key comes with its first sync.
    #[error("the key of village {0} is not on this device; sync with the server first")]
    NoVillageKey(VillageId),
    /// Everything has been received already.
    #[error("there is nothing that the server has not received")]
    NothingToCarry,
    /// What was scanned is not, or not all, of one set of codes; or there would be too many.
    #[error(transparent)]
    Code(#[from] ruhu_sync::bundle::code::CodeError),
    /// The other device does not prove that it may be given anything.
    #[error(transparent)]
    Peer(#[from] ruhu_sync::peer::PeerRefusal),
    /// The other device does not accept this one, and says why.
    #[error("the other device refused: {0}")]
    PeerRefused(String),
    /// Memory is short; nothing was written.
    #[error("the bundle could not be sealed")]
    Bundle(#[from] ruhu_sync::bundle::SealError),
    /// The person did not confirm that it is the other device.
    #[error("the other device was not confirmed; nothing was given")]
    NotConfirmed,
    /// The two devices work in different villages.
    #[error("the two devices have no village in common")]
    NoSharedVillage,
    /// The server could not be reached, or the link broke.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server's answer is not one this program understands.
    #[error("the server's answer cannot be understood: {0}")]
    Answer(String),
    /// The server began a new life, from a backup or anew: enrol again with a new code, which brings its
    /// new key. Nothing on this device is lost.
    #[error("the server was restored or set up anew; enrol again")]
    NewEpoch,
    /// The server's log is not an extension of the one this device has seen: history was rewritten, or
    /// somebody poses as the server. Nothing more is taken from it; the evidence is kept in the store.
    #[error(
        "the server's log contradicts what this device has seen; the evidence is kept, nothing more is accepted"
    )]
    LogInconsistent,
}

impl Error {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io { path: path.to_owned(), source },
        }
    }

    pub(crate) fn stored(what: &'static str) -> impl Fn(CodecError) -> Self {
        move |source| Self::Stored { what, source }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        if ruhu_sqlite::is_full(&error) {
            Self::DiskFull
        } else if ruhu_sqlite::is_busy(&error) {
            Self::Busy
        } else if ruhu_sqlite::is_corrupt(&error) {
            Self::DatabaseDamaged(PathBuf::from("ruhu.db"))
        } else {
            Self::Database(error)
        }
    }
}
