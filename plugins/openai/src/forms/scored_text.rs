//! Whether the tokens that a server scored are the text that it was sent.
//!
//! A server may have cut a long text, have scored another one, or have left out a token: its numbers are then good numbers of
//! the wrong text. Tokens are shown as text, not always exactly: one that holds a part of a character is shown as U+FFFD, or
//! as `bytes:\xe2\x80`, and stands for no more than a few characters of any kind.

use crate::errors::Failure;

/// The first token of a text, where it is not shown, is taken to be no longer.
const LONGEST_TOKEN: usize = 64;
/// So many characters are shown in a message.
const SHOWN: usize = 60;

/// Checks tokens that are shown as they stand in the text, apart from white space at its beginning. A server may have put one
/// of its own before them.
///
/// # Errors
/// They are another text.
pub(super) fn check_echoed<'a>(tokens: impl Iterator<Item = &'a str> + Clone, sent: &str) -> Result<(), Failure> {
    let text: Vec<char> = sent.trim_start().chars().collect();
    let is_text = |tokens: &mut dyn Iterator<Item = &'a str>| {
        let pattern = tokens.flat_map(pieces).skip_while(|piece| matches!(piece, Piece::Char(c) if c.is_whitespace()));
        fits(pattern, &text, vec![0])
    };
    if is_text(&mut tokens.clone()) || is_text(&mut tokens.clone().skip(1)) {
        return Ok(());
    }
    let shown: String = tokens.clone().collect();
    let without_own: String = tokens.skip(1).collect();
    let is_own = common(&without_own, sent) > common(&shown, sent);
    Err(other_text(if is_own { &without_own } else { &shown }, sent))
}

/// Checks tokens that are shown without the white space that some tokenizers hide. The first one is not shown: it is one of
/// the server's own, or the text's first, which does not reach beyond the text's first word.
///
/// # Errors
/// They are another text.
pub(super) fn check_decoded<'a>(tokens: impl Iterator<Item = &'a str> + Clone, sent: &str) -> Result<(), Failure> {
    let text: Vec<char> = sent.chars().filter(|c| !c.is_whitespace()).collect();
    let first_word = sent.split_whitespace().next().map_or(0, |word| word.chars().count());
    let pattern = tokens.clone().skip(1).flat_map(pieces);
    let pattern = pattern.filter(|piece| !matches!(piece, Piece::Char(c) if c.is_whitespace()));
    if fits(pattern, &text, (0..=first_word.min(LONGEST_TOKEN)).collect()) {
        return Ok(());
    }
    Err(other_text(&tokens.skip(1).collect::<String>(), sent))
}

/// A part of a token as it is shown.
#[derive(Debug, Clone, Copy)]
enum Piece {
    Char(char),
    /// Up to so many characters of any kind.
    Unknown(usize),
}

fn pieces(token: &str) -> Vec<Piece> {
    // One character is at least one byte, and a byte is shown as `\xe2` or as a letter.
    if let Some(bytes) = token.strip_prefix("bytes:") {
        return vec![Piece::Unknown(bytes.chars().count())];
    }
    let piece = |c| if c == char::REPLACEMENT_CHARACTER { Piece::Unknown(1) } else { Piece::Char(c) };
    token.chars().map(piece).collect()
}

/// Whether the pieces are the text from one of the positions in `starts`, which ascend, to its end.
fn fits(pieces: impl Iterator<Item = Piece>, text: &[char], starts: Vec<usize>) -> bool {
    // Where the pieces so far may end.
    let mut ends = starts;
    for piece in pieces {
        match piece {
            Piece::Char(c) => {
                ends.retain(|end| text.get(*end) == Some(&c));
                ends.iter_mut().for_each(|end| *end += 1);
            }
            Piece::Unknown(most) => {
                ends = ends.iter().flat_map(|end| *end..=(end + most).min(text.len())).collect();
                ends.sort_unstable();
                ends.dedup();
            }
        }
        if ends.is_empty() {
            return false;
        }
    }
    ends.contains(&text.len())
}

/// How many characters two texts have in common from their beginning.
fn common(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count()
}

fn other_text(came_back: &str, sent: &str) -> Failure {
    let from = common(came_back, sent);
    let excerpt = |text: &str| -> String {
        let mut rest = text.chars().skip(from);
        let shown: String = rest.by_ref().take(SHOWN).collect();
        let more = if rest.next().is_some() { "…" } else { "" };
        format!("{:?}", shown + more)
    };
    let message = format!(
        "the server scored another text than it was sent: from character {from} on, counted from 0, {} was sent and {} \
         came back",
        excerpt(sent),
        excerpt(came_back)
    );
    Failure::request(message).with_help("see whether the server cuts long prompts, or `score: off` and another scorer")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echoed(tokens: &[&str], sent: &str) -> bool {
        check_echoed(tokens.iter().copied(), sent).is_ok()
    }

    fn decoded(tokens: &[&str], sent: &str) -> bool {
        check_decoded(tokens.iter().copied(), sent).is_ok()
    }

    #[test]
    fn a_text_may_be_shown_inexactly() {
        assert!(echoed(&["The", " sky", " is", "\n"], "The sky is\n"));
        assert!(echoed(&["<s>", "The", " sky"], "The sky") && echoed(&["", "The", " sky"], "The sky"));
        assert!(echoed(&[" The", " sky"], "The sky") && echoed(&["The", " sky"], " The sky"));
        assert!(echoed(&["It", "\u{fffd}", "\u{fffd}", "s \u{fffd}"], "It’s \u{1f600}"));
        assert!(echoed(&["It", "bytes:\\xe2\\x80", "bytes:\\x99", "s"], "It’s"));
        assert!(echoed(&["a\u{fffd}b"], "a\u{fffd}b"), "the text itself may have one");
        assert!(decoded(&["", "sky", "is", "\u{fffd}"], "The sky is €") && decoded(&["", "The", "sky"], "The sky"));
        assert!(decoded(&["", " sky"], "<|endoftext|> sky"));
    }

    #[test]
    fn another_text_is_none() {
        for tokens in
            [&["The", " sky"][..], &["sky", " is"], &["Le", " ciel", " est"], &["The", " sky", " is", " so"], &[]]
        {
            assert!(!echoed(tokens, "The sky is"), "{tokens:?}");
        }
        assert!(!echoed(&["The", " sky", " is"], "The sky is\n"), "a line break is a token, too");
        assert!(!echoed(&["<s>", "<s>", "The"], "The") && !echoed(&["\u{fffd}", " is"], "The sky is"));
        for tokens in [&["", "is"][..], &["", "sky"], &["", "The", "sky"], &["", "skies", "is"], &[]] {
            assert!(!decoded(tokens, "The sky is"), "{tokens:?}");
        }
        assert!(!decoded(&["", "天"], &"天".repeat(200)), "a token is not as long as a text");
    }

    #[test]
    fn what_was_sent_and_what_came_back_are_told() {
        let cut = check_echoed(["sky", " is"].into_iter(), "The sky is").unwrap_err().error;
        assert_eq!(
            cut.message,
            "the server scored another text than it was sent: from character 0 on, counted from 0, \"The sky is\" was sent \
             and \"sky is\" came back"
        );
        let long = format!("The sky is{}", " so".repeat(99));
        let last = check_echoed(["<s>", "The", " sky", " is"].into_iter(), &long).unwrap_err().error;
        assert!(last.message.contains("character 10 on") && last.message.ends_with("and \"\" came back"), "{last}");
        assert!(last.message.contains("so so…\" was sent"), "{last}");
    }
}
