//! From the XPath of XLSForms to our expressions.

use std::collections::BTreeSet;

use ruhu_survey::form::QuestionType;

use crate::spoken::{Names, Spoken, plain};
use crate::xpath::{Tree, parse};

/// Where an expression stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The questions by their XLSForm names.
    pub(crate) names: &'a Names,
    /// The question it belongs to, which `.` means.
    pub(crate) own: &'a str,
    /// Names of repeats.
    pub(crate) repeats: &'a BTreeSet<String>,
    /// In a choice filter: the columns of the choices.
    pub(crate) columns: &'a BTreeSet<String>,
}

/// The expression in our language, or why it has none.
pub(crate) fn to_cel(text: &str, place: &Place<'_>) -> Result<String, String> {
    let said = Translator { place: *place }.said(&parse(text)?)?;
    // What begins with a bracket is one pair of them around the whole.
    let inside = said.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    Ok(inside.map_or_else(|| said.clone(), str::to_owned))
}

struct Translator<'a> {
    place: Place<'a>,
}

impl Translator<'_> {
    fn said(&self, tree: &Tree) -> Result<String, String> {
        Ok(match tree {
            Tree::Text(text) => quoted(text),
            Tree::Number(number) => whole(number, 0)?,
            Tree::Own => self.question(self.place.own)?.key.clone(),
            Tree::Bare(name) if name == "name" && !self.place.columns.is_empty() => "choice.code".to_owned(),
            Tree::Bare(name) if self.place.columns.contains(name) => format!("choice.{}", tag(name)),
            Tree::Bare(name) => return Err(format!("{name} names nothing here")),
            Tree::Name(name) => self.question(name)?.key.clone(),
            Tree::Minus(inside) => format!("-({})", self.said(inside)?),
            Tree::Call(name, arguments) => self.call(name, arguments)?,
            Tree::Binary(operator, left, right) => self.binary(operator, left, right)?,
        })
    }

    fn question(&self, name: &str) -> Result<&Spoken, String> {
        self.place.names.get(name).ok_or_else(|| format!("there is no question ${{{name}}}"))
    }

    /// The question that a tree is nothing but.
    fn plain(&self, tree: &Tree) -> Option<&Spoken> {
        match tree {
            Tree::Own => self.place.names.get(self.place.own),
            Tree::Name(name) => self.place.names.get(name),
            _ => None,
        }
    }

    fn binary(&self, operator: &str, left: &Tree, right: &Tree) -> Result<String, String> {
        let (one, two) = (self.plain(left), self.plain(right));
        // An empty answer is a missing one.
        let empty = |tree: &Tree| matches!(tree, Tree::Text(text) if text.is_empty());
        for (question, other) in [(one, right), (two, left)] {
            if let Some(question) = question.filter(|_| empty(other)) {
                match operator {
                    "=" => return Ok(format!("!known({})", question.key)),
                    "!=" => return Ok(format!("known({})", question.key)),
                    _ => {}
                }
            }
        }
        // A factor has no unit: twice 1.50 is 300 hundredths, not 30,000.
        let scaled = !matches!(operator, "*" | "div");
        let left = self.beside(left, two.filter(|_| scaled))?;
        let right = self.beside(right, one.filter(|_| scaled))?;
        let operator = match operator {
            "or" => "||",
            "and" => "&&",
            "=" => "==",
            "div" => "/",
            "mod" => "%",
            other => other,
        };
        Ok(format!("({left} {operator} {right})"))
    }

    /// A literal as the question that it is compared with holds it: a code, or a number in the smaller unit.
    fn beside(&self, tree: &Tree, other: Option<&Spoken>) -> Result<String, String> {
        match (tree, other.map(|other| (other.kind, other.decimals))) {
            (Tree::Number(number), Some((QuestionType::One | QuestionType::Text, _))) => Ok(quoted(number)),
            (Tree::Number(number), Some((QuestionType::Decimal | QuestionType::Int, decimals))) => {
                whole(number, decimals)
            }
            (Tree::Text(text), Some((QuestionType::Int | QuestionType::Decimal, decimals))) => {
                whole(text, decimals)
            }
            (Tree::Text(text), Some((QuestionType::Bool, _))) => match text.to_lowercase().as_str() {
                "yes" | "true" | "ok" | "1" => Ok("true".to_owned()),
                _ => Ok("false".to_owned()),
            },
            _ => self.said(tree),
        }
    }

    fn call(&self, name: &str, arguments: &[Tree]) -> Result<String, String> {
        let said = |at: usize| {
            arguments.get(at).map_or_else(|| Err(format!("{name}() needs more")), |tree| self.said(tree))
        };
        Ok(match (name, arguments) {
            ("true", []) => "true".to_owned(),
            ("false", []) => "false".to_owned(),
            ("today" | "now", []) => "today".to_owned(),
            ("not", [_]) => format!("!({})", said(0)?),
            ("boolean" | "number" | "int" | "date", [_]) => said(0)?,
            ("if", [_, _, _]) => format!("({} ? {} : {})", said(0)?, said(1)?, said(2)?),
            ("selected", [what, _]) => match self.plain(what).map(|question| question.kind) {
                Some(QuestionType::One) => format!("({} == {})", said(0)?, said(1)?),
                _ => format!("({} in {})", said(1)?, said(0)?),
            },
            ("count-selected", [_]) | ("string-length", [_]) => format!("size({})", said(0)?),
            ("regex", [_, Tree::Text(pattern)]) => {
                format!("matches({}, {})", said(0)?, quoted(&format!("^(?:{pattern})$")))
            }
            ("coalesce", [first, _]) if self.plain(first).is_some() => {
                format!("(known({}) ? {} : {})", said(0)?, said(0)?, said(1)?)
            }
            ("concat", [_, ..]) => {
                let parts: Result<Vec<String>, String> =
                    arguments.iter().map(|tree| self.as_text(tree)).collect();
                format!("({})", parts?.join(" + "))
            }
            ("string", [inside]) => self.as_text(inside)?,
            ("starts-with", [_, _]) => format!("starts_with({}, {})", said(0)?, said(1)?),
            ("contains", [_, _]) => format!("contains({}, {})", said(0)?, said(1)?),
            ("min" | "max", [_, _]) => format!("{name}({}, {})", said(0)?, said(1)?),
            ("count", [Tree::Name(repeat)]) if self.place.repeats.contains(repeat) => {
                "size(members)".to_owned()
            }
            ("sum", [inside]) => match self.plain(inside) {
                Some(question) if question.each_member => format!("sum(members.map(m, m.{}))", question.key),
                _ => return Err("sum() of something that is not asked of members".to_owned()),
            },
            _ => return Err(format!("{name}() with {} arguments has no counterpart", arguments.len())),
        })
    }

    fn as_text(&self, tree: &Tree) -> Result<String, String> {
        let said = self.said(tree)?;
        let is_number = matches!(self.plain(tree).map(|question| question.kind), Some(QuestionType::Int));
        Ok(if is_number { format!("text({said})") } else { said })
    }
}

/// A choice's column as a tag of ours.
pub(crate) fn tag(column: &str) -> String {
    let tag = plain(column);
    if tag.starts_with(|c: char| c.is_ascii_lowercase()) { tag } else { format!("x{tag}") }
}

/// A text in our expressions.
pub(crate) fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\r', "");
    format!("'{escaped}'")
}

/// A number as a whole one in the smaller unit.
fn whole(number: &str, decimals: u32) -> Result<String, String> {
    let (whole, fraction) = number.trim().split_once('.').unwrap_or((number.trim(), ""));
    let fraction = fraction.trim_end_matches('0');
    let places = usize::try_from(decimals).unwrap_or_default();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |rest| ("-", rest));
    if fraction.len() > places
        || !digits(whole)
        || !digits(fraction)
        || (whole.is_empty() && fraction.is_empty())
    {
        return Err(format!("{number:?} is no whole number in its unit"));
    }
    let joined = format!("{whole}{fraction:0<places$}");
    let joined = joined.trim_start_matches('0');
    Ok(format!("{sign}{}", if joined.is_empty() { "0" } else { joined }))
}
