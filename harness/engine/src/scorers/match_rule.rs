//! When two answers are equal.

use super::Normalization;
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
    /// As numbers; what is no number equals nothing.
    Number,
    /// As sets of texts, whatever their order and number.
    Set,
}

/// How answers are compared, with all that it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What does not count.
    pub normalization: Normalization,
    /// As what answers are compared.
    pub compare: Compare,
    /// Numbers so far apart are still equal.
    pub tolerance: f64,
    /// What stands between the members of a set.
    pub separator: String,
}

impl Comparison {
    /// Whether two texts are equal, with what they are after normalization.
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

    /// The text without what does not count. The members of a set are normalized one by one, and sorted.
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

    /// Whether two numbers are equal; none where one of them is no number.
    fn numbers(&self, answer: &str, gold: &str) -> Option<bool> {
        if let (Some(answer), Some(gold)) = (canonical_decimal(answer), canonical_decimal(gold))
            && (self.tolerance == 0.0 || answer == gold)
        {
            // As texts, since f64 cannot tell long numbers apart.
            return Some(answer == gold);
        }
        let (answer, gold) = (number(answer)?, number(gold)?);
        Some((answer - gold).abs() <= self.tolerance)
    }
}

/// The one way to write a decimal number: no plus sign, no leading or trailing zeros, no `-0`. None for a text that is
/// not a plain decimal number.
pub fn canonical_decimal(text: &str) -> Option<String> {
    let (negative, digits) = match text.strip_prefix(['-', '−']) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    let sign = if negative && (whole != "0" || !fraction.is_empty()) { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// A finite number, in plain or in exponential notation. `inf` and `nan` are words.
fn number(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let plain = canonical_decimal(mantissa)?;
    let exponent: i32 = exponent.parse().ok()?;
    format!("{plain}e{exponent}").parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(compare: Compare, tolerance: f64, answer: &str, gold: &str) -> bool {
        let normalization = Normalization::default();
        Comparison { normalization, compare, tolerance, separator: ",".to_owned() }.equal(answer, gold)
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

    #[test]
    fn there_is_one_way_to_write_a_number() {
        for (text, expected) in
            [("1.0", "1"), ("-0", "0"), ("+00.50", "0.5"), ("5.", "5"), (".5", "0.5"), ("-1.20", "-1.2")]
        {
            assert_eq!(canonical_decimal(text).as_deref(), Some(expected));
        }
        for text in ["", ".", "-", "1,2", "1e3", "0x1", "１", "1 2", "--1"] {
            assert_eq!(canonical_decimal(text), None, "{text}");
        }
    }
}
