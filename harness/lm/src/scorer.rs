//! Log-likelihoods of many sequences at once.

use crate::divergence::{NoDivergence, RowDivergence, divergence};
use crate::log_softmax::{RowSummary, summarize};
use crate::prefix_tree::{Sequence, Sharing, Tree};
use crate::scheduler::{Limits, Work, walk};
use crate::{Decoder, Split};
use examiner_api::{Divergence, ErrorCode, Flow, PluginError, Response, ScoreResult, Sink};
use rayon::prelude::*;
use std::ops::Range;

/// What a row of the decoder's logits holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// The logits of the model.
    Model,
    /// Those of the model, and then as many of its base.
    ModelAndBase,
}

impl Rows {
    /// What a row says of the next token.
    fn read(self, row: &[f32]) -> Result<(RowSummary, Option<RowDivergence>), NoDivergence> {
        match self {
            Rows::Model => Ok((summarize(row).map_err(NoDivergence::OfModel)?, None)),
            Rows::ModelAndBase => {
                let (model, base) = row.split_at(row.len() / 2);
                let summary = summarize(model).map_err(NoDivergence::OfModel)?;
                Ok((summary, Some(divergence(model, base)?)))
            }
        }
    }
}

/// Scores sequences, each with its request's id. The sink gets one response for each, as soon as its last logits are
/// there, unless it asks to stop. When this returns, the decoder holds no more caches than before.
pub(crate) fn score<D: Decoder + ?Sized>(
    decoder: &mut D,
    rows: Rows,
    requests: Vec<(u64, Split)>,
    share_prefixes: bool,
    limits: Limits,
    sink: &dyn Sink<Response<ScoreResult>>,
) -> Flow {
    let sharing = match (share_prefixes, decoder.can_fork()) {
        (true, true) => Sharing::prefixes(decoder),
        (true, false) => Sharing::Duplicates,
        (false, _) => Sharing::Nothing,
    };
    // Scored sequences are done after a pass or two; how many there are at once follows from the other limits.
    let limits = Limits { sequences: usize::MAX, ..limits };
    let sequences: Vec<_> = requests.iter().map(|(_, split)| Sequence { tokens: split.inputs(), tail: None }).collect();
    let tree = Tree::new(&sequences, sharing, limits.cache_tokens);
    let targets = tree.nodes.iter().map(|node| targets(&requests, &tree, node.start, node.length, &node.members));
    let targets: Vec<_> = targets.collect();
    let progress = requests.into_iter().map(|(id, split)| Progress::new(id, split, rows)).collect();
    let width = decoder.vocabulary();
    let mut scoring = Scoring { tree: &tree, targets, progress, rows, width, sink, stopped: false };
    walk(decoder, &tree, limits, &mut scoring);
    let missing = PluginError::new(ErrorCode::Protocol, "the decoder did not give all logits it was asked for");
    for sequence in 0..scoring.progress.len() {
        scoring.fail_sequence(sequence, &missing);
    }
    if scoring.stopped { Flow::Stop } else { Flow::Continue }
}

/// A token whose log-probability is wanted.
#[derive(Debug, Clone, Copy)]
struct Target {
    /// The offset, in the node, of the token before it.
    offset: usize,
    sequence: usize,
    /// Which of the sequence's scored tokens it is.
    slot: usize,
    token: u32,
}

/// The targets of all sequences through a node, by offset.
fn targets(requests: &[(u64, Split)], tree: &Tree, start: usize, end: usize, members: &Range<usize>) -> Vec<Target> {
    let mut targets = Vec::new();
    for &sequence in &tree.order[members.clone()] {
        let split = &requests[sequence].1;
        targets.extend((split.first_target.max(start + 1)..=end).map(|at| Target {
            offset: at - 1 - start,
            sequence,
            slot: at - split.first_target,
            token: split.tokens[at],
        }));
    }
    targets.sort_by_key(|target| target.offset);
    targets
}

/// How far a sequence has come.
struct Progress {
    id: u64,
    split: Split,
    logprobs: Vec<f32>,
    /// In nats, by scored token; empty without a base. They are added up in the order of the text, whenever they come.
    divergences: Vec<f64>,
    same_top: u32,
    rows: Rows,
    is_greedy: bool,
    missing: usize,
    answered: bool,
}

impl Progress {
    fn new(id: u64, split: Split, rows: Rows) -> Self {
        let missing = split.targets().len();
        let logprobs = vec![0.0; missing];
        let divergences = vec![0.0; if rows == Rows::Model { 0 } else { missing }];
        Progress { id, split, logprobs, divergences, same_top: 0, rows, is_greedy: true, missing, answered: false }
    }

    fn result(&mut self) -> ScoreResult {
        let token_logprobs = std::mem::take(&mut self.logprobs);
        let divergence = Divergence { nats: self.divergences.iter().sum(), same_top: self.same_top };
        ScoreResult {
            sum: token_logprobs.iter().map(|&logprob| f64::from(logprob)).sum(),
            is_greedy: self.is_greedy,
            tokens: self.split.targets().to_vec(),
            scored_tokens: token_logprobs.len() as u32,
            token_logprobs,
            total_tokens: self.split.total_tokens as u32,
            truncated_tokens: self.split.truncated_tokens as u32,
            rendered: None,
            divergence: (self.rows == Rows::ModelAndBase).then_some(divergence),
        }
    }
}

struct Scoring<'a> {
    tree: &'a Tree,
    /// By node.
    targets: Vec<Vec<Target>>,
    progress: Vec<Progress>,
    rows: Rows,
    /// Number of logits in a row.
    width: usize,
    sink: &'a dyn Sink<Response<ScoreResult>>,
    stopped: bool,
}

impl Scoring<'_> {
    fn at(&self, node: usize, offsets: Range<usize>) -> &[Target] {
        let targets = &self.targets[node];
        let from = targets.partition_point(|target| target.offset < offsets.start);
        let to = targets.partition_point(|target| target.offset < offsets.end);
        &targets[from..to]
    }

    fn send(&mut self, sequence: usize, outcome: Result<(), PluginError>) {
        let progress = &mut self.progress[sequence];
        if progress.answered || self.stopped {
            return;
        }
        progress.answered = true;
        let response = match outcome {
            Ok(()) => Response::ok(progress.id, progress.result()),
            Err(error) => Response::err(progress.id, error),
        };
        self.stopped = self.sink.send(response) == Flow::Stop;
    }

    fn fail_sequence(&mut self, sequence: usize, error: &PluginError) {
        self.send(sequence, Err(error.clone()));
    }
}

impl Work for Scoring<'_> {
    fn begin(&mut self, node: usize) -> Option<Vec<u32>> {
        let node = &self.tree.nodes[node];
        // What only failed sequences need is not computed.
        let needed = self.tree.order[node.members.clone()].iter().any(|&sequence| !self.progress[sequence].answered);
        needed.then(|| node.tokens.clone())
    }

    fn wanted(&self, node: usize, offsets: Range<usize>) -> Vec<usize> {
        let mut wanted: Vec<usize> = self.at(node, offsets).iter().map(|target| target.offset).collect();
        wanted.dedup();
        wanted
    }

    fn take(&mut self, rows: &[(usize, usize)], logits: &[f32]) {
        let read: Vec<_> = logits.par_chunks(self.width).map(|row| self.rows.read(row)).collect();
        for ((&(node, offset), row), read) in rows.iter().zip(logits.chunks(self.width)).zip(read) {
            let targets = self.at(node, offset..offset + 1).to_vec();
            for target in targets {
                let progress = &mut self.progress[target.sequence];
                match read {
                    Ok((summary, divergence)) => {
                        if let Some(RowDivergence { nats, same_top }) = divergence {
                            progress.divergences[target.slot] = nats;
                            progress.same_top += u32::from(same_top);
                        }
                        progress.logprobs[target.slot] = summary.log_probability(row[target.token as usize]);
                        progress.is_greedy &= summary.argmax == target.token;
                        progress.missing -= 1;
                        if progress.missing == 0 {
                            self.send(target.sequence, Ok(()));
                        }
                    }
                    Err(found) => {
                        let position = self.tree.nodes[node].start + offset;
                        self.fail_sequence(target.sequence, &found.error(position));
                    }
                }
            }
        }
    }

    fn more(&mut self, _node: usize) -> Option<u32> {
        None
    }

    fn fail(&mut self, node: usize, error: &PluginError) {
        for sequence in self.tree.order[self.tree.nodes[node].members.clone()].iter().copied() {
            self.fail_sequence(sequence, error);
        }
    }

    fn stopped(&self) -> bool {
        self.stopped
    }
}
