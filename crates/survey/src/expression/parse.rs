//! From text to [`Node`], by way of the `cel` crate's parser.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators};
use cel::parser::Parser;

use super::call::Function;
use super::{DEPTH_MAX, Each, ExpressionError, LENGTH_MAX, Node, Operator, Val, Walk};

/// Levels that the grammar itself may go down; a level of ours is about two of them.
const GRAMMAR_DEPTH_MAX: u16 = 96;

/// The name by which the macros of CEL speak of what they have gathered.
const GATHERED: &str = "@result";

pub(super) fn parse(source: &str) -> Result<Node, ExpressionError> {
    if source.chars().count() > LENGTH_MAX {
        return Err(ExpressionError::TooLong);
    }
    if runs_deep(source) {
        return Err(ExpressionError::TooDeep);
    }
    let parsed = Parser::new().max_recursion_depth(GRAMMAR_DEPTH_MAX).parse(source);
    let tree = parsed.map_err(|error| ExpressionError::Syntax(first_line(&error.to_string())))?;
    Reader { locals: Vec::new() }.node(&tree, DEPTH_MAX)
}

/// Brackets and signs that nest deeper than an expression may, counted before a parser sees them.
fn runs_deep(source: &str) -> bool {
    let (mut depth, mut run, mut deepest) = (0_usize, 0_usize, 0_usize);
    for c in source.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        run = if matches!(c, '!' | '-' | '?') { run + 1 } else { 0 };
        deepest = deepest.max(depth).max(run);
    }
    deepest > DEPTH_MAX
}

/// The parser's message without the picture below it.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.strip_prefix("ERROR: <input>:").unwrap_or(line).to_owned()
}

struct Reader {
    locals: Vec<String>,
}

impl Reader {
    fn node(&mut self, tree: &IdedExpr, left: usize) -> Result<Node, ExpressionError> {
        let left = left.checked_sub(1).ok_or(ExpressionError::TooDeep)?;
        match &tree.expr {
            Expr::Literal(literal) => literal_of(literal),
            Expr::Ident(name) if self.locals.contains(name) => Ok(Node::Local(name.clone())),
            Expr::Ident(name) => Ok(Node::Name(name.clone())),
            Expr::Select(select) => self.select(select, left),
            Expr::List(list) => {
                let items = list.elements.iter().map(|item| self.node(item, left));
                Ok(Node::List(items.collect::<Result<_, _>>()?))
            }
            Expr::Call(call) => self.call(call, left),
            Expr::Comprehension(each) => self.each(each, left),
            Expr::Map(_) | Expr::Struct(_) => Err(unsupported("a map")),
            Expr::Unspecified => Err(unsupported("an empty expression")),
        }
    }

    /// `household.household_type` is one name; `m.age` is a value of the member that `m` stands for.
    fn select(&self, select: &SelectExpr, left: usize) -> Result<Node, ExpressionError> {
        let found = self.path(&select.operand, left).map(|path| format!("{path}.{}", select.field))?;
        let node = match found.split_once('.') {
            Some((root, rest)) if self.locals.iter().any(|local| local == root) => {
                Node::Field(root.to_owned(), rest.to_owned())
            }
            _ => Node::Name(found),
        };
        Ok(if select.test { Node::Known(Box::new(node)) } else { node })
    }

    fn path(&self, tree: &IdedExpr, left: usize) -> Result<String, ExpressionError> {
        let left = left.checked_sub(1).ok_or(ExpressionError::TooDeep)?;
        match &tree.expr {
            Expr::Ident(name) => Ok(name.clone()),
            Expr::Select(select) if !select.test => {
                Ok(format!("{}.{}", self.path(&select.operand, left)?, select.field))
            }
            _ => Err(unsupported("a field of something that has no name")),
        }
    }

    fn call(&mut self, call: &CallExpr, left: usize) -> Result<Node, ExpressionError> {
        let mut parts = Vec::new();
        for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
            parts.push(self.node(part, left)?);
        }
        let name = call.func_name.as_str();
        let count = parts.len();
        let operator = operator_of(name).filter(|_| count == 2);
        let mut parts = parts.into_iter();
        let mut next =
            || parts.next().map(Box::new).ok_or(ExpressionError::UnknownFunction(name.into(), count));
        if let Some(operator) = operator {
            return Ok(Node::Binary(operator, next()?, next()?));
        }
        Ok(match (name, count) {
            (operators::LOGICAL_AND, 2) => Node::And(next()?, next()?),
            (operators::LOGICAL_OR, 2) => Node::Or(next()?, next()?),
            (operators::LOGICAL_NOT, 1) => Node::Not(next()?),
            (operators::NEGATE, 1) => {
                Node::Binary(Operator::Subtract, Box::new(Node::Literal(Val::Int(0))), next()?)
            }
            (operators::CONDITIONAL, 3) => Node::If(Box::new([*next()?, *next()?, *next()?])),
            ("known", 1) => Node::Known(next()?),
            _ => Node::Call(Function::find(name, count)?, parts.collect()),
        })
    }

    /// The parser has written `exists` and its kin out; this finds them again.
    fn each(&mut self, tree: &ComprehensionExpr, left: usize) -> Result<Node, ExpressionError> {
        let over = self.node(&tree.iter_range, left)?;
        let odd = || unsupported("a walk of this form");
        if tree.iter_var2.is_some() || tree.accu_var != GATHERED {
            return Err(odd());
        }
        let Expr::Call(step) = &tree.loop_step.expr else { return Err(odd()) };
        self.locals.push(tree.iter_var.clone());
        let (what, that, give) =
            self.walk(&tree.accu_init.expr, step, left).and_then(|walk| walk.ok_or_else(odd))?;
        self.locals.pop();
        Ok(Node::Each(Box::new(Each { over, name: tree.iter_var.clone(), what, that, give })))
    }

    fn walk(
        &mut self,
        begin: &Expr,
        step: &CallExpr,
        left: usize,
    ) -> Result<Option<(Walk, Node, Node)>, ExpressionError> {
        let yes = || Node::Literal(Val::Bool(true));
        let name = step.func_name.as_str();
        Ok(match (begin, name, step.args.as_slice()) {
            (Expr::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_OR, [_, that]) => {
                Some((Walk::Exists, self.node(that, left)?, yes()))
            }
            (Expr::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_AND, [_, that]) => {
                Some((Walk::All, self.node(that, left)?, yes()))
            }
            (Expr::Literal(LiteralValue::Int(_)), operators::CONDITIONAL, [that, _, _]) => {
                Some((Walk::One, self.node(that, left)?, yes()))
            }
            (Expr::List(_), operators::CONDITIONAL, [that, added, _]) => match added_to(&added.expr) {
                Some(give) => Some((Walk::Gather, self.node(that, left)?, self.node(give, left)?)),
                None => None,
            },
            (Expr::List(_), operators::ADD, [_, added]) => match single(&added.expr) {
                Some(give) => Some((Walk::Gather, yes(), self.node(give, left)?)),
                None => None,
            },
            _ => None,
        })
    }
}

/// What `gathered + [x]` adds.
fn added_to(tree: &Expr) -> Option<&IdedExpr> {
    match tree {
        Expr::Call(call) if call.func_name == operators::ADD => single(&call.args.get(1)?.expr),
        _ => None,
    }
}

fn single(tree: &Expr) -> Option<&IdedExpr> {
    match tree {
        Expr::List(list) => list.elements.first(),
        _ => None,
    }
}

fn literal_of(literal: &LiteralValue) -> Result<Node, ExpressionError> {
    Ok(Node::Literal(match literal {
        LiteralValue::Boolean(yes) => Val::Bool(*yes.inner()),
        LiteralValue::Int(number) => Val::Int(*number.inner()),
        LiteralValue::String(text) => Val::text(text.inner()),
        LiteralValue::Null => return Err(unsupported("null (a missing value is asked for with known())")),
        LiteralValue::Double(_) => {
            return Err(unsupported("a decimal (numbers are whole, in the field's unit)"));
        }
        LiteralValue::Bytes(_) | LiteralValue::UInt(_) => {
            return Err(unsupported("bytes or an unsigned number"));
        }
    }))
}

fn operator_of(name: &str) -> Option<Operator> {
    Some(match name {
        operators::EQUALS => Operator::Equal,
        operators::NOT_EQUALS => Operator::NotEqual,
        operators::LESS => Operator::Less,
        operators::LESS_EQUALS => Operator::LessOrEqual,
        operators::GREATER => Operator::Greater,
        operators::GREATER_EQUALS => Operator::GreaterOrEqual,
        operators::IN => Operator::In,
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Remainder,
        _ => return None,
    })
}

fn unsupported(what: &str) -> ExpressionError {
    ExpressionError::Unsupported(what.to_owned())
}
