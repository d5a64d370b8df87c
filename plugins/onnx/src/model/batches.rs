//! Which segments of a pass share a call of the graph.
//!
//! A graph takes a rectangle: as many rows as there are segments, as many tokens as the longest has, and a past as long
//! as the longest. What is shorter is padded and masked, which costs work; a call of its own costs one more reading of
//! the weights. So segments are sorted by shape, and a segment joins the call before it if that is cheaper than one of
//! its own.

/// A segment as far as a call depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Positions of its past, holes included.
    pub(crate) past: usize,
    /// Its new tokens.
    pub(crate) tokens: usize,
    /// Its group of caches, and its row there: neighbours there need not be copied to stand together again.
    pub(crate) neighbours: (u64, usize),
}

/// What a call costs besides its rows, in tokens computed: about what reading all weights once takes.
const CALL: usize = 32;
/// How many positions of past cost as much as one token computed. They are copied once or twice.
const POSITIONS_PER_TOKEN: usize = 64;

/// A call that grows.
struct Call {
    members: Vec<usize>,
    past: usize,
    tokens: usize,
}

impl Call {
    fn cost(rows: usize, past: usize, tokens: usize) -> usize {
        CALL * POSITIONS_PER_TOKEN + rows * (tokens * POSITIONS_PER_TOKEN + past + tokens)
    }
}

/// The calls of a pass, each a list of segments by their index. Without `padding`, only segments of one shape share one.
/// No call's padded sequences are longer than `longest`, unless a single segment is.
pub(crate) fn calls(extents: &[Extent], padding: bool, longest: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..extents.len()).collect();
    order.sort_by_key(|&index| (extents[index].tokens, extents[index].past, extents[index].neighbours));
    let mut calls: Vec<Call> = Vec::new();
    for index in order.into_iter().rev() {
        let Extent { past, tokens, .. } = extents[index];
        let joined = calls.last_mut().filter(|call| {
            let (wider, longer) = (call.past.max(past), call.tokens.max(tokens));
            let rows = call.members.len();
            match padding {
                false => (call.past, call.tokens) == (past, tokens),
                true => {
                    let together = Call::cost(rows + 1, wider, longer);
                    let apart = Call::cost(rows, call.past, call.tokens) + Call::cost(1, past, tokens);
                    wider + longer <= longest && together <= apart
                }
            }
        });
        match joined {
            Some(call) => {
                call.members.push(index);
                (call.past, call.tokens) = (call.past.max(past), call.tokens.max(tokens));
            }
            None => calls.push(Call { members: vec![index], past, tokens }),
        }
    }
    let mut calls: Vec<Vec<usize>> = calls.into_iter().map(|call| call.members).collect();
    for members in &mut calls {
        members.sort_by_key(|&index| (extents[index].neighbours, index));
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn extent(past: usize, tokens: usize) -> Extent {
        Extent { past, tokens, neighbours: (0, 0) }
    }

    #[test]
    fn growing_answers_go_together_and_a_long_prompt_by_itself() {
        let mut extents: Vec<Extent> = (0..16).map(|row| extent(100 + row, 1)).collect();
        extents.push(extent(0, 600));
        let calls = calls(&extents, true, 1024);
        assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [1, 16]);
    }

    #[test]
    fn without_padding_only_equal_shapes_go_together() {
        let extents = [extent(3, 1), extent(4, 1), extent(3, 1), extent(3, 2)];
        let mut calls = calls(&extents, false, 1024);
        calls.sort();
        assert_eq!(calls, [vec![0, 2], vec![1], vec![3]]);
    }

    proptest! {
        #[test]
        fn every_segment_is_in_one_call_and_padding_stays_cheap(
            shapes in prop::collection::vec((0usize..400, 1usize..200), 1..40), padding: bool,
        ) {
            let extents: Vec<Extent> = shapes.iter().map(|&(past, tokens)| extent(past, tokens)).collect();
            let calls = calls(&extents, padding, 512);
            let mut all: Vec<usize> = calls.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..extents.len()).collect::<Vec<_>>());
            for call in &calls {
                let (past, tokens) = (
                    call.iter().map(|&index| extents[index].past).max().unwrap(),
                    call.iter().map(|&index| extents[index].tokens).max().unwrap(),
                );
                prop_assert!(past + tokens <= 512 || call.len() == 1);
                let alone: usize = call.iter().map(|&index| Call::cost(1, extents[index].past, extents[index].tokens)).sum();
                prop_assert!(Call::cost(call.len(), past, tokens) <= alone);
            }
        }
    }
}
