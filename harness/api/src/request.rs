//! What a model is asked and what it answers. These types are the wire form: the same bytes cross the plugin boundary,
//! a call from one plugin to another, and the pipe to a worker process.

use crate::{PluginError, Turn};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Named values that travel with a sample or a request.
pub type Metadata = Map<String, Value>;

/// Which sample of which dataset a request belongs to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SampleRef {
    /// The dataset's name in the suite.
    #[serde(default)]
    pub dataset: String,
    /// The sample's id within the dataset.
    #[serde(default)]
    pub id: String,
    /// Which repetition of the sample this is, from 0.
    #[serde(default)]
    pub repeat: u32,
    /// The sample's metadata, by which `replay`, for one, finds a recorded answer.
    #[serde(default)]
    pub metadata: Arc<Metadata>,
}

/// Which tokens a [`ScoreRequest`] asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Span {
    /// The tokens of the continuation, given the context.
    #[default]
    Continuation,
    /// Every token of context + continuation after the first, with no beginning-of-text token added.
    All,
    /// Every token of context + continuation, however long the text, in windows that follow each other: what lm-evaluation-harness
    /// calls `loglikelihood_rolling`. The first window begins with the token of an empty context (the beginning-of-text token, or the
    /// end-of-text token where a model has none), and scores all of the text that it holds. Each further window scores as many tokens
    /// as the model's context has, given the one before them; the last one, which scores fewer, is given as many before
    /// them as still fit. For a model that says [`ModelInfo::scores_windows`](crate::ModelInfo::scores_windows).
    Rolling,
    /// Every token of context + continuation after the first, however long the text, in windows that begin so many tokens after one
    /// another, at least 1 and fewer than the model's context: what Transformers' guide to perplexity computes. The first window scores
    /// every token after its first, each further one those that no window before it has scored. A model refuses any other stride. For
    /// a model that says [`ModelInfo::scores_windows`](crate::ModelInfo::scores_windows).
    Strided(u32),
}

impl Span {
    /// Whether context and continuation are one text, wherever it is split between them, which no chat template is applied to.
    pub fn is_whole_text(self) -> bool {
        self != Span::Continuation
    }

    /// Whether a text may be longer than the model's context, because it is scored in windows.
    pub fn is_windowed(self) -> bool {
        matches!(self, Span::Rolling | Span::Strided(_))
    }

    /// The error of a model that cannot score it.
    pub fn unsupported(self) -> PluginError {
        let name = match self {
            Span::Continuation => "the continuation alone (`continuation`)".to_owned(),
            Span::All => "a whole text (`all`)".to_owned(),
            Span::Rolling => "a text in windows that follow each other (`rolling`)".to_owned(),
            Span::Strided(stride) => format!("a text in windows that overlap (`strided: {stride}`)"),
        };
        PluginError::unsupported(format!("this model cannot score {name}"))
            .with_help("use a local model, such as one of the plugin `candle` or `onnx`")
    }
}

/// How many tokens a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenCount {
    /// Those that the model reads, as it would read them: after its chat template, with what it puts before a text, and without what is
    /// cut off because it does not fit. Of a [`ScoreRequest`] context and continuation, a token that several windows hold counted in
    /// each.
    pub read: u64,
    /// The most that it can write; 0 for a [`ScoreRequest`].
    pub written: u64,
}

/// Asks for the log-likelihood of a text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScoreRequest {
    /// Chosen by the caller, unique within a batch; the response carries it.
    pub id: u64,
    /// Where the request comes from.
    #[serde(default)]
    pub sample: SampleRef,
    /// What stands before the continuation. Its trailing white space is scored with the continuation.
    pub context: String,
    /// The context as a conversation, for a model that [reads turns](crate::ModelInfo::reads_turns); empty where it is one
    /// turn of the user.
    #[serde(default, skip_serializing_if = "crate::turn::none")]
    pub turns: Arc<Vec<Turn>>,
    /// What is scored.
    pub continuation: String,
    /// Which tokens are scored.
    #[serde(default)]
    pub span: Span,
}

/// The log-likelihood of a text. All log-probabilities are in nats. What cannot be one is an error of its sample
/// ([`ScoreResult::check`]).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScoreResult {
    /// Sum of `token_logprobs`, at most 0.
    pub sum: f64,
    /// Whether every scored token is the most probable one at its place (the first of equals).
    pub is_greedy: bool,
    /// The scored tokens; empty where the model does not report them.
    #[serde(default)]
    pub tokens: Vec<u32>,
    /// One log-probability for each scored token.
    #[serde(default)]
    pub token_logprobs: Vec<f32>,
    /// Number of scored tokens.
    pub scored_tokens: u32,
    /// Number of tokens of the whole sequence (context, beginning-of-text token if one was added, continuation), before
    /// truncation.
    pub total_tokens: u32,
    /// Number of tokens cut off on the left because the sequence is longer than the model's context.
    #[serde(default)]
    pub truncated_tokens: u32,
    /// The context as the model read it, where that is another text than the request's, because a chat template wrote it. Tokens that
    /// a tokenizer puts before any text are not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
    /// How far the model is from another one at the scored tokens, where it was loaded to be compared with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
}

/// How far a model's probabilities of next tokens are from those of another one, its base, after the same tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Divergence {
    /// The Kullback-Leibler divergence of the model from its base, in nats, summed over the scored tokens: for each of them, the sum
    /// over the vocabulary of p_base (ln p_base - ln p_model). At least 0.
    pub nats: f64,
    /// Number of scored tokens at whose place both have the same most probable token (the first of equals).
    pub same_top: u32,
}

/// How to choose tokens.
///
/// A field that this version does not know is refused: a model that passed over one would choose other tokens than were asked for.
/// What later versions add is thus left out of requests where it has its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// At most this many new tokens.
    pub max_new_tokens: u32,
    /// 0 takes the most probable token (the first of equals); otherwise logits are divided by it.
    pub temperature: f32,
    /// Only the `top_k` most probable tokens; 0 for all.
    pub top_k: u32,
    /// Only the smallest set of most probable tokens whose probabilities add up to `top_p`; 1 for all.
    pub top_p: f32,
    /// Divides positive and multiplies negative logits of tokens that occur in the prompt or the answer; 1 for none.
    pub repetition_penalty: f32,
    /// The answer ends before the first of these strings. Where a model's reasoning is kept apart, they do not end that.
    pub stop: Vec<String>,
    /// Key of the counter-based random numbers, together with the sample's id and repetition.
    pub seed: u64,
}

impl Default for Sampling {
    /// Greedy, at most 256 new tokens.
    fn default() -> Self {
        Sampling {
            max_new_tokens: 256,
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            repetition_penalty: 1.0,
            stop: Vec::new(),
            seed: 0,
        }
    }
}

/// Asks for a text that goes on from a prompt.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GenerateRequest {
    /// Chosen by the caller, unique within a batch; the response carries it.
    pub id: u64,
    /// Where the request comes from.
    #[serde(default)]
    pub sample: SampleRef,
    /// What the answer goes on from.
    pub prompt: String,
    /// The prompt as a conversation, for a model that [reads turns](crate::ModelInfo::reads_turns); empty where it is one
    /// turn of the user.
    #[serde(default, skip_serializing_if = "crate::turn::none")]
    pub turns: Arc<Vec<Turn>>,
    /// How to choose tokens.
    #[serde(default)]
    pub sampling: Sampling,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// The model ended it: an end-of-text token, or the end of what was recorded.
    #[default]
    EndOfText,
    /// One of the stop strings came.
    StopString,
    /// `max_new_tokens` was reached.
    Length,
    /// The model's context was full before that.
    ContextLength,
    /// For another reason, or for one that a newer version added.
    #[serde(other)]
    Other,
}

/// A generated text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GenerateResult {
    /// The answer, without the stop string, and without the reasoning where that is kept apart.
    pub text: String,
    /// Why it ended.
    pub finish: FinishReason,
    /// The generated tokens, an end-of-text token included; empty where the model does not report them.
    #[serde(default)]
    pub tokens: Vec<u32>,
    /// Number of tokens of the prompt, after truncation.
    #[serde(default)]
    pub tokens_in: u32,
    /// Number of generated tokens.
    #[serde(default)]
    pub tokens_out: u32,
    /// Number of tokens cut off on the left of the prompt because it leaves no room for the answer.
    #[serde(default)]
    pub truncated_tokens: u32,
    /// The prompt as the model read it, as in [`ScoreResult::rendered`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
    /// What the model thought before it answered, where that is kept apart from its answer: no part of `text`, and without its marks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// How many of `tokens_out` are reasoning, its marks included; 0 where the model does not report it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u32,
}

impl GenerateResult {
    /// Whether the model thought, and gave no answer: it was cut off before, or it ended there.
    pub fn lacks_answer(&self) -> bool {
        (self.reasoning.is_some() || self.reasoning_tokens > 0) && self.text.trim().is_empty()
    }

    /// Whether it ended because there was no room for more.
    pub fn is_cut_off(&self) -> bool {
        matches!(self.finish, FinishReason::Length | FinishReason::ContextLength)
    }
}

/// Whether a count is left out on the wire.
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The answer to the request of the same `id`: a result, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response<T> {
    /// The request's id.
    pub id: u64,
    /// A result, or why there is none.
    pub result: Result<T, PluginError>,
}

impl<T> Response<T> {
    /// A successful response.
    pub fn ok(id: u64, value: T) -> Self {
        Response { id, result: Ok(value) }
    }

    /// A failed response. It is never counted as a wrong answer.
    pub fn err(id: u64, error: PluginError) -> Self {
        Response { id, result: Err(error) }
    }
}
