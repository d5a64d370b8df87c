//! What a suite can say of the recipe.

use crate::benchmark::MOST_SHOTS;
use crate::judging;
use crate::tasks::Tasks;
use crate::wording::Form;
use examiner_api::{Metadata, PluginError, Result, Sampling, schemars};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// What a suite can say of the recipe.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The directory of the benchmark's `*.json` files, as of the dataset.
    pub path: Option<String>,
    /// The directory of the official chain-of-thought prompts, as of the dataset.
    pub prompts: Option<String>,
    /// Which tasks the questions are from.
    pub tasks: Tasks,
    /// How many of its task's official examples the teacher sees before each question.
    #[schemars(range(max = 3))]
    pub shots: usize,
    /// How often each question is asked.
    pub samples: NonZeroU32,
    /// The teacher's temperature. Without it 0 for one sample, 0.7 for several.
    #[schemars(range(min = 0))]
    pub temperature: Option<f32>,
    /// Most new tokens of an answer.
    pub max_new_tokens: u32,
    /// What ends an answer.
    pub stop: Vec<String>,
    /// Which answers are kept.
    pub keep: Keep,
    /// What a row teaches.
    #[serde(rename = "as")]
    pub form: TrainingForm,
    /// The data set's name in the names of files.
    pub name: String,
    /// Options of `answer-extraction` by which answers are judged; without it those of the dataset, which are the rule of
    /// the benchmark's authors.
    pub judge: Option<Metadata>,
    /// How many questions may be left without an answer while the data is still published: below 1 a share of those
    /// asked, from 1 a number.
    #[schemars(range(min = 0))]
    pub allow_errors: f64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            path: None,
            prompts: None,
            tasks: Tasks::default(),
            shots: MOST_SHOTS,
            samples: NonZeroU32::MIN,
            temperature: None,
            max_new_tokens: 1024,
            stop: judging::stop(),
            keep: Keep::Correct,
            form: TrainingForm::Reasoning,
            name: "bbh".to_owned(),
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
    /// Of each question this number of right answers, the shortest ones.
    KBest(NonZeroU32),
}

/// What a row teaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "examiner_api::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum TrainingForm {
    /// The reasoning, up to and with the answer.
    Reasoning,
    /// The bare answer.
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

    /// How answers are judged.
    pub(super) fn judge(&self) -> Metadata {
        self.judge.clone().unwrap_or_else(|| judging::scorer_options(Form::Cot))
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn options(written: Value) -> Options {
        serde_json::from_value(written).unwrap()
    }

    #[test]
    fn the_temperature_follows_the_number_of_samples() {
        let temperature = |written| options(written).sampling(1).temperature;
        assert_eq!(temperature(json!({})), 0.0);
        assert_eq!(temperature(json!({"samples": 4})), 0.7);
        assert_eq!(temperature(json!({"samples": 4, "temperature": 1.0})), 1.0);
        assert!(options(json!({"samples": 4, "temperature": 0})).check().is_err());
    }

    #[test]
    fn names_are_parts_of_file_names() {
        assert_eq!(options(json!({"shots": 0, "samples": 8, "name": "few"})).stem(), "F_few_0shot_8aug");
        for name in ["", "../x", "a/b", ".hidden", "a b"] {
            assert!(options(json!({"name": name})).check().is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_kept_is_a_word_or_a_number_of_the_best() {
        assert_eq!(options(json!({"keep": "all"})).keep, Keep::All);
        assert_eq!(options(json!({"keep": {"k-best": 2}})).keep, Keep::KBest(NonZeroU32::new(2).unwrap()));
        assert!(serde_json::from_value::<Options>(json!({"keep": "best"})).is_err());
        assert!(serde_json::from_value::<Options>(json!({"keep": {"k-best": 0}})).is_err());
    }

    #[test]
    fn errors_are_allowed_by_share_or_number() {
        let allowed = |value: f64| options(json!({"allow_errors": value})).allowed(1000);
        assert_eq!((allowed(0.0), allowed(0.01), allowed(1.0), allowed(12.0)), (0, 10, 1, 12));
    }
}
