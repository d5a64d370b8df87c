//! Texts that may be longer than the model's context: cut into windows, which are scored like any other sequences, and put
//! together again.

use crate::scorer::{Rows, Scored};
use crate::split::{Split, SplitError};
use crate::{Tokenizer, split};
use examiner_api::{Divergence, Flow, PluginError, Response, ScoreRequest, ScoreResult, Sink, Span};
use std::sync::{Mutex, PoisonError};

/// The windows of a request, one mostly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Windows {
    /// In the order of the text. Each token that is scored is so in one of them.
    pub(crate) splits: Vec<Split>,
    /// Number of tokens of the whole text, with those that were put before it.
    total_tokens: usize,
}

/// Turns a request into tokens, as [`split`] does, for any [`Span`].
///
/// # Errors
/// See [`SplitError`]; `BadInput` for a stride that is not possible.
pub(crate) fn windows(
    request: &ScoreRequest,
    tokenizer: &Tokenizer,
    adds_before: bool,
    context_length: usize,
) -> Result<Windows, PluginError> {
    let text = || format!("{}{}", request.context, request.continuation);
    match request.span {
        Span::Continuation | Span::All => {
            let split = split(request, tokenizer, adds_before, context_length)?;
            Ok(Windows { total_tokens: split.total_tokens, splits: vec![split] })
        }
        Span::Rolling => {
            let tokens = tokenizer.encode_rolling(&text())?;
            let beginning = tokenizer.beginning().ok_or(SplitError::NoBeginning)?;
            Ok(rolling(beginning, &tokens, context_length))
        }
        Span::Strided(stride) => {
            let (tokens, before) = tokenizer.encode_whole(&text(), adds_before)?;
            strided(&tokens, before.max(1), stride as usize, context_length)
        }
    }
}

/// Windows that follow each other, as `get_rolling_token_windows` of lm-evaluation-harness has them with a context of one token.
fn rolling(beginning: u32, tokens: &[u32], context_length: usize) -> Windows {
    let total_tokens = tokens.len() + 1;
    let split = |tokens, first_target| Split { tokens, first_target, total_tokens, truncated_tokens: 0 };
    let first = tokens.len().min(context_length);
    let mut splits = Vec::new();
    if first > 0 {
        splits.push(split([&[beginning], &tokens[..first]].concat(), 1));
    }
    let mut scored = first;
    while scored < tokens.len() {
        let end = tokens.len().min(scored + context_length);
        // One token more than the context holds: the last one is a target alone. What is not scored is given.
        let from = end - context_length - 1;
        splits.push(split(tokens[from..end].to_vec(), scored - from));
        scored = end;
    }
    Windows { splits, total_tokens }
}

/// Windows that begin `stride` tokens after one another and hold as many tokens as the context, targets included, as in Transformers'
/// guide to perplexity.
fn strided(tokens: &[u32], first: usize, stride: usize, context_length: usize) -> Result<Windows, PluginError> {
    if stride == 0 || stride >= context_length {
        return Err(PluginError::bad_input(format!(
            "expected a stride of at least 1, and below the model's context of {context_length} tokens, found {stride}"
        ))
        .with_help("half of the context is usual; with windows that do not overlap, the first token of each would have no score"));
    }
    if tokens.len() <= first {
        return Err(SplitError::TooShort(tokens.len()).into());
    }
    let total_tokens = tokens.len();
    let (mut splits, mut begin, mut scored) = (Vec::new(), 0, first);
    while scored < tokens.len() {
        let end = tokens.len().min(begin + context_length);
        if end > scored {
            let (tokens, first_target) = (tokens[begin..end].to_vec(), scored - begin);
            splits.push(Split { tokens, first_target, total_tokens, truncated_tokens: 0 });
            scored = end;
        }
        begin += stride;
    }
    Ok(Windows { splits, total_tokens })
}

/// Puts the results of windows together. The windows of all requests are numbered in their order, from 0.
pub(crate) struct Joining<'a> {
    /// By window: which text it is of, and which of its windows.
    owners: Vec<(usize, usize)>,
    texts: Mutex<Vec<Text>>,
    rows: Rows,
    sink: &'a dyn Sink<Response<ScoreResult>>,
}

/// The windows of a text that were scored so far.
struct Text {
    id: u64,
    total_tokens: usize,
    results: Vec<ScoreResult>,
    missing: usize,
    /// Whether its response was sent.
    answered: bool,
}

impl<'a> Joining<'a> {
    /// Takes the windows of requests, each with its request's id and the number of its question, and gives those
    /// windows with numbers as ids. They are scored from such rows.
    pub(crate) fn new(
        rows: Rows,
        requests: Vec<(u64, usize, Windows)>,
        sink: &'a dyn Sink<Response<ScoreResult>>,
    ) -> (Self, Vec<Scored>) {
        let (mut owners, mut texts, mut splits) = (Vec::new(), Vec::new(), Vec::new());
        for (id, question, windows) in requests {
            let count = windows.splits.len();
            owners.extend((0..count).map(|window| (texts.len(), window)));
            texts.push(Text {
                id,
                total_tokens: windows.total_tokens,
                results: vec![ScoreResult::default(); count],
                missing: count,
                answered: false,
            });
            splits.extend(windows.splits.into_iter().map(|split| (question, split)));
        }
        let numbered = (0..).zip(splits).map(|(id, (question, split))| Scored { id, question, split }).collect();
        (Joining { owners, texts: Mutex::new(texts), rows, sink }, numbered)
    }

    /// Sends the results of texts without a token, which have no window.
    pub(crate) fn send_empty(&self) -> Flow {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        for text in texts.iter_mut().filter(|text| text.results.is_empty()) {
            text.answered = true;
            if self.sink.send(Response::ok(text.id, text.result(self.rows))) == Flow::Stop {
                return Flow::Stop;
            }
        }
        Flow::Continue
    }
}

impl Text {
    /// The result of the whole text.
    fn result(&mut self, rows: Rows) -> ScoreResult {
        let windows = std::mem::take(&mut self.results);
        // The one window of a text that fits may have been truncated; several never are.
        if let [_] = windows[..] {
            return windows.into_iter().next().unwrap_or_default();
        }
        let mut whole =
            ScoreResult { is_greedy: true, total_tokens: self.total_tokens as u32, ..ScoreResult::default() };
        let mut divergence = Divergence::default();
        for window in windows {
            let of_window = window.divergence.unwrap_or_default();
            divergence.nats += of_window.nats;
            divergence.same_top += of_window.same_top;
            whole.sum += window.sum;
            whole.is_greedy &= window.is_greedy;
            whole.scored_tokens += window.scored_tokens;
            whole.tokens.extend(window.tokens);
            whole.token_logprobs.extend(window.token_logprobs);
        }
        whole.divergence = (rows == Rows::ModelAndBase).then_some(divergence);
        whole
    }
}

impl Sink<Response<ScoreResult>> for Joining<'_> {
    fn send(&self, response: Response<ScoreResult>) -> Flow {
        let (text, window) = self.owners[response.id as usize];
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let text = &mut texts[text];
        if text.answered {
            return Flow::Continue;
        }
        let whole = match response.result {
            Ok(result) => {
                text.results[window] = result;
                text.missing -= 1;
                if text.missing > 0 {
                    return Flow::Continue;
                }
                Ok(text.result(self.rows))
            }
            Err(error) => Err(error),
        };
        text.answered = true;
        let id = text.id;
        drop(texts);
        self.sink.send(Response { id, result: whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each window's given and scored tokens.
    fn parts(windows: &Windows) -> Vec<(Vec<u32>, Vec<u32>)> {
        let of = |split: &Split| (split.tokens[..split.first_target].to_vec(), split.targets().to_vec());
        windows.splits.iter().map(of).collect()
    }

    /// What lm-evaluation-harness 0.4.13 gives for `get_rolling_token_windows(list(range(1, 10)), 0, 4, 1)` after
    /// `make_disjoint_window`, and for shorter texts.
    #[test]
    fn rolling_windows_are_those_of_lm_eval() {
        let tokens: Vec<u32> = (1..10).collect();
        let of = |length: usize| parts(&rolling(0, &tokens[..length], 4));
        assert_eq!(of(9), [(vec![0], vec![1, 2, 3, 4]), (vec![4], vec![5, 6, 7, 8]), (vec![5, 6, 7, 8], vec![9])]);
        assert_eq!(of(6), [(vec![0], vec![1, 2, 3, 4]), (vec![2, 3, 4], vec![5, 6])]);
        assert_eq!(of(4), [(vec![0], vec![1, 2, 3, 4])]);
        assert_eq!(of(2), [(vec![0], vec![1, 2])]);
        assert!(of(0).is_empty());
    }

    #[test]
    fn strided_windows_are_those_of_the_guide() {
        let tokens: Vec<u32> = (0..10).collect();
        let of = |length: usize, stride| parts(&strided(&tokens[..length], 1, stride, 4).unwrap());
        assert_eq!(
            of(9, 2),
            [(vec![0], vec![1, 2, 3]), (vec![2, 3], vec![4, 5]), (vec![4, 5], vec![6, 7]), (vec![6, 7], vec![8])]
        );
        assert_eq!(of(4, 3), [(vec![0], vec![1, 2, 3])]);
        assert_eq!(of(5, 3), [(vec![0], vec![1, 2, 3]), (vec![3], vec![4])]);
        for stride in [0, 4, 5] {
            let error = strided(&tokens, 1, stride, 4).unwrap_err();
            assert!(error.message.contains("below the model's context of 4 tokens"), "{error}");
        }
        assert!(strided(&tokens[..1], 1, 2, 4).is_err());
    }

    proptest! {
        #![proptest_config(examiner_test_support::cases(300))]

        #[test]
        fn every_token_is_scored_once_in_its_order(length in 0_usize..60, context in 2_usize..12, stride in 1_usize..11) {
            let tokens: Vec<u32> = (1..=length as u32).collect();
            let scored = |windows: &Windows| windows.splits.iter().flat_map(|split| split.targets().to_vec()).collect::<Vec<_>>();
            let whole = rolling(0, &tokens, context);
            prop_assert_eq!(scored(&whole), tokens.clone());
            for split in &whole.splits {
                prop_assert!(split.inputs().len() <= context && split.first_target > 0);
            }
            if stride < context && length > 1 {
                let whole = strided(&tokens, 1, stride, context).unwrap();
                prop_assert_eq!(scored(&whole), tokens[1..].to_vec());
                for split in &whole.splits {
                    prop_assert!(split.tokens.len() <= context && split.first_target > 0);
                }
            }
        }
    }

    #[test]
    fn a_text_is_answered_once_when_all_its_windows_are() {
        let seen = Mutex::new(Vec::new());
        let sink = |response: Response<ScoreResult>| {
            let result = response.result.map(|result| (result.sum, result.scored_tokens, result.total_tokens));
            seen.lock().unwrap().push((response.id, result.map_err(|error| error.message)));
            Flow::Continue
        };
        let text = |length: u32| rolling(0, &(1..=length).collect::<Vec<_>>(), 4);
        let (joining, splits) =
            Joining::new(Rows::Model, vec![(7, 0, text(9)), (3, 0, text(0)), (5, 1, text(6))], &sink);
        assert_eq!(
            splits.iter().map(|scored| (scored.id, scored.split.targets().len())).collect::<Vec<_>>(),
            [(0, 4), (1, 4), (2, 1), (3, 4), (4, 2)]
        );
        let _ = joining.send_empty();
        let scored = |id: u64| {
            let count = splits[id as usize].split.targets().len();
            let result = ScoreResult {
                sum: -(count as f64),
                scored_tokens: count as u32,
                token_logprobs: vec![-1.0; count],
                ..ScoreResult::default()
            };
            let _ = joining.send(Response::ok(id, result));
        };
        scored(2);
        scored(0);
        let _ = joining.send(Response::err(3, PluginError::bad_input("lost")));
        scored(4);
        scored(1);
        drop(joining);
        assert_eq!(
            seen.into_inner().unwrap(),
            [(3, Ok((0.0, 0, 1))), (5, Err("lost".to_owned())), (7, Ok((-9.0, 9, 10)))]
        );
    }
}
