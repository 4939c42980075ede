//! What kind of value an expression gives, found before it is ever evaluated.

use super::call::Function;
use super::{Each, ExpressionError, Node, Operator, Val, Walk};

/// The kind of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    Bool,
    /// A number.
    Int,
    /// A text, a date or a month.
    Text,
    /// One of these codes.
    Code(Vec<String>),
    /// A text that stands in the expression itself, or one of several: it may be meant as a code.
    Said(Vec<String>),
    /// Several of these codes.
    Set(Vec<String>),
    /// Several values of one kind.
    List(Box<Kind>),
    /// A member of the household.
    Member,
    /// Anything.
    Any,
}

/// The names that expressions may use.
pub trait Names {
    /// The kind of a name, or nothing when there is no such name.
    fn kind(&self, name: &str) -> Option<Kind>;

    /// The kind of a member's value.
    fn member_kind(&self, name: &str) -> Option<Kind>;
}

type Locals = Vec<(String, Kind)>;

pub(super) fn check(node: &Node, names: &dyn Names, locals: &mut Locals) -> Result<Kind, ExpressionError> {
    Ok(match node {
        Node::Literal(value) => literal(value),
        Node::Name(name) => names.kind(name).ok_or_else(|| ExpressionError::UnknownName(name.clone()))?,
        Node::Local(name) => local(name, locals),
        Node::Field(on, name) => field(on, name, names, locals)?,
        Node::List(items) => list(items, names, locals)?,
        Node::Not(node) => condition("!", node, names, locals)?,
        Node::And(left, right) => both("&&", left, right, names, locals)?,
        Node::Or(left, right) => both("||", left, right, names, locals)?,
        Node::If(parts) => {
            let [what, yes, no] = parts.as_ref();
            condition("? :", what, names, locals)?;
            let (yes, no) = (check(yes, names, locals)?, check(no, names, locals)?);
            together("? :", &yes, &no)?;
            yes
        }
        Node::Binary(operator, left, right) => {
            let (left, right) = (check(left, names, locals)?, check(right, names, locals)?);
            binary(*operator, left, right)?
        }
        Node::Known(node) => {
            check(node, names, locals)?;
            Kind::Bool
        }
        Node::Call(function, arguments) => call(*function, arguments, names, locals)?,
        Node::Each(of) => each(of, names, locals)?,
    })
}

fn literal(value: &Val) -> Kind {
    match value {
        Val::Bool(_) => Kind::Bool,
        Val::Int(_) => Kind::Int,
        Val::Text(text) => Kind::Said(vec![text.clone()]),
        _ => Kind::Any,
    }
}

fn local(name: &str, locals: &Locals) -> Kind {
    locals.iter().rev().find(|(local, _)| local == name).map_or(Kind::Any, |(_, kind)| kind.clone())
}

fn field(on: &str, name: &str, names: &dyn Names, locals: &Locals) -> Result<Kind, ExpressionError> {
    match local(on, locals) {
        Kind::Member | Kind::Any => {
            names.member_kind(name).ok_or_else(|| ExpressionError::UnknownName(format!("{on}.{name}")))
        }
        other => Err(mismatch(".", &other, &Kind::Member)),
    }
}

fn list(items: &[Node], names: &dyn Names, locals: &mut Locals) -> Result<Kind, ExpressionError> {
    let mut of = Kind::Any;
    for item in items {
        let kind = check(item, names, locals)?;
        of = match (of, kind) {
            (Kind::Said(mut one), Kind::Said(two)) => {
                one.extend(two);
                Kind::Said(one)
            }
            (Kind::Any, kind) => kind,
            (of, kind) => {
                together("[ ]", &of, &kind)?;
                of
            }
        };
    }
    Ok(Kind::List(Box::new(of)))
}

fn condition(
    what: &str,
    node: &Node,
    names: &dyn Names,
    locals: &mut Locals,
) -> Result<Kind, ExpressionError> {
    match check(node, names, locals)? {
        Kind::Bool | Kind::Any => Ok(Kind::Bool),
        other => Err(mismatch(what, &other, &Kind::Bool)),
    }
}

fn both(
    what: &str,
    left: &Node,
    right: &Node,
    names: &dyn Names,
    locals: &mut Locals,
) -> Result<Kind, ExpressionError> {
    condition(what, left, names, locals)?;
    condition(what, right, names, locals)
}

fn binary(operator: Operator, left: Kind, right: Kind) -> Result<Kind, ExpressionError> {
    let numbers = |what: &str| match (&left, &right) {
        (Kind::Int | Kind::Any, Kind::Int | Kind::Any) => Ok(Kind::Int),
        _ => Err(mismatch(what, &left, &right)),
    };
    match operator {
        Operator::Equal | Operator::NotEqual => together("==", &left, &right).map(|()| Kind::Bool),
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            let ordered = !matches!(left, Kind::Bool | Kind::Set(_) | Kind::List(_) | Kind::Member);
            let fits = ordered && together("<", &left, &right).is_ok();
            if fits { Ok(Kind::Bool) } else { Err(mismatch("<", &left, &right)) }
        }
        Operator::In => member_of(&left, &right).map(|()| Kind::Bool),
        Operator::Add => match (&left, &right) {
            (left, right) if left.is_text() && right.is_text() => Ok(Kind::Text),
            _ => numbers("+"),
        },
        Operator::Subtract => numbers("-"),
        Operator::Multiply => numbers("*"),
        Operator::Divide => numbers("/"),
        Operator::Remainder => numbers("%"),
    }
}

fn member_of(item: &Kind, list: &Kind) -> Result<(), ExpressionError> {
    match list {
        Kind::Set(codes) => together("in", &Kind::Code(codes.clone()), item),
        Kind::List(of) => together("in", item, of),
        Kind::Any => Ok(()),
        other => Err(mismatch("in", item, other)),
    }
}

/// Whether two kinds can be compared. A code that stands in the expression must be in the list: one that is
/// not is a slip of the pen.
fn together(what: &str, left: &Kind, right: &Kind) -> Result<(), ExpressionError> {
    match (left, right) {
        (Kind::Any, _) | (_, Kind::Any) => Ok(()),
        (Kind::Code(codes), Kind::Said(said)) | (Kind::Said(said), Kind::Code(codes)) => {
            match said.iter().find(|code| !codes.contains(code)) {
                Some(code) => {
                    Err(ExpressionError::UnknownCode { code: code.clone(), choices: codes.join(", ") })
                }
                None => Ok(()),
            }
        }
        (Kind::List(one), Kind::List(two)) => together(what, one, two),
        (one, two) if one.is_text() && two.is_text() => Ok(()),
        (one, two) if std::mem::discriminant(one) == std::mem::discriminant(two) => Ok(()),
        _ => Err(mismatch(what, left, right)),
    }
}

fn call(
    function: Function,
    arguments: &[Node],
    names: &dyn Names,
    locals: &mut Locals,
) -> Result<Kind, ExpressionError> {
    let mut kinds = Vec::new();
    for argument in arguments {
        kinds.push(check(argument, names, locals)?);
    }
    let text = |kind: &Kind| kind.is_text() || *kind == Kind::Any;
    let int = |kind: &Kind| matches!(kind, Kind::Int | Kind::Any);
    let many = |kind: &Kind| matches!(kind, Kind::List(_) | Kind::Set(_) | Kind::Any);
    let first = kinds.first().cloned().unwrap_or(Kind::Any);
    let (fits, gives) = match function {
        Function::Size => (many(&first) || text(&first), Kind::Int),
        Function::Sum => (many(&first), Kind::Int),
        Function::HasDuplicates => (many(&first), Kind::Bool),
        Function::Min | Function::Max => {
            (kinds.windows(2).all(|pair| matches!(pair, [a, b] if together("", a, b).is_ok())), first.clone())
        }
        Function::FloorDiv => (kinds.iter().all(int), Kind::Int),
        Function::AgeOn | Function::MonthsBetween => (kinds.iter().all(text), Kind::Int),
        Function::Matches | Function::StartsWith | Function::Contains => (kinds.iter().all(text), Kind::Bool),
        Function::SexOfRelation => (text(&first), Kind::Text),
        Function::Text => (int(&first), Kind::Text),
    };
    let second = kinds.get(1).cloned().unwrap_or(Kind::Any);
    if fits { Ok(gives) } else { Err(mismatch(function.name(), &first, &second)) }
}

fn each(each: &Each, names: &dyn Names, locals: &mut Locals) -> Result<Kind, ExpressionError> {
    let of = match check(&each.over, names, locals)? {
        Kind::List(of) => *of,
        Kind::Set(codes) => Kind::Code(codes),
        Kind::Any => Kind::Any,
        other => return Err(mismatch("exists", &other, &Kind::List(Box::new(Kind::Any)))),
    };
    locals.push((each.name.clone(), of));
    let found = condition("exists", &each.that, names, locals).and_then(|_| check(&each.give, names, locals));
    locals.pop();
    let given = found?;
    Ok(if each.what == Walk::Gather { Kind::List(Box::new(given)) } else { Kind::Bool })
}

fn mismatch(what: &str, left: &Kind, right: &Kind) -> ExpressionError {
    ExpressionError::Mismatch { what: what.to_owned(), left: left.word(), right: right.word() }
}

impl Kind {
    const fn is_text(&self) -> bool {
        matches!(self, Self::Text | Self::Code(_) | Self::Said(_))
    }

    fn word(&self) -> String {
        match self {
            Self::Bool => "yes or no".to_owned(),
            Self::Int => "a number".to_owned(),
            Self::Text | Self::Said(_) => "a text".to_owned(),
            Self::Code(_) => "a code".to_owned(),
            Self::Set(_) => "a set of codes".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Member => "a member".to_owned(),
            Self::Any => "anything".to_owned(),
        }
    }
}
