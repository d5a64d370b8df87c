//! `exact_match`: two texts, equal once what does not count is left out.

use super::text_filters::{pattern, remove};
use examiner_metrics::python_regex::Pattern;
use examiner_metrics::unicode::lower;
use serde_json::{Map, Value};

/// What does not count.
#[derive(Default)]
pub(super) struct ExactMatch {
    ignored: Vec<Pattern>,
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
                ("regexes_to_ignore", Value::Null) => {}
                ("regexes_to_ignore", Value::Array(sources)) => {
                    for source in sources {
                        let source = source.as_str().ok_or_else(|| format!("`{source}` in `regexes_to_ignore`"))?;
                        compare.ignored.push(pattern(source)?);
                    }
                }
                _ => return Err(format!("`{name}: {value}` of `exact_match`")),
            }
        }
        Ok(compare)
    }

    /// Whether two texts are equal.
    ///
    /// # Errors
    /// A pattern takes too long, as a phrase.
    pub(super) fn holds(&self, gold: &str, result: &str) -> Result<bool, String> {
        Ok(*gold == *result || self.reduced(gold)? == self.reduced(result)?)
    }

    fn reduced(&self, text: &str) -> Result<String, String> {
        let mut text = text.to_owned();
        for pattern in &self.ignored {
            text = remove(pattern, &text)?;
        }
        if self.ignore_case {
            text = lower(&text);
        }
        let is_left_out = |character: char| {
            self.ignore_punctuation && character.is_ascii_punctuation()
                || self.ignore_numbers && character.is_ascii_digit()
        };
        text.retain(|character| !is_left_out(character));
        // numpy, in whose arrays the texts stand, drops what is nothing at their ends.
        Ok(text.trim_end_matches('\0').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(options: Value, gold: &str, result: &str) -> bool {
        ExactMatch::new(options.as_object().unwrap()).unwrap().holds(gold, result).unwrap()
    }

    #[test]
    fn what_is_ignored_does_not_count() {
        assert!(holds(json!({}), "18", "18") && !holds(json!({}), "18", "18."));
        assert!(holds(json!({"ignore_case": true}), "Yes", "yEs"));
        assert!(holds(json!({"ignore_punctuation": true}), "1,000", "$1000."));
        assert!(!holds(json!({"ignore_punctuation": true}), "a", "a…"), "the punctuation of ASCII alone");
        assert!(holds(json!({"ignore_numbers": true}), "a1", "a2"));
        let patterns = json!({"regexes_to_ignore": [",", "\\$", "(?s).*#### ", "\\.$"]});
        assert!(holds(patterns, "so it is\n#### 1,000", "$1000."));
    }

    #[test]
    fn an_unknown_option_is_named() {
        let refused = ExactMatch::new(json!({"ignore_accents": true}).as_object().unwrap()).err().unwrap();
        assert!(refused.contains("ignore_accents"), "{refused}");
    }
}
