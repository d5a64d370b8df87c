//! The values of a template. The order of operators is that of Jinja2, which differs from Python's here and there: `~` binds more
//! tightly than `+`, a filter more tightly than any operator but `-`, and `**` from the left.

use super::ast::{Arguments, Binary, Comparison, Expr};
use super::lexer::Token;
use super::parser::{Parsed, Parser, described, fail};

impl Parser {
    /// A value, or several with commas, which are a tuple.
    pub(super) fn tuple(&mut self, in_brackets: bool) -> Parsed<Expr> {
        self.tuple_of(in_brackets, Self::expression)
    }

    /// The same where `if` ends it, as in `for x in a if b`.
    pub(super) fn tuple_without_if(&mut self) -> Parsed<Expr> {
        self.tuple_of(false, Self::or)
    }

    fn tuple_of(&mut self, in_brackets: bool, parse: fn(&mut Self) -> Parsed<Expr>) -> Parsed<Expr> {
        let mut values = Vec::new();
        let mut is_tuple = false;
        loop {
            let ends = matches!(self.peek(), Token::VariableEnd | Token::BlockEnd) || self.is_op(")");
            if ends {
                break;
            }
            values.push(parse(self)?);
            if !self.skip_op(",") {
                break;
            }
            is_tuple = true;
        }
        match values.pop() {
            Some(value) if !is_tuple => Ok(value),
            None if !in_brackets => fail(format!("expected a value, found {}", described(self.peek()))),
            last => {
                values.extend(last);
                Ok(Expr::Tuple(values))
            }
        }
    }

    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        self.deeper(|parser| {
            let mut value = parser.or()?;
            while parser.skip_word("if") {
                let test = Box::new(parser.or()?);
                let otherwise = if parser.skip_word("else") { Some(Box::new(parser.expression()?)) } else { None };
                value = Expr::If { test, then: Box::new(value), otherwise };
            }
            Ok(value)
        })
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        while self.skip_word("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.not()?;
        while self.skip_word("and") {
            left = Expr::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed<Expr> {
        match self.skip_word("not") {
            true => self.deeper(|parser| Ok(Expr::Not(Box::new(parser.not()?)))),
            false => self.comparison(),
        }
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let first = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let comparison = match self.peek() {
                Token::Op("==") => Comparison::Eq,
                Token::Op("!=") => Comparison::Ne,
                Token::Op("<") => Comparison::Lt,
                Token::Op("<=") => Comparison::Le,
                Token::Op(">") => Comparison::Gt,
                Token::Op(">=") => Comparison::Ge,
                Token::Name(word) if word == "in" => Comparison::In,
                Token::Name(word) if word == "not" => {
                    let follows = self.tokens.get(self.at + 1);
                    if !matches!(follows, Some(Token::Name(word)) if word == "in") {
                        break;
                    }
                    self.at += 1;
                    Comparison::NotIn
                }
                _ => break,
            };
            self.at += 1;
            rest.push((comparison, self.sum()?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Compare(Box::new(first), rest) })
    }

    /// Operators of one rank, from the left.
    fn ranked(&mut self, operators: &[(&str, Binary)], part: fn(&mut Self) -> Parsed<Expr>) -> Parsed<Expr> {
        let mut left = part(self)?;
        while let Some((_, operator)) = operators.iter().find(|(operator, _)| self.is_op(operator)) {
            self.at += 1;
            left = Expr::Binary(*operator, Box::new(left), Box::new(part(self)?));
        }
        Ok(left)
    }

    fn sum(&mut self) -> Parsed<Expr> {
        self.ranked(&[("+", Binary::Add), ("-", Binary::Sub)], Self::concat)
    }

    fn concat(&mut self) -> Parsed<Expr> {
        let first = self.product()?;
        let mut parts = vec![first];
        while self.skip_op("~") {
            parts.push(self.product()?);
        }
        Ok(match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                Expr::Concat(parts)
            }
        })
    }

    fn product(&mut self) -> Parsed<Expr> {
        let operators = [("*", Binary::Mul), ("/", Binary::Div), ("//", Binary::FloorDiv), ("%", Binary::Mod)];
        self.ranked(&operators, Self::power)
    }

    fn power(&mut self) -> Parsed<Expr> {
        self.ranked(&[("**", Binary::Pow)], |parser| parser.unary(true))
    }

    fn unary(&mut self, with_filter: bool) -> Parsed<Expr> {
        let value = match self.peek() {
            Token::Op("-") => {
                self.at += 1;
                self.deeper(|parser| Ok(Expr::Negative(Box::new(parser.unary(false)?))))?
            }
            Token::Op("+") => {
                self.at += 1;
                self.deeper(|parser| Ok(Expr::Positive(Box::new(parser.unary(false)?))))?
            }
            _ => self.primary()?,
        };
        let value = self.postfix(value)?;
        if with_filter { self.filters(value) } else { Ok(value) }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        Ok(match self.next() {
            Token::Name(name) => match name.as_str() {
                "true" | "True" => Expr::Bool(true),
                "false" | "False" => Expr::Bool(false),
                "none" | "None" => Expr::None,
                _ => Expr::Name(name),
            },
            Token::Text(mut text) => {
                while let Token::Text(more) = self.peek() {
                    text.push_str(more);
                    self.at += 1;
                }
                Expr::Text(text)
            }
            Token::Int(number) => Expr::Int(number),
            Token::Float(number) => Expr::Float(number),
            Token::Op("(") => {
                let value = self.deeper(|parser| parser.tuple(true))?;
                self.op(")")?;
                value
            }
            Token::Op("[") => Expr::List(self.items("]", Self::expression)?),
            Token::Op("{") => Expr::Dict(self.items("}", |parser| {
                let key = parser.expression()?;
                parser.op(":")?;
                Ok((key, parser.expression()?))
            })?),
            other => fail(format!("expected a value, found {}", described(&other)))?,
        })
    }

    fn items<T>(&mut self, closing: &str, item: fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        while !self.skip_op(closing) {
            if !items.is_empty() {
                self.op(",")?;
                if self.skip_op(closing) {
                    break;
                }
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn postfix(&mut self, mut value: Expr) -> Parsed<Expr> {
        loop {
            value = if self.skip_op(".") {
                match self.next() {
                    Token::Name(name) => Expr::Attribute(Box::new(value), name),
                    Token::Int(index) => Expr::Item(Box::new(value), Box::new(Expr::Int(index))),
                    other => return fail(format!("expected a name after `.`, found {}", described(&other))),
                }
            } else if self.skip_op("[") {
                self.subscript(value)?
            } else if self.skip_op("(") {
                Expr::Call(Box::new(value), self.arguments()?)
            } else {
                return Ok(value);
            };
        }
    }

    fn subscript(&mut self, value: Expr) -> Parsed<Expr> {
        let first = if self.is_op(":") { None } else { Some(self.expression()?) };
        if !self.is_op(":") {
            self.op("]")?;
            let Some(index) = first else { return fail("`[]` without an index") };
            return Ok(Expr::Item(Box::new(value), Box::new(index)));
        }
        let mut parts = [first.map(Box::new), None, None];
        for part in &mut parts[1..] {
            if !self.skip_op(":") {
                break;
            }
            if !self.is_op(":") && !self.is_op("]") {
                *part = Some(Box::new(self.expression()?));
            }
        }
        self.op("]")?;
        Ok(Expr::Slice(Box::new(value), parts))
    }

    fn arguments(&mut self) -> Parsed<Arguments> {
        let mut arguments = Arguments::default();
        loop {
            if self.skip_op(")") {
                return Ok(arguments);
            }
            if !(arguments.values.is_empty() && arguments.named.is_empty()) {
                self.op(",")?;
                if self.skip_op(")") {
                    return Ok(arguments);
                }
            }
            if self.is_op("*") || self.is_op("**") {
                return fail("a call with `*` or `**`");
            }
            match (self.peek().clone(), self.tokens.get(self.at + 1)) {
                (Token::Name(name), Some(Token::Op("="))) => {
                    self.at += 2;
                    let value = self.expression()?;
                    arguments.named.push((name, value));
                }
                _ if arguments.named.is_empty() => arguments.values.push(self.expression()?),
                _ => return fail("a value without a name after one with a name"),
            }
        }
    }

    fn filters(&mut self, mut value: Expr) -> Parsed<Expr> {
        loop {
            value = if self.skip_op("|") {
                let name = self.name()?;
                let arguments = if self.skip_op("(") { self.arguments()? } else { Arguments::default() };
                Expr::Filter(Box::new(value), name, arguments)
            } else if self.skip_word("is") {
                self.test(value)?
            } else if self.skip_op("(") {
                Expr::Call(Box::new(value), self.arguments()?)
            } else {
                return Ok(value);
            };
        }
    }

    fn test(&mut self, value: Expr) -> Parsed<Expr> {
        let negated = self.skip_word("not");
        let name = self.name()?;
        let mut arguments = Arguments::default();
        let takes = match self.peek() {
            Token::Name(word) if word == "is" => return fail("tests that follow each other with `is`"),
            Token::Name(word) => !["else", "or", "and"].contains(&word.as_str()),
            Token::Text(_) | Token::Int(_) | Token::Float(_) | Token::Op("[" | "{") => true,
            _ => false,
        };
        if self.skip_op("(") {
            arguments = self.arguments()?;
        } else if takes {
            let argument = self.primary()?;
            arguments.values.push(self.postfix(argument)?);
        }
        let test = Expr::Test(Box::new(value), name, arguments);
        Ok(if negated { Expr::Not(Box::new(test)) } else { test })
    }
}
