//! Log-likelihoods of many sequences at once.

use crate::caches::Holdings;
use crate::divergence::{NoDivergence, RowDivergence, divergence};
use crate::kept::Scores;
use crate::limits::Limits;
use crate::log_softmax::{RowSummary, TokenScore, summarize};
use crate::prefix_tree::{Sequence, Sharing, Tree};
use crate::scheduler::{Walked, Work, walk};
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

/// A sequence that is to be scored.
pub(crate) struct Scored {
    pub(crate) id: u64,
    /// Equal for the sequences of one question.
    pub(crate) question: usize,
    pub(crate) split: Split,
}

/// Scores sequences. The sink gets one response for each, as soon as its last logits are there, unless it asks to stop.
/// When this returns, the decoder holds the caches that `holdings` tells of.
pub(crate) fn score<D: Decoder + ?Sized>(
    decoder: &mut D,
    holdings: &mut Holdings,
    rows: Rows,
    requests: Vec<Scored>,
    share_prefixes: bool,
    limits: Limits,
    sink: &dyn Sink<Response<ScoreResult>>,
) -> Walked {
    let sharing = match (share_prefixes, decoder.can_fork()) {
        (true, true) => Sharing::prefixes(decoder),
        (true, false) => Sharing::Duplicates,
        (false, _) => Sharing::Nothing,
    };
    // Scored sequences are done after a pass or two; how many there are at once follows from the other limits.
    let limits = Limits { sequences: usize::MAX, ..limits };
    let sequences: Vec<_> = (requests.iter())
        .map(|Scored { question, split, .. }| Sequence { tokens: split.inputs(), tail: None, question: *question })
        .collect();
    let tree = Tree::new(&sequences, sharing, limits.cache_tokens);
    let targets = tree.nodes.iter().map(|node| targets(&requests, &tree, node.start, node.length, &node.members));
    let targets: Vec<_> = targets.collect();
    let progress = requests.into_iter().map(|scored| Progress::new(scored, rows)).collect();
    let width = decoder.vocabulary();
    let mut scoring = Scoring { tree: &tree, targets, progress, rows, width, sink, stopped: false };
    let walked = walk(decoder, holdings, &tree, limits, &mut scoring);
    let missing = PluginError::new(ErrorCode::Protocol, "the decoder did not give all logits it was asked for");
    for sequence in 0..scoring.progress.len() {
        scoring.fail_sequence(sequence, &missing);
    }
    walked
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
fn targets(requests: &[Scored], tree: &Tree, start: usize, end: usize, members: &Range<usize>) -> Vec<Target> {
    let mut targets = Vec::new();
    for &sequence in &tree.order[members.clone()] {
        let split = &requests[sequence].split;
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
    /// By scored token, where it is known.
    scores: Scores,
    /// In nats, by scored token; empty without a base. They are added up in the order of the text, whenever they come.
    divergences: Vec<f64>,
    same_top: u32,
    rows: Rows,
    missing: usize,
    answered: bool,
}

impl Progress {
    fn new(Scored { id, split, .. }: Scored, rows: Rows) -> Self {
        let missing = split.targets().len();
        let scores = vec![None; missing];
        let divergences = vec![0.0; if rows == Rows::Model { 0 } else { missing }];
        Progress { id, split, scores, divergences, same_top: 0, rows, missing, answered: false }
    }

    fn result(&mut self) -> ScoreResult {
        let scores: Vec<TokenScore> = std::mem::take(&mut self.scores).into_iter().flatten().collect();
        let token_logprobs: Vec<f32> = scores.iter().map(|score| score.logprob).collect();
        let divergence = Divergence { nats: self.divergences.iter().sum(), same_top: self.same_top };
        ScoreResult {
            sum: token_logprobs.iter().map(|&logprob| f64::from(logprob)).sum(),
            is_greedy: scores.iter().all(|score| score.is_greedy),
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

    /// Takes what was computed for a target, now or before.
    fn take_score(&mut self, target: Target, score: TokenScore) {
        let progress = &mut self.progress[target.sequence];
        // Nothing comes any more of one that failed.
        if progress.answered {
            return;
        }
        progress.missing -= usize::from(progress.scores[target.slot].replace(score).is_none());
        if progress.missing == 0 {
            self.send(target.sequence, Ok(()));
        }
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
                match read {
                    Ok((summary, divergence)) => {
                        let progress = &mut self.progress[target.sequence];
                        if let Some(RowDivergence { nats, same_top }) = divergence {
                            progress.divergences[target.slot] = nats;
                            progress.same_top += u32::from(same_top);
                        }
                        self.take_score(target, summary.score(row, target.token));
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

    /// All sequences through a node go on alike up to its end. Behind its last token they may differ.
    fn spared(&self, node: usize, known: &[Option<TokenScore>]) -> usize {
        let is_known = |offset: usize| known.get(offset + 1).is_some_and(Option::is_some);
        let first = self.at(node, 0..known.len()).iter().map(|target| target.offset).find(|&offset| !is_known(offset));
        first.unwrap_or(known.len())
    }

    fn spare(&mut self, node: usize, count: usize, known: &[Option<TokenScore>]) {
        for target in self.at(node, 0..count).to_vec() {
            if let Some(Some(score)) = known.get(target.offset + 1) {
                self.take_score(target, *score);
            }
        }
    }

    fn known(&self, node: usize) -> Scores {
        let node = &self.tree.nodes[node];
        let through = self.tree.order[node.members.clone()].iter().map(|&sequence| &self.progress[sequence]);
        let longest = through.filter(|progress| !progress.answered).min_by_key(|progress| progress.split.first_target);
        let Some(Progress { split, scores, .. }) = longest else { return Vec::new() };
        let first = split.first_target;
        (0..node.length).map(|position| scores[position.checked_sub(first)?]).collect()
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
