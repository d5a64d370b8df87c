//! Walks a prefix tree with a decoder's caches.
//!
//! Each pass goes on with the nodes that are running, then starts new ones, children of the node that was started last
//! before all others, until the pass has `batch_tokens` tokens. A node's cache is kept until its last child has started;
//! that child goes on in it, the others in forks of it.
//!
//! **The bound.** A node is started only if all caches together, each counted with the length that it may grow to, leave
//! room for the node's `peak` within `cache_tokens`. So the positions held never exceed `cache_tokens`; what forks
//! share counts once, or for each if the decoder copies it. And the walk never gets stuck: if nothing runs, take the node
//! that was started last. Room for its peak was there when it was started, and what else was held then can only have
//! been freed since; so its next child can start.
//!
//! **What is kept.** Beginnings that may recur stay in their caches when the walk is over, and a node whose first
//! tokens an earlier walk has computed begins in a fork of what was kept. All that is kept gives way, the longest
//! unused first, before a node has to wait for room: no batch is slower for it, and the argument above holds as if
//! there were nothing. It is for decoders whose forks share memory: otherwise to keep something, and to go on from it,
//! would be a copy each.

use crate::caches::{Caches, Holdings};
use crate::kept::{Scores, Spared};
use crate::limits::Limits;
use crate::log_softmax::TokenScore;
use crate::prefix_tree::Tree;
use crate::{CacheId, CacheLayout, Decoder, Segment};
use examiner_api::{ErrorCode, PluginError, Result};
use std::collections::BTreeMap;
use std::ops::Range;

/// What is to be done at the nodes. Offsets are counted from a node's first token.
pub(crate) trait Work {
    /// The tokens that a node begins with; none if it is not to be computed any more.
    fn begin(&mut self, node: usize) -> Option<Vec<u32>>;

    /// The offsets in the range after which logits are wanted, ascending.
    fn wanted(&self, node: usize, offsets: Range<usize>) -> Vec<usize>;

    /// Takes rows of logits, each with its node and offset.
    fn take(&mut self, rows: &[(usize, usize)], logits: &[f32]);

    /// After all tokens of a node so far: one more, or none at its end.
    fn more(&mut self, node: usize) -> Option<u32>;

    /// How many of a node's first tokens need not be computed, where keys and values of the first `known.len()` are
    /// there, and this is known of them: those up to the first whose logits are wanted, and would say something else.
    fn spared(&self, node: usize, known: &[Option<TokenScore>]) -> usize {
        self.wanted(node, 0..known.len()).first().copied().unwrap_or(known.len())
    }

    /// A node's first `count` tokens are not computed: this is known of its tokens.
    fn spare(&mut self, node: usize, count: usize, known: &[Option<TokenScore>]) {
        let _ = (node, count, known);
    }

    /// What is known of all tokens up to the end of a node, which has just been computed.
    fn known(&self, node: usize) -> Scores {
        let _ = node;
        Vec::new()
    }

    /// Nothing will come of the node and all beneath it.
    fn fail(&mut self, node: usize, error: &PluginError);

    /// Whether nothing is wanted any more.
    fn stopped(&self) -> bool;
}

/// What a walk has computed, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Walked {
    /// Of all sequences, each by itself.
    pub(crate) asked: u64,
    /// That went through the decoder.
    pub(crate) computed: u64,
    /// That did not, because an earlier walk had computed them.
    pub(crate) spared: u64,
}

/// Walks the tree. When it returns, all caches are freed but those of beginnings that are kept.
pub(crate) fn walk<D: Decoder + ?Sized>(
    decoder: &mut D,
    holdings: &mut Holdings,
    tree: &Tree,
    limits: Limits,
    work: &mut dyn Work,
) -> Walked {
    let layout = decoder.cache_layout();
    let above_roots = Open { cache: None, shared: 0, pending: pending(tree, layout, &tree.roots) };
    let open = BTreeMap::from([(0, above_roots)]);
    let caches = Caches::new(decoder, holdings, limits.kept_tokens);
    let asked = tree.nodes.iter().map(|node| (node.tokens.len() * node.members.len()) as u64).sum();
    let (running, walked) = (Vec::new(), Walked { asked, ..Walked::default() });
    let mut walk = Walk { caches, tree, limits, layout, running, open, started: 0, walked };
    while !work.stopped() {
        walk.start(work);
        if walk.running.is_empty() {
            debug_assert!(walk.open.is_empty(), "the walk is stuck");
            break;
        }
        walk.pass(work);
    }
    walk.walked
}

/// A node that is being computed.
struct Run {
    node: usize,
    cache: CacheId,
    /// Its rank among the nodes started.
    number: u64,
    /// All its tokens so far, and how many of them the cache holds.
    tokens: Vec<u32>,
    done: usize,
}

/// A computed node with children that have not started.
struct Open {
    /// None above the roots.
    cache: Option<CacheId>,
    /// Number of positions that the children share.
    shared: usize,
    /// The next one last.
    pending: Vec<usize>,
}

/// Siblings in the order in which they are started, the first one last.
fn pending(tree: &Tree, layout: CacheLayout, siblings: &[usize]) -> Vec<usize> {
    let mut pending = siblings.to_vec();
    if layout == CacheLayout::Rectangular {
        // Runs of equal length can only be computed together if they are started together.
        pending.sort_by_key(|&node| tree.nodes[node].tokens.len());
    }
    pending.reverse();
    pending
}

struct Walk<'d, 't, D: Decoder + ?Sized> {
    caches: Caches<'d, D>,
    tree: &'t Tree,
    limits: Limits,
    layout: CacheLayout,
    /// In the order in which they were started.
    running: Vec<Run>,
    /// By the rank of the node.
    open: BTreeMap<u64, Open>,
    started: u64,
    walked: Walked,
}

impl<D: Decoder + ?Sized> Walk<'_, '_, D> {
    /// Starts nodes while there are tokens to spare in the next pass, the latest branch first.
    fn start(&mut self, work: &mut dyn Work) {
        let mut demand: usize = self.running.iter().map(Run::remaining).sum();
        let mut latest = self.open.keys().next_back().copied();
        while let Some(number) = latest {
            let mut finished = false;
            while demand < self.limits.batch_tokens && self.running.len() < self.limits.sequences {
                let Some((node, spared)) = self.next_child(number, work) else { break };
                let Some(tokens) = work.begin(node) else { continue };
                match self.cache_for(node, number, spared.as_ref()) {
                    Ok(cache) => {
                        self.started += 1;
                        let done = spared.as_ref().map_or(0, |spared| spared.count);
                        self.walked.spared += done as u64;
                        spared.into_iter().for_each(|spared| work.spare(node, spared.count, &spared.scores));
                        let run = Run { node, cache, number: self.started, tokens, done };
                        if run.remaining() == 0 {
                            self.finish(run, work);
                            finished = true;
                            break;
                        }
                        demand += run.remaining();
                        self.running.push(run);
                    }
                    Err(error) => work.fail(node, &error),
                }
            }
            if self.open.get(&number).is_some_and(|open| open.pending.is_empty())
                && let Some(cache) = self.open.remove(&number).and_then(|open| open.cache)
            {
                self.caches.free(cache);
            }
            // The children of one that needed no computing go first.
            let mut earlier = if finished { self.open.range(..) } else { self.open.range(..number) };
            latest = earlier.next_back().map(|(&number, _)| number);
        }
    }

    /// Takes the next child of an open node, if there is room for it and all beneath it; and what of it was computed
    /// before.
    fn next_child(&mut self, number: u64, work: &dyn Work) -> Option<(usize, Option<Spared>)> {
        let open = self.open.get(&number)?;
        let child = *open.pending.last()?;
        let inherited = match (open.cache, open.pending.len()) {
            // What it inherits is among what is held and, if peaks count whole caches, in its peak as well.
            (Some(cache), 1) if self.tree.copied => self.caches.length(cache),
            _ => 0,
        };
        let peak = self.tree.nodes[child].peak;
        loop {
            let found = self.kept(child, work);
            let spared = found.as_ref().map_or(0, |spared| spared.count);
            if self.caches.held() - inherited + peak - spared <= self.limits.cache_tokens {
                self.open.get_mut(&number)?.pending.pop();
                return Some((child, found));
            }
            let fits_without =
                self.caches.held() - inherited + peak <= self.limits.cache_tokens + self.caches.evictable();
            if !fits_without || !self.caches.evict() {
                return None;
            }
        }
    }

    /// What an earlier walk has computed of a node.
    fn kept(&mut self, node: usize, work: &dyn Work) -> Option<Spared> {
        let this = &self.tree.nodes[node];
        if this.tail || !self.caches.keeps_anything() {
            return None;
        }
        self.caches.find(&self.tree.path(node), this.start, |known| work.spared(node, known))
    }

    /// The cache that a child goes on in.
    fn cache_for(&mut self, child: usize, parent: u64, spared: Option<&Spared>) -> Result<CacheId> {
        let (start, length) = (self.tree.nodes[child].start, self.tree.nodes[child].length);
        if let Some(&Spared { cache, count, .. }) = spared {
            return self.caches.fork(cache, start + count, length);
        }
        let open = self.open.get_mut(&parent);
        let Some((open, cache)) = open.and_then(|open| open.cache.map(|cache| (open, cache))) else {
            return self.caches.make(length);
        };
        if open.pending.is_empty() {
            open.cache = None;
            self.caches.reserve(cache, length);
            return Ok(cache);
        }
        self.caches.fork(cache, open.shared, length)
    }

    /// Computes a pass and hands on its logits.
    fn pass(&mut self, work: &mut dyn Work) {
        let plan = self.plan();
        let wanted: Vec<Vec<usize>> = (plan.iter())
            .map(|&(run, count)| {
                let Run { node, done, .. } = self.running[run];
                work.wanted(node, done..done + count).into_iter().map(|offset| offset - done).collect()
            })
            .collect();
        let (running, caches) = (&self.running, &mut self.caches);
        let segments: Vec<Segment<'_>> = (plan.iter().zip(&wanted))
            .map(|(&(run, count), wanted)| {
                let run = &running[run];
                Segment { cache: run.cache, tokens: &run.tokens[run.done..run.done + count], wanted }
            })
            .collect();
        let vocabulary = caches.decoder.vocabulary();
        let outcome = caches.decoder.forward(&segments, &mut |rows, logits| {
            let mut offsets = Vec::with_capacity(rows.len());
            for row in rows {
                if wanted.get(row.segment).is_none_or(|wanted| wanted.binary_search(&row.index).is_err()) {
                    return Err(broken(format!("logits that were not asked for ({row:?})")));
                }
                let run = &running[plan[row.segment].0];
                offsets.push((run.node, run.done + row.index));
            }
            if logits.len() != rows.len() * vocabulary {
                return Err(broken(format!("{} logits for {} rows of {vocabulary}", logits.len(), rows.len())));
            }
            work.take(&offsets, logits);
            Ok(())
        });
        match outcome {
            Ok(()) => {
                for &(run, count) in &plan {
                    let of_answer = self.tree.nodes[self.running[run].node].tail;
                    self.walked.computed += count as u64;
                    self.walked.asked += if of_answer { count as u64 } else { 0 };
                }
                self.advance(&plan, work);
            }
            Err(error) => self.abandon(&plan, work, &error),
        }
    }

    /// Which runs go into the next pass, each with its number of tokens.
    fn plan(&self) -> Vec<(usize, usize)> {
        let mut left = self.limits.batch_tokens;
        let mut take = |count: usize| {
            let count = count.min(left);
            left -= count;
            count
        };
        match self.layout {
            CacheLayout::Ragged => (self.running.iter().enumerate())
                .map(|(index, run)| (index, take(run.remaining())))
                .take_while(|&(_, count)| count > 0)
                .collect(),
            CacheLayout::Rectangular => {
                // The shortest past goes first: it catches up with others and then goes on with them.
                let shape = |run: &Run| (self.past(run), run.remaining().min(self.limits.batch_tokens));
                let Some((past, count)) = self.running.iter().map(shape).min() else { return Vec::new() };
                (self.running.iter().enumerate())
                    .filter(|(_, run)| shape(run) == (past, count))
                    .take(self.limits.batch_tokens / count)
                    .map(|(index, _)| (index, count))
                    .collect()
            }
        }
    }

    /// Number of positions that a run's cache holds.
    fn past(&self, run: &Run) -> usize {
        self.tree.nodes[run.node].start + run.done
    }

    /// Goes on after a pass: finished nodes make way for their children.
    fn advance(&mut self, plan: &[(usize, usize)], work: &mut dyn Work) {
        for &(index, count) in plan {
            self.running[index].done += count;
        }
        for run in std::mem::take(&mut self.running) {
            self.go_on(run, work);
        }
    }

    /// Goes on with a node that has been in a pass.
    fn go_on(&mut self, mut run: Run, work: &mut dyn Work) {
        if run.remaining() == 0 {
            match work.more(run.node) {
                Some(token) => run.tokens.push(token),
                None => return self.finish(run, work),
            }
        }
        self.running.push(run);
    }

    /// Makes way for the children of a node.
    fn finish(&mut self, run: Run, work: &dyn Work) {
        let node = &self.tree.nodes[run.node];
        if node.recurs {
            self.caches.keep(node.length, run.cache, || (self.tree.path(run.node), work.known(run.node)));
        }
        if node.children.is_empty() {
            self.caches.free(run.cache);
        } else {
            let pending = pending(self.tree, self.layout, &node.children);
            self.open.insert(run.number, Open { cache: Some(run.cache), shared: node.length, pending });
        }
    }

    /// Gives up what was in a pass that failed. The rest goes on.
    fn abandon(&mut self, plan: &[(usize, usize)], work: &mut dyn Work, error: &PluginError) {
        for &(index, _) in plan.iter().rev() {
            let run = self.running.remove(index);
            self.caches.free(run.cache);
            work.fail(run.node, error);
        }
    }
}

impl Run {
    fn remaining(&self) -> usize {
        self.tokens.len() - self.done
    }
}

fn broken(found: String) -> PluginError {
    PluginError::new(ErrorCode::Protocol, format!("the decoder gave {found}"))
}
