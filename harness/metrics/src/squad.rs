//! The metrics of SQuAD: exact match and F1 of tokens.

use crate::unicode::{lower, split};
use std::collections::HashMap;

/// A text in lower case, without ASCII's punctuation and the articles `a`, `an`, `the`, with single spaces.
pub fn normalized(text: &str) -> String {
    let lowered = lower(text).replace(|c: char| c.is_ascii_punctuation(), "");
    // An article is one between characters that are not part of words.
    let mut kept = String::with_capacity(lowered.len());
    let is_word = |c: char| c == '_' || crate::unicode::is_alphanumeric(u32::from(c));
    let mut rest = lowered.as_str();
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| is_word(c) != is_word(first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        kept.push_str(if matches!(run, "a" | "an" | "the") { " " } else { run });
        rest = after;
    }
    split(&kept).collect::<Vec<_>>().join(" ")
}

/// Whether two texts are equal once normalized: 1 or 0.
pub fn exact(gold: &str, prediction: &str) -> f64 {
    f64::from(u8::from(normalized(gold) == normalized(prediction)))
}

/// The F1 of the tokens that two texts have in common, once normalized. Of a text without tokens it is 1 beside another, and else 0.
pub fn f1(gold: &str, prediction: &str) -> f64 {
    let (gold, prediction) = (normalized(gold), normalized(prediction));
    let count = |text: &str| text.split(' ').filter(|token| !token.is_empty()).count();
    let (wanted, predicted) = (count(&gold), count(&prediction));
    if wanted == 0 || predicted == 0 {
        return f64::from(u8::from(wanted == predicted));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    gold.split(' ').for_each(|token| *left.entry(token).or_default() += 1);
    let mut same = 0;
    for token in prediction.split(' ') {
        if let Some(count @ 1..) = left.get_mut(token) {
            *count -= 1;
            same += 1;
        }
    }
    if same == 0 {
        return 0.0;
    }
    let precision = f64::from(same) / predicted as f64;
    let recall = f64::from(same) / wanted as f64;
    2.0 * precision * recall / (precision + recall)
}
