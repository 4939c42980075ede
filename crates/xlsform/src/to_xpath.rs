//! From our expressions to the XPath of XLSForms.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::parser::Parser;
use ruhu_survey::expression::Expression;
use ruhu_survey::form::QuestionType;

use crate::spoken::{Names, Spoken};

/// The expression in XPath, or why it has none. `own` is the question that may be written as `.`.
pub(crate) fn to_xpath(text: &str, names: &Names, own: Option<&str>) -> Result<String, String> {
    // Ours are bounded; what is not is never looked at.
    Expression::parse(text).map_err(|error| error.to_string())?;
    let tree = Parser::new().parse(text).map_err(|error| error.to_string())?;
    Translator { names, own }.said(&tree)
}

struct Translator<'a> {
    names: &'a Names,
    own: Option<&'a str>,
}

impl Translator<'_> {
    fn said(&self, tree: &IdedExpr) -> Result<String, String> {
        match &tree.expr {
            Expr::Literal(literal) => constant(literal),
            Expr::Ident(name) => self.reference(name),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(root) if root == "choice" && !select.test => Ok(match select.field.as_str() {
                    "code" => "name".to_owned(),
                    tag => tag.to_owned(),
                }),
                Expr::Ident(root) => Err(format!("{root}.{} has no counterpart", select.field)),
                _ => Err("a field has no counterpart".to_owned()),
            },
            Expr::Call(call) => self.call(call),
            _ => Err("a walk over members or a list has no counterpart".to_owned()),
        }
    }

    fn reference(&self, name: &str) -> Result<String, String> {
        if name == "today" {
            return Ok("today()".to_owned());
        }
        if self.own == Some(name) {
            return Ok(".".to_owned());
        }
        self.names
            .get(name)
            .map(|_| format!("${{{name}}}"))
            .ok_or_else(|| format!("{name} has no counterpart"))
    }

    fn plain(&self, tree: &IdedExpr) -> Option<&Spoken> {
        match &tree.expr {
            Expr::Ident(name) => self.names.get(name),
            _ => None,
        }
    }

    fn call(&self, call: &CallExpr) -> Result<String, String> {
        let parts: Vec<&IdedExpr> = call.target.iter().map(AsRef::as_ref).chain(&call.args).collect();
        let name = call.func_name.as_str();
        match (name, parts.as_slice()) {
            (operators::LOGICAL_NOT, [inside]) => match known(inside) {
                Some(question) => Ok(format!("{} = ''", self.said(question)?)),
                None => Ok(format!("not({})", self.said(inside)?)),
            },
            ("known", [question]) => Ok(format!("{} != ''", self.said(question)?)),
            (operators::NEGATE, [inside]) => Ok(format!("-({})", self.said(inside)?)),
            (operators::CONDITIONAL, [when, yes, no]) => {
                Ok(format!("if({}, {}, {})", self.said(when)?, self.said(yes)?, self.said(no)?))
            }
            (operators::IN, [item, list]) => self.within(item, list),
            ("size", [of]) => match self.plain(of).map(|question| question.kind) {
                Some(QuestionType::Many) => Ok(format!("count-selected({})", self.said(of)?)),
                Some(QuestionType::Text) => Ok(format!("string-length({})", self.said(of)?)),
                _ => Err("size() of this has no counterpart".to_owned()),
            },
            ("matches", [text, pattern]) => self.matches(text, pattern),
            ("starts_with" | "startsWith", [text, piece]) => {
                Ok(format!("starts-with({}, {})", self.said(text)?, self.said(piece)?))
            }
            ("contains", [text, piece]) => {
                Ok(format!("contains({}, {})", self.said(text)?, self.said(piece)?))
            }
            ("min" | "max", [one, two]) => Ok(format!("{name}({}, {})", self.said(one)?, self.said(two)?)),
            ("text", [number]) => Ok(format!("string({})", self.said(number)?)),
            (_, [left, right]) => self.binary(name, left, right),
            _ => Err(format!("{name}() has no counterpart")),
        }
    }

    fn within(&self, item: &IdedExpr, list: &IdedExpr) -> Result<String, String> {
        if let Expr::List(codes) = &list.expr {
            let said = self.said(item)?;
            let same = codes.elements.iter().map(|code| Ok(format!("{said} = {}", self.said(code)?)));
            let same: Vec<String> = same.collect::<Result<_, String>>()?;
            return Ok(format!("({})", same.join(" or ")));
        }
        Ok(format!("selected({}, {})", self.said(list)?, self.said(item)?))
    }

    fn matches(&self, text: &IdedExpr, pattern: &IdedExpr) -> Result<String, String> {
        match &pattern.expr {
            Expr::Literal(LiteralValue::String(pattern)) => {
                let whole = pattern.inner().strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$"));
                let whole = whole.map_or_else(|| format!(".*(?:{}).*", pattern.inner()), str::to_owned);
                Ok(format!("regex({}, {})", self.said(text)?, quoted(&whole)?))
            }
            _ => Err("matches() without a fixed pattern has no counterpart".to_owned()),
        }
    }

    fn binary(&self, name: &str, left: &IdedExpr, right: &IdedExpr) -> Result<String, String> {
        let operator = match name {
            operators::LOGICAL_AND => "and",
            operators::LOGICAL_OR => "or",
            operators::EQUALS => "=",
            operators::NOT_EQUALS => "!=",
            operators::LESS => "<",
            operators::LESS_EQUALS => "<=",
            operators::GREATER => ">",
            operators::GREATER_EQUALS => ">=",
            operators::ADD if self.is_text(left) || self.is_text(right) => {
                return Ok(format!("concat({}, {})", self.said(left)?, self.said(right)?));
            }
            operators::ADD => "+",
            operators::SUBSTRACT => "-",
            operators::MULTIPLY => "*",
            operators::DIVIDE => "div",
            operators::MODULO => "mod",
            other => return Err(format!("{other}() has no counterpart")),
        };
        // A factor has no unit.
        let scaled = !matches!(name, operators::MULTIPLY | operators::DIVIDE);
        let one = self.beside(left, self.plain(right).filter(|_| scaled))?;
        let two = self.beside(right, self.plain(left).filter(|_| scaled))?;
        Ok(format!("({one} {operator} {two})"))
    }

    fn is_text(&self, tree: &IdedExpr) -> bool {
        let literal = matches!(&tree.expr, Expr::Literal(LiteralValue::String(_)));
        literal || self.plain(tree).is_some_and(|question| question.kind == QuestionType::Text)
    }

    /// A literal as people write it beside the question: yuan, not fen; `yes`, not true.
    fn beside(&self, tree: &IdedExpr, other: Option<&Spoken>) -> Result<String, String> {
        match (&tree.expr, other) {
            (Expr::Literal(LiteralValue::Int(number)), Some(other)) if other.decimals > 0 => {
                Ok(decimal(*number.inner(), other.decimals))
            }
            (Expr::Literal(LiteralValue::Boolean(yes)), Some(_)) => {
                Ok((if *yes.inner() { "'yes'" } else { "'no'" }).to_owned())
            }
            _ => self.said(tree),
        }
    }
}

fn known(tree: &IdedExpr) -> Option<&IdedExpr> {
    match &tree.expr {
        Expr::Call(call) if call.func_name == "known" => call.args.first(),
        _ => None,
    }
}

fn constant(literal: &LiteralValue) -> Result<String, String> {
    match literal {
        LiteralValue::Boolean(yes) => Ok((if *yes.inner() { "true()" } else { "false()" }).to_owned()),
        LiteralValue::Int(number) => Ok(number.inner().to_string()),
        LiteralValue::String(text) => quoted(text.inner()),
        _ => Err("a constant has no counterpart".to_owned()),
    }
}

/// XPath has no way to write both quotes in one text.
fn quoted(text: &str) -> Result<String, String> {
    match (text.contains('\''), text.contains('"')) {
        (false, _) => Ok(format!("'{text}'")),
        (true, false) => Ok(format!("\"{text}\"")),
        (true, true) => Err("a text with both kinds of quotes has no counterpart".to_owned()),
    }
}

/// A whole number in the smaller unit as a decimal one.
pub(crate) fn decimal(number: i64, decimals: u32) -> String {
    let places = usize::try_from(decimals).unwrap_or_default();
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let fraction = fraction.trim_end_matches('0');
    let sign = if number < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
