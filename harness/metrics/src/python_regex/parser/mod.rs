//! From the text of a pattern to its tree, by the grammar of Python 3.11.

use super::Flags;
use super::class::{Member, Unit};
use super::error::PatternError;
use super::escape::{Escape, read as read_escape};
use super::node::{ANY_NUMBER, At, Node, Repetition};
use super::reader::{Piece, Reader};

mod groups;

/// So deep may groups be nested.
const MAX_DEPTH: usize = 100;
/// So many groups may a pattern have, which also bounds the numbers of groups.
const MAX_GROUPS: usize = 1_000_000;

/// A pattern that was read.
pub(super) struct Parsed {
    pub(super) node: Node,
    pub(super) flags: Flags,
    /// The number of groups.
    pub(super) groups: usize,
    /// The groups with names, in the order of the pattern.
    pub(super) names: Vec<(String, usize)>,
}

/// Reads a pattern.
pub(super) fn parse(source: &str, flags: Flags) -> Result<Parsed, PatternError> {
    let mut parser = Parser {
        reader: Reader::new(source),
        global: flags,
        widths: vec![None],
        names: Vec::new(),
        behind_from: None,
        conditions: Vec::new(),
        depth: 0,
    };
    let node = parser.alternatives(flags, true)?;
    if parser.reader.peek().is_some() {
        return Err(parser.reader.error("unbalanced parenthesis"));
    }
    let groups = parser.widths.len() - 1;
    if let Some((group, at)) = parser.conditions.iter().find(|(group, _)| *group > groups) {
        return Err(parser.reader.error_at(&format!("invalid group reference {group}"), *at));
    }
    Ok(Parsed { node, flags: parser.global, groups, names: parser.names })
}

struct Parser {
    reader: Reader,
    /// The flags of the whole pattern, which it may set at its start.
    global: Flags,
    /// How many characters each group takes, by its number; none while it is open.
    widths: Vec<Option<(u64, u64)>>,
    names: Vec<(String, usize)>,
    /// The number of the first group that was opened inside of the outermost look behind.
    behind_from: Option<usize>,
    /// Groups that conditions are about, and where.
    conditions: Vec<(usize, usize)>,
    depth: usize,
}

impl Parser {
    /// Sequences between bars, up to a closing parenthesis or the end. The flags are those in force here.
    fn alternatives(&mut self, mut flags: Flags, outermost: bool) -> Result<Node, PatternError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.reader.error(&format!("groups are nested deeper than {MAX_DEPTH}")));
        }
        let mut parts = Vec::new();
        loop {
            parts.push(self.sequence(flags, outermost && parts.is_empty())?);
            if !self.reader.take('|') {
                break;
            }
            if outermost {
                flags = self.global;
            }
        }
        self.depth -= 1;
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Branch(parts) })
    }

    fn sequence(&mut self, mut flags: Flags, at_start: bool) -> Result<Node, PatternError> {
        let mut parts: Vec<Node> = Vec::new();
        while let Some(next) = self.reader.peek().filter(|c| !matches!(c, '|' | ')')) {
            let start = self.reader.at();
            let Some(piece) = self.reader.next()? else { break };
            let Piece::Plain(c) = piece else {
                let Piece::Escaped(letter) = piece else { continue };
                parts.push(self.escape(letter, flags)?);
                continue;
            };
            debug_assert_eq!(c, next);
            match c {
                _ if flags.verbose && matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c') => {}
                '#' if flags.verbose => while self.reader.next()?.is_some_and(|piece| piece != Piece::Plain('\n')) {},
                '[' => parts.push(self.set(flags, start)?),
                '*' | '+' | '?' | '{' => match self.bounds(c)? {
                    Some((min, max)) => self.repeat(&mut parts, min, max, start)?,
                    None => parts.push(Node::Unit(Unit::literal(u32::from('{'), flags.fold()))),
                },
                '.' if flags.dot_all => parts.push(Node::Unit(Unit::All)),
                '.' => parts.push(Node::Unit(Unit::NoLineFeed)),
                '^' => parts.push(Node::At(if flags.multi_line { At::LineStart } else { At::Start })),
                '$' => parts.push(Node::At(if flags.multi_line { At::LineEnd } else { At::EndOrLastLine })),
                '(' => {
                    parts.extend(self.group(flags, at_start && parts.is_empty(), start)?);
                    if at_start && parts.is_empty() {
                        flags = self.global;
                    }
                }
                _ => parts.push(Node::Unit(Unit::literal(u32::from(c), flags.fold()))),
            }
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Sequence(parts) })
    }

    fn escape(&mut self, letter: char, flags: Flags) -> Result<Node, PatternError> {
        let start = self.reader.at() - 2;
        Ok(match read_escape(&mut self.reader, letter, false, flags.ascii)? {
            Escape::Literal(code) => Node::Unit(Unit::literal(code, flags.fold())),
            Escape::Category(category) => Node::Unit(Unit::set(&[Member::Category(category)], false, flags.fold())),
            Escape::Group(group) => self.reference(group, flags, start)?,
            Escape::Place('A') => Node::At(At::Start),
            Escape::Place('Z') => Node::At(At::End),
            Escape::Place('b') => Node::At(At::Boundary { ascii: flags.ascii }),
            Escape::Place(_) => Node::At(At::NoBoundary { ascii: flags.ascii }),
        })
    }

    fn reference(&mut self, group: usize, flags: Flags, start: usize) -> Result<Node, PatternError> {
        match self.widths.get(group) {
            None => return Err(self.reader.error_at(&format!("invalid group reference {group}"), start)),
            Some(None) => return Err(self.reader.error_at("cannot refer to an open group", start)),
            Some(Some(_)) => self.check_behind(group, start)?,
        }
        Ok(Node::Reference { group, fold: flags.fold() })
    }

    fn check_behind(&self, group: usize, start: usize) -> Result<(), PatternError> {
        match self.behind_from {
            Some(_) if self.widths.get(group) == Some(&None) => {
                Err(self.reader.error_at("cannot refer to an open group", start))
            }
            Some(first) if group >= first => {
                Err(self.reader.error_at("cannot refer to group defined in the same lookbehind subpattern", start))
            }
            _ => Ok(()),
        }
    }

    fn set(&mut self, flags: Flags, start: usize) -> Result<Node, PatternError> {
        let negated = self.reader.take('^');
        let mut members: Vec<Member> = Vec::new();
        loop {
            let here = self.reader.at();
            let piece = self.member_piece(start)?;
            if piece == Piece::Plain(']') && !members.is_empty() {
                break;
            }
            let low = self.member(piece, flags)?;
            if !self.reader.take('-') {
                members.push(low);
                continue;
            }
            let piece = self.member_piece(start)?;
            if piece == Piece::Plain(']') {
                members.extend([low, Member::One(u32::from('-'))]);
                break;
            }
            match (low, self.member(piece, flags)?) {
                (Member::One(low), Member::One(high)) if low <= high => members.push(Member::Range(low, high)),
                _ => return Err(self.reader.error_at("bad character range", here)),
            }
        }
        // What is written twice stands for itself once: a set of one character is that character.
        let mut distinct: Vec<Member> = Vec::new();
        for member in members {
            if !distinct.contains(&member) {
                distinct.push(member);
            }
        }
        Ok(Node::Unit(Unit::set(&distinct, negated, flags.fold())))
    }

    fn member_piece(&mut self, start: usize) -> Result<Piece, PatternError> {
        self.reader.next()?.ok_or_else(|| self.reader.error_at("unterminated character set", start))
    }

    fn member(&mut self, piece: Piece, flags: Flags) -> Result<Member, PatternError> {
        let letter = match piece {
            Piece::Plain(c) => return Ok(Member::One(u32::from(c))),
            Piece::Escaped(letter) => letter,
        };
        let start = self.reader.at() - 2;
        match read_escape(&mut self.reader, letter, true, flags.ascii)? {
            Escape::Literal(code) => Ok(Member::One(code)),
            Escape::Category(category) => Ok(Member::Category(category)),
            _ => Err(self.reader.error_at(&format!("bad escape \\{letter}"), start)),
        }
    }

    /// How often a quantifier repeats; none for a brace that begins none.
    fn bounds(&mut self, c: char) -> Result<Option<(u32, u32)>, PatternError> {
        match c {
            '?' => return Ok(Some((0, 1))),
            '*' => return Ok(Some((0, ANY_NUMBER))),
            '+' => return Ok(Some((1, ANY_NUMBER))),
            _ => {}
        }
        let start = self.reader.at();
        if self.reader.peek() == Some('}') {
            return Ok(None);
        }
        let low = self.reader.take_while(usize::MAX, |c| c.is_ascii_digit());
        let high = match self.reader.take(',') {
            true => self.reader.take_while(usize::MAX, |c| c.is_ascii_digit()),
            false => low.clone(),
        };
        if !self.reader.take('}') {
            self.reader.back_to(start);
            return Ok(None);
        }
        let number = |digits: &str, default: u32| match digits.parse::<u32>() {
            _ if digits.is_empty() => Ok(default),
            Ok(number) if number < ANY_NUMBER => Ok(number),
            _ => Err(self.reader.error_at("the repetition number is too large", start)),
        };
        let (min, max) = (number(&low, 0)?, number(&high, ANY_NUMBER)?);
        if max < min {
            return Err(self.reader.error_at("min repeat greater than max repeat", start));
        }
        Ok(Some((min, max)))
    }

    fn repeat(&mut self, parts: &mut Vec<Node>, min: u32, max: u32, start: usize) -> Result<(), PatternError> {
        let body = match parts.pop() {
            None | Some(Node::At(_)) => return Err(self.reader.error_at("nothing to repeat", start)),
            Some(Node::Repeat { .. }) => return Err(self.reader.error_at("multiple repeat", start)),
            Some(body) => Box::new(body),
        };
        let how = match () {
            () if self.reader.take('?') => Repetition::Lazy,
            () if self.reader.take('+') => Repetition::Possessive,
            () => Repetition::Greedy,
        };
        if how == Repetition::Possessive && body.captures() {
            let message = "a possessive repetition of a part with groups is not supported, since Python 3.11 sets its groups wrongly";
            return Err(self.reader.error_at(message, start));
        }
        parts.push(Node::Repeat { min, max, how, body });
        Ok(())
    }
}
