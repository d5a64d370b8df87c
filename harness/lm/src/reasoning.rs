//! Where the reasoning of a growing answer ends, and its answer begins.

use crate::Tokenizer;
use crate::split::is_space;
use examiner_api::ReasoningMarks;

/// The marks of a model's reasoning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marks {
    written: ReasoningMarks,
    /// The marks as special tokens, where they are: these do not show in the text.
    start_token: Option<u32>,
    end_token: Option<u32>,
}

/// What an answer is at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Phase {
    /// It may yet begin with the start mark.
    Open,
    /// It reasons, in the text from this offset on.
    Reasoning(usize),
    /// It answers.
    Answering(Answering),
}

/// An answer that has begun.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Answering {
    /// The offset in the text of its first character.
    pub(crate) from: usize,
    /// Whether that character is there yet: the white space behind the reasoning is no part of the answer.
    begun: bool,
    /// The reasoning before it.
    pub(crate) reasoning: Option<Ended>,
}

/// Reasoning that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The offsets of its text.
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Its tokens, the marks included.
    pub(crate) tokens: usize,
}

/// A text in two parts: what no later token changes, and what may yet change.
#[derive(Clone, Copy)]
pub(crate) struct Growing<'a> {
    pub(crate) settled: &'a str,
    pub(crate) new: &'a str,
}

impl Growing<'_> {
    pub(crate) fn len(&self) -> usize {
        self.settled.len() + self.new.len()
    }

    /// The text from an offset on, or from the beginning of the character there.
    pub(crate) fn from(&self, offset: usize) -> (usize, String) {
        match offset.checked_sub(self.settled.len()) {
            Some(beyond) => {
                let beyond = self.new.floor_char_boundary(beyond);
                (self.settled.len() + beyond, self.new[beyond..].to_owned())
            }
            None => {
                let offset = self.settled.floor_char_boundary(offset);
                (offset, format!("{}{}", &self.settled[offset..], self.new))
            }
        }
    }

    /// The offset from which on a text of so many bytes was not yet looked for, if it was looked for at every step.
    pub(crate) fn unsearched(&self, bytes: usize) -> usize {
        self.settled.len().saturating_sub(bytes.saturating_sub(1))
    }
}

/// The token that a text has grown by.
#[derive(Clone, Copy)]
pub(crate) struct Grown {
    pub(crate) token: u32,
    /// How many tokens there are, this one included.
    pub(crate) tokens: usize,
    pub(crate) is_last: bool,
}

impl Marks {
    pub(crate) fn new(written: ReasoningMarks, tokenizer: &Tokenizer) -> Self {
        let token = |mark: &str| tokenizer.special_token(mark);
        Marks { start_token: token(&written.start), end_token: token(&written.end), written }
    }

    /// What an answer to a prompt is at before its first token.
    pub(crate) fn first_phase(&self, prompt: &str) -> Phase {
        let is_opened = prompt.trim_end().ends_with(&self.written.start);
        // An empty mark is at the end of every prompt.
        if is_opened { Phase::Reasoning(0) } else { Phase::Open }
    }

    /// What it is at with one token more. The law: at the last token, parts are those of [`ReasoningMarks::part`].
    pub(crate) fn next_phase(&self, phase: &Phase, text: Growing<'_>, grown: Grown) -> Phase {
        let phase = match phase {
            Phase::Open => self.opened(text, grown),
            known => known.clone(),
        };
        let began = match &phase {
            Phase::Reasoning(from) => *from,
            Phase::Answering(Answering { reasoning: Some(ended), .. }) => ended.from,
            Phase::Answering(_) | Phase::Open => 0,
        };
        let ended = |to, from| {
            let reasoning = Some(Ended { from: began, to, tokens: grown.tokens });
            Phase::Answering(Answering { from, begun: false, reasoning }.begin(text))
        };
        if self.end_token == Some(grown.token) {
            return ended(text.len(), text.len());
        }
        // What stands before the answer was searched when the answer began.
        let searched = match &phase {
            Phase::Answering(answering) => answering.from,
            Phase::Reasoning(from) => *from,
            Phase::Open => 0,
        };
        let end = &self.written.end;
        let (from, tail) = text.from(searched.max(text.unsearched(end.len())));
        match (tail.rfind(end), phase) {
            (Some(at), _) => ended(from + at, from + at + end.len()),
            (None, Phase::Answering(answering)) => Phase::Answering(answering.begin(text)),
            (None, other) => other,
        }
    }

    /// What is known once there is some text.
    fn opened(&self, text: Growing<'_>, grown: Grown) -> Phase {
        let (_, whole) = text.from(0);
        if self.start_token == Some(grown.token) && whole.trim_start_matches(is_space).is_empty() {
            return Phase::Reasoning(whole.len());
        }
        match self.written.opened(&whole, false) {
            Some(from) => Phase::Reasoning(from),
            None if grown.is_last || !self.written.may_open(&whole) => Phase::Answering(Answering::plain()),
            None => Phase::Open,
        }
    }
}

impl Answering {
    /// An answer without reasoning, which begins with the text.
    pub(crate) fn plain() -> Self {
        Answering { begun: true, ..Answering::default() }
    }

    /// Passes over the white space behind the reasoning.
    fn begin(mut self, text: Growing<'_>) -> Self {
        if !self.begun {
            let (from, tail) = text.from(self.from);
            let answer = tail.trim_start_matches(is_space);
            self.from = from + tail.len() - answer.len();
            self.begun = !answer.is_empty();
        }
        self
    }
}
