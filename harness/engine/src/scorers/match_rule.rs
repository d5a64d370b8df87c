//! When an answer matches the right one.

use super::decimal::{canonical_decimal, number};
use super::normalization::Normalization;
use examiner_api::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How answers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// As numbers if both are, else as texts.
    #[default]
    Auto,
    /// As texts, character by character.
    String,
    /// As numbers; a text that is not a number equals nothing.
    Number,
    /// As sets of texts, in which order and repetition do not count.
    Set,
}

/// Decides whether an answer matches the right one.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchRule {
    /// Differences that do not count.
    pub normalization: Normalization,
    /// The type as which answers are compared.
    pub compare: Compare,
    /// Numbers that differ by at most so much are equal.
    pub tolerance: f64,
    /// The separator of the members of a set.
    pub separator: String,
}

impl MatchRule {
    /// As what the two texts are equal after normalization, in words; none if they are not.
    pub fn matched(&self, answer: &str, gold: &str) -> Option<&'static str> {
        let (one, other) = (self.normalize(answer), self.normalize(gold));
        let how = match self.compare {
            Compare::Set => "equal as sets",
            Compare::Number => "equal as numbers",
            _ if one == other => "equal as texts",
            _ => "equal as numbers",
        };
        self.equal(answer, gold).then_some(how)
    }

    /// Whether the two texts are equal after normalization.
    pub fn equal(&self, answer: &str, gold: &str) -> bool {
        match self.compare {
            Compare::String => self.normalize(answer) == self.normalize(gold),
            Compare::Number => self.numbers(&self.normalize(answer), &self.normalize(gold)) == Some(true),
            Compare::Set => self.members(answer) == self.members(gold),
            Compare::Auto => {
                let (answer, gold) = (self.normalize(answer), self.normalize(gold));
                self.numbers(&answer, &gold).unwrap_or(answer == gold)
            }
        }
    }

    /// The normalized text. The members of a set are normalized one by one, and sorted.
    pub fn normalize(&self, text: &str) -> String {
        match self.compare {
            Compare::Set => self.members(text).into_iter().collect::<Vec<_>>().join(&self.separator),
            _ => self.normalization.apply(text),
        }
    }

    fn members(&self, text: &str) -> BTreeSet<String> {
        // An empty separator would split between all characters.
        let parts: Vec<&str> =
            if self.separator.is_empty() { vec![text] } else { text.split(self.separator.as_str()).collect() };
        parts.into_iter().map(|part| self.normalization.apply(part)).filter(|part| !part.is_empty()).collect()
    }

    /// Whether two numbers are equal; none if one of them is not a number.
    fn numbers(&self, answer: &str, gold: &str) -> Option<bool> {
        if let (Some(answer), Some(gold)) = (canonical_decimal(answer), canonical_decimal(gold))
            && (self.tolerance == 0.0 || answer == gold)
        {
            // As texts, since `f64` cannot distinguish long numbers.
            return Some(answer == gold);
        }
        let (answer, gold) = (number(answer)?, number(gold)?);
        Some((answer - gold).abs() <= self.tolerance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(compare: Compare, tolerance: f64, answer: &str, gold: &str) -> bool {
        let normalization = Normalization::default();
        MatchRule { normalization, compare, tolerance, separator: ",".to_owned() }.equal(answer, gold)
    }

    #[test]
    fn auto_takes_numbers_as_numbers_and_words_as_words() {
        assert!(equal(Compare::Auto, 0.0, "$1,234.00", "1234"));
        assert!(equal(Compare::Auto, 0.0, "1.2e3", "1200"));
        assert!(equal(Compare::Auto, 0.0, "yes.", "yes"));
        assert!(!equal(Compare::Auto, 0.0, "Yes", "yes"));
        assert!(!equal(Compare::Auto, 0.0, "18 apples", "18"));
        assert!(!equal(Compare::Auto, 0.0, "9007199254740993", "9007199254740992"));
    }

    #[test]
    fn it_is_said_as_what_answers_are_equal() {
        let matched = |compare, answer: &str, gold: &str| {
            let normalization = Normalization::default();
            MatchRule { normalization, compare, tolerance: 0.0, separator: ",".to_owned() }.matched(answer, gold)
        };
        assert_eq!(matched(Compare::Auto, "1.2e3", "1200"), Some("equal as numbers"));
        assert_eq!(matched(Compare::Auto, "yes.", "yes"), Some("equal as texts"));
        assert_eq!(matched(Compare::Set, "b,a", "a,b"), Some("equal as sets"));
        assert_eq!(matched(Compare::Auto, "no", "yes"), None);
    }

    #[test]
    fn tolerance_is_absolute() {
        assert!(equal(Compare::Number, 0.01, "3.14", "3.1415"));
        assert!(!equal(Compare::Number, 0.001, "3.14", "3.1415"));
        assert!(!equal(Compare::Number, 1.0, "pi", "pi"));
        assert!(!equal(Compare::Number, 1.0, "nan", "nan"));
        assert!(!equal(Compare::Number, 1.0, "inf", "inf"));
    }

    #[test]
    fn strings_and_sets() {
        assert!(equal(Compare::String, 0.0, " a b ", "a b"));
        assert!(equal(Compare::Set, 0.0, "b, a,b", "a, b"));
        assert!(equal(Compare::Set, 0.0, "1.0, 2", "2,1"));
        assert!(!equal(Compare::Set, 0.0, "a", "a, b"));
    }
}
