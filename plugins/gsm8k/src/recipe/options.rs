//! What a suite can say of the recipe.

use crate::prompt::Prompt;
use examiner_api::{Metadata, PluginError, Result, Sampling, schemars};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// What a suite can say of the recipe.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The file of questions: JSON lines, JSON, CSV or Parquet with the fields `question` and `answer`. Without it, the training
    /// split of `openai/gsm8k` on the Hugging Face hub.
    pub path: Option<String>,
    /// How many other questions of the file, with their worked answers, the teacher sees before each question.
    pub shots: usize,
    /// How often each question is asked.
    pub samples: NonZeroU32,
    /// The teacher's temperature. Without it 0 for one sample, 0.7 for several.
    #[schemars(range(min = 0))]
    pub temperature: Option<f32>,
    /// At most so many new tokens an answer.
    pub max_new_tokens: u32,
    /// What ends an answer.
    pub stop: Vec<String>,
    /// Which answers are kept.
    pub keep: Keep,
    /// What a row teaches.
    #[serde(rename = "as")]
    pub form: TrainingForm,
    /// How questions of rows are worded; the teacher always sees `cot`. A student is examined on the dataset with the same.
    pub prompt: Prompt,
    /// The data set's name in the names of files.
    pub name: String,
    /// Options of `answer-extraction` by which answers are judged; without it its defaults, as in an examination on the dataset.
    pub judge: Option<Metadata>,
    /// So many questions may be left without an answer, and the data is published all the same: below 1 a share of those
    /// asked, from 1 a number.
    #[schemars(range(min = 0))]
    pub allow_errors: f64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            path: None,
            shots: 8,
            samples: NonZeroU32::MIN,
            temperature: None,
            max_new_tokens: 512,
            stop: Prompt::Cot.stop(),
            keep: Keep::Correct,
            form: TrainingForm::Reasoning,
            prompt: Prompt::Short,
            name: "gsm8k".to_owned(),
            judge: None,
            allow_errors: 0.0,
        }
    }
}

/// Which answers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Those that are right.
    Correct,
    /// All.
    All,
    /// Of each question the shortest so many of those that are right.
    KBest(NonZeroU32),
}

/// What a row teaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum TrainingForm {
    /// The steps, up to and with the answer.
    Reasoning,
    /// The bare number.
    Answers,
}

impl Options {
    /// Refuses what cannot be meant.
    pub(super) fn check(&self) -> Result<()> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || self.name.starts_with('.') || !self.name.chars().all(fits) {
            let message = format!("`name` becomes part of file names and cannot be `{}`", self.name);
            return Err(PluginError::bad_options(message).with_help("use letters, digits, `-`, `_` and `.`"));
        }
        if self.samples.get() > 1 && self.temperature == Some(0.0) {
            let message = format!("{} samples at `temperature: 0` are the same answer over and over", self.samples);
            return Err(PluginError::bad_options(message).with_help("raise `temperature`, or set `samples: 1`"));
        }
        let numbers = [("temperature", self.temperature.map_or(0.0, f64::from)), ("allow_errors", self.allow_errors)];
        for (name, number) in numbers {
            if !number.is_finite() || number < 0.0 {
                return Err(PluginError::bad_options(format!("expected a `{name}` of 0 or more, found {number}")));
            }
        }
        Ok(())
    }

    /// How the teacher answers.
    pub(super) fn sampling(&self, seed: u64) -> Sampling {
        let default = if self.samples.get() > 1 { 0.7 } else { 0.0 };
        Sampling {
            max_new_tokens: self.max_new_tokens,
            temperature: self.temperature.unwrap_or(default),
            stop: self.stop.clone(),
            seed,
            ..Sampling::default()
        }
    }

    /// What the names of all files of this data begin with.
    pub(super) fn stem(&self) -> String {
        format!("F_{}_{}shot_{}aug", self.name, self.shots, self.samples)
    }

    /// How many of `asked` questions may be left without an answer.
    pub(super) fn allowed(&self, asked: u64) -> u64 {
        let allowed = if self.allow_errors < 1.0 { self.allow_errors * asked as f64 } else { self.allow_errors };
        allowed as u64
    }
}
