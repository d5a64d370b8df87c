//! Differences that do not count when two answers are compared.

use super::decimal::canonical_decimal;
use examiner_api::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

/// What is removed from both answers before they are compared. White space at the ends never counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Normalization {
    /// One period at the end.
    pub trailing_period: bool,
    /// Currency signs beside a number: `$5`, `5 €`.
    pub currency: bool,
    /// A percent sign after a number at the end: `50%` is `50`.
    pub percent: bool,
    /// Commas between thousands: `1,234` is `1234`.
    pub thousands: bool,
    /// How a number is written: `1.0`, `+1` and `01` are `1`.
    pub decimals: bool,
    /// Upper and lower case.
    pub case: bool,
    /// The amount of white space between words.
    pub whitespace: bool,
}

impl Default for Normalization {
    /// Everything that concerns numbers.
    fn default() -> Self {
        Normalization {
            trailing_period: true,
            currency: true,
            percent: true,
            thousands: true,
            decimals: true,
            case: false,
            whitespace: false,
        }
    }
}

impl Normalization {
    /// Removes nothing but white space at the ends.
    pub const NONE: Self = Normalization {
        trailing_period: false,
        currency: false,
        percent: false,
        thousands: false,
        decimals: false,
        case: false,
        whitespace: false,
    };

    /// The normalized text.
    pub fn apply(&self, text: &str) -> String {
        let mut text = text.trim().to_owned();
        if self.whitespace {
            text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        if self.case {
            text = text.to_lowercase();
        }
        if self.trailing_period
            && let Some(rest) = text.strip_suffix('.')
        {
            text = rest.trim_end().to_owned();
        }
        if self.currency {
            text = without_currency(&text);
        }
        if self.percent
            && let Some(rest) = text.strip_suffix('%').map(str::trim_end)
            && rest.ends_with(|last: char| last.is_ascii_digit())
        {
            text = rest.to_owned();
        }
        if self.thousands {
            text = without_thousands(&text);
        }
        if self.decimals
            && let Some(number) = canonical_decimal(&text)
        {
            text = number;
        }
        text
    }
}

fn without_currency(text: &str) -> String {
    let symbol = |c: char| matches!(c, '$' | '€' | '£' | '¥' | '₹' | '₩');
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let after = rest.as_str().trim_start();
        let before_number = after.trim_start_matches(['-', '+', '.']).starts_with(|next: char| next.is_ascii_digit());
        let after_number = kept.trim_end().ends_with(|last: char| last.is_ascii_digit());
        if symbol(c) && (before_number || after_number) {
            if before_number {
                rest = after.chars();
            } else {
                kept.truncate(kept.trim_end().len());
            }
        } else {
            kept.push(c);
        }
    }
    kept
}

/// Removes the commas before groups of exactly three digits that follow one to three digits.
pub(super) fn without_thousands(text: &str) -> String {
    let bytes = text.as_bytes();
    let digits_from = |start: usize| bytes[start.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    let mut at = 0;
    while at < bytes.len() {
        let lead = digits_from(at);
        at += lead;
        let groups = (1..=3).contains(&lead);
        while groups && bytes.get(at) == Some(&b',') && digits_from(at + 1) == 3 {
            kept.push_str(&text[from..at]);
            from = at + 1;
            at += 4;
        }
        // A fraction is not the start of another number.
        if lead > 0 && bytes.get(at) == Some(&b'.') {
            at += 1 + digits_from(at + 1);
        } else if lead == 0 {
            at += 1;
        }
    }
    kept.push_str(&text[from..]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_number_become_equal() {
        for (text, expected) in [
            (" 1,234 ", "1234"),
            ("$1,234,567.50", "1234567.5"),
            ("-$5.00", "-5"),
            ("$ -5", "-5"),
            ("5 €", "5"),
            ("50 %.", "50"),
            ("18.", "18"),
            ("+007", "7"),
            (".5", "0.5"),
            ("-0.0", "0"),
            ("−3", "-3"),
        ] {
            assert_eq!(Normalization::default().apply(text), expected, "{text}");
        }
    }

    #[test]
    fn other_commas_are_kept() {
        for text in ["1,2", "1,23", "1,2345", "1234,567", "a,bcd", "1, 234", "0.1,234", "x", ""] {
            assert_eq!(without_thousands(text), text);
        }
        assert_eq!(without_thousands("12,345 and 1,234,567 é 9,999"), "12345 and 1234567 é 9999");
    }

    #[test]
    fn words_are_kept_unless_the_options_say_otherwise() {
        let words = "The  Cat, 100% sure";
        assert_eq!(Normalization::default().apply(words), words);
        let all = Normalization { case: true, whitespace: true, ..Normalization::default() };
        assert_eq!(all.apply(words), "the cat, 100% sure");
        assert_eq!(Normalization::NONE.apply(" $1,000.0%. "), "$1,000.0%.");
    }
}
