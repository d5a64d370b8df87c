//! The compressed prefix tree of a batch's sequences: what several sequences begin with is in it once.
//!
//! The sequences are sorted, so that those that go through a node are neighbours, and what the first and the last of
//! them have in common, all of them have.

use crate::Decoder;
use examiner_api::SampleRef;
use std::ops::Range;

/// How much sequences share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Common beginnings are computed once. The decoder must be able to fork.
    Prefixes {
        /// Whether a fork takes memory for the positions that it shares.
        copied: bool,
    },
    /// Sequences that are equal are computed once.
    Duplicates,
    /// Each sequence is computed by itself.
    Nothing,
}

impl Sharing {
    /// What sequences share in the caches of a decoder that can fork.
    pub(crate) fn prefixes<D: Decoder + ?Sized>(decoder: &D) -> Self {
        Sharing::Prefixes { copied: !decoder.forks_share_memory() }
    }
}

/// A sequence to be put into the tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence<'a> {
    /// At least one token.
    pub(crate) tokens: &'a [u32],
    /// For a sequence that goes on growing after its tokens: by how many positions at most. It then gets a [`Node`] of its
    /// own behind them, a tail.
    pub(crate) tail: Option<usize>,
    /// Equal for the sequences of one question.
    pub(crate) question: usize,
}

/// Numbers the questions of requests that are given question by question: equal for those of one.
pub(crate) fn questions<'a>(samples: impl Iterator<Item = &'a SampleRef>) -> Vec<usize> {
    let mut last = None;
    let mut count = 0;
    let number = |sample: &'a SampleRef| {
        let of = (&sample.dataset, &sample.id);
        count += usize::from(last.replace(of) != Some(of));
        count
    };
    samples.map(number).collect()
}

/// A run of tokens without a branch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Number of positions before it.
    pub(crate) start: usize,
    /// Empty for a tail.
    pub(crate) tokens: Vec<u32>,
    /// Number of positions at its end, at most.
    pub(crate) length: usize,
    /// Greater than the node's own index.
    pub(crate) children: Vec<usize>,
    /// Which of [`Tree::order`] go through it; exactly one for a tail.
    pub(crate) members: Range<usize>,
    /// Whether it is a tail.
    pub(crate) tail: bool,
    /// None for a root.
    pub(crate) parent: Option<usize>,
    /// Whether sequences of later batches may begin with what ends here: several questions do, or the last one does.
    pub(crate) recurs: bool,
    /// Number of cached positions with which the node and all beneath it can be computed, one branch after another; those
    /// before the node count only if forks are copied.
    pub(crate) peak: usize,
}

/// A prefix tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) roots: Vec<usize>,
    /// The indices of the sequences, sorted so that each node's are neighbours.
    pub(crate) order: Vec<usize>,
    /// Whether peaks count for each cache what it could share with others.
    pub(crate) copied: bool,
}

impl Tree {
    /// Puts sequences into a tree.
    ///
    /// Where forks are copied, a branch is made only if it can be worked off within `cache_tokens` cached positions: the
    /// sum of the lengths of all branching nodes on the way to a leaf, plus that leaf's length. Sequences for which that
    /// is too much share what comes before. It follows that a root's `peak` is at most `cache_tokens`, if every
    /// sequence by itself is.
    pub(crate) fn new(sequences: &[Sequence<'_>], sharing: Sharing, cache_tokens: usize) -> Tree {
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        if sharing != Sharing::Nothing {
            order.sort_by_key(|&i| (sequences[i].tokens, i));
        }
        let copied = sharing != Sharing::Prefixes { copied: false };
        let mut tree = Tree { nodes: Vec::new(), roots: Vec::new(), order, copied };
        let mut open = vec![Opening { members: 0..sequences.len(), depth: 0, parent: None, held: 0 }];
        while let Some(opening) = open.pop() {
            tree.grow(opening, sequences, sharing, cache_tokens, &mut open);
        }
        tree.finish(sequences);
        tree
    }

    /// All tokens from the beginning to the end of a node.
    pub(crate) fn path(&self, node: usize) -> Vec<u32> {
        let mut path = Vec::with_capacity(self.nodes[node].length);
        let upwards = std::iter::successors(Some(node), |&node| self.nodes[node].parent).collect::<Vec<_>>();
        upwards.into_iter().rev().for_each(|node| path.extend_from_slice(&self.nodes[node].tokens));
        path
    }

    /// Adds the children of a node, or the roots.
    fn grow(
        &mut self,
        at: Opening,
        sequences: &[Sequence<'_>],
        sharing: Sharing,
        cache_tokens: usize,
        open: &mut Vec<Opening>,
    ) {
        let Opening { mut members, depth, parent, held } = at;
        while !members.is_empty() {
            let first = sequences[self.order[members.start]];
            if first.tokens.len() == depth {
                if let Some(room) = first.tail {
                    let node = Node::new(depth, &[], depth + room, members.start..members.start + 1);
                    self.add(parent, Node { tail: true, ..node });
                }
                members.start += 1;
                continue;
            }
            let alike = |i: &usize| match sharing {
                Sharing::Prefixes { .. } => sequences[*i].tokens[depth] == first.tokens[depth],
                Sharing::Duplicates => first.tail.is_none() && sequences[*i].tokens == first.tokens,
                Sharing::Nothing => false,
            };
            let mut size = self.order[members.clone()].iter().take_while(|i| alike(i)).count().max(1);
            let last = sequences[self.order[members.start + size - 1]];
            let mut end = depth + common_length(&first.tokens[depth..], &last.tokens[depth..]);
            let group = &self.order[members.start..members.start + size];
            let longest = group.iter().map(|&i| sequences[i].tokens.len() + sequences[i].tail.unwrap_or(0)).max();
            let branches = size > 1 && (first.tail.is_some() || first.tokens != last.tokens);
            let copied = sharing == Sharing::Prefixes { copied: true };
            if copied && branches && held + end + longest.unwrap_or(0) > cache_tokens {
                let equal = |i: &usize| first.tail.is_none() && sequences[*i].tokens == first.tokens;
                size = group.iter().take_while(|i| equal(i)).count().max(1);
                end = first.tokens.len();
            }
            let group = members.start..members.start + size;
            let node = self.add(parent, Node::new(depth, &first.tokens[depth..end], end, group.clone()));
            open.push(Opening { members: group, depth: end, parent: Some(node), held: held + end });
            members.start += size;
        }
    }

    fn add(&mut self, parent: Option<usize>, node: Node) -> usize {
        let index = self.nodes.len();
        self.nodes.push(Node { parent, ..node });
        match parent {
            Some(parent) => self.nodes[parent].children.push(index),
            None => self.roots.push(index),
        }
        index
    }

    /// Puts siblings in the order in which their first sequence was given, works out the peaks, and finds what may
    /// recur.
    fn finish(&mut self, sequences: &[Sequence<'_>]) {
        let mut earliest = vec![usize::MAX; self.nodes.len()];
        for index in (0..self.nodes.len()).rev() {
            let node = &mut self.nodes[index];
            let members = &self.order[node.members.clone()];
            earliest[index] = members.iter().copied().min().unwrap_or(usize::MAX);
            let of_several = members.iter().any(|&i| sequences[i].question != sequences[members[0]].question);
            node.recurs = !node.tail && (of_several || members.contains(&(sequences.len() - 1)));
            let mut children = std::mem::take(&mut node.children);
            children.sort_by_key(|&child| earliest[child]);
            let beneath = children.iter().map(|&child| self.nodes[child].peak).max().unwrap_or(0);
            let node = &mut self.nodes[index];
            node.peak = match (self.copied, children.len()) {
                (false, _) => node.length - node.start + beneath,
                // An only child goes on in its parent's cache.
                (true, 0 | 1) => beneath.max(node.length),
                (true, _) => node.length + beneath,
            };
            node.children = children;
        }
        self.roots.sort_by_key(|&root| earliest[root]);
    }
}

impl Node {
    fn new(start: usize, tokens: &[u32], length: usize, members: Range<usize>) -> Node {
        let (tokens, children, tail, parent) = (tokens.to_vec(), Vec::new(), false, None);
        Node { start, tokens, length, children, members, tail, parent, recurs: false, peak: 0 }
    }
}

/// A node whose children are still to be made.
struct Opening {
    members: Range<usize>,
    depth: usize,
    parent: Option<usize>,
    /// Sum of the lengths of the nodes from the root to this one.
    held: usize,
}

/// Number of tokens that both begin with.
pub(crate) fn common_length(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(tokens: &[Vec<u32>]) -> Vec<Sequence<'_>> {
        tokens.iter().map(|tokens| Sequence { tokens, tail: None, question: 0 }).collect()
    }

    fn size(tree: &Tree) -> usize {
        tree.nodes.iter().map(|node| node.tokens.len()).sum()
    }

    /// Every sequence, read off the tree from the root down.
    fn read_back(tree: &Tree, count: usize) -> Vec<Vec<u32>> {
        let mut found = vec![Vec::new(); count];
        let mut stack: Vec<(usize, Vec<u32>)> = tree.roots.iter().map(|&root| (root, Vec::new())).collect();
        while let Some((index, before)) = stack.pop() {
            let node = &tree.nodes[index];
            assert_eq!(node.start, before.len());
            let text = [before, node.tokens.clone()].concat();
            for &member in &tree.order[node.members.clone()] {
                if text.len() > found[member].len() {
                    found[member].clone_from(&text);
                }
            }
            stack.extend(node.children.iter().map(|&child| (child, text.clone())));
        }
        found
    }

    #[test]
    fn a_common_beginning_stands_once() {
        let tokens = [vec![1, 2, 3, 4], vec![1, 2, 5], vec![1, 2, 3, 4], vec![9]];
        assert_eq!(size(&Tree::new(&plain(&tokens), Sharing::Prefixes { copied: true }, 100)), 6);
        assert_eq!(size(&Tree::new(&plain(&tokens), Sharing::Duplicates, 100)), 8);
        assert_eq!(size(&Tree::new(&plain(&tokens), Sharing::Nothing, 100)), 12);
    }

    #[test]
    fn a_branch_that_would_hold_too_much_is_not_made() {
        let tokens = [vec![1, 2, 3, 4], vec![1, 2, 5, 6]];
        let shared = Tree::new(&plain(&tokens), Sharing::Prefixes { copied: true }, 6);
        assert_eq!((size(&shared), shared.roots.len(), shared.nodes[shared.roots[0]].peak), (6, 1, 6));
        let apart = Tree::new(&plain(&tokens), Sharing::Prefixes { copied: true }, 5);
        assert_eq!((size(&apart), apart.roots.len(), apart.nodes[apart.roots[0]].peak), (8, 2, 4));
        // Where forks share memory, a branch never holds more than its longest path.
        let shared = Tree::new(&plain(&tokens), Sharing::Prefixes { copied: false }, 4);
        assert_eq!((size(&shared), shared.nodes[shared.roots[0]].peak), (6, 4));
    }

    #[test]
    fn equal_prompts_have_a_tail_each() {
        let tokens = [vec![1, 2], vec![1, 2]];
        let sequences: Vec<_> = tokens.iter().map(|tokens| Sequence { tokens, tail: Some(10), question: 0 }).collect();
        let tree = Tree::new(&sequences, Sharing::Prefixes { copied: true }, 100);
        assert_eq!((tree.nodes.len(), size(&tree)), (3, 2));
        assert_eq!(tree.nodes[tree.roots[0]].peak, 14);
        assert!(tree.nodes[tree.roots[0]].children.iter().all(|&child| tree.nodes[child].tail));
    }

    #[test]
    fn what_several_questions_or_the_last_one_begin_with_may_recur() {
        let of = |tokens: &'static [u32], question| Sequence { tokens, tail: None, question };
        let sequences = [of(&[1, 2, 3, 4], 0), of(&[1, 2, 3, 5], 0), of(&[1, 2, 6, 7], 1), of(&[1, 2, 6, 8], 1)];
        let tree = Tree::new(&sequences, Sharing::Prefixes { copied: false }, 100);
        let mut recurring: Vec<Vec<u32>> =
            (0..tree.nodes.len()).filter(|&node| tree.nodes[node].recurs).map(|node| tree.path(node)).collect();
        recurring.sort();
        assert_eq!(recurring, [vec![1, 2], vec![1, 2, 6], vec![1, 2, 6, 8]]);
    }

    proptest! {
        #[test]
        fn every_sequence_can_be_read_back_and_the_bound_holds(
            tokens in prop::collection::vec(prop::collection::vec(0_u32..3, 1..12), 1..20),
            tail in prop::option::of(0_usize..5),
            room in 0_usize..40,
        ) {
            let sequences: Vec<_> = tokens.iter().map(|tokens| Sequence { tokens, tail, question: 0 }).collect();
            let longest = tokens.iter().map(Vec::len).max().unwrap() + tail.unwrap_or(0);
            let prefixes = [true, false].map(|copied| Sharing::Prefixes { copied });
            for sharing in prefixes.into_iter().chain([Sharing::Duplicates, Sharing::Nothing]) {
                let tree = Tree::new(&sequences, sharing, longest + room);
                prop_assert_eq!(&read_back(&tree, tokens.len()), &tokens);
                prop_assert!(tree.roots.iter().all(|&root| tree.nodes[root].peak <= longest + room));
                let tails = tree.nodes.iter().filter(|node| node.tail).count();
                prop_assert_eq!(tails, if tail.is_some() { tokens.len() } else { 0 });
            }
        }
    }
}
