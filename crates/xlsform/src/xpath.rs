//! The part of XPath that XLSForms write, as a tree.

/// Characters of an expression.
const LENGTH_MAX: usize = 4_000;
/// Levels of an expression.
const DEPTH_MAX: usize = 40;

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    Text(String),
    /// A number as written.
    Number(String),
    /// `${name}`.
    Name(String),
    /// A bare name: in a choice filter, a column of the choices.
    Bare(String),
    /// `.`, the answer itself.
    Own,
    Binary(&'static str, Box<Tree>, Box<Tree>),
    Minus(Box<Tree>),
    Call(String, Vec<Tree>),
}

/// Operators by how loosely they bind, the loosest first.
const LEVELS: [&[&str]; 6] =
    [&["or"], &["and"], &["=", "!="], &["<=", ">=", "<", ">"], &["+", "-"], &["*", "div", "mod"]];

pub(crate) fn parse(text: &str) -> Result<Tree, String> {
    if text.chars().count() > LENGTH_MAX {
        return Err("the expression is too long".to_owned());
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let tree = parser.level(0, DEPTH_MAX)?;
    match parser.peek() {
        None => Ok(tree),
        Some(token) => Err(format!("{token:?} is not expected there")),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    Number(String),
    Reference(String),
    Word(String),
    Sign(&'static str),
}

/// Longer signs before those that they begin with.
const SIGNS: [&str; 15] = ["!=", "<=", ">=", "..", "=", "<", ">", "+", "-", "*", "(", ")", ",", ".", "/"];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = token(rest, first)?;
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

fn token(rest: &str, first: char) -> Result<(Token, usize), String> {
    let quotes = [('\'', '\''), ('"', '"'), ('‘', '’'), ('“', '”'), ('’', '’')];
    if let Some((_, close)) = quotes.into_iter().find(|(open, _)| *open == first) {
        let inside = rest.get(first.len_utf8()..).unwrap_or_default();
        let end = inside.find(close).ok_or("a text has no end")?;
        let text = inside.get(..end).unwrap_or_default().to_owned();
        return Ok((Token::Text(text), first.len_utf8() + end + close.len_utf8()));
    }
    if let Some(inside) = rest.strip_prefix("${") {
        let end = inside.find('}').ok_or("a reference has no end")?;
        return Ok((Token::Reference(inside.get(..end).unwrap_or_default().trim().to_owned()), end + 3));
    }
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':') || c == '-';
    if first.is_ascii_digit() || (first == '.' && rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit())) {
        let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        return Ok((Token::Number(number.clone()), number.len()));
    }
    if first.is_alphabetic() || first == '_' {
        let word: String = rest.chars().take_while(|c| is_word(*c)).collect();
        return Ok((Token::Word(word.clone()), word.len()));
    }
    let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
    sign.map(|sign| (Token::Sign(sign), sign.len())).ok_or_else(|| format!("{first:?} has no meaning here"))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn operator(&self, level: usize) -> Option<&'static str> {
        let said = match self.peek()? {
            Token::Word(word) => word.as_str(),
            Token::Sign(sign) => sign,
            _ => return None,
        };
        LEVELS.get(level)?.iter().copied().find(|operator| *operator == said)
    }

    fn level(&mut self, level: usize, left: usize) -> Result<Tree, String> {
        let left = left.checked_sub(1).ok_or("the expression is nested too deep")?;
        if level >= LEVELS.len() {
            return self.unary(left);
        }
        let mut tree = self.level(level + 1, left)?;
        let mut terms = 0;
        while let Some(operator) = self.operator(level) {
            self.at += 1;
            terms += 1;
            if terms > DEPTH_MAX {
                return Err("the expression is nested too deep".to_owned());
            }
            tree = Tree::Binary(operator, Box::new(tree), Box::new(self.level(level + 1, left)?));
        }
        Ok(tree)
    }

    fn unary(&mut self, left: usize) -> Result<Tree, String> {
        let left = left.checked_sub(1).ok_or("the expression is nested too deep")?;
        if self.peek() == Some(&Token::Sign("-")) {
            self.at += 1;
            return Ok(Tree::Minus(Box::new(self.unary(left)?)));
        }
        match self.next().ok_or("the expression ends too early")? {
            Token::Text(text) => Ok(Tree::Text(text)),
            Token::Number(number) => Ok(Tree::Number(number)),
            Token::Reference(name) => Ok(Tree::Name(name)),
            Token::Sign(".") => Ok(Tree::Own),
            Token::Sign("(") => {
                let inside = self.level(0, left)?;
                self.close()?;
                Ok(inside)
            }
            Token::Word(word) if self.peek() == Some(&Token::Sign("(")) => {
                self.at += 1;
                Ok(Tree::Call(word, self.arguments(left)?))
            }
            Token::Word(word) => Ok(Tree::Bare(word)),
            Token::Sign(sign) => Err(format!("a path with {sign} cannot be carried over")),
        }
    }

    fn close(&mut self) -> Result<(), String> {
        match self.next() {
            Some(Token::Sign(")")) => Ok(()),
            _ => Err("a bracket is not closed".to_owned()),
        }
    }

    fn arguments(&mut self, left: usize) -> Result<Vec<Tree>, String> {
        let mut arguments = Vec::new();
        if self.peek() == Some(&Token::Sign(")")) {
            self.at += 1;
            return Ok(arguments);
        }
        loop {
            arguments.push(self.level(0, left)?);
            match self.next() {
                Some(Token::Sign(",")) => {}
                Some(Token::Sign(")")) => return Ok(arguments),
                _ => return Err("a bracket is not closed".to_owned()),
            }
        }
    }
}
