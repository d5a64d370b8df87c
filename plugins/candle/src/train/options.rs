//! The options of the trainer in a suite.

use crate::device::NumberType;
use examiner_api::schemars::{self, JsonSchema};
use examiner_api::{PluginError, Result};
use examiner_lm::AutoBool;
use serde::{Deserialize, Serialize};

/// Trains a GPT-2: from a checkpoint, or from scratch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct TrainOptions {
    /// How often every row is seen. If not given: 3, or with `max_steps`, as often as the steps take.
    #[schemars(range(min = 1))]
    pub epochs: Option<u64>,
    /// Most steps. If not given: as many as the epochs take.
    #[schemars(range(min = 1))]
    pub max_steps: Option<u64>,
    /// Highest learning rate.
    pub lr: f64,
    /// How the learning rate goes down after the warm-up.
    pub schedule: Schedule,
    /// Steps in which the learning rate rises from near 0 to `lr`.
    pub warmup_steps: Option<u64>,
    /// The same as a share of all steps, instead of `warmup_steps`.
    #[schemars(range(min = 0, max = 1))]
    pub warmup_share: Option<f64>,
    /// The share of `lr` below which the schedule does not go.
    #[schemars(range(min = 0, max = 1))]
    pub min_lr_share: f64,
    /// Most rows of a pass through the model. If neither this nor `batch_tokens` is given: 8.
    #[schemars(range(min = 1))]
    pub batch_rows: Option<usize>,
    /// Most tokens of a pass through the model. A row that is longer is a pass of its own.
    #[schemars(range(min = 1))]
    pub batch_tokens: Option<usize>,
    /// Passes through the model whose gradients are summed for one step.
    #[schemars(range(min = 1))]
    pub accumulation: usize,
    /// Most tokens of a row, the end of text included. If not given: the model's context.
    #[schemars(range(min = 2))]
    pub max_length: Option<usize>,
    /// What becomes of a row that is longer.
    pub too_long: TooLong,
    /// The field of a row that holds what is given; empty where rows have no such thing.
    #[serde(skip_serializing)]
    pub prompt_field: String,
    /// The field of a row that holds what is learned, with its delimiter.
    #[serde(skip_serializing)]
    pub completion_field: String,
    /// The field of a row that holds a conversation, a list of `{ role, content }`, in place of prompt and completion. The checkpoint's
    /// chat template writes it: all up to its last turn, which is the assistant's, is given, and that turn is learned.
    #[serde(skip_serializing)]
    pub messages_field: Option<String>,
    /// Whether a row begins with the beginning-of-text token of the checkpoint that is started from: `auto` (as its tokenizer has it),
    /// `true` or `false`. Examine what comes of it with the same `add_bos`.
    #[serde(skip_serializing)]
    pub add_bos: AutoBool,
    /// Which tokens the loss is computed on.
    pub loss_on: LossOn,
    /// Whether an end-of-text token is added to each completion.
    pub end_of_text: bool,
    /// The order of rows in an epoch.
    pub order: Order,
    /// AdamW's decoupled weight decay, of matrices alone.
    pub weight_decay: f64,
    /// How fast AdamW's two running averages decay.
    pub betas: [f64; 2],
    /// AdamW's number that keeps the denominator from 0.
    pub eps: f64,
    /// Largest norm of the gradient; a larger one is scaled down. 0 for no limit.
    pub clip: f64,
    /// The share of rows that are validated with instead of trained on.
    #[schemars(range(min = 0, max = 1))]
    pub validation_share: f64,
    /// A file of rows to validate with, instead of `validation_share`.
    #[schemars(extend("format" = "path"))]
    pub validation: Option<String>,
    /// Steps between validations. If not given: at the end of each epoch.
    #[schemars(range(min = 1))]
    pub validate_every: Option<u64>,
    /// Training ends after so many validations in a row without a new best.
    #[schemars(range(min = 1))]
    pub patience: Option<u64>,
    /// Which checkpoint is the result. If not given: the best where there is validation, else the last.
    pub keep: Option<Keep>,
    /// Steps between checkpoints, from which an interrupted training goes on.
    #[schemars(range(min = 1))]
    pub checkpoint_every: u64,
    /// How many of the last checkpoints stay, beside the best.
    #[schemars(range(min = 1))]
    pub keep_checkpoints: usize,
    /// `auto` (a GPU if this build can use one and there is one, else the CPU), `cpu`, `cuda`, `cuda:N`, or `cpu-candle`
    /// (candle's own operations on the CPU, to compare with).
    pub device: String,
    /// The number type of matrix products: `f32`, or on a GPU `bf16`. Weights are kept in 32 bits.
    pub dtype: NumberType,
    /// The shape of a model without `from`.
    pub scratch: Option<Scratch>,
    /// The tokenizer of a model without `from`.
    pub tokenizer: TokenizerOptions,
}

impl Default for TrainOptions {
    fn default() -> Self {
        TrainOptions {
            epochs: None,
            max_steps: None,
            lr: 5e-5,
            schedule: Schedule::Linear,
            warmup_steps: None,
            warmup_share: None,
            min_lr_share: 0.0,
            batch_rows: None,
            batch_tokens: None,
            accumulation: 1,
            max_length: None,
            too_long: TooLong::Cut,
            prompt_field: "prompt".to_owned(),
            completion_field: "completion".to_owned(),
            messages_field: None,
            add_bos: AutoBool::default(),
            loss_on: LossOn::Completion,
            end_of_text: true,
            order: Order::Shuffled,
            weight_decay: 0.01,
            betas: [0.9, 0.999],
            eps: 1e-8,
            clip: 1.0,
            validation_share: 0.0,
            validation: None,
            validate_every: None,
            patience: None,
            keep: None,
            checkpoint_every: 500,
            keep_checkpoints: 1,
            device: "auto".to_owned(),
            dtype: NumberType::F32,
            scratch: None,
            tokenizer: TokenizerOptions::default(),
        }
    }
}

/// What the learning rate is multiplied by, `s` steps into `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum Schedule {
    /// `(n - s) / n`.
    Linear,
    /// `(1 + cos(π·s / n)) / 2`.
    Cosine,
    /// 1.
    Constant,
}

/// What is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum LossOn {
    /// The tokens of the completion.
    Completion,
    /// All tokens after the first.
    All,
}

/// The order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum Order {
    /// Another one in each epoch, by the seed.
    Shuffled,
    /// As they are in the file.
    Given,
}

/// What becomes of a row that is longer than `max_length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(crate = "schemars")]
pub enum TooLong {
    /// It is cut at its end; if nothing is left of its completion, it is left out. Both are counted.
    Cut,
    /// It is left out, and counted: nothing is learned from half an answer.
    LeaveOut,
    /// The training is refused.
    Error,
}

/// Which checkpoint is the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum Keep {
    /// The one with the lowest validation loss.
    Best,
    /// The one after the last step.
    Last,
}

/// A GPT-2's shape, with the names of its `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Scratch {
    /// Number of layers.
    #[schemars(range(min = 1))]
    pub n_layer: usize,
    /// Number of heads, of which the width is a multiple.
    #[schemars(range(min = 1))]
    pub n_head: usize,
    /// Width.
    #[schemars(range(min = 1))]
    pub n_embd: usize,
    /// Longest sequence, in tokens.
    #[schemars(range(min = 2))]
    pub n_positions: usize,
}

/// A byte-level byte-pair encoding like GPT-2's, trained on the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct TokenizerOptions {
    /// Most tokens, the 256 bytes and the end of text among them.
    #[schemars(range(min = 257))]
    pub vocab_size: usize,
    /// Whether each digit is a token of its own, so that numbers can be calculated with.
    pub split_digits: bool,
    /// A `tokenizer.json` to take instead, a path or an address.
    #[schemars(extend("format" = "path"))]
    pub path: Option<String>,
}

impl Default for TokenizerOptions {
    fn default() -> Self {
        TokenizerOptions { vocab_size: 1024, split_digits: false, path: None }
    }
}

impl TrainOptions {
    /// Most rows of a pass: 8 where neither rows nor tokens are limited.
    pub(super) fn rows_of_pass(&self) -> usize {
        self.batch_rows.unwrap_or(if self.batch_tokens.is_some() { usize::MAX } else { 8 })
    }

    /// Refuses what makes no sense.
    pub(super) fn check(&self) -> Result<()> {
        let positive = [
            ("epochs", self.epochs == Some(0)),
            ("max_steps", self.max_steps == Some(0)),
            ("batch_rows", self.batch_rows == Some(0)),
            ("batch_tokens", self.batch_tokens == Some(0)),
            ("accumulation", self.accumulation == 0),
            ("validate_every", self.validate_every == Some(0)),
            ("patience", self.patience == Some(0)),
            ("checkpoint_every", self.checkpoint_every == 0),
            ("keep_checkpoints", self.keep_checkpoints == 0),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, zero)| *zero) {
            return Err(PluginError::bad_options(format!("`{name}: 0`: it must be at least 1")));
        }
        let not_negative = [
            ("lr", self.lr),
            ("weight_decay", self.weight_decay),
            ("clip", self.clip),
            ("eps", self.eps),
            ("warmup_share", self.warmup_share.unwrap_or(0.0)),
            ("min_lr_share", self.min_lr_share),
        ];
        if let Some((name, value)) = not_negative.into_iter().find(|(_, value)| !value.is_finite() || *value < 0.0) {
            return Err(PluginError::bad_options(format!("`{name}: {value}`: it must be a number, 0 or more")));
        }
        let shares = [("warmup_share", self.warmup_share.unwrap_or(0.0)), ("min_lr_share", self.min_lr_share)];
        if let Some((name, value)) = shares.into_iter().find(|(_, value)| *value > 1.0) {
            return Err(PluginError::bad_options(format!("`{name}: {value}`: a share is at most 1")));
        }
        if !(0.0..1.0).contains(&self.validation_share) {
            let share = self.validation_share;
            return Err(PluginError::bad_options(format!(
                "`validation_share: {share}`: it must be below 1, 0 or more"
            )));
        }
        if self.betas.iter().any(|beta| !(0.0..1.0).contains(beta)) {
            return Err(PluginError::bad_options(format!(
                "`betas: {:?}`: each must be below 1, 0 or more",
                self.betas
            )));
        }
        if self.max_length.is_some_and(|length| length < 2) {
            return Err(PluginError::bad_options("`max_length` must be at least 2: one token to read, one to learn"));
        }
        let both = [
            ("warmup_steps", "warmup_share", self.warmup_steps.is_some() && self.warmup_share.is_some()),
            ("validation", "validation_share", self.validation.is_some() && self.validation_share > 0.0),
        ];
        if let Some((one, other, _)) = both.into_iter().find(|(_, _, both)| *both) {
            return Err(PluginError::bad_options(format!("`{one}` and `{other}` exclude each other")));
        }
        let validates = self.validation.is_some() || self.validation_share > 0.0;
        if !validates && (self.patience.is_some() || self.keep == Some(Keep::Best)) {
            return Err(PluginError::bad_options("`patience` and `keep: best` need rows to validate with")
                .with_help("give `validation_share`, or a file in `validation`"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn refusal(options: Value) -> String {
        let options: TrainOptions = serde_json::from_value(options).unwrap();
        options.check().unwrap_err().to_string()
    }

    #[test]
    fn everything_has_a_default() {
        let options: TrainOptions = serde_json::from_value(json!({})).unwrap();
        options.check().unwrap();
        assert_eq!(options.rows_of_pass(), 8);
        let tokens = TrainOptions { batch_tokens: Some(100), ..options };
        assert_eq!(tokens.rows_of_pass(), usize::MAX);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(refusal(json!({ "accumulation": 0 })).contains("`accumulation: 0`"));
        assert!(refusal(json!({ "lr": -1.0 })).contains("`lr: -1`"));
        assert!(refusal(json!({ "warmup_share": 1.5 })).contains("at most 1"));
        assert!(refusal(json!({ "validation_share": 1.0 })).contains("below 1"));
        assert!(refusal(json!({ "betas": [0.9, 1.0] })).contains("`betas: [0.9, 1.0]`"));
        assert!(refusal(json!({ "warmup_share": 0.1, "warmup_steps": 3 })).contains("exclude each other"));
        assert!(refusal(json!({ "patience": 3 })).contains("`validation_share`"));
        assert!(refusal(json!({ "max_length": 1 })).contains("at least 2"));
        assert!(serde_json::from_value::<TrainOptions>(json!({ "epoch": 3 })).is_err());
    }
}
