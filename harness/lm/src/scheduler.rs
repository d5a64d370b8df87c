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

use crate::caches::Caches;
use crate::prefix_tree::Tree;
use crate::{CacheId, CacheLayout, Decoder, LocalOptions, Segment};
use examiner_api::{ErrorCode, PluginError, Result};
use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes of keys and values that are kept if the suite sets no limit.
const DEFAULT_CACHE_BYTES: usize = 2 << 30;

/// What a walk may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Tokens in one pass.
    pub(crate) batch_tokens: usize,
    /// Positions in all caches together. At least the `peak` of every root.
    pub(crate) cache_tokens: usize,
    /// Nodes that run at the same time.
    pub(crate) sequences: usize,
}

impl Limits {
    /// What the options leave to a decoder.
    pub(crate) fn new<D: Decoder + ?Sized>(decoder: &D, options: &LocalOptions) -> Self {
        let fit = DEFAULT_CACHE_BYTES / decoder.cache_bytes_per_token().max(1);
        Limits {
            batch_tokens: options.max_batch_tokens,
            cache_tokens: options.max_cache_tokens.unwrap_or(fit).max(decoder.context_length()),
            sequences: options.max_sequences,
        }
    }
}

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

    /// Nothing will come of the node and all beneath it.
    fn fail(&mut self, node: usize, error: &PluginError);

    /// Whether nothing is wanted any more.
    fn stopped(&self) -> bool;
}

/// Walks the tree. When it returns, all caches are freed.
pub(crate) fn walk<D: Decoder + ?Sized>(decoder: &mut D, tree: &Tree, limits: Limits, work: &mut dyn Work) {
    let layout = decoder.cache_layout();
    let above_roots = Open { cache: None, shared: 0, pending: pending(tree, layout, &tree.roots) };
    let open = BTreeMap::from([(0, above_roots)]);
    let mut walk = Walk { caches: Caches::new(decoder), tree, limits, layout, running: Vec::new(), open, started: 0 };
    while !work.stopped() {
        walk.start(work);
        if walk.running.is_empty() {
            debug_assert!(walk.open.is_empty(), "the walk is stuck");
            break;
        }
        walk.pass(work);
    }
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
}

impl<D: Decoder + ?Sized> Walk<'_, '_, D> {
    /// Starts nodes while there are tokens to spare in the next pass, the latest branch first.
    fn start(&mut self, work: &mut dyn Work) {
        let mut demand: usize = self.running.iter().map(Run::remaining).sum();
        let numbers: Vec<u64> = self.open.keys().rev().copied().collect();
        for number in numbers {
            while demand < self.limits.batch_tokens && self.running.len() < self.limits.sequences {
                let Some(node) = self.next_child(number) else { break };
                let Some(tokens) = work.begin(node) else { continue };
                match self.cache_for(node, number) {
                    Ok(cache) => {
                        self.started += 1;
                        demand += tokens.len();
                        self.running.push(Run { node, cache, number: self.started, tokens, done: 0 });
                    }
                    Err(error) => work.fail(node, &error),
                }
            }
            if self.open.get(&number).is_some_and(|open| open.pending.is_empty())
                && let Some(cache) = self.open.remove(&number).and_then(|open| open.cache)
            {
                self.caches.free(cache);
            }
        }
    }

    /// Takes the next child of an open node, if there is room for it and all beneath it.
    fn next_child(&mut self, number: u64) -> Option<usize> {
        let open = self.open.get_mut(&number)?;
        let child = *open.pending.last()?;
        let inherited = match (open.cache, open.pending.len()) {
            // What it inherits is among what is held and, if peaks count whole caches, in its peak as well.
            (Some(cache), 1) if self.tree.copied => self.caches.length(cache),
            _ => 0,
        };
        if self.caches.held() - inherited + self.tree.nodes[child].peak > self.limits.cache_tokens {
            return None;
        }
        open.pending.pop()
    }

    /// The cache that a child goes on in.
    fn cache_for(&mut self, child: usize, parent: u64) -> Result<CacheId> {
        let length = self.tree.nodes[child].length;
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
            Ok(()) => self.advance(&plan, work),
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
        let (tree, layout, caches, open) = (self.tree, self.layout, &mut self.caches, &mut self.open);
        self.running.retain_mut(|run| {
            if run.remaining() > 0 {
                return true;
            }
            if let Some(token) = work.more(run.node) {
                run.tokens.push(token);
                return true;
            }
            let node = &tree.nodes[run.node];
            if node.children.is_empty() {
                caches.free(run.cache);
            } else {
                let pending = pending(tree, layout, &node.children);
                open.insert(run.number, Open { cache: Some(run.cache), shared: node.length, pending });
            }
            false
        });
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
