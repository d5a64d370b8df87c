//! What a suite can say of the model.

use examiner_api::{Metadata, PluginError, ReasoningMarks, ReasoningOption, Result, schemars};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a suite can say of the model. The key itself is never a part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[schemars(extend("x-cannot" = [
    {
        "what": "score",
        "when": { "not": { "required": ["api"], "properties": { "api": { "const": "completions" } } } },
        "because": "an interface for chats tells no log-likelihoods of a prompt; `api: completions` may",
    },
    {
        "what": "score",
        "when": { "required": ["score"], "properties": { "score": { "const": "off" } } },
        "because": "it has `score: off`",
    },
]))]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The model's name at the server.
    pub model: String,
    /// The address before `/chat/completions`: `https://api.openai.com/v1`.
    pub base_url: String,
    /// The environment variable that holds the key. Without it no key is sent.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// The organization that is charged, where the key belongs to several.
    #[serde(default)]
    #[schemars(extend("x-no-effect" = true))]
    pub organization: Option<String>,
    /// Which interface of the server is used.
    #[serde(default)]
    pub api: Api,
    /// What stands before the prompt as the system's message (`api: chat` alone).
    #[serde(default)]
    pub system: Option<String>,
    /// Whether few-shot examples are messages of user and assistant (`api: chat` alone); otherwise they stand, with the
    /// question, in one message of the user.
    #[serde(default = "yes")]
    pub shots_as_turns: bool,
    /// How log-likelihoods are obtained (`api: completions` alone).
    #[serde(default)]
    pub score: ScoreMode,
    /// The text that an empty context means when a log-likelihood is asked for, `<|endoftext|>` mostly.
    #[serde(default)]
    pub beginning_of_text: Option<String>,
    /// Whether repeated answers are asked for in one request.
    #[serde(default)]
    #[schemars(extend("x-no-effect" = true))]
    pub n: Repeats,
    /// Which field carries the most new tokens.
    #[serde(default)]
    pub max_tokens_field: MaxTokensField,
    /// Whether a seed is sent where tokens are drawn at random.
    #[serde(default = "yes")]
    pub seed: bool,
    /// Whether reasoning is told from the answer: `auto` (what the server sends apart, and, with `api: chat`, what stands between `<think>`
    /// and `</think>`), `true` (the same, and stop strings are not sent to the server, which would let them end the reasoning, but
    /// applied to the answer), `false` (what the server sends apart alone), or other marks:
    /// `{ start: "[THINK]", end: "[/THINK]" }`, with stop strings as for `true`. Scorers get the answer alone.
    #[serde(default)]
    pub reasoning: ReasoningOption,
    /// How much a model reasons, as the server knows it: `low`, for one (`api: chat` alone). Stop strings are then not sent.
    #[serde(default)]
    pub reasoning_effort: Option<String>,
    /// Values for the server's chat template, as `{ enable_thinking: false }` for vLLM and SGLang (`api: chat` alone).
    #[serde(default)]
    pub chat_template_kwargs: Metadata,
    /// Fields that are added to every request as they are; `null` takes one away.
    #[serde(default)]
    pub extra_body: Metadata,

    /// Most requests in flight at a time. The plugin finds out by itself how many are good.
    #[serde(default = "max_concurrency")]
    #[schemars(extend("x-no-effect" = true))]
    pub max_concurrency: usize,
    /// Most requests a minute; without it the server's own limit is found out.
    #[serde(default)]
    #[schemars(extend("x-no-effect" = true))]
    pub requests_per_minute: Option<f64>,
    /// Most tokens a minute, estimated before and counted after each request.
    #[serde(default)]
    #[schemars(extend("x-no-effect" = true))]
    pub tokens_per_minute: Option<f64>,

    /// Longest time for one attempt, its last byte included, in seconds.
    #[serde(default = "attempt_timeout_s")]
    #[schemars(extend("x-no-effect" = true))]
    pub attempt_timeout_s: f64,
    /// Longest time for a sample from its first attempt on, all waiting included, in seconds.
    #[serde(default = "sample_timeout_s")]
    #[schemars(extend("x-no-effect" = true))]
    pub sample_timeout_s: f64,
    /// Most attempts for a sample.
    #[serde(default = "max_attempts")]
    #[schemars(extend("x-no-effect" = true))]
    pub max_attempts: u32,
    /// The pause after a sample's first failed attempt, in seconds; it doubles with each one.
    #[serde(default = "backoff_s")]
    #[schemars(extend("x-no-effect" = true))]
    pub backoff_s: f64,
    /// A longer pause that the server asks for is cut to this, in seconds.
    #[serde(default = "max_retry_after_s")]
    #[schemars(extend("x-no-effect" = true))]
    pub max_retry_after_s: f64,

    /// What tokens cost.
    #[serde(default)]
    pub price: Option<Price>,
    /// The most that one run may cost, in the price's currency. A request that could exceed it is not sent.
    #[serde(default)]
    #[schemars(extend("x-no-effect" = true))]
    pub max_cost: Option<f64>,
    /// The most tokens that one run may take, read and generated ones together.
    #[serde(default)]
    #[schemars(extend("x-no-effect" = true))]
    pub max_tokens_total: Option<u64>,

    /// A directory where answers are kept, and found again by later runs.
    #[serde(default)]
    #[schemars(extend("format" = "output-path"))]
    pub cache: Option<String>,
    /// Whether each attempt is noted in the stage's log; or the file that gets a line of JSON for each.
    #[serde(default)]
    #[schemars(extend("x-no-effect" = true))]
    pub request_log: RequestLog,
}

/// An interface of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// `/chat/completions`: the prompt is a user's message.
    #[default]
    Chat,
    /// `/completions`: the answer goes on from the prompt.
    Completions,
}

/// How log-likelihoods are obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum ScoreMode {
    /// The way that one tiny request finds to work, where `api` is `completions`.
    #[default]
    Auto,
    /// Not at all.
    Off,
    /// With `echo` and `logprobs`.
    Echo,
    /// With `prompt_logprobs`, as vLLM has it.
    PromptLogprobs,
}

/// Whether repeated answers are asked for in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum Repeats {
    /// One request with `n`, as long as the server gives as many answers.
    #[default]
    Auto,
    /// A request for each.
    Never,
}

/// The field that carries the most new tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// What most servers know.
    #[default]
    MaxTokens,
    /// What OpenAI's reasoning models want.
    MaxCompletionTokens,
}

impl MaxTokensField {
    pub(crate) fn name(self) -> &'static str {
        match self {
            MaxTokensField::MaxTokens => "max_tokens",
            MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
        }
    }
}

/// What a million tokens cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens of prompts.
    pub input_per_million: f64,
    /// Generated tokens.
    pub output_per_million: f64,
}

/// Where attempts are noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(untagged)]
pub enum RequestLog {
    /// In the log of the stage, or not at all.
    Stage(bool),
    /// In a file of JSON lines.
    #[schemars(extend("format" = "output-path"))]
    File(String),
}

impl Default for RequestLog {
    fn default() -> Self {
        RequestLog::Stage(false)
    }
}

fn yes() -> bool {
    true
}
fn max_concurrency() -> usize {
    64
}
fn attempt_timeout_s() -> f64 {
    120.0
}
fn sample_timeout_s() -> f64 {
    900.0
}
fn max_attempts() -> u32 {
    8
}
fn backoff_s() -> f64 {
    0.5
}
fn max_retry_after_s() -> f64 {
    120.0
}

/// Fields that have options of their own, or that would change the form of the answer.
const RESERVED: [&str; 8] = ["model", "messages", "prompt", "n", "stream", "echo", "prompt_logprobs", "logprobs"];

impl Options {
    /// Whether a request's turns become messages.
    pub(crate) fn reads_turns(&self) -> bool {
        self.api == Api::Chat && self.shots_as_turns
    }

    /// The marks of reasoning within a text, if they are looked for.
    pub(crate) fn marks(&self) -> Result<Option<ReasoningMarks>> {
        self.reasoning.marks(self.api == Api::Chat)
    }

    /// Whether stop strings are sent: to a model that reasons they are not, because they are meant for its answer.
    pub(crate) fn sends_stop(&self) -> bool {
        let may_reason = matches!(self.reasoning, ReasoningOption::Auto(_) | ReasoningOption::Fixed(false));
        may_reason && self.reasoning_effort.is_none()
    }

    /// Judges what types alone do not.
    pub(crate) fn check(&self) -> Result<()> {
        let bad = |message: String, help: &str| Err(PluginError::bad_options(message).with_help(help));
        let numbers = [
            ("attempt_timeout_s", Some(self.attempt_timeout_s)),
            ("sample_timeout_s", Some(self.sample_timeout_s)),
            ("backoff_s", Some(self.backoff_s)),
            ("max_retry_after_s", Some(self.max_retry_after_s)),
            ("requests_per_minute", self.requests_per_minute),
            ("tokens_per_minute", self.tokens_per_minute),
        ];
        let is_good = |value: f64| Duration::try_from_secs_f64(value).is_ok_and(|value| !value.is_zero());
        for (name, value) in numbers {
            if let Some(value) = value.filter(|value| !is_good(*value)) {
                return bad(format!("`{name}` is {value}, expected a number above 0"), "leave it out for the default");
            }
        }
        if self.max_concurrency == 0 || self.max_attempts == 0 {
            return bad("`max_concurrency` and `max_attempts` must be at least 1".into(), "leave them out");
        }
        let prices = self.price.map(|price| [price.input_per_million, price.output_per_million]).unwrap_or_default();
        if prices.iter().chain(&self.max_cost).any(|value| !value.is_finite() || *value < 0.0) {
            return bad("`price` and `max_cost` must not be below 0".into(), "give what a million tokens cost");
        }
        if self.max_cost.is_some() && self.price.is_none() {
            let help = "add `price: { input_per_million: ..., output_per_million: ... }`";
            return bad("`max_cost` needs to know what tokens cost".into(), help);
        }
        if self.api == Api::Completions && self.system.is_some() {
            return bad("`system` is for `api: chat`".into(), "put the text into the dataset's `preamble`");
        }
        if self.api == Api::Chat && matches!(self.score, ScoreMode::Echo | ScoreMode::PromptLogprobs) {
            let message = "chat completions give no log-probabilities of the prompt, which `score` asks for";
            return bad(message.into(), "set `api: completions`, or leave out `score`");
        }
        self.marks()?;
        if self.api == Api::Completions && (self.reasoning_effort.is_some() || !self.chat_template_kwargs.is_empty()) {
            let message = "`reasoning_effort` and `chat_template_kwargs` are for `api: chat`";
            return bad(message.into(), "leave them out; `extra_body` adds any field");
        }
        if let Some(name) = self.extra_body.keys().find(|name| RESERVED.contains(&name.as_str())) {
            return bad(format!("`extra_body` must not have the field `{name}`"), "the plugin sets it by itself");
        }
        Ok(())
    }
}
