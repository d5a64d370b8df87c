//! Which tokens a score request feeds to the model, and which it scores.
//!
//! The rules are those of lm-evaluation-harness, so that numbers can be compared: trailing white space of the context
//! is scored with the continuation, because most tokenizers join it to the word after it; and the continuation's tokens
//! are what the tokens of the whole text have beyond the number of tokens of the context. Tokens that the tokenizer puts
//! before a text stand before both, are never scored, and are left out where the text begins with them.

use crate::Tokenizer;
use examiner_api::{ErrorCode, PluginError, ScoreRequest, Span};

/// A request in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The sequence after truncation: at most one more than the model's context, because the last token is a target
    /// alone, never an input. At least two.
    pub tokens: Vec<u32>,
    /// The index in `tokens` of the first scored token; at least 1. All tokens from it to the end are scored.
    pub first_target: usize,
    /// Number of tokens before truncation, a beginning-of-text token included.
    pub total_tokens: usize,
    /// Number of tokens cut off on the left.
    pub truncated_tokens: usize,
}

impl Split {
    /// The tokens that are fed to the model.
    pub fn inputs(&self) -> &[u32] {
        &self.tokens[..self.tokens.len() - 1]
    }

    /// The tokens that are scored.
    pub fn targets(&self) -> &[u32] {
        &self.tokens[self.first_target..]
    }
}

/// Why a score request cannot be turned into tokens.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SplitError {
    /// There is nothing to score.
    #[error("the continuation is empty, so there is nothing to score")]
    EmptyContinuation,
    /// The tokenizer joins the continuation with the end of the context.
    #[error("the continuation {0:?} has no token of its own: the tokenizer joins it with the end of the context")]
    Absorbed(String),
    /// `Span::All` scores every token after the first.
    #[error("expected at least 2 tokens to score all after the first, found {0}")]
    TooShort(usize),
    /// A part of the continuation could not be scored, and its sum would look better than it is.
    #[error("the continuation has {tokens} tokens, but the model's context holds only {context_length}")]
    TooLong {
        /// Number of tokens of the continuation.
        tokens: usize,
        /// The model's context, in tokens.
        context_length: usize,
    },
    /// The context is empty and the model has nothing to begin with.
    #[error("the context is empty, and the model's configuration names neither `bos_token_id` nor `eos_token_id`")]
    NoBeginning,
    /// The tokenizer knows tokens that the model does not.
    #[error("token {token} of the text is not in the model's vocabulary of {vocabulary}")]
    OutsideVocabulary {
        /// The token.
        token: u32,
        /// Number of tokens that the model knows.
        vocabulary: usize,
    },
    /// The tokenizer failed.
    #[error("{0}")]
    Tokenizer(PluginError),
    /// The text is scored in windows, of which each is a split of its own.
    #[error("a text that is scored in windows is more than one sequence")]
    Windowed,
}

impl From<SplitError> for PluginError {
    fn from(error: SplitError) -> Self {
        let message = error.to_string();
        match error {
            SplitError::Tokenizer(error) => error,
            SplitError::EmptyContinuation | SplitError::TooShort(_) => PluginError::bad_input(message),
            SplitError::Absorbed(_) => PluginError::bad_input(message)
                .with_help("put a delimiter such as a space between context and continuation"),
            SplitError::TooLong { .. } => {
                PluginError::bad_input(message).with_help("use a model with a longer context")
            }
            SplitError::Windowed => {
                PluginError::new(ErrorCode::Unsupported, message).with_help("`LocalModel` scores such texts")
            }
            SplitError::NoBeginning => PluginError::new(ErrorCode::Unsupported, message)
                .with_help("give the request a context, or use `Span::All`"),
            SplitError::OutsideVocabulary { .. } => {
                PluginError::bad_input(message).with_help("check that `tokenizer.json` belongs to the checkpoint")
            }
        }
    }
}

/// Turns a request into tokens for a model with a context of `context_length` tokens, unless its span is one of windows. Where `adds_before` is false, the
/// tokenizer's tokens before a text are left out: a chat template has written its own.
///
/// # Errors
/// See [`SplitError`].
pub fn split(
    request: &ScoreRequest,
    tokenizer: &Tokenizer,
    adds_before: bool,
    context_length: usize,
) -> Result<Split, SplitError> {
    let (tokens, first_target) = match request.span {
        Span::Continuation => continuation(&request.context, &request.continuation, tokenizer, adds_before)?,
        Span::All => {
            let text = format!("{}{}", request.context, request.continuation);
            let (tokens, before) = tokenizer.encode_whole(&text, adds_before).map_err(SplitError::Tokenizer)?;
            let first_target = before.max(1);
            if tokens.len() <= first_target {
                return Err(SplitError::TooShort(tokens.len()));
            }
            (tokens, first_target)
        }
        Span::Rolling | Span::Strided(_) => return Err(SplitError::Windowed),
    };
    let total_tokens = tokens.len();
    let scored = total_tokens - first_target;
    if request.span == Span::Continuation && scored > context_length {
        return Err(SplitError::TooLong { tokens: scored, context_length });
    }
    let truncated_tokens = total_tokens.saturating_sub(context_length + 1);
    let first_target = first_target.saturating_sub(truncated_tokens).max(1);
    Ok(Split { tokens: tokens[truncated_tokens..].to_vec(), first_target, total_tokens, truncated_tokens })
}

/// All tokens, and the index of the continuation's first.
fn continuation(
    context: &str,
    continuation: &str,
    tokenizer: &Tokenizer,
    adds_before: bool,
) -> Result<(Vec<u32>, usize), SplitError> {
    if continuation.is_empty() {
        return Err(SplitError::EmptyContinuation);
    }
    let text = format!("{context}{continuation}");
    let (whole, before) = tokenizer.encode_whole(&text, adds_before).map_err(SplitError::Tokenizer)?;
    let context = context.trim_end_matches(is_space);
    if context.is_empty() {
        let beginning = tokenizer.beginning().ok_or(SplitError::NoBeginning)?;
        let text = &whole[before..];
        // A text that begins with that token has its context already.
        let has_context = text.len() > 1 && text[0] == beginning;
        return Ok((if has_context { text.to_vec() } else { [&[beginning], text].concat() }, 1));
    }
    let mut tokens = whole[..before].to_vec();
    tokens.extend(tokenizer.encode(context).map_err(SplitError::Tokenizer)?);
    let first_target = tokens.len();
    match whole.get(first_target..) {
        Some(targets) if !targets.is_empty() => tokens.extend(targets),
        _ => return Err(SplitError::Absorbed(continuation.to_owned())),
    }
    if first_target == 0 {
        // A context of characters that the tokenizer drops, such as a normalizer's control characters.
        tokens.insert(0, tokenizer.beginning().ok_or(SplitError::NoBeginning)?);
        return Ok((tokens, 1));
    }
    Ok((tokens, first_target))
}

/// What Python's `str.rstrip` takes for white space, so that texts are cut where lm-evaluation-harness cuts them.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Checks that the model has an embedding for every token.
///
/// # Errors
/// [`SplitError::OutsideVocabulary`] names the first that it has not.
pub(crate) fn check_vocabulary(tokens: &[u32], vocabulary: usize) -> Result<(), SplitError> {
    match tokens.iter().find(|&&token| token as usize >= vocabulary) {
        Some(&token) => Err(SplitError::OutsideVocabulary { token, vocabulary }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, BOS};

    fn split_at(context: &str, continuation: &str, span: Span, context_length: usize) -> Result<Split, SplitError> {
        let (context, continuation) = (context.to_owned(), continuation.to_owned());
        let request = ScoreRequest { context, continuation, span, ..ScoreRequest::default() };
        split(&request, &testing::tokenizer(), true, context_length)
    }

    #[test]
    fn trailing_white_space_goes_to_the_continuation() {
        let plain = split_at("a", " the", Span::Continuation, 64).unwrap();
        assert_eq!(plain.targets().len(), 1);
        assert_eq!(split_at("a ", "the", Span::Continuation, 64).unwrap(), plain);
        let blank = split_at(" \n ", "the", Span::Continuation, 64).unwrap();
        assert_eq!((blank.tokens[0], blank.first_target), (BOS, 1));
        assert_eq!(blank.targets(), testing::tokenizer().encode(" \n the").unwrap());
    }

    #[test]
    fn tokens_before_a_text_are_added_once_and_never_scored() {
        let mut tokenizer = testing::tokenizer();
        tokenizer.set_before(vec![BOS]);
        let of = |context: &str, continuation: &str, span, adds_before| {
            let (context, continuation) = (context.to_owned(), continuation.to_owned());
            let request = ScoreRequest { context, continuation, span, ..ScoreRequest::default() };
            split(&request, &tokenizer, adds_before, 64).unwrap()
        };
        let begin = tokenizer.written(BOS).unwrap();
        let plain = split_at("a", " the", Span::Continuation, 64).unwrap();
        let with = of("a", " the", Span::Continuation, true);
        assert_eq!((&with.tokens[..1], &with.tokens[1..]), (&[BOS][..], &plain.tokens[..]));
        assert_eq!(with.targets(), plain.targets());
        assert_eq!(of(&format!("{begin}a"), " the", Span::Continuation, true), with, "never twice");
        assert_eq!(of("a", " the", Span::Continuation, false), plain, "a chat template writes its own");
        let empty = of("", " the", Span::Continuation, true);
        assert_eq!((empty.tokens[0], empty.first_target, empty.tokens.len()), (BOS, 1, 2));
        assert_eq!(of("", &format!("{begin} the"), Span::Continuation, true), empty);
        let all = of("a", " the", Span::All, true);
        assert_eq!((all.tokens, all.first_target), (with.tokens, 1), "the first token of the text is scored, too");
    }

    #[test]
    fn truncation_keeps_a_full_context_and_the_last_target() {
        let cut = split_at(&"!".repeat(20), "abc", Span::Continuation, 8).unwrap();
        assert_eq!((cut.inputs().len(), cut.targets().len(), cut.total_tokens, cut.truncated_tokens), (8, 3, 23, 14));
        let full = split_at("!", "abcdefgh", Span::Continuation, 8).unwrap();
        assert_eq!((full.first_target, full.truncated_tokens), (1, 0));
        let long = split_at("!", "abcdefghi", Span::Continuation, 8).unwrap_err();
        assert_eq!(long, SplitError::TooLong { tokens: 9, context_length: 8 });
        let all = split_at("!", "abcdefghi", Span::All, 8).unwrap();
        assert_eq!((all.inputs().len(), all.targets().len(), all.truncated_tokens), (8, 8, 1));
    }

    #[test]
    fn what_cannot_be_scored_is_an_error() {
        assert_eq!(split_at("a ", "", Span::Continuation, 64), Err(SplitError::EmptyContinuation));
        assert_eq!(split_at("t", "h", Span::Continuation, 64), Err(SplitError::Absorbed("h".to_owned())));
        assert_eq!(split_at("", "a", Span::All, 64), Err(SplitError::TooShort(1)));
        let bytes = testing::tokenizer().bytes().to_vec();
        let request = ScoreRequest { continuation: "a".to_owned(), ..ScoreRequest::default() };
        let without = |eos| split(&request, &Tokenizer::from_bytes(bytes.clone(), None, eos).unwrap(), true, 64);
        assert_eq!(without(vec![]), Err(SplitError::NoBeginning));
        assert_eq!(without(vec![1]).unwrap().tokens[0], 1);
    }
}
