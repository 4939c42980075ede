//! Expressions of forms and rules: the Common Expression Language, three-valued and bounded.
//!
//! The grammar is CEL's (`doc/langdef.md` of cel-spec), parsed by the `cel` crate. What an expression comes to is
//! decided here, because a missing answer is neither an error nor a no:
//!
//! | | unknown | does not apply |
//! |---|---|---|
//! | `&&`, `\|\|`, `!`, `? :` | Kleene: a false side settles `&&`, a true one `\|\|` | counts as false |
//! | `==`, `in` | unknown | false (`!=` is true) |
//! | `<`, `<=`, `>`, `>=` | unknown | false |
//! | `+`, `-`, `*`, `sum` | unknown | counts as 0 |
//! | `exists`, `all` over members | as `\|\|` and `&&` over them | |
//!
//! An overflow, a division by nothing and a comparison of unlike things are unknown too: evaluation has no
//! errors. Numbers are whole, in the unit of their field (fen, hundredths); `/` and `floor_div` divide whole
//! numbers, the former towards zero as CEL does, the latter downwards.
//!
//! Forms may come from elsewhere, so length, depth and the steps of one evaluation are bounded
//! ([`LENGTH_MAX`], [`DEPTH_MAX`], [`STEPS_MAX`]).

mod call;
mod eval;
mod kind;
mod parse;
mod value;

use std::collections::BTreeSet;

pub use call::FUNCTIONS;
pub(crate) use call::age_on;
pub use eval::{Evaluated, Scope, evaluate, value_of};
pub use kind::{Kind, Names};
pub use value::{Truth, Val};

use call::Function;

/// Characters of an expression.
pub const LENGTH_MAX: usize = 1_500;

/// Levels of an expression, brackets and operators.
pub const DEPTH_MAX: usize = 40;

/// Nodes that one evaluation visits at most; what needs more is unknown.
pub const STEPS_MAX: u32 = 50_000;

/// Characters of a text that an expression puts together.
const TEXT_MAX: usize = 4_000;

/// An expression that was parsed and found within bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    source: String,
    node: Node,
}

/// Why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Longer than [`LENGTH_MAX`].
    #[error("the expression is longer than {LENGTH_MAX} characters")]
    TooLong,
    /// Deeper than [`DEPTH_MAX`].
    #[error("the expression is nested more than {DEPTH_MAX} levels deep")]
    TooDeep,
    /// Not CEL.
    #[error("{0}")]
    Syntax(String),
    /// CEL that has no meaning here.
    #[error("{0} cannot be used here")]
    Unsupported(String),
    /// A name that nothing bears.
    #[error("there is no {0:?} to refer to")]
    UnknownName(String),
    /// A function that does not exist, or with another number of arguments.
    #[error("there is no function {0} with {1} arguments")]
    UnknownFunction(String, usize),
    /// Two things that cannot be put together.
    #[error("{what}: {left} does not go with {right}")]
    Mismatch {
        /// The operator or function.
        what: String,
        /// What stands on its left.
        left: String,
        /// What stands on its right.
        right: String,
    },
    /// A code that the list does not have.
    #[error("{code:?} is not one of the codes {choices}")]
    UnknownCode {
        /// The code.
        code: String,
        /// What there is.
        choices: String,
    },
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// When it is too long, too deep, not CEL, or CEL that has no meaning here.
    pub fn parse(source: &str) -> Result<Self, ExpressionError> {
        Ok(Self { source: source.to_owned(), node: parse::parse(source)? })
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Finds names that do not exist, codes that are in no list, and things that do not go together; answers
    /// what kind of value it gives.
    ///
    /// # Errors
    /// The first of them.
    pub fn check(&self, names: &dyn Names) -> Result<Kind, ExpressionError> {
        kind::check(&self.node, names, &mut Vec::new())
    }

    /// Every name it refers to; of a member's value the name alone.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        self.node.collect_names(&mut names);
        names
    }
}

/// An expression, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Literal(Val),
    /// A name of the form, dotted where it is.
    Name(String),
    /// What `exists` and the like call each element.
    Local(String),
    /// A value of a member that such a name stands for.
    Field(String, String),
    List(Vec<Node>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    If(Box<[Node; 3]>),
    Binary(Operator, Box<Node>, Box<Node>),
    Known(Box<Node>),
    Call(Function, Vec<Node>),
    Each(Box<Each>),
}

/// A walk over a list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Each {
    over: Node,
    name: String,
    what: Walk,
    /// The condition; for [`Walk::Gather`], which elements are taken.
    that: Node,
    /// What is taken of them.
    give: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk {
    Exists,
    All,
    One,
    Gather,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Node {
    fn collect_names(&self, names: &mut BTreeSet<String>) {
        match self {
            Self::Literal(_) | Self::Local(_) => {}
            Self::Name(name) | Self::Field(_, name) => {
                names.insert(name.clone());
            }
            Self::List(items) | Self::Call(_, items) => {
                items.iter().for_each(|item| item.collect_names(names));
            }
            Self::Not(node) | Self::Known(node) => node.collect_names(names),
            Self::And(left, right) | Self::Or(left, right) | Self::Binary(_, left, right) => {
                left.collect_names(names);
                right.collect_names(names);
            }
            Self::If(parts) => parts.iter().for_each(|part| part.collect_names(names)),
            Self::Each(each) => {
                [&each.over, &each.that, &each.give].into_iter().for_each(|part| part.collect_names(names));
            }
        }
    }
}

#[cfg(test)]
mod tests;
