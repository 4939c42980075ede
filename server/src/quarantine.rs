//! Deciding over what is in quarantine (隔离区): two named people adopt a change or refuse it.
//!
//! The first one proposes, a second one who says the same decides; a second one who says otherwise makes
//! the new proposal. Nobody decides over what they wrote themselves. Nothing here reads a database.

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::decision::{People, SignedDecision};
use ruhu_survey::change::{ChangeHash, DocumentId};
use ruhu_survey::id::{DeviceId, UserId, VillageId};
use ruhu_survey::role::Role;

/// Those who may decide over what is in quarantine, in villages that they look after.
pub const DECIDERS: [Role; 4] = [Role::FirstSecretary, Role::Township, Role::County, Role::Supervisor];

/// The reason in the verdict of a change that two people refused.
pub const REFUSED: &str = "refused_by_people";

/// What somebody wants to become of a change in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It becomes part of its document although it breaks a rule.
    Adopt,
    /// It never will.
    Refuse,
}

impl Choice {
    /// The byte that stands for it in the database.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Adopt => 1,
            Self::Refuse => 2,
        }
    }

    /// The choice that a byte stands for.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Adopt),
            2 => Some(Self::Refuse),
            _ => None,
        }
    }
}

/// What one person said about a change, and waits for a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What is to become of it.
    pub choice: Choice,
    /// Who proposes it.
    pub by: UserId,
    /// Their name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

/// A change in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its name.
    pub change: ChangeHash,
    /// Its village.
    pub village: VillageId,
    /// Its document.
    pub document: DocumentId,
    /// The batch that brought it.
    pub batch: BatchId,
    /// The device of its author.
    pub device: DeviceId,
    /// Its author.
    pub user: UserId,
    /// The rule that it breaks, a stable code.
    pub rule: String,
    /// The key concerned, where there is one; never a value.
    pub detail: Option<String>,
    /// The change that it stands on, where that is why.
    pub because: Option<ChangeHash>,
    /// When the server had it, milliseconds since 1970.
    pub received_ms: i64,
    /// The keys that it puts.
    pub keys: Vec<String>,
    /// The accepted change that was written anew in its place.
    pub replaced_by: Option<ChangeHash>,
    /// What one person proposed.
    pub proposal: Option<Proposal>,
}

/// What a person says about a change in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The change.
    pub change: ChangeHash,
    /// What is to become of it.
    pub choice: Choice,
    /// Who says so.
    pub by: UserId,
    /// Their name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruled {
    /// It is proposed, and waits for a second person.
    Proposed,
    /// It is decided, signed and in the log.
    Decided(Box<SignedDecision>),
    /// Nothing was written.
    Not(NotRuled),
}

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRuled {
    /// There is no such change in quarantine.
    #[error("the change is not in quarantine")]
    NotInQuarantine,
    /// The person wrote the change.
    #[error("nobody decides over a change of their own")]
    OwnChange,
    /// The person proposed the same.
    #[error("a second person has to confirm it")]
    SamePerson,
    /// It stands on changes that are not part of the document: those come first.
    #[error("it stands on {} changes that were not adopted", .0.len())]
    StandsOn(Vec<ChangeHash>),
    /// The document cannot take it.
    #[error("the document cannot take it: {0}")]
    DoesNotFit(String),
}

/// What a ruling leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It is the proposal now.
    Propose,
    /// Two people say the same.
    Decide(People),
    /// Nothing.
    Nothing(NotRuled),
}

/// Weighs a ruling against what was proposed before.
#[must_use]
pub fn weigh(ruling: &Ruling, author: UserId, earlier: Option<&Proposal>) -> Next {
    match earlier {
        _ if ruling.by == author => Next::Nothing(NotRuled::OwnChange),
        Some(earlier) if earlier.choice != ruling.choice => Next::Propose,
        Some(earlier) if earlier.by == ruling.by => Next::Nothing(NotRuled::SamePerson),
        Some(earlier) => Next::Decide(People {
            proposed_by: earlier.by,
            proposed_name: earlier.name.clone(),
            confirmed_name: ruling.name.clone(),
            reason: joined(&earlier.reason, &ruling.reason),
        }),
        None => Next::Propose,
    }
}

/// Both reasons in one, as far as a decision has room.
fn joined(first: &str, second: &str) -> String {
    let both = if first == second { first.to_owned() } else { format!("{first}; {second}") };
    let most = ruhu_ledger::limits::REASON_BYTES_MAX;
    let end = both.floor_char_boundary(most.min(both.len()));
    both.split_at(end).0.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHOR: UserId = UserId::from_bytes([9; 16]);

    fn ruling(by: u8, choice: Choice) -> Ruling {
        let (by, name) = (UserId::from_bytes([by; 16]), format!("测试{by}"));
        Ruling { change: ChangeHash([1; 32]), choice, by, name, reason: "看过原件".to_owned() }
    }

    fn proposal(by: u8, choice: Choice) -> Proposal {
        let Ruling { choice, by, name, reason, .. } = ruling(by, choice);
        Proposal { choice, by, name, reason, at_ms: 1 }
    }

    #[test]
    fn one_person_proposes_and_another_one_decides() {
        let first = ruling(1, Choice::Adopt);
        assert_eq!(weigh(&first, AUTHOR, None), Next::Propose);
        let earlier = proposal(1, Choice::Adopt);
        assert_eq!(weigh(&first, AUTHOR, Some(&earlier)), Next::Nothing(NotRuled::SamePerson));
        let Next::Decide(people) = weigh(&ruling(2, Choice::Adopt), AUTHOR, Some(&earlier)) else { panic!() };
        assert_eq!((people.proposed_name.as_str(), people.confirmed_name.as_str()), ("测试1", "测试2"));
        assert_eq!(people.reason, "看过原件");
    }

    #[test]
    fn who_says_otherwise_makes_the_new_proposal() {
        let earlier = proposal(1, Choice::Adopt);
        for by in [1, 2] {
            assert_eq!(weigh(&ruling(by, Choice::Refuse), AUTHOR, Some(&earlier)), Next::Propose);
        }
    }

    #[test]
    fn nobody_decides_over_their_own() {
        let own = weigh(&ruling(9, Choice::Adopt), AUTHOR, Some(&proposal(1, Choice::Adopt)));
        assert_eq!(own, Next::Nothing(NotRuled::OwnChange));
    }

    #[test]
    fn two_long_reasons_are_cut_to_what_a_decision_holds() {
        let long = "因".repeat(130);
        let both = joined(&long, "另一个原因");
        assert!(both.len() <= ruhu_ledger::limits::REASON_BYTES_MAX && both.starts_with(&long));
    }
}
