//! From tokens to what a template says: its statements. What they compute is read in `expressions`.

use super::Malformed;
use super::ast::{Expr, Node, Target};
use super::lexer::{Token, tokens};

/// Nesting beyond which a template is refused.
const DEPTH_MAX: usize = 100;

/// What a template says.
pub(super) fn parse(source: &str) -> Result<Vec<Node>, Malformed> {
    let mut parser = Parser { tokens: tokens(source)?, at: 0, depth: 0 };
    let (nodes, _) = parser.nodes(&[])?;
    Ok(nodes)
}

pub(super) struct Parser {
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    depth: usize,
}

pub(super) type Parsed<T> = Result<T, Malformed>;

pub(super) fn fail<T>(what: impl Into<String>) -> Parsed<T> {
    Err(Malformed(what.into()))
}

impl Parser {
    pub(super) fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    pub(super) fn is_op(&self, operator: &str) -> bool {
        matches!(self.peek(), Token::Op(found) if *found == operator)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Name(found) if found == word)
    }

    pub(super) fn skip_op(&mut self, operator: &str) -> bool {
        let found = self.is_op(operator);
        self.at += usize::from(found);
        found
    }

    pub(super) fn skip_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn op(&mut self, operator: &str) -> Parsed<()> {
        match self.skip_op(operator) {
            true => Ok(()),
            false => fail(format!("expected `{operator}`, found {}", described(self.peek()))),
        }
    }

    pub(super) fn name(&mut self) -> Parsed<String> {
        match self.next() {
            Token::Name(name) => Ok(name),
            other => fail(format!("expected a name, found {}", described(&other))),
        }
    }

    fn token(&mut self, wanted: &Token) -> Parsed<()> {
        let found = self.next();
        match found == *wanted {
            true => Ok(()),
            false => fail(format!("expected {}, found {}", described(wanted), described(&found))),
        }
    }

    /// Parts up to the block that begins with one of these words, and which it was; that block's end is left.
    fn nodes(&mut self, ends: &[&str]) -> Parsed<(Vec<Node>, String)> {
        let mut nodes = Vec::new();
        loop {
            match self.next() {
                Token::Data(text) => nodes.push(Node::Text(text)),
                Token::VariableBegin => {
                    let value = self.tuple(false)?;
                    self.token(&Token::VariableEnd)?;
                    nodes.push(Node::Print(value));
                }
                Token::BlockBegin => {
                    let word = self.name()?;
                    if ends.contains(&word.as_str()) {
                        return Ok((nodes, word));
                    }
                    nodes.push(self.statement(&word)?);
                    self.token(&Token::BlockEnd)?;
                }
                Token::End if ends.is_empty() => return Ok((nodes, String::new())),
                other => fail(format!("expected `{}`, found {}", ends.join("` or `"), described(&other)))?,
            }
        }
    }

    fn statement(&mut self, word: &str) -> Parsed<Node> {
        self.deeper(|parser| match word {
            "if" => parser.if_statement(),
            "for" => parser.for_statement(),
            "set" => parser.set_statement(),
            "with" => parser.with_statement(),
            "print" => match parser.tuple(false)? {
                Expr::Tuple(_) => fail("the statement `print` of several values"),
                value => Ok(Node::Print(value)),
            },
            _ => fail(format!("the statement `{word}`")),
        })
    }

    pub(super) fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return fail("it is nested too deeply");
        }
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn if_statement(&mut self) -> Parsed<Node> {
        let mut branches = Vec::new();
        loop {
            let test = self.tuple_without_if()?;
            self.token(&Token::BlockEnd)?;
            let (body, word) = self.nodes(&["elif", "else", "endif"])?;
            branches.push((test, body));
            match word.as_str() {
                "elif" => {}
                "else" => {
                    self.token(&Token::BlockEnd)?;
                    let (otherwise, _) = self.nodes(&["endif"])?;
                    return Ok(Node::If { branches, otherwise });
                }
                _ => return Ok(Node::If { branches, otherwise: Vec::new() }),
            }
        }
    }

    fn for_statement(&mut self) -> Parsed<Node> {
        let target = self.target()?;
        if !self.skip_word("in") {
            return fail(format!("expected `in` after `for`, found {}", described(self.peek())));
        }
        let over = self.tuple_without_if()?;
        let only = if self.skip_word("if") { Some(self.expression()?) } else { None };
        if self.is_word("recursive") {
            return fail("a loop that is `recursive`");
        }
        self.token(&Token::BlockEnd)?;
        let (body, word) = self.nodes(&["endfor", "else"])?;
        let mut otherwise = Vec::new();
        if word == "else" {
            self.token(&Token::BlockEnd)?;
            (otherwise, _) = self.nodes(&["endfor"])?;
        }
        Ok(Node::For { target, over, only, body, otherwise })
    }

    fn set_statement(&mut self) -> Parsed<Node> {
        let target = self.target()?;
        if self.skip_op("=") {
            return Ok(Node::Set(target, self.tuple(false)?));
        }
        let Target::Name(name) = target else { return fail("a block that is set into anything but a name") };
        if self.is_op("|") {
            return fail("a block that is set through a filter");
        }
        self.token(&Token::BlockEnd)?;
        let (body, _) = self.nodes(&["endset"])?;
        Ok(Node::SetBlock(name, body))
    }

    fn with_statement(&mut self) -> Parsed<Node> {
        let mut values = Vec::new();
        while *self.peek() != Token::BlockEnd {
            if !values.is_empty() {
                self.op(",")?;
            }
            let target = Target::Name(self.name()?);
            self.op("=")?;
            values.push((target, self.expression()?));
        }
        self.token(&Token::BlockEnd)?;
        let (body, _) = self.nodes(&["endwith"])?;
        Ok(Node::With(values, body))
    }

    /// One name, an attribute, or several with commas.
    fn target(&mut self) -> Parsed<Target> {
        let mut targets = Vec::new();
        let mut is_tuple = false;
        loop {
            targets.push(match self.skip_op("(") {
                true => {
                    let inner = self.target()?;
                    self.op(")")?;
                    inner
                }
                false => {
                    let name = self.name()?;
                    if self.skip_op(".") { Target::Attribute(name, self.name()?) } else { Target::Name(name) }
                }
            });
            if !self.skip_op(",") {
                break;
            }
            is_tuple = true;
            if self.is_word("in") || self.is_op("=") {
                break;
            }
        }
        match (is_tuple, targets.pop()) {
            (false, Some(target)) => Ok(target),
            (_, last) => {
                targets.extend(last);
                Ok(Target::Tuple(targets))
            }
        }
    }
}

pub(super) fn described(token: &Token) -> String {
    match token {
        Token::Data(_) => "text".to_owned(),
        Token::VariableBegin => "`{{`".to_owned(),
        Token::VariableEnd => "`}}`".to_owned(),
        Token::BlockBegin => "`{%`".to_owned(),
        Token::BlockEnd => "`%}`".to_owned(),
        Token::Name(name) => format!("`{name}`"),
        Token::Text(text) => format!("the text `{text}`"),
        Token::Int(number) => format!("`{number}`"),
        Token::Float(number) => format!("`{number}`"),
        Token::Op(operator) => format!("`{operator}`"),
        Token::End => "the end of the template".to_owned(),
    }
}
