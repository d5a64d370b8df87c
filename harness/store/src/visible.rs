//! Texts of others as a terminal and a table may show them.
//!
//! Errors of servers, rows of data and names in files can hold characters that a terminal obeys: escape sequences that move the
//! cursor, clear the screen or set its title, and marks that reverse the direction of what follows. They are shown as escapes.

use std::borrow::Cow;

/// The text with its control characters, but for line breaks and tabs, as escapes such as `\u001b`. The same holds for the
/// characters that change the direction of writing. What is JSON stays JSON of the same meaning.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match is_hidden(character) {
            // All of them have four digits; so JSON writes them, too.
            true => shown.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

fn is_hidden(character: char) -> bool {
    let turns =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (character.is_control() && !matches!(character, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        for (text, shown) in [
            ("plain\ttext\nof two lines, é漢😀", "plain\ttext\nof two lines, é漢😀"),
            ("\u{1b}[2J\u{1b}]0;title\u{7}", "\\u001b[2J\\u001b]0;title\\u0007"),
            ("a\rb\u{8}\u{0}\u{7f}", "a\\u000db\\u0008\\u0000\\u007f"),
            ("\u{9b}31m", "\\u009b31m"),
            ("user\u{202e}txt.exe\u{2066}", "user\\u202etxt.exe\\u2066"),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert!(matches!(visible("plain"), Cow::Borrowed(_)));
    }
}
