//! Log-likelihoods, where a server gives log-probabilities of the prompt.

use super::scored_text;
use crate::errors::{Failure, Kind};
use crate::options::Options;
use examiner_api::{ErrorCode, ScoreResult, Span};
use serde_json::{Map, Value, json};

/// A text whose log-likelihood is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Scoring {
    pub(crate) context: String,
    pub(crate) continuation: String,
    pub(crate) span: Span,
    pub(crate) method: ScoringMethod,
}

/// How log-likelihoods are requested from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScoringMethod {
    /// `echo` and `logprobs`; `max_tokens` is 0, or 1 for servers that must generate something.
    Echo { max_tokens: u32 },
    /// vLLM's `prompt_logprobs`.
    PromptLogprobs,
}

impl ScoringMethod {
    /// All of them, the most common first.
    pub(crate) const ALL: [ScoringMethod; 3] =
        [ScoringMethod::Echo { max_tokens: 0 }, ScoringMethod::Echo { max_tokens: 1 }, ScoringMethod::PromptLogprobs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            ScoringMethod::Echo { .. } => "echo",
            ScoringMethod::PromptLogprobs => "prompt-logprobs",
        }
    }
}

/// A token of the prompt as the server sees it.
struct Token {
    text: String,
    /// The index of its first character, where the server says so.
    start: Option<usize>,
    /// None for the first token of all.
    logprob: Option<f64>,
    is_best: bool,
    id: Option<u32>,
}

impl Scoring {
    /// The whole text that is sent.
    pub(super) fn text(&self, options: &Options) -> String {
        format!("{}{}", self.before(options), self.scored())
    }

    /// The context without its trailing white space, which is scored with the continuation.
    fn before<'a>(&'a self, options: &'a Options) -> &'a str {
        let beginning = options.beginning_of_text.as_deref().unwrap_or_default();
        match (self.context.trim_end(), self.span) {
            ("", Span::Continuation) => beginning,
            (context, _) => context,
        }
    }

    /// The continuation, after the white space that the context ended with.
    fn scored(&self) -> String {
        format!("{}{}", &self.context[self.context.trim_end().len()..], self.continuation)
    }

    pub(super) fn body(&self, options: &Options) -> Map<String, Value> {
        let mut body = super::fields(options);
        let more = match self.method {
            ScoringMethod::Echo { max_tokens } => json!({ "max_tokens": max_tokens, "echo": true, "logprobs": 1 }),
            // A server that adds a beginning-of-text token by itself must not where none belongs.
            ScoringMethod::PromptLogprobs if self.span == Span::All => {
                json!({ "max_tokens": 1, "prompt_logprobs": 1, "add_special_tokens": false })
            }
            ScoringMethod::PromptLogprobs => json!({ "max_tokens": 1, "prompt_logprobs": 1 }),
        };
        body.insert("prompt".to_owned(), json!(self.text(options)));
        body.insert("temperature".to_owned(), json!(0));
        if let Value::Object(more) = more {
            body.extend(more);
        }
        body
    }

    pub(super) fn read(&self, options: &Options, choice: &Value) -> Result<ScoreResult, Failure> {
        let text = self.text(options);
        let tokens = match self.method {
            ScoringMethod::Echo { .. } => echoed(choice, &text),
            ScoringMethod::PromptLogprobs => prompt_logprobs(choice),
        };
        let tokens = tokens.ok_or_else(|| {
            let message = "the server gave no log-probabilities of the prompt";
            Failure::new(Kind::Request, ErrorCode::Unsupported, message)
        })?;
        let shown = tokens.iter().map(|token| token.text.as_str());
        match self.method {
            ScoringMethod::Echo { .. } => scored_text::check_echoed(shown, &text)?,
            ScoringMethod::PromptLogprobs => scored_text::check_decoded(shown, &text)?,
        }
        let from = match self.span {
            Span::All => first_after(&tokens, &text),
            Span::Continuation => self.boundary(options, &tokens)?,
            windows => return Err(Failure { kind: Kind::Request, error: windows.unsupported() }),
        };
        let result = result(&tokens, from)?;
        // Checked here, too: what cannot be right must not be kept in the cache.
        result.check(&self.scored()).map_err(|error| Failure { kind: Kind::Request, error })?;
        Ok(result)
    }

    /// Where the continuation's tokens begin.
    fn boundary(&self, options: &Options, tokens: &[Token]) -> Result<usize, Failure> {
        let spans = |token: &Token| {
            Failure::request(format!("the token `{}` spans the end of the context", token.text))
                .with_help("end the context, or begin the choices, where a word does: with a space mostly")
        };
        if self.scored().is_empty() {
            return Ok(tokens.len());
        }
        if tokens.iter().all(|token| token.start.is_some()) {
            let boundary = self.before(options).chars().count();
            let from = tokens.iter().position(|token| token.start >= Some(boundary)).unwrap_or(tokens.len());
            return match tokens.get(from).map(|token| token.start) {
                Some(start) if start == Some(boundary) => Ok(from),
                _ => Err(spans(&tokens[from.saturating_sub(1)])),
            };
        }
        // Some servers leave out a token's leading space when they show it: white space does not count. The context
        // ends without any, so that what there is at its end belongs to the continuation.
        let dense = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        let scored = dense(&self.scored());
        let mut left = scored.as_str();
        let mut from = tokens.len();
        while from > 0 {
            let token = &tokens[from - 1];
            let shown = dense(&token.text);
            match left.strip_suffix(&shown) {
                Some(_) if left.is_empty() && !shown.is_empty() => break,
                Some(_) if left.is_empty() && token.text.is_empty() => break,
                Some(rest) => left = rest,
                None if left.is_empty() => break,
                None if shown.ends_with(left) => return Err(spans(token)),
                None => {
                    let message = "the server's tokens do not add up to the text that was sent";
                    return Err(Failure::request(message).with_help("try `score: echo`"));
                }
            }
            from -= 1;
        }
        if left.is_empty() {
            Ok(from)
        } else {
            Err(Failure::request("the server's tokens do not cover the continuation"))
        }
    }
}

/// The first token after the first one of the text itself: a server that echoes may put one of its own before it.
fn first_after(tokens: &[Token], text: &str) -> usize {
    let is_own = |token: &Token| token.start.is_some() && (token.text.is_empty() || !text.starts_with(&token.text));
    1 + usize::from(tokens.first().is_some_and(is_own))
}

fn result(tokens: &[Token], from: usize) -> Result<ScoreResult, Failure> {
    let scored = tokens.get(from..).unwrap_or_default();
    let logprob = |token: &Token| token.logprob.map(|value| value as f32);
    let Some(token_logprobs) = scored.iter().map(logprob).collect::<Option<Vec<f32>>>() else {
        return Err(if from == 0 {
            Failure::request("the server gives no log-probability to the first token, and the context is empty")
                .with_help("set `beginning_of_text: <|endoftext|>`, or what the model's texts begin with")
        } else {
            let without = scored.iter().find(|token| logprob(token).is_none()).map_or("", |token| &token.text);
            let message = format!("the server gave no number as the log-probability of the token {without:?}");
            Failure::new(Kind::Request, ErrorCode::Numeric, message)
        });
    };
    let ids: Option<Vec<u32>> = scored.iter().map(|token| token.id).collect();
    Ok(ScoreResult {
        rendered: None,
        divergence: None,
        sum: scored.iter().filter_map(|token| token.logprob).sum(),
        is_greedy: scored.iter().all(|token| token.is_best),
        tokens: ids.unwrap_or_default(),
        scored_tokens: token_logprobs.len() as u32,
        token_logprobs,
        total_tokens: tokens.len() as u32,
        truncated_tokens: 0,
    })
}

/// The tokens of a choice's `logprobs`, those behind the prompt left out.
fn echoed(choice: &Value, text: &str) -> Option<Vec<Token>> {
    let logprobs = choice.get("logprobs")?;
    let list = |name: &str| logprobs.get(name)?.as_array();
    let (texts, values, offsets) = (list("tokens")?, list("token_logprobs")?, list("text_offset")?);
    let best = list("top_logprobs")?;
    if texts.is_empty() || [values.len(), offsets.len(), best.len()] != [texts.len(); 3] {
        return None;
    }
    let offsets: Vec<usize> = offsets.iter().map(|offset| Some(offset.as_u64()? as usize)).collect::<Option<_>>()?;
    // A token that the server put before the text may or may not be counted in the offsets.
    let first = texts[0].as_str()?;
    let length = first.chars().count();
    let shift = match offsets.get(1) {
        Some(second) if !text.starts_with(first) && *second == length => length,
        _ => offsets[0],
    };
    let end = text.chars().count();
    let mut tokens = Vec::with_capacity(texts.len());
    for index in 0..texts.len() {
        let start = offsets[index].saturating_sub(shift);
        if start >= end && index > 0 {
            break;
        }
        let logprob = values[index].as_f64();
        let highest =
            best[index].as_object().map(|top| top.values().filter_map(Value::as_f64).fold(f64::MIN, f64::max));
        let is_best = logprob.zip(highest).is_some_and(|(logprob, highest)| logprob >= highest);
        tokens.push(Token { text: texts[index].as_str()?.to_owned(), start: Some(start), logprob, is_best, id: None });
    }
    // Without a single value the server has echoed the text without log-probabilities.
    tokens.iter().any(|token| token.logprob.is_some()).then_some(tokens)
}

/// The tokens of a choice's `prompt_logprobs`: for each one its own entry first, then the most probable ones.
fn prompt_logprobs(choice: &Value) -> Option<Vec<Token>> {
    let list = choice.get("prompt_logprobs")?.as_array()?;
    let token = |entry: &Value| {
        let Some(entries) = entry.as_object() else {
            return Some(Token { text: String::new(), start: None, logprob: None, is_best: false, id: None });
        };
        let (id, own) = entries.iter().next()?;
        let is_best = own.get("rank").and_then(Value::as_u64) == Some(1);
        Some(Token {
            text: own.get("decoded_token").and_then(Value::as_str).unwrap_or_default().to_owned(),
            start: None,
            logprob: own.get("logprob").and_then(Value::as_f64),
            is_best,
            id: id.parse().ok(),
        })
    };
    let tokens: Vec<Token> = list.iter().map(token).collect::<Option<_>>()?;
    tokens.iter().any(|token| token.logprob.is_some()).then_some(tokens)
}
