//! What a page is told when a call did not do what it was asked: a stable code and a sentence.

use ruhu_client_core::Error;
use ruhu_survey::field_table::{InputError, Misfit};
use ruhu_survey::photo::PhotoError;
use serde::Serialize;

use crate::answer::link_failure;

/// A call failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[error("{code}: {detail}")]
pub struct Problem {
    /// A stable code; `app_error_<code>` in the message table says it to people.
    pub code: String,
    /// One English sentence without personal data; of what the form blocks, its rule and message.
    pub detail: String,
    /// For how many milliseconds no passphrase is tried.
    pub wait_ms: u64,
}

impl Problem {
    /// A problem of the core itself.
    #[must_use]
    pub fn new(code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), detail: detail.into(), wait_ms: 0 }
    }

    /// An id or code that a page gave is none.
    pub(crate) fn argument(name: &str) -> Self {
        Self::new("argument", format!("the argument {name} cannot be read"))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Refused { code, .. } => format!("server_{code}"),
            other => code(other).to_owned(),
        };
        match error {
            Error::Blocked(what) => Self::new(&code, what),
            other => Self::new(&code, other.to_string()),
        }
    }
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::PassphraseTooShort => "passphrase_too_short",
        Error::PinTooShort => "pin_too_short",
        Error::PhoneLock => "phone_lock",
        Error::WrongPassphrase => "wrong_passphrase",
        Error::StoreExists(_) => "store_exists",
        Error::StoreMissing(_) => "store_missing",
        Error::KeyFileMissing(_)
        | Error::KeyFileDamaged(_)
        | Error::DatabaseMissing(_)
        | Error::DatabaseOfAnotherKey(_)
        | Error::DatabaseDamaged(_) => "store_damaged",
        Error::KeyFileNewer { .. } | Error::DatabaseNewer { .. } | Error::Upgrade(_) => "upgrade",
        Error::DiskFull => "disk_full",
        Error::NotEnrolled => "not_enrolled",
        Error::AlreadyEnrolled => "already_enrolled",
        Error::InvalidLink(_) => "invalid_link",
        Error::OtherServer => "other_server",
        Error::NotSubmitted(_) => "not_submitted",
        Error::NotADraft(_) => "not_a_draft",
        Error::NoAnswers(_) => "no_answers",
        Error::TooManyPhotos(_) => "too_many_photos",
        Error::Photo(error) => photo(error),
        Error::Blocked(_) => "blocked",
        Error::Input(error) => input(error),
        Error::NotAllowed { .. } => "not_allowed",
        Error::ReasonNeeded => "reason_needed",
        Error::NoConflict(_) => "no_conflict",
        Error::NoHouseholdKey(_) | Error::NoVillageKey(_) => "no_key",
        Error::NotAccepted(_) => "not_accepted",
        Error::Transport(error) => link_failure(error),
        Error::NewEpoch => "new_epoch",
        Error::LogInconsistent => "log_inconsistent",
        _ => "failed",
    }
}

const fn photo(error: &PhotoError) -> &'static str {
    match error {
        PhotoError::NotAPicture => "not_a_picture",
        PhotoError::TooLarge { .. } | PhotoError::ThumbnailTooLarge { .. } => "picture_too_large",
        PhotoError::Version(_) => "upgrade",
        PhotoError::Format(_) | PhotoError::Sealed(_) | PhotoError::Differs | PhotoError::Address => {
            "picture_damaged"
        }
    }
}

fn input(error: &InputError) -> &'static str {
    match error {
        InputError::Number { .. } => "input_number",
        InputError::YesOrNo { .. } => "input_yes_or_no",
        InputError::Code { .. } | InputError::Misfit { misfit: Misfit::UnknownCode, .. } => "input_code",
        InputError::Misfit { key, .. } if key.ends_with("/cert_no") => "input_certificate",
        InputError::Misfit { key, .. } if key.ends_with("phone") => "input_phone",
        InputError::Misfit { .. } => "input_range",
        InputError::NoReason(_) => "reason_needed",
        InputError::NoKey(_) => "no_key",
        InputError::UnknownKey(_) | InputError::UnknownMember(_) => "input_unknown",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ruhu_survey::message::{Lang, say};

    /// Where a page's problems come from; each text in quotes after one of these words is a code.
    const SOURCES: [(&str, &[&str]); 6] = [
        (include_str!("problem.rs"), &["=> \"", "Self::new(\""]),
        (include_str!("device.rs"), &["Problem::new(\""]),
        (include_str!("work.rs"), &["Problem::new(\""]),
        (include_str!("browser/mod.rs"), &["Problem::new(\""]),
        (
            include_str!("answer/state.rs"),
            &[
                "Unreachable => \"",
                "Cut => \"",
                "Stalled => \"",
                "Unclear => \"",
                "Address(_) => \"",
                "_ => \"",
            ],
        ),
        (include_str!("../../app/src/core/worker.ts"), &["problem('"]),
    ];

    fn codes() -> BTreeSet<String> {
        let mut codes = BTreeSet::new();
        for (source, words) in SOURCES {
            let source = source.split("#[cfg(test)]").next().unwrap();
            for word in words {
                let quoted = source.split(word).skip(1).filter_map(|rest| rest.split(['"', '\'']).next());
                codes.extend(quoted.map(str::to_owned));
            }
        }
        codes
    }

    #[test]
    fn every_problem_is_said_to_people() {
        let codes = codes();
        for known in ["wrong_passphrase", "pins_used_up", "another_tab", "no_storage", "unclear"] {
            assert!(codes.contains(known), "{known} is not found among {codes:?}");
        }
        let silent: Vec<_> = codes
            .iter()
            .map(|code| format!("app_error_{code}"))
            .filter(|message| say(Lang::Zh, message, &[]) == *message)
            .collect();
        assert_eq!(silent, Vec::<String>::new());
    }
}
