//! From the text of a template to tokens, by the rules of Jinja2 as lm-evaluation-harness sets it up: a line feed at the end is
//! kept, and blocks keep the white space around them unless a minus sign says otherwise.

use super::Malformed;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Text that is written as it is.
    Data(String),
    /// `{{`.
    VariableBegin,
    /// `}}`.
    VariableEnd,
    /// `{%`.
    BlockBegin,
    /// `%}`.
    BlockEnd,
    /// A name or a word of the language.
    Name(String),
    /// A text in quotes, its escapes resolved.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// An operator or a bracket.
    Op(&'static str),
    /// Nothing follows.
    End,
}

/// The longest first.
const OPERATORS: [&str; 25] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",",
];

/// The tokens of a template.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, Malformed> {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut lexer = Lexer { source: &source, at: 0, tokens: Vec::new(), opened: Vec::new() };
    lexer.all()?;
    lexer.tokens.push(Token::End);
    Ok(lexer.tokens)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    tokens: Vec<Token>,
    /// The closing brackets that are awaited.
    opened: Vec<char>,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn fail<T>(&self, what: impl Into<String>) -> Result<T, Malformed> {
        let line = 1 + self.source[..self.at].matches('\n').count();
        Err(Malformed(format!("line {line}: {}", what.into())))
    }

    fn all(&mut self) -> Result<(), Malformed> {
        loop {
            let rest = self.rest();
            let Some((before, opening)) = first_opening(rest) else {
                self.data(rest);
                return Ok(());
            };
            let sign = rest[before + 2..].chars().next().filter(|sign| *sign == '-' || *sign == '+');
            let text = &rest[..before];
            self.data(if sign == Some('-') { text.trim_end_matches(is_space) } else { text });
            self.at += before + 2 + sign.map_or(0, char::len_utf8);
            match opening {
                "{#" => self.comment()?,
                "{{" => self.inside(Token::VariableBegin, Token::VariableEnd, "}}")?,
                _ if self.raw()? => {}
                _ => self.inside(Token::BlockBegin, Token::BlockEnd, "%}")?,
            }
        }
    }

    fn data(&mut self, text: &str) {
        if !text.is_empty() {
            self.tokens.push(Token::Data(text.to_owned()));
        }
    }

    fn comment(&mut self) -> Result<(), Malformed> {
        let Some(length) = self.rest().find("#}") else { return self.fail("a comment has no end") };
        let strips = self.rest()[..length].ends_with('-');
        self.at += length + 2;
        if strips {
            self.skip_space();
        }
        Ok(())
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches(is_space).len();
    }

    /// A raw block, if one begins here.
    fn raw(&mut self) -> Result<bool, Malformed> {
        let Some(after) = tag_end(self.rest(), "raw") else { return Ok(false) };
        self.at += after;
        let body = self.rest();
        let mut from = 0;
        while let Some(found) = body[from..].find("{%") {
            let start = from + found;
            let sign = body[start + 2..].chars().next().filter(|sign| *sign == '-' || *sign == '+');
            let inner = start + 2 + sign.map_or(0, char::len_utf8);
            if let Some(after) = tag_end(&body[inner..], "endraw") {
                let text = &body[..start];
                self.data(if sign == Some('-') { text.trim_end_matches(is_space) } else { text });
                self.at += inner + after;
                return Ok(true);
            }
            from = start + 2;
        }
        self.fail("a raw block has no end")
    }

    /// What stands between `{{` and `}}`, or `{%` and `%}`.
    fn inside(&mut self, begin: Token, end: Token, closing: &str) -> Result<(), Malformed> {
        self.tokens.push(begin);
        self.opened.clear();
        loop {
            self.skip_space();
            let rest = self.rest();
            if self.opened.is_empty() {
                let plus = closing == "%}" && rest.starts_with('+');
                let signed = rest.strip_prefix('-').or_else(|| rest.strip_prefix('+').filter(|_| plus));
                let strips = rest.starts_with('-') && signed.is_some_and(|rest| rest.starts_with(closing));
                if strips || rest.starts_with(closing) || signed.is_some_and(|rest| rest.starts_with(closing)) {
                    let sign = usize::from(!rest.starts_with(closing));
                    self.at += sign + closing.len();
                    if strips {
                        self.skip_space();
                    }
                    self.tokens.push(end);
                    return Ok(());
                }
            }
            let Some(first) = rest.chars().next() else { return self.fail("the template ends within braces") };
            match first {
                '0'..='9' => self.number()?,
                '\'' | '"' => self.text(first)?,
                _ if first == '_' || first.is_alphanumeric() => self.name()?,
                _ => self.operator()?,
            }
        }
    }

    fn name(&mut self) -> Result<(), Malformed> {
        let rest = self.rest();
        let length = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        let name = &rest[..length];
        // Python normalizes names that are written with other letters; no task has one.
        if !name.is_ascii() {
            return self.fail(format!("the name `{name}`, which has other letters than those of ASCII"));
        }
        self.at += length;
        self.tokens.push(Token::Name(name.to_owned()));
        Ok(())
    }

    fn number(&mut self) -> Result<(), Malformed> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(rest.len());
        let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
        let mut end = length;
        let mut is_float = false;
        let follows_dot = self.source[..self.at].ends_with('.');
        if let Some(fraction) = rest[end..].strip_prefix('.')
            && fraction.starts_with(|c: char| c.is_ascii_digit())
            && !follows_dot
        {
            end += 1 + digits(fraction);
            is_float = true;
        }
        if let Some(exponent) = rest[end..].strip_prefix(['e', 'E'])
            && !follows_dot
        {
            let signed = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if signed.starts_with(|c: char| c.is_ascii_digit()) {
                end += 1 + (exponent.len() - signed.len()) + digits(signed);
                is_float = true;
            }
        }
        let text = rest[..end].replace('_', "");
        if rest[end..].starts_with(|c: char| c == '_' || c.is_alphanumeric()) || rest[..end].ends_with('_') {
            return self.fail(format!("the number `{}`, which is not written in decimal digits", &rest[..end + 1]));
        }
        let token = if is_float {
            text.parse().ok().map(Token::Float)
        } else {
            let leading_zero = text.len() > 1 && text.starts_with('0') && !text.trim_matches('0').is_empty();
            text.parse().ok().filter(|_| !leading_zero).map(Token::Int)
        };
        let Some(token) = token else { return self.fail(format!("the number `{text}`, which cannot be held")) };
        self.at += end;
        self.tokens.push(token);
        Ok(())
    }

    fn text(&mut self, quote: char) -> Result<(), Malformed> {
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((index, character)) = characters.next() {
            match character {
                _ if character == quote => {
                    self.at += index + 1;
                    self.tokens.push(Token::Text(text));
                    return Ok(());
                }
                '\\' => {
                    let Some((_, escaped)) = characters.next() else { break };
                    match escaped {
                        '\n' => {}
                        '\\' | '\'' | '"' => text.push(escaped),
                        'n' => text.push('\n'),
                        't' => text.push('\t'),
                        'r' => text.push('\r'),
                        'a' => text.push('\u{7}'),
                        'b' => text.push('\u{8}'),
                        'f' => text.push('\u{c}'),
                        'v' => text.push('\u{b}'),
                        'x' | 'u' | 'U' => {
                            let length = match escaped {
                                'x' => 2,
                                'u' => 4,
                                _ => 8,
                            };
                            let digits: String = characters.by_ref().take(length).map(|(_, digit)| digit).collect();
                            let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == length);
                            match code.and_then(char::from_u32) {
                                Some(character) => text.push(character),
                                None => return self.fail(format!("the escape `\\{escaped}{digits}`")),
                            }
                        }
                        'N' | '0'..='7' => return self.fail(format!("the escape `\\{escaped}`")),
                        _ => text.extend(['\\', escaped]),
                    }
                }
                _ => text.push(character),
            }
        }
        self.fail("a text in quotes has no end")
    }

    fn operator(&mut self) -> Result<(), Malformed> {
        let rest = self.rest();
        let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) else {
            return self.fail(format!("the character `{}` is not expected", rest.chars().next().unwrap_or(' ')));
        };
        match *operator {
            "(" => self.opened.push(')'),
            "[" => self.opened.push(']'),
            "{" => self.opened.push('}'),
            ")" | "]" | "}" if !self.opened.pop().is_some_and(|opened| operator.starts_with(opened)) => {
                return self.fail(format!("`{operator}` closes nothing"));
            }
            _ => {}
        }
        self.at += operator.len();
        self.tokens.push(Token::Op(operator));
        Ok(())
    }
}

/// Where the first `{{`, `{%` or `{#` stands, and which it is.
fn first_opening(text: &str) -> Option<(usize, &str)> {
    let mut from = 0;
    while let Some(found) = text[from..].find('{') {
        let at = from + found;
        match text.get(at..at + 2) {
            Some(opening @ ("{{" | "{%" | "{#")) => return Some((at, opening)),
            _ => from = at + 1,
        }
    }
    None
}

/// The length of `raw %}` (with `-%}` of the white space after it, too), if that is what stands here.
fn tag_end(text: &str, word: &str) -> Option<usize> {
    let inner = text.trim_start_matches(is_space).strip_prefix(word)?.trim_start_matches(is_space);
    let rest = match inner.strip_prefix("-%}") {
        Some(rest) => rest.trim_start_matches(is_space),
        None => inner.strip_prefix("+%}").filter(|_| word == "endraw").or_else(|| inner.strip_prefix("%}"))?,
    };
    Some(text.len() - rest.len())
}

/// What Python calls white space: that of Unicode, and four separators besides.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}
