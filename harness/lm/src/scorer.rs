//! Log-likelihoods of many sequences at once.

use crate::log_softmax::{NonFinite, summarize};
use crate::prefix_tree::{Sequence, Sharing, Tree};
use crate::scheduler::{Limits, Work, walk};
use crate::{Decoder, Split};
use examiner_api::{ErrorCode, Flow, PluginError, Response, ScoreResult, Sink};
use rayon::prelude::*;
use std::ops::Range;

/// Scores sequences, each with its request's id. The sink gets one response for each, as soon as its last logits are
/// there, unless it asks to stop. When this returns, the decoder holds no more caches than before.
pub(crate) fn score<D: Decoder + ?Sized>(
    decoder: &mut D,
    requests: Vec<(u64, Split)>,
    sharing: Sharing,
    limits: Limits,
    sink: &dyn Sink<Response<ScoreResult>>,
) -> Flow {
    let sequences: Vec<_> = requests.iter().map(|(_, split)| Sequence { tokens: split.inputs(), tail: None }).collect();
    let tree = Tree::new(&sequences, sharing, limits.cache_tokens);
    let targets = tree.nodes.iter().map(|node| targets(&requests, &tree, node.start, node.length, &node.members));
    let targets: Vec<_> = targets.collect();
    let progress = requests.into_iter().map(|(id, split)| Progress::new(id, split)).collect();
    let vocabulary = decoder.vocabulary();
    let mut scoring = Scoring { tree: &tree, targets, progress, vocabulary, sink, stopped: false };
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
    is_greedy: bool,
    missing: usize,
    answered: bool,
}

impl Progress {
    fn new(id: u64, split: Split) -> Self {
        let missing = split.targets().len();
        Progress { id, logprobs: vec![0.0; missing], split, is_greedy: true, missing, answered: false }
    }

    fn result(&mut self) -> ScoreResult {
        let token_logprobs = std::mem::take(&mut self.logprobs);
        ScoreResult {
            sum: token_logprobs.iter().map(|&logprob| f64::from(logprob)).sum(),
            is_greedy: self.is_greedy,
            tokens: self.split.targets().to_vec(),
            scored_tokens: token_logprobs.len() as u32,
            token_logprobs,
            total_tokens: self.split.total_tokens as u32,
            truncated_tokens: self.split.truncated_tokens as u32,
            rendered: None,
        }
    }
}

struct Scoring<'a> {
    tree: &'a Tree,
    /// By node.
    targets: Vec<Vec<Target>>,
    progress: Vec<Progress>,
    vocabulary: usize,
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
        let summaries: Vec<_> = logits.par_chunks(self.vocabulary).map(summarize).collect();
        for ((&(node, offset), row), summary) in rows.iter().zip(logits.chunks(self.vocabulary)).zip(summaries) {
            let targets = self.at(node, offset..offset + 1).to_vec();
            for target in targets {
                let progress = &mut self.progress[target.sequence];
                match summary {
                    Ok(summary) => {
                        progress.logprobs[target.slot] = summary.log_probability(row[target.token as usize]);
                        progress.is_greedy &= summary.argmax == target.token;
                        progress.missing -= 1;
                        if progress.missing == 0 {
                            self.send(target.sequence, Ok(()));
                        }
                    }
                    Err(found) => {
                        let position = self.tree.nodes[node].start + offset;
                        self.fail_sequence(target.sequence, &not_finite(position, found));
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

/// The error of a request for which the model computed no number.
pub(crate) fn not_finite(position: usize, found: NonFinite) -> PluginError {
    let NonFinite { token, logit } = found;
    PluginError::new(
        ErrorCode::Numeric,
        format!("expected finite logits, found {logit} for token {token} after position {position} of the sequence"),
    )
    .with_help("the weights may be damaged, or too large for the number type the model computes in")
}
