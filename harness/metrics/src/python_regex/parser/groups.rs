//! What stands in parentheses.

use super::super::error::PatternError;
use super::super::node::Node;
use super::super::reader::{Piece, Reader};
use super::super::{Flags, is_identifier};
use super::{MAX_GROUPS, Parser};

impl Parser {
    /// What a parenthesis opens; none for a comment and for flags of the whole pattern.
    pub(super) fn group(&mut self, flags: Flags, at_start: bool, start: usize) -> Result<Option<Node>, PatternError> {
        if !self.reader.take('?') {
            return self.capture(None, flags, start).map(Some);
        }
        let unexpected = |reader: &Reader| reader.error("unexpected end of pattern");
        let Some(c) = self.take_char()? else { return Err(unexpected(&self.reader)) };
        match c {
            'P' if self.reader.take('<') => {
                let name = self.reader.take_until('>', "group name")?;
                self.check_name(&name)?;
                self.capture(Some(name), flags, start).map(Some)
            }
            'P' if self.reader.take('=') => {
                let name = self.reader.take_until(')', "group name")?;
                self.check_name(&name)?;
                let group = self.named(&name)?;
                self.reference(group, flags, start).map(Some)
            }
            'P' => Err(self.reader.error_at("unknown extension ?P", start)),
            ':' => self.body(flags, start).map(|body| Some(Node::Group { index: None, body })),
            '>' => self.body(flags, start).map(|body| Some(Node::Atomic(body))),
            '#' => loop {
                match self.reader.next()? {
                    Some(Piece::Plain(')')) => return Ok(None),
                    Some(_) => {}
                    None => return Err(self.reader.error_at("missing ), unterminated comment", start)),
                }
            },
            '=' | '!' => self.look(flags, false, c == '!', start).map(Some),
            '<' => match self.take_char()? {
                Some(c @ ('=' | '!')) => self.look(flags, true, c == '!', start).map(Some),
                Some(c) => Err(self.reader.error_at(&format!("unknown extension ?<{c}"), start)),
                None => Err(unexpected(&self.reader)),
            },
            '(' => self.conditional(flags, start).map(Some),
            _ if is_flag(c) || c == '-' => self.flags(c, flags, at_start, start),
            _ => Err(self.reader.error_at(&format!("unknown extension ?{c}"), start)),
        }
    }

    /// The next character of a group's head. A backslash is one that means nothing there.
    fn take_char(&mut self) -> Result<Option<char>, PatternError> {
        Ok(self.reader.next()?.map(|piece| match piece {
            Piece::Plain(c) => c,
            Piece::Escaped(_) => '\\',
        }))
    }

    fn check_name(&self, name: &str) -> Result<(), PatternError> {
        match is_identifier(name) {
            true => Ok(()),
            false => Err(self.reader.error(&format!("bad character in group name '{name}'"))),
        }
    }

    fn named(&self, name: &str) -> Result<usize, PatternError> {
        let found = self.names.iter().find(|(known, _)| known == name);
        found.map(|(_, group)| *group).ok_or_else(|| self.reader.error(&format!("unknown group name '{name}'")))
    }

    fn capture(&mut self, name: Option<String>, flags: Flags, start: usize) -> Result<Node, PatternError> {
        let index = self.widths.len();
        if index > MAX_GROUPS {
            return Err(self.reader.error_at("too many groups", start));
        }
        self.widths.push(None);
        if let Some(name) = name {
            if let Some((_, group)) = self.names.iter().find(|(known, _)| *known == name) {
                let message = format!("redefinition of group name '{name}' as group {index}; was group {group}");
                return Err(self.reader.error_at(&message, start));
            }
            self.names.push((name, index));
        }
        let body = self.body(flags, start)?;
        self.widths[index] = Some(body.width(&self.widths));
        Ok(Node::Group { index: Some(index), body })
    }

    /// What stands in a group, with its end.
    fn body(&mut self, flags: Flags, start: usize) -> Result<Box<Node>, PatternError> {
        let body = self.alternatives(flags, false)?;
        self.close(start)?;
        Ok(Box::new(body))
    }

    fn close(&mut self, start: usize) -> Result<(), PatternError> {
        match self.reader.take(')') {
            true => Ok(()),
            false => Err(self.reader.error_at("missing ), unterminated subpattern", start)),
        }
    }

    fn look(&mut self, flags: Flags, is_behind: bool, negated: bool, start: usize) -> Result<Node, PatternError> {
        let outer = self.behind_from;
        if is_behind {
            self.behind_from = outer.or(Some(self.widths.len()));
        }
        let body = self.body(flags, start)?;
        self.behind_from = outer;
        let behind = match body.width(&self.widths) {
            _ if !is_behind => None,
            (low, high) if low == high => usize::try_from(low).ok(),
            _ => return Err(self.reader.error_at("look-behind requires fixed-width pattern", start)),
        };
        Ok(Node::Look { behind, negated, body })
    }

    fn conditional(&mut self, flags: Flags, start: usize) -> Result<Node, PatternError> {
        let name = self.reader.take_until(')', "group name")?;
        let group = if is_identifier(&name) {
            self.named(&name)?
        } else {
            let group = name.parse().ok().filter(|_| name.chars().all(|c| c.is_ascii_digit()));
            let wrong = || self.reader.error(&format!("bad character in group name '{name}'"));
            let group = group.ok_or_else(wrong)?;
            if group == 0 {
                return Err(self.reader.error("bad group number"));
            }
            self.conditions.push((group, start));
            group
        };
        if self.widths.get(group) == Some(&None) {
            return Err(self.reader.error_at("a condition about a group that is still open is not supported", start));
        }
        self.check_behind(group, start)?;
        let yes = Box::new(self.sequence(flags, false)?);
        let no = match self.reader.take('|') {
            true => Some(Box::new(self.sequence(flags, false)?)),
            false => None,
        };
        if self.reader.peek() == Some('|') {
            return Err(self.reader.error("conditional backref with more than two branches"));
        }
        self.close(start)?;
        Ok(Node::Conditional { group, yes, no })
    }

    /// Flags of a group, or of the whole pattern at its start.
    fn flags(&mut self, first: char, flags: Flags, at_start: bool, start: usize) -> Result<Option<Node>, PatternError> {
        let error = |parser: &Parser, message: &str| Err(parser.reader.error(message));
        let (mut on, mut off) = (String::new(), String::new());
        let mut next = Some(first);
        while let Some(c) = next.filter(|c| !matches!(c, ')' | '-' | ':')) {
            match c {
                'L' => return error(self, "bad inline flags: cannot use 'L' flag with a str pattern"),
                't' => return error(self, "the flag `t` is not supported"),
                _ if is_flag(c) => on.push(c),
                _ => return error(self, "unknown flag"),
            }
            next = self.take_char()?;
        }
        if on.contains('a') && on.contains('u') {
            return error(self, "bad inline flags: flags 'a', 'u' and 'L' are incompatible");
        }
        if next == Some(')') {
            if !at_start {
                return Err(self.reader.error_at("global flags not at the start of the expression", start));
            }
            if on.contains('u') && self.global.ascii || on.contains('a') && self.global.unicode {
                return error(self, "ASCII and UNICODE flags are incompatible");
            }
            self.global = self.global.with(&on, true);
            return Ok(None);
        }
        if next == Some('-') {
            next = self.take_char()?;
            while let Some(c) = next.filter(|c| *c != ':' || off.is_empty()) {
                match c {
                    'a' | 'u' | 'L' => {
                        return error(self, "bad inline flags: cannot turn off flags 'a', 'u' and 'L'");
                    }
                    'i' | 'm' | 's' | 'x' => off.push(c),
                    _ => return error(self, "unknown flag"),
                }
                next = self.take_char()?;
            }
        }
        match next {
            Some(':') if on.contains(|c| off.contains(c)) => error(self, "bad inline flags: flag turned on and off"),
            Some(':') => {
                let body = self.body(flags.with(&on, true).with(&off, false), start)?;
                Ok(Some(Node::Group { index: None, body }))
            }
            _ => error(self, "missing -, : or )"),
        }
    }
}

fn is_flag(c: char) -> bool {
    matches!(c, 'a' | 'i' | 'L' | 'm' | 's' | 't' | 'u' | 'x')
}
