//! The parts of a prompt: what is said by whom, and what follows it in a plain text.

use examiner_api::{Speaker, Turn};

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) speaker: Speaker,
    pub(super) content: String,
    /// What follows in a plain text, and not in a conversation.
    pub(super) delimiter: String,
}

impl Message {
    pub(super) fn new(speaker: Speaker, content: impl Into<String>, delimiter: &str) -> Self {
        Message { speaker, content: content.into(), delimiter: delimiter.to_owned() }
    }
}

/// All of it as a plain text.
pub(super) fn text<'a>(messages: impl IntoIterator<Item = &'a Message>) -> String {
    let mut text = String::new();
    for message in messages {
        text.push_str(&message.content);
        text.push_str(&message.delimiter);
    }
    text
}

/// All of it as a conversation.
pub(super) fn turns<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<Turn> {
    let turn = |message: &Message| Turn { speaker: message.speaker, content: message.content.clone() };
    messages.into_iter().map(turn).collect()
}

/// Two texts with a delimiter between them, unless one of them is empty or has white space there.
pub(super) fn delimited(before: &str, after: &str, delimiter: &str) -> String {
    let delimiter = if !before.is_empty() && !after.is_empty() && lacks_space(before, after) { delimiter } else { "" };
    format!("{before}{delimiter}{after}")
}

/// Whether neither text has white space where they meet; an empty text before has no need of it.
pub(super) fn lacks_space(before: &str, after: &str) -> bool {
    let is_space = |character: Option<char>| character.is_some_and(is_python_space);
    !before.is_empty() && !is_space(before.chars().next_back()) && !is_space(after.chars().next())
}

/// What `str.isspace` of Python holds of a character.
pub(super) fn is_python_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// A question, and its answer where there is one: the messages of one exchange.
pub(super) fn exchange(
    question: &str,
    answer: Option<&str>,
    prefix: Option<&str>,
    delimiters: (&str, &str),
) -> Vec<Message> {
    let (target_delimiter, separator) = delimiters;
    let prefix = prefix.filter(|prefix| !prefix.is_empty());
    let answer = answer.filter(|answer| !answer.is_empty());
    let delimiter = match (answer, prefix) {
        (Some(_), None) => target_delimiter,
        (_, Some(prefix)) if lacks_space(question, prefix) => target_delimiter,
        _ => "",
    };
    let mut messages = vec![Message::new(Speaker::User, question, delimiter)];
    match (answer, prefix) {
        (Some(answer), prefix) => {
            let content = delimited(prefix.unwrap_or_default(), answer, " ");
            messages.push(Message::new(Speaker::Assistant, content, separator));
        }
        (None, Some(prefix)) => messages.push(Message::new(Speaker::Assistant, prefix, "")),
        (None, None) => {}
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_follows_its_question_after_the_delimiter() {
        let shot = exchange("Q:", Some("A"), None, (" ", "\n\n"));
        assert_eq!((text(&shot), turns(&shot)), ("Q: A\n\n".into(), vec![Turn::user("Q:"), Turn::assistant("A")]));
        assert_eq!(text(&exchange("Q:", None, None, (" ", "\n\n"))), "Q:");
        assert_eq!(text(&exchange("Q:", Some(""), None, (" ", "\n\n"))), "Q:");
    }

    #[test]
    fn a_prefix_is_kept_apart_where_there_is_no_white_space() {
        let of = |question, answer, prefix| text(&exchange(question, answer, Some(prefix), (" ", "|")));
        assert_eq!(of("Q", None, "The answer is"), "Q The answer is");
        assert_eq!(of("Q\n", None, "The answer is"), "Q\nThe answer is");
        assert_eq!(of("Q", Some("A"), "The answer is"), "Q The answer is A|");
        assert_eq!(of("Q", Some(" A"), "is"), "Q is A|");
        assert_eq!(of("", None, "is"), "is");
        assert_eq!(of("Q", Some("A"), ""), "Q A|");
    }

    #[test]
    fn a_delimiter_stands_between_two_texts_alone() {
        assert_eq!(delimited("", "b", "\n"), "b");
        assert_eq!(delimited("a", "", "\n"), "a");
        assert_eq!(delimited("a", "b", "\n"), "a\nb");
        assert_eq!(delimited("a ", "b", "\n"), "a b");
    }
}
