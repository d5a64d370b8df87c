//! Answers to many prompts at once: a finished answer leaves, a waiting prompt enters, and no pass waits for either.
//!
//! The prompts stand in a prefix tree, so that a few-shot preamble is computed once; each answer is a tail that goes on
//! growing behind its prompt. Prompts are computed beside the answers that are already growing, in what those leave of a
//! pass.

use crate::answer::{Answer, Ending};
use crate::caches::Holdings;
use crate::limits::Limits;
use crate::prefix_tree::{Sequence, Sharing, Tree, questions};
use crate::scheduler::{Walked, Work, walk};
use crate::{Decoder, Tokenizer};
use examiner_api::{ErrorCode, Flow, GenerateResult, PluginError, Response, Sink};
use rayon::prelude::*;
use std::ops::Range;

/// Generates answers. The sink gets one response for each, as soon as it is finished, unless it asks to stop. When this
/// returns, the decoder holds the caches that `holdings` tells of.
pub(crate) fn generate<D: Decoder + ?Sized>(
    decoder: &mut D,
    holdings: &mut Holdings,
    tokenizer: &Tokenizer,
    answers: Vec<Answer>,
    sharing: Sharing,
    limits: Limits,
    sink: &dyn Sink<Response<GenerateResult>>,
) -> Walked {
    // A tail holds what is fed to the model again: all new tokens but the last.
    let tail = |answer: &Answer| Some(answer.room.saturating_sub(1));
    let questions = questions(answers.iter().map(|answer| &answer.request.sample));
    let sequences = answers.iter().zip(questions);
    let sequences: Vec<_> =
        sequences.map(|(answer, question)| Sequence { tokens: &answer.prompt, tail: tail(answer), question }).collect();
    let tree = Tree::new(&sequences, sharing, limits.cache_tokens);
    let slots = answers.into_iter().map(|answer| Slot { answer, answered: false }).collect();
    let mut growing = Growing { tree: &tree, slots, tokenizer, vocabulary: decoder.vocabulary(), sink, stopped: false };
    for index in 0..growing.slots.len() {
        if growing.slots[index].answer.room == 0 {
            let nothing = growing.slots[index].answer.nothing();
            growing.send(index, Ok(nothing));
        }
    }
    let walked = walk(decoder, holdings, &tree, limits, &mut growing);
    let missing = PluginError::new(ErrorCode::Protocol, "the decoder did not give all logits it was asked for");
    for index in 0..growing.slots.len() {
        growing.send(index, Err(missing.clone()));
    }
    walked
}

struct Slot {
    answer: Answer,
    answered: bool,
}

struct Growing<'a> {
    tree: &'a Tree,
    /// By sequence.
    slots: Vec<Slot>,
    tokenizer: &'a Tokenizer,
    vocabulary: usize,
    sink: &'a dyn Sink<Response<GenerateResult>>,
    stopped: bool,
}

impl Growing<'_> {
    /// The sequence that a tail belongs to.
    fn sequence(&self, tail: usize) -> usize {
        self.tree.order[self.tree.nodes[tail].members.start]
    }

    /// The sequences that go on after an offset of a node.
    fn from(&self, node: usize, offset: usize) -> Vec<usize> {
        let this = &self.tree.nodes[node];
        if this.tail {
            return vec![self.sequence(node)];
        }
        if offset + 1 < this.tokens.len() {
            return Vec::new();
        }
        let tails = this.children.iter().filter(|&&child| self.tree.nodes[child].tail);
        tails.map(|&tail| self.sequence(tail)).filter(|&sequence| !self.slots[sequence].answered).collect()
    }

    fn send(&mut self, sequence: usize, outcome: Result<Ending, PluginError>) {
        let slot = &mut self.slots[sequence];
        if slot.answered || self.stopped {
            return;
        }
        slot.answered = true;
        let id = slot.answer.request.id;
        let response = match outcome {
            Ok(ending) => Response::ok(id, slot.answer.result(ending)),
            Err(error) => Response::err(id, error),
        };
        self.stopped = self.sink.send(response) == Flow::Stop;
    }
}

impl Work for Growing<'_> {
    fn begin(&mut self, node: usize) -> Option<Vec<u32>> {
        let this = &self.tree.nodes[node];
        // What no unfinished answer needs is not computed.
        if self.tree.order[this.members.clone()].iter().all(|&sequence| self.slots[sequence].answered) {
            return None;
        }
        if this.tail {
            return self.slots[self.sequence(node)].answer.tokens.last().map(|&first| vec![first]);
        }
        Some(this.tokens.clone())
    }

    fn wanted(&self, node: usize, offsets: Range<usize>) -> Vec<usize> {
        offsets.filter(|&offset| !self.from(node, offset).is_empty()).collect()
    }

    fn take(&mut self, rows: &[(usize, usize)], logits: &[f32]) {
        let rows = rows.iter().zip(logits.chunks(self.vocabulary));
        let jobs: Vec<(usize, &[f32])> = rows
            .flat_map(|(&(node, offset), row)| self.from(node, offset).into_iter().map(move |sequence| (sequence, row)))
            .collect();
        let steps: Vec<_> =
            (jobs.par_iter()).map(|&(sequence, row)| self.slots[sequence].answer.step(row, self.tokenizer)).collect();
        for ((sequence, _), step) in jobs.into_iter().zip(steps) {
            match step {
                Ok(step) => {
                    if let Some(end) = self.slots[sequence].answer.take(step) {
                        self.send(sequence, Ok(end));
                    }
                }
                Err(error) => self.send(sequence, Err(error)),
            }
        }
    }

    fn more(&mut self, node: usize) -> Option<u32> {
        if !self.tree.nodes[node].tail {
            return None;
        }
        let slot = &self.slots[self.sequence(node)];
        if slot.answered { None } else { slot.answer.tokens.last().copied() }
    }

    fn fail(&mut self, node: usize, error: &PluginError) {
        for sequence in self.tree.order[self.tree.nodes[node].members.clone()].iter().copied() {
            self.send(sequence, Err(error.clone()));
        }
    }

    fn stopped(&self) -> bool {
        self.stopped
    }
}
