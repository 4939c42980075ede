//! What a page can ask of the core: one JSON object a call.

use std::collections::BTreeMap;

use ruhu_survey::field_table::{AnswerState, Source};
use ruhu_survey::household::{Because, Input, NewMember};
use serde::Deserialize;

use crate::answer::Scalar;

/// One call. Ids are their texts; a document is `<kind>/<id>`, as in `household/0198…`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are the arguments of the `Client` method that the variant names")]
pub enum Call {
    /// Where the store stands: answers [`crate::answer::Standing`].
    Standing,
    /// Makes a store; one that was made and not enrolled is opened instead.
    Create {
        passphrase: String,
    },
    /// Opens the store. Wrong tries lock it for a growing time.
    Unlock {
        passphrase: String,
    },
    /// Closes the store.
    Lock,
    /// Shuts the screen and keeps the store open, where a PIN was chosen; else closes the store.
    Pause,
    /// Opens the screen again. After three wrong tries the store is closed.
    Resume {
        pin: String,
    },
    /// Chooses the PIN; an empty one takes it away.
    SetPin {
        pin: String,
    },
    /// Lets the phone's own lock open the store too. `credential`, `input` (32 bytes) and what the phone answered to
    /// it (32 bytes) are in standard base64.
    SetPhoneLock {
        passphrase: String,
        credential: String,
        input: String,
        secret: String,
    },
    RemovePhoneLock,
    /// Opens the store with what the phone's lock answered, in standard base64.
    UnlockByPhone {
        secret: String,
    },
    /// Keeps where the person is, in clear and durably: ids and keys, no answer; 1,024 bytes
    /// at most.
    Remember {
        place: String,
    },
    ChangePassphrase {
        old: String,
        new: String,
    },
    /// Enrols with a link.
    EnrolByLink {
        link: String,
        device_name: String,
    },
    /// Enrols with an address and a typed code; without `words` it answers which words to compare.
    EnrolByCode {
        server: String,
        code: String,
        device_name: String,
        words: Option<String>,
    },
    Villages,
    Groups {
        village: String,
    },
    Households {
        village: String,
        query: HouseholdQuery,
    },
    Household {
        household: String,
    },
    History {
        document: String,
    },
    Check {
        check: String,
    },
    /// A draft as its form asks it now; `short` asks only the starred questions and what was ticked as changed.
    CheckForm {
        check: String,
        short: bool,
    },
    /// What is always so of each question of a form, by its name: answers [`ruhu_survey::form::QuestionText`]s.
    QuestionTexts {
        form: String,
    },
    /// Answers a question, or with nothing said takes the answer back.
    AnswerQuestion {
        check: String,
        question: String,
        member: Option<String>,
        element: Option<String>,
        said: Option<Said>,
    },
    AcceptLast {
        check: String,
        question: String,
        member: Option<String>,
    },
    ConfirmFinding {
        check: String,
        key: String,
        reason: String,
    },
    /// Answers the open amounts of a screen with nothing; answers how many they were.
    ZeroRest {
        check: String,
        page: String,
        short: bool,
    },
    /// What the rules find, in words.
    Findings {
        check: String,
    },
    /// Which answers a submission would replace by "does not apply".
    NotApplicable {
        check: String,
        result: String,
    },
    Drafts,
    StartCheck {
        household: String,
        check_type: String,
    },
    /// Starts a check in the place of a submitted one; answers the new one's id.
    ReplaceCheck {
        check: String,
    },
    WithdrawCheck {
        check: String,
        reason: String,
    },
    Submit {
        check: String,
        result: String,
    },
    EditHousehold {
        household: String,
        key: String,
        said: Said,
    },
    /// Founds a household that no roster knows; answers its id.
    NewHousehold {
        village: String,
        group: String,
        address: Option<String>,
        phone: Option<String>,
        head: MemberSaid,
    },
    /// Answers the new member's id.
    AddMember {
        household: String,
        member: MemberSaid,
    },
    /// `left_on` is a day, `why` a code of `member_change`.
    EndMember {
        household: String,
        member: String,
        left_on: String,
        why: String,
        reason: Option<String>,
    },
    /// The choices of a code list: answers [`ruhu_survey::form::Offered`].
    Codes {
        list: String,
    },
    /// `since` is the day from which a visit counts as done.
    Overview {
        village: String,
        since: String,
    },
    /// All that this device holds of its villages, as a `.ruhu` file in base64.
    ExportBundle,
    Conflicts {
        village: String,
    },
    Settle {
        document: String,
        key: String,
        change: String,
        reason: String,
    },
    Reveal {
        document: String,
        key: String,
    },
    Status,
    Refused,
    Devices,
    Sync,
}

/// Which households to list.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct HouseholdQuery {
    /// What was typed: see [`ruhu_client_core::Query::text`].
    pub text: String,
    /// Only this group.
    pub group: Option<String>,
    /// Only households with open conflicts.
    pub conflicts_only: bool,
    /// Only households with something that is not received.
    pub unsent_only: bool,
    /// Those who are due first.
    pub by_due: bool,
    /// How many to skip.
    pub skip: u32,
    /// How many to give at most.
    pub limit: u32,
}

/// A member as a person tells of one. What is not known is left empty.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct MemberSaid {
    /// The full name.
    pub full_name: String,
    /// The certificate number.
    pub cert_no: Option<String>,
    /// Other fields of a member by name, such as `relation_to_head`, as they are stored or typed.
    pub fields: BTreeMap<String, String>,
}

impl From<MemberSaid> for NewMember {
    fn from(said: MemberSaid) -> Self {
        let known = said.fields.into_iter().filter(|(_, text)| !text.trim().is_empty());
        Self {
            full_name: said.full_name.trim().to_owned(),
            cert_no: said.cert_no.filter(|number| !number.trim().is_empty()),
            fields: known.collect(),
            source: Some(Source::SelfReport),
        }
    }
}

/// What was answered, and why.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// The answer.
    pub what: What,
    /// A code of `source`.
    pub source: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// As people type it, in yuan and mu.
    Typed(String),
    /// As it is stored.
    Stored(Scalar),
    /// `refused`, `unknown` or `not_applicable`.
    State(String),
    /// None of a question's choices.
    NoneOfThese,
}

impl Said {
    /// The input for one field and what stands beside it; `None` when a state or source is not one, or no one field
    /// takes it.
    #[must_use]
    pub fn read(&self) -> Option<(Input, Because)> {
        let input = match &self.what {
            What::NoneOfThese => return None,
            What::Typed(text) => Input::Text(text.clone()),
            What::Stored(scalar) => Input::Stored(scalar.value()?),
            What::State(name) => Input::State(AnswerState::from_text(&format!("~{name}"))?),
        };
        Some((input, self.because()?))
    }

    /// Where it comes from and why; `None` when the source is not one.
    #[must_use]
    pub fn because(&self) -> Option<Because> {
        let source = match &self.source {
            None => None,
            Some(code) => Some(Source::from_code(code)?),
        };
        Some(Because { source, reason: self.reason.clone() })
    }
}
