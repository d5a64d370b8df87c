//! Texts as people read them: differences line by line, and the beginnings of long ones.

use similar::{ChangeTag, TextDiff};

/// Most characters of a line that is shown.
const LINE: usize = 160;
/// Lines around a difference.
const AROUND: usize = 2;
/// Most lines of a difference.
const LINES: usize = 40;

/// The lines in which two texts differ, with some around them: `-` before ours, `+` before theirs. White space at the end of a line is made
/// visible.
pub(super) fn diff(ours: &str, theirs: &str) -> String {
    let diff = TextDiff::from_lines(ours, theirs);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(AROUND) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let ends = if change.value().ends_with('\n') { "" } else { " (without a line feed)" };
            lines.push(format!("    {sign} {}{ends}", visible(change.value().trim_end_matches('\n'))));
        }
    }
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    if more > 0 {
        lines.push(format!("      and {more} more lines"));
    }
    lines.join("\n")
}

/// The line, its end kept where it is long, with spaces at its end and carriage returns made visible.
fn visible(line: &str) -> String {
    let body = line.trim_end_matches([' ', '\t', '\r']);
    let end: String = line[body.len()..].chars().map(|c| if c == ' ' { '\u{b7}' } else { c }).collect();
    format!("{}{}", shortened(body), end.replace('\t', "\\t").replace('\r', "\\r"))
}

/// The text, its middle left out where it is long, on one line.
pub(super) fn shortened(text: &str) -> String {
    let text = text.replace('\n', "\\n");
    let count = text.chars().count();
    if count <= LINE {
        return text;
    }
    let half = LINE / 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(count - half).collect();
    format!("{head} ... {tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_are_shown_with_some_around() {
        let shown = diff("one\ntwo\nthree\nfour\nQ: a \nA:", "one\ntwo\nthree\nfour\nQ: a\nA:");
        assert_eq!(shown, "      three\n      four\n    - Q: a\u{b7}\n    + Q: a\n      A: (without a line feed)");
    }

    #[test]
    fn long_texts_lose_their_middle() {
        let text = format!("begin{}end", "x".repeat(500));
        let short = shortened(&text);
        assert!(short.starts_with("begin") && short.ends_with("end") && short.chars().count() == LINE + 5, "{short}");
    }
}
