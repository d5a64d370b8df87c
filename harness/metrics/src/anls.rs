//! Average normalized Levenshtein similarity (Biten et al., "Scene text visual question answering", 2019), as the package `anls` computes it.

use crate::unicode::{lower, split, upper};

/// The similarity of two texts without regard to case and white space, 0 to 1; 0 where the share of edits is `threshold` or more.
pub fn similarity(gold: &str, prediction: &str, threshold: f64) -> f64 {
    let (gold, prediction) = (normalized(gold), normalized(prediction));
    // The package takes the length in upper case, in which `ß` has two letters.
    let length = |text: &str| upper(text).chars().count();
    let longest = length(&gold).max(length(&prediction));
    let edits = if longest == 0 { 0.0 } else { distance(&gold, &prediction) as f64 / longest as f64 };
    if edits < threshold { 1.0 - edits } else { 0.0 }
}

fn normalized(text: &str) -> String {
    split(&lower(text)).collect::<Vec<_>>().join(" ")
}

/// The Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut distances: Vec<usize> = (0..=b.len()).collect();
    for (row, a) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut distances[0], row + 1);
        for (column, &b) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = distances[column + 1];
            distances[column + 1] = replaced.min(diagonal + 1).min(distances[column] + 1);
        }
    }
    distances[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_count_by_the_longer_text() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!([distance("", "ab"), distance("ab", ""), distance("", "")], [2, 2, 0]);
        assert_eq!(similarity("Hello  World", " hello world", 0.5), 1.0);
        assert_eq!(similarity("kitten", "sitting", 0.5), 1.0 - 3.0 / 7.0);
        assert_eq!(similarity("abcd", "abxy", 0.5), 0.0);
        assert_eq!(similarity("", "", 0.5), 1.0);
        assert_eq!(similarity("ß", "", 0.9), 0.5);
    }
}
