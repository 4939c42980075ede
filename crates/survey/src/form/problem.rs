//! What is wrong with a form: the file, the place in it, and the reason.

use crate::expression::ExpressionError;

/// A form that cannot be used, with every fault that was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct InvalidForm {
    /// The file's name.
    pub file: String,
    /// The faults, in the order of the form.
    pub faults: Vec<Fault>,
}

/// One fault of a form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {reason}")]
pub struct Fault {
    /// The question, section or list at fault; `form` for the form itself.
    pub at: String,
    /// What is wrong there.
    pub reason: Reason,
}

/// Why a form cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Not JSON, or not of the format.
    #[error("{0}")]
    Format(String),
    /// An id, version or key of the wrong form.
    #[error("{0:?} is not {1}")]
    Name(String, &'static str),
    /// A key that is used twice, or that expressions use for something else.
    #[error("the key is used twice, or has a meaning of its own")]
    DuplicateKey,
    /// No text in one of the languages.
    #[error("a label is missing in {0}")]
    MissingLabel(&'static str),
    /// No such code list.
    #[error("there is no code list {0:?}")]
    UnknownList(String),
    /// A choice without a list, or a list without choices.
    #[error("a choice needs a list with choices")]
    NoChoices,
    /// A code that the list does not have.
    #[error("the list has no code {0:?}")]
    UnknownCode(String),
    /// No such field in the documents.
    #[error("there is no field {0:?}")]
    UnknownField(String),
    /// The field holds something else than the question asks for, or is not asked of each member.
    #[error("the field {0:?} does not take the answers of this question")]
    UnfitField(String),
    /// An expression that does not hold together.
    #[error("{part}: {error}")]
    Expression {
        /// Which of the question's expressions.
        part: &'static str,
        /// What is wrong with it.
        error: ExpressionError,
    },
    /// An expression that gives something else than its place needs.
    #[error("{0}: this is no condition")]
    NoCondition(&'static str),
    /// Skip logic that leads back to where it began.
    #[error("whether it is asked depends on itself: {}", .0.join(" → "))]
    Cycle(Vec<String>),
    /// A calculated question without a value, or a value of one that is asked.
    #[error("a calculated question has a value, and no other has")]
    Value,
    /// "None of these" where there is nothing to choose any of.
    #[error("none of these is an answer only where any choices can be chosen")]
    NoneOfThese,
    /// A validation about no question.
    #[error("the validation names no question of this form")]
    NoPlace,
    /// More of something than a form may have.
    #[error("more than {0} {1}")]
    TooMany(usize, &'static str),
}
