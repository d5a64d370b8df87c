//! What a pattern says, as a tree.

use super::class::{Fold, Unit};

/// The number of repetitions that stands for "any".
pub(super) const ANY_NUMBER: u32 = u32::MAX;

/// A part of a pattern.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// One character of a class.
    Unit(Unit),
    /// A place that takes no character.
    At(At),
    /// Parts one after the other.
    Sequence(Vec<Node>),
    /// The first of the parts with which the whole matches.
    Branch(Vec<Node>),
    /// A group in parentheses, numbered from 1 if it captures.
    Group { index: Option<usize>, body: Box<Node> },
    /// A repeated part.
    Repeat { min: u32, max: u32, how: Repetition, body: Box<Node> },
    /// A look ahead, or behind by so many characters.
    Look { behind: Option<usize>, negated: bool, body: Box<Node> },
    /// A part that is not tried again once it has matched.
    Atomic(Box<Node>),
    /// The text of a group.
    Reference { group: usize, fold: Fold },
    /// One part where a group has matched, the other where it has not.
    Conditional { group: usize, yes: Box<Node>, no: Option<Box<Node>> },
}

/// How many repetitions are tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repetition {
    /// As many as possible.
    Greedy,
    /// As few as possible.
    Lazy,
    /// As many as possible, and no fewer.
    Possessive,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// The start of the text.
    Start,
    /// The start of the text or of a line.
    LineStart,
    /// The end of the text.
    End,
    /// The end of the text, or before a line feed that ends it.
    EndOrLastLine,
    /// The end of the text or of a line.
    LineEnd,
    /// Between a character of a word and another.
    Boundary { ascii: bool },
    /// Anywhere else.
    NoBoundary { ascii: bool },
}

impl Node {
    /// Whether there is a group in it that captures.
    pub(super) fn captures(&self) -> bool {
        match self {
            Node::Group { index: Some(_), .. } => true,
            Node::Unit(_) | Node::At(_) | Node::Reference { .. } => false,
            Node::Sequence(parts) | Node::Branch(parts) => parts.iter().any(Node::captures),
            Node::Group { body, .. } | Node::Repeat { body, .. } | Node::Look { body, .. } | Node::Atomic(body) => {
                body.captures()
            }
            Node::Conditional { yes, no, .. } => yes.captures() || no.as_ref().is_some_and(|no| no.captures()),
        }
    }

    /// The smallest and the largest number of characters that a part takes. `groups` has those of each group.
    pub(super) fn width(&self, groups: &[Option<(u64, u64)>]) -> (u64, u64) {
        let most = u64::from(u32::MAX);
        let (low, high) = match self {
            Node::Unit(_) => (1, 1),
            Node::At(_) | Node::Look { .. } => (0, 0),
            Node::Sequence(parts) => {
                parts.iter().map(|part| part.width(groups)).fold((0, 0), |(low, high), (l, h)| (low + l, high + h))
            }
            Node::Branch(parts) => parts
                .iter()
                .map(|part| part.width(groups))
                .reduce(|(low, high), (l, h)| (low.min(l), high.max(h)))
                .unwrap_or_default(),
            Node::Group { body, .. } | Node::Atomic(body) => body.width(groups),
            Node::Repeat { min, max, body, .. } => {
                let (low, high) = body.width(groups);
                let high = if *max == ANY_NUMBER && high > 0 { most } else { high.saturating_mul(u64::from(*max)) };
                (low.saturating_mul(u64::from(*min)), high)
            }
            Node::Reference { group, .. } => groups.get(*group).copied().flatten().unwrap_or_default(),
            Node::Conditional { yes, no, .. } => {
                let (low, high) = yes.width(groups);
                match no {
                    Some(no) => {
                        let (l, h) = no.width(groups);
                        (low.min(l), high.max(h))
                    }
                    None => (0, high),
                }
            }
        };
        (low.min(most), high.min(most))
    }
}
