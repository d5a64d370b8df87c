//! What a suite can say of asking a teacher and of selecting among its answers.

use crate::{PluginError, Result, Sampling, schemars};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// What a suite can say, whichever benchmark the questions are of.
#[derive(Debug, Clone, PartialEq)]
pub struct TeacherOptions {
    /// The data set's name in the names of files.
    pub name: String,
    /// How many worked examples the teacher sees before each question.
    pub shots: usize,
    /// How often each question is asked.
    pub samples: NonZeroU32,
    /// The teacher's temperature. Without it 0 for one sample, 0.7 for several.
    pub temperature: Option<f32>,
    /// Most new tokens of an answer.
    pub max_new_tokens: u32,
    /// What ends an answer.
    pub stop: Vec<String>,
    /// Which answers are kept.
    pub keep: Keep,
    /// What a row teaches.
    pub form: TrainingForm,
    /// How many questions may be left without an answer while the data is still published: below 1 a share of those
    /// asked, from 1 a number.
    pub allow_errors: f64,
}

/// Which answers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
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
#[serde(rename_all = "kebab-case")]
pub enum TrainingForm {
    /// The reasoning, up to and with the answer.
    Reasoning,
    /// The bare answer.
    Answers,
}

impl TeacherOptions {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// A name that cannot be part of a file name, several samples at temperature 0, a number below 0.
    pub fn check(&self) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn options() -> TeacherOptions {
        TeacherOptions {
            name: "bbh".to_owned(),
            shots: 3,
            samples: NonZeroU32::MIN,
            temperature: None,
            max_new_tokens: 1024,
            stop: Vec::new(),
            keep: Keep::Correct,
            form: TrainingForm::Reasoning,
            allow_errors: 0.0,
        }
    }

    fn several(temperature: Option<f32>) -> TeacherOptions {
        TeacherOptions { samples: NonZeroU32::new(4).unwrap(), temperature, ..options() }
    }

    #[test]
    fn the_temperature_follows_the_number_of_samples() {
        assert_eq!(options().sampling(1).temperature, 0.0);
        assert_eq!(several(None).sampling(1).temperature, 0.7);
        assert_eq!(several(Some(1.0)).sampling(1).temperature, 1.0);
        several(Some(1.0)).check().unwrap();
        several(Some(0.0)).check().unwrap_err();
        several(Some(f32::NAN)).check().unwrap_err();
    }

    #[test]
    fn names_are_parts_of_file_names() {
        let named = |name: &str| TeacherOptions { name: name.to_owned(), ..options() };
        assert_eq!(TeacherOptions { shots: 0, ..several(None) }.stem(), "F_bbh_0shot_4aug");
        named("few-2").check().unwrap();
        for name in ["", "../x", "a/b", ".hidden", "a b"] {
            assert!(named(name).check().is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_kept_is_a_word_or_a_number_of_the_best() {
        let keep = |written| serde_json::from_value::<Keep>(written).ok();
        assert_eq!(keep(json!("all")), Some(Keep::All));
        assert_eq!(keep(json!({"k-best": 2})), NonZeroU32::new(2).map(Keep::KBest));
        assert_eq!(keep(json!("best")), None);
        assert_eq!(keep(json!({"k-best": 0})), None);
    }

    #[test]
    fn errors_are_allowed_by_share_or_number() {
        let allowed = |allow_errors| TeacherOptions { allow_errors, ..options() }.allowed(1000);
        assert_eq!((allowed(0.0), allowed(0.01), allowed(1.0), allowed(12.0)), (0, 10, 1, 12));
        TeacherOptions { allow_errors: -1.0, ..options() }.check().unwrap_err();
    }
}
