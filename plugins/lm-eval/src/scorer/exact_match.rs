//! `exact_match`: two texts, equal once what does not count is left out.

use serde_json::{Map, Value};

/// What does not count.
#[derive(Debug, Clone, Default)]
pub(super) struct ExactMatch {
    ignore_case: bool,
    ignore_punctuation: bool,
    ignore_numbers: bool,
}

impl ExactMatch {
    /// What the options of the metric say.
    ///
    /// # Errors
    /// An option that is not known, as a phrase.
    pub(super) fn new(options: &Map<String, Value>) -> Result<Self, String> {
        let mut compare = ExactMatch::default();
        for (name, value) in options {
            match (name.as_str(), value) {
                ("ignore_case", Value::Bool(ignore)) => compare.ignore_case = *ignore,
                ("ignore_punctuation", Value::Bool(ignore)) => compare.ignore_punctuation = *ignore,
                ("ignore_numbers", Value::Bool(ignore)) => compare.ignore_numbers = *ignore,
                _ => return Err(format!("`{name}: {value}` of `exact_match`")),
            }
        }
        Ok(compare)
    }

    /// Whether two texts are equal.
    ///
    /// # Errors
    /// A pattern cannot be used, as a phrase.
    pub(super) fn holds(&self, gold: &str, result: &str) -> Result<bool, String> {
        if *gold == *result {
            return Ok(true);
        }
        Ok(self.reduced(gold) == self.reduced(result))
    }

    fn reduced(&self, text: &str) -> String {
        let text = if self.ignore_case { text.to_lowercase() } else { text.to_owned() };
        let is_left_out = |character: char| {
            self.ignore_punctuation && character.is_ascii_punctuation() || self.ignore_numbers && character.is_ascii_digit()
        };
        text.chars().filter(|character| !is_left_out(*character)).collect()
    }
}
