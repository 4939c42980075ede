//! What an expression comes to, within bounds, and what it looked at.

use std::collections::BTreeMap;

use super::{Each, Expression, Node, Operator, STEPS_MAX, TEXT_MAX, Truth, Val, Walk};

/// Where names get their values from.
pub trait Scope {
    /// The value of a name; unknown where there is none.
    fn value(&self, name: &str) -> Val;

    /// A value of a member of the household.
    fn of_member(&self, member: &str, name: &str) -> Val;
}

/// What an expression came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// The value.
    pub value: Val,
    /// Every value that was looked at, by name; a member's as `member/<id>/<name>`.
    pub used: BTreeMap<String, Val>,
}

/// Evaluates an expression. The same scope gives the same answer; there are no errors, only what is unknown.
#[must_use]
pub fn evaluate(expression: &Expression, scope: &dyn Scope) -> Evaluated {
    let mut run = Run { scope, left: STEPS_MAX, locals: Vec::new(), used: Some(BTreeMap::new()) };
    let value = run.whole(expression);
    Evaluated { value, used: run.used.unwrap_or_default() }
}

/// The value of an expression alone, for who does not ask what was looked at: most of the time of a screen that
/// is drawn anew would go into remembering it.
#[must_use]
pub fn value_of(expression: &Expression, scope: &dyn Scope) -> Val {
    Run { scope, left: STEPS_MAX, locals: Vec::new(), used: None }.whole(expression)
}

struct Run<'a> {
    scope: &'a dyn Scope,
    left: u32,
    locals: Vec<(&'a str, Val)>,
    used: Option<BTreeMap<String, Val>>,
}

impl<'a> Run<'a> {
    fn whole(&mut self, expression: &'a Expression) -> Val {
        let value = self.value(&expression.node);
        // A partial answer would depend on where the steps ran out.
        if self.left == 0 { Val::Unknown } else { value }
    }

    fn value(&mut self, node: &'a Node) -> Val {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return Val::Unknown;
        }
        match node {
            Node::Literal(value) => value.clone(),
            Node::Name(name) => self.named(name),
            Node::Local(name) => self.local(name),
            Node::Field(local, name) => self.field(local, name),
            Node::List(items) => Val::List(items.iter().map(|item| self.value(item)).collect()),
            Node::Not(node) => self.truth(node).negated().into(),
            Node::And(left, right) => match self.truth(left) {
                Truth::False => Val::Bool(false),
                truth => truth.and(self.truth(right)).into(),
            },
            Node::Or(left, right) => match self.truth(left) {
                Truth::True => Val::Bool(true),
                truth => truth.or(self.truth(right)).into(),
            },
            Node::If(parts) => self.choose(parts),
            Node::Binary(operator, left, right) => {
                let (left, right) = (self.value(left), self.value(right));
                binary(*operator, &left, &right)
            }
            Node::Known(node) => Val::Bool(self.value(node).is_known()),
            Node::Call(function, arguments) => {
                let arguments: Vec<Val> = arguments.iter().map(|argument| self.value(argument)).collect();
                function.call(&arguments)
            }
            Node::Each(each) => self.each(each),
        }
    }

    fn truth(&mut self, node: &'a Node) -> Truth {
        self.value(node).truth()
    }

    /// With an unknown condition the answer is known only where both branches agree.
    fn choose(&mut self, parts: &'a [Node; 3]) -> Val {
        let [condition, yes, no] = parts;
        match self.truth(condition) {
            Truth::True => self.value(yes),
            Truth::False => self.value(no),
            Truth::Unknown => {
                let (yes, no) = (self.value(yes), self.value(no));
                if yes == no { yes } else { Val::Unknown }
            }
        }
    }

    fn named(&mut self, name: &str) -> Val {
        let value = self.scope.value(name);
        if let Some(used) = &mut self.used {
            used.insert(name.to_owned(), value.clone());
        }
        value
    }

    fn local(&self, name: &str) -> Val {
        let found = self.locals.iter().rev().find(|(local, _)| *local == name);
        found.map_or(Val::Unknown, |(_, value)| value.clone())
    }

    fn field(&mut self, local: &str, name: &str) -> Val {
        let Val::Member(member) = self.local(local) else { return Val::Unknown };
        let value = self.scope.of_member(&member, name);
        if let Some(used) = &mut self.used {
            used.insert(format!("member/{member}/{name}"), value.clone());
        }
        value
    }

    fn each(&mut self, each: &'a Each) -> Val {
        let items = match self.value(&each.over) {
            Val::List(items) => items,
            Val::NotApplicable => Vec::new(),
            _ => return Val::Unknown,
        };
        let mut held = Vec::new();
        let mut given = Vec::new();
        for item in items {
            self.locals.push((&each.name, item));
            let truth = self.truth(&each.that);
            held.push(truth);
            if each.what == Walk::Gather && truth == Truth::True {
                given.push(self.value(&each.give));
            }
            self.locals.pop();
        }
        let all = |truths: Vec<Truth>| truths.into_iter().fold(Truth::True, Truth::and);
        match each.what {
            Walk::Exists => held.into_iter().fold(Truth::False, Truth::or).into(),
            Walk::All => all(held).into(),
            Walk::One => one(&held).into(),
            Walk::Gather if held.contains(&Truth::Unknown) => Val::Unknown,
            Walk::Gather => Val::List(given),
        }
    }
}

/// Whether exactly one holds.
fn one(held: &[Truth]) -> Truth {
    let count = |truth| held.iter().filter(|held| **held == truth).count();
    match (count(Truth::True), count(Truth::Unknown)) {
        (1, 0) => Truth::True,
        (0 | 1, 1..) => Truth::Unknown,
        _ => Truth::False,
    }
}

fn binary(operator: Operator, left: &Val, right: &Val) -> Val {
    let ordered = |holds: fn(std::cmp::Ordering) -> bool| match left.order(right) {
        Ok(order) => Val::Bool(holds(order)),
        Err(truth) => truth.into(),
    };
    match operator {
        Operator::Equal => left.equals(right).into(),
        Operator::NotEqual => left.equals(right).negated().into(),
        Operator::Less => ordered(std::cmp::Ordering::is_lt),
        Operator::LessOrEqual => ordered(std::cmp::Ordering::is_le),
        Operator::Greater => ordered(std::cmp::Ordering::is_gt),
        Operator::GreaterOrEqual => ordered(std::cmp::Ordering::is_ge),
        Operator::In => left.is_in(right).into(),
        Operator::Add => add(left, right),
        Operator::Subtract => number(left, right, i64::checked_sub),
        Operator::Multiply => number(left, right, i64::checked_mul),
        Operator::Divide => number(left, right, i64::checked_div),
        Operator::Remainder => number(left, right, i64::checked_rem),
    }
}

fn number(left: &Val, right: &Val, of: fn(i64, i64) -> Option<i64>) -> Val {
    let result = left.amount().zip(right.amount()).and_then(|(left, right)| of(left, right));
    result.map_or(Val::Unknown, Val::Int)
}

fn add(left: &Val, right: &Val) -> Val {
    match (left, right) {
        (Val::Text(left), Val::Text(right)) if left.len() + right.len() <= TEXT_MAX => {
            Val::Text(format!("{left}{right}"))
        }
        _ => number(left, right, i64::checked_add),
    }
}
